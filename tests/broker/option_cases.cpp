// SPDX-License-Identifier: BSL-1.0
// What the proxy reads of the socket's query, as far as it can be seen from outside.
#include "cases.hpp"
#include "producing.hpp"
#include "relay.hpp"

#include <algorithm>
#include <set>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using sluice::message;

std::vector<message> numbered(std::size_t count, const std::string& text = "message ") {
    std::vector<message> messages;
    for (std::size_t i = 0; i < count; ++i) messages.emplace_back(text + std::to_string(i));
    return messages;
}

bool is_batched(const sluice::result& r) {
    const auto at = r.value.message_id.decode();
    return at && at->batch_index >= 0;
}

void batching_off(target& server) {
    for (const sluice::result& r : send_and_compare(server, server.new_topic(), numbered(1000)))
        check(!is_batched(r), "a message in a batch");
}

void batching_on(target& server) {
    sluice::producer_options options;
    options.batching_enabled = true;
    options.batching_max_messages = 10;
    options.batching_max_publish_delay = 20ms;
    int largest = 0;
    for (const sluice::result& r : send_and_compare(server, server.new_topic(), numbered(1000), options)) {
        largest = std::max(largest, r.value.message_id.decode()->batch_index + 1);
    }
    check(largest > 1 && largest <= 10, "batches of up to " + std::to_string(largest) + " messages");
}

/// A lone message in a batch waits for company.
void batching_delay(target& server) {
    sluice::producer_options options;
    options.batching_enabled = true;
    options.batching_max_publish_delay = 400ms;
    const std::string topic = server.new_topic();
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options);
        co_await producer.open();
        const auto begin = std::chrono::steady_clock::now();
        const sluice::receipt r = co_await producer.send("lone");
        check_same(r.message_id.decode()->batch_index, -1, "the batch of a lone message");
        const auto took = std::chrono::steady_clock::now() - begin;
        check(took >= 350ms, "answered after " + std::to_string(took / 1ms) + " ms");
        co_await producer.close();
    });
    check_same(server.read_back(topic).size(), 1u, "messages");
}

/// A full queue is refused at the proxy, in front of answers that are older; the library keeps below it.
void pending_limit(target& server) {
    const std::string topic = server.new_topic();
    raw_producer raw(server, topic, "batchingEnabled=true&maxPendingMessages=1&batchingMaxPublishDelay=500");
    for (int i = 0; i < 4; ++i) raw.text(R"({"payload":"","context":")" + std::to_string(i) + R"("})");
    for (int i = 1; i < 4; ++i)
        check_same(raw.read_text(),
                   R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$)"
                   R"(ProducerQueueIsFullError: Producer send queue is full","context":")" +
                       std::to_string(i) + R"(","errorCode":0,"schemaVersion":0})",
                   "over the limit");
    check(raw.read_text().find(R"("context":"0")") != std::string::npos, "the first one");

    sluice::producer_options options;
    options.batching_enabled = true;
    options.max_pending_messages = 7;
    options.batching_max_publish_delay = 1ms;
    send_and_compare(server, server.new_topic(), numbered(200), options);
}

template <sluice::compression_type Type>
void compression(target& server) {
    std::vector<message> messages = numbered(50, std::string(2000, 'x'));
    for (const std::size_t size : {0u, 1u, 1000u, 100'000u}) messages.emplace_back(noise(size));
    sluice::producer_options batched;
    batched.batching_enabled = true;
    send_and_compare(server, server.new_topic(), messages, batched, Type);
    const std::string topic = server.new_topic();
    send_and_compare(server, topic, messages, {}, Type);
    if (server.differs(server_kind::gateway, "compression towards the broker is not modelled")) return;
    stored_metadata stored = server.first_metadata(topic);
    check_same(stored.fields["compression"], Type == sluice::compression_type::none ? "" : to_string(Type),
               "compression at the broker");
    check_same(stored.payload, messages[0].payload, "payload");
}

/// Each routing mode and hashing scheme is taken; where it leads shows on a partitioned topic alone.
void routing(target& server) {
    using sluice::hashing_scheme;
    using sluice::message_routing_mode;
    for (const auto mode : {message_routing_mode::single_partition, message_routing_mode::round_robin_partition})
        for (const auto scheme : {hashing_scheme::java_string_hash, hashing_scheme::murmur3_32_hash}) {
            sluice::producer_options options;
            options.message_routing_mode = mode;
            options.hashing_scheme = scheme;
            std::vector<message> messages = numbered(20);
            messages[1].key = "key";
            send_and_compare(server, server.new_topic(), messages, options);
        }
}

/// The partition of each message, as the acknowledgement tells it. What is stored is compared as a whole.
std::vector<int> partitions_of(target& server, const std::vector<message>& messages,
                               const sluice::producer_options& options) {
    const std::string topic = server.new_topic();
    server.expect_done("PUT", "/" + path_of(topic) + "/partitions", "4");
    std::vector<int> partitions;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options);
        const auto results = co_await producer.send_all(messages);
        for (const sluice::result& r : results) {
            check(!r.ec, r.ec.message());
            const auto at = r.value.message_id.decode();
            check(at.has_value(), "message id");
            partitions.push_back(at->partition);
        }
        co_await producer.close();
    });
    for (int p = 0; p < 4; ++p) {
        std::vector<std::string> expected, stored;
        for (std::size_t i = 0; i < messages.size(); ++i)
            if (partitions[i] == p) expected.push_back(messages[i].payload);
        for (const seen_message& m : server.read_back(topic + "-partition-" + std::to_string(p)))
            stored.push_back(m.payload);
        check(stored == expected, "partition " + std::to_string(p) + " holds other messages");
    }
    return partitions;
}

void partitions(target& server) {
    server.lacks(server_kind::gateway, "partitioned topics are not modelled");
    sluice::producer_options options;
    const std::vector<int> single = partitions_of(server, numbered(20), options);
    check(std::set<int>(single.begin(), single.end()).size() == 1, "single_partition uses several");
    options.message_routing_mode = sluice::message_routing_mode::round_robin_partition;
    const std::vector<int> robin = partitions_of(server, numbered(20), options);
    check(std::set<int>(robin.begin(), robin.end()).size() == 4, "round_robin_partition does not use all");

    std::vector<message> keyed = numbered(40);
    for (std::size_t i = 0; i < keyed.size(); ++i) keyed[i].key = "key " + std::to_string(i % 20);
    const std::vector<int> java = partitions_of(server, keyed, options);
    options.hashing_scheme = sluice::hashing_scheme::murmur3_32_hash;
    const std::vector<int> murmur = partitions_of(server, keyed, options);
    check(java != murmur, "the hashing scheme makes no difference");
    for (std::size_t i = 0; i < 20; ++i)
        check(java[i] == java[i + 20] && murmur[i] == murmur[i + 20], "one key, two partitions");
    for (std::size_t i = 0; i < 20; ++i) { // String.hashCode, its sign bit cleared
        std::uint32_t hash = 0;
        for (const char c : *keyed[i].key) hash = 31 * hash + static_cast<unsigned char>(c);
        check_same(java[i], static_cast<int>((hash & 0x7fffffff) % 4), "java_string_hash");
    }
}

void producer_name(target& server) {
    sluice::producer_options options;
    options.producer_name = "\xc3\xbc name/with +&=? in it";
    const std::string topic = server.new_topic();
    send_and_compare(server, topic, numbered(1), options);
    // A header cannot show the name as it is.
    raw_producer other(server, topic);
    const std::string stats = server.rest("GET", "/" + path_of(topic) + "/stats").body;
    check(stats.find("with +&=? in it") == std::string::npos, "still there: " + shown(stats));

    options.producer_name = "plain-name";
    const std::string second = server.new_topic();
    send_and_compare(server, second, numbered(1), options);
    check_same(server.first_metadata(second).fields["producer-name"], "plain-name", "producer name");
}

void initial_sequence_id(target& server) {
    for (const std::int64_t initial : {std::int64_t{-1}, std::int64_t{41}, std::int64_t{9'007'199'254'740'993}}) {
        sluice::producer_options options;
        options.producer_name = "counted";
        options.initial_sequence_id = initial;
        const std::string topic = server.new_topic();
        const auto results = send_and_compare(server, topic, numbered(3), options);
        for (int i = 0; i < 3; ++i)
            check_same(results[static_cast<std::size_t>(i)].value.sequence_id, initial + 1 + i, "receipt");
        check_same(server.first_metadata(topic).fields["sequence-id"], std::to_string(initial + 1), "at the broker");
    }
}

void non_persistent(target& server) {
    const std::string topic = "non-persistent://public/default/" + server.unique_name();
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic);
        const sluice::receipt r = co_await producer.send("kept by nobody");
        check(r.outcome == sluice::outcome::persisted, "outcome");
        co_await producer.close();
    });
}

asio::awaitable<void> distrusts(asio::any_io_executor executor, const sluice::client_config& config, const char* what) {
    sluice::producer_options options;
    options.send_timeout = 700ms;
    any_producer producer = make_producer(executor, config, "topic", options);
    const sluice::message m("to nobody");
    const sluice::result r = co_await outcome_of(producer, m);
    check(r.ec == sluice::errc::tls_failed || r.value.details().cause == sluice::errc::tls_failed,
          std::string(what) + ": " + r.ec.message() + ", " + r.value.details().cause.message());
}

void over_tls(target& server) {
    if (!server.secure) throw not_set_up("the server has no TLS");
    target& secure = *server.secure;
    const std::string topic = secure.new_topic();
    std::vector<message> messages = numbered(100);
    messages.emplace_back(noise(500'000));
    send_and_compare(secure, topic, messages);

    sluice::client_config unknown = secure.config();
    unknown.tls.ca_pem.clear();
    run([&](asio::any_io_executor executor) { return distrusts(executor, unknown, "an unknown authority"); });
    // The same server, by an address that is not in its certificate.
    const web::url_result where = web::parse_url(secure.url);
    relay elsewhere({asio::ip::address_v4::loopback(), where.value.port}, {}, asio::ip::make_address("127.0.0.2"));
    sluice::client_config other_name = secure.config();
    other_name.url = "wss://127.0.0.2:" + std::to_string(elsewhere.endpoint().port());
    run([&](asio::any_io_executor executor) { return distrusts(executor, other_name, "another host's certificate"); });
}

} // namespace

std::vector<test_case> option_cases() {
    return {
        {"batching off", batching_off},
        {"batching on, its number of messages", batching_on},
        {"batching on, its delay", batching_delay},
        {"pending messages", pending_limit},
        {"compression NONE", compression<sluice::compression_type::none>},
        {"compression LZ4", compression<sluice::compression_type::lz4>},
        {"compression ZLIB", compression<sluice::compression_type::zlib>},
        {"compression ZSTD", compression<sluice::compression_type::zstd>},
        {"compression SNAPPY", compression<sluice::compression_type::snappy>},
        {"routing modes and hashing schemes", routing},
        {"routing over partitions", partitions},
        {"producer name", producer_name},
        {"initial sequence id", initial_sequence_id},
        {"a topic that is not persistent", non_persistent},
        {"TLS: trusted, and not", over_tls},
    };
}

} // namespace conformance
