// SPDX-License-Identifier: BSL-1.0
// Order over many messages, and how fast they went.
#include "cases.hpp"
#include "producing.hpp"
#include "shell.hpp"

namespace conformance {
namespace {

using namespace std::chrono_literals;
using sluice::message;

/// 100 bytes that tell their number.
std::string numbered(std::size_t n) {
    std::string text = std::to_string(n) + " ";
    text.resize(100, '.');
    return text;
}

void in_order(target& server, std::size_t count, const sluice::producer_options& options,
              sluice::compression_type compression) {
    const std::string topic = server.new_topic();
    std::size_t acknowledged = 0;
    std::string failure;
    std::chrono::steady_clock::duration took{};
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options, compression);
        co_await producer.open();
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < count; ++i) {
            message m(numbered(i));
            co_await producer.push(std::move(m), [&](std::error_code ec, const sluice::receipt& r) {
                acknowledged += ec ? 0 : 1;
                if (ec) failure = ec.message() + " " + r.details().text;
            });
        }
        co_await producer.flush();
        took = std::chrono::steady_clock::now() - begin;
        co_await producer.close();
    };
    run(body, 120s);
    check(failure.empty(), failure);
    check_same(acknowledged, count, "acknowledged");
    const std::vector<seen_message> stored = server.read_back(topic);
    check_same(stored.size(), count, "stored");
    for (std::size_t i = 0; i < count; ++i) check_same(stored[i].payload, numbered(i), "at " + std::to_string(i));
    const auto rate = static_cast<double>(count) / std::chrono::duration<double>(took).count();
    server.note = std::to_string(static_cast<long>(rate)) + " messages/s acknowledged";
}

void order(target& server) { in_order(server, 100'000, {}, sluice::compression_type::none); }

void order_batched(target& server) {
    sluice::producer_options options;
    options.batching_enabled = true;
    in_order(server, 100'000, options, sluice::compression_type::lz4);
}

asio::awaitable<void> send_each(any_producer& producer, std::size_t sender, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::string text = std::to_string(sender) + ":" + std::to_string(i);
        co_await producer.send(text);
    }
}

/// Many coroutines through one producer: each one's messages keep its order.
void many_senders(target& server) {
    constexpr std::size_t senders = 500, each = 20;
    const std::string topic = server.new_topic();
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic);
        std::size_t running = senders;
        asio::steady_timer all_done(executor, std::chrono::steady_clock::time_point::max());
        std::exception_ptr error;
        const auto ended = [&](std::exception_ptr e) {
            if (e) error = e;
            if (--running == 0) all_done.cancel();
        };
        for (std::size_t s = 0; s < senders; ++s) asio::co_spawn(executor, send_each(producer, s, each), ended);
        std::error_code ec;
        co_await all_done.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (error) std::rethrow_exception(error);
        co_await producer.close();
    };
    run(body);
    std::vector<std::size_t> next(senders);
    for (const seen_message& m : server.read_back(topic)) {
        const std::size_t colon = m.payload.find(':');
        const auto sender = static_cast<std::size_t>(std::stoi(m.payload.substr(0, colon)));
        check_same(m.payload.substr(colon + 1), std::to_string(next.at(sender)++), "sender " + std::to_string(sender));
    }
    for (const std::size_t n : next) check_same(n, each, "messages of a sender");
}

/// `seq 1 100000 | examples/run produce --stream t`: what it says, how it ends, and what the server has then.
void produced_lines(target& server) {
    if (server.produce.empty()) throw not_set_up("the program of the example is not there");
    constexpr std::size_t count = 100'000;
    const std::string topic = server.new_topic();
    const std::string said =
        output_of("seq 1 " + std::to_string(count) + " | SLUICE_URL='" + server.url + "' SLUICE_TOKEN='" +
                  server.token + "' '" + server.produce + "' --stream '" + topic + "' 2>&1");
    check(said.starts_with("produce: 100000 lines acknowledged in "), "it says " + shown(said));
    const std::vector<seen_message> stored = server.read_back(topic);
    check_same(stored.size(), count, "stored");
    for (std::size_t i = 0; i < count; ++i)
        check_same(stored[i].payload, std::to_string(i + 1), "line " + std::to_string(i + 1));
    server.note = said.substr(9, said.find(';') - 9);
}

} // namespace

std::vector<test_case> volume_cases() {
    return {
        {"order of 100,000 messages", order},
        {"order of 100,000 messages, batched and compressed", order_batched},
        {"order of each of 500 senders", many_senders},
        {"produce: 100,000 lines", produced_lines},
    };
}

} // namespace conformance
