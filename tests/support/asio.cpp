// SPDX-License-Identifier: BSL-1.0
// Asio's own functions, compiled once for all test programs that use it (ASIO_SEPARATE_COMPILATION).
#include <asio/impl/src.hpp>
#include <asio/ssl/impl/src.hpp>
