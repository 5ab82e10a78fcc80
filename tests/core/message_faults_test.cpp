// SPDX-License-Identifier: BSL-1.0
// Faults of messages and of their acknowledgements, by hand over a peer.
#include "support/faulty_world.hpp"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using namespace sluice::testing;
using test::contexts_in;
using test::faulty_world;
using test::frame;
using test::peer_client;
using strings = std::vector<std::string>;

/// Several messages in one write.
strings say_all(peer_client& c, int from, int to) {
    for (int i = from; i <= to; ++i) c.websocket().send(test::web::opcode::text, test::web::as_bytes(frame(i)));
    return c.exchange_frames();
}

} // namespace

TEST_CASE("a refused message is answered with the text, is not stored, and takes no number") {
    faulty_world w;
    peer_client& c = w.produce();
    const fault f = w.faults.messages("t").after(1).refuse("a.b.PulsarClientException$TimeoutException: \"why\"");
    CHECK(contexts_in(c.say(frame(1))) == strings{"1"});
    CHECK(c.say(frame(2)) ==
          strings{R"({"result":"send-error:8","errorMsg":"a.b.PulsarClientException$TimeoutException: \"why\"",)"
                  R"("context":"2","errorCode":0,"schemaVersion":0})"});
    CHECK(c.say(frame(3)).front().starts_with(R"({"result":"ok")"));
    const auto stored = w.model.messages("t");
    REQUIRE(stored.size() == 2);
    CHECK(stored[1].sequence_id == 1);
    CHECK(f.met() == 1);
    CHECK(w.model.stats().errors == 1);

    w.faults.messages().times(2).refuse("no");
    CHECK(c.say("{}") == strings{R"({"result":"send-error:8","errorMsg":"no","errorCode":0,"schemaVersion":0})"});
    CHECK(c.say("{") == strings{R"({"result":"send-error:8","errorMsg":"no","errorCode":0,"schemaVersion":0})"});
}

TEST_CASE("a message that closes the socket") {
    faulty_world w;
    peer_client& c = w.produce();
    const fault f = w.faults.messages().after(2).close(1011, "maintenance");
    CHECK(contexts_in(say_all(c, 1, 5)) == strings{"1", "2"});
    CHECK(c.close_code == 1011);
    CHECK(c.close_reason == "maintenance");
    CHECK(w.model.message_count("t") == 2);
    CHECK(f.met() == 1);
    CHECK(w.model.stats().open_sockets == 0);
}

TEST_CASE("a message, or an acknowledgement, that cuts the connection") {
    for (const bool stored : {false, true}) {
        CAPTURE(stored);
        faulty_world w;
        peer_client& c = w.produce();
        if (stored) {
            w.faults.acks().after(2).cut(cut::silence);
        } else {
            w.faults.messages().after(2).cut(cut::silence);
        }
        CHECK(contexts_in(say_all(c, 1, 5)) == strings{"1", "2"}); // what was answered before
        CHECK(c.server().want_cut() == cut::silence);
        CHECK_FALSE(c.server().want_close());
        CHECK(w.model.message_count("t") == (stored ? 3 : 2));
        CHECK(c.say(frame(6)).empty());
        CHECK(w.model.message_count("t") == (stored ? 3 : 2));
        CHECK(w.model.stats().open_sockets == 1); // the proxy does not know
        c.advance(5min);
        CHECK(w.model.stats().open_sockets == 0);
    }
}

TEST_CASE("acknowledgements: swallowed, doubled, and those of another topic not") {
    faulty_world w;
    peer_client& c = w.produce();
    peer_client& other = w.produce("other");
    const fault swallowed = w.faults.acks("t").times(2).swallow();
    const fault doubled = w.faults.acks("t").after(1).twice();
    CHECK(contexts_in(other.say(frame(1))) == strings{"1"});
    CHECK(contexts_in(say_all(c, 1, 5)) == strings{"3", "4", "4", "5"});
    CHECK(w.model.message_count("t") == 5);
    CHECK(swallowed.met() == 2);
    CHECK(doubled.met() == 1);
}

TEST_CASE("two acknowledgements change places, in one read or in two") {
    faulty_world w;
    peer_client& c = w.produce();
    const fault f = w.faults.acks().times(2).swap();
    CHECK(contexts_in(say_all(c, 1, 5)) == strings{"2", "1", "4", "3", "5"});
    CHECK(f.met() == 2);
    w.faults.acks().swap();
    CHECK(c.say(frame(6)).empty());
    w.faults.acks().swallow(); // not for the second of the two
    CHECK(contexts_in(c.say(frame(7))) == strings{"7", "6"});
    CHECK(c.say(frame(8)).empty());
}

TEST_CASE("late acknowledgements keep their order, and so does what comes behind them") {
    faulty_world w;
    peer_client& c = w.produce();
    const fault f = w.faults.acks().after(1).times(2).delay(3s);
    CHECK(contexts_in(c.say(frame(1))) == strings{"1"});
    CHECK(c.say(frame(2)).empty());
    CHECK(c.server().next_time() == test::start + 3s);
    CHECK(c.advance(1s).empty());
    CHECK(c.say(frame(3)).empty());
    CHECK(c.say(frame(4)).empty()); // on time, but for those before it
    CHECK(w.model.message_count("t") == 4);
    CHECK(contexts_in(c.advance(2s)) == strings{"2"});
    CHECK(contexts_in(c.advance(1s)) == strings{"3", "4"});
    CHECK(contexts_in(c.say(frame(5))) == strings{"5"});
    CHECK(f.met() == 2);
}

TEST_CASE("with the proxy's batching the faults are the same") {
    faulty_world w;
    peer_client& c = w.produce("t", "?batchingEnabled=true&batchingMaxPublishDelay=10&batchingMaxMessages=3");
    w.faults.acks().swallow();
    w.faults.acks().swap();
    CHECK(contexts_in(say_all(c, 1, 3)) == strings{"3", "2"});
    w.faults.messages().refuse("no");
    CHECK(contexts_in(c.say(frame(4))) == strings{"4"});
    CHECK(c.say(frame(5)).empty());
    CHECK(contexts_in(c.advance(10ms)) == strings{"5"});
    w.faults.acks().delay(1s);
    c.say(frame(6));
    CHECK(c.advance(10ms).empty());
    CHECK(contexts_in(c.advance(1s)) == strings{"6"});
}

TEST_CASE("a full quota: every message of the topic is refused until there is room") {
    faulty_world w;
    peer_client& c = w.produce();
    peer_client& other = w.produce("other");
    fault full = w.faults.fill_quota("t");
    const strings answers = say_all(c, 1, 2);
    CHECK(
        answers.front() ==
        R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$)"
        R"(ProducerBlockedQuotaExceededException: The backlog quota of the topic persistent://public/default/t )"
        R"(that the producer standalone-0-0 produces to is exceeded","context":"1","errorCode":0,"schemaVersion":0})");
    CHECK(contexts_in(answers) == strings{"1", "2"});
    CHECK(contexts_in(other.say(frame(1))) == strings{"1"});
    CHECK(w.model.message_count("other") == 1);
    CHECK(full.met() == 2);
    full.withdraw();
    CHECK(c.say(frame(3)).front().starts_with(R"({"result":"ok")"));
    CHECK(w.model.message_count("t") == 1);
}

TEST_CASE("a connection that ends with acknowledgements on the way") {
    faulty_world w;
    peer_client& c = w.produce("t", "?producerName=p");
    w.faults.acks().delay(1s);
    w.faults.acks().swap();
    say_all(c, 1, 2);
    c.server().end_of_stream(test::start);
    c.server().advance(test::start + 2s);
    CHECK(c.server().next_time() == time_point::max());
    CHECK(w.model.message_count("t") == 2);
    w.produce("t", "?producerName=p"); // its name is free again
}
