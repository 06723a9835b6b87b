"""What a guest cannot take from the host, wherever its routes and neighbours are: gateways of several next hops, of nexthop
objects and of other tables, local networks, and machines on a LAN or a bridge."""

import unittest

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import NOBODY, installed

MASK = "255.255.255.0"
NEXTHOPS = ("nexthop add id 5 via 10.50.0.9 dev eth0", "nexthop add id 6 via 10.51.0.9 dev eth1", "nexthop add id 7 group 5/6")
NEXTHOPS6 = ("nexthop add id 8 via fd00:50::9 dev eth0", "nexthop add id 9 via fd00:50::a dev eth0", "nexthop add id 10 group 8/9")
# Commands of ip(8), and addresses that are gateways then.
GATEWAYS = {
    "one": (["route add default via 10.50.0.2"], ["10.50.0.2"]),
    "several next hops": (["route add default nexthop via 10.50.0.2 nexthop via 10.51.0.2"], ["10.50.0.2", "10.51.0.2"]),
    "a nexthop object": ([*NEXTHOPS, "route add default nhid 5"], ["10.50.0.9"]),
    "a group": ([*NEXTHOPS, "route add default nhid 7"], ["10.50.0.9", "10.51.0.9"]),
    "another table": (["rule add from 10.50.0.1 lookup 100", "route add default via 10.50.0.2 table 100"], ["10.50.0.2"]),
    "another table, several": (["route add default table 100 nexthop via 10.50.0.2 nexthop via 10.51.0.2"],
                               ["10.50.0.2", "10.51.0.2"]),
    "a number of a table above 255": (["route add 10.70.0.0/16 via 10.50.0.2 table 70000"], ["10.50.0.2"]),
    "IPv6": (["-6 route add default via fd00:50::2 dev eth0"], ["fd00:50::2"]),
    "IPv6, several": (["-6 route add default nexthop via fd00:50::2 dev eth0 nexthop via fd00:50::3 dev eth0"],
                      ["fd00:50::2", "fd00:50::3"]),
    "IPv6, a group": ([*NEXTHOPS6, "-6 route add default nhid 10"], ["fd00:50::9", "fd00:50::a"]),
    "IPv6, another table": (["-6 route add default via fd00:50::2 dev eth0 table 100"], ["fd00:50::2"]),
    "IPv4 by way of IPv6": (["route add 10.72.0.0/16 via inet6 fd00:50::9 dev eth0"], ["fd00:50::9"]),
}


class HostRoutes(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        self.umlnet, _ = installed()
        self.network()
        world.write_policy({"version": 1, "rules": [
            {"name": "r", "users": [NOBODY], "operations": ["tuntap", "address", "open"], "guests": ["10.0.0.0/8", "fd00::/16"],
             "gateways": ["10.0.0.0/8", "fd00::/16"], "lan": ["eth0", "eth1"], "bridges": ["br0"]}]})

    def network(self) -> None:
        world.sh("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "wire0")
        world.sh("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "wire1")
        world.ip_batch("addr add 10.50.0.1/24 dev eth0", "addr add 10.51.0.1/24 dev eth1", "addr add fd00:50::1/64 dev eth0 nodad",
                       *(f"link set {device} up" for device in ("eth0", "eth1", "wire0", "wire1")))

    def open(self, *options: str) -> native.Answer:
        answer = native.call(self.helper, "open", *options, user=NOBODY)
        self.addCleanup(answer.close)
        return answer

    def explained(self, guest: str) -> str:
        return caller.run(self.umlnet, "policy", "explain", "--user", str(NOBODY), "open", f"guest={guest}").stdout.decode()

    def assert_refused_as(self, guest: str, why: str) -> None:
        answer = self.open(f"guest={guest}")
        self.assertEqual((answer.json.get("code"), answer.exit), ("conflict", 69), answer)
        self.assertIn(f"{guest} is {why}", answer.json["error"])
        self.assertIn(f"{guest} is {why}", self.explained(guest))
        if ":" not in guest:
            with caller.tuntap_up(self.helper, user=NOBODY) as tap:
                self.assert_refused(caller.framed(self.helper, "4", "add", tap.name, guest, MASK, user=NOBODY), 69, why)

    def assert_granted(self, guest: str, lan: str) -> None:
        self.assertIn("allowed", self.explained(guest))
        with self.open(f"guest={guest}") as answer:
            self.assertTrue(answer.ok, answer)
            self.assertEqual(answer.json["guests"], [{"address": guest, "published": [lan]}])

    def test_no_guest_takes_the_address_of_a_gateway(self) -> None:
        for compatible in ("1", "0"):
            for what, (commands, gateways) in GATEWAYS.items():
                with self.subTest(what, nexthop_compat_mode=compatible):
                    world.fresh_network()
                    self.network()
                    world.sh("sysctl", "-qw", f"net.ipv4.nexthop_compat_mode={compatible}")
                    for command in commands:
                        world.sh("ip", *command.split())
                    for gateway in gateways:
                        self.assert_refused_as(gateway, "the host's gateway on eth")
                    self.assert_granted("10.50.0.33", "eth0")

    def test_no_host_address_on_a_device_is_a_gateways(self) -> None:
        world.sh("ip", "route", "add", "default", "nexthop", "via", "10.50.0.2", "nexthop", "via", "10.51.0.2")
        with caller.tuntap_up(self.helper, "10.51.0.2", user=NOBODY) as reply:
            self.assert_refused(reply, 69, "gateway 10.51.0.2 is the host's gateway on eth1")
        self.assertIn("the host's gateway", self.open("address=10.50.0.2").json["error"])

    def test_an_address_that_a_route_gives_to_the_host(self) -> None:
        world.sh("ip", "-6", "route", "add", "local", "fd00:50:1::/64", "dev", "lo")
        world.ip_batch("route add local 10.50.0.96/28 dev lo", "route add broadcast 10.50.0.77 dev eth0 table local",
                       "route add blackhole 10.60.0.0/16")
        for address in ("10.50.0.100", "fd00:50:1::7", "10.50.0.77"):
            self.assert_refused_as(address, "the host's own address by a route")
        self.assert_granted("10.50.0.33", "eth0")
        self.assertTrue(self.open("guest=10.60.0.7").ok)  # more special than what the administrator drops as a whole

    def test_an_address_that_a_neighbour_has(self) -> None:
        bridge.add_bridge()  # with 10.60.0.1/24
        for guest, device in (("10.50.0.40", "eth0"), ("10.60.0.40", "br0"), ("fd00:50::40", "eth0")):
            for state in ("reachable", "permanent"):
                with self.subTest(guest, state=state):
                    world.sh("ip", "neigh", "replace", guest, "lladdr", "02:00:00:00:00:40", "dev", device, "nud", state)
                    self.assert_refused_as(guest, "the address of a machine or container")
            for state in ("stale", "failed"):
                with self.subTest(guest, state=state):
                    world.sh("ip", "neigh", "del", guest, "dev", device)
                    world.sh("ip", "neigh", "replace", guest, "lladdr", "02:00:00:00:00:40", "dev", device, "nud", state)
                    native.opened(self.helper, f"guest={guest}", user=NOBODY).close()
        # On the bridge the guest is that machine.
        world.sh("ip", "neigh", "replace", "10.60.0.41", "lladdr", "02:00:00:00:00:41", "dev", "br0", "nud", "reachable")
        self.assertTrue(self.open("bridge=br0", "guest=10.60.0.41", "guest-mac=02:00:00:00:00:41", "anti-spoof").ok)

    def test_a_guest_that_has_its_address_may_have_it_once_more(self) -> None:
        with caller.tuntap_up(self.helper, user=NOBODY) as tap:
            for text in (f"10.50.0.7 routed to {tap.name}, published on eth0\n", f"10.50.0.7 routed to {tap.name} already\n"):
                added = caller.framed(self.helper, "4", "add", tap.name, "10.50.0.7", MASK, user=NOBODY)
                self.assertEqual((added.exit, added.text), (0, text))
                world.sh("ip", "neigh", "replace", "10.50.0.7", "lladdr", "02:00:00:00:00:07", "dev", tap.name, "nud",
                         "reachable")

    def test_the_devices_of_guests_are_no_lans_of_each_other(self) -> None:
        """Not for root, to whom every LAN is open, nor by a rule that lists all devices."""
        world.write_policy({"version": 1, "rules": [
            {"name": "r", "users": [NOBODY], "operations": ["tuntap", "address", "open"], "guests": ["10.0.0.0/8"],
             "gateways": ["10.0.0.0/8"], "lan": ["*"]}]})
        for user in (0, NOBODY):
            with (native.opened(self.helper, "address=10.50.0.254", "guest=10.50.0.7", user=user),
                  native.opened(self.helper, "address=10.52.0.254/24", user=user),
                  native.opened(self.helper, "guest=10.50.0.8", "guest=10.52.0.8", user=user) as answer,
                  caller.tuntap_up(self.helper, user=user) as tap):
                self.assertEqual(answer.json["guests"], [{"address": "10.50.0.8", "published": ["eth0"]},
                                                         {"address": "10.52.0.8", "published": []}], answer)
                for guest, mask, lans in (("10.50.0.9", MASK, ["eth0"]), ("10.50.0.10", "255.0.0.0", ["eth0", "eth1"])):
                    added = caller.framed(self.helper, "4", "add", tap.name, guest, mask, user=user)
                    self.assertEqual(added.text.splitlines()[0], f"{guest} routed to {tap.name}, published on " +
                                     ", published on ".join(lans))

    def test_one_note_where_no_lan_of_the_rule_is_used(self) -> None:
        world.ip_batch("route add 10.80.0.0/24 dev eth0 table 100", "addr add 10.81.0.1/32 dev eth1")
        note = ("published on no LAN: in the main routing table no device that rule r lists (eth0, eth1) has a route to that "
                "network")
        for guests in (("10.80.0.7",), ("10.81.0.7", "fd00:81::7")):
            answer = self.open(*(f"guest={guest}" for guest in guests))
            self.assertEqual(answer.json["notes"], [", ".join(guests) + " " + note], answer)
        self.assertEqual(self.open("guest=10.50.0.7").json["notes"], [])
        with caller.tuntap_up(self.helper, user=NOBODY) as tap:
            added = caller.framed(self.helper, "4", "add", tap.name, "10.80.0.8", MASK, user=NOBODY)
            self.assertEqual(added.text, f"10.80.0.8 routed to {tap.name}\n10.80.0.8 {note}\n")


if __name__ == "__main__":
    unittest.main()
