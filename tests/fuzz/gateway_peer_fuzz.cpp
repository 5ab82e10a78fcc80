// SPDX-License-Identifier: BSL-1.0
// Any bytes on a connection of the gateway: raw, or behind an upgrade as frames, or as the texts of good frames. What
// comes back can be read by a client, and the end of the stream ends it.
#include <sluice/testing/gateway/peer.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

namespace testing = sluice::testing;
namespace web = sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

web::random_source no_random() {
    return {nullptr, [](void*, std::span<std::byte> out) { std::ranges::fill(out, std::byte{}); }};
}

constexpr testing::time_point start{std::chrono::seconds(1'796'155'444)};

/// A client that reads what it is told and keeps nothing.
struct listener {
    explicit listener(testing::peer& p) : server(p) {}

    void listen() {
        for (auto bytes = server.output(); !bytes.empty(); bytes = server.output()) {
            take(bytes);
            server.consume_output(bytes.size());
        }
    }
    void take(web::bytes_view bytes) {
        while (!upgraded && !bytes.empty()) {
            bytes = bytes.subspan(parser.feed(bytes));
            require(!parser.error());
            if (!parser.done()) return;
            upgraded = parser.response().status == 101;
            parser.reset();
        }
        if (!upgraded) return;
        ws.feed(bytes);
        for (;;) {
            const auto e = ws.next();
            require(e.what != web::ws_connection::event::kind::error);
            if (e.what == web::ws_connection::event::kind::none) break;
        }
    }

    testing::peer& server;
    web::http_response_parser parser{};
    bool upgraded = false;
    web::mask_keys keys{no_random()};
    web::ws_connection ws{web::ws_connection::role::client, &keys, {.max_message = 64u << 20}};
};

std::string upgrade(const std::string& target) {
    std::string out;
    require(!web::write_request(web::make_upgrade(target, "AAECAwQFBgcICQoLDA0ODw=="), "x", out));
    return out;
}

const std::array<std::string, 5> targets{"/ws/v2/producer/persistent/public/default/t",
                                         "/ws/v2/producer/persistent/public/default/t?batchingEnabled=true",
                                         "/ws/v2/consumer/persistent/public/default/t/s?subscriptionType=Shared&"
                                         "ackTimeoutMillis=1000&maxRedeliverCount=1",
                                         "/ws/v2/consumer/persistent/public/default/t/s?pullMode=true",
                                         "/ws/v2/reader/persistent/public/default/t?messageId=earliest"};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const unsigned mode = data[0], piece = data[1] + 1u;
    const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    testing::proxy_model model({}, no_random());
    model.create_topic("persistent://public/default/t");
    testing::peer p(model, start);
    listener client(p);
    std::string bytes;
    const unsigned kind = mode % 11;
    if (kind != 0) bytes = upgrade(targets[(kind - 1) / 2]);
    if (kind % 2 == 1) { // texts, one a line
        web::mask_keys keys{no_random()};
        web::ws_connection ws(web::ws_connection::role::client, &keys, {});
        for (std::size_t at = 0; at <= input.size();) {
            const std::size_t end = std::min(input.find('\n', at), input.size());
            const std::string_view text = input.substr(at, end - at);
            if (web::is_utf8(text)) ws.send(web::opcode::text, web::as_bytes(text));
            at = end + 1;
        }
        bytes += web::as_text(ws.output());
    } else {
        bytes += input;
    }
    testing::time_point now = start;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        p.receive(web::as_bytes(bytes).subspan(at, std::min<std::size_t>(piece, bytes.size() - at)), now);
        now += std::chrono::milliseconds(mode);
        if (p.next_time() <= now) p.advance(now);
        client.listen();
    }
    for (int turn = 0; turn < 100 && p.next_time() != testing::time_point::max() && !p.want_close(); ++turn) {
        now = std::max(now, p.next_time());
        p.advance(now);
        client.listen();
    }
    p.end_of_stream(now);
    client.listen();
    while (p.next_time() <= now) { // requests that waited behind long answers
        p.advance(now);
        client.listen();
    }
    require(p.want_close());
    return 0;
}
