// SPDX-License-Identifier: BSL-1.0
// WebSocket frame headers, RFC 6455 section 5.2: opcodes, close codes, writing and parsing.
#pragma once

#include <sluice/web/mask.hpp>

namespace sluice {
inline namespace v1 {
namespace web {

enum class opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xa,
};

constexpr bool is_control(opcode op) noexcept { return (static_cast<unsigned>(op) & 0x8) != 0; }

/// What a control frame may carry, section 5.5.
inline constexpr std::size_t max_control_payload = 125;

/// Close codes by their names in section 7.4.1 and the IANA registry: numbers rather than an enumeration, since an
/// application may use any of 3000 to 4999.
namespace close_code {
inline constexpr std::uint16_t normal_closure = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t no_status_received = 1005; ///< never on the wire: the close frame was empty
inline constexpr std::uint16_t abnormal_closure = 1006;   ///< never on the wire: the stream ended without a close frame
inline constexpr std::uint16_t invalid_payload = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t mandatory_extension = 1010;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t service_restart = 1012;
inline constexpr std::uint16_t try_again_later = 1013;
inline constexpr std::uint16_t bad_gateway = 1014;
inline constexpr std::uint16_t tls_handshake = 1015; ///< never on the wire
} // namespace close_code

/// Whether a close frame may carry the code: the registered ones that are not reserved for local use, and 3000 to 4999.
constexpr bool is_wire_close_code(std::uint16_t code) noexcept {
    if (code >= 1000 && code <= 1014) return code < 1004 || code > 1006;
    return code >= 3000 && code <= 4999;
}

struct frame_header {
    bool fin = true;
    bool rsv1 = false, rsv2 = false, rsv3 = false;
    opcode op = opcode::text;
    bool masked = false;
    std::uint64_t length = 0; ///< bytes of payload
    mask_key key = 0;         ///< where `masked`
};

/// The longest header: two octets, eight of length, four of key.
inline constexpr std::size_t max_frame_header_size = 14;

/// Bytes of the header before a payload of so many bytes: 2 to 14.
constexpr std::size_t frame_header_size(std::uint64_t payload, bool masked) noexcept {
    return (payload < 126 ? 2u : payload < 65536 ? 4u : 10u) + (masked ? 4u : 0u);
}

/// Writes the header, which takes `frame_header_size` bytes, and returns where the payload goes.
inline std::byte* write_frame_header(std::byte* out, const frame_header& header) noexcept {
    *out++ = static_cast<std::byte>((header.fin ? 0x80 : 0) | (header.rsv1 ? 0x40 : 0) | (header.rsv2 ? 0x20 : 0) |
                                    (header.rsv3 ? 0x10 : 0) | static_cast<int>(header.op));
    const auto mask_bit = static_cast<std::byte>(header.masked ? 0x80 : 0);
    if (header.length < 126) {
        *out++ = mask_bit | static_cast<std::byte>(header.length);
    } else if (header.length < 65536) {
        *out++ = mask_bit | std::byte{126};
        store_big_endian(out, static_cast<std::uint16_t>(header.length));
        out += 2;
    } else {
        *out++ = mask_bit | std::byte{127};
        store_big_endian(out, header.length);
        out += 8;
    }
    if (header.masked) {
        std::memcpy(out, &header.key, sizeof header.key);
        out += sizeof header.key;
    }
    return out;
}

enum class parse_status : std::uint8_t { need_more, ok, error };

/// Reads a header from the front of `in`; `ok`: it took `frame_header_size(header.length, header.masked)` bytes.
/// `error`, told at the first octet that shows it: a reserved bit, an unknown opcode, a length that is not in its
/// shortest form or has the highest bit, a control frame in fragments or of more than 125 bytes. An extension that
/// claims RSV1 marks whole messages with it (RFC 7692 section 6), so it is an error on continuation and control frames
/// all the same.
inline parse_status parse_frame_header(bytes_view in, frame_header& header, bool rsv1_claimed = false) noexcept {
    if (in.empty()) return parse_status::need_more;
    const auto first = std::to_integer<unsigned>(in[0]);
    header.fin = (first & 0x80) != 0;
    header.rsv1 = (first & 0x40) != 0;
    header.rsv2 = (first & 0x20) != 0;
    header.rsv3 = (first & 0x10) != 0;
    header.op = static_cast<opcode>(first & 0x0f);
    if ((first & 0x7) > 2) return parse_status::error; // 0x3 to 0x7 and 0xb to 0xf
    if (header.rsv2 || header.rsv3) return parse_status::error;
    if (header.rsv1 && (!rsv1_claimed || is_control(header.op) || header.op == opcode::continuation))
        return parse_status::error;
    if (is_control(header.op) && !header.fin) return parse_status::error;

    if (in.size() < 2) return parse_status::need_more;
    const auto second = std::to_integer<unsigned>(in[1]);
    header.masked = (second & 0x80) != 0;
    header.length = second & 0x7f;
    if (is_control(header.op) && header.length > max_control_payload) return parse_status::error;
    std::size_t at = 2;
    if (header.length == 126) {
        if (in.size() < 4) return parse_status::need_more;
        header.length = load_big_endian<std::uint16_t>(in.data() + 2);
        if (header.length < 126) return parse_status::error;
        at = 4;
    } else if (header.length == 127) {
        if (in.size() < 10) return parse_status::need_more;
        header.length = load_big_endian<std::uint64_t>(in.data() + 2);
        if (header.length < 65536 || (header.length >> 63) != 0) return parse_status::error;
        at = 10;
    }
    header.key = 0;
    if (header.masked) {
        if (in.size() < at + sizeof header.key) return parse_status::need_more;
        std::memcpy(&header.key, in.data() + at, sizeof header.key);
    }
    return parse_status::ok;
}

} // namespace web
} // namespace v1
} // namespace sluice
