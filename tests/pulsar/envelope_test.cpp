// SPDX-License-Identifier: BSL-1.0
// The envelope of one socket: known answers, what recipients read, what stands in the URL, and that no IV comes twice.
#include "key_pairs.hpp"
#include "wrapped_keys.hpp"

#include <sluice/pulsar/envelope.hpp>
#include <sluice/pulsar/envelope_opener.hpp>

#include <doctest/doctest.h>

#include <openssl/err.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sluice;
using namespace sluice::pulsar;

namespace {

using test::base64_decoded;
using test::wrapped_key;
using test::wrapped_keys;
using bytes = std::vector<std::byte>;

bytes from_hex(std::string_view text) {
    bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    return out;
}

/// What it was told to give, then numbers of a generator.
struct script {
    std::deque<std::byte> first{};
    std::uint64_t state = 88172645463325252u;
    std::vector<std::size_t> asked{};

    script() = default;
    explicit script(std::string_view hex) {
        for (const std::byte b : from_hex(hex)) first.push_back(b);
    }
    web::random_source source() {
        return {this, [](void* self, std::span<std::byte> out) {
                    auto& s = *static_cast<script*>(self);
                    s.asked.push_back(out.size());
                    for (std::byte& b : out) b = s.next();
                }};
    }
    std::byte next() {
        if (!first.empty()) {
            const std::byte b = first.front();
            first.pop_front();
            return b;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<std::byte>(state >> 32);
    }
};

recipient recipient_of(const std::string& name, const test::key_pair& pair,
                       std::map<std::string, std::string> metadata = {}) {
    public_key key;
    key.pem = pair.public_pem;
    key.metadata = std::move(metadata);
    auto [f, made] = make_recipient(name, std::move(key));
    REQUIRE_FALSE(f);
    return std::move(made);
}

envelope make_envelope(script& random, std::uint64_t limit = envelope::most_messages) {
    std::vector<recipient> to;
    to.push_back(recipient_of("a", test::alice()));
    auto [f, made] = envelope::make(to, random.source(), limit);
    REQUIRE_FALSE(f);
    return std::move(made);
}

struct sealed {
    seal_result result{};
    bytes data{};
};

sealed seal(envelope& e, web::bytes_view plaintext) {
    sealed out;
    out.data.resize(envelope::sealed_size(plaintext.size()));
    out.result = e.seal(plaintext, out.data);
    return out;
}

envelope_opener opener(const wrapped_key& key, const test::key_pair& pair) {
    auto [f, made] = envelope_opener::make(pair.private_pem, key.value);
    REQUIRE_FALSE(f);
    return std::move(made);
}

envelope_opener opener(const envelope& e) { return opener(wrapped_keys(e.url_parameter()).at(0), test::alice()); }

std::string open(envelope_opener& o, const sealed& s) {
    bytes out(s.data.size());
    const codec_result r = o.open(s.result.iv, s.data, out);
    REQUIRE_FALSE(r.ec);
    return std::string(web::as_text(out).substr(0, r.size));
}

std::string noise(std::size_t n) {
    script random;
    std::string text(n, '\0');
    for (char& c : text) c = static_cast<char>(random.next());
    return text;
}

} // namespace

TEST_CASE("known answers: test cases 13 to 15 of the GCM specification (McGrew and Viega)") {
    struct vector {
        const char* key;
        const char* iv;
        const char* plaintext;
        const char* ciphertext;
        const char* tag;
    };
    const std::string zeros(64, '0');
    const vector vectors[] = {
        {zeros.c_str(), "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {zeros.c_str(), "000000000000000000000000", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de"
         "6"
         "57ba637b391aafd255",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7"
         "a"
         "0abcc9f662898015ad",
         "b094dac5d93471bdec1a502270e3cc6c"},
    };
    for (const vector& v : vectors) {
        CAPTURE(v.iv);
        script random(std::string(v.key) + v.iv);
        envelope e = make_envelope(random);
        CHECK(random.asked == std::vector<std::size_t>{32, 12});
        const bytes plaintext = from_hex(v.plaintext), iv = from_hex(v.iv);
        const sealed s = seal(e, plaintext);
        CHECK_FALSE(s.result.ec);
        CHECK(s.result.size == plaintext.size() + 16);
        CHECK(std::equal(iv.begin(), iv.end(), s.result.iv.begin(), s.result.iv.end()));
        CHECK(s.data == from_hex(std::string(v.ciphertext) + v.tag));
    }
}

TEST_CASE("each recipient reads each message, of any size, and nobody else does") {
    std::vector<recipient> to;
    to.push_back(recipient_of("alice", test::alice()));
    to.push_back(recipient_of("bob", test::bob()));
    script random;
    auto [f, e] = envelope::make(to, random.source());
    REQUIRE_FALSE(f);
    const auto keys = wrapped_keys(e.url_parameter());
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].value.size() == 256);
    CHECK(keys[1].value.size() == 384);
    envelope_opener alice = opener(keys[0], test::alice()), bob = opener(keys[1], test::bob());
    CHECK(envelope_opener::make(test::bob().private_pem, keys[0].value).first.code == errc::corrupt_data);
    CHECK(envelope_opener::make(test::alice().private_pem, keys[1].value).first.code == errc::corrupt_data);
    for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 31u, 32u, 255u, 300u, 4096u, 16384u, 100003u, 1u << 20}) {
        CAPTURE(n);
        const std::string plaintext = noise(n);
        const sealed s = seal(e, web::as_bytes(plaintext));
        REQUIRE_FALSE(s.result.ec);
        CHECK(s.result.size == n + 16);
        CHECK(open(alice, s) == plaintext);
        CHECK(open(bob, s) == plaintext);
        if (n >= 16) CHECK(web::as_text(s.data).find(plaintext.substr(0, 16)) == std::string_view::npos);
    }
    script others;
    others.state = 1;
    envelope other = make_envelope(others);
    envelope_opener stranger = opener(other);
    const sealed s = seal(e, web::as_bytes("hello"));
    bytes out(5);
    CHECK(stranger.open(s.result.iv, s.data, out).ec == errc::corrupt_data);
}

TEST_CASE("the parameter: no character that a query changes; names and metadata of any kind") {
    const std::string odd = "k \"ö\\+/&=#%\n>>>???"; // whose last six, in base64, have `+` and `/`
    std::vector<recipient> to;
    to.push_back(recipient_of("plain", test::alice()));
    to.push_back(recipient_of(odd, test::alice(), {{"version", "1"}, {"a\"b", "c\\d"}}));
    script first;
    const auto [f, e] = envelope::make(to, first.source());
    REQUIRE_FALSE(f);
    const std::string& text = e.url_parameter();
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%",
                                 std::string_view("encryptionKeys=").size()) == std::string::npos);
    CHECK(text.find("%2B") != std::string::npos);
    CHECK(text.find("%2F") != std::string::npos);
    const auto keys = wrapped_keys(text);
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].name == "plain");
    CHECK(keys[0].metadata == "");
    CHECK(keys[1].name == odd);
    CHECK(keys[1].metadata == R"({"a\"b":"c\\d","version":"1"})");
    script random;
    const std::string value = *web::percent_decode(make_envelope(random).url_parameter().substr(15));
    CHECK(web::as_text(base64_decoded(value)).starts_with(R"({"a":{"keyValue":")"));
    CHECK(web::as_text(base64_decoded(value)).ends_with(R"("}})"));
    CHECK(make_envelope(random).url_parameter().size() < 530); // as it is documented: some 510
}

TEST_CASE("no IV comes twice: the counter goes round, the rest stays") {
    for (const char* start : {"000000000000000000000000", "0102030400000000fffffff0", "fffffffffffffffffffffff0"}) {
        script random(std::string(64, '7') + start);
        envelope e = make_envelope(random);
        std::set<iv_bytes> seen;
        const bytes first = from_hex(start);
        for (std::uint64_t i = 0; i < 100'000; ++i) {
            std::byte out[17];
            const seal_result r = e.seal(web::as_bytes("x"), out);
            REQUIRE(seen.insert(r.iv).second);
            REQUIRE(std::equal(first.begin(), first.begin() + 4, r.iv.begin()));
            const std::uint64_t begin = web::load_big_endian<std::uint64_t>(first.data() + 4);
            REQUIRE(web::load_big_endian<std::uint64_t>(r.iv.data() + 4) == begin + i);
        }
        CHECK(e.count() == 100'000);
    }
    // Keys and IVs of two sockets have nothing in common.
    script random;
    envelope one = make_envelope(random), two = make_envelope(random);
    CHECK(seal(one, {}).result.iv != seal(two, {}).result.iv);
    CHECK(one.url_parameter() != two.url_parameter());
}

TEST_CASE("equal messages have nothing in common when they are sealed") {
    script random;
    envelope e = make_envelope(random);
    const std::string text(64, 'x');
    const sealed a = seal(e, web::as_bytes(text)), b = seal(e, web::as_bytes(text));
    CHECK(a.data != b.data);
    int same = 0;
    for (std::size_t i = 0; i < a.data.size(); ++i) same += a.data[i] == b.data[i];
    CHECK(same < 16);
}

TEST_CASE("a change of any bit of ciphertext, tag or IV is noticed, at every cut too, and nothing gets out") {
    script random;
    envelope e = make_envelope(random);
    envelope_opener o = opener(e);
    const std::string plaintext = "a message that was sealed as it stands here";
    const sealed good = seal(e, web::as_bytes(plaintext));
    const auto check_refused = [&](const sealed& s) {
        bytes out(s.data.size(), std::byte{'?'});
        const codec_result r = o.open(s.result.iv, s.data, out);
        REQUIRE(r.ec == errc::corrupt_data);
        REQUIRE(r.size == 0);
        for (std::size_t i = 0; i + 16 < s.data.size(); ++i) REQUIRE(out[i] == std::byte{0});
        REQUIRE(ERR_peek_error() == 0);
    };
    for (std::size_t i = 0; i < good.data.size(); ++i)
        for (int bit = 0; bit < 8; ++bit) {
            sealed s = good;
            s.data[i] ^= std::byte(1 << bit);
            check_refused(s);
        }
    for (std::size_t i = 0; i < iv_size; ++i)
        for (int bit = 0; bit < 8; ++bit) {
            sealed s = good;
            s.result.iv[i] ^= std::byte(1 << bit);
            check_refused(s);
        }
    for (std::size_t n = 0; n < good.data.size(); ++n) {
        sealed s = good;
        s.data.resize(n);
        bytes out(good.data.size());
        REQUIRE(o.open(s.result.iv, s.data, out).ec == errc::corrupt_data);
    }
    sealed longer = good;
    longer.data.push_back(std::byte{0});
    check_refused(longer);
    const sealed other = seal(e, web::as_bytes(plaintext)); // another message's IV
    sealed mixed = good;
    mixed.result.iv = other.result.iv;
    check_refused(mixed);
    CHECK(open(o, good) == plaintext); // and the opener is none the worse
}

TEST_CASE("a wrapped key with any byte changed, or cut, opens nothing") {
    script random;
    envelope e = make_envelope(random);
    const wrapped_key good = wrapped_keys(e.url_parameter()).at(0);
    for (std::size_t i = 0; i < good.value.size(); i += 5) {
        bytes damaged = good.value;
        damaged[i] ^= std::byte{1};
        REQUIRE(envelope_opener::make(test::alice().private_pem, damaged).first.code == errc::corrupt_data);
    }
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, good.value.size() - 1})
        CHECK(envelope_opener::make(test::alice().private_pem, std::span(good.value).first(n)).first.code ==
              errc::corrupt_data);
    // What is wrapped well but is no key of 32 bytes.
    std::string wrong;
    const bytes half = wrap(test::alice().key.get(), std::span(good.value).first(16), wrong);
    REQUIRE(half.size() == 256);
    CHECK(envelope_opener::make(test::alice().private_pem, half).first.code == errc::corrupt_data);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("private keys: both kinds; without a passphrase, RSA, long enough") {
    script random;
    envelope e = make_envelope(random);
    const wrapped_key key = wrapped_keys(e.url_parameter()).at(0);
    CHECK_FALSE(envelope_opener::make(test::alice().traditional_private(), key.value).first);
    const std::string pem = test::alice().private_pem;
    for (const std::string& text :
         {std::string(), pem.substr(0, pem.size() / 2), test::alice().public_pem, test::alice().encrypted_private(),
          test::elliptic().private_pem, test::short_rsa().private_pem}) {
        const failure f = envelope_opener::make(text, key.value).first;
        REQUIRE(f.code == errc::invalid_option);
        CHECK(f.details->text.starts_with("the private key "));
        for (std::size_t i = 64; i + 8 < text.size(); i += 65)
            CHECK(f.details->text.find(text.substr(i, 8)) == std::string::npos);
    }
}

TEST_CASE("a data key seals so many messages and not one more") {
    CHECK(envelope::most_messages == 4'294'967'296);
    script random;
    envelope e = make_envelope(random, 3);
    CHECK(e.count() == 0);
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(e.exhausted());
        CHECK_FALSE(seal(e, web::as_bytes("x")).result.ec);
    }
    CHECK(e.exhausted());
    CHECK(e.count() == 3);
    const sealed more = seal(e, web::as_bytes("x"));
    CHECK(more.result.ec == errc::closed);
    CHECK(more.result.size == 0);
    CHECK(std::count(more.data.begin(), more.data.end(), std::byte{0}) == 17);
    CHECK(e.count() == 3);
    // No argument makes it more than a key may.
    envelope most = make_envelope(random, ~std::uint64_t{0});
    CHECK_FALSE(most.exhausted());
}

TEST_CASE("too little room is told before a number is used") {
    script random;
    envelope e = make_envelope(random);
    std::byte out[20];
    CHECK(e.seal(web::as_bytes("12345"), out).ec == errc::output_limit);
    CHECK(e.seal({}, std::span(out).first(15)).ec == errc::output_limit);
    CHECK(e.seal(web::bytes_view(out, envelope::largest_message + 1), out).ec == errc::too_large); // reads nothing
    CHECK(e.count() == 0);
    CHECK_FALSE(e.seal(web::as_bytes("1234"), out).ec);
    envelope_opener o = opener(e);
    std::byte plain[4];
    CHECK(o.open(e.seal(web::as_bytes("1234"), out).iv, out, std::span(plain).first(3)).ec == errc::output_limit);
    CHECK(o.open({}, {}, {}).ec == errc::corrupt_data);
}

TEST_CASE("an envelope moves, and what it was moved from seals nothing") {
    script random;
    envelope e = make_envelope(random);
    envelope_opener o = opener(e);
    const sealed first = seal(e, web::as_bytes("first"));
    envelope moved = std::move(e);
    CHECK(e.exhausted());
    CHECK(seal(e, web::as_bytes("x")).result.ec == errc::closed);
    const sealed second = seal(moved, web::as_bytes("second"));
    CHECK(second.result.iv != first.result.iv);
    CHECK(open(o, second) == "second");
    CHECK(moved.count() == 2);
    envelope none;
    CHECK(none.exhausted());
    CHECK(none.url_parameter() == "");
    CHECK(seal(none, {}).result.ec == errc::closed);
    moved = std::move(none);
    CHECK(moved.exhausted());
    envelope_opener nothing;
    CHECK(nothing.open({}, {}, {}).ec == errc::closed);
}

TEST_CASE("an envelope that nobody could open is not made") {
    script random;
    const auto [f, e] = envelope::make({}, random.source());
    CHECK(f.code == errc::invalid_option);
    CHECK(e.exhausted());
    CHECK(random.asked.empty());
}
