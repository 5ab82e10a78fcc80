// SPDX-License-Identifier: BSL-1.0
// permessage-deflate. The first byte picks what the rest is: a server's frames, whole and in pieces, which must say the
// same within the limit; messages that one side compresses and the other reads; an answer to an offer, or an offer.
#include <sluice/web/ws_connection.hpp>
#include <sluice/web/ws_deflate.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>

using namespace sluice::web;
using kind = ws_connection::event::kind;
using status = message_compression::status;

namespace {

constexpr std::size_t max_message = 4096;

void check(bool holds) {
    if (!holds) std::abort();
}

void fill(void*, std::span<std::byte> out) { std::ranges::fill(out, std::byte{0x5a}); }

struct listener {
    explicit listener(bool keeps)
        : connection(ws_role::client, &keys, {.max_message = max_message},
                     std::make_unique<ws_deflate>(ws_role::client,
                                                  deflate_parameters{.server_no_context_takeover = !keeps})) {}

    void feed(bytes_view bytes) {
        connection.feed(bytes);
        for (;;) {
            const ws_connection::event e = connection.next();
            if (e.what == kind::none) return;
            check(!over);
            over = e.what == kind::close || e.what == kind::error;
            check(over || e.data.size() <= max_message);
            if (e.what == kind::text) check(is_utf8(as_text(e.data)));
            heard += static_cast<char>('a' + static_cast<int>(e.what));
            heard += std::to_string(e.close_code) + " " + std::to_string(e.data.size()) + ":";
            heard += as_text(e.data);
            heard += e.reason;
        }
    }

    bool over = false;
    mask_keys keys{{nullptr, fill}};
    ws_connection connection;
    std::string heard{};
};

void frames(bool keeps, std::size_t piece, bytes_view wire) {
    listener whole(keeps), pieces(keeps);
    whole.feed(wire);
    for (std::size_t at = 0; at < wire.size(); at += piece)
        pieces.feed(wire.subspan(at, std::min(piece, wire.size() - at)));
    check(whole.heard == pieces.heard);
}

/// Messages of growing size, each in one fragment or two.
void round_trip(unsigned how, bytes_view data) {
    const deflate_parameters agreed{.client_no_context_takeover = (how & 1) != 0,
                                    .client_max_window_bits = static_cast<int>(8 + (how >> 1) % 8)};
    ws_deflate client(ws_role::client, agreed, {.level = static_cast<int>(1 + how % 9), .min_size = 0});
    ws_deflate server(ws_role::server, agreed);
    for (std::size_t size = 1; !data.empty(); size += size / 2 + 1) {
        const bytes_view message = data.first(std::min(size, data.size()));
        data = data.subspan(message.size());
        byte_buffer wire, text;
        if (size % 3 == 0) {
            check(client.compress(message.first(message.size() / 2), true, false, wire));
            check(client.compress(message.subspan(message.size() / 2), false, true, wire));
        } else if (!client.compress(message, true, true, wire)) {
            check(wire.empty());
            continue;
        } else {
            check(wire.size() < message.size());
        }
        check(server.decompress(wire.view(), message.size(), text) == status::ok);
        check(server.finish(message.size(), text) == status::ok);
        check(std::ranges::equal(text.view(), message));
    }
}

void negotiation(unsigned how, std::string_view text) {
    const http_fields fields{{"Sec-WebSocket-Extensions", std::string(text)}};
    deflate_offer offer{.server_no_context_takeover = (how & 1) != 0, .server_max_window_bits = how & 2 ? 10 : 15};
    if (how & 4) offer.client_max_window_bits.reset();
    const deflate_answer answer = check_deflate(fields, offer);
    check(!(answer.error && answer.agreed));
    if (answer.error) check(answer.error.details->text.size() < 200);
    if (answer.agreed) check(answer.agreed->server_max_window_bits <= offer.server_max_window_bits);

    // Who makes an offer that is accepted takes what is answered: whatever was offered, nothing less can have been.
    if (const auto accepted = accept_deflate(fields)) {
        const deflate_answer again = check_deflate({{"Sec-WebSocket-Extensions", accepted->answer}}, {});
        check(again.agreed && *again.agreed == accepted->agreed);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const unsigned how = data[0] >> 2;
    const bytes_view rest = std::as_bytes(std::span(data + 1, size - 1));
    switch (data[0] & 3) {
    case 0:
    case 1: frames((data[0] & 1) != 0, how + 1, rest); break;
    case 2: round_trip(how, rest); break;
    case 3: negotiation(how, as_text(rest)); break;
    }
    return 0;
}
