// SPDX-License-Identifier: BSL-1.0
// From a host name to a connected stream: resolve, try the addresses in turn, TLS.
#pragma once

#include <sluice/io/traits.hpp>
#include <sluice/pulsar/names.hpp>

#include <string>

namespace sluice {
inline namespace v1 {
namespace io {

namespace detail {

inline failure connect_failure(errc code, const pulsar::origin& where, const std::error_code& cause,
                               const std::string& more = {}) {
    if (cause == asio::error::operation_aborted) return failure{cause, nullptr}; // cancelled, or a limit: it says so
    error_details d;
    d.text = where.host + ":" + std::to_string(where.port) + ": " + cause.message();
    if (!more.empty()) d.text += ": " + more;
    d.cause = cause;
    return make_failure(code, std::move(d));
}

} // namespace detail

/// Connects `stream`. Every address is tried, of both families, in the resolver's order; the last failure is told.
/// The caller bounds the time by closing the stream and cancelling the resolver.
template <class Strand, class Stream, class Resolver>
task<Strand, failure> connect(Stream& stream, Resolver& resolver, pulsar::origin where) {
    std::error_code ec;
    const std::string port = std::to_string(where.port);
    const auto addresses = co_await resolver.async_resolve(where.host, port, into<Strand>(ec));
    if (ec) co_return detail::connect_failure(errc::resolve_failed, where, ec);
    ec = asio::error::host_not_found;
    for (const auto& address : addresses) {
        const typename Stream::endpoint_type endpoint = address;
        co_await stream.async_connect(endpoint, into<Strand>(ec));
        if (!ec || ec == asio::error::operation_aborted) break;
    }
    if (ec) co_return detail::connect_failure(errc::connect_failed, where, ec);
    stream.no_delay();
    if (stream.secure()) {
        co_await stream.async_handshake(where.host, into<Strand>(ec));
        if (ec) co_return detail::connect_failure(errc::tls_failed, where, ec, stream.certificate_problem());
    }
    co_return failure{};
}

} // namespace io
} // namespace v1
} // namespace sluice
