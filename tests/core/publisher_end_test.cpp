// SPDX-License-Identifier: BSL-1.0
// Flush, open and close; the end of a producer; groups; and the end of everything, when handlers are destroyed
// uncalled.
#include "harness.hpp"

namespace {

using namespace test;

failure closed() { return sluice::make_failure(errc::closed, "the producer is closed"); }

// --- flush

TEST_CASE("flush: completes when what was sent before it has") {
    producer_options o;
    o.max_pending_messages = 2;
    harness h(o);
    const ids before = h.send_many(3);
    const int flush = h.mark(core::node_kind::flush);
    const ids after = h.send_many(2);
    h.open();
    h.write_all();
    h.ack(1);
    h.write_all();
    h.ack(0);
    h.write_all();
    CHECK_FALSE(h.done(flush)); // its bound is behind what waited for room
    h.ack(3);                   // one that came after it
    CHECK_FALSE(h.done(flush));
    h.ack(2);
    CHECK(h.order == ids{before[1], before[0], after[0], before[2], flush});
    CHECK(h.passed(flush));
}

TEST_CASE("flush: with nothing before it, at once; several keep their order") {
    harness h;
    const int none = h.mark(core::node_kind::flush);
    CHECK(h.passed(none));
    const int a = h.send("a");
    const int f1 = h.mark(core::node_kind::flush), f2 = h.mark(core::node_kind::flush);
    const int b = h.send("b");
    const int f3 = h.mark(core::node_kind::flush);
    h.open();
    h.write_all();
    h.ack(0);
    h.ack(1);
    CHECK(h.order == ids{none, a, f1, f2, b, f3});
}

TEST_CASE("flush: never fails for a message's failure, of any kind") {
    producer_options o;
    o.max_frame_bytes = 256;
    harness h(o);
    h.send(std::string(1000, 'x')); // too large
    h.send(with_timeout("late", 1s));
    h.send("refused");
    const int flush = h.mark(core::node_kind::flush);
    h.open();
    h.write_all();
    h.advance(1s);
    CHECK_FALSE(h.done(flush));
    CHECK(!h.refuse(1, "NotAllowedException"));
    CHECK(h.passed(flush));
}

TEST_CASE("flush: time-outs and tombstones end it, not the late answer") {
    harness h;
    h.open();
    h.send("a");
    h.write_all();
    const int flush = h.mark(core::node_kind::flush);
    h.advance(30s);
    CHECK(h.passed(flush));
}

TEST_CASE("flush: outlives a reconnect") {
    harness h;
    h.open();
    h.send("a");
    h.write_all();
    const int flush = h.mark(core::node_kind::flush);
    h.reopen();
    h.write_all();
    CHECK_FALSE(h.done(flush));
    h.ack(0);
    CHECK(h.passed(flush));
}

// --- open

TEST_CASE("open: completes when the socket is open, or at once where it is") {
    harness h;
    const int first = h.mark(core::node_kind::open), second = h.mark(core::node_kind::open);
    CHECK(h.pub.has_deadlines());
    CHECK(h.order.empty());
    h.open();
    CHECK(h.passed(first));
    CHECK(h.passed(second));
    CHECK_FALSE(h.pub.has_deadlines());
    CHECK(h.passed(h.mark(core::node_kind::open)));
    h.lose();
    const int third = h.mark(core::node_kind::open);
    CHECK_FALSE(h.done(third));
    h.open();
    CHECK(h.passed(third));
}

TEST_CASE("open: ends after send_timeout with what lies below; attempts go on") {
    producer_options o;
    o.send_timeout = 2s;
    harness h(o);
    const int a = h.mark(core::node_kind::open);
    h.advance(1s);
    const int b = h.mark(core::node_kind::open);
    h.lose(errc::conflict);
    h.advance(1s);
    CHECK(h.of(a).error.code == errc::connect_timeout);
    CHECK(h.of(a).text() == "no connection: conflict: the cable");
    CHECK_FALSE(h.done(b));
    h.open();
    CHECK(h.passed(b));
}

// --- close

TEST_CASE("close: what was sent before it drains, what comes after it fails") {
    harness h;
    const int before = h.send("before");
    h.mark(core::node_kind::close);
    const int after = h.send("after");
    CHECK(h.pub.closing());
    CHECK(h.is(after, errc::closed, outcome::not_sent));
    CHECK_FALSE(h.pub.drained());
    h.open();
    CHECK(h.write_payloads() == "before");
    h.ack(0);
    CHECK(h.persisted(before));
    CHECK(h.pub.drained());
    core::node_list closers = h.pub.take_closers();
    REQUIRE_FALSE(closers.empty());
    closers.destroy_all();
}

TEST_CASE("close: tells what was sent before it and not stored") {
    harness h;
    h.open();
    h.send("before");
    h.write_all();
    CHECK(!h.refuse(0, "NotAllowedException"));
    CHECK_FALSE(h.pub.lost_while_closing());
    const int a = h.send("a"), b = h.send(with_timeout("b", 1s)), c = h.send("c");
    h.mark(core::node_kind::close);
    h.send("after");
    CHECK_FALSE(h.pub.lost_while_closing()); // what comes after a close was never the close's to drain
    h.write_all();
    h.ack(1);
    CHECK(h.persisted(a));
    CHECK_FALSE(h.pub.lost_while_closing());
    h.advance(1s);
    CHECK(h.done(b));
    CHECK(!h.refuse(3, "NotAllowedException"));
    CHECK(h.done(c));
    const failure f = h.pub.lost_while_closing();
    CHECK(f.code == errc::ack_timeout);
    CHECK(f.details->text.starts_with("close: 2 messages were not acknowledged; the first: "));
    CHECK(h.pub.closing_outcome() == outcome::maybe_persisted);
    h.pub.take_closers().destroy_all();
}

TEST_CASE("close: what its sender has cancelled is no loss; what the end of the producer takes is") {
    harness h;
    h.open();
    const int a = h.send("a", true), b = h.send("b");
    h.mark(core::node_kind::close);
    h.cancel(a);
    CHECK_FALSE(h.pub.lost_while_closing());
    CHECK(h.pub.closing_outcome() == outcome::not_sent);
    h.pub.end(failure{errc::aborted, nullptr});
    h.pub.close_accumulator(h.now);
    h.deliver();
    CHECK(h.aborted(b, outcome::not_sent));
    CHECK(h.pub.lost_while_closing().code == errc::aborted);
    h.pub.take_closers().destroy_all();
}

TEST_CASE("time-out of a message: what is over already is not sent") {
    harness h;
    h.open();
    const int late = h.send(with_timeout("late", -5ms));
    CHECK(h.is(late, errc::send_timeout, outcome::not_sent));
    CHECK(h.of(late).text().find("-5 ms") != std::string_view::npos);
    CHECK(h.write_all().empty());
}

TEST_CASE("close: closers that nobody took are destroyed with the publisher") {
    harness h;
    h.mark(core::node_kind::close);
    h.mark(core::node_kind::close);
    CHECK(h.alive == 2);
}

// --- the end

TEST_CASE("end: each in its stage, with the cause") {
    producer_options o;
    o.max_pending_messages = 1;
    harness h(o);
    const int written = h.send("a"), waiting = h.send("b");
    const int flush = h.mark(core::node_kind::flush);
    h.open();
    h.write_all();
    h.lose();
    const int opener = h.mark(core::node_kind::open);
    const int undrained = h.submit("c");
    const failure why = sluice::make_failure(errc::forbidden, "403");
    h.pub.end(why);
    CHECK_FALSE(h.pub.close_accumulator(h.now));
    h.deliver();
    CHECK(h.is(written, errc::forbidden, outcome::maybe_persisted));
    CHECK(h.is(waiting, errc::forbidden, outcome::not_sent));
    CHECK(h.is(undrained, errc::forbidden, outcome::not_sent));
    CHECK(h.of(opener).error.code == errc::forbidden);
    CHECK(h.passed(flush));
    CHECK(h.of(undrained).text() == "403");
    CHECK(h.pub.drained());
    CHECK_FALSE(h.pub.has_deadlines());
    CHECK(h.pub.end_reason().code == errc::forbidden);
}

TEST_CASE("end: what was pushed between the last drain and the end is ended alike") {
    harness h;
    h.drain();
    const int message = h.submit("a");
    harness::marker* const flush = h.make_marker(core::node_kind::flush);
    harness::marker* const open = h.make_marker(core::node_kind::open);
    harness::marker* const close = h.make_marker(core::node_kind::close);
    const ids marks{flush->id, open->id, close->id};
    for (harness::marker* m : {flush, open, close}) h.pub.submit(m);
    h.pub.end(closed());
    h.pub.close_accumulator(h.now);
    h.deliver();
    CHECK(h.is(message, errc::closed, outcome::not_sent));
    CHECK(h.passed(marks[0])); // a flush never fails for a message's failure
    CHECK(h.of(marks[1]).error.code == errc::closed);
    CHECK_FALSE(h.done(marks[2]));
    core::node_list closers = h.pub.take_closers();
    CHECK_FALSE(closers.empty());
    closers.destroy_all();
}

TEST_CASE("end: reservations of what is ended are given back") {
    producer_options o;
    o.max_pending_messages = 1;
    harness h(o);
    REQUIRE(h.pub.reserve("x"));
    const int id = h.submit("a");
    h.nodes[id]->counted = true;
    h.pub.end(closed());
    h.pub.close_accumulator(h.now);
    h.deliver();
    CHECK(h.done(id));
    CHECK(h.pub.reserve("x"));
}

TEST_CASE("end: close_accumulator tells whether it was armed") {
    {
        harness h;
        h.pub.end(closed());
        CHECK(h.pub.close_accumulator(h.now)); // it starts armed
    }
    {
        harness h;
        h.send("a");
        CHECK(h.pub.arm());
        h.pub.end(closed());
        CHECK(h.pub.close_accumulator(h.now));
        h.deliver();
    }
    {
        harness h;
        h.submit("a"); // who pushed it holds the reference of the armed producer
        h.pub.end(closed());
        CHECK_FALSE(h.pub.close_accumulator(h.now));
        h.deliver();
    }
}

TEST_CASE("end: afterwards nothing is taken, and refuse ends it") {
    harness h;
    h.pub.end(closed());
    h.pub.close_accumulator(h.now);
    harness::message_node* const n = h.make("a");
    harness::marker* const waiter = h.make_marker(core::node_kind::admitted);
    n->waiter = waiter;
    const ids both{waiter->id, n->id};
    REQUIRE(h.pub.submit(n) == core::accumulator::pushed::closed);
    core::node_list done;
    core::publisher::refuse(n, h.pub.end_reason(), done);
    CHECK(h.order.empty());
    while (core::node* each = done.pop_front()) each->finish(each, true);
    CHECK(h.order == both);
    CHECK(h.of(both[0]).error.code == errc::closed);
    CHECK(h.is(both[1], errc::closed, outcome::not_sent));
}

TEST_CASE("end: a cancellation that comes after refuse finds nobody to tell") {
    harness h;
    harness::message_node* const n = h.make("a");
    n->cancellable = true;
    core::node_list done;
    core::publisher::refuse(n, closed(), done);
    CHECK_FALSE(h.request(n->id));
    done.pop_front();
    n->finish(n, false);
}

// --- groups

/// As a `send_all`: borrows its messages, completes once.
struct group : core::node, core::send_group {
    struct member : core::receipt_node {
        std::string bytes;
    };
    group(harness& h, int n) : owner(&h), members(static_cast<std::size_t>(n)), left(n) {
        finish = [](core::node* base, bool invoke) {
            auto* const self = static_cast<group*>(base);
            --self->owner->alive;
            (invoke ? self->invoked : self->destroyed)++;
        };
        completion = this;
        settled = [](core::send_group* g, core::send_node* m) {
            auto* const self = static_cast<group*>(g);
            self->codes.push_back(m->error);
            self->outcomes.push_back(m->result->outcome);
            return --self->left == 0;
        };
        for (int i = 0; i < n; ++i) {
            member& m = members[static_cast<std::size_t>(i)];
            m.bytes = "g" + std::to_string(i);
            m.message = sluice::message_view(m.bytes);
            m.send_node::group = this;
            if (i != 0) members[static_cast<std::size_t>(i - 1)].next = &m;
        }
        ++h.alive;
    }
    void submit() { owner->pub.submit(&members.front(), &members.back()); }

    harness* owner;
    std::vector<member> members;
    int left;
    int invoked = 0, destroyed = 0;
    std::vector<std::error_code> codes{};
    std::vector<outcome> outcomes{};
};

TEST_CASE("group: one completion, after the last of its messages, whatever became of each") {
    producer_options o;
    o.max_pending_messages = 3;
    harness h(o);
    const int before = h.send("before");
    group g(h, 4);
    g.submit();
    const int after = h.send("after");
    h.open();
    CHECK(h.write_payloads() == "before g0 g1");
    h.ack(2);
    h.ack(0);
    CHECK(!h.refuse(1, "NotAllowedException"));
    CHECK(h.write_payloads() == "g2 g3 after");
    h.ack(5);
    h.ack(4);
    CHECK(g.invoked == 0);
    h.advance(30s);
    CHECK(g.invoked == 1);
    CHECK(g.outcomes ==
          std::vector{outcome::persisted, outcome::rejected, outcome::persisted, outcome::maybe_persisted});
    CHECK(g.codes.back() == errc::ack_timeout);
    CHECK(h.persisted(before));
    CHECK(h.persisted(after));
}

TEST_CASE("group: cancelled member by member, with one link late") {
    harness h;
    group g(h, 3);
    for (group::member& m : g.members) m.cancellable = true;
    g.submit();
    h.drain();
    h.open();
    h.write_all();
    for (group::member& m : g.members) m.cancel = core::cancel_state::requested;
    h.pub.request_cancel(&g.members[0]);
    h.pub.request_cancel(&g.members[2]);
    h.pub.cancel_requested(h.now);
    h.ack(1);
    h.deliver();
    CHECK(g.invoked == 0);
    h.pub.request_cancel(&g.members[1]);
    h.pub.cancel_requested(h.now);
    h.deliver();
    CHECK(g.invoked == 1);
    CHECK(std::count(g.outcomes.begin(), g.outcomes.end(), outcome::persisted) == 1);
}

// --- destruction

TEST_CASE("destroy_all: every node in every place, uncalled, once") {
    producer_options o;
    o.max_pending_messages = 2;
    harness h(o);
    h.open();
    const int answered = h.send("answered");
    h.write_all();
    const std::string answer = server_frame(ok_text(0));
    std::memcpy(h.pub.prepare(answer.size()).data(), answer.data(), answer.size());
    CHECK(!h.pub.received(answer.size(), h.now)); // finished, not delivered

    const int written = h.submit("written"), limbo = h.submit("limbo", true), waiting = h.submit("waiting");
    h.pub.drain(h.now);
    CHECK_FALSE(h.pub.encode().empty());
    h.mark(core::node_kind::flush);
    h.mark(core::node_kind::close);
    REQUIRE(h.request(limbo));
    h.link(limbo);
    const std::string second = server_frame(ok_text(2));
    std::memcpy(h.pub.prepare(second.size()).data(), second.data(), second.size());
    CHECK(!h.pub.received(second.size(), h.now));

    harness::message_node* const push = h.make("push");
    push->waiter = h.make_marker(core::node_kind::admitted);
    h.pub.submit(push);
    h.pub.drain(h.now);
    const int undrained = h.submit("undrained", true);
    REQUIRE(h.request(undrained));
    h.link(undrained);
    h.pub.lost({});
    h.mark(core::node_kind::open);

    h.order.clear();
    h.pub.destroy_all();
    for (const int id : {written, limbo, waiting, undrained}) {
        REQUIRE(h.done(id));
        CHECK_FALSE(h.results[id].invoked);
    }
    CHECK(h.done(answered));
    CHECK(h.alive == 0);
    h.pub.destroy_all(); // nothing left
}

TEST_CASE("destroy_all: a group that waits, and one that has finished and is not delivered") {
    harness h;
    h.open();
    group waits(h, 3), finished(h, 2);
    finished.submit();
    h.pub.drain(h.now);
    CHECK_FALSE(h.pub.encode().empty());
    for (std::uint64_t c = 0; c < 2; ++c) {
        const std::string answer = server_frame(ok_text(c));
        std::memcpy(h.pub.prepare(answer.size()).data(), answer.data(), answer.size());
        CHECK(!h.pub.received(answer.size(), h.now));
    }
    waits.submit();
    h.pub.drain(h.now);
    h.pub.destroy_all();
    CHECK(waits.destroyed == 1);
    CHECK(waits.invoked == 0);
    CHECK(finished.destroyed == 1);
    CHECK(finished.invoked == 0);
}

TEST_CASE("destroy_all: a handler's end may destroy what else was waiting, and look at the publisher") {
    harness h;
    struct curious : core::receipt_node {
        harness* owner = nullptr;
    };
    curious n;
    n.owner = &h;
    ++h.alive;
    n.finish = [](core::node* base, bool) {
        harness& owner = *static_cast<curious*>(core::as_send(base))->owner;
        --owner.alive;
        CHECK(owner.pub.drained());
        harness::message_node* const late = owner.make("late");
        CHECK(owner.pub.submit(late) == core::accumulator::pushed::closed);
        late->finish(late, false);
    };
    h.pub.submit(&n);
    h.send("other");
    h.pub.destroy_all();
}

} // namespace
