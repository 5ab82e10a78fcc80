// SPDX-License-Identifier: BSL-1.0
// Many messages in one: a producer that packs and compresses, and what a consumer does with a pack.
#include <sluice.hpp>
#include <sluice/codec/any.hpp>
#include <sluice/testing/gateway.hpp>
#include <sluice/unpack.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

/// The codec that this program is linked with, the first of these.
std::pair<sluice::codec::any, sluice::failure> best_codec() {
    for (const auto type : {sluice::compression_type::zstd, sluice::compression_type::lz4})
        if (auto made = sluice::codec::any::make(type); !made.second) return made;
    return sluice::codec::any::make(sluice::compression_type::none);
}

asio::awaitable<void> produce(sluice::client& client) {
    sluice::producer_options options;
    options.batching_max_messages = 500;                                // a pack goes with so many,
    options.batching_max_publish_delay = std::chrono::milliseconds(10); // or so long after its first one
    options.compress_at = sluice::compress_at::packed;
    sluice::basic_producer<asio::any_io_executor, sluice::codec::any> producer(client, "readings", options, {},
                                                                               best_codec().first);
    std::vector<sluice::message> readings;
    for (int i = 0; i < 1000; ++i) {
        sluice::message m(R"({"sensor":"pump-)" + std::to_string(i % 7) + R"(","celsius":)" +
                          std::to_string(20 + i % 5) + "}");
        m.properties = {{"unit", "C"}}; // each message has its own, in the pack
        readings.push_back(std::move(m));
    }
    // Each is answered by itself; those of one pack have one message id.
    for (const sluice::result& r : co_await producer.send_all(readings))
        if (r.ec) throw sluice::error(sluice::make_failure(r.ec, "a reading is not stored"));
    co_await producer.close();
    std::cout << producer.stats().persisted << " messages acknowledged, in " << producer.stats().frames_written
              << " packs of " << producer.stats().bytes_written << " bytes together\n";
}

/// What a consumer calls for each Pulsar message that it gets: with the payload, which its API has decoded from base64,
/// and the properties. A message that is no pack is its own only message.
std::size_t consume(const std::string& payload, const std::vector<sluice::property>& properties,
                    sluice::unpack_memory& memory) {
    const sluice::unpacked messages = sluice::unpack(payload, properties, memory);
    if (messages.error()) throw sluice::error(messages.error()); // damaged, or over a limit
    std::cout << messages.size() << " messages (" << to_string(messages.codec()) << "), the first: ";
    for (const sluice::unpacked_message& first : messages) {
        std::cout << first.payload << ", unit " << first.properties.find("unit").value_or("unknown") << '\n';
        break;
    }
    return messages.size();
}

} // namespace

int main(int argc, char** argv) try {
    if (argc > 1) {
        const bool help = argc == 2 && (argv[1] == std::string_view("--help") || argv[1] == std::string_view("-h"));
        (help ? std::cout : std::cerr) << "usage: packed\n"
                                          "Sends 1000 messages in packs to a region inside this process, and reads "
                                          "them from there. It has no options.\n";
        return help ? 0 : 2;
    }
    asio::io_context context;
    sluice::testing::gateway gateway(context); // a region inside this process
    sluice::client client(context.get_executor(), {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}});
    std::exception_ptr failed;
    asio::co_spawn(context, produce(client), [&](std::exception_ptr e) {
        failed = e;
        gateway.stop();
    });
    context.run();
    if (failed) std::rethrow_exception(failed);

    sluice::unpack_memory memory; // kept from message to message
    std::size_t consumed = 0;
    for (const sluice::testing::stored_message& m : gateway.messages("readings"))
        consumed += consume(m.payload, m.properties, memory);
    std::cout << consumed << " messages consumed\n";
    return consumed == 1000 ? 0 : 1;
} catch (const std::exception& e) {
    std::cerr << "packed: " << e.what() << '\n';
    return 1;
}
