// SPDX-License-Identifier: BSL-1.0
// What Pulsar's Jetty makes of an offer of permessage-deflate: not quite what RFC 7692 says.
#pragma once

#include <sluice/config.hpp>
#include <sluice/web/ws_compression.hpp>
#include <sluice/web/ws_deflate_parameters.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// It takes the first offer and no other. Window bits, of either side, are neither answered nor respected; an unknown
/// parameter fails the upgrade. Other extensions are passed over (but for x-webkit-deflate-frame, which a real one
/// takes).
struct jetty_deflate {
    bool fails = false;
    std::string answer{}; ///< the field's value; empty: nothing is agreed on
    web::deflate_parameters agreed{};

    explicit jetty_deflate(const web::http_fields& request) {
        std::vector<web::ws_extension> offers;
        if (!web::parse_extensions(request, offers)) return;
        for (const web::ws_extension& e : offers) {
            if (e.name != web::deflate_name) continue;
            for (const web::ws_extension::parameter& p : e.parameters) {
                if (p.name == "client_no_context_takeover")
                    agreed.client_no_context_takeover = true;
                else if (p.name == "server_no_context_takeover")
                    agreed.server_no_context_takeover = true;
                else if (p.name != "client_max_window_bits" && p.name != "server_max_window_bits")
                    fails = true;
            }
            answer = web::deflate_name;
            if (agreed.client_no_context_takeover) answer += ";client_no_context_takeover";
            if (agreed.server_no_context_takeover) answer += ";server_no_context_takeover";
            return;
        }
    }
};

inline bool accepts_deflate(const socket_deflate& option) noexcept {
    return option.when != socket_deflate::use::off && option.make != nullptr;
}

/// The server's side of what was agreed on; null for nothing.
inline std::unique_ptr<web::message_compression> jetty_compression(const web::http_fields& request,
                                                                   const socket_deflate& option) {
    if (!accepts_deflate(option)) return nullptr;
    const jetty_deflate negotiated(request);
    if (negotiated.answer.empty()) return nullptr;
    return option.make(web::ws_role::server, negotiated.agreed, option);
}

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
