// SPDX-License-Identifier: BSL-1.0
// Public keys from anywhere: what is taken, and what is said of the rest, which never quotes it.
#include "key_pairs.hpp"
#include "support/temporary_file.hpp"

#include <sluice/end_to_end.hpp>
#include <sluice/public_key.hpp>
#include <sluice/pulsar/recipient.hpp>

#include <doctest/doctest.h>

#include <openssl/err.h>

#include <array>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;
using namespace sluice::pulsar;

namespace {

const std::string key_name = "orders";

/// The text of the one failure, or "" if the key was taken. OpenSSL's queue of errors stays empty in any case.
template <class Reader>
std::string fault(const Reader& reader) {
    ERR_clear_error();
    const auto [f, keys] = read_recipients(reader, std::span(&key_name, 1));
    CHECK(ERR_peek_error() == 0);
    CHECK(keys.size() == (f ? 0u : 1u));
    if (!f) return {};
    CHECK(f.code == errc::invalid_key);
    CHECK(f.code == condition::fatal);
    REQUIRE(f.details != nullptr);
    return f.details->text;
}

std::string fault_of_text(const std::string& pem) { return fault(pem_text{{key_name, pem}}); }

bool contains(const std::string& text, std::string_view what) { return text.find(what) != std::string::npos; }

/// No eight characters of the lines between BEGIN and END, which are what a PEM text keeps to itself.
void check_quotes_nothing(const std::string& said, const std::string& pem) {
    std::size_t begin = 0;
    while (begin < pem.size()) {
        const std::size_t end = std::min(pem.find('\n', begin), pem.size());
        const std::string line = pem.substr(begin, end - begin);
        begin = end + 1;
        if (line.starts_with("-----")) continue;
        for (std::size_t i = 0; i + 8 <= line.size(); ++i) REQUIRE_FALSE(contains(said, line.substr(i, 8)));
    }
}

std::string without_the_last_lines(const std::string& pem, int lines) {
    std::string cut = pem;
    for (int i = 0; i < lines; ++i) cut.resize(cut.find_last_of('\n', cut.size() - 2) + 1);
    return cut;
}

std::string der_of(const std::string& pem) {
    const test::bio_handle in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    char *label = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    REQUIRE(PEM_read_bio(in.get(), &label, &header, &data, &size) == 1);
    const std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return der;
}

} // namespace

TEST_CASE("both kinds of PEM are the same key; text around the block does no harm") {
    const std::string spki = test::alice().public_pem, pkcs1 = test::alice().pkcs1_public();
    CHECK(spki.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    CHECK(pkcs1.starts_with("-----BEGIN RSA PUBLIC KEY-----\n"));
    std::string windows;
    for (const char c : spki) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
    for (const std::string& pem : {spki, pkcs1, "the key of orders\n" + spki + "behind it\n",
                                   spki + test::bob().public_pem, windows, spki.substr(0, spki.size() - 1)}) {
        CAPTURE(pem);
        const parsed_key parsed = parse_public_key(pem);
        REQUIRE(parsed.key != nullptr);
        CHECK(parsed.wrong.empty());
        CHECK(EVP_PKEY_eq(parsed.key.get(), test::alice().key.get()) == 1);
        CHECK(fault_of_text(pem) == "");
    }
}

TEST_CASE("what is wrong with a text is said, and nothing of it is quoted") {
    struct row {
        const char* what;
        std::string pem;
        std::string_view said;
    };
    const std::string good = test::alice().public_pem;
    std::string changed = good;
    changed[changed.size() / 2] = '!';
    const row rows[] = {
        {"empty", "", "the key is empty"},
        {"no PEM", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", "the key holds no PEM block (-----BEGIN PUBLIC KEY-----)"},
        {"binary", std::string("\x30\x82\x01\x22\0\xff", 6), "the key holds no PEM block"},
        {"no end line", without_the_last_lines(good, 1), "the key holds a damaged PEM block: "},
        {"cut inside", without_the_last_lines(good, 3), "the key holds a damaged PEM block: "},
        {"begin line alone", good.substr(0, good.find('\n') + 1), "the key holds a damaged PEM block: "},
        {"not base64", changed, "the key holds a damaged PEM block: "},
        {"PKCS#8", test::alice().private_pem,
         "the key is a private key, which only consumers may have: the public key is needed"},
        {"PKCS#1", test::alice().traditional_private(), "the key is a private key, which only consumers may have"},
        {"encrypted", test::alice().encrypted_private(), "the key is a private key, which only consumers may have"},
        {"EC private", test::elliptic().traditional_private(),
         "the key is a private key, which only consumers may have"},
        {"certificate", test::certificate_of(test::alice()),
         "the key is a certificate: the public key in it is needed"},
        {"EC", test::elliptic().public_pem, "the key is a key of type EC: RSA is needed"},
        {"RSA-PSS", test::rsa_pss().public_pem, "the key is a key of type RSA-PSS: RSA is needed"},
        {"1024 bits", test::short_rsa().public_pem, "the key is an RSA key of 1024 bits: 2048 or more are needed"},
        {"1024 bits, PKCS#1", test::short_rsa().pkcs1_public(), "the key is an RSA key of 1024 bits"},
        {"exponent 1", test::rsa_public(1), "the key is no usable RSA key: it has a public exponent that is 1 or even"},
        {"exponent 2", test::rsa_public(2), "the key is no usable RSA key: it has a public exponent that is 1 or even"},
        {"even modulus", test::rsa_public(65537, true), "the key is no usable RSA key: it has an even modulus"},
        {"another label", test::pem_block("PGP PUBLIC KEY BLOCK", der_of(good)),
         "the key holds another kind of PEM block than PUBLIC KEY or RSA PUBLIC KEY"},
        {"garbage inside", test::pem_block("PUBLIC KEY", "garbage that is no key"),
         "the key holds no key that OpenSSL can read: "},
        {"the wrong label", test::pem_block("RSA PUBLIC KEY", der_of(good)),
         "the key holds no key that OpenSSL can read"},
        {"bytes behind", test::pem_block("PUBLIC KEY", der_of(good) + "xyz"),
         "the key holds bytes behind the key, inside of its PEM block"},
    };
    for (const row& r : rows) {
        CAPTURE(r.what);
        const std::string said = fault_of_text(r.pem);
        CHECK_MESSAGE(said.starts_with("encryption key \"orders\": " + std::string(r.said)), said);
        check_quotes_nothing(said, r.pem);
    }
}

TEST_CASE("a key cut at each byte, or with each byte of its DER changed, is refused or another key, never quoted") {
    const std::string good = test::alice().public_pem;
    const std::size_t end_line = good.find("-----END");
    for (std::size_t n = 0; n < good.size() - 1; ++n) {
        const std::string said = fault_of_text(good.substr(0, n));
        CAPTURE(n);
        REQUIRE(said != "");
        if (n < end_line) check_quotes_nothing(said, good);
    }
    const std::string der = der_of(good);
    int refused = 0;
    for (std::size_t i = 0; i < der.size(); ++i) {
        std::string damaged = der;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
        const std::string pem = test::pem_block("PUBLIC KEY", damaged);
        const std::string said = fault_of_text(pem);
        refused += said != "";
        if (said != "") check_quotes_nothing(said, pem);
    }
    CHECK(refused > 20); // what surrounds the modulus; another modulus is another key
}

TEST_CASE("files: what is wrong names the key and the file") {
    const test::temporary_file good(test::alice().public_pem);
    CHECK(fault(pem_files{{key_name, good.path}}) == "");
    CHECK(fault(pem_files{{"other", "/nowhere"}, {key_name, good.path}}) == "");

    const test::temporary_file empty, elliptic(test::elliptic().public_pem), secret(test::alice().private_pem),
        small(test::short_rsa().public_pem), cut(test::alice().public_pem.substr(0, 200));
    const std::string huge_text = test::alice().private_pem + std::string(pem_files::largest, ' ');
    const test::temporary_file huge(huge_text),
        exact(test::alice().public_pem + std::string(pem_files::largest - test::alice().public_pem.size(), ' '));
    CHECK(fault(pem_files{{key_name, exact.path}}) == "");
    const std::string directory = std::filesystem::temp_directory_path().string();
    const std::string missing = good.path + ".missing";
    const auto begin = [](const std::string& path) { return "encryption key \"orders\": file \"" + path + "\" "; };
    const auto said_of = [](const std::string& path) { return fault(pem_files{{key_name, path}}); };
    CHECK(said_of(empty.path) == begin(empty.path) + "is empty");
    CHECK(said_of(elliptic.path) == begin(elliptic.path) + "is a key of type EC: RSA is needed");
    CHECK(said_of(secret.path).starts_with(begin(secret.path) + "is a private key"));
    CHECK(said_of(small.path).starts_with(begin(small.path) + "is an RSA key of 1024 bits"));
    CHECK(said_of(cut.path).starts_with(begin(cut.path) + "holds a damaged PEM block"));
    CHECK(said_of(huge.path) == begin(huge.path) + "is larger than 65536 bytes: a public key is not");
    CHECK(said_of(missing) == begin(missing) + "cannot be read: No such file or directory");
    CHECK(said_of(directory) == begin(directory) + "cannot be read: Is a directory");
    CHECK(said_of("") == begin("") + "cannot be read: No such file or directory");
    for (const auto* f : {&elliptic, &secret, &small, &cut}) {
        std::string pem;
        for (const std::string& line : f->lines()) pem += line + "\n";
        check_quotes_nothing(said_of(f->path), pem);
    }
    const auto [f, key] = pem_files{{key_name, missing}}(key_name);
    CHECK(f.details->cause == std::errc::no_such_file_or_directory);
}

TEST_CASE("a file is read each time: a key may be replaced") {
    test::temporary_file file(test::alice().public_pem);
    const pem_files reader{{key_name, file.path}};
    CHECK(reader(key_name).second.pem == test::alice().public_pem);
    std::ofstream(file.path) << test::bob().public_pem;
    CHECK(reader(key_name).second.pem == test::bob().public_pem);
}

TEST_CASE("a name that the reader has not") {
    CHECK(fault(pem_files{{"b", "/b"}, {"a", "/a"}}) ==
          R"(encryption key "orders": pem_files has none of that name; it has "a", "b")");
    CHECK(fault(pem_text{{"c\n\x1b", "x"}}) ==
          R"(encryption key "orders": pem_text has none of that name; it has "c??")");
    CHECK(fault(pem_text{}) == R"(encryption key "orders": pem_text has none of that name)");
}

TEST_CASE("names: one at least, none empty, none twice, UTF-8") {
    const auto said = [](const std::vector<std::string>& names) {
        const failure f = check_key_names(names);
        return f ? f.details->text : std::string();
    };
    CHECK(said({"a", "b", "größe"}) == "");
    CHECK(said({}) == "encryption keys: end-to-end encryption needs the name of one or more");
    CHECK(said({"a", ""}) == "encryption keys[1] is empty: a key's name is needed");
    CHECK(said({"a", "b\xff"}) == "encryption keys[1] is not UTF-8");
    CHECK(said({"a", "b", "a"}) == "encryption keys[2] = \"a\" is there twice");
    const std::vector<std::string> none;
    const pem_text reader{};
    CHECK(read_recipients(reader, none).first.code == errc::invalid_option);
}

TEST_CASE("keys come from anywhere: a lambda, with metadata; its failure is passed on, its exception is not quoted") {
    const std::array<std::string, 2> names{"a", "b"};
    const auto reader = [](std::string_view name) -> key_answer {
        public_key key;
        key.pem = name == "a" ? test::alice().public_pem : test::bob().pkcs1_public();
        key.metadata = {{"version", std::string(name) + "1"}};
        return {failure{}, std::move(key)};
    };
    static_assert(key_reader<decltype(reader)>);
    const auto [f, keys] = read_recipients(reader, names);
    REQUIRE_FALSE(f);
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].name == "a");
    CHECK(keys[1].metadata.at("version") == "b1");
    CHECK(EVP_PKEY_eq(keys[1].key.get(), test::bob().key.get()) == 1);

    key_source fails = [&](std::string_view name) -> key_answer {
        if (name == "a") return reader(name);
        return {make_failure(errc::request_timeout, "the vault is slow"), {}};
    };
    const auto [slow, none] = read_recipients(fails, names);
    CHECK(slow.code == errc::request_timeout);
    CHECK(none.empty());

    key_source throws = [](std::string_view) -> key_answer { throw std::runtime_error("the token is 123"); };
    const auto [thrown, nothing] = read_recipients(throws, names);
    CHECK(thrown.code == errc::credential_failed);
    CHECK(thrown.details->text == R"(encryption key "a": its reader threw)");
    CHECK(nothing.empty());

    key_source odd = [&](std::string_view name) {
        key_answer answer = reader(name);
        answer.second.metadata["x"] = "\xff";
        return answer;
    };
    CHECK(read_recipients(odd, names).first.details->text ==
          R"(encryption key "a": the key has metadata that is not UTF-8)");
}

TEST_CASE("a text that was looked at is cleansed") {
    for (const std::string& pem : {test::alice().public_pem, test::alice().private_pem}) {
        public_key key;
        key.pem = pem;
        const char* const text = key.pem.data();
        const std::size_t size = key.pem.size();
        (void)make_recipient(key_name, std::move(key));
        CHECK(key.pem.empty());
        REQUIRE(key.pem.data() == text); // still the string's own memory
        key.pem.resize(0);
        int others = 0;
        for (std::size_t i = 1; i < size; ++i) others += text[i] != 0;
        CHECK(others == 0);
    }
}
