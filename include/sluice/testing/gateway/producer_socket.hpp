// SPDX-License-Identifier: BSL-1.0
// What the proxy does behind an open producer socket: reads messages, numbers them, hands them to the broker, answers.
#pragma once

#include <sluice/testing/gateway/java_text.hpp>
#include <sluice/testing/gateway/producer_message.hpp>
#include <sluice/testing/gateway/producer_parameters.hpp>
#include <sluice/testing/gateway/proxied_socket.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class producer_socket final : public proxied_socket, private wake_target {
public:
    /// The name is taken already.
    producer_socket(broker& b, topic_name where, std::shared_ptr<topic> t, const producer_parameters& parameters,
                    std::string name)
        : broker_(b),
          where_(std::move(where)),
          topic_(std::move(t)),
          parameters_(parameters),
          name_(std::make_shared<const std::string>(std::move(name))),
          next_number_(java_sum(parameters.initial_sequence_id.value_or(topic_->last_sequence(*name_)), 1)) {}

    const std::string& name() const noexcept { return *name_; }

    void text(std::string_view frame, time_point now, answer_sink& out) override {
        if (!reader_.read(frame, message_, broker_.options.client_encryption == client_encryption::taken))
            return error(out, 3, reader_.error(), std::nullopt); // the context is not known
        if (message_.null)
            return error(out, 7, "Cannot read field \"context\" because \"sendRequest\" is null", std::nullopt);
        if (!message_.payload)
            return error(out, 7, "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null",
                         message_.context);
        topic_message m;
        if (const std::string why = java_base64_decode(*message_.payload, m.payload); !why.empty())
            return error(out, 7, "Invalid Base64 message-payload error=" + why, message_.context);
        if (const std::string why = read_encryption(m); !why.empty()) return error(out, 7, why, message_.context);
        m.properties.reserve(message_.properties.size());
        for (const auto& [property_name, value] : message_.properties) {
            if (!value) return out.close(1011, "Need Non-Null value for key: " + std::string(property_name));
            m.properties.push_back({std::string(property_name), std::string(*value)});
        }
        if (message_.null_cluster)
            return out.close(1011, "Cannot invoke \"java.lang.CharSequence.length()\" because \"seq\" is null");
        if (message_.event_time) {
            std::string why;
            m.event_time = java_date_parser(*message_.event_time).parse(why);
            if (!m.event_time) return error(out, 7, why, message_.context);
        }
        if (message_.key) m.key.emplace(*message_.key);
        m.replication_clusters.assign(message_.replication_clusters.begin(), message_.replication_clusters.end());
        if (message_.deliver_after_ms > 0) {
            m.deliver_at = java_sum(milliseconds_of(now), message_.deliver_after_ms);
        } else if (message_.deliver_at > 0) {
            m.deliver_at = message_.deliver_at;
        }
        m.publish_time = now;
        m.producer_name = name_;
        send(std::move(m), now, out);
    }

    time_point next_time() const noexcept override {
        return std::min(batch_.empty() ? time_point::max() : batch_due_, held_timeout());
    }

    void advance(time_point now, answer_sink& out) override {
        if (!batch_.empty() && now >= batch_due_) flush(now, &out);
        if (now >= held_timeout()) {
            fail_held(now, out);
        } else if (!held_.empty()) {
            release_held(now, out);
        }
    }

    void end(time_point now) override {
        if (std::exchange(ended_, true)) return;
        if (!batch_.empty()) flush(now, nullptr); // stored all the same
        topic_->wait_no_more(*this);              // what is held is lost
        topic_->release_name(*name_, now + broker_.options.producer_name_release);
    }

private:
    static constexpr std::size_t most_batched = 128u << 10; ///< bytes of payloads in a batch, Pulsar's default
    static constexpr std::string_view queue_is_full = "ProducerQueueIsFullError: Producer send queue is full";
    static constexpr std::string_view exceptions = "org.apache.pulsar.client.api.PulsarClientException$";

    /// Without keys in the query these members are not looked at.
    std::string read_encryption(topic_message& m) const {
        if (!parameters_.encryption_keys) return {};
        encryption_of_message e{parameters_.encryption_keys};
        if (const auto& type = message_.compression_type)
            for (const char* known : {"NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY"})
                if (*type == known) e.compression_type = known;
        if (e.compression_type.empty() == message_.uncompressed_size.has_value())
            return "the params compressionType and uncompressedMessageSize should both empty or both non-empty";
        e.uncompressed_size = message_.uncompressed_size.value_or(0);
        if (message_.encryption_param) {
            std::string iv;
            e.param = *message_.encryption_param;
            if (const std::string why = java_base64_decode(e.param, iv); !why.empty())
                return "Invalid Base64 encryptionParam error=" + why;
        }
        m.encryption = std::make_shared<const encryption_of_message>(std::move(e));
        return {};
    }

    void send(topic_message&& m, time_point now, answer_sink& out) {
        if (parameters_.batching) {
            const std::size_t pending = batch_.size() + held_messages_;
            if (parameters_.max_pending_messages != 0 && pending >= parameters_.max_pending_messages)
                return exception(out, std::string(queue_is_full), message_.context);
            if (overfull(m)) return exception(out, std::string(queue_is_full), message_.context);
            const std::size_t limit = broker_.options.max_message_size;
            if (m.payload.size() > limit) {
                ++next_number_; // taken all the same, unlike without batching
                return exception(
                    out, "InvalidMessageException: Message size is bigger than " + std::to_string(limit) + " bytes",
                    message_.context);
            }
            return enqueue(std::move(m), now, out);
        }
        if (const std::string why = too_large(m); !why.empty())
            return exception(out, "InvalidMessageException: " + why, message_.context);
        const bool waits = must_wait();
        if (waits && overfull(m)) return exception(out, std::string(queue_is_full), message_.context);
        m.sequence_id = next_number_++;
        if (waits) {
            held& h = hold(now, false);
            h.bytes = size_of(m);
            held_bytes_ += h.bytes;
            h.messages.push_back(std::move(m));
            h.contexts.emplace_back(message_.context);
            ++held_messages_;
            return;
        }
        if (const std::string why = unusable(now); !why.empty()) return exception(out, why, message_.context);
        const bool stored = topic_->publish({&m, 1}, false);
        acknowledge(out, m.at, message_.context);
        finish(std::move(m), stored);
    }

    void enqueue(topic_message&& m, time_point now, answer_sink& out) {
        if (!batch_.empty() && batch_payloads_ + m.payload.size() > most_batched) flush(now, &out);
        m.sequence_id = next_number_++;
        batch_bytes_ += size_of(m);
        batch_payloads_ += m.payload.size();
        batch_.push_back(std::move(m));
        contexts_.emplace_back(message_.context);
        if (batch_.size() == 1) batch_due_ = now + parameters_.batching_max_publish_delay;
        if (batch_.size() >= parameters_.batching_max_messages || batch_payloads_ >= most_batched) flush(now, &out);
    }

    void flush(time_point now, answer_sink* out) {
        if (must_wait()) {
            held& h = hold(now, true);
            h.messages = std::move(batch_);
            h.contexts = std::move(contexts_);
            h.bytes = batch_bytes_;
            held_messages_ += h.messages.size();
            held_bytes_ += h.bytes;
        } else {
            hand_over(batch_, contexts_, true, now, out);
        }
        batch_.clear();
        contexts_.clear();
        batch_bytes_ = batch_payloads_ = 0;
    }
    /// What waits here, for a batch or for room, is bounded: the message is answered with a full queue.
    bool overfull(const topic_message& m) const noexcept {
        return batch_bytes_ + held_bytes_ + size_of(m) > broker_.options.max_pending_bytes_per_producer;
    }
    std::size_t size_of(const topic_message& m) const noexcept {
        return m.bytes() + (message_.context ? message_.context->size() : 0);
    }
    /// Gives what belongs together to the broker; answers if anybody listens.
    void hand_over(std::vector<topic_message>& messages, const std::vector<std::optional<std::string>>& contexts,
                   bool batched, time_point now, answer_sink* out) {
        const std::string why = unusable(now);
        const bool stored =
            why.empty() && topic_->publish(messages, batched && messages.size() > 1); // a lone one is none
        for (std::size_t i = 0; i < messages.size(); ++i) {
            const std::optional<std::string_view> context(contexts[i]);
            if (out != nullptr) {
                if (why.empty()) {
                    acknowledge(*out, messages[i].at, context);
                } else {
                    exception(*out, why, context);
                }
            }
            if (why.empty()) finish(std::move(messages[i]), stored);
        }
    }

    // The backlog quota's policy `producer_request_hold`: messages wait here, and nothing overtakes them

    struct held {
        std::vector<topic_message> messages{};
        std::vector<std::optional<std::string>> contexts{};
        std::size_t bytes = 0;
        time_point since{};
        bool batched = false;
    };

    bool must_wait() const { return !held_.empty() || (holds() && topic_->over_quota()); }
    bool holds() const noexcept {
        return topic_->quota.policy == backlog_policy::producer_request_hold && !topic_->deleted && !topic_->terminated;
    }
    held& hold(time_point now, bool batched) {
        topic_->wait_for_room(*this);
        held& h = held_.emplace_back();
        h.since = now;
        h.batched = batched;
        return h;
    }
    void release_held(time_point now, answer_sink& out) {
        topic_->wait_no_more(*this);
        while (!held_.empty() && !(holds() && topic_->over_quota())) {
            held h = std::move(held_.front());
            held_.pop_front();
            held_messages_ -= h.messages.size();
            held_bytes_ -= h.bytes;
            hand_over(h.messages, h.contexts, h.batched, now, &out);
        }
        if (!held_.empty()) topic_->wait_for_room(*this);
    }
    time_point held_timeout() const noexcept {
        if (held_.empty() || parameters_.send_timeout.count() == 0) return time_point::max();
        return held_.front().since + parameters_.send_timeout;
    }
    /// A send time-out is total: the oldest takes all the others with it.
    void fail_held(time_point now, answer_sink& out) {
        topic_->wait_no_more(*this);
        for (const held& h : std::exchange(held_, {}))
            for (const auto& context : h.contexts)
                exception(out,
                          "TimeoutException: The producer " + *name_ + " can not send message to the topic " +
                              topic_->name() + " within given timeout : createdAt " + java_seconds(now - h.since) +
                              " seconds ago, firstSentAt 0.0 seconds ago, lastSentAt 0.0 seconds ago, retryCount 0",
                          std::optional<std::string_view>(context));
        held_messages_ = held_bytes_ = 0;
    }
    void wake() override { wake_connection(); }

    void finish(topic_message&& m, bool stored) {
        if (stored) {
            broker_.store(*topic_, std::move(m));
        } else {
            ++broker_.stats.duplicates;
        }
    }

    /// Why the broker takes nothing from this producer; empty if it does. A deleted topic is made again where it may
    /// be.
    std::string unusable(time_point now) {
        if (topic_->terminated) {
            if (std::exchange(told_, true)) return "TopicTerminatedException: Topic was terminated";
            return "TopicTerminatedException: " +
                   broker_.connection_error("org.apache.pulsar.broker.service.BrokerServiceException$"
                                            "TopicTerminatedException: Topic was already terminated");
        }
        if (!topic_->deleted) {
            if (topic_->quota.policy != backlog_policy::producer_exception || !topic_->over_quota()) return {};
            return "ProducerBlockedQuotaExceededException: The backlog quota of the topic " + topic_->name() +
                   " that the producer " + *name_ + " produces to is exceeded";
        }
        if (told_) return "AlreadyClosedException: Producer already closed"; // for good
        if (auto [again, refused] = broker_.open(where_); again && again->take_name(*name_, now)) {
            topic_ = std::move(again);
            return unusable(now);
        }
        told_ = true;
        return "AlreadyClosedException: The producer " + *name_ + " of the topic " + topic_->name() +
               " was already closed when closing the producers";
    }

    /// Judges size without batching: the payload alone before it gets a number, with its metadata after.
    std::string too_large(const topic_message& m) {
        const std::size_t limit = broker_.options.max_message_size;
        const auto told = [&](std::string_view what, std::size_t size) {
            return "The producer " + *name_ + " of the topic " + topic_->name() + " sends " + std::string(what) +
                   " message with " + std::to_string(size) + " bytes that exceeds " + std::to_string(limit) + " bytes";
        };
        if (m.payload.size() > limit) return told("a ", m.payload.size());
        if (m.payload.size() + 1024 <= limit && m.properties.empty() && (!m.key || m.key->size() < 512)) return {};
        const std::size_t size = m.payload.size() + metadata_size(m);
        if (size <= limit) return {};
        ++next_number_;
        return told("a", size);
    }

    /// Bytes of MessageMetadata as protobuf encodes it.
    std::size_t metadata_size(const topic_message& m) const noexcept {
        const auto varint = [](std::int64_t value) {
            std::size_t n = 1;
            for (auto rest = static_cast<std::uint64_t>(value); rest >= 0x80; rest >>= 7) ++n;
            return n;
        };
        const auto text = [&](std::size_t size) { return 1 + varint(static_cast<std::int64_t>(size)) + size; };
        std::size_t n = text(name_->size()) + 1 + varint(next_number_) + 1 + varint(milliseconds_of(m.publish_time));
        for (const property& p : m.properties) n += text(text(p.name.size()) + text(p.value.size()));
        for (const std::string& c : m.replication_clusters) n += text(c.size());
        if (m.key) n += text(m.key->size()) + 3; // and that it is not base64
        if (m.event_time) n += 1 + varint(*m.event_time);
        if (m.deliver_at) n += 2 + varint(*m.deliver_at);
        return n + 1 + varint(static_cast<std::int64_t>(m.payload.size())); // uncompressed_size
    }

    // Answers. `errorCode` is 0 on errors too.

    void acknowledge(answer_sink& out, const position& at, const std::optional<std::string_view>& context) {
        answer_.assign("{\"result\":\"ok\",\"messageId\":\"");
        append_message_id(answer_, at);
        answer_ += '"';
        say(out, context);
    }
    void exception(answer_sink& out, const std::string& text, const std::optional<std::string_view>& context) {
        error(out, 8, std::string(exceptions) + text, context);
    }
    void error(answer_sink& out, int code, std::string_view text, const std::optional<std::string_view>& context) {
        ++broker_.stats.errors;
        answer_.assign("{\"result\":\"send-error:");
        answer_ += static_cast<char>('0' + code);
        answer_ += "\",\"errorMsg\":";
        web::append_json_string(answer_, text);
        say(out, context);
    }
    void say(answer_sink& out, const std::optional<std::string_view>& context) {
        if (context) {
            answer_ += ",\"context\":";
            web::append_json_string(answer_, *context);
        }
        answer_ += ",\"errorCode\":0,\"schemaVersion\":0}";
        out.text(answer_);
    }

    broker& broker_;
    topic_name where_;
    std::shared_ptr<topic> topic_;
    producer_parameters parameters_;
    std::shared_ptr<const std::string> name_;
    std::int64_t next_number_;
    bool told_ = false; ///< the long form of what is wrong with the topic
    bool ended_ = false;

    std::vector<topic_message> batch_{};
    std::vector<std::optional<std::string>> contexts_{}; ///< of the batch
    std::size_t batch_bytes_ = 0, batch_payloads_ = 0;
    time_point batch_due_{};
    std::deque<held> held_{};
    std::size_t held_messages_ = 0, held_bytes_ = 0;

    producer_message_reader reader_{};
    producer_message message_{};
    std::string answer_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
