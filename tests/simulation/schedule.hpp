// SPDX-License-Identifier: BSL-1.0
// What a seed picks: a server, producers with their options, what a program does with them and when, and what goes
// wrong.
#pragma once

#include "fault.hpp"
#include "packing.hpp"
#include "sealing.hpp"

#include <sluice/config.hpp>
#include <sluice/testing/gateway/types.hpp>

#include <asio/cancellation_type.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace simulation {

using namespace std::chrono_literals;

enum class deed : std::uint8_t {
    send,          ///< a callback, the message owned
    send_borrowed, ///< a callback, the message borrowed
    send_awaited,  ///< a coroutine
    send_all,      ///< several messages, one callback
    push,
    try_push,
    open,
    flush,
    cancel_one, ///< of what was started as number `subject`
    cancel,     ///< of the producer
    close,
    ensure_stream, ///< a REST call of the client
    destroy,       ///< the producer
    stand_still    ///< the machine, for `own_timeout`
};

/// Where a handler belongs.
enum class home : std::uint8_t { producer, strand, elsewhere };

struct action {
    nanoseconds at{};
    deed what = deed::send;
    std::size_t producer = 0;
    std::size_t subject = 0;                   ///< a number: of the operation that it starts, or that it cancels
    std::vector<std::size_t> sizes{};          ///< of the messages that it sends
    std::chrono::milliseconds own_timeout{-1}; ///< of the message; -1: the producer's
    home handler = home::producer;
    bool cancellable = false;
    asio::cancellation_type cancel_type = asio::cancellation_type::terminal; ///< of a `cancel_one`
    int then = -1; ///< what its handler does: the place of another action, which has no time of its own
};

enum class ending : std::uint8_t {
    close,          ///< when all has been answered: a last message, then close
    close_at_once,  ///< close while things are under way
    abandon,        ///< the producers are destroyed
    destroy_context ///< the execution context is destroyed
};

enum class address : std::uint8_t { pulsar, gdn_port, gdn_region };
enum class login : std::uint8_t { api_key, password };

struct schedule {
    std::uint64_t seed = 0;
    address server = address::pulsar;
    login credential = login::api_key;
    sluice::socket_auth auth = sluice::socket_auth::otp;
    std::size_t producers = 1;
    sluice::producer_options options{};
    packing packs{};
    sluice::testing::proxy_options proxy{};
    manners network{};
    std::deque<fault> faults{};
    std::vector<action> actions{}, consequences{};
    std::size_t operations = 0, messages = 0;
    nanoseconds end_at{}; ///< after the start
    ending end = ending::close;
    /// Handlers run between two events of the world; 0: all that are ready. A machine that is slow, or not.
    unsigned pace = 0;
    bool stands_still = false; ///< there is a `deed::stand_still`

    /// Of a message's text: what either side allows.
    std::size_t largest_frame() const noexcept { return std::min(options.max_frame_bytes, proxy.max_text_frame_size); }

    /// The client does not know it.
    bool proxy_allows_less() const noexcept { return proxy.max_text_frame_size < options.max_frame_bytes; }
    bool encrypts() const noexcept { return options.encryption.is_set(); }

    /// Nothing but the library decides when something happens.
    bool punctual() const noexcept { return pace == 0 && !stands_still; }
};

/// Draws a schedule. What is drawn later does not change what was drawn before.
class scheduler {
public:
    explicit scheduler(std::uint64_t seed) : d_(seed) { s_.seed = seed; }

    schedule draw() {
        draw_server();
        draw_options();
        draw_network();
        draw_faults();
        draw_actions();
        draw_packing();
        draw_encryption();
        return std::move(s_);
    }

private:
    void draw_server() {
        s_.server = d_.pick({address::pulsar, address::pulsar, address::gdn_port, address::gdn_region});
        if (d_.percent(30)) s_.auth = sluice::socket_auth::header;
        if (d_.percent(30)) s_.credential = login::password;
        s_.proxy.users = {{"user@example.com", "user", "secret"}};
        s_.proxy.jwt_lifetime = d_.pick({65s, 43200s}); // a client renews it a minute before its end
        s_.producers = d_.percent(20) ? 2 : 1;
        s_.pace = d_.pick({0u, 0u, 1u, 3u, 10u});
        s_.proxy.region_host = "sim.example.com";
        s_.proxy.producer_name_release = d_.pick<nanoseconds>({0ms, 100ms, 200ms});
        s_.proxy.otp_lifetime = d_.pick({1s, 60s});
        s_.proxy.idle_timeout = d_.pick<nanoseconds>({2s, 300s});
    }

    void draw_options() {
        sluice::producer_options& o = s_.options;
        o.send_timeout = d_.pick<std::chrono::milliseconds>({0ms, 64ms, 500ms, 5s, 30s, 30s});
        o.max_pending_messages = d_.pick({1, 2, 5, 20, 1000, 1000});
        if (d_.percent(25)) {
            o.batching_enabled = true;
            o.batching_max_messages = d_.pick({1, 3, 1000});
            o.batching_max_publish_delay = d_.pick<std::chrono::milliseconds>({1ms, 10ms, 100ms});
        }
        using w = sluice::when_full;
        o.when_full = d_.pick({w::suspend, w::suspend, w::suspend, w::suspend, w::suspend, w::suspend, w::fail, w::fail,
                               w::drop_newest, w::drop_oldest});
        o.max_waiting_messages = d_.pick({0, 3, 20});
        o.write_timeout = d_.pick<std::chrono::milliseconds>({0ms, 300ms, 30s});
        o.max_pending_bytes = d_.pick<std::size_t>({1024, 64u << 20});
        if (d_.percent(15)) {
            o.budget = std::make_shared<sluice::byte_budget>(d_.pick<std::size_t>({300, 2000, 65536}));
            s_.producers = d_.percent(70) ? 2 : 1;
        }
        o.max_frame_bytes = d_.pick<std::size_t>({2048, 1u << 20});
        if (d_.percent(10)) s_.proxy.max_text_frame_size = 1200; // which the client does not know
        o.batching_max_bytes = d_.pick<std::size_t>({4096, 128u << 10});
        o.ping_interval = d_.pick<std::chrono::milliseconds>({700ms, 30s});
        o.connect_timeout = d_.pick<std::chrono::milliseconds>({400ms, 10s});
        o.close_timeout = d_.pick<std::chrono::milliseconds>({100ms, 30s});
        o.reconnect.initial = d_.pick<std::chrono::milliseconds>({1ms, 100ms});
        o.reconnect.maximum = d_.pick<std::chrono::milliseconds>({2s, 30s});
        if (d_.percent(40)) o.producer_name = "simulated";
        if (!o.producer_name.empty() && d_.percent(75)) {
            o.deduplicate = true;
            s_.proxy.deduplicate = true;
        }
        if (d_.percent(20)) o.initial_sequence_id = d_.pick<std::int64_t>({-1, 0, 41});
    }

    void draw_encryption() {
        if (s_.packs.on || !d_.percent(25)) return;
        sluice::producer_options& o = s_.options;
        o.compress_at = sluice::compress_at::end_to_end;
        o.batching_enabled = false;
        o.encryption = open_encryption(d_.pick({3u, 20u, 1'000'000u}));
    }

    void draw_network() {
        manners& m = s_.network;
        m.shortest_latency = d_.pick<nanoseconds>({0ms, 1us, 1ms, 20ms});
        m.longest_latency = m.shortest_latency * d_.pick({1, 1, 5});
        m.chop = d_.pick({0u, 0u, 20u, 90u});
        m.lag = d_.pick({0u, 0u, 30u});
        m.capacity = d_.pick<std::size_t>({200, 4096, 65536});
        m.dead_addresses = d_.pick({0u, 0u, 50u});
    }

    void draw_faults() {
        using k = fault_kind;
        // Most lie on the wire; the first bytes are the upgrade and its answer.
        const unsigned n = d_.percent(4) ? 0 : d_.between(6u, 14u);
        for (unsigned i = 0; i < n; ++i) {
            fault f;
            f.kind = d_.pick({k::cut,
                              k::cut,
                              k::cut,
                              k::cut,
                              k::cut,
                              k::half_open,
                              k::half_open,
                              k::stall,
                              k::stall,
                              k::server_close,
                              k::server_close,
                              k::unresolved,
                              k::name_hangs,
                              k::refused,
                              k::unreachable,
                              k::status,
                              k::status,
                              k::rubbish,
                              k::silence,
                              k::ack_doubled,
                              k::ack_swapped,
                              k::ack_unknown,
                              k::ack_garbled,
                              k::bad_frame,
                              k::ack_lost,
                              k::slow_answer,
                              k::expired,
                              k::useless,
                              k::message_refused,
                              k::ack_denied,
                              k::ack_repeat});
            // A message whose acknowledgement is lost waits for it until its time limit.
            if (f.kind == k::ack_lost && s_.options.send_timeout == 0ms) f.kind = k::ack_doubled;
            if (f.kind == k::ack_repeat && !s_.options.deduplicate) f.kind = k::ack_doubled; // stored twice: no matter
            f.upward = d_.percent(60);
            f.reset = d_.percent(50);
            f.at = f.concerns_acks() || f.refuses() ? d_.below(4)
                   : f.upward                       ? d_.below(d_.pick({40u, 280u, 400u, 600u}))
                                                    : d_.below(d_.pick({30u, 140u, 250u, 500u}));
            f.duration =
                f.kind == k::stall ? d_.pick<nanoseconds>({10ms, 900ms, 70s}) : d_.pick<nanoseconds>({100ms, 4s});
            f.code = f.kind == k::status ? draw_status()
                     : f.refuses()       ? draw_exception(f.kind)
                                         : d_.pick<std::uint16_t>({1000, 1001, 1011, 1012, 4000});
            f.then_cut = f.kind == k::message_refused && d_.percent(40);
            s_.faults.push_back(f);
        }
    }

    /// A producer or a topic that is gone is gone for all that follows, too.
    std::uint16_t draw_exception(fault_kind k) {
        constexpr std::size_t all = std::size(exceptions), of_one_message = all - 2;
        return static_cast<std::uint16_t>(k == fault_kind::useless ? d_.between(of_one_message, all - 1)
                                                                   : d_.below(of_one_message));
    }
    std::uint16_t draw_status() {
        if (d_.percent(8)) return d_.pick<std::uint16_t>({400, 401, 403, 404}); // which may end a producer
        return d_.pick<std::uint16_t>({409, 429, 500, 502, 503, 504});
    }

    void draw_actions() {
        const nanoseconds span = d_.pick<nanoseconds>({0ms, 5ms, 300ms, 3s, 40s});
        const std::size_t wanted = d_.between<std::size_t>(12, 36);
        const unsigned cancels = d_.pick({0u, 0u, 10u, 40u});
        while (s_.messages < wanted) {
            action a = draw_send(span, cancels);
            s_.messages += a.sizes.size();
            const action sent = a;
            s_.actions.push_back(std::move(a));
            if (sent.cancellable && d_.percent(70)) {
                action c;
                c.at = sent.at + d_.pick<nanoseconds>({0ms, 1us, 1ms, 30ms, 1s});
                c.what = deed::cancel_one;
                c.subject = sent.subject;
                c.cancel_type = d_.pick({asio::cancellation_type::terminal, asio::cancellation_type::partial,
                                         asio::cancellation_type::total});
                s_.actions.push_back(c);
            }
        }
        if (d_.percent(30)) add(deed::open, span);
        for (int i = 0; i < 2; ++i)
            if (d_.percent(40)) add(deed::flush, span);
        if (cancels != 0 && d_.percent(25)) add(deed::cancel, span);
        if (d_.percent(15)) add(deed::ensure_stream, span);
        if (d_.percent(8)) add(deed::close, span);
        if (d_.percent(4)) add(deed::destroy, span);
        if (d_.percent(4)) {
            s_.stands_still = true;
            add(deed::stand_still, span);
            s_.actions.back().own_timeout = d_.pick<std::chrono::milliseconds>({50ms, 1s, 20s, 60s});
        }
        s_.end = d_.pick({ending::close, ending::close, ending::close, ending::close, ending::close_at_once,
                          ending::close_at_once, ending::abandon, ending::destroy_context});
        s_.end_at = s_.end == ending::close ? span : d_.between(0ms, span + d_.pick<nanoseconds>({1us, 50ms, 2s}));
    }

    action draw_send(nanoseconds span, unsigned cancels) {
        action a;
        a.at = d_.between(0ms, span);
        a.what = d_.pick({deed::send, deed::send, deed::send_borrowed, deed::send_awaited, deed::send_all, deed::push,
                          deed::try_push});
        a.producer = d_.below(s_.producers);
        a.subject = s_.operations++;
        std::size_t n = 1;
        if (a.what == deed::send_all)
            n = d_.percent(4) ? d_.between<std::size_t>(60, 120) : d_.between<std::size_t>(1, 8);
        for (std::size_t i = 0; i < n; ++i) a.sizes.push_back(draw_size());
        if (d_.percent(10)) a.own_timeout = d_.pick<std::chrono::milliseconds>({20ms, 2s});
        a.handler = d_.pick({home::producer, home::producer, home::strand, home::elsewhere});
        a.cancellable = d_.percent(cancels);
        if (d_.percent(8)) a.then = draw_consequence(a.producer);
        return a;
    }
    int draw_consequence(std::size_t producer) {
        action a;
        a.what = d_.pick({deed::send, deed::send, deed::send, deed::flush, deed::cancel, deed::close, deed::destroy});
        if (a.what == deed::destroy && d_.percent(70)) a.what = deed::send_awaited;
        a.producer = producer;
        a.subject = s_.operations++;
        if (a.what == deed::send || a.what == deed::send_awaited) a.sizes.push_back(draw_size());
        s_.consequences.push_back(std::move(a));
        return static_cast<int>(s_.consequences.size()) - 1;
    }
    std::size_t draw_size() {
        if (d_.percent(3)) return 2000; // with max_frame_bytes = 2048 it never fits
        return d_.pick<std::size_t>({d_.below(10), d_.below(100), d_.below(100), d_.below(1300)});
    }
    void add(deed what, nanoseconds span) {
        action a;
        a.at = d_.between(0ms, span);
        a.what = what;
        a.producer = d_.below(s_.producers);
        a.subject = s_.operations++;
        a.handler = d_.pick({home::producer, home::strand, home::elsewhere});
        s_.actions.push_back(a);
    }

    void draw_packing() {
        if (!d_.percent(30)) return;
        packing& p = s_.packs;
        sluice::producer_options& o = s_.options;
        p.on = true;
        p.json = d_.percent(30);
        p.compresses = !p.json && d_.percent(50);
        p.keys = d_.pick({0u, 0u, 1u, 2u});
        p.every = d_.pick({0u, 0u, 5u});
        p.broken = d_.pick({0u, 0u, 7u});
        o.compress_at = sluice::compress_at::packed;
        if (o.deduplicate) o.initial_sequence_id.reset(); // not allowed together
        o.pack_layout = p.json ? sluice::pack_layout::json_array : sluice::pack_layout::framed;
        o.batching_max_messages = d_.pick({1, 3, 3, 1000});
        o.batching_max_publish_delay = d_.pick<std::chrono::milliseconds>({1ms, 10ms, 10ms, 100ms});
        o.pack_waits_when_idle = d_.percent(60);
        if (d_.percent(15)) calm();
    }
    /// Then it is known when a pack has to go.
    void calm() {
        s_.faults.clear();
        s_.network = {};
        s_.network.longest_latency = s_.network.shortest_latency = d_.pick<nanoseconds>({0ms, 20ms});
        s_.pace = 0;
        s_.options.budget.reset();
        s_.options.max_pending_bytes = 64u << 20;
    }

    dice d_;
    schedule s_{};
};

} // namespace simulation
