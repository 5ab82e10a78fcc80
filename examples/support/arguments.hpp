// SPDX-License-Identifier: BSL-1.0
// A program's arguments as a table: what each flag is called, what it takes, what it says of itself.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace tool {

/// Wrong arguments: the flag, its value, and what is allowed. Exit status 2.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Uses a flag's value. The answer is empty, or says what is allowed.
using taker = std::function<std::string(std::string_view value)>;

struct flag {
    std::string names{}; ///< `--stream`, or `-K, --key-separator`; empty: `help` is a heading
    std::string value{}; ///< what stands behind it, in capitals; empty: nothing
    std::string help{};
    taker take{};
};
using flags = std::vector<flag>;

// Values from text: false if the text is none. A number that is too large becomes the largest, a number that is too
// small the smallest: whoever knows the range will say it.

template <std::integral T>
bool parse(std::string_view text, T& out) {
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || end != text.data() + text.size()) return false;
    if (ec == std::errc::result_out_of_range)
        out = text.front() == '-' ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
    return ec == std::errc() || ec == std::errc::result_out_of_range;
}
inline bool parse(std::string_view text, double& out) {
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    return ec == std::errc() && end == text.data() + text.size();
}
/// `1500`, `1500ms`, `30s`, `5m`, `1h`.
inline bool parse(std::string_view text, std::chrono::milliseconds& out) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789-"), text.size());
    const std::string_view unit = text.substr(digits);
    const long long ms = unit.empty() || unit == "ms" ? 1
                         : unit == "s"                ? 1000
                         : unit == "m"                ? 60'000
                         : unit == "h"                ? 3'600'000
                                                      : 0;
    long long n = 0;
    if (ms == 0 || !parse(text.substr(0, digits), n)) return false;
    const long long most = std::numeric_limits<long long>::max() / 3'600'000;
    out = std::chrono::milliseconds(std::clamp(n, -most, most) * ms);
    return true;
}
template <class T>
bool parse(std::string_view text, std::optional<T>& out) {
    return parse(text, out.emplace());
}

template <class T>
constexpr const char* form_of() {
    if constexpr (std::same_as<T, std::chrono::milliseconds>)
        return "allowed is a time: 1500, 1500ms, 30s, 5m, 1h";
    else if constexpr (std::same_as<T, double>)
        return "allowed is a number";
    else
        return "allowed is a whole number";
}

// Takers

template <class T>
taker set(T& out, std::type_identity_t<T> value) {
    return [&out, value](std::string_view) {
        out = value;
        return std::string();
    };
}
inline taker text(std::string& out) {
    return [&out](std::string_view value) {
        out = value;
        return std::string(value.empty() ? "it is empty" : "");
    };
}
inline taker append(std::vector<std::string>& out) {
    return [&out](std::string_view value) {
        out.emplace_back(value);
        return std::string(value.empty() ? "it is empty" : "");
    };
}
template <std::integral T>
taker number(T& out, T least, T most) {
    return [=, &out](std::string_view value) {
        std::int64_t n = 0;
        if (parse(value, n) && std::cmp_greater_equal(n, least) && std::cmp_less_equal(n, most)) {
            out = static_cast<T>(n);
            return std::string();
        }
        return "allowed is " + std::to_string(least) + " to " + std::to_string(most);
    };
}
template <class T>
taker choice(T& out, std::vector<std::pair<std::string, T>> known) {
    return [known = std::move(known), &out](std::string_view value) {
        std::string allowed = "allowed is";
        for (const auto& [name, meaning] : known) {
            allowed += (allowed.back() == 's' ? " " : ", ") + name;
            if (name != value) continue;
            out = meaning;
            return std::string();
        }
        return allowed;
    };
}
/// The member that `member(options)` is. What it may be is known to `validate()` of a structure that is at its defaults
/// but for this member; its message ends with what is allowed.
template <class Options, class Member>
taker option(Options& options, Member member) {
    return [&options, member](std::string_view value) {
        Options alone;
        auto& chosen = member(alone);
        if (!parse(value, chosen)) return std::string(form_of<std::remove_reference_t<decltype(chosen)>>());
        if (const auto problem = alone.validate()) {
            const std::string& why = problem.details->text;
            return why.substr(std::min(why.find("allowed is"), why.size()));
        }
        member(options) = chosen;
        return std::string();
    };
}

// Reading and showing

namespace detail {

/// What an argument turned out to be.
struct match {
    const flag* meant = nullptr;
    std::string_view name{};
    bool has_value = false; ///< in the same argument
    std::string_view value{};
};

inline match find_flag(const flags& table, std::string_view argument) {
    for (const flag& f : table) {
        for (std::string_view names = f.names; !names.empty();) {
            const std::string_view name = names.substr(0, names.find(", "));
            names.remove_prefix(std::min(name.size() + 2, names.size()));
            if (argument == name) return {&f, name};
            if (!argument.starts_with(name)) continue;
            const std::string_view behind = argument.substr(name.size());
            if (!name.starts_with("--")) return {&f, name, true, behind};
            if (behind.front() == '=') return {&f, name, true, behind.substr(1)};
        }
    }
    return {};
}

} // namespace detail

/// Reads `--name value`, `--name=value`, `-n value` and `-nvalue`; `--` ends the flags. Answers what is no flag; throws
/// `usage_error`.
inline std::vector<std::string> read_arguments(const flags& table, int argc, char** argv) {
    std::vector<std::string> others;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--") {
            others.insert(others.end(), argv + i + 1, argv + argc);
            break;
        }
        if (argument.size() < 2 || argument.front() != '-') { // a lone dash is a file's name
            others.emplace_back(argument);
            continue;
        }
        detail::match m = detail::find_flag(table, argument);
        if (m.meant == nullptr) throw usage_error(std::string(argument) + ": there is no such flag");
        const std::string name(m.name);
        const std::string& wanted = m.meant->value;
        if (wanted.empty() && m.has_value) throw usage_error(std::string(argument) + ": " + name + " takes no value");
        if (!wanted.empty() && !m.has_value) {
            if (++i == argc) throw usage_error(name + " needs a value: " + wanted);
            m.value = argv[i];
        }
        if (const std::string wrong = m.meant->take(m.value); !wrong.empty())
            throw usage_error(name + " " + std::string(m.value) + ": " + wrong);
    }
    return others;
}

inline void print_flags(std::ostream& out, const flags& table) {
    constexpr std::size_t column = 32;
    for (const flag& f : table) {
        if (f.names.empty()) {
            out << f.help << ":\n";
            continue;
        }
        std::string left = "  " + f.names + (f.value.empty() ? "" : " " + f.value);
        left.resize(std::max(left.size() + 2, column), ' ');
        out << left << f.help << '\n';
    }
}

} // namespace tool
