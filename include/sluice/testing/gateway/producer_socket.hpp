// SPDX-License-Identifier: BSL-1.0
// What the proxy does behind an open producer socket: reads messages, numbers them, hands them to the broker, answers.
#pragma once

#include <sluice/testing/gateway/java_text.hpp>
#include <sluice/testing/gateway/producer_message.hpp>
#include <sluice/testing/gateway/producer_parameters.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Where a socket's answers go.
class answer_sink {
public:
    virtual void text(std::string_view message) = 0;
    virtual void close(std::uint16_t code, std::string_view reason) = 0;

protected:
    ~answer_sink() = default;
};

/// One kind of socket behind the upgrade. Consumers and readers will be others.
class proxied_socket {
public:
    virtual ~proxied_socket() = default;

    virtual void text(std::string_view message, time_point now, answer_sink& out) = 0;
    /// When `advance` has something to do; `time_point::max()`: never.
    virtual time_point next_time() const noexcept = 0;
    virtual void advance(time_point now, answer_sink& out) = 0;
    /// The connection is over, or the closing handshake has begun: nothing is answered any more.
    virtual void end(time_point now) = 0;
};

class producer_socket final : public proxied_socket {
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
        if (!reader_.read(frame, message_))
            return error(out, 3, reader_.error(), std::nullopt); // the context is not known
        if (message_.null)
            return error(out, 7, "Cannot read field \"context\" because \"sendRequest\" is null", std::nullopt);
        if (!message_.payload)
            return error(out, 7, "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null",
                         message_.context);
        topic_message m;
        if (const std::string why = java_base64_decode(*message_.payload, m.payload); !why.empty())
            return error(out, 7, "Invalid Base64 message-payload error=" + why, message_.context);
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
            m.deliver_at = java_sum(milliseconds(now), message_.deliver_after_ms);
        } else if (message_.deliver_at > 0) {
            m.deliver_at = message_.deliver_at;
        }
        m.publish_time = now;
        m.producer_name = name_;
        send(std::move(m), now, out);
    }

    time_point next_time() const noexcept override { return batch_.empty() ? time_point::max() : batch_due_; }

    void advance(time_point now, answer_sink& out) override {
        if (!batch_.empty() && now >= batch_due_) flush(now, &out);
    }

    void end(time_point now) override {
        if (std::exchange(ended_, true)) return;
        if (!batch_.empty()) flush(now, nullptr); // stored all the same
        topic_->release_name(*name_, now + broker_.options.producer_name_release);
    }

private:
    static constexpr std::string_view exceptions = "org.apache.pulsar.client.api.PulsarClientException$";

    void send(topic_message&& m, time_point now, answer_sink& out) {
        if (parameters_.batching) {
            if (parameters_.max_pending_messages != 0 && batch_.size() >= parameters_.max_pending_messages)
                return exception(out, "ProducerQueueIsFullError: Producer send queue is full", message_.context);
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
        m.sequence_id = next_number_++;
        if (const std::string why = unusable(now); !why.empty()) return exception(out, why, message_.context);
        const bool stored = topic_->publish({&m, 1}, false);
        acknowledge(out, m.at, message_.context);
        finish(std::move(m), stored);
    }

    void enqueue(topic_message&& m, time_point now, answer_sink& out) {
        m.sequence_id = next_number_++;
        batch_.push_back(std::move(m));
        contexts_.emplace_back(message_.context);
        if (batch_.size() == 1) batch_due_ = now + parameters_.batching_max_publish_delay;
        if (batch_.size() >= parameters_.batching_max_messages) flush(now, &out);
    }

    /// Hands the batch to the broker; answers if anybody listens.
    void flush(time_point now, answer_sink* out) {
        const std::string why = unusable(now);
        const bool stored = why.empty() && topic_->publish(batch_, true);
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            const std::optional<std::string_view> context(contexts_[i]);
            if (out != nullptr) {
                if (why.empty()) {
                    acknowledge(*out, batch_[i].at, context);
                } else {
                    exception(*out, why, context);
                }
            }
            if (why.empty()) finish(std::move(batch_[i]), stored);
        }
        batch_.clear();
        contexts_.clear();
    }

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
        if (!topic_->deleted) return {};
        if (auto [again, refused] = broker_.open(where_); again && again->take_name(*name_, now)) {
            topic_ = std::move(again);
            return unusable(now);
        }
        if (std::exchange(told_, true)) return "AlreadyClosedException: Producer already closed";
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
        std::size_t n = text(name_->size()) + 1 + varint(next_number_) + 1 + varint(milliseconds(m.publish_time));
        for (const property& p : m.properties) n += text(text(p.name.size()) + text(p.value.size()));
        for (const std::string& c : m.replication_clusters) n += text(c.size());
        if (m.key) n += text(m.key->size()) + 2; // and that it is not base64
        if (m.event_time) n += 1 + varint(*m.event_time);
        if (m.deliver_at) n += 2 + varint(*m.deliver_at);
        return n + 1 + varint(static_cast<std::int64_t>(m.payload.size())); // uncompressed_size
    }

    static std::int64_t milliseconds(time_point t) noexcept {
        return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
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
    time_point batch_due_{};

    producer_message_reader reader_{};
    producer_message message_{};
    std::string answer_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
