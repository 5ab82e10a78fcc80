// SPDX-License-Identifier: BSL-1.0
// Reads HTTP/1.1 messages (RFC 9112) from bytes that arrive cut anywhere; strict where leniency splits messages.
#pragma once

#include <sluice/web/bytes.hpp>
#include <sluice/web/http1_message.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace web {

/// What a peer may make us keep, in bytes (`fields` is a number). Over one of them: `errc::http_too_large`.
struct http_limits {
    std::size_t start_line = 8192;
    std::size_t header = 65536; ///< all field lines, trailers, chunk extensions; interim responses included
    std::size_t fields = 128;   ///< trailer fields included
    std::size_t body = 16u << 20;
};

namespace detail {

/// The machine of both parsers; the two places where requests and responses differ are specialised below.
template <class Message>
class http_parser {
public:
    explicit http_parser(http_limits limits) noexcept : limits_(limits) {}

    /// Returns how many bytes were taken: all of them, unless the message ends before or is refused. After a 101 what
    /// follows the header is left.
    std::size_t feed(bytes_view bytes) {
        std::string_view in = as_text(bytes);
        while (!in.empty() && part_ != part::done && !error_) {
            switch (part_) {
            case part::start_line:
            case part::field:
            case part::chunk_size:
            case part::trailer: take_line(in); break;
            case part::content:
            case part::chunk: take_counted(in); break;
            case part::chunk_end: take_chunk_end(in); break;
            case part::content_until_end: take_content(in, in.size()); break;
            case part::done: break;
            }
        }
        return bytes.size() - in.size();
    }

    /// The peer sends no more. Ends a body that only the end of the connection delimits; inside anything else it is
    /// `errc::http_truncated`, before the first byte `errc::no_response`. Not `orderly`: nobody said that this is the
    /// end (RFC 9112 section 9.8: TLS without its close alert), and such a body is truncated too.
    void end_of_stream(bool orderly = true) {
        if (part_ == part::done || error_) return;
        if (part_ == part::content_until_end && orderly) {
            part_ = part::done;
        } else if (part_ == part::start_line && line_.empty() && !interim_) {
            fail(errc::no_response, "the connection ended before the message");
        } else {
            fail(errc::http_truncated, "the connection ended inside the message");
        }
    }

    /// The message is whole. The connection's next bytes belong to what comes after it.
    bool done() const noexcept { return part_ == part::done; }
    std::error_code error() const noexcept { return error_; }
    /// What was wrong, or which limit was passed; empty while there is no error. Never holds what the peer sent.
    std::string_view error_text() const noexcept { return error_text_; }
    /// Of `errc::http_too_large`: the limit that was passed is that of the body. False: one of the header's.
    bool body_too_large() const noexcept { return body_too_large_; }

protected:
    enum class part {
        start_line,
        field,
        content,           // counted by Content-Length
        content_until_end, // delimited by the end of the connection
        chunk_size,
        chunk,
        chunk_end,
        trailer,
        done,
    };

    void start_over() { *this = http_parser(limits_); }

    void fail(errc e, std::string_view text) noexcept {
        error_ = e;
        error_text_ = text;
    }
    void malformed(std::string_view text) noexcept { fail(errc::http_malformed, text); }
    void refuse_body() noexcept {
        fail(errc::http_too_large, "the body is over the limit");
        body_too_large_ = true;
    }

    /// Only what could still become a start line is waited for: a peer that speaks something else may never send LF.
    static bool could_start(std::string_view line) noexcept;
    void read_start_line(std::string_view line);
    /// The header is complete: decides what comes next.
    void end_header();

    void take_line(std::string_view& in) {
        const std::size_t lf = in.find('\n');
        const std::string_view piece = in.substr(0, lf);
        if (part_ == part::start_line && !could_start(line_.substr(0, 7).append(piece.substr(0, 7))))
            return malformed("not HTTP/1");
        if (line_.size() + piece.size() > line_limit() + 1) return fail(errc::http_too_large, line_limit_name());
        in.remove_prefix(lf == std::string_view::npos ? in.size() : lf + 1);
        if (lf == std::string_view::npos) {
            line_ += piece;
        } else if (line_.empty()) {
            read_line(piece);
        } else {
            line_ += piece;
            read_line(line_);
            line_.clear();
        }
    }

    std::size_t line_limit() const noexcept {
        if (part_ == part::start_line) return limits_.start_line;
        return limits_.header - header_ + (part_ == part::chunk_size ? chunk_digits : 0);
    }
    std::string_view line_limit_name() const noexcept {
        if (part_ == part::start_line) return "the start line is over the limit";
        return part_ == part::chunk_size ? "the chunk extensions are over the limit" : "the header is over the limit";
    }
    void charge_header(std::size_t n) noexcept {
        if (n > limits_.header - header_) return fail(errc::http_too_large, "the header is over the limit");
        header_ += n;
    }

    void read_line(std::string_view line) {
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        } else if (part_ == part::chunk_size || part_ == part::trailer) {
            // RFC 9112 section 2.2 forgives a bare LF behind start and field lines only.
            return malformed("a line of the chunked coding does not end with CRLF");
        }
        if (line.size() > line_limit()) return fail(errc::http_too_large, line_limit_name());
        switch (part_) {
        case part::start_line: return read_start_line(line);
        case part::chunk_size: return read_chunk_size(line);
        default: return read_field(line);
        }
    }

    void read_field(std::string_view line) {
        charge_header(line.size() + 2);
        if (error_) return;
        if (line.empty()) {
            if (part_ == part::field) return end_header();
            part_ = part::done;
            return;
        }
        if (line.front() == ' ' || line.front() == '\t')
            return malformed("a field line is folded or begins with a blank");
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return malformed("a field line has no colon");
        const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
        if (!is_token(name)) return malformed("a field name is not a token"); // a blank before the colon, too
        if (!is_field_text(value)) return malformed("a field value has a control character");
        if (field_count_++ == limits_.fields) return fail(errc::http_too_large, "there are more fields than the limit");
        if (part_ == part::field) message_.fields.add(std::string(name), std::string(value));
    }

    /// RFC 9112 section 6.3, from the fourth rule on. `otherwise` is what a message without a length means.
    void begin_content(part otherwise) {
        const http_fields& fields = message_.fields;
        if (const std::size_t codings = fields.count("Transfer-Encoding"); codings != 0) {
            if (old_version_) return malformed("a transfer coding in HTTP/1.0");
            if (fields.count("Content-Length") != 0) return malformed("a transfer coding and a Content-Length");
            if (codings != 1 || !equal_ignoring_case(fields.get("Transfer-Encoding"), "chunked"))
                return malformed("a transfer coding other than chunked");
            part_ = part::chunk_size;
            return;
        }
        if (fields.count("Content-Length") == 0) {
            part_ = otherwise;
            return;
        }
        if (const auto length = read_content_length()) {
            left_ = *length;
            message_.body.reserve(std::min(left_, trusted_reserve));
            part_ = left_ == 0 ? part::done : part::content;
        }
    }

    /// Several are one if all say the same (RFC 9112 section 6.3). Nothing after an error.
    std::optional<std::size_t> read_content_length() {
        std::optional<std::uint64_t> length;
        const auto add = [&](std::string_view element) {
            if (!std::all_of(element.begin(), element.end(), is_digit)) return false;
            std::uint64_t n = 0;
            const auto [end, ec] = std::from_chars(element.data(), element.data() + element.size(), n);
            if (ec != std::errc()) n = UINT64_MAX; // over every limit
            return std::exchange(length, n).value_or(n) == n;
        };
        bool good = true;
        for (const http_field& f : message_.fields)
            if (equal_ignoring_case(f.name, "Content-Length"))
                good = good && !f.value.empty() && for_each_element(f.value, add);
        if (!good || !length) {
            malformed("Content-Length is not a number, or there are two");
            return {};
        }
        if (*length > limits_.body) {
            refuse_body();
            return {};
        }
        return static_cast<std::size_t>(*length);
    }

    void take_content(std::string_view& in, std::size_t n) {
        if (n > limits_.body - message_.body.size()) return refuse_body();
        message_.body += in.substr(0, n);
        in.remove_prefix(n);
    }

    void take_counted(std::string_view& in) {
        const std::size_t n = std::min(left_, in.size());
        take_content(in, n);
        left_ -= n;
        if (left_ != 0) return;
        part_ = part_ == part::chunk ? part::chunk_end : part::done;
        left_ = 2;
    }

    void take_chunk_end(std::string_view& in) {
        if (in.front() != (left_ == 2 ? '\r' : '\n')) return malformed("a chunk is longer than its size says");
        in.remove_prefix(1);
        if (--left_ == 0) part_ = part::chunk_size;
    }

    void read_chunk_size(std::string_view line) {
        std::size_t digits = 0;
        std::uint64_t size = 0;
        for (; digits < line.size() && hex_digit(line[digits]) >= 0; ++digits) {
            if (digits == chunk_digits) return malformed("a chunk size has too many digits");
            size = size << 4 | static_cast<std::uint64_t>(hex_digit(line[digits]));
        }
        const std::string_view extensions = line.substr(digits);
        if (digits == 0 || !is_field_text(extensions) || (!extensions.empty() && !trim(extensions).starts_with(';')))
            return malformed("a chunk size is not a hexadecimal number");
        charge_header(extensions.size());
        if (error_) return;
        if (size > limits_.body - message_.body.size()) return refuse_body();
        left_ = static_cast<std::size_t>(size);
        part_ = left_ == 0 ? part::trailer : part::chunk;
    }

    bool read_version(std::string_view text) noexcept {
        if (text.size() != 8 || !text.starts_with("HTTP/1.") || !is_digit(text[7])) return false;
        old_version_ = text[7] == '0';
        return true;
    }
    /// RFC 9112 section 9.3.
    bool keep_alive() const noexcept {
        if (message_.fields.has_token("Connection", "close")) return false;
        return !old_version_ || message_.fields.has_token("Connection", "keep-alive");
    }

    static constexpr std::size_t chunk_digits = 16;         // of a 64-bit number
    static constexpr std::size_t trusted_reserve = 1 << 16; // a promised length is not worth more memory than this

    http_limits limits_;
    Message message_{};
    part part_ = part::start_line;
    std::string line_{};     // the beginning of a line whose end is still to come
    std::size_t header_ = 0; // counted against limits_.header
    std::size_t field_count_ = 0;
    std::size_t left_ = 0;     // of the counted content, the chunk, or the chunk's CRLF
    bool old_version_ = false; // HTTP/1.0
    bool interim_ = false;     // a 1xx has been skipped
    bool head_request_ = false;
    std::error_code error_{};
    std::string_view error_text_{};
    bool body_too_large_ = false;
};

template <>
inline bool http_parser<http_response>::could_start(std::string_view line) noexcept {
    return std::string_view("HTTP/1.").starts_with(line.substr(0, 7));
}

/// RFC 9112 section 4; the blank behind the code may be missing where there is no reason.
template <>
inline void http_parser<http_response>::read_start_line(std::string_view line) {
    const std::string_view code = line.substr(std::min<std::size_t>(line.size(), 9)).substr(0, 3);
    if (!read_version(line.substr(0, 8)) || code.size() != 3 || line[8] != ' ' || code[0] == '0' ||
        !std::all_of(code.begin(), code.end(), is_digit) || (line.size() > 12 && line[12] != ' '))
        return malformed("not an HTTP/1 status line");
    std::from_chars(code.data(), code.data() + 3, message_.status);
    message_.reason = line.substr(std::min<std::size_t>(line.size(), 13));
    if (!is_field_text(message_.reason)) return malformed("the reason phrase has a control character");
    part_ = part::field;
}

template <>
inline void http_parser<http_response>::end_header() {
    const int status = message_.status;
    if (status / 100 == 1 && status != 101) { // RFC 9110 section 15.2: the final response is still to come
        message_ = {};
        interim_ = true;
        part_ = part::start_line;
        return;
    }
    message_.keep_alive = keep_alive();
    if (head_request_ || has_no_content(status)) {
        part_ = part::done;
        return;
    }
    begin_content(part::content_until_end);
    if (part_ == part::content_until_end) message_.keep_alive = false;
}

template <>
inline bool http_parser<http_request>::could_start(std::string_view line) noexcept {
    return line.empty() || line == "\r" || is_token_character(line.front());
}

/// RFC 9112 section 3.
template <>
inline void http_parser<http_request>::read_start_line(std::string_view line) {
    if (line.empty()) return charge_header(2); // RFC 9112 section 2.2: left over from the request before
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    if (first == last || !read_version(line.substr(last + 1))) return malformed("not an HTTP/1 request line");
    message_.method = line.substr(0, first);
    message_.target = line.substr(first + 1, last - first - 1);
    if (!is_token(message_.method) || message_.target.empty() || !is_visible(message_.target))
        return malformed("the method or the target is invalid");
    part_ = part::field;
}

template <>
inline void http_parser<http_request>::end_header() {
    const std::size_t hosts = message_.fields.count("Host"); // RFC 9112 section 3.2
    if (hosts > 1 || (hosts == 0 && !old_version_)) return malformed("there is not exactly one Host field");
    begin_content(part::done);
}

} // namespace detail

/// The client's side. Interim responses (100, 103) are skipped; a 101 ends behind its header.
class http_response_parser : public detail::http_parser<http_response> {
public:
    /// `head_request`: the response answers a HEAD, so that it has no body whatever its header says.
    explicit http_response_parser(http_limits limits = {}, bool head_request = false) noexcept : http_parser(limits) {
        head_request_ = head_request;
    }

    http_response& response() noexcept { return message_; }
    const http_response& response() const noexcept { return message_; }

    /// Ready for the connection's next response.
    void reset(bool head_request = false) {
        start_over();
        head_request_ = head_request;
    }
};

/// The server's side. Empty lines before a request are skipped.
class http_request_parser : public detail::http_parser<http_request> {
public:
    explicit http_request_parser(http_limits limits = {}) noexcept : http_parser(limits) {}

    http_request& request() noexcept { return message_; }
    const http_request& request() const noexcept { return message_; }
    /// The client wants to send another request on this connection.
    using http_parser::keep_alive;

    /// Ready for the connection's next request.
    void reset() { start_over(); }
};

} // namespace web
} // namespace v1
} // namespace sluice
