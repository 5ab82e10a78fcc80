// SPDX-License-Identifier: BSL-1.0
// The gateway with thousands of sockets at once, each of which publishes and is acknowledged.
#include <sluice/testing/gateway.hpp>

#include <doctest/doctest.h>

#include <asio/connect.hpp>
#include <asio/io_context.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

namespace web = sluice::web;
using asio::ip::tcp;
using sluice::testing::gateway;

constexpr std::size_t wanted = 2500;

/// How many connections this process may have, both ends of them and some files besides.
std::size_t affordable() {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlimit raised = limit;
    raised.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, 2 * wanted + 200));
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return std::min<std::size_t>(wanted, limit.rlim_cur < 400 ? 100 : (limit.rlim_cur - 200) / 2);
}

/// A producer of the proxy's socket, made of web/ alone: opens, says one message, hears its answer, and stays.
class publisher {
public:
    publisher(asio::io_context& context, std::size_t number) : socket_(context), number_(number) {}

    asio::awaitable<void> run(std::uint16_t port) {
        co_await socket_.async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
        const std::string target = "/ws/v2/producer/persistent/public/default/load-" + std::to_string(number_ % 50);
        std::string out;
        if (web::write_request(web::make_upgrade(target, "AAECAwQFBgcICQoLDA0ODw=="), "localhost", out))
            throw std::logic_error("the upgrade cannot be written");
        const std::string context = std::to_string(number_);
        ws_.send(web::opcode::text, web::as_bytes(R"({"payload":"aGk=","context":")" + context + "\"}"));
        out += web::as_text(ws_.output()); // behind the request, as an impatient client would
        ws_.consume_output(ws_.output().size());
        co_await asio::async_write(socket_, asio::buffer(out), asio::use_awaitable);

        while (!parser_.done()) {
            const web::bytes_view rest = co_await read();
            ws_.feed(rest.subspan(parser_.feed(rest)));
            if (parser_.error()) throw std::runtime_error("the upgrade was answered with something else");
        }
        if (parser_.response().status != 101)
            throw std::runtime_error("refused with " + std::to_string(parser_.response().status));
        for (;;) {
            const auto event = ws_.next();
            if (event.what == web::ws_connection::event::kind::text) {
                const std::string_view text = web::as_text(event.data);
                acknowledged = text.find(R"("result":"ok")") != std::string_view::npos &&
                               text.find(R"("context":")" + context + '"') != std::string_view::npos;
                co_return;
            }
            const web::bytes_view more = co_await read();
            ws_.feed(more);
        }
    }

    bool acknowledged = false;

private:
    asio::awaitable<web::bytes_view> read() {
        const std::size_t n = co_await socket_.async_read_some(asio::buffer(room_), asio::use_awaitable);
        co_return web::bytes_view(room_).first(n);
    }

    tcp::socket socket_;
    std::size_t number_;
    std::uint64_t state_ = 1;
    web::mask_keys keys_{{&state_, [](void*, std::span<std::byte> out) { std::ranges::fill(out, std::byte{1}); }}};
    web::ws_connection ws_{web::ws_connection::role::client, &keys_, {}};
    web::http_response_parser parser_{};
    std::array<std::byte, 2048> room_{};
};

TEST_CASE("thousands of producers at once: every one is let in, publishes, and is acknowledged") {
    const std::size_t count = affordable();
    if (count < wanted) MESSAGE("the limit on descriptors allows ", count, " of ", wanted);
    asio::io_context context(1);
    gateway g{context};
    std::deque<publisher> producers;
    std::size_t running = count, failed = 0;
    std::string why;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < count; ++i)
        asio::co_spawn(context, producers.emplace_back(context, i).run(g.port()), [&](std::exception_ptr e) {
            --running;
            if (!e) return;
            ++failed;
            try {
                std::rethrow_exception(e);
            } catch (const std::exception& x) {
                why = x.what();
            }
        });
    while (running != 0) context.run_one();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

    CAPTURE(why);
    CHECK(failed == 0);
    CHECK(std::ranges::all_of(producers, [](const publisher& p) { return p.acknowledged; }));
    const auto stats = g.stats();
    CHECK(stats.open_sockets == count); // all of them, now
    CHECK(stats.stored == count);
    std::size_t stored = 0;
    std::set<std::string> ids;
    for (int topic = 0; topic < 50; ++topic)
        for (const auto& m : g.messages("load-" + std::to_string(topic))) {
            ++stored;
            ids.insert(m.producer_name);
        }
    CHECK(stored == count);
    CHECK(ids.size() == count); // each from another producer
    MESSAGE(count, " sockets in ", took.count(), " s");

    // They all leave; the gateway notices, and goes on.
    producers.clear();
    while (g.stats().open_sockets != 0) context.run_one();
    g.stop();
    context.run();
    CHECK(g.stats().stored == count);
}

} // namespace
