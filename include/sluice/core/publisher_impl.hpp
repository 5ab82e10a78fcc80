// SPDX-License-Identifier: BSL-1.0
// The bodies of core/publisher.hpp: what senders put in, how messages end.
#pragma once

#include <sluice/core/publisher.hpp>

namespace sluice {
inline namespace v1 {
namespace core {

// --- senders -------------------------------------------------------------------------------------------------------

inline void publisher::drain(instant now) {
    if (packs_) packs_->turn(now);
    take_over(submitted_.take(), now);
}

inline void publisher::take_over(node* n, instant now) {
    share counted;
    std::uint64_t messages = 0;
    while (n) {
        node* const after = n->next;
        switch (n->kind) {
        case node_kind::message: {
            send_node* const m = as_send(n);
            ++messages;
            m->accepted = now;
            if (m->counted) {
                ++counted.messages;
                counted.bytes += m->message.payload().size();
            }
            if (!ended_ && !closing_ && fits_for_certain(m->message))
                wait(m);
            else
                accept(m, now);
            break;
        }
        case node_kind::flush: waiting_.push_back(n); break;
        case node_kind::open:
            if (is_open() || ended_) {
                as_marker(n)->error = ended_;
                finished_.push_back(n);
            } else {
                as_marker(n)->deadline = deadline_after(now, options_.send_timeout);
                openers_.push_back(n);
            }
            break;
        case node_kind::close:
            closing_ = true;
            closers_.push_back(n);
            break;
        case node_kind::cancel:
            end_all(failure{errc::aborted, nullptr});
            n->finish(n, false);
            break;
        case node_kind::admitted: break; // never submitted: it comes with its message
        }
        n = after;
    }
    numbers_.accepted.add(messages);
    refresh(counted);
}

/// One that needs a closer look.
inline void publisher::accept(send_node* n, instant now) {
    if (ended_) return settle(n, ended_, outcome::not_sent);
    if (closing_)
        return settle(n, make_failure(errc::closed, "send after close: the producer takes no more messages"),
                      outcome::not_sent);
    // Its context will be this one or, if others get theirs first, a longer number: checked again then.
    if (!fits_a_frame(n->message))
        if (failure f = misfit(n->message, window_.next())) return settle(n, f, outcome::not_sent);
    if (const auto* a = n->message.attributes(); a && a->send_timeout) {
        const std::chrono::milliseconds limit = *a->send_timeout;
        if (limit.count() < 0) // what is left until some moment that is over
            return settle(n,
                          make_failure(errc::send_timeout, "send_timeout = " + std::to_string(limit.count()) +
                                                               " ms: it is over before the message is sent"),
                          outcome::not_sent);
        n->own_limit = true;
        n->deadline = deadline_after(now, limit);
        deadlines_.add(n);
    }
    wait(n);
}

[[gnu::always_inline]] inline void publisher::wait(send_node* n) {
    n->stage = send_node::stage_type::waiting;
    waiting_.push_back(n);
    ++waiting_messages_;
    waiting_bytes_ += n->message.payload().size();
    if (drops_) make_room();
}

/// One message was put behind the others. The window's free places are counted as room: what is not encoded yet may
/// still get into them. Bytes are bounded as they are without a waiting room, one message alone excepted.
inline void publisher::make_room() {
    const auto limit = limit_.messages + static_cast<std::size_t>(options_.max_waiting_messages);
    while (waiting_messages_ != 0) {
        const std::size_t outstanding = waiting_messages_ + window_.messages();
        const bool many = outstanding > limit;
        if (!many && (outstanding == 1 || waiting_bytes_ + window_.bytes() <= options_.max_pending_bytes)) return;
        // The newest, also where it would not find room though all that wait were gone.
        node* victim = waiting_.back();
        const std::size_t bytes = as_send(victim)->message.payload().size();
        const bool fits = window_.messages() == 0 || window_.bytes() + bytes <= options_.max_pending_bytes;
        if (options_.when_full == when_full::drop_oldest && fits)
            for (victim = waiting_.front(); victim->kind != node_kind::message;) victim = victim->next;
        numbers_.dropped.add();
        ++newly_dropped_;
        abandon(as_send(victim), many ? no_room(no_room_, "max_pending_messages + max_waiting_messages", limit)
                                      : no_room(no_bytes_, "max_pending_bytes", options_.max_pending_bytes));
    }
}

/// One for all that are dropped for the same cause.
inline const failure& publisher::no_room(failure& shared, const char* limit, std::size_t value) {
    if (!shared)
        shared = make_failure(errc::dropped, std::string(limit) + " = " + std::to_string(value) + " are outstanding");
    return shared;
}

/// What can never be sent fails alone, before it is written.
inline failure publisher::misfit(const message_view& m, std::uint64_t context) const {
    if (failure f = pulsar::check_message(m)) return f;
    const std::size_t size = sealer_ ? longest_sealed_text(m, context) : encoder_.text_size(m, context);
    if (size <= options_.max_frame_bytes) return {};
    return make_failure(errc::too_large, "message of " + std::to_string(m.payload().size()) +
                                             " bytes: its frame would have " + (sealer_ ? "up to " : "") +
                                             std::to_string(size) + " bytes, max_frame_bytes allows " +
                                             std::to_string(options_.max_frame_bytes));
}

inline void publisher::cancel_requested(instant now) {
    send_node* list = cancelled_.exchange(nullptr, std::memory_order_acquire);
    if (!list) return;
    drain(now);
    while (list) {
        send_node* const n = list;
        list = n->next_cancelled;
        if (n->stage == send_node::stage_type::in_window &&
            n->cancel.load(std::memory_order_relaxed) == cancel_state::withdrawal_requested) {
            n->cancel.store(cancel_state::idle, std::memory_order_release);
            continue;
        }
        n->cancel.store(cancel_state::completing, std::memory_order_relaxed);
        if (n->stage == send_node::stage_type::settled) {
            --limbo_;
            finish_settled(n, finished_); // the strand had a result, and waited for this link
        } else {
            n->cancellable = false;
            abandon(n, failure{errc::aborted, nullptr});
        }
    }
    refresh();
}

inline void publisher::cancel_push(std::uint64_t ticket) {
    for (node* n = waiting_.front(); n != nullptr; n = n->next) {
        if (n->kind != node_kind::message || !as_send(n)->waiter || as_send(n)->waiter->ticket != ticket) continue;
        abandon(as_send(n), failure{errc::aborted, nullptr});
        break;
    }
    refresh();
}

inline void publisher::cancel_marker(std::uint64_t ticket) {
    for (node_list* const l : {&waiting_, &flushes_, &openers_, &closers_})
        for (node* n = l->front(); n != nullptr; n = n->next) {
            if (n->kind == node_kind::message || as_marker(n)->ticket != ticket) continue;
            l->remove(n);
            as_marker(n)->error = failure{errc::aborted, nullptr};
            finished_.push_back(n);
            return;
        }
}

inline void publisher::expire(instant now) {
    // Of those with the producer's time-out each is due that was taken over so long ago. They are looked at when the
    // first of them may be: what comes later is due later.
    if (options_.send_timeout.count() > 0 && now >= next_expiry_) {
        const send_node* first = expire_window(now - options_.send_timeout);
        if (!first) first = expire_waiting(now - options_.send_timeout);
        next_expiry_ = (first ? first->accepted : now) + options_.send_timeout;
    }
    while (send_node* n = deadlines_.expired(now))
        abandon(n, timed_out(n->stage == send_node::stage_type::waiting ? errc::send_timeout : errc::ack_timeout));
    while (openers_.front() && as_marker(openers_.front())->deadline <= now) {
        node* const n = openers_.pop_front();
        as_marker(n)->error = timed_out(errc::connect_timeout);
        finished_.push_back(n);
    }
    refresh();
}

/// In one pass: what has expired leaves its slots behind. The first that has not, or null.
inline const send_node* publisher::expire_window(instant oldest) {
    for (std::uint64_t c = window_.oldest(); c != window_.next(); ++c) {
        window::slot* const s = window_.find(c);
        if (!s) continue;
        for (node* each = s->chain.front(); each != nullptr;) {
            send_node* const n = as_send(each);
            each = each->next;
            if (n->own_limit) continue;
            if (n->accepted > oldest) return n;
            abandon(n, timed_out(errc::ack_timeout));
        }
    }
    return nullptr;
}

inline const send_node* publisher::expire_waiting(instant oldest) {
    for (node* each = waiting_.front(); each != nullptr;) {
        node* const n = std::exchange(each, each->next);
        if (n->kind != node_kind::message || as_send(n)->own_limit) continue;
        if (as_send(n)->accepted > oldest) return as_send(n);
        abandon(as_send(n), timed_out(errc::send_timeout));
    }
    return nullptr;
}

/// One error for all that expire for the same cause: a thousand messages share its text.
inline failure publisher::timed_out(errc code) {
    failure local;
    failure& shared = code == errc::send_timeout ? timeout_ : code == errc::ack_timeout ? ack_timeout_ : local;
    if (shared) return shared;
    error_details d;
    if (last_cause_.details) d = *last_cause_.details;
    if (last_cause_) {
        d.cause = last_cause_.code;
        d.text = "no connection: " + last_cause_.code.message() + (d.text.empty() ? "" : ": " + d.text);
    } else {
        d.text = code == errc::send_timeout ? "no room in the window, or no connection, within send_timeout"
                                            : "no answer within send_timeout";
    }
    shared = make_failure(code, std::move(d));
    return shared;
}

// --- settling ------------------------------------------------------------------------------------------------------

/// The message has its result. It is in no list any more; its bytes are not looked at again.
inline void publisher::settle(send_node* n, const failure& error, outcome o) {
    deadlines_.remove(n);
    if (n->stage == send_node::stage_type::in_window) n->result->sequence_id = number_of(n->context);
    if (closing_ && error && n->stage != send_node::stage_type::submitted) lost_closing(error, o);
    (error ? numbers_.failed : o == outcome::duplicate ? numbers_.duplicates : numbers_.persisted).add();
    conclude(n, error, o, finished_);
    finish(n);
}

/// It has its result; a cancellation that was quicker is waited for.
inline void publisher::finish(send_node* n) {
    if (n->cancellable && !begin_completing(n))
        ++limbo_;
    else
        finish_settled(n, finished_);
}

inline void publisher::refuse(send_node* n, const failure& why, node_list& done) {
    conclude(n, why, outcome::not_sent, done);
    begin_completing(n); // a cancellation that comes now finds nobody to tell
    finish_settled(n, done);
}

inline void publisher::conclude(send_node* n, const failure& error, outcome o, node_list& done) {
    n->message = message_view();
    n->stage = send_node::stage_type::settled;
    n->result->outcome = o;
    if (error) {
        n->result->info = error.details;
        n->error = error.code;
    }
    if (n->waiter) { // a push that never got room
        n->waiter->error = error;
        done.push_back(std::exchange(n->waiter, nullptr));
    }
}

/// False: a cancellation was quicker, and its link is on the way.
inline bool publisher::begin_completing(send_node* n) noexcept {
    cancel_state idle = cancel_state::idle;
    return n->cancel.compare_exchange_strong(idle, cancel_state::completing, std::memory_order_acq_rel);
}

inline void publisher::finish_settled(send_node* n, node_list& done) {
    if (!n->group)
        done.push_back(n);
    else if (n->group->settled(n->group, n))
        done.push_back(n->group->completion);
}

/// The waiter leaves before the answer. What may be on its way keeps its place in the window as a tombstone.
inline void publisher::abandon(send_node* n, const failure& error) {
    if (n->stage == send_node::stage_type::waiting) {
        if (packs_) packs_->forget(); // it may be in the pack
        withdraw(n);
        return settle(n, error, outcome::not_sent);
    }
    leave_window(n);
    settle(n, error, outcome::maybe_persisted);
}

inline void publisher::withdraw(send_node* n) noexcept {
    waiting_.remove(n);
    --waiting_messages_;
    waiting_bytes_ -= n->message.payload().size();
}

inline void publisher::leave_window(send_node* n) {
    window::slot& s = *window_.find(n->context);
    s.chain.remove(n);
    --live_messages_;
    if (!s.chain.empty()) return;
    if (socket_ && n->context < cursor_)
        s.state = window::slot_state::tombstone;
    else
        window_.release(n->context);
}

/// A `close` was to wait for this message. One that its sender has cancelled is none.
inline void publisher::lost_closing(const failure& error, outcome o) {
    if (error.code == errc::aborted && !ended_) return;
    if (closing_losses_++ == 0) first_closing_loss_ = error;
    if (o == outcome::maybe_persisted || closing_outcome_ == outcome::not_sent) closing_outcome_ = o;
}

inline failure publisher::lost_while_closing() const {
    if (closing_losses_ == 0) return {};
    error_details d;
    if (first_closing_loss_.details) d = *first_closing_loss_.details;
    d.text = "close: " + std::to_string(closing_losses_) + (closing_losses_ == 1 ? " message was" : " messages were") +
             " not acknowledged; the first: " + first_closing_loss_.code.message() +
             (d.text.empty() ? "" : ": " + d.text);
    return make_failure(first_closing_loss_.code, std::move(d));
}

/// A flush at the head of the waiting messages is bound to what is in the window; it completes once that is answered.
inline void publisher::settle_markers() {
    while (waiting_.front() && waiting_.front()->kind == node_kind::flush) {
        node* const n = waiting_.pop_front();
        as_marker(n)->bound = window_.next();
        flushes_.push_back(n);
    }
    if (flushes_.empty() || awaits_cancels()) return;
    const std::uint64_t oldest = window_.first_live(window_.oldest());
    while (flushes_.front() && as_marker(flushes_.front())->bound <= oldest) finished_.push_back(flushes_.pop_front());
}

/// What follows from any change: markers that are due, and the numbers that other threads read.
inline void publisher::refresh(share taken_over) {
    settle_markers();
    if (const std::size_t kept = held_bytes(); granted_ > kept)
        options_.budget->give_back(std::exchange(granted_, kept) - kept);
    admission_.hold({waiting_messages_ + window_.messages(), waiting_bytes_ + window_.bytes()}, taken_over);
    numbers_.pending_messages.set(window_.messages());
    numbers_.pending_bytes.set(window_.bytes());
    numbers_.waiting_messages.set(waiting_messages_);
}

// --- ends ----------------------------------------------------------------------------------------------------------

inline void publisher::end_all(const failure& why) {
    for (node* n = waiting_.front(); n != nullptr;) {
        node* const after = n->next;
        if (n->kind == node_kind::message) abandon(as_send(n), why);
        n = after;
    }
    for (std::uint64_t c = window_.oldest(); c != window_.next(); ++c)
        if (window::slot* s = window_.find(c))
            while (node* n = s->chain.front()) abandon(as_send(n), why);
    refresh();
}

inline void publisher::end(const failure& why) {
    ended_ = why;
    end_all(why);
    for (std::uint64_t c = window_.oldest(); c != window_.next(); ++c)
        if (window_.find(c)) window_.release(c); // nobody waits for tombstones any more
    refresh();
    finish_openers(why);
}

inline bool publisher::close_accumulator(instant now) {
    const accumulator::remainder rest = submitted_.close();
    take_over(rest.first, now);
    cancel_requested(now);
    return_budget(); // nothing is written any more
    return rest.was_armed;
}

inline void publisher::destroy(node* n) noexcept {
    if (n->kind != node_kind::message) return n->finish(n, false);
    send_node* const m = as_send(n);
    if (m->waiter) m->waiter->finish(m->waiter, false);
    if (!m->group)
        m->finish(m, false);
    else if (m->group->settled(m->group, m))
        m->group->completion->finish(m->group->completion, false);
}

inline void publisher::destroy_all() noexcept {
    // Taken out first: destroying a handler may run anything, this publisher's owner included.
    node* fresh = submitted_.close().first;
    send_node* limbo = cancelled_.exchange(nullptr, std::memory_order_acquire);
    node_list done = take_finished();
    node_list all;
    for (node_list* l : {&waiting_, &flushes_, &openers_, &closers_}) all.append(std::move(*l));
    for (std::uint64_t c = window_.oldest(); c != window_.next(); ++c)
        if (window::slot* s = window_.find(c)) all.append(std::move(s->chain));
    waiting_messages_ = waiting_bytes_ = live_messages_ = 0;
    if (packs_) packs_->forget();
    while (fresh) {
        node* const n = std::exchange(fresh, fresh->next);
        all.push_back(n);
    }
    while (limbo) {
        send_node* const n = std::exchange(limbo, limbo->next_cancelled);
        if (n->stage == send_node::stage_type::settled) all.push_back(n);
    }
    done.destroy_all();
    while (node* n = all.pop_front()) destroy(n);
}

} // namespace core
} // namespace v1
} // namespace sluice
