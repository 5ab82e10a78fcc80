// SPDX-License-Identifier: BSL-1.0
// A publisher without its socket and without a clock: sends go in, its frames are read as a server would, answers are
// written by hand, and what it finishes is kept.
#pragma once

#include <sluice/core/publisher.hpp>
#include <sluice/web/ws_deflate.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace test {

using namespace std::chrono_literals;
using sluice::errc;
using sluice::failure;
using sluice::outcome;
using sluice::producer_options;
namespace core = sluice::core;
namespace web = sluice::web;

/// Repeats itself, so that a test does.
inline web::random_source counting_random(std::uint64_t& state) {
    return {&state, [](void* context, std::span<std::byte> out) {
                auto& n = *static_cast<std::uint64_t*>(context);
                for (std::byte& b : out) {
                    n = n * 6364136223846793005u + 1442695040888963407u;
                    b = static_cast<std::byte>(n >> 56);
                }
            }};
}

/// What became of one node.
struct completion {
    bool invoked = false; ///< false: destroyed uncalled
    failure error{};
    sluice::receipt receipt{};

    std::string_view text() const { return error.details ? std::string_view(error.details->text) : std::string_view(); }
};

/// A message as the server saw it.
struct seen_frame {
    std::uint64_t context = 0;
    std::string payload;
    std::string json;
};

inline std::string ok_text(std::uint64_t context, std::string_view message_id = "CAAQAw==") {
    return R"({"result":"ok","messageId":")" + std::string(message_id) + R"(","context":")" + std::to_string(context) +
           R"(","errorCode":0,"schemaVersion":0})";
}
/// Ledger -1, entry -1.
inline std::string repeat_text(std::uint64_t context) { return ok_text(context, "CP///////////wEQ////////////ATAA"); }
inline std::string refusal_text(std::uint64_t context, std::string_view error, int code = 8) {
    return R"({"result":"send-error:)" + std::to_string(code) + R"(","errorMsg":")" + std::string(error) +
           R"(","context":")" + std::to_string(context) + R"(","errorCode":0,"schemaVersion":0})";
}
inline std::string pulsar_error(std::string_view exception) {
    return "org.apache.pulsar.client.api.PulsarClientException$" + std::string(exception) + ": words";
}

/// What a server writes: unmasked frames.
inline std::string server_frame(std::string_view text, web::opcode op = web::opcode::text) {
    web::ws_connection server(web::ws_connection::role::server, nullptr);
    REQUIRE(server.send(op, web::as_bytes(text)));
    return std::string(web::as_text(server.output()));
}
inline std::string server_close(std::uint16_t code, std::string_view reason = {}) {
    web::ws_connection server(web::ws_connection::role::server, nullptr);
    server.close(code, reason);
    return std::string(web::as_text(server.output()));
}

/// Reads an acknowledged producer's frame with a JSON parser of its own.
inline seen_frame read_frame(std::string_view json) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    REQUIRE(parser.parse(json.data(), json.size()).get(root) == simdjson::SUCCESS);
    std::string_view payload, context;
    REQUIRE(root["payload"].get(payload) == simdjson::SUCCESS);
    REQUIRE(root["context"].get(context) == simdjson::SUCCESS);
    seen_frame f;
    f.json = json;
    f.context = std::stoull(std::string(context));
    f.payload.resize(payload.size());
    const auto n = web::base64_decode(payload, reinterpret_cast<std::byte*>(f.payload.data()));
    REQUIRE(n);
    f.payload.resize(*n);
    return f;
}

/// Everything but threads: those have tests of their own.
class harness {
public:
    explicit harness(const producer_options& options = {}, std::int64_t first_sequence_id = 0,
                     sluice::pulsar::compressor codec = {})
        : pub(options, first_sequence_id, counting_random(random_), std::move(codec)) {}
    harness(const harness&) = delete;
    ~harness() {
        pub.destroy_all();
        CHECK(alive == 0); // every node was finished or destroyed
    }

    struct message_node : core::receipt_node {
        harness* owner = nullptr;
        int id = 0;
        sluice::message bytes{};
    };
    struct marker : core::marker_node {
        harness* owner = nullptr;
        int id = 0;
    };

private:
    std::uint64_t random_ = 99;

public:
    core::publisher pub;
    core::instant now{1s};
    int alive = 0;
    std::map<int, completion> results{};
    std::vector<int> order{}; ///< ids as they were finished
    std::map<int, message_node*> nodes{};

    // --- senders

    message_node* make(sluice::message m) {
        auto* const n = new message_node;
        n->owner = this;
        n->id = next_id_++;
        n->bytes = std::move(m);
        n->message = sluice::message_view(n->bytes);
        n->finish = [](core::node* base, bool invoke) {
            auto* const self = static_cast<message_node*>(core::as_send(base));
            const failure error{self->error, self->own_result.info};
            self->owner->record(self->id, invoke, error, std::move(self->own_result));
            self->owner->nodes.erase(self->id);
            delete self;
        };
        ++alive;
        nodes[n->id] = n;
        return n;
    }
    marker* make_marker(core::node_kind kind) {
        auto* const n = new marker;
        n->owner = this;
        n->id = next_id_++;
        n->kind = kind;
        n->finish = [](core::node* base, bool invoke) {
            auto* const self = static_cast<marker*>(core::as_marker(base));
            self->owner->record(self->id, invoke, self->error, {});
            delete self;
        };
        ++alive;
        return n;
    }
    void record(int id, bool invoked, const failure& error, sluice::receipt receipt) {
        CHECK(results.count(id) == 0); // once
        results[id] = {invoked, error, std::move(receipt)};
        order.push_back(id);
        --alive;
    }

    /// Submitted, not drained.
    int submit(sluice::message m, bool cancellable = false) {
        message_node* const n = make(std::move(m));
        n->cancellable = cancellable;
        const int id = n->id;
        CHECK(pub.submit(n) != core::accumulator::pushed::closed);
        return id;
    }
    int mark(core::node_kind kind) {
        marker* const n = make_marker(kind);
        const int id = n->id;
        CHECK(pub.submit(n) != core::accumulator::pushed::closed);
        drain();
        return id;
    }
    int send(sluice::message m, bool cancellable = false) {
        const int id = submit(std::move(m), cancellable);
        drain();
        return id;
    }
    std::vector<int> send_many(int n, std::string_view prefix = "m") {
        std::vector<int> ids;
        for (int i = 0; i < n; ++i) ids.push_back(submit(std::string(prefix) + std::to_string(i)));
        drain();
        return ids;
    }
    /// As the cancellation slot's handler does, in its two steps.
    bool request(int id, core::cancel_state to = core::cancel_state::requested) {
        auto idle = core::cancel_state::idle;
        return nodes.at(id)->cancel.compare_exchange_strong(idle, to);
    }
    void link(int id) { pub.request_cancel(nodes.at(id)); }
    void withdraw(int id) { cancel(id, core::cancel_state::withdrawal_requested); }
    void cancel(int id, core::cancel_state to = core::cancel_state::requested) {
        REQUIRE(request(id, to));
        link(id);
        pub.cancel_requested(now);
        deliver();
    }

    /// As the producer's `cancel` does; not drained.
    void submit_cancel() {
        struct everything : core::node {
            harness* owner = nullptr;
        };
        auto* const n = new everything;
        n->owner = this;
        n->kind = core::node_kind::cancel;
        n->finish = [](core::node* base, bool invoke) {
            CHECK_FALSE(invoke);
            --static_cast<everything*>(base)->owner->alive;
            delete static_cast<everything*>(base);
        };
        ++alive;
        CHECK(pub.submit(n) != core::accumulator::pushed::closed);
    }
    void cancel_before() {
        submit_cancel();
        drain();
    }

    void drain() {
        pub.drain(now);
        deliver();
    }
    void deliver() {
        core::node_list done = pub.take_finished();
        while (core::node* n = done.pop_front()) n->finish(n, true);
    }
    void advance(core::instant by) {
        now += by;
        pub.drain(now);
        pub.cancel_requested(now);
        pub.expire(now);
        deliver();
    }

    // --- the socket

    core::publisher::announcement open(std::string_view surplus = {}) {
        CHECK_FALSE(pub.renew_keys());
        const auto said = pub.announce();
        pub.opened(web::as_bytes(surplus), compression(web::ws_role::client));
        server_.emplace(web::ws_role::server, nullptr, web::ws_options(), compression(web::ws_role::server));
        deliver();
        return said;
    }
    void lose(errc cause = errc::connection_closed) {
        pub.lost(sluice::make_failure(cause, "the cable"));
        server_.reset();
        deliver();
    }
    core::publisher::announcement reopen() {
        lose();
        return open();
    }
    /// What the driver does once nothing is in flight.
    core::publisher::announcement renumber() {
        CHECK(pub.wants_reopen());
        pub.lost(failure{errc::aborted, nullptr});
        server_.reset();
        return open();
    }

    /// One `encode`, read by the server. Control frames are counted.
    std::vector<seen_frame> write() {
        std::vector<seen_frame> frames;
        const web::bytes_view batch = pub.encode();
        last_write = batch.size();
        if (!batch.empty()) server_->feed(batch);
        for (;;) {
            using kind = web::ws_connection::event::kind;
            const auto e = server_->next();
            if (e.what == kind::none) break;
            REQUIRE(e.what != kind::error);
            if (e.what == kind::text && web::as_text(e.data) == sluice::pulsar::encryption_probe)
                ++probes;
            else if (e.what == kind::text)
                frames.push_back(read_frame(web::as_text(e.data)));
            if (e.what == kind::ping) ++pings;
            if (e.what == kind::pong) pongs.emplace_back(web::as_text(e.data));
            if (e.what == kind::close) close_code = e.close_code;
        }
        deliver();
        return frames;
    }
    /// Until there is nothing to write.
    std::vector<seen_frame> write_all() {
        std::vector<seen_frame> all;
        do {
            for (seen_frame& f : write()) all.push_back(std::move(f));
        } while (last_write != 0);
        return all;
    }
    std::vector<std::uint64_t> write_contexts() {
        std::vector<std::uint64_t> contexts;
        for (const seen_frame& f : write_all()) contexts.push_back(f.context);
        return contexts;
    }
    std::string write_payloads() {
        std::string all;
        for (const seen_frame& f : write_all()) all += (all.empty() ? "" : " ") + f.payload;
        return all;
    }

    failure receive(std::string_view bytes) {
        std::span<std::byte> room = pub.prepare(bytes.size());
        REQUIRE(room.size() >= bytes.size());
        if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
        const failure f = pub.received(bytes.size(), now);
        deliver();
        return f;
    }
    failure say(std::string_view text) { return receive(server_frame(text)); }
    /// By the server that reads: compressed, where that is agreed on.
    failure answer(std::string_view text) {
        REQUIRE(server_->send(web::opcode::text, web::as_bytes(text)));
        const std::string bytes(web::as_text(server_->output()));
        server_->consume_output(bytes.size());
        return receive(bytes);
    }
    void ack(std::uint64_t context) { CHECK(!say(ok_text(context))); }
    failure refuse(std::uint64_t context, std::string_view exception) {
        return say(refusal_text(context, pulsar_error(exception)));
    }

    // --- what became of it

    bool done(int id) const { return results.count(id) != 0; }
    const completion& of(int id) const {
        REQUIRE(done(id));
        return results.at(id);
    }
    bool is(int id, std::error_code code, outcome o) const {
        return done(id) && results.at(id).invoked && results.at(id).error.code == code &&
               results.at(id).receipt.outcome == o;
    }
    bool persisted(int id) const { return is(id, {}, outcome::persisted); }
    bool aborted(int id, outcome o) const { return is(id, errc::aborted, o); }
    /// A marker that completed without an error.
    bool passed(int id) const { return done(id) && results.at(id).invoked && !results.at(id).error; }

    int next_id() const { return next_id_; } ///< of the next node

    std::optional<web::deflate_parameters> deflate{}; ///< what the next socket's upgrade agrees on
    std::size_t last_write = 0;
    int pings = 0;
    int probes = 0; ///< whether the server takes encrypted messages
    int close_code = 0;
    std::vector<std::string> pongs{};

private:
    std::unique_ptr<web::message_compression> compression(web::ws_role role) const {
        return deflate ? std::make_unique<web::ws_deflate>(role, *deflate) : nullptr;
    }

    int next_id_ = 0;
    std::optional<web::ws_connection> server_{};
};

using contexts = std::vector<std::uint64_t>;
using ids = std::vector<int>;

inline sluice::message with_timeout(std::string payload, std::chrono::milliseconds limit) {
    sluice::message m(std::move(payload));
    m.send_timeout = limit;
    return m;
}

} // namespace test
