// SPDX-License-Identifier: BSL-1.0
// What a producer tells about itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace sluice {
inline namespace v1 {

enum class producer_state : std::uint8_t {
    idle,         ///< not connected, nothing to do
    connecting,   ///< on the way to the first socket, between attempts too
    open,         ///< the socket is up
    reconnecting, ///< the socket was lost; the next attempt is due or under way
    draining,     ///< `close` waits for the last acknowledgements
    closed,       ///< by `close`, or by the destructor
    failed        ///< for good: the server's answer says that trying again is of no use
};

constexpr std::string_view to_string(producer_state s) noexcept {
    switch (s) {
    case producer_state::idle: return "idle";
    case producer_state::connecting: return "connecting";
    case producer_state::open: return "open";
    case producer_state::reconnecting: return "reconnecting";
    case producer_state::draining: return "draining";
    case producer_state::closed: return "closed";
    case producer_state::failed: return "failed";
    }
    return "unknown";
}

/// A snapshot. Each number is right by itself; together they may be some microseconds apart.
struct producer_stats {
    std::uint64_t accepted = 0; ///< messages taken over from senders: not those that found no room or a closed producer
    std::uint64_t persisted = 0;        ///< acknowledged
    std::uint64_t duplicates = 0;       ///< acknowledged as repeats
    std::uint64_t failed = 0;           ///< completed with an error
    std::uint64_t dropped = 0;          ///< of these by `when_full`
    std::uint64_t pending_messages = 0; ///< written (or about to be), unanswered
    std::uint64_t pending_bytes = 0;    ///< their payloads
    std::uint64_t waiting_messages = 0; ///< behind the window
    std::uint64_t frames_written = 0;   ///< resent ones count again
    std::uint64_t frames_resent = 0;
    std::uint64_t writes = 0;        ///< each one hands a batch of frames to the transport
    std::uint64_t bytes_written = 0; ///< before TLS
    std::uint64_t connections = 0;   ///< sockets opened
    std::uint64_t connect_failures = 0;
    std::chrono::microseconds latency_p50{}; ///< from `send` to the acknowledgement
    std::chrono::microseconds latency_p99{};
    std::chrono::microseconds latency_p999{};
};

} // namespace v1
} // namespace sluice
