// SPDX-License-Identifier: BSL-1.0
// End-to-end encryption (PIP-290) for `producer_options::encryption`: by OpenSSL, so here is what needs its ciphers.
#pragma once

#include <sluice/end_to_end.hpp>
#include <sluice/public_key.hpp>
#include <sluice/pulsar/envelope_sealer.hpp>

#include <openssl/rand.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

namespace detail {

/// Data keys are made by OpenSSL's private generator, and not by the producer's `Traits::random`, which may be any.
inline void private_random(void*, std::span<std::byte> out) {
    if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
        throw std::system_error(make_error_code(std::errc::io_error), "no randomness from OpenSSL");
}

inline std::unique_ptr<pulsar::message_sealer> make_sealer(const end_to_end_encryption& option,
                                                           const pulsar::compressor& codec) {
    return std::make_unique<pulsar::envelope_sealer>(option.keys, option.reader, codec,
                                                     web::random_source{nullptr, &private_random});
}

} // namespace detail

/// For `producer_options::encryption`: each message can be read with any of the private keys whose public keys have
/// these names, and by nobody else.
///
///     sluice::producer_options options;
///     options.compress_at = sluice::compress_at::end_to_end;
///     options.encryption = sluice::encrypt_for({"orders"}, sluice::pem_files{{"orders", "/etc/keys/orders.pem"}});
///
/// The keys are read anew for each socket: what a file holds by then counts. Nothing is read here: a name that is not
/// allowed shows at the producer's first operation as `errc::invalid_option`, a key that will not do as
/// `errc::invalid_key`. A producer has a copy of the reader, and asks it on its strand; producers that share what a
/// reader refers to may ask at the same time.
inline end_to_end_encryption encrypt_for(std::vector<std::string> names, key_source reader) {
    end_to_end_encryption option;
    option.keys = std::move(names);
    option.reader = std::move(reader);
    option.make = &detail::make_sealer;
    return option;
}

} // namespace v1
} // namespace sluice
