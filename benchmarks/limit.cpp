// SPDX-License-Identifier: BSL-1.0
// The physical limit of this wire on this machine: frames encoded beforehand, as many in one write as the window has
// room for, acknowledgements only counted. One thread, one non-blocking socket.
//
//   bench_limit [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--tls] [--ca FILE] [--messages N] [--seconds N]
//   [--window N] [--payload N]
#include "byte_stream.hpp"
#include "measure.hpp"
#include "wire.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

int connect_to(const bench::target& to) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found) != 0) bench::fail(to.host + ": not found");
    const int socket = ::socket(found->ai_family, found->ai_socktype, 0);
    const int on = 1;
    if (socket < 0 || ::connect(socket, found->ai_addr, found->ai_addrlen) != 0)
        bench::fail(to.authority() + ": " + std::strerror(errno));
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::freeaddrinfo(found);
    return socket;
}

/// Opens connections; the socket waits until the producer is open.
class opener {
public:
    explicit opener(const bench::run_options& options) : to_(options.url) {
        if (to_.tls) context_ = bench::make_client_context(options.ca);
    }

    std::unique_ptr<bench::byte_stream> open_producer() const {
        std::string otp;
        if (to_.gdn) {
            const auto stream = connect();
            otp = bench::otp_in(ask(*stream,
                                    "POST /apid/otp HTTP/1.1\r\nHost: " + to_.authority() +
                                        "\r\nAuthorization: apikey _mm.benchmark.secret\r\nContent-Length: 0\r\n\r\n",
                                    "}"));
        }
        auto stream = connect();
        const std::string answer = ask(*stream,
                                       "GET " + to_.path(otp) + " HTTP/1.1\r\nHost: " + to_.authority() +
                                           "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                           "Sec-WebSocket-Version: 13\r\n"
                                           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                                       "\r\n\r\n");
        if (!answer.starts_with("HTTP/1.1 101")) bench::fail(answer);
        ::fcntl(stream->socket(), F_SETFL, ::fcntl(stream->socket(), F_GETFL) | O_NONBLOCK);
        return stream;
    }

private:
    std::unique_ptr<bench::byte_stream> connect() const {
        auto stream = std::make_unique<bench::byte_stream>(connect_to(to_));
        if (context_) stream->connect_tls(context_.get(), to_.host);
        return stream;
    }

    /// Sends a request and returns what comes until `end` is in it.
    static std::string ask(bench::byte_stream& stream, const std::string& request, std::string_view end) {
        if (stream.write(request.data(), request.size()) != static_cast<ssize_t>(request.size()))
            bench::fail("the request could not be sent");
        std::string answer;
        while (answer.find(end) == std::string::npos) {
            unsigned char bytes[4096];
            const ssize_t n = stream.read(bytes, sizeof bytes);
            if (n == bench::would_block) continue; // a record without data, as a session ticket is
            if (n < 0) bench::fail("no answer to: " + request);
            answer.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
        }
        return answer;
    }

    bench::target to_;
    bench::tls_context context_;
};

/// RFC 6455 5.2 with a fixed masking key: appended to `out`.
void append_frame(std::string& out, std::string_view text) {
    constexpr char key[4] = {'\x37', '\xfa', '\x21', '\x3d'};
    const std::size_t n = text.size();
    out += '\x81';
    const int width = n < 126 ? 0 : n < 65536 ? 2 : 8;
    out += static_cast<char>(0x80u | (width == 0 ? n : width == 2 ? 126u : 127u));
    for (int i = width - 1; i >= 0; --i) out += static_cast<char>(n >> (8 * i) & 0xff);
    out.append(key, 4);
    for (std::size_t i = 0; i < n; ++i) out += static_cast<char>(text[i] ^ key[i % 4]);
}

/// Frames with the contexts 0, 1, 2 ... that are sent again and again.
struct frame_ring {
    frame_ring(std::size_t payload_size, std::size_t window) {
        const std::string payload = bench::make_payload(payload_size);
        std::string text;
        for (std::size_t i = 0; i < window * 2; ++i) {
            starts.push_back(bytes.size());
            bench::make_message(text, payload, i);
            append_frame(bytes, text);
        }
        starts.push_back(bytes.size());
    }
    std::size_t size() const noexcept { return starts.size() - 1; }

    std::string bytes;
    std::vector<std::size_t> starts;
};

/// Counts whole frames in what is read, wherever a read cuts them.
class frame_counter {
public:
    std::uint64_t resume(const unsigned char* data, std::size_t size) {
        std::uint64_t complete = 0;
        std::size_t at = 0;
        for (;;) {
            const std::size_t step = std::min(rest_, size - at);
            at += step;
            rest_ -= step;
            if (rest_ != 0) return complete;
            if (in_payload_) {
                ++complete;
                in_payload_ = false;
            }
            if (have_ == 0 && size - at >= 4) [[likely]] {
                std::memcpy(header_, data + at, 4);
                at += header_[1] < 126 ? 2 : 4;
            } else {
                while (have_ < 2 || (header_[1] == 126 && have_ < 4)) {
                    if (at == size) return complete;
                    header_[have_++] = data[at++];
                }
            }
            if (header_[0] != 0x81 || header_[1] > 126)
                bench::fail("neither a short text frame nor an acknowledgement");
            rest_ = header_[1] < 126 ? header_[1] : std::size_t{header_[2]} << 8 | header_[3];
            have_ = 0;
            in_payload_ = true;
        }
    }

private:
    unsigned char header_[4] = {};
    std::size_t have_ = 0;
    std::size_t rest_ = 0;
    bool in_payload_ = false;
};

} // namespace

int main(int argc, char** argv) {
    const bench::run_options options(bench::arguments(argc, argv, bench::run_options::names()));
    const frame_ring ring(options.payload, options.window);
    const auto stream = opener(options).open_producer();

    bench::measurement measured(options);
    struct burst { // written at once
        bench::clock::time_point time;
        std::uint64_t messages;
    };
    std::deque<burst> bursts;
    constexpr std::size_t capacity = 256u << 10;
    const std::unique_ptr<unsigned char[]> received(new unsigned char[capacity]);
    frame_counter counter;
    std::size_t outstanding = 0; // of them the last may be written in part
    std::size_t next = 0;        // in the ring
    std::size_t written = 0, end = 0;
    bool more = false; // to be read, of which poll does not know
    while (measured.running() || outstanding != 0) {
        if (written == end && measured.running() && outstanding < options.window) {
            const std::size_t count = std::min(options.window - outstanding, ring.size() - next);
            bursts.push_back({bench::clock::now(), count});
            outstanding += count;
            written = ring.starts[next];
            end = ring.starts[next + count];
            next = (next + count) % ring.size();
        }
        if (written != end || stream->pending()) {
            const ssize_t n = stream->write(ring.bytes.data() + written, end - written);
            if (n < 0) bench::fail("the server closed the connection");
            written += static_cast<std::size_t>(n);
        }
        if (!more) {
            const bool writes = written != end || stream->pending();
            pollfd ready{stream->socket(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
            if (::poll(&ready, 1, -1) < 0) bench::fail("poll");
            if ((ready.revents & ~POLLOUT) == 0) continue;
        }
        const ssize_t n = stream->read(received.get(), capacity);
        if (n < 0) bench::fail("the server closed the connection");
        more = static_cast<std::size_t>(n) == capacity;
        if (n == bench::would_block) continue;
        std::uint64_t count = counter.resume(received.get(), static_cast<std::size_t>(n));
        outstanding -= count;
        measured.acknowledged(count);
        const auto now = bench::clock::now();
        while (count != 0) {
            const std::uint64_t answered = std::min(count, bursts.front().messages);
            measured.latency(bursts.front().time, now, answered);
            bursts.front().messages -= answered;
            count -= answered;
            if (bursts.front().messages == 0) bursts.pop_front();
        }
    }
    measured.print("limit");
}
