// SPDX-License-Identifier: BSL-1.0
// A timer that is set again and again: time limits of steps, and the producer's tick.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// On one strand. For a limit, `bite` closes what the step's operations run on, and they end. Destroying it disarms it.
template <class Timer>
class watchdog {
public:
    template <class Strand>
    explicit watchdog(const Strand& strand) : state_(std::make_shared<state>(strand)) {}
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() { disarm(); }

    /// `bite` is called once when `after` has passed, unless `disarm` or `arm` is called before. It is kept by the
    /// timer's handler, so that what it holds goes when the context does.
    void arm(std::chrono::nanoseconds after, std::function<void()> bite) {
        disarm();
        state_->bitten = false;
        state_->timer.expires_after(std::chrono::duration_cast<typename Timer::duration>(after));
        state_->timer.async_wait(
            [s = state_, generation = state_->generation, bite = std::move(bite)](const std::error_code&) mutable {
                if (s->generation != generation) return;
                ++s->generation;
                s->bitten = true;
                bite();
            });
    }

    void disarm() {
        ++state_->generation;
        state_->timer.cancel();
    }

    /// The last limit has passed.
    bool bitten() const noexcept { return state_->bitten; }

private:
    struct state {
        template <class Strand>
        explicit state(const Strand& strand) : timer(strand) {}
        Timer timer;
        std::uint64_t generation = 0; ///< a handler that is queued already cannot be cancelled: it sees that it is old
        bool bitten = false;
    };
    std::shared_ptr<state> state_;
};

} // namespace io
} // namespace v1
} // namespace sluice
