// SPDX-License-Identifier: BSL-1.0
// The lines of standard input or of files, published: what kcat -P is for Kafka, with every option of a producer.
#include "support/input.hpp"
#include "support/lines.hpp"
#include "support/produce_flags.hpp"
#include "support/server.hpp"

#include <sluice.hpp>
#include <sluice/codec/any.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace {

/// From lines to acknowledgements. One coroutine reads and pushes: while the window is full it waits, and with it the
/// input. So there are never more lines in memory than `max_pending_messages` and what one read gives.
class publishing {
public:
    publishing(asio::io_context& context, const sluice::client& client, const tool::produce_settings& wanted)
        : settings_(wanted),
          producer_(client, wanted.stream, wanted.options, news(), tool::make_codec(wanted.codec)),
          executor_(context.get_executor()),
          tick_(context) {}

    asio::awaitable<void> run() {
        asio::co_spawn(executor_, show_progress(), asio::detached);
        std::exception_ptr broken; // an input: what has been read is published all the same
        try {
            for (const std::string& file : settings_.files) co_await publish(file);
        } catch (const std::system_error&) {
            broken = std::current_exception();
            input_ = nullptr;
        }
        try {
            co_await producer_.close(); // waits for what is unanswered
        } catch (const sluice::error&) {
            // Each line that was lost has said so.
        }
        done_ = true;
        tick_.cancel();
        if (broken) std::rethrow_exception(broken);
    }

    /// Nothing more is read; what has been read is waited for, at most `close_timeout` long.
    void stop() {
        stop_reading();
        producer_.async_close([](std::error_code) {});
    }

    /// The exit status.
    int report() {
        const sluice::producer_stats stats = producer_.stats();
        const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
        say(std::to_string(acknowledged_) + (acknowledged_ == 1 ? " line" : " lines") + " acknowledged in " +
            seconds(s) + " s, " + per_second(acknowledged_, s) + "; latency p50 " +
            std::to_string(stats.latency_p50.count()) + " us, p99 " + std::to_string(stats.latency_p99.count()) +
            " us");
        if (!end_.empty()) say("the producer has ended: " + end_);
        if (failed_ == 0) return end_.empty() ? 0 : 1;
        say(std::to_string(failed_) + " of " + std::to_string(lines_) + " lines failed, " +
            std::to_string(perhaps_stored_) + " of them may be stored; the first: " + first_error_);
        return 1;
    }

private:
    asio::awaitable<void> publish(const std::string& file) {
        constexpr std::size_t chunk = 64 * 1024;
        std::optional<std::string> delimiter;
        if (!settings_.whole_files) delimiter = settings_.delimiter;
        // A longer line could not be sent anyway.
        tool::line_splitter lines(std::move(delimiter), settings_.options.max_frame_bytes);
        tool::input input(executor_, file);
        input_ = &input;
        while (!stopped_) {
            const std::size_t n = co_await input.read(lines.prepare(chunk));
            lines.commit(n);
            while (const auto line = lines.next()) {
                if (stopped_) break;
                co_await send(*line);
            }
            if (n == 0) break;
        }
        input_ = nullptr;
        if (stopped_) co_return;
        if (const auto line = lines.rest()) co_await send(*line);
    }

    asio::awaitable<void> send(tool::line_splitter::line line) {
        const std::uint64_t number = ++lines_;
        if (line.too_long) {
            lost(number, "longer than " + std::to_string(settings_.options.max_frame_bytes) + " bytes");
            co_return;
        }
        sluice::message message;
        if (const std::string& separator = settings_.key_separator; !separator.empty())
            if (const std::size_t at = line.text.find(separator); at != std::string_view::npos) {
                message.key = line.text.substr(0, at);
                line.text.remove_prefix(at + separator.size());
            }
        message.payload = line.text;
        message.properties = settings_.properties;
        const auto on_result = [this, number](std::error_code ec, const sluice::receipt& receipt) {
            if (!ec) {
                ++acknowledged_;
                return;
            }
            if (receipt.outcome == sluice::outcome::maybe_persisted) ++perhaps_stored_;
            lost(number, describe(ec, receipt.details().text));
        };
        try {
            co_await producer_.push(std::move(message), on_result);
        } catch (const sluice::error&) {
            // on_result is told the same.
        }
    }

    void lost(std::uint64_t number, const std::string& why) {
        if (failed_++ == 0) first_error_ = "line " + std::to_string(number) + ": " + why;
    }

    static std::string describe(std::error_code ec, const std::string& text) {
        return ec.message() + (text.empty() ? "" : ": " + text);
    }

    void stop_reading() {
        stopped_ = true;
        if (input_) input_->stop();
    }

    sluice::producer_observer news() {
        sluice::producer_observer n;
        n.on_reconnect = [this](const sluice::failure& why, unsigned, std::chrono::milliseconds delay) {
            say("no connection: " + describe(why.code, why.details ? why.details->text : std::string()) +
                "; the next attempt in " + std::to_string(delay.count()) + " ms");
        };
        n.on_close = [this](const sluice::failure& why) {
            if (!why) return;
            end_ = describe(why.code, why.details ? why.details->text : std::string());
            stop_reading(); // every further line would fail
        };
        return n;
    }

    void say(const std::string& text) const {
        std::cerr << (terminal_ ? "\r\033[K" : "") << "produce: " << text << std::endl;
    }
    static std::string seconds(double s) {
        std::string text = std::to_string(s); // with six digits
        text.resize(text.size() - 3);
        return text;
    }
    static std::string per_second(std::uint64_t n, double s) {
        return std::to_string(static_cast<std::uint64_t>(static_cast<double>(n) / std::max(s, 1e-6))) + "/s";
    }

    asio::awaitable<void> show_progress() {
        constexpr auto interval = 250ms;
        std::uint64_t before = 0;
        while (terminal_ && !done_) {
            tick_.expires_after(interval);
            std::error_code ec;
            co_await tick_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            std::cerr << "\r\033[K" << acknowledged_ << " acknowledged, " << lines_ - acknowledged_ - failed_
                      << " pending, " << failed_ << " failed, "
                      << per_second(acknowledged_ - before, std::chrono::duration<double>(interval).count())
                      << std::flush;
            before = acknowledged_;
        }
    }

    const tool::produce_settings& settings_;
    sluice::basic_producer<asio::any_io_executor, sluice::codec::any> producer_;
    asio::any_io_executor executor_;
    asio::steady_timer tick_;
    tool::input* input_ = nullptr;
    const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool stopped_ = false, done_ = false;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::uint64_t lines_ = 0, acknowledged_ = 0, failed_ = 0, perhaps_stored_ = 0;
    std::string first_error_{}, end_{};
};

/// A name that is not allowed is wrong usage, though the client is the first to know.
[[noreturn]] void rethrow(const std::exception_ptr& failed) {
    try {
        std::rethrow_exception(failed);
    } catch (const sluice::error& e) {
        if (e.code() == sluice::errc::invalid_name) throw tool::usage_error("--stream: " + e.details().text);
        throw;
    }
}

int produce(const tool::produce_settings& wanted) {
    asio::io_context context(1);
    sluice::client_config config = wanted.config;
    const auto gateway = tool::own_gateway(context, config, "produce");
    sluice::client client{context.get_executor(), config};
    if (const sluice::failure& wrong = client.problem()) throw tool::usage_error(wrong.details->text);

    std::exception_ptr failed;
    const auto ended = [&](std::exception_ptr e) { failed = e; };
    if (wanted.create) {
        // Until here, and while this is under way, Ctrl-C just ends the program: nothing has been read.
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> { co_await client.ensure_stream(wanted.stream, wanted.options.scope); },
            [&](std::exception_ptr e) {
                ended(e);
                context.stop();
            });
        context.run();
        context.restart();
        if (failed) rethrow(failed);
    }

    publishing work(context, client, wanted);
    asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&](const std::error_code& ec, int) {
        if (ec) return;
        work.stop();
        signals.clear(); // the next Ctrl-C ends the program at once
    });
    asio::co_spawn(context, work.run(), [&](std::exception_ptr e) {
        ended(e);
        signals.cancel();
        if (gateway) gateway->stop();
    });
    context.run();
    const int status = work.report();
    if (failed) std::rethrow_exception(failed);
    return status;
}

} // namespace

int main(int argc, char** argv) try {
    tool::produce_settings wanted;
    return tool::read_settings(argc, argv, wanted) ? produce(wanted) : 0;
} catch (const tool::usage_error& e) {
    std::cerr << "produce: " << e.what() << "\nproduce --help lists what there is\n";
    return 2;
} catch (const std::exception& e) {
    std::cerr << "produce: " << e.what() << '\n';
    return 1;
}
