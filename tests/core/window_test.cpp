// SPDX-License-Identifier: BSL-1.0
// The ring of written, unanswered frames: its numbers, its bounds, its growth.
#include <sluice/core/window.hpp>

#include <doctest/doctest.h>

#include <map>
#include <random>

namespace {

using sluice::core::window;
using state = window::slot_state;

/// The context of the slot that is opened.
std::uint64_t open(window& w, std::uint32_t messages = 1, std::size_t bytes = 5) {
    const std::uint64_t context = w.next();
    w.open(messages, bytes);
    CHECK(w.next() == context + 1);
    return context;
}

TEST_CASE("window: contexts are consecutive and never given twice") {
    window w(10, 1000);
    CHECK(w.empty());
    CHECK(w.next() == 0);
    CHECK(open(w) == 0);
    CHECK(open(w) == 1);
    w.release(1);
    CHECK(open(w) == 2); // 1 is a hole behind 0, and stays one
    w.release(0);
    w.release(2);
    CHECK(w.empty());
    CHECK(w.oldest() == 3);
    CHECK(open(w) == 3);
}

TEST_CASE("window: what is not in it is not found") {
    window w(10, 1000);
    CHECK(w.find(0) == nullptr); // not even a ring
    w.open(1, 1);
    w.open(1, 1);
    w.open(1, 1);
    CHECK(w.find(0) != nullptr);
    CHECK(w.find(3) == nullptr);
    CHECK(w.find(~std::uint64_t{0}) == nullptr);
    w.release(1);
    CHECK(w.find(1) == nullptr);
    w.release(0);
    CHECK(w.oldest() == 2);
    CHECK(w.find(0) == nullptr);
    CHECK(w.find(16) == nullptr); // the same place in the ring as 0
    CHECK(w.find(18) == nullptr);
    CHECK(w.find(2) != nullptr);
}

TEST_CASE("window: bounded by messages and by bytes, each exactly") {
    window w(3, 100);
    CHECK(w.has_room(1, 100));
    w.open(1, 40);
    CHECK(w.has_room(1, 60));
    CHECK_FALSE(w.has_room(1, 61));
    CHECK(w.has_room(2, 60));
    CHECK_FALSE(w.has_room(3, 0));
    w.open(2, 60);
    CHECK(w.messages() == 3);
    CHECK(w.bytes() == 100);
    CHECK_FALSE(w.has_room(1, 0));
    w.release(0);
    CHECK(w.messages() == 2);
    CHECK(w.bytes() == 60);
    CHECK(w.has_room(1, 40));
}

TEST_CASE("window: what is over the bounds is let in alone") {
    window w(3, 100);
    CHECK(w.has_room(1, 101));
    CHECK(w.has_room(4, 1));
    w.open(1, 101);
    CHECK_FALSE(w.has_room(1, 0));
    w.release(0);
    CHECK(w.has_room(1, 100));
    w.open(1, 1);
    CHECK_FALSE(w.has_room(1, 101)); // not beside another one
}

TEST_CASE("window: a tombstone keeps its number and its share") {
    window w(2, 100);
    w.open(1, 10);
    w.open(1, 10);
    w.find(0)->state = state::tombstone;
    CHECK_FALSE(w.has_room(1, 1));
    CHECK(w.oldest() == 0);
    CHECK(w.first_live(0) == 1);
    CHECK(w.find(0) != nullptr);
    w.release(0);
    CHECK(w.oldest() == 1);
    CHECK(w.has_room(1, 1));
}

TEST_CASE("window: first_live") {
    window w(100, 10000);
    CHECK(w.first_live(0) == 0);
    for (int i = 0; i < 6; ++i) w.open(1, 1);
    w.release(0);
    w.release(3);
    w.find(4)->state = state::tombstone;
    CHECK(w.first_live(0) == 1);
    CHECK(w.first_live(2) == 2);
    CHECK(w.first_live(3) == 5);
    CHECK(w.first_live(6) == 6);
    w.release(5);
    CHECK(w.first_live(3) == w.next());
}

TEST_CASE("window: a slot that is used again knows nothing of its past") {
    window w(4, 1000);
    w.open(1, 7);
    w.find(0)->attempts = 9;
    w.find(0)->state = state::tombstone;
    w.release(0);
    for (int i = 0; i < 15; ++i) w.release(open(w));
    CHECK(open(w, 2, 3) == 16); // the place of 0 in a ring of 16
    const window::slot& s = *w.find(16);
    CHECK(s.attempts == 0);
    CHECK(s.state == state::live);
    CHECK(s.messages == 2);
    CHECK(s.bytes == 3);
    CHECK(s.chain.empty());
}

TEST_CASE("window: growth carries chains over, also where the ring wraps") {
    window w(1'000'000, 1'000'000);
    std::vector<sluice::core::send_node> nodes(500);
    std::uint64_t from = 0;
    for (; from < 13; ++from) w.release(open(w));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::uint64_t c = open(w);
        CHECK(c == from + i);
        w.find(c)->chain.push_back(&nodes[i]);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) REQUIRE(w.find(from + i)->chain.front() == &nodes[i]);
}

TEST_CASE("window: shrink gives back an empty ring alone, and numbers go on") {
    window w(1'000'000, 1'000'000);
    for (int i = 0; i < 300; ++i) w.open(1, 1);
    w.shrink();
    CHECK(w.find(299) != nullptr);
    for (std::uint64_t c = 0; c < 300; ++c) w.release(c);
    w.shrink();
    CHECK(w.find(299) == nullptr);
    CHECK(w.first_live(0) == 300);
    CHECK(open(w) == 300);
    CHECK(w.find(300) != nullptr);
}

TEST_CASE("window: against a map") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        window w(64, 4096);
        std::map<std::uint64_t, std::pair<std::uint32_t, std::size_t>> model;
        std::uint64_t next = 0;
        for (int step = 0; step < 2000; ++step) {
            const auto n = static_cast<std::uint32_t>(1 + random() % 4);
            const std::size_t bytes = random() % 300;
            std::size_t messages = 0, held = 0;
            for (const auto& [c, size] : model) messages += size.first, held += size.second;
            REQUIRE(w.messages() == messages);
            REQUIRE(w.bytes() == held);
            REQUIRE(w.empty() == model.empty());
            REQUIRE(w.next() == next);
            REQUIRE(w.oldest() == (model.empty() ? next : model.begin()->first));
            const bool room = model.empty() || (messages + n <= 64 && held + bytes <= 4096);
            REQUIRE(w.has_room(n, bytes) == room);
            if (room && random() % 2 == 0) {
                REQUIRE(open(w, n, bytes) == next);
                model[next++] = {n, bytes};
            } else if (!model.empty()) {
                auto it = model.begin();
                std::advance(it, static_cast<std::ptrdiff_t>(random() % model.size()));
                w.release(it->first);
                model.erase(it);
            }
            const std::uint64_t probe = next - std::min<std::uint64_t>(next, random() % 100);
            REQUIRE((w.find(probe) != nullptr) == (model.count(probe) != 0));
        }
    }
}

} // namespace
