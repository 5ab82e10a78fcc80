// SPDX-License-Identifier: BSL-1.0
// Whether a message may be accepted at once: what `when_full = fail` and `try_push` ask, from any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice {
inline namespace v1 {
namespace core {

/// Messages, and the bytes of their payloads.
struct share {
    std::size_t messages = 0;
    std::size_t bytes = 0;
};

/// Messages that the strand has taken over are counted by it (`held`), those still in the accumulator by who put them
/// there (`underway`). The strand raises `held` before it lowers `underway`: a sender that looks in between counts a
/// message twice, never not at all, so the limit holds. Two that race for the last place may both be refused.
///
/// Both numbers of a share are in one word, for one atomic step a message: 20 bits count messages, of which
/// `max_pending_messages` allows a million, and 44 bits bytes.
class admission {
public:
    explicit admission(share limit) noexcept : limit_(limit) {}

    /// Any thread. True: a message of so many bytes may be pushed, and is counted. One that is alone is let in however
    /// large, as into the window, and whether or not there is `room` elsewhere.
    bool reserve(std::size_t bytes, bool room = true) noexcept {
        const std::uint64_t mine = pack({1, bytes});
        const share underway = unpack(underway_.fetch_add(mine, std::memory_order_acquire) + mine);
        const share held = unpack(held_.load(std::memory_order_relaxed));
        const std::size_t messages = underway.messages + held.messages;
        if (messages == 1) return true;
        if (room && messages <= limit_.messages && underway.bytes + held.bytes <= limit_.bytes) return true;
        give_back(bytes);
        return false;
    }
    void give_back(std::size_t bytes) noexcept { underway_.fetch_sub(pack({1, bytes}), std::memory_order_relaxed); }

    /// The strand.
    void hold(share held, share taken_over) noexcept {
        held_.store(pack(held), std::memory_order_relaxed);
        if (taken_over.messages != 0) underway_.fetch_sub(pack(taken_over), std::memory_order_release);
    }

private:
    static constexpr unsigned byte_bits = 44;
    static constexpr std::uint64_t most_bytes = (std::uint64_t{1} << byte_bits) - 1;
    static constexpr std::uint64_t most_messages = (std::uint64_t{1} << (64 - byte_bits)) - 1;

    /// What is more than there are bits for is over every limit all the same.
    static constexpr std::uint64_t pack(share s) noexcept {
        return std::min<std::uint64_t>(s.messages, most_messages) << byte_bits |
               std::min<std::uint64_t>(s.bytes, most_bytes);
    }
    static constexpr share unpack(std::uint64_t word) noexcept {
        return {static_cast<std::size_t>(word >> byte_bits), static_cast<std::size_t>(word & most_bytes)};
    }

    share limit_;
    std::atomic<std::uint64_t> held_{0};
    std::atomic<std::uint64_t> underway_{0};
};

} // namespace core
} // namespace v1
} // namespace sluice
