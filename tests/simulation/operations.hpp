// SPDX-License-Identifier: BSL-1.0
// Asynchronous operations of the simulated objects: waiting in the world, completed through their executor, and
// destroyed uncalled when the execution context ends, as Asio's own are.
#pragma once

#include "world.hpp"

#include <sluice/io/asio_compat.hpp>

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace simulation {

/// One operation under way.
class pending {
public:
    pending() noexcept : world_(world::running()), next_(world_.operations) {
        if (next_) next_->previous_ = this;
        world_.operations = this;
        ++world_.open_operations;
    }
    pending(const pending&) = delete;
    pending& operator=(const pending&) = delete;
    virtual ~pending() { leave(); }
    /// Posts the handler, and ends this object.
    virtual void complete(std::error_code ec, std::size_t n) = 0;
    /// Nobody knows of it any more: what its handler's destruction does must not find it.
    void leave() noexcept {
        if (!std::exchange(listed_, false)) return;
        (previous_ ? previous_->next_ : world_.operations) = next_;
        if (next_) next_->previous_ = previous_;
        --world_.open_operations;
        if (home_) *home_ = nullptr;
    }

private:
    friend class place;
    world& world_;
    pending* next_;
    pending* previous_ = nullptr;
    bool listed_ = true;
    pending** home_ = nullptr;
};

/// Where an object keeps its operation. Ends with it: the operation is then aborted.
class place {
public:
    place() noexcept = default;
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() { complete(asio::error::operation_aborted); }

    explicit operator bool() const noexcept { return operation_ != nullptr; }
    void complete(std::error_code ec, std::size_t n = 0) {
        if (!operation_) return;
        pending* const mine = std::exchange(operation_, nullptr);
        mine->home_ = nullptr;
        mine->complete(ec, n);
    }
    /// `call(handler, ec, n)` is how the handler is called. A cancellation slot aborts the operation.
    template <class Executor, class Handler, class Call>
    void start(const Executor& executor, Handler handler, Call call) {
        complete(asio::error::operation_aborted);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto* const op = new operation<Executor, Handler, Call>(executor, std::move(handler), std::move(call));
        operation_ = op;
        op->home_ = &operation_;
        if (slot.is_connected())
            slot.assign([this](asio::cancellation_type) { complete(asio::error::operation_aborted); });
    }

private:
    template <class Executor, class Handler, class Call>
    class operation final : public pending {
    public:
        operation(const Executor& executor, Handler handler, Call call)
            : executor_(executor), handler_(std::move(handler)), call_(std::move(call)) {}

        void complete(std::error_code ec, std::size_t n) override {
            const std::unique_ptr<operation> self(this);
            if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
            const auto executor = asio::get_associated_executor(handler_, executor_);
            asio::post(executor, [handler = std::move(handler_), call = std::move(call_), ec, n]() mutable {
                call(handler, ec, n);
            });
        }

    private:
        Executor executor_;
        Handler handler_;
        Call call_;
    };

    pending* operation_ = nullptr;
};

/// Ends with the execution context, before its queues do.
class operations_service : public asio::execution_context::service {
public:
    using key_type = operations_service;
    static inline asio::execution_context::id id;

    explicit operations_service(asio::execution_context& context) : service(context) {}

private:
    void shutdown() noexcept override {
        while (pending* const op = world::running().operations) {
            op->leave();
            delete op;
        }
    }
};

} // namespace simulation
