// SPDX-License-Identifier: BSL-1.0
// The sink's hot path without I/O: producer frames in, acknowledgements out. It uses nothing of sluice, so that neither
// can hide the other's mistakes.
#pragma once

#include "sink_inflate.hpp"
#include "thread_stamp.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace bench {

static_assert(std::endian::native == std::endian::little, "the masking below loads words");

/// Bytes to be sent: grows, never clears what it allocates.
class output_buffer {
public:
    /// Room for `n` more bytes; `commit` what was used of it.
    char* prepare(std::size_t n) {
        if (capacity_ - size_ < n) grow(n);
        return data_.get() + size_;
    }
    void commit(std::size_t n) noexcept { size_ += n; }
    void append(std::string_view text) {
        std::memcpy(prepare(text.size()), text.data(), text.size());
        commit(text.size());
    }
    void consume(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ == size_) begin_ = size_ = 0;
    }
    std::string_view view() const noexcept { return {data_.get() + begin_, size_ - begin_}; }

private:
    void grow(std::size_t n) {
        const std::size_t used = size_ - begin_;
        std::size_t capacity = capacity_ == 0 ? 4u << 10 : capacity_;
        while (capacity < used + n) capacity *= 2;
        std::unique_ptr<char[]> data(new char[capacity]);
        if (used != 0) std::memcpy(data.get(), data_.get() + begin_, used);
        data_ = std::move(data);
        capacity_ = capacity;
        begin_ = 0;
        size_ = used;
    }

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
};

struct frame_counters {
    std::uint64_t frames = 0;       ///< acknowledged messages
    std::uint64_t bytes = 0;        ///< of those frames, headers included
    std::uint64_t out_of_order = 0; ///< a context not above the connection's previous one; a thread's stamp out of turn
    std::uint64_t restarts = 0;     ///< a context back at the connection's first: a ring of frames, as `limit` sends it
    std::uint64_t malformed = 0;    ///< no masked, unfragmented text frame, or without a context: ends the connection
};

/// One connection's receiving side after the upgrade.
class acknowledger {
public:
    explicit acknowledger(bool order) {
        if (order) order_.emplace();
    }

    /// permessage-deflate was agreed on: messages may be compressed. Those that go back are not.
    void accept_deflate() { inflater_ = std::make_unique<message_inflater>(); }

    /// Takes the complete frames at the front of `data`, appends their answers to `out`, and returns how many bytes
    /// were taken. Unmasks in place where it must. `needed()` then tells how long the frame is that is cut off.
    std::size_t resume(unsigned char* data, std::size_t size, output_buffer& out) {
        std::size_t at = 0;
        needed_ = 0;
        while (!closed_) {
            unsigned char* p = data + at;
            const std::size_t have = size - at;
            if (have < 2) break;
            if ((p[1] & 0x80) == 0) return malformed(at); // RFC 6455 5.1: a client masks
            std::size_t header = 6;
            std::uint64_t length = p[1] & 0x7fu;
            if (length == 126) {
                header = 8;
                if (have < header) break;
                length = std::uint64_t{p[2]} << 8 | p[3];
            } else if (length == 127) {
                header = 14;
                if (have < header) break;
                length = 0;
                for (int i = 2; i < 10; ++i) length = length << 8 | p[i];
            }
            if (length > max_frame) return malformed(at);
            const std::size_t total = header + static_cast<std::size_t>(length);
            if (have < total) {
                needed_ = total;
                break;
            }
            std::uint32_t key = 0;
            std::memcpy(&key, p + header - 4, 4);
            const auto n = static_cast<std::size_t>(length);
            if (p[0] == 0x81) {
                if (!message(p + header, n, key, out)) return malformed(at);
                counters_.bytes += total;
            } else if (p[0] == 0xc1 && inflater_) {
                if (!deflated(p + header, n, key, out)) return malformed(at);
                counters_.bytes += total;
            } else if (!control(p[0], p + header, n, key, out)) {
                return malformed(at);
            }
            at += total;
        }
        return at;
    }

    bool closed() const noexcept { return closed_; }
    std::size_t needed() const noexcept { return needed_; }
    const frame_counters& counters() const noexcept { return counters_; }

private:
    static constexpr std::uint64_t max_frame = 64u << 20;
    static constexpr std::string_view first_member = "{\"context\":\"";
    static constexpr std::string_view last_member = ",\"context\":\"";
    static constexpr std::size_t edge = 32; // a first or last member with a context of up to 18 digits fits

    std::size_t malformed(std::size_t at) noexcept {
        ++counters_.malformed;
        closed_ = true;
        return at;
    }

    static void unmask(unsigned char* p, std::size_t n, std::uint32_t key) noexcept {
        for (std::size_t i = 0; i < n; ++i) p[i] ^= static_cast<unsigned char>(key >> (i % 4 * 8));
    }

    /// The 32 bytes at `offset` of a masked payload.
    static void unmask_edge(char* to, const unsigned char* payload, std::size_t offset, std::uint32_t key) noexcept {
        const std::uint32_t turned = std::rotr(key, static_cast<int>(offset % 4 * 8));
        const std::uint64_t wide = std::uint64_t{turned} << 32 | turned;
        for (std::size_t i = 0; i < edge; i += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, payload + offset + i, 8);
            word ^= wide;
            std::memcpy(to + i, &word, 8);
        }
    }

    static bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

    /// Only the edges of the common frames are looked at: the context is their first or their last member. In valid
    /// JSON
    /// `,"context":"N"}` at the end is a member of the outermost object, for within a string the quotes would be
    /// escaped.
    bool message(unsigned char* payload, std::size_t n, std::uint32_t key, output_buffer& out) {
        if (order_) check_order(payload, n, key);
        if (n >= edge) {
            char text[edge];
            unmask_edge(text, payload, n - edge, key);
            if (text[edge - 1] == '}' && text[edge - 2] == '"') {
                std::size_t begin = edge - 2;
                while (begin > last_member.size() && digit(text[begin - 1])) --begin;
                if (std::memcmp(text + begin - last_member.size(), last_member.data(), last_member.size()) == 0)
                    return acknowledge({text + begin, edge - 2 - begin}, out);
            }
            unmask_edge(text, payload, 0, key);
            if (std::memcmp(text, first_member.data(), first_member.size()) == 0) {
                std::size_t end = first_member.size();
                while (end < edge - 1 && digit(text[end])) ++end;
                if (text[end] == '"') return acknowledge({text + first_member.size(), end - first_member.size()}, out);
            }
        }
        unmask(payload, n, key);
        const std::string_view context = find_context({reinterpret_cast<const char*>(payload), n});
        if (context == "probe") return refuse_probe(out);
        return context.data() != nullptr && acknowledge(context, out);
    }

    bool deflated(unsigned char* payload, std::size_t n, std::uint32_t key, output_buffer& out) {
        unmask(payload, n, key);
        const auto text = inflater_->inflate(payload, n);
        return text && message(text->data(), text->size(), 0, out);
    }

    /// Before it encrypts, a client asks whether the proxy knows the members that it will send (PIP-290): with one of a
    /// wrong type. A proxy that does cannot read the message, and so cannot tell its context either.
    static bool refuse_probe(output_buffer& out) {
        static constexpr std::string_view answer =
            R"({"result":"send-error:3","errorMsg":"not a valid Integer value","errorCode":0,"schemaVersion":0})";
        static_assert(answer.size() < 126); // so the header is two bytes
        constexpr char header[] = {'\x81', static_cast<char>(answer.size())};
        out.append({header, sizeof header});
        out.append(answer);
        return true;
    }

    void check_order(const unsigned char* payload, std::size_t n, std::uint32_t key) {
        char text[128]; // holds the members before the payload, and the stamp
        const std::size_t size = std::min(n, sizeof text) / edge * edge;
        for (std::size_t at = 0; at < size; at += edge) unmask_edge(text + at, payload, at, key);
        if (!order_->next({text, size})) ++counters_.out_of_order;
    }

    /// Any other shape: the outermost object's member `context`, wherever it stands.
    static std::string_view find_context(std::string_view json) noexcept {
        int depth = 0;
        bool is_context = false;
        for (std::size_t i = 0; i < json.size(); ++i) {
            if (json[i] == '{' || json[i] == '[') ++depth;
            if (json[i] == '}' || json[i] == ']') --depth;
            if (json[i] == ',') is_context = false;
            if (json[i] != '"') continue;
            const std::size_t begin = ++i;
            while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
            if (i >= json.size()) return {};
            const std::string_view text = json.substr(begin, i - begin);
            if (is_context) return text;
            const std::size_t next = json.find_first_not_of(" \t\r\n", i + 1);
            is_context = depth == 1 && text == "context" && next != std::string_view::npos && json[next] == ':';
        }
        return {};
    }

    bool acknowledge(std::string_view context, output_buffer& out) {
        static constexpr std::string_view before = R"({"result":"ok","messageId":"CAQQADAA","context":")";
        static constexpr std::string_view after = R"(","errorCode":0,"schemaVersion":0})";
        std::uint64_t number = 0;
        for (const char c : context) {
            if (!digit(c)) return false;
            number = number * 10 + static_cast<std::uint64_t>(c - '0');
        }
        if (context.empty() || context.size() > 19) return false;
        if (number > last_ || counters_.frames == 0) [[likely]] {
            if (counters_.frames == 0) first_ = number;
        } else if (number == first_) {
            ++counters_.restarts;
        } else {
            ++counters_.out_of_order;
        }
        last_ = number;
        ++counters_.frames;

        const std::size_t length = before.size() + context.size() + after.size();
        static_assert(before.size() + 19 + after.size() < 126); // so the header is two bytes
        char* const p = out.prepare(2 + length);
        p[0] = '\x81';
        p[1] = static_cast<char>(length);
        std::memcpy(p + 2, before.data(), before.size());
        std::memcpy(p + 2 + before.size(), context.data(), context.size());
        std::memcpy(p + 2 + before.size() + context.size(), after.data(), after.size());
        out.commit(2 + length);
        return true;
    }

    bool control(unsigned char first, unsigned char* payload, std::size_t n, std::uint32_t key, output_buffer& out) {
        if (n > 125) return false;
        unmask(payload, n, key);
        const std::string_view text(reinterpret_cast<const char*>(payload), n);
        const auto answer = [&](char opcode) {
            out.append(std::string_view(&opcode, 1));
            const char length = static_cast<char>(n);
            out.append(std::string_view(&length, 1));
            out.append(text);
        };
        switch (first) {
        case 0x88: // close: RFC 6455 5.5.1, the same code goes back
            answer('\x88');
            closed_ = true;
            return true;
        case 0x89: answer('\x8a'); return true;
        case 0x8a: return true;
        default: return false;
        }
    }

    frame_counters counters_;
    std::optional<thread_order> order_;
    std::unique_ptr<message_inflater> inflater_{};
    std::uint64_t first_ = 0;
    std::uint64_t last_ = 0;
    std::size_t needed_ = 0;
    bool closed_ = false;
};

} // namespace bench
