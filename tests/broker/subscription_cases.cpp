// SPDX-License-Identifier: BSL-1.0
// Several consumers at one subscription, and what a subscription is asked to be: who gets what.
#include "cases.hpp"
#include "receiving.hpp"
#include "words.hpp"

#include <algorithm>
#include <memory>
#include <set>

namespace conformance {
namespace {

using namespace std::chrono_literals;

constexpr const char* no_initial_position =
    "subscriptionInitialPosition is unknown: new subscriptions start behind the "
    "last message";

void refuses(target& server, const std::string& where, const std::string& why) {
    raw_socket socket(server.address, where, server.authorization());
    check_same(socket.answer().status, 409, where);
    check_same(words(socket.answer()), R"(Failed to create producer/consumer: {"errorMsg":")" + why + R"(",...})",
               where);
}

/// One type at a time, and an exclusive subscription has one consumer.
void types(target& server) {
    const bool terse =
        server.differs(server_kind::pulsar_3_0, "a subscription of another type: its types are not told");
    const std::string names[] = {"Exclusive", "Shared", "Failover", "Key_Shared"};
    for (const std::string& first : names) {
        const std::string topic = server.new_topic();
        raw_consumer one(server, topic, "subscriptionType=" + first);
        for (const std::string& second : names) {
            const std::string query = "subscriptionType=" + second;
            if (first != second)
                refuses(server, server.consumer_target(topic, "s", query),
                        "Subscription is of different type" +
                            (terse ? ""
                                   : ". Active subscription type of '" + first +
                                         "' is different than the connecting consumer's type '" + second + "'."));
            else if (first == "Exclusive")
                refuses(server, server.consumer_target(topic, "s", query), "Exclusive consumer is already connected");
            else
                raw_consumer(server, topic, query).leave();
        }
    }
}

/// Once nobody is there, the next consumer says what the type is.
void type_changes(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer(server, topic, "subscriptionType=Shared").leave();
    publish(server, topic, "a");
    raw_consumer failover(server, topic, "subscriptionType=Failover");
    check_same(failover.take(1), "a", "as failover");
    failover.leave();
    raw_consumer exclusive(server, topic);
    check_same(exclusive.take(1), "a", "as exclusive");
}

void exclusive(target& server) {
    const std::string topic = server.new_topic();
    {
        raw_consumer one(server, topic);
        publish(server, topic, "a b");
        check_same(one.take(2), "a b", "all");
        one.acknowledge("a");
        wait_until("one is acknowledged", [&] { return backlog_of(server, topic) == 1; });
        one.leave();
    }
    publish(server, topic, "c");
    raw_consumer next(server, topic);
    check_same(next.take_just(2), "b c", "the next one goes on");
    raw_consumer other(server, topic, "", "other");
    check_same(other.take_all(), "", "another subscription");
}

/// Each message goes to one of them, and none has more than its room.
void shared(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer one(server, topic, "subscriptionType=Shared&receiverQueueSize=3");
    raw_consumer two(server, topic, "subscriptionType=Shared&receiverQueueSize=3");
    publish(server, topic, "a b c d e f g h i j");
    one.take_all();
    two.take_all();
    check(one.taken().size() <= 3 && two.taken().size() <= 3, "more than there is room for");
    std::set<std::string> payloads;
    std::size_t answered = 0;
    for (const raw_consumer* c : {&one, &two})
        for (const received& r : c->taken()) check(payloads.insert(r.payload).second, r.payload + " came twice");
    std::map<raw_consumer*, std::size_t> next;
    wait_until("all are delivered", [&] {
        for (raw_consumer* c : {&one, &two}) {
            while (c->has_text_within(10ms)) {
                const received r = c->next();
                check(payloads.insert(r.payload).second, r.payload + " came twice");
            }
            for (; next[c] < c->taken().size(); ++answered) {
                const std::string payload = c->taken()[next[c]++].payload;
                c->acknowledge(payload);
            }
        }
        return answered == 10;
    });
    wait_until("all are acknowledged", [&] { return backlog_of(server, topic) == 0; });
}

/// What one held goes to the others when it leaves.
void shared_leaving(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer one(server, topic, "subscriptionType=Shared");
    publish(server, topic, "a b c");
    check_same(one.take(3), "a b c", "all");
    raw_consumer two(server, topic, "subscriptionType=Shared");
    check_same(two.take_all(), "", "nothing is left for the second");
    one.acknowledge("b");
    wait_until("one is acknowledged", [&] { return backlog_of(server, topic) == 2; });
    one.leave();
    two.take(2);
    std::set<std::string> payloads;
    for (const received& r : two.taken()) payloads.insert(r.payload);
    check(payloads == std::set<std::string>{"a", "c"}, "what the first held");
}

void priorities(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer spare(server, topic, "subscriptionType=Shared&priorityLevel=1");
    raw_consumer first(server, topic, "subscriptionType=Shared&priorityLevel=0&receiverQueueSize=4");
    publish(server, topic, "a b c");
    check_same(first.take(3), "a b c", "the lower number");
    check_same(spare.take_all(), "", "the higher number");
}

void failover(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer one(server, topic, "subscriptionType=Failover&consumerName=a");
    raw_consumer two(server, topic, "subscriptionType=Failover&consumerName=b");
    const std::string stats = server.rest("GET", "/" + path_of(topic) + "/stats").body;
    const bool is_one = stats.find(R"("activeConsumerName":"a")") != std::string::npos;
    check(is_one || stats.find(R"("activeConsumerName":"b")") != std::string::npos, "statistics: " + shown(stats));
    if (server.differs(server_kind::gateway, "the consumer that came first is the active one; Pulsar chooses by a hash "
                                             "of the topic's and the consumers' names"))
        check(is_one, "the second one is active");
    raw_consumer &active = is_one ? one : two, &other = is_one ? two : one;
    publish(server, topic, "1 2 3 4");
    check_same(active.take(4), "1 2 3 4", "the active one");
    check_same(other.take_all(), "", "the other one");
    active.acknowledge("2");
    wait_until("one is acknowledged", [&] { return backlog_of(server, topic) == 3; });
    active.leave();
    check_same(other.take(3), "1 3 4", "what the first held");
    publish(server, topic, "5");
    check_same(other.take(1), "5", "it is the active one now");
}

/// The lowest number is active, also when it comes later.
void failover_priorities(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer spare(server, topic, "subscriptionType=Failover&priorityLevel=2");
    publish(server, topic, "a");
    check_same(spare.take(1), "a", "alone");
    spare.acknowledge("a");
    wait_until("it is acknowledged", [&] { return backlog_of(server, topic) == 0; });
    raw_consumer first(server, topic, "subscriptionType=Failover&priorityLevel=1");
    publish(server, topic, "b c");
    check_same(first.take(2), "b c", "the lower number");
    check_same(spare.take_all(), "", "the higher number");
    first.leave();
    check_same(spare.take(2), "b c", "alone again");
}

/// So many messages, whoever gets them.
void take_together(const std::vector<std::unique_ptr<raw_consumer>>& consumers, std::size_t messages) {
    std::size_t taken = 0;
    wait_until("all messages are there", [&] {
        for (const auto& c : consumers)
            while (c->has_text_within(10ms)) {
                c->next();
                ++taken;
            }
        return taken >= messages;
    });
    check_same(taken, messages, "messages");
}

/// A key has one consumer.
void key_shared(target& server) {
    const std::string topic = server.new_topic();
    std::vector<std::unique_ptr<raw_consumer>> consumers;
    for (int i = 0; i < 3; ++i)
        consumers.push_back(std::make_unique<raw_consumer>(server, topic, "subscriptionType=Key_Shared"));
    raw_producer producer(server, topic);
    constexpr std::size_t keys = 30, rounds = 3;
    for (std::size_t round = 0; round < rounds; ++round)
        for (std::size_t key = 0; key < keys; ++key)
            producer.ask(message_text(std::to_string(key) + "-" + std::to_string(round),
                                      R"(,"key":"k)" + std::to_string(key) + "\""));
    std::map<std::string, std::string> order;
    std::set<std::string> all;
    take_together(consumers, keys * rounds);
    for (const auto& c : consumers) {
        std::set<std::string> own;
        for (const received& r : c->taken()) {
            const std::size_t dash = r.payload.find('-');
            own.insert(r.payload.substr(0, dash));
            order[r.payload.substr(0, dash)] += r.payload.substr(dash + 1);
        }
        check(!own.empty(), "a consumer without a key");
        for (const std::string& key : own) check(all.insert(key).second, "key " + key + " has two consumers");
    }
    check_same(all.size(), keys, "keys");
    for (const auto& [key, numbers] : order) check_same(numbers, "012", "the order of key " + key);
}

/// Who leaves gives its keys to the others, and what it held, in order.
void key_shared_leaving(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer one(server, topic, "subscriptionType=Key_Shared");
    raw_producer producer(server, topic);
    for (int i = 0; i < 20; ++i)
        producer.ask(message_text(std::to_string(i), R"(,"key":"k)" + std::to_string(i % 5) + "\""));
    one.take(20);
    raw_consumer two(server, topic, "subscriptionType=Key_Shared");
    check_same(two.take_all(), "", "all is with the first one");
    one.leave();
    two.take(20);
    std::map<int, int> last;
    for (const received& r : two.taken()) {
        const int n = std::stoi(r.payload);
        const auto [slot, fresh] = last.try_emplace(n % 5, n);
        check(fresh || slot->second < n, "order of a key");
        slot->second = n;
    }
}

/// Who takes turns waits for messages that are delayed; an exclusive consumer does not.
void delayed(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer alone(server, topic, "", "e"), failing(server, topic, "subscriptionType=Failover", "f");
    raw_consumer shares(server, topic, "subscriptionType=Shared", "s");
    raw_consumer keyed(server, topic, "subscriptionType=Key_Shared", "k");
    const auto begin = std::chrono::steady_clock::now();
    raw_producer producer(server, topic);
    producer.text(message_text("late", R"(,"deliverAfterMs":3000)"));
    producer.text(message_text("never", R"(,"deliverAt":4102444800000)"));
    producer.text(message_text("now"));
    check_same(alone.take(3), "late never now", "exclusive");
    check_same(failing.take(3), "late never now", "failover");
    for (raw_consumer* c : {&shares, &keyed}) {
        check_same(c->take(1), "now", "what is not delayed");
        check_same(c->take(1), "late", "what is");
        check(std::chrono::steady_clock::now() - begin >= 2900ms, "it came before its time");
    }
    check_same(shares.take_all(), "", "what is far off");
}

void starts(target& server) {
    server.lacks(server_kind::pulsar_3_0, no_initial_position);
    const std::string topic = server.new_topic();
    publish(server, topic, "a b");
    raw_consumer latest(server, topic, "subscriptionInitialPosition=Latest", "latest"), said_nothing(server, topic);
    raw_consumer earliest(server, topic, "subscriptionInitialPosition=Earliest", "earliest");
    check_same(earliest.take(2), "a b", "Earliest");
    publish(server, topic, "c");
    check_same(latest.take(1), "c", "Latest");
    check_same(said_nothing.take(1), "c", "by default");
    earliest.acknowledge("a");
    wait_until("one is acknowledged", [&] { return backlog_of(server, topic, "earliest") == 2; });
    earliest.leave();
    raw_consumer again(server, topic, "subscriptionInitialPosition=Latest", "earliest");
    check_same(again.take(2), "b c", "it matters once");
}

void not_durable(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "subscriptionMode=NonDurable");
    publish(server, topic, "a");
    check_same(consumer.take(1), "a", "messages");
    check_same(backlog_of(server, topic), 1, "while it is there");
    consumer.leave();
    wait_until("the subscription is gone", [&] { return backlog_of(server, topic) == -1; });
}

void names(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer named(server, topic, "subscriptionType=Shared&consumerName=its%20name");
    raw_consumer namesake(server, topic, "subscriptionType=Shared&consumerName=its%20name");
    const std::string stats = server.rest("GET", "/" + path_of(topic) + "/stats").body;
    const std::string mark = R"("consumerName":"its name")";
    const std::size_t first = stats.find(mark);
    check(first != std::string::npos && stats.find(mark, first + 1) != std::string::npos,
          "statistics: " + shown(stats));
    check(stats.find(R"("type":"Shared")") != std::string::npos, "statistics: " + shown(stats));
}

/// A subscription that is deleted under its consumer is made again, behind what there was.
void deleted(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    publish(server, topic, "a");
    check_same(consumer.take(1), "a", "before");
    const std::string where = "/" + path_of(topic) + "/subscription/s";
    const web::http_response kept = server.rest("DELETE", where);
    check_same(kept.status, 412, "with a consumer");
    server.expect_done("DELETE", where + "?force=true");
    wait_until("it is there again", [&] { return backlog_of(server, topic) == 0; });
    publish(server, topic, "b");
    check_same(consumer.take(1), "b", "afterwards");
}

} // namespace

std::vector<test_case> subscription_cases() {
    return {
        {"types do not mix, word for word", types},
        {"the type may change", type_changes},
        {"exclusive", exclusive},
        {"shared, by room", shared},
        {"shared, and one leaves", shared_leaving},
        {"shared, by priority", priorities},
        {"failover", failover},
        {"failover, by priority", failover_priorities},
        {"key_shared: a key has one consumer", key_shared},
        {"key_shared, and one leaves", key_shared_leaving},
        {"delayed messages", delayed},
        {"where they start", starts},
        {"subscriptions that are not durable", not_durable},
        {"consumers' names", names},
        {"a subscription that is deleted", deleted},
    };
}

} // namespace conformance
