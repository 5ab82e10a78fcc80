// SPDX-License-Identifier: BSL-1.0
// Memory of nodes that were finished, for the next ones.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace core {

/// Blocks of one size, in a list with one atomic head. Any thread may take and give.
///
/// Who takes a block takes the whole list, keeps its first block and puts the rest back. So no thread ever reads a
/// block that another one may hold: the race in which a head comes back with another successor cannot occur. Another
/// thread that finds the list taken asks the system for memory, which joins the list in the end. (One thread that
/// pushes and completes pays three atomic steps a message; two calls of malloc and free took four times as long.)
class node_cache {
public:
    static constexpr std::size_t block_size = 640;
    static constexpr std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    node_cache() noexcept = default;
    node_cache(const node_cache&) = delete;
    node_cache& operator=(const node_cache&) = delete;
    ~node_cache() { shrink(); }

    void* allocate() {
        block* const mine = free_.exchange(nullptr, std::memory_order_acquire);
        if (!mine) return ::operator new(block_size);
        if (mine->next) put_back(mine->next);
        return mine;
    }
    void deallocate(void* memory) noexcept {
        block* const b = ::new (memory) block{free_.load(std::memory_order_relaxed)};
        while (!free_.compare_exchange_weak(b->next, b, std::memory_order_release, std::memory_order_relaxed)) {}
    }
    /// Gives everything back to the system.
    void shrink() noexcept {
        for (block* b = free_.exchange(nullptr, std::memory_order_acquire); b != nullptr;)
            ::operator delete(std::exchange(b, b->next));
    }

private:
    struct block {
        block* next;
    };

    void put_back(block* chain) noexcept {
        block* none = nullptr;
        while (!free_.compare_exchange_strong(none, chain, std::memory_order_release, std::memory_order_relaxed)) {
            // Given since: a few, which go in front.
            block* const given = free_.exchange(nullptr, std::memory_order_acquire);
            none = nullptr;
            if (!given) continue;
            block* last = given;
            while (last->next) last = last->next;
            last->next = std::exchange(chain, given);
        }
    }

    std::atomic<block*> free_{nullptr};
};

} // namespace core
} // namespace v1
} // namespace sluice
