// SPDX-License-Identifier: BSL-1.0
// Producers that pack: what consumers unpack is what was sent, with each codec; when packs go; options that contradict
// each other.
#include "support/own_codec.hpp"
#include "world.hpp"

#include <sluice/codec/any.hpp>
#include <sluice/unpack.hpp>

using namespace test;

namespace {

using sluice::compression_type;
using sluice::pack_layout;
using any_producer = sluice::basic_producer<asio::any_io_executor, sluice::codec::any>;

constexpr std::array codecs{compression_type::none, compression_type::lz4, compression_type::zlib,
                            compression_type::zstd, compression_type::snappy};

any_producer make_producer(sluice::client& client, compression_type codec, const sluice::producer_options& options) {
    return any_producer(client, "events", options, sluice::producer_observer(),
                        std::move(sluice::codec::any::make(codec).first));
}

sluice::producer_options packing(pack_layout layout = pack_layout::framed) {
    sluice::producer_options o = impatient();
    o.compress_at = sluice::compress_at::packed;
    o.pack_layout = layout;
    o.batching_max_messages = 100;
    return o;
}

std::vector<std::string> events(int n) {
    std::vector<std::string> all;
    for (int i = 0; i < n; ++i)
        all.push_back(R"({"sensor":"pump-)" + std::to_string(i % 7) + R"(","state":"running","at":)" +
                      std::to_string(1'796'155'444 + i) + "}");
    return all;
}

/// What a consumer makes of the stream.
struct consumed {
    std::vector<std::string> messages{};
    std::size_t packs = 0, compressed = 0;
};

consumed consume(world& w) {
    consumed all;
    sluice::unpack_memory memory;
    for (const sluice::testing::stored_message& m : w.gateway.messages("events")) {
        const sluice::unpacked messages = sluice::unpack(m.payload, m.properties, memory);
        REQUIRE_FALSE(messages.error());
        all.packs += messages.layout().has_value();
        all.compressed += messages.codec() != compression_type::none;
        for (const sluice::unpacked_message& one : messages) {
            CHECK(one.key == m.key);
            all.messages.emplace_back(one.payload);
        }
    }
    return all;
}

} // namespace

TEST_CASE("packed: what is unpacked is what was sent, with each codec, in either dialect") {
    for (const sluice::dialect d : dialects)
        for (const compression_type codec : codecs) {
            CAPTURE(name_of(d));
            CAPTURE(to_string(codec));
            world w;
            sluice::client client = w.make_client(d);
            any_producer producer = make_producer(client, codec, packing());
            const std::vector<std::string> sent = events(550);
            std::vector<std::string> ids;
            for (const sluice::result& r : run(w.context, producer.send_all(sent))) {
                CHECK_FALSE(r.ec);
                if (ids.empty() || ids.back() != r.value.message_id.view()) ids.emplace_back(r.value.message_id);
            }
            const consumed got = consume(w);
            CHECK(got.messages == sent);
            CHECK(got.packs == 6);
            CHECK(ids.size() == 6); // of the packs
            CHECK(got.compressed == (codec == compression_type::none ? 0 : 6));
            const sluice::producer_stats stats = producer.stats();
            CHECK(stats.persisted == 550);
            CHECK(stats.frames_written == 6);
            run(w.context, producer.close());
        }
}

TEST_CASE("packed: a codec of the user's own") {
    world w;
    sluice::client client = w.make_client();
    own_codec_producer producer(client, "events", packing());
    const std::vector<std::string> sent = events(250);
    for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
    run(w.context, producer.send("short")); // it refuses what is as short as that
    run(w.context, producer.close());
    const consumed got = consume(w);
    CHECK(got.messages.size() == 251);
    CHECK(got.packs == 4);
    CHECK(got.compressed == 3);
}

TEST_CASE("packed: a JSON array of JSON; what is none is refused by itself, pushed or sent") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "events", packing(pack_layout::json_array));
    std::vector<std::string> sent = events(10);
    sent.insert(sent.begin() + 3, "{");
    const auto results = run(w.context, producer.send_all(sent));
    sent.erase(sent.begin() + 3);
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (i != 3) {
            CHECK_FALSE(results[i].ec);
            continue;
        }
        CHECK(results[i].ec == sluice::errc::invalid_json);
        CHECK(results[i].value.outcome == sluice::outcome::not_sent);
    }
    const auto stored = w.payloads("events");
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].front() == '[');
    CHECK(consume(w).messages == sent);
    const sluice::error e = error_of(w.context, producer.push("no JSON"));
    CHECK(e.code() == sluice::errc::invalid_json);
    run(w.context, producer.push(sluice::message("1")));
    run(w.context, producer.close());
    CHECK(consume(w).messages.back() == "1");
}

TEST_CASE("packed: json_array is never compressed, and who asks for it is told") {
    world w;
    sluice::client client = w.make_client();
    any_producer producer = make_producer(client, compression_type::lz4, packing(pack_layout::json_array));
    const sluice::error e = error_of(w.context, producer.send("1"));
    CHECK(e.code() == sluice::errc::invalid_option);
    CHECK(contains(e.what(), "pack_layout = json_array with the codec LZ4: allowed is framed, or json_array with the "
                             "codec NONE"));
}

TEST_CASE("packed: a message that nobody joins goes after the delay; a flush, a close and an idle one at once") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options options = packing();
    {
        sluice::producer waits(client, "events", options);
        const sluice::receipt r = run(w.context, waits.send("alone"));
        CHECK(r.outcome == sluice::outcome::persisted);
        run(w.context, waits.close());
    }
    options.batching_max_publish_delay = 60s;
    {
        sluice::producer flushes(client, "events", options);
        std::size_t answers = 0;
        run(w.context, flushes.push("a", [&](std::error_code ec, const sluice::receipt&) { answers += !ec; }));
        run(w.context, flushes.push("b", [&](std::error_code ec, const sluice::receipt&) { answers += !ec; }));
        run(w.context, flushes.flush());
        CHECK(answers == 2);
        run(w.context, flushes.push("c", [&](std::error_code ec, const sluice::receipt&) { answers += !ec; }));
        run(w.context, flushes.close());
        CHECK(answers == 3);
    }
    options.pack_waits_when_idle = false;
    sluice::producer idle(client, "events", options);
    for (const char* m : {"1", "2"}) run(w.context, idle.send(m));
    const consumed got = consume(w);
    CHECK(got.messages == std::vector<std::string>{"alone", "a", "b", "c", "1", "2"});
    CHECK(got.packs == 5);
    run(w.context, idle.close());
}

TEST_CASE("packed: after a broken connection the packs come again, and nothing is lost or out of order") {
    world w;
    const auto broken = w.gateway.faults().messages("events").after(2).cut(sluice::testing::cut::reset);
    sluice::client client = w.make_client();
    sluice::producer_options options = packing();
    options.producer_name = "packer";
    options.deduplicate = true;
    options.batching_max_messages = 10;
    any_producer producer = make_producer(client, compression_type::zstd, options);
    const std::vector<std::string> sent = events(100);
    for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
    CHECK(broken.met() == 1);
    CHECK(consume(w).messages == sent);
    run(w.context, producer.close());
}
