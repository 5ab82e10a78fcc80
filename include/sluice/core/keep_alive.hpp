// SPDX-License-Identifier: BSL-1.0
// Notices a peer that is gone without a word: RFC 6455 section 5.5.2's pings.
#pragma once

#include <sluice/core/send_node.hpp>

#include <cstdint>

namespace sluice {
inline namespace v1 {
namespace core {

/// A ping after `interval` without a byte, and as long again for anything to come back. An interval of 0 is off.
class keep_alive {
public:
    enum class verdict : std::uint8_t { fine, ping, gone };

    explicit keep_alive(instant interval) noexcept : interval_(interval) {}

    bool enabled() const noexcept { return interval_ != instant::zero(); }

    /// The socket opened, or bytes came.
    void heard(instant now) noexcept {
        heard_ = now;
        pinged_ = never;
    }
    instant last_heard() const noexcept { return heard_; }

    /// `ping` is said once a silence.
    verdict check(instant now) noexcept {
        if (!enabled()) return verdict::fine;
        // Counted from the ping: a check that comes late, from a machine that slept, leaves the peer its time.
        if (pinged_ != never) return now - pinged_ >= interval_ ? verdict::gone : verdict::fine;
        if (now - heard_ < interval_) return verdict::fine;
        pinged_ = now;
        return verdict::ping;
    }

private:
    instant interval_;
    instant heard_{};
    instant pinged_ = never;
};

} // namespace core
} // namespace v1
} // namespace sluice
