// SPDX-License-Identifier: BSL-1.0
// The upgrade of a connected stream to a WebSocket, RFC 6455 section 4.1.
#pragma once

#include <sluice/core/deflate_offer.hpp>
#include <sluice/io/traits.hpp>
#include <sluice/pulsar/refusal.hpp>
#include <sluice/web/http1.hpp>
#include <sluice/web/ws_handshake.hpp>

#include <array>
#include <memory>
#include <string>

namespace sluice {
inline namespace v1 {
namespace io {

struct handshake_result {
    failure error{};
    web::byte_buffer surplus{};                              ///< what came behind the answer: frames already
    std::unique_ptr<web::message_compression> compression{}; ///< null: none was agreed on
};

/// The stream ended, or broke, and nothing more is known.
inline failure lost_failure(const std::error_code& cause) {
    error_details d;
    d.text = cause.message();
    d.cause = cause;
    return make_failure(errc::connection_closed, std::move(d));
}

/// The peer refused, or ended the connection itself. Otherwise the way to it may be broken.
inline bool ended_by_peer(const failure& f) noexcept {
    if (!f.details) return false;
    const std::error_code& cause = f.details->cause;
    return f.details->http_status != 0 || f.details->close_code != 0 || cause == asio::error::eof ||
           cause == asio::error::connection_reset || cause == asio::ssl::error::stream_truncated;
}

/// `host`: for the Host field. `deflate` must outlive the call. A refusal is told with the server's words. The caller
/// bounds the time by closing `stream`.
template <class Strand, class Traits, class Stream>
task<Strand, handshake_result> shake_hands(Stream& stream, std::string host, std::string target,
                                           std::string authorization, const socket_deflate& deflate) {
    handshake_result result;
    const std::string key = web::make_websocket_key({nullptr, &fill_random<Traits>});
    web::http_request request = web::make_upgrade(std::move(target), key, std::move(authorization));
    const core::deflate_offer offer(deflate);
    offer.write(request);
    std::string text;
    if (web::write_request(request, host, text)) {
        result.error = make_failure(errc::invalid_option, "an option cannot be written into the upgrade request");
        co_return result;
    }
    std::error_code ec;
    operation_memory memory;
    for (std::size_t sent = 0; sent < text.size() && !ec;)
        sent += co_await stream.async_write_some(asio::buffer(text.data() + sent, text.size() - sent),
                                                 into<Strand>(ec, memory));
    web::http_response_parser parser;
    std::array<std::byte, 2048> in;
    while (!ec && !parser.done() && !parser.error()) {
        const std::size_t n = co_await stream.async_read_some(asio::buffer(in), into<Strand>(ec, memory));
        const web::bytes_view fresh(in.data(), n);
        result.surplus.append(fresh.subspan(parser.feed(fresh)));
        if (ec) parser.end_of_stream();
    }
    if (parser.error()) {
        result.error = make_failure(parser.error(), "the answer to the upgrade: " + std::string(parser.error_text()));
    } else if (!parser.done()) {
        result.error = lost_failure(ec);
    } else if (const std::error_code refused = web::check_upgrade(parser.response(), key, offer.is_made())) {
        result.error = refused == errc::handshake_refused ? pulsar::failure_of(parser.response(), "opening the socket")
                                                          : make_failure(refused, "the answer to the upgrade");
    } else {
        result.error = offer.read(parser.response(), result.compression);
    }
    co_return result;
}

} // namespace io
} // namespace v1
} // namespace sluice
