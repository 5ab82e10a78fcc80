# SPDX-License-Identifier: BSL-1.0
# permessage-deflate against a server that nobody here wrote: 02_produce and Python's websockets, with each of its options.
#   python deflate.py PRODUCE
import asyncio
import base64
import json
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

produce = sys.argv[1]
lines = [json.dumps({"id": i, "kind": "order.created", "note": f"n{i % 7}"}) for i in range(3000)]


async def run(factory):
    payloads, parameters = [], []

    async def answer(socket):
        parameters.extend(repr(e) for e in socket.protocol.extensions)
        async for text in socket:
            message = json.loads(text)
            payloads.append(base64.b64decode(message["payload"]).decode())
            await socket.send(json.dumps({"result": "ok", "messageId": f"CAQQ{len(payloads)}",
                                          "context": message["context"], "errorCode": 0}))

    async with serve(answer, "127.0.0.1", 0, compression=None, extensions=[factory]) as server:
        port = server.sockets[0].getsockname()[1]
        program = await asyncio.create_subprocess_exec(
            produce, "--url", f"ws://127.0.0.1:{port}", "--stream", "t", "--no-create", "--deflate", "on",
            stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        _, said = await program.communicate(("\n".join(lines) + "\n").encode())
    assert program.returncode == 0, said.decode()
    assert payloads == lines, f"{len(payloads)} other messages"
    assert len(parameters) == 1, f"extensions: {parameters}"
    return parameters[0]


options = {
    "all defaults": {},
    "server_no_context_takeover": {"server_no_context_takeover": True},
    "client_no_context_takeover": {"client_no_context_takeover": True},
    "server_max_window_bits": {"server_max_window_bits": 9},
    "client_max_window_bits": {"client_max_window_bits": 9},
    "everything small": {"server_no_context_takeover": True, "client_no_context_takeover": True,
                         "server_max_window_bits": 9, "client_max_window_bits": 9},
}
passed = failed = 0
for name, chosen in options.items():
    try:
        agreed = asyncio.run(run(ServerPerMessageDeflateFactory(**chosen)))
        print(f"ok       websockets  {name}: {agreed}")
        passed += 1
    except Exception as error:
        print(f"NOT ok   websockets  {name}: {error!r}")
        failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
