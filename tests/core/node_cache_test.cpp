// SPDX-License-Identifier: BSL-1.0
#include <sluice/core/node_cache.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

TEST_SUITE("core/node_cache") {

    using sluice::core::node_cache;

    TEST_CASE("what was given is taken again, and nothing twice") {
        node_cache cache;
        std::set<void*> held;
        for (int i = 0; i < 100; ++i) CHECK(held.insert(cache.allocate()).second);
        const std::set<void*> first = held;
        for (void* const block : held) cache.deallocate(block);
        held.clear();
        for (int i = 0; i < 100; ++i) {
            void* const block = cache.allocate();
            CHECK(first.contains(block));
            CHECK(held.insert(block).second);
        }
        for (void* const block : held) cache.deallocate(block);
        cache.shrink();
        cache.deallocate(cache.allocate());
    }

    // The system may give the same address again: what is counted is how many of the old ones come back.
    TEST_CASE("no more is kept than its limit") {
        node_cache cache;
        std::vector<void*> held(3 * cache.most());
        for (void*& block : held) block = cache.allocate();
        const std::vector<void*> last(held.begin(),
                                      held.begin() + static_cast<std::ptrdiff_t>(cache.most())); // given first, so kept
        for (void* const block : held) cache.deallocate(block);
        std::set<void*> kept;
        for (std::size_t i = 0; i < cache.most(); ++i) kept.insert(cache.allocate());
        CHECK(kept == std::set<void*>(last.begin(), last.end()));
        for (void* const block : kept) cache.deallocate(block);
    }

    /// A block that two threads held at once would lose one's mark.
    TEST_CASE("many threads take and give, each what another one has taken") {
        constexpr int threads = 4, rounds = 20'000;
        node_cache cache;
        std::vector<std::atomic<void*>> handed(16);
        std::atomic<int> broken{0};
        const auto work = [&](int me) {
            for (int i = 0; i < rounds; ++i) {
                void* const mine = cache.allocate();
                std::memset(mine, me, node_cache::block_size);
                void* const other = handed[static_cast<std::size_t>(i) % handed.size()].exchange(mine);
                if (!other) continue;
                const auto* const bytes = static_cast<const unsigned char*>(other);
                for (std::size_t at = 1; at < node_cache::block_size; ++at) broken += bytes[at] != bytes[0];
                cache.deallocate(other);
                if (i % 1000 == 0) cache.shrink();
            }
        };
        std::vector<std::thread> all;
        for (int t = 0; t < threads; ++t) all.emplace_back(work, t + 1);
        for (std::thread& t : all) t.join();
        for (const std::atomic<void*>& left : handed)
            if (left) cache.deallocate(left);
        CHECK(broken == 0);
    }

} // TEST_SUITE
