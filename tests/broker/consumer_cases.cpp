// SPDX-License-Identifier: BSL-1.0
// What a consumer socket is sent, and what it says: messages, acknowledgements, permits, the end of a topic.
#include "cases.hpp"
#include "receiving.hpp"

#include <regex>

namespace conformance {
namespace {

/// A delivery without what is another each time.
std::string words_of(const received& r) {
    static const std::regex id(R"("messageId":"[^"]+")"), time(R"("publishTime":"[^"]+")");
    return std::regex_replace(std::regex_replace(r.text, id, R"("messageId":"*")"), time, R"("publishTime":"*")");
}

void messages(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    raw_producer producer(server, topic);
    struct row {
        const char *says, *heard;
    };
    const row rows[] = {
        {R"({"payload":"aGk="})",
         R"({"messageId":"*","payload":"aGk=","properties":{},"publishTime":"*","redeliveryCount":0})"},
        {R"({"payload":""})",
         R"({"messageId":"*","payload":"","properties":{},"publishTime":"*","redeliveryCount":0})"},
        {R"({"payload":"aGk","properties":{"a":"b","n":1.5},"key":"k1","eventTime":"2026-11-24T09:00:00.120+01:00"})",
         R"({"messageId":"*","payload":"aGk=","properties":{"a":"b","n":"1.5"},"publishTime":"*","redeliveryCount":0,)"
         R"("eventTime":"2026-11-24T08:00:00.12Z","key":"k1"})"},
        {R"({"payload":"","properties":{"\"\\\u0001":"\u00fc\ud83c\udf0a\n"},"key":"/\u2028","eventTime":"2026-11-24T08:00:00Z"})",
         "{\"messageId\":\"*\",\"payload\":\"\",\"properties\":{\"\\\"\\\\\\u0001\":\"\xc3\xbc\xf0\x9f\x8c\x8a\\n\"},"
         "\"publishTime\":\"*\",\"redeliveryCount\":0,\"eventTime\":\"2026-11-24T08:00:00Z\",\"key\":\"/"
         "\xe2\x80\xa8\"}"},
        {R"({"payload":"","key":"","deliverAt":5,"replicationClusters":["standalone"]})",
         R"({"messageId":"*","payload":"","properties":{},"publishTime":"*","redeliveryCount":0,"key":""})"},
    };
    for (const row& r : rows) {
        const auto before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        const std::string answer = producer.ask(r.says);
        const received got = consumer.next();
        check_same(words_of(got), r.heard, r.says);
        check(answer.find(got.id.substr(0, got.id.size() - 4)) != std::string::npos, "another id: " + answer + got.id);
        const std::size_t at = got.text.find(R"("publishTime":")") + 15;
        const auto published = parse_date(std::string_view(got.text).substr(at, got.text.find('"', at) - at));
        check(published >= before.time_since_epoch().count() && published < before.time_since_epoch().count() + 20'000,
              "publish time: " + got.text);
    }
}

/// Where the messages of a batch are, as producer and consumer are told.
void batches(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    const std::vector<std::string> ids = publish_batch(server, topic, "a b c");
    check_same(consumer.take(3), "a b c", "the batch");
    for (int i = 0; i < 3; ++i) {
        const auto sent = sluice::message_id(ids[static_cast<std::size_t>(i)]).decode();
        const auto got = consumer.taken()[static_cast<std::size_t>(i)].at();
        check(sent && *sent == got, "message " + std::to_string(i) + " is elsewhere");
        check_same(got.batch_index, i, "batch index");
    }
}

void acknowledgements(target& server) {
    const std::string topic = server.new_topic();
    {
        raw_consumer consumer(server, topic);
        publish(server, topic, "a b c d");
        check_same(consumer.take(4), "a b c d", "all");
        consumer.acknowledge("a");
        consumer.text(R"({"type":"acknowledge","messageId":")" + consumer.last("c").id + R"("})");
        wait_until("two acknowledged", [&] { return backlog_of(server, topic) == 2; });
        consumer.acknowledge("c");                                                              // once more
        consumer.text(R"({"type":"nonsense","messageId":")" + consumer.last("d").id + R"("})"); // is one, too
        wait_until("three acknowledged", [&] { return backlog_of(server, topic) == 1; });
        check_same(consumer.take_all(), "", "an answer to an acknowledgement");
        consumer.leave();
    }
    raw_consumer again(server, topic);
    check_same(again.take_just(1), "b", "what is left");
}

/// A message can be acknowledged by its place, wherever that was learnt, and before it has been delivered.
void acknowledged_by_place(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "receiverQueueSize=1");
    const std::vector<std::string> ids = publish(server, topic, "a b c");
    check_same(consumer.take(1), "a", "the first");
    consumer.text(R"({"messageId":")" + ids[2] + R"("})");
    wait_until("one acknowledged", [&] { return backlog_of(server, topic) == 2; });
    consumer.text(R"({"messageId":")" + ids[0] + R"("})");
    wait_until("two acknowledged", [&] { return backlog_of(server, topic) == 1; });
    consumer.leave();
    raw_consumer again(server, topic);
    check_same(again.take_just(1), "b", "what is left");
}

void acknowledged_in_batch(target& server) {
    const std::string topic = server.new_topic();
    {
        raw_consumer consumer(server, topic);
        publish_batch(server, topic, "a b c");
        check_same(consumer.take(3), "a b c", "the batch");
        consumer.acknowledge("b");
        check_same(consumer.take_all(), "", "an answer");
        consumer.leave();
    }
    const bool each = server.differs(server_kind::gateway, "every message of a batch is acknowledged for itself; "
                                                           "Pulsar's default knows only whole batches");
    {
        raw_consumer again(server, topic);
        check_same(again.take_just(each ? 2 : 3), each ? "a c" : "a b c", "what is left of a batch");
        for (const received& r : std::vector<received>(again.taken())) again.acknowledge(r.payload);
        wait_until("the batch is acknowledged", [&] { return backlog_of(server, topic) == 0; });
        again.leave();
    }
    raw_consumer nothing(server, topic);
    check_same(nothing.take_all(), "", "what is left");
}

/// So many are sent ahead; each acknowledgement makes room for one.
void receiver_queue(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "receiverQueueSize=2");
    publish(server, topic, "a b c d e f g");
    check_same(consumer.take_just(2), "a b", "a queue of two");
    consumer.acknowledge("b");
    check_same(consumer.take_just(1), "c", "room for one");
    consumer.acknowledge("b"); // counted, although it is known
    check_same(consumer.take_just(1), "d", "room for one");
    consumer.text(R"({"type":"negativeAcknowledge","messageId":")" + consumer.last("a").id + R"("})");
    check_same(consumer.take_just(1), "e", "a refusal makes room");
    consumer.text(R"({"type":"permit","permitMessages":5})");
    check_same(consumer.take_all(), "", "a permit does not");

    const std::string other = server.new_topic();
    raw_consumer none(server, other, "receiverQueueSize=0"); // counts as one
    publish(server, other, "a b");
    check_same(none.take_just(1), "a", "a queue of none");
    none.acknowledge("a");
    check_same(none.take_just(1), "b", "a queue of none");
}

void pull_mode(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "pullMode=true");
    publish(server, topic, "a b c d e f");
    check_same(consumer.take_all(), "", "without a permit");
    consumer.permit(2);
    check_same(consumer.take_just(2), "a b", "two");
    consumer.acknowledge("a");
    check_same(consumer.take_all(), "", "an acknowledgement is no permit");
    consumer.text(R"({"type":"permit","permitMessages":"1"})");
    check_same(consumer.take_just(1), "c", "a text of digits");
    consumer.permit(9);
    check_same(consumer.take_just(3), "d e f", "more than there are");
    publish(server, topic, "g");
    check_same(consumer.take(1), "g", "the rest of them");

    raw_consumer upper(server, server.new_topic(), "pullMode=TRUE");
    raw_consumer no(server, topic, "pullMode=yes", "other");
    publish(server, topic, "h");
    check_same(no.take(1), "h", "pullMode=yes");
}

void end_of_topic(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "receiverQueueSize=1");
    publish(server, topic, "a b");
    check_same(consumer.take(1), "a", "the first");
    check(!consumer.is_end_of_topic(), "before the end");
    server.expect_done("POST", "/" + path_of(topic) + "/terminate");
    check(!consumer.is_end_of_topic(), "two are left");
    consumer.acknowledge("a");
    check_same(consumer.take(1), "b", "the second");
    consumer.acknowledge("b");
    wait_until("the end of the topic", [&] { return consumer.is_end_of_topic(); });
}

void unsubscribing(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    publish(server, topic, "a");
    check_same(consumer.take(1), "a", "before");
    consumer.text(R"({"type":"unsubscribe"})");
    wait_until("the subscription is gone", [&] { return backlog_of(server, topic) == -1; });
    publish(server, topic, "b");
    check_same(consumer.take_all(), "", "without a subscription");
    consumer.ping("still there");
    check_same(consumer.read_pong(), "still there", "the socket stays");

    const std::string other = server.new_topic();
    raw_consumer one(server, other, "subscriptionType=Shared"), two(server, other, "subscriptionType=Shared");
    one.text(R"({"type":"unsubscribe"})");
    check_same(one.read_end().code, 1006, "with another consumer: an end without a close frame");
    check_same(backlog_of(server, other), 0, "the subscription stays");
}

/// What ends a consumer's socket: 1006 is an end without a close frame.
void broken_commands(target& server) {
    const std::string topic = server.new_topic();
    struct row {
        const char* says;
        int code;
        const char* reason;
    };
    constexpr const char* no_id = "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null";
    const row rows[] = {
        {"{bad", 1006, ""},
        {"", 1006, ""},
        {"[]", 1006, ""},
        {"12", 1006, ""},
        {R"({"messageId":{}})", 1006, ""},
        {R"({"messageId":[]})", 1006, ""},
        {R"({"type":{}})", 1006, ""},
        {R"({"type":"permit"})", 1006, ""},
        {R"({"type":"permit","permitMessages":"x"})", 1006, ""},
        {R"({"type":"permit","permitMessages":2147483648})", 1006, ""},
        {"null", 1011, R"(Cannot read field "type" because "command" is null)"},
        {"{}", 1011, no_id},
        {R"({"messageId":null})", 1011, no_id},
        {R"({"type":"negativeAcknowledge"})", 1011, no_id},
        {R"({"messageId":"!!"})", 1011, "Illegal base64 character 21"},
        {R"({"messageId":"a"})", 1011, "Input byte[] should at least have 2 bytes for base64 bytes"},
        {R"({"messageId":"zzzz"})", 1006, ""},
        {R"({"messageId":""})", 1006, ""},
        {R"({"messageId":"AAAA"})", 1006, ""},
    };
    for (const row& r : rows) {
        raw_consumer consumer(server, topic, "", server.unique_name());
        consumer.say_and_end(r.says, r.code, r.reason);
    }
}

/// What a consumer says in vain.
void ignored_commands(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    const std::vector<std::string> ids = publish(server, topic, "a");
    check_same(consumer.take(1), "a", "a message");
    consumer.text(R"({"type":"permit","permitMessages":-5})");
    consumer.text(R"({"unknown":[1,{"a":null}],"type":"isEndOfTopic"}garbage)");
    check_same(consumer.read_text(), R"({"endOfTopic":false})", "an unknown member, and garbage");
    consumer.text(R"({"type":"permit","type":"isEndOfTopic"})");
    check_same(consumer.read_text(), R"({"endOfTopic":false})", "the last of two counts");
    consumer.binary("{bad");
    consumer.pong("unasked");
    consumer.ping("p");
    check_same(consumer.read_pong(), "p", "a pong");
    publish(server, topic, "b");
    check_same(consumer.take(1), "b", "it goes on");
}

void deleted_topic(target& server) {
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic);
    publish(server, topic, "a");
    check_same(consumer.take(1), "a", "before");
    server.expect_done("DELETE", "/" + path_of(topic) + "?force=true");
    wait_until("it has subscribed again", [&] {
        const web::http_response r = server.rest("GET", "/" + path_of(topic) + "/stats");
        return r.status == 200 && backlog_of(server, topic) == 0;
    });
    publish(server, topic, "b");
    check_same(consumer.take(1), "b", "in the new topic");
}

/// One consumer of several topics has a path of its own.
void several_topics(target& server) {
    server.lacks(server_kind::gateway, "consumers of several topics are not modelled");
    server.lacks(server_kind::pulsar_3_0, "has no path for consumers of several topics");
    const std::string one = server.new_topic(), two = server.new_topic();
    publish(server, one, "a");
    publish(server, two, "b");
    raw_receiver consumer(server, "/ws/v3/consumer/s?topics=" + web::percent_encode(one + "," + two));
    publish(server, one, "c");
    publish(server, two, "d");
    check_same(consumer.take(2), "c d", "messages of both");
}

} // namespace

std::vector<test_case> consumer_cases() {
    return {
        {"a message as it is told", messages},
        {"a batch as it is told", batches},
        {"acknowledgements", acknowledgements},
        {"acknowledgements of what was not delivered", acknowledged_by_place},
        {"acknowledgements inside a batch", acknowledged_in_batch},
        {"receiverQueueSize", receiver_queue},
        {"pullMode and permits", pull_mode},
        {"the end of a topic", end_of_topic},
        {"unsubscribing", unsubscribing},
        {"what ends the socket", broken_commands},
        {"what is ignored", ignored_commands},
        {"a topic deleted under a consumer", deleted_topic},
        {"several topics", several_topics},
    };
}

} // namespace conformance
