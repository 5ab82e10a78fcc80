// SPDX-License-Identifier: BSL-1.0
// A TCP relay in front of a server that resets connections at a given moment, and reads along what both sides say.
#pragma once

#include "raw_client.hpp"

#include <sluice/pulsar/ack.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace conformance {

/// When a connection is reset: behind so many bytes in one of the directions, or once so many messages have gone to the
/// server whose answers have not come back. Those answers are kept back, or a quick server would never let it come to
/// that; it gets and stores the messages all the same. Or nothing but the upgrade gets to the server at all.
struct cut_at {
    enum class direction { to_server, to_client, unanswered, swallowed };

    direction where = direction::to_server;
    std::size_t amount = 0;
};

/// Answers are kept back, or messages swallowed, and nothing is cut before `relay::cut`.
inline constexpr cut_at kept_back{cut_at::direction::unanswered, std::size_t(-1)};
inline constexpr cut_at swallowed{cut_at::direction::swallowed, std::size_t(-1)};

/// What went over one connection.
struct overheard {
    std::string target{};                     ///< of the request for the upgrade
    std::vector<std::string> contexts{};      ///< of the messages that went to the server, whole
    std::map<std::string, std::string> ids{}; ///< of the answers that went to the client: where each context is stored
    std::size_t answers_kept = 0;             ///< that came from the server, and went no further
};

/// The n-th connection is cut as the n-th entry says; those behind the last one are left alone. Runs in a thread of its
/// own until it is destroyed.
class relay {
public:
    explicit relay(const tcp::endpoint& server, std::vector<cut_at> cuts = {},
                   asio::ip::address address = asio::ip::address_v4::loopback())
        : server_(server), cuts_(std::move(cuts)), acceptor_(context_, {address, 0}) {
        endpoint_ = acceptor_.local_endpoint();
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;
    ~relay() {
        context_.stop();
        thread_.join();
    }

    tcp::endpoint endpoint() const noexcept { return endpoint_; }
    std::string url() const { return "ws://127.0.0.1:" + std::to_string(endpoint_.port()); }
    /// For each connection in turn.
    std::vector<overheard> connections() const {
        const std::lock_guard lock(mutex_);
        return overheard_;
    }
    std::size_t messages_to_server() const {
        const std::lock_guard lock(mutex_);
        std::size_t n = 0;
        for (const overheard& one : overheard_) n += one.contexts.size();
        return n;
    }
    std::size_t answers_kept() const {
        const std::lock_guard lock(mutex_);
        std::size_t n = 0;
        for (const overheard& one : overheard_) n += one.answers_kept;
        return n;
    }
    /// Resets every connection that there is now.
    void cut() {
        asio::post(context_, [this] {
            for (const std::weak_ptr<session>& each : std::exchange(sessions_, {}))
                if (const auto s = each.lock()) s->cut();
        });
    }

private:
    using direction = cut_at::direction;
    static constexpr std::size_t never = std::size_t(-1);
    static constexpr web::ws_options any_size{.max_message = std::size_t{4} << 20};

    struct session {
        session(asio::io_context& context, std::size_t n) : client(context), server(context), number(n) {}

        void cut() {
            for (tcp::socket* const s : {&client, &server}) {
                std::error_code ignored;
                s->set_option(asio::socket_base::linger(true, 0), ignored); // a reset instead of FIN
                s->close(ignored);
            }
        }

        tcp::socket client, server;
        std::size_t number;
        web::http_request_parser request{};
        web::http_response_parser answer{};
        web::ws_connection from_client{web::ws_connection::role::server, nullptr, any_size};
        web::mask_keys keys{test_random()};
        web::ws_connection from_server{web::ws_connection::role::client, &keys, any_size};
        std::size_t unanswered = 0;
    };

    bool is(const session& s, direction where) const {
        return s.number < cuts_.size() && cuts_[s.number].where == where;
    }
    /// Behind how much of that the session is cut.
    std::size_t limit_of(const session& s, direction where) const {
        return is(s, where) ? cuts_[s.number].amount : never;
    }

    asio::awaitable<void> accept() {
        for (std::size_t number = 0;; ++number) {
            auto s = std::make_shared<session>(context_, number);
            co_await acceptor_.async_accept(s->client, asio::use_awaitable);
            {
                const std::lock_guard lock(mutex_);
                overheard_.emplace_back();
            }
            std::error_code ec;
            co_await s->server.async_connect(server_, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) continue;
            s->client.set_option(tcp::no_delay(true));
            s->server.set_option(tcp::no_delay(true));
            sessions_.push_back(s);
            asio::co_spawn(context_, to_server(s), asio::detached);
            asio::co_spawn(context_, to_client(s), asio::detached);
        }
    }

    asio::awaitable<void> to_server(std::shared_ptr<session> s) {
        std::size_t left = limit_of(*s, direction::to_server);
        const std::size_t unanswered = limit_of(*s, direction::unanswered);
        std::array<std::byte, 16384> piece;
        std::error_code ec;
        while (!ec) {
            const std::size_t n =
                co_await s->client.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ec));
            const std::size_t taken = std::min(n, left);
            const std::size_t upgrade = read_client(*s, web::bytes_view(piece).first(taken));
            const std::size_t passed = is(*s, direction::swallowed) ? upgrade : taken;
            if (!co_await pass_on(*s, s->server, web::bytes_view(piece).first(passed))) co_return;
            left -= taken;
            if (left == 0 || s->unanswered >= unanswered) s->cut();
        }
        s->server.shutdown(tcp::socket::shutdown_send, ec);
    }

    asio::awaitable<void> to_client(std::shared_ptr<session> s) {
        std::size_t left = limit_of(*s, direction::to_client);
        const bool keeps = is(*s, direction::unanswered);
        std::array<std::byte, 16384> piece;
        std::error_code ec;
        while (!ec) {
            const std::size_t n =
                co_await s->server.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ec));
            const web::bytes_view taken = web::bytes_view(piece).first(std::min(n, left));
            const std::size_t upgrade = s->answer.done() ? 0 : s->answer.feed(taken);
            read_server(*s, taken.subspan(upgrade), keeps);
            if (!co_await pass_on(*s, s->client, keeps ? taken.first(upgrade) : taken)) co_return;
            left -= taken.size();
            if (left == 0) s->cut();
        }
        s->client.shutdown(tcp::socket::shutdown_send, ec);
    }

    static asio::awaitable<bool> pass_on(session& s, tcp::socket& to, web::bytes_view bytes) {
        std::error_code ec;
        co_await asio::async_write(to, asio::buffer(bytes.data(), bytes.size()),
                                   asio::redirect_error(asio::use_awaitable, ec));
        if (ec) s.cut();
        co_return !ec;
    }

    /// Returns how much of it belongs to the upgrade.
    std::size_t read_client(session& s, web::bytes_view bytes) {
        std::size_t upgrade = 0;
        if (!s.request.done()) {
            upgrade = s.request.feed(bytes);
            bytes = bytes.subspan(upgrade);
            if (s.request.done()) {
                const std::lock_guard lock(mutex_);
                overheard_[s.number].target = s.request.request().target;
            }
        }
        s.from_client.feed(bytes);
        each_text(s.from_client, [&](std::string_view text) {
            constexpr std::string_view mark = R"("context":")";
            const std::size_t at = text.find(mark);
            if (at == std::string_view::npos) return;
            const std::size_t begin = at + mark.size();
            const std::lock_guard lock(mutex_);
            overheard_[s.number].contexts.emplace_back(text.substr(begin, text.find('"', begin) - begin));
            ++s.unanswered;
        });
        return upgrade;
    }

    void read_server(session& s, web::bytes_view bytes, bool kept) {
        s.from_server.feed(bytes);
        each_text(s.from_server, [&](std::string_view text) {
            sluice::pulsar::acknowledgement ack;
            if (parser_.parse(web::as_bytes(text), ack) != sluice::pulsar::ack_kind::acknowledgement) return;
            const std::lock_guard lock(mutex_);
            overheard& all = overheard_[s.number];
            if (kept)
                ++all.answers_kept;
            else
                all.ids[std::to_string(ack.context)] = ack.message_id;
        });
    }

    template <class Use>
    static void each_text(web::ws_connection& reader, Use use) {
        using kind = web::ws_connection::event::kind;
        for (auto e = reader.next(); e.what != kind::none; e = reader.next()) {
            if (e.what == kind::text) use(web::as_text(e.data));
            if (e.what == kind::close || e.what == kind::error) return;
        }
    }

    tcp::endpoint server_;
    std::vector<cut_at> cuts_;
    mutable std::mutex mutex_{};
    std::vector<overheard> overheard_{};
    sluice::pulsar::ack_parser parser_{};
    asio::io_context context_{1};
    std::vector<std::weak_ptr<session>> sessions_{};
    tcp::acceptor acceptor_;
    tcp::endpoint endpoint_{};
    std::thread thread_{};
};

} // namespace conformance
