// SPDX-License-Identifier: BSL-1.0
// The calls over HTTP: what is asked of GDN and of a plain Pulsar, and what their answers say.
#pragma once

#include <sluice/config.hpp>
#include <sluice/credentials.hpp>
#include <sluice/pulsar/names.hpp>
#include <sluice/pulsar/refusal.hpp>
#include <sluice/web/http1_message.hpp>
#include <sluice/web/json.hpp>

#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// The value, or why there is none.
template <class T>
using answer = std::pair<failure, T>;

/// One stream of a list.
struct stream_info {
    std::string name{};  ///< as the user wrote it: without `c8globals.` or `c8locals.`
    std::string topic{}; ///< `c8globals.NAME`; in `pulsar` the same as `name`
    sluice::scope scope = scope::global;
    std::string tenant{}, fabric{}; ///< in `pulsar` the tenant and the namespace
    int type = 4;                   ///< 4: persistent; in `pulsar` 0: not persistent
    bool terminated = false;        ///< takes no more messages
    friend bool operator==(const stream_info&, const stream_info&) = default;
};

struct created_stream {
    std::string stream_id{};
    bool created = false; ///< false: it was there already
    friend bool operator==(const created_stream&, const created_stream&) = default;
};

/// A login's answer. `jwt` is a secret.
struct session {
    std::string jwt{}, tenant{}, username{};
};

/// Who asks: what all calls but the login have in common.
struct caller {
    sluice::dialect dialect = sluice::dialect::gdn;
    std::string fabric{"_system"};
    std::string authorization{}; ///< of `authorization_header`; empty: none is sent
};

/// The value of the Authorization header: `apikey KEY` or `bearer JWT` in `gdn`; in `pulsar` `Bearer TOKEN`, where an
/// API key means nothing and is not shown. Empty: no header.
inline std::string authorization_header(const credential& who, sluice::dialect dialect) {
    const bool plain_pulsar = dialect == sluice::dialect::pulsar;
    if (const auto* key = std::get_if<api_key>(&who)) return plain_pulsar ? std::string() : "apikey " + key->value;
    const std::string scheme = plain_pulsar ? "Bearer " : "bearer "; // Pulsar refuses it in lower case
    if (const auto* token = std::get_if<jwt>(&who)) return scheme + token->value;
    if (const auto* token = std::get_if<bearer_token>(&who)) return scheme + token->value;
    return {};
}

namespace detail {

inline web::http_request make_request(const caller& who, std::string method, std::string target) {
    web::http_request request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.fields.add("Accept", "application/json");
    if (!who.authorization.empty()) request.fields.add("Authorization", who.authorization);
    return request;
}

inline std::string streams_path(const caller& who) {
    return "/_fabric/" + web::percent_encode(who.fabric) + "/_api/streams";
}

/// The stream's own path, to which a call's name is added.
inline std::string stream_path(const caller& who, const topic_name& topic) {
    if (who.dialect == sluice::dialect::pulsar) return "/admin/v2/" + topic.path();
    return streams_path(who) + "/" + web::percent_encode(topic.name);
}

inline std::string global_parameter(const topic_name& topic) {
    return topic.ns.starts_with("c8local.") ? "?global=false" : "?global=true";
}

/// The name without the prefix that GDN puts before it.
inline std::string stream_name(std::string_view topic) {
    for (const scope s : {scope::global, scope::local})
        if (topic.starts_with(gdn_prefix(s))) return std::string(topic.substr(gdn_prefix(s).size()));
    return std::string(topic);
}

} // namespace detail

/// `POST /_open/auth`. The body holds the password.
inline web::http_request login_request(const password& who) {
    web::http_request request = detail::make_request({}, "POST", "/_open/auth");
    request.fields.add("Content-Type", "application/json");
    std::string& body = request.body;
    const auto member = [&](std::string_view name, std::string_view value) {
        body += body.empty() ? '{' : ',';
        web::append_json_string(body, name);
        body += ':';
        web::append_json_string(body, value);
    };
    if (who.email.empty()) {
        member("tenant", who.tenant);
        member("username", who.user);
    } else {
        member("email", who.email);
    }
    member("password", who.secret);
    body += '}';
    return request;
}

inline web::http_request otp_request(const caller& who) { return detail::make_request(who, "POST", "/apid/otp"); }

inline web::http_request region_request(const caller& who) {
    return detail::make_request(who, "GET", "/datacenter/local");
}

/// The streams of a namespace (`stream_namespace`, or any topic in it).
inline web::http_request list_streams_request(const caller& who, const topic_name& where) {
    if (who.dialect == sluice::dialect::gdn)
        return detail::make_request(who, "GET", detail::streams_path(who) + detail::global_parameter(where));
    return detail::make_request(who, "GET",
                                "/admin/v2/" + std::string(where.domain()) + "/" + web::percent_encode(where.tenant) +
                                    "/" + web::percent_encode(where.ns));
}

inline web::http_request create_stream_request(const caller& who, const topic_name& topic) {
    if (who.dialect == sluice::dialect::pulsar)
        return detail::make_request(who, "PUT", detail::stream_path(who, topic));
    return detail::make_request(who, "POST",
                                detail::streams_path(who) + "/" + web::percent_encode(detail::stream_name(topic.name)) +
                                    detail::global_parameter(topic));
}

/// With `force` also while producers and consumers are connected.
inline web::http_request delete_stream_request(const caller& who, const topic_name& topic, bool force = true) {
    return detail::make_request(who, "DELETE", detail::stream_path(who, topic) + (force ? "?force=true" : ""));
}

inline web::http_request stream_stats_request(const caller& who, const topic_name& topic) {
    return detail::make_request(who, "GET", detail::stream_path(who, topic) + "/stats");
}

inline web::http_request stream_backlog_request(const caller& who, const topic_name& topic) {
    return detail::make_request(who, "GET", detail::stream_path(who, topic) + "/backlog");
}

inline web::http_request subscriptions_request(const caller& who, const topic_name& topic) {
    return detail::make_request(who, "GET", detail::stream_path(who, topic) + "/subscriptions");
}

/// One message over REST, the body as it is. GDN alone has this call.
inline web::http_request publish_request(const caller& who, const topic_name& topic, std::string_view payload) {
    web::http_request request = detail::make_request(
        who, "POST", detail::stream_path(who, topic) + "/publish" + detail::global_parameter(topic));
    request.fields.add("Content-Type", "application/octet-stream");
    request.body = payload;
    return request;
}

namespace detail {

inline bool is_success(int status) noexcept { return status == 200 || status == 201 || status == 202; }

/// A body in JSON, with the parser that its values live in.
class json_body {
public:
    /// A status that is no success, a body that is not JSON, and a body that says `"error":true` are failures.
    failure read(const web::http_response& response, std::string_view what) {
        if (!is_success(response.status)) return failure_of(response, what);
        if (parser_.parse(response.body).get(root) != simdjson::SUCCESS) return unexpected(response, what);
        bool error = false;
        if (root["error"].get(error) != simdjson::SUCCESS || !error) return {};
        web::http_response refused = response;
        std::int64_t code = 0;
        if (root["code"].get(code) == simdjson::SUCCESS && code >= 400 && code < 600)
            refused.status = static_cast<int>(code);
        return failure_of(refused, what);
    }

    static failure unexpected(const web::http_response& response, std::string_view what) {
        return failure_with(errc::unexpected_answer, response, what, message_of(response));
    }
    static failure lacks(const web::http_response& response, std::string_view what, std::string_view member) {
        return failure_with(errc::unexpected_answer, response, what, "the answer has no " + std::string(member));
    }

    /// A member's or an element's text; empty if it is missing or no string.
    template <class Value>
    static std::string text(const Value& value) {
        std::string_view view;
        if (value.get(view) != simdjson::SUCCESS) return {};
        return std::string(view);
    }

    simdjson::dom::element root{};

private:
    simdjson::dom::parser parser_{};
};

/// True unless the member is missing, null or false.
inline bool is_set(simdjson::simdjson_result<simdjson::dom::element> value) {
    bool flag = false;
    if (value.get(flag) == simdjson::SUCCESS) return flag;
    return value.error() == simdjson::SUCCESS && !value.is_null();
}

inline stream_info read_gdn_stream(const simdjson::dom::element& element) {
    stream_info stream;
    stream.topic = json_body::text(element["topic"]);
    stream.name = stream_name(stream.topic);
    stream.tenant = json_body::text(element["tenant"]);
    stream.fabric = json_body::text(element["db"]);
    if (is_set(element["local"])) stream.scope = scope::local;
    if (std::int64_t type = 0; element["type"].get(type) == simdjson::SUCCESS) stream.type = static_cast<int>(type);
    stream.terminated = is_set(element["terminated"]);
    return stream;
}

/// `persistent://T/NS/TOPIC`, where a topic that somebody else made may have slashes in its name.
inline stream_info read_pulsar_stream(std::string_view text) {
    stream_info stream;
    const std::size_t tenant = text.find("://");
    if (tenant == std::string_view::npos) return stream;
    if (text.substr(0, tenant) != "persistent") stream.type = 0;
    text.remove_prefix(tenant + 3);
    const std::size_t ns = text.find('/'), name = ns == std::string_view::npos ? ns : text.find('/', ns + 1);
    if (name == std::string_view::npos) return stream;
    stream.tenant = text.substr(0, ns);
    stream.fabric = text.substr(ns + 1, name - ns - 1);
    stream.name = stream.topic = text.substr(name + 1);
    return stream;
}

} // namespace detail

inline answer<session> read_login(const web::http_response& response) {
    constexpr std::string_view what = "login";
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    session s;
    s.jwt = body.text(body.root["jwt"]);
    s.tenant = body.text(body.root["tenant"]);
    s.username = body.text(body.root["username"]);
    if (s.jwt.empty()) return {detail::json_body::lacks(response, what, "jwt"), {}};
    return {failure{}, std::move(s)};
}

inline answer<std::string> read_otp(const web::http_response& response) {
    constexpr std::string_view what = "one-time password";
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    std::string otp = body.text(body.root["otp"]);
    if (otp.empty()) return {detail::json_body::lacks(response, what, "otp"), {}};
    return {failure{}, std::move(otp)};
}

inline answer<region> read_region(const web::http_response& response) {
    constexpr std::string_view what = "local region";
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    region r;
    r.api = body.text(body.root["tags"]["api"]);
    r.url = body.text(body.root["tags"]["url"]);
    r.name = body.text(body.root["name"]);
    // The socket will be opened there: what is not a host is refused here.
    if (!web::parse_url(r.url).error.empty()) return {detail::json_body::lacks(response, what, "host in tags.url"), {}};
    return {failure{}, std::move(r)};
}

inline answer<std::vector<stream_info>> read_streams(sluice::dialect dialect, const web::http_response& response) {
    constexpr std::string_view what = "list of streams";
    const bool plain_pulsar = dialect == sluice::dialect::pulsar;
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    simdjson::dom::array list;
    const auto error = plain_pulsar ? body.root.get(list) : body.root["result"].get(list);
    if (error != simdjson::SUCCESS) return {detail::json_body::lacks(response, what, "list"), {}};
    std::vector<stream_info> streams;
    for (const simdjson::dom::element element : list) {
        streams.push_back(plain_pulsar ? detail::read_pulsar_stream(body.text(element))
                                       : detail::read_gdn_stream(element));
        if (streams.back().topic.empty()) return {detail::json_body::lacks(response, what, "topic in the list"), {}};
    }
    return {failure{}, std::move(streams)};
}

/// Whether a list of the topic's namespace has it. Pulsar lists a partitioned topic by its partitions.
inline bool is_listed(const std::vector<stream_info>& streams, const topic_name& topic) {
    const std::string partition = topic.name + "-partition-0";
    return std::any_of(streams.begin(), streams.end(), [&](const stream_info& stream) {
        return stream.topic == topic.name || stream.topic == partition;
    });
}

/// `errc::conflict` where it exists.
inline answer<created_stream> read_created(sluice::dialect dialect, const topic_name& topic,
                                           const web::http_response& response) {
    const std::string what = "create stream " + topic.name;
    if (dialect == sluice::dialect::pulsar) {
        if (response.status != 204 && !detail::is_success(response.status)) return {failure_of(response, what), {}};
        return {failure{}, {topic.text(), true}};
    }
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    std::string id = body.text(body.root["result"]["stream-id"]);
    if (id.empty()) return {detail::json_body::lacks(response, what, "stream-id"), {}};
    return {failure{}, {std::move(id), true}};
}

/// The same, but a stream that exists is a success.
inline answer<created_stream> read_ensured(sluice::dialect dialect, const topic_name& topic,
                                           const web::http_response& response) {
    auto created = read_created(dialect, topic, response);
    if (created.first.code == errc::conflict)
        return {failure{}, {dialect == sluice::dialect::pulsar ? topic.text() : topic.name, false}};
    return created;
}

/// For the calls that answer nothing but success: delete, publish.
inline failure read_done(const web::http_response& response, std::string_view what) {
    if (response.status == 204) return {};
    if (detail::is_success(response.status) && response.body.empty()) return {};
    detail::json_body body;
    return body.read(response, what);
}

/// JSON text: in `gdn` the member `result`, also where it is JSON inside of a string; in `pulsar` the whole body.
inline answer<std::string> read_result(sluice::dialect dialect, const web::http_response& response,
                                       std::string_view what) {
    detail::json_body body;
    if (failure f = body.read(response, what)) return {std::move(f), {}};
    if (dialect == sluice::dialect::pulsar) return {failure{}, response.body};
    simdjson::dom::element result;
    if (body.root["result"].get(result) != simdjson::SUCCESS)
        return {detail::json_body::lacks(response, what, "result"), {}};
    if (std::string_view inner; result.get(inner) == simdjson::SUCCESS) {
        simdjson::dom::parser parser;
        simdjson::dom::element unwrapped;
        if (parser.parse(inner.data(), inner.size()).get(unwrapped) == simdjson::SUCCESS &&
            (unwrapped.is_object() || unwrapped.is_array()))
            return {failure{}, std::string(inner)};
    }
    return {failure{}, simdjson::minify(result)};
}

/// Path and query of a producer's socket. Every option that the proxy reads is said, since its defaults differ from its
/// documents; those of batching only with batching: without it, Pulsar before 4.0 would take `maxPendingMessages` for a
/// limit at which it fails messages. `otp` (empty: none) comes last. The text is a secret while the OTP is unused.
/// `encryption_keys`: what `message_sealer::url_parameter` says; the proxy neither batches nor compresses then.
inline std::string producer_target(sluice::dialect dialect, const topic_name& topic, const producer_options& options,
                                   compression_type compression, std::optional<std::int64_t> initial_sequence_id,
                                   std::string_view otp, std::string_view encryption_keys = {}) {
    std::string target = dialect == sluice::dialect::gdn ? "/_ws/ws/v2/producer/" : "/ws/v2/producer/";
    target += topic.path();
    char separator = '?';
    const auto add = [&](std::string_view name, std::string_view value) {
        target += std::exchange(separator, '&');
        target.append(name).append("=").append(web::percent_encode(value));
    };
    add("sendTimeoutMillis", std::to_string(options.send_timeout.count()));
    add("batchingEnabled", options.batching_enabled ? "true" : "false");
    if (options.batching_enabled) {
        add("batchingMaxMessages", std::to_string(options.batching_max_messages));
        add("maxPendingMessages", std::to_string(options.max_pending_messages));
        add("batchingMaxPublishDelay", std::to_string(options.batching_max_publish_delay.count()));
    }
    const bool round_robin = options.message_routing_mode == message_routing_mode::round_robin_partition;
    add("messageRoutingMode", round_robin ? "RoundRobinPartition" : "SinglePartition");
    const bool murmur = options.hashing_scheme == hashing_scheme::murmur3_32_hash;
    add("hashingScheme", murmur ? "Murmur3_32Hash" : "JavaStringHash");
    if (compression != compression_type::none && encryption_keys.empty())
        add("compressionType", to_string(compression));
    if (!options.producer_name.empty()) add("producerName", options.producer_name);
    if (initial_sequence_id) add("initialSequenceId", std::to_string(*initial_sequence_id));
    if (!encryption_keys.empty()) target.append("&").append(encryption_keys);
    if (!otp.empty()) add("otp", otp);
    return target;
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
