// SPDX-License-Identifier: BSL-1.0
// A producer at work: the coroutines that perform what the session and the publisher say.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/publisher.hpp>
#include <sluice/core/session.hpp>
#include <sluice/core/socket_watch.hpp>
#include <sluice/io/budget_wait.hpp>
#include <sluice/io/client_core.hpp>
#include <sluice/io/delay.hpp>
#include <sluice/io/inbox.hpp>
#include <sluice/io/link.hpp>
#include <sluice/io/news.hpp>
#include <sluice/io/opening.hpp>
#include <sluice/io/pack_wait.hpp>
#include <sluice/io/parked.hpp>
#include <sluice/io/probe.hpp>
#include <sluice/io/spawn.hpp>
#include <sluice/io/ticker.hpp>
#include <sluice/io/traits.hpp>
#include <sluice/io/wakeup.hpp>
#include <sluice/pulsar/compressor.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Three things run on the strand, from the first send to the end:
///
///     run     credential, region, connect, upgrade; then it reads acknowledgements; after a loss, again
///     write   takes over what was sent and writes it, batch by batch; parked while there is nothing to write
///     tick    one timer: takes over and stamps what a stalled write holds up, expires, pings
///
/// What any thread may do is in the base (io/inbox.hpp). The producer holds one reference, each coroutine one, and
/// one is held by the producer to itself while its accumulator is armed: it belongs to the pusher that wakes it.
template <class Executor, class Traits>
class driver final : public inbox<driver<Executor, Traits>, Executor, Traits>, public parked {
    using base = inbox<driver, Executor, Traits>;
    friend base;

public:
    using client_type = client_core<Executor, Traits>;
    using strand_type = typename base::strand_type;
    using timer_type = typename Traits::template timer<strand_type>;

    static std::shared_ptr<driver> make(const Executor& executor, std::shared_ptr<client_type> client,
                                        std::string stream, producer_options options, pulsar::compressor codec,
                                        producer_observer observer) {
        auto self = std::make_shared<driver>(executor, std::move(client), std::move(stream), std::move(options),
                                             std::move(codec), std::move(observer));
        self->service_ = &asio::use_service<parked_service>(
            static_cast<asio::execution_context&>(asio::query(executor, asio::execution::context)));
        self->service_->add(self);
        self->armed_self_ = self; // the accumulator starts armed
        self->budget_.listen([weak = std::weak_ptr(self)] {
            if (const auto awake = weak.lock()) awake->writer_.wake();
        });
        return self;
    }

    driver(const Executor& executor, std::shared_ptr<client_type> client, std::string stream, producer_options options,
           pulsar::compressor codec, producer_observer observer)
        : base(executor, std::move(options), codec),
          news_(executor, std::move(observer)),
          client_(std::move(client)),
          stream_name_(std::move(stream)),
          codec_(std::move(codec)),
          session_({client_->service().ask_region, client_->wants_one_time_password()}, options_.reconnect),
          link_(strand_, options_.connect_timeout),
          opening_(strand_, client_, link_),
          watch_(options_),
          budget_(strand_, options_.budget),
          pack_wait_(strand_, options_.compress_at == compress_at::packed),
          ticker_(strand_, tick_of(options_.send_timeout), options_.ping_interval) {}

    ~driver() override {
        if (!context_gone_) service_->remove(this);
    }

    // --- any thread

    /// Counts a message in that cannot fail for its own sake: there is room, and the producer takes messages.
    bool admits(const message_view& m) noexcept {
        return takes_messages() && publisher_.fits_for_certain(m) && publisher_.reserve(m);
    }
    producer_state state() const noexcept { return state_.load(std::memory_order_relaxed); }
    bool takes_messages() const noexcept {
        const producer_state s = state();
        return s != producer_state::draining && s != producer_state::closed && s != producer_state::failed;
    }

    /// The producer's handle is gone.
    void abandon() {
        if (context_gone_) return;
        news_.silence();
        post_call(strand_, [self = this->shared_from_this()] { self->finish(failure{errc::aborted, nullptr}, {}); });
    }

    // --- the execution context's end

    void context_shutdown() noexcept override {
        context_gone_ = true;
        over_ = true;
        budget_.silence();
        const auto self = std::move(armed_self_); // both die after everything below
        const auto other = std::move(awaiting_self_);
        publisher_.destroy_all();
        writer_.destroy();
    }

private:
    using step = core::session::step;

    // --- start, settle, finish

    void woken() {
        wake_due_ = false;
        if (over_) return;
        if (!started_) {
            // A cancel, or a flush of nothing, needs no socket.
            for (look(); !over_ && !publisher_.wants_socket(); look())
                if (park()) return;
            if (over_) return;
            started_ = true;
            failure problem = options_.validate();
            if (!problem) problem = publisher_.check_options(codec_.type);
            if (!problem) problem = client_->problem();
            if (!problem) problem = client_->check_name(stream_name_, options_.scope);
            if (problem) return finish(problem, problem);
            set_state(producer_state::connecting);
            const auto report = [self = this->shared_from_this()](std::exception_ptr e) {
                if (e && !self->over_)
                    self->finish(make_failure(errc::aborted, "out of memory, or no randomness"),
                                 make_failure(errc::aborted, "out of memory, or no randomness"));
            };
            spawn(strand_, run(this->shared_from_this()), stop_.slot(), report);
            spawn(strand_, write(this->shared_from_this()), {}, report);
        }
        writer_.wake();
        busy_ = true;
        start_ticking();
    }

    /// Something was submitted that cannot wait until the writer wakes.
    void look() {
        if (over_) return;
        publisher_.drain(io::now<Traits>());
        settle();
    }

    /// Finished nodes go to their handlers; a close that has drained goes on.
    void deliver() {
        tell_drops();
        post_completions(publisher_.take_finished());
        if (!over_ && publisher_.closing()) close_if_drained();
    }

    /// After anything but a write: there may be room now, or nothing to wait for, and then the writer must arm again,
    /// or the next send would wake nobody.
    void settle() {
        deliver();
        if (!over_ && (publisher_.wants_write() || (!wake_due_ && !publisher_.blocked()))) writer_.wake();
    }

    void close_if_drained() {
        if (state() != producer_state::draining) {
            set_state(producer_state::draining);
            close_deadline_ = io::now<Traits>() + options_.close_timeout;
            start_ticking();
        }
        if (!publisher_.drained() || closing_socket_) return;
        if (!publisher_.is_open()) return finish(closed_failure(), {});
        closing_socket_ = true; // the reader sees the server's answer, or the deadline passes
        constexpr std::chrono::seconds handshake{5};
        close_deadline_ = std::min(close_deadline_, io::now<Traits>() + handshake);
        publisher_.close_socket();
        writer_.wake();
    }

    static failure closed_failure() { return make_failure(errc::closed, "the producer is closed"); }

    /// The end. What is left ends with `why`; `cause` is what the observer is told, `close_result` what a `close` is.
    void finish(failure why, failure cause, failure close_result = {}) {
        if (over_) return;
        const auto self = this->shared_from_this();
        const core::instant now = io::now<Traits>();
        set_state(why.code == errc::closed || why.code == errc::aborted ? producer_state::closed
                                                                        : producer_state::failed);
        publisher_.drain(now);
        publisher_.end(why);
        if (publisher_.close_accumulator(now)) armed_self_.reset();
        over_ = true;
        if (publisher_.awaits_cancels()) awaiting_self_ = self;
        if (!close_result) close_result = publisher_.lost_while_closing();
        core::node_list done = publisher_.take_finished();
        for (core::node_list closers = publisher_.take_closers(); core::node* n = closers.pop_front();) {
            core::as_marker(n)->error = close_result;
            core::as_marker(n)->result = publisher_.closing_outcome();
            done.push_back(n);
        }
        post_completions(std::move(done));
        session_.stop();
        ticker_.stop();
        pack_wait_.stop();
        link_.stop();
        opening_.stop();
        stop_.emit(asio::cancellation_type::terminal); // a REST call or a delay under way
        writer_.wake();
        tell_drops();
        news_.tell(&producer_observer::on_close, std::move(cause));
    }

    void tell_drops() {
        if (const std::uint64_t n = publisher_.take_dropped(); n != 0) news_.tell(&producer_observer::on_drop, n);
    }
    void set_state(producer_state s) noexcept { state_.store(s, std::memory_order_relaxed); }

    // --- run: the session's steps

    task<strand_type> run(std::shared_ptr<driver> self) {
        failure f;
        while (!self->over_) {
            switch (session_.next()) {
            case step::credential:
                f = publisher_.renew_keys();
                if (!f) f = co_await on_client(client_->authorize(session_.wants_fresh_credential()));
                break;
            case step::region: f = co_await on_client(client_->find_region()); break;
            case step::connect: f = co_await opening_.connect(stream_name_, options_.scope); break;
            case step::upgrade: f = co_await upgrade(); break;
            case step::open: f = co_await read(); break;
            case step::wait:
                co_await delay<timer_type>(strand_, session_.delay());
                f = {};
                break;
            case step::stop: co_return;
            }
            if (over_) co_return;
            if (!f)
                session_.succeeded();
            else
                step_failed(f);
        }
    }

    /// The client's coroutines run on the client's strand.
    template <class T>
    auto on_client(task<strand_type, T> work) {
        return await_on<strand_type>(client_->strand(), std::move(work));
    }

    void step_failed(const failure& cause) {
        const bool was_open = session_.next() == step::open;
        if (was_open && closing_socket_) return finish(closed_failure(), {});
        if (was_open && cause.code == errc::aborted) { // the numbering wants another one, at once; nobody is told
            if (!leave(cause)) return;
            session_.reopen();
            return settle();
        }
        // One that lived longer than any delay was of use, though it may have had nothing to carry.
        if (was_open && (publisher_.answered() || io::now<Traits>() - opened_at_ >= options_.reconnect.maximum))
            session_.worked();
        const failure f = session_.told(client_->hinted(cause));
        if (was_open) {
            news_.tell(&producer_observer::on_disconnect, f);
        } else {
            publisher_.numbers().connect_failures.add();
            client_->forget_region();
        }
        if (!ended_by_peer(f) || !opening_.is_with_client()) client_->forget_connections();
        if (f.details->retry_after_s >= 0) opening_.give_up(); // it might connect before
        if (!leave(f)) return;
        const core::verdict v = session_.failed(f, random_bits<Traits>(), client_->renewable());
        if (v == core::verdict::fatal) return finish(f, f);
        const auto wait = v == core::verdict::retry ? session_.delay() : std::chrono::milliseconds(0);
        news_.tell(&producer_observer::on_reconnect, f, session_.attempts(), wait);
        settle();
    }

    /// False: it was the last one, all that was sent before a close is answered.
    bool leave(const failure& why) {
        link_.close();
        publisher_.lost(why);
        if (state() == producer_state::open) set_state(producer_state::reconnecting);
        if (!publisher_.closing() || !publisher_.drained()) return true;
        finish(closed_failure(), {});
        return false;
    }

    task<strand_type, failure> upgrade() {
        handshake_result r = co_await opening_.upgrade(publisher_.announce(), options_, codec_.type);
        if (r.error) co_return r.error;
        publisher_.opened(r.surplus.view(), std::move(r.compression));
        if (!publisher_.probing()) co_return failure{};
        co_return co_await await_probe<strand_type, Traits>(link_, publisher_, writer_, over_);
    }

    /// Reads until the socket is of no more use, and says why.
    task<strand_type, failure> read() {
        const auto stream = link_.stream();
        std::size_t room = 2048; // some twenty acknowledgements
        opened_at_ = io::now<Traits>();
        watch_.silence.heard(opened_at_);
        stall_ = {}; // of an earlier socket, which ended for another reason first
        set_state(publisher_.closing() ? producer_state::draining : producer_state::open);
        news_.tell(&producer_observer::on_open);
        start_ticking();
        failure f = publisher_.received(0, opened_at_);
        writer_.wake();
        settle();
        while (!f && !over_) {
            if (publisher_.wants_reopen()) co_return failure{errc::aborted, nullptr};
            const std::span<std::byte> in = publisher_.prepare(room);
            const std::size_t size = std::min<std::size_t>(in.size(), 256 * 1024);
            std::error_code ec;
            const std::size_t n =
                co_await stream->async_read_some(asio::buffer(in.data(), size), into<strand_type>(ec, read_memory_));
            if (over_) break;
            const core::instant now = io::now<Traits>();
            watch_.silence.heard(now);
            f = publisher_.received(n, now);
            if (ec && !f) f = ec == asio::error::eof ? publisher_.end_of_stream(now) : failure{};
            if (ec && (!f || !f.details)) f = stall_ ? std::exchange(stall_, failure{}) : lost_failure(ec);
            // As much as one read has filled is worth asking for again; an idle socket keeps little.
            if (n == size && room < 64 * 1024) room *= 2;
            settle();
        }
        // The peer broke a rule or said goodbye: it is told so, but not between the bytes of a batch.
        if (publisher_.says_goodbye() && !writing_) {
            const web::bytes_view last = publisher_.encode();
            writing_ = true;
            if (!last.empty()) co_await link_.say_goodbye(last);
            writing_ = false;
        }
        co_return f;
    }

    // --- write

    static constexpr int max_looks = 8; ///< for more to write, before one write

    task<strand_type> write(std::shared_ptr<driver> self) {
        int looks = 0;
        while (!self->over_) {
            const std::size_t before = publisher_.waiting();
            publisher_.drain(io::now<Traits>());
            // Handlers that are queued are about to send: while each look finds more, one write for all is cheaper.
            if (++looks < max_looks && publisher_.gathers(before)) {
                co_await asio::post(strand_, asio::use_awaitable_t<strand_type>());
                continue;
            }
            looks = 0;
            const auto stream = link_.stream();
            const web::bytes_view batch = writing_ ? web::bytes_view() : publisher_.encode();
            deliver();
            if (over_) co_return;
            if (batch.empty()) {
                if (stream && publisher_.wants_reopen()) {
                    stall_ = failure{errc::aborted, nullptr};
                    stream->close();
                }
                budget_.wait(publisher_.short_of_budget());
                if (const auto due = publisher_.pack_due())
                    pack_wait_.until(*due, io::now<Traits>(), [self] { self->writer_.wake(); });
                if (!park()) writer_.wake();
                co_await writer_.async_wait(asio::use_awaitable_t<strand_type>());
                continue;
            }
            writing_ = true;
            std::error_code ec;
            for (std::size_t sent = 0; sent < batch.size() && !ec;) {
                watch_.writes.moved(io::now<Traits>());
                sent += co_await stream->async_write_some(asio::buffer(batch.data() + sent, batch.size() - sent),
                                                          into<strand_type>(ec, write_memory_));
            }
            watch_.writes.done();
            writing_ = false;
            if (ec) stream->close(); // the reader sees it, and knows more
        }
    }

    /// Out of work. While messages wait for room, senders need not wake anybody: acknowledgements do.
    ///
    /// `wake_due_` is the strand's own memory of having armed. Without it: a pusher replaces *armed* and is about to
    /// move `armed_self_` out; the strand, run by a tick, takes its node, finds nothing more, arms again and assigns
    /// `armed_self_` at the same time. So it is armed again only when the pusher's wake has arrived.
    /// False: somebody was quicker, and there is work.
    bool park() {
        if (publisher_.blocked() || wake_due_) return true;
        armed_self_ = this->shared_from_this();
        wake_due_ = true;
        if (publisher_.arm()) return true;
        wake_due_ = false; // who was quicker found nothing armed
        armed_self_.reset();
        return false;
    }

    // --- tick

    void start_ticking() {
        if (!over_) ticker_.quicken(tick());
    }

    auto tick() {
        return [self = this->shared_from_this()] {
            if (!self->over_) self->ticked();
        };
    }

    void ticked() {
        const core::instant now = io::now<Traits>();
        publisher_.drain(now);
        publisher_.cancel_requested(now);
        publisher_.expire(now);
        watch(now);
        settle();
        if (over_) return;
        if (publisher_.closing() && now >= close_deadline_) {
            const std::size_t left = publisher_.messages();
            failure late;
            if (left != 0)
                late =
                    make_failure(errc::ack_timeout, "close: " + std::to_string(left) + " messages unanswered after " +
                                                        std::to_string(options_.close_timeout.count()) + " ms");
            return finish(closed_failure(), {}, late);
        }
        // Not armed (a write is stalled, say), the accumulator wakes nobody: what is sent meanwhile is taken over by
        // ticks.
        const bool outstanding = publisher_.waiting() != 0 || publisher_.unanswered() || publisher_.has_deadlines() ||
                                 publisher_.closing() || !wake_due_;
        // One fast tick more than needed: a producer that sends now and then starts no timer each time.
        if (outstanding || busy_) {
            busy_ = outstanding;
            return ticker_.next_fast(tick());
        }
        if (!writing_) this->idle(); // a write under way reads the arena
        publisher_.is_open() && watch_.silence.enabled() ? ticker_.next_slow(tick()) : ticker_.stop();
    }

    void watch(core::instant now) {
        if (!publisher_.is_open()) return;
        core::socket_watch::finding found = watch_.check(publisher_, now);
        if (found.ping) {
            publisher_.ping();
            writer_.wake();
        }
        if (!found.useless) return;
        stall_ = std::move(found.useless); // the reader sees the stream closed, and tells why
        link_.close();
    }

    using base::armed_self_;
    using base::awaiting_self_;
    using base::executor_;
    using base::options_;
    using base::post_completions;
    using base::publisher_;
    using base::strand_;

    news<strand_type> news_;
    std::shared_ptr<client_type> client_;
    std::string stream_name_;
    pulsar::compressor codec_;
    core::session session_;

    link<strand_type, Traits> link_;
    opening<Executor, Traits> opening_;
    core::socket_watch watch_;
    budget_wait<strand_type> budget_;
    pack_wait<timer_type> pack_wait_;
    core::instant opened_at_{};
    wakeup writer_{};
    operation_memory read_memory_{}, write_memory_{};
    ticker<timer_type> ticker_;
    asio::cancellation_signal stop_{};

    bool wake_due_ = true; ///< armed, or the wake that replaced it is on its way
    bool started_ = false, over_ = false, writing_ = false, closing_socket_ = false, busy_ = false;
    core::instant close_deadline_ = core::never;
    failure stall_{};
    std::atomic<producer_state> state_{producer_state::idle};
    parked_service* service_ = nullptr;
    bool context_gone_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
