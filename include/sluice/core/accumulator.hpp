// SPDX-License-Identifier: BSL-1.0
// The lock-free queue between any number of senders and the one strand.
#pragma once

#include <sluice/core/send_node.hpp>

#include <atomic>

namespace sluice {
inline namespace v1 {
namespace core {

/// Many pushers, one taker. One atomic word with four meanings:
///
///     [ empty ] ---push: queued---> [ list, newest first ] <--- push: queued
///       |    ^                        |      ^
///      arm   '---------take-----------'      |
///       v                                    |
///     [ armed ] ---------push: WAKE----------'         close: any of them -> [ closed ], push: closed
///
/// * `push` costs one compare-exchange. Only the pusher that replaced *armed* is told to wake the taker, so a burst of
///   sends posts once.
/// * The order of the successful exchanges is the order of the sends: program order within a thread, one total order
///   over all of them. `take` reverses the list into it.
/// * The taker arms when it is out of work. If `arm` fails a pusher came in between, and there is work.
///
/// The race that arming must not lose: the taker sees empty; a pusher puts A in and is told *queued*; the taker goes to
/// sleep. It cannot: arming is an exchange of *empty* for *armed*, and A made the word a list.
///
/// Orders: `push` releases the node's content (and acquires nothing it reads), `take` acquires it; `arm` releases what
/// the pusher that wakes will read (the reference that the sleeping producer holds to itself), which that pusher's
/// exchange acquires.
class accumulator {
public:
    enum class pushed { queued, wake, closed };

    /// Starts armed: the first push wakes.
    accumulator() noexcept : head_(&armed_) {}
    accumulator(const accumulator&) = delete;
    accumulator& operator=(const accumulator&) = delete;

    /// Any thread. `first` to `last` are linked through `next`, oldest first. After any answer but *closed* the nodes
    /// belong to the taker: another thread may have finished and freed them before this returns.
    pushed push(node* first, node* last) noexcept {
        reverse(first, last);
        node* seen = head_.load(std::memory_order_relaxed);
        for (;;) {
            if (seen == &closed_) {
                // Acquires what was written before `close`: the state is final, so this reads it again.
                static_cast<void>(head_.load(std::memory_order_acquire));
                reverse(last, first); // and cuts the link that a lost exchange has left
                return pushed::closed;
            }
            const bool wake = seen == &armed_;
            first->next = wake ? nullptr : seen; // after reversing, `first` is the end of the chain
            if (head_.compare_exchange_weak(seen, last, std::memory_order_acq_rel, std::memory_order_relaxed))
                return wake ? pushed::wake : pushed::queued;
        }
    }
    pushed push(node* n) noexcept { return push(n, n); }

    /// The strand. Everything pushed so far, oldest first, linked through `next`; null if there is nothing. An armed
    /// accumulator stays armed.
    node* take() noexcept {
        node* seen = head_.load(std::memory_order_relaxed);
        if (seen == nullptr || seen == &armed_ || seen == &closed_) return nullptr;
        // Only this thread takes, so the list can have grown meanwhile but not gone.
        return oldest_first(head_.exchange(nullptr, std::memory_order_acquire));
    }

    /// The strand, when it is out of work. False: there is work.
    bool arm() noexcept {
        node* expected = nullptr;
        return head_.compare_exchange_strong(expected, &armed_, std::memory_order_release, std::memory_order_relaxed) ||
               expected == &armed_;
    }

    struct remainder {
        node* first;
        bool was_armed;
    };
    /// Nothing can be pushed any more; what was pushed is handed out, oldest first.
    remainder close() noexcept {
        node* seen = head_.exchange(&closed_, std::memory_order_acq_rel);
        if (seen == &armed_) return {nullptr, true};
        if (seen == &closed_) return {nullptr, false};
        return {oldest_first(seen), false};
    }

private:
    static node* oldest_first(node* newest) noexcept {
        node* out = nullptr;
        while (newest) {
            node* after = newest->next;
            newest->next = out;
            out = newest;
            newest = after;
        }
        return out;
    }
    /// Turns the chain first..last around, so that it is reached from `last` and ends with `first`.
    static void reverse(node* first, node* last) noexcept {
        last->next = nullptr;
        if (first != last) oldest_first(first);
    }

    // Two addresses that no node has. Members, not statics of a function: a program and a library that hides its
    // symbols would have different ones.
    node armed_{}, closed_{};
    std::atomic<node*> head_;
};

} // namespace core
} // namespace v1
} // namespace sluice
