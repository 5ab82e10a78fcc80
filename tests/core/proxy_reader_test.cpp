// SPDX-License-Identifier: BSL-1.0
// The proxy model's reader sockets: where they start, how they flow, and what they leave behind.
#include "receiving.hpp"

namespace {

using namespace test;

const std::string reader_path = "/ws/v2/reader/persistent/public/default/t";

TEST_CASE("where a reader starts") {
    struct row {
        const char *query, *messages;
    };
    const row rows[] = {
        {"", ""},
        {"?messageId=", ""},
        {"?messageId=%20", ""},
        {"?messageId=latest", ""},
        {"?messageId=earliest", "a b c x y z"},
        {"?messageId=CAQQADAA", "b c x y z"}, // behind the id
        {"?messageId=CAQQAjAA", "x y z"},
        {"?messageId=CAQQAyABMAM%3D", "z"},
        {"?messageId=CAQQAyABMAA%3D", "z"},     // as its acknowledgement said it
        {"?messageId=CAQQAzAA", "x y z"},       // the batch without an index: all of it again
        {"?messageId=CAEQADAA", "a b c x y z"}, // an older ledger
        {"?messageId=CP8HEAAwAA%3D%3D", ""},    // a later one
    };
    for (const row& r : rows) {
        CAPTURE(r.query);
        receiving_world w;
        publisher p(w);
        p.publish("a b c");
        publisher batching(w, "?batchingEnabled=true&batchingMaxMessages=3");
        batching.publish("x y z");
        topic_reader reader(w, r.query);
        CHECK(reader.get() == r.messages);
        p.publish("n");
        CHECK(reader.get() == "n");
    }
}

TEST_CASE("a reader goes on when the client answers, whatever it says") {
    receiving_world w;
    publisher p(w);
    p.publish("a b c d e f g h");
    topic_reader r(w, "?messageId=earliest&receiverQueueSize=2");
    CHECK(r.get() == "a b");
    for (const char* text : {R"({"messageId":"CAQQADAA"})", "{}", R"({"messageId":"!!"})", R"({"type":"unsubscribe"})",
                             R"({"type":"permit","permitMessages":9})"}) {
        CAPTURE(text);
        r.tell(text);
        CHECK(r.hear().size() == 1);
    }
    CHECK(r.end_of_topic() == R"({"endOfTopic":false})"); // asks for nothing
    CHECK(r.get() == "");
    w.model.terminate("persistent://public/default/t");
    CHECK(r.end_of_topic() == R"({"endOfTopic":false})");
    r.tell("{}");
    CHECK(r.get() == "h");
    CHECK(r.end_of_topic() == R"({"endOfTopic":true})");
}

TEST_CASE("a reader with a queue of none gets nothing, whatever it says") {
    receiving_world w;
    publisher p(w);
    p.publish("a b");
    topic_reader r(w, "?messageId=earliest&receiverQueueSize=0");
    CHECK(r.get() == "");
    for (int i = 0; i < 3; ++i) {
        r.tell("{}");
        CHECK(r.hear().empty());
    }
    CHECK(r.end_of_topic() == R"({"endOfTopic":false})");
    CHECK(w.stats().find(R"("availablePermits":0)") != std::string::npos);
}

TEST_CASE("what a reader must not say") {
    for (const char* text : {"{bad", "", "[]", R"({"messageId":{}})"}) {
        CAPTURE(text);
        receiving_world w;
        topic_reader r(w);
        r.tell(text);
        CHECK(r.hear().empty());
        CHECK(r.aborted());
    }
    receiving_world w;
    topic_reader r(w);
    r.tell("null");
    CHECK(r.hear().empty());
    CHECK(r.close_code == 1011);
    CHECK(r.close_reason == "Cannot read field \"type\" because \"command\" is null");
}

TEST_CASE("a reader's subscription is its own and goes with it") {
    receiving_world w;
    publisher p(w);
    p.publish("a b c");
    topic_reader r(w, "?messageId=earliest&receiverQueueSize=2&readerName=rr");
    topic_reader namesake(w, "?readerName=rr");
    const std::string names = w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200);
    CHECK(names.starts_with("[\"reader-"));
    CHECK(names.size() == 2 * std::string_view("[\"reader-0123456789\"]").size() - 1);
    CHECK(r.get() == "a b");
    const std::string stats = w.stats();
    CHECK(stats.find(R"("consumerName":"rr")") != std::string::npos);
    CHECK(stats.find(R"("isDurable":false)") != std::string::npos);
    CHECK(stats.find(R"("msgBacklog":1)") != std::string::npos); // what was delivered is done with
    r.leave();
    namesake.leave();
    CHECK(w.rest("GET", "/admin/v2/persistent/public/default/t/subscriptions", 200) == "[]");
}

TEST_CASE("a reader gets delayed messages at once") {
    receiving_world w;
    publisher p(w);
    topic_reader r(w);
    p.publish("late", R"(,"deliverAfterMs":60000)");
    CHECK(r.get() == "late");
}

TEST_CASE("upgrades that the proxy refuses, in its order") {
    receiving_world w;
    struct row {
        const char *query, *text;
    };
    const row rows[] = {
        {"messageId=zzz", "Failed to create reader: java.lang.IllegalArgumentException: Invalid unknonwn tag type: 7"},
        {"messageId=Earliest",
         "Failed to create reader: java.lang.IndexOutOfBoundsException: readerIndex(1) + length(8) exceeds "
         "writerIndex(6): UnpooledHeapByteBuf(ridx: 1, widx: 6, cap: 6/6)"},
        {"messageId=AAAA",
         "Failed to create reader: java.lang.IndexOutOfBoundsException: readerIndex(3) + length(1) exceeds "
         "writerIndex(3): UnpooledHeapByteBuf(ridx: 3, widx: 3, cap: 3/3)"},
        {"messageId=CBs=",
         "Failed to create reader: java.lang.IllegalStateException: Some required fields are missing"},
        {"messageId=%21%21", "Failed to create reader: Illegal base64 character 21"},
        {"messageId=a", "Failed to create reader: Input byte[] should at least have 2 bytes for base64 bytes"},
        {"receiverQueueSize=x", "java.lang.NumberFormatException: For input string: \"x\""},
        {"receiverQueueSize=-1", "Failed to create reader: receiverQueueSize needs to be >= 0"},
        {"messageId=a&receiverQueueSize=x", "java.lang.NumberFormatException: For input string: \"x\""},
        {"messageId=%21%21&receiverQueueSize=-1", "Failed to create reader: Illegal base64 character 21"},
    };
    for (const row& r : rows) CHECK(refusal_of(w, reader_path + "?" + r.query, 500) == r.text);
    CHECK(refusal_of(w, "/ws/v2/reader/persistent/public/default", 500) ==
          "java.lang.IllegalArgumentException: Invalid topic name format");
    CHECK(refusal_of(w, "/ws/v2/reader/persistent/public/nix/t", 500) ==
          "Failed to create reader: {\"errorMsg\":\"Namespace not found");
    for (const char* good : {"receiverQueueSize=0", "readerName=", "readerName=%20", "cryptoFailureAction=Nope"})
        topic_reader(w, std::string("?") + good).leave();
    proxy_options strict;
    strict.allow_auto_topic_creation = false;
    receiving_world closed(strict);
    CHECK(refusal_of(closed, reader_path, 500) == "Failed to create reader: {\"errorMsg\":\"");
}

} // namespace
