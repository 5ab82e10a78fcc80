// SPDX-License-Identifier: BSL-1.0
// From a host name to a connected stream: resolve, try the addresses in turn, TLS; all within a time limit.
#pragma once

#include <sluice/io/traits.hpp>
#include <sluice/io/watchdog.hpp>
#include <sluice/pulsar/names.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// How long one of `left` addresses may take: an equal share of what remains, but not so little that no far host
/// answers.
constexpr std::chrono::nanoseconds share_of(std::chrono::nanoseconds remaining, std::size_t left) noexcept {
    constexpr std::chrono::nanoseconds least = std::chrono::seconds(2);
    const auto share = remaining / static_cast<std::chrono::nanoseconds::rep>(std::max<std::size_t>(left, 1));
    return std::min(std::max(share, least), remaining);
}

/// Connects one stream at a time, on one strand.
template <class Strand, class Traits>
class connector {
public:
    using stream_type = typename Traits::template stream<Strand>;
    using resolver_type = typename Traits::template resolver<Strand>;
    using timer_type = typename Traits::template timer<Strand>;

    explicit connector(const Strand& strand) : strand_(strand), resolver_(strand), watchdog_(strand) {}

    /// Every address is tried, of both families, in the resolver's order; each has a share of the time, so that one
    /// that swallows packets does not hide the next. The last failure is told. A system's resolver that hangs is not
    /// waited for, but goes on in Asio's background.
    task<Strand, failure> connect(std::shared_ptr<stream_type> stream, pulsar::origin where,
                                  std::chrono::milliseconds limit) {
        cancelled_ = false;
        const std::chrono::nanoseconds end = io::now<Traits>() + limit;
        const auto remaining = [end] { return std::max(end - io::now<Traits>(), std::chrono::nanoseconds(0)); };

        const auto found = std::make_shared<lookup>(strand_);
        lookup_ = found;
        found->limit.expires_after(std::chrono::duration_cast<typename timer_type::duration>(limit));
        resolver_.async_resolve(where.host, std::to_string(where.port),
                                [found](const std::error_code& e, typename resolver_type::results_type addresses) {
                                    found->error = e;
                                    found->addresses = std::move(addresses);
                                    found->there = true;
                                    found->limit.cancel();
                                });
        std::error_code ec;
        co_await found->limit.async_wait(into<Strand>(ec));
        lookup_.reset();
        if (!found->there) {
            resolver_.cancel();
            if (ec) co_return failure{asio::error::operation_aborted, nullptr};
            co_return too_slow("resolving", where, limit);
        }
        if (cancelled_) co_return failure{asio::error::operation_aborted, nullptr};
        if (found->error) co_return problem(errc::resolve_failed, where, found->error);

        const auto bite = [stream] { stream->close(); };
        ec = asio::error::host_not_found;
        auto left = static_cast<std::size_t>(std::distance(found->addresses.begin(), found->addresses.end()));
        for (const auto& address : found->addresses) {
            const typename stream_type::endpoint_type endpoint = address;
            watchdog_.arm(share_of(remaining(), left--), bite);
            co_await stream->async_connect(endpoint, into<Strand>(ec));
            watchdog_.disarm();
            if (cancelled_) co_return failure{asio::error::operation_aborted, nullptr};
            // The stream may have been closed when its success was under way already.
            if (watchdog_.bitten()) ec = asio::error::timed_out;
            if (!ec || ec == asio::error::operation_aborted) break;
            if (remaining() == std::chrono::nanoseconds(0)) break;
        }
        if (ec == asio::error::timed_out && watchdog_.bitten()) co_return too_slow("connecting", where, limit);
        if (ec) co_return problem(errc::connect_failed, where, ec);
        stream->no_delay();
        if (stream->secure()) {
            watchdog_.arm(remaining(), bite);
            co_await stream->async_handshake(where.host, into<Strand>(ec));
            watchdog_.disarm();
            if (cancelled_) co_return failure{asio::error::operation_aborted, nullptr};
            if (watchdog_.bitten()) co_return too_slow("the TLS handshake", where, limit);
            if (ec) co_return problem(errc::tls_failed, where, ec, stream->certificate_problem());
        }
        co_return failure{};
    }

    /// A connect under way ends with `operation_aborted`. Its stream is the caller's to close.
    void cancel() {
        cancelled_ = true;
        watchdog_.disarm();
        resolver_.cancel();
        if (const auto waiting = lookup_.lock()) waiting->limit.cancel();
    }

private:
    /// The coroutine waits on the timer, not on the resolver: the context destroys what waits on one.
    struct lookup {
        explicit lookup(const Strand& strand) : limit(strand) {}
        timer_type limit;
        std::error_code error{};
        typename resolver_type::results_type addresses{};
        bool there = false;
    };

    static failure problem(errc code, const pulsar::origin& where, const std::error_code& cause,
                           const std::string& more = {}) {
        if (cause == asio::error::operation_aborted) return failure{cause, nullptr}; // cancelled
        error_details d;
        d.text = where.host + ":" + std::to_string(where.port) + ": " + cause.message();
        if (!more.empty()) d.text += ": " + more;
        d.cause = cause;
        return make_failure(code, std::move(d));
    }
    static failure too_slow(const char* what, const pulsar::origin& where, std::chrono::milliseconds limit) {
        return make_failure(errc::connect_timeout, std::string(what) + " " + where.host + ":" +
                                                       std::to_string(where.port) + ": not done within " +
                                                       std::to_string(limit.count()) + " ms");
    }

    Strand strand_;
    resolver_type resolver_;
    watchdog<timer_type> watchdog_;
    std::weak_ptr<lookup> lookup_{};
    bool cancelled_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
