// SPDX-License-Identifier: BSL-1.0
// What the faults make of a connection's HTTP requests: served, refused, kept waiting, or cut off.
#pragma once

#include <sluice/testing/gateway/answers.hpp>
#include <sluice/testing/gateway/fault_script.hpp>
#include <sluice/testing/gateway/types.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// What a request is for. `call::any`: something that has no name.
inline testing::call call_of(std::string_view method, const request_target& target) noexcept {
    const std::size_t n = target.segments.size();
    if (target.segment(0) == "ws" || target.segment(0) == "_ws") return call::upgrade;
    if (target.path == "/_open/auth") return call::auth;
    if (target.path == "/apid/otp") return call::otp;
    if (target.path == "/datacenter/local") return call::region;
    const bool gdn = target.segment(0) == "_fabric" && target.segment(3) == "streams";
    const bool pulsar = target.segment(0) == "admin" && target.segment(2) == "persistent";
    const std::size_t name = gdn ? 5 : 6; // segments with a stream's name as the last
    if (!gdn && !pulsar) return call::any;
    if (n == name - 1 && method == "GET") return call::list_streams;
    if (gdn && (target.segment(4) == "ttl" || target.segment(4) == "clearbacklog")) return call::any;
    if (n == name && method == (gdn ? "POST" : "PUT")) return call::create_stream;
    if (n == name && method == "DELETE") return call::delete_stream;
    const std::string_view what = target.segment(name);
    if (gdn && what == "publish" && method == "POST") return call::publish;
    const bool told = what == "stats" || what == "backlog" || what == "internalStats" || what == "subscriptions";
    if (n == name + 1 && told && method == "GET") return call::statistics;
    return call::any;
}

/// The full name of the topic that a producer's upgrade is for; empty for any other request.
inline std::string topic_of_producer(const request_target& target) {
    const std::size_t at = target.segment(0) == "_ws" ? 4 : 3; // behind [_ws/]ws/v2/producer
    if (target.segment(at - 1) != "producer" || target.segments.size() < at + 4) return {};
    return std::string(target.segment(at)) + "://" + target.between(at + 1, target.segments.size());
}

/// A refusal as the server says it: GDN's JSON, or an error page where the proxy's web server answers. A body of the
/// user's own, JSON or HTML, goes as it is.
inline web::http_response refusal_answer(const fault_rule& rule, testing::call c, std::string_view path) {
    web::http_response r;
    const bool json = rule.text.starts_with('{'), html = rule.text.starts_with('<');
    if (html || json) {
        r = plain_answer(rule.code, json ? "application/json" : "text/html;charset=utf-8", rule.text);
    } else if (c == call::upgrade || path.starts_with("/admin/")) {
        r = error_page({rule.code, rule.text}, path);
    } else {
        r = plain_answer(rule.code, "application/json; charset=utf-8",
                         json_text('{')
                             .member("code", rule.code)
                             .member("error", true)
                             .member("errorMessage", rule.text)
                             .member("errorNum", rule.code)
                             .done());
        r.fields.add("x-gdn-requestid", "local-fault");
    }
    if (rule.retry_after) r.fields.add("Retry-After", std::to_string(rule.retry_after->count()));
    return r;
}

/// Judges one request after the other. One that waits is judged again, at `next_time` or when something has changed.
class call_gate {
public:
    enum class verdict : std::uint8_t {
        serve,
        refuse, ///< with `refusal()`
        wait,
        cut ///< `how()`
    };

    explicit call_gate(fault_script* script) noexcept : script_(script) {}

    verdict judge(const web::http_request& request, time_point now) {
        if (script_ == nullptr || (script_->empty() && !waiting_)) return verdict::serve;
        const request_target target(request.target);
        if (!waiting_) {
            what_ = call_of(request.method, target);
            topic_ = upgrade() ? topic_of_producer(target) : std::string();
            if (const auto rule = script_->strike({fault_target::call, what_})) {
                if (rule->act == fault_act::refuse) {
                    refusal_ = refusal_answer(*rule, what_, target.path);
                    return verdict::refuse;
                }
                how_ = rule->how;
                if (rule->act == fault_act::cut) return verdict::cut;
                until_ = now + rule->delay;
            } else if (fault_rule* const full = quota()) {
                script_->meet(*full);
                until_ = now + quota_patience;
                for_quota_ = true;
            } else {
                return verdict::serve;
            }
            waiting_ = true;
        }
        const bool full = for_quota_ && quota() != nullptr;
        if (now < until_ && (full || !for_quota_)) return verdict::wait;
        forget();
        return full ? refuse_for_quota(target.path) : verdict::serve;
    }

    /// The request that waits is over: its connection has ended.
    void forget() noexcept { waiting_ = for_quota_ = false; }
    bool waiting() const noexcept { return waiting_; }
    /// When it is to be judged again at the latest.
    time_point next_time() const noexcept { return waiting_ ? until_ : time_point::max(); }

    /// Of the last one that was judged.
    bool upgrade() const noexcept { return what_ == call::upgrade; }
    web::http_response& refusal() noexcept { return refusal_; }
    testing::cut how() const noexcept { return how_; }

    /// Whether the one-time password of the answer to this request shall have expired already.
    bool spoils_password(const web::http_request& request) {
        return script_ != nullptr && !script_->empty() && request.target == "/apid/otp" &&
               script_->strike({fault_target::password}) != nullptr;
    }

private:
    /// How long the broker lets a new producer of a topic wait whose quota is full.
    static constexpr std::chrono::milliseconds quota_patience{80'900};

    fault_rule* quota() const noexcept {
        return topic_.empty() ? nullptr : script_->state({fault_target::quota, call::any, topic_});
    }
    verdict refuse_for_quota(std::string_view path) {
        fault_rule rule;
        rule.code = 503;
        rule.text = "Failed to create producer/consumer: {\"errorMsg\":\"org.apache.pulsar.broker.service."
                    "BrokerServiceException$TopicBacklogQuotaExceededException: Cannot create producer on topic with "
                    "backlog quota exceeded\",\"reqId\":3499593213145200982, "
                    "\"remote\":\"127.0.0.1/127.0.0.1:6650\", \"local\":\"/127.0.0.1:37792\"}";
        refusal_ = refusal_answer(rule, call::upgrade, path);
        return verdict::refuse;
    }

    fault_script* script_;
    testing::call what_ = call::any;
    std::string topic_{};
    bool waiting_ = false, for_quota_ = false;
    time_point until_{};
    web::http_response refusal_{};
    testing::cut how_ = testing::cut::reset;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
