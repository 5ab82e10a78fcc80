// SPDX-License-Identifier: BSL-1.0
// The conformance cases: what the library relies on, shown on whatever server the target is. They run unchanged against
// the gateway and against a real Pulsar.
#pragma once

#include "target.hpp"

#include <vector>

namespace conformance {

struct test_case {
    const char* name;
    void (*run)(target&); ///< returns: passed; throws `skipped`, or anything else: failed
};

std::vector<test_case> message_cases();   ///< what is sent is what is stored
std::vector<test_case> option_cases();    ///< what the proxy reads of the query
std::vector<test_case> refusal_cases();   ///< what the upgrade is refused with, and what the library makes of it
std::vector<test_case> answer_cases();    ///< what a message is answered with, whatever it says
std::vector<test_case> frame_cases();     ///< frames, sizes, closing
std::vector<test_case> volume_cases();    ///< order over many messages
std::vector<test_case> reconnect_cases(); ///< the same over a connection that is cut

} // namespace conformance
