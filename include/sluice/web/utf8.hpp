// SPDX-License-Identifier: BSL-1.0
// UTF-8, RFC 3629, checked piece by piece and refused at the first byte that rules it out (RFC 6455 section 8.1).
#pragma once

#include <sluice/web/bytes.hpp>

#include <string>

namespace sluice {
inline namespace v1 {
namespace web {

/// The first byte that is not ASCII, or `end`.
inline const std::byte* skip_ascii(const std::byte* at, const std::byte* end) noexcept {
    constexpr std::uint64_t high = 0x8080808080808080;
    const auto eight = [](const std::byte* from) noexcept {
        std::uint64_t v;
        std::memcpy(&v, from, 8);
        return v;
    };
    for (; end - at >= 32; at += 32)
        if (((eight(at) | eight(at + 8) | eight(at + 16) | eight(at + 24)) & high) != 0) break;
    for (; end - at >= 8; at += 8)
        if ((eight(at) & high) != 0) break;
    while (at != end && std::to_integer<std::uint8_t>(*at) < 0x80) ++at;
    return at;
}

/// Appends a character: a code point below 0x110000 that is no surrogate.
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            put(0xe0 | code >> 12);
        } else {
            put(0xf0 | code >> 18);
            put(0x80 | (code >> 12 & 0x3f));
        }
        put(0x80 | (code >> 6 & 0x3f));
    }
    put(0x80 | (code & 0x3f));
}

/// Checks text that arrives in pieces cut anywhere, also inside a character.
class utf8_validator {
public:
    /// False as soon as no further bytes could make valid text of those so far, and from then on.
    bool feed(bytes_view bytes) noexcept {
        const std::byte* at = bytes.data();
        const std::byte* const end = at + bytes.size();
        while (at != end && !failed_) {
            if (missing_ == 0) {
                at = skip_ascii(at, end);
                if (at == end) break;
            }
            step(std::to_integer<std::uint8_t>(*at++));
        }
        return !failed_;
    }

    /// True if the text so far is valid and does not end inside a character.
    bool complete() const noexcept { return !failed_ && missing_ == 0; }
    void reset() noexcept { *this = utf8_validator(); }

private:
    void step(std::uint8_t b) noexcept {
        if (missing_ == 0) return begin(b);
        if (b < low_ || b > high_) failed_ = true;
        low_ = 0x80;
        high_ = 0xbf;
        --missing_;
    }

    /// Only the second byte of a character may have a narrower range than 80..BF: RFC 3629 section 4.
    void begin(std::uint8_t b) noexcept {
        low_ = 0x80;
        high_ = 0xbf;
        if (b >= 0xc2 && b <= 0xdf) {
            missing_ = 1;
        } else if (b >= 0xe0 && b <= 0xef) {
            missing_ = 2;
            if (b == 0xe0) low_ = 0xa0;  // shorter forms exist
            if (b == 0xed) high_ = 0x9f; // surrogates
        } else if (b >= 0xf0 && b <= 0xf4) {
            missing_ = 3;
            if (b == 0xf0) low_ = 0x90;  // shorter forms exist
            if (b == 0xf4) high_ = 0x8f; // beyond U+10FFFF
        } else {
            failed_ = true;
        }
    }

    std::uint8_t missing_ = 0; // bytes that the current character still needs
    std::uint8_t low_ = 0x80, high_ = 0xbf;
    bool failed_ = false;
};

inline bool is_utf8(std::string_view text) noexcept {
    utf8_validator validator;
    return validator.feed(as_bytes(text)) && validator.complete();
}

} // namespace web
} // namespace v1
} // namespace sluice
