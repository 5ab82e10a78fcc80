// SPDX-License-Identifier: BSL-1.0
// Frame headers: every form written and read back, every forbidden one refused at the octet that shows it.
#include <sluice/web/ws_frame.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using namespace sluice::web;

namespace {

std::string hex(bytes_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += digits[std::to_integer<std::size_t>(b >> 4)];
        text += digits[std::to_integer<std::size_t>(b & std::byte{15})];
    }
    return text;
}

std::vector<std::byte> unhex(std::string_view text) {
    std::vector<std::byte> bytes;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
    return bytes;
}

mask_key key_of(std::string_view text) {
    const std::vector<std::byte> bytes = unhex(text);
    mask_key key;
    std::memcpy(&key, bytes.data(), sizeof key);
    return key;
}

} // namespace

TEST_CASE("frame headers are written and read in their shortest form") {
    struct row {
        frame_header header;
        std::string_view wire;
    };
    const mask_key key = key_of("37fa213d");
    const std::array rows{
        row{{.op = opcode::text, .length = 5}, "8105"},
        row{{.op = opcode::text, .masked = true, .length = 5, .key = key}, "818537fa213d"},
        row{{.fin = false, .op = opcode::text, .length = 3}, "0103"},
        row{{.op = opcode::continuation, .length = 2}, "8002"},
        row{{.fin = false, .op = opcode::continuation, .length = 0}, "0000"},
        row{{.op = opcode::binary, .length = 125}, "827d"},
        row{{.op = opcode::binary, .length = 126}, "827e007e"},
        row{{.op = opcode::binary, .length = 256}, "827e0100"},
        row{{.op = opcode::binary, .masked = true, .length = 65535, .key = key}, "82feffff37fa213d"},
        row{{.op = opcode::binary, .length = 65536}, "827f0000000000010000"},
        row{{.op = opcode::binary, .masked = true, .length = 0x7fffffffffffffff, .key = key},
            "82ff7fffffffffffffff37fa213d"},
        row{{.op = opcode::close, .length = 0}, "8800"},
        row{{.op = opcode::ping, .length = 125}, "897d"},
        row{{.op = opcode::pong, .masked = true, .length = 1, .key = 0}, "8a8100000000"},
    };
    for (const row& r : rows) {
        CAPTURE(r.wire);
        std::array<std::byte, max_frame_header_size> out;
        const std::byte* const end = write_frame_header(out.data(), r.header);
        const bytes_view written(out.data(), end);
        CHECK(hex(written) == r.wire);
        CHECK(written.size() == frame_header_size(r.header.length, r.header.masked));

        for (std::size_t cut = 0; cut < written.size(); ++cut) {
            frame_header partial;
            CHECK(parse_frame_header(written.first(cut), partial) == parse_status::need_more);
        }
        frame_header read;
        REQUIRE(parse_frame_header(written, read) == parse_status::ok);
        CHECK(read.fin == r.header.fin);
        CHECK(read.op == r.header.op);
        CHECK(read.masked == r.header.masked);
        CHECK(read.length == r.header.length);
        CHECK(read.key == r.header.key);
        CHECK_FALSE((read.rsv1 || read.rsv2 || read.rsv3));
    }
}

TEST_CASE("forbidden headers are refused at the octet that shows it") {
    struct row {
        std::string_view wire; // up to and including that octet
        std::string_view why;
    };
    const std::array rows{
        row{"c1", "RSV1"},
        row{"a1", "RSV2"},
        row{"91", "RSV3"},
        row{"f1", "all of them"},
        row{"83", "opcode 3"},
        row{"84", "opcode 4"},
        row{"85", "opcode 5"},
        row{"86", "opcode 6"},
        row{"87", "opcode 7"},
        row{"8b", "opcode 11"},
        row{"8c", "opcode 12"},
        row{"8d", "opcode 13"},
        row{"8e", "opcode 14"},
        row{"8f", "opcode 15"},
        row{"08", "close in fragments"},
        row{"09", "ping in fragments"},
        row{"0a", "pong in fragments"},
        row{"887e", "close of more than 125"},
        row{"897e", "ping of more than 125"},
        row{"8a7f", "pong of more than 125"},
        row{"89fe", "masked ping of more than 125"},
        row{"827e007d", "125 in two octets"},
        row{"827e0000", "0 in two octets"},
        row{"82fe0001", "1 in two octets, masked"},
        row{"827f000000000000ffff", "65535 in eight octets"},
        row{"827f0000000000000000", "0 in eight octets"},
        row{"827f8000000000000000", "the highest bit"},
        row{"82ffffffffffffffffff", "every bit, masked"},
    };
    for (const row& r : rows) {
        CAPTURE(r.why);
        const std::vector<std::byte> wire = unhex(r.wire);
        frame_header header;
        for (std::size_t cut = 0; cut < wire.size(); ++cut)
            CHECK(parse_frame_header(bytes_view(wire).first(cut), header) == parse_status::need_more);
        CHECK(parse_frame_header(wire, header) == parse_status::error);
    }
}

TEST_CASE("an extension may claim RSV1, on the first frame of a message only") {
    const auto status = [](std::string_view wire) {
        frame_header header;
        const parse_status s = parse_frame_header(unhex(wire), header, true);
        if (s == parse_status::ok) CHECK(header.rsv1 == wire.starts_with('c'));
        return s;
    };
    CHECK(status("c100") == parse_status::ok);
    CHECK(status("c200") == parse_status::ok);
    CHECK(status("8100") == parse_status::ok);
    CHECK(status("c000") == parse_status::error); // continuation
    CHECK(status("c800") == parse_status::error); // close
    CHECK(status("c900") == parse_status::error); // ping
    CHECK(status("e100") == parse_status::error); // RSV2 too

    std::array<std::byte, max_frame_header_size> out;
    const frame_header all{.rsv1 = true, .rsv2 = true, .rsv3 = true, .op = opcode::binary};
    CHECK(hex({out.data(), write_frame_header(out.data(), all)}) == "f200");
}

TEST_CASE("header sizes") {
    CHECK(frame_header_size(0, false) == 2);
    CHECK(frame_header_size(125, true) == 6);
    CHECK(frame_header_size(126, false) == 4);
    CHECK(frame_header_size(65535, true) == 8);
    CHECK(frame_header_size(65536, false) == 10);
    CHECK(frame_header_size(65536, true) == max_frame_header_size);
}

TEST_CASE("close codes that may be on the wire") {
    for (unsigned code = 0; code <= 0xffff; ++code) {
        const bool registered = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
        const bool of_others = code >= 3000 && code <= 4999;
        CHECK(is_wire_close_code(static_cast<std::uint16_t>(code)) == (registered || of_others));
    }
}
