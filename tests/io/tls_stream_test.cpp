// SPDX-License-Identifier: BSL-1.0
// The TLS stream over real sockets, beside Asio's own at the other end.
#include "support/run_loop.hpp"

#include <sluice/io/tls_stream.hpp>
#include <sluice/testing/gateway/certificate.hpp>

#include <asio/ssl.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

using namespace test;

namespace {

using stream = sluice::io::tls_stream<asio::any_io_executor>;
using server_stream = asio::ssl::stream<asio::ip::tcp::socket>;

struct pair {
    explicit pair(int version = TLS1_3_VERSION) {
        tls.use_certificate(asio::buffer(own.pem), asio::ssl::context::pem);
        tls.use_private_key(asio::buffer(own.key_pem), asio::ssl::context::pem);
        SSL_CTX_set_max_proto_version(tls.native_handle(), version);
        trusting.add_certificate_authority(asio::buffer(own.pem));
        asio::ip::tcp::acceptor acceptor(context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        asio::ip::tcp::socket socket(context);
        bool accepted = false, connected = false, greeted = false;
        acceptor.async_accept(socket, [&](std::error_code ec) { accepted = !ec; });
        end.async_connect(acceptor.local_endpoint(), [&](std::error_code ec) { connected = !ec; });
        run_until(context, [&] { return accepted && connected; });
        server = std::make_unique<server_stream>(std::move(socket), tls);
        bool served = false;
        server->async_handshake(server_stream::server, [&](std::error_code ec) { served = !ec; });
        client = std::make_unique<stream>(end, trusting, "localhost");
        client->async_handshake([&](std::error_code ec) {
            CHECK_FALSE(ec);
            greeted = true;
        });
        CHECK_FALSE(greeted); // never inside
        run_until(context, [&] { return greeted && served; });
    }

    asio::io_context context{};
    sluice::testing::detail::certificate own = sluice::testing::detail::make_certificate();
    asio::ssl::context tls{asio::ssl::context::tls_server}, trusting{asio::ssl::context::tls_client};
    asio::ip::tcp::socket end{context};
    std::unique_ptr<stream> client{};
    std::unique_ptr<server_stream> server{};
    char some[100]{};
    std::string large = std::string(120'000, 'x');
};

std::string pattern(std::size_t n, unsigned seed) {
    std::string text(n, '\0');
    for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>((i * 2654435761u + seed) >> 13);
    return text;
}

template <class Stream>
asio::awaitable<void> write_all(Stream& to, std::string text) {
    std::size_t step = 1;
    for (std::size_t sent = 0; sent < text.size();) {
        const std::size_t n = std::min(step, text.size() - sent);
        const std::size_t written =
            co_await to.async_write_some(asio::buffer(text.data() + sent, n), asio::use_awaitable);
        CHECK(written <= n);
        CHECK(written != 0);
        sent += written;
        step = step * 3 % 600'011 + 1;
    }
}
template <class Stream>
asio::awaitable<std::string> read_all(Stream& from, std::size_t size) {
    std::string all, some(300'000, '\0');
    std::size_t step = 1;
    while (all.size() < size) {
        const std::size_t n =
            co_await from.async_read_some(asio::buffer(some.data(), std::min(step, some.size())), asio::use_awaitable);
        all.append(some, 0, n);
        step = step * 5 % 400'009 + 1;
    }
    co_return all;
}

/// Asks for new keys again and again, in the middle of everything.
asio::awaitable<void> renew_keys(server_stream& server, const bool& over, int& renewed) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!over) {
        renewed += SSL_key_update(server.native_handle(), SSL_KEY_UPDATE_REQUESTED);
        timer.expires_after(std::chrono::microseconds(300));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

} // namespace

TEST_CASE("TLS stream: both ways at once, in pieces of all sizes, whole and in order, through new keys") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        pair p(version);
        const std::string there = pattern(12'000'000, 1), back = pattern(9'000'000, 2);
        std::string got_there, got_back;
        int left = 4, renewed = 0;
        bool over = false;
        const auto end = [&](std::exception_ptr e, auto... got) {
            CHECK_FALSE(e);
            if constexpr (sizeof...(got) == 1)
                (..., (got.size() == there.size() ? got_there = std::move(got) : got_back = std::move(got)));
            over = --left == 0;
        };
        asio::co_spawn(p.context, write_all(*p.client, there), end);
        asio::co_spawn(p.context, write_all(*p.server, back), end);
        asio::co_spawn(p.context, read_all(*p.server, there.size()), end);
        asio::co_spawn(p.context, read_all(*p.client, back.size()), end);
        if (version == TLS1_3_VERSION) asio::co_spawn(p.context, renew_keys(*p.server, over, renewed), asio::detached);
        run_until(p.context, [&] { return left == 0; });
        CHECK((got_there == there));
        CHECK((got_back == back));
        if (version == TLS1_3_VERSION) CHECK(renewed > 3);
    }
}

TEST_CASE("TLS stream: what is there already comes later, and nothing comes of nothing") {
    pair p;
    const std::string text = pattern(10'000, 3);
    asio::co_spawn(p.context, write_all(*p.server, text), asio::detached);
    CHECK(run(p.context, read_all(*p.client, 5)).size() >= 5);
    char some[3];
    int called = 0;
    const auto count = [&](std::error_code ec, std::size_t n) {
        CHECK_FALSE(ec);
        called += static_cast<int>(n) + 1;
    };
    p.client->async_read_some(asio::buffer(some), count);
    CHECK(called == 0);
    run_until(p.context, [&] { return called != 0; });
    CHECK(called == 4);
    p.client->async_read_some(asio::mutable_buffer(), count);
    p.client->async_write_some(asio::const_buffer(), count);
    CHECK(called == 4);
    run_until(p.context, [&] { return called == 6; });
}

TEST_CASE("TLS stream: an end with a close alert is one, an end without is none") {
    for (const bool alert : {true, false}) {
        CAPTURE(alert);
        pair p;
        std::error_code ignored, told;
        bool there = false;
        if (alert)
            p.server->async_shutdown([](std::error_code) {});
        else
            p.server->lowest_layer().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
        char some[100];
        p.client->async_read_some(asio::buffer(some), [&](std::error_code ec, std::size_t n) {
            told = ec;
            there = true;
            CHECK(n == 0);
        });
        run_until(p.context, [&] { return there; });
        if (alert)
            CHECK(told == asio::error::eof);
        else
            CHECK(told == asio::ssl::error::stream_truncated);
    }
}

TEST_CASE("TLS stream: a handler keeps its executor and its cancellation slot; a close ends what is under way") {
    pair p;
    asio::thread_pool pool(1);
    const auto busy = asio::make_work_guard(p.context); // what waits for the pool is not the context's work
    asio::cancellation_signal stop;
    std::atomic<int> called{0};
    char some[100];
    asio::co_spawn(p.context, write_all(*p.server, "behind the session tickets"), asio::detached);
    run(p.context, read_all(*p.client, 26));
    p.client->async_read_some(
        asio::buffer(some),
        asio::bind_executor(pool, asio::bind_cancellation_slot(stop.slot(), [&](std::error_code ec, std::size_t) {
                                CHECK(ec == asio::error::operation_aborted);
                                CHECK(pool.get_executor().running_in_this_thread());
                                ++called;
                                asio::post(p.context, [] {}); // wakes who waits for it
                            })));
    run_ready(p.context);
    stop.emit(asio::cancellation_type::terminal);
    run_until(p.context, [&] { return called == 1; });
    pool.join();

    const std::string large = pattern(120'000, 4);
    std::error_code read, written;
    p.client->async_read_some(asio::buffer(some), [&](std::error_code ec, std::size_t) { read = ec, ++called; });
    std::function<void()> more = [&] { // nobody reads: some write will not end
        p.client->async_write_some(asio::buffer(large), [&](std::error_code ec, std::size_t) {
            written = ec;
            if (ec)
                ++called;
            else
                more();
        });
    };
    more();
    run_ready(p.context);
    p.end.close();
    run_until(p.context, [&] { return called == 3; });
    CHECK(read == asio::error::operation_aborted);
    CHECK(written == asio::error::operation_aborted);
}

TEST_CASE("TLS stream: a cancellation between two steps is heard") {
    pair p;
    asio::co_spawn(p.context, write_all(*p.server, "behind the session tickets"), asio::detached);
    run(p.context, read_all(*p.client, 26));
    // Half a record arrives: the read's first step has ended, and its handler is queued.
    SSL* const ssl = p.server->native_handle();
    BIO* const wire = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl, wire);
    REQUIRE(SSL_write(ssl, "hello", 5) == 5);
    std::string record(static_cast<std::size_t>(BIO_pending(wire)), '\0');
    REQUIRE(BIO_read(wire, record.data(), static_cast<int>(record.size())) > 0);
    asio::cancellation_signal stop;
    std::error_code told;
    bool there = false;
    asio::io_context handlers;
    p.client->async_read_some(
        asio::buffer(p.some),
        asio::bind_executor(handlers, asio::bind_cancellation_slot(stop.slot(), [&](std::error_code ec, std::size_t) {
                                told = ec;
                                there = true;
                            })));
    run_ready(p.context);
    asio::write(p.server->next_layer(), asio::buffer(record.data(), 10));
    run_until(p.context, [&] { return p.end.available() == 0; });
    run_ready(p.context);
    CHECK_FALSE(there);
    stop.emit(asio::cancellation_type::terminal);
    run_ready(handlers);
    run_ready(p.context);
    run_ready(handlers);
    REQUIRE(there);
    CHECK(told == asio::error::operation_aborted);
}

TEST_CASE("TLS stream: a write that the peer is slow to take tells how it comes along") {
    pair p;
    std::error_code ignored;
    p.end.set_option(asio::socket_base::send_buffer_size(16 * 1024), ignored);
    p.server->lowest_layer().set_option(asio::socket_base::receive_buffer_size(16 * 1024), ignored);
    const std::string text = pattern(400'000, 7);
    std::size_t sent = 0, steps = 0;
    const auto send = [&]() -> asio::awaitable<void> {
        while (sent != text.size()) {
            const std::size_t n = co_await p.client->async_write_some(
                asio::buffer(text.data() + sent, text.size() - sent), asio::use_awaitable);
            CHECK(n != 0);
            sent += n;
            ++steps;
        }
    };
    bool over = false;
    asio::co_spawn(p.context, send(), [&](std::exception_ptr e) { over = !e; });
    CHECK((run(p.context, read_all(*p.server, text.size())) == text));
    run_until(p.context, [&] { return over; });
    CHECK(steps > 2 * text.size() / (128 * 1024));
}

TEST_CASE("TLS stream: a write waits for the end of a server's message, but not for ever") {
    for (const bool ends : {true, false}) {
        CAPTURE(ends);
        pair p;
        asio::co_spawn(p.context, write_all(*p.server, "behind the session tickets"), asio::detached);
        run(p.context, read_all(*p.client, 26));
        SSL* const ssl = p.server->native_handle();
        const std::string data(1500, 'x');
        REQUIRE(SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data.data(), data.size()) == 1);
        REQUIRE(SSL_set_max_send_fragment(ssl, 512) == 1);
        BIO* const wire = BIO_new(BIO_s_mem());
        SSL_set0_wbio(ssl, wire);
        REQUIRE(SSL_new_session_ticket(ssl) == 1);
        REQUIRE(SSL_write(ssl, "text", 4) == 4);
        std::string records(static_cast<std::size_t>(BIO_pending(wire)), '\0');
        REQUIRE(BIO_read(wire, records.data(), static_cast<int>(records.size())) > 1500);

        bool read = false, over = false;
        std::error_code told;
        p.client->async_read_some(asio::buffer(p.some), [&](std::error_code, std::size_t) { read = true; });
        asio::write(p.server->next_layer(), asio::buffer(records.data(), 700));
        run_until(p.context, [&] { return p.end.available() == 0; });
        run_ready(p.context);
        p.client->async_write_some(asio::buffer("hello", 5), [&](std::error_code ec, std::size_t n) {
            told = ec;
            over = true;
            CHECK(n == (ends ? 5 : 0));
        });
        run_ready(p.context);
        CHECK_FALSE(over);
        if (ends) asio::write(p.server->next_layer(), asio::buffer(records.data() + 700, records.size() - 700));
        run_until(p.context, [&] { return over; });
        CHECK(read == ends);
        if (ends)
            CHECK_FALSE(told);
        else
            CHECK(told == asio::error::timed_out);
    }
}

TEST_CASE("TLS stream: a server that asks for new keys for ever and never listens is left") {
    pair p;
    std::error_code told;
    bool there = false, stop = false;
    // The answers have nowhere to go while a write is under way that nobody takes.
    std::function<void()> write = [&] {
        p.client->async_write_some(asio::buffer(p.large), [&](std::error_code ec, std::size_t) {
            if (!ec) write();
        });
    };
    write();
    run_ready(p.context);
    std::function<void()> read = [&] {
        p.client->async_read_some(asio::buffer(p.some), [&](std::error_code ec, std::size_t) {
            told = ec;
            there = static_cast<bool>(ec);
            if (!ec) read();
        });
    };
    read();
    std::function<void()> ask = [&] {
        if (stop || SSL_key_update(p.server->native_handle(), SSL_KEY_UPDATE_REQUESTED) != 1) return;
        p.server->async_write_some(asio::buffer("x", 1), [&](std::error_code ec, std::size_t) {
            if (!ec) ask();
        });
    };
    ask();
    run_until(p.context, [&] { return there; });
    stop = true;
    CHECK(told == asio::error::no_buffer_space);
}

TEST_CASE("TLS stream: the context goes with a read, a write or a handshake under way") {
    for (const bool greeting : {false, true}) {
        CAPTURE(greeting);
        std::weak_ptr<int> gone;
        {
            pair p;
            const auto held = std::make_shared<int>(0);
            gone = held;
            // Alive as long as its operations, as with a coroutine's frame.
            struct connection {
                connection(asio::ip::tcp::socket s, asio::ssl::context& c)
                    : socket(std::move(s)), tls(socket, c, "localhost") {}
                asio::ip::tcp::socket socket;
                stream tls;
            };
            if (greeting) {
                const auto c = std::make_shared<connection>(std::move(p.end), p.trusting);
                c->tls.async_handshake([held, c](std::error_code) {});
            } else {
                p.client->async_read_some(asio::mutable_buffer(p.some, 100), [held](std::error_code, std::size_t) {});
                p.client->async_write_some(asio::buffer(p.large), [held](std::error_code, std::size_t) {});
            }
            p.server->lowest_layer().close();
        }
        CHECK(gone.expired());
    }
}

TEST_CASE("TLS stream: an idle one keeps little memory, whatever it has carried") {
    pair p;
    stream* const inner = p.client.get();
    const std::string large = pattern(1'000'000, 6), small = "hello";
    asio::co_spawn(p.context, write_all(*p.client, large), asio::detached);
    CHECK(run(p.context, read_all(*p.server, large.size())) == large);
    CHECK(inner->engine().outgoing().capacity() > 100'000);
    asio::co_spawn(p.context, write_all(*p.server, large), asio::detached);
    CHECK(run(p.context, read_all(*p.client, large.size())) == large);
    CHECK(inner->engine().incoming().capacity() >= 64 * 1024);
    for (int i = 0; i < 8; ++i) {
        asio::co_spawn(p.context, write_all(*p.client, small), asio::detached);
        run(p.context, read_all(*p.server, small.size()));
        asio::co_spawn(p.context, write_all(*p.server, small), asio::detached);
        run(p.context, read_all(*p.client, small.size()));
    }
    CHECK(inner->engine().outgoing().capacity() <= 16 * 1024);
    CHECK(inner->engine().incoming().capacity() <= 16 * 1024);
}
