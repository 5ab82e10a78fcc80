// SPDX-License-Identifier: BSL-1.0
// What clients of the proxy model can make grow, how far, and what they are answered then; times to live.
#include "support/peer_client.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using test::peer_client;
using test::proxy_options;

struct world {
    explicit world(proxy_options options = {}) : model(std::move(options), test::counting_random(state)) {}

    std::string key() { return "apikey " + model.api_key(); }

    std::uint64_t state = 7;
    test::proxy_model model;
};

/// Options with one of them changed.
template <class Member, class Value>
proxy_options with(Member member, Value value) {
    proxy_options options;
    options.*member = value;
    return options;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const std::string streams = "/_fabric/_system/_api/streams";
const std::string sockets = "/ws/v2/";
const std::string ns = "persistent/public/default/";

TEST_CASE("topics: 412 over REST, 500 at a socket, and room again once one is deleted") {
    world w(with(&proxy_options::max_topics, 2u));
    peer_client c(w.model), p(w.model);
    CHECK(c.request("POST", streams + "/a", w.key()).status == 200);
    CHECK(p.upgrade(sockets + "producer/" + ns + "b").status == 101);
    auto r = c.request("POST", streams + "/c", w.key());
    CHECK(r.status == 412);
    CHECK(r.body == R"({"code":412,"error":true,"errorMessage":"Exceed maximum number of topics in namespace.",)"
                    R"("errorNum":412})");
    CHECK(c.request("POST", streams + "/a", w.key()).status == 409); // it exists all the same
    r = c.request("PUT", "/admin/v2/" + ns + "c");
    CHECK(r.status == 412);
    CHECK(r.body == R"({"reason":"Exceed maximum number of topics in namespace."})");
    for (const char* kind : {"producer/", "consumer/", "reader/"}) {
        const std::string tail = std::string_view(kind) == "consumer/" ? "c/s" : "c";
        r = peer_client(w.model).upgrade(sockets + kind + ns + tail);
        CHECK(r.status == 500);
        CHECK(contains(r.body, "Exceed maximum number of topics in namespace."));
    }
    CHECK(!w.model.create_topic("c"));
    CHECK(c.request("DELETE", streams + "/a", w.key()).status == 200);
    CHECK(c.request("POST", streams + "/c", w.key()).status == 200);
    CHECK(w.model.topics().size() == 2);
}

TEST_CASE("tenants and namespaces") {
    proxy_options options;
    options.max_namespaces = 4; // three are there from the start, and two tenants
    world w(options);
    peer_client c(w.model);
    CHECK(c.request("PUT", "/admin/v2/tenants/a").status == 204);
    CHECK(c.request("PUT", "/admin/v2/tenants/b").status == 204);
    auto r = c.request("PUT", "/admin/v2/tenants/c");
    CHECK(r.status == 412);
    CHECK(r.body == R"({"reason":"Exceed the maximum number of tenants"})");
    CHECK(c.request("PUT", "/admin/v2/tenants/b").status == 409);
    CHECK(c.request("PUT", "/admin/v2/namespaces/a/1").status == 204);
    r = c.request("PUT", "/admin/v2/namespaces/a/2");
    CHECK(r.status == 412);
    CHECK(r.body == R"({"reason":"Exceed the maximum number of namespace in tenant :a"})");
    CHECK(c.request("PUT", "/admin/v2/namespaces/a/1").status == 409);
}

TEST_CASE("subscriptions of a topic") {
    world w(with(&proxy_options::max_subscriptions_per_topic, 2u));
    peer_client c(w.model), first(w.model), second(w.model);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "t").status == 204);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "t/subscription/a").status == 204);
    CHECK(first.upgrade(sockets + "reader/" + ns + "t").status == 101);
    auto r = c.request("PUT", "/admin/v2/" + ns + "t/subscription/c");
    CHECK(r.status == 412);
    CHECK(contains(r.body, "Exceed the maximum number of subscriptions of the topic: persistent://public/default/t"));
    r = second.upgrade(sockets + "consumer/" + ns + "t/c");
    CHECK(r.status == 500);
    CHECK(contains(r.body, "Exceed the maximum number of subscriptions of the topic: persistent://public/default/t"));
    CHECK(peer_client(w.model).upgrade(sockets + "reader/" + ns + "t").status == 500);
    CHECK(second.upgrade(sockets + "consumer/" + ns + "t/a").status == 101); // that one is there
    first.server().end_of_stream(first.now);                                 // a reader's goes with it
    CHECK(peer_client(w.model).upgrade(sockets + "reader/" + ns + "t").status == 101);
}

TEST_CASE("one-time passwords and tokens: 429 until some are used up or over") {
    proxy_options options;
    options.max_credentials = 2;
    options.users.push_back({"a@example.com", "alice", "secret"});
    world w(options);
    peer_client c(w.model);
    const auto otp = [&] { return c.request("POST", "/apid/otp", w.key()); };
    const std::string first = otp().body;
    CHECK(otp().status == 200);
    const auto r = otp();
    CHECK(r.status == 429);
    CHECK(r.body == R"({"code":429,"error":true,"errorMessage":"too many requests","errorNum":429})");
    const std::string password = first.substr(8, first.size() - 10); // {"otp":"..."}
    CHECK(peer_client(w.model)
              .upgrade("/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.t?otp=" + password)
              .status == 101);
    CHECK(otp().status == 200);
    CHECK(otp().status == 429);
    c.now += options.otp_lifetime;
    CHECK(otp().status == 200);

    const auto log_in = [&] {
        return c.request("POST", "/_open/auth", {}, R"({"email":"a@example.com","password":"secret"})").status;
    };
    CHECK(log_in() == 200);
    CHECK(log_in() == 200);
    CHECK(log_in() == 429);
    c.now += options.jwt_lifetime;
    CHECK(log_in() == 200);
}

const std::string full = R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$)"
                         R"(ProducerQueueIsFullError: Producer send queue is full","context":"2","errorCode":0,)"
                         R"("schemaVersion":0})";

TEST_CASE("what waits for room: a full queue by bytes, which takes no number") {
    proxy_options options;
    options.max_pending_bytes_per_producer = 3000;
    options.backlog_quota.bytes = 1;
    world w(options);
    peer_client c(w.model), p(w.model);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "t").status == 204);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "t/subscription/s").status == 204);
    REQUIRE(p.upgrade(sockets + "producer/" + ns + "t?initialSequenceId=9").status == 101);
    CHECK(p.say(R"({"payload":"AAAA","context":"0"})").size() == 1); // it fills the quota
    CHECK(p.say(R"({"payload":")" + std::string(2000, 'A') + R"(","context":"1"})").empty());
    CHECK(p.say(R"({"payload":")" + std::string(2000, 'A') + R"(","context":"2"})") == std::vector<std::string>{full});
    CHECK(c.request("POST", "/admin/v2/" + ns + "t/subscription/s/skip_all").status == 204);
    CHECK(p.advance(1ms).size() == 1);
    CHECK(c.request("POST", "/admin/v2/" + ns + "t/subscription/s/skip_all").status == 204);
    CHECK(p.say(R"({"payload":"AAAA","context":"3"})").size() == 1); // what is over has left its room
    const auto stored = w.model.messages("t");
    REQUIRE(stored.size() == 3);
    CHECK(stored.back().sequence_id == 12);
}

TEST_CASE("a batch: sent at 128 KiB, and what waits for it is bounded") {
    const auto fill = [](world& w, std::size_t bytes) {
        peer_client p(w.model);
        REQUIRE(p.upgrade(sockets + "producer/" + ns +
                          "t?batchingEnabled=true&batchingMaxMessages=0&batchingMaxPublishDelay=1000000")
                    .status == 101);
        std::vector<std::string> answers;
        for (int i = 0; i < 3; ++i)
            for (auto& a : p.say(R"({"payload":")" + std::string(bytes, 'A') + R"(","context":"2"})"))
                answers.push_back(std::move(a));
        return answers;
    };
    world large; // 60 KiB each: the third would be over it, so the two before it go
    CHECK(fill(large, 81'920).size() == 2);
    CHECK(large.model.message_count("t") == 3); // the last one when its producer left
    world whole;                                // the first alone is so large
    CHECK(fill(whole, 196'608).size() == 3);
    world tight(with(&proxy_options::max_pending_bytes_per_producer, 1200u));
    CHECK(fill(tight, 400) == std::vector<std::string>{full});
    CHECK(tight.model.message_count("t") == 2);
}

TEST_CASE("names that deduplication remembers: idle ones are forgotten") {
    proxy_options options;
    options.max_producer_names = 2;
    options.deduplicate = true;
    world w(options);
    const auto send = [&](const std::string& name) { // the number 5, which is a repeat where it is known
        peer_client p(w.model);
        REQUIRE(p.upgrade(sockets + "producer/" + ns + "t?initialSequenceId=4&producerName=" + name).status == 101);
        const auto answers = p.say(R"({"payload":"AAAA"})");
        REQUIRE(answers.size() == 1);
        return !contains(answers[0], "CP////");
    };
    CHECK(send("a"));
    CHECK(!send("a"));
    CHECK(send("b"));
    CHECK(!send("a"));
    CHECK(send("c"));
    int known = 0;
    for (const char* name : {"a", "b"}) known += !send(name);
    CHECK(known <= 1);
    CHECK(w.model.stats().stored >= 4);
}

TEST_CASE("an HTTP request: 431 for its header, 413 for its body") {
    proxy_options options;
    options.http.header = 1000;
    options.http.fields = 10;
    options.http.start_line = 100;
    options.http.body = 50;
    const auto status = [&](const std::string& request) {
        world w(options);
        peer_client c(w.model);
        const std::string answer = c.raw(request);
        CHECK(c.server().want_close());
        return answer.substr(0, 13);
    };
    const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n";
    CHECK(status("GET /" + std::string(100, 'a') + " HTTP/1.1\r\n") == "HTTP/1.1 431 ");
    CHECK(status(get + "A: " + std::string(1000, 'a') + "\r\n\r\n") == "HTTP/1.1 431 ");
    std::string many = get;
    for (int i = 0; i < 11; ++i) many += "A: b\r\n";
    CHECK(status(many + "\r\n") == "HTTP/1.1 431 ");
    CHECK(status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 51\r\n\r\n") == "HTTP/1.1 413 ");
    CHECK(status("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n") == "HTTP/1.1 413 ");
    world w(options);
    peer_client c(w.model);
    CHECK(c.raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n" + std::string(50, 'a'))
              .starts_with("HTTP/1.1 404 "));
}

TEST_CASE("requests in a row whose answers are long: answered a part at a time, all of them in the end") {
    world w;
    for (int i = 0; i < 1000; ++i) w.model.create_topic("a-stream-with-a-long-name-" + std::to_string(i));
    peer_client c(w.model);
    const std::string request =
        "GET " + streams + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + w.key() + "\r\n\r\n"; // 160 KB of answer
    std::string all;
    for (int i = 0; i < 100; ++i) all += request;
    c.server().receive(sluice::web::as_bytes(all), c.now);
    CHECK(c.server().output_size() < 3u << 20);
    const auto answers = [](const std::string& text) {
        std::size_t n = 0;
        for (std::size_t at = text.find("HTTP/1.1 200"); at != std::string::npos;
             at = text.find("HTTP/1.1 200", at + 1))
            ++n;
        return n;
    };
    std::size_t n = 0, turns = 0;
    for (std::string text = c.take(); !text.empty(); text = c.take()) {
        CHECK(text.size() < 3u << 20);
        n += answers(text);
        ++turns;
        if (c.server().next_time() > c.now) break;
        c.server().advance(c.now);
    }
    CHECK(n == 100);
    CHECK(turns > 5);
    CHECK(w.model.stats().requests == 100);
}

TEST_CASE("a hundred thousand properties in one frame are read in their turn") {
    world w;
    peer_client p(w.model);
    REQUIRE(p.upgrade(sockets + "producer/" + ns + "t").status == 101);
    std::string frame = R"({"payload":"AAAA","properties":{)";
    for (int i = 0; i < 70'000; ++i) frame += "\"" + std::to_string(i) + "\":\"\",";
    frame += R"("7":"seven","69999":"last"},"context":"1"})";
    const auto answers = p.say(frame);
    REQUIRE(answers.size() == 1);
    CHECK(contains(answers[0], R"("result":"ok")"));
    const auto stored = w.model.messages("t");
    REQUIRE(stored.size() == 1);
    REQUIRE(stored[0].properties.size() == 70'000);
    CHECK(stored[0].properties[7].value == "seven"); // the last one of a name wins, in the first one's place
    CHECK(stored[0].properties[69'999].value == "last");
    CHECK(stored[0].properties[8].value.empty());
}

TEST_CASE("a time to live: what is older counts as acknowledged") {
    world w;
    peer_client c(w.model), p(w.model), reader(w.model);
    const auto call = [&](const char* method, const std::string& path) {
        return c.request(method, streams + path, w.key());
    };
    CHECK(call("POST", "/t").status == 200);
    REQUIRE(p.upgrade("/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.t", w.key()).status == 101);
    const std::string topic = "/admin/v2/persistent/demo/c8global._system/c8globals.t";
    CHECK(c.request("PUT", topic + "/subscription/s", {}, "\"earliest\"").status == 204);
    CHECK(p.say(R"({"payload":"AAAA"})").size() == 1);
    const auto backlog = [&] {
        const std::string text = call("GET", "/t/stats").body;
        const std::string mark = R"("msgBacklog":)";
        return text.substr(text.find(mark) + mark.size(), 1);
    };
    p.now = c.now += 60s;
    CHECK(p.say(R"({"payload":"BBBB"})").size() == 1);
    CHECK(backlog() == "2");
    CHECK(call("POST", "/ttl/60?global=false").status == 200); // of the other scope
    CHECK(call("GET", "/ttl?global=false").body == R"({"error":false,"code":200,"result":60})");
    CHECK(call("GET", "/ttl").body == R"({"error":false,"code":200,"result":0})");
    c.now += 1s;
    CHECK(backlog() == "2");
    CHECK(call("POST", "/ttl/60").status == 200);
    CHECK(backlog() == "1"); // 61 seconds old, and 1
    reader.now = c.now;
    REQUIRE(reader.upgrade("/_ws/ws/v2/consumer/persistent/demo/c8global._system/c8globals.t/s", w.key()).status ==
            101);
    const auto got = reader.advance(0s);
    REQUIRE(got.size() == 1);
    CHECK(contains(got[0], R"("payload":"BBBB")"));
    CHECK(w.model.message_count("t") == 2); // nothing is deleted

    // A topic that is made later has it too; a plain Pulsar sets it for a namespace.
    CHECK(c.request("GET", "/admin/v2/namespaces/public/default/messageTTL").body == "null");
    CHECK(c.request("POST", "/admin/v2/namespaces/public/default/messageTTL", {}, "5").status == 204);
    CHECK(c.request("GET", "/admin/v2/namespaces/public/default/messageTTL").body == "5");
    CHECK(c.request("POST", "/admin/v2/namespaces/public/default/messageTTL", {}, "-5").status == 412);
    peer_client q(w.model, c.now);
    REQUIRE(q.upgrade(sockets + "producer/" + ns + "u").status == 101);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "u/subscription/s").status == 204);
    CHECK(q.say(R"({"payload":"AAAA"})").size() == 1);
    CHECK(contains(c.request("GET", "/admin/v2/" + ns + "u/stats").body, R"("msgBacklog":1)"));
    c.now += 6s;
    CHECK(contains(c.request("GET", "/admin/v2/" + ns + "u/stats").body, R"("msgBacklog":0)"));
    CHECK(c.request("DELETE", "/admin/v2/namespaces/public/default/messageTTL").status == 204);
    CHECK(c.request("GET", "/admin/v2/namespaces/public/default/messageTTL").body == "null");
}

TEST_CASE("partitioned topics are refused, and every topic has none") {
    world w;
    peer_client c(w.model);
    CHECK(c.request("PUT", "/admin/v2/" + ns + "t/partitions", {}, "3").status == 501);
    CHECK(c.request("GET", "/admin/v2/" + ns + "t/partitions").body == R"({"partitions":0,"deleted":false})");
    CHECK(!w.model.has_topic("t"));
}

TEST_CASE("on_stored: each message once, in order, before its acknowledgement") {
    proxy_options options;
    options.max_messages_per_topic = 3; // what the topic drops has been told all the same
    world w(options);
    std::vector<std::string> told;
    w.model.on_stored([&](std::string_view topic, const sluice::testing::stored_message& m) {
        told.push_back(std::string(topic.substr(topic.rfind('/') + 1)) + " " + m.payload + " " + m.message_id);
    });
    peer_client p(w.model), q(w.model), c(w.model);
    REQUIRE(p.upgrade(sockets + "producer/" + ns + "t").status == 101);
    REQUIRE(q.upgrade(sockets + "producer/" + ns + "u?batchingEnabled=true&batchingMaxMessages=2").status == 101);
    for (int i = 0; i < 5; ++i) {
        const auto answers = p.say(R"({"payload":"MTI)" + std::string(1, static_cast<char>('A' + i)) + "\"}");
        REQUIRE(answers.size() == 1);
        REQUIRE(told.size() == static_cast<std::size_t>(i) + 1);
        CHECK(contains(answers[0], "\"messageId\":\"" + told.back().substr(told.back().rfind(' ') + 1) + "\""));
    }
    CHECK(q.say(R"({"payload":"MTIz"})").empty());
    CHECK(told.size() == 5);
    CHECK(q.say(R"({"payload":"MTIz"})").size() == 2);
    CHECK(told.size() == 7);
    CHECK(told.back().starts_with("u 123 "));
    CHECK(c.request("POST", streams + "/v", w.key()).status == 200);
    CHECK(c.request("POST", streams + "/v/publish", w.key(), "x").status == 200);
    CHECK(told.back().starts_with("c8globals.v x "));
    w.model.on_stored(nullptr);
    p.say(R"({"payload":"MTIz"})");
    CHECK(told.size() == 8);
    CHECK(w.model.messages("t").size() == 3);
}

} // namespace
