"""What the kernel says of processes, in /proc/PID/status, and the end of those that a test started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

TIMEOUT = 15  # seconds, for a killed process to be gone


def capabilities(status: dict[str, str]) -> dict[str, int]:
    return {key: int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def status_of(pid: int | str) -> dict[str, str]:
    """Of a process, or of its thread: PID/task/THREAD."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def children_of(pid: int) -> list[int]:
    """Those of all its threads, and of each thread in the order in which it made them."""
    return [int(child) for thread in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name))
            for child in (thread / "children").read_text().split()]


def announcers_of(pid: int) -> list[int]:
    """Of its children, those with a packet socket."""
    def holds_one(child: int) -> bool:
        try:
            sockets = {line.split()[8] for line in Path(f"/proc/{child}/net/packet").read_text().splitlines()[1:]}
            return any(os.readlink(fd) in {f"socket:[{inode}]" for inode in sockets} for fd in Path(f"/proc/{child}/fd").iterdir())
        except OSError:
            return False  # it has ended
    return [child for child in children_of(pid) if holds_one(child)]


def front_of(pid: int) -> int:
    """The process of a helper that talks to its caller: the first that it makes."""
    return children_of(pid)[0]


def workers_of(pid: int) -> list[int]:
    """The helper's other children: the process that announces addresses is there only where it is installed set-user-ID root."""
    announcers = announcers_of(pid)
    return [child for child in children_of(pid)[1:] if child not in announcers]


def processes_here() -> list[int]:
    """The processes in this process's network namespace. Each test makes one, so these are its own, whatever became of
    their parents. Other suites run at the same time, and their processes come and go."""
    here = os.readlink("/proc/self/ns/net")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "ns/net") == here and status_of(int(entry.name))["State"][0] not in "ZX":
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended
    return found


def command_line(pid: int) -> list[str]:
    """Empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def session_members(leader: int) -> list[int]:
    """The processes that run in the session, in whatever process group; those that only wait to be reaped are left out."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = status_of(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
            if status["NSsid"].split()[0] == str(leader) and status["State"][0] not in "ZX":
                members.append(int(entry.name))
    return members


def end_session(leader: int) -> None:
    """SIGKILL for every process of a session that the test made; comes back when none is left."""
    deadline = time.monotonic() + TIMEOUT
    while members := session_members(leader):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {members} of session {leader} outlive SIGKILL")
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
