// SPDX-License-Identifier: BSL-1.0
// What can go wrong on a simulated connection, and how the network behaves while nothing does.
#pragma once

#include "world.hpp"

#include <cstdint>
#include <string_view>

namespace simulation {

enum class fault_kind : std::uint8_t {
    none,
    // before there is a connection
    unresolved,  ///< the name is not found
    name_hangs,  ///< the name server never answers
    refused,     ///< nobody listens
    unreachable, ///< the connection is never answered
    // at a byte, in one direction
    cut,          ///< what is under way is lost; `reset`: the client sees a reset, else an end
    half_open,    ///< nothing passes any more, and nobody is told; the server notices after `duration`
    stall,        ///< nothing passes for `duration`
    server_close, ///< a close frame with `code`
    // instead of the proxy's answer to the first request
    status,  ///< an HTTP error page
    rubbish, ///< no HTTP
    silence, ///< nothing
    // of the proxy and its broker
    slow_answer,     ///< to the first request, after `duration`
    expired,         ///< the one-time password that this connection brings is none any more
    message_refused, ///< the n-th, with the exception of number `code`
    useless,         ///< the n-th message and all behind it, with that exception; the socket stays open
    // to the n-th acknowledgement
    ack_lost,
    ack_doubled,
    ack_swapped, ///< with the next one
    ack_unknown, ///< one more, of a context that was never sent
    ack_garbled, ///< one more, of which the end is missing
    ack_denied,  ///< it is stored, but what is answered is a time-out of the broker
    ack_repeat,  ///< it is stored, but the proxy has sent it again to a broker that died, and answers for the repeat
    bad_frame    ///< behind it, a frame that breaks the protocol
};

constexpr std::string_view to_string(fault_kind k) noexcept {
    constexpr std::string_view names[] = {"none",        "unresolved", "name hangs",  "refused",      "unreachable",
                                          "cut",         "half open",  "stall",       "server close", "status",
                                          "rubbish",     "silence",    "slow answer", "expired",      "refused message",
                                          "useless",     "ack lost",   "ack doubled", "ack swapped",  "ack unknown",
                                          "ack garbled", "ack denied", "ack repeat",  "bad frame"};
    return names[static_cast<std::size_t>(k)];
}

/// What a broker says when it refuses; as many as may be drawn.
inline constexpr std::string_view exceptions[] = {"NotAllowedException", "InvalidMessageException",
                                                  "ProducerBlockedQuotaExceededException", "TopicTerminatedException",
                                                  "AlreadyClosedException"};

struct fault {
    fault_kind kind = fault_kind::none;
    bool upward = false; ///< from the client to the server
    bool reset = false;
    std::size_t at = 0; ///< the byte, or the number of the acknowledgement
    nanoseconds duration{};
    std::uint16_t code = 0;  ///< of a close frame, an HTTP status, or the place of an exception
    bool then_cut = false;   ///< of a refused message: soon after the client has read that, the connection is lost
    bool of_address = false; ///< not scheduled: the address is one that nobody answers at

    bool concerns_names() const noexcept { return kind == fault_kind::unresolved || kind == fault_kind::name_hangs; }
    bool scripted() const noexcept { return kind >= fault_kind::slow_answer && kind <= fault_kind::useless; }
    /// A message is not taken, and the number that it would have got is another's.
    bool shifts_numbers() const noexcept { return kind == fault_kind::message_refused || kind == fault_kind::useless; }
    /// A message may be refused, or its fate denied.
    bool refuses() const noexcept { return shifts_numbers() || kind == fault_kind::ack_denied; }
    bool concerns_acks() const noexcept { return kind >= fault_kind::ack_lost; }
    bool at_a_byte() const noexcept { return kind >= fault_kind::cut && kind <= fault_kind::server_close; }
    bool instead_of_answer() const noexcept { return kind >= fault_kind::status && kind <= fault_kind::silence; }
};

/// Of the network as a whole.
struct manners {
    nanoseconds shortest_latency{}, longest_latency{}; ///< of one piece, one way
    unsigned chop = 0;            ///< percent: a write, a piece or a read takes only a part of what it could
    unsigned lag = 0;             ///< percent: a read or write is looked at a moment later
    std::size_t capacity = 65536; ///< bytes on their way to the server; more wait in the client's write
    unsigned dead_addresses = 0;  ///< percent: an address of a host that nobody answers at
    unsigned afflicted = 95;      ///< percent: a new connection meets the next fault
};

} // namespace simulation
