// SPDX-License-Identifier: BSL-1.0
// One simulated connection: bytes that travel both ways in pieces, and the fault that it meets.
#pragma once

#include "answers.hpp"
#include "operations.hpp"
#include "server.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace simulation {

class connection : public std::enable_shared_from_this<connection> {
public:
    connection(world& w, server& s, const manners& m, const fault& f, unsigned number)
        : world_(w), server_(s), manners_(m), fault_(f), number_(number), answers_(f), wire_(w, s.wire, number) {
        if (fault_.scripted()) write_script();
    }

    // The client's operations; each is put into its place first, then begun.

    place step{}, reading{}, writing{};

    void connect() {
        if (fault_.kind == fault_kind::unreachable) return meet();
        later(latency(), [](connection& c) {
            if (c.closed_) return;
            if (c.fault_.kind == fault_kind::refused) {
                c.meet();
                return c.step.complete(asio::error::connection_refused);
            }
            c.peer_ = std::make_unique<testing::peer>(c.server_.model, c.server_.wall_time(),
                                                      testing::peer::watchers{&c.script_, nullptr});
            c.world_.note("line ", c.number_, ": connected, with fault \"", to_string(c.fault_.kind), "\" at ",
                          c.fault_.at);
            c.after_peer();
            c.step.complete({});
        });
    }
    void handshake() {
        later(latency() + latency(), [](connection& c) { c.step.complete(c.client_error_); });
    }
    void read(std::span<std::byte> into) {
        into_ = into;
        if (lags())
            later(latency(), [](connection& c) { c.serve_read(); });
        else
            serve_read();
    }
    void write(std::span<const std::byte> from) {
        from_ = from;
        wire_.offered(from, answers_.within(read_), answers_.probe_within(read_));
        if (lags())
            later(latency(), [](connection& c) { c.serve_write(); });
        else
            serve_write();
    }
    /// The client is done. What it wrote arrives, or, in the manner of a reset, some of it.
    void close() {
        if (std::exchange(closed_, true)) return;
        if (writing) wire_.write_failed();
        for (place* p : {&step, &reading, &writing}) p->complete(asio::error::operation_aborted);
        if (!peer_ || broken_) return;
        if (world_.luck().percent(30)) up_.pieces.clear();
        send(up_, {}, true);
    }

    unsigned number() const noexcept { return number_; }
    std::pair<std::size_t, std::size_t> traffic() const noexcept { return {up_.delivered, down_.delivered}; }
    /// The run is over: the server's side ends, whatever was under way.
    void finish() {
        if (peer_) peer_->end_of_stream(server_.wall_time());
        server_.account(number_);
        peer_.reset();
        if (fault_.shifts_numbers() && struck_ && answers_.within(read_) <= fault_.at)
            server_.refusals_lost.insert(number_);
    }

private:
    struct piece {
        std::string bytes;
        bool last; ///< the sender sends no more
    };
    struct direction {
        std::deque<piece> pieces{};
        nanoseconds arrival{}; ///< of the last piece
        nanoseconds stalled_to{};
        std::size_t travelling = 0, delivered = 0;
    };

    template <class F>
    void later(nanoseconds delay, F f) {
        world_.in(delay, [self = this->shared_from_this(), f] { f(*self); });
    }
    nanoseconds latency() { return world_.luck().between(manners_.shortest_latency, manners_.longest_latency); }
    /// Of `n` bytes behind so many others. Pieces of a long transfer find nothing that those of its beginning did not,
    /// and few schedules with many of them took most of the time.
    std::size_t portion(std::size_t n, std::size_t before) {
        const bool split = n > 1 && before < 4096 && world_.luck().percent(manners_.chop);
        return split ? world_.luck().between<std::size_t>(1, n) : n;
    }
    /// What travels at once grows with a connection, as its buffers do.
    std::size_t capacity() const noexcept { return manners_.capacity + up_.delivered / 4; }
    bool lags() { return !closed_ && world_.luck().percent(manners_.lag); }
    void meet() {
        if (!fault_.of_address) server_.met.push_back(fault_);
        if (fault_.refuses()) server_.refusing.insert(number_);
        if (fault_.shifts_numbers()) server_.shifting.insert(number_);
        world_.note("line ", number_, ": ", to_string(fault_.kind));
    }

    // The client's side

    void serve_read() {
        if (!reading) return;
        if (closed_) return reading.complete(asio::error::operation_aborted);
        if (!inbox_.empty()) {
            const std::size_t n = portion(std::min(into_.size(), inbox_.size()), read_);
            std::memcpy(into_.data(), inbox_.data(), n);
            inbox_.erase(0, n);
            read_ += n;
            cut_behind_refusal();
            reading.complete({}, n);
        } else if (client_error_) {
            reading.complete(client_error_);
        }
    }
    void serve_write() {
        if (!writing) return;
        if (closed_ || client_error_) {
            wire_.write_failed();
            return writing.complete(closed_ ? asio::error::make_error_code(asio::error::operation_aborted)
                                            : asio::error::make_error_code(asio::error::broken_pipe));
        }
        if (up_.travelling >= capacity()) return; // until something has arrived
        const std::size_t n = portion(std::min(from_.size(), capacity() - up_.travelling), up_.delivered);
        const std::string_view bytes = web::as_text({from_.data(), n});
        if (broken_)
            up_.travelling += n; // nobody will ever take it
        else
            send(up_, bytes, false);
        wire_.taken(n);
        writing.complete({}, n);
    }
    void client_sees(std::error_code ec) {
        if (ec == asio::error::connection_reset && world_.luck().percent(50)) inbox_.clear();
        client_error_ = ec;
        serve_read();
        serve_write();
    }

    // Travelling

    void send(direction& d, std::string_view bytes, bool last) {
        do {
            const std::size_t n = portion(bytes.size(), d.delivered);
            d.arrival = std::max(d.arrival, world_.now() + latency());
            d.travelling += n;
            d.pieces.push_back({std::string(bytes.substr(0, n)), last && n == bytes.size()});
            bytes.remove_prefix(n);
            schedule_arrival(d, d.arrival);
        } while (!bytes.empty());
    }
    void schedule_arrival(direction& d, nanoseconds when) {
        world_.at(when, [self = this->shared_from_this(), &d] { self->arrive(d); });
    }
    void arrive(direction& d) {
        if (broken_ || d.pieces.empty()) return;
        if (d.stalled_to > world_.now()) return schedule_arrival(d, d.stalled_to);
        piece p = std::move(d.pieces.front());
        d.pieces.pop_front();
        d.travelling -= p.bytes.size();
        const bool upward = &d == &up_;
        if (armed(upward) && d.delivered + p.bytes.size() >= fault_.at && fault_.at_a_byte()) {
            const std::size_t before = fault_.at - d.delivered;
            deliver(d, std::string_view(p.bytes).substr(0, before), false);
            d.pieces.push_front({p.bytes.substr(before), p.last});
            d.travelling += p.bytes.size() - before;
            schedule_arrival(d, world_.now());
            return strike(d);
        }
        deliver(d, p.bytes, p.last);
    }
    bool armed(bool upward) const noexcept { return !struck_ && fault_.upward == upward; }

    void deliver(direction& d, std::string_view bytes, bool last) {
        d.delivered += bytes.size();
        if (&d == &up_) {
            if (!bytes.empty()) server_reads(bytes);
            if (last && peer_) {
                peer_->end_of_stream(server_.wall_time());
                after_peer();
            }
            return serve_write();
        }
        if (closed_) return;
        inbox_ += bytes;
        if (last) client_error_ = asio::error::eof;
        serve_read();
    }

    void strike(direction& d) {
        struck_ = true;
        if (fault_.kind == fault_kind::server_close && !peer_->is_websocket()) return;
        meet();
        switch (fault_.kind) {
        case fault_kind::cut: return cut();
        case fault_kind::half_open: broken_ = true; return server_loses(fault_.duration);
        case fault_kind::stall: d.stalled_to = world_.now() + fault_.duration; return;
        default: peer_->close(fault_.code, "as scheduled", server_.wall_time()); return after_peer();
        }
    }
    void cut() {
        broken_ = true;
        const std::error_code ec = fault_.reset ? asio::error::make_error_code(asio::error::connection_reset)
                                                : std::error_code(asio::error::eof);
        later(latency(), [ec](connection& c) { c.client_sees(ec); });
        server_loses(latency());
    }
    void cut_behind_refusal() {
        if (!fault_.then_cut || !struck_ || cut_behind_ || answers_.within(read_) <= fault_.at) return;
        cut_behind_ = true;
        later(latency(), [](connection& c) {
            if (c.broken_ || c.closed_) return;
            c.world_.note("line ", c.number_, ": lost, behind the refusal");
            c.cut();
        });
    }
    void server_loses(nanoseconds delay) {
        later(delay, [](connection& c) {
            if (!c.peer_) return;
            c.peer_->end_of_stream(c.server_.wall_time());
            c.after_peer();
        });
    }

    // The server's side

    void server_reads(std::string_view bytes) {
        if (!peer_) return;
        if (fault_.instead_of_answer()) return answer_otherwise(bytes);
        if (fault_.kind == fault_kind::expired && std::exchange(struck_, true) == false) {
            if (server_.model.expire_otps() != 0) meet();
        }
        peer_->receive(web::as_bytes(bytes), server_.wall_time());
        after_peer();
    }
    void answer_otherwise(std::string_view bytes) {
        request_ += bytes;
        if (struck_ || request_.find("\r\n\r\n") == std::string::npos) return;
        struck_ = true;
        meet();
        if (fault_.kind == fault_kind::silence) return;
        std::string text = "220 mail.example ESMTP\r\n";
        if (fault_.kind == fault_kind::status) {
            text = "HTTP/1.1 " + std::to_string(fault_.code) + " \r\nContent-Type: text/html\r\nContent-Length: 20\r\n";
            if (fault_.code == 429 || fault_.code == 503) text += "Retry-After: 1\r\n";
            text += "Connection: close\r\n\r\n<html>sorry.</html>\n";
        }
        send(down_, text, true);
    }
    /// What the peer itself does wrong, as the gateway's faults have it.
    void write_script() {
        using namespace testing::detail;
        const auto rule = std::make_shared<fault_rule>();
        if (fault_.kind == fault_kind::slow_answer) {
            rule->target = fault_target::call;
            rule->act = fault_act::delay;
            rule->delay = fault_.duration;
        } else if (fault_.shifts_numbers()) {
            rule->target = fault_target::message;
            rule->act = fault_act::refuse;
            rule->after = fault_.at;
            if (fault_.kind == fault_kind::useless) rule->left = for_ever;
            rule->text = "org.apache.pulsar.client.api.PulsarClientException$" +
                         std::string(exceptions[fault_.code % std::size(exceptions)]) + ": as scheduled";
        } else {
            return;
        }
        script_.add(rule);
    }
    /// Its output goes on its way; its timer is set.
    void after_peer() {
        if (!peer_) return;
        if (script_.met() != 0 && !std::exchange(struck_, true)) meet();
        server_.account(number_);
        for (web::bytes_view out = peer_->output(); !out.empty(); out = peer_->output()) {
            const std::string_view chunk = web::as_text(out);
            if (!broken_ && !ended_) put_out(chunk);
            peer_->consume_output(out.size());
        }
        if (peer_->want_close() && !std::exchange(ended_, true) && !broken_) send(down_, {}, true);
        const testing::time_point next = peer_->next_time();
        if (next == testing::time_point::max()) return;
        const nanoseconds due = world_.now() + (next - server_.wall_time());
        if (alarm_ > world_.now() && alarm_ <= due) return;
        alarm_ = due;
        world_.at(due, [self = this->shared_from_this()] { self->advance(); });
    }
    void put_out(std::string_view chunk) {
        const bool http = chunk.starts_with("HTTP/");
        if (http || !peer_->is_websocket()) {
            answers_.skip(chunk.size());
            return send(down_, chunk, false);
        }
        bool touched = false;
        const std::string instead = answers_.pass(chunk, touched);
        if (touched) meet();
        if (answers_.closing()) wire_.server_closes();
        if (!instead.empty()) send(down_, instead, false);
    }
    void advance() {
        if (!peer_ || world_.now() < alarm_) return;
        alarm_ = {};
        peer_->advance(server_.wall_time());
        after_peer();
    }

    world& world_;
    server& server_;
    const manners& manners_;
    const fault fault_;
    const unsigned number_;

    std::span<std::byte> into_{};
    std::span<const std::byte> from_{};
    std::string inbox_{};
    std::size_t read_ = 0;
    std::error_code client_error_{};

    direction up_{}, down_{};
    bool closed_ = false; ///< by the client
    bool broken_ = false; ///< nothing passes
    bool cut_behind_ = false;
    bool struck_ = false;

    testing::detail::fault_script script_{}; // outlives the peer
    std::unique_ptr<testing::peer> peer_{};
    bool ended_ = false; ///< the server sends no more
    std::string request_{};
    nanoseconds alarm_{};
    answers answers_;
    wire_reader wire_;
};

} // namespace simulation
