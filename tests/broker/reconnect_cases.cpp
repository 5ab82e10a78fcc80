// SPDX-License-Identifier: BSL-1.0
// Connections that are cut in the middle: nothing is lost, order is kept, and with deduplication nothing is doubled.
#include "cases.hpp"
#include "producing.hpp"
#include "repeats.hpp"

#include <random>
#include <set>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using direction = cut_at::direction;

struct cut_run {
    std::vector<sluice::result> results{};
    std::vector<overheard> connections{};
    sluice::producer_stats stats{};

    std::string told() const {
        return std::to_string(connections.size() - 1) + " cuts, " + std::to_string(stats.frames_resent) + " sent again";
    }
};

/// Pushes `count` messages, whose payloads are their numbers, through a relay that cuts.
cut_run send_through(target& server, const std::string& topic, std::size_t count, sluice::producer_options options,
                     const std::vector<cut_at>& cuts) {
    relay between(server.address, cuts);
    sluice::client_config config = server.config();
    config.url = between.url();
    options.reconnect = {20ms, 400ms, 2.0};
    cut_run out;
    out.results.resize(count);
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, config, topic, options);
        for (std::size_t i = 0; i < count; ++i) {
            sluice::message m(std::to_string(i));
            co_await producer.push(std::move(m),
                                   [&, i](std::error_code ec, const sluice::receipt& r) { out.results[i] = {ec, r}; });
        }
        co_await producer.flush();
        out.stats = producer.stats();
        co_await producer.close();
    };
    run(body, 120s);
    out.connections = between.connections();
    check(out.connections.size() > cuts.size(), "only " + std::to_string(out.connections.size()) + " connections");
    return out;
}

/// Each connection's messages are in order.
void check_order_written(const cut_run& out) {
    for (const overheard& one : out.connections)
        for (std::size_t i = 1; i < one.contexts.size(); ++i)
            check(std::stoll(one.contexts[i - 1]) < std::stoll(one.contexts[i]),
                  "written out of order: " + one.contexts[i - 1] + ", " + one.contexts[i]);
}

/// What is in the way of 100,000 messages: twenty cuts, at bytes that a seed chooses, in either direction. A few of
/// them are in the upgrade.
std::vector<cut_at> random_cuts(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto up_to = [&](std::size_t n) { return 1 + random() % n; };
    std::vector<cut_at> cuts(20);
    for (cut_at& each : cuts) {
        each.where = up_to(2) == 1 ? direction::to_server : direction::to_client;
        each.amount = up_to(up_to(6) == 1 ? 700 : each.where == direction::to_server ? 200'000 : 350'000);
    }
    return cuts;
}

/// What has failed at random tells its seed.
template <class Body>
void seeded(target& server, Body body) {
    try {
        server.note = body(random_cuts(server.seed)) + ", seed " + std::to_string(server.seed);
    } catch (const std::exception& e) {
        throw failed("--seed " + std::to_string(server.seed) + ": " + e.what());
    }
}

std::string none_lost(target& server, std::size_t count, const sluice::producer_options& options,
                      const std::vector<cut_at>& cuts) {
    const std::string topic = server.new_topic();
    const cut_run out = send_through(server, topic, count, options, cuts);
    check_order_written(out);
    const std::vector<seen_message> stored = server.read_back(topic);
    const std::size_t repeats = check_none_lost(out.results, stored);
    check_repeats(out.results, out.connections, stored);
    return out.told() + ", " + std::to_string(repeats) + " repeats stored";
}

std::string exactly_once(target& server, std::size_t count, sluice::producer_options options,
                         const std::vector<cut_at>& cuts) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    options.producer_name = "once";
    options.deduplicate = true;
    const cut_run out = send_through(server, topic, count, options, cuts);
    check_order_written(out);
    check_exactly_once(out.results, server.read_back(topic));
    return out.told() + ", " + std::to_string(out.stats.duplicates) + " of them dropped as repeats";
}

sluice::producer_options batched() {
    sluice::producer_options options;
    options.batching_enabled = true;
    return options;
}

void cut_often(target& server) {
    seeded(server, [&](const auto& cuts) { return none_lost(server, 100'000, {}, cuts); });
}
void cut_often_deduplicated(target& server) {
    seeded(server, [&](const auto& cuts) { return exactly_once(server, 100'000, {}, cuts); });
}
void cut_often_batched(target& server) {
    seeded(server, [&](const auto& cuts) { return exactly_once(server, 100'000, batched(), cuts); });
}

/// Reset with so many unanswered that most are still on their way through the proxy. Twice.
constexpr std::size_t in_flight = 10'000;
const std::vector<cut_at> two_resets{{direction::unanswered, in_flight}, {direction::unanswered, in_flight}};

sluice::producer_options wide(sluice::producer_options options = {}) {
    options.max_pending_messages = in_flight + 2'000;
    return options;
}

void reset_in_flight(target& server) { server.note = none_lost(server, 30'000, wide(), two_resets); }
void reset_in_flight_deduplicated(target& server) { server.note = exactly_once(server, 30'000, wide(), two_resets); }
void reset_in_flight_batched(target& server) {
    server.note = exactly_once(server, 30'000, wide(batched()), two_resets);
}

/// A program that was restarted goes on where it was told that it had been.
void restarted(target& server) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    sluice::producer_options options;
    options.producer_name = "restarted";
    options.deduplicate = true;
    options.initial_sequence_id = 99;
    options.reconnect = {20ms, 400ms, 2.0};
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        {
            any_producer producer = make_producer(executor, server, topic, options);
            for (const char* text : {"a", "b", "c", "d"}) co_await producer.send(text);
            check_same(producer.last_sequence_id(), 103, "last sequence id");
            co_await producer.close();
        }
        options.initial_sequence_id = 101; // as if the last two had been forgotten
        any_producer producer = make_producer(executor, server, topic, options);
        for (const char* text : {"c", "d", "e"}) {
            const sluice::receipt r = co_await producer.send(text);
            const bool known = *text != 'e';
            check(r.outcome == (known ? sluice::outcome::duplicate : sluice::outcome::persisted),
                  std::string(text) + ": " + std::string(to_string(r.outcome)));
        }
        check_same(producer.last_sequence_id(), 104, "last sequence id");
        co_await producer.close();
    };
    run(body);
    std::string stored;
    for (const seen_message& m : server.read_back(topic)) stored += m.payload;
    check_same(stored, "abcde", "stored");
}

} // namespace

std::vector<test_case> reconnect_cases() {
    return {
        {"20 cuts in 100,000 messages: none lost, order kept, repeats only of the unanswered", cut_often},
        {"20 cuts in 100,000 messages, deduplicated: exactly once", cut_often_deduplicated},
        {"20 cuts in 100,000 messages, deduplicated and batched: exactly once", cut_often_batched},
        {"reset with 10,000 in flight: none lost, order kept, repeats only of the unanswered", reset_in_flight},
        {"reset with 10,000 in flight, deduplicated: exactly once", reset_in_flight_deduplicated},
        {"reset with 10,000 in flight, deduplicated and batched: exactly once", reset_in_flight_batched},
        {"a restarted producer goes on", restarted},
    };
}

} // namespace conformance
