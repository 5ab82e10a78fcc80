// SPDX-License-Identifier: BSL-1.0
// End-to-end encryption in a benchmark: with a key of its own, made when it starts.
#pragma once

#include "measure.hpp"

#include <sluice/encryption.hpp>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

namespace bench {

/// The public half of a new RSA key of 2048 bits, as PEM. The private half is gone.
inline std::string make_public_key() {
    struct deleter {
        void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
        void operator()(BIO* p) const noexcept { BIO_free(p); }
    };
    const std::unique_ptr<EVP_PKEY, deleter> key(EVP_RSA_gen(2048));
    const std::unique_ptr<BIO, deleter> memory(BIO_new(BIO_s_mem()));
    if (!key || !memory || PEM_write_bio_PUBKEY(memory.get(), key.get()) != 1) fail("no RSA key can be made");
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

template <class Keys, class Options>
void encrypt_for_nobody(Options& o) {
    if constexpr (requires { o.encryption = encrypt_for({"benchmark"}, Keys{{"benchmark", std::string()}}); })
        o.encryption = encrypt_for({"benchmark"}, Keys{{"benchmark", make_public_key()}});
    else
        fail("--compress-at end_to_end: this library has no encryption yet");
}

} // namespace bench
