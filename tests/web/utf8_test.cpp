// SPDX-License-Identifier: BSL-1.0
// UTF-8: every code point, every ill-formed sequence, every cut, and refusal at the first hopeless byte.
#include <sluice/web/utf8.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace sluice::web;

namespace {

std::string encode(std::uint32_t c) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
    if (c < 0x80) return {static_cast<char>(c)};
    if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
    if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

/// How many bytes are fed before the validator refuses; npos if it never does.
std::size_t refused_at(std::string_view text) {
    utf8_validator v;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (!v.feed(as_bytes(text.substr(i, 1)))) return i;
    return std::string_view::npos;
}

} // namespace

TEST_CASE("exactly the code points of Unicode without surrogates are valid") {
    for (std::uint32_t c = 0; c < 0x120000; ++c) {
        const bool good = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (is_utf8(encode(c)) != good) FAIL("code point ", c);
    }
}

TEST_CASE("two bytes: valid, hopeless, or the beginning of something") {
    for (unsigned a = 0; a < 256; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            const std::string text{static_cast<char>(a), static_cast<char>(b)};
            const bool a_ascii = a < 0x80, b_tail = b >= 0x80 && b <= 0xbf;
            bool hope = false;
            if (a_ascii) hope = b < 0x80 || (b >= 0xc2 && b <= 0xf4);
            if (a >= 0xc2 && a <= 0xdf) hope = b_tail;
            if (a >= 0xe0 && a <= 0xef) hope = b_tail && !(a == 0xe0 && b < 0xa0) && !(a == 0xed && b > 0x9f);
            if (a >= 0xf0 && a <= 0xf4) hope = b_tail && !(a == 0xf0 && b < 0x90) && !(a == 0xf4 && b > 0x8f);
            utf8_validator v;
            REQUIRE(v.feed(as_bytes(text)) == hope);
            REQUIRE(v.complete() == (hope && (a_ascii ? b < 0x80 : a <= 0xdf)));
        }
    }
}

TEST_CASE("refused at the byte that makes it hopeless") {
    CHECK(refused_at("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80"
                     "edited") == 12);
    CHECK(refused_at("\x80") == 0);
    CHECK(refused_at("\xc0\xaf") == 0);
    CHECK(refused_at("\xc1\xbf") == 0);
    CHECK(refused_at("\xe0\x9f\xbf") == 1);
    CHECK(refused_at("\xed\xa0\x80") == 1);
    CHECK(refused_at("\xf0\x8f\xbf\xbf") == 1);
    CHECK(refused_at("\xf5") == 0);
    CHECK(refused_at("\xff") == 0);
    CHECK(refused_at("\xe2\x82x") == 2);
    CHECK(refused_at("\xf0\x9f\x9a\xc3") == 3);
}

TEST_CASE("any cut gives the same answer, and an unfinished character is not complete") {
    const std::string text = "plain ASCII for two words, \xc3\xbc \xe2\x82\xac \xf0\x9f\x9a\xb0, and the rest of it";
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            const std::string_view view = text;
            utf8_validator v;
            REQUIRE(v.feed(as_bytes(view.substr(0, first))));
            REQUIRE(v.complete() == is_utf8(view.substr(0, first)));
            REQUIRE(v.feed(as_bytes(view.substr(first, second - first))));
            REQUIRE(v.feed(as_bytes(view.substr(second))));
            REQUIRE(v.complete());
        }
    }
    CHECK_FALSE(is_utf8("\xf0\x9f\x9a"));
}

TEST_CASE("a bad byte is found at every place of a long ASCII text") {
    for (std::size_t length = 1; length <= 40; ++length) {
        for (std::size_t at = 0; at < length; ++at) {
            std::string text(length, 'x');
            REQUIRE(is_utf8(text));
            text[at] = '\xff';
            REQUIRE_FALSE(is_utf8(text));
        }
    }
}

TEST_CASE("refusal lasts until reset") {
    utf8_validator v;
    CHECK(v.feed({}));
    CHECK(v.complete());
    CHECK_FALSE(v.feed(as_bytes("\xff")));
    CHECK_FALSE(v.feed(as_bytes("good")));
    CHECK_FALSE(v.feed({}));
    CHECK_FALSE(v.complete());
    v.reset();
    CHECK(v.feed(as_bytes("good")));
    CHECK(v.complete());
}
