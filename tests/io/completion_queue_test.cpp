// SPDX-License-Identifier: BSL-1.0
// How many finished nodes one turn takes, and in which order.
#include <sluice/io/completion.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace {

namespace core = sluice::core;
using queue = sluice::io::completion_queue<asio::any_io_executor>;

struct finished_node : core::node {
    std::function<void()> called;
};

struct finishing {
    std::deque<finished_node> made; // the context's end destroys them
    std::vector<std::size_t> order{};
    std::shared_ptr<queue> nodes = std::make_shared<queue>();
    asio::io_context context;

    core::node* make(core::node_kind kind = core::node_kind::message) {
        finished_node& n = made.emplace_back();
        n.kind = kind;
        n.called = [this, i = made.size() - 1] { order.push_back(i); };
        n.finish = [](core::node* each, bool invoke) {
            if (invoke) static_cast<finished_node*>(each)->called();
        };
        return &n;
    }
    void post(std::size_t count) {
        core::node_list all;
        while (count-- > 0) all.push_back(make());
        post(std::move(all));
    }
    void post(core::node_list all) { queue::post(context.get_executor(), nodes, std::move(all)); }

    /// How many are finished in each turn.
    std::vector<std::size_t> turns() {
        std::vector<std::size_t> sizes;
        context.restart();
        for (std::size_t before = order.size(); context.poll_one() != 0; before = order.size())
            sizes.push_back(order.size() - before);
        return sizes;
    }
    bool in_order() const {
        for (std::size_t i = 0; i < order.size(); ++i)
            if (order[i] != i) return false;
        return true;
    }
};

TEST_CASE("a turn goes on while no other thread comes for the next, and not for ever") {
    finishing f;
    f.post(600);
    CHECK(f.turns() == std::vector<std::size_t>{256, 256, 88, 0});
    CHECK(f.order.size() == 600);
    CHECK(f.in_order());
    f.post(64);
    CHECK(f.turns() == std::vector<std::size_t>{64});
}

TEST_CASE("a turn whose successor has begun elsewhere takes no more than it has") {
    finishing f;
    f.post(128);
    // The next turn begins while the first one is at its tenth node, and takes the other half.
    f.made[9].called = [&f] {
        f.order.push_back(9);
        CHECK(f.context.poll_one() == 1);
        CHECK(f.order.size() == 10 + 64);
        CHECK(f.order.back() == 127);
    };
    CHECK(f.context.poll_one() == 1);
    CHECK(f.order.size() == 128);
    CHECK(f.order.back() == 63);
}

TEST_CASE("a flush waits for the turns before it, and what is behind it for the flush") {
    finishing f;
    core::node_list all;
    for (int i = 0; i < 100; ++i) all.push_back(f.make(i == 70 ? core::node_kind::flush : core::node_kind::message));
    f.post(std::move(all));
    CHECK(f.turns() == std::vector<std::size_t>{70, 30});
    CHECK(f.in_order());
}

TEST_CASE("what a throwing handler leaves comes next, in its order") {
    finishing f;
    f.post(300);
    f.made[99].called = [&f] {
        f.order.push_back(99);
        throw 1;
    };
    CHECK_THROWS_AS(f.context.poll_one(), int);
    CHECK(f.order.size() == 100);
    f.turns();
    CHECK(f.order.size() == 300);
    CHECK(f.in_order());
}

TEST_CASE("a turn that is destroyed destroys what waits") {
    std::size_t destroyed = 0;
    struct counted : core::node {
        std::size_t* count = nullptr;
    };
    std::vector<counted> nodes(200);
    {
        finishing f;
        core::node_list all;
        for (counted& n : nodes) {
            n.count = &destroyed;
            n.finish = [](core::node* each, bool invoke) { *static_cast<counted*>(each)->count += invoke ? 1000 : 1; };
            all.push_back(&n);
        }
        f.post(std::move(all));
    }
    CHECK(destroyed == 200);
}

} // namespace
