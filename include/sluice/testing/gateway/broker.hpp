// SPDX-License-Identifier: BSL-1.0
// The broker: namespaces and topics by name, and what everybody behind the front door shares.
#pragma once

#include <sluice/testing/gateway/topic.hpp>
#include <sluice/web/mask.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// `DOMAIN://TENANT/NAMESPACE/TOPIC` in its parts, none of them percent-encoded.
struct topic_name {
    std::string domain = "persistent";
    std::string tenant{}, name_space{}, local{};

    std::string full() const { return domain + "://" + tenant + "/" + name_space + "/" + local; }
    std::string owner() const { return tenant + "/" + name_space; }

    /// `DOMAIN://TENANT/NAMESPACE/TOPIC`, `TENANT/NAMESPACE/TOPIC`, or `TOPIC` in `public/default`.
    static topic_name parse(std::string_view text) {
        topic_name name;
        if (const std::size_t domain = text.find("://"); domain != std::string_view::npos) {
            name.domain = text.substr(0, domain);
            text.remove_prefix(domain + 3);
        } else if (text.find('/') == std::string_view::npos) {
            name.tenant = "public";
            name.name_space = "default";
            name.local = text;
            return name;
        }
        for (std::string* const part : {&name.tenant, &name.name_space}) {
            const std::size_t slash = std::min(text.find('/'), text.size());
            *part = text.substr(0, slash);
            text.remove_prefix(std::min(slash + 1, text.size()));
        }
        name.local = text;
        return name;
    }
};

class broker {
public:
    broker(proxy_options o, web::random_source r) : options(std::move(o)), random(r) {
        namespaces.insert("public/default");
        for (const std::string& fabric : options.fabrics) {
            namespaces.insert(options.tenant + "/c8global." + fabric);
            namespaces.insert(options.tenant + "/c8local." + fabric);
        }
    }

    proxy_options options;
    web::random_source random;
    proxy_stats stats{};
    std::set<std::string, std::less<>> namespaces; ///< `TENANT/NAMESPACE`
    std::map<std::string, std::shared_ptr<topic>, std::less<>> topics{};
    std::set<std::string, std::less<>> deduplicating{};         ///< namespaces whose new topics deduplicate
    std::map<std::string, backlog_quota, std::less<>> quotas{}; ///< of a namespace's topics, instead of the options'
    /// Told of each message that is stored, with its topic's name.
    std::function<void(std::string_view, const stored_message&)> on_stored{};

    std::shared_ptr<topic> find(std::string_view full_name) const {
        const auto found = topics.find(full_name);
        return found == topics.end() ? nullptr : found->second;
    }
    /// Null if it exists.
    std::shared_ptr<topic> create(const topic_name& name) {
        const auto [slot, fresh] = topics.try_emplace(name.full());
        if (!fresh) return nullptr;
        const topic_limits limits{options.max_messages_per_topic, options.max_bytes_per_topic,
                                  options.max_subscriptions_per_topic, options.max_producer_names};
        slot->second = std::make_shared<topic>(slot->first, next_ledger_++, limits);
        const auto quota = quotas.find(name.owner());
        slot->second->quota = quota != quotas.end() ? quota->second : options.backlog_quota;
        slot->second->deduplicate = options.deduplicate || deduplicating.contains(name.owner());
        slot->second->time_to_live = time_to_live(name.owner());
        return slot->second;
    }
    /// 409 if it exists, 404 without its namespace, 412 if there are too many.
    refusal create_checked(const topic_name& name) {
        if (!namespaces.contains(name.owner())) return {404, "Namespace does not exist"};
        if (topics.size() >= options.max_topics && !find(name.full())) return {412, std::string(too_many_topics)};
        return create(name) ? refusal{} : refusal{409, "This topic already exists"};
    }
    /// 404 if it is missing; 412 if somebody produces to it or consumes from it, unless forced. Its producers notice
    /// with their next message, its consumers with the next `dispatch`.
    refusal remove(std::string_view full_name, bool force) {
        const auto found = topics.find(full_name);
        if (found == topics.end()) return {404, "Topic " + std::string(full_name) + " not found"};
        const std::size_t users = found->second->producers() + found->second->consumers();
        if (!force && users != 0) return {412, "Topic has " + std::to_string(users) + " connected producers/consumers"};
        found->second->deleted = true;
        mark(*found->second);
        topics.erase(found);
        return {};
    }
    /// The topic for a new socket: found, or made where that is allowed.
    std::pair<std::shared_ptr<topic>, refusal> open(const topic_name& name) {
        if (!namespaces.contains(name.owner())) return {nullptr, {404, connection_error("Namespace not found")}};
        if (auto t = find(name.full())) return {std::move(t), {}};
        if (!options.allow_auto_topic_creation) return {nullptr, {404, connection_error("")}};
        if (topics.size() >= options.max_topics) return {nullptr, {500, connection_error(too_many_topics)}};
        return {create(name), {}};
    }
    /// How long subscriptions of the namespace's topics wait for an acknowledgement; 0: for ever.
    std::chrono::seconds time_to_live(std::string_view name_space) const {
        const auto found = times_to_live_.find(name_space);
        return found == times_to_live_.end() ? std::chrono::seconds(0) : found->second;
    }
    void set_time_to_live(const std::string& name_space, std::chrono::seconds time) {
        times_to_live_[name_space] = time;
        const std::string prefix = "persistent://" + name_space + "/";
        for (auto i = topics.lower_bound(prefix); i != topics.end() && i->first.starts_with(prefix); ++i) {
            i->second->time_to_live = time;
            mark(*i->second);
        }
    }
    void store(topic& where, topic_message&& m) {
        ++stats.stored;
        if (on_stored) tell(where, m);
        where.keep(std::move(m));
        if (where.consumers() != 0) mark(where);
    }
    /// The topic has something to hand out, perhaps: a message came, or a consumer has room again.
    void mark(topic& t) {
        if (!std::exchange(t.marked, true)) marked_.push_back(t.shared_from_this());
    }
    /// Gives what has come to those that wait for it. Their connections are woken.
    void dispatch(time_point now) {
        for (const std::shared_ptr<topic>& t : marked_) {
            t->marked = false;
            t->dispatch(now);
        }
        marked_.clear();
    }

    /// How the broker's connection reports an error: with a request number and the two addresses of a connection that
    /// does not exist here.
    std::string connection_error(std::string_view text) {
        return "{\"errorMsg\":\"" + std::string(text) +
               "\",\"reqId\":" + std::to_string(3499593213145200983 + next_request_++) +
               ", \"remote\":\"127.0.0.1/127.0.0.1:6650\", \"local\":\"/127.0.0.1:37792\"}";
    }
    std::string generated_producer_name() { return "standalone-0-" + std::to_string(next_producer_++); }

    /// Letters and digits that cannot be guessed, as far as the random source can.
    std::string secret(std::size_t length) {
        constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AB";
        std::string text(length, '\0');
        random(std::as_writable_bytes(std::span(text)));
        for (char& c : text) c = alphabet[static_cast<unsigned char>(c) & 63];
        return text;
    }

private:
    /// An exception would end in a connection's coroutine, where nobody sees it: it ends the program instead.
    void tell(const topic& where, const topic_message& m) noexcept { on_stored(where.name(), m.copy()); }

    static constexpr std::string_view too_many_topics = "Exceed maximum number of topics in namespace.";

    std::map<std::string, std::chrono::seconds, std::less<>> times_to_live_{}; ///< of a namespace's topics
    std::vector<std::shared_ptr<topic>> marked_{};
    std::int64_t next_ledger_ = 4, next_request_ = 1, next_producer_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
