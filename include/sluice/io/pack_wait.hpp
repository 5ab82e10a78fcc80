// SPDX-License-Identifier: BSL-1.0
// A timer of its own for packs that wait for company: the producer's tick is too coarse for it.
#pragma once

#include <sluice/core/send_node.hpp>
#include <sluice/io/watchdog.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// On one strand. A producer without packs has none.
template <class Timer>
class pack_wait {
public:
    template <class Strand>
    pack_wait(const Strand& strand, bool packs) {
        if (packs) timer_.emplace(strand);
    }

    /// `wake`, which keeps this alive, is called at `due`. Once asked for, it comes even if nobody waits any more.
    template <class Wake>
    void until(core::instant due, core::instant now, Wake wake) {
        if (due == due_) return;
        due_ = due;
        timer_->arm(std::max(due - now, core::instant(0)), [this, wake = std::move(wake)] {
            due_ = core::never;
            wake();
        });
    }
    void stop() {
        if (timer_) timer_->disarm();
    }

private:
    std::optional<watchdog<Timer>> timer_{};
    core::instant due_ = core::never;
};

} // namespace io
} // namespace v1
} // namespace sluice
