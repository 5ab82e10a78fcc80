// SPDX-License-Identifier: BSL-1.0
// Which message times out next, against a naive model.
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
    d.add(&n, false);
    d.add(&n, true);
    CHECK(d.empty());
    d.remove(&n); // without effect
}

TEST_CASE("deadlines: at the instant itself it is over, and it is kept until it is removed") {
    for (const bool own : {false, true}) {
        CAPTURE(own);
        deadlines d;
        send_node n;
        n.deadline = instant(100);
        d.add(&n, own);
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
}

TEST_CASE("deadlines: the producer's are first in, first out") {
    deadlines d;
    std::vector<send_node> n(4);
    for (std::size_t i = 0; i < n.size(); ++i) {
        n[i].deadline = instant(10 * static_cast<int>(i + 1));
        d.add(&n[i], false);
    }
    d.remove(&n[1]); // from the middle
    CHECK(d.expired(instant(1000)) == &n[0]);
    d.remove(&n[0]);
    CHECK(d.expired(instant(29)) == nullptr);
    CHECK(d.expired(instant(30)) == &n[2]);
    d.remove(&n[3]); // from the end
    d.remove(&n[2]);
    CHECK(d.empty());
    n[1].deadline = instant(50);
    d.add(&n[1], false);
    CHECK(d.expired(instant(50)) == &n[1]);
}

TEST_CASE("deadlines: seeded, against a search through all") {
    struct entry {
        std::unique_ptr<send_node> node;
        bool own;
    };
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto span = 1 + random() % 1000; // few values: equal deadlines
        deadlines d;
        std::vector<entry> model;
        instant now(0);
        for (int step = 0; step < 500; ++step) {
            now += instant(random() % 5);
            switch (random() % 4) {
            case 0:
            case 1: {
                entry e{std::make_unique<send_node>(), random() % 2 == 0};
                e.node->deadline = e.own ? now + instant(random() % span) : now + instant(200);
                d.add(e.node.get(), e.own);
                model.push_back(std::move(e));
                break;
            }
            case 2:
                if (!model.empty()) {
                    const std::size_t i = random() % model.size();
                    d.remove(model[i].node.get());
                    CHECK(model[i].node->heap_index == 0);
                    CHECK_FALSE(model[i].node->timed);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(i));
                }
                break;
            default:
                while (send_node* n = d.expired(now)) {
                    REQUIRE(n->deadline <= now);
                    bool first_of_its_kind = true;
                    std::size_t at = model.size();
                    for (std::size_t i = 0; i < model.size(); ++i)
                        if (model[i].node.get() == n) at = i;
                    REQUIRE(at < model.size());
                    for (const entry& e : model)
                        if (e.own == model[at].own && e.node->deadline < n->deadline) first_of_its_kind = false;
                    REQUIRE(first_of_its_kind);
                    d.remove(n);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
                }
                for (const entry& e : model) REQUIRE(e.node->deadline > now); // none was forgotten
            }
            REQUIRE(d.empty() == model.empty());
        }
    }
}

} // namespace
