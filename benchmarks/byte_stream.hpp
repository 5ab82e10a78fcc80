// SPDX-License-Identifier: BSL-1.0
// A connected socket with or without TLS, never waiting: what the sink and `limit` read from and write to.
#pragma once

#include "measure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

namespace bench {

struct free_tls {
    void operator()(SSL* p) const noexcept { SSL_free(p); }
    void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
};
using tls_context = std::unique_ptr<SSL_CTX, free_tls>;

/// TLS 1.2 or newer; many records are taken from the socket with one read.
inline tls_context make_tls_context(const SSL_METHOD* method) {
    tls_context context(SSL_CTX_new(method));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) fail("OpenSSL has no TLS 1.2");
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context.get(), 128u << 10);
    return context;
}

/// The client's side: the server's certificate must be signed by one of those in `ca_file`.
inline tls_context make_client_context(const std::string& ca_file) {
    tls_context context = make_tls_context(TLS_client_method());
    if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1)
        fail("--ca " + ca_file + ": no certificates are there");
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
}

/// What a read or a write has come to: a number of bytes, or one of these.
enum : ssize_t { would_block = 0, ended = -1 };

class byte_stream {
public:
    explicit byte_stream(int socket) noexcept : socket_(socket) {}
    byte_stream(const byte_stream&) = delete;
    byte_stream& operator=(const byte_stream&) = delete;
    ~byte_stream() {
        // The peer is told that this is the end (RFC 8446 6.1); whether it can be told is not waited for.
        if (tls_ && SSL_is_init_finished(tls_.get())) {
            SSL_shutdown(tls_.get());
            flush();
        }
        tls_.reset();
        if (socket_ >= 0) ::close(socket_);
    }

    int socket() const noexcept { return socket_; }

    /// The server's side; the handshake is made by the first reads and writes.
    void accept_tls(SSL_CTX* context) {
        start(context);
        SSL_set_accept_state(tls_.get());
    }
    /// The client's side, on a socket that waits: chain and host name are verified.
    void connect_tls(SSL_CTX* context, const std::string& host) {
        start(context);
        const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
        if (address)
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host.c_str());
        else
            SSL_set1_host(tls_.get(), host.c_str()), SSL_set_tlsext_host_name(tls_.get(), host.c_str());
        if (SSL_connect(tls_.get()) != 1) {
            const char* reason = ERR_reason_error_string(ERR_get_error());
            fail(host + ": TLS: " + (reason != nullptr ? reason : "the handshake failed"));
        }
        // From here on records are gathered, and leave with one call: a call for each is no limit of anything.
        gathered_ = BIO_new(BIO_s_mem());
        if (gathered_ == nullptr) fail("OpenSSL has no memory");
        SSL_set0_wbio(tls_.get(), gathered_);
    }

    /// As much as there is and fits. After a read that filled `size` there may be more, of which poll does not know.
    ssize_t read(unsigned char* to, std::size_t size) noexcept {
        if (!tls_) return result(::recv(socket_, to, size, 0));
        std::size_t taken = 0;
        // A record at a time comes out, though a read of the socket took many.
        do {
            ERR_clear_error();
            std::size_t n = 0;
            if (const int r = SSL_read_ex(tls_.get(), to + taken, size - taken, &n); r != 1) {
                const ssize_t why = tls_result(r);
                return taken != 0 ? static_cast<ssize_t>(taken) : why; // an end is met again
            }
            taken += n;
        } while (taken < size && SSL_has_pending(tls_.get()) != 0);
        return static_cast<ssize_t>(taken);
    }

    /// What has been taken may be `pending`; nothing more is taken then, and a call with `size` 0 goes on with it.
    ssize_t write(const char* from, std::size_t size) noexcept {
        if (!tls_) return result(::send(socket_, from, size, MSG_NOSIGNAL));
        if (pending() && !flush()) return ended;
        if (size == 0 || pending()) return would_block;
        ERR_clear_error();
        std::size_t taken = 0;
        do {
            std::size_t n = 0;
            if (const int r = SSL_write_ex(tls_.get(), from + taken, size - taken, &n); r != 1) {
                if (taken != 0) break; // what it is, is met again
                return tls_result(r);
            }
            taken += n;
        } while (gathered_ != nullptr && taken < size && taken < most_gathered);
        return gathered_ == nullptr || flush() ? static_cast<ssize_t>(taken) : ended;
    }
    /// Records that the socket has had no room for.
    bool pending() const noexcept { return gathered_ != nullptr && BIO_ctrl_pending(gathered_) != 0; }

private:
    static constexpr std::size_t most_gathered = 256u << 10;

    /// As much as there is room for. False: the connection is over.
    bool flush() noexcept {
        while (pending()) {
            char* records = nullptr;
            const long size = BIO_get_mem_data(gathered_, &records);
            const ssize_t n = result(::send(socket_, records, static_cast<std::size_t>(size), MSG_NOSIGNAL));
            if (n == ended) return false;
            if (n == would_block) return true;
            if (n == size) {
                BIO_reset(gathered_);
                return true;
            }
            for (ssize_t left = n; left > 0;) { // a memory BIO has no other way to forget
                char sink[16384];
                const int read = BIO_read(gathered_, sink, static_cast<int>(std::min<ssize_t>(left, sizeof sink)));
                if (read <= 0) return false;
                left -= read;
            }
        }
        return true;
    }

    void start(SSL_CTX* context) {
        tls_.reset(SSL_new(context));
        if (!tls_ || SSL_set_fd(tls_.get(), socket_) != 1) fail("OpenSSL has no memory");
    }
    static ssize_t result(ssize_t n) noexcept {
        if (n > 0) return n;
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? would_block : ended;
    }
    ssize_t tls_result(int r) const noexcept {
        const int why = SSL_get_error(tls_.get(), r);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? would_block : ended;
    }

    int socket_;
    std::unique_ptr<SSL, free_tls> tls_;
    BIO* gathered_ = nullptr; ///< of `tls_`, which frees it
};

} // namespace bench
