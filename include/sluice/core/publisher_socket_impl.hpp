// SPDX-License-Identifier: BSL-1.0
// The bodies of core/publisher.hpp: what goes over the socket, and what it means that it is gone.
#pragma once

#include <sluice/core/publisher.hpp>
#include <sluice/pulsar/encryption_support.hpp>
#include <sluice/pulsar/server_text.hpp>

namespace sluice {
inline namespace v1 {
namespace core {

inline publisher::announcement publisher::announce() noexcept {
    expected_ = window_.first_live(window_.oldest());
    const bool old = live_messages_ != 0;
    const bool batching = options_.batching_enabled && !packs_;
    alone_ = options_.deduplicate && batching && old;
    announcement a;
    a.batching = batching && !alone_;
    if (options_.deduplicate || options_.initial_sequence_id) a.initial_sequence_id = number_of(expected_) - 1;
    if (sealer_) a.encryption_keys = sealer_->url_parameter();
    return a;
}

inline void publisher::opened(web::bytes_view upgrade_surplus, std::unique_ptr<web::message_compression> compression) {
    socket_.emplace(web::ws_connection::role::client, &keys_, web::ws_options(), std::move(compression));
    socket_->feed(upgrade_surplus);
    cursor_ = window_.oldest();
    old_end_ = window_.next();
    holding_ = false;
    unsure_from_ = all_sure;
    answered_ = proven_ = false;
    probing_ = sealer_ != nullptr;
    if (!probing_) return ready();
    socket_->send(web::opcode::text, web::as_bytes(pulsar::encryption_probe));
}

/// Messages may be sent over this socket.
inline void publisher::ready() {
    last_cause_ = timeout_ = ack_timeout_ = failure{};
    numbers_.connections.add();
    finish_openers({});
}

inline void publisher::finish_openers(const failure& f) {
    while (node* n = openers_.pop_front()) {
        as_marker(n)->error = f;
        finished_.push_back(n);
    }
}

inline void publisher::lost(const failure& cause) {
    last_cause_ = cause.code == errc::aborted ? failure{} : cause; // reopening is no failure
    timeout_ = ack_timeout_ = failure{};
    socket_.reset();
    if (packs_) packs_->forget();
    probing_ = false;
    for (std::uint64_t c = window_.oldest(); c < window_.next(); ++c) {
        window::slot* s = window_.find(c);
        if (!s) continue;
        if (s->state == window::slot_state::tombstone) {
            window_.release(c);
        } else if (c >= unsure_from_ && c < cursor_) {
            // Nobody knows its number at the broker: sent again under ours, it could be taken for a repeat.
            while (node* n = s->chain.front()) abandon(as_send(n), failure{errc::connection_lost, cause.details});
        }
    }
    cursor_ = window_.oldest();
    holding_ = false;
    unsure_from_ = all_sure;
    refresh();
}

inline bool publisher::overdue(instant now) noexcept {
    const window::slot* const s = window_.find(window_.oldest());
    if (!socket_ || !s || s->state != window::slot_state::tombstone) {
        stuck_ = all_sure;
        return false;
    }
    if (std::exchange(stuck_, window_.oldest()) != window_.oldest()) stuck_since_ = now;
    constexpr std::chrono::milliseconds least{30'000};
    return now - stuck_since_ >= std::max(options_.send_timeout, least);
}

inline web::bytes_view publisher::encode() {
    // Of a deep backlog a write takes a third of the window (64 messages of a small one): the server is at one third
    // while the next is laid. In one piece, a `send_all` of a thousand waited for a tenth of its time.
    const bool deep = waiting_messages_ > limit_.messages / 8 * 5;
    batch_.begin(deep ? std::max<std::size_t>(64, limit_.messages / 3) : batcher::any_number);
    short_of_budget_ = 0;
    if (packs_) packs_->resume();
    if (!socket_) return {};
    if (const web::bytes_view control = socket_->output(); !control.empty()) {
        batch_.arena().append(control);
        socket_->consume_output(control.size());
    }
    if (!socket_->close_sent() && !probing_) {
        for (bool more = true; more && !holding_;) {
            if (cursor_ != window_.next()) cursor_ = window_.first_live(cursor_);
            const bool again = cursor_ != window_.next();
            if (!again) {
                if (waiting_.empty()) break;
                if (waiting_.front()->kind == node_kind::flush) {
                    settle_markers();
                    continue;
                }
            }
            // Numbers on one socket are consecutive: at a hole, it is drained and another one opened.
            if (options_.deduplicate && (cursor_ != expected_ || (alone_ && !again && window_.oldest() >= old_end_)))
                holding_ = true;
            else if (again)
                more = append_again(cursor_);
            else
                more = packs_ ? append_pack() : append_new(as_send(waiting_.front()));
        }
    }
    const web::bytes_view out = batch_.batch();
    if (!out.empty()) {
        numbers_.writes.add();
        numbers_.bytes_written.add(out.size());
    }
    if (!out.empty() || granted_ > held_bytes()) refresh();
    return out;
}

inline bool publisher::append_again(std::uint64_t context) {
    if (sealer_) return append_sealed_again(context);
    window::slot& s = *window_.find(context);
    if (packs_) {
        if (!append_pack_again(s, context)) return false;
    } else {
        const message_view& m = as_send(s.chain.front())->message;
        const std::size_t text = encoder_.text_size(m, context);
        const std::size_t frame = text + web::frame_header_size(text, true);
        if (!batch_.has_room(frame)) return false;
        append_frame(m, context, text);
    }
    ++s.attempts;
    numbers_.frames_resent.add();
    return true;
}

inline bool publisher::append_new(send_node* n) {
    if (sealer_) return append_sealed_new(n);
    const message_view& m = n->message;
    const std::size_t text = encoder_.text_size(m, window_.next());
    if (text > options_.max_frame_bytes) {
        abandon(n, misfit(m, window_.next()));
        return true;
    }
    const std::size_t frame = text + web::frame_header_size(text, true);
    if (!window_.has_room(1, m.payload().size()) || !batch_.has_room(frame)) return false;
    if (!afford(m.payload().size())) return false;
    const std::uint64_t context = enter_window(n, text);
    append_frame(m, context, text);
    if (n->waiter) finished_.push_back(std::exchange(n->waiter, nullptr));
    return true;
}

/// The first of the waiting messages, alone in its slot.
[[gnu::always_inline]] inline std::uint64_t publisher::enter_window(send_node* n, std::size_t text) {
    const std::uint64_t context = window_.next();
    const std::size_t bytes = n->message.payload().size();
    window::slot& s = window_.open(1, bytes); // may throw: the message still waits then
    waiting_.pop_front();
    --waiting_messages_;
    waiting_bytes_ -= bytes;
    s.chain.push_back(n);
    s.attempts = 1;
    s.text = static_cast<std::uint32_t>(text);
    n->context = context;
    n->stage = send_node::stage_type::in_window;
    ++live_messages_;
    return context;
}

/// Bytes are taken from the shared budget for many messages at once; what is left over goes back at the end of the
/// batch.
inline bool publisher::take_budget(std::size_t bytes) noexcept {
    const std::size_t spare = granted_ - held_bytes();
    if (spare >= bytes) return true;
    const std::size_t missing = bytes - spare;
    std::size_t got = options_.budget->take(missing, std::max(missing, options_.batching_max_bytes));
    if (got == 0 && window_.messages() == 0 && !(packs_ && !packs_->empty())) options_.budget->exceed(got = missing);
    if (got == 0) short_of_budget_ = missing;
    granted_ += got;
    return got != 0;
}

inline void publisher::return_budget() {
    if (granted_ != 0) options_.budget->give_back(std::exchange(granted_, 0));
}

[[gnu::always_inline]] inline void publisher::append_frame(const message_view& m, std::uint64_t context,
                                                           std::size_t text, std::string_view members) {
    web::message_compression* const by = socket_->compression();
    if (by == nullptr || !append_deflated(*by, m, context, text, members))
        encoder_.encode(m, context, text, keys_.next(), batch_.arena(), members);
    batch_.laid();
    cursor_ = expected_ = context + 1;
    numbers_.frames_written.add();
}

/// False: it is to be sent as it is.
inline bool publisher::append_deflated(web::message_compression& by, const message_view& m, std::uint64_t context,
                                       std::size_t text, std::string_view members) {
    if (!by.tries(text)) return false;
    constexpr web::mask_key plain = 0;
    text_.clear();
    encoder_.encode(m, context, text, plain, text_, members);
    batch_.compressed(text);
    web::frame_header header;
    header.masked = true;
    header.key = keys_.next();
    return web::append_compressed_frame(batch_.arena(), by, header, text_.view().last(text));
}

inline failure publisher::received(std::size_t n, instant now) {
    using kind = web::ws_connection::event::kind;
    socket_->commit(n);
    failure bad;
    pulsar::common_acknowledgement common;
    pulsar::acknowledgement ack;
    // What came behind a bad answer is read all the same: an acknowledgement saves a message from being sent twice.
    for (;;) {
        // Nearly all are one short frame each of the common form, which is ASCII.
        for (web::bytes_view text; !(text = socket_->peek_short_text()).empty(); socket_->take_short_text(text))
            if (!parser_.parse_common(web::as_text(text), common) || !persisted(common, now)) break;
        const web::ws_connection::event e = socket_->next();
        if (e.what == kind::none) break;
        if (e.what == kind::text) {
            // What is no acknowledgement (a challenge of a later protocol, say) concerns nobody here.
            if (parser_.parse(e.data, ack) != pulsar::ack_kind::acknowledgement) continue;
            if (ack.common() && persisted({ack.context, ack.message_id}, now)) continue;
            failure f = probing_ ? probed(ack) : acknowledged(ack, now);
            if (!bad) bad = std::move(f);
        } else if (bad) {
            continue;
        } else if (e.what == kind::close) {
            error_details d;
            d.close_code = e.close_code;
            d.text = "the server closed the socket with " + std::to_string(e.close_code) +
                     (e.reason.empty() ? "" : ": " + pulsar::server_text(e.reason));
            bad = make_failure(errc::connection_closed, std::move(d));
            if (e.close_code == web::close_code::message_too_big) reject_largest(bad);
        } else if (e.what == kind::error) {
            error_details d;
            d.close_code = e.close_code;
            bad = make_failure(e.ec, std::move(d));
        }
    }
    refresh();
    return bad;
}

/// A frame was over the server's limit: so is the largest in flight, whichever it was. Sent again, it would close every
/// socket, and the messages around it would time out.
inline void publisher::reject_largest(const failure& closed) {
    window::slot* largest = nullptr;
    for (std::uint64_t c = window_.oldest(); c < cursor_; ++c)
        if (window::slot* s = window_.find(c); s && (!largest || s->text > largest->text)) largest = s;
    if (!largest || largest->chain.empty()) return;
    const outcome o = outcome_of(errc::too_large, largest->attempts);
    if (packs_ && largest->messages > 1) packs_->shrink_limit(); // or the next pack would be as large
    while (node* const n = largest->chain.front()) {
        leave_window(as_send(n));
        settle(as_send(n), failure{make_error_code(errc::too_large), closed.details}, o);
    }
}

inline failure publisher::end_of_stream(instant now) {
    socket_->end_of_stream();
    return received(0, now);
}

/// What a refusal says of its message: on a resend no more than that this attempt did not store it.
/// And a broker whose quota is full drops its producers with what they have in flight, some of which is stored.
inline outcome publisher::outcome_of(errc refusal, std::uint32_t attempts) noexcept {
    if (refusal == errc::ack_timeout || refusal == errc::quota_exceeded || attempts > 1)
        return outcome::maybe_persisted;
    return refusal == errc::queue_full ? outcome::not_sent : outcome::rejected;
}

/// The answer that nearly all are; false: another one. It makes no `failure`: one that is built, returned and looked at
/// costs more than all else here.
[[gnu::always_inline]] inline bool publisher::persisted(const pulsar::common_acknowledgement& ack, instant now) {
    if (ack.context >= cursor_ || pulsar::is_dropped(ack.message_id)) return false;
    window::slot* const s = window_.find(ack.context);
    if (!s) return false;
    stored(*s, ack, outcome::persisted, now);
    return true;
}

[[gnu::always_inline]] inline void publisher::stored(window::slot& s, const pulsar::common_acknowledgement& ack,
                                                     outcome o, instant now) {
    if (!proven_) { // else all three are true
        answered_ = true;
        proven_ = o == outcome::persisted && ack.context < unsure_from_;
        stored_some_ = stored_some_ || o == outcome::persisted;
    }
    const std::int64_t number = number_of(ack.context);
    if (number > last_sequence_id_.load(std::memory_order_relaxed))
        last_sequence_id_.store(number, std::memory_order_relaxed);
    counter& stored_so = o == outcome::duplicate ? numbers_.duplicates : numbers_.persisted;
    for (node* each = s.chain.release(); each;) {
        send_node* const n = as_send(each);
        each = each->next;
        --live_messages_;
        stored_so.add();
        numbers_.latency.add(now - n->accepted);
        n->result->message_id.assign(ack.message_id);
        n->result->sequence_id = number;
        n->result->outcome = o;
        n->stage = send_node::stage_type::settled; // the message is not looked at again
        if (n->heap_index != 0) deadlines_.remove(n);
        finish(n);
    }
    window_.release(s, ack.context);
}

inline failure publisher::acknowledged(const pulsar::acknowledgement& ack, instant now) {
    if (!ack.has_context && !ack.ok) { // its text may quote the message
        if (options_.deduplicate) unsure_from_ = window_.oldest();
        return make_failure(errc::unexpected_answer,
                            "send-error:" + std::to_string(ack.code) + ": the server did not understand a frame");
    }
    if (!ack.has_context || ack.foreign_context || ack.context >= cursor_) return {};
    window::slot* const s = window_.find(ack.context);
    if (!s) return {}; // answered before

    failure refusal;
    outcome result = outcome::duplicate;
    if (!ack.ok) {
        const errc e = pulsar::error_of(ack);
        refusal =
            make_failure(e, "send-error:" + std::to_string(ack.code) + ": " + pulsar::server_text(ack.error_text));
        // The proxy's producer is gone, the socket useless: another one takes the message.
        if (e == errc::connection_closed) return refusal;
        // An ambiguous answer: with deduplication it is safe to ask again.
        if (e == errc::ack_timeout && options_.deduplicate) return refusal;
        result = outcome_of(e, s->attempts);
        // A terminated topic's socket takes nothing more, though nobody closes it: opening another one tells.
        holding_ = holding_ || options_.deduplicate || e == errc::topic_terminated;
        if (options_.deduplicate) unsure_from_ = std::min(unsure_from_, ack.context);
    } else if (ack.dropped()) {
        // Where the user says the first number, an earlier run may have stored what this one begins with, and no more.
        const bool first_time = s->attempts == 1 && (!options_.initial_sequence_id || stored_some_);
        if (ack.context > unsure_from_)
            refusal = make_failure(errc::rejected, "behind a refused message: taken for a repeat by the broker");
        else if (options_.deduplicate && first_time && !proven_)
            refusal = make_failure(errc::sequence_in_use, "dropped by the broker as a repeat of number " +
                                                              std::to_string(number_of(ack.context)));
        if (refusal) result = first_time ? outcome::rejected : outcome::maybe_persisted;
    }
    if (!refusal) {
        stored(*s, {ack.context, ack.message_id}, result, now);
        return {};
    }
    while (node* n = s->chain.pop_front()) {
        --live_messages_;
        settle(as_send(n), refusal, result);
    }
    window_.release(ack.context);
    return {};
}

} // namespace core
} // namespace v1
} // namespace sluice
