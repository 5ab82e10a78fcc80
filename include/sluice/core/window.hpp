// SPDX-License-Identifier: BSL-1.0
// What was written and is not answered yet.
#pragma once

#include <sluice/core/send_node.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice {
inline namespace v1 {
namespace core {

/// A ring of slots by context. A slot stands for one frame: it owns the frame's context (its number here) and, with the
/// producer's base added, its sequence number, and holds a chain of the nodes that the frame carries: one for a plain
/// message, many for a pack.
///
///     free -> live -> free             answered, timed out at a lost connection
///     free -> live -> tombstone -> free    the waiter left (cancelled, timed out) after the frame was encoded: the
///                                          slot keeps its place, its number and its share of the window
///
/// Three functions are inlined whatever the compiler thinks: each message goes through them, and their calls cost it a
/// tenth of the publisher's instructions.
class window {
public:
    enum class slot_state : std::uint8_t { free, live, tombstone };

    struct slot {
        node_list chain{};
        std::uint32_t messages = 0;
        std::uint32_t attempts = 0; ///< connections that it was encoded for
        std::size_t bytes = 0;      ///< of payload
        std::uint32_t text = 0;     ///< octets of the frame's JSON
        slot_state state = slot_state::free;
    };

    window(std::size_t max_messages, std::size_t max_bytes) noexcept
        : max_messages_(max_messages), max_bytes_(max_bytes) {}

    /// An oversized message is let in alone: it must not wedge the window.
    bool has_room(std::size_t messages, std::size_t bytes) const noexcept {
        if (messages_ == 0) return true;
        return messages_ + messages <= max_messages_ && bytes_ + bytes <= max_bytes_;
    }

    /// Opens the next slot: its context is what `next()` was.
    [[gnu::always_inline]] slot& open(std::uint32_t messages, std::size_t bytes) {
        if (next_ - oldest_ == capacity_) grow();
        slot& s = at(next_);
        s.messages = messages;
        s.bytes = bytes;
        s.attempts = 0;
        s.state = slot_state::live;
        messages_ += messages;
        bytes_ += bytes;
        ++next_;
        return s;
    }

    /// Null for a context that is not in the window: unknown, or answered before.
    [[gnu::always_inline]] slot* find(std::uint64_t context) noexcept {
        if (context - oldest_ >= next_ - oldest_) return nullptr;
        slot& s = at(context);
        return s.state == slot_state::free ? nullptr : &s;
    }

    /// The frame is settled; its chain has been taken out before.
    void release(std::uint64_t context) noexcept { release(at(context), context); }
    /// The same where its slot is at hand.
    [[gnu::always_inline]] void release(slot& s, std::uint64_t context) noexcept {
        messages_ -= s.messages;
        bytes_ -= s.bytes;
        s.state = slot_state::free;
        if (context != oldest_) return;
        do ++oldest_;
        while (oldest_ != next_ && at(oldest_).state == slot_state::free);
    }

    /// The first context at or after `from` that is live; `next()` if none is.
    std::uint64_t first_live(std::uint64_t from) const noexcept {
        std::uint64_t c = std::max(from, oldest_);
        while (c != next_ && at(c).state != slot_state::live) ++c;
        return c;
    }

    std::uint64_t oldest() const noexcept { return oldest_; } ///< the first context that is not free
    std::uint64_t next() const noexcept { return next_; }     ///< the context that the next slot will get
    std::size_t messages() const noexcept { return messages_; }
    std::size_t bytes() const noexcept { return bytes_; }
    bool empty() const noexcept { return oldest_ == next_; }

    /// Gives the ring back when nothing is in it.
    void shrink() noexcept {
        if (!empty()) return;
        slots_.reset();
        capacity_ = 0;
    }

private:
    slot& at(std::uint64_t context) noexcept { return slots_[context & (capacity_ - 1)]; }
    const slot& at(std::uint64_t context) const noexcept { return slots_[context & (capacity_ - 1)]; }

    void grow() {
        const std::size_t size = std::max<std::size_t>(capacity_ * 2, 16);
        auto larger = std::make_unique<slot[]>(size);
        for (std::uint64_t c = oldest_; c != next_; ++c) larger[c & (size - 1)] = std::move(at(c));
        slots_ = std::move(larger);
        capacity_ = size;
    }

    std::unique_ptr<slot[]> slots_{};
    std::size_t capacity_ = 0; // a power of two, or none
    std::uint64_t oldest_ = 0;
    std::uint64_t next_ = 0;
    std::size_t messages_ = 0, bytes_ = 0;
    std::size_t max_messages_, max_bytes_;
};

} // namespace core
} // namespace v1
} // namespace sluice
