// SPDX-License-Identifier: BSL-1.0
// How operations start: from any thread, one atomic step, nothing completes inside.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/publisher.hpp>
#include <sluice/io/push.hpp>
#include <sluice/io/send_op.hpp>

#include <memory>
#include <ranges>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// A cancellation slot's handler for one send. It runs on the handler's executor, perhaps while the strand settles the
/// node on another thread: only who moves the node's state out of idle goes on (core/send_node.hpp).
template <class Driver>
struct cancel_send {
    Driver* driver;
    core::send_node* node;

    void operator()(asio::cancellation_type type) const {
        if (type == asio::cancellation_type::none) return;
        // `total` alone asks that nothing has happened: what is written already goes on.
        const bool total = (type & (asio::cancellation_type::terminal | asio::cancellation_type::partial)) ==
                           asio::cancellation_type::none;
        auto idle = core::cancel_state::idle;
        if (node->cancel.compare_exchange_strong(
                idle, total ? core::cancel_state::withdrawal_requested : core::cancel_state::requested,
                std::memory_order_acq_rel))
            driver->cancel_one(node);
    }
};

/// An initiation says where its operation would complete without an associated executor: `cancel_after` asks.
template <class Driver>
struct initiation {
    using executor_type = typename Driver::executor_type;
    Driver* driver;
    executor_type get_executor() const noexcept { return driver->executor(); }
};

template <class Driver, bool Throws>
struct initiate_send : initiation<Driver> {
    template <class Handler>
    void operator()(Handler&& handler, const message_view& m) const {
        using op = send_op<std::decay_t<Handler>, typename Driver::executor_type, Throws>;
        start(op::create(std::decay_t<Handler>(std::forward<Handler>(handler)), this->driver->executor(), m));
    }
    /// Of an operation that may be started more than once (`deferred`): its message stays with it.
    template <class Handler>
    void operator()(Handler&& handler, const sluice::message& m) const {
        (*this)(std::forward<Handler>(handler), sluice::message(m));
    }
    template <class Handler>
    void operator()(Handler&& handler, sluice::message&& m) const {
        using op = owning_send_op<std::decay_t<Handler>, typename Driver::executor_type, Throws>;
        start(
            op::create(std::decay_t<Handler>(std::forward<Handler>(handler)), this->driver->executor(), std::move(m)));
    }

private:
    template <class Op>
    void start(Op* op) const {
        Driver* const d = this->driver;
        if (d->options().when_full == when_full::fail) {
            if (!d->publisher().reserve(op->message)) return d->turn_away(op);
            op->counted = true;
        }
        op->cancellable = op->listen(cancel_send<Driver>{d, op});
        d->submit(op, op);
    }
};

template <class Driver, bool Throws>
struct initiate_send_all : initiation<Driver> {
    template <class Handler, class Range>
    void operator()(Handler&& handler, const Range* messages) const {
        using op_type = send_all_op<std::decay_t<Handler>, typename Driver::executor_type, Throws>;
        Driver* const d = this->driver;
        const auto n = static_cast<std::size_t>(std::ranges::distance(*messages));
        op_type* const op =
            op_type::create(std::decay_t<Handler>(std::forward<Handler>(handler)), d->executor(), *messages, n);
        // Those that find no room settle first: once the rest is submitted, the strand settles too.
        core::node* first = nullptr;
        core::node* last = nullptr;
        bool over = n == 0;
        core::node_list refused;
        for (std::size_t i = 0; i < n; ++i) {
            core::send_node& m = op->at(i);
            if (d->options().when_full == when_full::fail) {
                if (!d->publisher().reserve(m.message)) {
                    d->publisher().refuse(&m, d->full_failure(), refused);
                    over = !refused.empty();
                    continue;
                }
                m.counted = true;
            }
            (last ? last->next : first) = &m;
            last = &m;
        }
        if (over) return d->complete_later(op);
        const bool cancellable = op->listen([d, op](asio::cancellation_type type) {
            for (std::size_t i = 0; i < op->count(); ++i) cancel_send<Driver>{d, &op->at(i)}(type);
        });
        for (core::node* m = first; cancellable && m; m = m->next) core::as_send(m)->cancellable = true;
        d->submit(first, last);
    }
};

template <class Driver, bool Throws>
struct initiate_marker : initiation<Driver> {
    template <class Handler>
    void operator()(Handler&& handler, core::node_kind kind) const {
        using op_type = marker_op<std::decay_t<Handler>, typename Driver::executor_type, Throws>;
        op_type* const op =
            op_type::create(std::decay_t<Handler>(std::forward<Handler>(handler)), this->driver->executor(), kind);
        const std::uint64_t ticket = op->ticket = this->driver->new_ticket();
        // Weak: the operation may have its result and not yet been called when the producer goes.
        op->listen([weak = this->driver->weak_from_this(), ticket](asio::cancellation_type type) {
            if (type == asio::cancellation_type::none) return;
            if (const auto producer = weak.lock()) producer->cancel_marker(ticket);
        });
        this->driver->submit(op, op);
    }
};

template <class Driver, bool Throws>
struct initiate_push : initiation<Driver> {
    template <class Handler, class OnResult>
    void operator()(Handler&& handler, sluice::message m, OnResult&& on_result) const {
        std::decay_t<OnResult> function(std::forward<OnResult>(on_result));
        (*this)(std::forward<Handler>(handler), this->driver->hold(std::move(m), std::move(function)));
    }
    template <class Handler>
    void operator()(Handler&& handler, held_message<typename Driver::executor_type> m) const {
        using waiter_type = marker_op<std::decay_t<Handler>, typename Driver::executor_type, Throws>;
        Driver* const d = this->driver;
        waiter_type* const waiter = waiter_type::create(std::decay_t<Handler>(std::forward<Handler>(handler)),
                                                        d->executor(), core::node_kind::admitted);
        core::send_node* const op = m.release();
        op->waiter = waiter;
        if (d->options().when_full == when_full::fail) {
            if (!d->publisher().reserve(op->message)) return d->turn_away(op);
            op->counted = true;
        }
        const std::uint64_t ticket = waiter->ticket = d->new_ticket();
        // Weak: the waiter may have its result and not yet been called when the producer goes.
        waiter->listen([weak = d->weak_from_this(), ticket](asio::cancellation_type type) {
            if (type == asio::cancellation_type::none) return;
            if (const auto producer = weak.lock()) producer->cancel_push(ticket);
        });
        d->submit(op, op);
    }
};

} // namespace io
} // namespace v1
} // namespace sluice
