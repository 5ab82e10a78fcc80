// SPDX-License-Identifier: BSL-1.0
// The queue between senders and the strand: its order, who is told to wake, its end, and many threads at once.
#include <sluice/core/accumulator.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

using sluice::core::accumulator;
using sluice::core::node;
using pushed = accumulator::pushed;

struct item : node {
    int value = 0;
    int pusher = 0;
    item() = default;
    explicit item(int v) : value(v) {}
};

std::vector<int> values(node* first) {
    std::vector<int> all;
    for (; first; first = first->next) all.push_back(static_cast<item*>(first)->value);
    return all;
}

/// Linked through `next`, oldest first, as a `send_all` hands them over.
void chain(std::vector<item>& items) {
    for (std::size_t i = 0; i + 1 < items.size(); ++i) items[i].next = &items[i + 1];
}

TEST_CASE("accumulator: only the push that replaces armed wakes") {
    accumulator a;
    std::array<item, 5> n{};
    CHECK(a.push(&n[0]) == pushed::wake); // it starts armed
    CHECK(a.push(&n[1]) == pushed::queued);
    CHECK(a.take() == &n[0]);
    CHECK(a.take() == nullptr);
    CHECK(a.push(&n[2]) == pushed::queued); // taken empty is not armed
    CHECK_FALSE(a.arm());                   // there is work
    CHECK(a.take() == &n[2]);
    CHECK(a.arm());
    CHECK(a.arm()); // armed already
    CHECK(a.take() == nullptr);
    CHECK(a.push(&n[3]) == pushed::wake); // an empty take does not disarm
    CHECK(a.push(&n[4]) == pushed::queued);
}

TEST_CASE("accumulator: what is taken is in the order of the pushes") {
    accumulator a;
    std::vector<item> n;
    for (int i = 0; i < 100; ++i) n.emplace_back(i);
    for (item& each : n) a.push(&each);
    std::vector<int> expected;
    for (int i = 0; i < 100; ++i) expected.push_back(i);
    CHECK(values(a.take()) == expected);
}

TEST_CASE("accumulator: chains keep their own order and their place") {
    for (const int length : {1, 2, 3, 7}) {
        CAPTURE(length);
        accumulator a;
        std::vector<item> many;
        for (int i = 0; i < length; ++i) many.emplace_back(10 + i);
        chain(many);
        item before(1), after(99);
        many.back().next = &before; // what stands behind the last of the chain is not looked at
        CHECK(a.push(&before) == pushed::wake);
        CHECK(a.push(&many.front(), &many.back()) == pushed::queued);
        CHECK(a.push(&after) == pushed::queued);
        std::vector<int> expected{1};
        for (int i = 0; i < length; ++i) expected.push_back(10 + i);
        expected.push_back(99);
        CHECK(values(a.take()) == expected);
    }
}

TEST_CASE("accumulator: a chain wakes once") {
    accumulator a;
    std::vector<item> many(3);
    chain(many);
    CHECK(a.push(&many.front(), &many.back()) == pushed::wake);
    CHECK_FALSE(a.arm());
}

TEST_CASE("accumulator: close") {
    SUBCASE("armed: nobody was told, nothing is left") {
        accumulator a;
        const auto rest = a.close();
        CHECK(rest.first == nullptr);
        CHECK(rest.was_armed);
    }
    SUBCASE("with work: it is handed out, oldest first") {
        accumulator a;
        std::vector<item> n(3);
        for (int i = 0; i < 3; ++i) n[static_cast<std::size_t>(i)].value = i;
        for (item& each : n) a.push(&each);
        const auto rest = a.close();
        CHECK(values(rest.first) == std::vector<int>{0, 1, 2});
        CHECK_FALSE(rest.was_armed);
    }
    SUBCASE("empty, and twice") {
        accumulator a;
        item n;
        a.push(&n);
        CHECK(a.take() == &n);
        const auto rest = a.close();
        CHECK(rest.first == nullptr);
        CHECK_FALSE(rest.was_armed);
        const auto again = a.close();
        CHECK(again.first == nullptr);
        CHECK_FALSE(again.was_armed);
    }
    SUBCASE("afterwards: pushes are turned away, with their chains as they came") {
        accumulator a;
        a.close();
        std::vector<item> many;
        for (int i = 0; i < 4; ++i) many.emplace_back(i);
        chain(many);
        CHECK(a.push(&many.front(), &many.back()) == pushed::closed);
        CHECK(values(&many.front()) == std::vector<int>{0, 1, 2, 3});
        item one(5);
        one.next = &many.front(); // left over from an earlier life: whoever walks the chain would go on into it
        CHECK(a.push(&one) == pushed::closed);
        CHECK(one.next == nullptr);
        CHECK(a.take() == nullptr);
        CHECK_FALSE(a.arm());
    }
}

// A push whose exchange fails has linked its node to the list that was there. If what it lost to is `close`, that link
// must not stay: the node is then walked as a chain of its own, while the strand owns the rest.
TEST_CASE("accumulator: a push that loses to close has no link into the list") {
    for (int round = 0; round < 2000; ++round) {
        accumulator a;
        int reason = 0; // written before `close`, read by who is turned away
        constexpr int pushers = 3;
        std::atomic<int> ready{0};
        std::array<std::array<item, 8>, pushers> n{};
        std::array<bool, pushers> clean{};
        std::vector<std::thread> threads;
        for (std::size_t p = 0; p < pushers; ++p)
            threads.emplace_back([&, p] {
                clean[p] = true;
                ready.fetch_add(1);
                while (ready.load() < pushers) {}
                for (item& each : n[p])
                    if (a.push(&each) == pushed::closed && (each.next != nullptr || reason != 7)) clean[p] = false;
            });
        while (ready.load() < pushers) {}
        reason = 7;
        a.close();
        for (std::thread& t : threads) t.join();
        for (const bool c : clean) REQUIRE(c);
    }
}

TEST_CASE("accumulator: eight threads, one taker, no lost wakeup") {
    constexpr int threads = 8;
    constexpr int each = 200'000;
    accumulator a;
    std::atomic<unsigned> wakes{0}; // what the pusher's post is to a strand
    std::vector<std::unique_ptr<item[]>> items;
    for (int t = 0; t < threads; ++t) items.push_back(std::make_unique<item[]>(each));

    int sleeper = 0; // what the armed producer holds to itself: handed to the pusher that wakes, and back
    std::vector<std::thread> pushers;
    for (int t = 0; t < threads; ++t)
        pushers.emplace_back([&, t] {
            item* const mine = items[static_cast<std::size_t>(t)].get();
            for (int i = 0; i < each;) {
                item* const first = &mine[i];
                const int length = i % 17 == 0 && i + 3 <= each ? 3 : 1;
                for (int k = 0; k < length; ++k) {
                    mine[i + k].value = i + k;
                    mine[i + k].pusher = t;
                    mine[i + k].next = k + 1 < length ? &mine[i + k + 1] : nullptr;
                }
                i += length;
                if (a.push(first, first + (length - 1)) == pushed::wake) {
                    ++sleeper; // not atomic: the exchanges order it
                    wakes.fetch_add(1, std::memory_order_release);
                    wakes.notify_one();
                }
            }
        });

    std::array<int, threads> next{};
    unsigned armed = 1, woken = 1; // it starts armed
    bool in_order = true;
    wakes.wait(0, std::memory_order_acquire);
    for (int left = threads * each; left > 0;) {
        node* n = a.take();
        if (!n) {
            ++sleeper;
            if (!a.arm()) {
                --sleeper;
                continue;
            }
            ++armed;
            wakes.wait(woken++, std::memory_order_acquire); // for ever, if the wakeup is lost
            continue;
        }
        for (; n; n = n->next) {
            const auto* const i = static_cast<item*>(n);
            in_order = in_order && next[static_cast<std::size_t>(i->pusher)]++ == i->value;
            --left;
        }
    }
    for (std::thread& t : pushers) t.join();
    CHECK(in_order);
    for (const int n : next) CHECK(n == each);
    CHECK(wakes.load() == armed); // each arming was answered by exactly one wake
    CHECK(sleeper == static_cast<int>(armed - 1 + wakes.load()));
    CHECK(a.take() == nullptr);
}

} // namespace
