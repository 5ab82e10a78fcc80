// SPDX-License-Identifier: BSL-1.0
// The record of traffic, by hand: what is kept, what is counted, what is left out.
#include "support/faulty_world.hpp"

#include <doctest/doctest.h>

namespace {

using namespace sluice::testing;
using detail::connection_log;
using detail::traffic_recorder;
using test::faulty_world;
using test::frame;
using test::peer_client;

std::pair<std::string, bool> kept(std::string_view target) {
    bool found = false;
    std::string text = detail::without_secrets(target, found);
    return {std::move(text), found};
}

} // namespace

TEST_CASE("secrets are left out of targets") {
    using row = std::pair<std::string, bool>;
    CHECK(kept("/a/b") == row("/a/b", false));
    CHECK(kept("/a?otp=secret") == row("/a?otp=***", true));
    CHECK(kept("/a?x=1&token=secret&y=otp&otp=") == row("/a?x=1&token=***&y=otp&otp=***", true));
    CHECK(kept("/a?otpx=1&xotp=2&otp") == row("/a?otpx=1&xotp=2&otp", false));
    CHECK(kept("/a?") == row("/a?", false));
    CHECK(kept("/a?&otp=x&") == row("/a?&otp=***&", true));
    CHECK(kept("") == row("", false));
}

TEST_CASE("requests, sockets and close codes of each connection") {
    faulty_world w;
    w.recorder.record(true);
    const std::string key = "apikey " + w.model.api_key();
    peer_client& rest = w.connect();
    CHECK(rest.request("POST", "/apid/otp", key).status == 200);
    CHECK(rest.request("GET", "/nothing").status == 404);
    w.faults.on(call::region).cut();
    rest.raw("GET /datacenter/local HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_client& client_closes = w.produce("t", "?token=hush");
    client_closes.websocket().close(4000, "bye");
    client_closes.exchange_frames();
    peer_client& server_closes = w.produce();
    w.faults.messages().close(1011, "no");
    server_closes.say(frame(1));
    peer_client& breaks = w.produce();
    breaks.raw("\x81\x01x"); // not masked

    const recorded_traffic& all = w.recorder.traffic();
    REQUIRE(all.connections.size() == 4);
    CHECK(all.requests == 6);
    CHECK(all.sockets == 3);
    const recorded_connection& first = all.connections[0];
    CHECK(first.number == 1);
    CHECK_FALSE(first.socket);
    REQUIRE(first.requests.size() == 3);
    CHECK(first.requests[0].method == "POST");
    CHECK(first.requests[0].target == "/apid/otp");
    CHECK(first.requests[0].authorized);
    CHECK(first.requests[0].status == 200);
    CHECK_FALSE(first.requests[1].authorized);
    CHECK(first.requests[1].status == 404);
    CHECK(first.requests[2].status == 0);
    const recorded_connection& second = all.connections[1];
    CHECK(second.socket);
    REQUIRE(second.requests.size() == 1);
    CHECK(second.requests[0].target == faulty_world::path_of("t") + "?token=***");
    CHECK(second.requests[0].authorized);
    CHECK(second.requests[0].status == 101);
    CHECK(second.client_close_code == 4000);
    CHECK(second.server_close_code == 0);
    CHECK(all.connections[2].server_close_code == 1011);
    CHECK(all.connections[3].server_close_code == 1002);
}

TEST_CASE("reads and their frames") {
    traffic_recorder r;
    connection_log before(r), silent(r), log(r);
    before.read(10, 1);
    CHECK(r.traffic().reads == 0);
    r.record(true);
    log.read(100, 3);
    log.read(50, 0);
    before.read(25, 1);
    const recorded_traffic& all = r.traffic();
    CHECK(all.reads == 3);
    CHECK(all.frames == 4);
    CHECK(all.bytes == 175);
    CHECK(all.frames_per_read() == doctest::Approx(4.0 / 3));
    REQUIRE(all.connections.size() == 2);
    CHECK(all.connections[0].number == 3);
    REQUIRE(all.connections[0].reads.size() == 2);
    CHECK(all.connections[0].reads[0].bytes == 100);
    CHECK(all.connections[0].reads[0].frames == 3);
    CHECK(all.connections[0].bytes == 150);
    CHECK(all.connections[0].frames == 3);
    CHECK(all.connections[1].number == 1);

    r.record(false);
    log.read(1, 1);
    CHECK(all.reads == 3); // it can still be read
    r.record(true);
    CHECK(all.connections.empty());
    CHECK(all.frames_per_read() == 0.0);
    log.upgraded();
    CHECK(all.connections.size() == 1);
    CHECK(all.sockets == 1);
}

TEST_CASE("what is kept is bounded, what is counted is not") {
    traffic_recorder r;
    r.record(true);
    connection_log log(r);
    const std::string long_target = "/" + std::string(10'000, 'x');
    log.request("GET", long_target, false, 200);
    for (int i = 0; i < 60'000; ++i) log.read(10, 1);
    connection_log late(r);
    late.request("GET", "/", false, 200);
    late.read(10, 1);
    late.client_closed(1000);
    const recorded_traffic& all = r.traffic();
    CHECK(all.connections.size() == 1);
    CHECK(all.connections[0].requests[0].target.size() == 512);
    CHECK(all.connections[0].reads.size() == 49'998);
    CHECK(all.connections[0].frames == 60'000);
    CHECK(all.frames == 60'001);
    CHECK(all.requests == 2);
    CHECK(all.left_out == 60'000 - 49'998 + 1); // the reads, and the connection with all that it had
}
