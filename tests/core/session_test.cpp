// SPDX-License-Identifier: BSL-1.0
// The way to an open socket: its steps, and what each answer on it means.
#include <sluice/core/session.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sluice::errc;
using sluice::failure;
using sluice::make_failure;
using sluice::core::judge;
using sluice::core::session;
using sluice::core::verdict;
using step = session::step;

constexpr std::uint64_t lowest = 0;
constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();

std::vector<step> way(session::needs n) {
    session s(n, {});
    std::vector<step> steps{s.next()};
    while (s.next() != step::open) {
        s.succeeded();
        steps.push_back(s.next());
    }
    return steps;
}
void go_to(session& s, step to) {
    for (int i = 0; i < 8 && s.next() != to; ++i) s.succeeded();
    REQUIRE(s.next() == to);
}
failure because(errc e, long retry_after = -1) {
    sluice::error_details d;
    d.retry_after_s = retry_after;
    return make_failure(e, std::move(d));
}

TEST_CASE("session: only the steps that the server needs") {
    CHECK(way({false, false}) == std::vector{step::credential, step::connect, step::upgrade, step::open});
    CHECK(way({true, false}) == std::vector{step::credential, step::region, step::connect, step::upgrade, step::open});
    CHECK(way({false, true}) == way({false, false})); // the password is had while the socket is connected
    CHECK(way({true, true}) == way({true, false}));
}

TEST_CASE("session: what an error means") {
    struct row {
        errc code;
        verdict first, with_fresh_credential;
    };
    for (const row& r :
         {row{errc::unauthorized, verdict::fresh_credential, verdict::fatal},
          row{errc::forbidden, verdict::fatal, verdict::fatal}, row{errc::not_found, verdict::fatal, verdict::fatal},
          row{errc::bad_request, verdict::fatal, verdict::fatal},
          row{errc::topic_terminated, verdict::fatal, verdict::fatal},
          row{errc::invalid_name, verdict::fatal, verdict::fatal},
          row{errc::invalid_credentials, verdict::fatal, verdict::fatal},
          row{errc::conflict, verdict::retry, verdict::retry}, row{errc::throttled, verdict::retry, verdict::retry},
          row{errc::server_error, verdict::retry, verdict::retry},
          row{errc::quota_exceeded, verdict::retry, verdict::retry},
          row{errc::connect_timeout, verdict::retry, verdict::retry},
          row{errc::resolve_failed, verdict::retry, verdict::retry},
          row{errc::connection_closed, verdict::retry, verdict::retry},
          row{errc::unexpected_answer, verdict::retry, verdict::retry},
          row{errc::handshake_invalid, verdict::retry, verdict::retry}}) {
        CAPTURE(static_cast<int>(r.code));
        CHECK(judge(because(r.code), false) == r.first);
        CHECK(judge(because(r.code), true) == r.with_fresh_credential);
    }
    CHECK(judge({std::make_error_code(std::errc::connection_refused), nullptr}, false) == verdict::retry);
}

TEST_CASE("session: a failure at each step in turn") {
    for (const step at : {step::credential, step::region, step::connect, step::upgrade}) {
        CAPTURE(static_cast<int>(at));
        SUBCASE("retry: waits, then the whole way again") {
            session s({true, true}, {});
            go_to(s, at);
            CHECK(s.failed(because(errc::server_error), highest, true) == verdict::retry);
            CHECK(s.next() == step::wait);
            CHECK(s.delay() == 100ms);
            CHECK(s.attempts() == 1);
            CHECK_FALSE(s.wants_fresh_credential());
            s.succeeded();
            CHECK(s.next() == step::credential);
        }
        SUBCASE("fatal: stops for good") {
            session s({true, true}, {});
            go_to(s, at);
            CHECK(s.failed(because(errc::forbidden), highest, true) == verdict::fatal);
            CHECK(s.next() == step::stop);
            s.succeeded();
            CHECK(s.next() == step::stop);
        }
        SUBCASE("401: once more with a fresh credential, without waiting; then it is fatal") {
            session s({true, true}, {});
            go_to(s, at);
            CHECK(s.failed(because(errc::unauthorized), highest, true) == verdict::fresh_credential);
            CHECK(s.next() == step::credential);
            CHECK(s.wants_fresh_credential());
            CHECK(s.attempts() == 1);
            go_to(s, at);
            CHECK(s.failed(because(errc::unauthorized), highest, true) == verdict::fatal);
            CHECK(s.next() == step::stop);
        }
    }
}

TEST_CASE("session: without another credential a 401 is fatal, but a one-time password may have come too late") {
    for (const bool one_time : {false, true}) {
        for (const step at : {step::credential, step::connect, step::upgrade}) {
            session s({false, one_time}, {});
            go_to(s, at);
            const bool again = one_time && at == step::upgrade;
            CHECK(s.failed(because(errc::unauthorized), lowest, false) ==
                  (again ? verdict::fresh_credential : verdict::fatal));
            if (!again) continue;
            go_to(s, step::upgrade);
            CHECK(s.failed(because(errc::unauthorized), lowest, false) == verdict::fatal);
        }
    }
}

TEST_CASE("session: the fresh credential is still fresh after a failure of another kind") {
    session s({true, true}, {});
    go_to(s, step::upgrade);
    s.failed(because(errc::unauthorized), lowest, true);
    go_to(s, step::connect);
    CHECK(s.failed(because(errc::resolve_failed), lowest, true) == verdict::retry);
    go_to(s, step::upgrade);
    CHECK(s.failed(because(errc::unauthorized), lowest, true) == verdict::fatal);
}

TEST_CASE("session: an open socket makes good: a later 401 gets its own fresh credential") {
    session s({true, true}, {});
    go_to(s, step::upgrade);
    s.failed(because(errc::unauthorized), lowest, true);
    go_to(s, step::open);
    CHECK_FALSE(s.wants_fresh_credential());
    CHECK(s.failed(because(errc::connection_closed), lowest, true) == verdict::retry);
    go_to(s, step::upgrade);
    CHECK(s.failed(because(errc::unauthorized), lowest, true) == verdict::fresh_credential);
}

TEST_CASE("session: losing the open socket is never fatal") {
    for (const errc e : {errc::connection_closed, errc::message_too_big, errc::unauthorized, errc::forbidden,
                         errc::not_found, errc::closed, errc::aborted, errc::unexpected_answer}) {
        session s({false, false}, {});
        go_to(s, step::open);
        s.succeeded(); // stays
        CHECK(s.next() == step::open);
        CHECK(s.failed(because(e), highest, true) == verdict::retry);
        CHECK(s.next() == step::wait);
    }
}

TEST_CASE("session: delays grow from failure to failure and begin anew behind a socket that worked") {
    session s({false, false}, {});
    for (const auto expected : {100ms, 200ms, 400ms, 800ms}) {
        s.failed(because(errc::resolve_failed), highest, true);
        CHECK(s.delay() == expected);
        s.succeeded();
    }
    CHECK(s.attempts() == 4);
    go_to(s, step::open);
    s.failed(because(errc::connection_closed), highest, true); // let in, and dropped: no better than refused
    CHECK(s.delay() == 1600ms);
    CHECK(s.attempts() == 5);
    go_to(s, step::open);
    s.worked();
    s.failed(because(errc::connection_closed), highest, true);
    CHECK(s.delay() == 100ms);
    CHECK(s.attempts() == 1);
}

TEST_CASE("session: who waits is told of the attempts before") {
    session s({false, false}, {});
    const auto fail = [&](errc e) {
        const failure f = s.told(because(e));
        s.failed(f, lowest, true);
        return f;
    };
    const failure first = fail(errc::resolve_failed);
    CHECK(first.code == errc::resolve_failed);
    CHECK(first.details->attempts == 1);
    CHECK(first.details->history == std::vector<std::error_code>{errc::resolve_failed});
    const failure second = fail(errc::conflict);
    CHECK(second.details->attempts == 2);
    CHECK(second.details->history == std::vector<std::error_code>{errc::resolve_failed, errc::conflict});
    for (int i = 0; i < 10; ++i) fail(errc::throttled);
    CHECK(s.told(because(errc::throttled)).details->history ==
          std::vector<std::error_code>(8, make_error_code(errc::throttled)));
    s.worked();
    CHECK(fail(errc::connection_closed).details->history == std::vector<std::error_code>{errc::connection_closed});
}

TEST_CASE("session: a socket that is left for another one was no failure") {
    session s({false, false}, {});
    for (int i = 0; i < 3; ++i) {
        s.failed(s.told(because(errc::connect_failed)), highest, true);
        s.succeeded();
    }
    go_to(s, step::open);
    s.reopen();
    CHECK(s.next() == step::credential);
    CHECK(s.attempts() == 0);
    go_to(s, step::upgrade);
    const failure f = s.told(because(errc::conflict));
    CHECK(f.details->attempts == 1);
    CHECK(f.details->history == std::vector<std::error_code>{errc::conflict});
}

TEST_CASE("session: a name that stays in use is told apart from one's own ghost by time") {
    session s({false, false}, {1s, 2s, 2.0});
    const auto held = [&] {
        const failure f = s.told(because(errc::conflict));
        s.failed(f, highest, true);
        s.succeeded(); // it has waited
        return f.details->text.find("in use for over 5 s") != std::string::npos;
    };
    // The attempts are at 0 s, 1 s, 3 s and 5 s.
    for (const bool said : {false, false, false, true, true}) CHECK(held() == said);
    s.failed(s.told(because(errc::connect_failed)), highest, true);
    CHECK_FALSE(held()); // counted anew
}

TEST_CASE("session: Retry-After is a floor, up to an hour") {
    struct row {
        long asked;
        std::uint64_t random;
        std::chrono::milliseconds delay;
    };
    for (const row& r : {row{-1, highest, 100ms}, row{0, highest, 100ms}, row{0, lowest, 0ms}, row{7, highest, 7s},
                         row{3600, lowest, 3600s}, row{100'000, lowest, 3600s},
                         row{std::numeric_limits<long>::max(), highest, 3600s}}) {
        CAPTURE(r.asked);
        session s({false, false}, {});
        CHECK(s.failed(because(errc::throttled, r.asked), r.random, true) == verdict::retry);
        CHECK(s.delay() == r.delay);
    }
    session s({false, false}, {});
    s.failed(failure{errc::conflict, nullptr}, highest, true); // without details
    CHECK(s.delay() == 100ms);
}

TEST_CASE("session: stop, from any step") {
    for (const step at : {step::credential, step::region, step::connect, step::upgrade, step::open}) {
        session s({true, true}, {});
        go_to(s, at);
        s.stop();
        CHECK(s.next() == step::stop);
        s.succeeded();
        CHECK(s.next() == step::stop);
    }
}

} // namespace
