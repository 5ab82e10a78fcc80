// SPDX-License-Identifier: BSL-1.0
// One kind of socket behind the upgrade, as its connection sees it.
#pragma once

#include <sluice/testing/gateway/types.hpp>

#include <cstdint>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Where a socket's answers go.
class answer_sink {
public:
    virtual void text(std::string_view message) = 0;
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// Ends the connection behind what has been said, without a close frame.
    virtual void abort() = 0;

protected:
    ~answer_sink() = default;
};

/// Told when a socket has something to do that nobody at its own connection asked for.
class wake_target {
public:
    virtual void wake() = 0;

protected:
    ~wake_target() = default;
};

class proxied_socket {
public:
    virtual ~proxied_socket() = default;

    /// Before anything else; the target outlives `end`.
    virtual void wake_by(wake_target& target) { target_ = &target; }

    virtual void text(std::string_view message, time_point now, answer_sink& out) = 0;
    /// When `advance` has something to do; `time_point::max()`: never before it is woken.
    virtual time_point next_time() const noexcept = 0;
    virtual void advance(time_point now, answer_sink& out) = 0;
    /// The connection is over, or the closing handshake has begun: nothing is answered any more.
    virtual void end(time_point now) = 0;

protected:
    void wake_connection() {
        if (target_ != nullptr) target_->wake();
    }

private:
    wake_target* target_ = nullptr;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
