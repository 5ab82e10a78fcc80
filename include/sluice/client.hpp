// SPDX-License-Identifier: BSL-1.0
// The administrative side: streams, one-time passwords, the region.
#pragma once

#include <sluice/config.hpp>
#include <sluice/io/calls.hpp>
#include <sluice/io/traits.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

using stream_info = pulsar::stream_info;
using created_stream = pulsar::created_stream;
using region = pulsar::region;

/// A GDN region or a Pulsar cluster, with a credential. Cheap to make: nothing is sent before the first operation.
///
/// Every operation exists twice:
/// * `async_x(args..., token)` for any completion token, with the signature `void(std::error_code, R)`, or
///   `void(std::error_code)` where there is nothing to answer;
/// * `x(args...)`, which returns `asio::awaitable<R>` and throws `sluice::error`, which has the server's text, the HTTP
///   status and the request id.
///
/// Completion: on the handler's associated executor, else the client's; never inside the initiating call.
/// Errors: of the configuration (each operation then fails with it, before anything is sent), of the connection, and of
/// the server, as `sluice::errc`. A 401 is met with one fresh credential where the credential can be renewed.
/// Cancellation: `terminal`, ends with `asio::error::operation_aborted`; the request may have reached the server.
/// Time: each call is bounded by `time_limits`.
/// Thread safety: distinct objects: safe. Shared objects: operations are safe; assignment and destruction are not.
/// Lifetime: operations under way outlive the client, and so do its producers. A client that is not in a coroutine's
/// frame must die before its execution context.
template <class Executor = asio::any_io_executor, class Traits = default_traits>
class basic_client {
public:
    using executor_type = Executor;
    using traits_type = Traits;
    /// Of the executor: what `as_default_on_t` chose. Else the newer Asio's `deferred`, and with an older one none.
    using default_token = typename asio::default_completion_token<Executor>::type;
    using core_type = io::client_core<io::inner_executor_t<Executor>, Traits>;
    template <class T>
    using awaitable = asio::awaitable<T, io::inner_executor_t<Executor>>;
    template <class Executor1>
    struct rebind_executor {
        using other = basic_client<Executor1, Traits>;
    };

    basic_client(const Executor& executor, client_config config)
        : executor_(executor), core_(std::make_shared<core_type>(executor, std::move(config))) {}
    template <class Context>
        requires std::is_convertible_v<Context&, asio::execution_context&>
    basic_client(Context& context, client_config config) : basic_client(context.get_executor(), std::move(config)) {}

    const executor_type& get_executor() const noexcept { return executor_; }
    const client_config& config() const noexcept { return core_->config(); }
    /// What is wrong with the configuration, if anything.
    const failure& problem() const noexcept { return core_->problem(); }

    /// Gets a credential, where one has to be got (`password`, `credential_source`). Not needed: the first call does
    /// it.
    awaitable<void> login() { return start(calls::login(core_)); }
    template <class Token = default_token>
    auto async_login(Token&& token = Token()) {
        return start(calls::login(core_), std::forward<Token>(token));
    }

    /// Creates the stream unless it exists: both are a success, and `created` tells which.
    awaitable<created_stream> ensure_stream(std::string name, scope s = scope::global) {
        return start(calls::ensure_stream(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_ensure_stream(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::ensure_stream(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// Whether the list of streams of that scope has it.
    awaitable<bool> has_stream(std::string name, scope s = scope::global) {
        return start(calls::has_stream(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_has_stream(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::has_stream(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// `errc::conflict` if it exists.
    awaitable<created_stream> create_stream(std::string name, scope s = scope::global) {
        return start(calls::create_stream(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_create_stream(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::create_stream(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// Also while producers and consumers are connected. `errc::not_found` if it does not exist.
    awaitable<void> delete_stream(std::string name, scope s = scope::global) {
        return start(calls::delete_stream(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_delete_stream(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::delete_stream(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// The streams of the fabric in that scope; of a plain Pulsar those of `default` in the tenant.
    awaitable<std::vector<stream_info>> list_streams(scope s = scope::global) {
        return start(calls::list_streams(core_, s));
    }
    template <class Token = default_token>
    auto async_list_streams(scope s = scope::global, Token&& token = Token()) {
        return start(calls::list_streams(core_, s), std::forward<Token>(token));
    }

    /// Rates and counters of the stream, its producers and subscriptions, as the server's JSON text.
    awaitable<std::string> stream_stats(std::string name, scope s = scope::global) {
        return start(calls::stream_stats(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_stream_stats(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::stream_stats(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// What is stored and not yet consumed, as the server's JSON text.
    awaitable<std::string> stream_backlog(std::string name, scope s = scope::global) {
        return start(calls::stream_backlog(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_stream_backlog(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::stream_backlog(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// The names of the stream's subscriptions, as the server's JSON text.
    awaitable<std::string> subscriptions(std::string name, scope s = scope::global) {
        return start(calls::subscriptions(core_, std::move(name), s));
    }
    template <class Token = default_token>
    auto async_subscriptions(std::string name, scope s = scope::global, Token&& token = Token()) {
        return start(calls::subscriptions(core_, std::move(name), s), std::forward<Token>(token));
    }

    /// A one-time password for opening one socket, soon. Producers get their own.
    awaitable<std::string> get_otp() { return start(calls::get_otp(core_)); }
    template <class Token = default_token>
    auto async_get_otp(Token&& token = Token()) {
        return start(calls::get_otp(core_), std::forward<Token>(token));
    }

    /// One message over REST: a request each, never repeated by itself. A producer does better from the second message
    /// on.
    awaitable<void> publish(std::string stream, std::string payload, scope s = scope::global) {
        return start(calls::publish(core_, std::move(stream), std::move(payload), s));
    }
    template <class Token = default_token>
    auto async_publish(std::string stream, std::string payload, scope s = scope::global, Token&& token = Token()) {
        return start(calls::publish(core_, std::move(stream), std::move(payload), s), std::forward<Token>(token));
    }

    /// Where a GDN region's sockets are opened: `GET /datacenter/local`.
    awaitable<region> local_region() { return start(calls::local_region(core_)); }
    template <class Token = default_token>
    auto async_local_region(Token&& token = Token()) {
        return start(calls::local_region(core_), std::forward<Token>(token));
    }

    /// What producers share. Not for users.
    const std::shared_ptr<core_type>& core() const noexcept { return core_; }

private:
    using calls = io::calls<core_type>;
    template <class R>
    using work = typename calls::template work<R>;

    template <class R>
    auto start(work<R> w) {
        using initiation = io::initiate_call<core_type, io::inner_executor_t<Executor>, true>;
        using token = asio::use_awaitable_t<io::inner_executor_t<Executor>>;
        if constexpr (std::is_same_v<R, io::nothing>)
            return asio::async_initiate<const token, void(std::exception_ptr)>(initiation{core_, executor_}, token(),
                                                                               std::move(w));
        else
            return asio::async_initiate<const token, void(std::exception_ptr, R)>(initiation{core_, executor_}, token(),
                                                                                  std::move(w));
    }
    template <class R, class Token>
    auto start(work<R> w, Token&& token) {
        using initiation = io::initiate_call<core_type, Executor, false>;
        if constexpr (std::is_same_v<R, io::nothing>)
            return asio::async_initiate<Token, void(std::error_code)>(initiation{core_, executor_}, token,
                                                                      std::move(w));
        else
            return asio::async_initiate<Token, void(std::error_code, R)>(initiation{core_, executor_}, token,
                                                                         std::move(w));
    }

    Executor executor_;
    std::shared_ptr<core_type> core_;
};

using client = basic_client<>;

} // namespace v1
} // namespace sluice
