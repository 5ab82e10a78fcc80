// SPDX-License-Identifier: BSL-1.0
// Reads JSON as the proxy's parser (Jackson) does, in place, and says what is wrong in its words: they come back in
// `errorMsg`.
#pragma once

#include <sluice/testing/gateway/java_text.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/utf8.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// One pass over one text. The first mistake ends it: every call after it fails, and `error()` tells.
class json_reader {
public:
    enum class token : std::uint8_t { object, array, string, number, boolean, null, none };

    /// What a scalar is read into: `text` lies in the message, or in `scratch` where it had escapes.
    struct value {
        token kind = token::none;
        std::string_view text{};
        std::size_t at = 0; ///< where it began
    };

    json_reader(std::string_view text, std::string& scratch) noexcept : text_(text), scratch_(scratch) {}

    bool failed() const noexcept { return failed_; }
    const std::string& error() const noexcept { return error_; }

    bool skip_space() noexcept {
        while (at_ != text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ != text_.size();
    }
    bool at_end() noexcept { return !skip_space(); }

    /// Reads a scalar, or the opening bracket of what is none.
    value next_value() {
        if (!skip_space()) return fail_end(), value{};
        value v;
        v.at = at_;
        switch (text_[at_]) {
        case '"': v.kind = string(v.text, false) ? token::string : token::none; break;
        case '{': v.kind = open(token::object); break;
        case '[': v.kind = open(token::array); break;
        case 't': v.kind = word("true", v.text) ? token::boolean : token::none; break;
        case 'f': v.kind = word("false", v.text) ? token::boolean : token::none; break;
        case 'n': v.kind = word("null", v.text) ? token::null : token::none; break;
        default: v.kind = number(v.text) ? token::number : token::none;
        }
        return v;
    }

    /// The next member's name inside an object, with its colon. False at the closing brace, and on a mistake.
    bool next_name(std::string_view& name, bool first) {
        if (!separator('}', first, "was expecting comma to separate Object entries")) return false;
        if (text_[at_] != '"') return fail_character(at_, "was expecting double-quote to start field name");
        if (!string(name, true)) return false;
        if (!skip_space()) return fail_end();
        if (text_[at_] != ':') return fail_character(at_, "was expecting a colon to separate field name and value");
        ++at_;
        return true;
    }
    /// True if an array has another element. False at the closing bracket, and on a mistake.
    bool next_element(bool first) { return separator(']', first, "was expecting comma to separate Array entries"); }

    /// Passes over what follows an opening bracket, up to the one that closes it.
    bool skip_rest(token opened) {
        constexpr std::size_t max_depth = 1000; // Jackson's
        std::string open_brackets(1, opened == token::object ? '{' : '[');
        bool first = true;
        while (!open_brackets.empty()) {
            std::string_view name;
            const bool more = open_brackets.back() == '{' ? next_name(name, first) : next_element(first);
            first = false;
            if (failed_) return false;
            if (!more) {
                open_brackets.pop_back();
                continue;
            }
            const value v = next_value();
            if (failed_) return false;
            if (v.kind != token::object && v.kind != token::array) continue;
            open_brackets += v.kind == token::object ? '{' : '[';
            if (open_brackets.size() >= max_depth)
                return fail(at_, "Document nesting depth (1001) exceeds the maximum allowed (1000, from "
                                 "`StreamReadConstraints.getMaxNestingDepth()`)");
            first = true;
        }
        return true;
    }

    bool fail(std::size_t at, std::string_view what, std::string_view chain = {}) {
        if (failed_) return false;
        failed_ = true;
        error_ = what;
        error_ += "\n at ";
        append_location(at);
        error_ += chain;
        return false;
    }

private:
    token open(token kind) noexcept {
        ++at_;
        return kind;
    }

    /// Comma or closing bracket; afterwards the next thing is at `at_`.
    bool separator(char closing, bool first, std::string_view expected) {
        if (failed_) return false;
        if (!skip_space()) return fail_end();
        if (text_[at_] == closing) {
            ++at_;
            return false;
        }
        if (first) return true;
        if (text_[at_] != ',') return fail_character(at_, expected);
        ++at_;
        return skip_space() || fail_end();
    }

    bool string(std::string_view& out, bool name) {
        const std::size_t begin = ++at_;
        skip_plain();
        if (at_ != text_.size() && text_[at_] == '"') {
            out = text_.substr(begin, at_++ - begin);
            return true;
        }
        // Escapes make a text shorter, so all of them fit a scratch of the message's size, which then never moves.
        if (scratch_.capacity() < text_.size()) {
            scratch_.clear();
            scratch_.reserve(text_.size());
        } else if (!scratching_) {
            scratch_.clear();
        }
        scratching_ = true;
        const std::size_t start = scratch_.size();
        scratch_.append(text_.substr(begin, at_ - begin));
        for (;;) {
            if (at_ == text_.size())
                return fail(at_, name ? "Unexpected end-of-input in field name"
                                      : "Unexpected end-of-input: was expecting closing quote for a string value");
            const char c = text_[at_];
            if (c == '"') break;
            if (c == '\\') {
                if (!escape()) return false;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                return fail(at_, "Illegal unquoted character ((CTRL-CHAR, code " + std::to_string(static_cast<int>(c)) +
                                     ")): has to be escaped using backslash to be included in " +
                                     (name ? "name" : "string value"));
            } else {
                const std::size_t from = at_;
                skip_plain();
                scratch_.append(text_.substr(from, at_ - from));
            }
        }
        ++at_;
        out = std::string_view(scratch_).substr(start);
        return true;
    }

    /// Up to the next quotation mark, backslash or control character.
    void skip_plain() noexcept {
        for (; text_.size() - at_ >= 8; at_ += 8) {
            std::uint64_t eight;
            std::memcpy(&eight, text_.data() + at_, 8);
            if (!web::detail::json_plain(eight)) break;
        }
        while (at_ != text_.size() && web::detail::json_width(text_[at_]) == 1) ++at_;
    }

    bool escape() {
        if (++at_ == text_.size()) return fail(at_, "Unexpected end-of-input in character escape sequence");
        const char c = text_[at_++];
        switch (c) {
        case '"':
        case '\\':
        case '/': scratch_ += c; return true;
        case 'b': scratch_ += '\b'; return true;
        case 'f': scratch_ += '\f'; return true;
        case 'n': scratch_ += '\n'; return true;
        case 'r': scratch_ += '\r'; return true;
        case 't': scratch_ += '\t'; return true;
        case 'u': break;
        default: {
            const std::string shown = character(at_ - 1);
            return fail(at_ - 1, "Unrecognized character escape '" + shown + "' (code " + code_of(shown) + ")");
        }
        }
        std::uint32_t code = 0;
        if (!hex4(code)) return false;
        if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
            const std::size_t back = at_;
            std::uint32_t low = 0;
            at_ += 2;
            if (!hex4(low)) return false;
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            } else {
                at_ = back;
            }
        }
        if (code >= 0xd800 && code < 0xe000) code = '?'; // half a pair: what Java writes for it
        web::append_utf8(scratch_, code);
        return true;
    }

    bool hex4(std::uint32_t& code) {
        for (int i = 0; i < 4; ++i, ++at_) {
            if (at_ == text_.size()) return fail(at_, "Unexpected end-of-input in character escape sequence");
            const char c = text_[at_];
            const char lower = static_cast<char>(c | 0x20);
            if (c >= '0' && c <= '9') {
                code = code * 16 + static_cast<std::uint32_t>(c - '0');
            } else if (lower >= 'a' && lower <= 'f') {
                code = code * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
            } else {
                return fail_character(at_, "expected a hex-digit for character escape sequence");
            }
        }
        return true;
    }

    bool word(std::string_view expected, std::string_view& out) {
        if (!text_.substr(at_).starts_with(expected)) return fail_token();
        const std::size_t end = at_ + expected.size();
        if (end != text_.size() && is_word(text_[end])) return fail_token();
        out = text_.substr(at_, expected.size());
        at_ = end;
        return true;
    }

    bool number(std::string_view& out) {
        const std::size_t begin = at_;
        if (text_[at_] == '-') ++at_;
        if (at_ == text_.size() || !is_digit(text_[at_])) {
            if (at_ == begin) return fail_token();
            return fail_number("expected digit (0-9) to follow minus sign, for valid numeric value");
        }
        if (text_[at_] == '0' && at_ + 1 != text_.size() && is_digit(text_[at_ + 1]))
            return fail(at_ + 1, "Invalid numeric value: Leading zeroes not allowed");
        digits();
        if (at_ != text_.size() && text_[at_] == '.') {
            ++at_;
            if (!digits()) return fail_number("Decimal point not followed by a digit");
        }
        if (at_ != text_.size() && (text_[at_] | 0x20) == 'e') {
            ++at_;
            if (at_ != text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
            if (!digits()) return fail_number("Exponent indicator not followed by a digit");
        }
        out = text_.substr(begin, at_ - begin);
        return true;
    }
    bool digits() noexcept {
        const std::size_t begin = at_;
        while (at_ != text_.size() && is_digit(text_[at_])) ++at_;
        return at_ != begin;
    }

    static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    static bool is_word(char c) noexcept {
        const char lower = static_cast<char>(c | 0x20);
        return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '_' || c == '$' || static_cast<signed char>(c) < 0;
    }

    bool fail_number(std::string_view why) {
        return at_ == text_.size() ? fail_end() : fail_character(at_, why, " in numeric value");
    }
    bool fail_token() {
        const char c = text_[at_];
        if (c == '/')
            return fail_character(at_, "maybe a (non-standard) comment? (not recognized as one since Feature "
                                       "'ALLOW_COMMENTS' not enabled for parser)");
        if (c == '}' || c == ']') return fail_character(at_, "expected a value");
        std::size_t end = at_;
        while (end != text_.size() && is_word(text_[end])) ++end;
        const std::string word(text_.substr(at_, end - at_));
        if (word == "NaN")
            return fail(end, "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
        if (word.empty() || is_digit(c) || static_cast<signed char>(c) < 0)
            return fail_character(at_, "expected a valid value (JSON String, Number, Array, Object or token 'null', "
                                       "'true' or 'false')");
        return fail(end,
                    "Unrecognized token '" + std::string(java_shortened(word, 256)) +
                        "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
    }
    bool fail_end() { return fail(text_.size(), "Unexpected end-of-input"); }
    bool fail_character(std::size_t at, std::string_view why, const char* where = "") {
        const std::string shown = character(at);
        return fail(at, "Unexpected character ('" + shown + "' (code " + code_of(shown) + "))" + where + ": " +
                            std::string(why));
    }
    /// The whole one that begins there; of what is no UTF-8 not more than a character has.
    std::string character(std::size_t at) const {
        std::size_t end = at + 1;
        while (end < text_.size() && end - at < 4 && (static_cast<unsigned char>(text_[end]) & 0xc0) == 0x80) ++end;
        return std::string(text_.substr(at, end - at));
    }
    static std::string code_of(std::string_view character) {
        const auto octet = [&](std::size_t i) {
            return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i]));
        };
        std::uint32_t code = octet(0);
        if (character.size() > 1) {
            code &= 0x7fu >> character.size();
            for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (octet(i) & 0x3f);
        }
        if (code > 0xffff) code = 0xd800 + ((code - 0x10000) >> 10); // the first half of the pair
        std::string text = std::to_string(code);
        if (code <= 255) return text;
        char hex[8];
        const auto end = std::to_chars(hex, hex + sizeof hex, code, 16).ptr;
        return text + " / 0x" + std::string(hex, end);
    }

    /// Lines and columns count from 1, columns in UTF-16 units.
    void append_location(std::size_t at) {
        std::size_t line = 1, column = 1;
        for (const char c : text_.substr(0, at)) {
            const auto octet = static_cast<unsigned char>(c);
            if (c == '\n') {
                ++line;
                column = 1;
            } else if ((octet & 0xc0) != 0x80) {
                column += octet >= 0xf0 ? 2 : 1;
            }
        }
        error_ += "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ";
        error_ += std::to_string(line) + ", column: " + std::to_string(column) + "]";
    }

    std::string_view text_;
    std::string& scratch_;
    std::size_t at_ = 0;
    std::string error_{};
    bool failed_ = false, scratching_ = false;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
