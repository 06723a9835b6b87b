"""What set-ups in the field need, with real users: limits of a bridge, link-local gateways, devices for others,
networks behind guests."""

import fcntl
import os
import subprocess
import unittest
from typing import Any

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, HostCase
from tests.support.guest_frames import Guest
from tests.support.linux_guest import MAC, LinuxGuest

USER, OTHER, THIRD, GROUP = 65534, 65533, 65532, 4242
TUNSETOWNER = 0x400454CC
ATTACH = """
import fcntl, os, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
try:
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
except PermissionError:
    sys.exit(77)
"""
RULE = {"name": "all", "users": ["*"], "operations": ["tuntap", "address", "bridge", "open"], "gateways": ["0.0.0.0/0"],
        "guests": ["0.0.0.0/0"], "bridges": ["br0", "br1"]}


class PublicSetUps(HostCase):
    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")

    def allow(self, **keys: Any) -> None:
        world.write_policy({"version": 1, "rules": [{**RULE, **keys}]})

    def open(self, *options: str, user: int = USER) -> native.Answer:
        answer = native.call(self.helper, "open", *options, user=user)
        self.addCleanup(answer.close)
        return answer

    def opened(self, *options: str, user: int = USER) -> native.Answer:
        answer = self.open(*options, user=user)
        self.assertTrue(answer.ok, answer)
        return answer

    def assert_denied(self, answer: native.Answer, words: str, code: str = "denied") -> None:
        self.assertEqual((answer.json.get("code"), answer.fds), (code, []), answer)
        self.assertIn(words, answer.json["error"])

    # Limits of a bridge.

    def test_a_user_has_so_many_ports_on_each_bridge(self) -> None:
        for name in ("br0", "br1"):
            bridge.add_bridge(name, None)
        self.allow(max_devices_per_bridge=2, max_devices=5)
        ports = [self.opened("bridge=br0"), bridge.ask(self.helper, "br0", user=USER)]
        self.addCleanup(ports[1].close)
        self.assertEqual(ports[1].exit, 0, ports[1])
        over = "rule all allows this but for max_devices_per_bridge 2: 2 in use"
        self.assert_denied(self.open("bridge=br0"), over)
        self.assert_refused(bridge.ask(self.helper, "br0", user=USER), 1, over)
        self.opened("bridge=br1")
        self.opened()
        self.opened("bridge=br0", user=OTHER)
        ports[0].close()
        self.opened("bridge=br0")
        self.opened("bridge=br1")
        self.assert_denied(self.open("bridge=br1"), "max_devices 5: 5 in use")

    # Link-local gateways.

    def test_a_guest_behind_a_link_local_gateway(self) -> None:
        """As Calico and LXD have it: the same gateway for all guests, each of which has a host route."""
        self.allow(gateways=["0.0.0.0/0", "169.254.1.1"], guests=["10.50.0.0/24"])
        for number in (7, 8):
            tap = self.opened("address=169.254.1.1/32", f"guest=10.50.0.{number}")
            with Guest(tap.fds[0], lambda frame: os.write(tap.fds[0], frame), f"10.50.0.{number}"):
                self.assertTrue(world.ping(f"10.50.0.{number}"))
        with caller.tuntap_up(self.helper, "169.254.1.1", user=USER) as reply:
            self.assertEqual(reply.exit, 0, reply)

    def test_a_guest_with_a_link_local_address(self) -> None:
        """As Firecracker's: a network of four addresses for each guest."""
        self.allow(gateways=["169.254.32.0/20"], guests=["169.254.32.0/20"])
        tap = self.opened("address=169.254.32.2/30", "guest=169.254.32.1")
        with Guest(tap.fds[0], lambda frame: os.write(tap.fds[0], frame), "169.254.32.1"):
            self.assertTrue(world.ping("169.254.32.1"))

    def test_link_local_addresses_that_no_rule_or_not_this_one_grants(self) -> None:
        before = world.snapshot()
        own = "it is link-local"
        self.allow()
        for option in ("address=169.254.1.1/32", "guest=169.254.1.7"):
            self.assert_denied(self.open(option), own)
        self.assert_refused(caller.tuntap_up(self.helper, "169.254.1.1", user=USER), 77, own)
        self.allow(gateways=["169.254.0.0/16"], guests=["169.254.0.0/16"])
        for option in ("address=169.254.169.254/32", "address=169.254.170.2", "address=169.254.1.1/16", "address=169.254.168.1/22",
                       "guest=169.254.169.254"):
            with self.subTest(option):
                self.assert_denied(self.open(option), "metadata")
        self.assertEqual(world.snapshot(), before)

    # Devices for others.

    def allow_owners(self, **keys: Any) -> None:
        self.allow(**{"persistent": True, "devices": ["vm*"], "owners": [OTHER], "owner_groups": [GROUP], **keys})

    def persistent(self, *options: str, device: str = "vm1", user: int = USER) -> native.Answer:
        """What a helper has made and nobody holds."""
        answer = self.open(f"device={device}", "persist", *options, user=user)
        answer.close()
        return answer

    def attaches(self, user: int, *groups: int, device: str = "vm1") -> bool:
        done = subprocess.run(["/usr/bin/python3", "-c", ATTACH, device], user=user, group=user, extra_groups=groups)
        self.assertIn(done.returncode, (0, 77))
        return done.returncode == 0

    def test_a_device_for_another_user(self) -> None:
        self.allow_owners(max_devices=1)
        self.assertTrue(self.persistent(f"owner={OTHER}").ok)
        self.assertEqual([self.attaches(user) for user in (OTHER, USER, THIRD)], [True, False, False])
        request = next(line["request"] for line in world.audit_lines() if line.get("stage") == "intent")
        self.assertEqual(request["owner"], OTHER)
        self.assertEqual(self.last_line()["result"]["changes"][0], f"vm1 made for uid {OTHER}")
        # It is its maker's: by limits, and to route addresses to.
        self.assert_denied(self.open(), "max_devices 1: 1 in use")
        self.opened(user=OTHER)
        add = lambda user: caller.framed(self.helper, "4", "add", "vm1", "10.50.0.7", "255.255.255.255", user=user)
        self.assertEqual((add(USER).exit, add(OTHER).exit), (0, 66))

    def test_a_device_for_a_group(self) -> None:
        self.allow_owners()
        self.assertTrue(self.persistent(f"owner=:{GROUP}").ok)
        self.assertEqual([self.attaches(OTHER, GROUP), self.attaches(OTHER), self.attaches(USER)], [True, False, False])
        self.assertEqual(next(line["request"]["owner_group"] for line in world.audit_lines() if line.get("stage") == "intent"), GROUP)
        self.assertEqual(self.last_line()["result"]["changes"][0], f"vm1 made for group {GROUP}")

    def test_who_may_remove_a_device_of_anothers(self) -> None:
        self.allow_owners()
        remove = lambda user, groups=(): native.call(self.helper, "remove", "device=vm1", user=user, groups=groups)
        for owner, may in ((f"owner={OTHER}", {USER, OTHER, 0}), (f"owner=:{GROUP}", {USER, 0})):
            for user in (THIRD, OTHER, USER, 0):
                with self.subTest(owner, user=user):
                    self.assertTrue(self.persistent(owner).ok)
                    answer = remove(user, (GROUP,))
                    self.assertEqual((answer.ok, "vm1" in world.links()), (user in may, user not in may), answer)
                    if user not in may:
                        self.assertEqual(answer.json["code"], "no_such_device")
                        self.assertTrue(remove(USER).ok)

    def test_a_device_that_a_holder_gave_away_is_not_its_owners_to_remove(self) -> None:
        self.allow_owners()
        answer = self.opened("device=vm1")
        fcntl.ioctl(answer.fds[0], TUNSETOWNER, OTHER)
        self.assert_denied(native.call(self.helper, "remove", "device=vm1", user=OTHER), "no device vm1", "no_such_device")

    def test_owners_that_a_rule_does_not_list_are_denied(self) -> None:
        self.allow_owners()
        before = world.snapshot()
        for owner, words in ((f"{THIRD}", f"owner {THIRD}: not in the rule's owners"), ("0", "owner 0: not in the rule's owners"),
                             (f":{OTHER}", f"owner :{OTHER}: not in the rule's owner_groups")):
            self.assert_denied(self.persistent(f"owner={owner}"), words)
        self.assert_denied(self.open(f"owner={OTHER}", "device=vm1"), "owner= needs persist", "usage")
        self.assertEqual(world.snapshot(), before)
        self.assertTrue(self.persistent(f"owner={USER}").ok)
        self.assertTrue(self.attaches(USER))

    # Networks behind guests.

    def allow_networks(self, **keys: Any) -> None:
        self.allow(**{"gateways": ["10.52.0.0/16", "10.99.0.0/16"], "max_addresses": 65536, "guests": ["10.50.0.0/24", "10.51.0.0/16", "fd00:51::/32"],
                      "lan": ["eth0"], **keys})

    def router(self, *options: str) -> LinuxGuest:
        """10.50.0.7, which routes what is behind it."""
        answer = self.opened("address=10.99.0.254/32", "guest=10.50.0.7", *options)
        guest = LinuxGuest(answer.fds[0])
        self.addCleanup(guest.close)
        for words in ("addr add 10.50.0.7/32 dev guest0", "route add 10.99.0.254 dev guest0",
                      "route add default via 10.99.0.254 dev guest0"):
            guest.run("ip", *words.split())
        # Nothing but what is asked for by the guest's own address.
        guest.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
        return guest

    def test_a_network_behind_a_guest_is_reached_from_the_lan(self) -> None:
        """A part of the LAN's own network, published address by address, behind a filter that knows it."""
        lan = world.lan()
        self.addCleanup(lan.close)
        self.allow_networks(anti_spoof=True)
        guest = self.router("guest=10.50.0.64/29", "guest=10.51.7.0/24", "anti-spoof", f"guest-mac={MAC}")
        for address in ("10.50.0.64", "10.50.0.70", "10.50.0.72", "10.51.7.9"):
            guest.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
        lan.run("ip", "route", "add", "10.51.7.0/24", "via", "10.50.0.1")
        for address in ("10.50.0.7", "10.50.0.64", "10.50.0.70", "10.51.7.9"):
            with self.subTest(address):
                self.assertTrue(lan.ping(address))
                self.assertTrue(world.ping(address))
        self.assertFalse(world.ping("10.50.0.72"))
        self.assertEqual(set(world.proxy_entries()), {f"{address} eth0" for address in
                                                     ("10.50.0.7", *(f"10.50.0.{last}" for last in range(64, 72)))})
        self.assertIn("10.50.0.64/29 via 10.50.0.7 dev tap0 proto 117 onlink", world.routes())
        answers = [line for line in world.audit_lines() if line.get("stage") == "result"]
        self.assertEqual(answers[-1]["request"]["guests"], ["10.50.0.7", "10.50.0.64/29", "10.51.7.0/24"])

    def test_an_ipv6_network_behind_a_guest(self) -> None:
        self.allow_networks(gateways=["fd00:99::/64"], guests=["fd00:99::/64", "fd00:51::/32"])
        answer = self.opened("address=fd00:99::1/64", "guest=fd00:99::7", "guest=fd00:51:7::/48")
        guest = LinuxGuest(answer.fds[0])
        self.addCleanup(guest.close)
        for words in ("addr add fd00:99::7/64 dev guest0 nodad", "addr add fd00:51:7::9/128 dev lo"):
            guest.run("ip", *words.split())
        self.assertTrue(world.ping("fd00:51:7::9"))
        self.assertIn("fd00:51:7::/48 via fd00:99::7 dev tap0", world.sh("ip", "-6", "route"))

    def test_the_answer_says_where_a_network_is_published(self) -> None:
        self.addCleanup(world.lan().close)
        self.allow_networks()
        answer = self.opened("guest=10.50.0.64/29", "guest=10.50.0.128/26", "guest=fd00:51::/48")
        self.assertEqual(answer.json["guests"], [{"address": "10.50.0.64/29", "published": ["eth0"]},
                                                 {"address": "10.50.0.128/26", "published": []},
                                                 {"address": "fd00:51::/48", "published": []}])
        self.assertEqual(answer.json["notes"], ["10.50.0.128/26 not published on eth0: it is more than 32 IPv4 addresses; let the "
                                                "router of that LAN route it to this host"])
        # Without an address of the guest's, what is in the network is on the link.
        with Guest(answer.fds[0], lambda frame: os.write(answer.fds[0], frame), "10.50.0.65"):
            self.assertTrue(world.ping("10.50.0.65"))
        answer.close()
        world.sh(str(HELPER), "gc")
        self.assertEqual(world.proxy_entries(), {})

    def test_removing_a_device_takes_its_network_back(self) -> None:
        self.addCleanup(world.lan().close)
        self.allow_networks(persistent=True, devices=["vm*"])
        before = world.snapshot()
        self.persistent("guest=10.50.0.7", "guest=10.50.0.64/29")
        self.assertEqual(len(world.proxy_entries()), 9)
        self.assertTrue(native.call(self.helper, "remove", "device=vm1", user=USER).ok)
        self.assertEqual(world.snapshot(), before)

    def test_limits_count_a_networks_addresses(self) -> None:
        self.allow_networks(max_addresses=9)
        first = self.opened("guest=10.51.0.0/29")
        self.assert_denied(self.open("guest=10.51.1.0/31"), "max_addresses 9: 8 in use, and the request asks for 2")
        self.opened("guest=fd00:51::/48")
        self.assert_denied(self.open("guest=10.51.1.7"), "max_addresses 9: 9 in use")
        first.close()
        self.opened("guest=10.51.0.0/29")

    def test_networks_that_nobody_but_root_can_have(self) -> None:
        self.addCleanup(world.lan().close)
        world.sh("ip", "route", "add", "default", "via", "10.50.0.33")
        world.sh("ip", "route", "add", "10.51.128.0/20", "via", "10.50.0.33")
        self.allow_networks(guests=["0.0.0.0/0", "169.254.0.0/16", "::/0"])
        self.opened("guest=10.51.5.7", "guest=10.51.6.64/29", "address=10.52.0.1/24", "guest=fd00:51:6::/48", user=OTHER)
        before = world.snapshot()
        for network, words in {
                "10.50.0.0/29": "own address", "10.50.0.0/24": "own address", "10.50.0.0/16": "own address",
                "10.50.0.32/29": "the host's gateway", "10.50.0.248/29": "the broadcast or network address of eth0",
                "10.51.128.0/20": "holds 10.51.128.0/20, which is routed to eth0", "10.51.128.0/17": "10.51.128.0/20",
                "10.51.5.0/24": "another device", "10.51.6.64/29": "another device", "10.51.6.64/30": "another device",
                "10.51.0.0/21": "another device", "10.52.0.128/25": "broadcast", "10.52.0.64/26": "another device",
                "fd00:51:6:1::/64": "another device", "fd00:51::/32": "another device", "fe80::/16": "link-local",
                "224.0.0.0/24": "multicast", "127.0.0.0/24": "loopback", "169.254.168.0/22": "metadata"}.items():
            with self.subTest(network):
                answer = self.open(f"guest={network}")
                self.assertEqual(answer.fds, [], answer)
                self.assertIn(words, answer.json["error"])
        self.assertEqual(world.snapshot(), before)
        # Nor an address within another user's.
        self.assert_denied(self.open("guest=10.51.6.65"), "in a network that is routed to another device", "conflict")

    def test_a_rule_grants_all_of_a_network_or_nothing(self) -> None:
        self.allow_networks(guests=["10.51.0.0/28"])
        self.opened("guest=10.51.0.8/29")
        self.assert_denied(self.open("guest=10.51.0.0/27"), "guest address 10.51.0.0/27: not in 10.51.0.0/28")
        deny = {"name": "no", "effect": "deny", "users": ["*"], "guests": ["10.51.0.3"]}
        world.write_policy({"version": 1, "rules": [{**RULE, "guests": ["10.51.0.0/16"]}, deny]})
        self.assert_denied(self.open("guest=10.51.0.0/29"), "rule no denies this")


if __name__ == "__main__":
    unittest.main()
