// SPDX-License-Identifier: BSL-1.0
// The admin calls of a plain Pulsar that tests need: tenants, namespaces, topics, and reading messages back.
#pragma once

#include <sluice/testing/gateway/json_reader.hpp>
#include <sluice/testing/gateway/statistics.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class admin_api {
public:
    explicit admin_api(broker& b) : broker_(b) { tenants_ = {"public", b.options.tenant}; }

    static bool serves(const request_target& target) noexcept {
        return target.segment(0) == "admin" && target.segment(1) == "v2";
    }

    web::http_response answer(const web::http_request& request, const request_target& target, time_point now) {
        if (!broker_.options.token.empty() && request.fields.get("Authorization") != "Bearer " + broker_.options.token)
            return error_page({401, "HTTP 401 Unauthorized"}, target.path);
        const std::string_view kind = target.segment(2);
        if (kind == "tenants" && request.method == "PUT" && target.segments.size() == 4) {
            if (tenants_.contains(target.segment(3))) return reason(409, "Tenant already exists");
            if (tenants_.size() >= broker_.options.max_namespaces)
                return reason(412, "Exceed the maximum number of tenants");
            tenants_.emplace(target.segment(3));
            return done();
        }
        if (kind == "namespaces") return name_space(request, target);
        if (kind == "persistent" && target.segments.size() == 5 && request.method == "GET") return list(target);
        if (kind == "persistent" && target.segments.size() >= 6) return topics(request, target, now);
        return error_page({404, "Not Found"}, target.path);
    }

private:
    static web::http_response done() { return plain_answer(204, "", ""); }
    static web::http_response json(std::string body) { return plain_answer(200, "application/json", std::move(body)); }
    static web::http_response reason(int status, std::string_view text) {
        return plain_answer(status, "application/json", json_text('{').member("reason", text).done());
    }

    web::http_response name_space(const web::http_request& request, const request_target& target) {
        const std::string name = std::string(target.segment(3)) + "/" + std::string(target.segment(4));
        if (target.segments.size() == 5 && request.method == "PUT") {
            if (!tenants_.contains(target.segment(3))) return reason(404, "Tenant does not exist");
            if (broker_.namespaces.contains(name)) return reason(409, "Namespace already exists");
            if (broker_.namespaces.size() >= broker_.options.max_namespaces)
                return reason(412,
                              "Exceed the maximum number of namespace in tenant :" + std::string(target.segment(3)));
            broker_.namespaces.insert(name);
            return done();
        }
        if (!broker_.namespaces.contains(name)) return reason(404, "Namespace does not exist");
        if (target.segment(5) == "deduplication" && request.method == "POST") {
            const bool on = request.body == "true";
            if (on) {
                broker_.deduplicating.insert(name);
            } else {
                broker_.deduplicating.erase(name);
            }
            for_each_topic(name, [&](topic& t) { t.deduplicate = on; });
            return done();
        }
        if (target.segment(5) == "messageTTL") return time_to_live(request, name);
        if (target.segment(5) == "backlogQuota" && (request.method == "POST" || request.method == "DELETE")) {
            broker_.quotas.erase(name);
            backlog_quota quota = broker_.options.backlog_quota;
            if (request.method == "POST") {
                if (!read_quota(request.body, quota)) return reason(400, "Invalid backlog quota");
                broker_.quotas[name] = quota;
            }
            for_each_topic(name, [&](topic& t) {
                t.quota = quota;
                broker_.mark(t);
            });
            return done();
        }
        return error_page({404, "Not Found"}, target.path);
    }

    web::http_response time_to_live(const web::http_request& request, const std::string& name_space) {
        if (request.method == "GET") {
            const auto seconds = broker_.time_to_live(name_space).count();
            return json(seconds == 0 ? "null" : std::to_string(seconds));
        }
        std::int32_t n = 0;
        if (request.method != "POST" && request.method != "DELETE")
            return error_page({405, "HTTP 405"}, request.target);
        if (request.method == "POST" && (!java_integer(request.body, n) || n < 0))
            return reason(412, "Invalid value for message TTL");
        broker_.set_time_to_live(name_space, std::chrono::seconds(n));
        return done();
    }

    template <class Visit>
    void for_each_topic(const std::string& owner, Visit visit) {
        const std::string prefix = "persistent://" + owner + "/";
        for (auto& [full, t] : broker_.topics)
            if (full.starts_with(prefix)) visit(*t);
    }

    /// `{"limitSize":20000,"limitTime":-1,"policy":"producer_exception"}`; a limit below 0 is none.
    static bool read_quota(std::string_view body, backlog_quota& out) {
        out = {};
        bool known = false;
        std::string scratch;
        json_reader in(body, scratch);
        std::string_view name;
        if (in.at_end() || in.next_value().kind != json_reader::token::object) return false;
        for (bool first = true; in.next_name(name, first); first = false) {
            const json_reader::value v = in.next_value();
            if (v.kind == json_reader::token::object || v.kind == json_reader::token::array) in.skip_rest(v.kind);
            if (name == "limitSize" || name == "limit") {
                std::int64_t n = 0;
                if (!java_integer(v.text, n)) return false;
                out.bytes = static_cast<std::size_t>(std::max<std::int64_t>(n, 0));
            } else if (name == "policy") {
                using enum backlog_policy;
                known = true;
                if (v.text == "producer_exception") {
                    out.policy = producer_exception;
                } else if (v.text == "producer_request_hold") {
                    out.policy = producer_request_hold;
                } else if (v.text == "consumer_backlog_eviction") {
                    out.policy = consumer_backlog_eviction;
                } else {
                    return false;
                }
            }
        }
        return known && !in.failed();
    }

    web::http_response list(const request_target& target) {
        const std::string owner = std::string(target.segment(3)) + "/" + std::string(target.segment(4));
        if (!broker_.namespaces.contains(owner)) return reason(404, "Namespace does not exist");
        const std::string prefix = "persistent://" + owner + "/";
        json_text names('[');
        for (const auto& entry : broker_.topics)
            if (entry.first.starts_with(prefix)) names.text_element(entry.first);
        return json(names.done());
    }

    web::http_response topics(const web::http_request& request, const request_target& target, time_point now) {
        const topic_name name{"persistent", std::string(target.segment(3)), std::string(target.segment(4)),
                              std::string(target.segment(5))};
        const std::string& method = request.method;
        const std::string_view call = target.segment(6);
        if (target.segments.size() == 6 && method == "PUT") return told(broker_.create_checked(name));
        const std::shared_ptr<topic> t = broker_.find(name.full());
        if (call == "partitions") return partitions(request.method);
        if (!t) return reason(404, "Topic " + name.full() + " not found");
        t->expire(now);
        if (target.segments.size() == 6 && method == "DELETE") {
            const std::string* const force = find_parameter(target.query, "force");
            return told(broker_.remove(name.full(), force != nullptr && *force == "true"));
        }
        if (call == "stats" && method == "GET") return json(topic_statistics(*t));
        if (call == "internalStats" && method == "GET") return json(internal_statistics(*t));
        if (call == "unload" && method == "PUT") return done();
        if (call == "terminate" && method == "POST") {
            t->terminated = true;
            broker_.mark(*t);
            const position last = t->last();
            return json(json_text('{').member("ledgerId", last.ledger).member("entryId", last.entry).done());
        }
        if (call == "deduplicationEnabled" && method == "POST") {
            t->deduplicate = request.body == "true";
            return done();
        }
        if (call == "subscriptions" && method == "GET") return json(subscription_names(*t));
        if (call == "subscription") return of_subscription(request, target, *t, now);
        return error_page({404, "Not Found"}, target.path);
    }

    /// Partitioned topics are not modelled, and every topic has none.
    static web::http_response partitions(std::string_view method) {
        if (method == "GET") return json("{\"partitions\":0,\"deleted\":false}");
        return reason(501, "Partitioned topics are not modelled");
    }

    web::http_response of_subscription(const web::http_request& request, const request_target& target, topic& t,
                                       time_point now) {
        const std::string name(target.segment(7));
        const std::string_view call = target.segment(8);
        if (target.segments.size() == 8 && request.method == "PUT") {
            const bool latest = request.body == "\"latest\"" || request.body.empty();
            return told(t.add_subscription({name, subscription_type::exclusive, true, !latest, {}}));
        }
        subscription* const s = t.find_subscription(name);
        if (s == nullptr) return reason(404, "Subscription " + name + " not found for topic " + t.name());
        broker_.mark(t);
        if (target.segments.size() == 8 && request.method == "DELETE") {
            const std::string* const force = find_parameter(target.query, "force");
            if (!s->consumers().empty() && !(force != nullptr && *force == "true"))
                return reason(412, "Subscription has active connected consumers");
            t.remove_subscription(name);
            return done();
        }
        if (call == "skip_all" && request.method == "POST") {
            s->skip_to(t.log().end());
            return done();
        }
        std::uint64_t n = 0;
        const std::string_view digits = target.segment(9);
        std::from_chars(digits.data(), digits.data() + digits.size(), n);
        if (call == "expireMessages" && request.method == "POST") {
            s->skip_to(t.log().from_time(now - std::chrono::seconds(std::min(n, most_seconds))));
            return done();
        }
        if (call != "position" || request.method != "GET") return error_page({404, "Not Found"}, target.path);
        const topic_message* const m = s->peek(n);
        return m != nullptr ? peeked(*m) : reason(404, "Message not found");
    }

    /// The payload as the body; everything else in fields, left out where it cannot stand in one.
    static web::http_response peeked(const topic_message& m) {
        web::http_response r = plain_answer(200, "application/octet-stream", m.payload);
        const auto put = [&](std::string field, std::string value) {
            if (web::detail::is_token(field) && web::detail::is_field_text(value))
                r.fields.add(std::move(field), std::move(value));
        };
        put("X-Pulsar-Message-ID", std::to_string(m.at.ledger) + ":" + std::to_string(m.at.entry));
        json_text properties('{');
        for (const property& p : m.properties) properties.member(p.name, p.value);
        if (!m.properties.empty()) put("X-Pulsar-PROPERTY", properties.done());
        std::string clusters;
        for (const std::string& c : m.replication_clusters) clusters += (clusters.empty() ? "" : ",") + c;
        if (!clusters.empty()) put("X-Pulsar-replicated-to", clusters);
        if (m.producer_name) put("X-Pulsar-producer-name", *m.producer_name);
        put("X-Pulsar-sequence-id", std::to_string(m.sequence_id));
        put("X-Pulsar-publish-time", iso_date(milliseconds_of(m.publish_time)));
        if (m.event_time) put("X-Pulsar-event-time", iso_date(*m.event_time));
        if (m.deliver_at) put("X-Pulsar-deliver-at-time", iso_date(*m.deliver_at));
        if (m.key) put("X-Pulsar-partition-key", *m.key);
        return r;
    }

    static web::http_response told(const refusal& why) { return why ? reason(why.status, why.text) : done(); }

    broker& broker_;
    std::set<std::string, std::less<>> tenants_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
