// SPDX-License-Identifier: BSL-1.0
// The contract against a model of the proxy and the broker: seeded sends, cuts at any byte, lost and overtaking
// answers, refusals, cancellations and time-outs, with and without deduplication.
#include "harness.hpp"

#include <algorithm>
#include <random>

namespace {

using namespace test;

/// A topic that drops repeats, if deduplication is on for it.
struct topic {
    bool deduplicate = false;
    std::int64_t last = 0;
    std::vector<int> stored{}; ///< the messages' ids
    std::map<int, int> times{};

    bool store(int id, std::int64_t number) {
        if (deduplicate && number <= last) return false;
        last = number;
        stored.push_back(id);
        ++times[id];
        return true;
    }
};

/// One socket at the proxy: bytes of the client in, answers out.
class proxy {
public:
    proxy(topic& t, const core::publisher::announcement& said)
        : topic_(t), number_(said.initial_sequence_id.value_or(t.last) + 1), batching_(said.batching) {}

    /// Reads n bytes of what the client has written.
    template <class Random>
    void read(std::size_t n, Random& random, unsigned refusals) {
        socket_.feed(web::as_bytes(in.substr(0, n)));
        in.erase(0, n);
        std::vector<std::pair<seen_frame, std::int64_t>> batch;
        for (;;) {
            const auto e = socket_.next();
            using kind = web::ws_connection::event::kind;
            if (e.what == kind::none) break;
            REQUIRE(e.what == kind::text);
            const seen_frame f = read_frame(web::as_text(e.data));
            REQUIRE((!last_context_ || f.context > *last_context_));
            last_context_ = f.context;
            if (dead_) continue;
            if (random() % 1000 < refusals) {
                static constexpr const char* kinds[] = {"ProducerQueueIsFullError", "InvalidMessageException",
                                                        "NotAllowedException", "TimeoutException"};
                const std::size_t what = random() % 4;
                if (what == 3) { // all that are pending fail, and may be stored all the same; nothing comes after
                    batch.emplace_back(f, number_++);
                    const std::size_t stored = random() % (batch.size() + 1);
                    for (std::size_t i = 0; i < batch.size(); ++i) {
                        if (i < stored) topic_.store(std::stoi(batch[i].first.payload), batch[i].second);
                        out += server_frame(refusal_text(batch[i].first.context, pulsar_error(kinds[what])));
                    }
                    batch.clear();
                    dead_ = topic_.deduplicate; // else each would be a repeat of its own
                    continue;
                }
                if (what != 0 && random() % 2 == 0) ++number_;                           // some refusals take a number
                out += server_frame(refusal_text(f.context, pulsar_error(kinds[what]))); // overtakes the batch
                continue;
            }
            batch.emplace_back(f, number_++);
        }
        if (!batching_) {
            for (const auto& [f, number] : batch) answer(f, topic_.store(std::stoi(f.payload), number));
        } else if (!batch.empty()) { // judged by its first number
            const bool fresh = !topic_.deduplicate || batch.front().second > topic_.last;
            for (const auto& [f, number] : batch) answer(f, fresh && topic_.store(std::stoi(f.payload), number));
        }
    }

    std::string in{}, out{};

private:
    void answer(const seen_frame& f, bool stored) {
        out += server_frame(stored ? ok_text(f.context) : repeat_text(f.context));
    }

    topic& topic_;
    std::int64_t number_;
    bool batching_;
    bool dead_ = false;
    std::optional<std::uint64_t> last_context_{};
    web::ws_connection socket_{web::ws_connection::role::server, nullptr};
};

struct world {
    explicit world(unsigned seed, bool deduplicate)
        : random(seed), options(make_options(random, deduplicate)), h(options, 5000) {
        broker.deduplicate = deduplicate;
    }

    static producer_options make_options(std::mt19937& random, bool deduplicate) {
        producer_options o;
        o.deduplicate = deduplicate;
        o.producer_name = deduplicate ? "p" : "";
        o.batching_enabled = random() % 2 == 0;
        o.max_pending_messages = 1 + static_cast<int>(random() % 12);
        o.max_pending_bytes = 1024;
        o.batching_max_bytes = 4096;
        o.send_timeout = random() % 4 == 0 ? 0s : 20s;
        return o;
    }

    std::size_t below(std::size_t n) { return random() % n; }

    // --- the client's side

    void send() {
        sluice::message m(std::to_string(h.next_id()) + std::string(below(10) == 0 ? 300 : below(60), ' '));
        if (below(10) == 0) m.send_timeout = std::chrono::milliseconds(1 + below(2000));
        sent.push_back(h.send(std::move(m), below(2) == 0));
    }
    void flush() {
        const std::size_t before = sent.size();
        flushes.emplace_back(h.mark(core::node_kind::flush), before);
    }
    void cancel() {
        if (h.nodes.empty()) return;
        auto it = h.nodes.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(below(h.nodes.size())));
        const int id = it->first;
        if (!it->second->cancellable || !h.request(id)) return;
        if (below(2) == 0) receive(1 + below(200)); // the strand may meet the answer before the link
        h.link(id);
        h.pub.cancel_requested(h.now);
        h.deliver();
    }
    void write() {
        const web::bytes_view batch = h.pub.encode();
        if (!batch.empty()) {
            REQUIRE(socket);
            socket->in += web::as_text(batch);
        }
        h.deliver();
        REQUIRE(h.pub.numbers().snapshot().pending_messages <= static_cast<unsigned>(options.max_pending_messages));
    }
    void receive(std::size_t n) {
        if (!socket || socket->out.empty()) return;
        n = std::min(n, socket->out.size());
        const std::string bytes = socket->out.substr(0, n);
        socket->out.erase(0, n);
        if (h.receive(bytes)) cut();
    }
    void open() { socket.emplace(broker, h.open()); }
    /// The client is gone; of what it has written the proxy reads some, and its answers reach nobody. Refusals do: one
    /// that is lost with the connection leaves the numbering unknown, and no client can know.
    void cut() {
        if (!socket) return;
        if (refusals != 0 && !socket->out.empty()) {
            const std::string bytes = std::exchange(socket->out, {});
            h.receive(bytes);
        }
        socket->read(below(socket->in.size() + 1), random, 0);
        socket.reset();
        h.lose();
    }
    void reopen_if_wanted() {
        if (!socket || !h.pub.wants_reopen()) return;
        REQUIRE(socket->in.empty());
        h.pub.lost(failure{errc::aborted, nullptr});
        h.deliver();
        open();
    }

    void step() {
        switch (below(12)) {
        case 0:
        case 1:
        case 2:
            for (std::size_t i = below(6); i > 0; --i) send();
            break;
        case 3:
        case 4:
        case 5: write(); break;
        case 6:
        case 7:
            if (socket) socket->read(below(socket->in.size() + 1), random, refusals);
            break;
        case 8: receive(1 + below(300)); break;
        case 9:
            if (below(4) == 0) cancel();
            if (below(8) == 0) flush();
            break;
        case 10:
            if (!socket)
                open();
            else if (below(6) == 0)
                cut();
            break;
        default:
            if (below(10) == 0) h.advance(std::chrono::milliseconds(below(3000)));
            if (below(400) == 0) h.cancel_before();
            h.deliver();
        }
        reopen_if_wanted();
        check_flushes();
    }

    /// No more faults: everything is to be answered.
    void settle() {
        refusals = 0;
        if (!socket) open();
        for (int i = 0; i < 10'000 && !h.pub.drained(); ++i) {
            write();
            if (socket) socket->read(socket->in.size(), random, refusals);
            receive(1'000'000);
            if (!socket) open();
            reopen_if_wanted();
        }
        REQUIRE(h.pub.drained());
        check_flushes();
    }

    // --- what must hold

    void check_flushes() {
        std::erase_if(flushes, [&](const auto& f) {
            if (!h.done(f.first)) return false;
            for (std::size_t i = 0; i < f.second; ++i) REQUIRE(h.done(sent[i]));
            return true;
        });
    }
    void check() {
        CHECK(flushes.empty());
        for (const int id : sent) {
            CAPTURE(id);
            REQUIRE(h.done(id));
            const completion& c = h.of(id);
            const auto it = broker.times.find(id);
            const int times = it == broker.times.end() ? 0 : it->second;
            if (broker.deduplicate) REQUIRE(times <= 1);
            CAPTURE(to_string(c.receipt.outcome));
            CAPTURE(c.error.code.message());
            REQUIRE(c.error.code != errc::sequence_in_use);
            switch (c.receipt.outcome) {
            case outcome::persisted: REQUIRE(times >= 1); break;
            case outcome::duplicate: REQUIRE(times == 1); break;
            case outcome::rejected:
            case outcome::not_sent: REQUIRE(times == 0); break;
            case outcome::maybe_persisted: REQUIRE(c.error); break;
            }
            REQUIRE(static_cast<bool>(c.error) ==
                    (c.receipt.outcome != outcome::persisted && c.receipt.outcome != outcome::duplicate));
        }
        if (refused) return; // and stored by a later attempt, behind others
        std::set<int> seen;
        int newest = -1; // the first copies are in the order of the sends
        for (const int id : broker.stored) {
            if (!seen.insert(id).second) continue;
            REQUIRE(id > newest);
            newest = id;
        }
    }

    std::mt19937 random;
    producer_options options;
    topic broker{};
    harness h;
    std::optional<proxy> socket{};
    unsigned refusals = 0; ///< of a thousand frames
    bool refused = false;
    ids sent{};
    std::vector<std::pair<int, std::size_t>> flushes{};
};

void run(unsigned seeds, bool deduplicate, unsigned refusals) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        CAPTURE(deduplicate);
        CAPTURE(refusals);
        world w(seed, deduplicate);
        w.refusals = refusals;
        w.refused = refusals != 0;
        for (int i = 0; i < 400; ++i) w.step();
        w.settle();
        w.check();
    }
}

TEST_CASE("model: cuts, cancellations and time-outs") { run(150, false, 0); }
TEST_CASE("model: and refusals") { run(150, false, 30); }
TEST_CASE("model: deduplicate: stored once, none mistaken for a repeat") { run(300, true, 0); }
TEST_CASE("model: deduplicate: and refusals that take a number or not") { run(300, true, 30); }

} // namespace
