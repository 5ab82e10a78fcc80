// SPDX-License-Identifier: BSL-1.0
// Memory for an operation that is begun again and again.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// One block, as large as an operation has needed so far: Asio keeps two a thread for all that run there, which reads
/// and writes under way would hold for themselves. Used by one operation, which asks for the next block only after it
/// has given the last one back; whoever comes meanwhile gets memory of its own. Outlives its operations.
class operation_memory {
public:
    operation_memory() noexcept = default;
    operation_memory(const operation_memory&) = delete;
    operation_memory& operator=(const operation_memory&) = delete;

    void* allocate(std::size_t size) {
        if (used_) return ::operator new(size);
        if (size > size_) {
            block_.reset(::operator new(size));
            size_ = size;
        }
        used_ = true;
        return block_.get();
    }
    void deallocate(void* memory) noexcept {
        if (memory == block_.get())
            used_ = false;
        else
            ::operator delete(memory);
    }

    /// For `asio::bind_allocator`.
    template <class T>
    class allocator {
    public:
        using value_type = T;
        explicit allocator(operation_memory& memory) noexcept : memory_(&memory) {}
        template <class U>
        allocator(const allocator<U>& other) noexcept : memory_(other.memory_) {}

        T* allocate(std::size_t n) {
            static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
            return static_cast<T*>(memory_->allocate(sizeof(T) * n));
        }
        void deallocate(T* at, std::size_t) noexcept { memory_->deallocate(at); }

        template <class U>
        friend bool operator==(const allocator& a, const allocator<U>& b) noexcept {
            return a.memory_ == allocator(b).memory_;
        }

    private:
        template <class U>
        friend class allocator;
        operation_memory* memory_;
    };

private:
    struct release {
        void operator()(void* memory) const noexcept { ::operator delete(memory); }
    };

    std::unique_ptr<void, release> block_{};
    std::size_t size_ = 0;
    bool used_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
