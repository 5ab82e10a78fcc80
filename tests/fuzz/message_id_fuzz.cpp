// SPDX-License-Identifier: BSL-1.0
// Any bytes as what clients write for a message id, a payload and a date: read, or refused in words that can be sent.
#include <sluice/testing/gateway/java_text.hpp>
#include <sluice/testing/gateway/message_id.hpp>
#include <sluice/web/utf8.hpp>

#include <cstdlib>

using namespace sluice::testing::detail;
namespace web = sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_position(std::string_view bytes) {
    position read;
    const std::string why = message_id_parser(bytes).parse(read);
    require(web::is_utf8(why));
    if (!why.empty()) return;
    if (read.batch_index < 0) read.batch_index = -1;
    std::string text, again;
    append_message_id(text, read, read.batch_size);
    require(java_base64_decode(text, again).empty());
    position same;
    require(message_id_parser(again).parse(same).empty());
    require(same.ledger == read.ledger && same.entry == read.entry && same.batch_index == read.batch_index &&
            same.batch_size == read.batch_size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_position(text);
    if (!web::is_utf8(text)) return 0; // a frame's text is
    std::string bytes;
    const std::string why = java_base64_decode(text, bytes);
    require(web::is_utf8(why));
    if (why.empty()) check_position(bytes);
    std::string no_date;
    if (!java_date_parser(text).parse(no_date)) require(!no_date.empty() && web::is_utf8(no_date));
    return 0;
}
