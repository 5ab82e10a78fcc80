// SPDX-License-Identifier: BSL-1.0
// The way to an open socket, step by step, and what a failure on it means.
#pragma once

#include <sluice/core/backoff.hpp>
#include <sluice/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace core {

/// What a failed attempt to connect means for the producer.
enum class verdict { retry, fresh_credential, fatal };

/// 401 is worth one fresh credential; 403, 404 and 400 stay as they are however often one asks. Everything else may
/// pass: 409 is one's own ghost for some 0.2 s after a lost connection, or the name is held by somebody else.
inline verdict judge(const failure& f, bool credential_is_fresh) noexcept {
    if (f.code == errc::unauthorized) return credential_is_fresh ? verdict::fatal : verdict::fresh_credential;
    return f.code == condition::fatal ? verdict::fatal : verdict::retry;
}

/// credential -> region -> connect, OTP -> upgrade -> open -> (lost: credential again) ... -> closed
///
/// `next` says what to do; the owner does it and tells `succeeded` or `failed`. What this server does not need is left
/// out. After a failure every step is gone through again: the region may have moved, the one-time password is
/// used up, and what is still good (the credential, the region's name) is answered from the client's memory.
class session {
public:
    enum class step : std::uint8_t { credential, region, connect, upgrade, open, wait, stop };

    struct needs {
        bool region = false;
        bool one_time_password = false;
    };

    session(needs n, reconnect_policy policy) noexcept : needs_(n), policy_(policy) {}

    step next() const noexcept { return step_; }
    /// For `step::credential`: the one at hand was refused.
    bool wants_fresh_credential() const noexcept { return fresh_credential_; }
    /// For `step::wait`.
    std::chrono::milliseconds delay() const noexcept { return delay_; }
    /// Failed attempts since a socket last worked.
    unsigned attempts() const noexcept { return attempts_; }

    void succeeded() noexcept {
        switch (step_) {
        case step::wait: step_ = step::credential; break;
        case step::credential: step_ = needs_.region ? step::region : step::connect; break;
        case step::region: step_ = step::connect; break;
        case step::connect: step_ = step::upgrade; break;
        case step::upgrade:
            step_ = step::open;
            fresh_credential_ = false;
            break;
        case step::open:
        case step::stop: break;
        }
    }

    /// The open socket was of use. A server that lets everybody in and drops them at once is asked less and less often,
    /// as one that lets nobody in.
    void worked() noexcept { attempts_ = 0; }

    /// The open socket is left for another one, which is no failure.
    void reopen() noexcept {
        attempts_ = 0;
        contested_ = {};
        step_ = step::credential;
    }

    /// A failure as those who wait are told it: one of how many, and how the ones before it ended. A name that is in
    /// use for longer than one's own ghost needs to let go of it is said to be.
    failure told(const failure& f) {
        error_details d = f.details ? *f.details : error_details();
        d.attempts = attempts_ + 1;
        if (attempts_ == 0) history_.clear();
        constexpr std::size_t longest = 8;
        if (history_.size() == longest) history_.erase(history_.begin());
        history_.push_back(f.code);
        d.history = history_;
        if (f.code == errc::conflict && contested_ >= ghost_time)
            d.text +=
                (d.text.empty() ? "" : "; ") + std::string("the name is in use for over 5 s: by another producer, or "
                                                           "by a connection whose end the broker has not noticed");
        return make_failure(f.code, std::move(d));
    }

    /// The step under way failed, or the open socket was lost. `random`: 64 random bits for the jitter. `renewable`:
    /// another credential can be had.
    verdict failed(const failure& f, std::uint64_t random, bool renewable) noexcept {
        const bool was_open = step_ == step::open;
        if (f.code != errc::conflict) contested_ = {};
        verdict v = was_open ? verdict::retry : judge(f, fresh_credential_);
        // A one-time password that came too late is refused like a credential: another one is had with the same.
        const bool one_time = step_ == step::upgrade && needs_.one_time_password;
        if (v == verdict::fresh_credential && !renewable && !one_time) v = verdict::fatal;
        switch (v) {
        case verdict::fatal: step_ = step::stop; break;
        case verdict::fresh_credential:
            ++attempts_;
            fresh_credential_ = true;
            step_ = step::credential;
            break;
        case verdict::retry:
            delay_ = backoff_delay(policy_, attempts_, random);
            if (f.details && f.details->retry_after_s >= 0) {
                const std::chrono::seconds asked(std::min(f.details->retry_after_s, 3600L));
                delay_ = std::max<std::chrono::milliseconds>(delay_, asked);
            }
            ++attempts_;
            if (f.code == errc::conflict) contested_ += delay_;
            step_ = step::wait;
            break;
        }
        return v;
    }

    void stop() noexcept { step_ = step::stop; }

private:
    /// One's own ghost is gone within some 0.2 s, if the broker has seen the connection end.
    static constexpr std::chrono::seconds ghost_time{5};

    needs needs_;
    reconnect_policy policy_;
    step step_ = step::credential;
    bool fresh_credential_ = false;
    unsigned attempts_ = 0;
    std::vector<std::error_code> history_{};
    std::chrono::milliseconds delay_{};
    std::chrono::milliseconds contested_{}; // waited for the name, in a row
};

} // namespace core
} // namespace v1
} // namespace sluice
