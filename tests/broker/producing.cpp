// SPDX-License-Identifier: BSL-1.0
// What most cases do: send, and compare with what is stored.
#include "producing.hpp"
#include "receiving.hpp"

#include <algorithm>
#include <charconv>

namespace conformance {

void run(const coroutine& body, std::chrono::seconds limit) {
    asio::io_context context(1);
    bool done = false;
    std::exception_ptr error;
    asio::co_spawn(context, body(context.get_executor()), [&](std::exception_ptr e) {
        done = true;
        error = e;
    });
    context.run_for(limit);
    if (error) std::rethrow_exception(error);
    check(done, "not done within " + std::to_string(limit.count()) + " s");
}

any_producer make_producer(const asio::any_io_executor& executor, const sluice::client_config& config,
                           const std::string& topic, sluice::producer_options options,
                           sluice::compression_type compression, sluice::producer_observer observer) {
    const sluice::client client(executor, config);
    auto [codec, unknown] = sluice::codec::any::make(compression);
    check(!unknown, "a codec is not linked");
    return any_producer(client, topic, std::move(options), std::move(observer), std::move(codec));
}

asio::awaitable<sluice::result> outcome_of(any_producer& producer, const sluice::message& m) {
    sluice::result r;
    try {
        r.value = co_await producer.send(m);
    } catch (const sluice::error& e) {
        r.ec = e.code();
        r.value.outcome = e.outcome();
        r.value.info = std::make_shared<const sluice::error_details>(e.details());
    }
    co_return r;
}

void check_stored(const std::vector<sluice::message>& sent, const std::vector<sluice::result>& results,
                  const std::vector<seen_message>& stored) {
    check_same(results.size(), sent.size(), "results");
    for (std::size_t i = 0; i < sent.size(); ++i)
        check(!results[i].ec, "message " + std::to_string(i) + ": " + results[i].ec.message() + " " +
                                  shown(results[i].value.details().text));
    check_same(stored.size(), sent.size(), "messages stored");
    for (std::size_t i = 0; i < sent.size(); ++i) {
        const std::string which = "message " + std::to_string(i) + ": ";
        const sluice::message& m = sent[i];
        const seen_message& s = stored[i];
        check_same(s.payload, m.payload, which + "payload");
        check_same(s.key.has_value(), m.key.has_value(), which + "has a key");
        if (m.key) check_same(*s.key, *m.key, which + "key");
        std::map<std::string, std::string> properties;
        for (const sluice::property& p : m.properties) properties[p.name] = p.value; // of two alike the last counts
        check_same(s.properties.size(), properties.size(), which + "properties");
        for (const auto& [name, value] : properties) {
            const auto found = s.properties.find(name);
            check(found != s.properties.end(), which + "no property " + shown(name));
            check_same(found->second, value, which + "property " + shown(name));
        }
        check_same(s.event_time.has_value(), m.event_time.has_value(), which + "has an event time");
        if (m.event_time) check_same(*s.event_time, m.event_time->time_since_epoch().count(), which + "event time");
        const sluice::receipt& r = results[i].value;
        check(r.outcome == sluice::outcome::persisted, which + "outcome " + std::string(to_string(r.outcome)));
        const auto at = r.message_id.decode();
        check(at.has_value(), which + "message id " + shown(r.message_id.view()));
        check(at->ledger == s.at.ledger && at->entry == s.at.entry && at->batch_index == s.at.batch_index,
              which + "stored at " + std::to_string(s.at.ledger) + ":" + std::to_string(s.at.entry) + ":" +
                  std::to_string(s.at.batch_index) + ", acknowledged as " + std::to_string(at->ledger) + ":" +
                  std::to_string(at->entry) + ":" + std::to_string(at->batch_index));
    }
}

std::vector<sluice::result> send_and_compare(target& server, const std::string& topic,
                                             const std::vector<sluice::message>& messages,
                                             sluice::producer_options options, sluice::compression_type compression) {
    std::vector<sluice::result> results;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options, compression);
        results = co_await producer.send_all(messages);
        co_await producer.close();
    });
    check_stored(messages, results, server.read_back(topic));
    return results;
}

void keep_messages(const target& server, const std::string& topic) { raw_consumer(server, topic, {}, "kept").leave(); }

std::size_t check_none_lost(const std::vector<sluice::result>& results, const std::vector<seen_message>& stored) {
    using position = sluice::message_id::position;
    std::vector<std::vector<position>> copies(results.size());
    std::size_t next = 0, repeats = 0;
    for (const seen_message& m : stored) {
        std::size_t number = results.size();
        std::from_chars(m.payload.data(), m.payload.data() + m.payload.size(), number);
        check(number < results.size(), "nobody has sent " + shown(m.payload));
        if (copies[number].empty())
            check_same(number, next++, "first copies");
        else
            ++repeats;
        copies[number].push_back(m.at);
    }
    check_same(next, results.size(), "different messages stored");
    for (std::size_t i = 0; i < results.size(); ++i) {
        const sluice::receipt& r = results[i].value;
        const std::string which = "message " + std::to_string(i);
        check(!results[i].ec, which + ": " + results[i].ec.message() + " " + shown(r.details().text));
        if (r.outcome == sluice::outcome::duplicate) continue; // told as ledger -1, entry -1
        const auto at = r.message_id.decode();
        const auto is_it = [&](const position& p) {
            return at && p.ledger == at->ledger && p.entry == at->entry && p.batch_index == at->batch_index;
        };
        check(std::any_of(copies[i].begin(), copies[i].end(), is_it), which + " is not where its receipt says");
    }
    return repeats;
}

void check_exactly_once(const std::vector<sluice::result>& results, const std::vector<seen_message>& stored) {
    check_same(check_none_lost(results, stored), 0u, "messages stored again");
}

asio::awaitable<void> until(asio::any_io_executor executor, std::string what, std::function<bool()> holds) {
    asio::steady_timer timer(executor);
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(3);
    while (!holds()) {
        check(std::chrono::steady_clock::now() < patience, "never: " + what);
        timer.expires_after(std::chrono::milliseconds(5));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

std::string noise(std::size_t size, std::uint32_t seed) {
    std::string bytes(size, '\0');
    std::uint64_t state = seed;
    for (char& c : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        c = static_cast<char>(state >> 56);
    }
    return bytes;
}

} // namespace conformance
