"""Devices that are not the caller's or no devices at all, and addresses that would take traffic from somebody."""

import fcntl
import unittest
from typing import Any

from tests.support import caller, native, world
from tests.support.hostile import (FREE, GATE, HOST, MASK, MINE, MY_GUEST, NO_TAP, NOBODY, NOT_OURS, OPERATIONS, POLICY,
                                   ROUTER, SOMEBODY, THEIR_GUEST, THEIRS, HostileCase, call)

TUNSETOWNER = 0x400454CC

NO_NAMES: dict[str, Any] = {
    "0 bytes": "", "128 bytes": "a" * 128, ".": ".", "..": "..", "a path": "a/b", "an absolute path": "/dev/net", "%d": "tap%d",
    "%s": "%s", "a colon": "tap0:1", "a space": "tap 0", "a tab": "tap\t0", "a newline": "tap0\n", "0xff": b"tap\xff",
    "a control byte": "tap\x01", "DEL": "tap\x7f", "UTF-8": "t\u00e4p0", "a backspace": "tap1\b0",
}
# Names that the pattern tap* matches, and that a script of the host could execute or expand.
SHELL_WORDS = ("tap$(id)", "tap;x", "tap`id`", "tap|x", "tap&", "tap>x", "tap<x", "tap*", "tap?", "tap[0]", "tap'x", 'tap"x', "tap#x",
               "tap\\x", "tap!x", "tap=x", "tap{a,b}")
BAD_ADDRESSES = {
    "the host's": (HOST, "the host's own address"), "the router's": (ROUTER, "the host's gateway"),
    "the gateway's of a device": (GATE, "the host's own address"),
    "another guest's": (THEIR_GUEST, "already routed to another device"),
    "the subnet's": ("10.50.0.0", "the network address"), "the subnet's broadcast": ("10.50.0.255", "the broadcast address"),
    "0/8": ("0.0.0.0", "this network"), "0/8, another": ("0.1.2.3", "this network"), "loopback": ("127.0.0.1", "loopback"),
    "127/8": ("127.255.255.254", "loopback"), "multicast": ("224.0.0.251", "multicast"),
    "239/8": ("239.255.255.255", "multicast"), "class E": ("240.0.0.1", "reserved"), "broadcast": ("255.255.255.255", "reserved"),
    "link-local": ("169.254.169.254", "link-local"),
}
NO_ADDRESSES = ("10.50.0", "10.50.0.256", "10.50.0.8/24", "010.050.000.010", "0x0a320008", "171048968", "10.50.0.8 ", "::1",
                "10.50.0.8\n", "10..0.8", "-1.0.0.0", "localhost", "10.50.0.1e1")
NO_MASKS = ("255.0.255.0", "0.255.255.255", "255.255.255", "24", "/24", "255.255.255.256", "", "-1")


class NamesAndAddresses(HostileCase):
    def test_names_that_are_none(self) -> None:
        for how, helper in self.helpers.items():
            for what, name in NO_NAMES.items():
                requests: dict[str, list[Any]] = {
                    "add": ["4", "add", name, FREE, MASK], "del": ["4", "del", name, MY_GUEST, MASK],
                    "ethertap": ["4", "ethertap", name, "{socket}", GATE],
                    "bridge": ["--fd={socket}", b"--br=" + (name if isinstance(name, bytes) else name.encode())]}
                for operation, words in requests.items():
                    with self.subTest(how, operation=operation, name=what):
                        reply = call(helper, OPERATIONS[operation].channel, words)
                        self.assert_refused_whole(reply, "15 printable characters",
                                                  exit_status=1 if operation == "bridge" else 65)

    def test_a_name_of_15_bytes_is_one(self) -> None:
        name = "uml" + "x" * 12
        for how, helper in self.helpers.items():
            with self.subTest(how):
                reply = call(helper, "control", ["4", "ethertap", name, "{socket}", GATE])
                self.assertEqual((reply.exit, reply.text), (0, f"{name} up with {GATE}/32\n"))
                self.assert_host_unchanged()

    def test_a_name_that_is_a_shell_word(self) -> None:
        for how, helper in self.helpers.items():
            for name in SHELL_WORDS:
                with self.subTest(how, name=name):
                    reply = call(helper, "control", ["4", "ethertap", name, "{socket}", GATE])
                    self.assert_refused_whole(reply, "other bytes than letters", exit_status=65)

    def test_a_device_that_is_not_the_callers_is_answered_like_none(self) -> None:
        """Nor can he find out what devices there are."""
        for how, helper in self.helpers.items():
            for verb, address in (("add", FREE), ("del", THEIR_GUEST), ("del", MY_GUEST)):
                answers = set()
                for device in (THEIRS, NOT_OURS, NO_TAP, "lo", "eth0", "wire", "br0", "all", "default", "tap99"):
                    with self.subTest(how, verb=verb, device=device):
                        reply = call(helper, "pipe", ["4", verb, device, address, MASK])
                        self.assert_refused_whole(reply, device, exit_status=66)
                        answers.add(reply.text.replace(f"device {device} ", "device DEV "))
                self.assertEqual(len(answers), 1, answers)

    def test_a_name_in_use_is_nobodys_to_take(self) -> None:
        for how, helper in self.helpers.items():
            for device in (MINE, THEIRS, NOT_OURS):
                with self.subTest(how, device=device):
                    reply = call(helper, "control", ["4", "ethertap", device, "{socket}"])
                    self.assert_refused_whole(reply, "is in use", exit_status=69)
            for device in (NO_TAP, "lo", "eth0", "br0"):
                with self.subTest(how, device=device):
                    reply = call(helper, "control", ["4", "ethertap", device, "{socket}"])
                    self.assert_refused_whole(reply, "not in tap*, uml*", exit_status=77)

    def test_a_bridge_that_is_none_is_answered_as_one_that_is_not_granted(self) -> None:
        for how, helper in self.helpers.items():
            for device in ("lo", "eth0", MINE, THEIRS, NOT_OURS, "br99", "br0 "[:-1] + "0"):
                with self.subTest(how, bridge=device):
                    reply = call(helper, "qemu", ["--fd={socket}", f"--br={device}"])
                    self.assert_refused_whole(reply, f"bridge {device}: not in br0", exit_status=1)

    def test_guest_addresses_that_no_rule_can_grant(self) -> None:
        """The policy grants all addresses there are."""
        for how, helper in self.helpers.items():
            for what, (address, words) in BAD_ADDRESSES.items():
                for mask in (MASK, "255.255.255.255", "0.0.0.0"):
                    with self.subTest(how, address=what, mask=mask):
                        reply = call(helper, "pipe", ["4", "add", MINE, address, mask])
                        self.assert_refused_whole(reply, address, words)
                        self.assertIn(reply.exit, (69, 77))

    def test_gateways_that_no_rule_can_grant(self) -> None:
        for how, helper in self.helpers.items():
            for address in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"):
                for operation, words in (("up", ["4", "tuntap", "up", address]),
                                         ("ethertap", ["4", "ethertap", "uml1", "{socket}", address])):
                    with self.subTest(how, operation=operation, gateway=address):
                        reply = call(helper, OPERATIONS[operation].channel, words)
                        self.assert_refused_whole(reply, "cannot be put on a device", exit_status=65)
            with self.subTest(how, gateway="link-local"):
                self.assert_refused_whole(call(helper, OPERATIONS["up"].channel, ["4", "tuntap", "up", "169.254.0.1"]),
                                          "it is link-local", exit_status=77)

    def test_a_gateway_that_would_take_an_address_from_somebody(self) -> None:
        for how, helper in self.helpers.items():
            for what, address in (("a guest's", THEIR_GUEST), ("the router's", ROUTER)):
                for operation, words in (("up", ["4", "tuntap", "up", address]),
                                         ("ethertap", ["4", "ethertap", "uml1", "{socket}", address])):
                    with self.subTest(how, operation=operation, gateway=what):
                        self.assert_refused_whole(call(helper, OPERATIONS[operation].channel, words), address)

    def test_words_that_are_no_addresses(self) -> None:
        for how, helper in self.helpers.items():
            for word in NO_ADDRESSES:
                for operation, words in (("up", ["4", "tuntap", "up", word]),
                                         ("ethertap", ["4", "ethertap", "uml1", "{socket}", word]),
                                         ("add", ["4", "add", MINE, word, MASK]), ("del", ["4", "del", MINE, word, MASK])):
                    with self.subTest(how, operation=operation, address=word):
                        reply = call(helper, OPERATIONS[operation].channel, words)
                        self.assert_refused_whole(reply, "is not an IPv4 address", exit_status=65)
            for word in NO_MASKS:
                with self.subTest(how, mask=word):
                    reply = call(helper, "pipe", ["4", "add", MINE, FREE, word])
                    self.assert_refused_whole(reply, "is not an IPv4 netmask", exit_status=65)

    def test_what_is_not_the_callers_to_take_back(self) -> None:
        for how, helper in self.helpers.items():
            for address in (THEIR_GUEST, HOST, ROUTER, GATE, FREE, "10.50.0.0", "127.0.0.1"):
                with self.subTest(how, address=address):
                    reply = call(helper, "pipe", ["4", "del", MINE, address, MASK])
                    self.assert_refused_whole(reply, f"{address} is not routed to {MINE} by uml_net", exit_status=69)

    def test_a_uid_whose_digits_are_part_of_the_owners(self) -> None:
        """The device's alias names its owner as text. A comparison of beginnings would take one user for the other."""
        similar = (NOBODY // 10, NOBODY * 10, NOBODY * 10 + 7)
        rule = {**POLICY["rules"][0], "users": [NOBODY, *similar]}  # type: ignore[index]
        world.write_policy({**POLICY, "rules": [rule]})
        self.baseline = self.settled()
        for how, helper in self.helpers.items():
            for user in similar:
                for verb, address in (("add", FREE), ("del", MY_GUEST)):
                    with self.subTest(how, user=user, verb=verb):
                        reply = call(helper, "pipe", ["4", verb, MINE, address, MASK], user=user)
                        self.assert_refused_whole(reply, MINE, exit_status=66)
                with self.subTest(how, user=user, verb="remove"):
                    with native.call(helper, "remove", f"device={MINE}", user=user) as answer:
                        self.assertEqual((answer.json["code"], answer.exit), ("no_such_device", 66), answer)
            with self.subTest(how, user="the owner"):
                self.assertEqual(call(helper, "pipe", ["4", "add", MINE, MY_GUEST, MASK]).exit, 0)

    def test_a_device_that_was_handed_to_another_user_is_nobodys_to_use(self) -> None:
        """Its holder may hand it over. Its owner and its alias then name different users, and only its maker may remove it."""
        for how, helper in self.helpers.items():
            with caller.tuntap_up(helper, GATE, user=NOBODY) as given:
                self.assertEqual(caller.framed(helper, "4", "add", given.name, FREE, MASK, user=NOBODY).exit, 0)
                fcntl.ioctl(given.fds[0], TUNSETOWNER, SOMEBODY)
                before = world.snapshot()
                for user in (NOBODY, SOMEBODY):
                    for verb, address in (("add", "10.50.0.77"), ("del", FREE)):
                        with self.subTest(how, user=user, verb=verb):
                            reply = caller.framed(helper, "4", verb, given.name, address, MASK, user=user)
                            self.assert_refused(reply, 66, given.name)
                with native.call(helper, "remove", f"device={given.name}", user=SOMEBODY) as answer:
                    self.assertEqual((answer.json["code"], answer.exit), ("no_such_device", 66), answer)
                self.assertEqual(world.snapshot(), before)
                with native.call(helper, "remove", f"device={given.name}", user=NOBODY) as answer:
                    self.assertTrue(answer.ok, answer)
            self.assert_host_unchanged()


if __name__ == "__main__":
    unittest.main()
