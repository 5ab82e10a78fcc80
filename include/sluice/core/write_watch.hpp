// SPDX-License-Identifier: BSL-1.0
// Notices a write that gets nowhere: the peer has stopped reading, or the way to it is dead.
#pragma once

#include <sluice/core/send_node.hpp>

namespace sluice {
inline namespace v1 {
namespace core {

/// Progress counts, not the whole: a slow peer may take as long as it likes, one that takes nothing at all may not. A
/// limit of 0 is none.
class write_watch {
public:
    explicit write_watch(instant limit) noexcept : limit_(limit) {}

    /// A write began, or a part of it went out.
    void moved(instant now) noexcept { since_ = now; }
    /// Nothing is being written.
    void done() noexcept { since_ = never; }

    bool stalled(instant now) const noexcept {
        return limit_ != instant::zero() && since_ != never && now - since_ >= limit_;
    }

private:
    instant limit_;
    instant since_ = never;
};

} // namespace core
} // namespace v1
} // namespace sluice
