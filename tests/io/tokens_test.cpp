// SPDX-License-Identifier: BSL-1.0
// Every kind of completion token and executor, for the producer and the client.
#include "system/world.hpp"

#if ASIO_VERSION < 102400
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
#endif

#include <array>
#include <future>
#include <ranges>
#include <thread>

using namespace test;

namespace {

#if ASIO_VERSION < 102400
using asio::experimental::as_tuple;
using asio::experimental::deferred;
#else
using asio::as_tuple;
using asio::deferred;
#endif

/// Runs the context on a thread of its own while somebody else waits.
class background {
public:
    explicit background(asio::io_context& context) : context_(context), thread_([&context] { context.run(); }) {}
    ~background() {
        context_.stop(); // the gateway never ends by itself
        thread_.join();
    }

private:
    asio::io_context& context_;
    std::thread thread_;
};

asio::awaitable<void> use_awaitable_forms(sluice::client& client, sluice::producer& producer) {
    const sluice::created_stream s =
        co_await client.async_ensure_stream("orders", sluice::scope::global, asio::use_awaitable);
    CHECK(s.created);
    co_await producer.async_open(asio::use_awaitable);
    const sluice::receipt a = co_await producer.async_send("a", asio::use_awaitable);
    CHECK(a.sequence_id == 0);
    const std::vector<std::string> many{"b", "c"};
    const std::vector<sluice::result> all = co_await producer.async_send_all(many, asio::use_awaitable);
    CHECK(all.size() == 2);
    co_await producer.async_push("d", sluice::io::no_result{}, asio::use_awaitable);
    co_await producer.async_flush(asio::use_awaitable);
    std::string text = "e";
    const sluice::receipt e = co_await producer.async_send(sluice::borrow(text), asio::use_awaitable);
    CHECK(e.sequence_id == 4);

    std::error_code ec;
    const sluice::receipt f = co_await producer.async_send("f", asio::redirect_error(asio::use_awaitable, ec));
    CHECK_FALSE(ec);
    CHECK(f.sequence_id == 5);
    const std::string large(2u << 20, 'x');
    co_await producer.async_send(large, asio::redirect_error(asio::use_awaitable, ec));
    CHECK(ec == sluice::errc::too_large);
    try {
        co_await producer.async_send(large, asio::use_awaitable); // Asio throws what it knows: the code
        FAIL("nothing was thrown");
    } catch (const std::system_error& x) {
        CHECK(x.code() == sluice::errc::too_large);
    }

    const auto [error, g] = co_await producer.async_send(large, as_tuple(asio::use_awaitable));
    CHECK(error == sluice::errc::too_large);
    CHECK(g.outcome == sluice::outcome::not_sent);
    CHECK(contains(g.details().text, "max_frame_bytes"));

    auto later = producer.async_send("h", deferred);
    const sluice::receipt h = co_await std::move(later)(asio::use_awaitable);
    CHECK(h.sequence_id == 6);
    auto has = client.async_has_stream("orders", sluice::scope::global, deferred);
    const bool there = co_await std::move(has)(asio::use_awaitable);
    CHECK(there);
    co_await producer.async_close(asio::use_awaitable);
}

} // namespace

TEST_CASE("use_awaitable, redirect_error, as_tuple, deferred") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, use_awaitable_forms(client, producer));
    CHECK(w.payloads("orders") == std::vector<std::string>{"a", "b", "c", "d", "e", "f", "h"});
}

namespace {

asio::awaitable<void> start_twice(sluice::producer& producer) {
    const std::string text(100, 'x'); // on the heap: a message that were borrowed would be gone
    auto send = producer.async_send(text, deferred);
    for (int i = 0; i < 2; ++i) {
        auto copy = send;
        sent s;
        copy(s); // an lvalue: it keeps its message
        co_await producer.async_flush(asio::use_awaitable);
        CHECK(s.called());
    }
    done pushed;
    auto push = producer.async_push(text, deferred);
    std::move(push)(pushed);
    co_await producer.async_flush(asio::use_awaitable);
    CHECK(pushed.called());
}

} // namespace

TEST_CASE("a deferred send that is started as an lvalue owns its message all the same") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, start_twice(producer));
    CHECK(w.payloads("orders") == std::vector<std::string>(3, std::string(100, 'x')));
}

namespace {

template <class Range>
concept can_be_sent = requires(sluice::producer& p, const Range& r) { p.send_all(r); };
template <class... Arguments>
concept can_be_pushed = requires(sluice::producer& p, Arguments... a) { p.async_push("x", a...); };

constexpr auto numbered = [](int i) { return std::to_string(i); };
using made_strings = decltype(std::views::iota(0, 3) | std::views::transform(numbered));
constexpr auto viewed = [](const std::string& s) { return std::string_view(s); };
using viewed_strings = decltype(std::declval<std::vector<std::string>&>() | std::views::transform(viewed));

static_assert(can_be_sent<std::vector<std::string>> && can_be_sent<std::array<const char*, 2>> &&
              can_be_sent<std::vector<sluice::message>> && can_be_sent<std::vector<sluice::message_view>> &&
              can_be_sent<viewed_strings> && can_be_sent<std::string[2]> &&
              can_be_sent<std::vector<std::span<std::byte>>>);
static_assert(!can_be_sent<made_strings>, "each string would be gone before it is sent");
static_assert(can_be_pushed<done> && can_be_pushed<sluice::io::no_result, done> && can_be_pushed<sent, done>);

} // namespace

TEST_CASE("on a pool, a client's callback does not hold up what the client does for others") {
    asio::io_context context;
    sluice::testing::gateway gateway(context);
    const background server(context);
    asio::thread_pool pool(2);
    {
        sluice::client client(pool.get_executor(), config_for(gateway, sluice::dialect::gdn));
        std::promise<std::error_code> end;
        client.async_login([&](std::error_code) {
            end.set_value([&] {
                std::promise<std::error_code> inner; // waits for a second call, of the same client
                client.async_has_stream("orders", sluice::scope::global,
                                        [&](std::error_code ec, bool) { inner.set_value(ec); });
                return inner.get_future().get();
            }());
        });
        CHECK_FALSE(end.get_future().get());
    }
    pool.join();
}

TEST_CASE("callbacks: lvalues, rvalues, functions, ones that are copied") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    sent lvalue;
    const sent constant;
    std::function<void(std::error_code, sluice::receipt)> function = lvalue;
    producer.async_send("a", lvalue);
    producer.async_send("b", constant);
    producer.async_send("c", function);
    producer.async_send("d", std::function<void(std::error_code, const sluice::receipt&)>(lvalue));
    producer.async_send("e", [lvalue](auto ec, auto r) { lvalue(ec, std::move(r)); });
    run_until(w.context, [&] { return lvalue.calls() == 4 && constant.calls() == 1; });
    CHECK(function); // a copy was called

    outcome_of<std::error_code, sluice::created_stream> created;
    client.async_ensure_stream("orders", sluice::scope::global, created);
    outcome_of<std::error_code, bool> has;
    client.async_has_stream("orders", sluice::scope::global, has);
    done login;
    client.async_login(login);
    run_until(w.context, [&] { return created.called() && has.called() && login.called(); });
    CHECK_FALSE(created.value().created);
    CHECK(has.value());
}

TEST_CASE("use_future, from a thread that does not run the context") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    {
        const background running(w.context);
        CHECK(client.async_ensure_stream("orders", sluice::scope::global, asio::use_future).get().created);
        producer.async_open(asio::use_future).get();
        std::future<sluice::receipt> f = producer.async_send("a", asio::use_future);
        CHECK(f.get().outcome == sluice::outcome::persisted);
        const std::vector<std::string> many{"b", "c"};
        CHECK(producer.async_send_all(many, asio::use_future).get().size() == 2);
        std::future<sluice::receipt> bad = producer.async_send(std::string(2u << 20, 'x'), asio::use_future);
        CHECK_THROWS_AS(bad.get(), const std::system_error&);
        producer.async_flush(asio::use_future).get();
        producer.async_close(asio::use_future).get();
    }
    CHECK(w.gateway.message_count("orders") == 3);
}

namespace {

using default_producer = asio::use_awaitable_t<>::as_default_on_t<sluice::producer>;
using default_client = asio::use_awaitable_t<>::as_default_on_t<sluice::client>;

asio::awaitable<void> default_forms(default_client& client, default_producer& producer) {
    const sluice::created_stream s = co_await client.async_ensure_stream("orders");
    CHECK(s.created);
    co_await producer.async_open();
    const sluice::receipt a = co_await producer.async_send("a");
    CHECK(a.outcome == sluice::outcome::persisted);
    const sluice::receipt b = co_await producer.send("b");
    CHECK(b.sequence_id == 1);
    co_await producer.async_push("c");
    co_await producer.async_flush();
    co_await producer.async_close();
}

} // namespace

TEST_CASE("use_awaitable as the default token") {
    world w;
    default_client client(w.context.get_executor(), config_for(w.gateway, sluice::dialect::gdn));
    default_producer producer(client, "orders");
    run(w.context, default_forms(client, producer));
    CHECK(w.gateway.message_count("orders") == 3);
}

namespace {

template <class Executor>
asio::awaitable<void, Executor> everything(sluice::client_config config, int& finished) {
    const Executor executor = co_await asio::this_coro::executor;
    sluice::basic_client<Executor> client(executor, std::move(config));
    co_await client.ensure_stream("orders");
    sluice::basic_producer<Executor> producer(client, "orders");
    static_assert(std::is_same_v<typename decltype(producer)::executor_type, Executor>);
    CHECK(producer.get_executor() == executor);
    co_await producer.open();
    const sluice::receipt a = co_await producer.send("a");
    CHECK(a.outcome == sluice::outcome::persisted);
    const std::vector<std::string> many{"b", "c"};
    const std::vector<sluice::result> all = co_await producer.send_all(many);
    CHECK(all.size() == 2);
    co_await producer.push("d");
    co_await producer.flush();
    co_await producer.close();
    ++finished;
}

} // namespace

TEST_CASE("concrete executors: of an io_context, of a strand on it") {
    world w;
    int finished = 0;
    asio::co_spawn(w.context.get_executor(),
                   everything<asio::io_context::executor_type>(config_for(w.gateway, sluice::dialect::gdn), finished),
                   asio::detached);
    run_until(w.context, [&] { return finished == 1; });
    const auto strand = asio::make_strand(w.context.get_executor());
    using strand_type = asio::strand<asio::io_context::executor_type>;
    asio::co_spawn(strand, everything<strand_type>(config_for(w.gateway, sluice::dialect::pulsar), finished),
                   asio::detached);
    run_until(w.context, [&] { return finished == 2; });
    CHECK(w.gateway.stats().stored == 8);
}

TEST_CASE("a thread_pool's executor, and a strand of it") {
    world w;
    const background running(w.context);
    int finished = 0;
    asio::thread_pool pool(2);
    asio::co_spawn(pool.get_executor(),
                   everything<asio::thread_pool::executor_type>(config_for(w.gateway, sluice::dialect::gdn), finished),
                   asio::use_future)
        .get();
    const auto strand = asio::make_strand(pool.get_executor());
    asio::co_spawn(strand,
                   everything<asio::strand<asio::thread_pool::executor_type>>(
                       config_for(w.gateway, sluice::dialect::gdn), finished),
                   asio::use_future)
        .get();
    CHECK(finished == 2);
    pool.join();
}
