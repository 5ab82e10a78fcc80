// SPDX-License-Identifier: BSL-1.0
// How many round trips there are before the first acknowledgement, from a far server: a new client and producer, and
// the same producer after its connection has been lost. The distance is a relay's.
//
//   bench_connect [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--tls] [--ca FILE] [--round-trip MILLISECONDS]
//
// The delay before a reconnection is random and an option; here it is at most 1 ms, so that the round trips show.
#include "delay_relay.hpp"
#include "measure.hpp"
#include "producing.hpp"
#include "wire.hpp"

#include <sluice.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

struct times {
    bench::nanoseconds cold{}, after_drop{};
};

asio::awaitable<void> measure(const sluice::client_config& config, bench::delay_relay& relay, times& measured) {
    const auto executor = co_await asio::this_coro::executor;
    auto begin = bench::clock::now();
    sluice::client client{executor, config};
    sluice::producer_options options;
    options.reconnect.initial = std::chrono::milliseconds(1);
    asio::steady_timer lost(executor, bench::clock::time_point::max());
    sluice::producer_observer news;
    news.on_disconnect = [&](const sluice::failure&) {
        begin = bench::clock::now();
        lost.cancel();
    };
    sluice::producer producer{client, "benchmark", options, news};
    co_await producer.send("a message");
    measured.cold = bench::clock::now() - begin;

    relay.drop();
    std::error_code woken;
    co_await lost.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    co_await producer.send("a message");
    measured.after_drop = bench::clock::now() - begin;
    co_await producer.close();
}

} // namespace

int main(int argc, char** argv) try {
    std::vector<std::string_view> names = bench::run_options::names();
    names.emplace_back("round-trip");
    const bench::arguments arguments(argc, argv, names);
    const bench::run_options options(arguments);
    const std::chrono::milliseconds round_trip(arguments.number("round-trip", 50, 1, 10'000));

    const bench::target server(options.url);
    bench::delay_relay relay(server.host, server.port, round_trip);
    sluice::client_config config = bench::client_config(options);
    config.url = options.url.substr(0, options.url.find("://") + 3) + "127.0.0.1:" + std::to_string(relay.port());

    asio::io_context context(1);
    times measured;
    asio::co_spawn(context, measure(config, relay, measured), bench::rethrow);
    context.run();

    const auto ms = [](bench::nanoseconds d) { return std::chrono::duration<double, std::milli>(d).count(); };
    const auto trips = [&](bench::nanoseconds d) { return ms(d) / ms(round_trip); };
    std::printf("{\"mode\":\"connect\",\"tls\":%d,\"round_trip_ms\":%lld,\"cold_ms\":%.1f,\"cold_round_trips\":%.2f,"
                "\"after_drop_ms\":%.1f,\"after_drop_round_trips\":%.2f}\n",
                options.tls() ? 1 : 0, static_cast<long long>(round_trip.count()), ms(measured.cold),
                trips(measured.cold), ms(measured.after_drop), trips(measured.after_drop));
} catch (const std::exception& e) {
    bench::fail("connect: " + std::string(e.what()));
}
