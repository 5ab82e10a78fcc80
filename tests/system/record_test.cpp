// SPDX-License-Identifier: BSL-1.0
// The gateway program's record: each stored message is one line, once, in order, whatever the topic keeps of them.
#include "support/temporary_file.hpp"
#include "world.hpp"

#include "../../examples/support/record.hpp"

#include <sluice/producer.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace test;

TEST_CASE("twenty thousand messages are recorded once each, in order, though the topic keeps a hundred") {
    constexpr std::size_t count = 20'000;
    temporary_file file;
    sluice::testing::gateway_options options;
    options.proxy.max_messages_per_topic = 100;
    world w(options);
    sluice::client client = w.make_client();
    sluice::producer producer(client, "ticks");
    std::vector<std::string> payloads;
    for (std::size_t i = 0; i < count; ++i) payloads.push_back(std::to_string(i));
    {
        tool::recorder recorder(w.gateway, file.path);
        const std::vector<sluice::result> results = run(w.context, producer.send_all(payloads));
        for (const sluice::result& r : results) REQUIRE_FALSE(r.ec);
        recorder.flush();
        const auto lines = file.lines();
        REQUIRE(lines.size() == count);
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(
                lines[i].starts_with(R"({"topic":"persistent://demo/c8global._system/c8globals.ticks","messageId":")" +
                                     std::string(results[i].value.message_id.view()) + '"'));
            REQUIRE(lines[i].find(R"("payload":")" + payloads[i] + '"') != std::string::npos);
        }
    }
    CHECK(w.gateway.messages("ticks").size() == 100);
    CHECK(w.gateway.message_count("ticks") == count);
    run(w.context, producer.send("behind")); // nobody records any more
    CHECK(file.lines().size() == count);
}

TEST_CASE("a record that cannot be written is told") {
    world w;
    CHECK_THROWS_AS(tool::recorder(w.gateway, "/nowhere/at/all"), std::runtime_error);
}

} // namespace
