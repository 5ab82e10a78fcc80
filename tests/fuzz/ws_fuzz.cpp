// SPDX-License-Identifier: BSL-1.0
// The WebSocket connection: the first byte picks role, state and the size of the pieces, the rest is what the peer
// sends. Whole or in pieces, it must say the same, keep its promises, and put only valid frames on the wire.
#include <sluice/web/ws_connection.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

using namespace sluice::web;
using kind = ws_connection::event::kind;

namespace {

constexpr std::size_t max_message = 4096;

void check(bool holds) {
    if (!holds) std::abort();
}

/// What is heard and what is answered, as one text.
struct listener {
    listener(bool client, bool closing)
        : is_client(client),
          connection(client ? ws_connection::role::client : ws_connection::role::server, client ? &keys : nullptr,
                     {.max_message = max_message}) {
        if (closing) connection.close();
    }

    void feed(bytes_view bytes) {
        connection.feed(bytes);
        listen();
    }

    void listen() {
        for (;;) {
            const ws_connection::event e = connection.next();
            if (e.what == kind::none) return;
            check(!over);
            over = e.what == kind::close || e.what == kind::error;
            check(over || e.data.size() <= max_message);
            check((e.what == kind::error) == connection.failed());
            if (e.what == kind::text) check(is_utf8(as_text(e.data)));
            if (e.what == kind::ping || e.what == kind::pong) check(e.data.size() <= max_control_payload);
            heard += static_cast<char>('a' + static_cast<int>(e.what));
            heard += std::to_string(e.close_code) + " " + std::to_string(e.data.size()) + ":";
            heard += as_text(e.data);
            heard += e.reason;
        }
    }

    void end() {
        connection.end_of_stream();
        listen();
        check(over);
        check(connection.current_state() == ws_connection::state::closed);
        while (!connection.output().empty()) {
            frame_header header;
            check(parse_frame_header(connection.output(), header) == parse_status::ok);
            check(header.fin && is_control(header.op) && header.masked == is_client);
            const std::size_t size = frame_header_size(header.length, header.masked);
            check(header.length <= connection.output().size() - size);
            std::string payload(as_text(connection.output().subspan(size, static_cast<std::size_t>(header.length))));
            apply_mask(reinterpret_cast<std::byte*>(payload.data()), payload.size(), header.key);
            answered += static_cast<char>(header.op) + std::to_string(payload.size()) + ":" + payload;
            connection.consume_output(size + payload.size());
        }
    }

    static void fill(void*, std::span<std::byte> out) {
        for (std::byte& b : out) b = std::byte{0x5a};
    }

    bool is_client, over = false;
    mask_keys keys{{nullptr, fill}};
    ws_connection connection;
    std::string heard{}, answered{};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool client = (data[0] & 1) != 0, closing = (data[0] & 2) != 0;
    const std::size_t piece = static_cast<std::size_t>(data[0] >> 2) + 1;
    const bytes_view wire = std::as_bytes(std::span(data + 1, size - 1));

    frame_header header;
    if (parse_frame_header(wire, header) == parse_status::ok) { // there is one form of each header
        std::array<std::byte, max_frame_header_size> again;
        std::byte* const end = write_frame_header(again.data(), header);
        check(std::equal(again.data(), end, wire.begin()));
    }

    listener whole(client, closing), pieces(client, closing);
    whole.feed(wire);
    whole.end();
    for (std::size_t at = 0; at < wire.size(); at += piece)
        pieces.feed(wire.subspan(at, std::min(piece, wire.size() - at)));
    pieces.end();
    check(whole.heard == pieces.heard);
    check(whole.answered == pieces.answered);
    return 0;
}
