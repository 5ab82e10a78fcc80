// SPDX-License-Identifier: BSL-1.0
// A connection with permessage-deflate: RSV1, fragments with control frames between them, limits, what is told of bad
// input, and a client and a server that talk to one another.
#include "ws_talk.hpp"

#include <sluice/web/ws_deflate.hpp>

using namespace ws_wire;

namespace {

/// "Hello" as RFC 7692 compresses it, and what refers to it.
const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), hello_again("\xf2\x00\x11\x00\x00", 5);

struct packed_frame {
    opcode op;
    std::string payload{};
    bool fin = true;
    bool rsv1 = false;
};
constexpr bool last = true, rsv1 = true;

std::string wire_of(const std::vector<packed_frame>& frames, bool masked) {
    std::string wire;
    for (const packed_frame& f : frames) {
        std::string one = encode(frame{f.op, f.payload, f.fin}, masked);
        if (f.rsv1) one[0] = static_cast<char>(one[0] | 0x40);
        wire += one;
    }
    return wire;
}

ws_connection server_with(const deflate_parameters& agreed = {}, std::size_t max_message = 1u << 20) {
    return {role::server, nullptr, {.max_message = max_message}, std::make_unique<ws_deflate>(role::server, agreed)};
}

/// What a server hears of it, the same however it comes cut.
lines heard(const std::vector<packed_frame>& frames, std::size_t max_message = 1u << 20) {
    const std::string wire = wire_of(frames, true);
    lines whole;
    ws_connection connection = server_with({}, max_message);
    connection.feed(as_bytes(wire));
    drain(connection, whole);
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        ws_connection two = server_with({}, max_message);
        lines events;
        two.feed(as_bytes(wire).first(cut));
        drain(two, events);
        two.feed(as_bytes(wire).subspan(cut));
        drain(two, events);
        CHECK(events == whole);
    }
    ws_connection bytes = server_with({}, max_message);
    lines events;
    for (std::size_t i = 0; i < wire.size(); ++i) {
        bytes.feed(as_bytes(wire).subspan(i, 1));
        drain(bytes, events);
    }
    CHECK(events == whole);
    return whole;
}

const std::string corrupt = "error 1007 corrupt data", no_text = "error 1007 invalid UTF-8",
                  broken = "error 1002 WebSocket protocol error", too_big = "error 1009 WebSocket message too big";

/// As a client would send it.
std::string deflated(std::string_view text) {
    ws_deflate client(role::client, {}, {.min_size = 0});
    byte_buffer out;
    CHECK(client.compress(as_bytes(text), true, false, out));
    CHECK(client.compress({}, false, true, out));
    return std::string(as_text(out.view()));
}

} // namespace

TEST_CASE("compressed messages are read") {
    CHECK(heard({{opcode::text, hello, last, rsv1}}) == lines{"text Hello"});
    CHECK(heard({{opcode::binary, hello, last, rsv1}}) == lines{"binary Hello"});
    CHECK(heard({{opcode::text, hello, last, rsv1}, {opcode::text, hello_again, last, rsv1}}) ==
          lines{"text Hello", "text Hello"});
    // Messages that are not compressed may stand between them, and leave the window alone.
    CHECK(heard({{opcode::text, hello, last, rsv1},
                 {opcode::text, "plain"},
                 {opcode::binary, "\xff"},
                 {opcode::text, hello_again, last, rsv1}}) ==
          lines{"text Hello", "text plain", "binary \xff", "text Hello"});
    CHECK(heard({{opcode::text, std::string(1, '\0'), last, rsv1}, {opcode::text, "", last, rsv1}}) ==
          lines{"text ", "text "});
}

TEST_CASE("fragments of a compressed message: RSV1 on the first one only, control frames between them") {
    for (std::size_t cut = 0; cut <= hello.size(); ++cut) {
        CHECK(heard({{opcode::text, hello.substr(0, cut), first, rsv1},
                     {opcode::ping, "p"},
                     {opcode::continuation, "", first},
                     {opcode::pong, "q"},
                     {opcode::continuation, hello.substr(cut)},
                     {opcode::text, hello_again, last, rsv1}}) ==
              lines{"ping p", "pong q", "text Hello", "text Hello"});
    }
    CHECK(heard({{opcode::text, hello, first, rsv1}, {opcode::continuation, hello, last, rsv1}}) == lines{broken});
    CHECK(heard({{opcode::text, "Hel", first}, {opcode::continuation, "lo", last, rsv1}}) == lines{broken});
    CHECK(heard({{opcode::text, "Hel", first}, {opcode::continuation, "lo"}}) == lines{"text Hello"});
    CHECK(heard({{opcode::ping, hello, last, rsv1}}) == lines{broken});
    CHECK(heard({{opcode::pong, "", last, rsv1}}) == lines{broken});
    CHECK(heard({{opcode::close, code(1000), last, rsv1}}) == lines{broken});
    CHECK(heard({{opcode::text, hello, first, rsv1}, {opcode::text, hello, last, rsv1}}) == lines{broken});
}

TEST_CASE("without an agreement RSV1 is an error") {
    ws_connection connection(role::server, nullptr);
    connection.feed(as_bytes(wire_of({{opcode::text, hello, last, rsv1}}, true)));
    lines events;
    drain(connection, events);
    CHECK(events == lines{broken});
    CHECK(sent_by(connection, role::server) == lines{"close 1002"});
}

TEST_CASE("bad input: corrupt data and bad text 1007, too much 1009") {
    CHECK(heard({{opcode::text, "\x06", last, rsv1}}) == lines{corrupt});
    CHECK(heard({{opcode::binary, "Hello", last, rsv1}}) == lines{corrupt});
    CHECK(heard({{opcode::text, hello_again, last, rsv1}}) == lines{corrupt}); // refers to what never came
    for (std::size_t n = 1; n < hello.size(); ++n)
        CHECK(heard({{opcode::text, hello.substr(0, n), last, rsv1}}) == lines{corrupt});
    CHECK(heard({{opcode::text, hello, last, rsv1}, {opcode::text, "\xff\xff", last, rsv1}, {opcode::text, "x"}}) ==
          lines{"text Hello", corrupt});

    CHECK(heard({{opcode::text, deflated("caf\xc3\xa9"), last, rsv1}}) == lines{"text caf\xc3\xa9"});
    CHECK(heard({{opcode::text, deflated("caf\xc3"), last, rsv1}}) == lines{no_text});
    CHECK(heard({{opcode::text, deflated("\xff" + std::string(300, 'x')), last, rsv1}}, 100) == lines{no_text});
    CHECK(heard({{opcode::binary, deflated("\xff"), last, rsv1}}) == lines{"binary \xff"});

    const std::string thousand = deflated(std::string(1000, 'x'));
    CHECK(heard({{opcode::text, thousand, last, rsv1}}, 1000) == lines{"text <1000>"});
    CHECK(heard({{opcode::text, thousand, last, rsv1}}, 999) == lines{too_big});
    CHECK(heard({{opcode::text, thousand.substr(0, 5), first, rsv1}, {opcode::continuation, thousand.substr(5)}},
                999) == lines{too_big});
    CHECK(heard({{opcode::text, std::string(1000, 'x')}}, 999) == lines{too_big});
    // What is larger compressed than it is counts as what it is.
    CHECK(heard({{opcode::text, hello, last, rsv1}}, 5) == lines{"text Hello"});
    CHECK(heard({{opcode::text, hello, last, rsv1}}, 4) == lines{too_big});
}

TEST_CASE("the peer is told why") {
    struct row {
        std::string payload;
        std::string sent;
    };
    for (const row& r : {row{"\x06", "close 1007"}, row{deflated(std::string(5000, 'x')), "close 1009"}}) {
        ws_connection connection = server_with({}, 4096);
        connection.feed(as_bytes(wire_of({{opcode::text, r.payload, last, rsv1}}, true)));
        CHECK(connection.next().what == kind::error);
        CHECK(sent_by(connection, role::server) == lines{r.sent});
        CHECK(connection.current_state() == state::closed);
    }
}

TEST_CASE("a bomb takes no more memory than a message may") {
    ws_deflate client(role::client, {});
    byte_buffer bomb;
    REQUIRE(client.compress(as_bytes(std::string(40'000'000, 'x')), true, true, bomb));
    ws_connection connection = server_with();
    connection.feed(as_bytes(wire_of({{opcode::text, std::string(as_text(bomb.view())), last, rsv1}}, true)));
    const ws_connection::event e = connection.next();
    CHECK(e.what == kind::error);
    CHECK(e.close_code == close_code::message_too_big);
    CHECK(e.ec == sluice::errc::message_too_big);
}

TEST_CASE("what is sent") {
    mask_keys keys(counting_source());
    const std::string text(500, 't');
    for (const role r : {role::client, role::server}) {
        ws_connection connection(r, r == role::client ? &keys : nullptr, {},
                                 std::make_unique<ws_deflate>(r, deflate_parameters{}));
        ws_deflate other(r == role::client ? role::server : role::client, {});
        const auto header_of = [&] {
            frame_header header;
            REQUIRE(parse_frame_header(connection.output(), header, true) == parse_status::ok);
            const std::size_t size = frame_header_size(header.length, header.masked);
            std::string payload(as_text(connection.output().subspan(size, static_cast<std::size_t>(header.length))));
            apply_mask(reinterpret_cast<std::byte*>(payload.data()), payload.size(), header.key);
            connection.consume_output(size + payload.size());
            return std::pair(header, payload);
        };
        CHECK(connection.send(opcode::text, as_bytes(text)));
        auto [header, payload] = header_of();
        CHECK(header.rsv1);
        CHECK(header.fin);
        CHECK(header.masked == (r == role::client));
        CHECK(payload.size() < 20);
        byte_buffer out;
        CHECK(other.decompress(as_bytes(payload), 1000, out) == message_compression::status::ok);
        CHECK(other.finish(1000, out) == message_compression::status::ok);
        CHECK(as_text(out.view()) == text);

        // Short ones and control frames go as they are.
        CHECK(connection.send(opcode::text, as_bytes("short")));
        CHECK(connection.ping(as_bytes(std::string(125, 'p'))));
        CHECK(connection.send(opcode::binary, {}));
        for (const char* expected : {"short", "p", ""}) {
            const auto [plain, data] = header_of();
            CHECK_FALSE(plain.rsv1);
            CHECK(data.starts_with(expected));
        }

        // Fragments: RSV1 on the first alone.
        CHECK(connection.send(opcode::text, as_bytes("a"), false));
        CHECK(connection.send(opcode::text, as_bytes(text), false));
        CHECK(connection.ping());
        CHECK(connection.send(opcode::text, {}, true));
        std::string whole;
        for (int i = 0; i < 4; ++i) {
            const auto [part, data] = header_of();
            CHECK(part.rsv1 == (i == 0));
            CHECK(part.fin == (i >= 2));
            CHECK(part.op == (i == 0 ? opcode::text : i == 2 ? opcode::ping : opcode::continuation));
            whole += data;
        }
        out.clear();
        CHECK(other.decompress(as_bytes(whole), 1000, out) == message_compression::status::ok);
        CHECK(other.finish(1000, out) == message_compression::status::ok);
        CHECK(as_text(out.view()) == "a" + text);

        connection.close(1000, std::string(100, 'c'));
        CHECK_FALSE(header_of().first.rsv1);
    }
}

TEST_CASE("memory is given back between messages") {
    ws_connection connection = server_with();
    const std::string big = deflated(std::string(500'000, 'x'));
    for (int i = 0; i < 3; ++i) {
        connection.feed(as_bytes(wire_of({{opcode::text, big, last, rsv1}, {opcode::ping, "p"}}, true)));
        ws_connection::event e = connection.next();
        CHECK(e.what == kind::text);
        CHECK(e.data.size() == 500'000);
        CHECK(connection.next().what == kind::ping);
        if (i == 0) connection.shrink();
        connection.consume_output(connection.output().size());
    }
    // In the middle of one nothing is lost.
    const std::string wire =
        wire_of({{opcode::text, hello.substr(0, 3), first, rsv1}, {opcode::continuation, hello.substr(3)}}, true);
    connection.feed(as_bytes(wire).first(wire.size() - 3));
    CHECK(connection.next().what == kind::none);
    connection.shrink();
    connection.feed(as_bytes(wire).last(3));
    CHECK(to_string(connection.next()) == "text Hello");
}

namespace {

struct speaker : talker {
    std::string message{};
    bool begun = false;
    opcode op = opcode::text;

    std::string something() {
        if (op == opcode::text) {
            std::string text = R"({"payload":")";
            for (std::size_t n = below(3) == 0 ? below(5000) : below(60); n != 0; --n)
                text += static_cast<char>('a' + below(4));
            return text;
        }
        std::string bytes(below(2) == 0 ? below(20000) : below(50), 'b');
        if (below(2) == 0)
            for (char& c : bytes) c = static_cast<char>(random());
        return bytes;
    }
    void speak() {
        if (below(8) == 0) {
            CHECK(connection.ping(as_bytes("ping")));
            return;
        }
        if (!begun) {
            op = below(2) == 0 ? opcode::text : opcode::binary;
            message = something();
            said.push_back((op == opcode::text ? "text " : "binary ") + message);
        }
        const std::size_t n = below(3) != 0 ? message.size() : below(message.size() + 1);
        const bool fin = n == message.size() && below(4) != 0;
        CHECK(connection.send(op, as_bytes(message).first(n), fin));
        message.erase(0, n);
        begun = !fin;
    }
    void finish() {
        if (std::exchange(begun, false)) CHECK(connection.send(op, as_bytes(message)));
    }
};

} // namespace

TEST_CASE("a client and a server that compress understand each other") {
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        const deflate_parameters agreed{random() % 2 == 0, random() % 2 == 0, static_cast<int>(8 + random() % 8),
                                        static_cast<int>(8 + random() % 8)};
        mask_keys keys(counting_source());
        const auto side = [&](role r) {
            return ws_connection(
                r, r == role::client ? &keys : nullptr, {},
                std::make_unique<ws_deflate>(r, agreed, deflate_settings{1 + static_cast<int>(seed % 9)}));
        };
        speaker client{{side(role::client), random}}, server{{side(role::server), random}};
        for (int turn = 0; turn < 100; ++turn) {
            speaker& one = client.below(2) == 0 ? client : server;
            if (one.below(2) == 0)
                one.speak();
            else
                one.listen(&one == &client ? server : client);
            if (!one.begun && one.below(20) == 0) one.connection.shrink();
        }
        client.finish();
        server.finish();
        client.connection.close(1000);
        part(client, server);
    }
}
