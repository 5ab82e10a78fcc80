# SPDX-License-Identifier: BSL-1.0
# The peer of Python: websocket-client, the release that the vendor's pyC8 is pinned to. See ../README.md.
import argparse
import base64
import http.client
import json
import ssl
import time
import urllib.parse

import websocket


def make_payload(size):
    state, out = 1, bytearray()
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def one_time_password(url, tls):
    if tls is None:
        connection = http.client.HTTPConnection(url.hostname, url.port)
    else:
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=tls)
    connection.request("POST", "/apid/otp", headers={"Authorization": "apikey _mm.benchmark.secret"})
    otp = json.loads(connection.getresponse().read())["otp"]
    connection.close()
    return otp


class Measurement:
    """Of the stretch after the warm-up: time, CPU, messages, latencies."""

    def __init__(self, options):
        self.options, self.phase, self.acknowledged = options, "warming", 0
        self.since, self.latencies = self.edge(), []
        self.stride = max(1, options.window // 64)

    def edge(self):
        return time.perf_counter(), time.process_time(), self.acknowledged

    def add(self, sent):
        self.acknowledged += 1
        if sent and self.phase == "measuring":
            self.latencies.append((time.perf_counter() - sent) * 1e6)
        if self.acknowledged % self.stride == 0:
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

    def line(self, tls):
        seconds, cpu, messages = (b - a for a, b in zip(self.since, self.until))
        self.latencies.sort()

        def quantile(q):
            return round(self.latencies[int(q * len(self.latencies))], 1) if self.latencies else 0

        return json.dumps({
            "mode": "python websocket-client", "tls": int(tls), "payload": self.options.payload,
            "window": self.options.window, "messages": messages, "msgs_per_s": round(messages / seconds),
            "cpu_ns_per_msg": round(cpu * 1e9 / messages, 1), "p50_us": quantile(0.5), "p99_us": quantile(0.99),
            "p999_us": quantile(0.999)}, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--ca", default="")
    for name, value in (("messages", 0), ("seconds", 3), ("window", 1000), ("payload", 100)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    if options.messages:
        options.seconds = 3600

    url = urllib.parse.urlsplit(options.url)
    tls = ssl.create_default_context(cafile=options.ca or None) if url.scheme in ("https", "wss") else None
    if url.scheme.startswith("http"):
        path = ("/_ws/ws/v2/producer/persistent/_mm/c8global._system/c8globals.benchmark?otp="
                + one_time_password(url, tls))
    else:
        path = "/ws/v2/producer/persistent/public/default/benchmark"
    socket = websocket.create_connection(
        ("ws" if tls is None else "wss") + "://" + url.netloc + path,
        sslopt={} if tls is None else {"ca_certs": options.ca})

    payload, sent, context = make_payload(options.payload), {}, 0
    measured = Measurement(options)
    while measured.phase != "over" or sent:
        while measured.phase != "over" and len(sent) < options.window:
            context += 1
            sent[str(context)] = time.perf_counter() if context % measured.stride == 0 else None
            socket.send(json.dumps({"payload": base64.b64encode(payload).decode(), "context": str(context)}))
        answer = json.loads(socket.recv())
        if answer["result"] != "ok":
            raise RuntimeError(answer)
        measured.add(sent.pop(answer["context"]))
    socket.close()
    print(measured.line(tls is not None))


main()
