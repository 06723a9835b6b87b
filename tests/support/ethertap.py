"""An ethertap client as a User-Mode Linux kernel is one: control stream on fd 1, data socket by number."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from typing import Any

from tests.support.caller import TIMEOUT
from tests.support.process import workers_of

ADD, DELETE = 0, 1


def record(what: int, address: str, netmask: str = "255.255.255.0") -> bytes:
    return struct.pack("=i4s4s", what, socket.inet_aton(address), socket.inet_aton(netmask))


class Session:
    """`control` and `data` are the guest's ends. Use it in a `with`: its end ends the helper."""

    def __init__(self, helper: Path | str, device: str, gate: str | None = None, user: int | None = None,
                 data_type: int = socket.SOCK_DGRAM, data_number: str | None = None, **more: Any) -> None:
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.data, data = socket.socketpair(socket.AF_UNIX, data_type)
        self.control.settimeout(TIMEOUT)
        self.data.settimeout(TIMEOUT)
        identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        with control, data:
            number = data_number if data_number is not None else str(data.fileno())
            self.process = subprocess.Popen(
                [str(helper), "4", "ethertap", device, number, *([gate] if gate is not None else [])],
                stdin=subprocess.DEVNULL, stdout=control, stderr=subprocess.PIPE, pass_fds=[data.fileno()],
                **identity, **more)
        self.status = self.take(1)
        self.text = self.take_text() if self.status else ""

    def take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            more = self.control.recv(size - len(taken))
            if not more:
                break
            taken += more
        return taken

    def take_text(self) -> str:
        (length,) = struct.unpack("=i", self.take(4))
        body = self.take(length)
        assert len(body) == length and (length == 0 or body.endswith(b"\0")), body
        return body[:-1].decode("ascii")

    def ask(self, what: int, address: str, netmask: str = "255.255.255.0") -> str:
        self.control.sendall(record(what, address, netmask))
        return self.take_text()

    def wait(self) -> int:
        return self.process.wait(timeout=TIMEOUT)

    def children(self) -> list[int]:
        return workers_of(self.process.pid)

    def recorder(self) -> int:
        return self.children()[0]

    def relay(self) -> int:
        return self.children()[1]

    def close(self) -> int:
        """As a guest closes its interface."""
        for end in (self.data, self.control):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        return self.wait()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self.data.close()
        self.control.close()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            assert self.process.stderr
            self.process.stderr.close()

    def frames(self, count: int, wanted: bytes, seconds: float = 10) -> list[bytes]:
        """Datagrams from the host that hold `wanted`, until there are `count` of them."""
        found: list[bytes] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            datagram = self.data.recv(4096)
            if wanted in datagram:
                found.append(datagram)
        return found
