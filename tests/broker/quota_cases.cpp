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

void set_quota(target& server, const std::string& ns, const std::string& policy, std::size_t bytes) {
    server.expect_done("POST", "/namespaces/" + ns + "/backlogQuota",
                       R"({"limitSize":)" + std::to_string(bytes) + R"(,"limitTime":-1,"policy":")" + policy + R"("})");
}

/// A topic in a namespace with a quota, and a subscription that nobody reads.
std::string full_topic(target& server, const std::string& policy, bool deduplicate = false) {
    const std::string ns = server.new_namespace(deduplicate);
    set_quota(server, ns, policy, quota_bytes);
    const std::string topic = server.new_topic(ns);
    raw_consumer(server, topic).leave();
    return topic;
}

/// For what no consumer can make room: deduplication's own cursor counts as backlog.
void raise_quota(target& server, const std::string& topic, const std::string& policy) {
    constexpr std::size_t scheme = std::string_view("persistent://").size();
    set_quota(server, topic.substr(scheme, topic.rfind('/') - scheme), policy, 1000 * quota_bytes);
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

/// With deduplication, numbers are what stored messages are known by: does a refused one take one?
void refused_number(target& server) {
    for (const char* batching : {"false", "true"}) {
        const std::string topic = full_topic(server, "producer_exception");
        raw_producer socket(server, topic, std::string("initialSequenceId=99&batchingEnabled=") + batching);
        long asked = 0;
        const auto stored = [&] {
            ++asked;
            return words(socket.ask(large)) == ok();
        };
        wait_until("the quota is full", [&] { return !stored(); });
        for (int i = 0; i < 2; ++i) check(!stored(), "there is room");
        const std::string behind = "/" + path_of(topic) + "/subscription/behind";
        server.expect_done("PUT", behind, "\"latest\"");
        raise_quota(server, topic, "producer_exception");
        wait_until("there is room", stored, 60s);
        const web::http_response peeked = server.rest("GET", behind + "/position/1");
        check_same(peeked.status, 200, "peeking");
        check_same(std::string(peeked.fields.get("X-Pulsar-sequence-id")), std::to_string(99 + asked),
                   std::string("the number of the first one stored then, batching ") + batching);
    }
}

/// A producer that is to be left hanging does not wait long.
sluice::producer_options patient() {
    sluice::producer_options options;
    // Each upgrade that is left holds a thread of the proxy for 80 seconds: few of them are enough.
    options.connect_timeout = 3s;
    options.reconnect = {1s, 2s, 2.0};
    options.send_timeout = 120s;
    return options;
}

const sluice::message large_message(std::string(5000, 'x'));

/// Sends until the quota is seen to be full. Returns how many were stored.
asio::awaitable<std::size_t> fill(any_producer& producer) {
    std::size_t stored = 0;
    const auto patience = std::chrono::steady_clock::now() + 20s;
    for (;;) {
        const sluice::result r = co_await outcome_of(producer, large_message);
        if (r.ec) {
            check(r.ec == sluice::errc::quota_exceeded, "full: " + r.ec.message());
            check(r.value.outcome == sluice::outcome::maybe_persisted,
                  "outcome: " + std::string(to_string(r.value.outcome)));
            co_return stored;
        }
        check(std::chrono::steady_clock::now() < patience, "it is never full");
        ++stored;
    }
}

/// The library tells it as such, and goes on by itself, over the same socket.
void refused_producer(target& server) {
    const std::string topic = full_topic(server, "producer_exception");
    std::size_t stored = 0, refused = 1;
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, patient());
        stored = co_await fill(producer);
        make_room(server, topic);
        const auto patience = std::chrono::steady_clock::now() + 20s;
        sluice::result r;
        for (;; ++refused) {
            r = co_await outcome_of(producer, large_message);
            if (r.ec != sluice::errc::quota_exceeded || std::chrono::steady_clock::now() > patience) break;
            check(r.value.outcome == sluice::outcome::maybe_persisted,
                  "still full: " + std::string(to_string(r.value.outcome)));
        }
        check(!r.ec, "with room: " + r.ec.message() + " " + r.value.details().text);
        check_same(producer.stats().connections, 1u, "sockets");
        co_await producer.close();
    };
    run(body, 150s);
    // The one that was on its way when the broker dropped its producers is refused by the proxy, stored or not.
    const std::size_t there = server.read_back(topic).size();
    check(there == stored + 1 || there == stored + 2,
          "stored: " + std::to_string(there) + " of " + std::to_string(stored + 1));
    server.note = std::to_string(refused) + " refused, " + std::to_string(there - stored - 1) + " of them stored";
}

/// Nobody knows whether a refused message took a number: another socket goes on with a jump ahead. It opens once there
/// is room, and what the quota did not refuse is stored exactly once.
void deduplicated_producer(target& server) {
    const std::string policy = "producer_exception";
    const std::string topic = full_topic(server, policy, true);
    std::vector<sluice::result> results;
    std::size_t attempts = 0;
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        sluice::producer_options options = patient();
        options.producer_name = "once";
        options.deduplicate = true;
        sluice::producer_observer observer;
        observer.on_reconnect = [&](const sluice::failure&, unsigned, std::chrono::milliseconds) { ++attempts; };
        any_producer producer =
            make_producer(executor, server, topic, options, sluice::compression_type::none, observer);
        std::size_t answered = 0;
        const auto send = [&] {
            const std::size_t i = results.size();
            results.emplace_back();
            sluice::message m(std::to_string(i) + " " + std::string(5000, 'x'));
            producer.async_send(std::move(m), [&, i](std::error_code ec, const sluice::receipt& r) {
                results[i] = {ec, r};
                ++answered;
            });
        };
        const auto patience = std::chrono::steady_clock::now() + 20s;
        do {
            check(std::chrono::steady_clock::now() < patience, "it is never full");
            send();
            co_await until(executor, "an answer", [&] { return answered == results.size(); });
        } while (!results.back().ec);
        check(results.back().ec == sluice::errc::quota_exceeded, "full: " + results.back().ec.message());
        for (int i = 0; i < 5; ++i) send();
        co_await until(executor, "an upgrade is left", [&] { return attempts != 0; });
        check(answered + 5 == results.size(), "something is answered while it is full");
        raise_quota(server, topic, policy);
        co_await until(executor, "all are answered", [&] { return answered == results.size(); });
        co_await producer.close();
    };
    run(body, 240s);
    std::size_t i = 0, refused_and_stored = 0;
    for (const seen_message& m : server.read_back(topic)) {
        const std::string number = m.payload.substr(0, m.payload.find(' '));
        for (; i < results.size() && std::to_string(i) != number; ++i)
            check(static_cast<bool>(results[i].ec), "message " + std::to_string(i) + " is not stored before " + number);
        check(i < results.size(), "message " + number + " is stored again");
        refused_and_stored += results[i++].ec ? 1 : 0;
    }
    for (; i < results.size(); ++i) check(static_cast<bool>(results[i].ec), "the last ones are not stored");
    std::size_t refused = 0;
    for (const sluice::result& r : results) {
        refused += r.ec ? 1 : 0;
        check(!r.ec || r.ec == sluice::errc::quota_exceeded, "an error: " + r.ec.message());
    }
    check_same(refused, 1u, "refused");
    server.note = std::to_string(attempts) + " attempts, " + std::to_string(refused_and_stored) + " refused and stored";
}

/// A new producer's upgrade is not answered for 80 seconds. It is left sooner, and asked for again until it opens.
void hanging_upgrade(target& server) {
    const std::string topic = full_topic(server, "producer_exception");
    const bool answers = server.differs(server_kind::gateway, "an upgrade is refused at once, not after 80 seconds");
    const auto expected = answers ? sluice::errc::quota_exceeded : sluice::errc::connect_timeout;
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer filler = make_producer(executor, server, topic);
        co_await fill(filler);
        co_await filler.close();
        std::vector<sluice::failure> attempts;
        sluice::producer_observer observer;
        observer.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
            attempts.push_back(f);
        };
        any_producer producer =
            make_producer(executor, server, topic, patient(), sluice::compression_type::none, observer);
        sluice::result r;
        bool done = false;
        sluice::message m("at last");
        producer.async_send(std::move(m), [&](std::error_code ec, const sluice::receipt& receipt) {
            r = {ec, receipt};
            done = true;
        });
        co_await until(executor, "two attempts", [&] { return attempts.size() >= 2; });
        for (const sluice::failure& f : attempts) check(f.code == expected, "an attempt: " + f.code.message());
        check(!done, "it is answered");
        make_room(server, topic);
        co_await until(executor, "an answer", [&] { return done; });
        check(!r.ec, "with room: " + r.ec.message() + " " + r.value.details().text);
        check(r.value.outcome == sluice::outcome::persisted, "outcome: " + std::string(to_string(r.value.outcome)));
        server.note = std::to_string(attempts.size()) + " attempts";
        co_await producer.close();
    };
    run(body, 150s);
}

asio::awaitable<bool> within(asio::any_io_executor executor, std::chrono::milliseconds time,
                             std::function<bool()> holds) {
    asio::steady_timer timer(executor);
    const auto end = std::chrono::steady_clock::now() + time;
    while (!holds() && std::chrono::steady_clock::now() < end) {
        timer.expires_after(5ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_return holds();
}

/// Messages wait, and the oldest goes first. The broker drops its producers once there is room; whose client, in the
/// proxy, sends again what may have been stored already.
void held_producer(target& server) {
    const std::string topic = full_topic(server, "producer_request_hold");
    std::vector<sluice::result> results;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, patient());
        std::size_t answered = 0;
        const auto send = [&](std::size_t more) {
            const std::size_t i = results.size();
            results.emplace_back();
            sluice::message m(std::to_string(i) + " " + std::string(more, 'x'));
            producer.async_send(std::move(m), [&, i](std::error_code ec, const sluice::receipt& r) {
                results[i] = {ec, r};
                ++answered;
            });
        };
        const auto all = [&] { return answered == results.size(); };
        const auto patience = std::chrono::steady_clock::now() + 20s;
        bool held = false;
        while (!held) {
            check(std::chrono::steady_clock::now() < patience, "it never holds");
            send(5000);
            held = !co_await within(executor, 1s, all);
        }
        const std::size_t before = answered;
        for (int i = 0; i < 5; ++i) send(1); // which do not fill it again
        const bool early = co_await within(executor, 300ms, [&] { return answered != before; });
        check(!early, "an answer without room");
        make_room(server, topic);
        co_await until(executor, "all are answered", all);
        co_await producer.close();
    });
    make_room(server, topic); // what was sent again may have filled it: reading back says where it ends
    const std::vector<seen_message> stored = server.read_back(topic);
    server.note = std::to_string(check_none_lost(results, stored)) + " repeats stored";
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
        {"producer_exception", refused},
        {"producer_exception: a refused message takes a number", refused_number},
        {"producer_exception for a producer", refused_producer},
        {"producer_exception for a deduplicating producer: exactly once, but for the refused", deduplicated_producer},
        {"producer_exception for a new producer: its upgrade is left, and tried again", hanging_upgrade},
        {"producer_request_hold", held},
        {"producer_request_hold for a producer: none lost, order kept", held_producer},
        {"producer_request_hold, past sendTimeoutMillis", held_too_long},
        {"consumer_backlog_eviction", evicted},
    };
}

} // namespace conformance
