"""What set-ups in the field need, with real users: limits of a bridge, link-local gateways, devices for others."""

import fcntl
import os
import subprocess
import unittest
from typing import Any

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, HostCase
from tests.support.guest_frames import Guest

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


if __name__ == "__main__":
    unittest.main()
