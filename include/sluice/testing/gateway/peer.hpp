// SPDX-License-Identifier: BSL-1.0
// The server's side of one connection without its socket: HTTP/1.1 requests one after the other, then perhaps a
// WebSocket.
#pragma once

#include <sluice/testing/gateway/call_faults.hpp>
#include <sluice/testing/gateway/jetty_deflate.hpp>
#include <sluice/testing/gateway/message_faults.hpp>
#include <sluice/testing/gateway/recording.hpp>
#include <sluice/testing/proxy_model.hpp>
#include <sluice/web/http1.hpp>
#include <sluice/web/ws_connection.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {

/// Bytes and the time go in, bytes come out. A server reads into `prepare`, calls `commit`, writes `output`, and ends
/// the connection once `want_close` is true, or once `want_cut` says how. Destroying it is the connection's end, too.
///
/// What happens on one connection may concern others: a message for a consumer, an acknowledgement that makes room.
/// They are woken: their `next_time` lies in the past then, and `on_wake` is called.
///
///     http --- 101 ---> websocket --- close frames, or an error ---> closing --- output written ---> want_close
///      '--- malformed, `Connection: close`, end of stream ------------^
class peer final : private detail::answer_sink, private detail::wake_target {
public:
    /// What watches a connection beside the model; either may be null.
    struct watchers {
        detail::fault_script* faults = nullptr;
        detail::connection_log* log = nullptr;
    };

    /// The model, and the watchers, must outlive the peer.
    peer(proxy_model& model, time_point now) : peer(model, now, watchers()) {}
    peer(proxy_model& model, time_point now, watchers w)
        : model_(model), now_(now), faults_(w.faults), log_(w.log), gate_(w.faults) {
        ++model_.stats().connections;
    }
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer() {
        if (!socket_) return;
        end_socket();
        model_.dispatch(now_);
    }

    /// Calls `f` when the peer has something to do that no call of it asked for; it must only note that. Once, until
    /// the next `advance`.
    void on_wake(std::function<void()> f) { on_wake_ = std::move(f); }

    // Input

    /// Room for at least so many bytes, which stays until the next `prepare` or `commit`.
    std::span<std::byte> prepare(std::size_t at_least) {
        if (ws_) {
            room_ = {};
            return ws_->prepare(at_least);
        }
        room_.clear();
        room_.prepare(at_least);
        return room_.spare();
    }
    /// The first n bytes of that room have been read.
    void commit(std::size_t n, time_point now) {
        now_ = last_activity_ = now;
        if (closing_ || cut_) return;
        const busy b(*this);
        if (room_.capacity() == 0) {
            ws_->commit(n);
        } else {
            room_.commit(n); // the upgrade may have been answered meanwhile
            if (ws_) {
                ws_->feed(room_.view());
            } else {
                in_.append(room_.view());
                serve_http();
            }
            room_.clear();
        }
        if (ws_) serve_websocket();
        settle();
    }
    /// Both in one, with a copy.
    void receive(web::bytes_view bytes, time_point now) {
        if (bytes.empty()) return;
        std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
        commit(bytes.size(), now);
    }
    /// The client sends no more. What it sent is stored; a WebSocket is closed with 1001, as the proxy does. Requests
    /// that wait until answers have been written are served all the same: the client may have closed its half only.
    void end_of_stream(time_point now) {
        now_ = now;
        const busy b(*this);
        if (paused_) {
            ended_ = true;
        } else {
            end_input();
        }
        settle();
    }

    // Time

    /// When `advance` has something to do; `time_point::max()`: never.
    time_point next_time() const noexcept {
        if (closing_) return time_point::max();
        if (due_) return now_;
        if (paused_ && output().empty()) return now_;
        const time_point idle =
            std::min({last_activity_ + model_.options().idle_timeout, gate_.next_time(), farewell_});
        return socket_ ? std::min(idle, socket_->next_time()) : idle;
    }
    /// When a close frame of ours has waited long enough for its answer, whatever is still to be written; the
    /// connection ends then at the latest. `time_point::max()`: there is none.
    time_point farewell() const noexcept { return farewell_; }
    void advance(time_point now) {
        now_ = now;
        const busy b(*this);
        if (closing_) return;
        if (gate_.waiting() || paused_) {
            serve_http();
            if (ws_) serve_websocket();
            if (ended_ && !paused_ && !gate_.waiting()) end_input();
        }
        due_ = true;
        settle();
        if (now >= farewell_) closing_ = true; // our close frame is not answered
        const auto limit = model_.options().idle_timeout;
        if (closing_ || now - last_activity_ < limit) return;
        if (ws_) {
            const std::string ms = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
            close(web::close_code::going_away,
                  "java.util.concurrent.TimeoutException: Idle timeout expired: " + ms + "/" + ms + " ms");
        }
        closing_ = true;
        settle();
    }

    // Output

    /// Bytes to write, in order; valid until the next call that is not `const`. There may be more behind them.
    web::bytes_view output() const noexcept {
        if (written_ != out_.size()) return web::as_bytes(out_).subspan(written_);
        return ws_ ? ws_->output() : web::bytes_view{};
    }
    void consume_output(std::size_t n) {
        if (written_ == out_.size()) return ws_->consume_output(n);
        written_ += n;
        if (written_ != out_.size()) return;
        out_.clear();
        written_ = 0;
    }
    /// Nothing more will be written: close the connection.
    bool want_close() const noexcept { return closing_ && output().empty(); }
    std::size_t output_size() const noexcept { return out_.size() - written_ + (ws_ ? ws_->output().size() : 0); }
    /// It holds so much, of either way, that nothing more should be read until some of it is gone.
    bool overfull() const noexcept { return output_size() > most_output || in_.size() > most_input; }
    bool is_websocket() const noexcept { return ws_.has_value(); }
    /// A fault wants the connection cut behind what `output` holds. Nothing is read any more.
    std::optional<cut> want_cut() const noexcept { return cut_; }

    /// Sends a close frame where there is a WebSocket; else the connection ends behind what is written.
    void close(std::uint16_t code, std::string_view reason, time_point now) {
        now_ = now;
        const busy b(*this);
        if (ws_) {
            close(code, reason);
        } else {
            closing_ = true;
        }
        settle();
    }

private:
    using ws_connection = web::ws_connection;

    static constexpr std::size_t most_output = 4u << 20, most_input = 1u << 20;
    static constexpr std::size_t most_answers = 1u << 20; ///< to HTTP requests: then those behind wait
    static constexpr std::chrono::seconds patience{5};    ///< with a client that does not answer a close frame

    /// While it lasts, nobody need be told that there is something to do here.
    struct busy {
        explicit busy(peer& p) noexcept : self(p) { self.busy_ = true; }
        ~busy() { self.busy_ = false; }
        peer& self;
    };

    /// Lets the model hand out what this call has brought, and takes this connection's own share.
    void settle() {
        model_.dispatch(now_);
        while (std::exchange(due_, false)) {
            if (!socket_) return;
            socket_->advance(now_, *this);
            send_answers();
            model_.dispatch(now_);
        }
    }

    /// The end of the stream, behind all that came before it.
    void end_input() {
        if (ws_) {
            ws_->close(web::close_code::going_away);
            say_farewell();
            end_socket();
        } else if (gate_.waiting() && parser_.request().fields.find("Upgrade") == nullptr) {
            static_cast<void>(model_.handle(parser_.request(), now_)); // nobody waits for the answer any more
        }
        gate_.forget();
        closing_ = true;
    }

    void serve_http() {
        paused_ = false;
        while (!closing_ && !ws_ && !cut_) {
            if (!gate_.waiting()) {
                if (in_.empty()) return;
                // Requests that are sent in a row cost little, answers can be long.
                paused_ = output_size() > most_answers;
                if (paused_) return;
                in_.consume(parser_.feed(in_.view()));
                if (parser_.error()) return refuse_malformed();
                if (!parser_.done()) return;
            }
            proxy_model::reply reply;
            switch (gate_.judge(parser_.request(), now_)) {
            case detail::call_gate::verdict::wait: return;
            case detail::call_gate::verdict::cut:
                note_request(0);
                cut_ = gate_.how();
                return;
            case detail::call_gate::verdict::refuse:
                ++model_.stats().requests;
                if (gate_.upgrade()) ++model_.stats().sockets_refused;
                reply.response = std::move(gate_.refusal());
                break;
            case detail::call_gate::verdict::serve:
                reply = model_.handle(parser_.request(), now_);
                if (reply.response.status == 200 && gate_.spoils_password(parser_.request())) model_.expire_otps();
                break;
            }
            answer(std::move(reply));
        }
    }

    void answer(proxy_model::reply reply) {
        const bool keep_alive = parser_.keep_alive();
        note_request(reply.response.status);
        reply.response.keep_alive = keep_alive || reply.socket;
        web::write_response(reply.response, out_);
        if (reply.socket) {
            begin_websocket(std::move(reply.socket));
        } else {
            closing_ = !keep_alive;
        }
        parser_.reset();
    }

    void note_request(int status) {
        if (log_ == nullptr) return;
        const web::http_request& r = parser_.request();
        log_->request(r.method, r.target, r.fields.find("Authorization") != nullptr, status);
    }

    void refuse_malformed() {
        const bool large = parser_.error() == errc::http_too_large;
        const int status = !large ? 400 : parser_.body_too_large() ? 413 : 431;
        web::http_response r = detail::plain_answer(status, "text/html;charset=iso-8859-1", "");
        r.body = "<h1>Bad Message " + std::to_string(r.status) +
                 "</h1><pre>reason: " + std::string(parser_.error_text()) + "</pre>";
        r.keep_alive = false;
        web::write_response(r, out_);
        closing_ = true;
    }

    void begin_websocket(std::unique_ptr<detail::proxied_socket> socket) {
        // A message that is too large is refused in the proxy's words, which tell its size: so one twice as large as
        // allowed is read. What is larger still is refused at its header.
        ws_.emplace(ws_connection::role::server, nullptr,
                    web::ws_options{.max_message = 2 * model_.options().max_text_frame_size},
                    detail::jetty_compression(parser_.request().fields, model_.options().deflate));
        socket_ = faults_ != nullptr ? with_faults(std::move(socket)) : std::move(socket);
        socket_->wake_by(*this);
        ++model_.stats().open_sockets;
        if (log_ != nullptr) log_->upgraded();
        ws_->feed(in_.view()); // frames may come in the segment of the upgrade
        in_ = {};
    }

    /// A producer's socket learns to fail. Others stay as they are.
    std::unique_ptr<detail::proxied_socket> with_faults(std::unique_ptr<detail::proxied_socket> socket) {
        auto* const producer = dynamic_cast<detail::producer_socket*>(socket.get());
        if (producer == nullptr) return socket;
        static_cast<void>(socket.release());
        return std::make_unique<detail::faulty_producer_socket>(
            std::unique_ptr<detail::producer_socket>(producer),
            detail::topic_of_producer(detail::request_target(parser_.request().target)), *faults_, model_.stats(),
            cut_);
    }

    void serve_websocket() {
        using kind = ws_connection::event::kind;
        for (;;) {
            const ws_connection::event e = ws_->next();
            switch (e.what) {
            case kind::text:
                take_text(web::as_text(e.data));
                if (closing_) return;
                break;
            case kind::binary: ++model_.stats().binary_frames; break; // no answer, no close
            case kind::close:
                // The proxy's acknowledgements come from another thread: once a close has begun they are too late.
                if (log_ != nullptr) log_->client_closed(e.close_code);
                drop_answers();
                end_socket();
                closing_ = true;
                return;
            case kind::error:
                if (log_ != nullptr) log_->server_closed(e.close_code);
                send_answers();
                say_farewell();
                end_socket();
                closing_ = true;
                return;
            case kind::none: return send_answers();
            default: break;
            }
        }
    }

    void take_text(std::string_view message) {
        if (!socket_) return; // behind our own close
        ++model_.stats().frames;
        const std::size_t limit = model_.options().max_text_frame_size;
        if (message.size() <= limit) return socket_->text(message, now_, *this);
        close(web::close_code::message_too_big, "Text message size [" + std::to_string(message.size()) +
                                                    "] exceeds maximum size [" + std::to_string(limit) + "]");
        closing_ = true; // the end of the stream follows at once
    }

    // Answers are gathered until all that has been read is dealt with.

    void text(std::string_view message) override {
        answers_ += message;
        ends_.push_back(answers_.size());
    }
    void close(std::uint16_t code, std::string_view reason) override {
        send_answers();
        if (log_ != nullptr) log_->server_closed(code);
        ws_->close(code, reason);
        say_farewell();
        end_socket();
    }
    void say_farewell() noexcept { farewell_ = std::min(farewell_, now_ + patience); }
    void abort() override {
        send_answers();
        end_socket();
        closing_ = true;
    }
    void wake() override {
        if (std::exchange(due_, true) || busy_ || !on_wake_) return;
        on_wake_();
    }
    void send_answers() {
        if (!ends_.empty()) last_activity_ = now_; // the server's own writes keep a socket from being idle
        std::size_t begin = 0;
        for (const std::size_t end : ends_) {
            ws_->send(web::opcode::text, web::as_bytes(answers_).subspan(begin, end - begin));
            begin = end;
        }
        drop_answers();
    }
    void drop_answers() noexcept {
        answers_.clear();
        ends_.clear();
    }

    void end_socket() {
        if (!socket_) return;
        socket_->end(now_);
        former_ = std::move(socket_); // it may be the one that calls us
        --model_.stats().open_sockets;
    }

    proxy_model& model_;
    time_point now_;
    time_point last_activity_ = now_;
    time_point farewell_ = time_point::max(); ///< then the connection ends, whatever the client does
    bool closing_ = false;
    bool paused_ = false; ///< requests have been read and are not answered yet
    bool ended_ = false;  ///< the client sends no more, and `closing_` waits for those requests
    bool due_ = false, busy_ = false;
    std::function<void()> on_wake_{};

    detail::fault_script* faults_;
    detail::connection_log* log_;
    detail::call_gate gate_;
    std::optional<cut> cut_{};

    web::byte_buffer room_{}; ///< of the last `prepare`, while there is no WebSocket: `in_` may change during a read
    web::byte_buffer in_{};
    std::string out_{};
    std::size_t written_ = 0; ///< of out_
    web::http_request_parser parser_{model_.options().http};

    std::optional<ws_connection> ws_{};
    std::unique_ptr<detail::proxied_socket> socket_{}, former_{};
    std::string answers_{};
    std::vector<std::size_t> ends_{};
};

} // namespace testing
} // namespace v1
} // namespace sluice
