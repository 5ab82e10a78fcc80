// SPDX-License-Identifier: BSL-1.0
// What a gateway has stored, as lines of JSON in a file.
#pragma once

#include <sluice/testing/gateway.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/bytes.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/utf8.hpp>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tool {

/// `{"topic":…,"messageId":…,"payload":…,"properties":{…},"publishTime":…,"producerName":…,"sequenceId":…}` and, where
/// the message has them, `key`, `eventTime`, `deliverAt`, `replicationClusters`. Times are milliseconds since 1970. A
/// payload that is not UTF-8 is `payloadBase64`.
inline std::string to_json(std::string_view topic, const sluice::testing::stored_message& m) {
    using sluice::web::append_json_string;
    const auto ms = [](auto time) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
    };
    std::string out = "{\"topic\":";
    append_json_string(out, topic);
    out += ",\"messageId\":";
    append_json_string(out, m.message_id);
    if (sluice::web::is_utf8(m.payload)) {
        out += ",\"payload\":";
        append_json_string(out, m.payload);
    } else {
        std::string text(sluice::web::base64_size(m.payload.size()), '\0');
        sluice::web::base64_encode(sluice::web::as_bytes(m.payload), text.data());
        out += ",\"payloadBase64\":\"" + text + '"';
    }
    if (m.key) {
        out += ",\"key\":";
        append_json_string(out, *m.key);
    }
    out += ",\"properties\":{";
    for (const sluice::property& p : m.properties) {
        if (out.back() != '{') out += ',';
        append_json_string(out, p.name);
        out += ':';
        append_json_string(out, p.value);
    }
    out += '}';
    if (m.event_time) out += ",\"eventTime\":" + ms(*m.event_time);
    if (m.deliver_at) out += ",\"deliverAt\":" + ms(*m.deliver_at);
    if (!m.replication_clusters.empty()) {
        out += ",\"replicationClusters\":[";
        for (const std::string& cluster : m.replication_clusters) {
            if (out.back() != '[') out += ',';
            append_json_string(out, cluster);
        }
        out += ']';
    }
    out += ",\"publishTime\":" + ms(m.publish_time) + ",\"producerName\":";
    append_json_string(out, m.producer_name);
    return out + ",\"sequenceId\":" + std::to_string(m.sequence_id) + "}";
}

/// Appends every message that the gateway stores from now on, in the order in which topics take them.
class recorder {
public:
    /// Throws `std::runtime_error` if the file cannot be written.
    recorder(sluice::testing::gateway& gateway, const std::string& path)
        : gateway_(gateway), out_(path, std::ios::app), path_(path) {
        check();
        gateway_.on_stored([this](std::string_view topic, const sluice::testing::stored_message& m) {
            out_ << to_json(topic, m) << '\n';
            written_ = true;
        });
    }
    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;
    ~recorder() { gateway_.on_stored(nullptr); }

    /// Nothing stays in a buffer. Throws `std::runtime_error` if something could not be written. On the thread that
    /// the gateway runs on.
    void flush() {
        if (std::exchange(written_, false)) out_.flush();
        check();
    }

private:
    void check() const {
        if (!out_) throw std::runtime_error(path_ + " cannot be written");
    }

    sluice::testing::gateway& gateway_;
    std::ofstream out_;
    std::string path_;
    bool written_ = false;
};

} // namespace tool
