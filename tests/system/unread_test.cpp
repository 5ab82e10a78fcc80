// SPDX-License-Identifier: BSL-1.0
// Clients that take nothing of what the gateway writes to them.
#include "world.hpp"

#include <sys/socket.h>

#include <memory>
#include <string>

using namespace test;

namespace {

/// 20 MiB of answers, which no system's buffers hold: it is the gateway that must wait.
constexpr std::size_t requests = 100;

/// A client of raw bytes; its window is small, so that the gateway's writes soon stand.
struct raw_client {
    explicit raw_client(world& w) : socket(w.context) {
        socket.open(asio::ip::tcp::v4());
        socket.set_option(asio::socket_base::receive_buffer_size(4096));
        socket.connect({asio::ip::address_v4::loopback(), w.gateway.port()});
        std::string in;
        for (std::size_t i = 0; i < requests; ++i)
            in += "GET /admin/v2/persistent/public/default HTTP/1.1\r\nHost: x\r\n\r\n";
        asio::write(socket, asio::buffer(in));
    }

    asio::ip::tcp::socket socket;
};

sluice::testing::gateway_options with_timeout(std::chrono::nanoseconds idle) {
    sluice::testing::gateway_options o;
    o.proxy.idle_timeout = idle;
    return o;
}

void make_topics(world& w) {
    for (int i = 0; i < 1000; ++i)
        w.gateway.create_topic("persistent://public/default/" + std::string(200, 't') + std::to_string(i));
}

} // namespace

TEST_CASE("a client that never reads is dropped after the idle timeout") {
    world w(with_timeout(100ms));
    make_topics(w);
    raw_client client(w);
    done dropped;
    client.socket.async_wait(asio::ip::tcp::socket::wait_error, dropped);
    run_until(w.context, [&] { return dropped.called(); });
    std::string in;
    std::error_code ec;
    asio::read(client.socket, asio::dynamic_buffer(in), ec);
    CHECK(ec == asio::error::connection_reset);
    CHECK(w.gateway.stats().requests > 0);
    CHECK(w.gateway.stats().requests < requests);
}

TEST_CASE("a client that reads is not, and nothing stays behind") {
    world w(with_timeout(1h));
    make_topics(w);
    {
        raw_client client(w);
        client.socket.shutdown(asio::socket_base::shutdown_send);
        std::string in;
        done ended;
        asio::async_read(client.socket, asio::dynamic_buffer(in), [&](std::error_code ec, std::size_t) { ended(ec); });
        run_until(w.context, [&] { return ended.called(); });
        CHECK(ended.error() == asio::error::eof);
        CHECK(w.gateway.stats().requests == requests);
        CHECK(in.size() > requests * 200'000);
    }
    w.gateway.stop();
    run_out(w.context); // a timer of an hour would keep it
}
