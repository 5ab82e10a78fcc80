// SPDX-License-Identifier: BSL-1.0
// A server that keeps acknowledgements back until a test lets them go.
#pragma once

#include "support/scripted_server.hpp"

#include <string>
#include <vector>

namespace test {

/// Takes every upgrade and every message, and says nothing before `acknowledge`.
class holding_server {
public:
    explicit holding_server(asio::io_context& context)
        : server(context, [this](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
              bool open = co_await peer.upgrade();
              current_ = &peer;
              answered_ = contexts_.size(); // what an earlier connection left is sent again
              while (open) {
                  const std::optional<std::string> frame = co_await peer.message();
                  open = frame.has_value();
                  if (!open) break;
                  payloads.push_back(payload_of(*frame));
                  contexts_.push_back(context_of(*frame));
              }
              close_code = peer.close_code;
              if (current_ == &peer) current_ = nullptr;
          }) {}

    /// Answers the next n messages.
    void acknowledge(asio::io_context& context, std::size_t n) {
        for (; n != 0; --n) {
            REQUIRE(current_ != nullptr);
            REQUIRE(answered_ < contexts_.size());
            run(context, current_->acknowledge(contexts_[answered_++]));
        }
    }
    /// Of the current connection.
    std::size_t unanswered() const { return contexts_.size() - answered_; }
    /// The newest connection; null once it is over.
    scripted_peer* current() const { return current_; }

    std::vector<std::string> payloads{};
    std::uint16_t close_code = 0; ///< of the last connection that ended
    scripted_server server;

private:
    scripted_peer* current_ = nullptr;
    std::vector<std::string> contexts_{};
    std::size_t answered_ = 0;
};

} // namespace test
