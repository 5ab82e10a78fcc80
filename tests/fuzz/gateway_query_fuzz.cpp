// SPDX-License-Identifier: BSL-1.0
// Any target, with any body behind its first line break, as a request to the region: each is answered, in a form that
// its sender can read.
#include <sluice/testing/proxy_model.hpp>
#include <sluice/web/http1.hpp>
#include <sluice/web/utf8.hpp>

#include <algorithm>
#include <cstdlib>

namespace testing = sluice::testing;
namespace web = sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// A constant will do for secrets here.
web::random_source no_random() {
    return {nullptr, [](void*, std::span<std::byte> out) { std::ranges::fill(out, std::byte{7}); }};
}

constexpr testing::time_point now{std::chrono::seconds(1'796'155'444)};

void check(const web::http_request& request, const web::http_response& response) {
    require(response.status >= 100 && response.status < 600);
    std::string text;
    require(!web::write_response(response, text));
    web::http_response_parser parser;
    if (request.method == "HEAD") return;
    parser.feed(web::as_bytes(text));
    require(!parser.error());
    const std::string_view type = response.fields.get("Content-Type");
    if (type.find("json") != std::string_view::npos || type.find("html") != std::string_view::npos)
        require(web::is_utf8(response.body));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::string target = "/" + std::string(text.substr(0, line));
    if (!web::detail::is_visible(target)) return 0; // the parser has refused it
    testing::proxy_options options;
    options.users.push_back({"a@b", "u", "p"});
    testing::proxy_model model(options, no_random());
    model.create_topic("t");
    web::http_request request = web::make_upgrade(target, "AAECAwQFBgcICQoLDA0ODw==", "apikey " + model.api_key());
    const auto first = model.handle(request, now);
    check(request, first.response);
    require((first.response.status == 101) == (first.socket != nullptr));
    request = {};
    request.target = target;
    request.fields.add("Authorization", "apikey " + model.api_key());
    request.body = text.substr(std::min(line + 1, text.size()));
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
        request.method = method;
        check(request, model.handle(request, now).response);
    }
    model.dispatch(now);
    return 0;
}
