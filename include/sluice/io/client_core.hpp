// SPDX-License-Identifier: BSL-1.0
// What a client and all its producers share: the server's address, the credential, kept REST connections.
#pragma once

#include <sluice/config.hpp>
#include <sluice/io/authority.hpp>
#include <sluice/io/http_client.hpp>
#include <sluice/io/tls.hpp>
#include <sluice/pulsar/names.hpp>
#include <sluice/pulsar/rest.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// What a producer needs to know to open its socket, once the credential and the region are there.
struct socket_place {
    pulsar::origin where{};
    pulsar::topic_name topic{};
    std::string authorization{};
};

/// Every coroutine here runs on `strand()`: others spawn them there. Outlives the client in its producers.
template <class Executor, class Traits>
class client_core : public std::enable_shared_from_this<client_core<Executor, Traits>> {
public:
    using strand_type = strand_of<Executor>;

    client_core(const Executor& executor, client_config config)
        : strand_(typename strand_type::inner_executor_type(inner_executor_t<Executor>(executor))),
          config_(std::move(config)),
          http_(strand_, config_.limits) {
        problem_ = config_.validate();
        if (problem_) return;
        std::tie(problem_, service_) = pulsar::resolve_service(config_);
        if (problem_) return;
        if (service_.api.tls) problem_ = tls_.load(config_.tls);
        authority_.emplace(strand_, config_, service_.dialect);
    }

    const strand_type& strand() const noexcept { return strand_; }
    const client_config& config() const noexcept { return config_; }
    const pulsar::service_address& service() const noexcept { return service_; }
    asio::ssl::context* tls() const noexcept { return service_.api.tls ? tls_.get() : nullptr; }
    /// What is wrong with the configuration, if anything: every operation fails with it.
    const failure& problem() const noexcept { return problem_; }

    /// A usable credential, another one than that at hand if `fresh`.
    task<strand_type, failure> authorize(bool fresh) {
        if (problem_) co_return problem_;
        co_return co_await authority_->ensure(http_, service_.api, tls(), fresh);
    }

    /// Sockets are opened with a one-time password instead of the credential.
    bool wants_one_time_password() const noexcept {
        return service_.dialect == dialect::gdn && config_.socket_auth == socket_auth::otp && !shows_nothing();
    }

    /// A 401 that is no wonder says so.
    failure hinted(const failure& f) const {
        if (f.code != errc::unauthorized || !shows_nothing()) return f;
        error_details d = f.details ? *f.details : error_details();
        d.text = "client_config::auth is no_auth, and the server wants a credential: " + d.text;
        return make_failure(f.code, std::move(d));
    }

    /// Another credential can be had if this one is refused.
    bool renewable() const noexcept { return authority_ && authority_->renewable(); }

    /// What is wrong with a stream's name: told before anything is sent, the tenant not being known yet.
    failure check_name(std::string_view stream, scope s) const {
        if (problem_) return problem_;
        return pulsar::make_topic(service_.dialect, stream, s, {}, config_.fabric).first;
    }

    /// The tenant is known once a credential is.
    std::pair<failure, pulsar::topic_name> topic(std::string_view stream, scope s) const {
        if (problem_) return {problem_, {}};
        return pulsar::make_topic(service_.dialect, stream, s, authority_->tenant(), config_.fabric);
    }
    pulsar::topic_name space(scope s) const {
        return pulsar::stream_namespace(service_.dialect, s, authority_->tenant(), config_.fabric);
    }

    /// What a call asks, once it is known who asks; or why it cannot be asked. One type: `call` is compiled once.
    using make_request = std::function<std::pair<failure, web::http_request>(const pulsar::caller&)>;
    /// A request that can be made whatever there is.
    static make_request always(web::http_request (*request)(const pulsar::caller&)) {
        return [request](const pulsar::caller& who) { return std::pair<failure, web::http_request>({}, request(who)); };
    }

    /// One REST call: `make(caller)` gives the request, the answer is the server's, whatever its status. A 401 is met
    /// with one fresh credential where there is one.
    task<strand_type, exchange_result> call(make_request make, bool repeatable = true) {
        exchange_result result;
        bool fresh = false;
        for (;;) {
            result.error = co_await authorize(fresh);
            if (result.error) co_return result;
            pulsar::caller who;
            who.dialect = service_.dialect;
            who.fabric = config_.fabric;
            who.authorization = authority_->header();
            auto [bad, request] = make(who);
            if (bad) {
                result.error = bad;
                co_return result;
            }
            result = co_await http_.exchange(service_.api, std::move(request), tls(), repeatable);
            if (!result.error && result.response.status == 401 && shows_nothing())
                result.error = hinted(pulsar::failure_of(result.response, "the call"));
            if (result.error || result.response.status != 401 || fresh || !authority_->renewable()) co_return result;
            fresh = true;
        }
    }

    /// Where sockets are opened. Asked once, and again after `forget_region`.
    task<strand_type, failure> find_region() {
        if (problem_) co_return problem_;
        if (region_ || !service_.ask_region) co_return failure{};
        exchange_result r = co_await call(always(&pulsar::region_request));
        if (r.error) co_return r.error;
        auto [f, region] = pulsar::read_region(r.response);
        if (!f) region_ = std::move(region);
        co_return f;
    }
    /// From any thread: the region did not answer well, it may have moved.
    void forget_region() {
        post_call(strand_, [self = this->shared_from_this()] { self->region_.reset(); });
    }

    /// From any thread: a connection to the server was lost in silence, and so may be those that are kept. A request
    /// over one of them would wait for its whole time limit.
    void forget_connections() {
        post_call(strand_, [self = this->shared_from_this()] { self->http_.forget_idle(); });
    }

    /// A copy: it goes to the producer's strand.
    task<strand_type, pulsar::answer<socket_place>> place(std::string stream, scope s) {
        pulsar::answer<socket_place> out;
        if (problem_) {
            out.first = problem_;
            co_return out;
        }
        std::tie(out.first, out.second.topic) = topic(stream, s);
        out.second.where = pulsar::socket_origin(service_, region_ ? *region_ : pulsar::region());
        out.second.authorization = authority_->header();
        co_return out;
    }

    task<strand_type, pulsar::answer<std::string>> one_time_password() {
        exchange_result r = co_await call(always(&pulsar::otp_request));
        if (r.error) co_return pulsar::answer<std::string>(r.error, {});
        co_return pulsar::read_otp(r.response);
    }

private:
    bool shows_nothing() const noexcept { return std::holds_alternative<no_auth>(config_.auth); }

    strand_type strand_;
    client_config config_;
    failure problem_{};
    pulsar::service_address service_{};
    tls_context tls_{};
    http_client<strand_type, Traits> http_;
    std::optional<authority<strand_type, Traits>> authority_{};
    std::optional<pulsar::region> region_{};
};

} // namespace io
} // namespace v1
} // namespace sluice
