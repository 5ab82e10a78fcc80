// SPDX-License-Identifier: BSL-1.0
// End-to-end encryption as a producer's machine asks for it, without the ciphers: they are behind a pointer that is
// null in every producer that does not encrypt.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/bytes.hpp>

#include <cstddef>
#include <string_view>
#include <system_error>

namespace sluice {
inline namespace v1 {
namespace pulsar {

/// A message's payload as it goes into the frame. The views are good until the sealer's next call.
struct sealed_message {
    std::error_code ec{};
    web::bytes_view payload{};
    std::string_view members{}; ///< of the JSON object, each with its comma before it
    bool compressed = false;    ///< a codec has worked at it, whether or not it has shrunk
};

/// For one producer, and used by one thread at a time.
class message_sealer {
public:
    message_sealer() = default;
    message_sealer(const message_sealer&) = delete;
    message_sealer& operator=(const message_sealer&) = delete;
    virtual ~message_sealer() = default;

    /// Asks for the public keys again and makes a fresh data key, for the next socket. After a failure nothing is
    /// sealed.
    virtual failure renew() = 0;
    /// `encryptionKeys=...`, ready for the query of that socket's path.
    virtual std::string_view url_parameter() const noexcept = 0;

    /// How many characters longer than the plain message's the text can get, whatever the codec makes of it.
    virtual std::size_t growth(std::size_t payload) const noexcept = 0;
    virtual sealed_message seal(web::bytes_view payload) = 0;
    /// The data key has sealed as many messages as one may: another socket is needed.
    virtual bool exhausted() const noexcept = 0;

    /// Gives memory back that an idle producer does not need.
    virtual void idle() noexcept = 0;
};

} // namespace pulsar
} // namespace v1
} // namespace sluice
