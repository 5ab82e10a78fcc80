// SPDX-License-Identifier: BSL-1.0
// What the proxy does behind an open reader socket: delivers from a place on. What it has delivered is done with; what
// the client answers only asks for the next.
#pragma once

#include <sluice/testing/gateway/consumer_parameters.hpp>
#include <sluice/testing/gateway/receiving_socket.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class reader_socket final : public receiving_socket {
public:
    reader_socket(broker& b, topic_name where, const reader_parameters& parameters, time_point now)
        : receiving_socket(
              b, std::move(where),
              {subscription_name(b), subscription_type::exclusive, false, parameters.earliest, parameters.behind},
              parameters.receiver_queue_size == 0 ? flow_control::none()
                                                  : flow_control::push(parameters.receiver_queue_size),
              parameters.name, now) {}

    void text(std::string_view frame, time_point, answer_sink& out) override {
        consumer_command command;
        if (!read(frame, command, out)) return;
        if (command.type == "isEndOfTopic") return tell_end_of_topic(out);
        make_room(); // it takes everything else for an acknowledgement
    }

private:
    void delivered(const delivery& d, time_point) override { subscription_->acknowledge({d.index, d.index + 1}); }

    /// Its own, which goes with it.
    static std::string subscription_name(broker& b) {
        std::byte random[5];
        b.random(random);
        std::string made = "reader-";
        for (const std::byte octet : random) {
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(octet));
            made += digits;
        }
        return made;
    }
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
