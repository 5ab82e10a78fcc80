// SPDX-License-Identifier: BSL-1.0
// Scripted faults, as a user's test says them: `gateway.faults().on(call::otp).times(2).refuse(503, "down")`.
#pragma once

#include <sluice/testing/gateway/fault_script.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Where faults are given and looked at. It knows no socket: what holds it may outlive the execution context.
struct fault_desk {
    std::mutex mutex{}; ///< guards the script, and what else a gateway's connections share
    fault_script script{};
    std::function<std::size_t()> expire_passwords{}; ///< under the mutex
    std::function<void()> wake{};                    ///< without it: connections look again at what they may do
};

} // namespace detail

/// One fault that was given. Copies are the same fault; they may outlive the gateway. Thread-safe.
class fault {
public:
    /// How often it has been met.
    std::uint64_t met() const {
        const std::lock_guard lock(desk_->mutex);
        return rule_->met;
    }
    /// Takes back what of it has not been met. A state ends: the quota has room again, sockets are read again.
    void withdraw() {
        {
            const std::lock_guard lock(desk_->mutex);
            desk_->script.withdraw(*rule_);
        }
        desk_->wake();
    }

private:
    template <class>
    friend class fault_noun;
    friend class faults;

    fault(std::shared_ptr<detail::fault_desk> desk, detail::fault_rule rule)
        : desk_(std::move(desk)), rule_(std::make_shared<detail::fault_rule>(std::move(rule))) {
        const std::lock_guard lock(desk_->mutex);
        desk_->script.add(rule_);
    }

    std::shared_ptr<detail::fault_desk> desk_;
    std::shared_ptr<detail::fault_rule> rule_;
};

/// What all nouns share: which of the coming ones are struck. Without any of it, the next one.
template <class Noun>
class fault_noun {
public:
    /// Lets n go by unharmed before.
    Noun after(std::size_t n) const {
        return with([n](detail::fault_rule& r) { r.after = n; });
    }
    /// Strikes n, one after the other.
    Noun times(std::size_t n) const {
        return with([n](detail::fault_rule& r) { r.left = n; });
    }
    /// Strikes all that come, until it is withdrawn.
    Noun always() const { return times(detail::for_ever); }

protected:
    friend class faults;

    fault_noun(std::shared_ptr<detail::fault_desk> desk, detail::fault_rule rule)
        : desk_(std::move(desk)), rule_(std::move(rule)) {}

    template <class Edit>
    fault give(detail::fault_act act, Edit edit) const {
        detail::fault_rule rule = rule_;
        rule.act = act;
        edit(rule);
        return fault(desk_, std::move(rule));
    }
    fault give(detail::fault_act act) const {
        return give(act, [](detail::fault_rule&) {});
    }

private:
    template <class Edit>
    Noun with(Edit edit) const {
        Noun changed = static_cast<const Noun&>(*this);
        edit(static_cast<fault_noun&>(changed).rule_);
        return changed;
    }

    std::shared_ptr<detail::fault_desk> desk_;
    detail::fault_rule rule_;
};

/// HTTP requests.
class call_faults : public fault_noun<call_faults> {
public:
    using fault_noun::fault_noun;

    /// Answered with that status, 200 to 599, and not carried out. The text is said as the server says it: in GDN's
    /// JSON, or in an error page at an upgrade. A text that begins with `{` or `<` is the whole body.
    fault refuse(int status, std::string text = {}, std::optional<std::chrono::seconds> retry_after = {}) const {
        if (status < 200 || status > 599) throw std::invalid_argument("refuse: a status of 200 to 599 is needed");
        return give(detail::fault_act::refuse, [&](detail::fault_rule& r) {
            r.code = status;
            r.text = std::move(text);
            r.retry_after = retry_after;
        });
    }
    /// Carried out and answered so much later. If the client leaves before, it is carried out then, but for an upgrade.
    fault delay(std::chrono::nanoseconds by) const {
        return give(detail::fault_act::delay, [&](detail::fault_rule& r) { r.delay = by; });
    }
    /// Not carried out: the connection is cut instead of an answer.
    fault cut(testing::cut how = testing::cut::reset) const {
        return give(detail::fault_act::cut, [&](detail::fault_rule& r) { r.how = how; });
    }
};

/// One-time passwords, as they are given out.
class password_faults : public fault_noun<password_faults> {
public:
    using fault_noun::fault_noun;

    /// It has expired when it is used, and with it every other that is outstanding.
    fault expire() const { return give(detail::fault_act::expire); }
};

/// Messages that come in at producers' sockets. What is struck is not stored and takes no sequence number.
class message_faults : public fault_noun<message_faults> {
public:
    using fault_noun::fault_noun;

    /// Answered `send-error:8` with that text: `a.b.PulsarClientException$TimeoutException: why`.
    fault refuse(std::string text) const {
        return give(detail::fault_act::refuse, [&](detail::fault_rule& r) { r.text = std::move(text); });
    }
    /// The proxy closes the socket. To close all of them now: `gateway::close_all_sockets`.
    fault close(std::uint16_t code, std::string reason = {}) const {
        return give(detail::fault_act::close, [&](detail::fault_rule& r) {
            r.code = code;
            r.text = std::move(reason);
        });
    }
    /// The connection is cut. To cut all of them now: `gateway::drop_connections`.
    fault cut(testing::cut how = testing::cut::reset) const {
        return give(detail::fault_act::cut, [&](detail::fault_rule& r) { r.how = how; });
    }
};

/// Acknowledgements, errors of the proxy included, on their way to producers: what they answer has happened.
class ack_faults : public fault_noun<ack_faults> {
public:
    using fault_noun::fault_noun;

    /// Never said.
    fault swallow() const { return give(detail::fault_act::swallow); }
    /// Said twice.
    fault twice() const { return give(detail::fault_act::twice); }
    /// It and the one behind it change places. It waits for that one, which meets no fault of its own.
    fault swap() const { return give(detail::fault_act::swap); }
    /// Said so much later, and so are those behind it: the order is kept.
    fault delay(std::chrono::nanoseconds by) const {
        return give(detail::fault_act::delay, [&](detail::fault_rule& r) { r.delay = by; });
    }
    /// The connection is cut instead: what makes a producer send a stored message again.
    fault cut(testing::cut how = testing::cut::reset) const {
        return give(detail::fault_act::cut, [&](detail::fault_rule& r) { r.how = how; });
    }
};

/// Connections as they are accepted, or sockets as they are upgraded.
class connection_faults : public fault_noun<connection_faults> {
public:
    using fault_noun::fault_noun;

    /// Cut once so many bytes have gone that way, not one more; with TLS the bytes of the plain text count. What
    /// the gateway has said by then is written before.
    fault cut_after(std::uint64_t bytes, direction way, testing::cut how = testing::cut::reset) const {
        return give(detail::fault_act::cut, [&](detail::fault_rule& r) {
            r.bytes = bytes;
            r.way = way;
            r.how = how;
        });
    }
};

/// What a gateway does wrong on request: `faults().NOUN[.after(n)][.times(n)].VERB(...)`.
///
///     faults().on(call::otp).times(2).refuse(503, "down");
///     faults().acks("orders").after(3).swallow();
///     faults().connections().cut_after(100, direction::to_server, cut::silence);
///
/// Faults of the same noun are met one after the other, in the order in which they were given. Every verb returns the
/// `fault`, whose `met()` tells a test that the bad day has come. Thread-safe.
class faults {
public:
    explicit faults(std::shared_ptr<detail::fault_desk> desk) noexcept : desk_(std::move(desk)) {}

    // What comes

    call_faults on(call c) const {
        detail::fault_rule rule;
        rule.target = detail::fault_target::call;
        rule.call = c;
        return {desk_, std::move(rule)};
    }
    password_faults passwords() const { return noun<password_faults>(detail::fault_target::password); }
    /// Of every topic, or of one: a stream's name, or a topic's full one.
    message_faults messages(std::string topic = {}) const {
        return noun<message_faults>(detail::fault_target::message, std::move(topic));
    }
    ack_faults acks(std::string topic = {}) const {
        return noun<ack_faults>(detail::fault_target::acknowledgement, std::move(topic));
    }
    /// From their first byte on.
    connection_faults connections() const { return noun<connection_faults>(detail::fault_target::connection); }
    /// From the end of their upgrade on.
    connection_faults sockets() const { return noun<connection_faults>(detail::fault_target::socket); }

    // States, which last until they are withdrawn

    /// The topic's backlog quota is full; an empty name: every topic's. Messages are answered with the proxy's error,
    /// new producers wait at their upgrade: 80.9 s, then they are refused with 503. Met by each message and each
    /// upgrade.
    fault fill_quota(std::string topic) const {
        detail::fault_rule rule;
        rule.target = detail::fault_target::quota;
        rule.act = detail::fault_act::hold;
        rule.topic = std::move(topic);
        rule.left = detail::for_ever;
        return fault(desk_, std::move(rule));
    }
    /// Nothing is read from any WebSocket, those that open later included, so that a client's writes stall once the
    /// buffers between are full. Met by each that has sent something.
    fault stop_reading() const {
        detail::fault_rule rule;
        rule.target = detail::fault_target::reading;
        rule.act = detail::fault_act::hold;
        rule.left = detail::for_ever;
        return fault(desk_, std::move(rule));
    }

    // At once

    /// How many one-time passwords were outstanding.
    std::size_t expire_passwords() const {
        const std::lock_guard lock(desk_->mutex);
        return desk_->expire_passwords();
    }

    // All of them

    /// How often any fault was met since the gateway's start.
    std::uint64_t met() const {
        const std::lock_guard lock(desk_->mutex);
        return desk_->script.met();
    }
    /// Withdraws all.
    void clear() const {
        {
            const std::lock_guard lock(desk_->mutex);
            desk_->script.clear();
        }
        desk_->wake();
    }

private:
    template <class Noun>
    Noun noun(detail::fault_target target, std::string topic = {}) const {
        detail::fault_rule rule;
        rule.target = target;
        rule.topic = std::move(topic);
        return Noun(desk_, std::move(rule));
    }

    std::shared_ptr<detail::fault_desk> desk_;
};

} // namespace testing
} // namespace v1
} // namespace sluice
