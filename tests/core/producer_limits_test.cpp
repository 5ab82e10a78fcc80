// SPDX-License-Identifier: BSL-1.0
// A producer socket of the model at its limits: sizes, numbers, batches, a full queue, and how it ends.
#include "producing.hpp"

namespace {

using namespace producing;

TEST_CASE("binary frames are ignored in silence; pings are answered") {
    world w;
    producer p(w);
    p.websocket().send(web::opcode::binary, web::as_bytes(R"({"payload":"","context":"1"})"));
    p.websocket().ping(web::as_bytes("PING"));
    CHECK(p.exchange_frames().empty());
    CHECK(w.model.stats().binary_frames == 1);
    CHECK(p.ask(R"({"payload":"","context":"2"})") == ok("CAQQADAA", "2"));
}

TEST_CASE("a text frame of exactly the limit is taken, one more is not") {
    const std::size_t limit = 1u << 20;
    world w;
    const auto frame = [](std::size_t size) {
        const std::string head = R"({"context":"1","payload":")", tail = "\"}";
        std::string payload((size - head.size() - tail.size()) / 4 * 4, 'A');
        std::string text = head + payload + tail;
        return text + std::string(size - text.size(), ' ');
    };
    {
        producer p(w);
        CHECK(p.ask(frame(limit)) == ok("CAQQADAA", "1"));
    }
    producer p(w);
    CHECK(p.say(frame(limit + 1)).empty());
    CHECK(p.close_code == 1009);
    CHECK(p.close_reason == "Text message size [1048577] exceeds maximum size [1048576]");
    p.exchange_frames();
    CHECK(p.server().want_close());
    CHECK(w.stored().size() == 1);
    producer fragments(w); // counted over the whole message
    fragments.websocket().send(web::opcode::text, web::as_bytes(frame(limit)), false);
    fragments.websocket().send(web::opcode::continuation, web::as_bytes(" "));
    CHECK(fragments.exchange_frames().empty());
    CHECK(fragments.close_code == 1009);
}

TEST_CASE("maxMessageSize, and which refusals take a number") {
    test::proxy_options options;
    options.max_message_size = 100'000;
    const auto frame = [](std::size_t bytes) {
        return R"({"context":"1","payload":")" + web::base64_encode_string(web::as_bytes(std::string(bytes, 'x'))) +
               "\"}";
    };
    const std::string head = "InvalidMessageException: The producer standalone-0-0 of the topic "
                             "persistent://public/default/t sends a";
    SUBCASE("without batching") {
        world w(options);
        producer p(w);
        CHECK(p.ask(frame(100'001)) ==
              broker_error(head + "  message with 100001 bytes that exceeds 100000 bytes", "1"));
        CHECK(p.ask(frame(10)) == ok("CAQQADAA", "1"));
        CHECK(p.ask(frame(100'000)) ==
              broker_error(head + " message with 100029 bytes that exceeds 100000 bytes", "1"));
        CHECK(p.ask(frame(10)) == ok("CAQQATAA", "1"));
        CHECK(w.stored().at(0).sequence_id == 0);
        CHECK(w.stored().at(1).sequence_id == 2); // metadata that pushes it over takes one
        const std::string keyed = R"(,"key":"k"})";
        CHECK(p.ask(frame(99'990).replace(frame(99'990).size() - 1, 1, keyed)) ==
              broker_error(head + " message with 100025 bytes that exceeds 100000 bytes", "1"));
    }
    SUBCASE("with batching") {
        world w(options);
        producer p(w, "?batchingEnabled=true&batchingMaxMessages=1");
        CHECK(p.ask(frame(100'001)) ==
              broker_error("InvalidMessageException: Message size is bigger than 100000 bytes", "1"));
        CHECK(p.ask(frame(10)) == ok("CAQQADAA", "1")); // a lone message is no batch
        CHECK(w.stored().at(0).sequence_id == 1);
    }
}

TEST_CASE("batching: acknowledged when the batch is full or its delay is over") {
    world w;
    producer p(w, "?batchingEnabled=true&batchingMaxMessages=3&batchingMaxPublishDelay=10");
    CHECK(p.say(R"({"payload":"","context":"a"})").empty());
    CHECK(p.server().next_time() == test::start + 10ms);
    CHECK(p.say(R"({"payload":"","context":"b"})").empty());
    CHECK(w.stored().empty());
    CHECK(p.advance(9ms).empty());
    CHECK(p.advance(1ms) == std::vector<std::string>{ok("CAQQACAAMAA=", "a"), ok("CAQQACABMAA=", "b")});
    CHECK(p.say(R"({"payload":"","context":"c"})").empty());
    CHECK(p.say(R"({"payload":""})").empty());
    CHECK(p.say(R"({"payload":"","context":"e"})") ==
          std::vector<std::string>{ok("CAQQASAAMAA=", "c"),
                                   R"({"result":"ok","messageId":"CAQQASABMAA=","errorCode":0,"schemaVersion":0})",
                                   ok("CAQQASACMAA=", "e")});
    CHECK(w.stored().size() == 5);
}

TEST_CASE("a full queue is answered at once and takes no number; its errors overtake") {
    world w;
    producer p(w, "?batchingEnabled=true&maxPendingMessages=1");
    CHECK(p.say(R"({"payload":"","context":"c0"})").empty());
    CHECK(p.ask(R"({"payload":"","context":"c1"})") ==
          broker_error("ProducerQueueIsFullError: Producer send queue is full", "c1"));
    CHECK(p.advance(1ms) == std::vector<std::string>{ok("CAQQADAA", "c0")});
    CHECK(p.say(R"({"payload":"","context":"c2"})").empty());
    CHECK(p.advance(1ms).size() == 1);
    CHECK(w.stored().at(1).sequence_id == 1);
}

TEST_CASE("messages followed by a close: stored, not acknowledged, the close is answered") {
    for (const char* query : {"", "?batchingEnabled=true&batchingMaxPublishDelay=1000"}) {
        CAPTURE(query);
        world w;
        producer p(w, query);
        for (int i = 0; i < 50; ++i) p.websocket().send(web::opcode::text, web::as_bytes(R"({"payload":""})"));
        p.websocket().close(3000, "done");
        CHECK(p.exchange_frames().empty());
        CHECK(p.close_code == 3000);
        CHECK(p.server().want_close());
        CHECK(w.stored().size() == 50);
    }
}

TEST_CASE("a half-closed stream is answered with 1001; an idle one too") {
    world w;
    producer half(w);
    half.server().end_of_stream(half.now);
    half.listen();
    CHECK(half.close_code == 1001);
    CHECK(half.server().want_close());

    producer idle(w);
    CHECK(idle.server().next_time() == test::start + 5min);
    idle.advance(5min - 1ns);
    CHECK(idle.close_code == 0);
    idle.advance(1ns);
    CHECK(idle.close_code == 1001);
    CHECK(idle.close_reason == "java.util.concurrent.TimeoutException: Idle timeout expired: 300000/300000 ms");
    CHECK(idle.server().want_close());
}

TEST_CASE("a terminated topic") {
    world w;
    producer p(w);
    p.ask(R"({"payload":"","context":"1"})");
    CHECK(w.model.terminate(world::topic));
    const std::string first = p.ask(R"({"payload":"","context":"2"})");
    CHECK(first.starts_with(
        R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$TopicTerminatedException: {\"errorMsg\":\"org.apache.pulsar.broker.service.BrokerServiceException$TopicTerminatedException: Topic was already terminated\",\"reqId\":)"));
    CHECK(p.ask(R"({"payload":"","context":"3"})") ==
          broker_error("TopicTerminatedException: Topic was terminated", "3"));
    CHECK(w.stored().size() == 1);
}

TEST_CASE("a topic deleted under its producer") {
    SUBCASE("is made again") {
        world w;
        producer p(w, "?producerName=p1");
        p.ask(R"({"payload":"","context":"1"})");
        CHECK(w.model.delete_topic(world::topic));
        CHECK(p.ask(R"({"payload":"","context":"2"})") == ok("CAUQADAA", "2"));
        CHECK(w.stored().size() == 1);
        peer_client other(w.model);
        CHECK(other.upgrade("/ws/v2/producer/persistent/public/default/t?producerName=p1").status == 409);
    }
    SUBCASE("or not, and then the socket is useless") {
        test::proxy_options options;
        options.allow_auto_topic_creation = false;
        world w(options);
        CHECK(w.model.create_topic(world::topic));
        producer p(w, "?producerName=p1");
        CHECK(w.model.delete_topic(world::topic));
        CHECK(p.ask(R"({"payload":"","context":"1"})") ==
              broker_error("AlreadyClosedException: The producer p1 of the topic persistent://public/default/t was "
                           "already closed when closing the producers",
                           "1"));
        CHECK(p.ask(R"({"payload":"","context":"2"})") ==
              broker_error("AlreadyClosedException: Producer already closed", "2"));
        CHECK(w.model.create_topic(world::topic)); // which does not help this one
        CHECK(p.ask(R"({"payload":"","context":"3"})") ==
              broker_error("AlreadyClosedException: Producer already closed", "3"));
    }
}

} // namespace
