// SPDX-License-Identifier: BSL-1.0
// The way to a socket with a one-time password: the two of them at once, and what becomes of the one when the other
// fails; what is asked over a kept connection.
#include "world.hpp"

using namespace test;
using sluice::testing::call;
using sluice::testing::fault;

namespace {

/// In front of a gateway: the first connection, which is for calls, goes through. Those behind it are held in silence,
/// or refused.
class front {
public:
    explicit front(bool tls) : acceptor_(context, {asio::ip::address_v4::loopback(), 0}) {
        sluice::testing::gateway_options o;
        o.tls = tls;
        gateway.emplace(context, std::move(o));
        sluice::client_config c = config_for(*gateway, sluice::dialect::gdn);
        c.url = (tls ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(acceptor_.local_endpoint().port());
        client.emplace(context.get_executor(), c);
        accept();
        run(context, client->list_streams());
    }
    ~front() {
        client.reset();
        acceptor_.close();
        held.clear();
        through_.reset();
        gateway.reset();
        run_ready(context);
    }

    void refuse() { acceptor_.close(); }

    asio::io_context context{};
    std::optional<sluice::testing::gateway> gateway{};
    std::optional<sluice::client> client{};
    std::vector<asio::ip::tcp::socket> held{};

private:
    struct pair {
        pair(asio::ip::tcp::socket from, asio::io_context& context) : client(std::move(from)), server(context) {}
        asio::ip::tcp::socket client, server;
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code ec, asio::ip::tcp::socket s) {
            if (ec) return;
            if (through_) {
                held.push_back(std::move(s));
            } else {
                through_ = std::make_shared<pair>(std::move(s), context);
                through_->server.connect({asio::ip::address_v4::loopback(), gateway->port()});
                asio::co_spawn(context, copy(through_, &pair::client, &pair::server), asio::detached);
                asio::co_spawn(context, copy(through_, &pair::server, &pair::client), asio::detached);
            }
            accept();
        });
    }
    static asio::awaitable<void> copy(std::shared_ptr<pair> p, asio::ip::tcp::socket pair::* from,
                                      asio::ip::tcp::socket pair::* to) {
        std::array<char, 4096> bytes;
        std::error_code ec;
        while (!ec) {
            const std::size_t n =
                co_await ((*p).*from)
                    .async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
            co_await asio::async_write((*p).*to, asio::buffer(bytes, n), asio::redirect_error(asio::use_awaitable, ec));
        }
        ((*p).*to).close(ec);
    }

    asio::ip::tcp::acceptor acceptor_;
    std::shared_ptr<pair> through_{};
};

} // namespace

TEST_CASE("the one-time password is fetched while the socket is connected") {
    front f(false);
    const fault late = f.gateway->faults().on(call::otp).delay(1h);
    sluice::producer producer(*f.client, "orders", impatient());
    done opened;
    producer.async_open(opened);
    run_until(f.context, [&] { return late.met() != 0 && !f.held.empty(); });
    CHECK_FALSE(opened.called());
    asio::ip::tcp::socket& socket = f.held.front();
    CHECK(socket.available() == 0); // no upgrade without a password
    SUBCASE("the producer is closed") {
        done closed;
        producer.async_close(closed);
        run_until(f.context, [&] { return opened.called() && closed.called(); });
        CHECK_FALSE(closed.error());
        CHECK(opened.error() == sluice::errc::closed);
    }
    SUBCASE("the producer is gone") {
        { const sluice::producer gone = std::move(producer); }
        run_until(f.context, [&] { return opened.called(); });
        CHECK(opened.error());
    }
    SUBCASE("the context is gone") {}
}

TEST_CASE("the upgrade is asked for once both are there") {
    front f(false);
    f.gateway->faults().on(call::otp).delay(50ms);
    sluice::producer producer(*f.client, "orders", impatient());
    producer.async_open(done());
    run_until(f.context, [&] { return !f.held.empty(); });
    std::string said(256, '\0');
    std::size_t size = 0;
    f.held.front().async_read_some(asio::buffer(said), [&](std::error_code, std::size_t n) { size = n; });
    run_until(f.context, [&] { return size != 0; });
    CHECK(contains(said, "GET /_ws"));
    CHECK(contains(said, "otp="));
}

TEST_CASE("a password that is refused ends the connecting") {
    front f(true); // TLS is begun, and not answered
    f.gateway->faults().on(call::otp).refuse(403, "no");
    sluice::producer_options o;
    o.connect_timeout = std::chrono::minutes(5);
    sluice::producer producer(*f.client, "orders", o);
    done opened;
    producer.async_open(opened);
    run_until(f.context, [&] { return opened.called(); });
    CHECK(opened.error() == sluice::errc::forbidden);
}

TEST_CASE("a connection that has waited long for the password is made anew") {
    front f(false);
    f.gateway->faults().on(call::otp).delay(4s);
    sluice::producer producer(*f.client, "orders", impatient());
    producer.async_open(done());
    run_until(f.context, [&] { return f.held.size() == 2; });
    std::string said(256, '\0');
    std::size_t size = 0;
    f.held.back().async_read_some(asio::buffer(said), [&](std::error_code, std::size_t n) { size = n; });
    run_until(f.context, [&] { return size != 0; });
    CHECK(contains(said, "otp="));
}

TEST_CASE("a connection that fails does not wait for the password, whose call the next attempt takes over") {
    front f(false);
    const fault late = f.gateway->faults().on(call::otp).delay(1h);
    f.refuse();
    sluice::producer_observer news;
    std::vector<sluice::failure> failures;
    news.on_reconnect = [&](const sluice::failure& why, unsigned, std::chrono::milliseconds) {
        failures.push_back(why);
    };
    sluice::producer producer(*f.client, "orders", impatient(), news);
    done opened;
    producer.async_open(opened);
    run_until(f.context, [&] { return failures.size() >= 3; });
    for (const sluice::failure& why : failures) CHECK(why.code == sluice::errc::connect_failed);
    CHECK_FALSE(opened.called());
    CHECK(late.met() == 1);
}

TEST_CASE("after a loss that the server owns up to, the password comes over the connection that is kept") {
    for (const bool closes : {true, false}) {
        CAPTURE(closes);
        world w;
        sluice::client client = w.make_client();
        sluice::producer producer(client, "orders", impatient());
        const auto send = [&] {
            sent one;
            producer.async_send("a", one);
            run_until(w.context, [&] { return one.called(); });
            CHECK_FALSE(one.error());
        };
        send();
        CHECK(w.gateway.stats().connections == 2); // for calls, and the socket
        if (closes)
            w.gateway.close_all_sockets(1001);
        else
            w.gateway.faults().messages().cut(sluice::testing::cut::reset);
        send();
        run_until(w.context, [&] { return w.gateway.stats().sockets_opened == 2; });
        CHECK(w.gateway.stats().connections == 3);
    }
}
