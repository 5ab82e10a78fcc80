// SPDX-License-Identifier: BSL-1.0
// Who may read what is encrypted end to end: names with checked public keys.
#pragma once

#include <sluice/end_to_end.hpp>
#include <sluice/public_key.hpp>
#include <sluice/pulsar/rsa_key.hpp>
#include <sluice/pulsar/secret.hpp>
#include <sluice/web/utf8.hpp>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace pulsar {

struct recipient {
    std::string name{};
    std::map<std::string, std::string> metadata{};
    detail::pkey_handle key{};
};

/// Checks what a reader gave, and cleanses its text: it may be a private key, put there by mistake.
/// `errc::invalid_key` names the key, its file and what is wrong, and quotes nothing of the text.
inline std::pair<failure, recipient> make_recipient(std::string_view name, public_key&& key) {
    std::pair<failure, recipient> made{};
    parsed_key parsed = parse_public_key(key.pem);
    cleanse(key.pem);
    std::string wrong = std::move(parsed.wrong);
    for (const auto& [field, value] : key.metadata)
        if (wrong.empty() && !(web::is_utf8(field) && web::is_utf8(value))) wrong = "has metadata that is not UTF-8";
    if (wrong.empty()) {
        made.second = {std::string(name), std::move(key.metadata), std::move(parsed.key)};
    } else {
        const std::string text = "encryption key " + sluice::detail::in_quotes(name) + ": ";
        made.first =
            make_failure(errc::invalid_key, text + (key.origin.empty() ? "the key" : key.origin) + " " + wrong);
    }
    return made;
}

/// Asks for each key. The first mistake ends it.
template <key_reader Reader>
std::pair<failure, std::vector<recipient>> read_recipients(Reader& reader, std::span<const std::string> names) {
    std::pair<failure, std::vector<recipient>> all{};
    all.first = check_key_names(names);
    if (all.first) return all;
    for (const std::string& name : names) {
        key_answer found;
        try {
            found = reader(name);
        } catch (...) { // whose words may hold anything
            found.first = make_failure(errc::credential_failed,
                                       "encryption key " + sluice::detail::in_quotes(name) + ": its reader threw");
        }
        std::pair<failure, recipient> made{};
        if (!found.first) made = make_recipient(name, std::move(found.second));
        all.first = found.first ? std::move(found.first) : std::move(made.first);
        if (all.first) break;
        all.second.push_back(std::move(made.second));
    }
    if (all.first) all.second.clear();
    return all;
}

} // namespace pulsar
} // namespace v1
} // namespace sluice
