// SPDX-License-Identifier: BSL-1.0
// Randomness that a seed repeats.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

namespace simulation {

/// splitmix64: each value of the state is a stream of its own, so one seed gives as many independent dice as are
/// needed.
class dice {
public:
    explicit dice(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t bits() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// 0 .. n - 1; n is at least 1.
    std::uint64_t below(std::uint64_t n) noexcept { return bits() % n; }
    template <class T>
    T between(T low, T high) noexcept {
        return low + static_cast<T>(below(static_cast<std::uint64_t>(high - low) + 1));
    }
    std::chrono::nanoseconds between(std::chrono::nanoseconds low, std::chrono::nanoseconds high) noexcept {
        return std::chrono::nanoseconds(between(low.count(), high.count()));
    }
    bool percent(unsigned chance) noexcept { return below(100) < chance; }
    template <class T>
    T pick(std::initializer_list<T> from) noexcept {
        return from.begin()[below(from.size())];
    }
    void fill(std::span<std::byte> out) noexcept {
        while (!out.empty()) {
            const std::uint64_t v = bits();
            const std::size_t n = out.size() < sizeof v ? out.size() : sizeof v;
            std::memcpy(out.data(), &v, n);
            out = out.subspan(n);
        }
    }
    /// Another die that goes its own way.
    dice fork() noexcept { return dice(bits()); }

private:
    std::uint64_t state_;
};

} // namespace simulation
