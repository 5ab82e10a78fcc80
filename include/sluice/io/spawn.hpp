// SPDX-License-Identifier: BSL-1.0
// A coroutine on another strand than its caller's, and how a cancellation reaches it there.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// What carries a cancellation over. It lives as long as the coroutine's handler, not as its caller's signal, which may
/// outlive the execution context; nor only as long as the coroutine itself, behind whose end newer Asios clear the
/// slot.
template <class Strand>
struct remote_signal {
    explicit remote_signal(const Strand& s) : strand(s) {}
    Strand strand;
    asio::cancellation_signal signal{};
};

/// Runs `work` on `strand` and completes through `handler` with `(std::exception_ptr, T)`.
///
/// A cancellation is emitted where the handler runs. If it went straight to the coroutine, it would look at operations
/// that the coroutine, on its strand, starts and ends at the same time: so it is posted there, and emitted again.
template <class Strand, class T, class Handler>
void spawn_on(const Strand& strand, task<Strand, T> work, Handler handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected()) return asio::co_spawn(strand, std::move(work), std::move(handler));
    const auto remote = std::make_shared<remote_signal<Strand>>(strand);
    slot.assign([weak = std::weak_ptr(remote)](asio::cancellation_type type) {
        const auto alive = weak.lock();
        if (alive) asio::post(alive->strand, [alive, type] { alive->signal.emit(type); });
    });
    const auto finish = [slot, remote](auto h, std::exception_ptr thrown, T value) {
        static_cast<void>(remote);
        auto mine = slot;
        mine.clear();
        std::move(h)(std::move(thrown), std::move(value));
    };
    using adapted = adapted_handler<Handler, decltype(finish)>;
    asio::co_spawn(strand, std::move(work),
                   asio::bind_cancellation_slot(remote->signal.slot(), adapted{std::move(handler), finish}));
}

/// The same for a coroutine that awaits it, on `Strand`: gives `T`.
template <class Strand, class T>
auto await_on(const Strand& where, task<Strand, T> work) {
    using token = asio::use_awaitable_t<Strand>;
    return asio::async_initiate<const token, void(std::exception_ptr, T)>(
        [where](auto handler, task<Strand, T> t) { spawn_on(where, std::move(t), std::move(handler)); }, token(),
        std::move(work));
}

} // namespace io
} // namespace v1
} // namespace sluice
