// SPDX-License-Identifier: BSL-1.0
// The upgrade to one of the proxy's sockets: who is let in, in what order that is judged, and what a refusal says.
#pragma once

#include <sluice/testing/gateway/answers.hpp>
#include <sluice/testing/gateway/consumer_socket.hpp>
#include <sluice/testing/gateway/credentials.hpp>
#include <sluice/testing/gateway/gdn_api.hpp>
#include <sluice/testing/gateway/jetty_deflate.hpp>
#include <sluice/testing/gateway/producer_socket.hpp>
#include <sluice/testing/gateway/reader_socket.hpp>
#include <sluice/web/ws_handshake.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class upgrades {
public:
    upgrades(broker& b, credentials& c, gdn_api& gdn) noexcept : broker_(b), credentials_(c), gdn_(gdn) {}

    /// The answer; where it is 101, `out` is the socket. `at`: where `ws` stands in the path; 1 behind GDN's front
    /// door, which asks for credentials of its own.
    web::http_response answer(const web::http_request& request, const request_target& target, std::size_t at,
                              time_point now, std::unique_ptr<proxied_socket>& out) {
        const auto page = [&](const refusal& why) { return error_page(why, target.path); };
        const std::string_view kind = target.segment(at + 2);
        if (target.segment(at + 1) != "v2" || (kind != "producer" && kind != "consumer" && kind != "reader"))
            return page({404, "Not Found"});
        if (target.segments.size() == at + 3) return redirect(target);
        const web::http_response handshake = web::accept_upgrade(request);
        if (handshake.status == 405 || handshake.status == 426)
            return page({405, "HTTP method " + request.method + " is not supported by this URL"});
        if (handshake.status != 101) {
            web::http_response r = page({handshake.status, handshake.body});
            for (const web::http_field& f : handshake.fields.list) r.fields.list.push_back(f);
            return r;
        }
        ++broker_.stats.sockets_refused; // until it is not
        permitted_ = true;
        if (at == 0) {
            if (!authenticated(request, target)) return page({401, "Authentication required"});
        } else if (!admitted(request, target, at, now)) {
            return gdn_.unauthorized();
        }
        const jetty_deflate deflate(request.fields);
        const bool deflates = accepts_deflate(broker_.options.deflate);
        if (deflates && deflate.fails) return page({500, "java.lang.IllegalArgumentException"});
        if (const refusal why = open(target, at + 3, now, out)) return page(why);
        --broker_.stats.sockets_refused;
        ++broker_.stats.sockets_opened;
        web::http_response r;
        r.status = 101;
        r.reason = handshake.reason;
        r.fields = {{"Date", http_date(now)},
                    {"Connection", "Upgrade"},
                    {"Sec-WebSocket-Accept", std::string(handshake.fields.get("Sec-WebSocket-Accept"))},
                    {"Server", std::string(jetty)},
                    {"Upgrade", "WebSocket"}};
        if (deflates && !deflate.answer.empty()) r.fields.add("Sec-WebSocket-Extensions", deflate.answer);
        return r;
    }

private:
    using socket_pointer = std::unique_ptr<proxied_socket>;

    // Who it is

    /// A plain Pulsar: the header, if there is one, decides alone.
    bool authenticated(const web::http_request& request, const request_target& target) {
        const proxy_options& o = broker_.options;
        if (o.token.empty()) return true;
        std::string_view said;
        if (const std::string* const header = request.fields.find("Authorization")) {
            constexpr std::string_view scheme = "Bearer ";
            if (!header->starts_with(scheme)) return false;
            said = std::string_view(*header).substr(scheme.size());
        } else if (const std::string* const parameter = find_parameter(target.query, "token")) {
            said = *parameter;
        }
        permitted_ = said == o.token;
        return permitted_ ||
               std::find(o.powerless_tokens.begin(), o.powerless_tokens.end(), said) != o.powerless_tokens.end();
    }
    /// GDN: a one-time password or the header, for topics of the own tenant.
    bool admitted(const web::http_request& request, const request_target& target, std::size_t at, time_point now) {
        const std::string_view tenant = target.segment(at + 4);
        if (const std::string* const otp = find_parameter(target.query, "otp"))
            return credentials_.use_otp(*otp, now) && tenant == broker_.options.tenant;
        const auto speaks_for = credentials_.check(request.fields.get("Authorization"), now);
        return speaks_for && *speaks_for == tenant;
    }

    // What is asked for; `from` is where the topic's domain stands in the path

    refusal open(const request_target& target, std::size_t from, time_point now, socket_pointer& out) {
        const std::string_view kind = target.segment(from - 1);
        if (target.segments.size() < from + 4)
            return {500, "java.lang.IllegalArgumentException: Invalid topic name format"};
        const bool consumer = kind == "consumer";
        topic_name name;
        // A consumer's path ends with the subscription; what is too short is said later.
        const std::size_t end = target.segments.size() - (consumer && target.segments.size() > from + 4 ? 1 : 0);
        if (const refusal why = topic_of(target, from, end, name)) return why;
        if (consumer) return open_consumer(target, from, name, now, out);
        return kind == "producer" ? open_producer(target, name, now, out) : open_reader(target, name, now, out);
    }

    static refusal topic_of(const request_target& target, std::size_t from, std::size_t end, topic_name& out) {
        const std::string_view domain = target.segment(from);
        const std::string exception = "java.lang.IllegalArgumentException";
        if (domain != "persistent" && domain != "non-persistent") return {500, exception};
        out = {std::string(domain), std::string(target.segment(from + 1)), std::string(target.segment(from + 2)),
               target.between(from + 3, end)};
        if (out.local.empty())
            return {500, exception + ": Invalid topic name: " + out.full() + ". Topic local name must not be blank."};
        return {};
    }

    refusal open_producer(const request_target& target, const topic_name& name, time_point now, socket_pointer& out) {
        if (!permitted_) return not_authorized();
        producer_parameters parameters;
        if (const refusal why = producer_query(target.query).read(parameters, broker_.options.client_encryption))
            return why;
        auto [t, why] = broker_.open(name);
        if (why) return failed(why);
        const auto refuse = [&](int status, const std::string& text) {
            return failed({status, broker_.connection_error(text)});
        };
        const std::string exceptions = "org.apache.pulsar.broker.service.BrokerServiceException$";
        t->forget_released(now);
        if (t->terminated) return refuse(503, exceptions + "TopicTerminatedException: Topic was already terminated");
        const std::size_t limit = broker_.options.max_producers_per_topic;
        if (limit != 0 && t->producers() >= limit)
            return refuse(409, "Topic '" + t->name() + "' reached max producers limit");
        std::string producer = parameters.name.value_or("");
        if (producer.empty()) producer = broker_.generated_producer_name();
        if (t->quota.policy == backlog_policy::producer_exception && t->over_quota())
            return refuse(503, exceptions + "TopicBacklogQuotaExceededException: Cannot create producer on topic with "
                                            "backlog quota exceeded"); // a real one says so after 80 seconds
        if (!t->take_name(producer, now))
            return refuse(409, exceptions + "NamingException: Producer with name '" + producer +
                                   "' is already connected to topic '" + t->name() + "'");
        out = std::make_unique<producer_socket>(broker_, name, std::move(t), parameters, std::move(producer));
        return {};
    }

    refusal open_consumer(const request_target& target, std::size_t from, const topic_name& name, time_point now,
                          socket_pointer& out) {
        if (target.segments.size() != from + 5) return bad_query("Invalid topic name format");
        const std::string subscription(target.segment(from + 4));
        if (subscription.empty()) return bad_query("Empty subscription name");
        consumer_parameters parameters;
        if (const refusal why = consumer_query(target.query).read(parameters)) return why;
        if (!permitted_) return not_authorized();
        if (java_blank(subscription)) return bad_query("subscriptionName cannot be blank");
        auto [t, why] = broker_.open(name);
        if (why) return failed(why);
        auto socket = std::make_unique<consumer_socket>(broker_, name, subscription, parameters, now);
        if (const refusal full = socket->subscribe(std::move(t)))
            return failed({full.status, broker_.connection_error(full.text)});
        out = std::move(socket);
        return {};
    }

    refusal open_reader(const request_target& target, const topic_name& name, time_point now, socket_pointer& out) {
        reader_query query(target.query);
        reader_parameters parameters;
        if (const refusal why = query.read_queue_size(parameters)) return why;
        if (!permitted_) return not_authorized();
        if (const refusal why = query.read(parameters)) return why;
        auto [t, why] = broker_.open(name);
        if (why) return reader_query::refused(why.text);
        auto socket = std::make_unique<reader_socket>(broker_, name, parameters, now);
        if (const refusal full = socket->subscribe(std::move(t))) // to a subscription of its own
            return reader_query::refused(broker_.connection_error(full.text));
        out = std::move(socket);
        return {};
    }

    static refusal not_authorized() { return {403, "Not authorized"}; }
    static refusal failed(const refusal& why) {
        return {why.status, "Failed to create producer/consumer: " + why.text};
    }

    static web::http_response redirect(const request_target& target) {
        web::http_response r = plain_answer(302, "", "");
        r.fields.add("Location", target.path + "/");
        return r;
    }

    broker& broker_;
    credentials& credentials_;
    gdn_api& gdn_;
    bool permitted_ = true; ///< whoever asks may do something
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
