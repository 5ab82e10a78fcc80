// SPDX-License-Identifier: BSL-1.0
// ZLIB by zlib: one stream of RFC 1950, and the unfinished ones of Pulsar's Java client.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/web/zlib_stream.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace codec {

/// ZLIB. The compressor (256 KiB) and the decompressor (40 KiB) are allocated at their first use and reused. A
/// moved-from object is as good as a new one of the same level.
///
/// `std::errc::not_enough_memory` if zlib has none. More than 4 GiB at once is `errc::output_limit`.
///
/// `compress` writes whole streams. `decompress` also takes a stream that stops after a sync flush, without a last
/// block and a checksum: Pulsar's Java client writes nothing else.
class zlib {
public:
    /// 0 (store) to 9 (smallest), -1: zlib's default (6). Values outside mean the nearest.
    explicit zlib(int level = Z_DEFAULT_COMPRESSION) noexcept : level_(std::clamp(level, -1, 9)) {}

    compression_type type() const noexcept { return compression_type::zlib; }

    std::size_t bound(std::size_t n) const noexcept {
        if (n > uint_max) return std::numeric_limits<std::size_t>::max();
        return static_cast<std::size_t>(::compressBound(static_cast<uLong>(n)));
    }

    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (in.size() > uint_max || out.empty()) return {errc::output_limit};
        if (!deflater_) {
            deflater_ = deflater(new (std::nothrow) z_stream{});
            if (!deflater_ || ::deflateInit(deflater_.get(), level_) != Z_OK) return out_of_memory();
        } else {
            ::deflateReset(deflater_.get());
        }
        z_stream& stream = *deflater_;
        assign(stream, in, out);
        if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) return {errc::output_limit};
        return {{}, written(stream, out)};
    }

    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        if (in.size() > uint_max) return {errc::output_limit};
        if (!inflater_) {
            inflater_ = inflater(new (std::nothrow) z_stream{});
            if (!inflater_ || ::inflateInit(inflater_.get()) != Z_OK) return out_of_memory();
        } else {
            ::inflateReset(inflater_.get());
        }
        z_stream& stream = *inflater_;
        std::byte beyond;
        assign(stream, in, out);
        if (out.empty()) stream.next_out = reinterpret_cast<Bytef*>(&beyond); // zlib refuses a null even for no bytes
        const int status = ::inflate(&stream, Z_FINISH);
        if (status == Z_STREAM_END && stream.avail_in == 0) return {{}, written(stream, out)};
        if (status == Z_MEM_ERROR) return out_of_memory();
        if (status != Z_OK && status != Z_BUF_ERROR) return {errc::corrupt_data}; // also if more follows the stream
        if (flushed(stream, in)) return {{}, written(stream, out)};
        if (stream.avail_out != 0) return {errc::corrupt_data}; // cut short
        // `out` is full. A stream that ends here has been cut short too: it is over the cap if it has one byte more.
        stream.next_out = reinterpret_cast<Bytef*>(&beyond);
        stream.avail_out = 1;
        ::inflate(&stream, Z_FINISH);
        return {stream.avail_out == 0 ? errc::output_limit : errc::corrupt_data};
    }

private:
    using deflater = web::deflater;
    using inflater = web::inflater;

    static constexpr std::size_t uint_max = std::numeric_limits<uInt>::max();

    static void assign(z_stream& stream, std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data())); // zlib only reads
        stream.avail_in = static_cast<uInt>(in.size());
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(std::min(out.size(), uint_max));
    }
    // All of the input read, and it ends with an empty stored block (RFC 1951 section 3.2.4) that is not the last one.
    static bool flushed(const z_stream& stream, std::span<const std::byte> in) noexcept {
        constexpr int block_boundary = 128; // and neither unused bits (1 to 7) nor in the last block (64)
        constexpr std::array marker{std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
        return stream.avail_in == 0 && stream.data_type == block_boundary && in.size() > marker.size() &&
               std::ranges::equal(in.last(marker.size()), marker);
    }
    // Not total_out: a uLong has 32 bits on Windows.
    static std::size_t written(const z_stream& stream, std::span<std::byte> out) noexcept {
        return std::min(out.size(), uint_max) - stream.avail_out;
    }
    codec_result out_of_memory() noexcept {
        deflater_.reset();
        inflater_.reset();
        return {std::make_error_code(std::errc::not_enough_memory)};
    }

    int level_;
    deflater deflater_{};
    inflater inflater_{};
};

static_assert(compression_codec<zlib>);

} // namespace codec
} // namespace v1
} // namespace sluice
