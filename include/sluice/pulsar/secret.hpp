// SPDX-License-Identifier: BSL-1.0
// Memory that is cleansed before it is given back: keys, and what is about to be encrypted.
#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// So many secret bytes. Neither copied nor moved: either would leave them in two places.
template <std::size_t N>
class secret_array {
public:
    secret_array() noexcept = default;
    secret_array(const secret_array&) = delete;
    secret_array& operator=(const secret_array&) = delete;
    ~secret_array() { OPENSSL_cleanse(bytes_.data(), N); }

    std::byte* data() noexcept { return bytes_.data(); }
    std::span<std::byte, N> span() noexcept { return bytes_; }
    unsigned char* octets() noexcept { return reinterpret_cast<unsigned char*>(bytes_.data()); }

private:
    std::array<std::byte, N> bytes_{};
};

/// Room for secret bytes, used again and again. Grows by what is asked for without keeping what was in it.
class secret_buffer {
public:
    secret_buffer() noexcept = default;
    secret_buffer(secret_buffer&& other) noexcept
        : memory_(std::move(other.memory_)), capacity_(std::exchange(other.capacity_, 0)) {}
    secret_buffer& operator=(secret_buffer&& other) noexcept {
        if (this == &other) return *this;
        cleanse(capacity_);
        memory_ = std::move(other.memory_);
        capacity_ = std::exchange(other.capacity_, 0);
        return *this;
    }
    ~secret_buffer() { cleanse(capacity_); }

    std::size_t capacity() const noexcept { return capacity_; }

    /// n bytes whose content is not specified.
    std::span<std::byte> room(std::size_t n) {
        if (n > capacity_) {
            cleanse(capacity_);
            capacity_ = 0;
            memory_ = std::make_unique_for_overwrite<std::byte[]>(n);
            capacity_ = n;
        }
        return {memory_.get(), n};
    }
    /// The first n bytes are no longer needed.
    void cleanse(std::size_t n) noexcept {
        if (n != 0) OPENSSL_cleanse(memory_.get(), n);
    }
    /// Cleanses all and gives the memory back.
    void release() noexcept { *this = secret_buffer(); }

private:
    std::unique_ptr<std::byte[]> memory_{};
    std::size_t capacity_ = 0;
};

/// Cleanses a text and empties it.
inline void cleanse(std::string& text) noexcept {
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
