// SPDX-License-Identifier: BSL-1.0
// What a coroutine waits on for another part of its strand: an event that resets itself.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// One waiter at a time; all calls on one strand. A `wake` without a waiter is kept for the next one. The handler is
/// stored in place and posted when it is woken: a timer used for this costs ten times as much.
class wakeup {
public:
    wakeup() = default;
    wakeup(const wakeup&) = delete;
    wakeup& operator=(const wakeup&) = delete;
    ~wakeup() { destroy(); }

    /// `void()`. Completes after `wake`, never inside this call. Not cancellable.
    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void()>([this](auto handler) { this->store(std::move(handler)); }, token);
    }

    void wake() {
        if (!stored_) {
            signalled_ = true;
            return;
        }
        stored_ = false;
        run_(storage_, true);
    }

    bool waiting() const noexcept { return stored_; }

    /// The waiter is destroyed without being called.
    void destroy() noexcept {
        if (std::exchange(stored_, false)) run_(storage_, false);
    }

private:
    template <class Handler>
    void store(Handler handler) {
        static_assert(sizeof(Handler) <= sizeof(storage_) && alignof(Handler) <= alignof(std::max_align_t));
        ::new (static_cast<void*>(storage_)) Handler(std::move(handler));
        run_ = [](std::byte* at, bool invoke) {
            Handler* stored = std::launder(reinterpret_cast<Handler*>(at));
            Handler mine(std::move(*stored));
            stored->~Handler();
            if (!invoke) return;
            const auto executor = asio::get_associated_executor(mine);
            asio::post(executor, std::move(mine));
        };
        stored_ = true;
        if (std::exchange(signalled_, false)) wake();
    }

    alignas(std::max_align_t) std::byte storage_[64];
    void (*run_)(std::byte*, bool) = nullptr;
    bool stored_ = false;
    bool signalled_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
