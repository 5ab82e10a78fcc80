// SPDX-License-Identifier: BSL-1.0
// A coroutine on another strand than its caller's, and how a cancellation reaches it there.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Starts a coroutine; `end`, called on the strand, may be told of an exception. Every coroutine of ours starts here:
/// Asio compiles some 150 functions for each type of coroutine and handler that is spawned.
template <class Strand>
void spawn(const Strand& strand, task<Strand> work, asio::cancellation_slot slot,
           std::function<void(std::exception_ptr)> end) {
    asio::co_spawn(strand, std::move(work), asio::bind_cancellation_slot(slot, std::move(end)));
}

/// Runs `work` and keeps its result: where who waits for it may be gone, the result is nobody's but theirs.
template <class Strand, class T>
task<Strand> keep_result(task<Strand, T> work, std::shared_ptr<T> result) {
    *result = co_await std::move(work);
}

/// What carries a cancellation over. It lives as long as the coroutine's handler, not as its caller's signal, which may
/// outlive the execution context; nor only as long as the coroutine itself, behind whose end newer Asios clear the
/// slot.
template <class Strand>
struct remote_signal {
    explicit remote_signal(const Strand& s) : strand(s) {}
    Strand strand;
    asio::cancellation_signal signal{};
};

/// A slot's handler. A cancellation is emitted where the caller's handler runs. If it went straight to the coroutine,
/// it would look at operations that the coroutine, on its strand, starts and ends at the same time: so it is posted
/// there, and emitted again.
template <class Strand>
struct remote_cancel {
    std::weak_ptr<remote_signal<Strand>> remote;

    void operator()(asio::cancellation_type type) const {
        const auto alive = remote.lock();
        if (alive) post_call(alive->strand, [alive, type] { alive->signal.emit(type); });
    }
};

/// A coroutine's end on its way from `Strand` to the handler's executor, which is told to wait for it.
template <class Strand, class Handler>
struct remote_end : remote_signal<Strand> {
    using executor_type = asio::associated_executor_t<Handler, Strand>;

    remote_end(const Strand& s, Handler h)
        : remote_signal<Strand>(s),
          handler(std::move(h)),
          slot(asio::get_associated_cancellation_slot(handler)),
          executor(asio::get_associated_executor(handler, s)),
          work(track_work(executor)) {}

    static void tell(std::shared_ptr<remote_end> self, std::exception_ptr thrown) {
        const executor_type executor = self->executor;
        const auto allocator = asio::get_associated_allocator(self->handler);
        // Not dispatched: on a pool, that would call the handler right here, on the strand that serves everybody.
        asio::post(executor, asio::bind_allocator(allocator, [self = std::move(self), thrown]() mutable {
                       self->slot.clear();
                       Handler mine = std::move(self->handler);
                       self.reset();
                       std::move(mine)(std::move(thrown));
                   }));
    }

    Handler handler;
    asio::associated_cancellation_slot_t<Handler> slot;
    executor_type executor;
    decltype(track_work(std::declval<const executor_type&>())) work;
};

/// Runs `work` on `strand` and completes through `handler` with `(std::exception_ptr)`.
template <class Strand, class Handler>
void spawn_on(const Strand& strand, task<Strand> work, Handler handler) {
    const auto end = std::make_shared<remote_end<Strand, Handler>>(strand, std::move(handler));
    if (end->slot.is_connected()) end->slot.assign(remote_cancel<Strand>{std::weak_ptr<remote_signal<Strand>>(end)});
    spawn(strand, std::move(work), end->signal.slot(),
          [end](std::exception_ptr thrown) { end->tell(end, std::move(thrown)); });
}

/// The same for a coroutine on a strand of that type.
template <class Strand>
task<Strand> start_on(const Strand& strand, task<Strand> work) {
    using token = asio::use_awaitable_t<Strand>;
    return asio::async_initiate<const token, void(std::exception_ptr)>(
        [strand](auto handler, task<Strand> t) { spawn_on(strand, std::move(t), std::move(handler)); }, token(),
        std::move(work));
}
template <class Strand, class T>
task<Strand, T> await_on(Strand strand, task<Strand, T> work) {
    const auto result = std::make_shared<T>();
    task<Strand> there = start_on(strand, keep_result<Strand, T>(std::move(work), result));
    co_await std::move(there);
    co_return std::move(*result);
}

} // namespace io
} // namespace v1
} // namespace sluice
