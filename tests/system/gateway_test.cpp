// SPDX-License-Identifier: BSL-1.0
// The gateway over real sockets and TLS, spoken to by a blocking client that is made of web/ alone.
#include <sluice/testing/gateway.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>
#include <asio/read.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

namespace web = sluice::web;
using asio::ip::tcp;
using sluice::testing::gateway;
using sluice::testing::gateway_options;

/// A gateway whose context runs on a thread of its own. Its end shows that nothing of the gateway keeps running.
struct served {
    explicit served(gateway_options options = {}, unsigned threads = 1)
        : g(std::in_place, context, std::move(options)) {
        for (unsigned i = 0; i < threads; ++i) pool.emplace_back([this] { context.run(); });
    }
    ~served() {
        g.reset();
        for (std::thread& t : pool) t.join();
    }
    gateway* operator->() { return &*g; }

    asio::io_context context{};
    std::optional<gateway> g;
    std::vector<std::thread> pool{};
};

class client {
public:
    explicit client(served& s, bool tls = false) {
        tcp::socket socket(context_);
        socket.connect({asio::ip::make_address("127.0.0.1"), s->port()});
        if (!tls) {
            plain_.emplace(std::move(socket));
            return;
        }
        trust_.add_certificate_authority(asio::buffer(s->ca_pem()));
        secure_.emplace(std::move(socket), trust_);
        secure_->set_verify_mode(asio::ssl::verify_peer);
        secure_->set_verify_callback(asio::ssl::host_name_verification("localhost"));
        secure_->handshake(asio::ssl::stream_base::client);
    }

    void write(std::string_view bytes) {
        if (secure_) {
            asio::write(*secure_, asio::buffer(bytes));
        } else {
            asio::write(*plain_, asio::buffer(bytes));
        }
    }
    /// Blocks. Empty: the stream has ended, and `ec` tells how.
    std::string read() {
        char room[4096];
        const std::size_t n =
            secure_ ? secure_->read_some(asio::buffer(room), ec) : plain_->read_some(asio::buffer(room), ec);
        return {room, ec ? 0 : n};
    }

    web::http_response exchange(const web::http_request& r) {
        std::string out;
        REQUIRE(!web::write_request(r, "localhost", out));
        write(out);
        web::http_response_parser parser;
        while (!parser.done() && !parser.error()) {
            const std::string in = read();
            if (in.empty()) parser.end_of_stream();
            const std::size_t n = parser.feed(web::as_bytes(in));
            if (n != in.size()) ws.feed(web::as_bytes(in).subspan(n));
        }
        CHECK(!parser.error());
        return parser.response();
    }
    web::http_response request(std::string method, std::string target, std::string authorization = {}) {
        web::http_request r;
        r.method = std::move(method);
        r.target = std::move(target);
        if (!authorization.empty()) r.fields.add("Authorization", std::move(authorization));
        return exchange(r);
    }
    int upgrade(std::string target, std::string authorization = {}) {
        return exchange(web::make_upgrade(std::move(target), web::make_websocket_key(random), std::move(authorization)))
            .status;
    }

    void flush() {
        write(web::as_text(ws.output()));
        ws.consume_output(ws.output().size());
    }
    void say(std::string_view text) {
        ws.send(web::opcode::text, web::as_bytes(text));
        flush();
    }
    /// The next message, close or end. Blocks.
    web::ws_connection::event next() {
        for (;;) {
            const auto e = ws.next();
            if (e.what != web::ws_connection::event::kind::none) return e;
            const std::string in = read();
            if (in.empty()) ws.end_of_stream();
            ws.feed(web::as_bytes(in));
        }
    }
    std::string hear() {
        const auto e = next();
        REQUIRE(e.what == web::ws_connection::event::kind::text);
        return std::string(web::as_text(e.data));
    }

    std::error_code ec{};
    std::uint64_t state = 1;
    web::random_source random{&state, [](void* at, std::span<std::byte> out) {
                                  for (std::byte& b : out)
                                      b = static_cast<std::byte>(
                                          (*static_cast<std::uint64_t*>(at) *= 6364136223846793005u) >> 56);
                              }};
    web::mask_keys keys{random};
    web::ws_connection ws{web::ws_connection::role::client, &keys, {}};

private:
    asio::io_context context_{};
    asio::ssl::context trust_{asio::ssl::context::tls_client};
    std::optional<tcp::socket> plain_{};
    std::optional<asio::ssl::stream<tcp::socket>> secure_{};
};

const std::string pulsar_topic = "/ws/v2/producer/persistent/public/default/t";
const std::string gdn_topic = "/_ws/ws/v2/producer/persistent/demo/c8global._system/c8globals.t";
const std::string acknowledged =
    R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0,"schemaVersion":0})";

std::string otp_of(const web::http_response& r) {
    REQUIRE(r.status == 200);
    return r.body.substr(8, r.body.size() - 10);
}

TEST_CASE("GDN over one kept connection: stream, region, one-time password, socket, messages") {
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        gateway_options options;
        options.tls = tls;
        served s(options);
        const std::string authority = (tls ? "localhost:" : "127.0.0.1:") + std::to_string(s->port());
        CHECK(s->url() == (tls ? "https://" : "http://") + authority);
        CHECK(s->websocket_url() == (tls ? "wss://" : "ws://") + authority);
        CHECK(s->ca_pem().empty() == !tls);
        const std::string key = "apikey " + s->api_key();
        client c(s, tls);
        CHECK(c.request("POST", "/_fabric/_system/_api/streams/t?global=true", key).status == 200);
        CHECK(c.request("GET", "/datacenter/local", key).body.find("\"url\":\"" + authority + "\"") !=
              std::string::npos);
        const std::string otp = otp_of(c.request("POST", "/apid/otp", key));
        client producer(s, tls);
        CHECK(producer.upgrade(gdn_topic + "?otp=" + otp) == 101);
        CHECK(client(s, tls).upgrade(gdn_topic + "?otp=" + otp) == 401);
        producer.say(R"({"payload":"aGk=","key":"k","context":"1"})");
        CHECK(producer.hear() == acknowledged);
        const auto stored = s->messages("t");
        REQUIRE(stored.size() == 1);
        CHECK(stored[0].payload == "hi");
        CHECK(stored[0].key == "k");
        CHECK(stored[0].message_id == "CAQQADAA");
        CHECK(s->message_count("t") == 1);
        producer.ws.close(1000, "bye");
        producer.flush();
        const auto e = producer.next();
        CHECK(e.what == web::ws_connection::event::kind::close);
        CHECK(e.close_code == 1000);
        CHECK(producer.read().empty()); // the server closes first
        CHECK(s->stats().connections == 3);
        CHECK(s->stats().sockets_opened == 1);
        CHECK(s->stats().frames == 1);
        CHECK(s->stats().open_sockets == 0);
    }
}

TEST_CASE("a plain Pulsar with a token, batching, and a terminated topic") {
    gateway_options options;
    options.proxy.token = "secret";
    served s(options);
    CHECK(s->token() == "secret");
    client c(s);
    CHECK(c.upgrade(pulsar_topic) == 401);
    CHECK(c.upgrade(pulsar_topic + "?producerName=%20", "Bearer secret") == 400);
    CHECK(c.upgrade(pulsar_topic + "?batchingEnabled=true&batchingMaxPublishDelay=1", "Bearer secret") == 101);
    c.say(R"({"payload":"aGk=","context":"1"})"); // answered by the delay's end alone
    CHECK(c.hear() == R"({"result":"ok","messageId":"CAQQADAA","context":"1","errorCode":0,"schemaVersion":0})");
    CHECK(s->has_topic("t"));
    CHECK(s->terminate("t"));
    c.say(R"({"payload":"aGk=","context":"2"})");
    CHECK(c.hear().find("TopicTerminatedException") != std::string::npos);
    client late(s);
    CHECK(late.upgrade(pulsar_topic, "Bearer secret") == 503);
}

TEST_CASE("the proxy's limits close the socket with its text") {
    served s;
    client c(s);
    CHECK(c.upgrade(pulsar_topic) == 101);
    c.say(std::string((1u << 20) + 1, ' '));
    auto e = c.next();
    CHECK(e.what == web::ws_connection::event::kind::close);
    CHECK(e.close_code == 1009);
    CHECK(e.reason == "Text message size [1048577] exceeds maximum size [1048576]");
    c.flush();
    CHECK(c.read().empty());

    client huge(s); // refused at its header, while the rest is still coming
    CHECK(huge.upgrade(pulsar_topic) == 101);
    huge.write(std::string("\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 14) + std::string(100'000, ' '));
    e = huge.next();
    CHECK(e.close_code == 1009);
}

TEST_CASE("trouble on request: close frames, FIN, RST") {
    served s;
    client idle(s);
    CHECK(idle.request("GET", "/nothing").status == 404);
    client closed(s);
    CHECK(closed.upgrade(pulsar_topic) == 101);
    s->close_all_sockets(1001, "restart");
    const auto e = closed.next();
    CHECK(e.close_code == 1001);
    CHECK(e.reason == "restart");
    closed.flush();
    CHECK(closed.read().empty());
    CHECK(closed.ec == asio::error::eof);
    CHECK(idle.request("GET", "/nothing").status == 404); // not a WebSocket: stays

    client finished(s);
    CHECK(finished.upgrade(pulsar_topic) == 101);
    s->drop_connections(sluice::testing::cut::finish);
    CHECK(finished.read().empty());
    CHECK(finished.ec == asio::error::eof);
    CHECK(idle.read().empty());

    client cut(s);
    CHECK(cut.upgrade(pulsar_topic) == 101);
    cut.say(R"({"payload":"aGk=","context":"1"})");
    CHECK(cut.hear().starts_with(R"({"result":"ok")"));
    s->drop_connections();
    CHECK(cut.read().empty());
    CHECK(cut.ec == asio::error::connection_reset);
    CHECK(s->messages("t").size() == 1);

    client again(s); // everything still works
    CHECK(again.upgrade(pulsar_topic) == 101);
    s->stop();
    CHECK(again.read().empty());
    CHECK(s->messages("t").size() == 1); // and can still be read
}

TEST_CASE("what is no HTTP, no TLS, and clients that leave") {
    for (const bool tls : {false, true}) {
        gateway_options options;
        options.tls = tls;
        served s(options);
        client(s, false).write("GET / HTTP/1.1\r\nHo"); // and away
        client raw(s, false);
        raw.write("\x01\x02 no request\r\n\r\n");
        const std::string answer = raw.read();
        if (!tls) CHECK(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        while (!raw.read().empty()) {}
        client good(s, tls);
        CHECK(good.request("GET", "/datacenter/local", "apikey " + s->api_key()).status == 200);
    }
    gateway_options few;
    few.max_connections = 1;
    served s(few);
    client first(s);
    CHECK(first.request("GET", "/nothing").status == 404);
    CHECK(client(s).read().empty());
}

TEST_CASE("it may be called from any thread, on a context with several") {
    served s({}, 2);
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i)
        clients.emplace_back([&] {
            client c(s);
            if (c.upgrade(pulsar_topic) != 101) return;
            for (int n = 0; n < 200; ++n) {
                c.say(R"({"payload":"aGk=","context":"1"})");
                c.next();
            }
        });
    while (s->message_count("t") < 100) s->messages("t");
    for (std::thread& t : clients) t.join();
    CHECK(s->message_count("t") == 800);
    CHECK(s->stats().sockets_opened == 4);
}

TEST_CASE("many messages without reading an answer: the gateway bounds what it keeps, and loses nothing") {
    served s;
    client c(s);
    CHECK(c.upgrade(pulsar_topic) == 101);
    std::thread writer([&] {
        std::string block;
        for (int i = 0; i < 1000; ++i)
            c.ws.send(web::opcode::text, web::as_bytes(R"({"payload":"aGk=","context":"1"})"));
        block = web::as_text(c.ws.output());
        for (int i = 0; i < 100; ++i) c.write(block);
    });
    while (s->message_count("t") < 1000) {}
    web::ws_connection reader(web::ws_connection::role::client, &c.keys, {});
    std::size_t answers = 0;
    while (answers < 100'000) {
        const std::string in = c.read();
        REQUIRE(!in.empty());
        reader.feed(web::as_bytes(in));
        while (reader.next().what == web::ws_connection::event::kind::text) ++answers;
    }
    writer.join();
    CHECK(s->message_count("t") == 100'000);
}

TEST_CASE("destroyed with connections open, and the context after it") {
    asio::io_context context;
    auto g = std::make_unique<gateway>(context);
    asio::io_context other;
    tcp::socket socket(other);
    socket.connect({asio::ip::make_address("127.0.0.1"), g->port()});
    context.poll();
    g.reset(); // its coroutines are still suspended in the context, which now ends without running
}

TEST_CASE("it listens on loopback, and elsewhere only where that is named") {
    // All of 127.0.0.0/8 is this machine, and a socket that is bound to 127.0.0.1 hears nothing of the rest.
    const auto connects = [](std::uint16_t port) {
        asio::io_context context;
        tcp::socket socket(context);
        std::error_code ec;
        socket.connect({asio::ip::make_address("127.0.0.2"), port}, ec);
        return !ec;
    };
    served s;
    CHECK(s->url() == "http://127.0.0.1:" + std::to_string(s->port()));
    CHECK(!connects(s->port()));
    gateway_options everywhere;
    everywhere.address = "0.0.0.0";
    served open(everywhere);
    CHECK(connects(open->port()));
}

TEST_CASE("an address that is taken") {
    served s;
    gateway_options options;
    options.port = s->port();
    asio::io_context context;
    CHECK_THROWS_AS(gateway(context, options), std::system_error);
}

} // namespace
