// SPDX-License-Identifier: BSL-1.0
// Any frame as an acknowledgement: the fast path never says what the JSON parser does not.
#include <sluice/pulsar/ack.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

using namespace sluice;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto exact = std::make_unique_for_overwrite<char[]>(size); // exact, for the sanitizer
    if (size != 0) std::memcpy(exact.get(), data, size);
    const std::string_view text(exact.get(), size);

    static pulsar::ack_parser parser, reference;
    pulsar::common_acknowledgement fast;
    pulsar::acknowledgement ack, slow;
    const pulsar::ack_kind kind = parser.parse(web::as_bytes(text), ack);
    // Twice: the second time the context is not the one that was waited for.
    for (int i = 0; i < 2; ++i) {
        if (!parser.parse_common(text, fast)) continue;
        require(reference.parse_any(text, slow) == pulsar::ack_kind::acknowledgement);
        require(slow.ok && slow.has_context && !slow.foreign_context && fast.context == slow.context);
        require(fast.message_id == slow.message_id && slow.code == 0 && slow.error_text.empty());
        require(kind == pulsar::ack_kind::acknowledgement && ack.common());
        // And where it is: behind the acknowledgement of the one before.
        if (fast.context == 0) continue;
        pulsar::common_acknowledgement other;
        const std::string before =
            R"({"result":"ok","messageId":"","context":")" + std::to_string(fast.context - 1) + R"("})";
        require(parser.parse_common(before, other) && other.context == fast.context - 1);
        require(parser.parse_common(text, other) && other.context == fast.context);
    }
    if (kind == pulsar::ack_kind::acknowledgement) {
        require(!ack.foreign_context || ack.has_context);
        require(!ack.ok || ack.code == 0);
        (void)ack.dropped();
        (void)pulsar::error_of(ack);
        ack.code = 8;
        (void)pulsar::error_of(ack);
    }
    return 0;
}
