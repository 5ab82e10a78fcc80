// SPDX-License-Identifier: BSL-1.0
// What is due when, in an order that a seed repeats, without an allocation for each.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace simulation {

using nanoseconds = std::chrono::nanoseconds;

/// A function in place, called once.
class event {
public:
    event() noexcept = default;
    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, event>)
    event(F f) { // NOLINT: converts
        static_assert(sizeof(F) <= sizeof(memory_) && alignof(F) <= alignof(std::max_align_t));
        static_assert(std::is_nothrow_move_constructible_v<F>);
        ::new (static_cast<void*>(memory_.data())) F(std::move(f));
        act_ = [](std::byte* from, std::byte* to, bool call) {
            F* const f_at = std::launder(reinterpret_cast<F*>(from));
            if (to != nullptr) ::new (static_cast<void*>(to)) F(std::move(*f_at));
            if (call) (*f_at)();
            f_at->~F();
        };
    }
    event(event&& other) noexcept : act_(std::exchange(other.act_, nullptr)) {
        if (act_) act_(other.memory_.data(), memory_.data(), false);
    }
    event& operator=(event&& other) noexcept {
        if (this == &other) return *this;
        reset();
        act_ = std::exchange(other.act_, nullptr);
        if (act_) act_(other.memory_.data(), memory_.data(), false);
        return *this;
    }
    ~event() { reset(); }

    void reset() noexcept {
        if (const auto act = std::exchange(act_, nullptr)) act(memory_.data(), nullptr, false);
    }
    void operator()() { std::exchange(act_, nullptr)(memory_.data(), nullptr, true); }

private:
    alignas(std::max_align_t) std::array<std::byte, 48> memory_;
    void (*act_)(std::byte* from, std::byte* to, bool call) = nullptr;
};

/// A heap of places; the functions stand still. What is forgotten leaves its place in the heap until its time comes.
class event_queue {
public:
    /// Of one event; of no event any more once it has come, or was forgotten.
    struct ticket {
        std::uint32_t slot = 0, generation = 0;
    };

    /// `tie`: what is due at one moment comes in the order of these.
    ticket add(nanoseconds when, std::uint64_t tie, event e) {
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(slots_.size()));
            slots_.emplace_back();
            free_.reserve(slots_.size()); // for `release`, which does not throw
        }
        const std::uint32_t i = free_.back();
        free_.pop_back();
        slots_[i].what = std::move(e);
        heap_.push_back({when, tie, i, slots_[i].generation});
        std::push_heap(heap_.begin(), heap_.end(), later);
        return {i, slots_[i].generation};
    }
    void forget(ticket t) noexcept {
        if (t.slot >= slots_.size() || slots_[t.slot].generation != t.generation) return;
        const event gone = release(t.slot); // what it holds may forget others
    }
    /// `max()`: nothing is due.
    nanoseconds next_time() noexcept {
        skip();
        return heap_.empty() ? nanoseconds::max() : heap_.front().when;
    }
    /// Nothing may be asked of an empty queue.
    event take() {
        const std::uint32_t i = heap_.front().slot;
        pop();
        return release(i);
    }

private:
    struct slot {
        event what{};
        std::uint32_t generation = 1;
    };
    struct entry {
        nanoseconds when;
        std::uint64_t tie;
        std::uint32_t slot, generation;
    };
    static bool later(const entry& a, const entry& b) noexcept {
        return a.when != b.when ? a.when > b.when : a.tie > b.tie;
    }

    event release(std::uint32_t i) noexcept {
        ++slots_[i].generation;
        free_.push_back(i);
        return std::move(slots_[i].what);
    }
    void pop() noexcept {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        heap_.pop_back();
    }
    void skip() noexcept {
        while (!heap_.empty() && slots_[heap_.front().slot].generation != heap_.front().generation) pop();
    }

    std::vector<slot> slots_{};
    std::vector<std::uint32_t> free_{};
    std::vector<entry> heap_{};
};

} // namespace simulation
