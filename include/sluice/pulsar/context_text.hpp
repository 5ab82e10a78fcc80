// SPDX-License-Identifier: BSL-1.0
// The text of a context: at the end of a plain message, and in its acknowledgement.
#pragma once

#include <sluice/web/mask.hpp>

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// `"N"}`, for contexts that nearly always count up: the digits are counted up in place instead of divided out, and
/// compared instead of multiplied. (And each is ready before it is needed: what has just been stored byte by byte
/// cannot be loaded as words at once.)
class context_text {
public:
    context_text() noexcept { write(0); }

    std::uint64_t context() const noexcept { return context_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t digits() const noexcept { return size_ - 3; }

    /// Makes it that of `context`.
    void turn_to(std::uint64_t context) noexcept {
        if (context != context_) write(context);
    }
    /// Makes it that of the next one.
    void next() noexcept {
        std::size_t last = digits();
        while (text_[last] == '9') text_[last--] = '0';
        if (++context_ == 0 || last == 0) return write(context_); // one digit more, or the last number of all
        ++text_[last];
    }

    /// Copies it masked: up to seven bytes behind `size()` are written too.
    void put(char* out, web::mask_key key) const noexcept {
        const std::uint64_t wide = (std::uint64_t{key} << 32) | key;
        for (std::size_t i = 0; i < size_; i += 8) {
            std::uint64_t v;
            std::memcpy(&v, text_.data() + i, 8);
            v ^= wide;
            std::memcpy(out + i, &v, 8);
        }
    }

    /// True if at `at` are its digits and a quote. It may be false though they are: near the `end`, where there are
    /// more than 15, or on a machine that is big-endian.
    bool stands_at(const char* at, const char* end) const noexcept {
        if constexpr (std::endian::native != std::endian::little) return false;
        const std::size_t n = digits() + 1;
        const auto differ = [&](std::size_t i) noexcept { // in which bits of eight bytes
            std::uint64_t a, b;
            std::memcpy(&a, at + i, 8);
            std::memcpy(&b, text_.data() + 1 + i, 8);
            return a ^ b;
        };
        const auto left = static_cast<std::size_t>(end - at);
        if (n <= 8) return left >= 8 && differ(0) << (64 - 8 * n) == 0;
        return n <= 16 && left >= n && differ(0) == 0 && differ(n - 8) == 0;
    }

private:
    [[gnu::noinline]] void write(std::uint64_t context) noexcept { // seldom
        context_ = context;
        text_[0] = '"';
        char* const end = std::to_chars(text_.data() + 1, text_.data() + 21, context).ptr;
        end[0] = '"';
        end[1] = '}';
        size_ = static_cast<std::size_t>(end - text_.data()) + 2;
    }

    std::array<char, 24> text_{};
    std::size_t size_ = 0;
    std::uint64_t context_ = 0;
};

} // namespace pulsar
} // namespace v1
} // namespace sluice
