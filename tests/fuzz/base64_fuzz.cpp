// SPDX-License-Identifier: BSL-1.0
// Any bytes through every encoder, masked and not; any text through the decoders; JSON strings and UTF-8 beside them.
#include <sluice/web/base64.hpp>
#include <sluice/web/json.hpp>
#include <sluice/web/utf8.hpp>

#include <cstdlib>
#include <memory>

using namespace sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void encode(bytes_view in, detail::base64_kernel kernel, std::string_view expected) {
    constexpr mask_key key = 0x9c3e71a5;
    const auto out = std::make_unique_for_overwrite<char[]>(base64_size(in.size())); // exact, for the sanitizer
    require(kernel(in.data(), in.size(), out.get(), key) == out.get() + expected.size());
    apply_mask(reinterpret_cast<std::byte*>(out.get()), expected.size(), key);
    require(std::string_view(out.get(), expected.size()) == expected);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes_view in = std::as_bytes(std::span(data, size));
    const std::string_view text = as_text(in);

    const std::string encoded = base64_encode_string(in);
    encode(in, detail::base64_encode_scalar, encoded);
#if SLUICE_BASE64_X86
    if (__builtin_cpu_supports("avx2")) encode(in, detail::base64_encode_avx2, encoded);
#endif
    encode(in, detail::base64_best_kernel(), encoded);
    std::string decoded(base64_decoded_bound(encoded.size()), '\0');
    const auto n = base64_decode(encoded, reinterpret_cast<std::byte*>(decoded.data()));
    require(n && decoded.substr(0, *n) == text);

    const auto out = std::make_unique_for_overwrite<std::byte[]>(base64_decoded_bound(size));
    const auto taken = base64_decode(text, out.get());
    require(!taken || (*taken <= base64_decoded_bound(size) && base64_bad_character(text) == -1));
    base64url_decode(text);

    std::string quoted;
    append_json_string(quoted, text);
    require(quoted.size() == json_escaped_size(text) + 2);
    require(is_utf8(quoted) == is_utf8(text));
    utf8_validator pieces;
    bool good = true;
    for (std::size_t i = 0; i < size && good; ++i) good = pieces.feed(in.subspan(i, 1));
    require((good && pieces.complete()) == is_utf8(text));
    return 0;
}
