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

/// The parser waits for the acknowledgement of this context.
void wait_for(pulsar::ack_parser& parser, std::uint64_t context) {
    if (context == 0) return;
    pulsar::common_acknowledgement before;
    const std::string text = R"({"result":"ok","messageId":"","context":")" + std::to_string(context - 1) + R"("})";
    require(parser.parse_common(text, before) && before.context == context - 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto exact = std::make_unique_for_overwrite<char[]>(size); // exact, for the sanitizer
    if (size != 0) std::memcpy(exact.get(), data, size);
    const std::string_view text(exact.get(), size);

    static pulsar::ack_parser parser, reference;
    pulsar::common_acknowledgement fast;
    pulsar::acknowledgement ack, slow;
    wait_for(parser, 1); // whatever the input before was
    const pulsar::ack_kind kind = parser.parse(web::as_bytes(text), ack);
    if (parser.parse_common(text, fast)) {
        require(reference.parse_any(text, slow) == pulsar::ack_kind::acknowledgement);
        require(slow.ok && slow.has_context && !slow.foreign_context && fast.context == slow.context);
        require(fast.message_id == slow.message_id && slow.code == 0 && slow.error_text.empty());
        require(kind == pulsar::ack_kind::acknowledgement && ack.common());
        // Whatever context is waited for, the same is read: this one, and those that differ in one digit.
        pulsar::common_acknowledgement again;
        wait_for(parser, fast.context);
        require(parser.parse_common(text, again) && again.context == fast.context);
        for (std::uint64_t digit = 1; digit <= fast.context; digit *= 10) {
            wait_for(parser, fast.context / digit % 10 == 9 ? fast.context - digit : fast.context + digit);
            require(parser.parse_common(text, again) && again.context == fast.context);
            if (digit > fast.context / 10) break;
        }
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
