# SPDX-License-Identifier: BSL-1.0
"""Tables of what was measured, as plain text and as Markdown."""


def text_table(head, rows):
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths)))
                     for line in [head, *rows])


def markdown_table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value, form="{:.1f}"):
    return "-" if value is None else form.format(value)


def rates(r):
    """One table for each row of payload, window and TLS."""
    for tls, payload, window in r.keys("tls", "payload", "window"):
        row = {"tls": tls, "payload": payload, "window": window}
        body = []
        for (mode,) in r.keys("mode"):
            rate = r.median("msgs_per_s", mode=mode, **row)
            if rate is None:
                continue

            def shown(member, form="{:.1f}", mode=mode):
                return number(r.median(member, mode=mode, **row), form)

            def times(peer, mode=mode):
                return number(r.ratio("msgs_per_s", {"mode": mode, **row}, {"mode": peer, **row}), "{:.2f}")

            body.append([mode, f"{rate:.0f}", shown("cpu_ns_per_msg"), shown("p50_us"), shown("p99_us"),
                         shown("p999_us"), shown("allocs_per_msg", "{:.4f}"), shown("bytes_per_msg"),
                         shown("writes_per_1000"), times("beast"), times("limit")])
        title = f"payload {payload} bytes, window {window}, {'TLS' if tls else 'plain'}"
        yield (title, ["", "msg/s", "CPU ns/msg", "p50 us", "p99 us", "p999 us", "allocs/msg", "bytes/msg",
                       "writes/1000", "x beast", "x limit"], body)


def threads(r):
    body = []
    for (n,) in r.keys("threads"):
        rate = r.median("msgs_per_s", threads=n)
        body.append([str(n), f"{rate:.0f}", number(r.median("cpu_ns_per_msg", threads=n)),
                     number(r.median("p50_us", threads=n)), number(r.median("p99_us", threads=n)),
                     number(r.ratio("msgs_per_s", {"threads": n}, {"threads": 1}), "{:.2f}")])
    yield "push by N threads on one producer", ["threads", "msg/s", "CPU ns/msg", "p50 us", "p99 us", "x 1 thread"], body


def connect(r):
    body = [["TLS" if tls else "plain", number(r.median("cold_ms", tls=tls)),
             number(r.median("cold_round_trips", tls=tls), "{:.2f}"), number(r.median("after_drop_ms", tls=tls)),
             number(r.median("after_drop_round_trips", tls=tls), "{:.2f}")] for (tls,) in r.keys("tls")]
    yield ("to the first acknowledgement, 50 ms away", ["", "new: ms", "round trips", "after a loss: ms", "round trips"],
           body)


def memory(r):
    body = [["TLS" if tls else "plain", number(r.median("producers", tls=tls), "{:.0f}"),
             number(r.median("heap_bytes", tls=tls), "{:.0f}"),
             number(r.median("heap_bytes_after_messages", tls=tls), "{:.0f}"),
             number(r.median("resident_bytes", tls=tls), "{:.0f}"), number(r.median("open_files", tls=tls), "{:.0f}")]
            for (tls,) in r.keys("tls")]
    yield ("an idle open producer, bytes", ["", "producers", "heap", "heap, after a message", "resident",
                                            "open files allowed"], body)


def compile_(r):
    body = [[f"{mode} {level}", *(number(r.median(m, mode=mode, level=level)) for m in
                                  ("seconds", "cpu_seconds", "peak_mib", "object_kib"))]
            for level, mode in r.keys("level", "mode")]
    head = ["", "seconds", "CPU seconds", "peak MiB", "object KiB"]
    yield "README's first program, and the Beast peer over TLS", head, body


def compression(r):
    """Where it is compressed and by what, against the batch."""
    batches = [batch for (batch,) in r.keys("batch")]
    for title, member in (("bytes on the wire for each message", "bytes_per_msg"),
                          ("client CPU for each message, ns", "cpu_ns_per_msg"),
                          ("longest stall of the producer's thread, us", "stall_us")):
        body = []
        for place, deflate, codec, level in r.keys("compress_at", "deflate", "compression", "level"):
            row = {"compress_at": place, "deflate": deflate, "compression": codec, "level": level}
            if deflate == "on":
                name = f"socket, level {level}" if level else "socket"
            else:
                name = f"{place.replace('_', ' ')}, {codec}"
            body.append([name, *(number(r.median(member, batch=b, **row)) for b in batches)])
        yield title + ", by batch", ["", *(str(b) for b in batches)], body


OF_PART = {"throughput": rates, "latency": rates, "gateway": rates, "broker": rates, "threads": threads,
           "connect": connect, "memory": memory, "compile": compile_, "compression": compression}
