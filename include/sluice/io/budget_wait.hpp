// SPDX-License-Identifier: BSL-1.0
// A producer's wait for bytes that other producers, perhaps of other execution contexts, give back.
#pragma once

#include <sluice/byte_budget.hpp>
#include <sluice/io/asio_compat.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

template <class Strand>
class budget_wait {
public:
    budget_wait(const Strand& strand, std::shared_ptr<byte_budget> budget) : budget_(std::move(budget)) {
        if (budget_) bell_ = std::make_shared<bell>(strand);
    }
    budget_wait(const budget_wait&) = delete;
    budget_wait& operator=(const budget_wait&) = delete;
    ~budget_wait() { silence(); }

    /// Before the first wait. `ring` is called on the strand, once for each wait.
    void listen(std::function<void()> ring) {
        if (bell_) bell_->ring = std::move(ring);
    }
    /// Until the budget may have `bytes`; 0: there is nothing to wait for.
    void wait(std::size_t bytes) {
        if (bytes != 0 && bell_->begin()) budget_->wait(bell_, bytes);
    }
    /// No ring is posted after this.
    void silence() noexcept {
        if (bell_) bell_->silence();
    }

private:
    /// Who gives bytes back may hold it for a moment longer than the producer and its context live: once silenced, it
    /// has nothing of theirs any more.
    struct bell final : byte_budget::waiter {
        explicit bell(const Strand& s) : strand(s) {}
        bool begin() {
            const std::lock_guard lock(mutex);
            return !std::exchange(waiting, true);
        }
        bool room() noexcept override {
            const std::lock_guard lock(mutex);
            try {
                if (strand) post_call(*strand, ring);
            } catch (const std::bad_alloc&) {
                return false;
            }
            waiting = false;
            return true;
        }
        void silence() noexcept {
            const std::lock_guard lock(mutex);
            strand.reset();
            ring = nullptr;
        }

        std::mutex mutex{};
        bool waiting = false;
        std::optional<Strand> strand;
        std::function<void()> ring{};
    };

    std::shared_ptr<byte_budget> budget_;
    std::shared_ptr<bell> bell_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
