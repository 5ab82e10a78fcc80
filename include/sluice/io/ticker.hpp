// SPDX-License-Identifier: BSL-1.0
// The producer's one timer, and the two paces at which it goes.
#pragma once

#include <sluice/core/send_node.hpp>
#include <sluice/io/watchdog.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// How late an expiry may be noticed: a 64th of the time-out, within 1 and 100 ms. A time-out of 0 is none.
constexpr core::instant tick_of(std::chrono::milliseconds send_timeout) noexcept {
    using namespace std::chrono_literals;
    if (send_timeout.count() == 0) return 100ms;
    return std::clamp<core::instant>(core::instant(send_timeout) / 64, 1ms, 100ms);
}

/// Fast while something is outstanding, slow to watch over an idle socket, or off. Each tick is asked for.
template <class Timer>
class ticker {
public:
    template <class Strand>
    ticker(const Strand& strand, core::instant fast, core::instant slow) : timer_(strand), fast_(fast), slow_(slow) {}

    /// `tick` comes after one fast interval at the latest. Cheap when it does already.
    template <class Tick>
    void quicken(Tick&& tick) {
        if (pace_ != pace::fast) next_fast(std::forward<Tick>(tick));
    }
    void next_fast(std::function<void()> tick) {
        pace_ = pace::fast;
        timer_.arm(fast_, std::move(tick));
    }
    void next_slow(std::function<void()> tick) {
        pace_ = pace::slow;
        timer_.arm(slow_, std::move(tick));
    }
    void stop() {
        pace_ = pace::off;
        timer_.disarm();
    }

private:
    enum class pace : std::uint8_t { off, fast, slow };

    watchdog<Timer> timer_;
    core::instant fast_, slow_;
    pace pace_ = pace::off;
};

} // namespace io
} // namespace v1
} // namespace sluice
