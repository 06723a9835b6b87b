"""`uml_net 4 ethertap DEV DATA_FD [GATE]`: the session's wire, its frames and its end, against a real kernel."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest
from pathlib import Path

from tests.support import caller, tcp, world
from tests.support.case import HELPER, HostCase
from tests.support.ethertap import ADD, DELETE, Session, record
from tests.support.linux_guest import LinuxGuest
from tests.support.process import capabilities, status_of

GATE, GUEST = "10.99.0.254", "10.99.0.1"
GUEST_MAC = bytes.fromhex("0242ac110002")
ARP, IPV4, TEST = b"\x08\x06", b"\x08\x00", b"\x88\xb5"  # the last: IEEE 802 local experimental
PAD = b"\0\0"


def mac_of(device: str) -> bytes:
    return bytes.fromhex(world.links()[device]["address"].replace(":", ""))


def arp(operation: int, target_mac: bytes, target: str) -> bytes:
    """From the guest: who has `target` (1), or here I am (2)."""
    ethernet = (target_mac if operation == 2 else b"\xff" * 6) + GUEST_MAC + ARP
    return ethernet + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + GUEST_MAC + socket.inet_aton(GUEST) + (
        target_mac + socket.inet_aton(target))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(mac: bytes, size: int) -> bytes:
    """An ICMP echo request in a frame of `size` bytes."""
    payload = bytes(size - 14 - 20 - 8)
    icmp = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
    icmp = struct.pack("!BBHHH", 8, 0, checksum(icmp + payload), 1, 1) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, socket.inet_aton(GUEST), socket.inet_aton(GATE))
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return mac + GUEST_MAC + IPV4 + header + icmp


class Ethertap(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = world.snapshot()

    def exit_line(self) -> dict:
        line = self.last_line()
        self.assertEqual((line["event"], line["request"]["operation"]), ("exit", "ethertap"))
        return line["result"]

    # The wire.

    def test_a_session_from_begin_to_end(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            self.assertEqual((session.status, session.text), (b"\1", f"tap7 up with {GATE}/32\n"))
            self.assertEqual(session.ask(ADD, GUEST), f"{GUEST} routed to tap7\n")
            self.assertIn(f"{GUEST} dev tap7 proto 117 scope link", world.routes())
            self.assertRegex(world.links()["tap7"]["ifalias"], r"^uml_net uid=0 id=\S+ since=\S+Z ethertap gateway=10\.99\.0\.254$")
            self.assertEqual(session.ask(DELETE, GUEST), f"{GUEST} no longer routed to tap7\n")
            self.assertEqual(session.close(), 0)
        self.assertEqual(world.snapshot(), self.before)
        self.assertEqual(self.events(), [("accept", "intent"), ("accept", "result")] * 3 + [("exit", "result")])
        self.assertEqual(len({line["id"] for line in world.audit_lines()}), 1)
        result = self.exit_line()
        self.assertEqual((result["session"]["addresses_added"], result["session"]["addresses_removed"]), (1, 1))
        self.assertEqual(result["changes"], ["tap7 gone"])
        self.assertGreater(result["duration_us"], 0)

    def test_the_log_may_be_rotated_meanwhile(self) -> None:
        rotated = world.LOG.with_suffix(".jsonl.1")
        granted = [("accept", "intent"), ("accept", "result")]

        def rotate() -> None:
            world.LOG.rename(rotated)
            world.touch_log(world.LOG)
            rotated.unlink()  # it may be compressed

        with Session(HELPER, "tap7", GATE) as session:
            while self.events() != granted:  # the reply comes before the second line
                self.assertIsNone(session.process.poll())
            for what, events in ((ADD, granted), (DELETE, granted), (2, [("reject", "result")])):
                rotate()
                session.ask(what, GUEST)
                self.assertEqual(self.events(), events)
            rotate()
            self.assertEqual(session.close(), 0)
        self.assertEqual(self.events(), [("exit", "result")])
        self.assertEqual(world.snapshot(), self.before)

    def test_what_no_log_would_show_is_refused(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            routes = world.routes()
            world.LOG.rename(world.LOG.with_suffix(".jsonl.1"))
            for what, address in ((ADD, "10.50.0.8"), (DELETE, GUEST)):
                self.assertRegex(session.ask(what, address), r"^uml_net: cannot open the audit log .* again: No such file")
            self.assertEqual(world.routes(), routes)
            world.touch_log(world.LOG)
            self.assertIn("no longer routed", session.ask(DELETE, GUEST))
            self.assertEqual(session.close(), 0)
        self.assertEqual(world.snapshot(), self.before)

    def test_a_killed_recorder_ends_what_is_granted_and_not_the_session(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            os.kill(session.recorder(), signal.SIGKILL)
            routes = world.routes()
            self.assertIn("does not answer: it is gone", session.ask(ADD, "10.50.0.8"))
            self.assertEqual(world.routes(), routes)
            session.data.send(PAD + arp(1, bytes(6), GATE))
            self.assertEqual(len(session.frames(1, ARP)), 1)
            self.assertEqual(session.close(), 71)  # its last line could not be written
        self.assertEqual(world.snapshot(), self.before)

    def test_a_signal_to_all_its_processes_is_for_the_session(self) -> None:
        """As where a service is stopped, or the host: the last line still goes to the log that is there then."""
        with Session(HELPER, "tap7", GATE) as session:
            while self.events() != [("accept", "intent"), ("accept", "result")]:
                self.assertIsNone(session.process.poll())
            world.LOG.unlink()
            world.touch_log(world.LOG)
            for pid in (*session.children(), session.process.pid):
                os.kill(pid, signal.SIGTERM)
            self.assertEqual(session.wait(), 0)
        self.assertEqual(self.exit_line()["changes"], ["tap7 gone"])
        self.assertEqual(world.snapshot(), self.before)

    def test_it_takes_a_policy_that_changed(self) -> None:
        drop_ins = world.POLICY.with_name("policy.d")
        drop_ins.mkdir()
        self.addCleanup(shutil.rmtree, drop_ins)
        deny = {"version": 1, "rules": [{"name": "not-this", "effect": "deny", "users": [0], "guests": ["10.50.0.8/32"]}]}
        with Session(HELPER, "tap7", GATE) as session:
            self.assertIn("routed to tap7", session.ask(ADD, GUEST))
            for change, undo in ((lambda: world.write_policy(deny, drop_ins / "10-more.json"), (drop_ins / "10-more.json").unlink),
                                 (lambda: world.write_policy(deny), world.POLICY.unlink)):
                change()
                routes = world.routes()
                self.assertIn("not-this", session.ask(ADD, "10.50.0.8"))
                self.assertEqual(world.routes(), routes)
                self.assertEqual([(line["event"], line["request"]["operation"]) for line in world.audit_lines()[-2:]],
                                 [("accept", "reload"), ("reject", "add")])
                self.assertIn("routed to tap7", session.ask(ADD, "10.50.0.9"))
                undo()
                self.assertIn("routed to tap7", session.ask(ADD, "10.50.0.8"))
                self.assertIn("no longer routed", session.ask(DELETE, "10.50.0.8"))
                self.assertIn("no longer routed", session.ask(DELETE, "10.50.0.9"))
            self.assertEqual(session.close(), 0)
        self.assertEqual(world.snapshot(), self.before)

    def test_it_does_nothing_by_a_policy_that_is_wrong(self) -> None:
        good = {"version": 1, "rules": []}
        world.write_policy(good)
        with Session(HELPER, "tap7", GATE) as session:
            self.assertIn("routed to tap7", session.ask(ADD, GUEST))
            world.write_policy("{")
            for again in (ADD, DELETE):
                self.assertIn("/etc/umlnet/policy.json", session.ask(again, GUEST))
                self.assertEqual((self.last_line()["event"], self.last_line()["request"]["operation"]),
                                 ("alert", "add" if again == ADD else "del"))
            world.write_policy(good)
            world.POLICY.touch()
            lines = len(world.audit_lines())
            self.assertIn("no longer routed", session.ask(DELETE, GUEST))
            self.assertNotIn("reload", [line["request"]["operation"] for line in world.audit_lines()[lines:]])
            self.assertEqual(session.close(), 0)

    def test_records_split_and_joined_are_answered_in_order(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            stream = b"".join(record(ADD, f"10.99.0.{number}") for number in range(1, 11)) + record(DELETE, "10.99.0.3")
            for byte in stream[:30]:
                session.control.sendall(bytes([byte]))
                time.sleep(0.002)
            session.control.sendall(stream[30:])
            answers = [session.take_text() for _ in range(11)]
            self.assertEqual(answers[:10], [f"10.99.0.{number} routed to tap7\n" for number in range(1, 11)])
            self.assertEqual(answers[10], "10.99.0.3 no longer routed to tap7\n")

    def test_bad_records_are_answered_and_change_nothing(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            up = world.snapshot()
            for what, address, mask, words in ((2, GUEST, "255.255.255.0", "operation 2 is not known"),
                                               (-1, GUEST, "255.255.255.0", "operation -1 is not known"),
                                               (ADD, GUEST, "255.0.255.0", "is not an IPv4 netmask"),
                                               (DELETE, GUEST, "255.255.255.0", "is not routed to tap7")):
                answer = session.ask(what, address, mask)
                self.assertTrue(answer.startswith("uml_net: ") and words in answer, answer)
            self.assertEqual(world.snapshot(), up)
            self.assertEqual(session.ask(ADD, GUEST), f"{GUEST} routed to tap7\n")

    def test_refusals_are_a_zero_byte_and_text(self) -> None:
        world.sh("ip", "tuntap", "add", "tap5", "mode", "tap")
        before = world.snapshot()
        cases = [
            ({"device": "tap5"}, 69, "the device name tap5 is in use"),
            ({"device": "lo"}, 69, "the device name lo is in use"),
            ({"device": "tap%d"}, 65, "is not a device name"),
            ({"device": "a" * 16}, 65, "is not a device name"),
            ({"device": "tap7", "gate": "10.99.0"}, 65, "is not an IPv4 address"),
            ({"device": "tap7", "gate": "127.0.0.1"}, 65, "cannot be put on a device"),
            ({"device": "tap7", "data_number": "999"}, 64, "fd 999, is not open"),
            ({"device": "tap7", "data_number": "3x"}, 65, "is not the number of an inherited descriptor"),
            ({"device": "tap7", "data_number": "1"}, 65, "is not the number of an inherited descriptor"),
            ({"device": "tap7", "data_number": "-1"}, 65, "is not the number of an inherited descriptor"),
            ({"device": "tap7", "data_number": "99999999999999999999"}, 65, "is not the number"),
            ({"device": "tap7", "data_type": socket.SOCK_STREAM}, 64, "is not a connected AF_UNIX datagram socket"),
        ]
        for arguments, status, words in cases:
            with self.subTest(**{key: str(value) for key, value in arguments.items()}), Session(HELPER, **arguments) as session:
                self.assertEqual(session.status, b"\0")
                self.assertIn(words, session.text)
                self.assertEqual(session.wait(), status)
        self.assertEqual(world.snapshot(), before)
        self.assertEqual({line["event"] for line in world.audit_lines()}, {"reject"})

    def test_a_data_number_that_is_one_of_the_helpers_own_later(self) -> None:
        for number in range(3, 12):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with ours, theirs:
                done = caller.run(HELPER, "4", "ethertap", "tap7", str(number), stdout=theirs)
                self.assertEqual((done.returncode, ours.recv(1)), (64, b"\0"))
                self.assertIn(f"fd {number}, is not open".encode(), ours.recv(4096))
        self.assertEqual(world.snapshot(), self.before)

    def test_policy_for_ethertap_and_its_device_names(self) -> None:
        helper = world.helper_copy(HELPER, "setuid")
        rule = {"name": "guests", "users": [65534], "operations": ["ethertap", "address"], "gateways": ["10.99.0.0/16"],
                "guests": ["10.99.0.0/16"], "devices": ["tap7", "uml[0-9]*"]}
        world.write_policy({"version": 1, "rules": [rule]})
        with Session(helper, "uml1", GATE, user=65534) as session:
            self.assertEqual(session.status, b"\1", session.text)
            self.assertEqual(session.ask(ADD, GUEST), f"{GUEST} routed to uml1\n")
            self.assertIn("not in 10.99.0.0/16", session.ask(ADD, "10.98.0.1"))
        with Session(helper, "tap8", GATE, user=65534) as session:
            self.assertIn("rule guests allows this but for device tap8: not in tap7, uml[0-9]*", session.text)
            self.assertEqual((session.status, session.wait()), (b"\0", 77))
        world.write_policy({"version": 1, "rules": [{**rule, "operations": ["tuntap", "address"]}]})
        with Session(helper, "tap7", GATE, user=65534) as session:
            self.assertIn("does not allow the operation ethertap", session.text)
        self.assertEqual(world.snapshot(), self.before)

    # Frames.

    def test_the_kernel_answers_arp_and_ping_through_the_relay(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            host = mac_of("tap7")
            session.data.send(PAD + arp(1, bytes(6), GATE))
            (answer,) = session.frames(1, host + ARP)
            self.assertEqual(answer[:2], PAD)
            self.assertEqual(answer[2:], GUEST_MAC + host + ARP + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + host +
                             socket.inet_aton(GATE) + GUEST_MAC + socket.inet_aton(GUEST))
            for size in (60, 1514):
                request = echo_request(host, size)
                session.data.send(PAD + request)
                while True:
                    reply = session.frames(1, host + IPV4)[0]
                    if reply[2 + 14 + 9] == 1:
                        break
                    session.data.send(PAD + arp(2, host, GATE))
                self.assertEqual((len(reply), reply[:2]), (2 + size, PAD))
                self.assertEqual(reply[2 + 14 + 20 + 8:], request[14 + 20 + 8:])

    def test_frames_too_long_and_too_short_are_dropped_and_counted(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            with world.listener("tap7") as wire:
                for size in (0, 1, 2, 2 + 13, 2 + 1515, 2 + 4000):
                    session.data.send(bytes(size))
                shortest = b"\xff" * 6 + GUEST_MAC + TEST
                for frame in (shortest, shortest + b"whole" + bytes(1495)):
                    session.data.send(PAD + frame)
                    self.assertEqual(world.heard(wire, TEST), frame)
                world.sh("ip", "link", "set", "tap7", "mtu", "3000")
                shortest = GUEST_MAC + mac_of("tap7") + TEST
                for frame in (shortest + b"long" + bytes(1497), shortest, shortest + b"fits" + bytes(1496)):
                    wire.send(frame)
                self.assertEqual(session.frames(2, TEST), [PAD + shortest, PAD + shortest + b"fits" + bytes(1496)])
            session.close()
        counters = self.exit_line()["session"]
        self.assertEqual((counters["to_host"]["too_short"], counters["to_host"]["too_long"]), (4, 2))
        self.assertEqual((counters["to_host"]["frames"], counters["to_host"]["bytes"]), (2, 14 + 1514))
        self.assertEqual(counters["to_guest"]["too_long"], 1)

    def test_a_hundred_thousand_frames_each_way(self) -> None:
        """Of every size. Nothing lost, merged, cut or out of order while the reader keeps up: it is never 50 frames behind."""
        total, window = 100_000, 50
        with Session(HELPER, "tap7") as session, world.listener("tap7") as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            head_in, head_out = b"\xff" * 6 + GUEST_MAC + TEST, GUEST_MAC + mac_of("tap7") + TEST

            def frame(head: bytes, number: int) -> bytes:
                return head + struct.pack("!I", number) + bytes(number % 1497)

            for start in range(0, total, window):
                numbers = range(start, start + window)
                for number in numbers:
                    session.data.send(PAD + frame(head_in, number))
                for number in numbers:
                    if (got := world.heard(wire, TEST)) != frame(head_in, number):
                        self.fail(f"frame {number} to the host: {got[:20].hex()}, {len(got)} bytes")
                for number in numbers:
                    wire.send(frame(head_out, number))
                for number in numbers:
                    got = session.data.recv(2048)
                    while got[14:16] != TEST:  # the kernel's own IPv6 chatter
                        got = session.data.recv(2048)
                    if got != PAD + frame(head_out, number):
                        self.fail(f"frame {number} to the guest: {got[:20].hex()}, {len(got)} bytes")
            session.close()
        counters = self.exit_line()["session"]
        self.assertEqual(counters["to_host"]["frames"], total)
        self.assertGreaterEqual(counters["to_guest"]["frames"], total)
        self.assertEqual((counters["to_guest"]["dropped"], counters["to_host"]["dropped"]), (0, 0))

    def test_tcp_both_ways(self) -> None:
        """What the host's TCP sends in large segments reaches a guest as frames of its MTU, with checksums that are right;
        and the counters are those of the device."""
        megabytes = 8

        def statistics() -> dict[str, dict[str, int]]:
            stats = json.loads(world.sh("ip", "-s", "-j", "link", "show", "dev", "tap7"))[0]["stats64"]
            return {way: {"frames": stats[side]["packets"], "bytes": stats[side]["bytes"]}
                    for way, side in (("to_host", "rx"), ("to_guest", "tx"))}

        with Session(HELPER, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            session.data.settimeout(None)  # its other end does not wait
            guest = LinuxGuest(session.data.fileno(), PAD)
            try:
                guest.run("ip", "address", "add", f"{GUEST}/24", "dev", "guest0")
                tcp.transfer(GUEST, megabytes, guest.inside(), contextlib.nullcontext())
                tcp.transfer(GATE, megabytes, contextlib.nullcontext(), guest.inside())
                guest.run("ip", "link", "set", "guest0", "down")
                before, seen = None, statistics()
                while seen != before:
                    time.sleep(0.2)
                    before, seen = seen, statistics()
            finally:
                guest.close()
            session.close()
        counters = self.exit_line()["session"]
        for way in ("to_guest", "to_host"):
            self.assertEqual(counters[way], {**seen[way], "too_long": 0, "too_short": 0, "dropped": 0})
            self.assertGreater(counters[way]["bytes"], megabytes << 20)

    def test_what_a_device_that_is_down_refuses_is_counted(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            world.sh("ip", "link", "set", "tap7", "down")
            for _ in range(4):
                session.data.send(PAD + b"\xff" * 6 + GUEST_MAC + TEST + bytes(46))
            deadline = time.monotonic() + 10
            while fcntl.ioctl(session.data, termios.TIOCOUTQ, bytes(4)) != bytes(4):  # what the relay has not taken yet
                self.assertLess(time.monotonic(), deadline)
            world.sh("ip", "link", "set", "tap7", "up")
            with world.listener("tap7") as wire:
                whole = b"\xff" * 6 + GUEST_MAC + TEST + b"up again" + bytes(46)
                session.data.send(PAD + whole)
                while world.heard(wire, TEST) != whole:
                    pass
            session.close()
        counters = self.exit_line()["session"]["to_host"]
        self.assertEqual(counters["frames"] + counters["dropped"], 5)
        self.assertGreaterEqual(counters["dropped"], 3)  # the last was taken, and may have been written later

    def test_a_guest_that_does_not_read_costs_frames_and_nothing_else(self) -> None:
        with Session(HELPER, "tap7", GATE) as session, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("tap7", 0x88B5))
            frame = GUEST_MAC + mac_of("tap7") + TEST + bytes(1000)
            for _ in range(5000):
                try:
                    wire.send(frame)
                except OSError:
                    pass  # ENOBUFS: the queue is full
            self.assertEqual(session.ask(ADD, GUEST), f"{GUEST} routed to tap7\n")
            session.data.send(PAD + arp(1, bytes(6), GATE))  # and the other direction goes on
            self.assertEqual(len(session.frames(100, TEST)), 100)
            session.close()
        self.assertGreater(self.exit_line()["session"]["to_guest"]["dropped"], 0)

    def test_control_records_are_answered_while_the_guest_floods(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            over = threading.Event()

            def flood() -> None:
                frame = PAD + b"\xff" * 6 + GUEST_MAC + TEST + bytes(1400)
                while not over.is_set():
                    try:
                        session.data.send(frame, socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        pass

            flooding = threading.Thread(target=flood)
            flooding.start()
            try:
                for number in range(1, 41):
                    self.assertEqual(session.ask(ADD, f"10.99.0.{number}"), f"10.99.0.{number} routed to tap7\n")
            finally:
                over.set()
                flooding.join()

    # The end.

    def ends(self, how: str, act) -> None:  # type: ignore[no-untyped-def]
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        world.reset_log()
        with self.subTest(how), Session(HELPER, "tap7", "10.50.0.254") as session:
            self.assertEqual(session.ask(ADD, "10.50.0.7"), "10.50.0.7 routed to tap7, published on eth0\n")
            act(session)
            self.assertEqual(session.wait(), 0)
            self.assertEqual(world.snapshot(), before)
            self.assertIn("10.50.0.7 no longer published on eth0", self.exit_line()["changes"])
        lan.close()
        world.fresh_network()

    def test_every_orderly_end(self) -> None:
        def in_the_middle_of_a_record(session: Session) -> None:
            session.control.sendall(record(ADD, "10.50.0.8")[:7])
            session.control.shutdown(socket.SHUT_WR)

        self.ends("control closed", lambda session: session.control.close())
        self.ends("control shut down", lambda session: session.control.shutdown(socket.SHUT_RDWR))
        self.ends("in the middle of a record", in_the_middle_of_a_record)
        self.ends("data closed", lambda session: session.data.close())
        self.ends("data shut down", lambda session: session.data.shutdown(socket.SHUT_RDWR))
        self.ends("SIGTERM", lambda session: os.kill(session.process.pid, signal.SIGTERM))
        self.ends("the device deleted", lambda session: world.sh("ip", "link", "delete", "tap7"))
        self.ends("SIGUSR1 is nothing, then closed", lambda session: (os.kill(session.process.pid, signal.SIGUSR1),
                                                                      session.control.close()))

    def test_a_stopped_relay_does_not_hold_up_the_end(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            os.kill(session.relay(), signal.SIGSTOP)
            self.assertEqual(session.close(), 0)
        self.assertEqual(world.snapshot(), self.before)

    def test_a_killed_relay_ends_the_session(self) -> None:
        with Session(HELPER, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            os.kill(session.relay(), signal.SIGKILL)
            self.assertEqual(session.wait(), 70)
        self.assertEqual(world.snapshot(), self.before)
        self.assertIn("relay process died", self.exit_line()["error"])

    def test_a_killed_controller_takes_the_relay_with_it(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        with Session(HELPER, "tap7", "10.50.0.254") as session:
            session.ask(ADD, "10.50.0.7")
            relay = session.relay()
            os.kill(session.process.pid, signal.SIGKILL)
            session.wait()
            deadline = time.monotonic() + 10
            # Z: it has ended, and nobody has collected it yet.
            while "tap7" in world.links() or self.state_of(relay) not in ("gone", "Z"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            self.assertEqual(caller.run(HELPER, "gc").returncode, 0)
            self.assertEqual(world.snapshot(), before)

    @staticmethod
    def state_of(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        except FileNotFoundError:
            return "gone"

    # What each process may do.

    def test_what_the_two_processes_hold(self) -> None:
        helper = world.helper_copy(HELPER, "setuid")
        world.write_policy({"version": 1, "rules": [{"name": "g", "users": [65534], "operations": ["ethertap", "address"],
                                                     "gateways": [GATE], "guests": [GUEST], "devices": ["tap7"]}]})
        with Session(helper, "tap7", GATE, user=65534) as session:
            session.ask(ADD, GUEST)
            relay = session.relay()
            deadline = time.monotonic() + 10
            while status_of(relay)["Seccomp"] != "2":  # it may not have had its turn yet
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            for pid, permitted in ((relay, 0), (session.process.pid, 1 << 12)):
                status = status_of(pid)
                self.assertEqual(capabilities(status), {"CapInh": 0, "CapPrm": permitted, "CapEff": 0, "CapBnd": 0, "CapAmb": 0})
                self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
                self.assertEqual(status["Uid"].split(), ["65534"] * 4)
                for file in ("mem", "fd"):
                    peek = subprocess.run(["head", "-c1", f"/proc/{pid}/{file}"], user=65534, group=65534,
                                          extra_groups=[], capture_output=True)
                    self.assertIn(b"Permission denied", peek.stderr)
            held = sorted(os.readlink(f"/proc/{relay}/fd/{fd}") for fd in os.listdir(f"/proc/{relay}/fd"))
            self.assertEqual([name.split("[")[0] for name in held], ["/dev/net/tun", "socket:", "socket:"])

    def test_the_system_calls_of_the_two_processes(self) -> None:
        trace = Path("/run/umlnet-ethertap.strace")
        self.addCleanup(lambda: [path.unlink() for path in trace.parent.glob(trace.name + "*")])
        wrapper = Path("/run/umlnet-strace")
        wrapper.write_text(f"#!/bin/sh\nexec strace -ff -o {trace} {HELPER} \"$@\"\n")
        wrapper.chmod(0o755)
        self.addCleanup(wrapper.unlink)
        with Session(wrapper, "tap7", GATE) as session:
            session.ask(ADD, GUEST)
            session.data.send(PAD + arp(1, bytes(6), GATE))
            session.frames(1, ARP)
            session.close()
        seen: dict[str, set[str]] = {}
        opened: set[str] = set()
        for path in trace.parent.glob(trace.name + ".*"):
            lines = path.read_text().splitlines()
            starts = [number for number, line in enumerate(lines) if line.startswith("seccomp(SECCOMP_SET_MODE_FILTER")]
            self.assertEqual(len(starts), 1)
            calls = {line.split("(")[0] for line in lines[starts[0] + 1:] if "(" in line and line[0].isalpha()}
            who = ("controller" if any("execve(" in line for line in lines) else "recorder" if "openat2" in calls else
                   "front" if "getsockopt" in calls else "relay" if "write" in calls else "announcer")
            seen[who] = calls
            if who == "recorder":
                opened = {line.split('"')[1] for line in lines[starts[0] + 1:] if line.startswith(("openat(", "openat2("))}
        self.assertLessEqual(seen["relay"], {"poll", "read", "write", "sendto", "recvfrom", "exit_group", "restart_syscall"})
        self.assertGreaterEqual(seen["relay"], {"poll", "read", "write", "sendto", "recvfrom"})
        self.assertIn("capset", seen["controller"])
        for call in ("open", "openat", "execve", "clone", "fork", "socket", "ptrace", "read"):
            self.assertNotIn(call, seen["controller"])
        self.assertEqual(opened, {"/etc/umlnet", "/etc/umlnet/policy.d", "policy.json", "/var/log/umlnet/audit.jsonl"})


if __name__ == "__main__":
    unittest.main()
