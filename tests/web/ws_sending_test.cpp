// SPDX-License-Identifier: BSL-1.0
// What a WebSocket connection sends, the closing handshake, and a client and a server that talk to one another.
#include "ws_talk.hpp"

#include <array>

using namespace ws_wire;

TEST_CASE("what is sent") {
    mask_keys keys(counting_source());
    for (const role r : {role::client, role::server}) {
        ws_connection connection(r, r == role::client ? &keys : nullptr);
        const std::string long_text(70000, 'x');
        CHECK(connection.send(opcode::text, as_bytes("Hello")));
        CHECK(connection.send(opcode::binary, {}));
        CHECK(connection.send(opcode::binary, as_bytes(long_text)));
        CHECK(connection.ping(as_bytes("p")));
        CHECK(connection.ping());
        CHECK(connection.send(opcode::pong, as_bytes("q")));
        CHECK(sent_by(connection, r) == lines{"text Hello", "binary", "binary <70000>", "ping p", "ping", "pong q"});

        CHECK(connection.send(opcode::text, as_bytes("a"), false));
        CHECK(connection.send(opcode::text, as_bytes("b"), false));
        CHECK(connection.ping());
        CHECK(connection.send(opcode::continuation, as_bytes("c")));
        CHECK(connection.send(opcode::binary, as_bytes("d")));
        CHECK(sent_by(connection, r) ==
              lines{"text a ...", "continuation b ...", "ping", "continuation c", "binary d"});

        const std::string too_long(126, 'x');
        CHECK_FALSE(connection.ping(as_bytes(too_long)));
        CHECK_FALSE(connection.send(opcode::pong, as_bytes(too_long)));
        CHECK_FALSE(connection.send(opcode::ping, {}, false));
        CHECK_FALSE(connection.send(opcode::close, {}));
        CHECK_FALSE(connection.send(opcode::continuation, as_bytes("x")));
        CHECK(connection.output().empty());

        connection.close(close_code::going_away, "bye");
        CHECK_FALSE(connection.send(opcode::text, as_bytes("x")));
        CHECK_FALSE(connection.ping());
        connection.close();
        CHECK(sent_by(connection, r) == lines{"close 1001 bye"});
    }
}

TEST_CASE("each frame of a client has a key of its own") {
    mask_keys keys(counting_source());
    ws_connection connection(role::client, &keys);
    std::vector<mask_key> seen;
    for (int i = 0; i < 300; ++i) connection.ping();
    connection.close();
    while (!connection.output().empty()) {
        frame_header header;
        REQUIRE(parse_frame_header(connection.output(), header) == parse_status::ok);
        connection.consume_output(frame_header_size(header.length, true) + static_cast<std::size_t>(header.length));
        CHECK(std::find(seen.begin(), seen.end(), header.key) == seen.end());
        seen.push_back(header.key);
    }
    CHECK(seen.size() == 301);
}

TEST_CASE("the close frame that is sent") {
    struct row {
        std::uint16_t code;
        std::string reason, sent;
    };
    const std::string x122(122, 'x'), x123(123, 'x'), e61 = [] {
        std::string s;
        for (int i = 0; i < 61; ++i) s += "\xc3\xa9";
        return s;
    }();
    const auto as_sent = [](const std::string& reason) { // the text behind the code in full
        ws_connection connection(role::server, nullptr);
        connection.close(1000, reason);
        return std::string(as_text(connection.output().subspan(4)));
    };
    CHECK(as_sent("bye") == "bye");
    CHECK(as_sent(x123) == x123);
    CHECK(as_sent(x123 + "y") == x123);
    CHECK(as_sent(e61 + "\xc3\xa9") == e61);             // 124 bytes: cut before the character
    CHECK(as_sent("x" + e61 + "\xc3\xa9") == "x" + e61); // 123 and a character
    CHECK(as_sent(x122 + "\xe2\x82\xac") == x122);
    CHECK(as_sent(std::string(121, 'x') + "\xf0\x9f\x98\x80") == std::string(121, 'x'));
    CHECK(as_sent("\xff") == "");
    CHECK(as_sent("x\xce") == "");
    CHECK(as_sent(std::string(200, '\x80')) == "");

    for (const row& r : std::vector<row>{{1000, "", "close 1000"},
                                         {3000, "x", "close 3000 x"},
                                         {1005, "x", "close"},
                                         {1006, "x", "close"},
                                         {0, "x", "close"},
                                         {5000, "", "close"}}) {
        ws_connection connection(role::server, nullptr);
        connection.close(r.code, r.reason);
        CHECK(sent_by(connection, role::server) == lines{r.sent});
    }
}

TEST_CASE("the closing handshake, begun here") {
    ws_connection connection(role::server, nullptr);
    CHECK(connection.current_state() == state::open);
    connection.close(1000);
    CHECK(connection.current_state() == state::local_closing);
    CHECK(connection.close_sent());
    CHECK(sent_by(connection, role::server) == lines{"close 1000"});

    // Messages still arrive, pings are still answered (5.5.2).
    connection.feed(as_bytes(encode({{opcode::text, "late"}, {opcode::ping, "p"}, {opcode::close, code(1000)}}, true)));
    lines events;
    drain(connection, events);
    CHECK(events == lines{"text late", "ping p", "close 1000"});
    CHECK(connection.close_received());
    CHECK(connection.current_state() == state::remote_closing);
    CHECK(sent_by(connection, role::server) == lines{"pong p"});
    CHECK(connection.current_state() == state::closed);
    CHECK_FALSE(connection.failed());
    connection.end_of_stream();
    CHECK(connection.next().what == kind::none);
    CHECK_FALSE(connection.failed());
}

TEST_CASE("the closing handshake, begun there") {
    ws_connection connection(role::server, nullptr);
    connection.feed(as_bytes(encode({{opcode::close, code(1001)}}, true)));
    CHECK(connection.current_state() == state::open); // until it is read
    CHECK(connection.next().what == kind::close);
    CHECK(connection.current_state() == state::remote_closing);
    CHECK_FALSE(connection.send(opcode::text, as_bytes("x")));
    connection.close(1000);
    CHECK(sent_by(connection, role::server) == lines{"close 1001"});
    CHECK(connection.current_state() == state::closed);
    connection.feed(as_bytes(encode({{opcode::text, "x"}}, true)));
    CHECK(connection.next().what == kind::none);
    CHECK_FALSE(connection.failed());
}

TEST_CASE("an error while closing does not send a second close") {
    ws_connection connection(role::server, nullptr);
    connection.close(1000);
    CHECK(sent_by(connection, role::server) == lines{"close 1000"});
    connection.feed(as_bytes("\xff"));
    const ws_connection::event e = connection.next();
    CHECK(e.what == kind::error);
    CHECK(e.ec == sluice::errc::protocol_error);
    CHECK(connection.output().empty());
    CHECK(connection.failed());
    CHECK(connection.current_state() == state::closed);
}

TEST_CASE("the end of the stream") {
    struct row {
        std::string_view name;
        std::vector<frame> in;
        std::size_t missing; // bytes of the wire that do not come
        lines events;
    };
    const std::string lost = "error 1006 connection closed";
    for (const row& r : std::vector<row>{
             {"at once", {}, 0, {lost}},
             {"after a message", {{opcode::text, "x"}}, 0, {"text x", lost}},
             {"inside a header", {{opcode::text, ""}}, 1, {lost}},
             {"inside a payload", {{opcode::text, "x"}, {opcode::text, "yz"}}, 1, {"text x", lost}},
             {"between fragments", {{opcode::text, "x", first}}, 0, {lost}},
             {"inside a control frame", {{opcode::ping, "xy"}}, 1, {lost}},
             {"after a close", {{opcode::close, code(1000)}}, 0, {"close 1000"}},
             {"after an error", {{opcode::close, "x"}}, 0, {"error 1002 WebSocket protocol error"}},
         }) {
        CAPTURE(r.name);
        ws_connection connection(role::server, nullptr);
        const std::string wire = encode(r.in, true);
        connection.feed(as_bytes(wire.substr(0, wire.size() - r.missing)));
        connection.end_of_stream();
        lines events;
        drain(connection, events);
        CHECK(events == r.events);
        CHECK(connection.next().what == kind::none);
        CHECK(connection.current_state() == state::closed);
        CHECK(connection.failed() == events.back().starts_with("error"));
    }
}

TEST_CASE("a peer that pings and does not read gets the newest pong, and costs little") {
    ws_connection connection(role::server, nullptr);
    for (int i = 0; i < 100000; ++i) {
        connection.feed(as_bytes(encode({{opcode::ping, std::to_string(i)}}, true)));
        REQUIRE(connection.next().what == kind::ping);
    }
    CHECK(connection.output().size() < 17 * 1024);
    const lines sent = sent_by(connection, role::server);
    CHECK(sent.front() == "pong 0");
    CHECK(sent.at(1) == "pong 1");
    CHECK(sent.back() == "pong 99999");

    // A pong that waits does not outlive the peer's close.
    for (int i = 0; i < 100000; ++i) {
        connection.feed(as_bytes(encode({{opcode::ping, "x"}}, true)));
        REQUIRE(connection.next().what == kind::ping);
    }
    connection.feed(as_bytes(encode(frame{opcode::close}, true)));
    REQUIRE(connection.next().what == kind::close);
    CHECK(sent_by(connection, role::server).back() == "close");
    CHECK(connection.current_state() == state::closed);
}

namespace {

/// One side of a conversation: says what the seed tells it, and remembers what it said and what it heard.
struct speaker : talker {
    std::string message{};
    opcode op = opcode::text;

    std::string some_text() {
        static constexpr std::array<std::string_view, 5> characters{"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                                                    "z"};
        std::string text;
        const std::size_t n = below(4) == 0 ? below(1200) : below(40);
        for (std::size_t i = 0; i < n; ++i) text += characters[below(characters.size())];
        return text;
    }

    /// A fragment, a whole message, or a control frame. Fragments are cut anywhere, also inside a character.
    void speak() {
        const std::size_t what = below(8);
        if (what == 0) {
            const std::string payload(below(126), 'p');
            CHECK(connection.ping(as_bytes(payload)));
        } else if (what == 1) {
            CHECK(connection.send(opcode::pong, as_bytes("beat")));
        } else {
            const bool begins = message.empty();
            if (begins) {
                message = some_text();
                op = below(2) == 0 ? opcode::text : opcode::binary;
                said.push_back((op == opcode::text ? "text " : "binary ") + message);
            }
            const std::size_t n = what < 5 ? message.size() : below(message.size() + 1);
            const bool fin = n == message.size();
            CHECK(connection.send(begins ? op : opcode::continuation, as_bytes(message.substr(0, n)), fin));
            message.erase(0, n);
        }
    }

    void finish() {
        if (message.empty()) return;
        CHECK(connection.send(opcode::continuation, as_bytes(message)));
        message.clear();
    }
};

} // namespace

TEST_CASE("a client and a server understand each other") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        mask_keys keys(counting_source());
        speaker client{{ws_connection(role::client, &keys), random}};
        speaker server{{ws_connection(role::server, nullptr), random}};
        for (int turn = 0; turn < 200; ++turn) {
            speaker& one = client.below(2) == 0 ? client : server;
            if (one.below(2) == 0)
                one.speak();
            else
                one.listen(&one == &client ? server : client);
        }
        client.finish();
        server.finish();
        if (client.below(3) != 0) client.connection.close(1000, "done");
        if (client.below(3) == 0 || !client.connection.close_sent()) server.connection.close(1001);
        part(client, server);
    }
}
