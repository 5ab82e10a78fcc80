// SPDX-License-Identifier: BSL-1.0
// What consumers are sent again, and when; what is given up as dead.
#include "cases.hpp"
#include "receiving.hpp"

#include <algorithm>

namespace conformance {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// The words in order: what is redelivered together has none.
std::string sorted(const std::string& words) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find(' ', at), words.size());
        all.push_back(words.substr(at, end - at));
        at = end + 1;
    }
    std::sort(all.begin(), all.end());
    std::string text;
    for (const std::string& word : all) text += (text.empty() ? "" : " ") + word;
    return text;
}

void refused(target& server, const std::string& type) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "negativeAckRedeliveryDelay=500&subscriptionType=" + type);
    publish(server, topic, "a b c");
    check_same(consumer.take(3), "a b c", "first");
    const auto begin = clock::now();
    consumer.refuse("b");
    check_same(consumer.take(1), "b*1", "refused once");
    check(clock::now() - begin >= 250ms, "it came before its delay"); // the client looks every third of it
    consumer.refuse("b");
    consumer.refuse("b");
    check_same(consumer.take(1), "b*2", "refused twice at once");
    check_same(consumer.take_all(1500ms), "", "once for both");
    consumer.acknowledge("b");
    consumer.acknowledge("a");
    wait_until("two are acknowledged", [&] { return backlog_of(server, topic) == 1; });
    consumer.leave();
    raw_consumer again(server, topic, "subscriptionType=" + type);
    check_same(again.take_just(1), "c", "what is left");
}
void refused_shared(target& server) { refused(server, "Shared"); }
void refused_key_shared(target& server) { refused(server, "Key_Shared"); }

/// An exclusive consumer, and an active one, gets all again that it has not acknowledged; the broker does not count.
void refused_alone(target& server, const std::string& type) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "negativeAckRedeliveryDelay=300&subscriptionType=" + type);
    publish(server, topic, "a b c");
    check_same(consumer.take(3), "a b c", "first");
    consumer.refuse("b");
    check_same(consumer.take(3), "a b c", "all of them");
    consumer.acknowledge("b");
    wait_until("one is acknowledged", [&] { return backlog_of(server, topic) == 2; });
    consumer.refuse("a");
    consumer.refuse("c");
    check_same(consumer.take(2), "a c", "what is left");
}
void refused_exclusive(target& server) { refused_alone(server, "Exclusive"); }
void refused_failover(target& server) { refused_alone(server, "Failover"); }

void acknowledged_meanwhile(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "negativeAckRedeliveryDelay=500&subscriptionType=Shared");
    publish(server, topic, "a b");
    check_same(consumer.take(2), "a b", "first");
    consumer.refuse("a");
    consumer.acknowledge("a"); // which takes the refusal back
    consumer.refuse("b");
    check_same(consumer.take(1), "b*1", "the other one");
    check_same(consumer.take_all(1000ms), "", "nothing else");
    check_same(backlog_of(server, topic), 1, "backlog");
}

void acknowledgement_timeout(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "ackTimeoutMillis=1000&subscriptionType=Shared");
    publish(server, topic, "a b c");
    check_same(consumer.take(3), "a b c", "first");
    const auto begin = clock::now();
    consumer.acknowledge("a");
    check_same(sorted(consumer.take(2)), "b*1 c*1", "after the time-out");
    check(clock::now() - begin >= 800ms, "they came before the time-out");
    consumer.acknowledge("b");
    check_same(consumer.take(1), "c*2", "after the next one");
    consumer.acknowledge("c");
    wait_until("all are acknowledged", [&] { return backlog_of(server, topic) == 0; });
    check_same(consumer.take_all(1500ms), "", "nothing else");
}

/// The count is that of the broker's dispatcher: it goes on at another consumer, and ends with the last of them.
void count_over_consumers(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer first(server, topic, "subscriptionType=Shared&negativeAckRedeliveryDelay=100");
    publish(server, topic, "x");
    check_same(first.take(1), "x", "first");
    first.refuse("x");
    check_same(first.take(1), "x*1", "refused");
    raw_consumer second(server, topic, "subscriptionType=Shared");
    first.leave();
    check_same(second.take(1), "x*1", "at the other one"); // leaving is no redelivery
    second.leave();
    raw_consumer third(server, topic, "subscriptionType=Shared");
    check_same(third.take(1), "x", "once nobody was there");
}

void dead_letters(target& server) {
    const std::string topic = server.new_topic(), dead_topic = topic + "-s-DLQ";
    raw_consumer consumer(server, topic,
                          "negativeAckRedeliveryDelay=100&subscriptionType=Shared&maxRedeliverCount=1&consumerName=cc");
    raw_producer producer(server, topic);
    producer.ask(R"({"payload":"YQ==","key":"k","properties":{"a":"b"},"eventTime":"2026-11-24T08:00:00Z"})");
    check_same(consumer.take(1), "a", "first");
    const auto at = consumer.last("a").at();
    consumer.refuse("a");
    check_same(consumer.take(1), "a*1", "refused once");
    consumer.refuse("a");
    wait_until("it is given up", [&] { return backlog_of(server, topic) == 0; });
    check_same(consumer.take_all(), "", "no longer delivered");
    const std::vector<seen_message> dead = server.read_back(dead_topic);
    check_same(dead.size(), 1u, "dead letters");
    check_same(dead[0].payload, "a", "payload");
    check_same(dead[0].key.value_or("none"), "k", "key");
    const bool loses =
        server.differs(server_kind::pulsar_3_0, "a dead letter has neither its event time nor REAL_SUBSCRIPTION");
    check_same(dead[0].event_time.value_or(0), loses ? 0 : 1'795'507'200'000, "event time");
    const std::string origin = std::to_string(at.ledger) + ":" + std::to_string(at.entry) + ":-1";
    std::map<std::string, std::string> properties{{"a", "b"},
                                                  {"REAL_TOPIC", topic},
                                                  {"REAL_SUBSCRIPTION", "s"},
                                                  {"ORIGIN_MESSAGE_ID", origin},
                                                  {"ORIGIN_MESSAGE_IDY_TIME", origin}};
    if (loses) properties.erase("REAL_SUBSCRIPTION");
    std::string told;
    for (const auto& [name, value] : dead[0].properties) told += name + "=" + value + " ";
    check(dead[0].properties == properties, "properties: " + told);
}

void named_dead_letters(target& server) {
    const std::string topic = server.new_topic(), graves = server.new_topic();
    raw_consumer consumer(
        server, topic, "ackTimeoutMillis=1000&subscriptionType=Shared&maxRedeliverCount=1&deadLetterTopic=" + graves);
    publish(server, topic, "b");
    check_same(consumer.take(1), "b", "first");
    check_same(consumer.take(1), "b*1", "after the time-out");
    wait_until("it is given up", [&] { return backlog_of(server, topic) == 0; });
    check_same(server.read_back(graves).size(), 1u, "dead letters");
}

} // namespace

std::vector<test_case> redelivery_cases() {
    return {
        {"negative acknowledgements, shared", refused_shared},
        {"negative acknowledgements, key_shared", refused_key_shared},
        {"negative acknowledgements, exclusive", refused_exclusive},
        {"negative acknowledgements, failover", refused_failover},
        {"an acknowledgement takes a negative one back", acknowledged_meanwhile},
        {"ackTimeoutMillis", acknowledgement_timeout},
        {"redeliveryCount over consumers", count_over_consumers},
        {"maxRedeliverCount, and the dead letter", dead_letters},
        {"deadLetterTopic", named_dead_letters},
    };
}

} // namespace conformance
