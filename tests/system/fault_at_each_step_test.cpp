// SPDX-License-Identifier: BSL-1.0
// One program - open, send, send_all, push, flush, a last send, close - run again and again in virtual time, each time
// with one fault: at each byte of each connection, either way; at each step of the way to a socket; at each message and
// each acknowledgement; and ended at each moment. The contract is checked after each run, and what can heal has to.
#include "simulation/report.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

using namespace simulation;

namespace {

struct setting {
    const char* name;
    address server;
    bool deduplicate;
};
constexpr setting settings[] = {{"gdn, with region, one-time password and TLS", address::gdn_region, false},
                                {"pulsar, exactly once", address::pulsar, true}};

/// What one operation's handler starts is the next one.
schedule script(const setting& to) {
    schedule s;
    s.seed = 1;
    s.server = to.server;
    s.proxy.region_host = "sim.example.com";
    s.proxy.producer_name_release = 50ms;
    s.network.shortest_latency = s.network.longest_latency = 1ms;
    s.network.afflicted = 100;
    s.options.ping_interval = 700ms;
    s.options.write_timeout = 500ms;
    s.options.connect_timeout = 2s;
    s.options.reconnect.initial = 1ms;
    s.options.reconnect.maximum = 100ms;
    if (to.deduplicate) {
        s.options.producer_name = "each-step";
        s.options.deduplicate = s.proxy.deduplicate = true;
    }
    const auto add = [&s](deed what, std::vector<std::size_t> sizes) {
        action a;
        a.what = what;
        a.subject = s.operations++;
        s.messages += sizes.size();
        a.sizes = std::move(sizes);
        if (what == deed::open) return s.actions.push_back(std::move(a));
        s.consequences.push_back(std::move(a));
    };
    add(deed::open, {});
    add(deed::send_awaited, {3});
    add(deed::send_all, {0, 40, 200});
    add(deed::push, {20});
    add(deed::flush, {});
    for (std::size_t i = 0; i + 1 < s.consequences.size(); ++i) s.consequences[i].then = static_cast<int>(i + 1);
    s.actions[0].then = 0;
    s.end_at = 40s; // as long as the slowest fault takes; then a last message, and close
    return s;
}

/// The n-th connection meets the fault, and no other.
schedule with_fault(schedule s, std::size_t connection, const fault& f) {
    s.faults.assign(connection, fault());
    s.faults.push_back(f);
    return s;
}

/// The first run to break a promise tells how to see it all.
void check(const report& r, const std::string& what) {
    INFO(what);
    for (const std::string& v : r.violations) FAIL_CHECK(v);
}
std::string describe(const setting& to, std::size_t connection, const fault& f) {
    return std::string(to.name) + ": connection " + std::to_string(connection) + ", " + std::string(to_string(f.kind)) +
           (f.reset ? " (reset)" : "") + (f.upward ? " upward" : " downward") + " at " + std::to_string(f.at) +
           ", code " + std::to_string(f.code);
}
report run_one(const setting& to, std::size_t connection, const fault& f) {
    const schedule s = with_fault(script(to), connection, f);
    report r = simulate(s);
    check(r, describe(to, connection, f));
    return r;
}

} // namespace

TEST_CASE("without a fault: what the script takes") {
    for (const setting& to : settings) {
        CAPTURE(to.name);
        const schedule s = script(to);
        const report r = simulate(s);
        check(r, to.name);
        CHECK(r.messages == s.messages + 1);
        CHECK(r.persisted == r.messages);
        CHECK(r.faults == 0);
        CHECK(r.lines == (to.server == address::pulsar ? 1 : 2));
    }
}

TEST_CASE("a fault at each byte of each connection, either way, heals") {
    using k = fault_kind;
    std::size_t runs = 0;
    for (const setting& to : settings) {
        const report whole = simulate(script(to));
        for (std::size_t connection = 0; connection < whole.bytes.size(); ++connection) {
            for (const bool upward : {true, false}) {
                const std::size_t bytes = upward ? whole.bytes[connection].first : whole.bytes[connection].second;
                REQUIRE(bytes > 100);
                for (const auto& [kind, reset] : {std::pair(k::cut, false), std::pair(k::cut, true),
                                                  std::pair(k::half_open, false), std::pair(k::stall, false)}) {
                    for (std::size_t at = 0; at < bytes; ++at) {
                        fault f;
                        f.kind = kind;
                        f.reset = reset;
                        f.upward = upward;
                        f.at = at;
                        f.duration = kind == k::stall ? 650ms : 100ms; // longer than a write may stall
                        const report r = run_one(to, connection, f);
                        CHECK(r.faults == 1);
                        CHECK(r.persisted == r.messages);
                        ++runs;
                    }
                }
            }
        }
    }
    MESSAGE(runs, " runs");
}

TEST_CASE("a close frame of the server behind each byte heals") {
    for (const setting& to : settings) {
        const report whole = simulate(script(to));
        const std::size_t socket = whole.bytes.size() - 1; // the last connection
        std::size_t met = 0;
        for (const bool upward : {true, false}) {
            for (const unsigned code : {1001u, 1011u}) {
                for (std::size_t at = 0; at < (upward ? whole.bytes[socket].first : whole.bytes[socket].second); ++at) {
                    fault f;
                    f.kind = fault_kind::server_close;
                    f.upward = upward;
                    f.at = at;
                    f.code = static_cast<std::uint16_t>(code);
                    const report r = run_one(to, socket, f);
                    CHECK(r.persisted == r.messages);
                    met += r.faults;
                }
            }
        }
        CHECK(met > 500); // before the upgrade there is nothing to close
    }
}

TEST_CASE("a failure at each step of the way to a socket heals, or ends all at once") {
    using k = fault_kind;
    for (const setting& to : settings) {
        const std::size_t connections = to.server == address::pulsar ? 1 : 2;
        for (std::size_t connection = 0; connection < connections; ++connection) {
            for (const k kind :
                 {k::unresolved, k::name_hangs, k::refused, k::unreachable, k::rubbish, k::silence, k::slow_answer}) {
                fault f;
                f.kind = kind;
                f.duration = 5s;
                const report r = run_one(to, connection, f);
                CHECK(r.faults == 1);
                CHECK(r.persisted == r.messages);
            }
            for (const unsigned status : {400u, 401u, 403u, 404u, 409u, 429u, 500u, 502u, 503u, 504u}) {
                fault f;
                f.kind = k::status;
                f.code = static_cast<std::uint16_t>(status);
                // A one-time password that is refused may have come too late: one more is asked for.
                const bool fatal = status < 409 && (status != 401 || connection == 0);
                CAPTURE(status);
                const report r = run_one(to, connection, f);
                CHECK(r.faults == 1);
                CHECK(r.persisted == (fatal ? 0u : r.messages));
            }
        }
    }
}

TEST_CASE("each message refused, each acknowledgement lost, doubled, swapped, made up, or denied") {
    using k = fault_kind;
    for (const setting& to : settings) {
        const std::size_t socket = to.server == address::pulsar ? 0 : 1;
        for (std::size_t n = 0; n < 6; ++n) {
            for (const k kind : {k::ack_lost, k::ack_doubled, k::ack_swapped, k::ack_unknown, k::ack_garbled,
                                 k::ack_denied, k::bad_frame, k::message_refused, k::useless}) {
                for (std::size_t exception = 0; exception < std::size(exceptions); ++exception) {
                    fault f;
                    f.kind = kind;
                    f.at = n;
                    f.code = static_cast<std::uint16_t>(exception);
                    if (exception != 0 && !f.shifts_numbers()) break;
                    // The last two say that a producer or a topic is gone, for this message and for all behind it.
                    if (kind == k::message_refused && exception + 2 >= std::size(exceptions)) break;
                    const report r = run_one(to, socket, f);
                    CHECK(r.faults == 1);
                    const bool heals = kind != k::ack_lost && !f.refuses();
                    if (heals) CHECK(r.persisted == r.messages);
                }
            }
        }
    }
}

TEST_CASE("ended at each moment: closed, destroyed, or with its context") {
    for (const setting& to : settings) {
        for (const ending end : {ending::close_at_once, ending::abandon, ending::destroy_context}) {
            for (nanoseconds at = 0ms; at < 40ms; at += 250us) {
                schedule s = script(to);
                s.end = end;
                s.end_at = at;
                const report r = simulate(s);
                check(r, std::string(to.name) + ": ended after " + std::to_string(at / 1us) + " us");
                CHECK(r.faults == 0);
            }
        }
        for (const deed what : {deed::cancel, deed::close, deed::destroy, deed::cancel_one}) {
            for (std::size_t subject = 1; subject <= (what == deed::cancel_one ? 3u : 1u); ++subject) {
                for (nanoseconds at = 0ms; at < 40ms; at += 250us) {
                    schedule s = script(to);
                    action a;
                    a.at = at;
                    a.what = what;
                    a.subject = what == deed::cancel_one ? subject : s.operations++;
                    for (action& c : s.consequences) c.cancellable = true;
                    s.actions.push_back(a);
                    const report r = simulate(s);
                    check(r, std::string(to.name) + ": deed " + std::to_string(static_cast<int>(what)) + " after " +
                                 std::to_string(at / 1us) + " us");
                }
            }
        }
    }
}
