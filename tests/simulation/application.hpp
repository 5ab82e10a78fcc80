// SPDX-License-Identifier: BSL-1.0
// The program that a schedule describes: the real client and producers, and handlers that look where and when they are
// called.
#pragma once

#include "history.hpp"
#include "sim_traits.hpp"

#include <sluice/producer.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

/// The contexts' numbers, as `world::turn` has them.
inline constexpr int producers_turn = 1, others_turn = 2;

/// Every handler holds the program, and the program the producers: the circle that the library has to break when an
/// execution context is destroyed.
class application : public std::enable_shared_from_this<application> {
public:
    using client_type = sluice::basic_client<asio::any_io_executor, sim_traits>;
    using producer_type = sluice::basic_producer<asio::any_io_executor, run_length_codec, sim_traits>;

    application(world& w, const schedule& s, history& h, asio::io_context& context, asio::io_context& elsewhere,
                sluice::client_config config)
        : world_(w),
          schedule_(s),
          history_(h),
          executor_(context.get_executor()),
          elsewhere_(elsewhere.get_executor()),
          strand_(executor_),
          client_(executor_, std::move(config)) {
        for (std::size_t i = 0; i < s.producers; ++i)
            producers_.push_back(std::make_unique<producer_type>(client_, stream_name(i), s.options, observe(i),
                                                                 run_length_codec(s.packs.compresses)));
    }

    static std::string stream_name(std::size_t producer) { return "stream-" + std::to_string(producer); }

    /// Is still there while anything of a producer is.
    std::weak_ptr<int> remains() const { return tracer_; }
    producer_type* producer(std::size_t i) { return producers_[i].get(); }

    void perform(const action& a) {
        if (a.what == deed::cancel_one) return cancel(a.subject, a.cancel_type);
        if (a.what == deed::stand_still) {
            world_.note("the machine stands still for ", a.own_timeout.count(), " ms");
            return world_.stand_still(a.own_timeout);
        }
        producer_type* const p = producers_[a.producer].get();
        if (!p) return;
        producer_fate& fate = history_.producers[a.producer];
        if (a.what == deed::cancel) {
            world_.note("producer ", a.producer, ": cancel");
            fate.cancellations.push_back({world_.now(), history_.messages.size()});
            return p->cancel();
        }
        if (a.what == deed::destroy) return destroy(a.producer);
        started_operation& op = history_.operations[a.subject];
        op.plan = &a;
        op.started = op.initiating = true;
        op.started_at = world_.now();
        op.before = history_.messages.size();
        ++history_.open;
        note(op, "begins");
        switch (a.handler) {
        case home::producer: start(*p, op, executor_); break;
        case home::strand: start(*p, op, strand_); break;
        case home::elsewhere: start(*p, op, elsewhere_); break;
        }
        op.initiating = false;
    }
    void destroy(std::size_t i) {
        if (!producers_[i]) return;
        world_.note("producer ", i, ": destroyed");
        history_.producers[i].destroyed = true;
        producers_[i].reset();
    }

private:
    sluice::producer_observer observe(std::size_t i) {
        sluice::producer_observer o;
        producer_fate* const fate = &history_.producers[i];
        o.on_open = [this, i, fate, t = tracer_] {
            ++fate->connections;
            world_.note("producer ", i, ": open");
        };
        o.on_disconnect = [this, i, t = tracer_](const sluice::failure& f) {
            if (!world_.tracing()) return;
            world_.note("producer ", i, ": lost: ", f.code.message(), f.details ? ": " + f.details->text : "");
        };
        o.on_reconnect = [this, i, t = tracer_](const sluice::failure& f, unsigned attempt,
                                                std::chrono::milliseconds d) {
            if (f.details && f.details->retry_after_s > 0)
                world_.quiet_until = world_.now() + std::chrono::seconds(f.details->retry_after_s) - 100ms; // told late
            if (!world_.tracing()) return;
            world_.note("producer ", i, ": attempt ", attempt, " in ", d.count(), " ms, for ", f.code.message(),
                        f.details ? ": " + f.details->text : "");
        };
        o.on_close = [this, i, t = tracer_](const sluice::failure& f) {
            if (!world_.tracing()) return;
            world_.note("producer ", i, ": closed: ", f.code.message(), f.details ? ": " + f.details->text : "");
        };
        return o;
    }

    // Completions

    auto on_receipt(started_operation& op) {
        return [this, keep = shared_from_this(), &op](std::error_code ec, sluice::receipt r) {
            result_of(history_.messages[op.first], ec, r);
            completed(op, ec);
        };
    }
    auto on_code(started_operation& op) {
        return [this, keep = shared_from_this(), &op](std::error_code ec) { completed(op, ec); };
    }
    /// Of a pushed message: called on the producer's executor.
    auto on_result(started_operation& op) {
        ++history_.open;
        return [this, keep = shared_from_this(), &op](std::error_code ec, const sluice::receipt& r) {
            if (op.initiating) world_.violated(title(op), ": result inside the initiating call");
            if (world_.turn != producers_turn) world_.violated(title(op), ": result on another executor");
            --history_.open;
            result_of(history_.messages[op.first], ec, r);
        };
    }
    void completed(started_operation& op, std::error_code ec) {
        if (world_.tracing()) note(op, "ends: ", ec.message());
        op.ec = ec;
        op.done_at = world_.now();
        --history_.open;
        if (++op.completions != 1) world_.violated(title(op), ": completed ", op.completions, " times");
        if (op.initiating) world_.violated(title(op), ": completed inside the initiating call");
        if (!at_home(op)) world_.violated(title(op), ": completed on another executor");
        if (op.plan->what == deed::flush || op.plan->what == deed::close) check_all_before(op);
        if (op.plan->then >= 0) perform(schedule_.consequences[static_cast<std::size_t>(op.plan->then)]);
    }
    bool at_home(const started_operation& op) const {
        const home h = awaited(op) ? home::producer : op.plan->handler;
        if (h == home::strand && !strand_.running_in_this_thread()) return false;
        return world_.turn == (h == home::elsewhere ? others_turn : producers_turn);
    }
    /// What was sent before a flush or a close has been completed; on another executor, it has been submitted.
    void check_all_before(const started_operation& op) {
        for (std::size_t i = 0; i < op.before; ++i) {
            const sent_message& m = history_.messages[i];
            if (m.producer == op.plan->producer && m.operation->plan->handler == home::producer &&
                op.plan->handler == home::producer && m.results == 0)
                world_.violated(title(op), ": message ", i, " is not completed");
        }
    }
    void result_of(sent_message& m, std::error_code ec, const sluice::receipt& r) {
        if (++m.results != 1) world_.violated("message ", m.content.payload.substr(0, 4), ": ", m.results, " results");
        m.ec = ec;
        m.receipt = r;
        m.done_at = world_.now();
        if (!world_.tracing()) return;
        world_.note("  message ", m.content.payload.substr(0, m.content.payload.find(':')), ": ", ec.message(),
                    ", outcome ", static_cast<int>(r.outcome), ", number ", r.sequence_id);
    }

    // Starting

    template <class Executor>
    void start(producer_type& p, started_operation& op, const Executor& executor) {
        const action& a = *op.plan;
        const auto on = [&](auto f) {
            return asio::bind_cancellation_slot(a.cancellable ? op.signal.slot() : asio::cancellation_slot(),
                                                asio::bind_executor(executor, std::move(f)));
        };
        switch (a.what) {
        case deed::send: p.async_send(message(op, a.sizes[0]).content, on(on_receipt(op))); break;
        case deed::send_borrowed: {
            sent_message& m = message(op, a.sizes[0]);
            p.async_send(sluice::borrow(m.content),
                         on([call = on_receipt(op), &m](std::error_code ec, sluice::receipt r) {
                             call(ec, r);
                             m.content.payload.assign(m.content.payload.size(), '?'); // nobody may read it any more
                         }));
            break;
        }
        case deed::send_awaited: spawn(op, await_send(shared_from_this(), op)); break;
        case deed::send_all: start_all(p, op, on); break;
        case deed::push:
            if (awaited(op)) return spawn(op, await_push(shared_from_this(), op));
            p.async_push(message(op, a.sizes[0]).content, on_result(op), on(on_code(op)));
            break;
        case deed::try_push: {
            sent_message& m = message(op, a.sizes[0]);
            op.refused = copied(op) ? !p.try_push(sluice::message_view(m.content), on_result(op))
                                    : !p.try_push(m.content, on_result(op));
            --history_.open; // the call itself
            if (!op.refused) break;
            --history_.open; // nobody will call `on_result`
            result_of(m, sluice::errc::queue_full, {});
            break;
        }
        case deed::open: p.async_open(on(on_code(op))); break;
        case deed::flush: p.async_flush(on(on_code(op))); break;
        case deed::close:
            history_.producers[a.producer].closing = true;
            p.async_close(on([call = on_code(op), fate = &history_.producers[a.producer]](std::error_code ec) {
                fate->closed = true;
                call(ec);
            }));
            break;
        case deed::ensure_stream:
            client_.async_ensure_stream(
                stream_name(a.producer), sluice::scope::global,
                on([call = on_code(op)](std::error_code ec, sluice::created_stream) { call(ec); }));
            break;
        case deed::cancel_one:
        case deed::cancel:
        case deed::destroy:
        case deed::stand_still: break;
        }
    }
    void spawn(started_operation& op, asio::awaitable<void> coroutine) {
        asio::co_spawn(executor_, std::move(coroutine),
                       asio::bind_cancellation_slot(op.plan->cancellable ? op.signal.slot() : asio::cancellation_slot(),
                                                    [this, keep = shared_from_this(), &op](std::exception_ptr) {
                                                        if (op.completions == 0) never_began(op);
                                                    }));
    }
    /// Pushed as a view, whose message is copied into memory of the producer's.
    static bool copied(const started_operation& op) { return op.plan->sizes[0] % 2 != 0; }
    static bool awaited(const started_operation& op) {
        return op.plan->what == deed::send_awaited || (op.plan->what == deed::push && copied(op));
    }
    /// Its coroutine was cancelled, or the producer destroyed, before it came to its send.
    void never_began(started_operation& op) {
        op.started = false;
        --history_.open;
    }
    template <class On>
    void start_all(producer_type& p, started_operation& op, const On& on) {
        const auto views = std::make_shared<std::vector<sluice::message_view>>();
        for (const std::size_t size : op.plan->sizes) views->push_back(message(op, size).content);
        p.async_send_all(*views, on([this, keep = shared_from_this(), views, &op](std::error_code ec,
                                                                                  std::vector<sluice::result> all) {
            if (all.size() != op.messages) world_.violated("send_all: ", all.size(), " results");
            for (std::size_t i = 0; i < all.size(); ++i)
                result_of(history_.messages[op.first + i], all[i].ec, all[i].value);
            completed(op, ec);
        }));
    }
    static asio::awaitable<void> await_send(std::shared_ptr<application> self, started_operation& op) {
        producer_type* const p = self->producers_[op.plan->producer].get();
        if (!p) co_return;
        sent_message& m = self->message(op, op.plan->sizes[0]);
        std::error_code ec;
        sluice::receipt r;
        try {
            r = co_await p->send(m.content);
        } catch (const sluice::error& e) {
            ec = e.code();
            r.outcome = e.outcome();
        } catch (const std::system_error& e) { // cancelled before it could begin
            ec = e.code();
        }
        self->result_of(m, ec, r);
        self->completed(op, ec);
    }
    static asio::awaitable<void> await_push(std::shared_ptr<application> self, started_operation& op) {
        producer_type* const p = self->producers_[op.plan->producer].get();
        if (!p) co_return;
        sent_message& m = self->message(op, op.plan->sizes[0]);
        std::error_code ec;
        try {
            const sluice::message_view view(m.content);
            const auto on_result = self->on_result(op);
            co_await p->push(view, on_result);
        } catch (const sluice::error& e) {
            ec = e.code();
        } catch (const std::system_error& e) { // cancelled before it could begin: nobody has taken the message
            ec = e.code();
            --self->history_.open;
            self->result_of(m, ec, {});
        }
        self->completed(op, ec);
    }
    sent_message& message(started_operation& op, std::size_t size) {
        const bool own = op.plan->own_timeout.count() >= 0;
        sent_message& m =
            history_.begin(op, size, own ? op.plan->own_timeout : schedule_.options.send_timeout, own, world_.now());
        schedule_.packs.dress(history_.messages.size() - 1, m.content);
        m.size = m.content.payload.size();
        return m;
    }
    void cancel(std::size_t subject, asio::cancellation_type type) {
        started_operation& op = history_.operations[subject];
        if (!op.started) return;
        note(op, "is cancelled");
        op.only_asked = type == asio::cancellation_type::total && (!op.cancelled || op.only_asked);
        op.cancelled = true;
        op.signal.emit(type);
    }

    std::string title(const started_operation& op) const {
        constexpr const char* names[] = {"send",     "send borrowed", "send awaited", "send_all",   "push",
                                         "try_push", "open",          "flush",        "cancel one", "cancel",
                                         "close",    "ensure_stream", "destroy",      "stand still"};
        return "operation " + std::to_string(op.plan->subject) + " (" + names[static_cast<int>(op.plan->what)] +
               ", producer " + std::to_string(op.plan->producer) + ")";
    }
    template <class... Parts>
    void note(const started_operation& op, const Parts&... parts) {
        if (world_.tracing()) world_.note(title(op), " ", parts...);
    }

    world& world_;
    const schedule& schedule_;
    history& history_;
    asio::any_io_executor executor_, elsewhere_;
    asio::strand<asio::any_io_executor> strand_;
    std::shared_ptr<int> tracer_ = std::make_shared<int>(0);
    client_type client_;
    std::vector<std::unique_ptr<producer_type>> producers_{};
};

} // namespace simulation
