// SPDX-License-Identifier: BSL-1.0
// Errors are values: an enumeration with a category, coarse conditions to branch on, and the details beside the code.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

/// What went wrong. Compare with `condition` to decide what to do.
enum class errc {
    // what the caller asked for
    invalid_option = 1,  ///< an option out of its range, or two that contradict each other
    invalid_url,         ///< the URL does not parse, or has a scheme that is not spoken
    plaintext_refused,   ///< plain text to a host that is not loopback, without `allow_plaintext`
    invalid_credentials, ///< an empty key, a token that cannot stand in a header
    invalid_name,        ///< a stream, fabric or tenant name that the rules forbid
    invalid_message,     ///< a message that cannot be said on this wire (a NUL in a property, a time out of range)
    too_large,           ///< the exact encoded size is over `max_frame_bytes`
    queue_full,          ///< `when_full = fail`, and there is no room
    closed,              ///< the producer is closed
    aborted,             ///< cancelled; completes as `asio::error::operation_aborted`
    dropped,             ///< `when_full` drops, and this was the one

    // time
    send_timeout = 40, ///< `send_timeout` passed and nothing was written
    ack_timeout,       ///< `send_timeout` passed after the message was written: it may be stored
    connect_timeout,   ///< resolve, connect, TLS or the upgrade took too long
    request_timeout,   ///< a REST call took too long, or a request did, says the server (408)
    pong_timeout,      ///< the peer is silent, pings included
    write_stalled,     ///< the peer takes no byte within `write_timeout`

    // what the server answered
    rejected = 60,     ///< `send-error:N` for this message
    sequence_in_use,   ///< dropped as a repeat although it was written for the first time
    unauthorized,      ///< 401
    forbidden,         ///< 403
    not_found,         ///< 404
    conflict,          ///< 409
    throttled,         ///< 429
    bad_request,       ///< another 4xx
    server_error,      ///< 5xx
    quota_exceeded,    ///< a backlog or producer quota is full
    topic_terminated,  ///< the stream takes no more messages
    unexpected_answer, ///< a status or a body that the protocol does not have

    // HTTP/1.1 (RFC 9112)
    http_malformed = 80, ///< not HTTP
    http_too_large,      ///< a header or a body over the limit
    http_truncated,      ///< the connection ended inside a response
    no_response,         ///< the connection ended before a response

    // WebSocket (RFC 6455)
    handshake_refused = 100, ///< an answer to the upgrade that is not 101
    handshake_invalid,       ///< 101 with a wrong or missing header
    protocol_error,          ///< 1002
    invalid_utf8,            ///< 1007
    message_too_big,         ///< 1009
    connection_closed,       ///< the peer closed, or the stream ended
    connection_lost,         ///< written, and the connection ended before the answer
    extension_refused,       ///< `deflate = on`, and the server does not accept permessage-deflate

    // transport
    resolve_failed = 120,
    connect_failed,    ///< no address of the host takes a connection
    tls_failed,        ///< the certificate was refused, or the handshake failed
    credential_failed, ///< a `credential_source` threw

    // compression
    corrupt_data = 140, ///< not what the codec makes
    output_limit,       ///< decompression would exceed its cap
    unknown_codec,      ///< no codec of that name
    invalid_base64,
    invalid_json, ///< a payload of a `json_array` pack, or the pack

    // end-to-end encryption
    encryption_unsupported = 160, ///< the proxy takes no messages that the client has encrypted (PIP-290)
    encryption_failed,            ///< OpenSSL could not encrypt
    invalid_key,                  ///< a public key that is not there, or that nobody can be encrypted for
};

/// What to do about it: `if (ec == sluice::condition::retryable)`. What became of a message is told by its `outcome`;
/// a code tells it where it can have only one.
enum class condition {
    retryable = 1,  ///< the same call may succeed later, and is not known to have had an effect
    fatal,          ///< it will fail again until somebody changes something
    authentication, ///< the credential is missing, wrong or not allowed
    quota,          ///< throttled, or a quota is full
    timeout,        ///< a clock ran out
    too_large,      ///< the message or the answer is over a limit
    not_sent,       ///< not a byte of the message was written
    maybe_persisted ///< the message was written, and may be stored
};

/// What became of a message.
enum class outcome : std::uint8_t {
    persisted,      ///< stored
    duplicate,      ///< stored by an earlier attempt, dropped now: a success
    rejected,       ///< refused by the server
    not_sent,       ///< not a byte was written
    maybe_persisted ///< written, unanswered
};

constexpr std::string_view to_string(outcome o) noexcept {
    switch (o) {
    case outcome::persisted: return "persisted";
    case outcome::duplicate: return "duplicate";
    case outcome::rejected: return "rejected";
    case outcome::not_sent: return "not_sent";
    case outcome::maybe_persisted: return "maybe_persisted";
    }
    return "unknown";
}

namespace detail {

constexpr const char* describe(errc e) noexcept {
    switch (e) {
    case errc::invalid_option: return "invalid option";
    case errc::invalid_url: return "invalid URL";
    case errc::plaintext_refused: return "plain text refused";
    case errc::invalid_credentials: return "invalid credentials";
    case errc::invalid_name: return "invalid name";
    case errc::invalid_message: return "invalid message";
    case errc::too_large: return "the message does not fit a frame";
    case errc::queue_full: return "the producer's window is full";
    case errc::closed: return "closed";
    case errc::aborted: return "aborted";
    case errc::dropped: return "dropped: no room";
    case errc::send_timeout: return "timed out before it was sent";
    case errc::ack_timeout: return "timed out waiting for the acknowledgement";
    case errc::connect_timeout: return "connecting timed out";
    case errc::request_timeout: return "the request timed out";
    case errc::pong_timeout: return "the peer does not answer pings";
    case errc::write_stalled: return "the peer takes no more bytes";
    case errc::rejected: return "rejected by the server";
    case errc::sequence_in_use: return "the sequence number is in use";
    case errc::unauthorized: return "unauthorized";
    case errc::forbidden: return "forbidden";
    case errc::not_found: return "not found";
    case errc::conflict: return "conflict";
    case errc::throttled: return "throttled";
    case errc::bad_request: return "bad request";
    case errc::server_error: return "server error";
    case errc::quota_exceeded: return "quota exceeded";
    case errc::topic_terminated: return "the topic is terminated";
    case errc::unexpected_answer: return "unexpected answer";
    case errc::http_malformed: return "malformed HTTP";
    case errc::http_too_large: return "HTTP message over a limit";
    case errc::http_truncated: return "truncated HTTP message";
    case errc::no_response: return "the connection ended without a response";
    case errc::handshake_refused: return "WebSocket upgrade refused";
    case errc::handshake_invalid: return "invalid WebSocket handshake";
    case errc::protocol_error: return "WebSocket protocol error";
    case errc::invalid_utf8: return "invalid UTF-8";
    case errc::message_too_big: return "WebSocket message too big";
    case errc::connection_closed: return "connection closed";
    case errc::connection_lost: return "connection lost before the answer";
    case errc::extension_refused: return "the server does not accept the extension";
    case errc::resolve_failed: return "the host name does not resolve";
    case errc::connect_failed: return "the connection failed";
    case errc::tls_failed: return "TLS failed";
    case errc::credential_failed: return "no credential was to be had";
    case errc::corrupt_data: return "corrupt data";
    case errc::output_limit: return "decompressed size over the limit";
    case errc::unknown_codec: return "unknown codec";
    case errc::invalid_base64: return "invalid base64";
    case errc::invalid_json: return "invalid JSON";
    case errc::encryption_unsupported: return "the server does not take end-to-end encrypted messages";
    case errc::encryption_failed: return "the encryption failed";
    case errc::invalid_key: return "a public key will not do";
    }
    return "unknown error";
}

constexpr bool belongs(errc e, condition c) noexcept {
    switch (c) {
    case condition::authentication:
        return e == errc::unauthorized || e == errc::forbidden || e == errc::invalid_credentials ||
               e == errc::credential_failed;
    case condition::quota: return e == errc::throttled || e == errc::quota_exceeded;
    case condition::timeout:
        return e == errc::send_timeout || e == errc::ack_timeout || e == errc::connect_timeout ||
               e == errc::request_timeout || e == errc::pong_timeout || e == errc::write_stalled;
    case condition::too_large:
        return e == errc::too_large || e == errc::message_too_big || e == errc::http_too_large ||
               e == errc::output_limit;
    case condition::not_sent:
        return e == errc::invalid_option || e == errc::invalid_url || e == errc::plaintext_refused ||
               e == errc::invalid_credentials || e == errc::invalid_name || e == errc::invalid_message ||
               e == errc::invalid_json || e == errc::send_timeout || e == errc::queue_full || e == errc::dropped;
    case condition::maybe_persisted:
        return e == errc::ack_timeout || e == errc::connection_lost || e == errc::quota_exceeded;
    case condition::fatal:
        return e == errc::invalid_option || e == errc::invalid_url || e == errc::plaintext_refused ||
               e == errc::invalid_credentials || e == errc::invalid_name || e == errc::invalid_message ||
               e == errc::invalid_json || e == errc::too_large || e == errc::closed || e == errc::unauthorized ||
               e == errc::forbidden || e == errc::not_found || e == errc::bad_request || e == errc::topic_terminated ||
               e == errc::extension_refused || e == errc::sequence_in_use || e == errc::unknown_codec ||
               e == errc::corrupt_data || e == errc::encryption_unsupported || e == errc::encryption_failed ||
               e == errc::invalid_key;
    case condition::retryable:
        if (e == errc::ack_timeout) return false; // written, and not answered: it may have had an effect
        return belongs(e, condition::timeout) || belongs(e, condition::quota) || e == errc::queue_full ||
               e == errc::dropped || e == errc::conflict || e == errc::server_error || e == errc::connection_closed ||
               e == errc::connect_failed || e == errc::no_response || e == errc::http_truncated ||
               e == errc::resolve_failed || e == errc::credential_failed;
    }
    return false;
}

class error_category_impl final : public std::error_category {
public:
    const char* name() const noexcept override { return "sluice"; }
    std::string message(int value) const override { return describe(static_cast<errc>(value)); }
    bool equivalent(int value, const std::error_condition& c) const noexcept override;
};

class condition_category_impl final : public std::error_category {
public:
    const char* name() const noexcept override { return "sluice.condition"; }
    std::string message(int value) const override {
        switch (static_cast<condition>(value)) {
        case condition::retryable: return "retryable";
        case condition::fatal: return "fatal";
        case condition::authentication: return "authentication";
        case condition::quota: return "quota";
        case condition::timeout: return "timeout";
        case condition::too_large: return "too large";
        case condition::not_sent: return "not sent";
        case condition::maybe_persisted: return "maybe persisted";
        }
        return "unknown condition";
    }
};

} // namespace detail

inline const std::error_category& error_category() noexcept {
    static const detail::error_category_impl instance;
    return instance;
}

inline const std::error_category& condition_category() noexcept {
    static const detail::condition_category_impl instance;
    return instance;
}

inline bool detail::error_category_impl::equivalent(int value, const std::error_condition& c) const noexcept {
    if (c.category() == condition_category())
        return belongs(static_cast<errc>(value), static_cast<condition>(c.value()));
    return std::error_category::equivalent(value, c);
}

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }
inline std::error_condition make_error_condition(condition c) noexcept {
    return {static_cast<int>(c), condition_category()};
}

/// What is known beside the code. Secrets (keys, tokens, one-time passwords) never get here.
struct error_details {
    std::string text;                       ///< which thing, which value, what is allowed; or the server's own text
    std::string request_id;                 ///< `x-gdn-requestid`: support asks for it
    int http_status = 0;                    ///< 0 where no HTTP answer was had
    int close_code = 0;                     ///< WebSocket close code, 0 where none came
    unsigned attempts = 0;                  ///< to get a socket that works, in a row
    std::error_code cause{};                ///< what lies below: the last connection error of a message that timed out
    long retry_after_s = -1;                ///< `Retry-After` in seconds, -1 where the server did not say
    std::vector<std::error_code> history{}; ///< how the last of these attempts ended, at most 8, the oldest first
};

/// A code with its details: how failures travel inside the library. Default constructed: no failure.
struct failure {
    std::error_code code{};
    std::shared_ptr<const error_details> details{};

    explicit operator bool() const noexcept { return static_cast<bool>(code); }
};

inline failure make_failure(std::error_code ec, error_details details) {
    return {ec, std::make_shared<const error_details>(std::move(details))};
}
inline failure make_failure(std::error_code ec, std::string text) {
    error_details d;
    d.text = std::move(text);
    return make_failure(ec, std::move(d));
}
inline failure make_failure(errc e, std::string text) { return make_failure(make_error_code(e), std::move(text)); }

/// What an awaitable throws.
class error : public std::system_error {
public:
    explicit error(const failure& f, sluice::outcome o = sluice::outcome::not_sent)
        : std::system_error(f.code, f.details ? f.details->text : std::string()), details_(f.details), outcome_(o) {}

    sluice::outcome outcome() const noexcept { return outcome_; }
    const error_details& details() const noexcept {
        static const error_details none{};
        return details_ ? *details_ : none;
    }

private:
    std::shared_ptr<const error_details> details_;
    sluice::outcome outcome_;
};

} // namespace v1
} // namespace sluice

template <>
struct std::is_error_code_enum<sluice::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<sluice::condition> : std::true_type {};
