// SPDX-License-Identifier: BSL-1.0
// The publisher over a socket with permessage-deflate: what is written, acknowledgements that come compressed, the next
// socket, bad input.
#include "harness.hpp"

#include <sluice/core/deflate_offer.hpp>
#include <sluice/deflate.hpp>

namespace {

using namespace test;
using sluice::socket_deflate;

harness& with_deflate(harness& h, const web::deflate_parameters& agreed = {}) {
    h.deflate = agreed;
    h.open();
    return h;
}

std::string event(int i) {
    return R"({"sensor":"pump-)" + std::to_string(i % 7) + R"(","temperature":21.)" + std::to_string(i % 10) +
           R"(,"state":"running","at":)" + std::to_string(1'796'155'444 + i) + "}";
}

} // namespace

TEST_CASE("publisher, deflate: messages arrive whole and in order, in fewer bytes, and are acknowledged compressed") {
    for (const bool keeps : {true, false}) {
        harness plain, h;
        plain.open();
        with_deflate(h, {.server_no_context_takeover = !keeps, .client_no_context_takeover = !keeps});
        ids sent;
        std::size_t bytes = 0, plain_bytes = 0;
        for (int i = 0; i < 50; ++i) {
            plain.send(event(i));
            plain.write();
            plain_bytes += plain.last_write;
            sent.push_back(h.send(event(i)));
            const auto frames = h.write();
            bytes += h.last_write;
            REQUIRE(frames.size() == 1);
            CHECK(frames[0].context == static_cast<std::uint64_t>(i));
            CHECK(frames[0].payload == event(i));
        }
        CHECK(bytes < (keeps ? plain_bytes / 2 : plain_bytes)); // short ones have little of their own to refer to
        for (std::uint64_t c = 0; c < 50; ++c) CHECK_FALSE(h.answer(ok_text(c)));
        CHECK(h.order == sent);
        for (const int id : sent) CHECK(h.persisted(id));
    }
}

TEST_CASE("publisher, deflate: many in one write, short ones and such that do not shrink among them") {
    harness h;
    with_deflate(h);
    std::vector<std::string> sent;
    std::uint64_t n = 1;
    for (int i = 0; i < 300; ++i) {
        std::string payload = i % 3 == 0 ? "" : event(i);
        if (i % 7 == 0)
            for (int k = 0; k < 200; ++k) payload += static_cast<char>((n = n * 6364136223846793005u + 1) >> 56);
        sent.push_back(payload);
        h.submit(payload);
    }
    h.drain();
    std::vector<std::string> seen;
    for (const seen_frame& f : h.write_all()) seen.push_back(f.payload);
    CHECK(seen == sent);
    CHECK(h.pings == 0);
    h.pub.ping(); // control frames go as they are
    h.write();
    CHECK(h.pings == 1);
}

TEST_CASE("publisher, deflate: one write compresses at most 64 KiB of text, a longer message goes alone") {
    harness h;
    with_deflate(h);
    for (int i = 0; i < 40; ++i) h.submit(std::string(6000, static_cast<char>('a' + i % 26))); // 8030 characters
    h.submit(std::string(300'000, 'z'));
    h.submit("last");
    h.drain();
    std::vector<std::size_t> batches;
    for (auto frames = h.write(); !frames.empty(); frames = h.write()) batches.push_back(frames.size());
    CHECK(batches == std::vector<std::size_t>{8, 8, 8, 8, 8, 1, 1});
}

TEST_CASE("publisher, deflate: each socket begins anew, compressed or not") {
    harness h;
    with_deflate(h);
    h.send(event(1));
    h.send(event(2));
    CHECK(h.write_payloads() == event(1) + " " + event(2));
    h.reopen();
    CHECK(h.write_payloads() == event(1) + " " + event(2));
    h.pub.idle();
    h.send(event(3));
    CHECK(h.write_payloads() == event(3));
    CHECK_FALSE(h.answer(ok_text(2)));
    h.pub.idle(); // what the peer may refer to stays
    CHECK_FALSE(h.answer(ok_text(1)));
    h.deflate.reset();
    h.reopen();
    CHECK(h.write_payloads() == event(1));
    h.ack(0);
    CHECK(h.pub.drained());
}

TEST_CASE("publisher, deflate: an answer that does not inflate, or inflates too far, ends the socket") {
    harness h;
    with_deflate(h);
    const int id = h.send(event(1));
    h.write_all();
    failure f = h.receive("\xc1\x02\x06\x06");
    CHECK(f.code == errc::corrupt_data);
    CHECK(f.details->close_code == web::close_code::invalid_payload);
    h.write_all();
    CHECK(h.close_code == web::close_code::invalid_payload);
    CHECK_FALSE(h.done(id));

    h.reopen();
    h.write_all();
    f = h.answer(std::string(2'000'000, ' '));
    CHECK(f.code == errc::message_too_big);
    h.write_all();
    CHECK(h.close_code == web::close_code::message_too_big);

    h.reopen();
    h.write_all();
    CHECK_FALSE(h.answer(ok_text(0)));
    CHECK(h.persisted(id));
}

TEST_CASE("deflate: the offer, and what an answer makes of it") {
    const auto offered = [](const socket_deflate& option) {
        web::http_request upgrade;
        core::deflate_offer(option).write(upgrade);
        return std::string(upgrade.fields.get("Sec-WebSocket-Extensions"));
    };
    CHECK(offered(sluice::deflate_off) == "");
    CHECK(offered(sluice::deflate_on) == "permessage-deflate; client_max_window_bits");
    CHECK(offered(sluice::deflate_auto) == "permessage-deflate; client_max_window_bits");
    socket_deflate small = sluice::deflate_auto;
    small.context_takeover = false;
    small.window_bits = 10;
    CHECK(offered(small) == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                            "client_max_window_bits=10");

    const auto answered = [](const socket_deflate& option, std::string answer) {
        web::http_response response;
        if (!answer.empty()) response.fields.add("Sec-WebSocket-Extensions", std::move(answer));
        std::unique_ptr<web::message_compression> made;
        const failure f = core::deflate_offer(option).read(response, made);
        if (f) CHECK_FALSE(made);
        return f ? f.code.message() + ": " + f.details->text : made ? "used" : "not used";
    };
    CHECK(answered(sluice::deflate_off, "") == "not used");
    CHECK(answered(sluice::deflate_auto, "") == "not used");
    CHECK(answered(sluice::deflate_auto, "permessage-deflate") == "used");
    CHECK(answered(sluice::deflate_on, "permessage-deflate") == "used");
    CHECK(answered(sluice::deflate_on, "") ==
          "the server does not accept the extension: deflate = on: the server does not accept permessage-deflate; with "
          "it auto or off is allowed");
    CHECK(answered(sluice::deflate_auto, "permessage-deflate; server_max_window_bits=16") ==
          "invalid WebSocket handshake: the answer to the upgrade: permessage-deflate: server_max_window_bits=16: a "
          "value from 8 to 15 is needed");
    CHECK(std::error_code(errc::extension_refused) == sluice::condition::fatal);
}

TEST_CASE("deflate: options out of their ranges") {
    const auto problem = [](auto change) {
        producer_options o;
        o.deflate = sluice::deflate_auto;
        change(o.deflate);
        const failure f = o.validate();
        return f ? f.details->text : std::string();
    };
    CHECK(problem([](socket_deflate&) {}) == "");
    CHECK(problem([](socket_deflate& d) { d.level = 0; }) == "deflate.level = 0: allowed is 1 to 9");
    CHECK(problem([](socket_deflate& d) { d.level = 10; }) == "deflate.level = 10: allowed is 1 to 9");
    CHECK(problem([](socket_deflate& d) { d.window_bits = 8; }) == "deflate.window_bits = 8: allowed is 9 to 15");
    CHECK(problem([](socket_deflate& d) { d.window_bits = 16; }) == "deflate.window_bits = 16: allowed is 9 to 15");
    CHECK(problem([](socket_deflate& d) { d.make = nullptr; }) ==
          "deflate = one without `make`: allowed is deflate_off, deflate_auto and deflate_on");
}
