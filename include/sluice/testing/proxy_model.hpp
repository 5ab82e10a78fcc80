// SPDX-License-Identifier: BSL-1.0
// A GDN region and a plain Pulsar without I/O and without a clock: what the gateway serves over sockets, and what a
// simulation talks to in virtual time.
#pragma once

#include <sluice/testing/gateway/admin_api.hpp>
#include <sluice/testing/gateway/credentials.hpp>
#include <sluice/testing/gateway/gdn_api.hpp>
#include <sluice/testing/gateway/upgrade.hpp>

#include <functional>
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
/// and its producer, consumer and reader sockets under `/_ws/ws/v2/...`; of a plain Pulsar the same sockets under
/// `/ws/v2/...` and the admin calls of topics under `/admin/v2/...`. Not modelled: partitioned topics, compression
/// towards the broker, send time-outs but for those of messages that a backlog quota holds, keys that consumers
/// hold (what is encrypted end to end is delivered as it comes), and consumers of several topics. permessage-deflate is
/// accepted where `proxy_options::deflate` says so.
///
/// What consumers see differs from a real broker in this: every message is acknowledged and delivered again for itself,
/// also one of a batch; nothing is fetched ahead of what the socket delivers, so more is left for others; of a failover
/// subscription the consumer that came first is active, not one that a hash chooses, and a failover takes no time;
/// redelivery happens when it is due, not up to a tick later.
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
    /// False if it does not exist. Producers find out with their next message, consumers begin anew.
    bool delete_topic(std::string_view name) { return !broker_.remove(resolve(name), true); }
    /// No message is taken any more. False if it does not exist.
    bool terminate(std::string_view name) {
        const auto t = broker_.find(resolve(name));
        if (!t) return false;
        t->terminated = true;
        broker_.mark(*t);
        return true;
    }
    /// Turns deduplication on or off. False if it does not exist.
    bool deduplicate(std::string_view name, bool on) {
        const auto t = broker_.find(resolve(name));
        if (t) t->deduplicate = on;
        return t != nullptr;
    }
    /// What is done when subscriptions fall too far behind. False if it does not exist.
    bool limit_backlog(std::string_view name, backlog_quota quota) {
        const auto t = broker_.find(resolve(name));
        if (!t) return false;
        t->quota = quota;
        broker_.mark(*t);
        return true;
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
            copies.reserve(t->log().messages().size());
            for (const detail::topic_message& m : t->log().messages()) copies.push_back(m.copy());
        }
        return copies;
    }
    /// From now on `f` is called with each message that is stored and with its topic's full name, once, in the order in
    /// which topics take them, before the acknowledgement goes out. It must neither throw nor call the model. Null: no
    /// more.
    void on_stored(std::function<void(std::string_view, const stored_message&)> f) { broker_.on_stored = std::move(f); }
    /// Messages stored since the topic was made, those that were dropped to keep its bound included.
    std::uint64_t message_count(std::string_view name) const {
        const auto t = broker_.find(resolve(name));
        return t ? t->log().messages_in() : 0;
    }

    /// Hands out what has been published or has become free to the consumers and readers that wait. Every `peer` does
    /// it at the end of its calls; what was done to a topic here takes effect for them with the next one.
    void dispatch(time_point now) { broker_.dispatch(now); }

    // For `peer`

    struct reply {
        web::http_response response{};
        std::unique_ptr<detail::proxied_socket> socket{}; ///< where the status is 101
    };

    reply handle(const web::http_request& request, time_point now) {
        ++broker_.stats.requests;
        const detail::request_target target(request.target);
        const bool gdn = target.segment(0) == "_ws";
        if (target.segment(gdn ? 1 : 0) == "ws") {
            reply r;
            r.response = upgrades_.answer(request, target, gdn ? 1 : 0, now, r.socket);
            return r;
        }
        if (detail::gdn_api::serves(target)) return {gdn_.answer(request, target, now), nullptr};
        if (detail::admin_api::serves(target)) return {admin_.answer(request, target, now), nullptr};
        return {detail::error_page({404, "Not Found"}, target.path), nullptr};
    }

private:
    using topic_name = detail::topic_name;

    topic_name parse_topic(std::string_view name) const {
        if (name.find("://") == std::string_view::npos) {
            const proxy_options& o = broker_.options;
            return detail::gdn_api::stream(o.tenant, o.fabrics.empty() ? "_system" : o.fabrics.front(), name, true);
        }
        return topic_name::parse(name);
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
    detail::upgrades upgrades_{broker_, credentials_, gdn_};
};

} // namespace testing
} // namespace v1
} // namespace sluice
