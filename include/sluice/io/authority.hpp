// SPDX-License-Identifier: BSL-1.0
// The client's credential: where it comes from, how long it is good, and that it is asked for once at a time.
#pragma once

#include <sluice/config.hpp>
#include <sluice/io/credential_bridge.hpp>
#include <sluice/io/http_client.hpp>
#include <sluice/pulsar/rest.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace io {

/// On the client's strand.
template <class Strand, class Traits>
class authority {
public:
    using timer_type = typename Traits::template timer<Strand>;

    authority(const Strand& strand, const client_config& config, sluice::dialect dialect)
        : strand_(strand),
          auth_(config.auth),
          limits_(config.limits),
          dialect_(dialect),
          tenant_(config.tenant),
          tenant_given_(!config.tenant.empty()) {
        if (const auto* k = std::get_if<api_key>(&auth_)) hold(*k);
        if (const auto* k = std::get_if<jwt>(&auth_)) hold(*k);
        if (const auto* k = std::get_if<bearer_token>(&auth_)) hold(*k);
        if (std::holds_alternative<no_auth>(auth_)) held_ = true;
    }

    const std::string& header() const noexcept { return header_; }
    /// `_mm` in `gdn`, empty in `pulsar`, where neither the configuration nor the credential says.
    std::string tenant() const {
        if (!tenant_.empty() || dialect_ == dialect::pulsar) return tenant_;
        return "_mm";
    }
    /// Another one can be had if this one is refused.
    bool renewable() const noexcept {
        return std::holds_alternative<password>(auth_) || std::holds_alternative<credential_source>(auth_);
    }

    /// Makes sure that there is a credential that has not expired; `fresh`: and that it is not the one at hand.
    task<Strand, failure> ensure(http_client<Strand, Traits>& http, pulsar::origin api, asio::ssl::context* tls,
                                 bool fresh) {
        const std::uint64_t seen = generation_;
        while (busy_) { // somebody else asks already
            // A timer, for the context destroys what waits on one; a waiter that keeps itself would be a circle.
            const auto turn = std::make_shared<timer_type>(strand_);
            turn->expires_after(limits_.credential);
            waiting_.push_back(turn);
            std::error_code ignored;
            co_await turn->async_wait(into<Strand>(ignored));
        }
        if (!renewable()) co_return failure{};
        if (generation_ != seen && fresh) co_return failure{}; // renewed while we waited
        if (held_ && !fresh && !expired()) co_return failure{};
        // Also when a cancelled caller leaves through an exception: the next one must get its turn.
        struct turn_guard {
            authority& a;
            ~turn_guard() {
                a.busy_ = false;
                for (const auto& turn : std::exchange(a.waiting_, {})) turn->cancel();
            }
        } guard{*this};
        busy_ = true;
        failure f;
        if (const auto* p = std::get_if<password>(&auth_)) {
            f = co_await log_in(http, std::move(api), tls, *p);
        } else {
            f = co_await ask(std::get<credential_source>(auth_));
        }
        if (!f) ++generation_;
        co_return f;
    }

private:
    void hold(const credential& c) {
        header_ = pulsar::authorization_header(c, dialect_);
        held_ = true;
        expires_.reset();
        std::string said;
        if (const auto* k = std::get_if<api_key>(&c)) said = pulsar::tenant_of_api_key(k->value);
        if (const auto* k = std::get_if<jwt>(&c)) {
            if (const auto claims = pulsar::read_jwt(k->value)) {
                said = claims->tenant;
                if (claims->exp) expires_ = std::chrono::seconds(*claims->exp);
            }
        }
        if (!tenant_given_ && dialect_ == dialect::gdn) tenant_ = std::move(said);
    }

    bool expired() const {
        constexpr std::chrono::seconds before{60}; // a call that begins now must still end in time
        return expires_ && Traits::wall_clock() + before >= *expires_;
    }

    task<Strand, failure> log_in(http_client<Strand, Traits>& http, pulsar::origin api, asio::ssl::context* tls,
                                 const password& who) {
        web::http_request request = pulsar::login_request(who);
        exchange_result r = co_await http.exchange(std::move(api), std::move(request), tls, true);
        if (r.error) co_return r.error;
        auto [f, session] = pulsar::read_login(r.response);
        if (f) co_return f;
        hold(jwt{session.jwt});
        if (!tenant_given_ && !session.tenant.empty()) tenant_ = session.tenant;
        co_return failure{};
    }

    task<Strand, failure> ask(const credential_source& source) {
        struct reply {
            explicit reply(const Strand& strand) : limit(strand) {}
            timer_type limit;
            failure error{};
            credential value{};
            bool there = false;
        };
        const auto answer = std::make_shared<reply>(strand_);
        answer->limit.expires_after(limits_.credential);
        const asio::any_io_executor executor = strand_;
        source.ask(&executor, [answer, strand = strand_](failure f, credential c) {
            post_call(strand, [answer, f = std::move(f), c = std::move(c)] {
                answer->error = f;
                answer->value = c;
                answer->there = true;
                answer->limit.cancel();
            });
        });
        std::error_code ec;
        if (!answer->there) co_await answer->limit.async_wait(into<Strand>(ec));
        if (!answer->there && ec) co_return failure{ec, nullptr}; // cancelled
        if (!answer->there)
            co_return make_failure(errc::request_timeout, "credential_source: no answer within " +
                                                              std::to_string(limits_.credential.count()) + " ms");
        if (answer->error) co_return answer->error;
        if (failure f = sluice::detail::check_credential(answer->value)) co_return f;
        hold(answer->value);
        co_return failure{};
    }

    Strand strand_;
    sluice::auth auth_;
    time_limits limits_;
    sluice::dialect dialect_;
    std::string tenant_;
    bool tenant_given_;
    std::string header_{};
    bool held_ = false;
    std::optional<std::chrono::nanoseconds> expires_{};
    bool busy_ = false;
    std::uint64_t generation_ = 0;
    std::vector<std::shared_ptr<timer_type>> waiting_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
