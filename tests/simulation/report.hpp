// SPDX-License-Identifier: BSL-1.0
// What became of a schedule. Who runs one needs no more than this: the producer, the server and the network between
// them are compiled once, in library/.
#pragma once

#include "schedule.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

struct report {
    std::vector<std::string> violations{};
    std::string trace{};
    std::size_t messages = 0, faults = 0, lines = 0, persisted = 0;
    std::uint64_t steps = 0;
    nanoseconds lasted{};
    std::vector<std::pair<std::size_t, std::size_t>> bytes{}; ///< of each connection: to the server, to the client
};

/// From its beginning to its end.
report simulate(const schedule& s, bool tracing = false);

/// The schedule of a seed.
inline report simulate(std::uint64_t seed, bool tracing = false) { return simulate(scheduler(seed).draw(), tracing); }

} // namespace simulation
