"""`uml_net 5 session`: one helper for a VM manager's life, against a real kernel."""

import os
import signal
import socket
import subprocess
import threading
import time
import unittest
from typing import Any

from tests.support import bridge, native, world
from tests.support.case import HELPER, HostCase
from tests.support.guest import soon

PATIENCE = 10  # seconds


def open_fds(session: native.Session) -> int:
    return len(os.listdir(f"/proc/{session.process.pid}/fd"))


class Session(HostCase):
    def session(self, **more: Any) -> native.Session:
        session = native.Session(HELPER, **more)
        self.addCleanup(session.__exit__)
        self.assertTrue(session.begun.ok, session.begun)
        return session

    def test_what_a_session_made_goes_when_it_ends_whoever_holds_it(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        session = self.session()
        self.assertEqual(session.begun.json, {"status": "ok", "id": session.begun.json["id"], "session": True, "fds": 0, "notes": []})
        answers = [session.ask("open", "device=s0", "guest=10.50.0.7"), session.ask("open", "queues=2"),
                   session.ask("open", "sealed"), session.ask("open", "device=keep0", "persist")]
        for answer in answers:
            self.addCleanup(answer.close)
            self.assertTrue(answer.ok, answer)
            self.assertEqual(answer.json["id"], session.begun.json["id"])
        self.assertEqual([len(answer.fds) for answer in answers], [1, 2, 1, 1])
        removed = session.ask("remove", f"device={answers[1].name}")
        self.assertEqual(removed.json["removed"], True)
        self.assertEqual(session.close(), 0)
        self.assertEqual(set(world.links()) - set(before["links"]), {"keep0"})
        self.assertEqual(self.last_line()["result"]["session"],
                         {"ended": "the caller closed the session", "opened": 4, "removed": 1, "refused": 0})
        self.assertEqual(len({line["id"] for line in world.audit_lines()}), 1)
        self.assertTrue(native.call(HELPER, "remove", "device=keep0").ok)
        self.assertEqual(world.snapshot(), before)

    def test_the_helper_holds_no_device_so_that_one_goes_with_its_holder(self) -> None:
        session = self.session()
        for options in ([], ["queues=3"], ["sealed"]):
            answer = session.ask("open", "device=s0", *options)
            self.assertTrue(answer.ok, answer)
            answer.close()
            deadline = time.monotonic() + PATIENCE
            while "s0" in world.links():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    def test_a_refusal_does_not_end_it(self) -> None:
        session = self.session()
        before = world.snapshot()
        for record, says in {b"open\0bogus\0": "no option", b"open\0device=s0": "not whole", b"\0": "no request",
                             b"session\0": "no request", b"open\0device=lo\0": "in use", b"open\0netns=0\0": "none of the 0",
                             b"x" * 9000: "larger"}.items():
            with self.subTest(record[:40]):
                session.send(record)
                answer = session.receive()
                self.assertEqual((answer.json["status"], answer.fds), ("error", []))
                self.assertIn(says, answer.json["error"])
        self.assertEqual(world.snapshot(), before)
        with session.ask("open", "device=s0") as answer:
            self.assertTrue(answer.ok)
        self.assertEqual(session.close(), 0)
        self.assertEqual(self.last_line()["result"]["session"]["opened"], 1)

    def test_descriptors_that_are_not_asked_for_are_closed(self) -> None:
        session = self.session()
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        with session.ask("open", fds=[theirs] * 128) as answer:
            self.assertTrue(answer.ok)
        too_many = session.ask("open", fds=[theirs] * 129)
        self.assertEqual((too_many.json["status"], too_many.fds), ("error", []))
        self.assertIn("128 descriptors", too_many.json["advice"])
        os.close(theirs)
        self.assertEqual(os.read(ours, 1), b"", "somebody still holds the pipe")

    def test_requests_may_wait_in_line(self) -> None:
        session = self.session()
        for number in range(5):
            session.send(f"open\0device=s{number}\0".encode())
        answers = [session.receive() for _ in range(5)]
        for answer in answers:
            self.addCleanup(answer.close)
        self.assertEqual([answer.name for answer in answers], [f"s{number}" for number in range(5)])

    def test_a_signal_ends_it_in_order(self) -> None:
        before = world.snapshot()
        session = self.session()
        with session.ask("open", "device=s0"):
            session.process.send_signal(signal.SIGTERM)
            self.assertEqual(session.wait(), 0)
            self.assertEqual(world.snapshot(), before)
        self.assertEqual(self.last_line()["result"]["session"]["ended"], "a signal asked for the end")

    def test_killed_it_leaves_devices_to_their_holders(self) -> None:
        before = world.snapshot()
        session = self.session()
        with session.ask("open", "device=s0"), session.ask("open", "device=s1", "sealed"):
            session.process.kill()
            session.wait()
            self.assertIn("s0", world.links())
        deadline = time.monotonic() + PATIENCE
        while world.snapshot() != before:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_a_policy_that_changed_is_not_passed_over(self) -> None:
        world.write_policy({"version": 1, "rules": []})
        session = self.session()
        with session.ask("open", "device=s0") as held:
            self.assertTrue(held.ok)
            world.write_policy({"version": 1, "rules": [{"name": "no", "effect": "deny", "users": [0]}]})
            for _ in range(2):
                answer = session.ask("open")
                self.assertEqual((answer.json["status"], answer.json["code"]), ("error", "policy_changed"))
                self.assertIn("reload", answer.json["advice"])
            self.assertIn("s0", world.links())
        self.assertEqual(session.close(), 0)

    def test_what_an_editor_puts_beside_the_policy_changes_nothing(self) -> None:
        drop_ins = world.POLICY.parent / "policy.d"
        drop_ins.mkdir()
        world.write_policy({"version": 1, "rules": []})
        session = self.session()
        for beside in (world.POLICY.parent / ".policy.json.swp", world.POLICY.parent / "policy.json~",
                       drop_ins / ".10-one.json.swp", drop_ins / "10-one.json.new"):
            for _ in range(200):  # more than is read at once
                beside.touch()
                beside.unlink()
            with session.ask("open") as answer:
                self.assertTrue(answer.ok, (beside, answer))
        world.write_policy({"version": 1, "rules": []}, drop_ins / "10-one.json.new")
        with session.ask("open") as answer:
            self.assertTrue(answer.ok, answer)
        (drop_ins / ".noise").touch()
        (drop_ins / "10-one.json.new").rename(drop_ins / "10-one.json")
        (drop_ins / ".noise").unlink()
        self.assertEqual(session.ask("open").json["code"], "policy_changed")

    def test_the_log_may_be_rotated_meanwhile(self) -> None:
        session = self.session()
        old = world.LOG.with_suffix(".jsonl.1")
        world.LOG.rename(old)
        world.touch_log(world.LOG)
        with session.ask("open", "device=s0") as answer:
            self.assertTrue(answer.ok, answer)
        deadline = time.monotonic() + PATIENCE
        while self.events() != [("accept", "intent"), ("accept", "result")]:
            self.assertLess(time.monotonic(), deadline, (world.audit_lines(), old.read_text()))
            time.sleep(0.01)
        before = old.read_text()
        world.LOG.rename(old.with_suffix(".2"))
        answer = session.ask("open")
        self.assertEqual((answer.json["status"], answer.json["code"]), ("error", "audit"))
        self.assertNotIn("tap0", world.links())
        world.touch_log(world.LOG)
        with session.ask("open") as answer:
            self.assertTrue(answer.ok, answer)
        self.assertEqual(session.close(), 0)
        self.assertEqual(old.read_text(), before)
        self.assertEqual(self.last_line()["event"], "exit")

    def test_a_log_that_is_just_being_rotated_is_waited_for(self) -> None:
        session = self.session()
        world.LOG.rename(world.LOG.with_suffix(".jsonl.1"))
        later = threading.Timer(0.2, world.touch_log, [world.LOG])
        later.start()
        self.addCleanup(later.join)
        with session.ask("open", "device=s0") as answer:
            self.assertTrue(answer.ok, answer)
        self.assertEqual(session.close(), 0)
        self.assertEqual(self.events(), [("accept", "intent"), ("accept", "result"), ("exit", "result")])

    def test_lines_of_no_request_go_to_the_new_log_too(self) -> None:
        """Its predecessor may be compressed and gone by then."""
        session = self.session()
        rotated = world.LOG.with_suffix(".jsonl.1")
        for record in (b"open\0bogus\0", b"x" * 9000, None):
            world.LOG.rename(rotated)
            world.touch_log(world.LOG)
            rotated.unlink()
            if record is not None:
                session.send(record)
                self.assertFalse(session.receive().ok)
                self.assertEqual(self.events(), [("reject", "result")])
        self.assertEqual(session.close(), 0)
        self.assertEqual(self.events(), [("exit", "result")])

    def test_few_descriptors_are_kept_whatever_was_asked_for_and_refused(self) -> None:
        session = self.session()
        before = open_fds(session)
        for _ in range(2):
            self.assertFalse(session.ask("open", "queues=64", "device=lo").ok)
            self.assertTrue(soon(lambda: open_fds(session) <= before + 4), open_fds(session))  # the answer comes first

    def test_a_log_that_became_unfit_meanwhile_takes_no_lines(self) -> None:
        session = self.session()
        with session.ask("open") as answer:
            self.assertTrue(answer.ok, answer)
        other_name = world.LOG.with_suffix(".other")
        for spoil, mend in ((lambda: os.link(world.LOG, other_name), other_name.unlink),
                            (lambda: world.LOG.chmod(0o666), lambda: world.LOG.chmod(0o640))):
            spoil()
            answer = session.ask("open")
            mend()
            self.assertEqual((answer.json["status"], answer.json["code"]), ("error", "audit"), answer)
            with session.ask("open") as answer:
                self.assertTrue(answer.ok, answer)
        self.assertEqual(session.close(), 0)

    def test_a_session_is_a_conversation_in_packets(self) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            answer = native.call(HELPER, "session", kind=kind)
            self.assertEqual((answer.json["code"], answer.exit), ("bad_channel", 64))
            self.assertIn("sequenced-packet", answer.json["error"])
        done = subprocess.run([HELPER, "5", "session"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 64)

    def test_bridges_and_headers_as_in_a_single_call(self) -> None:
        bridge.add_bridge()
        session = self.session()
        with session.ask("open", "bridge=br0", "isolated", "vnet-hdr") as answer:
            self.assertTrue(answer.ok, answer)
            self.assertEqual(world.links()[answer.name]["master"], "br0")
            self.assertTrue(bridge.flags_of(answer.fds[0])[1] & bridge.IFF_VNET_HDR)


if __name__ == "__main__":
    unittest.main()
