// SPDX-License-Identifier: BSL-1.0
// Lost connections heal by themselves: nothing is lost, the order is kept, only what was unanswered is sent again.
#include "support/scripted_server.hpp"
#include "world.hpp"

#include <map>

using namespace test;

namespace {

using cut = sluice::testing::cut;

/// Sends n numbered messages with callbacks.
struct storm {
    storm(sluice::producer& p, std::size_t n) : all(n) {
        for (std::size_t i = 0; i < n; ++i)
            p.async_send(sluice::message(std::to_string(i)), [this, i](std::error_code ec, sluice::receipt r) {
                REQUIRE_FALSE(all[i].called());
                all[i](ec, std::move(r));
                ++answered;
            });
    }

    /// Everything is persisted, in order, and what is there twice was unanswered when it was sent again.
    void check(world& w, std::string_view topic, bool exactly_once = false) const {
        std::map<std::string, std::vector<std::string>> ids;
        std::size_t expected = 0;
        bool in_order = true;
        for (const sluice::testing::stored_message& m : w.gateway.messages(topic)) {
            std::vector<std::string>& copies = ids[m.payload];
            copies.push_back(m.message_id);
            if (copies.size() == 1) in_order = in_order && m.payload == std::to_string(expected++);
        }
        CHECK(in_order);
        CHECK(expected == all.size());
        std::size_t repeats = 0, wrong = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            REQUIRE(all[i].called());
            CHECK_FALSE(all[i].error());
            const std::vector<std::string>& copies = ids[std::to_string(i)];
            repeats += copies.size() - 1;
            // The answer that completed it was the last copy's: had an earlier one's arrived, there would be no later.
            if (!exactly_once && copies.back() != all[i].value().message_id.view()) ++wrong;
        }
        CHECK(wrong == 0);
        if (exactly_once) CHECK(repeats == 0);
    }

    std::vector<sent> all;
    std::size_t answered = 0;
};

/// `trouble` each time that another connection has brought an answer.
template <class Trouble>
void rage(world& w, sluice::producer& p, storm& s, std::size_t times, Trouble trouble) {
    for (std::size_t i = 1; i <= times; ++i) {
        run_until(w.context, [&] { return p.stats().connections == i; });
        const std::size_t before = s.answered;
        run_until(w.context, [&] { return s.answered > before; });
        REQUIRE(s.answered < s.all.size());
        trouble(i);
    }
    run_until(w.context, [&] { return s.answered == s.all.size(); });
}

/// A host with an address of each family, the one that is tried first in front.
std::vector<asio::ip::tcp::endpoint> both_families;

template <class Executor>
struct two_addresses {
    using results_type = std::vector<asio::ip::tcp::endpoint>;
    explicit two_addresses(const Executor& e) : executor(e) {}
    void cancel() {}
    template <class Handler>
    void async_resolve(const std::string&, const std::string&, Handler handler) {
        asio::post(executor, [h = std::move(handler)]() mutable { h(std::error_code(), both_families); });
    }
    Executor executor;
};
struct two_addresses_traits : sluice::default_traits {
    template <class Executor>
    using resolver = two_addresses<Executor>;
};

bool has_ipv6() {
    asio::io_context context;
    std::error_code ec;
    asio::ip::tcp::acceptor acceptor(context);
    acceptor.open(asio::ip::tcp::v6(), ec);
    if (!ec) acceptor.bind({asio::ip::address_v6::loopback(), 0}, ec);
    return !ec;
}

} // namespace

TEST_CASE("both families: the address of the one refuses, and the other takes its place") {
    if (!has_ipv6()) {
        MESSAGE("this machine has no IPv6");
        return;
    }
    for (const bool v6 : {true, false}) {
        CAPTURE(v6);
        sluice::testing::gateway_options options;
        options.address = v6 ? "::1" : "127.0.0.1";
        world w(options);
        const asio::ip::tcp::endpoint works(asio::ip::make_address(options.address), w.gateway.port());
        const asio::ip::tcp::endpoint refuses(asio::ip::make_address(v6 ? "127.0.0.1" : "::1"), w.gateway.port());
        both_families = {refuses, works};
        sluice::basic_client<asio::any_io_executor, two_addresses_traits> client(
            w.context.get_executor(), config_for(w.gateway, sluice::dialect::pulsar));
        sluice::basic_producer<asio::any_io_executor, sluice::codec::none, two_addresses_traits> producer(
            client, "orders", impatient());
        CHECK(run(w.context, producer.send("a")).outcome == sluice::outcome::persisted);
        CHECK(producer.stats().connect_failures == 0);
        w.gateway.drop_connections(cut::reset);
        CHECK(run(w.context, producer.send("b")).outcome == sluice::outcome::persisted);
        CHECK(w.payloads("orders") == std::vector<std::string>{"a", "b"});
    }
}

TEST_CASE("an IPv6 address in the URL, for calls and for the socket") {
    if (!has_ipv6()) {
        MESSAGE("this machine has no IPv6");
        return;
    }
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        sluice::testing::gateway_options options;
        options.address = "::1";
        world w(options);
        CHECK(contains(w.gateway.url(), "[::1]"));
        sluice::client client = w.make_client(d);
        sluice::producer producer(client, "orders", impatient());
        CHECK(run(w.context, producer.send("a")).outcome == sluice::outcome::persisted);
    }
}

TEST_CASE("thousands in flight over connections that are cut: all persisted, in order") {
    for (const sluice::dialect d : dialects) {
        for (const cut how : {cut::reset, cut::finish}) {
            CAPTURE(name_of(d));
            world w;
            sluice::client client = w.make_client(d);
            sluice::producer producer(client, "orders", impatient());
            storm s(producer, 6000);
            rage(w, producer, s, 5, [&](std::size_t) { w.gateway.drop_connections(how); });
            s.check(w, "orders");
            CHECK(producer.stats().connections >= 6);
            CHECK(producer.stats().persisted == 6000);
            CHECK(producer.stats().pending_messages == 0);
        }
    }
}

TEST_CASE("thousands in flight over sockets that the server closes") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders", impatient());
    storm s(producer, 6000);
    rage(w, producer, s, 5,
         [&](std::size_t i) { w.gateway.close_all_sockets(i % 2 == 0 ? 1001 : 1011, "restarting"); });
    s.check(w, "orders");
    CHECK(producer.stats().connections == 6);
}

TEST_CASE("with deduplication, exactly once, with the proxy's batching and without") {
    for (const bool batching : {false, true}) {
        CAPTURE(batching);
        sluice::testing::gateway_options g;
        g.proxy.deduplicate = true;
        world w(g);
        sluice::client client = w.make_client();
        sluice::producer_options o = impatient();
        o.producer_name = "once";
        o.deduplicate = true;
        o.batching_enabled = batching;
        o.batching_max_messages = 50;
        o.batching_max_publish_delay = 1ms;
        sluice::producer producer(client, "orders", o);
        storm s(producer, 7000);
        rage(w, producer, s, 6, [&](std::size_t) { w.gateway.drop_connections(); });
        s.check(w, "orders", true);
    }
}

TEST_CASE("a cut at each step of the way: the message arrives over the next connection") {
    // How far the first connections come before they end.
    enum step { accepted, asked, half_answered, opened, received, half_acknowledged, closed_politely, last };
    for (const bool reset : {false, true}) {
        for (int at = accepted; at != last; ++at) {
            CAPTURE(at);
            CAPTURE(reset);
            asio::io_context context;
            std::vector<std::string> frames;
            scripted_server server(context, [&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
                const bool good = n >= 2;
                const auto end = [&] {
                    if (reset) peer.reset();
                };
                if (!good && at == accepted) co_return end();
                const bool read = co_await peer.request();
                if (!read) co_return;
                if (!good && at == asked) co_return end();
                if (!good && at == half_answered) {
                    co_await peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web");
                    co_return end();
                }
                bool open = co_await peer.accept();
                if (!good && at == opened) co_return end();
                while (open) {
                    const std::optional<std::string> frame = co_await peer.message();
                    if (!frame) co_return;
                    frames.push_back(*frame);
                    if (!good && at == received) co_return end();
                    if (!good && at == half_acknowledged) {
                        co_await peer.write("\x81\x30{\"result\":\"ok\",\"messa");
                        co_return end();
                    }
                    if (!good && at == closed_politely) {
                        co_await peer.close(1001, "going away");
                        co_await peer.wait_for_end();
                        co_return end();
                    }
                    open = co_await peer.acknowledge(context_of(*frame));
                }
            });
            sluice::client_config c;
            c.url = server.websocket_url();
            sluice::client client(context.get_executor(), c);
            sluice::producer producer(client, "orders", impatient());
            const sluice::receipt r = run(context, producer.send("precious"));
            CHECK(r.outcome == sluice::outcome::persisted);
            CHECK(server.connections() == 3);
            for (const std::string& f : frames) CHECK(f == R"({"payload":"cHJlY2lvdXM=","context":"0"})");
            run(context, producer.close());
        }
    }
}

TEST_CASE("the unacknowledged go first, in their old order, before what was sent meanwhile") {
    asio::io_context context;
    std::vector<std::string> first, second;
    scripted_server server(context, [&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        bool open = co_await peer.upgrade();
        while (open) {
            const std::optional<std::string> frame = co_await peer.message();
            if (!frame) break;
            if (n == 0) {
                first.push_back(payload_of(*frame));
                // The middle one is answered, the others are not.
                if (first.back() == "b") open = co_await peer.acknowledge(context_of(*frame));
                if (first.back() == "c") co_return peer.reset();
            } else {
                second.push_back(payload_of(*frame));
                open = co_await peer.acknowledge(context_of(*frame));
            }
        }
    });
    sluice::client_config c;
    c.url = server.websocket_url();
    sluice::client client(context.get_executor(), c);
    std::vector<sent> all(5);
    std::unique_ptr<sluice::producer> producer;
    sluice::producer_observer o;
    o.on_disconnect = [&](const sluice::failure&) {
        producer->async_send("d", all[3]);
        producer->async_send("e", all[4]);
    };
    producer = std::make_unique<sluice::producer>(client, "orders", impatient(), o);
    for (std::size_t i = 0; i < 3; ++i) producer->async_send(std::string(1, static_cast<char>('a' + i)), all[i]);
    run_until(context, [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); });
    for (const sent& s : all) CHECK(s.value().outcome == sluice::outcome::persisted);
    CHECK(first == std::vector<std::string>{"a", "b", "c"});
    CHECK((second == std::vector<std::string>{"a", "c", "d", "e"} ||
           second == std::vector<std::string>{"a", "b", "c", "d", "e"})); // the reset may have eaten the answer
    CHECK(producer->stats().frames_resent == second.size() - 2);
    producer.reset();
    run_ready(context);
}

TEST_CASE("states and news, in order, through a loss and a close") {
    world w;
    sluice::client client = w.make_client();
    std::vector<std::string> said;
    std::unique_ptr<sluice::producer> producer;
    const auto note = [&](const char* what) {
        said.push_back(std::string(what) + " " + std::string(sluice::to_string(producer->state())));
    };
    sluice::producer_observer o;
    o.on_open = [&] { note("open"); };
    o.on_disconnect = [&](const sluice::failure& f) {
        CHECK(f.code == sluice::errc::connection_closed);
        CHECK(f.details->close_code == 1012);
        CHECK(contains(f.details->text, "back soon"));
        note("disconnect");
    };
    o.on_reconnect = [&](const sluice::failure& f, unsigned attempt, std::chrono::milliseconds delay) {
        CHECK(f.code == sluice::errc::connection_closed);
        CHECK(attempt == 1);
        CHECK(delay <= 2ms);
        note("reconnect");
    };
    o.on_close = [&](const sluice::failure& f) {
        CHECK_FALSE(f);
        note("close");
    };
    producer = std::make_unique<sluice::producer>(client, "orders", impatient(), o);
    run(w.context, producer->open());
    run_until(w.context, [&] { return said.size() == 1; });
    w.gateway.close_all_sockets(1012, "back soon");
    run_until(w.context, [&] { return said.size() == 4; });
    run(w.context, producer->close());
    run_until(w.context, [&] { return said.size() == 5; });
    CHECK(said == std::vector<std::string>{"open open", "disconnect reconnecting", "reconnect reconnecting",
                                           "open open", "close closed"});
    CHECK(producer->stats().connections == 2);
}

TEST_CASE("an observer may destroy its producer") {
    world w;
    sluice::client client = w.make_client();
    std::unique_ptr<sluice::producer> producer;
    sluice::producer_observer o;
    o.on_open = [&] { producer.reset(); };
    o.on_close = [](const sluice::failure&) { FAIL("told after its producer has gone"); };
    producer = std::make_unique<sluice::producer>(client, "orders", impatient(), o);
    sent s;
    producer->async_send("a", s);
    run_until(w.context, [&] { return s.called(); });
    CHECK((s.error() == asio::error::operation_aborted || !s.error()));
    run_ready(w.context);
}

TEST_CASE("an observer whose producer has gone is told nothing: what it refers to may be gone too") {
    world w;
    sluice::client client = w.make_client();
    int told = 0;
    sluice::producer_observer o;
    o.on_open = [&] { ++told; };
    o.on_close = [&](const sluice::failure&) { ++told; };
    auto producer = std::make_unique<sluice::producer>(client, "orders", impatient(), o);
    sent s;
    producer->async_send("a", s);
    run_until(w.context, [&] { return producer->state() == sluice::producer_state::open; }); // its news is on the way
    CHECK(told == 0);
    producer.reset();
    run_until(w.context, [&] { return s.called(); });
    run_ready(w.context);
    CHECK(told == 0);
}

TEST_CASE("a server that comes back on the same port") {
    asio::io_context context;
    auto first = std::make_unique<sluice::testing::gateway>(context);
    sluice::testing::gateway_options same;
    same.port = first->port();
    same.proxy.api_keys.push_back(first->api_key());
    sluice::client client(context.get_executor(), config_for(*first, sluice::dialect::gdn));
    sluice::producer producer(client, "orders", impatient());
    run(context, producer.send("a"));
    first.reset();
    sent s;
    producer.async_send("b", s);
    run_until(context, [&] { return producer.stats().connect_failures >= 3; });
    CHECK_FALSE(s.called());
    CHECK(producer.state() == sluice::producer_state::reconnecting);
    sluice::testing::gateway second(context, same);
    run_until(context, [&] { return s.called(); });
    CHECK_FALSE(s.error());
    CHECK(second.message_count("orders") == 1);
}
