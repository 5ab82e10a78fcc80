// SPDX-License-Identifier: BSL-1.0
// A TCP server that answers each line once it is stored: one producer for all connections, on one thread or on many.
#include "support/arguments.hpp"
#include "support/line_load.hpp"
#include "support/server.hpp"

#include <sluice.hpp>

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

/// A client sends lines, as many as it likes without waiting, and gets `OK <message id>` or `ERROR <why>` for each, in
/// their order. A line is answered when the broker has it: what was answered OK is not lost if this process dies.
///
/// Threads: each connection lives on a strand of its own; the rest, `stop` included, on the strand of the constructor.
class line_server {
public:
    /// Listens from here on. `everywhere` is the pool of threads, `strand` one at a time of them. The producer must
    /// outlive `run`.
    line_server(asio::any_io_executor everywhere, asio::any_io_executor strand, sluice::producer& producer,
                std::uint16_t port)
        : everywhere_(everywhere), strand_(strand), producer_(producer), acceptor_(strand), event_(strand) {
        const tcp::endpoint where(asio::ip::address_v4::loopback(), port);
        acceptor_.open(where.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(where);
        acceptor_.listen();
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    /// Until `stop`, and until every connection has had the answers for what was read from it by then.
    asio::awaitable<void> run() {
        while (!stopping_) {
            const auto socket = std::make_shared<tcp::socket>(asio::make_strand(everywhere_));
            std::error_code ec;
            co_await acceptor_.async_accept(*socket, asio::redirect_error(asio::use_awaitable, ec));
            if (ec && !stopping_) { // out of descriptors, perhaps: connections that end free some
                event_.expires_after(50ms);
                co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
                continue;
            }
            if (ec) break;
            socket->set_option(tcp::no_delay(true)); // an answer is wanted now
            std::erase_if(sockets_, [](const auto& weak) { return weak.expired(); });
            sockets_.push_back(socket);
            ++open_;
            const auto ended = [this](std::exception_ptr e) {
                --open_;
                event_.cancel();
                if (e) std::cerr << "async_server: out of memory, a connection is given up" << std::endl;
            };
            asio::co_spawn(socket->get_executor(), serve(socket), asio::bind_executor(strand_, ended));
        }
        while (open_ != 0) {
            event_.expires_at(asio::steady_timer::time_point::max());
            std::error_code ec;
            co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        }
    }

    void stop() {
        stopping_ = true;
        acceptor_.close();
        event_.cancel();
        for (const auto& weak : sockets_) {
            const auto socket = weak.lock();
            if (!socket) continue;
            asio::post(socket->get_executor(), [socket] { // a read that waits ends; answers still go out
                std::error_code ignored;
                socket->shutdown(tcp::socket::shutdown_receive, ignored);
            });
        }
    }

private:
    /// One connection. While a batch is being stored its client's next lines wait in the socket's buffers, and when
    /// these are full the client waits: that is all the back-pressure there is to do.
    asio::awaitable<void> serve(std::shared_ptr<tcp::socket> socket) {
        constexpr std::size_t most = 64 * 1024; // of one batch, and of a line
        std::string received, answers;
        received.reserve(most);
        std::error_code ec;
        while (!stopping_) {
            // What has come, up to the last line's end, is one batch: of one line if the client waits for answers, of
            // hundreds if it does not.
            co_await asio::async_read_until(*socket, asio::dynamic_buffer(received, most), '\n',
                                            asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break; // its end; a line without one
            const std::size_t end = received.rfind('\n') + 1;
            const std::vector<std::string_view> lines = split(std::string_view(received).substr(0, end));
            // Nothing is copied: the lines are views into `received`, which stays as it is until all are answered.
            const std::vector<sluice::result> results = co_await producer_.send_all(lines);
            answers.clear();
            for (const sluice::result& r : results) append_answer(answers, r);
            co_await asio::async_write(*socket, asio::buffer(answers), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            received.erase(0, end);
        }
        if (ec == asio::error::not_found) { // told as the last answer; the connection ends with it
            const std::string_view refusal = "ERROR the line is longer than 65536 bytes\n";
            co_await asio::async_write(*socket, asio::buffer(refusal), asio::redirect_error(asio::use_awaitable, ec));
        }
    }

    static std::vector<std::string_view> split(std::string_view text) {
        std::vector<std::string_view> lines;
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            lines.push_back(text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        return lines;
    }

    /// The outcome tells the client whether to send its line again: `not_sent` and `rejected` are not stored,
    /// `maybe_persisted` may be.
    static void append_answer(std::string& out, const sluice::result& r) {
        if (!r.ec)
            out.append("OK ").append(r.value.message_id.view());
        else
            out.append("ERROR ").append(to_string(r.value.outcome)).append(" ").append(r.ec.message());
        out += '\n';
    }

    asio::any_io_executor everywhere_, strand_;
    sluice::producer& producer_;
    tcp::acceptor acceptor_;
    asio::steady_timer event_; ///< cancelled when a connection has ended, and when all is to end
    std::vector<std::weak_ptr<tcp::socket>> sockets_{};
    std::size_t open_ = 0;
    std::atomic<bool> stopping_ = false;
};

struct settings {
    std::string stream = "lines";
    std::uint16_t port = 0;
    unsigned threads = 1;
    std::string connect{};
    tool::load_options load{};
    sluice::client_config config{};
};

/// The server's life, on a strand: the stream, the producer, clients until a signal or the end of the load, the last
/// answers.
asio::awaitable<void> serve(asio::any_io_executor everywhere, sluice::client& client, const settings& wanted) {
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    co_await client.ensure_stream(wanted.stream);
    sluice::producer_observer news;
    news.on_reconnect = [](const sluice::failure& why, unsigned, std::chrono::milliseconds) {
        std::cerr << "async_server: no connection to the stream: " << why.code.message() << std::endl;
    };
    sluice::producer producer{client, wanted.stream, {}, news};
    line_server server{everywhere, strand, producer, wanted.port};
    std::cout << "listening on 127.0.0.1:" << server.port() << std::endl;

    asio::signal_set signals{strand, SIGINT, SIGTERM};
    signals.async_wait([&](const std::error_code& ec, int) {
        if (!ec) server.stop();
    });
    std::exception_ptr failed;
    if (wanted.load.lines == 0) {
        co_await server.run();
    } else {
        tool::load_options load = wanted.load;
        load.port = std::to_string(server.port());
        const auto load_it = [&]() -> asio::awaitable<void> {
            try {
                co_await tool::run_load(load);
            } catch (const std::exception&) {
                failed = std::current_exception();
            }
            server.stop();
        };
        using namespace asio::experimental::awaitable_operators;
        co_await (server.run() && load_it());
    }
    signals.cancel();
    co_await producer.close();
    std::cout << producer.stats().persisted << " lines stored" << std::endl;
    if (failed) std::rethrow_exception(failed);
}

/// False: help was all that was asked for.
bool read_settings(int argc, char** argv, settings& s) {
    using namespace tool;
    bool help = false;
    flags table{
        {"", "", "server", {}},
        {"--port", "N", "where to listen, on this machine alone; 0: a free one (0)",
         number<std::uint16_t>(s.port, 0, 65535)},
        {"--stream", "NAME", "where the lines go (lines)", text(s.stream)},
        {"--threads", "N", "that serve (1)", number<unsigned>(s.threads, 1, 256)},
        {"", "", "load", {}},
        {"--load", "N", "send N lines to a server of its own, then end", number<std::uint64_t>(s.load.lines, 1, 1e9)},
        {"--connect", "HOST:PORT", "to that server instead", text(s.connect)},
        {"--connections", "N", "over N connections (10)", number<unsigned>(s.load.connections, 1, 10000)},
        {"--window", "N", "each with N lines unanswered (100)", number<unsigned>(s.load.window, 1, 1000)},
    };
    const flags server = server_flags(s.config);
    table.insert(table.end(), server.begin(), server.end());
    flags all = table;
    all.push_back({"-h, --help", "", "", set(help, true)});
    const std::vector<std::string> others = read_arguments(all, argc, argv);
    if (help) {
        std::cout << "usage: async_server [FLAG...]\nAnswers each line of its clients once it is stored.\n";
        print_flags(std::cout, table);
        std::cout << environment_help;
        return false;
    }
    if (!others.empty()) throw usage_error(others.front() + ": there are only flags here");
    if (const std::size_t colon = s.connect.rfind(':'); !s.connect.empty()) {
        if (s.load.lines == 0) throw usage_error("--connect " + s.connect + ": allowed is together with --load N");
        if (colon == std::string::npos) throw usage_error("--connect " + s.connect + ": allowed is HOST:PORT");
        s.load.host = s.connect.substr(0, colon);
        s.load.port = s.connect.substr(colon + 1);
    }
    read_environment(s.config);
    return true;
}

void run(const settings& wanted) {
    asio::io_context context(static_cast<int>(wanted.threads));
    const asio::any_io_executor strand = asio::make_strand(context);
    std::exception_ptr failed;
    if (!wanted.connect.empty()) {
        asio::co_spawn(strand, tool::run_load(wanted.load), [&](std::exception_ptr e) { failed = e; });
        context.run();
    } else {
        sluice::client_config config = wanted.config;
        const auto gateway = tool::own_gateway(context, config, "async_server");
        sluice::client client{context.get_executor(), config};
        asio::co_spawn(strand, serve(context.get_executor(), client, wanted), [&](std::exception_ptr e) {
            failed = e;
            if (gateway) gateway->stop();
        });
        std::vector<std::jthread> others;
        for (unsigned i = 1; i < wanted.threads; ++i) others.emplace_back([&] { context.run(); });
        context.run();
    }
    if (failed) std::rethrow_exception(failed);
}

} // namespace

int main(int argc, char** argv) try {
    settings wanted;
    if (read_settings(argc, argv, wanted)) run(wanted);
    return 0;
} catch (const tool::usage_error& e) {
    std::cerr << "async_server: " << e.what() << "\nasync_server --help lists what there is\n";
    return 2;
} catch (const std::exception& e) {
    std::cerr << "async_server: " << e.what() << '\n';
    return 1;
}
