// SPDX-License-Identifier: BSL-1.0
// Unpacking: what was packed comes back; whatever else comes is an error, and costs no more than the limits say.
#include "packing.hpp"

#include <sluice/unpack.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <ranges>

using namespace packing;

static_assert(std::ranges::forward_range<unpacked>);
static_assert(std::ranges::forward_range<unpacked_properties>);
static_assert(std::ranges::sized_range<unpacked>);

namespace {

constexpr auto framed_layout = pack_layout::framed;
constexpr auto json = pack_layout::json_array;

void check_same(const unpacked_message& got, const message& sent, pack_layout layout) {
    REQUIRE(got.payload == sent.payload);
    if (layout == json) return;
    REQUIRE(got.key.has_value() == sent.key.has_value());
    if (sent.key) REQUIRE(*got.key == *sent.key);
    REQUIRE(got.event_time == sent.event_time);
    REQUIRE(got.properties.size() == sent.properties.size());
    auto expected = sent.properties.begin();
    for (const auto& [name, value] : got.properties) {
        REQUIRE(name == expected->name);
        REQUIRE(value == expected->value);
        ++expected;
    }
    REQUIRE(expected == sent.properties.end());
}

void check_same(const unpacked& got, const std::vector<message>& sent, pack_layout layout) {
    REQUIRE_FALSE(got.error());
    REQUIRE(got.size() == sent.size());
    CHECK(got.layout() == layout);
    for (int twice = 0; twice < 2; ++twice) {
        auto expected = sent.begin();
        for (const unpacked_message& m : got) check_same(m, *expected++, layout);
        REQUIRE(expected == sent.end());
    }
}

/// Over a copy that ends where the pack ends, for the sanitizer. Reads all that there is.
template <class Memory>
std::error_code read_all(std::string_view pack, pack_layout layout, Memory& memory, const unpack_limits& limits = {}) {
    const auto copy = std::make_unique_for_overwrite<char[]>(pack.size());
    std::copy(pack.begin(), pack.end(), copy.get());
    const unpacked got = unpack(std::string_view(copy.get(), pack.size()), layout, memory, limits);
    std::size_t count = 0;
    std::uint32_t once = 0, again = 0; // so that every byte is read
    for (std::uint32_t* sum : {&once, &again})
        for (const unpacked_message& m : got) {
            ++count;
            *sum = web::crc32(web::as_bytes(m.payload), web::crc32(web::as_bytes(m.key.value_or("")), *sum));
            for (const auto& [name, value] : m.properties)
                *sum = web::crc32(web::as_bytes(name), web::crc32(web::as_bytes(value), *sum));
        }
    REQUIRE(count == 2 * got.size());
    REQUIRE(once == again);
    if (got.error()) {
        REQUIRE(count == 0);
        REQUIRE(!got.error().details->text.empty());
    }
    REQUIRE(memory.capacity() <= limits.max_bytes);
    return got.error().code;
}

/// The error's text; its code is checked.
std::string refused(std::string_view pack, pack_layout layout, errc code, const unpack_limits& limits = {}) {
    unpack_memory memory;
    CHECK(read_all(pack, layout, memory, limits) == code);
    const unpacked got = unpack(pack, layout, memory, limits);
    return got.error() ? got.error().details->text : "";
}

std::vector<message> some_messages() {
    std::vector<message> all;
    for (int i = 0; i < 6; ++i) {
        message m(R"({"name":"temperature","unit":"celsius","value":)" + std::to_string(i) + "}", "key");
        if (i % 2 == 0) m.properties = {{"origin", "sensor"}, {"floor", std::to_string(i)}};
        if (i % 3 == 0) m.event_time = at_ms(1764489600000 + i);
        all.push_back(std::move(m));
    }
    return all;
}

} // namespace

TEST_CASE("unpack: what was packed, with every codec") {
    std::mt19937 random{11};
    unpack_memory memory; // one for all: sizes and codecs change from pack to pack
    for (int round = 0; round < 200; ++round)
        for (const auto type : types) {
            CAPTURE(to_string(type));
            const auto sent = any_messages(random, 1 + random() % 40, round % 2 == 0);
            const std::string pack = packed(sent, framed_layout, make_codec(type));
            const unpacked got = unpack(pack, framed_layout, memory);
            check_same(got, sent, framed_layout);
            CHECK((got.codec() == type || got.codec() == compression_type::none));
        }
}

TEST_CASE("unpack: JSON arrays, byte for byte") {
    const std::vector<message> sent{{" {\"a\" : [1,2]} "}, {"\"],[\""}, {"null"},
                                    {"\n1e999\t"},         {"[]"},      {"\"caf\u00e9\""}};
    unpack_memory memory;
    check_same(unpack(packed(sent, json, codec::none{}), json, memory), sent, json);
    CHECK(memory.capacity() == 0);

    // Others may have written it anew.
    const unpacked got = unpack(" [ 1 , {\"a\":2}\n] \n", json, memory);
    REQUIRE(got.size() == 2);
    CHECK(got.begin()->payload == " 1 ");
    CHECK((++got.begin())->payload == " {\"a\":2}\n");
    CHECK(unpack(" [ ] ", json, memory).empty());
    CHECK_FALSE(unpack("[]", json, memory).error());
}

TEST_CASE("unpack: the example, member by member") {
    unpack_memory memory;
    const std::string pack = packed(example(), framed_layout, codec::none{});
    const unpacked got = unpack(pack, framed_layout, memory);
    REQUIRE(got.size() == 2);
    auto m = got.begin();
    CHECK(m->payload == R"({"t":21.5})");
    CHECK(m->key == "sensor-7");
    CHECK(m->event_time == at_ms(1764489600123));
    CHECK(m->properties.find("unit") == "\u00b0C");
    CHECK_FALSE(m->properties.find("Unit"));
    ++m;
    CHECK(m->payload == R"({"t":21.6})");
    CHECK(m->key == "sensor-7");
    CHECK_FALSE(m->event_time);
    CHECK(m->properties.empty());
    CHECK(++m == got.end());
    CHECK(m->payload.data() > pack.data()); // uncompressed: views into the pack itself
    CHECK(m->payload.data() < pack.data() + pack.size());
}

TEST_CASE("unpack: the properties tell whether it is a pack") {
    unpack_memory memory;
    const std::vector<property> none{{"other", "framed"}};
    const unpacked plain = unpack("[1,2]", none, memory);
    REQUIRE(plain.size() == 1);
    CHECK(plain.begin()->payload == "[1,2]");
    CHECK_FALSE(plain.layout());
    CHECK(unpack("", none, memory).size() == 1);

    const std::vector<property> array{{"other", ""}, {"sluice-packed", "json_array"}};
    CHECK(unpack("[1,2]", array, memory).size() == 2);
    const auto written = pulsar::packed_attributes(framed_layout);
    CHECK(unpack(packed(example(), framed_layout, codec::zlib{}), written.properties, memory).size() == 2);
    CHECK(unpack("[1,2]", written.properties, memory).error().code == errc::corrupt_data);

    const std::vector<property> later{{"sluice-packed", "columns"}};
    const unpacked unknown = unpack("[1,2]", later, memory);
    CHECK(unknown.error().code == errc::corrupt_data);
    CHECK(unknown.error().details->text.ends_with("known are framed, json_array"));
}

TEST_CASE("unpack: a key for some messages, as another writer may have it") {
    unpack_memory memory;
    const std::string pack = framed(from_hex("00 01 61  01 01 6b 01 62  02 01 63  01 00 01 64  00 01 65"), 5);
    std::vector<std::optional<std::string_view>> keys;
    for (const auto& m : unpack(pack, framed_layout, memory)) keys.push_back(m.key);
    CHECK(keys == std::vector<std::optional<std::string_view>>{std::nullopt, "k", "k", "", std::nullopt});
}

TEST_CASE("unpack: cut at every offset") {
    unpack_memory memory;
    for (const auto type : types) {
        const std::string whole = packed(some_messages(), framed_layout, make_codec(type));
        for (std::size_t n = 0; n < whole.size(); ++n) {
            REQUIRE(read_all(whole.substr(0, n), framed_layout, memory) == errc::corrupt_data);
            if (n < pulsar::packed_header_size) continue;
            REQUIRE(read_all(with_checksum(whole.substr(0, n)), framed_layout, memory) == errc::corrupt_data);
        }
        REQUIRE(read_all(whole + '\0', framed_layout, memory) == errc::corrupt_data);
        // An LZ4 block has no end of its own, and the more it makes is too much.
        REQUIRE(read_all(with_checksum(whole + '\0'), framed_layout, memory) == errc::corrupt_data);
    }
    const std::string array = packed({{"[1,2]"}, {"\"a\""}, {"{\"b\":[]}"}}, json, codec::none{});
    for (std::size_t n = 0; n < array.size(); ++n)
        REQUIRE(read_all(array.substr(0, n), json, memory) == errc::invalid_json);
    REQUIRE(read_all(array + "]", json, memory) == errc::invalid_json);
}

TEST_CASE("unpack: every bit turned over") {
    unpack_memory memory;
    for (const auto type : types) {
        std::string pack = packed(some_messages(), framed_layout, make_codec(type));
        for (std::size_t bit = 0; bit < 8 * pack.size(); ++bit) {
            const auto turn = static_cast<char>(1 << (bit % 8));
            pack[bit / 8] = static_cast<char>(pack[bit / 8] ^ turn);
            REQUIRE(read_all(pack, framed_layout, memory) == errc::corrupt_data);
            // And by somebody who knows how to make the checksum right: an error, or messages within the limits.
            if (bit / 8 < 14 || bit / 8 >= pulsar::packed_header_size) {
                const std::error_code ec =
                    read_all(with_checksum(pack), framed_layout, memory, {.max_bytes = 2000, .max_messages = 100});
                REQUIRE((!ec || ec == errc::corrupt_data || ec == errc::output_limit || ec == errc::unknown_codec));
            }
            pack[bit / 8] = static_cast<char>(pack[bit / 8] ^ turn);
        }
    }
    std::string array = R"([{"a":[1,-2.5e3]}, "text \u00e9" ,true])";
    for (std::size_t bit = 0; bit < 8 * array.size(); ++bit) {
        const auto turn = static_cast<char>(1 << (bit % 8));
        array[bit / 8] = static_cast<char>(array[bit / 8] ^ turn);
        const std::error_code ec = read_all(array, json, memory);
        REQUIRE((!ec || ec == errc::invalid_json));
        array[bit / 8] = static_cast<char>(array[bit / 8] ^ turn);
    }
}

TEST_CASE("unpack: a size or a number that lies") {
    unpack_memory memory;
    for (const auto type : types) {
        CAPTURE(to_string(type));
        const std::string pack = packed(some_messages(), framed_layout, make_codec(type));
        const auto header = pulsar::read_packed_header(web::as_bytes(pack));
        const std::string_view body = std::string_view(pack).substr(pulsar::packed_header_size);
        for (std::uint32_t size = 0; size < 3 * header.size; ++size)
            if (size != header.size)
                REQUIRE(read_all(framed(body, header.messages, size, header.codec), framed_layout, memory) ==
                        errc::corrupt_data);
        for (const std::uint32_t n : {0U, 1U, 5U, 7U, 100'000U})
            REQUIRE(read_all(framed(body, n, header.size, header.codec), framed_layout, memory) == errc::corrupt_data);
        for (const std::uint32_t n : {1'000'001U, 0xffffffffU})
            REQUIRE(read_all(framed(body, n, header.size, header.codec), framed_layout, memory) == errc::output_limit);
        for (const std::uint32_t size : {(16U << 20) + 1, 0x7fffffffU, 0x80000000U, 0xffffffffU})
            REQUIRE(read_all(framed(body, header.messages, size, header.codec), framed_layout, memory) ==
                    errc::output_limit);
        for (std::uint32_t other = 0; other < 5; ++other) // the name of another codec
            if (other != header.codec)
                REQUIRE(read_all(framed(body, header.messages, header.size, other), framed_layout, memory) ==
                        errc::corrupt_data);
    }
}

TEST_CASE("unpack: no memory for what so few bytes cannot become") {
    for (const auto type : {compression_type::lz4, compression_type::zlib, compression_type::snappy}) {
        unpack_memory memory;
        const std::string lie = framed(std::string(20, 'x'), 1, 16u << 20, static_cast<unsigned>(type));
        CHECK(read_all(lie, framed_layout, memory) == errc::corrupt_data);
        CHECK(memory.capacity() == 0);
    }
    unpack_memory memory;
    CHECK(read_all(framed("xxxx", 1, 32768 * 4 + 1, 3), framed_layout, memory) == errc::corrupt_data);
    CHECK(memory.capacity() == 0);
}

TEST_CASE("unpack: bombs, and what is smaller than it could be") {
    const std::vector<message> zeros{{std::string(10 << 20, '\0')}};
    for (const auto type : types) {
        CAPTURE(to_string(type));
        const std::string pack = packed(zeros, framed_layout, make_codec(type));
        unpack_memory memory;
        CHECK(read_all(pack, framed_layout, memory, {.max_bytes = 1u << 20}) == errc::output_limit);
        CHECK(memory.capacity() == 0);
        // The best that each codec makes of it is not taken for a lie.
        check_same(unpack(pack, framed_layout, memory), zeros, framed_layout);
        // One that says that it is small.
        const auto header = pulsar::read_packed_header(web::as_bytes(pack));
        if (type == compression_type::none) continue;
        unpack_memory small;
        CHECK(read_all(framed(pack.substr(18), 1, 1000, header.codec), framed_layout, small) == errc::corrupt_data);
        CHECK(small.capacity() == 1000);
    }
}

TEST_CASE("unpack: the limits, exactly") {
    std::vector<message> sent;
    for (int i = 0; i < 10; ++i) sent.emplace_back("[12345]");
    const std::string pack = packed(sent, framed_layout, codec::none{}), array = packed(sent, json, codec::none{});
    unpack_memory memory;
    for (const auto& [bytes, layout, limit] :
         {std::tuple(pack, framed_layout, pack.size() - 18), std::tuple(array, json, array.size())}) {
        CHECK_FALSE(read_all(bytes, layout, memory, {.max_bytes = limit, .max_messages = 10}));
        CHECK(read_all(bytes, layout, memory, {.max_bytes = limit - 1}) == errc::output_limit);
        CHECK(read_all(bytes, layout, memory, {.max_messages = 9}) == errc::output_limit);
        CHECK(read_all(bytes, layout, memory, {.max_messages = 0}) == errc::output_limit);
    }
    CHECK(refused(array, json, errc::output_limit, {.max_messages = 9}) == "pack: 10 or more messages: the limit is 9");
    CHECK(refused(pack, framed_layout, errc::output_limit, {.max_bytes = 5}) == "pack: 90 bytes: the limit is 5");
}

TEST_CASE("unpack: an unknown codec lists the known ones, one that is not linked names its target") {
    for (const unsigned codec : {5U, 6U, 255U})
        CHECK(refused(framed(from_hex("00 00"), 1, 2, codec), framed_layout, errc::unknown_codec) ==
              "pack: unknown codec " + std::to_string(codec) + ": known are 0 NONE, 1 LZ4, 2 ZLIB, 3 ZSTD, 4 SNAPPY");
    basic_unpack_memory<codec::basic_any<codec::none, codec::zlib>> some;
    std::vector<message> sent{{std::string(1000, 'a')}};
    CHECK_FALSE(unpack(packed(sent, framed_layout, codec::zlib{}), framed_layout, some).error());
    const unpacked got = unpack(packed(sent, framed_layout, codec::zstd{}), framed_layout, some);
    CHECK(got.error().code == errc::unknown_codec);
    CHECK(got.error().details->text ==
          "codec ZSTD is not linked: link the CMake target sluice::zstd; linked are NONE, ZLIB");
}

TEST_CASE("unpack: headers that are none") {
    std::string pack = framed(from_hex("00 01 61"), 1);
    CHECK(refused("", framed_layout, errc::corrupt_data) == "pack: shorter than a header");
    CHECK(refused(R"({"not":"a pack", "but":"JSON"})", framed_layout, errc::corrupt_data) ==
          "pack: it does not begin with F5 53 4C 50");
    pack[4] = 2;
    CHECK(refused(pack, framed_layout, errc::corrupt_data) == "pack: version 2 is not known, only 1");
    pack[4] = 1;
    pack[14] = static_cast<char>(pack[14] ^ 1);
    CHECK(refused(pack, framed_layout, errc::corrupt_data) == "pack: the checksum is wrong");
    CHECK(refused("{}", json, errc::invalid_json) ==
          "pack: not a JSON array: a character that cannot stand here at offset 0");
    CHECK(refused("[1,[2,}]", json, errc::invalid_json) ==
          "pack: not a JSON array: a character that cannot stand here at offset 6");
    CHECK(refused("", json, errc::invalid_json) == "pack: not a JSON array: it ends inside of a value at offset 0");
    CHECK(refused("[1,2", json, errc::invalid_json) == "pack: not a JSON array: it ends inside of a value at offset 4");
    CHECK(refused("[1]]", json, errc::invalid_json) ==
          "pack: not a JSON array: a character that cannot stand here at offset 3");
}

TEST_CASE("unpack: messages that are none, behind a right checksum") {
    const auto says = [](std::string_view hex, std::uint32_t messages = 1) {
        return refused(framed(from_hex(hex), messages), framed_layout, errc::corrupt_data);
    };
    CHECK(says("10 00") == "pack: message 0: a message with flags that do not exist");
    CHECK(says("80 00") == "pack: message 0: a message with flags that do not exist");
    CHECK(says("03 00 00") == "pack: message 0: a message with flags that do not exist");
    CHECK(says("02 00") == "pack: message 0: the first message has the key of the one before it");
    CHECK(says("00 02 61") == "pack: message 0: a payload that is cut short");
    CHECK(says("00 80") == "pack: message 0: a payload that is cut short");
    CHECK(says("00 81 00 61") == "pack: message 0: a payload that is cut short");      // not the shortest form
    CHECK(says("00 ffffffff0f 61") == "pack: message 0: a payload that is cut short"); // 2^32 - 1
    CHECK(says("00 ffffffffff01 61") == "pack: message 0: a payload that is cut short");
    CHECK(says("01 05 61") == "pack: message 0: a key that is cut short");
    CHECK(says("01 01 ff 00") == "pack: message 0: a key that is not UTF-8");
    CHECK(says("04 00000000000000") == "pack: message 0: an event time that is cut short");
    CHECK(says("08 00 00") == "pack: message 0: no number of properties");
    CHECK(says("08 ffffffff07 00 00 00") == "pack: message 0: a property that is cut short");
    CHECK(says("08 01 01 61 03 62 00") == "pack: message 0: a property that is cut short");
    CHECK(says("08 01 01 ff 00 00") == "pack: message 0: a property that is not UTF-8");
    CHECK(says("08 01 00 01 ff 00") == "pack: message 0: a property that is not UTF-8");
    CHECK(says("08 02 00 00 01 ff 00 00") == "pack: message 0: a property that is not UTF-8");
    CHECK(says("00 01 61 00 00", 1) == "pack: more bytes than messages");
    CHECK(says("00 02 61 61", 2) == "pack: message 1: there are fewer messages than the header says");
    CHECK(says("00 00 01 01 ff 00", 2) == "pack: message 1: a key that is not UTF-8");
}

TEST_CASE("unpack: nothing of an earlier pack is seen in a later one that is too short") {
    const std::vector<message> sent{{std::string(300, 'a')}, {std::string(300, 'b')}};
    const std::string body = packed(sent, framed_layout, codec::none{}).substr(pulsar::packed_header_size);
    for (const auto type : types) {
        if (type == compression_type::none) continue;
        codec::any codec = make_codec(type);
        std::string half(codec.bound(body.size() / 2), '\0');
        const codec_result done = codec.compress(web::as_bytes(body).first(body.size() / 2),
                                                 {reinterpret_cast<std::byte*>(half.data()), half.size()});
        REQUIRE_FALSE(done.ec);
        half.resize(done.size);
        unpack_memory memory;
        check_same(unpack(packed(sent, framed_layout, codec), framed_layout, memory), sent, framed_layout);
        const auto size = static_cast<std::uint32_t>(body.size());
        CHECK(read_all(framed(half, 2, size, static_cast<unsigned>(type)), framed_layout, memory) ==
              errc::corrupt_data);
    }
}

TEST_CASE("unpack: deep JSON costs no stack") {
    const std::string deep(1u << 20, '[');
    CHECK(refused(deep, json, errc::invalid_json) == "pack: not a JSON array: more than 1024 levels at offset 1025");
}

TEST_CASE("unpack: memory is kept, exact, and given back") {
    unpack_memory memory;
    const std::vector<message> large{{std::string(5000, 'a')}}, small{{std::string(900, 'b')}};
    check_same(unpack(packed(large, framed_layout, codec::zlib{}), framed_layout, memory), large, framed_layout);
    const std::size_t capacity = memory.capacity();
    CHECK(capacity == 5000 + 3);
    check_same(unpack(packed(small, framed_layout, codec::snappy{}), framed_layout, memory), small, framed_layout);
    CHECK(memory.capacity() == capacity);
    memory.shrink(capacity);
    CHECK(memory.capacity() == capacity);
    memory.shrink(100);
    CHECK(memory.capacity() == 0);
    check_same(unpack(packed(small, framed_layout, codec::lz4{}), framed_layout, memory), small, framed_layout);
}
