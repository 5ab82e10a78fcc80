// SPDX-License-Identifier: BSL-1.0
// What happens past the window: waiting, dropping the newest or the oldest; and a place that is never given back.
#include "harness.hpp"

namespace {

using namespace test;
using sluice::when_full;

producer_options dropping(when_full policy, int window, int waiting) {
    producer_options o;
    o.when_full = policy;
    o.max_pending_messages = window;
    o.max_waiting_messages = waiting;
    return o;
}

bool dropped(const harness& h, int id) { return h.is(id, errc::dropped, outcome::not_sent); }

TEST_CASE("drop_newest: the one that comes past the waiting room is dropped") {
    harness h(dropping(when_full::drop_newest, 2, 3));
    h.open();
    const ids sent = h.send_many(7);
    CHECK(h.order == ids{sent[5], sent[6]});
    for (const int id : {sent[5], sent[6]}) CHECK(dropped(h, id));
    CHECK(h.of(sent[5]).text() == "max_pending_messages + max_waiting_messages = 5 are outstanding");
    CHECK(h.write_payloads() == "m0 m1");
    CHECK(dropped(h, h.send("late")));
    h.ack(0);
    const int next = h.send("next"); // a place is free again
    CHECK_FALSE(h.done(next));
    CHECK(h.pub.numbers().snapshot().dropped == 3);
    CHECK(h.pub.numbers().snapshot().failed == 3);
    CHECK(h.pub.take_dropped() == 3);
    CHECK(h.pub.take_dropped() == 0);
}

TEST_CASE("drop_oldest: the one that has waited longest is dropped, never one that was written") {
    harness h(dropping(when_full::drop_oldest, 2, 3));
    h.open();
    const ids sent = h.send_many(5);
    CHECK(h.write_payloads() == "m0 m1");
    const ids more = h.send_many(2, "n");
    CHECK(h.order == ids{sent[2], sent[3]});
    for (const int id : {sent[2], sent[3]}) CHECK(dropped(h, id));
    h.ack(0);
    h.ack(1);
    CHECK(h.write_payloads() == "m4 n0");
    h.ack(2);
    h.ack(3);
    CHECK(h.write_payloads() == "n1");
    h.ack(4);
    CHECK(h.persisted(more[1]));
    CHECK(h.pub.take_dropped() == 2);
}

TEST_CASE("dropping: without a socket the window's places are room too") {
    for (const when_full policy : {when_full::drop_newest, when_full::drop_oldest}) {
        harness h(dropping(policy, 2, 1));
        const ids sent = h.send_many(5);
        h.open();
        CHECK(h.write_payloads() == (policy == when_full::drop_newest ? "m0 m1" : "m2 m3"));
        CHECK(h.pub.take_dropped() == 2);
    }
}

TEST_CASE("dropping: a waiting room of none") {
    for (const when_full policy : {when_full::drop_newest, when_full::drop_oldest}) {
        harness h(dropping(policy, 1, 0));
        h.open();
        const int a = h.send("a");
        CHECK(h.write_payloads() == "a");
        const int b = h.send("b");
        CHECK(dropped(h, b));
        h.ack(0);
        CHECK(h.persisted(a));
        h.send("c");
        CHECK(h.write_payloads() == "c");
    }
}

TEST_CASE("dropping: what is outstanding never has more than max_pending_bytes, unless it is one message") {
    const auto bytes = [](std::size_t n) { return std::string(n, 'x'); };
    for (const when_full policy : {when_full::drop_newest, when_full::drop_oldest}) {
        producer_options o = dropping(policy, 100, 100);
        o.max_pending_bytes = 2000;
        harness h(o);
        h.open();
        const int large = h.send(bytes(3000)); // alone
        CHECK_FALSE(h.done(large));
        h.write_all();
        CHECK(dropped(h, h.send("not beside it")));
        h.ack(0);
        CHECK(h.persisted(large));

        const int written = h.send(bytes(1000));
        h.write_all();
        const int a = h.send(bytes(400)), b = h.send(bytes(400));
        CHECK_FALSE((h.done(a) || h.done(b)));
        const int c = h.send(bytes(600)); // takes the place of one that waits, or of two
        if (policy == when_full::drop_newest) {
            CHECK(dropped(h, c));
            CHECK_FALSE((h.done(a) || h.done(b)));
        } else {
            CHECK((dropped(h, a) && !h.done(b) && !h.done(c)));
        }
        CHECK(h.of(policy == when_full::drop_newest ? c : a).text() == "max_pending_bytes = 2000 are outstanding");
        const std::size_t before = h.order.size();
        CHECK(dropped(h, h.send(bytes(1500)))); // which no dropping of others makes fit
        CHECK(h.order.size() == before + 1);
        CHECK_FALSE((h.done(written) || h.done(b)));
    }
}

TEST_CASE("drop_oldest: a flush between the waiting is no message, and ends when those before it have") {
    harness h(dropping(when_full::drop_oldest, 1, 1));
    h.open();
    const int a = h.send("a");
    CHECK(h.write_payloads() == "a");
    const int flush = h.mark(core::node_kind::flush);
    const int b = h.send("b"), c = h.send("c");
    CHECK(dropped(h, b));
    h.ack(0);
    CHECK(h.order == ids{b, a, flush});
    CHECK(h.write_payloads() == "c");
    h.ack(1);
    CHECK(h.persisted(c));
}

TEST_CASE("drop_oldest: the waiter of a push is told") {
    harness h(dropping(when_full::drop_oldest, 1, 1));
    h.open();
    h.send("a");
    h.write_all();
    auto* const pushed = h.make("b");
    auto* const waiter = h.make_marker(core::node_kind::admitted);
    pushed->waiter = waiter;
    const int pushed_id = pushed->id, waiter_id = waiter->id;
    CHECK(h.pub.submit(pushed) != core::accumulator::pushed::closed);
    h.drain();
    CHECK_FALSE(h.done(waiter_id));
    h.send("c");
    CHECK(dropped(h, pushed_id));
    CHECK(h.of(waiter_id).error.code == errc::dropped);
}

// --- a place that is never given back

TEST_CASE("overdue: an answer that does not come, for as long again as send_timeout") {
    producer_options o;
    o.send_timeout = 40s;
    harness h(o);
    h.open();
    const int a = h.send("a");
    h.advance(20s);
    const int b = h.send("b");
    h.write_all();
    CHECK_FALSE(h.pub.answered());
    h.ack(1);
    CHECK(h.pub.answered());
    CHECK(h.persisted(b));
    h.advance(20s);
    CHECK(h.is(a, errc::ack_timeout, outcome::maybe_persisted));
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(40s - 1ns);
    CHECK_FALSE(h.pub.overdue(h.now));
    SUBCASE("it comes") {
        h.ack(0);
        h.advance(1h);
        CHECK_FALSE(h.pub.overdue(h.now));
    }
    SUBCASE("it does not") {
        h.advance(1ns);
        CHECK(h.pub.overdue(h.now));
        h.lose();
        CHECK_FALSE(h.pub.overdue(h.now));
        CHECK(h.pub.numbers().snapshot().pending_messages == 0);
        h.open();
        CHECK_FALSE(h.pub.answered());
        h.advance(1h);
        CHECK_FALSE(h.pub.overdue(h.now));
    }
}

TEST_CASE("overdue: each message that is left without an answer has its time") {
    producer_options o;
    o.send_timeout = 40s;
    harness h(o);
    h.open();
    h.send_many(2);
    h.write_all();
    h.advance(40s);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(39s);
    h.ack(0);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(39s);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(1s);
    CHECK(h.pub.overdue(h.now));
}

TEST_CASE("overdue: 30 s at least, for a server may be slow; and never a message that somebody waits for") {
    producer_options o;
    SUBCASE("without send_timeout") { o.send_timeout = 0s; }
    SUBCASE("with a short one") { o.send_timeout = 100ms; }
    harness h(o);
    h.open();
    const int a = h.send(with_timeout("a", 0ms), true);
    h.write_all();
    h.advance(24h);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.cancel(a);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(30s - 1ns);
    CHECK_FALSE(h.pub.overdue(h.now));
    h.advance(1ns);
    CHECK(h.pub.overdue(h.now));
}

} // namespace
