// SPDX-License-Identifier: BSL-1.0
// Reader sockets: where they start, how they go on, and what they leave behind.
#include "cases.hpp"
#include "receiving.hpp"
#include "words.hpp"

#include <algorithm>
#include <memory>

namespace conformance {
namespace {

std::size_t words_in(const std::string& words) {
    return words.empty() ? 0 : static_cast<std::size_t>(std::count(words.begin(), words.end(), ' ')) + 1;
}

/// An id as a part of a query.
std::string from_id(const std::string& id) { return "messageId=" + web::percent_encode(id); }

/// MessageIdData {1 ledger, 2 entry, 6 batch size: 0}, without a batch index.
std::string entry_id(std::int64_t ledger, std::int64_t entry) {
    std::string raw;
    const auto varint = [&](char tag, std::int64_t value) {
        raw += tag;
        auto rest = static_cast<std::uint64_t>(value);
        for (; rest >= 0x80; rest >>= 7) raw += static_cast<char>(rest | 0x80);
        raw += static_cast<char>(rest);
    };
    varint(8, ledger);
    varint(16, entry);
    varint(48, 0);
    return web::base64_encode_string(web::as_bytes(raw));
}

void starts(target& server) {
    const std::string topic = server.new_topic();
    const std::vector<std::string> ids = publish(server, topic, "a b c");
    struct row {
        std::string query, heard;
    };
    const row rows[] = {
        {"", ""},
        {"messageId=", ""},
        {"messageId=%20", ""},
        {"messageId=latest", ""},
        {"messageId=earliest", "a b c"},
        {from_id(ids[0]), "b c"}, // behind the id
        {from_id(ids[1]), "c"},
        {from_id(ids[2]), ""},
    };
    std::vector<std::unique_ptr<raw_reader>> readers;
    for (const row& r : rows) readers.push_back(std::make_unique<raw_reader>(server, topic, r.query));
    for (std::size_t i = 0; i < readers.size(); ++i)
        check_same(readers[i]->take_just(words_in(rows[i].heard)), rows[i].heard, "from " + shown(rows[i].query));
    publish(server, topic, "n");
    for (std::size_t i = 0; i < readers.size(); ++i)
        check_same(readers[i]->take(1), "n", "what comes later, from " + shown(rows[i].query));
}

void starts_in_a_batch(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a");
    const std::vector<std::string> told = publish_batch(server, topic, "x y z");
    publish(server, topic, "n");
    raw_reader all(server, topic, "messageId=earliest");
    check_same(all.take(5), "a x y z n", "all");
    const received& y = all.last("y");
    const std::string entry = entry_id(y.at().ledger, y.at().entry);
    const auto from = [&](const std::string& id, const std::string& expected, const char* what) {
        check_same(raw_reader(server, topic, from_id(id)).take(words_in(expected)), expected, what);
    };
    from(all.last("a").id, "x y z n", "before the batch");
    from(all.last("x").id, "y z n", "its first, as it was delivered");
    from(y.id, "z n", "its second, as it was delivered");
    from(all.last("z").id, "n", "its last, as it was delivered");
    from(told[1], "z n", "its second, as the answer told it");
    from(entry, "x y z n", "the batch without an index: all of it again");
}

void starts_elsewhere(target& server) {
    const std::string topic = server.new_topic();
    const std::vector<std::string> ids = publish(server, topic, "a b");
    const auto at = sluice::message_id(ids[0]).decode();
    check(at.has_value(), "message id");
    const auto from = [&](std::int64_t ledger, std::int64_t entry, const std::string& expected, const char* what) {
        raw_reader reader(server, topic, from_id(entry_id(ledger, entry)));
        check_same(reader.take_just(words_in(expected)), expected, what);
    };
    from(at->ledger, -1, "a b", "before the first entry");
    from(at->ledger, 1000, "", "an entry that is not there yet");
    from(at->ledger - 1, 7, "a b", "a ledger before this one");
}

void queue(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a b c d e f g h");
    raw_reader reader(server, topic, "messageId=earliest&receiverQueueSize=2");
    check_same(reader.take_just(2), "a b", "a queue of two");
    for (const char* answer : {R"({"messageId":"CAQQADAA"})", "{}", R"({"messageId":"!!"})",
                               R"({"type":"unsubscribe"})", R"({"type":"permit","permitMessages":9})"}) {
        reader.text(answer);
        check_same(reader.take_just(1).size(), 1u, std::string("one more for ") + answer);
    }
    check_same(reader.taken().back().payload, "g", "the seventh");
    check(!reader.is_end_of_topic(), "the end of the topic");
    server.expect_done("POST", "/" + path_of(topic) + "/terminate");
    check(!reader.is_end_of_topic(), "one is left");
    reader.text("{}");
    check_same(reader.take(1), "h", "the last");
    wait_until("the end of the topic", [&] { return reader.is_end_of_topic(); });
}

/// Nothing is asked of the broker then, so nothing comes, ever.
void queue_of_none(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a b");
    raw_reader reader(server, topic, "messageId=earliest&receiverQueueSize=0");
    check_same(reader.take_all(), "", "a queue of none");
    reader.text("{}");
    check_same(reader.take_all(), "", "an answer to nothing");
    check(!reader.is_end_of_topic(), "it answers");
}

void broken_commands(target& server) {
    const std::string topic = server.new_topic();
    struct row {
        const char* says;
        int code;
        const char* reason;
    };
    const row rows[] = {
        {"{bad", 1006, ""},
        {"", 1006, ""},
        {"[]", 1006, ""},
        {R"({"messageId":{}})", 1006, ""},
        {"null", 1011, R"(Cannot read field "type" because "command" is null)"},
    };
    for (const row& r : rows) {
        raw_reader reader(server, topic);
        reader.say_and_end(r.says, r.code, r.reason);
    }
}

/// It has a subscription of its own, which goes with it.
void subscription(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a b c");
    const auto names = [&] { return server.rest("GET", "/" + path_of(topic) + "/subscriptions").body; };
    {
        raw_reader reader(server, topic, "messageId=earliest&readerName=rr"), namesake(server, topic, "readerName=rr");
        check_same(reader.take(3), "a b c", "messages");
        const std::string two = names();
        check(two.starts_with("[\"reader-") && two.find(",\"reader-") != std::string::npos, "subscriptions: " + two);
        const std::string stats = server.rest("GET", "/" + path_of(topic) + "/stats").body;
        check(stats.find(R"("consumerName":"rr")") != std::string::npos, "statistics: " + shown(stats));
        check(stats.find(R"("durable":false)") != std::string::npos, "statistics: " + shown(stats));
        reader.leave();
        namesake.leave();
    }
    wait_until("no subscription is left", [&] { return names() == "[]"; });
}

void delayed(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "late", R"(,"deliverAfterMs":60000)");
    raw_reader reader(server, topic, "messageId=earliest");
    check_same(reader.take(1), "late", "a delayed message, at once");
}

void redelivery_count(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a b");
    raw_reader reader(server, topic, "messageId=earliest");
    check_same(reader.take(2), "a b", "messages");
    reader.refuse("a");
    check_same(reader.take_all(), "", "a reader cannot refuse");
}

void refusals(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a");
    struct row {
        const char *query, *text;
    };
    const std::string failed = "Failed to create reader: ";
    const row rows[] = {
        {"messageId=zzz", "java.lang.IllegalArgumentException: Invalid unknonwn tag type: 7"},
        {"messageId=Earliest",
         "java.lang.IndexOutOfBoundsException: readerIndex(1) + length(8) exceeds writerIndex(6): "
         "UnpooledHeapByteBuf(ridx: 1, widx: 6, cap: 6/6)"},
        {"messageId=AAAA", "java.lang.IndexOutOfBoundsException: readerIndex(3) + length(1) exceeds writerIndex(3): "
                           "UnpooledHeapByteBuf(ridx: 3, widx: 3, cap: 3/3)"},
        {"messageId=CBs=", "java.lang.IllegalStateException: Some required fields are missing"},
        {"messageId=%21%21", "Illegal base64 character 21"},
        {"messageId=a", "Input byte[] should at least have 2 bytes for base64 bytes"},
        {"receiverQueueSize=-1", "receiverQueueSize needs to be >= 0"},
        {"messageId=%21%21&receiverQueueSize=-1", "Illegal base64 character 21"},
    };
    const auto expect = [&](const std::string& where, int status, const std::string& text) {
        raw_socket socket(server.address, where, server.authorization());
        check_same(socket.answer().status, status, where);
        check_same(words(socket.answer()), text, where);
    };
    for (const row& r : rows) expect(server.reader_target(topic, r.query), 500, failed + r.text);
    const std::string number = R"(java.lang.NumberFormatException: For input string: "x")";
    expect(server.reader_target(topic, "receiverQueueSize=x"), 500, number);
    expect(server.reader_target(topic, "messageId=a&receiverQueueSize=x"), 500, number);
    expect("/ws/v2/reader/persistent/public/default", 500,
           "java.lang.IllegalArgumentException: Invalid topic name format");
    expect("/ws/v2/reader/persistent/public/nowhere/x", 500, failed + R"({"errorMsg":"Namespace not found",...})");
    for (const char* good :
         {"receiverQueueSize=5000", "readerName=", "readerName=%20", "cryptoFailureAction=Nope", "x=1"})
        raw_reader(server, topic, good).leave();
}

} // namespace

std::vector<test_case> reader_cases() {
    return {
        {"where they start", starts},
        {"where they start in a batch", starts_in_a_batch},
        {"where they start without a message there", starts_elsewhere},
        {"receiverQueueSize, and any answer asks for one more", queue},
        {"receiverQueueSize=0", queue_of_none},
        {"what ends the socket", broken_commands},
        {"the subscription of a reader", subscription},
        {"delayed messages", delayed},
        {"a refusal is an answer like any other", redelivery_count},
        {"upgrades that are refused", refusals},
    };
}

} // namespace conformance
