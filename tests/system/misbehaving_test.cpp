// SPDX-License-Identifier: BSL-1.0
// Servers that do what no server should: an error or another attempt, never a hang, never a wrong result.
#include "support/scripted_server.hpp"
#include "world.hpp"

using namespace test;

namespace {

asio::awaitable<void> serve_well(scripted_peer& peer) {
    bool open = co_await peer.upgrade();
    while (open) {
        const std::optional<std::string> frame = co_await peer.message();
        open = frame.has_value();
        if (open) open = co_await peer.acknowledge(context_of(*frame));
    }
}

/// The first connection is `bad`, every other one good.
template <class Bad>
scripted_server::script first(Bad bad) {
    return [bad](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        if (n == 0)
            co_await bad(peer);
        else
            co_await serve_well(peer);
    };
}

/// What the observer heard first, after a message has got through all the same.
sluice::failure survive(scripted_server::script script, sluice::producer_options options = impatient()) {
    asio::io_context context;
    scripted_server server(context, std::move(script));
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    std::optional<sluice::failure> heard;
    sluice::producer_observer o;
    o.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
        if (!heard) heard = f;
    };
    sluice::producer producer(client, "orders", options, o);
    const sluice::receipt r = run(context, producer.send("hello"));
    CHECK(r.outcome == sluice::outcome::persisted);
    CHECK(server.connections() == 2);
    run_until(context, [&] { return heard.has_value(); });
    run(context, producer.close());
    return *heard;
}

/// Takes the upgrade, and then reads nothing more until it is ended.
class deaf_script {
public:
    explicit deaf_script(asio::io_context& context) : never_(context, std::chrono::steady_clock::time_point::max()) {}
    asio::awaitable<void> operator()(scripted_peer& peer) {
        const bool open = co_await peer.upgrade();
        std::error_code ec;
        if (open) co_await never_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
    void end() { never_.cancel(); }

private:
    asio::steady_timer never_;
};

const std::vector<std::string> more_than_buffers_take(30, std::string(700'000, 'x'));

} // namespace

TEST_CASE("answers to the upgrade that are none") {
    struct bad {
        std::string answer;
        sluice::errc code;
    };
    const std::vector<bad> all{
        {"", sluice::errc::connection_closed},
        {"SSH-2.0-OpenSSH_9.2\r\n", sluice::errc::http_malformed},
        {"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", sluice::errc::handshake_invalid},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
         sluice::errc::handshake_invalid},
        {"HTTP/1.1 101 Switching Protocols\r\nUpg", sluice::errc::http_truncated},
        {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", sluice::errc::unexpected_answer},
        {"HTTP/1.1 302 \r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n",
         sluice::errc::unexpected_answer},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(1u << 20, 'x') + "\r\n\r\n", sluice::errc::http_too_large},
        {"HTTP/1.1 503 \r\nContent-Length: 99\r\n\r\n<html>", sluice::errc::http_truncated},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\n<html><title>502</title></html>", sluice::errc::server_error},
    };
    for (const bad& b : all) {
        CAPTURE(b.answer.substr(0, 60));
        const sluice::failure f = survive(first([text = b.answer](scripted_peer& peer) -> asio::awaitable<void> {
            const bool asked = co_await peer.request();
            if (asked) co_await peer.write(text);
        }));
        if (b.answer.empty())
            CHECK((f.code == b.code || f.code == sluice::errc::http_truncated || f.code == sluice::errc::no_response));
        else
            CHECK(f.code == b.code);
    }
}

TEST_CASE("a server that says nothing: each step has its limit") {
    sluice::producer_options o = impatient();
    o.connect_timeout = 30ms;
    o.send_timeout = 60s;
    const sluice::failure f =
        survive(first([](scripted_peer& peer) -> asio::awaitable<void> { co_await peer.wait_for_end(); }), o);
    CHECK(f.code == sluice::errc::connect_timeout);
    CHECK(f.code == sluice::condition::retryable);
    CHECK(contains(f.details->text, "30 ms"));
}

TEST_CASE("a server that answers no ping is left") {
    sluice::producer_options o = impatient();
    o.ping_interval = 10ms;
    const sluice::failure f = survive(first([](scripted_peer& peer) -> asio::awaitable<void> {
                                          const bool open = co_await peer.upgrade();
                                          if (open) co_await peer.wait_for_end();
                                      }),
                                      o);
    CHECK(f.code == sluice::errc::pong_timeout);
    CHECK(f.code == sluice::condition::timeout);
}

TEST_CASE("frames that break RFC 6455 end the connection, which is told why") {
    struct bad {
        std::string bytes;
        sluice::errc code;
        std::uint16_t told;
    };
    const std::vector<bad> all{
        {std::string("\x81\x81\0\0\0\0x", 7), sluice::errc::protocol_error, 1002}, // masked
        {"\xc1\x01x", sluice::errc::protocol_error, 1002},                         // a reserved bit
        {"\x83\x01x", sluice::errc::protocol_error, 1002},                         // a reserved opcode
        {"\x80\x01x", sluice::errc::protocol_error, 1002},                         // a continuation of nothing
        {"\x81\x02\xc3\x28", sluice::errc::invalid_utf8, 1007},
        {std::string("\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", 10), sluice::errc::message_too_big, 1009},
        {"\x88\x01x", sluice::errc::protocol_error, 1002}, // half a close code
    };
    for (const bad& b : all) {
        CAPTURE(static_cast<int>(b.code));
        std::uint16_t told = 0;
        const sluice::failure f = survive(first([text = b.bytes, &told](scripted_peer& peer) -> asio::awaitable<void> {
            const bool open = co_await peer.upgrade();
            if (open) co_await peer.write(text);
            for (;;) {
                const std::optional<std::string> frame = co_await peer.message();
                if (!frame) break;
            }
            told = peer.close_code;
        }));
        CHECK(f.code == b.code);
        CHECK(told == b.told);
    }
}

TEST_CASE("messages that are no acknowledgement of anything change nothing") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        bool open = co_await peer.upgrade();
        while (open) {
            const std::optional<std::string> frame = co_await peer.message();
            if (!frame) break;
            for (const char* noise :
                 {"", "{}", "[]", "null", "hello", "{\"result\":\"ok\"}",
                  "{\"result\":\"ok\",\"messageId\":\"CAQQADAA\",\"context\":\"18446744073709551615\"}",
                  "{\"result\":\"ok\",\"messageId\":\"CAQQADAA\",\"context\":\"7000\"}",
                  "{\"result\":\"ok\",\"messageId\":\"CAQQADAA\",\"context\":\"-1\"}",
                  "{\"result\":\"ok\",\"messageId\":\"CAQQADAA\",\"context\":\"x\"}",
                  "{\"result\":\"ok\",\"messageId\":\"CAQQADAA\",\"context\":null}", "{\"authChallenge\":{}}"}) {
                open = co_await peer.say(noise);
            }
            co_await peer.write(std::string("\x82\x03\0\1\2", 5)); // a binary message
            co_await peer.write(std::string("\x8a\x00", 2));       // a pong that nobody asked for
            open = co_await peer.acknowledge(context_of(*frame));
            open = co_await peer.acknowledge(context_of(*frame), "twice"); // answered before
        }
    });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer producer(client, "orders", impatient());
    for (int i = 0; i < 3; ++i) {
        const sluice::receipt r = run(context, producer.send("hello"));
        CHECK(r.outcome == sluice::outcome::persisted);
        CHECK(r.message_id.view() == "CAQQADAA");
        CHECK(r.sequence_id == i);
    }
    CHECK(producer.stats().persisted == 3);
    CHECK(server.connections() == 1);
}

TEST_CASE("acknowledgements in any order, in fragments, byte by byte, several in one segment") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        const bool open = co_await peer.upgrade();
        if (!open) co_return;
        std::vector<std::string> contexts;
        while (contexts.size() < 4) {
            const std::optional<std::string> frame = co_await peer.message();
            if (!frame) co_return;
            contexts.push_back(context_of(*frame));
        }
        std::string bytes;
        for (const std::size_t i : {3u, 1u}) {
            const std::string text =
                "{\"result\":\"ok\",\"messageId\":\"id" + contexts[i] + "\",\"context\":\"" + contexts[i] + "\"}";
            bytes += "\x01" + std::string(1, static_cast<char>(10)) + text.substr(0, 10) + std::string("\x89\x00", 2) +
                     "\x80" + std::string(1, static_cast<char>(text.size() - 10)) + text.substr(10);
        }
        for (const char c : bytes) co_await peer.write(std::string(1, c));
        for (const std::size_t i : {0u, 2u}) co_await peer.acknowledge(contexts[i], "id" + contexts[i]);
        co_await peer.wait_for_end();
    });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer producer(client, "orders", impatient());
    const std::vector<std::string> four{"a", "b", "c", "d"};
    const auto results = run(context, producer.send_all(four));
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK_FALSE(results[i].ec);
        CHECK(results[i].value.message_id.view() == "id" + std::to_string(i));
    }
    CHECK(producer.last_sequence_id() == 3);
}

TEST_CASE("an acknowledgement in the same segment as the answer to the upgrade, and one before its message") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        std::string text;
        const auto ignored = web::write_response(web::accept_upgrade(peer.last_request), text);
        static_cast<void>(ignored);
        const std::string early = "{\"result\":\"ok\",\"messageId\":\"early\",\"context\":\"0\"}";
        text += "\x81" + std::string(1, static_cast<char>(early.size())) + early;
        co_await peer.write(text);
        co_await peer.wait_for_end();
    });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer_options o = impatient();
    o.send_timeout = 50ms;
    sluice::producer producer(client, "orders", o);
    // An answer to a message that was not yet written is no answer.
    const sluice::error e = error_of(context, producer.send("hello"));
    CHECK(e.code() == sluice::errc::ack_timeout);
    CHECK(e.outcome() == sluice::outcome::maybe_persisted);
}

TEST_CASE("a server that did not understand a frame loses its connection, and the message is sent again") {
    const sluice::failure f = survive(first([](scripted_peer& peer) -> asio::awaitable<void> {
        const bool open = co_await peer.upgrade();
        if (!open) co_return;
        const std::optional<std::string> frame = co_await peer.message();
        if (!frame) co_return;
        co_await peer.say(
            "{\"result\":\"send-error:3\",\"errorMsg\":\"{\\\"payload\\\":\\\"aGVsbG8=\",\"errorCode\":0}");
        co_await peer.wait_for_end();
    }));
    CHECK(f.code == sluice::errc::unexpected_answer);
    CHECK_FALSE(contains(f.details->text, "aGVsbG8="));
}

TEST_CASE("a server that stops reading: messages end at their time, and close at its own") {
    asio::io_context context;
    deaf_script deaf(context);
    scripted_server server(context, [&](scripted_peer& peer, unsigned) { return deaf(peer); });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer_options o = impatient();
    o.send_timeout = 100ms;
    o.close_timeout = 100ms;
    o.ping_interval = 0ms;
    sluice::producer producer(client, "orders", o);
    const auto results = run(context, producer.send_all(more_than_buffers_take));
    std::size_t maybe = 0, not_sent = 0;
    for (const sluice::result& r : results) {
        if (r.ec == sluice::errc::ack_timeout) ++maybe;
        if (r.ec == sluice::errc::send_timeout) ++not_sent;
    }
    CHECK(maybe + not_sent == results.size());
    CHECK(not_sent != 0);
    run(context, producer.close());
    deaf.end();
    run_ready(context);
}

TEST_CASE("cancelled while half written: the frame is finished and its place kept, what is behind it is withdrawn") {
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial}) {
        asio::io_context context;
        deaf_script deaf(context);
        std::vector<std::size_t> arrived; // sizes of payloads
        scripted_server server(context, [&](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
            co_await deaf(peer);
            for (;;) {
                const std::optional<std::string> frame = co_await peer.message();
                if (!frame) co_return;
                arrived.push_back(payload_of(*frame).size());
                const bool open = co_await peer.acknowledge(context_of(*frame));
                if (!open) co_return;
            }
        });
        sluice::client client(context.get_executor(), {.url = server.websocket_url()});
        sluice::producer producer(client, "orders", impatient());
        std::vector<asio::cancellation_signal> signals(more_than_buffers_take.size());
        std::vector<sent> all(signals.size());
        for (std::size_t i = 0; i < all.size(); ++i)
            producer.async_send(sluice::borrow(more_than_buffers_take[i]),
                                asio::bind_cancellation_slot(signals[i].slot(), all[i]));
        run_until(context, [&] { return producer.stats().connections == 1; });
        run_ready(context); // the writer has no more to do: it stands in the middle of a frame
        for (asio::cancellation_signal& s : signals) s.emit(type);
        run_until(context,
                  [&] { return std::all_of(all.begin(), all.end(), [](const sent& s) { return s.called(); }); });
        std::size_t begun = 0;
        for (const sent& s : all) CHECK(s.error() == asio::error::operation_aborted);
        while (begun < all.size() && all[begun].value().outcome == sluice::outcome::maybe_persisted) ++begun;
        CHECK(begun != 0);
        CHECK(begun < all.size());
        for (std::size_t i = begun; i < all.size(); ++i) CHECK(all[i].value().outcome == sluice::outcome::not_sent);
        deaf.end();
        CHECK(run(context, producer.send("alive")).outcome == sluice::outcome::persisted);
        std::vector<std::size_t> expected(begun, more_than_buffers_take[0].size());
        expected.push_back(5);
        CHECK(arrived == expected);
        CHECK(server.connections() == 1);
        run(context, producer.close());
    }
}

TEST_CASE("a server that stops reading is left after write_timeout, and the messages go over another socket") {
    asio::io_context context;
    deaf_script deaf(context);
    scripted_server server(context, first([&](scripted_peer& peer) { return deaf(peer); }));
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    sluice::producer_options o = impatient();
    o.send_timeout = 60s;
    o.ping_interval = 0ms;
    o.write_timeout = 50ms;
    std::optional<sluice::failure> heard;
    sluice::producer_observer observer;
    observer.on_disconnect = [&](const sluice::failure& f) { heard = f; };
    sluice::producer producer(client, "orders", o, observer);
    const auto results = run(context, producer.send_all(more_than_buffers_take));
    for (const sluice::result& r : results) CHECK(r.value.outcome == sluice::outcome::persisted);
    CHECK(server.connections() == 2);
    REQUIRE(heard);
    CHECK(heard->code == sluice::errc::write_stalled);
    CHECK(heard->code == sluice::condition::timeout);
    CHECK(contains(heard->details->text, "write_timeout = 50 ms"));
    run(context, producer.close());
    deaf.end();
    run_ready(context);
}

TEST_CASE("a server that lets in and drops at once is asked less and less often") {
    asio::io_context context;
    scripted_server server(context, [](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        const bool open = co_await peer.upgrade();
        if (open && n >= 4) co_await peer.wait_for_end();
    });
    sluice::client client(context.get_executor(), {.url = server.websocket_url()});
    std::vector<unsigned> attempts;
    sluice::producer_observer observer;
    observer.on_reconnect = [&](const sluice::failure&, unsigned n, std::chrono::milliseconds) {
        attempts.push_back(n);
    };
    sluice::producer_options o = impatient();
    o.reconnect = {1ms, 60s, 1.0};
    sluice::producer producer(client, "orders", o, observer);
    run(context, producer.open());
    run_until(context, [&] { return attempts.size() == 4; });
    CHECK(attempts == std::vector<unsigned>{1, 2, 3, 4});
}
