# SPDX-License-Identifier: BSL-1.0
# The peer of Python: websocket-client, the release that the vendor's pyC8 is pinned to. See ../README.md.
import base64
import http.client
import json
import ssl
import urllib.parse

import websocket

from measurement import Measurement, arguments, make_payload


def one_time_password(url, tls):
    if tls is None:
        connection = http.client.HTTPConnection(url.hostname, url.port)
    else:
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=tls)
    connection.request("POST", "/apid/otp", headers={"Authorization": "apikey _mm.benchmark.secret"})
    otp = json.loads(connection.getresponse().read())["otp"]
    connection.close()
    return otp


def main():
    options = arguments("http://127.0.0.1:8080")
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
            sent[str(context)] = measured.now() if context % measured.stride == 0 else None
            socket.send(json.dumps({"payload": base64.b64encode(payload).decode(), "context": str(context)}))
        answer = json.loads(socket.recv())
        if answer["result"] != "ok":
            raise RuntimeError(answer)
        measured.add(sent.pop(answer["context"]))
    socket.close()
    print(measured.line("python websocket-client", tls is not None))


main()
