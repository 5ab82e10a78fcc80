// SPDX-License-Identifier: BSL-1.0
// Sends under Asio's own compositions, which cancel what they no longer wait for.
#include "alive.hpp"

#include <asio/experimental/parallel_group.hpp>
#if ASIO_VERSION < 102400
#include <asio/experimental/deferred.hpp>
#endif
#if __has_include(<asio/cancel_after.hpp>)
#include <asio/cancel_after.hpp>
#endif

#include <array>

using namespace test;

namespace {

#if ASIO_VERSION < 102400
using asio::experimental::deferred;
#else
using asio::deferred;
#endif
using order = std::array<std::size_t, 2>;

struct fixture {
    asio::io_context context{};
    holding_server server{context};
    sluice::client client{context.get_executor(), {.url = server.server.websocket_url()}};
    std::unique_ptr<sluice::producer> producer = std::make_unique<sluice::producer>(client, "orders", impatient());

    ~fixture() {
        producer.reset();
        run_ready(context);
    }
    void wait_for_frames(std::size_t n) {
        run_until(context, [&] { return server.payloads.size() >= n; });
    }
    void check_alive() { test::check_alive(context, server, *producer); }
};

/// Two sends in one group, and what became of them.
struct pair_of_sends {
    int calls = 0;
    order completed{};
    std::array<std::error_code, 2> ec{};
    std::array<sluice::receipt, 2> receipts{};

    template <class Condition>
    void start(fixture& f, Condition wait_for) {
        asio::experimental::make_parallel_group(f.producer->async_send("first", deferred),
                                                f.producer->async_send("second", deferred))
            .async_wait(wait_for,
                        [this](order o, std::error_code a, sluice::receipt ra, std::error_code b, sluice::receipt rb) {
                            ++calls;
                            completed = o;
                            ec = {a, b};
                            receipts = {std::move(ra), std::move(rb)};
                        });
    }
};

} // namespace

TEST_CASE("parallel_group, wait_for_all: every send has its own answer") {
    fixture f;
    pair_of_sends both;
    both.start(f, asio::experimental::wait_for_all());
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 1);
    run_ready(f.context);
    CHECK(both.calls == 0);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return both.calls != 0; });
    CHECK(both.calls == 1);
    CHECK(both.completed == order{0, 1});
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK_FALSE(both.ec[i]);
        CHECK(both.receipts[i].outcome == sluice::outcome::persisted);
    }
}

TEST_CASE("parallel_group, wait_for_one: the first answer lets go of the other send") {
    fixture f;
    pair_of_sends both;
    both.start(f, asio::experimental::wait_for_one());
    f.wait_for_frames(2);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return both.calls != 0; });
    CHECK(both.calls == 1);
    CHECK(both.completed == order{0, 1});
    CHECK_FALSE(both.ec[0]);
    CHECK(both.receipts[0].outcome == sluice::outcome::persisted);
    CHECK(both.ec[1] == asio::error::operation_aborted);
    CHECK(both.receipts[1].outcome == sluice::outcome::maybe_persisted);
    f.check_alive();
}

TEST_CASE("parallel_group: a timer that wins withdraws a send that is not yet written") {
    fixture f;
    asio::steady_timer timer(f.context, std::chrono::steady_clock::time_point::min());
    int calls = 0;
    std::error_code ec;
    sluice::receipt receipt;
    asio::experimental::make_parallel_group(timer.async_wait(deferred), f.producer->async_send("late", deferred))
        .async_wait(asio::experimental::wait_for_one(),
                    [&](order, std::error_code, std::error_code e, sluice::receipt r) {
                        ++calls;
                        ec = e;
                        receipt = std::move(r);
                    });
    run_until(f.context, [&] { return calls != 0; });
    CHECK(ec == asio::error::operation_aborted);
    CHECK(receipt.outcome == sluice::outcome::not_sent);
    f.check_alive();
    CHECK(f.server.payloads == std::vector<std::string>{"alive"});
}

// An open, a flush and a close wait for the producer: what is cancelled is the wait.
TEST_CASE("open, flush and close: a cancellation of any type ends the wait, and nothing else") {
    for (const auto type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        fixture f;
        asio::cancellation_signal signal;
        const auto cancelled = [&](auto start) {
            done wait;
            start(asio::bind_cancellation_slot(signal.slot(), wait));
            run_ready(f.context);
            CHECK_FALSE(wait.called());
            signal.emit(type);
            signal.emit(type); // finds nothing more
            run_until(f.context, [&] { return wait.called(); });
            CHECK(wait.calls() == 1);
            CHECK(wait.error() == asio::error::operation_aborted);
        };
        sluice::client nowhere(f.context.get_executor(), {.url = "ws://127.0.0.1:1"});
        {
            sluice::producer_options patient = impatient();
            patient.send_timeout = 0ms;
            sluice::producer unconnected(nowhere, "orders", patient);
            cancelled([&](auto token) { unconnected.async_open(std::move(token)); });
            run_ready(f.context);
        }
        sent first;
        f.producer->async_send("first", first);
        f.wait_for_frames(1);
        cancelled([&](auto token) { f.producer->async_flush(std::move(token)); });
        CHECK_FALSE(first.called());
        cancelled([&](auto token) { f.producer->async_close(std::move(token)); });
        CHECK(f.producer->state() == sluice::producer_state::draining);
        f.server.acknowledge(f.context, 1);
        run_until(f.context, [&] { return f.producer->state() == sluice::producer_state::closed; });
        CHECK_FALSE(first.error());
        done again;
        f.producer->async_close(again);
        run_until(f.context, [&] { return again.called(); });
        CHECK_FALSE(again.error());
    }
}

#if __has_include(<asio/cancel_after.hpp>)

TEST_CASE("cancel_after: a send that is not answered in time is let go of, an answered one is not") {
    fixture f;
    sent late;
    f.producer->async_send("late", asio::cancel_after(20ms, late));
    f.wait_for_frames(1);
    run_until(f.context, [&] { return late.called(); });
    CHECK(late.error() == asio::error::operation_aborted);
    CHECK(late.value().outcome == sluice::outcome::maybe_persisted);
    f.check_alive();
    sent in_time;
    f.producer->async_send("in time", asio::cancel_after(30s, in_time));
    f.wait_for_frames(3);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return in_time.called(); });
    CHECK_FALSE(in_time.error());
    CHECK(in_time.value().outcome == sluice::outcome::persisted);
}

TEST_CASE("cancel_after: a push that finds no room in time") {
    fixture f;
    sluice::producer_options one = impatient();
    one.max_pending_messages = 1;
    f.producer = std::make_unique<sluice::producer>(f.client, "orders", one);
    sent first;
    f.producer->async_send("first", first);
    done room;
    f.producer->async_push("no room", asio::cancel_after(20ms, room));
    run_until(f.context, [&] { return room.called(); });
    CHECK(room.error() == asio::error::operation_aborted);
    f.wait_for_frames(1);
    f.server.acknowledge(f.context, 1);
    run_until(f.context, [&] { return first.called(); });
    CHECK_FALSE(first.error());
    f.check_alive();
}

#endif
