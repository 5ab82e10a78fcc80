// SPDX-License-Identifier: BSL-1.0
// What shall go wrong: rules that are met one after the other and counted, without I/O and without a clock.
#pragma once

#include <sluice/config.hpp>
#include <sluice/pulsar/names.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

/// An HTTP request, by what it is for.
enum class call : std::uint8_t {
    any,           ///< whatever it is for, upgrades and requests that have no name here included
    auth,          ///< a login, `POST /_open/auth`
    otp,           ///< a one-time password, `POST /apid/otp`
    region,        ///< `GET /datacenter/local`
    create_stream, ///< in a plain Pulsar: the topic's `PUT`
    delete_stream,
    list_streams,
    publish,    ///< a message over REST
    statistics, ///< of a stream, its backlog and its subscriptions included
    upgrade     ///< to a WebSocket, of whatever kind
};

/// Which way bytes go.
enum class direction : std::uint8_t { to_server, to_client };

/// How a connection is cut.
enum class cut : std::uint8_t {
    reset,  ///< RST: what is under way may be lost
    finish, ///< FIN, without a word before
    silence ///< half-open: neither read nor written any more, and not closed
};

namespace detail {

/// What a fault strikes.
enum class fault_target : std::uint8_t {
    call,
    password,
    message,
    acknowledgement,
    connection, ///< from its first byte on
    socket,     ///< a connection from its upgrade on
    quota,      ///< a state of a topic
    reading     ///< a state of all sockets
};

enum class fault_act : std::uint8_t { refuse, delay, expire, close, cut, swallow, twice, swap, hold };

inline constexpr std::size_t for_ever = std::numeric_limits<std::size_t>::max();

/// One fault, and how often it has been met. Which of the values count depends on the act.
struct fault_rule {
    fault_target target{};
    fault_act act{};
    testing::call call = testing::call::any; ///< of target `call`
    std::string topic{};                     ///< of messages, acknowledgements and quotas; empty: any

    std::size_t after = 0; ///< go by unharmed before
    std::size_t left = 1;  ///< are struck then

    int code = 0; ///< an HTTP status, or of a close frame
    std::string text{};
    std::optional<std::chrono::seconds> retry_after{};
    std::chrono::nanoseconds delay{};
    testing::cut how = testing::cut::reset;
    testing::direction way = testing::direction::to_server;
    std::uint64_t bytes = 0;

    std::uint64_t met = 0;
    std::uint64_t generation = 0; ///< of the script
    bool withdrawn = false;
};

/// Something that a fault may strike.
struct fault_event {
    fault_target target{};
    testing::call call = testing::call::any;
    std::string_view topic{}; ///< its full name
};

/// True if the wish, a full name or a stream's, means the topic of that full name.
inline bool names_topic(std::string_view wish, std::string_view full) noexcept {
    if (wish.empty() || wish == full) return true;
    std::string_view local = full; // DOMAIN://TENANT/NAMESPACE/LOCAL
    for (int slashes = 0; slashes < 4; ++slashes) {
        const std::size_t slash = local.find('/');
        if (slash == std::string_view::npos) return false;
        local.remove_prefix(slash + 1);
    }
    for (const scope s : {scope::global, scope::local})
        if (local.starts_with(pulsar::gdn_prefix(s)) && local.substr(pulsar::gdn_prefix(s).size()) == wish) return true;
    return local == wish;
}

/// The rules of one gateway, in the order in which they were given. An event meets the first rule that fits it and is
/// not used up; a rule with `after` uses the event up and leaves it unharmed.
class fault_script {
public:
    using rule_ptr = std::shared_ptr<fault_rule>;

    void add(rule_ptr rule) {
        rule->generation = generation_;
        if (rule->left != 0) rules_.push_back(std::move(rule));
    }
    /// Nothing can be struck: the common case, and cheap to ask.
    bool empty() const noexcept { return rules_.empty(); }

    /// The rule that strikes this event, or null. It counts once it is `meet`.
    rule_ptr take(const fault_event& e) {
        const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const rule_ptr& r) { return fits(*r, e); });
        if (found == rules_.end()) return nullptr;
        rule_ptr rule = *found;
        if (rule->after != 0) {
            --rule->after;
            return nullptr;
        }
        if (rule->left != for_ever && --rule->left == 0) rules_.erase(found);
        return rule;
    }
    void meet(fault_rule& rule) noexcept {
        ++rule.met;
        ++met_;
    }
    /// Both in one.
    rule_ptr strike(const fault_event& e) {
        if (rules_.empty()) return nullptr;
        rule_ptr rule = take(e);
        if (rule) meet(*rule);
        return rule;
    }
    /// A state that holds now: a full quota, sockets that are not read. Null if it does not.
    fault_rule* state(const fault_event& e) const noexcept {
        for (const rule_ptr& r : rules_)
            if (fits(*r, e)) return r.get();
        return nullptr;
    }

    void withdraw(fault_rule& rule) noexcept {
        rule.withdrawn = true;
        std::erase_if(rules_, [&](const rule_ptr& r) { return r.get() == &rule; });
    }
    /// Withdraws all.
    void clear() noexcept {
        rules_.clear();
        ++generation_;
    }
    /// Whether what has been taken still counts: a connection takes its cut long before it meets it.
    bool stands(const fault_rule& rule) const noexcept { return !rule.withdrawn && rule.generation == generation_; }
    /// By all rules that there ever were.
    std::uint64_t met() const noexcept { return met_; }

private:
    static bool fits(const fault_rule& r, const fault_event& e) noexcept {
        if (r.target != e.target) return false;
        if (r.call != testing::call::any && r.call != e.call) return false;
        return names_topic(r.topic, e.topic);
    }

    std::vector<rule_ptr> rules_{};
    std::uint64_t met_ = 0, generation_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
