// SPDX-License-Identifier: BSL-1.0
// What the upgrade says and hears beside its query: fields, versions, extensions, the shape of a refusal.
#include "cases.hpp"
#include "words.hpp"

#include <algorithm>

namespace conformance {
namespace {

using fields = std::vector<web::http_field>;

/// The answer to an upgrade with other fields: those given replace what the library would say.
web::http_response ask(const target& server, const std::string& where, const fields& other,
                       const std::string& method = "GET") {
    web::http_request request =
        web::make_upgrade(where, web::make_websocket_key(test_random()), server.authorization());
    request.method = method;
    for (const web::http_field& f : other) {
        std::erase_if(request.fields.list, [&](const web::http_field& old) { return old.name == f.name; });
        if (!f.value.empty()) request.fields.list.push_back(f);
    }
    std::string text;
    check(!web::write_request(request, host_of(server.address), text), "the request cannot be written");
    raw_connection connection(server.address);
    connection.write(web::as_bytes(text));
    return read_response(connection);
}

/// The names of the answer's fields, sorted: their order means nothing.
std::string names_of(const web::http_response& r) {
    std::vector<std::string> all;
    for (const web::http_field& f : r.fields.list) all.push_back(f.name);
    std::sort(all.begin(), all.end());
    std::string names;
    for (const std::string& name : all) names += (names.empty() ? "" : " ") + name;
    return names;
}

void answer(target& server) {
    const web::http_response r = ask(server, server.producer_target(server.new_topic()), {});
    check_same(r.status, 101, "status");
    check_same(r.reason, "Switching Protocols", "reason");
    check_same(names_of(r), "Connection Date Sec-WebSocket-Accept Server Upgrade", "fields");
    check_same(r.fields.get("Upgrade"), "WebSocket", "Upgrade");
    check_same(r.fields.get("Connection"), "Upgrade", "Connection");
    check(r.fields.get("Server").starts_with("Jetty(9.4."), "Server: " + std::string(r.fields.get("Server")));
}

void ignored_fields(target& server) {
    const web::http_response r = ask(server, server.producer_target(server.new_topic()),
                                     {{"Sec-WebSocket-Protocol", "a, b"},
                                      {"Origin", "https://elsewhere.example"},
                                      {"Upgrade", "WEBSOCKET"},
                                      {"Connection", "keep-alive, Upgrade"},
                                      {"X-Unknown", "1"}});
    check_same(r.status, 101, "status");
    check_same(names_of(r), "Connection Date Sec-WebSocket-Accept Server Upgrade", "fields");
}

void version(target& server) {
    const std::string where = server.producer_target(server.new_topic());
    for (const char* other : {"12", "8", "0"}) {
        const web::http_response r = ask(server, where, {{"Sec-WebSocket-Version", other}});
        check_same(r.status, 400, std::string("version ") + other);
        check_same(r.fields.get("Sec-WebSocket-Version"), "13", std::string("version ") + other);
    }
}

void not_an_upgrade(target& server) {
    const std::string where = server.producer_target(server.new_topic());
    check_same(ask(server, where, {{"Upgrade", ""}, {"Connection", "close"}}).status, 405, "no Upgrade");
    check_same(ask(server, where, {{"Upgrade", "h2c"}}).status, 405, "another protocol");
    for (const char* method : {"POST", "PUT", "DELETE"})
        check_same(ask(server, where, {{"Upgrade", ""}, {"Connection", "close"}}, method).status, 405, method);
}

/// A refusal is an error page of the web server, and the connection is kept.
void error_page(target& server) {
    const web::http_response r = ask(server, server.producer_target(server.new_topic(), "sendTimeoutMillis=x"), {});
    check_same(r.status, 400, "status");
    check_same(names_of(r), "Cache-Control Content-Length Content-Type Server", "fields");
    check_same(r.fields.get("Cache-Control"), "must-revalidate,no-cache,no-store", "Cache-Control");
    check_same(r.fields.get("Content-Type"), "text/html;charset=iso-8859-1", "Content-Type");
    const std::string text = "Invalid query params: For input string: &quot;x&quot;";
    check(r.body.find("<title>Error 400 " + text + "</title>") != std::string::npos, "the title: " + shown(r.body));
    check(r.body.find("<tr><th>MESSAGE:</th><td>" + text + "</td></tr>") != std::string::npos,
          "the message: " + shown(r.body));
}

/// Offers of permessage-deflate, and what is taken of them.
void deflate(target& server) {
    const std::string where = server.producer_target(server.new_topic());
    struct row {
        const char *offer, *answer;
    };
    const row rows[] = {
        {"permessage-deflate", "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
        {"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
         "permessage-deflate;client_no_context_takeover;server_no_context_takeover"},
        {"permessage-deflate; client_no_context_takeover", "permessage-deflate;client_no_context_takeover"},
        {"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9", "permessage-deflate"},
        {"permessage-deflate; server_max_window_bits=15, permessage-deflate", "permessage-deflate"},
        {"unknown-extension", ""},
    };
    for (const row& r : rows) {
        const web::http_response got = ask(server, where, {{"Sec-WebSocket-Extensions", r.offer}});
        check_same(got.status, 101, r.offer);
        check_same(got.fields.get("Sec-WebSocket-Extensions"), r.answer, r.offer);
    }
}

/// Paths of topics: percent escapes, the other domain, the first version of the API.
void topic_paths(target& server) {
    const std::string base = "/ws/v2/producer/persistent/public/default/" + server.unique_name();
    for (const char* rest : {"%20%C3%BC", "-%E6%B5%81", "+", ":@!$&'()*,;="})
        check_same(ask(server, base + rest, {}).status, 101, rest);
    check_same(ask(server, "/ws/v2/producer/non-persistent/public/default/" + server.unique_name(), {}).status, 101,
               "non-persistent");
    const web::http_response first =
        ask(server, "/ws/producer/persistent/public/standalone/ns/" + server.unique_name(), {});
    const bool unknown = server.differs(server_kind::gateway, "has no paths of the API's first version: 404");
    check_same(first.status, unknown ? 404 : 101, "the first version");
}

} // namespace

std::vector<test_case> upgrade_cases() {
    return {
        {"the answer's fields", answer},
        {"fields that are ignored", ignored_fields},
        {"another version of the protocol", version},
        {"requests that are no upgrade", not_an_upgrade},
        {"the page of a refusal", error_page},
        {"permessage-deflate", deflate},
        {"paths of topics", topic_paths},
    };
}

} // namespace conformance
