// SPDX-License-Identifier: BSL-1.0
// When a write that gets nowhere is the end of its socket.
#include <sluice/core/write_watch.hpp>

#include <doctest/doctest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using sluice::core::write_watch;

TEST_CASE("write_watch: progress counts, not the whole") {
    write_watch w(30s);
    CHECK_FALSE(w.stalled(1000s)); // nothing is being written
    w.moved(1000s);
    CHECK_FALSE(w.stalled(1030s - 1ns));
    w.moved(1029s);
    CHECK_FALSE(w.stalled(1059s - 1ns));
    CHECK(w.stalled(1059s));
    w.done();
    CHECK_FALSE(w.stalled(2000s));
}

TEST_CASE("write_watch: a limit of 0 is none") {
    write_watch w(0s);
    w.moved(1s);
    CHECK_FALSE(w.stalled(1'000'000s));
}

} // namespace
