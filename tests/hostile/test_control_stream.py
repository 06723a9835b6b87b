"""An ethertap guest that means harm: what it says on the control stream, and what it puts into the two sockets."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, world
from tests.support.ethertap import ADD, DELETE, Session, record
from tests.support.hostile import (FREE, GATE, HOST, INSTALLATIONS, MASK, NOBODY, ROUTER, SOMEBODY, THEIR_GUEST, HostileCase,
                                   as_user)

SCM_MAX_FD = 253
FLOOD = 2000  # records


class ControlStream(HostileCase):
    def session(self, how: str) -> Session:
        session = Session(self.helpers[how], "uml1", GATE, user=NOBODY)
        self.assertEqual(session.status, b"\1", session.text)
        return session

    def held(self, session: Session) -> list[set[str]]:
        """What each of the processes has open."""
        held: list[set[str]] = []
        for pid in (session.process.pid, *session.children()):
            held.append(set())
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):  # it was being closed
                    held[-1].add(f"{fd} {os.readlink(f'/proc/{pid}/fd/{fd}')}")
        return held

    def assert_ends_well(self, session: Session) -> None:
        self.assertEqual(session.close(), 0)
        self.assert_host_unchanged()
        self.assertEqual(self.last_line()["event"], "exit")

    def test_records_that_are_refused(self) -> None:
        """Each is answered with why, nothing happens to the host, and the session goes on."""
        bad = [(what, FREE, MASK, f"operation {what} is not known") for what in (2, -1, 256, 0x01000000, 2**31 - 1, -2**31)]
        bad += [(ADD, address, MASK, address) for address in (HOST, ROUTER, THEIR_GUEST, GATE, "0.0.0.0", "127.0.0.1", "224.0.0.1",
                                                              "255.255.255.255", "169.254.1.1", "10.50.0.0", "10.50.0.255")]
        bad += [(ADD, FREE, mask, "is not an IPv4 netmask") for mask in ("255.0.255.0", "0.0.0.1", "127.255.255.255")]
        bad += [(DELETE, address, MASK, "is not routed to uml1") for address in (FREE, THEIR_GUEST, HOST, "0.0.0.0")]
        for how in INSTALLATIONS:
            with self.session(how) as session:
                self.happenings.any()
                for what, address, mask, words in bad:
                    with self.subTest(how, what=what, address=address, mask=mask):
                        answer = session.ask(what, address, mask)
                        self.assertTrue(answer.startswith("uml_net: ") and words in answer, answer)
                        self.assertFalse(self.happenings.any())
                self.assertIn("routed to uml1", session.ask(ADD, FREE))
                self.assert_ends_well(session)

    def test_a_limit_that_keeps_one_of_its_processes_from_waiting_ends_it(self) -> None:
        """poll(2) takes no more descriptors than RLIMIT_NOFILE, which the caller may lower at any time."""
        for how in INSTALLATIONS:
            for number in (0, 2):  # the controller and the relay; the recorder between them is not the caller's to limit
                with self.subTest(how, process=number), self.session(how) as session:
                    os.truncate(world.LOG, 0)
                    pid = (session.process.pid, *session.children())[number]
                    subprocess.run(["/usr/bin/prlimit", f"--pid={pid}", "--nofile=0:0"], check=True, **as_user(NOBODY))
                    session.data.send(bytes(100))
                    for _ in range(2):
                        with contextlib.suppress(OSError, struct.error):
                            session.ask(ADD, FREE)
                    self.assertNotEqual(session.wait(), 0)
                    self.assertEqual(self.last_line()["event"], "exit")
                    self.assertLess(len(world.audit_lines()), 20)
                self.assert_host_unchanged()

    def test_half_a_record_and_no_more(self) -> None:
        for how in INSTALLATIONS:
            for length in range(12):
                with self.subTest(how, bytes=length), self.session(how) as session:
                    session.control.sendall(record(ADD, FREE)[:length])
                    session.control.shutdown(socket.SHUT_WR)
                    self.assertEqual(session.wait(), 0)
                    self.assertEqual(session.control.recv(1), b"")
                self.assert_host_unchanged()

    def test_a_byte_at_a_time(self) -> None:
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how) as session:
                for byte in record(ADD, FREE) + record(DELETE, FREE):
                    session.control.sendall(bytes([byte]))
                self.assertIn("10.50.0.8 routed to uml1", session.take_text())
                self.assertIn("no longer routed", session.take_text())
                self.assert_ends_well(session)

    def test_a_flood_of_rubbish(self) -> None:
        """Every record is answered, and the log has a few lines and a count."""
        for how in INSTALLATIONS:
            self.empty_log()
            with self.subTest(how), self.session(how) as session:
                sending = threading.Thread(target=session.control.sendall, args=[record(7, FREE) * FLOOD])
                sending.start()
                for _ in range(FLOOD):
                    self.assertIn("operation 7 is not known", session.take_text())
                sending.join()
                self.assert_ends_well(session)
            lines = [line for line in world.audit_lines() if line["caller"]["uid"] == NOBODY]
            single = sum(line["event"] == "reject" and "suppressed" not in line for line in lines)
            self.assertEqual(single + sum(line.get("suppressed", 0) for line in lines), FLOOD)
            self.assertLessEqual(single, 20 * 4)

    def test_a_flood_whose_answers_nobody_reads(self) -> None:
        """It stops when the sockets are full. The helper holds one answer, and others are served meanwhile."""
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how) as session:
                memory = self.resident(session.process.pid)
                session.control.setblocking(False)
                sent = 0
                try:
                    while True:
                        sent += session.control.send(record(ADD, FREE) + record(DELETE, FREE))
                except BlockingIOError:
                    pass
                self.assertGreater(sent, 1000)
                with caller.tuntap_up(self.helper, GATE, user=SOMEBODY) as reply:
                    self.assertEqual(reply.exit, 0, reply)
                self.assertLess(self.resident(session.process.pid) - memory, 1 << 20)
                session.data.close()
                self.assertEqual(session.wait(), 0)
            self.assert_host_unchanged()

    @staticmethod
    def resident(pid: int) -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_descriptors_that_the_guest_sends(self) -> None:
        """By either socket, as many as one message holds: none stays with the helper."""
        bag = [os.open("/dev/null", os.O_RDONLY)] * SCM_MAX_FD
        self.addCleanup(os.close, bag[0])
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how) as session:
                # The relay closes what it got from its parent.
                before = self.held(session)
                while [len(held) for held in before[1:]] != [3, 3]:
                    self.assertIsNone(session.process.poll())
                    before = self.held(session)
                for number in range(20):
                    what = ADD if number % 2 == 0 else DELETE
                    socket.send_fds(session.control, [record(what, FREE)], bag)
                    self.assertTrue(session.take_text().startswith(FREE))
                    socket.send_fds(session.data, [bytes(2 + 60)], bag)
                self.assertIn("routed to uml1", session.ask(ADD, FREE))
                self.wait_until(lambda: self.held(session) == before)  # the recorder closes what it opened after its answer
                self.assert_ends_well(session)

    def test_flags_and_options_of_the_guests_duplicates(self) -> None:
        """The helper's ends are the guest's, too. What it makes of them is its own loss."""
        for how in INSTALLATIONS:
            with self.subTest(how), Duplicates(self.helpers[how]) as session:
                self.assertEqual(session.status, b"\1", session.text)
                for blocking in (False, True, False):
                    for duplicate in session.duplicates:
                        duplicate.setblocking(blocking)
                        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                            duplicate.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, 1))
                        for option, value in ((socket.SO_PASSCRED, 1), (42, 5), (socket.SO_RCVBUF, 1), (socket.SO_SNDBUF, 1)):
                            duplicate.setsockopt(socket.SOL_SOCKET, option, value)
                    self.assertIn("routed to uml1", session.ask(ADD, FREE))
                    self.assertIn("no longer", session.ask(DELETE, FREE))
                # And read away what was meant for the helper, or leave it half of a record.
                session.control.sendall(record(ADD, FREE)[:5])
                for duplicate in session.duplicates:
                    duplicate.close()
                session.control.close()
                self.assertEqual(session.wait(), 0)
            self.assert_host_unchanged()

    def test_frames_of_every_length_and_all_at_once(self) -> None:
        """The host drops what is no frame for it, and answers nothing to anybody else's address."""
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how) as session:
                session.data.setblocking(False)
                for length in [*range(0, 80), 1500, 1516, 1517, 2000, 9000, 65535]:
                    try:
                        session.data.send(os.urandom(length))
                    except BlockingIOError:
                        pass
                self.assertIn("routed to uml1", session.ask(ADD, FREE))
                self.assert_ends_well(session)

    def test_one_end_of_the_two_only(self) -> None:
        for how in INSTALLATIONS:
            for which in ("data", "control"):
                for end in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
                    with self.subTest(how, socket=which, shutdown=end), self.session(how) as session:
                        getattr(session, which).shutdown(end)
                        if end == socket.SHUT_RD and which == "control":
                            session.control.sendall(record(ADD, FREE))  # the answer goes nowhere
                        elif end == socket.SHUT_RD:
                            session.data.close()
                        self.assertEqual(session.wait(), 0)
                    self.assert_host_unchanged()


class Duplicates(Session):
    """A session of which the guest keeps duplicates of the helper's two ends."""

    def __init__(self, helper: Path) -> None:
        self.duplicates: list[socket.socket] = []
        keep = self.duplicates

        def pair(*arguments: Any) -> tuple[socket.socket, socket.socket]:
            ours, theirs = make(*arguments)
            keep.append(theirs.dup())
            return ours, theirs

        make, socket.socketpair = socket.socketpair, pair  # type: ignore[assignment]
        try:
            super().__init__(helper, "uml1", GATE, user=NOBODY)
        finally:
            socket.socketpair = make


if __name__ == "__main__":
    unittest.main()
