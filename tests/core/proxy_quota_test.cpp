// SPDX-License-Identifier: BSL-1.0
// Backlog quotas of the proxy model: what producers are told and when it goes on, policy by policy.
#include "receiving.hpp"

namespace {

using namespace test;
using sluice::testing::backlog_policy;
using sluice::testing::backlog_quota;

const std::string topic_path = "/admin/v2/persistent/public/default/t";

struct quota_world : receiving_world {
    explicit quota_world(backlog_quota quota) : receiving_world(with(quota)) {
        rest("PUT", topic_path, 204);
        rest("PUT", topic_path + "/subscription/s", 204);
    }
    static proxy_options with(backlog_quota quota) {
        proxy_options options;
        options.backlog_quota = quota;
        return options;
    }
    void clear() { rest("POST", topic_path + "/subscription/s/skip_all", 204); }
    std::uint64_t stored() { return model.message_count("persistent://public/default/t"); }
};

const std::string ten = R"({"payload":"MDEyMzQ1Njc4OQ==","context":"1"})";

std::string ok(const std::string& id) {
    return R"({"result":"ok","messageId":")" + id + R"(","context":"1","errorCode":0,"schemaVersion":0})";
}
std::string refused(const std::string& what) {
    return R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$)" + what +
           R"(","context":"1","errorCode":0,"schemaVersion":0})";
}

TEST_CASE("producer_exception: messages are refused until there is room, new producers too") {
    quota_world w({20, backlog_policy::producer_exception});
    publisher p(w, "?producerName=p");
    CHECK(p.say(ten)[0] == ok("CAQQADAA"));
    CHECK(p.say(ten)[0] == ok("CAQQATAA")); // which reaches the limit
    const std::string exceeded =
        refused("ProducerBlockedQuotaExceededException: The backlog quota of the topic persistent://public/default/t "
                "that the producer p produces to is exceeded");
    CHECK(p.say(ten)[0] == exceeded);
    CHECK(p.say(ten)[0] == exceeded);
    CHECK(w.stored() == 2);
    CHECK(refusal_of(w, "/ws/v2/producer/persistent/public/default/t", 503) ==
          "Failed to create producer/consumer: {\"errorMsg\":\"org.apache.pulsar.broker.service.BrokerServiceException$"
          "TopicBacklogQuotaExceededException: Cannot create producer on topic with backlog quota exceeded");
    subscriber c(w, "", "s");
    CHECK(c.hear().size() == 2);
    CHECK(p.say(ten)[0] == exceeded); // delivered is not acknowledged
    c.tell(R"({"messageId":"CAQQADAA"})");
    CHECK(p.say(ten)[0] == ok("CAQQAjAA"));                                           // the same socket goes on
    CHECK(w.model.messages("persistent://public/default/t").back().sequence_id == 5); // refusals took numbers
    publisher batching(w, "?batchingEnabled=true&batchingMaxMessages=1&producerName=p2", "u");
    CHECK(batching.say(ten)[0] == ok("CAUQADAA")); // no subscription, no backlog
}

TEST_CASE("producer_request_hold: messages wait, in order, and are stored once there is room") {
    quota_world w({20, backlog_policy::producer_request_hold});
    publisher p(w), batching(w, "?batchingEnabled=true&batchingMaxMessages=2");
    CHECK(p.say(ten).size() == 1);
    CHECK(p.say(ten).size() == 1);
    CHECK(p.say(ten).empty());
    CHECK(p.say(ten).empty());
    CHECK(batching.say(ten).empty());
    CHECK(batching.say(ten).empty());
    CHECK(w.stored() == 2);
    w.now += 10s;
    CHECK(p.hear().empty());
    std::string woken;
    p.server().on_wake([&] { woken += "p"; });
    batching.server().on_wake([&] { woken += "b"; });
    w.clear();
    CHECK(woken.size() == 2);
    CHECK(p.hear() == std::vector<std::string>{ok("CAQQAjAA"), ok("CAQQAzAA")}); // and the limit is reached again
    CHECK(batching.hear().empty());
    w.clear();
    CHECK(batching.hear() == std::vector<std::string>{ok("CAQQBCAAMAA="), ok("CAQQBCABMAA=")});
    CHECK(p.say(ten).empty());
    p.server().end_of_stream(w.now); // what was held is lost
    w.clear();
    CHECK(w.stored() == 6);
}

TEST_CASE("producer_request_hold: the oldest message's send time-out fails all that wait") {
    quota_world w({20, backlog_policy::producer_request_hold});
    publisher p(w, "?sendTimeoutMillis=3000&producerName=p"), patient(w, "?sendTimeoutMillis=0");
    p.say(ten);
    p.say(ten);
    CHECK(p.say(ten).empty());
    CHECK(patient.say(ten).empty());
    CHECK(p.server().next_time() == w.now + 3s);
    w.now += 2495ms;
    p.now = w.now;
    CHECK(p.say(ten).empty());
    w.now += 504ms;
    CHECK(p.hear().empty());
    w.now += 1ms;
    const auto timed_out = [](const std::string& age) {
        return refused("TimeoutException: The producer p can not send message to the topic "
                       "persistent://public/default/t within given timeout : createdAt " +
                       age + " seconds ago, firstSentAt 0.0 seconds ago, lastSentAt 0.0 seconds ago, retryCount 0");
    };
    CHECK(p.hear() == std::vector<std::string>{timed_out("3.0"), timed_out("0.505")});
    w.now += 1min;
    CHECK(patient.hear().empty());
    w.clear();
    CHECK(patient.hear() == std::vector<std::string>{ok("CAQQAjAA")});
    p.now = w.now;
    CHECK(p.say(ten)[0] == ok("CAQQAzAA"));
    CHECK(w.model.messages("persistent://public/default/t").back().sequence_id == 4); // time-outs took numbers
}

TEST_CASE("producer_request_hold: a full queue, a deleted topic, a terminated one") {
    quota_world w({10, backlog_policy::producer_request_hold});
    publisher p(w, "?batchingEnabled=true&batchingMaxMessages=1&maxPendingMessages=1");
    CHECK(p.say(ten).size() == 1);
    CHECK(p.say(ten).empty());
    CHECK(p.say(ten)[0] == refused("ProducerQueueIsFullError: Producer send queue is full"));
    w.rest("DELETE", topic_path + "?force=true", 204);
    CHECK(p.hear() == std::vector<std::string>{ok("CAUQADAA")}); // it was made again
    w.rest("PUT", topic_path + "/subscription/s", 204);
    publisher other(w);
    CHECK(other.say(ten).size() == 1);
    CHECK(other.say(ten).empty());
    w.model.terminate("persistent://public/default/t");
    CHECK(p.say(ten).size() == 1);
    const auto answers = other.hear();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].find("TopicTerminatedException") != std::string::npos);
}

TEST_CASE("consumer_backlog_eviction: the oldest messages are skipped, producers see nothing") {
    quota_world w({100, backlog_policy::consumer_backlog_eviction});
    publisher p(w);
    for (int i = 0; i < 9; ++i) CHECK(p.say(ten).size() == 1);
    CHECK(w.backlog() == "9");
    CHECK(p.say(ten).size() == 1);
    CHECK(w.backlog() == "9"); // nine tenths
    for (int i = 0; i < 30; ++i) p.say(ten);
    CHECK(w.backlog() == "9");
    CHECK(w.stored() == 40);
    CHECK(subscriber(w).hear().size() == 9);
}

TEST_CASE("a quota of a topic, and of a namespace") {
    receiving_world w;
    publisher p(w);
    CHECK(!w.model.limit_backlog("persistent://public/default/nix", {10, backlog_policy::producer_exception}));
    REQUIRE(w.model.limit_backlog("persistent://public/default/t", {10, backlog_policy::producer_exception}));
    w.rest("PUT", topic_path + "/subscription/s", 204);
    CHECK(member(p.say(ten)[0], "result") == "ok");
    CHECK(member(p.say(ten)[0], "result") == "send-error:8");
    const std::string quota = "/admin/v2/namespaces/public/default/backlogQuota";
    w.rest("POST", quota, 204, R"({"limitSize":20,"limitTime":-1,"policy":"producer_exception"})");
    CHECK(member(p.say(ten)[0], "result") == "ok");
    CHECK(member(p.say(ten)[0], "result") == "send-error:8");
    publisher later(w, "", "later");
    w.rest("PUT", "/admin/v2/persistent/public/default/later/subscription/s", 204);
    CHECK(member(later.say(ten)[0], "result") == "ok");
    CHECK(member(later.say(ten)[0], "result") == "ok");
    CHECK(member(later.say(ten)[0], "result") == "send-error:8");
    for (const char* bad : {"", "[]", "{}", R"({"limitSize":20,"policy":"none"})",
                            R"({"limitSize":"x","policy":"producer_exception"})", R"({"policy":"producer_exception")"})
        w.rest("POST", quota, 400, bad);
    w.rest("DELETE", quota, 204);
    CHECK(member(later.say(ten)[0], "result") == "ok");
}

} // namespace
