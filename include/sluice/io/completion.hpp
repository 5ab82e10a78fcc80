// SPDX-License-Identifier: BSL-1.0
// How finished nodes reach their handlers: off the strand, in chunks.
#pragma once

#include <sluice/core/send_node.hpp>
#include <sluice/io/asio_compat.hpp>

#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// A function object that owns finished nodes. Posted to the producer's executor it first posts the rest again, so that
/// another thread of a pool can go on with them, and then finishes a few: those whose handlers run on that executor are
/// called right here, the others are dispatched to theirs. If it is destroyed instead (the context ends), so are they.
template <class Executor>
class completion_chunk {
public:
    static constexpr int size = 16;

    completion_chunk(const Executor& executor, core::node_list nodes) noexcept
        : executor_(executor), nodes_(std::move(nodes)) {}
    completion_chunk(completion_chunk&&) noexcept = default;
    ~completion_chunk() { nodes_.destroy_all(); }

    static void post(const Executor& executor, core::node_list nodes) {
        if (!nodes.empty()) asio::post(executor, completion_chunk(executor, std::move(nodes)));
    }

    void operator()() {
        core::node_list mine;
        for (int i = 0; i < size && !nodes_.empty(); ++i) mine.push_back(nodes_.pop_front());
        post(executor_, std::move(nodes_));
        // A handler may throw through here: what it leaves behind is posted again.
        struct leftover {
            const Executor& executor;
            core::node_list& nodes;
            ~leftover() { post(executor, std::move(nodes)); }
        } guard{executor_, mine};
        while (core::node* n = mine.pop_front()) n->finish(n, true);
    }

private:
    Executor executor_;
    core::node_list nodes_;
};

} // namespace io
} // namespace v1
} // namespace sluice
