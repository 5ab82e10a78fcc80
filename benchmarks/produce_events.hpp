// SPDX-License-Identifier: BSL-1.0
// One thread that sends JSON events in batches, as its flags say how they are compressed: what goes over the wire for
// each, what it costs, and how long the thread came to nothing else.
#pragma once

#include "compression.hpp"
#include "events.hpp"
#include "producing.hpp"

#include <sluice.hpp>
#include <sluice/codec/any.hpp>

#include <asio/awaitable.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/wait_traits.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bench {

template <class Executor>
class produce_events {
public:
    using awaitable = asio::awaitable<void, Executor>;

    /// `count` different events, sent in turn.
    produce_events(const Executor& executor, const run_options& options, const compression_options& compression,
                   std::size_t count)
        : compression_(compression),
          events_(make_events(count)),
          options_(of_events(options)),
          client_(executor, client_config(options_)),
          producer_(client_, "benchmark", compression.options(batches), sluice::producer_observer(),
                    compression.codec()),
          measured_(options_) {
        // A batch that begins with the last event goes on with the first.
        for (std::size_t i = 0; i < count + compression.batch; ++i) views_.push_back(events_[i % count]);
        measured_.on_edge = [this] {
            begin_ = std::exchange(end_, count_now());
            stall_ = std::exchange(stalled_, nanoseconds(0));
        };
    }

    awaitable run() {
        co_await producer_.open();
        asio::co_spawn(client_.get_executor(), watch(), rethrow);
        running_ = batches;
        for (std::size_t i = 0; i < batches; ++i) asio::co_spawn(client_.get_executor(), send(), rethrow);
    }

    void print(const std::string& executor) const {
        char stall[48];
        std::snprintf(stall, sizeof stall, ",\"stall_us\":%.0f", static_cast<double>(stall_.count()) / 1000.0);
        measured_.print("events", producer_members(begin_, end_, measured_.messages()) + compression_.members() +
                                      stall + ",\"executor\":\"" + executor + "\"");
    }

private:
    static constexpr std::size_t batches = 4; ///< on their way at the same time

    run_options of_events(run_options options) const {
        std::size_t bytes = 0;
        for (const std::string& e : events_) bytes += e.size();
        options.payload = bytes / events_.size();
        options.window = batches * compression_.batch;
        return options;
    }

    producer_counts count_now() const {
        producer_counts counts;
        counts.allocations = allocations();
        counts.add(producer_.stats());
        return counts;
    }

    awaitable send() {
        while (measured_.running()) {
            const std::span<const std::string_view> batch(views_.data() + next_, compression_.batch);
            next_ = (next_ + compression_.batch) % events_.size();
            const auto sent = clock::now();
            const std::vector<sluice::result> results = co_await producer_.send_all(batch);
            for (const sluice::result& r : results)
                if (r.ec) throw std::system_error(r.ec);
            measured_.acknowledged(results.size());
            measured_.latency(sent, clock::now(), results.size());
        }
        if (--running_ == 0) co_await producer_.close();
    }

    /// How late a timer of this thread is at most, as far as the thread was at work and not waiting for a processor.
    awaitable watch() {
        asio::basic_waitable_timer<clock, asio::wait_traits<clock>, Executor> timer(client_.get_executor());
        nanoseconds worked = thread_cpu_time();
        while (measured_.running()) {
            const clock::time_point due = clock::now() + std::chrono::milliseconds(1);
            timer.expires_at(due);
            co_await timer.async_wait(asio::use_awaitable_t<Executor>());
            const nanoseconds before = std::exchange(worked, thread_cpu_time());
            stalled_ = std::max(stalled_, std::min<nanoseconds>(clock::now() - due, worked - before));
        }
    }

    const compression_options& compression_;
    std::vector<std::string> events_;
    run_options options_;
    sluice::basic_client<Executor> client_;
    sluice::basic_producer<Executor, sluice::codec::any> producer_;
    std::vector<std::string_view> views_;
    measurement measured_;
    producer_counts begin_{}, end_{};
    nanoseconds stalled_{}, stall_{}; ///< since the last edge, and between the two
    std::size_t next_ = 0;            ///< event
    std::size_t running_ = 0;
};

} // namespace bench
