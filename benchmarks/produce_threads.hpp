// SPDX-License-Identifier: BSL-1.0
// Many threads that push on one producer, whose own thread is the calling one. Each thread is a server's: it has an
// io_context of its own, in which a coroutine awaits room. Every payload has its thread's stamp, for the sink to check.
#pragma once

#include "producing.hpp"
#include "thread_stamp.hpp"
#include "wire.hpp"

#include <sluice.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

template <class Executor>
class produce_threads {
public:
    produce_threads(asio::io_context& context, const run_options& options, std::uint64_t threads)
        : options_(options),
          threads_(threads),
          work_(context.get_executor()),
          client_(context.get_executor(), client_config(options)),
          producer_(client_, "benchmark", producer_options(options)),
          measured_(options) {
        if (options.payload < thread_stamp::size) fail("--payload: at least 18 bytes are needed for a thread's stamp");
        measured_.on_edge = [this] { begin_ = std::exchange(end_, count()); };
    }

    asio::awaitable<void, Executor> run() {
        co_await producer_.open();
        pushing_ = threads_;
        for (std::uint64_t i = 0; i < threads_; ++i) pushers_.emplace_back([this, i] { push_until_over(i); });
    }

    void print(const std::string& executor) const {
        measured_.print("push", producer_members(begin_, end_, measured_.messages()) + ",\"executor\":\"" + executor +
                                    "\",\"threads\":" + std::to_string(threads_));
    }

private:
    producer_counts count() const {
        producer_counts counts;
        counts.allocations = allocations();
        counts.add(producer_.stats());
        return counts;
    }

    /// One thread's whole life.
    void push_until_over(std::uint64_t thread) {
        asio::io_context own(1);
        asio::co_spawn(own, push(thread), rethrow);
        try {
            own.run();
        } catch (const std::exception& e) {
            fail("produce: a thread: " + std::string(e.what()));
        }
        asio::post(client_.get_executor(), [this] { ended(); });
    }

    asio::awaitable<void, Executor> push(std::uint64_t thread) {
        std::string payload = make_payload(options_.payload);
        thread_stamp stamp;
        stamp.thread = thread;
        for (; !over_.load(std::memory_order_relaxed); ++stamp.number) {
            stamp.write(payload.data());
            const auto sent = stamp.number % 64 == 0 ? clock::now() : clock::time_point();
            // On the producer's thread, to which the measurement belongs.
            const auto on_result = [this, sent](std::error_code ec, const sluice::receipt&) {
                if (ec) throw std::system_error(ec);
                measured_.acknowledged();
                if (sent != clock::time_point()) measured_.latency(sent, clock::now());
                if (!measured_.running()) over_.store(true, std::memory_order_relaxed);
            };
            co_await producer_.push(payload, on_result);
        }
    }

    void ended() {
        if (--pushing_ != 0) return;
        asio::co_spawn(client_.get_executor(), producer_.close(), [this](std::exception_ptr e) {
            rethrow(e);
            work_.reset();
        });
    }

    const run_options& options_;
    std::uint64_t threads_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    sluice::basic_client<Executor> client_;
    sluice::basic_producer<Executor> producer_;
    measurement measured_;
    producer_counts begin_{}, end_{};
    std::atomic<bool> over_{false};
    std::uint64_t pushing_ = 0; ///< threads; of the producer's thread
    std::vector<std::jthread> pushers_;
};

} // namespace bench
