// SPDX-License-Identifier: BSL-1.0
// What a WebSocket connection asks of permessage-deflate (RFC 7692 section 6). web/ws_deflate.hpp does it, and needs
// zlib; a connection that negotiates nothing does not.
#pragma once

#include <sluice/web/ws_frame.hpp>

namespace sluice {
inline namespace v1 {
namespace web {

enum class ws_role : std::uint8_t { client, server };

/// Both directions of one connection. Not thread-safe.
class message_compression {
public:
    enum class status : std::uint8_t {
        ok,
        corrupt,  ///< not what a compressor makes, or cut short
        too_large ///< `out` would have more than `limit` bytes
    };

    virtual ~message_compression() = default;

    /// Appends the compressed form of a message, or of a fragment of one. False, and `out` is as it was: it is to be
    /// sent as it is, since it is short, or would not get shorter, or there is no memory. That is said at a message's
    /// beginning only; fragments that follow it are not asked for then.
    virtual bool compress(bytes_view payload, bool first, bool fin, byte_buffer& out) = 0;
    /// Whether `compress` would try a whole message of that size.
    virtual bool tries(std::size_t size) const noexcept = 0;

    /// Appends what the next piece of a compressed message, cut anywhere, makes of it.
    virtual status decompress(bytes_view piece, std::size_t limit, byte_buffer& out) = 0;
    /// The same at its end.
    virtual status finish(std::size_t limit, byte_buffer& out) = 0;

    /// Gives back what can be made again. Not between the fragments of a message that is sent.
    virtual void release_memory() noexcept = 0;

protected:
    message_compression() = default;
    message_compression(const message_compression&) = default;
    message_compression& operator=(const message_compression&) = default;
};

/// Appends a data frame whose payload is compressed; `header` needs all but `rsv1` and `length`. False, and `out` is as
/// it was: `compress` has left the message alone.
inline bool append_compressed_frame(byte_buffer& out, message_compression& by, frame_header header,
                                    bytes_view payload) {
    const std::size_t begin = out.size();
    // A deflater's worst case, so that nothing is thrown in the middle of a frame.
    out.prepare(max_frame_header_size + payload.size() + payload.size() / 16 + 64);
    out.commit(max_frame_header_size);
    header.rsv1 = header.op != opcode::continuation;
    if (!by.compress(payload, header.rsv1, header.fin, out)) {
        out.truncate(begin);
        return false;
    }
    const std::size_t length = out.size() - begin - max_frame_header_size;
    header.length = length;
    const std::size_t header_size = frame_header_size(length, header.masked);
    std::byte* const frame = out.data() + begin;
    std::memmove(frame + header_size, frame + max_frame_header_size, length); // now it is known how long the header is
    std::byte* const data = write_frame_header(frame, header);
    if (header.masked) apply_mask(data, length, header.key);
    out.truncate(begin + header_size + length);
    return true;
}

} // namespace web
} // namespace v1
} // namespace sluice
