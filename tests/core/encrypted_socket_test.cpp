// SPDX-License-Identifier: BSL-1.0
// An envelope, the probe and sealed messages against the proxy model: what is stored can be opened, and nothing else
// is stored.
#include "producing.hpp"
#include "pulsar/key_pairs.hpp"
#include "pulsar/wrapped_keys.hpp"

#include <sluice/codec/zstd.hpp>
#include <sluice/pulsar/ack.hpp>
#include <sluice/pulsar/encryption_support.hpp>
#include <sluice/pulsar/envelope_opener.hpp>
#include <sluice/pulsar/sealed_payload.hpp>

namespace {

using namespace producing;
using namespace sluice::pulsar;

TEST_CASE(
    "one socket: the keys are taken, the probe is refused as it should be, sealed messages are stored as sealed") {
    world w;
    std::vector<recipient> to;
    sluice::public_key key;
    key.pem = test::alice().public_pem;
    to.push_back(make_recipient("test.key", std::move(key)).second);
    std::uint64_t state = 3;
    auto [f, sealing] = envelope::make(to, test::counting_random(state));
    REQUIRE_FALSE(f);
    producer p(w, "?" + sealing.url_parameter()); // which requires a 101

    ack_parser parser;
    acknowledgement ack;
    REQUIRE(parser.parse(web::as_bytes(p.ask(encryption_probe)), ack) == ack_kind::acknowledgement);
    CHECK_FALSE(judge_encryption_probe(ack));
    CHECK(w.stored().empty());

    sluice::codec::zstd zstd;
    payload_sealer sealer(compressor::of(zstd));
    const std::string payload(1000, 'x');
    const sealed_payload sealed = sealer.seal(sealing, web::as_bytes(payload));
    std::string members(sealed.members_size(), '\0');
    sealed.put_members(members.data());
    CHECK(p.ask(R"({"payload":")" + web::base64_encode_string(sealed.bytes) + R"(","context":"0")" + members + "}")
              .starts_with(R"({"result":"ok")"));
    const auto stored = w.stored();
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].sequence_id == 0); // the probe took no number
    CHECK(stored[0].payload == web::as_text(sealed.bytes));

    const test::wrapped_key wrapped = test::wrapped_keys(sealing.url_parameter()).at(0);
    auto [bad, opening] = envelope_opener::make(test::alice().private_pem, wrapped.value);
    REQUIRE_FALSE(bad);
    std::vector<std::byte> compressed(sealed.bytes.size() - tag_size), plain(sealed.uncompressed_size);
    REQUIRE_FALSE(opening.open(sealed.iv, web::as_bytes(stored[0].payload), compressed).ec);
    REQUIRE_FALSE(zstd.decompress(compressed, plain).ec);
    CHECK(web::as_text(plain) == payload);
}

TEST_CASE("the probe on a socket without keys is answered alike, and stores nothing either") {
    world w;
    producer p(w);
    CHECK(p.ask(encryption_probe).starts_with(R"({"result":"send-error:3")"));
    CHECK(w.stored().empty());
}

} // namespace
