// SPDX-License-Identifier: BSL-1.0
// What a server refuses: which answers end a producer at once, which are tried again, what the error says.
#include "support/scripted_server.hpp"
#include "world.hpp"

using namespace test;

namespace {

/// Refuses the first `times` upgrades with a status, then opens and acknowledges.
scripted_server::script refuse(int status, std::string body, unsigned times, std::string fields = {}) {
    return [=](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        if (n < times) {
            co_await peer.answer(status, body, fields);
            co_return;
        }
        bool open = co_await peer.accept();
        while (open) {
            const std::optional<std::string> frame = co_await peer.message();
            open = frame.has_value();
            if (open) open = co_await peer.acknowledge(context_of(*frame));
        }
    };
}

constexpr unsigned always = ~0u;

struct news {
    sluice::producer_observer observer() {
        sluice::producer_observer o;
        o.on_open = [this] { said.emplace_back("open"); };
        o.on_disconnect = [this](const sluice::failure&) { said.emplace_back("disconnect"); };
        o.on_reconnect = [this](const sluice::failure& f, unsigned attempt, std::chrono::milliseconds) {
            said.push_back("reconnect " + std::to_string(attempt));
            last = f;
        };
        o.on_close = [this](const sluice::failure& f) {
            said.emplace_back(f ? "failed" : "closed");
            last = f;
        };
        return o;
    }
    std::vector<std::string> said{};
    sluice::failure last{};
};

} // namespace

TEST_CASE("400, 403 and 404 at the upgrade end the producer at once, with the cause") {
    struct fatal {
        int status;
        sluice::errc code;
    };
    for (const auto& [status, code] : {fatal{400, sluice::errc::bad_request}, fatal{403, sluice::errc::forbidden},
                                       fatal{404, sluice::errc::not_found}, fatal{401, sluice::errc::unauthorized}}) {
        CAPTURE(status);
        asio::io_context context;
        scripted_server server(
            context, refuse(status, "{\"reason\":\"because I say so\"}", always, "x-gdn-requestid: local-17\r\n"));
        sluice::client_config c;
        c.url = server.websocket_url();
        sluice::client client(context.get_executor(), c);
        news n;
        sluice::producer producer(client, "orders", impatient(), n.observer());
        sent first, second;
        done opened;
        producer.async_open(opened);
        producer.async_send("a", first);
        producer.async_send("b", second);
        run_until(context, [&] { return first.called() && second.called() && opened.called() && !n.said.empty(); });
        CHECK(first.error() == code);
        CHECK(second.error() == code);
        CHECK(opened.error() == code);
        const sluice::error_details& d = first.value().details();
        CHECK(contains(d.text, "because I say so"));
        CHECK(d.http_status == status);
        CHECK(d.request_id == "local-17");
        CHECK(first.value().outcome == sluice::outcome::not_sent);
        CHECK(producer.state() == sluice::producer_state::failed);
        CHECK(n.said == std::vector<std::string>{"failed"});
        CHECK(n.last.code == code);
        CHECK(server.connections() == 1);
        const sluice::error later = error_of(context, producer.send("c"));
        CHECK(later.code() == code);
    }
}

TEST_CASE("408, 409, 429 and 5xx are tried again until the socket opens") {
    for (const int status : {408, 409, 429, 500, 502, 503}) {
        CAPTURE(status);
        asio::io_context context;
        scripted_server server(context, refuse(status, "<html><title>Not now</title></html>", 3));
        sluice::client_config c;
        c.url = server.websocket_url();
        sluice::client client(context.get_executor(), c);
        news n;
        sluice::producer producer(client, "orders", impatient(), n.observer());
        const sluice::receipt r = run(context, producer.send("a"));
        CHECK(r.outcome == sluice::outcome::persisted);
        CHECK(server.connections() == 4);
        CHECK(n.said == std::vector<std::string>{"reconnect 1", "reconnect 2", "reconnect 3", "open"});
        CHECK(producer.stats().connect_failures == 3);
        CHECK(producer.stats().connections == 1);
    }
}

TEST_CASE("what is tried again ends at send_timeout, with the last cause in its details") {
    asio::io_context context;
    scripted_server server(context, refuse(409, "{\"reason\":\"the name is taken\"}", always));
    sluice::client_config c;
    c.url = server.websocket_url();
    sluice::client client(context.get_executor(), c);
    sluice::producer_options o = impatient();
    o.send_timeout = 60ms;
    sluice::producer producer(client, "orders", o);
    const sluice::error e = error_of(context, producer.send("a"));
    CHECK(e.code() == sluice::errc::send_timeout);
    CHECK(e.code() == sluice::condition::timeout);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(e.details().cause == sluice::errc::conflict);
    CHECK(e.details().http_status == 409);
    CHECK(e.details().attempts >= 1);
    CHECK(!e.details().history.empty());
    CHECK(e.details().history.size() <= 8);
    for (const std::error_code& ended : e.details().history) CHECK(ended == sluice::errc::conflict);
    CHECK(contains(e.what(), "the name is taken"));
    CHECK(producer.state() == sluice::producer_state::connecting);
    const sluice::error open = error_of(context, producer.open());
    CHECK(open.code() == sluice::errc::connect_timeout);
    CHECK(open.details().cause == sluice::errc::conflict);
}

TEST_CASE("a name in use: the gateway refuses with 409, and takes it once the other is gone") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world w;
        sluice::client client = w.make_client(d);
        sluice::producer_options o = impatient();
        o.producer_name = "only-one";
        auto first = std::make_unique<sluice::producer>(client, "orders", o);
        run(w.context, first->open());
        news n;
        sluice::producer second(client, "orders", o, n.observer());
        done opened;
        second.async_open(opened);
        run_until(w.context, [&] { return n.said.size() == 3; });
        CHECK(n.last.code == sluice::errc::conflict);
        CHECK(contains(n.last.details->text, "only-one"));
        CHECK_FALSE(opened.called());
        run(w.context, first->close());
        run_until(w.context, [&] { return opened.called(); });
        CHECK_FALSE(opened.error());
    }
}

TEST_CASE("404 of a topic that is not made by itself") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        sluice::testing::gateway_options o;
        o.proxy.allow_auto_topic_creation = false;
        world w(o);
        sluice::client client = w.make_client(d);
        sluice::producer producer(client, "orders");
        const sluice::error e = error_of(w.context, producer.send("a"));
        CHECK(e.code() == sluice::errc::not_found);
        CHECK(e.details().http_status == 404);
        CHECK(producer.state() == sluice::producer_state::failed);
        run(w.context, client.ensure_stream("orders"));
        sluice::producer other(client, "orders");
        run(w.context, other.send("a"));
    }
}

TEST_CASE("a wrong key, a wrong token, a wrong password: 401, at once") {
    sluice::testing::gateway_options o;
    o.proxy.token = "right-token";
    o.proxy.users.push_back({"ann@example.com", "ann", "right-word"});
    world w(o);
    struct wrong {
        sluice::auth auth;
        sluice::dialect dialect;
        std::string secret;
    };
    std::vector<wrong> all;
    all.push_back({sluice::api_key{"demo.id.hunter2"}, sluice::dialect::gdn, "hunter2"});
    all.push_back({sluice::jwt{"hunter2.hunter2.hunter2"}, sluice::dialect::gdn, "hunter2"});
    all.push_back({sluice::bearer_token{"hunter2"}, sluice::dialect::pulsar, "hunter2"});
    all.push_back({sluice::password{.email = "ann@example.com", .secret = "hunter2"}, sluice::dialect::gdn, "hunter2"});
    all.push_back({sluice::no_auth{}, sluice::dialect::pulsar, "right-token"});
    all.push_back({sluice::no_auth{}, sluice::dialect::gdn, "right-token"});
    for (const sluice::socket_auth how : {sluice::socket_auth::otp, sluice::socket_auth::header}) {
        for (const wrong& x : all) {
            CAPTURE(x.auth.index());
            sluice::client_config c = config_for(w.gateway, x.dialect);
            c.auth = x.auth;
            c.socket_auth = how;
            sluice::client client(w.context.get_executor(), c);
            sluice::producer producer(client, "orders", impatient());
            const sluice::error e = error_of(w.context, producer.send("a"));
            CHECK(e.code() == sluice::errc::unauthorized);
            CHECK(e.code() == sluice::condition::authentication);
            CHECK(e.details().http_status == 401);
            CHECK_FALSE(contains(e.what(), x.secret));
            CHECK(contains(e.what(), "no_auth") == std::holds_alternative<sluice::no_auth>(x.auth));
            CHECK(producer.state() == sluice::producer_state::failed);
        }
    }
}

TEST_CASE("a refused message fails alone; its neighbours are stored") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        bool open = co_await peer.upgrade();
        while (open) {
            const std::optional<std::string> frame = co_await peer.message();
            if (!frame) break;
            const std::string context_text = context_of(*frame);
            if (payload_of(*frame) == "bad") {
                open = co_await peer.refuse(context_text, 8,
                                            "org.apache.pulsar.client.api.PulsarClientException$"
                                            "NotAllowedException: too odd");
            } else {
                open = co_await peer.acknowledge(context_text);
            }
        }
    });
    sluice::client_config c;
    c.url = server.websocket_url();
    sluice::client client(context.get_executor(), c);
    sluice::producer producer(client, "orders");
    const std::vector<std::string> all{"good", "bad", "good"};
    const auto results = run(context, producer.send_all(all));
    REQUIRE(results.size() == 3);
    CHECK_FALSE(results[0].ec);
    CHECK(results[1].ec == sluice::errc::rejected);
    CHECK(results[1].value.outcome == sluice::outcome::rejected);
    CHECK(contains(results[1].value.details().text, "send-error:8"));
    CHECK(contains(results[1].value.details().text, "too odd"));
    CHECK_FALSE(results[2].ec);
    CHECK(producer.state() == sluice::producer_state::open);
    CHECK(producer.stats().failed == 1);
}

TEST_CASE("a terminated topic refuses every message") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders", impatient());
    run(w.context, producer.send("a"));
    w.gateway.terminate("orders");
    const sluice::error e = error_of(w.context, producer.send("b"));
    CHECK(e.code() == sluice::errc::topic_terminated);
    CHECK(e.code() == sluice::condition::fatal);
    CHECK(e.outcome() == sluice::outcome::rejected);
}

TEST_CASE("a deleted topic's producer opens another socket and goes on") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders", impatient());
    run(w.context, producer.send("a"));
    w.gateway.with_model([](auto& model, auto) { model.options().allow_auto_topic_creation = false; });
    w.gateway.delete_topic("orders");
    sent s;
    producer.async_send("b", s);
    run_until(w.context, [&] { return s.called() || producer.stats().connect_failures != 0; });
    if (!s.called()) run_until(w.context, [&] { return s.called(); });
    CHECK(s.error() == sluice::errc::not_found); // nobody made the topic again
}
