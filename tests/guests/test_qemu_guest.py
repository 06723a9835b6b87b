"""The real QEMU on the network with what uml_net hands over, and on sockets."""

import os
import socket
import unittest
from typing import Any

from tests.support import caller, world
from tests.support.case import HELPER, HostCase
from tests.support.guest import soon
from tests.support.process import session_members, status_of
from tests.support.qemu_guest import QemuGuest
from tests.support.responder import Responder

NOBODY = 65534
MASK = "255.255.255.0"
NIC = ("-device", "virtio-net-pci,netdev=n0")
POLICY = {
    "version": 1,
    "rules": [{"name": "nobodys-guests", "users": [NOBODY], "operations": ["tuntap", "address"],
               "gateways": ["10.99.0.254"], "guests": ["10.99.0.0/24"]}],
}


def configure(guest: QemuGuest) -> None:
    guest.check("ip link set eth0 up && ip addr add 10.99.0.1/24 dev eth0")


class OpenTap(HostCase):
    def with_tap(self, tap: caller.Reply, **more: Any) -> QemuGuest:
        self.assertEqual(tap.exit, 0, tap)
        return QemuGuest("-netdev", f"tap,id=n0,fd={tap.fds[0]}", *NIC, pass_fds=tap.fds, **more)

    def assert_on_the_network(self, guest: QemuGuest) -> None:
        for size in (56, 1400):
            self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
            self.assertTrue(world.ping("10.99.0.1", size))

    def test_on_the_network_both_ways_and_gone_with_the_guest(self) -> None:
        before = world.snapshot()
        with caller.tuntap_up(HELPER, "10.99.0.254") as tap, self.with_tap(tap) as guest:
            tap.close()
            configure(guest)
            added = caller.framed(HELPER, "4", "add", tap.name, "10.99.0.1", MASK)
            self.assertEqual((added.exit, added.text), (0, "10.99.0.1 routed to tap0\n"))
            self.assert_on_the_network(guest)
            guest.halt()
            self.assertTrue(soon(lambda: world.snapshot() == before))

    def test_of_an_ordinary_user_behind_another_program_and_killed_with_it(self) -> None:
        """The shell in between gives QEMU a process group of its own."""
        helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(POLICY)
        before = world.snapshot()
        shell = ["bash", "-c", 'set -m; "$@"; exit $?', "bash"]
        with (caller.tuntap_up(helper, "10.99.0.254", user=NOBODY) as tap,
              self.with_tap(tap, user=NOBODY, prefix=shell) as guest):
            tap.close()
            configure(guest)
            self.assertEqual(caller.framed(helper, "4", "add", tap.name, "10.99.0.1", MASK, user=NOBODY).exit, 0)
            self.assert_on_the_network(guest)
            assert guest.process
            members = session_members(guest.process.pid)
            for pid in members:
                self.assertEqual(status_of(pid)["Uid"].split(), [str(NOBODY)] * 4)
            self.assertEqual(len({os.getpgid(pid) for pid in members}), 2)
            guest.kill()
            self.assertEqual(session_members(guest.process.pid), [])
            self.assertTrue(soon(lambda: world.snapshot() == before))


class Sockets(HostCase):
    def assert_answered(self, kind: socket.SocketKind, netdev: str) -> None:
        """`netdev` has {fd} where the descriptor's number goes."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        guest = QemuGuest("-netdev", netdev.format(fd=theirs.fileno()), *NIC, pass_fds=[theirs.fileno()])
        with ours, theirs, Responder(ours, "10.99.0.254"), guest:
            theirs.close()
            configure(guest)
            for size in (56, 1400):
                self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
            self.assertNotEqual(guest.run("ping -c 1 -W 1 10.99.0.253")[0], 0)
            guest.halt()

    def test_a_stream_socket_takes_frames_behind_their_length(self) -> None:
        self.assert_answered(socket.SOCK_STREAM, "stream,id=n0,addr.type=fd,addr.str={fd}")

    def test_a_datagram_socket_takes_bare_frames(self) -> None:
        self.assert_answered(socket.SOCK_DGRAM, "dgram,id=n0,local.type=fd,local.str={fd}")


if __name__ == "__main__":
    unittest.main()
