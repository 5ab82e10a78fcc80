// SPDX-License-Identifier: BSL-1.0
// The option `producer_options::encryption`, without what does the encrypting: `sluice/encryption.hpp` brings that.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

namespace pulsar {
class message_sealer;
struct compressor;
} // namespace pulsar

/// A public key as its reader found it.
struct public_key {
    /// `PUBLIC KEY` (X.509 SubjectPublicKeyInfo) or `RSA PUBLIC KEY` (PKCS#1): RSA, 2048 bits or more. Of several
    /// blocks the first counts.
    std::string pem{};
    std::string origin{}; ///< for error texts, as `file "/etc/keys/orders.pem"`; empty: the key's name says enough
    /// What a consumer's own key reader is told beside the wrapped key, such as the key's version. Not secret.
    std::map<std::string, std::string> metadata{};
};

using key_answer = std::pair<failure, public_key>;

/// Where public keys come from: any `key_reader` (sluice/public_key.hpp).
using key_source = std::function<key_answer(std::string_view name)>;

/// Who may read what is sent with `compress_at::end_to_end`. Made by `encrypt_for` in `sluice/encryption.hpp`; a
/// program that does not encrypt compiles nothing of OpenSSL's ciphers for it.
struct end_to_end_encryption {
    /// Never null.
    using maker = std::unique_ptr<pulsar::message_sealer> (*)(const end_to_end_encryption&, const pulsar::compressor&);

    std::vector<std::string> keys{}; ///< names, as consumers' key readers will be asked for them
    key_source reader{};
    maker make = nullptr;

    bool is_set() const noexcept { return make != nullptr || reader || !keys.empty(); }
    /// The first mistake. Reads no key.
    failure validate() const;
};

namespace detail {

/// Names are the user's own; what a terminal would obey is not repeated.
inline std::string in_quotes(std::string_view name) {
    std::string text = "\"";
    for (const char c : name.substr(0, 256)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return text + '"';
}

} // namespace detail

namespace pulsar {

/// The names of an option: at least one, none empty, none twice, UTF-8. `errc::invalid_option` names the mistake.
inline failure check_key_names(std::span<const std::string> names) {
    const auto bad = [](std::size_t i, std::string_view why) {
        return make_failure(errc::invalid_option, "encryption keys[" + std::to_string(i) + "] " + std::string(why));
    };
    if (names.empty())
        return make_failure(errc::invalid_option,
                            "encryption keys: end-to-end encryption needs the name of one or more");
    for (std::size_t i = 0; i != names.size(); ++i) {
        if (names[i].empty()) return bad(i, "is empty: a key's name is needed");
        if (!web::is_utf8(names[i])) return bad(i, "is not UTF-8");
        const auto before = names.first(i);
        if (std::find(before.begin(), before.end(), names[i]) != before.end())
            return bad(i, "= " + sluice::detail::in_quotes(names[i]) + " is there twice");
    }
    return {};
}

} // namespace pulsar

inline failure end_to_end_encryption::validate() const {
    if (make == nullptr)
        return make_failure(errc::invalid_option,
                            "encryption: not set, or without `make`; allowed is what encrypt_for gives");
    if (!reader) return make_failure(errc::invalid_option, "encryption.reader is empty: public keys must come from it");
    return pulsar::check_key_names(keys);
}

} // namespace v1
} // namespace sluice
