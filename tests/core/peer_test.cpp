// SPDX-License-Identifier: BSL-1.0
// One connection of the proxy model: keep-alive, pipelining, bytes cut anywhere, and what is no HTTP or no WebSocket.
#include "support/peer_client.hpp"

#include <doctest/doctest.h>

#include <random>

namespace {

using namespace std::chrono_literals;
namespace web = sluice::web;
using test::peer;
using test::peer_client;

struct world {
    world() : model({}, test::counting_random(state)) {}

    std::uint64_t state = 7;
    test::proxy_model model;
};

std::string take(peer& p) {
    std::string all;
    for (auto bytes = p.output(); !bytes.empty(); bytes = p.output()) {
        all += web::as_text(bytes);
        p.consume_output(bytes.size());
    }
    return all;
}

std::string upgrade() {
    std::string out;
    REQUIRE(!web::write_request(
        web::make_upgrade("/ws/v2/producer/persistent/public/default/t", "dGhlIHNhbXBsZSBub25jZQ=="), "localhost",
        out));
    return out;
}

/// A client's frames for the texts, then a close.
std::string frames(std::initializer_list<std::string_view> texts) {
    std::uint64_t state = 3;
    web::mask_keys keys(test::counting_random(state));
    web::ws_connection ws(web::ws_connection::role::client, &keys, {});
    for (const auto text : texts) {
        ws.send(web::opcode::text, web::as_bytes(text.substr(0, 5)), false);
        ws.ping(web::as_bytes("p"));
        ws.send(web::opcode::continuation, web::as_bytes(text.substr(5)));
    }
    return std::string(web::as_text(ws.output()));
}

TEST_CASE("a connection's bytes may be cut anywhere") {
    const std::string in =
        "\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /_open/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        "POST /_open/auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" +
        upgrade() + frames({R"({"payload":"aGk=","context":"1"})", R"({"payload":"")"});
    std::string expected;
    {
        world w;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(in), test::start);
        expected = take(p);
        CHECK(w.model.stats().requests == 4);
        CHECK(w.model.stats().frames == 2);
    }
    CHECK(expected.starts_with("HTTP/1.1 404 Not Found\r\n"));
    CHECK(expected.find(R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0,"schemaVersion":0})") !=
          std::string::npos);
    const auto without_pongs = [](std::string text) { // they may stand before or behind the answers
        const std::string pong = "\x8a\x01p";
        for (std::size_t at = 0; (at = text.find(pong)) != std::string::npos;) text.erase(at, pong.size());
        return text;
    };
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        CAPTURE(cut);
        world w;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(in).first(cut), test::start);
        std::string out = take(p);
        p.receive(web::as_bytes(in).subspan(cut), test::start);
        out += take(p);
        REQUIRE(without_pongs(out) == without_pongs(expected));
    }
    world w;
    peer p(w.model, test::start);
    std::string out;
    for (const char c : in) {
        p.receive(web::as_bytes({&c, 1}), test::start);
        out += take(p);
    }
    CHECK(without_pongs(out) == without_pongs(expected));
}

TEST_CASE("keep-alive, and its end") {
    const auto answers = [](std::string_view in) {
        world w;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(in), test::start);
        const std::string out = take(p);
        return std::pair(p.want_close(), std::string(out));
    };
    CHECK(!answers("GET /x HTTP/1.1\r\nHost: x\r\n\r\n").first);
    const auto [closed, text] = answers("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(closed);
    CHECK(text.find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(answers("GET /x HTTP/1.0\r\nHost: x\r\n\r\n").first);
    world w;
    peer p(w.model, test::start);
    p.receive(web::as_bytes("GET /x HTTP/1.1\r\n"), test::start);
    p.end_of_stream(test::start);
    CHECK(take(p).empty());
    CHECK(p.want_close());
    peer idle(w.model, test::start);
    idle.advance(test::start + 5min);
    CHECK(idle.want_close());
}

/// As the gateway does it: writes what there is, and lets the peer go on.
std::string take_all(peer& p) {
    std::string all = take(p);
    while (p.next_time() <= test::start) {
        p.advance(test::start);
        all += take(p);
    }
    return all;
}

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
    return n;
}

TEST_CASE("a client that has closed its half is served what it has sent") {
    world w;
    for (int i = 0; i < 1000; ++i)
        w.model.create_topic("persistent://public/default/" + std::string(150, 't') + std::to_string(i));
    const std::string list = "GET /admin/v2/persistent/public/default HTTP/1.1\r\nHost: x\r\n\r\n";
    std::string in;
    for (int i = 0; i < 100; ++i) in += list;
    const auto served = [&](const std::string& behind) {
        const std::uint64_t before = w.model.stats().requests;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(in + behind), test::start);
        CHECK(w.model.stats().requests - before < 100); // a client that does not read is not served without end
        p.end_of_stream(test::start);
        CHECK(!p.want_close());
        const std::string out = take_all(p);
        CHECK(p.want_close());
        CHECK(count(out, "HTTP/1.1 200 OK\r\n") == 100);
        CHECK(w.model.stats().requests - before >= 100);
        return out;
    };
    const std::string all = served("");
    CHECK(all.ends_with("]"));
    CHECK(served("GET / HTTP/1.1\r\n") == all); // half a request is none
    CHECK(count(served("GET\r\n"), "HTTP/1.1 400 ") == 1);
    CHECK(count(served("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + list), "HTTP/1.1 404 ") == 1);
    const std::string last = served(upgrade() + frames({R"({"payload":"aGk=","context":"1"})"}));
    CHECK(last.find(R"("result":"ok")") != std::string::npos);
    CHECK(last.ends_with("\x88\x02\x03\xe9")); // 1001
    CHECK(w.model.stats().open_sockets == 0);
}

TEST_CASE("what is no HTTP is told so, and the connection ends") {
    struct row {
        std::string in;
        int status;
    };
    const row rows[] = {
        {"\x16\x03\x01\x02", 400}, // TLS
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400}, // no Host
        {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
        {"GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\n", 431},
        {"GET / HTTP/1.1\r\nA: " + std::string(1 << 20, 'x') + "\r\n\r\n", 431},
    };
    for (const row& r : rows) {
        CAPTURE(r.in.substr(0, 80));
        world w;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(r.in), test::start);
        CHECK(take(p).starts_with("HTTP/1.1 " + std::to_string(r.status) + " "));
        CHECK(p.want_close());
        p.receive(web::as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), test::start); // too late
        CHECK(take(p).empty());
    }
}

TEST_CASE("frames that break RFC 6455") {
    struct row {
        std::string in;
        int code;
    };
    const row rows[] = {
        {std::string("\x81\x00", 2), 1002},               // not masked
        {std::string("\x83\x80\0\0\0\0", 6), 1002},       // opcode 3
        {std::string("\xc1\x80\0\0\0\0", 6), 1002},       // RSV1 without an extension
        {std::string("\x89\xfe\0\x7e\0\0\0\0", 8), 1002}, // a ping of 126 bytes
        {std::string("\x81\x81\0\0\0\0\xff", 7), 1007},   // not UTF-8
        {std::string("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14), 1009},
        {std::string("\x88\x82\0\0\0\0\x03\xed", 8), 1002}, // close 1005
    };
    for (const row& r : rows) {
        world w;
        peer p(w.model, test::start);
        p.receive(web::as_bytes(upgrade()), test::start);
        CHECK(take(p).starts_with("HTTP/1.1 101 "));
        p.receive(web::as_bytes(r.in), test::start);
        const std::string out = take(p);
        REQUIRE(out.size() >= 4);
        CHECK(out[0] == '\x88');
        CHECK((static_cast<unsigned char>(out[2]) << 8 | static_cast<unsigned char>(out[3])) == r.code);
        CHECK(p.want_close());
        CHECK(p.farewell() == test::start + 5s);
        CHECK(w.model.stats().open_sockets == 0);
    }
}

TEST_CASE("a close frame of ours that is not answered ends the connection all the same") {
    world w;
    peer p(w.model, test::start);
    p.receive(web::as_bytes(upgrade()), test::start);
    p.receive(web::as_bytes(frames({R"({"payload":"aGk=","context":"1"})"})), test::start);
    CHECK(p.farewell() == sluice::testing::time_point::max());
    p.close(1012, "restart", test::start);
    CHECK(p.farewell() == test::start + 5s); // though it may be that nothing can be written until then
    CHECK(take(p).find("restart") != std::string::npos);
    CHECK(!p.want_close());
    p.receive(web::as_bytes(frames({R"({"payload":"aGk=","context":"2"})"})), test::start + 1s); // it does not matter
    take(p);
    CHECK(p.next_time() == test::start + 5s);
    p.advance(test::start + 4s);
    CHECK(!p.want_close());
    p.advance(test::start + 5s);
    CHECK(p.want_close());
    CHECK(take(p).empty());
    CHECK(w.model.stats().stored == 1);
}

TEST_CASE("a frame that is too large: 1009, and the end of the stream at once") {
    world w;
    peer p(w.model, test::start);
    p.receive(web::as_bytes(upgrade()), test::start);
    take(p);
    p.receive(web::as_bytes(frames({std::string((1 << 20) + 1, ' ')})), test::start);
    CHECK(take(p).find("Text message size [1048577] exceeds maximum size [1048576]") != std::string::npos);
    CHECK(p.want_close());
}

TEST_CASE("random bytes, and good bytes with one changed, never break it") {
    std::mt19937_64 random(1);
    const std::string good = upgrade() + frames({R"({"payload":"aGk=","properties":{"a":"b"},"context":"1"})"});
    for (int round = 0; round < 3000; ++round) {
        std::string in = good;
        if (round % 3 == 0) {
            in.resize(random() % 200);
            for (char& c : in) c = static_cast<char>(random());
        } else {
            in[random() % in.size()] = static_cast<char>(random());
        }
        world w;
        peer p(w.model, test::start);
        const std::size_t cut = random() % (in.size() + 1);
        p.receive(web::as_bytes(in).first(cut), test::start);
        p.receive(web::as_bytes(in).subspan(cut), test::start);
        p.end_of_stream(test::start);
        take(p);
        CHECK(p.want_close());
    }
}

TEST_CASE("random JSON never breaks the reader") {
    std::mt19937_64 random(2);
    const std::string_view pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       "\"",
                                       ":",
                                       ",",
                                       "payload",
                                       "\"payload\":\"aGk=\"",
                                       "null",
                                       "true",
                                       "1",
                                       "-",
                                       ".5",
                                       "e9",
                                       "\\u00e9",
                                       "\\ud83d",
                                       "\\",
                                       " ",
                                       "\n",
                                       "\"properties\":{\"a\":\"b\"}",
                                       "\"context\":\"1\"",
                                       "\xc3\xa9",
                                       "\"deliverAt\":"};
    sluice::testing::detail::producer_message_reader reader;
    sluice::testing::detail::producer_message message;
    std::size_t good = 0;
    for (int round = 0; round < 50'000; ++round) {
        std::string text = "{";
        for (auto n = random() % 8; n != 0; --n) text += pieces[random() % std::size(pieces)];
        if (reader.read(text, message)) {
            ++good;
        } else {
            CHECK(!reader.error().empty());
        }
    }
    CHECK(good > 100);
}

} // namespace
