// SPDX-License-Identifier: BSL-1.0
// A GDN region in the process, for tests of code that publishes and of what reads it: REST, one-time passwords,
// producer, consumer and reader sockets, topics that can be read back; the same as a plain Pulsar.
#pragma once

#include <sluice/testing/gateway/certificate.hpp>
#include <sluice/testing/gateway/connection.hpp>
#include <sluice/testing/gateway/faults.hpp>

#include <asio/ip/address.hpp>
#include <asio/strand.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

struct gateway_options {
    std::string address = "127.0.0.1";  ///< where to listen. Any other address is reachable by others: your decision
    std::uint16_t port = 0;             ///< 0: a free one
    bool tls = false;                   ///< with a certificate made at start: `ca_pem()`
    std::size_t max_connections = 8192; ///< more are closed at once
    proxy_options proxy{};
};

namespace detail {

/// What outlives the gateway until its coroutines have ended.
class gateway_server : public std::enable_shared_from_this<gateway_server> {
public:
    gateway_server(asio::any_io_executor executor, const gateway_options& options)
        : core(std::make_shared<gateway_core>(options.proxy, web::random_source{nullptr, fill})),
          executor_(std::move(executor)),
          acceptor_(asio::make_strand(executor_)),
          retry_(acceptor_.get_executor()),
          max_connections_(options.max_connections) {
        if (options.tls) secure();
        const asio::ip::tcp::endpoint where(asio::ip::make_address(options.address), options.port);
        acceptor_.open(where.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(where);
        acceptor_.listen();
        port = acceptor_.local_endpoint().port();
    }

    void start() {
        core->wake = [weak = weak_from_this()] {
            if (const auto self = weak.lock())
                for (const auto& c : self->connections()) c->wake();
        };
        asio::co_spawn(acceptor_.get_executor(), accept_loop(shared_from_this()), asio::detached);
    }

    void stop() {
        {
            const std::lock_guard lock(core->mutex);
            stopped_ = true;
        }
        asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
            std::error_code ignored;
            self->acceptor_.close(ignored);
            self->retry_.cancel();
        });
        for (const auto& c : connections()) c->drop(cut::finish);
    }

    std::vector<std::shared_ptr<connection_base>> connections() {
        const std::lock_guard lock(core->mutex);
        std::vector<std::shared_ptr<connection_base>> alive;
        for (const auto& weak : connections_)
            if (auto c = weak.lock()) alive.push_back(std::move(c));
        return alive;
    }

    std::shared_ptr<gateway_core> core;
    std::uint16_t port = 0;
    std::string ca_pem{};

private:
    static void fill(void*, std::span<std::byte> out) {
        static thread_local std::random_device device;
        for (std::byte& b : out) b = static_cast<std::byte>(device() & 0xff);
    }

    void secure() {
        certificate own = make_certificate();
        tls_.emplace(asio::ssl::context::tls_server);
        tls_->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
        tls_->use_certificate(asio::buffer(own.pem), asio::ssl::context::pem);
        tls_->use_private_key(asio::buffer(own.key_pem), asio::ssl::context::pem);
        ca_pem = std::move(own.pem);
    }

    static asio::awaitable<void> accept_loop(std::shared_ptr<gateway_server> self) {
        while (self->acceptor_.is_open()) {
            std::error_code ec;
            asio::ip::tcp::socket socket(asio::make_strand(self->executor_));
            co_await self->acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
            if (!ec) {
                self->welcome(std::move(socket));
            } else if (self->acceptor_.is_open()) { // no descriptor is left, perhaps: some will be freed
                self->retry_.expires_after(std::chrono::milliseconds(20));
                co_await self->retry_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            }
        }
    }

    void welcome(asio::ip::tcp::socket socket) {
        std::error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        if (tls_) {
            add(asio::ssl::stream<asio::ip::tcp::socket>(std::move(socket), *tls_));
        } else {
            add(std::move(socket));
        }
    }

    template <class Stream>
    void add(Stream stream) {
        std::shared_ptr<connection<Stream>> fresh;
        {
            const std::lock_guard lock(core->mutex);
            std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
            if (stopped_ || connections_.size() >= max_connections_) return;
            fresh = std::make_shared<connection<Stream>>(core, std::move(stream));
            connections_.push_back(fresh);
        }
        fresh->start();
    }

    asio::any_io_executor executor_;
    std::optional<asio::ssl::context> tls_{};
    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    std::size_t max_connections_;
    std::vector<std::weak_ptr<connection_base>> connections_{};
    bool stopped_ = false;
};

} // namespace detail

/// Listens from its construction on and serves while the executor runs, with no thread of its own.
///
///     asio::io_context context;
///     sluice::testing::gateway gateway{context};
///     sluice::client client{context.get_executor(), {.url = gateway.url(), .auth =
///     sluice::api_key{gateway.api_key()}}};
///     ... publish to "orders", then:
///     for (const auto& m : gateway.messages("orders")) ...
///
/// Thread safety: every call but construction and destruction may come from any thread, also while the executor runs.
/// Destroying it ends all connections, as soon as the executor runs again; it must not outlive its execution context.
class gateway {
public:
    /// Throws `std::system_error` if it cannot listen.
    explicit gateway(asio::any_io_executor executor, gateway_options options = {})
        : tls_(options.tls),
          address_(options.address),
          token_(options.proxy.token),
          server_(std::make_shared<detail::gateway_server>(std::move(executor), options)) {
        proxy_options& proxy = server_->core->model.options();
        if (proxy.region_host.empty()) proxy.region_host = authority();
        server_->start();
    }
    /// The same for an execution context.
    template <class Context>
        requires requires(Context& c) { asio::any_io_executor(c.get_executor()); }
    explicit gateway(Context& context, gateway_options options = {})
        : gateway(asio::any_io_executor(context.get_executor()), std::move(options)) {}
    gateway(const gateway&) = delete;
    gateway& operator=(const gateway&) = delete;
    ~gateway() { stop(); }

    /// Calls `f(proxy_model&, time_point now)` while nobody else is at it. `f` must not call the gateway.
    template <class F>
    auto with_model(F f) {
        const std::lock_guard lock(server_->core->mutex);
        const time_point now = server_->core->clock.now();
        const dispatching consumers_are_told{server_->core->model, now};
        return f(server_->core->model, now);
    }

    // Where it is, and what opens it

    std::uint16_t port() const noexcept { return server_->port; }
    /// For a client of GDN: `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    std::string url() const { return (tls_ ? "https://" : "http://") + authority(); }
    /// For a client of a plain Pulsar: `ws://127.0.0.1:PORT`, or `wss://localhost:PORT`.
    std::string websocket_url() const { return (tls_ ? "wss://" : "ws://") + authority(); }
    /// `TENANT.KEYID.SECRET`, made at start.
    const std::string& api_key() const noexcept { return server_->core->model.api_key(); }
    /// A JSON web token for the user, as a login gives it.
    std::string make_jwt(std::string_view user = "root") {
        return with_model([&](proxy_model& model, time_point now) { return model.make_jwt(user, now); });
    }
    /// What a plain Pulsar client says as `Bearer`; empty if it need not.
    const std::string& token() const noexcept { return token_; }
    /// What a client has to trust, with `tls`; else empty.
    const std::string& ca_pem() const noexcept { return server_->ca_pem; }

    // Topics: `proxy_model` says what names mean

    bool create_topic(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.create_topic(name); });
    }
    bool delete_topic(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.delete_topic(name); });
    }
    bool has_topic(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.has_topic(name); });
    }
    bool terminate(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.terminate(name); });
    }
    bool deduplicate(std::string_view name, bool on = true) {
        return with_model([&](proxy_model& m, time_point) { return m.deduplicate(name, on); });
    }
    bool limit_backlog(std::string_view name, backlog_quota quota) {
        return with_model([&](proxy_model& m, time_point) { return m.limit_backlog(name, quota); });
    }
    /// What the topic keeps, oldest first.
    std::vector<stored_message> messages(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.messages(name); });
    }
    /// From now on `f` is called with each message that is stored and with its topic's full name: once, in the order in
    /// which topics take them, before the acknowledgement goes out, while nobody else is at the gateway. So it must be
    /// quick, and must neither throw nor call the gateway. Null: no more.
    void on_stored(std::function<void(std::string_view topic, const stored_message&)> f) {
        with_model([&](proxy_model& m, time_point) { m.on_stored(std::move(f)); });
    }
    /// Messages stored since the topic was made, dropped ones included.
    std::uint64_t message_count(std::string_view name) {
        return with_model([&](proxy_model& m, time_point) { return m.message_count(name); });
    }

    proxy_stats stats() {
        return with_model([](proxy_model& m, time_point) { return m.stats(); });
    }

    // Traffic

    /// On: from now on, with nothing kept of what was before. Off: what has been recorded can still be read.
    void record(bool on) {
        const std::lock_guard lock(server_->core->mutex);
        server_->core->recorder.record(on);
    }
    /// A copy. What is kept is bounded, what is counted is not.
    recorded_traffic recorded() {
        const std::lock_guard lock(server_->core->mutex);
        return server_->core->recorder.traffic();
    }

    // Trouble

    /// What shall go wrong: `gateway.faults().acks().times(3).swallow()`.
    testing::faults faults() const { return testing::faults(server_->core); }
    /// Begins the closing handshake on every WebSocket, now; HTTP connections stay.
    void close_all_sockets(std::uint16_t code = 1001, const std::string& reason = {}) {
        for (const auto& c : server_->connections()) c->close(code, reason);
    }
    /// Cuts every connection, now, without a word.
    void drop_connections(cut how = cut::reset) {
        for (const auto& c : server_->connections()) c->drop(how);
    }
    /// Ends all connections and listens no more. Topics can still be read.
    void stop() { server_->stop(); }

private:
    struct dispatching {
        proxy_model& model;
        time_point now;
        ~dispatching() { model.dispatch(now); }
    };

    std::string authority() const {
        const bool v6 = address_.find(':') != std::string::npos;
        const std::string host = tls_ ? "localhost" : v6 ? "[" + address_ + "]" : address_;
        return host + ":" + std::to_string(port());
    }

    bool tls_;
    std::string address_, token_;
    std::shared_ptr<detail::gateway_server> server_;
};

} // namespace testing
} // namespace v1
} // namespace sluice
