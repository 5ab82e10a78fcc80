// SPDX-License-Identifier: BSL-1.0
// What two classes of the Java library take, and their words for what they refuse: `Base64.Decoder` and the ISO date
// formatter.
#pragma once

#include <sluice/web/base64.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// `a + b` of two `long`s: it wraps around.
constexpr std::int64_t java_sum(std::int64_t a, std::int64_t b) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// The first characters of a text, as many as fit `most` of Java's, which are UTF-16 units; never half of one, for what
/// errors quote goes back to clients.
inline std::string_view java_shortened(std::string_view utf8, std::size_t most) noexcept {
    std::size_t units = 0;
    for (std::size_t i = 0; i != utf8.size(); ++i) {
        const auto octet = static_cast<unsigned char>(utf8[i]);
        if ((octet & 0xc0) == 0x80) continue;
        units += octet >= 0xf0 ? 2 : 1;
        if (units > most) return utf8.substr(0, i);
    }
    return utf8;
}

/// `Integer.toString(n, 16)`.
inline std::string java_hex(int n) {
    std::array<char, 12> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n, 16).ptr;
    return {digits.data(), end};
}

/// Seconds as a `double` with three decimals at most: `3.002`, `0.0`.
inline std::string java_seconds(std::chrono::nanoseconds time) {
    std::string text = std::to_string(std::chrono::round<std::chrono::milliseconds>(time).count());
    if (text.size() < 4) text.insert(0, 4 - text.size(), '0');
    text.insert(text.size() - 3, 1, '.');
    while (text.ends_with('0') && !text.ends_with(".0")) text.pop_back();
    return text;
}

/// The byte that stands for the character at `at` once the text is ISO 8859-1, where what is beyond it is a question
/// mark. Signed, as Java's bytes are.
inline int java_latin1(std::string_view utf8, std::size_t at) noexcept {
    const auto lead = static_cast<unsigned char>(utf8[at]);
    if (lead < 0x80) return lead;
    if (lead > 0xc3 || at + 1 == utf8.size()) return '?';
    return ((lead & 3) << 6 | (static_cast<unsigned char>(utf8[at + 1]) & 0x3f)) - 256;
}

/// Decodes into `out`; returns the exception's text, empty if all is well.
inline std::string java_base64_decode(std::string_view text, std::string& out) {
    out.resize(web::base64_decoded_bound(text.size()));
    if (const auto n = web::base64_decode(text, reinterpret_cast<std::byte*>(out.data()))) {
        out.resize(*n);
        return {};
    }
    if (text.size() < 2) return "Input byte[] should at least have 2 bytes for base64 bytes";
    if (const int bad = web::base64_bad_character(text); bad >= 0)
        return "Illegal base64 character " + java_hex(java_latin1(text, text.find(static_cast<char>(bad))));
    const std::size_t digits = std::min(text.find('='), text.size());
    if (digits % 4 == 1) return "Last unit does not have enough valid bits";
    const bool pair = digits % 4 == 2; // two paddings are due, else one
    if (digits % 4 == 0 || (pair && !text.substr(digits).starts_with("==")))
        return "Input byte array has wrong 4-byte ending unit";
    return "Input byte array has incorrect ending byte at " + std::to_string(digits + (pair ? 2 : 1));
}

/// `DateTimeFormatter.ISO_OFFSET_DATE_TIME`: `2026-11-24T08:00:00.123+02:00`. Milliseconds since 1970, or what the
/// exception says.
class java_date_parser {
public:
    explicit java_date_parser(std::string_view text) noexcept : text_(text) {}

    std::optional<std::int64_t> parse(std::string& error) {
        using namespace std::chrono;
        int year_n = 0, month_n = 0, day_n = 0, hour = 0, minute = 0, second = 0;
        std::int64_t nanoseconds = 0, offset = 0;
        const bool shaped = year_field(year_n) && sign('-') && field(2, month_n) && sign('-') && field(2, day_n) &&
                            letter('T') && field(2, hour) && sign(':') && field(2, minute) &&
                            seconds_field(second, nanoseconds) && offset_field(offset);
        if (!shaped) return refuse(error, "could not be parsed at index " + std::to_string(at_));
        if (at_ != text_.size())
            return refuse(error, "could not be parsed, unparsed text found at index " + std::to_string(at_));
        if (std::abs(offset) >= 24 * 3600)
            return refuse(error, "could not be parsed: Value out of range: Hour[0-23], Minute[0-59], Second[0-59]");
        if (std::abs(offset) > 18 * 3600)
            return refuse(error, "could not be parsed: Zone offset not in valid range: -18:00 to +18:00");
        const auto range = [&](const char* what, int high, int low, int v) {
            return refuse(error, "could not be parsed: Invalid value for " + std::string(what) + " (valid values " +
                                     std::to_string(low) + " - " + std::to_string(high) + "): " + std::to_string(v));
        };
        if (month_n < 1 || month_n > 12) return range("MonthOfYear", 12, 1, month_n);
        if (day_n < 1 || day_n > 31)
            return refuse(error, "could not be parsed: Invalid value for DayOfMonth (valid "
                                 "values 1 - 28/31): " +
                                     std::to_string(day_n));
        if (hour > 23) return range("HourOfDay", 23, 0, hour);
        if (minute > 59) return range("MinuteOfHour", 59, 0, minute);
        if (second > 59) return range("SecondOfMinute", 59, 0, second);
        const year_month_day date{year(year_n), month(static_cast<unsigned>(month_n)),
                                  day(static_cast<unsigned>(day_n))};
        if (!date.ok()) {
            if (month_n == 2 && day_n == 29)
                return refuse(error, "could not be parsed: Invalid date 'February 29' as '" + std::to_string(year_n) +
                                         "' is not a leap year");
            static constexpr const char* names[] = {"JANUARY",   "FEBRUARY", "MARCH",    "APRIL",
                                                    "MAY",       "JUNE",     "JULY",     "AUGUST",
                                                    "SEPTEMBER", "OCTOBER",  "NOVEMBER", "DECEMBER"};
            return refuse(error, std::string("could not be parsed: Invalid date '") + names[month_n - 1] + " " +
                                     std::to_string(day_n) + "'");
        }
        const std::int64_t whole = static_cast<std::int64_t>(sys_days(date).time_since_epoch().count()) * 86400 +
                                   hour * 3600 + minute * 60 + second - offset;
        return whole * 1000 + nanoseconds / 1'000'000;
    }

private:
    std::nullopt_t refuse(std::string& error, const std::string& why) const {
        error = "Text '" + std::string(java_shortened(text_, 64)) +
                (java_shortened(text_, 64).size() != text_.size() ? "..." : "") + "' " + why;
        return std::nullopt;
    }

    bool is_digit() const noexcept { return at_ != text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }
    bool is(char c) const noexcept { return at_ != text_.size() && text_[at_] == c; }
    bool sign(char c) noexcept {
        if (!is(c)) return false;
        ++at_;
        return true;
    }
    bool letter(char upper) noexcept { return sign(upper) || sign(static_cast<char>(upper | 0x20)); }
    /// Exactly so many digits; on failure `at_` stays where the field began.
    bool field(int width, int& out) noexcept {
        const std::size_t begin = at_;
        out = 0;
        for (; width > 0 && is_digit(); --width) out = out * 10 + (text_[at_++] - '0');
        if (width == 0) return true;
        at_ = begin;
        return false;
    }
    /// Four digits without a sign or behind a minus, more than four behind a plus (our calendar ends at 32767).
    bool year_field(int& out) noexcept {
        const std::size_t begin = at_;
        const bool plus = is('+'), minus = is('-');
        if (plus || minus) ++at_;
        const std::size_t first = at_;
        std::int64_t n = 0;
        while (is_digit() && at_ - first < 10) n = n * 10 + (text_[at_++] - '0');
        const std::size_t digits = at_ - first;
        if (digits < 4 || n > 32767 || (plus && digits == 4) || (!plus && !minus && digits > 4)) {
            at_ = begin;
            return false;
        }
        out = static_cast<int>(minus ? -n : n);
        return true;
    }
    bool seconds_field(int& second, std::int64_t& nanoseconds) noexcept {
        if (!is(':')) return true;
        ++at_;
        if (!field(2, second)) {
            --at_; // the optional part begins with its colon
            return true;
        }
        if (!sign('.')) return true;
        int digits = 0;
        for (; is_digit() && digits < 9; ++digits) nanoseconds = nanoseconds * 10 + (text_[at_++] - '0');
        for (; digits < 9; ++digits) nanoseconds *= 10;
        return true;
    }
    /// `Z`, `+hh`, `+hh:mm` or `+hh:mm:ss`; what is not of that shape is left over.
    bool offset_field(std::int64_t& seconds) noexcept {
        if (letter('Z')) return true;
        const std::size_t begin = at_;
        const bool negative = is('-');
        int hour = 0;
        if ((!sign('+') && !sign('-')) || !field(2, hour) || hour > 59) {
            at_ = begin;
            return false;
        }
        seconds = hour * 3600;
        for (const int unit : {60, 1}) {
            const std::size_t colon = at_;
            int n = 0;
            if (!sign(':') || !field(2, n) || n > 59) {
                at_ = colon;
                break;
            }
            seconds += n * unit;
        }
        if (negative) seconds = -seconds;
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
