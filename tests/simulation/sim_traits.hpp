// SPDX-License-Identifier: BSL-1.0
// The simulated world as the library's `Traits`.
#pragma once

#include "sim_resolver.hpp"
#include "sim_stream.hpp"
#include "sim_timer.hpp"

#include <span>

namespace simulation {

struct sim_traits {
    using clock = virtual_clock;
    static nanoseconds wall_clock() { return network::running().wall_time().time_since_epoch(); }

    template <class Executor>
    using timer = sim_timer<Executor>;
    template <class Executor>
    using stream = sim_stream<Executor>;
    template <class Executor>
    using resolver = sim_resolver<Executor>;

    static void random(std::span<std::byte> out) { world::running().randomness().fill(out); }
};

} // namespace simulation
