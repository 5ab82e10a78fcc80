// SPDX-License-Identifier: BSL-1.0
// The main job, end to end against the gateway: open, send, acknowledge, close, in both dialects.
#include "world.hpp"

#include <set>

using namespace test;

namespace {

asio::awaitable<void> send_three(sluice::producer& p, std::vector<sluice::receipt>& receipts) {
    for (const char* text : {"one", "two", "three"}) {
        sluice::receipt r = co_await p.send(text);
        receipts.push_back(std::move(r));
    }
}

} // namespace

TEST_CASE("open, send, acknowledge, close, in both dialects, plain and with TLS") {
    for (const sluice::dialect d : dialects) {
        for (const bool tls : {false, true}) {
            CAPTURE(name_of(d));
            CAPTURE(tls);
            sluice::testing::gateway_options o;
            o.tls = tls;
            world w(o);
            sluice::client client = w.make_client(d);
            REQUIRE_FALSE(client.problem());
            sluice::producer producer(client, "orders");
            CHECK(producer.state() == sluice::producer_state::idle);
            CHECK(producer.last_sequence_id() == -1);

            const sluice::created_stream created = run(w.context, client.ensure_stream("orders"));
            CHECK(created.created);
            run(w.context, producer.open());
            CHECK(producer.state() == sluice::producer_state::open);
            std::vector<sluice::receipt> receipts;
            run(w.context, send_three(producer, receipts));
            run(w.context, producer.close());
            CHECK(producer.state() == sluice::producer_state::closed);

            CHECK(w.payloads("orders") == std::vector<std::string>{"one", "two", "three"});
            const auto stored = w.gateway.messages("orders");
            std::set<std::string> ids;
            for (std::size_t i = 0; i < receipts.size(); ++i) {
                CHECK(receipts[i].outcome == sluice::outcome::persisted);
                CHECK(receipts[i].message_id.view() == stored[i].message_id);
                CHECK(receipts[i].message_id.decode().has_value());
                CHECK(receipts[i].sequence_id == static_cast<std::int64_t>(i));
                ids.insert(std::string(receipts[i].message_id.view()));
            }
            CHECK(ids.size() == 3);
            CHECK(producer.last_sequence_id() == 2);
            CHECK(w.gateway.stats().sockets_opened == 1);
        }
    }
}

TEST_CASE("the first send opens, and a stream that is not there is made by it") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "unheard-of");
    const sluice::receipt r = run(w.context, producer.send("hello"));
    CHECK(r.outcome == sluice::outcome::persisted);
    CHECK(w.payloads("unheard-of") == std::vector<std::string>{"hello"});
}

TEST_CASE("both authentications of the socket") {
    for (const sluice::socket_auth how : {sluice::socket_auth::otp, sluice::socket_auth::header}) {
        world w;
        sluice::client_config c = config_for(w.gateway, sluice::dialect::gdn);
        c.socket_auth = how;
        sluice::client client(w.context.get_executor(), c);
        sluice::producer producer(client, "orders");
        run(w.context, producer.open());
        // The one-time password costs one call more.
        CHECK(w.gateway.stats().requests == (how == sluice::socket_auth::otp ? 2 : 1));
        run(w.context, producer.close());
    }
}

TEST_CASE("every credential opens a socket") {
    sluice::testing::gateway_options o;
    o.proxy.users.push_back({"ann@example.com", "ann", "secret-word"});
    o.proxy.api_keys.push_back("demo.other.key");
    world w(o);
    int asked = 0;
    const std::string token = w.gateway.make_jwt("ann");
    const auto source = [&]() -> asio::awaitable<sluice::credential> {
        ++asked;
        co_return sluice::credential(sluice::jwt{token});
    };
    std::vector<sluice::auth> all;
    all.emplace_back(sluice::api_key{"demo.other.key"});
    all.emplace_back(sluice::jwt{token});
    all.emplace_back(sluice::password{.email = "ann@example.com", .secret = "secret-word"});
    all.emplace_back(sluice::password{.secret = "secret-word", .tenant = "demo", .user = "ann"});
    all.emplace_back(sluice::credential_source(source));
    for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(i);
        sluice::client_config c;
        c.url = w.gateway.url();
        c.auth = all[i];
        sluice::client client(w.context.get_executor(), c);
        run(w.context, client.login());
        sluice::producer producer(client, "orders");
        const sluice::receipt r = run(w.context, producer.send("m" + std::to_string(i)));
        CHECK(r.outcome == sluice::outcome::persisted);
        run(w.context, producer.close());
    }
    CHECK(asked == 1);
    CHECK(w.gateway.message_count("orders") == all.size());
}

TEST_CASE("a token of a plain Pulsar opens its socket and its admin calls") {
    sluice::testing::gateway_options o;
    o.proxy.token = "pulsar-token";
    world w(o);
    for (const sluice::socket_auth how : {sluice::socket_auth::otp, sluice::socket_auth::header}) {
        sluice::client_config c = config_for(w.gateway, sluice::dialect::pulsar);
        c.socket_auth = how; // a plain Pulsar knows no one-time passwords
        sluice::client client(w.context.get_executor(), c);
        run(w.context, client.ensure_stream("orders"));
        sluice::producer producer(client, "persistent://public/default/orders");
        run(w.context, producer.send("hello"));
        run(w.context, producer.close());
    }
    CHECK(w.gateway.message_count("persistent://public/default/orders") == 2);
}

TEST_CASE("a login whose token is about to expire is made again") {
    sluice::testing::gateway_options o;
    o.proxy.users.push_back({"ann@example.com", "ann", "secret-word"});
    o.proxy.jwt_lifetime = 50s; // less than the client wants to have in hand
    world w(o);
    sluice::client_config c;
    c.url = w.gateway.url();
    c.auth = sluice::password{.email = "ann@example.com", .secret = "secret-word"};
    sluice::client client(w.context.get_executor(), c);
    CHECK_FALSE(run(w.context, client.has_stream("orders")));
    CHECK(w.gateway.stats().requests == 2);
    CHECK_FALSE(run(w.context, client.has_stream("orders")));
    CHECK(w.gateway.stats().requests == 4); // logged in twice

    w.gateway.with_model([](auto& model, auto) { model.options().jwt_lifetime = 3600s; });
    CHECK_FALSE(run(w.context, client.has_stream("orders")));
    CHECK_FALSE(run(w.context, client.has_stream("orders")));
    CHECK(w.gateway.stats().requests == 7); // a login, and two calls with it
}

TEST_CASE("a 401 is met with one fresh credential, for a call and for a socket") {
    world w;
    for (const bool socket : {false, true}) {
        int asked = 0;
        const auto source = [&]() -> asio::awaitable<sluice::credential> {
            ++asked;
            co_return sluice::credential(sluice::jwt{asked == 1 ? "long.gone.token" : w.gateway.make_jwt()});
        };
        sluice::client_config c;
        c.url = w.gateway.url();
        c.socket_auth = sluice::socket_auth::header;
        c.auth = sluice::credential_source(source);
        c.tenant = "demo";
        sluice::client client(w.context.get_executor(), c);
        if (socket) {
            sluice::producer producer(client, "orders", impatient());
            run(w.context, producer.open());
            run(w.context, producer.close());
        } else {
            CHECK_FALSE(run(w.context, client.has_stream("orders")));
        }
        CHECK(asked == 2);
    }
}

TEST_CASE("a credential source that throws, before or in its coroutine, is asked again") {
    world w;
    for (const bool early : {false, true}) {
        int asked = 0;
        const auto in_vain = [&]() -> asio::awaitable<sluice::credential> {
            if (++asked < 3) throw std::runtime_error("the vault is sealed");
            co_return sluice::credential(sluice::api_key{w.gateway.api_key()});
        };
        const auto no_coroutine = [&]() -> asio::awaitable<sluice::credential> {
            if (asked < 2) {
                ++asked;
                throw std::runtime_error("the vault is sealed");
            }
            return in_vain();
        };
        sluice::client_config c;
        c.url = w.gateway.url();
        if (early)
            c.auth = sluice::credential_source(no_coroutine);
        else
            c.auth = sluice::credential_source(in_vain);
        sluice::client client(w.context.get_executor(), c);
        std::vector<sluice::failure> told;
        sluice::producer_observer o;
        o.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) { told.push_back(f); };
        sluice::producer producer(client, "orders", impatient(), o);
        run(w.context, producer.send("hello"));
        CHECK(asked == 3);
        REQUIRE(told.size() == 2);
        for (const sluice::failure& f : told) {
            CHECK(f.code == sluice::errc::credential_failed);
            CHECK(f.code == sluice::condition::retryable);
            CHECK(contains(f.details->text, "the vault is sealed"));
        }
        run(w.context, producer.close());
    }
}

TEST_CASE("what a credential source gives is held to the rules of a configured one") {
    world w;
    const auto source = [&]() -> asio::awaitable<sluice::credential> {
        co_return sluice::credential(sluice::jwt{w.gateway.make_jwt() + "\n"}); // as it was read from a file
    };
    sluice::client_config c;
    c.url = w.gateway.url();
    c.auth = sluice::credential_source(source);
    sluice::client client(w.context.get_executor(), c);
    const sluice::error e = error_of(w.context, client.has_stream("orders"));
    CHECK(e.code() == sluice::errc::invalid_credentials);
    CHECK(contains(e.details().text, "jwt holds a blank or a control character"));
}

TEST_CASE("a credential that is refused twice ends the producer") {
    world w;
    int asked = 0;
    const auto source = [&]() -> asio::awaitable<sluice::credential> {
        ++asked;
        co_return sluice::credential(sluice::jwt{"never.any.good"});
    };
    sluice::client_config c;
    c.url = w.gateway.url();
    c.auth = sluice::credential_source(source);
    sluice::client client(w.context.get_executor(), c);
    sluice::producer producer(client, "orders", impatient());
    const sluice::error e = error_of(w.context, producer.send("hello"));
    CHECK(e.code() == sluice::errc::unauthorized);
    CHECK(e.code() == sluice::condition::authentication);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(e.details().http_status == 401);
    CHECK(producer.state() == sluice::producer_state::failed);
    CHECK(asked <= 4); // the call for the one-time password asks once more by itself
}

TEST_CASE("the calls on streams, in both dialects") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world w;
        sluice::client client = w.make_client(d);
        CHECK_FALSE(run(w.context, client.has_stream("orders")));
        const sluice::created_stream made = run(w.context, client.create_stream("orders"));
        CHECK(made.created);
        CHECK_FALSE(made.stream_id.empty());
        CHECK(run(w.context, client.has_stream("orders")));
        const sluice::created_stream again = run(w.context, client.ensure_stream("orders"));
        CHECK_FALSE(again.created);
        CHECK(again.stream_id == made.stream_id);
        const sluice::error conflict = error_of(w.context, client.create_stream("orders"));
        CHECK(conflict.code() == sluice::errc::conflict);
        CHECK(conflict.details().http_status == 409);

        const auto all = run(w.context, client.list_streams());
        REQUIRE(all.size() == 1);
        CHECK(all[0].name == "orders");
        CHECK(all[0].scope == sluice::scope::global);
        CHECK(contains(run(w.context, client.stream_stats("orders")), "msgInCounter"));
        if (d == sluice::dialect::gdn) CHECK(run(w.context, client.subscriptions("orders")) == "[]");

        run(w.context, client.delete_stream("orders"));
        CHECK_FALSE(run(w.context, client.has_stream("orders")));
        const sluice::error missing = error_of(w.context, client.delete_stream("orders"));
        CHECK(missing.code() == sluice::errc::not_found);
        CHECK(missing.code() == sluice::condition::fatal);
    }
}

TEST_CASE("what only GDN has: scopes, one-time passwords, the region, publishing over REST") {
    world w;
    sluice::client client = w.make_client();
    run(w.context, client.ensure_stream("orders", sluice::scope::local));
    CHECK(run(w.context, client.has_stream("orders", sluice::scope::local)));
    CHECK_FALSE(run(w.context, client.has_stream("orders")));
    const auto local = run(w.context, client.list_streams(sluice::scope::local));
    REQUIRE(local.size() == 1);
    CHECK(local[0].scope == sluice::scope::local);

    CHECK_FALSE(run(w.context, client.get_otp()).empty());
    CHECK(run(w.context, client.local_region()).name == "gdn-local");
    run(w.context, client.publish("orders", "over REST", sluice::scope::local));
    CHECK(w.payloads("persistent://demo/c8local._system/c8locals.orders") == std::vector<std::string>{"over REST"});
    CHECK(contains(run(w.context, client.stream_backlog("orders", sluice::scope::local)), "numberOfEntries"));

    sluice::producer_options o;
    o.scope = sluice::scope::local;
    sluice::producer producer(client, "orders", o);
    run(w.context, producer.send("over the socket"));
    CHECK(w.gateway.message_count("persistent://demo/c8local._system/c8locals.orders") == 2);
}

TEST_CASE("a plain Pulsar's spellings of a topic are the same topic") {
    world w;
    sluice::client client = w.make_client(sluice::dialect::pulsar);
    for (const char* name : {"orders", "public/default/orders", "persistent://public/default/orders"}) {
        sluice::producer producer(client, name);
        run(w.context, producer.send(name));
        run(w.context, producer.close());
    }
    CHECK(w.gateway.message_count("persistent://public/default/orders") == 3);
}

TEST_CASE("the socket's numbers: initial_sequence_id, producer_name") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options o;
    o.producer_name = "p 1/ü";
    o.initial_sequence_id = 41;
    sluice::producer producer(client, "orders", o);
    const sluice::receipt r = run(w.context, producer.send("hello"));
    CHECK(r.sequence_id == 42);
    CHECK(producer.last_sequence_id() == 42);
    const auto stored = w.gateway.messages("orders");
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].sequence_id == 42);
    CHECK(stored[0].producer_name == "p 1/ü");
}

TEST_CASE("a client dies before its producers, and a producer before its operations") {
    world w;
    auto client = std::make_unique<sluice::client>(w.make_client());
    auto producer = std::make_unique<sluice::producer>(*client, "orders");
    client.reset();
    run(w.context, producer->send("hello"));
    sent late;
    producer->async_send("lost", late);
    producer.reset();
    run_until(w.context, [&] { return late.called(); });
    CHECK(late.error() == asio::error::operation_aborted);
    CHECK(late.value().outcome != sluice::outcome::persisted);
}
