# SPDX-License-Identifier: BSL-1.0
# What the peers in Python share: arguments, the payload, and the measured stretch with its line of JSON.
import argparse
import json
import time


def arguments(default_url):
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default=default_url)
    parser.add_argument("--ca", default="")
    for name, value in (("messages", 0), ("seconds", 3), ("window", 1000), ("payload", 100)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    if options.messages:
        options.seconds = 3600
    return options


def make_payload(size):
    state, out = 1, bytearray()
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


class Measurement:
    """Of the stretch after the warm-up: time, CPU, messages, latencies."""

    def __init__(self, options):
        self.options, self.phase, self.acknowledged = options, "warming", 0
        self.since, self.latencies = self.edge(), []
        self.stride = max(1, options.window // 16)  # of the latencies that are sampled
        self.between = max(1, options.window // 8)  # two looks at the clock

    @staticmethod
    def now():
        return time.perf_counter()

    def edge(self):
        return time.perf_counter(), time.process_time(), self.acknowledged

    def add(self, sent):
        self.acknowledged += 1
        if sent and self.phase == "measuring":
            self.latencies.append((time.perf_counter() - sent) * 1e6)
        if self.acknowledged % self.between == 0:
            self.look()

    def look(self):
        share = 0.1 if self.phase == "warming" else 1.0
        now = self.edge()
        enough = self.options.messages and now[2] - self.since[2] >= self.options.messages * share
        if self.phase == "over" or (not enough and now[0] - self.since[0] < self.options.seconds * share):
            return
        if self.phase == "warming":
            self.since, self.phase = now, "measuring"
        else:
            self.until, self.phase = now, "over"

    def line(self, mode, tls):
        seconds, cpu, messages = (b - a for a, b in zip(self.since, self.until))
        self.latencies.sort()

        def quantile(q):
            return round(self.latencies[int(q * len(self.latencies))], 1) if self.latencies else 0

        return json.dumps({
            "mode": mode, "tls": int(tls), "payload": self.options.payload,
            "window": self.options.window, "messages": messages, "msgs_per_s": round(messages / seconds),
            "cpu_ns_per_msg": round(cpu * 1e9 / messages, 1), "p50_us": quantile(0.5), "p99_us": quantile(0.99),
            "p999_us": quantile(0.999)}, separators=(",", ":"))
