// SPDX-License-Identifier: BSL-1.0
// Bytes in a row: views, a growing buffer without zero-filling, big-endian numbers.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace web {

using bytes_view = std::span<const std::byte>;

inline bytes_view as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Unsigned>
constexpr Unsigned big_endian(Unsigned v) noexcept {
    if constexpr (std::endian::native == std::endian::big) return v;
    Unsigned out = 0;
    for (std::size_t i = 0; i < sizeof v; ++i) {
        out = static_cast<Unsigned>((out << 8) | (v & 0xff));
        v = static_cast<Unsigned>(v >> 8);
    }
    return out;
}
template <class Unsigned>
inline Unsigned load_big_endian(const std::byte* at) noexcept {
    Unsigned v;
    std::memcpy(&v, at, sizeof v);
    return big_endian(v);
}
template <class Unsigned>
inline void store_big_endian(std::byte* at, Unsigned v) noexcept {
    v = big_endian(v);
    std::memcpy(at, &v, sizeof v);
}

/// Contiguous bytes that grow at the end and are consumed at the front. Memory is neither zero-filled nor given back,
/// except by `shrink`. Pointers are valid until the next call that may grow it.
class byte_buffer {
public:
    byte_buffer() noexcept = default;
    byte_buffer(byte_buffer&& other) noexcept
        : memory_(std::move(other.memory_)),
          begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        memory_ = std::move(other.memory_);
        begin_ = std::exchange(other.begin_, 0);
        end_ = std::exchange(other.end_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
        return *this;
    }

    std::byte* data() noexcept { return memory_.get() + begin_; }
    const std::byte* data() const noexcept { return memory_.get() + begin_; }
    std::size_t size() const noexcept { return end_ - begin_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return begin_ == end_; }
    bytes_view view() const noexcept { return {data(), size()}; }

    /// Room for n bytes behind the end, which `commit` then adds.
    std::byte* prepare(std::size_t n) {
        if (capacity_ - end_ < n) make_room(n);
        return memory_.get() + end_;
    }
    std::span<std::byte> spare() noexcept { return {memory_.get() + end_, capacity_ - end_}; }
    void commit(std::size_t n) noexcept { end_ += n; }
    void append(bytes_view bytes) {
        if (bytes.empty()) return;
        std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
        commit(bytes.size());
    }
    void append(std::string_view text) { append(as_bytes(text)); }

    void consume(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    void truncate(std::size_t size) noexcept { end_ = begin_ + size; }
    void clear() noexcept { begin_ = end_ = 0; }
    /// Gives the memory back if it is empty and larger than `keep`.
    void shrink(std::size_t keep) noexcept {
        if (!empty() || capacity_ <= keep) return;
        memory_.reset();
        begin_ = end_ = capacity_ = 0;
    }

private:
    void make_room(std::size_t n) {
        const std::size_t used = size();
        if (begin_ != 0 && capacity_ - used >= n && begin_ >= used) { // moving is cheaper than growing
            std::memcpy(memory_.get(), memory_.get() + begin_, used);
        } else {
            std::size_t larger = capacity_ < 256 ? 512 : capacity_ * 2;
            if (larger < used + n) larger = used + n;
            auto fresh = std::make_unique_for_overwrite<std::byte[]>(larger);
            if (used != 0) std::memcpy(fresh.get(), memory_.get() + begin_, used);
            memory_ = std::move(fresh);
            capacity_ = larger;
        }
        begin_ = 0;
        end_ = used;
    }

    std::unique_ptr<std::byte[]> memory_{};
    std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

} // namespace web
} // namespace v1
} // namespace sluice
