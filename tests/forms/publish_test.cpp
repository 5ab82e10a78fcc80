// SPDX-License-Identifier: BSL-1.0
// What users write, as they write it: temporaries and brace lists inside of `co_await` expressions. g++ 12 miscompiles
// some of those; these must stay right, which g++'s AddressSanitizer shows (tests/run sanitize). A configuration is an
// aggregate that owns memory, so no `co_await` may stand in the expression that makes one: the executor has a name.
#include <sluice.hpp>
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Runs `work(gateway)` in a context of its own and returns the payloads of `orders`.
template <class Work>
std::vector<std::string> publish(Work work) {
    asio::io_context context;
    sluice::testing::gateway gateway{context};
    std::exception_ptr failed;
    asio::co_spawn(context, work(gateway), [&](std::exception_ptr e) {
        failed = e;
        gateway.stop();
    });
    context.run();
    if (failed) std::rethrow_exception(failed);
    std::vector<std::string> payloads;
    for (const auto& m : gateway.messages("orders")) payloads.push_back(m.payload);
    return payloads;
}

/// Longer than what a std::string keeps in itself: what is freed too early shows.
std::string text(int i) { return "a payload that is too long for the small string buffer, " + std::to_string(i); }

using payloads = std::vector<std::string>;

} // namespace

TEST_CASE("the first screen of the README") {
    const payloads sent = publish([](sluice::testing::gateway& gateway) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        sluice::client client{executor,
                              {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}, .fabric = "_system"}};
        co_await client.ensure_stream("orders");
        sluice::basic_producer<asio::any_io_executor, sluice::codec::lz4> producer{
            client,
            "orders",
            {.send_timeout = 30s,
             .batching_enabled = true,
             .batching_max_messages = 100,
             .batching_max_publish_delay = 10ms}};
        sluice::receipt r = co_await producer.send("Hello");
        CHECK(r.outcome == sluice::outcome::persisted);
        CHECK_FALSE(r.message_id.empty());
        co_await producer.close();
    });
    CHECK(sent == payloads{"Hello"});
}

TEST_CASE("temporaries as arguments") {
    const payloads sent = publish([](sluice::testing::gateway& gateway) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        sluice::client client{executor, {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}};
        const auto [id, created] = co_await client.ensure_stream(std::string("orders"), sluice::scope::global);
        CHECK(created);
        sluice::producer producer{client, "orders"};
        co_await producer.send(text(0));
        co_await producer.send(sluice::message(text(1), "a partition key that is long enough to be on the heap"));
        co_await producer.send({text(2)});
        co_await producer.send(sluice::message_view(text(3)).with_key("key"));
        co_await producer.async_send(text(4), asio::use_awaitable);
        co_await producer.async_send({text(5), "key"}, asio::use_awaitable);
        co_await producer.push(text(6));
        co_await producer.push({text(7), "key"}, [](std::error_code ec, const sluice::receipt&) { CHECK_FALSE(ec); });
        CHECK((co_await producer.send(text(8))).outcome == sluice::outcome::persisted);
        if (co_await client.has_stream("orders")) co_await producer.send(text(9));
        co_await producer.close();
    });
    payloads expected;
    for (int i = 0; i < 10; ++i) expected.push_back(text(i));
    CHECK(sent == expected);
}

TEST_CASE("a message with everything") {
    const payloads sent = publish([](sluice::testing::gateway& gateway) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        sluice::client client{executor, {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}};
        sluice::producer producer{
            client, "orders", {.send_timeout = 5s, .producer_name = "a producer with a long name"}};
        sluice::message m{text(0)};
        m.key = "customer-4711";
        m.properties = {{"content-type", "text/plain; charset=utf-8"}, {"trace", text(1)}};
        co_await producer.send(m);
        co_await producer.async_send(std::move(m), asio::use_awaitable);
        co_await producer.close();
    });
    CHECK(sent == payloads{text(0), text(0)});
}

TEST_CASE("many at once") {
    const payloads sent = publish([](sluice::testing::gateway& gateway) -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto executor = co_await asio::this_coro::executor;
        sluice::client client{executor, {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}};
        sluice::producer producer{client, "orders"};
        std::vector<std::string> batch{text(0), text(1), text(2)};
        for (const auto& [ec, receipt] : co_await producer.send_all(batch)) CHECK_FALSE(ec);
        const std::string three = text(3), four = text(4);
        auto [first, second] = co_await (producer.send(three) && producer.send(four));
        CHECK(first.outcome == sluice::outcome::persisted);
        CHECK(second.outcome == sluice::outcome::persisted);
        co_await producer.flush();
        co_await producer.close();
    });
    CHECK(sent == payloads{text(0), text(1), text(2), text(3), text(4)});
}

TEST_CASE("failures, thrown and as codes") {
    publish([](sluice::testing::gateway& gateway) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        sluice::client client{executor, {.url = gateway.url(), .auth = sluice::api_key{"tenant.id.not-the-secret"}}};
        sluice::producer producer{client, "orders"};
        bool refused = false;
        try {
            co_await producer.send(text(0));
        } catch (const sluice::error& e) {
            refused = e.code() == sluice::condition::authentication && e.outcome() == sluice::outcome::not_sent;
        }
        CHECK(refused);
        std::error_code ec;
        sluice::receipt r = co_await producer.async_send(text(1), asio::redirect_error(asio::use_awaitable, ec));
        CHECK(ec == sluice::condition::authentication);
        CHECK(r.outcome == sluice::outcome::not_sent);
    });
}
