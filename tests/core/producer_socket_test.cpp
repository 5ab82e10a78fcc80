// SPDX-License-Identifier: BSL-1.0
// What the proxy model answers on a producer socket, in the words of a real Pulsar 4.0.7.
#include "producing.hpp"

namespace {

using namespace producing;

TEST_CASE("an acknowledgement carries message id and context") {
    world w;
    producer p(w);
    CHECK(p.ask(R"({"payload":"aGk=","context":"1"})") == ok("CAQQADAA", "1"));
    CHECK(p.ask(R"({"payload":"aGk="})") ==
          R"({"result":"ok","messageId":"CAQQATAA","errorCode":0,"schemaVersion":0})");
    CHECK(p.ask(R"({"payload":"aGk=","context":null})") ==
          R"({"result":"ok","messageId":"CAQQAjAA","errorCode":0,"schemaVersion":0})");
    CHECK(p.ask(R"({"payload":"aGk=","context":"1"})") == ok("CAQQAzAA", "1")); // the same context again
    const auto all = w.stored();
    REQUIRE(all.size() == 4);
    CHECK(all[0].payload == "hi");
    CHECK(all[0].sequence_id == 0);
    CHECK(all[3].sequence_id == 3);
    CHECK(all[0].producer_name == "standalone-0-0");
    CHECK(all[0].message_id == "CAQQADAA");
    CHECK(all[0].publish_time == test::start);
    const auto position = sluice::message_id(all[3].message_id).decode();
    REQUIRE(position);
    CHECK(*position == sluice::message_id::position{4, 3, -1, -1});
}

TEST_CASE("contexts come back as text") {
    struct row {
        const char *sent, *back;
    };
    const row rows[] = {
        {R"("x")", R"("x")"},  {"7", R"("7")"},    {"7.5", R"("7.5")"},
        {"true", R"("true")"}, {R"("")", R"("")"}, {R"("ü\u00e9\ud83d\ude00\"\\\/\n")", R"("üé😀\"\\/\n")"},
        {"-1e3", R"("-1e3")"},
    };
    for (const row& r : rows) {
        CAPTURE(r.sent);
        world w;
        producer p(w);
        CHECK(p.ask(std::string(R"({"context":)") + r.sent + R"(,"payload":""})") ==
              std::string(R"({"result":"ok","messageId":"CAQQADAA","context":)") + r.back +
                  R"(,"errorCode":0,"schemaVersion":0})");
    }
}

TEST_CASE("what does not parse is answered with code 3 and no context") {
    const std::string member = " (through reference chain: org.apache.pulsar.websocket.data.ProducerMessage[\\\"";
    struct row {
        std::string sent, answer;
    };
    const row rows[] = {
        {"{not json}",
         malformed("Unexpected character ('n' (code 110)): was expecting double-quote to start field name", 1, 2)},
        {"not json", malformed("Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token "
                               "'null', 'true' or 'false')",
                               1, 4)},
        {"", malformed("No content to map due to end-of-input", 1, 1)},
        {"{'payload':''}",
         malformed("Unexpected character (''' (code 39)): was expecting double-quote to start field name", 1, 2)},
        {R"({"payload":"" "context":"1"})",
         malformed("Unexpected character ('\\\"' (code 34)): was expecting comma to separate Object entries", 1, 15)},
        {R"({"payload" ""})",
         malformed("Unexpected character ('\\\"' (code 34)): was expecting a colon to separate field name and value", 1,
                   12)},
        {"{\n\"payload\":\"a\nb\"}",
         malformed(
             "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included "
             "in string value",
             2, 13)},
        {"\xef\xbb\xbf{}", malformed("Unexpected character ('\xef\xbb\xbf' (code 65279 / 0xfeff)): expected a valid "
                                     "value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                                     1, 1)},
        {R"({"payload":NaN})", malformed("Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` "
                                         "to allow",
                                         1, 15)},
        {R"({"payload":-})",
         malformed("Unexpected character ('}' (code 125)) in numeric value: expected digit (0-9) to "
                   "follow minus sign, for valid numeric value",
                   1, 13)},
        {R"({"payload":})", malformed("Unexpected character ('}' (code 125)): expected a value", 1, 12)},
        {"/* */{}",
         malformed("Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as "
                   "one since Feature 'ALLOW_COMMENTS' not enabled for parser)",
                   1, 1)},
    };
    for (const row& r : rows) {
        CAPTURE(r.sent);
        world w;
        producer p(w);
        CHECK(p.ask(r.sent) == r.answer);
        CHECK(w.stored().empty());
    }
    // wrong types of members
    for (const char* sent : {R"({"payload":{},"context":"1"})",
                             R"({"payload":[],"context":"1"})",
                             R"({"payload":"","context":{}})",
                             R"({"payload":"","context":[]})",
                             R"({"payload":"","properties":[]})",
                             R"({"payload":"","properties":"x"})",
                             R"({"payload":"","properties":{"a":{}}})",
                             R"({"payload":"","properties":{"a":[1]}})",
                             R"({"payload":"","sequenceId":"x"})",
                             R"({"payload":"","deliverAt":99999999999999999999})",
                             R"({"payload":"","deliverAfterMs":true})",
                             R"({"payload":"","replicationClusters":"r1"})",
                             R"([{"payload":""}])",
                             R"("payload")",
                             "7",
                             "true",
                             R"({"payload":"")",
                             R"({"payload":)",
                             R"({"payload":"\x"})",
                             R"({"payload":"\u12"})",
                             R"({"payload":01})",
                             R"({"payload":-})",
                             R"({"payload":1.})",
                             R"({"a":[1,]})",
                             R"({"a":1,})"}) {
        CAPTURE(sent);
        world w;
        producer p(w);
        const std::string answer = p.ask(sent);
        CHECK(answer.starts_with(R"({"result":"send-error:3","errorMsg":")"));
        CHECK(answer.ends_with(R"(","errorCode":0,"schemaVersion":0})"));
        CHECK(answer.find("\"context\"") == std::string::npos);
    }
    world w;
    producer p(w);
    CHECK(p.ask(R"({"payload":{}})") ==
          malformed("Cannot deserialize value of type `java.lang.String` from Object value (token "
                    "`JsonToken.START_OBJECT`)",
                    1, 12)
              .replace(malformed("Cannot deserialize value of type `java.lang.String` from Object value (token "
                                 "`JsonToken.START_OBJECT`)",
                                 1, 12)
                           .find("]\",\"errorCode"),
                       1, "]" + member + "payload\\\"])"));
    const std::string deep(1001, '[');
    CHECK(p.ask("{\"a\":" + deep).starts_with(R"({"result":"send-error:3","errorMsg":"Document nesting depth)"));
}

TEST_CASE("payload and eventTime that cannot be read are answered with code 7") {
    const std::string no_source =
        R"(Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null)";
    const std::string base64 = "Invalid Base64 message-payload error=";
    struct row {
        std::string sent, answer;
    };
    const row rows[] = {
        {R"({"context":"2"})", payload_error(no_source, "2")},
        {R"({"context":"2","payload":null})", payload_error(no_source, "2")},
        {"null", payload_error(R"(Cannot read field \"context\" because \"sendRequest\" is null)")},
        {R"({"payload":"!!","context":"3"})", payload_error(base64 + "Illegal base64 character 21", "3")},
        {R"({"payload":"aA=","context":"3"})",
         payload_error(base64 + "Input byte array has wrong 4-byte ending unit", "3")},
        {R"({"payload":"aGk==","context":"3"})",
         payload_error(base64 + "Input byte array has incorrect ending byte at 4", "3")},
        {R"({"payload":"aGk_","context":"3"})", payload_error(base64 + "Illegal base64 character 5f", "3")},
        {R"({"payload":"aG k","context":"3"})", payload_error(base64 + "Illegal base64 character 20", "3")},
        {R"({"payload":"aGk=\n","context":"3"})",
         payload_error(base64 + "Input byte array has incorrect ending byte at 4", "3")},
        {R"({"payload":"aGkxa","context":"3"})",
         payload_error(base64 + "Last unit does not have enough valid bits", "3")},
        {R"({"payload":"a","context":"3"})",
         payload_error(base64 + "Input byte[] should at least have 2 bytes for base64 bytes", "3")},
        {R"({"payload":"aé==","context":"3"})", payload_error(base64 + "Illegal base64 character -17", "3")},
        {R"({"payload":"a€==","context":"3"})", payload_error(base64 + "Illegal base64 character 3f", "3")},
        {R"({"payload":"","eventTime":"yesterday","context":"e"})",
         payload_error("Text 'yesterday' could not be parsed at index 0", "e")},
        {R"({"payload":"","eventTime":"2026-11-24T08:00:00","context":"e"})",
         payload_error("Text '2026-11-24T08:00:00' could not be parsed at index 19", "e")},
        {R"({"payload":"","eventTime":"2026-11-24","context":"e"})",
         payload_error("Text '2026-11-24' could not be parsed at index 10", "e")},
        {R"({"payload":"","eventTime":1764000000000,"context":"e"})",
         payload_error("Text '1764000000000' could not be parsed at index 0", "e")},
        {R"({"payload":"","eventTime":"2026-11-24T08:00:00+0200","context":"e"})",
         payload_error("Text '2026-11-24T08:00:00+0200' could not be parsed, unparsed text found at index 22", "e")},
        {R"({"payload":"","eventTime":"2026-11-24T08:00:00+02:00[Europe/Berlin]","context":"e"})",
         payload_error("Text '2026-11-24T08:00:00+02:00[Europe/Berlin]' could not be parsed, unparsed text found at "
                       "index 25",
                       "e")},
        {R"({"payload":"","eventTime":"","context":"e"})",
         payload_error("Text '' could not be parsed at index 0", "e")},
        {R"({"payload":"","eventTime":"2026-13-24T08:00:00Z","context":"e"})",
         payload_error("Text '2026-13-24T08:00:00Z' could not be parsed: Invalid value for MonthOfYear (valid values 1 "
                       "- 12): 13",
                       "e")},
        {R"({"payload":"","eventTime":"2026-02-30T08:00:00Z","context":"e"})",
         payload_error("Text '2026-02-30T08:00:00Z' could not be parsed: Invalid date 'FEBRUARY 30'", "e")},
    };
    for (const row& r : rows) {
        CAPTURE(r.sent);
        world w;
        producer p(w);
        CHECK(p.ask(r.sent) == r.answer);
        CHECK(w.stored().empty());
        CHECK(p.ask(R"({"payload":"aGk=","context":"4"})") == ok("CAQQADAA", "4"));
        CHECK(w.stored().at(0).sequence_id == 0); // no number was taken
    }
}

TEST_CASE("members, and what becomes of them") {
    world w;
    producer p(w);
    const auto sent = [&](std::string_view message) {
        const std::string answer = p.ask(message);
        CHECK(answer.starts_with(R"({"result":"ok")"));
        return w.stored().back();
    };
    using ms = sluice::message_attributes::time_point;
    CHECK(sent(R"({"payload":1234})").payload == "\xd7\x6d\xf8");
    CHECK(sent(R"({"payload":"aGk"})").payload == "hi");
    CHECK(sent(R"({"payload":"aGl="})").payload == "hi"); // bits behind the last byte
    CHECK(sent(" \n{\"payload\":\"aGk=\"}\t ").payload == "hi");
    CHECK(sent(R"({"payload":"aGk="}{"payload":"eW8="})").payload == "hi"); // the second is lost
    CHECK(sent(R"({"payload":"eW8=","payload":"aGk="} trailing)").payload == "hi");
    CHECK(sent(R"({"payload":"aGk=","unknown":{"a":[1,{"b":null}],"c":"d"},"x":[]})").payload == "hi");
    CHECK(sent(R"({"payload":"","key":"k1"})").key == "k1");
    CHECK(sent(R"({"payload":"","key":7})").key == "7");
    CHECK(sent(R"({"payload":"","key":""})").key == "");
    CHECK(!sent(R"({"payload":"","key":null})").key);
    const auto m = sent(R"({"payload":"","properties":{"a":1,"b":1.5,"c":true,"":"e","ü":"ö","a":"2"}})");
    CHECK(m.properties ==
          std::vector<sluice::property>{{"a", "2"}, {"b", "1.5"}, {"c", "true"}, {"", "e"}, {"ü", "ö"}});
    CHECK(sent(R"({"payload":"","properties":null})").properties.empty());
    CHECK(sent(R"({"payload":"","replicationClusters":["r1","r2"]})").replication_clusters ==
          std::vector<std::string>{"r1", "r2"});
    CHECK(sent(R"({"payload":"","eventTime":"2026-11-24T08:00:00.1234Z"})").event_time == ms(1795507200123ms));
    CHECK(sent(R"({"payload":"","eventTime":"2026-11-24T10:00:00.123456789+02:00"})").event_time ==
          ms(1795507200123ms));
    CHECK(sent(R"({"payload":"","eventTime":"2026-11-24t08:00z"})").event_time == ms(1795507200000ms));
    CHECK(sent(R"({"payload":"","eventTime":"1969-12-31T23:59:59Z"})").event_time == ms(-1000ms));
    const ms soon = std::chrono::time_point_cast<std::chrono::milliseconds>(test::start) + 10ms;
    CHECK(sent(R"({"payload":"","deliverAfterMs":10})").deliver_at == soon);
    CHECK(sent(R"({"payload":"","deliverAfterMs":"10"})").deliver_at == soon);
    CHECK(sent(R"({"payload":"","deliverAfterMs":10.7})").deliver_at == soon);
    CHECK(sent(R"({"payload":"","deliverAt":1000})").deliver_at == ms(1000ms));
    for (const char* none : {"-10", "0", "null"})
        CHECK(!sent(std::string(R"({"payload":"","deliverAfterMs":)") + none + "}").deliver_at);
    CHECK(sent(R"({"payload":"","sequenceId":900,"disableReplication":true,"schemaVersion":3})").sequence_id < 100);
    CHECK(sent(R"({"payload":"aGk=","compressionType":"BROTLI","encryptionParam":"!!"})").payload == "hi");
}

TEST_CASE("a property without a value closes the socket, and what follows is lost") {
    world w;
    producer p(w);
    p.websocket().send(web::opcode::text, web::as_bytes(R"({"payload":"","properties":{"a":null},"context":"1"})"));
    p.websocket().send(web::opcode::text, web::as_bytes(R"({"payload":"","context":"2"})"));
    CHECK(p.exchange_frames().empty());
    CHECK(p.close_code == 1011);
    CHECK(p.close_reason == "Need Non-Null value for key: a");
    p.exchange_frames(); // our half of the handshake
    CHECK(p.server().want_close());
    CHECK(w.stored().empty());
}

} // namespace
