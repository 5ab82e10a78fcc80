// SPDX-License-Identifier: BSL-1.0
// Counts the program's allocations. A replaced operator new would be blind to those that Asio makes with aligned_alloc.
#pragma once

#include <cstdint>

namespace bench {

/// Calls of malloc, calloc, realloc, aligned_alloc and posix_memalign so far, of all threads; operator new is among
/// them.
std::uint64_t allocations() noexcept;

} // namespace bench
