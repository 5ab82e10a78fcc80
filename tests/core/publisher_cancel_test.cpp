// SPDX-License-Identifier: BSL-1.0
// Cancellation: of one send in each stage, with the handshake won and lost; of pushes; of everything.
#include "harness.hpp"

#include <atomic>
#include <thread>

namespace {

using namespace test;

constexpr bool cancellable = true;

// --- stages

TEST_CASE("cancel: a producer that has ended keeps nothing of what was let go of") {
    harness h;
    const int a = h.send("a", cancellable), b = h.send("b");
    h.open();
    CHECK(h.write_payloads() == "a b");
    h.cancel(a);
    CHECK(h.aborted(a, outcome::maybe_persisted));
    CHECK(h.pub.numbers().snapshot().pending_messages == 2);
    h.pub.end(failure{errc::aborted, nullptr});
    h.deliver();
    CHECK(h.aborted(b, outcome::maybe_persisted));
    CHECK(h.pub.numbers().snapshot().pending_messages == 0);
    CHECK(h.pub.numbers().snapshot().pending_bytes == 0);
}

TEST_CASE("cancel: before it is drained it is withdrawn") {
    harness h;
    h.open();
    const int a = h.submit("a", cancellable), b = h.submit("b");
    h.cancel(a);
    CHECK(h.aborted(a, outcome::not_sent));
    CHECK(h.of(a).receipt.sequence_id == -1);
    CHECK(h.write_payloads() == "b");
    h.ack(0); // b has its number
    CHECK(h.persisted(b));
}

TEST_CASE("cancel: waiting for room or for a socket, it is withdrawn and leaves no hole") {
    producer_options o;
    o.max_pending_messages = 1;
    harness h(o);
    const int a = h.send("a"), b = h.send("b", cancellable), c = h.send("c");
    SUBCASE("without a socket") {
        h.cancel(b);
        h.open();
        CHECK(h.write_payloads() == "a");
    }
    SUBCASE("without room") {
        h.open();
        CHECK(h.write_payloads() == "a");
        h.cancel(b);
    }
    CHECK(h.aborted(b, outcome::not_sent));
    h.ack(0);
    CHECK(h.write_contexts() == contexts{1});
    h.ack(1);
    CHECK(h.order == ids{b, a, c});
    CHECK(h.of(c).receipt.sequence_id == 1);
}

TEST_CASE("cancel: written, it leaves a tombstone that keeps place and number") {
    producer_options o;
    o.max_pending_messages = 2;
    harness h(o);
    const int a = h.send("a", cancellable), b = h.send("b"), c = h.send("c");
    h.open();
    CHECK(h.write_contexts() == contexts{0, 1});
    h.cancel(a);
    CHECK(h.aborted(a, outcome::maybe_persisted));
    CHECK(h.of(a).receipt.sequence_id == 0);
    CHECK(h.write_all().empty()); // no room: the server may still hold it
    CHECK(h.pub.numbers().snapshot().pending_messages == 2);
    CHECK(h.pub.messages() == 2);
    h.ack(0);
    CHECK(h.order == ids{a});
    CHECK(h.write_contexts() == contexts{2});
    h.ack(1);
    h.ack(2);
    CHECK(h.persisted(b));
    CHECK(h.persisted(c));
}

TEST_CASE("cancel: a withdrawal is granted before the message is encoded, and not afterwards") {
    producer_options o;
    o.max_pending_messages = 1;
    harness h(o);
    const int a = h.send("a", cancellable), b = h.send("b", cancellable);
    h.open();
    CHECK(h.write_payloads() == "a");
    h.withdraw(a);
    h.withdraw(b);
    CHECK(h.order == ids{b});
    CHECK(h.aborted(b, outcome::not_sent));
    h.withdraw(a); // again, as nothing has happened
    CHECK_FALSE(h.done(a));
    SUBCASE("it goes on") {
        h.ack(0);
        CHECK(h.persisted(a));
    }
    SUBCASE("and can still be let go of") {
        h.cancel(a);
        CHECK(h.aborted(a, outcome::maybe_persisted));
    }
    SUBCASE("the answer comes between the request and its link") {
        h.request(a, core::cancel_state::withdrawal_requested);
        h.ack(0);
        CHECK_FALSE(h.done(a));
        h.link(a);
        h.advance(0ms);
        CHECK(h.persisted(a));
    }
}

TEST_CASE("cancel: a tombstone may be refused; nobody is told twice") {
    harness h;
    const int a = h.send("a", cancellable), b = h.send("b");
    h.open();
    h.write_all();
    h.cancel(a);
    CHECK(!h.refuse(0, "NotAllowedException"));
    h.ack(1);
    CHECK(h.order == ids{a, b});
    CHECK(h.pub.drained());
}

TEST_CASE("cancel: awaiting a resend, it is not sent again, and may have been stored") {
    harness h;
    const int a = h.send("a"), b = h.send("b", cancellable), c = h.send("c");
    h.open();
    h.write_all();
    SUBCASE("without a socket") {
        h.lose();
        h.cancel(b);
        h.open();
    }
    SUBCASE("with one, before it is encoded again") {
        h.reopen();
        h.cancel(b);
    }
    CHECK(h.aborted(b, outcome::maybe_persisted));
    CHECK(h.write_contexts() == contexts{0, 2});
    h.ack(0);
    h.ack(2);
    CHECK(h.order == ids{b, a, c});
}

TEST_CASE("cancel: it also ends the time-out") {
    harness h;
    const int a = h.send("a", cancellable), b = h.send(with_timeout("b", 1s), cancellable);
    h.cancel(b);
    h.cancel(a);
    CHECK_FALSE(h.pub.has_deadlines());
    h.advance(60s);
    CHECK(h.order == ids{b, a});
}

TEST_CASE("cancel: many links in one go") {
    harness h;
    h.open();
    ids all;
    for (int i = 0; i < 5; ++i) all.push_back(h.send("x", cancellable));
    for (const int id : all) {
        REQUIRE(h.request(id));
        h.link(id);
    }
    h.pub.cancel_requested(h.now);
    h.deliver();
    for (const int id : all) CHECK(h.aborted(id, outcome::not_sent));
    h.pub.cancel_requested(h.now); // nothing left
    CHECK(h.pub.drained());
}

// --- the handshake

TEST_CASE("cancel: once the strand has the result, a request comes too late") {
    harness h;
    const int a = h.send("a", cancellable);
    h.open();
    h.write_all();
    REQUIRE(!h.receive(std::string_view())); // settle without delivering
    const std::string answer = server_frame(ok_text(0));
    std::memcpy(h.pub.prepare(answer.size()).data(), answer.data(), answer.size());
    CHECK(!h.pub.received(answer.size(), h.now));
    CHECK_FALSE(h.request(a)); // completing
    h.deliver();
    CHECK(h.persisted(a));
}

TEST_CASE("cancel: a request whose link is late: the result waits for the link, and is the result") {
    harness h;
    h.open();
    const int a = h.send("a", cancellable);
    SUBCASE("an acknowledgement") {
        h.write_all();
        REQUIRE(h.request(a));
        h.ack(0);
    }
    SUBCASE("a refusal") {
        h.write_all();
        REQUIRE(h.request(a));
        CHECK(!h.refuse(0, "NotAllowedException"));
    }
    SUBCASE("a time-out") {
        REQUIRE(h.request(a));
        h.advance(30s);
    }
    SUBCASE("the producer's cancel") {
        REQUIRE(h.request(a));
        h.cancel_before();
    }
    SUBCASE("the end") {
        REQUIRE(h.request(a));
        h.pub.end(sluice::make_failure(errc::closed, "closed"));
        h.pub.close_accumulator(h.now);
        h.deliver();
    }
    CHECK_FALSE(h.done(a)); // the slot's handler is about to touch the node
    CHECK(h.pub.awaits_cancels());
    CHECK_FALSE(h.pub.drained());
    h.pub.cancel_requested(h.now); // still no link
    h.deliver();
    CHECK_FALSE(h.done(a));
    h.link(a);
    h.pub.cancel_requested(h.now);
    h.deliver();
    REQUIRE(h.done(a));
    CHECK_FALSE(h.pub.awaits_cancels());
    CHECK(h.pub.drained());
    CHECK(h.order == ids{a});
}

TEST_CASE("cancel: the result that waited is told as it was") {
    harness h;
    h.open();
    const int a = h.send("a", cancellable);
    h.write_all();
    REQUIRE(h.request(a));
    h.ack(0);
    h.link(a);
    h.pub.cancel_requested(h.now);
    h.deliver();
    CHECK(h.persisted(a));
    CHECK(h.pub.last_sequence_id() == 0);
}

TEST_CASE("cancel: the link came before the answer, but the strand met the answer first") {
    harness h;
    h.open();
    const int a = h.send("a", cancellable);
    h.write_all();
    REQUIRE(h.request(a));
    h.link(a);
    h.ack(0);
    CHECK_FALSE(h.done(a));
    h.pub.cancel_requested(h.now);
    h.deliver();
    CHECK(h.persisted(a));
}

TEST_CASE("cancel: a flush does not overtake a result that waits for its link") {
    harness h;
    h.open();
    const int a = h.send("a", cancellable);
    const int flush = h.mark(core::node_kind::flush);
    h.write_all();
    REQUIRE(h.request(a));
    h.ack(0);
    CHECK_FALSE(h.done(flush));
    h.link(a);
    h.pub.cancel_requested(h.now);
    h.deliver();
    CHECK(h.order == ids{a, flush});
}

TEST_CASE("cancel: messages without a slot have no handshake") {
    harness h;
    const int a = h.send("a");
    h.cancel_before();
    CHECK(h.aborted(a, outcome::not_sent));
}

// --- everything

TEST_CASE("cancel everything: each in its stage; the producer goes on") {
    producer_options o;
    o.max_pending_messages = 2;
    harness h(o);
    const ids sent = h.send_many(3);
    const int flush = h.mark(core::node_kind::flush);
    h.open();
    h.write_all();
    h.cancel_before();
    CHECK(h.aborted(sent[0], outcome::maybe_persisted));
    CHECK(h.aborted(sent[1], outcome::maybe_persisted));
    CHECK(h.aborted(sent[2], outcome::not_sent));
    CHECK(h.passed(flush));
    CHECK(h.order.back() == flush);
    CHECK(h.pub.drained());
    CHECK_FALSE(h.pub.has_deadlines());
    const int next = h.send("next");
    CHECK(h.write_all().empty()); // the tombstones' share
    h.ack(0);
    CHECK(h.write_payloads() == "next");
    h.ack(2);
    CHECK(h.persisted(next));
    h.cancel_before();
    h.cancel_before();
}

TEST_CASE("cancel everything: what was sent before it, and nothing that is sent behind it") {
    harness h;
    h.open();
    const int before = h.submit("before");
    h.submit_cancel();
    const int after = h.submit("after");
    h.drain(); // all three at once
    CHECK(h.aborted(before, outcome::not_sent));
    CHECK_FALSE(h.done(after));
    CHECK(h.write_payloads() == "after");
    h.ack(0);
    CHECK(h.persisted(after));
}

TEST_CASE("cancel everything: one that was never taken over is destroyed with the publisher") {
    harness h;
    h.submit("before");
    h.submit_cancel(); // the harness counts what is alive
}

TEST_CASE("cancel everything: between two sockets nothing is left to be sent again") {
    harness h;
    const ids sent = h.send_many(2);
    h.open();
    h.write_all();
    h.lose();
    const int opener = h.mark(core::node_kind::open);
    h.cancel_before();
    CHECK_FALSE(h.done(opener)); // it is no send
    for (const int id : sent) CHECK(h.aborted(id, outcome::maybe_persisted));
    h.open();
    CHECK(h.write_all().empty());
    CHECK(h.pub.numbers().snapshot().pending_messages == 0);
}

// --- pushes

struct pushed_message {
    int message, room;
};
pushed_message push(harness& h, std::string text, std::uint64_t ticket) {
    harness::marker* const waiter = h.make_marker(core::node_kind::admitted);
    waiter->ticket = ticket;
    harness::message_node* const n = h.make(std::move(text));
    n->waiter = waiter;
    const pushed_message p{n->id, waiter->id};
    h.pub.submit(n);
    h.drain();
    return p;
}

TEST_CASE("push: told when its message has room, before its result") {
    producer_options o;
    o.max_pending_messages = 1;
    harness h(o);
    const auto a = push(h, "a", 1), b = push(h, "b", 2);
    CHECK(h.order.empty());
    h.open();
    h.write_all();
    CHECK(h.order == ids{a.room});
    CHECK(h.passed(a.room));
    h.ack(0);
    h.write_all();
    CHECK(h.order == ids{a.room, a.message, b.room});
    h.ack(1);
    CHECK(h.persisted(b.message));
}

TEST_CASE("push: a message that fails without room tells both") {
    producer_options o;
    o.max_frame_bytes = 256;
    harness h(o);
    const auto big = push(h, std::string(1000, 'x'), 1);
    CHECK(h.order == ids{big.room, big.message});
    CHECK(h.of(big.room).error.code == errc::too_large);
    CHECK(h.is(big.message, errc::too_large, outcome::not_sent));
    const auto slow = push(h, "slow", 2);
    h.advance(30s);
    CHECK(h.of(slow.room).error.code == errc::send_timeout);
    CHECK(h.is(slow.message, errc::send_timeout, outcome::not_sent));
}

TEST_CASE("cancel_push: only the one that waits under that ticket") {
    harness h;
    const auto a = push(h, "a", 1), b = push(h, "b", 2), c = push(h, "c", 3);
    const int plain = h.send("plain");
    h.pub.cancel_push(2);
    h.pub.cancel_push(2);
    h.pub.cancel_push(77);
    h.pub.cancel_push(0); // the ticket of messages that are no push
    h.deliver();
    CHECK(h.order == ids{b.room, b.message});
    CHECK(h.of(b.room).error.code == errc::aborted);
    CHECK(h.aborted(b.message, outcome::not_sent));
    h.open();
    CHECK(h.write_payloads() == "a c plain");
    h.pub.cancel_push(1); // has got its room: too late
    h.deliver();
    for (std::uint64_t i = 0; i < 3; ++i) h.ack(i);
    CHECK(h.persisted(a.message));
    CHECK(h.persisted(c.message));
    CHECK(h.persisted(plain));
}

TEST_CASE("cancel_push: a flush behind it moves up") {
    harness h;
    push(h, "a", 1);
    const int flush = h.mark(core::node_kind::flush);
    CHECK_FALSE(h.done(flush));
    h.pub.cancel_push(1);
    h.deliver();
    CHECK(h.passed(flush));
}

// --- threads

TEST_CASE("cancel: requests from another thread race with answers; each message completes once") {
    harness h;
    h.open();
    for (int round = 0; round < 300; ++round) {
        constexpr int n = 8;
        std::vector<harness::message_node*> racing;
        ids all;
        for (int i = 0; i < n; ++i) {
            all.push_back(h.send("x", cancellable));
            racing.push_back(h.nodes.at(all.back()));
        }
        const auto frames = h.write_all();
        std::atomic<int> go{0};
        // Each node is looked at before it can have been finished: answers are not delivered until the thread is done.
        std::thread other([&] {
            ++go;
            while (go < 2) {}
            for (harness::message_node* m : racing) {
                auto idle = core::cancel_state::idle;
                if (m->cancel.compare_exchange_strong(idle, core::cancel_state::requested, std::memory_order_acq_rel))
                    h.pub.request_cancel(m);
            }
        });
        ++go;
        while (go < 2) {}
        for (const seen_frame& f : frames) {
            const std::string answer = server_frame(ok_text(f.context));
            std::memcpy(h.pub.prepare(answer.size()).data(), answer.data(), answer.size());
            CHECK(!h.pub.received(answer.size(), h.now));
            h.pub.cancel_requested(h.now);
        }
        other.join();
        h.pub.cancel_requested(h.now);
        h.deliver();
        for (const int id : all) CHECK((h.persisted(id) || h.aborted(id, outcome::maybe_persisted)));
        REQUIRE_FALSE(h.pub.awaits_cancels());
        REQUIRE(h.pub.drained());
    }
}

} // namespace
