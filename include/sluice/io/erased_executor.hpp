// SPDX-License-Identifier: BSL-1.0
// `asio::any_io_executor` for strands to stand on.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/execution/blocking.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/execution/relationship.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#include <asio/require.hpp>

#include <concepts>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// The same executor, but for one thing: a strand asks whether it may block each time it is given something to run, and
/// `any_io_executor` allocates memory for its answer. This one knows it.
class erased_executor {
    using blocking = asio::execution::blocking_t;
    using outstanding_work = asio::execution::outstanding_work_t;
    using relationship = asio::execution::relationship_t;

public:
    template <std::same_as<asio::any_io_executor> E> // not a conversion, of which Asio's own would then ask in a circle
    explicit erased_executor(const E& e)
        : erased_executor(e, asio::query(e, asio::execution::blocking) == asio::execution::blocking.never) {}

    asio::execution_context& query(asio::execution::context_t) const noexcept {
        return asio::query(inner_, asio::execution::context);
    }
    blocking query(blocking) const noexcept {
        return never_ ? blocking(asio::execution::blocking.never) : blocking(asio::execution::blocking.possibly);
    }

    erased_executor require(blocking::never_t p) const {
        return never_ ? *this : erased_executor(asio::require(inner_, p), true);
    }
    erased_executor prefer(blocking::possibly_t p) const {
        return never_ ? erased_executor(asio::any_io_executor(asio::prefer(inner_, p))) : *this;
    }
    erased_executor prefer(outstanding_work::tracked_t p) const { return like_this(p); }
    erased_executor prefer(outstanding_work::untracked_t p) const { return like_this(p); }
    erased_executor prefer(relationship::fork_t p) const { return like_this(p); }
    erased_executor prefer(relationship::continuation_t p) const { return like_this(p); }

    template <class Function>
    void execute(Function&& f) const {
        inner_.execute(std::forward<Function>(f));
    }

    friend bool operator==(const erased_executor& a, const erased_executor& b) noexcept {
        return a.never_ == b.never_ && a.inner_ == b.inner_;
    }
    friend bool operator!=(const erased_executor& a, const erased_executor& b) noexcept { return !(a == b); }

private:
    erased_executor(asio::any_io_executor e, bool never) noexcept : inner_(std::move(e)), never_(never) {}

    template <class Property>
    erased_executor like_this(const Property& p) const {
        return erased_executor(asio::prefer(inner_, p), never_);
    }

    asio::any_io_executor inner_;
    bool never_;
};

} // namespace io
} // namespace v1
} // namespace sluice
