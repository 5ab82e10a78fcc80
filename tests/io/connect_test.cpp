// SPDX-License-Identifier: BSL-1.0
// From a name to a connection, in virtual time: every address gets its share, and nothing hangs.
#include "support/run_loop.hpp"

#include <sluice/io/connect.hpp>

#include <vector>

using namespace test;
using namespace std::chrono_literals;

namespace {

/// Stands until it is moved.
struct manual_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<manual_clock>;
    [[maybe_unused]] static constexpr bool is_steady = true;
    static time_point now() noexcept { return current; }
    static inline time_point current{};
};
/// Looks again soon, for nobody tells Asio that the clock was moved.
struct looks_again {
    static manual_clock::duration to_wait_duration(const manual_clock::duration& d) { return std::min(d, {100us}); }
    static manual_clock::duration to_wait_duration(const manual_clock::time_point& t) {
        return to_wait_duration(t - manual_clock::now());
    }
};

enum address : int { refuses, swallows, takes };

std::vector<address> addresses;
bool name_server_answers = true;

/// Each address is an `address`; a connection has no bytes.
template <class Executor>
struct fake_stream {
    using endpoint_type = address;
    fake_stream(const Executor& e, asio::ssl::context*) : timer(e) {}
    bool secure() const { return false; }
    void no_delay() {}
    std::string certificate_problem() const { return {}; }
    void close() { timer.cancel(); }
    template <class Token>
    auto async_handshake(const std::string&, Token&& token) {
        return async_connect(takes, std::forward<Token>(token));
    }
    template <class Token>
    auto async_connect(address a, Token&& token) {
        tried.push_back(a);
        timer.expires_at(a == swallows ? std::chrono::steady_clock::time_point::max()
                                       : std::chrono::steady_clock::time_point::min());
        return asio::async_initiate<Token, void(std::error_code)>(
            [this, a](auto handler) {
                timer.async_wait([a, h = std::move(handler)](std::error_code ec) mutable {
                    std::move(h)(ec || a == takes ? ec : make_error_code(std::errc::connection_refused));
                });
            },
            token);
    }
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> timer;
    static inline std::vector<address> tried{};
};

template <class Executor>
struct fake_resolver {
    using results_type = std::vector<address>;
    explicit fake_resolver(const Executor& e) : executor(e) {}
    void cancel() {}
    template <class Handler>
    void async_resolve(const std::string&, const std::string&, Handler handler) {
        if (name_server_answers)
            asio::post(executor, [h = std::move(handler)]() mutable { h(std::error_code(), addresses); });
    }
    Executor executor;
};

struct fake_traits {
    using clock = manual_clock;
    template <class Executor>
    using timer = asio::basic_waitable_timer<manual_clock, looks_again, Executor>;
    template <class Executor>
    using stream = fake_stream<Executor>;
    template <class Executor>
    using resolver = fake_resolver<Executor>;
};

using strand_type = asio::strand<asio::io_context::executor_type>;

struct fixture {
    explicit fixture(std::vector<address> all) {
        addresses = std::move(all);
        name_server_answers = true;
        fake_stream<strand_type>::tried.clear();
    }
    void start(std::chrono::milliseconds limit = 10s) {
        begin = manual_clock::now();
        asio::co_spawn(strand, connector.connect(stream, {false, "host", 80}, limit), end);
    }
    /// Moves the clock step by step until the end; how far.
    std::chrono::milliseconds finish() {
        while (run_ready(context), !end.called()) {
            manual_clock::current += 100ms;
            for (int i = 0; i < 3 && !end.called(); ++i) context.run_one_for(1ms); // timers look again
        }
        REQUIRE_FALSE(end.get<0>());
        return std::chrono::duration_cast<std::chrono::milliseconds>(manual_clock::now() - begin);
    }
    const sluice::failure& result() const { return end.value(); }
    const std::vector<address>& tried() const { return fake_stream<strand_type>::tried; }

    asio::io_context context{};
    strand_type strand{asio::make_strand(context.get_executor())};
    std::shared_ptr<fake_stream<strand_type>> stream = std::make_shared<fake_stream<strand_type>>(strand, nullptr);
    sluice::io::connector<strand_type, fake_traits> connector{strand};
    outcome_of<std::exception_ptr, sluice::failure> end{};
    manual_clock::time_point begin{};
};

} // namespace

TEST_CASE("an address's share of the time") {
    using sluice::io::share_of;
    CHECK(share_of(10s, 2) == 5s);
    CHECK(share_of(10s, 1) == 10s);
    CHECK(share_of(10s, 0) == 10s);
    CHECK(share_of(10s, 100) == 2s); // a far host needs so much
    CHECK(share_of(1s, 100) == 1s);
    CHECK(share_of(0s, 3) == 0s);
}

TEST_CASE("an address that swallows packets does not hide the next") {
    fixture f({swallows, refuses, swallows, takes, takes});
    f.start();
    const auto took = f.finish();
    CHECK_FALSE(f.result());
    CHECK(f.tried() == std::vector<address>{swallows, refuses, swallows, takes});
    CHECK(took >= 2s + 2s);
    CHECK(took < 6s);
}

TEST_CASE("the last failure is told") {
    fixture f({swallows, refuses});
    f.start();
    f.finish();
    CHECK(f.result().code == sluice::errc::connect_failed);
    CHECK(contains(f.result().details->text, "host:80"));
}

TEST_CASE("where nobody answers, the limit is kept") {
    for (const std::size_t n : {1u, 2u, 3u, 50u}) {
        fixture f(std::vector<address>(n, swallows));
        f.start();
        const auto took = f.finish();
        CHECK(f.result().code == sluice::errc::connect_timeout);
        CHECK(f.result().details->text == "connecting host:80: not done within 10000 ms");
        CHECK(took >= 10s);
        CHECK(took < 11s);
    }
}

TEST_CASE("a resolver that hangs is not waited for") {
    fixture f({takes});
    name_server_answers = false;
    f.start(3s);
    const auto took = f.finish();
    CHECK(f.result().code == sluice::errc::connect_timeout);
    CHECK(f.result().details->text == "resolving host:80: not done within 3000 ms");
    CHECK(took >= 3s);
    CHECK(took < 4s);
}

TEST_CASE("a name without addresses") {
    fixture f({});
    f.start();
    f.finish();
    CHECK(f.result().code == sluice::errc::connect_failed);
}

TEST_CASE("cancel: nothing more is tried") {
    for (const bool resolving : {false, true}) {
        fixture f({swallows, takes});
        name_server_answers = !resolving;
        f.start();
        run_ready(f.context);
        CHECK(f.tried().size() == (resolving ? 0 : 1));
        f.connector.cancel();
        f.stream->close();
        run_until(f.context, [&] { return f.end.called(); });
        CHECK(f.result().code == asio::error::operation_aborted);
        CHECK(f.tried().size() == (resolving ? 0 : 1));
    }
}
