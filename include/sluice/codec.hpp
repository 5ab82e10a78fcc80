// SPDX-License-Identifier: BSL-1.0
// The compression policy: what a Codec must offer. The policies are in codec/, each over its own library.
#pragma once

#include <sluice/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace sluice {
inline namespace v1 {

/// Pulsar's compression types, by the names that the WebSocket proxy reads (upper case only).
enum class compression_type : std::uint8_t { none, lz4, zlib, zstd, snappy };

constexpr std::string_view to_string(compression_type t) noexcept {
    switch (t) {
    case compression_type::none: return "NONE";
    case compression_type::lz4: return "LZ4";
    case compression_type::zlib: return "ZLIB";
    case compression_type::zstd: return "ZSTD";
    case compression_type::snappy: return "SNAPPY";
    }
    return "NONE";
}

/// Any letter case. Nothing for a name that is none of the five.
constexpr std::optional<compression_type> parse_compression_type(std::string_view name) noexcept {
    for (auto t : {compression_type::none, compression_type::lz4, compression_type::zlib, compression_type::zstd,
                   compression_type::snappy}) {
        const std::string_view known = to_string(t);
        if (known.size() != name.size()) continue;
        bool same = true;
        for (std::size_t i = 0; i < known.size(); ++i) {
            const char c = name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 'a' + 'A') : name[i];
            same = same && c == known[i];
        }
        if (same) return t;
    }
    return std::nullopt;
}

/// The size written, or why nothing was.
struct codec_result {
    std::error_code ec{};
    std::size_t size = 0;
};

/// A compression policy. Its object may keep state between calls (contexts, levels); one object is used by one thread
/// at a time.
///
/// * `type()`: what the broker and a consumer are told.
/// * `bound(n)`: enough room for the compressed form of any n bytes.
/// * `compress(in, out)`: writes to the front of `out`; `errc::output_limit` if `out` is too small.
/// * `decompress(in, out)`: the same; `out.size()` is the cap. `errc::output_limit` if the result would be larger,
///   `errc::corrupt_data` if `in` is not what this codec makes. Never reads or writes outside of both.
template <class C>
concept compression_codec = std::movable<C> && requires(C codec, const C& constant, std::span<const std::byte> in,
                                                        std::span<std::byte> out, std::size_t n) {
    { constant.type() } noexcept -> std::same_as<compression_type>;
    { constant.bound(n) } noexcept -> std::same_as<std::size_t>;
    { codec.compress(in, out) } -> std::same_as<codec_result>;
    { codec.decompress(in, out) } -> std::same_as<codec_result>;
};

} // namespace v1
} // namespace sluice
