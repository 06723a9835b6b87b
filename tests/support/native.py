"""The native protocol, version 5, as a VM manager speaks it."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

from tests.support import caller, userns, world

LONGEST = 65536
PATIENCE = 15  # seconds


@dataclass
class Answer:
    """One answer: the JSON object, and the descriptors that came with it."""

    json: dict[str, Any]
    fds: list[int] = field(default_factory=list)
    exit: int = 0
    stderr: str = ""

    @property
    def ok(self) -> bool:
        return self.json.get("status") == "ok"

    @property
    def name(self) -> str:
        return str(self.json["device"])

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _receive(ours: socket.socket) -> Answer:
    ours.settimeout(PATIENCE)
    data, fds, _, _ = socket.recv_fds(ours, LONGEST, 253)
    for fd in fds:
        os.set_inheritable(fd, False)
    if not data:
        return Answer({}, fds)
    assert data.endswith(b"\n") and data.count(b"\n") == 1, data
    answer = Answer(json.loads(data), fds)
    assert answer.json.get("fds", 0) == len(fds), answer
    return answer


UNSHARE = """
import ctypes, sys
assert ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x40000000) == 0, ctypes.get_errno()
print("there", flush=True)
sys.stdin.read()
"""


class OwnNamespace:
    """A network namespace in a user namespace of that user's, which live as long as a process in them. `fd` is the network
    namespace; any holder of a copy keeps it. The test is skipped where the user cannot make one."""

    def __init__(self, user: int) -> None:
        userns.require(user)
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", UNSHARE], user=user, group=user, extra_groups=[],
                                        stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert self.process.stdout is not None and self.process.stdout.readline() == b"there\n"
        self.fd = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY)

    def inside(self, *argv: str) -> str:
        return world.sh("nsenter", f"--net=/proc/{self.process.pid}/ns/net", *argv)

    def close(self) -> None:
        os.close(self.fd)
        self.process.communicate()


def call(helper: Path | str, *words: str, user: int | None = None, groups: Sequence[int] | None = None,
         kind: int = socket.SOCK_SEQPACKET, **more: Any) -> Answer:
    """One call, as in `uml_net 5 open ...`, with its exit status and what it said on stderr."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours:
        with theirs:
            done = caller.run(helper, "5", *words, user=user, groups=groups, stdout=theirs, **more)
        if kind == socket.SOCK_DGRAM:
            ours.setblocking(False)
        try:
            answer = _receive(ours)
        except BlockingIOError:
            answer = Answer({})
        answer.exit, answer.stderr = done.returncode, done.stderr.decode(errors="replace")
        return answer


def opened(helper: Path | str, *options: str, **more: Any) -> Answer:
    """An `open` that must be granted."""
    answer = call(helper, "open", *options, **more)
    assert answer.ok and answer.exit == 0, answer
    return answer


class Session:
    """`uml_net 5 session`, held until it is closed. `options` come after that word."""

    def __init__(self, helper: Path | str, user: int | None = None, groups: Sequence[int] | None = None,
                 options: Sequence[str] = (), **more: Any) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        identity = {} if user is None else {"user": user, "group": user, "extra_groups": list(groups or [])}
        with theirs:
            self.process = subprocess.Popen([str(helper), "5", "session", *options], stdin=subprocess.DEVNULL, stdout=theirs,
                                            stderr=subprocess.PIPE, **identity, **more)
        self.begun = _receive(self.socket)

    def ask(self, *words: str, fds: Sequence[int] = ()) -> Answer:
        self.send(b"".join(word.encode() + b"\0" for word in words), fds)
        return self.receive()

    def send(self, record: bytes, fds: Sequence[int] = ()) -> None:
        self.socket.settimeout(PATIENCE)
        socket.send_fds(self.socket, [record], list(fds))

    def receive(self) -> Answer:
        return _receive(self.socket)

    def is_silent_for(self, seconds: float) -> bool:
        """Whether the helper sends nothing for so long."""
        return not select.select([self.socket], [], [], seconds)[0]

    def close(self) -> int:
        self.socket.close()
        return self.wait()

    def wait(self) -> int:
        """The exit status."""
        self.stderr = (self.process.communicate(timeout=PATIENCE)[1] or b"").decode(errors="replace")
        return self.process.returncode

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()
        if self.process.poll() is None:
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
