// SPDX-License-Identifier: BSL-1.0
// `asio::any_io_executor` for strands to stand on.
#pragma once

#include <sluice/core/node_cache.hpp>
#include <sluice/io/memory_allocator.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution/allocator.hpp>
#include <asio/execution/blocking.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/execution/relationship.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#include <asio/require.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// What a strand queues: Asio keeps two blocks a thread, for all that runs there.
class strand_memory {
public:
    void* allocate(std::size_t size) { return size <= blocks_.block_size ? blocks_.allocate() : ::operator new(size); }
    void deallocate(void* memory, std::size_t size) noexcept {
        if (size <= blocks_.block_size)
            blocks_.deallocate(memory);
        else
            ::operator delete(memory);
    }

private:
    core::block_cache<256> blocks_{};
};

/// The same executor, but for two things. A strand asks whether it may block each time it is given something to run,
/// and `any_io_executor` allocates memory for its answer: this one knows it. And a strand asks where the memory for
/// what it queues comes from, which `any_io_executor` does not know.
class erased_executor {
    using blocking = asio::execution::blocking_t;
    using outstanding_work = asio::execution::outstanding_work_t;
    using relationship = asio::execution::relationship_t;

public:
    template <std::same_as<asio::any_io_executor> E> // not a conversion, of which Asio's own would then ask in a circle
    explicit erased_executor(const E& e)
        : erased_executor(e, asio::query(e, asio::execution::blocking) == asio::execution::blocking.never,
                          std::make_shared<strand_memory>()) {}

    /// Of what a strand queues.
    using allocator_type = memory_allocator<void, std::shared_ptr<strand_memory>>;

    asio::execution_context& query(asio::execution::context_t) const noexcept {
        return asio::query(inner_, asio::execution::context);
    }
    blocking query(blocking) const noexcept {
        return never_ ? blocking(asio::execution::blocking.never) : blocking(asio::execution::blocking.possibly);
    }

    allocator_type query(asio::execution::allocator_t<void>) const noexcept { return allocator_type(memory_); }

    erased_executor require(blocking::never_t p) const {
        return never_ ? *this : erased_executor(asio::require(inner_, p), true, memory_);
    }
    erased_executor prefer(blocking::possibly_t p) const {
        if (!never_) return *this;
        asio::any_io_executor e = asio::prefer(inner_, p);
        const bool never = asio::query(e, asio::execution::blocking) == asio::execution::blocking.never;
        return erased_executor(std::move(e), never, memory_);
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
    erased_executor(asio::any_io_executor e, bool never, std::shared_ptr<strand_memory> memory) noexcept
        : inner_(std::move(e)), memory_(std::move(memory)), never_(never) {}

    template <class Property>
    erased_executor like_this(const Property& p) const {
        return erased_executor(asio::prefer(inner_, p), never_, memory_);
    }

    asio::any_io_executor inner_;
    std::shared_ptr<strand_memory> memory_;
    bool never_;
};

} // namespace io
} // namespace v1
} // namespace sluice
