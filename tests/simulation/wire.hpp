// SPDX-License-Identifier: BSL-1.0
// What the client hands to its connections, read before the network gets it: which message was written where and when,
// with which one-time password, and when it said goodbye.
#pragma once

#include "packing.hpp"
#include "world.hpp"

#include <sluice/message.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/ws_frame.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace simulation {

namespace web = sluice::web;

/// One message in a frame, by itself or with others, on its way or about to be.
struct written_frame {
    unsigned line;
    nanoseconds when;
    std::size_t message;
    std::size_t unanswered; ///< frames on this line, with this one, at this moment
    std::size_t frame;      ///< its place on the line
    bool packed;
};
/// A close frame that nobody asked for: the client's own wish.
struct goodbye {
    unsigned line;
    nanoseconds when;
    std::size_t unanswered;
};

struct wire_log {
    std::vector<written_frame> frames{};
    std::vector<goodbye> goodbyes{};
    std::set<std::string, std::less<>> passwords{};
};

/// Of one connection, from its first byte on. What it is shown are whole requests and whole frames, once each.
class wire_reader {
public:
    wire_reader(world& w, wire_log& log, unsigned line) : world_(w), log_(log), line_(line) {}

    /// Bytes that are to be written next, of which some may have been offered before. `answered`: frames whose answers
    /// the client has read. `probed`: and the answer to the probe.
    void offered(std::span<const std::byte> bytes, std::size_t answered, bool probed) {
        probe_answered_ = probed;
        const std::size_t known = std::min(seen_ - taken_, bytes.size());
        std::string_view fresh = web::as_text(bytes.subspan(known));
        seen_ += fresh.size();
        if (!socket_) return request(fresh);
        while (!fresh.empty()) fresh.remove_prefix(frame(fresh, answered));
    }
    /// So many of them have gone.
    void taken(std::size_t n) noexcept { taken_ += n; }
    /// A write has failed. What was offered is not offered again.
    void write_failed() noexcept { taken_ = seen_; }
    /// The server has begun to close.
    void server_closes() noexcept { server_closes_ = true; }

private:
    void request(std::string_view text) {
        socket_ = text.find("Sec-WebSocket-Key") != std::string_view::npos;
        const std::string_view line = text.substr(0, text.find('\r'));
        encrypts_ = line.find("encryptionKeys=") != std::string_view::npos;
        const std::size_t at = line.find("otp=");
        if (!socket_ || at == std::string_view::npos) return;
        const std::string_view password = line.substr(at, line.find_first_of("& ", at) - at);
        if (!log_.passwords.emplace(password).second) world_.violated("line ", line_, ": a one-time password again");
    }

    std::size_t frame(std::string_view text, std::size_t answered) {
        web::frame_header h;
        if (web::parse_frame_header(web::as_bytes(text), h) != web::parse_status::ok || !h.masked) {
            world_.violated("line ", line_, ": no frame of a client");
            return text.size();
        }
        const std::size_t header = web::frame_header_size(h.length, true);
        const std::size_t size = header + static_cast<std::size_t>(h.length);
        const std::size_t n = std::min(static_cast<std::size_t>(h.length), text.size() - header);
        std::string words(text.substr(header, n));
        web::apply_mask(reinterpret_cast<std::byte*>(words.data()), n, h.key);
        if (h.op == web::opcode::text) {
            text_frame(words, answered);
        } else if (h.op == web::opcode::close && !server_closes_ && words.starts_with("\x03\xe8")) { // 1000
            log_.goodbyes.push_back({line_, world_.now(), frames_ - std::min(frames_, answered)});
        }
        if (size > text.size()) world_.violated("line ", line_, ": half a frame is offered");
        return std::min(size, text.size());
    }
    /// Of a producer that encrypts the first one asks whether the proxy knows such messages.
    void text_frame(std::string_view json, std::size_t answered) {
        const bool probe = json.starts_with(R"({"payload":"!!",)");
        if (probe != (encrypts_ && !std::exchange(probed_, true)))
            world_.violated("line ", line_, ": a probe out of place, or none: ", json);
        if (probe) return;
        if (encrypts_ && !probe_answered_) world_.violated("line ", line_, ": a message before the probe's answer");
        ++frames_;
        message(json, answered);
    }
    void message(std::string_view json, std::size_t answered) {
        constexpr std::string_view before = R"({"payload":")", mark = R"("properties":{"sluice-packed":")";
        if (!json.starts_with(before)) return world_.violated("line ", line_, ": no message: ", json.substr(0, 48));
        const std::string_view base64 = json.substr(before.size(), json.find('"', before.size()) - before.size());
        std::string payload(base64.size(), '\0');
        payload.resize(web::base64_decode(base64, reinterpret_cast<std::byte*>(payload.data())).value_or(0));
        std::vector<sluice::property> properties;
        const std::size_t at = json.find(mark, base64.size());
        const bool packed = at != std::string_view::npos;
        if (packed) {
            const std::string_view layout = json.substr(at + mark.size());
            properties.push_back(
                {std::string(sluice::packed_property), std::string(layout.substr(0, layout.find('"')))});
        }
        const auto all = payloads_in(payload, properties);
        if (!all) return world_.violated("line ", line_, ": a pack that is none");
        for (const std::string& one : *all) {
            const std::optional<std::size_t> number = number_in(one);
            if (!number) return world_.violated("line ", line_, ": no message: ", one.substr(0, 48));
            log_.frames.push_back(
                {line_, world_.now(), *number, frames_ - std::min(frames_, answered), frames_, packed});
        }
    }
    /// It stands, in decimal, at the front of the payload, perhaps behind a quotation mark.
    static std::optional<std::size_t> number_in(std::string_view payload) {
        std::size_t n = 0;
        if (payload.starts_with('"')) payload.remove_prefix(1);
        const auto [end, ec] = std::from_chars(payload.data(), payload.data() + payload.size(), n);
        if (ec != std::errc() || end == payload.data() + payload.size() || *end != ':') return std::nullopt;
        return n;
    }

    world& world_;
    wire_log& log_;
    const unsigned line_;
    std::size_t seen_ = 0, taken_ = 0; ///< bytes
    std::size_t frames_ = 0;           ///< of messages
    bool socket_ = false, server_closes_ = false;
    bool encrypts_ = false, probed_ = false, probe_answered_ = false;
};

} // namespace simulation
