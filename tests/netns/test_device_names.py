"""Names of devices that are there: patterns of bridges and LANs, and alternative names, in the policy and in requests."""

import unittest
from typing import Any

from tests.support import bridge, caller, ethertap, native, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import NOBODY, installed

BRIDGE_NAMES = ("br0", "guests", "bridge-of-the-guests")  # the last has more than 15 bytes
LAN_NAMES = ("eth0", "house", "network-of-the-house")


class DeviceNames(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        self.umlnet, _ = installed()
        bridge.add_bridge("br0")
        world.sh("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "wire")
        world.ip_batch("addr add 10.50.0.1/24 dev eth0", "link set eth0 up", "link set wire up",
                       *(f"link property add dev br0 altname {name}" for name in BRIDGE_NAMES[1:]),
                       *(f"link property add dev eth0 altname {name}" for name in LAN_NAMES[1:]))

    def allow(self, *deny: dict[str, Any], **keys: Any) -> None:
        world.write_policy({"version": 1, "rules": [
            *({"name": "d", "effect": "deny", "users": ["*"], **lists} for lists in deny),
            {"name": "r", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address", "bridge", "open"],
             "devices": ["*"], "guests": ["10.50.0.0/24"], **keys}]})

    def policy(self, *words: str) -> str:
        return caller.run(self.umlnet, "policy", *words).stdout.decode()

    def open(self, *options: str) -> native.Answer:
        answer = native.call(self.helper, "open", *options, user=NOBODY)
        self.addCleanup(answer.close)
        return answer

    def test_a_bridge_in_a_deny_rule_by_pattern_or_by_any_name(self) -> None:
        for pattern in ("*", "br*", "br[0-9]", "br?", *BRIDGE_NAMES, "bridge-of-*"):
            self.allow({"bridges": [pattern]}, bridges=["*"])
            for name in BRIDGE_NAMES:
                with self.subTest(pattern, name=name):
                    self.assertIn("rule d denies this", bridge.ask(self.helper, name, user=NOBODY).stderr)
                    self.assertIn("rule d denies this", self.open(f"bridge={name}").json["error"])
                    explained = self.policy("explain", "--user", str(NOBODY), "bridge", "--bridge", name)
                    self.assertIn("rule d denies this", explained)
        self.allow({"bridges": ["b", "br", "BR0", "br0?", "gues"]}, bridges=["br0"])
        with bridge.ask(self.helper, "br0", user=NOBODY) as reply:
            self.assertEqual(len(reply.fds), 1, reply)

    def test_a_bridge_in_an_allow_rule_by_pattern_or_by_any_name(self) -> None:
        for pattern in ("b*", *BRIDGE_NAMES, "bridge-of-*"):
            self.allow(bridges=[pattern])
            for name in BRIDGE_NAMES:
                with self.subTest(pattern, name=name):
                    with bridge.ask(self.helper, name, user=NOBODY) as reply:
                        self.assertEqual(len(reply.fds), 1, reply)
                        self.assertEqual(world.links()[bridge.flags_of(reply.fds[0])[0]]["master"], "br0")
                    with self.open(f"bridge={name}") as answer:
                        self.assertTrue(answer.ok, answer)
        self.allow(bridges=["x*"])
        for name in (*BRIDGE_NAMES, "none-of-that-name-there"):
            self.assertIn(f"bridge {name}: not in x*", bridge.ask(self.helper, name, user=NOBODY).stderr)

    def test_a_lan_by_pattern_or_by_any_name(self) -> None:
        for pattern in ("*", "e*", "eth[0-9]", *LAN_NAMES, "network-*"):
            with self.subTest(pattern):
                self.allow({"lan": [pattern]}, lan=["eth0"])
                self.assertIn("rule d denies this", self.open("guest=10.50.0.7").json["error"])
                self.allow(lan=[pattern])
                with self.open("guest=10.50.0.7") as answer:
                    self.assertEqual(answer.json["guests"], [{"address": "10.50.0.7", "published": ["eth0"]}], answer)
                with caller.tuntap_up(self.helper, user=NOBODY) as tap:
                    added = caller.framed(self.helper, "4", "add", tap.name, "10.50.0.8", "255.255.255.0", user=NOBODY)
                    self.assertEqual(added.text, f"10.50.0.8 routed to {tap.name}, published on eth0\n")

    def test_an_address_change_names_the_device_by_an_alternative_name(self) -> None:
        self.allow(lan=["eth0"])
        with caller.tuntap_up(self.helper, user=NOBODY) as tap:
            world.sh("ip", "link", "property", "add", "dev", tap.name, "altname", "guest-seven-of-nobody")
            for verb in ("add", "del"):
                reply = caller.framed(self.helper, "4", verb, "guest-seven-of-nobody", "10.50.0.7", "255.255.255.0", user=NOBODY)
                self.assertEqual(reply.exit, 0, reply)
                self.assertEqual(self.last_line()["request"]["device"], "guest-seven-of-nobody")
                self.assertEqual(self.last_line()["result"]["device"], tap.name)
            self.allow({"devices": ["guest-*"]}, lan=["eth0"])
            reply = caller.framed(self.helper, "4", "add", tap.name, "10.50.0.7", "255.255.255.0", user=NOBODY)
            self.assert_refused(reply, 77, "rule d denies this")
            self.assertTrue(native.call(self.helper, "remove", "device=guest-seven-of-nobody", user=NOBODY).ok)

    def test_an_alternative_name_is_in_use(self) -> None:
        self.allow()
        answer = self.open("device=house")
        self.assertEqual((answer.json["code"], answer.exit), ("conflict", 69), answer)
        with ethertap.Session(self.helper, "guests", user=NOBODY) as session:
            self.assertIn("the device name guests is in use", session.text)

    def test_what_umlnet_policy_check_says_of_patterns(self) -> None:
        self.allow({"bridges": ["br*"]}, bridges=["bridge-of-*"], lan=["hous?"])
        self.assertNotIn("there is no", self.policy("check"))
        self.allow(bridges=["virbr*"], lan=["wan*"])
        said = self.policy("check")
        self.assertIn("there is no bridge virbr* on this host now", said)
        self.assertIn("there is no device wan* on this host now", said)
        self.allow({"bridges": []})
        self.assertIn("it denies nothing", self.policy("check"))


if __name__ == "__main__":
    unittest.main()
