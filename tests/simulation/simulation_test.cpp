// SPDX-License-Identifier: BSL-1.0
// A few hundred schedules; tests/run simulate does more.
#include "heap.hpp"

#include <doctest/doctest.h>

TEST_CASE("the contract holds under faults") {
    std::size_t messages = 0, faults = 0, persisted = 0;
    constexpr std::uint64_t schedules = 300;
    for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
        const std::size_t before = simulation::heap_in_use();
        const simulation::report r = simulation::simulate(seed);
        if (r.violations.empty() && simulation::heap_in_use() > before)
            CHECK_MESSAGE(!simulation::leaks(seed), "seed ", seed, " leaks");
        messages += r.messages;
        faults += r.faults;
        persisted += r.persisted;
        for (const std::string& violation : r.violations) FAIL_CHECK("seed ", seed, ": ", violation);
    }
    CHECK(messages >= 20 * schedules);
    CHECK(faults >= 2 * schedules);
    CHECK(persisted >= messages / 3);
}

TEST_CASE("a seed gives the same run twice") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const simulation::report first = simulation::simulate(seed, true), second = simulation::simulate(seed, true);
        CHECK(first.trace == second.trace);
        CHECK(first.steps == second.steps);
    }
}
