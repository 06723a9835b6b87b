"""`umlnet pump`: frames between any two ends, and what people and scripts are told of it."""

import os
import pty
import re
import signal
import socket
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.support import world
from tests.support.cli import NOBODY, CliCase, Running
from tests.support.guest import soon
from tests.support.responder import Responder

GATEWAY, GUEST = "10.99.0.254", "10.99.0.1"
FRAME = b"\xff" * 6 + b"\2" + bytes(5) + b"\x88\xb5" + bytes(50)
PCAPNG = b"\x0a\x0d\x0d\x0a"


class Pump(CliCase):
    """As an ordinary user."""

    user = NOBODY

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        os.chown(directory.name, NOBODY, NOBODY)

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def datagrams(self, patience: float | None = 10) -> tuple[socket.socket, str]:
        """The test's end of a pair, which waits that many seconds, and the word for the other one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ours.settimeout(patience)
        return ours, f"fd:{theirs.fileno()},dgram"

    def start_pump(self, *words: str, **more: Any) -> Running:
        """The descriptors that words name are inherited."""
        fds = [int(word[3:].partition(",")[0]) for word in words if word.startswith("fd:")]
        return self.start("pump", *words, pass_fds=fds, **more)

    def stop(self, running: Running) -> tuple[dict[str, Any], str]:
        running.terminate()
        status, out, err = running.finish()
        self.assertEqual(status, 0, err)
        return self.totals(out), err

    def assert_guest_answers(self) -> None:
        for size in (56, 1400):
            self.assertTrue(world.ping(GUEST, size))

    def pumping(self, running: Running, wire: socket.socket) -> int:
        """The pump process, which has begun: the kernel's question for the guest's address has reached that end."""
        self.assertTrue(soon(lambda: any(GUEST in route for route in world.routes())))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
            host.sendto(b"", (GUEST, 9))
        wire.recv(2000)
        return self.pump_process(running)

    def test_a_network_of_uml_net_and_a_socket(self) -> None:
        for words in (["tuntap,,,10.99.0.254"], ["ethertap,tap7,,10.99.0.254"], ["--no-sandbox", "tuntap,,,10.99.0.254"]):
            wire, end = self.datagrams(None)
            with self.subTest(words), self.start_pump("-j", "-a", GUEST, *words, end) as running, Responder(wire, GUEST):
                self.assertTrue(soon(lambda: any(GUEST in route for route in world.routes())))
                self.assert_guest_answers()
                totals, err = self.stop(running)
                device = words[-1][:8] == "ethertap" and "tap7" or "tap0"
                self.assertEqual((totals["a"], totals["ended"]), (device, "stopped"))
                self.assertGreaterEqual(totals["b_to_a"]["frames"], 2)
                self.assertGreaterEqual(totals["a_to_b"]["bytes"], 1400)
                self.assertIn(f"{GUEST} routed to {device}\n", err)
                self.assertRegex(err, rf"umlnet pump: stopped after \d+\.\d s\. {device} to fd \d+: \d+ frames, ")
                self.assert_nothing_left()

    def test_a_tap_that_is_there_with_a_virtio_net_header(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "tap5", "mode", "tap", "user", str(NOBODY))
        world.sh("ip", "addr", "add", "10.99.0.254/24", "dev", "tap5")
        world.sh("ip", "link", "set", "tap5", "up")
        for word in ("tap:tap5", "tap:tap5,vnet=10", "tap:tap5,vnet=12", "tuntap,tap5"):
            wire, end = self.datagrams(None)
            with self.subTest(word), self.start_pump("-j", word, end) as running, Responder(wire, GUEST):
                self.assert_guest_answers()
                self.assertEqual(self.stop(running)[0]["a_to_b"]["malformed"], 0)

    def test_streams_that_listen_and_connect(self) -> None:
        wire, end = self.datagrams()
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = self.path("s")
        with peer, self.start_pump("-j", "-q", f"stream-listen:{path}", end) as running:
            self.assertTrue(soon(lambda: peer.connect_ex(path) == 0))
            peer.sendall(len(FRAME).to_bytes(4, "big") + FRAME)
            self.assertEqual(wire.recv(2000), FRAME)
            peer.close()
            status, out, err = running.finish()
        self.assertEqual((status, err, self.totals(out)["ended"]), (0, "", "a_gone"))
        self.assertFalse(Path(path).exists())

        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            os.chmod(path, 0o666)
            wire, end = self.datagrams()
            with self.start_pump("-j", "-q", end, f"stream:{path}") as running:
                connection, _ = listener.accept()
                with connection:
                    wire.send(FRAME)
                    self.assertEqual(connection.recv(2000), len(FRAME).to_bytes(4, "big") + FRAME)
                    self.assertEqual(self.stop(running)[0]["a_to_b"]["frames"], 1)
        self.assertTrue(Path(path).exists())

    def test_datagram_sockets_by_path(self) -> None:
        wire, end = self.datagrams()
        with (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer,
              self.start_pump("-j", "-q", f"dgram:{self.path('u')},{self.path('q')}", end) as running):
            self.assertTrue(soon(Path(self.path("u")).exists))
            peer.bind(self.path("q"))
            os.chmod(self.path("q"), 0o666)
            peer.connect(self.path("u"))
            peer.settimeout(10)
            wire.send(FRAME)
            self.assertEqual(peer.recv(2000), FRAME)
            peer.send(FRAME)
            self.assertEqual(wire.recv(2000), FRAME)
            self.stop(running)
        self.assertFalse(Path(self.path("u")).exists())

    def test_a_record_in_a_file_and_on_stdout(self) -> None:
        wire, end = self.datagrams()
        other, other_end = self.datagrams()
        with self.start_pump("-q", "-j", "--pcap", self.path("p"), end, other_end) as running:
            wire.send(FRAME)
            self.assertEqual(other.recv(2000), FRAME)
            self.assertEqual(self.stop(running)[0]["captured"], 1)
        self.assertTrue(Path(self.path("p")).read_bytes().startswith(PCAPNG))

        wire, end = self.datagrams()
        other, other_end = self.datagrams()
        with open(self.path("o"), "wb") as file, self.start_pump("-q", "-w", "-", end, other_end, stdout=file) as running:
            wire.send(FRAME)
            self.assertEqual(other.recv(2000), FRAME)
            running.terminate()
            self.assertEqual(running.finish()[0], 0)
        recorded = Path(self.path("o")).read_bytes()
        self.assertTrue(recorded.startswith(PCAPNG))
        self.assertIn(FRAME, recorded)

    def test_the_line_on_a_terminal(self) -> None:
        wire, end = self.datagrams()
        other, other_end = self.datagrams()
        ours, theirs = pty.openpty()
        with self.start_pump(end, other_end, stderr=theirs) as running:
            os.close(theirs)
            for _ in range(100):
                wire.send(FRAME)
            shown = b""
            while b"drops\x1b[K" not in shown:
                shown += os.read(ours, 4096)
            running.terminate()
            running.wait()
            try:
                while more := os.read(ours, 4096):
                    shown += more
            except OSError:  # EIO: nobody has the terminal any more
                pass
            os.close(ours)
            running.communicate()
        lines = shown.decode().split("\r\n")
        self.assertRegex(lines[0], r"^\r-> \d+ frames/s \d+ kbit/s 0 drops   <- 0 frames/s 0 bit/s 0 drops\x1b\[K")
        self.assertLess(max(len(line) for line in re.split(r"\r|\x1b\[K", lines[0])), 80)
        self.assertIn("100 frames, 6400 bytes, 0 dropped", lines[1])

    def test_told_to_end_while_it_waits_for_the_other_side(self) -> None:
        for word, made in ((f"stream-listen:{self.path('s')}", "s"), (f"dgram:{self.path('u')},{self.path('q')}", "u")):
            for signal_ in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(word), self.start_pump("tuntap,,,10.99.0.254", word) as running:
                    self.assertTrue(soon(Path(self.path(made)).exists))
                    os.kill(running.pid, signal_)
                    self.assertEqual(running.finish()[0], 0)
                    self.assertFalse(Path(self.path(made)).exists())
                    self.assert_nothing_left()

    def test_told_to_end_while_nobody_reads_the_record(self) -> None:
        os.mkfifo(self.path("record"))
        os.chown(self.path("record"), NOBODY, NOBODY)
        _, end = self.datagrams()
        with self.start_pump("-w", self.path("record"), "tuntap,,,10.99.0.254", end) as running:
            blocked = lambda: int(re.findall(r"SigBlk:\t(\w+)", Path(f"/proc/{running.pid}/status").read_text())[0], 16)
            self.assertTrue(soon(lambda: blocked() & 1 << signal.SIGTERM - 1 != 0))  # it has begun
            running.terminate()
            self.assertEqual(running.finish()[0], 0)
        with self.start_pump("-j", "-w", self.path("record"), end, self.datagrams()[1]) as running:
            with open(self.path("record"), "rb") as record:
                self.assertEqual(record.read(4), PCAPNG)
                self.stop(running)

    def test_told_to_end_while_others_wait_to_be_accepted(self) -> None:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
            listener.bind(self.path("busy"))
            os.chown(self.path("busy"), NOBODY, NOBODY)
            listener.listen(0)
            other.connect(self.path("busy"))
            with self.start_pump("tuntap,,,10.99.0.254", f"stream:{self.path('busy')}") as running:
                self.assertTrue(soon(lambda: "tap0" in world.links()))
                running.terminate()
                self.assertEqual(running.finish()[0], 0)
            self.assert_nothing_left()
            with self.start_pump("tuntap,,,10.99.0.254", f"stream:{self.path('busy')}") as running:
                self.assertTrue(soon(lambda: "tap0" in world.links()))
                listener.accept()[0].close()
                listener.accept()[0].close()  # this is umlnet's
                self.assertEqual(running.finish()[0], 0)

    def test_a_pump_that_does_not_end(self) -> None:
        """Stopped, or taken over by a guest."""
        wire, end = self.datagrams()
        with self.start_pump("-j", "-a", GUEST, "tuntap,,,10.99.0.254", end) as running:
            os.kill(self.pumping(running, wire), signal.SIGSTOP)
            running.terminate()
            status, out, err = running.finish()
        self.assertEqual((status, self.totals(out)["ended"]), (70, "failed"), err)
        self.assertIn("umlnet pump: the pump process did not end in time, and has been killed", err)
        self.assert_nothing_left()

    def test_a_pump_that_was_killed(self) -> None:
        wire, end = self.datagrams()
        with self.start_pump("-j", "-a", GUEST, "tuntap,,,10.99.0.254", end) as running:
            os.kill(self.pumping(running, wire), signal.SIGKILL)
            status, out, err = running.finish()
        self.assertNotEqual(status, 0)
        self.assertEqual(self.totals(out)["ended"], "failed")
        self.assertIn("umlnet pump: ", err)
        self.assert_nothing_left()

    def test_ends_that_are_none(self) -> None:
        Path(self.path("there")).touch()
        _, end = self.datagrams()
        for status, words, arguments in (
            (64, "a pump has two ends, and 1 were named", ["tuntap"]),
            (64, "both write to stdout", ["-j", "-w", "-", end, end]),
            (64, "nobody can be told of the address", ["-a", GUEST, end, end]),
            (65, "ends are tap:, stream:, stream-listen:, dgram:, fd:", ["udp:1.2.3.4", end]),
            (65, "known are tuntap, ethertap", ["bridge", end]),
            (65, "tap:DEV[,vnet=10|12]", ["tap:", end]),
            (65, "vnet=10 or vnet=12", ["tap:tap0,vnet=13", end]),
            (65, "1 to 107 bytes", ["stream:" + "x" * 108, end]),
            (65, "dgram:LOCAL,REMOTE", ["dgram:/tmp/x", end]),
            (65, "fd:N,tap|stream|dgram|ethertap", ["fd:3", end]),
            (65, "is not the number of a descriptor", ["fd:x,tap", end]),
            (65, "is not tap, stream, dgram or ethertap", [end.replace("dgram", "tun"), end]),
            (65, "ethertap has no virtio-net header", [end.replace("dgram", "ethertap,vnet=12"), end]),
            (66, "fd 999: Bad file descriptor", ["fd:999,tap", end]),
            (66, "fd 3: Bad file descriptor", ["fd:3,stream", "fd:4,stream"]),  # not what it opens itself
            (69, "Nobody listens there", ["stream:" + self.path("none"), end]),
            (73, "there is something; remove it", ["stream-listen:" + self.path("there"), end]),
            (73, "cannot write the capture", ["-w", self.path("no/file"), end, end]),
            (77, "mode tap user NAME", ["tap:tap9", end]),
            (77, "not in 10.99.0.0/16", ["tuntap,,,192.168.1.1", end]),
        ):
            with self.subTest(arguments):
                done, out, err = self.run_to_end("pump", *arguments, pass_fds=[int(end[3:].partition(",")[0])])
                self.assertEqual((done, out), (status, ""), err)
                self.assertIn(words, err)
                self.assertTrue(err.startswith("umlnet pump: "), err)
                self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
