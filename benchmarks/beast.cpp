// SPDX-License-Identifier: BSL-1.0
// The peer that a C++ server would otherwise write by hand: Boost.Beast and coroutines, one coroutine that writes (one
// awaited async_write per message, as the library asks for), one that reads and correlates by context.
//
//   bench_beast [--url http[s]://HOST:PORT | ws[s]://HOST:PORT] [--tls] [--ca FILE] [--messages N] [--seconds N]
//   [--window N] [--payload N]
#include "measure.hpp"
#include "wire.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <charconv>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

// The executor's own type instead of any_io_executor: what one does who cares for speed.
using executor = asio::io_context::executor_type;
using tcp_stream = beast::basic_stream<asio::ip::tcp, executor>;
using resolver_type = asio::ip::basic_resolver<asio::ip::tcp, executor>;
using timer_type = asio::basic_waitable_timer<bench::clock, asio::wait_traits<bench::clock>, executor>;
using tls_stream = beast::ssl_stream<tcp_stream>;

constexpr asio::use_awaitable_t<executor> await{};
template <class T>
using task = asio::awaitable<T, executor>;

void rethrow(std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
}

/// `Next`: tcp_stream, or tls_stream.
template <class Next>
class client {
public:
    client(asio::io_context& context, const bench::run_options& options)
        : options_(options),
          target_(options.url),
          tls_(make_tls(options)),
          stream_(make_next(context.get_executor())),
          changed_(context.get_executor()),
          payload_(bench::make_payload(options.payload)),
          measured_(options) {}

    task<void> run() {
        co_await open();
        asio::co_spawn(stream_.get_executor(), write(), rethrow);
        co_await read();
    }

    const bench::measurement& measured() const noexcept { return measured_; }

private:
    static constexpr bool is_tls = std::is_same_v<Next, tls_stream>;

    static asio::ssl::context make_tls(const bench::run_options& options) {
        asio::ssl::context tls(asio::ssl::context::tls_client);
        if (is_tls) tls.load_verify_file(options.ca);
        return tls;
    }
    Next make_next(const executor& e) {
        if constexpr (is_tls)
            return Next(e, tls_);
        else
            return Next(e);
    }

    task<void> connect(Next& next) {
        resolver_type resolver(next.get_executor());
        const auto found = co_await resolver.async_resolve(target_.host, target_.port, await);
        auto& tcp = beast::get_lowest_layer(next);
        co_await tcp.async_connect(found, await);
        tcp.socket().set_option(asio::ip::tcp::no_delay(true));
        if constexpr (is_tls) {
            next.set_verify_mode(asio::ssl::verify_peer);
            next.set_verify_callback(asio::ssl::host_name_verification(target_.host));
            if (!SSL_set_tlsext_host_name(next.native_handle(), target_.host.c_str())) bench::fail("SNI");
            co_await next.async_handshake(asio::ssl::stream_base::client, await);
        }
    }

    task<std::string> fetch_otp(Next next) {
        co_await connect(next);
        http::request<http::empty_body> request(http::verb::post, "/apid/otp", 11);
        request.set(http::field::host, target_.authority());
        request.set(http::field::authorization, "apikey _mm.benchmark.secret");
        request.prepare_payload();
        co_await http::async_write(next, request, await);
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        co_await http::async_read(next, buffer, response, await);
        co_return bench::otp_in(response.body());
    }

    task<void> open() {
        std::string otp;
        if (target_.gdn) otp = co_await fetch_otp(make_next(stream_.get_executor()));
        co_await connect(stream_.next_layer());
        beast::get_lowest_layer(stream_).expires_never(); // the websocket has its own time limits
        stream_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::client));
        // One frame for a message, masked in one piece, also when it is large.
        stream_.auto_fragment(false);
        stream_.write_buffer_bytes(128u << 10);
        stream_.text(true);
        co_await stream_.async_handshake(target_.authority(), target_.path(otp), await);
    }

    task<void> write() {
        std::string text;
        for (std::uint64_t context = 1; measured_.running(); ++context) {
            while (sent_.size() >= options_.window) co_await change();
            sent_.emplace(context, measured_.sample() ? bench::clock::now() : bench::clock::time_point());
            bench::make_message(text, payload_, context);
            co_await stream_.async_write(asio::buffer(text), await);
        }
        while (!sent_.empty()) co_await change();
        // Everything is answered. A server closes first (RFC 6455 7.1.1), and over TLS Beast calls that an error.
        closing_ = true;
        boost::system::error_code closed;
        co_await stream_.async_close(websocket::close_code::normal, asio::redirect_error(await, closed));
    }

    /// Resumes when an acknowledgement has come.
    task<void> change() {
        changed_.expires_at(bench::clock::time_point::max());
        boost::system::error_code woken;
        co_await changed_.async_wait(asio::redirect_error(await, woken));
    }

    task<void> read() {
        beast::flat_buffer buffer;
        for (;;) {
            boost::system::error_code ended;
            co_await stream_.async_read(buffer, asio::redirect_error(await, ended));
            if (ended && closing_) co_return;
            if (ended) throw boost::system::system_error(ended);
            acknowledged({static_cast<const char*>(buffer.data().data()), buffer.size()});
            buffer.clear();
        }
    }

    void acknowledged(std::string_view text) {
        constexpr std::string_view ok = "\"result\":\"ok\"";
        constexpr std::string_view member = "\"context\":\"";
        const std::size_t at = text.find(member);
        if (text.find(ok) == std::string_view::npos || at == std::string_view::npos) bench::fail(std::string(text));
        std::uint64_t context = 0;
        std::from_chars(text.data() + at + member.size(), text.data() + text.size(), context);
        const auto found = sent_.find(context);
        if (found == sent_.end()) bench::fail("acknowledged, but not sent: " + std::string(text));
        if (found->second != bench::clock::time_point()) measured_.latency(found->second, bench::clock::now());
        sent_.erase(found);
        measured_.acknowledged();
        changed_.cancel();
    }

    const bench::run_options& options_;
    bench::target target_;
    asio::ssl::context tls_;
    websocket::stream<Next> stream_;
    timer_type changed_; ///< never expires: cancelled when an acknowledgement has come
    std::string payload_;
    bool closing_ = false; ///< everything is answered
    std::unordered_map<std::uint64_t, bench::clock::time_point> sent_;
    bench::measurement measured_;
};

template <class Next>
void run(const bench::run_options& options) {
    asio::io_context context(1);
    client<Next> c(context, options);
    asio::co_spawn(context, c.run(), rethrow);
    context.run();
    c.measured().print("beast");
}

} // namespace

int main(int argc, char** argv) {
    const bench::run_options options(bench::arguments(argc, argv, bench::run_options::names()));
    try {
        if (options.tls()) {
            run<tls_stream>(options);
            return 0;
        }
#ifndef BENCH_BEAST_TLS_ONLY // what compiles is compared with a program that has TLS: one of the two forms is enough
        run<tcp_stream>(options);
        return 0;
#endif
    } catch (const std::exception& e) {
        bench::fail(std::string("beast: ") + e.what());
    }
    bench::fail("beast: this program was built for TLS alone");
}
