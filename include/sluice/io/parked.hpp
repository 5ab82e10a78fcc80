// SPDX-License-Identifier: BSL-1.0
// The execution context's own list of producers: it ends what they hold when the context does.
#pragma once

#include <sluice/io/asio_compat.hpp>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace io {

/// Something that holds handlers which no queue of the context knows of.
class parked {
public:
    virtual ~parked() = default;
    /// The context is being destroyed: destroy every handler uncalled, and never post again.
    virtual void context_shutdown() noexcept = 0;

protected:
    std::size_t park_index_ = 0;
    friend class parked_service;
};

/// A producer waits in itself: producer -> node -> handler -> coroutine frame -> producer is a circle that reference
/// counts never free. The context breaks it: its services are shut down before its queues are emptied.
class parked_service : public asio::execution_context::service {
public:
    using key_type = parked_service;
    static inline asio::execution_context::id id;

    explicit parked_service(asio::execution_context& context) : service(context) {}

    void add(const std::shared_ptr<parked>& p) {
        const std::lock_guard lock(mutex_);
        p->park_index_ = all_.size();
        all_.push_back({p.get(), p});
    }
    void remove(parked* p) noexcept {
        const std::lock_guard lock(mutex_);
        const std::size_t i = p->park_index_;
        if (i >= all_.size() || all_[i].first != p) return; // shut down before
        all_[i] = std::move(all_.back());
        all_[i].first->park_index_ = i;
        all_.pop_back();
    }

private:
    void shutdown() noexcept override {
        std::vector<std::pair<parked*, std::weak_ptr<parked>>> all;
        {
            const std::lock_guard lock(mutex_);
            all.swap(all_);
        }
        for (auto& [raw, weak] : all)
            if (const auto strong = weak.lock()) strong->context_shutdown();
    }

    std::mutex mutex_{};
    std::vector<std::pair<parked*, std::weak_ptr<parked>>> all_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
