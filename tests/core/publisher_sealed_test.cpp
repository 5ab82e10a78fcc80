// SPDX-License-Identifier: BSL-1.0
// A publisher that encrypts end to end: the probe first, then sealed messages, under another key on each socket.
#include "harness.hpp"
#include "pulsar/key_pairs.hpp"
#include "support/sealed_reader.hpp"

#include <sluice/codec/zlib.hpp>
#include <sluice/codec/zstd.hpp>
#include <sluice/encryption.hpp>

namespace {

using namespace test;
namespace pulsar = sluice::pulsar;

constexpr std::string_view probe_known =
    R"({"result":"send-error:3","errorMsg":"Cannot deserialize value of type `java.lang.Integer` from String \"!!\"",)"
    R"("errorCode":0,"schemaVersion":0})";
constexpr std::string_view probe_ignored =
    R"({"result":"send-error:7","errorMsg":"Invalid Base64 message-payload error=Illegal base64 character 21",)"
    R"("context":"probe","errorCode":0,"schemaVersion":0})";

producer_options sealing() {
    producer_options o;
    o.compress_at = sluice::compress_at::end_to_end;
    o.encryption = sluice::encrypt_for({"alice"}, sluice::pem_text{{"alice", alice().public_pem}});
    return o;
}

/// One whose socket's keys are known to those who test.
struct sealed_harness : harness {
    explicit sealed_harness(producer_options o = sealing(), pulsar::compressor codec = {},
                            std::uint64_t limit = pulsar::envelope::most_messages)
        : harness(o) {
        CHECK_FALSE(o.validate());
        pub.seal_with(std::make_unique<pulsar::envelope_sealer>(o.encryption.keys, o.encryption.reader,
                                                                std::move(codec), counting_random(dice_), limit));
    }

    /// Up to the probe, which is not answered.
    void begin() {
        keys = sealed_reader::keys_of(open().encryption_keys);
        reader.emplace(alice().private_pem, keys, "alice");
        const int before = probes;
        CHECK(write().empty());
        CHECK(probes == before + 1);
        CHECK(pub.probing());
        CHECK_FALSE(pub.is_open());
    }
    void begin_and_pass() {
        begin();
        CHECK_FALSE(say(probe_known));
        CHECK_FALSE(pub.probing());
        CHECK(pub.is_open());
    }
    std::string opened(const seen_frame& f) { return reader->open(web::as_bytes(f.payload), f.json); }
    std::string opened(const std::vector<seen_frame>& frames) {
        std::string all;
        for (const seen_frame& f : frames) all += (all.empty() ? "" : " ") + opened(f);
        return all;
    }

    std::string keys{};
    std::optional<sealed_reader> reader{};

private:
    std::uint64_t dice_ = 5;
};

std::string param_of(const seen_frame& f) {
    const auto at = f.json.find(R"("encryptionParam":")");
    REQUIRE(at != std::string::npos);
    return f.json.substr(at, 19 + 16 + 1);
}

TEST_CASE("nothing but the probe is written before it is answered, and an open waits for that") {
    sealed_harness h;
    const int open = h.mark(core::node_kind::open);
    const int a = h.send("a");
    h.begin();
    const int b = h.send("b");
    CHECK(h.write_all().empty());
    CHECK_FALSE(h.pub.wants_write());
    CHECK_FALSE(h.done(open));
    const int second_open = h.mark(core::node_kind::open);
    CHECK_FALSE(h.done(second_open));

    CHECK_FALSE(h.say(probe_known));
    CHECK(h.passed(open));
    CHECK(h.passed(second_open));
    CHECK(h.pub.wants_write());
    CHECK(h.opened(h.write_all()) == "a b");
    CHECK(h.probes == 1);
    h.ack(0);
    h.ack(1);
    CHECK(h.persisted(a));
    CHECK(h.persisted(b));
    CHECK(h.of(b).receipt.sequence_id == 1); // the probe has none
}

TEST_CASE("the frame is the plain one, with the sealed payload and what is said of it") {
    sealed_harness h;
    h.begin_and_pass();
    sluice::message m("payload", "the \"key\"");
    m.properties.push_back({"p", "v"});
    h.send(std::move(m));
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 1);
    CHECK(h.opened(frames) == "payload");
    CHECK(frames[0].payload.size() == 7 + 16);
    CHECK(frames[0].json == R"({"payload":")" + web::base64_encode_string(web::as_bytes(frames[0].payload)) +
                                R"(","context":"0",)" + param_of(frames[0]) +
                                R"(,"key":"the \"key\"","properties":{"p":"v"}})");
    CHECK(frames[0].json.find(web::base64_encode_string(web::as_bytes(std::string_view("payload")))) ==
          std::string::npos);
}

TEST_CASE("what gets shorter is compressed before, and said to be; what does not is sealed as it is") {
    sluice::codec::zstd zstd;
    sealed_harness h(sealing(), pulsar::compressor::of(zstd));
    h.begin_and_pass();
    const std::string large(10'000, 'x');
    h.send(large);
    h.send("ab");
    h.send("");
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 3);
    CHECK(h.opened(frames[0]) == large);
    CHECK(frames[0].payload.size() < 200);
    CHECK(frames[0].json.find(R"(,"compressionType":"ZSTD","uncompressedMessageSize":10000,"encryptionParam":")") !=
          std::string::npos);
    CHECK(h.opened(frames[1]) == "ab");
    CHECK(frames[1].json.find("compressionType") == std::string::npos);
    CHECK(h.opened(frames[2]).empty());
    CHECK(param_of(frames[0]) != param_of(frames[1]));
    CHECK(param_of(frames[1]) != param_of(frames[2]));
}

TEST_CASE("a proxy that does not know encrypted messages: the socket is of no use, and nothing was written") {
    for (const std::string_view answer : {probe_ignored, std::string_view(R"({"result":"ok","messageId":"CAAQAw==",)"
                                                                          R"("context":"probe","errorCode":0})")}) {
        sealed_harness h;
        const int a = h.send("a");
        h.begin();
        const failure f = h.say(answer);
        CHECK(f.code == errc::encryption_unsupported);
        CHECK(f.code == sluice::condition::fatal);
        CHECK(f.details->text.find("PIP-290") != std::string::npos);
        CHECK(h.write_all().empty());
        h.pub.lost(f);
        h.pub.end(f);
        h.deliver();
        CHECK(h.is(a, errc::encryption_unsupported, outcome::not_sent));
    }
}

TEST_CASE("what is no acknowledgement does not answer the probe; a close, an end do so badly") {
    sealed_harness h;
    h.begin();
    CHECK_FALSE(h.say(R"({"authChallenge":{}})"));
    CHECK(h.pub.probing());
    CHECK_FALSE(h.receive(server_frame("", web::opcode::ping)));
    CHECK(h.write().empty());
    CHECK(h.pongs.size() == 1); // control frames are not held up
    CHECK(h.receive(server_close(1011)).code == errc::connection_closed);
    h.lose();
    CHECK_FALSE(h.pub.probing());
    h.begin();
    CHECK(h.pub.end_of_stream(h.now).code == errc::connection_closed);
}

TEST_CASE("the probe's answer may come with the upgrade's, in pieces, and with acknowledgements behind it") {
    sealed_harness h;
    const int a = h.send("a");
    h.begin();
    const std::string bytes = server_frame(probe_known);
    for (const char c : bytes) {
        CHECK(h.pub.probing());
        CHECK_FALSE(h.receive({&c, 1}));
    }
    CHECK_FALSE(h.pub.probing());
    CHECK(h.write_contexts() == contexts{0});
    h.ack(0);
    CHECK(h.persisted(a));
}

TEST_CASE("sent again, a message is sealed anew, with another key and IV, in its old place") {
    sluice::codec::zlib zlib;
    sealed_harness h(sealing(), pulsar::compressor::of(zlib));
    h.begin_and_pass();
    const std::string large(3000, 'y');
    const int a = h.send(large), b = h.send("b"), c = h.send("c");
    const auto first = h.write_all();
    REQUIRE(first.size() == 3);
    h.ack(1);
    const std::string keys = h.keys;
    h.lose();
    const int d = h.send("d");
    h.begin();
    CHECK(h.keys != keys);
    CHECK(h.write_all().empty());
    CHECK_FALSE(h.say(probe_known));
    const auto second = h.write_all();
    REQUIRE(second.size() == 3);
    CHECK(h.opened(second[0]) == large);
    CHECK(h.opened(second[1]) == "c");
    CHECK(h.opened(second[2]) == "d");
    CHECK(second[0].context == 0);
    CHECK(second[1].context == 2);
    CHECK(param_of(second[0]) != param_of(first[0]));
    CHECK(second[0].payload != first[0].payload);
    for (const std::uint64_t context : {0u, 2u, 3u}) h.ack(context);
    for (const int id : {a, b, c, d}) CHECK(h.persisted(id));
}

TEST_CASE("a data key that is used up: the socket is drained, and the next one has another key") {
    sealed_harness h(sealing(), {}, 3);
    h.begin_and_pass();
    const std::vector<int> ids = h.send_many(7);
    CHECK(h.opened(h.write_all()) == "m0 m1 m2");
    CHECK_FALSE(h.pub.wants_reopen()); // three are unanswered
    h.ack(0);
    CHECK(h.write_all().empty());
    h.ack(1);
    h.ack(2);
    REQUIRE(h.pub.wants_reopen());
    std::string keys = h.keys;
    h.pub.lost(failure{errc::aborted, nullptr});
    h.begin_and_pass();
    CHECK(h.keys != keys);
    CHECK(h.opened(h.write_all()) == "m3 m4 m5");
    // A cut while it drains: the three are sent again, and the seventh still waits.
    h.lose();
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == "m3 m4 m5");
    for (const std::uint64_t context : {3u, 4u, 5u}) h.ack(context);
    REQUIRE(h.pub.wants_reopen());
    h.pub.lost(failure{errc::aborted, nullptr});
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == "m6");
    h.ack(6);
    CHECK_FALSE(h.pub.wants_reopen());
    for (const int id : ids) CHECK(h.persisted(id));
}

TEST_CASE("more to send again than a data key may seal: socket by socket") {
    producer_options o = sealing();
    std::uint64_t dice = 8;
    sealed_harness h(o, {}, 4);
    h.begin_and_pass();
    const std::vector<int> ids = h.send_many(4);
    CHECK(h.write_all().size() == 4);
    h.pub.seal_with(std::make_unique<pulsar::envelope_sealer>(o.encryption.keys, o.encryption.reader,
                                                              pulsar::compressor(), counting_random(dice), 3));
    h.lose();
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == "m0 m1 m2");
    for (const std::uint64_t context : {0u, 1u, 2u}) h.ack(context);
    REQUIRE(h.pub.wants_reopen());
    h.pub.lost(failure{errc::aborted, nullptr});
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == "m3");
    h.ack(3);
    for (const int id : ids) CHECK(h.persisted(id));
}

TEST_CASE("too large is what could be too large without compression: it fails alone, and no IV is used up for it") {
    producer_options o = sealing();
    o.max_frame_bytes = 4096;
    sluice::codec::zstd zstd;
    sealed_harness h(o, pulsar::compressor::of(zstd), 2);
    h.begin_and_pass();
    // {"payload":"","context":"0"} is 28 characters, the three members 20 + 4 + 28 + 4 + 37; 3972 are 2979 bytes.
    const int most = h.send(std::string(2979 - 16, 'x'));
    const int over = h.send(std::string(2979 - 15, 'x'));
    const int small = h.send("small");
    CHECK(h.is(over, errc::too_large, outcome::not_sent));
    CHECK(h.of(over).text().find("max_frame_bytes allows 4096") != std::string::npos);
    const auto frames = h.write_all();
    REQUIRE(frames.size() == 2);
    CHECK(h.opened(frames[1]) == "small");
    h.ack(0);
    h.ack(1);
    CHECK(h.persisted(most));
    CHECK(h.persisted(small));
    CHECK_FALSE(h.pub.wants_reopen());
}

TEST_CASE("the longest text is exactly what an incompressible message has") {
    const sluice::producer_options o = sealing();
    std::uint64_t state = 3;
    pulsar::envelope_sealer plain(o.encryption.keys, o.encryption.reader, {}, counting_random(state));
    sluice::codec::zstd zstd;
    pulsar::envelope_sealer packing(o.encryption.keys, o.encryption.reader, pulsar::compressor::of(zstd),
                                    counting_random(state));
    REQUIRE_FALSE(plain.renew());
    REQUIRE_FALSE(packing.renew());
    for (const std::size_t n : {0u, 1u, 2u, 3u, 100u, 1000u, 99'999u}) {
        const std::string payload(n, 'x');
        const auto growth_of = [&](const pulsar::sealed_message& m) {
            return web::base64_size(m.payload.size()) + m.members.size() - web::base64_size(n);
        };
        CHECK(growth_of(plain.seal(web::as_bytes(payload))) == plain.growth(n));
        CHECK(static_cast<std::ptrdiff_t>(growth_of(packing.seal(web::as_bytes(payload)))) <=
              static_cast<std::ptrdiff_t>(packing.growth(n)));
    }
}

TEST_CASE("cancelled and timed out: before the probe's answer not sent, behind it maybe persisted") {
    sealed_harness h;
    const int a = h.send("a", true);
    h.begin();
    h.cancel(a);
    CHECK(h.aborted(a, outcome::not_sent));
    const int b = h.send(with_timeout("b", 2s));
    h.advance(3s);
    CHECK(h.is(b, errc::send_timeout, outcome::not_sent));
    CHECK_FALSE(h.say(probe_known));
    const int c = h.send("c", true), d = h.send("d");
    CHECK(h.opened(h.write_all()) == "c d");
    h.cancel(c);
    CHECK(h.aborted(c, outcome::maybe_persisted));
    // The next probe is under way: what waits to be sent again can still be given up.
    h.lose();
    h.begin();
    h.cancel_before();
    CHECK(h.aborted(d, outcome::maybe_persisted));
    CHECK_FALSE(h.say(probe_known));
    CHECK(h.write_all().empty());
}

TEST_CASE("with deduplicate: the probe takes no number, and sockets are opened where they were") {
    producer_options o = sealing();
    o.producer_name = "p";
    o.deduplicate = true;
    sealed_harness h(o, {}, 2);
    h.begin_and_pass();
    const std::vector<int> ids = h.send_many(3);
    CHECK(h.opened(h.write_all()) == "m0 m1");
    h.ack(0);
    h.lose();
    CHECK(h.pub.announce().initial_sequence_id == 0); // m1 has the number 1
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == "m1 m2");
    CHECK_FALSE(h.say(repeat_text(1)));
    h.ack(2);
    CHECK(h.is(ids[1], {}, outcome::duplicate));
    CHECK(h.persisted(ids[2]));
}

TEST_CASE("with permessage-deflate the sealed text is compressed once more") {
    sealed_harness h;
    h.deflate.emplace();
    const int a = h.send(std::string(2000, 'z'));
    h.begin_and_pass();
    CHECK(h.opened(h.write_all()) == std::string(2000, 'z'));
    CHECK_FALSE(h.answer(ok_text(0)));
    CHECK(h.persisted(a));
}

TEST_CASE("keys that cannot be had end before a socket is opened") {
    producer_options o = sealing();
    o.encryption = sluice::encrypt_for({"bob"}, sluice::pem_text{{"alice", alice().public_pem}});
    std::uint64_t state = 1;
    core::publisher pub(o, 0, counting_random(state));
    pub.seal_with(o.encryption.make(o.encryption, {}));
    const failure f = pub.renew_keys();
    CHECK(f.code == errc::invalid_key);
    CHECK(f.details->text == R"(encryption key "bob": pem_text has none of that name; it has "alice")");
}

TEST_CASE("what the system refuses is retried by a producer that has had its keys, and ends one that has not") {
    const auto too_many_files = [](std::string_view) {
        sluice::error_details d;
        d.cause = std::make_error_code(std::errc::too_many_files_open);
        return sluice::key_answer{sluice::make_failure(errc::invalid_key, std::move(d)), {}};
    };
    bool refused = true;
    const auto reader = [&](std::string_view name) {
        return refused ? too_many_files(name) : sluice::pem_text{{"alice", alice().public_pem}}(name);
    };
    std::uint64_t state = 1;
    pulsar::envelope_sealer sealer({"alice"}, reader, {}, counting_random(state));
    CHECK(sealer.renew().code == errc::invalid_key);
    refused = false;
    CHECK_FALSE(sealer.renew());
    refused = true;
    const failure f = sealer.renew();
    CHECK(f.code == errc::credential_failed);
    CHECK(f.code == sluice::condition::retryable);
    CHECK(f.details->cause == std::errc::too_many_files_open);
    CHECK(sealer.exhausted()); // nothing is sealed with the old key
}

TEST_CASE("a maker that makes nothing ends the producer: nothing is sent in plain text") {
    producer_options o = sealing();
    o.encryption.make = [](const sluice::end_to_end_encryption&, const pulsar::compressor&) {
        return std::unique_ptr<pulsar::message_sealer>();
    };
    std::uint64_t state = 1;
    core::publisher pub(o, 0, counting_random(state));
    CHECK_FALSE(o.validate());
    CHECK(pub.check_options(sluice::compression_type::none).code == errc::invalid_option);
    pub.seal_with(nullptr);
    CHECK(pub.check_options(sluice::compression_type::none).code == errc::invalid_option);
}

/// Seals until it is told to fail.
struct failing_sealer final : pulsar::message_sealer {
    failure renew() override { return {}; }
    std::string_view url_parameter() const noexcept override { return "encryptionKeys=e30%3D"; }
    std::size_t growth(std::size_t) const noexcept override { return 0; }
    pulsar::sealed_message seal(web::bytes_view payload) override {
        return {.ec = fails ? make_error_code(errc::encryption_failed) : std::error_code(), .payload = payload};
    }
    bool exhausted() const noexcept override { return false; }
    void idle() noexcept override {}

    bool fails = false;
};

TEST_CASE("a message that cannot be sealed fails alone") {
    harness h;
    auto made = std::make_unique<failing_sealer>();
    failing_sealer& sealer = *made;
    h.pub.seal_with(std::move(made));
    const auto open = [&] {
        h.open();
        CHECK(h.write().empty());
        CHECK_FALSE(h.say(probe_known));
    };
    open();
    const int a = h.send("a"), b = h.send("b");
    CHECK(h.write_payloads() == "a b");
    sealer.fails = true;
    const int c = h.send("c");
    CHECK(h.write_all().empty());
    CHECK(h.is(c, errc::encryption_failed, outcome::not_sent));
    h.lose();
    open();
    CHECK(h.write_all().empty());
    CHECK(h.is(a, errc::encryption_failed, outcome::maybe_persisted));
    CHECK(h.is(b, errc::encryption_failed, outcome::maybe_persisted));
    sealer.fails = false;
    const int d = h.send("d");
    CHECK(h.write_payloads() == "d");
    h.ack(3 - 1);
    CHECK(h.persisted(d));
}

TEST_CASE("the options: encryption and where to compress must agree") {
    producer_options o;
    o.compress_at = sluice::compress_at::end_to_end;
    CHECK(o.validate().details->text == "encryption: not set, or without `make`; allowed is what encrypt_for gives");
    o = sealing();
    CHECK_FALSE(o.validate());
    o.encryption.reader = nullptr;
    CHECK(o.validate().details->text.starts_with("encryption.reader is empty"));
    o = sealing();
    o.encryption.keys.push_back("alice");
    CHECK(o.validate().details->text == R"(encryption keys[1] = "alice" is there twice)");
    o.encryption.keys.clear();
    CHECK(o.validate().code == errc::invalid_option);
    o = sealing();
    o.batching_enabled = true;
    CHECK(o.validate().details->text.starts_with("batching_enabled = true: allowed is false with compress_at"));
    o = sealing();
    o.max_frame_bytes = 512;
    CHECK(o.validate().details->text.starts_with("max_frame_bytes = 512"));
    // Never in plain text because an option was forgotten.
    for (const auto elsewhere : {sluice::compress_at::broker, sluice::compress_at::packed}) {
        o = sealing();
        o.compress_at = elsewhere;
        CHECK(o.validate().code == errc::invalid_option);
        CHECK(o.validate().details->text.find("plain text") != std::string::npos);
    }
}

} // namespace
