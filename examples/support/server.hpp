// SPDX-License-Identifier: BSL-1.0
// Which server, and as whom: flags for what may be seen, the environment for credentials, a region inside the process
// where nobody says which.
#pragma once

#include "arguments.hpp"

#include <sluice.hpp>
#if defined(SLUICE_WITH_ZLIB)
#include <sluice/deflate.hpp>
#endif
#include <sluice/testing/gateway.hpp>

#include <asio/io_context.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace tool {

inline constexpr const char* environment_help =
    "environment:\n"
    "  SLUICE_URL                      the server, without --url; neither: a region inside this process\n"
    "  SLUICE_API_KEY                  GDN: the first of these three that is set\n"
    "  SLUICE_JWT\n"
    "  SLUICE_EMAIL, SLUICE_PASSWORD\n"
    "  SLUICE_TOKEN                    the token for a plain Pulsar, if it asks for one\n"
    "  SLUICE_CA_FILE                  as --ca-file\n";

inline flags server_flags(sluice::client_config& config) {
    using sluice::socket_auth;
    return {
        {"", "", "server", {}},
        {"--url", "URL", "https://HOST: a GDN region; ws[s]://HOST:PORT: a plain Pulsar", text(config.url)},
        {"--fabric", "NAME", "GDN's fabric (_system)", text(config.fabric)},
        {"--tenant", "NAME", "where the credential does not say it", text(config.tenant)},
        {"--header", "", "open the socket with the Authorization header instead of a one-time password",
         set(config.socket_auth, socket_auth::header)},
        {"--ca-file", "FILE", "trusted authorities, PEM, instead of the system's", text(config.tls.ca_file)},
        {"--certificate", "FILE", "the client's own certificate, PEM", text(config.tls.certificate)},
        {"--certificate-key", "FILE", "and its key", text(config.tls.key)},
        {"--allow-plaintext", "", "http:// and ws:// to hosts other than this one", set(config.allow_plaintext, true)},
    };
}

inline std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

/// What the flags have left open. Without a URL there is no server yet.
inline void read_environment(sluice::client_config& config) {
    if (config.url.empty()) config.url = environment("SLUICE_URL");
    if (config.tls.ca_file.empty()) config.tls.ca_file = environment("SLUICE_CA_FILE");
    if (config.url.empty()) return;
    if (config.url.starts_with("ws://") || config.url.starts_with("wss://")) {
        if (std::string token = environment("SLUICE_TOKEN"); !token.empty())
            config.auth = sluice::bearer_token{std::move(token)};
    } else if (std::string key = environment("SLUICE_API_KEY"); !key.empty()) {
        config.auth = sluice::api_key{std::move(key)};
    } else if (std::string jwt = environment("SLUICE_JWT"); !jwt.empty()) {
        config.auth = sluice::jwt{std::move(jwt)};
    } else if (std::string email = environment("SLUICE_EMAIL"); !email.empty()) {
        config.auth = sluice::password{.email = std::move(email), .secret = environment("SLUICE_PASSWORD")};
    } else {
        throw usage_error("there is a URL and no credential: SLUICE_API_KEY, SLUICE_JWT, or SLUICE_EMAIL and "
                          "SLUICE_PASSWORD have to be set");
    }
}

/// A region of our own if the configuration names none. It must die before the context.
inline std::unique_ptr<sluice::testing::gateway> own_gateway(asio::io_context& context, sluice::client_config& config,
                                                             const char* program) {
    if (!config.url.empty()) return nullptr;
    sluice::testing::gateway_options options;
    options.proxy.max_messages_per_topic = 1000; // nobody reads them
    options.proxy.fabrics = {config.fabric};
#if defined(SLUICE_WITH_ZLIB)
    options.proxy.deflate = sluice::deflate_on;
#endif
    if (!config.tenant.empty()) options.proxy.tenant = config.tenant;
    auto gateway = std::make_unique<sluice::testing::gateway>(context, options);
    config.url = gateway->url();
    config.auth = sluice::api_key{gateway->api_key()};
    std::cerr << program << ": neither --url nor SLUICE_URL: publishing to a region inside this process, "
              << gateway->url() << std::endl;
    return gateway;
}

} // namespace tool
