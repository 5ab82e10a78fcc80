// SPDX-License-Identifier: BSL-1.0
// The two kinds of server: a real Pulsar, read through a reader socket, and the gateway in this process.
#pragma once

#include "target.hpp"

#include <sluice/testing/gateway.hpp>

#include <simdjson.h>

#include <memory>
#include <thread>

namespace conformance {

class pulsar_target final : public target {
public:
    using target::target;

    /// Through a reader socket, up to a message that is sent for the purpose.
    std::vector<seen_message> read_back(const std::string& topic) override {
        const std::string mark = unique_name();
        {
            raw_producer producer(*this, topic);
            const std::string answer =
                producer.ask(R"({"payload":"","properties":{"conformance-end":")" + mark + R"("}})");
            check(answer.find(R"("result":"ok")") != std::string::npos, "marking the end: " + answer);
        }
        raw_socket reader(address, "/ws/v2/reader/" + path_of(topic) + "?messageId=earliest", authorization());
        check(reader.is_open(), "the reader was refused: " + std::to_string(reader.answer().status));
        std::vector<seen_message> messages;
        simdjson::dom::parser parser;
        for (;;) {
            const std::string text = reader.read_text();
            simdjson::dom::element m;
            check(parser.parse(text).get(m) == simdjson::SUCCESS, "the reader says " + shown(text));
            const std::string_view id = m["messageId"];
            std::string_view end;
            const bool is_mark = m["properties"]["conformance-end"].get(end) == simdjson::SUCCESS;
            if (is_mark && end == mark) return messages;
            if (!is_mark) messages.push_back(seen(m, id));
            // The reader is sent so many messages ahead, and one more for each that is acknowledged.
            reader.text_later(R"({"messageId":")" + std::string(id) + R"("})");
        }
    }

private:
    static seen_message seen(const simdjson::dom::element& m, std::string_view id) {
        seen_message s;
        const std::string_view payload = m["payload"];
        s.payload.resize(web::base64_decoded_bound(payload.size()));
        const auto n = web::base64_decode(payload, reinterpret_cast<std::byte*>(s.payload.data()));
        check(n.has_value(), "the reader's payload is not base64");
        s.payload.resize(*n);
        std::string_view text;
        if (m["key"].get(text) == simdjson::SUCCESS) s.key = text;
        if (m["eventTime"].get(text) == simdjson::SUCCESS) s.event_time = parse_date(text);
        for (const auto& [name, value] : simdjson::dom::object(m["properties"]))
            s.properties[std::string(name)] = std::string(std::string_view(value));
        const auto at = sluice::message_id(id).decode();
        check(at.has_value(), "the reader's messageId is none: " + shown(id));
        s.at = *at;
        return s;
    }
};

/// The second server: limits that a test can reach, a broker that makes no topics, and no tokens. tests/broker/run
/// starts a Pulsar with the same.
inline sluice::testing::gateway_options narrow_gateway() {
    sluice::testing::gateway_options options;
    options.proxy.max_message_size = 100'000;
    options.proxy.max_producers_per_topic = 2;
    options.proxy.idle_timeout = std::chrono::seconds(4);
    options.proxy.allow_auto_topic_creation = false;
    return options;
}

/// The gateway as a plain Pulsar, in a thread of its own.
class gateway_target final : public target {
public:
    explicit gateway_target(sluice::testing::gateway_options options)
        : target(server_kind::gateway), gateway_(context_, std::move(options)), thread_([this] { context_.run(); }) {
        address = {asio::ip::address_v4::loopback(), gateway_.port()};
        url = gateway_.websocket_url();
        ca_pem = gateway_.ca_pem();
        token = gateway_.token();
    }
    ~gateway_target() override {
        gateway_.stop();
        context_.stop();
        thread_.join();
    }

    std::vector<seen_message> read_back(const std::string& topic) override {
        std::vector<seen_message> messages;
        for (const sluice::testing::stored_message& m : gateway_.messages(topic)) {
            seen_message s;
            s.payload = m.payload;
            s.key = m.key;
            for (const sluice::property& p : m.properties) s.properties[p.name] = p.value;
            if (m.event_time) s.event_time = m.event_time->time_since_epoch().count();
            const auto at = sluice::message_id(m.message_id).decode();
            check(at.has_value(), "the gateway's message id is none: " + shown(m.message_id));
            s.at = *at;
            messages.push_back(std::move(s));
        }
        return messages;
    }

private:
    asio::io_context context_{1};
    sluice::testing::gateway gateway_;
    std::thread thread_;
};

} // namespace conformance
