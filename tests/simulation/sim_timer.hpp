// SPDX-License-Identifier: BSL-1.0
// A timer in virtual time.
#pragma once

#include "operations.hpp"

namespace simulation {

struct virtual_clock {
    using duration = nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<virtual_clock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept { return time_point(world::running().now()); }
};

/// What the library uses of `asio::basic_waitable_timer`, for one waiter.
template <class Executor>
class sim_timer {
public:
    using duration = virtual_clock::duration;

    explicit sim_timer(const Executor& executor) : executor_(executor) { ++world_.timers; }
    sim_timer(const sim_timer&) = delete;
    sim_timer& operator=(const sim_timer&) = delete;
    ~sim_timer() {
        cancel();
        --world_.timers;
    }

    void expires_after(nanoseconds d) {
        cancel();
        expiry_ = world_.now() + d;
    }
    void cancel() {
        world_.forget(ticket_);
        wait_.complete(asio::error::operation_aborted);
    }
    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(std::error_code)>(
            [this](auto handler) {
                wait_.start(executor_, std::move(handler), [](auto& h, std::error_code ec, std::size_t) { h(ec); });
                ticket_ = world_.at(expiry_, [this] { wait_.complete({}); });
            },
            token);
    }

private:
    world& world_ = world::running();
    Executor executor_;
    nanoseconds expiry_{};
    world::ticket ticket_{};
    place wait_{};
};

} // namespace simulation
