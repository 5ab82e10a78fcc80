// SPDX-License-Identifier: BSL-1.0
// Message frames: each is taken apart again with a parser that nobody here wrote, and has the size that was told.
#include <sluice/pulsar/message_frame.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;
using namespace std::chrono_literals;
using pulsar::check_message;
using pulsar::message_encoder;
using time_point = message_attributes::time_point;

namespace {

constexpr web::mask_key key = 0xa1b2c3d4;

/// The JSON text of the one frame that is appended to `out`; checks header, key and sizes.
std::string encode(const message_view& m, std::uint64_t context, web::byte_buffer& out, web::mask_key with = key) {
    message_encoder encoder;
    const std::size_t before = out.size();
    encoder.encode(m, context, with, out);
    const web::bytes_view frame = out.view().subspan(before);
    web::frame_header header;
    REQUIRE(web::parse_frame_header(frame, header) == web::parse_status::ok);
    CHECK(header.fin);
    CHECK(!header.rsv1);
    CHECK(header.op == web::opcode::text);
    CHECK(header.masked);
    CHECK(header.key == with);
    const std::size_t size = encoder.text_size(m, context);
    REQUIRE(header.length == size);
    REQUIRE(frame.size() == web::frame_header_size(size, true) + size);
    const web::bytes_view masked = frame.subspan(frame.size() - size);
    std::string text(web::as_text(masked));
    web::apply_mask(reinterpret_cast<std::byte*>(text.data()), text.size(), with);
    return text;
}

std::string encode(const message_view& m, std::uint64_t context = 1) {
    web::byte_buffer out;
    return encode(m, context, out);
}

std::string decode_payload(std::string_view base64) {
    std::string bytes(web::base64_decoded_bound(base64.size()), '\0');
    const auto n = web::base64_decode(base64, reinterpret_cast<std::byte*>(bytes.data()));
    REQUIRE(n);
    bytes.resize(*n);
    return bytes;
}

std::string payload_in(const std::string& text) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    REQUIRE(parser.parse(text).get(root) == simdjson::SUCCESS);
    std::string_view base64;
    REQUIRE(root["payload"].get(base64) == simdjson::SUCCESS);
    return decode_payload(base64);
}

std::string bytes_of(std::size_t n, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string bytes(n, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
}

time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }

std::string event_time(std::int64_t ms) {
    message m("x");
    m.event_time = at(ms);
    CHECK(!check_message(m));
    simdjson::dom::parser parser;
    const std::string text = encode(m);
    std::string_view time;
    REQUIRE(parser.parse(text)["eventTime"].get(time) == simdjson::SUCCESS);
    return std::string(time);
}

} // namespace

TEST_CASE("a plain message, to the letter") {
    CHECK(encode("Hello", 1) == R"({"payload":"SGVsbG8=","context":"1"})");
    CHECK(encode("", 0) == R"({"payload":"","context":"0"})");
    CHECK(encode("a", 18446744073709551615u) == R"({"payload":"YQ==","context":"18446744073709551615"})");
}

TEST_CASE("payloads of every size come back, with every alignment of what follows") {
    web::byte_buffer out;
    for (std::size_t size = 0; size <= 300; ++size) {
        const std::string payload = bytes_of(size, size);
        CHECK(payload_in(encode(payload, size, out, static_cast<web::mask_key>(size * 0x9e3779b9u))) == payload);
    }
    for (const std::size_t size : {std::size_t{64} << 10, std::size_t{1} << 20}) {
        const std::string payload = bytes_of(size, size);
        CHECK(payload_in(encode(payload, 1, out)) == payload);
    }
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    CHECK(payload_in(encode(all)) == all);
}

TEST_CASE("the header's three lengths at their borders") {
    // text_size = 12 + base64 + 13 + 1 + 2
    for (const std::size_t size : {69u, 70u, 72u, 73u, 75u, 49128u, 49129u, 49130u, 49131u, 49132u, 49134u})
        CHECK(payload_in(encode(std::string(size, 'x'), 1)).size() == size);
}

TEST_CASE("context digits at every power of ten") {
    std::uint64_t n = 1;
    for (int i = 0; i < 20; ++i) {
        for (const std::uint64_t context : {n - 1, n, n + 1})
            CHECK(encode("x", context) == R"({"payload":"eA==","context":")" + std::to_string(context) + R"("})");
        n *= 10;
    }
}

TEST_CASE("each member alone") {
    message m("x");
    m.key = "user-1";
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","key":"user-1"})");
    m.key = "";
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","key":""})");

    m = message("x");
    m.properties = {{"a", "b"}};
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","properties":{"a":"b"}})");
    m.properties = {{"a", "b"}, {"", ""}, {"\"q\"", "back\\slash\n\t\x01"}};
    CHECK(encode(m) ==
          R"({"payload":"eA==","context":"1","properties":{"a":"b","":"","\"q\"":"back\\slash\n\t\u0001"}})");

    m = message("x");
    m.event_time = at(1795507200123);
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","eventTime":"2026-11-24T08:00:00.123Z"})");

    m = message("x");
    m.deliver_at = at(1795507200123);
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","deliverAt":1795507200123})");

    m = message("x");
    m.deliver_after = 1500ms;
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","deliverAfterMs":1500})");
    m.deliver_after = 0ms;
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","deliverAfterMs":0})");

    m = message("x");
    m.replication_clusters = {"us-west", "eu \"1\""};
    CHECK(encode(m) == R"({"payload":"eA==","context":"1","replicationClusters":["us-west","eu \"1\""]})");

    m = message("x");
    m.send_timeout = 5s; // ours, not the wire's
    CHECK(encode(m) == R"({"payload":"eA==","context":"1"})");
}

TEST_CASE("all members together, in Unicode, with every subset the size is exact") {
    message full("päylöad");
    full.key = "ключ 🔑";
    full.properties = {{"größe", "大"}, {"emoji", "🚰"}};
    full.event_time = at(1);
    full.deliver_at = at(std::numeric_limits<std::int64_t>::min());
    full.deliver_after = std::chrono::milliseconds(std::numeric_limits<std::int64_t>::max());
    full.replication_clusters = {"кластер"};
    for (unsigned subset = 0; subset < 64; ++subset) {
        message m = full;
        if ((subset & 1) == 0) m.key.reset();
        if ((subset & 2) == 0) m.properties.clear();
        if ((subset & 4) == 0) m.event_time.reset();
        if ((subset & 8) == 0) m.deliver_at.reset();
        if ((subset & 16) == 0) m.deliver_after.reset();
        if ((subset & 32) == 0) m.replication_clusters.clear();
        CHECK(!check_message(m));
        const std::string text = encode(m, subset);
        simdjson::dom::parser parser;
        simdjson::dom::element root;
        REQUIRE(parser.parse(text).get(root) == simdjson::SUCCESS);
        CHECK(payload_in(text) == m.payload);
        CHECK(std::string_view(root["context"]) == std::to_string(subset));
        CHECK((root["key"].error() == simdjson::SUCCESS) == m.key.has_value());
        if (m.key) CHECK(std::string_view(root["key"]) == *m.key);
        CHECK((root["properties"].error() == simdjson::SUCCESS) == !m.properties.empty());
        for (const property& p : m.properties) CHECK(std::string_view(root["properties"][p.name]) == p.value);
        if (m.event_time) CHECK(std::string_view(root["eventTime"]) == "1970-01-01T00:00:00.001Z");
        if (m.deliver_at) CHECK(std::int64_t(root["deliverAt"]) == std::numeric_limits<std::int64_t>::min());
        if (m.deliver_after) CHECK(std::int64_t(root["deliverAfterMs"]) == std::numeric_limits<std::int64_t>::max());
        if (!m.replication_clusters.empty()) CHECK(std::string_view(root["replicationClusters"].at(0)) == "кластер");
        CHECK(root.get_object().value_unsafe().size() ==
              2u + m.key.has_value() + !m.properties.empty() + m.event_time.has_value() + m.deliver_at.has_value() +
                  m.deliver_after.has_value() + !m.replication_clusters.empty());
    }
}

TEST_CASE("a view says the same as the message it is made from") {
    message m("payload", "key");
    m.properties = {{"a", "b"}};
    const message_attributes& attributes = m;
    message_view view("payload");
    view.with_key("key").with(attributes);
    CHECK(encode(view) == encode(m));
}

TEST_CASE("frames stand behind one another") {
    web::byte_buffer out;
    std::vector<std::size_t> ends;
    for (int i = 0; i < 100; ++i) {
        (void)encode(std::string(static_cast<std::size_t>(i * 7), 'x'), static_cast<std::uint64_t>(i), out);
        ends.push_back(out.size());
    }
    web::bytes_view rest = out.view();
    std::size_t consumed = 0;
    for (const std::size_t end : ends) {
        web::frame_header header;
        REQUIRE(web::parse_frame_header(rest, header) == web::parse_status::ok);
        const std::size_t n = web::frame_header_size(header.length, true) + static_cast<std::size_t>(header.length);
        consumed += n;
        CHECK(consumed == end);
        rest = rest.subspan(n);
    }
    CHECK(rest.empty());
}

TEST_CASE("event times over the whole range") {
    CHECK(event_time(1) == "1970-01-01T00:00:00.001Z");
    CHECK(event_time(951782399999) == "2000-02-28T23:59:59.999Z");
    CHECK(event_time(951782400000) == "2000-02-29T00:00:00.000Z");
    CHECK(event_time(4107542400000) == "2100-03-01T00:00:00.000Z");
    CHECK(event_time(253402300799999) == "9999-12-31T23:59:59.999Z");
    for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{253402300800000},
                                  std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        message m("x");
        m.event_time = at(ms);
        const failure f = check_message(m);
        CHECK(f.code == errc::invalid_message);
        CHECK(f.details->text.starts_with("event_time"));
    }
}

TEST_CASE("what cannot be said is named") {
    const auto refused = [](const message& m) {
        const failure f = check_message(m);
        if (!f) return std::string("good");
        CHECK(f.code == errc::invalid_message);
        return f.details->text;
    };
    message m("\xff any bytes \0 in the payload");
    CHECK(refused(m) == "good");
    m.key = std::string("\0", 1);
    CHECK(refused(m) == "good");
    CHECK(encode(m).find(R"("key":"\u0000")") != std::string::npos);
    m.key = "\xff";
    CHECK(refused(m).starts_with("key"));
    m.key.reset();
    m.properties = {{"good", "good"}, {"good", "\xc3"}};
    CHECK(refused(m).starts_with("properties[1].value"));
    m.properties = {{"\xed\xa0\x80", "good"}};
    CHECK(refused(m).starts_with("properties[0].name"));
    m.properties = {{"good", std::string("a\0b", 3)}};
    CHECK(refused(m) == "properties[0].value: a NUL is not allowed");
    m.properties = {{std::string("\0", 1), ""}};
    CHECK(refused(m) == "properties[0].name: a NUL is not allowed");
    m.properties.clear();
    m.replication_clusters = {"good", "\x80"};
    CHECK(refused(m).starts_with("replication_clusters"));
}

TEST_CASE("contexts that count up, and those that do not, are said exactly") {
    message_encoder encoder; // one: it counts along
    const auto said = [&](std::uint64_t context) {
        web::byte_buffer out;
        encoder.encode("x", context, key, out);
        const std::size_t size = encoder.text_size("x", context);
        std::string text(web::as_text(out.view().subspan(out.size() - size)));
        web::apply_mask(reinterpret_cast<std::byte*>(text.data()), text.size(), key);
        return text;
    };
    const auto expected = [](std::uint64_t context) {
        return R"({"payload":"eA==","context":")" + std::to_string(context) + R"("})";
    };
    constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
    for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{9'990}, std::uint64_t{99'999'990},
                                      std::uint64_t{9'999'999'999'999'999'990u}, last - 10, std::uint64_t{7}})
        for (std::uint64_t i = 0; i < 21; ++i) CHECK(said(start + i) == expected(start + i)); // last, then 0
    for (const std::uint64_t context : {std::uint64_t{0}, last, std::uint64_t{1}, std::uint64_t{1}})
        CHECK(said(context) == expected(context));
}
