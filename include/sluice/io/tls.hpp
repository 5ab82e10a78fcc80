// SPDX-License-Identifier: BSL-1.0
// From `tls_options` to a context: chain and host name are verified, TLS 1.2 or newer.
#pragma once

#include <sluice/config.hpp>
#include <sluice/io/asio_compat.hpp>

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace sluice {
inline namespace v1 {
namespace io {

/// The context of one client: its own, or the user's.
class tls_context {
public:
    /// What is wrong with the options, if anything: which file, and why.
    failure load(const tls_options& o) {
        if (o.context) {
            context_ = static_cast<asio::ssl::context*>(o.context);
            return {};
        }
        own_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
        context_ = own_.get();
        if (SSL_CTX_set_min_proto_version(context_->native_handle(), TLS1_2_VERSION) != 1)
            return make_failure(errc::tls_failed, "OpenSSL does not offer TLS 1.2");
        context_->set_verify_mode(asio::ssl::verify_peer);
        std::error_code ec;
        if (!o.ca_file.empty()) {
            context_->load_verify_file(o.ca_file, ec);
            if (ec) return bad("tls.ca_file", o.ca_file, "a PEM file of certificates", ec);
        }
        if (!o.ca_pem.empty()) {
            context_->add_certificate_authority(asio::buffer(o.ca_pem), ec);
            if (ec) return bad("tls.ca_pem", "(text)", "certificates in PEM", ec);
        }
        if (o.ca_file.empty() && o.ca_pem.empty()) {
            context_->set_default_verify_paths(ec);
            if (ec) return bad("tls", "(system)", "a system with trusted certificates, or ca_file", ec);
        }
        if (o.certificate.empty() != o.key.empty())
            return make_failure(errc::invalid_option, "tls.certificate and tls.key: both are needed, or neither");
        if (!o.certificate.empty()) {
            context_->use_certificate_chain_file(o.certificate, ec);
            if (ec) return bad("tls.certificate", o.certificate, "a PEM file of a certificate chain", ec);
            context_->use_private_key_file(o.key, asio::ssl::context::pem, ec);
            if (ec) return bad("tls.key", o.key, "a PEM file of the certificate's private key", ec);
        }
        return {};
    }

    asio::ssl::context* get() const noexcept { return context_; }

private:
    static failure bad(const char* field, const std::string& value, const char* allowed, const std::error_code& ec) {
        error_details d;
        d.text = std::string(field) + " = \"" + value + "\": " + ec.message() + "; allowed is " + allowed;
        d.cause = ec;
        return make_failure(errc::invalid_option, std::move(d));
    }

    std::unique_ptr<asio::ssl::context> own_{};
    asio::ssl::context* context_ = nullptr;
};

} // namespace io
} // namespace v1
} // namespace sluice
