// SPDX-License-Identifier: BSL-1.0
// The codec that is chosen at run time.
#if !defined(SLUICE_WITH_LZ4) || !defined(SLUICE_WITH_ZLIB) || !defined(SLUICE_WITH_ZSTD) ||                           \
    !defined(SLUICE_WITH_SNAPPY)
#error "this test links all codecs"
#endif

#include "vectors.hpp"

#include <sluice/codec/any.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using sluice::compression_type;
using sluice::errc;
using sluice::codec::any;
namespace codec = sluice::codec;

using some = codec::basic_any<codec::none, codec::zstd>; // what `any` is in a program with sluice::zstd alone
static_assert(!std::is_constructible_v<some, codec::lz4>);
static_assert(std::is_constructible_v<any, codec::lz4>);
static_assert(std::is_nothrow_move_constructible_v<any>);

} // namespace

TEST_CASE("by type and by name, in any letter case") {
    for (auto type : {compression_type::none, compression_type::lz4, compression_type::zlib, compression_type::zstd,
                      compression_type::snappy}) {
        const auto [by_type, failed] = any::make(type);
        CHECK_FALSE(failed);
        CHECK(by_type.type() == type);
        const auto [by_name, failed_too] = any::make(to_string(type));
        CHECK_FALSE(failed_too);
        CHECK(by_name.type() == type);
    }
    CHECK(any::make("Lz4").first.type() == compression_type::lz4);
    CHECK(any::make("snappy").first.type() == compression_type::snappy);
    CHECK(any{}.type() == compression_type::none);
}

TEST_CASE("an unknown name lists the known ones") {
    const auto [chosen, failed] = any::make("brotli");
    CHECK(failed.code == errc::unknown_codec);
    CHECK(failed.details->text == "unknown codec \"brotli\": known are NONE, LZ4, ZLIB, ZSTD, SNAPPY");
    CHECK(chosen.type() == compression_type::none);
    CHECK(any::make("").second.code == errc::unknown_codec);
}

TEST_CASE("a codec that is not linked names its target") {
    const auto [chosen, failed] = some::make("lz4");
    CHECK(failed.code == errc::unknown_codec);
    CHECK(failed.details->text == "codec LZ4 is not linked: link the CMake target sluice::lz4; linked are NONE, ZSTD");
    CHECK(chosen.type() == compression_type::none);
    CHECK(some::make(compression_type::snappy).second.details->text ==
          "codec SNAPPY is not linked: link the CMake target sluice::snappy; linked are NONE, ZSTD");
    CHECK(some::make("ZSTD").first.type() == compression_type::zstd);
}

TEST_CASE("it does what the chosen codec does") {
    const auto* at = reinterpret_cast<const std::byte*>(vectors::sample.data());
    const std::vector<std::byte> plain(at, at + vectors::sample.size());
    const auto same = [&](auto direct, any chosen) {
        CHECK(chosen.type() == direct.type());
        CHECK(chosen.bound(1234) == direct.bound(1234));
        std::vector<std::byte> a(direct.bound(plain.size())), b(a.size());
        const auto first = direct.compress(plain, a);
        const auto second = chosen.compress(plain, b);
        CHECK_FALSE(second.ec);
        CHECK(first.size == second.size);
        CHECK((a == b));
        b.resize(second.size);
        any moved{std::move(chosen)};
        std::vector<std::byte> back(plain.size());
        CHECK_FALSE(moved.decompress(b, back).ec);
        CHECK((back == plain));
        back.pop_back();
        CHECK(moved.decompress(b, back).ec == errc::output_limit);
    };
    same(codec::none{}, codec::none{});
    same(codec::lz4{20}, codec::lz4{20});
    same(codec::zlib{9}, codec::zlib{9});
    same(codec::zlib{0}, codec::zlib{0});
    same(codec::zstd{19}, codec::zstd{19});
    same(codec::snappy{}, codec::snappy{});
}
