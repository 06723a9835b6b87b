"""The processes behind the front, each taken over as by code that runs in it: what it may call is what its one power takes,
under its own filter, and nothing else. The front itself is in test_front."""

import errno
import json
import os
import signal
import struct
import unittest

from tests.hostile import test_front
from tests.hostile.test_front import FORBIDDEN, OPEN, SYS
from tests.hostile.test_native import NativeCase
from tests.support import world
from tests.support.hostile import INSTALLATIONS, NOBODY
from tests.support.inject import Injector, Killed
from tests.support.process import announcers_of, status_of, workers_of

# What the executor of a session has by what it is for: CAP_NET_ADMIN, which it raises for a change. Each message of
# rtnetlink's is held to a grammar, where the code that makes it is (unit and fuzz).
ITS_OWN = ("raise a capability",)
# The log and others' turns.
OF_THE_LOG = {
    "write to any descriptor": ("write", 3, b"{}\n", 3),
    "write at a place of the log": ("pwrite64", 4, b"{}\n", 3, 0),
    "empty the log": ("ftruncate", 4, 0),
    "lock others out": ("fcntl", 5, 37, bytes(32)),  # F_OFD_SETLK
    "put a file in another's place": ("dup2", 3, 4),
}
CAP_SYS_ADMIN = 1 << 21
ANOTHER_CAPABILITY = (struct.pack("=II", 0x20080522, 0), struct.pack("=6I", CAP_SYS_ADMIN, CAP_SYS_ADMIN, 0, 0, 0, 0))
# What nobody but the front's caller's worker may do, and that without any privilege.
OF_THE_WORKER = ("an rtnetlink socket", "another's network namespace", "another process", "memory to run")


class TakenOver(NativeCase):
    session = test_front.Front.session

    def at_rest(self, pid: int) -> int:
        self.wait_until(lambda: status_of(pid)["Seccomp"] == "2" and status_of(pid)["State"][0] == "S")
        return pid

    def assert_killed(self, pid: int, name: str, *values: object) -> None:
        with Injector(self.at_rest(pid)) as injector, self.assertRaises(Killed) as killed:
            injector.call(SYS[name], *values)  # type: ignore[arg-type]
        self.assertEqual(killed.exception.args, (signal.SIGSYS,))

    def test_the_executor(self) -> None:
        """No file, no log, no lock, no process, no capability but its one. Set-user-ID root, the recorder says that it died."""
        calls = {what: call for what, call in {**FORBIDDEN, **OF_THE_LOG}.items() if what not in ITS_OWN}
        for how in INSTALLATIONS:
            for what, (name, *arguments) in calls.items():
                self.empty_log()
                with self.subTest(how, what=what), self.session(how) as session:
                    self.assert_killed(session.process.pid, name, *(os.getpid() if argument == "executor" else argument
                                                                    for argument in arguments))
                    session.wait()
                self.wait_until(lambda: b'"exit"' in world.LOG.read_bytes())
                last = world.audit_lines()[-1]
                self.assertEqual(last["event"], "exit")
                self.assertIn("was killed", last["result"]["error"])
                self.assertTrue(last["result"]["unfinished"])

    def test_the_executor_has_no_other_capability(self) -> None:
        with self.session() as session, Injector(self.at_rest(session.process.pid)) as injector:
            self.assertEqual(injector.call(SYS["capset"], *ANOTHER_CAPABILITY), -errno.EPERM)

    def test_the_recorder(self) -> None:
        """It keeps the log, and may not cut it; it has no way to the network, and none to other files. Without it nothing is
        granted any more."""
        calls = {what: call for what, call in {**FORBIDDEN, **OF_THE_LOG}.items()
                 if what not in ("write to any descriptor", "lock others out")}
        for how in INSTALLATIONS:
            for what, (name, *arguments) in calls.items():
                self.empty_log()
                with self.subTest(how, what=what), self.session(how) as session:
                    before = world.LOG.read_bytes()
                    self.assert_killed(workers_of(session.process.pid)[0], name,
                                       *(session.process.pid if argument == "executor" else argument for argument in arguments))
                    with session.ask(*OPEN) as answer:
                        self.assertIn("does not answer", answer.json["error"])
                    self.assertEqual(world.LOG.read_bytes(), before)

    def test_the_callers_worker(self) -> None:
        """It is nobody but the caller: what it may do, the caller may."""
        calls = {what: call for what, call in FORBIDDEN.items() if what not in OF_THE_WORKER}
        for what, (name, *arguments) in calls.items():
            with self.subTest(what=what), self.session() as session:
                self.assert_killed(workers_of(session.process.pid)[1], name,
                                   *(session.process.pid if argument == "executor" else argument for argument in arguments))

    def test_the_announcer(self) -> None:
        for what, (name, *arguments) in FORBIDDEN.items():
            with self.subTest(what=what), self.session() as session:
                (announcer,) = announcers_of(session.process.pid)
                self.assert_killed(announcer, name,
                                   *(session.process.pid if argument == "executor" else argument for argument in arguments))

    def test_each_line_is_whole_afterwards(self) -> None:
        with self.session() as session:
            self.assert_killed(session.process.pid, "openat", -100, b"/etc/shadow\0", 0, 0)
        self.wait_until(lambda: b'"exit"' in world.LOG.read_bytes())
        for line in world.LOG.read_bytes().splitlines(keepends=True):
            self.assertTrue(line.endswith(b"}\n"), line)
            json.loads(line)


if __name__ == "__main__":
    unittest.main()
