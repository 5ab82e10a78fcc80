// SPDX-License-Identifier: BSL-1.0
// Messages that the client has encrypted (PIP-290): keys in the query, parameters in each message. The library does not
// do that; what passes by is what another client would say.
#include "cases.hpp"
#include "receiving.hpp"
#include "words.hpp"

#include <sluice/pulsar/encryption_support.hpp>

namespace conformance {
namespace {

constexpr const char* none_before = "has no PIP-290";
constexpr const char* no_errors = "messages of encrypted sockets are stored as they come, their parameters not judged";

/// The query that brings wrapped data keys.
std::string keys(const std::string& json) {
    return "encryptionKeys=" + web::percent_encode(web::base64_encode_string(web::as_bytes(json)));
}
const std::string one_key = R"({"test.key":{"keyValue":"a2V5","metadata":{"version":"1"}}})";

void refused_keys(target& server) {
    for (const std::string& query : {std::string("encryptionKeys=abc"), keys("{}x"), keys("[]"), keys(R"({"k":{}})")}) {
        raw_socket socket(server.address, server.producer_target(server.new_topic(), query), server.authorization());
        check_same(socket.answer().status, 500, query);
        check_same(words(socket.answer()),
                   "Failed to create producer/consumer: Can't add encryption key without configuring "
                   "cryptoKeyReaderFactoryClassName",
                   query);
    }
}

void accepted_keys(target& server) {
    server.lacks(server_kind::pulsar_3_0, none_before);
    for (const std::string& json : {one_key, std::string(R"({"k":{"keyValue":"a2V5"}})"),
                                    std::string(R"({"l":{"keyValue":"a2V5","metadata":{},"x":1}})")}) {
        raw_producer socket(server, server.new_topic(), keys(json));
        check_same(words(socket.ask(R"({"payload":"AAAA","encryptionParam":"AAAAAAAAAAAAAAAA","context":"1"})")), ok(),
                   json);
    }
}

void parameters(target& server) {
    server.lacks(server_kind::pulsar_3_0, none_before);
    server.lacks(server_kind::gateway, no_errors);
    raw_producer socket(server, server.new_topic(), keys(one_key));
    const auto answer = [&](const std::string& members) {
        return words(socket.ask(R"({"payload":"AAAA","context":"1",)" + members + "}"));
    };
    const std::string param = R"("encryptionParam":"AAAAAAAAAAAAAAAA")", of_17 = R"(,"uncompressedMessageSize":17)";
    const std::string one_of_both =
        error(7, "the params compressionType and uncompressedMessageSize should both empty or both non-empty");
    for (const char* type : {"NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY"})
        check_same(answer(param + R"(,"compressionType":")" + type + R"(")" + of_17), ok(), type);
    check_same(answer(param + of_17), one_of_both, "a size alone");
    check_same(answer(param + R"(,"compressionType":"LZ4")"), one_of_both, "a type alone");
    check_same(answer(param + R"(,"compressionType":"lz4")" + of_17), one_of_both, "lower case");
    check_same(answer(param + R"(,"compressionType":"BROTLI")" + of_17), one_of_both, "an unknown type");
    check_same(answer(R"("encryptionParam":"!!")"),
               error(7, "Invalid Base64 encryptionParam error=Illegal base64 character 21"), "what is not base64");
}

/// Who consumes without keys gets the ciphertext, and what was said about it.
void delivered(target& server) {
    server.lacks(server_kind::pulsar_3_0, none_before);
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "cryptoFailureAction=CONSUME");
    raw_producer producer(server, topic, keys(one_key));
    check_same(words(producer.ask(R"({"payload":"aGk=","encryptionParam":"AAAAAAAAAAAAAAAA","context":"1"})")), ok(),
               "sending");
    const received got = consumer.next();
    check_same(got.payload, "hi", "payload");
    const std::string context =
        R"("encryptionContext":{"keys":{"test.key":{"keyValue":"a2V5","metadata":{"version":"1"}}},)"
        R"("param":"AAAAAAAAAAAAAAAA")";
    const bool bare = server.differs(server_kind::gateway, "deliveries have no encryptionContext");
    check((got.text.find(context) != std::string::npos) == !bare, "the delivery: " + got.text);
}

/// Whether a proxy knows PIP-290, asked by a message that none stores.
void probe(target& server) {
    const bool unknown = server.differs(server_kind::pulsar_3_0, none_before);
    const std::string topic = server.new_topic();
    raw_producer socket(server, topic, "initialSequenceId=41");
    const std::string answer = socket.ask(std::string(sluice::pulsar::encryption_probe));
    sluice::pulsar::ack_parser parser;
    sluice::pulsar::acknowledgement ack;
    check(parser.parse(web::as_bytes(answer), ack) == sluice::pulsar::ack_kind::acknowledgement, answer);
    const sluice::failure verdict = sluice::pulsar::judge_encryption_probe(ack);
    check_same(static_cast<bool>(verdict), unknown, "judged as without it: " + answer);
    check_same(words(socket.ask(message_text("a", R"(,"context":"1")"))), ok(), "the socket goes on");
    check_same(server.first_metadata(topic).fields["sequence-id"], "42", "the probe has taken no number");
}

} // namespace

std::vector<test_case> encryption_cases() {
    return {
        {"keys that are refused", refused_keys}, {"keys that are taken", accepted_keys},
        {"parameters of messages", parameters},  {"as it is delivered", delivered},
        {"the probe for PIP-290", probe},
    };
}

} // namespace conformance
