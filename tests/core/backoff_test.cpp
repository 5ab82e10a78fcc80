// SPDX-License-Identifier: BSL-1.0
// How long before the next attempt, as tables.
#include <sluice/core/backoff.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace {

using namespace std::chrono_literals;
using sluice::reconnect_policy;
using sluice::core::backoff_delay;

constexpr std::uint64_t lowest = 0;
constexpr std::uint64_t middle = std::uint64_t{1} << 63;
constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();

TEST_CASE("backoff: the ceiling doubles up to the maximum; the delay is uniform in 0 .. ceiling") {
    struct row {
        unsigned attempt;
        std::chrono::milliseconds half, ceiling;
    };
    const reconnect_policy usual{};
    for (const row& r :
         {row{0, 50ms, 100ms}, row{1, 100ms, 200ms}, row{2, 200ms, 400ms}, row{3, 400ms, 800ms},
          row{8, 12'800ms, 25'600ms}, row{9, 15'000ms, 30'000ms}, row{10, 15'000ms, 30'000ms},
          row{1'000'000'000, 15'000ms, 30'000ms}, row{std::numeric_limits<unsigned>::max(), 15'000ms, 30'000ms}}) {
        CAPTURE(r.attempt);
        CHECK(backoff_delay(usual, r.attempt, lowest) == 0ms);
        CHECK(backoff_delay(usual, r.attempt, middle) == r.half);
        CHECK(backoff_delay(usual, r.attempt, highest) == r.ceiling);
    }
}

TEST_CASE("backoff: other policies") {
    struct row {
        reconnect_policy policy;
        unsigned attempt;
        std::chrono::milliseconds ceiling;
    };
    for (const row& r :
         {row{{1ms, 1ms, 2.0}, 50, 1ms}, row{{100ms, 100ms, 2.0}, 0, 100ms}, row{{100ms, 1000ms, 3.0}, 2, 900ms},
          row{{100ms, 1000ms, 3.0}, 3, 1000ms}, row{{100ms, 1000ms, 1.5}, 2, 225ms},
          row{{1ms, 86'400'000ms, 100.0}, 4, 86'400'000ms}, row{{7ms, 1023ms, 100.0}, 9, 1023ms}}) {
        CAPTURE(r.attempt);
        CHECK(backoff_delay(r.policy, r.attempt, highest) == r.ceiling);
        CHECK(backoff_delay(r.policy, r.attempt, lowest) == 0ms);
    }
}

TEST_CASE("backoff: a multiplier of one ends at any attempt") {
    // The widest policy that `validate` allows, at an attempt that a year of failures does not reach.
    CHECK(backoff_delay({100ms, 30'000ms, 1.0}, 100'000'000, highest) == 100ms);
}

TEST_CASE("backoff: all delays are as likely") {
    const reconnect_policy small{9ms, 9ms, 1.0};
    int counts[10] = {};
    std::uint64_t random = 1;
    for (int i = 0; i < 100'000; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        ++counts[backoff_delay(small, 0, random).count()];
    }
    for (const int n : counts) {
        CHECK(n > 9'500);
        CHECK(n < 10'500);
    }
}

} // namespace
