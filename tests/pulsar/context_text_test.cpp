// SPDX-License-Identifier: BSL-1.0
// The text of contexts that count up.
#include <sluice/pulsar/context_text.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace {

using sluice::pulsar::context_text;

std::string text_of(const context_text& t) {
    std::string out(32, '\0');
    t.put(out.data(), 0);
    return out.substr(0, t.size());
}

TEST_CASE("a context's text, counted up over each number of digits and around") {
    constexpr auto last = std::numeric_limits<std::uint64_t>::max();
    context_text counted;
    for (std::uint64_t from : {std::uint64_t{0}, std::uint64_t{98}, std::uint64_t{99'998}, std::uint64_t{9'999'998},
                               std::uint64_t{99'999'998}, std::uint64_t{9'999'999'999'998}, last - 3}) {
        counted.turn_to(from);
        for (int i = 0; i < 8; ++i, ++from) { // from last - 3 on to 4
            CHECK(counted.context() == from);
            CHECK(text_of(counted) == '"' + std::to_string(from) + "\"}");
            CHECK(counted.digits() == std::to_string(from).size());
            counted.next();
        }
    }
}

TEST_CASE("a context's text is masked from its first octet") {
    context_text t;
    t.turn_to(1234567);
    const std::string_view key = "wxyz";
    sluice::web::mask_key k;
    std::memcpy(&k, key.data(), 4);
    std::string out(32, '\0');
    t.put(out.data(), k);
    for (std::size_t i = 0; i < t.size(); ++i) out[i] = static_cast<char>(out[i] ^ key[i % 4]);
    CHECK(out.substr(0, t.size()) == "\"1234567\"}");
}

TEST_CASE("a context is known where it stands, and nothing else for it") {
    for (const std::uint64_t context :
         {std::uint64_t{7}, std::uint64_t{1'000'002}, std::uint64_t{10'000'003}, std::uint64_t{123'456'789'012'345}}) {
        CAPTURE(context);
        context_text t;
        t.turn_to(context);
        const std::string text = std::to_string(context) + R"(","errorCode":0})";
        CHECK(t.stands_at(text.data(), text.data() + text.size()));
        for (std::size_t at = 0; at <= t.digits(); ++at)
            for (int other = 0; other < 256; ++other) {
                std::string changed = text;
                changed[at] = static_cast<char>(other);
                if (changed != text) REQUIRE_FALSE(t.stands_at(changed.data(), changed.data() + changed.size()));
            }
        for (std::size_t size = 0; size <= t.digits(); ++size) // nothing behind the end is looked at
            CHECK_FALSE(t.stands_at(text.data(), text.data() + size));
    }
    context_text t;
    t.turn_to(1'234'567'890'123'456); // sixteen digits are read
    const std::string text = R"(1234567890123456","errorCode":0})";
    CHECK_FALSE(t.stands_at(text.data(), text.data() + text.size()));
}

} // namespace
