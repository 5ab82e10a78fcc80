// SPDX-License-Identifier: BSL-1.0
// What the programs that measure sluice share: the client's configuration, and the library's own counters beside the
// measured stretch.
#pragma once

#include "allocations.hpp"
#include "measure.hpp"

#include <sluice.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

namespace bench {

inline sluice::client_config client_config(const run_options& options) {
    sluice::client_config c;
    c.url = options.url;
    c.tls.ca_file = options.ca;
    if (options.url.starts_with("http")) c.auth = sluice::api_key{"_mm.benchmark.secret"};
    return c;
}

inline sluice::producer_options producer_options(const run_options& options) {
    sluice::producer_options o;
    o.max_pending_messages = static_cast<int>(options.window);
    o.max_pending_bytes = std::max(o.max_pending_bytes, options.window * options.payload);
    return o;
}

inline void rethrow(std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
}

struct producer_counts {
    std::uint64_t allocations = 0, writes = 0, messages = 0, bytes = 0; ///< messages: that are written

    void add(const sluice::producer_stats& stats) noexcept {
        writes += stats.writes;
        messages += stats.persisted + stats.pending_messages;
        bytes += stats.bytes_written;
    }
};

/// The members of the line that only sluice's programs have, of what was counted between `begin` and `end`.
inline std::string producer_members(const producer_counts& begin, const producer_counts& end, std::uint64_t messages) {
    const auto count = static_cast<double>(std::max<std::uint64_t>(1, messages));
    const auto written = static_cast<double>(std::max<std::uint64_t>(1, end.messages - begin.messages));
    char text[160];
    std::snprintf(text, sizeof text, ",\"allocs_per_msg\":%.4f,\"bytes_per_msg\":%.1f,\"writes_per_1000\":%.2f",
                  static_cast<double>(end.allocations - begin.allocations) / count,
                  static_cast<double>(end.bytes - begin.bytes) / written,
                  static_cast<double>(end.writes - begin.writes) * 1000.0 / written);
    return text;
}

} // namespace bench
