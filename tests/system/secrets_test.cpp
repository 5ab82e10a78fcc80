// SPDX-License-Identifier: BSL-1.0
// Keys, tokens, passwords and one-time passwords are in no error text, not even where a server repeats them.
#include "support/scripted_server.hpp"
#include "world.hpp"

using namespace test;

namespace {

constexpr const char* secrets[] = {"KEYSECRET", "JWTSECRET", "TOKENSECRET", "PASSWORDSECRET", "OTPSECRET"};

/// Answers with a status and with all that it was told. `good`: how many calls are answered as they should be.
scripted_server::script parrot(int status, bool html, unsigned good) {
    return [=, calls = std::make_shared<unsigned>(0)](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        for (bool more = true; more;) {
            more = co_await peer.request();
            if (!more) break;
            const web::http_request& r = peer.last_request;
            if ((*calls)++ < good) {
                more = co_await peer.answer(200, R"({"otp":"OTPSECRET","jwt":"a.JWTSECRET.b"})");
                continue;
            }
            std::string told = r.method + " " + r.target +
                               " Authorization: " + std::string(r.fields.get("Authorization")) + " " + r.body;
            std::string body;
            if (html)
                body = "<html><title>Error</title><tr><th>MESSAGE:</th><td>" + told + "</td></tr></html>";
            else
                web::append_json_string(body += "{\"error\":true,\"errorMessage\":", told), body += "}";
            more = co_await peer.answer(status, std::move(body), html ? "Content-Type: text/html\r\n" : "");
        }
    };
}

} // namespace

TEST_CASE("no secret in any text, whatever the server says") {
    std::vector<sluice::auth> all;
    all.emplace_back(sluice::api_key{"demo.id.KEYSECRET"});
    all.emplace_back(sluice::jwt{"a.JWTSECRET.b"});
    all.emplace_back(sluice::bearer_token{"TOKENSECRET"});
    all.emplace_back(sluice::password{.email = "ann@example.com", .secret = "PASSWORDSECRET"});
    std::vector<std::string> texts;
    const auto keep = [&](const sluice::error_details& d) {
        texts.push_back(d.text);
        texts.push_back(d.request_id);
        texts.push_back(d.cause.message());
    };
    for (const sluice::dialect d : dialects) {
        for (const sluice::auth& auth : all) {
            for (const sluice::socket_auth how : {sluice::socket_auth::otp, sluice::socket_auth::header}) {
                for (const int status : {200, 400, 401, 403, 404, 500, 503}) {
                    for (const unsigned good : {0u, 1u, 2u}) {
                        const bool html = status % 2 == 0;
                        asio::io_context context;
                        scripted_server server(context, parrot(status, html, good));
                        sluice::client_config c;
                        c.url = d == sluice::dialect::gdn ? server.http_url() : server.websocket_url();
                        c.auth = auth;
                        c.socket_auth = how;
                        sluice::client client(context.get_executor(), c);
                        sluice::producer_observer o;
                        o.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
                            if (f.details) keep(*f.details);
                        };
                        o.on_close = [&](const sluice::failure& f) {
                            if (f.details) keep(*f.details);
                        };
                        sluice::producer_options options = impatient();
                        options.send_timeout = 5ms;
                        sluice::producer producer(client, "orders", options, o);
                        try {
                            run(context, producer.send("hello"));
                        } catch (const sluice::error& e) {
                            texts.emplace_back(e.what());
                            keep(e.details());
                        }
                        try {
                            run(context, client.ensure_stream("orders"));
                            run(context, client.get_otp());
                        } catch (const sluice::error& e) {
                            texts.emplace_back(e.what());
                            keep(e.details());
                        }
                        run(context, producer.close());
                    }
                }
            }
        }
    }
    CHECK(texts.size() > 500);
    for (const std::string& text : texts)
        for (const char* secret : secrets) {
            CAPTURE(text);
            CHECK_FALSE(contains(text, secret));
        }
}
