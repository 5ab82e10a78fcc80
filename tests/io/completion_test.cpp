// SPDX-License-Identifier: BSL-1.0
// How operations complete: once, never inside their initiation, on the associated executor, their memory given back
// before; and how they do not: when the context is destroyed, handlers are destroyed, not called.
#include "system/holding_server.hpp"
#include "system/world.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>

using namespace test;

namespace {

struct numbers {
    std::size_t allocations = 0, live = 0;
};

/// Counts what it has given out.
template <class T>
struct counting_allocator {
    using value_type = T;
    numbers* n;

    explicit counting_allocator(numbers& c) noexcept : n(&c) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) noexcept : n(other.n) {}
    T* allocate(std::size_t count) {
        ++n->allocations;
        ++n->live;
        return std::allocator<T>().allocate(count);
    }
    void deallocate(T* p, std::size_t count) noexcept {
        --n->live;
        std::allocator<T>().deallocate(p, count);
    }
    friend bool operator==(const counting_allocator& a, const counting_allocator& b) noexcept { return a.n == b.n; }
};

} // namespace

TEST_CASE("nothing completes inside the initiating call, whatever comes of it") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    sluice::producer_options o;
    o.max_pending_messages = 1;
    o.when_full = sluice::when_full::fail;
    sluice::producer full(client, "orders", o);
    sluice::producer closed(client, "orders");
    run(w.context, closed.close());
    sent a, b, c, d;
    done e, f, g, h, i;
    full.async_send("takes the room", a);
    full.async_send("finds none", b);
    closed.async_send("too late", c);
    producer.async_send(std::string(2u << 20, 'x'), d);
    closed.async_open(e);
    closed.async_flush(f);
    closed.async_close(g);
    closed.async_push("too late", sluice::io::no_result{}, h);
    client.async_login(i);
    for (const sent* s : {&a, &b, &c, &d}) CHECK_FALSE(s->called());
    for (const done* s : {&e, &f, &g, &h, &i}) CHECK_FALSE(s->called());
    run_until(w.context, [&] {
        return a.called() && b.called() && c.called() && d.called() && e.called() && f.called() && g.called() &&
               h.called() && i.called();
    });
    CHECK(b.error() == sluice::errc::queue_full);
    CHECK(d.error() == sluice::errc::too_large);
    CHECK(e.error() == sluice::errc::closed);
    CHECK(h.error() == sluice::errc::closed);
    CHECK_FALSE(f.error());
    CHECK_FALSE(g.error());
}

TEST_CASE("on another context's executor, which is kept from running out") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    asio::io_context other;
    bool in_other = false;
    sent s;
    done opened;
    producer.async_open(asio::bind_executor(other.get_executor(), [&](std::error_code ec) {
        in_other = other.get_executor().running_in_this_thread();
        opened(ec);
    }));
    other.poll();
    CHECK_FALSE(other.stopped()); // there is work to come
    run_until(w.context, [&] { return producer.state() == sluice::producer_state::open; });
    run_ready(w.context);
    CHECK_FALSE(opened.called());
    CHECK(other.run() == 1);
    CHECK(opened.called());
    CHECK(in_other);

    in_other = false;
    other.restart();
    producer.async_send("hello", asio::bind_executor(other.get_executor(), [&](std::error_code ec, sluice::receipt r) {
                            in_other = other.get_executor().running_in_this_thread();
                            s(ec, std::move(r));
                        }));
    run_until(w.context, [&] { return producer.stats().persisted == 1; });
    run_ready(w.context);
    CHECK(other.run() == 1);
    CHECK_FALSE(s.error());
    CHECK(in_other);
}

TEST_CASE("on a strand") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    auto strand = asio::make_strand(w.context);
    std::vector<sent> all(50);
    std::size_t outside = 0;
    for (sent& s : all)
        producer.async_send("hello", asio::bind_executor(strand, [&](std::error_code ec, sluice::receipt r) {
                                if (!strand.running_in_this_thread()) ++outside;
                                s(ec, std::move(r));
                            }));
    run_until(w.context, [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); });
    CHECK(outside == 0);
    for (const sent& s : all) CHECK(s.calls() == 1);
}

TEST_CASE("the node lives in the handler's memory, which is given back before the handler is called") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    numbers n;
    std::size_t live_inside = 99;
    int calls = 0;
    const auto bound = [&](auto handler) { return asio::bind_allocator(counting_allocator<std::byte>(n), handler); };
    const auto check = [&] {
        run_until(w.context, [&] { return calls == 1; });
        CHECK(live_inside == 0);
        CHECK(n.live == 0);
        CHECK(n.allocations >= 1);
        n = {};
        calls = 0;
        live_inside = 99;
    };
    const auto note = [&] {
        live_inside = n.live;
        ++calls;
    };
    producer.async_open(bound([&](std::error_code) { note(); }));
    CHECK(n.allocations == 1);
    check();
    producer.async_send("hello", bound([&](std::error_code, sluice::receipt) { note(); }));
    CHECK(n.allocations == 1);
    check();
    const std::string borrowed = "borrowed";
    producer.async_send(sluice::borrow(borrowed), bound([&](std::error_code, sluice::receipt) { note(); }));
    check();
    producer.async_flush(bound([&](std::error_code) { note(); }));
    check();
    producer.async_push("pushed", sluice::io::no_result{}, bound([&](std::error_code) { note(); }));
    check();
    const std::vector<std::string> many{"a", "b"};
    producer.async_send_all(many, bound([&](std::error_code, std::vector<sluice::result>) { note(); }));
    check();
    producer.async_close(bound([&](std::error_code) { note(); }));
    check();
    producer.async_send("too late", bound([&](std::error_code, sluice::receipt) { note(); }));
    check();
}

TEST_CASE("a handler that only moves, and one that is called as an rvalue") {
    struct handler {
        std::unique_ptr<int> own;
        int* calls;
        void operator()(std::error_code, sluice::receipt) && { *calls += *own; }
    };
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    int calls = 0;
    producer.async_send("hello", handler{std::make_unique<int>(7), &calls});
    run_until(w.context, [&] { return calls != 0; });
    CHECK(calls == 7);
}

TEST_CASE("an exception from a handler leaves run(), and the others are called all the same") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, producer.open());
    std::vector<sent> all(100);
    for (std::size_t i = 0; i < all.size(); ++i)
        producer.async_send("hello", [&, i](std::error_code ec, sluice::receipt r) {
            all[i](ec, std::move(r));
            if (i % 10 == 3) throw std::runtime_error("from a handler");
        });
    std::size_t thrown = 0;
    const auto finished = [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); };
    while (!finished() || thrown != 10) {
        try {
            run_until(w.context, [&] { return finished() && thrown == 10; });
        } catch (const std::runtime_error&) {
            ++thrown;
        }
    }
    for (const sent& s : all) CHECK(s.calls() == 1);
    run(w.context, producer.send("still alive"));
}

TEST_CASE("a producer destroyed inside one of its completions; the others are aborted") {
    world w;
    sluice::client client = w.make_client();
    auto producer = std::make_unique<sluice::producer>(client, "orders");
    std::vector<sent> all(40);
    for (std::size_t i = 0; i < all.size(); ++i)
        producer->async_send("hello", [&, i](std::error_code ec, sluice::receipt r) {
            all[i](ec, std::move(r));
            producer.reset();
        });
    run_until(w.context, [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); });
    for (const sent& s : all) CHECK((!s.error() || s.error() == asio::error::operation_aborted));
    run_ready(w.context);
}

TEST_CASE("a handler that starts the next send, ten thousand times, grows nothing") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    struct loop {
        sluice::producer* p;
        int* left;
        void operator()(std::error_code ec, sluice::receipt) const {
            REQUIRE_FALSE(ec);
            if (--*left != 0) p->async_send("again", *this);
        }
    };
    int left = 10'000;
    producer.async_send("first", loop{&producer, &left});
    run_until(w.context, [&] { return left == 0; });
    CHECK(producer.stats().persisted == 10'000);
}

TEST_CASE("moved-from objects can be assigned and destroyed; what moved goes on") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer a(client, "orders");
    sent s;
    a.async_send("before", s);
    sluice::producer b(std::move(a));
    run_until(w.context, [&] { return s.called(); });
    CHECK_FALSE(s.error());
    run(w.context, b.send("after"));
    sent lost;
    sluice::producer c(client, "orders");
    c.async_send("replaced", lost);
    c = std::move(b); // ends what c had under way
    run_until(w.context, [&] { return lost.called(); });
    CHECK(lost.error() == asio::error::operation_aborted);
    run(w.context, c.send("after both"));
    a = std::move(c);
    run(w.context, a.close());
    CHECK(w.payloads("orders") == std::vector<std::string>{"before", "after", "after both"});

    sluice::client moved(std::move(client));
    CHECK_FALSE(run(w.context, moved.has_stream("other")));
}

namespace {

/// A finished node that does what a test says.
struct step : sluice::core::node {
    step(sluice::core::node_kind k, std::function<void()> a) : act(std::move(a)) {
        kind = k;
        finish = [](sluice::core::node* n, bool invoke) {
            if (invoke) static_cast<step*>(n)->act();
        };
    }
    std::function<void()> act;
};

} // namespace

TEST_CASE("on a pool, a flush has its turn when those before it are over") {
    using kind = sluice::core::node_kind;
    using queue = sluice::io::completion_queue<asio::thread_pool::executor_type>;
    asio::thread_pool pool(2);
    std::promise<void> begun, go_on, probed, flushed;
    std::atomic<int> over = 0, seen = -1;
    step first(kind::message, [&] {
        begun.set_value();
        go_on.get_future().wait();
        ++over;
    });
    step second(kind::message, [&] { ++over; });
    step flush(kind::flush, [&] {
        seen = over.load();
        flushed.set_value();
    });
    const auto waiting = std::make_shared<queue>();
    const auto post = [&](std::initializer_list<step*> steps) {
        sluice::core::node_list nodes;
        for (step* s : steps) nodes.push_back(s);
        queue::post(pool.get_executor(), waiting, std::move(nodes));
    };
    post({&first, &second});
    begun.get_future().wait(); // one thread is in the first, and the second lies behind it
    post({&flush});
    asio::post(pool, [&] { probed.set_value(); });
    probed.get_future().wait(); // the other thread has nothing that came before this
    CHECK(seen == -1);
    go_on.set_value();
    flushed.get_future().wait();
    CHECK(seen == 2);
    pool.join();
}
