// SPDX-License-Identifier: BSL-1.0
// What an error shows of a server's words: no secret, nothing that a terminal obeys, not too much.
#include <sluice/pulsar/server_text.hpp>

#include <sluice/web/json.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using sluice::pulsar::server_text;

TEST_CASE("what follows the name of a secret is taken out") {
    struct row {
        const char* said;
        const char* shown;
    };
    for (const row& r : {
             row{"GET /x?otp=0123456789&a=b failed", "GET /x?otp=***&a=b failed"},
             row{"?token=abc#x", "?token=***#x"},
             row{"OTP=1&otp=", "OTP=***&otp="},
             row{"password=hunter2;x", "password=***;x"},
             row{"apikey acme.id.secret", "apikey ***"},
             row{"Bearer 0123456789 x", "Bearer *** x"},
             row{"no apikey given", "no apikey given"},
             row{"the bearer of news", "the bearer of news"},
             row{R"({"password":"hunter2"})", R"({"password":"***"})"},
             row{R"({"password":"hunter2&rest-of;it","a":"b"})", R"({"password":"***","a":"b"})"},
             row{R"({"Password" : "x y z", "a":1})", R"({"Password" : "***", "a":1})"},
             row{R"({"password":"top\"secret\\","a":"b"})", R"({"password":"***","a":"b"})"},
             row{R"({"password":"never ends)", R"({"password":"***)"},
             row{R"({"jwt":"a.b.c","otp":"1","token":"2"})", R"({"jwt":"***","otp":"***","token":"***"})"},
             row{R"({"password":7,"otp":null})", R"({"password":7,"otp":null})"},
             row{R"(got "{\"password\":\"top\\\"secret\",\"a\":1}")", R"(got "{\"password\":\"***\",\"a\":1}")"},
             row{R"(the "password" is wrong)", R"(the "password" is wrong)"},
         }) {
        CAPTURE(r.said);
        CHECK(server_text(r.said) == r.shown);
    }
}

TEST_CASE("any password is taken out of the body that carries it, once and twice quoted") {
    for (const std::string_view secret :
         {"plain", "a\"b", "a\\", "\\\"", "\\\\\"x", "a b\tc\n", "&;,<>'#", "größe", "\"\"\""}) {
        std::string body = R"({"email":"a@b.c","password":)";
        sluice::web::append_json_string(body, secret);
        body += '}';
        CAPTURE(body);
        CHECK(server_text(body) == R"({"email":"a@b.c","password":"***"})");
        std::string quoted;
        sluice::web::append_json_string(quoted, body);
        CHECK(server_text(quoted) == R"("{\"email\":\"a@b.c\",\"password\":\"***\"}")");
    }
}

TEST_CASE("text is printable and short, and a long one is not searched to its end") {
    CHECK(server_text("a\x1b[31m\r\n\t b\x7f") == "a [31m b");
    CHECK(server_text("\xff\xfe") == "??");
    CHECK(server_text(std::string(5000, 'x')) == std::string(1000, 'x'));
    std::string umlauts;
    for (int i = 0; i < 3000; ++i) umlauts += "ü";
    CHECK(server_text("x" + umlauts).size() == 999); // not half a character
    std::string marks;
    for (int i = 0; i < 1'000'000; ++i) marks += "otp=,";
    CHECK(server_text(marks).size() <= 1000);
}

} // namespace
