// SPDX-License-Identifier: BSL-1.0
// The compression policies: round trips, data of other implementations, exact caps, and damage at every place.
#include "vectors.hpp"

#include <sluice/codec/lz4.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/codec/snappy.hpp>
#include <sluice/codec/zlib.hpp>
#include <sluice/codec/zstd.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

using sluice::codec_result;
using sluice::compression_type;
using sluice::errc;
using bytes = std::vector<std::byte>;
namespace codec = sluice::codec;

constexpr std::size_t cap = 64 * 1024;

bytes from_text(std::string_view text) {
    const auto* at = reinterpret_cast<const std::byte*>(text.data());
    return {at, at + text.size()};
}

bytes random_bytes(std::size_t n) {
    std::mt19937 source{20190};
    bytes made(n);
    for (auto& b : made) b = static_cast<std::byte>(source());
    return made;
}

bytes compressible(std::size_t n) {
    bytes made(n);
    for (std::size_t i = 0; i < n; ++i) made[i] = static_cast<std::byte>("sluice gate rises"[i % 11 + i / 4096 % 6]);
    return made;
}

/// A vector allocates what it holds and no more, so that the sanitizer sees the first byte outside.
template <class C>
bytes compressed(C& c, const bytes& plain) {
    bytes out(c.bound(plain.size()));
    const codec_result r = c.compress(plain, out);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.size <= out.size());
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(r.size)};
}

struct outcome {
    std::error_code ec;
    bytes plain;
};
template <class C>
outcome decompressed(C& c, const bytes& in, std::size_t room) {
    bytes out(room);
    const codec_result r = c.decompress(in, out);
    REQUIRE(r.size <= out.size());
    if (r.ec) REQUIRE(r.size == 0);
    out.resize(r.size);
    return {r.ec, std::move(out)};
}

std::vector<bytes> corpus() {
    bytes values;
    for (int i = 0; i < 256; ++i) values.push_back(static_cast<std::byte>(i));
    return {{},     from_text("a"), from_text("ab"),       from_text("abc"),     from_text(vectors::sample),
            values, bytes(5000),    random_bytes(1 << 20), compressible(1 << 20)};
}

template <class Use>
void with_codec(compression_type type, Use use) {
    switch (type) {
    case compression_type::none: return use(codec::none{});
    case compression_type::lz4: return use(codec::lz4{});
    case compression_type::zlib: return use(codec::zlib{});
    case compression_type::zstd: return use(codec::zstd{});
    case compression_type::snappy: return use(codec::snappy{});
    }
}

template <class C>
void round_trips(C c) {
    for (const bytes& plain : corpus()) {
        CAPTURE(plain.size());
        const bytes packed = compressed(c, plain);
        const outcome exact = decompressed(c, packed, plain.size());
        CHECK_FALSE(exact.ec);
        CHECK((exact.plain == plain));
        const outcome roomy = decompressed(c, packed, plain.size() + 1000);
        CHECK_FALSE(roomy.ec);
        CHECK((roomy.plain == plain));
    }
}

#define SLUICE_ALL_CODECS codec::none, codec::lz4, codec::zlib, codec::zstd, codec::snappy
#define SLUICE_COMPRESSORS codec::lz4, codec::zlib, codec::zstd, codec::snappy

} // namespace

TEST_CASE("each codec says its type") {
    CHECK(codec::none{}.type() == compression_type::none);
    CHECK(codec::lz4{}.type() == compression_type::lz4);
    CHECK(codec::zlib{}.type() == compression_type::zlib);
    CHECK(codec::zstd{}.type() == compression_type::zstd);
    CHECK(codec::snappy{}.type() == compression_type::snappy);
}

TEST_CASE_TEMPLATE("what was compressed comes back, with room to spare and with none", C, SLUICE_ALL_CODECS) {
    round_trips(C{});
}

TEST_CASE("at every level, also outside of the range") {
    for (int level = -3; level <= 11; ++level) round_trips(codec::zlib{level});
    for (int acceleration : {std::numeric_limits<int>::min(), 0, 2, 100, 65537, std::numeric_limits<int>::max()})
        round_trips(codec::lz4{acceleration});
    for (int level : {std::numeric_limits<int>::min(), -7, 0, 1, 7, 12}) round_trips(codec::zstd{level});
    for (int level : {22, std::numeric_limits<int>::max()}) {
        codec::zstd c{level}; // slow: the sample alone
        const bytes plain = from_text(vectors::sample);
        CHECK((decompressed(c, compressed(c, plain), plain.size()).plain == plain));
    }
}

TEST_CASE("a level makes a difference") {
    const bytes plain = compressible(1 << 16);
    const auto size = [&](auto c) { return compressed(c, plain).size(); };
    CHECK(size(codec::zlib{0}) > plain.size());
    CHECK(size(codec::zlib{9}) < size(codec::zlib{1}));
    CHECK(size(codec::zstd{19}) < size(codec::zstd{-50}));
    CHECK(size(codec::zlib{}) == size(codec::zlib{6}));
    CHECK(size(codec::zstd{}) == size(codec::zstd{3}));
}

TEST_CASE_TEMPLATE("an object is good again after every kind of failure", C, SLUICE_COMPRESSORS) {
    C c;
    const bytes plain = from_text(vectors::sample);
    const bytes packed = compressed(c, plain);
    bytes none;
    CHECK(c.compress(plain, none).ec == errc::output_limit);
    CHECK((compressed(c, plain) == packed));
    CHECK(decompressed(c, packed, plain.size() - 1).ec == errc::output_limit);
    CHECK((decompressed(c, packed, plain.size()).plain == plain));
    CHECK(decompressed(c, bytes(40, std::byte{0xee}), cap).ec == errc::corrupt_data);
    CHECK((decompressed(c, packed, plain.size()).plain == plain));
}

TEST_CASE_TEMPLATE("state moves, and both ends stay usable", C, SLUICE_ALL_CODECS) {
    C first;
    const bytes plain = from_text(vectors::sample);
    const bytes packed = compressed(first, plain);
    CHECK((decompressed(first, packed, cap).plain == plain));

    C second{std::move(first)};
    CHECK((compressed(second, plain) == packed));
    CHECK((decompressed(second, packed, cap).plain == plain));

    first = C{}; // a moved-from object may be assigned to
    first = std::move(second);
    CHECK((compressed(first, plain) == packed));
    CHECK((decompressed(first, packed, cap).plain == plain));

    C third;
    C fourth{std::move(third)};
    CHECK((compressed(third, plain) == packed)); // NOLINT(bugprone-use-after-move): documented to work
    CHECK((compressed(fourth, plain) == packed));
}

TEST_CASE_TEMPLATE("null spans are empty ones", C, SLUICE_COMPRESSORS) {
    C c;
    CHECK(c.compress({}, {}).ec == errc::output_limit);
    CHECK(c.decompress({}, {}).ec == errc::corrupt_data);
    bytes packed(c.bound(0));
    const codec_result r = c.compress({}, packed);
    REQUIRE_FALSE(r.ec);
    packed.resize(r.size);
    const codec_result back = c.decompress(packed, {});
    CHECK_FALSE(back.ec);
    CHECK(back.size == 0);
    const bytes one = compressed(c, from_text("a"));
    CHECK(c.decompress(one, {}).ec == errc::output_limit);
}

TEST_CASE("no codec: the size is all that can be wrong") {
    codec::none c;
    CHECK_FALSE(c.compress({}, {}).ec);
    CHECK_FALSE(c.decompress({}, {}).ec);
    bytes room(2);
    CHECK(c.compress(from_text("abc"), room).ec == errc::output_limit);
    CHECK(c.decompress(from_text("abc"), room).ec == errc::output_limit);
}

TEST_CASE("data of other implementations") {
    for (const auto& v : vectors::valid) {
        CAPTURE(v.origin);
        with_codec(v.type, [&](auto c) {
            const bytes in = vectors::from_hex(v.hex);
            const outcome exact = decompressed(c, in, v.plain.size());
            CHECK_FALSE(exact.ec);
            CHECK((exact.plain == from_text(v.plain)));
            const outcome roomy = decompressed(c, in, cap);
            CHECK_FALSE(roomy.ec);
            CHECK((roomy.plain == from_text(v.plain)));
            for (std::size_t room = 0; room < v.plain.size(); ++room)
                CHECK(decompressed(c, in, room).ec == errc::output_limit);
        });
    }
}

TEST_CASE("what is not of the format is refused") {
    for (const auto& v : vectors::invalid) {
        CAPTURE(v.origin);
        with_codec(v.type, [&](auto c) {
            for (std::size_t room : {std::size_t{64}, cap})
                CHECK(decompressed(c, vectors::from_hex(v.hex), room).ec == errc::corrupt_data);
        });
    }
}

TEST_CASE_TEMPLATE("the cap is exact", C, SLUICE_ALL_CODECS) {
    C c;
    for (const bytes& plain : corpus()) {
        CAPTURE(plain.size());
        const bytes packed = compressed(c, plain);
        for (std::size_t room = 0; room < std::min<std::size_t>(plain.size(), 300); ++room)
            CHECK(decompressed(c, packed, room).ec == errc::output_limit);
        if (!plain.empty()) CHECK(decompressed(c, packed, plain.size() - 1).ec == errc::output_limit);
    }
}

TEST_CASE_TEMPLATE("compressing stays inside of a small output", C, SLUICE_ALL_CODECS) {
    C c;
    for (const bytes& plain : {from_text(vectors::sample), random_bytes(300), bytes(5000)}) {
        const std::size_t size = compressed(c, plain).size();
        for (std::size_t room = 0; room < size; ++room) {
            bytes out(room);
            CHECK(c.compress(plain, out).ec == errc::output_limit);
        }
    }
}

TEST_CASE_TEMPLATE("cut at every offset", C, SLUICE_COMPRESSORS) {
    C c;
    const bytes plain = from_text(vectors::sample);
    const bytes whole = compressed(c, plain);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        const bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        for (std::size_t room : {plain.size(), cap}) {
            const outcome got = decompressed(c, part, room);
            if (C{}.type() == compression_type::lz4 && !got.ec) {
                // A raw block has no end of its own: cut behind literals, it is a shorter block.
                CHECK(got.plain.size() < plain.size());
                CHECK(std::equal(got.plain.begin(), got.plain.end(), plain.begin()));
            } else {
                CHECK(got.ec == errc::corrupt_data);
            }
        }
    }
}

TEST_CASE("a sync flush is taken at the very end alone") {
    codec::zlib c;
    const bytes whole = vectors::from_hex(vectors::zlib_flushed);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        for (std::size_t room : {vectors::sample.size(), cap})
            CHECK(decompressed(c, part, room).ec == errc::corrupt_data);
    }
}

TEST_CASE_TEMPLATE("something behind the data", C, SLUICE_COMPRESSORS) {
    C c;
    const bytes plain = from_text(vectors::sample);
    const bytes whole = compressed(c, plain);
    for (int value = 0; value < 256; ++value) {
        for (unsigned count : {1U, 2U, 9U}) {
            bytes more = whole;
            more.insert(more.end(), count, static_cast<std::byte>(value));
            const outcome got = decompressed(c, more, cap);
            // An LZ4 block takes what follows for another sequence.
            if (C{}.type() != compression_type::lz4) CHECK(got.ec == errc::corrupt_data);
        }
    }
    bytes twice = whole;
    twice.insert(twice.end(), whole.begin(), whole.end());
    if (C{}.type() != compression_type::lz4) CHECK(decompressed(c, twice, cap).ec == errc::corrupt_data);
}

TEST_CASE_TEMPLATE("every byte changed to every other value", C, SLUICE_COMPRESSORS) {
    C c;
    const bytes plain = from_text(vectors::sample);
    const bool checked = C{}.type() == compression_type::zlib || C{}.type() == compression_type::zstd;
    const bytes whole =
        C{}.type() == compression_type::zstd ? vectors::from_hex(vectors::zstd_checked) : compressed(c, plain);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (unsigned change = 1; change < 256; ++change) {
            bytes damaged = whole;
            damaged[at] ^= static_cast<std::byte>(change);
            for (std::size_t room : {plain.size(), std::size_t{1000}}) {
                const outcome got = decompressed(c, damaged, room);
                const bool told = got.ec == errc::corrupt_data || got.ec == errc::output_limit;
                // Adler-32 and XXH64 let nothing pass but a change of bits that mean nothing.
                if (!told) CHECK((!got.ec && (!checked || got.plain == plain)));
            }
        }
    }
}

TEST_CASE("bombs stop at the cap") {
    for (const auto& v : vectors::bombs) {
        CAPTURE(v.origin);
        with_codec(v.type,
                   [&](auto c) { CHECK(decompressed(c, vectors::from_hex(v.hex), cap).ec == errc::output_limit); });
    }
    // A match of 4 + 15 + 255 * 100 000 bytes.
    bytes lz4 = vectors::from_hex("1f 61 0100");
    lz4.insert(lz4.end(), 100'000, std::byte{0xff});
    for (std::byte b : vectors::from_hex("00 50 6262626262")) lz4.push_back(b);
    codec::lz4 c;
    CHECK(decompressed(c, lz4, cap).ec == errc::output_limit);
    CHECK(decompressed(c, lz4, 1 + 4 + 15 + 25'500'000 + 5).plain.size() == 25'500'025);
    lz4.pop_back(); // and now it is not even a block
    CHECK(decompressed(c, lz4, cap).ec == errc::corrupt_data);
}

TEST_CASE_TEMPLATE("ten MiB of zeros in a few bytes", C, SLUICE_COMPRESSORS) {
    C c;
    const bytes packed = compressed(c, bytes(10 << 20));
    CHECK(decompressed(c, packed, cap).ec == errc::output_limit);
}

TEST_CASE("a claimed size is not believed") {
    codec::zstd c; // 2^62 bytes claimed, 128 KiB there
    CHECK(decompressed(c, vectors::from_hex("28b52ffd e0 0000000000000040 030010 7a"), 1 << 18).ec ==
          errc::corrupt_data);
}

#if defined(__linux__)
TEST_CASE("sizes that the libraries' integers do not hold") {
    // Address space without memory: nothing of it is touched but the first bytes.
    const std::size_t huge = (std::size_t{1} << 32) + 4096;
    void* const at = mmap(nullptr, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(at != MAP_FAILED);
    const std::span<std::byte> region{static_cast<std::byte*>(at), huge};
    const bytes plain = from_text(vectors::sample);
    const auto refuses = [&](auto c) {
        CAPTURE(to_string(c.type()));
        bytes out(1000);
        CHECK(c.bound(huge) == std::numeric_limits<std::size_t>::max());
        CHECK(c.compress(region, out).ec == errc::output_limit);
        // A huge output is no error.
        const codec_result r = c.compress(plain, region);
        REQUIRE_FALSE(r.ec);
        const bytes packed(region.begin(), region.begin() + static_cast<std::ptrdiff_t>(r.size));
        const codec_result back = c.decompress(packed, region);
        CHECK_FALSE(back.ec);
        CHECK(std::equal(plain.begin(), plain.end(), region.begin(), region.begin() + std::ptrdiff_t(back.size)));
    };
    refuses(codec::lz4{});
    refuses(codec::zlib{});
    refuses(codec::snappy{});

    bytes out(1000);
    CHECK(codec::lz4{}.decompress(region, out).ec == errc::output_limit);
    CHECK(codec::zlib{}.decompress(region, out).ec == errc::output_limit);
    CHECK(codec::none{}.decompress(region, out).ec == errc::output_limit);
    munmap(at, huge);

    const std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(codec::zstd{}.bound(most) == most);
    CHECK(codec::none{}.bound(most) == most);
}
#endif
