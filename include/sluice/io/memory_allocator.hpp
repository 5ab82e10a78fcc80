// SPDX-License-Identifier: BSL-1.0
// An allocator, as Asio asks for it, over memory of ours.
#pragma once

#include <cstddef>

namespace sluice {
inline namespace v1 {
namespace io {

/// `Memory`: a pointer, plain or owning, to what has `allocate(size)` and `deallocate(memory, size)`, and gives memory
/// that is aligned as that of `operator new` is.
template <class T, class Memory>
class memory_allocator {
public:
    using value_type = T;
    template <class U>
    struct rebind {
        using other = memory_allocator<U, Memory>;
    };

    explicit memory_allocator(Memory memory) noexcept : memory_(static_cast<Memory&&>(memory)) {}
    template <class U>
    memory_allocator(const memory_allocator<U, Memory>& other) noexcept : memory_(other.memory()) {}

    T* allocate(std::size_t n) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(memory_->allocate(n * sizeof(T)));
    }
    void deallocate(T* at, std::size_t n) noexcept { memory_->deallocate(at, n * sizeof(T)); }

    const Memory& memory() const noexcept { return memory_; }
    template <class U>
    friend bool operator==(const memory_allocator& a, const memory_allocator<U, Memory>& b) noexcept {
        return a.memory() == b.memory();
    }

private:
    Memory memory_;
};

} // namespace io
} // namespace v1
} // namespace sluice
