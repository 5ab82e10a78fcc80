// SPDX-License-Identifier: BSL-1.0
// The side of a producer that any thread may touch: operations come in here, and leave for the strand.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/publisher.hpp>
#include <sluice/io/completion.hpp>
#include <sluice/io/push.hpp>
#include <sluice/io/traits.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// The base of `Driver`, which offers `woken()`, `settle()` and `look()`, all for the strand.
///
/// Every function here is for any thread, lock-free but for the posts. `submit` posts only if the strand sleeps.
template <class Driver, class Executor, class Traits>
class inbox : public std::enable_shared_from_this<Driver> {
public:
    using executor_type = Executor;
    using strand_type = strand_of<Executor>;

    const Executor& executor() const noexcept { return executor_; }
    const producer_options& options() const noexcept { return options_; }
    core::publisher& publisher() noexcept { return publisher_; }

    /// Hands the nodes first..last over. Afterwards they may be gone, and, for a pusher that was not told to wake, this
    /// object too: the strand may have finished the operation, and its handler destroyed the producer.
    void submit(core::node* first, core::node* last) {
        switch (publisher_.submit(first, last)) {
        case core::accumulator::pushed::queued: return;
        case core::accumulator::pushed::wake: {
            // The reference that the sleeping producer held to itself keeps it alive from here on.
            auto self = std::move(armed_self_);
            const strand_type strand = self->strand_;
            asio::post(strand, [self = std::move(self)] { self->woken(); });
            return;
        }
        case core::accumulator::pushed::closed: refuse(first); return;
        }
    }

    /// Ends every send and push that was made before: it takes its place in the queue behind them.
    void cancel() {
        struct everything : core::node {
            everything() noexcept {
                kind = core::node_kind::cancel;
                finish = [](core::node* n, bool) { delete static_cast<everything*>(n); };
            }
        };
        const auto self = this->shared_from_this();
        core::node* const n = new everything;
        submit(n, n);
        post_call(strand_, [self] { self->look(); }); // the queue wakes nobody while messages wait for room
    }

    /// A cancellation slot has spoken for this node, and moved it from idle to requested.
    void cancel_one(core::send_node* n) {
        // The node is not finished before its link arrives, and as long as it is not, the strand keeps this alive.
        auto self = this->shared_from_this();
        publisher_.request_cancel(n);
        post_call(strand_, [self = std::move(self)] {
            self->publisher_.cancel_requested(io::now<Traits>());
            if (!self->publisher_.awaits_cancels()) self->awaiting_self_.reset();
            self->settle();
        });
    }
    void cancel_push(std::uint64_t ticket) {
        post_call(strand_, [self = this->shared_from_this(), ticket] {
            self->publisher_.drain(io::now<Traits>());
            self->publisher_.cancel_push(ticket);
            self->settle();
        });
    }
    void cancel_marker(std::uint64_t ticket) {
        post_call(strand_, [self = this->shared_from_this(), ticket] {
            self->publisher_.drain(io::now<Traits>());
            self->publisher_.cancel_marker(ticket);
            self->settle();
        });
    }
    /// A message to be taken over: copied, or, where it is given up, as it is.
    template <class M, class OnResult>
    core::send_node* make_push(M&& m, OnResult&& on_result) {
        return io::make_push(completions_->pushes, std::forward<M>(m), std::forward<OnResult>(on_result));
    }
    template <class M, class OnResult>
    held_message<Executor> hold(M&& m, OnResult&& on_result) {
        return {completions_, make_push(std::forward<M>(m), std::forward<OnResult>(on_result))};
    }
    /// Any number that no other push, open, flush or close of this producer has.
    std::uint64_t new_ticket() noexcept { return tickets_.fetch_add(1, std::memory_order_relaxed); }

    failure full_failure() const {
        return make_failure(errc::queue_full,
                            "no room in the window of " + std::to_string(core::window_of(options_).messages) +
                                " messages (max_pending_messages)" +
                                ", max_pending_bytes = " + std::to_string(options_.max_pending_bytes));
    }
    /// A message that found no room ends, not inside the initiating call.
    void turn_away(core::send_node* n) {
        core::node_list refused;
        publisher_.refuse(n, full_failure(), refused);
        post_completions(std::move(refused));
    }
    /// A node that the strand has never seen completes, not inside the initiating call.
    void complete_later(core::node* n) {
        core::node_list done;
        done.push_back(n);
        post_completions(std::move(done));
    }

protected:
    inbox(const Executor& executor, producer_options options, const pulsar::compressor& codec)
        : executor_(executor),
          strand_(typename strand_type::inner_executor_type(executor)),
          options_(std::move(options)),
          publisher_(options_, first_sequence_id(options_), {nullptr, &fill_random<Traits>}, codec),
          completions_(std::make_shared<completion_queue<Executor>>(most_nodes(options_))) {
        if (options_.compress_at == compress_at::end_to_end && options_.encryption.make != nullptr)
            publisher_.seal_with(options_.encryption.make(options_.encryption, codec));
    }
    ~inbox() = default;

    /// Gives memory back.
    void idle() noexcept {
        publisher_.idle();
        completions_->pushes.shrink();
    }
    void post_completions(core::node_list done) {
        completion_queue<Executor>::post(executor_, completions_, std::move(done));
    }

    Executor executor_;
    strand_type strand_;
    producer_options options_;
    core::publisher publisher_;
    /// While the accumulator is armed: it belongs to the pusher that wakes the strand.
    std::shared_ptr<Driver> armed_self_{};
    /// The producer is over, but a slot's handler is about to push a link.
    std::shared_ptr<Driver> awaiting_self_{};

private:
    static std::int64_t first_sequence_id(const producer_options& o) {
        if (o.initial_sequence_id) return *o.initial_sequence_id + 1;
        // Never a number that an earlier run may have used: the broker would drop it as a repeat.
        return o.deduplicate ? static_cast<std::int64_t>(Traits::wall_clock().count()) : 0;
    }

    /// What a closed accumulator gave back.
    void refuse(core::node* first) {
        core::node_list refused;
        while (first) {
            core::node* const n = std::exchange(first, first->next);
            const failure& why = publisher_.end_reason();
            if (n->kind == core::node_kind::message) {
                core::send_node* const m = core::as_send(n);
                if (m->counted) publisher_.give_back(m->message);
                publisher_.refuse(m, why, refused);
            } else if (n->kind == core::node_kind::cancel) {
                n->finish(n, false); // nothing is left to cancel
            } else {
                core::as_marker(n)->error = n->kind == core::node_kind::open ? why : failure{};
                refused.push_back(n);
            }
        }
        post_completions(std::move(refused));
    }

    /// A window of them that is unanswered, as many that are answered and wait for their turn, and those that are new.
    static std::size_t most_nodes(const producer_options& o) noexcept {
        constexpr std::size_t least = 1024, most = 65'536; // 40 MB
        return std::clamp(2 * core::window_of(o).messages + 64, least, most);
    }

    std::shared_ptr<completion_queue<Executor>> completions_;
    std::atomic<std::uint64_t> tickets_{1};
};

} // namespace io
} // namespace v1
} // namespace sluice
