// SPDX-License-Identifier: BSL-1.0
// The HTTP client against servers that keep connections, close them, cut answers short, say too much, or nothing.
#include "support/scripted_server.hpp"

#include <sluice/io/http_client.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

using strand_type = asio::strand<asio::io_context::executor_type>;
using http_client = sluice::io::http_client<strand_type, sluice::default_traits>;
using sluice::io::exchange_result;

struct fixture {
    explicit fixture(scripted_server::script script, sluice::time_limits limits = {})
        : server(context, std::move(script)), client(strand, limits) {}

    sluice::pulsar::origin where() const { return {false, "127.0.0.1", server.port()}; }

    /// Starts a call; its result arrives in what is returned.
    outcome_of<std::exception_ptr, exchange_result> start(std::string target = "/", bool repeatable = true) {
        outcome_of<std::exception_ptr, exchange_result> end;
        web::http_request request;
        request.target = std::move(target);
        asio::co_spawn(strand, client.exchange(where(), std::move(request), nullptr, repeatable), end);
        return end;
    }
    exchange_result get(std::string target = "/", bool repeatable = true) {
        const auto end = start(std::move(target), repeatable);
        run_until(context, [&] { return end.called(); });
        REQUIRE_FALSE(end.get<0>());
        return end.value();
    }

    asio::io_context context{};
    strand_type strand{asio::make_strand(context.get_executor())};
    scripted_server server;
    http_client client;
};

/// Answers every request on every connection with its target.
asio::awaitable<void> echo(scripted_peer& peer, unsigned) {
    for (bool more = true; more;) {
        more = co_await peer.request();
        if (more) more = co_await peer.answer(200, peer.last_request.target);
    }
}

/// The raw answer to the first request.
scripted_server::script say(std::string bytes) {
    return [=](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        const bool asked = co_await peer.request();
        if (asked) co_await peer.write(bytes);
    };
}

} // namespace

TEST_CASE("a kept connection carries the next call, also over an empty reason phrase and chunks") {
    fixture f(echo);
    for (int i = 0; i < 5; ++i) {
        const exchange_result r = f.get("/" + std::to_string(i));
        CHECK_FALSE(r.error);
        CHECK(r.response.status == 200);
        CHECK(r.response.reason.empty());
        CHECK(r.response.body == "/" + std::to_string(i));
    }
    CHECK(f.server.connections() == 1);
}

TEST_CASE("calls at the same time have connections of their own, of which two are kept") {
    fixture f(echo);
    std::vector<outcome_of<std::exception_ptr, exchange_result>> all;
    for (int i = 0; i < 5; ++i) all.push_back(f.start("/" + std::to_string(i)));
    run_until(f.context, [&] { return std::all_of(all.begin(), all.end(), [](const auto& e) { return e.called(); }); });
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i].value().response.body == "/" + std::to_string(i));
    const unsigned before = f.server.connections();
    CHECK(before == 5);
    f.get();
    f.get();
    CHECK(f.server.connections() == before);
}

TEST_CASE("a kept connection that the server has closed meanwhile: once more over a new one") {
    for (const bool reset : {false, true}) {
        CAPTURE(reset);
        fixture f([reset](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
            const bool asked = co_await peer.request();
            if (asked) co_await peer.answer(200, "only one");
            const bool again = co_await peer.request(); // read, and not answered
            if (again && reset) peer.reset();
        });
        for (int i = 0; i < 3; ++i) {
            const exchange_result r = f.get();
            CHECK_FALSE(r.error);
            CHECK(r.response.body == "only one");
        }
        CHECK(f.server.connections() == 3);
    }
}

TEST_CASE("what the server may not see twice takes a new connection, and is not sent again") {
    unsigned requests = 0;
    fixture f([&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        for (bool more = true; more;) {
            more = co_await peer.request();
            if (!more) break;
            ++requests;
            if (n == 1) break; // no answer
            more = co_await peer.answer(200, "");
        }
    });
    CHECK_FALSE(f.get("/first").error);
    const exchange_result r = f.get("/once", false);
    CHECK(r.error.code == sluice::errc::no_response);
    CHECK(requests == 2);
    CHECK(f.server.connections() == 2);
}

TEST_CASE("a connection that ends with its answer, or may not be kept, is not used again") {
    for (const char* answer :
         {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi",
          "HTTP/1.1 200 OK\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, and more than was asked for"}) {
        CAPTURE(answer);
        fixture f(say(answer));
        for (unsigned i = 1; i <= 2; ++i) {
            const exchange_result r = f.get();
            CHECK_FALSE(r.error);
            CHECK(r.response.body == "hi");
            CHECK(f.server.connections() == i);
        }
    }
}

TEST_CASE("chunked answers, byte by byte") {
    fixture f([](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        const std::string text = "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, "
                                 "world\r\n0\r\nTrailer: x\r\n\r\n";
        for (const char c : text) co_await peer.write(std::string(1, c));
        co_await peer.wait_for_end();
    });
    const exchange_result r = f.get();
    CHECK_FALSE(r.error);
    CHECK(r.response.body == "hello, world");
}

TEST_CASE("answers that are none: an error, each its own") {
    struct bad {
        std::string answer;
        sluice::errc code;
    };
    const std::string large(1u << 20, 'x');
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 50'000; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
    const std::vector<bad> all{
        {"", sluice::errc::no_response},
        {"\r\n\r\n\r\n", sluice::errc::http_malformed},
        {"hello\r\n\r\n", sluice::errc::http_malformed},
        {"HTTP/2 200\r\n\r\n", sluice::errc::http_malformed},
        {"HTTP/1.1 20x OK\r\n\r\n", sluice::errc::http_malformed},
        {"HTTP/1.1 200 OK\r\nContent-Le", sluice::errc::http_truncated},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", sluice::errc::http_truncated},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", sluice::errc::http_truncated},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", sluice::errc::http_malformed},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", sluice::errc::http_malformed},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", sluice::errc::http_too_large},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n", sluice::errc::http_too_large},
        {"HTTP/1.1 200 OK\r\nX: " + large + "\r\n\r\n", sluice::errc::http_too_large},
        {"HTTP/1.1 200 " + large + "\r\n\r\n", sluice::errc::http_too_large},
        {many, sluice::errc::http_too_large},
    };
    for (const bad& b : all) {
        CAPTURE(b.answer.substr(0, 70));
        fixture f(say(b.answer));
        const exchange_result r = f.get();
        CHECK(r.error.code == b.code);
        CHECK(f.server.connections() == 1);
    }
}

TEST_CASE("a server that says nothing, or not all, is left when the time is up") {
    sluice::time_limits limits;
    limits.request = 20ms;
    for (const char* beginning : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"}) {
        CAPTURE(beginning);
        fixture f(
            [=](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
                const bool asked = co_await peer.request();
                if (asked) co_await peer.write(beginning);
                co_await peer.wait_for_end();
            },
            limits);
        const exchange_result r = f.get("/slow?secret=1");
        CHECK(r.error.code == sluice::errc::request_timeout);
        CHECK(r.error.code == sluice::condition::timeout);
        CHECK(contains(r.error.details->text, "GET /slow"));
        CHECK(contains(r.error.details->text, "20 ms"));
        CHECK_FALSE(contains(r.error.details->text, "secret"));
    }
}

TEST_CASE("nobody listens; a name that does not resolve") {
    fixture f(echo);
    sluice::pulsar::origin where = f.where();
    f.server.stop();
    run_ready(f.context);
    const auto call = [&](const sluice::pulsar::origin& o) {
        web::http_request request;
        outcome_of<std::exception_ptr, exchange_result> end;
        asio::co_spawn(f.strand, f.client.exchange(o, std::move(request), nullptr, true), end);
        run_until(f.context, [&] { return end.called(); });
        return end.value().error;
    };
    const sluice::failure refused = call(where);
    CHECK(refused.code == sluice::errc::connect_failed);
    CHECK(refused.code == sluice::condition::retryable);
    CHECK(refused.details->cause == asio::error::connection_refused);
    CHECK(contains(refused.details->text, "127.0.0.1:" + std::to_string(where.port)));
    where.host = "no-such-host.invalid";
    const sluice::failure unresolved = call(where);
    CHECK(unresolved.code == sluice::errc::resolve_failed);
    CHECK(contains(unresolved.details->text, "no-such-host.invalid"));
}

TEST_CASE("a request that cannot be written is not") {
    fixture f(echo);
    const exchange_result r = f.get("/a b\r\nX: y");
    CHECK(r.error.code == sluice::errc::invalid_message);
    CHECK(f.server.connections() == 0);
}
