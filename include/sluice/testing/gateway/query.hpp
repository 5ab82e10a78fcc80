// SPDX-License-Identifier: BSL-1.0
// The parameters behind a path's question mark, and what the proxy says about one that is wrong.
#pragma once

#include <sluice/testing/gateway/broker.hpp>
#include <sluice/web/url.hpp>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Name and value, percent-decoded; of a name that comes twice the first counts.
using query_parameters = std::vector<std::pair<std::string, std::string>>;

inline const std::string* find_parameter(const query_parameters& query, std::string_view name) noexcept {
    for (const auto& [key, value] : query)
        if (key == name) return &value;
    return nullptr;
}

/// `Integer.parseInt` and `Long.parseLong`: false where they throw.
template <class Integer>
bool java_integer(std::string_view text, Integer& out) noexcept {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return false;
    }
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    return ec == std::errc() && end == text.data() + text.size();
}
inline std::string java_integer_error(const std::string& text) { return "For input string: \"" + text + "\""; }

inline bool java_blank(std::string_view text) noexcept {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

inline refusal bad_query(const std::string& why) { return {400, "Invalid query params: " + why}; }
inline refusal bad_integer(const std::string& text) { return bad_query(java_integer_error(text)); }

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
