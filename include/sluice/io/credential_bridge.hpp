// SPDX-License-Identifier: BSL-1.0
// How an awaitable callable becomes a `credential_source`.
#pragma once

#include <sluice/credentials.hpp>
#include <sluice/io/asio_compat.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace detail {

template <class F>
class credential_bridge {
public:
    static credential_source::ask_function wrap(F f) {
        return [source = std::make_shared<F>(std::move(f))](const void* executor, credential_source::done done) {
            try { // a callable that is no coroutine itself may throw before it returns one
                asio::co_spawn(*static_cast<const asio::any_io_executor*>(executor), (*source)(),
                               [source, done](std::exception_ptr e, credential c) {
                                   if (e) return done(thrown(e), {});
                                   done({}, std::move(c));
                               });
            } catch (...) {
                done(thrown(std::current_exception()), {});
            }
        };
    }

private:
    /// Not fatal: the next attempt may be luckier.
    static failure thrown(const std::exception_ptr& e) {
        std::string why = "an exception";
        try {
            std::rethrow_exception(e);
        } catch (const std::exception& x) {
            why = x.what();
        } catch (...) {}
        return make_failure(errc::credential_failed, "credential_source: " + why);
    }
};

} // namespace detail
} // namespace v1
} // namespace sluice
