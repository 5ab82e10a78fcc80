// SPDX-License-Identifier: BSL-1.0
// How the proxy model numbers and deduplicates, the batch that begins with a repeat included (Pulsar 3.0.7 and 4.0.7).
#include "support/peer_client.hpp"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;
namespace web = sluice::web;

struct world {
    world() : model({}, test::counting_random(state)) {}

    std::uint64_t state = 7;
    test::proxy_model model;

    static constexpr std::string_view topic = "persistent://public/default/t";
    strings payloads() {
        strings all;
        for (const auto& m : model.messages(topic)) all.push_back(m.payload);
        return all;
    }
};

struct producer : test::peer_client {
    producer(world& w, const std::string& query) : peer_client(w.model) {
        REQUIRE(upgrade("/ws/v2/producer/persistent/public/default/t?" + query).status == 101);
    }
    /// The message ids of what is answered.
    strings send(std::string_view payload) {
        return ids(say(R"({"payload":")" + web::base64_encode_string(web::as_bytes(payload)) + "\"}"));
    }
    strings wait(std::chrono::nanoseconds by) { return ids(advance(by)); }

private:
    static strings ids(const strings& answers) {
        strings all;
        for (const std::string& a : answers) {
            CHECK(a.starts_with(R"({"result":"ok","messageId":")"));
            all.push_back(a.substr(28, a.find('"', 28) - 28));
        }
        return all;
    }
};

const std::string dropped = "CP///////////wEQ////////////ATAA";

TEST_CASE("without deduplication a resend is stored twice") {
    world w;
    for (int i = 0; i < 2; ++i) {
        producer p(w, "producerName=p1&initialSequenceId=-1");
        CHECK(p.send("a") != strings{dropped});
    }
    CHECK(w.payloads() == strings{"a", "a"});
    CHECK(w.model.messages(world::topic)[1].sequence_id == 0);
}

TEST_CASE("with it, repeats are dropped and answered ok, and what is new is stored") {
    world w;
    w.model.create_topic(world::topic);
    CHECK(w.model.deduplicate(world::topic, true));
    {
        producer p(w, "producerName=p1&initialSequenceId=41");
        CHECK(p.send("m0") == strings{"CAQQADAA"});
        p.send("m1");
        p.send("m2");
    }
    CHECK(w.model.messages(world::topic)[0].sequence_id == 42);
    {
        producer p(w, "producerName=p1&initialSequenceId=42");
        CHECK(p.send("m1") == strings{dropped});
        CHECK(p.send("m2") == strings{dropped});
        CHECK(p.send("m3") == strings{"CAQQAzAA"});
    }
    {
        producer p(w, "producerName=p1"); // left out: goes on behind the last
        p.send("m4");
    }
    {
        producer p(w, "producerName=p1&initialSequenceId=99"); // jumps are fine
        p.send("m5");
    }
    {
        producer p(w, "producerName=p1&initialSequenceId=-1"); // everything is old
        CHECK(p.send("x") == strings{dropped});
    }
    {
        producer p(w, "producerName=p2&initialSequenceId=-1"); // each name has its numbers
        p.send("m6");
    }
    CHECK(w.payloads() == strings{"m0", "m1", "m2", "m3", "m4", "m5", "m6"});
    CHECK(w.model.messages(world::topic)[4].sequence_id == 46);
    CHECK(w.model.messages(world::topic)[5].sequence_id == 100);
    CHECK(w.model.stats().duplicates == 3);
}

TEST_CASE("the trap: a batch is judged by its first number") {
    world w;
    w.model.create_topic(world::topic);
    w.model.deduplicate(world::topic, true);
    const std::string batching = "&batchingEnabled=true&batchingMaxMessages=3";
    {
        producer p(w, "producerName=p1&initialSequenceId=-1");
        for (const char* m : {"m0", "m1", "m2"}) p.send(m);
    }
    {
        producer p(w, "producerName=p1&initialSequenceId=0" + batching);
        CHECK(p.send("m1").empty());
        CHECK(p.send("m2").empty());
        CHECK(p.send("m3") == strings{"CP///////////wEQ////////////ASAAMAA=", "CP///////////wEQ////////////ASABMAA=",
                                      "CP///////////wEQ////////////ASACMAA="});
    }
    CHECK(w.payloads() == strings{"m0", "m1", "m2"}); // m3 is nowhere
    {
        producer p(w, "producerName=p1&initialSequenceId=0" + batching); // one by one
        for (const char* m : {"m1", "m2", "m3"}) {
            CHECK(p.send(m).empty());
            CHECK(p.wait(1ms).size() == 1);
        }
    }
    CHECK(w.payloads() == strings{"m0", "m1", "m2", "m3"});
}

TEST_CASE("numbers that no message takes") {
    world w;
    w.model.create_topic(world::topic);
    w.model.deduplicate(world::topic, true);
    producer p(w, "producerName=p1&initialSequenceId=-5");
    p.say("x");
    p.say(R"({"payload":"!!"})");
    p.say(R"({"payload":"","eventTime":"x"})");
    p.send("a"); // number -4: not higher than -1, where the broker begins
    CHECK(w.payloads().empty());
    for (const char* m : {"b", "c", "d", "e"}) p.send(m);
    CHECK(w.payloads() == strings{"e"});
    CHECK(w.model.messages(world::topic)[0].sequence_id == 0);
}

TEST_CASE("deduplication of a namespace, over the admin API") {
    world w;
    test::peer_client admin(w.model);
    CHECK(admin.request("POST", "/admin/v2/namespaces/public/default/deduplication", {}, "true").status == 204);
    for (int i = 0; i < 2; ++i) {
        producer p(w, "producerName=p1&initialSequenceId=-1");
        p.send("a");
    }
    CHECK(w.payloads() == strings{"a"});
    CHECK(admin.request("POST", "/admin/v2/persistent/public/default/t/deduplicationEnabled", {}, "false").status ==
          204);
    producer p(w, "producerName=p1&initialSequenceId=-1");
    p.send("a");
    CHECK(w.payloads() == strings{"a", "a"});
}

} // namespace
