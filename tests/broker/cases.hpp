// SPDX-License-Identifier: BSL-1.0
// The conformance cases: what the library relies on, and what the gateway promises, shown on whatever server the target
// is. They run unchanged against the gateway and against real Pulsars.
#pragma once

#include "target.hpp"

#include <vector>

namespace conformance {

struct test_case {
    const char* name;
    void (*run)(target&); ///< returns: passed; throws `skipped`, `not_set_up`, or anything else: failed
};

// Publishing
std::vector<test_case> message_cases();       ///< what is sent is what is stored
std::vector<test_case> option_cases();        ///< what the proxy reads of the query
std::vector<test_case> answer_cases();        ///< what a message is answered with, whatever it says
std::vector<test_case> refusal_cases();       ///< what the upgrade is refused with, and what the library makes of it
std::vector<test_case> upgrade_cases();       ///< what the upgrade says and hears beside that
std::vector<test_case> frame_cases();         ///< frames, sizes, closing
std::vector<test_case> volume_cases();        ///< order over many messages
std::vector<test_case> reconnect_cases();     ///< the same over a connection that is cut
std::vector<test_case> deduplication_cases(); ///< the rules of effectively-once, each by itself
std::vector<test_case> process_cases();       ///< a broker or a proxy that is killed, or freezes
std::vector<test_case> compression_cases();   ///< on the socket and at the broker
std::vector<test_case> encryption_cases();    ///< what the client encrypts itself
std::vector<test_case> quota_cases();         ///< a backlog that is full
std::vector<test_case> limit_cases();         ///< limits of the server, set low

// Receiving
std::vector<test_case> consumer_cases();         ///< what a consumer is sent, and what it answers
std::vector<test_case> subscription_cases();     ///< who of several consumers gets what
std::vector<test_case> redelivery_cases();       ///< what is delivered again, and when
std::vector<test_case> reader_cases();           ///< where readers start, and how they go on
std::vector<test_case> receiver_refusal_cases(); ///< what consumers and readers are refused with

} // namespace conformance
