// SPDX-License-Identifier: BSL-1.0
// Whether a message may be accepted at once: what `when_full = fail` and `try_push` ask, from any thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace sluice {
inline namespace v1 {
namespace core {

/// Messages that the strand has taken over are counted by it (`held`), those still in the accumulator by who put them
/// there (`underway`). The strand raises `held` before it lowers `underway`: a sender that looks in between counts a
/// message twice, never not at all, so the limit holds. Two that race for the last place may both be refused.
class admission {
public:
    explicit admission(std::size_t limit) noexcept : limit_(limit) {}

    /// Any thread. True: one message may be pushed, and is counted.
    bool reserve(std::size_t n = 1) noexcept {
        const std::size_t underway = underway_.fetch_add(n, std::memory_order_acquire) + n;
        if (underway + held_.load(std::memory_order_relaxed) <= limit_) return true;
        underway_.fetch_sub(n, std::memory_order_relaxed);
        return false;
    }
    void give_back(std::size_t n) noexcept { underway_.fetch_sub(n, std::memory_order_relaxed); }

    /// The strand.
    void hold(std::size_t held, std::size_t taken_over) noexcept {
        held_.store(held, std::memory_order_relaxed);
        if (taken_over != 0) underway_.fetch_sub(taken_over, std::memory_order_release);
    }

private:
    std::size_t limit_;
    std::atomic<std::size_t> held_{0};
    std::atomic<std::size_t> underway_{0};
};

} // namespace core
} // namespace v1
} // namespace sluice
