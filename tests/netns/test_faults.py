"""What the kernel can refuse, refused in turn, under the installed helper and a caller without privilege: each request to
rtnetlink and each answer, each tun ioctl, each send of the reply, each write to the audit log; and then any system call at all. What
was begun is undone whole, every time, and the error says what failed. See failing_call.c for how."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import struct
import tempfile
import unittest
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support import bridge, caller, ethertap, native, seccomp, world
from tests.support.case import HELPER, HostCase

FAILING_CALL = HELPER.parents[1] / "tests" / "netns" / "failing-call"
# prctl() with PR_SET_DUMPABLE, PR_SET_KEEPCAPS and PR_SET_NO_NEW_PRIVS. That of PR_CAPBSET_DROP may fail, as it always
# does with a file capability.
GIVING_UP = {"setresgid", "setresuid", "capset", "prctl 4", "prctl 8", "prctl 38", "seccomp"}
# The front gives up everything, and before it reads.
FRONT_GIVING_UP = {"setresgid", "setresuid", "capset", "prctl 4", "prctl 38", "seccomp"}
NOBODY = 65534
POLICY = {
    "version": 1,
    "rules": [{
        "name": "guests", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address", "bridge", "open"],
        "devices": ["tap*"], "max_queues": 2, "persistent": True,
        "gateways": ["10.99.0.0/16"], "guests": ["10.50.0.0/24"], "bridges": ["br0"], "lan": ["eth0"],
    }],
}
GUEST = ("tap0", "10.50.0.7", "255.255.255.0")
# Of some 300 system calls of a request, this many fail by day; at night, with UMLNET_NIGHTLY=1, all of them do.
BY_DAY = 20


class Fault:
    """The helper with a fault in it: a program to be called in the helper's place."""

    def __init__(self, directory: Path, helper: Path) -> None:
        self.path, self.report, self.helper = directory / "uml_net", directory / "report", helper
        self.set("any", 0, 0)

    def set(self, kind: str, at: int, error: int) -> None:
        words = (FAILING_CALL, kind, at, error, NOBODY, self.report, self.helper)
        self.path.write_text(f"#!/bin/sh\nexec {' '.join(map(str, words))} \"$@\"\n")
        self.path.chmod(0o755)

    def count(self) -> int:
        return int(self.report.read_text().split()[0])

    def call(self) -> str:
        """The number of the system call that failed, for a report."""
        return self.report.read_text().split()[1]

    def happened(self) -> bool:
        return int(self.report.read_text().split()[1]) != -1


class Faults(HostCase):
    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)
        lan = world.lan()
        self.addCleanup(lan.close)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.helper = world.helper_copy(HELPER, "setuid")
        self.fault = Fault(Path(directory.name), self.helper)

    def hold_a_tap(self) -> None:
        reply = caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY)
        self.addCleanup(reply.close)
        self.assertEqual((reply.exit, reply.name), (0, "tap0"), reply)

    def count_of(self, kind: str, request: Callable[[], caller.Reply]) -> int:
        """How many calls of the kind the request makes where nothing fails."""
        self.fault.set(kind, 0, 0)
        with request() as reply:
            self.assertEqual(reply.exit, 0, reply)
        return self.fault.count()

    def each(self, kind: str, request: Callable[[], caller.Reply], undo: Callable[[], Any] = lambda: None) -> None:
        """The request with each of its calls of the kind failed in turn."""
        count = self.count_of(kind, request)
        self.assertGreater(count, 0)
        undo()
        before = world.snapshot()
        for at in range(1, count + 1):
            error = (errno.EIO, errno.ENOMEM, errno.EPERM)[at % 3]
            with self.subTest(kind=kind, call=at, of=count, error=errno.errorcode[error]):
                world.reset_log()
                self.fault.set(kind, at, error)
                with request() as reply:
                    self.assertTrue(self.fault.happened())
                    self.check(kind, reply, errno.errorcode[error], before)
            undo()
            self.assertEqual(world.snapshot(), before)

    def check(self, kind: str, reply: caller.Reply, error: str, before: dict[str, Any]) -> None:
        if kind == "tun" and "make tap5 persistent" in reply.stderr:
            reply.close()  # the one change behind the answer: its holder has the device until he closes it
        said = (reply.text if len(reply.data) > 1 else "") + reply.stderr
        self.assertNotEqual(reply.exit, 0, reply)
        self.assertIn("uml_net: ", said)
        self.assertIn(error, said)
        lines = world.audit_lines()
        if kind == "audit" and lines and lines[-1]["stage"] == "intent":
            # The caller has been told that it was done: so it stays, and is on record.
            self.assertIn("audit log", said)
            return
        self.assertEqual(reply.fds, [])
        self.assertEqual(world.snapshot(), before)
        if kind == "audit":
            self.assertIn("audit log", said)
            self.assertEqual(lines, [])
        else:
            self.assertIn(lines[-1]["event"], ("reject", "exit"))
            self.assertEqual(lines[-1]["result"].get("errno"), error, lines[-1])

    def test_a_tap(self) -> None:
        for kind in ("netlink", "answer", "tun", "reply", "audit"):
            self.each(kind, lambda: caller.tuntap_up(self.fault.path, "10.99.0.254"))

    def test_a_kernel_without_the_classifier_and_one_without_ipv6(self) -> None:
        def up() -> caller.Reply:
            return caller.tuntap_up(self.fault.path, "10.99.0.254")

        before = world.snapshot()
        advised = []
        for at in range(1, self.count_of("netlink", up) + 1):
            self.fault.set("netlink", at, errno.ENOENT)
            with up() as reply:
                if "modprobe -a cls_bpf sch_ingress" in reply.stderr + (reply.text if len(reply.data) > 1 else ""):
                    self.assertEqual((reply.exit, reply.fds), (71, []))
                    advised.append(at)
            self.assertEqual(world.snapshot(), before)
        # The alias; no link-local address; the queueing discipline; the classifier.
        self.assertEqual(len(advised), 4)
        self.fault.set("netlink", advised[1], errno.EAFNOSUPPORT)
        with up() as reply:
            self.assertEqual((reply.exit, len(reply.fds)), (0, 1))
            self.assertIn("bpf", world.sh("tc", "filter", "show", "dev", "tap0", "ingress"))

    def test_a_tap_on_a_bridge(self) -> None:
        bridge.add_bridge()
        for kind in ("netlink", "answer", "tun", "audit"):
            self.each(kind, lambda: bridge.ask(self.fault.path))

    def native_open(self, *options: str) -> caller.Reply:
        """The answer in the form of the others: what it says of an error as if it stood on stderr."""
        answer = native.call(self.fault.path, "open", *options)
        said = "" if answer.ok or not answer.json else f"uml_net: {answer.json['error']}\n{answer.json['advice']}\n"
        return caller.Reply(answer.exit, fds=answer.fds, stderr=said + answer.stderr)

    def test_all_of_the_native_protocol(self) -> None:
        options = ("device=tap5", "queues=2", "address=10.99.0.254/24", "guest=10.50.0.7", "anti-spoof",
                   "guest-mac=52:54:00:aa:bb:cc")
        for kind in ("netlink", "answer", "tun", "reply", "audit"):
            self.each(kind, lambda: self.native_open(*options), undo=lambda: caller.run(self.helper, "gc"))

    def test_a_persistent_device(self) -> None:
        for kind in ("netlink", "tun", "reply", "audit"):
            self.each(kind, lambda: self.native_open("device=tap5", "persist"),
                      undo=lambda: native.call(self.helper, "remove", "device=tap5", user=NOBODY))

    def test_an_address(self) -> None:
        self.hold_a_tap()
        for kind in ("netlink", "answer", "reply", "audit"):
            self.each(kind, lambda: caller.framed(self.fault.path, "4", "add", *GUEST),
                      undo=lambda: caller.framed(self.helper, "4", "del", *GUEST, user=NOBODY))

    def test_an_address_taken_back(self) -> None:
        self.hold_a_tap()

        def add() -> None:
            caller.framed(self.helper, "4", "add", *GUEST, user=NOBODY)

        add()
        for kind in ("netlink", "answer", "audit"):
            self.each(kind, lambda: caller.framed(self.fault.path, "4", "del", *GUEST), undo=add)

    def session(self) -> tuple[int, list[str]]:
        """A whole ethertap session, with one address: the exit status, and all that was said."""
        with ethertap.Session(self.fault.path, "tap7", "10.99.0.254") as session:
            said = [session.text]
            if session.status == b"\1":
                try:
                    said += [session.ask(what, "10.50.0.7") for what in (ethertap.ADD, ethertap.DELETE)]
                except (OSError, struct.error):
                    pass  # the helper has ended
                status = session.close()
            else:
                status = session.wait()
            assert session.process.stderr
            return status, [*said, session.process.stderr.read().decode()]

    def test_an_ethertap_session(self) -> None:
        """Whatever fails, at the opening, at a record or at the end: with the session nothing is left."""
        before = world.snapshot()
        for kind in ("netlink", "tun", "reply", "audit"):
            self.fault.set(kind, 0, 0)
            undisturbed = self.session()
            self.assertEqual(undisturbed[0], 0)
            count = self.fault.count()
            self.assertGreater(count, 0)
            for at in range(1, count + 1):
                with self.subTest(kind=kind, call=at, of=count):
                    world.reset_log()
                    self.fault.set(kind, at, errno.EIO)
                    status, said = seen = self.session()
                    if not self.fault.happened():  # a notice of the network more or less is another look at the host
                        self.assertEqual((self.fault.count() < at, seen), (True, undisturbed))
                        self.assertGreater(at, count - 20)
                    if "failed: " in json.dumps(world.audit_lines()):  # on record, and for the next request
                        caller.run(self.helper, "gc", user=NOBODY)
                    self.assertEqual(world.snapshot(), before, world.audit_lines())
                    failures = [text for text in said if "uml_net: " in text]
                    recorded = [line for line in world.audit_lines() if "EIO" in json.dumps(line)]
                    # What is only asked out of interest (drops, the peer's state) may stay unknown.
                    self.assertTrue(failures or recorded or seen == undisturbed, seen)
                    if failures:
                        self.assertIn("EIO", failures[0])

    def native_session(self) -> tuple[int, list[str]]:
        """A whole session of the native protocol: the exit status, and all that was said."""
        said = []
        with native.Session(self.fault.path) as session:
            answers = [session.begun]
            try:
                if session.begun.ok:
                    for words in (("open", "device=tap5", "address=10.99.0.254/24", "guest=10.50.0.7"), ("open", "sealed"),
                                  ("remove", "device=tap5")):
                        answers.append(session.ask(*words))
                session.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the helper has ended
            for answer in answers:
                said.append(f"uml_net: {answer.json['error']}" if "error" in answer.json else str(answer.json.get("device")))
                answer.close()  # the one who lets calls fail waits for the relay as well
            status = session.wait()
        return status, [*said, session.stderr]

    def test_a_session_of_the_native_protocol(self) -> None:
        """Whatever fails: it is said to the caller or on record, and with the session nothing is left."""
        before = world.snapshot()
        for kind in ("netlink", "answer", "tun", "reply", "audit"):
            self.fault.set(kind, 0, 0)
            undisturbed = self.native_session()
            self.assertEqual(undisturbed[0], 0)
            count = self.fault.count()
            self.assertGreater(count, 0)
            for at in self.places(count):
                with self.subTest(kind=kind, call=at, of=count):
                    world.reset_log()
                    self.fault.set(kind, at, errno.EIO)
                    _, said = seen = self.native_session()
                    if not self.fault.happened():  # a notice of the network more or less is another look at the host
                        self.assertEqual((self.fault.count() < at, seen), (True, undisturbed))
                        self.assertGreater(at, count - 20)
                    caller.run(self.helper, "gc", user=NOBODY)
                    self.assertEqual(world.snapshot(), before)
                    failures = [text for text in said if "uml_net: " in text]
                    recorded = [line for line in world.audit_lines() if "EIO" in json.dumps(line)]
                    self.assertTrue(failures or recorded or seen == undisturbed, seen)

    def outcome_is_whole(self, reply: caller.Reply, before: dict[str, Any], granted: bool) -> None:
        """Of a request in which anything may have failed: all of it or nothing, and a log that can be read."""
        lines = world.audit_lines()
        if granted:
            self.assertIn(("accept", "intent"), [(line["event"], line["stage"]) for line in lines])
        else:
            self.assertNotEqual(reply.exit, 0, reply)
            self.assertEqual(world.snapshot(), before, f"system call {self.fault.call()}: {reply}")

    def places(self, count: int) -> Iterable[int]:
        return range(1, count + 1, 1 if os.environ.get("UMLNET_NIGHTLY") == "1" else max(1, count // BY_DAY))

    def test_any_system_call_at_all_for_a_tap(self) -> None:
        """A failure is never taken for a success."""
        count = self.count_of("any", lambda: caller.tuntap_up(self.fault.path, "10.99.0.254"))
        before = world.snapshot()
        for at in self.places(count):
            with self.subTest(call=at, of=count):
                world.reset_log()
                self.fault.set("any", at, errno.EIO)
                with caller.tuntap_up(self.fault.path, "10.99.0.254") as reply:
                    self.outcome_is_whole(reply, before, bool(reply.fds))
                self.assertEqual(world.snapshot(), before)

    def test_no_step_of_giving_up_privilege_may_fail(self) -> None:
        """A program that goes on where setresuid() fails, as it does for want of memory, is root from there on."""
        def up() -> caller.Reply:
            return caller.tuntap_up(self.fault.path, "10.99.0.254")

        self.fault.set("trace", 0, 0)
        up().close()
        names = seccomp.names()
        traced = [line.split() for line in self.fault.report.read_text().splitlines()]
        program = traced[0][-1]
        front = str(min(int(words[-1]) for words in traced if words[-1] != program))  # the first that it made
        before = world.snapshot()
        for kind, pid, expected in (("any", program, GIVING_UP), ("front", front, FRONT_GIVING_UP)):
            calls = [(names[int(words[0])], words[1], int(words[6], 16)) for words in traced if words[-1] == pid]  # and CapEff
            while kind == "any" and calls[0][0] != "capget":  # from where it counts
                del calls[0]
            seen = set()
            for at, (name, argument, in_effect) in enumerate(calls, 1):
                step = f"{name} {argument}" if name == "prctl" else name
                if step not in expected or (kind == "any" and name == "capset" and in_effect == 0):  # which raises something, or nothing
                    continue
                seen.add(step)
                with self.subTest(process=kind, step=step, at=at):
                    world.reset_log()
                    self.fault.set(kind, at, errno.EAGAIN)
                    with up() as reply:
                        self.assertTrue(self.fault.happened())
                        self.assertNotEqual(reply.exit, 0, reply)
                        self.assertEqual(reply.fds, [])
                        self.assertNotIn("accept", [event for event, _ in self.events()])
                    self.assertEqual(world.snapshot(), before)
                if name == "seccomp":
                    break  # a capset() that fails from here on ends the process: netns and users look at that with "any"
            self.assertEqual(seen, expected)

    def test_any_system_call_at_all_for_an_address(self) -> None:
        self.hold_a_tap()
        before = world.snapshot()
        count = self.count_of("any", lambda: caller.framed(self.fault.path, "4", "add", *GUEST))
        after = world.snapshot()
        for at in self.places(count):
            self.forget_guest()
            with self.subTest(call=at, of=count):
                world.reset_log()
                self.fault.set("any", at, errno.EIO)
                with caller.framed(self.fault.path, "4", "add", *GUEST) as reply:
                    self.outcome_is_whole(reply, before, world.snapshot() == after)

    def forget_guest(self) -> None:
        """As an administrator would, whatever there is of it."""
        device, address, _ = GUEST
        for name in (device, "eth0"):
            for mark in re.findall(r"altname (umlnet:\S+)", world.sh("ip", "link", "show", "dev", name)):
                world.sh("ip", "link", "property", "del", "dev", name, "altname", mark)
        world.sh("ip", "route", "del", address, "dev", device, check=False)
        world.sh("ip", "neigh", "del", "proxy", address, "dev", "eth0", check=False)
        for setting in (f"{device}/forwarding", f"{device}/proxy_arp", "eth0/forwarding"):
            Path("/proc/sys/net/ipv4/conf", setting).write_text("0")


if __name__ == "__main__":
    unittest.main()
