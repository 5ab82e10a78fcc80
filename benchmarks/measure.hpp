// SPDX-License-Identifier: BSL-1.0
// What the benchmark programs share: arguments, clocks, and the measured stretch of a run with its one line of JSON.
#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using clock = std::chrono::steady_clock;
using nanoseconds = std::chrono::nanoseconds;

[[noreturn]] inline void fail(const std::string& text) {
    std::fprintf(stderr, "%s\n", text.c_str());
    std::exit(2);
}

/// CPU time of the whole process, user and kernel.
inline nanoseconds cpu_time(clockid_t of = CLOCK_PROCESS_CPUTIME_ID) noexcept {
    timespec t{};
    ::clock_gettime(of, &t);
    return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}
/// Of this thread.
inline nanoseconds thread_cpu_time() noexcept { return cpu_time(CLOCK_THREAD_CPUTIME_ID); }

/// `--name value` pairs of the given names, and `--tls`; anything else ends the program.
class arguments {
public:
    arguments(int argc, char** argv, const std::vector<std::string_view>& names) {
        for (int i = 1; i < argc; ++i) {
            const std::string_view word = argv[i];
            const bool known = word.starts_with("--") && std::ranges::find(names, word.substr(2)) != names.end();
            if (known && word == "--tls") {
                values_["tls"] = "yes";
                continue;
            }
            if (known && i + 1 < argc) {
                values_[std::string(word.substr(2))] = argv[++i];
                continue;
            }
            std::string usage = std::string(word) + ": usage:";
            for (const std::string_view name : names)
                usage.append(" [--").append(name).append(name == "tls" ? "]" : " VALUE]");
            fail(usage);
        }
    }

    std::string text(const std::string& name, const std::string& otherwise) const {
        const auto found = values_.find(name);
        return found == values_.end() ? otherwise : found->second;
    }

    std::uint64_t number(const std::string& name, std::uint64_t otherwise, std::uint64_t low,
                         std::uint64_t high) const {
        const auto found = values_.find(name);
        if (found == values_.end()) return otherwise;
        const std::string& value = found->second;
        std::uint64_t n = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), n);
        if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size() || n < low || n > high)
            fail("--" + name + " " + value + ": allowed is " + std::to_string(low) + " to " + std::to_string(high));
        return n;
    }

private:
    std::map<std::string, std::string> values_;
};

/// Durations in buckets that are at most 1/32 wide.
class histogram {
public:
    void add(nanoseconds duration, std::uint64_t times = 1) noexcept {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
        counts_[bucket(ns)] += times;
        total_ += times;
    }

    /// In microseconds: the upper end of the bucket that holds the quantile. 0 if nothing was added.
    double quantile(double q) const noexcept {
        const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > wanted) return static_cast<double>(upper_end(i)) / 1000.0;
        }
        return 0.0;
    }

private:
    static constexpr unsigned fine = 5; // 2^5 buckets for each power of two

    static std::size_t bucket(std::uint64_t ns) noexcept {
        const auto width = static_cast<unsigned>(std::bit_width(ns));
        if (width <= fine + 1) return static_cast<std::size_t>(ns);
        const unsigned shift = width - fine - 1;
        return (std::size_t{shift} << fine) + static_cast<std::size_t>(ns >> shift);
    }
    static std::uint64_t upper_end(std::size_t i) noexcept {
        if (i < (std::size_t{2} << fine)) return i;
        const auto shift = static_cast<unsigned>(i >> fine) - 1;
        return ((i - (std::size_t{shift} << fine)) + 1) << shift;
    }

    std::array<std::uint64_t, (64 - fine + 1) << fine> counts_{};
    std::uint64_t total_ = 0;
};

/// What every client is told. A run is a warm-up of a tenth, then `messages` acknowledgements or `seconds`, whichever
/// is reached first; neither the warm-up nor the drain at the end is in the numbers.
struct run_options {
    static std::vector<std::string_view> names() {
        return {"url", "tls", "ca", "messages", "window", "payload", "seconds"};
    }

    explicit run_options(const arguments& a)
        : url(with_scheme(a.text("url", "http://127.0.0.1:8080"), a.text("tls", "") == "yes")),
          ca(a.text("ca", "")),
          messages(a.number("messages", 0, 0, UINT64_MAX / 2)),
          window(static_cast<std::size_t>(a.number("window", 1000, 1, 1'000'000))),
          payload(static_cast<std::size_t>(a.number("payload", 100, 0, 700'000))),
          seconds(std::chrono::seconds(a.number("seconds", messages == 0 ? 3 : 3600, 1, 86'400))) {}

    bool tls() const noexcept { return url.starts_with("https://") || url.starts_with("wss://"); }

    std::string url;
    std::string ca;         ///< PEM file of the certificates to trust, with https and wss
    std::uint64_t messages; ///< 0: as many as `seconds` allow
    std::size_t window;     ///< written and unacknowledged at most
    std::size_t payload;    ///< bytes of one message, before base64
    nanoseconds seconds;

private:
    /// `--tls` makes https of http, and wss of ws.
    static std::string with_scheme(std::string url, bool tls) {
        for (const std::string_view plain : {"http://", "ws://"})
            if (tls && url.starts_with(plain)) url.insert(plain.size() - 3, "s");
        return url;
    }
};

/// Counts acknowledgements, and keeps the time, the CPU and whatever else is counted of the measured stretch. One
/// thread.
class measurement {
public:
    explicit measurement(const run_options& options) : options_(options), start_(clock::now()) {}

    /// Further messages are to be sent.
    bool running() const noexcept { return phase_ != over; }

    /// True for some of the messages, evenly spread, whose latency is worth the two looks at the clock.
    bool sample() noexcept {
        if (--until_sample_ != 0) return false;
        until_sample_ = stride();
        return true;
    }
    /// Not inlined, like `look`: both are for one message in many, and all would carry their registers.
    [[gnu::noinline]] void latency(clock::time_point sent, clock::time_point now, std::uint64_t times = 1) noexcept {
        if (phase_ == measuring) latencies_.add(now - sent, times);
    }

    void acknowledged(std::uint64_t n = 1) {
        acknowledged_ += n;
        if (acknowledged_ >= next_look_) look();
    }

    std::uint64_t messages() const noexcept { return end_.messages - begin_.messages; }
    /// Messages a second.
    double rate() const noexcept {
        const double seconds = std::chrono::duration<double>(end_.time - begin_.time).count();
        return seconds > 0 ? std::max(1.0, static_cast<double>(messages())) / seconds : 0.0;
    }

    /// The common members of the line; `more` is appended: `,"name":value`.
    void print(const std::string& mode, const std::string& more = {}) const {
        const double count = std::max(1.0, static_cast<double>(messages()));
        std::printf("{\"mode\":\"%s\",\"tls\":%d,\"payload\":%zu,\"window\":%zu,\"messages\":%llu,"
                    "\"msgs_per_s\":%.0f,\"cpu_ns_per_msg\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f%s}\n",
                    mode.c_str(), options_.tls() ? 1 : 0, options_.payload, options_.window,
                    static_cast<unsigned long long>(messages()), rate(),
                    static_cast<double>((end_.cpu - begin_.cpu).count()) / count, latencies_.quantile(0.5),
                    latencies_.quantile(0.99), latencies_.quantile(0.999), more.c_str());
    }

    /// Called at the first and at the last message of the measured stretch.
    std::function<void()> on_edge{};

private:
    enum phase { warming, measuring, over };
    struct edge {
        clock::time_point time{};
        nanoseconds cpu{};
        std::uint64_t messages = 0;
    };

    std::uint64_t stride() const noexcept { return std::max<std::uint64_t>(1, options_.window / 16); }

    // The clock is looked at once in many messages, for the sake of the fast clients.
    [[gnu::noinline]] void look() {
        next_look_ = acknowledged_ + std::max<std::uint64_t>(1, options_.window / 8);
        const auto now = clock::now();
        const bool warm = phase_ == warming;
        const std::uint64_t messages = warm ? options_.messages / 10 : options_.messages;
        const nanoseconds seconds = warm ? options_.seconds / 10 : options_.seconds;
        const edge& since = warm ? none_ : begin_;
        const auto from = warm ? start_ : begin_.time;
        const bool enough = options_.messages != 0 && acknowledged_ - since.messages >= messages;
        if (phase_ == over || (!enough && now - from < seconds)) return;
        if (on_edge) on_edge();
        edge& reached = warm ? begin_ : end_;
        reached = {now, cpu_time(), acknowledged_};
        phase_ = warm ? measuring : over;
    }

    const run_options& options_;
    clock::time_point start_;
    phase phase_ = warming;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t next_look_ = 0;
    std::uint64_t until_sample_ = 1;
    edge none_{}, begin_{}, end_{};
    histogram latencies_;
};

} // namespace bench
