// SPDX-License-Identifier: BSL-1.0
// Whether there is room at once: the count that senders and the strand share.
#include <sluice/core/admission.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using sluice::core::admission;

TEST_CASE("admission: exactly the limit") {
    admission a({3, 1000});
    CHECK(a.reserve(0));
    CHECK(a.reserve(0));
    CHECK(a.reserve(0));
    CHECK_FALSE(a.reserve(0));
    CHECK_FALSE(a.reserve(0)); // a refusal leaves nothing behind
    a.give_back(0);
    CHECK(a.reserve(0));
    CHECK_FALSE(a.reserve(0));
}

TEST_CASE("admission: what the strand holds counts until it is answered") {
    admission a({3, 1000});
    CHECK(a.reserve(0));
    CHECK(a.reserve(0));
    a.hold({2, 0}, {2, 0}); // taken over
    CHECK(a.reserve(0));
    CHECK_FALSE(a.reserve(0));
    a.hold({1, 0}, {0, 0}); // one answered
    CHECK(a.reserve(0));
    CHECK_FALSE(a.reserve(0));
    a.hold({3, 0}, {2, 0});
    CHECK_FALSE(a.reserve(0));
    a.hold({0, 0}, {0, 0});
    CHECK(a.reserve(0));
}

TEST_CASE("admission: sends that suspend may have filled more than the limit") {
    admission a({2, 1000});
    a.hold({10, 0}, {0, 0});
    CHECK_FALSE(a.reserve(0));
    a.hold({1, 0}, {0, 0});
    CHECK(a.reserve(0));
    CHECK_FALSE(a.reserve(0));
}

TEST_CASE("admission: bytes too, and one that is alone however large") {
    admission a({10, 100});
    CHECK(a.reserve(500));
    CHECK_FALSE(a.reserve(1));
    CHECK_FALSE(a.reserve(0)); // the bytes are used up, and more
    a.give_back(500);
    CHECK(a.reserve(60));
    CHECK_FALSE(a.reserve(41));
    CHECK(a.reserve(40));
    a.hold({2, 100}, {2, 100});
    CHECK_FALSE(a.reserve(1));
    CHECK(a.reserve(0));
    a.hold({1, 40}, {0, 0});
    CHECK(a.reserve(60));
    CHECK_FALSE(a.reserve(1));
}

TEST_CASE("admission: more than its counters hold is over the limit, and nothing else") {
    admission a({1'000'000, 1u << 30});
    a.hold({5'000'000, std::size_t{1} << 50}, {0, 0});
    CHECK_FALSE(a.reserve(1));
    a.hold({0, 0}, {0, 0});
    CHECK(a.reserve(1u << 30));
    CHECK_FALSE(a.reserve(1));
}

TEST_CASE("admission: many threads never get past the limit") {
    constexpr std::size_t limit = 5;
    admission a({limit, 1000});
    std::atomic<std::size_t> underway{0}, answered{0};
    std::atomic<bool> exceeded{false}, stop{false};
    std::vector<std::thread> senders;
    std::atomic<int> admitted{0};
    for (int t = 0; t < 4; ++t)
        senders.emplace_back([&] {
            while (!stop.load(std::memory_order_relaxed)) {
                if (!a.reserve(0)) {
                    std::this_thread::yield();
                    continue;
                }
                admitted.fetch_add(1);
                if (underway.fetch_add(1) + 1 > limit + answered.load()) exceeded = true;
            }
        });
    // The strand: takes over what is underway, and answers it.
    std::size_t seen = 0, held = 0;
    while (seen < 20'000) {
        const std::size_t fresh = underway.load() - seen;
        seen += fresh;
        held += fresh;
        if (held > limit) exceeded = true;
        a.hold({held, 0}, {fresh, 0});
        if (held != 0) {
            const std::size_t done = held;
            answered.fetch_add(done);
            held = 0;
            a.hold({held, 0}, {0, 0});
        }
    }
    stop = true;
    for (std::thread& t : senders) t.join();
    CHECK_FALSE(exceeded);
    CHECK(admitted >= 20'000);
}

} // namespace
