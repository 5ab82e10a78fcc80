// SPDX-License-Identifier: BSL-1.0
// A producer socket of the model as a test speaks to it, and the proxy's answers.
#pragma once

#include "support/peer_client.hpp"

#include <sluice/message.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace producing {

using namespace std::chrono_literals;
using test::peer_client;
namespace web = sluice::web;

struct world {
    explicit world(test::proxy_options options = {}) : model(std::move(options), test::counting_random(state)) {}

    std::uint64_t state = 7;
    test::proxy_model model;

    static constexpr std::string_view topic = "persistent://public/default/t";
    std::vector<sluice::testing::stored_message> stored() { return model.messages(topic); }
};

struct producer : peer_client {
    explicit producer(world& w, const std::string& query = "") : peer_client(w.model) {
        REQUIRE(upgrade("/ws/v2/producer/persistent/public/default/t" + query).status == 101);
    }
    std::string ask(std::string_view message) {
        const auto answers = say(message);
        REQUIRE(answers.size() == 1);
        return answers[0];
    }
};

inline constexpr std::string_view where =
    "\\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ";

inline std::string malformed(const std::string& what, int line, int column) {
    return R"({"result":"send-error:3","errorMsg":")" + what + std::string(where) + std::to_string(line) +
           ", column: " + std::to_string(column) + R"(]","errorCode":0,"schemaVersion":0})";
}
inline std::string payload_error(const std::string& what, const std::string& context = "") {
    return R"({"result":"send-error:7","errorMsg":")" + what + '"' +
           (context.empty() ? "" : R"(,"context":")" + context + '"') + R"(,"errorCode":0,"schemaVersion":0})";
}
inline std::string broker_error(const std::string& what, const std::string& context) {
    return R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$)" + what +
           R"(","context":")" + context + R"(","errorCode":0,"schemaVersion":0})";
}
inline std::string ok(const std::string& id, const std::string& context) {
    return R"({"result":"ok","messageId":")" + id + R"(","context":")" + context +
           R"(","errorCode":0,"schemaVersion":0})";
}

} // namespace producing
