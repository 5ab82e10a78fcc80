// SPDX-License-Identifier: BSL-1.0
// The harness with packs: what went over the socket, unpacked as a consumer does it.
#pragma once

#include "core/harness.hpp"

#include <sluice/codec/any.hpp>
#include <sluice/unpack.hpp>

#include <optional>
#include <string>
#include <vector>

namespace test {

using sluice::pack_layout;

/// A Pulsar message as a consumer gets it.
struct delivered {
    std::uint64_t context = 0;
    std::optional<std::string> key{};
    std::optional<pack_layout> layout{}; ///< none: a message by itself
    sluice::compression_type codec = sluice::compression_type::none;
    std::vector<std::string> messages{};
};

inline delivered deliver(const seen_frame& frame) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    REQUIRE(parser.parse(frame.json.data(), frame.json.size()).get(root) == simdjson::SUCCESS);
    delivered d;
    d.context = frame.context;
    std::string_view key;
    if (root["key"].get(key) == simdjson::SUCCESS) d.key = key;
    std::vector<sluice::property> properties;
    simdjson::dom::object object;
    if (root["properties"].get(object) == simdjson::SUCCESS)
        for (const auto& field : object)
            properties.push_back({std::string(field.key), std::string(std::string_view(field.value))});
    sluice::unpack_memory memory;
    const sluice::unpacked messages = sluice::unpack(frame.payload, properties, memory);
    REQUIRE_FALSE(messages.error());
    d.layout = messages.layout();
    d.codec = messages.codec();
    for (const sluice::unpacked_message& m : messages) {
        if (m.key) CHECK(m.key == d.key);
        d.messages.emplace_back(m.payload);
    }
    return d;
}

inline std::vector<delivered> deliver_all(const std::vector<seen_frame>& frames) {
    std::vector<delivered> all;
    for (const seen_frame& f : frames) all.push_back(deliver(f));
    return all;
}

/// One write as `[a b] [c]`; what goes by itself stands without brackets, a key in front of its pack: `k:[a b]`.
inline std::string show(const std::vector<seen_frame>& frames) {
    std::string text;
    for (const delivered& d : deliver_all(frames)) {
        std::string one;
        for (const std::string& m : d.messages) one += (one.empty() ? "" : " ") + m;
        if (d.layout) one = "[" + one + "]";
        text += (text.empty() ? "" : " ") + (d.key ? *d.key + ":" : "") + one;
    }
    return text;
}

inline producer_options packed_options(pack_layout layout = pack_layout::framed) {
    producer_options o;
    o.compress_at = sluice::compress_at::packed;
    o.pack_layout = layout;
    o.batching_max_messages = 100;
    return o;
}

} // namespace test
