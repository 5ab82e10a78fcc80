// SPDX-License-Identifier: BSL-1.0
// The option `deflate` in the upgrade: what is offered for it, and what the server's answer makes of it.
#pragma once

#include <sluice/config.hpp>
#include <sluice/web/ws_compression.hpp>
#include <sluice/web/ws_deflate_parameters.hpp>

#include <memory>
#include <string>

namespace sluice {
inline namespace v1 {
namespace core {

class deflate_offer {
public:
    /// `option` must outlive it, and be allowed.
    explicit deflate_offer(const socket_deflate& option) noexcept : option_(option) {}

    bool is_made() const noexcept { return option_.when != socket_deflate::use::off; }

    void write(web::http_request& upgrade) const {
        if (is_made()) upgrade.fields.add("Sec-WebSocket-Extensions", to_string(offer()));
    }

    /// The answer is an upgrade. `out` stays null where nothing was agreed on.
    failure read(const web::http_response& answer, std::unique_ptr<web::message_compression>& out) const {
        if (!is_made()) return {};
        const web::deflate_answer a = web::check_deflate(answer.fields, offer());
        if (a.error) return make_failure(a.error.code, "the answer to the upgrade: " + a.error.details->text);
        if (a.agreed) {
            out = option_.make(web::ws_role::client, *a.agreed, option_);
        } else if (option_.when == socket_deflate::use::on) {
            return make_failure(errc::extension_refused,
                                "deflate = on: the server does not accept permessage-deflate; with it auto or off is "
                                "allowed");
        }
        return {};
    }

private:
    web::deflate_offer offer() const noexcept {
        web::deflate_offer o;
        o.server_no_context_takeover = o.client_no_context_takeover = !option_.context_takeover;
        o.client_max_window_bits = option_.window_bits;
        return o;
    }

    const socket_deflate& option_;
};

} // namespace core
} // namespace v1
} // namespace sluice
