// SPDX-License-Identifier: BSL-1.0
// Which of the messages with a time-out of their own times out next.
#pragma once

#include <sluice/core/send_node.hpp>

#include <chrono>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace core {

/// `never` for 0, which is no limit, and for what lies beyond the clock's range.
constexpr instant deadline_after(instant now, std::chrono::milliseconds limit) noexcept {
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(never - now);
    return limit.count() <= 0 || limit >= longest ? never : now + limit;
}

/// They stand in a binary heap that knows each one's place. Those with the producer's time-out need none: they expire
/// in the order in which they were taken over, which is that of the window, and behind it of the waiting.
class deadlines {
public:
    /// `deadline` is set already. `never` is not kept.
    void add(send_node* n) {
        if (n->deadline == never) return;
        heap_.push_back(n);
        n->heap_index = heap_.size();
        rise(heap_.size());
    }

    /// Without effect where it is not kept.
    void remove(send_node* n) noexcept {
        if (n->heap_index == 0) return;
        const std::size_t hole = n->heap_index;
        n->heap_index = 0;
        send_node* moved = heap_.back();
        heap_.pop_back();
        if (moved == n) return;
        place(moved, hole);
        rise(hole);
        sink(moved->heap_index);
    }

    /// The next message whose deadline is at or before `now`, still kept; null if there is none.
    send_node* expired(instant now) const noexcept {
        return !heap_.empty() && heap_.front()->deadline <= now ? heap_.front() : nullptr;
    }

    bool empty() const noexcept { return heap_.empty(); }

private:
    void place(send_node* n, std::size_t index) noexcept {
        heap_[index - 1] = n;
        n->heap_index = index;
    }
    void rise(std::size_t index) noexcept {
        send_node* n = heap_[index - 1];
        while (index > 1 && n->deadline < heap_[index / 2 - 1]->deadline) {
            place(heap_[index / 2 - 1], index);
            index /= 2;
        }
        place(n, index);
    }
    void sink(std::size_t index) noexcept {
        send_node* n = heap_[index - 1];
        for (;;) {
            std::size_t child = index * 2;
            if (child > heap_.size()) break;
            if (child < heap_.size() && heap_[child]->deadline < heap_[child - 1]->deadline) ++child;
            if (n->deadline <= heap_[child - 1]->deadline) break;
            place(heap_[child - 1], index);
            index = child;
        }
        place(n, index);
    }

    std::vector<send_node*> heap_{};
};

} // namespace core
} // namespace v1
} // namespace sluice
