// SPDX-License-Identifier: BSL-1.0
// What the WebSocket producer answers: an acknowledgement, read fast in its common shape and by simdjson in any other.
#pragma once

#include <sluice/error.hpp>
#include <sluice/message.hpp>
#include <sluice/pulsar/context_text.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/bytes.hpp>
#include <sluice/web/json_scan.hpp>

#include <simdjson.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// True for ledger -1, entry -1: answered `ok`, yet thrown away as a repeat (or with a batch that began with one).
inline bool is_dropped(std::string_view message_id) noexcept {
    // Ledger and entry come first and fill 29 characters and a third: hardly anything else begins so.
    constexpr std::string_view begin = "CP///////////wEQ////////////A";
    if (message_id.size() < begin.size() || std::memcmp(message_id.data(), begin.data(), begin.size()) != 0)
        return false;
    const auto position = sluice::message_id(message_id).decode();
    return position && position->ledger == -1 && position->entry == -1;
}

/// What nearly every answer says: `ok`, and for which message. The view is into what was parsed.
struct common_acknowledgement {
    std::uint64_t context = 0;
    std::string_view message_id{};
};

/// One answer to one message. The views are valid until the next `parse` or the end of what was parsed.
struct acknowledgement {
    bool ok = false;
    bool has_context = false;      ///< false for `send-error:3`: nobody knows which message it answers
    bool foreign_context = false;  ///< there is a context, but it is none of our numbers
    std::uint64_t context = 0;     ///< where there is one and it is not foreign
    int code = 0;                  ///< N of `send-error:N`; 0 for `ok` and for a result of another form
    std::string_view message_id{}; ///< base64, where `ok`
    std::string_view error_text{}; ///< the server's words, where not `ok`. May quote the message

    bool dropped() const noexcept { return is_dropped(message_id); }
    /// It is what `common_acknowledgement` can say.
    bool common() const noexcept { return ok && has_context && !foreign_context; }
};

/// What a text frame of the producer socket was.
enum class ack_kind : std::uint8_t {
    acknowledgement,
    other, ///< a JSON object without `result`, such as `AUTH_CHALLENGE`: to be ignored
    garbage
};

namespace detail {

/// True if the text is exactly what the end of an `ok` may be behind the context's digits, by release.
inline bool is_ack_end(std::string_view text) noexcept {
    const auto is = [text](std::string_view end) noexcept { // sizes first: a comparison of constant length is inlined
        return text.size() == end.size() && std::memcmp(text.data(), end.data(), end.size()) == 0;
    };
    return is(R"(","errorCode":0,"schemaVersion":0})") || is(R"("})") || is(R"(","errorCode":0})") ||
           is(R"(","schemaVersion":0})");
}

/// Goes on to the first character that ends a JSON string, or that is not simply itself in one, or is not ASCII: an id
/// has none.
inline const char* skip_plain(const char* at, const char* end) noexcept {
    at = web::detail::skip_json_plain(at, end); // up to the last few
    while (at != end && *at != '"' && *at != '\\' && *at >= 0x20 && static_cast<signed char>(*at) >= 0) ++at;
    return at;
}

/// Goes on behind the digits, and puts their value, modulo 2^64, into `value`.
inline const char* read_digits(const char* at, const char* end, std::uint64_t& value) noexcept {
    value = 0;
    if constexpr (std::endian::native == std::endian::little) {
        constexpr std::uint64_t ones = 0x0101010101010101;
        std::uint64_t v = 0;
        if (end - at >= 8) {
            // Eight at once: a third of the instructions of the loop below.
            std::memcpy(&v, at, 8);
            v ^= ones * '0';
            const std::uint64_t others = ((v + ones * (0x80 - 10)) | v) & ones * 0x80; // exact up to the first of them
            const int digits = others == 0 ? 8 : std::countr_zero(others) / 8;
            if (digits == 0) return at;
            v <<= 64 - 8 * digits; // zeros in front
            v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ff;
            v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffff;
            value = (v * 10000 + (v >> 32)) & 0xffffffff;
            at += digits;
            if (digits < 8) return at;
        }
    }
    for (; at != end && *at >= '0' && *at <= '9'; ++at) value = value * 10 + static_cast<unsigned>(*at - '0');
    return at;
}

} // namespace detail

/// Reads acknowledgements. Keeps the memory that the slow path needs from one call to the next; one object is used by
/// one thread at a time.
class ack_parser {
public:
    ack_kind parse(web::bytes_view frame, acknowledgement& out) {
        const std::string_view text = web::as_text(frame);
        common_acknowledgement common;
        if (!parse_common(text, common)) return parse_any(text, out);
        out = {};
        out.ok = true;
        out.has_context = true;
        out.context = common.context;
        out.message_id = common.message_id;
        return ack_kind::acknowledgement;
    }

    /// The strict form of an `ok` alone; false for anything else, `out` is then unspecified. Quickest where the context
    /// is the last one's successor.
    [[gnu::always_inline]] bool parse_common(std::string_view text, common_acknowledgement& out) noexcept {
        constexpr std::string_view begin = R"({"result":"ok","messageId":")";
        constexpr std::string_view middle = R"(","context":")";
        const char* at = text.data();
        const char* const end = at + text.size();
        const auto skip = [&](std::string_view literal) noexcept { // of constant size: compared without a call
            if (static_cast<std::size_t>(end - at) < literal.size()) return false;
            if (std::memcmp(at, literal.data(), literal.size()) != 0) return false;
            at += literal.size();
            return true;
        };
        if (!skip(begin)) return false;
        const char* const id = at;
        at = detail::skip_plain(at, end);
        out.message_id = {id, static_cast<std::size_t>(at - id)};
        if (!skip(middle)) return false;

        if (expected_.stands_at(at, end)) {
            out.context = expected_.context();
            at += expected_.digits();
            expected_.next();
        } else {
            const char* const number = at;
            at = detail::read_digits(at, end, out.context);
            const auto digits = at - number;
            if (digits == 0 || digits > 19 || (digits > 1 && *number == '0')) return false;
            expected_.turn_to(out.context + 1);
        }
        return detail::is_ack_end({at, static_cast<std::size_t>(end - at)});
    }

    /// Every form, by a JSON parser. Members may stand in any order, unknown ones are skipped, the last of two counts.
    ack_kind parse_any(std::string_view text, acknowledgement& out) {
        out = {};
        padded_.clear();
        std::byte* const copy = padded_.prepare(text.size() + simdjson::SIMDJSON_PADDING);
        if (!text.empty()) std::memcpy(copy, text.data(), text.size());
        std::memset(copy + text.size(), 0, simdjson::SIMDJSON_PADDING);
        simdjson::dom::object object;
        constexpr bool copy_again = false;
        if (parser_.parse(reinterpret_cast<const char*>(copy), text.size(), copy_again).get(object) !=
            simdjson::SUCCESS)
            return ack_kind::garbage;
        bool has_result = false;
        for (const auto& [name, value] : object) {
            std::string_view string;
            if (value.get(string) != simdjson::SUCCESS) continue;
            if (name == "result") {
                has_result = true;
                read_result(string, out);
            } else if (name == "messageId") {
                out.message_id = string;
            } else if (name == "errorMsg") {
                out.error_text = string;
            } else if (name == "context") {
                read_context(string, out);
            }
        }
        return has_result ? ack_kind::acknowledgement : ack_kind::other;
    }

private:
    static void read_result(std::string_view result, acknowledgement& out) noexcept {
        constexpr std::string_view error = "send-error:";
        out.ok = result == "ok";
        out.code = 0;
        if (!result.starts_with(error)) return;
        int code = 0;
        const char* const end = result.data() + result.size();
        const auto [rest, ec] = std::from_chars(result.data() + error.size(), end, code);
        if (ec == std::errc() && rest == end) out.code = code;
    }

    /// Our numbers are decimal without leading zeros: any other text was never sent by us.
    static void read_context(std::string_view text, acknowledgement& out) noexcept {
        const char* const end = text.data() + text.size();
        out.context = 0;
        const auto [rest, ec] = std::from_chars(text.data(), end, out.context);
        out.has_context = true;
        out.foreign_context = ec != std::errc() || rest != end || (text.size() > 1 && text[0] == '0');
        if (out.foreign_context) out.context = 0;
    }

    context_text expected_{};
    web::byte_buffer padded_{};
    simdjson::dom::parser parser_{};
};

/// What a refusal means, by the name of the exception at the front of its text.
///
/// * `ack_timeout`: the proxy waited too long for the broker. Ambiguous: the message may be stored.
/// * `queue_full`: not sent, and it took no sequence number.
/// * `too_large`, `topic_terminated`: will never be taken; after the latter the socket is useless.
/// * `quota_exceeded`: later, on the same socket.
/// * `connection_closed`: the proxy's producer is closed. The socket is useless though nobody closes it.
/// * `rejected`: all else, `send-error:3` and `send-error:7` among them.
inline errc error_of(const acknowledgement& ack) noexcept {
    constexpr std::array<std::pair<std::string_view, errc>, 8> names{{
        {"TimeoutException", errc::ack_timeout},
        {"ProducerQueueIsFullError", errc::queue_full},
        {"MemoryBufferIsFullError", errc::queue_full},
        {"InvalidMessageException", errc::too_large},
        {"TopicTerminatedException", errc::topic_terminated},
        {"ProducerBlockedQuotaExceededException", errc::quota_exceeded},
        {"ProducerBlockedQuotaExceededError", errc::quota_exceeded},
        {"AlreadyClosedException", errc::connection_closed},
    }};
    if (ack.code != 8) return errc::rejected;
    // `a.b.Outer$Name: text`, perhaps wrapped: `a.b.Wrapper: a.b.Outer$Name: text`. Further in, the text may hold names
    // that others chose (the topic's), so the search ends at the first piece that is not the name of a class.
    std::string_view text = ack.error_text;
    while (true) {
        std::size_t n = 0;
        while (n < text.size() && text[n] != ':' && text[n] != ' ') ++n;
        const std::string_view whole = text.substr(0, n);
        const std::size_t last = whole.find_last_of(".$");
        if (last == std::string_view::npos) return errc::rejected;
        for (const auto& [name, code] : names)
            if (whole.substr(last + 1) == name) return code;
        if (!text.substr(n).starts_with(": ")) return errc::rejected;
        text.remove_prefix(n + 2);
    }
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
