// SPDX-License-Identifier: BSL-1.0
// Waiting for nothing but time.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <chrono>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace io {

/// On that strand. A cancellation ends it early, which is no error.
template <class Timer, class Strand>
task<Strand> delay(Strand strand, std::chrono::milliseconds d) {
    Timer timer(strand);
    timer.expires_after(d);
    std::error_code ec;
    co_await timer.async_wait(into<Strand>(ec));
}

} // namespace io
} // namespace v1
} // namespace sluice
