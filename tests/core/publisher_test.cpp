// SPDX-License-Identifier: BSL-1.0
// The publisher's main road: order, completion, the window's bounds, resending, limits and time-outs.
#include "harness.hpp"

namespace {

using namespace test;
using namespace std::string_literals;

producer_options small_window(int messages, std::size_t bytes = 64u << 20) {
    producer_options o;
    o.max_pending_messages = messages;
    o.max_pending_bytes = bytes;
    return o;
}

// --- order and completion

TEST_CASE("publisher: messages leave in the order of their sends, and complete once with their receipts") {
    harness h;
    const ids sent = h.send_many(3);
    CHECK(h.pub.encode().empty()); // there is no socket
    h.open();
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(frames[i].context == i);
        CHECK(frames[i].payload == "m" + std::to_string(i));
    }
    CHECK(h.order.empty());
    CHECK(h.write_all().empty());
    for (std::uint64_t c = 0; c < 3; ++c) h.ack(c);
    CHECK(h.order == sent);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(h.persisted(sent[i]));
        CHECK(h.of(sent[i]).receipt.message_id.view() == "CAAQAw==");
        CHECK(h.of(sent[i]).receipt.sequence_id == static_cast<std::int64_t>(i));
        CHECK_FALSE(h.of(sent[i]).receipt.info);
    }
    CHECK(h.pub.drained());
    CHECK(h.pub.last_sequence_id() == 2);
}

TEST_CASE("publisher: each kind of member arrives as it was sent") {
    harness h;
    sluice::message m("pay\0load"s, "k");
    m.properties = {{"a", "b"}};
    h.send(m);
    h.open();
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].payload == "pay\0load"s);
    CHECK(frames[0].json.find(R"("key":"k")") != std::string::npos);
    CHECK(frames[0].json.find(R"("properties":{"a":"b"})") != std::string::npos);
}

TEST_CASE("publisher: a batch per write, within batching_max_bytes; a larger frame goes alone") {
    producer_options o;
    o.batching_max_bytes = 4096;
    harness h(o);
    for (int i = 0; i < 10; ++i) h.send(std::string(1000, 'x')); // 1336 characters of base64 each
    h.send(std::string(9000, 'y'));
    h.send("z");
    h.open();
    std::vector<std::size_t> batches;
    while (true) {
        const auto frames = h.write();
        if (frames.empty()) break;
        if (frames.size() > 1) CHECK(h.last_write <= 4096);
        batches.push_back(frames.size());
    }
    CHECK(batches == std::vector<std::size_t>{2, 2, 2, 2, 2, 1, 1});
}

TEST_CASE("publisher: nothing that waits is woken for, nothing that has room is left") {
    harness h(small_window(1));
    CHECK_FALSE(h.pub.blocked());
    CHECK_FALSE(h.pub.wants_write());
    h.send("a");
    CHECK(h.pub.blocked()); // no socket
    CHECK_FALSE(h.pub.wants_write());
    h.open();
    CHECK(h.pub.wants_write());
    h.write_all();
    CHECK_FALSE(h.pub.blocked());
    CHECK_FALSE(h.pub.wants_write());
    h.send("b");
    CHECK(h.pub.blocked()); // no room
    CHECK(h.write_all().empty());
    h.ack(0);
    CHECK(h.write_payloads() == "b");
}

// --- the window

TEST_CASE("publisher: never more than max_pending_messages are written and unanswered") {
    harness h(small_window(2));
    const ids sent = h.send_many(5);
    h.open();
    CHECK(h.write_contexts() == contexts{0, 1});
    CHECK(h.pub.numbers().snapshot().pending_messages == 2);
    CHECK(h.pub.numbers().snapshot().waiting_messages == 3);
    h.ack(1); // out of order: its place is free, its number is not
    CHECK(h.write_contexts() == contexts{2});
    h.ack(0);
    h.ack(2);
    CHECK(h.write_contexts() == contexts{3, 4});
    h.ack(3);
    h.ack(4);
    CHECK(h.order == ids{sent[1], sent[0], sent[2], sent[3], sent[4]});
}

TEST_CASE("publisher: never more than max_pending_bytes; an oversized message goes alone") {
    harness h(small_window(100, 1024));
    h.send(std::string(600, 'a'));
    h.send(std::string(424, 'b'));
    h.send(std::string(1, 'c'));
    h.send(std::string(5000, 'd'));
    h.send(std::string(1, 'e'));
    h.open();
    CHECK(h.write_contexts() == contexts{0, 1});
    CHECK(h.pub.numbers().snapshot().pending_bytes == 1024);
    h.ack(0);
    CHECK(h.write_contexts() == contexts{2}); // the small one behind the oversized does not overtake it
    h.ack(1);
    CHECK(h.write_contexts().empty());
    h.ack(2);
    CHECK(h.write_contexts() == contexts{3});
    CHECK(h.pub.numbers().snapshot().pending_bytes == 5000);
    h.ack(3);
    CHECK(h.write_contexts() == contexts{4});
}

TEST_CASE("publisher: reserve, for fail and try_push, is exact in every stage") {
    harness h(small_window(2));
    const auto counted = [&](std::string text) {
        const int id = h.submit(std::move(text));
        h.nodes[id]->counted = true;
        return id;
    };
    REQUIRE(h.pub.reserve("x"));
    counted("a");
    REQUIRE(h.pub.reserve("x"));
    CHECK_FALSE(h.pub.reserve("x"));
    counted("b");
    h.drain();
    CHECK_FALSE(h.pub.reserve("x")); // waiting
    h.open();
    h.write_all();
    CHECK_FALSE(h.pub.reserve("x")); // written
    h.ack(0);
    CHECK(h.pub.reserve("x"));
    counted("c");
    h.drain();
    h.write_all();
    CHECK_FALSE(h.pub.reserve("x"));
    h.lose();
    CHECK_FALSE(h.pub.reserve("x"));
    h.advance(31s);
    CHECK(h.pub.reserve("x"));
}

TEST_CASE("publisher: reserve counts bytes too, in every stage") {
    producer_options o;
    o.max_pending_bytes = 1024;
    harness h(o);
    const auto admit = [&](std::size_t bytes) {
        if (!h.pub.reserve(std::string(bytes, 'x'))) return false;
        const int id = h.submit(std::string(bytes, 'x'));
        h.nodes[id]->counted = true;
        return true;
    };
    CHECK(admit(5000)); // alone
    CHECK_FALSE(admit(1));
    h.drain();
    CHECK_FALSE(admit(1)); // waiting
    h.open();
    h.write_all();
    CHECK_FALSE(admit(1)); // written
    h.ack(0);
    CHECK(admit(1000));
    CHECK_FALSE(admit(25));
    CHECK(admit(24));
    h.drain();
    h.write_all();
    h.ack(1);
    CHECK(admit(1000));
    h.drain();
    h.advance(31s); // all end
    h.reopen();
    CHECK(admit(1024));
}

// --- too large

TEST_CASE("publisher: too large is exact at the limit, and fails alone") {
    sluice::pulsar::message_encoder encoder;
    for (std::size_t limit = 256; limit < 300; ++limit) {
        CAPTURE(limit);
        producer_options o;
        o.max_frame_bytes = limit;
        harness h(o);
        std::size_t longest = 0;
        while (encoder.text_size(std::string(longest + 1, 'x'), 0) <= limit) ++longest;
        const int over = h.send(std::string(longest + 1, 'x'));
        const int fits = h.send(std::string(longest, 'x'));
        CHECK(h.is(over, errc::too_large, outcome::not_sent));
        CHECK(h.of(over).error.code == sluice::condition::too_large);
        CHECK(h.of(over).receipt.sequence_id == -1);
        h.open();
        const auto frames = h.write_all();
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].context == 0);
        CHECK(frames[0].json.size() <= limit);
        CHECK(frames[0].json.size() + 4 > limit);
        h.ack(0);
        CHECK(h.persisted(fits));
    }
}

TEST_CASE("publisher: too large also counts key and properties, and the context's digits when it gets them") {
    sluice::pulsar::message_encoder encoder;
    producer_options o;
    o.max_frame_bytes = 256;
    harness h(o);
    sluice::message m("x");
    m.properties = {{"name", std::string(300, 'v')}};
    CHECK(h.is(h.send(m), errc::too_large, outcome::not_sent));

    // As large as allowed with a context of one digit: in the place of context 10 it does not fit any more.
    sluice::message edge("");
    edge.key = "";
    edge.key->append(256 - encoder.text_size(edge, 0), 'k');
    REQUIRE(encoder.text_size(edge, 9) == 256);
    REQUIRE(encoder.text_size(edge, 10) == 257);
    const int ninth = [&] {
        h.send_many(9);
        return h.send(edge);
    }();
    const int tenth = h.send(edge);
    h.send("after");
    h.open();
    CHECK(h.write_all().size() == 11);
    CHECK(h.is(tenth, errc::too_large, outcome::not_sent));
    h.ack(9);
    CHECK(h.persisted(ninth));
}

TEST_CASE("publisher: the place of a message is known when it is encoded, not when it is sent") {
    sluice::pulsar::message_encoder encoder;
    producer_options o;
    o.max_frame_bytes = 256;
    harness h(o);
    sluice::message edge("");
    edge.key = "";
    edge.key->append(256 - encoder.text_size(edge, 0), 'k');
    const ids before = h.send_many(10);
    const int last = h.send(edge); // would be context 10, and too large
    for (const int id : before) h.nodes[id]->cancellable = true;
    h.cancel(before[3]); // now it is 9
    h.open();
    h.write_all();
    h.ack(9);
    CHECK(h.persisted(last));
}

TEST_CASE("publisher: what cannot be said fails alone, with the member's name") {
    harness h;
    sluice::message m("x");
    m.properties = {{"a", "nul\0"s}};
    const int bad = h.send(m);
    const int good = h.send("y");
    CHECK(h.is(bad, errc::invalid_message, outcome::not_sent));
    CHECK(h.of(bad).text().find("properties[0].value") != std::string::npos);
    h.open();
    CHECK(h.write_payloads() == "y");
    h.ack(0);
    CHECK(h.persisted(good));
}

// --- resending

TEST_CASE("publisher: after a loss the unanswered go first, in their old order, under their old numbers") {
    harness h(small_window(4));
    const ids sent = h.send_many(6);
    h.open();
    CHECK(h.write_contexts() == contexts{0, 1, 2, 3});
    h.ack(1);
    h.lose();
    CHECK_FALSE(h.pub.is_open());
    CHECK(h.pub.encode().empty());
    h.open();
    CHECK(h.write_payloads() == "m0 m2 m3 m4");
    CHECK(h.pub.numbers().snapshot().frames_resent == 3);
    CHECK(h.write_contexts().empty());
    for (const std::uint64_t c : contexts{0, 2, 3, 4}) h.ack(c);
    CHECK(h.write_contexts() == contexts{5});
    h.ack(5);
    CHECK(h.order == ids{sent[1], sent[0], sent[2], sent[3], sent[4], sent[5]});
}

TEST_CASE("publisher: a loss in the middle of resending begins it anew") {
    producer_options o;
    o.batching_max_bytes = 4096;
    harness h(o);
    for (int i = 0; i < 6; ++i) h.send(std::string(1000, static_cast<char>('a' + i)));
    h.open();
    h.write_all();
    h.reopen();
    CHECK(h.write().size() == 2); // 0 and 1 are on the second socket
    h.ack(0);
    CHECK(!h.say(ok_text(4))); // was never said on this socket: not believed
    CHECK(h.pub.messages() == 5);
    h.reopen();
    CHECK(h.write_contexts() == contexts{1, 2, 3, 4, 5});
    for (std::uint64_t c = 1; c < 6; ++c) h.ack(c);
    CHECK(h.pub.drained());
}

TEST_CASE("publisher: losing a socket twice, or one that never was, does no harm") {
    harness h;
    h.lose();
    const int id = h.send("a");
    h.lose();
    h.open();
    h.write_all();
    h.lose();
    h.lose();
    h.open();
    CHECK(h.write_payloads() == "a");
    h.ack(0);
    CHECK(h.persisted(id));
    CHECK(h.pub.numbers().snapshot().connections == 2);
}

// --- time-outs

TEST_CASE("publisher: producer-wide time-outs, each at its own instant") {
    producer_options o = small_window(2);
    o.send_timeout = 1s;
    harness h(o);
    const int a = h.send("a");
    h.advance(300ms);
    const int b = h.send("b"), c = h.send("c");
    h.open();
    h.write_all();
    h.advance(699ms);
    CHECK(h.order.empty());
    h.advance(1ms);
    CHECK(h.is(a, errc::ack_timeout, outcome::maybe_persisted));
    CHECK(h.of(a).error.code == sluice::condition::timeout);
    CHECK(h.of(a).receipt.sequence_id == 0);
    CHECK(h.order == ids{a});
    CHECK(h.write_all().empty()); // its tombstone holds its share of the window
    h.advance(300ms);
    CHECK(h.is(b, errc::ack_timeout, outcome::maybe_persisted));
    CHECK(h.is(c, errc::send_timeout, outcome::not_sent));
    CHECK_FALSE(h.pub.has_deadlines());
}

TEST_CASE("publisher: a message's own time-out, longer, shorter and none") {
    producer_options o;
    o.send_timeout = 1s;
    harness h(o);
    const int usual = h.send("usual");
    const int brief = h.send(with_timeout("brief", 10ms));
    const int patient = h.send(with_timeout("patient", 10s));
    const int eternal = h.send(with_timeout("eternal", 0ms));
    const int endless = h.send(with_timeout("endless", std::chrono::milliseconds::max()));
    const int beyond = h.send(with_timeout("beyond", std::chrono::hours(24 * 365 * 250)));
    h.advance(10ms);
    CHECK(h.order == ids{brief});
    h.advance(1s);
    CHECK(h.order == ids{brief, usual});
    h.advance(9s);
    CHECK(h.order == ids{brief, usual, patient});
    h.advance(std::chrono::hours(24 * 365 * 10));
    CHECK(h.pub.messages() == 3);
    for (const int id : {eternal, endless, beyond}) CHECK_FALSE(h.done(id));
    h.open();
    h.write_all();
    for (std::uint64_t c = 0; c < 3; ++c) h.ack(c);
    CHECK(h.pub.drained());
    CHECK_FALSE(h.pub.has_deadlines());
}

TEST_CASE("publisher: without a time-out nothing expires") {
    producer_options o;
    o.send_timeout = 0ms;
    harness h(o);
    h.send("a");
    const int opener = h.mark(core::node_kind::open);
    h.advance(std::chrono::hours(100'000));
    CHECK(h.order.empty());
    h.open();
    CHECK(h.order == ids{opener});
}

TEST_CASE("publisher: the text of a time-out names what lies below") {
    harness h;
    const int first = h.send("a");
    h.advance(30s);
    CHECK(h.of(first).text() == "no room in the window, or no connection, within send_timeout");

    sluice::error_details d;
    d.text = "name held";
    d.http_status = 409;
    h.pub.lost(sluice::make_failure(sluice::make_error_code(errc::conflict), d));
    const int second = h.send("b");
    const int third = h.send("c");
    h.advance(30s);
    CHECK(h.of(second).text() == "no connection: conflict: name held");
    CHECK(h.of(second).receipt.details().http_status == 409);
    CHECK(h.of(second).receipt.details().cause == errc::conflict);
    CHECK(h.of(third).error.details == h.of(second).error.details); // one text for all

    h.open();
    const int fourth = h.send("d");
    h.write_all();
    h.advance(30s);
    CHECK(h.of(fourth).text() == "no answer within send_timeout");
    CHECK_FALSE(h.of(fourth).receipt.details().cause);
    const int fifth = h.send("e");
    h.write_all();
    h.lose();
    h.advance(30s);
    CHECK(h.is(fifth, errc::ack_timeout, outcome::maybe_persisted));
    CHECK(h.of(fifth).text() == "no connection: connection closed: the cable");
}

TEST_CASE("publisher: a tombstone is not sent again, and its late answer is nobody's") {
    producer_options o = small_window(2);
    o.send_timeout = 1s;
    harness h(o);
    h.open();
    const int a = h.send("a");
    h.write_all();
    h.advance(1s);
    REQUIRE(h.done(a));
    const int b = h.send("b"), c = h.send("c");
    CHECK(h.write_payloads() == "b"); // a's tombstone keeps its share
    SUBCASE("the late answer frees the place") {
        h.ack(0);
        CHECK(h.write_payloads() == "c");
        CHECK(h.pub.last_sequence_id() == 0);
        CHECK(h.pub.numbers().snapshot().persisted == 0);
    }
    SUBCASE("so does the loss of the connection") {
        h.reopen();
        CHECK(h.write_contexts() == contexts{1, 2});
    }
    h.ack(1);
    h.ack(2);
    CHECK(h.order == ids{a, b, c});
}

// --- numbers

TEST_CASE("publisher: the statistics add up") {
    producer_options o;
    o.max_frame_bytes = 256;
    harness h(o);
    h.send("a");
    h.send(std::string(1000, 'x')); // too large
    h.send("c");
    h.open();
    h.write_all();
    h.now += 5ms;
    h.ack(0);
    CHECK(!h.say(repeat_text(1)));
    const auto s = h.pub.numbers().snapshot();
    CHECK(s.accepted == 3);
    CHECK(s.persisted == 1);
    CHECK(s.duplicates == 1);
    CHECK(s.failed == 1);
    CHECK(s.frames_written == 2);
    CHECK(s.frames_resent == 0);
    CHECK(s.writes == 1);
    CHECK(s.pending_messages == 0);
    CHECK(s.pending_bytes == 0);
    CHECK(s.connections == 1);
    CHECK(s.latency_p50 >= 5ms);
    CHECK(s.latency_p999 < 6ms);
}

} // namespace
