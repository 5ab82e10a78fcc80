// SPDX-License-Identifier: BSL-1.0
// What holds for both HTTP parsers on any input: the answer does not depend on how the bytes arrive.
#pragma once

#include <sluice/web/http1.hpp>

#include <cstdlib>

namespace fuzz {

using namespace sluice::web;

inline void require(bool holds) {
    if (!holds) std::abort();
}

/// Small, so that the fuzzer finds each limit.
constexpr http_limits limits{.start_line = 64, .header = 256, .fields = 8, .body = 128};

/// What is written may have fields that were not read (Host, Connection, Content-Length).
constexpr http_limits room_for_more{.start_line = 2 * http_limits{}.start_line,
                                    .header = 2 * http_limits{}.header,
                                    .fields = http_limits{}.fields + 3,
                                    .body = http_limits{}.body};

template <class Parser, class Message>
void one_input(bytes_view input, Message& (Parser::*message)()) {
    Parser whole(limits), bytes(limits), cut(limits);
    const std::size_t taken = whole.feed(input);
    require(taken <= input.size());
    require(taken == input.size() || whole.done() || whole.error());

    std::size_t bytewise = 0;
    while (bytewise < input.size() && bytes.feed(input.subspan(bytewise, 1)) == 1) ++bytewise;
    const std::size_t middle = input.size() / 2;
    cut.feed(input.first(middle));
    cut.feed(input.subspan(middle));

    const auto same = [&](Parser& other) {
        require(other.done() == whole.done() && other.error() == whole.error());
        require(other.error_text() == whole.error_text());
        if (!whole.done()) return;
        const auto &a = (whole.*message)(), &b = (other.*message)();
        require(a.body == b.body && a.body.size() <= limits.body);
        require(a.fields.size() == b.fields.size() && a.fields.size() <= limits.fields);
        for (std::size_t i = 0; i < a.fields.size(); ++i)
            require(a.fields.list[i].name == b.fields.list[i].name && a.fields.list[i].value == b.fields.list[i].value);
    };
    same(bytes);
    same(cut);
    if (whole.done()) require(bytewise == taken);
    whole.end_of_stream();
    require(whole.done() != static_cast<bool>(whole.error())); // one of them
}

} // namespace fuzz
