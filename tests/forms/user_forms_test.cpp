// SPDX-License-Identifier: BSL-1.0
// The forms that users write: temporaries in awaited calls, objects made inside of expressions. g++ 12 miscompiles some
// coroutine forms, so these run under its address sanitizer, too.
#include "system/world.hpp"

#include <asio/experimental/awaitable_operators.hpp>

#include <array>
#include <deque>
#include <list>
#include <span>

using namespace test;

namespace {

std::string long_text(int i) { return "a text that no small string holds, number " + std::to_string(i); }

asio::awaitable<void> payloads(sluice::producer& producer) {
    co_await producer.send("x");
    co_await producer.send(std::string("a temporary text that no small string holds"));
    co_await producer.send(long_text(1));
    co_await producer.send(std::string_view("view"));
    co_await producer.send(std::vector<char>(6, 'v'));
    co_await producer.send(std::array<unsigned char, 3>{'a', 'r', 'r'});
    co_await producer.send(sluice::message{"a", "key"});
    co_await producer.send(sluice::message("a payload that no small string holds", "a key that no small string holds"));
    co_await producer.send(sluice::message{long_text(2)});
    sluice::message m("with properties");
    m.properties = {{"name", "value"}};
    m.event_time = sluice::message_attributes::time_point(1s);
    co_await producer.send(m);
    co_await producer.send(std::move(m));
    std::string s = "named";
    co_await producer.send(s);
    const std::span<const char> span(s);
    co_await producer.send(span);
    co_await producer.send({});
    co_await producer.send(sluice::message_view(s).with_key("key"));
}

asio::awaitable<void> results(sluice::producer& producer) {
    sluice::receipt r = co_await producer.send("Hello");
    CHECK(r.outcome == sluice::outcome::persisted);
    const auto [id, sequence, outcome, info] = co_await producer.send(long_text(3));
    CHECK_FALSE(id.empty());
    CHECK(sequence == 1);
    CHECK(outcome == sluice::outcome::persisted);
    CHECK(info == nullptr);
    CHECK((co_await producer.send("in an expression")).sequence_id == 2);
    const std::string copy{(co_await producer.send(long_text(4))).message_id.view()};
    CHECK_FALSE(copy.empty());
    if ((co_await producer.send("in a condition")).outcome != sluice::outcome::persisted) FAIL("not stored");
    for (int i = 0; i < 3; ++i) co_await producer.send(long_text(i));
    switch ((co_await producer.send("in a switch")).outcome) {
    case sluice::outcome::persisted: break;
    default: FAIL("not stored");
    }
}

asio::awaitable<void> many(sluice::producer& producer) {
    const std::vector<std::string> strings{long_text(1), long_text(2)};
    CHECK((co_await producer.send_all(strings)).size() == 2);
    CHECK((co_await producer.send_all(std::vector<std::string>(2, long_text(3)))).size() == 2);
    CHECK((co_await producer.send_all(std::deque<sluice::message>(2, {long_text(5), "key"}))).size() == 2);
    CHECK((co_await producer.send_all(std::list<const char*>(3, "abc"))).size() == 3);
    CHECK((co_await producer.send_all(std::vector<sluice::message_view>(2))).size() == 2);
    for (const sluice::result& r : co_await producer.send_all(strings)) CHECK_FALSE(r.ec);

    co_await producer.push("pushed");
    co_await producer.push(long_text(6));
    co_await producer.push({"pushed with a key", "key"});
    int answers = 0;
    // A function with more than trivial captures has a name, for g++ 12 destroys the temporary twice.
    auto on_result = [&answers, keep = long_text(8)](std::error_code ec, const sluice::receipt&) {
        CHECK_FALSE(ec);
        CHECK(keep == long_text(8));
        ++answers;
    };
    co_await producer.push(sluice::message{long_text(7), "key"}, on_result);
    co_await producer.push(long_text(7), std::move(on_result));
    co_await producer.push("counted", [&answers](std::error_code, const sluice::receipt&) { ++answers; });
    CHECK(producer.try_push({"tried", "key"}));
    CHECK(producer.try_push(long_text(9), [&](std::error_code, const sluice::receipt&) { ++answers; }));
    co_await producer.flush();
    co_await asio::post(asio::use_awaitable);
    CHECK(answers == 4);
}

asio::awaitable<void> quickstart(std::string url, std::string key) {
    auto executor = co_await asio::this_coro::executor;
    sluice::client client{executor, {.url = url, .auth = sluice::api_key{key}, .fabric = "_system"}};
    co_await client.ensure_stream("streamQuickstart");
    sluice::basic_producer<asio::any_io_executor, sluice::codec::lz4> producer{client,
                                                                               "streamQuickstart",
                                                                               {.send_timeout = 30s,
                                                                                .batching_enabled = true,
                                                                                .batching_max_messages = 100,
                                                                                .batching_max_publish_delay = 10ms}};
    sluice::receipt r = co_await producer.send("Hello");
    CHECK_FALSE(r.message_id.empty());
    co_await producer.close();
}

asio::awaitable<void> inside_expressions(std::string url, std::string key) {
    const auto executor = co_await asio::this_coro::executor;
    // Configurations and options have names: they are aggregates, and g++ 12 destroys an aggregate that is made inside
    // of an awaited expression twice.
    sluice::client_config config{.url = url, .auth = sluice::api_key{key}};
    config.limits.request = 20s;
    co_await sluice::client(executor, config).ensure_stream("orders");
    const bool there = co_await sluice::client(executor, config).has_stream("orders");
    CHECK(there);
    CHECK((co_await sluice::client(executor, config).list_streams()).size() == 2);
    sluice::client client(executor, std::move(config));
    const sluice::receipt r = co_await sluice::producer(client, "orders").send("from a temporary producer");
    CHECK(r.outcome == sluice::outcome::persisted);
    const sluice::producer_options options{.producer_name = "a name that no small string holds"};
    const sluice::receipt s =
        co_await sluice::producer(client, "orders", options).send(sluice::message{"from another", "key"});
    CHECK(s.outcome == sluice::outcome::persisted);
    co_await client.publish("orders", "over REST, in a text that no small string holds");
    const auto [id, created] = co_await client.ensure_stream("orders", sluice::scope::global);
    CHECK_FALSE(created);
    CHECK(id == "c8globals.orders");
}

asio::awaitable<void> failures(sluice::client& client) {
    sluice::producer producer(client, "orders", {.max_frame_bytes = 1000});
    try {
        co_await producer.send(std::string(10'000, 'x'));
        FAIL("nothing was thrown");
    } catch (const sluice::error& e) {
        CHECK(e.code() == sluice::errc::too_large);
        CHECK(e.outcome() == sluice::outcome::not_sent);
    }
    try {
        co_await producer.push(std::string(10'000, 'x'));
        FAIL("nothing was thrown");
    } catch (const std::system_error& e) {
        CHECK(e.code() == sluice::condition::too_large);
    }
    std::error_code ec;
    co_await producer.async_send(std::string(10'000, 'x'), asio::redirect_error(asio::use_awaitable, ec));
    CHECK(ec == sluice::errc::too_large);
    co_await producer.async_send({"a", "key"}, asio::redirect_error(asio::use_awaitable, ec));
    CHECK_FALSE(ec);
    try {
        co_await client.delete_stream("a stream that nobody has made");
        FAIL("nothing was thrown");
    } catch (const sluice::error& e) {
        CHECK(e.code() == sluice::errc::not_found);
        CHECK_FALSE(e.details().request_id.empty());
    }
    co_await producer.close();
}

asio::awaitable<void> operators(sluice::producer& producer) {
    using namespace asio::experimental::awaitable_operators;
    const auto [a, b] = co_await (producer.send("left") && producer.send(std::string("right, in a longer text")));
    CHECK(a.outcome == sluice::outcome::persisted);
    CHECK(b.outcome == sluice::outcome::persisted);
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    const auto first =
        co_await (producer.send(sluice::message{"raced", "key"}) || timer.async_wait(asio::use_awaitable));
    CHECK(first.index() == 0);
}

asio::awaitable<void> spawned(sluice::client& client, int& finished) {
    const auto executor = co_await asio::this_coro::executor;
    auto producer = std::make_shared<sluice::producer>(client, "orders");
    for (int i = 0; i < 20; ++i)
        asio::co_spawn(
            executor,
            [producer, i, &finished]() -> asio::awaitable<void> {
                co_await producer->send(sluice::message{long_text(i), "key"});
                ++finished;
            },
            asio::detached);
}

} // namespace

TEST_CASE("payloads of every kind, temporaries among them") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, payloads(producer));
    CHECK(w.payloads("orders") ==
          std::vector<std::string>{"x", "a temporary text that no small string holds", long_text(1), "view", "vvvvvv",
                                   "arr", "a", "a payload that no small string holds", long_text(2), "with properties",
                                   "with properties", "named", "named", "", "named"});
    const auto stored = w.gateway.messages("orders");
    CHECK(stored[7].key == "a key that no small string holds");
    CHECK(stored[10].properties == std::vector<sluice::property>{{"name", "value"}});
}

TEST_CASE("results in declarations, expressions and conditions") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, results(producer));
    CHECK(w.gateway.message_count("orders") == 9);
}

TEST_CASE("many at once, pushed, tried") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, many(producer));
    CHECK(w.gateway.message_count("orders") == 21);
}

TEST_CASE("the quickstart, and objects made inside of expressions") {
    world w;
    run(w.context, quickstart(w.gateway.url(), w.gateway.api_key()));
    run(w.context, inside_expressions(w.gateway.url(), w.gateway.api_key()));
    CHECK(w.payloads("streamQuickstart") == std::vector<std::string>{"Hello"});
    CHECK(w.gateway.message_count("orders") == 3);
}

TEST_CASE("failures, operators, coroutines that outlive their parent") {
    world w;
    sluice::client client = w.make_client();
    run(w.context, client.ensure_stream("orders"));
    run(w.context, failures(client));
    sluice::producer producer(client, "orders");
    run(w.context, operators(producer));
    int finished = 0;
    run(w.context, spawned(client, finished));
    run_until(w.context, [&] { return finished == 20; });
    CHECK(w.gateway.message_count("orders") == 24);
}
