"""What a request set up survives ordinary events of the network: devices that go down and up again, addresses that go and come
back, LAN devices that are made anew. Forwarding goes off with the last guest, in every order of events."""

import itertools
import subprocess
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import caller, ethertap, native, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import installed
from tests.support.guest import soon

NOBODY, SOMEBODY = 65534, 65533
MASK = "255.255.255.0"
GUEST, OTHER, BEHIND = "10.50.0.7", "10.50.0.8", "10.51.0.7"
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY, SOMEBODY], "operations": ["tuntap", "address", "open", "ethertap"],
                                   "devices": ["tap*"], "gateways": ["0.0.0.0/0", "fd00::/8"], "guests": ["0.0.0.0/0", "fd00::/8"],
                                   "lan": ["eth0"]}]}


def forwards(device: str = "eth0") -> bool:
    return Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding").read_text() == "1\n"


def make_lan() -> None:
    world.ip_batch("link add eth0 type veth peer name wire", "addr add 10.50.0.1/24 dev eth0", "link set eth0 up", "link set wire up")
    world.wait_for_carrier("eth0")


def flap(device: str) -> None:
    world.ip_batch(f"link set {device} down", f"link set {device} up")


def readdress() -> None:
    world.ip_batch("addr del 10.50.0.1/24 dev eth0", "addr add 10.50.0.1/24 dev eth0")


def remake() -> None:
    world.ip_batch("link del eth0")
    make_lan()


class Upkeep(HostCase):
    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)
        make_lan()
        self.helper = world.helper_copy(HELPER, "setuid")
        self.before = world.snapshot()

    def gc(self, user: int = SOMEBODY) -> str:
        done = caller.run(self.helper, "gc", user=user)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()

    def umlnet(self, *words: str) -> str:
        return subprocess.run([installed()[0], *words], capture_output=True, text=True, timeout=30).stdout

    def guest(self, address: str = GUEST) -> caller.Reply:
        reply = caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY)
        self.addCleanup(reply.close)
        added = caller.framed(self.helper, "4", "add", reply.name, address, MASK, user=NOBODY)
        self.assertEqual((reply.exit, added.exit), (0, 0), (reply, added))
        return reply

    def end(self, reply: caller.Reply) -> None:
        reply.close()
        self.assertTrue(soon(lambda: reply.name not in world.links()))

    def as_it_was(self) -> dict[str, Any]:
        """All but the numbers of devices, which those that are made anew have others of."""
        return {**world.snapshot(), "links": sorted(world.links())}

    def test_events_on_the_lan(self) -> None:
        for event in (lambda: flap("eth0"), readdress, remake):
            for restore in (self.gc, lambda: caller.tuntap_up(self.helper, user=SOMEBODY).close()):
                with self.subTest(event=event, restore=restore):
                    guest = self.guest()
                    should = self.as_it_was()
                    event()
                    self.assertNotEqual(self.as_it_was()["proxy"], should["proxy"])
                    restore()
                    self.assertTrue(soon(lambda: self.as_it_was() == should), (self.as_it_was(), should))
                    self.assertTrue(forwards() and forwards(guest.name))
                    self.end(guest)
                    self.gc()
                    self.assertEqual(world.snapshot(), self.before)

    def test_a_guests_device_down_and_up(self) -> None:
        guest = self.guest()
        should = world.snapshot()
        flap(guest.name)
        self.assertNotIn(GUEST, world.sh("ip", "route"))
        shown = self.umlnet("ls")
        self.assertIn(f"{GUEST} not routed to {guest.name}: it was, until the network changed\n    fix: uml_net gc\n", shown)
        self.assertNotIn("its guest is gone", shown)
        self.assertIn(f"{GUEST} not routed to {guest.name}", self.umlnet("doctor"))
        self.assertIn(f"{GUEST} routed to {guest.name}", self.gc())
        self.assertEqual(world.snapshot(), should)
        self.assertNotIn("not routed", self.umlnet("ls"))
        self.assertEqual(self.gc(), "nothing was left behind\n")

    def test_while_it_is_down_nothing_is_restored_and_nothing_taken(self) -> None:
        guest = self.guest()
        should = world.snapshot()
        world.sh("ip", "link", "set", guest.name, "down")
        self.assertEqual(self.gc(), "nothing was left behind\n")
        taken = caller.framed(self.helper, "4", "add", self.guest(OTHER).name, GUEST, MASK, user=NOBODY)
        self.assertGreater(taken.exit, 0, taken)
        world.sh("ip", "link", "set", guest.name, "up")
        self.gc()
        self.assertEqual({key: should["proxy"][key] for key in should["proxy"]}.items() - world.snapshot()["proxy"].items(), set())

    def test_all_that_the_native_protocol_sets_up(self) -> None:
        for which in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("0")
        with native.opened(self.helper, "address=10.99.0.1/24", "address=fd00:99::1/64", f"guest={GUEST}", "guest=fd00:99::7",
                           user=NOBODY) as answer:
            should = world.snapshot()
            flap(answer.name)
            self.assertNotEqual(world.snapshot(), should)
            self.gc()
            self.assertTrue(soon(lambda: world.snapshot() == should), (world.snapshot(), should))

    def test_what_is_taken_back_is_not_restored(self) -> None:
        guest = self.guest()
        self.assertEqual(caller.framed(self.helper, "4", "del", guest.name, GUEST, MASK, user=NOBODY).exit, 0)
        for event in (lambda: flap("eth0"), lambda: flap(guest.name), remake):
            event()
            self.assertEqual(self.gc(), "nothing was left behind\n")
        # And an address whose route is lost can be taken back.
        self.assertEqual(caller.framed(self.helper, "4", "add", guest.name, GUEST, MASK, user=NOBODY).exit, 0)
        flap(guest.name)
        self.assertEqual(caller.framed(self.helper, "4", "del", guest.name, GUEST, MASK, user=NOBODY).exit, 0)
        self.assertEqual(self.gc(), "nothing was left behind\n")
        self.assertFalse(forwards())

    def test_forwarding_goes_off_with_the_last_guest_in_every_order(self) -> None:
        """A guest, an event and a collection each, in all orders in which the guest ends; the last collection ends all."""
        events: dict[str, Callable[[], Any]] = {"down": lambda: world.sh("ip", "link", "set", "eth0", "down"),
                                                "up": lambda: world.sh("ip", "link", "set", "eth0", "up"), "readdress": readdress,
                                                "gc": self.gc}
        for order in itertools.permutations([*events, "end"]):
            if order.index("down") > order.index("up"):
                continue
            with self.subTest(order=order):
                guest = self.guest()
                self.assertTrue(forwards())
                for step in order:
                    self.end(guest) if step == "end" else events[step]()
                self.gc()
                self.assertFalse(forwards())
                self.assertEqual(world.snapshot(), self.before)

    def test_forwarding_that_is_not_ours_stays(self) -> None:
        Path("/proc/sys/net/ipv4/conf/eth0/forwarding").write_text("1")
        guest = self.guest()
        flap("eth0")
        self.gc()
        self.end(guest)
        self.gc()
        self.assertTrue(forwards())

    def test_a_guest_in_a_network_behind_no_lan_gets_out_too(self) -> None:
        """It is routed, or masqueraded: forwarding is on where the rule lets it out, and goes off with it."""
        with native.opened(self.helper, "address=10.51.0.1/24", f"guest={BEHIND}", user=NOBODY) as answer:
            self.assertTrue(forwards() and forwards(answer.name))
            self.assertEqual(world.proxy_entries(), {})
        self.assertTrue(soon(lambda: answer.name not in world.links()))
        self.gc()
        self.assertFalse(forwards())
        guest = self.guest(BEHIND)
        self.assertTrue(forwards() and forwards(guest.name))
        self.assertEqual(caller.framed(self.helper, "4", "del", guest.name, BEHIND, MASK, user=NOBODY).exit, 0)
        self.assertFalse(forwards())
        self.assertFalse(forwards(guest.name))

    def test_an_address_that_is_anothers_by_now_stays_his(self) -> None:
        guest = self.guest()
        flap(guest.name)
        world.ip_batch("link add other type veth peer name otherwire", "link set other up", f"route add {GUEST}/32 dev other")
        self.gc()
        self.assertIn(f"{GUEST} dev other", world.sh("ip", "route"))
        self.assertNotIn(f"{GUEST} dev {guest.name}", world.sh("ip", "route"))

    def test_a_session_restores_it_by_itself(self) -> None:
        for event in (lambda: flap("eth0"), readdress, remake, lambda: flap("tap0")):
            with self.subTest(event=event), native.Session(self.helper, user=NOBODY) as session:
                with session.ask("open", "address=10.99.0.254", f"guest={GUEST}") as answer:
                    self.assertTrue(answer.ok, answer)
                    should = self.as_it_was()
                    event()
                    self.assertTrue(soon(lambda: self.as_it_was() == should), (self.as_it_was(), should))
                    self.assertTrue(forwards())
                self.assertEqual(session.close(), 0)
            self.assertFalse(forwards())

    def test_an_ethertap_session_restores_it_by_itself(self) -> None:
        with ethertap.Session(self.helper, "tap7", "10.99.0.254", user=NOBODY) as session:
            self.assertIn("routed", session.ask(ethertap.ADD, GUEST))
            should = self.as_it_was()
            for event in (lambda: flap("eth0"), lambda: flap("tap7")):
                event()
                self.assertTrue(soon(lambda: self.as_it_was() == should), (self.as_it_was(), should))

    def test_more_guests_than_a_device_can_have_marks_for(self) -> None:
        """What the kernel tells of a device stays readable, for everybody."""
        world.write_policy({**POLICY, "rules": [{**POLICY["rules"][0], "max_addresses": 1000}]})  # type: ignore[index]
        guest = self.guest()
        for number in range(150):
            added = caller.framed(self.helper, "4", "add", guest.name, f"10.50.0.{number + 10}", MASK, user=NOBODY)
            self.assertEqual(added.exit, 0, added)
        self.assertIn("is not restored after events of the network", added.text)
        self.assertEqual(world.sh("ip", "link", "show", "dev", guest.name).count("altname umlnet:guest:"), 128)
        self.assertEqual(self.gc(), "nothing was left behind\n")
        self.end(guest)
        self.gc()
        self.assertEqual(world.snapshot(), self.before)

    def test_marks_are_no_names(self) -> None:
        guest = self.guest()
        shown = subprocess.run(["ip", "link", "show", "dev", guest.name], capture_output=True, text=True, check=True).stdout
        (mark,) = [line.split()[1] for line in shown.splitlines() if "altname umlnet:" in line]
        refused = caller.framed(self.helper, "4", "add", mark[:15], OTHER, MASK, user=NOBODY)
        self.assertGreater(refused.exit, 0)


if __name__ == "__main__":
    unittest.main()
