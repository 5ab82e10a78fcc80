// SPDX-License-Identifier: BSL-1.0
// JSON strings: what is escaped, how, and that the size is told exactly.
#include <sluice/web/json.hpp>

#include <doctest/doctest.h>

#include <memory>

using namespace sluice::web;

namespace {

std::string escape(std::string_view text) {
    const std::size_t size = json_escaped_size(text);
    const auto out = std::make_unique_for_overwrite<char[]>(size); // exact, for the sanitizer
    REQUIRE(json_escape(text, out.get()) == out.get() + size);
    return std::string(out.get(), size);
}

/// Character by character.
std::string model(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const std::size_t at = std::string_view("\"\\\b\f\n\r\t").find(c);
        constexpr char hex[] = "0123456789abcdef";
        if (at != std::string_view::npos) {
            out += '\\';
            out += "\"\\bfnrt"[at];
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += hex[c >> 4];
            out += hex[c & 15];
        } else {
            out += c;
        }
    }
    return out;
}

} // namespace

TEST_CASE("short forms where JSON has them, \\u00XX for the other control characters") {
    CHECK(escape("") == "");
    CHECK(escape("plain") == "plain");
    CHECK(escape("\"\\/") == "\\\"\\\\/");
    CHECK(escape("\b\f\n\r\t") == "\\b\\f\\n\\r\\t");
    CHECK(escape(std::string_view("\0\x01\x1f\x7f", 4)) == "\\u0000\\u0001\\u001f\x7f");
    CHECK(escape("Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x9a\xb0 \xe2\x80\xa8") ==
          "Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x9a\xb0 \xe2\x80\xa8");
}

TEST_CASE("each byte in each place of each length") {
    for (int code = 0; code < 256; ++code) {
        for (std::size_t length = 1; length <= 20; ++length) {
            for (std::size_t at = 0; at < length; ++at) {
                std::string text(length, 'x');
                text[at] = static_cast<char>(code);
                REQUIRE(escape(text) == model(text));
            }
        }
    }
}

TEST_CASE("neighbours do not disturb each other in a word") {
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            const char text[] = {'x', static_cast<char>(a), static_cast<char>(b), 'x', 'x', 'x', 'x', 'x'};
            const std::string_view view(text, sizeof text);
            REQUIRE(escape(view) == model(view));
        }
    }
}

TEST_CASE("a string is appended with its quotation marks") {
    std::string out = "{";
    append_json_string(out, "k\n");
    out += ':';
    append_json_string(out, "");
    CHECK(out == R"({"k\n":"")");
}
