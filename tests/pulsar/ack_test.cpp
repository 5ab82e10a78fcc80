// SPDX-License-Identifier: BSL-1.0
// Acknowledgements: what real servers sent, both paths against each other, every cut.
#include <sluice/pulsar/ack.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;
using pulsar::ack_kind;
using pulsar::ack_parser;
using pulsar::acknowledgement;
using pulsar::common_acknowledgement;

namespace {

ack_kind parse(ack_parser& parser, std::string_view text, acknowledgement& out) {
    return parser.parse(web::as_bytes(text), out);
}

bool same(const acknowledgement& a, const acknowledgement& b) {
    return a.ok == b.ok && a.has_context == b.has_context && a.foreign_context == b.foreign_context &&
           a.context == b.context && a.code == b.code && a.message_id == b.message_id && a.error_text == b.error_text;
}

acknowledgement refusal(std::string_view text) {
    acknowledgement ack;
    ack.code = 8;
    ack.error_text = text;
    return ack;
}

} // namespace

TEST_CASE("an acknowledgement, fast") {
    ack_parser parser;
    acknowledgement ack;
    for (const char* text : {R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0,"schemaVersion":0})",
                             R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0})",
                             R"({"result":"ok","messageId":"CAQQADAA","context":"1","schemaVersion":0})",
                             R"({"result":"ok","messageId":"CAQQADAA","context":"1"})"}) {
        CAPTURE(text);
        common_acknowledgement common;
        REQUIRE(ack_parser().parse_common(text, common));
        CHECK(common.context == 1);
        CHECK(common.message_id == "CAQQADAA");
        REQUIRE(parse(parser, text, ack) == ack_kind::acknowledgement);
        CHECK(ack.ok);
        CHECK(ack.has_context);
        CHECK(!ack.foreign_context);
        CHECK(ack.context == 1);
        CHECK(ack.code == 0);
        CHECK(ack.message_id == "CAQQADAA");
        CHECK(!ack.dropped());
    }
}

TEST_CASE("what a real server answered") {
    struct row {
        const char* text;
        bool ok;
        int code;
        bool has_context, foreign;
        std::uint64_t context;
        std::string_view message_id, error_begin;
    };
    const row rows[] = {
        {R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0,"schemaVersion":0})", true, 0, true,
         false, 1, "CAQQADAA", ""},
        {R"({"result":"ok","messageId":"CAQQBzAA","errorCode":0,"schemaVersion":0})", true, 0, false, false, 0,
         "CAQQBzAA", ""},
        {R"({"result":"send-error:3","errorMsg":"Unexpected character ('n' (code 110)): was expecting double-quote to start field name\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]","errorCode":0,"schemaVersion":0})",
         false, 3, false, false, 0, "", "Unexpected character ('n' (code 110)): was expecting double-quote"},
        {R"({"result":"send-error:7","errorMsg":"Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because \"src\" is null","context":"2","errorCode":0,"schemaVersion":0})",
         false, 7, true, false, 2, "", "Cannot invoke \"String.getBytes(java.nio.charset.Charset)\" because"},
        {R"({"result":"send-error:7","errorMsg":"Invalid Base64 message-payload error=Illegal base64 character 21","context":"3","errorCode":0,"schemaVersion":0})",
         false, 7, true, false, 3, "", "Invalid Base64"},
        {R"({"result":"send-error:7","errorMsg":"Text 'yesterday' could not be parsed at index 0","context":"e","errorCode":0,"schemaVersion":0})",
         false, 7, true, true, 0, "", "Text 'yesterday'"},
        {R"({"result":"send-error:8","errorMsg":"org.apache.pulsar.client.api.PulsarClientException$ProducerQueueIsFullError: Producer send queue is full","context":"c1","errorCode":0,"schemaVersion":0})",
         false, 8, true, true, 0, "", "org.apache.pulsar"},
        {R"({"result":"ok","messageId":"CP///////////wEQ////////////ATAA","context":"c1","errorCode":0,"schemaVersion":0})",
         true, 0, true, true, 0, "CP///////////wEQ////////////ATAA", ""},
        {R"({"result":"send-error:7","errorMsg":"the params compressionType and uncompressedMessageSize should both empty or both non-empty","context":"1"})",
         false, 7, true, false, 1, "", "the params"},
    };
    ack_parser parser;
    for (const row& r : rows) {
        CAPTURE(r.text);
        acknowledgement ack;
        REQUIRE(parse(parser, r.text, ack) == ack_kind::acknowledgement);
        CHECK(ack.ok == r.ok);
        CHECK(ack.code == r.code);
        CHECK(ack.has_context == r.has_context);
        CHECK(ack.foreign_context == r.foreign);
        CHECK(ack.context == r.context);
        CHECK(ack.message_id == r.message_id);
        CHECK(ack.error_text.starts_with(r.error_begin));
        CHECK(ack.error_text.empty() == r.error_begin.empty());
        // Cut anywhere it is no answer, and nothing behind the cut is read.
        const std::size_t size = std::strlen(r.text);
        for (std::size_t cut = 0; cut < size; ++cut) {
            const std::unique_ptr<char[]> exact(new char[cut + 1]);
            std::memcpy(exact.get(), r.text, cut);
            acknowledgement partial;
            CHECK(parse(parser, {exact.get(), cut}, partial) == ack_kind::garbage);
        }
    }
}

TEST_CASE("other shapes of the same") {
    ack_parser parser;
    acknowledgement ack;
    for (const char* text : {R"( { "messageId" : "CAQQADAA" , "context":"42", "result" : "ok" } )",
                             R"({"result":"ok","messageId":"CAQQADAA","context":"42","errorCode":7})",
                             R"({"result":"ok","messageId":"CAQQADAA","context":"42","new":[1,{"result":"no"}]})",
                             R"({"result":"no","result":"ok","messageId":"CAQQADAA","context":"1","context":"42"})",
                             R"({"\u0072esult":"ok","messageId":"CAQQADAA","context":"42"})",
                             R"({"result":"ok","errorMsg":null,"messageId":"CAQQADAA","context":"42"})"}) {
        CAPTURE(text);
        common_acknowledgement common;
        CHECK(!parser.parse_common(text, common));
        REQUIRE(parse(parser, text, ack) == ack_kind::acknowledgement);
        CHECK(ack.ok);
        CHECK(ack.context == 42);
        CHECK(ack.message_id == "CAQQADAA");
    }
    REQUIRE(parse(parser, R"({"result":"ok"})", ack) == ack_kind::acknowledgement);
    CHECK(ack.ok);
    CHECK(!ack.has_context);
    CHECK(ack.message_id.empty());
    for (const char* text : {R"({"result":"error"})", R"({"result":"send-error:"})", R"({"result":"send-error:8x"})",
                             R"({"result":"send-error:99999999999"})", R"({"result":""})"}) {
        CAPTURE(text);
        REQUIRE(parse(parser, text, ack) == ack_kind::acknowledgement);
        CHECK(!ack.ok);
        CHECK(ack.code == 0);
        CHECK(pulsar::error_of(ack) == errc::rejected);
    }
}

TEST_CASE("what is no acknowledgement is told apart") {
    ack_parser parser;
    acknowledgement ack;
    for (const char* text : {R"({"type":"AUTH_CHALLENGE","authChallenge":{"challenge":"x"}})", "{}", R"({"result":7})",
                             R"({"result":{"result":"ok"}})", R"({"results":"ok"})"})
        CHECK(parse(parser, text, ack) == ack_kind::other);
    for (const char* text : {"", " ", "ok", "null", "[]", "7", "\"ok\"", "{", "}", R"({"result":"ok"}})",
                             R"({"result":"ok"}{"result":"ok"})", R"({"result":ok})", "{\"result\":\"o\nk\"}",
                             "{\"result\":\"\xff\"}", R"({'result':'ok'})"}) {
        CAPTURE(text);
        CHECK(parse(parser, text, ack) == ack_kind::garbage);
    }
    CHECK(parse(parser, std::string_view("\0", 1), ack) == ack_kind::garbage);
    const std::string deep(100'000, '[');
    CHECK(parse(parser, R"({"result":)" + deep, ack) == ack_kind::garbage);
}

TEST_CASE("the fast path reads numbers of any length") {
    const auto text_with = [](std::string_view number, std::string_view end) {
        return R"({"result":"ok","messageId":"CAQQADAA","context":")" + std::string(number) + std::string(end);
    };
    const std::string digits = "1234567890123456789";
    ack_parser parser;
    common_acknowledgement ack;
    for (std::size_t n = 1; n <= digits.size(); ++n)
        for (const char* end : {R"("})", R"(","errorCode":0})", R"(","errorCode":0,"schemaVersion":0})"}) {
            const std::string number = digits.substr(digits.size() - n).replace(0, 1, "9");
            CAPTURE(number);
            REQUIRE(parser.parse_common(text_with(number, end), ack));
            CHECK(std::to_string(ack.context) == number);
            for (std::size_t at = 0; at < n; ++at)
                for (const char other :
                     {'/', ':', '\0', '"', '\x7f', static_cast<char>(0xb0), static_cast<char>(0xff)}) {
                    std::string bad = number;
                    bad[at] = other;
                    CHECK_FALSE(parser.parse_common(text_with(bad, end), ack));
                }
        }
    CHECK_FALSE(parser.parse_common(text_with("", R"("})"), ack));
    CHECK_FALSE(parser.parse_common(text_with("01234567", R"("})"), ack));
    CHECK_FALSE(parser.parse_common(text_with("12345678901234567890", R"("})"), ack));
    CHECK_FALSE(parser.parse_common(text_with("12345678", ""), ack));
}

TEST_CASE("contexts that count up are known before they are read, and others are read all the same") {
    for (const char* end : {R"("})", R"(","errorCode":0,"schemaVersion":0})"})
        for (const std::uint64_t from :
             {std::uint64_t{0}, std::uint64_t{95}, std::uint64_t{999'990}, std::uint64_t{9'999'995},
              std::uint64_t{99'999'995}, std::uint64_t{999'999'999'999'995}, std::uint64_t{9'999'999'999'999'995},
              std::uint64_t{9'999'999'999'999'999'980u}}) {
            ack_parser parser;
            common_acknowledgement ack;
            for (std::uint64_t context = from; context < from + 20; ++context) {
                const std::string text =
                    R"({"result":"ok","messageId":"CAQQADAA","context":")" + std::to_string(context) + end;
                CAPTURE(text);
                REQUIRE(parser.parse_common(text, ack));
                REQUIRE(ack.context == context);
                // The same text changed or cut, when it is what the parser waits for.
                const std::size_t number = text.find(R"("context":")") + 11;
                const std::size_t digits = std::to_string(context).size();
                std::optional<ack_parser> ready;
                const auto wait_for = [&] {
                    ready.emplace();
                    if (context == 0) return;
                    REQUIRE(ready->parse_common(
                        R"({"result":"ok","messageId":"","context":")" + std::to_string(context - 1) + R"("})", ack));
                };
                for (std::size_t digit = number; digit < number + digits; ++digit) {
                    for (const char other : {'/', ':', '"', '\0', static_cast<char>(0xb0)}) {
                        std::string bad = text;
                        bad[digit] = other;
                        wait_for();
                        CHECK_FALSE(ready->parse_common(bad, ack));
                    }
                    std::string another = text; // in one digit, not the first: that could become a zero
                    if (digit == number) continue;
                    another[digit] = another[digit] == '9' ? '0' : static_cast<char>(another[digit] + 1);
                    wait_for();
                    REQUIRE(ready->parse_common(another, ack));
                    CHECK(std::to_string(ack.context) == another.substr(number, digits));
                }
                for (std::size_t cut = number; cut < text.size(); ++cut) {
                    const std::unique_ptr<char[]> exact(new char[cut]); // exact, for the sanitizer
                    std::memcpy(exact.get(), text.data(), cut);
                    wait_for();
                    CHECK_FALSE(ready->parse_common({exact.get(), cut}, ack));
                }
                if (digits == 19 || context == 0) continue;
                std::string longer = text; // the digits that are waited for, and another one
                longer.insert(number + digits, 1, '7');
                wait_for();
                REQUIRE(ready->parse_common(longer, ack));
                CHECK(ack.context == context * 10 + 7);
            }
        }
}

TEST_CASE("a context is one of our numbers or foreign") {
    ack_parser parser;
    const auto context_of = [&](std::string_view text) {
        acknowledgement ack;
        const std::string whole = R"({"result":"ok","messageId":"CAQQADAA","context":")" + std::string(text) + R"("})";
        REQUIRE(parse(parser, whole, ack) == ack_kind::acknowledgement);
        REQUIRE(ack.has_context);
        return ack.foreign_context ? std::string("foreign") : std::to_string(ack.context);
    };
    for (const char* ours : {"0", "1", "9", "10", "999999999999999999", "1000000000000000000", "9999999999999999999",
                             "10000000000000000000", "18446744073709551615"})
        CHECK(context_of(ours) == ours);
    for (const char* foreign : {"", "00", "01", "-1", "+1", "1 ", " 1", "1.0", "1e3", "0x1", "18446744073709551616",
                                "99999999999999999999999999", "c1", "ü", "1\\u0000", "000000000000000000000001"})
        CHECK(context_of(foreign) == "foreign");
}

TEST_CASE("dropped: ledger -1 and entry -1") {
    acknowledgement ack;
    ack.ok = true;
    for (const char* id : {"CP///////////wEQ////////////ATAA", "CP///////////wEQ////////////ASAAMAA=",
                           "CP///////////wEQ////////////ASABMAA=", "CP///////////wEQ////////////AQ=="}) {
        ack.message_id = id;
        CHECK(ack.dropped());
    }
    for (const char* id : {"", "CAQQADAA", "CBsQACAAMAA=", "CP///////////wEQADAA", "CP///////////wEQ////////////A",
                           "CP///////////wEQ////////////AA", "CP///////////wEQ////////////A!"}) {
        ack.message_id = id;
        CHECK(!ack.dropped());
    }
}

TEST_CASE("the exception's name says what a refusal means") {
    const std::string client = "org.apache.pulsar.client.api.PulsarClientException$";
    struct row {
        const char* text;
        errc code;
    };
    for (const row& r :
         {row{"TimeoutException: The producer standalone-0-91 can not send message to the topic persistent://a/b/c "
              "within given timeout : createdAt 0.606 seconds ago",
              errc::ack_timeout},
          {"ProducerQueueIsFullError: Producer send queue is full", errc::queue_full},
          {"MemoryBufferIsFullError: Client memory buffer is full", errc::queue_full},
          {"InvalidMessageException: Message size is bigger than 100000 bytes", errc::too_large},
          {"TopicTerminatedException: Topic was terminated", errc::topic_terminated},
          {"TopicTerminatedException: {\"errorMsg\":\"...Topic was already terminated\"}", errc::topic_terminated},
          {"ProducerBlockedQuotaExceededException: The backlog quota of the topic persistent://public/x/t that the "
           "producer standalone-77-12 produces to is exceeded",
           errc::quota_exceeded},
          {"ProducerBlockedQuotaExceededError: x", errc::quota_exceeded},
          {"AlreadyClosedException: Producer already closed", errc::connection_closed},
          {"AlreadyClosedException", errc::connection_closed},
          {"ChecksumException: x", errc::rejected},
          {"TimeoutExceptions: x", errc::rejected},
          {"NotAllowedException: org.apache.TimeoutException is a topic", errc::ack_timeout},
          {"NotAllowedException: topic persistent://a/b/c.TimeoutException: no", errc::rejected},
          {"", errc::rejected}}) {
        CAPTURE(r.text);
        CHECK(pulsar::error_of(refusal(client + r.text)) == r.code);
        CHECK(pulsar::error_of(refusal("java.util.concurrent.CompletionException: " + client + r.text)) == r.code);
    }
    CHECK(pulsar::error_of(refusal("")) == errc::rejected);
    CHECK(pulsar::error_of(refusal("TimeoutException: x")) == errc::rejected);
    acknowledgement seven = refusal(client + "TimeoutException: x");
    seven.code = 7;
    CHECK(pulsar::error_of(seven) == errc::rejected);
}

TEST_CASE("both paths agree") {
    std::mt19937_64 random(20261124);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    constexpr std::string_view ends[] = {R"("})", R"(","errorCode":0})", R"(","schemaVersion":0})",
                                         R"(","errorCode":0,"schemaVersion":0})"};
    ack_parser parser;
    int fast = 0;
    for (int round = 0; round < 50'000; ++round) {
        std::string text = R"({"result":"ok","messageId":")";
        for (std::uint64_t n = below(60); n > 0; --n) text += alphabet[below(alphabet.size())];
        text += R"(","context":")" + std::to_string(random() >> below(64));
        text += ends[below(4)];
        if (below(2) == 0) { // changed in one place, it must be read the same or go the slow way
            const auto at = below(text.size());
            if (below(3) == 0)
                text.erase(at, 1);
            else if (below(2) == 0)
                text[at] = static_cast<char>(below(128));
            else
                text.insert(at, 1, static_cast<char>(below(128)));
        }
        common_acknowledgement common;
        if (!parser.parse_common(text, common)) continue;
        ++fast;
        CAPTURE(text);
        acknowledgement a, b;
        REQUIRE(parse(parser, text, a) == ack_kind::acknowledgement);
        CHECK(a.context == common.context);
        CHECK(a.message_id == common.message_id);
        REQUIRE(parser.parse_any(text, b) == ack_kind::acknowledgement);
        REQUIRE(same(a, b));
    }
    CHECK(fast > 20'000);
}

TEST_CASE("garbage does no harm") {
    std::mt19937_64 random(7);
    ack_parser parser;
    for (int round = 0; round < 20'000; ++round) {
        std::string text(random() % 200, '\0');
        for (char& c : text) c = static_cast<char>(random());
        acknowledgement ack;
        (void)parse(parser, text, ack);
        CHECK(!ack.ok);
    }
}
