// SPDX-License-Identifier: BSL-1.0
// The peer of Node.js: `ws`. See ../README.md.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");
const WebSocket = require("ws");

const options = { url: "http://127.0.0.1:8080", ca: "", messages: 0, seconds: 3, window: 1000, payload: 100 };
for (let i = 2; i + 1 < process.argv.length; i += 2) {
    const name = process.argv[i].slice(2);
    if (!(name in options)) throw new Error(`unknown argument ${process.argv[i]}`);
    options[name] = typeof options[name] === "number" ? Number(process.argv[i + 1]) : process.argv[i + 1];
}
if (options.messages) options.seconds = 3600;

const url = new URL(options.url);
const tls = url.protocol === "https:" || url.protocol === "wss:";
const gdn = url.protocol.startsWith("http");
const trust = options.ca ? { ca: fs.readFileSync(options.ca) } : {};

function oneTimePassword() {
    return new Promise((resolve, reject) => {
        const headers = { Authorization: "apikey _mm.benchmark.secret" };
        const request = (tls ? https : http).request(
            new URL("/apid/otp", options.url),
            { method: "POST", headers, agent: false, ...trust },
            (response) => {
                let text = "";
                response.on("data", (part) => (text += part));
                response.on("end", () => resolve(JSON.parse(text).otp));
            }
        );
        request.on("error", reject);
        request.end();
    });
}

function makePayload(size) {
    const bytes = Buffer.alloc(size);
    let state = 1;
    for (let i = 0; i < size; ++i) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        bytes[i] = state >>> 24;
    }
    return bytes;
}

async function main() {
    const path = gdn
        ? "/_ws/ws/v2/producer/persistent/_mm/c8global._system/c8globals.benchmark?otp=" + (await oneTimePassword())
        : "/ws/v2/producer/persistent/public/default/benchmark";
    const socket = new WebSocket((tls ? "wss://" : "ws://") + url.host + path, { perMessageDeflate: false, ...trust });
    const payload = makePayload(options.payload);
    const sent = new Map(); // context -> when, of some; else 0
    const stride = Math.max(1, Math.floor(options.window / 16)); // of the latencies that are sampled
    const between = Math.max(1, Math.floor(options.window / 8)); // two looks at the clock
    const latencies = [];
    let context = 0, acknowledged = 0, phase = "warming";
    let begin, end, warmFrom;

    const edge = () => {
        const cpu = process.cpuUsage();
        return { time: process.hrtime.bigint(), cpu: cpu.user + cpu.system, messages: acknowledged };
    };
    function look() {
        const warm = phase === "warming";
        const since = warm ? warmFrom : begin;
        const share = warm ? 0.1 : 1;
        const enough = options.messages && acknowledged - since.messages >= options.messages * share;
        const now = process.hrtime.bigint();
        if (phase === "over" || (!enough && Number(now - since.time) < options.seconds * share * 1e9)) return;
        if (warm) begin = edge();
        else end = edge();
        phase = warm ? "measuring" : "over";
    }
    function refill() {
        while (phase !== "over" && sent.size < options.window) {
            sent.set(++context, context % stride === 0 ? process.hrtime.bigint() : 0);
            socket.send(JSON.stringify({ payload: payload.toString("base64"), context: String(context) }));
        }
        if (phase === "over" && sent.size === 0) socket.close(1000);
    }

    socket.on("open", () => {
        warmFrom = edge();
        refill();
    });
    socket.on("message", (data) => {
        const answer = JSON.parse(data);
        const number = Number(answer.context);
        const when = sent.get(number);
        if (answer.result !== "ok" || when === undefined) throw new Error(`not an acknowledgement: ${data}`);
        sent.delete(number);
        ++acknowledged;
        if (when && phase === "measuring") latencies.push(Number(process.hrtime.bigint() - when) / 1000);
        if (acknowledged % between === 0) look();
        refill();
    });
    socket.on("error", (e) => {
        throw e;
    });
    socket.on("close", () => {
        if (phase !== "over" || sent.size) throw new Error("the server closed the connection");
        const messages = end.messages - begin.messages;
        latencies.sort((a, b) => a - b);
        const quantile = (q) => +(latencies[Math.floor(q * latencies.length)] || 0).toFixed(1);
        console.log(
            JSON.stringify({
                mode: "node ws",
                tls: tls ? 1 : 0,
                payload: options.payload,
                window: options.window,
                messages,
                msgs_per_s: Math.round((messages * 1e9) / Number(end.time - begin.time)),
                cpu_ns_per_msg: +(((end.cpu - begin.cpu) * 1000) / messages).toFixed(1),
                p50_us: quantile(0.5),
                p99_us: quantile(0.99),
                p999_us: quantile(0.999),
            })
        );
    });
}
main();
