// SPDX-License-Identifier: BSL-1.0
// The frames of one write, laid one behind the other into memory that is used again.
#pragma once

#include <sluice/web/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace sluice {
inline namespace v1 {
namespace core {

/// While one write is in flight, what arrives waits for the next: the batch grows by itself with the load, without a
/// timer. `max_bytes` keeps one write from holding up acknowledgements; a frame that is larger goes alone. A batch may
/// have a limit of frames too.
class batcher {
public:
    /// For one write: it goes out, and acknowledgements are read, before more is compressed.
    static constexpr std::size_t most_compressed = 64 * 1024;
    static constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

    explicit batcher(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

    bool has_room(std::size_t frame) const noexcept {
        if (arena_.empty()) return true;
        return frames_left_ != 0 && arena_.size() + frame <= max_bytes_ &&
               (compressed_ == 0 || compressed_ + frame <= most_compressed);
    }
    /// So many bytes went through a compressor. That takes time, while acknowledgements wait.
    void compressed(std::size_t bytes) noexcept { compressed_ += bytes; }
    web::byte_buffer& arena() noexcept { return arena_; }
    void begin(std::size_t most_frames = any_number) noexcept {
        arena_.clear();
        compressed_ = 0;
        frames_left_ = most_frames;
    }
    /// One frame more is in the arena.
    void laid() noexcept { --frames_left_; }
    web::bytes_view batch() const noexcept { return arena_.view(); }

    /// An idle producer keeps no arena. A batch that has not been followed by `begin` may be on its way, and stays.
    void idle() noexcept { arena_.shrink(0); }

private:
    std::size_t max_bytes_;
    std::size_t compressed_ = 0;
    std::size_t frames_left_ = any_number;
    web::byte_buffer arena_{};
};

} // namespace core
} // namespace v1
} // namespace sluice
