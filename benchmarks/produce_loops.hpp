// SPDX-License-Identifier: BSL-1.0
// One thread that sends in one of four forms, on one producer or on several.
#pragma once

#include "producing.hpp"
#include "wire.hpp"

#include <sluice.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bench {

template <class Executor>
class produce_loops {
public:
    using awaitable = asio::awaitable<void, Executor>;
    using producer = sluice::basic_producer<Executor>;

    produce_loops(const Executor& executor, const run_options& options, std::size_t producers)
        : options_(options),
          client_(executor, client_config(options)),
          payload_(make_payload(options.payload)),
          measured_(options) {
        measured_.on_edge = [this] { begin_ = std::exchange(end_, count()); };
        for (std::size_t i = 0; i < producers; ++i)
            producers_.push_back(std::make_unique<producer>(client_, "benchmark", producer_options(options)));
    }

    /// Opens the producers, and starts the loops of `mode` on each.
    awaitable run(std::string mode) {
        for (const auto& p : producers_) co_await p->open();
        for (const auto& p : producers_) start(mode, *p);
    }

    void print(const std::string& mode, const std::string& executor) const {
        measured_.print(mode, producer_members(begin_, end_, measured_.messages()) + ",\"executor\":\"" + executor +
                                  "\",\"producers\":" + std::to_string(producers_.size()));
    }

private:
    /// The receiver of a plain `async_send`: sends the next one.
    struct resend {
        produce_loops* self;
        producer* on;
        clock::time_point sent;

        void operator()(std::error_code ec, const sluice::receipt&) const { self->answered(*on, ec, sent); }
    };

    void start(const std::string& mode, producer& p) {
        if (mode == "send") {
            for (std::size_t i = 0; i < options_.window; ++i) spawn(send(p));
        } else if (mode == "async_send") {
            for (std::size_t i = 0; i < options_.window; ++i) {
                ++running_;
                async_send(p);
            }
        } else if (mode == "send_all") {
            for (int i = 0; i < 2; ++i) spawn(send_all(p));
        } else if (mode == "push") {
            spawn(push(p));
        } else {
            fail("--mode " + mode + ": allowed is send, async_send, send_all and push");
        }
    }

    producer_counts count() const {
        producer_counts sum;
        sum.allocations = allocations();
        for (const auto& p : producers_) sum.add(p->stats());
        return sum;
    }

    /// Now for the messages that are sampled, else nothing.
    clock::time_point stamp() { return measured_.sample() ? clock::now() : clock::time_point(); }
    void acknowledged(clock::time_point sent, std::uint64_t n = 1) {
        measured_.acknowledged(n);
        if (sent != clock::time_point()) measured_.latency(sent, clock::now(), n);
    }

    void spawn(awaitable task) {
        ++running_;
        asio::co_spawn(client_.get_executor(), std::move(task), [this](std::exception_ptr e) {
            rethrow(e);
            ended();
        });
    }
    /// The last one closes.
    void ended() {
        if (--running_ != 0) return;
        for (const auto& p : producers_) asio::co_spawn(client_.get_executor(), p->close(), rethrow);
    }

    awaitable send(producer& p) {
        while (measured_.running()) {
            const auto sent = stamp();
            co_await p.send(payload_);
            acknowledged(sent);
        }
    }

    void async_send(producer& p) { p.async_send(sluice::borrow(payload_), resend{this, &p, stamp()}); }

    void answered(producer& p, std::error_code ec, clock::time_point sent) {
        if (ec) throw std::system_error(ec);
        acknowledged(sent);
        if (measured_.running())
            async_send(p);
        else
            ended();
    }

    awaitable send_all(producer& p) {
        const std::vector<std::string_view> messages(options_.window, payload_);
        while (measured_.running()) {
            const auto sent = clock::now();
            const std::vector<sluice::result> results = co_await p.send_all(messages);
            for (const sluice::result& r : results)
                if (r.ec) throw std::system_error(r.ec);
            acknowledged(sent, results.size());
        }
    }

    awaitable push(producer& p) {
        while (measured_.running()) {
            const auto on_result = [this, sent = stamp()](std::error_code ec, const sluice::receipt&) {
                if (ec) throw std::system_error(ec);
                acknowledged(sent);
            };
            co_await p.push(payload_, on_result);
        }
        co_await p.flush();
    }

    const run_options& options_;
    sluice::basic_client<Executor> client_;
    std::vector<std::unique_ptr<producer>> producers_;
    std::string payload_;
    measurement measured_;
    producer_counts begin_{}, end_{};
    std::size_t running_ = 0;
};

} // namespace bench
