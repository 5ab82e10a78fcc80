// SPDX-License-Identifier: BSL-1.0
// What an open producer holds while it has nothing to do: the heap of this process by the C library's own count (the
// kernel's socket buffers are not in it), and whether thousands are open and answered in one process.
//
//   bench_memory [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--tls] [--ca FILE] [--producers N]
#include "measure.hpp"
#include "producing.hpp"

#include <sluice.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct footprint {
    double heap = 0;     ///< bytes that malloc has given out
    double resident = 0; ///< bytes of memory that the process occupies
};

footprint look() {
    const struct mallinfo2 m = ::mallinfo2();
    std::size_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return {static_cast<double>(m.uordblks + m.hblkhd),
            static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE))};
}

/// As many open files as this process may have.
std::uint64_t allow_many_files() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_max;
}

struct footprints {
    footprint none, open, after_messages;
};

asio::awaitable<void> measure(const bench::run_options& options, std::size_t producers, footprints& seen) {
    const auto executor = co_await asio::this_coro::executor;
    sluice::client client{executor, bench::client_config(options)};
    std::vector<std::unique_ptr<sluice::producer>> all;
    all.reserve(producers + 1);
    const auto open_one = [&] { all.push_back(std::make_unique<sluice::producer>(client, "benchmark")); };

    // The first one brings along what is there once: the client's connection, OpenSSL's tables, Asio's reactor.
    open_one();
    co_await all.back()->open();
    co_await all.back()->send("a message");
    seen.none = look();
    for (std::size_t i = 0; i < producers; ++i) {
        open_one();
        co_await all.back()->open();
    }
    seen.open = look();
    for (const auto& p : all) co_await p->send("a message");
    // What a producer needs for its work it gives back a moment later.
    asio::steady_timer moment(executor, std::chrono::seconds(2));
    co_await moment.async_wait(asio::use_awaitable);
    seen.after_messages = look();
    for (const auto& p : all) co_await p->close();
}

} // namespace

int main(int argc, char** argv) try {
    std::vector<std::string_view> names = bench::run_options::names();
    names.emplace_back("producers");
    const bench::arguments arguments(argc, argv, names);
    const bench::run_options options(arguments);
    const std::uint64_t wanted = arguments.number("producers", 100, 1, 100'000);
    const std::uint64_t files = allow_many_files();
    const std::uint64_t producers = std::min(wanted, files > 64 ? files - 64 : 1);
    if (producers < wanted)
        std::fprintf(stderr, "memory: %llu open files are allowed: %llu producers instead of %llu\n",
                     static_cast<unsigned long long>(files), static_cast<unsigned long long>(producers),
                     static_cast<unsigned long long>(wanted));

    asio::io_context context(1);
    footprints seen;
    asio::co_spawn(context, measure(options, static_cast<std::size_t>(producers), seen), bench::rethrow);
    context.run();

    const auto each = [&](double footprint::* what, const footprint& then) {
        return (then.*what - seen.none.*what) / static_cast<double>(producers);
    };
    std::printf("{\"mode\":\"memory\",\"tls\":%d,\"producers\":%llu,\"open_files\":%llu,\"heap_bytes\":%.0f,"
                "\"heap_bytes_after_messages\":%.0f,\"resident_bytes\":%.0f}\n",
                options.tls() ? 1 : 0, static_cast<unsigned long long>(producers),
                static_cast<unsigned long long>(files), each(&footprint::heap, seen.open),
                each(&footprint::heap, seen.after_messages), each(&footprint::resident, seen.open));
} catch (const std::exception& e) {
    bench::fail("memory: " + std::string(e.what()));
}
