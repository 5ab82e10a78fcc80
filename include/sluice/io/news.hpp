// SPDX-License-Identifier: BSL-1.0
// What a producer's observer is told: in order, off the producer's strand, and nothing once the producer is gone.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/observer.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

template <class Strand>
class news {
public:
    template <class Executor>
    news(const Executor& executor, producer_observer observer)
        : strand_(typename Strand::inner_executor_type(executor)),
          reader_(std::make_shared<reader>(std::move(observer))) {}

    /// Calls that function of the observer with copies of the arguments, never inside this call.
    template <class Function, class... Arguments>
    void tell(Function producer_observer::* what, Arguments... arguments) {
        if (!(reader_->observer.*what)) return;
        post_call(strand_, [r = reader_, what, ... a = std::move(arguments)] {
            if (!r->silenced.load(std::memory_order_relaxed)) (r->observer.*what)(a...);
        });
    }

    /// From any thread: whose producer is gone, what an observer refers to may be gone too.
    void silence() noexcept { reader_->silenced.store(true, std::memory_order_relaxed); }

private:
    struct reader {
        explicit reader(producer_observer o) : observer(std::move(o)) {}
        producer_observer observer;
        std::atomic<bool> silenced{false};
    };

    Strand strand_;
    std::shared_ptr<reader> reader_;
};

} // namespace io
} // namespace v1
} // namespace sluice
