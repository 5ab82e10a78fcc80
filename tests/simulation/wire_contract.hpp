// SPDX-License-Identifier: BSL-1.0
// The producer's contract at its bottom edge: what was written, against what its senders were told.
#pragma once

#include "history.hpp"
#include "server.hpp"

#include <sluice/core/packer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace simulation {

class wire_contract {
public:
    wire_contract(world& w, const schedule& s, const history& h, const server& broker)
        : world_(w), schedule_(s), history_(h), server_(broker), writes_(h.messages.size()) {}

    void check() {
        for (const written_frame& f : server_.wire.frames) {
            if (f.message >= writes_.size()) {
                world_.violated("line ", f.line, ": a message that nobody sent");
                return;
            }
            writes_[f.message].push_back(f);
        }
        check_order();
        check_window();
        check_packs();
        if (schedule_.packs.on && nothing_is_in_the_way()) check_delays();
        for (std::size_t i = 0; i < writes_.size(); ++i)
            if (history_.messages[i].results == 1) check_message(i, history_.messages[i]);
        check_numbers();
        for (const goodbye& g : server_.wire.goodbyes) check_goodbye(g);
    }

private:
    static bool in_a_group(const sent_message& m) { return m.operation->plan->what == deed::send_all; }

    void check_message(std::size_t i, const sent_message& m) {
        using sluice::outcome;
        const bool written = !writes_[i].empty();
        if (m.receipt.outcome == outcome::maybe_persisted && !written)
            world_.violated("message ", i, " was never written, and is told to be persisted, maybe");
        // A full queue is refused by the server, and that for certain.
        if (m.receipt.outcome == outcome::not_sent && written)
            world_.violated("message ", i, " was written, and is told not to be sent");
        if (written && writes_[i].back().when > m.done_at)
            world_.violated("message ", i, " is written after it has its result");
    }

    /// On each connection each message once, in the order of the sends, and none left out that is still to be answered:
    /// after a loss the old ones come first.
    void check_order() {
        std::map<unsigned, std::size_t> next; // of a line: one more than the last message
        for (const written_frame& f : server_.wire.frames) {
            std::size_t& from = next[f.line];
            if (f.message < from) {
                world_.violated("line ", f.line, ": message ", f.message, " is written behind ", from - 1);
                continue;
            }
            for (std::size_t i = from; i < f.message; ++i) check_left_out(i, f);
            from = f.message + 1;
        }
    }
    void check_left_out(std::size_t i, const written_frame& f) {
        const sent_message& m = history_.messages[i];
        if (m.producer != history_.messages[f.message].producer) return;
        if (m.results == 0 && m.operation->refused) return;
        if (m.results == 1 && !m.ec) { // it has been answered on another connection
            if (!writes_[i].empty() && writes_[i].front().when <= f.when) return;
        } else {
            if (!schedule_.punctual()) return; // a slow machine tells it later
            if (m.results == 1 && m.done_at <= f.when) return;
            if (in_a_group(m)) return; // it is told when the last of them has a result
        }
        world_.violated("line ", f.line, ": message ", f.message, " is written, and ", i, " before it is not");
    }

    void check_window() {
        const std::size_t most = sluice::core::window_of(schedule_.options).messages;
        // Where answers overtake each other, it is not known which messages are still without one.
        const bool in_order = std::none_of(server_.met.begin(), server_.met.end(), [](const fault& f) {
            return f.kind == fault_kind::ack_swapped || f.refuses() || f.kind == fault_kind::ack_lost;
        });
        std::map<unsigned, std::vector<sluice::core::share>> frames; // on a line
        for (const written_frame& f : server_.wire.frames) {
            std::vector<sluice::core::share>& all = frames[f.line];
            all.resize(f.frame);
            ++all.back().messages;
            all.back().bytes += history_.messages[f.message].size;
            sluice::core::share sum;
            for (std::size_t i = 0; i < f.unanswered; ++i) {
                sum.messages += all[all.size() - 1 - i].messages;
                sum.bytes += all[all.size() - 1 - i].bytes;
            }
            if ((in_order || f.unanswered > most) && sum.messages > most)
                world_.violated("line ", f.line, ": ", sum.messages, " messages are unanswered, the window is ", most);
            if (in_order && sum.messages > 1 && sum.bytes > schedule_.options.max_pending_bytes)
                world_.violated("line ", f.line, ": ", sum.bytes, " bytes are unanswered");
        }
    }

    /// One key, no more than the limits allow, and nothing that a pack cannot say. Only packs hold many.
    void check_packs() {
        const packing& p = schedule_.packs;
        const written_frame* first = nullptr;
        std::size_t messages = 0;
        for (const written_frame& f : server_.wire.frames) {
            if (f.packed && (!p.on || p.by_itself(f.message)))
                world_.violated("line ", f.line, ": message ", f.message, " is in a pack");
            if (first == nullptr || !together(*first, f)) {
                first = &f;
                messages = 0;
            }
            if (++messages > 1 && !f.packed) world_.violated("line ", f.line, ": a frame of two is no pack");
            if (history_.messages[f.message].content.key != history_.messages[first->message].content.key)
                world_.violated("line ", f.line, ": keys in a pack: message ", f.message, " and ", first->message);
            if (f.packed && messages > static_cast<std::size_t>(schedule_.options.batching_max_messages))
                world_.violated("line ", f.line, ": a pack of more than batching_max_messages");
        }
    }
    static bool together(const written_frame& a, const written_frame& b) {
        return a.line == b.line && a.frame == b.frame;
    }

    /// No fault, no slowness, and room for everything.
    bool nothing_is_in_the_way() const {
        const sluice::producer_options& o = schedule_.options;
        const manners& n = schedule_.network;
        return server_.met.empty() && schedule_.punctual() && !o.budget && n.chop == 0 && n.lag == 0 &&
               n.capacity >= 65536 && n.dead_addresses == 0 && o.max_pending_bytes > (1u << 20) &&
               sluice::core::window_of(o).messages >= history_.messages.size();
    }
    /// Once the socket is in use, a message waits for others no longer than it may.
    void check_delays() {
        std::map<unsigned, nanoseconds> used; // lines, and since when
        for (const written_frame& f : server_.wire.frames) {
            const nanoseconds since = used.try_emplace(f.line, f.when).first->second;
            const nanoseconds sent = history_.messages[f.message].sent_at;
            if (sent <= since || writes_[f.message].size() != 1) continue;
            if (f.when - sent > schedule_.options.batching_max_publish_delay)
                world_.violated("line ", f.line, ": message ", f.message, " has waited for company for ",
                                (f.when - sent) / 1us, " us");
            ++delays_;
        }
        world_.note(delays_, " messages were written in time");
    }

    /// A number is given once, in order, and to nothing that was not written. Those of one frame share it.
    void check_numbers() {
        std::vector<std::int64_t> last(schedule_.producers, -1);
        std::vector<std::size_t> owner(schedule_.producers);
        for (std::size_t i = 0; i < writes_.size(); ++i) {
            const sent_message& m = history_.messages[i];
            if (m.results != 1) continue;
            const std::int64_t number = m.receipt.sequence_id;
            if ((number != -1) != !writes_[i].empty() && m.operation->plan->what != deed::send_awaited)
                world_.violated("message ", i, " has the number ", number, ", and was written ", writes_[i].size(),
                                " times");
            if (number == -1) continue;
            const std::vector<written_frame>& before = writes_[owner[m.producer]];
            const bool shared = number == last[m.producer] && !writes_[i].empty() && !before.empty() &&
                                together(writes_[i].front(), before.front());
            if (number <= last[m.producer] && !shared)
                world_.violated("message ", i, ": the number ", number, " again");
            last[m.producer] = number;
            owner[m.producer] = i;
        }
    }

    /// A socket is closed behind the last answer: what has none has been given up by its sender.
    void check_goodbye(const goodbye& g) {
        std::map<std::size_t, bool> frames; // of the line: everything in it is given up
        for (const written_frame& f : server_.wire.frames) {
            if (f.line != g.line) continue;
            const sent_message& m = history_.messages[f.message];
            // A slow machine calls handlers any time later.
            const bool before = !schedule_.punctual() || m.done_at <= g.when;
            bool& all = frames.try_emplace(f.frame, true).first->second;
            all = all && m.results == 1 && m.ec && before;
        }
        const auto given_up = static_cast<std::size_t>(
            std::count_if(frames.begin(), frames.end(), [](const auto& f) { return f.second; }));
        if (g.unanswered > given_up)
            world_.violated("line ", g.line, ": goodbye, and ", g.unanswered, " frames are unanswered, of which ",
                            given_up, " were given up");
    }

    world& world_;
    const schedule& schedule_;
    const history& history_;
    const server& server_;
    std::vector<std::vector<written_frame>> writes_;
    std::size_t delays_ = 0;
};

} // namespace simulation
