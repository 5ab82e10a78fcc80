// SPDX-License-Identifier: BSL-1.0
// Names: which host is spoken to, which tenant is meant, and how a stream's name becomes a Pulsar topic.
#pragma once

#include <sluice/config.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/url.hpp>
#include <sluice/web/utf8.hpp>

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// Scheme, host and port of a server.
struct origin {
    bool tls = true;
    std::string host{};     ///< IPv6 without its brackets
    std::uint16_t port = 0; ///< 0: the scheme's default

    /// `host[:port]` for a Host field; a default port is left out.
    std::string authority() const {
        web::url where;
        where.host = host;
        where.port = port == default_port() ? std::uint16_t{0} : port;
        return where.authority();
    }
    constexpr std::uint16_t default_port() const noexcept { return tls ? 443 : 80; }
    friend bool operator==(const origin&, const origin&) = default;
};

/// What a `client_config` says about the server.
struct service_address {
    sluice::dialect dialect = sluice::dialect::gdn; ///< never `automatic`
    origin api{};                                   ///< REST; its port is never 0
    /// The socket's host comes from `GET /datacenter/local`. False where `api` serves both: a plain Pulsar, an IP
    /// literal, `localhost`, a host with an explicit port.
    bool ask_region = false;
};

/// The members of `GET /datacenter/local` that matter here.
struct region {
    std::string api{};  ///< `tags.api`: the API host
    std::string url{};  ///< `tags.url`: the region's host, perhaps with a port
    std::string name{}; ///< such as `gdn-us-west`
    friend bool operator==(const region&, const region&) = default;
};

namespace detail {

/// A value as an error text shows it: in quotation marks, at most 64 characters, nothing that a terminal obeys.
inline std::string shown(std::string_view value) {
    constexpr std::size_t longest = 64;
    const bool cut = value.size() > longest;
    std::string text = "\"";
    if (cut) {
        std::size_t end = longest;
        while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end; // not inside a character
        value = value.substr(0, end);
    }
    const bool valid = web::is_utf8(value);
    for (const char c : value) {
        const auto octet = static_cast<unsigned char>(c);
        text += octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !valid) ? '?' : c;
    }
    return text + (cut ? "\"..." : "\"");
}

/// An address that never gets the prefix `api-`, for it is a machine and not a region's name.
inline bool is_own_address(std::string_view host) { return web::is_ip_literal(host) || web::is_loopback(host); }

inline std::string api_host(const std::string& host) {
    return host.starts_with("api-") || is_own_address(host) ? host : "api-" + host;
}

} // namespace detail

/// Decides dialect, host, port and scheme. `https`, `http` and no scheme (then `https`) are `gdn`, `wss` and `ws` are
/// `pulsar`; an explicit dialect wins. `errc::invalid_url`, `errc::plaintext_refused`.
inline std::pair<failure, service_address> resolve_service(const client_config& config) {
    // What holds an `@` may hold a password, and a query a token: neither is shown.
    const bool secret = config.url.find_first_of("@?") != std::string::npos;
    const auto refuse = [&](errc code, std::string_view why) {
        std::string text = "url";
        if (!secret) text += " = " + detail::shown(config.url);
        return std::pair{make_failure(code, text + ": " + std::string(why)), service_address{}};
    };
    const web::url_result parsed = web::parse_url(config.url);
    if (!parsed.error.empty())
        return refuse(errc::invalid_url,
                      parsed.error + "; allowed is [https|http|wss|ws]://HOST[:PORT] or HOST[:PORT]");
    const web::url& url = parsed.value;
    const bool socket_scheme = url.scheme == "wss" || url.scheme == "ws";
    if (!socket_scheme && url.scheme != "https" && url.scheme != "http" && !url.scheme.empty())
        return refuse(errc::invalid_url, "the scheme is not spoken; allowed are https, http, wss and ws");
    if ((!url.path.empty() && url.path != "/") || !url.query.empty())
        return refuse(errc::invalid_url, "a path or a query is not allowed, only scheme, host and port");

    service_address service;
    service.dialect = config.dialect;
    if (service.dialect == sluice::dialect::automatic)
        service.dialect = socket_scheme ? sluice::dialect::pulsar : sluice::dialect::gdn;
    service.api.tls = url.scheme != "http" && url.scheme != "ws";
    service.api.host = url.host;
    service.api.port = url.port != 0 ? url.port : service.api.default_port();
    service.ask_region = service.dialect == sluice::dialect::gdn && url.port == 0 && !detail::is_own_address(url.host);
    if (service.ask_region) service.api.host = detail::api_host(url.host);
    if (!service.api.tls && !config.allow_plaintext && !web::is_loopback(url.host))
        return refuse(errc::plaintext_refused,
                      "plain text to a host that is not loopback would show credentials and messages to the network; "
                      "use https or wss, or set allow_plaintext");
    return {failure{}, std::move(service)};
}

/// Where the socket is opened: `api-` + `tags.url`; a port in `tags.url` wins, the scheme is the configured one.
/// `service.api` where there is no region to ask or its answer names no host.
inline origin socket_origin(const service_address& service, const region& answer) {
    if (!service.ask_region) return service.api;
    const web::url_result parsed = web::parse_url(answer.url);
    if (!parsed.error.empty()) return service.api;
    origin where = service.api;
    where.host = detail::api_host(parsed.value.host);
    if (parsed.value.port != 0) where.port = parsed.value.port;
    return where;
}

/// The tenant of a GDN API key `TENANT.KEYID.SECRET`: everything before the last two dots, else `_mm`.
inline std::string tenant_of_api_key(std::string_view key) {
    const std::size_t secret = key.rfind('.');
    if (secret != std::string_view::npos && secret != 0) {
        const std::size_t id = key.rfind('.', secret - 1);
        if (id != std::string_view::npos && id != 0) return std::string(key.substr(0, id));
    }
    return "_mm";
}

struct jwt_claims {
    std::string tenant{};              ///< empty: the token does not say
    std::optional<std::int64_t> exp{}; ///< seconds since 1970, at most the year 2200
};

/// Reads the claims of a JSON Web Token without verifying it: that is the server's business. Nothing if it is none.
inline std::optional<jwt_claims> read_jwt(std::string_view token) {
    const std::size_t first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    const std::size_t second = token.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto text = web::base64url_decode(token.substr(first + 1, second - first - 1));
    if (!text) return std::nullopt;
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(*text).get(object) != simdjson::SUCCESS) return std::nullopt;
    jwt_claims claims;
    if (std::string_view tenant; object["tenant"].get(tenant) == simdjson::SUCCESS) claims.tenant = tenant;
    std::int64_t seconds = 0;
    double approximate = 0; // GDN writes numbers of a token as floats in exponent form at times
    constexpr std::int64_t year_2200 = 7'258'118'400; // later is "never" to a token, and more than a clock can count
    if (object["exp"].get(seconds) == simdjson::SUCCESS)
        claims.exp = std::clamp(seconds, std::int64_t{0}, year_2200);
    else if (object["exp"].get(approximate) == simdjson::SUCCESS)
        claims.exp = static_cast<std::int64_t>(std::clamp(approximate, 0.0, static_cast<double>(year_2200)));
    return claims;
}

/// A Pulsar topic in its four parts.
struct topic_name {
    bool persistent = true;
    std::string tenant{}, ns{}, name{};

    std::string_view domain() const noexcept { return persistent ? "persistent" : "non-persistent"; }
    /// `persistent/T/NS/NAME`, each part percent-encoded: the end of a socket's and of an admin call's path.
    std::string path() const {
        return std::string(domain()) + "/" + web::percent_encode(tenant) + "/" + web::percent_encode(ns) + "/" +
               web::percent_encode(name);
    }
    /// `persistent://T/NS/NAME`
    std::string text() const { return std::string(domain()) + "://" + tenant + "/" + ns + "/" + name; }
    friend bool operator==(const topic_name&, const topic_name&) = default;
};

constexpr std::string_view gdn_prefix(scope s) noexcept { return s == scope::global ? "c8globals." : "c8locals."; }

/// Where streams of that scope live, as a topic without a name: what `list` is asked for. In `pulsar` the namespace
/// `default` of `tenant` (empty: `public`), where a bare name is looked for.
inline topic_name stream_namespace(sluice::dialect dialect, scope s, std::string_view tenant, std::string_view fabric) {
    topic_name where;
    if (dialect == sluice::dialect::pulsar) {
        where.tenant = tenant.empty() ? "public" : tenant;
        where.ns = "default";
    } else {
        where.tenant = tenant.empty() ? "_mm" : tenant;
        where.ns = (s == scope::global ? "c8global." : "c8local.") + std::string(fabric);
    }
    return where;
}

namespace detail {

inline failure invalid_stream(std::string_view stream, std::string_view rule) {
    return make_failure(errc::invalid_name, "stream name " + shown(stream) + ": " + std::string(rule));
}

inline bool has_control_character(std::string_view text) noexcept {
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
    return false;
}

/// Characters, not bytes, of valid UTF-8.
inline std::size_t count_characters(std::string_view utf8) noexcept {
    std::size_t n = 0;
    for (const char c : utf8) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return n;
}

inline std::pair<failure, topic_name> make_gdn_topic(std::string_view stream, scope s, std::string_view tenant,
                                                     std::string_view fabric) {
    const std::string_view whole = stream;
    for (const scope named : {scope::global, scope::local})
        if (stream.starts_with(gdn_prefix(named))) {
            s = named;
            stream.remove_prefix(gdn_prefix(named).size());
            break;
        }
    if (stream.empty() || count_characters(stream) > 230)
        return {invalid_stream(whole, "1 to 230 characters are allowed"), {}};
    if (stream.find('/') != std::string_view::npos) return {invalid_stream(whole, "a slash is not allowed"), {}};
    // GDN would use such a name as it is, whatever its scope.
    if (stream.find("c8globals") != std::string_view::npos || stream.find("c8locals") != std::string_view::npos)
        return {invalid_stream(whole, "c8globals. and c8locals. are allowed once, in front"), {}};
    // In the path of a REST call these are something else than a stream.
    for (const std::string_view word : {"ttl", "clearbacklog", "subscription", ".", ".."})
        if (stream == word) return {invalid_stream(whole, "the word has a meaning of its own in GDN's REST calls"), {}};
    topic_name topic = stream_namespace(sluice::dialect::gdn, s, tenant, fabric);
    topic.name = std::string(gdn_prefix(s)).append(stream);
    return {failure{}, std::move(topic)};
}

inline std::pair<failure, topic_name> make_pulsar_topic(std::string_view stream, std::string_view tenant) {
    constexpr std::string_view spellings =
        "allowed are persistent://T/NS/TOPIC, non-persistent://T/NS/TOPIC, T/NS/TOPIC and TOPIC";
    topic_name topic;
    std::string_view rest = stream;
    const std::size_t scheme = stream.find("://");
    if (scheme != std::string_view::npos) {
        const std::string_view domain = stream.substr(0, scheme);
        if (domain != "persistent" && domain != "non-persistent") return {invalid_stream(stream, spellings), {}};
        topic.persistent = domain == "persistent";
        rest.remove_prefix(scheme + 3);
    } else if (rest.find('/') == std::string_view::npos) {
        topic = stream_namespace(sluice::dialect::pulsar, scope::global, tenant, {});
        topic.name = rest;
        if (rest.empty() || rest == "." || rest == "..") return {invalid_stream(stream, spellings), {}};
        return {failure{}, std::move(topic)};
    }
    std::array<std::string_view, 3> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t slash = rest.find('/');
        const bool last = i + 1 == parts.size();
        parts[i] = rest.substr(0, slash);
        // A dot segment would be taken out of the path by whatever stands between.
        if (parts[i].empty() || parts[i] == "." || parts[i] == ".." || last != (slash == std::string_view::npos))
            return {invalid_stream(stream, spellings), {}};
        if (!last) rest.remove_prefix(slash + 1);
    }
    topic.tenant = parts[0];
    topic.ns = parts[1];
    topic.name = parts[2];
    return {failure{}, std::move(topic)};
}

} // namespace detail

/// The topic of a stream. In `gdn`: `c8globals.NAME` or `c8locals.NAME` in the namespace `c8global.FABRIC` or
/// `c8local.FABRIC`, NAME being 1 to 230 characters without a slash; a prefix that is there decides, not `s`. In
/// `pulsar`: `persistent://T/NS/TOPIC`, `non-persistent://T/NS/TOPIC`, `T/NS/TOPIC`, or `TOPIC` in `tenant` (empty:
/// `public`) and `default`. UTF-8 without control characters in both. `errc::invalid_name`.
inline std::pair<failure, topic_name> make_topic(sluice::dialect dialect, std::string_view stream, scope s,
                                                 std::string_view tenant, std::string_view fabric) {
    if (!web::is_utf8(stream)) return {detail::invalid_stream(stream, "UTF-8 is needed"), {}};
    if (detail::has_control_character(stream))
        return {detail::invalid_stream(stream, "control characters are not allowed"), {}};
    if (dialect == sluice::dialect::pulsar) return detail::make_pulsar_topic(stream, tenant);
    return detail::make_gdn_topic(stream, s, tenant, fabric);
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
