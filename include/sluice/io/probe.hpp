// SPDX-License-Identifier: BSL-1.0
// Between the upgrade and the first encrypted message: does this proxy know such messages?
#pragma once

#include <sluice/core/publisher.hpp>
#include <sluice/io/handshake.hpp>
#include <sluice/io/link.hpp>
#include <sluice/io/traits.hpp>
#include <sluice/io/wakeup.hpp>

#include <cstddef>
#include <span>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace io {

/// Reads until the publisher has its answer; `writer` writes the probe, and what a ping is answered. `over`: nobody
/// wants to know any more. The references must outlive the call.
template <class Strand, class Traits>
task<Strand, failure> await_probe(link<Strand, Traits>& socket, core::publisher& publisher, wakeup& writer,
                                  const bool& over) {
    const auto stream = socket.stream();
    operation_memory memory;
    socket.begin_step();
    failure f = publisher.received(0, io::now<Traits>());
    while (!f && !over && publisher.probing()) {
        writer.wake();
        const std::span<std::byte> in = publisher.prepare(1024);
        std::error_code ec;
        const std::size_t n =
            co_await stream->async_read_some(asio::buffer(in.data(), in.size()), into<Strand>(ec, memory));
        if (over) break;
        f = publisher.received(n, io::now<Traits>());
        if (ec && !f) f = lost_failure(ec);
    }
    const failure late = socket.end_step("the question whether the proxy takes encrypted messages (PIP-290)");
    co_return f&& late ? late : f;
}

} // namespace io
} // namespace v1
} // namespace sluice
