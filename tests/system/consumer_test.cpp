// SPDX-License-Identifier: BSL-1.0
// From the library's producer through the gateway to a consumer's and a reader's socket, over real connections.
#include "world.hpp"

#include "support/raw_websocket.hpp"
#include "support/scripted_server.hpp"

#include <set>
#include <thread>

using namespace test;

namespace {

/// Where the socket of a stream is, in either dialect, and what opens it.
struct socket_place {
    socket_place(sluice::testing::gateway& g, sluice::dialect d) {
        const bool gdn = d == sluice::dialect::gdn;
        prefix = gdn ? "/_ws/ws/v2/" : "/ws/v2/";
        topic = gdn ? "/persistent/demo/c8global._system/c8globals.orders" : "/persistent/public/default/orders";
        if (gdn) authorization = "apikey " + g.api_key();
    }
    std::string consumer(const std::string& subscription, const std::string& query = "") const {
        return prefix + "consumer" + topic + "/" + subscription + query;
    }
    std::string reader(const std::string& query) const { return prefix + "reader" + topic + query; }

    std::string prefix, topic, authorization;
};

/// Receives so many messages and acknowledges each; their payloads.
asio::awaitable<std::vector<std::string>> consume(raw_websocket& socket, std::size_t n, bool acknowledge = true) {
    std::vector<std::string> payloads;
    while (payloads.size() < n) {
        const std::optional<std::string> frame = co_await socket.hear();
        REQUIRE(frame);
        payloads.push_back(payload_of(*frame));
        if (!acknowledge) continue;
        std::string answer = "{\"messageId\":\"" + member_of(*frame, "messageId") + "\"}";
        co_await socket.say(std::move(answer));
    }
    co_return payloads;
}

asio::awaitable<void> send_numbers(sluice::producer& producer, int from, int to) {
    for (int i = from; i < to; ++i) {
        const std::string payload = std::to_string(i);
        const sluice::receipt r = co_await producer.send(payload);
        CHECK(r.outcome == sluice::outcome::persisted);
    }
}

/// Asks until so many messages are left to acknowledge: acknowledgements have no answer.
void wait_for_backlog(world& w, sluice::client& client, int n) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const std::string told = "\"msgBacklog\":" + std::to_string(n) + ",";
    while (!contains(run(w.context, client.stream_stats("orders")), told))
        REQUIRE(std::chrono::steady_clock::now() < deadline);
}

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> all;
    for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
    return all;
}

} // namespace

TEST_CASE("a consumer gets what a producer sends, in order, and goes on after a reconnect") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world w;
        const socket_place at(w.gateway, d);
        sluice::client client = w.make_client(d);
        sluice::producer producer(client, "orders");
        std::vector<std::string> first, second;
        {
            raw_websocket socket(w.context, w.gateway.port());
            REQUIRE(run(w.context, socket.open(at.consumer("s"), at.authorization)) == 101);
            asio::co_spawn(w.context, send_numbers(producer, 0, 100), asio::detached);
            first = run(w.context, consume(socket, 60)); // while it is being sent
            run_until(w.context, [&] { return w.gateway.message_count("orders") == 100; });
            wait_for_backlog(w, client, 40);
            socket.reset();
        }
        run_until(w.context, [&] { return w.gateway.stats().open_sockets == 1; });
        CHECK(first == numbers(0, 60));
        raw_websocket again(w.context, w.gateway.port());
        REQUIRE(run(w.context, again.open(at.consumer("s"), at.authorization)) == 101);
        second = run(w.context, consume(again, 40));
        CHECK(second == numbers(60, 100));
        wait_for_backlog(w, client, 0);
        run(w.context, producer.close());
    }
}

TEST_CASE("a publication reaches a consumer that has been waiting in silence") {
    world w;
    const socket_place at(w.gateway, sluice::dialect::pulsar);
    sluice::client client = w.make_client(sluice::dialect::pulsar);
    sluice::producer producer(client, "orders");
    raw_websocket consumer(w.context, w.gateway.port()), reader(w.context, w.gateway.port());
    REQUIRE(run(w.context, consumer.open(at.consumer("s"))) == 101);
    REQUIRE(run(w.context, reader.open(at.reader("?messageId=earliest"))) == 101);
    for (int i = 0; i < 20; ++i) {
        run_ready(w.context); // everybody sleeps
        run(w.context, send_numbers(producer, i, i + 1));
        CHECK(run(w.context, consume(consumer, 1)) == numbers(i, i + 1));
        CHECK(run(w.context, consume(reader, 1)) == numbers(i, i + 1));
    }
}

TEST_CASE("a one-time password of the client's opens a consumer's socket, once") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    const socket_place at(w.gateway, sluice::dialect::gdn);
    const std::string otp = run(w.context, client.get_otp());
    raw_websocket socket(w.context, w.gateway.port());
    REQUIRE(run(w.context, socket.open(at.consumer("s", "?otp=" + otp))) == 101);
    run(w.context, send_numbers(producer, 0, 3));
    CHECK(run(w.context, consume(socket, 3)) == numbers(0, 3));
    raw_websocket used(w.context, w.gateway.port());
    CHECK(run(w.context, used.open(at.consumer("t", "?otp=" + otp))) == 401);
}

TEST_CASE("a refused message, an ack time-out and a late one come when their time has come") {
    world w;
    const socket_place at(w.gateway, sluice::dialect::pulsar);
    sluice::client client = w.make_client(sluice::dialect::pulsar);
    sluice::producer producer(client, "orders");
    raw_websocket socket(w.context, w.gateway.port());
    REQUIRE(run(w.context, socket.open(at.consumer(
                               "s", "?subscriptionType=Shared&negativeAckRedeliveryDelay=20&ackTimeoutMillis=1000"))) ==
            101);
    const auto hear = [&] {
        const std::optional<std::string> frame = run(w.context, socket.hear());
        REQUIRE(frame);
        return *frame;
    };
    run(w.context, send_numbers(producer, 0, 1));
    const std::string first = hear();
    CHECK(contains(first, "\"redeliveryCount\":0"));
    run(w.context,
        socket.say("{\"type\":\"negativeAcknowledge\",\"messageId\":\"" + member_of(first, "messageId") + "\"}"));
    CHECK(contains(hear(), "\"redeliveryCount\":1"));
    CHECK(contains(hear(), "\"redeliveryCount\":2")); // nobody acknowledged it
    run(w.context, socket.say("{\"messageId\":\"" + member_of(first, "messageId") + "\"}"));
    sluice::message late("late");
    late.deliver_after = 30ms;
    run(w.context, producer.send(late));
    CHECK(payload_of(hear()) == "late");
}

TEST_CASE("a frame that does not bind ends the connection without a close frame") {
    world w;
    const socket_place at(w.gateway, sluice::dialect::pulsar);
    raw_websocket socket(w.context, w.gateway.port());
    REQUIRE(run(w.context, socket.open(at.consumer("s"))) == 101);
    run(w.context, socket.say("{bad"));
    CHECK(!run(w.context, socket.hear()));
    CHECK(socket.close_code == 0);
    run_until(w.context, [&] { return w.gateway.stats().open_sockets == 0; });
}

TEST_CASE("consumers that share, on many threads, with connections that are cut") {
    asio::io_context served;
    sluice::testing::gateway gateway(served);
    auto work = asio::make_work_guard(served);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { served.run(); });
    constexpr int total = 2000;
    {
        asio::io_context context;
        const socket_place at(gateway, sluice::dialect::gdn);
        sluice::client client(context.get_executor(), config_for(gateway, sluice::dialect::gdn));
        sluice::producer_options options = impatient();
        sluice::producer producer(client, "orders", options);
        std::set<std::string> seen;
        bool sent = false;
        int running = 3;
        const auto consumer = [&](int cuts) -> asio::awaitable<void> {
            while (seen.size() < total) {
                raw_websocket socket(context, gateway.port());
                const int status = co_await socket.open(
                    at.consumer("s", "?subscriptionType=Shared&receiverQueueSize=50"), at.authorization);
                if (status != 101) continue; // the last message came meanwhile
                for (int n = 0; seen.size() < total && (cuts == 0 || n < 97); ++n) {
                    const std::optional<std::string> frame = co_await socket.hear();
                    if (!frame) break;
                    seen.insert(payload_of(*frame));
                    std::string answer = "{\"messageId\":\"" + member_of(*frame, "messageId") + "\"}";
                    co_await socket.say(std::move(answer));
                }
                if (cuts != 0) --cuts;
                socket.reset();
            }
            --running;
        };
        for (const int cuts : {0, 5, 5}) asio::co_spawn(context, consumer(cuts), asio::detached);
        asio::co_spawn(context, send_numbers(producer, 0, total), [&](std::exception_ptr) { sent = true; });
        run_until(context, [&] { return sent && seen.size() == total; });
        CHECK(gateway.message_count("orders") == total);
        gateway.drop_connections(); // some wait for messages that will not come. Earlier, the producer would send again
        run_until(context, [&] { return running == 0; });
        gateway.stop();
    }
    work.reset();
    for (std::thread& t : threads) t.join();
}
