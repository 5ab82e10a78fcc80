// SPDX-License-Identifier: BSL-1.0
// Compressed, then sealed: every codec, payloads that do and do not get shorter, and what the frame says of them.
#include "key_pairs.hpp"
#include "wrapped_keys.hpp"

#include <sluice/codec/any.hpp>
#include <sluice/codec/lz4.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/codec/snappy.hpp>
#include <sluice/codec/zlib.hpp>
#include <sluice/codec/zstd.hpp>
#include <sluice/pulsar/envelope_opener.hpp>
#include <sluice/pulsar/sealed_payload.hpp>

#include <doctest/doctest.h>
#include <simdjson.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sluice;
using namespace sluice::pulsar;

namespace {

using bytes = std::vector<std::byte>;

void count_up(void* next, std::span<std::byte> out) {
    for (std::byte& b : out) b = static_cast<std::byte>((*static_cast<unsigned*>(next))++ * 167 + 13);
}

struct socket {
    explicit socket(std::uint64_t limit = envelope::most_messages) {
        std::vector<recipient> to;
        public_key key;
        key.pem = test::alice().public_pem;
        to.push_back(make_recipient("a", std::move(key)).second);
        sealing = envelope::make(to, {&state, &count_up}, limit).second;
        REQUIRE_FALSE(sealing.exhausted());
        const test::wrapped_key wrapped = test::wrapped_keys(sealing.url_parameter()).at(0);
        opening = envelope_opener::make(test::alice().private_pem, wrapped.value).second;
    }

    bytes opened(const sealed_payload& p) {
        bytes out(p.bytes.size() - tag_size);
        const codec_result r = opening.open(p.iv, p.bytes, out);
        REQUIRE_FALSE(r.ec);
        REQUIRE(r.size == out.size());
        return out;
    }

    unsigned state = 1;
    envelope sealing{};
    envelope_opener opening{};
};

std::string members_of(const sealed_payload& p) {
    std::string text(p.members_size() + 1, '#');
    REQUIRE(p.put_members(text.data()) == text.data() + text.size() - 1);
    REQUIRE(text.back() == '#');
    text.pop_back();
    return text;
}

std::string repeated(std::size_t n) {
    std::string text;
    while (text.size() < n) text += "one gate of a sluice, and another ";
    text.resize(n);
    return text;
}

std::string noise(std::size_t n) {
    std::string text(n, '\0');
    std::uint64_t state = 88172645463325252u;
    for (char& c : text) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        c = static_cast<char>(state >> 32);
    }
    return text;
}

template <class Codec>
void check_round_trips(Codec codec) {
    CAPTURE(to_string(codec.type()));
    socket s;
    payload_sealer sealer(compressor::of(codec));
    for (const bool random : {false, true}) {
        for (const std::size_t n : {0u, 1u, 2u, 5u, 16u, 100u, 300u, 4096u, 16384u, 100000u, 1u << 20, 7u}) {
            CAPTURE(random);
            CAPTURE(n);
            const std::string payload = random ? noise(n) : repeated(n);
            const sealed_payload p = sealer.seal(s.sealing, web::as_bytes(payload));
            REQUIRE_FALSE(p.ec);
            const bytes opened = s.opened(p);
            if (p.compression == compression_type::none) {
                CHECK(web::as_text(opened) == payload);
            } else {
                CHECK(p.compression == codec.type());
                CHECK(p.uncompressed_size == n);
                CHECK(opened.size() < n);
                bytes out(n);
                const codec_result r = codec.decompress(opened, out);
                REQUIRE_FALSE(r.ec);
                CHECK(r.size == n);
                CHECK(web::as_text(out) == payload);
            }
            const bool shorter = !random && n >= 300 && codec.type() != compression_type::none;
            if (shorter || random || n < 16) CHECK((p.compression != compression_type::none) == shorter);
        }
    }
}

} // namespace

TEST_CASE("every codec: what a recipient opens and decompresses is the payload") {
    check_round_trips(codec::none{});
    check_round_trips(codec::lz4{});
    check_round_trips(codec::zlib{});
    check_round_trips(codec::zstd{});
    check_round_trips(codec::snappy{});
    check_round_trips(codec::any::make("zstd").first);
}

TEST_CASE("the members say what is needed to read it, as exactly as was promised") {
    sealed_payload p;
    CHECK(members_of(p) == R"(,"encryptionParam":"AAAAAAAAAAAAAAAA")");
    p.iv.fill(std::byte{0xff});
    p.uncompressed_size = 5; // not compressed: not said
    CHECK(members_of(p) == R"(,"encryptionParam":"////////////////")");
    p.compression = compression_type::lz4;
    p.uncompressed_size = 0;
    CHECK(members_of(p) ==
          R"(,"compressionType":"LZ4","uncompressedMessageSize":0,"encryptionParam":"////////////////")");
    p.compression = compression_type::snappy;
    p.uncompressed_size = 2147483584;
    CHECK(members_of(p) ==
          R"(,"compressionType":"SNAPPY","uncompressedMessageSize":2147483584,"encryptionParam":"////////////////")");
    socket s;
    codec::zlib zlib;
    payload_sealer sealer(compressor::of(zlib));
    const std::string text = "{\"a\":0" + members_of(sealer.seal(s.sealing, web::as_bytes(repeated(1000)))) + "}";
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    REQUIRE(parser.parse(text).get(object) == simdjson::SUCCESS);
    CHECK(std::string_view(object["compressionType"]) == "ZLIB");
    CHECK(std::int64_t(object["uncompressedMessageSize"]) == 1000);
}

TEST_CASE("without a codec a payload is sealed as it is") {
    socket s;
    payload_sealer sealer;
    const sealed_payload p = sealer.seal(s.sealing, web::as_bytes("hello"));
    CHECK(p.compression == compression_type::none);
    CHECK(p.bytes.size() == 5 + 16);
    CHECK(web::as_text(s.opened(p)) == "hello");
    CHECK(sealer.seal(s.sealing, {}).bytes.size() == 16);
}

namespace {

/// A codec that fails, or that claims more than it should.
struct fragile {
    compression_type type() const noexcept { return compression_type::lz4; }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    codec_result compress(std::span<const std::byte>, std::span<std::byte>) { return {errc::output_limit, 1}; }
    codec_result decompress(std::span<const std::byte>, std::span<std::byte>) { return {errc::corrupt_data}; }
};

/// Shows what is in its room before it writes there.
struct curious {
    std::string seen{};
    compression_type type() const noexcept { return compression_type::lz4; }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) {
        seen.assign(web::as_text(out));
        std::copy(in.begin(), in.end(), out.begin());
        return {{}, in.size() - 1};
    }
    codec_result decompress(std::span<const std::byte>, std::span<std::byte>) { return {errc::corrupt_data}; }
};

} // namespace

TEST_CASE("what the codec fails at is sealed uncompressed") {
    socket s;
    fragile codec;
    payload_sealer sealer(compressor::of(codec));
    const sealed_payload p = sealer.seal(s.sealing, web::as_bytes("hello"));
    CHECK_FALSE(p.ec);
    CHECK(p.compression == compression_type::none);
    CHECK(web::as_text(s.opened(p)) == "hello");
}

TEST_CASE("compressed plaintext is cleansed after each message") {
    socket s;
    curious codec;
    payload_sealer sealer(compressor::of(codec));
    const std::string secret(100, 's');
    CHECK(sealer.seal(s.sealing, web::as_bytes(secret)).compression == compression_type::lz4);
    CHECK_FALSE(sealer.seal(s.sealing, web::as_bytes(secret)).ec);
    CHECK(codec.seen == std::string(100, '\0'));
    sealer.shrink(1000);
    CHECK_FALSE(sealer.seal(s.sealing, web::as_bytes(secret)).ec);
    CHECK(codec.seen == std::string(100, '\0'));
}

TEST_CASE("an exhausted envelope: an error, no bytes, and nothing is compressed for it") {
    socket s(1);
    curious codec;
    payload_sealer sealer(compressor::of(codec));
    CHECK_FALSE(sealer.seal(s.sealing, web::as_bytes("first")).ec);
    codec.seen = "untouched";
    const sealed_payload p = sealer.seal(s.sealing, web::as_bytes("second"));
    CHECK(p.ec == errc::closed);
    CHECK(p.bytes.empty());
    CHECK(codec.seen == "untouched");
}

TEST_CASE("memory: kept up to a size, given back above it, and had again") {
    socket s;
    codec::lz4 lz4;
    payload_sealer sealer(compressor::of(lz4));
    const std::string large = repeated(1 << 20);
    CHECK_FALSE(sealer.seal(s.sealing, web::as_bytes(large)).ec);
    sealer.shrink(64 << 10);
    const sealed_payload p = sealer.seal(s.sealing, web::as_bytes(large));
    CHECK(p.uncompressed_size == large.size());
    CHECK(s.opened(p).size() < large.size());
}
