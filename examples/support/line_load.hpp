// SPDX-License-Identifier: BSL-1.0
// Clients for a server that answers lines: they keep a number of lines unanswered, and measure.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tool {

struct load_options {
    std::string host = "127.0.0.1", port{};
    std::uint64_t lines = 0;
    unsigned connections = 10;
    unsigned window = 100; ///< lines that a connection leaves unanswered
};

struct load_result {
    std::vector<std::uint32_t> latencies{}; ///< of lines that were answered OK, in microseconds
    std::uint64_t refused = 0;
    std::string first_refusal{};

    void answered(std::string_view answer, std::chrono::steady_clock::duration after) {
        if (answer.starts_with("OK ")) {
            const auto us = std::chrono::duration_cast<std::chrono::microseconds>(after).count();
            latencies.push_back(static_cast<std::uint32_t>(us));
        } else if (refused++ == 0) {
            first_refusal = answer;
        }
    }
};

/// One connection's lines, from the first to the last answer.
inline asio::awaitable<void> converse(const load_options& options, std::uint64_t lines, load_result& result) {
    using clock = std::chrono::steady_clock;
    asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
    const auto where = co_await resolver.async_resolve(options.host, options.port, asio::use_awaitable);
    asio::ip::tcp::socket socket(resolver.get_executor());
    co_await asio::async_connect(socket, where, asio::use_awaitable);
    std::string out, in;
    std::deque<clock::time_point> sent;
    for (std::uint64_t written = 0; written < lines || !sent.empty();) {
        out.clear();
        for (const auto now = clock::now(); written < lines && sent.size() < options.window; sent.push_back(now))
            out.append("this is line ").append(std::to_string(++written)).append("\n");
        co_await asio::async_write(socket, asio::buffer(out), asio::use_awaitable);
        co_await asio::async_read_until(socket, asio::dynamic_buffer(in), '\n', asio::use_awaitable);
        const auto now = clock::now();
        std::size_t begin = 0;
        for (std::size_t end; (end = in.find('\n', begin)) != std::string::npos; begin = end + 1) {
            if (sent.empty()) throw std::runtime_error("load: there are more answers than lines");
            result.answered(std::string_view(in).substr(begin, end - begin), now - sent.front());
            sent.pop_front();
        }
        in.erase(0, begin);
    }
}

/// All connections together, on the awaiting coroutine's executor, which must not run two things at once. Prints what
/// was measured; throws if not every line was answered OK.
inline asio::awaitable<void> run_load(load_options options) {
    const auto executor = co_await asio::this_coro::executor;
    load_result result;
    asio::steady_timer all_ended(executor, asio::steady_timer::time_point::max());
    unsigned running = options.connections;
    std::exception_ptr failed;
    const auto begin = std::chrono::steady_clock::now();
    for (unsigned i = 0; i != options.connections; ++i) {
        const std::uint64_t share = options.lines / options.connections + (i < options.lines % options.connections);
        asio::co_spawn(executor, converse(options, share, result), [&](std::exception_ptr e) {
            if (e && !failed) failed = e;
            if (--running == 0) all_ended.cancel();
        });
    }
    std::error_code ec;
    if (running != 0) co_await all_ended.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (failed) std::rethrow_exception(failed);

    std::vector<std::uint32_t>& sorted = result.latencies;
    std::sort(sorted.begin(), sorted.end());
    const auto percentile = [&](std::size_t permille) {
        return sorted.empty() ? 0 : sorted[(sorted.size() - 1) * permille / 1000];
    };
    std::cout << "load: " << sorted.size() << " lines over " << options.connections << " connections in " << seconds
              << " s: " << static_cast<std::uint64_t>(static_cast<double>(sorted.size()) / seconds)
              << " lines/s; latency p50 " << percentile(500) << " us, p99 " << percentile(990) << " us, most "
              << percentile(1000) << " us" << std::endl;
    if (result.refused != 0)
        throw std::runtime_error("load: " + std::to_string(result.refused) +
                                 " lines were refused; the first: " + result.first_refusal);
}

} // namespace tool
