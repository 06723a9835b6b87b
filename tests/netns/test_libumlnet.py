"""libumlnet drives the real helper, in a host program that is this one: what a VM manager relies on."""

import contextlib
import errno
import os
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Callable, Iterator

from tests.support import libumlnet, world
from tests.support.case import HELPER, HostCase
from tests.support.process import children_of, command_line, processes_here, status_of
from tests.support.pump import TUN_F_CSUM, Tap
from tests.support.libumlnet import AGAIN, CLOSED, INVALID, NO_HELPER, OK, PROTOCOL, REFUSED, STATE, TIMEOUT, Failed, Nic

GATE, GUEST = "10.99.0.254", "10.99.0.1"
REFUSED_GUEST = "10.66.0.1"
# Root needs no rule to be served, and a deny rule binds it.
POLICY = {"version": 1, "rules": [{"name": "not-these", "effect": "deny", "users": [0], "operations": ["address"],
                                   "guests": ["10.66.0.0/16"]}]}
HELPER_2007 = Path("/usr/bin/uml_net")
FRAME = b"\xff" * 6 + bytes.fromhex("0242ac110002") + b"\x88\xb5" + bytes(46)  # IEEE 802 local experimental


def soon(read: Callable[[], tuple[int, bytes]], wanted: bytes) -> bytes:
    """The next frame that holds `wanted`."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        code, frame = read()
        if code == OK and wanted in frame:
            return frame
        if code not in (OK, AGAIN):
            raise AssertionError(f"read: {code}")
        time.sleep(0.005)
    raise AssertionError(f"no frame with {wanted!r}")


class HostProgram(HostCase):
    """Whatever a test does, the library leaves the host program as it was: no child, no descriptor, no signal."""

    def setUp(self) -> None:
        super().setUp()
        self.before = world.snapshot()
        world.write_policy(POLICY)
        self.directory = Path(tempfile.mkdtemp(prefix="umlnet-fake-"))
        self.addCleanup(lambda: subprocess.run(["rm", "-r", self.directory]))

    def nic(self, setup: str, **more: object) -> Nic:
        nic = Nic(setup, **more)  # type: ignore[arg-type]
        self.addCleanup(nic.__exit__)
        return nic

    def fails(self, code: int, call: Callable[[], None], *words: str) -> Failed:
        with self.assertRaises(Failed) as caught:
            call()
        self.assertEqual(caught.exception.code, code, caught.exception)
        for word in words:
            self.assertIn(word, caught.exception.message)
        self.assertNotIn("\n", caught.exception.message)
        return caught.exception

    def fake(self, script: str, name: str = "helper") -> Path:
        """A helper that does as the test wants."""
        path = self.directory / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    @contextlib.contextmanager
    def unnoticed(self) -> Iterator[None]:
        """What is done in here must be the library's calls only: the test's own children are noticed, as they should."""
        signals: list[int] = []
        descriptors = set(os.listdir("/proc/self/fd"))
        previous = signal.signal(signal.SIGCHLD, lambda number, _: signals.append(number))
        try:
            yield
            with self.assertRaises(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
        finally:
            signal.signal(signal.SIGCHLD, previous)
        self.assertEqual(signals, [])
        self.assertEqual(set(os.listdir("/proc/self/fd")), descriptors)


class Unnoticed(HostProgram):
    def test_by_the_host_program(self) -> None:
        hangs = self.fake("#!/bin/sh\nexec sleep 60\n")
        for setup in (f"tuntap,,,{GATE}", f"ethertap,tap7,,{GATE}"):
            with self.subTest(setup), self.unnoticed():
                with Nic(setup) as nic:
                    nic.add(GUEST)
                    nic.open()
                    nic.add("10.99.0.2")
                    self.fails(REFUSED, lambda: nic.add(REFUSED_GUEST))
                    nic.close()
                    nic.open()
                with Nic(setup, helper=hangs, timeout_ms=300) as nic:
                    self.fails(TIMEOUT, nic.open)
                with Nic(setup, helper="/nowhere/uml_net") as nic:
                    self.fails(NO_HELPER, nic.open)
        self.assertEqual(world.snapshot(), self.before)


class Tuntap(HostProgram):
    def test_the_life_of_an_interface(self) -> None:
        with Nic(f"tuntap,,fe:fd:0:0:0:1,{GATE}") as nic:
            nic.add(GUEST, "255.255.255.0")
            self.assertEqual((nic.fd, nic.device, world.snapshot()), (-1, "", self.before))
            nic.open()
            self.assertEqual(nic.device, "tap0")
            self.assertTrue(stat.S_ISCHR(os.fstat(nic.fd).st_mode))
            self.assertFalse(os.get_inheritable(nic.fd))
            self.assertEqual(nic.notes, [f"tap0 up with {GATE}/32\n", f"{GUEST} routed to tap0\n"])
            self.assertIn(f"{GUEST} dev tap0 proto 117 scope link", world.routes())
            nic.add("10.99.0.2")
            nic.delete(GUEST)
            self.assertEqual([line.split()[0] for line in world.routes()], ["10.99.0.2"])
            nic.delete(GUEST)  # not there any more: nothing
            calls = len(world.audit_lines())
            nic.add("10.99.0.2")
            self.assertEqual(len(world.audit_lines()), calls)  # there already: nobody was asked
            nic.close()
            self.assertEqual(world.snapshot(), self.before)
            self.assertEqual(self.last_line()["request"]["operation"], "del")
            nic.close()
            nic.notes.clear()
            nic.open()
            self.assertEqual(nic.notes, [f"tap0 up with {GATE}/32\n", "10.99.0.2 routed to tap0\n"])
        self.assertEqual(world.snapshot(), self.before)

    def test_frames_both_ways(self) -> None:
        nic = self.nic(f"tuntap,,,{GATE}")
        nic.add(GUEST)
        nic.open()
        with world.listener(nic.device) as host:
            self.assertEqual(nic.write(FRAME), OK)
            self.assertEqual(world.heard(host, FRAME[12:14]), FRAME)
            host.send(FRAME)
            self.assertEqual(soon(nic.read, FRAME[12:14]), FRAME)
            self.assertEqual(nic.write(FRAME[:13]), PROTOCOL)
            host.send(FRAME + bytes(100))
            deadline = time.monotonic() + 10
            while (code := nic.read(100)[0]) != PROTOCOL and time.monotonic() < deadline:
                self.assertIn(code, (OK, AGAIN))
            self.assertEqual(code, PROTOCOL)
        while nic.read()[0] == OK:
            pass
        self.assertEqual(nic.read()[0], AGAIN)
        world.sh("ip", "link", "delete", "tap0")
        self.assertEqual(nic.read()[0], CLOSED)
        self.assertEqual(nic.write(FRAME), CLOSED)

    def test_a_gateway_that_is_none_starts_nobody(self) -> None:
        called = self.directory / "called"
        helper = self.fake(f"#!/bin/sh\ntouch {called}\n")
        for gate in ("10.99.0", "10.99.0.256", "example.org", "10.99.0.254 ", "010.99.0.254", "fd00::1"):
            self.fails(INVALID, lambda: Nic(f"tuntap,,,{gate}", helper), gate, "is not an IPv4 address")
        self.assertFalse(called.exists())

    def test_an_address_that_is_the_gateway_is_reported_and_goes_on(self) -> None:
        nic = self.nic(f"tuntap,,,{GATE}")
        nic.add(GATE)
        nic.open()
        self.assertEqual(nic.notes[:2], [f"tap0 up with {GATE}/32\n",
                                         "The tap IP address and the UML eth IP address must be different\n"])
        nic.notes.clear()
        nic.delete(GATE)
        nic.add(GATE)
        self.assertIn("The tap IP address and the UML eth IP address must be different\n", nic.notes)

    def test_a_refused_address_fails_the_opening_whole(self) -> None:
        nic = self.nic(f"tuntap,,,{GATE}")
        nic.add(GUEST)
        nic.add(REFUSED_GUEST)
        error = self.fails(REFUSED, nic.open, "cannot add 10.66.0.1 to tap0: ")
        self.assertTrue(error.helper.startswith("uml_net: "), error.helper)
        self.assertGreater(error.exit_status, 0)
        self.assertEqual((world.snapshot(), nic.fd), (self.before, -1))
        nic.delete(REFUSED_GUEST)
        nic.open()
        self.fails(REFUSED, lambda: nic.add(REFUSED_GUEST))
        nic.close()
        nic.open()  # what was refused was not remembered

    def test_an_address_that_is_not_taken_back_is_not_forgotten(self) -> None:
        stubborn = self.directory / "stubborn"
        helper = self.fake(f'#!/bin/sh\n[ "$2" = del ] && [ -e {stubborn} ] && {{ echo not now >&2; exit 1; }}\nexec {HELPER} "$@"\n')
        nic = self.nic(f"tuntap,,,{GATE}", helper=helper)
        nic.add(GUEST)
        nic.open()
        stubborn.touch()
        self.fails(REFUSED, lambda: nic.delete(GUEST), "not now")
        self.assertIn(f"{GUEST} dev tap0 proto 117 scope link", world.routes())
        stubborn.unlink()
        nic.delete(GUEST)
        self.assertEqual(world.routes(), [])

    def test_the_order_of_calls(self) -> None:
        nic = self.nic("tuntap")
        self.assertEqual((nic.read()[0], nic.write(FRAME)), (STATE, STATE))
        nic.open()
        self.fails(STATE, nic.open, "open already")
        for address, netmask in (("10.99.0", "24"), ("10.99.0.1", "33"), ("10.99.0.1", "255.0.255.0"), ("", "24"), ("10.99.0.1", "")):
            self.fails(INVALID, lambda: nic.add(address, netmask))

    def test_refused_by_policy_in_the_helpers_words(self) -> None:
        world.write_policy({"version": 1, "rules": [{"name": "not-me", "effect": "deny", "users": [0], "operations": ["tuntap"]}]})
        error = self.fails(REFUSED, self.nic(f"tuntap,,,{GATE}").open, "cannot get a TAP device: uml_net: ")
        self.assertEqual(error.exit_status, 77)
        self.assertIn("not-me", error.helper)
        self.assertEqual(world.snapshot(), self.before)

    def test_a_helper_that_cannot_be_started(self) -> None:
        self.fails(NO_HELPER, self.nic("tuntap", helper="/nowhere/uml_net").open, "/nowhere/uml_net", "No such file")
        self.fails(NO_HELPER, self.nic("tuntap", helper="no-such-helper").open, "not in PATH")
        plain = self.directory / "plain"
        plain.touch()
        error = self.fails(NO_HELPER, self.nic("tuntap", helper=plain).open, "Permission denied", "group")
        self.assertEqual(error.errnum, errno.EACCES)

    def test_helpers_that_go_wrong(self) -> None:
        answer = "import os, socket, sys; s = socket.socket(fileno=1);"
        python = "#!/usr/bin/python3\n" + answer
        nap = f"60.{os.getpid()}"
        cases = {
            "hangs": (f"#!/bin/sh\nexec sleep {nap}\n", TIMEOUT, "did not finish in time, and has been killed"),
            "hangs with its reply sent": (python + "socket.send_fds(s, [b'tap0'.ljust(16, b'\\0') + b'x\\0'], [0]);import time;time.sleep(60)",
                                          TIMEOUT, "did not finish in time"),
            "says nothing": ("#!/bin/sh\nexit 3\n", REFUSED, "ended with status 3 and said nothing"),
            "complains": ("#!/bin/sh\necho no such luck >&2\nexit 1\n", REFUSED, "no such luck"),
            "is killed": ("#!/bin/sh\nkill -9 $$\n", REFUSED, "was killed by signal 9 (SIGKILL)"),
            "sends no name": (python + "socket.send_fds(s, [b'/' * 20], [0])", PROTOCOL, "does not begin with a device name"),
            "sends too little": (python + "socket.send_fds(s, [b'tap0'], [0])", PROTOCOL, "too short"),
            "sends two": (python + "socket.send_fds(s, [b'tap0'.ljust(17, b'\\0')], [0, 0])", PROTOCOL, "more than one"),
            "sends too much": (python + "socket.send_fds(s, [b'tap0'.ljust(16, b'\\0') + b'x' * 5000], [0])", PROTOCOL, "larger"),
            "sends a terminal's orders": (python + "s.send(b'\\x1b[31mred\\0'); sys.exit(1)", REFUSED, "?[31mred"),
        }
        for number, (name, (script, code, words)) in enumerate(cases.items()):
            with self.subTest(name), self.unnoticed():
                with Nic("tuntap", self.fake(script, f"helper{number}"), timeout_ms=700 if code == TIMEOUT else 0) as nic:
                    self.fails(code, nic.open, words)
        self.assertNotIn(["sleep", nap], [command_line(pid) for pid in processes_here()])

    def test_what_a_helper_gets(self) -> None:
        """Three descriptors, a clean environment, default signals, none blocked: whatever the host program has."""
        report = self.directory / "report"
        helper = self.fake(f"#!/bin/sh\n{{ ls /proc/self/fd; env; grep -e Sig /proc/self/status; }} >{report}\nexit 1\n")
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.SIG_DFL)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
        os.set_inheritable(os.open("/dev/zero", os.O_RDONLY), True)
        self.fails(REFUSED, self.nic("tuntap", helper=helper).open)
        text = report.read_text()
        self.assertEqual(text.split("\n")[:4], ["0", "1", "2", "3"])  # 3: ls itself reads the directory
        self.assertNotIn("HOME=", text)
        masks = dict(line.split(":\t") for line in text.splitlines() if ":\t" in line)
        self.assertEqual((int(masks["SigBlk"], 16), int(masks["SigIgn"], 16) & ~(1 << 12)), (0, 0))
        self.assertIn(signal.SIGUSR2, signal.pthread_sigmask(signal.SIG_BLOCK, []))

    def test_a_host_program_that_ignores_its_children(self) -> None:
        """SIGCHLD ignored: the kernel then throws the status of children away."""
        self.addCleanup(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        nic = self.nic(f"tuntap,,,{GATE}")
        nic.add(GUEST)
        nic.open()
        self.assertEqual(self.fails(REFUSED, lambda: nic.add(REFUSED_GUEST)).exit_status, 77)

    def test_a_host_program_that_may_not_close_descriptors(self) -> None:
        """What the watcher cannot close it would keep open, and the end of the host program would not show."""
        helper = self.fake("#!/bin/sh\nexec sleep 60\n")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                libumlnet.forbid_system_call(436)  # close_range
                with Nic("tuntap", helper, timeout_ms=500) as nic:
                    self.fails(NO_HELPER, nic.open, "cannot start", "Operation not permitted")
                os._exit(0)
            except BaseException as failure:
                os.write(write, str(failure).encode())
                os._exit(1)
        os.close(write)
        told = os.read(read, 4096)
        os.close(read)
        self.assertEqual(os.waitpid(child, 0)[1], 0, told)

    def test_a_host_program_that_has_closed_its_standard_descriptors(self) -> None:
        """What it prints all the same is not written to a device or to the helper."""
        read, write = os.pipe()
        for setup in (f"tuntap,,,{GATE}", f"ethertap,tap7,,{GATE}"):
            child = os.fork()
            if child == 0:
                try:
                    for number in range(3):
                        os.close(number)
                    with Nic(setup) as nic:
                        nic.open()
                        for number in range(3):
                            with self.assertRaises(OSError):
                                os.write(number, b"printed")
                        nic.add(GUEST)
                        nic.close()
                    os._exit(0)
                except BaseException as failure:
                    os.write(write, str(failure).encode())
                    os._exit(1)
            self.assertEqual(os.waitpid(child, 0)[1], 0, setup)
        os.close(write)
        self.assertEqual(os.read(read, 4096), b"")
        os.close(read)
        self.assertEqual(world.snapshot(), self.before)

    def test_many_threads_at_once(self) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for _ in range(5):
                    with Nic(f"tuntap,,,10.98.{number}.254") as nic:
                        nic.add(f"10.98.{number}.1")
                        nic.open()
                        self.assertRegex(nic.notes[0], rf"^tap\d+ up with 10.98.{number}.254/32\n$")
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        with self.unnoticed():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(world.snapshot(), self.before)

    def test_the_2007_helper(self) -> None:
        """The same protocol, spoken by Debian's uml-utilities."""
        lan = world.lan()
        self.addCleanup(lan.close)
        nic = self.nic("tuntap,,,10.50.0.254", helper=HELPER_2007)
        nic.add("10.50.0.7")
        nic.open()
        self.assertEqual(nic.device, "tap0")
        self.assertIn("10.50.0.7 dev tap0 scope link", world.routes())
        self.assertIn("10.50.0.7 eth0", world.proxy_entries())
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as host:
            host.bind(("tap0", 0x88B5))
            host.settimeout(10)
            self.assertEqual(nic.write(FRAME), OK)
            self.assertEqual(host.recv(2048), FRAME)
        nic.close()
        self.assertEqual((world.proxy_entries(), "tap0" in world.links()), ({}, False))
        self.fails(REFUSED, self.nic("ethertap,tap7,,10.99.0.254", helper=HELPER_2007, timeout_ms=5000).open)


class FixedDevice(HostProgram):
    def test_opened_directly_without_a_helper(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "mine", "mode", "tap")
        world.sh("ip", "link", "set", "mine", "up")
        before = world.snapshot()
        nic = self.nic("tuntap,mine", helper="/nowhere/uml_net")
        nic.add(GUEST)
        nic.open()
        self.assertEqual(nic.device, "mine")
        nic.add("10.99.0.2")
        self.assertEqual(world.snapshot(), before)  # no address changes
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as host:
            host.bind(("mine", 0x88B5))
            host.settimeout(10)
            self.assertEqual(nic.write(FRAME), OK)
            self.assertEqual(host.recv(2048), FRAME)
        self.fails(REFUSED, self.nic("tuntap,mine").open, "Another program has it open")
        nic.close()
        self.assertIn("mine", world.links())
        self.assertEqual(world.audit_lines(), [])

    def test_what_its_last_holder_took_unfinished_comes_finished(self) -> None:
        """A VM manager before has had checksums left to it, and the device remembers."""
        world.sh("ip", "tuntap", "add", "dev", "mine", "mode", "tap")
        world.sh("ip", "addr", "add", f"{GATE}/24", "dev", "mine")
        world.sh("ip", "link", "set", "mine", "up")
        world.sh("ip", "neigh", "add", GUEST, "lladdr", "02:00:00:00:00:01", "dev", "mine")
        last = Tap("mine", vnet_hdr=12, offloads=TUN_F_CSUM)
        last.close()
        nic = self.nic("tuntap,mine")
        nic.open()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
            def ask() -> tuple[int, bytes]:
                # Again and again: the kernel may take a second to notice that the device has a carrier now.
                host.sendto(b"is it right?", (GUEST, 9))
                return nic.read()

            packet = soon(ask, b"is it right?")[14:]
        words = packet[12:20] + struct.pack("!HH", socket.IPPROTO_UDP, len(packet) - 20) + packet[20:]
        total = sum(struct.unpack(f"!{len(words) // 2}H", words))
        self.assertEqual(total % 0xFFFF, 0)

    def test_one_that_is_not_there_is_not_made(self) -> None:
        """Root could make it; a fixed name says that it is there."""
        self.fails(REFUSED, self.nic("tuntap,mine").open, "cannot attach to the TAP device mine", "ip tuntap add dev mine mode tap")
        self.assertEqual(world.snapshot(), self.before)

    def test_not_a_tap(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "tun9", "mode", "tun")
        self.fails(REFUSED, self.nic("tuntap,tun9").open, "It is no TAP")
        self.fails(REFUSED, self.nic("tuntap,lo").open)


class Ethertap(HostProgram):
    def test_the_life_of_an_interface(self) -> None:
        with Nic(f"ethertap,tap7,,{GATE}") as nic:
            nic.add(GUEST)
            nic.open()
            self.assertEqual((nic.device, nic.notes), ("tap7", [f"tap7 up with {GATE}/32\n", f"{GUEST} routed to tap7\n"]))
            nic.add("10.99.0.2")
            self.assertEqual([line.split()[0] for line in world.routes()], [GUEST, "10.99.0.2"])
            error = self.fails(REFUSED, lambda: nic.add(REFUSED_GUEST), "cannot add 10.66.0.1 to tap7: uml_net: ")
            self.assertIn("not-these", error.helper)
            with world.listener("tap7") as host:
                self.assertEqual(nic.write(FRAME), OK)
                self.assertEqual(world.heard(host, FRAME[12:14]), FRAME)
                host.send(FRAME)
                self.assertEqual(soon(nic.read, FRAME[12:14]), FRAME)
            self.assertEqual((nic.write(FRAME[:13]), nic.write(bytes(1515))), (PROTOCOL, PROTOCOL))
            nic.close()
            self.assertEqual(world.snapshot(), self.before)
            session = self.last_line()["result"]["session"]
            self.assertEqual((session["addresses_added"], session["addresses_removed"]), (2, 2))
            nic.open()
        self.assertEqual(world.snapshot(), self.before)
        self.assertEqual(self.last_line()["event"], "exit")

    def test_refused_in_the_helpers_words(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "tap7", "mode", "tap")
        before = world.snapshot()
        error = self.fails(REFUSED, self.nic(f"ethertap,tap7,,{GATE}").open, "cannot open an ethertap session on tap7: uml_net: ")
        self.assertGreater(error.exit_status, 0)
        self.assertEqual(world.snapshot(), before)

    def test_a_helper_that_dies(self) -> None:
        nic = self.nic(f"ethertap,tap7,,{GATE}")
        nic.add(GUEST)
        nic.open()
        (pid,) = [pid for pid in processes_here()
                  if command_line(pid)[:3] == [str(HELPER), "4", "ethertap"] and children_of(pid)]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (code := nic.read()[0]) != CLOSED and time.monotonic() < deadline:
            self.assertIn(code, (OK, AGAIN))
            time.sleep(0.01)
        self.assertEqual(code, CLOSED)
        self.fails(CLOSED, lambda: nic.add("10.99.0.2"))
        error = self.fails(CLOSED, nic.close)
        self.assertIn("killed by signal 9", error.message)
        self.assertEqual(nic.fd, -1)

    def test_helpers_that_go_wrong(self) -> None:
        python = "#!/usr/bin/python3\nimport os, struct, time\n"
        cases = {
            "hangs": ("time.sleep(60)", TIMEOUT, "did not finish in time"),
            "hangs in the middle": ("os.write(1, b'\\1' + struct.pack('=i', 5) + b'ab'); time.sleep(60)", TIMEOUT, "did not finish"),
            "ends": ("os._exit(9)", REFUSED, "status 9"),
            "claims a long text": ("os.write(1, b'\\1' + struct.pack('=i', 5000)); time.sleep(.2)", PROTOCOL, "5000"),
            "claims a negative text": ("os.write(1, b'\\0' + struct.pack('=i', -1))", PROTOCOL, "-1"),
            "says no": ("os.write(1, b'\\0' + struct.pack('=i', 4) + b'no!\\0'); os._exit(77)", REFUSED, "no!"),
        }
        for number, (name, (script, code, words)) in enumerate(cases.items()):
            with self.subTest(name):
                nic = self.nic("ethertap,tap7", helper=self.fake(python + script, f"helper{number}"), timeout_ms=1500 if code == TIMEOUT else 0)
                self.fails(code, nic.open, words)

    def test_the_watcher_has_nothing_that_a_host_program_could_have_given_up(self) -> None:
        """It works on memory that the host program writes to, also once that has no privilege any more."""
        nic = self.nic(f"ethertap,tap7,,{GATE}")
        nic.open()
        (watcher,) = children_of(os.getpid())
        status = status_of(watcher)
        self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
        self.assertEqual({int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}, {0})
        nic.close()
        self.assertEqual(world.snapshot(), self.before)

    def test_no_host_program_is_kept_in_memory_by_the_watcher(self) -> None:
        """The process between is no copy of the host program: what this one writes later costs nothing twice."""
        nic = self.nic(f"ethertap,tap7,,{GATE}")
        nic.open()
        # It is on this process's own memory, so it sees what is mapped here afterwards.
        import mmap
        (pid,) = children_of(os.getpid())
        watcher = Path(f"/proc/{pid}")
        later = mmap.mmap(-1, 1 << 20)
        self.assertEqual((watcher / "maps").read_text().count("\n"), Path("/proc/self/maps").read_text().count("\n"))
        later.close()
        self.assertEqual(len(os.listdir(watcher / "fd")), 2)  # its channel, and the program's pidfd
        status = status_of(pid)
        self.assertEqual(int(status["SigBlk"], 16), 0xFFFFFFFFFFFFFFFF & ~(1 << 8) & ~(1 << 18))  # all but KILL and STOP


class Setups(unittest.TestCase):
    def test_as_on_the_command_line_of_user_mode_linux(self) -> None:
        setup = libumlnet.parse_setup("tuntap,tap0,fe:fd:0:0:0:1,10.0.0.1")
        self.assertEqual((setup.transport, setup.device, setup.gateway, bytes(setup.mac), setup.has_mac),
                         (b"tuntap", b"tap0", b"10.0.0.1", bytes.fromhex("fefd00000001"), 1))
        setup = libumlnet.parse_setup("ethertap,tap7,,10.0.0.254")
        self.assertEqual((setup.transport, setup.device, setup.gateway, setup.has_mac), (b"ethertap", b"tap7", b"10.0.0.254", 0))


if __name__ == "__main__":
    unittest.main()
