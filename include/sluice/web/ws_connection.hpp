// SPDX-License-Identifier: BSL-1.0
// A WebSocket connection without its socket, RFC 6455, client and server: bytes in, events out; messages in, bytes out.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/utf8.hpp>
#include <sluice/web/ws_compression.hpp>

#include <array>
#include <memory>
#include <string_view>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace web {

struct ws_options {
    /// The largest message that is taken, in bytes over all its fragments; a larger one fails the connection with 1009
    /// when its header arrives, and one that is compressed when it has become larger. Default 1 MiB.
    std::size_t max_message = 1u << 20;
};

/// Begins where the upgrade has succeeded. Not thread-safe.
///
///     read into prepare(), commit(), then next() until it returns none; after that write output(), consume_output()
///
/// Pings and the peer's close are answered, and a peer that breaks the protocol is told so, in `output()`: a caller
/// need not react to any event but text, binary, close and error.
///
///                     close()                      their close frame
///         open ------------------> local_closing ---------------------.
///          | their close frame, or an error (next() answers it)       |
///          '--------------> remote_closing --- output written ----> closed
///
/// In `closed` a server closes the TCP connection at once, and a client waits a while for it (section 7.1.1).
class ws_connection {
public:
    using role = ws_role;
    enum class state : std::uint8_t {
        open,
        local_closing,  ///< our close is sent: events still come, data is no longer sent
        remote_closing, ///< no more input is read; what `output()` holds ends with our close
        closed          ///< nothing left to read or write
    };
    using options = ws_options;

    struct event {
        enum class kind : std::uint8_t {
            none,   ///< more input is needed, or the connection is over
            text,   ///< `data`: a whole message, valid UTF-8
            binary, ///< `data`: a whole message
            ping,   ///< `data`: its payload; already answered
            pong,   ///< `data`: its payload
            close,  ///< `close_code` (1005: theirs was empty) and `reason`; already answered. The last event
            error   ///< `ec`; `close_code`: what the peer is told, or 1006: the stream ended. The last event
        };

        kind what = kind::none;
        std::uint16_t close_code = 0;
        bytes_view data{};
        std::string_view reason{};
        std::error_code ec{};
    };

    /// `keys` masks what a client sends and must outlive the connection; a server passes null. `compression`: of the
    /// extension that was agreed on, null for none.
    ws_connection(role r, mask_keys* keys, options o = {},
                  std::unique_ptr<message_compression> compression = nullptr) noexcept
        : options_(o), keys_(keys), compression_(std::move(compression)), role_(r) {}

    // Input

    /// Room for at least so many bytes of input. Ends the life of what `next` has returned.
    std::span<std::byte> prepare(std::size_t at_least);
    /// Adds the first n bytes of that room.
    void commit(std::size_t n) noexcept { in_.commit(n); }
    /// Both in one, with a copy.
    void feed(bytes_view bytes);

    /// What has arrived. A message's `data`, and a close's `reason`, lie in the input buffer until the next `prepare`
    /// or `feed`; the `data` of a ping or pong, and with compression that of a message, until the next `next`.
    event next();

    /// By far the most frequent frame that a client gets, whole and at the front: a short, unmasked, uncompressed text.
    /// Its payload, not yet looked at: who knows it to be valid UTF-8 takes it, `next` would check it. Empty for
    /// anything else.
    bytes_view peek_short_text() const noexcept {
        if (role_ != role::client || in_frame_ || message_ != opcode::continuation || !reading_) return {};
        const bytes_view in = in_.view();
        if (in.size() < 2 || in[0] != std::byte{0x81} || in[1] >= std::byte{126}) return {};
        const auto n = std::to_integer<std::size_t>(in[1]);
        if (n > options_.max_message || in.size() - 2 < n) return {};
        return {in.data() + 2, n};
    }
    void take_short_text(bytes_view peeked) noexcept { in_.consume(2 + peeked.size()); }

    /// The stream ended. Without a close frame, `next` tells `errc::connection_closed` and 1006 after what came before.
    void end_of_stream() noexcept { ended_ = true; }

    // Output: appended to one buffer. Nothing follows a close frame but pongs, which section 5.5.2 demands until the
    // peer's close has come.

    /// A message (`text` or `binary`) or, with `fin = false`, its beginning; what follows until `fin` are its further
    /// fragments, whatever data opcode they are given. Text must be UTF-8. Or a pong of up to 125 bytes that nobody
    /// asked for. False, and nothing is sent, once the connection closes or if the peer would refuse the frame.
    bool send(opcode op, bytes_view payload, bool fin = true);
    /// False, and nothing is sent, once the connection closes or if the payload is over 125 bytes.
    bool ping(bytes_view payload = {}) { return send(opcode::ping, payload); }
    /// Begins the closing handshake; without effect where it has begun. A code that may not be on the wire sends none,
    /// and no reason. The reason is cut to 123 bytes at a code point, and left out if it is not UTF-8.
    void close(std::uint16_t code = close_code::normal_closure, std::string_view reason = {});

    /// Bytes to write, in order; valid until anything is sent or received.
    bytes_view output() const noexcept { return out_.view(); }
    /// Drops the first n bytes of the output. There may be more of it afterwards, not less.
    void consume_output(std::size_t n);

    state current_state() const noexcept {
        if (reading_) return close_sent_ ? state::local_closing : state::open;
        return out_.empty() || ended_ ? state::closed : state::remote_closing;
    }
    bool close_sent() const noexcept { return close_sent_; }
    bool close_received() const noexcept { return close_received_; }
    /// The peer broke a rule, or the stream ended without a close frame.
    bool failed() const noexcept { return failed_; }
    /// Null for none. Who lays frames beside `output()` compresses with it: each message once, in the order in which
    /// they are written.
    message_compression* compression() noexcept { return compression_.get(); }

    /// Gives back buffers that are empty and larger than so many bytes. Ends the life of what `next` has returned.
    void shrink(std::size_t keep = 0) noexcept {
        in_.shrink(keep);
        out_.shrink(keep);
        if (!compression_) return;
        if (message_ == opcode::continuation) inflated_.clear();
        inflated_.shrink(keep);
        if (!sending_) compression_->release_memory();
    }

private:
    /// Pings are answered one by one while less than this waits to be written; after that only the newest (5.5.3).
    static constexpr std::size_t pong_limit = 16 * 1024;

    bool begin_frame(const frame_header& header, std::size_t header_size) noexcept;
    errc gather();
    errc inflate(bytes_view piece);
    event finish_message() noexcept;
    event control(opcode op, bytes_view payload);
    event peer_closes(bytes_view payload);
    event fail(errc reason, std::uint16_t code);
    void answer(bytes_view ping);
    void append_data(opcode op, bytes_view payload, bool fin);
    void append_frame(opcode op, bytes_view payload, bool fin);
    void append_close(std::uint16_t code, std::string_view reason);

    // in_ holds [ the message so far, `gathered_` bytes | headers and control frames, done with | from `at_`: new ].
    // Fragments are moved together at its front, so a message in one frame never moves. `at_` is 0 between messages.
    byte_buffer in_{};
    std::size_t at_ = 0;
    std::size_t gathered_ = 0;
    std::uint64_t left_ = 0; ///< of the current data frame
    mask_key key_ = 0;       ///< the current data frame's, advanced to what is left
    utf8_validator utf8_{};
    opcode message_ = opcode::continuation; ///< of the message in progress; continuation: there is none
    bool in_frame_ = false, fin_ = false, masked_ = false, compressed_ = false;
    byte_buffer inflated_{}; ///< of a compressed message so far; then nothing is gathered

    byte_buffer out_{};
    byte_buffer held_pong_{}; ///< a whole frame
    bool sending_ = false;    ///< a message of ours is begun and not finished
    bool deflating_ = false;  ///< it is compressed

    bool reading_ = true, ended_ = false, failed_ = false, close_sent_ = false, close_received_ = false;
    options options_;
    mask_keys* keys_;
    std::unique_ptr<message_compression> compression_;
    role role_;
};

inline std::span<std::byte> ws_connection::prepare(std::size_t at_least) {
    if (!reading_) {
        in_.clear();
    } else if (at_ != gathered_) {
        const std::size_t fresh = in_.size() - at_;
        std::memmove(in_.data() + gathered_, in_.data() + at_, fresh);
        in_.truncate(gathered_ + fresh);
        at_ = gathered_;
    }
    in_.prepare(at_least);
    return in_.spare();
}

inline void ws_connection::feed(bytes_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
}

inline ws_connection::event ws_connection::next() {
    while (reading_) {
        if (!in_frame_) {
            const bytes_view rest = in_.view().subspan(at_);
            frame_header header;
            const parse_status status = parse_frame_header(rest, header, compression_ != nullptr);
            if (status == parse_status::error) return fail(errc::protocol_error, close_code::protocol_error);
            if (status == parse_status::need_more) break;
            if (header.masked != (role_ == role::server)) // section 5.1: a client masks, a server does not
                return fail(errc::protocol_error, close_code::protocol_error);
            const std::size_t header_size = frame_header_size(header.length, header.masked);
            if (is_control(header.op)) {
                const auto length = static_cast<std::size_t>(header.length);
                if (rest.size() - header_size < length) break;
                std::byte* const payload = in_.data() + at_ + header_size;
                if (header.masked) apply_mask(payload, length, header.key);
                at_ += header_size + length;
                const event e = control(header.op, {payload, length});
                if (message_ == opcode::continuation) in_.consume(std::exchange(at_, 0));
                return e;
            }
            if ((header.op == opcode::continuation) != (message_ != opcode::continuation)) // section 5.4
                return fail(errc::protocol_error, close_code::protocol_error);
            if (!begin_frame(header, header_size)) return fail(errc::message_too_big, close_code::message_too_big);
        }
        if (const errc bad = gather(); bad != errc())
            return fail(bad, bad == errc::message_too_big ? close_code::message_too_big : close_code::invalid_payload);
        if (left_ != 0) break;
        in_frame_ = false;
        if (!fin_) continue;
        if (message_ == opcode::text && !utf8_.complete()) return fail(errc::invalid_utf8, close_code::invalid_payload);
        return finish_message();
    }
    if (reading_ && ended_) {
        reading_ = false;
        failed_ = true;
        event e;
        e.what = event::kind::error;
        e.close_code = close_code::abnormal_closure;
        e.ec = errc::connection_closed;
        return e;
    }
    return {};
}

inline bool ws_connection::begin_frame(const frame_header& header, std::size_t header_size) noexcept {
    const bool begins = message_ == opcode::continuation;
    if (begins) compressed_ = header.rsv1;
    if (!compressed_ && header.length > options_.max_message - gathered_) return false;
    if (begins) {
        message_ = header.op;
        inflated_.clear();
        in_.consume(header_size);
    } else {
        at_ += header_size;
    }
    in_frame_ = true;
    left_ = header.length;
    fin_ = header.fin;
    masked_ = header.masked;
    key_ = header.key;
    return true;
}

/// Takes what has come of the frame's payload into the message. This is the one place where payload enters: an
/// extension (section 9) transforms it here, after unmasking, before UTF-8 and the limit are checked. No `errc`: well.
inline errc ws_connection::gather() {
    const std::size_t available = in_.size() - at_;
    const std::size_t n = left_ < available ? static_cast<std::size_t>(left_) : available;
    std::byte* const from = in_.data() + at_;
    std::byte* const to = in_.data() + gathered_;
    if (masked_) {
        apply_mask(from, n, key_);
        key_ = advance_mask(key_, n);
    }
    at_ += n;
    left_ -= n;
    if (compressed_) return inflate({from, n});
    if (to != from) std::memmove(to, from, n);
    gathered_ += n;
    return message_ != opcode::text || utf8_.feed({to, n}) ? errc() : errc::invalid_utf8;
}

inline errc ws_connection::inflate(bytes_view piece) {
    using status = message_compression::status;
    const std::size_t before = inflated_.size();
    status s = compression_->decompress(piece, options_.max_message, inflated_);
    if (s == status::ok && left_ == 0 && fin_) s = compression_->finish(options_.max_message, inflated_);
    // First what lies before the place of an error: however the message comes cut, the same is said about it.
    if (message_ == opcode::text && !utf8_.feed(inflated_.view().subspan(before))) return errc::invalid_utf8;
    return s == status::ok ? errc() : s == status::corrupt ? errc::corrupt_data : errc::message_too_big;
}

inline ws_connection::event ws_connection::finish_message() noexcept {
    event e;
    e.what = message_ == opcode::text ? event::kind::text : event::kind::binary;
    e.data = compressed_ ? inflated_.view() : bytes_view(in_.data(), gathered_);
    message_ = opcode::continuation;
    gathered_ = 0;
    in_.consume(std::exchange(at_, 0));
    utf8_.reset();
    return e;
}

inline ws_connection::event ws_connection::control(opcode op, bytes_view payload) {
    if (op == opcode::close) return peer_closes(payload);
    event e;
    e.what = op == opcode::ping ? event::kind::ping : event::kind::pong;
    e.data = payload;
    if (op == opcode::ping) answer(payload);
    return e;
}

inline ws_connection::event ws_connection::peer_closes(bytes_view payload) {
    event e;
    e.what = event::kind::close;
    e.close_code = close_code::no_status_received;
    if (!payload.empty()) { // section 5.5.1: two octets of code, then text
        if (payload.size() < 2) return fail(errc::protocol_error, close_code::protocol_error);
        e.close_code = load_big_endian<std::uint16_t>(payload.data());
        if (!is_wire_close_code(e.close_code)) return fail(errc::protocol_error, close_code::protocol_error);
        utf8_validator text;
        if (!text.feed(payload.subspan(2)) || !text.complete())
            return fail(errc::invalid_utf8, close_code::invalid_payload);
        e.reason = as_text(payload.subspan(2));
    }
    close_received_ = true;
    reading_ = false;
    if (!close_sent_) append_close(e.close_code, e.reason);
    return e;
}

/// Section 7.1.7: says why, once, and reads no further.
inline ws_connection::event ws_connection::fail(errc reason, std::uint16_t code) {
    reading_ = false;
    failed_ = true;
    if (!close_sent_) append_close(code, {});
    event e;
    e.what = event::kind::error;
    e.close_code = code;
    e.ec = reason;
    return e;
}

inline bool ws_connection::send(opcode op, bytes_view payload, bool fin) {
    if (close_sent_ || !reading_) return false;
    if (is_control(op)) {
        if (op == opcode::close || payload.size() > max_control_payload || !fin) return false;
    } else {
        if (op == opcode::continuation && !sending_) return false;
        if (std::exchange(sending_, !fin)) op = opcode::continuation;
        if (compression_) {
            append_data(op, payload, fin);
            return true;
        }
    }
    append_frame(op, payload, fin);
    return true;
}

/// The first fragment decides for the whole message.
inline void ws_connection::append_data(opcode op, bytes_view payload, bool fin) {
    if (op != opcode::continuation) deflating_ = !fin || compression_->tries(payload.size());
    if (deflating_) {
        frame_header header{.fin = fin, .op = op, .masked = role_ == role::client};
        if (header.masked) header.key = keys_->next();
        deflating_ = append_compressed_frame(out_, *compression_, header, payload);
    }
    if (!deflating_) append_frame(op, payload, fin);
}

inline void ws_connection::close(std::uint16_t code, std::string_view reason) {
    if (close_sent_ || !reading_) return;
    append_close(code, reason);
}

inline void ws_connection::consume_output(std::size_t n) {
    out_.consume(n);
    if (held_pong_.empty() || out_.size() >= pong_limit) return;
    if (reading_) out_.append(held_pong_.view());
    held_pong_.clear();
}

inline void ws_connection::answer(bytes_view ping) {
    if (out_.size() < pong_limit) return append_frame(opcode::pong, ping, true);
    held_pong_.clear();
    std::swap(out_, held_pong_);
    append_frame(opcode::pong, ping, true);
    std::swap(out_, held_pong_);
}

inline void ws_connection::append_frame(opcode op, bytes_view payload, bool fin) {
    frame_header header{.fin = fin, .op = op, .masked = role_ == role::client, .length = payload.size()};
    if (header.masked) header.key = keys_->next();
    const std::size_t size = frame_header_size(header.length, header.masked) + payload.size();
    std::byte* const at = write_frame_header(out_.prepare(size), header);
    if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
    if (header.masked) apply_mask(at, payload.size(), header.key);
    out_.commit(size);
}

inline void ws_connection::append_close(std::uint16_t code, std::string_view reason) {
    close_sent_ = true;
    std::array<std::byte, max_control_payload> payload;
    std::size_t size = 0;
    if (is_wire_close_code(code)) {
        store_big_endian(payload.data(), code);
        size = 2;
        std::size_t n = reason.size() < payload.size() - 2 ? reason.size() : payload.size() - 2;
        if (n < reason.size()) // 10xxxxxx continues a code point: not to be cut before it
            while (n != 0 && (static_cast<unsigned char>(reason[n]) & 0xc0) == 0x80) --n;
        utf8_validator text;
        if (n != 0 && text.feed(as_bytes(reason.substr(0, n))) && text.complete()) {
            std::memcpy(payload.data() + 2, reason.data(), n);
            size += n;
        }
    }
    append_frame(opcode::close, {payload.data(), size}, true);
}

} // namespace web
} // namespace v1
} // namespace sluice
