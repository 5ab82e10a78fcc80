// SPDX-License-Identifier: BSL-1.0
// The client's REST operations as coroutines on its strand, and how a completion token starts one.
#pragma once

#include <sluice/io/client_core.hpp>
#include <sluice/io/spawn.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// For operations that answer nothing but success.
struct nothing {};

template <class Core>
struct calls {
    using strand_type = typename Core::strand_type;
    using core_ptr = std::shared_ptr<Core>;
    template <class T>
    using answer = pulsar::answer<T>;
    template <class T>
    using work = task<strand_type, answer<T>>;

    static work<nothing> login(core_ptr core) {
        const failure f = co_await core->authorize(false);
        co_return answer<nothing>(f, {});
    }

    static work<pulsar::created_stream> ensure_stream(core_ptr core, std::string name, scope s) {
        co_return co_await create(std::move(core), std::move(name), s, true);
    }
    static work<pulsar::created_stream> create_stream(core_ptr core, std::string name, scope s) {
        co_return co_await create(std::move(core), std::move(name), s, false);
    }

    static work<bool> has_stream(core_ptr core, std::string name, scope s) {
        if (const failure f = core->check_name(name, s)) co_return answer<bool>(f, false);
        pulsar::topic_name topic;
        const auto make = on_topic(core, name, s, topic, &pulsar::list_streams_request);
        exchange_result r = co_await core->call(make);
        if (r.error) co_return answer<bool>(r.error, false);
        const auto [f, all] = pulsar::read_streams(core->service().dialect, r.response);
        co_return answer<bool>(f, !f && pulsar::is_listed(all, topic));
    }

    static work<std::vector<pulsar::stream_info>> list_streams(core_ptr core, scope s) {
        const auto make = [core, s](const pulsar::caller& who) {
            return std::pair<failure, web::http_request>({}, pulsar::list_streams_request(who, core->space(s)));
        };
        exchange_result r = co_await core->call(make);
        if (r.error) co_return answer<std::vector<pulsar::stream_info>>(r.error, {});
        co_return pulsar::read_streams(core->service().dialect, r.response);
    }

    static work<nothing> delete_stream(core_ptr core, std::string name, scope s) {
        if (const failure f = core->check_name(name, s)) co_return answer<nothing>(f, {});
        pulsar::topic_name topic;
        const auto make = on_topic(core, name, s, topic, [](const pulsar::caller& who, const pulsar::topic_name& t) {
            return pulsar::delete_stream_request(who, t);
        });
        exchange_result r = co_await core->call(make);
        if (r.error) co_return answer<nothing>(r.error, {});
        co_return answer<nothing>(pulsar::read_done(r.response, "delete_stream"), {});
    }

    static work<std::string> stream_stats(core_ptr core, std::string name, scope s) {
        co_return co_await ask(std::move(core), std::move(name), s, &pulsar::stream_stats_request, "stream_stats");
    }
    static work<std::string> stream_backlog(core_ptr core, std::string name, scope s) {
        co_return co_await ask(std::move(core), std::move(name), s, &pulsar::stream_backlog_request, "stream_backlog");
    }
    static work<std::string> subscriptions(core_ptr core, std::string name, scope s) {
        co_return co_await ask(std::move(core), std::move(name), s, &pulsar::subscriptions_request, "subscriptions");
    }

    static work<std::string> get_otp(core_ptr core) { co_return co_await core->one_time_password(); }

    static work<nothing> publish(core_ptr core, std::string name, std::string payload, scope s) {
        if (const failure f = core->check_name(name, s)) co_return answer<nothing>(f, {});
        pulsar::topic_name topic;
        const auto make = on_topic(core, name, s, topic, [&](const pulsar::caller& who, const pulsar::topic_name& t) {
            return pulsar::publish_request(who, t, payload);
        });
        constexpr bool repeatable = false; // seen twice, it would be stored twice
        exchange_result r = co_await core->call(make, repeatable);
        if (r.error) co_return answer<nothing>(r.error, {});
        co_return answer<nothing>(pulsar::read_done(r.response, "publish"), {});
    }

    static work<pulsar::region> local_region(core_ptr core) {
        exchange_result r = co_await core->call(core->always(&pulsar::region_request));
        if (r.error) co_return answer<pulsar::region>(r.error, {});
        co_return pulsar::read_region(r.response);
    }

private:
    using build_request = std::function<web::http_request(const pulsar::caller&, const pulsar::topic_name&)>;
    /// The topic is made when the credential is there, for it may say which tenant.
    static typename Core::make_request on_topic(const core_ptr& core, const std::string& name, scope s,
                                                pulsar::topic_name& topic, build_request build) {
        return [core, &name, s, &topic, build = std::move(build)](const pulsar::caller& who) {
            std::pair<failure, web::http_request> out;
            std::tie(out.first, topic) = core->topic(name, s);
            if (!out.first) out.second = build(who, topic);
            return out;
        };
    }

    static work<pulsar::created_stream> create(core_ptr core, std::string name, scope s, bool existing_is_fine) {
        if (const failure f = core->check_name(name, s)) co_return answer<pulsar::created_stream>(f, {});
        pulsar::topic_name topic;
        const auto make = on_topic(core, name, s, topic, &pulsar::create_stream_request);
        exchange_result r = co_await core->call(make);
        if (r.error) co_return answer<pulsar::created_stream>(r.error, {});
        if (existing_is_fine) co_return pulsar::read_ensured(core->service().dialect, topic, r.response);
        co_return pulsar::read_created(core->service().dialect, topic, r.response);
    }

    static work<std::string> ask(core_ptr core, std::string name, scope s, build_request build, const char* what) {
        if (const failure f = core->check_name(name, s)) co_return answer<std::string>(f, {});
        pulsar::topic_name topic;
        const auto make = on_topic(core, name, s, topic, std::move(build));
        exchange_result r = co_await core->call(make);
        if (r.error) co_return answer<std::string>(r.error, {});
        co_return pulsar::read_result(core->service().dialect, r.response, what);
    }
};

/// Starts a call. Its completion keeps the handler's executor, allocator and cancellation slot (terminal alone).
template <class Core, class Executor, bool Throws>
struct initiate_call {
    using executor_type = Executor;
    std::shared_ptr<Core> core;
    Executor executor;

    executor_type get_executor() const noexcept { return executor; }

    template <class Handler, class Result>
    void operator()(Handler&& handler, task<typename Core::strand_type, pulsar::answer<Result>> work) const {
        const auto result = std::make_shared<pulsar::answer<Result>>();
        const auto finish = [result](auto h, const std::exception_ptr& thrown) {
            pulsar::answer<Result>& a = *result;
            if (thrown) a.first = failure_of(thrown);
            if constexpr (Throws) {
                const std::exception_ptr e = a.first ? std::make_exception_ptr(error(a.first)) : std::exception_ptr();
                if constexpr (std::is_same_v<Result, nothing>)
                    std::move(h)(e);
                else
                    std::move(h)(e, std::move(a.second));
            } else {
                if constexpr (std::is_same_v<Result, nothing>)
                    std::move(h)(a.first.code);
                else
                    std::move(h)(a.first.code, std::move(a.second));
            }
        };
        using adapted = adapted_handler<std::decay_t<Handler>, decltype(finish)>;
        // Without an executor of its own the handler runs on the client's, not on the strand that serves everybody.
        const auto where = asio::get_associated_executor(handler, executor);
        spawn_on(core->strand(), keep_result<typename Core::strand_type>(std::move(work), result),
                 asio::bind_executor(where, adapted{std::forward<Handler>(handler), finish}));
    }

private:
    static failure failure_of(const std::exception_ptr& thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::system_error& e) { // a cancelled coroutine ends like this
            return make_failure(e.code(), e.what());
        } catch (const std::exception& e) {
            return make_failure(errc::aborted, e.what());
        } catch (...) { // a credential_source may throw anything
            return make_failure(errc::aborted, "an exception that is no std::exception");
        }
    }
};

} // namespace io
} // namespace v1
} // namespace sluice
