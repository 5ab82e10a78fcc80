// SPDX-License-Identifier: BSL-1.0
// What consumer and reader sockets have in common: a place at a subscription, and messages that go out as frames.
#pragma once

#include <sluice/testing/gateway/broker.hpp>
#include <sluice/testing/gateway/consumer_command.hpp>
#include <sluice/testing/gateway/dates.hpp>
#include <sluice/testing/gateway/proxied_socket.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Appends a message as consumers and readers get it.
inline void append_delivery(std::string& out, const topic_message& m, std::uint32_t redeliveries) {
    out += "{\"messageId\":\"";
    append_message_id(out, m.at, m.at.batch_size);
    out += "\",\"payload\":\"";
    const std::size_t at = out.size();
    out.resize(at + web::base64_size(m.payload.size()));
    web::base64_encode(web::as_bytes(m.payload), out.data() + at);
    out += "\",\"properties\":{";
    for (const property& p : m.properties) {
        if (&p != &m.properties.front()) out += ',';
        web::append_json_string(out, p.name);
        out += ':';
        web::append_json_string(out, p.value);
    }
    out.append("},\"publishTime\":\"").append(iso_date(milliseconds_of(m.publish_time)));
    out.append("\",\"redeliveryCount\":").append(std::to_string(redeliveries));
    if (m.event_time.value_or(0) != 0) out.append(",\"eventTime\":\"").append(iso_date(*m.event_time)).append("\"");
    if (m.key) {
        out += ",\"key\":";
        web::append_json_string(out, *m.key);
    }
    if (m.encryption) {
        const encryption_of_message& e = *m.encryption;
        out.append(",\"encryptionContext\":{\"keys\":").append(*e.keys);
        out.append(",\"param\":\"").append(e.param).append("\"");
        if (!e.compression_type.empty())
            out.append(",\"compressionType\":\"")
                .append(e.compression_type)
                .append("\",\"uncompressedMessageSize\":")
                .append(std::to_string(e.uncompressed_size));
        out += '}';
    }
    out += '}';
}

/// The topic hands out messages while it is dispatched, to whoever has room; they lie in the inbox until `advance`.
/// When topic or subscription are deleted under it, it subscribes again, as the proxy's client does.
class receiving_socket : public proxied_socket, protected consumer {
public:
    receiving_socket(const receiving_socket&) = delete;
    receiving_socket& operator=(const receiving_socket&) = delete;
    ~receiving_socket() override { leave(); }

    /// Why not, in the broker's words.
    refusal subscribe(std::shared_ptr<topic> t) {
        topic_ = std::move(t);
        refusal why = topic_->attach(request_, *this, subscription_);
        broker_.mark(*topic_);
        return why;
    }

    time_point next_time() const noexcept override {
        if (!inbox.empty()) return time_point{};
        return subscription_ ? subscription_->next_time() : time_point::max();
    }
    void advance(time_point now, answer_sink& out) override {
        if (subscription_ && (topic_->deleted || subscription_->removed)) subscribe_again();
        if (!subscription_) return;
        if (subscription_->next_time() <= now) broker_.mark(*topic_);
        std::size_t told = 0;
        while (!inbox.empty() && told < most_at_once) {
            const delivery d = inbox.front();
            inbox.pop_front();
            const topic_message* const m = subscription_->message(d, *this);
            if (m == nullptr) { // it was dropped or taken back meanwhile
                make_room();
                continue;
            }
            frame_.clear();
            append_delivery(frame_, *m, subscription_->redeliveries(d.index));
            told += frame_.size();
            ++messages_out;
            bytes_out += m->payload.size();
            ++broker_.stats.delivered;
            out.text(frame_);
            delivered(d, now);
        }
    }
    void end(time_point) override { leave(); }

protected:
    receiving_socket(broker& b, topic_name where, subscribe_request request, flow_control f, std::string consumer_name,
                     time_point now)
        : broker_(b), where_(std::move(where)), request_(std::move(request)) {
        name = consumer_name.empty() ? b.secret(5) : std::move(consumer_name);
        flow = f;
        since = now;
    }

    /// A message has been told to the client.
    virtual void delivered(const delivery& d, time_point now) = 0;
    /// Another subscription has taken the old one's place.
    virtual void restarted() {}

    void make_room(std::int32_t messages = 1) {
        flow.release(messages);
        broker_.mark(*topic_);
    }
    void leave() {
        if (!subscription_) return;
        topic_->detach(subscription_, *this);
        broker_.mark(*topic_);
        subscription_.reset();
    }
    void tell_end_of_topic(answer_sink& out) {
        const bool ended = subscription_ && topic_->terminated && subscription_->backlog() == 0;
        out.text(ended ? "{\"endOfTopic\":true}" : "{\"endOfTopic\":false}");
    }
    /// Reads a frame. What does not bind ends the connection; `null` is the proxy's own mistake.
    bool read(std::string_view frame, consumer_command& command, answer_sink& out) {
        if (!reader_.read(frame, command)) {
            out.abort();
        } else if (command.null) {
            out.close(1011, "Cannot read field \"type\" because \"command\" is null");
        } else {
            return true;
        }
        return false;
    }

    broker& broker_;
    topic_name where_;
    subscribe_request request_;
    std::shared_ptr<topic> topic_{};
    std::shared_ptr<subscription> subscription_{}; ///< null: attached to none

private:
    static constexpr std::size_t most_at_once = 1u << 20; ///< bytes; then others have their turn

    void wake() override { wake_connection(); }

    void subscribe_again() {
        leave();
        restarted();
        if (auto [t, refused] = broker_.open(where_); t) subscribe(std::move(t));
    }

    consumer_command_reader reader_{};
    std::string frame_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
