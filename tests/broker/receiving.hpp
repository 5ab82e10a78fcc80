// SPDX-License-Identifier: BSL-1.0
// The receiving side in a case: consumer and reader sockets, what they are sent, and what a topic is filled with.
#pragma once

#include "target.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace conformance {

/// A message as a consumer or a reader is told of it.
struct received {
    std::string payload{};
    std::string id{};
    int redeliveries = 0;
    std::string text{}; ///< the whole

    sluice::message_id::position at() const;
};

/// An open consumer or reader socket.
class raw_receiver : public raw_socket {
public:
    raw_receiver(const target& server, const std::string& where);

    /// The next message; a close instead is a failure.
    received next();
    /// The payloads of the next so many messages, with blanks between; `*N` behind one that was redelivered N times.
    std::string take(std::size_t messages);
    /// Every message that was taken, in that order.
    const std::vector<received>& taken() const noexcept { return taken_; }
    /// The last one with this payload.
    const received& last(std::string_view payload) const;

    /// By the payload: of a message that was taken.
    void acknowledge(std::string_view payload) { text(R"({"messageId":")" + last(payload).id + R"("})"); }
    void refuse(std::string_view payload) {
        text(R"({"type":"negativeAcknowledge","messageId":")" + last(payload).id + R"("})");
    }
    void permit(int messages) { text(R"({"type":"permit","permitMessages":)" + std::to_string(messages) + "}"); }
    /// True once the topic has ended and nothing is left of it. Messages that come meanwhile are not lost.
    bool is_end_of_topic();
    /// The same, and then nothing more for a while.
    std::string take_just(std::size_t messages);
    /// What comes until nothing more has come for a while.
    std::string take_all(std::chrono::milliseconds silence = std::chrono::milliseconds(300));
    /// Closes, and waits for the server's side of it.
    void leave();
    /// Says that, which the server answers by ending the socket so.
    void say_and_end(const std::string& text, int code, std::string_view reason);

private:
    received read(std::string text);

    std::vector<received> taken_{};
};

class raw_consumer : public raw_receiver {
public:
    raw_consumer(const target& server, const std::string& topic, const std::string& query = {},
                 const std::string& subscription = "s")
        : raw_receiver(server, server.consumer_target(topic, subscription, query)) {}
};

class raw_reader : public raw_receiver {
public:
    raw_reader(const target& server, const std::string& topic, const std::string& query = {})
        : raw_receiver(server, server.reader_target(topic, query)) {}
};

/// A message's text; `members` begin with a comma.
std::string message_text(std::string_view payload, const std::string& members = {});

/// Sends the payloads, which have blanks between, one after the other; returns the ids that the answers tell.
std::vector<std::string> publish(target& server, const std::string& topic, std::string_view payloads,
                                 const std::string& members = {}, const std::string& query = {});

/// The same as one batch.
std::vector<std::string> publish_batch(target& server, const std::string& topic, std::string_view payloads);

/// Asks again until it is so, for at most ten seconds.
template <class Condition>
void wait_until(const std::string& what, Condition holds, std::chrono::seconds limit = std::chrono::seconds(10)) {
    const auto patience = std::chrono::steady_clock::now() + limit;
    while (!holds())
        if (std::chrono::steady_clock::now() > patience) throw failed("never: " + what);
}

/// The messages that a subscription has not acknowledged, as the topic's statistics tell; -1: there is no such one.
long backlog_of(const target& server, const std::string& topic, const std::string& subscription = "s");

} // namespace conformance
