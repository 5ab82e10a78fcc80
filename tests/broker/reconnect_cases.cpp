// SPDX-License-Identifier: BSL-1.0
// Connections that are cut in the middle: nothing is lost, order is kept, and with deduplication nothing is doubled.
#include "cases.hpp"
#include "producing.hpp"
#include "relay.hpp"

#include <map>
#include <set>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using direction = cut_at::direction;
using position = sluice::message_id::position;

/// When a connection was seen to be lost.
struct loss {
    std::size_t connections = 0; ///< made so far
    std::set<std::int64_t> answered{};
};

struct cut_run {
    std::vector<sluice::result> results{};
    std::vector<loss> losses{};
    std::vector<std::vector<std::string>> contexts{};
    sluice::producer_stats stats{};
};

/// Pushes `count` messages, whose payloads are their numbers, through a relay that cuts.
cut_run send_through(target& server, const std::string& topic, std::size_t count, sluice::producer_options options,
                     const std::vector<cut_at>& cuts) {
    relay between(server.address, cuts);
    sluice::client_config config = server.config();
    config.url = "ws://127.0.0.1:" + std::to_string(between.endpoint().port());
    options.reconnect = {20ms, 400ms, 2.0};
    cut_run out;
    out.results.resize(count);
    std::set<std::int64_t> answered;
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        sluice::producer_observer observer;
        observer.on_disconnect = [&](const sluice::failure&) {
            out.losses.push_back({between.contexts().size(), answered});
        };
        any_producer producer =
            make_producer(executor, config, topic, options, sluice::compression_type::none, observer);
        for (std::size_t i = 0; i < count; ++i) {
            sluice::message m(std::to_string(i));
            co_await producer.push(std::move(m), [&, i](std::error_code ec, const sluice::receipt& r) {
                out.results[i] = {ec, r};
                answered.insert(r.sequence_id);
            });
        }
        co_await producer.flush();
        out.stats = producer.stats();
        co_await producer.close();
    };
    run(body, 120s);
    out.contexts = between.contexts();
    for (std::size_t i = 0; i < count; ++i)
        check(!out.results[i].ec, "message " + std::to_string(i) + ": " + out.results[i].ec.message() + " " +
                                      shown(out.results[i].value.details().text));
    check(out.contexts.size() > cuts.size(), "only " + std::to_string(out.contexts.size()) + " connections");
    return out;
}

/// Each connection's messages are in order.
void check_order_written(const cut_run& out) {
    for (const auto& connection : out.contexts)
        for (std::size_t i = 1; i < connection.size(); ++i)
            check(std::stoll(connection[i - 1]) < std::stoll(connection[i]),
                  "written out of order: " + connection[i - 1] + ", " + connection[i]);
}

const std::vector<cut_at> cuts{{direction::to_client, 20'000}, {direction::to_server, 150'000},
                               {direction::to_client, 50'001}, {direction::to_server, 70'003},
                               {direction::to_client, 200},    {direction::to_server, 301},
                               {direction::to_client, 99'999}};

void plain(target& server) {
    constexpr std::size_t count = 10'000;
    const std::string topic = server.new_topic();
    const cut_run out = send_through(server, topic, count, {}, cuts);
    check_order_written(out);

    // What was answered before a loss is not sent again.
    for (const loss& l : out.losses)
        for (std::size_t c = l.connections; c < out.contexts.size(); ++c)
            for (const std::string& context : out.contexts[c])
                check(!l.answered.contains(std::stoll(context)),
                      "message " + context + " was sent again although it was answered");

    std::map<std::string, std::vector<position>> copies;
    std::size_t next = 0, repeats = 0;
    for (const seen_message& m : server.read_back(topic)) {
        std::vector<position>& of_this = copies[m.payload];
        if (of_this.empty())
            check_same(m.payload, std::to_string(next++), "first copies");
        else
            ++repeats;
        of_this.push_back(m.at);
    }
    check_same(next, count, "different messages stored");
    for (std::size_t i = 0; i < count; ++i) {
        const auto at = out.results[i].value.message_id.decode();
        bool found = false;
        for (const position& p : copies[std::to_string(i)])
            found = found || (at && p.ledger == at->ledger && p.entry == at->entry);
        check(found, "message " + std::to_string(i) + " is not where its receipt says");
    }
    check(repeats <= out.stats.frames_resent, "more repeats than messages sent again");
    server.note = std::to_string(out.contexts.size() - 1) + " cuts, " + std::to_string(out.stats.frames_resent) +
                  " sent again, " + std::to_string(repeats) + " repeats stored";
}

void exactly_once(target& server, bool batching) {
    constexpr std::size_t count = 10'000;
    const std::string topic = server.new_topic(server.new_namespace(true));
    sluice::producer_options options;
    options.producer_name = "once";
    options.deduplicate = true;
    options.batching_enabled = batching;
    const cut_run out = send_through(server, topic, count, options, cuts);
    check_order_written(out);
    const std::vector<seen_message> stored = server.read_back(topic);
    for (std::size_t i = 0; i < std::min(count, stored.size()); ++i)
        check_same(stored[i].payload, std::to_string(i), "at " + std::to_string(i));
    check_same(stored.size(), count, "stored");
    server.note = std::to_string(out.contexts.size() - 1) + " cuts, " + std::to_string(out.stats.frames_resent) +
                  " sent again, " + std::to_string(out.stats.duplicates) + " of them dropped as repeats";
}

void deduplicated(target& server) { exactly_once(server, false); }
void deduplicated_batched(target& server) { exactly_once(server, true); }

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
        {"cut connections: nothing lost, order kept", plain},
        {"cut connections, deduplicated: exactly once", deduplicated},
        {"cut connections, deduplicated and batched: exactly once", deduplicated_batched},
        {"a restarted producer goes on", restarted},
    };
}

} // namespace conformance
