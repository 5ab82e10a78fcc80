// SPDX-License-Identifier: BSL-1.0
// Runs schedules by the thousand, on every core, or one with its history.
//   simulate N                 the seeds 1 to N
//   simulate N --first S       the seeds S to S + N - 1
//   simulate --seed S          that one, with its history
//   --jobs J                   processes; as many as there are cores
//   --stop                     no more seeds once one has failed
#include "crew.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace {

struct arguments {
    std::uint64_t count = 0, first = 1, seed = 0, jobs = 0;
    bool seeded = false, stop = false;
};

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

int many(const arguments& a) {
    const auto begin = std::chrono::steady_clock::now();
    simulation::crew crew({a.first, a.count, a.stop, static_cast<unsigned>(a.jobs)});
    const simulation::totals t = crew.work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (t.failed != 0)
        std::printf("the first to fail: %llu; its history: tests/run simulate --seed %llu\n",
                    static_cast<unsigned long long>(t.first_failed), static_cast<unsigned long long>(t.first_failed));
    const auto done = static_cast<double>(t.done == 0 ? 1 : t.done);
    const auto each = [done](std::uint64_t n) { return static_cast<double>(n) / done; };
    std::printf("%.0f schedules/s in %.0f s; each with %.1f messages (%.1f acknowledged), %.1f faults, "
                "%.1f connections, %.0f steps\n",
                static_cast<double>(t.done) / seconds, seconds, each(t.messages), each(t.persisted), each(t.faults),
                each(t.lines), each(t.steps));
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(t.done - t.failed),
                static_cast<unsigned long long>(t.failed));
    return t.failed == 0 ? 0 : 1;
}

bool number(const char* text, std::uint64_t& out) {
    char* end = nullptr;
    out = std::strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0';
}

bool read(int argc, char** argv, arguments& out) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--stop") {
            out.stop = true;
            continue;
        }
        std::uint64_t* value = &out.count;
        if (name == "--seed") {
            value = &out.seed;
            out.seeded = true;
        }
        if (name == "--first") value = &out.first;
        if (name == "--jobs") value = &out.jobs;
        if (value != &out.count && ++i == argc) return false;
        if (!number(argv[i], *value)) return false;
    }
    return out.count != 0 || out.seeded;
}

} // namespace

int main(int argc, char** argv) {
    arguments a;
    if (!read(argc, argv, a)) {
        std::fprintf(stderr, "simulate N [--first S] [--jobs J] [--stop], or simulate --seed S\n");
        return 2;
    }
    if (a.count == 0) return one(a.seed);
    if (a.seeded) a.first = a.seed;
    if (a.jobs == 0) a.jobs = std::max(1u, std::thread::hardware_concurrency());
    return many(a);
}
