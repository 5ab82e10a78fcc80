// SPDX-License-Identifier: BSL-1.0
// Any bytes as an HTTP response; what was read can be written, and is then read as the same.
#include "http_fuzz.hpp"

using namespace sluice::web;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes_view input = std::as_bytes(std::span(data, size));
    fuzz::one_input<http_response_parser, http_response>(input, &http_response_parser::response);

    http_response_parser parser;
    parser.feed(input);
    parser.end_of_stream();
    if (!parser.done()) return 0;
    std::string text;
    if (write_response(parser.response(), text)) return 0; // a Content-Length that was repeated or that meant no body
    http_response_parser again(fuzz::room_for_more);
    fuzz::require(again.feed(as_bytes(text)) == text.size() && again.done());
    fuzz::require(again.response().status == parser.response().status);
    fuzz::require(again.response().reason == parser.response().reason);
    fuzz::require(again.response().body == parser.response().body);
    return 0;
}
