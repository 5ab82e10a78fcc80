# SPDX-License-Identifier: BSL-1.0
# The vendor's Python SDK against the gateway. Usage: pyc8.py API_KEY
import base64
import json
import sys
import warnings

warnings.filterwarnings("ignore")  # pyC8 does not verify certificates

from c8 import C8Client  # noqa: E402

passed = failed = 0


def row(name):
    def run(body):
        global passed, failed
        try:
            body()
            passed += 1
            print(f"ok       pyC8  {name}")
        except Exception as e:
            failed += 1
            print(f"NOT ok   pyC8  {name}: {type(e).__name__}: {e}")

    return run


def receive(socket):
    return json.loads(socket.recv())


def text(message):
    return base64.b64decode(message["payload"]).decode()


def main(api_key):
    # The port is not looked at.
    client = C8Client(protocol="https", host="localhost", port=443, apikey=api_key, geofabric="_system")

    @row("the tenant is learnt from the server")
    def _():
        assert client._tenant.tenant_name == api_key.split(".")[0], client._tenant.tenant_name

    for local in (False, True):
        scope = "local" if local else "global"
        prefix = "c8locals." if local else "c8globals."
        name = f"py-{scope}"
        held = {}

        @row(f"{scope}: create a stream")
        def _():
            assert client.create_stream(name, local=local)["stream-id"] == prefix + name

        @row(f"{scope}: a stream that exists is a conflict")
        def _():
            try:
                client.create_stream(name, local=local)
            except Exception as e:
                assert getattr(e, "http_code", None) == 409, e
                return
            raise AssertionError("created twice")

        @row(f"{scope}: list streams, has a stream")
        def _():
            assert client.has_stream(name, local=local)
            assert not client.has_stream("nobody", local=local)
            assert prefix + name in [s["topic"] for s in client.get_streams()]

        @row(f"{scope}: subscribe, with the Authorization header")
        def _():
            held["consumer"] = client.subscribe(stream=name, local=local, subscription_name="sub")

        @row(f"{scope}: open a producer with its options")
        def _():
            held["producer"] = client.create_stream_producer(
                name,
                local=local,
                producer_name=f"py-{scope}-producer",
                compression_type="ZSTD",
                batching_enabled=True,
            )

        @row(f"{scope}: produce 100 messages, each is acknowledged")
        def _():
            for i in range(100):
                held["producer"].send(f"message {i}")
            for _ in range(100):
                answer = receive(held["producer"])
                assert answer["result"] == "ok" and answer["messageId"], answer

        @row(f"{scope}: consume them in order, acknowledging each")
        def _():
            for i in range(100):
                message = receive(held["consumer"])
                assert text(message) == f"message {i}", message
                held["consumer"].send(json.dumps({"messageId": message["messageId"]}))

        @row(f"{scope}: read them from the beginning")
        def _():
            reader = client.create_stream_reader(stream=name, local=local, start_message_id="earliest")
            for i in range(100):
                message = receive(reader)
                assert text(message) == f"message {i}", message
                reader.send(json.dumps({"messageId": message["messageId"]}))
            reader.close()

        if not local:  # pyC8 publishes to a stream of that very name

            @row(f"{scope}: publish over REST, and consume it")
            def _():
                assert client.publish_message_stream(prefix + name, "over REST")
                message = receive(held["consumer"])
                assert text(message) == "over REST", message
                held["consumer"].send(json.dumps({"messageId": message["messageId"]}))

        @row(f"{scope}: subscriptions, statistics, backlog")
        def _():
            assert "sub" in json.dumps(client.get_stream_subscriptions(name, local=local))
            stats = client.get_stream_stats(name, local=local)
            stats = json.loads(stats) if isinstance(stats, str) else stats
            assert stats["msgInCounter"] == (100 if local else 101), stats
            assert client.get_stream_backlog(name, local=local)

        @row(f"{scope}: time to live, expiry, clear the backlog")
        def _():
            client.set_message_stream_ttl(3600, local=local)
            client.get_message_stream_ttl(local=local)
            assert client.set_message_expiry_stream(prefix + name, 3600)
            client.clear_stream_backlog("sub")
            client.clear_streams_backlog()

        @row(f"{scope}: a subscription with a consumer is not deleted, one without is")
        def _():
            try:
                client.delete_stream_subscription(prefix + name, "sub", local=local)
            except Exception as e:
                assert getattr(e, "http_code", None) == 412, e
            else:
                raise AssertionError("deleted under its consumer")
            held["consumer"].close()
            client.delete_stream_subscription(prefix + name, "sub", local=local)

        @row(f"{scope}: delete the stream")
        def _():
            held["producer"].close()
            assert client.delete_stream(prefix + name, force=True)
            assert not client.has_stream(name, local=local)

    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
