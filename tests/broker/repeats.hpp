// SPDX-License-Identifier: BSL-1.0
// What may be stored more than once when connections are lost and nothing drops repeats.
#pragma once

#include "producing.hpp"
#include "relay.hpp"

#include <string>
#include <vector>

namespace conformance {

/// Of messages whose payloads are their numbers, and their contexts too: a message is sent again only if its answer had
/// not come when a connection was lost. So none went over any connection behind the one that brought the answer which
/// its sender was given, and none is stored more often than it was written.
inline void check_repeats(const std::vector<sluice::result>& results, const std::vector<overheard>& connections,
                          const std::vector<seen_message>& stored) {
    struct way {
        std::size_t written = 0, copies = 0;
        std::size_t last = 0, answered = 0; ///< connections, from 1
    };
    std::vector<way> ways(results.size());
    for (std::size_t c = 0; c < connections.size(); ++c) {
        for (const std::string& context : connections[c].contexts) {
            way& w = ways.at(std::stoul(context));
            ++w.written;
            w.last = c + 1;
        }
        for (const auto& [context, id] : connections[c].ids) {
            const std::size_t i = std::stoul(context);
            if (id == results.at(i).value.message_id.view()) ways[i].answered = c + 1;
        }
    }
    for (const seen_message& m : stored) ++ways.at(std::stoul(m.payload)).copies;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        const std::string which = "message " + std::to_string(i);
        check(ways[i].answered != 0, which + ": no connection has brought its receipt");
        check_same(ways[i].last, ways[i].answered, which + ": the last connection that it was written to");
        check(ways[i].copies <= ways[i].written, which + " is stored more often than it was written");
    }
}

} // namespace conformance
