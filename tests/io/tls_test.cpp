// SPDX-License-Identifier: BSL-1.0
// TLS: the chain and the host name are verified unless somebody says otherwise, and old protocols are refused.
#include "support/temporary_file.hpp"
#include "system/world.hpp"

#include <asio/ssl.hpp>

using namespace test;

namespace {

/// A TLS server that answers every connection's first request with `answer`, and notes what it was called. Without
/// `close_notify` the connection is cut behind the answer, as anybody on the way could.
class tls_server {
public:
    explicit tls_server(asio::io_context& context, std::string answer = "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
                        bool close_notify = true)
        : state_(std::make_shared<state>(context, std::move(answer))) {
        state_->close_notify = close_notify;
        SSL_CTX_set_tlsext_servername_callback(state_->tls.native_handle(), &note_name);
        SSL_CTX_set_tlsext_servername_arg(state_->tls.native_handle(), state_.get());
        asio::co_spawn(context, accept(state_), asio::detached);
    }
    ~tls_server() {
        std::error_code ignored;
        state_->acceptor.close(ignored);
    }

    asio::ssl::context& tls() { return state_->tls; }
    const std::string& ca_pem() const { return state_->own.pem; }
    const std::string& name() const { return state_->name; }
    const std::string& asked() const { return state_->asked; }
    std::string url(const std::string& host) const {
        return "https://" + host + ":" + std::to_string(state_->acceptor.local_endpoint().port());
    }

private:
    struct state {
        state(asio::io_context& context, std::string a)
            : acceptor(context, asio::ip::tcp::endpoint(asio::ip::address_v4::any(), 0)), answer(std::move(a)) {
            tls.use_certificate(asio::buffer(own.pem), asio::ssl::context::pem);
            tls.use_private_key(asio::buffer(own.key_pem), asio::ssl::context::pem);
        }
        asio::ip::tcp::acceptor acceptor;
        std::string answer;
        bool close_notify = true;
        sluice::testing::detail::certificate own = sluice::testing::detail::make_certificate();
        asio::ssl::context tls{asio::ssl::context::tls_server};
        std::string name = "(not asked)", asked{};
    };

    static int note_name(SSL* ssl, int*, void* arg) {
        const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        static_cast<state*>(arg)->name = name != nullptr ? name : "(none)";
        return SSL_TLSEXT_ERR_OK;
    }

    static asio::awaitable<void> accept(std::shared_ptr<state> self) {
        for (;;) {
            std::error_code ec;
            asio::ip::tcp::socket socket(self->acceptor.get_executor());
            co_await self->acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) co_return;
            asio::co_spawn(self->acceptor.get_executor(), serve(self, std::move(socket)), asio::detached);
        }
    }
    static asio::awaitable<void> serve(std::shared_ptr<state> self, asio::ip::tcp::socket socket) {
        asio::ssl::stream<asio::ip::tcp::socket> stream(std::move(socket), self->tls);
        std::error_code ec;
        co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        std::string in(4096, '\0');
        const std::size_t n =
            co_await stream.async_read_some(asio::buffer(in), asio::redirect_error(asio::use_awaitable, ec));
        self->asked.assign(in, 0, n);
        co_await asio::async_write(stream, asio::buffer(self->answer), asio::redirect_error(asio::use_awaitable, ec));
        if (!self->close_notify) co_return;
        co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, ec));
    }

    std::shared_ptr<state> state_;
};

sluice::failure login_to(asio::io_context& context, sluice::client_config config) {
    config.auth = sluice::api_key{"demo.id.hunter2"};
    sluice::client client(context.get_executor(), std::move(config));
    try {
        run(context, client.publish("orders", "a secret payload"));
    } catch (const sluice::error& e) {
        CHECK_FALSE(contains(e.what(), "hunter2"));
        return sluice::make_failure(e.code(), sluice::error_details(e.details()));
    }
    return {};
}

} // namespace

TEST_CASE("a certificate that nobody vouches for is refused, and nothing is said to who shows it") {
    asio::io_context context;
    tls_server server(context);
    sluice::client_config c;
    c.url = server.url("localhost");
    const sluice::failure f = login_to(context, c);
    CHECK(f.code == sluice::errc::tls_failed);
    CHECK(contains(f.details->text, "localhost"));
    CHECK(contains(f.details->text, "self")); // OpenSSL's words: self-signed certificate
    CHECK(server.asked().empty());
    CHECK(server.name() == "localhost");
}

TEST_CASE("a certificate for somebody else is refused, by name and by address") {
    asio::io_context context;
    tls_server server(context); // for localhost, 127.0.0.1 and ::1
    sluice::client_config c;
    c.tls.ca_pem = server.ca_pem();
    c.url = server.url("127.0.0.2");
    const sluice::failure f = login_to(context, c);
    CHECK(f.code == sluice::errc::tls_failed);
    CHECK(server.asked().empty());
    c.url = server.url("127.0.0.1");
    CHECK_FALSE(login_to(context, c));
    CHECK(contains(server.asked(), "POST "));
}

TEST_CASE("with the right authority, from a text, from a file, from the caller's own context") {
    asio::io_context context;
    tls_server server(context);
    sluice::client_config c;
    c.url = server.url("localhost");
    c.tls.ca_pem = server.ca_pem();
    CHECK_FALSE(login_to(context, c));
    CHECK(server.name() == "localhost");

    const temporary_file file(server.ca_pem());
    c.tls = {};
    c.tls.ca_file = file.path;
    CHECK_FALSE(login_to(context, c));

    asio::ssl::context own(asio::ssl::context::tls_client);
    own.add_certificate_authority(asio::buffer(server.ca_pem()));
    c.tls = {};
    c.tls.context = &own;
    CHECK_FALSE(login_to(context, c));

    const temporary_file key(sluice::testing::detail::make_certificate().key_pem);
    c.tls = {};
    c.tls.ca_file = file.path;
    c.tls.certificate = file.path;
    c.tls.key = key.path; // of another certificate
    const sluice::failure f = login_to(context, c);
    CHECK(f.code == sluice::errc::invalid_option);
    CHECK(contains(f.details->text, "tls.key"));
}

TEST_CASE("a context of one's own is verified with, even if it would not") {
    asio::io_context context;
    tls_server server(context);
    asio::ssl::context own(asio::ssl::context::tls_client);
    own.set_verify_mode(asio::ssl::verify_none);
    sluice::client_config c;
    c.url = server.url("localhost");
    c.tls.context = &own;
    CHECK(login_to(context, c).code == sluice::errc::tls_failed);
    CHECK(server.asked().empty());
}

TEST_CASE("no server name is said for an address (RFC 6066 section 3)") {
    asio::io_context context;
    tls_server server(context);
    sluice::client_config c;
    c.tls.ca_pem = server.ca_pem();
    c.url = server.url("127.0.0.1");
    CHECK_FALSE(login_to(context, c));
    CHECK(server.name() == "(none)");
}

TEST_CASE("a server with TLS 1.1 at most is refused, one with 1.2 is not") {
    for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        asio::io_context context;
        tls_server server(context);
        SSL_CTX* const tls = server.tls().native_handle();
        REQUIRE(SSL_CTX_set_cipher_list(tls, "DEFAULT:@SECLEVEL=0") == 1);
        REQUIRE(SSL_CTX_set_min_proto_version(tls, TLS1_VERSION) == 1);
        REQUIRE(SSL_CTX_set_max_proto_version(tls, version) == 1);
        sluice::client_config c;
        c.url = server.url("localhost");
        c.tls.ca_pem = server.ca_pem();
        const sluice::failure f = login_to(context, c);
        if (version == TLS1_1_VERSION)
            CHECK(f.code == sluice::errc::tls_failed);
        else
            CHECK_FALSE(f);
    }
}

TEST_CASE("a server that speaks no TLS, or ends in the middle of the handshake, or says nothing") {
    asio::io_context context;
    asio::ip::tcp::acceptor acceptor(context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    sluice::client_config c;
    c.url = "https://localhost:" + std::to_string(acceptor.local_endpoint().port());
    c.limits.connect = 200ms;
    for (const char* words : {"HTTP/1.1 400 Bad Request\r\n\r\n", "", "(silence)"}) {
        CAPTURE(words);
        asio::ip::tcp::socket socket(context);
        acceptor.async_accept(socket, [&](std::error_code ec) {
            if (ec || std::string_view(words) == "(silence)") return;
            asio::write(socket, asio::buffer(words, std::strlen(words)), ec);
            socket.shutdown(asio::socket_base::shutdown_send, ec);
        });
        const sluice::failure f = login_to(context, c);
        if (std::string_view(words) == "(silence)")
            CHECK(f.code == sluice::errc::connect_timeout);
        else
            CHECK(f.code == sluice::errc::tls_failed);
    }
}

TEST_CASE("a producer over TLS: refused without the authority, and its error says why") {
    sluice::testing::gateway_options o;
    o.tls = true;
    world w(o);
    sluice::client_config c = config_for(w.gateway, sluice::dialect::pulsar);
    c.tls = {};
    sluice::client client(w.context.get_executor(), c);
    sluice::producer_options options = impatient();
    options.send_timeout = 300ms;
    sluice::producer producer(client, "orders", options);
    const sluice::error e = error_of(w.context, producer.send("hello"));
    CHECK(e.code() == sluice::errc::send_timeout);
    CHECK(e.details().cause == sluice::errc::tls_failed);
    CHECK(w.gateway.message_count("orders") == 0);
}

TEST_CASE("a body that only the connection's end delimits is whole with TLS's close alert alone") {
    for (const bool close_notify : {true, false}) {
        for (const int status : {200, 403}) {
            CAPTURE(close_notify);
            CAPTURE(status);
            asio::io_context context;
            tls_server server(context, "HTTP/1.1 " + std::to_string(status) + " \r\n\r\n{\"result\":\"ok\"}",
                              close_notify);
            sluice::client_config c;
            c.url = server.url("localhost");
            c.tls.ca_pem = server.ca_pem();
            const sluice::failure f = login_to(context, c);
            CHECK((f.code == sluice::errc::http_truncated) == (status == 200 && !close_notify));
            CHECK((f.code == sluice::errc::forbidden) == (status == 403)); // a refusal, however it ends
        }
    }
}
