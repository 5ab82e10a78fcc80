// SPDX-License-Identifier: BSL-1.0
// Packs: how their messages end. Answers, lost connections, cancellation, time-outs, drops, numbers.
#include "packed_harness.hpp"

#include <sluice/byte_budget.hpp>
#include <sluice/codec/lz4.hpp>

namespace {

using namespace test;

std::string write(harness& h) { return show(h.write()); }

producer_options at_once() {
    producer_options o = packed_options();
    o.pack_waits_when_idle = false;
    return o;
}
/// Packs of two.
producer_options pairs() {
    producer_options o = packed_options();
    o.batching_max_messages = 2;
    return o;
}

} // namespace

// --- answers

TEST_CASE("publisher, packed: a refusal or a repeat is that of each message in the pack") {
    producer_options o = pairs();
    harness h(o);
    h.open();
    const ids sent = h.send_many(6);
    CHECK(write(h) == "[m0 m1] [m2 m3] [m4 m5]");
    CHECK_FALSE(h.refuse(1, "NotAllowedException"));
    CHECK(h.is(sent[2], errc::rejected, outcome::rejected));
    CHECK(h.is(sent[3], errc::rejected, outcome::rejected));
    CHECK_FALSE(h.say(repeat_text(0)));
    CHECK(h.is(sent[0], {}, outcome::duplicate));
    CHECK(h.is(sent[1], {}, outcome::duplicate));
    h.ack(2);
    CHECK(h.order == ids{sent[2], sent[3], sent[0], sent[1], sent[4], sent[5]});
    CHECK(h.pub.drained());
    CHECK_FALSE(h.pub.unanswered());
}

TEST_CASE("publisher, packed: over the server's limit, all messages of the largest frame end") {
    harness h(pairs());
    h.open();
    const int a = h.send("a"), b = h.send("b");
    const int c = h.send(std::string(100, 'c')), d = h.send("d");
    h.write_all();
    CHECK(h.receive(server_close(1009)));
    for (const int id : {c, d}) CHECK(h.is(id, errc::too_large, outcome::rejected));
    CHECK_FALSE(h.done(a));
    h.reopen();
    CHECK(write(h) == "[a b]");
    h.ack(0);
    CHECK(h.persisted(b));
    CHECK(h.pub.drained());
}

TEST_CASE("publisher, packed: what the server takes no more, later packs are smaller than; those on their way go as "
          "they are") {
    producer_options o = packed_options();
    o.batching_max_messages = 1000;
    o.max_pending_messages = 4000;
    harness h(o);
    h.open();
    const auto send = [&] {
        for (int i = 0; i < 200; ++i) h.send(std::string(1000, 'x'));
        h.advance(1s);
    };
    send(); // packs of 128 KiB at most
    std::vector<seen_frame> frames = h.write_all();
    REQUIRE(frames.size() == 2);
    const std::size_t before = deliver(frames[0]).messages.size();
    CHECK(h.receive(server_close(1009)));
    h.reopen();
    frames = h.write_all();
    REQUIRE(frames.size() == 1); // the smaller one, as it was
    CHECK(deliver(frames[0]).messages.size() == 200 - before);
    h.ack(1);
    send();
    frames = h.write_all();
    REQUIRE(frames.size() == 4);
    CHECK(deliver(frames[0]).messages.size() == before / 2);
    for (std::uint64_t c = 2; c < 6; ++c) h.ack(c);
    CHECK(h.pub.drained());
}

struct throwing_codec {
    sluice::compression_type type() const noexcept { return sluice::compression_type::lz4; }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    sluice::codec_result compress(std::span<const std::byte>, std::span<std::byte>) { throw std::bad_alloc(); }
    sluice::codec_result decompress(std::span<const std::byte>, std::span<std::byte>) { throw std::bad_alloc(); }
};

TEST_CASE("publisher, packed: what a codec throws at goes as it is") {
    harness h(pairs(), 0, sluice::pulsar::compressor::owning(throwing_codec()));
    h.open();
    h.send(std::string(500, 'a'));
    h.send("b");
    const std::vector<seen_frame> frames = h.write();
    REQUIRE(frames.size() == 1);
    CHECK(deliver(frames[0]).codec == sluice::compression_type::none);
    CHECK(deliver(frames[0]).messages.size() == 2);
}

TEST_CASE("packed, deduplicate and a number to begin with do not go together") {
    producer_options o = packed_options();
    o.deduplicate = true;
    o.producer_name = "p";
    CHECK_FALSE(o.validate());
    o.initial_sequence_id = 41;
    const sluice::failure f = o.validate();
    CHECK(f.code == errc::invalid_option);
    CHECK(f.details->text.starts_with("initial_sequence_id = 41: allowed is none with compress_at = packed"));
}

// --- lost connections

TEST_CASE("publisher, packed: after a loss the same packs go again, less those who left") {
    for (const bool compressed : {false, true}) {
        auto codec = sluice::pulsar::compressor::owning(sluice::codec::lz4());
        producer_options o = packed_options();
        o.batching_max_messages = 3;
        harness h(o, 0, compressed ? codec : sluice::pulsar::compressor());
        h.open();
        ids sent = h.send_many(6);
        sluice::message alone("alone");
        alone.deliver_after = 1s;
        sent.push_back(h.send(alone));
        for (const char* m : {"x", "y"}) sent.push_back(h.send(m, true));
        CHECK(write(h) == "[m0 m1 m2] [m3 m4 m5] alone");
        h.nodes.at(sent[1])->cancellable = true;
        h.cancel(sent[1]);
        CHECK(h.aborted(sent[1], outcome::maybe_persisted));
        for (int i = 3; i < 6; ++i) {
            h.nodes.at(sent[static_cast<std::size_t>(i)])->cancellable = true;
            h.cancel(sent[static_cast<std::size_t>(i)]);
        }
        h.lose();
        h.cancel(sent[7]); // it was gathered, and is forgotten
        CHECK(h.aborted(sent[7], outcome::not_sent));
        h.advance(1s);
        h.open();
        CHECK(write(h) == "[m0 m2] alone [y]");
        for (const std::uint64_t c : contexts{0, 2, 3}) h.ack(c);
        for (const int i : {0, 2, 6, 8}) CHECK(h.persisted(sent[static_cast<std::size_t>(i)]));
        CHECK(h.pub.drained());
        CHECK(h.pub.numbers().snapshot().frames_resent == 2);
    }
}

TEST_CASE("publisher, packed: what is sent again does not compress more than 64 KiB in one write") {
    producer_options o = pairs();
    o.batching_max_messages = 1000;
    harness h(o, 0, sluice::pulsar::compressor::owning(sluice::codec::lz4()));
    h.open();
    for (int i = 0; i < 10; ++i) h.send(std::string(30'000, static_cast<char>('a' + i)));
    h.advance(1s);
    CHECK(h.write_all().size() == 5);
    h.reopen();
    for (int i = 0; i < 5; ++i) CHECK(h.write().size() == 1);
    CHECK(h.write().empty());
}

// --- cancellation, time-outs, drops

TEST_CASE("publisher, packed: a send that is withdrawn before the pack goes is not in it") {
    harness h(packed_options());
    h.open();
    ids sent;
    for (const char* m : {"a", "b", "c"}) sent.push_back(h.send(m, true));
    CHECK(write(h).empty());
    h.withdraw(sent[0]);
    CHECK(h.aborted(sent[0], outcome::not_sent));
    h.advance(3ms);
    CHECK(write(h).empty());
    CHECK(h.pub.pack_due() == 1s + 10ms); // b came at the same time
    h.advance(7ms);
    CHECK(write(h) == "[b c]");
    h.withdraw(sent[1]); // too late
    CHECK_FALSE(h.done(sent[1]));
    h.cancel(sent[1]);
    CHECK(h.aborted(sent[1], outcome::maybe_persisted));
    h.ack(0);
    CHECK(h.persisted(sent[2]));
    CHECK_FALSE(h.pub.unanswered());
}

TEST_CASE("publisher, packed: cancelled one by one, a pack leaves a tombstone that its answer removes") {
    harness h(at_once());
    h.open();
    const int a = h.submit("a", true), b = h.submit("b", true);
    h.drain();
    CHECK(write(h) == "[a b]");
    h.cancel(a);
    h.cancel(b);
    CHECK(h.pub.messages() == 0);
    CHECK(h.pub.unanswered());
    CHECK(h.pub.numbers().snapshot().pending_messages == 2); // its place in the window is its own
    h.ack(0);
    CHECK_FALSE(h.pub.unanswered());
}

TEST_CASE("publisher, packed: each message has its own time-out, in the pack and before it") {
    producer_options o = packed_options();
    o.send_timeout = 1s;
    harness h(o);
    h.open();
    const int a = h.send("a"), b = h.send(with_timeout("b", 100ms));
    h.advance(10ms);
    CHECK(write(h) == "[a b]");
    h.advance(90ms);
    CHECK(h.is(b, errc::ack_timeout, outcome::maybe_persisted));
    h.ack(0);
    CHECK(h.persisted(a));
    const int c = h.send("c"), d = h.send("d");
    CHECK(write(h).empty());
    h.advance(1s);
    for (const int id : {c, d}) CHECK(h.is(id, errc::send_timeout, outcome::not_sent));
    CHECK(h.write().empty());
    CHECK_FALSE(h.pub.pack_due());
    CHECK(h.pub.drained());
}

TEST_CASE("publisher, packed: dropping the oldest takes it out of the pack") {
    producer_options o = packed_options();
    o.batching_max_messages = 1;
    o.max_pending_messages = 1;
    o.max_waiting_messages = 2;
    o.when_full = sluice::when_full::drop_oldest;
    harness h(o);
    const ids sent = h.send_many(8);
    CHECK(h.is(sent[0], errc::dropped, outcome::not_sent)); // four in the window, two behind it
    CHECK(h.is(sent[1], errc::dropped, outcome::not_sent));
    h.open();
    CHECK(write(h) == "[m2] [m3] [m4] [m5]");
    h.send("x");
    CHECK(h.is(sent[6], errc::dropped, outcome::not_sent));
    h.ack(0);
    h.ack(1);
    CHECK(write(h) == "[m7] [x]");
}

TEST_CASE("publisher, packed: the end takes those in the pack and those that are gathered") {
    harness h(pairs());
    h.open();
    const ids sent = h.send_many(3);
    CHECK(write(h) == "[m0 m1]");
    h.cancel_before();
    CHECK(h.aborted(sent[0], outcome::maybe_persisted));
    CHECK(h.aborted(sent[1], outcome::maybe_persisted));
    CHECK(h.aborted(sent[2], outcome::not_sent));
    CHECK_FALSE(h.pub.pack_due());
    const int later = h.send("a");
    CHECK(write(h).empty());
    h.pub.end(sluice::make_failure(errc::closed, "over"));
    h.deliver();
    CHECK(h.is(later, errc::closed, outcome::not_sent));
    // What is left is destroyed uncalled: the harness looks.
    harness left(pairs());
    left.open();
    left.send_many(3);
    left.write_all();
}

// --- the shared budget

TEST_CASE("publisher, packed: what is gathered is taken from the budget, and given back when it is forgotten") {
    producer_options o = packed_options();
    o.budget = std::make_shared<sluice::byte_budget>(1000);
    harness h(o);
    h.open();
    const int a = h.send(std::string(400, 'a'), true);
    h.send(std::string(400, 'b'));
    CHECK(h.write().empty());
    CHECK(o.budget->used() == 800);
    h.send(std::string(400, 'c')); // there is none for it: the pack goes as it is
    CHECK(h.write_all().size() == 1);
    CHECK(o.budget->used() == 800);
    CHECK(h.pub.short_of_budget() == 400);
    h.ack(0);
    CHECK(h.write().empty());
    CHECK(o.budget->used() == 400);
    CHECK(h.persisted(a));
    const int d = h.send("d", true);
    CHECK(h.write().empty());
    CHECK(o.budget->used() == 401);
    h.withdraw(d);
    CHECK(o.budget->used() == 0);
    CHECK(h.write().empty());
    CHECK(o.budget->used() == 400);
    h.advance(1s);
    CHECK(h.write_all().size() == 1);
    h.ack(1);
    CHECK(o.budget->used() == 0);
}

// --- numbers

TEST_CASE("publisher, packed: with deduplicate a pack has one number, and keeps it") {
    producer_options o = pairs();
    o.deduplicate = true;
    o.producer_name = "p";
    harness h(o, 100);
    CHECK(h.open().initial_sequence_id == 99);
    const ids sent = h.send_many(5);
    h.advance(1s);
    CHECK(write(h) == "[m0 m1] [m2 m3] [m4]");
    h.ack(0);
    h.nodes.at(sent[2])->cancellable = true;
    h.cancel(sent[2]);
    CHECK(h.reopen().initial_sequence_id == 100);
    CHECK(write(h) == "[m3] [m4]");
    CHECK_FALSE(h.say(repeat_text(1)));
    h.ack(2);
    CHECK(h.is(sent[3], {}, outcome::duplicate));
    CHECK(h.of(sent[3]).receipt.sequence_id == 101);
    CHECK(h.of(sent[4]).receipt.sequence_id == 102);
    CHECK(h.pub.last_sequence_id() == 102);
}

TEST_CASE("publisher, packed: with deduplicate a hole in the numbers is drained, then another socket goes on") {
    producer_options o = pairs();
    o.deduplicate = true;
    o.producer_name = "p";
    harness h(o, 100);
    h.open();
    const ids sent = h.send_many(6);
    CHECK(write(h) == "[m0 m1] [m2 m3] [m4 m5]");
    h.lose();
    for (const int i : {2, 3}) {
        h.nodes.at(sent[static_cast<std::size_t>(i)])->cancellable = true;
        h.cancel(sent[static_cast<std::size_t>(i)]);
    }
    h.open();
    CHECK(write(h) == "[m0 m1]");
    h.ack(0);
    CHECK(h.renumber().initial_sequence_id == 101);
    CHECK(write(h) == "[m4 m5]");
    h.ack(2);
    CHECK(h.persisted(sent[5]));
}
