// SPDX-License-Identifier: BSL-1.0
// A topic in memory: what it keeps, which numbers it has seen, who produces to it, and its subscriptions.
#pragma once

#include <sluice/testing/gateway/message_log.hpp>
#include <sluice/testing/gateway/proxied_socket.hpp>
#include <sluice/testing/gateway/subscription.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// What a request or an upgrade is refused with: an HTTP status and the text that tells why.
struct refusal {
    int status = 0; ///< 0: not refused
    std::string text{};

    explicit operator bool() const noexcept { return status != 0; }
};

/// What a consumer or a reader asks the broker for.
struct subscribe_request {
    std::string name{};
    subscription_type type = subscription_type::exclusive;
    bool durable = true;              ///< false: it goes with its last consumer
    bool earliest = false;            ///< where a new one starts; false: behind the last message
    std::optional<position> behind{}; ///< where a new one starts, if it is said
};

class topic : public std::enable_shared_from_this<topic> {
public:
    topic(std::string name, std::int64_t ledger, topic_limits limits) noexcept
        : name_(std::move(name)), limits_(limits), log_(ledger, limits) {}

    /// `persistent://TENANT/NAMESPACE/TOPIC`.
    const std::string& name() const noexcept { return name_; }
    const message_log& log() const noexcept { return log_; }

    bool deduplicate = false;
    bool terminated = false;
    bool deleted = false; ///< producers and consumers may still hold it
    backlog_quota quota{};
    std::chrono::seconds time_to_live{0}; ///< of what subscriptions wait for; 0: for ever
    bool marked = false;                  ///< on the broker's list of those that have something to hand out

    // Messages

    /// Judges the messages as one entry, by the number of the first, as the broker does: false if it is a repeat, and
    /// then all of them are thrown away with ledger -1. A single message without a batch has no batch index.
    bool publish(std::span<topic_message> messages, bool batched) {
        const std::string* const producer = messages.front().producer_name.get();
        bool repeat = false;
        if (deduplicate && producer != nullptr) {
            if (last_sequence_.size() >= limits_.producer_names && !last_sequence_.contains(*producer)) forget_a_name();
            const auto [last, fresh] = last_sequence_.try_emplace(*producer, -1);
            repeat = messages.front().sequence_id <= last->second;
            if (!repeat) last->second = messages.back().sequence_id;
        }
        const std::int64_t entry = repeat ? -1 : next_entry_++;
        const auto size = static_cast<std::int32_t>(batched ? messages.size() : 0);
        std::int32_t index = 0;
        for (topic_message& m : messages) m.at = {repeat ? -1 : log_.ledger(), entry, batched ? index++ : -1, size};
        return !repeat;
    }
    /// Keeps a message that `publish` has given a place.
    void keep(topic_message&& m) {
        log_.keep(std::move(m));
        if (quota.policy == backlog_policy::consumer_backlog_eviction && over_quota()) evict();
    }
    /// The last entry's position; entry -1 where there was none.
    position last() const noexcept { return {log_.ledger(), next_entry_ - 1}; }

    /// The highest number that deduplication has seen of the name; -1 without it.
    std::int64_t last_sequence(const std::string& producer) const {
        const auto found = last_sequence_.find(producer);
        return found == last_sequence_.end() ? -1 : found->second;
    }

    // Producers: names in use

    /// False if somebody has it, or had it until a moment ago.
    bool take_name(const std::string& name, time_point now) {
        const auto [slot, fresh] = producers_.try_emplace(name, time_point::max());
        if (fresh) return true;
        if (slot->second > now) return false;
        slot->second = time_point::max();
        return true;
    }
    /// From then on the name can be taken again.
    void release_name(const std::string& name, time_point at) {
        const auto slot = producers_.find(name);
        if (slot != producers_.end()) slot->second = at;
    }
    void forget_released(time_point now) {
        std::erase_if(producers_, [&](const auto& p) { return p.second <= now; });
    }
    std::size_t producers() const {
        std::size_t n = 0;
        for (const auto& p : producers_) n += p.second == time_point::max() ? 1 : 0;
        return n;
    }
    const std::map<std::string, time_point>& producer_names() const noexcept { return producers_; }

    // Subscriptions and who is attached to them

    using subscription_map = std::map<std::string, std::shared_ptr<subscription>, std::less<>>;
    const subscription_map& subscriptions() const noexcept { return subscriptions_; }
    subscription* find_subscription(std::string_view name) const {
        const auto found = subscriptions_.find(name);
        return found == subscriptions_.end() ? nullptr : found->second.get();
    }
    std::size_t consumers() const noexcept { return consumers_; }

    /// 409 if it exists, 412 if there are too many.
    refusal add_subscription(const subscribe_request& request) {
        if (subscriptions_.contains(request.name)) return {409, "Subscription already exists for topic"};
        if (subscriptions_.size() >= limits_.subscriptions)
            return {412, "Exceed the maximum number of subscriptions of the topic: " + name_};
        const std::uint64_t start = request.behind     ? log_.after(*request.behind)
                                    : request.earliest ? log_.begin()
                                                       : log_.end();
        subscriptions_.emplace(request.name,
                               std::make_shared<subscription>(request.name, log_, start, request.durable));
        return {};
    }
    /// Its consumers notice with the next `dispatch`. False if it does not exist.
    bool remove_subscription(std::string_view name) {
        const auto found = subscriptions_.find(name);
        if (found == subscriptions_.end()) return false;
        found->second->removed = true;
        for (consumer* c : found->second->consumers()) c->wake();
        consumers_ -= found->second->consumers().size();
        subscriptions_.erase(found);
        return true;
    }
    /// Attaches the consumer to the subscription, which is made if it is missing. Why not, in the broker's words.
    refusal attach(const subscribe_request& request, consumer& c, std::shared_ptr<subscription>& out) {
        if (const refusal why = add_subscription(request); why.status == 412) return {500, why.text};
        const std::shared_ptr<subscription>& s = subscriptions_.find(request.name)->second;
        std::string why = s->attach(c, request.type);
        if (!why.empty()) return {409, std::move(why)};
        ++consumers_;
        out = s;
        return {};
    }
    void detach(const std::shared_ptr<subscription>& from, consumer& c) {
        from->detach(c);
        if (from->removed) return;
        --consumers_;
        if (!from->durable() && from->consumers().empty()) remove_subscription(from->name());
    }

    // Backlog quota

    bool over_quota() const {
        if (quota.bytes == 0) return false;
        for (const auto& [name, s] : subscriptions_)
            if (s->durable() && log_.bytes_from(s->cursor()) >= quota.bytes) return true;
        return false;
    }
    /// Wakes the connection once there is room, until it is taken off again.
    void wait_for_room(wake_target& who) { waiting_.insert(&who); }
    void wait_no_more(wake_target& who) { waiting_.erase(&who); }

    /// What is older than its time to live counts as acknowledged. A real broker looks every few minutes; here it is
    /// seen whenever somebody is concerned.
    void expire(time_point now) {
        if (time_to_live.count() == 0) return;
        const std::uint64_t oldest = log_.from_time(now - time_to_live);
        for (const auto& entry : subscriptions_) entry.second->skip_to(std::max(oldest, entry.second->cursor()));
    }

    /// Gives what has come to the consumers that have room, and room to the producers that wait.
    void dispatch(time_point now) {
        expire(now);
        if (!waiting_.empty() && (deleted || terminated || !over_quota()))
            for (wake_target* who : waiting_) who->wake();
        for (const auto& [name, s] : subscriptions_) {
            if (!deleted) {
                s->dispatch(now);
            } else {
                for (consumer* c : s->consumers()) c->wake(); // to look for another one
            }
        }
    }

private:
    /// One of those that nobody uses: what it sends again is taken for new. Of names in use, none.
    void forget_a_name() {
        const auto idle = std::find_if(last_sequence_.begin(), last_sequence_.end(),
                                       [&](const auto& entry) { return !producers_.contains(entry.first); });
        if (idle != last_sequence_.end()) last_sequence_.erase(idle);
    }
    /// Down to nine tenths of the quota.
    void evict() {
        const std::uint64_t oldest = log_.last_bytes(quota.bytes / 10 * 9);
        for (const auto& [name, s] : subscriptions_)
            if (s->durable()) s->skip_to(std::max(oldest, s->cursor()));
    }

    std::string name_;
    topic_limits limits_;
    message_log log_;
    std::int64_t next_entry_ = 0;
    std::map<std::string, std::int64_t> last_sequence_{};
    std::map<std::string, time_point> producers_{}; ///< until when each name is in use
    subscription_map subscriptions_{};
    std::size_t consumers_ = 0;
    std::set<wake_target*> waiting_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
