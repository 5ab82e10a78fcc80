// SPDX-License-Identifier: BSL-1.0
// Schedules on every core: processes that take one seed after the other. A seed at which one dies, or from which it
// does not come back, is told like one that fails.
#pragma once

#include "../heap.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace simulation {

/// Over all schedules.
struct totals {
    std::uint64_t done = 0, failed = 0, first_failed = 0;
    std::uint64_t messages = 0, faults = 0, persisted = 0, lines = 0, steps = 0;
};

struct assignment {
    std::uint64_t first = 1, count = 0;
    bool stop = false; ///< no more seeds once one has failed
    unsigned jobs = 1;
};

class crew {
public:
    explicit crew(assignment a) : assignment_(a) {
        assignment_.jobs = std::clamp(assignment_.jobs, 1u, static_cast<unsigned>(most_workers));
        void* const memory = mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        board_ = ::new (memory) board;
        board_->next = assignment_.first;
        board_->first_failed = nobody;
    }
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew() { munmap(board_, sizeof(board)); }

    totals work() {
        sigset_t news; // a worker has ended, or a second has passed
        sigemptyset(&news);
        sigaddset(&news, SIGCHLD);
        sigaddset(&news, SIGALRM);
        sigprocmask(SIG_BLOCK, &news, nullptr);
        alarm_every(1);
        for (unsigned i = 0; i < assignment_.jobs; ++i) hire(i);
        while (std::any_of(workers_.begin(), workers_.end(), [](const worker& w) { return w.id != 0; })) {
            int which = 0;
            sigwait(&news, &which);
            for (unsigned i = 0; i < workers_.size(); ++i) look_after(i);
            tell_progress();
        }
        alarm_every(0);
        totals t;
        t.done = board_->done;
        t.failed = board_->failed;
        t.first_failed = board_->first_failed;
        t.messages = board_->messages;
        t.faults = board_->faults;
        t.persisted = board_->persisted;
        t.lines = board_->lines;
        t.steps = board_->steps;
        return t;
    }

private:
    using clock = std::chrono::steady_clock;
    static constexpr std::size_t most_workers = 64;
    static constexpr std::uint64_t nobody = ~std::uint64_t{0};
    static constexpr std::uint64_t shown = 20;
    static constexpr std::chrono::seconds patience{120}, between_lines{10};

    /// In memory that the processes share.
    struct board {
        std::atomic<std::uint64_t> next{}, done{}, failed{}, first_failed{};
        std::atomic<std::uint64_t> messages{}, faults{}, persisted{}, lines{}, steps{};
        std::array<std::atomic<std::uint64_t>, most_workers> at{}; ///< the seed that each is at
    };
    struct worker {
        pid_t id = 0;
        std::uint64_t seen = nobody; ///< the seed that it was at, since
        clock::time_point since{};
    };

    void hire(unsigned i) {
        std::fflush(nullptr);
        board_->at[i] = nobody;
        employer_ = getpid();
        const pid_t id = fork();
        if (id < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (id == 0) {
            leave_with_the_employer();
            serve(i);
            std::fflush(nullptr);
            _exit(0);
        }
        workers_[i] = {id, nobody, clock::now()};
    }

    /// However the process that has forked this one comes to its end, this one follows it: once a second it looks
    /// whether it has another parent now, in the middle of a schedule too, and in one that never ends.
    static void leave_with_the_employer() {
        struct sigaction look{};
        look.sa_handler = [](int) {
            if (getppid() != employer_) _exit(1);
        };
        look.sa_flags = SA_RESTART;
        sigaction(SIGALRM, &look, nullptr);
        sigset_t alarms;
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
        alarm_every(1); // a child inherits no timer
    }
    /// SIGALRM; 0: no more.
    static void alarm_every(time_t seconds) {
        const itimerval each{{seconds, 0}, {seconds, 0}};
        setitimer(ITIMER_REAL, &each, nullptr);
    }

    /// A worker's life.
    void serve(unsigned i) {
        const std::uint64_t end = assignment_.first + assignment_.count;
        while (!assignment_.stop || board_->failed == 0) {
            const std::uint64_t seed = board_->next.fetch_add(1);
            if (seed >= end) return;
            board_->at[i] = seed;
            // To ask the allocator takes as long as a schedule: some are weighed.
            const bool weighed = seed % 64 == 0;
            const std::size_t before = weighed ? heap_in_use() : 0;
            const report r = simulate(seed);
            board_->messages += r.messages;
            board_->faults += r.faults;
            board_->persisted += r.persisted;
            board_->lines += r.lines;
            board_->steps += r.steps;
            if (!r.violations.empty())
                fail(seed, r.violations.front());
            else if (weighed && heap_in_use() > before && leaks(seed))
                fail(seed, "it leaves more of the heap in use each time");
            ++board_->done;
            board_->at[i] = nobody;
        }
    }
    void fail(std::uint64_t seed, const std::string& why) {
        std::uint64_t first = board_->first_failed;
        while (seed < first && !board_->first_failed.compare_exchange_weak(first, seed)) {}
        if (board_->failed++ >= shown) return;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), why.c_str());
        std::fflush(stdout);
    }

    void look_after(unsigned i) {
        worker& w = workers_[i];
        if (w.id == 0) return;
        const std::uint64_t at = board_->at[i];
        if (at != w.seen) {
            w.seen = at;
            w.since = clock::now();
        }
        const bool stuck = at != nobody && clock::now() - w.since > patience;
        if (stuck) kill(w.id, SIGKILL);
        int status = 0;
        if (waitpid(w.id, &status, stuck ? 0 : WNOHANG) != w.id) return;
        w.id = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
        const std::uint64_t seed = board_->at[i];
        if (seed == nobody) throw std::runtime_error("a worker died between two schedules");
        fail(seed, stuck ? "no end after " + std::to_string(patience.count()) + " s"
                         : "the process died, status " + std::to_string(status));
        ++board_->done;
        hire(i); // goes on with the next seed
    }

    /// On a terminal the same line again and again, in a log a line now and then.
    void tell_progress() {
        const auto now = clock::now();
        if (now - told_ < (terminal_ ? std::chrono::seconds(1) : between_lines)) return;
        told_ = now;
        const std::uint64_t done = board_->done;
        const double seconds = std::chrono::duration<double>(now - begun_).count();
        const double rate = static_cast<double>(done) / seconds;
        const double left = rate > 0 ? static_cast<double>(assignment_.count - done) / rate : 0;
        std::fprintf(stderr, "%s%llu of %llu schedules, %llu failed, %.0f/s, %.0f s to go%s",
                     terminal_ ? "\r\033[K" : "", static_cast<unsigned long long>(done),
                     static_cast<unsigned long long>(assignment_.count),
                     static_cast<unsigned long long>(board_->failed), rate, left,
                     terminal_ && done != assignment_.count ? "" : "\n");
    }

    inline static pid_t employer_ = 0; ///< for the signal's handler

    assignment assignment_;
    board* board_ = nullptr;
    std::array<worker, most_workers> workers_{};
    const clock::time_point begun_ = clock::now();
    clock::time_point told_ = begun_;
    const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

} // namespace simulation
