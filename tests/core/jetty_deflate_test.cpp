// SPDX-License-Identifier: BSL-1.0
// The model's permessage-deflate: the answers of a real Pulsar 4.0.7, and messages in both directions.
#include "support/peer_client.hpp"

#include <sluice/deflate.hpp>

namespace {

using namespace test;

const std::string where = "/ws/v2/producer/persistent/public/default/t";

web::http_request offer_of(std::string offer) {
    web::http_request r = web::make_upgrade(where, "AAECAwQFBgcICQoLDA0ODw==");
    r.fields.add("Sec-WebSocket-Extensions", std::move(offer));
    return r;
}

struct model {
    explicit model(const sluice::socket_deflate& deflate) : proxy(options(deflate), counting_random(state)) {}
    static proxy_options options(const sluice::socket_deflate& deflate) {
        proxy_options o;
        o.deflate = deflate;
        return o;
    }
    std::uint64_t state = 4;
    proxy_model proxy;
};

} // namespace

TEST_CASE("model, deflate: offers, and what is answered") {
    struct row {
        const char *offer, *answer;
    };
    for (const row& r : std::vector<row>{
             {"permessage-deflate", "permessage-deflate"},
             {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
             {"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
              "permessage-deflate;client_no_context_takeover;server_no_context_takeover"},
             {"permessage-deflate; client_no_context_takeover", "permessage-deflate;client_no_context_takeover"},
             {"permessage-deflate; server_no_context_takeover", "permessage-deflate;server_no_context_takeover"},
             {"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9", "permessage-deflate"},
             {"permessage-deflate; server_max_window_bits=15, permessage-deflate", "permessage-deflate"},
             {"unknown-extension, permessage-deflate", "permessage-deflate"},
             {"unknown-extension", ""},
             {"permessage-deflate;", ""},
         }) {
        CAPTURE(r.offer);
        model deflates(sluice::deflate_on), declines(sluice::deflate_off);
        const web::http_response yes = peer_client(deflates.proxy).exchange(offer_of(r.offer));
        CHECK(yes.status == 101);
        CHECK(yes.fields.get("Sec-WebSocket-Extensions") == r.answer);
        const web::http_response no = peer_client(declines.proxy).exchange(offer_of(r.offer));
        CHECK(no.status == 101);
        CHECK_FALSE(no.fields.find("Sec-WebSocket-Extensions"));
    }
    model m(sluice::deflate_on);
    CHECK(peer_client(m.proxy).exchange(offer_of("permessage-deflate; foo=bar")).status == 500);
    CHECK(m.proxy.stats().sockets_refused == 1);
    CHECK_FALSE(peer_client(m.proxy).upgrade(where).fields.find("Sec-WebSocket-Extensions"));
}

TEST_CASE("model, deflate: messages and acknowledgements, compressed and not") {
    for (const bool keeps : {true, false}) {
        model m(sluice::deflate_on);
        web::deflate_parameters agreed;
        agreed.client_no_context_takeover = agreed.server_no_context_takeover = !keeps;
        peer_client http(m.proxy);
        REQUIRE(http.exchange(offer_of(keeps ? "permessage-deflate"
                                             : "permessage-deflate; client_no_context_takeover; "
                                               "server_no_context_takeover"))
                    .status == 101);
        std::uint64_t random = 8;
        web::mask_keys keys(counting_random(random));
        web::ws_connection ws(web::ws_role::client, &keys, {},
                              std::make_unique<web::ws_deflate>(web::ws_role::client, agreed));
        std::size_t first_answer = 0, last_answer = 0;
        for (int i = 0; i < 5; ++i) {
            const std::string context = std::to_string(i);
            const std::string text = R"({"payload":")" + std::string(400, 'A') + R"(","context":")" + context + "\"}";
            REQUIRE(ws.send(web::opcode::text, web::as_bytes(text)));
            CHECK(ws.output().size() < 100);
            const std::string answer = http.raw(web::as_text(ws.output()));
            ws.consume_output(ws.output().size());
            REQUIRE_FALSE(answer.empty());
            CHECK(static_cast<unsigned char>(answer[0]) == 0xc1); // each is compressed
            (i == 0 ? first_answer : last_answer) = answer.size();
            ws.feed(web::as_bytes(answer));
            const auto e = ws.next();
            REQUIRE(e.what == web::ws_connection::event::kind::text);
            CHECK(web::as_text(e.data).find(R"("context":")" + context + '"') != std::string_view::npos);
        }
        CHECK((last_answer < first_answer / 2) == keeps);
        CHECK(m.proxy.message_count("persistent://public/default/t") == 5);
    }
}

TEST_CASE("model, deflate: what inflates too far is refused with 1009, garbage with 1007") {
    for (const std::string& garbage : {std::string(), std::string("\x06\x06")}) {
        model m(sluice::deflate_on);
        peer_client http(m.proxy);
        REQUIRE(http.exchange(offer_of("permessage-deflate")).status == 101);
        std::uint64_t random = 8;
        web::mask_keys keys(counting_random(random));
        web::ws_connection ws(web::ws_role::client, &keys, {},
                              std::make_unique<web::ws_deflate>(web::ws_role::client, web::deflate_parameters{}));
        std::string out;
        if (garbage.empty()) {
            REQUIRE(ws.send(web::opcode::text, web::as_bytes(std::string(3'000'000, 'x'))));
            out = web::as_text(ws.output());
            CHECK(out.size() < 10'000);
        } else { // RSV1, text, masked with 0
            out = std::string("\xc1\x82\0\0\0\0", 6) + garbage;
        }
        ws.feed(web::as_bytes(http.raw(out)));
        const auto e = ws.next();
        CHECK(e.what == web::ws_connection::event::kind::close);
        CHECK(e.close_code == (garbage.empty() ? 1009 : 1007));
    }
}
