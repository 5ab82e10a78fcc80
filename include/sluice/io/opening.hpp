// SPDX-License-Identifier: BSL-1.0
// From a client that has its credential to an open producer socket, in as few round trips as there can be.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/publisher.hpp>
#include <sluice/io/client_core.hpp>
#include <sluice/io/link.hpp>
#include <sluice/io/spawn.hpp>
#include <sluice/io/traits.hpp>
#include <sluice/pulsar/encryption_support.hpp>
#include <sluice/pulsar/names.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// On the producer's strand. The one-time password is fetched, on the client's strand, while the socket is connected:
/// over TLS three round trips beside two, or one where a REST connection was kept.
template <class Executor, class Traits>
class opening {
public:
    using client_type = client_core<Executor, Traits>;
    using strand_type = typename client_type::strand_type;
    using timer_type = typename Traits::template timer<strand_type>;
    using link_type = link<strand_type, Traits>;

    /// `socket` must outlive it.
    opening(const strand_type& strand, std::shared_ptr<client_type> client, link_type& socket)
        : strand_(strand), client_(std::move(client)), link_(socket) {}

    /// Up to a connected stream, and what shows that it may be upgraded. Of the two, the first failure is told. A
    /// refused password ends the connecting; a connection that fails leaves the call to the next attempt, for a call
    /// that is broken off may have renewed the credential half-way.
    task<strand_type, failure> connect(std::string stream, scope s) {
        pulsar::answer<socket_place> place =
            co_await await_on<strand_type>(client_->strand(), client_->place(std::move(stream), s));
        if (place.first) co_return place.first;
        if (stopped_) co_return failure{errc::aborted, nullptr};
        place_ = std::move(place.second);
        if (!client_->wants_one_time_password()) co_return co_await link_.connect(place_.where, client_->tls());

        if (call_ && call_->done && !call_->failed()) call_.reset(); // each attempt has a fresh one
        if (!call_) ask_password();
        const std::shared_ptr<call> asked = call_;
        const await_guard awaited(*asked);
        failure f;
        if (!asked->done) f = co_await link_.connect(place_.where, client_->tls());
        const core::instant connected = io::now<Traits>();
        std::error_code ignored;
        while (!f && !asked->done && !stopped_) co_await asked->timer.async_wait(into<strand_type>(ignored));
        if (asked->done) call_.reset();
        if (asked->thrown) std::rethrow_exception(asked->thrown);
        if (asked->error) co_return asked->error;
        if (f || stopped_) co_return f;
        otp_ = std::move(asked->password);
        place_.authorization.clear();
        // Servers have little patience with a connection that says nothing.
        constexpr std::chrono::seconds patience{2};
        if (io::now<Traits>() - connected > patience) f = co_await link_.connect(place_.where, client_->tls());
        co_return f;
    }

    task<strand_type, handshake_result> upgrade(core::publisher::announcement a, producer_options said,
                                                compression_type codec) {
        const compression_type compression =
            said.compress_at == compress_at::broker ? codec : compression_type::none; // elsewhere the proxy does not
        said.batching_enabled = a.batching;
        std::string target = pulsar::producer_target(client_->service().dialect, place_.topic, said, compression,
                                                     a.initial_sequence_id, std::exchange(otp_, {}), a.encryption_keys);
        handshake_result r =
            co_await link_.upgrade(std::move(target), std::exchange(place_.authorization, {}), said.deflate);
        if (!a.encryption_keys.empty()) r.error = pulsar::explain_encrypted_upgrade(std::move(r.error));
        co_return r;
    }

    /// Ends a call for a password that a failed attempt has left.
    void give_up() {
        const auto asked = std::exchange(call_, nullptr);
        if (!asked || asked->done) return;
        asked->cancel.emit(asio::cancellation_type::terminal);
        asked->timer.cancel();
    }

    /// For good: none begins any more.
    void stop() {
        stopped_ = true;
        give_up();
    }

    /// The socket's server is the one that calls go to.
    bool is_with_client() const { return place_.where == client_->service().api; }

private:
    /// The coroutine waits on the timer: the context destroys what waits on one.
    struct call {
        explicit call(const strand_type& strand) : timer(strand) {}
        bool failed() const noexcept { return thrown || error; }

        timer_type timer;
        asio::cancellation_signal cancel{};
        bool awaited = false; ///< by a coroutine of the producer, which is there as long
        bool done = false;
        std::exception_ptr thrown{};
        failure error{};
        std::string password{};
    };
    struct await_guard {
        explicit await_guard(call& c) noexcept : asked(c) { asked.awaited = true; }
        await_guard(const await_guard&) = delete;
        ~await_guard() { asked.awaited = false; }
        call& asked;
    };

    void ask_password() {
        auto asked = call_ = std::make_shared<call>(strand_);
        asked->timer.expires_after(std::chrono::hours(24)); // the call has limits of its own
        auto slot = asked->cancel.slot();
        const auto result = std::make_shared<pulsar::answer<std::string>>();
        auto finish = [this, asked = std::move(asked), client = client_, result](std::exception_ptr thrown) {
            asked->done = true;
            asked->thrown = std::move(thrown);
            asked->error = std::move(result->first);
            asked->password = std::move(result->second);
            if (!asked->awaited) return;
            asked->timer.cancel();
            if (asked->failed()) link_.stop();
        };
        spawn_on(client_->strand(), keep_result<strand_type>(client_->one_time_password(), result),
                 asio::bind_executor(strand_, asio::bind_cancellation_slot(slot, std::move(finish))));
    }

    strand_type strand_;
    std::shared_ptr<client_type> client_;
    link_type& link_;
    socket_place place_{};
    std::shared_ptr<call> call_{};
    std::string otp_{};
    bool stopped_ = false;
};

} // namespace io
} // namespace v1
} // namespace sluice
