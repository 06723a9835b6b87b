"""Limits, signals, timers and the like, which a program inherits from whoever starts it."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import caller, native, world
from tests.support.hostile import GATE, LIBC, NOBODY, OPERATIONS, HostileCase, as_user, call, full_datagram_pair
from tests.support.process import status_of
from tests.support.responder import Responder

LIMITS = {
    resource.RLIMIT_FSIZE: (0, 1, 4096), resource.RLIMIT_NOFILE: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 18),
    resource.RLIMIT_AS: (1 << 20, 4 << 20, 6 << 20, 8 << 20, 16 << 20), resource.RLIMIT_NPROC: (0, 1),
    resource.RLIMIT_STACK: (4096, 64 << 10, 256 << 10), resource.RLIMIT_CPU: (0, 1), resource.RLIMIT_DATA: (0, 64 << 10, 1 << 20),
    resource.RLIMIT_MEMLOCK: (0,), resource.RLIMIT_CORE: (0, resource.RLIM_INFINITY), resource.RLIMIT_SIGPENDING: (0,),
    resource.RLIMIT_MSGQUEUE: (0,), resource.RLIMIT_RSS: (0,), resource.RLIMIT_RTTIME: (1,),
}
NAMES = {value: name for name, value in vars(resource).items() if name.startswith("RLIMIT_")}
# What a service of a VM manager may well be under; these refuse nobody.
HARMLESS = {(resource.RLIMIT_CPU, 1), (resource.RLIMIT_STACK, 64 << 10), (resource.RLIMIT_STACK, 256 << 10),
            (resource.RLIMIT_MEMLOCK, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_CORE, resource.RLIM_INFINITY),
            (resource.RLIMIT_MSGQUEUE, 0), (resource.RLIMIT_RSS, 0), (resource.RLIMIT_RTTIME, 1),
            (resource.RLIMIT_NOFILE, 18), (resource.RLIMIT_AS, 16 << 20)}
DEADLY = {resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK}
NIGHTLY = os.environ.get("UMLNET_NIGHTLY") == "1"
PR_SET_PDEATHSIG, PR_SET_TIMERSLACK, PR_SET_CHILD_SUBREAPER = 1, 29, 36
FOREVER = (1 << 63) - 1  # nanoseconds


def limited(which: int, value: int) -> Callable[[], None]:
    def set_limit() -> None:
        resource.setrlimit(which, (value, value))
    return set_limit


class Limits(HostileCase):
    def test_every_limit(self) -> None:
        """Served, or refused with the host as it was: by the helper in its words, or before it begins by the system. By day
        two operations stand for all under a file capability."""
        for how, helper in self.helpers.items():
            for which, values in LIMITS.items():
                for value in values:
                    for operation in OPERATIONS if how == "setuid" or NIGHTLY else ("up", "session"):
                        with self.subTest(how, limit=NAMES[which], value=value, operation=operation):
                            self.one(helper, operation, which, value)

    def one(self, helper: Any, operation: str, which: int, value: int) -> None:
        what = OPERATIONS[operation]
        if (which, value) in HARMLESS:
            self.assert_served(operation, helper, preexec_fn=limited(which, value))
            return
        try:
            reply = call(helper, what.channel, what.words, preexec_fn=limited(which, value))
        except (OSError, subprocess.SubprocessError):
            self.assert_host_unchanged()  # the system cannot even start it
            return
        with reply:
            if reply.exit == 0:
                self.assertEqual(len(reply.fds), what.fds)
                if what.undo:
                    reply.close()
                    self.assertEqual(call(self.helper, "pipe", what.undo).exit, 0)
            elif reply.exit > 0 and not (reply.exit == 70 and which in DEADLY):
                self.assertEqual(reply.fds, [])
                # A session that began and could not go on has its grant where others have the refusal.
                said = reply.stderr or reply.text
                self.assertTrue(said.startswith("uml_net: ") or "error while loading shared libraries" in said, reply)
            else:
                # Killed, or the process that would say why was, and maybe after the change: then that is the caller's to take
                # back, and anybody's once its front has ended.
                reply.close()
                if what.undo:
                    call(self.helper, "pipe", what.undo)
                self.wait_until(lambda: "uml1:" not in Path("/proc/net/dev").read_text())
                call(self.helper, "pipe", ("gc",))
        self.assert_host_unchanged()

    def test_no_process_of_ones_own_more(self) -> None:
        """Each call needs one at least, which talks to the caller."""
        for how, helper in self.helpers.items():
            for name, operation in OPERATIONS.items():
                with self.subTest(how, operation=name):
                    self.assert_refused_whole(call(helper, operation.channel, operation.words,
                                                   preexec_fn=limited(resource.RLIMIT_NPROC, 0)), "process that talks", "ulimit -u")

    def test_few_open_files(self) -> None:
        """Where the caller could have more, the helper takes them."""
        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                for soft in (0, 3, 16):
                    def lowered() -> None:
                        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

                    with self.subTest(how, operation=operation, soft=soft):
                        self.assert_served(operation, helper, preexec_fn=lowered)

    def test_a_small_stack(self) -> None:
        """Where the caller could have more, the helper takes it; and a relay moves frames with the least there may be."""
        low, least = 32 << 10, 64 << 10

        def lowered() -> None:
            resource.setrlimit(resource.RLIMIT_STACK, (low, resource.RLIM_INFINITY))

        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                with self.subTest(how, operation=operation, limit="soft"):
                    self.assert_served(operation, helper, preexec_fn=lowered)
            with self.subTest(how, limit="hard"):
                done = caller.run(helper, "4", "tuntap", "up", GATE, user=NOBODY, preexec_fn=limited(resource.RLIMIT_STACK, low))
                self.assertIn(b"limit on the stack (ulimit -s)", done.stderr)
                self.assertGreater(done.returncode, 0)
            with self.subTest(how, limit="hard", what="relay"):
                answer = native.call(helper, "open", "sealed", "address=10.98.0.254/24", user=NOBODY,
                                     preexec_fn=limited(resource.RLIMIT_STACK, least))
                self.assertTrue(answer.ok, answer)
                with socket.socket(fileno=answer.fds[0]) as wire, Responder(wire, "10.98.0.1"):
                    self.assertTrue(world.ping("10.98.0.1"))
            self.assert_host_unchanged()


class Signals(HostileCase):
    def everywhere(self, what: str, before: Callable[[], None], **more: Any) -> None:
        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                with self.subTest(how, what=what, operation=operation):
                    self.assert_served(operation, helper, preexec_fn=before, restore_signals=False, **more)

    def test_blocked_and_ignored(self) -> None:
        every = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}

        def ignore() -> None:
            for number in every:
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass  # the C library's own

        def block() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, every)

        def both() -> None:
            ignore()
            block()

        self.everywhere("ignored", ignore)
        self.everywhere("blocked", block)
        self.everywhere("ignored and blocked", both)

    def test_waiting_to_be_delivered(self) -> None:
        """Blocked, sent, and inherited over the start: as if it was sent to the helper in its first moment."""
        for how, helper in self.helpers.items():
            for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGSEGV, signal.SIGUSR1, signal.SIGTSTP):
                def pend() -> None:
                    signal.signal(number, signal.SIG_DFL)
                    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
                    os.kill(os.getpid(), number)

                with self.subTest(how, signal=number.name):
                    if number == signal.SIGTSTP:
                        # An orphaned process group is not stopped by a terminal's signals.
                        self.assert_served("up", helper, preexec_fn=pend, start_new_session=True)
                        continue
                    reply = call(helper, "datagram", OPERATIONS["up"].words, preexec_fn=pend)
                    self.assertEqual((reply.exit, reply.data, reply.fds), (-number, b"", []))
                    self.assert_host_unchanged()

    def test_no_children_to_wait_for(self) -> None:
        """With SIGCHLD ignored nobody gets the status of a child: an ethertap session has one."""
        self.everywhere("SIGCHLD", lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN) and None)

    def test_timers_that_run(self) -> None:
        def start() -> None:
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0.2, 0.0001)

        self.everywhere("interval timers", start)

    def test_other_things_that_are_inherited(self) -> None:
        self.everywhere("death signal", lambda: LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
        self.everywhere("subreaper", lambda: LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        self.everywhere("least priority", lambda: os.nice(19) and None)
        self.everywhere("idle class", lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))
        self.everywhere("one processor", lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))

    def test_a_timer_slack_of_centuries_does_not_make_waits_longer(self) -> None:
        """The helper waits five seconds for a caller that does not read. Its own alarm would tell of it, and is not set."""
        slack = ctypes.c_ulong(FOREVER)
        waiting = []
        for how, helper in self.helpers.items():
            ours, theirs = full_datagram_pair()
            self.addCleanup(ours.close)
            with theirs:
                waiting.append(subprocess.Popen([helper, "4", "tuntap", "up", GATE], stdin=subprocess.DEVNULL, stdout=theirs,
                                                stderr=subprocess.PIPE, **as_user(NOBODY),
                                                preexec_fn=lambda: LIBC.prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0)))
        for process in waiting:
            with process:
                try:
                    _, said = process.communicate(timeout=caller.TIMEOUT)
                finally:
                    process.kill()
                self.assertEqual(process.returncode, 74)
                self.assertIn(b"did not take the reply within 5 seconds", said)
        self.assert_host_unchanged()

    def test_killed_while_it_waits(self) -> None:
        for how, helper in self.helpers.items():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGXCPU):
                with self.subTest(how, signal=number.name):
                    ours, theirs = full_datagram_pair()
                    with ours, theirs:
                        process = subprocess.Popen([helper, "4", "tuntap", "up", GATE], stdin=subprocess.DEVNULL, stdout=theirs,
                                                   stderr=subprocess.DEVNULL, **as_user(NOBODY))
                        with process:
                            while "tap2" not in world.links() or status_of(process.pid)["State"][0] != "S":
                                self.assertIsNone(process.poll())
                            subprocess.run(["/bin/kill", f"-{int(number)}", str(process.pid)], check=True, **as_user(NOBODY))
                            self.assertEqual(process.wait(caller.TIMEOUT), -number)
                    self.assert_host_unchanged()
        self.assertEqual(list(world.test_bin().rglob("core*")), [])


if __name__ == "__main__":
    unittest.main()
