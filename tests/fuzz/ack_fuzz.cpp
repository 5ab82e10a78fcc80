// SPDX-License-Identifier: BSL-1.0
// Any frame as an acknowledgement: the fast path never says what the JSON parser does not.
#include <sluice/pulsar/ack.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

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
    pulsar::acknowledgement ack, fast, slow;
    const pulsar::ack_kind kind = parser.parse(web::as_bytes(text), ack);
    if (pulsar::ack_parser::parse_common(text, fast)) {
        require(reference.parse_any(text, slow) == pulsar::ack_kind::acknowledgement);
        require(fast.ok && slow.ok && fast.has_context && slow.has_context);
        require(!fast.foreign_context && !slow.foreign_context && fast.context == slow.context);
        require(fast.message_id == slow.message_id && fast.code == slow.code && slow.error_text.empty());
        require(kind == pulsar::ack_kind::acknowledgement);
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
