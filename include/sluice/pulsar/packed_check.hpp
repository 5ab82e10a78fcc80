// SPDX-License-Identifier: BSL-1.0
// Is it a pack? All that can be said before a byte is handed out, without allocation.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/error.hpp>
#include <sluice/pulsar/packed_format.hpp>
#include <sluice/web/json_scan.hpp>
#include <sluice/web/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

inline failure corrupt_pack(std::string what) { return make_failure(errc::corrupt_data, "pack: " + std::move(what)); }
inline failure pack_over_limit(std::string_view what, std::uint64_t value, std::uint64_t limit) {
    return make_failure(errc::output_limit, "pack: " + std::to_string(value) + " " + std::string(what) +
                                                ": the limit is " + std::to_string(limit));
}

/// The most bytes that n bytes of a codec's data can become. A size beyond is a lie, told before memory is taken for
/// it.
///
/// * LZ4: a byte of a length adds 255 (lz4_Block_format.md).
/// * ZLIB: 258 bytes for two codes of one bit each (RFC 1951 sections 3.2.5 and 3.2.7).
/// * ZSTD: a block of at least four bytes is at most 128 KiB (RFC 8878 section 3.1.1.2).
/// * SNAPPY: a copy of three bytes makes 64 (format_description.txt).
constexpr std::uint64_t most_decompressed(compression_type codec, std::size_t n) noexcept {
    const std::uint64_t bytes = n;
    switch (codec) {
    case compression_type::none: return bytes;
    case compression_type::lz4: return bytes * 255;
    case compression_type::zlib: return bytes * 1032;
    case compression_type::zstd: return bytes * 32768;
    case compression_type::snappy: return bytes * 22;
    }
    return 0;
}

/// Header and checksum of a `framed` pack. What passes may still be a lie, but not a damaged truth.
inline failure check_packed_header(web::bytes_view pack, std::size_t max_bytes, std::size_t max_messages) {
    if (pack.size() < packed_header_size) return corrupt_pack("shorter than a header");
    if (std::memcmp(pack.data(), packed_magic.data(), packed_magic.size()) != 0)
        return corrupt_pack("it does not begin with F5 53 4C 50");
    if (const auto version = std::to_integer<unsigned>(pack[4]); version != packed_version)
        return corrupt_pack("version " + std::to_string(version) + " is not known, only 1");
    const packed_header header = read_packed_header(pack);
    if (header.checksum != packed_checksum(pack)) return corrupt_pack("the checksum is wrong");
    if (header.codec > static_cast<unsigned>(compression_type::snappy))
        return make_failure(errc::unknown_codec, "pack: unknown codec " + std::to_string(header.codec) +
                                                     ": known are 0 NONE, 1 LZ4, 2 ZLIB, 3 ZSTD, 4 SNAPPY");
    if (header.size > max_bytes) return pack_over_limit("bytes", header.size, max_bytes);
    if (header.messages > max_messages) return pack_over_limit("messages", header.messages, max_messages);
    if (header.messages == 0 || header.messages > header.size / min_packed_record)
        return corrupt_pack("so many messages are not in so many bytes");
    const std::size_t body = pack.size() - packed_header_size;
    const auto codec = static_cast<compression_type>(header.codec);
    if (codec == compression_type::none && header.size != body) return corrupt_pack("it has not the size that it says");
    if (header.size > most_decompressed(codec, body)) return corrupt_pack("so few bytes cannot become so many");
    return {};
}

/// A body that is no longer compressed: exactly so many messages, and each text in them is UTF-8.
inline failure check_packed_body(std::string_view body, std::size_t messages) {
    packed_record r;
    for (std::size_t i = 0; i < messages; ++i) {
        const char* wrong = take_packed_record(body, r);
        if (wrong == nullptr && i == 0 && (r.flags & packed_flag::same_key) != 0)
            wrong = "the first message has the key of the one before it";
        if (wrong == nullptr && !web::is_utf8(r.key)) wrong = "a key that is not UTF-8";
        std::string_view text;
        for (std::size_t p = 0; wrong == nullptr && p < 2 * r.property_count; ++p)
            if (take_packed_text(r.properties, text); !web::is_utf8(text)) wrong = "a property that is not UTF-8";
        if (wrong != nullptr) return corrupt_pack("message " + std::to_string(i) + ": " + wrong);
    }
    return body.empty() ? failure() : corrupt_pack("more bytes than messages");
}

/// Takes an element off the front of what stands behind `[` or `,`, with the white space around it, and the comma or
/// bracket behind it.
inline web::json_end take_json_element(std::string_view& rest, std::string_view& element) noexcept {
    const char* const end = rest.data() + rest.size();
    web::json_end value = web::scan_json_value(rest.data(), end);
    if (value.fault != web::json_fault::none) return value;
    value.at = web::skip_json_space(value.at, end);
    if (value.at == end) return {end, web::json_fault::ends_early};
    if (*value.at != ',' && *value.at != ']') return {value.at, web::json_fault::unexpected};
    const auto size = static_cast<std::size_t>(value.at - rest.data());
    element = rest.substr(0, size);
    rest.remove_prefix(size + 1);
    return value;
}

/// A `json_array` pack: where its first element begins, and how many there are.
struct json_array_check {
    failure error{};
    std::string_view elements{};
    std::size_t messages = 0;
};

inline json_array_check check_json_array(std::string_view pack, std::size_t max_bytes, std::size_t max_messages) {
    if (pack.size() > max_bytes) return {pack_over_limit("bytes", pack.size(), max_bytes)};
    const auto fault = [&](web::json_end where) -> json_array_check {
        return {make_failure(errc::invalid_json, "pack: not a JSON array: " + std::string(web::to_string(where.fault)) +
                                                     " at offset " + std::to_string(where.at - pack.data()))};
    };
    const char* const end = pack.data() + pack.size();
    const char* at = web::skip_json_space(pack.data(), end);
    if (at == end) return fault({at, web::json_fault::ends_early});
    if (*at != '[') return fault({at, web::json_fault::unexpected});
    json_array_check found;
    found.elements = pack.substr(static_cast<std::size_t>(++at - pack.data()));
    at = web::skip_json_space(at, end);
    if (at != end && *at == ']') {
        ++at;
    } else {
        std::string_view rest = found.elements, element;
        do {
            if (found.messages == max_messages)
                return {pack_over_limit("or more messages", max_messages + 1, max_messages)};
            const web::json_end value = take_json_element(rest, element);
            if (value.fault != web::json_fault::none) return fault(value);
            ++found.messages;
            at = value.at;
        } while (*at++ == ',');
    }
    at = web::skip_json_space(at, end);
    if (at != end) return fault({at, web::json_fault::unexpected});
    return found;
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
