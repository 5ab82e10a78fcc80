// SPDX-License-Identifier: BSL-1.0
// The client's side of a TLS connection by OpenSSL, as bytes in and bytes out: no socket, nothing waits.
#pragma once

#include <sluice/io/asio_compat.hpp>
#include <sluice/web/bytes.hpp>
#include <sluice/web/url.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace io {

/// Not thread-safe. What is to be sent gathers in `outgoing()`, whatever the call: the caller sends it, in its order.
class tls_engine {
public:
    /// How far a call came. `error`: of OpenSSL's or Asio's categories; `asio::error::eof` is the peer's close alert.
    struct progress {
        std::size_t bytes = 0;    ///< of plain text
        bool wants_input = false; ///< call again, with the same, when more has been put into `incoming()`
        std::error_code error{};
    };

    /// The chain is verified, by the context's authorities, and that the certificate is for `host`, a name or an
    /// address. Throws std::bad_alloc, std::system_error. The context must live as long as this is constructed, not
    /// longer.
    tls_engine(SSL_CTX* context, const std::string& host) : ssl_(SSL_new(context)) {
        BIO* const bytes = ssl_ ? make_bio() : nullptr;
        if (bytes == nullptr) refuse();
        SSL* const s = ssl_.get();
        SSL_set_bio(s, bytes, bytes); // owns it
        SSL_set_connect_state(s);
        // A write is never held up by what a server wants to negotiate again; TLS 1.3 has no such thing.
        SSL_set_options(s, SSL_OP_NO_RENEGOTIATION);
        // 34 KiB less for an idle connection; and a read goes on behind what is no text, as long as there is more.
        SSL_set_mode(s, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_set_read_ahead(s, 0); // what has come and is not asked for stays here
        // A callback, for without one the context's own, which may be of another mind, would stay.
        SSL_set_verify(s, SSL_VERIFY_PEER, [](int verified, X509_STORE_CTX*) { return verified; });
        SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const bool address = web::is_ip_literal(host);
        // An address that OpenSSL cannot read is compared as a name, and is none. An empty name would match any.
        const bool set =
            !host.empty() && ((address && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), host.c_str()) == 1) ||
                              SSL_set1_host(s, host.c_str()) == 1);
        // RFC 6066 section 3: no literal addresses in the server name.
        if (!set || (!address && SSL_set_tlsext_host_name(s, host.c_str()) != 1)) refuse();
    }
    tls_engine(const tls_engine&) = delete; // OpenSSL knows its address
    tls_engine& operator=(const tls_engine&) = delete;

    SSL* native_handle() noexcept { return ssl_.get(); }

    web::byte_buffer& incoming() noexcept { return incoming_; }
    web::byte_buffer& outgoing() noexcept { return outgoing_; }

    progress handshake() {
        ERR_clear_error();
        return progress_of(SSL_do_handshake(ssl_.get()), 0);
    }

    /// Fills `out` as far as what has come allows. An error behind some plain text is told by the next call.
    progress read(std::span<std::byte> out) {
        if (late_) return {0, false, std::exchange(late_, {})};
        if (failed_) return {0, false, failed_};
        progress p{0, !out.empty(), {}};
        while (p.bytes < out.size() && (!incoming_.empty() || SSL_has_pending(ssl_.get()) != 0)) {
            std::size_t n = 0;
            ERR_clear_error();
            const int result = SSL_read_ex(ssl_.get(), out.data() + p.bytes, out.size() - p.bytes, &n);
            const progress last = progress_of(result, p.bytes + n);
            if (p.bytes == 0 || result == 1)
                p = last;
            else
                late_ = last.error;
            if (result != 1) break;
        }
        return p;
    }

    /// All of `in`, in records as full as they can be. After the handshake; it wants input while the server is in the
    /// middle of a message of its own that is no text.
    progress write(web::bytes_view in) {
        if (failed_) return {0, false, failed_};
        if (SSL_in_init(ssl_.get()) != 0) return {0, true, {}};
        constexpr std::size_t record = 16 * 1024, overhead = 128; // the latter more than any cipher has
        try {
            outgoing_.prepare(in.size() + (in.size() / record + 1) * overhead);
        } catch (const std::bad_alloc&) {
            return {0, false, std::make_error_code(std::errc::not_enough_memory)};
        }
        std::size_t n = 0;
        ERR_clear_error();
        taking_ = false; // a read under way may be adding to what comes
        const int result = SSL_write_ex(ssl_.get(), in.data(), in.size(), &n);
        taking_ = true;
        return progress_of(result, n);
    }

    /// Why the peer's certificate was refused; empty if it was not.
    std::string certificate_problem() const {
        const long result = SSL_get_verify_result(ssl_.get());
        return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
    }

private:
    struct release {
        void operator()(BIO_METHOD* m) const noexcept { BIO_meth_free(m); }
        void operator()(SSL* s) const noexcept { SSL_free(s); }
    };

    [[noreturn]] static void refuse() {
        const unsigned long e = ERR_get_error();
        if (e == 0) throw std::bad_alloc();
        throw std::system_error(static_cast<int>(e), asio::error::get_ssl_category(), "TLS");
    }

    progress progress_of(int result, std::size_t bytes) {
        if (result == 1) return {bytes, false, {}};
        failed_ = asio::ssl::error::unexpected_result;
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: failed_ = {}; return {bytes, true, {}};
        case SSL_ERROR_ZERO_RETURN: failed_ = {}; return {bytes, false, asio::error::eof};
        case SSL_ERROR_SSL:
            if (const unsigned long e = ERR_get_error(); e != 0)
                failed_.assign(static_cast<int>(e), asio::error::get_ssl_category());
            break;
        case SSL_ERROR_SYSCALL: // ours: the buffer could not grow
            failed_ = std::make_error_code(std::errc::not_enough_memory);
            break;
        default: break;
        }
        return {bytes, false, failed_};
    }

    // --- what OpenSSL reads from and writes to. Its own memory BIO clears itself at each turn, and copies once more

    BIO* make_bio() {
        method_.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice"));
        if (!method_ || BIO_meth_set_read(method_.get(), &take) != 1 || BIO_meth_set_write(method_.get(), &put) != 1 ||
            BIO_meth_set_ctrl(method_.get(), &control) != 1)
            return nullptr;
        BIO* const bio = BIO_new(method_.get());
        if (bio == nullptr) return nullptr;
        BIO_set_data(bio, this);
        BIO_set_init(bio, 1);
        return bio;
    }
    static int take(BIO* bio, char* to, int size) {
        auto* const self = static_cast<tls_engine*>(BIO_get_data(bio));
        web::byte_buffer& in = self->incoming_;
        BIO_clear_retry_flags(bio);
        if (in.empty() || !self->taking_) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const int n = static_cast<int>(std::min<std::size_t>(in.size(), static_cast<std::size_t>(std::max(size, 0))));
        std::memcpy(to, in.data(), static_cast<std::size_t>(n));
        in.consume(static_cast<std::size_t>(n));
        return n;
    }
    static int put(BIO* bio, const char* from, int size) {
        BIO_clear_retry_flags(bio);
        try {
            static_cast<tls_engine*>(BIO_get_data(bio))
                ->outgoing_.append(std::string_view(from, static_cast<std::size_t>(size)));
        } catch (const std::bad_alloc&) { // not through C
            return -1;
        }
        return size;
    }
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

    std::unique_ptr<BIO_METHOD, release> method_{};
    std::unique_ptr<SSL, release> ssl_;
    web::byte_buffer incoming_{}, outgoing_{};
    std::error_code failed_{}; ///< for good: OpenSSL itself does not say it a second time
    std::error_code late_{};
    bool taking_ = true;
};

} // namespace io
} // namespace v1
} // namespace sluice
