"""The ways in which a User-Mode Linux kernel calls uml_net, byte for byte."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

TIMEOUT = 30  # seconds, for a helper that hangs
IFNAMSIZ = 16


@dataclass
class Reply:
    exit: int
    data: bytes = b""
    fds: list[int] = field(default_factory=list)
    stderr: str = ""

    @property
    def name(self) -> str:
        """Of the device, in a granted `tuntap up`."""
        return self.data[:IFNAMSIZ].rstrip(b"\0").decode()

    @property
    def text(self) -> str:
        """The explanation, checked for its form on the way."""
        body = self.data
        if self.framed:
            (length,) = struct.unpack_from("=i", body)
            body = body[4:]
            assert len(body) == length, f"the frame counts {length} bytes and has {len(body)}"
            if length == 0:
                return ""
        elif self.fds:
            body = body[IFNAMSIZ:]
        assert body.endswith(b"\0") and body.count(b"\0") == 1, body
        assert len(self.data) <= 4096
        return body[:-1].decode("ascii")

    framed: bool = False

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _identity(user: int | None, groups: Sequence[int] | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": user, "extra_groups": list(groups or [])}


def run(helper: Path | str, *args: str | bytes, user: int | None = None, groups: Sequence[int] | None = None,
        **more: Any) -> subprocess.CompletedProcess[bytes]:
    """The helper with whatever fds the test chooses; stdout and stderr are pipes unless it says otherwise."""
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                               "timeout": TIMEOUT}
    return subprocess.run([str(helper), *args], **{**options, **_identity(user, groups), **more})


def tuntap_up(helper: Path | str, gate: str | None = None, user: int | None = None,
              groups: Sequence[int] | None = None, **more: Any) -> Reply:
    """`4 tuntap up [GATE]` with a connected datagram socket as fd 1."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours:
        with theirs:
            done = run(helper, "4", "tuntap", "up", *([gate] if gate is not None else []), user=user, groups=groups,
                       stdout=theirs, **more)
        ours.setblocking(False)
        reply = Reply(done.returncode, stderr=done.stderr.decode(errors="replace"))
        try:
            reply.data, reply.fds, _, _ = socket.recv_fds(ours, 8192, 8)
        except BlockingIOError:
            pass
        for fd in reply.fds:
            os.set_inheritable(fd, False)
        return reply


def framed(helper: Path | str, *args: str, user: int | None = None, groups: Sequence[int] | None = None,
           **more: Any) -> Reply:
    """`4 add` and the like with a pipe as fd 1."""
    done = run(helper, *args, user=user, groups=groups, **more)
    return Reply(done.returncode, data=done.stdout, stderr=done.stderr.decode(errors="replace"), framed=True)
