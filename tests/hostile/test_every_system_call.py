"""The helper killed and stopped at each of its system calls in turn, between any two changes to the host.

A run in CI takes the first call of every kind: by number and by what it is about, as the message to the kernel, the file,
the descriptor. UMLNET_NIGHTLY=1 takes every single one, with both installations."""

import contextlib
import os
import signal
import socket
import subprocess
import unittest
from pathlib import Path
from typing import Any, Iterator, Sequence

from tests.support import caller, native, world
from tests.support.ethertap import ADD, DELETE, record
from tests.support.hostile import (FREE, GATE, INSTALLATIONS, MASK, MINE, MY_GUEST, NOBODY, OPERATIONS, POLICY, SESSION, SOMEBODY,
                                   HostileCase, Operation, as_user, call)
from tests.support.process import status_of
from tests.support.tracer import Stepper

KINDS = {"datagram": socket.SOCK_DGRAM, "packet": socket.SOCK_SEQPACKET, "session": socket.SOCK_SEQPACKET}
# Of a session, by the order in which they are forked.
CHILDREN = {"front": (1,), "recorder": (2,), "announcer": (3,), "caller_worker": (4,), "relay": (4, 1)}
RICH = ("5", "open", "device=uml1", "queues=2", f"address={GATE}", "address=fd00:99::1/64", f"guest={FREE}", "guest=fd00:50::8",
        "guest-mac=52:54:00:aa:bb:cc", "anti-spoof", "mtu=1400")
ALL = {**OPERATIONS, "open": Operation(RICH, "packet", ("gc",)), "persist": Operation(("5", "open", "device=uml1", "persist", f"address={GATE}", f"guest={FREE}"), "packet"),
       "remove": Operation(("5", "remove", "device=uml1"), "packet")}
THOROUGH = os.environ.get("UMLNET_NIGHTLY") == "1"
SYS_GETRANDOM, SYS_SETRESUID = 318, 117
NUMBER = 9  # of the socket that a request names
ARP = b"\0\0" + b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x08\x06" + bytes(46)


class EverySystemCall(HostileCase):
    def setUp(self) -> None:
        super().setUp()
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("0")  # for new devices
        ranges = {key: ["0.0.0.0/0", "fd00::/8"] for key in ("gateways", "guests")}
        rules = [{**rule, **ranges, "max_devices": 2, "max_addresses": 3} for rule in POLICY["rules"]]  # type: ignore[attr-defined]
        world.write_policy({**POLICY, "rules": rules})
        self.baseline = self.settled()

    @contextlib.contextmanager
    def stepped(self, how: str, operation: str, child: Sequence[int] = ()) -> Iterator[Stepper]:
        """All that the caller will ever say is in the sockets already; in an ethertap session two records, a frame and
        the end, in one of the native protocol all that is asked for, and the end. `self.ours` takes the answers."""
        what = ALL[operation]
        ours, theirs = socket.socketpair(socket.AF_UNIX, KINDS.get(what.channel, socket.SOCK_STREAM))
        self.ours = ours
        data, their_data = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.ExitStack() as stack:
            for end in (ours, theirs, data, their_data):
                stack.callback(end.close)
            nowhere = os.open("/dev/null", os.O_RDWR)
            stack.callback(os.close, nowhere)
            fds = {0: nowhere, 1: nowhere if operation == "bridge" else theirs.fileno(), 2: nowhere}
            if what.channel in ("control", "qemu"):
                fds[NUMBER] = theirs.fileno() if operation == "bridge" else their_data.fileno()
            if operation == "ethertap":
                ours.sendall(record(ADD, FREE) + record(DELETE, FREE))
                ours.shutdown(socket.SHUT_WR)
                data.send(ARP)
            if operation == "session":
                for asked in SESSION:
                    ours.send(asked)
                ours.shutdown(socket.SHUT_WR)
            argv = [str(self.helpers[how]), *(word.replace("{socket}", str(NUMBER)) for word in what.words)]
            stepper = stack.enter_context(Stepper(argv, NOBODY, fds, child))
            theirs.close()
            their_data.close()
            yield stepper

    def numbers_of_calls(self, how: str, operation: str, child: Sequence[int] = ()) -> list[int]:
        """To stop at, from a run that nothing disturbs."""
        with self.stepped(how, operation, child) as stepper:
            kinds = list(stepper)
            # The program ends the child that it forked, where it comes to that first.
            self.assertIn(stepper.go_on(), (0, -signal.SIGKILL) if child else (0,))
        if THOROUGH:
            return list(range(len(kinds)))
        # What comes before the request's random id is the same for all of them.
        start = 0 if operation == "up" or child else max(at for at, kind in enumerate(kinds) if kind[0] == SYS_GETRANDOM)
        return [at for at in range(start, len(kinds)) if kinds[at] not in kinds[start:at]]

    def chosen(self, how: str, operation: str, child: Sequence[int] = ()) -> list[int]:
        numbers = self.numbers_of_calls(how, operation, child)
        self.undo(operation)
        return numbers

    def undo(self, operation: str) -> None:
        what = ALL[operation]
        if what.undo:
            self.assertEqual(call(self.helper, "pipe", what.undo).exit, 0)
        self.assert_host_unchanged()

    def killed(self, how: str, operation: str, number: int, child: Sequence[int] = ()) -> None:
        """At that call."""
        before = len(world.audit_lines())
        with self.stepped(how, operation, child) as stepper:
            for _ in range(number + 1):
                stepper.next_call()
            stepper.kill()
        # The other process of a session hears of it, and takes a moment to end.
        self.wait_until(lambda: "uml1:" not in Path("/proc/net/dev").read_text())
        if how == "setuid" and child != CHILDREN["recorder"]:
            self.wait_until(lambda: not self.owed(world.audit_lines()[before:]))

    @staticmethod
    def owed(lines: list[dict[str, Any]]) -> set[tuple[str, str]]:
        """The requests whose intent is on record, and not what came of it; and the sessions without an end."""
        owed: set[tuple[str, str]] = set()
        for line in lines:
            key = (line["id"], line.get("request", {}).get("operation", ""))  # a summary has no request
            if line["stage"] == "intent":
                owed.add(key)
            elif line["event"] == "accept" and key[1] in ("ethertap", "session"):
                owed.add((line["id"], key[1] + "'s end"))
                owed.discard(key)
            elif line["event"] == "exit":
                owed -= {key, (line["id"], key[1] + "'s end")}
            else:
                owed.discard(key)
        return owed

    def installations(self, operation: str) -> tuple[str, ...]:
        return INSTALLATIONS if THOROUGH or operation == "up" else INSTALLATIONS[:1]

    def test_killed_while_it_makes_a_device(self) -> None:
        """The next request is within the limits, gets a device, and leaves nothing."""
        for operation in ("up", "bridge", "ethertap", "open", "session"):
            for how in self.installations(operation):
                for number in self.chosen(how, operation):
                    with self.subTest(how, operation=operation, call=number):
                        self.killed(how, operation, number)
                        self.assert_served(operation, self.helper)

    def test_killed_while_it_moves_frames(self) -> None:
        """Each process of an ethertap session but the controller."""
        for name, child in {"front": (1,), "recorder": (2,), "announcer": (3,), "relay": (4,)}.items():
            for number in self.chosen("setuid", "ethertap", child):
                with self.subTest(process=name, call=number):
                    self.killed("setuid", "ethertap", number, child)
                    self.assert_served("ethertap", self.helper)

    def test_what_a_session_starts_killed(self) -> None:
        """The session goes on to its end, which its caller has sent already, and nothing is left of it."""
        for name, child in CHILDREN.items():
            for number in self.chosen("setuid", "session", child):
                with self.subTest(process=name, call=number):
                    self.killed("setuid", "session", number, child)
                    self.assert_host_unchanged()
            self.assert_served("session", self.helper)

    def test_a_recorder_that_is_stopped_while_it_becomes_roots(self) -> None:
        """A stop that its caller sends before it is root's, and that takes effect when it is, would last for ever."""
        with self.stepped("setuid", "up", CHILDREN["recorder"]) as stepper:
            while (called := stepper.next_call()) is not None and called[0] != SYS_SETRESUID:
                pass
            self.assertIsNotNone(called)
            stopped = subprocess.run(["/bin/kill", "-STOP", str(stepper.pid)], **as_user(NOBODY))
            self.assertEqual(stopped.returncode, 0)
            recorder = stepper.let_go()
            self.wait_until(lambda: status_of(recorder)["State"][0] == "T")
            self.assertEqual(set(status_of(recorder)["Uid"].split()), {"0"})
            ended = subprocess.run(["/bin/kill", "-KILL", str(recorder)], stderr=subprocess.DEVNULL, **as_user(NOBODY))
            self.assertNotEqual(ended.returncode, 0)
            assert stepper.program
            os.kill(stepper.program, signal.SIGKILL)
        self.wait_until(lambda: not Path(f"/proc/{recorder}").exists() or status_of(recorder)["State"][0] in "ZX")
        self.assert_served("up", self.helper)

    def test_killed_while_it_makes_a_persistent_device(self) -> None:
        """It is there where the caller has the answer, and otherwise not."""
        with self.taken_back():
            numbers = self.numbers_of_calls("setuid", "persist")
        for number in numbers:
            with self.subTest(call=number), self.taken_back():
                with self.stepped("setuid", "persist") as stepper:
                    for _ in range(number + 1):
                        stepper.next_call()
                    stepper.kill()
                    self.ours.setblocking(False)
                    try:
                        answered = bool(self.ours.recv(65536))
                    except BlockingIOError:
                        answered = False
                self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
                self.assertTrue(answered or "uml1" not in world.links())

    @contextlib.contextmanager
    def taken_back(self) -> Iterator[None]:
        yield
        answer = native.call(self.helper, "remove", "device=uml1", user=NOBODY)
        self.assertIn(answer.exit, (0, 66), answer)
        self.assert_host_unchanged()

    def test_killed_while_it_removes_a_device(self) -> None:
        """The caller asks again, and nothing is left."""
        numbers: list[int] | None = None
        while numbers is None or numbers:
            native.opened(self.helper, *ALL["persist"].words[2:], user=NOBODY).close()
            if numbers is None:
                numbers = self.numbers_of_calls("setuid", "remove")
                self.assert_host_unchanged()
                continue
            with self.subTest(call=numbers[-1]), self.taken_back(), self.stepped("setuid", "remove") as stepper:
                for _ in range(numbers.pop() + 1):
                    stepper.next_call()
                stepper.kill()

    def test_killed_while_it_adds_or_removes_an_address(self) -> None:
        """The caller asks again, and has what it asked for; or takes it back, and nothing is left."""
        for operation in ("add", "del"):
            what = OPERATIONS[operation]
            for how in self.installations(operation):
                for number in self.chosen(how, operation):
                    with self.subTest(how, operation=operation, call=number):
                        self.killed(how, operation, number)
                        again = call(self.helper, what.channel, what.words)
                        self.assertIn((again.exit, operation), [(0, "add"), (0, "del"), (69, "del")], again)
                        self.undo(operation)

    def test_killed_together_with_its_caller(self) -> None:
        """What the two leave goes with the next request of anybody."""
        self.mine.close()
        self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
        self.baseline = self.settled()
        for operation, prepared in (("add", []), ("del", [FREE])):
            numbers: list[int] | None = None
            while numbers is None or numbers:
                with caller.tuntap_up(self.helper, GATE, user=NOBODY) as mine:
                    self.assertEqual((mine.exit, mine.name), (0, MINE), mine)
                    for address in [MY_GUEST, *prepared]:
                        added = caller.framed(self.helper, "4", "add", MINE, address, MASK, user=NOBODY)
                        self.assertEqual(added.exit, 0, added)
                    if numbers is None:
                        numbers = self.numbers_of_calls("setuid", operation)
                    else:
                        self.killed("setuid", operation, numbers.pop())
                with self.subTest(operation=operation):
                    self.assertEqual(caller.run(self.helper, "gc", user=SOMEBODY).returncode, 0)
                    self.assert_host_unchanged()

    def test_stopped_it_holds_up_no_other_user_and_cannot_be_looked_into(self) -> None:
        """As SIGSTOP would have it. Before it goes on, another user gets a device, and the caller nothing of the memory."""
        for operation in OPERATIONS:
            for how in self.installations(operation):
                chosen = self.chosen(how, operation)
                with self.stepped(how, operation) as stepper:
                    for number, _ in enumerate(stepper):
                        if number not in chosen:
                            continue
                        with self.subTest(how, operation=operation, call=number):
                            self.assert_closed(stepper.pid)
                            with caller.tuntap_up(self.helper, GATE, user=SOMEBODY) as reply:
                                self.assertEqual(reply.exit, 0, reply)
                    status = stepper.go_on()
                if status == 75:  # in all it was stopped for longer than a decision lasts
                    self.assert_host_unchanged()
                    continue
                self.assertEqual(status, 0)
                self.undo(operation)

    def assert_closed(self, pid: int) -> None:
        """To NOBODY, whose process it is."""
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            for file in ("mem", "maps", "environ", "auxv", "syscall", "stack", "fd", "exe", "cwd"):
                with self.assertRaises(PermissionError, msg=file):
                    path = f"/proc/{pid}/{file}"
                    if file in ("exe", "cwd"):
                        os.readlink(path)
                    elif file == "fd":
                        os.listdir(path)
                    else:
                        with open(path, "rb") as opened:
                            opened.read(1)
        finally:
            os.seteuid(0)
            os.setegid(0)


if __name__ == "__main__":
    unittest.main()
