// SPDX-License-Identifier: BSL-1.0
// A server that takes nothing more, for ten minutes of virtual time: what a producer keeps meanwhile has a bound.
#include "heap.hpp"
#include "network.hpp"
#include "sim_traits.hpp"

#include <sluice/producer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>

using namespace std::chrono_literals;
using simulation::heap_in_use;

namespace {

void ten_minutes(sluice::when_full policy) {
    constexpr std::size_t payload = 16 * 1024;
    sluice::producer_options o;
    o.when_full = policy;
    o.max_pending_messages = 100'000;
    o.max_pending_bytes = 2u << 20;
    o.send_timeout = 20s;
    // What a batch, its buffers, the ring, and a node for each message take.
    const std::size_t constant = (1u << 20) + o.max_pending_bytes / payload * 1024;

    simulation::world world(1, false);
    simulation::server server(world, {});
    simulation::manners slow;
    slow.shortest_latency = slow.longest_latency = 1ms;
    slow.afflicted = 100;
    slow.capacity = 4096; // what a network keeps is not the producer's
    std::deque<simulation::fault> faults;
    for (int i = 0; i < 200; ++i) { // each connection is opened, and then takes nothing for the rest of the time
        simulation::fault f;
        f.kind = simulation::fault_kind::stall;
        f.upward = true;
        f.at = 4000;
        f.duration = 1h;
        faults.push_back(f);
    }
    simulation::network network(world, server, slow, std::move(faults));
    {
        asio::io_context context(1);
        const auto work = asio::make_work_guard(context);
        asio::use_service<simulation::operations_service>(context);
        sluice::basic_client<asio::any_io_executor, simulation::sim_traits> client(context.get_executor(),
                                                                                   {.url = "ws://localhost:8080"});
        sluice::basic_producer<asio::any_io_executor, sluice::codec::none, simulation::sim_traits> producer(
            client, "orders", o);
        const std::string text(payload, 'x');
        const std::size_t before = heap_in_use();
        const auto end = world.now() + 10min;
        std::size_t most = 0, sent = 0, answered = 0, refused = 0;
        std::function<void()> send = [&] {
            for (int i = 0; i < 10; ++i) {
                ++sent;
                producer.async_send(text, [&](std::error_code ec, const sluice::receipt&) {
                    ++answered;
                    if (ec == sluice::errc::queue_full || ec == sluice::errc::dropped) ++refused;
                });
            }
            if (world.now() < end) world.in(50ms, send);
        };
        world.in(0ms, send);
        while (world.now() < end) {
            while (context.poll() != 0) {}
            if (!world.step()) break;
            const std::size_t now = heap_in_use();
            most = std::max(most, now - std::min(now, before));
        }
        CHECK(world.now() >= end);
        CHECK(sent > 100'000);
        CHECK(refused > sent / 2);
        CHECK(producer.stats().connections > 5); // a stalled one is left
        CHECK(producer.stats().pending_bytes <= o.max_pending_bytes);
        CHECK(most <= o.max_pending_bytes + constant);
        if (SLUICE_HEAP_IS_COUNTED) CHECK(most > o.max_pending_bytes / 2);
        MESSAGE(most, " bytes at most, ", sent, " sent, ", refused, " refused, ", producer.stats().connections,
                " connections");
    }
}

} // namespace

TEST_CASE("ten minutes of a server that takes nothing: memory stays under max_pending_bytes and a constant") {
    for (const auto policy :
         {sluice::when_full::fail, sluice::when_full::drop_newest, sluice::when_full::drop_oldest}) {
        CAPTURE(static_cast<int>(policy));
        ten_minutes(policy);
    }
}
