// SPDX-License-Identifier: BSL-1.0
// A time limit for a step of several operations: when it passes, what they run on is closed, and they end.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace sluice {
inline namespace v1 {
namespace io {

/// On one strand. Destroying it disarms it.
template <class Timer>
class watchdog {
public:
    template <class Strand>
    explicit watchdog(const Strand& strand) : state_(std::make_shared<state>(strand)) {}
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() { disarm(); }

    /// `bite` is called once when the limit has passed and `disarm` has not been called.
    void arm(std::chrono::milliseconds limit, std::function<void()> bite) {
        disarm();
        state_->bitten = false;
        state_->bite = std::move(bite);
        state_->timer.expires_after(limit);
        state_->timer.async_wait([s = state_, generation = state_->generation](const std::error_code&) {
            if (s->generation != generation) return;
            s->bitten = true;
            const std::function<void()> f = std::move(s->bite);
            if (f) f();
        });
    }

    void disarm() {
        ++state_->generation;
        state_->bite = nullptr;
        state_->timer.cancel();
    }

    bool bitten() const noexcept { return state_->bitten; }

private:
    struct state {
        template <class Strand>
        explicit state(const Strand& strand) : timer(strand) {}
        Timer timer;
        std::uint64_t generation = 0;
        bool bitten = false;
        std::function<void()> bite{};
    };
    std::shared_ptr<state> state_;
};

} // namespace io
} // namespace v1
} // namespace sluice
