// SPDX-License-Identifier: BSL-1.0
// A consumer that holds a private key: what end-to-end encrypted messages say. Throws `std::runtime_error` where one
// cannot be read.
#pragma once

#include <sluice/codec/any.hpp>
#include <sluice/pulsar/envelope_opener.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/url.hpp>

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// Of the messages of one socket, under one data key.
class sealed_reader {
public:
    /// `keys`: the JSON that `encryptionKeys` brought, or `encryptionContext.keys`. `name`: of whose wrapped key is
    /// taken.
    sealed_reader(std::string_view private_pem, std::string_view keys, std::string_view name) {
        simdjson::dom::parser parser;
        const simdjson::padded_string padded(keys);
        simdjson::dom::element root;
        std::string_view wrapped;
        if (parser.parse(padded).get(root) != simdjson::SUCCESS ||
            root[name]["keyValue"].get(wrapped) != simdjson::SUCCESS)
            throw std::runtime_error("no wrapped key of that name: " + std::string(keys));
        auto [f, opener] = sluice::pulsar::envelope_opener::make(private_pem, decoded(wrapped));
        if (f) throw std::runtime_error(f.details->text);
        opener_ = std::move(opener);
    }
    /// `encryptionKeys=...` as it stands in a query, as JSON.
    static std::string keys_of(std::string_view parameter) {
        const auto text = sluice::web::percent_decode(parameter.substr(parameter.find('=') + 1));
        if (!text) throw std::runtime_error("not percent-encoded");
        return std::string(sluice::web::as_text(decoded(*text)));
    }

    /// `compression` empty: the payload is not compressed. `param`: `encryptionParam`, in base64.
    std::string open(sluice::web::bytes_view sealed, std::string_view param, std::string_view compression,
                     std::size_t uncompressed) {
        const std::vector<std::byte> iv = decoded(param);
        sluice::pulsar::iv_bytes fixed{};
        if (iv.size() != fixed.size()) throw std::runtime_error("an IV of " + std::to_string(iv.size()) + " bytes");
        std::copy(iv.begin(), iv.end(), fixed.begin());
        std::vector<std::byte> plain(sealed.size());
        const auto opened = opener_.open(fixed, sealed, plain);
        if (opened.ec) throw std::runtime_error("not opened: " + opened.ec.message());
        plain.resize(opened.size);
        if (compression.empty()) return std::string(sluice::web::as_text(plain));
        auto [codec, unknown] = sluice::codec::any::make(compression);
        if (unknown) throw std::runtime_error(unknown.details->text);
        std::vector<std::byte> text(uncompressed);
        const auto unpacked = codec.decompress(plain, text);
        if (unpacked.ec || unpacked.size != uncompressed) throw std::runtime_error("not decompressed");
        return std::string(sluice::web::as_text(text));
    }
    /// A producer's message, or what a consumer is delivered in its `encryptionContext`: both name the members alike
    /// but one.
    std::string open(sluice::web::bytes_view sealed, std::string_view json) {
        simdjson::dom::parser parser;
        const simdjson::padded_string padded(json);
        simdjson::dom::element root;
        if (parser.parse(padded).get(root) != simdjson::SUCCESS) throw std::runtime_error("no JSON");
        std::string_view param, compression;
        std::uint64_t size = 0;
        if (root["encryptionParam"].get(param) != simdjson::SUCCESS && root["param"].get(param) != simdjson::SUCCESS)
            throw std::runtime_error("no IV");
        if (root["compressionType"].get(compression) == simdjson::SUCCESS &&
            root["uncompressedMessageSize"].get(size) != simdjson::SUCCESS)
            throw std::runtime_error("a codec and no size");
        if (compression == "NONE") compression = {};
        return open(sealed, param, compression, size);
    }

private:
    static std::vector<std::byte> decoded(std::string_view text) {
        std::vector<std::byte> out(sluice::web::base64_decoded_bound(text.size()));
        const auto n = sluice::web::base64_decode(text, out.data());
        if (!n) throw std::runtime_error("no base64");
        out.resize(*n);
        return out;
    }

    sluice::pulsar::envelope_opener opener_{};
};

} // namespace test
