// SPDX-License-Identifier: BSL-1.0
// Base64: every encoder against a plain model, at every length, inside its bounds; the decoder's rules.
#include <sluice/web/base64.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace sluice::web;

namespace {

/// Bit by bit, as RFC 4648 section 4 says it.
std::string model(bytes_view in) {
    std::string bits, text;
    for (const std::byte b : in)
        for (int i = 7; i >= 0; --i) bits += (std::to_integer<int>(b) >> i & 1) != 0 ? '1' : '0';
    while (bits.size() % 6 != 0) bits += '0';
    for (std::size_t i = 0; i < bits.size(); i += 6)
        text += detail::base64_alphabet[std::stoul(bits.substr(i, 6), nullptr, 2)];
    while (text.size() % 4 != 0) text += '=';
    return text;
}

std::vector<std::byte> noise(std::size_t n, std::uint32_t seed) {
    std::vector<std::byte> bytes(n);
    for (std::byte& b : bytes) {
        seed = seed * 1664525 + 1013904223;
        b = static_cast<std::byte>(seed >> 24);
    }
    return bytes;
}

struct named_kernel {
    const char* name;
    detail::base64_kernel encode;
};

std::vector<named_kernel> kernels() {
    std::vector<named_kernel> all{{"scalar", detail::base64_encode_scalar}};
#if SLUICE_BASE64_X86
    if (__builtin_cpu_supports("avx2")) all.push_back({"avx2", detail::base64_encode_avx2});
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw"))
        all.push_back({"avx512", detail::base64_encode_avx512});
#endif
    return all;
}

std::optional<std::string> decode(std::string_view text) {
    // exactly as large as promised, for the sanitizer
    const auto out = std::make_unique_for_overwrite<std::byte[]>(base64_decoded_bound(text.size()));
    const auto n = base64_decode(text, out.get());
    if (!n) return std::nullopt;
    CHECK(*n <= base64_decoded_bound(text.size()));
    return std::string(as_text({out.get(), *n}));
}

} // namespace

TEST_CASE("the vectors of RFC 4648 section 10") {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [plain, text] : vectors) {
        CHECK(base64_encode_string(as_bytes(plain)) == text);
        CHECK(decode(text) == std::string(plain));
    }
}

TEST_CASE("every encoder writes what the model writes, at every length, and nothing else") {
    for (const named_kernel& kernel : kernels()) {
        CAPTURE(kernel.name);
        for (std::size_t n = 0; n <= 260; ++n) {
            const auto bytes = noise(n, static_cast<std::uint32_t>(n) + 1);
            const std::string expected = model(bytes);
            REQUIRE(expected.size() == base64_size(n));
            std::vector<char> out(base64_size(n) + 64, '#');
            REQUIRE(kernel.encode(bytes.data(), n, out.data(), 0) == out.data() + base64_size(n));
            REQUIRE(std::string_view(out.data(), base64_size(n)) == expected);
            REQUIRE(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(base64_size(n)), out.end(),
                                [](char c) { return c == '#'; }));
        }
    }
}

TEST_CASE("every encoder knows every sextet in every place") {
    std::vector<std::byte> bytes; // each of 64 sextets in each of 64 places of a vector
    for (std::uint32_t i = 0; i < 64 * 64; ++i) {
        std::uint32_t bits = 0;
        for (std::uint32_t place = 0; place < 4; ++place) bits = bits << 6 | ((i + place * 17 + i / 64) & 63);
        for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(bits >> shift & 0xff));
    }
    const std::string expected = model(bytes);
    for (const named_kernel& kernel : kernels()) {
        CAPTURE(kernel.name);
        std::string out(expected.size(), '\0');
        kernel.encode(bytes.data(), bytes.size(), out.data(), 0);
        CHECK(out == expected);
    }
}

TEST_CASE("masked text is the text under apply_mask, whatever the alignment") {
    for (const named_kernel& kernel : kernels()) {
        CAPTURE(kernel.name);
        for (std::size_t n = 0; n <= 130; ++n) {
            for (std::size_t offset = 0; offset < 4; ++offset) {
                const mask_key key = 0x80ff1237u + static_cast<mask_key>(n);
                const auto bytes = noise(n + offset, 99);
                const bytes_view in = bytes_view(bytes).subspan(offset);
                std::vector<char> out(base64_size(n) + offset);
                kernel.encode(in.data(), n, out.data() + offset, key);
                apply_mask(reinterpret_cast<std::byte*>(out.data() + offset), base64_size(n), key);
                REQUIRE(std::string_view(out.data() + offset, base64_size(n)) == model(in));
            }
        }
    }
}

TEST_CASE("the chosen encoder is one of them, masked or not") {
    const auto bytes = noise(100, 5);
    std::string plain(base64_size(100), '\0'), masked = plain;
    CHECK(base64_encode(bytes, plain.data()) == plain.data() + plain.size());
    CHECK(base64_encode_masked(bytes, masked.data(), 0xa1b2c3d4) == masked.data() + masked.size());
    CHECK(plain == model(bytes));
    CHECK(base64_encode_string(bytes) == plain);
    apply_mask(reinterpret_cast<std::byte*>(masked.data()), masked.size(), 0xa1b2c3d4);
    CHECK(masked == plain);
}

#if __has_include(<sys/mman.h>)
TEST_CASE("no encoder touches the page before or behind its memory") {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const auto guarded = [&] { // one page between two that cannot be touched
        void* const all = mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(all != MAP_FAILED);
        std::byte* const middle = static_cast<std::byte*>(all) + page;
        REQUIRE(mprotect(middle, page, PROT_READ | PROT_WRITE) == 0);
        return middle;
    };
    std::byte* const in = guarded();
    std::byte* const out = guarded();
    const auto bytes = noise(page, 3);
    std::memcpy(in, bytes.data(), page);
    for (const named_kernel& kernel : kernels()) {
        CAPTURE(kernel.name);
        for (std::size_t n = 0; n <= 200; ++n) {
            std::byte* const in_end = in + page - n;
            char* const out_end = reinterpret_cast<char*>(out) + page - base64_size(n);
            kernel.encode(in_end, n, out_end, 0);
            REQUIRE(std::string_view(out_end, base64_size(n)) == model({in_end, n}));
            kernel.encode(in, n, reinterpret_cast<char*>(out), 0);
            REQUIRE(as_text({out, base64_size(n)}) == model({in, n}));
        }
    }
    munmap(in - page, 3 * page);
    munmap(out - page, 3 * page);
}
#endif

TEST_CASE("what was encoded is decoded, at every length") {
    for (std::size_t n = 0; n <= 200; ++n) {
        const auto bytes = noise(n, static_cast<std::uint32_t>(n) + 7);
        std::string text = base64_encode_string(bytes);
        REQUIRE(decode(text) == std::string(as_text(bytes)));
        while (text.ends_with('=')) text.pop_back();
        REQUIRE(decode(text) == std::string(as_text(bytes)));
    }
}

TEST_CASE("padding may be left out, but not be wrong") {
    for (std::size_t n = 0; n <= 9; ++n) {
        for (unsigned pattern = 0; pattern < 1u << n; ++pattern) {
            std::string text;
            for (std::size_t i = 0; i < n; ++i) text += (pattern >> i & 1) != 0 ? '=' : 'A';
            CAPTURE(text);
            const std::size_t digits = std::min(text.find('='), n), padding = n - digits;
            const bool good =
                text.find_last_of('A') + 1 == digits && (padding == 0 ? digits % 4 != 1 : n % 4 == 0 && padding <= 2);
            REQUIRE(decode(text).has_value() == good);
        }
    }
}

TEST_CASE("the decoder's rules are those of java.util.Base64.getDecoder()") {
    CHECK(decode("aGk=") == "hi");
    CHECK(decode("aGk") == "hi");
    CHECK(decode("aGl=") == "hi"); // bits behind the last byte
    CHECK(decode("QR==") == "A");
    for (const std::string_view refused :
         {"A", "=", "aA=", "aGk==", "aGkA=", "aG=k", "aGk=aGk=", " aGk=", "aGk= ", "aG k", "aGk=\n", "aGk\r\n", "-_-_"})
        CHECK_FALSE(decode(refused).has_value());
}

TEST_CASE("each byte that is not a digit is refused in each place, and named") {
    const std::string good = "QUJDREVG";
    for (int code = 0; code < 256; ++code) {
        const char c = static_cast<char>(code);
        if (detail::base64_alphabet.find(c) != std::string_view::npos || c == '=') continue;
        for (std::size_t at = 0; at < good.size(); ++at) {
            std::string text = good;
            text[at] = c;
            REQUIRE_FALSE(decode(text).has_value());
            REQUIRE(base64_bad_character(text) == code);
        }
    }
    CHECK(base64_bad_character("") == -1);
    CHECK(base64_bad_character(good) == -1);
    CHECK(base64_bad_character("!!") == 0x21);
    CHECK(base64_bad_character("aA=!") == -1); // the padding was wrong before
}

TEST_CASE("the URL alphabet") {
    CHECK(base64url_decode("") == "");
    CHECK(base64url_decode("eyJhbGciOiJIUzI1NiJ9") == R"({"alg":"HS256"})");
    CHECK(base64url_decode("-_-_") == "\xfb\xff\xbf");
    CHECK(base64url_decode("aGk") == "hi");
    CHECK(base64url_decode("aGk=") == "hi");
    CHECK_FALSE(base64url_decode("+/+/").has_value());
    CHECK_FALSE(base64url_decode("aGk.").has_value());
    CHECK_FALSE(base64url_decode("a").has_value());
}
