// SPDX-License-Identifier: BSL-1.0
// permessage-deflate by zlib: RFC 7692's own examples, every agreement both ways, what is left alone, and bad input.
#include <sluice/web/ws_deflate.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace sluice::web;
using status = message_compression::status;

namespace {

constexpr std::size_t no_limit = 1u << 24;

std::string hex(bytes_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += digits[std::to_integer<unsigned>(b) >> 4];
        text += digits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

std::string from_hex(std::string_view text) {
    std::string bytes;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < text.size();) {
        if (text[i] == ' ') {
            ++i;
            continue;
        }
        bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
        i += 2;
    }
    return bytes;
}

/// The compressed form, or "alone".
std::string packed(message_compression& by, std::string_view message) {
    byte_buffer out;
    out.append("before");
    if (!by.compress(as_bytes(message), true, true, out)) {
        CHECK(as_text(out.view()) == "before");
        return "alone";
    }
    return std::string(as_text(out.view().subspan(6)));
}

struct unpacked {
    status result;
    std::string text;
    friend bool operator==(const unpacked&, const unpacked&) = default;
};

unpacked unpack(message_compression& by, std::string_view message, std::size_t piece = no_limit,
                std::size_t limit = no_limit) {
    byte_buffer out;
    status s = status::ok;
    for (std::size_t at = 0; at < message.size() && s == status::ok; at += piece)
        s = by.decompress(as_bytes(message.substr(at, piece)), limit, out);
    if (s == status::ok) s = by.finish(limit, out);
    return {s, std::string(as_text(out.view()))};
}

unpacked good(std::string_view text) { return {status::ok, std::string(text)}; }

/// A compressor that takes every message.
ws_deflate eager(ws_role role, const deflate_parameters& p = {}) { return {role, p, {.min_size = 0}}; }

std::string event(std::mt19937_64& random) {
    std::string text = R"({"payload":"eyJzZW5zb3IiOiAi)";
    for (int i = 0; i < 60; ++i) text += static_cast<char>('A' + static_cast<int>(random() % 4));
    return text + R"(","context":")" + std::to_string(random() % 100000) + "\"}";
}

std::string noise(std::mt19937_64& random, std::size_t n) {
    std::string bytes;
    for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(random());
    return bytes;
}

} // namespace

TEST_CASE("the examples of RFC 7692 section 7.2.3") {
    for (std::size_t piece = 1; piece < 12; ++piece) {
        CAPTURE(piece);
        ws_deflate client(ws_role::client, {});
        const auto in = [&](std::string_view text) { return unpack(client, from_hex(text), piece); };
        CHECK(in("f2 48 cd c9 c9 07 00") == good("Hello"));                              // 7.2.3.1
        CHECK(in("f2 00 11 00 00") == good("Hello"));                                    // 7.2.3.2
        CHECK(in("00 05 00 fa ff 48 65 6c 6c 6f 00") == good("Hello"));                  // 7.2.3.3
        CHECK(in("f3 48 cd c9 c9 07 00 00") == good("Hello"));                           // 7.2.3.4
        CHECK(in("f2 48 05 00 00 00 ff ff ca c9 c9 07 00") == good("Hello"));            // 7.2.3.5
        CHECK(in("00") == good(""));                                                     // 7.2.3.6
        CHECK(in("f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00 00") == good("HelloHello")); // two last blocks
        CHECK(in("f2 00 11 00 00") == good("Hello")); // the window is kept across them
        // What others send: nothing at all for an empty message, a last block with nothing behind it.
        CHECK(in("") == good(""));
        CHECK(in("f3 48 cd c9 c9 07 00") == good("Hello"));
        CHECK(in("f2 00 11 00 00") == good("Hello"));
        CHECK(in("f2 48 cd c9 c9 07 00") == good("Hello"));
    }
}

TEST_CASE("what is sent: the RFC's own octets") {
    // "Hello" gets longer, so it goes as it is; its first fragment does not know yet that it is so short.
    ws_deflate client = eager(ws_role::client);
    CHECK(packed(client, "Hello") == "alone");
    byte_buffer wire;
    CHECK(client.compress(as_bytes("Hello"), true, false, wire));
    CHECK(hex(wire.view()) == "f248cdc9c907000000ffff");
    CHECK(client.compress({}, false, true, wire));
    CHECK(hex(wire.view()) == "f248cdc9c907000000ffff00");
    wire.clear();
    CHECK(client.compress(as_bytes("Hello"), true, false, wire)); // 7.2.3.2: refers to the one before
    CHECK(hex(wire.view()) == "f2001100000000ffff");
}

TEST_CASE("what one side compresses the other reads, under every agreement") {
    for (int flags = 0; flags < 4; ++flags)
        for (const int client_bits : {8, 9, 10, 14, 15})
            for (const int server_bits : {8, 9, 12, 15}) {
                const deflate_parameters agreed{(flags & 1) != 0, (flags & 2) != 0, server_bits, client_bits};
                ws_deflate client = eager(ws_role::client, agreed), server = eager(ws_role::server, agreed);
                std::mt19937_64 random(7);
                std::size_t plain = 0, sent = 0;
                std::string long_ago = event(random);
                for (int i = 0; i < 60; ++i) {
                    std::string message = i % 20 == 19 ? long_ago : event(random);
                    if (i % 7 == 0) message += noise(random, random() % 3000);
                    if (i % 11 == 0) message += std::string(random() % 40000, 'x');
                    const bool up = i % 2 == 0;
                    const std::string wire = packed(up ? client : server, message);
                    plain += message.size();
                    sent += wire == "alone" ? message.size() : wire.size();
                    if (wire == "alone") continue;
                    CHECK(wire.size() < message.size());
                    CHECK(unpack(up ? server : client, wire, 1 + random() % 500) == good(message));
                }
                CHECK(sent < plain);
            }
}

TEST_CASE("the window is kept from message to message, or not") {
    std::mt19937_64 random(1);
    const std::string message = event(random);
    ws_deflate keeps = eager(ws_role::client);
    ws_deflate forgets = eager(ws_role::client, {.client_no_context_takeover = true});
    const std::size_t first = packed(keeps, message).size();
    CHECK(packed(keeps, message).size() < first / 4);
    CHECK(packed(forgets, message) == packed(forgets, message));

    // The server's own parameter is the server's.
    ws_deflate server = eager(ws_role::server, {.client_no_context_takeover = true});
    packed(server, message);
    CHECK(packed(server, message).size() < first / 4);

    // A compressor that keeps its window where none was to be kept is told so.
    ws_deflate reader(ws_role::server, {.client_no_context_takeover = true});
    ws_deflate liar = eager(ws_role::client);
    CHECK(unpack(reader, packed(liar, message)) == good(message));
    CHECK(unpack(reader, packed(liar, message)).result == status::corrupt);
}

TEST_CASE("a window of 8 bits: nothing refers back by more than 256 bytes") {
    // zlib's own inflater with that window reads it, and with no window kept between the pieces but that one.
    const deflate_parameters agreed{.client_max_window_bits = 8};
    std::mt19937_64 random(3);
    ws_deflate client = eager(ws_role::client, agreed);
    z_stream strict{};
    REQUIRE(::inflateInit2(&strict, -8) == Z_OK);
    for (int i = 0; i < 50; ++i) {
        const std::string message = event(random) + std::string(random() % 300, 'y');
        std::string wire = packed(client, message);
        if (wire == "alone") continue;
        wire += std::string("\0\0\xff\xff", 4);
        std::string text;
        strict.next_in = reinterpret_cast<Bytef*>(wire.data());
        strict.avail_in = static_cast<uInt>(wire.size());
        for (Bytef one; strict.avail_in != 0;) { // byte by byte: then the window alone is what can be referred to
            strict.next_out = &one;
            strict.avail_out = 1;
            REQUIRE(::inflate(&strict, Z_SYNC_FLUSH) == Z_OK);
            if (strict.avail_out == 0) text += static_cast<char>(one);
        }
        CHECK(text == message);
    }
    ::inflateEnd(&strict);
}

TEST_CASE("what does not get shorter is left alone, and the peer still understands what follows") {
    std::mt19937_64 random(5);
    for (const bool keeps : {true, false}) {
        const deflate_parameters agreed{.client_no_context_takeover = !keeps};
        ws_deflate client(ws_role::client, agreed), server(ws_role::server, agreed);
        int alone = 0;
        for (int i = 0; i < 200; ++i) {
            const std::string message = i % 3 == 0 ? noise(random, 1 + random() % 2000) : event(random);
            const std::string wire = packed(client, message);
            if (wire == "alone")
                ++alone;
            else
                CHECK(unpack(server, wire) == good(message));
        }
        CHECK(alone >= 66);
        CHECK(alone < 200);
    }

    ws_deflate client(ws_role::client, {}, {.min_size = 20});
    CHECK_FALSE(client.tries(0));
    CHECK_FALSE(client.tries(19));
    CHECK(client.tries(20));
    CHECK(packed(client, std::string(19, 'a')) == "alone");
    CHECK(packed(client, std::string(20, 'a')).size() < 10);
    CHECK(packed(client, "") == "alone");
    ws_deflate takes_all = eager(ws_role::client);
    CHECK(packed(takes_all, "") == "alone");
}

TEST_CASE("fragments: the first decides, the last ends the message") {
    for (const bool keeps : {true, false}) {
        const deflate_parameters agreed{.client_no_context_takeover = !keeps};
        ws_deflate client(ws_role::client, agreed), server(ws_role::server, agreed);
        std::mt19937_64 random(11);
        for (int i = 0; i < 100; ++i) {
            const std::string message = i % 10 == 0 ? noise(random, 70000) : i % 10 == 1 ? "" : event(random);
            byte_buffer wire;
            bool first = true;
            for (std::size_t at = 0;; first = false) {
                const std::size_t n = std::min<std::size_t>(message.size() - at, random() % (message.size() / 2 + 2));
                const bool fin = !first && at + n == message.size(); // an empty one may be the last
                CHECK(client.compress(as_bytes(message).subspan(at, n), first, fin, wire));
                at += n;
                if (fin) break;
            }
            CHECK(unpack(server, as_text(wire.view()), 1 + random() % 100) == good(message));
        }
    }
}

TEST_CASE("cut at every offset") {
    std::mt19937_64 random(13);
    ws_deflate client(ws_role::client, {});
    const std::string one = event(random), two = event(random);
    const std::string first = packed(client, one), second = packed(client, two);
    for (std::size_t cut = 0; cut <= second.size(); ++cut) {
        ws_deflate server(ws_role::server, {});
        CHECK(unpack(server, first) == good(one));
        byte_buffer out;
        CHECK(server.decompress(as_bytes(second).first(cut), no_limit, out) == status::ok);
        CHECK(server.decompress(as_bytes(second).subspan(cut), no_limit, out) == status::ok);
        CHECK(server.finish(no_limit, out) == status::ok);
        CHECK(as_text(out.view()) == two);
    }
}

TEST_CASE("cut short anywhere it is corrupt") {
    std::mt19937_64 random(17);
    ws_deflate client(ws_role::client, {});
    for (const std::string& message : {event(random), std::string(100, 'a'), noise(random, 20) + event(random)}) {
        const std::string wire = packed(client, message);
        REQUIRE(wire != "alone");
        client.release_memory(); // the next one stands for itself
        for (std::size_t n = 1; n < wire.size(); ++n) {
            CAPTURE(n);
            ws_deflate server(ws_role::server, {});
            CHECK(unpack(server, std::string_view(wire).substr(0, n)).result == status::corrupt);
        }
    }
}

TEST_CASE("corrupt data") {
    for (const char* bad : {"06", "07 00", "ff ff ff", "01 05 00 fa fe 48", "00 05 00 fa fe 48 65 6c 6c 6f 00",
                            "f2 00 11 00 00", "f2 48 cd c9 c9 07", "f2 48 cd c9 c9 07 00 00", "00 00 00 ff ff",
                            "05 e0 81 08 00 00 00 00 20 7f eb 01", "78 9c f3 48 cd c9 c9 07 00 05 8c 01 f5"}) {
        CAPTURE(bad);
        ws_deflate server(ws_role::server, {});
        CHECK(unpack(server, from_hex(bad)).result == status::corrupt);
        ws_deflate again(ws_role::server, {});
        CHECK(unpack(again, from_hex(bad), 1).result == status::corrupt);
    }

    // Each bit turned: something else comes out, or an error, and never more than the limit.
    std::mt19937_64 random(19);
    ws_deflate client(ws_role::client, {});
    const std::string wire = packed(client, event(random) + std::string(500, 'z'));
    for (std::size_t bit = 0; bit < wire.size() * 8; ++bit) {
        std::string bad = wire;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        ws_deflate server(ws_role::server, {}), cut(ws_role::server, {});
        const unpacked whole = unpack(server, bad, no_limit, 2000);
        CHECK(whole.text.size() <= 2000);
        CHECK(unpack(cut, bad, 1, 2000).result == whole.result);
    }
}

TEST_CASE("the inflated size has a limit, and a bomb takes no more memory than that") {
    const std::string zeros(50'000'000, '\0');
    ws_deflate client(ws_role::client, {});
    const std::string bomb = packed(client, zeros);
    REQUIRE(bomb.size() < 60'000);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, no_limit}) {
        ws_deflate server(ws_role::server, {});
        byte_buffer out;
        status s = status::ok;
        for (std::size_t at = 0; at < bomb.size() && s == status::ok; at += piece)
            s = server.decompress(as_bytes(std::string_view(bomb).substr(at, piece)), 1u << 20, out);
        CHECK(s == status::too_large);
        CHECK(out.size() == 1u << 20);
        CHECK(out.capacity() <= 2u << 20);
    }

    // To the octet, also where the end is what is one too many.
    ws_deflate other(ws_role::client, {.client_no_context_takeover = true});
    const std::string message(1000, 'm'), wire = packed(other, message);
    for (const std::size_t piece : {std::size_t{1}, no_limit}) {
        ws_deflate server(ws_role::server, {.client_no_context_takeover = true});
        CHECK(unpack(server, wire, piece, 1000) == good(message));
        CHECK(unpack(server, wire, piece, 999) == unpacked{status::too_large, message.substr(1)});
    }
    ws_deflate server(ws_role::server, {});
    CHECK(unpack(server, from_hex("00 05 00 fa ff 48 65 6c 6c 6f 00"), 1, 5) == good("Hello"));
    ws_deflate none(ws_role::server, {});
    CHECK(unpack(none, "", 1, 0) == good(""));
    CHECK(unpack(none, from_hex("00"), 1, 0) == good(""));
    CHECK(unpack(none, from_hex("f2 48 cd c9 c9 07 00"), 1, 0) == unpacked{status::too_large, ""});
}

TEST_CASE("memory given back is made again") {
    std::mt19937_64 random(23);
    for (const bool keeps : {true, false}) {
        const deflate_parameters agreed{.client_no_context_takeover = !keeps};
        ws_deflate client(ws_role::client, agreed), server(ws_role::server, agreed);
        for (int i = 0; i < 20; ++i) {
            const std::string message = event(random) + std::string(100, 'a');
            CHECK(unpack(server, packed(client, message), 7) == good(message));
            if (i % 3 == 0) client.release_memory();
            if (i % 4 == 0) server.release_memory(); // keeps the window that the client may refer to
        }
    }
}
