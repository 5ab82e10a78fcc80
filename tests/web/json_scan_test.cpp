// SPDX-License-Identifier: BSL-1.0
// Where a JSON value ends: by the grammar of RFC 8259, cut and damaged at every place, and beside another parser.
#include <sluice/web/json_scan.hpp>
#include <sluice/web/utf8.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

using namespace sluice::web;
using fault = json_fault;

namespace {

constexpr std::string_view sample =
    R"( {"id":"order-0001234","n":[-1.5e+3,0,0.25,1E9,-0],"t":true,"f":false,"z":null,"e":{},"a":[ ],)"
    "\r\n\t\"text\":\"caf\u00e9 \\u00e9 \\\" \\\\ \\/ \\b\\f\\n\\r\\t \u20ac \U0001F600 and a longer run of plain "
    "text\"} ";

/// Over a copy that ends where the text ends, for the sanitizer.
json_end scan(std::string_view text, std::size_t& offset) {
    const auto copy = std::make_unique_for_overwrite<char[]>(text.size());
    std::memcpy(copy.get(), text.data(), text.size());
    json_end end = scan_json_text({copy.get(), text.size()});
    offset = static_cast<std::size_t>(end.at - copy.get());
    return end;
}
bool valid(std::string_view text) {
    std::size_t offset = 0;
    const bool ok = scan(text, offset).fault == fault::none;
    REQUIRE(offset <= text.size());
    if (ok) REQUIRE(offset == text.size());
    return ok;
}
void refuses(std::string_view text, fault why, std::size_t where) {
    CAPTURE(text);
    std::size_t offset = 0;
    const json_end end = scan(text, offset);
    CHECK(to_string(end.fault) == to_string(why));
    CHECK(offset == where);
}

} // namespace

TEST_CASE("JSON scan: what the grammar has") {
    CHECK(valid(sample));
    for (const std::string_view text : {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-0",
                                        "12",
                                        "-3.25",
                                        "1e5",
                                        "1E-5",
                                        "2.5e+07",
                                        "1e999",
                                        "123456789012345678901234567890",
                                        R"("")",
                                        R"("\u0000")",
                                        R"("\ud800")",
                                        "[]",
                                        "{}",
                                        " [ ] ",
                                        "[[],[[]],{}]",
                                        R"({"":""})",
                                        R"({"a":1,"a":2})",
                                        "\n\t\r 1 \n\t\r",
                                        R"(["a","b"])",
                                        "[1 , 2]",
                                        R"({ "a" : [ { } ] })",
                                        "\"\x7f\"",
                                        "\"\xef\xbb\xbf\""})
        CHECK_MESSAGE(valid(text), text);
}

TEST_CASE("JSON scan: what it has not, and where") {
    refuses("", fault::ends_early, 0);
    refuses("  ", fault::ends_early, 2);
    refuses("\xef\xbb\xbf{}", fault::unexpected, 0); // a byte order mark
    refuses("{} {}", fault::unexpected, 3);
    refuses("1 2", fault::unexpected, 2);
    refuses("[1,]", fault::unexpected, 3);
    refuses("[,1]", fault::unexpected, 1);
    refuses("[1 2]", fault::unexpected, 3);
    refuses("[1}", fault::unexpected, 2);
    refuses("]", fault::unexpected, 0);
    refuses(R"({"a":1,})", fault::unexpected, 7);
    refuses(R"({"a" 1})", fault::unexpected, 5);
    refuses(R"({"a":})", fault::unexpected, 5);
    refuses(R"({"a",1})", fault::unexpected, 4);
    refuses(R"({1:2})", fault::unexpected, 1);
    refuses(R"({a:1})", fault::unexpected, 1);
    refuses(R"({"a":1])", fault::unexpected, 6);
    refuses("[1", fault::ends_early, 2);
    refuses("[", fault::ends_early, 1);
    refuses(R"({"a)", fault::ends_early, 3);
    refuses(R"("abcdefghijk)", fault::ends_early, 12);
    refuses("tru", fault::ends_early, 3);
    refuses("trux", fault::unexpected, 3);
    refuses("nulls", fault::unexpected, 4);
    refuses("True", fault::unexpected, 0);
    refuses("NaN", fault::unexpected, 0);
    refuses("'a'", fault::unexpected, 0);
    refuses("// c\n1", fault::unexpected, 0);
    refuses("+1", fault::unexpected, 0);
    refuses(".5", fault::unexpected, 0);
    refuses("01", fault::number, 1);
    refuses("-01", fault::number, 2);
    refuses("-", fault::ends_early, 1);
    refuses("-a", fault::number, 1);
    refuses("1.", fault::ends_early, 2);
    refuses("[1.]", fault::number, 3);
    refuses("1.e5", fault::number, 2);
    refuses("1e", fault::ends_early, 2);
    refuses("1e+x", fault::number, 3);
    refuses("0x10", fault::unexpected, 1);
    refuses("\"a\nb\"", fault::text, 2);
    refuses(std::string_view("\"a\0b\"", 5), fault::text, 2);
    refuses("\"123456789\x1f\"", fault::text, 10);
    refuses(R"("\x")", fault::escape, 1);
    refuses(R"("\u12g4")", fault::escape, 1);
    refuses(R"("\u12)", fault::ends_early, 5);
    refuses(R"("\)", fault::ends_early, 2);
    refuses("\"\xc3\"", fault::utf8, 1);
    refuses("\"\x80\"", fault::utf8, 1);
    refuses("\"12345678\xed\xa0\x80\"", fault::utf8, 9); // a surrogate
    refuses("\"\xf4\x90\x80\x80\"", fault::utf8, 1);
    refuses("\"\xe2\x82", fault::utf8, 1);
}

TEST_CASE("JSON scan: as deep as it goes") {
    const auto nested = [](std::size_t n, std::string_view open, std::string_view close) {
        std::string text;
        for (std::size_t i = 0; i < n; ++i) text += open;
        text += "1";
        for (std::size_t i = 0; i < n; ++i) text += close;
        return text;
    };
    CHECK(valid(nested(max_json_depth, "[", "]")));
    CHECK(valid(nested(max_json_depth, R"({"a":)", "}")));
    CHECK(valid(nested(max_json_depth / 2, R"([{"a":)", "}]")));
    refuses(nested(max_json_depth + 1, "[", "]"), fault::depth, max_json_depth);
    refuses(std::string(100'000, '['), fault::depth, max_json_depth);
    CHECK_FALSE(valid(nested(200, "[", "]") + "]"));
}

TEST_CASE("JSON scan: cut at every offset") {
    const std::size_t whole = sample.find_last_of('}') + 1;
    for (std::size_t n = 0; n < whole; ++n) {
        CAPTURE(n);
        CHECK_FALSE(valid(sample.substr(0, n)));
    }
    CHECK(valid(sample.substr(0, whole)));
}

TEST_CASE("JSON scan: every byte changed to every other, beside simdjson") {
    simdjson::dom::parser parser;
    std::size_t both = 0;
    for (std::size_t at = 0; at < sample.size(); ++at)
        for (unsigned change = 1; change < 256; ++change) {
            std::string text(sample);
            text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ change);
            const bool theirs = parser.parse(text).error() == simdjson::SUCCESS;
            const bool ours = valid(text);
            both += theirs && ours;
            if (theirs == ours) continue;
            // It also refuses numbers that it cannot hold, and \u escapes of half a character.
            const bool number = at > sample.find('[') && at < sample.find(']');
            const bool surrogate = text.find("\\ud") != std::string::npos || text.find("\\uD") != std::string::npos;
            if (theirs || (!number && !surrogate)) FAIL_CHECK(text);
        }
    CHECK(both > 1000);
}

TEST_CASE("JSON scan: UTF-8 as the other checker has it") {
    const auto agrees = [](const std::string& text) {
        const bool ours = scan_json_text("\"" + text + "\"").fault == fault::none;
        if (ours != is_utf8(text)) FAIL_CHECK(text);
    };
    const auto c = [](unsigned v) { return static_cast<char>(v); };
    for (unsigned a = 0x80; a < 256; ++a)
        for (unsigned b = 0x80; b < 256; ++b) {
            agrees({c(a), c(b)});
            for (const unsigned third : {0x7fU, 0x80U, 0xbfU, 0xc0U}) {
                agrees({c(a), c(b), c(third)});
                agrees({c(a), c(b), c(third), c(0x80)});
                agrees({c(a), c(b), c(0x80), c(third)});
            }
        }
}

TEST_CASE("JSON scan: a value with something behind it") {
    const std::string_view text = R"( {"a":[1]}, 2)";
    const json_end end = scan_json_value(text.data(), text.data() + text.size());
    CHECK(end.fault == fault::none);
    CHECK(end.at - text.data() == 10);
    const std::string_view number = "12,";
    CHECK(scan_json_value(number.data(), number.data() + 3).at - number.data() == 2);
}
