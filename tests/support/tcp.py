"""One TCP connection from one network namespace to another."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from contextlib import AbstractContextManager

PATIENCE = 20  # seconds


def transfer(address: str, megabytes: int, server_in: AbstractContextManager[object],
             client_in: AbstractContextManager[object]) -> float:
    """Sends so much to `address`, a server's, and returns megabits per second. What arrives is what was sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with server_in:
        server = socket.create_server((address, 5000), family=family)
    with client_in:
        client = socket.socket(family)
    data = os.urandom(1 << 20)
    received = hashlib.sha256()

    def serve() -> None:
        with server, server.accept()[0] as connection:
            connection.settimeout(PATIENCE)
            while piece := connection.recv(1 << 16):
                received.update(piece)

    serving = threading.Thread(target=serve)
    server.settimeout(PATIENCE)
    serving.start()
    started = time.monotonic()
    with client:
        client.settimeout(PATIENCE)
        client.connect((address, 5000))
        for _ in range(megabytes):
            client.sendall(data)
    serving.join()
    assert received.hexdigest() == hashlib.sha256(data * megabytes).hexdigest()
    return megabytes * 8 / (time.monotonic() - started)
