// SPDX-License-Identifier: BSL-1.0
// The publisher's numbers: written by the strand, read by any thread.
#pragma once

#include <sluice/core/latency.hpp>
#include <sluice/stats.hpp>

#include <atomic>
#include <cstdint>

namespace sluice {
inline namespace v1 {
namespace core {

/// One writer: a load and a store instead of a locked increment.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept { set(get() + n); }
    void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct counters {
    counter accepted, persisted, duplicates, failed, dropped, pending_messages, pending_bytes, waiting_messages;
    counter frames_written, frames_resent, writes, bytes_written, connections, connect_failures;
    latency_histogram latency;

    producer_stats snapshot() const noexcept {
        producer_stats s;
        s.accepted = accepted.get();
        s.persisted = persisted.get();
        s.duplicates = duplicates.get();
        s.failed = failed.get();
        s.dropped = dropped.get();
        s.pending_messages = pending_messages.get();
        s.pending_bytes = pending_bytes.get();
        s.waiting_messages = waiting_messages.get();
        s.frames_written = frames_written.get();
        s.frames_resent = frames_resent.get();
        s.writes = writes.get();
        s.bytes_written = bytes_written.get();
        s.connections = connections.get();
        s.connect_failures = connect_failures.get();
        s.latency_p50 = latency.percentile(0.50);
        s.latency_p99 = latency.percentile(0.99);
        s.latency_p999 = latency.percentile(0.999);
        return s;
    }
};

} // namespace core
} // namespace v1
} // namespace sluice
