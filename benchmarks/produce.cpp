// SPDX-License-Identifier: BSL-1.0
// sluice itself, one thread, in the form that --mode names:
//   send        `window` coroutines that each await `producer.send` in a loop; nothing is copied
//   async_send  `window` plain handlers that each send the next message, borrowed
//   send_all    two coroutines that await ranges of `window` messages, so that one is under way while the other resumes
//   push        one coroutine that awaits room alone, with owned messages; the results come to a callback
//
//   bench_produce [--mode send|async_send|send_all|push] [--executor any|concrete]
//                 [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--tls] [--ca FILE]
//                 [--messages N] [--seconds N] [--window N] [--payload N] [--producers N] [--threads N]
//   bench_produce --events N [--batch N] [--compression NONE|LZ4|ZLIB|ZSTD|SNAPPY] [--level N]
//                 [--compress-at broker|packed|end_to_end] [--deflate off|on] [what is above, but for --mode ...]
//
// --producers: so many sockets, each with its own window. --threads (with push): so many threads push on one producer,
// which has a thread to itself. --events: four loops that each send the next --batch of so many different JSON events;
// their size is the payload, and four batches the window. --level is the codec's, or deflate's.
#include "compression.hpp"
#include "measure.hpp"
#include "produce_events.hpp"
#include "produce_loops.hpp"
#include "produce_threads.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct what_to_do {
    std::string mode, executor;
    std::size_t producers;
    std::uint64_t threads; ///< 0: none but the producer's
    std::size_t events;    ///< 0: one payload of any bytes
    bench::compression_options compression;
};

template <class Executor>
void run(const bench::run_options& options, const what_to_do& what) {
    asio::io_context context(1);
    if (what.events != 0) {
        bench::produce_events<Executor> b(context.get_executor(), options, what.compression, what.events);
        asio::co_spawn(context, b.run(), bench::rethrow);
        context.run();
        b.print(what.executor);
    } else if (what.threads != 0) {
        bench::produce_threads<Executor> b(context, options, what.threads);
        asio::co_spawn(context, b.run(), bench::rethrow);
        context.run();
        b.print(what.executor);
    } else {
        bench::produce_loops<Executor> b(context.get_executor(), options, what.producers);
        asio::co_spawn(context, b.run(what.mode), bench::rethrow);
        context.run();
        b.print(what.mode, what.executor);
    }
}

} // namespace

int main(int argc, char** argv) {
    std::vector<std::string_view> names = bench::run_options::names();
    names.insert(names.end(), {"mode", "executor", "producers", "threads", "events"});
    const auto of_compression = bench::compression_options::names();
    names.insert(names.end(), of_compression.begin(), of_compression.end());
    const bench::arguments arguments(argc, argv, names);
    const bench::run_options options(arguments);
    const what_to_do what{arguments.text("mode", "send"),
                          arguments.text("executor", "any"),
                          static_cast<std::size_t>(arguments.number("producers", 1, 1, 10'000)),
                          arguments.number("threads", 0, 0, 1000),
                          static_cast<std::size_t>(arguments.number("events", 0, 0, 1'000'000)),
                          bench::compression_options(arguments)};
    if (what.threads != 0 && (what.mode != "push" || what.producers != 1))
        bench::fail("--threads: allowed with --mode push and one producer");
    try {
        if (what.executor == "any")
            run<asio::any_io_executor>(options, what);
        else if (what.executor == "concrete")
            run<asio::io_context::executor_type>(options, what);
        else
            bench::fail("--executor " + what.executor + ": allowed is any and concrete");
    } catch (const std::exception& e) {
        // Not by stack unwinding: the threads of a benchmark that failed are still at work.
        bench::fail("produce: " + std::string(e.what()));
    }
}
