// SPDX-License-Identifier: BSL-1.0
// How the servers write a time: HTTP's way, and Pulsar's.
#pragma once

#include <sluice/testing/gateway/types.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// `Tue, 24 Nov 2026 20:04:04 GMT` (RFC 9110 section 5.6.7).
inline std::string http_date(time_point t) {
    using namespace std::chrono;
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const sys_days date = floor<std::chrono::days>(t);
    const year_month_day ymd(date);
    const hh_mm_ss time(floor<seconds>(t - date));
    char text[64];
    const int n =
        std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", days[weekday(date).c_encoding()],
                      static_cast<unsigned>(ymd.day()), months[static_cast<unsigned>(ymd.month()) - 1],
                      static_cast<int>(ymd.year()), static_cast<int>(time.hours().count()),
                      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
    return {text, static_cast<std::size_t>(n)};
}

/// `2026-11-24T20:18:50.848Z`, as Pulsar writes milliseconds since 1970: no zeros at the end of the fraction, a plus
/// before a year of five digits.
inline std::string iso_date(std::int64_t ms) {
    using namespace std::chrono;
    const sys_time<milliseconds> t{milliseconds(ms)};
    const sys_days date = floor<days>(t);
    const year_month_day ymd(date);
    const hh_mm_ss time(t - date);
    char text[64];
    const int n = std::snprintf(text, sizeof text, "%s%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                                static_cast<int>(ymd.year()) > 9999 ? "+" : "", static_cast<int>(ymd.year()),
                                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    std::string_view shortest(text, static_cast<std::size_t>(n) - 1); // the `Z` comes back
    while (shortest.ends_with('0') && !shortest.ends_with(".0")) shortest.remove_suffix(1);
    if (shortest.ends_with(".0")) shortest.remove_suffix(2);
    return std::string(shortest) + "Z";
}

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
