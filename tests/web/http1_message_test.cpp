// SPDX-License-Identifier: BSL-1.0
// How HTTP/1.1 messages are written: what is added, and that no value can split a message.
#include <sluice/web/http1.hpp>

#include <doctest/doctest.h>

using namespace sluice::web;
using sluice::errc;

namespace {

std::string written(const http_request& r, std::string_view host = "h") {
    std::string out = "before ";
    const std::error_code ec = write_request(r, host, out);
    if (ec) {
        CHECK(out == "before ");
        return ec == errc::http_malformed ? "refused" : ec.message();
    }
    return out.substr(7);
}

std::string written(const http_response& r) {
    std::string out = "before ";
    const std::error_code ec = write_response(r, out);
    if (ec) {
        CHECK(out == "before ");
        return ec == errc::http_malformed ? "refused" : ec.message();
    }
    return out.substr(7);
}

/// Texts that would end a line, a value or a string early.
const std::string splitters[] = {"a\rb", "a\nb", "a\r\nX: y", std::string("a\0b", 3), "a\x1b", "a\x7f"};

} // namespace

TEST_CASE("fields are found without regard to case, tokens in lists over several fields") {
    const http_fields fields{{"Upgrade", "WebSocket"}, {"CONNECTION", "keep-alive ,\tUpgrade"}, {"connection", "x,,y"}};
    CHECK(fields.size() == 3);
    CHECK(fields.get("upgrade") == "WebSocket");
    CHECK(*fields.find("Connection") == "keep-alive ,\tUpgrade");
    CHECK(fields.find("Connect") == nullptr);
    CHECK(fields.get("none").empty());
    CHECK(fields.count("connection") == 2);
    CHECK(fields.has_token("Upgrade", "websocket"));
    for (const char* token : {"keep-alive", "upgrade", "X", "Y"}) CHECK(fields.has_token("Connection", token));
    for (const char* token : {"", "keep", "alive", "x,y", "upgrade "})
        CHECK_FALSE(fields.has_token("Connection", token));
    CHECK_FALSE(http_fields{}.has_token("a", "b"));
}

TEST_CASE("a request gets Host, and Content-Length where it is due") {
    CHECK(written(http_request{}) == "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(written({"GET", "/a?b=c", {{"Accept", "*/*"}, {"X-Empty", ""}}, ""}, "[::1]:80") ==
          "GET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nAccept: */*\r\nX-Empty: \r\n\r\n");
    CHECK(written({"POST", "/", {}, ""}) == "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    CHECK(written({"PUT", "/", {}, "ab\r\n"}) == "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab\r\n");
    CHECK(written({"DELETE", "/", {}, "x"}) == "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
}

TEST_CASE("fields that are given are not added again") {
    CHECK(written({"GET", "/", {{"host", "other"}}, ""}) == "GET / HTTP/1.1\r\nhost: other\r\n\r\n");
    CHECK(written({"POST", "/", {{"content-length", "1"}}, "x"}) ==
          "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 1\r\n\r\nx");
    CHECK(written({"POST", "/", {{"Transfer-Encoding", "chunked"}}, std::string(26, 'x')}) ==
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" + std::string(26, 'x') +
              "\r\n0\r\n\r\n");
    CHECK(written({"POST", "/", {{"Transfer-Encoding", "chunked"}}, ""}).ends_with("\r\n\r\n0\r\n\r\n"));
}

TEST_CASE("framing that contradicts the body is refused") {
    CHECK(written({"POST", "/", {{"Content-Length", "2"}}, "x"}) == "refused");
    CHECK(written({"POST", "/", {{"Content-Length", "1, 1"}}, "x"}) == "refused");
    CHECK(written({"POST", "/", {{"Transfer-Encoding", "gzip, chunked"}}, "x"}) == "refused");
    CHECK(written({"POST", "/", {{"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}}, "x"}) == "refused");
}

TEST_CASE("nothing that splits a message is written") {
    for (const std::string& bad : splitters) {
        CAPTURE(bad);
        CHECK(written({bad, "/", {}, ""}) == "refused");
        CHECK(written({"GET", "/" + bad, {}, ""}) == "refused");
        CHECK(written({"GET", "/", {{bad, "v"}}, ""}) == "refused");
        CHECK(written({"GET", "/", {{"N", bad}}, ""}) == "refused");
        CHECK(written(http_request{}, bad) == "refused");
        CHECK(written({200, bad, {}, "", true}) == "refused");
        CHECK(written({200, "", {{bad, "v"}}, "", true}) == "refused");
        CHECK(written({200, "", {{"N", bad}}, "", true}) == "refused");
    }
    CHECK(written({"", "/", {}, ""}) == "refused");
    CHECK(written({"G T", "/", {}, ""}) == "refused");
    CHECK(written({"GET", "", {}, ""}) == "refused");
    CHECK(written({"GET", "/a b", {}, ""}) == "refused");
    CHECK(written({"GET", "/\xc3\xbc", {}, ""}) == "refused");
    CHECK(written({"GET", "/", {{"", "v"}}, ""}) == "refused");
    CHECK(written({"GET", "/", {{"a b", "v"}}, ""}) == "refused");
    CHECK(written({"GET", "/", {{"a:", "v"}}, ""}) == "refused");
    CHECK(written(http_request{}, "a b") == "refused");
    CHECK(written({"GET", "/", {{"N", "tab\tand \xc3\xbc"}}, ""}).find("N: tab\tand \xc3\xbc\r\n") !=
          std::string::npos);
}

TEST_CASE("a response gets Content-Length, and says when the connection ends") {
    CHECK(written({200, "OK", {}, "body", true}) == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    CHECK(written({200, "", {}, "", true}) == "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
    CHECK(written({503, "", {{"A", "b"}}, "", false}) ==
          "HTTP/1.1 503 \r\nConnection: close\r\nA: b\r\nContent-Length: 0\r\n\r\n");
    CHECK(written({200, "", {{"connection", "close"}}, "", false}) ==
          "HTTP/1.1 200 \r\nconnection: close\r\nContent-Length: 0\r\n\r\n");
    CHECK(written({200, "", {{"Transfer-Encoding", "chunked"}}, "ab", true}) ==
          "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
}

TEST_CASE("1xx, 204 and 304 have neither a length nor a body") {
    CHECK(written({101, "Switching Protocols", {{"Upgrade", "websocket"}}, "", true}) ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    for (const int status : {100, 204, 304})
        CHECK(written({status, "", {}, "x", true}) == "HTTP/1.1 " + std::to_string(status) + " \r\n\r\n");
    CHECK(written({204, "", {{"Transfer-Encoding", "chunked"}}, "", true}) == "refused");
    for (const int status : {-1, 0, 99, 1000}) CHECK(written({status, "", {}, "", true}) == "refused");
}
