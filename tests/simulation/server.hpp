// SPDX-License-Identifier: BSL-1.0
// The other end: the model of proxy and broker, and a book of which connection stored what.
#pragma once

#include "fault.hpp"
#include "wire.hpp"

#include <sluice/testing/gateway/peer.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

namespace testing = sluice::testing;

class server {
public:
    struct entry {
        unsigned line;
        nanoseconds when;
    };
    /// Of one topic: an entry for each message that is stored in it, in the same order.
    struct book {
        std::string topic;
        std::vector<entry> entries{};
    };

    server(world& w, testing::proxy_options options)
        : world_(w), luck_(w.luck().fork()), model(std::move(options), {&luck_, &server::fill}) {}

    testing::time_point wall_time() const noexcept {
        constexpr testing::time_point start{std::chrono::seconds(1'796'155'444)}; // 2026-12-01
        return start + world_.now();
    }

    void watch(std::string topic) { books.push_back({std::move(topic)}); }
    /// What has been stored since the last call came over this line.
    void account(unsigned line) {
        if (std::exchange(stored_, model.stats().stored) == model.stats().stored) return;
        for (book& b : books)
            for (auto n = model.message_count(b.topic); b.entries.size() < n;)
                b.entries.push_back({line, world_.now()});
    }

    /// A client has begun to write the message on one of these lines.
    bool wrote(std::size_t message, const std::set<unsigned>& lines) const {
        return std::any_of(wire.frames.begin(), wire.frames.end(),
                           [&](const written_frame& f) { return f.message == message && lines.contains(f.line); });
    }

private:
    static void fill(void* luck, std::span<std::byte> out) { static_cast<dice*>(luck)->fill(out); }

    world& world_;
    dice luck_;
    std::uint64_t stored_ = 0;

public:
    testing::proxy_model model;
    std::vector<book> books{};
    wire_log wire{};
    std::vector<fault> met{};           ///< that have struck
    std::set<unsigned> refusing{};      ///< lines on which a message was refused, or its fate denied
    std::set<unsigned> shifting{};      ///< those on which it took no number
    std::set<unsigned> refusals_lost{}; ///< those whose refusal was lost with them: no client has read it
    bool expects_quiet = false;         ///< whoever connects is the only producer, and tells in time what it was told
};

} // namespace simulation
