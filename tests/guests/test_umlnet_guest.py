"""Real guests of an ordinary user, put on the network by `umlnet run` and `umlnet pump`."""

import os
import tempfile
import unittest

from tests.support import world
from tests.support.cli import NOBODY, CliCase
from tests.support.console import ConsoleGuest
from tests.support.guest import UmlGuest
from tests.support.qemu_guest import QemuGuest

NET = ("--gateway", "10.99.0.254", "--address", "10.99.0.1")
NIC = ("-device", "virtio-net-pci,netdev=n0")


class Guests(CliCase):
    user = NOBODY

    def prefix(self, *words: str) -> list[str]:
        return [*self.command("run", *words), "--"]

    def assert_pings(self, guest: ConsoleGuest, device: str) -> None:
        guest.check(f"ip link set {device} up && ip addr add 10.99.0.1/24 dev {device}")
        for size in (56, 1400):
            self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
            self.assertTrue(world.ping("10.99.0.1", size))

    def assert_on_the_network(self, guest: ConsoleGuest, device: str) -> None:
        self.assert_pings(guest, device)
        guest.halt()
        assert guest.process
        self.assertEqual(guest.process.returncode, 0, guest.output)
        self.assertIn("10.99.0.1 no longer routed to tap", guest.output)
        self.assert_nothing_left()

    def test_user_mode_linux_by_its_vector_transport(self) -> None:
        with UmlGuest(None, "vec0:transport=fd,fd={fd},vec=0", user=NOBODY, prefix=self.prefix(*NET)) as guest:
            self.assert_on_the_network(guest, "vec0")

    def test_qemu_on_the_tap(self) -> None:
        with QemuGuest("-netdev", "tap,id=n0,fd={fd}", *NIC, user=NOBODY, prefix=self.prefix(*NET)) as guest:
            self.assert_on_the_network(guest, "eth0")

    def test_qemu_on_a_stream_socket(self) -> None:
        """Written as JSON: its braces are not umlnet's."""
        netdev = '{"type":"stream","id":"n0","addr":{"type":"fd","str":"{fd}"}}'
        with QemuGuest("-netdev", netdev, *NIC, user=NOBODY, prefix=self.prefix("--as", "stream", *NET)) as guest:
            self.assert_on_the_network(guest, "eth0")

    def test_qemu_on_a_datagram_socket_with_an_ethertap_session(self) -> None:
        prefix = self.prefix("--as", "dgram", "--net", "ethertap,tap7,,10.99.0.254", "--address", "10.99.0.1")
        with QemuGuest("-netdev", "dgram,id=n0,local.type=fd,local.str={fd}", *NIC, user=NOBODY, prefix=prefix) as guest:
            self.assert_on_the_network(guest, "eth0")

    def test_qemu_listens_and_a_pump_connects(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            os.chown(directory, NOBODY, NOBODY)
            path = f"{directory}/guest"
            netdev = f"stream,id=n0,server=on,addr.type=unix,addr.path={path}"
            with QemuGuest("-netdev", netdev, *NIC, user=NOBODY) as guest, self.start(
                    "pump", "--json", "--address", "10.99.0.1", "tuntap,,,10.99.0.254", f"stream:{path}") as pump:
                self.assert_pings(guest, "eth0")
                guest.halt()
                status, out, err = pump.finish()
        self.assertEqual((status, self.totals(out)["ended"]), (0, "b_gone"), err)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
