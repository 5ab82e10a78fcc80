// SPDX-License-Identifier: BSL-1.0
// What a WebSocket connection receives: each rule of RFC 6455 as a row, both roles, the input cut at every offset.
#include "ws_wire.hpp"

#include <array>

using namespace ws_wire;

namespace {

struct result {
    lines events, sent;
    bool operator==(const result&) const = default;
};

/// Feeds the pieces of the wire between the cuts.
result receive(role r, std::string_view wire, std::span<const std::size_t> cuts, ws_options options = {}) {
    mask_keys keys(counting_source());
    ws_connection connection(r, r == role::client ? &keys : nullptr, options);
    result got;
    std::size_t at = 0;
    for (const std::size_t cut : cuts) {
        connection.feed(as_bytes(wire.substr(at, cut - at)));
        drain(connection, got.events);
        at = cut;
    }
    connection.feed(as_bytes(wire.substr(at)));
    drain(connection, got.events);
    got.sent = sent_by(connection, r);
    return got;
}

void check_all_cuts(role r, std::string_view wire, const result& expected, ws_options options = {}) {
    CAPTURE(r == role::client);
    const result whole = receive(r, wire, {}, options);
    CHECK(whole.events == expected.events);
    CHECK(whole.sent == expected.sent);
    std::vector<std::size_t> each;
    for (std::size_t cut = 1; cut < wire.size(); ++cut) {
        CHECK(receive(r, wire, std::array{cut}, options) == expected);
        each.push_back(cut);
    }
    CHECK(receive(r, wire, each, options) == expected);
}

const std::string kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

} // namespace

TEST_CASE("what a peer may send, and what is made of it") {
    struct row {
        std::string_view name;
        std::vector<frame> in;
        lines events, sent;
    };
    using enum opcode;
    const std::string long_text(300, 'a');
    const std::vector<row> rows{
        {"text", {{text, "Hello"}}, {"text Hello"}, {}},
        {"empty text", {{text}}, {"text "}, {}},
        {"binary", {{binary, "\xff\xfe"}}, {"binary \xff\xfe"}, {}},
        {"three messages", {{text, "a"}, {binary, ""}, {text, "c"}}, {"text a", "binary ", "text c"}, {}},
        {"16-bit length", {{text, long_text}}, {"text <300>"}, {}},
        {"characters of several bytes", {{text, kosme}}, {"text " + kosme}, {}},
        {"fragments", {{text, "Hel", first}, {continuation, "lo"}}, {"text Hello"}, {}},
        {"fragments, then a message",
         {{binary, "1", first}, {continuation, "2"}, {text, "3"}},
         {"binary 12", "text 3"},
         {}},
        {"empty fragments",
         {{text, "", first}, {continuation, "", first}, {continuation, "x", first}, {continuation}},
         {"text x"},
         {}},
        {"a message of empty fragments", {{text, "", first}, {continuation}}, {"text "}, {}},
        {"a character cut by fragments",
         {{text, "\xce", first}, {continuation, "\xba\xe1\xbd", first}, {continuation, "\xb9"}},
         {"text \xce\xba\xe1\xbd\xb9"},
         {}},
        {"control frames between fragments",
         {{text, "a", first}, {ping, "p"}, {continuation, "b", first}, {pong, "q"}, {continuation, "c"}, {text, "d"}},
         {"ping p", "pong q", "text abc", "text d"},
         {"pong p"}},
        {"ping is answered with the same bytes",
         {{ping, std::string("\x00\xff\x01", 3)}},
         {std::string("ping \x00\xff\x01", 8)},
         {std::string("pong \x00\xff\x01", 8)}},
        {"empty ping", {{ping}}, {"ping "}, {"pong"}},
        {"longest ping", {{ping, std::string(125, 'p')}}, {"ping <125>"}, {"pong <125>"}},
        {"each ping",
         {{ping, "1"}, {ping, "2"}, {ping, "3"}},
         {"ping 1", "ping 2", "ping 3"},
         {"pong 1", "pong 2", "pong 3"}},
        {"a pong that nobody asked for", {{pong, "x"}}, {"pong x"}, {}},

        {"close", {{close, code(1000)}}, {"close 1000"}, {"close 1000"}},
        {"close without a code", {{close}}, {"close 1005"}, {"close"}},
        {"close with a reason", {{close, code(1001) + "bye"}}, {"close 1001 bye"}, {"close 1001 bye"}},
        {"close with the longest reason",
         {{close, code(3000) + std::string(123, 'r')}},
         {"close 3000 <123>"},
         {"close 3000 <123>"}},
        {"close of an application", {{close, code(4999)}}, {"close 4999"}, {"close 4999"}},
        {"nothing is read after a close", {{close, code(1000)}, {text, "x"}, {ping}}, {"close 1000"}, {"close 1000"}},
        {"nor is it judged", {{close, code(1000)}, {continuation, "x"}}, {"close 1000"}, {"close 1000"}},
        {"close between fragments", {{text, "x", first}, {close, code(1000)}}, {"close 1000"}, {"close 1000"}},
        {"messages before a close",
         {{text, "x"}, {ping, "p"}, {close}},
         {"text x", "ping p", "close 1005"},
         {"pong p", "close"}},

        {"close of one byte", {{close, "x"}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 0", {{close, code(0)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 999", {{close, code(999)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 1005", {{close, code(1005)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 1006", {{close, code(1006)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 1015", {{close, code(1015)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"close 5000", {{close, code(5000)}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"reason is not UTF-8", {{close, code(1000) + "\xff"}}, {"error 1007 invalid UTF-8"}, {"close 1007"}},
        {"reason ends inside a character",
         {{close, code(1000) + "\xce"}},
         {"error 1007 invalid UTF-8"},
         {"close 1007"}},

        {"continuation of nothing", {{continuation, "x"}}, {"error 1002 WebSocket protocol error"}, {"close 1002"}},
        {"continuation after the end",
         {{text, "a", first}, {continuation, "b"}, {continuation, "c"}},
         {"text ab", "error 1002 WebSocket protocol error"},
         {"close 1002"}},
        {"a message inside a message",
         {{text, "a", first}, {text, "b"}},
         {"error 1002 WebSocket protocol error"},
         {"close 1002"}},
        {"nothing is read after an error",
         {{continuation}, {text, "x"}, {ping}},
         {"error 1002 WebSocket protocol error"},
         {"close 1002"}},
        {"what came before an error counts",
         {{text, "a"}, {ping, "p"}, {continuation}},
         {"text a", "ping p", "error 1002 WebSocket protocol error"},
         {"pong p", "close 1002"}},
        {"text is not UTF-8",
         {{text, "a\xff"
                 "b"}},
         {"error 1007 invalid UTF-8"},
         {"close 1007"}},
        {"text ends inside a character", {{text, "a\xce"}}, {"error 1007 invalid UTF-8"}, {"close 1007"}},
        {"surrogate", {{text, "\xed\xa0\x80"}}, {"error 1007 invalid UTF-8"}, {"close 1007"}},
        {"not UTF-8 over fragments",
         {{text, "\xce", first}, {continuation, "\xce"}},
         {"error 1007 invalid UTF-8"},
         {"close 1007"}},
        {"fragments end inside a character",
         {{text, "\xce", first}, {continuation}},
         {"error 1007 invalid UTF-8"},
         {"close 1007"}},
        {"each message is checked afresh", {{binary, "\xce"}, {text, "a"}}, {"binary \xce", "text a"}, {}},
    };
    for (const row& r : rows) {
        CAPTURE(r.name);
        for (const role who : {role::client, role::server})
            check_all_cuts(who, encode(r.in, who == role::server), {r.events, r.sent});
    }
}

TEST_CASE("a client masks, a server does not") {
    const lines error{"error 1002 WebSocket protocol error"};
    for (const opcode op : {opcode::text, opcode::binary, opcode::ping, opcode::pong, opcode::close}) {
        check_all_cuts(role::client, encode(frame{op}, true), {error, {"close 1002"}});
        check_all_cuts(role::server, encode(frame{op}, false), {error, {"close 1002"}});
    }
}

TEST_CASE("errors are told at the first byte that shows them") {
    struct row {
        std::string_view name;
        std::string wire; // unmasked
        std::size_t at;   // bytes after which the error is known
    };
    const std::vector<row> rows{
        {"reserved bit", encode(frame{opcode::text, "abc"}, false).replace(0, 1, "\xc1"), 1},
        {"overlong length", std::string("\x82\x7e\x00\x01x", 5), 4},
        {"message over the limit", encode(frame{opcode::binary, std::string(1001, 'x')}, false), 4},
        {"byte that is never UTF-8",
         encode(frame{opcode::text, "ab\xff"
                                    "cd"},
                false),
         5},
        {"surrogate",
         encode(frame{opcode::text, kosme + "\xed\xa0\x80"
                                            "edited"},
                false),
         2 + kosme.size() + 2},
        {"beyond U+10FFFF",
         encode(frame{opcode::text, kosme + "\xf4\x90\x80\x80"
                                            "edited"},
                false),
         2 + kosme.size() + 2},
    };
    for (const row& r : rows) {
        CAPTURE(r.name);
        mask_keys keys(counting_source());
        ws_connection connection(role::client, &keys, {.max_message = 1000});
        for (std::size_t i = 0; i < r.at; ++i) {
            CHECK(connection.next().what == kind::none);
            connection.feed(as_bytes(std::string_view(r.wire).substr(i, 1)));
        }
        CHECK(connection.next().what == kind::error);
        CHECK(connection.failed());
        CHECK(connection.next().what == kind::none);
    }
}

TEST_CASE("the limit is on the message, over all its fragments") {
    using enum opcode;
    const ws_options ten{.max_message = 10};
    const std::string seven(7, 'x');
    const lines error{"error 1009 WebSocket message too big"}, closed{"close 1009"};
    for (const role r : {role::client, role::server}) {
        const bool masked = r == role::server;
        check_all_cuts(r, encode({{text, "0123456789"}, {binary, "0123456789"}}, masked),
                       {{"text 0123456789", "binary 0123456789"}, {}}, ten);
        check_all_cuts(r, encode({{text, "0123456789a"}}, masked), {error, closed}, ten);
        check_all_cuts(r, encode({{text, seven, first}, {continuation, "abc", first}, {continuation}}, masked),
                       {{"text xxxxxxxabc"}, {}}, ten);
        check_all_cuts(r, encode({{text, seven, first}, {continuation, "abcd"}}, masked), {error, closed}, ten);
        check_all_cuts(r, encode({{text, seven, first}, {ping, "0123456789ab"}, {continuation, "abc"}}, masked),
                       {{"ping 0123456789ab", "text xxxxxxxabc"}, {"pong 0123456789ab"}}, ten);
    }
    // The largest length there is: refused by its header, nothing is allocated for it.
    const result got = receive(role::client, std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), {});
    CHECK(got.sent == closed);
}

TEST_CASE("messages lie in the input buffer") {
    ws_connection connection(role::server, nullptr);
    const std::string wire = encode(
        {{opcode::text, "Hello"}, {opcode::text, "Hel", first}, {opcode::continuation, "lo"}, {opcode::binary, "x"}},
        true);
    const std::span<std::byte> room = connection.prepare(4096);
    REQUIRE(room.size() >= 4096);
    std::copy_n(as_bytes(wire).data(), wire.size(), room.data());
    connection.commit(wire.size());
    std::vector<bytes_view> seen;
    for (;;) {
        const ws_connection::event e = connection.next();
        if (e.what == kind::none) break;
        CHECK(e.data.data() >= room.data());
        CHECK(e.data.data() < room.data() + wire.size());
        seen.push_back(e.data);
    }
    REQUIRE(seen.size() == 3); // and all are there until the next prepare
    CHECK(as_text(seen[0]) == "Hello");
    CHECK(as_text(seen[1]) == "Hello");
    CHECK(as_text(seen[2]) == "x");
    CHECK(connection.prepare(4096).data() == room.data());
}

TEST_CASE("a message of many small fragments needs no more memory than itself") {
    ws_connection connection(role::client, nullptr, {.max_message = 1000});
    std::size_t most = 0;
    std::string pings;
    for (int i = 0; i < 10; ++i) pings += encode(frame{opcode::pong, std::string(125, 'p')}, false);
    for (int i = 0; i < 1000; ++i) {
        connection.feed(
            as_bytes(encode(frame{i == 0 ? opcode::binary : opcode::continuation, "x", i == 999}, false) + pings));
        lines events;
        drain(connection, events);
        CHECK(events.size() == (i == 999 ? 11 : 10));
        most = std::max(most, connection.prepare(0).size());
    }
    CHECK(most < 8192);
    connection.shrink();
    CHECK(connection.prepare(0).empty());
}
