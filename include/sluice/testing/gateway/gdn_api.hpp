// SPDX-License-Identifier: BSL-1.0
// The REST calls of a GDN region: login, one-time passwords, where the region is, and streams.
#pragma once

#include <sluice/pulsar/names.hpp>
#include <sluice/testing/gateway/answers.hpp>
#include <sluice/testing/gateway/credentials.hpp>
#include <sluice/testing/gateway/json_reader.hpp>
#include <sluice/testing/gateway/statistics.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class gdn_api {
public:
    gdn_api(broker& b, credentials& c) noexcept : broker_(b), credentials_(c) {}

    /// Whether the path is one of ours.
    static bool serves(const request_target& target) noexcept {
        const std::string_view first = target.segment(0);
        return first == "_open" || first == "apid" || first == "datacenter" || first == "_fabric" || first == "_api";
    }

    web::http_response answer(const web::http_request& request, const request_target& target, time_point now) {
        if (target.path == "/_open/auth")
            return request.method == "POST" ? log_in(request.body, now) : error(405, "method not supported", 405);
        const auto tenant = credentials_.check(request.fields.get("Authorization"), now);
        if (!tenant) return unauthorized();
        if (target.path == "/apid/otp") {
            if (request.method != "POST") return error(405, "method not supported", 405);
            if (credentials_.too_many_otps(now)) return too_many();
            return json(json_text('{').member("otp", credentials_.make_otp(now)).done());
        }
        if (target.path == "/datacenter/local") return json(region());
        if (target.path == "/_api/user")
            return result(json_text('[').element(json_text('{').member("tenant", *tenant).done()).done());
        if (target.segment(0) != "_fabric" || target.segment(2) != "_api" || target.segment(3) != "streams")
            return error(404, "unknown path '" + target.path + "'", 404);
        fabric_ = target.segment(1);
        tenant_ = *tenant;
        if (!broker_.namespaces.contains(tenant_ + "/c8global." + fabric_)) return error(404, "fabric not found", 1228);
        return streams(request, target, now);
    }

    /// The topic of a stream; without a `local` name where the stream's name is not allowed.
    static topic_name stream(std::string_view tenant, std::string_view fabric, std::string_view name, bool global) {
        auto [error, topic] =
            pulsar::make_topic(dialect::gdn, name, global ? scope::global : scope::local, tenant, fabric);
        return {"persistent", std::move(topic.tenant), std::move(topic.ns), std::move(topic.name)};
    }

    web::http_response unauthorized() { return error(401, "forbidden", 11); }

private:
    web::http_response streams(const web::http_request& request, const request_target& target, time_point now) {
        const std::string& method = request.method;
        const std::string_view first = target.segment(4), second = target.segment(5);
        if (target.segments.size() == 4 && method == "GET") return list(global_of(target));
        if (first == "ttl" && target.segments.size() <= 6) return time_to_live(method, second, global_of(target));
        if (first == "clearbacklog" && method == "POST") return clear_backlog(second);
        if (first == "subscription" && target.segments.size() == 6 && method == "DELETE")
            return unsubscribe_all(second);

        const topic_name name = stream(tenant_, fabric_, first, global_of(target).value_or(true));
        if (name.local.empty()) return error(400, "invalid stream name", 400);
        if (target.segments.size() == 5 && method == "POST") {
            const refusal why = broker_.create_checked(name);
            if (why.status == 412) return error(412, why.text, 412);
            if (why) return error(409, "stream '" + name.local + "' already exists", 409);
            return accepted(json_text('{').member("stream-id", name.local).done());
        }
        const std::shared_ptr<topic> t = broker_.find(name.full());
        if (!t) return error(404, "stream '" + name.local + "' not found", 404);
        t->expire(now);
        if (target.segments.size() == 5 && method == "DELETE") {
            const std::string* const force = find_parameter(target.query, "force");
            if (broker_.remove(name.full(), force != nullptr && web::equal_ignoring_case(*force, "true")))
                return error(412, "stream '" + name.local + "' is in use", 412);
            return accepted("{}");
        }
        if (second == "publish" && method == "POST") return publish(*t, request.body, now);
        if (second == "stats" && method == "GET") return result(topic_statistics(*t));
        if (second == "backlog" && method == "GET") return result(internal_statistics(*t));
        if (second == "subscriptions" && target.segments.size() == 6 && method == "GET")
            return result(subscription_names(*t));
        if (second == "subscriptions" && method == "DELETE") return unsubscribe({t.get()}, target.segment(6));
        if (second == "expiry" && method == "POST") return expire(*t, target.segment(6), now);
        return error(405, "method not supported", 405);
    }

    web::http_response log_in(std::string_view body, time_point now) {
        std::map<std::string, std::string, std::less<>> members;
        std::string scratch;
        json_reader json_in(body, scratch);
        std::string_view name;
        if (json_in.at_end() || json_in.next_value().kind != json_reader::token::object)
            return error(400, "expecting a JSON object", 600);
        for (bool first = true; json_in.next_name(name, first); first = false) {
            const json_reader::value v = json_in.next_value();
            if (v.kind == json_reader::token::object || v.kind == json_reader::token::array) json_in.skip_rest(v.kind);
            if (v.kind == json_reader::token::string) members[std::string(name)] = v.text;
        }
        if (json_in.failed()) return error(400, "expecting a JSON object", 600);
        if (credentials_.too_many_tokens(now)) return too_many();
        const auto token =
            credentials_.log_in(members["email"], members["tenant"], members["username"], members["password"], now);
        if (!token) return unauthorized();
        std::string user = members["username"];
        for (const proxy_user& u : broker_.options.users)
            if (user.empty() && u.email == members["email"]) user = u.name;
        return json(json_text('{')
                        .member("jwt", *token)
                        .member("tenant", broker_.options.tenant)
                        .member("username", user)
                        .done());
    }

    std::string region() const {
        const proxy_options& o = broker_.options;
        const std::string host = o.region_host.substr(0, o.region_host.find(':'));
        return json_text('{')
            .member("_key", o.region)
            .member("host", host)
            .member("local", true)
            .member("name", o.region)
            .member("spot_region", false)
            .member("status", 0)
            .raw("tags", json_text('{').member("api", api_host()).member("url", o.region_host).done())
            .raw("locationInfo", json_text('{').member("city", "").member("countrycode", "").done())
            .done();
    }
    /// Where the region is an own machine (a port, an address) the API is there too.
    std::string api_host() const {
        const std::string& host = broker_.options.region_host;
        return host.find(':') == std::string::npos ? "api-" + host : host;
    }

    static std::optional<bool> global_of(const request_target& target) {
        const std::string* const text = find_parameter(target.query, "global");
        if (text == nullptr) return {};
        return web::equal_ignoring_case(*text, "true"); // one SDK writes True
    }

    /// Calls `visit` with each topic of the fabric: of both scopes, or of one.
    template <class Visit>
    void for_each_stream(std::optional<bool> global, Visit visit) {
        for (const bool g : {true, false}) {
            if (global.value_or(g) != g) continue;
            const std::string prefix = "persistent://" + tenant_ + (g ? "/c8global." : "/c8local.") + fabric_ + "/";
            for (auto i = broker_.topics.lower_bound(prefix); i != broker_.topics.end() && i->first.starts_with(prefix);
                 ++i)
                visit(*i->second, std::string_view(i->first).substr(prefix.size()), g);
        }
    }

    web::http_response list(std::optional<bool> global) {
        json_text streams('[');
        for_each_stream(global, [&](const topic& t, std::string_view local, bool g) {
            const std::string key = std::to_string(t.log().ledger());
            json_text one('{');
            one.member("_key", key)
                .member("_id", "_streams/" + key)
                .member("_rev", "_" + key)
                .member("db", fabric_)
                .member("local", !g)
                .member("tenant", tenant_)
                .member("topic", local)
                .member("type", 4);
            if (t.terminated) one.member("terminated", true);
            streams.element(one.done());
        });
        web::http_response r = result(streams.done());
        r.fields.add("Transfer-Encoding", "chunked"); // the front door does both, so clients must take both
        return r;
    }

    web::http_response publish(topic& t, const std::string& body, time_point now) {
        if (t.terminated) return error(409, "stream is terminated", 409);
        topic_message m;
        m.payload = body;
        m.publish_time = now;
        t.publish({&m, 1}, false);
        broker_.store(t, std::move(m));
        return accepted("{}");
    }

    /// Of the fabric's streams: of both scopes, or of one.
    web::http_response time_to_live(const std::string& method, std::string_view seconds, std::optional<bool> global) {
        const auto owner = [&](bool g) { return tenant_ + (g ? "/c8global." : "/c8local.") + fabric_; };
        if (method == "GET") return result(std::to_string(broker_.time_to_live(owner(global.value_or(true))).count()));
        int n = 0;
        const auto [end, ec] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), n);
        if (method != "POST" || ec != std::errc() || end != seconds.data() + seconds.size() || n < 0)
            return error(400, "invalid time to live", 400);
        for (const bool g : {true, false})
            if (global.value_or(g) == g) broker_.set_time_to_live(owner(g), std::chrono::seconds(n));
        return result("{}");
    }
    web::http_response clear_backlog(std::string_view subscription) {
        for_each_stream({}, [&](topic& t, std::string_view, bool) {
            for (const auto& [name, s] : t.subscriptions())
                if (subscription.empty() || name == subscription) s->skip_to(t.log().end());
            broker_.mark(t);
        });
        return result("{}");
    }
    /// What is older counts as acknowledged.
    web::http_response expire(topic& t, std::string_view seconds, time_point now) {
        std::uint64_t n = 0;
        const auto [end, ec] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), n);
        if (ec != std::errc() || end != seconds.data() + seconds.size()) return error(400, "invalid expiry time", 400);
        for (const auto& entry : t.subscriptions())
            entry.second->skip_to(t.log().from_time(now - std::chrono::seconds(std::min(n, most_seconds))));
        broker_.mark(t);
        return result("{}");
    }
    web::http_response unsubscribe_all(std::string_view subscription) {
        std::vector<topic*> all;
        for_each_stream({}, [&](topic& t, std::string_view, bool) { all.push_back(&t); });
        return unsubscribe(all, subscription);
    }
    /// From all of them that have the subscription, or from none.
    web::http_response unsubscribe(const std::vector<topic*>& topics, std::string_view subscription) {
        std::size_t gone = 0;
        for (const topic* t : topics)
            if (const auto* s = t->find_subscription(subscription); s != nullptr && !s->consumers().empty())
                return error(412, "subscription has active connected consumers", 412);
        for (topic* t : topics) gone += t->remove_subscription(subscription);
        return gone != 0 ? result("{}") : error(404, "subscription not found", 404);
    }

    // Shapes

    /// GDN's front door sends no reason phrase.
    web::http_response json(std::string body, int status = 200) {
        web::http_response r;
        r.status = status;
        r.fields = {{"Content-Type", "application/json; charset=utf-8"},
                    {"Server", "APISIX"},
                    {"x-gdn-region", broker_.options.region},
                    {"x-gdn-requestid", "local-" + std::to_string(++requests_)},
                    {"x-gdn-responsetime", "0.000"}};
        r.body = std::move(body);
        return r;
    }
    web::http_response result(std::string_view value, int code = 200) {
        return json(json_text('{').member("error", false).member("code", code).raw("result", value).done());
    }
    web::http_response too_many() { return error(429, "too many requests", 429); }
    web::http_response accepted(std::string_view value) { return result(value, 202); }
    web::http_response error(int status, std::string_view text, int number) {
        return json(json_text('{')
                        .member("code", status)
                        .member("error", true)
                        .member("errorMessage", text)
                        .member("errorNum", number)
                        .done(),
                    status);
    }

    broker& broker_;
    credentials& credentials_;
    std::string fabric_{}, tenant_{}; ///< of the request at hand
    std::uint64_t requests_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
