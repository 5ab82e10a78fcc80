// SPDX-License-Identifier: BSL-1.0
// REST: what is asked, what answers say, what refusals mean. Bodies are those of the vendor's description and of a real
// Pulsar.
#include <sluice/pulsar/rest.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace sluice;
using namespace std::chrono_literals;
using pulsar::caller;
using pulsar::make_topic;
using pulsar::topic_name;

namespace {

web::http_response respond(int status, std::string body, std::string type = "application/json") {
    web::http_response response;
    response.status = status;
    response.body = std::move(body);
    response.fields.add("Content-Type", std::move(type));
    response.fields.add("X-GDN-RequestId", "req-1");
    return response;
}

std::string line(const web::http_request& request) { return request.method + " " + request.target; }
std::string text_of(const failure& f) { return f.details ? f.details->text : std::string(); }

const caller gdn{dialect::gdn, "_system", "apikey acme.id.secret"};
const caller plain{dialect::pulsar, "_system", "Bearer token"};
const topic_name global_topic = make_topic(dialect::gdn, "quick start", scope::global, "acme", "_system").second;
const topic_name local_topic = make_topic(dialect::gdn, "x", scope::local, "acme", "_system").second;
const topic_name plain_topic = make_topic(dialect::pulsar, "acme/shop/orders", scope::global, "", "").second;

/// Jetty's error page, as Pulsar 4.0.7 sends it.
std::string jetty_page(std::string_view status, std::string_view message) {
    std::string page = "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n"
                       "<title>Error ";
    page.append(status).append(" ").append(message).append("</title>\n</head>\n<body><h2>HTTP ERROR ");
    page.append(status).append(" ").append(message);
    page.append("</h2>\n<table>\n<tr><th>URI:</th><td>/ws/v2/producer/persistent/a/b/c?otp=0123456789abcdef</td></tr>\n"
                "<tr><th>STATUS:</th><td>");
    page.append(status).append("</td></tr>\n<tr><th>MESSAGE:</th><td>").append(message);
    page.append("</td></tr>\n<tr><th>SERVLET:</th><td>x</td></tr>\n</table>\n<hr/></body>\n</html>\n");
    return page;
}

web::http_response jetty(int status, std::string_view message) {
    return respond(status, jetty_page(std::to_string(status), message), "text/html;charset=iso-8859-1");
}

} // namespace

TEST_CASE("the Authorization header") {
    using pulsar::authorization_header;
    CHECK(authorization_header(api_key{"t.k.s"}, dialect::gdn) == "apikey t.k.s");
    CHECK(authorization_header(jwt{"j"}, dialect::gdn) == "bearer j");
    CHECK(authorization_header(bearer_token{"b"}, dialect::gdn) == "bearer b");
    CHECK(authorization_header(no_auth{}, dialect::gdn).empty());
    CHECK(authorization_header(api_key{"t.k.s"}, dialect::pulsar).empty());
    CHECK(authorization_header(jwt{"j"}, dialect::pulsar) == "Bearer j");
    CHECK(authorization_header(bearer_token{"b"}, dialect::pulsar) == "Bearer b");
}

TEST_CASE("GDN's calls") {
    using namespace pulsar;
    CHECK(line(otp_request(gdn)) == "POST /apid/otp");
    CHECK(otp_request(gdn).fields.get("authorization") == "apikey acme.id.secret");
    CHECK(otp_request(gdn).body.empty());
    CHECK(line(region_request(gdn)) == "GET /datacenter/local");
    const std::string base = "/_fabric/_system/_api/streams";
    CHECK(line(list_streams_request(gdn, global_topic)) == "GET " + base + "?global=true");
    CHECK(line(list_streams_request(gdn, stream_namespace(dialect::gdn, scope::local, "acme", "_system"))) ==
          "GET " + base + "?global=false");
    CHECK(line(create_stream_request(gdn, global_topic)) == "POST " + base + "/quick%20start?global=true");
    CHECK(line(create_stream_request(gdn, local_topic)) == "POST " + base + "/x?global=false");
    CHECK(line(delete_stream_request(gdn, global_topic)) == "DELETE " + base + "/c8globals.quick%20start?force=true");
    CHECK(line(delete_stream_request(gdn, local_topic, false)) == "DELETE " + base + "/c8locals.x");
    CHECK(line(stream_stats_request(gdn, local_topic)) == "GET " + base + "/c8locals.x/stats");
    CHECK(line(stream_backlog_request(gdn, local_topic)) == "GET " + base + "/c8locals.x/backlog");
    CHECK(line(subscriptions_request(gdn, local_topic)) == "GET " + base + "/c8locals.x/subscriptions");
    CHECK(line(publish_request(gdn, local_topic, "m")) == "POST " + base + "/c8locals.x/publish?global=false");
    CHECK(publish_request(gdn, local_topic, std::string_view("m\0", 2)).body == std::string("m\0", 2));
    CHECK(line(list_streams_request({dialect::gdn, "my fabric", ""}, global_topic)) ==
          "GET /_fabric/my%20fabric/_api/streams?global=true");
    CHECK(list_streams_request({dialect::gdn, "f", ""}, global_topic).fields.find("Authorization") == nullptr);
}

TEST_CASE("Pulsar's calls") {
    using namespace pulsar;
    const std::string path = "/admin/v2/persistent/acme/shop";
    CHECK(line(list_streams_request(plain, plain_topic)) == "GET " + path);
    CHECK(line(list_streams_request(plain, stream_namespace(dialect::pulsar, scope::global, "", ""))) ==
          "GET /admin/v2/persistent/public/default");
    CHECK(line(create_stream_request(plain, plain_topic)) == "PUT " + path + "/orders");
    CHECK(line(delete_stream_request(plain, plain_topic)) == "DELETE " + path + "/orders?force=true");
    CHECK(line(stream_stats_request(plain, plain_topic)) == "GET " + path + "/orders/stats");
    CHECK(line(subscriptions_request(plain, plain_topic)) == "GET " + path + "/orders/subscriptions");
    CHECK(create_stream_request(plain, plain_topic).fields.get("Authorization") == "Bearer token");
}

TEST_CASE("a login") {
    password by_email;
    by_email.email = "a@b.c";
    by_email.secret = "p\"w";
    CHECK(line(pulsar::login_request(by_email)) == "POST /_open/auth");
    CHECK(pulsar::login_request(by_email).body == R"({"email":"a@b.c","password":"p\"w"})");
    CHECK(pulsar::login_request(by_email).fields.find("Authorization") == nullptr);
    password by_user;
    by_user.tenant = "acme";
    by_user.user = "root";
    by_user.secret = "pw";
    CHECK(pulsar::login_request(by_user).body == R"({"tenant":"acme","username":"root","password":"pw"})");

    auto [error, session] = pulsar::read_login(respond(200, R"({"jwt":"a.b.c","tenant":"acme","username":"root"})"));
    CHECK(!error);
    CHECK(session.jwt == "a.b.c");
    CHECK(session.tenant == "acme");
    CHECK(session.username == "root");

    const auto refused =
        pulsar::read_login(respond(401, R"({"code":401,"error":true,"errorMessage":"forbidden","errorNum":11})"));
    CHECK(refused.first.code == errc::unauthorized);
    CHECK(text_of(refused.first) == "login: forbidden");
    CHECK(refused.first.details->request_id == "req-1");
    CHECK(refused.first.details->http_status == 401);
    CHECK(pulsar::read_login(respond(200, R"({"jwt":7})")).first.code == errc::unexpected_answer);
}

TEST_CASE("a one-time password and a region") {
    CHECK(pulsar::read_otp(respond(200, R"({"otp":"o+/="})")).second == "o+/=");
    for (const char* body : {"{}", R"({"otp":""})", R"({"otp":null})", "[]", "", "o"})
        CHECK(pulsar::read_otp(respond(200, body)).first.code == errc::unexpected_answer);
    CHECK(pulsar::read_otp(respond(429, "slow down", "text/plain")).first.code == errc::throttled);

    const auto [error, region] = pulsar::read_region(respond(
        200,
        R"({"_key":"gdn-us-west","host":"1.2.3.4","local":true,"name":"gdn-us-west","spot_region":false,"status":0,"tags":{"api":"api-gdn-us-west.paas.macrometa.io","url":"gdn-us-west.paas.macrometa.io"},"locationInfo":{"city":"x"}})"));
    CHECK(!error);
    CHECK(region ==
          pulsar::region{"api-gdn-us-west.paas.macrometa.io", "gdn-us-west.paas.macrometa.io", "gdn-us-west"});
    for (const char* body : {"{}", R"({"tags":{}})", R"({"tags":{"url":"a b"}})", R"({"tags":[]})"})
        CHECK(pulsar::read_region(respond(200, body)).first.code == errc::unexpected_answer);
}

TEST_CASE("a success that is not the expected answer shows nothing of a secret") {
    for (const web::http_response& r :
         {respond(200, "<html><body>sekret-token-0123456789</body></html>", "text/html"),
          respond(200, "sekret-token-0123456789", "text/plain"), respond(200, R"("sekret-token-0123456789")"),
          respond(200, R"({"OTP":"sekret-token-0123456789"})"), respond(204, "sekret-token-0123456789")}) {
        for (const failure& f : {pulsar::read_otp(r).first, pulsar::read_login(r).first}) {
            CHECK(f.code == errc::unexpected_answer);
            CHECK(text_of(f).find("sekret") == std::string::npos);
        }
    }
    CHECK(text_of(pulsar::read_otp(respond(200, "<html><title>Sign in</title>", "text/html")).first) ==
          "one-time password: Sign in");
}

TEST_CASE("a list of streams") {
    const auto [error, streams] = pulsar::read_streams(
        dialect::gdn,
        respond(
            200,
            R"({"error":false,"code":200,"result":[{"_key":"1","_id":"x","_rev":"y","db":"_system","local":true,"tenant":"_mm","topic":"c8locals.x","type":4},{"db":"shop","local":false,"tenant":"acme","topic":"c8globals.y","type":3,"terminated":true}]})"));
    CHECK(!error);
    REQUIRE(streams.size() == 2);
    CHECK(streams[0] == pulsar::stream_info{"x", "c8locals.x", scope::local, "_mm", "_system", 4, false});
    CHECK(streams[1] == pulsar::stream_info{"y", "c8globals.y", scope::global, "acme", "shop", 3, true});
    CHECK(pulsar::is_listed(streams, local_topic));
    CHECK(!pulsar::is_listed(streams, global_topic));

    const auto [plain_error, topics] = pulsar::read_streams(
        dialect::pulsar,
        respond(200, R"(["persistent://acme/shop/orders","persistent://acme/shop/parts-partition-0"])"));
    CHECK(!plain_error);
    REQUIRE(topics.size() == 2);
    CHECK(topics[0] == pulsar::stream_info{"orders", "orders", scope::global, "acme", "shop", 4, false});
    CHECK(pulsar::is_listed(topics, plain_topic));
    CHECK(pulsar::is_listed(topics, make_topic(dialect::pulsar, "acme/shop/parts", scope::global, "", "").second));
    CHECK(!pulsar::is_listed(topics, make_topic(dialect::pulsar, "acme/shop/x", scope::global, "", "").second));

    const auto odd = pulsar::read_streams(dialect::pulsar, respond(200, R"(["non-persistent://a/b/c/d"])")).second;
    REQUIRE(odd.size() == 1);
    CHECK(odd[0] == pulsar::stream_info{"c/d", "c/d", scope::global, "a", "b", 0, false});

    CHECK(pulsar::read_streams(dialect::gdn, respond(200, R"({"result":[]})")).second.empty());
    for (const char* body : {"{}", R"({"result":{}})", R"({"result":[{}]})", R"({"result":[7]})", "[]", "{"})
        CHECK(pulsar::read_streams(dialect::gdn, respond(200, body)).first.code == errc::unexpected_answer);
    for (const char* body : {"{}", "[7]", "[\"a/b/c/d\"]", "[\"persistent://a/b\"]"})
        CHECK(pulsar::read_streams(dialect::pulsar, respond(200, body)).first.code == errc::unexpected_answer);
}

TEST_CASE("create and ensure") {
    using pulsar::created_stream;
    const auto made = respond(200, R"({"error":false,"code":202,"result":{"stream-id":"c8locals.x"}})");
    CHECK(pulsar::read_created(dialect::gdn, local_topic, made).second == created_stream{"c8locals.x", true});
    CHECK(pulsar::read_ensured(dialect::gdn, local_topic, made).second == created_stream{"c8locals.x", true});

    const auto exists = respond(409, R"({"code":409,"error":true,"errorMessage":"exists","errorNum":"1207"})");
    const auto refused = pulsar::read_created(dialect::gdn, local_topic, exists);
    CHECK(refused.first.code == errc::conflict);
    CHECK(text_of(refused.first) == "create stream c8locals.x: exists");
    CHECK(pulsar::read_ensured(dialect::gdn, local_topic, exists).second == created_stream{"c8locals.x", false});
    CHECK(!pulsar::read_ensured(dialect::gdn, local_topic, exists).first);
    CHECK(pulsar::read_ensured(dialect::gdn, local_topic, respond(403, "{}")).first.code == errc::forbidden);
    CHECK(pulsar::read_created(dialect::gdn, local_topic, respond(200, R"({"result":{}})")).first.code ==
          errc::unexpected_answer);

    const std::string id = "persistent://acme/shop/orders";
    CHECK(pulsar::read_created(dialect::pulsar, plain_topic, respond(204, "")).second == created_stream{id, true});
    const auto plain_exists = respond(409, R"({"reason":"This topic already exists"})");
    CHECK(text_of(pulsar::read_created(dialect::pulsar, plain_topic, plain_exists).first) ==
          "create stream orders: This topic already exists");
    CHECK(pulsar::read_ensured(dialect::pulsar, plain_topic, plain_exists).second == created_stream{id, false});
}

TEST_CASE("a refusal inside of a success") {
    const auto odd = respond(200, R"({"error":true,"code":404,"errorMessage":"stream not found","errorNum":"1203"})");
    CHECK(pulsar::read_done(odd, "delete stream").code == errc::not_found);
    CHECK(pulsar::read_done(odd, "delete stream").details->http_status == 404);
    CHECK(pulsar::read_done(respond(200, R"({"error":true})"), "x").code == errc::unexpected_answer);
}

TEST_CASE("done and results") {
    CHECK(!pulsar::read_done(respond(200, R"({"error":false,"code":202,"result":{}})"), "delete"));
    CHECK(!pulsar::read_done(respond(202, "{}"), "delete"));
    CHECK(!pulsar::read_done(respond(204, ""), "delete"));
    CHECK(!pulsar::read_done(respond(200, ""), "delete"));
    CHECK(pulsar::read_done(respond(200, "<html>", "text/html"), "delete").code == errc::unexpected_answer);
    CHECK(pulsar::read_done(respond(302, ""), "delete").code == errc::unexpected_answer);
    CHECK(pulsar::read_done(respond(412, "{}"), "delete").code == errc::bad_request);

    const auto result = [](std::string body, sluice::dialect d = dialect::gdn) {
        return pulsar::read_result(d, respond(200, std::move(body)), "stats");
    };
    CHECK(result(R"({"error":false,"code":200,"result":{"a":[1,2.5,"x"]}})").second == R"({"a":[1,2.5,"x"]})");
    CHECK(result(R"({"result":"{\"a\":[1]}"})").second == R"({"a":[1]})");
    CHECK(result(R"({"result":"text"})").second == R"("text")");
    CHECK(result(R"({"result":null})").second == "null");
    CHECK(result(R"({"result":"7"})").second == R"("7")");
    CHECK(result("{}").first.code == errc::unexpected_answer);
    CHECK(result(R"({"msgInCounter":3})", dialect::pulsar).second == R"({"msgInCounter":3})");
    CHECK(result("<html>", dialect::pulsar).first.code == errc::unexpected_answer);
}

TEST_CASE("the status says which error") {
    struct row {
        int status;
        errc code;
    };
    for (const row& r : {row{400, errc::bad_request},
                         {401, errc::unauthorized},
                         {403, errc::forbidden},
                         {404, errc::not_found},
                         {405, errc::bad_request},
                         {408, errc::request_timeout},
                         {409, errc::conflict},
                         {412, errc::bad_request},
                         {429, errc::throttled},
                         {500, errc::server_error},
                         {502, errc::server_error},
                         {503, errc::server_error},
                         {504, errc::server_error},
                         {200, errc::unexpected_answer},
                         {204, errc::unexpected_answer},
                         {301, errc::unexpected_answer},
                         {100, errc::unexpected_answer},
                         {0, errc::unexpected_answer},
                         {600, errc::unexpected_answer}}) {
        CAPTURE(r.status);
        CHECK(pulsar::failure_of(respond(r.status, ""), "x").code == r.code);
        CHECK(pulsar::failure_of(respond(r.status, ""), "x").details->http_status == r.status);
    }
    CHECK(text_of(pulsar::failure_of(respond(500, ""), "x")) == "x: HTTP status 500");
    CHECK(text_of(pulsar::failure_of(respond(500, ""), "")) == "HTTP status 500");
}

TEST_CASE("what Pulsar's error pages say") {
    struct row {
        int status;
        const char *html, *text;
        errc code;
    };
    for (
        const row& r :
        {row{404,
             "Failed to create producer/consumer: {&quot;errorMsg&quot;:&quot;Namespace not found&quot;,"
             "&quot;reqId&quot;:349959321314520098}",
             R"(Failed to create producer/consumer: {"errorMsg":"Namespace not found","reqId":349959321314520098})",
             errc::not_found},
         {409,
          "Failed to create producer/consumer: {&quot;errorMsg&quot;:&quot;org.apache.pulsar.broker.service."
          "BrokerServiceException$NamingException: Producer with name &apos;p1&apos; is already connected&quot;}",
          R"(Failed to create producer/consumer: {"errorMsg":"org.apache.pulsar.broker.service.BrokerServiceException$NamingException: Producer with name 'p1' is already connected"})",
          errc::conflict},
         {503,
          "Failed to create producer/consumer: BrokerServiceException$TopicTerminatedException: Topic was already "
          "terminated",
          "Failed to create producer/consumer: BrokerServiceException$TopicTerminatedException: Topic was already "
          "terminated",
          errc::topic_terminated},
         {503,
          "BrokerServiceException$TopicBacklogQuotaExceededException: Cannot create producer on topic with backlog "
          "quota exceeded",
          "BrokerServiceException$TopicBacklogQuotaExceededException: Cannot create producer on topic with backlog "
          "quota exceeded",
          errc::quota_exceeded},
         {401, "Authentication required", "Authentication required", errc::unauthorized},
         {403, "Not authorized", "Not authorized", errc::forbidden},
         {400, "Invalid query params: For input string: &quot;x&quot;",
          R"(Invalid query params: For input string: "x")", errc::bad_request},
         {400, "a &lt;b&gt; &amp;amp; &#252; &#x1F6B0; &unknown; & &;", "a <b> &amp; ü 🚰 &unknown; & &;",
          errc::bad_request},
         {400,
          "gr\xf6\xdf"
          "e",
          "größe", errc::bad_request}}) {
        CAPTURE(r.html);
        const failure f = pulsar::failure_of(jetty(r.status, r.html), "upgrade");
        CHECK(f.code == r.code);
        CHECK(text_of(f) == std::string("upgrade: ") + r.text);
    }
    // The page repeats the URI, and with it the one-time password: only the message is taken.
    const std::string page = jetty_page("404", "");
    const failure f = pulsar::failure_of(respond(404, page, "text/html"), "upgrade");
    CHECK(text_of(f) == "upgrade: Error 404");
    for (std::size_t cut = 0; cut < page.size(); ++cut) {
        const failure partial = pulsar::failure_of(respond(404, page.substr(0, cut), "text/html"), "upgrade");
        CHECK(partial.code == errc::not_found);
        CHECK(text_of(partial).find("0123456789abcdef") == std::string::npos);
    }
}

TEST_CASE("gateways answer in any form") {
    const auto text = [](std::string body, std::string type) {
        return text_of(pulsar::failure_of(respond(502, std::move(body), std::move(type)), ""));
    };
    CHECK(text("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n", "text/html") ==
          "502 Bad Gateway");
    CHECK(text("upstream connect\r\nerror\x01", "text/plain") == "upstream connect error");
    CHECK(text(R"({"error_msg":"404 Route Not Found"})", "text/plain") == "404 Route Not Found");
    CHECK(text("bad \xff bytes", "text/plain") == "bad ? bytes");
    CHECK(text(std::string(5000, 'x'), "text/plain") == std::string(200, 'x'));
    std::string umlauts = "x";
    for (int i = 0; i < 200; ++i) umlauts += "ü";
    CHECK(text(umlauts, "text/plain").size() == 199);
    CHECK(web::is_utf8(text(umlauts, "text/plain")));
    CHECK(text("GET /x?otp=0123456789abcdef&a=b failed", "text/plain") == "GET /x?otp=***&a=b failed");
    CHECK(
        text(R"({"errorMessage":"header 'Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x' is bad, no apikey given"})",
             "application/json") == "header 'Authorization: Bearer ***' is bad, no apikey given");
    CHECK(text("apikey acme.id.secret", "text/plain") == "apikey ***");
    CHECK(text("cannot read {\"email\":\"a@b.c\",\"password\":\"pw\"}", "text/plain") ==
          "cannot read {\"email\":\"a@b.c\",\"password\":\"***\"}");
    CHECK(text("otp=1&otp=", "text/plain") == "otp=***&otp=");
}

TEST_CASE("errorNum may be a number or a string, and Retry-After is told") {
    for (const char* number : {"1203", "\"1203\"", "1.203e3", "null"}) {
        auto response =
            respond(429, std::string(R"({"error":true,"code":429,"errorMessage":"slow","errorNum":)") + number + "}");
        response.fields.add("Retry-After", "7");
        const failure f = pulsar::failure_of(response, "otp");
        CHECK(f.code == errc::throttled);
        CHECK(text_of(f) == "otp: slow");
        CHECK(f.details->retry_after_s == 7);
    }
    for (const char* odd : {"", "-1", "soon", "Tue, 24 Nov 2026 20:04:04 GMT", "7s", "99999999999999999999"}) {
        auto response = respond(429, "");
        response.fields.add("Retry-After", odd);
        CHECK(pulsar::failure_of(response, "otp").details->retry_after_s == -1);
    }
}

TEST_CASE("the path and query of a producer's socket") {
    producer_options options;
    const auto target = [&](std::optional<std::int64_t> sequence = {}, std::string_view otp = {},
                            compression_type compression = compression_type::none) {
        return pulsar::producer_target(dialect::gdn, global_topic, options, compression, sequence, otp);
    };
    const std::string path = "/_ws/ws/v2/producer/persistent/acme/c8global._system/c8globals.quick%20start";
    CHECK(target() == path + "?sendTimeoutMillis=30000&batchingEnabled=false&messageRoutingMode=SinglePartition"
                             "&hashingScheme=JavaStringHash");
    CHECK(target(-1, "o+p/=", compression_type::lz4) ==
          path + "?sendTimeoutMillis=30000&batchingEnabled=false&messageRoutingMode=SinglePartition"
                 "&hashingScheme=JavaStringHash&compressionType=LZ4&initialSequenceId=-1&otp=o%2Bp%2F%3D");
    options.batching_enabled = true;
    options.batching_max_messages = 100;
    options.batching_max_publish_delay = 25ms;
    options.max_pending_messages = 500;
    options.send_timeout = 0ms;
    options.producer_name = "p 1&x=ü";
    options.message_routing_mode = message_routing_mode::round_robin_partition;
    options.hashing_scheme = hashing_scheme::murmur3_32_hash;
    CHECK(target(9223372036854775807) ==
          path + "?sendTimeoutMillis=0&batchingEnabled=true&batchingMaxMessages=100&maxPendingMessages=500"
                 "&batchingMaxPublishDelay=25&messageRoutingMode=RoundRobinPartition&hashingScheme=Murmur3_32Hash"
                 "&producerName=p%201%26x%3D%C3%BC&initialSequenceId=9223372036854775807");
    CHECK(pulsar::producer_target(dialect::pulsar, plain_topic, {}, compression_type::none, {}, {})
              .starts_with("/ws/v2/producer/persistent/acme/shop/orders?sendTimeoutMillis=30000&"));
    // What the client encrypts, it has compressed itself.
    CHECK(pulsar::producer_target(dialect::pulsar, plain_topic, {}, compression_type::zstd, 4, "o",
                                  "encryptionKeys=e30%3D") ==
          "/ws/v2/producer/persistent/acme/shop/orders?sendTimeoutMillis=30000&batchingEnabled=false"
          "&messageRoutingMode=SinglePartition&hashingScheme=JavaStringHash&initialSequenceId=4&encryptionKeys=e30%3D"
          "&otp=o");
}
