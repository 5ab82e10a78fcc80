// SPDX-License-Identifier: BSL-1.0
// Any text as the PEM of a public key: taken, or refused in a few printable words; the text is cleansed.
#include <sluice/pulsar/recipient.hpp>

#include <openssl/err.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

using namespace sluice;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

constexpr std::string_view begin = "encryption key \"k\": the key ";

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    public_key key;
    key.pem.assign(reinterpret_cast<const char*>(data), size);
    const auto [f, made] = pulsar::make_recipient("k", std::move(key));
    require(key.pem.empty());
    require(ERR_peek_error() == 0);
    require(static_cast<bool>(f) != static_cast<bool>(made.key));
    if (!f) {
        require(EVP_PKEY_get_bits(made.key.get()) >= pulsar::shortest_rsa_key);
        return 0;
    }
    require(f.code == errc::invalid_key);
    const std::string& said = f.details->text;
    require(said.starts_with(begin) && said.size() < 300);
    for (const char c : said) require(c >= 0x20 && c < 0x7f);
    return 0;
}
