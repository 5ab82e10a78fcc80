// SPDX-License-Identifier: BSL-1.0
// Any text as a URL, a query and an escape: what is taken survives being put together and taken apart again.
#include <sluice/web/url.hpp>

#include <cstdlib>

using namespace sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const url_result r = parse_url(text); r.error.empty()) {
        const url& u = r.value;
        require(!u.host.empty());
        const std::string scheme = u.scheme.empty() ? "" : u.scheme + "://";
        const url_result again = parse_url(scheme + u.authority() + u.path + (u.query.empty() ? "" : "?" + u.query));
        require(again.error.empty());
        require(again.value.scheme == u.scheme && again.value.host == u.host && again.value.port == u.port);
        require(again.value.path == u.path && again.value.query == u.query);
        require(u.host.find(':') == std::string::npos || is_ip_literal(u.host));
    }
    require(percent_decode(percent_encode(text)) == text);
    percent_decode(text);
    for (const auto& [name, value] : parse_query(text)) {
        const auto pairs = parse_query(percent_encode(name) + "=" + percent_encode(value));
        require(pairs.size() == 1 && pairs[0].first == name && pairs[0].second == value);
    }
    is_ip_literal(text);
    is_loopback(text);
    return 0;
}
