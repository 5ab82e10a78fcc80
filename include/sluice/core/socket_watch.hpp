// SPDX-License-Identifier: BSL-1.0
// Is an open socket still of use? Asked at each tick.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/keep_alive.hpp>
#include <sluice/core/publisher.hpp>
#include <sluice/core/write_watch.hpp>

#include <chrono>
#include <string>

namespace sluice {
inline namespace v1 {
namespace core {

struct socket_watch {
    explicit socket_watch(const producer_options& o)
        : silence(o.ping_interval), writes(o.write_timeout), write_timeout(o.write_timeout) {}

    struct finding {
        bool ping = false; ///< it is time for one
        failure useless{}; ///< it is to be left, and why
    };
    finding check(publisher& p, instant now) {
        finding found;
        const keep_alive::verdict v = silence.check(now);
        found.ping = v == keep_alive::verdict::ping;
        if (v == keep_alive::verdict::gone) {
            const auto silent = (now - silence.last_heard()) / std::chrono::milliseconds(1);
            found.useless = make_failure(errc::pong_timeout, "nothing heard for " + std::to_string(silent) + " ms");
        } else if (writes.stalled(now)) {
            found.useless =
                make_failure(errc::write_stalled,
                             "no byte written for write_timeout = " + std::to_string(write_timeout.count()) + " ms");
        } else if (p.overdue(now)) {
            found.useless =
                make_failure(errc::ack_timeout, "the oldest message has no answer, long after its send_timeout");
        }
        return found;
    }

    keep_alive silence;
    write_watch writes;
    std::chrono::milliseconds write_timeout;
};

} // namespace core
} // namespace v1
} // namespace sluice
