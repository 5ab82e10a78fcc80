// SPDX-License-Identifier: BSL-1.0
// How long to wait before the next attempt to connect.
#pragma once

#include <sluice/config.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace sluice {
inline namespace v1 {
namespace core {

/// Full jitter: uniform in 0 .. min(maximum, initial * multiplier^attempt). A whole fleet that lost its server at one
/// moment then comes back spread out. `random` is 64 random bits.
inline std::chrono::milliseconds backoff_delay(const reconnect_policy& policy, unsigned attempt,
                                               std::uint64_t random) noexcept {
    const double ceiling = std::min(static_cast<double>(policy.initial.count()) * std::pow(policy.multiplier, attempt),
                                    static_cast<double>(policy.maximum.count()));
    const double unit = static_cast<double>(random >> 11) * 0x1.0p-53; // 53 bits: 0 <= unit < 1
    return std::chrono::milliseconds(static_cast<std::int64_t>(unit * (ceiling + 1.0)));
}

} // namespace core
} // namespace v1
} // namespace sluice
