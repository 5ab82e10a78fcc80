// SPDX-License-Identifier: BSL-1.0
// Asio's own functions, compiled once for all test programs that use it (ASIO_SEPARATE_COMPILATION).
// Asio 1.22 chooses its allocation functions by a macro of the standard library's, which no header of Asio's has
// included at that point: without this line it frees here with another function than it allocates with elsewhere.
#include <cstddef>

#include <asio/impl/src.hpp>
#include <asio/ssl/impl/src.hpp>
