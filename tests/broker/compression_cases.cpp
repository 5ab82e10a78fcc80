// SPDX-License-Identifier: BSL-1.0
// Where compression happens: on the socket (permessage-deflate), and at the broker, which stores less.
#include "cases.hpp"
#include "producing.hpp"
#include "receiving.hpp"

#include <sluice/deflate.hpp>
#include <sluice/unpack.hpp>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using sluice::compression_type;

constexpr compression_type codecs[] = {compression_type::none, compression_type::lz4, compression_type::zlib,
                                       compression_type::zstd, compression_type::snappy};

/// JSON of exactly 500 bytes, different in each message.
std::string event(std::size_t i) {
    std::string text = R"({"id":)" + std::to_string(i * 7919) + R"(,"kind":"order.created","customer":"c-)" +
                       std::to_string(i % 97) + R"(","total":)" + std::to_string(i * 31 % 10007) + R"(,"note":")";
    while (text.size() < 498) text += static_cast<char>('a' + (text.size() + i) % 26);
    return text + "\"}";
}

std::vector<sluice::message> payloads() {
    std::vector<sluice::message> all;
    for (std::size_t i = 0; i < 200; ++i) all.emplace_back(event(i));
    all.emplace_back("");                        // left alone: it is short
    all.emplace_back(noise(3000));               // and what does not get shorter
    all.emplace_back(std::string(500'000, 'x')); // to next to nothing
    all.emplace_back(noise(300'000, 2));
    for (std::size_t i = 0; i < 200; ++i) all.emplace_back(event(i));
    return all;
}

sluice::producer_options deflated(bool batching) {
    sluice::producer_options options;
    options.deflate = sluice::deflate_on;
    options.batching_enabled = batching;
    return options;
}

/// On the socket, and towards the broker whatever else was chosen.
void on_the_socket(target& server) {
    const std::vector<sluice::message> all = payloads();
    for (const compression_type codec : codecs)
        for (const bool batching : {false, true})
            send_and_compare(server, server.new_topic(), all, deflated(batching), codec);
}

/// Both directions keep their windows: every message is understood only if all before it were.
void many(target& server) {
    constexpr std::size_t count = 20'000;
    const std::string topic = server.new_topic();
    sluice::producer_stats stats[2];
    for (const bool deflate : {false, true}) {
        std::size_t acknowledged = 0;
        std::string failure;
        run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
            sluice::producer_options options = deflated(false);
            if (!deflate) options.deflate = sluice::deflate_off;
            any_producer producer = make_producer(executor, server, topic, options);
            for (std::size_t i = 0; i < count; ++i) {
                sluice::message m(event(i));
                co_await producer.push(std::move(m), [&](std::error_code ec, const sluice::receipt&) {
                    acknowledged += ec ? 0 : 1;
                    if (ec) failure = ec.message();
                });
            }
            co_await producer.flush();
            stats[deflate] = producer.stats();
            co_await producer.close();
        });
        check(failure.empty(), failure);
        check_same(acknowledged, count, "acknowledged");
        check_same(stats[deflate].connections, 1u, "sockets");
    }
    const std::vector<seen_message> stored = server.read_back(topic);
    check_same(stored.size(), 2 * count, "stored");
    for (std::size_t i = 0; i < stored.size(); ++i)
        check_same(stored[i].payload, event(i % count), "at " + std::to_string(i));
    const std::uint64_t plain = stats[0].bytes_written / count, less = stats[1].bytes_written / count;
    check(less * 2 < plain, std::to_string(less) + " bytes of " + std::to_string(plain));
    server.note = std::to_string(less) + " bytes a message instead of " + std::to_string(plain);
}

std::size_t storage_size(const target& server, const std::string& topic) {
    const web::http_response r = server.rest("GET", "/" + path_of(topic) + "/stats");
    check_same(r.status, 200, "statistics");
    constexpr std::string_view name = "\"storageSize\":";
    const std::size_t at = r.body.find(name);
    check(at != std::string::npos, "no storageSize: " + shown(r.body));
    return std::stoul(r.body.substr(at + name.size()));
}

/// The proxy's client compresses each of its batches.
void at_the_broker(target& server) {
    server.lacks(server_kind::gateway, "what it stores is not compressed");
    std::vector<sluice::message> all;
    for (std::size_t i = 0; i < 1000; ++i) all.emplace_back(event(i));
    std::size_t plain = 0;
    for (const compression_type codec : codecs) {
        const std::string topic = server.new_topic();
        sluice::producer_options options;
        options.batching_enabled = true;
        keep_messages(server, topic);
        send_and_compare(server, topic, all, options, codec);
        const std::size_t size = storage_size(server, topic);
        const std::string name(to_string(codec));
        if (codec == compression_type::none) {
            check(size > 500'000, name + ": " + std::to_string(size) + " bytes");
            plain = size;
        } else {
            check(size * 2 < plain, name + ": " + std::to_string(size) + " bytes of " + std::to_string(plain));
        }
        server.note += (server.note.empty() ? "" : ", ") + name + " " + std::to_string(size);
    }
}

/// Sends all of them packed, reads back, and compares message by message. How many Pulsar messages there were.
std::size_t pack_and_compare(target& server, const std::vector<sluice::message>& all, sluice::pack_layout layout,
                             compression_type codec) {
    const std::string topic = server.new_topic(), name(to_string(codec));
    sluice::producer_options options;
    options.compress_at = sluice::compress_at::packed;
    options.pack_layout = layout;
    keep_messages(server, topic);
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options, codec);
        const std::vector<sluice::result> results = co_await producer.send_all(all);
        for (const sluice::result& r : results) check(!r.ec, name + ": " + r.ec.message());
        co_await producer.close();
    });
    const std::vector<seen_message> stored = server.read_back(topic);
    sluice::unpack_memory memory;
    std::size_t at = 0;
    for (const seen_message& s : stored) {
        std::vector<sluice::property> properties;
        for (const auto& [property, value] : s.properties) properties.push_back({property, value});
        const sluice::unpacked messages = sluice::unpack(s.payload, properties, memory);
        check(!messages.error(), name + ": " + messages.error().code.message());
        for (const sluice::unpacked_message& one : messages) {
            check(at < all.size(), name + ": more messages than were sent");
            const sluice::message& sent = all[at++];
            check_same(one.payload, std::string_view(sent.payload), name);
            check(s.key == sent.key, name + ": another key");
            check_same(one.properties.size(), messages.layout() ? sent.properties.size() : 0, name + ": properties");
        }
    }
    check_same(at, all.size(), name + ": messages");
    return stored.size();
}

void packed(target& server) {
    std::vector<sluice::message> all = payloads(); // 500'000 and 300'000 bytes go by themselves
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i >= 300) all[i].key = "customer " + std::to_string(i / 50);
        if (i % 3 == 0 && all[i].payload.size() < 1000)
            all[i].properties = {{"number", std::to_string(i)}, {"ü", "\n"}};
    }
    for (const compression_type codec : codecs) {
        const std::size_t n = pack_and_compare(server, all, sluice::pack_layout::framed, codec);
        check(n < 20,
              std::string(to_string(codec)) + ": " + std::to_string(n) + " messages for " + std::to_string(all.size()));
    }
}

void packed_as_json(target& server) {
    std::vector<sluice::message> all;
    for (std::size_t i = 0; i < 1000; ++i) all.emplace_back(event(i));
    const std::size_t n = pack_and_compare(server, all, sluice::pack_layout::json_array, compression_type::none);
    check(n < 8, std::to_string(n) + " messages for " + std::to_string(all.size()));
}

} // namespace

std::vector<test_case> compression_cases() {
    return {
        {"deflate: what is sent is what is stored, with each codec, batched and not", on_the_socket},
        {"deflate: 20,000 messages over one socket, in fewer bytes", many},
        {"packed: what is unpacked is what was sent, with each codec, keys and properties", packed},
        {"packed: 1,000 messages as JSON arrays", packed_as_json},
        {"storageSize of 1,000 messages with each codec", at_the_broker},
    };
}

} // namespace conformance
