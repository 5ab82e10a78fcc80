// SPDX-License-Identifier: BSL-1.0
// Several consumers at one subscription of the proxy model: who gets what, what happens when one leaves, who is woken,
// and what statistics and REST calls say about it.
#include "receiving.hpp"

#include <functional>
#include <map>
#include <random>
#include <set>

namespace {

using namespace test;

const std::string topic_path = "/admin/v2/persistent/public/default/t";

TEST_CASE("an exclusive subscription has one consumer, and all of one have the same type") {
    struct row {
        const char *first, *second, *why;
    };
    const auto differs = [](std::string first, std::string second) {
        return "Subscription is of different type. Active subscription type of '" + first +
               "' is different than the connecting consumer's type '" + second + "'.";
    };
    const std::string types[] = {"Exclusive", "Shared", "Failover", "Key_Shared"};
    for (const std::string& first : types)
        for (const std::string& second : types) {
            CAPTURE(first);
            CAPTURE(second);
            receiving_world w;
            subscriber a(w, "?consumerName=a&subscriptionType=" + first);
            const std::string path =
                "/ws/v2/consumer/persistent/public/default/t/s?consumerName=a&subscriptionType=" + second;
            if (first != second || first == "Exclusive") {
                const std::string why =
                    first == second ? "Exclusive consumer is already connected" : differs(first, second);
                CHECK(refusal_of(w, path, 409) == "Failed to create producer/consumer: {\"errorMsg\":\"" + why);
                a.leave();
            }
            CHECK(peer_client(w.model).upgrade(path).status == 101); // where it is shared, a name may come twice
        }
}

TEST_CASE("shared: in turn, by room, by priority; what one held goes to the others") {
    receiving_world w;
    subscriber a(w, "?subscriptionType=Shared"), b(w, "?subscriptionType=Shared"),
        full(w, "?subscriptionType=Shared&receiverQueueSize=1");
    subscriber spare(w, "?subscriptionType=Shared&priorityLevel=1");
    publisher p(w);
    p.publish("1 2 3 4 5 6");
    CHECK(a.get() == "1 4 6");
    CHECK(b.get() == "2 5");
    CHECK(full.get() == "3");
    CHECK(spare.get() == "");
    a.leave();
    CHECK(b.get() == "1 4 6");
    CHECK(full.get() == "");
    CHECK(spare.get() == "");
    b.ack("5");
    full.tell("{\"messageId\":\"" + b.id_of("1") + "\"}"); // anybody may; it makes room here
    p.publish("7 8");
    CHECK(b.get().size() == 1);
    CHECK(full.get().size() == 1);
    b.leave();
    full.leave();
    CHECK(spare.get() == "2 4 6 8 3 7"); // of the one that left first, then of the other
}

TEST_CASE("shared: a redelivery may go to another one, and counts until the last consumer leaves") {
    receiving_world w;
    subscriber a(w, "?subscriptionType=Shared&negativeAckRedeliveryDelay=0");
    publisher p(w);
    p.publish("x");
    CHECK(a.get() == "x");
    a.nack("x");
    CHECK(a.get() == "x*1");
    subscriber b(w, "?subscriptionType=Shared");
    a.leave();
    CHECK(b.get() == "x*1");
    b.leave();
    CHECK(subscriber(w, "?subscriptionType=Shared").get() == "x");
}

TEST_CASE("failover: one is active; the next takes over what was not acknowledged") {
    receiving_world w;
    subscriber a(w, "?subscriptionType=Failover&consumerName=a"), b(w, "?subscriptionType=Failover&consumerName=b"),
        spare(w, "?subscriptionType=Failover&consumerName=spare&priorityLevel=2");
    publisher p(w);
    p.publish("1 2 3 4");
    CHECK(a.get() == "1 2 3 4");
    CHECK(b.get() == "");
    CHECK(w.stats().find(R"("activeConsumerName":"a")") != std::string::npos);
    a.ack("2");
    a.leave();
    CHECK(b.get() == "1 3 4");
    CHECK(spare.get() == "");
    b.leave();
    CHECK(spare.get() == "1 3 4");
    spare.ack("1");
    subscriber first(w, "?subscriptionType=Failover&priorityLevel=0"); // takes over from one that lives
    p.publish("5");
    CHECK(first.get() == "3 4 5");
    CHECK(spare.get() == "");
    spare.ack("3"); // which may still acknowledge
    first.leave();
    CHECK(spare.get() == "4 5");
}

TEST_CASE("key_shared: a key has one consumer") {
    receiving_world w;
    std::vector<std::unique_ptr<subscriber>> consumers;
    for (int i = 0; i < 4; ++i) consumers.push_back(std::make_unique<subscriber>(w, "?subscriptionType=Key_Shared"));
    publisher p(w);
    std::map<std::string, std::set<std::size_t>> owners;
    for (int round = 0; round < 3; ++round) {
        for (int key = 0; key < 100; ++key) p.publish_with_key("k" + std::to_string(key), std::to_string(key));
        for (std::size_t i = 0; i < consumers.size(); ++i) {
            consumers[i]->get();
            for (const received& r : consumers[i]->all) owners[r.payload].insert(i);
        }
    }
    CHECK(owners.size() == 100);
    std::map<std::size_t, int> keys;
    for (const auto& [key, who] : owners) {
        CHECK(who.size() == 1);
        ++keys[*who.begin()];
    }
    CHECK(keys.size() == 4);
    for (const auto& [who, n] : keys) CHECK(n > 10);
    for (const auto& c : consumers)
        CHECK(c->all.size() == static_cast<std::size_t>(3 * keys[static_cast<std::size_t>(&c - consumers.data())]));
    p.publish("n n n n n n n n n n n n n n n n"); // without a key: each has one of its own
    std::size_t got = 0;
    for (const auto& c : consumers) got += !c->get().empty();
    CHECK(got > 1);
}

TEST_CASE("key_shared: who joins takes keys over once they are answered, in order") {
    receiving_world w;
    subscriber a(w, "?subscriptionType=Key_Shared&consumerName=a");
    publisher p(w);
    const auto publish = [&](const std::string& prefix) {
        for (int key = 0; key < 20; ++key) p.publish_with_key(prefix + std::to_string(key), std::to_string(key));
    };
    publish("x");
    a.get();
    CHECK(a.all.size() == 20);
    subscriber b(w, "?subscriptionType=Key_Shared&consumerName=b");
    publish("y");
    publish("z");
    a.get();
    b.get();
    CHECK(a.all.size() > 20);
    CHECK(a.all.size() < 60);
    CHECK(b.all.empty()); // its keys are still with the other
    for (int key = 0; key < 20; ++key) a.ack("x" + std::to_string(key));
    a.get();
    b.get();
    CHECK(a.all.size() + b.all.size() == 60);
    REQUIRE(!b.all.empty());
    const auto order = [](const std::vector<received>& messages) {
        std::map<std::string, std::string> by_key;
        for (const received& r : messages) by_key[r.payload.substr(1)] += r.payload[0];
        return by_key;
    };
    for (const auto& [key, letters] : order(b.all)) CHECK(letters == "yz");
    const auto before = static_cast<std::ptrdiff_t>(a.all.size());
    b.leave();
    a.get();
    CHECK(order({a.all.begin() + before, a.all.end()}) == order(b.all)); // and all of it comes back
}

TEST_CASE("key_shared: who is full holds up its own keys only") {
    receiving_world w;
    subscriber small(w, "?subscriptionType=Key_Shared&receiverQueueSize=1&consumerName=small"),
        large(w, "?subscriptionType=Key_Shared&consumerName=large");
    publisher p(w);
    for (int n = 0; n < 3; ++n)
        for (int key = 0; key < 20; ++key)
            p.publish_with_key(std::to_string(key) + "-" + std::to_string(n), std::to_string(key));
    large.get();
    small.get();
    CHECK(small.all.size() == 1);
    REQUIRE(large.all.size() % 3 == 0);
    CHECK(large.all.size() > 0);
    while (!small.get().empty() || small.all.size() + large.all.size() < 60) {
        REQUIRE(small.all.size() < 60);
        small.ack(small.all.back().payload);
        if (small.get().empty()) break;
    }
    CHECK(small.all.size() + large.all.size() == 60);
    std::map<std::string, std::string> order;
    for (const received& r : small.all) order[r.payload.substr(0, r.payload.find('-'))] += r.payload.back();
    for (const auto& [key, numbers] : order) CHECK(numbers == "012");
}

TEST_CASE("delayed messages wait where consumers take turns, and nowhere else") {
    receiving_world w;
    subscriber exclusive(w, "", "e"), failover(w, "?subscriptionType=Failover", "f"),
        shared(w, "?subscriptionType=Shared", "s"), keyed(w, "?subscriptionType=Key_Shared", "k");
    publisher p(w);
    p.publish("late", R"(,"deliverAfterMs":2000,"key":"k")");
    p.publish("never", R"(,"deliverAt":9223372036854775807,"key":"k")");
    p.publish("now", R"(,"key":"k")");
    CHECK(exclusive.get() == "late never now");
    CHECK(failover.get() == "late never now");
    CHECK(shared.get() == "now");
    CHECK(keyed.get() == "now");
    CHECK(shared.server().next_time() == w.now + 2s);
    CHECK(w.stats().find(R"("msgBacklog":3,"msgBacklogNoDelayed":1,"msgDelayed":2)") != std::string::npos);
    w.now += 1999ms;
    CHECK(shared.get() == "");
    w.now += 1ms;
    CHECK(shared.get() == "late");
    CHECK(keyed.get() == "late");
    shared.leave();
    CHECK(subscriber(w).get() == "late never now"); // an exclusive one waits for nothing
}

TEST_CASE("a publication wakes the connections that it concerns, and no other") {
    receiving_world w;
    subscriber a(w, "?receiverQueueSize=1", "a"), other(w, "", "s", "u"), b(w, "", "b");
    topic_reader r(w);
    publisher p(w), idle(w);
    std::string woken;
    const auto watch = [&](socket_client& c, const char* name) {
        c.server().on_wake([&woken, name] { woken += name; });
    };
    watch(a, "a");
    watch(b, "b");
    watch(other, "o");
    watch(r, "r");
    watch(p, "p");
    watch(idle, "i");
    p.publish("1 2 3");
    CHECK(std::set<char>(woken.begin(), woken.end()) == std::set<char>{'a', 'b', 'r'});
    CHECK(woken.size() == 3); // once each
    CHECK(a.server().next_time() <= w.now);
    CHECK(other.server().next_time() > w.now);
    CHECK(p.server().next_time() > w.now);
    CHECK(a.get() == "1");
    CHECK(b.get() == "1 2 3");
    woken.clear();
    p.publish("4");
    CHECK(woken == "b"); // one is full, the reader has not looked yet
    CHECK(r.get() == "1 2 3 4");
    woken.clear();
    a.ack("1"); // its own call needs no wake
    CHECK(woken.empty());
    CHECK(a.get() == "2");
}

TEST_CASE("a consumer that leaves wakes who takes over") {
    receiving_world w;
    auto a = std::make_unique<subscriber>(w, "?subscriptionType=Shared");
    subscriber b(w, "?subscriptionType=Shared");
    publisher p(w);
    p.publish("1 2 3", R"(,"deliverAfterMs":1000)");
    CHECK(a->get() == "");
    CHECK(a->server().next_time() == w.now + 1s);
    a.reset(); // without a word
    CHECK(b.get() == "");
    CHECK(b.server().next_time() == w.now + 1s);
    w.now += 1s;
    CHECK(b.get() == "1 2 3");
}

TEST_CASE("large deliveries go out in pieces") {
    receiving_world w;
    subscriber c(w);
    publisher p(w);
    const std::string large(700'000, 'x');
    for (int i = 0; i < 5; ++i) p.publish(large);
    c.now = w.now;
    c.server().advance(w.now);
    CHECK(c.server().output_size() < 2'500'000);
    CHECK(c.server().next_time() <= w.now);
    CHECK(c.hear().size() == 5);
}

TEST_CASE("what is delivered keeps a connection from being idle") {
    receiving_world w;
    subscriber c(w);
    publisher p(w);
    w.now += 4min;
    p.publish("a");
    CHECK(c.get() == "a");
    w.now += 4min;
    CHECK(c.get() == "");
    CHECK(c.close_code == 0);
    w.now += 1min;
    CHECK(c.hear().empty());
    CHECK(c.close_code == 1001);
}

TEST_CASE("statistics of subscriptions") {
    receiving_world w;
    subscriber c(w, "?subscriptionType=Shared&consumerName=cc");
    publisher p(w);
    p.publish("a bb ccc");
    CHECK(c.get() == "a bb ccc");
    c.ack("bb");
    CHECK(w.stats().find(
              R"("subscriptions":{"s":{"msgRateOut":0,"msgThroughputOut":0,"bytesOutCounter":6,"msgOutCounter":3,)"
              R"("msgBacklog":2,"msgBacklogNoDelayed":2,"msgDelayed":0,"unackedMessages":2,"type":"Shared",)"
              R"("consumers":[{"msgRateOut":0,"msgThroughputOut":0,"bytesOutCounter":6,"msgOutCounter":3,)"
              R"("consumerName":"cc","availablePermits":998,"unackedMessages":2,)"
              R"("connectedSince":"2026-12-01T20:04:04Z","metadata":{}}],"isDurable":true,"durable":true}})") !=
          std::string::npos);
    CHECK(w.rest("GET", topic_path + "/internalStats", 200).find(R"("cursors":{"s":{"messagesConsumedCounter":1}})") !=
          std::string::npos);
    CHECK(w.model.stats().delivered == 3);
    c.leave();
    CHECK(w.stats().find(R"("msgBacklog":2,)") != std::string::npos);
    CHECK(w.stats().find(R"("consumers":[])") != std::string::npos);
}

TEST_CASE("the admin's calls of subscriptions") {
    receiving_world w;
    publisher p(w);
    w.rest("PUT", topic_path + "/subscription/s", 204, "\"earliest\"");
    CHECK(w.rest("PUT", topic_path + "/subscription/s", 409) ==
          R"({"reason":"Subscription already exists for topic"})");
    p.publish("a b c");
    CHECK(w.backlog() == "3");
    subscriber c(w);
    CHECK(c.get() == "a b c");
    c.ack("b");
    CHECK(w.rest("GET", topic_path + "/subscription/s/position/2", 200) == "c");
    CHECK(w.rest("DELETE", topic_path + "/subscription/s", 412) ==
          R"({"reason":"Subscription has active connected consumers"})");
    w.rest("POST", topic_path + "/subscription/s/skip_all", 204);
    CHECK(w.backlog() == "0");
    c.nack("a"); // it is over with
    w.now += 2min;
    CHECK(c.get() == "");
    p.publish("d");
    w.now += 10s;
    p.publish("e");
    CHECK(c.get() == "d e");
    w.rest("POST", topic_path + "/subscription/s/expireMessages/11", 204);
    CHECK(w.backlog() == "2");
    w.rest("POST", topic_path + "/subscription/s/expireMessages/5", 204);
    CHECK(w.backlog() == "1");
    c.leave();
    CHECK(subscriber(w).get() == "e");
    w.rest("DELETE", topic_path + "/subscription/s", 204);
    CHECK(w.rest("DELETE", topic_path + "/subscription/s", 404) ==
          R"({"reason":"Subscription s not found for topic persistent://public/default/t"})");
}

TEST_CASE("GDN's calls of subscriptions") {
    receiving_world w;
    const std::string key = "apikey " + w.model.api_key();
    const std::string streams = "/_fabric/_system/_api/streams";
    const auto call = [&](std::string method, std::string path, int status) {
        peer_client c(w.model, w.now);
        const auto r = c.request(std::move(method), streams + path, key);
        CHECK(r.status == status);
        return r.body;
    };
    const auto backlog = [&] { return member(call("GET", "/t/stats", 200), "msgBacklog"); };
    const std::string where = "/_ws/ws/v2/consumer/persistent/demo/c8global._system/c8globals.t/";
    call("POST", "/t", 200);
    auto c = std::make_unique<peer_client>(w.model);
    REQUIRE(c->upgrade(where + "s?receiverQueueSize=1", key).status == 101);
    peer_client other(w.model);
    REQUIRE(other.upgrade(where + "s2", key).status == 101);
    other.server().end_of_stream(w.now);
    for (int i = 0; i < 3; ++i) {
        call("POST", "/t/publish", 200);
        w.now += 10s;
    }
    CHECK(call("GET", "/t/subscriptions", 200).find(R"("result":["s","s2"])") != std::string::npos);
    CHECK(backlog() == "3");
    c->now = w.now;
    CHECK(c->advance(0s).size() == 1);
    call("POST", "/t/expiry/25", 200);
    CHECK(backlog() == "2");
    call("POST", "/t/expiry/x", 400);
    call("POST", "/clearbacklog/s2", 200);
    CHECK(backlog() == "2");
    call("POST", "/clearbacklog", 200);
    CHECK(backlog() == "0");
    CHECK(call("DELETE", "/t/subscriptions/s", 412) ==
          R"({"code":412,"error":true,"errorMessage":"subscription has active connected consumers","errorNum":412})");
    call("DELETE", "/subscription/s", 412);
    call("DELETE", "/t", 412);
    c.reset();
    call("DELETE", "/t/subscriptions/s", 200);
    call("DELETE", "/t/subscriptions/s", 404);
    call("DELETE", "/subscription/s2", 200);
    call("DELETE", "/subscription/s2", 404);
    call("DELETE", "/t", 200);
}

TEST_CASE("whatever consumers do, every message is acknowledged in the end and none is lost") {
    const char* const types[] = {"Exclusive", "Shared", "Failover", "Key_Shared"};
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        const auto pick = [&](std::uint64_t n) { return random() % n; };
        receiving_world w;
        const std::string type = types[seed % 4];
        const std::size_t most = type == "Exclusive" ? 1 : 3;
        publisher p(w);
        std::vector<std::unique_ptr<subscriber>> consumers;
        const auto join = [&] {
            consumers.push_back(std::make_unique<subscriber>(
                w, "?ackTimeoutMillis=1000&negativeAckRedeliveryDelay=700&subscriptionType=" + type +
                       "&receiverQueueSize=" + std::to_string(1 + pick(20))));
        };
        join();
        std::set<std::string> acknowledged;
        int published = 0;
        for (int step = 0; step < 300; ++step) {
            const auto what = pick(10);
            if (what < 3) {
                const std::string delay = pick(8) == 0 ? R"(,"deliverAfterMs":)" + std::to_string(pick(5000)) : "";
                p.publish("m" + std::to_string(published++), R"(,"key":")" + std::to_string(pick(5)) + "\"" + delay);
            } else if (what == 3 && consumers.size() < most) {
                join();
            } else if (what == 4 && consumers.size() > 1) {
                consumers.erase(consumers.begin() + static_cast<std::ptrdiff_t>(pick(consumers.size())));
            } else if (what == 5) {
                w.now += std::chrono::milliseconds(pick(1500));
            } else {
                subscriber& c = *consumers[pick(consumers.size())];
                c.get();
                if (c.all.empty()) continue;
                const std::string payload = c.all[pick(c.all.size())].payload;
                if (pick(3) == 0) {
                    c.nack(payload);
                } else {
                    c.ack(payload);
                    acknowledged.insert(payload);
                }
            }
        }
        consumers.clear();
        subscriber last(w, "?subscriptionType=Shared");
        w.now += 10s;
        last.get();
        for (const received& r : last.all) {
            CHECK(!acknowledged.contains(r.payload));
            acknowledged.insert(r.payload);
            last.ack(r.payload);
        }
        CHECK(acknowledged.size() == static_cast<std::size_t>(published));
        CHECK(w.backlog() == "0");
    }
}

} // namespace
