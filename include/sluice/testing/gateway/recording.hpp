// SPDX-License-Identifier: BSL-1.0
// Recorded traffic, for assertions on how a client speaks: which requests, how many sockets, how many frames per write.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

/// An HTTP request. Neither its header nor its body is kept, for they hold secrets.
struct recorded_request {
    std::string method{};
    std::string target{};    ///< as it came, with `***` for the value of an `otp` or a `token`
    bool authorized = false; ///< it had an `Authorization` field, an `otp` or a `token`
    int status = 0;          ///< the answer's; 0: the connection was cut instead
};

/// What one read of a socket brought: about one write of the client's, or several that have met on the way.
struct recorded_read {
    std::size_t bytes = 0;
    std::size_t frames = 0; ///< messages that were complete with it
};

struct recorded_connection {
    std::uint64_t number = 0; ///< counted from 1 since the gateway's start
    std::vector<recorded_request> requests{};
    bool socket = false;                ///< it was upgraded
    std::vector<recorded_read> reads{}; ///< of the socket
    std::uint64_t bytes = 0;            ///< of the socket, read
    std::uint64_t frames = 0;           ///< messages that came over the socket, text and binary
    int client_close_code = 0;          ///< of the client's close frame; 1005: it had none, 0: there was no frame
    int server_close_code = 0;          ///< of ours, where we were first
};

/// Everything since `record(true)`.
struct recorded_traffic {
    std::vector<recorded_connection> connections{}; ///< that had something to record, in this order
    std::uint64_t requests = 0, sockets = 0, reads = 0, bytes = 0, frames = 0;
    std::uint64_t left_out = 0; ///< connections, requests and reads that were counted above and not kept

    /// Of the reads of sockets.
    double frames_per_read() const noexcept {
        return reads == 0 ? 0.0 : static_cast<double>(frames) / static_cast<double>(reads);
    }
};

namespace detail {

/// The values of `otp` and `token` in a target, which open sockets, are left out. Sets `found` if there was one.
inline std::string without_secrets(std::string_view target, bool& found) {
    std::string out;
    std::size_t at = std::min(target.find('?'), target.size());
    out = target.substr(0, at);
    while (at != target.size()) {
        const std::size_t next = std::min(target.find('&', at + 1), target.size());
        const std::string_view parameter = target.substr(at, next - at); // with its `?` or `&`
        const std::size_t equals = parameter.find('=');
        const std::string_view name = parameter.substr(1, equals == std::string_view::npos ? equals : equals - 1);
        if (equals != std::string_view::npos && (name == "otp" || name == "token")) {
            out.append(parameter.substr(0, equals + 1)).append("***");
            found = true;
        } else {
            out += parameter;
        }
        at = next;
    }
    return out;
}

/// Keeps a bounded part, counts all.
class traffic_recorder {
public:
    /// On: begins anew. Off: what has been recorded stays.
    void record(bool on) {
        on_ = on;
        if (!on) return;
        ++run_;
        traffic_ = {};
        room_ = most_kept;
    }
    bool on() const noexcept { return on_; }
    const recorded_traffic& traffic() const noexcept { return traffic_; }

private:
    friend class connection_log;

    static constexpr std::size_t most_kept = 50'000; ///< connections, requests and reads together
    static constexpr std::size_t longest_target = 512, longest_method = 16;

    bool keep() noexcept {
        if (room_ == 0) ++traffic_.left_out;
        return room_ != 0 && room_-- != 0;
    }

    bool on_ = false;
    std::uint64_t run_ = 0, connections_ = 0;
    std::size_t room_ = 0;
    recorded_traffic traffic_{};
};

/// One connection's part. While nothing is recorded each call is a look at one flag.
class connection_log {
public:
    explicit connection_log(traffic_recorder& recorder) noexcept
        : recorder_(recorder), number_(++recorder.connections_) {}

    void request(std::string_view method, std::string_view target, bool authorized, int status) {
        if (!recorder_.on_) return;
        ++recorder_.traffic_.requests;
        recorded_connection* const c = entry();
        if (c == nullptr || !recorder_.keep()) return;
        std::string kept = without_secrets(target, authorized);
        kept.resize(std::min(kept.size(), traffic_recorder::longest_target));
        c->requests.push_back(
            {std::string(method.substr(0, traffic_recorder::longest_method)), std::move(kept), authorized, status});
    }
    void upgraded() {
        if (!recorder_.on_) return;
        ++recorder_.traffic_.sockets;
        if (recorded_connection* const c = entry()) c->socket = true;
    }
    void read(std::size_t bytes, std::size_t frames) {
        if (!recorder_.on_) return;
        recorded_traffic& all = recorder_.traffic_;
        ++all.reads;
        all.bytes += bytes;
        all.frames += frames;
        recorded_connection* const c = entry();
        if (c == nullptr) return;
        c->socket = true;
        c->bytes += bytes;
        c->frames += frames;
        if (recorder_.keep()) c->reads.push_back({bytes, frames});
    }
    void client_closed(int code) {
        if (!recorder_.on_) return;
        if (recorded_connection* const c = entry()) c->client_close_code = code;
    }
    void server_closed(int code) {
        if (!recorder_.on_) return;
        if (recorded_connection* const c = entry(); c != nullptr && c->client_close_code == 0)
            c->server_close_code = code;
    }

private:
    /// Null: there was no room for it.
    recorded_connection* entry() {
        std::vector<recorded_connection>& all = recorder_.traffic_.connections;
        if (run_ != recorder_.run_) {
            run_ = recorder_.run_;
            kept_ = recorder_.keep();
            index_ = all.size();
            if (kept_) all.emplace_back().number = number_;
        }
        return kept_ ? &all[index_] : nullptr;
    }

    traffic_recorder& recorder_;
    std::uint64_t number_, run_ = 0;
    std::size_t index_ = 0; ///< in the recorder's list
    bool kept_ = false;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
