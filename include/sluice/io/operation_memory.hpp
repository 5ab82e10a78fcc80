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
    void deallocate(void* memory, std::size_t) noexcept {
        if (memory == block_.get())
            used_ = false;
        else
            ::operator delete(memory);
    }

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
