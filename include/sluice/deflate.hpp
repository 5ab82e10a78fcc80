// SPDX-License-Identifier: BSL-1.0
// permessage-deflate for `producer_options::deflate`: by zlib, so here is what needs it (the CMake target
// sluice::zlib).
#pragma once

#include <sluice/config.hpp>
#include <sluice/web/ws_deflate.hpp>

#include <memory>

namespace sluice {
inline namespace v1 {

namespace detail {

inline std::unique_ptr<web::message_compression> make_deflate(web::ws_role role, const web::deflate_parameters& agreed,
                                                              const socket_deflate& option) {
    return std::make_unique<web::ws_deflate>(role, agreed, web::deflate_settings{.level = option.level});
}

} // namespace detail

/// Offered, and used where the server accepts it.
inline constexpr socket_deflate deflate_auto{.when = socket_deflate::use::automatic, .make = &detail::make_deflate};
/// The server must accept it: `errc::extension_refused` ends a producer otherwise.
inline constexpr socket_deflate deflate_on{.when = socket_deflate::use::on, .make = &detail::make_deflate};

} // namespace v1
} // namespace sluice
