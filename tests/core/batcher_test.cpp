// SPDX-License-Identifier: BSL-1.0
// The memory that the frames of one write are laid into.
#include <sluice/core/batcher.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

using sluice::core::batcher;

TEST_CASE("batcher: filled to its limit exactly; what is larger goes alone") {
    batcher b(100);
    b.begin();
    CHECK(b.has_room(1000));
    b.arena().append(std::string(60, 'a'));
    CHECK(b.has_room(40));
    CHECK_FALSE(b.has_room(41));
    b.arena().append(std::string(40, 'b'));
    CHECK_FALSE(b.has_room(1));
    CHECK(b.batch().size() == 100);
    b.begin();
    CHECK(b.batch().empty());
    b.arena().append(std::string(500, 'c'));
    CHECK(b.batch().size() == 500);
    CHECK_FALSE(b.has_room(0));
}

TEST_CASE("batcher: so many frames, whatever their size, and one at least") {
    batcher b(1000);
    b.begin(2);
    for (int i = 0; i < 2; ++i) {
        CHECK(b.has_room(1));
        b.arena().append(std::string_view("x"));
        b.laid();
    }
    CHECK(!b.has_room(1));
    b.begin();
    b.arena().append(std::string_view("x"));
    b.laid();
    CHECK(b.has_room(1));
}

TEST_CASE("batcher: the memory is used again, and given back when idle") {
    batcher b(1000);
    b.arena().append(std::string(900, 'a'));
    const auto capacity = b.arena().capacity();
    for (int i = 0; i < 10; ++i) {
        b.begin();
        b.arena().append(std::string(900, 'a'));
    }
    CHECK(b.arena().capacity() == capacity);
    b.begin();
    b.idle();
    CHECK(b.arena().capacity() == 0);
}

TEST_CASE("batcher: a batch that may be on its way is left alone") {
    batcher b(1000);
    b.begin();
    b.arena().append(std::string(900, 'a'));
    b.idle();
    CHECK(b.batch().size() == 900);
    CHECK(b.arena().capacity() >= 900);
}

} // namespace
