// SPDX-License-Identifier: BSL-1.0
// The intrusive nodes that operations are made of, and the list that carries them. A node lives in the memory of the
// operation that it stands for; whoever holds the pointer owns it until `finish` is called, once.
#pragma once

#include <sluice/message.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace core {

/// Time is an argument of every machine: nanoseconds since an epoch that the caller chose.
using instant = std::chrono::nanoseconds;
inline constexpr instant never = instant::max();

enum class node_kind : std::uint8_t {
    message, ///< a `send_node`
    flush,   ///< a `marker_node`: completes when what was sent before it has completed
    open,    ///< a `marker_node`: completes when the socket is open, or never will be
    close,   ///< a `marker_node`: what was sent before it drains, what comes after it fails
    cancel,  ///< a plain `node`: every message before it ends; it is destroyed, not completed
    admitted ///< the waiter of a `push`, completed when its message has got room
};

struct node {
    /// `invoke`: calls the handler. Otherwise the execution context is gone: destroys it uncalled. Frees the node
    /// first.
    using finish_function = void (*)(node*, bool invoke);

    node* next = nullptr;
    node* previous = nullptr;
    finish_function finish = nullptr;
    node_kind kind = node_kind::message;
};

/// First in, first out; intrusive; doubly linked, so that a cancelled node leaves from the middle.
class node_list {
public:
    node_list() noexcept = default;
    node_list(node_list&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
    node_list& operator=(node_list&& other) noexcept {
        first_ = std::exchange(other.first_, nullptr);
        last_ = std::exchange(other.last_, nullptr);
        return *this;
    }

    bool empty() const noexcept { return first_ == nullptr; }
    node* front() const noexcept { return first_; }
    node* back() const noexcept { return last_; }

    void push_back(node* n) noexcept {
        n->next = nullptr;
        n->previous = last_;
        (last_ ? last_->next : first_) = n;
        last_ = n;
    }
    node* pop_front() noexcept {
        node* const n = first_;
        if (!n) return nullptr;
        first_ = n->next;
        (first_ ? first_->previous : last_) = nullptr;
        n->next = nullptr;
        return n;
    }
    void remove(node* n) noexcept {
        (n->previous ? n->previous->next : first_) = n->next;
        (n->next ? n->next->previous : last_) = n->previous;
        n->next = n->previous = nullptr;
    }
    void append(node_list&& other) noexcept {
        if (other.empty()) return;
        if (empty()) {
            *this = std::move(other);
            return;
        }
        last_->next = other.first_;
        other.first_->previous = last_;
        last_ = std::exchange(other.last_, nullptr);
        other.first_ = nullptr;
    }
    /// Takes out all up to `last`, which is in it.
    node_list take_until(node* last) noexcept {
        node_list taken;
        taken.first_ = first_;
        taken.last_ = last;
        first_ = std::exchange(last->next, nullptr);
        (first_ ? first_->previous : last_) = nullptr;
        return taken;
    }
    /// Empties it: what was in it is linked through `next`.
    node* release() noexcept {
        last_ = nullptr;
        return std::exchange(first_, nullptr);
    }
    /// Destroys every node without calling its handler.
    void destroy_all() noexcept {
        while (node* n = pop_front()) n->finish(n, false);
    }

private:
    node* first_ = nullptr;
    node* last_ = nullptr;
};

/// A flush, an open, a close, or the waiter of a push: no message.
struct marker_node : node {
    failure error{};
    outcome result = outcome::not_sent; ///< close: of the messages that were lost
    std::uint64_t ticket = 0;           ///< its name for a cancellation
    std::uint64_t bound = 0;            ///< flush: every context below it was sent before
    instant deadline = never;
};

struct send_node;

/// A `send_all`: told of each of its messages by the strand, never from inside user code.
struct send_group {
    /// One of the group's messages has its result. True once all have: then `completion` is ready to finish.
    bool (*settled)(send_group*, send_node*) = nullptr;
    node* completion = nullptr;
};

/// Where a cancellation of one send stands. The slot's handler runs on the handler's executor, the strand elsewhere:
///
///     idle --(slot's handler)--> requested --(the strand meets the link)--> completing
///     idle --(strand)----------> completing
///
/// A withdrawal is a request that is granted only to a message that is not encoded: else the strand puts `idle` back.
///
/// Only who leaves `idle` goes on. A strand that loses the exchange to a request must not finish the node, for the
/// slot's handler is about to push the node's link: it stores the result and finishes when the link arrives.
enum class cancel_state : std::uint8_t { idle, requested, withdrawal_requested, completing };

/// One message on its way. A window full of them does not fit a processor's first cache: they are kept small.
struct send_node : node {
    // place: here, where the base has left room
    enum class stage_type : std::uint8_t { submitted, waiting, in_window, settled } stage = stage_type::submitted;
    bool counted = false;     ///< in the counter of `fail` and `try_push` until it is drained
    bool cancellable = false; ///< a cancellation slot is connected
    bool own_limit = false;   ///< its deadline is its own, not the producer's
    std::atomic<cancel_state> cancel{cancel_state::idle};
    std::uint64_t context = 0; ///< of its window slot

    message_view message{};
    send_group* group = nullptr;   ///< null for a plain send
    marker_node* waiter = nullptr; ///< of a push, until the message has room
    send_node* next_cancelled = nullptr;

    // time
    instant accepted{};         ///< when the strand took it over: one clock reading for a batch
    instant deadline = never;   ///< where it is its own
    std::size_t heap_index = 0; ///< 1-based place among the messages with their own deadlines; 0: not there

    // result
    std::error_code error{};
    receipt* result = nullptr; ///< where it goes; its details are the error's too
};

/// One with its receipt. The messages of a `send_all` have theirs where the caller gets them: a node that is walked
/// over five times is three cache lines then, not five.
struct receipt_node : send_node {
    receipt_node() noexcept { result = &own_result; }
    receipt own_result{};
};

inline send_node* as_send(node* n) noexcept { return static_cast<send_node*>(n); }
inline marker_node* as_marker(node* n) noexcept { return static_cast<marker_node*>(n); }

} // namespace core
} // namespace v1
} // namespace sluice
