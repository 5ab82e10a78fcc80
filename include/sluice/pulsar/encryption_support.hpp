// SPDX-License-Identifier: BSL-1.0
// Does this proxy know PIP-290? Nothing may be sent end to end encrypted to one that does not: it would store
// ciphertext as if it were the message.
#pragma once

#include <sluice/error.hpp>
#include <sluice/pulsar/ack.hpp>
#include <sluice/pulsar/server_text.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace pulsar {

namespace detail {

inline failure no_pip_290(error_details d, std::string_view what) {
    std::string text =
        "end-to-end encryption: the proxy does not take messages that the client has encrypted (PIP-290, "
        "Pulsar 3.2.0 or later); nothing is sent to it. ";
    text += what;
    if (!d.text.empty()) text += ": " + d.text;
    d.text = std::move(text);
    return make_failure(errc::encryption_unsupported, std::move(d));
}

} // namespace detail

/// The refusal of an upgrade that brought wrapped keys, told for what it is. Without PIP-290 a proxy of Pulsar 2.11 to
/// 3.1 takes the parameter for names of keys of its own:
///
/// * it has none: 500 `Can't add encryption key without configuring cryptoKeyReaderFactoryClassName`;
/// * it has a reader of keys, which does not know that name: 500 `... adds the public key cipher was failed`.
///
/// Both become `errc::encryption_unsupported`, which is fatal. 414 and 431 get a hint at the keys' size, and keep their
/// code. All else is given back as it is.
inline failure explain_encrypted_upgrade(failure refused) {
    if (!refused || !refused.details) return refused;
    const error_details& d = *refused.details;
    const auto says = [&](std::string_view words) { return d.text.find(words) != std::string::npos; };
    if (d.http_status == 500 && (says("cryptoKeyReaderFactoryClassName") || says("public key cipher")))
        return detail::no_pip_290(d, "It takes wrapped keys for names of its own");
    if (d.http_status == 414 || d.http_status == 431) {
        error_details with_hint = d;
        with_hint.text +=
            " (the wrapped keys of end-to-end encryption stand in the URL: fewer or shorter ones may fit)";
        return make_failure(refused.code, std::move(with_hint));
    }
    return refused;
}

/// Pulsar before 2.11 ignores `encryptionKeys` and opens the socket all the same; so does what leaves the parameter out
/// on the way, and an old proxy whose own reader of keys takes any name. So the first frame of a socket asks: a member
/// that PIP-290 brought, of a wrong type, in a message that no proxy stores, for its payload is not base64. The JSON is
/// read before the payload. Neither answer takes a sequence number.
///
///     with PIP-290       send-error:3    the member is known, and a number is needed
///     without            send-error:7    the member is ignored, and the payload is no base64
///
/// It tells whether the proxy is one that can: of a proxy that can and has not got the keys it does not tell.
inline constexpr std::string_view encryption_probe =
    R"({"payload":"!!","uncompressedMessageSize":"!!","context":"probe"})";

/// What the answer to the probe means: no failure, or `errc::encryption_unsupported`. No message may be written before.
inline failure judge_encryption_probe(const acknowledgement& answer) {
    if (!answer.ok && answer.code == 3) return {};
    if (!answer.ok && answer.code == 7) return detail::no_pip_290({}, "It opens the socket and ignores the keys");
    error_details d;
    d.text = answer.ok ? "ok" : server_text(answer.error_text, longest_excerpt);
    return detail::no_pip_290(std::move(d), "It gives a message that asks for it another answer than is known");
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
