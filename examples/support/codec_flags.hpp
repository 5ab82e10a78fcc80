// SPDX-License-Identifier: BSL-1.0
// What compresses, where, and who may read what is encrypted then: the flags --compression, --level, --compress-at and
// --encrypt-with.
#pragma once

#include "arguments.hpp"

#include <sluice/codec/any.hpp>
#include <sluice/config.hpp>
#include <sluice/encryption.hpp>

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tool {

struct codec_settings {
    sluice::compression_type type = sluice::compression_type::none;
    std::optional<int> level{};
    std::vector<std::string> key_files{};
};

inline flags codec_flags(codec_settings& s, sluice::producer_options& o) {
    using sluice::compress_at;
    const auto codec = [&s](std::string_view name) {
        const std::pair made = sluice::codec::any::make(name);
        s.type = made.first.type();
        return made.second ? made.second.details->text : std::string();
    };
    const auto level = [&s](std::string_view value) {
        const taker whole = number(s.level.emplace(), std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
        return whole(value);
    };
    return {
        {"--compression", "NAME", "none, lz4, zlib, zstd or snappy (none)", codec},
        {"--level", "N", "of it, where this program compresses: zlib 0 to 9, zstd 1 to 22, lz4 1 (smallest) to 65537",
         level},
        {"--compress-at", "PLACE",
         "broker: the proxy does; end_to_end: each message, before it is encrypted; packed: many lines as one message, "
         "see docs/packed.md "
         "(broker)",
         choice(o.compress_at, {{"broker", compress_at::broker},
                                {"end_to_end", compress_at::end_to_end},
                                {"packed", compress_at::packed}})},
        {"--pack-layout", "NAME", "framed, or json-array, whose lines are JSON and not compressed (framed)",
         choice(o.pack_layout,
                {{"framed", sluice::pack_layout::framed}, {"json-array", sluice::pack_layout::json_array}})},
        {"--pack-at-once", "", "a pack does not wait for more lines while none is unanswered",
         set(o.pack_waits_when_idle, false)},
        {"--encrypt-with", "KEY.pem",
         "a public key of who may read, with --compress-at end_to_end; its name is KEY; may be repeated",
         append(s.key_files)},
    };
}

/// Throws `usage_error` for a level that the codec has not got.
inline sluice::codec::any make_codec(const codec_settings& s) {
    using sluice::compression_type;
    sluice::codec::any codec = sluice::codec::any::make(s.type).first;
    if (!s.level) return codec;
    const int level = *s.level;
    const auto check = [&](int least, int most) {
        if (level < least || level > most)
            throw usage_error("--level " + std::to_string(level) + ": allowed is " + std::to_string(least) + " to " +
                              std::to_string(most) + " with --compression " + std::string(to_string(s.type)));
    };
    switch (s.type) {
#if defined(SLUICE_WITH_LZ4)
    case compression_type::lz4: check(1, 65537); return sluice::codec::lz4(level);
#endif
#if defined(SLUICE_WITH_ZLIB)
    case compression_type::zlib: check(0, 9); return sluice::codec::zlib(level);
#endif
#if defined(SLUICE_WITH_ZSTD)
    case compression_type::zstd: check(1, 22); return sluice::codec::zstd(level);
#endif
    default:
        throw usage_error("--level: allowed is together with --compression lz4, zlib or zstd; " +
                          std::string(to_string(s.type)) + " has no levels");
    }
}

/// Keys are known by the names of their files. Throws `usage_error`.
inline void add_encryption(const codec_settings& s, sluice::producer_options& o) {
    const bool wanted = o.compress_at == sluice::compress_at::end_to_end;
    if (wanted != !s.key_files.empty())
        throw usage_error(wanted ? "--compress-at end_to_end: allowed is together with --encrypt-with KEY.pem"
                                 : "--encrypt-with: allowed is together with --compress-at end_to_end");
    if (!wanted) return;
    std::vector<std::string> names;
    std::map<std::string, std::string, std::less<>> files;
    for (const std::string& file : s.key_files) {
        names.push_back(std::filesystem::path(file).stem().string());
        files.emplace(names.back(), file);
    }
    o.encryption = sluice::encrypt_for(std::move(names), sluice::pem_files(std::move(files)));
}

} // namespace tool
