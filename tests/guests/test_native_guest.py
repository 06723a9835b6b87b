"""Real guests of an ordinary user on devices of the native protocol, by `umlnet run`."""

import unittest

from tests.support import world
from tests.support.cli import NOBODY, CliCase
from tests.support.console import ConsoleGuest
from tests.support.guest import UmlGuest
from tests.support.qemu_guest import QemuGuest

MAC = "52:54:00:12:34:56"
POLICY = {"version": 1, "rules": [{
    "name": "nobodys-devices", "users": [NOBODY], "operations": ["open"], "gateways": ["10.99.0.0/24", "fd00:99::/64"],
    "guests": ["10.99.0.0/24", "fd00:99::/64"], "devices": ["uml*"], "max_queues": 2, "vnet_hdr": True}]}
NET = ("--ip", "10.99.0.254/24", "--guest", "10.99.0.1")


class Guests(CliCase):
    user = NOBODY

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)

    def prefix(self, *words: str) -> list[str]:
        return [*self.command("run", *words), "--"]

    def assert_pings(self, guest: ConsoleGuest, device: str) -> None:
        guest.check(f"ip link set {device} up && ip addr add 10.99.0.1/24 dev {device}")
        for size in (56, 1400):
            self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
            self.assertTrue(world.ping("10.99.0.1", size))

    def assert_ends_well(self, guest: ConsoleGuest) -> None:
        guest.halt()
        assert guest.process
        self.assertEqual(guest.process.returncode, 0, guest.output)
        self.assert_nothing_left()

    def test_qemu_with_two_queues_and_virtio_net_headers(self) -> None:
        prefix = self.prefix(*NET, "--ip6", "fd00:99::1/64", "--guest", "fd00:99::7", "--queues", "2", "--vnet-hdr")
        with QemuGuest("-smp", "2", "-netdev", "tap,id=n0,fds={fds},vhost=off", "-device", "virtio-net-pci,netdev=n0,mq=on",
                       user=NOBODY, prefix=prefix) as guest:
            self.assert_pings(guest, "eth0")
            guest.check("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad && ip -6 addr add fd00:99::7/64 dev eth0")
            self.assertTrue(guest.pings("fd00:99::1"), guest.output)
            self.assertTrue(world.ping("fd00:99::7"))
            self.assertEqual(guest.run("ls /sys/class/net/eth0/queues")[1].split(), ["rx-0", "rx-1", "tx-0", "tx-1"])
            self.assert_ends_well(guest)

    def test_qemu_on_a_sealed_device_cannot_lie_about_its_address(self) -> None:
        prefix = self.prefix(*NET, "--sealed", "--anti-spoof", "--guest-mac", MAC)
        with QemuGuest("-netdev", "dgram,id=n0,local.type=fd,local.str={fd}", "-device", f"virtio-net-pci,netdev=n0,mac={MAC}",
                       user=NOBODY, prefix=prefix) as guest:
            self.assert_pings(guest, "eth0")
            guest.check("ip addr add 10.99.0.66/24 dev eth0")
            self.assertNotEqual(guest.run("ping -c 1 -W 1 -I 10.99.0.66 10.99.0.254")[0], 0)
            self.assertTrue(guest.pings("10.99.0.254"), guest.output)
            self.assert_ends_well(guest)

    def test_user_mode_linux_by_its_vector_transport(self) -> None:
        prefix = self.prefix(*NET, "--device", "uml0")
        with UmlGuest(None, "vec0:transport=fd,fd={fd},vec=0", user=NOBODY, prefix=prefix) as guest:
            self.assert_pings(guest, "vec0")
            self.assertIn("uml0 up with 10.99.0.254/24", guest.output)
            self.assert_ends_well(guest)


if __name__ == "__main__":
    unittest.main()
