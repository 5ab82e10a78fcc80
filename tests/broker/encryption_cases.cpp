// SPDX-License-Identifier: BSL-1.0
// Messages that the client has encrypted (PIP-290): keys in the query, parameters in each message, said by hand; then
// the library's producer, and the official clients with a private key.
#include "cases.hpp"
#include "producing.hpp"
#include "receiving.hpp"
#include "shell.hpp"
#include "support/sealed_reader.hpp"
#include "words.hpp"

#include <sluice/encryption.hpp>
#include <sluice/pulsar/encryption_support.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <stdlib.h>

namespace conformance {
namespace {

constexpr const char* none_before = "has no PIP-290";

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
    check(got.text.find(context) != std::string::npos, "the delivery: " + got.text);
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

// --- the library's producer

/// A fresh key pair in files, as a user makes one.
class key_files {
public:
    key_files() {
        std::string made = (std::filesystem::temp_directory_path() / "sluice-keys-").string() + std::string(6, 'X');
        check(::mkdtemp(made.data()) != nullptr, made + " cannot be made");
        folder_ = made;
        output_of("umask 077; openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out '" +
                  private_file() + "' && openssl pkey -in '" + private_file() + "' -pubout -out '" + public_file() +
                  "'");
    }
    key_files(const key_files&) = delete;
    key_files& operator=(const key_files&) = delete;
    ~key_files() { std::filesystem::remove_all(folder_); }

    std::string private_file() const { return (folder_ / "private.pem").string(); }
    std::string public_file() const { return (folder_ / "public.pem").string(); }
    std::string private_pem() const {
        std::ifstream file(private_file());
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    std::filesystem::path folder_{};
};

sluice::producer_options sealing(const key_files& keys) {
    sluice::producer_options options;
    options.compress_at = sluice::compress_at::end_to_end;
    options.encryption = sluice::encrypt_for({"orders"}, sluice::pem_files{{"orders", keys.public_file()}});
    return options;
}

constexpr sluice::compression_type codecs[] = {sluice::compression_type::none, sluice::compression_type::lz4,
                                               sluice::compression_type::zlib, sluice::compression_type::zstd,
                                               sluice::compression_type::snappy};

std::vector<std::string> plain_texts(sluice::compression_type codec) {
    std::vector<std::string> all;
    for (int i = 0; i < 50; ++i)
        all.push_back(std::string(sluice::to_string(codec)) + " order " + std::to_string(i) + std::string(100, '.'));
    all.push_back("");
    all.push_back(noise(3000));
    all.push_back(std::string(500'000, 'x'));
    return all;
}

/// Sends them with a producer of its own, and so under a data key of its own.
void send_sealed(target& server, const std::string& topic, const std::vector<std::string>& texts,
                 const sluice::producer_options& options, sluice::compression_type codec) {
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, options, codec);
        const std::vector<sluice::result> results = co_await producer.send_all(texts);
        for (const sluice::result& r : results)
            check(!r.ec, std::string(sluice::to_string(codec)) + ": " + r.ec.message() + ": " + r.value.details().text);
        co_await producer.close();
    });
}

/// What a consumer socket is told is enough for who holds the private key.
void sealed_by_the_library(target& server) {
    server.lacks(server_kind::pulsar_3_0, none_before);
    const key_files keys;
    simdjson::dom::parser parser;
    for (const sluice::compression_type codec : codecs) {
        const std::string topic = server.new_topic(), name(sluice::to_string(codec));
        raw_consumer consumer(server, topic, "cryptoFailureAction=CONSUME");
        const std::vector<std::string> texts = plain_texts(codec);
        send_sealed(server, topic, texts, sealing(keys), codec);
        for (const std::string& text : texts) {
            const received got = consumer.next();
            consumer.text(R"({"messageId":")" + got.id + R"("})");
            simdjson::dom::element delivery, context, wrapped;
            check(parser.parse(got.text).get(delivery) == simdjson::SUCCESS &&
                      delivery["encryptionContext"].get(context) == simdjson::SUCCESS &&
                      context["keys"].get(wrapped) == simdjson::SUCCESS,
                  name + ": no context in " + shown(got.text));
            test::sealed_reader reader(keys.private_pem(), simdjson::minify(wrapped), "orders");
            check_same(reader.open(web::as_bytes(got.payload), simdjson::minify(context)), text, name);
        }
    }
}

/// A proxy of an older Pulsar is told from one that can, and nothing is sent to it.
void unsupported(target& server) {
    const bool unknown = server.differs(server_kind::pulsar_3_0, none_before);
    const key_files keys;
    const std::string topic = server.new_topic();
    raw_consumer consumer(server, topic, "pullMode=true"); // asks for nothing: what is stored waits for it
    sluice::result result;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic, sealing(keys));
        const sluice::message m("not for everybody");
        result = co_await outcome_of(producer, m);
    });
    check_same(result.ec == sluice::errc::encryption_unsupported, unknown, result.ec.message());
    check_same(static_cast<int>(result.value.outcome),
               static_cast<int>(unknown ? sluice::outcome::not_sent : sluice::outcome::persisted), "the outcome");
    check_same(backlog_of(server, topic), unknown ? 0L : 1L, "stored");
}

/// All codecs in one topic, each under another data key.
void official_client(target& server, const char* client) {
    server.lacks(server_kind::gateway, "it speaks no binary protocol");
    server.lacks(server_kind::pulsar_3_0, none_before);
    if (server.broker_url.empty() || server.consume.empty()) throw not_set_up("there is no official client");
    const key_files keys;
    const std::string topic = server.new_topic();
    keep_messages(server, topic);
    std::vector<std::string> texts;
    for (const sluice::compression_type codec : codecs) {
        const std::vector<std::string> some = plain_texts(codec);
        send_sealed(server, topic, some, sealing(keys), codec);
        texts.insert(texts.end(), some.begin(), some.end());
    }
    std::istringstream lines(output_of(server.consume + " " + client + " " + server.broker_url + " '" + topic + "' " +
                                       std::to_string(texts.size()) + " '" + keys.private_file() + "'" +
                                       (server.token.empty() ? "" : " '" + server.token + "'")));
    for (const std::string& text : texts) {
        std::string line;
        check(static_cast<bool>(std::getline(lines, line)), "too few messages");
        check(line == web::base64_encode_string(web::as_bytes(text)), "instead of " + shown(text) + ": " + shown(line));
    }
}
void java_client(target& server) { official_client(server, "java"); }
void python_client(target& server) { official_client(server, "python"); }

} // namespace

std::vector<test_case> encryption_cases() {
    return {
        {"keys that are refused", refused_keys},
        {"keys that are taken", accepted_keys},
        {"parameters of messages", parameters},
        {"as it is delivered", delivered},
        {"the probe for PIP-290", probe},
        {"sealed by the library, with each codec", sealed_by_the_library},
        {"a proxy that cannot is told", unsupported},
        {"read by the official Java client", java_client},
        {"read by the official Python client", python_client},
    };
}

} // namespace conformance
