// SPDX-License-Identifier: BSL-1.0
// The C library's allocation functions, interposed by the program's own (glibc): they count, and pass on.
#include "allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

// Constant initialised: the loader allocates before any constructor has run.
constinit std::atomic<std::uint64_t> count{0};

void counted() noexcept { count.fetch_add(1, std::memory_order_relaxed); }

} // namespace

namespace bench {

std::uint64_t allocations() noexcept { return count.load(std::memory_order_relaxed); }

} // namespace bench

extern "C" {

void* malloc(std::size_t size) noexcept {
    counted();
    return __libc_malloc(size);
}

void* calloc(std::size_t n, std::size_t size) noexcept {
    counted();
    return __libc_calloc(n, size);
}

void* realloc(void* p, std::size_t size) noexcept {
    counted();
    return __libc_realloc(p, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    counted();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** p, std::size_t alignment, std::size_t size) noexcept {
    counted();
    *p = __libc_memalign(alignment, size);
    return *p == nullptr ? ENOMEM : 0;
}
}
