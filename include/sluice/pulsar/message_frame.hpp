// SPDX-License-Identifier: BSL-1.0
// A message as the WebSocket producer says it: one masked text frame with one JSON object in it.
#pragma once

#include <sluice/message.hpp>
#include <sluice/pulsar/context_text.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/mask.hpp>
#include <sluice/web/utf8.hpp>
#include <sluice/web/ws_frame.hpp>

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace pulsar {

namespace detail {

inline failure invalid_member(std::string_view member, std::string_view why) {
    return make_failure(errc::invalid_message, std::string(member) + ": " + std::string(why));
}

inline failure check_text(std::string_view member, std::string_view text) {
    if (!web::is_utf8(text)) return invalid_member(member, "UTF-8 is needed");
    return {};
}

/// Names a property by its place: the name itself may be what is wrong with it.
inline failure check_property(std::size_t index, std::string_view part, std::string_view text) {
    const bool has_nul = text.find('\0') != std::string_view::npos;
    if (!has_nul && web::is_utf8(text)) return {};
    return invalid_member("properties[" + std::to_string(index) + "]." + std::string(part),
                          has_nul ? "a NUL is not allowed" : "UTF-8 is needed");
}

inline constexpr message_attributes::time_point first_event_time =
    std::chrono::sys_days(std::chrono::year(1970) / std::chrono::January / 1) + std::chrono::milliseconds(1);
inline constexpr message_attributes::time_point last_event_time =
    std::chrono::sys_days(std::chrono::year(10'000) / std::chrono::January / 1) - std::chrono::milliseconds(1);

} // namespace detail

/// What cannot be said on this wire: text that is not UTF-8, a NUL in a property, an event time that is not after 1970
/// began (Pulsar 3.0 closes the socket at it, and what else is under way would be lost) or beyond 9999.
/// `errc::invalid_message` names the member. Reads nothing of a message that has only a payload.
inline failure check_message(const message_view& m) {
    if (m.has_key())
        if (failure f = detail::check_text("key", m.key())) return f;
    const message_attributes* const a = m.attributes();
    if (a == nullptr) return {};
    for (std::size_t i = 0; i < a->properties.size(); ++i) {
        const auto& [name, value] = a->properties[i];
        if (failure f = detail::check_property(i, "name", name)) return f;
        if (failure f = detail::check_property(i, "value", value)) return f;
    }
    for (const std::string& cluster : a->replication_clusters)
        if (failure f = detail::check_text("replication_clusters", cluster)) return f;
    if (a->event_time && (*a->event_time < detail::first_event_time || *a->event_time > detail::last_event_time))
        return detail::invalid_member("event_time",
                                      "a time after 1970-01-01T00:00:00Z is allowed, up to the year 9999");
    return {};
}

namespace detail {

inline constexpr std::string_view frame_begin = R"({"payload":")";
inline constexpr std::string_view frame_context = R"(","context":)";
inline constexpr std::string_view frame_end = R"(""})"; // around and behind the context
inline constexpr std::string_view frame_key = R"(,"key":")";
inline constexpr std::string_view frame_properties = R"(,"properties":{)";
inline constexpr std::string_view frame_event_time = R"(,"eventTime":")";
inline constexpr std::string_view frame_deliver_at = R"(,"deliverAt":)";
inline constexpr std::string_view frame_deliver_after = R"(,"deliverAfterMs":)";
inline constexpr std::string_view frame_clusters = R"(,"replicationClusters":[)";
inline constexpr std::size_t event_time_size = 24; // 2026-11-24T08:00:00.123Z

inline constexpr std::array<std::uint64_t, 20> powers_of_ten = [] {
    std::array<std::uint64_t, 20> powers{};
    std::uint64_t p = 1;
    for (std::uint64_t& each : powers) {
        each = p;
        p *= 10;
    }
    return powers;
}();

constexpr std::size_t decimal_size(std::uint64_t n) noexcept {
    // 1233 / 4096 is a little more than log10(2): the guess is right or one too large.
    const auto guess = (static_cast<std::size_t>(std::bit_width(n | 1)) * 1233) >> 12;
    return guess + ((n | 1) >= powers_of_ten[guess]);
}

constexpr std::size_t decimal_size(std::int64_t n) noexcept {
    return n < 0 ? 1 + decimal_size(std::uint64_t{0} - static_cast<std::uint64_t>(n))
                 : decimal_size(static_cast<std::uint64_t>(n));
}

inline char* put(std::string_view text, char* out) noexcept {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

template <class Integer>
inline char* put_decimal(Integer n, char* out) noexcept {
    return std::to_chars(out, out + 20, n).ptr;
}

/// ISO 8601 in UTC with milliseconds, by civil arithmetic alone: no locale, no time zone. Years 0001 to 9999.
inline char* put_event_time(message_attributes::time_point at, char* out) noexcept {
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    auto rest = static_cast<unsigned>((at - day).count());
    const auto digits = [](unsigned n, int width, char* end) {
        for (; width > 0; --width, n /= 10) *--end = static_cast<char>('0' + n % 10);
    };
    put("0000-00-00T00:00:00.000Z", out);
    digits(rest % 1000, 3, out + 23);
    rest /= 1000;
    digits(rest % 60, 2, out + 19);
    digits(rest / 60 % 60, 2, out + 16);
    digits(rest / 3600, 2, out + 13);
    digits(static_cast<unsigned>(date.day()), 2, out + 10);
    digits(static_cast<unsigned>(date.month()), 2, out + 7);
    digits(static_cast<unsigned>(static_cast<int>(date.year())), 4, out + 4);
    return out + event_time_size;
}

/// The members behind the context: their exact size, and the writing of them.
inline std::size_t members_size(const message_view& m) noexcept {
    std::size_t n = 0;
    if (m.has_key()) n += frame_key.size() + web::json_escaped_size(m.key()) + 1;
    const message_attributes* const a = m.attributes();
    if (a == nullptr) return n;
    if (!a->properties.empty()) {
        n += frame_properties.size() + a->properties.size(); // a comma between, and the brace at the end
        for (const property& p : a->properties)
            n += web::json_escaped_size(p.name) + web::json_escaped_size(p.value) + 5; // "":""
    }
    if (a->event_time) n += frame_event_time.size() + event_time_size + 1;
    if (a->deliver_at)
        n += frame_deliver_at.size() + decimal_size(std::int64_t{a->deliver_at->time_since_epoch().count()});
    if (a->deliver_after) n += frame_deliver_after.size() + decimal_size(std::int64_t{a->deliver_after->count()});
    if (!a->replication_clusters.empty()) {
        n += frame_clusters.size() + a->replication_clusters.size();
        for (const std::string& c : a->replication_clusters) n += web::json_escaped_size(c) + 2;
    }
    return n;
}

inline char* put_members(const message_view& m, char* out) noexcept {
    if (m.has_key()) {
        out = web::json_escape(m.key(), put(frame_key, out));
        *out++ = '"';
    }
    const message_attributes* const a = m.attributes();
    if (a == nullptr) return out;
    if (!a->properties.empty()) {
        out = put(frame_properties, out);
        for (const property& p : a->properties) {
            *out++ = '"';
            out = web::json_escape(p.name, out);
            out = web::json_escape(p.value, put(R"(":")", out));
            out = put(R"(",)", out);
        }
        out[-1] = '}'; // for the last comma
    }
    if (a->event_time) {
        out = put_event_time(*a->event_time, put(frame_event_time, out));
        *out++ = '"';
    }
    if (a->deliver_at)
        out = put_decimal(std::int64_t{a->deliver_at->time_since_epoch().count()}, put(frame_deliver_at, out));
    if (a->deliver_after) out = put_decimal(std::int64_t{a->deliver_after->count()}, put(frame_deliver_after, out));
    if (!a->replication_clusters.empty()) {
        out = put(frame_clusters, out);
        for (const std::string& c : a->replication_clusters) {
            *out++ = '"';
            out = web::json_escape(c, out);
            out = put(R"(",)", out);
        }
        out[-1] = ']';
    }
    return out;
}

} // namespace detail

/// Lays messages as masked text frames behind one another into one contiguous buffer, each in one pass.
///
///     payload -> (compress, encrypt) -> base64 -> (deflate) -> mask
///
/// In the plain case, which is what this class does, base64 and mask are one step. A stage that works on the payload
/// (a codec, PIP-290) runs before and hands its bytes in as the payload of a view. A stage that works on the frame's
/// text (permessage-deflate) asks with the key 0 for the text as it is, and masks what it makes of it.
///
/// One object is used by one thread at a time. Precondition of both functions: `check_message` had no failure.
class message_encoder {
public:
    /// Octets of the JSON text, exactly: what counts against `max_frame_bytes`.
    [[gnu::always_inline]] std::size_t text_size(const message_view& m, std::uint64_t context) const noexcept {
        std::size_t n = detail::frame_begin.size() + web::base64_size(m.payload().size()) +
                        detail::frame_context.size() + detail::decimal_size(context) + detail::frame_end.size();
        if (m.has_key() || m.attributes() != nullptr) n += detail::members_size(m);
        return n;
    }

    /// Appends `web::frame_header_size(text_size(m, context), true)` + `text_size(m, context)` octets.
    void encode(const message_view& m, std::uint64_t context, web::mask_key key, web::byte_buffer& out) {
        encode(m, context, text_size(m, context), key, out);
    }
    /// The same where `size`, the text's, is known already.
    /// `members`: of the payload, text as it is, each with its comma before it; `size` counts them.
    void encode(const message_view& m, std::uint64_t context, std::size_t size, web::mask_key key,
                web::byte_buffer& out, std::string_view members = {}) {
        constexpr std::size_t spare = 8; // for context_text::put
        std::byte* const frame = out.prepare(web::max_frame_header_size + size + spare);
        web::frame_header header;
        header.masked = true;
        header.length = size;
        header.key = key;
        std::byte* const text = web::write_frame_header(frame, header);

        // Up to the context's value all pieces are multiples of four: the key need not be advanced.
        static_assert(detail::frame_begin.size() % 4 == 0 && detail::frame_context.size() % 4 == 0);
        char* at = web::put_masked(detail::frame_begin, reinterpret_cast<char*>(text), key);
        at = web::base64_encode_masked(web::as_bytes(m.payload()), at, key);

        at = web::put_masked(detail::frame_context, at, key);
        if (m.has_key() || m.attributes() != nullptr || !members.empty()) {
            char* const tail = at;
            *at++ = '"';
            at = detail::put_decimal(context, at);
            *at++ = '"';
            if (!members.empty()) at = detail::put(members, at);
            at = detail::put_members(m, at);
            *at++ = '}';
            web::apply_mask(reinterpret_cast<std::byte*>(tail), static_cast<std::size_t>(at - tail), key);
        } else {
            end_.turn_to(context);
            const std::size_t n = end_.size();
            end_.put(at, key);
            end_.next();
            at += n;
        }
        out.commit(static_cast<std::size_t>(reinterpret_cast<std::byte*>(at) - frame));
    }

private:
    context_text end_{};
};

} // namespace pulsar
} // namespace v1
} // namespace sluice
