// SPDX-License-Identifier: BSL-1.0
// What can be set: the client's configuration and the producer's options, with the vendor's names and defaults.
#pragma once

#include <sluice/byte_budget.hpp>
#include <sluice/codec.hpp>
#include <sluice/credentials.hpp>
#include <sluice/end_to_end.hpp>
#include <sluice/error.hpp>
#include <sluice/pack_layout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace sluice {
inline namespace v1 {

/// Which server is spoken to. `automatic`: by the URL's scheme, `ws` and `wss` are `pulsar`, all else is `gdn`.
enum class dialect : std::uint8_t { automatic, gdn, pulsar };

/// A GDN stream is replicated over the fabric's regions (`c8globals.`), or lives in one (`c8locals.`).
enum class scope : std::uint8_t { global, local };

/// How the socket is opened in the `gdn` dialect: `?otp=` with a fresh one-time password, or the `Authorization`
/// header.
enum class socket_auth : std::uint8_t { otp, header };

/// What `send` does while the window is full.
enum class when_full : std::uint8_t {
    suspend, ///< waits for room, first come first served, no thread blocked
    fail,    ///< completes with `errc::queue_full`
    /// The one that comes past the window and `max_waiting_messages`, or makes what is outstanding more than
    /// `max_pending_bytes`, completes with `errc::dropped`.
    drop_newest,
    /// The same, but the one that has waited longest does, if that makes room. None that is written is dropped.
    drop_oldest
};

/// How a partitioned topic's partition is chosen for messages without a key.
enum class message_routing_mode : std::uint8_t { single_partition, round_robin_partition };

namespace web {
enum class ws_role : std::uint8_t;
class message_compression;
struct deflate_parameters;
} // namespace web

/// Compression on the socket (permessage-deflate, RFC 7692): of what is sent, and of acknowledgements. Off; what turns
/// it on, `deflate_auto` and `deflate_on`, is in `sluice/deflate.hpp`, which needs zlib.
///
/// A socket takes some 300 KiB of memory then at either end. Where an attacker chooses a part of what is sent and sees
/// its encrypted size, he can learn of what stands beside it: do not compress secrets and his words on one socket.
struct socket_deflate {
    enum class use : std::uint8_t { off, automatic, on };
    using maker = std::unique_ptr<web::message_compression> (*)(web::ws_role, const web::deflate_parameters&,
                                                                const socket_deflate&);

    use when = use::off;
    int level = 6;                ///< 1 (fastest) to 9 (smallest)
    bool context_takeover = true; ///< a message may refer to those before it; false: less memory at the server
    int window_bits = 15;         ///< how far back we refer: 9 (512 bytes) to 15 (32 KiB)
    maker make = nullptr;
};
inline constexpr socket_deflate deflate_off{};

/// Where the Codec compresses.
enum class compress_at : std::uint8_t {
    broker,     ///< the proxy, towards the broker: what goes over the socket is not compressed
    end_to_end, ///< each payload, before it is encrypted for those who hold a private key (`encryption`)
    /// Many messages of one key, gathered into one: consumers unpack it, see docs/packed.md. A pack goes with
    /// `batching_max_messages` or `batching_max_bytes` (64 KiB where the Codec compresses it), after
    /// `batching_max_publish_delay`, or with a flush or close. The proxy neither batches nor compresses.
    packed
};

/// How a key becomes a partition.
enum class hashing_scheme : std::uint8_t { java_string_hash, murmur3_32_hash };

/// Delays between attempts to connect: full jitter, uniform in 0 .. min(maximum, initial * multiplier^attempt).
struct reconnect_policy {
    std::chrono::milliseconds initial{100};
    std::chrono::milliseconds maximum{30'000};
    double multiplier = 2.0;
};

/// The longest that each step may take. 0 is not allowed: nothing hangs.
struct time_limits {
    std::chrono::milliseconds connect{10'000};    ///< resolve + TCP + TLS, of a REST connection
    std::chrono::milliseconds request{30'000};    ///< one REST call, once there is a connection
    std::chrono::milliseconds credential{30'000}; ///< one call of a `credential_source`
};

struct tls_options {
    std::string ca_file{};     ///< PEM file of trusted authorities, instead of the system's
    std::string ca_pem{};      ///< the same as text
    std::string certificate{}; ///< PEM file of the client's certificate chain
    std::string key{};         ///< PEM file of its private key
    /// The caller's own `asio::ssl::context*`, used as it is; it must outlive the client. Verification of chain and
    /// host name stays on.
    void* context = nullptr;
};

struct client_config {
    std::string url{};             ///< `https://HOST`, `HOST`, `http[s]://HOST:PORT`, `ws[s]://HOST:PORT`
    sluice::auth auth{};           ///< `api_key`, `jwt`, `password`, `bearer_token`, `no_auth` or `credential_source`
    std::string fabric{"_system"}; ///< GDN fabric
    std::string tenant{}; ///< empty: from the credential, else `_mm`; in `pulsar` of a bare topic name: `public`
    sluice::dialect dialect = dialect::automatic;
    sluice::socket_auth socket_auth = socket_auth::otp;
    tls_options tls{};
    bool allow_plaintext = false; ///< plain text to hosts other than loopback
    time_limits limits{};

    /// The first mistake: the field, its value and what is allowed.
    failure validate() const;
};

struct producer_options {
    // the vendor's options, with the vendor's defaults
    std::chrono::milliseconds send_timeout{30'000}; ///< from `send` to the acknowledgement; 0: no limit
    bool batching_enabled = false;                  ///< the proxy batches towards the broker
    int batching_max_messages = 1000;               ///< or in a pack, 1 .. 1,000,000
    /// Written and unacknowledged, 1 .. 1,000,000. With `compress_at::packed` four times `batching_max_messages`, if
    /// that is more: a producer that waits for the answer to each pack would be slow.
    int max_pending_messages = 1000;
    std::chrono::milliseconds batching_max_publish_delay{10}; ///< or of a pack, 1 ms .. 60 s

    // Pulsar's
    sluice::scope scope = scope::global;
    std::string producer_name{}; ///< empty: the server makes one; a name in use is refused (409)
    /// The first message, or the first pack, gets this + 1; -1 or more. Not with both `packed` and `deduplicate`.
    std::optional<std::int64_t> initial_sequence_id{};
    bool deduplicate = false; ///< needs `producer_name`
    sluice::message_routing_mode message_routing_mode = message_routing_mode::single_partition;
    sluice::hashing_scheme hashing_scheme = hashing_scheme::java_string_hash;

    // ours
    sluice::when_full when_full = when_full::suspend;
    int max_waiting_messages = 1000;           ///< 0 .. 1,000,000, behind the window where `when_full` drops
    std::size_t max_pending_bytes = 64u << 20; ///< payload bytes written and unacknowledged, 1 KiB or more
    std::shared_ptr<byte_budget> budget{};     ///< shared with other producers, beside `max_pending_bytes`
    sluice::compress_at compress_at = compress_at::broker;
    /// Of `compress_at::end_to_end`: `encrypt_for` in sluice/encryption.hpp. Such a producer batches neither at the
    /// proxy nor here, and a payload's size counts as it is before it is compressed.
    end_to_end_encryption encryption{};
    sluice::pack_layout pack_layout = pack_layout::framed; ///< of `compress_at::packed`
    /// With `packed`, while nothing is unanswered: false sends at once what there is, as one who awaits each `send` by
    /// itself wants; true gathers for `batching_max_publish_delay` then too, for fewer and larger packs.
    bool pack_waits_when_idle = true;
    socket_deflate deflate{};               ///< `deflate_auto`, `deflate_on`: compression on the socket
    std::size_t max_frame_bytes = 1u << 20; ///< a message's JSON text; the proxy closes the socket over its limit
    /// Of frames gathered into one write, 4 KiB .. 16 MiB; and of messages gathered into one pack: half as much where a
    /// codec compresses it, in one piece, which holds acknowledgements up.
    std::size_t batching_max_bytes = 128u << 10;
    std::chrono::milliseconds ping_interval{30'000}; ///< of silence; 0: none
    std::chrono::milliseconds connect_timeout{
        10'000}; ///< resolve, connect and TLS together; the upgrade; the probe of `end_to_end`
    std::chrono::milliseconds write_timeout{30'000}; ///< of a write of which the system takes nothing; 0: none
    std::chrono::milliseconds close_timeout{30'000}; ///< the longest that `close` drains
    reconnect_policy reconnect{};

    /// The first mistake: the field, its value and what is allowed.
    failure validate() const;
};

namespace detail {

inline failure out_of_range(const char* field, const std::string& value, const std::string& allowed) {
    return make_failure(errc::invalid_option, std::string(field) + " = " + value + ": allowed is " + allowed);
}
inline std::string in_ms(std::chrono::milliseconds d) { return std::to_string(d.count()) + " ms"; }

/// A credential is put into a header line: what cannot stand there is refused, and never shown.
inline failure check_credential(const credential& c) {
    const char* field = nullptr;
    const std::string* value = nullptr;
    if (const auto* key = std::get_if<api_key>(&c)) field = "api_key", value = &key->value;
    if (const auto* token = std::get_if<jwt>(&c)) field = "jwt", value = &token->value;
    if (const auto* token = std::get_if<bearer_token>(&c)) field = "bearer_token", value = &token->value;
    if (value == nullptr) return {};
    if (value->empty())
        return make_failure(errc::invalid_credentials, std::string(field) + " is empty: a value is needed");
    for (const char character : *value)
        if (character <= ' ' || character == 127)
            return make_failure(errc::invalid_credentials,
                                std::string(field) + " holds a blank or a control character: visible ASCII is allowed");
    return {};
}

} // namespace detail

inline failure producer_options::validate() const {
    using namespace std::chrono_literals;
    using detail::in_ms;
    using detail::out_of_range;
    using std::to_string;
    constexpr auto day = 24h;
    if (send_timeout < 0ms || send_timeout > day)
        return out_of_range("send_timeout", in_ms(send_timeout), "0 (no limit) to 24 h");
    if (batching_max_messages < 1 || batching_max_messages > 1'000'000)
        return out_of_range("batching_max_messages", to_string(batching_max_messages), "1 to 1000000");
    if (max_pending_messages < 1 || max_pending_messages > 1'000'000)
        return out_of_range("max_pending_messages", to_string(max_pending_messages), "1 to 1000000");
    if (batching_max_publish_delay < 1ms || batching_max_publish_delay > 60s)
        return out_of_range("batching_max_publish_delay", in_ms(batching_max_publish_delay), "1 ms to 60 s");
    if (producer_name.size() > 256 || producer_name.find_first_not_of(" \t") == std::string::npos) {
        if (!producer_name.empty())
            return out_of_range("producer_name", "\"" + producer_name.substr(0, 64) + "\"",
                                "1 to 256 characters, not all blank");
    }
    constexpr std::int64_t largest = std::int64_t{1} << 62; // the same again is left for the messages' numbers
    if (initial_sequence_id && (*initial_sequence_id < -1 || *initial_sequence_id > largest))
        return out_of_range("initial_sequence_id", to_string(*initial_sequence_id), "-1 to " + to_string(largest));
    if (deduplicate && producer_name.empty())
        return out_of_range("deduplicate", "true", "true only with a producer_name");
    if (max_waiting_messages < 0 || max_waiting_messages > 1'000'000)
        return out_of_range("max_waiting_messages", to_string(max_waiting_messages), "0 to 1000000");
    if (max_pending_bytes < 1024)
        return out_of_range("max_pending_bytes", to_string(max_pending_bytes), "1024 or more");
    if (max_frame_bytes < 256 || max_frame_bytes > (64u << 20))
        return out_of_range("max_frame_bytes", to_string(max_frame_bytes), "256 to 67108864");
    if (batching_max_bytes < 4096 || batching_max_bytes > (16u << 20))
        return out_of_range("batching_max_bytes", to_string(batching_max_bytes), "4096 to 16777216");
    if (compress_at == compress_at::packed && deduplicate && initial_sequence_id)
        return out_of_range("initial_sequence_id", to_string(*initial_sequence_id),
                            "none with compress_at = packed and deduplicate: a number is a pack's, and the next run of "
                            "the program packs other messages together");
    if (compress_at == compress_at::end_to_end) {
        if (failure f = encryption.validate()) return f;
        if (batching_enabled)
            return out_of_range("batching_enabled", "true",
                                "false with compress_at = end_to_end: the proxy cannot batch what it cannot read");
        if (max_frame_bytes < 1024)
            return out_of_range("max_frame_bytes", to_string(max_frame_bytes),
                                "1024 or more with compress_at = end_to_end");
    } else if (encryption.is_set()) {
        return out_of_range("encryption", "set",
                            "none, or compress_at = end_to_end: otherwise messages would be sent in plain text");
    }
    if (deflate.when != socket_deflate::use::off) {
        if (deflate.make == nullptr)
            return out_of_range("deflate", "one without `make`", "deflate_off, deflate_auto and deflate_on");
        if (deflate.level < 1 || deflate.level > 9)
            return out_of_range("deflate.level", to_string(deflate.level), "1 to 9");
        if (deflate.window_bits < 9 || deflate.window_bits > 15)
            return out_of_range("deflate.window_bits", to_string(deflate.window_bits), "9 to 15");
    }
    if (ping_interval < 0ms || ping_interval > day)
        return out_of_range("ping_interval", in_ms(ping_interval), "0 (none) to 24 h");
    if (connect_timeout < 1ms || connect_timeout > day)
        return out_of_range("connect_timeout", in_ms(connect_timeout), "1 ms to 24 h");
    if (write_timeout < 0ms || write_timeout > day)
        return out_of_range("write_timeout", in_ms(write_timeout), "0 (none) to 24 h");
    if (close_timeout < 1ms || close_timeout > day)
        return out_of_range("close_timeout", in_ms(close_timeout), "1 ms to 24 h");
    if (reconnect.initial < 1ms || reconnect.initial > reconnect.maximum)
        return out_of_range("reconnect.initial", in_ms(reconnect.initial), "1 ms to reconnect.maximum");
    if (reconnect.maximum > day) return out_of_range("reconnect.maximum", in_ms(reconnect.maximum), "up to 24 h");
    if (!(reconnect.multiplier >= 1.0 && reconnect.multiplier <= 100.0))
        return out_of_range("reconnect.multiplier", to_string(reconnect.multiplier), "1.0 to 100.0");
    return {};
}

inline failure client_config::validate() const {
    using namespace std::chrono_literals;
    using detail::in_ms;
    using detail::out_of_range;
    constexpr auto day = 24h;
    if (url.empty()) return make_failure(errc::invalid_url, "url = \"\": a URL or a host name is needed");
    if (fabric.empty() || fabric.size() > 64)
        return out_of_range("fabric", "\"" + fabric.substr(0, 64) + "\"", "1 to 64 characters");
    if (fabric.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        std::string::npos)
        return out_of_range("fabric", "\"" + fabric + "\"", "letters, digits, '_' and '-'");
    for (auto [name, value] : {std::pair{"limits.connect", limits.connect},
                               {"limits.request", limits.request},
                               {"limits.credential", limits.credential}})
        if (value < 1ms || value > day) return out_of_range(name, in_ms(value), "1 ms to 24 h");
    const auto token = [](const auto& value) {
        if constexpr (std::is_constructible_v<credential, decltype(value)>)
            return detail::check_credential(value);
        else
            return failure();
    };
    if (failure f = std::visit(token, auth)) return f;
    if (const auto* p = std::get_if<password>(&auth)) {
        if (p->secret.empty()) return make_failure(errc::invalid_credentials, "password.secret is empty");
        const bool by_email = !p->email.empty() && p->tenant.empty() && p->user.empty();
        const bool by_user = p->email.empty() && !p->tenant.empty() && !p->user.empty();
        if (!by_email && !by_user)
            return make_failure(errc::invalid_credentials, "password: either email, or tenant and user, are needed");
    }
    return {};
}

} // namespace v1
} // namespace sluice
