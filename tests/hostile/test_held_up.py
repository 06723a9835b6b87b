"""A helper that is held up: stopped at each of its system calls, or by a caller that does not read. What others did meanwhile
stands when it goes on, a policy that was revoked grants nothing, and no line goes to a log that was rotated."""

import contextlib
import json
import os
import socket
import subprocess
import time
import unittest
from typing import Any, Callable, Iterator

from tests.support import caller, world
from tests.support.case import HELPER
from tests.support.guest import soon
from tests.support.hostile import FREE, LOG_GROUP, MASK, MINE, MY_GUEST, NOBODY, POLICY, SOMEBODY, THEIR_GUEST, THEIRS, HostileCase, as_user
from tests.support.tracer import Stepper

EXPIRES = 1.0  # seconds; a decision lasts for less
SYS_SENDTO = 44  # of x86-64, by number
WANTED = "10.50.0.40"  # by both
FORWARDING = "/proc/sys/net/ipv4/conf/eth0/forwarding"


def forwards() -> bool:
    with open(FORWARDING, encoding="ascii") as setting:
        return setting.read() == "1\n"


class HeldUp(HostileCase):
    def setUp(self) -> None:
        super().setUp()
        # As it is where no guest is published: each test adds what it needs.
        for device, guest, user in ((MINE, MY_GUEST, NOBODY), (THEIRS, THEIR_GUEST, SOMEBODY)):
            self.assertEqual(caller.framed(self.helper, "4", "del", device, guest, MASK, user=user).exit, 0)
        self.assertFalse(forwards())
        self.baseline = self.settled()

    def change(self, verb: str, device: str, guest: str, user: int) -> caller.Reply:
        return caller.framed(self.helper, "4", verb, device, guest, MASK, user=user)

    @contextlib.contextmanager
    def stepped(self, *words: str, kind: int = socket.SOCK_STREAM) -> Iterator[tuple[Stepper, socket.socket]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        nowhere = os.open("/dev/null", os.O_RDWR)
        with ours, theirs:
            with Stepper([str(self.helper), *words], NOBODY, {0: nowhere, 1: theirs.fileno(), 2: nowhere}) as stepper:
                os.close(nowhere)
                theirs.close()
                yield stepper, ours

    def at_each_call(self, *words: str, kind: int = socket.SOCK_STREAM, meanwhile: Callable[[], Any], afterwards: Callable[[int], None],
                     undo: Callable[[], None], hold: float = 0, every: int = 1) -> None:
        """Runs the request once for every system call (or every so many) of its own, with `meanwhile` done while it is
        stopped there."""
        with self.stepped(*words, kind=kind) as (stepper, _):
            kinds = list(stepper)
        undo()
        first = next(at for at, what in enumerate(kinds) if what[0] == SYS_SENDTO)
        for number in range(first, len(kinds), every):
            with self.subTest(words=words, call=number, kind=kinds[number]):
                with self.stepped(*words, kind=kind) as (stepper, _):
                    for _ in range(number + 1):
                        stepper.next_call()
                    meanwhile()
                    time.sleep(hold)
                    status = stepper.go_on()
                afterwards(status)
            undo()

    def test_an_address_that_two_want(self) -> None:
        """The one as the host's on a new device, the other for a guest. A host that takes it for its own takes the guest's
        traffic, so never are both granted, wherever the one is stopped while the other is served."""
        with self.stepped("4", "tuntap", "up", WANTED, kind=socket.SOCK_DGRAM) as (stepper, ours):
            calls = len(list(stepper))
        self.assertTrue(soon(lambda: "tap2" not in world.links()))
        for number in range(calls // 3, calls):
            with self.subTest(call=number), self.stepped("4", "tuntap", "up", WANTED, kind=socket.SOCK_DGRAM) as (stepper, ours):
                for _ in range(number + 1):
                    stepper.next_call()
                added = self.change("add", THEIRS, WANTED, SOMEBODY)
                status = stepper.go_on()
                ours.setblocking(False)
                fds: list[int] = []
                with contextlib.suppress(BlockingIOError):
                    _, fds, _, _ = socket.recv_fds(ours, 65536, 4)
                try:
                    self.assertFalse(added.exit == 0 and fds, (added, status))
                    self.assertEqual(status == 0, bool(fds))
                finally:
                    for fd in fds:
                        os.close(fd)
            self.change("del", THEIRS, WANTED, SOMEBODY)
            self.assertTrue(soon(lambda: "tap2" not in world.links()))

    def test_forwarding_that_another_guest_needs(self) -> None:
        """Turned off with the last guest of the LAN, by a helper that does not know of the new one."""
        def prepare() -> None:
            self.change("del", THEIRS, WANTED, SOMEBODY)
            self.assertEqual(self.change("add", MINE, FREE, NOBODY).exit, 0)

        def add() -> None:
            self.added = self.change("add", THEIRS, WANTED, SOMEBODY)
            self.assertEqual(self.added.exit, 0, self.added)

        def check(status: int) -> None:
            self.assertTrue(forwards(), status)

        prepare()
        self.at_each_call("4", "del", MINE, FREE, MASK, meanwhile=add, afterwards=check, undo=prepare)
        for device, guest, user in ((MINE, FREE, NOBODY), (THEIRS, WANTED, SOMEBODY)):
            self.change("del", device, guest, user)
        self.assertFalse(forwards())

    def test_a_gc_that_was_stopped_for_long(self) -> None:
        """It goes by a host that is no more."""
        def litter() -> None:
            self.change("del", THEIRS, WANTED, SOMEBODY)
            with caller.tuntap_up(self.helper, user=NOBODY) as reply:
                self.assertEqual(self.change("add", reply.name, FREE, NOBODY).exit, 0)
            self.assertTrue(soon(lambda: reply.name not in world.links()))
            self.assertTrue(forwards())

        litter()
        self.at_each_call("gc", meanwhile=lambda: self.assertEqual(self.change("add", THEIRS, WANTED, SOMEBODY).exit, 0),
                          afterwards=lambda _: self.assertTrue(forwards()), undo=litter, every=3)
        self.change("del", THEIRS, WANTED, SOMEBODY)
        self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
        self.assertFalse(forwards())

    def test_an_answer_that_nobody_reads(self) -> None:
        """What was done is taken back after five seconds, and not what another guest came to need meanwhile; the line says
        what was taken back."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        process = subprocess.Popen([self.helper, "4", "add", MINE, FREE, MASK], stdin=subprocess.DEVNULL, stdout=writing,
                                   stderr=subprocess.DEVNULL, **as_user(NOBODY))
        os.close(writing)
        self.addCleanup(os.close, reading)
        self.assertTrue(soon(forwards))
        self.assertEqual(self.change("add", THEIRS, WANTED, SOMEBODY).exit, 0)
        self.assertEqual(process.wait(caller.TIMEOUT), 74)
        self.assertTrue(forwards())
        self.assertEqual(self.last_line()["result"]["changes"],
                         [f"forwarding off for {MINE}", f"{FREE} no longer published on eth0", f"proxy ARP off for {MINE}",
                          f"{FREE} no longer routed to {MINE}"])
        self.assertEqual(self.change("del", THEIRS, WANTED, SOMEBODY).exit, 0)
        self.assertFalse(forwards())

    def stopped_between_policy_and_change(self, event: Callable[[], Any], hold: float = 0) -> tuple[int, bytes]:
        """At the first message that changes something, or at the last that asks."""
        with self.stepped("4", "add", MINE, FREE, MASK) as (stepper, ours):
            while (call := stepper.next_call()) is not None:
                if call[0] == SYS_SENDTO:
                    break
            event()
            time.sleep(hold)
            status = stepper.go_on()
            return status, ours.recv(65536)

    def test_a_policy_that_was_revoked(self) -> None:
        def replaced() -> None:
            world.write_policy({"version": 1, "rules": []})

        def edited() -> None:
            with open(world.POLICY, "w", encoding="utf-8") as policy:
                policy.write(json.dumps({"version": 1, "rules": []}))

        def added() -> None:
            place = world.POLICY.parent / "policy.d"
            place.mkdir(exist_ok=True)
            world.write_policy({"version": 1, "rules": [{"name": "no", "effect": "deny", "users": [NOBODY]}]}, place / "no.json")

        (world.POLICY.parent / "policy.d").mkdir(exist_ok=True)
        for event in (replaced, edited, added):
            with self.subTest(event=event.__name__):
                status, said = self.stopped_between_policy_and_change(event, hold=EXPIRES)
                self.assertEqual(status, 75, said)
                self.assertIn(b"Try again.", said)
                self.assertNotIn(FREE, world.sh("ip", "route"))
            world.write_policy(POLICY)
            for path in (world.POLICY.parent / "policy.d").iterdir():
                path.unlink()
        (world.POLICY.parent / "policy.d").rmdir()
        self.baseline = self.settled()

    def test_a_log_that_was_rotated(self) -> None:
        old = world.LOG.with_suffix(".jsonl.1")

        def rotate() -> None:
            world.LOG.rename(old)
            world.touch_log(world.LOG, 0o660, LOG_GROUP)

        status, said = self.stopped_between_policy_and_change(rotate, hold=EXPIRES)
        self.assertEqual(status, 0, said)
        self.assertFalse([line for line in old.read_text().splitlines() if FREE in line and '"accept"' in line])
        self.assertEqual([line["stage"] for line in world.audit_lines() if line["event"] == "accept"][-2:], ["intent", "result"])
        self.assertEqual(self.change("del", MINE, FREE, NOBODY).exit, 0)
        old.unlink()
        self.baseline = self.settled()

    @staticmethod
    def is_intended() -> bool:
        """The last line is an intent for FREE."""
        last = world.audit_lines()[-1]
        return last["stage"] == "intent" and last["request"].get("address") == FREE

    def test_a_decision_that_expired_is_made_again(self) -> None:
        """Without any change on the host it is the same; with one it is that of the host as it is."""
        status, said = self.stopped_between_policy_and_change(lambda: None, hold=EXPIRES)
        self.assertEqual(status, 0, said)
        self.assertEqual(self.change("del", MINE, FREE, NOBODY).exit, 0)
        with self.stepped("4", "add", MINE, FREE, MASK) as (stepper, _):
            while not self.is_intended():
                self.assertIsNotNone(stepper.next_call())
            time.sleep(EXPIRES)
            self.assertEqual(stepper.go_on(), 0)
        lines = [(line["event"], line["stage"]) for line in world.audit_lines()[-4:]]
        self.assertEqual(lines, [("accept", "intent"), ("reject", "result"), ("accept", "intent"), ("accept", "result")])
        self.assertEqual(self.change("del", MINE, FREE, NOBODY).exit, 0)


if __name__ == "__main__":
    unittest.main()
