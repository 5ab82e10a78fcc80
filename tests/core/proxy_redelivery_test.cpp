// SPDX-License-Identifier: BSL-1.0
// The proxy model's consumer sockets: what comes again, and when it is given up, as by a real Pulsar 4.0.7.
#include "receiving.hpp"

namespace {

using namespace test;

TEST_CASE("a refused message comes again after the delay, counted where consumers take turns") {
    for (const char* type : {"Shared", "Key_Shared"}) {
        CAPTURE(type);
        receiving_world w;
        subscriber c(w, std::string("?negativeAckRedeliveryDelay=500&subscriptionType=") + type);
        publisher p(w);
        p.publish("a b c");
        CHECK(c.get() == "a b c");
        c.nack("b");
        CHECK(c.server().next_time() == w.now + 500ms);
        w.now += 499ms;
        CHECK(c.get() == "");
        w.now += 1ms;
        CHECK(c.get() == "b*1");
        c.nack("b");
        c.nack("b"); // once is enough
        w.now += 1s;
        CHECK(c.get() == "b*2");
        c.nack("a");
        c.ack("a"); // which takes the refusal back
        c.ack("b");
        c.nack("b"); // too late
        w.now += 1s;
        CHECK(c.get() == "");
        CHECK(w.backlog() == "1");
        c.leave();
        CHECK(subscriber(w, std::string("?subscriptionType=") + type).get() == "c");
    }
    receiving_world w;
    subscriber c(w);
    publisher p(w);
    p.publish("a");
    CHECK(c.get() == "a");
    c.nack("a");
    CHECK(c.server().next_time() == w.now + 60s); // the client's default
}

TEST_CASE("an exclusive consumer gets everything again that it has not acknowledged") {
    for (const char* type : {"Exclusive", "Failover"}) {
        CAPTURE(type);
        receiving_world w;
        subscriber c(w, std::string("?negativeAckRedeliveryDelay=500&subscriptionType=") + type);
        publisher p(w);
        p.publish("a b c");
        CHECK(c.get() == "a b c");
        c.nack("b");
        w.now += 500ms;
        CHECK(c.get() == "a b c"); // and the broker does not count
        c.ack("b");
        c.nack("a");
        c.nack("c");
        w.now += 500ms;
        CHECK(c.get() == "a c");
    }
}

TEST_CASE("an ack time-out delivers again") {
    receiving_world w;
    subscriber c(w, "?ackTimeoutMillis=1000&subscriptionType=Shared&negativeAckRedeliveryDelay=5000");
    publisher p(w);
    p.publish("a b c");
    CHECK(c.get() == "a b c");
    c.ack("a");
    c.nack("c"); // it has a delay of its own
    CHECK(c.server().next_time() == w.now + 1s);
    w.now += 1s;
    CHECK(c.get() == "b*1");
    w.now += 1s;
    CHECK(c.get() == "b*2");
    c.ack("b");
    w.now += 3s;
    CHECK(c.get() == "c*1");
    // The proxy counts a redelivery as one more that is pending: a queue of one is full for ever.
    subscriber one(w, "?ackTimeoutMillis=1000&receiverQueueSize=1&subscriptionType=Shared", "s1");
    p.publish("x");
    CHECK(one.get() == "x");
    w.now += 1s;
    CHECK(one.get() == "");
    one.ack("x");
    p.publish("y");
    CHECK(one.get() == "y");
}

TEST_CASE("a message that was delivered too often goes to the dead letter topic") {
    receiving_world w;
    subscriber c(w, "?negativeAckRedeliveryDelay=100&subscriptionType=Shared&maxRedeliverCount=1&consumerName=cc");
    publisher p(w);
    p.say(R"({"payload":"YQ==","key":"k","properties":{"a":"b"},"eventTime":"2026-11-24T08:00:00Z"})");
    CHECK(c.get() == "a");
    c.nack("a");
    w.now += 100ms;
    CHECK(c.get() == "a*1");
    CHECK(!w.model.has_topic("persistent://public/default/t-s-DLQ"));
    c.nack("a");
    w.now += 100ms;
    CHECK(c.get() == "");
    CHECK(w.backlog() == "0");
    topic_reader dead(w, "?messageId=earliest", "t-s-DLQ");
    CHECK(dead.hear() ==
          std::vector<std::string>{
              R"({"messageId":"CAUQADAA","payload":"YQ==","properties":{"a":"b",)"
              R"("REAL_TOPIC":"persistent://public/default/t","REAL_SUBSCRIPTION":"s",)"
              R"("ORIGIN_MESSAGE_ID":"4:0:-1","ORIGIN_MESSAGE_IDY_TIME":"4:0:-1"},)"
              R"("publishTime":"2026-12-01T20:04:04.2Z","redeliveryCount":0,"eventTime":"2026-11-24T08:00:00Z",)"
              R"("key":"k"})"});
    const auto buried = w.model.messages("persistent://public/default/t-s-DLQ");
    REQUIRE(buried.size() == 1);
    CHECK(buried[0].producer_name.starts_with("persistent://public/default/t-s-cc-"));
    CHECK(buried[0].producer_name.ends_with("-DLQ"));

    subscriber named(w, "?ackTimeoutMillis=1000&subscriptionType=Shared&maxRedeliverCount=1&deadLetterTopic=graves",
                     "n");
    p.publish("b");
    CHECK(named.get() == "b");
    w.now += 1s;
    CHECK(named.get() == "b*1");
    w.now += 1s;
    CHECK(named.get() == "");
    CHECK(w.model.message_count("persistent://public/default/graves") == 1);
}

TEST_CASE("without a dead letter topic the burial is tried again") {
    proxy_options options;
    options.allow_auto_topic_creation = false;
    receiving_world w(options);
    w.rest("PUT", "/admin/v2/persistent/public/default/t", 204);
    subscriber c(w, "?negativeAckRedeliveryDelay=0&subscriptionType=Shared&maxRedeliverCount=1");
    publisher p(w);
    p.publish("a");
    CHECK(c.get() == "a");
    c.nack("a");
    CHECK(c.get() == "a*1");
    c.nack("a");
    w.now += 10s;
    CHECK(c.get() == "");
    CHECK(w.backlog() == "1");
    w.rest("PUT", "/admin/v2/persistent/public/default/t-s-DLQ", 204);
    w.now += 1s;
    CHECK(c.get() == "");
    CHECK(w.backlog() == "0");
    CHECK(w.model.message_count("persistent://public/default/t-s-DLQ") == 1);
}

} // namespace
