// SPDX-License-Identifier: BSL-1.0
// Bad input: an error that names the field, the value and what is allowed, before anything is sent.
#include "support/scripted_server.hpp"
#include "world.hpp"

#include <functional>

using namespace test;

namespace {

/// A client that cannot be: every operation says why, and nothing is connected to.
std::string refused(sluice::client_config config, sluice::errc code) {
    asio::io_context context;
    sluice::client client(context.get_executor(), std::move(config));
    CHECK(client.problem().code == code);
    REQUIRE(client.problem().details);
    const std::string text = client.problem().details->text;
    const sluice::error call = error_of(context, client.ensure_stream("orders"));
    CHECK(call.code() == code);
    CHECK(call.code() == sluice::condition::fatal);
    CHECK(contains(call.what(), text));
    const sluice::error login = error_of(context, client.login());
    CHECK(login.code() == code);
    sluice::producer producer(client, "orders");
    const sluice::error send = error_of(context, producer.send("hello"));
    CHECK(send.code() == code);
    CHECK(send.outcome() == sluice::outcome::not_sent);
    CHECK(contains(send.what(), text));
    CHECK(producer.state() == sluice::producer_state::failed);
    const sluice::error again = error_of(context, producer.send("hello"));
    CHECK(again.code() == code);
    sluice::producer other(client, "orders");
    const sluice::error open = error_of(context, other.open());
    CHECK(open.code() == code);
    return text;
}

} // namespace

TEST_CASE("a URL that cannot be parsed, or has another scheme, or holds more than a place") {
    for (const char* url : {"", "ftp://example.com", "https://", "http://exa mple.com", "https://example.com:99999",
                            "https://[::1", "https://example.com/path", "https://example.com?a=b", "https://:443",
                            "httpss://example.com", "https:/example.com", "https://example.com:0x50"}) {
        CAPTURE(url);
        sluice::client_config c;
        c.url = url;
        const std::string text = refused(c, sluice::errc::invalid_url);
        CHECK(text.starts_with("url"));
        if (std::string_view(url).find('?') == std::string_view::npos) CHECK(contains(text, url));
    }
}

TEST_CASE("a URL with a password or a token in it is refused, and not shown") {
    for (const char* url : {"https://ann:hunter2@example.com", "https://example.com/?token=hunter2"}) {
        sluice::client_config c;
        c.url = url;
        const std::string text = refused(c, sluice::errc::invalid_url);
        CHECK_FALSE(contains(text, "hunter2"));
    }
}

TEST_CASE("plain text to a host that is not loopback") {
    for (const char* url : {"http://example.com", "ws://192.0.2.1:8080", "http://localhost.example.com",
                            "ws://[2001:db8::1]", "http://127.0.0.1.example.com"}) {
        CAPTURE(url);
        sluice::client_config c;
        c.url = url;
        const std::string text = refused(c, sluice::errc::plaintext_refused);
        CHECK(contains(text, url));
        CHECK(contains(text, "allow_plaintext"));
        c.allow_plaintext = true;
        asio::io_context context;
        CHECK_FALSE(sluice::client(context.get_executor(), c).problem());
    }
    for (const char* url : {"http://localhost", "http://127.0.0.1:80", "ws://127.9.9.9", "ws://[::1]:8080"}) {
        CAPTURE(url);
        sluice::client_config c;
        c.url = url;
        asio::io_context context;
        CHECK_FALSE(sluice::client(context.get_executor(), c).problem());
    }
}

TEST_CASE("an empty key, or one that cannot stand in a header, which is never shown") {
    struct bad {
        sluice::auth auth;
        const char* field;
    };
    std::vector<bad> all;
    const auto add = [&](sluice::auth a, const char* field) { all.push_back({std::move(a), field}); };
    add(sluice::api_key{""}, "api_key");
    add(sluice::api_key{"hunter2\r\nX: y"}, "api_key");
    add(sluice::api_key{"hunter2 "}, "api_key");
    add(sluice::jwt{""}, "jwt");
    add(sluice::jwt{"hunter2\n"}, "jwt");
    add(sluice::bearer_token{""}, "bearer_token");
    add(sluice::bearer_token{std::string("hunter2\0", 8)}, "bearer_token");
    add(sluice::password{.email = "a@b"}, "password.secret");
    add(sluice::password{.secret = "hunter2"}, "password");
    add(sluice::password{.email = "a@b", .secret = "hunter2", .tenant = "t", .user = "u"}, "password");
    add(sluice::password{.secret = "hunter2", .tenant = "t"}, "password");
    for (bad& b : all) {
        CAPTURE(b.field);
        sluice::client_config c;
        c.url = "http://127.0.0.1:1";
        c.auth = std::move(b.auth);
        const std::string text = refused(c, sluice::errc::invalid_credentials);
        CHECK(text.starts_with(b.field));
        CHECK_FALSE(contains(text, "hunter2"));
    }
}

TEST_CASE("a fabric, a time limit or a TLS file that cannot be") {
    sluice::client_config base;
    base.url = "https://127.0.0.1:1";
    sluice::client_config c = base;
    c.fabric = "a/b";
    std::string text = refused(c, sluice::errc::invalid_option);
    CHECK(contains(text, "fabric = \"a/b\""));
    c = base;
    c.fabric = "";
    CHECK(contains(refused(c, sluice::errc::invalid_option), "fabric"));
    c = base;
    c.limits.request = 0ms;
    CHECK(contains(refused(c, sluice::errc::invalid_option), "limits.request = 0 ms"));
    c = base;
    c.tls.ca_file = "/does/not/exist.pem";
    CHECK(contains(refused(c, sluice::errc::invalid_option), "tls.ca_file = \"/does/not/exist.pem\""));
    c = base;
    c.tls.ca_pem = "no certificate";
    CHECK(contains(refused(c, sluice::errc::invalid_option), "tls.ca_pem"));
    c = base;
    c.tls.key = "key.pem";
    CHECK(contains(refused(c, sluice::errc::invalid_option), "tls.certificate"));
}

TEST_CASE("stream names that the dialect forbids") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer&, unsigned) -> asio::awaitable<void> { co_return; });
    struct bad {
        sluice::dialect dialect;
        std::string name;
        const char* why;
    };
    const std::vector<bad> all{
        {sluice::dialect::gdn, "", "1 to 230 characters"},
        {sluice::dialect::gdn, std::string(231, 'a'), "1 to 230 characters"},
        {sluice::dialect::gdn, "a/b", "slash"},
        {sluice::dialect::gdn, "a\nb", "control"},
        {sluice::dialect::gdn, "\xff", "UTF-8"},
        {sluice::dialect::pulsar, "", "persistent://T/NS/TOPIC"},
        {sluice::dialect::pulsar, "a/b", "persistent://T/NS/TOPIC"},
        {sluice::dialect::pulsar, "http://a/b/c", "persistent://T/NS/TOPIC"},
        {sluice::dialect::pulsar, "persistent://a//c", "persistent://T/NS/TOPIC"},
        {sluice::dialect::pulsar, "a/../c", "persistent://T/NS/TOPIC"},
        {sluice::dialect::pulsar, "a/b/c/d", "persistent://T/NS/TOPIC"},
    };
    for (const bad& b : all) {
        CAPTURE(b.name);
        CAPTURE(name_of(b.dialect));
        sluice::client_config c;
        c.url = b.dialect == sluice::dialect::gdn ? server.http_url() : server.websocket_url();
        c.auth = sluice::password{.email = "a@b", .secret = "hunter2"};
        sluice::client client(context.get_executor(), c);
        sluice::producer producer(client, b.name);
        const sluice::error send = error_of(context, producer.send("hello"));
        REQUIRE(send.code() == sluice::errc::invalid_name);
        CHECK(contains(send.what(), "stream name"));
        CHECK(contains(send.what(), b.why));
        CHECK(producer.state() == sluice::producer_state::failed);
        const sluice::error call = error_of(context, client.ensure_stream(b.name));
        CHECK(call.code() == sluice::errc::invalid_name);
        CHECK(server.connections() == 0);
    }
}

TEST_CASE("options out of their ranges: the field, the value, what is allowed, before anything is sent") {
    using options = sluice::producer_options;
    struct bad {
        std::function<void(options&)> set;
        const char* text;
    };
    const std::vector<bad> all{
        {[](options& o) { o.send_timeout = -1ms; }, "send_timeout = -1 ms"},
        {[](options& o) { o.send_timeout = 25h; }, "send_timeout = 90000000 ms"},
        {[](options& o) { o.batching_max_messages = 0; }, "batching_max_messages = 0"},
        {[](options& o) { o.max_pending_messages = 0; }, "max_pending_messages = 0"},
        {[](options& o) { o.max_pending_messages = -5; }, "max_pending_messages = -5"},
        {[](options& o) { o.max_pending_messages = 1'000'001; }, "max_pending_messages = 1000001"},
        {[](options& o) { o.batching_max_publish_delay = 0ms; }, "batching_max_publish_delay = 0 ms"},
        {[](options& o) { o.producer_name = " "; }, "producer_name = \" \""},
        {[](options& o) { o.producer_name = std::string(257, 'p'); }, "producer_name = \"ppp"},
        {[](options& o) { o.initial_sequence_id = -2; }, "initial_sequence_id = -2"},
        {[](options& o) { o.deduplicate = true; }, "deduplicate = true"},
        {[](options& o) { o.max_pending_bytes = 1023; }, "max_pending_bytes = 1023"},
        {[](options& o) { o.max_frame_bytes = 255; }, "max_frame_bytes = 255"},
        {[](options& o) { o.max_frame_bytes = (64u << 20) + 1; }, "max_frame_bytes = 67108865"},
        {[](options& o) { o.batching_max_bytes = 0; }, "batching_max_bytes = 0"},
        {[](options& o) { o.ping_interval = -1ms; }, "ping_interval = -1 ms"},
        {[](options& o) { o.connect_timeout = 0ms; }, "connect_timeout = 0 ms"},
        {[](options& o) { o.close_timeout = 0ms; }, "close_timeout = 0 ms"},
        {[](options& o) { o.reconnect.initial = 0ms; }, "reconnect.initial = 0 ms"},
        {[](options& o) { o.reconnect.initial = 2min; }, "reconnect.initial = 120000 ms"},
        {[](options& o) { o.reconnect.multiplier = 0.5; }, "reconnect.multiplier = 0.5"},
    };
    asio::io_context context;
    scripted_server server(context, [](scripted_peer&, unsigned) -> asio::awaitable<void> { co_return; });
    sluice::client_config c;
    c.url = server.http_url();
    sluice::client client(context.get_executor(), c);
    for (const bad& b : all) {
        CAPTURE(b.text);
        for (const sluice::when_full full : {sluice::when_full::suspend, sluice::when_full::fail}) {
            options o;
            o.when_full = full;
            b.set(o);
            CHECK(o.validate().code == sluice::errc::invalid_option);
            sluice::producer producer(client, "orders", o);
            const sluice::error e = error_of(context, producer.send("hello"));
            CHECK(e.code() == sluice::errc::invalid_option);
            CHECK(e.outcome() == sluice::outcome::not_sent);
            CHECK(contains(e.what(), b.text));
            CHECK(contains(e.what(), "allowed is"));
            run(context, producer.flush()); // what was sent before has ended
        }
    }
    CHECK(server.connections() == 0);
}

TEST_CASE("send after close") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    run(w.context, producer.send("hello"));
    sent during;
    done closed;
    producer.async_close(closed);
    producer.async_send("too late", during);
    run_until(w.context, [&] { return closed.called() && during.called(); });
    CHECK_FALSE(closed.error());
    CHECK(during.error() == sluice::errc::closed);
    CHECK(during.value().outcome == sluice::outcome::not_sent);
    const sluice::error e = error_of(w.context, producer.send("much too late"));
    CHECK(e.code() == sluice::errc::closed);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    const sluice::error open = error_of(w.context, producer.open());
    CHECK(open.code() == sluice::errc::closed);
    sent pushed;
    if (producer.try_push("too late", [pushed](std::error_code ec, const sluice::receipt& r) { pushed(ec, r); })) {
        run_until(w.context, [&] { return pushed.called(); });
        CHECK(pushed.error() == sluice::errc::closed);
    }
    run(w.context, producer.flush());
    run(w.context, producer.close());
    CHECK(w.payloads("orders") == std::vector<std::string>{"hello"});
}
