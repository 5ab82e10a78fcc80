// SPDX-License-Identifier: BSL-1.0
// Cancellation of one send in each stage of its way, of other operations, and of all at once.
#include "alive.hpp"

#include <asio/experimental/awaitable_operators.hpp>

using namespace test;

namespace {

struct fixture {
    explicit fixture(int window = 2, sluice::when_full full = sluice::when_full::suspend)
        : client(context.get_executor(), {.url = server.server.websocket_url()}) {
        sluice::producer_options o = impatient();
        o.max_pending_messages = window;
        o.when_full = full;
        producer = std::make_unique<sluice::producer>(client, "orders", o);
    }
    ~fixture() {
        producer.reset();
        run_ready(context);
    }
    sent send(const char* text) {
        sent s;
        producer->async_send(text, asio::bind_cancellation_slot(signal.slot(), s));
        return s;
    }
    void wait_for_frames(std::size_t n) {
        run_until(context, [&] { return server.payloads.size() >= n; });
        run_ready(context);
        CHECK(server.payloads.size() == n);
    }
    void check_alive() { test::check_alive(context, server, *producer); }

    asio::io_context context{};
    holding_server server{context};
    asio::cancellation_signal signal{};
    sluice::client client;
    std::unique_ptr<sluice::producer> producer{};
};

void check_aborted(const sent& s, sluice::outcome o) {
    CHECK(s.calls() == 1);
    CHECK(s.error() == asio::error::operation_aborted);
    CHECK(s.value().outcome == o);
}

constexpr auto every_type = {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                             asio::cancellation_type::total};

} // namespace

TEST_CASE("submitted and not yet taken over: withdrawn") {
    for (const auto type : every_type) {
        fixture f;
        const sent s = f.send("never");
        f.signal.emit(type);
        CHECK_FALSE(s.called()); // not inside the emit
        run_until(f.context, [&] { return s.called(); });
        check_aborted(s, sluice::outcome::not_sent);
        CHECK_FALSE(f.signal.slot().has_handler());
        f.check_alive();
        CHECK(f.server.payloads == std::vector<std::string>{"alive"});
    }
}

TEST_CASE("waiting behind the window: withdrawn") {
    fixture f(1);
    sent other;
    f.producer->async_send("other", other);
    const sent s = f.send("never");
    f.wait_for_frames(1);
    f.signal.emit(asio::cancellation_type::total);
    run_until(f.context, [&] { return s.called(); });
    check_aborted(s, sluice::outcome::not_sent);
    CHECK_FALSE(other.called());
    f.check_alive();
    CHECK(other.called());
    CHECK(f.server.payloads == std::vector<std::string>{"other", "alive"});
}

TEST_CASE("written: its place and its number stay, its waiter goes") {
    fixture f(1);
    const sent s = f.send("maybe");
    f.wait_for_frames(1);
    f.signal.emit(asio::cancellation_type::terminal);
    run_until(f.context, [&] { return s.called(); });
    check_aborted(s, sluice::outcome::maybe_persisted);
    CHECK(s.value().sequence_id == 0);
    CHECK(f.producer->stats().pending_messages == 1); // until it is answered
    sent next;
    f.producer->async_send("next", next);
    run_ready(f.context);
    CHECK(f.server.payloads.size() == 1);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(2);
    f.check_alive();
    CHECK(next.value().sequence_id == 1);
}

TEST_CASE("written: a total cancellation asks for more than can be given, and changes nothing") {
    fixture f(1);
    const sent s = f.send("stored");
    f.wait_for_frames(1);
    f.signal.emit(asio::cancellation_type::total);
    run_ready(f.context);
    CHECK_FALSE(s.called());
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return s.called(); });
    CHECK_FALSE(s.error());
    CHECK(s.value().outcome == sluice::outcome::persisted);

    const sent t = f.send("maybe");
    f.wait_for_frames(2);
    f.signal.emit(asio::cancellation_type::total);
    run_ready(f.context);
    f.signal.emit(asio::cancellation_type::terminal); // a later one is heard
    run_until(f.context, [&] { return t.called(); });
    check_aborted(t, sluice::outcome::maybe_persisted);
    f.server.acknowledge(f.context, 1);
    f.check_alive();
}

TEST_CASE("written, and the connection lost: not sent again") {
    fixture f;
    const sent s = f.send("maybe");
    sent kept;
    f.producer->async_send("kept", kept);
    f.wait_for_frames(2);
    f.signal.emit(asio::cancellation_type::terminal);
    run_until(f.context, [&] { return s.called(); });
    f.server.current()->reset();
    f.wait_for_frames(3);
    CHECK(f.server.payloads.back() == "kept");
    CHECK_FALSE(kept.called());
}

TEST_CASE("awaiting its second sending: let go of, maybe persisted") {
    asio::io_context context;
    unsigned accepted = 0;
    scripted_server server(context, [&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        accepted = n + 1;
        if (n != 0) co_return; // never opens again
        const bool open = co_await peer.upgrade();
        if (!open) co_return;
        const std::optional<std::string> frame = co_await peer.message();
        CHECK(frame);
    });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer producer(client, "orders", impatient());
    asio::cancellation_signal signal;
    sent s;
    producer.async_send("maybe", asio::bind_cancellation_slot(signal.slot(), s));
    run_until(context, [&] { return accepted >= 3; });
    CHECK_FALSE(s.called());
    signal.emit(asio::cancellation_type::partial);
    run_until(context, [&] { return s.called(); });
    check_aborted(s, sluice::outcome::maybe_persisted);
    CHECK(producer.stats().pending_messages == 0);
}

TEST_CASE("answered, its handler not yet called: the answer stands") {
    fixture f;
    const sent s = f.send("stored");
    f.wait_for_frames(1);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return f.producer->stats().persisted == 1; });
    f.signal.emit(asio::cancellation_type::terminal);
    run_until(f.context, [&] { return s.called(); });
    CHECK(s.calls() == 1);
    CHECK_FALSE(s.error());
    CHECK(s.value().outcome == sluice::outcome::persisted);
    CHECK_FALSE(f.signal.slot().has_handler());
    f.signal.emit(asio::cancellation_type::terminal); // for nobody
    run_ready(f.context);
    CHECK(s.calls() == 1);
}

TEST_CASE("twice, with no type, and after the producer has gone") {
    fixture f;
    const sent s = f.send("never");
    f.signal.emit(asio::cancellation_type::none);
    f.signal.emit(asio::cancellation_type::total);
    f.signal.emit(asio::cancellation_type::terminal);
    f.producer.reset();
    run_until(f.context, [&] { return s.called(); });
    check_aborted(s, sluice::outcome::not_sent);

    fixture g;
    const sent t = g.send("never");
    g.producer.reset();
    g.signal.emit(asio::cancellation_type::terminal);
    run_until(g.context, [&] { return t.called(); });
    CHECK(t.calls() == 1);
    CHECK(t.error() == asio::error::operation_aborted);
}

TEST_CASE("a send that was turned away takes no cancellation") {
    fixture f(1, sluice::when_full::fail);
    sent first;
    f.producer->async_send("room", first);
    const sent s = f.send("none");
    f.signal.emit(asio::cancellation_type::terminal);
    run_until(f.context, [&] { return s.called(); });
    CHECK(s.error() == sluice::errc::queue_full);
}

TEST_CASE("send_all: each message in its own stage") {
    fixture f(2);
    const std::vector<std::string> four{"a", "b", "c", "d"};
    outcome_of<std::error_code, std::vector<sluice::result>> all;
    f.producer->async_send_all(four, asio::bind_cancellation_slot(f.signal.slot(), all));
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(3);
    f.signal.emit(asio::cancellation_type::partial);
    run_until(f.context, [&] { return all.called(); });
    CHECK(all.calls() == 1);
    CHECK_FALSE(all.error());
    const auto& r = all.value();
    REQUIRE(r.size() == 4);
    CHECK_FALSE(r[0].ec);
    for (const std::size_t i : {1u, 2u, 3u}) CHECK(r[i].ec == asio::error::operation_aborted);
    CHECK(r[1].value.outcome == sluice::outcome::maybe_persisted);
    CHECK(r[2].value.outcome == sluice::outcome::maybe_persisted);
    CHECK(r[3].value.outcome == sluice::outcome::not_sent);
}

TEST_CASE("a push that waits for room can be cancelled, one that has got it cannot") {
    fixture f(1);
    done waiting, with_room;
    sent waiting_result, room_result;
    asio::cancellation_signal room_signal;
    f.producer->async_push(
        "room", [room_result](std::error_code ec, const sluice::receipt& r) { room_result(ec, r); },
        asio::bind_cancellation_slot(room_signal.slot(), with_room));
    f.producer->async_push(
        "waits", [waiting_result](std::error_code ec, const sluice::receipt& r) { waiting_result(ec, r); },
        asio::bind_cancellation_slot(f.signal.slot(), waiting));
    f.wait_for_frames(1);
    CHECK(with_room.called());
    room_signal.emit(asio::cancellation_type::terminal);
    f.signal.emit(asio::cancellation_type::terminal);
    run_until(f.context, [&] { return waiting.called() && waiting_result.called(); });
    CHECK(waiting.error() == asio::error::operation_aborted);
    check_aborted(waiting_result, sluice::outcome::not_sent);
    CHECK_FALSE(room_result.called());
    f.check_alive();
    CHECK_FALSE(room_result.error());
}

TEST_CASE("cancel() ends every send and push; open, flush and the producer go on") {
    fixture f(1);
    std::vector<sent> all(4);
    done flushed, opened;
    f.producer->async_open(opened);
    for (sent& s : all) f.producer->async_send("x", s);
    f.producer->async_flush(flushed);
    f.wait_for_frames(1);
    f.producer->cancel();
    run_until(f.context, [&] { return flushed.called(); });
    CHECK_FALSE(flushed.error());
    CHECK_FALSE(opened.error());
    check_aborted(all[0], sluice::outcome::maybe_persisted);
    for (const std::size_t i : {1u, 2u, 3u}) check_aborted(all[i], sluice::outcome::not_sent);
    f.check_alive();
    f.producer->cancel(); // nothing to end
    run_ready(f.context);
    f.check_alive();
}

TEST_CASE("cancel ends what was sent before it, and nothing that is sent right behind it") {
    fixture f(1); // more wait for room, and none of what follows wakes the producer
    sent written, waiting, behind;
    f.producer->async_send("written", written);
    f.wait_for_frames(1);
    f.producer->async_send("waiting", waiting);
    f.producer->cancel();
    f.producer->async_send("behind", behind);
    run_until(f.context, [&] { return written.called() && waiting.called(); });
    check_aborted(written, sluice::outcome::maybe_persisted);
    check_aborted(waiting, sluice::outcome::not_sent);
    run_ready(f.context);
    CHECK_FALSE(behind.called());
    f.server.acknowledge(f.context, 1);
    f.wait_for_frames(2);
    CHECK(f.server.payloads == std::vector<std::string>{"written", "behind"});
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return behind.called(); });
    CHECK_FALSE(behind.error());
}

TEST_CASE("cancel of a producer that was never used opens nothing, and a send behind it does") {
    fixture f;
    f.producer->cancel();
    done flushed;
    f.producer->async_flush(flushed);
    run_ready(f.context);
    CHECK(flushed.called());
    CHECK(f.producer->state() == sluice::producer_state::idle);
    CHECK(f.server.server.connections() == 0);
    sent cancelled;
    f.producer->async_send("cancelled", cancelled);
    f.producer->cancel();
    run_ready(f.context);
    check_aborted(cancelled, sluice::outcome::not_sent);
    CHECK(f.server.server.connections() == 0);
    f.check_alive();
    CHECK(f.server.server.connections() == 1);
}

TEST_CASE("cancel of a closed producer has nothing to end") {
    fixture f;
    run(f.context, f.producer->close());
    f.producer->cancel();
    run_ready(f.context);
    CHECK(f.producer->state() == sluice::producer_state::closed);
}

namespace {

using namespace asio::experimental::awaitable_operators;

asio::awaitable<std::size_t> race(fixture& f, asio::steady_timer& timer, std::optional<sluice::receipt>& won) {
    auto result = co_await (f.producer->send("raced") || timer.async_wait(asio::use_awaitable));
    if (result.index() == 0) won = std::get<0>(result);
    co_return result.index();
}

} // namespace

TEST_CASE("awaitable ||: the loser is cancelled, whichever it is") {
    for (const bool written : {false, true}) {
        fixture f(written ? 2 : 1); // one that is written keeps its place
        asio::steady_timer timer(f.context, std::chrono::steady_clock::time_point::max());
        std::optional<sluice::receipt> won;
        outcome_of<std::exception_ptr, std::size_t> end;
        asio::co_spawn(f.context, race(f, timer, won), end);
        if (written) f.wait_for_frames(1);
        timer.expires_at(std::chrono::steady_clock::time_point::min());
        if (!written) timer.cancel();
        run_until(f.context, [&] { return end.called() || f.server.payloads.size() == 1; });
        run_until(f.context, [&] { return end.called(); });
        f.check_alive();
    }
    fixture f;
    asio::steady_timer timer(f.context, std::chrono::steady_clock::time_point::max());
    std::optional<sluice::receipt> won;
    outcome_of<std::exception_ptr, std::size_t> end;
    asio::co_spawn(f.context, race(f, timer, won), end);
    f.wait_for_frames(1);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return end.called(); });
    CHECK(end.value() == 0);
    REQUIRE(won);
    CHECK(won->outcome == sluice::outcome::persisted);
}

TEST_CASE("a client's call ends on terminal cancellation") {
    asio::io_context context;
    scripted_server server(
        context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> { co_await peer.wait_for_end(); });
    sluice::client client(context.get_executor(), {.url = server.http_url()});
    asio::cancellation_signal signal;
    outcome_of<std::error_code, bool> has;
    client.async_has_stream("orders", sluice::scope::global, asio::bind_cancellation_slot(signal.slot(), has));
    run_until(context, [&] { return server.connections() == 1; });
    run_ready(context);
    CHECK_FALSE(has.called());
    signal.emit(asio::cancellation_type::terminal);
    run_until(context, [&] { return has.called(); });
    CHECK(has.error() == asio::error::operation_aborted);
    CHECK(has.calls() == 1);
}

TEST_CASE("a login that is cancelled leaves the next one its turn") {
    asio::io_context context;
    std::vector<std::function<void()>> answers;
    int asked = 0;
    asio::steady_timer never(context, std::chrono::steady_clock::time_point::max());
    const auto source = [&]() -> asio::awaitable<sluice::credential> {
        if (++asked == 1) co_await never.async_wait(asio::use_awaitable);
        co_return sluice::credential(sluice::no_auth());
    };
    sluice::client_config c;
    c.url = "http://127.0.0.1:1";
    c.auth = sluice::credential_source(source);
    sluice::client client(context.get_executor(), c);
    asio::cancellation_signal first_signal, second_signal;
    done first, second, third;
    client.async_login(asio::bind_cancellation_slot(first_signal.slot(), first));
    client.async_login(asio::bind_cancellation_slot(second_signal.slot(), second));
    client.async_login(third);
    run_ready(context);
    CHECK(asked == 1);
    second_signal.emit(asio::cancellation_type::terminal);
    run_until(context, [&] { return second.called(); });
    CHECK(second.error() == asio::error::operation_aborted);
    CHECK_FALSE(first.called());
    first_signal.emit(asio::cancellation_type::terminal);
    run_until(context, [&] { return first.called() && third.called(); });
    CHECK(first.error() == asio::error::operation_aborted);
    CHECK_FALSE(third.error());
    CHECK(asked == 2);
}
