// SPDX-License-Identifier: BSL-1.0
// The accumulator under threads that push and one that takes, arms and sleeps: nobody sleeps while there is work, and
// nothing is lost. What a lost wakeup leaves behind is found when all is over, so no test has to wait for it.
#include <sluice/core/accumulator.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <semaphore>
#include <thread>
#include <vector>

namespace {

using sluice::core::accumulator;
using sluice::core::node;
using pushed = accumulator::pushed;

struct item : node {
    std::size_t pusher = 0, number = 0;
};

/// A little work between two pushes, now more, now less: the taker gets to its end, and arms, at every moment of a
/// push.
class idler {
public:
    explicit idler(std::uint32_t seed) : state_(seed) {}
    void operator()() {
        state_ = state_ * 1664525u + 1013904223u;
        for (std::uint32_t n = state_ >> 25; n != 0; --n) spun_.fetch_add(1, std::memory_order_relaxed);
    }

private:
    std::uint32_t state_;
    std::atomic<std::uint32_t> spun_{0};
};

/// One round: each pusher hands its items over, in chains of one to three.
class round {
public:
    /// Without pauses a pusher is inside of a push nearly all the time.
    round(std::size_t pushers, std::size_t each, bool pauses)
        : items_(pushers), refused_(pushers, each), pauses_(pauses) {
        for (std::size_t p = 0; p < pushers; ++p) {
            items_[p] = std::vector<item>(each);
            for (std::size_t i = 0; i < each; ++i) {
                items_[p][i].pusher = p;
                items_[p][i].number = i;
            }
        }
    }

    /// `close_after`: items, after which the taker closes the accumulator; 0: it never does.
    void play(std::size_t close_after) {
        std::thread taker([&] { take_all(close_after); });
        std::vector<std::thread> pushers;
        for (std::size_t p = 0; p < items_.size(); ++p) pushers.emplace_back([this, p] { push_all(p); });
        for (std::thread& t : pushers) t.join();
        over_ = true;
        bell_.release();
        taker.join();
    }

    void check() const {
        // Each time that it was armed, at first and by the taker, one pusher was told to wake, or the end found it so.
        CHECK(told_.load() + (ended_armed_ ? 1 : 0) == 1 + arms_);
        CHECK(in_order_);
        // What was taken and what was turned away are all there is; the latter came last.
        for (std::size_t p = 0; p < items_.size(); ++p) CHECK(next_[p] == refused_[p]);
    }

private:
    void push_all(std::size_t p) {
        idler idle(static_cast<std::uint32_t>(p + 1));
        std::vector<item>& mine = items_[p];
        for (std::size_t i = 0; i < mine.size();) {
            const std::size_t n = std::min<std::size_t>(1 + i % 3, mine.size() - i);
            for (std::size_t k = 0; k + 1 < n; ++k) mine[i + k].next = &mine[i + k + 1];
            switch (queue_.push(&mine[i], &mine[i + n - 1])) {
            case pushed::queued: break;
            case pushed::wake:
                ++told_;
                bell_.release();
                break;
            case pushed::closed: refused_[p] = i; return;
            }
            i += n;
            if (pauses_) idle();
        }
    }

    void take_all(std::size_t close_after) {
        next_.assign(items_.size(), 0);
        std::size_t taken = 0, answered = 0;
        bool armed = true; // it begins so
        for (;;) {
            if (armed) {
                bell_.acquire();
                if (over_ && answered == told_) { // the last bell, and no pusher rang it
                    ended_armed_ = true;
                    return;
                }
                ++answered;
            }
            taken += receive(queue_.take());
            armed = queue_.arm();
            if (armed) ++arms_;
            if (close_after == 0 || taken < close_after) continue;
            const accumulator::remainder rest = queue_.close();
            receive(rest.first);
            ended_armed_ = rest.was_armed;
            return;
        }
    }
    std::size_t receive(const node* first) {
        std::size_t n = 0;
        for (; first != nullptr; first = first->next, ++n) {
            const auto* const i = static_cast<const item*>(first);
            in_order_ = in_order_ && i->number == next_[i->pusher];
            next_[i->pusher] = i->number + 1;
        }
        return n;
    }

    accumulator queue_{};
    std::counting_semaphore<> bell_{0};
    std::vector<std::vector<item>> items_;
    std::vector<std::size_t> refused_; ///< the first that was turned away; as many as there are, if none was
    bool pauses_;
    std::vector<std::size_t> next_{};  ///< of each pusher: how many were taken
    std::atomic<std::size_t> told_{0}; ///< pushes that were told to wake
    std::size_t arms_ = 0;
    bool ended_armed_ = false, in_order_ = true;
    std::atomic<bool> over_{false};
};

} // namespace

TEST_CASE("accumulator: no push goes unnoticed by a taker that sleeps") {
    for (const std::size_t pushers : {1u, 2u, 3u}) {
        CAPTURE(pushers);
        round r(pushers, 150'000, true);
        r.play(0);
        r.check();
    }
}

TEST_CASE("accumulator: closed while others push, everything is either taken or turned away") {
    for (std::size_t i = 1; i <= 2000; ++i) {
        CAPTURE(i);
        const bool pauses = i % 8 == 0;
        round r(3, pauses ? 600 : 3000, pauses);
        r.play(i % 300 * 5 + 1);
        r.check();
    }
}
