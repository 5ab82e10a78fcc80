// SPDX-License-Identifier: BSL-1.0
// One program - a login, REST calls, open, sends, a flush, a lost connection, close - over real sockets, again and
// again, each time with one of the gateway's faults: at the first place where it can strike, at the second, and so on,
// until a run comes to its end without it. The contract is checked after each run, and what can heal has to.
#include "gateway_program.hpp"

#include <cstdint>

using namespace test;

namespace {

using sluice::errc;
using sluice::testing::call;
using sluice::testing::cut;
using sluice::testing::direction;
using sluice::testing::fault;
using sluice::testing::faults;
using sluice::testing::gateway;

constexpr setting settings[] = {{"gdn", sluice::dialect::gdn, false, false},
                                {"gdn, exactly once", sluice::dialect::gdn, true, false},
                                {"pulsar, exactly once, in batches", sluice::dialect::pulsar, true, true}};
constexpr std::pair<cut, const char*> cuts[] = {{cut::reset, "RST"}, {cut::finish, "FIN"}, {cut::silence, "silence"}};

/// The first run to break a promise tells where.
bool run_one(const setting& to, const bad_day& day, std::size_t n, const std::string& where) {
    INFO(std::string(to.name), ": ", day.name, ", after ", n, where);
    gateway_program program(to, day, n);
    const bool met = program();
    std::string broken;
    for (const std::string& b : program.broken()) broken += "\n  " + b;
    if (!broken.empty()) FAIL(broken);
    return met;
}

/// Lets nothing go by, then one, then two ... How many were struck.
std::size_t at_each(const setting& to, const bad_day& day) {
    constexpr std::size_t more_than_there_are = 300;
    std::size_t n = 0;
    while (n < more_than_there_are && run_one(to, day, n, "")) ++n;
    if (n == more_than_there_are) FAIL(day.name, ": met without an end");
    return n;
}

/// Tells how much was done, and that each kind was met at all.
class tally {
public:
    explicit tally(const setting& to) : setting_(to) {}
    ~tally() { MESSAGE(std::string(setting_.name), ": ", runs_, " runs"); }
    void operator()(const bad_day& day) {
        const std::size_t struck = at_each(setting_, day);
        runs_ += struck + 1;
        CAPTURE(day.name);
        CHECK(struck != 0);
    }

private:
    const setting& setting_;
    std::size_t runs_ = 0;
};

} // namespace

TEST_CASE("a gateway's fault at each step: each call refused, late, cut") {
    const std::pair<call, const char*> calls[] = {{call::auth, "login"},
                                                  {call::otp, "one-time password"},
                                                  {call::region, "region"},
                                                  {call::create_stream, "create stream"},
                                                  {call::list_streams, "list streams"},
                                                  {call::publish, "publish"},
                                                  {call::statistics, "statistics"},
                                                  {call::upgrade, "upgrade"}};
    for (const setting& to : settings) {
        tally each(to);
        for (const auto& [what, name] : calls) {
            const bool pulsar = to.dialect == sluice::dialect::pulsar;
            if (pulsar && what != call::create_stream && what != call::list_streams && what != call::upgrade) continue;
            if (what == call::auth && !to.deduplicate) continue; // without a password
            for (const int status : {200, 302, 400, 401, 403, 404, 409, 412, 429, 500, 502, 503, 504}) {
                if (what == call::create_stream && status == 409) continue; // it exists: a success
                bad_day day;
                day.name = std::string(name) + " refused with " + std::to_string(status);
                day.arm = [what, status](const faults& f, std::size_t n) {
                    return f.on(what).after(n).refuse(status, "no", std::chrono::seconds(0));
                };
                // A one-time password may have come too late, and other credentials can be had.
                day.fatal = status >= 400 && status < 409 && (status != 401 || pulsar);
                day.fatal = day.fatal || status == 412;
                if (what != call::auth && what != call::otp && what != call::upgrade) day.fatal = false;
                if (day.fatal)
                    day.excuses = {status == 401   ? errc::unauthorized
                                   : status == 403 ? errc::forbidden
                                   : status == 404 ? errc::not_found
                                                   : errc::bad_request};
                each(day);
            }
            each({.name = std::string(name) + " late",
                  .arm = [what](const faults& f, std::size_t n) { return f.on(what).after(n).delay(2ms); }});
            for (const auto& [how, said] : cuts) {
                each({.name = std::string(name) + " cut by " + said,
                      .arm = [what, how](const faults& f, std::size_t n) { return f.on(what).after(n).cut(how); },
                      .silent = how == cut::silence});
            }
        }
        if (to.dialect == sluice::dialect::gdn)
            each({.name = "a one-time password that has expired",
                  .arm = [](const faults& f, std::size_t n) { return f.passwords().after(n).expire(); }});
    }
}

TEST_CASE("a gateway's fault at each step: each message refused, closed on, cut") {
    struct refusal {
        const char* exception;
        std::error_code told;
    };
    const refusal refusals[] = {{"TimeoutException", errc::ack_timeout},
                                {"ProducerQueueIsFullError", errc::queue_full},
                                {"InvalidMessageException", errc::too_large},
                                {"ProducerBlockedQuotaExceededException", errc::quota_exceeded},
                                {"TopicTerminatedException", errc::topic_terminated},
                                {"AlreadyClosedException", {}},
                                {"NotYetHeardOfException", errc::rejected}};
    for (const setting& to : settings) {
        tally each(to);
        for (const refusal& r : refusals) {
            bad_day day;
            day.name = std::string("message refused with ") + r.exception;
            // Nothing is stored behind a message that may be stored later: those are refused, too.
            day.lasting = !r.told || (r.told == errc::ack_timeout && to.deduplicate);
            if (!day.lasting) day.excuses = {r.told};
            day.arm = [&r, all = day.lasting](const faults& f, std::size_t n) {
                const std::string text =
                    std::string("org.apache.pulsar.client.api.PulsarClientException$") + r.exception;
                const auto those = f.messages().after(n);
                return (all ? those.always() : those).refuse(text + ": no");
            };
            day.fatal = r.told == errc::topic_terminated;
            each(day);
        }
        for (const unsigned code : {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1011u, 1012u, 1013u, 4000u}) {
            bad_day day;
            day.name = "socket closed with " + std::to_string(code) + " at a message";
            day.arm = [code](const faults& f, std::size_t n) {
                return f.messages().after(n).close(static_cast<std::uint16_t>(code), "no");
            };
            if (code == 1009) day.excuses = {errc::too_large};
            each(day);
        }
        for (const auto& [how, said] : cuts)
            each({.name = std::string("connection cut by ") + said + " at a message",
                  .arm = [how](const faults& f, std::size_t n) { return f.messages().after(n).cut(how); },
                  .silent = how == cut::silence});
    }
}

TEST_CASE("a gateway's fault at each step: each acknowledgement lost, doubled, late, in another order") {
    for (const setting& to : settings) {
        tally each(to);
        const std::vector<std::error_code> late{errc::ack_timeout, errc::send_timeout, errc::connect_timeout};
        each({.name = "acknowledgement swallowed",
              .arm = [](const faults& f, std::size_t n) { return f.acks().after(n).swallow(); },
              .excuses = late,
              .mute = true});
        each({.name = "acknowledgements swapped",
              .arm = [](const faults& f, std::size_t n) { return f.acks().after(n).swap(); },
              .excuses = late,
              .mute = true});
        each({.name = "acknowledgement said twice",
              .arm = [](const faults& f, std::size_t n) { return f.acks().after(n).twice(); }});
        each({.name = "acknowledgement late",
              .arm = [](const faults& f, std::size_t n) { return f.acks().after(n).delay(2ms); }});
        for (const auto& [how, said] : cuts)
            each({.name = std::string("connection cut by ") + said + " at an acknowledgement",
                  .arm = [how](const faults& f, std::size_t n) { return f.acks().after(n).cut(how); },
                  .silent = how == cut::silence});
    }
}

TEST_CASE("a gateway's fault at each step: each connection cut, at the first byte and at many others, either way") {
    for (const setting& to : settings) {
        std::size_t runs = 0;
        for (const auto& [how, said] : cuts) {
            for (const direction way : {direction::to_server, direction::to_client}) {
                // Not at every byte, as in virtual time (fault_at_each_step_test.cpp), and seldom where only waiting
                // shows it.
                const std::uint64_t stride = how == cut::silence ? 211 : how == cut::finish ? 31 : 23;
                for (std::size_t connection = 0;; ++connection) {
                    std::uint64_t bytes = 0;
                    for (bool met = true; met; bytes += stride, ++runs) {
                        bad_day day;
                        day.name = std::string("connection cut by ") + said + " after " + std::to_string(bytes) +
                                   (way == direction::to_server ? " bytes to the server" : " bytes to the client");
                        day.arm = [how, way, bytes](const faults& f, std::size_t n) {
                            return f.connections().after(n).cut_after(bytes, way, how);
                        };
                        day.silent = how == cut::silence;
                        day.carried_out = true;
                        met = run_one(to, day, connection, " connections");
                    }
                    if (bytes == stride) break; // not even at its first byte: there is none
                }
            }
        }
        MESSAGE(std::string(to.name), ": ", runs, " runs");
    }
}

TEST_CASE("a gateway's fault at each step: a full quota, nothing read, all dropped, all closed") {
    for (const setting& to : settings) {
        tally each(to);
        std::vector<std::error_code> full{errc::quota_exceeded};
        each({.name = "the quota is full",
              .strike = [](gateway& g) { return std::optional(g.faults().fill_quota("")); },
              .excuses = full});
        each(
            {.name = "nothing is read", .strike = [](gateway& g) { return std::optional(g.faults().stop_reading()); }});
        each({.name = "one-time passwords have expired", .strike = [](gateway& g) {
                  g.faults().expire_passwords();
                  return std::optional<fault>();
              }});
        for (const auto& [how, said] : cuts)
            each({.name = std::string("all connections dropped by ") + said,
                  .strike =
                      [how](gateway& g) {
                          g.drop_connections(how);
                          return std::optional<fault>();
                      },
                  .silent = how == cut::silence,
                  .carried_out = true});
        for (const unsigned code : {1000u, 1001u, 1011u, 1012u})
            each({.name = "all sockets closed with " + std::to_string(code), .strike = [code](gateway& g) {
                      g.close_all_sockets(static_cast<std::uint16_t>(code));
                      return std::optional<fault>();
                  }});
    }
}
