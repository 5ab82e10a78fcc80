// SPDX-License-Identifier: BSL-1.0
// What the coroutines wait on: the event, and the time limit.
#include "support/run_loop.hpp"

#include <sluice/io/wakeup.hpp>
#include <sluice/io/watchdog.hpp>

using namespace test;
using namespace std::chrono_literals;
using sluice::io::wakeup;

namespace {

using strand_type = asio::strand<asio::io_context::executor_type>;
using watchdog = sluice::io::watchdog<
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, strand_type>>;

struct counter {
    std::shared_ptr<int> calls = std::make_shared<int>(0);
    asio::io_context::executor_type executor;
    using executor_type = asio::io_context::executor_type;
    executor_type get_executor() const noexcept { return executor; }
    void operator()() const { ++*calls; }
};

} // namespace

TEST_CASE("wakeup: a waiter is posted, not called, when it is woken") {
    asio::io_context context;
    wakeup w;
    const counter c{.executor = context.get_executor()};
    CHECK_FALSE(w.waiting());
    w.async_wait(c);
    CHECK(w.waiting());
    w.wake();
    CHECK_FALSE(w.waiting());
    CHECK(*c.calls == 0);
    run_ready(context);
    CHECK(*c.calls == 1);
}

TEST_CASE("wakeup: one that came before the waiter is kept, once, and never completes inside the wait") {
    asio::io_context context;
    wakeup w;
    const counter c{.executor = context.get_executor()};
    w.wake();
    w.wake();
    w.async_wait(c);
    CHECK(*c.calls == 0);
    CHECK_FALSE(w.waiting());
    run_ready(context);
    CHECK(*c.calls == 1);
    w.async_wait(c);
    CHECK(w.waiting());
    run_ready(context);
    CHECK(*c.calls == 1);
    w.wake();
    run_ready(context);
    CHECK(*c.calls == 2);
}

TEST_CASE("wakeup: destroyed with a waiter, or told to, it destroys it uncalled") {
    asio::io_context context;
    const counter c{.executor = context.get_executor()};
    {
        wakeup w;
        w.async_wait(c);
        CHECK(c.calls.use_count() == 2);
    }
    CHECK(c.calls.use_count() == 1);
    wakeup w;
    w.async_wait(c);
    w.destroy();
    CHECK(c.calls.use_count() == 1);
    w.destroy();
    w.wake();
    w.async_wait(c);
    run_ready(context);
    CHECK(*c.calls == 1);
}

namespace {

asio::awaitable<void> wait_often(wakeup& w, int& times) {
    for (; times < 1000; ++times) co_await w.async_wait(asio::use_awaitable);
}
asio::awaitable<void> wait_for_ever(std::shared_ptr<wakeup> w, bool& woken) {
    co_await w->async_wait(asio::use_awaitable);
    woken = true;
}

} // namespace

TEST_CASE("wakeup: a coroutine that waits a thousand times, and one that is destroyed while it does") {
    asio::io_context context;
    wakeup w;
    int times = 0;
    asio::co_spawn(context, wait_often(w, times), asio::detached);
    run_ready(context);
    while (times < 1000) {
        w.wake();
        run_ready(context);
    }
    bool woken = false;
    const auto shared = std::make_shared<wakeup>();
    asio::co_spawn(context, wait_for_ever(shared, woken), asio::detached);
    run_ready(context);
    CHECK(shared.use_count() == 2);
    shared->destroy();
    run_ready(context); // a coroutine's frame is destroyed through its executor
    CHECK(shared.use_count() == 1);
    CHECK_FALSE(woken);
}

TEST_CASE("watchdog: bites once when its time has come") {
    asio::io_context context;
    watchdog dog(asio::make_strand(context.get_executor()));
    int bites = 0;
    CHECK_FALSE(dog.bitten());
    dog.arm(1ms, [&] { ++bites; });
    run_out(context);
    CHECK(bites == 1);
    CHECK(dog.bitten());
    dog.disarm();
    CHECK(dog.bitten()); // until it is armed again
    dog.arm(24h, [&] { ++bites; });
    CHECK_FALSE(dog.bitten());
    dog.disarm();
    run_out(context);
    CHECK(bites == 1);
}

TEST_CASE("watchdog: disarmed, armed again or destroyed, it does not bite, even if its time had come") {
    asio::io_context context;
    const auto strand = asio::make_strand(context.get_executor());
    int bites = 0, second = 0;
    {
        watchdog dog(strand);
        dog.arm(0ms, [&] { ++bites; });
        dog.disarm();
        run_out(context);
        dog.arm(0ms, [&] { ++bites; });
        dog.arm(0ms, [&] { ++second; });
        run_out(context);
        CHECK(second == 1);
        dog.arm(0ms, [&] { ++bites; });
    }
    run_out(context);
    CHECK(bites == 0);
}

TEST_CASE("watchdog: its bite may arm, disarm or destroy it") {
    asio::io_context context;
    const auto strand = asio::make_strand(context.get_executor());
    auto dog = std::make_unique<watchdog>(strand);
    int bites = 0;
    const auto keep = std::make_shared<int>(0);
    dog->arm(0ms, [&, keep] {
        ++bites;
        dog->arm(0ms, [&, keep] {
            ++bites;
            dog.reset();
        });
    });
    run_out(context);
    CHECK(bites == 2);
    CHECK(dog == nullptr);
    CHECK(keep.use_count() == 1);
}
