// SPDX-License-Identifier: BSL-1.0
// Memory that is cleansed.
#include <sluice/pulsar/secret.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

using namespace sluice::pulsar;

namespace {

bool all(std::span<const std::byte> bytes, int value) {
    return std::all_of(bytes.begin(), bytes.end(), [&](std::byte b) { return b == std::byte(value); });
}

/// To the compiler, anything may have happened to that memory.
void forget(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

} // namespace

TEST_CASE("an array is cleansed at its end, and stays in one place") {
    using array = secret_array<32>;
    static_assert(!std::is_copy_constructible_v<array> && !std::is_move_constructible_v<array>);
    static_assert(!std::is_copy_assignable_v<array> && !std::is_move_assignable_v<array>);
    alignas(array) std::byte storage[sizeof(array)];
    array* const a = std::construct_at(reinterpret_cast<array*>(storage));
    CHECK(all(a->span(), 0));
    std::fill(a->span().begin(), a->span().end(), std::byte{7});
    forget(storage);
    CHECK(all(storage, 7));
    std::destroy_at(a);
    forget(storage);
    CHECK(all(storage, 0));
}

TEST_CASE("a buffer keeps its room, and what is no longer needed is cleansed") {
    secret_buffer buffer;
    CHECK(buffer.capacity() == 0);
    CHECK(buffer.room(0).empty());
    buffer.cleanse(0);
    const std::span<std::byte> room = buffer.room(100);
    CHECK(room.size() == 100);
    std::fill(room.begin(), room.end(), std::byte{7});
    CHECK(buffer.room(50).data() == room.data());
    CHECK(buffer.capacity() == 100);
    buffer.cleanse(60);
    CHECK(all(room.first(60), 0));
    CHECK(all(room.subspan(60), 7));
    CHECK(buffer.room(101).size() == 101);
    CHECK(buffer.capacity() == 101);

    secret_buffer moved = std::move(buffer);
    CHECK(moved.capacity() == 101);
    CHECK(buffer.capacity() == 0);
    CHECK(buffer.room(3).size() == 3);
    moved = std::move(buffer);
    CHECK(moved.capacity() == 3);
    moved.release();
    CHECK(moved.capacity() == 0);
}

TEST_CASE("a text is cleansed and empty") {
    for (const std::size_t n : {0u, 1u, 15u, 16u, 1000u}) {
        std::string text(n, 'x');
        const char* const at = text.data();
        cleanse(text);
        CHECK(text.empty());
        forget(at);
        CHECK(std::count(at, at + n, 'x') == 0);
    }
}
