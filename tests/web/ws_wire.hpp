// SPDX-License-Identifier: BSL-1.0
// Frames as a test writes them, and events and frames as lines that it compares.
#pragma once

#include <sluice/web/ws_connection.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace ws_wire {

using namespace sluice::web;
using kind = ws_connection::event::kind;
using role = ws_connection::role;
using state = ws_connection::state;

inline random_source counting_source() {
    static std::uint32_t counter = 0x51a1ce;
    return {&counter, [](void* context, std::span<std::byte> out) {
                auto& n = *static_cast<std::uint32_t*>(context);
                for (std::byte& b : out) b = static_cast<std::byte>((n = n * 1664525 + 1013904223) >> 24);
            }};
}

using lines = std::vector<std::string>;

struct frame {
    opcode op;
    std::string payload{};
    bool fin = true;
};

constexpr bool first = false; // reads better than fin = false in the rows

inline std::string encode(const frame& f, bool masked) {
    const frame_header header{
        .fin = f.fin, .op = f.op, .masked = masked, .length = f.payload.size(), .key = masked ? 0x9d3a71c4 : 0};
    std::vector<std::byte> out(frame_header_size(header.length, masked) + f.payload.size());
    std::byte* const at = write_frame_header(out.data(), header);
    std::copy_n(as_bytes(f.payload).data(), f.payload.size(), at);
    apply_mask(at, f.payload.size(), header.key);
    return std::string(as_text(out));
}

inline std::string encode(const std::vector<frame>& frames, bool masked) {
    std::string wire;
    for (const frame& f : frames) wire += encode(f, masked);
    return wire;
}

inline std::string code(unsigned n) { return {static_cast<char>(n >> 8), static_cast<char>(n & 0xff)}; }

/// Long payloads as their length.
inline std::string brief(std::string_view text) {
    return text.size() <= 40 ? std::string(text) : "<" + std::to_string(text.size()) + ">";
}

inline std::string to_string(const ws_connection::event& e) {
    const std::string data = brief(as_text(e.data));
    switch (e.what) {
    case kind::text: return "text " + data;
    case kind::binary: return "binary " + data;
    case kind::ping: return "ping " + data;
    case kind::pong: return "pong " + data;
    case kind::close: return "close " + std::to_string(e.close_code) + (e.reason.empty() ? "" : " ") + brief(e.reason);
    case kind::error: return "error " + std::to_string(e.close_code) + " " + e.ec.message();
    case kind::none: break;
    }
    return "none";
}

/// What a connection of role `from` has put on the wire, frame by frame; consumes it.
inline lines sent_by(ws_connection& connection, role from) {
    lines frames;
    while (!connection.output().empty()) {
        const bytes_view out = connection.output();
        frame_header header;
        REQUIRE(parse_frame_header(out, header) == parse_status::ok);
        CHECK(header.masked == (from == role::client));
        const std::size_t size = frame_header_size(header.length, header.masked);
        std::string payload(as_text(out.subspan(size, static_cast<std::size_t>(header.length))));
        apply_mask(reinterpret_cast<std::byte*>(payload.data()), payload.size(), header.key);
        connection.consume_output(size + payload.size());
        std::string line;
        switch (header.op) {
        case opcode::continuation: line = "continuation "; break;
        case opcode::text: line = "text "; break;
        case opcode::binary: line = "binary "; break;
        case opcode::ping: line = "ping "; break;
        case opcode::pong: line = "pong "; break;
        case opcode::close:
            line = "close ";
            if (!payload.empty()) {
                line += std::to_string(load_big_endian<std::uint16_t>(as_bytes(payload).data())) + " ";
                payload.erase(0, 2);
            }
            break;
        }
        line += brief(payload);
        if (!header.fin) line += " ...";
        if (line.back() == ' ') line.pop_back();
        frames.push_back(line);
    }
    return frames;
}

inline void drain(ws_connection& connection, lines& events) {
    for (;;) {
        const ws_connection::event e = connection.next();
        if (e.what == kind::none) return;
        events.push_back(to_string(e));
    }
}

} // namespace ws_wire
