"""The same calls to the 2007 helper (Debian's uml-utilities) and to ours leave the same links, addresses, routes, proxy
entries and proxy ARP settings. What differs on purpose: the global forwarding switch, our protocol numbers and alias, proxy
entries on the devices of other guests, and the broadcast address of the gateway's old address class, which ifconfig adds
to a /32 unasked."""

import re
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, world
from tests.support.case import HELPER, HostCase

HELPER_2007 = Path("/usr/bin/uml_net")
MASK = "255.255.255.0"

CLASS_BROADCAST = re.compile(r"broadcast 10\.255\.255\.255 dev tap")

Calls = tuple[tuple[str, ...], ...]


def on_lans(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "proxy": [entry for entry in state["proxy"] if " tap" not in entry]}


def comparable(state: dict[str, Any]) -> dict[str, Any]:
    return {
        "links": {name: (up, mtu, kind) for name, (up, mtu, _, kind) in state["links"].items()},
        "addresses": state["addresses"],
        "routes": [re.sub(r" proto \d+", "", line) for line in state["routes"] if not CLASS_BROADCAST.match(line)],
        "proxy": sorted(state["proxy"]),
        "proxy_arp": {name: proxy_arp for name, (_, proxy_arp) in state["settings"].items()},
    }


class SideBySide(HostCase):
    def after(self, helper: Path, calls: Calls) -> list[dict[str, Any]]:
        """The host's state after each of the calls."""
        world.fresh_network()
        lan = world.lan()
        try:
            states = [comparable(world.snapshot())]
            with caller.tuntap_up(helper, "10.99.0.254") as tap, caller.tuntap_up(helper, "10.98.0.254") as other:
                self.assertEqual((tap.name, other.name), ("tap0", "tap1"))
                self.assertEqual(len(tap.fds) + len(other.fds), 2)
                states.append(comparable(world.snapshot()))
                for args in calls:
                    caller.framed(helper, *args)
                    states.append(comparable(world.snapshot()))
            states.append(comparable(world.snapshot()))
            return states
        finally:
            lan.close()

    def compare(self, *calls: tuple[str, ...]) -> None:
        theirs = self.after(HELPER_2007, calls)
        ours = self.after(HELPER, calls)
        self.assertNotEqual(theirs[1], theirs[2], "the first call did nothing, so this compares nothing")
        for number, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            self.assertEqual(our, on_lans(their), f"after step {number} of: start, two devices up, {calls}, devices gone")

    def test_an_address_of_the_lan(self) -> None:
        self.compare(("4", "add", "tap0", "10.50.0.7", MASK), ("4", "del", "tap0", "10.50.0.7", MASK))

    def test_the_older_spelling(self) -> None:
        self.compare(("4", "tuntap", "add", "tap0", "10.50.0.7", MASK), ("4", "tuntap", "del", "tap0", "10.50.0.7", MASK))

    def test_an_address_of_no_lan(self) -> None:
        self.compare(("4", "add", "tap0", "10.99.0.1", MASK), ("4", "del", "tap0", "10.99.0.1", MASK))

    def test_a_netmask_wider_than_the_lan(self) -> None:
        self.compare(("4", "add", "tap0", "10.77.0.1", "255.0.0.0"), ("4", "del", "tap0", "10.77.0.1", "255.0.0.0"))

    def test_a_netmask_narrower_than_the_lan(self) -> None:
        self.compare(("4", "add", "tap0", "10.50.0.7", "255.255.255.252"),
                     ("4", "del", "tap0", "10.50.0.7", "255.255.255.252"))

    def test_two_guests(self) -> None:
        self.compare(("4", "add", "tap0", "10.50.0.7", MASK), ("4", "add", "tap1", "10.50.0.8", MASK),
                     ("4", "del", "tap1", "10.50.0.8", MASK), ("4", "del", "tap0", "10.50.0.7", MASK))

    def test_the_2007_helper_takes_a_guest_for_a_lan_of_another_and_forgets_an_entry_there(self) -> None:
        """It withdraws by the routes of the moment, and the one that made tap0 a LAN of 10.50.0.8 went first."""
        calls = (("4", "add", "tap0", "10.50.0.7", MASK), ("4", "add", "tap1", "10.50.0.8", MASK),
                 ("4", "del", "tap0", "10.50.0.7", MASK), ("4", "del", "tap1", "10.50.0.8", MASK))
        theirs, ours = self.after(HELPER_2007, calls), self.after(HELPER, calls)
        self.assertEqual(ours[:-2], [on_lans(state) for state in theirs[:-2]])
        self.assertEqual((theirs[-2]["proxy"], ours[-2]["proxy"]), (["10.50.0.8 tap0"], []))


if __name__ == "__main__":
    unittest.main()
