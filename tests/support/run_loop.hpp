// SPDX-License-Identifier: BSL-1.0
// Drives an io_context until something is true: no test sleeps, and none waits for ever.
#pragma once

#include <sluice.hpp>

#include <asio.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace test {

/// How long anything may take on the slowest machine. Nothing is measured with it: what passes does so earlier.
inline constexpr std::chrono::seconds patience{120};

/// Runs handlers one by one until `done()`; fails the test if the context runs out of work, or out of time.
template <class Done>
void run_until(asio::io_context& context, Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (context.stopped()) context.restart();
        if (context.run_one_until(deadline) != 0) continue;
        REQUIRE_MESSAGE(!context.stopped(), "nothing is left to run, and the condition does not hold");
        FAIL("the condition does not hold after a very long time");
    }
}

/// Runs until nothing is left to do.
inline void run_out(asio::io_context& context) {
    if (context.stopped()) context.restart();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (context.run_one_until(deadline) != 0) {}
    REQUIRE(context.stopped());
}

/// Runs everything that is ready now, and what that makes ready.
inline void run_ready(asio::io_context& context) {
    if (context.stopped()) context.restart();
    while (context.poll() != 0) {}
}

/// Runs a coroutine to its end and gives its value; what it throws is thrown here.
template <class T>
T run(asio::io_context& context, asio::awaitable<T> work) {
    struct end {
        std::exception_ptr thrown{};
        std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> value{};
        bool there = false;
    };
    const auto e = std::make_shared<end>();
    if constexpr (std::is_void_v<T>) {
        asio::co_spawn(context, std::move(work), [e](std::exception_ptr thrown) {
            e->thrown = thrown;
            e->there = true;
        });
    } else {
        asio::co_spawn(context, std::move(work), [e](std::exception_ptr thrown, T value) {
            e->thrown = thrown;
            e->value.emplace(std::move(value));
            e->there = true;
        });
    }
    run_until(context, [&] { return e->there; });
    if (e->thrown) std::rethrow_exception(e->thrown);
    if constexpr (!std::is_void_v<T>) return std::move(*e->value);
}

/// A completion handler's arguments, and how often it was called. Copies share them.
template <class... Args>
class outcome_of {
public:
    outcome_of() : state_(std::make_shared<state>()) {}

    void operator()(Args... args) const {
        ++state_->calls;
        state_->values.emplace(std::move(args)...);
    }

    int calls() const { return state_->calls; }
    bool called() const { return state_->calls != 0; }
    template <std::size_t I>
    auto& get() const {
        REQUIRE(state_->values);
        return std::get<I>(*state_->values);
    }
    std::error_code error() const { return get<0>(); }
    auto& value() const { return get<1>(); }
    /// Handlers that exist, this one included.
    long handlers() const { return state_.use_count(); }

private:
    struct state {
        int calls = 0;
        std::optional<std::tuple<Args...>> values{};
    };
    std::shared_ptr<state> state_;
};
using done = outcome_of<std::error_code>;
using sent = outcome_of<std::error_code, sluice::receipt>;

/// What the coroutine throws, which must be a `sluice::error`.
template <class T>
sluice::error error_of(asio::io_context& context, asio::awaitable<T> work) {
    try {
        run(context, std::move(work));
    } catch (const sluice::error& e) {
        return e;
    }
    FAIL("nothing was thrown");
    std::abort();
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

} // namespace test
