// SPDX-License-Identifier: BSL-1.0
// What the upgrade is refused with, word for word, and what the library makes of it.
#include "cases.hpp"
#include "producing.hpp"
#include "words.hpp"

namespace conformance {
namespace {

using namespace std::chrono_literals;

struct refusal {
    const char* query;
    int status;
    const char* text; ///< nullptr: not looked at
};

void refused_options(target& server) {
    const std::vector<refusal> refusals{
        {"sendTimeoutMillis=x", 400, R"(Invalid query params: For input string: "x")"},
        {"sendTimeoutMillis=", 400, R"(Invalid query params: For input string: "")"},
        {"sendTimeoutMillis=-1", 400, "Invalid query params: sendTimeout needs to be >= 0"},
        {"sendTimeoutMillis=2147483648", 400, R"(Invalid query params: For input string: "2147483648")"},
        {"batchingEnabled=true&batchingMaxPublishDelay=0", 400,
         "Invalid query params: configured value for batch delay must be at least 1ms"},
        {"batchingEnabled=true&batchingMaxPublishDelay=-1", 400,
         "Invalid query params: configured value for batch delay must be at least 1ms"},
        {"batchingEnabled=true&maxPendingMessages=-1", 400,
         "Invalid query params: maxPendingMessages needs to be >= 0"},
        {"batchingEnabled=true&batchingMaxMessages=x", 400, R"(Invalid query params: For input string: "x")"},
        {"compressionType=BROTLI", 400, "Invalid query params: Invalid compressionType BROTLI"},
        {"compressionType=lz4", 400, "Invalid query params: Invalid compressionType lz4"},
        {"compressionType=", 400, "Invalid query params: Invalid compressionType"},
        {"messageRoutingMode=Nope", 400, "Invalid query params: Invalid messageRoutingMode Nope"},
        {"hashingScheme=Nope", 400,
         "Invalid query params: No enum constant org.apache.pulsar.client.api.HashingScheme.Nope"},
        {"producerName=", 400, "Invalid query params: producerName cannot be blank"},
        {"producerName=%20", 400, "Invalid query params: producerName cannot be blank"},
        {"initialSequenceId=abc", 400, R"(Invalid query params: For input string: "abc")"},
        {"initialSequenceId=9223372036854775808", 400,
         R"(Invalid query params: For input string: "9223372036854775808")"},
    };
    for (const refusal& each : refusals) {
        raw_socket socket(server.address, server.producer_target(server.new_topic(), each.query),
                          server.authorization());
        check_same(socket.answer().status, each.status, each.query);
        if (each.text) check_same(words(socket.answer()), each.text, each.query);
    }
}

void accepted_options(target& server) {
    for (const char* query :
         {"batchingEnabled=maybe", "batchingEnabled=TRUE", "batchingEnabled=true&batchingMaxMessages=0",
          "batchingEnabled=true&maxPendingMessages=0", "sendTimeoutMillis=0", "unknown=1",
          "messageRoutingMode=CustomPartition", "initialSequenceId=-5", "initialSequenceId=%2B5",
          "compressionType=NONE", "compressionType=LZ4&compressionType=Nope", "batchingMaxPublishDelayMs=0"}) {
        raw_producer socket(server, server.new_topic(), query);
        const std::string answer = socket.ask(R"({"payload":"","context":"c"})");
        check(answer.starts_with(R"({"result":"ok")"), std::string(query) + ": " + answer);
    }
}

void refused_paths(target& server) {
    const std::vector<refusal> refusals{
        {"/ws/v2/producer", 302, nullptr},
        {"/ws/v2/producer/persistent", 500, "java.lang.IllegalArgumentException: Invalid topic name format"},
        {"/ws/v2/producer/persistent/public/default", 500,
         "java.lang.IllegalArgumentException: Invalid topic name format"},
        {"/ws/v2/producer/odd/public/default/x", 500, "java.lang.IllegalArgumentException"},
        {"/ws/v2/nothing/persistent/public/default/x", 404, "Not Found"},
        {"/ws/v9/producer/persistent/public/default/x", 404, "Not Found"},
        {"/nothing", 404, "Not Found"},
        {"/ws/v2/producer/persistent/public/nowhere/x", 404,
         R"(Failed to create producer/consumer: {"errorMsg":"Namespace not found",...})"},
        {"/ws/v2/producer/persistent/nobody/nowhere/x", 404,
         R"(Failed to create producer/consumer: {"errorMsg":"Namespace not found",...})"},
    };
    for (const refusal& each : refusals) {
        raw_socket socket(server.address, each.query, server.authorization());
        check_same(socket.answer().status, each.status, each.query);
        if (each.text) check_same(words(socket.answer()), each.text, each.query);
    }
    web::http_request plain;
    plain.target = server.producer_target(server.new_topic());
    plain.fields.add("Authorization", "Bearer " + server.token);
    check_same(exchange(server.address, plain).status, 405, "a GET that asks for no upgrade");
}

void raw_credentials(target& server) {
    if (server.token.empty()) throw not_set_up("the server asks for no token");
    const std::string where = server.producer_target(server.new_topic());
    const auto status = [&](const std::string& query, const std::string& authorization) {
        raw_socket socket(server.address, where + query, authorization);
        if (socket.answer().status == 401) check_same(words(socket.answer()), "Authentication required", "401");
        return socket.answer().status;
    };
    const std::string good = server.token, bad = "wrong";
    check_same(status("", ""), 401, "none");
    check_same(status("", "Bearer " + bad), 401, "a bad one");
    check_same(status("", "Bearer " + good), 101, "a good one");
    check_same(status("", "bearer " + good), 401, "bearer in lower case");
    check_same(status("", "apikey " + good), 401, "apikey");
    check_same(status("?token=" + good, ""), 101, "the parameter");
    check_same(status("?token=" + bad, ""), 401, "a bad parameter");
    check_same(status("?token=" + good, "Bearer " + bad), 401, "the header wins");
    check_same(status("?token=" + bad, "Bearer " + good), 101, "the header wins");
}

/// Opens, sends, and expects both to end with the same.
asio::awaitable<void> ends_with(asio::any_io_executor executor, const sluice::client_config& config, std::string topic,
                                sluice::errc expected, int status, std::string_view text) {
    any_producer producer = make_producer(executor, config, topic);
    std::error_code opening;
    co_await producer.async_open(asio::redirect_error(asio::use_awaitable, opening));
    check(opening == expected, "opening: " + opening.message());
    check(producer.state() == sluice::producer_state::failed, "state: " + std::string(to_string(producer.state())));
    const sluice::message m("never sent");
    const sluice::result r = co_await outcome_of(producer, m);
    check(r.ec == expected, "sending: " + r.ec.message());
    check(r.value.outcome == sluice::outcome::not_sent, "outcome: " + std::string(to_string(r.value.outcome)));
    check_same(r.value.details().http_status, status, "HTTP status");
    check(r.value.details().text.find(text) != std::string::npos, "text: " + r.value.details().text);
    if (const auto* token = std::get_if<sluice::bearer_token>(&config.auth))
        check(r.value.details().text.find(token->value) == std::string::npos, "the text shows the token");
}

void unauthorized(target& server) {
    if (server.token.empty()) throw not_set_up("the server asks for no token");
    const std::string topic = server.new_topic();
    sluice::client_config config = server.config();
    config.auth = sluice::no_auth{};
    const auto expect_401 = [&](asio::any_io_executor executor) {
        return ends_with(executor, config, topic, sluice::errc::unauthorized, 401, "Authentication required");
    };
    run(expect_401);
    config.auth = sluice::bearer_token{"not.the.token"};
    run(expect_401);
    send_and_compare(server, topic, {sluice::message("with the right one")});
}

void forbidden(target& server) {
    if (server.stranger.empty()) throw not_set_up("the server asks for no token");
    sluice::client_config config = server.config();
    config.auth = sluice::bearer_token{server.stranger};
    const std::string topic = server.new_topic();
    run([&](asio::any_io_executor executor) {
        return ends_with(executor, config, topic, sluice::errc::forbidden, 403, "Not authorized");
    });
}

void not_found(target& server) {
    const sluice::client_config config = server.config();
    run([&](asio::any_io_executor executor) {
        return ends_with(executor, config, "persistent://public/nowhere/x", sluice::errc::not_found, 404,
                         "Namespace not found");
    });
}

/// A name in use is asked for again until it is free.
void name_in_use(target& server) {
    const std::string topic = server.new_topic();
    sluice::producer_options options;
    options.producer_name = "the-only-one";
    options.reconnect = {20ms, 100ms, 2.0};
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer first = make_producer(executor, server, topic, options);
        co_await first.send("first");

        std::vector<sluice::failure> refusals;
        sluice::producer_observer observer;
        observer.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
            refusals.push_back(f);
        };
        any_producer second = make_producer(executor, server, topic, options, sluice::compression_type::none, observer);
        sluice::result r;
        bool done = false;
        sluice::message m("second");
        second.async_send(std::move(m), [&](std::error_code ec, const sluice::receipt& receipt) {
            r = {ec, receipt};
            done = true;
        });
        co_await until(executor, "two refusals", [&] { return refusals.size() >= 2; });
        for (const sluice::failure& f : refusals) {
            check(f.code == sluice::errc::conflict, "the refusal: " + f.code.message());
            check_same(f.details->http_status, 409, "the refusal");
            check(f.details->text.find("Producer with name 'the-only-one' is already connected to topic '" + topic +
                                       "'") != std::string::npos,
                  "the refusal: " + f.details->text);
        }
        co_await first.send("first still works");
        co_await first.close();
        co_await until(executor, "an answer", [&] { return done; });
        check(!r.ec, "once it is free: " + r.ec.message());
        co_await second.close();

        options.send_timeout = 300ms; // and a message does not wait for ever
        raw_producer holder(server, topic, "producerName=the-only-one");
        any_producer third = make_producer(executor, server, topic, options);
        const sluice::message late("late");
        r = co_await outcome_of(third, late);
        check(r.ec == sluice::errc::send_timeout, "in use all the time: " + r.ec.message());
        check(r.value.details().cause == sluice::errc::conflict, "its cause: " + r.value.details().cause.message());
        check_same(r.value.details().http_status, 409, "its cause");
    };
    run(body);
    check_same(server.read_back(topic).size(), 3u, "messages");
}

/// A topic, and a producer's options for it, with deduplication or without.
struct place {
    place(target& server, bool deduplicate)
        : topic(server.new_topic(deduplicate ? server.new_namespace(true) : "public/default")) {
        options.reconnect = {20ms, 100ms, 2.0};
        options.deduplicate = deduplicate;
        if (deduplicate) options.producer_name = "once";
    }
    std::string topic;
    sluice::producer_options options{};
};

void terminated_with(target& server, bool deduplicate) {
    const place at(server, deduplicate);
    const sluice::client_config config = server.config();
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, at.topic, at.options);
        co_await producer.send("before the end");
        server.expect_done("POST", "/" + path_of(at.topic) + "/terminate");
        const sluice::message m("behind the end");
        sluice::result r = co_await outcome_of(producer, m);
        check(r.ec == sluice::errc::topic_terminated, "sending: " + r.ec.message() + " " + r.value.details().text);
        check(r.value.outcome == sluice::outcome::rejected, "outcome: " + std::string(to_string(r.value.outcome)));
        // Nobody closes the socket, which is of no use: another one is asked for, and says so.
        r = co_await outcome_of(producer, m);
        check(r.ec == sluice::errc::topic_terminated, "the next: " + r.ec.message() + " " + r.value.details().text);
        co_await until(executor, "the end", [&] { return producer.state() == sluice::producer_state::failed; });
        co_await ends_with(executor, config, at.topic, sluice::errc::topic_terminated, 503,
                           "TopicTerminatedException: Topic was already terminated");
    };
    run(body);
}
void terminated(target& server) { terminated_with(server, false); }
void terminated_deduplicated(target& server) { terminated_with(server, true); }

/// Where topics are made at the first use, one that is deleted under a producer comes back.
void deleted_with(target& server, bool deduplicate) {
    const place at(server, deduplicate);
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, at.topic, at.options);
        co_await producer.send("lost with the topic");
        server.expect_done("DELETE", "/" + path_of(at.topic) + "?force=true");
        co_await producer.send("in the new one");
        co_await producer.close();
    };
    run(body);
    const std::vector<seen_message> stored = server.read_back(at.topic);
    check_same(stored.size(), 1u, "messages");
    check_same(stored[0].payload, "in the new one", "payload");
}
void deleted(target& server) { deleted_with(server, false); }
void deleted_deduplicated(target& server) { deleted_with(server, true); }

/// A topic that moves to another broker: the socket goes on. What is on its way is sent again by the proxy.
void unloaded_with(target& server, bool deduplicate) {
    constexpr std::size_t count = 4'000;
    const place at(server, deduplicate);
    std::vector<sluice::result> results(count);
    keep_messages(server, at.topic);
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, at.topic, at.options);
        for (std::size_t i = 0; i < count; ++i) {
            sluice::message m(std::to_string(i));
            co_await producer.push(std::move(m),
                                   [&, i](std::error_code ec, const sluice::receipt& r) { results[i] = {ec, r}; });
            if (i == count / 2) server.expect_done("PUT", "/" + path_of(at.topic) + "/unload");
        }
        co_await producer.flush();
        check_same(producer.stats().connections, 1u, "sockets");
        co_await producer.close();
    });
    const std::vector<seen_message> stored = server.read_back(at.topic);
    if (deduplicate)
        check_exactly_once(results, stored);
    else
        server.note = std::to_string(check_none_lost(results, stored)) + " repeats stored";
}
void unloaded(target& server) { unloaded_with(server, false); }
void unloaded_deduplicated(target& server) { unloaded_with(server, true); }

} // namespace

std::vector<test_case> refusal_cases() {
    return {
        {"options that are refused", refused_options},
        {"options that are taken", accepted_options},
        {"paths that are refused", refused_paths},
        {"401 by header and parameter", raw_credentials},
        {"401 for a producer", unauthorized},
        {"403 for a producer", forbidden},
        {"404 for a producer", not_found},
        {"409 for a producer, until the name is free", name_in_use},
        {"a terminated topic", terminated},
        {"a terminated topic, deduplicated", terminated_deduplicated},
        {"a deleted topic", deleted},
        {"a deleted topic, deduplicated", deleted_deduplicated},
        {"a topic that is unloaded: none lost, order kept", unloaded},
        {"a topic that is unloaded, deduplicated: exactly once", unloaded_deduplicated},
    };
}

} // namespace conformance
