// SPDX-License-Identifier: BSL-1.0
// A producer's socket on a bad day: messages that are refused, acknowledgements that are lost, late, doubled or in
// another order.
#pragma once

#include <sluice/pulsar/encryption_support.hpp>
#include <sluice/testing/gateway/fault_script.hpp>
#include <sluice/testing/gateway/producer_socket.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Stands between the connection and the producer's socket. Once a cut is due it takes nothing and says nothing more;
/// what it has said before still goes out.
///
///     message --- refused, closed, cut, quota ---> (never gets to the socket)
///        '------> socket ---> acknowledgement --- swallowed, cut ---> (stored, and nobody is told)
///                                   '--- in order, behind those that are late ---> out
class faulty_producer_socket final : public proxied_socket, private answer_sink {
public:
    /// `cut_due`: the connection's, and set where a fault wants it cut.
    faulty_producer_socket(std::unique_ptr<producer_socket> inner, std::string topic, fault_script& script,
                           proxy_stats& stats, std::optional<testing::cut>& cut_due)
        : inner_(std::move(inner)), topic_(std::move(topic)), script_(script), stats_(stats), cut_(cut_due) {}

    void wake_by(wake_target& target) override { inner_->wake_by(target); }

    void text(std::string_view message, time_point now, answer_sink& out) override {
        if (cut_) return;
        now_ = now;
        out_ = &out;
        // A client that encrypts asks so before its first message: no fault is meant for that.
        if (message == pulsar::encryption_probe) return inner_->text(message, now, out);
        if (!strikes(message)) inner_->text(message, now, *this);
    }

    time_point next_time() const noexcept override {
        const time_point inner = inner_->next_time();
        return late_.empty() ? inner : std::min(inner, late_.front().due);
    }

    void advance(time_point now, answer_sink& out) override {
        now_ = now;
        out_ = &out;
        for (; !late_.empty() && late_.front().due <= now; late_.pop_front())
            if (!cut_) out.text(late_.front().answer);
        inner_->advance(now, *this);
    }

    void end(time_point now) override { inner_->end(now); }

private:
    struct late_answer {
        time_point due;
        std::string answer;
    };

    /// False: the message is let through.
    bool strikes(std::string_view message) {
        if (script_.empty()) return false;
        if (const auto rule = script_.strike({fault_target::message, call::any, topic_})) {
            if (rule->act == fault_act::refuse) refuse(message, rule->text);
            if (rule->act == fault_act::close) out_->close(static_cast<std::uint16_t>(rule->code), rule->text);
            if (rule->act == fault_act::cut) cut_ = rule->how;
            return true;
        }
        fault_rule* const quota = script_.state({fault_target::quota, call::any, topic_});
        if (quota == nullptr) return false;
        script_.meet(*quota);
        refuse(message, "org.apache.pulsar.client.api.PulsarClientException$ProducerBlockedQuotaExceededException: The "
                        "backlog quota of the topic " +
                            topic_ + " that the producer " + inner_->name() + " produces to is exceeded");
        return true;
    }

    /// With its context, where it can be read.
    void refuse(std::string_view message, std::string_view text) {
        ++stats_.errors;
        std::string answer = "{\"result\":\"send-error:8\",\"errorMsg\":";
        web::append_json_string(answer, text);
        if (reader_.read(message, message_) && message_.context) {
            answer += ",\"context\":";
            web::append_json_string(answer, *message_.context);
        }
        deliver(answer + ",\"errorCode\":0,\"schemaVersion\":0}", now_);
    }

    // What the socket answers

    void text(std::string_view answer) override {
        if (cut_) return;
        if (swapped_) { // the second of the two
            deliver(answer, now_);
            return deliver(*std::exchange(swapped_, std::nullopt), now_);
        }
        const auto rule = script_.strike({fault_target::acknowledgement, call::any, topic_});
        if (!rule) return deliver(answer, now_);
        switch (rule->act) {
        case fault_act::delay: return deliver(answer, now_ + rule->delay);
        case fault_act::twice: deliver(answer, now_); return deliver(answer, now_);
        case fault_act::swap: swapped_ = answer; return;
        case fault_act::cut: cut_ = rule->how; return;
        default: return; // swallowed
        }
    }
    void close(std::uint16_t code, std::string_view reason) override { out_->close(code, reason); }
    void abort() override { out_->abort(); }

    void deliver(std::string_view answer, time_point due) {
        if (late_.empty() && due <= now_) return out_->text(answer);
        if (!late_.empty()) due = std::max(due, late_.back().due);
        late_.push_back({due, std::string(answer)});
    }

    std::unique_ptr<producer_socket> inner_;
    std::string topic_;
    fault_script& script_;
    proxy_stats& stats_;
    std::optional<testing::cut>& cut_;
    time_point now_{};
    answer_sink* out_ = nullptr; ///< of the call under way

    std::optional<std::string> swapped_{}; ///< waits for the one behind it
    std::deque<late_answer> late_{};

    producer_message_reader reader_{};
    producer_message message_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
