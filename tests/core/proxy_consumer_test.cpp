// SPDX-License-Identifier: BSL-1.0
// The proxy model's consumer sockets: frames, acknowledgements and refusals as a real Pulsar 4.0.7 does them.
#include "receiving.hpp"

#include <iterator>
#include <random>

namespace {

using namespace test;

const std::string consumer_path = "/ws/v2/consumer/persistent/public/default/t/s";

TEST_CASE("a delivery is the proxy's frame, byte for byte") {
    receiving_world w;
    w.now += 848ms;
    subscriber c(w);
    publisher p(w);
    p.say(R"({"payload":"dHdv","properties":{"a":"b","ü":"\u00f6\"/\\\n"},"eventTime":"2026-11-24T08:00:00.123+02:00",)"
          R"("key":"k1","context":"1"})");
    p.say(R"({"payload":"","key":"","eventTime":"1970-01-01T00:00:00Z"})");
    p.say(R"({"payload":"//79","eventTime":"+12026-11-24T08:00:00.1Z"})");
    const std::string published = R"("publishTime":"2026-12-01T20:04:04.848Z","redeliveryCount":0)";
    CHECK(c.hear() == std::vector<std::string>{
                          R"({"messageId":"CAQQADAA","payload":"dHdv","properties":{"a":"b","ü":"ö\"/\\\n"},)" +
                              published + R"(,"eventTime":"2026-11-24T06:00:00.123Z","key":"k1"})",
                          R"({"messageId":"CAQQATAA","payload":"","properties":{},)" + published + R"(,"key":""})",
                          R"({"messageId":"CAQQAjAA","payload":"//79","properties":{},)" + published +
                              R"(,"eventTime":"+12026-11-24T08:00:00.1Z"})"});
}

TEST_CASE("a batched message's id says the batch's size, which its acknowledgement did not") {
    receiving_world w;
    subscriber c(w);
    publisher p(w, "?batchingEnabled=true&batchingMaxMessages=3");
    p.websocket().send(web::opcode::text, web::as_bytes(R"({"payload":"YQ=="})"));
    p.websocket().send(web::opcode::text, web::as_bytes(R"({"payload":"YQ=="})"));
    const auto acknowledged = p.say(R"({"payload":"YQ=="})");
    REQUIRE(acknowledged.size() == 3);
    CHECK(member(acknowledged[2], "messageId") == "CAQQACACMAA=");
    CHECK(c.get() == "a a a");
    CHECK(c.all[0].id == "CAQQACAAMAM=");
    CHECK(c.all[2].id == "CAQQACACMAM=");
    c.tell(R"({"messageId":"CAQQACABMAM="})");
    CHECK(w.backlog() == "2");
    c.tell(R"({"messageId":"CAQQADAA"})"); // the whole batch
    CHECK(w.backlog() == "0");
}

TEST_CASE("where a subscription starts, and that it remembers") {
    receiving_world w;
    publisher p(w);
    p.publish("a b");
    {
        subscriber latest(w), earliest(w, "?subscriptionInitialPosition=Earliest", "e");
        CHECK(latest.get() == "");
        CHECK(earliest.get() == "a b");
        p.publish("c");
        CHECK(latest.get() == "c");
        CHECK(earliest.get() == "c");
        earliest.ack("b");
        latest.leave();
        earliest.leave();
    }
    p.publish("d");
    subscriber latest(w), earliest(w, "?subscriptionInitialPosition=Latest", "e");
    CHECK(latest.get() == "c d");
    CHECK(earliest.get() == "a c d"); // each message is acknowledged for itself
    subscriber passing(w, "?subscriptionMode=NonDurable", "n");
    CHECK(w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200) == R"(["e","n","s"])");
    passing.leave();
    CHECK(w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200) == R"(["e","s"])");
}

TEST_CASE("receiverQueueSize bounds what is pending, and any answer makes room") {
    receiving_world w;
    subscriber c(w, "?receiverQueueSize=2");
    publisher p(w);
    p.publish("a b c d e f g");
    CHECK(c.get() == "a b");
    c.ack("a");
    CHECK(c.get() == "c");
    c.ack("c"); // out of order
    CHECK(c.get() == "d");
    c.tell(R"({"messageId":"CAEQADAA"})"); // of no message here
    c.tell(R"({"type":"something else","messageId":"CAEQADAA"})");
    CHECK(c.get() == "e f");
    subscriber one(w, "?receiverQueueSize=0&subscriptionInitialPosition=Earliest", "z");
    CHECK(one.get() == "a"); // 0 counts as 1
}

TEST_CASE("pull mode delivers what is permitted") {
    receiving_world w;
    subscriber c(w, "?pullMode=true&subscriptionType=Shared&negativeAckRedeliveryDelay=0");
    publisher p(w);
    p.publish("a b c d e f g h i j k");
    CHECK(c.get() == "");
    c.tell(R"({"type":"permit","permitMessages":2})");
    CHECK(c.get() == "a b");
    c.ack("a");
    c.nack("b");
    CHECK(c.get() == ""); // answers permit nothing
    c.tell(R"({"type":"permit","permitMessages":"3"})");
    CHECK(c.get() == "b*1 c d");
    c.tell(R"({"type":"permit","permitMessages":0})"); // the proxy asks for one all the same
    CHECK(c.get() == "e");
    c.tell(R"({"type":"permit","permitMessages":-1})"); // again, and owes one from now on
    CHECK(c.get() == "f");
    c.tell(R"({"type":"permit","permitMessages":2.9})");
    CHECK(c.get() == "g");
    c.tell(R"({"type":"permit","permitMessages":2})");
    c.tell(R"({"type":"permit","permitMessages":2})");
    CHECK(c.get() == "h i"); // the second permit met one that was owed
    subscriber push(w, "?receiverQueueSize=1", "s2");
    p.publish("l m");
    CHECK(push.get() == "l");
    push.tell(R"({"type":"permit","permitMessages":5})"); // only pull mode counts them
    CHECK(push.get() == "");
}

TEST_CASE("the end of the topic is told once everything is acknowledged") {
    const std::string yes = R"({"endOfTopic":true})", no = R"({"endOfTopic":false})";
    receiving_world w;
    subscriber c(w);
    publisher p(w);
    p.publish("a b");
    CHECK(c.get() == "a b");
    CHECK(c.end_of_topic() == no);
    REQUIRE(w.model.terminate("persistent://public/default/t"));
    CHECK(c.end_of_topic() == no);
    c.ack("a");
    CHECK(c.end_of_topic() == no);
    c.ack("b");
    CHECK(c.end_of_topic() == yes);
    CHECK(subscriber(w, "", "other").end_of_topic() == yes); // a terminated topic can be consumed
}

TEST_CASE("unsubscribe has no answer, and is refused with others there") {
    receiving_world w;
    subscriber a(w, "?subscriptionType=Shared"), b(w, "?subscriptionType=Shared");
    publisher p(w);
    p.publish("x y");
    CHECK(a.get() == "x");
    CHECK(b.get() == "y");
    a.tell(R"({"type":"unsubscribe"})");
    CHECK(a.get() == "");
    CHECK(a.aborted());
    CHECK(b.get() == "x"); // what the other one held
    b.tell(R"({"type":"unsubscribe"})");
    CHECK(!b.aborted());
    p.publish("z");
    CHECK(b.get() == "");
    CHECK(b.end_of_topic() == R"({"endOfTopic":false})");
    CHECK(w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200) == "[]");
    b.tell(R"({"type":"unsubscribe"})");
    CHECK(b.aborted());
}

TEST_CASE("what a consumer must not say") {
    const std::string no_id = "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null";
    struct row {
        std::string text;
        std::string reason; ///< of a 1011; empty: the connection ends without a close frame
    };
    const row rows[] = {
        {"{bad", ""},
        {"", ""},
        {"[]", ""},
        {"\"x\"", ""},
        {"7", ""},
        {R"({"messageId":{}})", ""},
        {R"({"type":[]})", ""},
        {R"({"messageId":""})", ""}, // no bytes are no id
        {R"({"messageId":"AAAA"})", ""},
        {R"({"messageId":"CBs="})", ""},
        {R"({"type":"negativeAcknowledge","messageId":"CBs="})", ""},
        {R"({"type":"permit"})", ""},
        {R"({"type":"permit","permitMessages":null})", ""},
        {R"({"type":"permit","permitMessages":"x"})", ""},
        {R"({"type":"permit","permitMessages":true})", ""},
        {R"({"type":"permit","permitMessages":2147483648})", ""},
        {"null", "Cannot read field \"type\" because \"command\" is null"},
        {"{}", no_id},
        {R"({"messageId":null})", no_id},
        {R"({"type":"foo"})", no_id}, // an unknown type acknowledges
        {R"({"type":"acknowledge"})", no_id},
        {R"({"type":"negativeAcknowledge"})", no_id},
        {R"({"messageId":"!!"})", "Illegal base64 character 21"},
        {R"({"type":"negativeAcknowledge","messageId":"!!"})", "Illegal base64 character 21"},
        {R"({"messageId":7})", "Input byte[] should at least have 2 bytes for base64 bytes"},
    };
    for (const row& r : rows) {
        CAPTURE(r.text);
        receiving_world w;
        subscriber c(w);
        publisher p(w);
        p.publish("a");
        CHECK(c.get() == "a");
        c.tell(r.text);
        CHECK(c.hear().empty());
        CHECK(c.close_code == (r.reason.empty() ? 0 : 1011));
        CHECK(c.close_reason == r.reason);
        CHECK(c.aborted() == r.reason.empty());
        CHECK(w.model.stats().open_sockets == 1);
        CHECK(subscriber(w).get() == "a"); // the place is free
    }
    for (const char* good : {R"({"messageId":"CAQQADAA","foo":[1,{"a":2}]})", R"({"messageId":"CAQQADAA"} trailing)",
                             R"({"permitMessages":1.5,"messageId":"CAQQADAA","type":null})",
                             R"({"type":7,"messageId":"CAQQADAA"})", "{\"messageId\":\"\\u0043AQQADAA\"}"}) {
        CAPTURE(good);
        receiving_world w;
        subscriber c(w);
        publisher p(w);
        p.publish("a");
        CHECK(c.get() == "a");
        c.tell(good);
        CHECK(c.hear().empty());
        CHECK(w.backlog() == "0");
    }
}

TEST_CASE("upgrades that the proxy refuses, in its order") {
    struct row {
        const char *query, *text;
    };
    const row rows[] = {
        {"subscriptionType=shared", "Invalid subscriptionType shared"},
        {"subscriptionType=", "Invalid subscriptionType "},
        {"subscriptionMode=Nope", "Invalid subscriptionMode Nope"},
        {"subscriptionInitialPosition=earliest", "Invalid subscriptionInitialPosition earliest"},
        {"ackTimeoutMillis=x", "For input string: \"x\""},
        {"ackTimeoutMillis=-1", "Ack timeout should be greater than 1000 ms"},
        {"ackTimeoutMillis=999", "Ack timeout should be greater than 1000 ms"},
        {"receiverQueueSize=x", "For input string: \"x\""},
        {"receiverQueueSize=-1", "receiverQueueSize needs to be >= 0"},
        {"consumerName=%20", "consumerName cannot be blank"},
        {"priorityLevel=x", "For input string: \"x\""},
        {"priorityLevel=-1", "priorityLevel needs to be >= 0"},
        {"negativeAckRedeliveryDelay=-1", "redeliveryDelay needs to be >= 0"},
        {"maxRedeliverCount=x", "For input string: \"x\""},
        {"maxRedeliverCount=0", "MaxRedeliverCount must be > 0."},
        {"deadLetterTopic=d", "MaxRedeliverCount must be > 0."},
        // the first mistake is told
        {"maxRedeliverCount=m&negativeAckRedeliveryDelay=n", "For input string: \"n\""},
        {"negativeAckRedeliveryDelay=n&priorityLevel=p", "For input string: \"p\""},
        {"priorityLevel=p&consumerName=", "consumerName cannot be blank"},
        {"consumerName=&receiverQueueSize=q", "For input string: \"q\""},
        {"receiverQueueSize=q&subscriptionInitialPosition=i", "Invalid subscriptionInitialPosition i"},
        {"subscriptionInitialPosition=i&subscriptionMode=m", "Invalid subscriptionMode m"},
        {"subscriptionMode=m&subscriptionType=t", "Invalid subscriptionType t"},
        {"subscriptionType=t&ackTimeoutMillis=a", "For input string: \"a\""},
    };
    receiving_world w;
    for (const row& r : rows)
        CHECK(refusal_of(w, consumer_path + "?" + r.query, 400) == std::string("Invalid query params: ") + r.text);
    for (const char* good :
         {"ackTimeoutMillis=0", "ackTimeoutMillis=1000", "receiverQueueSize=5000", "pullMode=maybe",
          "cryptoFailureAction=Nope", "negativeAckRedeliveryDelay=0", "maxRedeliverCount=2", "topics=x"})
        subscriber(w, std::string("?") + good).leave();

    const std::string base = "/ws/v2/consumer/persistent/public/default/t";
    CHECK(refusal_of(w, base, 400) == "Invalid query params: Invalid topic name format");
    CHECK(refusal_of(w, base + "/a/b", 400) == "Invalid query params: Invalid topic name format");
    CHECK(refusal_of(w, base + "/", 400) == "Invalid query params: Empty subscription name");
    CHECK(refusal_of(w, base + "/?receiverQueueSize=x", 400) == "Invalid query params: Empty subscription name");
    CHECK(refusal_of(w, base + "/%20", 400) == "Invalid query params: subscriptionName cannot be blank");
    CHECK(refusal_of(w, base + "/%20?receiverQueueSize=x", 400) == "Invalid query params: For input string: \"x\"");
    CHECK(refusal_of(w, "/ws/v2/consumer/persistent/public/default", 500) ==
          "java.lang.IllegalArgumentException: Invalid topic name format");
    CHECK(refusal_of(w, "/ws/v2/consumer/foo/public/default/t/s", 500) == "java.lang.IllegalArgumentException");
    CHECK(refusal_of(w, "/ws/v2/consumer/persistent/public/nix/t/s", 404) ==
          "Failed to create producer/consumer: {\"errorMsg\":\"Namespace not found");
    CHECK(refusal_of(w, "/ws/v2/consumer", 302).empty());
    CHECK(subscriber(w, "", "a%2Fb").get() == "");
    CHECK(w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200) == R"(["a/b","s"])");
    proxy_options strict;
    strict.allow_auto_topic_creation = false;
    receiving_world closed(strict);
    CHECK(refusal_of(closed, consumer_path, 404) == "Failed to create producer/consumer: {\"errorMsg\":\"");
}

TEST_CASE("who may consume: a token, a one-time password, a key") {
    proxy_options options;
    options.token = "secret";
    options.powerless_tokens = {"alice", "bob"};
    receiving_world w(options);
    // A role without a permission: what is judged before it depends on the socket.
    const std::string as_alice = "?token=alice";
    const std::string reader = "/ws/v2/reader/persistent/public/default/t",
                      producer = "/ws/v2/producer/persistent/public/default/t";
    CHECK(refusal_of(w, producer + as_alice + "&sendTimeoutMillis=x", 403) == "Not authorized");
    CHECK(refusal_of(w, producer, 403, "Bearer bob") == "Not authorized");
    CHECK(refusal_of(w, "/ws/v2/producer/persistent/public" + as_alice, 500) ==
          "java.lang.IllegalArgumentException: Invalid topic name format");
    CHECK(refusal_of(w, consumer_path + as_alice, 403) == "Not authorized");
    CHECK(refusal_of(w, consumer_path + as_alice + "&receiverQueueSize=x", 400) ==
          "Invalid query params: For input string: \"x\"");
    CHECK(refusal_of(w, "/ws/v2/consumer/persistent/public/nix/t/s" + as_alice, 403) == "Not authorized");
    CHECK(refusal_of(w, reader + as_alice + "&messageId=%21%21", 403) == "Not authorized");
    CHECK(refusal_of(w, reader + as_alice + "&receiverQueueSize=-1", 403) == "Not authorized");
    CHECK(refusal_of(w, reader + as_alice + "&receiverQueueSize=x", 500) ==
          "java.lang.NumberFormatException: For input string: \"x\"");
    CHECK(refusal_of(w, consumer_path + "?token=mallory", 401) == "Authentication required");
    CHECK(refusal_of(w, consumer_path + "?receiverQueueSize=x", 401) == "Authentication required");
    CHECK(refusal_of(w, consumer_path + "?token=secret", 401, "bearer secret") == "Authentication required");
    CHECK(peer_client(w.model).upgrade(consumer_path + "?token=secret").status == 101);
    CHECK(peer_client(w.model).upgrade(consumer_path + "2", "Bearer secret").status == 101);
    const std::string front = "/_ws/ws/v2/consumer/persistent/demo/c8global._system/c8globals.t/s";
    CHECK(peer_client(w.model).upgrade(front).status == 401);
    const std::string otp = "?otp=" + w.model.make_otp(w.now);
    CHECK(peer_client(w.model).upgrade(front + otp).status == 101);
    CHECK(peer_client(w.model).upgrade(front + otp).status == 401); // once
    CHECK(peer_client(w.model).upgrade(front, "apikey " + w.model.api_key()).status == 101);
    CHECK(peer_client(w.model)
              .upgrade("/_ws/ws/v2/reader/persistent/demo/c8global._system/c8globals.t", "apikey " + w.model.api_key())
              .status == 101);
    CHECK(w.model.has_topic("t"));
}

TEST_CASE("a consumer whose messages were dropped goes on with the oldest that is kept") {
    proxy_options options;
    options.max_messages_per_topic = 3;
    receiving_world w(options);
    subscriber c(w, "?receiverQueueSize=1"), behind(w, "?receiverQueueSize=1", "s2");
    publisher p(w);
    p.publish("a b c d e f");
    CHECK(c.get() == "d"); // they came in one piece, and nobody had been told before
    CHECK(w.backlog() == "3");
    p.publish("g h i j");
    c.ack("d"); // it is not there any more, but makes room
    CHECK(c.get() == "h");
    c.ack("h");
    CHECK(c.get() == "i");
    p.publish("k l m");
    c.leave();
    CHECK(subscriber(w).get() == "k l m");
    CHECK(behind.get() == "k");
}

TEST_CASE("a topic that is deleted under a consumer begins anew") {
    receiving_world w;
    subscriber c(w);
    topic_reader r(w);
    publisher p(w);
    p.publish("a");
    CHECK(c.get() == "a");
    CHECK(r.get() == "a");
    CHECK(w.rest("DELETE", "/admin/v2/persistent/public/default/t", 412) ==
          R"({"reason":"Topic has 3 connected producers/consumers"})");
    w.rest("DELETE", "/admin/v2/persistent/public/default/t?force=true", 204);
    CHECK(c.server().next_time() <= w.now);
    CHECK(c.get() == "");
    CHECK(r.get() == "");
    p.publish("b");
    CHECK(c.get() == "b");
    CHECK(r.get() == "b");
    CHECK(c.all.back().id == "CAUQADAA"); // of the new ledger
    w.rest("DELETE", "/admin/v2/persistent/public/default/t/subscription/s?force=true", 204);
    CHECK(c.get() == "");
    p.publish("c");
    CHECK(c.get() == "c");
}

TEST_CASE("random commands and random ids never break the readers") {
    std::mt19937_64 random(3);
    const std::string_view pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       "\"",
                                       ":",
                                       ",",
                                       "\"type\":",
                                       "\"messageId\":",
                                       "\"permitMessages\":",
                                       "\"permit\"",
                                       "\"CAQQADAA\"",
                                       "null",
                                       "true",
                                       "7",
                                       "-",
                                       ".5",
                                       "e9",
                                       "\\u00e9",
                                       " ",
                                       "{\"a\":[1]}",
                                       "99999999999"};
    sluice::testing::detail::consumer_command_reader reader;
    sluice::testing::detail::consumer_command command;
    std::size_t good = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text = "{";
        for (auto n = random() % 8; n != 0; --n) text += pieces[random() % std::size(pieces)];
        good += reader.read(text, command);
    }
    CHECK(good > 100);
    good = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes;
        for (auto n = random() % 12; n != 0; --n)
            bytes += static_cast<char>(random() % 2 == 0 ? 8 * (random() % 8) : random());
        sluice::testing::detail::position p;
        const std::string why = sluice::testing::detail::message_id_parser(bytes).parse(p);
        CHECK((why.empty() || why.starts_with("java.lang.")));
        good += why.empty();
    }
    CHECK(good > 10);
}

} // namespace
