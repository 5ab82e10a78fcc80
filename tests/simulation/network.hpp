// SPDX-License-Identifier: BSL-1.0
// The simulated network: names, addresses, connections, and the faults that they meet one after the other.
#pragma once

#include "connection.hpp"

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

using endpoint = asio::ip::tcp::endpoint;

struct lookup {
    std::vector<endpoint> addresses{};
    std::error_code error{};
    bool answers = true;
    nanoseconds delay{};
};

class network {
public:
    network(world& w, server& s, const manners& m, std::deque<fault> faults)
        : world_(w), server_(s), manners_(m), faults_(std::move(faults)), previous_(std::exchange(running_, this)) {}
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    ~network() {
        finish();
        running_ = previous_;
    }
    static network& running() noexcept { return *running_; }

    testing::time_point wall_time() const noexcept { return server_.wall_time(); }

    lookup resolve(const std::string& host) {
        lookup found;
        found.delay = world_.luck().between(manners_.shortest_latency, manners_.longest_latency);
        if (!faults_.empty() && faults_.front().concerns_names()) {
            found.answers = faults_.front().kind == fault_kind::unresolved;
            found.error = asio::error::host_not_found;
            server_.met.push_back(faults_.front());
            faults_.pop_front();
            world_.note("no address of ", host);
            return found;
        }
        const unsigned more = static_cast<unsigned>(world_.luck().below(3));
        for (unsigned i = 0; i <= more; ++i) {
            const bool dead = i != more && world_.luck().percent(manners_.dead_addresses);
            const unsigned short port = !dead ? 443 : world_.luck().percent(25) ? silent_port : dead_port;
            found.addresses.emplace_back(asio::ip::address_v4(0x0a000001u + i), port);
        }
        return found;
    }

    std::shared_ptr<connection> dial(const endpoint& to) {
        if (server_.expects_quiet && world_.now() < world_.quiet_until)
            world_.violated("a connection before the time that Retry-After asked for");
        fault f;
        const bool dead = to.port() == dead_port || to.port() == silent_port;
        if (dead) {
            f.of_address = true;
            f.kind = to.port() == dead_port ? fault_kind::refused : fault_kind::unreachable;
        } else if (!faults_.empty() && !faults_.front().concerns_names() && world_.luck().percent(manners_.afflicted)) {
            f = faults_.front();
            faults_.pop_front();
        }
        const auto number = static_cast<unsigned>(lines_.size());
        lines_.push_back(std::make_shared<connection>(world_, server_, manners_, f, number));
        return lines_.back();
    }

    std::size_t lines() const noexcept { return lines_.size(); }
    /// Of each: bytes that have reached the server, and the client.
    std::vector<std::pair<std::size_t, std::size_t>> traffic() const {
        std::vector<std::pair<std::size_t, std::size_t>> all;
        for (const auto& line : lines_) all.push_back(line->traffic());
        return all;
    }
    /// The server's ends of all connections end.
    void finish() {
        for (const auto& line : lines_) line->finish();
    }

private:
    static constexpr unsigned short dead_port = 9, silent_port = 10;
    static inline thread_local network* running_ = nullptr;

    world& world_;
    server& server_;
    const manners manners_;
    std::deque<fault> faults_;
    std::vector<std::shared_ptr<connection>> lines_{};
    network* previous_;
};

} // namespace simulation
