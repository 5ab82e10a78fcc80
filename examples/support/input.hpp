// SPDX-License-Identifier: BSL-1.0
// Standard input or a file, read chunk by chunk in a coroutine while the event loop goes on.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace tool {

/// Pipes, sockets and terminals are waited for. Files are always ready as far as the kernel is concerned, and epoll
/// takes none: they are read where they stand, and other work gets its turn before each chunk.
class input {
public:
    /// `-` is standard input. Throws `std::system_error`.
    input(const asio::any_io_executor& executor, std::string path) : path_(std::move(path)), descriptor_(executor) {
        const int opened = path_ == "-" ? ::dup(STDIN_FILENO) : ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
        if (opened < 0) fail(errno);
        descriptor_.assign(opened);
        status_flags_ = ::fcntl(opened, F_GETFL);
        struct stat what{};
        if (status_flags_ < 0 || ::fstat(opened, &what) != 0) fail(errno);
        waits_ = S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode) || ::isatty(opened) == 1;
    }
    input(const input&) = delete;
    input& operator=(const input&) = delete;
    /// Asio makes a descriptor non-blocking, for all who share it: the shell's terminal too.
    ~input() {
        if (waits_) ::fcntl(fd(), F_SETFL, status_flags_);
    }

    /// 0: there is no more, or `stop` was called.
    asio::awaitable<std::size_t> read(std::span<char> room) {
        if (!waits_) co_await asio::post(descriptor_.get_executor(), asio::use_awaitable);
        if (stopped_) co_return 0;
        if (!waits_) co_return read_now(room);
        std::error_code ec;
        const asio::mutable_buffer buffer(room.data(), room.size());
        const std::size_t n =
            co_await descriptor_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, ec));
        if (stopped_ || ec == asio::error::eof) co_return 0;
        if (ec) fail(ec.value());
        co_return n;
    }

    void stop() {
        stopped_ = true;
        descriptor_.cancel();
    }

private:
    int fd() { return descriptor_.native_handle(); }

    std::size_t read_now(std::span<char> room) {
        const ssize_t n = ::read(fd(), room.data(), room.size());
        if (n < 0) fail(errno);
        return static_cast<std::size_t>(n);
    }

    [[noreturn]] void fail(int error) const {
        throw std::system_error(error, std::system_category(), path_ == "-" ? "standard input" : path_);
    }

    std::string path_;
    asio::posix::stream_descriptor descriptor_;
    int status_flags_ = -1;
    bool waits_ = false, stopped_ = false;
};

} // namespace tool
