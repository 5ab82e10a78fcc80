// SPDX-License-Identifier: BSL-1.0
// The client that the Autobahn test suite judges: web/ over a plain socket. Usage: autobahn_echo PORT
#include <sluice/web/http1.hpp>
#include <sluice/web/ws_connection.hpp>
#include <sluice/web/ws_deflate.hpp>
#include <sluice/web/ws_handshake.hpp>

#include <asio.hpp>
#include <openssl/rand.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

using namespace sluice::web;
using kind = ws_connection::event::kind;

random_source openssl_random() {
    return {nullptr, [](void*, std::span<std::byte> out) {
                auto* const at = reinterpret_cast<unsigned char*>(out.data());
                if (RAND_bytes(at, static_cast<int>(out.size())) != 1) throw std::runtime_error("no random bytes");
            }};
}

/// Opens `target`, echoes each message with its opcode until the connection is closed, and returns the last text.
std::string converse(unsigned short port, const std::string& target, bool echo) {
    asio::io_context context;
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), port});
    socket.set_option(asio::ip::tcp::no_delay(true));

    mask_keys keys(openssl_random());
    const std::string key = make_websocket_key(openssl_random());
    const deflate_offer offer;
    http_request upgrade = make_upgrade(target, key);
    upgrade.fields.add("Sec-WebSocket-Extensions", to_string(offer));
    std::string request;
    if (write_request(upgrade, "127.0.0.1:" + std::to_string(port), request)) throw std::runtime_error("bad target");
    asio::write(socket, asio::buffer(request));

    http_response_parser parser;
    std::array<std::byte, 4096> piece;
    byte_buffer surplus;
    while (!parser.done()) {
        const bytes_view read(piece.data(), socket.read_some(asio::buffer(piece)));
        surplus.append(read.subspan(parser.feed(read)));
        if (parser.error()) throw std::system_error(parser.error());
    }
    if (const std::error_code ec = check_upgrade(parser.response(), key, true)) throw std::system_error(ec);
    const deflate_answer deflate = check_deflate(parser.response().fields, offer);
    if (deflate.error) throw std::runtime_error(deflate.error.details->text);
    std::unique_ptr<message_compression> compression;
    if (deflate.agreed) compression = std::make_unique<ws_deflate>(ws_role::client, *deflate.agreed);
    ws_connection connection(ws_role::client, &keys, {.max_message = std::size_t{64} << 20}, std::move(compression));
    connection.feed(surplus.view());

    std::string last;
    for (;;) {
        for (;;) {
            const ws_connection::event event = connection.next();
            if (event.what == kind::none) break;
            if (event.what == kind::text) last = as_text(event.data);
            if (echo && event.what == kind::text) connection.send(opcode::text, event.data);
            if (echo && event.what == kind::binary) connection.send(opcode::binary, event.data);
        }
        asio::error_code ec;
        while (!ec && !connection.output().empty()) {
            const bytes_view out = connection.output();
            connection.consume_output(asio::write(socket, asio::buffer(out.data(), out.size()), ec));
        }
        if (connection.current_state() == ws_connection::state::closed) break;
        const std::span<std::byte> room = connection.prepare(std::size_t{64} << 10);
        connection.commit(socket.read_some(asio::buffer(room.data(), room.size()), ec));
        if (ec) connection.end_of_stream();
    }
    // The server closes first (section 7.1.1): what it may still send is of no interest.
    asio::error_code ec;
    while (!ec) socket.read_some(asio::buffer(piece), ec);
    return last;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " PORT\n";
        return 2;
    }
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    try {
        const int cases = std::stoi(converse(port, "/getCaseCount", false));
        for (int n = 1; n <= cases; ++n) {
            try {
                converse(port, "/runCase?case=" + std::to_string(n) + "&agent=sluice", true);
            } catch (const std::exception& e) { // the report says what became of the case
                std::cerr << "case number " << n << ": " << e.what() << "\n";
            }
        }
        converse(port, "/updateReports?agent=sluice", false);
    } catch (const std::exception& e) {
        std::cerr << argv[0] << ": " << e.what() << "\n";
        return 1;
    }
}
