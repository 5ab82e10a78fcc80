// SPDX-License-Identifier: BSL-1.0
// What the tests of packs share: messages to pack, the codecs, and packs that lie with a right checksum.
#pragma once

#include <sluice/codec/any.hpp>
#include <sluice/pulsar/packed.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace packing {

using namespace sluice;

inline constexpr std::array types{compression_type::none, compression_type::lz4, compression_type::zlib,
                                  compression_type::zstd, compression_type::snappy};

inline codec::any make_codec(compression_type type) {
    auto [made, error] = codec::any::make(type);
    REQUIRE_FALSE(error);
    return std::move(made);
}

inline std::string from_hex(std::string_view hex) {
    std::string bytes;
    int half = -1;
    for (const char c : hex) {
        const int digit = web::hex_digit(c);
        if (digit < 0) continue;
        if (half >= 0) bytes += static_cast<char>(half << 4 | digit);
        half = half < 0 ? digit : -1;
    }
    return bytes;
}

inline message_attributes::time_point at_ms(std::int64_t ms) {
    return message_attributes::time_point(std::chrono::milliseconds(ms));
}

inline std::string text_of(const pulsar::finished_pack& pack) { return std::string(web::as_text(pack.bytes)); }

/// One pack of all of them.
template <class Codec>
std::string packed(const std::vector<message>& messages, pack_layout layout, Codec&& codec) {
    pulsar::pack_writer writer(layout, {.max_bytes = 64u << 20, .max_messages = 1'000'000});
    for (const message& m : messages) REQUIRE(writer.add(m) == pulsar::pack_fit::fits);
    return text_of(writer.finish(codec));
}

inline std::string with_checksum(std::string pack) {
    const std::uint32_t right = pulsar::packed_checksum(web::as_bytes(pack));
    web::store_big_endian(reinterpret_cast<std::byte*>(pack.data()) + 14, right);
    return pack;
}

/// A framed pack with a right checksum around whatever body.
inline std::string framed(std::string_view body, std::uint32_t messages, std::uint32_t size, unsigned codec = 0) {
    std::string pack(pulsar::packed_header_size, '\0');
    pack += body;
    pulsar::write_packed_header({reinterpret_cast<std::byte*>(pack.data()), pack.size()},
                                static_cast<compression_type>(codec), messages, size);
    return pack;
}
inline std::string framed(std::string_view body, std::uint32_t messages) {
    return framed(body, messages, static_cast<std::uint32_t>(body.size()));
}

/// Messages of one key, or of none, with everything that a pack holds.
inline std::vector<message> any_messages(std::mt19937& random, std::size_t count, bool keyed) {
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const auto text = [&](std::size_t longest) {
        std::string t;
        for (std::size_t n = below(longest + 1); n != 0; --n) t += static_cast<char>('a' + below(26));
        return t;
    };
    const std::string key = text(200);
    std::vector<message> all;
    for (std::size_t i = 0; i < count; ++i) {
        std::string payload(below(4) == 0 ? below(600) : below(40), '\0');
        for (char& c : payload) c = static_cast<char>(random() & (i % 2 == 0 ? 0xff : 0x07));
        message m(std::move(payload));
        if (keyed) m.key = key;
        if (below(3) == 0)
            for (std::size_t n = below(4); n != 0; --n) m.properties.push_back({text(10), text(150)});
        if (below(3) == 0) m.event_time = at_ms(static_cast<std::int64_t>(random()) * 997);
        all.push_back(std::move(m));
    }
    return all;
}

/// The example of docs/packed.md.
inline std::vector<message> example() {
    message first(R"({"t":21.5})", "sensor-7");
    first.event_time = at_ms(1764489600123);
    first.properties = {{"unit", "\u00b0C"}};
    return {first, message(R"({"t":21.6})", "sensor-7")};
}

} // namespace packing
