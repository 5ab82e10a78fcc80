// SPDX-License-Identifier: BSL-1.0
// A TCP connection, plain or with TLS, behind one set of operations.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/web/url.hpp>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <optional>
#include <string>

namespace sluice {
inline namespace v1 {
namespace io {

/// The stream of `default_traits`. What a stream of other traits must offer is what is public here.
/// Not thread-safe; its operations complete through `Executor`.
template <class Executor>
class transport {
public:
    using endpoint_type = asio::ip::tcp::endpoint;

    /// `tls` is null for plain text, and must outlive the transport.
    transport(const Executor& executor, asio::ssl::context* tls) : socket_(executor), context_(tls) {}

    bool secure() const noexcept { return context_ != nullptr; }

    /// `void(std::error_code)`. May be called again for another address after a failure.
    template <class Token>
    auto async_connect(const endpoint_type& address, Token&& token) {
        std::error_code ignored;
        socket_.close(ignored);
        return socket_.async_connect(address, std::forward<Token>(token));
    }

    /// `void(std::error_code)`. With TLS alone: server name indication, chain and host name verified.
    template <class Token>
    auto async_handshake(const std::string& host, Token&& token) {
        stream_.emplace(socket_, *context_);
        std::error_code ignored; // a failure shows as a failed handshake
        stream_->set_verify_mode(asio::ssl::verify_peer, ignored);
        stream_->set_verify_callback(asio::ssl::host_name_verification(host), ignored);
        if (!web::is_ip_literal(host)) // RFC 6066 section 3: no literal addresses in the server name
            SSL_set_tlsext_host_name(stream_->native_handle(), host.c_str());
        return stream_->async_handshake(asio::ssl::stream_base::client, std::forward<Token>(token));
    }

    /// Why the peer's certificate was refused; empty if it was not.
    std::string certificate_problem() {
        if (!stream_) return {};
        const long result = SSL_get_verify_result(stream_->native_handle());
        return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
    }

    /// `void(std::error_code, std::size_t)`.
    template <class Token>
    auto async_read_some(const asio::mutable_buffer& buffer, Token&& token) {
        if (stream_) return stream_->async_read_some(buffer, std::forward<Token>(token));
        return socket_.async_read_some(buffer, std::forward<Token>(token));
    }
    template <class Token>
    auto async_write_some(const asio::const_buffer& buffer, Token&& token) {
        if (stream_) return stream_->async_write_some(buffer, std::forward<Token>(token));
        return socket_.async_write_some(buffer, std::forward<Token>(token));
    }

    /// Small writes go out at once: batches are made above, and an acknowledgement is waited for.
    void no_delay() {
        std::error_code ignored;
        socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    }

    /// Operations under way end with `operation_aborted`. WebSocket's own close has been said before; TLS needs none.
    void close() {
        std::error_code ignored;
        socket_.close(ignored);
    }

private:
    asio::basic_stream_socket<asio::ip::tcp, Executor> socket_;
    asio::ssl::context* context_;
    std::optional<asio::ssl::stream<asio::basic_stream_socket<asio::ip::tcp, Executor>&>> stream_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
