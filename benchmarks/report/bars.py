# SPDX-License-Identifier: BSL-1.0
"""The bars: what must be reached, and whether it is."""
import statistics
from dataclasses import dataclass

HEAD = ["", "bar", "median", "its rounds", ""]


@dataclass
class Bar:
    what: str
    bar: float
    rounds: list  # what was measured in each; empty: nothing was
    at_most: bool = False
    form: str = "{:.2f}"

    @property
    def reached(self):
        # What is shown is what is compared: a bar of 0 allocations is not missed by one in a thousand messages.
        shown = float(self.form.format(statistics.median(self.rounds)))
        return shown <= self.bar if self.at_most else shown >= self.bar

    def cells(self):
        side = "at most" if self.at_most else "at least"
        bar = f"{side} {self.form.format(self.bar)}"
        if not self.rounds:
            return [self.what, bar, "-", "-", "not measured"]
        least, median, most = (self.form.format(f(self.rounds)) for f in (min, statistics.median, max))
        return [self.what, bar, median, least if least == most else f"{least} to {most}",
                "reached" if self.reached else "not reached"]


def measured(bars):
    """All of them, or none where this run was about something else."""
    return bars if any(bar.rounds for bar in bars) else []


def throughput(r):
    if r.server:  # another machine's limits: only what is compared with `limit` says something
        rate = {"payload": 100, "window": 1000}
        return measured([Bar(f"`send` / limit, {r.server}", 0.9,
                             r.ratios("msgs_per_s", {"mode": "send", **rate}, {"mode": "limit", **rate}))])
    plain, tls = {"tls": 0, "payload": 100, "window": 1000}, {"tls": 1, "payload": 100, "window": 1000}

    def rate(row, above, below):
        return r.ratios("msgs_per_s", {"mode": above, **row}, {"mode": below, **row})

    def cpu(peer, ours):
        return r.ratios("cpu_ns_per_msg", {"mode": peer, **plain}, {"mode": ours, **plain})

    bars = [
        Bar("`send` / Beast", 20, rate(plain, "send", "beast"), form="{:.1f}"),
        Bar("`send` / Node `ws`", 28, rate(plain, "send", "node ws"), form="{:.1f}"),
        Bar("`send` / limit", 0.5, rate(plain, "send", "limit")),
        Bar("`send_all` / limit", 0.75, rate(plain, "send_all", "limit")),
        Bar("`async_send`, plain handler / limit", 0.75, rate(plain, "async_send", "limit")),
        Bar("CPU a message, Beast / `send`", 22, cpu("beast", "send"), form="{:.1f}"),
        Bar("CPU a message, Rust `tungstenite` / `send`", 1.4, cpu("rust tungstenite", "send")),
        Bar("CPU a message, Rust `tungstenite` / `send_all`", 2, cpu("rust tungstenite", "send_all")),
        Bar("TLS: `send` / limit", 0.5, rate(tls, "send", "limit")),
        Bar("TLS: `send` / Beast", 15, rate(tls, "send", "beast"), form="{:.1f}"),
        Bar("TLS: `send` / Node `ws`", 7, rate(tls, "send", "node ws"), form="{:.1f}"),
    ]
    for size, name, bar in ((1024, "1 KiB", 0.55), (16384, "16 KiB", 0.6), (65536, "64 KiB", 0.6)):
        row = {"tls": 0, "payload": size, "window": 200}
        bars.append(Bar(f"`send_all` of {name}, window 200 / limit", bar, rate(row, "send_all", "limit")))
    for mode, bar in (("async_send", 0), ("send_all", 0), ("push", 0), ("send", 1)):
        value = r.values("allocs_per_msg", mode=mode, **plain)
        bars.append(Bar(f"allocations a message, `{mode}`", bar, value, at_most=True))
    return measured(bars)


def broker(r):
    return measured([Bar("a real Pulsar: `send` / limit", 0.9,
                         r.ratios("msgs_per_s", {"mode": "send"}, {"mode": "limit"}))])


def latency(r):
    row = {"tls": 0, "payload": 100, "window": 1}
    value = r.ratios("p50_us", {"mode": "send", **row}, {"mode": "limit", **row})
    bar = Bar("one in flight: median latency, `send` / limit", 1.15, value, at_most=True)
    return [] if r.server else measured([bar])


def threads(r):
    value = r.ratios("msgs_per_s", {"threads": 8}, {"threads": 1})
    return measured([Bar("8 threads that `push` / 1 thread, each thread's order checked", 0.5, value)])


def connect(r):
    # A round trip takes 50 ms and a bit: whole ones are counted.
    return measured([
        Bar("TLS: round trips to the first acknowledgement, new", 5, r.values("cold_round_trips", tls=1), True,
            "{:.0f}"),
        Bar("the same, after a lost connection", 4, r.values("after_drop_round_trips", tls=1), True, "{:.0f}"),
    ])


def memory(r):
    return measured([
        Bar("bytes of an idle open producer, plain, before its first message", 16384, r.values("heap_bytes", tls=0),
            True, "{:.0f}"),
        Bar("the same, after messages", 16384, r.values("heap_bytes_after_messages", tls=0), True, "{:.0f}"),
        Bar("producers open and answered in one process", 10000, r.values("producers", tls=0), False, "{:.0f}"),
    ])


def compile_(r):
    bars = []
    for level in ("-O0", "-O2"):
        for member, name in (("cpu_seconds", "time"), ("peak_mib", "peak memory")):
            value = r.ratios(member, {"mode": "sluice", "level": level}, {"mode": "beast", "level": level})
            bars.append(Bar(f"compile {name} {level}, README's first program / Beast over TLS", 0.5, value, True))
    return measured(bars)


def compression(r):
    unpacked = {"compression": "NONE", "compress_at": "broker", "batch": 1000}
    packed = {"compression": "ZSTD", "compress_at": "packed", "batch": 1000}
    bars = [Bar("bytes on the wire at batch 1000, neither / packed ZSTD", 8,
                r.ratios("bytes_per_msg", {**unpacked, "deflate": "off"}, packed))]
    for level, name in ((0, "deflate"), (1, "deflate at level 1")):
        value = r.ratios("cpu_ns_per_msg", {**unpacked, "deflate": "on", "level": level}, packed)
        bars.append(Bar(f"client CPU at batch 1000, {name} / packed ZSTD", 1, value))
    return measured(bars)


OF_PART = {"throughput": throughput, "latency": latency, "threads": threads, "connect": connect, "memory": memory,
           "compile": compile_, "compression": compression, "broker": broker}
