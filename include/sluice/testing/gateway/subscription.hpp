// SPDX-License-Identifier: BSL-1.0
// A subscription: which messages of a topic are acknowledged, which are with which consumer, and who gets the next.
#pragma once

#include <sluice/testing/gateway/consumer.hpp>
#include <sluice/testing/gateway/message_log.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Everything before `cursor` is acknowledged; each message from there up to the last that was looked at has a slot.
/// What the log has dropped counts as acknowledged.
///
///     unread ---> ready ---> pending ---> acknowledged
///        |         ^  ^         |
///        '-> late -'  '---------'  refused, timed out, the consumer left
///
/// Every message is acknowledged for itself, also in a batch, as by a broker with
/// `acknowledgmentAtBatchIndexLevelEnabled`; and a consumer holds nothing but what its socket delivers, where a real
/// one fetches ahead.
class subscription {
public:
    subscription(std::string name, const message_log& log, std::uint64_t cursor, bool durable)
        : name_(std::move(name)), log_(log), cursor_(cursor), durable_(durable) {}
    subscription(const subscription&) = delete;
    subscription& operator=(const subscription&) = delete;

    const std::string& name() const noexcept { return name_; }
    bool durable() const noexcept { return durable_; }
    subscription_type type() const noexcept { return type_; }
    bool removed = false; ///< consumers may still hold it

    // Consumers

    const std::vector<consumer*>& consumers() const noexcept { return consumers_; }
    /// The one that gets everything; null if it takes turns, or there is none.
    const consumer* active() const noexcept {
        return single_active() && !consumers_.empty() ? consumers_.front() : nullptr;
    }
    /// Why not, in the broker's words; empty if it is attached.
    std::string attach(consumer& c, subscription_type type) {
        if (!consumers_.empty()) {
            if (type != type_)
                return "Subscription is of different type. Active subscription type of '" +
                       std::string(name_of(type_)) + "' is different than the connecting consumer's type '" +
                       std::string(name_of(type)) + "'.";
            if (type == subscription_type::exclusive) return "Exclusive consumer is already connected";
        }
        type_ = type;
        c.seed = hash_of(c.name);
        while (std::any_of(consumers_.begin(), consumers_.end(), [&](const consumer* o) { return o->seed == c.seed; }))
            c.seed = mixed(c.seed); // a namesake
        consumer* const first = consumers_.empty() ? nullptr : consumers_.front();
        const auto place = std::upper_bound(consumers_.begin(), consumers_.end(), c.priority,
                                            [](std::int32_t p, const consumer* other) { return p < other->priority; });
        consumers_.insert(place, &c);
        if (type == subscription_type::failover && first != nullptr && consumers_.front() != first) rewind(*first);
        if (single_active())
            while (!late_.empty()) be_late_no_more();
        return {};
    }
    /// What it holds becomes ready for others.
    void detach(consumer& c) {
        std::erase(consumers_, &c);
        rewind(c);
        c.inbox.clear();
        announced_ = never;
        if (consumers_.empty())
            for (slot& s : slots_) s.redeliveries = 0; // the broker counts in the memory of its dispatcher
    }

    // Messages

    /// Gives what is ready to consumers that have room, and wakes them.
    void dispatch(time_point now) {
        forget_dropped();
        if (consumers_.empty()) return;
        const std::int64_t ms = milliseconds_of(now);
        while (!late_.empty() && late_.begin()->first <= ms) be_late_no_more();
        if (type_ == subscription_type::key_shared) {
            dispatch_by_key(ms);
        } else {
            while (any_room()) {
                const auto index = next(ms);
                if (!index) break;
                give(in_turn(), *index);
            }
        }
        if (!late_.empty() && late_.begin()->first < announced_) {
            announced_ = late_.begin()->first;
            consumers_.front()->wake(); // somebody has to come back at that time
        }
    }
    /// When `dispatch` has something to do that nobody else causes.
    time_point next_time() const noexcept {
        constexpr std::int64_t end = std::numeric_limits<std::int64_t>::max() / 1'000'000;
        if (late_.empty() || late_.begin()->first > end) return time_point::max();
        return time_point(std::chrono::milliseconds(late_.begin()->first));
    }

    /// The message of a delivery; null once it is no longer this consumer's.
    const topic_message* message(const delivery& d, const consumer& c) {
        forget_dropped();
        return find(d, c) != nullptr ? &log_[d.index] : nullptr;
    }
    std::uint32_t redeliveries(std::uint64_t index) const noexcept { return slots_[offset(index)].redeliveries; }

    void acknowledge(message_log::range messages) {
        forget_dropped();
        messages.first = std::max(messages.first, cursor_);
        messages.last = std::min(messages.last, log_.end());
        if (messages.first >= messages.last) return;
        for (; read() < messages.last; slots_.emplace_back()) ready_.insert(ready_.end(), read());
        for (std::uint64_t index = messages.first; index != messages.last; ++index) {
            slot& s = slots_[offset(index)];
            if (s.state == slot_state::acknowledged) continue;
            leave_state(s, index);
            s.state = slot_state::acknowledged;
            ++acknowledged_;
        }
        pass_acknowledged();
    }
    /// The delivery if the message at the index is this consumer's and has not been refused yet; it is then.
    std::optional<delivery> refuse(std::uint64_t index, const consumer& c) {
        forget_dropped();
        if (index < cursor_ || index >= read()) return {};
        slot& s = slots_[offset(index)];
        if (s.state != slot_state::pending || s.owner != &c || std::exchange(s.refused, true)) return {};
        return delivery{index, s.attempt};
    }
    /// It waits for an answer: not given again, not refused.
    bool unanswered(const delivery& d, const consumer& c) {
        forget_dropped();
        const slot* const s = find(d, c);
        return s != nullptr && !s->refused;
    }
    /// Makes a message ready again; of an exclusive consumer and of an active one everything that it holds.
    void redeliver(const delivery& d, consumer& c) {
        forget_dropped();
        slot* const s = find(d, c);
        if (s == nullptr) return;
        if (single_active()) return rewind(c);
        ++s->redeliveries;
        leave_state(*s, d.index);
        make_ready(d.index);
    }

    // Backlog

    std::uint64_t cursor() {
        forget_dropped();
        return cursor_;
    }
    std::uint64_t backlog() {
        forget_dropped();
        return log_.end() - cursor_ - acknowledged_;
    }
    /// Everything before the index is acknowledged.
    void skip_to(std::uint64_t index) {
        drop_before(std::max(index, log_.begin()));
        pass_acknowledged();
    }
    /// The n-th message, from 1, that is not acknowledged; null if there is none.
    const topic_message* peek(std::uint64_t n) {
        forget_dropped();
        for (std::uint64_t index = cursor_; index != log_.end(); ++index) {
            if (index < read() && slots_[offset(index)].state == slot_state::acknowledged) continue;
            if (n-- == 1) return &log_[index];
        }
        return nullptr;
    }
    std::size_t late() const noexcept { return late_.size(); }

private:
    enum class slot_state : std::uint8_t { ready, late, pending, acknowledged };

    struct slot {
        consumer* owner = nullptr;
        std::int64_t due = 0; ///< of a late one: milliseconds since 1970
        std::uint32_t attempt = 0, redeliveries = 0;
        std::uint64_t key = 0; ///< hash, once it has been needed
        slot_state state = slot_state::ready;
        bool refused = false;
    };
    struct in_flight {
        const consumer* owner = nullptr;
        std::size_t messages = 0;
    };

    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    /// Messages for each consumer that may wait for another one of their key before nothing more is read.
    static constexpr std::size_t look_ahead = 2000;

    bool single_active() const noexcept {
        return type_ == subscription_type::exclusive || type_ == subscription_type::failover;
    }
    std::uint64_t read() const noexcept { return cursor_ + slots_.size(); }
    std::size_t offset(std::uint64_t index) const noexcept { return static_cast<std::size_t>(index - cursor_); }

    slot* find(const delivery& d, const consumer& c) noexcept {
        if (d.index < cursor_ || d.index >= read()) return nullptr;
        slot& s = slots_[offset(d.index)];
        return s.state == slot_state::pending && s.owner == &c && s.attempt == d.attempt ? &s : nullptr;
    }

    // States

    void make_ready(std::uint64_t index) {
        slots_[offset(index)].state = slot_state::ready;
        ready_.insert(index);
    }
    /// Takes back what the state has added elsewhere.
    void leave_state(slot& s, std::uint64_t index) {
        switch (s.state) {
        case slot_state::ready: ready_.erase(index); break;
        case slot_state::late: late_.erase({s.due, index}); break;
        case slot_state::pending:
            --s.owner->unacknowledged;
            if (const auto key = keys_.find(s.key); key != keys_.end() && --key->second.messages == 0) keys_.erase(key);
            break;
        case slot_state::acknowledged: --acknowledged_; break;
        }
    }
    void be_late_no_more() {
        const std::uint64_t index = late_.begin()->second;
        late_.erase(late_.begin());
        make_ready(index);
        announced_ = never;
    }
    void rewind(consumer& c) {
        for (std::uint64_t index = cursor_; index != read(); ++index) {
            slot& s = slots_[offset(index)];
            if (s.state != slot_state::pending || s.owner != &c) continue;
            leave_state(s, index);
            make_ready(index);
        }
    }
    void drop_before(std::uint64_t index) {
        while (cursor_ < index && !slots_.empty()) {
            leave_state(slots_.front(), cursor_);
            slots_.pop_front();
            ++cursor_;
        }
        cursor_ = std::max(cursor_, index);
    }
    void forget_dropped() {
        if (cursor_ >= log_.begin()) return;
        drop_before(log_.begin());
        pass_acknowledged();
    }
    void pass_acknowledged() {
        while (!slots_.empty() && slots_.front().state == slot_state::acknowledged) {
            --acknowledged_;
            slots_.pop_front();
            ++cursor_;
        }
    }

    // Giving

    /// It stands in `ready_` no more.
    void give(consumer& c, std::uint64_t index) {
        slot& s = slots_[offset(index)];
        s.state = slot_state::pending;
        s.refused = false;
        s.owner = &c;
        ++s.attempt;
        ++c.unacknowledged;
        c.flow.take();
        c.inbox.push_back({index, s.attempt});
        if (c.inbox.size() == 1) c.wake();
    }
    bool any_room() const noexcept {
        if (single_active()) return consumers_.front()->flow.open();
        return std::any_of(consumers_.begin(), consumers_.end(), [](const consumer* c) { return c->flow.open(); });
    }
    /// Of those that have room the next: of the lowest priority number, and there in turn.
    consumer& in_turn() noexcept {
        if (single_active()) return *consumers_.front();
        std::size_t best = consumers_.size();
        for (std::size_t i = 0; i < consumers_.size(); ++i) {
            const std::size_t at = (turn_ + i) % consumers_.size();
            if (!consumers_[at]->flow.open()) continue;
            if (best == consumers_.size() || consumers_[at]->priority < consumers_[best]->priority) best = at;
        }
        turn_ = best + 1;
        return *consumers_[best];
    }
    /// Takes the next message that is ready and due.
    std::optional<std::uint64_t> next(std::int64_t ms) {
        for (;;) {
            std::uint64_t index = read();
            if (!ready_.empty()) {
                index = *ready_.begin();
                ready_.erase(ready_.begin());
            } else if (index != log_.end()) {
                slots_.emplace_back();
            } else {
                return {};
            }
            if (!postponed(index, ms)) return index;
        }
    }
    /// Sets a message aside whose time has not come. Only who takes turns waits for it, as in Pulsar.
    bool postponed(std::uint64_t index, std::int64_t ms) {
        const std::optional<std::int64_t>& due = log_[index].deliver_at;
        if (single_active() || !due || *due <= ms) return false;
        slot& s = slots_[offset(index)];
        s.state = slot_state::late;
        s.due = *due;
        late_.emplace(s.due, index);
        return true;
    }

    /// The messages of a key go to one consumer, in order; when others join or leave, only once those that are with
    /// the old one have been answered.
    void dispatch_by_key(std::int64_t ms) {
        const auto try_to_give = [&](std::uint64_t index) {
            slot& s = slots_[offset(index)];
            if (s.key == 0) s.key = key_of(log_[index]);
            consumer* const c = owner_of(s.key);
            in_flight& key = keys_[s.key];
            const bool free = key.messages == 0 || key.owner == c;
            if (!free || !c->flow.open()) {
                if (key.messages == 0) keys_.erase(s.key);
                return false;
            }
            key.owner = c;
            ++key.messages;
            give(*c, index);
            return true;
        };
        for (auto i = ready_.begin(); i != ready_.end() && any_room();)
            i = postponed(*i, ms) || try_to_give(*i) ? ready_.erase(i) : std::next(i);
        while (read() != log_.end() && any_room() && ready_.size() < look_ahead * consumers_.size()) {
            const std::uint64_t index = read();
            slots_.emplace_back();
            if (!postponed(index, ms) && !try_to_give(index)) ready_.insert(ready_.end(), index);
        }
    }
    /// Highest random weight: who joins takes keys from everybody, who leaves gives its own to everybody.
    consumer* owner_of(std::uint64_t key) const noexcept {
        consumer* best = nullptr;
        std::uint64_t weight = 0;
        for (consumer* c : consumers_) {
            const std::uint64_t w = mixed(key ^ c->seed);
            if (best == nullptr || w > weight) {
                best = c;
                weight = w;
            }
        }
        return best;
    }
    /// Never 0. A message without a key has one of its own.
    static std::uint64_t key_of(const topic_message& m) {
        if (m.key) return hash_of(*m.key) | 1;
        return hash_of((m.producer_name ? *m.producer_name : std::string()) + "-" + std::to_string(m.sequence_id)) | 1;
    }
    /// FNV-1a, 64 bits.
    static std::uint64_t hash_of(std::string_view text, std::uint64_t hash = 14695981039346656037u) noexcept {
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
        return mixed(hash);
    }
    static std::uint64_t mixed(std::uint64_t n) noexcept {
        n = (n ^ (n >> 33)) * 0xff51afd7ed558ccdu;
        n = (n ^ (n >> 33)) * 0xc4ceb9fe1a85ec53u;
        return n ^ (n >> 33);
    }

    std::string name_;
    const message_log& log_;
    std::uint64_t cursor_;
    bool durable_;
    subscription_type type_ = subscription_type::exclusive;

    std::deque<slot> slots_{};
    std::size_t acknowledged_ = 0; ///< of the slots
    std::set<std::uint64_t> ready_{};
    std::set<std::pair<std::int64_t, std::uint64_t>> late_{}; ///< by the time that they are for
    std::int64_t announced_ = never;                          ///< the time that some consumer knows of

    std::vector<consumer*> consumers_{}; ///< by priority, then in the order in which they came
    std::size_t turn_ = 0;
    std::map<std::uint64_t, in_flight> keys_{}; ///< by hash: with whom its messages are
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
