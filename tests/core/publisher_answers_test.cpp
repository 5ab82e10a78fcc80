// SPDX-License-Identifier: BSL-1.0
// What the server says: acknowledgements in every order and shape, refusals of each kind, control frames, and all of it
// cut at every offset.
#include "harness.hpp"

namespace {

using namespace test;

/// Three messages, written.
struct three : harness {
    explicit three(const producer_options& options = {}) : harness(options) {
        sent = send_many(3);
        open();
        REQUIRE(write_all().size() == 3);
    }
    ids sent;
};

// --- acknowledgements

TEST_CASE("answers: reordered ones complete the messages that they name") {
    three h;
    h.ack(2);
    h.ack(0);
    h.ack(1);
    CHECK(h.order == ids{h.sent[2], h.sent[0], h.sent[1]});
    CHECK(h.pub.last_sequence_id() == 2);
    CHECK(h.pub.drained());
}

TEST_CASE("answers: doubled, unknown and foreign ones are nobody's") {
    three h;
    h.ack(0);
    h.ack(0);
    CHECK(!h.refuse(0, "TimeoutException"));
    CHECK(!h.say(ok_text(3)));
    CHECK(!h.say(ok_text(16))); // the same place in the ring as 0
    CHECK(!h.say(ok_text(17)));
    CHECK(!h.say(ok_text(9'223'372'036'854'775'807)));
    CHECK(!h.say(R"({"result":"ok","messageId":"CAAQAw==","context":"18446744073709551615"})"));
    for (const char* context : {"", "01", "-1", " 1", "1 ", "one", "1.0", "99999999999999999999999"})
        CHECK(!h.say(std::string(R"({"result":"ok","messageId":"CAAQAw==","context":")") + context + "\"}"));
    CHECK(!h.say(R"({"result":"ok","messageId":"CAAQAw=="})"));
    CHECK(!h.say(R"({"result":"ok","messageId":"CAAQAw==","context":1})")); // a number is none of ours
    CHECK(h.order == ids{h.sent[0]});
    CHECK(h.pub.messages() == 2);
}

TEST_CASE("answers: what is no acknowledgement concerns nobody") {
    three h;
    for (const char* text : {"", "x", "{", "[]", "null", "{}", R"({"type":"AUTH_CHALLENGE","authChallenge":{}})",
                             R"({"context":"0"})", R"({"result":0,"context":"0"})"})
        CHECK(!h.say(text));
    CHECK(!h.receive(server_frame(ok_text(0), web::opcode::binary)));
    CHECK(h.order.empty());
}

TEST_CASE("answers: other shapes of an ok") {
    const auto shapes = {
        R"({"result":"ok","messageId":"CAAQAw==","context":"0"})",
        R"({"context":"0","messageId":"CAAQAw==","result":"ok"})",
        " { \"result\" : \"ok\" , \"messageId\" : \"CAAQAw==\" ,\r\n \"context\" : \"0\" , \"new\" : [1,{}] } ",
        R"({"result":"ok","messageId":"CAAQAw\u003d\u003d","context":"\u0030"})",
        R"({"result":"ok","messageId":"CAAQAw==","properties":{},"context":"0","errorCode":0,"schemaVersion":0})"};
    for (const char* text : shapes) {
        CAPTURE(text);
        three h;
        CHECK(!h.say(text));
        CHECK(h.persisted(h.sent[0]));
        CHECK(h.of(h.sent[0]).receipt.message_id.view() == "CAAQAw==");
    }
}

TEST_CASE("answers: ledger -1 is a repeat, a success; without deduplicate also at the first time") {
    three h;
    CHECK(!h.say(repeat_text(0)));
    CHECK(h.is(h.sent[0], {}, outcome::duplicate));
    CHECK(h.pub.last_sequence_id() == 0);
}

// --- refusals

TEST_CASE("answers: what each refusal means without deduplicate") {
    struct row {
        const char* exception;
        errc code;
        outcome what;
    };
    for (const row& r : {row{"TimeoutException", errc::ack_timeout, outcome::maybe_persisted},
                         row{"ProducerQueueIsFullError", errc::queue_full, outcome::not_sent},
                         row{"MemoryBufferIsFullError", errc::queue_full, outcome::not_sent},
                         row{"InvalidMessageException", errc::too_large, outcome::rejected},
                         row{"TopicTerminatedException", errc::topic_terminated, outcome::rejected},
                         row{"ProducerBlockedQuotaExceededException", errc::quota_exceeded, outcome::maybe_persisted},
                         row{"NotAllowedException", errc::rejected, outcome::rejected}}) {
        CAPTURE(r.exception);
        three h;
        CHECK(!h.refuse(1, r.exception));
        CHECK(h.is(h.sent[1], r.code, r.what));
        CHECK(h.of(h.sent[1]).text() == "send-error:8: " + pulsar_error(r.exception));
        CHECK(h.of(h.sent[1]).receipt.sequence_id == 1);
        CHECK(h.of(h.sent[1]).receipt.message_id.empty());
        CHECK(h.of(h.sent[1]).receipt.info == h.of(h.sent[1]).error.details);
        CHECK(h.pub.last_sequence_id() == -1);
        CHECK(h.order == ids{h.sent[1]});
        h.ack(0); // the others go on
        h.ack(2);
        CHECK(h.persisted(h.sent[0]));
        CHECK(h.persisted(h.sent[2]));
        CHECK(h.pub.numbers().snapshot().failed == 1);
    }
}

TEST_CASE("answers: other codes with a context reject their message") {
    for (const int code : {3, 7, 9}) {
        three h;
        CHECK(!h.say(refusal_text(1, "Invalid Base64 message-payload", code)));
        CHECK(h.is(h.sent[1], errc::rejected, outcome::rejected));
        CHECK(h.of(h.sent[1]).text() == "send-error:" + std::to_string(code) + ": Invalid Base64 message-payload");
    }
    three h;
    CHECK(!h.say(R"({"result":"perhaps","context":"1"})"));
    CHECK(h.is(h.sent[1], errc::rejected, outcome::rejected));
}

TEST_CASE("answers: a closed producer at the proxy costs the socket, not the message") {
    three h;
    const failure f = h.refuse(1, "AlreadyClosedException");
    CHECK(f.code == errc::connection_closed);
    CHECK(h.order.empty());
    h.reopen();
    CHECK(h.write_contexts() == contexts{0, 1, 2});
}

TEST_CASE("answers: an error without a context costs the socket, and does not quote the message") {
    three h;
    const failure f = h.say(R"({"result":"send-error:3","errorMsg":"secret","errorCode":0})");
    CHECK(f.code == errc::unexpected_answer);
    CHECK(f.details->text.find("secret") == std::string::npos);
    CHECK(f.details->text.find("send-error:3") != std::string::npos);
    CHECK(h.order.empty());
}

TEST_CASE("answers: what came behind a bad answer in the same read still counts") {
    three h;
    const failure f = h.receive(server_frame(refusal_text(2, pulsar_error("AlreadyClosedException"))) +
                                server_frame(ok_text(0)) + server_frame(ok_text(1)) + server_close(1011, "later"));
    CHECK(f.code == errc::connection_closed);
    CHECK(f.details->close_code == 0); // the first cause
    CHECK(h.order == ids{h.sent[0], h.sent[1]});
    h.reopen();
    CHECK(h.write_contexts() == contexts{2}); // errors overtake: 0 and 1 are not sent twice
}

TEST_CASE("answers: a terminated topic: what is in flight is answered, then the socket is opened again") {
    producer_options o;
    o.max_pending_messages = 2;
    harness h(o);
    const ids sent = h.send_many(3);
    h.open();
    CHECK(h.write_contexts() == contexts{0, 1});
    CHECK(!h.refuse(0, "TopicTerminatedException"));
    CHECK(h.is(sent[0], errc::topic_terminated, outcome::rejected));
    CHECK(h.of(sent[0]).error.code == sluice::condition::fatal);
    CHECK(h.write_all().empty()); // nothing more on this socket
    CHECK_FALSE(h.pub.wants_reopen());
    CHECK(!h.refuse(1, "TopicTerminatedException"));
    CHECK(h.pub.wants_reopen());
    h.renumber();
    CHECK(h.write_contexts() == contexts{2});
}

// --- the socket's own frames

TEST_CASE("answers: pings are answered, in front of messages; ours are written") {
    three h;
    CHECK(!h.receive(server_frame("are you there", web::opcode::ping)));
    CHECK(h.pub.wants_write());
    h.send("next");
    const auto frames = h.write();
    CHECK(h.pongs == std::vector<std::string>{"are you there"});
    CHECK(frames.size() == 1);
    h.pub.ping();
    CHECK(h.pub.wants_write());
    CHECK(h.write_all().empty());
    CHECK(h.pings == 1);
    CHECK(!h.receive(server_frame("", web::opcode::pong)));
    CHECK_FALSE(h.pub.wants_write());
}

TEST_CASE("answers: the server's close is the end of the socket, with its code and reason") {
    three h;
    const failure f = h.receive(server_frame(ok_text(0)) + server_close(1001, "Idle timeout"));
    CHECK(f.code == errc::connection_closed);
    CHECK(f.details->close_code == 1001);
    CHECK(f.details->text == "the server closed the socket with 1001: Idle timeout");
    CHECK(h.persisted(h.sent[0]));
    CHECK(h.pub.says_goodbye());
    h.send("late");
    CHECK(h.write_all().empty()); // no data behind the close
    CHECK(h.close_code == 1001);
    CHECK_FALSE(h.pub.says_goodbye());
}

TEST_CASE("answers: an end without a close frame, and a broken protocol") {
    {
        three h;
        const failure f = h.pub.end_of_stream(h.now);
        CHECK(f.code == errc::connection_closed);
        CHECK(f.details->close_code == 1006);
    }
    {
        three h;
        const failure f = h.receive("\x83\x01?"); // opcode 3
        CHECK(f.code == errc::protocol_error);
        CHECK(f.details->close_code == 1002);
        CHECK(h.pub.says_goodbye());
        h.write_all();
        CHECK(h.close_code == 1002);
    }
    {
        three h;
        const failure f = h.say("\xff\xfe"); // a text frame that is none
        CHECK(f.code == errc::invalid_utf8);
        CHECK(f.details->close_code == 1007);
    }
}

TEST_CASE("answers: closed with 1009: the largest in flight fails alone, the others are sent again") {
    producer_options o;
    o.max_pending_messages = 4;
    harness h(o);
    const int waits = h.send(std::string(100, 'a')); // answered
    const int small = h.send("b");
    const int large = h.send(std::string(2000, 'c'));
    const int other = h.send(std::string(1000, 'd'));
    const int later = h.send(std::string(5000, 'e')); // behind the window
    h.open();
    h.write_all();
    const failure f = h.receive(server_frame(ok_text(0)) + server_close(1009, "Text message too large"));
    CHECK(f.code == errc::connection_closed);
    CHECK(h.persisted(waits));
    CHECK(h.is(large, errc::too_large, outcome::rejected));
    CHECK(h.of(large).text() == "the server closed the socket with 1009: Text message too large");
    CHECK(h.of(large).receipt.sequence_id == 2);
    CHECK(h.order == ids{waits, large});
    h.reopen();
    CHECK(h.write_contexts() == contexts{1, 3, 4});
    for (std::uint64_t c = 3; c < 5; ++c) h.ack(c);
    h.ack(1);
    CHECK(h.persisted(small));
    CHECK(h.persisted(other));
    CHECK(h.persisted(later));
}

TEST_CASE("answers: closed with 1009 on a resend: an earlier server may have stored it") {
    harness h;
    const int large = h.send(std::string(2000, 'c'));
    h.open();
    h.write_all();
    h.reopen();
    h.write_all();
    h.receive(server_close(1009, "Text message too large"));
    CHECK(h.is(large, errc::too_large, outcome::maybe_persisted));
}

TEST_CASE("answers: closed with 1009 for a message that nobody waits for: no other one is blamed") {
    harness h;
    h.open();
    const int large = h.send(std::string(2000, 'c'), true);
    const int small = h.send("b");
    h.write_all();
    h.cancel(large);
    CHECK(h.receive(server_close(1009)));
    CHECK(h.order == ids{large});
    h.reopen();
    CHECK(h.write_contexts() == contexts{1});
    h.ack(1);
    CHECK(h.persisted(small));
    CHECK(h.receive(server_close(1009))); // nothing in flight at all
}

TEST_CASE("answers: our close: nothing is written behind it, and the server's answer ends the socket") {
    three h;
    for (std::uint64_t c = 0; c < 3; ++c) h.ack(c);
    h.pub.close_socket();
    CHECK(h.pub.says_goodbye());
    CHECK(h.write_all().empty());
    CHECK(h.close_code == 1000);
    h.send("late");
    CHECK(h.write_all().empty());
    CHECK(h.receive(server_close(1000)).code == errc::connection_closed);
}

TEST_CASE("answers: what came behind the upgrade is read by received(0)") {
    harness h;
    h.send("a");
    h.open();
    h.write_all();
    h.lose();
    h.open(server_frame("hello", web::opcode::ping));
    CHECK(!h.pub.received(0, h.now));
    CHECK(h.write_payloads() == "a");
    CHECK(h.pongs == std::vector<std::string>{"hello"});
}

// --- memory

TEST_CASE("answers: going idle leaves alone what a read under way may write into") {
    three h;
    for (std::uint64_t c = 0; c < 3; ++c) h.ack(c);
    const std::span<std::byte> room = h.pub.prepare(64 * 1024);
    h.pub.idle();
    h.send("a");
    h.write_all();
    h.pub.idle();
    const std::string answer = server_frame(ok_text(3));
    std::memcpy(room.data(), answer.data(), answer.size());
    CHECK(!h.pub.received(answer.size(), h.now));
    h.deliver();
    CHECK(h.pub.drained());
}

TEST_CASE("answers: going idle leaves alone a batch that may be on its way") {
    harness h;
    h.open();
    const int id = h.send(std::string(1000, 'x'), true);
    const web::bytes_view batch = h.pub.encode();
    const std::string copy(web::as_text(batch));
    h.cancel(id); // nothing is outstanding any more, but the peer reads slowly
    h.pub.idle();
    CHECK(web::as_text(batch) == copy);
    CHECK(h.pub.encode().empty());
    h.pub.idle();
    h.send("y");
    CHECK_FALSE(h.pub.encode().empty());
}

// --- cut at every offset

TEST_CASE("answers: the same answers cut at every offset") {
    const std::string fragments = [] {
        web::ws_connection server(web::ws_connection::role::server, nullptr);
        const std::string text = ok_text(3);
        server.send(web::opcode::text, web::as_bytes(text).first(20), false);
        server.ping(web::as_bytes("between"));
        server.send(web::opcode::text, web::as_bytes(text).subspan(20));
        return std::string(web::as_text(server.output()));
    }();
    const std::string input = server_frame(ok_text(0)) + server_frame("p", web::opcode::ping) +
                              server_frame(refusal_text(2, pulsar_error("NotAllowedException"))) +
                              server_frame(R"({"context":"1","result":"ok","messageId":"CAAQBA=="})") + fragments +
                              server_close(1001, "bye");
    const auto check = [](harness& h, const failure& f) {
        CHECK(f.code == errc::connection_closed);
        CHECK(h.order == ids{0, 2, 1, 3});
        CHECK(h.persisted(0));
        CHECK(h.is(2, errc::rejected, outcome::rejected));
        CHECK(h.of(1).receipt.message_id.view() == "CAAQBA==");
        CHECK(h.persisted(3));
        CHECK(h.pub.drained());
        h.write_all();
        CHECK(h.pongs == std::vector<std::string>{"p", "between"});
        CHECK(h.close_code == 1001);
    };
    const auto ready = [](harness& h) {
        h.send_many(4);
        h.open();
        REQUIRE(h.write_all().size() == 4);
    };
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        CAPTURE(cut);
        harness h;
        ready(h);
        failure f = h.receive(input.substr(0, cut));
        if (cut != input.size()) {
            REQUIRE(!f);
            f = h.receive(input.substr(cut));
        }
        check(h, f);
    }
    harness h;
    ready(h);
    failure f;
    for (const char c : input) {
        REQUIRE(!f);
        f = h.receive(std::string(1, c));
    }
    check(h, f);
}

TEST_CASE("answers: a connection cut at every offset leaves each message answered or to be sent again") {
    const std::string input = server_frame(ok_text(1)) + server_frame(ok_text(0)) + server_frame(ok_text(2));
    const std::size_t one = server_frame(ok_text(0)).size();
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        CAPTURE(cut);
        three h;
        CHECK(!h.receive(input.substr(0, cut)));
        CHECK(h.pub.end_of_stream(h.now));
        h.deliver();
        h.reopen();
        contexts expected;
        for (const std::uint64_t c : contexts{0, 1, 2})
            if (cut < one * (c == 1 ? 1 : c == 0 ? 2 : 3)) expected.push_back(c);
        CHECK(h.write_contexts() == expected);
        CHECK(h.order.size() + expected.size() == 3);
        for (const std::uint64_t c : expected) h.ack(c);
        for (const int id : h.sent) CHECK(h.persisted(id));
    }
}

} // namespace
