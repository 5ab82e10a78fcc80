// SPDX-License-Identifier: BSL-1.0
// When silence becomes a ping, and when it becomes the end.
#include <sluice/core/keep_alive.hpp>

#include <doctest/doctest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using sluice::core::keep_alive;
using verdict = keep_alive::verdict;

TEST_CASE("keep_alive: one ping after the interval, the end after two") {
    keep_alive k(30s);
    k.heard(100s);
    CHECK(k.check(100s) == verdict::fine);
    CHECK(k.check(130s - 1ns) == verdict::fine);
    CHECK(k.check(130s) == verdict::ping);
    CHECK(k.check(131s) == verdict::fine);
    CHECK(k.check(160s - 1ns) == verdict::fine);
    CHECK(k.check(160s) == verdict::gone);
}

TEST_CASE("keep_alive: anything heard begins a new silence") {
    keep_alive k(30s);
    k.heard(0s);
    CHECK(k.check(30s) == verdict::ping);
    k.heard(59s);
    CHECK(k.last_heard() == 59s);
    CHECK(k.check(60s) == verdict::fine);
    CHECK(k.check(89s) == verdict::ping);
    CHECK(k.check(119s) == verdict::gone);
}

TEST_CASE("keep_alive: a check that comes late leaves the peer its time to answer") {
    keep_alive k(30s);
    k.heard(0s);
    CHECK(k.check(500s) == verdict::ping);
    CHECK(k.check(501s) == verdict::fine);
    CHECK(k.check(530s) == verdict::gone);
}

TEST_CASE("keep_alive: an interval of 0 is off") {
    keep_alive k(0s);
    CHECK_FALSE(k.enabled());
    k.heard(0s);
    CHECK(k.check(24h) == verdict::fine);
}

} // namespace
