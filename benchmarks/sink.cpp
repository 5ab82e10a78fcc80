// SPDX-License-Identifier: BSL-1.0
// An acknowledging server that is never the bottleneck: answers the REST calls and the upgrade of a producer, then
// every message at once, all of one read with one write. It looks at a message's context alone, and checks their order.
//
//   bench_sink [--port N] [--ca FILE [--tls-port N]] [--threads N] [--order 1] [--deflate 1]
//
// Prints "listening on PORT" and, with --ca, "listening with TLS on PORT"; FILE then holds the certificate to trust,
// made at this start. A line of counts on SIGUSR1 and at the end. With --order every payload must begin with a thread's
// stamp, and each thread's messages must come without a gap, in order. With --deflate permessage-deflate is accepted.
// Ends on SIGINT or SIGTERM, with 1 if a frame was malformed or out of order.
#include "byte_stream.hpp"
#include "certificate.hpp"
#include "measure.hpp"
#include "sink_frames.hpp"
#include "sink_rest.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// Written by one worker after each read, read by the main thread.
struct alignas(64) shared_counters {
    std::atomic<std::uint64_t> connections{0}, frames{0}, bytes{0}, reads{0}, writes{0};
    std::atomic<std::uint64_t> out_of_order{0}, restarts{0}, malformed{0};
};

// One writer: no read-modify-write instruction is needed.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

struct ways {
    bool order = false;   ///< every payload has a thread's stamp, which is checked
    bool deflate = false; ///< permessage-deflate is accepted
};

class connection {
public:
    /// With a context: TLS.
    connection(int socket, SSL_CTX* tls, ways how, shared_counters& counters)
        : stream_(socket), counters_(counters), in_(initial_capacity), acknowledger_(how.order), deflate_(how.deflate) {
        if (tls != nullptr) stream_.accept_tls(tls);
    }

    /// Reads, answers and writes until the socket has nothing, or takes nothing. False: the connection is over.
    bool resume() {
        if (!write()) return false;
        while (out_.view().empty()) {
            if (acknowledger_.closed()) return false;
            const ssize_t n = stream_.read(in_.data() + size_, in_.size() - size_);
            if (n <= 0) return n == bench::would_block;
            const bool full = static_cast<std::size_t>(n) == in_.size() - size_;
            size_ += static_cast<std::size_t>(n);
            // An idle connection, of which there may be ten thousand, holds little.
            if (full && in_.size() < largest_capacity) in_.resize(in_.size() * 2);
            add(counters_.reads, 1);
            if (!take() || !write()) return false;
            if (!full && !acknowledger_.closed()) return true; // what is left will be told by epoll
        }
        return true;
    }

    int socket() const noexcept { return stream_.socket(); }
    bool wants_write() const noexcept { return !out_.view().empty(); }
    bool watched_for_write = false;

private:
    // Fits the second level cache, and holds more than any client's window of small messages.
    static constexpr std::size_t initial_capacity = 4u << 10, largest_capacity = 256u << 10;

    bool take() {
        std::size_t taken = 0;
        while (!upgraded_ && taken < size_) {
            const auto step =
                bench::answer_http({reinterpret_cast<const char*>(in_.data()) + taken, size_ - taken}, deflate_);
            if (step.what == bench::http_step::refused) return false;
            if (step.what == bench::http_step::incomplete) break;
            taken += step.taken;
            out_.append(step.answer);
            upgraded_ = step.what == bench::http_step::upgraded;
            if (step.deflate) acknowledger_.accept_deflate();
        }
        if (upgraded_) {
            const bench::frame_counters before = acknowledger_.counters();
            taken += acknowledger_.resume(in_.data() + taken, size_ - taken, out_);
            const bench::frame_counters& after = acknowledger_.counters();
            add(counters_.frames, after.frames - before.frames);
            add(counters_.bytes, after.bytes - before.bytes);
            add(counters_.out_of_order, after.out_of_order - before.out_of_order);
            add(counters_.restarts, after.restarts - before.restarts);
            add(counters_.malformed, after.malformed - before.malformed);
        }
        size_ -= taken;
        if (size_ != 0 && taken != 0) std::memmove(in_.data(), in_.data() + taken, size_);
        if (acknowledger_.needed() > in_.size()) in_.resize(acknowledger_.needed());
        return true;
    }

    bool write() {
        while (!out_.view().empty()) {
            const std::string_view bytes = out_.view();
            const ssize_t n = stream_.write(bytes.data(), bytes.size());
            if (n <= 0) return n == bench::would_block;
            add(counters_.writes, 1);
            out_.consume(static_cast<std::size_t>(n));
        }
        return true;
    }

    bench::byte_stream stream_;
    shared_counters& counters_;
    std::vector<unsigned char> in_;
    std::size_t size_ = 0;
    bench::output_buffer out_;
    bench::acknowledger acknowledger_;
    bool deflate_;
    bool upgraded_ = false;
};

struct listener {
    int socket;
    SSL_CTX* tls; ///< null: plain
};

/// One thread: accepts, and serves what it accepted. Connections end with the process.
void serve(const std::vector<listener>& listeners, ways how, shared_counters& counters) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    for (const listener& l : listeners) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLEXCLUSIVE;
        event.data.ptr = const_cast<listener*>(&l);
        if (epoll < 0 || ::epoll_ctl(epoll, EPOLL_CTL_ADD, l.socket, &event) != 0) {
            std::perror("epoll");
            std::exit(2);
        }
    }
    for (;;) {
        std::array<epoll_event, 64> events;
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            const void* const ready = events[static_cast<std::size_t>(i)].data.ptr;
            const auto from = std::ranges::find_if(listeners, [&](const listener& l) { return &l == ready; });
            if (from != listeners.end()) {
                const int socket = ::accept4(from->socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (socket < 0) continue;
                const int on = 1;
                ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                epoll_event reading{};
                reading.events = EPOLLIN;
                reading.data.ptr = new connection(socket, from->tls, how, counters);
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &reading);
                add(counters.connections, 1);
                continue;
            }
            auto* const c = static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (!c->resume()) {
                delete c;
            } else if (c->wants_write() != c->watched_for_write) {
                // A client that does not read is not read from either: the window bounds what is buffered here.
                c->watched_for_write = c->wants_write();
                epoll_event change{};
                change.events = c->watched_for_write ? EPOLLOUT : EPOLLIN;
                change.data.ptr = c;
                ::epoll_ctl(epoll, EPOLL_CTL_MOD, c->socket(), &change);
            }
        }
    }
}

int listen_on(std::uint16_t port, const char* what) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t length = sizeof address;
    if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(listener, 4096) != 0 || ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        std::perror("listen");
        std::exit(2);
    }
    std::printf("%s %u\n", what, static_cast<unsigned>(ntohs(address.sin_port)));
    std::fflush(stdout);
    return listener;
}

/// Ten thousand connections are more than the soft limit.
void allow_many_files() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

/// Prints one line of JSON; true if every frame was well formed and in order.
bool report(const std::vector<std::unique_ptr<shared_counters>>& workers) {
    const auto sum = [&](std::atomic<std::uint64_t> shared_counters::* member) {
        std::uint64_t total = 0;
        for (const auto& worker : workers) total += ((*worker).*member).load(std::memory_order_relaxed);
        return static_cast<unsigned long long>(total);
    };
    const auto wrong = sum(&shared_counters::out_of_order) + sum(&shared_counters::malformed);
    std::printf(
        "{\"server\":\"sink\",\"connections\":%llu,\"frames\":%llu,\"bytes\":%llu,\"reads\":%llu,\"writes\":%llu,"
        "\"restarts\":%llu,\"out_of_order\":%llu,\"malformed\":%llu,\"cpu_ns\":%lld}\n",
        sum(&shared_counters::connections), sum(&shared_counters::frames), sum(&shared_counters::bytes),
        sum(&shared_counters::reads), sum(&shared_counters::writes), sum(&shared_counters::restarts),
        sum(&shared_counters::out_of_order), sum(&shared_counters::malformed),
        static_cast<long long>(bench::cpu_time().count()));
    std::fflush(stdout);
    return wrong == 0;
}

} // namespace

int main(int argc, char** argv) {
    bench::arguments arguments(argc, argv, {"port", "tls-port", "ca", "threads", "order", "deflate"});
    const auto port = arguments.number("port", 0, 0, 65535);
    const auto tls_port = arguments.number("tls-port", 0, 0, 65535);
    const auto threads = arguments.number("threads", 1, 1, 256);
    const ways how{arguments.number("order", 0, 0, 1) != 0, arguments.number("deflate", 0, 0, 1) != 0};
    const std::string ca = arguments.text("ca", "");
    allow_many_files();

    // Blocked before the threads start, so that the main thread alone receives them.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int s : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, s);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    bench::tls_context tls;
    std::vector<listener> listeners{{listen_on(static_cast<std::uint16_t>(port), "listening on"), nullptr}};
    if (!ca.empty()) {
        tls = bench::make_server_context(ca);
        listeners.push_back({listen_on(static_cast<std::uint16_t>(tls_port), "listening with TLS on"), tls.get()});
    }
    std::vector<std::unique_ptr<shared_counters>> workers;
    for (std::uint64_t i = 0; i < threads; ++i) {
        workers.push_back(std::make_unique<shared_counters>());
        std::thread(serve, std::cref(listeners), how, std::ref(*workers.back())).detach();
    }
    for (;;) {
        int signal = 0;
        sigwait(&signals, &signal);
        const bool right = report(workers);
        if (signal != SIGUSR1) std::_Exit(right ? 0 : 1); // the workers are in the kernel or at a connection's data
    }
}
