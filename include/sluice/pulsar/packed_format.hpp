// SPDX-License-Identifier: BSL-1.0
// The layout `framed` as docs/packed.md has it: its header, its numbers, and one message in it.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/message.hpp>
#include <sluice/web/bytes.hpp>
#include <sluice/web/crc32.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// The first byte is none of UTF-8: no text begins like this.
inline constexpr std::array<std::byte, 4> packed_magic{std::byte{0xf5}, std::byte{'S'}, std::byte{'L'}, std::byte{'P'}};
inline constexpr std::uint8_t packed_version = 1;
inline constexpr std::size_t packed_header_size = 18;
/// Every length fits 31 bits, and so five bytes of a number.
inline constexpr std::size_t max_packed_bytes = 0x7fffffff;
/// A message is its flags and the length of its payload at least.
inline constexpr std::size_t min_packed_record = 2;

/// What stands in a header, numbers in network order:
///
///     0   F5 'S' 'L' 'P'
///     4   version
///     5   codec: PulsarApi.proto's CompressionType
///     6   number of messages, 32 bits
///     10  size of the body before compression, 32 bits
///     14  CRC-32 of all other bytes: those before it, then the body as it stands here
///     18  the body
struct packed_header {
    std::uint8_t codec = 0;
    std::uint32_t messages = 0;
    std::uint32_t size = 0;
    std::uint32_t checksum = 0;
};

inline std::uint32_t packed_checksum(web::bytes_view pack) noexcept {
    return web::crc32(pack.subspan(packed_header_size), web::crc32(pack.first(14)));
}

/// Fills the header in front of a body that is there already.
inline void write_packed_header(std::span<std::byte> pack, compression_type codec, std::size_t messages,
                                std::size_t size) noexcept {
    std::byte* const at = pack.data();
    std::memcpy(at, packed_magic.data(), packed_magic.size());
    at[4] = std::byte{packed_version};
    at[5] = static_cast<std::byte>(codec);
    web::store_big_endian(at + 6, static_cast<std::uint32_t>(messages));
    web::store_big_endian(at + 10, static_cast<std::uint32_t>(size));
    web::store_big_endian(at + 14, packed_checksum(pack));
}

/// Precondition: there are `packed_header_size` bytes.
inline packed_header read_packed_header(web::bytes_view pack) noexcept {
    const std::byte* const at = pack.data();
    return {std::to_integer<std::uint8_t>(at[5]), web::load_big_endian<std::uint32_t>(at + 6),
            web::load_big_endian<std::uint32_t>(at + 10), web::load_big_endian<std::uint32_t>(at + 14)};
}

/// Lengths: seven bits a byte, the lowest first, and the high bit where another follows (as in Protocol Buffers).
constexpr std::size_t packed_number_size(std::size_t n) noexcept {
    return (static_cast<std::size_t>(std::bit_width(n | 1)) + 6) / 7;
}

inline std::byte* put_packed_number(std::size_t n, std::byte* out) noexcept {
    for (; n >= 0x80; n >>= 7) *out++ = static_cast<std::byte>((n & 0x7f) | 0x80);
    *out++ = static_cast<std::byte>(n);
    return out;
}

inline std::byte* put_packed_text(std::string_view text, std::byte* out) noexcept {
    out = put_packed_number(text.size(), out);
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

namespace packed_flag {
inline constexpr unsigned key = 1, same_key = 2, event_time = 4, properties = 8, all = 15;
}

/// The message takes this many bytes; `same_key`: its key is that of the message before it.
inline std::size_t packed_record_size(const message_view& m, bool same_key) noexcept {
    const auto text = [](std::string_view t) { return packed_number_size(t.size()) + t.size(); };
    std::size_t n = 1 + text(m.payload());
    if (m.has_key() && !same_key) n += text(m.key());
    const message_attributes* const a = m.attributes();
    if (a == nullptr) return n;
    if (a->event_time) n += 8;
    if (!a->properties.empty()) {
        n += packed_number_size(a->properties.size());
        for (const property& p : a->properties) n += text(p.name) + text(p.value);
    }
    return n;
}

/// Writes exactly `packed_record_size` bytes; returns the end.
inline std::byte* put_packed_record(const message_view& m, bool same_key, std::byte* out) noexcept {
    std::byte* const flags_at = out++;
    unsigned flags = 0;
    if (m.has_key()) {
        flags |= same_key ? packed_flag::same_key : packed_flag::key;
        if (!same_key) out = put_packed_text(m.key(), out);
    }
    if (const message_attributes* const a = m.attributes()) {
        if (a->event_time) {
            flags |= packed_flag::event_time;
            const std::int64_t ms{a->event_time->time_since_epoch().count()};
            web::store_big_endian(out, static_cast<std::uint64_t>(ms));
            out += 8;
        }
        if (!a->properties.empty()) {
            flags |= packed_flag::properties;
            out = put_packed_number(a->properties.size(), out);
            for (const property& p : a->properties) out = put_packed_text(p.value, put_packed_text(p.name, out));
        }
    }
    *flags_at = static_cast<std::byte>(flags);
    return put_packed_text(m.payload(), out);
}

/// Takes a number, a text or a message off the front of a body that nobody has checked. False, or what is wrong, if
/// there is none: then what is left in `body` means nothing.
inline bool take_packed_number(std::string_view& body, std::size_t& n) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 5 && i < body.size(); ++i) {
        const auto octet = static_cast<unsigned char>(body[i]);
        value |= std::uint64_t{octet & 0x7fU} << (7 * i);
        if (octet >= 0x80) continue;
        if (value > max_packed_bytes || (octet == 0 && i != 0)) return false; // the shortest form alone
        body.remove_prefix(i + 1);
        n = static_cast<std::size_t>(value);
        return true;
    }
    return false;
}

inline bool take_packed_text(std::string_view& body, std::string_view& text) noexcept {
    std::size_t n = 0;
    if (!take_packed_number(body, n) || n > body.size()) return false;
    text = body.substr(0, n);
    body.remove_prefix(n);
    return true;
}

struct packed_record {
    unsigned flags = 0;
    std::string_view key{};         ///< with `packed_flag::key`
    std::int64_t event_time = 0;    ///< with `packed_flag::event_time`: milliseconds since 1970
    std::size_t property_count = 0; ///< with `packed_flag::properties`
    std::string_view properties{};  ///< that many names and values, as they stand
    std::string_view payload{};
};

/// Null, or what is wrong.
inline const char* take_packed_record(std::string_view& body, packed_record& r) noexcept {
    if (body.empty()) return "there are fewer messages than the header says";
    r = {};
    r.flags = static_cast<unsigned char>(body.front());
    body.remove_prefix(1);
    constexpr unsigned both = packed_flag::key | packed_flag::same_key;
    if ((r.flags & ~packed_flag::all) != 0 || (r.flags & both) == both) return "a message with flags that do not exist";
    if ((r.flags & packed_flag::key) != 0 && !take_packed_text(body, r.key)) return "a key that is cut short";
    if ((r.flags & packed_flag::event_time) != 0) {
        if (body.size() < 8) return "an event time that is cut short";
        r.event_time = static_cast<std::int64_t>(web::load_big_endian<std::uint64_t>(web::as_bytes(body).data()));
        body.remove_prefix(8);
    }
    if ((r.flags & packed_flag::properties) != 0) {
        if (!take_packed_number(body, r.property_count) || r.property_count == 0) return "no number of properties";
        const std::string_view from = body;
        std::string_view text;
        for (std::size_t i = 0; i < r.property_count; ++i) // each takes two bytes at least: a lie ends early
            if (!take_packed_text(body, text) || !take_packed_text(body, text)) return "a property that is cut short";
        r.properties = from.substr(0, from.size() - body.size());
    }
    return take_packed_text(body, r.payload) ? nullptr : "a payload that is cut short";
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
