// SPDX-License-Identifier: BSL-1.0
// The vendor's quickstart: a stream, a producer with its options, a message every second until it is told to stop.
#include <sluice.hpp>
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

using namespace std::chrono_literals;

namespace {

constexpr const char* usage =
    "usage: quickstart [--count N] [--interval MS] [--stream NAME]\n"
    "  --count N      stop after N messages; 0: only on Ctrl-C (default 10)\n"
    "  --interval MS  milliseconds between two messages (default 1000)\n"
    "  --stream NAME  where to publish (default streamQuickstart)\n"
    "environment:\n"
    "  SLUICE_URL      https://HOST: a GDN region. ws://HOST:PORT or wss://HOST:PORT: a plain Pulsar.\n"
    "                  Not set: a region inside this process\n"
    "  SLUICE_API_KEY  the API key for a GDN region\n"
    "  SLUICE_TOKEN    the token for a plain Pulsar, if it asks for one\n";

struct settings {
    long count = 10;
    std::chrono::milliseconds interval = 1s;
    std::string stream = "streamQuickstart";
};

/// 0 or more; nothing if the text is not a number.
std::optional<long> read_number(std::string_view text) {
    long n = -1;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc() || end != text.data() + text.size() || n < 0 || n > 1'000'000'000) return std::nullopt;
    return n;
}

/// False: the arguments make no sense, and stderr says why.
bool read_arguments(int argc, char** argv, settings& wanted) {
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        const std::optional<long> number = read_number(value);
        if (name == "--count" && number) {
            wanted.count = *number;
        } else if (name == "--interval" && number) {
            wanted.interval = std::chrono::milliseconds(*number);
        } else if (name == "--stream" && !value.empty()) {
            wanted.stream = value;
        } else {
            std::cerr << "quickstart: cannot use " << name << (value.empty() ? " without a value" : " ") << value
                      << '\n';
            return false;
        }
    }
    return true;
}

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

/// The work: everything is awaited, nothing blocks the thread.
asio::awaitable<void> publish(sluice::client& client, const settings& wanted, asio::steady_timer& pause,
                              const bool& stop) {
    // has + create in one: that somebody else was quicker is no error.
    const sluice::created_stream stream = co_await client.ensure_stream(wanted.stream);
    std::cout << "stream " << stream.stream_id << (stream.created ? " created" : " exists") << std::endl;

    // The vendor's options with the vendor's defaults, but for the two of batching. The socket is opened by the first
    // send. It needs a one-time password, and a fresh one after a lost connection: the producer sees to that.
    sluice::producer producer{client,
                              wanted.stream,
                              {.send_timeout = 30s,
                               .batching_enabled = true,
                               .batching_max_messages = 100,
                               .max_pending_messages = 1000,
                               .batching_max_publish_delay = 10ms}};

    for (long i = 1; !stop && (wanted.count == 0 || i <= wanted.count); ++i) {
        const std::string text = "Persistent hello " + std::to_string(i);
        const sluice::receipt receipt = co_await producer.send(text); // resumes when the broker has stored it
        std::cout << text << ": " << receipt.message_id.view() << std::endl;
        if (stop || i == wanted.count) break;
        pause.expires_after(wanted.interval);
        std::error_code woken;
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }

    co_await producer.close(); // waits for what is unanswered
    std::cout << producer.stats().persisted << " messages acknowledged" << std::endl;
}

std::string advice(const sluice::error& e) {
    using sluice::condition;
    using sluice::errc;
    const std::error_code ec = e.code();
    if (e.outcome() == sluice::outcome::maybe_persisted)
        return "the message may be stored: look before sending it again";
    if (ec == errc::plaintext_refused) return "use https:// or wss:// in SLUICE_URL";
    if (ec == condition::authentication)
        return "check SLUICE_API_KEY (SLUICE_TOKEN for a plain Pulsar) and what it may do with this stream";
    if (ec == errc::invalid_url || ec == errc::resolve_failed) return "check SLUICE_URL";
    if (ec == errc::tls_failed) return "the server's certificate is not trusted here: check SLUICE_URL";
    if (ec == condition::quota) return "a quota is used up: wait, or ask the vendor for more";
    if (ec == condition::retryable) return "check SLUICE_URL and the network, then run it again";
    return {};
}

int report(const std::exception& e) {
    std::cerr << "quickstart: " << e.what() << '\n';
    if (const auto* failed = dynamic_cast<const sluice::error*>(&e)) {
        if (!failed->details().request_id.empty()) std::cerr << "request id: " << failed->details().request_id << '\n';
        if (const std::string what_to_do = advice(*failed); !what_to_do.empty()) std::cerr << what_to_do << '\n';
    }
    return 1;
}

} // namespace

int main(int argc, char** argv) try {
    settings wanted;
    if (argc == 2 && (argv[1] == std::string_view("--help") || argv[1] == std::string_view("-h"))) {
        std::cout << usage;
        return 0;
    }
    if (!read_arguments(argc, argv, wanted)) {
        std::cerr << usage;
        return 2;
    }

    asio::io_context context;
    std::optional<sluice::testing::gateway> gateway;
    sluice::client_config config;
    config.url = environment("SLUICE_URL");
    if (config.url.empty()) {
        gateway.emplace(context);
        config.url = gateway->url();
        config.auth = sluice::api_key{gateway->api_key()};
        std::cout << "SLUICE_URL is not set: publishing to a region inside this process, " << config.url << std::endl;
    } else if (config.url.starts_with("ws://") || config.url.starts_with("wss://")) {
        if (const std::string token = environment("SLUICE_TOKEN"); !token.empty())
            config.auth = sluice::bearer_token{token};
    } else if (const std::string key = environment("SLUICE_API_KEY"); !key.empty()) {
        config.auth = sluice::api_key{key};
    } else {
        std::cerr << "quickstart: SLUICE_URL is set and SLUICE_API_KEY is not\n" << usage;
        return 2;
    }

    sluice::client client{context.get_executor(), config};
    asio::steady_timer pause{context};
    bool stop = false;
    asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&](const std::error_code& ec, int) {
        if (ec) return;
        stop = true;
        pause.cancel();
        signals.clear(); // the next Ctrl-C ends the program at once
    });

    std::exception_ptr failed;
    asio::co_spawn(context, publish(client, wanted, pause, stop), [&](std::exception_ptr e) {
        failed = e;
        signals.cancel();
        if (gateway) gateway->stop();
    });
    context.run();
    if (failed) std::rethrow_exception(failed);
    return 0;
} catch (const std::exception& e) {
    return report(e);
}
