// SPDX-License-Identifier: BSL-1.0
// Who the client is. None of these texts ever reaches a log, an error or an exception.
#pragma once

#include <sluice/error.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace sluice {
inline namespace v1 {

/// A GDN API key, `TENANT.KEYID.SECRET`. Never expires. Not sent in the `pulsar` dialect.
struct api_key {
    std::string value;
};

/// A GDN JSON web token. Lives 12 hours unless renewed.
struct jwt {
    std::string value;
};

/// A login at `POST /_open/auth`: e-mail and password, or tenant, user and password. The client logs in again after a
/// 401 and shortly before the token's `exp`.
struct password {
    std::string email{};
    std::string secret{};
    std::string tenant{};
    std::string user{};
};

/// A token of a plain Pulsar cluster: `Authorization: Bearer ...`.
struct bearer_token {
    std::string value;
};

struct no_auth {};

/// What a `credential_source` gives.
using credential = std::variant<no_auth, api_key, jwt, bearer_token>;

namespace detail {
// Turns an awaitable callable into one with a callback. Defined in io/credential_bridge.hpp: this leaf knows no Asio.
template <class F>
class credential_bridge;
} // namespace detail

/// Credentials from elsewhere (a vault, a token service): a callable without arguments that returns
/// `asio::awaitable<sluice::credential>`. It runs on the client's executor, is asked before the first connection, again
/// after a 401, and shortly before `exp` where it gave a JWT; not again while it is awaited. A thrown exception or a
/// call that is longer than `time_limits::credential` (it goes on unheard) fails the attempt, which is retried with
/// backoff.
class credential_source {
public:
    using done = std::function<void(failure, credential)>;
    /// `executor` points to an `asio::any_io_executor`.
    using ask_function = std::function<void(const void* executor, done)>;

    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, credential_source> && std::invocable<F&>)
    credential_source(F f) : ask_(detail::credential_bridge<F>::wrap(std::move(f))) {}

    void ask(const void* executor, done d) const { ask_(executor, std::move(d)); }

private:
    ask_function ask_;
};

using auth = std::variant<no_auth, api_key, jwt, password, bearer_token, credential_source>;

} // namespace v1
} // namespace sluice
