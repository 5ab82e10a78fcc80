// SPDX-License-Identifier: BSL-1.0
// A proxy model, producers, and clients that consume and read, for the tests of those two sockets.
#pragma once

#include "support/peer_client.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace test {

using namespace std::chrono_literals;

/// A member of a delivered frame: a string without its quotation marks, or a number.
inline std::string member(std::string_view frame, std::string_view name) {
    const std::string mark = "\"" + std::string(name) + "\":";
    const std::size_t at = frame.find(mark);
    if (at == std::string_view::npos) return {};
    frame.remove_prefix(at + mark.size());
    if (!frame.starts_with('"')) return std::string(frame.substr(0, frame.find_first_of(",}")));
    frame.remove_prefix(1);
    return std::string(frame.substr(0, frame.find('"')));
}

struct received {
    std::string payload{}, id{};
    int redeliveries = 0;
    std::string frame{};
};

inline received read_delivery(std::string frame) {
    received r;
    const std::string text = member(frame, "payload");
    r.payload.resize(web::base64_decoded_bound(text.size()));
    const auto n = web::base64_decode(text, reinterpret_cast<std::byte*>(r.payload.data()));
    REQUIRE(n);
    r.payload.resize(*n);
    r.id = member(frame, "messageId");
    r.redeliveries = std::stoi(member(frame, "redeliveryCount"));
    r.frame = std::move(frame);
    return r;
}

/// Messages as `PAYLOAD` or, from the first redelivery on, `PAYLOAD*COUNT`, with blanks between.
inline std::string shown(const std::vector<received>& messages) {
    std::string text;
    for (const received& r : messages) {
        if (!text.empty()) text += ' ';
        text += r.payload;
        if (r.redeliveries != 0) text += "*" + std::to_string(r.redeliveries);
    }
    return text;
}

struct receiving_world {
    explicit receiving_world(proxy_options options = {}) : model(std::move(options), counting_random(state)) {}

    std::uint64_t state = 7;
    time_point now = start;
    proxy_model model;

    std::string rest(std::string method, std::string target, int status, std::string body = {}) {
        peer_client c(model, now);
        const auto r = c.request(std::move(method), std::move(target), {}, std::move(body));
        CHECK(r.status == status);
        return r.body;
    }
    /// Statistics of `public/default/t`.
    std::string stats() { return rest("GET", "/admin/v2/persistent/public/default/t/stats", 200); }
    std::string backlog() { return member(stats(), "msgBacklog"); }
};

/// A client's connection whose time is the world's.
struct socket_client : peer_client {
    explicit socket_client(receiving_world& w) : peer_client(w.model, w.now), w_(w) {}

    void open(const std::string& target) { REQUIRE(upgrade(target).status == 101); }
    /// What has arrived since, once whatever is due has been done.
    std::vector<std::string> hear() {
        now = w_.now;
        for (std::vector<std::string> all;;) {
            if (server().next_time() <= now) server().advance(now);
            const auto more = listen();
            all.insert(all.end(), more.begin(), more.end());
            if (server().next_time() > now) return all;
        }
    }
    /// True if the connection ends without a close frame.
    bool aborted() { return close_code == 0 && server().want_close(); }

protected:
    receiving_world& w_;
};

struct publisher : socket_client {
    explicit publisher(receiving_world& w, const std::string& query = "", const std::string& topic = "t")
        : socket_client(w) {
        open("/ws/v2/producer/persistent/public/default/" + topic + query);
    }
    /// Payloads with blanks between.
    void publish(std::string_view payloads, const std::string& more = "") {
        now = w_.now;
        for (std::string_view rest = payloads; !rest.empty();) {
            const std::string_view one = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), one.size() + 1));
            websocket().send(
                web::opcode::text,
                web::as_bytes("{\"payload\":\"" + web::base64_encode_string(web::as_bytes(one)) + "\"" + more + "}"));
        }
        exchange_frames();
    }
    void publish_with_key(std::string_view payload, const std::string& key) {
        publish(payload, ",\"key\":\"" + key + "\"");
    }
};

/// Remembers the ids of what it has got.
struct receiver : socket_client {
    receiver(receiving_world& w, const std::string& target) : socket_client(w) { open(target); }

    std::string get() {
        std::vector<received> messages;
        for (std::string& frame : hear()) messages.push_back(read_delivery(std::move(frame)));
        all.insert(all.end(), messages.begin(), messages.end());
        return shown(messages);
    }
    /// The id of the last delivery of a payload.
    std::string id_of(std::string_view payload) const {
        for (auto m = all.rbegin(); m != all.rend(); ++m)
            if (m->payload == payload) return m->id;
        FAIL("not delivered: ", payload);
        return {};
    }
    /// What the server says about it goes to the next `get`.
    void tell(std::string_view text) {
        now = w_.now;
        websocket().send(web::opcode::text, web::as_bytes(text));
        for (auto bytes = websocket().output(); !bytes.empty(); bytes = websocket().output()) {
            server().receive(bytes, now);
            websocket().consume_output(bytes.size());
        }
    }
    void ack(std::string_view payload) { tell("{\"messageId\":\"" + id_of(payload) + "\"}"); }
    void nack(std::string_view payload) {
        tell("{\"type\":\"negativeAcknowledge\",\"messageId\":\"" + id_of(payload) + "\"}");
    }
    std::string end_of_topic() {
        tell("{\"type\":\"isEndOfTopic\"}");
        const auto answers = hear();
        return answers.empty() ? "" : answers.back();
    }
    void leave() {
        now = w_.now;
        server().end_of_stream(now);
    }

    std::vector<received> all{};
};

struct subscriber : receiver {
    explicit subscriber(receiving_world& w, const std::string& query = "", const std::string& subscription = "s",
                        const std::string& topic = "t")
        : receiver(w, "/ws/v2/consumer/persistent/public/default/" + topic + "/" + subscription + query) {}
};

struct topic_reader : receiver {
    explicit topic_reader(receiving_world& w, const std::string& query = "", const std::string& topic = "t")
        : receiver(w, "/ws/v2/reader/persistent/public/default/" + topic + query) {}
};

/// The text of a refused upgrade's page.
inline std::string refusal_of(receiving_world& w, const std::string& target, int status,
                              const std::string& authorization = {}) {
    peer_client c(w.model, w.now);
    const auto r = c.upgrade(target, authorization);
    CHECK(r.status == status);
    const std::string mark = "<th>MESSAGE:</th><td>";
    const std::size_t at = r.body.find(mark);
    if (at == std::string::npos) return r.body;
    std::string text = r.body.substr(at + mark.size());
    text.resize(text.find("</td>"));
    for (const auto& [escape, plain] : {std::pair{"&quot;", "\""}, std::pair{"&gt;", ">"}, std::pair{"&apos;", "'"}})
        for (std::size_t i = 0; (i = text.find(escape)) != std::string::npos;)
            text.replace(i, std::string_view(escape).size(), plain);
    if (const std::size_t id = text.find("\",\"reqId\""); id != std::string::npos) text.resize(id); // it differs
    return text;
}

} // namespace test
