// SPDX-License-Identifier: BSL-1.0
// Runs schedules by the thousand, or one with its trace.
//   simulate N            the seeds 1 to N
//   simulate --seed S     that one, with its trace
//   simulate N --seed S   the seeds S to S + N - 1
#include "../run.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

int one(std::uint64_t seed) {
    const simulation::report r = simulation::simulate(seed, true);
    std::fputs(r.trace.c_str(), stdout);
    for (const std::string& v : r.violations)
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), v.c_str());
    std::printf("%zu messages, %zu faults, %llu steps\n", r.messages, r.faults,
                static_cast<unsigned long long>(r.steps));
    std::printf("%d passed, %d failed\n", r.violations.empty(), !r.violations.empty());
    return r.violations.empty() ? 0 : 1;
}

int many(std::uint64_t first, std::uint64_t count) {
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t messages = 0, faults = 0, persisted = 0, lines = 0, steps = 0, failed = 0;
    constexpr std::uint64_t shown = 20;
    for (std::uint64_t seed = first; seed != first + count; ++seed) {
        const simulation::report r = simulation::simulate(seed);
        messages += r.messages;
        faults += r.faults;
        persisted += r.persisted;
        lines += r.lines;
        steps += r.steps;
        if (r.violations.empty()) continue;
        if (failed++ >= shown) continue;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), r.violations.front().c_str());
        std::fflush(stdout);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto each = [count](std::uint64_t n) { return static_cast<double>(n) / static_cast<double>(count); };
    if (failed != 0) std::printf("to replay one with its trace: tests/run simulate --seed SEED\n");
    std::printf(
        "%.0f schedules/s; each with %.1f messages (%.1f acknowledged), %.1f faults, %.1f connections, %.0f steps\n",
        static_cast<double>(count) / seconds, each(messages), each(persisted), each(faults), each(lines), each(steps));
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(count - failed),
                static_cast<unsigned long long>(failed));
    return failed == 0 ? 0 : 1;
}

bool number(const char* text, std::uint64_t& out) {
    char* end = nullptr;
    out = std::strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0';
}

} // namespace

int main(int argc, char** argv) {
    std::uint64_t count = 0, seed = 0;
    bool seeded = false;
    for (int i = 1; i < argc; ++i) {
        const bool option = std::string_view(argv[i]) == "--seed";
        if (option && i + 1 == argc) return 2;
        if (!number(option ? argv[++i] : argv[i], option ? seed : count)) {
            std::fprintf(stderr, "simulate [N] [--seed S]\n");
            return 2;
        }
        seeded = seeded || option;
    }
    if (count == 0) return seeded ? one(seed) : 2;
    return many(seeded ? seed : 1, count);
}
