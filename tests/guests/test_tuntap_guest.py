"""The real linux.uml on the network through uml_net."""

import contextlib
import unittest
from typing import Iterator

from tests.support import caller, world
from tests.support.case import HELPER, HostCase
from tests.support.guest import UmlGuest, has_transport, require_transport, soon

MASK = "255.255.255.0"


class OwnCalls(HostCase):
    """The guest's kernel calls uml_net itself, by its tuntap transport."""

    def setUp(self) -> None:
        require_transport("tuntap")
        super().setUp()

    def configure(self, guest: UmlGuest, address: str = "10.99.0.1/24") -> None:
        guest.check(f"ip link set eth0 up && ip addr add {address} dev eth0")

    def test_on_the_network_both_ways_and_gone_with_the_guest(self) -> None:
        before = world.snapshot()
        with UmlGuest(HELPER, "eth0=tuntap,,,10.99.0.254") as guest:
            self.configure(guest)
            for size in (56, 1400):
                self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
                self.assertTrue(world.ping("10.99.0.1", size))
            log = guest.check("dmesg")
            self.assertIn("tap0 up with 10.99.0.254/32", log)
            self.assertIn("10.99.0.1 routed to tap0", log)
            guest.halt()
        self.assertTrue(soon(lambda: "tap0" not in world.links()))
        self.assertEqual(world.snapshot(), before)
        self.assertEqual([line["request"]["operation"] for line in world.audit_lines()][:4],
                         ["tuntap", "tuntap", "add", "add"])

    def test_addresses_come_and_go_in_the_running_guest(self) -> None:
        with UmlGuest(HELPER, "eth0=tuntap,,,10.99.0.254") as guest:
            self.configure(guest)
            one = world.snapshot()
            guest.check("ip addr add 10.99.0.2/24 dev eth0")
            self.assertIn("10.99.0.2 dev tap0 proto 117 scope link", world.routes())
            self.assertTrue(world.ping("10.99.0.2"))
            guest.check("ip addr del 10.99.0.2/24 dev eth0")
            self.assertEqual(world.snapshot(), one)
            self.assertTrue(world.ping("10.99.0.1"))

    def test_interface_down_and_up_again(self) -> None:
        before = world.snapshot()
        with UmlGuest(HELPER, "eth0=tuntap,,,10.99.0.254") as guest:
            self.configure(guest)
            up = world.snapshot()
            guest.check("ip link set eth0 down")
            self.assertTrue(soon(lambda: world.snapshot() == before))
            guest.check("ip link set eth0 up")
            self.assertTrue(soon(lambda: "10.99.0.1 dev tap0 proto 117 scope link" in world.routes()))
            without_alias = lambda state: {**state, "links": {name: link[:2] for name, link in state["links"].items()}}
            self.assertEqual(without_alias(world.snapshot()), without_alias(up))
            self.assertTrue(guest.pings("10.99.0.254"), guest.output)
            self.assertTrue(world.ping("10.99.0.1"))


class Guests(HostCase):
    """Guests on the tuntap transport. Where the kernel has none: on the vector transport, with TAPs that the test gets from
    uml_net, which it also tells of the guest's addresses."""

    by_themselves = True

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.by_themselves = has_transport("tuntap")

    @contextlib.contextmanager
    def guest(self, *gates: str) -> Iterator[UmlGuest]:
        """With eth0, eth1... on tap0, tap1..., one for each gateway."""
        if self.by_themselves:
            with UmlGuest(HELPER, *(f"eth{number}=tuntap,,,{gate}" for number, gate in enumerate(gates))) as guest:
                yield guest
            return
        with contextlib.ExitStack() as stack:
            taps = [stack.enter_context(caller.tuntap_up(HELPER, gate)) for gate in gates]
            nics = [f"vec{number}:transport=fd,fd={tap.fds[0]},vec=0" for number, tap in enumerate(taps)]
            with UmlGuest(None, *nics, pass_fds=[tap.fds[0] for tap in taps]) as guest:
                for number, tap in enumerate(taps):
                    tap.close()
                    guest.check(f"ip link set vec{number} name eth{number}")
                yield guest

    def configure(self, guest: UmlGuest, number: int = 0, address: str = "10.99.0.1") -> str:
        """Returns what uml_net says of the address."""
        guest.check(f"ip link set eth{number} up && ip addr add {address}/24 dev eth{number}")
        if self.by_themselves:
            return guest.check("dmesg")
        added = caller.framed(HELPER, "4", "add", f"tap{number}", address, MASK)
        self.assertEqual(added.exit, 0, added)
        return added.text

    def take_down(self, guest: UmlGuest, address: str) -> None:
        if not self.by_themselves:
            self.assertEqual(caller.framed(HELPER, "4", "del", "tap0", address, MASK).exit, 0)
        guest.check("ip link set eth0 down")  # the vector transport also closes the TAP

    def test_an_open_tap_of_a_guest_that_another_program_starts(self) -> None:
        before = world.snapshot()
        with (caller.tuntap_up(HELPER, "10.99.0.254") as tap,
              UmlGuest(None, f"vec0:transport=fd,fd={tap.fds[0]},vec=0", pass_fds=tap.fds,
                       prefix=["bash", "-c", '"$@"; exit $?', "bash"]) as guest):
            tap.close()
            guest.check("ip link set vec0 up && ip addr add 10.99.0.1/24 dev vec0")
            self.assertEqual(caller.framed(HELPER, "4", "add", tap.name, "10.99.0.1", MASK).exit, 0)
            for size in (56, 1400):
                self.assertTrue(guest.pings("10.99.0.254", size), guest.output)
                self.assertTrue(world.ping("10.99.0.1", size))
            guest.halt()
            self.assertTrue(soon(lambda: world.snapshot() == before))

    def test_two_nics_at_once(self) -> None:
        with self.guest("10.98.0.254", "10.99.0.254") as guest:
            self.configure(guest, 0, "10.98.0.1")
            self.configure(guest, 1, "10.99.0.1")
            for net in ("10.98.0", "10.99.0"):
                self.assertTrue(guest.pings(f"{net}.254"), guest.output)
                self.assertTrue(world.ping(f"{net}.1"))

    def test_a_second_host_on_the_lan_reaches_the_guest(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        with self.guest("10.50.0.254") as guest:
            said = self.configure(guest, address="10.50.0.7")
            self.assertEqual(world.proxy_entries(), {"10.50.0.7 eth0": "118"})
            self.assertEqual(world.setting("all", "forwarding"), 0)
            self.assertTrue(lan.ping("10.50.0.7", 1400))
            self.assertTrue(guest.pings("10.50.0.2", 1400), guest.output)
            self.assertIn("10.50.0.7 routed to tap0, published on eth0", said)
            self.take_down(guest, "10.50.0.7")
            self.assertFalse(lan.ping("10.50.0.7"))
            self.assertTrue(soon(lambda: world.snapshot() == before))

    def test_what_a_killed_guest_leaves_is_gone_with_the_next_request_of_anybody(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        for collect in ("gc", "request"):
            with self.subTest(collect), self.guest("10.50.0.254") as guest:
                self.configure(guest, address="10.50.0.7")
                guest.kill()
                self.assertTrue(soon(lambda: "tap0" not in world.links()))
                self.assertEqual(world.proxy_entries(), {"10.50.0.7 eth0": "118"})
                if collect == "gc":
                    done = caller.run(HELPER, "gc")
                    self.assertEqual(done.returncode, 0, done)
                    self.assertIn(b"10.50.0.7 no longer published on eth0", done.stdout)
                else:
                    self.assertNotEqual(caller.framed(HELPER, "4", "del", "tap0", "1.2.3.4", "255.0.0.0").exit, 0)
                self.assertEqual(world.snapshot(), before)


if __name__ == "__main__":
    unittest.main()
