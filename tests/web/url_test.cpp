// SPDX-License-Identifier: BSL-1.0
// URLs: what is taken, what is refused without repeating a secret, escapes, and kinds of hosts.
#include <sluice/web/url.hpp>

#include <doctest/doctest.h>

using namespace sluice::web;

namespace {

/// scheme|host|port|path|query, or the error in braces.
std::string parsed(std::string_view text) {
    const url_result r = parse_url(text);
    if (!r.error.empty()) {
        CHECK(r.value.host.empty());
        return "{" + r.error + "}";
    }
    const url& u = r.value;
    return u.scheme + "|" + u.host + "|" + std::to_string(u.port) + "|" + u.path + "|" + u.query;
}

std::string error_of(std::string_view text) { return parse_url(text).error; }

} // namespace

TEST_CASE("what a URL is made of") {
    CHECK(parsed("https://play.paas.macrometa.io") == "https|play.paas.macrometa.io|0||");
    CHECK(parsed("HTTPS://Play.PaaS.Macrometa.IO/") == "https|play.paas.macrometa.io|0|/|");
    CHECK(parsed("wss://h:8080/ws/v2/A%2Fb?x=1&y=2") == "wss|h|8080|/ws/v2/A%2Fb|x=1&y=2");
    CHECK(parsed("http://h?q") == "http|h|0||q");
    CHECK(parsed("http://h?") == "http|h|0||");
    CHECK(parsed("http://h/p?a=b?c") == "http|h|0|/p|a=b?c");
    CHECK(parsed("http://h/p?next=http://other/") == "http|h|0|/p|next=http://other/");
    CHECK(parsed("http://h/p#part?no") == "http|h|0|/p|");
    CHECK(parsed("http://h#part") == "http|h|0||");
    CHECK(parsed("http://h/a@b:c") == "http|h|0|/a@b:c|");
    CHECK(parsed("git+ssh.x-1://h") == "git+ssh.x-1|h|0||");
    CHECK(parsed("http://127.0.0.1:65535/") == "http|127.0.0.1|65535|/|");
    CHECK(parsed("http://[2001:DB8::1]:8080/x") == "http|2001:db8::1|8080|/x|");
    CHECK(parsed("http://[::1]") == "http|::1|0||");
    CHECK(parsed("http://host.example./") == "http|host.example.|0|/|");
    CHECK(parsed("http://my_host-1") == "http|my_host-1|0||");
}

TEST_CASE("the scheme may be missing") {
    CHECK(parsed("HOST") == "|host|0||");
    CHECK(parsed("HOST/") == "|host|0|/|");
    CHECK(parsed("HOST:8443") == "|host|8443||");
    CHECK(parsed("[::1]:8443/x?y") == "|::1|8443|/x|y");
    CHECK(parsed("host/x?u=http://y") == "|host|0|/x|u=http://y");
    CHECK(parsed("host?u=http://y") == "|host|0||u=http://y");
}

TEST_CASE("what is refused") {
    for (const std::string_view text : {"",
                                        "/",
                                        "/path",
                                        "?q",
                                        "#f",
                                        "http://",
                                        "http:///path",
                                        "http://:80",
                                        ":80",
                                        "://h",
                                        "1http://h",
                                        "ht_tp://h",
                                        "http://h:0",
                                        "http://h:65536",
                                        "http://h:99999999999",
                                        "http://h:",
                                        "http://h:80x",
                                        "http://h:-1",
                                        "http://h:+80",
                                        "http://h: 80",
                                        "https:/h",
                                        "https:h",
                                        "http://h h/",
                                        "http://h/a b",
                                        "http://h\n",
                                        "http://h/\r\nX",
                                        " http://h",
                                        "http://h ",
                                        "http://h/\x7f",
                                        "http://h\xc3\xbc",
                                        "http://h/\xc3\xbc",
                                        "http://a..b",
                                        "http://.a",
                                        "http://.",
                                        "http://h%41",
                                        "http://h\\x",
                                        "http://[::1",
                                        "http://[]",
                                        "http://[::1]x",
                                        "http://[1.2.3.4]",
                                        "http://[::1%25eth0]",
                                        "http://::1",
                                        "http://a:b:c",
                                        "http://h,i",
                                        "http://<h>"}) {
        CAPTURE(text);
        CHECK(parsed(text).starts_with("{"));
    }
    CHECK_FALSE(error_of(std::string_view("http://h/\0x", 11)).empty());
    CHECK_FALSE(error_of("http://" + std::string(254, 'a')).empty());
    CHECK(error_of("http://" + std::string(253, 'a')).empty());
}

TEST_CASE("an error never repeats what may be a secret") {
    for (const std::string_view text :
         {"https://user:hunter2@host/", "user:hunter2@host", "https://hunter2@host:99999/",
          "https://user:hunter2/@host", "https://:hunter2@"}) {
        CAPTURE(text);
        CHECK_FALSE(error_of(text).empty());
        CHECK(error_of(text).find("hunter2") == std::string::npos);
    }
    CHECK(error_of("https://user:pw@host/").find("user information") != std::string::npos);
}

TEST_CASE("the authority is what a Host field says") {
    CHECK(parse_url("http://Host/").value.authority() == "host");
    CHECK(parse_url("http://host:81/").value.authority() == "host:81");
    CHECK(parse_url("http://[::1]/").value.authority() == "[::1]");
    CHECK(parse_url("http://[::1]:81/").value.authority() == "[::1]:81");
}

TEST_CASE("percent-encoding keeps the unreserved characters only") {
    CHECK(percent_encode("") == "");
    CHECK(percent_encode("AZaz09-._~") == "AZaz09-._~");
    CHECK(percent_encode("a b/c?d=e&f+g%h") == "a%20b%2Fc%3Fd%3De%26f%2Bg%25h");
    CHECK(percent_encode("\xc3\xbc\n") == "%C3%BC%0A");
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    CHECK(percent_decode(percent_encode(all)) == all);
}

TEST_CASE("percent-decoding refuses broken escapes") {
    CHECK(percent_decode("a%20b") == "a b");
    CHECK(percent_decode("%c3%BC+") == "\xc3\xbc+");
    for (const std::string_view text : {"%", "%4", "%4g", "%g4", "a%", "%%41", "%-1", "% 1"})
        CHECK_FALSE(percent_decode(text).has_value());
}

TEST_CASE("queries") {
    using pairs = std::vector<std::pair<std::string, std::string>>;
    CHECK(parse_query("").empty());
    CHECK(parse_query("&&").empty());
    CHECK(parse_query("a=1&b=2") == pairs{{"a", "1"}, {"b", "2"}});
    CHECK(parse_query("a&b=&=c&a=x=y") == pairs{{"a", ""}, {"b", ""}, {"", "c"}, {"a", "x=y"}});
    CHECK(parse_query("t%3D=a+b%2Bc&x=%zz%") == pairs{{"t=", "a b+c"}, {"x", "%zz%"}});
    CHECK(parse_query("a=1&") == pairs{{"a", "1"}});
}

TEST_CASE("IP literals") {
    for (const std::string_view text :
         {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "2001:db8::8:800:200c:417a",
          "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "fe80::1", "ABCD::ef01", "1::8",
          "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"})
        CHECK_MESSAGE(is_ip_literal(text), text);
    for (const std::string_view text : {"",
                                        "localhost",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "1.2.3.256",
                                        "01.2.3.4",
                                        "1.2.3.4.",
                                        "1..2.3",
                                        "a.b.c.d",
                                        "1.2.3.-4",
                                        ":",
                                        ":::",
                                        "1:",
                                        ":1",
                                        "1:2:3:4:5:6:7",
                                        "1:2:3:4:5:6:7:8:9",
                                        "1::2::3",
                                        "12345::",
                                        "g::",
                                        "[::1]",
                                        "::1%eth0",
                                        "::1.2.3",
                                        "1:2:3:4:5:6:7:1.2.3.4",
                                        "1.2.3.4::",
                                        "1:2:3:4:5:6:7:8::",
                                        "::1:2:3:4:5:6:7:8",
                                        "fe80::1 "})
        CHECK_MESSAGE(!is_ip_literal(text), text);
}

TEST_CASE("loopback") {
    for (const std::string_view text : {"localhost", "LocalHost", "localhost.", "a.b.localhost", "127.0.0.1",
                                        "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "::0001"})
        CHECK_MESSAGE(is_loopback(text), text);
    for (const std::string_view text : {"", "notlocalhost", "localhost.example", "127.0.0.1.example", "128.0.0.1",
                                        "1.127.0.0", "127.1", "::", "::2", "1::1", "0.0.0.0", ".localhost.x"})
        CHECK_MESSAGE(!is_loopback(text), text);
}
