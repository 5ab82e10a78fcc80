// SPDX-License-Identifier: BSL-1.0
// Masking and the bytes below it: the key's phase, fresh keys, the buffer that grows and is consumed.
#include <sluice/web/bytes.hpp>
#include <sluice/web/mask.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace sluice::web;

namespace {

mask_key key_of(std::array<std::uint8_t, 4> octets) {
    mask_key key;
    std::memcpy(&key, octets.data(), 4);
    return key;
}

constexpr std::array<std::uint8_t, 4> octets{0x37, 0xfa, 0x21, 0x3d};

} // namespace

TEST_CASE("the masked Hello of RFC 6455 section 5.7") {
    std::string text = "Hello";
    apply_mask(reinterpret_cast<std::byte*>(text.data()), text.size(), key_of(octets));
    CHECK(text == "\x7f\x9f\x4d\x51\x58");
}

TEST_CASE("octet i meets octet i mod 4 of the key, at every length and alignment") {
    for (std::size_t offset = 0; offset < 8; ++offset) {
        for (std::size_t n = 0; n <= 70; ++n) {
            std::vector<std::byte> data(offset + n + 8, std::byte{0x55});
            apply_mask(data.data() + offset, n, key_of(octets));
            for (std::size_t i = 0; i < data.size(); ++i) {
                const bool inside = i >= offset && i < offset + n;
                const auto expected = inside ? std::byte{0x55} ^ std::byte{octets[(i - offset) % 4]} : std::byte{0x55};
                REQUIRE(data[i] == expected);
            }
        }
    }
}

TEST_CASE("an advanced key continues where the piece before ended") {
    std::string whole(67, 'm');
    apply_mask(reinterpret_cast<std::byte*>(whole.data()), whole.size(), key_of(octets));
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        std::string pieces(67, 'm');
        auto* const data = reinterpret_cast<std::byte*>(pieces.data());
        apply_mask(data, cut, key_of(octets));
        apply_mask(data + cut, pieces.size() - cut, advance_mask(key_of(octets), cut));
        REQUIRE(pieces == whole);
    }
    CHECK(advance_mask(key_of(octets), 4) == key_of(octets));
    CHECK(advance_mask(key_of(octets), 1) == key_of({octets[1], octets[2], octets[3], octets[0]}));
}

TEST_CASE("keys come from the source, each once, and one call fills many") {
    struct counter {
        std::uint32_t next = 1;
        int calls = 0;
    } state;
    mask_keys keys({&state, [](void* context, std::span<std::byte> out) {
                        auto& c = *static_cast<counter*>(context);
                        ++c.calls;
                        for (std::size_t i = 0; i + 4 <= out.size(); i += 4, ++c.next)
                            std::memcpy(out.data() + i, &c.next, 4);
                    }});
    CHECK(state.calls == 0);
    std::set<mask_key> seen;
    for (int i = 0; i < 5000; ++i) seen.insert(keys.next());
    CHECK(seen.size() == 5000);
    CHECK(*seen.begin() == 1);
    CHECK(*seen.rbegin() == 5000);
    CHECK(state.calls == 4);
    keys.shrink(); // what is left of them is forgotten, not used later
    seen.insert(keys.next());
    keys.shrink(); // few, and kept
    seen.insert(keys.next());
    CHECK(seen.size() == 5002);
    CHECK(state.calls == 5);
}

TEST_CASE("keys whose source fails are not used") {
    struct source {
        int calls = 0;
    } state;
    mask_keys keys({&state, [](void* context, std::span<std::byte> out) {
                        if (++static_cast<source*>(context)->calls % 2 == 1) throw 1;
                        std::ranges::fill(out, std::byte{0x11});
                    }});
    for (int round = 0; round < 3; ++round) {
        CHECK_THROWS_AS(keys.next(), int);
        for (int i = 0; i < 2048; ++i) REQUIRE(keys.next() == 0x11111111);
    }
    CHECK(state.calls == 6);
}

TEST_CASE("numbers stand with their highest byte first") {
    std::byte raw[8];
    store_big_endian<std::uint16_t>(raw, 0x0102);
    CHECK(as_text({raw, 2}) == "\x01\x02");
    CHECK(load_big_endian<std::uint16_t>(raw) == 0x0102);
    store_big_endian<std::uint64_t>(raw, 0x0102030405060708);
    CHECK(as_text({raw, 8}) == "\x01\x02\x03\x04\x05\x06\x07\x08");
    CHECK(load_big_endian<std::uint32_t>(raw + 2) == 0x03040506);
    CHECK(load_big_endian<std::uint64_t>(raw) == 0x0102030405060708);
}

TEST_CASE("a buffer grows at its end and is consumed at its front") {
    byte_buffer buffer;
    CHECK(buffer.empty());
    CHECK(buffer.view().empty());
    buffer.append(bytes_view{});
    buffer.append("hello ");
    buffer.append(as_bytes("world"));
    CHECK(as_text(buffer.view()) == "hello world");
    buffer.consume(6);
    CHECK(as_text(buffer.view()) == "world");
    buffer.truncate(3);
    CHECK(as_text(buffer.view()) == "wor");
    std::memcpy(buffer.prepare(2), "ks", 2);
    buffer.commit(2);
    CHECK(as_text(buffer.view()) == "works");
    buffer.clear();
    CHECK(buffer.empty());
}

TEST_CASE("a buffer keeps its bytes through growing, moving to the front and changing hands") {
    byte_buffer buffer;
    std::string expected;
    for (std::size_t i = 0; i < 4000; ++i) {
        const std::string piece(i % 37 + 1, static_cast<char>('a' + i % 26));
        buffer.append(piece);
        expected += piece;
        const std::size_t n = std::min(i % 41, expected.size());
        buffer.consume(n);
        expected.erase(0, n);
        REQUIRE(as_text(buffer.view()) == expected);
    }
    byte_buffer other(std::move(buffer));
    CHECK(as_text(other.view()) == expected);
    byte_buffer third;
    third.append("old");
    third = std::move(other);
    CHECK(as_text(third.view()) == expected);
}

TEST_CASE("steady use does not grow the buffer, and shrink gives memory back only when it is empty") {
    byte_buffer buffer;
    buffer.append(std::string(300, 'x'));
    const std::size_t capacity = buffer.capacity();
    for (int i = 0; i < 1000; ++i) {
        buffer.consume(150);
        buffer.append(std::string(150, 'y'));
    }
    CHECK(buffer.capacity() <= 2 * capacity);
    buffer.shrink(0);
    CHECK(buffer.size() == 300);
    buffer.consume(300);
    buffer.shrink(1 << 20);
    CHECK(buffer.capacity() != 0);
    buffer.shrink(16);
    CHECK(buffer.capacity() == 0);
    buffer.append("again");
    CHECK(as_text(buffer.view()) == "again");
    CHECK(buffer.spare().size() == buffer.capacity() - 5);
}
