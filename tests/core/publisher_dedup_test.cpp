// SPDX-License-Identifier: BSL-1.0
// Effectively-once: what each socket announces, runs and holes, repeats, refusals, and batching off on a resend.
#include "harness.hpp"

namespace {

using namespace test;

constexpr bool cancellable = true;
constexpr std::int64_t first = 5000;

producer_options once(bool batching = false) {
    producer_options o;
    o.producer_name = "p";
    o.deduplicate = true;
    o.batching_enabled = batching;
    return o;
}

struct once_harness : harness {
    explicit once_harness(const producer_options& o = once()) : harness(o, first) {}
};

// --- numbers

TEST_CASE("deduplicate: a socket is opened with the number before the first one that it carries") {
    once_harness h;
    CHECK(h.open().initial_sequence_id == first - 1);
    const ids sent = h.send_many(3);
    h.write_all();
    h.ack(0);
    CHECK(h.of(sent[0]).receipt.sequence_id == first);
    CHECK(h.pub.last_sequence_id() == first);
    CHECK(h.reopen().initial_sequence_id == first); // 1 goes first
    CHECK(h.write_contexts() == contexts{1, 2});
    h.ack(1);
    h.ack(2);
    CHECK(h.of(sent[2]).receipt.sequence_id == first + 2);
    CHECK(h.reopen().initial_sequence_id == first + 2); // nothing unanswered: the next new one
    h.send("next");
    CHECK(h.write_contexts() == contexts{3});
}

TEST_CASE("numbers: without deduplicate only the user's first number is announced") {
    harness plain;
    CHECK_FALSE(plain.open().initial_sequence_id);
    producer_options o;
    o.initial_sequence_id = 41;
    harness h(o, 42);
    CHECK(h.open().initial_sequence_id == 41);
    const int id = h.send("a");
    h.write_all();
    CHECK(h.reopen().initial_sequence_id == 41);
    h.write_all();
    h.ack(0);
    CHECK(h.of(id).receipt.sequence_id == 42);
    CHECK(h.reopen().initial_sequence_id == 42);
    CHECK_FALSE(h.pub.wants_reopen());
}

// --- repeats

TEST_CASE("deduplicate: a repeat is a success on a resend, an error at the first time") {
    once_harness h;
    const int a = h.send("a");
    h.open();
    h.write_all();
    h.reopen();
    const int b = h.send("b");
    h.write_all();
    CHECK(!h.say(repeat_text(0)));
    CHECK(h.is(a, {}, outcome::duplicate));
    CHECK(!h.say(repeat_text(1)));
    CHECK(h.is(b, errc::sequence_in_use, outcome::rejected));
    CHECK(h.of(b).text().find(std::to_string(first + 1)) != std::string::npos);
    CHECK(h.pub.last_sequence_id() == first);
    CHECK(h.pub.numbers().snapshot().duplicates == 1);
    CHECK(h.pub.numbers().snapshot().failed == 1);
}

// A topic is unloaded, or a broker restarts: the proxy sends again what it has in flight, which the broker had stored.
TEST_CASE("deduplicate: a repeat behind what this socket has stored is the proxy's own: a success") {
    once_harness h;
    const ids sent = h.send_many(4);
    h.open();
    h.write_all();
    h.ack(0);
    CHECK(!h.say(repeat_text(1)));
    CHECK(!h.say(repeat_text(2)));
    h.ack(3);
    CHECK(h.is(sent[1], {}, outcome::duplicate));
    CHECK(h.is(sent[2], {}, outcome::duplicate));
    CHECK(h.persisted(sent[3]));
    h.reopen(); // of another socket nothing is known yet
    const int next = h.send("next");
    h.write_all();
    CHECK(!h.say(repeat_text(4)));
    CHECK(h.is(next, errc::sequence_in_use, outcome::rejected));
}

TEST_CASE("deduplicate: with the user's own first number a repeat is what was asked for") {
    producer_options o = once();
    o.initial_sequence_id = first - 1;
    once_harness h(o);
    const int a = h.send("a");
    h.open();
    h.write_all();
    CHECK(!h.say(repeat_text(0)));
    CHECK(h.is(a, {}, outcome::duplicate));
    const int b = h.send("b");
    const int c = h.send("c");
    h.write_all();
    h.ack(1);
    CHECK(h.persisted(b));
    h.ack(2);
    CHECK(h.persisted(c));
    // From here on nothing of an earlier run's is left: what is dropped on another socket is somebody else's.
    h.lose();
    h.open();
    const int d = h.send("d");
    h.write_all();
    CHECK(!h.say(repeat_text(3)));
    CHECK(h.is(d, errc::sequence_in_use, outcome::rejected));
}

// --- runs and holes

TEST_CASE("deduplicate: each run of consecutive numbers gets a socket of its own") {
    once_harness h;
    ids sent;
    for (int i = 0; i < 6; ++i) sent.push_back(h.send("m" + std::to_string(i), cancellable));
    h.open();
    h.write_all();
    h.cancel(sent[0]);
    h.cancel(sent[3]);
    h.lose();
    CHECK(h.pub.announce().initial_sequence_id == first); // the hole at the front is jumped over
    h.open();
    CHECK(h.write_contexts() == contexts{1, 2}); // up to the hole
    CHECK_FALSE(h.pub.wants_reopen());
    CHECK(h.pub.blocked());
    h.send("new");
    CHECK(h.write_all().empty());
    h.ack(1);
    CHECK_FALSE(h.pub.wants_reopen());
    h.ack(2);
    CHECK(h.renumber().initial_sequence_id == first + 3);
    CHECK(h.write_contexts() == contexts{4, 5, 6}); // the new one follows without a hole
    for (std::uint64_t c = 4; c < 7; ++c) h.ack(c);
    CHECK(h.pub.drained());
    CHECK_FALSE(h.pub.wants_reopen());
}

TEST_CASE("deduplicate: a hole before the next new message") {
    once_harness h;
    const int a = h.send("a"), b = h.send("b", cancellable);
    h.open();
    h.write_all();
    h.cancel(b);
    h.reopen();
    CHECK(h.write_contexts() == contexts{0});
    h.ack(0);
    CHECK(h.persisted(a));
    CHECK_FALSE(h.pub.wants_reopen()); // nothing to say
    h.send("c");
    CHECK(h.write_all().empty());
    CHECK(h.renumber().initial_sequence_id == first + 1);
    CHECK(h.write_contexts() == contexts{2});
}

TEST_CASE("deduplicate: a tombstone on the socket that carries it is no hole") {
    once_harness h;
    h.open();
    const int a = h.send("a", cancellable);
    h.write_all();
    h.cancel(a);
    h.send("b");
    CHECK(h.write_contexts() == contexts{1});
    h.ack(0);
    h.ack(1);
    h.send("c");
    CHECK(h.write_contexts() == contexts{2});
}

TEST_CASE("deduplicate: a message given up after the socket was announced, or before it is encoded again") {
    once_harness h;
    const int a = h.send("a", cancellable), b = h.send("b");
    h.open();
    h.write_all();
    h.lose();
    SUBCASE("announced, not open") {
        CHECK(h.pub.announce().initial_sequence_id == first - 1);
        h.cancel(a);
        h.pub.opened({});
    }
    SUBCASE("open, not encoded") {
        h.open();
        h.cancel(a);
    }
    CHECK(h.pub.encode().empty()); // b under a's number would be taken for a
    CHECK(h.renumber().initial_sequence_id == first);
    CHECK(h.write_contexts() == contexts{1});
    h.ack(1);
    CHECK(h.persisted(b));
}

TEST_CASE("deduplicate: all given up after the socket was announced") {
    once_harness h;
    const int a = h.send("a", cancellable);
    h.open();
    h.write_all();
    h.lose();
    h.pub.announce();
    h.cancel(a);
    h.pub.opened({});
    CHECK(h.pub.encode().empty());
    CHECK_FALSE(h.pub.wants_reopen());
    h.send("b");
    CHECK(h.pub.encode().empty()); // b has number first + 1, the broker would give first
    CHECK(h.renumber().initial_sequence_id == first);
    CHECK(h.write_contexts() == contexts{1});
}

TEST_CASE("deduplicate: time-outs while reopening do not blame it") {
    once_harness h;
    h.send("a");
    h.open();
    h.write_all();
    CHECK(!h.refuse(0, "NotAllowedException"));
    CHECK(h.pub.wants_reopen());
    const int b = h.send("b");
    h.pub.lost(failure{errc::aborted, nullptr});
    h.advance(30s);
    CHECK(h.is(b, errc::send_timeout, outcome::not_sent));
    CHECK(h.of(b).text().find("aborted") == std::string::npos);
}

// --- refusals

TEST_CASE("deduplicate: an ambiguous refusal is a cut: asked again until the message's own deadline") {
    for (const char* exception : {"TimeoutException", "AlreadyClosedException"}) {
        CAPTURE(exception);
        once_harness h;
        const ids sent = h.send_many(2);
        h.open();
        h.write_all();
        CHECK(h.refuse(0, exception));
        CHECK(h.order.empty());
        CHECK(h.reopen().initial_sequence_id == first - 1);
        CHECK(h.write_contexts() == contexts{0, 1});
        CHECK(!h.say(repeat_text(0)));
        h.ack(1);
        CHECK(h.is(sent[0], {}, outcome::duplicate));
        CHECK(h.persisted(sent[1]));
    }
}

TEST_CASE("deduplicate: a refusal: stop writing, settle what is in flight, reopen with a jump ahead") {
    for (const char* exception : {"ProducerQueueIsFullError", "InvalidMessageException", "NotAllowedException",
                                  "ProducerBlockedQuotaExceededException"}) {
        CAPTURE(exception);
        once_harness h;
        const ids sent = h.send_many(3);
        h.open();
        h.write_all();
        CHECK(!h.refuse(1, exception));
        CHECK(h.done(sent[1]));
        const int later = h.send("later");
        CHECK(h.write_all().empty());
        h.ack(0);
        CHECK_FALSE(h.pub.wants_reopen());
        h.ack(2);
        CHECK(h.persisted(sent[0]));
        CHECK(h.persisted(sent[2]));
        CHECK(h.renumber().initial_sequence_id == first + 2); // not below what the broker may have given
        CHECK(h.write_contexts() == contexts{3});
        h.ack(3);
        CHECK(h.persisted(later));
        CHECK_FALSE(h.pub.wants_reopen());
    }
}

TEST_CASE("deduplicate: a refusal of a tombstone leaves the numbering unknown all the same") {
    once_harness h;
    h.open();
    const int a = h.send("a", cancellable);
    h.write_all();
    h.cancel(a);
    CHECK(!h.refuse(0, "NotAllowedException"));
    CHECK(h.pub.wants_reopen());
    h.send("b");
    CHECK(h.renumber().initial_sequence_id == first);
    CHECK(h.write_contexts() == contexts{1});
}

TEST_CASE("deduplicate: a refusal, then a cut: what is in flight may be stored, what was not yet said is sent again") {
    producer_options o = once();
    o.batching_max_bytes = 4096;
    o.max_pending_messages = 4;
    once_harness h(o);
    ids sent;
    for (int i = 0; i < 4; ++i) sent.push_back(h.send(std::string(2000, static_cast<char>('a' + i))));
    h.open();
    h.write_all();
    h.reopen();
    CHECK(h.write().size() == 1); // 0
    CHECK(h.write().size() == 1); // 1
    CHECK(!h.refuse(0, "NotAllowedException"));
    h.lose();
    CHECK(h.is(sent[0], errc::rejected, outcome::maybe_persisted)); // the first socket may have stored it
    CHECK(h.is(sent[1], errc::connection_lost, outcome::maybe_persisted));
    CHECK(h.of(sent[1]).text() == "the cable");
    CHECK(h.open().initial_sequence_id == first + 1);
    CHECK(h.write_contexts() == contexts{2, 3});
    CHECK(!h.say(repeat_text(2)));
    h.ack(3);
    CHECK(h.is(sent[2], {}, outcome::duplicate));
    CHECK(h.persisted(sent[3]));
}

TEST_CASE("deduplicate: a refusal that overtakes: what was written before it keeps its number over a cut") {
    once_harness h;
    const ids sent = h.send_many(4);
    h.open();
    h.write_all();
    CHECK(!h.refuse(2, "ProducerQueueIsFullError"));
    CHECK(h.is(sent[2], errc::queue_full, outcome::not_sent));
    h.lose();
    CHECK(h.order == ids{sent[2], sent[3]});
    CHECK(h.is(sent[3], errc::connection_lost, outcome::maybe_persisted));
    CHECK(h.open().initial_sequence_id == first - 1);
    CHECK(h.write_contexts() == contexts{0, 1});
    CHECK(!h.say(repeat_text(0))); // a true repeat
    h.ack(1);
    CHECK(h.is(sent[0], {}, outcome::duplicate));
    CHECK(h.persisted(sent[1]));
}

// The broker's numbers move down behind a message that took none. What is sent again then comes under a number that
// another one had, and is dropped though it may never have been stored: no success.
TEST_CASE("deduplicate: a repeat behind a refusal is not believed") {
    once_harness h;
    const ids sent = h.send_many(3);
    h.open();
    h.write_all();
    h.reopen();
    const int fresh = h.send("fresh");
    h.write_all();
    CHECK(!h.refuse(1, "ProducerQueueIsFullError"));
    CHECK(h.is(sent[1], errc::queue_full, outcome::maybe_persisted)); // refused now, perhaps not before
    CHECK(!h.say(repeat_text(0)));
    CHECK(!h.say(repeat_text(2)));
    CHECK(!h.say(repeat_text(3)));
    CHECK(h.is(sent[0], {}, outcome::duplicate)); // before the refused one
    CHECK(h.is(sent[2], errc::rejected, outcome::maybe_persisted));
    CHECK(h.is(fresh, errc::rejected, outcome::rejected)); // written once, dropped once
    h.send("next");
    CHECK(h.write_all().empty());
    CHECK(h.renumber().initial_sequence_id == first + 3);
    CHECK(h.write_contexts() == contexts{4});
    CHECK(!h.say(repeat_text(4))); // the new socket's numbers are ours
    CHECK(h.results.rbegin()->second.error.code == errc::sequence_in_use);
}

TEST_CASE("deduplicate: a frame that the server did not understand took no number: nothing in flight is sent again") {
    once_harness h;
    const ids sent = h.send_many(3);
    h.open();
    h.write_all();
    h.ack(0);
    CHECK(h.say(R"({"result":"send-error:3","errorMsg":"?"})").code == errc::unexpected_answer);
    h.lose();
    CHECK(h.is(sent[1], errc::connection_lost, outcome::maybe_persisted));
    CHECK(h.is(sent[2], errc::connection_lost, outcome::maybe_persisted));
    CHECK(h.open().initial_sequence_id == first + 2);
    h.send("next");
    CHECK(h.write_contexts() == contexts{3});
}

TEST_CASE("deduplicate: without the option a refusal changes nothing for the others") {
    harness h;
    h.send_many(2);
    h.open();
    h.write_all();
    CHECK(!h.refuse(0, "NotAllowedException"));
    h.send("c");
    CHECK(h.write_contexts() == contexts{2});
    CHECK_FALSE(h.pub.wants_reopen());
}

// --- batching

TEST_CASE("deduplicate: old messages go out with batching off, and batching returns once they are settled") {
    once_harness h(once(true));
    CHECK(h.open().batching);
    h.send_many(2);
    h.write_all();
    h.lose();
    const auto again = h.open();
    CHECK_FALSE(again.batching);
    CHECK(again.initial_sequence_id == first - 1);
    h.send("while old ones are unsettled");
    CHECK(h.write_contexts() == contexts{0, 1, 2}); // may follow on the same socket
    h.ack(0);
    h.ack(1);
    CHECK_FALSE(h.pub.wants_reopen()); // nothing new to say
    h.send("new");
    CHECK(h.write_all().empty());
    CHECK_FALSE(h.pub.wants_reopen()); // 2 is in flight
    h.ack(2);
    const auto batching = h.renumber();
    CHECK(batching.batching);
    CHECK(batching.initial_sequence_id == first + 2);
    CHECK(h.write_contexts() == contexts{3});
    h.ack(3);
    h.send("more");
    CHECK(h.write_contexts() == contexts{4}); // and stays
}

TEST_CASE("deduplicate: a loss while batching is about to return") {
    once_harness h(once(true));
    h.open();
    h.send("a");
    h.write_all();
    h.reopen();
    h.write_all();
    h.ack(0);
    h.send("b");
    CHECK(h.write_all().empty());
    CHECK(h.pub.wants_reopen());
    CHECK(h.reopen().batching); // nothing unanswered was written
    CHECK(h.write_contexts() == contexts{1});
}

TEST_CASE("deduplicate: batching needs no detour without the option, or with nothing old") {
    producer_options o;
    o.batching_enabled = true;
    harness plain(o);
    plain.open();
    plain.send("a");
    plain.write_all();
    CHECK(plain.reopen().batching);
    CHECK(plain.write_contexts() == contexts{0});

    once_harness h(once(true));
    h.open();
    h.send("a");
    h.write_all();
    h.ack(0);
    CHECK(h.reopen().batching);
    harness off;
    CHECK_FALSE(off.open().batching);
}

TEST_CASE("deduplicate: a first message written on the socket without batching is judged as a first one") {
    once_harness h(once(true));
    h.open();
    h.send("a");
    h.write_all();
    h.reopen();
    const int b = h.send("b");
    h.write_all();
    CHECK(!h.say(repeat_text(1)));
    CHECK(h.is(b, errc::sequence_in_use, outcome::rejected));
}

// --- order within the window

TEST_CASE("deduplicate: acknowledgements out of order change nothing") {
    once_harness h;
    h.send_many(4);
    h.open();
    h.write_all();
    h.ack(3);
    h.ack(1);
    CHECK(h.reopen().initial_sequence_id == first - 1);
    CHECK(h.write_contexts() == contexts{0}); // 1 was answered: a hole for this socket
    h.ack(0);
    CHECK(h.renumber().initial_sequence_id == first + 1);
    CHECK(h.write_contexts() == contexts{2});
    h.ack(2);
    CHECK(h.pub.drained());
    CHECK(h.pub.last_sequence_id() == first + 3);
    h.send("next");
    CHECK(h.write_all().empty());
    CHECK(h.renumber().initial_sequence_id == first + 3);
    CHECK(h.write_contexts() == contexts{4});
}

} // namespace
