// SPDX-License-Identifier: BSL-1.0
// Memory that is cleansed before it is given back: keys, and what is about to be encrypted.
#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>

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

namespace detail {

struct clear_free {
    std::size_t size = 0;
    void operator()(std::byte* p) const noexcept { OPENSSL_clear_free(p, size); }
};

} // namespace detail

/// Room for secret bytes, used again and again. Grows without keeping what was in it.
class secret_buffer {
public:
    std::size_t capacity() const noexcept { return memory_ ? memory_.get_deleter().size : 0; }

    /// n bytes whose content is not specified. Throws `std::bad_alloc`.
    std::span<std::byte> room(std::size_t n) {
        if (n > capacity()) {
            memory_.reset();
            void* const fresh = OPENSSL_malloc(n);
            if (fresh == nullptr) throw std::bad_alloc();
            memory_ = {static_cast<std::byte*>(fresh), detail::clear_free{n}};
        }
        return {memory_.get(), n};
    }
    /// The first n bytes are no longer needed.
    void cleanse(std::size_t n) noexcept {
        if (n != 0) OPENSSL_cleanse(memory_.get(), n);
    }
    /// Gives the memory back.
    void release() noexcept { memory_.reset(); }

private:
    std::unique_ptr<std::byte, detail::clear_free> memory_{};
};

/// Cleanses a text and empties it.
inline void cleanse(std::string& text) noexcept {
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
