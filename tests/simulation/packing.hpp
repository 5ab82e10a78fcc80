// SPDX-License-Identifier: BSL-1.0
// Packs in the simulation: what a seed picks of them, a codec that needs no library, and a reader.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/message.hpp>
#include <sluice/unpack.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace simulation {

/// Of all producers of a schedule.
struct packing {
    bool on = false;
    bool json = false;       ///< as `json_array`
    bool compresses = false; ///< with `run_length_codec`
    unsigned keys = 0;       ///< so many of them are used; 0: none
    unsigned every = 0;      ///< so many messages, one goes by itself
    unsigned broken = 0;     ///< so many, one is no JSON

    bool by_itself(std::size_t message) const noexcept { return every != 0 && message % every == 0; }
    bool is_json(std::size_t message) const noexcept { return broken == 0 || message % broken != 0; }

    /// The message of this number becomes one of this schedule.
    void dress(std::size_t number, sluice::message& m) const {
        if (!on) return;
        if (json && is_json(number)) m.payload = '"' + m.payload + '"';
        if (keys != 0) m.key = "key-" + std::to_string(number / 2 % keys);
        if (by_itself(number)) m.deliver_after = std::chrono::milliseconds(1);
    }
};

/// Pairs of a length and a byte. It calls itself LZ4, for want of a number.
class run_length_codec {
public:
    explicit run_length_codec(bool on = false) noexcept : on_(on) {}

    sluice::compression_type type() const noexcept {
        return on_ ? sluice::compression_type::lz4 : sluice::compression_type::none;
    }
    std::size_t bound(std::size_t n) const noexcept { return 2 * n; }
    sluice::codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        std::size_t size = 0;
        for (std::size_t i = 0; i < in.size(); size += 2) {
            std::size_t n = 1;
            while (n < 255 && i + n < in.size() && in[i + n] == in[i]) ++n;
            if (out.size() - size < 2) return {sluice::errc::output_limit};
            out[size] = static_cast<std::byte>(n);
            out[size + 1] = in[i];
            i += n;
        }
        return {{}, size};
    }
    sluice::codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept {
        std::size_t size = 0;
        if (in.size() % 2 != 0) return {sluice::errc::corrupt_data};
        for (std::size_t i = 0; i < in.size(); i += 2) {
            const auto n = std::to_integer<std::size_t>(in[i]);
            if (n == 0) return {sluice::errc::corrupt_data};
            if (out.size() - size < n) return {sluice::errc::output_limit};
            std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(size), n, in[i + 1]);
            size += n;
        }
        return {{}, size};
    }

private:
    bool on_;
};
static_assert(sluice::compression_codec<run_length_codec>);

/// What `unpack` asks for a codec.
class only_run_length : public run_length_codec {
public:
    using run_length_codec::run_length_codec;
    static std::pair<only_run_length, sluice::failure> make(sluice::compression_type type) {
        return {only_run_length(type == sluice::compression_type::lz4), {}};
    }
};

/// The payloads in what a consumer gets; nothing if it is a pack and a broken one.
inline std::optional<std::vector<std::string>> payloads_in(std::string_view payload,
                                                           const std::vector<sluice::property>& properties) {
    sluice::basic_unpack_memory<only_run_length> memory;
    const sluice::unpacked messages = sluice::unpack(payload, properties, memory);
    if (messages.error()) return std::nullopt;
    std::vector<std::string> all;
    for (const sluice::unpacked_message& m : messages) all.emplace_back(m.payload);
    return all;
}

} // namespace simulation
