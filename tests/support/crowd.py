"""Many callers of the helper at the same instant: processes that wait at a gate and start it when the gate opens."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.support.caller import Reply

TIMEOUT = 120  # seconds, for all of them together


class Crowd:
    def __init__(self, helper: Path | str) -> None:
        self.helper = helper
        self.gate, self._opener = os.pipe()
        self.callers: list[tuple[subprocess.Popen[bytes], socket.socket | None]] = []

    def add(self, *args: str | bytes, user: int, datagram: bool = False) -> None:
        """One more caller: with a pipe for the answer, or the datagram socket that `tuntap up` wants."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) if datagram else (None, None)
        process = subprocess.Popen(["/bin/sh", "-c", 'read _; exec "$0" "$@"', str(self.helper), *args], stdin=self.gate,
                                   stdout=theirs or subprocess.PIPE, stderr=subprocess.PIPE, user=user, group=user,
                                   extra_groups=[])
        if theirs:
            theirs.close()
        self.callers.append((process, ours))

    def go(self) -> list[Reply]:
        """Opens the gate, and waits for all answers, in the order of add()."""
        os.close(self._opener)
        replies = [self._finish(process, ours) for process, ours in self.callers]
        os.close(self.gate)
        return replies

    def _finish(self, process: subprocess.Popen[bytes], ours: socket.socket | None) -> Reply:
        out, err = process.communicate(timeout=TIMEOUT)
        reply = Reply(process.returncode, data=out or b"", stderr=err.decode(errors="replace"), framed=ours is None)
        if ours is not None:
            with ours:
                ours.setblocking(False)
                try:
                    reply.data, reply.fds, _, _ = socket.recv_fds(ours, 8192, 1)
                except BlockingIOError:
                    pass
        return reply


def close_all(replies: list[Any]) -> None:
    for reply in replies:
        reply.close()
