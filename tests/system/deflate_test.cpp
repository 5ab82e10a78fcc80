// SPDX-License-Identifier: BSL-1.0
// Producers with the option `deflate`, against a server that accepts permessage-deflate, one that does not, and such
// that answer what they may not.
#include "world.hpp"

#include "support/scripted_server.hpp"

using namespace test;

namespace {

sluice::testing::gateway_options accepting() {
    sluice::testing::gateway_options o;
    o.proxy.deflate = sluice::deflate_on;
    return o;
}

std::vector<std::string> events(int n) {
    std::vector<std::string> all;
    for (int i = 0; i < n; ++i)
        all.push_back(R"({"sensor":"pump-)" + std::to_string(i % 7) + R"(","state":"running","at":)" +
                      std::to_string(1'796'155'444 + i) + "}");
    return all;
}

/// Bytes that go out for 500 events.
std::uint64_t bytes_for(world& w, const sluice::socket_deflate& deflate, sluice::dialect d) {
    sluice::client client = w.make_client(d);
    sluice::producer_options options;
    options.deflate = deflate;
    sluice::producer producer(client, "events", options);
    const std::vector<std::string> sent = events(500);
    for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
    CHECK(w.payloads("events") == sent);
    run(w.context, producer.close());
    return producer.stats().bytes_written;
}

} // namespace

TEST_CASE("deflate: what is sent is what is stored, in fewer bytes where the server accepts it") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world plain, off(accepting()), declined, automatic(accepting()), on(accepting());
        const std::uint64_t all = bytes_for(plain, sluice::deflate_off, d);
        CHECK(bytes_for(off, sluice::deflate_off, d) == all);
        CHECK(bytes_for(declined, sluice::deflate_auto, d) == all);
        const std::uint64_t fewer = bytes_for(automatic, sluice::deflate_auto, d);
        CHECK(fewer < all / 2);
        CHECK(bytes_for(on, sluice::deflate_on, d) == fewer);
        sluice::socket_deflate alone = sluice::deflate_on;
        alone.context_takeover = false;
        alone.window_bits = 9;
        alone.level = 1;
        world each(accepting());
        const std::uint64_t less = bytes_for(each, alone, d);
        CHECK(less < all);
        CHECK(less > fewer);
    }
}

TEST_CASE("deflate = on, and a server that does not accept it: the producer ends at once, and says so") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options options = impatient();
    options.deflate = sluice::deflate_on;
    sluice::producer producer(client, "events", options);
    const sluice::error e = error_of(w.context, producer.send("x"));
    CHECK(e.code() == sluice::errc::extension_refused);
    CHECK(e.code() == sluice::condition::fatal);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(contains(e.what(), "deflate = on"));
    CHECK(contains(e.what(), "permessage-deflate"));
    CHECK(producer.state() == sluice::producer_state::failed);
    CHECK(w.payloads("events").empty());
}

TEST_CASE("deflate: an answer that RFC 7692 forbids is no connection, and the error names the parameter") {
    asio::io_context context;
    const std::vector<std::string> answers{"permessage-deflate; server_max_window_bits=16",
                                           "permessage-deflate; level=9", "x-webkit-deflate-frame"};
    scripted_server server(context, [&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        CHECK(peer.last_request.fields.get("Sec-WebSocket-Extensions") == "permessage-deflate; client_max_window_bits");
        web::http_response response = web::accept_upgrade(peer.last_request);
        response.fields.add("Sec-WebSocket-Extensions", answers[n % answers.size()]);
        std::string text;
        CHECK_FALSE(web::write_response(response, text));
        const bool written = co_await peer.write(std::move(text));
        CHECK(written);
        co_await peer.wait_for_end();
    });
    sluice::client_config config;
    config.url = "ws://127.0.0.1:" + std::to_string(server.port());
    sluice::client client(context.get_executor(), config);
    for (const std::string& named :
         {std::string("server_max_window_bits=16"), std::string("level=9"), std::string("x-webkit-deflate-frame")}) {
        sluice::producer_options options;
        options.deflate = sluice::deflate_auto;
        options.reconnect.initial = options.reconnect.maximum = 1h; // one attempt
        std::string told;
        sluice::producer_observer observer;
        observer.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
            CHECK(f.code == sluice::errc::handshake_invalid);
            if (f.details) told = f.details->text;
        };
        sluice::producer producer(client, "events", options, observer);
        producer.async_send(sluice::message("x"), [](std::error_code, const sluice::receipt&) {});
        run_until(context, [&] { return !told.empty(); });
        CHECK(contains(told, named));
    }
}
