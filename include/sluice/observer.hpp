// SPDX-License-Identifier: BSL-1.0
// A producer's news for its owner: opened, lost, reconnecting, ended.
#pragma once

#include <sluice/error.hpp>
#include <sluice/stats.hpp>

#include <chrono>
#include <cstdint>
#include <functional>

namespace sluice {
inline namespace v1 {

/// Functions that are called when the producer's state changes, on the producer's executor, in order. Empty ones are
/// not called. They may call the producer, and they may destroy it. None is called once the producer has been
/// destroyed; on a pool of threads one may be running at that moment, and then shares what it refers to.
struct producer_observer {
    std::function<void()> on_open{};                     ///< the socket is up, the first time or again
    std::function<void(const failure&)> on_disconnect{}; ///< the socket is gone, with its cause
    /// The socket is gone, or could not be opened; the next attempt starts after the delay. `attempt`: how often in a
    /// row, this time included.
    std::function<void(const failure&, unsigned attempt, std::chrono::milliseconds delay)> on_reconnect{};
    /// `when_full` has dropped that many messages since it was last told; each one's sender is told too.
    std::function<void(std::uint64_t messages)> on_drop{};
    /// The end: a default constructed failure after `close`, else the cause.
    std::function<void(const failure&)> on_close{};
};

} // namespace v1
} // namespace sluice
