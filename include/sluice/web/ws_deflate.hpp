// SPDX-License-Identifier: BSL-1.0
// permessage-deflate by zlib, RFC 7692 section 7.2: the compressor and the decompressor of one connection.
#pragma once

#include <sluice/web/ws_compression.hpp>
#include <sluice/web/ws_deflate_parameters.hpp>
#include <sluice/web/zlib_stream.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>

namespace sluice {
inline namespace v1 {
namespace web {

struct deflate_settings {
    int level = 6;        ///< 1 (fastest) to 9 (smallest)
    int memory_level = 8; ///< 1 to 9: the compressor takes 2^(9 + this) bytes beside four windows
    /// Whole messages of fewer bytes are sent as they are.
    std::size_t min_size = 32;
};

/// The compressor (256 KiB with a window of 15 bits) and the decompressor (40 KiB) are made at their first use and
/// kept.
///
/// A message that does not get shorter is sent as it is. The compressor has seen it then and the peer has not, so the
/// compressor starts anew: it may do that at any time, for it then refers to nothing that came before.
///
/// Throws `std::bad_alloc`: from `decompress` and `finish`, and from `compress` where `out` cannot grow.
class ws_deflate final : public message_compression {
public:
    /// `role`: our own. Levels outside of their range mean the nearest.
    ws_deflate(ws_role role, const deflate_parameters& agreed, deflate_settings settings = {}) noexcept
        : settings_(settings),
          out_bits_(role == ws_role::client ? agreed.client_max_window_bits : agreed.server_max_window_bits),
          in_bits_(role == ws_role::client ? agreed.server_max_window_bits : agreed.client_max_window_bits),
          keeps_(!(role == ws_role::client ? agreed.client_no_context_takeover : agreed.server_no_context_takeover)),
          peer_keeps_(
              !(role == ws_role::client ? agreed.server_no_context_takeover : agreed.client_no_context_takeover)) {
        settings_.level = std::clamp(settings_.level, 1, 9);
        settings_.memory_level = std::clamp(settings_.memory_level, 1, 9);
    }
    ws_deflate(const ws_deflate&) = delete;
    ws_deflate& operator=(const ws_deflate&) = delete;

    bool tries(std::size_t size) const noexcept override {
        return size >= settings_.min_size && size != 0 && size <= most;
    }

    bool compress(bytes_view payload, bool first, bool fin, byte_buffer& out) override {
        const bool whole = first && fin;
        if (whole && !tries(payload.size())) return false;
        if (first && !begin_deflating()) return false;
        const std::size_t begin = out.size();
        if (whole) {
            // With the four octets that are not sent it is shorter if it fits here with one octet to spare: a deflater
            // that has filled its room may have more.
            if (!deflate_into(payload, payload.size() + tail.size(), out)) {
                out.truncate(begin);
                ::deflateReset(deflater_.get());
                return false;
            }
        } else {
            for (bytes_view left = payload;;) {
                const bytes_view piece = left.first(std::min(left.size(), most));
                left = left.subspan(piece.size());
                deflate_into(piece, unlimited, out);
                if (left.empty()) break;
            }
        }
        if (!fin) return true;
        if (out.size() == begin) {
            out.append(bytes_view(tail).first(1)); // nothing new since the last flush: section 7.2.3.6
        } else {
            out.truncate(out.size() - tail.size());
        }
        if (!keeps_) ::deflateReset(deflater_.get());
        return true;
    }

    status decompress(bytes_view piece, std::size_t limit, byte_buffer& out) override {
        if (!inflater_) {
            inflater_ = inflater(new z_stream{});
            // The window that was agreed on, but not the smallest: many compressors make the next larger one of it.
            if (::inflateInit2(inflater_.get(), -std::max(in_bits_, 9)) != Z_OK) throw_bad_alloc(inflater_);
        }
        while (!piece.empty()) {
            begun_ = true;
            const bytes_view some = piece.first(std::min(piece.size(), most));
            piece = piece.subspan(some.size());
            if (const status s = inflate_into(some, limit, out); s != status::ok) return s;
        }
        return status::ok;
    }

    status finish(std::size_t limit, byte_buffer& out) override {
        if (std::exchange(begun_, false) && !ended_) { // some send nothing at all for an empty message
            if (const status s = inflate_into(tail, limit, out); s != status::ok) return s;
            constexpr int block_boundary = 128; // and neither unused bits (1 to 7) nor in a last block (64)
            if (ended_ || inflater_->data_type != block_boundary) return status::corrupt;
        }
        if (!peer_keeps_ && inflater_) {
            ::inflateReset(inflater_.get());
            ended_ = false;
        }
        return status::ok;
    }

    void release_memory() noexcept override {
        deflater_.reset();
        if (!peer_keeps_ && !begun_) inflater_.reset();
    }

private:
    static constexpr std::size_t most = std::size_t{1} << 30; ///< that zlib is given at once: it counts in 32 bits
    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
    /// Ends every flush, and no message (section 7.2.1).
    static constexpr std::array tail{std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};

    static void assign(z_stream& stream, bytes_view in) noexcept {
        stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data())); // zlib only reads
        stream.avail_in = static_cast<uInt>(in.size());
    }
    /// The room behind the end of `out`, so many bytes of it at most.
    static std::size_t assign(z_stream& stream, byte_buffer& out, std::size_t at_most) noexcept {
        const std::size_t room = std::min({out.spare().size(), at_most, most});
        stream.next_out = reinterpret_cast<Bytef*>(out.spare().data());
        stream.avail_out = static_cast<uInt>(room);
        return room;
    }

    bool begin_deflating() noexcept {
        if (deflater_) return true;
        // zlib has no window of 8 bits. Repetitions of the last byte alone reach back no further than that one.
        const bool tiny = out_bits_ < 9;
        deflater_ = deflater(new (std::nothrow) z_stream{});
        if (deflater_ && ::deflateInit2(deflater_.get(), settings_.level, Z_DEFLATED, -std::max(out_bits_, 9),
                                        settings_.memory_level, tiny ? Z_RLE : Z_DEFAULT_STRATEGY) == Z_OK)
            return true;
        deflater_.reset();
        return false;
    }

    /// Compresses and flushes. False: it did not get done within `budget` bytes.
    bool deflate_into(bytes_view in, std::size_t budget, byte_buffer& out) {
        z_stream& stream = *deflater_;
        assign(stream, in);
        do {
            if (budget == 0) return false;
            out.prepare(budget != unlimited ? budget : std::max<std::size_t>(stream.avail_in, 64));
            const std::size_t room = assign(stream, out, budget);
            ::deflate(&stream, Z_SYNC_FLUSH);
            out.commit(room - stream.avail_out);
            if (budget != unlimited) budget -= room - stream.avail_out;
        } while (stream.avail_out == 0);
        return true;
    }

    status inflate_into(bytes_view in, std::size_t limit, byte_buffer& out) {
        z_stream& stream = *inflater_;
        assign(stream, in);
        for (;;) {
            if (ended_ && stream.avail_in != 0) restart();
            const std::size_t beyond = limit - out.size() + 1; // one byte more tells that there is more
            out.prepare(std::min(beyond, std::max<std::size_t>(in.size(), 512)));
            const std::size_t room = assign(stream, out, beyond);
            const int result = ::inflate(&stream, Z_SYNC_FLUSH);
            out.commit(room - stream.avail_out);
            if (out.size() > limit) {
                out.truncate(limit);
                return status::too_large;
            }
            if (result == Z_MEM_ERROR) throw std::bad_alloc();
            if (result == Z_STREAM_END) {
                ended_ = true;
                if (stream.avail_in == 0) return status::ok;
                continue;
            }
            if (result != Z_OK && result != Z_BUF_ERROR) return status::corrupt;
            if (stream.avail_out != 0) return status::ok; // all of the input is taken
        }
    }

    /// Behind a block that is marked as the last one (section 7.2.3.4) others follow, which may refer to what came
    /// before it.
    void restart() {
        constexpr std::size_t largest = std::size_t{1} << max_window_bits;
        if (!window_) window_ = std::make_unique_for_overwrite<Bytef[]>(largest);
        uInt size = 0;
        ::inflateGetDictionary(inflater_.get(), window_.get(), &size);
        ::inflateReset(inflater_.get());
        ::inflateSetDictionary(inflater_.get(), window_.get(), size);
        ended_ = false;
    }

    [[noreturn]] static void throw_bad_alloc(inflater& failed) {
        failed.reset();
        throw std::bad_alloc();
    }

    deflate_settings settings_;
    int out_bits_, in_bits_;
    bool keeps_, peer_keeps_; ///< the window from one message to the next
    bool begun_ = false;      ///< the compressed message that is being received has at least one byte
    bool ended_ = false;      ///< the last block that was inflated was marked as the last one
    deflater deflater_{};
    inflater inflater_{};
    std::unique_ptr<Bytef[]> window_{};
};

} // namespace web
} // namespace v1
} // namespace sluice
