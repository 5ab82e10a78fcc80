// SPDX-License-Identifier: BSL-1.0
// A backlog that is full: the three policies, as producers see them.
#include "cases.hpp"
#include "producing.hpp"
#include "receiving.hpp"
#include "words.hpp"

namespace conformance {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t quota_bytes = 20'000;

/// A topic in a namespace with a quota, and a subscription that nobody reads.
std::string full_topic(target& server, const std::string& policy) {
    const std::string ns = server.new_namespace(false);
    server.expect_done("POST", "/namespaces/" + ns + "/backlogQuota",
                       R"({"limitSize":)" + std::to_string(quota_bytes) + R"(,"limitTime":-1,"policy":")" + policy +
                           R"("})");
    const std::string topic = server.new_topic(ns);
    raw_consumer(server, topic).leave();
    return topic;
}

void make_room(target& server, const std::string& topic) {
    server.expect_done("POST", "/" + path_of(topic) + "/subscription/s/skip_all");
}

/// `standalone-0-1` is the generated name of a producer.
std::string without_name(const std::string& answer) {
    static const std::regex name(R"(the producer \S+ produces)");
    return std::regex_replace(words(answer), name, "the producer * produces");
}

const std::string large = message_text(std::string(5000, 'x'), R"(,"context":"1")");

void refused(target& server) {
    const std::string topic = full_topic(server, "producer_exception");
    raw_producer socket(server, topic);
    std::string answer;
    // The broker looks at the backlog every now and then.
    wait_until("the quota is full", [&] { return without_name(answer = socket.ask(large)) != ok(); });
    const std::string expected = exception("ProducerBlockedQuotaExceededException: The backlog quota of the topic " +
                                           topic + " that the producer * produces to is exceeded");
    check_same(without_name(answer), expected, "full");
    check_same(without_name(socket.ask(large)), expected, "for every message");
    make_room(server, topic);
    wait_until("there is room again", [&] { return without_name(answer = socket.ask(large)) == ok(); });
}

/// The library tells it as such, and goes on by itself.
void refused_producer(target& server) {
    const std::string topic = full_topic(server, "producer_exception");
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic);
        const sluice::message m(std::string(5000, 'x'));
        sluice::result r;
        const auto patience = std::chrono::steady_clock::now() + 20s;
        while (!r.ec && std::chrono::steady_clock::now() < patience) r = co_await outcome_of(producer, m);
        check(r.ec == sluice::errc::quota_exceeded, "full: " + r.ec.message());
        check(r.value.outcome == sluice::outcome::rejected, "outcome: " + std::string(to_string(r.value.outcome)));
        make_room(server, topic);
        while (r.ec && std::chrono::steady_clock::now() < patience) r = co_await outcome_of(producer, m);
        check(!r.ec, "with room: " + r.ec.message());
        co_await producer.close();
    });
}

void held(target& server) {
    const std::string topic = full_topic(server, "producer_request_hold");
    raw_producer socket(server, topic);
    std::size_t sent = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (bool answered = true; answered; ++sent) {
        check(std::chrono::steady_clock::now() - begin < 30s, "it never holds");
        socket.text(large);
        answered = socket.has_text_within(1s);
        if (answered) check_same(words(socket.read_text()), ok(), "with room");
    }
    socket.text(message_text("behind it", R"(,"context":"2")"));
    check(!socket.has_text_within(500ms), "an answer without room");
    make_room(server, topic);
    check_same(words(socket.read_text()), ok(), "the one that was held");
    check_same(words(socket.read_text()), ok(R"("2")"), "the one behind it");
    // The broker drops its producers then, whose client sends again what may have been stored already.
    const std::size_t stored = server.read_back(topic).size();
    check(stored == sent + 1 || stored == sent + 2,
          "stored: " + std::to_string(stored) + " of " + std::to_string(sent + 1));
}

/// Everything that waits fails with the oldest message's time.
void held_too_long(target& server) {
    const std::string topic = full_topic(server, "producer_request_hold");
    raw_producer socket(server, topic, "sendTimeoutMillis=3000&producerName=holder");
    const auto begin = std::chrono::steady_clock::now();
    for (bool answered = true; answered;) {
        check(std::chrono::steady_clock::now() - begin < 30s, "it never holds");
        socket.text(large);
        answered = socket.has_text_within(1s);
        if (answered) check_same(words(socket.read_text()), ok(), "with room");
    }
    socket.text(message_text("young", R"(,"context":"2")"));
    static const std::regex number(R"(\d+(\.\d+)? seconds|retryCount \d+)");
    const auto expected = [&](const std::string& context) {
        return exception("TimeoutException: The producer holder can not send message to the topic " + topic +
                             " within given timeout : createdAt * ago, firstSentAt * ago, lastSentAt * ago, *",
                         context);
    };
    for (const char* context : {R"("1")", R"("2")"})
        check_same(std::regex_replace(words(socket.read_text()), number, "*"), expected(context), context);
}

void evicted(target& server) {
    const std::string topic = full_topic(server, "consumer_backlog_eviction");
    raw_producer socket(server, topic);
    std::size_t sent = 0;
    wait_until("messages are skipped", [&] {
        check_same(words(socket.ask(large)), ok(), "a producer sees nothing");
        return backlog_of(server, topic) < static_cast<long>(++sent);
    });
    check_same(server.read_back(topic).size(), sent, "stored");
}

} // namespace

std::vector<test_case> quota_cases() {
    return {
        {"producer_exception", refused},        {"producer_exception for a producer", refused_producer},
        {"producer_request_hold", held},        {"producer_request_hold, past sendTimeoutMillis", held_too_long},
        {"consumer_backlog_eviction", evicted},
    };
}

} // namespace conformance
