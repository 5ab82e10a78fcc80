// SPDX-License-Identifier: BSL-1.0
// The world that a client and a producer run in: clock, timer, stream, resolver, randomness. Tests bring another one.
#pragma once

#include <sluice/io/transport.hpp>

#include <openssl/rand.h>

#include <chrono>
#include <cstddef>
#include <span>

namespace sluice {
inline namespace v1 {

struct default_traits {
    using clock = std::chrono::steady_clock;
    /// Seconds since 1970, for the expiry of tokens and for the first sequence number of a deduplicating producer.
    static std::chrono::nanoseconds wall_clock() { return std::chrono::system_clock::now().time_since_epoch(); }

    template <class Executor>
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, Executor>;
    template <class Executor>
    using stream = io::transport<Executor>;
    template <class Executor>
    using resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;

    /// Unpredictable bytes: masking keys, nonces, jitter. OpenSSL's generator is seeded by the system and thread-safe.
    static void random(std::span<std::byte> out) {
        if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
            throw std::system_error(make_error_code(std::errc::io_error), "no randomness from OpenSSL");
    }
};

namespace io {

template <class Traits>
std::chrono::nanoseconds now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Traits::clock::now().time_since_epoch());
}

template <class Traits>
void fill_random(void*, std::span<std::byte> out) {
    Traits::random(out);
}

template <class Traits>
std::uint64_t random_bits() {
    std::uint64_t v = 0;
    Traits::random(std::as_writable_bytes(std::span(&v, 1)));
    return v;
}

} // namespace io
} // namespace v1
} // namespace sluice
