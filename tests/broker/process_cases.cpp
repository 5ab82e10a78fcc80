// SPDX-License-Identifier: BSL-1.0
// A WebSocket proxy that is a process of its own, and a broker behind it: either is killed, or the broker freezes.
#include "cases.hpp"
#include "repeats.hpp"
#include "shell.hpp"

#include <deque>
#include <future>

namespace conformance {
namespace {

using namespace std::chrono_literals;

tcp::endpoint proxy_of(target& server) {
    server.lacks(server_kind::gateway, "it has no processes that could be killed");
    if (server.proxy_url.empty()) throw not_set_up("there is no proxy of its own");
    const web::url_result where = web::parse_url(server.proxy_url);
    return {asio::ip::make_address(where.value.host), where.value.port};
}

/// What the launcher is told is done in a thread: producers go on meanwhile.
asio::awaitable<void> control(asio::any_io_executor executor, target& server, std::string words) {
    const std::string command = server.control + " " + words + " 2>&1";
    auto done = std::async(std::launch::async, [&] { return output_of(command); });
    asio::steady_timer timer(executor);
    while (done.wait_for(0s) != std::future_status::ready) {
        timer.expires_after(20ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    done.get();
}

/// A producer that sends its messages' numbers until it is told that there are enough.
struct sender {
    sender(target& server, bool deduplicate, bool batching)
        : topic(server.new_topic(deduplicate ? server.new_namespace(true) : "public/default")),
          between(proxy_of(server)),
          config(server.config()) {
        config.url = between.url();
        keep_messages(server, topic);
        options.deduplicate = deduplicate;
        if (deduplicate) options.producer_name = "once";
        options.batching_enabled = batching;
        options.reconnect = {20ms, 400ms, 2.0};
        options.send_timeout = 180s; // a start takes its time on a busy machine, and the proxy is told this time too
    }

    asio::awaitable<void> send(asio::any_io_executor executor, const bool& enough) {
        any_producer producer = make_producer(executor, config, topic, options);
        asio::steady_timer timer(executor);
        while (!enough) {
            for (int burst = 0; burst < 20; ++burst) {
                const std::size_t i = results.size();
                results.emplace_back();
                sluice::message m(std::to_string(i));
                co_await producer.push(std::move(m), [this, i](std::error_code ec, const sluice::receipt& r) {
                    results[i] = {ec, r};
                    ++answered;
                });
            }
            timer.expires_after(5ms);
            co_await timer.async_wait(asio::use_awaitable);
        }
        co_await producer.flush();
        stats = producer.stats();
        co_await producer.close();
        ended = true;
    }

    std::string topic;
    relay between;
    sluice::client_config config;
    sluice::producer_options options{};
    std::deque<sluice::result> results{};
    std::size_t answered = 0;
    sluice::producer_stats stats{};
    bool ended = false;
};

using event = std::function<asio::awaitable<void>(asio::any_io_executor)>;

/// Three producers send while it happens: without deduplication, with, and with batching too.
void while_sending(target& server, const event& happens, bool sockets_are_lost) {
    sender plain(server, false, false), once(server, true, false), batched(server, true, true);
    const std::vector<sender*> senders{&plain, &once, &batched};
    std::exception_ptr error;
    run(
        [&](asio::any_io_executor executor) -> asio::awaitable<void> {
            bool enough = false;
            for (sender* s : senders)
                asio::co_spawn(executor, s->send(executor, enough), [&](std::exception_ptr e) {
                    if (e) error = e;
                });
            const auto each_has = [&](std::size_t n) {
                return [&, n] {
                    if (error) std::rethrow_exception(error);
                    for (const sender* s : senders)
                        if (s->answered < n) return false;
                    return true;
                };
            };
            co_await until(executor, "a thousand answers", each_has(1'000));
            co_await happens(executor);
            std::size_t most = 0;
            for (const sender* s : senders) most = std::max(most, s->answered);
            co_await until(executor, "more answers", each_has(most + 2'000));
            enough = true;
            co_await until(executor, "the end", [&] {
                if (error) std::rethrow_exception(error);
                return plain.ended && once.ended && batched.ended;
            });
        },
        300s);
    for (const sender* s : senders) {
        const std::vector<sluice::result> results(s->results.begin(), s->results.end());
        const std::vector<seen_message> stored = server.read_back(s->topic);
        check_same(s->stats.connections > 1, sockets_are_lost, "sockets are lost");
        server.note += (server.note.empty() ? "" : "; ") + std::to_string(results.size()) + " messages, ";
        if (s->options.deduplicate) {
            check_exactly_once(results, stored);
            server.note += std::to_string(s->stats.duplicates) + " repeats dropped";
        } else {
            server.note += std::to_string(check_none_lost(results, stored)) + " repeats stored";
            if (sockets_are_lost) check_repeats(results, s->between.connections(), stored);
        }
    }
}

void broker_killed(target& server) {
    const auto kill = [&](asio::any_io_executor executor) { return control(executor, server, "restart --kill"); };
    while_sending(server, kill, false);
}

void proxy_killed(target& server) {
    const auto kill = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        co_await control(executor, server, "stop --proxy --kill");
        co_await control(executor, server, "proxy");
    };
    while_sending(server, kill, true);
}

/// The proxy gives up after `sendTimeoutMillis`, and with the oldest message all others; the messages have more time.
void frozen(target& server, bool deduplicate) {
    const tcp::endpoint proxy = proxy_of(server);
    const std::string topic = server.new_topic(deduplicate ? server.new_namespace(true) : "public/default");
    sluice::client_config config = server.config();
    config.url = "ws://" + host_of(proxy);
    sluice::producer_options options;
    options.deduplicate = deduplicate;
    if (deduplicate) options.producer_name = "once";
    options.send_timeout = 3s; // what the proxy is told
    options.connect_timeout = 90s;
    options.reconnect = {20ms, 400ms, 2.0};
    constexpr std::size_t count = 10, meanwhile = 8;
    std::vector<sluice::result> results(count);
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        std::vector<sluice::failure> lost;
        sluice::producer_observer observer;
        observer.on_disconnect = [&](const sluice::failure& f) { lost.push_back(f); };
        any_producer producer =
            make_producer(executor, config, topic, options, sluice::compression_type::none, observer);
        std::size_t answered = 0;
        const auto send = [&](std::size_t i) {
            sluice::message m(std::to_string(i));
            m.send_timeout = 120s;
            producer.async_send(std::move(m), [&, i](std::error_code ec, const sluice::receipt& r) {
                results[i] = {ec, r};
                ++answered;
            });
        };
        send(0);
        co_await until(executor, "the first is stored", [&] { return answered == 1; });
        co_await control(executor, server, "freeze");
        for (std::size_t i = 1; i <= meanwhile; ++i) send(i);
        co_await until(executor, "the proxy gives up",
                       [&] { return deduplicate ? !lost.empty() : answered == 1 + meanwhile; });
        co_await control(executor, server, "thaw");
        if (deduplicate)
            check(lost[0].code == sluice::errc::ack_timeout &&
                      lost[0].details->text.find("PulsarClientException$TimeoutException") != std::string::npos,
                  "the cause: " + lost[0].code.message() + " " + lost[0].details->text);
        send(count - 1);
        co_await until(executor, "all are answered", [&] { return answered == count; });
        co_await producer.close();
    };
    run(body, 200s);
    const std::vector<seen_message> stored = server.read_back(topic);
    if (deduplicate) {
        check_exactly_once(results, stored);
        std::size_t repeats = 0;
        for (const sluice::result& r : results) repeats += r.value.outcome == sluice::outcome::duplicate ? 1 : 0;
        server.note = std::to_string(repeats) + " had been stored";
        return;
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const sluice::result& r = results[i];
        const std::string which = "message " + std::to_string(i) + ": ";
        const bool there = at < stored.size() && stored[at].payload == std::to_string(i);
        if (there) ++at;
        if (i == 0 || i == count - 1) {
            check(!r.ec, which + r.ec.message() + " " + r.value.details().text);
            check(there, which + "is not stored");
            continue;
        }
        check(r.ec == sluice::errc::ack_timeout, which + r.ec.message());
        check_same(to_string(r.value.outcome), to_string(sluice::outcome::maybe_persisted), which + "outcome");
        check(r.value.details().text.find("PulsarClientException$TimeoutException") != std::string::npos,
              which + r.value.details().text);
    }
    check_same(stored.size(), at, "stored, in order and once");
    server.note = std::to_string(at - 2) + " of " + std::to_string(meanwhile) + " are stored";
}
void broker_frozen(target& server) { frozen(server, false); }
void broker_frozen_deduplicated(target& server) { frozen(server, true); }

} // namespace

std::vector<test_case> process_cases() {
    return {
        {"the broker killed behind its proxy: none lost, order kept; deduplicated: exactly once", broker_killed},
        {"the proxy killed: none lost, order kept; deduplicated: exactly once", proxy_killed},
        {"the broker frozen past sendTimeoutMillis: maybe_persisted", broker_frozen},
        {"the broker frozen past sendTimeoutMillis, deduplicated: exactly once", broker_frozen_deduplicated},
    };
}

} // namespace conformance
