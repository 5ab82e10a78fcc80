// SPDX-License-Identifier: BSL-1.0
// A gateway, a client of it in either dialect, and what the tests of the whole have in common.
#pragma once

#include <sluice/testing/gateway.hpp>

#include "support/run_loop.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace test {

using namespace std::chrono_literals;

inline constexpr std::array<sluice::dialect, 2> dialects{sluice::dialect::gdn, sluice::dialect::pulsar};
inline const char* name_of(sluice::dialect d) { return d == sluice::dialect::gdn ? "gdn" : "pulsar"; }

inline sluice::client_config config_for(const sluice::testing::gateway& g, sluice::dialect d) {
    sluice::client_config c;
    if (d == sluice::dialect::gdn) {
        c.url = g.url();
        c.auth = sluice::api_key{g.api_key()};
    } else {
        c.url = g.websocket_url();
        if (!g.token().empty()) c.auth = sluice::bearer_token{g.token()};
    }
    c.tls.ca_pem = g.ca_pem();
    return c;
}

/// One thread, one context, one gateway.
struct world {
    explicit world(sluice::testing::gateway_options options = {}) : gateway(context, std::move(options)) {}

    sluice::client make_client(sluice::dialect d = sluice::dialect::gdn) {
        return sluice::client(context.get_executor(), config_for(gateway, d));
    }
    std::vector<std::string> payloads(std::string_view topic) {
        std::vector<std::string> all;
        for (sluice::testing::stored_message& m : gateway.messages(topic)) all.push_back(std::move(m.payload));
        return all;
    }

    asio::io_context context{};
    sluice::testing::gateway gateway;
};

/// A policy that tries again at once: what these tests wait for is the attempt, not the pause before it.
inline sluice::producer_options impatient() {
    sluice::producer_options o;
    o.reconnect.initial = 1ms;
    o.reconnect.maximum = 2ms;
    return o;
}

} // namespace test
