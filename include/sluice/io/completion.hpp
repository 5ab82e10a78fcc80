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

/// Finished nodes that wait for their turn on the producer's executor, in the order in which they were finished: what a
/// flush or a close was behind has its turn before it. One function object is posted at a time; it takes a few, posts
/// the next one, so that another thread of a pool can go on, and then finishes them: those whose handlers run on that
/// executor are called right here, the others are dispatched to theirs. If it is destroyed instead (the context ends),
/// so is all that waits.
template <class Executor>
class completion_queue {
public:
    static constexpr int chunk = 64;

    /// The memory of pushes: here, for what is finished lies here even when the producer is gone.
    core::node_cache pushes{};

    /// Any thread.
    static void post(const Executor& executor, const std::shared_ptr<completion_queue>& queue, core::node_list nodes) {
        if (nodes.empty()) return;
        {
            const std::lock_guard lock(queue->mutex_);
            queue->waiting_.append(std::move(nodes));
            if (std::exchange(queue->posted_, true)) return;
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
            struct leftover {
                const Executor& executor;
                const std::shared_ptr<completion_queue>& queue;
                core::node_list& nodes;
                ~leftover() {
                    if (nodes.empty()) return;
                    core::node_list all(std::move(nodes));
                    {
                        const std::lock_guard lock(queue->mutex_);
                        all.append(std::move(queue->waiting_));
                    }
                    post(executor, queue, std::move(all));
                }
            } guard{executor_, queue, mine};
            if (queue->take(mine)) asio::post(executor_, turn(executor_, queue));
            while (core::node* n = mine.pop_front()) n->finish(n, true);
        }

    private:
        Executor executor_;
        std::shared_ptr<completion_queue> queue_;
    };

    /// True: there are more.
    bool take(core::node_list& some) {
        const std::lock_guard lock(mutex_);
        for (int i = 0; i < chunk && !waiting_.empty(); ++i) some.push_back(waiting_.pop_front());
        return posted_ = !waiting_.empty();
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
    bool posted_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
