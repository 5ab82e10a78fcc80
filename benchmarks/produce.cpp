// SPDX-License-Identifier: BSL-1.0
// sluice itself, one thread, in the form that --mode names:
//   send        `window` coroutines that each await `producer.send` in a loop; nothing is copied
//   async_send  `window` plain handlers that each send the next message, borrowed
//   send_all    two coroutines that await ranges of `window` messages, so that one is under way while the other resumes
//   push        one coroutine that awaits room alone, with owned messages; the results come to a callback
//
//   bench_produce [--mode send|async_send|send_all|push] [--executor any|concrete]
//                 [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--messages N] [--seconds N] [--window N] [--payload
//                 N]
#include "allocations.hpp"
#include "measure.hpp"
#include "wire.hpp"

#include <sluice.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

sluice::client_config client_config(const bench::run_options& options) {
    sluice::client_config c;
    c.url = options.url;
    if (options.url.starts_with("http")) c.auth = sluice::api_key{"_mm.benchmark.secret"};
    return c;
}

sluice::producer_options producer_options(const bench::run_options& options) {
    sluice::producer_options o;
    o.max_pending_messages = static_cast<int>(options.window);
    o.max_pending_bytes = std::max(o.max_pending_bytes, options.window * options.payload);
    return o;
}

void rethrow(std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
}

template <class Executor>
class benchmark {
public:
    using awaitable = asio::awaitable<void, Executor>;

    benchmark(const Executor& executor, const bench::run_options& options)
        : options_(options),
          client_(executor, client_config(options)),
          producer_(client_, "benchmark", producer_options(options)),
          payload_(bench::make_payload(options.payload)),
          measured_(options) {
        measured_.on_edge = [this] { begin_ = std::exchange(end_, count()); };
    }

    awaitable run(std::string mode) {
        co_await producer_.open();
        if (mode == "send") {
            for (std::size_t i = 0; i < options_.window; ++i) start(send());
        } else if (mode == "async_send") {
            for (std::size_t i = 0; i < options_.window; ++i) {
                ++running_;
                async_send();
            }
        } else if (mode == "send_all") {
            for (int i = 0; i < 2; ++i) start(send_all());
        } else if (mode == "push") {
            start(push());
        } else {
            bench::fail("--mode " + mode + ": allowed is send, async_send, send_all and push");
        }
    }

    void print(const std::string& mode, const std::string& executor) const {
        const auto messages = static_cast<double>(std::max<std::uint64_t>(1, measured_.messages()));
        const auto frames = static_cast<double>(std::max<std::uint64_t>(1, end_.frames - begin_.frames));
        char more[128];
        std::snprintf(more, sizeof more, ",\"executor\":\"%s\",\"allocs_per_msg\":%.4f,\"writes_per_1000\":%.2f",
                      executor.c_str(), static_cast<double>(end_.allocations - begin_.allocations) / messages,
                      static_cast<double>(end_.writes - begin_.writes) * 1000.0 / frames);
        measured_.print(mode, more);
    }

private:
    /// The receiver of a plain `async_send`: sends the next one.
    struct resend {
        benchmark* self;
        bench::clock::time_point sent;

        void operator()(std::error_code ec, const sluice::receipt&) const { self->answered(ec, sent); }
    };

    struct counts {
        std::uint64_t allocations = 0, writes = 0, frames = 0;
    };

    counts count() const {
        const sluice::producer_stats stats = producer_.stats();
        return {bench::allocations(), stats.writes, stats.frames_written};
    }

    /// Now for the messages that are sampled, else nothing.
    bench::clock::time_point stamp() { return measured_.sample() ? bench::clock::now() : bench::clock::time_point(); }
    void acknowledged(bench::clock::time_point sent, std::uint64_t n = 1) {
        measured_.acknowledged(n);
        if (sent != bench::clock::time_point()) measured_.latency(sent, bench::clock::now(), n);
    }

    void start(awaitable task) {
        ++running_;
        asio::co_spawn(producer_.get_executor(), std::move(task), [this](std::exception_ptr e) {
            rethrow(e);
            ended();
        });
    }
    /// The last one closes.
    void ended() {
        if (--running_ == 0) asio::co_spawn(producer_.get_executor(), producer_.close(), rethrow);
    }

    awaitable send() {
        while (measured_.running()) {
            const auto sent = stamp();
            co_await producer_.send(payload_);
            acknowledged(sent);
        }
    }

    void async_send() { producer_.async_send(sluice::borrow(payload_), resend{this, stamp()}); }

    void answered(std::error_code ec, bench::clock::time_point sent) {
        if (ec) throw std::system_error(ec);
        acknowledged(sent);
        if (measured_.running())
            async_send();
        else
            ended();
    }

    awaitable send_all() {
        const std::vector<std::string_view> messages(options_.window, payload_);
        while (measured_.running()) {
            const auto sent = bench::clock::now();
            const std::vector<sluice::result> results = co_await producer_.send_all(messages);
            for (const sluice::result& r : results)
                if (r.ec) throw std::system_error(r.ec);
            acknowledged(sent, results.size());
        }
    }

    awaitable push() {
        while (measured_.running()) {
            const auto on_result = [this, sent = stamp()](std::error_code ec, const sluice::receipt&) {
                if (ec) throw std::system_error(ec);
                acknowledged(sent);
            };
            co_await producer_.push(payload_, on_result);
        }
        co_await producer_.flush();
    }

    const bench::run_options& options_;
    sluice::basic_client<Executor> client_;
    sluice::basic_producer<Executor> producer_;
    std::string payload_;
    bench::measurement measured_;
    counts begin_{}, end_{};
    std::size_t running_ = 0;
};

template <class Executor>
void run(const bench::run_options& options, const std::string& mode, const std::string& executor) {
    asio::io_context context(1);
    benchmark<Executor> b(context.get_executor(), options);
    asio::co_spawn(context, b.run(mode), rethrow);
    try {
        context.run();
    } catch (const std::exception& e) {
        bench::fail("produce: " + std::string(e.what()));
    }
    b.print(mode, executor);
}

} // namespace

int main(int argc, char** argv) {
    std::vector<std::string_view> names = bench::run_options::names();
    names.insert(names.end(), {"mode", "executor"});
    const bench::arguments arguments(argc, argv, names);
    const bench::run_options options(arguments);
    const std::string mode = arguments.text("mode", "send");
    const std::string executor = arguments.text("executor", "any");
    if (executor == "any")
        run<asio::any_io_executor>(options, mode, executor);
    else if (executor == "concrete")
        run<asio::io_context::executor_type>(options, mode, executor);
    else
        bench::fail("--executor " + executor + ": allowed is any and concrete");
}
