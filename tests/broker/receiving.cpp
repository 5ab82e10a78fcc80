// SPDX-License-Identifier: BSL-1.0
#include "receiving.hpp"

#include <simdjson.h>

#include <algorithm>
#include <functional>

namespace conformance {

namespace {

simdjson::dom::element parsed(simdjson::dom::parser& parser, const std::string& text) {
    simdjson::dom::element root;
    check(parser.parse(text).get(root) == simdjson::SUCCESS, "not JSON: " + shown(text));
    return root;
}

/// Calls `each` for every word.
void for_each_word(std::string_view words, const std::function<void(std::string_view)>& each) {
    while (!words.empty()) {
        const std::string_view one = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(words.size(), one.size() + 1));
        each(one);
    }
}

std::string id_in(const std::string& answer) {
    simdjson::dom::parser parser;
    std::string_view id;
    check(parsed(parser, answer)["messageId"].get(id) == simdjson::SUCCESS, "publishing: " + shown(answer));
    return std::string(id);
}

} // namespace

sluice::message_id::position received::at() const {
    const auto p = sluice::message_id(id).decode();
    check(p.has_value(), "message id: " + shown(id));
    return *p;
}

raw_receiver::raw_receiver(const target& server, const std::string& where)
    : raw_socket(server.address, where, server.authorization()) {
    check(is_open(), "the upgrade was answered " + std::to_string(answer().status) + " " + shown(answer().body));
}

received raw_receiver::read(std::string text) {
    simdjson::dom::parser parser;
    const simdjson::dom::element m = parsed(parser, text);
    received r;
    std::string_view payload, id;
    std::int64_t redeliveries = -1;
    check(m["messageId"].get(id) == simdjson::SUCCESS && m["payload"].get(payload) == simdjson::SUCCESS &&
              m["redeliveryCount"].get(redeliveries) == simdjson::SUCCESS,
          "not a message: " + shown(text));
    r.id = id;
    r.redeliveries = static_cast<int>(redeliveries);
    r.payload.resize(web::base64_decoded_bound(payload.size()));
    const auto n = web::base64_decode(payload, reinterpret_cast<std::byte*>(r.payload.data()));
    check(n.has_value(), "the payload is not base64: " + shown(text));
    r.payload.resize(*n);
    r.text = std::move(text);
    taken_.push_back(r);
    return r;
}

received raw_receiver::next() { return read(read_text()); }

std::string raw_receiver::take(std::size_t messages) {
    std::string all;
    for (std::size_t i = 0; i < messages; ++i) {
        const received r = next();
        all += (i == 0 ? "" : " ") + r.payload;
        if (r.redeliveries != 0) all += "*" + std::to_string(r.redeliveries);
    }
    return all;
}

std::string raw_receiver::take_just(std::size_t messages) {
    std::string all = take(messages);
    if (const std::string more = take_all(); !more.empty()) all += " and " + more;
    return all;
}

std::string raw_receiver::take_all(std::chrono::milliseconds silence) {
    std::string all;
    while (has_text_within(silence)) all += (all.empty() ? "" : " ") + take(1);
    return all;
}

const received& raw_receiver::last(std::string_view payload) const {
    const auto found =
        std::find_if(taken_.rbegin(), taken_.rend(), [&](const received& r) { return r.payload == payload; });
    check(found != taken_.rend(), "never delivered: " + std::string(payload));
    return *found;
}

bool raw_receiver::is_end_of_topic() {
    const std::string answer = ask_for(R"({"type":"isEndOfTopic"})", R"({"endOfTopic":)");
    check(answer == R"({"endOfTopic":true})" || answer == R"({"endOfTopic":false})", "the end: " + shown(answer));
    return answer == R"({"endOfTopic":true})";
}

void raw_receiver::say_and_end(const std::string& said, int code, std::string_view reason) {
    text(said);
    const ending end = read_end();
    check_same(end.code, code, said);
    check_same(end.reason, reason, said);
}

void raw_receiver::leave() {
    close(1000);
    read_end();
}

std::string message_text(std::string_view payload, const std::string& members) {
    return R"({"payload":")" + web::base64_encode_string(web::as_bytes(payload)) + R"(")" + members + "}";
}

std::vector<std::string> publish(target& server, const std::string& topic, std::string_view payloads,
                                 const std::string& members, const std::string& query) {
    std::vector<std::string> ids;
    raw_producer socket(server, topic, query);
    for_each_word(payloads,
                  [&](std::string_view one) { ids.push_back(id_in(socket.ask(message_text(one, members)))); });
    return ids;
}

std::vector<std::string> publish_batch(target& server, const std::string& topic, std::string_view payloads) {
    const auto words = std::count(payloads.begin(), payloads.end(), ' ') + 1;
    raw_producer socket(server, topic,
                        "batchingEnabled=true&batchingMaxPublishDelay=5000&batchingMaxMessages=" +
                            std::to_string(words));
    for_each_word(payloads, [&](std::string_view one) { socket.text(message_text(one)); });
    std::vector<std::string> ids;
    for (std::ptrdiff_t i = 0; i < words; ++i) ids.push_back(id_in(socket.read_text()));
    return ids;
}

long backlog_of(const target& server, const std::string& topic, const std::string& subscription) {
    const web::http_response r = server.rest("GET", "/" + path_of(topic) + "/stats");
    check(r.status == 200, "statistics: " + std::to_string(r.status) + " " + shown(r.body));
    simdjson::dom::parser parser;
    std::int64_t n = -1;
    if (parsed(parser, r.body)["subscriptions"][subscription]["msgBacklog"].get(n) != simdjson::SUCCESS) return -1;
    return static_cast<long>(n);
}

} // namespace conformance
