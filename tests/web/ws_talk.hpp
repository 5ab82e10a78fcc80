// SPDX-License-Identifier: BSL-1.0
// One of two connections that talk to one another, and what it hears.
#pragma once

#include "ws_wire.hpp"

#include <random>

namespace ws_wire {

struct talker {
    ws_connection connection;
    std::mt19937_64& random;
    lines said{}, heard{};

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random() % n); }

    /// Takes a random piece of what the other has to write.
    void listen(talker& other) {
        const std::size_t n = below(other.connection.output().size() + 1);
        connection.feed(other.connection.output().first(n));
        other.connection.consume_output(n);
        for (;;) {
            const ws_connection::event e = connection.next();
            if (e.what == kind::none) break;
            if (e.what == kind::text) heard.push_back("text " + std::string(as_text(e.data)));
            if (e.what == kind::binary) heard.push_back("binary " + std::string(as_text(e.data)));
            if (e.what == kind::error) heard.push_back(to_string(e));
        }
    }
};

/// One of them has begun to close: each hears the rest, and has then heard all that the other said.
inline void part(talker& client, talker& server) {
    while (client.connection.current_state() != state::closed || server.connection.current_state() != state::closed) {
        client.listen(server);
        server.listen(client);
    }
    CHECK(server.heard == client.said);
    CHECK(client.heard == server.said);
    CHECK_FALSE((client.connection.failed() || server.connection.failed()));
}

} // namespace ws_wire
