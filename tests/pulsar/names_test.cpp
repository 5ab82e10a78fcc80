// SPDX-License-Identifier: BSL-1.0
// Names: URL to server, credential to tenant, stream to topic, as tables.
#include <sluice/pulsar/names.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>

using namespace sluice;
using pulsar::make_topic;
using pulsar::origin;

namespace {

client_config config_of(std::string url) {
    client_config config;
    config.url = std::move(url);
    return config;
}

std::string text_of(const failure& f) { return f.details ? f.details->text : std::string(); }

std::string base64url(std::string_view text) {
    std::string out = web::base64_encode_string(web::as_bytes(text));
    for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out.substr(0, out.find('='));
}

} // namespace

TEST_CASE("the URL decides dialect, host, port, scheme and whether the region is asked") {
    struct row {
        std::string_view url;
        sluice::dialect dialect;
        bool tls;
        std::string_view host;
        std::uint16_t port;
        bool ask;
    };
    constexpr auto gdn = dialect::gdn, plain = dialect::pulsar;
    for (const row& r : {
             row{"https://play.paas.macrometa.io", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"https://play.paas.macrometa.io/", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"play.paas.macrometa.io", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"play.paas.macrometa.io/", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"HTTPS://Play.Paas.Macrometa.IO", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"api-play.paas.macrometa.io", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"https://api-play.paas.macrometa.io/", gdn, true, "api-play.paas.macrometa.io", 443, true},
             {"https://play.paas.macrometa.io:443", gdn, true, "play.paas.macrometa.io", 443, false},
             {"gdn.example.com:8443", gdn, true, "gdn.example.com", 8443, false},
             {"https://10.0.0.1", gdn, true, "10.0.0.1", 443, false},
             {"https://[2001:db8::1]", gdn, true, "2001:db8::1", 443, false},
             {"https://localhost", gdn, true, "localhost", 443, false},
             {"http://localhost", gdn, false, "localhost", 80, false},
             {"http://127.0.0.1:8080", gdn, false, "127.0.0.1", 8080, false},
             {"http://[::1]:8080", gdn, false, "::1", 8080, false},
             {"wss://pulsar.example.com", plain, true, "pulsar.example.com", 443, false},
             {"wss://pulsar.example.com:8443/", plain, true, "pulsar.example.com", 8443, false},
             {"ws://localhost:8080", plain, false, "localhost", 8080, false},
             {"ws://127.0.0.1", plain, false, "127.0.0.1", 80, false},
         }) {
        CAPTURE(r.url);
        const auto [error, service] = pulsar::resolve_service(config_of(std::string(r.url)));
        CHECK_MESSAGE(!error, text_of(error));
        CHECK(service.dialect == r.dialect);
        CHECK(service.api.tls == r.tls);
        CHECK(service.api.host == r.host);
        CHECK(service.api.port == r.port);
        CHECK(service.ask_region == r.ask);
    }
}

TEST_CASE("an explicit dialect wins over the scheme") {
    client_config config = config_of("https://pulsar.example.com");
    config.dialect = dialect::pulsar;
    auto [error, service] = pulsar::resolve_service(config);
    CHECK(!error);
    CHECK(service.dialect == dialect::pulsar);
    CHECK(service.api == origin{true, "pulsar.example.com", 443});
    CHECK(!service.ask_region);

    config = config_of("wss://play.paas.macrometa.io");
    config.dialect = dialect::gdn;
    std::tie(error, service) = pulsar::resolve_service(config);
    CHECK(!error);
    CHECK(service.api == origin{true, "api-play.paas.macrometa.io", 443});
    CHECK(service.ask_region);
}

TEST_CASE("plain text needs loopback or allow_plaintext") {
    for (const char* url : {"http://play.paas.macrometa.io", "ws://pulsar.example.com:8080", "http://10.0.0.1:80"}) {
        CAPTURE(url);
        client_config config = config_of(url);
        const auto refused = pulsar::resolve_service(config);
        CHECK(refused.first.code == errc::plaintext_refused);
        CHECK(text_of(refused.first).find(url) != std::string::npos);
        CHECK(text_of(refused.first).find("allow_plaintext") != std::string::npos);
        config.allow_plaintext = true;
        CHECK(!pulsar::resolve_service(config).first);
    }
    client_config config = config_of("http://play.paas.macrometa.io");
    config.allow_plaintext = true;
    CHECK(pulsar::resolve_service(config).second.api == origin{false, "api-play.paas.macrometa.io", 80});
}

TEST_CASE("a bad URL is named with what is allowed, and never with what may be a secret") {
    for (const char* url : {"ftp://h", "pulsar://h:6650", "https://h/path", "https://h?x=1", "https://", "",
                            "https://h:0", "https://h:99999", "https://ho st", "https://h/\n"}) {
        CAPTURE(url);
        const auto refused = pulsar::resolve_service(config_of(url));
        CHECK(refused.first.code == errc::invalid_url);
        CHECK(text_of(refused.first).find("allowed") != std::string::npos);
    }
    CHECK(text_of(pulsar::resolve_service(config_of("ftp://h")).first).find("\"ftp://h\"") != std::string::npos);
    for (const char* url : {"https://user:hunter2@h", "https://user:hunt?er2@h", "https://h?token=hunter2",
                            "user:hunter2@h", "ftp://user:hunter2@h"}) {
        CAPTURE(url);
        const auto refused = pulsar::resolve_service(config_of(url));
        CHECK(refused.first.code == errc::invalid_url);
        CHECK(text_of(refused.first).find("er2") == std::string::npos);
    }
}

TEST_CASE("authority leaves default ports out") {
    CHECK(origin{true, "h", 443}.authority() == "h");
    CHECK(origin{true, "h", 0}.authority() == "h");
    CHECK(origin{true, "h", 80}.authority() == "h:80");
    CHECK(origin{false, "h", 80}.authority() == "h");
    CHECK(origin{false, "h", 443}.authority() == "h:443");
    CHECK(origin{false, "::1", 8080}.authority() == "[::1]:8080");
    CHECK(origin{true, "::1", 443}.authority() == "[::1]");
}

TEST_CASE("the socket's origin is api- and the region's host") {
    const auto service = pulsar::resolve_service(config_of("play.paas.macrometa.io")).second;
    const auto of = [&](std::string url) { return pulsar::socket_origin(service, {"", std::move(url), ""}); };
    CHECK(of("gdn-us-west.paas.macrometa.io") == origin{true, "api-gdn-us-west.paas.macrometa.io", 443});
    CHECK(of("api-gdn-us-west.paas.macrometa.io") == origin{true, "api-gdn-us-west.paas.macrometa.io", 443});
    CHECK(of("gdn-us-west.paas.macrometa.io:8443") == origin{true, "api-gdn-us-west.paas.macrometa.io", 8443});
    CHECK(of("10.0.0.1:9000") == origin{true, "10.0.0.1", 9000});
    CHECK(of("") == service.api);
    CHECK(of("user@host") == service.api);

    const auto local = pulsar::resolve_service(config_of("http://localhost:8080")).second;
    CHECK(pulsar::socket_origin(local, {"", "gdn-us-west.paas.macrometa.io", ""}) == local.api);
}

TEST_CASE("the tenant of an API key") {
    CHECK(pulsar::tenant_of_api_key("acme.key1.secret") == "acme");
    CHECK(pulsar::tenant_of_api_key("acme_x.io.key1.secret") == "acme_x.io");
    CHECK(pulsar::tenant_of_api_key("a..") == "a");
    for (const char* key : {"", "secret", "key1.secret", ".key1.secret", ".", "..", ".secret"}) {
        CAPTURE(key);
        CHECK(pulsar::tenant_of_api_key(key) == "_mm");
    }
}

TEST_CASE("the claims of a JWT") {
    const auto token = [](std::string_view claims) { return "eyJhbGciOiJIUzI1NiJ9." + base64url(claims) + ".c2ln"; };
    auto claims = pulsar::read_jwt(
        token(R"({"exp":1795507200,"iat":1.795464e9,"iss":"macrometa","preferred_username":"root","tenant":"acme"})"));
    REQUIRE(claims);
    CHECK(claims->tenant == "acme");
    CHECK(claims->exp == 1795507200);

    claims = pulsar::read_jwt(token(R"({"exp":1.7955072e+09,"tenant":"größe"})"));
    REQUIRE(claims);
    CHECK(claims->tenant == "größe");
    CHECK(claims->exp == 1795507200);

    for (const char* odd : {R"({})", R"({"exp":"soon","tenant":7})", R"({"exp":null})"}) {
        CAPTURE(odd);
        claims = pulsar::read_jwt(token(odd));
        REQUIRE(claims);
        CHECK(claims->tenant.empty());
        CHECK(!claims->exp);
    }
    // A clock that counts nanoseconds does not get that far.
    for (const char* never : {R"({"exp":1e300})", R"({"exp":9223372036854775807})", R"({"exp":253402300799})"}) {
        claims = pulsar::read_jwt(token(never));
        REQUIRE(claims);
        CHECK(claims->exp == 7258118400);
    }
    const std::string good = token(R"({"exp":1795507200,"tenant":"acme"})");
    for (std::size_t cut = 0; cut < good.rfind('.'); ++cut) CHECK(!pulsar::read_jwt(good.substr(0, cut)));
    for (const char* bad : {"", ".", "..", "a.b.c", "a.!!!.c", "secret"}) CHECK(!pulsar::read_jwt(bad));
    CHECK(!pulsar::read_jwt(token("[]")));
    CHECK(!pulsar::read_jwt(token("{")));
}

TEST_CASE("a GDN stream becomes a topic") {
    auto [error, topic] = make_topic(dialect::gdn, "streamQuickstart", scope::global, "acme", "_system");
    CHECK(!error);
    CHECK(topic.text() == "persistent://acme/c8global._system/c8globals.streamQuickstart");
    CHECK(topic.path() == "persistent/acme/c8global._system/c8globals.streamQuickstart");

    std::tie(error, topic) = make_topic(dialect::gdn, "a b%ü", scope::local, "", "shop");
    CHECK(!error);
    CHECK(topic.text() == "persistent://_mm/c8local.shop/c8locals.a b%ü");
    CHECK(topic.path() == "persistent/_mm/c8local.shop/c8locals.a%20b%25%C3%BC");

    // A prefix names the scope, and with it the namespace.
    for (const scope s : {scope::global, scope::local}) {
        std::tie(error, topic) = make_topic(dialect::gdn, "c8locals.x", s, "acme", "_system");
        CHECK(!error);
        CHECK(topic.text() == "persistent://acme/c8local._system/c8locals.x");
        std::tie(error, topic) = make_topic(dialect::gdn, "c8globals.x", s, "acme", "_system");
        CHECK(!error);
        CHECK(topic.text() == "persistent://acme/c8global._system/c8globals.x");
    }
    std::tie(error, topic) = make_topic(dialect::gdn, "c8global", scope::local, "acme", "_system");
    CHECK(!error);
    CHECK(topic.name == "c8locals.c8global");
}

TEST_CASE("what a GDN name may not be") {
    const auto check = [](std::string_view name) {
        return make_topic(dialect::gdn, name, scope::global, "acme", "_system").first;
    };
    std::string umlauts;
    for (int i = 0; i < 230; ++i) umlauts += "ü";
    CHECK(!check(std::string(230, 'x')));
    CHECK(!check(umlauts));
    CHECK(!check("c8locals." + umlauts));
    for (const std::string_view name :
         {"c8globals.", "c8locals.", "of.c8globals.x", "c8globals.c8locals.x", "myc8globalsfoo", "ttl", "clearbacklog",
          "subscription", ".", "..", "c8locals.ttl", "c8globals..."}) {
        CAPTURE(name);
        CHECK(check(name).code == errc::invalid_name);
    }
    const std::string too_long(231, 'x');
    for (const std::string& name :
         {std::string(), too_long, umlauts + "ü", std::string("a/b"), std::string("/"), std::string("a\nb"),
          std::string("a\0b", 3), std::string("\x7f"), std::string("\xff")}) {
        CAPTURE(name);
        CHECK(check(name).code == errc::invalid_name);
    }
    CHECK(text_of(check("a/b")).find("\"a/b\"") != std::string::npos);
    CHECK(text_of(check("a/b")).find("slash") != std::string::npos);
    CHECK(text_of(check("a\x1b[31m")).find('\x1b') == std::string::npos);
    CHECK(text_of(check(too_long)).find(std::string(64, 'x') + "\"...") != std::string::npos);
    CHECK(text_of(check(too_long)).find(std::string(65, 'x')) == std::string::npos);
    CHECK(web::is_utf8(text_of(check("x" + umlauts))));
}

TEST_CASE("the four spellings of a Pulsar topic") {
    struct row {
        std::string_view stream, tenant, text;
    };
    for (const row& r : {row{"persistent://acme/shop/orders", "", "persistent://acme/shop/orders"},
                         {"non-persistent://acme/shop/orders", "", "non-persistent://acme/shop/orders"},
                         {"acme/shop/orders", "", "persistent://acme/shop/orders"},
                         {"orders", "", "persistent://public/default/orders"},
                         {"orders", "acme", "persistent://acme/default/orders"}}) {
        CAPTURE(r.stream);
        const auto [error, topic] = make_topic(dialect::pulsar, r.stream, scope::global, r.tenant, "_system");
        CHECK(!error);
        CHECK(topic.text() == r.text);
    }
    const auto topic = make_topic(dialect::pulsar, "non-persistent://a b/ü/x+y", scope::global, "", "").second;
    CHECK(topic.path() == "non-persistent/a%20b/%C3%BC/x%2By");
    for (const char* bad : {"", "/", "a/b", "a/b/", "/a/b", "a//b", "a/b/c/d", "persistent://a/b", "persistent://",
                            "persistent://a/b/c/d", "persistent://orders", "kafka://a/b/c", "://a/b/c", ".", "..",
                            "a/../b", "a/b/..", "persistent://a/b/", "a\tb"}) {
        CAPTURE(bad);
        CHECK(make_topic(dialect::pulsar, bad, scope::global, "", "").first.code == errc::invalid_name);
    }
}
