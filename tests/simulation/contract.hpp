// SPDX-License-Identifier: BSL-1.0
// The producer's contract, checked after a run: what was promised to the senders against what the broker stores.
#pragma once

#include "history.hpp"
#include "server.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace simulation {

/// The server has said that trying again is of no use: by a scheduled answer, or, perhaps, because one-time passwords
/// came too late twice.
inline bool may_be_fatal(const schedule& s, const server& broker, std::error_code ec) {
    using sluice::errc;
    if (ec != errc::unauthorized && ec != errc::forbidden && ec != errc::not_found && ec != errc::bad_request)
        return false;
    const bool short_lived = s.proxy.otp_lifetime < 2s;
    int late = short_lived && s.network.dead_addresses != 0 ? 2 : 0;
    late += s.stands_still;
    for (const fault& f : broker.met) {
        if (f.kind == fault_kind::status && f.code >= 400 && f.code <= 404) return true;
        late += short_lived && f.kind == fault_kind::unreachable;
        late += f.kind == fault_kind::stall || f.kind == fault_kind::expired || f.kind == fault_kind::slow_answer;
    }
    return ec == errc::unauthorized && late >= 2;
}

/// What a message is told if this fault refuses it.
inline std::error_code said_by(const fault& f) {
    using sluice::errc;
    constexpr errc codes[] = {errc::rejected, errc::too_large, errc::quota_exceeded, errc::topic_terminated,
                              errc::connection_closed}; // of `exceptions`
    static_assert(std::size(codes) == std::size(exceptions));
    return f.kind == fault_kind::ack_denied ? errc::ack_timeout : codes[f.code % std::size(codes)];
}
/// An answer says so, or leaves the numbers behind it unknown: of what was written on that line.
inline bool refusal_explains(const schedule& s, const server& broker, std::size_t message, std::error_code ec) {
    using sluice::errc;
    const auto& frames = broker.wire.frames;
    if (std::none_of(frames.begin(), frames.end(),
                     [&](const written_frame& f) { return f.message == message && broker.refusing.contains(f.line); }))
        return false;
    for (const fault& f : broker.met) {
        if (!f.refuses()) continue;
        if (ec == said_by(f)) return true;
        if (s.options.deduplicate && (ec == errc::connection_lost || ec == errc::rejected)) return true;
    }
    return false;
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
            if (schedule_.options.deduplicate && copies_[i].size() > 1 + stored_unsure(i))
                world_.violated("message ", i, " is stored ", copies_[i].size(), " times");
        }
        if (!all_ended || !schedule_.punctual()) return; // a slow machine may be late
        check_cancellations();
        for (const started_operation& op : history_.operations) {
            if (!op.started || op.completions != 1) continue;
            if (op.plan->what == deed::close) check_close(op);
            if (op.plan->what == deed::flush) check_flush(op);
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
            const auto payloads = payloads_in(stored[k].payload, stored[k].properties);
            if (!payloads) world_.violated("stored as number ", k, ": a pack that is none");
            for (const std::string& payload : payloads.value_or(std::vector<std::string>())) {
                const std::optional<std::size_t> number = number_of(payload, producer);
                if (!number) {
                    world_.violated("stored as number ", k, ": nobody sent \"", payload.substr(0, 20), "\"");
                    continue;
                }
                check_place(*number, book.entries[k].line, last_on_line, last_first);
                if (stored[k].key != history_.messages[*number].content.key)
                    world_.violated("message ", *number, " is stored with another key");
                copies_[*number].push_back(
                    {book.entries[k].line, book.entries[k].when, stored[k].message_id, stored[k].sequence_id});
            }
        }
    }
    /// The message is the next that is stored.
    void check_place(std::size_t number, unsigned line, std::map<unsigned, std::size_t>& last_on_line,
                     std::size_t& last_first) {
        std::size_t& last = last_on_line[line];
        if (number < last) world_.violated("line ", line, ": message ", number, " came after ", last - 1);
        last = number + 1;
        const sent_message& m = history_.messages[number];
        if (!copies_[number].empty() || m.results != 1 || m.ec) return;
        // A message that was given up may come late, over a connection that nobody listens to any more. So may one that
        // was refused, and nobody has heard of it: it is sent again behind those that were stored.
        if (number < last_first && !server_.wrote(number, server_.refusals_lost))
            world_.violated("message ", number, " is stored behind ", last_first - 1);
        last_first = number + 1;
    }
    /// The message with this payload, if that producer was given one.
    std::optional<std::size_t> number_of(std::string_view payload, std::size_t producer) const {
        std::size_t n = 0;
        const std::size_t size = payload.size();
        if (schedule_.packs.json && payload.size() > 2 && payload.front() == '"' && payload.back() == '"')
            payload = payload.substr(1, size - 2);
        const auto [end, ec] = std::from_chars(payload.data(), payload.data() + payload.size(), n);
        if (ec != std::errc() || n >= history_.messages.size()) return std::nullopt;
        const sent_message& m = history_.messages[n];
        if (m.producer != producer || size != m.size || *end != ':') return std::nullopt;
        const char filler = static_cast<char>('a' + (n + 1) % 26);
        if (payload.find_first_not_of(filler, static_cast<std::size_t>(end - payload.data()) + 1) !=
            std::string_view::npos)
            return std::nullopt;
        return n;
    }

    /// A refused message takes no number. Where the refusal is lost with its connection, no client knows that those
    /// behind it were stored under lower numbers than theirs, and what it sends again is no repeat.
    std::size_t stored_unsure(std::size_t i) const {
        return static_cast<std::size_t>(std::count_if(copies_[i].begin(), copies_[i].end(), [&](const copy& c) {
            return server_.refusals_lost.contains(c.line);
        }));
    }

    // What the sender was told

    void check_result(std::size_t i, const sent_message& m) {
        using sluice::outcome;
        const std::vector<copy>& copies = copies_[i];
        const outcome o = m.receipt.outcome;
        if (!m.ec) {
            if ((m.size + 2) / 3 * 4 >
                (schedule_.packs.compresses ? schedule_.options.max_frame_bytes : schedule_.largest_frame()))
                world_.violated("message ", i, " was sent, and is larger than a frame may be");
            if (o != outcome::persisted && o != outcome::duplicate)
                world_.violated("message ", i, ": success with outcome ", static_cast<int>(o));
            // Refused, and nobody has heard of it; sent again, it is taken for a repeat of what was stored behind it.
            const bool mistaken = o == outcome::duplicate && server_.wrote(i, server_.refusals_lost);
            if (copies.empty() && !mistaken) world_.violated("message ", i, " is not stored, and was acknowledged");
            if (o == outcome::persisted) check_receipt(i, m);
        } else {
            if (o == outcome::persisted || o == outcome::duplicate)
                world_.violated("message ", i, ": ", m.ec.message(), " with outcome ", static_cast<int>(o));
            if (o == outcome::not_sent && !copies.empty())
                world_.violated("message ", i, " is stored, and was not sent");
            if (o == outcome::rejected && !copies.empty())
                world_.violated("message ", i, " is stored, and was rejected");
            if (m.ec == asio::error::operation_aborted && only_asked(i, m) && o != outcome::not_sent)
                world_.violated("message ", i, " was to be withdrawn only if it is not sent");
            if (!excused(i, m)) world_.violated("message ", i, ": ", m.ec.message(), ", and nothing explains it");
        }
    }
    void check_receipt(std::size_t i, const sent_message& m) {
        for (const copy& c : copies_[i]) {
            if (c.id != m.receipt.message_id.view()) continue;
            // A refused message may not have taken its number: those of the messages behind it are lower than told.
            const bool lower = c.number < m.receipt.sequence_id && server_.shifting.contains(c.line);
            if (schedule_.options.deduplicate && c.number != m.receipt.sequence_id && !lower)
                world_.violated("message ", i, ": number ", c.number, ", the receipt says ", m.receipt.sequence_id);
            return;
        }
        world_.violated("message ", i, ": no copy has the receipt's message id");
    }
    /// Something was done that may end a message like this.
    bool excused(std::size_t i, const sent_message& m) const {
        using sluice::errc;
        using sluice::when_full;
        const producer_fate& fate = history_.producers[m.producer];
        const sluice::producer_options& o = schedule_.options;
        if (m.ec == asio::error::operation_aborted)
            return m.operation->cancelled || fate.destroyed || cancelled_with_all(i, m);
        if (m.ec == errc::closed) return fate.closing;
        if (m.ec == errc::send_timeout || m.ec == errc::ack_timeout)
            if (m.timeout.count() != 0 && m.done_at - m.sent_at >= m.timeout) return true;
        if (m.ec == errc::too_large && m.size * 4 / 3 + (schedule_.encrypts() ? 69 : 32) > schedule_.largest_frame())
            return true;
        // With others it may be over the limit that the client does not know.
        if (m.ec == errc::too_large && schedule_.packs.on && schedule_.proxy_allows_less()) return true;
        if (m.ec == errc::invalid_json) return schedule_.packs.json && !schedule_.packs.is_json(i);
        if (may_be_fatal(schedule_, server_, m.ec)) return true;
        if (m.ec == errc::queue_full)
            return o.when_full == when_full::fail || m.operation->plan->what == deed::try_push;
        if (m.ec == errc::dropped)
            return (o.when_full == when_full::drop_newest || o.when_full == when_full::drop_oldest) &&
                   m.receipt.outcome == sluice::outcome::not_sent;
        return refusal_explains(schedule_, server_, i, m.ec);
    }
    bool cancelled_with_all(std::size_t i, const sent_message& m) const {
        const auto& all = history_.producers[m.producer].cancellations;
        return std::any_of(all.begin(), all.end(), [i](const auto& c) { return i < c.before; });
    }
    /// Nothing but a `total` cancellation may have ended it.
    bool only_asked(std::size_t i, const sent_message& m) const {
        return m.operation->only_asked && !history_.producers[m.producer].destroyed && !cancelled_with_all(i, m);
    }
    // When

    nanoseconds tick() const {
        const std::chrono::milliseconds all = schedule_.options.send_timeout;
        if (all.count() == 0) return 100ms;
        return std::max<nanoseconds>(std::min<nanoseconds>(100ms, nanoseconds(all) / 64), 1ms);
    }
    /// A time-out is noticed by a tick; one of the message's own is no multiple of it, and the message may have been
    /// taken over by a tick, too.
    void check_time(std::size_t i, const sent_message& m) {
        if (!schedule_.punctual() || m.timeout.count() == 0) return; // a slow machine may be late
        const bool own = m.content.send_timeout.has_value();
        if (m.done_at - m.sent_at > m.timeout + (own ? 2 : 1) * tick() && !in_a_group(m))
            world_.violated("message ", i, " with ", m.timeout.count(), " ms was answered after ",
                            (m.done_at - m.sent_at) / 1ms, " ms");
    }
    /// Its result waits for that of others.
    static bool in_a_group(const sent_message& m) { return m.operation->plan->what == deed::send_all; }

    /// Nothing that was sent before a `cancel` is under way behind it.
    void check_cancellations() {
        for (std::size_t i = 0; i < history_.messages.size(); ++i) {
            const sent_message& m = history_.messages[i];
            for (const auto& c : history_.producers[m.producer].cancellations)
                if (i < c.before && m.done_at > c.when) world_.violated("message ", i, " goes on behind a cancel");
        }
    }
    void check_close(const started_operation& op) {
        const nanoseconds limit = nanoseconds(schedule_.options.close_timeout) + 2 * tick();
        if (op.done_at - op.started_at > limit)
            world_.violated("a close took ", (op.done_at - op.started_at) / 1ms, " ms");
    }
    /// A flush waits for what was sent before it and for nothing else; it may have been taken over by a tick.
    void check_flush(const started_operation& op) {
        nanoseconds last = op.started_at;
        for (std::size_t i = 0; i < op.before; ++i)
            if (history_.messages[i].producer == op.plan->producer) last = std::max(last, history_.messages[i].done_at);
        if (op.done_at > last + tick())
            world_.violated("a flush went on for ", (op.done_at - last) / 1ms, " ms with nothing to wait for");
    }

    world& world_;
    const schedule& schedule_;
    const history& history_;
    const server& server_;
    std::vector<std::vector<copy>> copies_{};
};

} // namespace simulation
