// SPDX-License-Identifier: BSL-1.0
// What is in use of the heap: after a run it is back at the start.
#pragma once

#include "report.hpp"

#include <malloc.h>

#include <cstddef>
#include <cstdint>

// The sanitizers have heaps of their own, of which nobody can ask how much is in use; they find leaks themselves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_HEAP_IS_COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_HEAP_IS_COUNTED 0
#endif
#endif
#if !defined(SLUICE_HEAP_IS_COUNTED)
#define SLUICE_HEAP_IS_COUNTED 1
#endif

namespace simulation {

inline std::size_t heap_in_use() noexcept { return SLUICE_HEAP_IS_COUNTED ? ::mallinfo2().uordblks : 0; }

/// For a run that has left more in use than it found. A leak does so each time; the allocator's own caches, which count
/// as in use, are full after a few.
inline bool leaks(std::uint64_t seed) {
    for (int again = 0; again < 10; ++again) {
        const std::size_t before = heap_in_use();
        simulate(seed);
        if (heap_in_use() <= before) return false;
    }
    return true;
}

} // namespace simulation
