// SPDX-License-Identifier: BSL-1.0
// What the gateway's rooms speak about: its clock, its settings, the messages that it keeps, its counters.
#pragma once

#include <sluice/config.hpp>
#include <sluice/message.hpp>
#include <sluice/web/http1_parser.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

/// The model's only clock, an argument everywhere. It must not run backwards.
using time_point = std::chrono::sys_time<std::chrono::nanoseconds>;

/// What a client that encrypts says of a message (PIP-290), beside the ciphertext that is the payload.
struct message_encryption {
    std::string keys{};             ///< of its socket: JSON, `{"NAME":{"keyValue":"BASE64","metadata":{...}}}`
    std::string param{};            ///< the IV, in base64
    std::string compression_type{}; ///< empty: not said
    std::int32_t uncompressed_size = 0;
};

/// What a proxy makes of keys that a client brings in `encryptionKeys`.
enum class client_encryption : std::uint8_t {
    taken,   ///< PIP-290: Pulsar 3.2.0 and later
    refused, ///< taken for names of keys of its own, which it has not got: Pulsar 2.11 to 3.1
    ignored  ///< Pulsar before 2.11: what is stored is then ciphertext, and nothing says so
};

/// A message as a topic keeps it.
struct stored_message {
    std::string payload{};
    std::optional<std::string> key{};
    std::vector<property> properties{};
    std::optional<message_attributes::time_point> event_time{};
    std::optional<message_attributes::time_point> deliver_at{};
    std::vector<std::string> replication_clusters{};
    std::string producer_name{};
    std::int64_t sequence_id = -1;
    std::string message_id{}; ///< as the acknowledgement said it
    time_point publish_time{};
    std::optional<message_encryption> encryption{};
};

/// Somebody who may log in at `POST /_open/auth`.
struct proxy_user {
    std::string email{};
    std::string name{};
    std::string password{};
};

/// What is done once the oldest message that a subscription waits for lies too far back.
enum class backlog_policy : std::uint8_t {
    producer_exception,       ///< messages are refused, and new producers with 503
    producer_request_hold,    ///< messages wait until there is room again, or until their send time-out
    consumer_backlog_eviction ///< the subscription skips its oldest messages
};

struct backlog_quota {
    std::size_t bytes = 0; ///< of payloads, from a subscription's oldest message on; 0: no limit
    backlog_policy policy = backlog_policy::producer_request_hold;
};

/// What the proxy and the broker behind it are like. The defaults are a GDN region and Pulsar 4.0.7.
struct proxy_options {
    // GDN
    std::string tenant = "demo"; ///< the GDN tenant that keys and users belong to
    std::vector<std::string> fabrics{"_system"};
    std::vector<std::string> api_keys{}; ///< accepted beside the one that is made at start
    std::vector<proxy_user> users{};     ///< none: nobody can log in with a password
    std::string region = "gdn-local";    ///< `_key` and `name` of `/datacenter/local`, and `x-gdn-region`
    std::string region_host{};           ///< `tags.url`; empty: where the gateway listens
    std::chrono::seconds jwt_lifetime{12 * 3600};
    std::chrono::seconds otp_lifetime{60};

    // plain Pulsar
    std::string token{}; ///< what `/ws/v2` and `/admin/v2` want as `Bearer`; empty: they ask for nothing
    std::vector<std::string> powerless_tokens{}; ///< known as well, but of roles without any permission: 403

    // broker
    bool allow_auto_topic_creation = true; ///< false: a socket on a missing topic is refused with 404
    bool deduplicate = false;              ///< for every new topic
    std::size_t max_message_size = 5u << 20;
    std::size_t max_producers_per_topic = 0;          ///< 0: no limit
    std::size_t max_messages_per_topic = 1'000'000;   ///< more: the oldest are dropped
    std::size_t max_bytes_per_topic = 256u << 20;     ///< payloads, keys and properties; more: the oldest are dropped
    sluice::testing::backlog_quota backlog_quota{};   ///< for every new topic
    std::chrono::nanoseconds producer_name_release{}; ///< how long a name stays in use after its socket has ended

    // proxy
    std::size_t max_text_frame_size = 1u << 20;
    sluice::testing::client_encryption client_encryption = sluice::testing::client_encryption::taken;
    /// `deflate_on` (sluice/deflate.hpp): permessage-deflate is accepted where it is offered. It needs zlib, so it is
    /// declined by default, as no real proxy does, and where `make` is null.
    socket_deflate deflate{};
    std::chrono::nanoseconds idle_timeout = std::chrono::minutes(5);

    // What clients can make grow, and how far. A real region's own limits are elsewhere, or it has none
    web::http_limits http{};                                ///< of a request: 431, and 413 for its body
    std::size_t max_topics = 10'000;                        ///< 412, at a socket 500
    std::size_t max_namespaces = 1'000;                     ///< and so many tenants: 412
    std::size_t max_subscriptions_per_topic = 1'000;        ///< 412, at a socket 500
    std::size_t max_pending_bytes_per_producer = 64u << 20; ///< of messages for a batch or for room: "queue is full"
    std::size_t max_credentials = 100'000;                  ///< passwords outstanding, and so many tokens: 429
    std::size_t max_producer_names = 10'000; ///< remembered for deduplication by a topic; others are forgotten
};

/// What has happened since the start.
struct proxy_stats {
    std::uint64_t connections = 0;     ///< accepted
    std::uint64_t requests = 0;        ///< HTTP requests answered, upgrades included
    std::uint64_t sockets_opened = 0;  ///< upgrades answered 101
    std::uint64_t sockets_refused = 0; ///< upgrades answered otherwise
    std::uint64_t open_sockets = 0;    ///< now
    std::uint64_t frames = 0;          ///< text messages received on sockets
    std::uint64_t binary_frames = 0;   ///< ignored, as the proxy does
    std::uint64_t stored = 0;          ///< messages
    std::uint64_t delivered = 0;       ///< messages told to consumers and readers
    std::uint64_t duplicates = 0;      ///< dropped by deduplication, those thrown away with a batch included
    std::uint64_t errors = 0;          ///< `send-error` answers
};

} // namespace testing
} // namespace v1
} // namespace sluice
