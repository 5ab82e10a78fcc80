// SPDX-License-Identifier: BSL-1.0
// The real producer and all that is simulated around it, compiled once.
#include "../run.hpp"

namespace simulation {

report simulate(const schedule& s, bool tracing) { return run(s, tracing)(); }

} // namespace simulation
