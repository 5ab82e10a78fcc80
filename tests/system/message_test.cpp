// SPDX-License-Identifier: BSL-1.0
// What is sent is what is stored: payloads of every size and kind, keys, properties, times.
#include "world.hpp"

#include <numeric>

using namespace test;

namespace {

std::string bytes(std::size_t n) {
    std::string s(n, '\0');
    for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>((i * 131 + i / 251) & 0xff);
    return s;
}

const std::string unicode = "zażółć \u4f60\u597d \U0001F600 \" \\ / \b\f\n\r\t \x01 \x7f";

} // namespace

TEST_CASE("payloads of every size, and all byte values") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world w;
        sluice::client client = w.make_client(d);
        sluice::producer producer(client, "orders");
        std::vector<std::string> all{"", "a", "ab", "abc", bytes(1024), bytes(64 * 1024)};
        std::string every(256, '\0');
        std::iota(every.begin(), every.end(), '\0');
        all.push_back(every);
        for (const std::string& p : all) {
            const sluice::receipt r = run(w.context, producer.send(p));
            CHECK(r.outcome == sluice::outcome::persisted);
        }
        CHECK(w.payloads("orders") == all);
    }
}

TEST_CASE("the largest message that fits is stored, one byte more is refused, alone, before it is written") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    // {"payload":"...","context":"0"}: base64 comes in fours, the rest is fixed.
    const std::size_t room = (1u << 20) - std::string_view(R"({"payload":"","context":"0"})").size();
    const std::string largest = bytes(room / 4 * 3), too_large = bytes(room / 4 * 3 + 1);

    const sluice::error e = error_of(w.context, producer.send(too_large));
    CHECK(e.code() == sluice::errc::too_large);
    CHECK(e.code() == sluice::condition::too_large);
    CHECK(e.outcome() == sluice::outcome::not_sent);
    CHECK(contains(e.what(), std::to_string(too_large.size())));
    CHECK(contains(e.what(), "max_frame_bytes"));
    CHECK(contains(e.what(), "1048576"));

    const sluice::receipt r = run(w.context, producer.send(largest));
    CHECK(r.outcome == sluice::outcome::persisted);
    CHECK(r.sequence_id == 0); // the refused one took no number
    CHECK(w.payloads("orders") == std::vector<std::string>{largest});
    CHECK(w.gateway.stats().sockets_opened == 1);
}

TEST_CASE("a limit of one's own counts the whole frame, members included") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options o;
    o.max_frame_bytes = 256;
    sluice::producer producer(client, "orders", o);
    const std::string frame = R"({"payload":"","context":"0","key":""})";
    const std::size_t room = 256 - frame.size();
    sluice::message fits("", std::string(room, 'k'));
    const sluice::receipt r = run(w.context, producer.send(fits));
    CHECK(r.outcome == sluice::outcome::persisted);
    sluice::message misfit("", std::string(room + 1, 'k'));
    const sluice::error e = error_of(w.context, producer.send(misfit));
    CHECK(e.code() == sluice::errc::too_large);
    sluice::message escaped("", std::string(room - 1, 'k') + "\n"); // two bytes on the wire
    const sluice::error f = error_of(w.context, producer.send(escaped));
    CHECK(f.code() == sluice::errc::too_large);
}

TEST_CASE("keys, properties, times and clusters are read back as they were sent") {
    for (const sluice::dialect d : dialects) {
        CAPTURE(name_of(d));
        world w;
        sluice::client client = w.make_client(d);
        sluice::producer producer(client, "orders");
        using time_point = sluice::message_attributes::time_point;
        sluice::message m("payload", unicode);
        m.properties = {{"plain", "value"}, {unicode, unicode}, {"", "empty name"}, {"empty value", ""}};
        m.event_time = time_point(std::chrono::milliseconds(1'796'155'444'123));
        m.deliver_at = time_point(std::chrono::milliseconds(1'796'155'555'000));
        m.replication_clusters = {"eu-west", "us \"east\""};
        const sluice::receipt r = run(w.context, producer.send(m));
        CHECK(r.outcome == sluice::outcome::persisted);

        const auto stored = w.gateway.messages("orders");
        REQUIRE(stored.size() == 1);
        CHECK(stored[0].payload == "payload");
        CHECK(stored[0].key == unicode);
        CHECK(stored[0].properties == m.properties);
        CHECK(stored[0].event_time == m.event_time);
        CHECK(stored[0].deliver_at == m.deliver_at);
        CHECK(stored[0].replication_clusters == m.replication_clusters);
    }
}

TEST_CASE("an empty key is a key, and none is none") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    sluice::message with("a", "");
    const std::string borrowed = "b";
    sluice::message_view view(borrowed);
    view.with_key("k");
    const std::vector<std::byte> raw{std::byte{0}, std::byte{255}};
    run(w.context, producer.send(with));
    run(w.context, producer.send(view));
    run(w.context, producer.send(raw));
    const auto stored = w.gateway.messages("orders");
    REQUIRE(stored.size() == 3);
    CHECK(stored[0].key == "");
    CHECK(stored[1].key == "k");
    CHECK_FALSE(stored[2].key);
    CHECK(stored[2].payload == std::string("\0\xff", 2));
}

TEST_CASE("deliver_after is counted by the server") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    sluice::message m("later");
    m.deliver_after = 3600s;
    run(w.context, producer.send(m));
    const auto stored = w.gateway.messages("orders");
    REQUIRE(stored.size() == 1);
    REQUIRE(stored[0].deliver_at);
    const auto after = std::chrono::time_point_cast<std::chrono::milliseconds>(stored[0].publish_time) + 3600s;
    CHECK(std::chrono::abs(*stored[0].deliver_at - after) <= 1s);
}

TEST_CASE("what cannot be said names the member, and harms nobody else") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer producer(client, "orders");
    struct bad {
        sluice::message m;
        const char* member;
    };
    std::vector<bad> all;
    const auto add = [&](const char* member) -> sluice::message& { return all.emplace_back(bad{"x", member}).m; };
    add("properties[1].value").properties = {{"a", "b"}, {"c", std::string("d\0e", 3)}};
    add("properties[0].name").properties = {{std::string("\0", 1), "b"}};
    add("properties[0].value").properties = {{"a", "\xff"}};
    add("key").key = "\xc3";
    add("replication_clusters").replication_clusters = {"\x80"};
    add("event_time").event_time = sluice::message_attributes::time_point(std::chrono::milliseconds(253402300800000));
    for (const bad& b : all) {
        CAPTURE(b.member);
        const sluice::error e = error_of(w.context, producer.send(b.m));
        CHECK(e.code() == sluice::errc::invalid_message);
        CHECK(e.outcome() == sluice::outcome::not_sent);
        CHECK(contains(e.what(), b.member));
    }
    run(w.context, producer.send("good"));
    CHECK(w.payloads("orders") == std::vector<std::string>{"good"});
}

TEST_CASE("sequence numbers and receipts of send_all stand where the messages stood") {
    world w;
    sluice::client client = w.make_client();
    sluice::producer_options o;
    o.max_frame_bytes = 512;
    o.max_pending_messages = 3;
    sluice::producer producer(client, "orders", o);
    std::vector<sluice::message> all;
    for (int i = 0; i < 20; ++i) all.emplace_back("m" + std::to_string(i), "k");
    all[7].payload = bytes(2000);
    all[11].properties = {{"nul", std::string(1, '\0')}};
    const auto results = run(w.context, producer.send_all(all));
    REQUIRE(results.size() == all.size());
    std::int64_t number = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
        CAPTURE(i);
        if (i == 7) {
            CHECK(results[i].ec == sluice::errc::too_large);
        } else if (i == 11) {
            CHECK(results[i].ec == sluice::errc::invalid_message);
        } else {
            CHECK_FALSE(results[i].ec);
            CHECK(results[i].value.sequence_id == number++);
            continue;
        }
        CHECK(results[i].value.outcome == sluice::outcome::not_sent);
        CHECK_FALSE(results[i].value.details().text.empty());
    }
    CHECK(w.gateway.message_count("orders") == 18);
    const std::vector<std::string> none;
    CHECK(run(w.context, producer.send_all(none)).empty());
    const std::vector<std::string> strings{"x", "y"};
    CHECK(run(w.context, producer.send_all(strings)).size() == 2);
}
