// SPDX-License-Identifier: BSL-1.0
// How finished nodes reach their handlers: off the strand, in chunks.
#pragma once

#include <sluice/core/node_cache.hpp>
#include <sluice/core/send_node.hpp>
#include <sluice/io/asio_compat.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Finished nodes that wait for their turn on the producer's executor, in the order in which they were finished. One
/// function object is posted at a time; it takes a few, posts the next one, so that another thread of a pool can go on,
/// and then finishes them, and a few more as long as no thread does: those whose handlers run on that executor are
/// called right here, the others are dispatched to theirs. If it is destroyed instead (the context ends), so is all
/// that waits.
///
/// A flush or a close has its turn when those before it are over: on a pool, one thread may still be calling what
/// another one's flush was behind.
template <class Executor>
class completion_queue {
public:
    static constexpr int chunk = 64;
    static constexpr int most_chunks = 4; ///< of one turn, while no other thread comes for the next

    /// `nodes`: so many messages there may be, in the window and here, at most.
    explicit completion_queue(std::size_t nodes = 1024) noexcept : pushes(nodes) {}

    /// The memory of pushes: here, for what is finished lies here even when the producer is gone.
    core::node_cache pushes;

    /// Any thread.
    static void post(const Executor& executor, const std::shared_ptr<completion_queue>& queue, core::node_list nodes) {
        if (nodes.empty()) return;
        {
            const std::lock_guard lock(queue->mutex_);
            queue->waiting_.append(std::move(nodes));
            if (!queue->wants_turn()) return;
        }
        asio::post(executor, turn(executor, queue));
    }

private:
    class turn {
    public:
        turn(const Executor& executor, std::shared_ptr<completion_queue> queue) noexcept
            : executor_(executor), queue_(std::move(queue)) {}
        turn(turn&&) noexcept = default;
        ~turn() {
            if (queue_) queue_->destroy_all();
        }

        void operator()() {
            const auto queue = std::move(queue_);
            core::node_list mine;
            // A handler may throw through here: what it leaves behind comes next.
            struct end {
                const Executor& executor;
                const std::shared_ptr<completion_queue>& queue;
                core::node_list& nodes;
                ~end() {
                    if (queue->give_back(nodes)) asio::post(executor, turn(executor, queue));
                }
            } guard{executor_, queue, mine};
            if (queue->take(mine)) asio::post(executor_, turn(executor_, queue));
            for (int i = 1; !mine.empty(); ++i) {
                while (core::node* n = mine.pop_front()) n->finish(n, true);
                if (i == most_chunks || !queue->take_more(mine)) return;
            }
        }

    private:
        Executor executor_;
        std::shared_ptr<completion_queue> queue_;
    };

    static bool is_barrier(const core::node* n) noexcept {
        return n->kind == core::node_kind::flush || n->kind == core::node_kind::close;
    }

    // The mutex is held by the callers of these three

    bool blocked(const core::node* n) const noexcept { return running_ != 0 && is_barrier(n); }
    /// True: the caller posts one.
    bool wants_turn() noexcept {
        if (posted_ || waiting_.empty() || blocked(waiting_.front())) return false;
        return posted_ = true;
    }
    void take_chunk(core::node_list& some) noexcept {
        core::node* last = nullptr;
        core::node* next = waiting_.front();
        for (int i = 0; i < chunk && next && !blocked(next); ++i) {
            last = next;
            next = next->next;
        }
        if (last) some = waiting_.take_until(last);
    }

    /// Begins a turn. True: another one is to be posted.
    bool take(core::node_list& some) {
        const std::lock_guard lock(mutex_);
        take_chunk(some);
        ++running_;
        posted_ = false;
        return wants_turn();
    }
    /// Goes on with a turn, if the next one is still waiting for a thread: nobody is free to share the work, and to go
    /// around by the scheduler, which looks at its sockets in between, costs more than a few handlers.
    bool take_more(core::node_list& some) noexcept {
        const std::lock_guard lock(mutex_);
        if (posted_) take_chunk(some);
        return !some.empty();
    }
    /// Ends it, with what has not come to its turn. The same.
    bool give_back(core::node_list& rest) noexcept {
        const std::lock_guard lock(mutex_);
        --running_;
        if (!rest.empty()) {
            core::node_list all(std::move(rest));
            all.append(std::move(waiting_));
            waiting_ = std::move(all);
        }
        return wants_turn();
    }
    void destroy_all() noexcept {
        core::node_list all; // destroying a handler may run anything
        {
            const std::lock_guard lock(mutex_);
            all = std::move(waiting_);
            posted_ = false;
        }
        all.destroy_all();
    }

    std::mutex mutex_{};
    core::node_list waiting_{};
    unsigned running_ = 0; ///< turns that have begun and not ended
    bool posted_ = false;  ///< one that has not begun
};

} // namespace io
} // namespace v1
} // namespace sluice
