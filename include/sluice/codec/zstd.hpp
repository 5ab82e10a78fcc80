// SPDX-License-Identifier: BSL-1.0
// ZSTD by libzstd: one frame of RFC 8878.
#pragma once

#include <sluice/codec.hpp>

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace codec {

/// ZSTD. The contexts are allocated at their first use and reused; the compressor's grows with the level and with the
/// payload. A moved-from object is as good as a new one of the same level.
///
/// `std::errc::not_enough_memory` if libzstd has none. Frames of before zstd 0.8, skippable frames, more than one
/// frame and frames that need a dictionary are `errc::corrupt_data`: Pulsar makes none of them.
class zstd {
public:
    /// 1 (fast) to 22 (smallest), negative ones are faster still, 0 means 3. Values outside mean the nearest.
    explicit zstd(int level = 3) noexcept : level_(std::clamp(level, ::ZSTD_minCLevel(), ::ZSTD_maxCLevel())) {}

    compression_type type() const noexcept { return compression_type::zstd; }

    std::size_t bound(std::size_t n) const noexcept {
        // Newer versions answer an error, which is a huge number; older ones wrap around.
        return std::max(n, ::ZSTD_compressBound(n));
    }

    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (!compressor_) compressor_.reset(::ZSTD_createCCtx());
        if (!compressor_) return out_of_memory();
        return finish(::ZSTD_compressCCtx(compressor_.get(), out.data(), out.size(), in.data(), in.size(), level_));
    }

    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        // ZSTD_decompressDCtx takes any number of frames of any kind.
        if (!begins_frame(in) || ::ZSTD_findFrameCompressedSize(in.data(), in.size()) != in.size())
            return {errc::corrupt_data};
        if (!decompressor_) decompressor_.reset(::ZSTD_createDCtx());
        if (!decompressor_) return out_of_memory();
        std::byte none; // libzstd answers a null with another error
        void* const at = out.empty() ? &none : out.data();
        return finish(::ZSTD_decompressDCtx(decompressor_.get(), at, out.size(), in.data(), in.size()));
    }

private:
    struct free_context {
        void operator()(ZSTD_CCtx* c) const noexcept { ::ZSTD_freeCCtx(c); }
        void operator()(ZSTD_DCtx* d) const noexcept { ::ZSTD_freeDCtx(d); }
    };

    static bool begins_frame(std::span<const std::byte> in) noexcept {
        if (in.size() < 4) return false;
        std::uint32_t magic = 0; // little endian, RFC 8878 section 3.1.1
        for (std::size_t i = 4; i-- != 0;) magic = magic << 8 | std::to_integer<std::uint32_t>(in[i]);
        return magic == ZSTD_MAGICNUMBER;
    }
    static codec_result finish(std::size_t answer) noexcept {
        if (!::ZSTD_isError(answer)) return {{}, answer};
        switch (::ZSTD_getErrorCode(answer)) {
        case ZSTD_error_dstSize_tooSmall: return {errc::output_limit};
        case ZSTD_error_memory_allocation: return out_of_memory();
        default: return {errc::corrupt_data};
        }
    }
    static codec_result out_of_memory() noexcept { return {std::make_error_code(std::errc::not_enough_memory)}; }

    int level_;
    std::unique_ptr<ZSTD_CCtx, free_context> compressor_{};
    std::unique_ptr<ZSTD_DCtx, free_context> decompressor_{};
};

static_assert(compression_codec<zstd>);

} // namespace codec
} // namespace v1
} // namespace sluice
