"""A helper that speaks the native protocol as the test wants, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MADE = {"status": "ok", "id": "some-id", "device": "tap7", "ifindex": 7, "mac": "02:00:00:00:00:07", "mtu": 1500,
        "addresses": [], "guests": [], "fds": 1, "notes": []}
REFUSAL = {"status": "error", "id": "some-id", "code": "denied", "error": "no rule allows this",
           "advice": "Ask the administrator."}
FULL = {**MADE, "addresses": ["10.99.0.254/24", "fd00:99::1/64"], "mtu": 1400, "queues": 2,
        "anti_spoof": True, "fds": 2, "notes": ["something else"],
        "guests": [{"address": "10.50.0.7", "published": ["eth0"]}, {"address": "fd00:50::7", "published": []}]}
WELCOME = {"status": "ok", "id": "i", "session": True, "fds": 0, "notes": []}
# Answers with what the test has written, and writes down what it was asked. An answer is [reply, number of descriptors].
FAKE = """#!/usr/bin/python3
import array, json, os, socket, sys, time
place = {place!r}
answers = json.load(open(place + "/answers"))
wire = socket.socket(fileno=1)
def tell(what):
    with open(place + "/asked", "a") as asked:
        asked.write(json.dumps(what) + "\\n")
def answer():
    if not answers:
        sys.exit(0)
    reply, count = answers.pop(0)
    if reply == "hang":
        open(place + "/hangs", "w").write(str(os.getpid()))
        time.sleep(60)
    if reply == "die":
        os.kill(os.getpid(), 9)
    if reply == "say":
        print("uml_net: something is wrong here", file=sys.stderr)
        sys.exit(78)
    text = reply if isinstance(reply, str) else json.dumps(reply) + "\\n"
    fds = [os.open("/dev/null", os.O_RDWR) for _ in range(count)]
    wire.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
    for fd in fds:
        os.close(fd)
def device_of(fd):
    return os.fstat(fd).st_ino
tell(sys.argv[1:] + [device_of(int(w[6:])) for w in sys.argv if w.startswith("netns=")])
answer()
while "session" in sys.argv:
    record, ancillary, flags, _ = wire.recvmsg(8192, socket.CMSG_SPACE(4))
    if not record:
        break
    words = record.decode().split("\\0")
    assert words.pop() == ""
    tell(words + [device_of(fd) for _, _, data in ancillary for fd in array.array("i", data)])
    answer()
status = int(open(place + "/status").read())
sys.exit(status)
"""


class FakeHelper:
    """In a directory of its own, which everybody may use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "native-helper"

    def answering(self, *answers: Any, status: int = 0) -> Path:
        """A helper that gives these answers, one after the other, and then ends with the status. An answer without
        descriptors may stand alone."""
        whole = [answer if isinstance(answer, list) else [answer, 0] for answer in answers]
        (self.directory / "answers").write_text(json.dumps(whole))
        (self.directory / "asked").write_text("")
        (self.directory / "status").write_text(str(status))
        self.path.write_text(FAKE.format(place=str(self.directory)))
        self.path.chmod(0o755)
        return self.path

    @property
    def asked(self) -> list[Any]:
        """Each request's words, and the inodes of the descriptors that came with it."""
        return [json.loads(line) for line in (self.directory / "asked").read_text().splitlines()]

    def hung(self) -> int:
        """The pid of a helper that hangs, or hung."""
        return int((self.directory / "hangs").read_text())
