// SPDX-License-Identifier: BSL-1.0
// All that a program does with the library, from `ensure_stream` to `close`, once, over real sockets, on a day when one
// thing goes wrong. What was promised to it is then compared with what the gateway stores.
#pragma once

#include "world.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace test {

struct setting {
    const char* name;
    sluice::dialect dialect;
    bool deduplicate;
    bool batching; ///< by the proxy
};

/// One fault of the gateway's vocabulary, and what the program may come to by it.
struct bad_day {
    using scripted = std::function<sluice::testing::fault(const sluice::testing::faults&, std::size_t n)>;
    using sudden = std::function<std::optional<sluice::testing::fault>(sluice::testing::gateway&)>;

    std::string name{};
    scripted arm{};  ///< from the start on: n of what it strikes go by before
    sudden strike{}; ///< or else at once, before the program's n-th step. What lasts is withdrawn once it was met
    std::vector<std::error_code> excuses{}; ///< what messages may end with; without any, all are stored
    bool fatal = false;                     ///< it may end the producer
    bool lasting = false;                   ///< withdrawn once the producer has noticed
    bool silent = false;                    ///< time alone shows it: short limits
    bool mute = false;                      ///< an answer never comes: messages end at their time
    bool carried_out = false;               ///< calls have their effect, though they fail
};

class gateway_program {
public:
    gateway_program(const setting& to, const bad_day& day, std::size_t n) : setting_(to), day_(day), n_(n) {
        sluice::testing::gateway_options options;
        options.proxy.deduplicate = to.deduplicate;
        options.proxy.users.push_back({"user@example.com", "user", "secret"});
        gateway_.emplace(context_, options);
        gateway_->on_stored([alive = alive_](std::string_view, const sluice::testing::stored_message&) {});
        client_.emplace(context_.get_executor(), config());
        if (day_.arm) fault_ = day_.arm(gateway_->faults(), n_);
    }

    /// False: it came to its end without the fault.
    bool operator()() {
        prepare();
        publish();
        finish();
        const bool came = met();
        compare(came);
        release();
        return came;
    }

    /// What was promised and did not come.
    const std::vector<std::string>& broken() const noexcept { return broken_; }
    std::size_t steps() const noexcept { return steps_; }

private:
    struct sent_message {
        std::string payload{};
        int results = 0;
        std::error_code ec{};
        sluice::outcome outcome{};
        std::string id{};
    };
    /// Whatever holds one of these is alive.
    using token = std::shared_ptr<int>;

    sluice::client_config config() {
        sluice::client_config c = config_for(*gateway_, setting_.dialect);
        if (setting_.dialect == sluice::dialect::gdn) {
            if (setting_.deduplicate)
                c.auth = sluice::password{.email = "user@example.com", .secret = "secret"};
            else
                c.auth = sluice::credential_source(vault{alive_, gateway_->api_key()});
        }
        if (day_.silent) c.limits.connect = c.limits.request = brief;
        return c;
    }
    struct vault {
        token alive;
        std::string key;
        asio::awaitable<sluice::credential> operator()() const { co_return sluice::api_key{key}; }
    };
    sluice::producer_options options() const {
        sluice::producer_options o = impatient();
        o.reconnect.maximum = 1ms;
        o.batching_enabled = setting_.batching;
        o.batching_max_publish_delay = 1ms;
        o.deduplicate = setting_.deduplicate;
        if (setting_.deduplicate) o.producer_name = "program";
        if (day_.silent) o.ping_interval = 10ms;
        if (day_.silent) o.connect_timeout = brief;
        if (day_.mute) o.send_timeout = brief;
        return o;
    }
    sluice::producer_observer observer() {
        sluice::producer_observer o;
        o.on_open = [this, alive = alive_] { ++opened_; };
        o.on_reconnect = [this, alive = alive_](const sluice::failure&, unsigned, std::chrono::milliseconds) {
            ++noticed_;
        };
        o.on_close = [this, alive = alive_](const sluice::failure&) { ++closed_; };
        return o;
    }

    template <class... Parts>
    void broke(const Parts&... parts) {
        std::ostringstream text;
        (text << ... << parts);
        broken_.push_back(text.str());
    }

    // One step behind the other

    void step() {
        if (steps_++ != n_ || !day_.strike) return;
        fault_ = day_.strike(*gateway_);
        struck_ = !fault_; // it has happened
    }
    bool met() const { return struck_ || (fault_ && fault_->met() != 0); }
    /// What lasts ends.
    void tend() {
        if (!met() || ended_) return;
        const bool state = day_.strike && fault_;
        // A broker gives a name back once it has noticed, too, that its holder is gone.
        const bool half_open = day_.silent && setting_.deduplicate;
        if (!state && !(day_.lasting && noticed_ != 0) && !(half_open && noticed_ != 0)) return;
        ended_ = true;
        if (half_open) return gateway_->drop_connections(sluice::testing::cut::reset);
        fault_->withdraw();
    }
    template <class Condition>
    void until(Condition condition) {
        run_until(context_, [&] {
            tend();
            return condition();
        });
    }

    /// A call of the client's: one fault makes it fail once, and the next try is answered.
    template <class... Value, class Start>
    void call(const char* name, Start start) {
        step();
        const int most = day_.silent ? 50 : 2; // a short limit may be too short for a busy machine
        for (int tries = 1;; ++tries) {
            const outcome_of<std::error_code, Value...> end;
            start([end, alive = alive_](std::error_code ec, Value... value) { end(ec, std::move(value)...); });
            until([&] { return end.called(); });
            run_ready(context_);
            if (end.calls() != 1) broke(name, " completed ", end.calls(), " times");
            tries_ = tries;
            if (!end.error()) return;
            if (tries == most) return broke(name, " fails again and again: ", end.error().message());
            if (!met()) broke(name, ": ", end.error().message(), ", and nothing explains it");
        }
    }

    void prepare() {
        call<sluice::created_stream>("ensure_stream",
                                     [&](auto h) { client_->async_ensure_stream("orders", global, h); });
        call<bool>("has_stream", [&](auto h) { client_->async_has_stream("orders", global, h); });
        if (setting_.dialect != sluice::dialect::gdn) return;
        call<sluice::region>("local_region", [&](auto h) { client_->async_local_region(h); });
        call<std::string>("stream_stats", [&](auto h) { client_->async_stream_stats("orders", global, h); });
        call("publish", [&](auto h) { client_->async_publish("orders", "over REST", global, h); });
        rest_tries_ = tries_;
    }

    void publish() {
        producer_.emplace(*client_, "orders", options(), observer());
        step();
        const done opened;
        producer_->async_open([opened, alive = alive_](std::error_code ec) { opened(ec); });
        until([&] { return opened.called(); });
        if (opened.error() && !excused(opened.error())) broke("open: ", opened.error().message());

        for (int i = 0; i < 2; ++i) send_awaited();
        send_all(3);
        step();
        for (int i = 0; i < 2; ++i) push();
        try_push();
        flush();

        // A connection that is lost, whatever else happens on this day, with messages in flight, and others that wait
        // for the next one. A refusal that is lost with it would leave numbers that nobody knows.
        step();
        const std::uint64_t before = producer_->stats().frames_written;
        for (int i = 0; i < 3; ++i) send();
        if (!setting_.deduplicate || day_.excuses.empty())
            until([&] { return producer_->stats().frames_written >= before + 3 || answered(); });
        gateway_->drop_connections(sluice::testing::cut::reset);
        for (int i = 0; i < 2; ++i) send();
        wait_for_all();
        send_awaited();
        flush();
    }

    void finish() {
        step();
        push(); // which `close` has to drain
        const done ended;
        producer_->async_close([ended, alive = alive_](std::error_code ec) { ended(ec); });
        until([&] { return ended.called(); });
        run_ready(context_);
        if (ended.calls() != 1) broke("close completed ", ended.calls(), " times");
        const std::error_code last = messages_.back().ec;
        if (messages_.back().results != 1) broke("close ended before a message that was pushed before it");
        if (static_cast<bool>(ended.error()) != static_cast<bool>(last) && !day_.fatal)
            broke("close: ", ended.error().message(), "; the message before it: ", last.message());
        step(); // the socket is closed: nothing is left to be struck
    }

    // Messages. Their handlers name them by their number: the deque grows meanwhile.

    sent_message& next() {
        sent_message& m = messages_.emplace_back();
        const std::size_t i = messages_.size() - 1;
        m.payload = std::to_string(i) + ":" + std::string(i * 7 % 50, static_cast<char>('a' + i));
        return m;
    }
    void told(std::size_t i, std::error_code ec, const sluice::receipt& r) {
        sent_message& m = messages_[i];
        ++m.results;
        m.ec = ec;
        m.outcome = r.outcome;
        m.id = r.message_id.view();
    }
    auto result() {
        return [this, i = messages_.size() - 1, alive = alive_](std::error_code ec, const sluice::receipt& r) {
            told(i, ec, r);
        };
    }
    bool answered() const {
        return std::all_of(messages_.begin(), messages_.end(), [](const sent_message& m) { return m.results != 0; });
    }
    void wait_for_all() {
        until([&] { return answered(); });
    }

    void send() {
        const std::string payload = next().payload;
        producer_->async_send(payload, result());
    }
    /// As a coroutine does it.
    void send_awaited() {
        step();
        asio::awaitable<sluice::receipt> sending = producer_->send(next().payload);
        const auto end = [this, i = messages_.size() - 1, alive = alive_](std::exception_ptr thrown,
                                                                          sluice::receipt r) {
            std::error_code ec;
            try {
                if (thrown) std::rethrow_exception(thrown);
            } catch (const sluice::error& e) {
                ec = e.code();
                r.outcome = e.outcome();
            }
            told(i, ec, r);
        };
        asio::co_spawn(context_, std::move(sending), end);
        wait_for_all();
    }
    void send_all(std::size_t count) {
        step();
        const std::size_t first = messages_.size();
        std::vector<std::string> payloads;
        for (std::size_t i = 0; i < count; ++i) payloads.push_back(next().payload);
        const auto end = [this, first, alive = alive_](std::error_code, const std::vector<sluice::result>& results) {
            for (std::size_t i = 0; i < results.size(); ++i) told(first + i, results[i].ec, results[i].value);
        };
        producer_->async_send_all(payloads, end);
        wait_for_all(); // the payloads are borrowed
    }
    void push() {
        const std::string payload = next().payload;
        const done taken;
        producer_->async_push(payload, result(), [taken, alive = alive_](std::error_code ec) { taken(ec); });
        until([&] { return taken.called(); });
        if (taken.error() && !excused(taken.error())) broke("push: ", taken.error().message());
    }
    /// Refused only by a producer that takes nothing more, and then nothing happens.
    void try_push() {
        const std::string payload = next().payload;
        if (producer_->try_push(payload, result())) return;
        if (!day_.fatal) broke("try_push: no room");
        messages_.pop_back();
    }
    void flush() {
        step();
        const done flushed;
        producer_->async_flush([flushed, alive = alive_](std::error_code ec) { flushed(ec); });
        until([&] { return flushed.called(); });
        if (flushed.error() && !day_.fatal) broke("flush: ", flushed.error().message());
        if (!answered()) broke("a flush ended before a message that was sent before it");
        wait_for_all();
    }

    // What was promised

    bool excused(const std::error_code& ec) const {
        return std::find(day_.excuses.begin(), day_.excuses.end(), ec) != day_.excuses.end();
    }

    void compare(bool met) {
        std::map<std::string, std::vector<std::string>> copies; // ids by payload
        std::size_t last_first = 0;
        for (const auto& stored : gateway_->messages("orders")) {
            const bool first = copies[stored.payload].empty();
            copies[stored.payload].push_back(stored.message_id);
            const auto same = [&](const sent_message& m) { return m.payload == stored.payload; };
            const auto at = std::find_if(messages_.begin(), messages_.end(), same);
            if (at == messages_.end()) {
                if (stored.payload != "over REST") broke("stored, and nobody sent it: ", stored.payload);
                continue;
            }
            // One that was given up may come late: who waited for it knows that it may be stored.
            const auto i = static_cast<std::size_t>(at - messages_.begin());
            if (!first || at->ec) continue;
            if (i < last_first) broke("message ", i, " is stored behind message ", last_first - 1);
            last_first = i + 1;
        }
        std::size_t failed = 0;
        for (std::size_t i = 0; i < messages_.size(); ++i) {
            failed += messages_[i].ec ? 1 : 0;
            compare(i, messages_[i], copies[messages_[i].payload], met);
        }
        if (met && day_.arm && !day_.excuses.empty() && !day_.fatal && !day_.mute && failed == 0)
            broke("the fault was met, and no message has an error");
        compare_rest(copies["over REST"].size());
        compare_state(failed);
    }
    void compare(std::size_t i, const sent_message& m, const std::vector<std::string>& ids, bool met) {
        using sluice::outcome;
        const auto name = [&] {
            return "message " + std::to_string(i) + " (" + std::string(to_string(m.outcome)) + ")";
        };
        if (m.results != 1) broke(name(), " has ", m.results, " results");
        if (setting_.deduplicate && ids.size() > 1) broke(name(), " is stored ", ids.size(), " times");
        if (!m.ec) {
            if (m.outcome != outcome::persisted && m.outcome != outcome::duplicate) broke(name(), " is a success");
            if (m.outcome == outcome::duplicate && !setting_.deduplicate) broke(name(), " without deduplication");
            if (ids.empty()) broke(name(), " is not stored");
            if (m.outcome == outcome::persisted && std::find(ids.begin(), ids.end(), m.id) == ids.end())
                broke(name(), ": no copy has the receipt's message id");
            return;
        }
        if (m.outcome == outcome::persisted || m.outcome == outcome::duplicate)
            broke(name(), " has an error: ", m.ec.message());
        if ((m.outcome == outcome::not_sent || m.outcome == outcome::rejected) && !ids.empty())
            broke(name(), " is stored");
        if (!met || !excused(m.ec)) broke(name(), ": ", m.ec.message(), ", and nothing explains it");
    }
    void compare_rest(std::size_t copies) {
        if (setting_.dialect != sluice::dialect::gdn) return;
        const std::size_t most = day_.carried_out ? static_cast<std::size_t>(rest_tries_) : 1;
        if (copies < 1 || copies > most) broke("of a message over REST there are ", copies, " copies");
    }
    void compare_state(std::size_t failed) {
        const sluice::producer_stats s = producer_->stats();
        const sluice::producer_state state = producer_->state();
        const bool ended =
            state == sluice::producer_state::closed || (day_.fatal && state == sluice::producer_state::failed);
        if (!ended) broke("the producer's state is ", to_string(state));
        if (s.pending_messages + s.pending_bytes + s.waiting_messages != 0)
            broke(s.pending_messages, " messages and ", s.pending_bytes, " bytes are pending for ever");
        if (s.persisted + s.duplicates + failed != messages_.size() || (!day_.fatal && s.failed != failed))
            broke("stats: ", s.persisted, " persisted, ", s.duplicates, " duplicates, ", s.failed, " failed");
        if (opened_ != s.connections) broke("told of ", opened_, " sockets, opened are ", s.connections);
        if (closed_ != 1) broke("told of the end ", closed_, " times");
    }

    /// With its owners all of it goes, without waiting for anything.
    void release() {
        gateway_->drop_connections(sluice::testing::cut::reset); // no port is to stay in use for a minute
        run_ready(context_);
        producer_.reset();
        client_.reset();
        fault_.reset(); // it shares the gateway's inside
        gateway_.reset();
        run_ready(context_);
        // A look-up in the background is the system's, and nothing can hurry it.
        for (int i = 0; i < 100 && !context_.stopped(); ++i) context_.run_for(1ms);
        if (!context_.stopped()) broke("something is still waited for");
        if (alive_.use_count() != 1) broke("a handler, a client, a producer or a gateway is still there");
    }

    static constexpr std::chrono::milliseconds brief{50};
    static constexpr sluice::scope global = sluice::scope::global;

    setting setting_;
    bad_day day_;
    std::size_t n_, steps_ = 0;
    std::vector<std::string> broken_{};
    token alive_ = std::make_shared<int>();

    std::optional<sluice::testing::fault> fault_{};
    bool struck_ = false, ended_ = false;
    int tries_ = 0, rest_tries_ = 0;
    std::size_t opened_ = 0, noticed_ = 0, closed_ = 0;
    std::deque<sent_message> messages_{}; ///< by their numbers

    asio::io_context context_{1};
    std::optional<sluice::testing::gateway> gateway_{};
    std::optional<sluice::client> client_{};
    std::optional<sluice::producer> producer_{};
};

} // namespace test
