"""What set-ups in the field need, with real users: limits of a bridge, link-local gateways."""

import os
import unittest
from typing import Any

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, HostCase
from tests.support.guest_frames import Guest

USER, OTHER = 65534, 65533
RULE = {"name": "all", "users": ["*"], "operations": ["tuntap", "address", "bridge", "open"], "gateways": ["0.0.0.0/0"],
        "guests": ["0.0.0.0/0"], "bridges": ["br0", "br1"]}


class PublicSetUps(HostCase):
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


if __name__ == "__main__":
    unittest.main()
