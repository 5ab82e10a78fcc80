// SPDX-License-Identifier: BSL-1.0
// The rules of effectively-once, each by itself: what a socket is opened with, and what its answers mean.
#include "cases.hpp"
#include "producing.hpp"
#include "receiving.hpp"
#include "relay.hpp"
#include "words.hpp"

#include <charconv>
#include <set>

namespace conformance {
namespace {

using namespace std::chrono_literals;

sluice::producer_options once() {
    sluice::producer_options options;
    options.producer_name = "once";
    options.deduplicate = true;
    options.reconnect = {20ms, 100ms, 2.0};
    return options;
}

/// What the upgrade's query says; nothing where it says nothing.
std::optional<std::string> parameter(const overheard& one, const std::string& name) {
    const std::size_t at = one.target.find("&" + name + "=");
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + name.size() + 2;
    return one.target.substr(begin, one.target.find('&', begin) - begin);
}

/// The messages of each connection that carried some, as "0-14 17-21". Their numbers are consecutive, and each upgrade
/// has said a number: where messages went over the socket, the one before the first of them.
std::string runs_of(const std::vector<overheard>& connections, std::int64_t first_number) {
    std::string runs;
    for (const overheard& one : connections) {
        const auto said = parameter(one, "initialSequenceId");
        check(said && !said->empty(), "a socket is opened without a number: " + shown(one.target));
        if (one.contexts.empty()) continue;
        for (std::size_t i = 1; i < one.contexts.size(); ++i)
            check_same(std::stoll(one.contexts[i]), std::stoll(one.contexts[i - 1]) + 1, "consecutive numbers");
        check_same(std::stoll(*said), first_number + std::stoll(one.contexts.front()) - 1, "the number of a socket");
        runs += (runs.empty() ? "" : " ") + one.contexts.front() + "-" + one.contexts.back();
    }
    return runs;
}

/// What became of messages whose first connection was cut.
struct cut_story {
    std::vector<sluice::result> results{};
    std::vector<overheard> connections{};
    std::vector<seen_message> stored{};

    std::string runs() const { return runs_of(connections, results.front().value.sequence_id); }
};

/// Sends `before` messages over a connection as `first` says; once all have been written (and, where answers are kept
/// back, answered), gives some up, cuts it, waits for the others' answers and sends `behind` more.
cut_story through_a_cut(target& server, const sluice::producer_options& options, const cut_at& first,
                        std::size_t before, const std::set<std::size_t>& given_up, std::size_t behind) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    relay between(server.address, {first});
    sluice::client_config config = server.config();
    config.url = between.url();
    cut_story out;
    out.results.resize(before + behind);
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, config, topic, options);
        std::vector<asio::cancellation_signal> signals(before + behind);
        std::size_t done = 0;
        const auto send = [&](std::size_t i) {
            sluice::message m(std::to_string(i));
            const auto ended = [&, i](std::error_code ec, const sluice::receipt& r) {
                out.results[i] = {ec, r};
                ++done;
            };
            producer.async_send(std::move(m), asio::bind_cancellation_slot(signals[i].slot(), ended));
        };
        for (std::size_t i = 0; i < before; ++i) send(i);
        const bool answers = first.where == cut_at::direction::unanswered;
        co_await until(executor, "all are written", [&] {
            return between.messages_to_server() == before && (!answers || between.answers_kept() == before);
        });
        for (const std::size_t i : given_up) signals[i].emit(asio::cancellation_type::terminal);
        co_await until(executor, "those are let go", [&] { return done == given_up.size(); });
        between.cut();
        co_await until(executor, "the others are answered", [&] { return done == before; });
        for (std::size_t i = before; i < before + behind; ++i) send(i);
        co_await until(executor, "the new ones are answered", [&] { return done == before + behind; });
        co_await producer.close();
    });
    out.connections = between.connections();
    out.stored = server.read_back(topic);
    for (std::size_t i = 0; i < out.results.size(); ++i) {
        const sluice::result& r = out.results[i];
        const std::string which = "message " + std::to_string(i) + ": ";
        if (given_up.contains(i)) {
            check(r.ec == asio::error::operation_aborted, which + r.ec.message());
            check(r.value.outcome == sluice::outcome::maybe_persisted, which + std::string(to_string(r.value.outcome)));
        } else {
            check(!r.ec, which + r.ec.message() + " " + shown(r.value.details().text));
        }
    }
    return out;
}

void check_outcomes(const cut_story& story, std::size_t from, std::size_t to, sluice::outcome expected) {
    for (std::size_t i = from; i < to; ++i)
        check_same(to_string(story.results[i].value.outcome), to_string(expected), "message " + std::to_string(i));
}

void check_payloads(const cut_story& story, const std::set<std::size_t>& missing) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < story.results.size(); ++i) {
        if (missing.contains(i)) continue;
        check(at < story.stored.size(), "message " + std::to_string(i) + " is not stored");
        check_same(story.stored[at++].payload, std::to_string(i), "stored");
    }
    check_same(story.stored.size(), at, "stored");
}

/// Of the very first socket the clock says the number.
void says_the_number(target& server) {
    const std::int64_t before = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    const cut_story story = through_a_cut(server, once(), swallowed, 20, {}, 20);
    const std::int64_t after = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::int64_t first = story.results.front().value.sequence_id;
    check(before <= first && first <= after, "the first number is not the clock's: " + std::to_string(first));
    check_same(story.runs(), "0-19 0-39", "runs");
    check_payloads(story, {});
}

/// Messages given up in the middle and at the end leave holes in the numbers.
const std::set<std::size_t> holes{15, 16, 22, 29};
constexpr const char* runs_between_holes = "0-29 0-14 17-21 23-28 30-39";

void runs_of_the_stored(target& server) {
    const cut_story story = through_a_cut(server, once(), kept_back, 30, holes, 10);
    check_same(story.runs(), runs_between_holes, "runs");
    for (std::size_t i = 0; i < 30; ++i)
        if (!holes.contains(i)) check_outcomes(story, i, i + 1, sluice::outcome::duplicate);
    check_outcomes(story, 30, 40, sluice::outcome::persisted);
    check_payloads(story, {}); // those that were given up had been stored
}

void runs_of_the_lost(target& server) {
    const cut_story story = through_a_cut(server, once(), swallowed, 30, holes, 10);
    check_same(story.runs(), runs_between_holes, "runs");
    for (std::size_t i = 0; i < 40; ++i)
        if (!holes.contains(i)) check_outcomes(story, i, i + 1, sluice::outcome::persisted);
    check_payloads(story, holes);
}

void sent_again(target& server) {
    const cut_story story = through_a_cut(server, once(), kept_back, 100, {}, 1);
    check_outcomes(story, 0, 100, sluice::outcome::duplicate);
    check_outcomes(story, 100, 101, sluice::outcome::persisted);
    check_payloads(story, {});
}

/// Opens as soon as the name is free.
std::unique_ptr<raw_producer> reopen(target& server, const std::string& topic, const std::string& query) {
    std::unique_ptr<raw_producer> socket;
    wait_until("the name is free", [&] {
        try {
            socket = std::make_unique<raw_producer>(server, topic, query);
        } catch (const failed&) {
            return false;
        }
        return true;
    });
    return socket;
}

/// Somebody else has used the name, with higher numbers.
void number_in_use(target& server) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    {
        raw_producer other(server, topic, "producerName=once&initialSequenceId=4000000000000000000");
        check_same(words(other.ask(message_text("other's", R"(,"context":"1")"))), ok(), "the other's");
        other.close(1000);
        other.read_end();
    }
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, once());
        const sluice::message m("mine");
        for (int i = 0; i < 2; ++i) {
            const sluice::result r = co_await outcome_of(producer, m);
            check(r.ec == sluice::errc::sequence_in_use, "a number in use: " + r.ec.message());
            check(r.value.outcome == sluice::outcome::rejected, "outcome: " + std::string(to_string(r.value.outcome)));
        }
        co_await producer.close();
    });
    const std::vector<seen_message> stored = server.read_back(topic);
    check_same(stored.size(), 1u, "stored");
    check_same(stored[0].payload, "other's", "stored");
}

/// Programs that remember no number, one after the other: the clock has gone on.
void clock_goes_on(target& server) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    std::int64_t last = -1;
    std::string sent, stored;
    for (int program = 0; program < 3; ++program) {
        run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
            any_producer producer = make_producer(executor, server, topic, once());
            for (int i = 0; i < 3; ++i) {
                const std::string text = std::to_string(program) + std::to_string(i) + " ";
                const sluice::receipt r = co_await producer.send(text);
                check_same(to_string(r.outcome), to_string(sluice::outcome::persisted), text);
                check(r.sequence_id > last, text + "has number " + std::to_string(r.sequence_id));
                last = r.sequence_id;
                sent += text;
            }
            co_await producer.close();
        });
    }
    for (const seen_message& m : server.read_back(topic)) stored += m.payload;
    check_same(stored, sent, "stored");
}

/// Why the library never says -1 by itself.
void minus_one(target& server) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    for (const bool used : {false, true}) {
        const auto socket = reopen(server, topic, "producerName=p&initialSequenceId=-1");
        for (const char* text : {"a", "b", "c"}) {
            const std::string answer = socket->ask(message_text(text, R"(,"context":"1")"));
            check_same(words(answer), ok(), text);
            check_same(answer.find(R"("messageId":"CP///////////wEQ////////////A)") != std::string::npos, used,
                       std::string(text) + " is dropped: " + answer);
        }
        socket->close(1000);
        socket->read_end();
    }
    check_same(server.read_back(topic).size(), 3u, "stored");
}

/// Old messages go over a socket of their own, without batching; the new ones, in batches, over another one.
void batching_returns(target& server) {
    sluice::producer_options options = once();
    options.batching_enabled = true;
    for (const cut_at& first : {kept_back, swallowed}) {
        const cut_story story = through_a_cut(server, options, first, 200, {}, 200);
        check_same(story.runs(), "0-199 0-199 200-399", "runs");
        std::string batching;
        for (const overheard& one : story.connections)
            if (!one.contexts.empty()) batching += parameter(one, "batchingEnabled").value_or("?") + " ";
        check_same(batching, "true false true ", "batchingEnabled");
        const bool stored = first.where == kept_back.where;
        check_outcomes(story, 0, 200, stored ? sluice::outcome::duplicate : sluice::outcome::persisted);
        check_outcomes(story, 200, 400, sluice::outcome::persisted);
        check_payloads(story, {});
    }
}

} // namespace

std::vector<test_case> deduplication_cases() {
    return {
        {"each socket says the number before its first message", says_the_number},
        {"no number stored: the clock goes on", clock_goes_on},
        {"-1 on a used name: all is dropped, and answered ok", minus_one},
        {"runs between holes, of messages that were stored", runs_of_the_stored},
        {"runs between holes, of messages that were not", runs_of_the_lost},
        {"sent again and dropped: a duplicate", sent_again},
        {"written for the first time and dropped: sequence_in_use", number_in_use},
        {"with batching, old messages go without it, and it returns", batching_returns},
    };
}

} // namespace conformance
