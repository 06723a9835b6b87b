"""Nobody's address lies inside a network of another user's device: two real users, and the helper set-user-ID root."""

import unittest
from typing import Any

from tests.support import caller, ethertap, native, world
from tests.support.case import HELPER, HostCase

VICTIM, OTHER = 65533, 65534
NETWORKS = ("address=10.99.1.254/24", "address=fd00:99:1::1/64")
# A guest or the host's side, of another user, inside these networks.
GUESTS = ("10.99.1.7", "fd00:99:1::7")
HOST_ADDRESSES = ("10.99.1.9", "fd00:99:1::9")
INSIDE = "in a network that is routed to another device"


class NetworksOfOthers(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        ranges = ["10.99.0.0/16", "fd00:99::/32"]
        world.write_policy({"version": 1, "rules": [
            {"name": "all", "users": ["*"], "operations": ["tuntap", "ethertap", "address", "open"], "devices": ["*"],
             "gateways": ranges, "guests": ranges}]})

    def open(self, user: int, *options: str) -> native.Answer:
        answer = native.call(self.helper, "open", *options, user=user)
        self.addCleanup(answer.close)
        return answer

    def assert_conflict(self, answer: native.Answer) -> None:
        self.assertEqual((answer.json.get("code"), answer.exit, answer.fds), ("conflict", 69, []), answer)
        self.assertIn(INSIDE, answer.json["error"])

    def assert_refused_inside(self, reply: Any) -> None:
        self.assert_refused(reply, 69, INSIDE)
        self.assertNotIn("tap", reply.text.partition("routed to another device")[0])  # whose, nobody is told

    def test_a_guest_or_a_host_address_inside_is_refused(self) -> None:
        self.assertTrue(self.open(VICTIM, *NETWORKS).ok)
        before = world.snapshot()
        for option in (*(f"guest={guest}" for guest in GUESTS), *(f"address={address}" for address in HOST_ADDRESSES)):
            with self.subTest(option):
                self.assert_conflict(self.open(OTHER, option))
        self.assert_refused_inside(caller.tuntap_up(self.helper, "10.99.1.9", user=OTHER))
        with ethertap.Session(self.helper, "uml7", "10.99.1.9", user=OTHER) as session:
            self.assertIn(INSIDE, session.text + (session.process.communicate()[1] or b"").decode())
        self.assertEqual(world.snapshot(), before)
        with caller.tuntap_up(self.helper, user=OTHER) as mine:
            self.assert_refused_inside(
                caller.framed(self.helper, "4", "add", mine.name, "10.99.1.7", "255.255.255.0", user=OTHER))
            # A network routed by the administrator through the guest is that device's too.
            world.sh("ip", "route", "add", "10.99.7.0/24", "dev", "tap0")
            self.assert_refused_inside(
                caller.framed(self.helper, "4", "add", mine.name, "10.99.7.7", "255.255.255.0", user=OTHER))

    def test_the_owner_of_the_network_and_root_may(self) -> None:
        self.assertTrue(self.open(VICTIM, *NETWORKS).ok)
        for user in (VICTIM, 0):
            for option in (*(f"guest={guest}" for guest in GUESTS), *(f"address={address}" for address in HOST_ADDRESSES)):
                with self.subTest(option, user=user):
                    answer = self.open(user, option)
                    self.assertTrue(answer.ok, answer)
                    answer.close()

    def test_an_address_that_the_host_has_is_shared(self) -> None:
        self.assertTrue(self.open(VICTIM, *NETWORKS).ok)
        self.assertTrue(self.open(OTHER, "address=10.99.1.254", "address=fd00:99:1::1").ok)
        with caller.tuntap_up(self.helper, "10.99.1.254", user=OTHER) as reply:
            self.assertEqual(reply.exit, 0, reply)

    def test_a_network_that_holds_an_address_of_another_user_is_refused(self) -> None:
        """What the other came to first, it would lose or keep out of it."""
        self.assertTrue(self.open(OTHER, *(f"guest={guest}" for guest in GUESTS)).ok)
        for network in NETWORKS:
            with self.subTest("guest", network=network):
                answer = self.open(VICTIM, network)
                self.assertEqual((answer.json.get("code"), answer.fds), ("conflict", []), answer)
                self.assertIn("holds an address of another device", answer.json["error"])
        self.assertTrue(self.open(OTHER, "address=10.99.2.9", "address=fd00:99:2::9").ok)
        for network in ("address=10.99.2.254/24", "address=fd00:99:2::1/64"):
            with self.subTest("host", network=network):
                answer = self.open(VICTIM, network)
                self.assertEqual((answer.json.get("code"), answer.fds), ("conflict", []), answer)
        # The shared address of the host is both users'.
        self.assertTrue(self.open(VICTIM, "address=10.99.2.9/24", "address=fd00:99:2::9/64").ok)


if __name__ == "__main__":
    unittest.main()
