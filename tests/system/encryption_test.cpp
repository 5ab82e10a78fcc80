// SPDX-License-Identifier: BSL-1.0
// Producers that encrypt end to end: what is stored is read with the private key and with nothing else; a proxy or a
// key that will not do ends them before a message is sent.
#include "world.hpp"

#include "pulsar/key_pairs.hpp"
#include "support/own_codec.hpp"
#include "support/scripted_server.hpp"
#include "support/sealed_reader.hpp"
#include "support/temporary_file.hpp"

#include <sluice/codec/any.hpp>
#include <sluice/encryption.hpp>

#include <stdexcept>

using namespace test;

namespace {

using any_producer = sluice::basic_producer<asio::any_io_executor, sluice::codec::any>;

constexpr const char* codecs[] = {"NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY"};

sluice::producer_options sealing(sluice::end_to_end_encryption encryption) {
    sluice::producer_options o = impatient();
    o.compress_at = sluice::compress_at::end_to_end;
    o.encryption = std::move(encryption);
    return o;
}
sluice::producer_options for_alice() {
    return sealing(sluice::encrypt_for({"alice"}, sluice::pem_text{{"alice", alice().public_pem}}));
}
sluice::end_to_end_encryption from_file(const temporary_file& file) {
    return sluice::encrypt_for({"orders"}, sluice::pem_files{{"orders", file.path}});
}

std::vector<std::string> events(int n) {
    std::vector<std::string> all;
    for (int i = 0; i < n; ++i)
        all.push_back("event " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 5 * 40), '.'));
    all.push_back("");
    all.push_back(std::string(100'000, 'x'));
    return all;
}

/// As a consumer that holds the private key.
std::string opened(const sluice::testing::stored_message& m, const key_pair& by = alice(),
                   std::string_view name = "alice") {
    REQUIRE(m.encryption.has_value());
    const sluice::testing::message_encryption& e = *m.encryption;
    return sealed_reader(by.private_pem, e.keys, name)
        .open(sluice::web::as_bytes(m.payload), e.param, e.compression_type,
              static_cast<std::size_t>(e.uncompressed_size));
}
std::vector<std::string> all_opened(world& w, std::string_view topic = "events") {
    std::vector<std::string> all;
    for (const auto& m : w.gateway.messages(topic)) all.push_back(opened(m));
    return all;
}

sluice::error failure_of(world& w, const sluice::producer_options& options) {
    sluice::client client = w.make_client();
    sluice::producer producer(client, "events", options);
    sluice::error e = error_of(w.context, producer.send("x"));
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(producer.state() == sluice::producer_state::failed);
    CHECK(w.payloads("events").empty());
    return e;
}

} // namespace

TEST_CASE("end to end: every codec, in both dialects") {
    for (const sluice::dialect d : dialects) {
        for (const char* name : codecs) {
            CAPTURE(name_of(d));
            CAPTURE(name);
            world w;
            sluice::client client = w.make_client(d);
            any_producer producer(client, "events", for_alice(), {}, sluice::codec::any::make(name).first);
            const std::vector<std::string> sent = events(200);
            for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
            run(w.context, producer.close());
            CHECK(all_opened(w) == sent);
            for (const auto& m : w.gateway.messages("events")) {
                CHECK(m.payload.find("event") == std::string::npos);
                CHECK((m.encryption->compression_type.empty() || m.encryption->compression_type == name));
            }
            const auto last = w.gateway.messages("events").back();
            CHECK((last.payload.size() < 10'000) == (name != std::string_view("NONE")));
        }
    }
}

TEST_CASE("end to end: a codec of the user's own") {
    world w;
    sluice::client client = w.make_client();
    own_codec_producer producer(client, "events", for_alice());
    const std::vector<std::string> sent = events(50);
    for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
    run(w.context, producer.close());
    CHECK(all_opened(w) == sent);
    for (const auto& m : w.gateway.messages("events"))
        CHECK((m.encryption->compression_type == "ZLIB") == (opened(m).size() >= own_codec::least));
}

TEST_CASE("several may read, each with the own key; what stands beside the payload is not hidden") {
    world w;
    sluice::client client = w.make_client();
    const sluice::producer_options options =
        sealing(sluice::encrypt_for({"alice", "bob"}, [](std::string_view name) -> sluice::key_answer {
            sluice::public_key key;
            key.pem = (name == "bob" ? bob() : alice()).public_pem;
            key.metadata["version"] = "7";
            return {sluice::failure{}, std::move(key)};
        }));
    sluice::producer producer(client, "events", options);
    sluice::message m("for your eyes", "key");
    m.properties.push_back({"p", "v"});
    run(w.context, producer.send(m));
    const auto stored = w.gateway.messages("events");
    REQUIRE(stored.size() == 1);
    CHECK(opened(stored[0]) == "for your eyes");
    CHECK(opened(stored[0], bob(), "bob") == "for your eyes");
    CHECK_THROWS_AS(opened(stored[0], alice(), "bob"), std::runtime_error);
    CHECK(stored[0].key == "key");
    CHECK(stored[0].properties.size() == 1);
    CHECK(contains(stored[0].encryption->keys, R"("metadata":{"version":"7"})"));
}

TEST_CASE("a proxy without PIP-290: the producer ends at once, says why, and nothing is stored") {
    for (const auto kind : {sluice::testing::client_encryption::refused, sluice::testing::client_encryption::ignored}) {
        sluice::testing::gateway_options o;
        o.proxy.client_encryption = kind;
        world w(o);
        const sluice::error e = failure_of(w, for_alice());
        CHECK(e.code() == sluice::errc::encryption_unsupported);
        CHECK(e.code() == sluice::condition::fatal);
        CHECK(contains(e.what(), "PIP-290"));
        CHECK(e.details().attempts == 1);
        CHECK(w.gateway.stats().stored == 0);
    }
}

TEST_CASE("keys that will not do: which file, what is wrong with it, nothing of what it holds, and no connection") {
    const temporary_file empty, nonsense("nothing in here"), short_one(short_rsa().public_pem),
        curve(elliptic().public_pem), secret(alice().private_pem);
    temporary_file missing;
    std::remove(missing.path.c_str());
    const std::string half = alice().public_pem.substr(0, 200);
    const temporary_file damaged(half);
    const auto check = [&](const temporary_file& file, const std::string& wrong) {
        world w;
        const sluice::error e = failure_of(w, sealing(from_file(file)));
        CHECK(e.code() == sluice::errc::invalid_key);
        const std::string text = e.what();
        CAPTURE(text);
        CHECK(contains(text, "encryption key \"orders\": file \"" + file.path + "\""));
        CHECK(contains(text, wrong));
        CHECK_FALSE(contains(text, "MII"));
        CHECK_FALSE(contains(text, half.substr(60, 20)));
        CHECK(w.gateway.stats().connections == 0);
    };
    check(missing, "cannot be read: No such file or directory");
    check(empty, "is empty");
    check(nonsense, "holds no PEM block");
    check(damaged, "holds a damaged PEM block");
    check(short_one, "is an RSA key of 1024 bits: 2048 or more are needed");
    check(curve, "is a key of type EC: RSA is needed");
    check(secret, "is a private key");
}

TEST_CASE("a reader that throws is asked again; the keys are read anew for each socket") {
    world w;
    sluice::client client = w.make_client();
    const auto asked = std::make_shared<int>(0);
    const sluice::producer_options options =
        sealing(sluice::encrypt_for({"alice"}, [asked](std::string_view) -> sluice::key_answer {
            if (++*asked < 3) throw std::runtime_error("the vault is sealed, and its password is SECRET");
            sluice::public_key key;
            key.pem = (*asked < 4 ? alice() : bob()).public_pem;
            return {sluice::failure{}, std::move(key)};
        }));
    std::vector<std::string> told;
    sluice::producer_observer observer;
    observer.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
        if (f.code == sluice::errc::credential_failed) told.push_back(f.details->text);
    };
    sluice::producer producer(client, "events", options, observer);
    run(w.context, producer.send("a"));
    CHECK(*asked == 3);
    CHECK(told == std::vector<std::string>(2, R"(encryption key "alice": its reader threw)"));
    w.gateway.drop_connections();
    run_until(w.context, [&] { return producer.state() != sluice::producer_state::open; });
    run(w.context, producer.send("b"));
    const auto stored = w.gateway.messages("events");
    REQUIRE(stored.size() == 2);
    CHECK(opened(stored[0]) == "a");
    CHECK(opened(stored[1], bob()) == "b");
}

TEST_CASE("cut again and again, everything is stored, and under the key of the socket that brought it") {
    world w;
    w.gateway.create_topic("events");
    w.gateway.deduplicate("events");
    sluice::client client = w.make_client();
    sluice::producer_options options = for_alice();
    options.producer_name = "p";
    options.deduplicate = true;
    options.max_pending_messages = 20;
    any_producer producer(client, "events", options, {}, sluice::codec::any::make("LZ4").first);
    const std::vector<std::string> sent = events(300);
    outcome_of<std::exception_ptr, std::vector<sluice::result>> done;
    asio::co_spawn(w.context, producer.send_all(sent), done);
    for (std::uint64_t next = 30; !done.called(); next += 60) {
        run_until(w.context, [&] { return done.called() || w.gateway.message_count("events") >= next; });
        if (!done.called()) w.gateway.drop_connections();
    }
    CHECK(all_opened(w) == sent);
    CHECK(producer.stats().connections >= 4);
}

TEST_CASE("a data key that has sealed its share: the next socket has another one") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options options = for_alice();
    options.encryption.make = [](const sluice::end_to_end_encryption& e, const sluice::pulsar::compressor& codec) {
        const sluice::web::random_source random{nullptr, &sluice::detail::private_random};
        return std::unique_ptr<sluice::pulsar::message_sealer>(
            std::make_unique<sluice::pulsar::envelope_sealer>(e.keys, e.reader, codec, random, 50));
    };
    int disconnects = 0;
    sluice::producer_observer observer;
    observer.on_disconnect = [&](const sluice::failure&) { ++disconnects; };
    sluice::producer producer(client, "events", options, observer);
    const std::vector<std::string> sent = events(218);
    for (const sluice::result& r : run(w.context, producer.send_all(sent))) CHECK_FALSE(r.ec);
    CHECK(all_opened(w) == sent);
    CHECK(producer.stats().connections == 5); // 220 messages
    CHECK(producer.stats().frames_resent == 0);
    CHECK(disconnects == 0);
    std::vector<std::string> keys;
    for (const auto& m : w.gateway.messages("events"))
        if (keys.empty() || keys.back() != m.encryption->keys) keys.push_back(m.encryption->keys);
    CHECK(keys.size() == 5);
}

TEST_CASE("a probe that nobody answers: the attempt ends after connect_timeout, and the next one may succeed") {
    asio::io_context context;
    unsigned probes = 0;
    std::string first_message;
    scripted_server server(context, [&](scripted_peer& peer, unsigned n) -> asio::awaitable<void> {
        const bool up = co_await peer.upgrade();
        if (!up) co_return;
        const auto probe = co_await peer.message();
        if (!probe || *probe != sluice::pulsar::encryption_probe) co_return;
        ++probes;
        if (n > 0) {
            co_await peer.say(R"({"result":"send-error:3","errorMsg":"x","errorCode":0,"schemaVersion":0})");
            const auto message = co_await peer.message();
            if (!message) co_return;
            first_message = *message;
            co_await peer.say(R"({"result":"ok","messageId":"CAAQAw==","context":"0","errorCode":0})");
        }
        co_await peer.wait_for_end();
    });
    sluice::client_config config;
    config.url = "ws://127.0.0.1:" + std::to_string(server.port());
    sluice::client client(context.get_executor(), config);
    sluice::producer_options options = for_alice();
    options.connect_timeout = 50ms;
    std::string told;
    sluice::producer_observer observer;
    observer.on_reconnect = [&](const sluice::failure& f, unsigned, std::chrono::milliseconds) {
        if (f.code == sluice::errc::connect_timeout && told.empty()) told = f.details->text;
    };
    sluice::producer producer(client, "events", options, observer);
    outcome_of<std::error_code> open;
    producer.async_open(open);
    const sluice::receipt r = run(context, producer.send("x"));
    CHECK(r.outcome == sluice::outcome::persisted);
    CHECK(told == "the question whether the proxy takes encrypted messages (PIP-290): not done within 50 ms");
    CHECK(probes >= 2);
    CHECK(contains(first_message, R"(","context":"0","encryptionParam":")"));
    CHECK(open.called());
}

TEST_CASE("closed while the probe is under way: at once, with nothing sent") {
    asio::io_context context;
    bool asked = false;
    scripted_server server(context, [&](scripted_peer& peer, unsigned) -> asio::awaitable<void> {
        const bool up = co_await peer.upgrade();
        if (!up) co_return;
        const auto probe = co_await peer.message();
        asked = probe.has_value();
        co_await peer.wait_for_end();
    });
    sluice::client_config config;
    config.url = "ws://127.0.0.1:" + std::to_string(server.port());
    sluice::client client(context.get_executor(), config);
    sluice::producer producer(client, "events", for_alice());
    outcome_of<std::error_code> open;
    producer.async_open(open);
    run_until(context, [&] { return asked; });
    run(context, producer.close());
    CHECK(producer.state() == sluice::producer_state::closed);
    run_until(context, [&] { return open.called(); });
}
