// SPDX-License-Identifier: BSL-1.0
// What is sent is what is stored: every payload, every member of a message.
#include "cases.hpp"
#include "producing.hpp"

#include <sluice/pulsar/message_frame.hpp>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using sluice::message;

/// Text that a careless encoder breaks: what JSON escapes, and UTF-8 of every length up to the last code point.
const std::vector<std::string> texts = {
    "",
    " ",
    "plain",
    R"(quote " back\slash / slash)",
    "\b\f\n\r\t",
    "\x01\x02\x03\x04\x05\x06\x07\x0b\x0e\x0f\x10\x1b\x1f\x7f",
    "\xc2\x80 \xdf\xbf",                      // U+0080, U+07FF
    "\xe0\xa0\x80 \xed\x9f\xbf",              // U+0800, U+D7FF
    "\xee\x80\x80 \xef\xbf\xbd \xef\xbf\xbf", // U+E000, U+FFFD, U+FFFF
    "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",      // U+10000, U+10FFFF
    "\xe2\x80\xa8\xe2\x80\xa9",               // the line separators that JavaScript minds
    "\xef\xbb\xbf"
    "byte order mark",
    "\xe6\xb5\x81 \xd8\xb3\xd9\x8a\xd9\x84 \xd7\xa0\xd7\x97\xd7\x9c \xf0\x9f\x8c\x8a e\xcc\x81",
    "</script>&amp;%00%2F+",
};

std::vector<message> as_payloads(const std::vector<std::string>& bytes) { return {bytes.begin(), bytes.end()}; }

void payload_sizes(target& server) {
    std::vector<std::string> payloads;
    for (const std::size_t size : {0u, 1u, 2u, 3u, 4u, 5u, 1023u, 1024u, 1025u, 65535u, 65536u, 65537u})
        payloads.push_back(noise(size, static_cast<std::uint32_t>(size + 1)));
    send_and_compare(server, server.new_topic(), as_payloads(payloads));
}

void all_bytes(target& server) {
    std::vector<std::string> payloads(1);
    for (int c = 0; c < 256; ++c) {
        payloads.front() += static_cast<char>(c);
        payloads.emplace_back(1, static_cast<char>(c));
    }
    send_and_compare(server, server.new_topic(), as_payloads(payloads));
}

/// The first message of a producer has the context "0".
std::size_t frame_text(const message& m) { return sluice::pulsar::message_encoder().text_size(m, 0); }

asio::awaitable<void> refuses(any_producer& producer, const message& m) {
    const sluice::result r = co_await outcome_of(producer, m);
    check(r.ec == sluice::errc::too_large, "one byte more: " + r.ec.message());
    check(r.value.outcome == sluice::outcome::not_sent, "one byte more: outcome");
}

/// `max_frame_bytes` counts the frame's text: one byte more is refused here, and nothing else suffers.
void largest(target& server) {
    const std::size_t limit = sluice::producer_options().max_frame_bytes;
    std::size_t size = limit / 4 * 3;
    while (frame_text(noise(size)) > limit) --size;
    message filled(noise(size - 99), "");
    filled.key->append(limit - frame_text(filled), 'k'); // to the last byte
    check_same(frame_text(filled), limit, "the text of the largest frame");
    message overfull = filled;
    *overfull.key += 'k';
    const message one_more(noise(size + 1));
    const std::vector<message> fitting = {noise(size), filled, message("afterwards")};

    const std::string topic = server.new_topic();
    std::vector<sluice::result> results;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        // One producer for each: the number of the message is a part of its frame.
        for (const message& m : fitting) {
            any_producer producer = make_producer(executor, server, topic);
            co_await refuses(producer, overfull);
            co_await refuses(producer, one_more);
            sluice::result r;
            r.value = co_await producer.send(m);
            results.push_back(r);
            co_await producer.close();
        }
    });
    check_stored(fitting, results, server.read_back(topic));
}

void unicode(target& server) {
    std::vector<message> messages;
    for (const std::string& text : texts) {
        message m(text, text);
        m.properties = {{"as value", text}, {text, "as name"}};
        messages.push_back(std::move(m));
    }
    send_and_compare(server, server.new_topic(), messages);
}

void unicode_topic(target& server) {
    send_and_compare(server, server.new_topic() + "-\xe6\xb5\x81 %2B+&=?#", {message("in a topic of that name")});
}

void keys(target& server) {
    const std::string nul("\0in\0side\0", 9);
    send_and_compare(server, server.new_topic(),
                     {message("none"), message("empty", ""), message("one", "1"), message("NUL", nul),
                      message("long", std::string(70'000, 'x')), message("none again")});
}

void properties(target& server) {
    std::vector<message> messages(5);
    messages[1].properties = {{"a", "b"}};
    messages[2].properties = {{"", "empty name"}, {"empty value", ""}};
    messages[3].properties = {{"twice", "first"}, {"other", "1"}, {"twice", "second"}};
    for (int i = 0; i < 1000; ++i)
        messages[4].properties.push_back({"name " + std::to_string(i), "value " + std::to_string(i)});
    send_and_compare(server, server.new_topic(), messages);
}

void event_times(target& server) {
    const std::vector<std::chrono::milliseconds> times{1ms,
                                                       999ms,
                                                       1000ms,
                                                       1'796'155'444'007ms,
                                                       1'796'155'444'070ms,
                                                       1'796'155'444'700ms,
                                                       1'796'155'444'000ms,
                                                       951'782'399'999ms,      // before 29 February 2000
                                                       4'107'542'400'000ms,    // 1 March 2100
                                                       253'402'300'799'999ms}; // the last of the year 9999
    std::vector<message> messages;
    for (const auto t : times) {
        messages.emplace_back("at " + std::to_string(t.count()));
        messages.back().event_time.emplace(t);
    }
    send_and_compare(server, server.new_topic(), messages);
}

/// The metadata of a message that carries `attributes`, alone in a topic.
stored_metadata metadata_of(target& server, const sluice::message_attributes& attributes) {
    const std::string topic = server.new_topic();
    message m("metadata");
    static_cast<sluice::message_attributes&>(m) = attributes;
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        any_producer producer = make_producer(executor, server, topic);
        co_await producer.send(m);
        co_await producer.close();
    });
    return server.first_metadata(topic);
}

std::int64_t now_ms() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

/// Delays are short or past: a reader gets such messages at once in any case.
void deliver_at(target& server) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    std::vector<message> messages(4, message("delayed"));
    messages[0].deliver_at = now + 300ms;
    messages[1].deliver_at = now - 24h;
    messages[2].deliver_at.emplace(1ms);
    messages[3].deliver_at = now + 24h * 365;
    send_and_compare(server, server.new_topic(), messages);
    for (const message& m : messages) {
        stored_metadata stored = metadata_of(server, m);
        check_same(parse_date(stored.fields["deliver-at-time"]), m.deliver_at->time_since_epoch().count(),
                   "deliver at");
    }
}

void deliver_after(target& server) {
    std::vector<message> messages(4, message("delayed"));
    messages[0].deliver_after = 300ms;
    messages[1].deliver_after = 0ms;
    messages[2].deliver_after = -5ms;
    messages[3].deliver_after = 24h;
    send_and_compare(server, server.new_topic(), messages);
    check(!metadata_of(server, messages[1]).fields.contains("deliver-at-time"), "a delay of 0 is none");
    check(!metadata_of(server, messages[2]).fields.contains("deliver-at-time"), "a negative delay is none");
    const std::int64_t before = now_ms();
    stored_metadata stored = metadata_of(server, messages[3]);
    const std::int64_t day = std::chrono::milliseconds(24h).count();
    const std::int64_t at = parse_date(stored.fields["deliver-at-time"]);
    check(before + day <= at && at <= now_ms() + day, "deliver after: " + stored.fields["deliver-at-time"]);
}

void replication_clusters(target& server) {
    sluice::message_attributes attributes;
    check(!metadata_of(server, attributes).fields.contains("replicated-to"), "not asked for");
    attributes.replication_clusters = {"standalone"};
    check_same(metadata_of(server, attributes).fields["replicated-to"], "standalone", "replicated to");
}

void all_members(target& server) {
    message m(noise(100), "key \xc3\xbc");
    m.properties = {{"a", "b"}, {"c", "d"}};
    m.event_time.emplace(1'796'155'444'007ms);
    m.deliver_at.emplace(1'796'155'444'008ms);
    m.replication_clusters = {"standalone"};
    const std::string topic = server.new_topic();
    const auto results = send_and_compare(server, topic, {m});
    check_same(results[0].value.sequence_id, 0, "sequence id");
    stored_metadata stored = server.first_metadata(topic);
    check_same(stored.payload, m.payload, "payload");
    check_same(stored.fields["event-time"], "2026-12-01T20:04:04.007Z", "event time");
    check_same(stored.fields["deliver-at-time"], "2026-12-01T20:04:04.008Z", "deliver at");
    check_same(stored.fields["replicated-to"], "standalone", "replicated to");
    check_same(stored.fields["sequence-id"], "0", "sequence id");
}

} // namespace

std::vector<test_case> message_cases() {
    return {
        {"payloads of 0 to 64 KiB", payload_sizes},
        {"all 256 byte values", all_bytes},
        {"the largest frame, and one byte more", largest},
        {"Unicode in payload, key and properties", unicode},
        {"Unicode in the topic's name", unicode_topic},
        {"keys", keys},
        {"properties", properties},
        {"event times", event_times},
        {"deliver at", deliver_at},
        {"deliver after", deliver_after},
        {"replication clusters", replication_clusters},
        {"all members of one message", all_members},
    };
}

} // namespace conformance
