// SPDX-License-Identifier: BSL-1.0
// A proxy without PIP-290 is told apart, at the upgrade or by its answer to the probe.
#include <sluice/pulsar/encryption_support.hpp>
#include <sluice/pulsar/refusal.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace sluice;
using namespace sluice::pulsar;

namespace {

constexpr std::string_view no_pip_290 =
    "end-to-end encryption: the proxy does not take messages that the client has encrypted (PIP-290, Pulsar 3.2.0 or "
    "later); nothing is sent to it. ";

/// As the handshake gives it.
failure refused(int status, const std::string& words) {
    web::http_response response;
    response.status = status;
    response.fields.list.push_back({"Content-Type", "text/html;charset=iso-8859-1"});
    response.fields.list.push_back({"x-gdn-requestid", "r1"});
    response.body =
        "<html><head><title>Error</title></head><table><tr><th>MESSAGE:</th><td>" + words + "</td></tr></table>";
    return failure_of(response, "opening the socket");
}

acknowledgement answer(std::string_view text) {
    static ack_parser parser;
    acknowledgement ack;
    REQUIRE(parser.parse(web::as_bytes(text), ack) == ack_kind::acknowledgement);
    return ack;
}

} // namespace

TEST_CASE("an upgrade that a proxy without PIP-290 refuses is fatal, and says why") {
    for (const char* words :
         {"Failed to create producer/consumer: Can't add encryption key without configuring "
          "cryptoKeyReaderFactoryClassName",
          "Failed to create producer: Can&apos;t add encryption key without configuring "
          "cryptoKeyReaderFactoryClassName",
          "Failed to create producer/consumer: {\"errorMsg\":\"The producer standalone-0-1 of the topic "
          "persistent://public/default/t adds the public key cipher was failed\"}"}) {
        const failure before = refused(500, words);
        CHECK(before.code == errc::server_error); // which would be tried again for ever
        const failure f = explain_encrypted_upgrade(before);
        CHECK(f.code == errc::encryption_unsupported);
        CHECK(f.code == condition::fatal);
        CHECK_FALSE(f.code == condition::retryable);
        CHECK(f.details->text ==
              std::string(no_pip_290) + "It takes wrapped keys for names of its own: " + before.details->text);
        CHECK(f.details->http_status == 500);
        CHECK(f.details->request_id == "r1");
    }
}

TEST_CASE("any other refusal stays what it is") {
    for (const auto& [status, words] :
         {std::pair{500, "java.lang.IllegalArgumentException: Invalid topic name format"},
          {500, ""},
          {401, "Authentication required"},
          {409, "Producer with name cryptoKeyReaderFactoryClassName is already connected"},
          {404, "no topic 'public key cipher'"},
          {503, "quota"}}) {
        const failure before = refused(status, words);
        const failure f = explain_encrypted_upgrade(before);
        CHECK(f.code == before.code);
        CHECK(f.details == before.details);
    }
    CHECK_FALSE(explain_encrypted_upgrade({}));
    CHECK(explain_encrypted_upgrade({make_error_code(errc::connect_failed), nullptr}).code == errc::connect_failed);
}

TEST_CASE("a URL that is too long for the server: the hint is the keys") {
    for (const int status : {414, 431}) {
        const failure f = explain_encrypted_upgrade(refused(status, "URI is too long"));
        CHECK(f.code == errc::bad_request);
        CHECK(f.details->http_status == status);
        CHECK(f.details->text.find("fewer or shorter ones may fit") != std::string::npos);
    }
}

TEST_CASE("the probe: one answer is good, all others are fatal") {
    CHECK_FALSE(judge_encryption_probe(answer(
        R"({"result":"send-error:3","errorMsg":"Cannot deserialize value of type `java.lang.Integer` from String \"!!\": not a valid `java.lang.Integer` value","errorCode":0,"schemaVersion":0})")));
    const failure ignored = judge_encryption_probe(answer(
        R"({"result":"send-error:7","errorMsg":"Invalid Base64 message-payload error=Illegal base64 character 21","context":"probe","errorCode":0,"schemaVersion":0})"));
    CHECK(ignored.code == errc::encryption_unsupported);
    CHECK(ignored.code == condition::fatal);
    CHECK(ignored.details->text == std::string(no_pip_290) + "It opens the socket and ignores the keys");
    const failure stored =
        judge_encryption_probe(answer(R"({"result":"ok","messageId":"CAQQADAA","context":"probe"})"));
    CHECK(stored.code == errc::encryption_unsupported);
    CHECK(stored.details->text ==
          std::string(no_pip_290) + "It gives a message that asks for it another answer than is known: ok");
    const failure other = judge_encryption_probe(
        answer(R"({"result":"send-error:8","errorMsg":"odd\ntoken=12345678","context":"probe"})"));
    CHECK(other.code == errc::encryption_unsupported);
    CHECK(other.details->text.ends_with("another answer than is known: odd token=***"));
    CHECK(judge_encryption_probe(answer(R"({"result":"what"})")).code == errc::encryption_unsupported);
}
