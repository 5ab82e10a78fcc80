# SPDX-License-Identifier: BSL-1.0
# In PYTHONPATH: every host name is this machine, and port 443, which pyC8 always uses, is the gateway's.
import os
import socket

_getaddrinfo = socket.getaddrinfo


def _here(host, port, *args, **kwargs):
    if port == 443:
        port = int(os.environ["GATEWAY_PORT"])
    return _getaddrinfo("127.0.0.1", port, *args, **kwargs)


if "GATEWAY_PORT" in os.environ:
    socket.getaddrinfo = _here
