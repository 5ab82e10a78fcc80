// SPDX-License-Identifier: BSL-1.0
// A GDN region and a plain Pulsar without I/O and without a clock: what the gateway serves over sockets, and what a
// simulation talks to in virtual time.
#pragma once

#include <sluice/testing/gateway/admin_api.hpp>
#include <sluice/testing/gateway/credentials.hpp>
#include <sluice/testing/gateway/gdn_api.hpp>
#include <sluice/testing/gateway/producer_socket.hpp>
#include <sluice/web/ws_handshake.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

/// Answers HTTP requests, opens sockets, keeps topics. One `peer` (gateway/peer.hpp) for each connection speaks to it.
///
/// Served: the calls of a GDN region (`/_open/auth`, `/apid/otp`, `/datacenter/local`, `/_fabric/F/_api/streams...`)
/// and its producer socket under `/_ws/ws/v2/producer/...`; of a plain Pulsar the producer socket under
/// `/ws/v2/producer/...` and the admin calls of topics under `/admin/v2/...`. Not modelled: partitioned topics,
/// compression towards the broker, send time-outs, the proxy's errors about end-to-end encryption (what is encrypted is
/// stored as it comes), permessage-deflate, and consumer and reader sockets.
///
/// Topics are named `persistent://TENANT/NAMESPACE/TOPIC`. In the calls below a shorter name means, in this order: the
/// topic of that name in `public/default`, the global stream, the local stream of the first fabric.
///
/// Not thread-safe, not movable.
class proxy_model {
public:
    /// `random` must outlive the model.
    proxy_model(proxy_options options, web::random_source random)
        : broker_(std::move(options), random), credentials_(broker_), gdn_(broker_, credentials_), admin_(broker_) {}
    proxy_model(const proxy_model&) = delete;
    proxy_model& operator=(const proxy_model&) = delete;

    proxy_options& options() noexcept { return broker_.options; }
    proxy_stats& stats() noexcept { return broker_.stats; }

    /// A GDN API key of `options().tenant`: `TENANT.KEYID.SECRET`.
    const std::string& api_key() const noexcept { return credentials_.api_key(); }
    std::string make_jwt(std::string_view user, time_point now) { return credentials_.make_token(user, now); }
    std::string make_otp(time_point now) { return credentials_.make_otp(now); }
    /// How many there were.
    std::size_t expire_otps() noexcept { return credentials_.expire_otps(); }

    // Topics

    /// False if it exists, or its namespace does not. A short name is the global stream's.
    bool create_topic(std::string_view name) { return !broker_.create_checked(parse_topic(name)); }
    /// False if it does not exist. Producers find out with their next message.
    bool delete_topic(std::string_view name) { return !broker_.remove(resolve(name), true); }
    /// No message is taken any more. False if it does not exist.
    bool terminate(std::string_view name) {
        const auto t = broker_.find(resolve(name));
        if (t) t->terminated = true;
        return t != nullptr;
    }
    /// Turns deduplication on or off. False if it does not exist.
    bool deduplicate(std::string_view name, bool on) {
        const auto t = broker_.find(resolve(name));
        if (t) t->deduplicate = on;
        return t != nullptr;
    }
    bool has_topic(std::string_view name) const { return broker_.find(resolve(name)) != nullptr; }
    /// Full names, in alphabetical order.
    std::vector<std::string> topics() const {
        std::vector<std::string> names;
        for (const auto& entry : broker_.topics) names.push_back(entry.first);
        return names;
    }
    /// What the topic keeps, oldest first. Empty if it does not exist.
    std::vector<stored_message> messages(std::string_view name) const {
        std::vector<stored_message> copies;
        if (const auto t = broker_.find(resolve(name))) {
            copies.reserve(t->messages().size());
            for (const detail::topic_message& m : t->messages()) copies.push_back(m.copy());
        }
        return copies;
    }
    /// Messages stored since the topic was made, those that were dropped to keep its bound included.
    std::uint64_t message_count(std::string_view name) const {
        const auto t = broker_.find(resolve(name));
        return t ? t->messages_in() : 0;
    }

    // For `peer`

    struct reply {
        web::http_response response{};
        std::unique_ptr<detail::proxied_socket> socket{}; ///< where the status is 101
    };

    reply handle(const web::http_request& request, time_point now) {
        ++broker_.stats.requests;
        const detail::request_target target(request.target);
        const bool gdn = target.segment(0) == "_ws";
        if (target.segment(gdn ? 1 : 0) == "ws") return open_socket(request, target, gdn ? 1 : 0, now);
        if (detail::gdn_api::serves(target)) return {gdn_.answer(request, target, now), nullptr};
        if (detail::admin_api::serves(target)) return {admin_.answer(request, target), nullptr};
        return {detail::error_page({404, "Not Found"}, target.path), nullptr};
    }

private:
    using refusal = detail::refusal;
    using topic_name = detail::topic_name;

    /// `at`: where `ws` stands in the path; 1 behind GDN's front door, which asks for credentials of its own.
    reply open_socket(const web::http_request& request, const detail::request_target& target, std::size_t at,
                      time_point now) {
        const auto page = [&](const refusal& why) { return reply{detail::error_page(why, target.path), nullptr}; };
        if (target.segment(at + 1) != "v2" || target.segment(at + 2) != "producer") return page({404, "Not Found"});
        if (target.segments.size() == at + 3) return redirect(target);
        web::http_response handshake = web::accept_upgrade(request);
        if (handshake.status == 405 || handshake.status == 426)
            return page({405, "HTTP method " + request.method + " is not supported by this URL"});
        if (handshake.status != 101) {
            reply r = page({handshake.status, handshake.body});
            for (web::http_field& f : handshake.fields.list) r.response.fields.list.push_back(std::move(f));
            return r;
        }
        ++broker_.stats.sockets_refused; // until it is not
        if (at == 0) {
            if (!authenticated(request, target)) return page({401, "Authentication required"});
        } else if (!admitted(request, target, at, now)) {
            return {gdn_.unauthorized(), nullptr};
        }
        topic_name name;
        if (const refusal why = topic_of(target, at + 3, name)) return page(why);
        detail::producer_parameters parameters;
        if (const refusal why = detail::producer_query(target.query).read(parameters)) return page(why);
        std::unique_ptr<detail::proxied_socket> socket;
        if (const refusal why = open_producer(name, parameters, now, socket))
            return page({why.status, "Failed to create producer/consumer: " + why.text});
        --broker_.stats.sockets_refused;
        ++broker_.stats.sockets_opened;
        web::http_response r;
        r.status = 101;
        r.reason = handshake.reason;
        r.fields = {{"Date", detail::http_date(now)},
                    {"Connection", "Upgrade"},
                    {"Sec-WebSocket-Accept", std::string(handshake.fields.get("Sec-WebSocket-Accept"))},
                    {"Server", std::string(detail::jetty)},
                    {"Upgrade", "WebSocket"}};
        return {std::move(r), std::move(socket)};
    }

    refusal open_producer(const topic_name& name, const detail::producer_parameters& parameters, time_point now,
                          std::unique_ptr<detail::proxied_socket>& out) {
        auto [t, why] = broker_.open(name);
        if (why) return why;
        const auto refuse = [&](int status, const std::string& text) {
            return refusal{status, broker_.connection_error(text)};
        };
        const std::string exceptions = "org.apache.pulsar.broker.service.BrokerServiceException$";
        t->forget_released(now);
        if (t->terminated) return refuse(503, exceptions + "TopicTerminatedException: Topic was already terminated");
        const std::size_t limit = broker_.options.max_producers_per_topic;
        if (limit != 0 && t->producers() >= limit)
            return refuse(409, "Topic '" + t->name() + "' reached max producers limit");
        std::string producer = parameters.name.value_or("");
        if (producer.empty()) producer = broker_.generated_producer_name();
        if (!t->take_name(producer, now))
            return refuse(409, exceptions + "NamingException: Producer with name '" + producer +
                                   "' is already connected to topic '" + t->name() + "'");
        out = std::make_unique<detail::producer_socket>(broker_, name, std::move(t), parameters, std::move(producer));
        return {};
    }

    /// A plain Pulsar: the header, if there is one, decides alone.
    bool authenticated(const web::http_request& request, const detail::request_target& target) const {
        const std::string& token = broker_.options.token;
        if (token.empty()) return true;
        if (const std::string* const header = request.fields.find("Authorization")) return *header == "Bearer " + token;
        const std::string* const parameter = detail::find_parameter(target.query, "token");
        return parameter != nullptr && *parameter == token;
    }
    /// GDN: a one-time password or the header, for topics of the own tenant.
    bool admitted(const web::http_request& request, const detail::request_target& target, std::size_t at,
                  time_point now) {
        const std::string_view tenant = target.segment(at + 4);
        if (const std::string* const otp = detail::find_parameter(target.query, "otp"))
            return credentials_.use_otp(*otp, now) && tenant == broker_.options.tenant;
        const auto speaks_for = credentials_.check(request.fields.get("Authorization"), now);
        return speaks_for && *speaks_for == tenant;
    }

    /// The topic in the path, whose domain is at `from`.
    static refusal topic_of(const detail::request_target& target, std::size_t from, topic_name& out) {
        const std::string_view domain = target.segment(from);
        const std::string exception = "java.lang.IllegalArgumentException";
        if (target.segments.size() < from + 4) return {500, exception + ": Invalid topic name format"};
        if (domain != "persistent" && domain != "non-persistent") return {500, exception};
        out = {std::string(domain), std::string(target.segment(from + 1)), std::string(target.segment(from + 2)),
               target.rest(from + 3)};
        if (out.local.empty())
            return {500, exception + ": Invalid topic name: " + out.full() + ". Topic local name must not be blank."};
        return {};
    }

    static reply redirect(const detail::request_target& target) {
        web::http_response r = detail::plain_answer(302, "", "");
        r.fields.add("Location", target.path + "/");
        return {std::move(r), nullptr};
    }

    topic_name parse_topic(std::string_view name) const {
        const std::size_t domain = name.find("://");
        if (domain == std::string_view::npos) {
            const proxy_options& o = broker_.options;
            return detail::gdn_api::stream(o.tenant, o.fabrics.empty() ? "_system" : o.fabrics.front(), name, true);
        }
        topic_name parsed;
        parsed.domain = name.substr(0, domain);
        name.remove_prefix(domain + 3);
        std::string* const parts[] = {&parsed.tenant, &parsed.name_space};
        for (std::string* part : parts) {
            const std::size_t slash = std::min(name.find('/'), name.size());
            *part = name.substr(0, slash);
            name.remove_prefix(std::min(slash + 1, name.size()));
        }
        parsed.local = name;
        return parsed;
    }

    /// The full name of the topic that is meant; of the global stream if there is none.
    std::string resolve(std::string_view name) const {
        const topic_name global = parse_topic(name);
        if (name.find("://") != std::string_view::npos) return global.full();
        const std::string plain = "persistent://public/default/" + std::string(name);
        if (broker_.find(plain)) return plain;
        if (broker_.find(global.full())) return global.full();
        const proxy_options& o = broker_.options;
        const std::string local =
            detail::gdn_api::stream(o.tenant, o.fabrics.empty() ? "_system" : o.fabrics.front(), name, false).full();
        return broker_.find(local) ? local : global.full();
    }

    detail::broker broker_;
    detail::credentials credentials_;
    detail::gdn_api gdn_;
    detail::admin_api admin_;
};

} // namespace testing
} // namespace v1
} // namespace sluice
