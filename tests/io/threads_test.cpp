// SPDX-License-Identifier: BSL-1.0
// Many threads: senders, a pool that runs the producer, cancellations on other executors. The thread sanitizer looks.
#include "system/world.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

using namespace test;

namespace {

/// A gateway on a context of its own, and a pool for what is tested.
struct stage {
    explicit stage(std::size_t threads, sluice::testing::gateway_options options = {})
        : gateway(gateway_context, std::move(options)), pool(threads), runner([this] { gateway_context.run(); }) {}
    ~stage() {
        pool.join();
        gateway_context.stop();
        runner.join();
    }

    asio::io_context gateway_context{1};
    sluice::testing::gateway gateway;
    asio::thread_pool pool;
    std::thread runner;
};

/// Counts what is still to come; a thread waits for it.
class countdown {
public:
    explicit countdown(std::size_t n) : left_(n) {}
    void arrive() {
        if (left_.fetch_sub(1) == 1) left_.notify_all();
    }
    void wait() {
        for (std::size_t n = left_.load(); n != 0; n = left_.load()) left_.wait(n);
    }

private:
    std::atomic<std::size_t> left_;
};

/// Each sender's messages are there, in its own order; each once if told so.
void check_order(sluice::testing::gateway& g, std::size_t senders, std::size_t each) {
    std::map<std::string, std::size_t> next;
    std::size_t wrong = 0;
    for (const sluice::testing::stored_message& m : g.messages("orders")) {
        const std::size_t colon = m.payload.find(':');
        const std::size_t number = std::stoul(m.payload.substr(colon + 1));
        std::size_t& expected = next[m.payload.substr(0, colon)];
        if (number == expected)
            ++expected;
        else if (number > expected)
            ++wrong; // a repeat may come again, a gap may not
    }
    CHECK(wrong == 0);
    CHECK(next.size() == senders);
    for (const auto& [sender, count] : next) CHECK(count == each);
}

/// Looks at each message as it is stored, and keeps none: each sender's come once and in its order.
class stored_once {
public:
    explicit stored_once(sluice::testing::gateway& g) : gateway_(g) {
        g.on_stored([this](std::string_view, const sluice::testing::stored_message& m) {
            const std::size_t colon = m.payload.find(':');
            if (std::stoul(m.payload.substr(colon + 1)) != next_[m.payload.substr(0, colon)]++) ++wrong_;
        });
    }
    ~stored_once() { gateway_.on_stored(nullptr); }
    void check(std::size_t senders, std::size_t each) {
        gateway_.on_stored(nullptr);
        CHECK(wrong_ == 0);
        CHECK(next_.size() == senders);
        for (const auto& [sender, count] : next_) CHECK(count == each);
    }

private:
    sluice::testing::gateway& gateway_;
    std::map<std::string, std::size_t> next_{};
    std::size_t wrong_ = 0;
};

/// How many times more than usual: the long forms set SLUICE_TEST_SCALE.
std::size_t scaled(std::size_t n) {
    const char* const scale = std::getenv("SLUICE_TEST_SCALE");
    return scale ? n * std::stoul(scale) : n;
}

std::string text(std::size_t sender, std::size_t i) { return std::to_string(sender) + ":" + std::to_string(i); }

} // namespace

TEST_CASE("eight threads send, push and try to push on one producer") {
    constexpr std::size_t senders = 8;
    const std::size_t each = scaled(2000);
    stage s(2);
    stored_once stored(s.gateway);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    sluice::producer_options o = impatient();
    o.max_pending_messages = 500;
    o.send_timeout = 0ms; // what waits behind the window waits long
    sluice::producer producer(client, "orders", o);
    countdown answers(senders * each);
    std::atomic<std::size_t> failed{0};
    const auto note = [&](std::error_code ec, const sluice::receipt& r) {
        if (ec || r.outcome != sluice::outcome::persisted) ++failed;
        answers.arrive();
    };
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < senders; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < each; ++i) {
                switch (t % 4) {
                case 0: producer.async_send(text(t, i), note); break;
                case 1: producer.async_send(sluice::message(text(t, i), "key"), note); break;
                case 2: producer.async_push(text(t, i), note, [](std::error_code) {}); break;
                default:
                    while (!producer.try_push(text(t, i), note)) std::this_thread::yield();
                    break;
                }
                if (i % 256 == 0) {
                    static_cast<void>(producer.stats());
                    static_cast<void>(producer.state());
                    static_cast<void>(producer.last_sequence_id());
                }
            }
        });
    for (std::thread& t : threads) t.join();
    answers.wait();
    CHECK(failed == 0);
    producer.async_close(asio::use_future).get();
    CHECK(producer.stats().accepted == senders * each);
    CHECK(producer.stats().persisted == senders * each);
    stored.check(senders, each);
}

TEST_CASE("producers of two contexts share a budget; one context ends while the others wait") {
    constexpr std::size_t each = 3000;
    stage s(2);
    const auto budget = std::make_shared<sluice::byte_budget>(2000);
    sluice::producer_options o = impatient();
    o.budget = budget;
    countdown answers(3 * each);
    std::atomic<std::size_t> failed{0};
    std::atomic<bool> over{false};
    const auto note = [&](std::error_code ec, const sluice::receipt&) {
        if (ec) ++failed;
        if (budget->used() > budget->limit() + 4 * 200) over = true; // by one message of each
        answers.arrive();
    };
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    std::vector<sluice::producer> producers;
    for (const char* name : {"a", "b", "c"}) producers.emplace_back(client, name, o);
    {
        asio::thread_pool short_lived(1);
        sluice::client other(short_lived.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
        sluice::producer fourth(other, "d", o);
        for (std::size_t i = 0; i < each; ++i) {
            for (sluice::producer& p : producers) p.async_send(std::string(200, 'x'), note);
            fourth.async_send(std::string(200, 'x'), [](std::error_code, const sluice::receipt&) {});
        }
    }
    answers.wait();
    CHECK(failed == 0);
    CHECK_FALSE(over);
    for (sluice::producer& p : producers) p.async_close(asio::use_future).get();
    CHECK(budget->used() == 0);
}

TEST_CASE("four threads send while connections are cut") {
    constexpr std::size_t senders = 4, each = 2000;
    stage s(3);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    sluice::producer producer(client, "orders", impatient());
    countdown answers(senders * each);
    std::atomic<std::size_t> failed{0}, answered{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < senders; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < each; ++i)
                producer.async_send(text(t, i), [&](std::error_code ec, const sluice::receipt&) {
                    if (ec) ++failed;
                    if (++answered % 1500 == 0) s.gateway.drop_connections();
                    answers.arrive();
                });
        });
    for (std::thread& t : threads) t.join();
    answers.wait();
    CHECK(failed == 0);
    check_order(s.gateway, senders, each);
    producer.async_close(asio::use_future).get();
}

namespace {

asio::awaitable<void> sender(sluice::producer& p, std::size_t id, std::size_t each, std::atomic<std::size_t>& failed,
                             countdown& finished) {
    for (std::size_t i = 0; i < each; ++i) {
        const std::string message = text(id, i);
        const sluice::receipt r = co_await p.send(message);
        if (r.outcome != sluice::outcome::persisted) ++failed;
    }
    finished.arrive();
}

} // namespace

TEST_CASE("two hundred coroutines on a pool, each on a strand of its own, through one producer") {
    constexpr std::size_t senders = 200, each = 20;
    stage s(3);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    sluice::producer producer(client, "orders", impatient());
    std::atomic<std::size_t> failed{0};
    countdown finished(senders);
    for (std::size_t i = 0; i < senders; ++i)
        asio::co_spawn(asio::make_strand(s.pool), sender(producer, i, each, failed, finished), asio::detached);
    finished.wait();
    CHECK(failed == 0);
    check_order(s.gateway, senders, each);
    producer.async_close(asio::use_future).get();
}

TEST_CASE("on a pool, flush and close return behind the result functions of what they were behind") {
    stage s(4);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::pulsar));
    std::atomic<std::size_t> early = 0;
    const auto work = [&]() -> asio::awaitable<void> {
        for (int round = 0; round < 20; ++round) {
            std::atomic<std::size_t> results = 0; // which dies with this round
            const auto on_result = [&results](std::error_code, const sluice::receipt&) { ++results; };
            sluice::producer producer(client, "orders");
            for (int i = 0; i < 200; ++i) {
                co_await producer.push("x", on_result);
                if (i % 10 != 9) continue;
                co_await producer.flush();
                if (results != static_cast<std::size_t>(i) + 1) ++early;
            }
            co_await producer.push("x", on_result);
            co_await producer.close();
            if (results != 201) ++early;
        }
    };
    countdown end(1);
    asio::co_spawn(s.pool, work(), [&](std::exception_ptr e) {
        if (e) ++early;
        end.arrive();
    });
    end.wait();
    CHECK(early == 0);
}

TEST_CASE("cancellations on the handlers' own executor while the producer runs on others") {
    constexpr std::size_t count = 3000;
    asio::io_context mine; // outlives the threads that post to it
    stage s(2);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    sluice::producer_options o = impatient();
    o.max_pending_messages = 50;
    auto producer = std::make_unique<sluice::producer>(client, "orders", o);
    std::vector<asio::cancellation_signal> signals(count);
    std::size_t answered = 0, aborted = 0, stored = 0;
    const auto note = [&](std::error_code ec, const sluice::receipt& r) {
        ++answered;
        if (ec == asio::error::operation_aborted) ++aborted;
        if (!ec) ++stored;
        CHECK((!ec == (r.outcome == sluice::outcome::persisted)));
    };
    for (std::size_t i = 0; i < count; ++i)
        asio::post(mine, [&, i] {
            producer->async_send(text(0, i),
                                 asio::bind_cancellation_slot(signals[i].slot(), asio::bind_executor(mine, note)));
            // At whatever stage that one is by now.
            if (i % 3 == 0) signals[i - std::min<std::size_t>(i, i % 100)].emit(asio::cancellation_type::terminal);
            if (i == count / 2) s.gateway.drop_connections();
            if (i + 1 == count) producer.reset();
        });
    run_until(mine, [&] { return answered == count; });
    CHECK(aborted + stored == count);
    CHECK(aborted != 0);
}

TEST_CASE("calls cancelled on their handlers' executor while the client runs on others") {
    constexpr std::size_t count = 300;
    asio::io_context mine; // outlives the threads that post to it
    stage s(2);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    std::vector<asio::cancellation_signal> signals(count);
    std::size_t answered = 0;
    for (std::size_t i = 0; i < count; ++i)
        asio::post(mine, [&, i] {
            client.async_has_stream("orders", sluice::scope::global,
                                    asio::bind_cancellation_slot(
                                        signals[i].slot(), asio::bind_executor(mine, [&](std::error_code ec, bool) {
                                            ++answered;
                                            CHECK((!ec || ec == asio::error::operation_aborted));
                                        })));
            signals[i - std::min<std::size_t>(i, i % 7)].emit(asio::cancellation_type::terminal);
        });
    run_until(mine, [&] { return answered == count; });
    for (asio::cancellation_signal& each : signals) CHECK_FALSE(each.slot().has_handler());
}

TEST_CASE("cancel() and close from any thread, while others send") {
    for (int round = 0; round < 10; ++round) {
        constexpr std::size_t senders = 3, each = 300;
        stage s(2);
        sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
        sluice::producer producer(client, "orders", impatient());
        countdown answers(senders * each);
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < senders; ++t)
            threads.emplace_back([&, t] {
                for (std::size_t i = 0; i < each; ++i) {
                    producer.async_send(text(t, i), [&](std::error_code, const sluice::receipt&) { answers.arrive(); });
                    if (t == 0 && i % 50 == 49) producer.cancel();
                    if (t == 1 && i == 200 && round % 2 == 0) producer.async_close(asio::detached);
                }
            });
        for (std::thread& t : threads) t.join();
        answers.wait();
        producer.async_close(asio::use_future).get();
    }
}

TEST_CASE("many producers of one client, whose login runs out all the time") {
    sluice::testing::gateway_options g;
    g.proxy.users.push_back({"ann@example.com", "ann", "word"});
    g.proxy.jwt_lifetime = 50s; // less than the client wants to have in hand: every use logs in again
    stage s(3, g);
    sluice::client_config c;
    c.url = s.gateway.url();
    c.auth = sluice::password{.email = "ann@example.com", .secret = "word"};
    for (const sluice::socket_auth how : {sluice::socket_auth::otp, sluice::socket_auth::header}) {
        c.socket_auth = how;
        sluice::client client(s.pool.get_executor(), c);
        std::vector<std::unique_ptr<sluice::producer>> producers;
        for (int i = 0; i < 8; ++i)
            producers.push_back(std::make_unique<sluice::producer>(client, "orders", impatient()));
        for (int round = 0; round < 5; ++round) {
            countdown answers(producers.size() * 2);
            for (const auto& p : producers) {
                p->async_send("x", [&](std::error_code ec, const sluice::receipt&) {
                    CHECK_FALSE(ec);
                    answers.arrive();
                });
                client.async_has_stream("orders", sluice::scope::global, [&](std::error_code ec, bool) {
                    CHECK_FALSE(ec);
                    answers.arrive();
                });
            }
            answers.wait();
            s.gateway.close_all_sockets();
        }
        for (const auto& p : producers) p->async_close(asio::use_future).get();
    }
}

TEST_CASE("producers made and destroyed on several threads, with sends under way") {
    stage s(3);
    sluice::client client(s.pool.get_executor(), config_for(s.gateway, sluice::dialect::gdn));
    constexpr std::size_t makers = 4, rounds = 30;
    countdown answers(makers * rounds * 3);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < makers; ++t)
        threads.emplace_back([&] {
            for (std::size_t i = 0; i < rounds; ++i) {
                sluice::producer p(client, "orders", impatient());
                for (int k = 0; k < 3; ++k)
                    p.async_send("x", [&](std::error_code, const sluice::receipt&) { answers.arrive(); });
                if (i % 3 == 0) p.async_close(asio::use_future).get();
            }
        });
    for (std::thread& t : threads) t.join();
    answers.wait();
}
