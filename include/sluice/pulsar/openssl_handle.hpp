// SPDX-License-Identifier: BSL-1.0
// OpenSSL's objects with an owner, and what it says about a failure.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <string>

namespace sluice {
inline namespace v1 {
namespace pulsar {
namespace detail {

template <auto Free>
struct free_by {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};

using bio_handle = std::unique_ptr<BIO, free_by<BIO_free_all>>;
using bn_handle = std::unique_ptr<BIGNUM, free_by<BN_free>>;
using pkey_handle = std::unique_ptr<EVP_PKEY, free_by<EVP_PKEY_free>>;
using pkey_context = std::unique_ptr<EVP_PKEY_CTX, free_by<EVP_PKEY_CTX_free>>;
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, free_by<EVP_CIPHER_CTX_free>>; // cleanses its key schedule

/// OpenSSL leaves its errors in a queue of the thread's, where the next to look there (TLS) takes them for its own:
/// what a scope left there is taken out at its end.
class openssl_errors {
public:
    openssl_errors() noexcept { ERR_set_mark(); }
    openssl_errors(const openssl_errors&) = delete;
    openssl_errors& operator=(const openssl_errors&) = delete;
    ~openssl_errors() { ERR_pop_to_mark(); }

    /// OpenSSL's word for the last one: constant texts, never data. "unknown" if there is none.
    std::string last() const {
        const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
        return reason != nullptr ? reason : "unknown";
    }
};

} // namespace detail
} // namespace pulsar
} // namespace v1
} // namespace sluice
