// SPDX-License-Identifier: BSL-1.0
// Virtual time: a clock, and what is due when. One world to a schedule, one running world to a thread.
#pragma once

#include "dice.hpp"
#include "events.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

class pending; // operations.hpp

class world {
public:
    using ticket = event_queue::ticket;

    world(std::uint64_t seed, bool tracing) : luck_(seed), randomness_(luck_.fork()), tracing_(tracing) {
        previous_ = std::exchange(running_, this);
    }
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world() { running_ = previous_; }

    static world& running() noexcept { return *running_; }

    // Time

    static constexpr nanoseconds start = std::chrono::hours(1); ///< a clock that starts at 0 hides mistakes
    nanoseconds now() const noexcept { return now_; }
    /// When something is due next.
    nanoseconds next_time() noexcept { return due_.next_time(); }
    /// What is due at one moment comes in any order.
    ticket at(nanoseconds when, event e) { return due_.add(when < now_ ? now_ : when, luck_.bits(), std::move(e)); }
    ticket in(nanoseconds delay, event e) { return at(now_ + delay, std::move(e)); }
    void forget(const ticket& t) noexcept { due_.forget(t); }
    /// The machine is suspended: what is due meanwhile comes late.
    void stand_still(nanoseconds d) noexcept { now_ += d; }
    /// Moves the clock to what is due next, and does it. False: nothing ever will be.
    bool step() {
        const nanoseconds next = due_.next_time();
        if (next == nanoseconds::max()) return false;
        if (now_ < next) now_ = next;
        ++steps_;
        due_.take()();
        return true;
    }
    std::uint64_t steps() const noexcept { return steps_; }

    // Randomness: of the network and of ties, and of the library

    dice& luck() noexcept { return luck_; }
    dice& randomness() noexcept { return randomness_; }

    // What the library has under way (operations.hpp), and the objects that it holds

    pending* operations = nullptr;
    std::size_t open_operations = 0;
    std::size_t timers = 0, streams = 0, resolvers = 0;

    /// Which context's handlers are being run: what a handler compares with where it belongs.
    int turn = 0;
    /// The last refusal that a producer told of had a `Retry-After`: nobody may connect before.
    nanoseconds quiet_until{};

    // Judgement

    template <class... Parts>
    void note(const Parts&... parts) {
        if (!tracing_) return;
        std::ostringstream line;
        line << std::fixed << std::setprecision(3) << static_cast<double>((now_ - start).count()) / 1e6 << " ms  ";
        (line << ... << parts);
        line << '\n';
        trace_ += line.str();
    }
    template <class... Parts>
    void violated(const Parts&... parts) {
        std::ostringstream line;
        (line << ... << parts);
        note("VIOLATED: ", line.str());
        violations_.push_back(line.str());
    }
    const std::vector<std::string>& violations() const noexcept { return violations_; }
    const std::string& trace() const noexcept { return trace_; }
    bool tracing() const noexcept { return tracing_; }

private:
    static inline thread_local world* running_ = nullptr;

    nanoseconds now_ = start;
    event_queue due_{};
    std::uint64_t steps_ = 0;
    dice luck_, randomness_;
    bool tracing_;
    std::string trace_{};
    std::vector<std::string> violations_{};
    world* previous_;
};

} // namespace simulation
