// SPDX-License-Identifier: BSL-1.0
// A topic in memory: what the broker stores and how it names it, which numbers it has seen, who produces to it.
#pragma once

#include <sluice/testing/gateway/types.hpp>
#include <sluice/web/base64.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

struct position {
    std::int64_t ledger = -1, entry = -1; ///< -1: nothing was stored, a duplicate was dropped
    std::int32_t batch_index = -1;        ///< -1: not in a batch
};

/// Appends the base64 of MessageIdData {1 ledger, 2 entry, 4 batch index, 6 batch size}, whose batch size the proxy
/// always leaves at 0.
inline void append_message_id(std::string& out, const position& p) {
    std::array<std::byte, 48> raw;
    std::size_t n = 0;
    const auto varint = [&](int tag, std::int64_t value) {
        raw[n++] = static_cast<std::byte>(tag << 3);
        auto rest = static_cast<std::uint64_t>(value);
        for (; rest >= 0x80; rest >>= 7) raw[n++] = static_cast<std::byte>(rest | 0x80);
        raw[n++] = static_cast<std::byte>(rest);
    };
    varint(1, p.ledger);
    varint(2, p.entry);
    if (p.batch_index >= 0) varint(4, p.batch_index);
    varint(6, 0);
    const std::size_t at = out.size();
    out.resize(at + web::base64_size(n));
    web::base64_encode({raw.data(), n}, out.data() + at);
}

/// A message on its way into a topic, and in it.
struct topic_message {
    std::string payload{};
    std::optional<std::string> key{};
    std::vector<property> properties{};
    std::vector<std::string> replication_clusters{};
    std::optional<std::int64_t> event_time{}, deliver_at{}; ///< milliseconds since 1970
    std::int64_t sequence_id = -1;
    std::shared_ptr<const std::string> producer_name{};
    time_point publish_time{};
    position at{};

    std::size_t bytes() const noexcept {
        std::size_t n = sizeof *this + payload.size() + (key ? key->size() : 0);
        for (const property& p : properties) n += sizeof p + p.name.size() + p.value.size();
        for (const std::string& c : replication_clusters) n += sizeof c + c.size();
        return n;
    }

    stored_message copy() const {
        const auto date = [](const std::optional<std::int64_t>& ms) {
            std::optional<message_attributes::time_point> t;
            if (ms) t.emplace(std::chrono::milliseconds(*ms));
            return t;
        };
        stored_message m{payload,
                         key,
                         properties,
                         date(event_time),
                         date(deliver_at),
                         replication_clusters,
                         producer_name ? *producer_name : std::string(),
                         sequence_id,
                         {},
                         publish_time};
        append_message_id(m.message_id, at);
        return m;
    }
};

struct topic_limits {
    std::size_t messages = 0, bytes = 0;
};

class topic {
public:
    topic(std::string name, std::int64_t ledger, topic_limits limits) noexcept
        : name_(std::move(name)), ledger_(ledger), limits_(limits) {}

    /// `persistent://TENANT/NAMESPACE/TOPIC`.
    const std::string& name() const noexcept { return name_; }
    std::int64_t ledger() const noexcept { return ledger_; }

    bool deduplicate = false;
    bool terminated = false;
    bool deleted = false; ///< producers may still hold it

    // Messages

    /// Judges the messages as one entry, by the number of the first, as the broker does: false if it is a repeat, and
    /// then all of them are thrown away with ledger -1. A single message without a batch has no batch index.
    bool publish(std::span<topic_message> messages, bool batched) {
        const std::string* const producer = messages.front().producer_name.get();
        bool repeat = false;
        if (deduplicate && producer != nullptr) {
            const auto [last, fresh] = last_sequence_.try_emplace(*producer, -1);
            repeat = messages.front().sequence_id <= last->second;
            if (!repeat) last->second = messages.back().sequence_id;
        }
        const std::int64_t entry = repeat ? -1 : next_entry_++;
        std::int32_t index = 0;
        for (topic_message& m : messages) m.at = {repeat ? -1 : ledger_, entry, batched ? index++ : -1};
        return !repeat;
    }
    /// Keeps a message that `publish` has given a place; drops the oldest that are over a limit.
    void keep(topic_message&& m) {
        const std::size_t size = m.bytes();
        bytes_ += size;
        ++messages_in_;
        bytes_in_ += m.payload.size();
        messages_.push_back(std::move(m));
        while (messages_.size() > limits_.messages || bytes_ > limits_.bytes) {
            bytes_ -= messages_.front().bytes();
            messages_.pop_front();
            ++dropped_;
            if (messages_.empty()) break;
        }
    }
    const std::deque<topic_message>& messages() const noexcept { return messages_; }
    std::uint64_t messages_in() const noexcept { return messages_in_; }
    std::uint64_t bytes_in() const noexcept { return bytes_in_; }
    std::size_t storage_size() const noexcept { return bytes_; }
    /// The last entry's position; entry -1 where there was none.
    position last() const noexcept { return {ledger_, next_entry_ - 1, -1}; }

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

    // Subscriptions: how many messages, counted from the topic's first, each has behind it

    std::map<std::string, std::uint64_t> subscriptions{};
    std::uint64_t begin_index() const noexcept { return dropped_; }
    std::uint64_t end_index() const noexcept { return dropped_ + messages_.size(); }
    std::uint64_t backlog(std::uint64_t cursor) const noexcept { return end_index() - std::max(cursor, begin_index()); }
    /// The n-th message, from 1, that lies before the cursor; null if there is none.
    const topic_message* peek(std::uint64_t cursor, std::uint64_t n) const noexcept {
        if (n == 0 || n > backlog(cursor)) return nullptr;
        return &messages_[static_cast<std::size_t>(std::max(cursor, begin_index()) - begin_index() + n - 1)];
    }

private:
    std::string name_;
    std::int64_t ledger_;
    topic_limits limits_;
    std::int64_t next_entry_ = 0;
    std::deque<topic_message> messages_{};
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0, messages_in_ = 0, bytes_in_ = 0;
    std::map<std::string, std::int64_t> last_sequence_{};
    std::map<std::string, time_point> producers_{}; ///< until when each name is in use
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
