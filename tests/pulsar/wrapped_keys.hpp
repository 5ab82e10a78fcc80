// SPDX-License-Identifier: BSL-1.0
// The keys in an envelope's parameter, as a server reads them.
#pragma once

#include <sluice/web/base64.hpp>
#include <sluice/web/url.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

struct wrapped_key {
    std::string name{};
    std::vector<std::byte> value{};
    std::string metadata{}; ///< as JSON; empty: none
};

inline std::vector<std::byte> base64_decoded(std::string_view text) {
    std::vector<std::byte> out(sluice::web::base64_decoded_bound(text.size()));
    const auto n = sluice::web::base64_decode(text, out.data());
    REQUIRE(n.has_value());
    out.resize(*n);
    return out;
}

/// The query, base64, JSON.
inline std::vector<wrapped_key> wrapped_keys(std::string_view url_parameter) {
    constexpr std::string_view name = "encryptionKeys=";
    REQUIRE(url_parameter.starts_with(name));
    const auto value = sluice::web::percent_decode(url_parameter.substr(name.size()));
    REQUIRE(value.has_value());
    const std::vector<std::byte> json = base64_decoded(*value);
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(sluice::web::as_text(json));
    simdjson::dom::object object;
    REQUIRE(parser.parse(padded).get(object) == simdjson::SUCCESS);
    std::vector<wrapped_key> keys;
    for (const auto& [key, members] : object) {
        std::string_view text;
        REQUIRE(members["keyValue"].get(text) == simdjson::SUCCESS);
        wrapped_key k{std::string(key), base64_decoded(text)};
        simdjson::dom::element metadata;
        if (members["metadata"].get(metadata) == simdjson::SUCCESS) k.metadata = simdjson::minify(metadata);
        keys.push_back(std::move(k));
    }
    return keys;
}

} // namespace test
