// SPDX-License-Identifier: BSL-1.0
// The vendor's JavaScript SDK against the gateway. Usage: jsc8.js HOST:PORT API_KEY
"use strict";
const jsc8 = require("jsc8");
const assert = require("assert");

const [host, apiKey] = process.argv.slice(2);
let passed = 0, failed = 0;

async function row(name, body) {
    try {
        await body();
        ++passed;
        console.log(`ok       jsc8  ${name}`);
    } catch (e) {
        ++failed;
        console.log(`NOT ok   jsc8  ${name}: ${(e && e.message) || e}`);
    }
}

/// What a socket receives, one by one.
function inbox(socket) {
    const waiting = [], there = [];
    const put = (item) => (waiting.length ? waiting.shift()(item) : there.push(item));
    socket.on("message", (data) => put(JSON.parse(data.toString())));
    socket.on("error", (e) => put(e));
    socket.on("close", (code) => put(new Error(`closed with ${code}`)));
    return async () => {
        const item = there.length ? there.shift() : await new Promise((resolve) => waiting.push(resolve));
        if (item instanceof Error) throw item;
        return item;
    };
}
const opened = (socket) =>
    new Promise((resolve, reject) => {
        socket.on("open", resolve);
        socket.on("error", reject);
    });
const text = (message) => Buffer.from(message.payload, "base64").toString();
const names = (list) => (list.result || list).map((stream) => stream.topic);

async function main() {
    const client = new jsc8({ url: `https://${host}`, apiKey, fabricName: "_system" });
    // A name of a data centre, as `tags.url` says it.
    const region = host;

    for (const local of [false, true]) {
        const scope = local ? "local" : "global";
        const prefix = local ? "c8locals." : "c8globals.";
        const name = `js-${scope}`;
        const stream = client.stream(name, local);

        await row(`${scope}: create a stream, twice`, async () => {
            const made = await client.createStream(name, local);
            assert.strictEqual((made.result || made)["stream-id"], prefix + name);
            await assert.rejects(client.createStream(name, local), (e) => (e.statusCode || e.code) === 409);
        });
        await row(`${scope}: list streams, has a stream`, async () => {
            assert.ok(names(await client.getStreams(!local)).includes(prefix + name));
            assert.strictEqual(await client.hasStream(name, local), true);
            assert.strictEqual(await client.hasStream("nobody", local), false);
        });

        let consumer, next;
        await row(`${scope}: open a consumer with a one-time password`, async () => {
            const otp = await stream.getOtp();
            consumer = stream.consumer("sub", region, { otp });
            next = inbox(consumer);
            await opened(consumer);
        });
        await row(`${scope}: a one-time password opens one socket`, async () => {
            const otp = await stream.getOtp();
            const first = stream.producer(region, { otp });
            await opened(first);
            first.terminate();
            await assert.rejects(opened(stream.producer(region, { otp })), /401/);
        });

        let producer, answer;
        await row(`${scope}: open a producer with all its options`, async () => {
            const otp = await stream.getOtp();
            producer = stream.producer(region, {
                otp,
                sendTimeoutMillis: 30000,
                batchingEnabled: true,
                batchingMaxMessages: 100,
                maxPendingMessages: 1000,
                batchingMaxPublishDelay: 10,
                compressionType: "LZ4",
                producerName: `js-${scope}-producer`,
            });
            answer = inbox(producer);
            await opened(producer);
        });
        await row(`${scope}: produce 100 messages, each is acknowledged with its context`, async () => {
            for (let i = 0; i < 100; ++i)
                producer.send(
                    JSON.stringify({
                        payload: Buffer.from(`message ${i}`).toString("base64"),
                        properties: { number: String(i) },
                        context: String(i),
                        key: `key ${i % 3}`,
                    })
                );
            for (let i = 0; i < 100; ++i) {
                const ack = await answer();
                assert.strictEqual(ack.result, "ok");
                assert.strictEqual(ack.context, String(i));
                assert.ok(ack.messageId);
            }
        });
        await row(`${scope}: consume them in order, acknowledging each`, async () => {
            for (let i = 0; i < 100; ++i) {
                const message = await next();
                assert.strictEqual(text(message), `message ${i}`);
                assert.deepStrictEqual(message.properties, { number: String(i) });
                assert.strictEqual(message.key, `key ${i % 3}`);
                consumer.send(JSON.stringify({ messageId: message.messageId }));
            }
        });
        await row(`${scope}: publish over REST, and consume it`, async () => {
            const published = await stream.publishMessage("over REST");
            assert.ok(!published.error);
            const message = await next();
            assert.strictEqual(text(message), "over REST");
            consumer.send(JSON.stringify({ messageId: message.messageId }));
        });
        await row(`${scope}: subscriptions and statistics`, async () => {
            const subscriptions = await stream.getSubscriptionList();
            assert.ok(JSON.stringify(subscriptions.result).includes("sub"));
            const stats = (await stream.getStreamStatistics()).result;
            assert.strictEqual((typeof stats === "string" ? JSON.parse(stats) : stats).msgInCounter, 101);
        });
        await row(`${scope}: a backlog grows while nobody reads, and is cleared`, async () => {
            consumer.terminate();
            producer.send(JSON.stringify({ payload: "YmFja2xvZw==", context: "b" }));
            assert.strictEqual((await answer()).result, "ok");
            assert.ok((await stream.backlog()).result);
            await stream.clearSubscriptionBacklog("sub");
            await stream.clearBacklog();
        });
        await row(`${scope}: time to live, expiry, delete a subscription`, async () => {
            await stream.setMessageTtl(3600);
            assert.ok(!(await stream.getMessageTtl()).error);
            await stream.expireMessages(3600);
            await stream.deleteSubscriptions("sub");
            assert.ok(!JSON.stringify((await stream.getSubscriptionList()).result).includes("sub"));
        });
        await row(`${scope}: delete the stream`, async () => {
            producer.terminate();
            await stream.deleteStream(true);
            assert.strictEqual(await client.hasStream(name, local), false);
        });
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
}

main().catch((e) => {
    console.log(`NOT ok   jsc8: ${(e && e.stack) || e}`);
    console.log(`${passed} passed, ${failed + 1} failed`);
    process.exit(1);
});
