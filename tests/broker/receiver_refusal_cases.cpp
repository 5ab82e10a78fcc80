// SPDX-License-Identifier: BSL-1.0
// What the upgrade of a consumer is refused with, word for word, and who may receive.
#include "cases.hpp"
#include "receiving.hpp"
#include "words.hpp"

namespace conformance {
namespace {

void expect(target& server, const std::string& where, int status, const std::string& text,
            const std::string& authorization) {
    raw_socket socket(server.address, where, authorization);
    check_same(socket.answer().status, status, where);
    check_same(words(socket.answer()), text, where);
}
void expect(target& server, const std::string& where, int status, const std::string& text) {
    expect(server, where, status, text, server.authorization());
}

void parameters(target& server) {
    const std::string topic = server.new_topic();
    struct row {
        const char *query, *text;
    };
    const row rows[] = {
        {"ackTimeoutMillis=x", R"(For input string: "x")"},
        {"ackTimeoutMillis=", R"(For input string: "")"},
        {"ackTimeoutMillis=999", "Ack timeout should be greater than 1000 ms"},
        {"ackTimeoutMillis=-1", "Ack timeout should be greater than 1000 ms"},
        {"subscriptionType=Nope", "Invalid subscriptionType Nope"},
        {"subscriptionType=shared", "Invalid subscriptionType shared"},
        {"subscriptionType=", "Invalid subscriptionType "},
        {"subscriptionMode=Nope", "Invalid subscriptionMode Nope"},
        {"receiverQueueSize=x", R"(For input string: "x")"},
        {"receiverQueueSize=-1", "receiverQueueSize needs to be >= 0"},
        {"consumerName=", "consumerName cannot be blank"},
        {"consumerName=%20", "consumerName cannot be blank"},
        {"priorityLevel=x", R"(For input string: "x")"},
        {"priorityLevel=-1", "priorityLevel needs to be >= 0"},
        {"negativeAckRedeliveryDelay=x", R"(For input string: "x")"},
        {"negativeAckRedeliveryDelay=-1", "redeliveryDelay needs to be >= 0"},
        {"maxRedeliverCount=x", R"(For input string: "x")"},
        {"maxRedeliverCount=0", "MaxRedeliverCount must be > 0."},
        {"deadLetterTopic=dead", "MaxRedeliverCount must be > 0."},
        {"receiverQueueSize=2147483648", R"(For input string: "2147483648")"},
        // Of several mistakes the first that is looked at.
        {"maxRedeliverCount=x&negativeAckRedeliveryDelay=x&priorityLevel=-1", "priorityLevel needs to be >= 0"},
        {"consumerName=&receiverQueueSize=-1", "receiverQueueSize needs to be >= 0"},
        {"subscriptionMode=x&subscriptionType=x&ackTimeoutMillis=1", "Ack timeout should be greater than 1000 ms"},
    };
    const std::string position = "subscriptionInitialPosition=Nope";
    if (server.differs(server_kind::pulsar_3_0, "subscriptionInitialPosition is unknown, and so never wrong"))
        raw_consumer(server, topic, position).leave();
    else
        expect(server, server.consumer_target(topic, "s", position), 400,
               "Invalid query params: Invalid subscriptionInitialPosition Nope");
    for (const row& r : rows) {
        std::string text = std::string("Invalid query params: ") + r.text;
        while (text.back() == ' ') text.pop_back(); // an error page's text is trimmed
        expect(server, server.consumer_target(topic, "s", r.query), 400, text);
    }
}

void accepted(target& server) {
    const std::string topic = server.new_topic();
    for (const char* query :
         {"ackTimeoutMillis=0", "ackTimeoutMillis=1000", "receiverQueueSize=5000", "receiverQueueSize=%2B5",
          "pullMode=maybe", "cryptoFailureAction=Nope", "negativeAckRedeliveryDelay=0", "maxRedeliverCount=2",
          "priorityLevel=2147483647", "subscriptionMode=Durable", "subscriptionInitialPosition=Latest", "topics=x",
          "subscriptionType=Shared&subscriptionType=Nope", "unknown=1"})
        raw_consumer(server, topic, query, server.unique_name()).leave();
}

void paths(target& server) {
    const std::string topic = server.new_topic();
    publish(server, topic, "a");
    const std::string base = "/ws/v2/consumer/" + path_of(topic), bad = "Invalid query params: ";
    expect(server, base, 400, bad + "Invalid topic name format");
    expect(server, base + "/a/b", 400, bad + "Invalid topic name format");
    expect(server, base + "/", 400, bad + "Empty subscription name");
    expect(server, base + "/?receiverQueueSize=x", 400, bad + "Empty subscription name");
    expect(server, base + "/%20", 400, bad + "subscriptionName cannot be blank");
    expect(server, base + "/%20?receiverQueueSize=x", 400, bad + R"(For input string: "x")");
    expect(server, "/ws/v2/consumer/persistent/public/default", 500,
           "java.lang.IllegalArgumentException: Invalid topic name format");
    expect(server, "/ws/v2/consumer/persistent/public/nowhere/x/s", 404,
           R"(Failed to create producer/consumer: {"errorMsg":"Namespace not found",...})");
    raw_socket moved(server.address, "/ws/v2/consumer", server.authorization());
    check_same(moved.answer().status, 302, "/ws/v2/consumer");

    // A subscription's name can be anything.
    raw_consumer slash(server, topic, "", "a%2Fb%20%C3%BC");
    publish(server, topic, "b");
    check_same(slash.take(1), "b", "a subscription of an odd name");
    const std::string names = server.rest("GET", "/" + path_of(topic) + "/subscriptions").body;
    check_same(names, "[\"a/b \xc3\xbc\"]", "its name");
}

void credentials(target& server) {
    if (server.token.empty()) throw not_set_up("the server asks for no token");
    const std::string topic = server.new_topic(), required = "Authentication required", may_not = "Not authorized";
    publish(server, topic, "a");
    const std::string consumer = server.consumer_target(topic, "s"), reader = server.reader_target(topic);
    const std::string bad = "Bearer wrong", nobody, stranger = "Bearer " + server.stranger;
    for (const std::string& where : {consumer, reader}) {
        expect(server, where, 401, required, nobody);
        expect(server, where, 401, required, bad);
        expect(server, where, 401, required, "bearer " + server.token);
        expect(server, where, 403, may_not, stranger);
        expect(server, where + "?token=" + server.stranger, 403, may_not, nobody);
        check(raw_socket(server.address, where + "?token=" + server.token).is_open(), "the parameter: " + where);
    }
    // What is judged before the permission depends on the socket.
    expect(server, consumer + "?receiverQueueSize=x", 401, required, nobody);
    expect(server, consumer + "?receiverQueueSize=x", 400, R"(Invalid query params: For input string: "x")", stranger);
    expect(server, reader + "?receiverQueueSize=-1", 403, may_not, stranger);
    expect(server, reader + "?receiverQueueSize=x", 500, R"(java.lang.NumberFormatException: For input string: "x")",
           stranger);
    expect(server, server.producer_target(topic, "sendTimeoutMillis=x"), 403, may_not, stranger);
    expect(server, "/ws/v2/consumer/persistent/public/nowhere/x/s", 403, may_not, stranger);
}

} // namespace

std::vector<test_case> receiver_refusal_cases() {
    return {
        {"parameters of a consumer that are refused", parameters},
        {"parameters of a consumer that are taken", accepted},
        {"paths of a consumer", paths},
        {"401 and 403 of consumers and readers", credentials},
    };
}

} // namespace conformance
