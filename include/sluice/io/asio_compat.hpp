// SPDX-License-Identifier: BSL-1.0
// The one header that knows which Asio this is: 1.22.1 to the newest.
#pragma once

// Asio 1.22 chooses its allocation functions by a macro of the standard library's: it must be there in every file
// alike.
#include <cstddef>

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/associator.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/execution/executor.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <asio/recycling_allocator.hpp>
#include <asio/redirect_error.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/error.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/version.hpp>

#include <sluice/error.hpp>
#include <sluice/io/erased_executor.hpp>
#include <sluice/io/memory_allocator.hpp>
#include <sluice/io/operation_memory.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#if ASIO_VERSION < 102201
#error "sluice needs Asio 1.22.1 or newer"
#endif
#if !defined(ASIO_HAS_CO_AWAIT)
#error                                                                                                                 \
    "sluice needs coroutines: compile as C++20; clang with Asio before 1.24 also needs -DASIO_HAS_CO_AWAIT -DASIO_HAS_STD_COROUTINE"
#endif

namespace sluice {
inline namespace v1 {
namespace io {

/// `as_default_on_t` wraps an executor into a class derived from it; coroutines run on what is inside.
template <class Executor>
using inner_executor_t =
    std::conditional_t<std::is_base_of_v<asio::any_io_executor, Executor>, asio::any_io_executor,
                       std::conditional_t<std::is_base_of_v<asio::io_context::executor_type, Executor>,
                                          asio::io_context::executor_type, Executor>>;

/// Everything inside runs on a strand, as coroutines of the strand's own type.
template <class Executor>
using strand_of = asio::strand<std::conditional_t<std::is_same_v<inner_executor_t<Executor>, asio::any_io_executor>,
                                                  erased_executor, inner_executor_t<Executor>>>;
template <class Strand, class T = void>
using task = asio::awaitable<T, Strand>;

/// For `co_await op(..., into<Strand>(ec))`: the error as a value.
template <class Strand>
inline auto into(std::error_code& ec) noexcept {
    return asio::redirect_error(asio::use_awaitable_t<Strand>(), ec);
}
/// The same, with memory that outlives the operation.
template <class Strand>
inline auto into(std::error_code& ec, operation_memory& memory) noexcept {
    return asio::bind_allocator(memory_allocator<void, operation_memory*>(&memory), into<Strand>(ec));
}

/// Posts what is seldom posted: one type for all, for Asio compiles some 60 functions for each.
template <class Strand>
void post_call(const Strand& strand, std::function<void()> call) {
    asio::post(strand, std::move(call));
}

/// What keeps an executor's context running while it exists. Also for executors of the older kind, such as
/// `io_context::strand`.
template <class Executor>
auto track_work(const Executor& executor) {
    if constexpr (asio::execution::is_executor<Executor>::value)
        return asio::prefer(executor, asio::execution::outstanding_work.tracked);
    else
        return asio::make_work_guard(executor);
}

/// Operations' memory: the handler's own allocator, else one that recycles per thread.
template <class Handler>
auto operation_allocator(const Handler& handler) noexcept {
    auto a = asio::get_associated_allocator(handler);
    if constexpr (std::is_same_v<decltype(a), std::allocator<void>>)
        return asio::recycling_allocator<void>();
    else
        return a;
}

/// A handler without an executor of its own, as far as its type tells: it runs on the producer's.
template <class Handler, class Executor>
concept runs_anywhere =
    requires { typename asio::associated_executor<Handler, Executor>::asio_associated_executor_is_unspecialised; };

/// The core says `errc::aborted`, for it knows no Asio.
inline std::error_code completion_code(const std::error_code& ec) noexcept {
    if (ec && ec == errc::aborted) return asio::error::operation_aborted;
    return ec;
}

/// Wraps a handler into one with another signature that keeps its executor, allocator and cancellation slot.
/// `adapt(handler, args...)` calls it.
template <class Handler, class Adapt>
struct adapted_handler {
    Handler handler;
    Adapt adapt;

    template <class... Args>
    void operator()(Args&&... args) {
        adapt(std::move(handler), std::forward<Args>(args)...);
    }
};

} // namespace io
} // namespace v1
} // namespace sluice

template <template <class, class> class Associator, class Handler, class Adapt, class DefaultCandidate>
struct asio::associator<Associator, sluice::io::adapted_handler<Handler, Adapt>, DefaultCandidate>
    : Associator<Handler, DefaultCandidate> {
    using base = Associator<Handler, DefaultCandidate>;
    static typename base::type get(const sluice::io::adapted_handler<Handler, Adapt>& h) noexcept {
        return base::get(h.handler);
    }
    static auto get(const sluice::io::adapted_handler<Handler, Adapt>& h, const DefaultCandidate& c) noexcept {
        return base::get(h.handler, c);
    }
};
