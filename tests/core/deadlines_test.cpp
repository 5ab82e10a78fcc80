// SPDX-License-Identifier: BSL-1.0
// Which message with a deadline of its own times out next, against a naive model.
#include <sluice/core/deadlines.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

namespace {

using sluice::core::deadlines;
using sluice::core::instant;
using sluice::core::never;
using sluice::core::send_node;

TEST_CASE("deadlines: from a limit") {
    using sluice::core::deadline_after;
    using std::chrono::milliseconds;
    CHECK(deadline_after(instant(5), milliseconds(2)) == instant(2'000'005));
    CHECK(deadline_after(instant(5), milliseconds(0)) == never);
    CHECK(deadline_after(instant(5), milliseconds(-1)) == never);
    CHECK(deadline_after(instant(5), milliseconds::max()) == never);
    CHECK(deadline_after(instant(5), milliseconds::min()) == never);
    CHECK(deadline_after(never - milliseconds(10), milliseconds(9)) == never - milliseconds(1));
    CHECK(deadline_after(never - milliseconds(10), milliseconds(10)) == never);
    CHECK(deadline_after(never - milliseconds(10), milliseconds(11)) == never);
}

TEST_CASE("deadlines: none") {
    deadlines d;
    CHECK(d.empty());
    CHECK(d.expired(never) == nullptr);
}

TEST_CASE("deadlines: never is not kept") {
    deadlines d;
    send_node n;
    d.add(&n);
    CHECK(d.empty());
    d.remove(&n); // without effect
}

TEST_CASE("deadlines: at the instant itself it is over, and it is kept until it is removed") {
    deadlines d;
    send_node n;
    n.deadline = instant(100);
    d.add(&n);
    CHECK_FALSE(d.empty());
    CHECK(d.expired(instant(99)) == nullptr);
    CHECK(d.expired(instant(100)) == &n);
    CHECK(d.expired(instant(100)) == &n);
    d.remove(&n);
    CHECK(d.empty());
    CHECK(d.expired(instant(100)) == nullptr);
    d.remove(&n); // again: without effect
    CHECK(d.empty());
}

TEST_CASE("deadlines: seeded, against a search through all") {
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto span = 1 + random() % 1000; // few values: equal deadlines
        deadlines d;
        std::vector<std::unique_ptr<send_node>> model;
        instant now(0);
        for (int step = 0; step < 500; ++step) {
            now += instant(random() % 5);
            switch (random() % 4) {
            case 0:
            case 1: {
                auto n = std::make_unique<send_node>();
                n->deadline = now + instant(random() % span);
                d.add(n.get());
                model.push_back(std::move(n));
                break;
            }
            case 2:
                if (!model.empty()) {
                    const std::size_t i = random() % model.size();
                    d.remove(model[i].get());
                    CHECK(model[i]->heap_index == 0);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(i));
                }
                break;
            default:
                while (send_node* n = d.expired(now)) {
                    REQUIRE(n->deadline <= now);
                    bool first = true;
                    std::size_t at = model.size();
                    for (std::size_t i = 0; i < model.size(); ++i) {
                        if (model[i].get() == n) at = i;
                        first = first && model[i]->deadline >= n->deadline;
                    }
                    REQUIRE(at < model.size());
                    REQUIRE(first);
                    d.remove(n);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
                }
                for (const auto& n : model) REQUIRE(n->deadline > now); // none was forgotten
            }
            REQUIRE(d.empty() == model.empty());
        }
    }
}

} // namespace
