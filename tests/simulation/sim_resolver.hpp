// SPDX-License-Identifier: BSL-1.0
// Names in the simulated network: every host has a few addresses, some of which nobody answers at.
#pragma once

#include "network.hpp"

#include <string>
#include <vector>

namespace simulation {

/// What the library uses of `asio::ip::basic_resolver`.
template <class Executor>
class sim_resolver {
public:
    using results_type = std::vector<endpoint>;

    explicit sim_resolver(const Executor& executor) : executor_(executor) { ++world_.resolvers; }
    sim_resolver(const sim_resolver&) = delete;
    sim_resolver& operator=(const sim_resolver&) = delete;
    ~sim_resolver() {
        cancel();
        --world_.resolvers;
    }

    void cancel() {
        world_.forget(ticket_);
        resolve_.complete(asio::error::operation_aborted);
    }
    template <class Token>
    auto async_resolve(const std::string& host, const std::string&, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, results_type)>(
            [this, &host](auto handler) {
                const lookup found = network::running().resolve(host);
                resolve_.start(executor_, std::move(handler),
                               [addresses = found.addresses](auto& h, std::error_code ec, std::size_t) {
                                   h(ec, ec ? results_type() : addresses);
                               });
                if (found.answers)
                    ticket_ = world_.in(found.delay, [this, ec = found.error] { resolve_.complete(ec); });
            },
            token);
    }

private:
    world& world_ = world::running();
    Executor executor_;
    world::ticket ticket_{};
    place resolve_{};
};

} // namespace simulation
