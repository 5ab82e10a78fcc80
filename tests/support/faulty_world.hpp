// SPDX-License-Identifier: BSL-1.0
// A proxy model with faults and a recorder, and clients of it, without I/O.
#pragma once

#include <sluice/testing/gateway/faults.hpp>

#include "support/peer_client.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace test {

struct faulty_world {
    explicit faulty_world(proxy_options options = {}) : model(std::move(options), counting_random(state)) {
        desk->expire_passwords = [this] { return model.expire_otps(); };
        desk->wake = [this] { ++woken; };
    }

    /// Another connection.
    peer_client& connect(time_point at = start) {
        logs.emplace_back(recorder);
        return clients.emplace_back(model, at, peer::watchers{&desk->script, &logs.back()});
    }
    /// One with a socket on the topic.
    peer_client& produce(std::string_view topic = "t", std::string_view query = {}) {
        peer_client& c = connect();
        REQUIRE(c.upgrade(path_of(topic) + std::string(query)).status == 101);
        return c;
    }
    static std::string path_of(std::string_view topic) {
        return "/ws/v2/producer/persistent/public/default/" + std::string(topic);
    }

    std::uint64_t state = 7;
    proxy_model model;
    std::shared_ptr<sluice::testing::detail::fault_desk> desk = std::make_shared<sluice::testing::detail::fault_desk>();
    int woken = 0;
    sluice::testing::faults faults{desk};
    sluice::testing::detail::traffic_recorder recorder{};
    std::deque<sluice::testing::detail::connection_log> logs{};
    std::deque<peer_client> clients{}; ///< they end first
};

/// A message as a producer's frame says it; the payload is `hi`.
inline std::string frame(int context) { return R"({"payload":"aGk=","context":")" + std::to_string(context) + "\"}"; }

/// The context that an answer is for; empty if it has none.
inline std::string context_in(std::string_view answer) {
    constexpr std::string_view mark = "\"context\":\"";
    const std::size_t at = answer.find(mark);
    if (at == std::string_view::npos) return {};
    answer.remove_prefix(at + mark.size());
    return std::string(answer.substr(0, answer.find('"')));
}
inline std::vector<std::string> contexts_in(const std::vector<std::string>& answers) {
    std::vector<std::string> all;
    for (const std::string& a : answers) all.push_back(context_in(a));
    return all;
}

} // namespace test
