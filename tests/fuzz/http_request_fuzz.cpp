// SPDX-License-Identifier: BSL-1.0
// Any bytes as an HTTP request; what was read can be written, and is then read as the same.
#include "http_fuzz.hpp"

using namespace sluice::web;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes_view input = std::as_bytes(std::span(data, size));
    fuzz::one_input<http_request_parser, http_request>(input, &http_request_parser::request);

    http_request_parser parser;
    parser.feed(input);
    if (!parser.done()) return 0;
    std::string text;
    if (write_request(parser.request(), "h", text)) return 0; // a Content-Length that was repeated
    http_request_parser again(fuzz::room_for_more);
    fuzz::require(again.feed(as_bytes(text)) == text.size() && again.done());
    fuzz::require(again.request().method == parser.request().method);
    fuzz::require(again.request().target == parser.request().target);
    fuzz::require(again.request().body == parser.request().body);
    return 0;
}
