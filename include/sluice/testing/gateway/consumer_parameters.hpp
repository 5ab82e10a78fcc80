// SPDX-License-Identifier: BSL-1.0
// The query of a consumer socket and of a reader socket, judged in the proxy's order and words.
#pragma once

#include <sluice/testing/gateway/java_text.hpp>
#include <sluice/testing/gateway/query.hpp>
#include <sluice/web/ascii.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

struct consumer_parameters {
    std::string name{}; ///< empty: the broker makes one
    subscription_type type = subscription_type::exclusive;
    bool durable = true, earliest = false, pull = false;
    std::int32_t receiver_queue_size = 1000;
    std::int32_t priority = 0;
    std::chrono::milliseconds ack_timeout{0}; ///< 0: none
    std::chrono::milliseconds negative_ack_delay{60'000};
    std::int32_t max_redeliver_count = 0; ///< 0: no dead letters
    std::string dead_letter_topic{};      ///< empty: it is named after topic and subscription
};

class consumer_query {
public:
    explicit consumer_query(const query_parameters& query) noexcept : query_(query) {}

    /// The first mistake as the proxy tells it, or nothing.
    refusal read(consumer_parameters& out) {
        const std::string* const pull = find("pullMode");
        out.pull = pull != nullptr && web::equal_ignoring_case(*pull, "true");
        std::int32_t n = 0;
        if (const std::string* text = find("ackTimeoutMillis")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n != 0 && n < 1000) return bad_query("Ack timeout should be greater than 1000 ms");
            out.ack_timeout = std::chrono::milliseconds(n);
        }
        if (const refusal why = read_subscription(out)) return why;
        if (const std::string* text = find("receiverQueueSize")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 0) return bad_query("receiverQueueSize needs to be >= 0");
            out.receiver_queue_size = std::clamp(n, 1, 1000); // 0 counts as 1
        }
        if (const std::string* text = find("consumerName")) {
            if (java_blank(*text)) return bad_query("consumerName cannot be blank");
            out.name = *text;
        }
        if (const std::string* text = find("priorityLevel")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 0) return bad_query("priorityLevel needs to be >= 0");
            out.priority = n;
        }
        if (const std::string* text = find("negativeAckRedeliveryDelay")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 0) return bad_query("redeliveryDelay needs to be >= 0");
            out.negative_ack_delay = std::chrono::milliseconds(n);
        }
        return read_dead_letters(out); // `cryptoFailureAction` is not judged
    }

private:
    refusal read_subscription(consumer_parameters& out) {
        if (const std::string* text = find("subscriptionType")) {
            using enum subscription_type;
            const auto types = {exclusive, shared, failover, key_shared};
            const auto found = std::find_if(types.begin(), types.end(), [&](auto t) { return name_of(t) == *text; });
            if (found == types.end()) return bad_query("Invalid subscriptionType " + *text);
            out.type = *found;
        }
        if (const std::string* text = find("subscriptionMode")) {
            if (*text != "Durable" && *text != "NonDurable") return bad_query("Invalid subscriptionMode " + *text);
            out.durable = *text == "Durable";
        }
        if (const std::string* text = find("subscriptionInitialPosition")) {
            if (*text != "Latest" && *text != "Earliest")
                return bad_query("Invalid subscriptionInitialPosition " + *text);
            out.earliest = *text == "Earliest";
        }
        return {};
    }
    refusal read_dead_letters(consumer_parameters& out) {
        const std::string* const count = find("maxRedeliverCount");
        const std::string* const where = find("deadLetterTopic");
        if (count == nullptr && where == nullptr) return {};
        if (count != nullptr && !java_integer(*count, out.max_redeliver_count)) return bad_integer(*count);
        if (out.max_redeliver_count <= 0) return bad_query("MaxRedeliverCount must be > 0.");
        if (where != nullptr) out.dead_letter_topic = *where;
        return {};
    }

    const std::string* find(std::string_view name) const noexcept { return find_parameter(query_, name); }

    const query_parameters& query_;
};

struct reader_parameters {
    std::string name{}; ///< empty: the broker makes one
    std::int32_t receiver_queue_size = 1000;
    bool earliest = false;            ///< else behind the last message
    std::optional<position> behind{}; ///< or behind this one
};

/// A reader's mistakes are the proxy's own errors: 500.
class reader_query {
public:
    explicit reader_query(const query_parameters& query) noexcept : query_(query) {}

    /// What is read before the proxy asks who it is.
    refusal read_queue_size(reader_parameters& out) {
        const std::string* const text = find_parameter(query_, "receiverQueueSize");
        if (text != nullptr && !java_integer(*text, out.receiver_queue_size))
            return {500, "java.lang.NumberFormatException: " + java_integer_error(*text)};
        return {};
    }
    /// The rest.
    refusal read(reader_parameters& out) {
        if (const std::string* text = find_parameter(query_, "messageId"); text != nullptr && !java_blank(*text)) {
            out.earliest = *text == "earliest";
            if (!out.earliest && *text != "latest") {
                std::string bytes;
                out.behind.emplace();
                std::string why = java_base64_decode(*text, bytes);
                if (why.empty()) why = message_id_parser(bytes).parse(*out.behind);
                if (!why.empty()) return refused(why);
            }
        }
        if (out.receiver_queue_size < 0) return refused("receiverQueueSize needs to be >= 0");
        out.receiver_queue_size = std::min(out.receiver_queue_size, 1000); // 0: nothing ever comes
        if (const std::string* text = find_parameter(query_, "readerName")) out.name = *text;
        return {};
    }

    static refusal refused(const std::string& why) { return {500, "Failed to create reader: " + why}; }

private:
    const query_parameters& query_;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
