// SPDX-License-Identifier: BSL-1.0
// Packing: the bytes as docs/packed.md has them, exact sizes, what goes into which pack, and compression that is a
// loss.
#include "packing.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace packing;
using pulsar::pack_fit;
using pulsar::pack_writer;

namespace {

constexpr auto framed_layout = pack_layout::framed;
constexpr auto json = pack_layout::json_array;

std::string text_of(pack_writer& writer) { return packing::text_of(writer.finish()); }

/// Makes any n bytes into so many, or fails.
struct odd_codec {
    std::size_t result = 0;
    std::error_code ec{};
    std::size_t room = 1000;

    compression_type type() const noexcept { return compression_type::lz4; }
    std::size_t bound(std::size_t) const noexcept { return room; }
    codec_result compress(std::span<const std::byte>, std::span<std::byte> out) noexcept {
        REQUIRE(result <= out.size());
        std::fill_n(out.begin(), result, std::byte{'x'});
        return {ec, result};
    }
    codec_result decompress(std::span<const std::byte>, std::span<std::byte>) noexcept { return {errc::corrupt_data}; }
};
static_assert(compression_codec<odd_codec>);

} // namespace

TEST_CASE("packed: the example of the page, byte by byte") {
    pack_writer writer(framed_layout);
    for (const message& m : example()) CHECK(writer.add(m) == pack_fit::fits);
    CHECK(text_of(writer) == from_hex("f5534c50 01 00 00000002 00000033"
                                      "a77043d9"
                                      "0d 08 73656e736f722d37 0000019ad3c69c7b 01 04 756e6974 03 c2b043"
                                      "0a 7b2274223a32312e357d"
                                      "02 0a 7b2274223a32312e367d"));
}

TEST_CASE("packed: a JSON array is the payloads, commas and brackets") {
    pack_writer writer(json);
    CHECK(writer.size() == 0);
    for (const std::string_view payload : {R"({"a":1})", " 2 ", "\"x\"", "null\n"})
        CHECK(writer.add(payload) == pack_fit::fits);
    CHECK(text_of(writer) == "[{\"a\":1}, 2 ,\"x\",null\n]");
    codec::zlib zlib;
    const auto pack = writer.finish(zlib); // a stream worker's mapper would not read it
    CHECK(packing::text_of(pack) == "[{\"a\":1}, 2 ,\"x\",null\n]");
    CHECK(pack.codec == compression_type::none);
    CHECK(pack.messages == 4);
    writer.clear();
    CHECK(writer.add("1") == pack_fit::fits);
    CHECK(text_of(writer) == "[1]");
}

TEST_CASE("packed: the property that tells a consumer") {
    const message_attributes a = pulsar::packed_attributes(json);
    REQUIRE(a.properties.size() == 1);
    CHECK(a.properties[0] == property{"sluice-packed", "json_array"});
    CHECK(pulsar::packed_attributes(framed_layout).properties[0].value == "framed");
    CHECK(parse_pack_layout("framed") == framed_layout);
    CHECK(parse_pack_layout("json_array") == json);
    CHECK_FALSE(parse_pack_layout("Framed"));
    CHECK_FALSE(parse_pack_layout(""));
}

TEST_CASE("packed: the size is told before, exactly") {
    std::mt19937 random{7};
    for (int round = 0; round < 300; ++round) {
        pack_writer writer(framed_layout, {.max_bytes = 1u << 20});
        for (const message& m : any_messages(random, 1 + random() % 20, round % 2 == 0)) {
            const std::size_t told = writer.size_with(m);
            CHECK(writer.fits(m) == pack_fit::fits);
            REQUIRE(writer.add(m) == pack_fit::fits);
            REQUIRE(writer.size() == told);
        }
        CHECK(writer.finish().bytes.size() == writer.size());
    }
    pack_writer writer(json);
    for (const std::string_view payload : {"1", "[2]", " 3"}) {
        const std::size_t told = writer.size_with(payload);
        CHECK(writer.add(payload) == pack_fit::fits);
        CHECK(writer.size() == told);
    }
}

TEST_CASE("packed: lengths on both sides of every step") {
    for (const std::size_t n : {0U, 1U, 127U, 128U, 16383U, 16384U, 2097151U, 2097152U}) {
        const std::string payload(n, 'p');
        pack_writer writer(framed_layout, {.max_bytes = 4u << 20});
        const std::size_t told = writer.size_with(payload);
        REQUIRE(writer.add(payload) == pack_fit::fits);
        CHECK(writer.size() == told);
        std::size_t digits = 1;
        for (std::size_t rest = n; rest >= 128; rest /= 128) ++digits;
        CHECK(told == pulsar::packed_header_size + 1 + digits + n);
    }
}

TEST_CASE("packed: up to the limit of bytes, and not one more") {
    for (const auto layout : {framed_layout, json}) {
        CAPTURE(to_string(layout));
        pack_writer sizes(layout);
        CHECK(sizes.add("\"abc\"") == pack_fit::fits);
        const std::size_t one = sizes.size(), two = sizes.size_with("12");
        for (std::size_t limit = 0; limit < two + 5; ++limit) {
            pack_writer writer(layout, {.max_bytes = limit});
            const pack_fit first = writer.add("\"abc\"");
            CHECK(first == (limit < one ? pack_fit::too_large : pack_fit::fits));
            if (first != pack_fit::fits) {
                CHECK(writer.empty());
                CHECK(writer.size() == 0);
                continue;
            }
            const pack_fit second = limit < two ? pack_fit::full : pack_fit::fits;
            CHECK(writer.fits("12") == second);
            CHECK(writer.add("12") == second);
            CHECK(writer.size() == (limit < two ? one : two));
            CHECK(writer.messages() == (limit < two ? 1 : 2));
        }
    }
}

TEST_CASE("packed: up to the limit of messages") {
    pack_writer writer(json, {.max_messages = 3});
    for (int i = 0; i < 3; ++i) CHECK(writer.add("1") == pack_fit::fits);
    CHECK(writer.fits("1") == pack_fit::full);
    CHECK(writer.add("1") == pack_fit::full);
    CHECK(text_of(writer) == "[1,1,1]");
    pack_writer none(json, {.max_messages = 0}); // means 1
    CHECK(none.add("1") == pack_fit::fits);
    CHECK(none.add("1") == pack_fit::full);
}

TEST_CASE("packed: sizes that no number holds are over the limit") {
    // Never read: `fits` asks for sizes alone.
    const std::string_view huge("x", std::numeric_limits<std::size_t>::max() / 4);
    for (const auto layout : {framed_layout, json}) {
        pack_writer writer(layout, {.max_bytes = std::numeric_limits<std::size_t>::max()});
        CHECK(writer.fits(huge) == pack_fit::too_large);
        CHECK(writer.fits(std::string_view("x", std::size_t{1} << 31)) == pack_fit::too_large);
        CHECK(writer.add("1") == pack_fit::fits);
        CHECK(writer.fits(huge) == pack_fit::full);
    }
}

TEST_CASE("packed: one key in one pack") {
    for (const auto layout : {framed_layout, json}) {
        pack_writer writer(layout);
        std::string gone = "a"; // the writer keeps no view of it
        CHECK(writer.add(message_view("1").with_key(gone)) == pack_fit::fits);
        gone = "b";
        CHECK(writer.has_key());
        CHECK(writer.key() == "a");
        CHECK(writer.fits(message_view("1").with_key("b")) == pack_fit::other_key);
        CHECK(writer.add(message_view("1").with_key("")) == pack_fit::other_key);
        CHECK(writer.add(message_view("1").with_key("aa")) == pack_fit::other_key);
        CHECK(writer.add("1") == pack_fit::other_key);
        CHECK(writer.messages() == 1);
        CHECK(writer.add(message_view("2").with_key("a")) == pack_fit::fits);
        writer.clear();
        CHECK_FALSE(writer.has_key());
        CHECK(writer.add("1") == pack_fit::fits);
        CHECK(writer.add(message_view("1").with_key("")) == pack_fit::other_key); // an empty key is a key
        CHECK(writer.add(message_view("1").with_key("a")) == pack_fit::other_key);
        CHECK(writer.add("1") == pack_fit::fits);
    }
}

TEST_CASE("packed: what one message cannot say inside of another is sent alone") {
    const auto answer = [](pack_layout layout, auto set) {
        message m("1");
        set(m);
        pack_writer writer(layout);
        CHECK(writer.add("0") == pack_fit::fits);
        CHECK(writer.fits(m) == writer.add(m));
        return writer.fits(m);
    };
    for (const auto layout : {framed_layout, json}) {
        CHECK(answer(layout, [](message& m) { m.deliver_at = at_ms(1); }) == pack_fit::alone);
        CHECK(answer(layout, [](message& m) { m.deliver_after = std::chrono::milliseconds(1); }) == pack_fit::alone);
        CHECK(answer(layout, [](message& m) { m.replication_clusters = {"c"}; }) == pack_fit::alone);
        CHECK(answer(layout, [](message& m) { m.send_timeout = std::chrono::milliseconds(1); }) == pack_fit::fits);
    }
    CHECK(answer(framed_layout, [](message& m) { m.event_time = at_ms(1); }) == pack_fit::fits);
    CHECK(answer(framed_layout, [](message& m) { m.properties = {{"a", "b"}}; }) == pack_fit::fits);
    CHECK(answer(json, [](message& m) { m.event_time = at_ms(1); }) == pack_fit::alone);
    CHECK(answer(json, [](message& m) { m.properties = {{"a", "b"}}; }) == pack_fit::alone);
}

TEST_CASE("packed: a payload that is not JSON is refused by itself") {
    pack_writer writer(json);
    const auto refuses = [&](std::string_view payload, std::string_view why) {
        const std::size_t before = writer.size();
        CHECK(writer.fits(payload) == pack_fit::fits); // which does not look inside
        CHECK(writer.add(payload) == pack_fit::refused);
        CHECK(writer.refusal().code == errc::invalid_json);
        CHECK(writer.refusal().details->text == why);
        CHECK(writer.size() == before);
    };
    refuses("", "payload: json_array needs JSON: it ends inside of a value at offset 0");
    refuses("secret", "payload: json_array needs JSON: a character that cannot stand here at offset 0");
    CHECK(writer.add(message_view("{}").with_key("k")) == pack_fit::fits);
    CHECK(writer.add("{}") == pack_fit::other_key);
    writer.clear();
    CHECK(writer.add("{}") == pack_fit::fits);
    refuses("1],[2", "payload: json_array needs JSON: a character that cannot stand here at offset 1");
    refuses("1,2", "payload: json_array needs JSON: a character that cannot stand here at offset 1");
    refuses(R"({"a":tru})", "payload: json_array needs JSON: a character that cannot stand here at offset 8");
    refuses("\xef\xbb\xbf{}", "payload: json_array needs JSON: a character that cannot stand here at offset 0");
    refuses("\"\xff\"", "payload: json_array needs JSON: not UTF-8 at offset 1");
    CHECK(writer.add("[]") == pack_fit::fits);
    CHECK(text_of(writer) == "[{},[]]");
}

TEST_CASE("packed: compressed where it shrinks") {
    std::vector<message> messages;
    for (int i = 0; i < 50; ++i) messages.emplace_back(R"({"name":"temperature","value":)" + std::to_string(i) + "}");
    for (const auto type : types) {
        CAPTURE(to_string(type));
        codec::any codec = make_codec(type);
        pack_writer writer(framed_layout);
        for (const message& m : messages) REQUIRE(writer.add(m) == pack_fit::fits);
        const auto pack = writer.finish(codec);
        CHECK(pack.codec == type);
        CHECK(pack.messages == 50);
        CHECK(pack.uncompressed == writer.size());
        CHECK(std::to_integer<unsigned>(pack.bytes[5]) == static_cast<unsigned>(type));
        if (type != compression_type::none) CHECK(pack.bytes.size() < writer.size() / 2);
    }
}

TEST_CASE("packed: what does not shrink is sent as it is, and says so") {
    std::mt19937 random{1};
    std::string noise(300, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    for (const auto type : types) {
        codec::any codec = make_codec(type);
        pack_writer writer(framed_layout);
        CHECK(writer.add(noise) == pack_fit::fits);
        const std::string plain = text_of(writer);
        const auto pack = writer.finish(codec);
        CHECK(pack.codec == compression_type::none);
        CHECK(packing::text_of(pack) == plain);
        CHECK(plain[5] == 0);
    }

    pack_writer writer(framed_layout);
    CHECK(writer.add(std::string(98, 'a')) == pack_fit::fits);
    const std::size_t body = writer.size() - pulsar::packed_header_size;
    const auto becomes = [&](odd_codec codec) {
        const auto pack = writer.finish(codec);
        CHECK(pack.bytes.size() - pulsar::packed_header_size ==
              (pack.codec == compression_type::none ? body : codec.result));
        return pack.codec;
    };
    CHECK(becomes({.result = body - 1}) == compression_type::lz4);
    CHECK(becomes({.result = body}) == compression_type::none);
    CHECK(becomes({.result = body + 1}) == compression_type::none);
    CHECK(becomes({.result = 1, .ec = errc::output_limit}) == compression_type::none);
    CHECK(becomes({.ec = std::make_error_code(std::errc::not_enough_memory)}) == compression_type::none);
    CHECK(becomes({.result = 1, .room = std::numeric_limits<std::size_t>::max()}) == compression_type::none);
    CHECK(becomes({.result = 1}) == compression_type::lz4);
}

TEST_CASE("packed: the memory is used again, and given back") {
    pack_writer writer(framed_layout);
    codec::lz4 codec;
    const auto round = [&] {
        for (int i = 0; i < 100; ++i)
            REQUIRE(writer.add(message_view("the same old story").with_key("k")) == pack_fit::fits);
        const auto plain = writer.finish().bytes.data();
        const auto pack = writer.finish(codec).bytes.data();
        writer.clear();
        return std::pair(plain, pack);
    };
    const auto first = round();
    for (int i = 0; i < 20; ++i) CHECK(round() == first);
    CHECK(writer.empty());
    writer.shrink(1u << 20);
    CHECK(round() == first);
    writer.shrink(0);
    CHECK(writer.add("again") == pack_fit::fits);
    writer.shrink(0); // not while there is something in it
    CHECK(writer.messages() == 1);
    CHECK(packing::text_of(writer.finish()).ends_with("again"));
}

TEST_CASE("packed: as many bytes as a frame has room for") {
    for (std::size_t characters = 0; characters < 100; ++characters) {
        const std::size_t n = pulsar::pack_bytes_within(characters);
        CHECK((n + 2) / 3 * 4 <= characters);
        CHECK((n + 3) / 3 * 4 > characters);
    }
}
