"""The real linux.uml on the network by ethertap."""

import contextlib
import unittest

from tests.support import world
from tests.support.case import HELPER, HostCase
from tests.support.guest import UmlGuest, require_transport, soon


class Ethertap(HostCase):
    def setUp(self) -> None:
        require_transport("ethertap")
        super().setUp()

    def test_on_the_network_down_and_up_again_and_halted(self) -> None:
        before = world.snapshot()
        with UmlGuest(HELPER, "eth0=ethertap,tap7,,10.99.0.254") as guest:
            guest.check("ip link set eth0 up && ip addr add 10.99.0.1/24 dev eth0")
            for size in (56, 1400):
                self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
                self.assertTrue(world.ping("10.99.0.1", size))
            log = guest.check("dmesg")
            self.assertIn("tap7 up with 10.99.0.254/32", log)
            self.assertIn("10.99.0.1 routed to tap7", log)
            guest.check("ip link set eth0 down")
            self.assertTrue(soon(lambda: world.snapshot() == before))
            guest.check("ip link set eth0 up")
            self.assertTrue(guest.pings("10.99.0.254", 1400), guest.output)
            self.assertTrue(world.ping("10.99.0.1"))
            guest.halt()
        self.assertTrue(soon(lambda: world.snapshot() == before))
        self.assertTrue(soon(lambda: [line["event"] for line in world.audit_lines()].count("exit") == 2))

    def test_a_killed_guest_leaves_nothing(self) -> None:
        """The session is not in the guest's process group, so it lives long enough to clean up."""
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        with UmlGuest(HELPER, "eth0=ethertap,tap7,,10.50.0.254") as guest:
            guest.check("ip link set eth0 up && ip addr add 10.50.0.7/24 dev eth0")
            self.assertTrue(lan.ping("10.50.0.7", 1400))
            guest.kill()
            self.assertTrue(soon(lambda: world.snapshot() == before))
        self.assertTrue(soon(lambda: self.last_line()["event"] == "exit"))

    def test_eight_guests_at_once(self) -> None:
        before = world.snapshot()
        with contextlib.ExitStack() as stack:
            guests = [stack.enter_context(UmlGuest(HELPER, f"eth0=ethertap,tap{number},,10.99.{number}.254"))
                      for number in range(8)]
            for number, guest in enumerate(guests):
                guest.check(f"ip link set eth0 up && ip addr add 10.99.{number}.1/24 dev eth0")
            for number, guest in enumerate(guests):
                self.assertTrue(guest.pings(f"10.99.{number}.254", 1400), guest.output)
                self.assertTrue(world.ping(f"10.99.{number}.1", 1400))
        self.assertTrue(soon(lambda: world.snapshot() == before))


if __name__ == "__main__":
    unittest.main()
