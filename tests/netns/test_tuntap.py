"""`uml_net 4 tuntap up [GATE]` against a real kernel."""

import fcntl
import os
import socket
import struct
import subprocess
import tempfile
import unittest

from tests.support import caller, world
from tests.support.case import FILLER, HELPER, HostCase

TUNGETIFF = 0x800454D2
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100


class TuntapUp(HostCase):
    def test_reply_and_device(self) -> None:
        before = world.snapshot()
        with caller.tuntap_up(HELPER, "10.99.0.254") as reply:
            self.assertEqual(reply.exit, 0, reply)
            self.assertEqual(reply.data, b"tap0".ljust(16, b"\0") + b"tap0 up with 10.99.0.254/32\n\0")
            self.assertEqual(len(reply.fds), 1)
            self.assertEqual(reply.stderr, "")
            link = world.links()["tap0"]
            self.assertIn("UP", link["flags"])
            info = link["linkinfo"]["info_data"]
            self.assertEqual((info["type"], info["persist"], info["user"]), ("tap", False, "root"))
            self.assertRegex(link["ifalias"], r"^uml_net uid=0 id=[0-9a-f-]{36} since=[0-9-]+T[0-9:]+Z tuntap gateway=10\.99\.0\.254$")
            self.assertEqual(world.snapshot()["addresses"]["tap0"], ["10.99.0.254/32"])
            request = fcntl.ioctl(reply.fds[0], TUNGETIFF, bytes(40))
            flags = struct.unpack_from("H", request, 16)[0]
            self.assertEqual(request[:5], b"tap0\0")
            self.assertEqual(flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE), IFF_TAP | IFF_NO_PI)
        self.assertEqual(world.snapshot(), before)

    def test_without_gateway_there_is_no_address(self) -> None:
        with caller.tuntap_up(HELPER) as reply:
            self.assertEqual((reply.exit, reply.text), (0, "tap0 up without a host address\n"))
            self.assertEqual(world.snapshot()["addresses"].get("tap0", []), [])
            self.assertIn("UP", world.links()["tap0"]["flags"])

    def test_several_guests_share_a_gateway(self) -> None:
        with caller.tuntap_up(HELPER, "10.99.0.254") as first, caller.tuntap_up(HELPER, "10.99.0.254") as second:
            self.assertEqual((first.name, second.name), ("tap0", "tap1"))

    def test_the_device_carries_frames(self) -> None:
        with caller.tuntap_up(HELPER, "10.99.0.254") as reply:
            self.assertEqual(caller.framed(HELPER, "4", "add", "tap0", "10.99.0.1", "255.255.255.255").exit, 0)
            pinging = subprocess.Popen(["ping", "-c", "1", "-W", "2", "10.99.0.1"], stdout=subprocess.DEVNULL)
            try:
                while (frame := os.read(reply.fds[0], 2048))[12:14] != b"\x08\x06":
                    pass
                self.assertEqual(frame[38:42], socket.inet_aton("10.99.0.1"))
            finally:
                pinging.kill()
                pinging.wait()

    def test_audit_lines(self) -> None:
        with caller.tuntap_up(HELPER, "10.99.0.254") as reply:
            intent, result = world.audit_lines()
            alias = world.links()["tap0"]["ifalias"]
            self.assertEqual(reply.exit, 0)
        self.assertEqual((intent["event"], intent["stage"]), ("accept", "intent"))
        self.assertEqual((result["event"], result["stage"]), ("accept", "result"))
        self.assertEqual(intent["id"], result["id"])
        self.assertIn(f"id={result['id']} ", alias)
        self.assertEqual(intent["request"], {"protocol": "uml/4", "operation": "tuntap", "gateway": "10.99.0.254"})
        self.assert_called_by(result, {"uid": 0, "gid": 0, "pid": os.getpid(), "user": "root"})
        self.assertEqual(result["result"]["device"], "tap0")
        self.assertEqual(
            result["result"]["changes"], ["tap0 made for uid 0", "10.99.0.254/32 on tap0", "tap0 up"]
        )

    def test_a_bad_gateway_is_refused_in_a_datagram_without_fd(self) -> None:
        before = world.snapshot()
        for gate, status in (("10.99.0", 65), ("", 65), ("10.99.0.256", 65), ("127.0.0.1", 65), ("224.0.0.1", 65)):
            with self.subTest(gate=gate):
                reply = caller.tuntap_up(HELPER, gate)
                self.assert_refused(reply, status, "gateway")
                self.assertEqual(reply.data[-1:], b"\0")
        self.assertEqual(world.snapshot(), before)
        self.assertEqual({line["event"] for line in world.audit_lines()}, {"reject"})
        self.assertEqual(world.audit_lines()[0]["untrusted"], ["4", "tuntap", "up", "10.99.0"])

    def test_a_caller_that_is_gone_leaves_nothing(self) -> None:
        before = world.snapshot()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.close()
        with theirs:
            done = caller.run(HELPER, "4", "tuntap", "up", "10.99.0.254", stdout=theirs)
        self.assertEqual(done.returncode, 74, done)
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(self.events(), [("accept", "intent"), ("exit", "result")])
        self.assertEqual(self.last_line()["result"]["changes"], ["tap0 gone"])

    def test_a_caller_that_does_not_read_is_given_up(self) -> None:
        before = world.snapshot()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            theirs.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    theirs.send(b"x")
            theirs.setblocking(True)
            done = caller.run(HELPER, "4", "tuntap", "up", "10.99.0.254", stdout=theirs)
        self.assertEqual(done.returncode, 74)
        self.assertIn(b"did not take the reply", done.stderr)
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(self.events(), [("accept", "intent"), ("exit", "result")])

    def test_fds_of_the_wrong_kind(self) -> None:
        before = world.snapshot()
        tcp = socket.socket()
        dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stream, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        with tcp, dgram, stream, peer, netlink, tempfile.TemporaryFile() as file, open(world.LOG, "ab") as log:
            for what in (tcp, dgram, stream, netlink, file, log, subprocess.PIPE):
                with self.subTest(what=what):
                    done = caller.run(HELPER, "4", "tuntap", "up", "10.99.0.254", stdout=what)
                    self.assertEqual(done.returncode, 64)
                    self.assertIn(b"fd 1 is not a connected AF_UNIX datagram socket", done.stderr)
            self.assertEqual(file.tell(), 0)
        self.assertEqual(world.snapshot(), before)
        self.assertTrue(all(event == ("reject", "result") for event in self.events()))

    def test_without_a_usable_log_nothing_is_granted(self) -> None:
        before = world.snapshot()

        def missing() -> None:
            world.LOG.unlink()

        def symlink() -> None:
            world.LOG.rename("/var/log/elsewhere")
            world.LOG.symlink_to("/var/log/elsewhere")

        def hard_link() -> None:
            os.link(world.LOG, "/var/log/second-name")

        def fifo() -> None:
            world.LOG.unlink()
            os.mkfifo(world.LOG)

        def not_roots() -> None:
            os.chown(world.LOG, 65534, 0)

        def for_everybody() -> None:
            world.LOG.chmod(0o666)

        for spoil, words in ((missing, "is not there"), (symlink, "symbolic link"), (hard_link, "2 links"),
                             (fifo, "is not a regular file"), (not_roots, "belongs to uid 65534"),
                             (for_everybody, "writable by everybody")):
            with self.subTest(spoil.__name__):
                world.reset_log()
                spoil()
                self.assert_refused(caller.tuntap_up(HELPER, "10.99.0.254"), 78, "audit log", words)
        self.assertEqual(world.snapshot(), before)


if __name__ == "__main__":
    unittest.main()
