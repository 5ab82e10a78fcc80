// SPDX-License-Identifier: BSL-1.0
// The client's end of a simulated connection, as the library sees a stream.
#pragma once

#include "network.hpp"

#include <memory>
#include <string>

namespace simulation {

/// What io/transport.hpp offers. Destroying it closes it, as a socket does.
template <class Executor>
class sim_stream {
public:
    using endpoint_type = endpoint;

    sim_stream(const Executor& executor, asio::ssl::context* tls) : executor_(executor), secure_(tls != nullptr) {
        ++world_.streams;
    }
    sim_stream(const sim_stream&) = delete;
    sim_stream& operator=(const sim_stream&) = delete;
    ~sim_stream() {
        close();
        --world_.streams;
    }

    bool secure() const noexcept { return secure_; }
    void no_delay() noexcept {}
    std::string certificate_problem() { return {}; }

    template <class Token>
    auto async_connect(const endpoint_type& address, Token&& token) {
        close();
        return asio::async_initiate<Token, void(std::error_code)>(
            [this, address](auto handler) {
                line_ = network::running().dial(address);
                line_->step.start(executor_, std::move(handler), code_alone);
                line_->connect();
            },
            token);
    }
    template <class Token>
    auto async_handshake(const std::string&, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code)>(
            [this](auto handler) {
                line_->step.start(executor_, std::move(handler), code_alone);
                line_->handshake();
            },
            token);
    }
    template <class Token>
    auto async_read_some(const asio::mutable_buffer& buffer, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
            [this, buffer](auto handler) {
                line_->reading.start(executor_, std::move(handler), code_and_size);
                line_->read({static_cast<std::byte*>(buffer.data()), buffer.size()});
            },
            token);
    }
    template <class Token>
    auto async_write_some(const asio::const_buffer& buffer, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
            [this, buffer](auto handler) {
                line_->writing.start(executor_, std::move(handler), code_and_size);
                line_->write({static_cast<const std::byte*>(buffer.data()), buffer.size()});
            },
            token);
    }
    void close() {
        if (line_) line_->close();
    }

private:
    static constexpr auto code_alone = [](auto& h, std::error_code ec, std::size_t) { h(ec); };
    static constexpr auto code_and_size = [](auto& h, std::error_code ec, std::size_t n) { h(ec, n); };

    world& world_ = world::running();
    Executor executor_;
    bool secure_;
    std::shared_ptr<connection> line_{};
};

} // namespace simulation
