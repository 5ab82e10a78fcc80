// SPDX-License-Identifier: BSL-1.0
// The window: what may be unanswered at once, what happens past it, and what ends the wait.
#include "holding_server.hpp"
#include "world.hpp"

using namespace test;

namespace {

struct fixture {
    explicit fixture(sluice::producer_options options = impatient(), sluice::producer_observer observer = {})
        : client(context.get_executor(), {.url = server.server.websocket_url()}),
          producer(std::make_unique<sluice::producer>(client, "orders", std::move(options), std::move(observer))) {}
    ~fixture() {
        producer.reset();
        run_ready(context);
    }

    std::vector<sent> send(std::size_t n, std::string_view prefix = "m") {
        std::vector<sent> all(n);
        for (std::size_t i = 0; i < n; ++i)
            producer->async_send(sluice::message(std::string(prefix) + std::to_string(i)), all[i]);
        return all;
    }
    void wait_for_frames(std::size_t n) {
        run_until(context, [&] { return server.payloads.size() >= n; });
        run_ready(context);
        CHECK(server.payloads.size() == n);
    }
    static std::size_t called(const std::vector<sent>& all) {
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [](const sent& s) { return s.called(); }));
    }

    asio::io_context context{};
    holding_server server{context};
    sluice::client client;
    std::unique_ptr<sluice::producer> producer;
};

sluice::producer_options window_of(int messages, sluice::when_full full = sluice::when_full::suspend) {
    sluice::producer_options o = impatient();
    o.max_pending_messages = messages;
    o.when_full = full;
    return o;
}

} // namespace

TEST_CASE("suspend: never more than max_pending_messages unanswered, first come first served") {
    fixture f(window_of(3));
    const std::vector<sent> all = f.send(8);
    f.wait_for_frames(3);
    CHECK(f.producer->stats().pending_messages == 3);
    CHECK(f.producer->stats().waiting_messages == 5);
    CHECK(f.producer->stats().accepted == 8);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(4);
    f.server.acknowledge(f.context, 3);
    f.wait_for_frames(7);
    f.server.acknowledge(f.context, 3);
    f.wait_for_frames(8);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return fixture::called(all) == 8; });
    for (std::size_t i = 0; i < 8; ++i) CHECK(f.server.payloads[i] == "m" + std::to_string(i));
    CHECK(f.producer->stats().persisted == 8);
    CHECK(f.producer->stats().pending_messages == 0);
}

TEST_CASE("max_pending_bytes bounds the payloads, and one that is larger goes alone") {
    sluice::producer_options o = impatient();
    o.max_pending_bytes = 1024;
    fixture f(o);
    std::vector<sent> all(4);
    f.producer->async_send(std::string(600, 'a'), all[0]);
    f.producer->async_send(std::string(424, 'b'), all[1]);
    f.producer->async_send(std::string(2000, 'c'), all[2]);
    f.producer->async_send(std::string(1, 'd'), all[3]);
    f.wait_for_frames(2);
    CHECK(f.producer->stats().pending_bytes == 1024);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(3);
    CHECK(f.producer->stats().pending_bytes == 2000);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(4);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return fixture::called(all) == 4; });
}

TEST_CASE("a budget that two producers share: one's acknowledgements are the other's room") {
    sluice::producer_options o = impatient();
    o.budget = std::make_shared<sluice::byte_budget>(1000);
    fixture a(o);
    sluice::client client(a.context.get_executor(), {.url = a.server.server.websocket_url()});
    holding_server other(a.context);
    sluice::client other_client(a.context.get_executor(), {.url = other.server.websocket_url()});
    sluice::producer b(other_client, "orders", o);
    std::vector<sent> all(3);
    a.producer->async_send(std::string(900, 'a'), all[0]);
    a.wait_for_frames(1);
    b.async_send(std::string(100, 'b'), all[1]);
    b.async_send(std::string(200, 'c'), all[2]);
    run_until(a.context, [&] { return other.payloads.size() == 1; });
    run_ready(a.context);
    CHECK(other.payloads.size() == 1);
    CHECK(o.budget->used() == 1000);
    a.server.acknowledge(a.context, 1);
    run_until(a.context, [&] { return other.payloads.size() == 2; });
    other.acknowledge(a.context, 2);
    run_until(a.context, [&] { return fixture::called(all) == 3; });
    for (const sent& s : all) CHECK(s.value().outcome == sluice::outcome::persisted);
    CHECK(o.budget->used() == 0);
    run(a.context, b.close());
    run_until(a.context, [&] { return other.current() == nullptr; }); // its script has ended before it does
}

TEST_CASE("fail: what finds no room ends with queue_full, not inside the initiating call") {
    fixture f(window_of(3, sluice::when_full::fail));
    const std::vector<sent> all = f.send(5);
    CHECK(fixture::called(all) == 0);
    run_until(f.context, [&] { return fixture::called(all) == 2; });
    for (const std::size_t i : {3u, 4u}) {
        CHECK(all[i].error() == sluice::errc::queue_full);
        CHECK(all[i].error() == sluice::condition::retryable);
        CHECK(all[i].value().outcome == sluice::outcome::not_sent);
        CHECK(contains(all[i].value().details().text, "window of 3 messages (max_pending_messages)"));
    }
    f.wait_for_frames(3);
    done push;
    sent result;
    f.producer->async_push("x", [result](std::error_code ec, const sluice::receipt& r) { result(ec, r); }, push);
    run_until(f.context, [&] { return push.called() && result.called(); });
    CHECK(push.error() == sluice::errc::queue_full);
    CHECK(result.error() == sluice::errc::queue_full);
    const std::vector<std::string> three{"x", "y", "z"};
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return fixture::called(all) == 3; });
    outcome_of<std::error_code, std::vector<sluice::result>> some;
    f.producer->async_send_all(three, some);
    f.wait_for_frames(4);
    f.server.acknowledge(f.context, 3);
    run_until(f.context, [&] { return some.called(); });
    CHECK_FALSE(some.error());
    CHECK_FALSE(some.value()[0].ec);
    CHECK(some.value()[1].ec == sluice::errc::queue_full);
    CHECK(some.value()[2].ec == sluice::errc::queue_full);
    outcome_of<std::error_code, std::vector<sluice::result>> empty;
    const std::vector<std::string> none;
    f.producer->async_send_all(none, empty);
    run_until(f.context, [&] { return empty.called(); });
}

TEST_CASE("fail: bytes count too, and one that is alone is let in however large") {
    sluice::producer_options o = window_of(100, sluice::when_full::fail);
    o.max_pending_bytes = 1024;
    fixture f(o);
    std::vector<sent> all(3);
    f.producer->async_send(std::string(2000, 'a'), all[0]);
    f.producer->async_send(std::string(1, 'b'), all[1]);
    run_until(f.context, [&] { return all[1].called(); });
    CHECK(all[1].error() == sluice::errc::queue_full);
    CHECK(contains(all[1].value().details().text, "max_pending_bytes = 1024"));
    CHECK_FALSE(f.producer->try_push(std::string(1, 'b')));
    f.wait_for_frames(1);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return all[0].called(); });
    f.producer->async_send(std::string(1000, 'c'), all[2]);
    CHECK_FALSE(f.producer->try_push(std::string(25, 'd')));
    CHECK(f.producer->try_push(std::string(24, 'd')));
    f.wait_for_frames(3);
    f.server.acknowledge(f.context, 2);
    run_until(f.context, [&] { return all[2].called(); });
}

TEST_CASE("drop_newest and drop_oldest: so many wait, the others are dropped, counted and told") {
    for (const auto policy : {sluice::when_full::drop_newest, sluice::when_full::drop_oldest}) {
        CAPTURE(static_cast<int>(policy));
        const bool newest = policy == sluice::when_full::drop_newest;
        std::uint64_t told = 0;
        sluice::producer_observer observer;
        observer.on_drop = [&](std::uint64_t n) { told += n; };
        sluice::producer_options o = window_of(2, policy);
        o.max_waiting_messages = 3;
        fixture f(o, observer);
        const std::vector<sent> first = f.send(2, "a");
        f.wait_for_frames(2);
        const std::vector<sent> all = f.send(5, "b");
        CHECK(fixture::called(all) == 0); // not inside the initiating call
        run_until(f.context, [&] { return fixture::called(all) == 2 && told == 2; });
        for (const std::size_t i : newest ? std::array{3u, 4u} : std::array{0u, 1u}) {
            CHECK(all[i].error() == sluice::errc::dropped);
            CHECK(all[i].error() == sluice::condition::retryable);
            CHECK(all[i].value().outcome == sluice::outcome::not_sent);
        }
        CHECK(f.producer->stats().dropped == 2);
        f.server.acknowledge(f.context, 2);
        f.wait_for_frames(4);
        f.server.acknowledge(f.context, 2);
        f.wait_for_frames(5);
        f.server.acknowledge(f.context, 1);
        run_until(f.context, [&] { return fixture::called(all) == 5; });
        CHECK(f.server.payloads == (newest ? std::vector<std::string>{"a0", "a1", "b0", "b1", "b2"}
                                           : std::vector<std::string>{"a0", "a1", "b2", "b3", "b4"}));
    }
}

TEST_CASE("what the end of a producer drops is told before the end") {
    std::vector<std::string> told;
    sluice::producer_observer observer;
    observer.on_drop = [&](std::uint64_t n) { told.push_back("dropped " + std::to_string(n)); };
    observer.on_close = [&](const sluice::failure&) { told.push_back("closed"); };
    sluice::producer_options o = window_of(1, sluice::when_full::drop_newest);
    o.max_waiting_messages = 0;
    o.max_frame_bytes = 1; // not allowed: the first look is the end
    fixture f(o, observer);
    const std::vector<sent> all = f.send(3);
    run_until(f.context, [&] { return !told.empty() && told.back() == "closed"; });
    CHECK(told.size() <= 2);
    CHECK(fixture::called(all) == 3);
    const std::uint64_t dropped = f.producer->stats().dropped;
    CHECK((dropped == 0) == (told.size() == 1));
}

TEST_CASE("try_push: as many as there is room for, and again when there is") {
    fixture f(window_of(2));
    std::vector<sent> results(4);
    const auto push = [&](std::size_t i) {
        return f.producer->try_push(std::to_string(i),
                                    [r = results[i]](std::error_code ec, const sluice::receipt& x) { r(ec, x); });
    };
    CHECK(push(0));
    CHECK(push(1));
    CHECK_FALSE(push(2));
    CHECK_FALSE(f.producer->try_push("no function"));
    f.wait_for_frames(2);
    CHECK_FALSE(push(2));
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return results[0].called(); });
    CHECK(push(3));
    CHECK_FALSE(push(2));
    f.wait_for_frames(3);
    f.server.acknowledge(f.context, 2);
    run_until(f.context, [&] { return results[1].called() && results[3].called(); });
    CHECK_FALSE(results[2].called());
    CHECK(results[3].value().outcome == sluice::outcome::persisted);
    CHECK(results[2].handlers() == 1); // a refused push keeps nothing
}

TEST_CASE("push: completes when there is room, one after the other; the result comes by its function") {
    fixture f(window_of(2));
    std::vector<done> room(5);
    std::vector<sent> results(5);
    for (std::size_t i = 0; i < 5; ++i)
        f.producer->async_push(
            std::to_string(i), [r = results[i]](std::error_code ec, const sluice::receipt& x) { r(ec, x); }, room[i]);
    f.wait_for_frames(2);
    CHECK(room[1].called());
    CHECK_FALSE(room[2].called());
    CHECK_FALSE(results[0].called());
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(3);
    CHECK(results[0].called());
    CHECK(room[2].called());
    CHECK_FALSE(room[3].called());
    f.producer->cancel();
    run_until(f.context, [&] { return room[4].called() && results[4].called(); });
    CHECK(room[3].error() == asio::error::operation_aborted);
    CHECK(results[3].error() == asio::error::operation_aborted);
    CHECK(results[3].value().outcome == sluice::outcome::not_sent);
    CHECK_FALSE(room[2].error());
    CHECK(results[2].error() == asio::error::operation_aborted);
    CHECK(results[2].value().outcome == sluice::outcome::maybe_persisted);
    f.wait_for_frames(3);
}

TEST_CASE("flush completes when what was sent before it has been answered, and not before") {
    fixture f(window_of(2));
    done empty;
    f.producer->async_flush(empty);
    run_until(f.context, [&] { return empty.called(); });
    const std::vector<sent> before = f.send(3, "before");
    done flushed;
    f.producer->async_flush(flushed);
    const std::vector<sent> after = f.send(2, "after");
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(3);
    CHECK_FALSE(flushed.called());
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(4);
    CHECK_FALSE(flushed.called());
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return flushed.called(); });
    CHECK_FALSE(flushed.error());
    CHECK(fixture::called(after) == 0);
    for (const sent& s : before) CHECK(s.called());
}

TEST_CASE("close drains: the socket is closed after the last acknowledgement") {
    fixture f(window_of(2));
    const std::vector<sent> all = f.send(4);
    done closed, again, opened;
    f.producer->async_close(closed);
    f.producer->async_close(again);
    f.wait_for_frames(2);
    CHECK(f.producer->state() == sluice::producer_state::draining);
    const std::vector<sent> late = f.send(1, "late");
    f.server.acknowledge(f.context, 2);
    f.wait_for_frames(4);
    CHECK(late[0].error() == sluice::errc::closed);
    CHECK_FALSE(closed.called());
    CHECK(f.server.close_code == 0);
    f.server.acknowledge(f.context, 2);
    run_until(f.context, [&] { return closed.called() && again.called(); });
    CHECK_FALSE(closed.error());
    CHECK_FALSE(again.error());
    CHECK(fixture::called(all) == 4);
    run_until(f.context, [&] { return f.server.close_code != 0; });
    CHECK(f.server.close_code == 1000);
    CHECK(f.producer->state() == sluice::producer_state::closed);
}

TEST_CASE("close gives up after close_timeout, and says how many are unanswered") {
    sluice::producer_options o = impatient();
    o.close_timeout = 30ms;
    fixture f(o);
    const std::vector<sent> all = f.send(3);
    f.wait_for_frames(3);
    done closed;
    f.producer->async_close(closed);
    run_until(f.context, [&] { return closed.called() && fixture::called(all) == 3; });
    CHECK(closed.error() == sluice::errc::ack_timeout);
    for (const sent& s : all) {
        CHECK(s.error() == sluice::errc::closed);
        CHECK(s.value().outcome == sluice::outcome::maybe_persisted);
    }
    const sluice::error e = [&] {
        fixture g(o);
        const std::vector<sent> more = g.send(3);
        g.wait_for_frames(3);
        return error_of(g.context, g.producer->close());
    }();
    CHECK(e.code() == sluice::errc::ack_timeout);
    CHECK(contains(e.what(), "3 messages unanswered"));
}

TEST_CASE("close of a producer that was never used opens nothing; twice is a success") {
    fixture f;
    run(f.context, f.producer->close());
    run(f.context, f.producer->close());
    CHECK(f.server.server.connections() == 0);
    CHECK(f.producer->state() == sluice::producer_state::closed);
}

TEST_CASE("send_timeout tells written from not written, per message where it says so") {
    sluice::producer_options o = window_of(2);
    o.send_timeout = 0ms; // none
    fixture f(o);
    run(f.context, f.producer->open());
    sluice::message m("short");
    m.send_timeout = 20ms;
    std::vector<sent> all(4);
    f.producer->async_send(m, all[0]);
    f.producer->async_send("patient", all[1]);
    f.producer->async_send(m, all[2]);
    f.producer->async_send("patient too", all[3]);
    run_until(f.context, [&] { return all[0].called() && all[2].called(); });
    CHECK(all[0].error() == sluice::errc::ack_timeout);
    CHECK(all[0].value().outcome == sluice::outcome::maybe_persisted);
    CHECK(all[2].error() == sluice::errc::send_timeout);
    CHECK(all[2].value().outcome == sluice::outcome::not_sent);
    for (const std::size_t i : {0u, 2u}) CHECK(all[i].error() == sluice::condition::timeout);
    CHECK(f.producer->stats().pending_messages == 2); // the first keeps its place until it is answered
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 2); // one of them for nobody
    f.wait_for_frames(3);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return all[3].called(); });
    CHECK(f.server.payloads == std::vector<std::string>{"short", "patient", "patient too"});
    CHECK(all[1].value().sequence_id == 1);
    CHECK(all[3].value().sequence_id == 2);
}

TEST_CASE("without a server every message ends at its time, not sent, with the cause") {
    asio::io_context context;
    std::string url;
    {
        scripted_server gone(context, [](scripted_peer&, unsigned) -> asio::awaitable<void> { co_return; });
        url = gone.websocket_url();
    }
    run_ready(context);
    sluice::client client(context.get_executor(), {.url = url});
    sluice::producer_options o = impatient();
    o.send_timeout = 30ms;
    sluice::producer producer(client, "orders", o);
    const std::vector<std::string> three{"a", "b", "c"};
    const auto results = run(context, producer.send_all(three));
    for (const sluice::result& r : results) {
        CHECK(r.ec == sluice::errc::send_timeout);
        CHECK(r.value.outcome == sluice::outcome::not_sent);
        CHECK(r.value.details().cause == sluice::errc::connect_failed);
        CHECK(contains(r.value.details().text, "127.0.0.1"));
    }
    done closed;
    producer.async_close(closed);
    run_until(context, [&] { return closed.called(); });
    CHECK_FALSE(closed.error());
}
