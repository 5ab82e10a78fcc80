// SPDX-License-Identifier: BSL-1.0
// How a deep backlog is cut into writes.
#include "harness.hpp"

namespace {

using namespace test;

std::vector<std::size_t> writes_of(harness& h) {
    std::vector<std::size_t> sizes;
    for (auto frames = h.write(); !frames.empty(); frames = h.write()) sizes.push_back(frames.size());
    return sizes;
}

producer_options window_of(int messages) {
    producer_options o;
    o.max_pending_messages = messages;
    return o;
}

TEST_CASE("publisher: a deep backlog goes by thirds of the window, and what is not deep in one write") {
    harness deep(window_of(300));
    deep.send_many(300);
    deep.open();
    CHECK(writes_of(deep) == std::vector<std::size_t>{100, 100, 100}); // the last one is what is left
    for (std::uint64_t context = 0; context < 300; ++context) deep.ack(context);
    deep.send_many(185);
    CHECK(writes_of(deep) == std::vector<std::size_t>{185});

    harness small(window_of(90));
    small.send_many(90);
    small.open();
    CHECK(writes_of(small) == std::vector<std::size_t>{64, 26});
}

TEST_CASE("publisher: a deep backlog of which hardly any fits leaves nothing behind a write of nothing") {
    sluice::pulsar::message_encoder encoder;
    producer_options o = window_of(300);
    o.max_frame_bytes = 256;
    harness h(o);
    sluice::message edge(""); // fits with a context of one digit
    edge.key = "";
    edge.key->append(256 - encoder.text_size(edge, 0), 'k');
    ids sent;
    for (int i = 0; i < 300; ++i) sent.push_back(h.send(edge));
    h.open();
    CHECK(h.write().size() == 10);
    CHECK(h.pub.waiting() == 0);
    for (std::size_t i = 10; i < 300; ++i) CHECK(h.is(sent[i], errc::too_large, outcome::not_sent));
}

} // namespace
