"""The real QEMU of an ordinary user, which starts uml_net as its bridge helper."""

import unittest

from tests.support import bridge, world
from tests.support.case import HELPER, HostCase
from tests.support.guest import soon
from tests.support.qemu_guest import QemuGuest

NOBODY = 65534
NIC = ("-device", "virtio-net-pci,netdev=n0")
POLICY = {"version": 1, "rules": [{"name": "machines", "users": [NOBODY], "operations": ["bridge"], "bridges": ["br0"]}]}


class BridgeGuest(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(POLICY)
        bridge.add_bridge()
        bridge.add_bridge("br1", "10.61.0.1/24")
        self.before = world.snapshot(), bridge.ports()

    def guest(self, netdev: str) -> QemuGuest:
        return QemuGuest("-netdev", netdev, *NIC, user=NOBODY)

    def assert_on_the_bridge(self, guest: QemuGuest) -> None:
        guest.check("ip link set eth0 up && ip addr add 10.60.0.7/24 dev eth0")
        for size in (56, 1400):
            self.assertTrue(guest.pings("10.60.0.1", size), guest.output)
            self.assertTrue(world.ping("10.60.0.7", size))
        link = world.links()["tap0"]
        self.assertEqual((link["master"], link["linkinfo"]["info_data"]["user"]), ("br0", "nobody"))
        self.assertTrue(link["linkinfo"]["info_data"]["vnet_hdr"])  # as every QEMU asks for
        guest.halt()
        self.assertTrue(soon(lambda: (world.snapshot(), bridge.ports()) == self.before))

    def test_netdev_bridge(self) -> None:
        with self.guest(f"bridge,id=n0,br=br0,helper={self.helper}") as guest:
            self.assert_on_the_bridge(guest)
        self.assertEqual([line["request"]["protocol"] for line in world.audit_lines()], ["qemu-bridge"] * 2)
        self.assertEqual(world.audit_lines()[0]["decision"]["rule"], "machines")

    def test_netdev_tap_with_a_helper(self) -> None:
        with self.guest(f"tap,id=n0,br=br0,helper={self.helper}") as guest:
            self.assert_on_the_bridge(guest)

    def test_through_a_shell(self) -> None:
        """A helper with a space in it is a command; QEMU puts its own options behind, but for a bridge that is named."""
        with self.guest(f"tap,id=n0,br=br1,helper={self.helper} --br=br0") as guest:
            self.assert_on_the_bridge(guest)

    def test_a_refusal_is_read_by_whoever_started_qemu(self) -> None:
        with self.assertRaises(EOFError) as ended, self.guest(f"bridge,id=n0,br=br1,helper={self.helper}"):
            pass
        self.assertIn("uml_net: rule machines allows this but for bridge br1: not in br0. Ask the administrator",
                      str(ended.exception))
        self.assertIn("bridge helper failed", str(ended.exception))
        self.assertEqual((world.snapshot(), bridge.ports()), self.before)


if __name__ == "__main__":
    unittest.main()
