// SPDX-License-Identifier: BSL-1.0
// Memory that several producers share.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

/// A limit for the payload bytes that several producers together have written and unanswered: the same
/// `std::make_shared<byte_budget>(bytes)` in the options of each. `max_pending_bytes` still limits each one alone. A
/// producer that has nothing pending may exceed it by one message, so that none starves behind the others. While it is
/// used up, `send` waits, `push` too, and `try_push` and `when_full::fail` refuse. What is not yet written is not in
/// it: that is at most `max_pending_bytes` of each producer that pushes or fails, and what its senders hold of one that
/// waits.
///
/// Thread safety: safe; the producers may run on different execution contexts.
class byte_budget {
public:
    explicit byte_budget(std::size_t limit) noexcept : limit_(limit) {}
    byte_budget(const byte_budget&) = delete;
    byte_budget& operator=(const byte_budget&) = delete;

    std::size_t limit() const noexcept { return limit_; }
    std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
    /// At this moment.
    bool has(std::size_t bytes) const noexcept { return bytes <= limit_ - std::min(used(), limit_); }

    // --- what producers do with it: once a batch, not once a message

    /// Who is told when bytes have come back.
    class waiter {
    public:
        /// False: it could not be told, for want of memory, and is told again with the next bytes.
        virtual bool room() noexcept = 0;

    protected:
        ~waiter() = default;
    };

    /// At least `least`, at most `most`; 0 if there are not so many.
    std::size_t take(std::size_t least, std::size_t most) noexcept {
        std::size_t used = used_.load(std::memory_order_relaxed);
        for (;;) {
            const std::size_t left = limit_ - std::min(used, limit_);
            if (left < least) return 0;
            const std::size_t n = std::min(left, most);
            if (used_.compare_exchange_weak(used, used + n, std::memory_order_relaxed)) return n;
        }
    }
    /// Whatever the limit says.
    void exceed(std::size_t n) noexcept { used_.fetch_add(n, std::memory_order_relaxed); }

    void give_back(std::size_t n) {
        used_.fetch_sub(n); // sequentially consistent, as all four: see `wait`
        if (waiting_.load()) wake();
    }

    /// Tells `who`, once, when `take(least, ...)` is worth another try; at once if it is so already.
    ///
    /// The wakeup that must not be lost: this thread finds no room, another gives bytes back and sees nobody waiting,
    /// this one waits for ever. It cannot: either the other one sees `waiting_`, or the look below sees its bytes.
    void wait(std::weak_ptr<waiter> who, std::size_t least) {
        {
            const std::lock_guard lock(mutex_);
            waiters_.push_back(std::move(who));
            waiting_.store(true);
        }
        if (used_.load() + least <= limit_) wake();
    }

private:
    void wake() {
        std::vector<std::weak_ptr<waiter>> all;
        {
            const std::lock_guard lock(mutex_);
            all.swap(waiters_);
            waiting_.store(false);
        }
        std::erase_if(all, [](const std::weak_ptr<waiter>& one) {
            const auto who = one.lock();
            return !who || who->room();
        });
        if (all.empty()) return;
        const std::lock_guard lock(mutex_);
        waiters_.insert(waiters_.end(), all.begin(), all.end());
        waiting_.store(true);
    }

    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
    std::atomic<bool> waiting_{false};
    std::mutex mutex_{}; ///< of `waiters_`: locked only when somebody waits
    std::vector<std::weak_ptr<waiter>> waiters_{};
};

} // namespace v1
} // namespace sluice
