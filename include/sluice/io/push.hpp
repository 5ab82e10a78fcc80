// SPDX-License-Identifier: BSL-1.0
// Messages that a producer takes over: they outlive the call, and tell their result to a function.
#pragma once

#include <sluice/core/node_cache.hpp>
#include <sluice/core/send_node.hpp>
#include <sluice/io/completion.hpp>
#include <sluice/message.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// What a push without a result function calls.
struct no_result {
    void operator()(const std::error_code&, const receipt&) const noexcept {}
};

/// What a push copies: all that can be viewed, but for what is given up, whose memory is taken over.
template <class M>
concept copied_message = std::convertible_to<const std::remove_reference_t<M>&, message_view> &&
                         !std::derived_from<std::remove_cvref_t<M>, message> && !std::same_as<M, std::string>;

/// A message as it was given up.
class owned_bytes {
public:
    explicit owned_bytes(sluice::message&& m) noexcept : message_(std::move(m)) {}
    message_view view() const noexcept { return message_view(message_); }

private:
    sluice::message message_;
};

/// Payload and key of a short message, in the node itself: its memory is the cache's, and there is no other.
class copied_bytes {
public:
    static constexpr std::size_t capacity = 256;
    static bool fit(const message_view& m) noexcept {
        return m.attributes() == nullptr && m.payload().size() <= capacity &&
               m.key().size() <= capacity - m.payload().size();
    }

    explicit copied_bytes(const message_view& m) noexcept
        : payload_(m.payload().size()), key_(m.key().size()), has_key_(m.has_key()) {
        std::copy_n(m.key().data(), key_, std::copy_n(m.payload().data(), payload_, bytes_.data()));
    }
    message_view view() const noexcept {
        message_view m(std::string_view(bytes_.data(), payload_));
        if (has_key_) m.with_key({bytes_.data() + payload_, key_});
        return m;
    }

private:
    std::size_t payload_, key_;
    bool has_key_;
    std::array<char, capacity> bytes_; // what is beyond the two is never read: left unset
};

/// The message of a push: it outlives the wait for room, and tells its result to a function, on the producer's
/// executor.
template <class Bytes, class OnResult>
class push_node : public core::receipt_node {
public:
    static constexpr bool fits_block() noexcept {
        return sizeof(push_node) <= core::node_cache::block_size && alignof(push_node) <= core::node_cache::alignment;
    }

    template <class M>
    push_node(core::node_cache& cache, M&& m, OnResult&& on_result)
        : cache_(cache), bytes_(std::forward<M>(m)), on_result_(std::move(on_result)) {
        core::node::finish = [](core::node* n, bool invoke) {
            auto* const self = static_cast<push_node*>(n);
            OnResult call(std::move(self->on_result_));
            const std::error_code ec = completion_code(self->error);
            const receipt r = std::move(self->own_result);
            destroy(self);
            if (invoke) call(ec, r);
        };
        message = bytes_.view();
    }

    template <class M>
    static push_node* create(core::node_cache& cache, M&& m, OnResult&& on_result) {
        if constexpr (!fits_block()) {
            return new push_node(cache, std::forward<M>(m), std::move(on_result));
        } else {
            struct memory {
                core::node_cache& cache;
                void* block;
                ~memory() {
                    if (block) cache.deallocate(block);
                }
            } guard{cache, cache.allocate()};
            auto* const n = ::new (guard.block) push_node(cache, std::forward<M>(m), std::move(on_result));
            guard.block = nullptr;
            return n;
        }
    }

private:
    static void destroy(push_node* n) noexcept {
        if constexpr (!fits_block()) {
            delete n;
        } else {
            core::node_cache& cache = n->cache_;
            n->~push_node();
            cache.deallocate(n);
        }
    }

    core::node_cache& cache_; // outlives every node: see completion_queue
    Bytes bytes_;
    OnResult on_result_;
};

static_assert(push_node<owned_bytes, no_result>::fits_block() && push_node<copied_bytes, no_result>::fits_block(),
              "node_cache::block_size is too small");

template <class OnResult>
core::send_node* make_push(core::node_cache& cache, sluice::message&& m, OnResult&& on_result) {
    return push_node<owned_bytes, std::decay_t<OnResult>>::create(cache, std::move(m),
                                                                  std::decay_t<OnResult>(std::move(on_result)));
}
template <class OnResult>
core::send_node* make_push(core::node_cache& cache, const message_view& m, OnResult&& on_result) {
    if (copied_bytes::fit(m))
        return push_node<copied_bytes, std::decay_t<OnResult>>::create(cache, m,
                                                                       std::decay_t<OnResult>(std::move(on_result)));
    sluice::message whole(m.payload());
    if (m.has_key()) whole.key = std::string(m.key());
    if (m.attributes()) static_cast<message_attributes&>(whole) = *m.attributes();
    return make_push(cache, std::move(whole), std::forward<OnResult>(on_result));
}

/// The message of a push that has not begun: a coroutine's argument.
template <class Executor>
class held_message {
public:
    using queue = std::shared_ptr<completion_queue<Executor>>;

    held_message(queue cache, core::send_node* n) noexcept : cache_(std::move(cache)), node_(n) {}
    held_message(held_message&& other) noexcept
        : cache_(std::move(other.cache_)), node_(std::exchange(other.node_, nullptr)) {}
    ~held_message() {
        if (node_) node_->finish(node_, false);
    }

    const message_view& view() const noexcept { return node_->message; }
    core::send_node* release() noexcept { return std::exchange(node_, nullptr); }

private:
    queue cache_; // the producer may be gone before an awaitable that nobody has awaited
    core::send_node* node_;
};

} // namespace io
} // namespace v1
} // namespace sluice
