// SPDX-License-Identifier: BSL-1.0
// The producer: what the library is for.
#pragma once

#include <sluice/client.hpp>
#include <sluice/codec.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/config.hpp>
#include <sluice/io/driver.hpp>
#include <sluice/io/initiate.hpp>
#include <sluice/message.hpp>
#include <sluice/observer.hpp>
#include <sluice/stats.hpp>

#include <concepts>
#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

/// A message that `async_send` borrows instead of owning it: what it views must outlive the operation.
class borrowed_message {
public:
    explicit borrowed_message(const message_view& m) noexcept : view(m) {}
    message_view view;
};
inline borrowed_message borrow(const message_view& m) noexcept { return borrowed_message(m); }

/// What a `send_all` may borrow: elements that live in the range, or that only view what lives elsewhere. A range that
/// makes a string for each step would be viewed after the string is gone.
template <class Range>
concept borrowable_messages = std::ranges::forward_range<const Range> &&
                              std::convertible_to<std::ranges::range_reference_t<const Range>, message_view> &&
                              (std::is_lvalue_reference_v<std::ranges::range_reference_t<const Range>> ||
                               std::ranges::view<std::ranges::range_reference_t<const Range>> ||
                               std::is_pointer_v<std::ranges::range_reference_t<const Range>> ||
                               std::same_as<std::ranges::range_reference_t<const Range>, message_view>);

/// What is told a pushed message's result.
template <class F>
concept result_function = std::invocable<F&, std::error_code, const receipt&>;

/// Publishes to one stream over one socket, which it opens at the first use, keeps open and opens again when it is
/// lost.
///
/// Every operation exists twice: `async_x(args..., token)` for any completion token, and `x(args...)`, which returns an
/// `asio::awaitable` and throws `sluice::error`.
///
/// Completion: exactly once, on the handler's associated executor, else the producer's; never inside the initiating
/// call. When the execution context is destroyed, handlers are destroyed, not called. On a pool of threads, handlers of
/// different operations may run beside one another, and one that blocks may hold up others that wait behind it.
/// Order: messages leave in the order in which their sends were made, and again in that order after a reconnect.
/// Thread safety: distinct objects: safe. Shared objects: all operations, `stats`, `state`, `cancel` are safe from any
/// thread; assignment and destruction are not.
/// Lifetime: the producer must outlive the initiation of an operation, not the operation. Destroying it ends what is
/// outstanding with `operation_aborted`; `close` first to keep what was sent. A producer that is not in a coroutine's
/// frame must die before its execution context.
template <class Executor = asio::any_io_executor, compression_codec Codec = codec::none, class Traits = default_traits>
class basic_producer {
public:
    using executor_type = Executor;
    using codec_type = Codec;
    using traits_type = Traits;
    /// Of the executor: what `as_default_on_t` chose. Else the newer Asio's `deferred`, and with an older one none.
    using default_token = typename asio::default_completion_token<Executor>::type;
    using inner_executor_type = io::inner_executor_t<Executor>;
    template <class T>
    using awaitable = asio::awaitable<T, inner_executor_type>;
    template <class Executor1>
    struct rebind_executor {
        using other = basic_producer<Executor1, Codec, Traits>;
    };

    /// A producer on `stream` of the server of the client `owner`. Nothing is sent yet. A name or an option that is not
    /// allowed shows at the first operation; `options.validate()` tells before.
    ///
    /// Overloads instead of default arguments: g++ 12 destroys an aggregate twice that a default argument makes inside
    /// of an awaited expression (`co_await producer(client, "orders").send("hello")`).
    template <class ClientExecutor>
        requires std::same_as<io::inner_executor_t<ClientExecutor>, inner_executor_type>
    basic_producer(const basic_client<ClientExecutor, Traits>& owner, std::string stream)
        : basic_producer(owner, std::move(stream), producer_options()) {}
    template <class ClientExecutor>
        requires std::same_as<io::inner_executor_t<ClientExecutor>, inner_executor_type>
    basic_producer(const basic_client<ClientExecutor, Traits>& owner, std::string stream, producer_options options)
        : basic_producer(owner, std::move(stream), std::move(options), producer_observer()) {}
    template <class ClientExecutor>
        requires std::same_as<io::inner_executor_t<ClientExecutor>, inner_executor_type>
    basic_producer(const basic_client<ClientExecutor, Traits>& owner, std::string stream, producer_options options,
                   producer_observer observer, Codec codec = Codec())
        : executor_(owner.get_executor()),
          driver_(driver_type::make(inner_executor_type(owner.get_executor()), owner.core(), std::move(stream),
                                    std::move(options), pulsar::compressor::owning(std::move(codec)),
                                    std::move(observer))) {}

    basic_producer(basic_producer&& other) noexcept = default;
    basic_producer& operator=(basic_producer&& other) noexcept {
        if (this != &other) {
            if (driver_) driver_->abandon();
            executor_ = other.executor_;
            driver_ = std::move(other.driver_);
        }
        return *this;
    }
    ~basic_producer() {
        if (driver_) driver_->abandon();
    }

    const executor_type& get_executor() const noexcept { return executor_; }

    /// Opens the socket. Optional: the first send does it. Signature `void(std::error_code)`. Completes when the socket
    /// is open; with the cause if it never will be; with `errc::connect_timeout` after `send_timeout`. Cancellation
    /// (every type) ends the wait with `operation_aborted`; the socket is opened all the same.
    awaitable<void> open() { return mark<true>(core::node_kind::open, awaitable_token()); }
    template <class Token = default_token>
    auto async_open(Token&& token = Token()) {
        return mark<false>(core::node_kind::open, std::forward<Token>(token));
    }

    /// Sends a message and waits for its acknowledgement. Signature `void(std::error_code, receipt)`.
    ///
    /// `send` and `borrow` borrow the bytes until completion; `async_send(message, ...)` owns them.
    /// While the window (`max_pending_messages`, `max_pending_bytes`) is full, the operation waits its turn, or, with
    /// `when_full::fail`, ends with `errc::queue_full`; with `when_full::drop_newest` and
    /// `drop_oldest` one past the window and `max_waiting_messages`, or past the window's bytes, with `errc::dropped`.
    /// Errors: `errc::send_timeout` (not sent), `errc::ack_timeout` (maybe persisted), `errc::rejected` and what the
    /// server says, `errc::too_large`, `errc::invalid_message`, `errc::invalid_json` (of a `json_array`),
    /// `errc::encryption_failed` (`end_to_end`), `errc::closed`, and what ended the producer.
    /// `receipt::outcome` tells what became of the message, on failure too.
    /// Cancellation: a message that is not yet encoded is withdrawn: `operation_aborted`, `not_sent`. An encoded one is
    /// let go of with `terminal` and `partial` (`operation_aborted`, `maybe_persisted`), and goes on with `total`
    /// alone. The producer goes on.
    [[nodiscard]] awaitable<receipt> send(message_view m) {
        return asio::async_initiate<const awaitable_token, void(std::exception_ptr, receipt)>(
            io::initiate_send<driver_type, true>{{driver_.get()}}, awaitable_token(), m);
    }
    template <class Token = default_token>
    auto async_send(message m, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, receipt)>(
            io::initiate_send<driver_type, false>{{driver_.get()}}, token, std::move(m));
    }
    template <class Token = default_token>
    auto async_send(borrowed_message m, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, receipt)>(
            io::initiate_send<driver_type, false>{{driver_.get()}}, token, m.view);
    }

    /// Sends many messages, in order, one behind the other, and waits for all. The range's elements convert to
    /// `message_view`; the range and what it views are borrowed until completion (`borrowable_messages`). Signature
    /// `void(std::error_code, std::vector<result>)`, the code always 0: each message has its own in its `result`, at
    /// the place that it had in the range. Cancellation: as of `send`, for each.
    template <borrowable_messages Range>
    [[nodiscard]] awaitable<std::vector<result>> send_all(const Range& messages) {
        return asio::async_initiate<const awaitable_token, void(std::exception_ptr, std::vector<result>)>(
            io::initiate_send_all<driver_type, true>{{driver_.get()}}, awaitable_token(), &messages);
    }
    template <borrowable_messages Range, class Token = default_token>
    auto async_send_all(const Range& messages, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, std::vector<result>)>(
            io::initiate_send_all<driver_type, false>{{driver_.get()}}, token, &messages);
    }

    /// Takes a message over and completes once it has got room in the window, not waiting for its acknowledgement. A
    /// `message` and a string that is given up (`std::move`) are moved; all else that can be viewed is copied, up to
    /// 256 bytes without an allocation. `on_result(std::error_code, const receipt&)` is called with the message's
    /// result, on the producer's executor. Signature `void(std::error_code)`: an error is the message's, which was then
    /// not sent, and is told to `on_result` too. Cancellation while it waits for room: `operation_aborted`.
    template <result_function OnResult = io::no_result>
    [[nodiscard]] awaitable<void> push(message m, OnResult on_result = {}) {
        return push_held(driver_->hold(std::move(m), std::move(on_result)));
    }
    template <io::copied_message M, result_function OnResult = io::no_result>
    [[nodiscard]] awaitable<void> push(M&& m, OnResult on_result = {}) {
        return push_held(driver_->hold(message_view(m), std::move(on_result)));
    }
    template <class Token = default_token>
        requires(!result_function<Token>)
    auto async_push(message m, Token&& token = Token()) {
        return async_push(std::move(m), io::no_result(), std::forward<Token>(token));
    }
    template <result_function OnResult, class Token = default_token>
    auto async_push(message m, OnResult on_result, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code)>(
            io::initiate_push<driver_type, false>{{driver_.get()}}, token, std::move(m), std::move(on_result));
    }

    /// The same if there is room at this moment and the producer takes messages; else false, and nothing happens. Never
    /// waits, from any thread.
    template <result_function OnResult = io::no_result>
    [[nodiscard]] bool try_push(message m, OnResult on_result = {}) {
        const std::size_t bytes = m.payload.size();
        return try_push_counted(bytes, std::move(m), std::move(on_result));
    }
    template <io::copied_message M, result_function OnResult = io::no_result>
    [[nodiscard]] bool try_push(M&& m, OnResult on_result = {}) {
        const message_view view(m);
        return try_push_counted(view.payload().size(), view, std::move(on_result));
    }

    /// Completes when everything that was sent before it has, with success or not, behind its handlers: they may not
    /// block on it. Signature `void(std::error_code)`; it never fails for a message's failure. Cancellation
    /// (every type) ends the wait with `operation_aborted`; the messages go on.
    awaitable<void> flush() { return mark<true>(core::node_kind::flush, awaitable_token()); }
    template <class Token = default_token>
    auto async_flush(Token&& token = Token()) {
        return mark<false>(core::node_kind::flush, std::forward<Token>(token));
    }

    /// Takes no more messages, waits for what was sent (at most `close_timeout`), closes the socket after the last
    /// acknowledgement, completes. Signature `void(std::error_code)`; an error tells that messages sent before it were
    /// not acknowledged: how many, why the first, and, as its outcome, whether one may be stored. As of `flush`, their
    /// handlers come first. Closing again is a success. Cancellation (every type) ends the wait with
    /// `operation_aborted`; the producer closes all the same.
    awaitable<void> close() { return mark<true>(core::node_kind::close, awaitable_token()); }
    template <class Token = default_token>
    auto async_close(Token&& token = Token()) {
        return mark<false>(core::node_kind::close, std::forward<Token>(token));
    }

    /// Ends every send and push that was made before with `operation_aborted`, and none that is made afterwards. The
    /// producer goes on. From any thread.
    void cancel() { driver_->cancel(); }

    producer_stats stats() const noexcept { return driver_->publisher().numbers().snapshot(); }
    producer_state state() const noexcept { return driver_->state(); }
    /// The highest number of an acknowledged message, -1 if there is none. With `initial_sequence_id` or `deduplicate`
    /// it is the broker's; what a restarted program gives as `initial_sequence_id`. With `packed` numbers are packs'.
    std::int64_t last_sequence_id() const noexcept { return driver_->publisher().last_sequence_id(); }

private:
    using driver_type = io::driver<inner_executor_type, Traits>;
    using awaitable_token = asio::use_awaitable_t<inner_executor_type>;

    awaitable<void> push_held(io::held_message<inner_executor_type> m) {
        // With room there is nothing to wait for: a loop that pushes fills the window before it is suspended.
        if (driver_->admits(m.view())) {
            submit_counted(m.release());
            co_return;
        }
        co_await asio::async_initiate<const awaitable_token, void(std::exception_ptr)>(
            io::initiate_push<driver_type, true>{{driver_.get()}}, awaitable_token(), std::move(m));
    }
    /// `m` has a payload of so many bytes.
    template <class M, class OnResult>
    bool try_push_counted(std::size_t bytes, M&& m, OnResult&& on_result) {
        if (!driver_->takes_messages() || !driver_->publisher().reserve(bytes)) return false;
        core::send_node* node = nullptr;
        try {
            node = driver_->make_push(std::forward<M>(m), std::forward<OnResult>(on_result));
        } catch (...) {
            driver_->publisher().give_back(bytes);
            throw;
        }
        submit_counted(node);
        return true;
    }
    /// A message that `reserve` has counted in.
    void submit_counted(core::send_node* node) {
        node->counted = true;
        driver_->submit(node, node);
    }

    template <bool Throws, class Token>
    auto mark(core::node_kind kind, Token&& token) {
        using ending = std::conditional_t<Throws, std::exception_ptr, std::error_code>;
        return asio::async_initiate<Token, void(ending)>(io::initiate_marker<driver_type, Throws>{{driver_.get()}},
                                                         token, kind);
    }

    Executor executor_;
    std::shared_ptr<driver_type> driver_;
};

using producer = basic_producer<>;

} // namespace v1
} // namespace sluice
