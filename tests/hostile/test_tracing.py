"""The caller's own processes are the helper's by their uid. It cannot trace them, nor look into them, at any moment."""

import ctypes
import errno
import os
import signal
import subprocess
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import caller, world
from tests.support.ethertap import ADD, Session
from tests.support.hostile import FREE, GATE, LIBC, NOBODY, OPERATIONS, HostileCase, as_user, call, full_datagram_pair

PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE = 0, 16, 0x4206
SYS_PTRACE, SYS_PROCESS_VM_READV, SYS_PROCESS_VM_WRITEV, SYS_PERF, SYS_KCMP = 101, 310, 311, 298, 312
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_PROCESS_MADVISE = 434, 438, 440
CLOSED = ("mem", "maps", "smaps", "environ", "auxv", "syscall", "stack", "pagemap", "io", "personality")
WRITTEN = {"mem": b"x", "oom_score_adj": b"-1000", "timerslack_ns": b"9", "clear_refs": b"1", "coredump_filter": b"ff",
           "attr/current": b"x", "uid_map": b"0 0 1", "loginuid": b"0"}


def system_call(number: int, *arguments: Any) -> int:
    """The kernel's answer: a number that is not negative, or an error's."""
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(number), *(ctypes.c_ulong(argument & 0xFFFFFFFFFFFFFFFF) for argument in arguments))
    return -ctypes.get_errno() if result < 0 else int(result)


def intrude(pid: int) -> list[str]:
    """What of all that a process could try on another of its user was let through."""
    through = []
    room = ctypes.create_string_buffer(64)
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(room), 8)
    there = (ctypes.c_ulong * 2)(0x400000, 8)
    pidfd = system_call(SYS_PIDFD_OPEN, pid, 0)
    tries: dict[str, Callable[[], int]] = {
        "attach": lambda: system_call(SYS_PTRACE, PTRACE_ATTACH, pid, 0, 0),
        "seize": lambda: system_call(SYS_PTRACE, PTRACE_SEIZE, pid, 0, 0),
        "read memory": lambda: system_call(SYS_PROCESS_VM_READV, pid, ctypes.addressof(vector), 1, ctypes.addressof(there), 1, 0),
        "write memory": lambda: system_call(SYS_PROCESS_VM_WRITEV, pid, ctypes.addressof(vector), 1, ctypes.addressof(there), 1, 0),
        "get descriptor 3": lambda: system_call(SYS_PIDFD_GETFD, pidfd, 3, 0),
        "compare descriptors": lambda: system_call(SYS_KCMP, pid, os.getpid(), 0, 3, 3),
        "advise memory": lambda: system_call(SYS_PROCESS_MADVISE, pidfd, ctypes.addressof(there), 1, 20, 0),
    }
    for what, attempt in tries.items():
        if (result := attempt()) not in (-errno.EPERM, -errno.EACCES, -errno.ENOSYS):
            through.append(f"{what}: {result}")
    for file in CLOSED:
        try:
            with open(f"/proc/{pid}/{file}", "rb") as opened:
                through.append(f"read {file}")
                opened.read(8)
        except OSError:
            pass
    for file, data in WRITTEN.items():
        try:
            with open(f"/proc/{pid}/{file}", "wb", buffering=0) as opened:
                opened.write(data)
                through.append(f"wrote {file}")
        except OSError:
            pass
    for folder in ("fd", "fdinfo", "map_files"):
        try:
            through += [f"{folder}: {name}" for name in os.listdir(f"/proc/{pid}/{folder}")]
        except PermissionError:
            pass
    for link in ("exe", "cwd", "root"):
        try:
            through.append(f"{link}: {os.readlink(f'/proc/{pid}/{link}')}")
        except PermissionError:
            pass
    return through


def as_nobody(act: Callable[[], list[str]]) -> list[str]:
    """In a process of NOBODY's, without any privilege."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(writing, "\n".join(act()).encode() or b"nothing")
        except BaseException as failure:  # noqa: B902
            os.write(writing, repr(failure).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return [] if said == "nothing" else said.split("\n")


class Tracing(HostileCase):
    def test_every_process_of_a_session(self) -> None:
        for how, helper in self.helpers.items():
            with Session(helper, "uml1", GATE, user=NOBODY) as session:
                self.assertEqual(session.status, b"\1", session.text)
                session.ask(ADD, FREE)
                for name, pid in zip(("the controller", "the recorder", "the relay"), (session.process.pid, *session.children()), strict=True):
                    with self.subTest(how, process=name):
                        self.assertEqual(as_nobody(lambda: intrude(pid)), [])
                self.assertEqual(session.close(), 0)
            self.assert_host_unchanged()

    def test_a_helper_that_waits_for_its_caller(self) -> None:
        for how, helper in self.helpers.items():
            ours, theirs = full_datagram_pair()
            with ours, theirs:
                process = subprocess.Popen([helper, "4", "tuntap", "up", GATE], stdin=subprocess.DEVNULL, stdout=theirs,
                                           stderr=subprocess.DEVNULL, **as_user(NOBODY))
                with self.subTest(how), process:
                    while "tap2" not in world.links():
                        self.assertIsNone(process.poll())
                    self.assertEqual(as_nobody(lambda: intrude(process.pid)), [])
                    process.kill()
            self.assert_host_unchanged()

    def test_an_ordinary_process_of_the_callers_is_open_to_it(self) -> None:
        """So that the tests above can fail."""
        with subprocess.Popen(["/bin/sleep", "60"], **as_user(NOBODY)) as process:
            try:
                while "sleep" not in Path(f"/proc/{process.pid}/comm").read_text():
                    self.assertIsNone(process.poll())
                through = " ".join(as_nobody(lambda: intrude(process.pid)))
                for what in ("attach: 0", "read mem", "fd: ", "exe: ", "wrote clear_refs"):
                    self.assertIn(what, through)
            finally:
                os.kill(process.pid, signal.SIGKILL)

    def test_traced_from_its_first_moment_it_has_no_privilege(self) -> None:
        """The kernel gives it none then, and the helper says so."""
        for how, helper in self.helpers.items():
            for operation, what in OPERATIONS.items():
                with self.subTest(how, operation=operation):
                    reply = call(helper, what.channel, what.words, prefix=["/usr/bin/strace", "-f", "-o", "/dev/null"])
                    self.assert_refused_whole(reply, "CAP_NET_ADMIN", exit_status=1 if operation == "bridge" else 77)

    def test_signals_are_all_that_is_left(self) -> None:
        """Its user may stop and end it, as a terminal does; the end undoes everything."""
        for how, helper in self.helpers.items():
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
                for which in ("controller", "recorder", "relay"):
                    with self.subTest(how, signal=number.name, process=which):
                        with Session(helper, "uml1", GATE, user=NOBODY) as session:
                            pid = {"controller": session.process.pid, "recorder": session.recorder(), "relay": session.relay()}[which]
                            # The recorder of a set-user-ID installation is root's, and no caller's to stop or end.
                            allowed = (how, which) != ("setuid", "recorder")
                            killed = subprocess.run(["/bin/kill", f"-{int(number)}", str(pid)], stderr=subprocess.DEVNULL, **as_user(NOBODY))
                            self.assertEqual(killed.returncode == 0, allowed)
                            with caller.tuntap_up(self.helper, GATE, user=None) as reply:
                                self.assertEqual(reply.exit, 0)
                            if number == signal.SIGSTOP and allowed:
                                subprocess.run(["/bin/kill", "-CONT", str(pid)], check=True, **as_user(NOBODY))
                        self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
                        self.assert_host_unchanged()


if __name__ == "__main__":
    unittest.main()
