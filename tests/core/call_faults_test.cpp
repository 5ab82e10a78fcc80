// SPDX-License-Identifier: BSL-1.0
// Faults of HTTP requests, by hand over a peer: refused in the server's words, late, cut off; passwords and full quotas
// at the upgrade.
#include "support/faulty_world.hpp"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using namespace sluice::testing;
using test::faulty_world;
using test::frame;
using test::peer_client;

const std::string gdn_path = "/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.t";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string otp_of(const test::web::http_response& r) {
    REQUIRE(r.status == 200);
    return r.body.substr(8, r.body.size() - 10);
}

std::string upgrade_request(std::string target) {
    std::string out;
    REQUIRE(
        !test::web::write_request(test::web::make_upgrade(std::move(target), "dGhlIHNhbXBsZSBub25jZQ=="), "x", out));
    return out;
}

} // namespace

TEST_CASE("which call a request is") {
    struct row {
        std::string method, target;
        call what;
    };
    const row rows[] = {
        {"POST", "/_open/auth", call::auth},
        {"POST", "/apid/otp", call::otp},
        {"GET", "/datacenter/local", call::region},
        {"GET", "/_fabric/_system/_api/streams?global=true", call::list_streams},
        {"POST", "/_fabric/_system/_api/streams/a%2Fb?global=true", call::create_stream},
        {"DELETE", "/_fabric/_system/_api/streams/c8globals.a?force=true", call::delete_stream},
        {"GET", "/_fabric/_system/_api/streams/a/stats", call::statistics},
        {"GET", "/_fabric/_system/_api/streams/a/backlog", call::statistics},
        {"GET", "/_fabric/_system/_api/streams/a/subscriptions", call::statistics},
        {"POST", "/_fabric/_system/_api/streams/a/publish", call::publish},
        {"POST", "/_fabric/_system/_api/streams/clearbacklog", call::any},
        {"POST", "/_fabric/_system/_api/streams/ttl/60", call::any},
        {"GET", "/admin/v2/persistent/public/default", call::list_streams},
        {"PUT", "/admin/v2/persistent/public/default/a", call::create_stream},
        {"DELETE", "/admin/v2/persistent/public/default/a?force=true", call::delete_stream},
        {"GET", "/admin/v2/persistent/public/default/a/stats", call::statistics},
        {"PUT", "/admin/v2/persistent/public/default/a/unload", call::any},
        {"GET", "/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.a?otp=x", call::upgrade},
        {"GET", "/ws/v2/consumer/persistent/public/default/a/s", call::upgrade},
        {"GET", "/", call::any},
        {"GET", "*", call::any},
    };
    for (const row& r : rows) {
        CAPTURE(r.target);
        CHECK(sluice::testing::detail::call_of(r.method, sluice::testing::detail::request_target(r.target)) == r.what);
    }
    const auto topic = [](std::string target) {
        return sluice::testing::detail::topic_of_producer(sluice::testing::detail::request_target(target));
    };
    CHECK(topic(gdn_path + "?otp=x") == "persistent://demo/c8global._system/c8globals.t");
    CHECK(topic("/ws/v2/producer/persistent/public/default/a/b") == "persistent://public/default/a/b");
    CHECK(topic("/ws/v2/consumer/persistent/public/default/a/s").empty());
    CHECK(topic("/ws/v2/producer/persistent/public").empty());
    CHECK(topic("/ws").empty());
}

TEST_CASE("refusals say their text as the server does, and nothing is carried out") {
    faulty_world w;
    const std::string key = "apikey " + w.model.api_key();
    peer_client& c = w.connect();
    const fault f = w.faults.on(call::create_stream).refuse(503, "no \"room\"", 7s);
    auto r = c.request("POST", "/_fabric/_system/_api/streams/t?global=true", key);
    CHECK(r.status == 503);
    CHECK(r.body == R"({"code":503,"error":true,"errorMessage":"no \"room\"","errorNum":503})");
    CHECK(r.fields.get("Retry-After") == "7");
    CHECK_FALSE(w.model.has_topic("t"));
    CHECK(f.met() == 1);
    CHECK(c.request("POST", "/_fabric/_system/_api/streams/t?global=true", key).status == 200);

    w.faults.on(call::upgrade).refuse(403, "not <you>");
    r = c.upgrade(faulty_world::path_of("t"));
    CHECK(r.status == 403);
    CHECK(contains(r.body, "<th>MESSAGE:</th><td>not &lt;you&gt;</td>"));
    CHECK(w.model.stats().sockets_refused == 1);
    CHECK(c.upgrade(faulty_world::path_of("t")).status == 101);

    peer_client& d = w.connect();
    w.faults.on(call::any).times(2).refuse(502, "<html>bad gateway</html>");
    r = d.request("GET", "/datacenter/local", key);
    CHECK(r.body == "<html>bad gateway</html>");
    CHECK(contains(r.fields.get("Content-Type"), "html"));
    w.faults.on(call::any).refuse(500, R"({"reason":"mine"})");
    CHECK(d.upgrade(faulty_world::path_of("t")).status == 502);
    r = d.request("PUT", "/admin/v2/persistent/public/default/x");
    CHECK(r.status == 500);
    CHECK(r.body == R"({"reason":"mine"})");
    w.faults.on(call::create_stream).refuse(409, "is there");
    CHECK(contains(d.request("PUT", "/admin/v2/persistent/public/default/x").body, "<td>is there</td>"));
}

TEST_CASE("a late answer: carried out when it is due, what comes behind it waits, the client may leave") {
    faulty_world w;
    const std::string request =
        "POST /_fabric/_system/_api/streams/t?global=true HTTP/1.1\r\nHost: x\r\nAuthorization: apikey " +
        w.model.api_key() + "\r\n\r\n";
    const fault f = w.faults.on(call::create_stream).times(2).delay(5s);
    peer_client& c = w.connect();
    CHECK(c.raw(request).empty());
    CHECK(f.met() == 1);
    CHECK(c.raw("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing").empty()); // pipelined behind it
    CHECK_FALSE(w.model.has_topic("t"));
    CHECK(c.server().next_time() == test::start + 5s);
    c.server().advance(test::start + 4s);
    CHECK(c.take().empty());
    c.server().advance(test::start + 5s);
    const std::string answers = c.take();
    CHECK(answers.starts_with("HTTP/1.1 200 "));
    CHECK(contains(answers, "HTTP/1.1 404 "));
    CHECK(w.model.has_topic("t"));
    c.now += 6s;
    CHECK(c.raw("ness HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404 "));

    w.model.delete_topic("t");
    peer_client& leaves = w.connect();
    CHECK(leaves.raw(request).empty());
    leaves.server().end_of_stream(test::start + 1s);
    CHECK(w.model.has_topic("t"));
    CHECK(leaves.server().want_close());
    leaves.server().advance(test::start + 5s);
    CHECK(leaves.take().empty());
}

TEST_CASE("a late upgrade: room that was handed out before it stays good") {
    faulty_world w;
    w.faults.on(call::upgrade).delay(1s);
    std::uint64_t state = 3;
    test::web::mask_keys keys(test::counting_random(state));
    test::web::ws_connection client(test::web::ws_connection::role::client, &keys, {});
    client.send(test::web::opcode::text, test::web::as_bytes(frame(1)));

    peer p(w.model, test::start, {&w.desk->script, nullptr});
    p.receive(test::web::as_bytes(upgrade_request(faulty_world::path_of("t"))), test::start);
    const auto room = p.prepare(4096); // a read is under way
    p.advance(test::start + 1s);
    CHECK(p.is_websocket());
    CHECK(test::web::as_text(p.output()).starts_with("HTTP/1.1 101 "));
    std::memcpy(room.data(), client.output().data(), client.output().size());
    p.commit(client.output().size(), test::start + 1s);
    CHECK(w.model.message_count("t") == 1);
    client.consume_output(client.output().size());
    client.send(test::web::opcode::text, test::web::as_bytes(frame(2)));
    p.receive(client.output(), test::start + 1s);
    CHECK(w.model.message_count("t") == 2);

    w.faults.on(call::upgrade).delay(1s); // nobody waits for it: it is not carried out
    const auto opened = w.model.stats().sockets_opened;
    peer_client& leaves = w.connect();
    leaves.raw(upgrade_request(faulty_world::path_of("t")));
    leaves.server().end_of_stream(test::start);
    CHECK(w.model.stats().sockets_opened == opened);
}

TEST_CASE("a call that is cut off: behind what was answered before, and not carried out") {
    faulty_world w;
    const fault f = w.faults.on(call::create_stream).cut(cut::finish);
    peer_client& c = w.connect();
    const std::string out = c.raw("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "PUT /admin/v2/persistent/public/default/t HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(out.starts_with("HTTP/1.1 404 "));
    CHECK(out.find("HTTP/1.1", 1) == std::string::npos);
    CHECK(c.server().want_cut() == cut::finish);
    CHECK_FALSE(c.server().want_close());
    CHECK_FALSE(w.model.has_topic("t"));
    CHECK(f.met() == 1);
    CHECK(c.raw("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").empty());
}

TEST_CASE("passwords that expire: those outstanding, or one as it is given out") {
    faulty_world w;
    const std::string key = "apikey " + w.model.api_key();
    peer_client& c = w.connect();
    const std::string first = otp_of(c.request("POST", "/apid/otp", key));
    const std::string second = otp_of(c.request("POST", "/apid/otp", key));
    CHECK(w.faults.expire_passwords() == 2);
    for (const std::string& otp : {first, second}) CHECK(c.upgrade(gdn_path + "?otp=" + otp).status == 401);

    const fault f = w.faults.passwords().expire();
    CHECK(c.request("POST", "/apid/otp").status == 401); // none was given out
    CHECK(f.met() == 0);
    const std::string third = otp_of(c.request("POST", "/apid/otp", key));
    CHECK(f.met() == 1);
    CHECK(c.upgrade(gdn_path + "?otp=" + third).status == 401);
    const std::string fourth = otp_of(c.request("POST", "/apid/otp", key));
    CHECK(c.upgrade(gdn_path + "?otp=" + fourth).status == 101);
}

TEST_CASE("a full quota at the upgrade: it waits 80.9 s, or until there is room") {
    faulty_world w;
    fault full = w.faults.fill_quota("t");
    const std::string upgrade = upgrade_request(faulty_world::path_of("t"));
    peer_client& other = w.connect();
    CHECK(other.upgrade(faulty_world::path_of("other")).status == 101);

    peer_client& c = w.connect();
    CHECK(c.raw(upgrade).empty());
    c.server().advance(test::start + 80s);
    CHECK(c.take().empty());
    CHECK(full.met() == 1);
    c.server().advance(test::start + 80'900ms);
    const std::string refused = c.take();
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    CHECK(contains(refused, "TopicBacklogQuotaExceededException: Cannot create producer on topic with backlog quota "
                            "exceeded"));
    CHECK(full.met() == 1);

    peer_client& d = w.connect();
    CHECK(d.raw(upgrade).empty());
    CHECK(full.met() == 2);
    full.withdraw();
    d.server().advance(test::start + 1s); // as whoever is woken does
    CHECK(d.take().starts_with("HTTP/1.1 101 "));
}
