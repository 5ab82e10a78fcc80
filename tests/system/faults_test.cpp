// SPDX-License-Identifier: BSL-1.0
// Each fault of the gateway, met once by a real producer over real sockets, and what the producer makes of it.
#include "world.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

using namespace test;

namespace {

using sluice::testing::call;
using sluice::testing::cut;
using sluice::testing::direction;
using sluice::testing::fault;

/// A producer in a world, and what its sends come to.
struct fixture {
    explicit fixture(sluice::producer_options o = impatient(), sluice::testing::gateway_options g = {},
                     sluice::dialect d = sluice::dialect::gdn)
        : w(std::move(g)), client(w.make_client(d)), producer(client, "orders", std::move(o)) {}

    sluice::testing::faults faults() { return w.gateway.faults(); }
    sluice::receipt send(sluice::message_view m) { return run(w.context, producer.send(m)); }
    sluice::error error_of_send(sluice::message_view m) { return error_of(w.context, producer.send(m)); }
    std::vector<sent> send_many(int from, int to) {
        std::vector<sent> all;
        for (int i = from; i <= to; ++i) {
            all.emplace_back();
            producer.async_send(std::to_string(i), all.back());
        }
        return all;
    }
    void wait_for(const std::vector<sent>& all) {
        run_until(w.context,
                  [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); });
    }
    std::vector<std::string> payloads() { return w.payloads("orders"); }

    world w;
    sluice::client client;
    sluice::producer producer;
};

using strings = std::vector<std::string>;

sluice::producer_options with_name() {
    sluice::producer_options o = impatient();
    o.producer_name = "once";
    o.deduplicate = true;
    return o;
}

} // namespace

// --- calls ---------------------------------------------------------------------------------------------------------

TEST_CASE("a refused one-time password or upgrade: tried again, with the server's words if it goes on") {
    for (const call c : {call::otp, call::upgrade, call::any}) {
        fixture f;
        const fault down = f.faults().on(c).times(2).refuse(503, "down for a moment");
        CHECK(f.send("a").outcome == sluice::outcome::persisted);
        CHECK(down.met() == 2);
        CHECK(f.producer.stats().connect_failures == 2);
        CHECK(f.producer.stats().connections == 1);
    }
    sluice::producer_options o = impatient();
    o.send_timeout = 50ms;
    fixture f(o);
    const fault down = f.faults().on(call::otp).always().refuse(429, "one at a time");
    const sluice::error e = f.error_of_send("a");
    CHECK(e.code() == sluice::errc::send_timeout);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(e.details().cause == sluice::errc::throttled);
    CHECK(e.details().http_status == 429);
    CHECK(contains(e.what(), "one at a time"));
    CHECK(down.met() >= 1);
}

TEST_CASE("an upgrade that is refused for good ends the producer") {
    fixture f;
    f.faults().on(call::upgrade).refuse(403, "not yours");
    const sluice::error e = f.error_of_send("a");
    CHECK(e.code() == sluice::errc::forbidden);
    CHECK(contains(e.what(), "not yours"));
    CHECK(f.producer.state() == sluice::producer_state::failed);
}

TEST_CASE("refused calls of a client: login, streams, the region") {
    sluice::testing::gateway_options g;
    g.proxy.users.push_back({"a@b.c", "root", "secret"});
    world w(g);
    sluice::client_config config = config_for(w.gateway, sluice::dialect::gdn);
    config.auth = sluice::password{.email = "a@b.c", .secret = "secret"};
    sluice::client client(w.context.get_executor(), config);
    const sluice::testing::faults faults = w.gateway.faults();
    faults.on(call::auth).refuse(429, "too many tries");
    CHECK(error_of(w.context, client.list_streams()).code() == sluice::errc::throttled);
    faults.on(call::create_stream).refuse(409, "stream exists");
    CHECK_FALSE(run(w.context, client.ensure_stream("orders")).created);
    CHECK_FALSE(w.gateway.has_topic("orders"));
    CHECK(run(w.context, client.ensure_stream("orders")).created);
    faults.on(call::delete_stream).refuse(412, "in use");
    CHECK(contains(error_of(w.context, client.delete_stream("orders")).what(), "in use"));
    faults.on(call::list_streams).refuse(500, "<html><title>Oops</title></html>");
    const sluice::error e = error_of(w.context, client.list_streams());
    CHECK(e.code() == sluice::errc::server_error);
    CHECK(contains(e.what(), "Oops"));
    faults.on(call::region).refuse(503, "no region");
    CHECK(contains(error_of(w.context, client.local_region()).what(), "no region"));
    faults.on(call::publish).times(2).refuse(507, "no room");
    for (int i = 0; i < 2; ++i) CHECK(contains(error_of(w.context, client.publish("orders", "x")).what(), "no room"));
    CHECK(w.payloads("orders").empty());
    run(w.context, client.publish("orders", "y"));
    CHECK(w.payloads("orders") == strings{"y"});
    faults.on(call::statistics).refuse(500, "no numbers");
    CHECK(contains(error_of(w.context, client.stream_stats("orders")).what(), "no numbers"));
    CHECK(faults.met() == 8);
}

TEST_CASE("a late answer: waited for, or given up and asked again") {
    fixture f;
    const fault late = f.faults().on(call::otp).delay(5ms);
    CHECK(f.send("a").outcome == sluice::outcome::persisted);
    CHECK(late.met() == 1);
    CHECK(f.producer.stats().connect_failures == 0);

    sluice::producer_options o = impatient();
    o.connect_timeout = 100ms;
    fixture g(o);
    const fault never = g.faults().on(call::upgrade).delay(24h);
    CHECK(g.send("a").outcome == sluice::outcome::persisted);
    CHECK(never.met() == 1);
    CHECK(g.producer.stats().connect_failures >= 1);
}

TEST_CASE("a call whose connection is cut") {
    for (const cut how : {cut::reset, cut::finish}) {
        fixture f;
        const fault lost = f.faults().on(call::upgrade).times(2).cut(how);
        CHECK(f.send("a").outcome == sluice::outcome::persisted);
        CHECK(lost.met() == 2);
        CHECK(f.producer.stats().connect_failures == 2);
    }
}

TEST_CASE("a one-time password that comes too late is refused, and another one fetched") {
    fixture f;
    const fault late = f.faults().passwords().expire();
    CHECK(f.send("a").outcome == sluice::outcome::persisted);
    CHECK(late.met() == 1);
    CHECK(f.producer.stats().connect_failures == 1);
    const std::string otp = run(f.w.context, f.client.get_otp());
    CHECK(f.faults().expire_passwords() == 1);
    CHECK(f.faults().expire_passwords() == 0);
}

// --- connections ---------------------------------------------------------------------------------------------------

TEST_CASE("a socket that is cut within the first message, or within its acknowledgement") {
    for (const direction way : {direction::to_server, direction::to_client})
        for (const cut how : {cut::reset, cut::finish, cut::silence})
            for (const bool tls : {false, true}) {
                CAPTURE(static_cast<int>(way));
                CAPTURE(static_cast<int>(how));
                CAPTURE(tls);
                sluice::producer_options o = impatient();
                o.ping_interval = 50ms; // what notices the silence
                sluice::testing::gateway_options g;
                g.tls = tls;
                fixture f(o, g);
                const fault broken = f.faults().sockets().cut_after(20, way, how);
                CHECK(f.send("a").outcome == sluice::outcome::persisted);
                CHECK(broken.met() == 1);
                CHECK(f.producer.stats().connections >= 2);
                CHECK(f.producer.stats().frames_resent >= 1);
                const strings stored = f.payloads();
                if (how != cut::silence) CHECK(stored.size() == (way == direction::to_server ? 1u : 2u));
            }
}

TEST_CASE("a connection that is cut before its first byte, within a request, within an answer") {
    for (const std::uint64_t bytes : {0u, 30u})
        for (const direction way : {direction::to_server, direction::to_client}) {
            fixture f;
            const fault broken = f.faults().connections().times(3).cut_after(bytes, way);
            CHECK(f.send("a").outcome == sluice::outcome::persisted);
            CHECK(broken.met() >= 2); // a socket whose password did not come has said nothing
        }
}

TEST_CASE("all connections fall silent now: pings notice") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options o = impatient();
    o.ping_interval = 50ms;
    sluice::producer producer(client, "orders", o);
    run(w.context, producer.send("a"));
    w.gateway.drop_connections(cut::silence);
    // The connection that one-time passwords are asked over is silent, too: it is not asked again.
    CHECK(run(w.context, producer.send("b")).outcome == sluice::outcome::persisted);
    const strings stored = w.payloads("orders");
    CHECK(stored.front() == "a");
    CHECK(stored.back() == "b");
    CHECK(producer.stats().connections >= 2);
}

TEST_CASE("a gateway that reads nothing: writes stall, messages end at their time, and it heals") {
    sluice::producer_options o = impatient();
    o.ping_interval = 0ms;
    fixture f(o);
    run(f.w.context, f.producer.open());
    fault deaf = f.faults().stop_reading();
    const std::string large(700'000, 'x');
    std::vector<sent> all(25); // more than any socket buffer takes
    for (sent& s : all) f.producer.async_send(large, s);
    sluice::message short_lived("short");
    short_lived.send_timeout = 100ms;
    const sluice::error e = f.error_of_send(short_lived);
    CHECK(e.code() == sluice::errc::send_timeout);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(deaf.met() == 1);
    CHECK(f.w.gateway.message_count("orders") == 0);
    deaf.withdraw();
    f.wait_for(all);
    for (const sent& s : all) CHECK_FALSE(s.error());
    CHECK(f.w.gateway.message_count("orders") == 25);
    CHECK(f.producer.stats().connections == 1);
    CHECK(f.producer.stats().frames_resent == 0);
}

// --- messages ------------------------------------------------------------------------------------------------------

TEST_CASE("a message that is refused: the error is told by the text, those around it go on") {
    struct row {
        std::string text;
        sluice::errc code;
        sluice::outcome outcome;
    };
    const std::string name = "org.apache.pulsar.client.api.PulsarClientException$";
    const row rows[] = {
        {name + "TimeoutException: too slow", sluice::errc::ack_timeout, sluice::outcome::maybe_persisted},
        {name + "ProducerQueueIsFullError: full", sluice::errc::queue_full, sluice::outcome::not_sent},
        {name + "InvalidMessageException: big", sluice::errc::too_large, sluice::outcome::rejected},
        {"no such luck", sluice::errc::rejected, sluice::outcome::rejected},
    };
    for (const row& r : rows) {
        CAPTURE(r.text);
        fixture f;
        const fault refused = f.faults().messages("orders").after(1).refuse(r.text);
        const std::vector<sent> all = f.send_many(0, 2);
        f.wait_for(all);
        CHECK(all[1].error() == r.code);
        CHECK(all[1].value().outcome == r.outcome);
        CHECK(contains(all[1].value().details().text, r.text));
        CHECK(refused.met() == 1);
        CHECK(f.payloads() == strings{"0", "2"});
    }
}

TEST_CASE("a proxy whose producer is closed: the message goes over another socket") {
    fixture f;
    f.faults().messages().refuse(
        "org.apache.pulsar.client.api.PulsarClientException$AlreadyClosedException: Producer already closed");
    CHECK(f.send("a").outcome == sluice::outcome::persisted);
    CHECK(f.producer.stats().connections == 2);
    CHECK(f.payloads() == strings{"a"});
}

TEST_CASE("a socket that is closed after n messages: the rest goes over the next one, in order") {
    fixture f;
    const fault closed = f.faults().messages().after(3).close(1012, "restart");
    const std::vector<sent> all = f.send_many(0, 9);
    f.wait_for(all);
    for (const sent& s : all) CHECK(s.value().outcome == sluice::outcome::persisted);
    CHECK(closed.met() == 1);
    CHECK(f.producer.stats().connections == 2);
    const strings stored = f.payloads();
    CHECK(stored == strings{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TEST_CASE("a connection cut at a message: it was not stored, and is sent again") {
    for (const cut how : {cut::reset, cut::finish}) {
        fixture f;
        const fault lost = f.faults().messages().times(2).cut(how);
        CHECK(f.send("a").outcome == sluice::outcome::persisted);
        CHECK(lost.met() == 2);
        CHECK(f.producer.stats().frames_resent == 2);
        CHECK(f.payloads() == strings{"a"});
    }
}

// --- acknowledgements ----------------------------------------------------------------------------------------------

TEST_CASE("a connection cut at an acknowledgement: stored twice, or with deduplication once") {
    fixture f;
    const fault lost = f.faults().acks().cut();
    CHECK(f.send("a").outcome == sluice::outcome::persisted);
    CHECK(lost.met() == 1);
    CHECK(f.payloads() == strings{"a", "a"});

    sluice::testing::gateway_options g;
    g.proxy.deduplicate = true;
    fixture once(with_name(), g);
    once.faults().acks("orders").cut();
    CHECK(once.send("a").outcome == sluice::outcome::duplicate);
    CHECK(once.payloads() == strings{"a"});
}

TEST_CASE("a swallowed acknowledgement: the message ends at its time and may be stored") {
    fixture f;
    const fault swallowed = f.faults().acks().swallow();
    sluice::message m("a");
    m.send_timeout = 30ms;
    const sluice::error e = f.error_of_send(m);
    CHECK(e.code() == sluice::errc::ack_timeout);
    CHECK(e.outcome() == sluice::outcome::maybe_persisted);
    CHECK(swallowed.met() == 1);
    CHECK(f.send("b").outcome == sluice::outcome::persisted);
    CHECK(f.payloads() == strings{"a", "b"});
}

TEST_CASE("acknowledgements doubled, and in another order: each finds its own message") {
    fixture f;
    const fault doubled = f.faults().acks().twice();
    const fault swapped = f.faults().acks().after(1).times(2).swap();
    const std::vector<sent> all = f.send_many(0, 6);
    f.wait_for(all);
    const auto stored = f.w.gateway.messages("orders");
    REQUIRE(stored.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].calls() == 1);
        CHECK(all[i].value().message_id.view() == stored[i].message_id);
    }
    CHECK(doubled.met() == 1);
    CHECK(swapped.met() == 2);
    CHECK(f.producer.stats().persisted == all.size());
}

TEST_CASE("a late acknowledgement holds up those behind it, and no more") {
    fixture f;
    const fault late = f.faults().acks().delay(40ms);
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<sent> all = f.send_many(0, 2);
    f.wait_for(all);
    CHECK(std::chrono::steady_clock::now() - begin >= 40ms);
    for (const sent& s : all) CHECK_FALSE(s.error());
    CHECK(late.met() == 1);
}

// --- states --------------------------------------------------------------------------------------------------------

TEST_CASE("a full quota: messages are refused until there is room, and no producer opens") {
    fixture f;
    f.send("a");
    fault full = f.faults().fill_quota("orders");
    const sluice::error e = f.error_of_send("b");
    CHECK(e.code() == sluice::errc::quota_exceeded);
    CHECK(e.code() == sluice::condition::quota);
    CHECK(e.code() == sluice::condition::maybe_persisted);
    CHECK(e.outcome() == sluice::outcome::maybe_persisted); // a real broker may have stored it all the same
    CHECK(contains(e.what(), "The backlog quota of the topic persistent://demo/c8global._system/c8globals.orders"));
    CHECK(full.met() == 1);

    sluice::producer second(f.client, "orders", impatient());
    done opened;
    second.async_open(opened);
    run_until(f.w.context, [&] { return full.met() == 2; });
    run_ready(f.w.context);
    CHECK_FALSE(opened.called());
    CHECK(second.state() == sluice::producer_state::connecting);
    full.withdraw();
    run_until(f.w.context, [&] { return opened.called(); });
    CHECK_FALSE(opened.error());
    CHECK(f.send("c").outcome == sluice::outcome::persisted);
    CHECK(f.producer.stats().connections == 1);
    CHECK(f.payloads() == strings{"a", "c"});
}

TEST_CASE("clear ends them all") {
    fixture f;
    f.faults().fill_quota("");
    f.faults().on(call::any).always().refuse(503);
    f.faults().acks().always().swallow();
    f.faults().connections().always().cut_after(0, direction::to_server);
    f.faults().stop_reading();
    f.faults().clear();
    CHECK(f.send("a").outcome == sluice::outcome::persisted);
    CHECK(f.faults().met() == 0);
    CHECK(f.producer.stats().connect_failures == 0);
}

TEST_CASE("faults are given and taken back from any thread while the gateway serves on others") {
    asio::io_context context;
    std::optional<sluice::testing::gateway> gateway(std::in_place, context);
    std::optional<sluice::client> client(std::in_place, context.get_executor(),
                                         config_for(*gateway, sluice::dialect::gdn));
    auto producer = std::make_unique<sluice::producer>(*client, "orders", impatient());
    std::vector<std::thread> pool;
    std::atomic<std::size_t> persisted{0};
    constexpr std::size_t n = 2000;
    for (std::size_t i = 0; i < n; ++i)
        producer->async_send(std::to_string(i), [&](std::error_code ec, const sluice::receipt&) {
            if (!ec) ++persisted;
        });
    for (int i = 0; i < 2; ++i) pool.emplace_back([&] { context.run(); });
    const sluice::testing::faults faults = gateway->faults();
    std::uint64_t met = 0;
    while (persisted != n) {
        const fault lost = faults.acks().after(20).cut(cut::finish);
        faults.acks().delay(1ms);
        faults.stop_reading().withdraw();
        fault full = faults.fill_quota("other");
        gateway->record(met % 2 == 0);
        met = faults.met() + gateway->recorded().frames;
        full.withdraw();
        faults.clear();
    }
    CHECK(gateway->message_count("orders") >= n);
    producer.reset();
    client.reset();
    gateway.reset();
    for (std::thread& t : pool) t.join();
}

// --- recorded traffic ----------------------------------------------------------------------------------------------

TEST_CASE("what a producer said is on record: requests without secrets, one socket, frames gathered into writes") {
    fixture f;
    f.w.gateway.record(true);
    const std::vector<sent> all = f.send_many(1, 500);
    f.wait_for(all);
    run(f.w.context, f.producer.close());
    run_until(f.w.context, [&] { return f.w.gateway.stats().open_sockets == 0; });
    const sluice::testing::recorded_traffic traffic = f.w.gateway.recorded();
    CHECK(traffic.requests == 2);
    CHECK(traffic.sockets == 1);
    CHECK(traffic.frames == 500);
    CHECK(traffic.frames_per_read() > 10);
    CHECK(traffic.left_out == 0);
    std::size_t sockets = 0;
    strings targets;
    for (const sluice::testing::recorded_connection& c : traffic.connections) {
        for (const sluice::testing::recorded_request& r : c.requests) targets.push_back(r.method + " " + r.target);
        if (!c.socket) continue;
        ++sockets;
        CHECK(c.frames == 500);
        CHECK(c.bytes == f.producer.stats().bytes_written);
        CHECK(c.client_close_code == 1000);
        CHECK(c.server_close_code == 0);
        CHECK(c.requests.back().status == 101);
        CHECK(c.requests.back().authorized);
    }
    CHECK(sockets == 1);
    REQUIRE(targets.size() == 2);
    std::sort(targets.begin(), targets.end());
    CHECK(targets[0].starts_with("GET /_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.orders?"));
    CHECK(contains(targets[0], "otp=***"));
    CHECK(targets[1] == "POST /apid/otp");

    f.w.gateway.record(false);
    sluice::producer second(f.client, "orders", impatient());
    run(f.w.context, second.send("unseen"));
    CHECK(f.w.gateway.recorded().frames == 500);
}
