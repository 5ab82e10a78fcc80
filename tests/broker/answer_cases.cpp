// SPDX-License-Identifier: BSL-1.0
// What a message is answered with, whatever it says: the proxy's leniency, and its words.
#include "cases.hpp"
#include "words.hpp"

#include <memory>

namespace conformance {
namespace {

using namespace std::string_literals;

/// The JSON is not what a message must be: the context is not known then.
std::string no_message(const std::string& text) { return error(3, text, ""); }

struct line {
    std::string says{}, answer{};
};

/// One socket for all: none of them harms the next.
void converse(target& server, const std::vector<line>& lines) {
    raw_producer socket(server, server.new_topic());
    std::string wrong;
    for (const line& each : lines)
        if (const std::string answer = words(socket.ask(each.says)); answer != each.answer)
            wrong += shown(each.says) + ": " + answer + ", expected " + each.answer + "; ";
    check(wrong.empty(), wrong);
}

/// A message of "hi" with one member more.
std::string hi(const std::string& member) { return R"({"payload":"aGk=",)" + member + R"(,"context":"1"})"; }

void context(target& server) {
    const auto echo = [](const std::string& given, const std::string& returned) {
        return line{R"({"payload":"aGk=","context":)" + given + "}", ok(returned)};
    };
    converse(server, {
                         {R"({"payload":"aGk="})", ok("")},
                         echo("null", ""),
                         echo(R"("")", R"("")"),
                         echo("7", R"("7")"),
                         echo("7.5", R"("7.5")"),
                         echo("true", R"("true")"),
                         echo(R"("18446744073709551615")", R"("18446744073709551615")"),
                         echo(R"("\" \\ \/ \n \u0001 \u00fc \ud83c\udf0a")",
                              "\"\\\" \\\\ / \\n \\u0001 \xc3\xbc \xf0\x9f\x8c\x8a\""),
                         echo("\"\xe6\xb5\x81 \xe2\x80\xa8\"", "\"\xe6\xb5\x81 \xe2\x80\xa8\""),
                         {R"({"payload":"aGk=","context":"1","context":"2"})", ok(R"("2")")},
                         {R"({"payload":"aGk=","context":{}})",
                          no_message("Cannot deserialize value of type `java.lang.String` from Object value (token "
                                     "`JsonToken.START_OBJECT`)")},
                         {R"({"payload":"aGk=","context":[]})",
                          no_message("Cannot deserialize value of type `java.lang.String` from Array value (token "
                                     "`JsonToken.START_ARRAY`)")},
                     });
    raw_producer socket(server, server.new_topic());
    for (int i = 0; i < 2; ++i) socket.text(R"({"payload":"aGk=","context":"twice"})");
    for (int i = 0; i < 2; ++i) check_same(words(socket.read_text()), ok(R"("twice")"), "two with one context");
}

void broken_json(target& server) {
    std::vector<line> lines{
        {R"({not json)",
         no_message("Unexpected character ('n' (code 110)): was expecting double-quote to start field name")},
        {R"({"payload":"aGk=",})",
         no_message("Unexpected character ('}' (code 125)): was expecting double-quote to start field name")},
        {R"({"payload":"aGk)", no_message("Unexpected end-of-input: was expecting closing quote for a string value")},
        {R"({'payload':'aGk='})",
         no_message(R"(Unexpected character (''' (code 39)): was expecting double-quote to start field name)")},
        {R"({"payload":"aGk=" "context":"1"})",
         no_message(R"(Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries)")},
        {R"({"payload" "aGk="})",
         no_message(
             R"(Unexpected character ('\"' (code 34)): was expecting a colon to separate field name and value)")},
        {R"({"payload":01})", no_message("Invalid numeric value: Leading zeroes not allowed")},
        {R"({"payload":"\q"})", no_message("Unrecognized character escape 'q' (code 113)")},
        {R"({"payload":"\uZZZZ"})",
         no_message("Unexpected character ('Z' (code 90)): expected a hex-digit for character escape sequence")},
        {"[]", no_message("Cannot deserialize value of type `org.apache.pulsar.websocket.data.ProducerMessage` from "
                          "Array value (token `JsonToken.START_ARRAY`)")},
        {"12", no_message("Cannot construct instance of `org.apache.pulsar.websocket.data.ProducerMessage` (although "
                          "at least one Creator exists): no int/Int-argument constructor/factory method to "
                          "deserialize from Number value (12)")},
    };
    const std::string value = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    const std::string construct = "Cannot construct instance of `org.apache.pulsar.websocket.data.ProducerMessage` "
                                  "(although at least one Creator exists): no ";
    const auto broken = [&](const std::string& says, const std::string& why) {
        lines.push_back({says, no_message(why)});
    };
    const bool short_end = server.differs(server_kind::gateway, "an object that does not end: less is told about it");
    broken(R"({"payload":"aGk=")", std::string("Unexpected end-of-input") +
                                       (short_end ? "" : ": expected close marker for Object (start marker at *)"));
    broken(R"({"payload":NaN})",
           "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
    broken("nonsense", "Unrecognized token 'nonsense': was expecting " + value);
    broken(R"({"payload":tru})", "Unrecognized token 'tru': was expecting " + value);
    broken(R"("")", R"(Cannot coerce empty String (\"\") to `org.apache.pulsar.websocket.data.ProducerMessage` value )"
                    "(but could if coercion was enabled using `CoercionConfig`)");
    broken(R"("text")", construct + "String-argument constructor/factory method to deserialize from String value "
                                    "('text')");
    broken("true", construct + "boolean/Boolean-argument constructor/factory method to deserialize from boolean value "
                               "(true)");
    broken("1.5", construct + "double/Double-argument constructor/factory method to deserialize from Number value "
                              "(1.5)");
    broken(R"(/* comment */ {"payload":"aGk="})",
           "Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as one since Feature "
           "'ALLOW_COMMENTS' not enabled for parser)");
    broken("\xef\xbb\xbf{\"payload\":\"aGk=\"}",
           "Unexpected character ('\xef\xbb\xbf' (code 65279 / 0xfeff)): expected a valid value " + value);
    broken("", "No content to map due to end-of-input");
    broken(" ", "No content to map due to end-of-input");
    broken(R"({"payload":-})", "Unexpected character ('}' (code 125)) in numeric value: expected digit (0-9) to follow "
                               "minus sign, for valid numeric value");
    broken(R"({"payload":1.})",
           "Unexpected character ('}' (code 125)) in numeric value: Decimal point not followed by a digit");
    broken(R"({"payload":})", "Unexpected character ('}' (code 125)): expected a value");
    broken("{\"payload\":\"a\x01\"}", "Illegal unquoted character ((CTRL-CHAR, code 1)): has to be escaped using "
                                      "backslash to be included in string value");
    converse(server, lines);
    raw_producer socket(server, server.new_topic());
    check_same(words(socket.ask("null")),
               error(7, R"(Cannot read field \"context\" because \"sendRequest\" is null)", ""), "null");
}

/// What a careless client loses without being told.
void ignored(target& server) {
    converse(
        server,
        {
            {R"({"payload":"aGk=","context":"1"}garbage)", ok()},
            {R"({"payload":"aGk=","context":"1"}{"payload":"aGk=","context":"2"})", ok()},
            {"  \n{\"payload\":\"aGk=\",\"context\":\"1\"}  ", ok()},
            {hi(R"("unknown":{"a":[1,{"b":null}]})"), ok()},
            {hi(R"("sequenceId":5,"disableReplication":true,"schemaVersion":3)"), ok()},
            {hi(R"("sequenceId":"x")"),
             no_message(R"(Cannot deserialize value of type `long` from String \"x\": not a valid `long` value)")},
            {hi(R"("schemaVersion":"x")"),
             no_message(R"(Cannot deserialize value of type `long` from String \"x\": not a valid `long` value)")},
            {hi(R"("disableReplication":"x")"),
             no_message(
                 R"(Cannot deserialize value of type `boolean` from String \"x\": only \"true\"/\"True\"/\"TRUE\" or )"
                 R"(\"false\"/\"False\"/\"FALSE\" recognized)")},
        });
    if (!server.differs(server_kind::pulsar_3_0, "has no PIP-290: its members are unknown ones"))
        converse(
            server,
            {
                {hi(R"("compressionType":"BROTLI","uncompressedMessageSize":12,"encryptionParam":"!!")"), ok()},
                {hi(R"("uncompressedMessageSize":"!!")"),
                 no_message(R"(Cannot deserialize value of type `java.lang.Integer` from String \"!!\": not a valid )"
                            R"(`java.lang.Integer` value)")},
            });
    const std::string topic = server.new_topic();
    {
        raw_producer socket(server, topic);
        socket.binary(R"({"payload":"aGk=","context":"binary"})");
        check_same(words(socket.ask(R"({"payload":"aGk=","context":"text"})")), ok(R"("text")"), "a binary frame");
    }
    check_same(server.read_back(topic).size(), 1u, "messages stored");
}

void payloads(target& server) {
    const auto payload = [](const std::string& value) { return R"({"payload":)" + value + R"(,"context":"1"})"; };
    const auto bad = [](const std::string& why) { return error(7, "Invalid Base64 message-payload error=" + why); };
    const std::string missing =
        error(7, R"(Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null)");
    const std::vector<line> lines{
        {payload(R"("")"), ok()},
        {payload("1234"), ok()},
        {payload("true"), ok()},
        {R"({"context":"1"})", missing},
        {payload("null"), missing},
        {payload("{}"), no_message("Cannot deserialize value of type `java.lang.String` from Object value (token "
                                   "`JsonToken.START_OBJECT`)")},
        {payload(R"("aGk")"), ok()},
        {payload(R"("aA")"), ok()},
        {payload(R"("aA==")"), ok()},
        {payload(R"("aGl=")"), ok()}, // bits behind the last octet
        {payload(R"("!!")"), bad("Illegal base64 character 21")},
        {payload(R"("aG k=")"), bad("Illegal base64 character 20")},
        {payload(R"("aGk=\n")"), bad("Input byte array has incorrect ending byte at 4")},
        {payload(R"("-_-_")"), bad("Illegal base64 character 2d")},
        {payload(R"("aA=")"), bad("Input byte array has wrong 4-byte ending unit")},
        {payload(R"("a")"), bad("Input byte[] should at least have 2 bytes for base64 bytes")},
        {payload(R"("aGk=aGk=")"), bad("Input byte array has incorrect ending byte at 4")},
        {R"({"payload":"aGk=","payload":"","context":"1"})", ok()},
    };
    const std::string topic = server.new_topic();
    {
        raw_producer socket(server, topic);
        for (const line& each : lines) check_same(words(socket.ask(each.says)), each.answer, shown(each.says));
    }
    std::vector<std::string> stored;
    for (const seen_message& m : server.read_back(topic)) stored.push_back(m.payload);
    const std::vector<std::string> expected{"", "\xd7\x6d\xf8", "\xb6\xbb\x9e", "hi", "h", "h", "hi", ""};
    check(stored == expected, "other payloads are stored");
}

void members(target& server) {
    converse(
        server,
        {
            {hi(R"("key":"")"), ok()},
            {hi(R"("key":12)"), ok()},
            {hi(R"("key":null)"), ok()},
            {hi(R"("key":{})"), no_message("Cannot deserialize value of type `java.lang.String` from Object "
                                           "value (token `JsonToken.START_OBJECT`)")},
            {hi(R"("properties":{"a":1,"b":1.5,"c":true,"":"x"})"), ok()},
            {hi(R"("properties":null)"), ok()},
            {hi(R"("properties":{"a":{}})"),
             no_message("Cannot deserialize value of type `java.lang.String` from Object value (token "
                        "`JsonToken.START_OBJECT`)")},
            {hi(R"("properties":[])"),
             no_message("Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,"
                        "java.lang.String>` from Array value (token `JsonToken.START_ARRAY`)")},
            {hi(R"("properties":"text")"),
             no_message("Cannot construct instance of `java.util.LinkedHashMap` (although at least one "
                        "Creator exists): no String-argument constructor/factory method to deserialize "
                        "from String value ('text')")},
            {hi(R"("replicationClusters":["nowhere"])"), ok()},
            {hi(R"("replicationClusters":[])"), ok()},
            {hi(R"("replicationClusters":null)"), ok()},
            {hi(R"("replicationClusters":[1,true])"), ok()},
            {hi(R"("replicationClusters":"standalone")"),
             no_message("Cannot construct instance of `java.util.ArrayList` (although at least one Creator "
                        "exists): no String-argument constructor/factory method to deserialize from String "
                        "value ('standalone')")},
            {hi(R"("deliverAt":"12","deliverAfterMs":"12")"), ok()},
            {hi(R"("deliverAfterMs":10.7)"), ok()},
            {hi(R"("deliverAfterMs":-5)"), ok()},
            {hi(R"("deliverAfterMs":null)"), ok()},
            {hi(R"("deliverAfterMs":9223372036854775808)"),
             no_message("Numeric value (9223372036854775808) out of range of long (-9223372036854775808 - "
                        "9223372036854775807)")},
            {hi(R"("deliverAt":1e3)"), ok()},
            {hi(R"("deliverAt":"")"), ok()},
            {hi(R"("deliverAt":"soon")"),
             no_message(R"(Cannot deserialize value of type `long` from String \"soon\": not a valid `long` value)")},
        });
}

void event_times(target& server) {
    const auto at = [](const std::string& time) { return hi(R"("eventTime":)" + time); };
    const auto bad = [&](const std::string& time, const std::string& why) {
        return line{at("\"" + time + "\""), error(7, "Text '" + time + "' could not be parsed" + why)};
    };
    std::vector<line> lines{
        {at("null"), ok()},
        {at(R"("2026-11-24T08:00:00Z")"), ok()},
        {at(R"("2026-11-24T08:00Z")"), ok()},
        {at(R"("2026-11-24T08:00:00.1Z")"), ok()},
        {at(R"("2026-11-24T08:00:00.123456789Z")"), ok()},
        {at(R"("2026-11-24T08:00:00+02:00")"), ok()},
        {at(R"("2026-11-24t08:00:00z")"), ok()},
        {at(R"("9999-12-31T23:59:59.999Z")"), ok()},
        bad("yesterday", " at index 0"),
        bad("", " at index 0"),
        bad("2026-11-24", " at index 10"),
        bad("2026-11-24T08:00:00", " at index 19"),
        bad("1796155444007", " at index 0"),
        {at("1796155444007"), error(7, "Text '1796155444007' could not be parsed at index 0")},
        bad("2026-11-24T08:00:00Z[Europe/Berlin]", ", unparsed text found at index 20"),
        bad("2026-13-24T08:00:00Z", ": Invalid value for MonthOfYear (valid values 1 - 12): 13"),
        bad("2026-02-29T08:00:00Z", ": Invalid date 'February 29' as '2026' is not a leap year"),
        {at(R"("2028-02-29T08:00:00Z")"), ok()},
    };
    const std::vector<std::string> old{"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"};
    const bool closes = server.differs(server_kind::pulsar_3_0, "an event time at or before 1970 closes the socket");
    for (const std::string& time : old)
        if (!closes) lines.push_back({at("\"" + time + "\""), ok()});
    converse(server, lines);
    if (!closes) return;
    for (const auto& [time, ms] : {std::pair{old[0], "0"}, std::pair{old[1], "-1000"}}) {
        raw_producer socket(server, server.new_topic());
        socket.text(at("\"" + time + "\""));
        const ending end = socket.read_end();
        check_same(end.code, 1011, time);
        check_same(end.reason, std::string("Invalid timestamp : '") + ms + "'", time);
    }
}

/// A null in a property ends the socket, and what comes behind it is lost.
void null_property(target& server) {
    const std::string topic = server.new_topic();
    {
        raw_producer socket(server, topic);
        check_same(words(socket.ask(hi(R"("properties":{"a":"b"})"))), ok(), "a property");
        socket.text(hi(R"("properties":{"a":null})"));
        const ending end = socket.read_end();
        check_same(end.code, 1011, "close code");
        check_same(end.reason, "Need Non-Null value for key: a", "reason");
    }
    check_same(server.read_back(topic).size(), 1u, "messages stored");
}

/// What the broker drops as a repeat is answered `ok`, at no place; which numbers are counted.
void repeats(target& server) {
    const std::string topic = server.new_topic(server.new_namespace(true));
    const auto place = [](const std::string& answer) {
        const std::size_t at = answer.find(R"("messageId":")");
        check(at != std::string::npos, "no ok: " + answer);
        const std::size_t begin = at + 13;
        const auto p = sluice::message_id(answer.substr(begin, answer.find('"', begin) - begin)).decode();
        check(p.has_value(), "message id: " + answer);
        return *p;
    };
    const auto message = [](const char* payload) { return R"({"payload":")"s + payload + R"("})"; };
    const auto reopen = [&](std::unique_ptr<raw_producer>& socket, const std::string& initial, bool batching) {
        socket.reset(); // its name is free a moment later
        const std::string query = "producerName=p1&initialSequenceId=" + initial +
                                  (batching ? "&batchingEnabled=true&batchingMaxPublishDelay=300" : "");
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!socket) {
            try {
                socket = std::make_unique<raw_producer>(server, topic, query);
            } catch (const failed&) {
                if (std::chrono::steady_clock::now() > patience) throw;
            }
        }
    };
    std::unique_ptr<raw_producer> socket;
    reopen(socket, "-1", false);
    check(place(socket->ask(message("bTA="))).ledger >= 0, "m0"); // 0
    check(socket->ask(message("!!")).find("send-error:7") != std::string::npos, "takes no number");
    check(socket->ask("{").find("send-error:3") != std::string::npos, "takes no number");
    check(place(socket->ask(message("bTE="))).ledger >= 0, "m1"); // 1
    check(place(socket->ask(message("bTI="))).ledger >= 0, "m2"); // 2

    reopen(socket, "0", false);
    check(place(socket->ask(message("bTE="))) == sluice::message_id::position{}, "m1 again");
    check(place(socket->ask(message("bTI="))) == sluice::message_id::position{}, "m2 again");
    check(place(socket->ask(message("bTM="))).ledger >= 0, "m3"); // 3

    reopen(socket, "9", false);
    check(place(socket->ask(message("bTQ="))).ledger >= 0, "m4, behind a gap"); // 10

    // A batch is judged by its first message.
    reopen(socket, "9", true);
    socket->text(message("bTQ="));
    socket->text(message("bTU="));
    for (int i = 0; i < 2; ++i) {
        const auto p = place(socket->read_text());
        check(p.ledger == -1 && p.entry == -1 && p.batch_index == i, "a batch that begins with a repeat");
    }
    socket->close(1000);
    socket->read_end();
    std::string stored;
    for (const seen_message& m : server.read_back(topic)) stored += m.payload;
    check_same(stored, "m0m1m2m3m4", "stored");
}

} // namespace

std::vector<test_case> answer_cases() {
    return {
        {"the context", context},
        {"broken JSON", broken_json},
        {"what is ignored", ignored},
        {"payloads", payloads},
        {"other members", members},
        {"event times", event_times},
        {"a null property closes with 1011", null_property},
        {"repeats under deduplication", repeats},
    };
}

} // namespace conformance
