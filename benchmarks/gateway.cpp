// SPDX-License-Identifier: BSL-1.0
// The gateway of testing/ with one producer, a thread each, in one process: how many messages a second it stores and
// answers. Every payload carries its number, and the gateway's own hook checks that all are stored, once, in order.
//
//   bench_gateway [--messages N] [--seconds N] [--window N] [--payload N] [--least N]
//
// The exit status is 1 if something was lost, doubled or disordered, or if there were less than --least a second.
#include "measure.hpp"
#include "wire.hpp"

#include <sluice.hpp>
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace {

constexpr std::size_t digits = 12; ///< of a message's number, at its beginning

std::string number_text(std::uint64_t n) {
    std::string text(digits, '0');
    for (std::size_t i = digits; n != 0 && i != 0; n /= 10) text[--i] = static_cast<char>('0' + n % 10);
    return text;
}

/// What the gateway has stored: the numbers in order, without a gap.
struct stored {
    std::uint64_t messages = 0, wrong = 0;

    void take(const sluice::testing::stored_message& m) noexcept {
        std::uint64_t n = 0;
        const char* const end = m.payload.data() + digits;
        const bool number = m.payload.size() >= digits && std::from_chars(m.payload.data(), end, n).ptr == end;
        if (!number || n != messages) ++wrong;
        ++messages;
    }
};

class publisher {
public:
    publisher(asio::io_context& context, const sluice::testing::gateway& gateway, const bench::run_options& options)
        : client_(context.get_executor(), {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}),
          producer_(client_, "benchmark", producer_options(options)),
          payload_(bench::make_payload(options.payload)),
          measured_(options) {}

    asio::awaitable<void> run() {
        while (measured_.running()) {
            const std::string number = number_text(sent);
            payload_.replace(0, digits, number);
            const auto at = measured_.sample() ? bench::clock::now() : bench::clock::time_point();
            const auto on_result = [this, at](std::error_code ec, const sluice::receipt&) {
                if (ec) throw std::system_error(ec);
                measured_.acknowledged();
                if (at != bench::clock::time_point()) measured_.latency(at, bench::clock::now());
            };
            co_await producer_.push(payload_, on_result);
            ++sent;
        }
        co_await producer_.close();
    }
    void print() const { measured_.print("gateway"); }
    double rate() const noexcept { return measured_.rate(); }

    std::uint64_t sent = 0;

private:
    static sluice::producer_options producer_options(const bench::run_options& options) {
        sluice::producer_options o;
        o.max_pending_messages = static_cast<int>(options.window);
        return o;
    }

    sluice::client client_;
    sluice::producer producer_;
    std::string payload_;
    bench::measurement measured_;
};

} // namespace

int main(int argc, char** argv) try {
    std::vector<std::string_view> names = bench::run_options::names();
    names.emplace_back("least");
    const bench::arguments arguments(argc, argv, names);
    const bench::run_options options(arguments);
    const std::uint64_t least = arguments.number("least", 0, 0, UINT64_MAX / 2);
    if (options.payload < digits) bench::fail("--payload: at least 12 bytes are needed for a message's number");

    asio::io_context serving(1), publishing(1);
    sluice::testing::gateway gateway{serving};
    stored all; // of the gateway's thread until that has ended
    gateway.on_stored([&all](std::string_view, const sluice::testing::stored_message& m) { all.take(m); });
    std::jthread server([&serving] { serving.run(); });

    publisher p(publishing, gateway, options);
    std::exception_ptr failed;
    asio::co_spawn(publishing, p.run(), [&failed](std::exception_ptr e) { failed = std::move(e); });
    try {
        publishing.run();
    } catch (...) {
        failed = std::current_exception();
    }
    gateway.stop();
    server.join();
    if (failed) std::rethrow_exception(failed);

    p.print();
    if (all.wrong != 0 || all.messages != p.sent) {
        std::fprintf(stderr, "gateway: %llu messages were sent, %llu stored, %llu of them not in their place\n",
                     static_cast<unsigned long long>(p.sent), static_cast<unsigned long long>(all.messages),
                     static_cast<unsigned long long>(all.wrong));
        return 1;
    }
    if (p.rate() < static_cast<double>(least)) {
        std::fprintf(stderr, "gateway: %.0f messages a second are less than %llu\n", p.rate(),
                     static_cast<unsigned long long>(least));
        return 1;
    }
    return 0;
} catch (const std::exception& e) {
    bench::fail("gateway: " + std::string(e.what()));
}
