// SPDX-License-Identifier: BSL-1.0
// Many messages in one: how they lie in it, and how a consumer knows. docs/packed.md has both layouts byte by byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {
inline namespace v1 {

/// How messages are packed.
///
/// * `framed`: any bytes, with keys, properties and event times, with a checksum and perhaps compressed. Read it with
///   `sluice::unpack` or one of the decoders in docs/packed.md.
/// * `json_array`: payloads that are JSON, as one JSON array: what reads JSON (a stream worker's mapper) needs no
///   decoder. Neither properties nor event times, and never compressed.
enum class pack_layout : std::uint8_t { framed, json_array };

constexpr std::string_view to_string(pack_layout l) noexcept {
    return l == pack_layout::framed ? "framed" : "json_array";
}

/// The exact name, as it stands in the property. Nothing for any other text.
constexpr std::optional<pack_layout> parse_pack_layout(std::string_view name) noexcept {
    for (auto l : {pack_layout::framed, pack_layout::json_array})
        if (name == to_string(l)) return l;
    return std::nullopt;
}

/// The property of a Pulsar message that is a pack: its value is the layout's name. A message without it is not packed.
inline constexpr std::string_view packed_property = "sluice-packed";

} // namespace v1
} // namespace sluice
