// SPDX-License-Identifier: BSL-1.0
// What a cancellation must not harm.
#pragma once

#include "system/holding_server.hpp"
#include "system/world.hpp"

namespace test {

/// A message goes through, once all before it are answered, and nothing is left.
inline void check_alive(asio::io_context& context, holding_server& server, sluice::producer& producer) {
    sent s;
    producer.async_send("alive", s);
    while (!s.called()) {
        run_until(context, [&] { return s.called() || server.unanswered() != 0; });
        server.acknowledge(context, server.unanswered());
    }
    CHECK_FALSE(s.error());
    CHECK(producer.stats().pending_messages == 0);
}

} // namespace test
