// SPDX-License-Identifier: BSL-1.0
// What a producer says to the server: its options, its codec, its credential, over the wire as a server sees them.
#include "support/own_codec.hpp"
#include "support/scripted_server.hpp"
#include "world.hpp"

using namespace test;

namespace {

/// Takes the upgrade, keeps what was asked, acknowledges everything.
struct listener {
    explicit listener(asio::io_context& context)
        : server(context, [this](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
              bool asked = co_await peer.request();
              while (asked && !contains(peer.last_request.target, "/ws/v2/producer/")) { // GDN's calls come first
                  const bool answered = co_await peer.answer(200, "{\"otp\":\"ONE-TIME-PASSWORD\"}");
                  asked = answered;
                  if (answered) asked = co_await peer.request();
              }
              if (!asked) co_return;
              request = peer.last_request;
              bool open = co_await peer.accept();
              while (open) {
                  const std::optional<std::string> frame = co_await peer.message();
                  open = frame.has_value();
                  if (open) open = co_await peer.acknowledge(context_of(*frame));
              }
          }) {}

    std::string parameter(std::string_view name) const {
        const std::string mark = std::string(name) + "=";
        std::string_view query = request.target;
        query.remove_prefix(std::min(query.find('?'), query.size()));
        while (!query.empty()) {
            query.remove_prefix(1);
            const std::string_view one = query.substr(0, query.find('&'));
            if (one.starts_with(mark)) return std::string(one.substr(mark.size()));
            query.remove_prefix(one.size());
        }
        return "(none)";
    }

    web::http_request request{};
    scripted_server server;
};

template <class Codec = sluice::codec::none>
void publish_once(asio::io_context& context, const sluice::client_config& config, sluice::producer_options options,
                  Codec codec = Codec()) {
    sluice::client client(context.get_executor(), config);
    sluice::basic_producer<asio::any_io_executor, Codec> producer(client, "orders", std::move(options), {},
                                                                  std::move(codec));
    const sluice::receipt r = run(context, producer.send("hello"));
    CHECK(r.outcome == sluice::outcome::persisted);
    run(context, producer.close());
}

} // namespace

TEST_CASE("options that are not set are said with the vendor's defaults, those of batching only with batching") {
    asio::io_context context;
    listener l(context);
    sluice::client_config c;
    c.url = l.server.websocket_url();
    publish_once(context, c, {});
    CHECK(l.request.method == "GET");
    CHECK(l.request.target.starts_with("/ws/v2/producer/persistent/public/default/orders?"));
    CHECK(l.request.fields.get("Host") == l.server.host());
    CHECK(l.request.fields.find("Authorization") == nullptr);
    CHECK(l.parameter("sendTimeoutMillis") == "30000");
    CHECK(l.parameter("batchingEnabled") == "false");
    CHECK(l.parameter("messageRoutingMode") == "SinglePartition");
    CHECK(l.parameter("hashingScheme") == "JavaStringHash");
    for (const char* absent : {"batchingMaxMessages", "maxPendingMessages", "batchingMaxPublishDelay",
                               "compressionType", "producerName", "initialSequenceId", "otp", "token"})
        CHECK(l.parameter(absent) == "(none)");
}

TEST_CASE("every option that is set is said") {
    asio::io_context context;
    listener l(context);
    sluice::client_config c;
    c.url = l.server.websocket_url();
    sluice::producer_options o;
    o.send_timeout = 7s;
    o.batching_enabled = true;
    o.batching_max_messages = 11;
    o.max_pending_messages = 13;
    o.batching_max_publish_delay = 17ms;
    o.producer_name = "a b&c=d/ü";
    o.initial_sequence_id = 19;
    o.message_routing_mode = sluice::message_routing_mode::round_robin_partition;
    o.hashing_scheme = sluice::hashing_scheme::murmur3_32_hash;
    publish_once(context, c, o);
    CHECK(l.parameter("sendTimeoutMillis") == "7000");
    CHECK(l.parameter("batchingEnabled") == "true");
    CHECK(l.parameter("batchingMaxMessages") == "11");
    CHECK(l.parameter("maxPendingMessages") == "13");
    CHECK(l.parameter("batchingMaxPublishDelay") == "17");
    CHECK(l.parameter("producerName") == "a%20b%26c%3Dd%2F%C3%BC");
    CHECK(l.parameter("initialSequenceId") == "19");
    CHECK(l.parameter("messageRoutingMode") == "RoundRobinPartition");
    CHECK(l.parameter("hashingScheme") == "Murmur3_32Hash");
}

TEST_CASE("a codec chooses the compression towards the broker, at compile time and at run time") {
    asio::io_context context;
    listener l(context);
    sluice::client_config c;
    c.url = l.server.websocket_url();
    publish_once(context, c, {}, sluice::codec::none());
    CHECK(l.parameter("compressionType") == "(none)");
    publish_once(context, c, {}, sluice::codec::lz4());
    CHECK(l.parameter("compressionType") == "LZ4");
    publish_once(context, c, {}, sluice::codec::zlib());
    CHECK(l.parameter("compressionType") == "ZLIB");
    publish_once(context, c, {}, sluice::codec::zstd());
    CHECK(l.parameter("compressionType") == "ZSTD");
    publish_once(context, c, {}, sluice::codec::snappy());
    CHECK(l.parameter("compressionType") == "SNAPPY");
    publish_once(context, c, {}, own_codec());
    CHECK(l.parameter("compressionType") == "ZLIB");
    for (const char* name : {"LZ4", "zlib", "Zstd", "snappy"}) {
        auto [codec, f] = sluice::codec::any::make(name);
        REQUIRE_FALSE(f);
        const std::string said(sluice::to_string(codec.type()));
        publish_once(context, c, {}, std::move(codec));
        CHECK(l.parameter("compressionType") == said);
    }
}

TEST_CASE("every codec and every option is taken by the gateway") {
    for (const char* name : {"NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY"}) {
        CAPTURE(name);
        world w;
        auto [codec, f] = sluice::codec::any::make(name);
        REQUIRE_FALSE(f);
        sluice::producer_options o;
        o.batching_enabled = true;
        o.batching_max_messages = 2;
        o.max_pending_messages = 100;
        o.batching_max_publish_delay = 1ms;
        o.producer_name = std::string("p ") + name;
        o.initial_sequence_id = -1;
        o.message_routing_mode = sluice::message_routing_mode::round_robin_partition;
        o.hashing_scheme = sluice::hashing_scheme::murmur3_32_hash;
        publish_once(w.context, config_for(w.gateway, sluice::dialect::gdn), o, std::move(codec));
        CHECK(w.payloads("orders") == std::vector<std::string>{"hello"});
    }
}

TEST_CASE("the credential is in the header or a one-time password in the query, as the dialect and the option say") {
    asio::io_context context;
    listener l(context);
    sluice::client_config gdn;
    gdn.url = l.server.http_url();
    gdn.auth = sluice::api_key{"demo.id.secret"};
    publish_once(context, gdn, {});
    CHECK(l.request.target.starts_with("/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.orders?"));
    CHECK(l.parameter("otp") == "ONE-TIME-PASSWORD");
    CHECK(l.request.target.ends_with("otp=ONE-TIME-PASSWORD"));
    CHECK(l.request.fields.find("Authorization") == nullptr);

    gdn.socket_auth = sluice::socket_auth::header;
    publish_once(context, gdn, {});
    CHECK(l.parameter("otp") == "(none)");
    CHECK(l.request.fields.get("Authorization") == "apikey demo.id.secret");

    gdn.auth = sluice::jwt{"not-a-real-token"};
    gdn.tenant = "a.b@example.com";
    gdn.fabric = "Other-Fabric_1";
    sluice::producer_options local;
    local.scope = sluice::scope::local;
    publish_once(context, gdn, local);
    CHECK(l.request.fields.get("Authorization") == "bearer not-a-real-token");
    CHECK(l.request.target.starts_with(
        "/_ws/ws/v2/producer/persistent/a.b%40example.com/c8local.Other-Fabric_1/c8locals.orders?"));

    sluice::client_config pulsar;
    pulsar.url = l.server.websocket_url();
    pulsar.auth = sluice::bearer_token{"pulsar-token"};
    publish_once(context, pulsar, {});
    CHECK(l.request.fields.get("Authorization") == "Bearer pulsar-token");
    pulsar.auth = sluice::api_key{"demo.id.secret"}; // means nothing to a plain Pulsar, and is not shown to it
    publish_once(context, pulsar, {});
    CHECK(l.request.fields.find("Authorization") == nullptr);
    CHECK_FALSE(contains(l.request.target, "secret"));
}

TEST_CASE("an explicit dialect wins over the scheme, and the socket uses the configured scheme and port") {
    asio::io_context context;
    listener l(context);
    sluice::client_config c;
    c.url = l.server.http_url();
    c.dialect = sluice::dialect::pulsar;
    publish_once(context, c, {});
    CHECK(l.request.target.starts_with("/ws/v2/producer/"));
    c.url = l.server.websocket_url();
    c.dialect = sluice::dialect::gdn;
    publish_once(context, c, {});
    CHECK(l.request.target.starts_with("/_ws/ws/v2/producer/persistent/_mm/"));
}

TEST_CASE("frames carry what the message says, and their contexts count") {
    asio::io_context context;
    std::vector<std::string> frames;
    scripted_server server(context, [&](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        bool open = co_await peer.upgrade();
        while (open) {
            const std::optional<std::string> frame = co_await peer.message();
            if (!frame) break;
            frames.push_back(*frame);
            open = co_await peer.acknowledge(context_of(*frame));
        }
    });
    sluice::client_config c;
    c.url = server.websocket_url();
    sluice::client client(context.get_executor(), c);
    sluice::producer producer(client, "orders");
    sluice::message m("hi", "k\"1");
    m.properties = {{"a", "b"}};
    m.deliver_after = 5s;
    run(context, producer.send("hi"));
    run(context, producer.send(m));
    run(context, producer.close());
    REQUIRE(frames.size() == 2);
    CHECK(frames[0] == R"({"payload":"aGk=","context":"0"})");
    CHECK(frames[1] == R"({"payload":"aGk=","context":"1","key":"k\"1","properties":{"a":"b"},"deliverAfterMs":5000})");
}
