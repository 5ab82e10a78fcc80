// SPDX-License-Identifier: BSL-1.0
// Packs: when one ends and when it goes, what each layout holds, keys, limits, and what each message is told.
#include "packed_harness.hpp"

#include <sluice/codec/lz4.hpp>
#include <sluice/codec/zlib.hpp>
#include <sluice/codec/zstd.hpp>

#include <array>
#include <chrono>

namespace {

using namespace test;
using sluice::compression_type;
using sluice::pulsar::compressor;

constexpr auto delay = 10ms; // the default of batching_max_publish_delay

std::string write(harness& h) { return show(h.write()); }
/// After the delay.
std::string later(harness& h) {
    h.advance(delay);
    return write(h);
}

sluice::message keyed(std::string payload, std::string key) { return {std::move(payload), std::move(key)}; }

/// Counts what it is asked for.
struct spy_codec {
    std::vector<std::size_t>* sizes;
    sluice::codec::lz4 lz4{};

    compression_type type() const noexcept { return compression_type::lz4; }
    std::size_t bound(std::size_t n) const noexcept { return lz4.bound(n); }
    sluice::codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) {
        sizes->push_back(in.size());
        return lz4.compress(in, out);
    }
    sluice::codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) {
        return lz4.decompress(in, out);
    }
};

} // namespace

// --- when a pack ends

TEST_CASE("publisher, packed: what comes within the delay goes in one frame, and each send completes") {
    for (const pack_layout layout : {pack_layout::framed, pack_layout::json_array}) {
        harness h(packed_options(layout));
        h.open();
        ids sent;
        for (const char* m : {"1", "2", "3"}) {
            sent.push_back(h.send(m));
            CHECK(write(h).empty());
            CHECK(h.pub.pack_due() == 1s + delay); // counted from the first
            h.advance(3ms);
        }
        h.advance(1ms);
        CHECK(h.now == 1s + delay);
        const auto frames = h.write();
        CHECK(show(frames) == "[1 2 3]");
        CHECK(deliver(frames[0]).layout == layout);
        CHECK_FALSE(h.pub.pack_due());
        CHECK(h.order.empty());
        h.ack(0);
        CHECK(h.order == sent);
        for (const int id : sent) {
            CHECK(h.persisted(id));
            CHECK(h.of(id).receipt.message_id.view() == "CAAQAw==");
            CHECK(h.of(id).receipt.sequence_id == 0);
        }
        CHECK(h.pub.drained());
        const auto numbers = h.pub.numbers().snapshot();
        CHECK(numbers.frames_written == 1);
        CHECK(numbers.persisted == 3);
    }
}

TEST_CASE("publisher, packed: a full one goes at once, and the rest gathers") {
    producer_options o = packed_options();
    o.batching_max_messages = 3;
    harness h(o);
    h.open();
    h.send_many(7);
    CHECK(write(h) == "[m0 m1 m2] [m3 m4 m5]");
    CHECK(h.pub.pack_due() == h.now + delay);
    h.send("x");
    h.send("y");
    CHECK(write(h) == "[m6 x y]"); // three
    CHECK_FALSE(h.pub.pack_due());
}

TEST_CASE("publisher, packed: batching_max_bytes ends a pack") {
    producer_options o = packed_options(pack_layout::json_array);
    o.batching_max_bytes = 4096;
    harness h(o);
    h.open();
    for (int i = 0; i < 5; ++i) h.send('"' + std::string(1498, 'a') + '"'); // two in brackets are 3003
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].payload.size() == 3003);
    h.advance(delay);
    CHECK(h.write()[0].payload.size() == 1502);
}

TEST_CASE("publisher, packed: a flush and a close do not wait for the delay") {
    harness h(packed_options());
    h.open();
    const int a = h.send("a");
    CHECK(write(h).empty());
    const int flush = h.mark(core::node_kind::flush);
    const int b = h.send("b");
    CHECK(write(h) == "[a]");
    CHECK_FALSE(h.done(flush));
    h.ack(0);
    CHECK(h.order == ids{a, flush});
    CHECK(h.pub.pack_due() == h.now + delay); // b's
    h.mark(core::node_kind::close);
    CHECK(write(h) == "[b]");
    h.ack(1);
    CHECK(h.persisted(b));
    CHECK(h.pub.drained());
}

TEST_CASE("publisher, packed: a cancelled flush does not cut the pack") {
    harness h(packed_options());
    h.open();
    h.send("a");
    auto* const flush = h.make_marker(core::node_kind::flush);
    flush->ticket = 7;
    h.pub.submit(flush);
    h.drain();
    h.pub.cancel_marker(7);
    h.send("b");
    CHECK(later(h) == "[a b]");
}

TEST_CASE("publisher, packed: without pack_waits_when_idle one goes at once while none is unanswered") {
    producer_options o = packed_options();
    o.pack_waits_when_idle = false;
    harness h(o);
    h.open();
    h.send("a");
    CHECK(write(h) == "[a]");
    h.send("b");
    h.send("c");
    CHECK(write(h).empty()); // a's acknowledgement or the delay
    CHECK(h.pub.pack_due() == h.now + delay);
    h.ack(0);
    CHECK(h.pub.wants_write());
    CHECK(write(h) == "[b c]");
    h.send("d");
    CHECK(later(h) == "[d]");
}

TEST_CASE("publisher, packed: while a pack waits for company senders wake the writer") {
    harness h(packed_options());
    h.send("a");
    CHECK(h.pub.encode().empty()); // no socket
    CHECK(h.pub.blocked());
    h.open();
    CHECK(write(h).empty());
    CHECK_FALSE(h.pub.blocked());
    CHECK(h.pub.wants_write()); // looked at after each event
    CHECK(later(h) == "[a]");
    CHECK_FALSE(h.pub.blocked());
}

TEST_CASE("publisher, packed: a message with little time does not spend it waiting") {
    harness h(packed_options());
    h.open();
    h.send("a");
    h.send(with_timeout("b", 8ms));
    CHECK(write(h).empty());
    CHECK(h.pub.pack_due() == h.now + 4ms);
    h.advance(4ms);
    CHECK(write(h) == "[a b]");
}

// --- what goes where

TEST_CASE("publisher, packed: one key in a pack, order per key and over all") {
    harness h(packed_options());
    h.open();
    for (const char* k : {"k", "k", "l", "k"}) h.send(keyed("m", k));
    h.send("none");
    h.send("none");
    h.send(keyed("empty", ""));
    CHECK(later(h) == "k:[m m] l:[m] k:[m] [none none] :[empty]");
}

TEST_CASE("publisher, packed: what a pack cannot say of a message goes by itself, in its place") {
    for (const pack_layout layout : {pack_layout::framed, pack_layout::json_array}) {
        harness h(packed_options(layout));
        h.open();
        sluice::message late("3");
        late.deliver_after = 5s;
        sluice::message described("4");
        described.properties = {{"a", "b"}};
        for (const auto& m : {sluice::message("1"), sluice::message("2"), late, described, sluice::message("5")})
            h.send(m);
        CHECK(write(h) == (layout == pack_layout::framed ? "[1 2] 3" : "[1 2] 3 4"));
        CHECK(later(h) == (layout == pack_layout::framed ? "[4 5]" : "[5]"));
        CHECK(h.pub.numbers().snapshot().frames_written == (layout == pack_layout::framed ? 3 : 4));
    }
}

TEST_CASE("publisher, packed: a pack is not larger than a frame, and what is too large for a pack goes by itself") {
    producer_options o = packed_options();
    o.max_frame_bytes = 2000;
    harness h(o);
    h.open();
    for (int i = 0; i < 4; ++i) h.send(std::string(500, 'a'));
    h.send(std::string(1440, 'b')); // 1920 characters, and no room for a pack's header
    h.send(std::string(100, 'c'));
    h.send(std::string(1600, 'd'));
    CHECK(h.is(6, errc::too_large, outcome::not_sent));
    h.advance(delay);
    std::vector<std::size_t> counts;
    for (const seen_frame& f : h.write_all()) {
        CHECK(f.json.size() <= 2000);
        const delivered d = deliver(f);
        counts.push_back(d.layout ? d.messages.size() : 0);
    }
    CHECK(counts == std::vector<std::size_t>{2, 2, 0, 1});
}

TEST_CASE("publisher, packed: a long key leaves less room for a pack") {
    producer_options o = packed_options();
    o.max_frame_bytes = 2000;
    harness h(o);
    h.open();
    for (int i = 0; i < 20; ++i) h.send(keyed(std::string(90, 'a'), std::string(200, '"'))); // escaped: 400
    h.advance(delay);
    const auto frames = h.write_all();
    CHECK(frames.size() == 2); // it would be one
    for (const seen_frame& f : frames) {
        CHECK(f.json.size() <= 2000);
        CHECK(deliver(f).key == std::string(200, '"'));
    }
}

TEST_CASE("publisher, packed: json_array refuses what is no JSON, by itself") {
    harness h(packed_options(pack_layout::json_array));
    h.open();
    const int a = h.send("{\"a\":1}");
    const int bad = h.send("{secret}");
    const int b = h.send("[2]");
    CHECK(write(h).empty());
    CHECK(h.is(bad, errc::invalid_json, outcome::not_sent)); // at once
    CHECK(h.of(bad).text() == "payload: json_array needs JSON: a character that cannot stand here at offset 1");
    CHECK(h.of(bad).error.code == sluice::condition::not_sent);
    CHECK(h.of(bad).error.code == sluice::condition::fatal);
    CHECK(later(h) == "[{\"a\":1} [2]]");
    h.ack(0);
    CHECK(h.persisted(a));
    CHECK(h.persisted(b));
    CHECK(h.pub.fits_for_certain("{}"));
    CHECK_FALSE(h.pub.fits_for_certain("{"));
}

TEST_CASE("publisher, packed: a flush behind a refused message") {
    harness h(packed_options(pack_layout::json_array));
    h.open();
    const int bad = h.send("{");
    const int flush = h.mark(core::node_kind::flush);
    CHECK(write(h).empty());
    CHECK(h.order == ids{bad, flush});
    CHECK(h.pub.numbers().snapshot().waiting_messages == 0);
    CHECK_FALSE(h.pub.pack_due());
    h.send("1");
    h.send("}");
    h.mark(core::node_kind::flush);
    CHECK(write(h) == "[1]");
}

TEST_CASE("publisher, packed: the proxy neither batches nor compresses, options for it or not") {
    producer_options o = packed_options();
    o.batching_enabled = true;
    harness h(o);
    CHECK_FALSE(h.pub.announce().batching);
}

// --- compression

TEST_CASE("publisher, packed: a pack is compressed, or not where that does not shrink it") {
    const auto all = {compressor(), compressor::owning(sluice::codec::lz4()), compressor::owning(sluice::codec::zlib()),
                      compressor::owning(sluice::codec::zstd())};
    for (const compressor& codec : all) {
        harness h(packed_options(), 0, codec);
        h.open();
        std::vector<std::string> sent;
        for (int i = 0; i < 50; ++i) {
            sent.push_back(R"({"sensor":"pump-)" + std::to_string(i % 7) + R"(","state":"running"})");
            h.send(sent.back());
        }
        h.advance(delay);
        delivered d = deliver(h.write()[0]);
        CHECK(d.codec == codec.type);
        CHECK(d.messages == sent);
        h.send("?");
        h.advance(delay);
        d = deliver(h.write()[0]);
        CHECK(d.layout == pack_layout::framed);
        CHECK(d.codec == compression_type::none);
        CHECK(d.messages == std::vector<std::string>{"?"});
    }
}

TEST_CASE("publisher, packed: no write compresses more than 64 KiB, or one pack") {
    std::vector<std::size_t> sizes;
    producer_options o = packed_options();
    o.batching_max_bytes = 200'000; // packs have half
    o.batching_max_messages = 1000;
    o.max_pending_messages = 5000;
    harness h(o, 0, compressor::owning(spy_codec{&sizes}));
    h.open();
    for (int i = 0; i < 4000; ++i) h.submit(std::string(static_cast<std::size_t>(i) % 500, 'a'));
    h.send(std::string(100'001, 'b')); // more than a pack: by itself, not compressed
    h.advance(delay);
    std::size_t messages = 0;
    for (int again = 0; again < 2; ++again) {
        messages = 0;
        for (;;) {
            sizes.clear();
            const auto frames = h.write();
            std::size_t sum = 0;
            for (const std::size_t n : sizes) sum += n;
            CHECK((sum <= 64 * 1024 || sizes.size() == 1));
            CHECK(sum <= 100'000);
            for (const seen_frame& f : frames) messages += deliver(f).messages.size();
            if (frames.empty()) break;
        }
        h.reopen();
    }
    CHECK(messages == 4001);
}

// --- the window

TEST_CASE("publisher, packed: the window has room for four packs at least") {
    CHECK(core::window_of({}).messages == 1000);
    producer_options o = packed_options();
    o.batching_max_messages = 1000; // the default, as max_pending_messages is
    CHECK(core::window_of(o).messages == 4000);
    o.max_pending_messages = 5000;
    CHECK(core::window_of(o).messages == 5000);
    o.batching_max_messages = 1'000'000;
    CHECK(core::window_of(o).messages == 1'000'000);

    o = packed_options();
    o.batching_max_messages = 5;
    o.max_pending_messages = 1;
    harness h(o);
    h.open();
    h.send_many(23);
    std::size_t packs = 0;
    for (const delivered& d : deliver_all(h.write_all())) {
        CHECK(d.messages.size() == 5);
        ++packs;
    }
    CHECK(packs == 4);
    CHECK(h.pub.blocked());
    CHECK(h.pub.numbers().snapshot().pending_messages == 20);
    h.ack(2);
    h.advance(delay);
    CHECK(write(h) == "[m20 m21 m22]");
}

TEST_CASE("publisher, packed: a quarter of max_pending_bytes ends a pack, but for a message alone") {
    producer_options o = packed_options();
    o.max_pending_bytes = 1024;
    harness h(o);
    h.open();
    for (int i = 0; i < 8; ++i) h.send(std::string(100, static_cast<char>('a' + i)));
    h.advance(delay);
    for (const delivered& d : deliver_all(h.write_all())) CHECK(d.messages.size() == 2);
    CHECK(h.pub.waiting() == 0);
    for (std::uint64_t c = 0; c < 4; ++c) h.ack(c);
    h.send(std::string(1000, 'x'));
    h.send(std::string(1000, 'y'));
    h.advance(delay);
    auto frames = h.write_all();
    REQUIRE(frames.size() == 1);
    CHECK(deliver(frames[0]).layout == pack_layout::framed);
    h.ack(4);
    CHECK(h.write_all().size() == 1);
}

TEST_CASE("publisher, packed: small room is not filled with small packs, for a while") {
    producer_options o = packed_options();
    o.batching_max_messages = 3;
    o.max_pending_messages = 13;
    harness h(o);
    h.open();
    h.send_many(30);
    h.advance(1s);
    CHECK(h.write_all().size() == 4); // and one place is left
    CHECK(h.pub.blocked());           // of no use for senders
    CHECK(h.pub.pack_due() == h.now + delay);
    h.ack(0);
    CHECK(write(h) == "[m12 m13 m14]"); // not m12 alone, then two
    h.advance(delay);
    CHECK(write(h) == "[m15]"); // no answer comes: what has room goes
    CHECK(h.write_all().empty());
}

TEST_CASE("publisher, packed: a push is over when its message is in the next pack") {
    harness h(packed_options());
    h.open();
    auto* const n = h.make("a");
    n->waiter = h.make_marker(core::node_kind::admitted);
    const int waiter = n->id + 1;
    h.pub.submit(n);
    h.drain();
    CHECK_FALSE(h.done(waiter));
    CHECK(write(h).empty());
    CHECK(h.passed(waiter));
    CHECK(later(h) == "[a]");
}
