// SPDX-License-Identifier: BSL-1.0
// TLS as bytes in and bytes out: whole batches, any cut of what comes, and what a server may do in between.
#include "io/tls_peer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using sluice::io::tls_engine;
using namespace test;

namespace {

struct answer {
    tls_engine::progress end;
    std::string text;
};
/// Reads until nothing more is there.
answer read_all(tls_engine& engine, std::size_t room = 100'000) {
    answer a{};
    std::string some(room, '\0');
    for (;;) {
        a.end = engine.read(std::as_writable_bytes(std::span(some)));
        a.text.append(some, 0, a.end.bytes);
        if (a.end.bytes == 0) return a;
    }
}

std::string pattern(std::size_t n) {
    std::string text(n, '\0');
    for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
}

/// Everything the engine has to say goes to the peer.
void flush(tls_engine& engine, tls_peer& peer) {
    peer.take(engine.outgoing().view());
    engine.outgoing().clear();
}

} // namespace

TEST_CASE("TLS engine: a batch becomes records at once, as full as they can be, and comes back in any cut") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        tls_peer peer(version);
        tls_engine engine(peer.client.native_handle(), "localhost");
        REQUIRE_FALSE(shake_hands(engine, peer).error);
        for (const std::size_t size : {1u, 16'383u, 16'384u, 16'385u, 178'000u}) {
            CAPTURE(size);
            const std::string text = pattern(size);
            const auto p = engine.write(sluice::web::as_bytes(text));
            CHECK(p.bytes == size);
            CHECK_FALSE(p.error);
            const std::size_t records = (size + 16'383) / 16'384;
            CHECK(engine.outgoing().size() <= size + records * 64);
            flush(engine, peer);
            CHECK(peer.read() == text);

            for (const std::size_t piece : {1u, 7u, 4096u, 1u << 20}) {
                if (piece < 7 && size > 20'000) continue; // slow
                peer.write(text);
                const std::string sent = peer.give();
                std::string got;
                for (std::string_view rest = sent; !rest.empty();) {
                    const std::string_view some = rest.substr(0, piece);
                    rest.remove_prefix(some.size());
                    engine.incoming().append(some);
                    const answer a = read_all(engine, 1000);
                    CHECK_FALSE(a.end.error);
                    CHECK(a.end.wants_input);
                    got += a.text;
                }
                CHECK(got == text);
            }
        }
    }
}

TEST_CASE("TLS engine: a handshake in pieces of one byte") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        tls_peer peer(version);
        tls_engine engine(peer.client.native_handle(), "localhost");
        CHECK_FALSE(shake_hands(engine, peer, 1).error);
    }
}

TEST_CASE("TLS engine: whom the certificate is for") {
    struct row {
        const char* host;
        bool good;
        const char* why;
    };
    for (const row& r : {row{"localhost", true, ""}, row{"LOCALHOST", true, ""}, row{"127.0.0.1", true, ""},
                         row{"::1", true, ""}, row{"0:0:0:0:0:0:0:1", true, ""}, row{"127.0.0.2", false, "IP address"},
                         row{"::2", false, "IP address"}, row{"fe80::1%eth0", false, "mismatch"},
                         row{"localhost.example", false, "ostname"}, row{"ocalhost", false, "ostname"}}) {
        CAPTURE(r.host);
        tls_peer peer;
        tls_engine engine(peer.client.native_handle(), r.host);
        const auto p = shake_hands(engine, peer);
        CHECK(!p.error == r.good);
        CHECK((p.error.category() == asio::error::get_ssl_category()) == !r.good);
        CHECK(engine.certificate_problem().find(r.why) != std::string::npos);
        if (!r.good) CHECK(SSL_do_handshake(peer.ssl.get()) <= 0); // the peer was told
    }
}

TEST_CASE("TLS engine: nobody vouches for the certificate, whatever the context's own callback says") {
    tls_peer peer;
    asio::ssl::context credulous(asio::ssl::context::tls_client);
    credulous.set_verify_mode(asio::ssl::verify_none);
    credulous.set_verify_callback([](bool, asio::ssl::verify_context&) { return true; });
    tls_engine engine(credulous.native_handle(), "localhost");
    CHECK(shake_hands(engine, peer).error);
    CHECK(engine.certificate_problem().find("self") != std::string::npos);
}

TEST_CASE("TLS engine: text, then the close alert: both are told, in that order") {
    tls_peer peer;
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    peer.write("the last words");
    SSL_shutdown(peer.ssl.get());
    engine.incoming().append(peer.give());
    std::array<std::byte, 100> room;
    auto p = engine.read(room);
    CHECK(p.bytes == 14);
    CHECK_FALSE(p.error);
    p = engine.read(room);
    CHECK(p.bytes == 0);
    CHECK(p.error == asio::error::eof);
}

TEST_CASE("TLS engine: text, then what is no TLS: both are told, and the peer gets an alert") {
    tls_peer peer;
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    peer.write("the last words");
    std::string sent = peer.give();
    peer.write("changed on the way");
    std::string changed = peer.give();
    changed.back() = static_cast<char>(changed.back() ^ 1);
    engine.incoming().append(sent + changed);
    const answer a = read_all(engine);
    CHECK(a.text == "the last words");
    CHECK(a.end.error.category() == asio::error::get_ssl_category());
    CHECK_FALSE(engine.outgoing().empty());
    for (const auto& p : {engine.write(sluice::web::as_bytes(std::string_view("hello"))), engine.read({})}) {
        CHECK(p.error == a.end.error); // for good
        CHECK_FALSE(p.wants_input);
    }
    flush(engine, peer);
    char c;
    CHECK(SSL_read(peer.ssl.get(), &c, 1) <= 0);
    CHECK(SSL_get_error(peer.ssl.get(), -1) == SSL_ERROR_SSL);
}

TEST_CASE("TLS engine: new keys, asked for by the server, between reads and writes") {
    tls_peer peer;
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    for (int i = 0; i < 3; ++i) {
        CAPTURE(i);
        REQUIRE(SSL_key_update(peer.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
        peer.write("with new keys");
        engine.incoming().append(peer.give());
        CHECK(read_all(engine).text == "with new keys");
        const std::string text = pattern(40'000);
        CHECK(engine.write(sluice::web::as_bytes(text)).bytes == text.size());
        flush(engine, peer);
        CHECK(peer.read() == text);
    }
}

TEST_CASE("TLS engine: a write leaves alone what a read under way may be adding to") {
    tls_peer peer;
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    REQUIRE(SSL_key_update(peer.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    peer.write("behind new keys");
    const std::string sent = peer.give();
    engine.incoming().append(std::string_view(sent).substr(0, 3));
    CHECK(read_all(engine).end.wants_input);
    engine.incoming().append(std::string_view(sent).substr(3));
    const std::size_t before = engine.incoming().size();
    CHECK(engine.write(sluice::web::as_bytes(std::string_view("hello"))).bytes == 5);
    CHECK(engine.incoming().size() == before);
    flush(engine, peer);
    CHECK(peer.read() == "hello");
    CHECK(read_all(engine).text == "behind new keys");
}

TEST_CASE(
    "TLS engine: a context that reads ahead, or comes back after each message that is no text, holds nothing up") {
    tls_peer peer;
    SSL_CTX_set_read_ahead(peer.client.native_handle(), 1);
    SSL_CTX_clear_mode(peer.client.native_handle(), SSL_MODE_AUTO_RETRY);
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    peer.write("first");
    REQUIRE(SSL_key_update(peer.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    peer.write("second");
    engine.incoming().append(peer.give());
    CHECK(read_all(engine, 5).text == "firstsecond");
}

TEST_CASE("TLS engine: a write in the middle of a server's message waits for its end") {
    tls_peer peer;
    SSL_CTX* const server = peer.context.native_handle();
    REQUIRE(SSL_CTX_set_max_send_fragment(server, 512) == 1);
    const auto fat = [](SSL* ssl, void*) {
        const std::string data(1500, 'x');
        return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data.data(), data.size());
    };
    const auto keep = [](SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS,
                         void*) -> SSL_TICKET_RETURN { return SSL_TICKET_RETURN_USE; };
    REQUIRE(SSL_CTX_set_session_ticket_cb(server, fat, keep, nullptr) == 1);
    peer.renew();
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    CHECK(engine.incoming().empty());
    const std::string tickets = peer.give();
    REQUIRE(tickets.size() > 1500);
    engine.incoming().append(std::string_view(tickets).substr(0, 700));
    CHECK(read_all(engine).end.wants_input);
    const auto hello = sluice::web::as_bytes(std::string_view("hello"));
    auto p = engine.write(hello);
    CHECK(p.wants_input);
    CHECK_FALSE(p.error);
    CHECK(engine.outgoing().empty());
    engine.incoming().append(std::string_view(tickets).substr(700));
    CHECK(read_all(engine).end.wants_input);
    CHECK(engine.write(hello).bytes == 5);
    flush(engine, peer);
    CHECK(peer.read() == "hello");
}

TEST_CASE("TLS engine: what cannot be set up says why, or that there is no memory") {
    tls_peer peer;
    CHECK_THROWS_AS(tls_engine(peer.client.native_handle(), ""), std::bad_alloc);
    CHECK_THROWS_AS(tls_engine(peer.client.native_handle(), std::string(300, 'a')), std::system_error);
}

TEST_CASE("TLS engine: a server that wants to negotiate again is told no, and loses nothing") {
    tls_peer peer(TLS1_2_VERSION);
    tls_engine engine(peer.client.native_handle(), "localhost");
    REQUIRE_FALSE(shake_hands(engine, peer).error);
    REQUIRE(SSL_renegotiate(peer.ssl.get()) == 1);
    SSL_do_handshake(peer.ssl.get()); // a hello request
    engine.incoming().append(peer.give());
    const answer a = read_all(engine);
    CHECK_FALSE(a.end.error);
    CHECK(a.end.wants_input);
    CHECK_FALSE(engine.outgoing().empty()); // no_renegotiation, a warning
    const auto p = engine.write(sluice::web::as_bytes(std::string_view("hello")));
    CHECK(p.bytes == 5);
    CHECK_FALSE(p.error);
}

TEST_CASE("TLS engine: every cut and every changed byte of a server's first flight ends in an error or a wait") {
    tls_peer first;
    const auto flight = [](tls_peer& peer, tls_engine& engine) {
        engine.handshake();
        flush(engine, peer);
        SSL_do_handshake(peer.ssl.get());
        return peer.give();
    };
    for (std::size_t i = 0; i < 1200; i += 13) {
        CAPTURE(i);
        tls_engine engine(first.client.native_handle(), "localhost");
        first.renew();
        std::string said = flight(first, engine);
        if (i >= said.size()) break;
        said[i] = static_cast<char>(said[i] ^ 0x55);
        engine.incoming().append(said);
        const auto p = engine.handshake();
        CHECK((p.error || p.wants_input));
        CHECK(p.bytes == 0);
    }
}
