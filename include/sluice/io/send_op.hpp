// SPDX-License-Identifier: BSL-1.0
// Operations as nodes: they live in their handlers' memory, and complete on their handlers' executors.
#pragma once

#include <sluice/core/send_node.hpp>
#include <sluice/io/asio_compat.hpp>
#include <sluice/message.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace io {

/// The part that every operation has: a handler, and the ways to end it.
///
/// `Op` derives from a core node and from this, and has `auto results()`, a tuple of what the handler is called with,
/// taken before the memory is freed. Contract line 1: clear the slot, move the handler out, free, call.
template <class Op, class Handler, class Executor>
class operation {
public:
    using handler_executor = asio::associated_executor_t<Handler, Executor>;

    operation(Handler&& handler, const Executor& executor) : handler_(std::move(handler)) {
        // Asked, a type-erased executor takes 65 instructions to say that it is itself.
        if constexpr (!runs_anywhere<Handler, Executor>) {
            const auto mine = asio::get_associated_executor(handler_, executor);
            if constexpr (std::is_same_v<handler_executor, Executor>) {
                if (mine == executor)
                    return; // the producer's own work keeps it alive, and completions run there anyway
            }
            work_.emplace(asio::prefer(mine, asio::execution::outstanding_work.tracked));
        }
    }

    /// In the handler's memory.
    template <class... Args>
    static Op* create(Handler&& handler, Args&&... args) {
        auto allocator = rebound(handler);
        Op* const memory = std::allocator_traits<decltype(allocator)>::allocate(allocator, 1);
        struct guard {
            decltype(allocator)& a;
            Op* m;
            ~guard() {
                if (m) std::allocator_traits<decltype(allocator)>::deallocate(a, m, 1);
            }
        } g{allocator, memory};
        Op* const op = ::new (static_cast<void*>(memory)) Op(std::move(handler), std::forward<Args>(args)...);
        g.m = nullptr;
        return op;
    }

    /// Puts `on_cancel(asio::cancellation_type)` into the handler's slot. False: it has none.
    template <class F>
    bool listen(F on_cancel) {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (!slot.is_connected()) return false;
        slot.template emplace<listener<F>>(std::move(on_cancel), listening_);
        return true;
    }

    /// A node's `finish`.
    static void finish(core::node* n, bool invoke) {
        Op* const op = static_cast<Op*>(n);
        owner mine{op};
        if (!invoke) return;
        if constexpr (!runs_anywhere<Handler, Executor>) {
            if (op->work_) {
                const auto executor = *op->work_;
                return asio::dispatch(executor, std::move(mine));
            }
        }
        mine.release()->complete();
    }

    void complete() {
        Op* const op = static_cast<Op*>(this);
        silence();
        Handler handler(std::move(handler_));
        [[maybe_unused]] const auto work = std::move(work_); // until the handler has run
        auto results = op->results();
        free(op, handler);
        std::apply(std::move(handler), std::move(results));
    }

private:
    /// What stands in the slot. A signal may be destroyed before the operation, where a context ends with the operation
    /// outstanding, and takes it along: the operation must know, or it would clear a slot that is no more.
    template <class F>
    struct listener {
        F on_cancel;
        bool& listening;
        listener(F f, bool& l) : on_cancel(std::move(f)), listening(l) { listening = true; }
        listener(const listener&) = delete;
        listener& operator=(const listener&) = delete;
        ~listener() { listening = false; }
        void operator()(asio::cancellation_type type) { on_cancel(type); }
    };
    void silence() noexcept {
        if (listening_) asio::get_associated_cancellation_slot(handler_).clear();
    }

    /// Owns an operation until it is called; destroys it uncalled otherwise.
    struct owner {
        Op* op;
        explicit owner(Op* o) noexcept : op(o) {}
        owner(owner&& other) noexcept : op(std::exchange(other.op, nullptr)) {}
        ~owner() {
            if (!op) return;
            op->silence();
            Handler handler(std::move(op->handler_)); // destroyed when the memory is free again
            free(op, handler);
        }
        Op* release() noexcept { return std::exchange(op, nullptr); }
        void operator()() { release()->complete(); }
    };

    static auto rebound(const Handler& handler) noexcept {
        using allocator = decltype(operation_allocator(handler));
        return typename std::allocator_traits<allocator>::template rebind_alloc<Op>(operation_allocator(handler));
    }
    static void free(Op* op, const Handler& handler) noexcept {
        auto allocator = rebound(handler);
        op->~Op();
        std::allocator_traits<decltype(allocator)>::deallocate(allocator, op, 1);
    }

    // No executor_work_guard: Asio 1.22's does not compile for a strand of any_io_executor.
    using tracked_executor = std::decay_t<decltype(asio::prefer(std::declval<const handler_executor&>(),
                                                                asio::execution::outstanding_work.tracked))>;

    // In this order, whether there is work stands beside the handler: one cache line less is touched.
    struct none {};
    std::conditional_t<runs_anywhere<Handler, Executor>, none, std::optional<tracked_executor>> work_{};
    bool listening_ = false; ///< a listener is in the slot
    Handler handler_;
};

/// How an operation ends: with a code, or, under an awaitable, with an exception.
template <bool Throws>
inline auto ending(std::error_code ec, const std::shared_ptr<const error_details>& details, outcome o) {
    if constexpr (Throws)
        return ec ? std::make_exception_ptr(error(failure{completion_code(ec), details}, o)) : std::exception_ptr();
    else
        return completion_code(ec);
}
/// Of a message.
template <bool Throws>
inline auto ending(core::receipt_node& n) {
    return std::tuple(ending<Throws>(n.error, n.own_result.info, n.own_result.outcome), std::move(n.own_result));
}

/// One message, borrowed.
template <class Handler, class Executor, bool Throws>
class send_op : public core::receipt_node, public operation<send_op<Handler, Executor, Throws>, Handler, Executor> {
public:
    send_op(Handler&& handler, const Executor& executor, const message_view& m)
        : operation<send_op, Handler, Executor>(std::move(handler), executor) {
        core::node::finish = &send_op::operation::finish;
        message = m;
    }
    auto results() { return ending<Throws>(*this); }
};

/// One message, owned.
template <class Handler, class Executor, bool Throws>
class owning_send_op : public core::receipt_node,
                       public operation<owning_send_op<Handler, Executor, Throws>, Handler, Executor> {
public:
    owning_send_op(Handler&& handler, const Executor& executor, sluice::message&& m)
        : operation<owning_send_op, Handler, Executor>(std::move(handler), executor), owned_(std::move(m)) {
        core::node::finish = &owning_send_op::operation::finish;
        message = message_view(owned_);
    }
    auto results() { return ending<Throws>(*this); }

private:
    sluice::message owned_;
};

/// A flush, an open, a close, or a push's wait for room.
template <class Handler, class Executor, bool Throws>
class marker_op : public core::marker_node, public operation<marker_op<Handler, Executor, Throws>, Handler, Executor> {
public:
    marker_op(Handler&& handler, const Executor& executor, core::node_kind k)
        : operation<marker_op, Handler, Executor>(std::move(handler), executor) {
        core::node::finish = &marker_op::operation::finish;
        kind = k;
    }
    auto results() { return std::tuple(ending<Throws>(error.code, error.details, result)); }
};

/// Many messages, borrowed, with one completion.
template <class Handler, class Executor, bool Throws>
class send_all_op : public core::node,
                    public core::send_group,
                    public operation<send_all_op<Handler, Executor, Throws>, Handler, Executor> {
public:
    template <class Range>
    send_all_op(Handler&& handler, const Executor& executor, const Range& messages, std::size_t n)
        : operation<send_all_op, Handler, Executor>(std::move(handler), executor),
          count_(n),
          left_(n),
          all_(n),
          nodes_(std::make_unique_for_overwrite<core::send_node[]>(n)) {
        core::node::finish = &send_all_op::operation::finish;
        completion = this;
        settled = [](core::send_group* g, core::send_node* m) {
            auto* const self = static_cast<send_all_op*>(g);
            if (m->error) self->all_[static_cast<std::size_t>(m - self->nodes_.get())].ec = completion_code(m->error);
            return --self->left_ == 0;
        };
        std::size_t i = 0;
        for (const auto& m : messages) {
            nodes_[i].message = message_view(m);
            nodes_[i].group = this;
            nodes_[i].result = &all_[i].value;
            ++i;
        }
    }

    std::size_t count() const noexcept { return count_; }
    core::send_node& at(std::size_t i) noexcept { return nodes_[i]; }

    auto results() {
        using first = std::conditional_t<Throws, std::exception_ptr, std::error_code>;
        return std::tuple(first(), std::move(all_));
    }

private:
    std::size_t count_, left_;
    std::vector<sluice::result> all_;
    std::unique_ptr<core::send_node[]> nodes_;
};

} // namespace io
} // namespace v1
} // namespace sluice
