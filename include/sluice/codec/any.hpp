// SPDX-License-Identifier: BSL-1.0
// A codec chosen at run time among those that the program links: `sluice::lz4` and its like define SLUICE_WITH_LZ4 and
// its like, and only their libraries are needed.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/error.hpp>

#if defined(SLUICE_WITH_LZ4)
#include <sluice/codec/lz4.hpp>
#endif
#if defined(SLUICE_WITH_ZLIB)
#include <sluice/codec/zlib.hpp>
#endif
#if defined(SLUICE_WITH_ZSTD)
#include <sluice/codec/zstd.hpp>
#endif
#if defined(SLUICE_WITH_SNAPPY)
#include <sluice/codec/snappy.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sluice {
inline namespace v1 {
namespace codec {

/// One of the codecs `Linked`. A default-constructed one is the first of them. The list is part of the type, so that
/// translation units with different SLUICE_WITH_ macros do not mean different things by one name.
template <compression_codec... Linked>
class basic_any {
public:
    basic_any() = default;

    /// With a level: `codec::any{codec::zstd{9}}`.
    template <class C>
        requires(std::same_as<C, Linked> || ...)
    basic_any(C chosen) noexcept : codec_(std::move(chosen)) {}

    /// The codec of that type with its default level. `errc::unknown_codec` if the program does not link it.
    static std::pair<basic_any, failure> make(compression_type type) {
        std::pair<basic_any, failure> made{};
        if (!(made.first.template choose<Linked>(type) || ...)) made.second = not_linked(type);
        return made;
    }

    /// By Pulsar's name in any letter case. `errc::unknown_codec` also if there is no such codec.
    static std::pair<basic_any, failure> make(std::string_view name) {
        if (const auto type = parse_compression_type(name)) return make(*type);
        std::string text = "unknown codec \"";
        text.append(name).append("\": known are ");
        for (auto t : {compression_type::none, compression_type::lz4, compression_type::zlib, compression_type::zstd,
                       compression_type::snappy})
            text.append(t == compression_type::none ? "" : ", ").append(to_string(t));
        return {basic_any{}, make_failure(errc::unknown_codec, std::move(text))};
    }

    compression_type type() const noexcept {
        return std::visit([](const auto& c) { return c.type(); }, codec_);
    }
    std::size_t bound(std::size_t n) const noexcept {
        return std::visit([&](const auto& c) { return c.bound(n); }, codec_);
    }
    codec_result compress(std::span<const std::byte> in, std::span<std::byte> out) {
        return std::visit([&](auto& c) { return c.compress(in, out); }, codec_);
    }
    codec_result decompress(std::span<const std::byte> in, std::span<std::byte> out) {
        return std::visit([&](auto& c) { return c.decompress(in, out); }, codec_);
    }

private:
    template <class C>
    bool choose(compression_type type) {
        C candidate{}; // cheap: no codec allocates before it is used
        if (candidate.type() != type) return false;
        codec_ = std::move(candidate);
        return true;
    }

    static failure not_linked(compression_type type) {
        std::string target = "sluice::";
        for (const char c : to_string(type)) target += c < 'A' ? c : static_cast<char>(c - 'A' + 'a'); // LZ4: lz4
        std::string text = "codec ";
        text.append(to_string(type)).append(" is not linked: link the CMake target ").append(target);
        text.append("; linked are");
        const char* separator = " ";
        ((text.append(separator).append(to_string(Linked{}.type())), separator = ", "), ...);
        return make_failure(errc::unknown_codec, std::move(text));
    }

    std::variant<Linked...> codec_{};
};

using any = basic_any<none
#if defined(SLUICE_WITH_LZ4)
                      ,
                      lz4
#endif
#if defined(SLUICE_WITH_ZLIB)
                      ,
                      zlib
#endif
#if defined(SLUICE_WITH_ZSTD)
                      ,
                      zstd
#endif
#if defined(SLUICE_WITH_SNAPPY)
                      ,
                      snappy
#endif
                      >;

static_assert(compression_codec<any>);

} // namespace codec
} // namespace v1
} // namespace sluice
