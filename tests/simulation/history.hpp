// SPDX-License-Identifier: BSL-1.0
// What a run has done and seen, in the order in which it was begun: what the contract is checked against.
#pragma once

#include "schedule.hpp"

#include <sluice/message.hpp>

#include <asio/cancellation_signal.hpp>

#include <cstddef>
#include <deque>
#include <system_error>
#include <vector>

namespace simulation {

struct started_operation;

/// One message that was handed to a producer. Its number stands at the front of its payload; numbers are given in the
/// order of the sends.
struct sent_message {
    const started_operation* operation = nullptr;
    std::size_t producer = 0;
    sluice::message content{};
    std::size_t size = 0; ///< of the payload
    std::chrono::milliseconds timeout{};
    nanoseconds sent_at{}, done_at{};
    unsigned results = 0;
    std::error_code ec{};
    sluice::receipt receipt{};
};

/// One asynchronous operation, known by the number that the schedule gave it.
struct started_operation {
    const action* plan = nullptr;
    std::size_t first = 0, messages = 0; ///< its messages' numbers
    std::size_t before = 0;              ///< messages that were begun before it
    nanoseconds started_at{}, done_at{};
    bool started = false, refused = false, initiating = false, cancelled = false;
    bool only_asked = false; ///< what it was cancelled with was `total` alone: what is written goes on
    unsigned completions = 0;
    std::error_code ec{};
    asio::cancellation_signal signal{};
};

/// What was done to a producer as a whole.
struct producer_fate {
    /// A `cancel`, and how many messages had been begun before it.
    struct cancellation {
        nanoseconds when;
        std::size_t before;
    };
    bool closing = false, closed = false, destroyed = false;
    std::vector<cancellation> cancellations{};
    unsigned connections = 0;
};

struct history {
    std::deque<sent_message> messages{};
    std::deque<started_operation> operations{};
    std::vector<producer_fate> producers{};
    std::size_t open = 0; ///< operations, and messages of pushes, without a result

    sent_message& begin(started_operation& op, std::size_t size, std::chrono::milliseconds timeout, bool own,
                        nanoseconds now) {
        sent_message& m = messages.emplace_back();
        if (op.messages++ == 0) op.first = messages.size() - 1;
        m.operation = &op;
        m.producer = op.plan->producer;
        m.content.payload = std::to_string(messages.size() - 1) + ":";
        m.content.payload.append(size, static_cast<char>('a' + messages.size() % 26));
        m.size = m.content.payload.size();
        if (own) m.content.send_timeout = timeout;
        m.timeout = timeout;
        m.sent_at = now;
        return m;
    }
};

} // namespace simulation
