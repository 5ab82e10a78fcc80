// SPDX-License-Identifier: BSL-1.0
// Unit tests of your own code, with doctest: a class that publishes orders, on good days and on bad ones.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <sluice.hpp>
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// --- the code under test: it knows a client, and nothing of gateways ------------------------------------------------

/// Publishes orders, each customer's in their order, and keeps what is not known to be stored for whoever cleans up.
class order_desk {
public:
    struct leftover {
        int order;
        bool maybe_stored; ///< look before it is sent again
        std::string why;
    };

    explicit order_desk(const sluice::client& client, sluice::producer_options options = {})
        : producer_(client, "orders", std::move(options)) {}

    /// True: the order is stored.
    asio::awaitable<bool> publish(int order, std::string customer) {
        sluice::message m("order " + std::to_string(order), std::move(customer)); // payload, key
        try {
            co_await producer_.send(m);
            co_return true;
        } catch (const sluice::error& e) {
            leftovers_.push_back({order, e.outcome() != sluice::outcome::not_sent, e.what()});
        }
        co_return false;
    }

    const std::vector<leftover>& leftovers() const { return leftovers_; }

private:
    sluice::producer producer_;
    std::vector<leftover> leftovers_{};
};

// --- what every test needs ------------------------------------------------------------------------------------------

struct world {
    asio::io_context context{};
    sluice::testing::gateway gateway{context};
    sluice::client client{context.get_executor(), {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}};

    /// Runs the gateway, and the coroutine to its end.
    template <class T>
    T run(asio::awaitable<T> work) {
        std::future<T> result = asio::co_spawn(context, std::move(work), asio::use_future);
        while (result.wait_for(0s) != std::future_status::ready) context.run_one();
        return result.get();
    }
};

/// A test waits for an attempt to connect, and not for the pause before it.
sluice::producer_options impatient() {
    sluice::producer_options o;
    o.reconnect.initial = 1ms;
    o.reconnect.maximum = 1ms;
    return o;
}

} // namespace

TEST_CASE("orders are published under their customer's name") {
    world w;
    order_desk desk(w.client);
    CHECK(w.run(desk.publish(7, "ada")));
    CHECK(w.run(desk.publish(8, "bob")));

    const auto stored = w.gateway.messages("orders");
    REQUIRE(stored.size() == 2);
    CHECK(stored[0].payload == "order 7");
    CHECK(stored[0].key == "ada");
    CHECK(stored[1].payload == "order 8");
    CHECK(desk.leftovers().empty());
}

TEST_CASE("an outage heals: the region is down twice, then the connection breaks under an order") {
    world w;
    const auto faults = w.gateway.faults();
    const auto down = faults.on(sluice::testing::call::otp).times(2).refuse(503, "maintenance");
    const auto broken = faults.messages("orders").cut(sluice::testing::cut::reset);

    order_desk desk(w.client, impatient());
    CHECK(w.run(desk.publish(7, "ada")));
    CHECK(down.met() == 2); // the bad day did come
    CHECK(broken.met() == 1);
    CHECK(w.gateway.message_count("orders") == 1);
    CHECK(desk.leftovers().empty());
}

TEST_CASE("an order that nobody acknowledges is reported, as one that may be stored") {
    world w;
    const auto silent = w.gateway.faults().acks("orders").swallow();

    sluice::producer_options options = impatient();
    options.send_timeout = 50ms;
    order_desk desk(w.client, options);
    CHECK_FALSE(w.run(desk.publish(7, "ada")));
    CHECK(silent.met() == 1);
    REQUIRE(desk.leftovers().size() == 1);
    CHECK(desk.leftovers()[0].order == 7);
    CHECK(desk.leftovers()[0].maybe_stored);
    CHECK(w.gateway.message_count("orders") == 1); // and it is
}
