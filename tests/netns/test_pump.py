"""Pumps between real TAP devices of two hosts, in the calling process and in the sandboxed process of their own."""

import contextlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Sequence

from tests.support import libumlnet, world
from tests.support.case import HELPER, HostCase
from tests.support.libumlnet import Failed
from tests.support.ethertap import ADD, Session
from tests.support.cli import installed
from tests.support.process import capabilities, command_line, processes_here, status_of
from tests.support.tcp import transfer
from tests.support.pump import (A_GONE, B_GONE, CSUM, DGRAM, ECN, ETHERTAP, PROGRAM, STOPPED, STREAM, TSO4, TSO6,
                                TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, Direction, End, Pump, Tap, end, inside, pair)

VIOLATING = HELPER.parents[1] / "tests" / "netns" / "violating-pump"
MEGABYTES = 8
LEFT, RIGHT = "10.77.0.1", "10.77.0.2"
LEFT6, RIGHT6 = "fd77::1", "fd77::2"
# What the run-time of a sanitizer does of its own accord. Not in a release build.
SANITIZER_CALLS = {"sigaltstack"} if libumlnet.RUNTIME else set()
SEGMENTED = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
FRAME = b"\xff" * 6 + bytes.fromhex("0242ac110002") + b"\x88\xb5" + bytes(46)


def soon(condition, what: str = "", seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)


def pump_processes() -> list[int]:
    """Of this process and of the watchers that it started."""
    return [pid for pid in processes_here() if command_line(pid) == ["umlnet-pump"]]


class PumpCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.fds = self.open_fds()
        self.signals: list[int] = []
        self.previous = signal.signal(signal.SIGCHLD, lambda number, _: self.signals.append(number))
        self.addCleanup(signal.signal, signal.SIGCHLD, self.previous)

    @staticmethod
    def open_fds() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))[:-1]

    def pump(self, a: End, b: End, **more: object) -> Pump:
        pump = Pump(a, b, **more)  # type: ignore[arg-type]
        self.addCleanup(pump.__exit__)
        return pump

    def sockets(self, kind: int) -> tuple[socket.socket, socket.socket]:
        ours, theirs = pair(kind)
        for one in (ours, theirs):
            one.settimeout(10)
            self.addCleanup(one.close)
        return ours, theirs


class Tcp(PumpCase):
    """A TAP in this host, another in a second one, and a pump, or several, between them."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace = f"umlnet-{os.getpid()}-right"
        world.sh("ip", "netns", "add", self.namespace)
        self.addCleanup(world.sh, "ip", "netns", "delete", self.namespace)

    def taps(self, left: tuple[int, int] = (0, 0), right: tuple[int, int] = (0, 0)) -> tuple[Tap, Tap]:
        """(bytes of virtio-net header, TUN_F_*) of each."""
        a, b = Tap("tap0", *left), Tap("tap1", *right)
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        self.settle("tap0", LEFT, LEFT6)
        self.settle_right()
        return a, b

    def settle(self, name: str, address: str, address6: str, *prefix: str) -> None:
        world.sh(*prefix, "ip", "addr", "add", f"{address}/24", "dev", name)
        world.sh(*prefix, "ip", "addr", "add", f"{address6}/64", "dev", name, "nodad")
        world.sh(*prefix, "ip", "link", "set", name, "up")

    def settle_right(self) -> None:
        world.sh("ip", "link", "set", "tap1", "netns", self.namespace)
        self.settle("tap1", RIGHT, RIGHT6, "ip", "netns", "exec", self.namespace)

    def transfer(self, from_left: bool, v6: bool = False) -> float:
        """Sends some megabytes over one TCP connection, compares, and returns megabits per second."""
        address = {(True, False): RIGHT, (True, True): RIGHT6, (False, False): LEFT, (False, True): LEFT6}[from_left, v6]
        here, there = contextlib.nullcontext(), inside(self.namespace)
        return transfer(address, MEGABYTES, *((there, here) if from_left else (here, there)))

    def carries_tcp(self, pump: Pump, what: str, families: Sequence[bool] = (False, True)) -> None:
        rates = [f"{self.transfer(from_left, v6):.0f}" for from_left in (True, False) for v6 in families]
        counters = pump.counters
        print(f"  {what}: {', '.join(rates)} Mbit/s; to b {counters.a_to_b.frames} frames,"
              f" {counters.a_to_b.segmented} cut, {counters.a_to_b.checksums} checksums; to a {counters.b_to_a.frames},"
              f" {counters.b_to_a.segmented}, {counters.b_to_a.checksums}", file=sys.stderr)
        for direction in (counters.a_to_b, counters.b_to_a):
            self.assertGreater(direction.frames, 100)
            self.assertEqual((direction.malformed, direction.too_long, direction.too_short), (0, 0, 0))

    def test_plain_taps(self) -> None:
        a, b = self.taps()
        self.carries_tcp(self.pump(a.end(), b.end()).start(), "plain")

    def test_plain_taps_in_this_process(self) -> None:
        a, b = self.taps()
        self.carries_tcp(self.pump(a.end(), b.end()).run_in_thread(), "plain, in this process")

    def test_offloads_on_both_sides_go_through(self) -> None:
        a, b = self.taps((10, SEGMENTED), (12, SEGMENTED))
        pump = self.pump(a.end(), b.end()).start()
        self.carries_tcp(pump, "offloads")
        counters = pump.counters
        for direction in (counters.a_to_b, counters.b_to_a):
            self.assertEqual((direction.segmented, direction.checksums), (0, 0))
            # Large frames went through as such.
            self.assertGreater(direction.bytes / direction.frames, 2000)

    def test_offloads_on_one_side_are_finished_on_the_way_to_the_other(self) -> None:
        a, b = self.taps((12, SEGMENTED), (0, 0))
        pump = self.pump(a.end(), b.end()).start()
        self.carries_tcp(pump, "offloads to plain")
        counters = pump.counters
        self.assertGreater(counters.a_to_b.segmented, 10)
        self.assertGreater(counters.a_to_b.checksums, 1)
        self.assertEqual((counters.b_to_a.segmented, counters.b_to_a.checksums), (0, 0))

    def test_checksums_only_on_the_other_side(self) -> None:
        a, b = self.taps((10, SEGMENTED), (10, TUN_F_CSUM))
        pump = self.pump(a.end(), b.end(CSUM)).start()
        self.carries_tcp(pump, "offloads to checksums")
        self.assertGreater(pump.counters.a_to_b.segmented, 10)
        self.assertEqual(pump.counters.a_to_b.checksums, 0)

    def over_sockets(self, framing: int, header: int, right_header: int) -> tuple[Pump, Pump]:
        """TAP, pump, socket, pump, TAP: as between two VM managers."""
        a, b = self.taps((12, SEGMENTED), (right_header, SEGMENTED if right_header else 0))
        left, right = self.sockets(socket.SOCK_STREAM if framing == STREAM else socket.SOCK_DGRAM)
        offloads = CSUM | TSO4 | TSO6 | ECN if header else 0
        return (self.pump(a.end(), end(framing, left.fileno(), header, offloads)).start(),
                self.pump(end(framing, right.fileno(), header, offloads), b.end()).start())

    def test_over_a_stream(self) -> None:
        first, _ = self.over_sockets(STREAM, 0, 0)
        self.carries_tcp(first, "stream")
        self.assertGreater(first.counters.a_to_b.segmented, 10)

    def assert_joined(self, direction: Direction) -> None:
        """How many are joined depends on how many are there at once; on average, acknowledgments among them, none would
        be longer than a single segment."""
        self.assertGreater(direction.bytes / direction.frames, 1514)

    def test_segments_from_a_stream_are_joined(self) -> None:
        first, second = self.over_sockets(STREAM, 0, 12)
        self.carries_tcp(first, "stream, joined")
        self.assertGreater(first.counters.a_to_b.segmented, 10)
        self.assert_joined(second.counters.a_to_b)
        self.assert_joined(first.counters.b_to_a)

    def test_segments_from_datagrams_are_joined(self) -> None:
        first, second = self.over_sockets(ETHERTAP, 0, 12)
        self.carries_tcp(first, "ethertap, joined")
        self.assert_joined(second.counters.a_to_b)

    def test_segments_from_a_plain_device_are_joined(self) -> None:
        a, b = self.taps((0, 0), (12, SEGMENTED))
        pump = self.pump(a.end(), b.end()).start()
        self.carries_tcp(pump, "plain to offloads, joined")
        self.assert_joined(pump.counters.a_to_b)

    def test_a_device_with_headers_leaves_segmentation_to_the_pump(self) -> None:
        a, b = self.taps((12, 0), (12, 0))
        pump = self.pump(a.end(), b.end()).start()
        self.carries_tcp(pump, "nothing asked of the devices")
        for direction in (pump.counters.a_to_b, pump.counters.b_to_a):
            self.assertEqual(direction.segmented, 0)
            self.assert_joined(direction)

    def test_over_a_stream_with_headers(self) -> None:
        first, second = self.over_sockets(STREAM, 10, 0)
        self.carries_tcp(first, "stream with headers")
        self.assertEqual(first.counters.a_to_b.segmented, 0)
        self.assertGreater(second.counters.a_to_b.segmented, 10)

    def test_over_datagrams(self) -> None:
        self.carries_tcp(self.over_sockets(DGRAM, 0, 12)[0], "datagrams")

    def test_over_datagrams_with_headers(self) -> None:
        self.carries_tcp(self.over_sockets(DGRAM, 12, 12)[0], "datagrams with headers")

    def test_over_ethertap(self) -> None:
        self.carries_tcp(self.over_sockets(ETHERTAP, 0, 0)[0], "ethertap")

    def test_over_an_ethertap_session_of_uml_net(self) -> None:
        """The protocol cannot ask for IPv6, and so the host takes none."""
        with Session(HELPER, "tap0", LEFT) as session:
            self.assertEqual(session.status, b"\1", session.text)
            session.ask(ADD, RIGHT, "255.255.255.255")
            guest = Tap("tap1")
            self.addCleanup(guest.close)
            self.settle_right()
            pump = self.pump(end(ETHERTAP, session.data.fileno()), guest.end()).start()
            self.carries_tcp(pump, "uml_net's ethertap relay", families=(False,))
            counted = pump.counters
        done = self.last_line()
        self.assertEqual(done["event"], "exit")
        self.assertGreaterEqual(done["result"]["session"]["to_guest"]["frames"], counted.a_to_b.frames)

    def test_with_a_capture(self) -> None:
        a, b = self.taps((12, SEGMENTED), (0, 0))
        with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
            pump = self.pump(a.end(), b.end(), capture_fd=file.fileno()).start()
            self.carries_tcp(pump, "offloads to plain, with a capture")
            pump.stop()
            self.assertEqual(pump.wait(), STOPPED)
            counters = pump.counters
            self.assertEqual(counters.not_captured, 0)
            # As they were read: those of the offloads are in it uncut.
            self.assertLess(counters.captured, counters.a_to_b.frames + counters.b_to_a.frames)
            done = subprocess.run(["capinfos", "-c", "-M", "-T", "-r", file.name], capture_output=True, text=True, check=True)
            self.assertEqual(int(done.stdout.split()[-1]), counters.captured)

    def test_a_deleted_device_ends_it(self) -> None:
        a, b = self.taps()
        pump = self.pump(a.end(), b.end()).start()
        world.sh("ip", "netns", "exec", self.namespace, "ip", "link", "set", "tap1", "down")
        time.sleep(0.05)
        with self.assertRaises(Failed):
            pump.wait(0)
        world.sh("ip", "netns", "exec", self.namespace, "ip", "link", "delete", "tap1")
        self.assertEqual(pump.wait(), B_GONE)

    def test_a_device_that_is_down_costs_frames(self) -> None:
        tap = Tap("tap0")
        self.addCleanup(tap.close)
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        pump = self.pump(tap.end(), end(DGRAM, theirs.fileno())).start()
        ours.send(FRAME)
        soon(lambda: pump.counters.b_to_a.refused == 1)


class Process(PumpCase):
    """The process in which it pumps, and what becomes of it."""

    def start(self, **more: object) -> tuple[Pump, socket.socket, socket.socket, int]:
        tap = Tap("tap0")
        world.sh("ip", "link", "set", "tap0", "up")
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        self.signals.clear()
        pump = self.pump(tap.end(), end(DGRAM, theirs.fileno()), **more).start()  # type: ignore[arg-type]
        tap.close()  # the process has its own
        theirs.close()
        (pid,) = pump_processes()
        return pump, ours, theirs, pid

    def test_what_it_holds(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        pump, *_, pid = self.start(capture_fd=write)
        status = status_of(pid)
        self.assertEqual(set(capabilities(status).values()), {0})
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["Threads"]), ("1", "2", "1"))
        self.assertEqual(Path(f"/proc/{pid}/environ").read_bytes().count(b"\0"), 1)  # PATH
        held = [os.readlink(f"/proc/{pid}/fd/{fd}").split("[")[0].split(":")[0] for fd in
                sorted(os.listdir(f"/proc/{pid}/fd"), key=int)]
        self.assertEqual(held, ["/dev/net/tun", "socket", "anon_inode", "socket", "anon_inode", "pipe"])
        limits = {line[:26].strip(): line[26:].split()[:2] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]}
        self.assertEqual(limits["Max open files"], ["6", "6"])
        for limit in ("Max processes", "Max core file size", "Max file size", "Max locked memory", "Max msgqueue size",
                      "Max pending signals", "Max realtime priority"):
            self.assertEqual(limits[limit], ["0", "0"], limit)
        # Not dumpable: its own user cannot look into it.
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)

    def test_between_two_plain_taps_there_are_two_threads_and_both_are_in_the_sandbox(self) -> None:
        if len(os.sched_getaffinity(0)) == 1:
            self.skipTest("there is one processor, and then there is one thread")
        taps = [Tap(name) for name in ("tap0", "tap1")]
        for tap in taps:
            world.sh("ip", "link", "set", tap.name, "up")
        pump = self.pump(taps[0].end(), taps[1].end()).start()
        for tap in taps:
            tap.close()
        (pid,) = pump_processes()
        threads = [status_of(f"{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")]
        self.assertEqual(len(threads), 2)
        for status in threads:
            self.assertEqual(set(capabilities(status).values()), {0})
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]), ("1", "2", "1"))
        for name in ("tap0", "tap1"):
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind((name, 0))
                sender.send(FRAME)
        soon(lambda: pump.counters.a_to_b.frames >= 1 and pump.counters.b_to_a.frames >= 1)
        pump.stop()
        self.assertEqual(pump.wait(), STOPPED)

    def test_the_end_of_either_of_two_plain_taps_is_its_end(self) -> None:
        for name, how in (("tap0", A_GONE), ("tap1", B_GONE)):
            with self.subTest(name):
                taps = [Tap(name) for name in ("tap0", "tap1")]
                for tap in taps:
                    world.sh("ip", "link", "set", tap.name, "up")
                with Pump(taps[0].end(), taps[1].end()).start() as pump:
                    for tap in taps:
                        tap.close()
                    world.sh("ip", "link", "delete", name)
                    self.assertEqual(pump.wait(), how)

    def test_without_a_capture_it_can_write_no_file(self) -> None:
        *_, pid = self.start()
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/fd"), key=int), ["0", "1", "2", "3", "4"])
        self.assertRegex(Path(f"/proc/{pid}/limits").read_text(), r"Max open files +5 +5 ")

    def test_as_an_ordinary_user(self) -> None:
        """It needs no privilege at all."""
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        other, others = self.sockets(socket.SOCK_STREAM)
        report, reported = os.pipe()
        _, program = installed()
        child = os.fork()
        if child == 0:
            status = 1
            ours.close()
            other.close()
            with contextlib.suppress(BaseException):
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                pump = Pump(end(DGRAM, theirs.fileno()), end(STREAM, others.fileno()), program=program).start()
                os.write(reported, b"1")
                status = pump.wait()
            os._exit(10 + status)
        os.close(reported)
        self.assertEqual(os.read(report, 1), b"1")
        os.close(report)
        theirs.close()
        others.close()
        ours.send(FRAME)
        self.assertEqual(other.recv(1000), struct.pack("!I", len(FRAME)) + FRAME)
        pid = [pid for pid in pump_processes() if status_of(pid)["Uid"].split() == ["65534"] * 4]
        self.assertEqual(len(pid), 1)
        self.assertEqual(set(capabilities(status_of(pid[0])).values()) - {capabilities(status_of(pid[0]))["CapBnd"]}, {0})
        peek = subprocess.run(["head", "-c1", f"/proc/{pid[0]}/mem"], user=65534, group=65534, extra_groups=[],
                              capture_output=True)
        self.assertIn(b"Permission denied", peek.stderr)
        other.close()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 10 + B_GONE)

    def test_its_system_calls(self) -> None:
        trace = Path(tempfile.mkdtemp(prefix="umlnet-strace-")) / "trace"
        self.addCleanup(subprocess.run, ["rm", "-r", trace.parent])
        wrapper = trace.parent / "pump"
        wrapper.write_text(f"#!/bin/sh\nexec strace -f -o {trace} {PROGRAM}\n")
        wrapper.chmod(0o755)
        with tempfile.TemporaryFile() as capture:
            tap = Tap("tap0", 12, SEGMENTED)
            self.addCleanup(tap.close)
            world.sh("ip", "link", "set", "tap0", "up")
            ours, theirs = self.sockets(socket.SOCK_DGRAM)
            pump = self.pump(tap.end(), end(DGRAM, theirs.fileno()), capture_fd=capture.fileno(), program=wrapper).start()
            ours.send(FRAME)
            soon(lambda: pump.counters.b_to_a.frames >= 1 and pump.counters.a_to_b.frames >= 1)
            pump.stop()
            self.assertEqual(pump.wait(), STOPPED)
        lines = [re.sub(r"^\d+ +", "", line) for line in trace.read_text().splitlines()]
        start = max(number for number, line in enumerate(lines) if line.startswith("seccomp(SECCOMP_SET_MODE_FILTER"))
        calls = {line.split("(")[0] for line in lines[start + 1:] if "(" in line and line[0].isalpha()}
        needed = {"poll", "read", "readv", "write", "recvmmsg", "sendto", "exit_group"}
        self.assertGreaterEqual(calls, needed)
        self.assertLessEqual(calls, needed | {"restart_syscall", "clock_gettime", "sched_yield"} | SANITIZER_CALLS)

    def test_a_forbidden_system_call_kills_it_and_is_named(self) -> None:
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        other, others = self.sockets(socket.SOCK_DGRAM)
        pump = self.pump(end(DGRAM, theirs.fileno()), end(DGRAM, others.fileno()), program=VIOLATING)
        with self.assertRaises(Failed) as caught:
            pump.start()
        self.assertEqual(caught.exception.code, libumlnet.SANDBOX)
        self.assertTrue(caught.exception.message.endswith("forbidden system call; it says that it was getpid"),
                        caught.exception.message)

    def test_one_that_has_ended_cannot_claim_to_run(self) -> None:
        tap = Tap("tap0")
        _, theirs = self.sockets(socket.SOCK_DGRAM)
        pump = self.pump(tap.end(), end(DGRAM, theirs.fileno()),
                         program=PROGRAM.parents[2] / "tests" / "netns" / "lying-pump").start()
        with self.assertRaises(Failed) as caught:
            pump.wait()
        self.assertEqual(caught.exception.code, libumlnet.SYSTEM, caught.exception.message)

    def test_one_that_is_killed_is_told(self) -> None:
        pump, *_, pid = self.start()
        with self.assertRaises(Failed) as caught:
            pump.wait(0)
        self.assertEqual(caught.exception.code, libumlnet.TIMEOUT)
        self.assertEqual(select.select([pump.fd], [], [], 0)[0], [])
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(select.select([pump.fd], [], [], 10)[0], [pump.fd])
        for _ in range(2):
            with self.assertRaises(Failed) as caught:
                pump.wait(10_000)
            self.assertEqual(caught.exception.code, libumlnet.SYSTEM)
            self.assertIn("was killed by signal SIGKILL", caught.exception.message)
        self.assertEqual(select.select([pump.fd], [], [], 0)[0], [pump.fd])

    def test_it_ends_with_its_owner(self) -> None:
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        other, others = self.sockets(socket.SOCK_DGRAM)
        report, reported = os.pipe()
        leave, left = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(left)
            pump = Pump(end(DGRAM, theirs.fileno()), end(DGRAM, others.fileno())).start()
            heir = os.fork()  # it has a copy of every descriptor, and lives on
            if heir == 0:
                select.select([leave], [], [], 60)
                os._exit(0)
            os.write(reported, b"1")
            pump.wait(60_000)
            os._exit(0)
        self.assertEqual(os.read(report, 1), b"1")
        os.close(report)
        os.close(reported)
        self.assertEqual(len(pump_processes()), 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        soon(lambda: pump_processes() == [])
        os.close(left)
        os.close(leave)

    def test_an_owner_that_becomes_another_program_has_none(self) -> None:
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        other, others = self.sockets(socket.SOCK_DGRAM)
        child = os.fork()
        if child == 0:
            Pump(end(DGRAM, theirs.fileno()), end(DGRAM, others.fileno())).start()
            os.execv("/bin/sleep", ["sleep", "60"])
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        soon(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
        soon(lambda: pump_processes() == [])

    def test_a_stopped_one_does_not_hold_up_its_owner(self) -> None:
        pump, *_, pid = self.start()
        os.kill(pid, signal.SIGSTOP)
        pump.__exit__()
        self.assertEqual(pump_processes(), [])

    def test_it_goes_on_after_a_stop_and_continue(self) -> None:
        pump, ours, _, pid = self.start()
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        ours.send(FRAME)
        soon(lambda: pump.counters.b_to_a.frames == 1)

    def test_the_end_of_an_end(self) -> None:
        pump, ours, *_ = self.start()
        world.sh("ip", "link", "delete", "tap0")
        self.assertEqual(pump.wait(), A_GONE)
        self.assertEqual(pump.wait(), A_GONE)

    def test_nothing_is_left_in_the_owner(self) -> None:
        for how in ("stop", "kill", "free"):
            pump, ours, theirs, pid = self.start()
            if how == "stop":
                pump.stop()
                self.assertEqual(pump.wait(), STOPPED)
            if how == "kill":
                os.kill(pid, signal.SIGKILL)
                with self.assertRaises(Failed):
                    pump.wait()
            pump.__exit__()
            ours.close()
            self.assertEqual(pump_processes(), [])
            self.assertEqual(self.signals, [])
        self.assertEqual(self.open_fds(), self.fds)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    def test_a_program_that_is_none(self) -> None:
        ours, theirs = self.sockets(socket.SOCK_DGRAM)
        other, others = self.sockets(socket.SOCK_DGRAM)
        for program, code in (("/nowhere/umlnet-pump", libumlnet.NO_HELPER), ("/etc/passwd", libumlnet.NO_HELPER),
                              ("/bin/true", libumlnet.SYSTEM)):
            pump = self.pump(end(DGRAM, theirs.fileno()), end(DGRAM, others.fileno()), program=Path(program))
            with self.assertRaises(Failed) as caught:
                pump.start()
            self.assertEqual(caught.exception.code, code, caught.exception.message)
            # It can still be run here.
            pump.run_in_thread()
            ours.send(FRAME)
            self.assertEqual(other.recv(1000), FRAME)
            pump.__exit__()

    def test_it_is_not_for_people(self) -> None:
        done = subprocess.run([PROGRAM], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("is started by libumlnet", done.stderr)

    def test_memory_that_is_not_sealed_or_says_nonsense_is_refused(self) -> None:
        for memory in (os.memfd_create("x", os.MFD_ALLOW_SEALING), os.memfd_create("y")):
            os.truncate(memory, 4096)
            done = subprocess.run([PROGRAM], capture_output=True, preexec_fn=lambda: os.dup2(memory, 3), close_fds=False)
            self.assertEqual(done.returncode, 64)
            os.close(memory)


if __name__ == "__main__":
    unittest.main()
