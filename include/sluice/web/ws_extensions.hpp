// SPDX-License-Identifier: BSL-1.0
// The field Sec-WebSocket-Extensions, RFC 6455 section 9.1: what is offered, and what is chosen of it.
#pragma once

#include <sluice/web/http1_message.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace web {

/// `name; parameter; parameter=value`. All three are tokens, so they may be shown.
struct ws_extension {
    struct parameter {
        std::string name;
        std::optional<std::string> value{};
    };

    std::string name;
    std::vector<parameter> parameters{};
};

namespace detail {

/// Goes through one field's value. Blanks may stand between any two pieces.
class extension_reader {
public:
    explicit extension_reader(std::string_view text) noexcept : rest_(text) { skip_blanks(); }

    bool at_end() const noexcept { return rest_.empty(); }
    bool take(char c) noexcept {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        skip_blanks();
        return true;
    }
    /// Empty: there is none.
    std::string token() {
        std::size_t n = 0;
        while (n < rest_.size() && is_token_character(rest_[n])) ++n;
        std::string found(rest_.substr(0, n));
        rest_.remove_prefix(n);
        skip_blanks();
        return found;
    }
    /// A token, or one between quotation marks, where a backslash may stand before any character.
    std::string value() {
        if (rest_.empty() || rest_.front() != '"') return token();
        std::string found;
        std::size_t at = 1;
        while (at < rest_.size() && rest_[at] != '"') {
            if (rest_[at] == '\\') ++at;
            if (at < rest_.size()) found += rest_[at++];
        }
        if (at >= rest_.size() || !is_token(found)) return {};
        rest_.remove_prefix(at + 1);
        skip_blanks();
        return found;
    }

private:
    void skip_blanks() noexcept { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

    std::string_view rest_;
};

inline bool read_extension(extension_reader& in, ws_extension& out) {
    out.name = in.token();
    if (out.name.empty()) return false;
    while (in.take(';')) {
        ws_extension::parameter p{in.token()};
        if (p.name.empty()) return false;
        if (in.take('=')) {
            p.value = in.value();
            if (p.value->empty()) return false;
        }
        out.parameters.push_back(std::move(p));
    }
    return true;
}

} // namespace detail

/// Appends what a field's value lists. False: it is no such list; what was read of it up to there is in `out`.
inline bool parse_extensions(std::string_view value, std::vector<ws_extension>& out) {
    detail::extension_reader in(value);
    for (;;) {
        while (in.take(',')) {} // elements may be empty (RFC 9110 section 5.6.1)
        if (in.at_end()) return true;
        ws_extension e;
        if (!detail::read_extension(in, e)) return false;
        out.push_back(std::move(e));
        if (!in.at_end() && !in.take(',')) return false;
    }
}

/// All of a message's fields of that name as one list, which is what they mean.
inline bool parse_extensions(const http_fields& fields, std::vector<ws_extension>& out) {
    for (const http_field& f : fields)
        if (equal_ignoring_case(f.name, "Sec-WebSocket-Extensions") && !parse_extensions(f.value, out)) return false;
    return true;
}

} // namespace web
} // namespace v1
} // namespace sluice
