// SPDX-License-Identifier: BSL-1.0
// The shapes of HTTP answers: GDN's JSON, the Pulsar admin's, and the HTML pages of the proxy's web server.
#pragma once

#include <sluice/testing/gateway/dates.hpp>
#include <sluice/testing/gateway/producer_parameters.hpp>
#include <sluice/web/http1_message.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/utf8.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

inline constexpr std::string_view jetty = "Jetty(9.4.57.v20241219)";

/// A JSON object or array in the making.
class json_text {
public:
    explicit json_text(char open) : text_(1, open), closing_(open == '{' ? '}' : ']') {}

    json_text& member(std::string_view name, std::string_view value) {
        begin(name);
        web::append_json_string(text_, value);
        return *this;
    }
    json_text& member(std::string_view name, const char* value) { return member(name, std::string_view(value)); }
    template <std::integral Value>
    json_text& member(std::string_view name, Value value) {
        if constexpr (std::is_same_v<Value, bool>) {
            return raw(name, value ? "true" : "false");
        } else {
            return raw(name, std::to_string(value));
        }
    }
    /// The value is JSON already.
    json_text& raw(std::string_view name, std::string_view json) {
        begin(name);
        text_ += json;
        return *this;
    }
    json_text& element(std::string_view json) {
        comma();
        text_ += json;
        return *this;
    }
    json_text& text_element(std::string_view value) {
        comma();
        web::append_json_string(text_, value);
        return *this;
    }
    std::string done() { return std::move(text_) + closing_; }

private:
    void comma() {
        if (text_.size() > 1) text_ += ',';
    }
    void begin(std::string_view name) {
        comma();
        web::append_json_string(text_, name);
        text_ += ':';
    }

    std::string text_;
    char closing_;
};

constexpr std::string_view reason_phrase(int status) noexcept {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 431: return "Request Header Fields Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default: return "";
    }
}

inline web::http_response plain_answer(int status, std::string type, std::string body) {
    web::http_response r;
    r.status = status;
    r.reason = reason_phrase(status);
    if (!type.empty()) r.fields.add("Content-Type", std::move(type));
    r.fields.add("Server", std::string(jetty));
    r.body = std::move(body);
    return r;
}

inline std::string html_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&apos;"; break;
        default: out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
        }
    }
    return out;
}

/// The web server's error page, which is how the proxy refuses an upgrade.
inline web::http_response error_page(const refusal& why, std::string_view path) {
    const std::string code = std::to_string(why.status), text = html_escaped(why.text);
    const auto row = [](std::string_view name, std::string_view value) {
        return "<tr><th>" + std::string(name) + ":</th><td>" + std::string(value) + "</td></tr>\n";
    };
    std::string page = "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n"
                       "<title>Error " +
                       code + " " + text + "</title>\n</head>\n<body><h2>HTTP ERROR " + code + " " + text +
                       "</h2>\n<table>\n" + row("URI", html_escaped(path)) + row("STATUS", code) +
                       row("MESSAGE", text) +
                       row("SERVLET", "org.eclipse.jetty.servlet.ServletHandler$Default404Servlet") +
                       "</table>\n<hr><a href=\"https://eclipse.org/jetty\">Powered by Jetty:// "
                       "9.4.57.v20241219</a><hr/>\n\n</body>\n</html>\n";
    web::http_response r = plain_answer(why.status, "text/html;charset=iso-8859-1", std::move(page));
    r.fields.list.insert(r.fields.list.begin(), {"Cache-Control", "must-revalidate,no-cache,no-store"});
    return r;
}

/// Puts U+FFFD in the place of every byte that belongs to no character.
inline void make_utf8(std::string& text) {
    if (web::is_utf8(text)) return;
    std::string out;
    for (std::size_t at = 0; at != text.size();) {
        std::size_t n = std::min<std::size_t>(4, text.size() - at);
        while (n != 0 && !web::is_utf8(std::string_view(text).substr(at, n))) --n;
        // The longest is several characters where they are short: all of them are good.
        if (n == 0) {
            out += "\xef\xbf\xbd";
            ++at;
        } else {
            out.append(text, at, n);
            at += n;
        }
    }
    text = std::move(out);
}

/// A request's target in its parts: the path's segments and the query, decoded.
struct request_target {
    std::string path{};                  ///< as it came
    std::vector<std::string> segments{}; ///< of the path, between its slashes
    query_parameters query{};

    explicit request_target(std::string_view target) {
        // What comes back in answers is text: bytes that are none become U+FFFD, as in Java.
        const std::size_t question = std::min(target.find('?'), target.size());
        path = target.substr(0, question);
        if (question != target.size()) query = web::parse_query(target.substr(question + 1));
        for (auto& [name, value] : query) {
            make_utf8(name);
            make_utf8(value);
        }
        std::string_view rest = path;
        while (!rest.empty()) {
            rest.remove_prefix(1); // the slash
            const std::string_view raw = rest.substr(0, std::min(rest.find('/'), rest.size()));
            rest.remove_prefix(raw.size());
            auto decoded = web::percent_decode(raw);
            segments.push_back(decoded ? std::move(*decoded) : std::string(raw));
            make_utf8(segments.back());
        }
    }

    std::string_view segment(std::size_t i) const noexcept {
        return i < segments.size() ? std::string_view(segments[i]) : std::string_view();
    }
    /// The segments from one on and before another, with their slashes.
    std::string between(std::size_t from, std::size_t end) const {
        std::string text;
        for (std::size_t i = from; i < end; ++i) text.append(i == from ? "" : "/").append(segments[i]);
        return text;
    }
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
