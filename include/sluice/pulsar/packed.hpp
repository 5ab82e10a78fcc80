// SPDX-License-Identifier: BSL-1.0
// Packs messages into one: docs/packed.md has the layouts byte by byte, `sluice/unpack.hpp` reads them.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/error.hpp>
#include <sluice/message.hpp>
#include <sluice/pack_layout.hpp>
#include <sluice/pulsar/compressor.hpp>
#include <sluice/pulsar/packed_format.hpp>
#include <sluice/web/bytes.hpp>
#include <sluice/web/json_scan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// Base64 makes four characters of three bytes: the largest pack that so many characters hold.
constexpr std::size_t pack_bytes_within(std::size_t characters) noexcept { return characters / 4 * 3; }

/// What the Pulsar message that holds a pack says beside its payload and its key.
inline message_attributes packed_attributes(pack_layout layout) {
    message_attributes a;
    a.properties.push_back({std::string(packed_property), std::string(to_string(layout))});
    return a;
}

struct pack_limits {
    /// Of the whole pack, header included, before compression: what does not shrink must fit too. Up to 2^31 - 1.
    std::size_t max_bytes = 128u << 10;
    std::size_t max_messages = 1000; ///< 1 or more
};

/// What becomes of a message. Only `fits` changes the pack.
enum class pack_fit : std::uint8_t {
    fits,
    full,      ///< not into this one: finish it, and ask again
    other_key, ///< the same: messages of one pack have one key, or all have none, so that order per key holds
    alone,     ///< in no pack of this layout: it says what a pack cannot say of one of its messages
    too_large, ///< in no pack of this size
    refused    ///< by `add` alone: `refusal()` tells why
};

/// The pack that `finish` makes. The bytes are valid until the writer is used again.
struct finished_pack {
    web::bytes_view bytes{};
    compression_type codec = compression_type::none; ///< what the header says
    std::size_t messages = 0;
    std::size_t uncompressed = 0; ///< the size that it had without compression
};

/// Lays messages behind one another into one buffer, whose memory is used again after `clear`.
///
///     add, add, ... until it is not `fits`  ->  finish, send  ->  clear
///
/// Without allocation for each message once the buffer has its size. One object is used by one thread at a time.
/// Precondition of every function with a message: `check_message` had no failure.
class pack_writer {
public:
    explicit pack_writer(pack_layout layout, pack_limits limits = {}) noexcept
        : layout_(layout),
          max_bytes_(std::min(limits.max_bytes, max_packed_bytes)),
          max_messages_(std::clamp<std::size_t>(limits.max_messages, 1, max_packed_bytes)) {}

    pack_layout layout() const noexcept { return layout_; }
    bool empty() const noexcept { return count_ == 0; }
    /// There is room for nothing more. False: perhaps for a small one.
    bool full() const noexcept { return count_ == max_messages_ || bytes_.size() >= max_bytes_; }
    std::size_t messages() const noexcept { return count_; }
    /// Bytes of the pack as it is, before compression; 0 if it is empty.
    std::size_t size() const noexcept { return bytes_.size(); }
    bool has_key() const noexcept { return has_key_; }
    /// That of all messages in the pack.
    std::string_view key() const noexcept { return key_; }

    /// Of the next pack, while there is none: instead of `pack_limits::max_bytes`.
    void limit(std::size_t max_bytes) noexcept { max_bytes_ = std::min(max_bytes, max_packed_bytes); }

    /// Exactly what `size` will be with this message too, if it is added.
    std::size_t size_with(const message_view& m) const noexcept { return bytes_.size() + growth(m); }

    /// What `add` would answer, but for a payload that is not JSON.
    pack_fit fits(const message_view& m) const noexcept { return judge(m, growth(m)); }

    /// Copies the message into the pack, or leaves the pack as it is.
    pack_fit add(const message_view& m) {
        const std::size_t n = growth(m);
        const pack_fit fit = judge(m, n);
        if (fit != pack_fit::fits) return fit;
        if (layout_ == pack_layout::framed)
            add_record(m, n);
        else if (!add_element(m.payload(), n))
            return pack_fit::refused;
        if (count_++ == 0) {
            has_key_ = m.has_key();
            key_.assign(m.key());
        }
        return pack_fit::fits;
    }

    /// Why the last message was refused: `errc::invalid_json` with the offset, and not a word of the payload.
    const failure& refusal() const noexcept { return refusal_; }

    /// The pack, uncompressed. Precondition of both: it is not empty.
    finished_pack finish() noexcept {
        if (layout_ == pack_layout::framed)
            write_packed_header({bytes_.data(), bytes_.size()}, compression_type::none, count_,
                                bytes_.size() - packed_header_size);
        return {bytes_.view(), compression_type::none, count_, bytes_.size()};
    }

    /// The pack, compressed if that makes it smaller (never as `json_array`). Otherwise, and where the codec fails, it
    /// is uncompressed and says so.
    template <compression_codec Codec>
    finished_pack finish(Codec& codec) {
        return finish(compressor::of(codec));
    }
    finished_pack finish(const compressor& codec) {
        constexpr std::size_t most = max_packed_bytes * 2; // more than any codec's bound for what fits a pack
        if (layout_ != pack_layout::framed || !codec.compresses()) return finish();
        const web::bytes_view body = bytes_.view().subspan(packed_header_size);
        const std::size_t room = codec.bound(codec.codec, body.size());
        if (room > most) return finish();
        compressed_.clear();
        std::byte* const at = compressed_.prepare(packed_header_size + room);
        const codec_result done = codec.compress(codec.codec, body, {at + packed_header_size, room});
        if (done.ec || done.size >= body.size()) return finish();
        compressed_.commit(packed_header_size + done.size);
        write_packed_header({at, compressed_.size()}, codec.type, count_, body.size());
        return {compressed_.view(), codec.type, count_, bytes_.size()};
    }

    /// Empties the pack and keeps the memory.
    void clear() noexcept {
        bytes_.clear();
        compressed_.clear();
        count_ = 0;
        has_key_ = false;
        key_.clear();
    }
    /// Gives buffers back that are larger than `keep`, if the pack is empty.
    void shrink(std::size_t keep) noexcept {
        if (!empty()) return;
        bytes_.shrink(keep);
        compressed_.shrink(keep);
    }

private:
    /// What the message adds to `bytes_`.
    std::size_t growth(const message_view& m) const noexcept {
        if (layout_ == pack_layout::framed)
            return packed_record_size(m, count_ != 0) + (count_ == 0 ? packed_header_size : 0);
        return m.payload().size() + (count_ == 0 ? 2 : 1); // the brackets, then a comma each
    }

    pack_fit judge(const message_view& m, std::size_t n) const noexcept {
        if (const message_attributes* const a = m.attributes(); a != nullptr && !packable(*a)) return pack_fit::alone;
        if (count_ == 0) return n <= max_bytes_ ? pack_fit::fits : pack_fit::too_large;
        if (m.has_key() != has_key_ || m.key() != key_) return pack_fit::other_key;
        return count_ < max_messages_ && n <= max_bytes_ - bytes_.size() ? pack_fit::fits : pack_fit::full;
    }

    /// Delivery and replication are the broker's business, and it sees one message.
    bool packable(const message_attributes& a) const noexcept {
        if (a.deliver_at || a.deliver_after || !a.replication_clusters.empty()) return false;
        return layout_ == pack_layout::framed || (a.properties.empty() && !a.event_time);
    }

    void add_record(const message_view& m, std::size_t n) {
        std::byte* at = bytes_.prepare(n);
        if (count_ == 0) at += packed_header_size; // which `finish` fills
        put_packed_record(m, count_ != 0, at);
        bytes_.commit(n);
    }

    bool add_element(std::string_view payload, std::size_t n) {
        const web::json_end end = web::scan_json_text(payload);
        if (end.fault != web::json_fault::none) {
            refusal_ = make_failure(errc::invalid_json,
                                    "payload: json_array needs JSON: " + std::string(web::to_string(end.fault)) +
                                        " at offset " + std::to_string(end.at - payload.data()));
            return false;
        }
        // Always a whole array: the bracket at its end becomes the comma.
        std::byte* at = bytes_.prepare(n);
        if (count_ == 0)
            *at++ = std::byte{'['};
        else
            at[-1] = std::byte{','};
        std::memcpy(at, payload.data(), payload.size());
        at[payload.size()] = std::byte{']'};
        bytes_.commit(n);
        return true;
    }

    pack_layout layout_;
    std::size_t max_bytes_;
    std::size_t max_messages_;
    web::byte_buffer bytes_{};
    web::byte_buffer compressed_{};
    std::size_t count_ = 0;
    bool has_key_ = false;
    std::string key_{}; // a copy: what a message borrows may be gone before the next one comes
    failure refusal_{};
};

} // namespace pulsar
} // namespace v1
} // namespace sluice
