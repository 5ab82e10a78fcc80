// SPDX-License-Identifier: BSL-1.0
// The server's side of TLS by OpenSSL's own memory BIOs, beside the engine under test.
#pragma once

#include <sluice/io/tls_engine.hpp>
#include <sluice/testing/gateway/certificate.hpp>

#include <asio/buffer.hpp>
#include <asio/ssl/context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>

namespace test {

class tls_peer {
public:
    explicit tls_peer(int version = TLS1_3_VERSION) {
        context.use_certificate(asio::buffer(own.pem), asio::ssl::context::pem);
        context.use_private_key(asio::buffer(own.key_pem), asio::ssl::context::pem);
        REQUIRE(SSL_CTX_set_max_proto_version(context.native_handle(), version) == 1);
        client.add_certificate_authority(asio::buffer(own.pem));
        renew();
    }

    /// For another connection.
    void renew() {
        ssl.reset(SSL_new(context.native_handle()));
        in = BIO_new(BIO_s_mem());
        out = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl.get(), in, out);
        SSL_set_accept_state(ssl.get());
    }

    void take(sluice::web::bytes_view bytes) {
        if (!bytes.empty()) REQUIRE(BIO_write(in, bytes.data(), static_cast<int>(bytes.size())) > 0);
    }
    std::string give() {
        std::string bytes(static_cast<std::size_t>(BIO_pending(out)), '\0');
        if (!bytes.empty()) REQUIRE(BIO_read(out, bytes.data(), static_cast<int>(bytes.size())) > 0);
        return bytes;
    }
    void write(std::string_view text) {
        REQUIRE(SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size()));
    }
    std::string read() {
        std::string all;
        char some[4096];
        for (int n = 0; (n = SSL_read(ssl.get(), some, sizeof some)) > 0;)
            all.append(some, static_cast<std::size_t>(n));
        return all;
    }

    struct release {
        void operator()(SSL* s) const noexcept { SSL_free(s); }
    };
    sluice::testing::detail::certificate own = sluice::testing::detail::make_certificate();
    asio::ssl::context context{asio::ssl::context::tls_server}, client{asio::ssl::context::tls_client};
    std::unique_ptr<SSL, release> ssl{};
    BIO* in = nullptr;
    BIO* out = nullptr;
};

/// Hands what each side says to the other, `piece` bytes at a time, until the client's handshake is over.
inline sluice::io::tls_engine::progress shake_hands(sluice::io::tls_engine& engine, tls_peer& peer,
                                                    std::size_t piece = 1 << 20) {
    sluice::io::tls_engine::progress p = engine.handshake();
    for (int turns = 0; turns < 10'000; ++turns) {
        peer.take(engine.outgoing().view());
        engine.outgoing().clear();
        SSL_do_handshake(peer.ssl.get());
        if (!p.wants_input) return p;
        const std::string said = peer.give();
        for (std::string_view rest = said; p.wants_input && !rest.empty();) {
            const std::string_view some = rest.substr(0, piece);
            rest.remove_prefix(some.size());
            engine.incoming().append(some);
            p = engine.handshake();
            if (!p.wants_input) engine.incoming().append(rest); // session tickets
        }
    }
    FAIL("the handshake does not end");
    return p;
}

} // namespace test
