// SPDX-License-Identifier: BSL-1.0
// One schedule from its beginning to its end, and what became of it.
#pragma once

#include "application.hpp"
#include "contract.hpp"
#include "report.hpp"
#include "wire_contract.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

class run {
public:
    run(const schedule& s, bool tracing)
        : schedule_(s),
          world_(s.seed, tracing),
          server_(world_, s.proxy),
          network_(world_, server_, s.network, s.faults) {
        history_.producers.resize(s.producers);
        // Behind the schedule's operations, for each producer: a last message, and a close.
        for (std::size_t i = 0; i < s.operations + 2 * s.producers; ++i) history_.operations.emplace_back();
        // Not where the program itself talks to the server, nor where a machine that stands still tells late.
        server_.expects_quiet = s.producers == 1 && !has(s, deed::ensure_stream) && !has(s, deed::stand_still);
    }

    report operator()() {
        const nanoseconds start = world_.now();
        bool all_ended = false;
        {
            contexts c;
            asio::use_service<operations_service>(c.main());
            app_ = std::make_shared<application>(world_, schedule_, history_, c.main(), c.other(), config());
            watch_topics();
            const std::weak_ptr<application> program = app_;
            const std::weak_ptr<int> producers = app_->remains();
            for (const action& a : schedule_.actions)
                world_.at(start + a.at, [program, &a] {
                    if (const auto p = program.lock()) p->perform(a);
                });
            bool over = false;
            world_.at(start + schedule_.end_at, [&over] { over = true; });
            until(c, [&] { return over; });
            all_ended = schedule_.end != ending::destroy_context && end(c);
            app_.reset();
            if (all_ended) check_rest(c);
            c.destroy(world_);
            if (!program.expired()) world_.violated("handlers were leaked");
            if (!producers.expired()) world_.violated("a producer was leaked");
            if (world_.open_operations + world_.timers + world_.streams + world_.resolvers != 0)
                world_.violated("leaked: ", world_.timers, " timers, ", world_.streams, " streams");
        }
        network_.finish();
        if (const auto& budget = schedule_.options.budget; budget && budget->used() != 0)
            world_.violated("the shared budget does not get ", budget->used(), " bytes back");
        contract(world_, schedule_, history_, server_).check(all_ended);
        wire_contract(world_, schedule_, history_, server_).check();
        return summary(start);
    }

private:
    static bool has(const schedule& s, deed what) {
        return std::any_of(s.actions.begin(), s.actions.end(), [what](const action& a) { return a.what == what; });
    }

    /// The producers' execution context, and one where other handlers run.
    class contexts {
    public:
        asio::io_context& main() noexcept { return *main_; }
        asio::io_context& other() noexcept { return *other_; }
        /// A handler that waits in the other one holds producers, which must not outlive theirs.
        void destroy(world& w) {
            w.turn = others_turn;
            other_->poll();
            w.turn = 0;
            main_guard_.reset();
            other_guard_.reset();
            main_.reset();
            other_.reset();
        }
        /// Runs up to so many ready handlers; 0: all. False: none was ready.
        bool run(world& w, unsigned most) {
            bool any = false;
            for (unsigned i = 0; most == 0 || i < most; ++i) {
                w.turn = producers_turn;
                const std::size_t mine = most == 0 ? main_->poll() : main_->poll_one();
                w.turn = others_turn;
                std::size_t others = 0;
                if (most == 0 || mine == 0) others = most == 0 ? other_->poll() : other_->poll_one();
                w.turn = 0;
                any = any || mine + others != 0;
                // `poll` comes back when nothing is ready: only what the others have posted can be new.
                if (most == 0 ? others == 0 : mine + others == 0) return any;
            }
            return any;
        }

    private:
        using guard = asio::executor_work_guard<asio::io_context::executor_type>;
        std::unique_ptr<asio::io_context> main_ = std::make_unique<asio::io_context>(1);
        std::unique_ptr<asio::io_context> other_ = std::make_unique<asio::io_context>(1);
        guard main_guard_{main_->get_executor()}, other_guard_{other_->get_executor()};
    };

    static asio::ssl::context& tls() {
        static asio::ssl::context context(asio::ssl::context::tls_client); // never spoken with
        return context;
    }
    sluice::client_config config() const {
        sluice::client_config c;
        if (schedule_.server == address::pulsar) {
            c.url = "ws://localhost:8080";
            return c;
        }
        c.url = schedule_.server == address::gdn_port ? "http://localhost:8529" : "https://sim.example.com";
        if (schedule_.credential == login::password)
            c.auth = sluice::password{.email = "user@example.com", .secret = "secret"};
        else
            c.auth = sluice::api_key{server_.model.api_key()};
        c.socket_auth = schedule_.auth;
        c.tls.context = &tls();
        c.limits.connect = 3s;
        c.limits.request = 5s;
        return c;
    }
    void watch_topics() {
        for (std::size_t i = 0; i < schedule_.producers; ++i) {
            const std::string name = application::stream_name(i);
            server_.watch(schedule_.server == address::pulsar ? "persistent://public/default/" + name
                                                              : "persistent://demo/c8global._system/c8globals." + name);
        }
    }

    /// Lets the world go on until that is so. False: it never will be.
    template <class Condition>
    bool until(contexts& c, Condition condition) {
        const nanoseconds limit = world_.now() + 3h;
        while (!condition()) {
            const bool ready = c.run(world_, pace());
            check_budget();
            if (condition()) return true;
            // A machine is slow, but not for ever: handlers that are ready wait for milliseconds at most.
            if (ready && schedule_.pace != 0 && world_.next_time() > world_.now() + 2ms) continue;
            const bool went_on = world_.step();
            // Two producers that tick each millisecond while a last message waits its 300 s out take 600,000.
            constexpr std::uint64_t many_steps = 1'000'000;
            if ((!went_on && !c.run(world_, 1)) || world_.now() > limit || world_.steps() > many_steps) {
                world_.violated("it does not come to its end: ", history_.open, " operations are open after ",
                                world_.steps(), " steps, ", (world_.now() - limit + 3h) / 1s, " s");
                return false;
            }
        }
        return true;
    }

    /// A producer that has nothing pending may exceed it by one message.
    void check_budget() {
        const auto& budget = schedule_.options.budget;
        if (!budget || over_budget_) return;
        constexpr std::size_t largest = 2100;
        over_budget_ = budget->used() > budget->limit() + schedule_.producers * largest;
        if (over_budget_) world_.violated("of the shared budget ", budget->used(), " bytes are used");
    }
    unsigned pace() { return schedule_.pace == 0 ? 0 : 1 + static_cast<unsigned>(world_.luck().below(schedule_.pace)); }

    bool end(contexts& c) {
        const auto nothing_open = [this] { return history_.open == 0; };
        if (schedule_.end == ending::abandon) {
            for (std::size_t i = 0; i < schedule_.producers; ++i) app_->destroy(i);
            return until(c, nothing_open);
        }
        if (schedule_.end == ending::close) {
            for (std::size_t i = 0; i < schedule_.producers; ++i) last_message(i);
            if (!until(c, nothing_open)) return false;
            for (std::size_t i = 0; i < schedule_.producers; ++i) check_last_message(i);
        }
        for (std::size_t i = 0; i < schedule_.producers; ++i) close(i);
        return until(c, nothing_open);
    }
    void last_message(std::size_t producer) {
        action& a = last_.emplace_back();
        a.producer = producer;
        a.subject = schedule_.operations + producer;
        a.sizes = {5};
        a.own_timeout = 300s; // longer than all faults together
        // Where the window is full, it waits for room: it is not turned away.
        if (schedule_.options.when_full == sluice::when_full::suspend) app_->perform(a);
    }
    /// Faults are finite, so every producer that has not been ended gets through.
    void check_last_message(std::size_t producer) {
        if (application::producer_type* const p = app_->producer(producer)) {
            const sluice::producer_stats stats = p->stats();
            if (stats.pending_messages == 0 && stats.pending_bytes != 0)
                world_.violated("producer ", producer, ": no message and ", stats.pending_bytes, " bytes are pending");
            if (stats.waiting_messages != 0)
                world_.violated("producer ", producer, ": ", stats.waiting_messages, " messages wait for ever");
        }
        const started_operation& op = history_.operations[schedule_.operations + producer];
        const producer_fate& fate = history_.producers[producer];
        const bool cancelled = op.ec == asio::error::operation_aborted && !fate.cancellations.empty();
        const bool unlucky = op.ec == sluice::errc::ack_timeout && ack_may_be_lost();
        const bool broken = (op.ec == sluice::errc::invalid_json && schedule_.packs.json) ||
                            (op.ec == sluice::errc::too_large && schedule_.packs.on && schedule_.proxy_allows_less());
        if (op.started && op.ec && !cancelled && !unlucky && !broken && !fate.closing && !fate.destroyed &&
            !may_be_fatal(schedule_, server_, op.ec) && !refusal_explains(schedule_, server_, op.first, op.ec))
            world_.violated("producer ", producer, " did not recover: ", op.ec.message());
    }
    bool ack_may_be_lost() const {
        return std::any_of(server_.met.begin(), server_.met.end(),
                           [](const fault& f) { return f.kind == fault_kind::ack_lost; });
    }
    void close(std::size_t producer) {
        action& a = last_.emplace_back();
        a.what = deed::close;
        a.producer = producer;
        a.subject = schedule_.operations + schedule_.producers + producer;
        app_->perform(a);
    }

    /// The producers and the client are gone: so is all that they had under way, without a moment more.
    void check_rest(contexts& c) {
        while (c.run(world_, 0)) {}
        if (world_.open_operations + world_.timers + world_.streams + world_.resolvers != 0)
            world_.violated("after the end there are ", world_.open_operations, " operations, ", world_.timers,
                            " timers, ", world_.streams, " streams");
    }

    report summary(nanoseconds start) {
        report r;
        r.violations = world_.violations();
        r.trace = world_.trace();
        r.messages = history_.messages.size();
        for (const sent_message& m : history_.messages) r.persisted += m.results == 1 && !m.ec;
        r.faults = server_.met.size();
        r.lines = network_.lines();
        r.bytes = network_.traffic();
        r.steps = world_.steps();
        r.lasted = world_.now() - start;
        return r;
    }

    const schedule& schedule_;
    world world_;
    history history_{};
    server server_;
    network network_;
    std::deque<action> last_{};
    bool over_budget_ = false;
    std::shared_ptr<application> app_{};
};

} // namespace simulation
