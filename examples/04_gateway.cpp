// SPDX-License-Identifier: BSL-1.0
// A GDN region and a plain Pulsar as a program, for tests and trials in any language; what is stored can be recorded.
#include "support/arguments.hpp"
#include "support/record.hpp"

#if defined(SLUICE_WITH_ZLIB)
#include <sluice/deflate.hpp>
#endif
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct settings {
    sluice::testing::gateway_options gateway{};
    std::string ca_file{};
    std::string record{};
};

/// False: help was all that was asked for.
bool read_settings(int argc, char** argv, settings& s) {
    using namespace tool;
    sluice::testing::gateway_options& o = s.gateway;
#if defined(SLUICE_WITH_ZLIB)
    o.proxy.deflate = sluice::deflate_on; // as every real proxy
#endif
    std::vector<std::string> fabrics;
    bool help = false;
    const auto user = [&o](std::string_view value) {
        const std::size_t colon = value.find(':');
        const std::size_t at = value.find('@');
        if (at == std::string_view::npos || colon == std::string_view::npos || colon + 1 == value.size())
            return std::string("allowed is EMAIL:PASSWORD");
        o.proxy.users.push_back({std::string(value.substr(0, colon)), std::string(value.substr(0, at)),
                                 std::string(value.substr(colon + 1))});
        return std::string();
    };
    const flags table{
        {"", "", "where it listens", {}},
        {"--address", "IP", "127.0.0.1; with any other one it can be reached from elsewhere", text(o.address)},
        {"--port", "N", "0: a free one (0)", number<std::uint16_t>(o.port, 0, 65535)},
        {"--tls", "", "https and wss, with a certificate for localhost that is made at start", set(o.tls, true)},
        {"--ca-file", "FILE", "where that is written, to be trusted by clients (a temporary file)", text(s.ca_file)},
        {"--region-host", "HOST", "what it tells clients who ask where to open sockets (where it listens)",
         text(o.proxy.region_host)},
        {"", "", "who may come, all of it made up", {}},
        {"--tenant", "NAME", "GDN's tenant (demo)", text(o.proxy.tenant)},
        {"--fabric", "NAME", "GDN's fabric, may be repeated (_system)", append(fabrics)},
        {"--api-key", "TENANT.ID.SECRET", "accepted beside the one that is made at start, may be repeated",
         append(o.proxy.api_keys)},
        {"--user", "EMAIL:PASSWORD", "who can log in, may be repeated (nobody)", user},
        {"--token", "TOKEN", "what clients of the plain Pulsar have to show (nothing)", text(o.proxy.token)},
        {"", "", "topics", {}},
        {"--no-auto-create", "", "a socket on a stream that does not exist is refused",
         set(o.proxy.allow_auto_topic_creation, false)},
        {"--deduplicate", "", "the broker drops repeats", set(o.proxy.deduplicate, true)},
        {"--record", "FILE", "append one line of JSON for each stored message", text(s.record)},
    };
    flags all = table;
    all.push_back({"-h, --help", "", "", set(help, true)});
    const std::vector<std::string> others = read_arguments(all, argc, argv);
    if (help) {
        std::cout << "usage: gateway [FLAG...]\n"
                     "Prints its URL and its credentials as shell variables, then serves until Ctrl-C. SIGUSR1 cuts\n"
                     "every connection. Nothing is kept but the record.\n";
        print_flags(std::cout, table);
        return false;
    }
    if (!others.empty()) throw usage_error(others.front() + ": there are only flags here");
    if (!fabrics.empty()) o.proxy.fabrics = std::move(fabrics);
    return true;
}

/// The certificate in a file, which goes when the program ends.
class ca_file {
public:
    ca_file(const std::string& pem, std::string path) : path_(std::move(path)) {
        if (path_.empty()) {
            path_ = (std::filesystem::temp_directory_path() / "sluice-gateway-ca-").string() + std::string(6, 'X');
            const int fd = ::mkstemp(path_.data());
            if (fd < 0) throw std::system_error(errno, std::system_category(), path_);
            ::close(fd);
        }
        std::ofstream out(path_, std::ios::trunc);
        if (!(out << pem << std::flush)) throw std::runtime_error(path_ + " cannot be written");
    }
    ca_file(const ca_file&) = delete;
    ca_file& operator=(const ca_file&) = delete;
    ~ca_file() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

asio::awaitable<void> cut_on_signal(sluice::testing::gateway& gateway, asio::signal_set& signals) {
    for (;;) {
        std::error_code ec;
        co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        gateway.drop_connections();
    }
}

/// What is read while the gateway serves is at most this old.
asio::awaitable<void> keep_flushing(tool::recorder& recorder, asio::steady_timer& pause) {
    for (;;) {
        recorder.flush();
        pause.expires_after(20ms);
        std::error_code ec;
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
    }
}

std::unique_ptr<sluice::testing::gateway> listen(asio::io_context& context,
                                                 const sluice::testing::gateway_options& options) {
    try {
        return std::make_unique<sluice::testing::gateway>(context, options);
    } catch (const std::system_error& e) {
        throw std::runtime_error("cannot listen on --address " + options.address + " --port " +
                                 std::to_string(options.port) + ": " + e.code().message());
    }
}

void serve(const settings& wanted) {
    asio::io_context context(1);
    const auto listening = listen(context, wanted.gateway);
    sluice::testing::gateway& gateway = *listening;
    std::optional<ca_file> ca;
    if (wanted.gateway.tls) ca.emplace(gateway.ca_pem(), wanted.ca_file);
    std::optional<tool::recorder> recorder;
    if (!wanted.record.empty()) recorder.emplace(gateway, wanted.record);

    asio::signal_set ends{context, SIGINT, SIGTERM};
    asio::signal_set cuts{context, SIGUSR1};
    asio::steady_timer next_flush{context};
    const auto rethrow = [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e); // out of `run`, and the program ends
    };
    asio::co_spawn(context, cut_on_signal(gateway, cuts), rethrow);
    if (recorder) asio::co_spawn(context, keep_flushing(*recorder, next_flush), rethrow);
    ends.async_wait([&](const std::error_code& ec, int) {
        if (ec) return;
        gateway.stop();
        cuts.cancel();
        next_flush.cancel();
    });

    // For `source` or `export $(...)`; the last line says that all is there.
    std::cout << "SLUICE_URL=" << gateway.url() << "\nSLUICE_API_KEY=" << gateway.api_key()
              << "\nSLUICE_JWT=" << gateway.make_jwt() << '\n';
    if (!gateway.token().empty()) std::cout << "SLUICE_TOKEN=" << gateway.token() << '\n';
    if (ca) std::cout << "SLUICE_CA_FILE=" << ca->path() << '\n';
    std::cout << "# a plain Pulsar: " << gateway.websocket_url() << "\n# ready" << std::endl;

    context.run();
    if (recorder) recorder->flush();
    const sluice::testing::proxy_stats stats = gateway.stats();
    std::cerr << "gateway: " << stats.stored << " messages stored, " << stats.duplicates << " repeats dropped, "
              << stats.sockets_opened << " sockets, " << stats.requests << " requests\n";
}

} // namespace

int main(int argc, char** argv) try {
    settings wanted;
    if (read_settings(argc, argv, wanted)) serve(wanted);
    return 0;
} catch (const tool::usage_error& e) {
    std::cerr << "gateway: " << e.what() << "\ngateway --help lists what there is\n";
    return 2;
} catch (const std::exception& e) {
    std::cerr << "gateway: " << e.what() << '\n';
    return 1;
}
