// SPDX-License-Identifier: BSL-1.0
// What the proxy model's errors quote of a client's text: shortened, and always text itself.
#include "support/peer_client.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace {

struct world {
    std::uint64_t state = 7;
    test::proxy_model model{{}, test::counting_random(state)};
};

struct producer : test::peer_client {
    explicit producer(world& w) : peer_client(w.model) {
        REQUIRE(upgrade("/ws/v2/producer/persistent/public/default/t").status == 101);
    }
    std::string ask(std::string_view message) {
        const auto answers = say(message); // the client checks that they are UTF-8
        REQUIRE(answers.size() == 1);
        return answers[0];
    }
};

std::string malformed(const std::string& what, int column) {
    return R"({"result":"send-error:3","errorMsg":")" + what +
           R"(\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: )" +
           std::to_string(column) + R"(]","errorCode":0,"schemaVersion":0})";
}
std::string payload_error(const std::string& what) {
    return R"({"result":"send-error:7","errorMsg":")" + what + R"(","context":"1","errorCode":0,"schemaVersion":0})";
}

TEST_CASE("what an error quotes is never half a character") {
    // Each of these has a character where the quotation is cut, or is refused in the middle of one.
    const std::string e = "\xc3\xa9", face = "\xf0\x9f\x98\x80";
    std::string many;
    for (int i = 0; i < 200; ++i) many += e;
    for (const std::string& sent :
         {R"({"deliverAt":"x)" + many + "\"}", R"({"deliverAt":"xx)" + many + "\"}", "\"x" + many + "\"",
          "\"xx" + many + "\"", R"({"properties":"x)" + many + "\"}", R"({"disableReplication":"x)" + many + "\"}",
          R"({"uncompressedMessageSize":"x)" + many + "\"}", R"({"a":x)" + many + "}", R"({"a":xx)" + many + "}",
          R"({"a":"\)" + e + "\"}", R"({"a":"\)" + face + "\"}", R"({"a":"\u)" + face + "\"}", R"({)" + face + "}",
          R"({"a")" + face + "}", R"({"a":)" + face + "}", R"({"properties":{")" + many + R"(":{}}})"}) {
        CAPTURE(sent.substr(0, 40));
        world w;
        producer p(w);
        CHECK(p.ask(sent).starts_with(R"({"result":"send-error:3","errorMsg":")"));
    }
    world w;
    producer p(w);
    std::string date;
    for (int i = 0; i < 64; ++i) date += e;
    const std::string asks = R"({"payload":"","context":"1","eventTime":")";
    CHECK(p.ask(asks + date + "\"}") == payload_error("Text '" + date + "' could not be parsed at index 0"));
    CHECK(p.ask(asks + date + "x\"}") == payload_error("Text '" + date + "...' could not be parsed at index 0"));
    CHECK(p.ask(asks + date.substr(2) + face + "\"}") ==
          payload_error("Text '" + date.substr(2) + "...' could not be parsed at index 0"));
    CHECK(p.ask("{\"a\":\"\\" + e + "\"}") == malformed("Unrecognized character escape '" + e + "' (code 233)", 8));
}

TEST_CASE("bytes of a target that are no characters") {
    world w;
    test::peer_client c(w.model);
    const auto r = c.upgrade("/ws/v2/producer/persistent/public/default/t?initialSequenceId=%ffx%c3%a9%c3");
    CHECK(r.status == 400);
    CHECK(r.body.find("For input string: &quot;\xef\xbf\xbdx\xc3\xa9\xef\xbf\xbd&quot;") != std::string::npos);
    const std::string key = "apikey " + w.model.api_key();
    CHECK(c.request("POST", "/_fabric/_system/_api/streams/%ff", key).status == 200); // as Jetty reads it
}

} // namespace
