// SPDX-License-Identifier: BSL-1.0
// The execution context is destroyed with operations outstanding: every handler is destroyed, none is called, and
// nothing leaks (the address sanitizer looks).
#include "system/holding_server.hpp"
#include "system/world.hpp"

#include <functional>

using namespace test;

namespace {

/// A handler whose life and calls are counted. `Args` of any kind.
struct probe {
    std::shared_ptr<int> calls = std::make_shared<int>(0);
    template <class... Args>
    void operator()(Args&&...) const {
        ++*calls;
    }
};

struct stage {
    const char* name;
    /// Brings the producer there.
    std::function<void(asio::io_context&, holding_server&, sluice::producer&)> go;
};

sluice::producer_options small() {
    sluice::producer_options o = impatient();
    o.max_pending_messages = 2;
    return o;
}

const std::vector<stage>& stages() {
    static const std::vector<stage> all{
        {"never run", [](auto&, auto&, auto&) {}},
        {"connecting", [](auto& context, auto&, auto&) { context.poll_one(); }},
        {"on the way", [](auto& context, auto& server,
                          auto&) { run_until(context, [&] { return server.server.connections() != 0; }); }},
        {"open, the window full",
         [](auto& context, auto& server, auto&) {
             run_until(context, [&] { return server.payloads.size() == 2; });
             run_ready(context);
         }},
        {"acknowledged, its handler not yet called",
         [](auto& context, auto& server, auto& producer) {
             run_until(context, [&] { return server.payloads.size() == 2; });
             server.acknowledge(context, 1);
             run_until(context, [&] { return producer.stats().persisted == 1; });
         }},
        {"cancelled, not yet run",
         [](auto& context, auto& server, auto& producer) {
             run_until(context, [&] { return server.payloads.size() == 2; });
             producer.cancel();
         }},
        {"lost, about to connect again",
         [](auto& context, auto& server, auto& producer) {
             run_until(context, [&] { return server.payloads.size() == 2; });
             server.current()->reset();
             run_until(context, [&] { return producer.state() == sluice::producer_state::reconnecting; });
         }},
        {"closing",
         [](auto& context, auto& server, auto& producer) {
             run_until(context, [&] { return server.payloads.size() == 2; });
             producer.async_close(probe{});
             run_until(context, [&] { return producer.state() == sluice::producer_state::draining; });
         }},
    };
    return all;
}

} // namespace

TEST_CASE("callbacks of every operation, in every stage") {
    for (const stage& s : stages()) {
        for (const bool producer_first : {false, true}) {
            CAPTURE(s.name);
            CAPTURE(producer_first);
            std::vector<probe> probes;
            std::vector<int> before;
            const auto fresh = [&]() -> probe { return probes.emplace_back(); };
            const std::vector<std::string> many{"x", "y"};
            {
                auto context = std::make_unique<asio::io_context>();
                asio::io_context other;
                auto server = std::make_unique<holding_server>(*context);
                auto client = std::make_unique<sluice::client>(
                    context->get_executor(), sluice::client_config{.url = server->server.websocket_url()});
                auto producer = std::make_unique<sluice::producer>(*client, "orders", small());
                asio::cancellation_signal signal, signal_of_all, signal_of_push;
                producer->async_open(fresh());
                producer->async_send("a", fresh());
                producer->async_send("b", asio::bind_cancellation_slot(signal.slot(), fresh()));
                producer->async_send("c", asio::bind_executor(other.get_executor(), fresh()));
                producer->async_send_all(many, asio::bind_cancellation_slot(signal_of_all.slot(), fresh()));
                producer->async_push("d", fresh(), asio::bind_cancellation_slot(signal_of_push.slot(), fresh()));
                producer->async_flush(fresh());
                static_cast<void>(producer->try_push("e", fresh()));
                client->async_login(fresh());
                s.go(*context, *server, *producer);
                for (const probe& p : probes) before.push_back(*p.calls);
                if (std::string_view(s.name) == "cancelled, not yet run")
                    signal.emit(asio::cancellation_type::terminal);
                if (producer_first) producer.reset();
                server->server.stop();
                if (!producer_first) producer.reset(); // the contract: before the context
                client.reset();
                context.reset();
                CHECK_FALSE(signal.slot().has_handler());
                CHECK_FALSE(signal_of_push.slot().has_handler());
            }
            for (std::size_t i = 0; i < probes.size(); ++i) {
                CAPTURE(i);
                CHECK(*probes[i].calls == before[i]); // nobody was called while it died
                CHECK(probes[i].calls.use_count() == 1);
            }
        }
    }
}

TEST_CASE("signals that die before the operations that listen to them") {
    const std::vector<std::string> many{"x", "y"};
    for (const stage& s : stages()) {
        if (std::string_view(s.name) == "cancelled, not yet run") continue;
        CAPTURE(s.name);
        std::vector<probe> probes(6);
        {
            asio::io_context context;
            holding_server server(context);
            sluice::client client(context.get_executor(), {.url = server.server.websocket_url()});
            sluice::producer producer(client, "orders", small());
            std::vector<asio::cancellation_signal> signals(5);
            const auto bound = [&](std::size_t i) {
                return asio::bind_cancellation_slot(signals[i].slot(), probes[i]);
            };
            producer.async_send("a", bound(0));
            producer.async_send_all(many, bound(1));
            producer.async_push("b", sluice::io::no_result(), bound(2));
            producer.async_flush(bound(3)); // does not listen at all
            client.async_login(bound(4));
            producer.async_send("c", probes[5]);
            s.go(context, server, producer);
            server.server.stop();
        }
        for (const probe& p : probes) CHECK(p.calls.use_count() == 1);
    }
}

namespace {

struct alive {
    explicit alive(int& n) : count(&n) { ++*count; }
    alive(const alive&) = delete;
    ~alive() { --*count; }
    int* count;
};

asio::awaitable<void> own_everything(std::string url, int& frames, int& finished) {
    const alive here(frames);
    const auto executor = co_await asio::this_coro::executor;
    sluice::client_config config;
    config.url = std::move(url);
    sluice::client client(executor, config);
    sluice::producer producer(client, "orders", small());
    for (int i = 0; i < 5; ++i)
        producer.async_send("behind", [&, here2 = std::make_shared<alive>(frames)](auto, auto) {});
    co_await producer.send("hello");
    ++finished;
}

asio::awaitable<void> send_one(sluice::producer& p, int& frames, int& finished) {
    const alive here(frames);
    co_await p.send("hello");
    ++finished;
}

} // namespace

TEST_CASE("coroutines whose frames own client and producer: the circle is broken by the context") {
    for (int cut = 0; cut < 3; ++cut) {
        CAPTURE(cut);
        int frames = 0, finished = 0;
        {
            auto context = std::make_unique<asio::io_context>();
            auto server = std::make_unique<holding_server>(*context);
            for (int i = 0; i < 3; ++i)
                asio::co_spawn(*context, own_everything(server->server.websocket_url(), frames, finished),
                               asio::detached);
            if (cut == 1) run_until(*context, [&] { return server->server.connections() == 3; });
            if (cut == 2) run_until(*context, [&] { return server->payloads.size() >= 6; });
            if (cut != 0) CHECK(frames >= 3);
            server->server.stop();
            context.reset();
        }
        CHECK(frames == 0);
        CHECK(finished == 0);
    }
}

TEST_CASE("a thousand coroutines that wait on one producer, on a pool that is stopped") {
    int frames = 0, finished = 0;
    asio::io_context server_context;
    holding_server server(server_context);
    {
        asio::thread_pool pool(2);
        auto strand = asio::make_strand(pool);
        sluice::client client(pool.get_executor(), {.url = server.server.websocket_url()});
        sluice::producer producer(client, "orders", small());
        for (int i = 0; i < 1000; ++i) asio::co_spawn(strand, send_one(producer, frames, finished), asio::detached);
        run_until(server_context, [&] { return server.payloads.size() == 2; });
        pool.stop();
        pool.join();
    }
    CHECK(frames == 0);
    CHECK(finished == 0);
}

TEST_CASE("REST calls and credentials that never come") {
    probe p, q, r, s, source_alive;
    int asked = 0;
    {
        asio::io_context context;
        asio::steady_timer never(context, std::chrono::steady_clock::time_point::max());
        scripted_server server(
            context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> { co_await peer.wait_for_end(); });
        const auto source = [&, keep = source_alive]() -> asio::awaitable<sluice::credential> {
            ++asked;
            std::error_code ec;
            co_await never.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            co_return sluice::credential(sluice::no_auth());
        };
        sluice::client_config c;
        c.url = server.http_url();
        sluice::client silent(context.get_executor(), c);
        c.auth = sluice::credential_source(source);
        sluice::client waiting(context.get_executor(), c);
        silent.async_ensure_stream("orders", sluice::scope::global, p);
        waiting.async_login(q);
        waiting.async_has_stream("orders", sluice::scope::global, r); // waits until the other has been answered
        sluice::producer producer(waiting, "orders");
        producer.async_send("hello", s);
        run_until(context, [&] { return asked == 1 && server.connections() == 1; });
        run_ready(context);
    }
    for (const probe* each : {&p, &q, &r, &s, &source_alive}) {
        CHECK(*each->calls == 0);
        CHECK(each->calls.use_count() == 1);
    }
}
