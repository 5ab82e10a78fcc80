// SPDX-License-Identifier: BSL-1.0
// The producer's contract, checked after a run: what was promised to the senders against what the broker stores.
#pragma once

#include "history.hpp"
#include "server.hpp"

#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace simulation {

/// The server may have said that trying again is of no use: by a scheduled answer, or because one-time passwords came
/// too late twice.
inline bool may_be_fatal(const schedule& s, std::error_code ec) {
    using sluice::errc;
    if (ec != errc::unauthorized && ec != errc::forbidden && ec != errc::not_found && ec != errc::bad_request)
        return false;
    int stalls = 0;
    for (const fault& f : s.faults) {
        if (f.kind == fault_kind::status && f.code >= 400 && f.code <= 404) return true;
        stalls += f.kind == fault_kind::stall;
    }
    return ec == errc::unauthorized && stalls >= 2;
}

class contract {
public:
    contract(world& w, const schedule& s, const history& h, const server& broker)
        : world_(w), schedule_(s), history_(h), server_(broker) {}

    /// `all_ended`: the context outlived the operations, so each has completed.
    void check(bool all_ended) {
        for (const started_operation& op : history_.operations)
            if (all_ended && op.started && op.plan->what != deed::try_push && op.completions != 1)
                world_.violated("operation ", op.plan->subject, " has ", op.completions, " completions");
        copies_.resize(history_.messages.size());
        for (std::size_t p = 0; p < schedule_.producers; ++p) check_order(p);
        for (std::size_t i = 0; i < history_.messages.size(); ++i) {
            const sent_message& m = history_.messages[i];
            if (m.results == 0) {
                if (all_ended) world_.violated("message ", i, " has no result");
            } else if (m.results == 1) {
                check_result(i, m);
                check_time(i, m);
            }
            if (schedule_.options.deduplicate && copies_[i].size() > 1)
                world_.violated("message ", i, " is stored ", copies_[i].size(), " times");
        }
    }

private:
    struct copy {
        unsigned line;
        nanoseconds when;
        std::string id;
        std::int64_t number;
    };

    // What the broker stores

    void check_order(std::size_t producer) {
        const server::book& book = server_.books[producer];
        const auto stored = server_.model.messages(book.topic);
        std::map<unsigned, std::size_t> last_on_line; // one more than the last message's number
        std::size_t last_first = 0;
        for (std::size_t k = 0; k < stored.size(); ++k) {
            const std::optional<std::size_t> number = number_of(stored[k].payload, producer);
            if (!number) {
                world_.violated("stored as number ", k, ": nobody sent \"", stored[k].payload.substr(0, 20), "\"");
                continue;
            }
            const unsigned line = book.entries[k].line;
            std::size_t& last = last_on_line[line];
            if (*number < last) world_.violated("line ", line, ": message ", *number, " came after ", last - 1);
            last = *number + 1;
            const sent_message& m = history_.messages[*number];
            const bool answered = m.results == 1 && !m.ec;
            if (copies_[*number].empty() && answered) {
                // A message that was given up may come late, over a connection that nobody listens to any more.
                if (*number < last_first) world_.violated("message ", *number, " is stored behind ", last_first - 1);
                last_first = *number + 1;
            }
            copies_[*number].push_back({line, book.entries[k].when, stored[k].message_id, stored[k].sequence_id});
        }
    }
    /// The message with this payload, if that producer was given one.
    std::optional<std::size_t> number_of(const std::string& payload, std::size_t producer) const {
        std::size_t n = 0;
        const auto [end, ec] = std::from_chars(payload.data(), payload.data() + payload.size(), n);
        if (ec != std::errc() || n >= history_.messages.size()) return std::nullopt;
        const sent_message& m = history_.messages[n];
        if (m.producer != producer || payload.size() != m.size || *end != ':') return std::nullopt;
        const char filler = static_cast<char>('a' + (n + 1) % 26);
        if (payload.find_first_not_of(filler, static_cast<std::size_t>(end - payload.data()) + 1) != std::string::npos)
            return std::nullopt;
        return n;
    }

    // What the sender was told

    void check_result(std::size_t i, const sent_message& m) {
        using sluice::outcome;
        const std::vector<copy>& copies = copies_[i];
        const outcome o = m.receipt.outcome;
        if (!m.ec) {
            if (o != outcome::persisted && o != outcome::duplicate)
                world_.violated("message ", i, ": success with outcome ", static_cast<int>(o));
            if (copies.empty()) world_.violated("message ", i, " is not stored, and was acknowledged");
            if (o == outcome::persisted) check_receipt(i, m);
        } else {
            if (o == outcome::persisted || o == outcome::duplicate)
                world_.violated("message ", i, ": ", m.ec.message(), " with outcome ", static_cast<int>(o));
            if (o == outcome::not_sent && !copies.empty())
                world_.violated("message ", i, " is stored, and was not sent");
            if (!excused(m)) world_.violated("message ", i, ": ", m.ec.message(), ", and nothing explains it");
        }
        // Once acknowledged it is never written again: its copies came over connections that were there before.
        for (const copy& c : copies)
            if (!m.ec && c.when > m.done_at && first_use(c.line) > m.done_at)
                world_.violated("message ", i, " is stored again, and was answered before");
    }
    nanoseconds first_use(unsigned line) const {
        for (const server::book& b : server_.books)
            for (const server::entry& e : b.entries)
                if (e.line == line) return e.when;
        return {};
    }
    void check_receipt(std::size_t i, const sent_message& m) {
        for (const copy& c : copies_[i]) {
            if (c.id != m.receipt.message_id.view()) continue;
            if (schedule_.options.deduplicate && c.number != m.receipt.sequence_id)
                world_.violated("message ", i, ": number ", c.number, ", the receipt says ", m.receipt.sequence_id);
            return;
        }
        world_.violated("message ", i, ": no copy has the receipt's message id");
    }
    /// Something was done that may end a message like this.
    bool excused(const sent_message& m) const {
        using sluice::errc;
        const producer_fate& fate = history_.producers[m.producer];
        const sluice::producer_options& o = schedule_.options;
        if (m.ec == asio::error::operation_aborted)
            return m.operation->cancelled || fate.destroyed || m.sent_at <= fate.cancelled_at + cancel_takes();
        if (m.ec == errc::closed) return fate.closing;
        if (m.ec == errc::send_timeout || m.ec == errc::ack_timeout)
            return m.timeout.count() != 0 && m.done_at - m.sent_at >= m.timeout;
        if (m.ec == errc::too_large) return m.size * 4 / 3 + 32 > o.max_frame_bytes;
        if (may_be_fatal(schedule_, m.ec)) return true;
        if (m.ec == errc::queue_full)
            return o.when_full == sluice::when_full::fail || m.operation->plan->what == deed::try_push;
        return false;
    }
    /// A cancellation of the producer reaches its strand when the machine comes to it, and takes along what has been
    /// sent until then.
    nanoseconds cancel_takes() const { return schedule_.pace == 0 ? 0ms : 50ms; }
    /// A time-out is noticed by a tick, and so is a message that was sent while others waited.
    void check_time(std::size_t i, const sent_message& m) {
        if (schedule_.pace != 0 || m.timeout.count() == 0) return; // a slow machine may be late
        const std::chrono::milliseconds all = schedule_.options.send_timeout;
        nanoseconds tick = 100ms;
        if (all.count() != 0) tick = std::max<nanoseconds>(std::min<nanoseconds>(tick, nanoseconds(all) / 64), 1ms);
        if (m.done_at - m.sent_at > m.timeout + 2 * tick)
            world_.violated("message ", i, " with ", m.timeout.count(), " ms was answered after ",
                            (m.done_at - m.sent_at) / 1ms, " ms");
    }

    world& world_;
    const schedule& schedule_;
    const history& history_;
    const server& server_;
    std::vector<std::vector<copy>> copies_{};
};

} // namespace simulation
