"""What the anti-spoofing filter lets a real guest do: Linux in a network namespace, at the other end of a TAP of another uid's."""

import ipaddress
import json
import os
import struct
import time
import unittest
from contextlib import contextmanager
from typing import Iterator

from tests.support import bridge, guest_frames, native, world
from tests.support.case import HELPER, HostCase
from tests.support.hostile import NOBODY
from tests.support.linux_guest import MAC, LinuxGuest

NESTED_MAC = "52:54:00:66:66:67"
ADDRESS6, ADDRESS = "fd00:60::7", "10.60.0.7"
MEMBERSHIP = 3  # seconds
RULE = {"name": "tenants", "users": [NOBODY], "operations": ["open"], "bridges": ["br0"], "anti_spoof": True,
        "gateways": ["10.99.0.0/16", "fd00:99::/64"], "guests": ["10.60.0.0/24", "fd00:60::/64", "fd00:99::/64"]}
EVERYTHING = ["dhcp-server", "router", "vrrp", "multicast-querier"]


class FilteredGuest(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy({"version": 1, "rules": [RULE]})
        bridge.add_bridge()
        # A second machine on the bridge's wire.
        self.neighbour = f"umlnet-{os.getpid()}-neighbour"
        world.sh("ip", "netns", "add", self.neighbour)
        self.addCleanup(world.sh, "ip", "netns", "delete", self.neighbour)
        world.sh("ip", "link", "set", "br0q", "netns", self.neighbour)
        for words in ("link set lo up", "link set br0q up", "addr add 10.60.0.2/24 dev br0q",
                      "addr add fd00:60::2/64 dev br0q nodad", "addr add fe80::1/64 dev br0q nodad"):
            self.nearby("ip", *words.split())
        world.wait_for_carrier("br0p")

    def nearby(self, *argv: str) -> str:
        return world.sh("ip", "netns", "exec", self.neighbour, *argv)

    def ping(self, address: str) -> bool:
        return world.ping(address, prefix=("ip", "netns", "exec", self.neighbour))

    @contextmanager
    def guest(self, *options: str) -> Iterator[tuple[native.Answer, LinuxGuest]]:
        with native.opened(self.helper, "anti-spoof", f"guest-mac={MAC}", f"guest={ADDRESS6}", *options, user=NOBODY) as answer:
            inside = LinuxGuest(answer.fds[0])
            try:
                yield answer, inside
            finally:
                inside.close()

    def test_a_guest_with_a_stable_link_local_address_stays_on_the_network(self) -> None:
        """Past the time for which a bridge remembers a listener that does not report."""
        world.sh("ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1",
                 "mcast_membership_interval", str(100 * MEMBERSHIP), "mcast_query_interval", "100",
                 "mcast_query_response_interval", "50", "mcast_startup_query_interval", "50")
        with self.guest("bridge=br0") as (answer, guest):
            own = guest.link_local()
            self.assertNotIn("ff:fe", own)
            guest.run("ip", "addr", "add", f"{ADDRESS6}/64", "dev", "guest0")
            began = time.monotonic()
            while time.monotonic() < began + 3 * MEMBERSHIP:
                time.sleep(0.1)
            groups = world.sh("bridge", "mdb", "show", "dev", "br0")
            for address in (own, ADDRESS6):
                with self.subTest(address):
                    group = ipaddress.ip_address(guest_frames.of6("ff02::1:ff00:0")[:13] + guest_frames.of6(address)[13:])
                    self.assertIn(f"port {answer.name} grp {group} ", groups)
            self.assertTrue(self.ping(ADDRESS6))
            self.assertTrue(self.ping(f"{own}%br0q"))
            # And the guest finds others by it.
            guest.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "guest0")
            self.assertIn(" 0% packet loss", guest.run("ping", "-c", "1", "-W", "5", "fe80::1%guest0"))

    def test_a_guest_with_a_stable_link_local_address_that_is_on_no_bridge(self) -> None:
        with self.guest("address=fd00:99::1/64", "guest=fd00:99::7") as (answer, guest):
            own = guest.link_local()
            guest.run("ip", "addr", "add", "fd00:99::7/64", "dev", "guest0")
            self.assertTrue(world.ping("fd00:99::7"))
            self.assertTrue(world.ping(f"{own}%{answer.name}"))

    def test_a_guest_does_not_take_anothers_link_local_address(self) -> None:
        """The router's, the host's own on the bridge, and that of the host's gateway, whatever they look like."""
        own, gateway = "fe80::7d1a:93c4:22b0:6e51", "fe80::7d1a:93c4:22b0:6e52"
        world.sh("ip", "addr", "add", f"{own}/64", "dev", "br0", "nodad")
        world.sh("ip", "-6", "route", "add", "fd00:70::/64", "via", gateway, "dev", "br0")
        world.sh("ip", "addr", "add", "fd00:60::1/64", "dev", "br0", "nodad")
        routers = ("fe80::1", own, gateway)
        for router in routers:
            self.nearby("ip", "neigh", "replace", router, "lladdr", "52:54:00:00:00:99", "nud", "stale", "dev", "br0q")
        with native.opened(self.helper, "anti-spoof", f"guest-mac={MAC}", f"guest={ADDRESS6}", "bridge=br0", user=NOBODY) as tap:
            for router in routers:
                for source in (router, ADDRESS6):
                    os.write(tap.fds[0], guest_frames.advertisement(source, "fd00:60::2", router, guest_frames.ALL_NODES))
                os.write(tap.fds[0], guest_frames.solicitation(router, "fd00:60::2", guest_frames.ALL_NODES))
            # One that is let through, behind the others.
            free = "fe80::7d1a:93c4:22b0:6e53"
            self.nearby("ip", "neigh", "replace", free, "lladdr", "52:54:00:00:00:99", "nud", "stale", "dev", "br0q")
            os.write(tap.fds[0], guest_frames.advertisement(free, "fd00:60::2", free, guest_frames.ALL_NODES))
            self.wait_until_known(free, MAC)
            for router in routers:
                self.assertIn("52:54:00:00:00:99", self.nearby("ip", "neigh", "show", router))

    def wait_until_known(self, address: str, mac: str) -> None:
        deadline = time.monotonic() + world.PATIENCE
        while mac not in self.nearby("ip", "neigh", "show", address):
            self.assertLess(time.monotonic(), deadline, f"{address} is not at {mac}")
            time.sleep(0.05)

    # What the infrastructure of a network sends.

    @staticmethod
    def infrastructure() -> dict[str, list[bytes]]:
        own, everybody = guest_frames.LINK_LOCAL, guest_frames.BROADCAST
        udp = lambda source, destination: struct.pack("!HHHH", source, destination, 16, 0) + bytes(8)
        group = lambda last: bytes.fromhex("01005e0000") + bytes([last])
        alert = bytes.fromhex("94040000")
        advertised = guest_frames.router_advertisement("2001:db8:bad::")
        query = guest_frames.icmpv6(130, bytes(20), own, "ff02::1")
        return {
            "dhcp-server": [guest_frames.ipv4(ADDRESS, "255.255.255.255", 17, udp(67, 68), everybody),
                            guest_frames.ipv6(own, "ff02::1", 17, udp(547, 546), guest_frames.ALL_NODES)],
            "router": [guest_frames.ipv4(ADDRESS, "10.60.0.2", 1, guest_frames.redirect4(ADDRESS, "10.60.0.2", "10.9.0.1", ADDRESS),
                                         everybody),
                       guest_frames.ipv6(own, "ff02::1", 58, advertised, guest_frames.ALL_NODES),
                       guest_frames.redirect6(own, "fe80::1", "2001:db8::1", own, everybody)],
            "vrrp": [guest_frames.ipv4(ADDRESS, "224.0.0.18", 112, bytes(20), group(18)),
                     guest_frames.ipv6(own, "ff02::12", 112, bytes(20), bytes.fromhex("333300000012"))],
            "multicast-querier": [guest_frames.ipv4(ADDRESS, "224.0.0.1", 2, b"\x11\x64\xee\x9b" + bytes(4), group(1), alert),
                                  guest_frames.ipv6(own, "ff02::1", 0, guest_frames.options_header(58) + query,
                                                    guest_frames.ALL_NODES)],
        }

    def let_through(self, *more: str) -> set[str]:
        """The kinds of which every frame reaches the second machine, where none is let through in part."""
        world.sh("ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
        kinds = self.infrastructure()
        with native.opened(self.helper, "anti-spoof", f"guest-mac={MAC}", f"guest={ADDRESS}", f"guest={ADDRESS6}", "bridge=br0", *more,
                           user=NOBODY) as tap, world.listener("br0p") as wire:
            wire.settimeout(world.PATIENCE)
            for frames in kinds.values():
                for frame in frames:
                    os.write(tap.fds[0], frame)
            last = guest_frames.arp(1, ADDRESS, "10.60.0.2")
            os.write(tap.fds[0], last)
            seen = set()
            while last not in seen:
                seen.add(wire.recv(65536))
        passed = {kind: [frame in seen for frame in frames] for kind, frames in kinds.items()}
        self.assertTrue(all(len(set(of_kind)) == 1 for of_kind in passed.values()), passed)
        return {kind for kind, of_kind in passed.items() if all(of_kind)}

    def test_infrastructure_passes_only_where_the_rule_says_so(self) -> None:
        self.assertEqual(self.let_through(), set())
        for kinds in ([EVERYTHING[0]], [EVERYTHING[1]], [EVERYTHING[2]], [EVERYTHING[3]], EVERYTHING):
            with self.subTest(kinds):
                world.write_policy({"version": 1, "rules": [{**RULE, "infrastructure": kinds}]})
                self.assertEqual(self.let_through(), set(kinds))
                self.assertIn("".join(f", as {kind}" for kind in EVERYTHING if kind in kinds) + " let in on",
                              " ".join(self.last_line()["result"]["changes"]))

    def test_a_router_on_no_bridge_does_not_configure_the_host(self) -> None:
        world.write_policy({"version": 1, "rules": [{**RULE, "infrastructure": EVERYTHING}]})
        with native.opened(self.helper, "anti-spoof", f"guest-mac={MAC}", f"guest={ADDRESS6}", "address=fd00:99::1/64",
                           user=NOBODY) as tap:
            before = world.sh("ip", "-6", "route", "show", "dev", tap.name)
            os.write(tap.fds[0], guest_frames.ipv6(guest_frames.LINK_LOCAL, "ff02::1", 58,
                                                   guest_frames.router_advertisement("2001:db8:bad::"), guest_frames.ALL_NODES))
            drops = lambda: json.loads(world.sh("tc", "-j", "-s", "qdisc", "show", "dev", tap.name, "clsact"))[0]["drops"]
            deadline = time.monotonic() + world.PATIENCE
            while drops() == 0:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertEqual(world.sh("ip", "-6", "route", "show", "dev", tap.name), before)

    # Guests within guests.

    def test_a_guest_within_the_guest_has_a_mac_address_of_its_own(self) -> None:
        with self.guest("bridge=br0", f"guest-mac={NESTED_MAC}", f"guest={ADDRESS}", "guest=10.60.0.8") as (_, guest):
            guest.run("ip", "link", "add", "nested", "link", "guest0", "address", NESTED_MAC, "type", "macvlan", "mode", "bridge")
            guest.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")  # each answers for its own address
            guest.run("ip", "link", "set", "nested", "up")
            guest.run("ip", "addr", "add", "10.60.0.8/24", "dev", "nested")
            self.assertTrue(self.ping("10.60.0.8"))
            self.assertIn(NESTED_MAC, self.nearby("ip", "neigh", "show", "10.60.0.8"))
        (request,) = [line["request"] for line in world.audit_lines() if line.get("stage") == "intent"]
        self.assertEqual(request["guest_macs"], [MAC, NESTED_MAC])


if __name__ == "__main__":
    unittest.main()
