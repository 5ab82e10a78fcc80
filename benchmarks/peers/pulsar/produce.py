# SPDX-License-Identifier: BSL-1.0
# Apache Pulsar's official C++ client, driven from Python: its wheel is how it comes without building it. Another protocol
# than all the others here (Pulsar's binary one, batched by the client), shown as what it is; and the
# calls into it and back cost Python's time.
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))

import pulsar

from measurement import Measurement, arguments, make_payload


def main():
    options = arguments("pulsar://127.0.0.1:6650")
    logger = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    client = pulsar.Client(options.url, tls_trust_certs_file_path=options.ca or None, logger=logger)
    producer = client.create_producer(
        "persistent://public/default/benchmark-binary", max_pending_messages=options.window,
        block_if_queue_full=True, batching_enabled=True, batching_max_publish_delay_ms=1)
    payload, measured = make_payload(options.payload), Measurement(options)
    room = threading.Semaphore(options.window)
    failed = []

    def answered(sent):
        def on_result(result, _):
            if result != pulsar.Result.Ok:
                failed.append(result)
            measured.add(sent)  # one thread of the client's calls all
            room.release()
        return on_result

    number = 0
    while measured.phase != "over" and not failed:
        room.acquire()
        number += 1
        producer.send_async(payload, answered(measured.now() if number % measured.stride == 0 else None))
    producer.flush()
    client.close()
    if failed:
        raise SystemExit(f"not acknowledged: {failed[0]}")
    print(measured.line("pulsar C++ client from Python, binary, batched", options.url.startswith("pulsar+ssl")))


main()
