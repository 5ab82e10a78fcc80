// SPDX-License-Identifier: BSL-1.0
// The proxy model's front doors: GDN's REST calls and credentials, the Pulsar admin's, and what an upgrade is refused
// with.
#include "support/peer_client.hpp"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using test::peer_client;
namespace web = sluice::web;

struct world {
    explicit world(test::proxy_options options = {}) : model(std::move(options), test::counting_random(state)) {
        model.options().region_host = "127.0.0.1:8443";
    }

    std::uint64_t state = 7;
    test::proxy_model model;

    std::string key() { return "apikey " + model.api_key(); }
};

const std::string forbidden = R"({"code":401,"error":true,"errorMessage":"forbidden","errorNum":11})";
const std::string streams = "/_fabric/_system/_api/streams";

test::proxy_options with_user() {
    test::proxy_options options;
    options.users.push_back({"a@example.com", "alice", "secret"});
    return options;
}

TEST_CASE("an API key has the shape TENANT.KEYID.SECRET") {
    test::proxy_options options;
    options.tenant = "my.tenant";
    options.api_keys = {"my.tenant.ci.xyz", "other.ci.xyz"};
    world w(options);
    CHECK(w.model.api_key().starts_with("my.tenant.local."));
    peer_client c(w.model);
    CHECK(c.request("GET", streams, w.key()).status == 200);
    CHECK(c.request("GET", streams, "apikey my.tenant.ci.xyz").status == 200);
    CHECK(c.request("GET", streams, "apikey other.ci.xyz").status == 404); // that tenant has no such fabric
    for (const char* bad : {"", "apikey", "apikey ", "apikey x.y.z", "basic x", "bearer x"}) {
        CAPTURE(bad);
        const auto r = c.request("GET", streams, bad);
        CHECK(r.status == 401);
        CHECK(r.body == forbidden);
    }
}

TEST_CASE("login") {
    world w(with_user());
    peer_client c(w.model);
    for (const char* body : {R"({"email":"a@example.com","password":"secret"})",
                             R"({"tenant":"demo","username":"alice","password":"secret"})"}) {
        CAPTURE(body);
        const auto r = c.request("POST", "/_open/auth", {}, body);
        REQUIRE(r.status == 200);
        CHECK(r.body.ends_with(R"(","tenant":"demo","username":"alice"})"));
        const std::string jwt = r.body.substr(8, r.body.find('"', 8) - 8);
        CHECK(std::count(jwt.begin(), jwt.end(), '.') == 2);
        const auto claims = web::base64url_decode(jwt.substr(jwt.find('.') + 1, jwt.rfind('.') - jwt.find('.') - 1));
        REQUIRE(claims);
        CHECK(*claims == R"({"exp":1796198644,"iat":1.796155444e+09,"iss":"macrometa","preferred_username":"alice",)"
                         R"("tenant":"demo"})");
        CHECK(c.request("GET", streams, "bearer " + jwt).status == 200);
        CHECK(c.request("GET", streams, "apikey " + jwt).status == 401);
        c.now += 12h - 1s;
        CHECK(c.request("GET", streams, "bearer " + jwt).status == 200);
        c.now += 1s;
        CHECK(c.request("GET", streams, "bearer " + jwt).status == 401);
        c.now = test::start;
    }
    for (const char* body :
         {R"({"email":"a@example.com","password":"wrong"})", R"({"email":"b@example.com","password":"secret"})",
          R"({"tenant":"other","username":"alice","password":"secret"})", R"({"password":"secret"})", "{}"}) {
        CAPTURE(body);
        const auto r = c.request("POST", "/_open/auth", {}, body);
        CHECK(r.status == 401);
        CHECK(r.body == forbidden);
    }
    for (const char* body : {"", "[]", "x", "{", R"({"email":)"})
        CHECK(c.request("POST", "/_open/auth", {}, body).status == 400);
    CHECK(c.request("GET", "/_open/auth").status == 405);
}

TEST_CASE("the region") {
    world w;
    peer_client c(w.model);
    const auto r = c.request("GET", "/datacenter/local", w.key());
    CHECK(r.status == 200);
    CHECK(r.reason.empty()); // GDN's front door sends none
    CHECK(r.fields.get("x-gdn-region") == "gdn-local");
    CHECK(!r.fields.get("x-gdn-requestid").empty());
    CHECK(!r.fields.get("x-gdn-responsetime").empty());
    CHECK(r.body == R"({"_key":"gdn-local","host":"127.0.0.1","local":true,"name":"gdn-local","spot_region":false,)"
                    R"("status":0,"tags":{"api":"127.0.0.1:8443","url":"127.0.0.1:8443"},)"
                    R"("locationInfo":{"city":"","countrycode":""}})");
    w.model.options().region_host = "gdn-us-west.paas.macrometa.io";
    CHECK(
        c.request("GET", "/datacenter/local", w.key())
            .body.find(R"("tags":{"api":"api-gdn-us-west.paas.macrometa.io","url":"gdn-us-west.paas.macrometa.io"})") !=
        std::string::npos);
    CHECK(c.request("GET", "/datacenter/local").status == 401);
}

TEST_CASE("streams: create, list, delete") {
    world w;
    peer_client c(w.model);
    const auto call = [&](const char* method, const std::string& path) {
        return c.request(method, streams + path, w.key());
    };
    auto r = call("POST", "/orders?global=true");
    CHECK(r.status == 200);
    CHECK(r.body == R"({"error":false,"code":202,"result":{"stream-id":"c8globals.orders"}})");
    r = call("POST", "/orders?global=true");
    CHECK(r.status == 409);
    CHECK(r.body ==
          R"({"code":409,"error":true,"errorMessage":"stream 'c8globals.orders' already exists","errorNum":409})");
    CHECK(call("POST", "/orders?global=False").body ==
          R"({"error":false,"code":202,"result":{"stream-id":"c8locals.orders"}})");
    CHECK(call("POST", "/c8globals.more?global=false").body ==
          R"({"error":false,"code":202,"result":{"stream-id":"c8globals.more"}})");
    CHECK(w.model.topics() == std::vector<std::string>{"persistent://demo/c8global._system/c8globals.more",
                                                       "persistent://demo/c8global._system/c8globals.orders",
                                                       "persistent://demo/c8local._system/c8locals.orders"});
    r = call("GET", "?global=false");
    CHECK(r.fields.get("Transfer-Encoding") == "chunked");
    CHECK(r.body == R"({"error":false,"code":200,"result":[{"_key":"5","_id":"_streams/5","_rev":"_5","db":"_system",)"
                    R"("local":true,"tenant":"demo","topic":"c8locals.orders","type":4}]})");
    w.model.terminate("more");
    r = call("GET", "?global=True");
    CHECK(r.body.find(R"("topic":"c8globals.more","type":4,"terminated":true})") != std::string::npos);
    CHECK(r.body.find("c8locals") == std::string::npos);
    CHECK(call("GET", "").body.find("c8locals.orders") != std::string::npos);

    CHECK(call("DELETE", "/c8globals.none?force=true").status == 404);
    r = call("DELETE", "/c8globals.orders?force=true");
    CHECK(r.status == 200);
    CHECK(r.body == R"({"error":false,"code":202,"result":{}})");
    CHECK(call("DELETE", "/orders?global=false").status == 200);
    CHECK(w.model.topics().size() == 1);

    CHECK(call("POST", "/" + std::string(230, 'x')).status == 200);
    CHECK(call("POST", "/" + std::string(231, 'x')).status == 400);
    CHECK(call("POST", "/%ff").status == 200); // no UTF-8: read with U+FFFD in its place, as Jetty does
    CHECK(c.request("GET", "/_fabric/none/_api/streams", w.key()).status == 404);
    CHECK(c.request("GET", "/_fabric/_system/_api/collection", w.key()).status == 404);
    CHECK(call("PATCH", "/c8globals.more").status == 405);
}

TEST_CASE("streams: publish, statistics, subscriptions") {
    world w;
    peer_client c(w.model);
    const auto call = [&](const char* method, const std::string& path, std::string body = {}) {
        return c.request(method, streams + path, w.key(), std::move(body));
    };
    CHECK(call("POST", "/t/publish", "x").status == 404);
    call("POST", "/t");
    const std::string bytes("a\0\xff", 3);
    auto r = call("POST", "/t/publish?global=true", bytes);
    CHECK(r.status == 200);
    CHECK(r.body == R"({"error":false,"code":202,"result":{}})");
    REQUIRE(w.model.messages("t").size() == 1);
    CHECK(w.model.messages("t")[0].payload == bytes);
    CHECK(w.model.message_count("t") == 1);
    r = call("GET", "/t/stats");
    CHECK(r.body.starts_with(R"({"error":false,"code":200,"result":{"msgRateIn":0)"));
    CHECK(r.body.find(R"("bytesInCounter":3,"msgInCounter":1,)") != std::string::npos);
    CHECK(call("GET", "/c8globals.t/backlog").body.find(R"("numberOfEntries":1,)") != std::string::npos);

    const std::string topic = "/admin/v2/persistent/demo/c8global._system/c8globals.t";
    CHECK(c.request("PUT", topic + "/subscription/s", {}, "\"earliest\"").status == 204);
    CHECK(call("GET", "/t/subscriptions").body == R"({"error":false,"code":200,"result":["s"]})");
    CHECK(call("GET", "/t/stats").body.find(R"("subscriptions":{"s":{)") != std::string::npos);
    CHECK(call("GET", "/t/stats").body.find(R"("msgBacklog":1,)") != std::string::npos);
    CHECK(call("POST", "/clearbacklog").status == 200);
    CHECK(call("GET", "/t/stats").body.find(R"("msgBacklog":0,)") != std::string::npos);
    CHECK(call("DELETE", "/t/subscriptions/s").status == 200);
    CHECK(call("DELETE", "/t/subscriptions/s").status == 404);
    CHECK(call("DELETE", "/subscription/s").status == 404);
    CHECK(call("POST", "/t/expiry/60").status == 200);
    CHECK(call("GET", "/ttl").body == R"({"error":false,"code":200,"result":0})");
    CHECK(call("POST", "/ttl/60").status == 200);
    CHECK(call("GET", "/ttl").body == R"({"error":false,"code":200,"result":60})");
    CHECK(call("POST", "/ttl/x").status == 400);
}

TEST_CASE("a one-time password opens one socket, once, in time") {
    world w;
    peer_client c(w.model);
    const std::string socket = "/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.t";
    const auto otp = [&] {
        const auto r = c.request("POST", "/apid/otp", w.key());
        REQUIRE(r.status == 200);
        REQUIRE(r.body.starts_with(R"({"otp":")"));
        return r.body.substr(8, r.body.size() - 10);
    };
    CHECK(c.request("POST", "/apid/otp").status == 401);
    CHECK(c.request("GET", "/apid/otp", w.key()).status == 405);
    const std::string first = otp();
    CHECK(first != otp());
    peer_client producer(w.model);
    CHECK(producer.upgrade(socket + "?otp=" + first).status == 101);
    const auto again = peer_client(w.model).upgrade(socket + "?otp=" + first);
    CHECK(again.status == 401);
    CHECK(again.body == forbidden);
    CHECK(peer_client(w.model).upgrade(socket + "?otp=" + otp(), "apikey wrong").status == 101);
    CHECK(peer_client(w.model).upgrade(socket + "?otp=x", w.key()).status == 401);
    CHECK(peer_client(w.model).upgrade(socket).status == 401);
    CHECK(peer_client(w.model).upgrade(socket, w.key()).status == 101);
    CHECK(peer_client(w.model).upgrade(socket, "bearer " + w.model.make_jwt("alice", c.now)).status == 101);
    CHECK(peer_client(w.model).upgrade("/_ws/ws/v2/producer/persistent/public/default/t", w.key()).status ==
          401); // another's tenant
    const std::string late = otp();
    CHECK(peer_client(w.model, c.now + 60s).upgrade(socket + "?otp=" + late).status == 401);
    CHECK(w.model.has_topic("t")); // made by the socket
    CHECK(w.model.stats().sockets_opened == 4);
    CHECK(w.model.stats().sockets_refused == 5);
    CHECK(w.model.stats().open_sockets == 1); // the others' peers are gone
}

TEST_CASE("the answer to an upgrade") {
    world w;
    peer_client c(w.model);
    std::string out;
    const web::http_request upgrade =
        web::make_upgrade("/ws/v2/producer/persistent/public/default/t", "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(!web::write_request(upgrade, "localhost", out));
    CHECK(c.raw(out) == "HTTP/1.1 101 Switching Protocols\r\nDate: Tue, 01 Dec 2026 20:04:04 GMT\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                        "Server: Jetty(9.4.57.v20241219)\r\nUpgrade: WebSocket\r\n\r\n");
}

TEST_CASE("refusals are the web server's error pages") {
    test::proxy_options options;
    options.max_producers_per_topic = 2;
    world w(options);
    peer_client holder(w.model);
    CHECK(holder.upgrade("/ws/v2/producer/persistent/public/default/t?producerName=p1").status == 101);
    peer_client other(w.model);
    CHECK(other.upgrade("/ws/v2/producer/persistent/public/default/full").status == 101);
    peer_client third(w.model);
    CHECK(third.upgrade("/ws/v2/producer/persistent/public/default/full").status == 101);
    w.model.create_topic("persistent://public/default/over");
    w.model.terminate("persistent://public/default/over");

    const std::string failed = R"(Failed to create producer/consumer: {"errorMsg":")";
    const std::string broker = "org.apache.pulsar.broker.service.BrokerServiceException$";
    const std::string t = "/ws/v2/producer/persistent/public/default/t";
    struct row {
        std::string target;
        int status;
        std::string text;
    };
    const row rows[] = {
        {"/ws/v2/producer/persistent/none/default/t", 404, failed + R"(Namespace not found","reqId":)"},
        {"/ws/v2/producer/persistent/public/none/t", 404, failed + R"(Namespace not found","reqId":)"},
        {t + "?producerName=p1", 409,
         failed + broker +
             "NamingException: Producer with name 'p1' is already connected to topic "
             "'persistent://public/default/t'\""},
        {"/ws/v2/producer/persistent/public/default/full", 409,
         failed + "Topic 'persistent://public/default/full' reached max producers limit\","},
        {"/ws/v2/producer/persistent/public/default/over", 503,
         failed + broker + "TopicTerminatedException: Topic was already terminated\","},
        {t + "?sendTimeoutMillis=x", 400, R"(Invalid query params: For input string: "x")"},
        {t + "?sendTimeoutMillis=-1", 400, "Invalid query params: sendTimeout needs to be >= 0"},
        {t + "?batchingEnabled=true&batchingMaxPublishDelay=0", 400,
         "Invalid query params: configured value for batch delay must be at least 1ms"},
        {t + "?batchingEnabled=TRUE&batchingMaxPublishDelay=-1", 400,
         "Invalid query params: configured value for batch delay must be at least 1ms"},
        {t + "?batchingEnabled=true&maxPendingMessages=-1", 400,
         "Invalid query params: maxPendingMessages needs to be >= 0"},
        {t + "?batchingEnabled=true&maxPendingMessages=x", 400, R"(Invalid query params: For input string: "x")"},
        {t + "?compressionType=BROTLI", 400, "Invalid query params: Invalid compressionType BROTLI"},
        {t + "?compressionType=lz4", 400, "Invalid query params: Invalid compressionType lz4"},
        {t + "?compressionType=", 400, "Invalid query params: Invalid compressionType "},
        {t + "?messageRoutingMode=Nope", 400, "Invalid query params: Invalid messageRoutingMode Nope"},
        {t + "?hashingScheme=Nope", 400,
         "Invalid query params: No enum constant org.apache.pulsar.client.api.HashingScheme.Nope"},
        {t + "?producerName=", 400, "Invalid query params: producerName cannot be blank"},
        {t + "?producerName=+", 400, "Invalid query params: producerName cannot be blank"},
        {t + "?initialSequenceId=abc", 400, R"(Invalid query params: For input string: "abc")"},
        {t + "?initialSequenceId=9223372036854775808", 400,
         R"(Invalid query params: For input string: "9223372036854775808")"},
        {t + "?encryptionKeys=abc", 500,
         "Failed to create producer/consumer: Can't add encryption key without configuring "
         "cryptoKeyReaderFactoryClassName"},
        {"/ws/v2/producer/persistent/public/default", 500,
         "java.lang.IllegalArgumentException: Invalid topic name format"},
        {"/ws/v2/producer/volatile/public/default/t", 500, "java.lang.IllegalArgumentException"},
        {"/ws/v2/nothing/persistent/public/default/t", 404, "Not Found"},
        {"/ws/v2/producer", 302, ""},
    };
    peer_client c(w.model);
    for (const row& r : rows) {
        CAPTURE(r.target);
        const auto answer = c.upgrade(r.target); // all on one connection: it is kept
        CHECK(answer.status == r.status);
        if (r.status == 302) continue;
        const std::string text = sluice::testing::detail::html_escaped(r.text);
        CHECK(answer.fields.get("Content-Type") == "text/html;charset=iso-8859-1");
        CHECK(answer.fields.get("Cache-Control") == "must-revalidate,no-cache,no-store");
        CHECK(answer.body.find("<title>Error " + std::to_string(r.status) + " " + text) != std::string::npos);
        CHECK(answer.body.find("<tr><th>MESSAGE:</th><td>" + text) != std::string::npos);
    }
    CHECK(c.request("GET", t).status == 405);
    web::http_request old = web::make_upgrade(t, "dGhlIHNhbXBsZSBub25jZQ==");
    for (web::http_field& f : old.fields.list)
        if (f.name == "Sec-WebSocket-Version") f.value = "12";
    const auto refused = c.exchange(old);
    CHECK(refused.status == 400);
    CHECK(refused.fields.get("Sec-WebSocket-Version") == "13");
    CHECK(c.request("GET", "/nothing").status == 404);
    CHECK(c.upgrade(t).status == 101);
}

TEST_CASE("what the proxy accepts") {
    world w;
    for (const char* query :
         {"?batchingEnabled=maybe", "?batchingMaxMessages=0", "?batchingEnabled=true&batchingMaxMessages=0",
          "?sendTimeoutMillis=0", "?unknown=x", "?maxPendingMessages=x", "?batchingMaxPublishDelay=0",
          "?initialSequenceId=-5", "?messageRoutingMode=CustomPartition", "?messageRoutingMode=RoundRobinPartition",
          "?compressionType=ZSTD", "?hashingScheme=Murmur3_32Hash",
          "?producerName=a&producerName=", "?encryptionKeys=eyJrIjp7ImtleVZhbHVlIjoiQUEifX0%3D"}) {
        CAPTURE(query);
        peer_client c(w.model);
        CHECK(c.upgrade(std::string("/ws/v2/producer/persistent/public/default/t") + query).status == 101);
    }
    peer_client c(w.model);
    CHECK(c.upgrade("/ws/v2/producer/persistent/public/default/a%2Fb%c3%bc").status == 101);
    CHECK(w.model.has_topic("persistent://public/default/a/bü"));
    peer_client volatile_topic(w.model);
    CHECK(volatile_topic.upgrade("/ws/v2/producer/non-persistent/public/default/t").status == 101);
}

TEST_CASE("a plain Pulsar's token") {
    test::proxy_options options;
    options.token = "secret";
    world w(options);
    const std::string t = "/ws/v2/producer/persistent/public/default/t";
    const auto status = [&](const std::string& query, const std::string& header) {
        const auto r = peer_client(w.model).upgrade(t + query, header);
        if (r.status == 401) CHECK(r.body.find("<td>Authentication required</td>") != std::string::npos);
        return r.status;
    };
    CHECK(status("", "") == 401);
    CHECK(status("", "Bearer wrong") == 401);
    CHECK(status("", "bearer secret") == 401);
    CHECK(status("", "apikey secret") == 401);
    CHECK(status("", "Bearer secret") == 101);
    CHECK(status("?token=secret", "") == 101);
    CHECK(status("?token=wrong", "") == 401);
    CHECK(status("?token=secret", "Bearer wrong") == 401); // the header wins
    peer_client c(w.model);
    CHECK(c.request("GET", "/admin/v2/persistent/public/default").status == 401);
    CHECK(c.request("GET", "/admin/v2/persistent/public/default", "Bearer secret").status == 200);
}

TEST_CASE("topic missing, auto creation off") {
    test::proxy_options options;
    options.allow_auto_topic_creation = false;
    world w(options);
    peer_client c(w.model);
    const auto r = c.upgrade("/ws/v2/producer/persistent/public/default/t");
    CHECK(r.status == 404);
    CHECK(r.body.find("{&quot;errorMsg&quot;:&quot;&quot;,&quot;reqId&quot;:") != std::string::npos);
    CHECK(w.model.create_topic("persistent://public/default/t"));
    CHECK(c.upgrade("/ws/v2/producer/persistent/public/default/t").status == 101);
}

TEST_CASE("a name is in use until its socket ends, and a while longer") {
    test::proxy_options options;
    options.producer_name_release = 200ms;
    world w(options);
    const std::string t = "/ws/v2/producer/persistent/public/default/t?producerName=p1";
    {
        peer_client first(w.model);
        CHECK(first.upgrade(t).status == 101);
        CHECK(peer_client(w.model, test::start + 1h).upgrade(t).status == 409);
    }
    CHECK(peer_client(w.model, test::start + 199ms).upgrade(t).status == 409);
    CHECK(peer_client(w.model, test::start + 200ms).upgrade(t).status == 101);
}

TEST_CASE("the Pulsar admin") {
    world w;
    peer_client c(w.model);
    const auto call = [&](const char* method, const std::string& path, std::string body = {}) {
        return c.request(method, "/admin/v2" + path, {}, std::move(body));
    };
    CHECK(call("PUT", "/namespaces/T/NS").status == 404);
    CHECK(call("PUT", "/tenants/T", "{}").status == 204);
    CHECK(call("PUT", "/tenants/T", "{}").status == 409);
    CHECK(call("PUT", "/namespaces/T/NS", "{}").status == 204);
    CHECK(call("PUT", "/namespaces/T/NS", "{}").status == 409);
    CHECK(call("PUT", "/persistent/T/other/x").status == 404);
    CHECK(call("PUT", "/persistent/T/NS/x").status == 204);
    const auto again = call("PUT", "/persistent/T/NS/x");
    CHECK(again.status == 409);
    CHECK(again.body == R"({"reason":"This topic already exists"})");
    CHECK(call("GET", "/persistent/T/NS").body == R"(["persistent://T/NS/x"])");
    CHECK(call("GET", "/persistent/T/NS/x/stats").body.find(R"("msgInCounter":0,)") != std::string::npos);
    CHECK(call("GET", "/persistent/T/NS/y/stats").status == 404);
    CHECK(call("PUT", "/persistent/T/NS/x/unload").status == 204);
    CHECK(call("PUT", "/persistent/T/NS/x/subscription/S", "\"earliest\"").status == 204);
    {
        peer_client p(w.model);
        REQUIRE(p.upgrade("/ws/v2/producer/persistent/T/NS/x?producerName=p").status == 101);
        p.say(R"({"payload":"b25l","key":"k","properties":{"a":"b"},"eventTime":"2026-11-24T08:00:00.123Z"})");
        p.say(R"({"payload":"dHdv"})");
        CHECK(call("DELETE", "/persistent/T/NS/x").status == 412); // somebody produces
    }
    const auto one = call("GET", "/persistent/T/NS/x/subscription/S/position/1");
    CHECK(one.status == 200);
    CHECK(one.body == "one");
    CHECK(one.fields.get("X-Pulsar-Message-ID") == "4:0");
    CHECK(one.fields.get("X-Pulsar-PROPERTY") == R"({"a":"b"})");
    CHECK(one.fields.get("X-Pulsar-producer-name") == "p");
    CHECK(one.fields.get("X-Pulsar-sequence-id") == "0");
    CHECK(one.fields.get("X-Pulsar-publish-time") == "2026-12-01T20:04:04Z");
    CHECK(one.fields.get("X-Pulsar-event-time") == "2026-11-24T08:00:00.123Z");
    CHECK(one.fields.get("X-Pulsar-partition-key") == "k");
    CHECK(call("GET", "/persistent/T/NS/x/subscription/S/position/2").body == "two");
    CHECK(call("GET", "/persistent/T/NS/x/subscription/S/position/3").status == 404);
    CHECK(call("POST", "/persistent/T/NS/x/subscription/S/skip_all").status == 204);
    CHECK(call("GET", "/persistent/T/NS/x/subscription/S/position/1").status == 404);
    CHECK(call("DELETE", "/persistent/T/NS/x/subscription/S").status == 204);
    CHECK(call("POST", "/persistent/T/NS/x/terminate").body == R"({"ledgerId":4,"entryId":1})");
    CHECK(call("DELETE", "/persistent/T/NS/x?force=true").status == 204);
    CHECK(call("DELETE", "/persistent/T/NS/x?force=true").status == 404);
    CHECK(call("GET", "/brokers/health").status == 404);
}

TEST_CASE("a topic is bounded: the oldest are dropped") {
    test::proxy_options options;
    options.max_messages_per_topic = 3;
    world w(options);
    peer_client c(w.model);
    REQUIRE(c.upgrade("/ws/v2/producer/persistent/public/default/t").status == 101);
    for (int i = 0; i < 5; ++i) c.say(R"({"payload":"AAA","key":")" + std::to_string(i) + "\"}");
    const auto all = w.model.messages("t");
    REQUIRE(all.size() == 3);
    CHECK(all[0].key == "2");
    CHECK(w.model.message_count("t") == 5);

    test::proxy_options small;
    small.max_bytes_per_topic = 1500;
    world bytes(small);
    peer_client d(bytes.model);
    REQUIRE(d.upgrade("/ws/v2/producer/persistent/public/default/t").status == 101);
    const std::string kilobyte = R"({"payload":")" + std::string(1024, 'A') + "\"}";
    for (int i = 0; i < 5; ++i) d.say(kilobyte);
    CHECK(bytes.model.messages("t").size() == 1);
}

} // namespace
