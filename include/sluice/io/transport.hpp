// SPDX-License-Identifier: BSL-1.0
// A TCP connection, plain or with TLS, behind one set of operations.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/io/tls_stream.hpp>

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
        stream_.emplace(socket_, *context_, host);
        return stream_->async_handshake(std::forward<Token>(token));
    }

    /// Why the peer's certificate was refused; empty if it was not.
    std::string certificate_problem() { return stream_ ? stream_->engine().certificate_problem() : std::string(); }

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
    std::optional<tls_stream<Executor>> stream_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
