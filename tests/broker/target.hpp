// SPDX-License-Identifier: BSL-1.0
// A server under test, and what a case needs to know of it: where it is, what opens it, how topics are made and read
// back.
#pragma once

#include "raw_client.hpp"

#include <sluice/config.hpp>
#include <sluice/message.hpp>

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace conformance {

/// A message as a consumer sees it.
struct seen_message {
    std::string payload{};
    std::optional<std::string> key{};
    std::map<std::string, std::string> properties{};
    std::optional<std::int64_t> event_time{}; ///< milliseconds since 1970
    sluice::message_id::position at{};
};

/// What only the broker's operators see of a message: by `GET .../subscription/S/position/1`.
struct stored_metadata {
    std::string payload{};
    std::map<std::string, std::string> fields{}; ///< without `X-Pulsar-`, in lower case
};

/// `persistent://T/NS/NAME` as the end of a path.
inline std::string path_of(std::string topic) {
    const std::size_t name = topic.rfind('/') + 1;
    const std::string encoded = web::percent_encode(std::string_view(topic).substr(name));
    topic.replace(name, topic.size() - name, encoded);
    topic.replace(topic.find("://"), 3, "/");
    return topic;
}

/// ISO 8601 in UTC as Pulsar writes it, its fraction without the zeros at the end, as milliseconds since 1970.
inline std::int64_t parse_date(std::string_view text) {
    const auto number = [&](std::size_t at, std::size_t n) {
        int value = 0;
        check(at + n <= text.size(), "not a date: " + shown(text));
        std::from_chars(text.data() + at, text.data() + at + n, value);
        return value;
    };
    check(text.size() >= 20 && text.back() == 'Z', "not a date: " + shown(text));
    const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                           std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                           std::chrono::day(static_cast<unsigned>(number(8, 2)))};
    const auto at = std::chrono::sys_days(date) + std::chrono::hours(number(11, 2)) +
                    std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2));
    int fraction = 0; // milliseconds, of whatever number of digits
    for (std::size_t i = 20, scale = 100; text[19] == '.' && text[i] != 'Z' && scale != 0; ++i, scale /= 10)
        fraction += number(i, 1) * static_cast<int>(scale);
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count() + fraction;
}

enum class server_kind { gateway, pulsar_4_0, pulsar_3_0 };

/// How a server is known to answer otherwise than the others.
struct difference {
    server_kind where;
    std::string how;
    auto operator<=>(const difference&) const = default;
};

/// Cases cannot ask which server it is: they say where one differs, and the table tells it.
class target {
public:
    explicit target(server_kind kind) : kind_(kind) {}
    target(const target&) = delete;
    target& operator=(const target&) = delete;
    virtual ~target() = default;

    /// True on that server; the case expects there what `how` says.
    bool differs(server_kind where, const std::string& how) {
        differences.insert({where, how});
        return where == kind_;
    }
    /// The case cannot be run on that server, and why.
    void lacks(server_kind where, const std::string& why) {
        if (differs(where, why)) throw skipped(why);
    }

    tcp::endpoint address{};  ///< plain HTTP and WebSocket
    std::string url{};        ///< of the client
    std::string ca_pem{};     ///< with a `wss` URL
    std::string token{};      ///< of somebody who may do everything; empty: the server asks for none
    std::string stranger{};   ///< a token of somebody who may do nothing; empty: there is none
    target* secure = nullptr; ///< the same server, or one like it, over TLS
    target* narrow = nullptr; ///< one like it whose limits are within reach: see `narrow_limits`
    std::string proxy_url{};  ///< of a WebSocket proxy that is a process of its own; empty: there is none
    std::string control{};    ///< a command that kills and freezes processes
    std::uint64_t seed = 0;   ///< of what cases choose at random; they tell it
    std::string produce{};    ///< the example that publishes lines; empty: it is not there
    std::string broker_url{}; ///< of the binary protocol; empty: it is not known
    std::string consume{};    ///< a command that reads with the official clients: consumers/consume

    /// What a row of the table tells beside its name.
    std::string note{};
    /// What the case that runs has said of servers.
    std::set<difference> differences{};

    /// Every message of the topic, oldest first.
    virtual std::vector<seen_message> read_back(const std::string& topic) = 0;

    /// How a client of the library gets there.
    sluice::client_config config() const {
        sluice::client_config c;
        c.url = url;
        if (!token.empty()) c.auth = sluice::bearer_token{token};
        c.tls.ca_pem = ca_pem;
        return c;
    }
    std::string authorization() const { return token.empty() ? std::string() : "Bearer " + token; }

    /// A topic that nobody has used. Not created yet: the first producer does that.
    std::string new_topic(const std::string& owner = "public/default") {
        return "persistent://" + owner + "/" + unique_name();
    }
    std::string new_namespace(bool deduplicate) {
        const std::string ns = "public/" + unique_name();
        expect_done("PUT", "/namespaces/" + ns, "{}");
        if (deduplicate) expect_done("POST", "/namespaces/" + ns + "/deduplication", "true");
        return ns;
    }
    std::string unique_name() { return "c" + run_ + "-" + std::to_string(next_name_++); }

    web::http_response rest(std::string method, const std::string& path, std::string body = {}) const {
        web::http_request request;
        request.method = std::move(method);
        request.target = "/admin/v2" + path;
        if (!token.empty()) request.fields.add("Authorization", authorization());
        if (!body.empty()) request.fields.add("Content-Type", "application/json");
        request.body = std::move(body);
        return exchange(address, std::move(request));
    }
    void expect_done(const std::string& method, const std::string& path, std::string body = {}) const {
        const web::http_response r = rest(method, path, std::move(body));
        check(r.status / 100 == 2, method + " " + path + ": " + std::to_string(r.status) + " " + shown(r.body));
    }

    std::string consumer_target(const std::string& topic, const std::string& subscription,
                                const std::string& query = {}) const {
        return "/ws/v2/consumer/" + path_of(topic) + "/" + subscription + (query.empty() ? "" : "?" + query);
    }
    std::string reader_target(const std::string& topic, const std::string& query = {}) const {
        return "/ws/v2/reader/" + path_of(topic) + (query.empty() ? "" : "?" + query);
    }
    std::string producer_target(const std::string& topic, const std::string& query = {}) const {
        return "/ws/v2/producer/" + path_of(topic) + (query.empty() ? "" : "?" + query);
    }
    /// The first message of a topic that was not written in a batch.
    stored_metadata first_metadata(const std::string& topic) {
        const std::string subscription = "/" + path_of(topic) + "/subscription/" + unique_name();
        expect_done("PUT", subscription, "\"earliest\"");
        const web::http_response r = rest("GET", subscription + "/position/1");
        check(r.status == 200, "peeking: " + std::to_string(r.status) + " " + shown(r.body));
        stored_metadata m;
        m.payload = r.body;
        constexpr std::string_view prefix = "x-pulsar-";
        for (const web::http_field& f : r.fields) {
            std::string lower = f.name;
            for (char& c : lower) c = web::to_lower(c);
            if (lower.starts_with(prefix)) m.fields[lower.substr(prefix.size())] = f.value;
        }
        return m;
    }

private:
    static std::string random_digits() {
        std::array<std::byte, 4> bytes;
        test_random()(bytes);
        return std::to_string(std::to_integer<unsigned>(bytes[0]) << 16 | std::to_integer<unsigned>(bytes[1]) << 8 |
                              std::to_integer<unsigned>(bytes[2]));
    }

    server_kind kind_;
    std::string run_ = random_digits();
    int next_name_ = 1;
};

/// An open producer socket.
class raw_producer : public raw_socket {
public:
    raw_producer(const target& server, const std::string& topic, const std::string& query = {},
                 std::string_view behind = {})
        : raw_socket(server.address, server.producer_target(topic, query), server.authorization(), behind) {
        check(is_open(), "the upgrade was answered " + std::to_string(answer().status) + " " + shown(answer().body));
    }
};

} // namespace conformance
