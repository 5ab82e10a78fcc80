// SPDX-License-Identifier: BSL-1.0
// permessage-deflate against a server that nobody here wrote: 02_produce and npm's ws, with each of its options.
//   node deflate.js PRODUCE
'use strict';
const {spawn} = require('child_process');
const {WebSocketServer} = require('ws');

const produce = process.argv[2];
// Each gets shorter by itself too, for where none may refer to those before it.
const lines = Array.from({length: 3000}, (_, i) => JSON.stringify({id: i, note: `it repeats ${i % 7}, `.repeat(20)}));
const offered = lines.reduce((n, line) => n + line.length, 0) * 4 / 3;

// Serves one run of the program; what it said, and what arrived.
function run(deflate, when) {
    return new Promise((resolve, reject) => {
        const seen = {payloads: [], extensions: '', bytes: 0};
        const server = new WebSocketServer({host: '127.0.0.1', port: 0, perMessageDeflate: deflate}, () => {
            const url = `ws://127.0.0.1:${server.address().port}`;
            const child = spawn(produce, ['--url', url, '--stream', 't', '--no-create', '--deflate', when]);
            child.on('error', reject);
            child.stderr.on('data', (text) => { seen.said = (seen.said || '') + text; });
            child.on('close', (status) => {
                seen.status = status;
                for (const socket of server.clients) socket.terminate();
                server.close(() => setImmediate(resolve, seen));
            });
            child.stdin.on('error', () => {}); // it may end before it has read all
            child.stdin.end(lines.join('\n') + '\n');
        });
        server.on('connection', (socket, request) => {
            seen.extensions = socket.extensions;
            socket.on('close', () => { seen.bytes += request.socket.bytesRead; });
            let n = 0;
            socket.on('message', (data) => {
                const message = JSON.parse(data);
                seen.payloads.push(Buffer.from(message.payload, 'base64').toString());
                socket.send(JSON.stringify({result: 'ok', messageId: `CAQQ${n++}`, context: message.context, errorCode: 0}));
            });
        });
        server.on('error', reject);
    });
}

function check(holds, what) {
    if (!holds) throw new Error(what);
}
function arrived(seen) {
    check(seen.status === 0, `status ${seen.status}: ${seen.said}`);
    check(JSON.stringify(seen.payloads) === JSON.stringify(lines), `${seen.payloads.length} other messages`);
}

const all = {threshold: 0};
const cases = [
    ['all defaults', all, []],
    ['nothing of its is below the threshold', {}, []],
    ['server_no_context_takeover', {...all, serverNoContextTakeover: true}, ['server_no_context_takeover']],
    ['client_no_context_takeover', {...all, clientNoContextTakeover: true}, ['client_no_context_takeover']],
    ['server_max_window_bits', {...all, serverMaxWindowBits: 9}, ['server_max_window_bits']],
    ['client_max_window_bits', {...all, clientMaxWindowBits: 10}, ['client_max_window_bits']],
].map(([name, options, parameters]) => [name, async () => {
    const seen = await run(options, 'on');
    arrived(seen);
    check(seen.extensions === 'permessage-deflate', `extensions ${seen.extensions}`);
    check(seen.bytes * 2 < offered, `${seen.bytes} bytes of ${offered}`);
    return `${seen.bytes} bytes for ${Math.round(offered)}`;
}]);
cases.push(['declined: auto', async () => {
    const seen = await run(false, 'auto');
    arrived(seen);
    check(seen.extensions === '' && seen.bytes > offered, `${seen.extensions}, ${seen.bytes} bytes of ${offered}`);
}]);
cases.push(['declined: on', async () => {
    const seen = await run(false, 'on');
    check(seen.status === 1 && seen.said.includes('permessage-deflate'), `status ${seen.status}: ${seen.said}`);
    check(seen.payloads.length === 0, `${seen.payloads.length} messages`);
}]);

(async () => {
    let passed = 0, failed = 0;
    for (const [name, body] of cases) {
        try {
            const note = await body();
            console.log(`ok       ws  ${name}${note ? ': ' + note : ''}`);
            ++passed;
        } catch (error) {
            console.log(`NOT ok   ws  ${name}: ${error.message}`);
            ++failed;
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
})();
