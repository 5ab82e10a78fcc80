// SPDX-License-Identifier: BSL-1.0
// A consumer as its subscription sees it, and how much it may still be given.
#pragma once

#include <sluice/testing/gateway/types.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

enum class subscription_type : std::uint8_t { exclusive, shared, failover, key_shared };

constexpr std::string_view name_of(subscription_type type) noexcept {
    switch (type) {
    case subscription_type::shared: return "Shared";
    case subscription_type::failover: return "Failover";
    case subscription_type::key_shared: return "Key_Shared";
    default: return "Exclusive";
    }
}

/// The proxy's counter of what is pending on a socket, quirks included. It counts messages, whichever they are: any
/// acknowledgement makes room for one, and a redelivery takes room again.
class flow_control {
public:
    /// Messages are pushed until so many are pending.
    static flow_control push(std::int32_t most) noexcept { return {1, most}; }
    /// Messages are given where `release` has asked for them.
    static flow_control pull() noexcept { return {0, 0}; }

    /// Nothing is ever asked for.
    static flow_control none() noexcept { return {0, 1}; }

    /// A message may be given.
    bool open() const noexcept { return receives_ > 0; }
    void take() noexcept {
        --receives_;
        if (++pending_ < most_) ++receives_;
    }
    /// The client has answered a message, or asks for so many.
    void release(std::int32_t messages = 1) noexcept {
        const std::int64_t before = pending_;
        pending_ -= messages;
        if (before >= most_) ++receives_; // 0 and less ask for one, too
    }
    /// Messages that can be given in a row.
    std::int64_t room() const noexcept {
        return open() ? receives_ + std::max<std::int64_t>(0, most_ - pending_ - 1) : 0;
    }

private:
    constexpr flow_control(std::int64_t receives, std::int64_t most) noexcept : receives_(receives), most_(most) {}

    std::int64_t receives_; ///< of the proxy's client, under way
    std::int64_t most_;
    std::int64_t pending_ = 0;
};

/// A message that has been given to a consumer, until it is given again.
struct delivery {
    std::uint64_t index = 0;   ///< in the topic's log
    std::uint32_t attempt = 0; ///< 1: the first
};

/// Its address stays while it is attached to a subscription.
struct consumer {
    virtual void wake() = 0;

    std::string name{};
    std::int32_t priority = 0; ///< lower comes first
    flow_control flow = flow_control::pull();
    std::deque<delivery> inbox{}; ///< given, not yet told to the client
    std::uint64_t seed = 0;       ///< which keys it gets
    std::size_t unacknowledged = 0;
    std::uint64_t messages_out = 0, bytes_out = 0;
    time_point since{};

protected:
    ~consumer() = default;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
