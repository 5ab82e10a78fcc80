// SPDX-License-Identifier: BSL-1.0
// What the proxy does behind an open consumer socket: delivers, and takes acknowledgements, refusals and requests.
#pragma once

#include <sluice/testing/gateway/consumer_parameters.hpp>
#include <sluice/testing/gateway/receiving_socket.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class consumer_socket final : public receiving_socket {
public:
    consumer_socket(broker& b, topic_name where, std::string subscription_name, const consumer_parameters& parameters,
                    time_point now)
        : receiving_socket(b, std::move(where),
                           {std::move(subscription_name), parameters.type, parameters.durable, parameters.earliest, {}},
                           parameters.pull ? flow_control::pull() : flow_control::push(parameters.receiver_queue_size),
                           parameters.name, now),
          parameters_(parameters) {
        priority = parameters.priority;
    }

    void text(std::string_view frame, time_point now, answer_sink& out) override {
        consumer_command command;
        if (!read(frame, command, out)) return;
        const std::string_view type = command.type.value_or("");
        if (type == "permit") {
            if (!command.permit_messages) return out.abort();
            if (parameters_.pull) make_room(*command.permit_messages);
        } else if (type == "unsubscribe") {
            unsubscribe(out);
        } else if (type == "isEndOfTopic") {
            tell_end_of_topic(out);
        } else { // an acknowledgement, whatever else the type says
            answer(command, type == "negativeAcknowledge", now, out);
        }
    }

    time_point next_time() const noexcept override {
        time_point next = receiving_socket::next_time();
        if (!refused_.empty()) next = std::min(next, refused_.front().due);
        if (!unanswered_.empty()) next = std::min(next, unanswered_.front().due);
        return next;
    }
    void advance(time_point now, answer_sink& out) override {
        while (!refused_.empty() && refused_.front().due <= now) {
            const delivery d = refused_.front().what;
            refused_.pop_front();
            redeliver(d, now);
        }
        forget_answered();
        while (!unanswered_.empty() && unanswered_.front().due <= now) {
            const delivery d = unanswered_.front().what;
            unanswered_.pop_front();
            redeliver(d, now);
            forget_answered();
        }
        receiving_socket::advance(now, out);
    }

private:
    struct timed {
        time_point due;
        delivery what;
    };

    static constexpr std::chrono::seconds retry{1}; ///< of a burial, at least

    void delivered(const delivery& d, time_point now) override {
        if (parameters_.ack_timeout.count() == 0) return;
        unanswered_.push_back({now + parameters_.ack_timeout, d});
        if (unanswered_.size() > 2 * unacknowledged + 1024)
            std::erase_if(unanswered_, [&](const timed& t) { return !subscription_->unanswered(t.what, *this); });
    }
    void restarted() override {
        refused_.clear();
        unanswered_.clear();
    }
    void forget_answered() {
        while (!unanswered_.empty() && !(subscription_ && subscription_->unanswered(unanswered_.front().what, *this)))
            unanswered_.pop_front();
    }

    void answer(const consumer_command& command, bool negative, time_point now, answer_sink& out) {
        if (!command.message_id)
            return out.close(1011,
                             "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null");
        std::string bytes;
        if (const std::string why = java_base64_decode(*command.message_id, bytes); !why.empty())
            return out.close(1011, why);
        position where;
        if (!message_id_parser(bytes).parse(where).empty()) return out.abort();
        if (subscription_) {
            const message_log::range messages = topic_->log().find(where);
            if (!negative) {
                subscription_->acknowledge(messages);
            } else {
                for (std::uint64_t index = messages.first; index < messages.last; ++index)
                    if (const auto d = subscription_->refuse(index, *this))
                        refused_.push_back({now + parameters_.negative_ack_delay, *d});
            }
            forget_answered();
        }
        if (parameters_.pull) {
            broker_.mark(*topic_);
        } else {
            make_room(); // whichever message that was
        }
    }

    /// With others at the subscription the broker refuses, which the proxy takes for a malformed frame.
    void unsubscribe(answer_sink& out) {
        if (!subscription_ || topic_->deleted || subscription_->consumers().size() != 1) return out.abort();
        const std::shared_ptr<subscription> own = subscription_;
        leave();
        topic_->remove_subscription(own->name());
    }

    /// Or buries it, if it has been delivered often enough.
    void redeliver(const delivery& d, time_point now) {
        if (!subscription_) return;
        const topic_message* const m = subscription_->message(d, *this);
        if (m == nullptr) return;
        const auto most = static_cast<std::uint32_t>(parameters_.max_redeliver_count);
        if (most != 0 && subscription_->redeliveries(d.index) >= most) { // 0 for ever unless consumers take turns
            if (bury(*m, now)) {
                subscription_->acknowledge({d.index, d.index + 1});
            } else {
                refused_.push_back(
                    {now + std::max<std::chrono::milliseconds>(parameters_.negative_ack_delay, retry), d});
            }
        } else {
            subscription_->redeliver(d, *this);
        }
        broker_.mark(*topic_);
    }
    /// Publishes a copy to the dead letter topic. False if there is none.
    bool bury(const topic_message& dead, time_point now) {
        const std::string& own = topic_->name();
        const std::string& sub = subscription_->name();
        const topic_name where = parameters_.dead_letter_topic.empty()
                                     ? topic_name::parse(own + "-" + sub + "-DLQ")
                                     : topic_name::parse(parameters_.dead_letter_topic);
        const auto [t, refused] = broker_.open(where);
        if (!t || t->terminated) return false;
        if (!burier_)
            burier_ =
                std::make_shared<const std::string>(own + "-" + sub + "-" + name + "-" + broker_.secret(5) + "-DLQ");
        topic_message m;
        m.payload = dead.payload;
        m.key = dead.key;
        m.event_time = dead.event_time;
        m.properties = dead.properties;
        std::string origin = std::to_string(dead.at.ledger) + ":" + std::to_string(dead.at.entry) + ":-1";
        if (dead.at.batch_index >= 0) origin += ":" + std::to_string(dead.at.batch_index);
        const auto tell = [&](std::string_view property_name, std::string_view value) {
            for (const property& p : m.properties)
                if (p.name == property_name) return; // it is dead for the second time
            m.properties.push_back({std::string(property_name), std::string(value)});
        };
        tell("REAL_TOPIC", own);
        tell("REAL_SUBSCRIPTION", sub);
        tell("ORIGIN_MESSAGE_ID", origin);
        tell("ORIGIN_MESSAGE_IDY_TIME", origin);
        m.producer_name = burier_;
        m.sequence_id = buried_++;
        m.publish_time = now;
        t->publish({&m, 1}, false);
        broker_.store(*t, std::move(m));
        return true;
    }

    consumer_parameters parameters_;
    std::deque<timed> refused_{};    ///< to be delivered again
    std::deque<timed> unanswered_{}; ///< with an ack time-out; some have been answered meanwhile
    std::shared_ptr<const std::string> burier_{};
    std::int64_t buried_ = 0;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
