// SPDX-License-Identifier: BSL-1.0
// The script of faults by hand: the order in which rules are met, what they fit, how they are counted and taken back.
#include <sluice/testing/gateway/byte_cuts.hpp>
#include <sluice/testing/gateway/faults.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace sluice::testing;
using detail::byte_cuts;
using detail::fault_target;

struct fixture {
    std::shared_ptr<detail::fault_desk> desk = std::make_shared<detail::fault_desk>();
    int woken = 0;
    faults given{desk};
    detail::fault_script& script = desk->script;

    fixture() {
        desk->wake = [this] { ++woken; };
    }
    /// The status that the next n such requests are refused with; 0: they are not.
    std::vector<int> statuses(std::size_t n, call c) {
        std::vector<int> all;
        while (all.size() < n) {
            const auto rule = script.strike({fault_target::call, c});
            all.push_back(rule ? rule->code : 0);
        }
        return all;
    }
};

const std::string global = "persistent://demo/c8global._system/c8globals.orders";
const std::string local = "persistent://demo/c8local._system/c8locals.orders";
const std::string plain = "persistent://public/default/orders";

} // namespace

TEST_CASE("rules are met one after the other, each as often as it says, and counted") {
    fixture f;
    const fault two = f.given.on(call::otp).times(2).refuse(503);
    const fault one = f.given.on(call::otp).refuse(429);
    CHECK(two.met() == 0);
    CHECK(f.statuses(4, call::otp) == std::vector<int>{503, 503, 429, 0});
    CHECK(two.met() == 2);
    CHECK(one.met() == 1);
    CHECK(f.given.met() == 3);
    CHECK(f.script.empty());
}

TEST_CASE("after: so many go by unharmed, and by the rules behind it too") {
    fixture f;
    f.given.on(call::otp).after(2).times(2).refuse(503);
    f.given.on(call::otp).after(1).refuse(429);
    CHECK(f.statuses(7, call::otp) == std::vector<int>{0, 0, 503, 503, 0, 429, 0});
}

TEST_CASE("calls are told apart; any is every one of them") {
    fixture f;
    f.given.on(call::region).refuse(500);
    const fault all = f.given.on(call::any).always().refuse(503);
    CHECK(f.statuses(1, call::otp) == std::vector<int>{503});
    CHECK(f.statuses(2, call::region) == std::vector<int>{500, 503});
    CHECK(f.statuses(1000, call::any) == std::vector<int>(1000, 503));
    CHECK(all.met() == 1002);
    CHECK(f.script.strike({fault_target::message}) == nullptr);
}

TEST_CASE("none, one that is used up, and a status that makes no sense") {
    fixture f;
    f.given.on(call::otp).times(0).refuse(503);
    CHECK(f.script.empty());
    CHECK(f.statuses(1, call::otp) == std::vector<int>{0});
    CHECK_THROWS_AS(f.given.on(call::otp).refuse(101), std::invalid_argument);
    CHECK_THROWS_AS(f.given.on(call::otp).refuse(600), std::invalid_argument);
    CHECK(f.script.empty());
}

TEST_CASE("topics by a stream's name or by the full one") {
    struct row {
        std::string wish, full;
        bool means;
    };
    const row rows[] = {
        {"", global, true},         {"orders", global, true},
        {"orders", local, true},    {"orders", plain, true},
        {global, global, true},     {"c8globals.orders", global, true},
        {global, local, false},     {"order", global, false},
        {"rders", plain, false},    {"default/orders", plain, false},
        {"orders", "orders", true}, {"orders", "persistent://orders", false},
        {"orders", "", false},      {"a/b", "persistent://public/default/a/b", true},
    };
    for (const row& r : rows) {
        CAPTURE(r.wish);
        CAPTURE(r.full);
        CHECK(detail::names_topic(r.wish, r.full) == r.means);
    }
    fixture f;
    f.given.acks("orders").swallow();
    CHECK(f.script.strike({fault_target::acknowledgement, call::any, "persistent://public/default/other"}) == nullptr);
    CHECK(f.script.strike({fault_target::acknowledgement, call::any, global}) != nullptr);
}

TEST_CASE("withdraw takes back what is left of one, clear of all; both wake who waits") {
    fixture f;
    fault refused = f.given.on(call::otp).times(3).refuse(503);
    const fault other = f.given.on(call::otp).always().refuse(429);
    CHECK(f.statuses(1, call::otp) == std::vector<int>{503});
    refused.withdraw();
    CHECK(f.woken == 1);
    CHECK(f.statuses(1, call::otp) == std::vector<int>{429});
    f.given.fill_quota("orders");
    f.given.clear();
    CHECK(f.woken == 2);
    CHECK(f.statuses(1, call::otp) == std::vector<int>{0});
    CHECK(f.script.state({fault_target::quota, call::any, plain}) == nullptr);
    CHECK(refused.met() == 1); // counts stay
    CHECK(other.met() == 1);
    f.given.on(call::otp).refuse(500); // and it goes on
    CHECK(f.statuses(1, call::otp) == std::vector<int>{500});
}

TEST_CASE("states hold until they are withdrawn") {
    fixture f;
    fault full = f.given.fill_quota("orders");
    CHECK(f.script.state({fault_target::quota, call::any, plain}) != nullptr);
    CHECK(f.script.state({fault_target::quota, call::any, "persistent://public/default/other"}) == nullptr);
    CHECK(f.script.state({fault_target::reading}) == nullptr);
    full.withdraw();
    CHECK(f.script.state({fault_target::quota, call::any, plain}) == nullptr);
    fault stopped = f.given.stop_reading();
    CHECK(f.script.state({fault_target::reading}) != nullptr);
    stopped.withdraw();
    CHECK(f.script.empty());
}

TEST_CASE("a fault outlives the desk's other owners") {
    std::optional<fault> kept;
    {
        fixture f;
        kept = f.given.on(call::otp).refuse(503);
        f.statuses(1, call::otp);
        f.desk->wake = [] {};
    }
    CHECK(kept->met() == 1);
    kept->withdraw();
}

TEST_CASE("cuts by bytes: each way counts alone, to the byte") {
    for (const direction way : {direction::to_server, direction::to_client}) {
        const direction other = way == direction::to_server ? direction::to_client : direction::to_server;
        fixture f;
        const fault cut_fault = f.given.connections().cut_after(100, way, cut::finish);
        byte_cuts c(f.script);
        c.begin(fault_target::connection);
        CHECK(c.allowed(other, 1000) == 1000);
        c.passed(other, 1000);
        CHECK(c.allowed(way, 60) == 60);
        c.passed(way, 60);
        CHECK_FALSE(c.due());
        CHECK(c.allowed(way, 60) == 40);
        CHECK(cut_fault.met() == 0);
        c.passed(way, 40);
        CHECK(c.due() == cut::finish);
        CHECK(cut_fault.met() == 1);
        CHECK(c.allowed(way, 60) == 0);
        c.passed(way, 0);
        CHECK(cut_fault.met() == 1);

        byte_cuts next(f.script); // the fault was for one
        next.begin(fault_target::connection);
        CHECK(next.allowed(way, 1000) == 1000);
    }
}

TEST_CASE("cuts by bytes: at 0, one behind the other, from the upgrade on") {
    fixture f;
    f.given.connections().cut_after(0, direction::to_server, cut::reset);
    f.given.connections().after(1).cut_after(10, direction::to_client);
    f.given.sockets().cut_after(5, direction::to_client, cut::silence);
    byte_cuts first(f.script), second(f.script), third(f.script);
    first.begin(fault_target::connection);
    CHECK(first.due() == cut::reset);
    second.begin(fault_target::connection);
    CHECK(second.allowed(direction::to_client, 100) == 100);
    third.begin(fault_target::connection);
    CHECK(third.allowed(direction::to_client, 100) == 10);
    second.begin(fault_target::socket, 130); // the answer to the upgrade is not yet out
    CHECK(second.allowed(direction::to_client, 130) == 130);
    second.passed(direction::to_client, 130);
    CHECK(second.allowed(direction::to_client, 100) == 5);
    second.passed(direction::to_client, 5);
    CHECK(second.due() == cut::silence);
}

TEST_CASE("a cut may be withdrawn until bytes have been held back for it") {
    fixture f;
    fault early = f.given.connections().cut_after(10, direction::to_client);
    byte_cuts c(f.script);
    c.begin(fault_target::connection);
    CHECK(c.allowed(direction::to_client, 10) == 10);
    f.given.clear();
    CHECK(c.allowed(direction::to_client, 20) == 20);
    c.passed(direction::to_client, 20);
    CHECK_FALSE(c.due());
    CHECK(early.met() == 0);

    fault late = f.given.connections().cut_after(10, direction::to_client);
    byte_cuts d(f.script);
    d.begin(fault_target::connection);
    CHECK(d.allowed(direction::to_client, 20) == 10); // the other 10 are gone
    late.withdraw();
    d.passed(direction::to_client, 10);
    CHECK(d.due() == cut::reset);
    CHECK(late.met() == 1);
}
