// SPDX-License-Identifier: BSL-1.0
// Masking, RFC 6455 section 5.3: every frame of a client is XORed with a fresh, unpredictable key.
#pragma once

#include <sluice/web/bytes.hpp>

#include <array>
#include <memory>

namespace sluice {
inline namespace v1 {
namespace web {

/// The four octets in the order in which they stand on the wire, as a number in memory order.
using mask_key = std::uint32_t;

/// The key as it applies n octets further on.
constexpr mask_key advance_mask(mask_key key, std::size_t n) noexcept {
    const int bits = static_cast<int>((n & 3) * 8);
    if constexpr (std::endian::native == std::endian::little) return std::rotr(key, bits);
    return std::rotl(key, bits);
}

/// XORs in place; the first octet of `key` meets the first of `data`.
inline void apply_mask(std::byte* data, std::size_t n, mask_key key) noexcept {
    const std::uint64_t wide = (static_cast<std::uint64_t>(key) << 32) | key;
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) { // compilers make vectors of this loop
        std::uint64_t v;
        std::memcpy(&v, data + i, 8);
        v ^= wide;
        std::memcpy(data + i, &v, 8);
    }
    std::array<std::byte, 4> octets;
    std::memcpy(octets.data(), &key, 4);
    for (; i < n; ++i) data[i] ^= octets[i & 3];
}

/// Copies masked text whose size is a multiple of four, so that the key need not be advanced; returns the end. (To mask
/// in place what has just been stored in pieces of other sizes waits for those stores.)
inline char* put_masked(std::string_view text, char* out, mask_key key) noexcept {
    for (std::size_t i = 0; i + 4 <= text.size(); i += 4) {
        mask_key v;
        std::memcpy(&v, text.data() + i, 4);
        v ^= key;
        std::memcpy(out + i, &v, 4);
    }
    return out + text.size();
}

/// Where unpredictable bytes come from: an argument, so that a test can repeat them.
struct random_source {
    void* context = nullptr;
    void (*fill)(void* context, std::span<std::byte> out) = nullptr;

    void operator()(std::span<std::byte> out) const { fill(context, out); }
};

/// A store of fresh keys, since a call of the source costs more than many frames: the first call is for a few keys,
/// each further one for many.
class mask_keys {
public:
    explicit mask_keys(random_source source) noexcept : source_(source) {}
    mask_keys(const mask_keys&) = delete;
    mask_keys& operator=(const mask_keys&) = delete;

    mask_key next() {
        if (at_ == end_) [[unlikely]]
            refill();
        return std::exchange(*at_++, 0);
    }

    /// Keeps no more than a few.
    void shrink() noexcept {
        if (end_ - keys_.get() <= few) return;
        keys_.reset();
        at_ = end_ = nullptr;
    }

private:
    static constexpr std::ptrdiff_t few = 64, many = 2048;

    [[gnu::noinline]] void refill() {
        const std::ptrdiff_t size = end_ == nullptr ? few : many;
        if (end_ - keys_.get() != size) {
            keys_ = std::make_unique<mask_key[]>(static_cast<std::size_t>(size));
            at_ = end_ = keys_.get() + size; // used up, until the source has filled them
        }
        source_(std::as_writable_bytes(std::span(keys_.get(), end_)));
        at_ = keys_.get();
    }

    random_source source_;
    std::unique_ptr<mask_key[]> keys_{};
    mask_key *at_ = nullptr, *end_ = nullptr;
};

} // namespace web
} // namespace v1
} // namespace sluice
