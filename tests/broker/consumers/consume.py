# SPDX-License-Identifier: BSL-1.0
"""consume.py BROKER_URL TOPIC COUNT PRIVATE_PEM [TOKEN]: the official Python client as a consumer with a private key."""
import base64
import sys

import pulsar

url, topic, count, private_pem = sys.argv[1:5]
authentication = pulsar.AuthenticationToken(sys.argv[5]) if len(sys.argv) > 5 else None
client = pulsar.Client(url, authentication=authentication, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
consumer = client.subscribe(
    topic,
    "python",
    initial_position=pulsar.InitialPosition.Earliest,
    crypto_key_reader=pulsar.CryptoKeyReader("", private_pem),
)
for _ in range(int(count)):
    message = consumer.receive(timeout_millis=30_000)
    print(base64.b64encode(message.data()).decode())
    consumer.acknowledge(message)
client.close()
