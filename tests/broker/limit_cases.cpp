// SPDX-License-Identifier: BSL-1.0
// Limits of the server, set low enough to be reached: a second server, which the main one names `narrow`.
#include "cases.hpp"
#include "producing.hpp"
#include "receiving.hpp"
#include "words.hpp"

namespace conformance {
namespace {

using namespace std::chrono_literals;

/// `narrow_gateway` in servers.hpp says what its limits are.
target& narrow_of(target& server) {
    if (!server.narrow) throw not_set_up("there is no second server with low limits");
    return *server.narrow;
}

/// Topics are not made by their first use there.
std::string made_topic(target& narrow, const std::string& owner = "public/default") {
    const std::string topic = narrow.new_topic(owner);
    narrow.expect_done("PUT", "/" + path_of(topic));
    return topic;
}

std::string sized(std::size_t payload, const std::string& members = {}) {
    return message_text(std::string(payload, 'x'), members + R"(,"context":"1")");
}

void message_size(target& server) {
    target& narrow = narrow_of(server);
    const std::string topic = made_topic(narrow);
    raw_producer socket(narrow, topic, "producerName=p");
    const auto too_large = [&](const char* what, int size) {
        return exception("InvalidMessageException: The producer p of the topic " + topic + " sends " + what +
                         " message with " + std::to_string(size) + " bytes that exceeds 100000 bytes");
    };
    check_same(words(socket.ask(sized(90'000))), ok(), "well below");
    check_same(words(socket.ask(sized(100'001))), too_large("a ", 100'001), "the payload alone");
    check_same(words(socket.ask(sized(99'999))), too_large("a", 100'015), "with its metadata");
    check_same(words(socket.ask(sized(99'900, R"(,"key":")" + std::string(100, 'k') + R"(")"))),
               too_large("a", 100'021), "with a key");
    check_same(words(socket.ask(sized(99'000))), ok(), "the socket lives");
}

void batched_size(target& server) {
    target& narrow = narrow_of(server);
    raw_producer socket(narrow, made_topic(narrow), "batchingEnabled=true");
    check_same(words(socket.ask(sized(100'001))),
               exception("InvalidMessageException: Message size is bigger than 100000 bytes"), "the payload alone");
    check_same(words(socket.ask(sized(90'000))), ok(), "the socket lives");
}

/// What the library makes of it: this message fails, the next one does not.
void refused_size(target& server) {
    target& narrow = narrow_of(server);
    const std::string topic = made_topic(narrow);
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, narrow, topic);
        const sluice::message large(noise(150'000)), small("small");
        sluice::result r = co_await outcome_of(producer, large);
        check(r.ec == sluice::errc::too_large, "too large: " + r.ec.message());
        check(r.value.outcome == sluice::outcome::rejected, "outcome: " + std::string(to_string(r.value.outcome)));
        r = co_await outcome_of(producer, small);
        check(!r.ec, "the next: " + r.ec.message());
        co_await producer.close();
    });
    check_same(narrow.read_back(topic).size(), 1u, "stored");
}

/// Which messages that are too large take a number.
void numbers(target& server) {
    target& narrow = narrow_of(server);
    const std::string ns = narrow.new_namespace(true);
    const auto second_number = [&](std::size_t first_size, const std::string& query) {
        const std::string topic = made_topic(narrow, ns);
        {
            raw_producer socket(narrow, topic, "producerName=p&initialSequenceId=-1" + query);
            check(socket.ask(sized(first_size)).find("InvalidMessageException") != std::string::npos, "not too large");
            check_same(words(socket.ask(sized(1))), ok(), "small");
        }
        // A repeat is known by its number: of 0 and 1 the one that was taken.
        for (const int number : {0, 1}) {
            std::unique_ptr<raw_producer> again;
            wait_until("the name is free", [&] {
                try {
                    again = std::make_unique<raw_producer>(
                        narrow, topic, "producerName=p&initialSequenceId=" + std::to_string(number - 1));
                } catch (const failed&) {
                    return false;
                }
                return true;
            });
            const std::string answer = again->ask(sized(1));
            const bool repeat = answer.find(R"("messageId":"CP///)") != std::string::npos;
            again->close(1000);
            again->read_end();
            if (!repeat) return number - 1;
        }
        return 1;
    };
    check_same(second_number(100'001, ""), 0, "the payload alone is too large");
    check_same(second_number(99'999, ""), 1, "with its metadata it is too large");
    check_same(second_number(100'001, "&batchingEnabled=true"), 1, "with batching");
}

void no_auto_creation(target& server) {
    target& narrow = narrow_of(server);
    const std::string topic = narrow.new_topic();
    const auto expect = [&](const std::string& where, int status, const std::string& text) {
        raw_socket socket(narrow.address, where);
        check_same(socket.answer().status, status, where);
        check_same(words(socket.answer()), text, where);
    };
    const bool says = server.differs(server_kind::pulsar_3_0, "a producer is told which topic is not there");
    const std::string nothing = R"({"errorMsg":"",...})";
    const std::string named = R"({"errorMsg":"Topic not found )" + topic + R"(",...})";
    expect(narrow.producer_target(topic), 404, "Failed to create producer/consumer: " + (says ? named : nothing));
    expect(narrow.consumer_target(topic, "s"), 404, "Failed to create producer/consumer: " + nothing);
    expect(narrow.reader_target(topic), 500, "Failed to create reader: " + nothing);
    narrow.expect_done("PUT", "/" + path_of(topic));
    raw_producer producer(narrow, topic);
    check_same(words(producer.ask(sized(1))), ok(), "once it is there");
}

/// A socket whose topic was deleted is of no use any more, and says so.
void deleted(target& server) {
    target& narrow = narrow_of(server);
    const std::string topic = made_topic(narrow);
    raw_producer socket(narrow, topic, "producerName=p");
    check_same(words(socket.ask(sized(1))), ok(), "before");
    narrow.expect_done("DELETE", "/" + path_of(topic) + "?force=true");
    const std::string closed = exception("AlreadyClosedException: Producer already closed");
    const std::string first = words(socket.ask(sized(1))); // it depends on whether the proxy has been told already
    if (first != closed)
        check_same(first,
                   exception("AlreadyClosedException: The producer p of the topic " + topic +
                             " was already closed when closing the producers"),
                   "the first one");
    check_same(words(socket.ask(sized(1))), closed, "others");
    narrow.expect_done("PUT", "/" + path_of(topic));
    check_same(words(socket.ask(sized(1))), closed, "for ever");
}

/// The library asks for a new socket, and is told that there is no such topic.
void deleted_producer_with(target& server, bool deduplicate) {
    target& narrow = narrow_of(server);
    const std::string topic = made_topic(narrow, deduplicate ? narrow.new_namespace(true) : "public/default");
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        sluice::producer_options options;
        options.reconnect = {20ms, 100ms, 2.0};
        options.deduplicate = deduplicate;
        if (deduplicate) options.producer_name = "once";
        any_producer producer = make_producer(executor, narrow, topic, options);
        co_await producer.send("before");
        narrow.expect_done("DELETE", "/" + path_of(topic) + "?force=true");
        const sluice::message m("lost");
        sluice::result r = co_await outcome_of(producer, m);
        check(r.ec == sluice::errc::connection_closed || r.ec == sluice::errc::not_found, "lost: " + r.ec.message());
        r = co_await outcome_of(producer, m);
        check(r.ec == sluice::errc::not_found, "afterwards: " + r.ec.message());
    });
}
void deleted_producer(target& server) { deleted_producer_with(server, false); }
void deleted_producer_deduplicated(target& server) { deleted_producer_with(server, true); }

void producers(target& server) {
    target& narrow = narrow_of(server);
    const std::string topic = made_topic(narrow);
    raw_producer one(narrow, topic), two(narrow, topic);
    raw_socket three(narrow.address, narrow.producer_target(topic));
    check_same(three.answer().status, 409, "the third producer");
    check_same(words(three.answer()),
               R"(Failed to create producer/consumer: {"errorMsg":"Topic ')" + topic +
                   R"(' reached max producers limit",...})",
               "the third producer");
}

/// Silence ends a socket; pings are no silence.
void idle(target& server) {
    target& narrow = narrow_of(server);
    raw_producer silent(narrow, made_topic(narrow)), pinging(narrow, made_topic(narrow));
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 6s) {
        pinging.ping("p");
        check_same(pinging.read_pong(), "p", "a pong");
        check(!pinging.has_text_within(1s), "a text that nobody asked for");
    }
    const ending end = silent.read_end();
    check_same(end.code, 1001, "the end of the silent one");
    static const std::regex waited(R"(\d+/)");
    check_same(std::regex_replace(end.reason, waited, "*/"),
               "java.util.concurrent.TimeoutException: Idle timeout expired: */4000 ms", "the end of the silent one");
    check_same(words(pinging.ask(sized(1))), ok(), "the one that pinged");
}

} // namespace

std::vector<test_case> limit_cases() {
    return {
        {"maxMessageSize, and what counts", message_size},
        {"maxMessageSize with batching", batched_size},
        {"maxMessageSize for a producer", refused_size},
        {"numbers of messages that are too large", numbers},
        {"no topics by their first use", no_auto_creation},
        {"a topic deleted for good", deleted},
        {"a topic deleted for good, for a producer", deleted_producer},
        {"a topic deleted for good, for a producer, deduplicated", deleted_producer_deduplicated},
        {"maxProducersPerTopic", producers},
        {"idle sockets", idle},
    };
}

} // namespace conformance
