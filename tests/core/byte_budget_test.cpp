// SPDX-License-Identifier: BSL-1.0
// A budget of bytes that producers share: what is taken, what comes back, and who is told.
#include "harness.hpp"

#include <sluice/byte_budget.hpp>

#include <atomic>
#include <thread>

namespace {

using namespace test;
using sluice::byte_budget;

struct counting_waiter final : byte_budget::waiter {
    std::atomic<int> told{0};
    bool able = true;
    bool room() noexcept override {
        if (!able) return false;
        ++told;
        told.notify_all();
        return true;
    }
};

TEST_CASE("byte_budget: all that is asked for, or what there is, or nothing") {
    byte_budget b(100);
    CHECK(b.limit() == 100);
    CHECK(b.take(10, 30) == 30);
    CHECK(b.take(71, 90) == 0);
    CHECK(b.take(70, 90) == 70);
    CHECK(b.take(1, 1) == 0);
    b.exceed(50);
    CHECK(b.used() == 150);
    b.give_back(51);
    CHECK(b.take(1, 10) == 1);
}

TEST_CASE("byte_budget: a waiter is told once, when bytes come back, or at once if they are there") {
    byte_budget b(100);
    const auto one = std::make_shared<counting_waiter>();
    const auto two = std::make_shared<counting_waiter>();
    CHECK(b.take(100, 100) == 100);
    b.wait(one, 10);
    b.wait(two, 10);
    CHECK(one->told == 0);
    b.give_back(5); // too little for either: both look, and wait again
    CHECK(one->told == 1);
    CHECK(two->told == 1);
    b.give_back(50);
    CHECK(one->told == 1);
    b.wait(one, 55);
    CHECK(one->told == 2);
    b.wait(one, 56);
    CHECK(one->told == 2);
    {
        const auto gone = std::make_shared<counting_waiter>();
        b.wait(gone, 100);
    }
    b.give_back(1);
    CHECK(one->told == 3);
}

TEST_CASE("byte_budget: who cannot be told is told with the next bytes") {
    byte_budget b(100);
    const auto poor = std::make_shared<counting_waiter>(), other = std::make_shared<counting_waiter>();
    CHECK(b.take(100, 100) == 100);
    b.wait(poor, 10);
    b.wait(other, 10);
    poor->able = false;
    b.give_back(10);
    CHECK(poor->told == 0);
    CHECK(other->told == 1);
    poor->able = true;
    b.give_back(10);
    CHECK(poor->told == 1);
    CHECK(other->told == 1);
}

TEST_CASE("byte_budget: threads that take, give back and wait: no wakeup is lost, nothing is taken twice") {
    constexpr std::size_t limit = 1000;
    byte_budget b(limit);
    std::atomic<bool> over{false};
    const auto work = [&](std::size_t size) {
        const auto me = std::make_shared<counting_waiter>();
        for (int i = 0; i < 20'000; ++i) {
            std::size_t got = 0;
            for (;;) {
                const int told = me->told;
                got = b.take(size, 2 * size);
                if (got != 0) break;
                b.wait(me, size);
                me->told.wait(told); // for ever, if its wakeup is lost
            }
            if (b.used() > limit) over = true;
            b.give_back(got);
        }
    };
    std::vector<std::thread> threads;
    for (const std::size_t size : {300u, 400u, 500u, 900u}) threads.emplace_back(work, size);
    for (std::thread& t : threads) t.join();
    CHECK_FALSE(over);
    CHECK(b.used() == 0);
}

// --- publishers that share one

struct sharing {
    explicit sharing(std::size_t limit) : budget(std::make_shared<byte_budget>(limit)) {
        options.budget = budget;
        options.batching_max_bytes = 4096;
    }
    std::shared_ptr<byte_budget> budget;
    producer_options options{};
};

TEST_CASE("budget: one publisher's bytes are the other's wait") {
    sharing s(1000);
    harness a(s.options), b(s.options);
    a.open();
    b.open();
    const int large = a.send(std::string(600, 'a'));
    CHECK(a.write_contexts() == contexts{0});
    CHECK(s.budget->used() == 600); // what was taken beyond it has come back
    const ids two{b.send(std::string(300, 'x')), b.send(std::string(101, 'y'))};
    CHECK(b.write_contexts() == contexts{0});
    CHECK(b.pub.short_of_budget() == 101);
    CHECK(s.budget->used() == 900);
    a.ack(0);
    CHECK(a.persisted(large));
    CHECK(s.budget->used() == 300);
    CHECK(b.write_contexts() == contexts{1});
    CHECK(b.pub.short_of_budget() == 0);
    b.ack(0);
    b.ack(1);
    CHECK(s.budget->used() == 0);
}

TEST_CASE("budget: who has nothing pending may exceed it by one message") {
    sharing s(1000);
    harness a(s.options), b(s.options);
    a.open();
    b.open();
    a.send(std::string(1000, 'a'));
    a.write_all();
    const ids sent = b.send_many(3, "m");
    CHECK(b.write_contexts() == contexts{0});
    CHECK(s.budget->used() == 1002);
    b.ack(0);
    CHECK(b.write_contexts() == contexts{1});
    b.ack(1);
    CHECK(b.write_contexts() == contexts{2});
    b.ack(2);
    CHECK(b.persisted(sent[2]));
    a.send("");
    CHECK(a.write_contexts() == contexts{1}); // no bytes, no wait
}

TEST_CASE("budget: fail and try_push are told that it is used up, who has nothing pending is let in") {
    sharing s(1000);
    harness a(s.options), b(s.options);
    a.open();
    b.open();
    a.send(std::string(990, 'a'));
    a.write_all();
    const std::string small(10, 'x'), large(11, 'x');
    CHECK(b.pub.reserve(large)); // alone
    CHECK_FALSE(b.pub.reserve(large));
    CHECK(b.pub.reserve(small));
    b.pub.give_back(large);
    b.pub.give_back(small);
    a.ack(0);
    CHECK(b.pub.reserve(large));
    CHECK(b.pub.reserve(large));
    b.pub.give_back(large);
    b.pub.give_back(large);
}

TEST_CASE("budget: a message that waits for bytes can be cancelled and can time out") {
    sharing s(10);
    harness a(s.options), b(s.options);
    a.open();
    b.open();
    a.send("0123456789");
    a.write_all();
    b.send("1");
    const int cancelled = b.send("2", true), late = b.send("3");
    b.write_all();
    CHECK(b.pub.short_of_budget() == 1);
    b.cancel(cancelled);
    CHECK(b.aborted(cancelled, outcome::not_sent));
    b.ack(0);
    b.send("4");
    CHECK(b.write_payloads() == "3");
    b.advance(30s);
    CHECK(b.is(late, errc::ack_timeout, outcome::maybe_persisted));
}

TEST_CASE("budget: unanswered messages keep their bytes over a reconnect, tombstones give them back") {
    sharing s(1000);
    harness a(s.options);
    a.open();
    const int kept = a.send(std::string(100, 'k')), left = a.send(std::string(50, 'l'), true);
    a.write_all();
    a.cancel(left);
    CHECK(s.budget->used() == 150);
    a.reopen();
    CHECK(s.budget->used() == 100);
    CHECK(a.write_contexts() == contexts{0});
    a.ack(0);
    CHECK(a.persisted(kept));
    CHECK(s.budget->used() == 0);
}

TEST_CASE("budget: the end of a publisher gives everything back") {
    sharing s(1000);
    SUBCASE("ended") {
        harness a(s.options);
        a.open();
        a.send("abc");
        a.write_all();
        a.pub.end(sluice::make_failure(errc::closed, "closed"));
        a.pub.close_accumulator(a.now);
        a.deliver();
        CHECK(s.budget->used() == 0);
    }
    SUBCASE("destroyed") {
        harness a(s.options);
        a.open();
        a.send("abc");
        a.write_all();
        CHECK(s.budget->used() == 3);
    }
    CHECK(s.budget->used() == 0);
}

} // namespace
