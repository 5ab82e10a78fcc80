// SPDX-License-Identifier: BSL-1.0
// How long acknowledgements take: a histogram that one thread writes and any thread reads.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice {
inline namespace v1 {
namespace core {

/// Log-linear: eight buckets for each power of two of microseconds, so a reading is off by at most an eighth.
class latency_histogram {
public:
    static constexpr std::size_t buckets = 8 * 33;

    /// The strand alone: a plain increment, made readable elsewhere by the atomic. Messages that were taken over
    /// together and answered together have one latency: its bucket is looked for once.
    void add(std::chrono::nanoseconds d) noexcept {
        if (d != last_) {
            last_ = d;
            last_bucket_ = bucket(d);
        }
        auto& b = counts_[last_bucket_];
        b.store(b.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

    /// The latency that the fraction `p` of the messages did not exceed; 0 if there are none. Any thread.
    std::chrono::microseconds percentile(double p) const noexcept {
        std::uint64_t total = 0;
        for (const auto& b : counts_) total += b.load(std::memory_order_relaxed);
        if (total == 0) return {};
        const auto rank = static_cast<std::uint64_t>(p * static_cast<double>(total - 1)) + 1;
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets; ++i) {
            seen += counts_[i].load(std::memory_order_relaxed);
            if (seen >= rank) return std::chrono::microseconds(upper(i));
        }
        return std::chrono::microseconds(upper(buckets - 1));
    }

private:
    static std::size_t bucket(std::chrono::nanoseconds d) noexcept {
        const std::int64_t us = d.count() / 1000;
        if (us < 8) return us < 0 ? 0 : static_cast<std::size_t>(us);
        const auto v = static_cast<std::uint64_t>(us);
        const auto power = static_cast<std::size_t>(std::bit_width(v)) - 4; // v >> power is 8 .. 15
        const std::size_t i = (power + 1) * 8 + static_cast<std::size_t>((v >> power) - 8);
        return i < buckets ? i : buckets - 1;
    }
    static std::int64_t upper(std::size_t i) noexcept {
        if (i < 8) return static_cast<std::int64_t>(i);
        const std::size_t power = i / 8 - 1;
        return (static_cast<std::int64_t>(i % 8 + 9) << power) - 1;
    }

    std::array<std::atomic<std::uint64_t>, buckets> counts_{};
    std::chrono::nanoseconds last_{0}; ///< and its bucket: the strand's
    std::size_t last_bucket_ = 0;
};

} // namespace core
} // namespace v1
} // namespace sluice
