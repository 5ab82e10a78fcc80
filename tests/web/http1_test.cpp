// SPDX-License-Identifier: BSL-1.0
// How HTTP/1.1 messages are read: every input whole, cut at every offset, byte by byte, and truncated everywhere.
#include <sluice/web/http1.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace sluice::web;
using sluice::errc;

namespace {

/// All that a parser says; an error's message is what it is, not how far it came.
struct answer {
    bool done = false;
    std::error_code error{};
    std::string text{}; ///< of the error
    std::string start{}, fields{}, body{};
    bool keep_alive = false;
    std::size_t taken = 0;

    bool operator==(const answer&) const = default;
};

std::string flat(const http_fields& fields) {
    std::string text;
    for (const http_field& f : fields) text += f.name + "=" + f.value + ";";
    return text;
}

answer read(http_response_parser p, const std::vector<std::string_view>& pieces, bool ends) {
    answer a;
    for (const std::string_view piece : pieces) a.taken += p.feed(as_bytes(piece));
    if (ends) p.end_of_stream();
    a.done = p.done();
    a.error = p.error();
    a.text = p.error_text();
    CHECK(a.text.empty() == !a.error);
    CHECK_FALSE((a.done && a.error));
    if (!a.done) return {a.done, a.error, a.text};
    const http_response& r = p.response();
    a.start = std::to_string(r.status) + " " + r.reason;
    a.fields = flat(r.fields);
    a.body = r.body;
    a.keep_alive = r.keep_alive;
    return a;
}

answer read(http_request_parser p, const std::vector<std::string_view>& pieces, bool ends) {
    answer a;
    for (const std::string_view piece : pieces) a.taken += p.feed(as_bytes(piece));
    if (ends) p.end_of_stream();
    a.done = p.done();
    a.error = p.error();
    a.text = p.error_text();
    if (!a.done) return {a.done, a.error, a.text};
    a.start = p.request().method + " " + p.request().target;
    a.fields = flat(p.request().fields);
    a.body = p.request().body;
    a.keep_alive = p.keep_alive();
    return a;
}

/// The answer to the whole text, after seeing that it does not depend on how the text arrives.
template <class Parser>
answer read_any_way(const Parser& p, std::string_view text, bool ends = false) {
    const answer whole = read(p, {text}, ends);
    std::vector<std::string_view> bytes;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        REQUIRE(read(p, {text.substr(0, cut), text.substr(cut)}, ends) == whole);
        if (cut != text.size()) bytes.push_back(text.substr(cut, 1));
    }
    REQUIRE(read(p, bytes, ends) == whole);
    return whole;
}

answer response(std::string_view text, bool ends = false) { return read_any_way(http_response_parser(), text, ends); }
answer request(std::string_view text) { return read_any_way(http_request_parser(), text); }

/// A whole message that is not whole when any byte at its end is missing.
template <class Parser>
answer whole_message(const Parser& p, std::string_view text) {
    for (std::size_t n = 0; n < text.size(); ++n) {
        const answer open = read(p, {text.substr(0, n)}, false);
        REQUIRE_FALSE(open.done);
        REQUIRE_FALSE(open.error);
        REQUIRE(read(p, {text.substr(0, n)}, true).error == (n == 0 ? errc::no_response : errc::http_truncated));
    }
    const answer a = read_any_way(p, std::string(text) + "NEXT");
    REQUIRE(a.done);
    REQUIRE(a.taken == text.size());
    return a;
}
answer whole_response(std::string_view text) { return whole_message(http_response_parser(), text); }
answer whole_request(std::string_view text) { return whole_message(http_request_parser(), text); }

const std::string ok = "HTTP/1.1 200 OK\r\n";
const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";

bool malformed(const answer& a) { return a.error == errc::http_malformed; }
bool too_large(const answer& a, std::string_view what) {
    return a.error == errc::http_too_large && a.text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("a response counted by Content-Length") {
    const answer a = whole_response(ok + "content-LENGTH:  5 \t\r\nX-Gdn-Requestid:r1\r\nEmpty:\r\n\r\nhello");
    CHECK(a.start == "200 OK");
    CHECK(a.fields == "content-LENGTH=5;X-Gdn-Requestid=r1;Empty=;");
    CHECK(a.body == "hello");
    CHECK(a.keep_alive);
    CHECK(whole_response(ok + "Content-Length: 0\r\n\r\n").body.empty());
    CHECK(whole_response(ok + "Content-Length: 002\r\n\r\nab").body == "ab");
}

TEST_CASE("status lines") {
    CHECK(whole_response("HTTP/1.1 204 \r\n\r\n").start == "204 "); // an empty reason
    CHECK(whole_response("HTTP/1.1 204\r\n\r\n").start == "204 ");  // and its blank left out
    CHECK(whole_response("HTTP/1.1 204 No  Content \xc3\xbc\t\r\n\r\n").start == "204 No  Content \xc3\xbc\t");
    CHECK(response("HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n").start == "999 x");
    CHECK(response("HTTP/1.2 204 x\r\n\r\n").done);
    for (const std::string_view line : {"",
                                        " HTTP/1.1 200 OK",
                                        "HTTP/1.1  200 OK",
                                        "HTTP/1.1 20 OK",
                                        "HTTP/1.1 2000 OK",
                                        "HTTP/1.1 2x0 OK",
                                        "HTTP/1.1\t200 OK",
                                        "HTTP/1.1 200\tOK",
                                        "HTTP/2 200 OK",
                                        "HTTP/2.0 200 OK",
                                        "HTTP/1.10 200 OK",
                                        "http/1.1 200 OK",
                                        "HTTP/1.1 099 x",
                                        "HTTP/1.1 -20 x",
                                        "HTTP/1.1 200 a\rb",
                                        "HTTP/1.1 200 a\x01",
                                        "HTTP/1.1",
                                        "HTTP/1.1 ",
                                        "SSH-2.0-OpenSSH",
                                        "\x15\x03\x03"}) {
        CAPTURE(line);
        CHECK(malformed(response(std::string(line) + "\r\n\r\n")));
    }
    CHECK(malformed(response("\x15\x03\x01"))); // a TLS alert: no line end will ever come
    CHECK(malformed(response("SSH-2.0")));
}

TEST_CASE("chunked bodies, extensions, trailers") {
    CHECK(whole_response(chunked + "0\r\n\r\n").body.empty());
    const answer a =
        whole_response(chunked + "5\r\nhello\r\n00B ; x=\"y;z\"\t;q\r\n, a chunk\r\n\r\n0;last\r\nTrailer: t\r\n\r\n");
    CHECK(a.body == "hello, a chunk\r\n");
    CHECK(a.fields == "Transfer-Encoding=chunked;"); // trailers are not header fields
    CHECK(a.keep_alive);
    CHECK(whole_response(ok + "transfer-encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n").body == "x");
}

TEST_CASE("broken chunks") {
    for (const std::string_view body : {"\r\n",
                                        "g\r\n",
                                        "-1\r\n",
                                        "+1\r\n",
                                        "0x1\r\n",
                                        " 1\r\n",
                                        "1 \r\nx\r\n",
                                        "1\nx\r\n0\r\n\r\n",
                                        "1\r\nx\n0\r\n\r\n",
                                        "1\r\nxy",
                                        "1\r\nx0\r\n",
                                        "1\r\nx\rx",
                                        "1 x\r\n",
                                        "1\r\r\nx",
                                        "1;a\rb\r\nx",
                                        "1;a\x01\r\nx",
                                        ";x\r\n",
                                        "0\r\n\n",
                                        "0\r\nA: b\n\r\n",
                                        "0\r\nA\r\n\r\n",
                                        "0\r\n A: b\r\n\r\n",
                                        "0\r\nA : b\r\n\r\n",
                                        "00000000000000001\r\nx\r\n",
                                        "fffffffffffffffff\r\n"}) {
        CAPTURE(body);
        CHECK(malformed(response(chunked + std::string(body))));
    }
    for (const std::string_view size : {"ffffffffffffffff", "8000000000000000", "1000001", "100000000"})
        CHECK(too_large(response(chunked + std::string(size) + "\r\nx"), "body"));
    // sizes whose sum wraps around
    CHECK(too_large(response(chunked + "2\r\nab\r\nfffffffffffffffe\r\nx"), "body"));
}

TEST_CASE("a body that the end of the connection ends") {
    const std::string text = ok + "Content-Type: text/html\r\n\r\n<html>";
    CHECK_FALSE(response(text).done);
    const answer a = response(text, true);
    CHECK(a.done);
    CHECK(a.body == "<html>");
    CHECK_FALSE(a.keep_alive);
    CHECK(response(ok + "\r\n", true).done);
}

TEST_CASE("an HTML page from a proxy") {
    const std::string page = "<html><head><title>502 Bad Gateway</title></head>\r\n<body>\n</body></html>\r\n";
    const answer a =
        whole_response("HTTP/1.1 502 Bad Gateway\r\nServer: openresty\r\nContent-Type: text/html\r\nContent-Length: " +
                       std::to_string(page.size()) + "\r\nConnection: close\r\n\r\n" + page);
    CHECK(a.start == "502 Bad Gateway");
    CHECK(a.body == page);
    CHECK_FALSE(a.keep_alive);
}

TEST_CASE("interim responses are skipped, a 101 ends the header and nothing more is taken") {
    const answer a =
        whole_response("HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
                       ok + "A: b\r\nContent-Length: 1\r\n\r\nx");
    CHECK(a.start == "200 OK");
    CHECK(a.fields == "A=b;Content-Length=1;");
    const answer upgrade =
        whole_response("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n");
    CHECK(upgrade.start == "101 Switching Protocols");
    CHECK(upgrade.body.empty());
    CHECK(response("HTTP/1.1 100 \r\n\r\n", true).error == errc::http_truncated);
    std::string endless;
    for (int i = 0; i < 40000; ++i) endless += "HTTP/1.1 100 \r\n\r\n";
    CHECK(too_large(read(http_response_parser(), {endless}, false), "header"));
}

TEST_CASE("responses that have no body whatever their fields say") {
    for (const char* status : {"204", "304"})
        CHECK(whole_response("HTTP/1.1 " + std::string(status) + " x\r\nContent-Length: 7\r\n\r\n").body.empty());
    const http_response_parser head(http_limits{}, true);
    CHECK(whole_message(head, ok + "Content-Length: 7\r\n\r\n").keep_alive);
    CHECK(whole_message(head, ok + "Transfer-Encoding: chunked\r\n\r\n").body.empty());
    CHECK(whole_message(head, ok + "\r\n").done);
}

TEST_CASE("several Content-Lengths are one if they agree, else an error") {
    for (const char* same : {"5, 5", "5,5", "05, 5", "5\r\nContent-Length: 5"})
        CHECK(whole_response(ok + "Content-Length: " + same + "\r\n\r\nhello").body == "hello");
    for (const char* bad : {"", "x", "-1", "+1", "1x", "1 1", "0x1", "1.0", "5, 6", ",", "5\r\nContent-Length: 6",
                            "5\r\nContent-Length:", "1\r\nContent-Length: 99999999999999999999999"})
        CHECK_MESSAGE(malformed(response(ok + "Content-Length: " + bad + "\r\n\r\nhello")), bad);
    for (const char* huge : {"16777217", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"})
        CHECK_MESSAGE(too_large(response(ok + "Content-Length: " + huge + "\r\n\r\n"), "body"), huge);
}

TEST_CASE("transfer codings that cannot be trusted") {
    for (const char* fields :
         {"Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity",
          "Transfer-Encoding: xchunked",
          "Transfer-Encoding:", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"}) {
        CAPTURE(fields);
        CHECK(malformed(response(ok + fields + "\r\n\r\n0\r\n\r\n")));
        CHECK(malformed(request("POST / HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n\r\n0\r\n\r\n")));
    }
    CHECK(malformed(response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")));
}

TEST_CASE("field lines") {
    CHECK(whole_response(ok + "A: \t b c \t \r\nContent-Length: 0\r\n\r\n").fields == "A=b c;Content-Length=0;");
    CHECK(whole_response(ok + "A: \xc3\xbc:\tx\r\nContent-Length: 0\r\n\r\n").fields ==
          "A=\xc3\xbc:\tx;Content-Length=0;");
    for (const std::string_view line : {"A", "A : b", ": b", " A: b", "\tA: b", "A: b\r\n c", "A: b\r\n\tc", "A b: c",
                                        "A: b\rc", "A: \x01", "A: \x7f", "A\xc3: b", "(A): b", "A\r: b"}) {
        CAPTURE(line);
        CHECK(malformed(response(ok + std::string(line) + "\r\n\r\n")));
        CHECK(malformed(request(get + std::string(line) + "\r\n\r\n")));
    }
    CHECK(malformed(response(ok + std::string("A: b\0c\r\n\r\n", 10))));
}

TEST_CASE("a bare LF ends start and field lines, RFC 9112 section 2.2, and no line of the chunked coding") {
    const answer a = whole_response("HTTP/1.1 200 OK\nA: b\r\nContent-Length: 1\n\nx");
    CHECK(a.start == "200 OK");
    CHECK(a.fields == "A=b;Content-Length=1;");
    CHECK(whole_request("GET /x HTTP/1.1\nHost: h\n\n").start == "GET /x");
    CHECK(malformed(response("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n")));
}

TEST_CASE("whether the connection goes on") {
    const auto keeps = [](std::string_view version, std::string_view connection) {
        const std::string fields = connection.empty() ? "" : "Connection: " + std::string(connection) + "\r\n";
        const answer a = response(std::string(version) + " 204 x\r\n" + fields + "\r\n");
        const answer q = request("GET / " + std::string(version) + "\r\nHost: h\r\n" + fields + "\r\n");
        CHECK(a.keep_alive == q.keep_alive);
        return a.keep_alive;
    };
    CHECK(keeps("HTTP/1.1", ""));
    CHECK(keeps("HTTP/1.1", "keep-alive"));
    CHECK_FALSE(keeps("HTTP/1.1", "Close"));
    CHECK_FALSE(keeps("HTTP/1.1", "x, close"));
    CHECK_FALSE(keeps("HTTP/1.0", ""));
    CHECK(keeps("HTTP/1.0", "Keep-Alive"));
    CHECK_FALSE(keeps("HTTP/1.0", "keep-alive, close"));
}

TEST_CASE("each limit holds at its number and not one beyond") {
    http_limits limits;
    limits.start_line = 20;
    limits.header = 60;
    limits.fields = 3;
    limits.body = 10;
    const http_response_parser p(limits);
    const auto reads = [&](const std::string& text) { return read_any_way(p, text, true); };
    const std::string head = "HTTP/1.1 200 ", end = "Content-Length: 0\r\n\r\n"; // 19 bytes, and 2
    for (const char* eol : {"\r\n", "\n"}) {
        CHECK(reads(head + std::string(7, 'x') + eol + end).done);
        CHECK(too_large(reads(head + std::string(8, 'x') + eol + end), "start line"));
    }
    CHECK(reads(head + "\r\nA: " + std::string(34, 'x') + "\r\n" + end).done);
    CHECK(too_large(reads(head + "\r\nA: " + std::string(35, 'x') + "\r\n" + end), "header"));
    CHECK(too_large(reads(head + "\r\nA: " + std::string(999, 'x')), "header"));
    CHECK(reads(head + "\r\nA:\r\nB:\r\n" + end).done);
    CHECK(too_large(reads(head + "\r\nA:\r\nB:\r\nC:\r\n" + end), "fields"));
    CHECK(reads(head + "\r\nContent-Length: 10\r\n\r\n0123456789").done);
    CHECK(too_large(reads(head + "\r\nContent-Length: 11\r\n\r\n"), "body"));
    CHECK(reads(head + "\r\n\r\n0123456789").done);
    CHECK(too_large(reads(head + "\r\n\r\n0123456789x"), "body"));
    const std::string te = head + "\r\nTransfer-Encoding: chunked\r\n\r\n"; // 30 bytes
    CHECK(reads(te + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n").done);
    CHECK(too_large(reads(te + "5\r\n01234\r\n6\r\n"), "body"));
    CHECK(reads(te + "1;" + std::string(27, 'x') + "\r\nx\r\n0\r\n\r\n").done);
    CHECK(too_large(reads(te + "1;" + std::string(30, 'x') + "\r\nx\r\n0\r\n\r\n"), "header"));
    CHECK(too_large(reads(te + "1;" + std::string(99, 'x')), "chunk extensions"));
    CHECK(too_large(reads(te + "1;0123456789\r\nx\r\n1;0123456789\r\nx\r\n1;0123456789\r\nx\r\n"), "header"));
    CHECK(reads(te + "0\r\nT: " + std::string(23, 'x') + "\r\n\r\n").done);
    CHECK(too_large(reads(te + "0\r\nT: " + std::string(24, 'x') + "\r\n\r\n"), "header"));
    CHECK(too_large(reads(te + "0\r\nA:\r\nB:\r\nC:\r\n\r\n"), "fields"));
}

TEST_CASE("what is too large: the body, or the header") {
    const auto body_of = [](std::string_view text) {
        http_request_parser p({.start_line = 30, .header = 60, .fields = 2, .body = 4});
        p.feed(as_bytes(text));
        CHECK(p.error() == errc::http_too_large);
        const bool body = p.body_too_large();
        p.reset();
        CHECK_FALSE(p.body_too_large());
        return body;
    };
    CHECK(body_of(get + "Content-Length: 5\r\n\r\n"));
    const std::string te = get + "Transfer-Encoding: chunked\r\n\r\n";
    CHECK(body_of(te + "5\r\n"));
    CHECK(body_of(te + "3\r\nabc\r\n2\r\n"));
    CHECK_FALSE(body_of("GET /body" + std::string(30, 'x')));
    CHECK_FALSE(body_of(get + "Body: body" + std::string(60, 'x')));
    CHECK_FALSE(body_of(get + "A: b\r\nBody: c\r\n\r\n"));
    CHECK_FALSE(body_of(te + "1;body" + std::string(60, 'x')));
    http_request_parser malformed_one;
    malformed_one.feed(as_bytes("body\r\n"));
    CHECK(malformed_one.error() == errc::http_malformed);
    CHECK_FALSE(malformed_one.body_too_large());
}

TEST_CASE("a header of 1 MiB is refused long before its end") {
    std::string text = ok;
    while (text.size() < 1 << 20) text += "X-Padding: " + std::string(1000, 'p') + "\r\n";
    http_response_parser p({.fields = 100000});
    const std::size_t taken = p.feed(as_bytes(text));
    CHECK(p.error() == errc::http_too_large);
    CHECK(taken <= http_limits{}.header + ok.size());
    CHECK(p.feed(as_bytes(text)) == 0); // an error lasts
    const std::string line = ok + "X: " + std::string(1 << 20, 'p');
    http_response_parser one;
    for (std::size_t i = 0; i < line.size(); i += 1000)
        one.feed(as_bytes(line).subspan(i, std::min<std::size_t>(1000, line.size() - i)));
    CHECK(one.error() == errc::http_too_large);
    CHECK(too_large(read(http_response_parser(), {"HTTP/1.1 200 " + std::string(1 << 20, 'p')}, false), "start line"));
}

TEST_CASE("a promised length is not allocated before it comes") {
    http_response_parser p({.body = SIZE_MAX});
    p.feed(as_bytes(ok + "Content-Length: 1000000000000\r\n\r\nx"));
    CHECK_FALSE(p.error());
    CHECK(p.response().body.capacity() < 1 << 20);
}

TEST_CASE("one parser after another message") {
    http_response_parser p({}, true);
    const std::string two = ok + "Content-Length: 3\r\n\r\n" + ok + "Content-Length: 1\r\n\r\ny";
    std::size_t at = p.feed(as_bytes(two));
    CHECK(p.done());
    CHECK(p.feed(as_bytes(two).subspan(at)) == 0);
    p.reset();
    CHECK_FALSE(p.done());
    CHECK(std::as_const(p).response().status == 0);
    at += p.feed(as_bytes(two).subspan(at));
    CHECK(at == two.size());
    CHECK(p.response().body == "y");
    p.reset();
    p.feed(as_bytes("nonsense"));
    CHECK(p.error());
    p.reset();
    CHECK_FALSE(p.error());
    CHECK(p.error_text().empty());
    p.end_of_stream();
    CHECK(p.error() == errc::no_response);
}

TEST_CASE("a body up to the end of the connection, whose end nobody said, is truncated") {
    for (const bool orderly : {true, false}) {
        http_response_parser p;
        p.feed(as_bytes("HTTP/1.1 200 \r\n\r\nhalf"));
        p.end_of_stream(orderly);
        CHECK(p.done() == orderly);
        CHECK((p.error() == errc::http_truncated) == !orderly);
        CHECK(p.response().status == 200);
        p.reset();
        p.feed(as_bytes("HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nhalf"));
        p.end_of_stream(orderly);
        CHECK(p.done());
    }
}

TEST_CASE("requests") {
    const answer a = whole_request(
        "POST /_fabric/_system/_api/streams/s?global=true HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\n\r\nhi");
    CHECK(a.start == "POST /_fabric/_system/_api/streams/s?global=true");
    CHECK(a.body == "hi");
    CHECK(whole_request(get + "\r\n").body.empty()); // no length: no body
    CHECK(whole_request("POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").body ==
          "hi");
    CHECK(request("\r\n\r\n\n" + get + "\r\n").done); // RFC 9112 section 2.2
    CHECK(request("GET / HTTP/1.0\r\n\r\n").done);
    CHECK(request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").start == "OPTIONS *");
    CHECK(read(http_request_parser(), {std::string(1 << 20, '\n')}, false).error == errc::http_too_large);
}

TEST_CASE("one parser after another request") {
    http_request_parser p;
    const std::string two = get + "\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
    const std::size_t at = p.feed(as_bytes(two));
    CHECK(std::as_const(p).request().target == "/");
    p.reset();
    CHECK(p.feed(as_bytes(two).subspan(at)) == two.size() - at);
    CHECK(p.request().target == "/2");
    CHECK(p.request().body == "x");
}

TEST_CASE("broken requests") {
    for (const std::string_view line :
         {"GET /", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET HTTP/1.1",
          "GET / HTTP/2.0", "GET / http/1.1", "G(T / HTTP/1.1", "GET /a b HTTP/1.1", "GET /\t HTTP/1.1",
          "GET /\xc3\xbc HTTP/1.1", "GET /\rx HTTP/1.1", "GET\t/ HTTP/1.1", "\rGET / HTTP/1.1", "\x16\x03\x01"}) {
        CAPTURE(line);
        CHECK(malformed(request(std::string(line) + "\r\nHost: h\r\n\r\n")));
    }
    CHECK(malformed(request("\x16\x03\x01"))); // a TLS client
    CHECK(malformed(request("GET / HTTP/1.1\r\n\r\n")));
    CHECK(malformed(request(get + "Host: h\r\n\r\n")));
    CHECK(malformed(request(get + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")));
    CHECK(too_large(read(http_request_parser(), {std::string(9000, 'G')}, false), "start line"));
}

TEST_CASE("what one side writes the other side reads") {
    std::string text;
    const http_request q{"PUT", "/p?q", {{"Connection", "close"}}, std::string("\0\r\n", 3)};
    CHECK_FALSE(write_request(q, "host", text));
    const answer asked = whole_request(text);
    CHECK(asked.start == "PUT /p?q");
    CHECK(asked.body == q.body);
    CHECK_FALSE(asked.keep_alive);
    for (const char* coding : {"", "chunked"}) {
        http_response r{201, "Created", {{"A", "b"}}, std::string(300, 'z'), true};
        if (*coding != '\0') r.fields.add("Transfer-Encoding", coding);
        text.clear();
        CHECK_FALSE(write_response(r, text));
        const answer told = whole_response(text);
        CHECK(told.start == "201 Created");
        CHECK(told.body == r.body);
        CHECK(told.keep_alive);
    }
}
