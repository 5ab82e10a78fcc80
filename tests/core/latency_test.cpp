// SPDX-License-Identifier: BSL-1.0
// The histogram of latencies: its accuracy, its ends.
#include <sluice/core/latency.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sluice::core::latency_histogram;

std::chrono::microseconds reading(std::chrono::nanoseconds d) {
    latency_histogram h;
    h.add(d);
    const auto r = h.percentile(0.5);
    CHECK(h.percentile(0.0) == r);
    CHECK(h.percentile(1.0) == r);
    return r;
}

TEST_CASE("latency: nothing measured") {
    const latency_histogram h;
    CHECK(h.percentile(0.5) == 0us);
    CHECK(h.percentile(1.0) == 0us);
}

TEST_CASE("latency: small ones are exact, the others at most an eighth too high, never too low") {
    for (int us = 0; us < 16; ++us) CHECK(reading(std::chrono::microseconds(us)) == std::chrono::microseconds(us));
    CHECK(reading(999ns) == 0us);
    for (std::int64_t us = 16; us < 30'000'000'000; us += 1 + us / 7) {
        const auto r = reading(std::chrono::microseconds(us)).count();
        REQUIRE(r >= us);
        REQUIRE(r <= us + us / 8);
    }
    for (unsigned power = 4; power < 35; ++power) // the borders of the buckets
        for (const std::int64_t us :
             {(std::int64_t{1} << power) - 1, std::int64_t{1} << power, (std::int64_t{1} << power) + 1}) {
            const auto r = reading(std::chrono::microseconds(us)).count();
            REQUIRE(r >= us);
            REQUIRE(r <= us + us / 8);
        }
}

TEST_CASE("latency: out of range is kept in") {
    CHECK(reading(-5s) == 0us);
    CHECK(reading(std::chrono::nanoseconds::min()) == 0us);
    CHECK(reading(std::chrono::nanoseconds::max()) > 9h);
}

TEST_CASE("latency: percentiles against sorting") {
    std::mt19937 random(5);
    latency_histogram h;
    std::vector<std::int64_t> all;
    for (int i = 0; i < 10'000; ++i) {
        const std::int64_t us = 1 << (random() % 20);
        const std::int64_t value = us + static_cast<std::int64_t>(random() % 1000);
        all.push_back(value);
        h.add(std::chrono::microseconds(value));
    }
    std::sort(all.begin(), all.end());
    for (const double p : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        CAPTURE(p);
        const auto exact = all[static_cast<std::size_t>(p * 9999.0)];
        const auto r = h.percentile(p).count();
        CHECK(r >= exact);
        CHECK(r <= exact + exact / 8);
    }
}

} // namespace
