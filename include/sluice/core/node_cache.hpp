// SPDX-License-Identifier: BSL-1.0
// Memory of what was finished, for the next ones of its kind.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace core {

/// Blocks of one size, some `most` of them at most. Any thread may take and give.
///
/// Nobody waits: who finds another thread inside goes to the system instead, and so does who finds it empty, or full.
/// (A list that is taken whole and put back by atomic steps alone was slower, and grew without bound: whoever came
/// while it was taken brought a block more.)
template <std::size_t BlockSize>
class block_cache {
public:
    static constexpr std::size_t block_size = BlockSize;
    static constexpr std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    explicit block_cache(std::size_t most = 1024) noexcept : most_(most) {}
    block_cache(const block_cache&) = delete;
    block_cache& operator=(const block_cache&) = delete;
    ~block_cache() { shrink(); }

    std::size_t most() const noexcept { return most_; }

    void* allocate() {
        if (enter()) {
            block* const b = free_;
            if (b) {
                free_ = b->next;
                --kept_;
            }
            leave();
            if (b) return b;
        }
        return ::operator new(block_size);
    }
    void deallocate(void* memory) noexcept {
        if (enter()) {
            const bool keep = kept_ < most_;
            if (keep) {
                free_ = ::new (memory) block{free_};
                ++kept_;
            }
            leave();
            if (keep) return;
        }
        ::operator delete(memory);
    }
    /// Gives everything back to the system, if no other thread is inside.
    void shrink() noexcept {
        if (!enter()) return;
        block* b = std::exchange(free_, nullptr);
        kept_ = 0;
        leave();
        while (b) ::operator delete(std::exchange(b, b->next));
    }

private:
    struct block {
        block* next;
    };

    bool enter() noexcept {
        return !inside_.load(std::memory_order_relaxed) && !inside_.exchange(true, std::memory_order_acquire);
    }
    void leave() noexcept { inside_.store(false, std::memory_order_release); }

    std::atomic<bool> inside_{false};
    block* free_ = nullptr;
    std::size_t kept_ = 0;
    std::size_t most_;
};

/// Of pushed messages.
using node_cache = block_cache<640>;

} // namespace core
} // namespace v1
} // namespace sluice
