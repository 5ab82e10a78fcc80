// SPDX-License-Identifier: BSL-1.0
// The messages that a topic keeps, in the order in which they came, and where each of them is.
#pragma once

#include <sluice/testing/gateway/message_id.hpp>
#include <sluice/testing/gateway/types.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// A hundred years: more seconds than that are not counted back.
inline constexpr std::uint64_t most_seconds = 3'155'760'000;

inline std::int64_t milliseconds_of(time_point t) noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}

/// `message_encryption` of many messages of one socket.
struct encryption_of_message {
    std::shared_ptr<const std::string> keys{};
    std::string param{}, compression_type{};
    std::int32_t uncompressed_size = 0;
};

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
    std::shared_ptr<const encryption_of_message> encryption{}; ///< null for one that is as it says
    position at{};
    std::uint64_t behind = 0; ///< bytes of the payloads that came before it

    std::size_t bytes() const noexcept {
        std::size_t n = sizeof *this + payload.size() + (key ? key->size() : 0);
        for (const property& p : properties) n += sizeof p + p.name.size() + p.value.size();
        for (const std::string& c : replication_clusters) n += sizeof c + c.size();
        if (encryption) n += sizeof *encryption + encryption->param.size() + encryption->compression_type.size();
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
                         publish_time,
                         {}};
        append_message_id(m.message_id, at);
        if (encryption)
            m.encryption = message_encryption{*encryption->keys, encryption->param, encryption->compression_type,
                                              encryption->uncompressed_size};
        return m;
    }
};

struct topic_limits {
    std::size_t messages = 0, bytes = 0, subscriptions = 0, producer_names = 0;
};

/// Messages are counted from 0, which is the topic's first; those before `begin` have been dropped. One ledger holds
/// them all.
class message_log {
public:
    message_log(std::int64_t ledger, topic_limits limits) noexcept : ledger_(ledger), limits_(limits) {}

    /// Drops the oldest that are over a limit.
    void keep(topic_message&& m) {
        const std::size_t size = m.bytes();
        bytes_ += size;
        ++messages_in_;
        m.behind = bytes_in_;
        bytes_in_ += m.payload.size();
        messages_.push_back(std::move(m));
        while (messages_.size() > limits_.messages || bytes_ > limits_.bytes) {
            bytes_ -= messages_.front().bytes();
            messages_.pop_front();
            ++dropped_;
            if (messages_.empty()) break;
        }
    }

    std::uint64_t begin() const noexcept { return dropped_; }
    std::uint64_t end() const noexcept { return dropped_ + messages_.size(); }
    /// The index lies between `begin` and `end`.
    const topic_message& operator[](std::uint64_t index) const noexcept {
        return messages_[static_cast<std::size_t>(index - dropped_)];
    }

    struct range {
        std::uint64_t first = 0, last = 0; ///< without the last
    };
    /// The message at the place; a whole batch if no batch index is said.
    range find(const position& p) const noexcept {
        if (p.ledger != ledger_) return {};
        const auto whole = p.batch_index < 0;
        return {index_of(p.entry, whole ? -1 : p.batch_index),
                index_of(p.entry, whole ? max_index : p.batch_index + 1)};
    }
    /// The first message behind the place. A batch without an index is not behind it: all of it comes again.
    std::uint64_t after(const position& p) const noexcept {
        if (p.ledger != ledger_) return p.ledger < ledger_ ? begin() : end();
        return index_of(p.entry, std::max(p.batch_index, -1) + std::int64_t{1});
    }

    /// Bytes of the payloads from a message on.
    std::uint64_t bytes_from(std::uint64_t index) const noexcept {
        return index < end() ? bytes_in_ - (*this)[std::max(index, begin())].behind : 0;
    }
    /// The first message from which on there are at most so many bytes of payloads.
    std::uint64_t last_bytes(std::uint64_t bytes) const noexcept {
        const auto found = std::partition_point(messages_.begin(), messages_.end(),
                                                [&](const topic_message& m) { return bytes_in_ - m.behind > bytes; });
        return dropped_ + static_cast<std::uint64_t>(found - messages_.begin());
    }
    /// The first message that was published at or behind the time.
    std::uint64_t from_time(time_point t) const noexcept {
        const auto found = std::partition_point(messages_.begin(), messages_.end(),
                                                [&](const topic_message& m) { return m.publish_time < t; });
        return dropped_ + static_cast<std::uint64_t>(found - messages_.begin());
    }

    const std::deque<topic_message>& messages() const noexcept { return messages_; }
    std::int64_t ledger() const noexcept { return ledger_; }
    std::uint64_t messages_in() const noexcept { return messages_in_; }
    std::uint64_t bytes_in() const noexcept { return bytes_in_; }
    std::size_t storage_size() const noexcept { return bytes_; }

private:
    static constexpr std::int64_t max_index = std::int64_t{1} << 40;

    /// The first message that is not before the place.
    std::uint64_t index_of(std::int64_t entry, std::int64_t batch_index) const noexcept {
        const auto found = std::partition_point(messages_.begin(), messages_.end(), [&](const topic_message& m) {
            return m.at.entry < entry || (m.at.entry == entry && m.at.batch_index < batch_index);
        });
        return dropped_ + static_cast<std::uint64_t>(found - messages_.begin());
    }

    std::int64_t ledger_;
    topic_limits limits_;
    std::deque<topic_message> messages_{};
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0, messages_in_ = 0, bytes_in_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
