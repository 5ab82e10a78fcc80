// SPDX-License-Identifier: BSL-1.0
// What a client written by hand needs to know of GDN and Pulsar: where the socket is, and how a message looks.
#pragma once

#include "measure.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/// `http[s]://HOST:PORT` speaks GDN (a one-time password first), `ws[s]://HOST:PORT` is a plain Pulsar.
struct target {
    explicit target(const std::string& url) {
        std::string_view rest = url;
        const std::string_view scheme = rest.substr(0, rest.find("://"));
        gdn = scheme == "http" || scheme == "https";
        tls = scheme == "https" || scheme == "wss";
        if (!gdn && !tls && scheme != "ws") fail(url + ": allowed is http[s]://HOST:PORT and ws[s]://HOST:PORT");
        rest.remove_prefix(scheme.size() + 3);
        rest = rest.substr(0, rest.find('/'));
        const std::size_t colon = rest.find(':');
        host = rest.substr(0, colon);
        port = colon == std::string_view::npos ? (tls ? "443" : "80") : rest.substr(colon + 1);
    }

    /// Host header, RFC 9112 3.2.
    std::string authority() const { return host + ":" + port; }

    std::string path(const std::string& otp) const {
        return gdn ? "/_ws/ws/v2/producer/persistent/_mm/c8global._system/c8globals.benchmark?otp=" + otp
                   : "/ws/v2/producer/persistent/public/default/benchmark";
    }

    bool gdn = true;
    bool tls = false;
    std::string host;
    std::string port;
};

inline std::string otp_in(std::string_view json) {
    constexpr std::string_view member = "\"otp\":\"";
    const std::size_t begin = json.find(member);
    const std::size_t end = begin == std::string_view::npos ? begin : json.find('"', begin + member.size());
    if (end == std::string_view::npos) fail("no OTP in: " + std::string(json));
    return std::string(json.substr(begin + member.size(), end - begin - member.size()));
}

/// RFC 4648, appended to `out`.
inline void append_base64(std::string& out, std::string_view bytes) {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // Two characters at a time, by table.
    static const auto pairs = [] {
        std::array<std::array<char, 2>, 4096> table{};
        for (std::size_t i = 0; i < table.size(); ++i) table[i] = {alphabet[i >> 6], alphabet[i & 63]};
        return table;
    }();
    const std::size_t begin = out.size();
    out.resize(begin + (bytes.size() + 2) / 3 * 4);
    char* to = out.data() + begin;
    const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3, to += 4) {
        const std::uint32_t three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        const auto& high = pairs[three >> 12];
        const auto& low = pairs[three & 4095];
        to[0] = high[0], to[1] = high[1], to[2] = low[0], to[3] = low[1];
    }
    if (i == bytes.size()) return;
    const std::uint32_t last = at(i) << 16 | (i + 1 < bytes.size() ? at(i + 1) << 8 : 0);
    to[0] = alphabet[last >> 18], to[1] = alphabet[last >> 12 & 63];
    to[2] = i + 1 < bytes.size() ? alphabet[last >> 6 & 63] : '=';
    to[3] = '=';
}

/// The bytes that every program sends: not compressible to nothing, all values.
inline std::string make_payload(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 1;
    for (char& c : bytes) {
        state = state * 1664525u + 1013904223u;
        c = static_cast<char>(state >> 24);
    }
    return bytes;
}

/// One message as the producer socket takes it; replaces what `out` holds.
inline void make_message(std::string& out, std::string_view payload, std::uint64_t context) {
    out = "{\"payload\":\"";
    append_base64(out, payload);
    out.append("\",\"context\":\"").append(std::to_string(context)).append("\"}");
}

} // namespace bench
