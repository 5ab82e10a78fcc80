// SPDX-License-Identifier: BSL-1.0
// REST calls: one exchange at a time on a connection, connections kept and used again.
#pragma once

#include <sluice/config.hpp>
#include <sluice/io/connect.hpp>
#include <sluice/io/watchdog.hpp>
#include <sluice/web/http1.hpp>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace io {

/// The answer, or why there is none.
struct exchange_result {
    failure error{};
    web::http_response response{};
};

/// On one strand. Calls may overlap: each takes an idle connection or opens another.
template <class Strand, class Traits>
class http_client {
public:
    using stream_type = typename Traits::template stream<Strand>;
    using timer_type = typename Traits::template timer<Strand>;

    http_client(const Strand& strand, const time_limits& limits) : strand_(strand), limits_(limits) {}

    /// `tls`: for an origin with TLS. `repeatable`: the server may see it twice; such a request may go over a kept
    /// connection, which the server may be closing at this moment, and is then sent again over a new one (RFC 9112
    /// section 9.3.1).
    task<Strand, exchange_result> exchange(pulsar::origin where, web::http_request request, asio::ssl::context* tls,
                                           bool repeatable) {
        exchange_result result;
        std::string text;
        if (web::write_request(request, where.authority(), text)) {
            result.error = make_failure(errc::invalid_message, "the request cannot be written as HTTP/1.1");
            co_return result;
        }
        connector<Strand, Traits> connect(strand_);
        watchdog<timer_type> limit(strand_);
        connection line;
        bool kept = repeatable && take_idle(where, line);
        for (;;) {
            if (!kept) {
                line.where = where;
                line.stream = std::make_shared<stream_type>(strand_, where.tls ? tls : nullptr);
                result.error = co_await connect.connect(line.stream, where, limits_.connect);
                if (result.error) co_return result;
            }
            limit.arm(limits_.request, [stream = line.stream] { stream->close(); });
            bool silent = true;
            result.error = co_await converse(*line.stream, text, result.response, silent);
            limit.disarm();
            if (limit.bitten()) {
                result.error = make_failure(errc::request_timeout, request.method + " " + path_of(request.target) +
                                                                       ": no answer within " +
                                                                       std::to_string(limits_.request.count()) + " ms");
                co_return result;
            }
            if (!(result.error && kept && silent)) break;
            kept = false;
        }
        if (!result.error && result.response.keep_alive) keep(std::move(line));
        co_return result;
    }

    /// The next call opens a connection of its own.
    void forget_idle() { idle_.clear(); }

private:
    struct connection {
        pulsar::origin where{};
        std::shared_ptr<stream_type> stream{};
    };

    /// Without its query, which may hold what is secret.
    static std::string path_of(const std::string& target) { return target.substr(0, target.find('?')); }

    task<Strand, failure> converse(stream_type& stream, const std::string& text, web::http_response& response,
                                   bool& silent) {
        std::error_code ec;
        operation_memory memory;
        for (std::size_t sent = 0; sent < text.size() && !ec;)
            sent += co_await stream.async_write_some(asio::buffer(text.data() + sent, text.size() - sent),
                                                     into<Strand>(ec, memory));
        if (ec) co_return ended(ec);
        web::http_response_parser parser;
        std::array<std::byte, 4096> in;
        while (!parser.done() && !parser.error()) {
            const std::size_t n = co_await stream.async_read_some(asio::buffer(in), into<Strand>(ec, memory));
            silent = silent && n == 0;
            // Nothing was asked that more than one message could answer: what is behind it ends the connection.
            if (parser.feed(web::bytes_view(in.data(), n)) != n) parser.response().keep_alive = false;
            if (ec) {
                if (ec != asio::error::eof && ec != asio::ssl::error::stream_truncated && silent) co_return ended(ec);
                // A refusal is one however its body ends.
                parser.end_of_stream(ec == asio::error::eof || parser.response().status >= 300);
                if (!parser.done() && !parser.error()) co_return ended(ec);
            }
        }
        if (parser.error()) co_return failure{parser.error(), nullptr};
        response = std::move(parser.response());
        if (ec) response.keep_alive = false;
        co_return failure{};
    }

    static failure ended(const std::error_code& cause) {
        if (cause == asio::error::operation_aborted)
            return failure{cause, nullptr}; // cancelled, or a limit: it says so
        error_details d;
        d.text = cause.message();
        d.cause = cause;
        return make_failure(errc::no_response, std::move(d));
    }

    bool take_idle(const pulsar::origin& where, connection& out) {
        for (std::size_t i = idle_.size(); i-- != 0;) {
            if (!(idle_[i].where == where)) continue;
            out = std::move(idle_[i]);
            idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
            return true;
        }
        return false;
    }
    void keep(connection line) {
        constexpr std::size_t most = 2;
        if (idle_.size() < most) idle_.push_back(std::move(line));
    }

    Strand strand_;
    time_limits limits_;
    std::vector<connection> idle_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
