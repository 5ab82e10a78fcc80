// SPDX-License-Identifier: BSL-1.0
// Frames, sizes and endings: what the WebSocket side of the proxy does.
#include "cases.hpp"

namespace conformance {
namespace {

using namespace std::string_literals;

constexpr std::size_t text_limit = 1u << 20;

/// A message whose text has so many bytes; 1,000,000 of them or more are an ignored member.
std::string message_of(std::size_t size) {
    std::string text = R"({"payload":"aGk=","context":"c","ignored":")";
    text.append(size - text.size() - 2, 'x');
    return text + R"("})";
}
bool is_ok(const std::string& answer) { return answer.starts_with(R"({"result":"ok")"); }

/// A frame with the mask 0, whatever its header says.
std::string frame(unsigned first, std::string_view payload, bool masked = true) {
    std::string out(1, static_cast<char>(first));
    if (payload.size() < 126) {
        out += static_cast<char>((masked ? 0x80u : 0u) | payload.size());
    } else {
        out += static_cast<char>((masked ? 0x80u : 0u) | 126u);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xff);
    }
    if (masked) out.append(4, '\0');
    return out.append(payload);
}

void largest_text(target& server) {
    raw_producer whole(server, server.new_topic());
    check(is_ok(whole.ask(message_of(text_limit))), "1 MiB");
    whole.text(message_of(text_limit + 1));
    ending end = whole.read_end();
    check_same(end.code, 1009, "one byte more");
    check_same(end.reason, "Text message size [1048577] exceeds maximum size [1048576]", "one byte more");

    raw_producer parts(server, server.new_topic()); // the fragments count together
    const std::string fits = message_of(text_limit), larger = message_of(text_limit + 1);
    parts.text(fits.substr(0, 600'000), false);
    parts.more(fits.substr(600'000), true);
    check(is_ok(parts.read_text()), "1 MiB in two fragments");
    parts.text(larger.substr(0, 600'000), false);
    parts.more(larger.substr(600'000), true);
    end = parts.read_end();
    check_same(end.code, 1009, "one byte more in two fragments");
}

void fragments_and_pings(target& server) {
    raw_producer socket(server, server.new_topic());
    const std::string text = R"({"payload":"aGk=","context":"in pieces"})";
    socket.text(text.substr(0, 1), false);
    for (std::size_t i = 1; i < text.size(); ++i) {
        socket.ping(std::to_string(i));
        check_same(socket.read_pong(), std::to_string(i), "pong");
        socket.more(text.substr(i, 1), i + 1 == text.size());
    }
    check(is_ok(socket.read_text()), "in pieces");
    socket.ping("");
    check_same(socket.read_pong(), "", "an empty ping");
    socket.ping(std::string(125, 'p'));
    check_same(socket.read_pong(), std::string(125, 'p'), "the longest ping");
    socket.pong("nobody asked");
    check(is_ok(socket.ask(R"({"payload":""})")), "a pong that nobody asked for");
}

void behind_the_upgrade(target& server) {
    raw_producer socket(server, server.new_topic(), "", frame(0x81, R"({"payload":"aGk="})"));
    check(is_ok(socket.read_text()), "a frame in the segment of the upgrade");
}

void broken_frames(target& server) {
    const auto ends_with = [&](const std::string& bytes, int code, const std::string& what) {
        raw_producer socket(server, server.new_topic());
        socket.bytes(bytes);
        check_same(socket.read_end().code, code, what);
    };
    ends_with(frame(0x81, R"({"payload":""})", false), 1002, "a frame without a mask");
    ends_with(frame(0x83, "x"), 1002, "opcode 3");
    ends_with(frame(0xc1, "x"), 1002, "RSV1 without an extension");
    ends_with(frame(0x89, std::string(126, 'x')), 1002, "a ping of 126 bytes");
    ends_with(frame(0x80, "x"), 1002, "a continuation of nothing");
    ends_with(frame(0x81, "\xff\xfe"), 1007, "text that is not UTF-8");
    ends_with(frame(0x81, "\xc3"), 1007, "text that ends inside a character");
}

void closing(target& server) {
    for (const int code : {1000, 1001, 3000, 4000}) {
        raw_producer socket(server, server.new_topic());
        check(is_ok(socket.ask(R"({"payload":""})")), "before the close");
        socket.close(static_cast<std::uint16_t>(code));
        check_same(socket.read_end().code, code, "the code comes back");
    }
    raw_producer empty(server, server.new_topic());
    empty.bytes(frame(0x88, ""));
    check_same(empty.read_end().code, 1005, "a close without a code");
}

/// Messages in front of a close are stored; their answers need not come.
void close_at_once(target& server) {
    for (const bool half : {false, true}) {
        const std::string topic = server.new_topic();
        {
            raw_producer socket(server, topic);
            for (int i = 0; i < 50; ++i) socket.text(R"({"payload":"aGk="})");
            if (half)
                socket.end_output();
            else
                socket.close(1000);
            check_same(socket.read_end().code, half ? 1001 : 1000, "the server closes");
        }
        check_same(server.read_back(topic).size(), 50u, half ? "stored before FIN" : "stored before a close");
    }
}

/// Refused once, a connection can ask again.
void upgrade_again(target& server) {
    const std::string topic = server.new_topic();
    raw_connection connection(server.address);
    for (const char* query : {"sendTimeoutMillis=x", ""}) {
        const std::string key = web::make_websocket_key(test_random());
        std::string text;
        check(!web::write_request(web::make_upgrade(server.producer_target(topic, query), key, server.authorization()),
                                  host_of(server.address), text),
              "the request");
        connection.write(web::as_bytes(text));
        check_same(read_response(connection).status, *query ? 400 : 101, "status");
    }
}

} // namespace

std::vector<test_case> frame_cases() {
    return {
        {"1 MiB of text, and 1009", largest_text},
        {"fragments and pings", fragments_and_pings},
        {"behind the upgrade at once", behind_the_upgrade},
        {"what breaks RFC 6455", broken_frames},
        {"a close is answered", closing},
        {"messages right before a close", close_at_once},
        {"an upgrade behind a refused one", upgrade_again},
    };
}

} // namespace conformance
