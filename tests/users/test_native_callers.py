"""A real other user speaks the native protocol to the helper as an administrator installs it: set-user-ID root, and with
a file capability."""

import json
import subprocess
import unittest
from typing import Any

from tests.support import bridge, native, world
from tests.support.case import FileCapabilityCase, SetUserIdCase
from tests.support.process import capabilities, status_of

NOBODY, SOMEBODY = 65534, 65533
PYTHON = "/usr/bin/python3"  # which every user may run
PLAIN = {"name": "plain", "users": [NOBODY], "operations": ["open"], "devices": ["vm*"], "gateways": ["10.99.0.0/16", "fd00:99::/64"],
         "guests": ["10.99.0.0/16", "fd00:99::/64"], "bridges": ["br0"], "max_devices": 3}
# Options that need a word of their own in a rule, and that word.
KEYS = {("queues=2",): {"max_queues": 4}, ("mtu=9000",): {"max_mtu": 9000}, ("mac=52:54:00:11:22:33",): {"host_mac": True},
        ("vnet-hdr",): {"vnet_hdr": True}, ("persist", "device=vm9"): {"persistent": True}}
GUARD = ("anti-spoof", "guest-mac=52:54:00:aa:bb:cc", "guest=10.99.0.1")
# What a rule may ask of every device, and what then goes.
WANTED = {"sealed": ((), ("sealed",)), "anti_spoof": ((), GUARD), "isolated": (("bridge=br0",), ("bridge=br0", "isolated"))}


class Callers:
    """What must hold for both ways of installing the helper."""

    how: str
    log: dict[str, int]

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        world.write_policy({"version": 1, "rules": [PLAIN]})
        bridge.add_bridge()

    def rule(self, **keys: Any) -> None:
        world.write_policy({"version": 1, "rules": [{**PLAIN, **keys}]})

    def open(self: Any, *options: str, user: int = NOBODY, **more: Any) -> native.Answer:
        answer = native.call(self.helper, "open", *options, user=user, **more)
        self.addCleanup(answer.close)
        return answer

    def test_what_a_rule_grants(self: Any) -> None:
        answer = self.open("device=vm1", "address=10.99.0.254/24", "address=fd00:99::1/64", "guest=10.99.0.1", "guest=fd00:99::7",
                           *GUARD[:2])
        self.assertTrue(answer.ok, answer)
        self.assertEqual(world.links()["vm1"]["linkinfo"]["info_data"]["user"], "nobody")
        self.assertEqual((self.last_line()["caller"]["uid"], self.last_line()["decision"]["rule"]), (NOBODY, "plain"))
        self.assertTrue(self.open("bridge=br0", "isolated").ok)
        self.assertTrue(self.open("sealed").ok)
        self.assertIn("max_devices 3", self.open().json["error"])

    def test_a_session_where_the_directory_of_the_policy_cannot_be_listed(self: Any) -> None:
        world.POLICY.parent.chmod(0o711)
        self.addCleanup(world.POLICY.parent.chmod, 0o755)
        with native.Session(self.helper, user=NOBODY) as session:
            self.assertTrue(session.begun.ok, session.begun)
            self.rule(devices=["xy*"])
            self.assertEqual(session.ask("open").json["code"], "policy_changed")
            self.assertTrue(session.ask("reload").ok)
            with session.ask("open", "device=xy0") as answer:
                self.assertTrue(answer.ok, answer)

    def test_what_no_rule_grants(self: Any) -> None:
        before = world.snapshot()
        for options in (("device=tap7",), ("address=10.98.0.1",), ("address=10.0.0.1/8",), ("guest=10.50.0.1",),
                        ("guest=fd00:98::1",), ("bridge=br1",), ("address=fd00:98::1/64",)):
            answer = self.open(*options)
            self.assertEqual((answer.json["code"], answer.exit), ("denied", 77), answer)
            self.assertIn("rule plain allows this but for", answer.json["error"])
        self.assertEqual(self.open(user=SOMEBODY).json["code"], "denied")
        self.assertEqual(world.snapshot(), before)

    def test_each_option_with_a_key_of_its_own(self: Any) -> None:
        for options, key in KEYS.items():
            with self.subTest(options):
                self.rule()
                refused = self.open(*options)
                self.assertEqual((refused.json.get("code"), refused.fds), ("denied", []), refused)
                self.assertIn(next(iter(key)), refused.json["error"])
                self.rule(**key)
                granted = self.open(*options)
                self.assertTrue(granted.ok, granted)
                granted.close()
        self.assertTrue(native.call(self.helper, "remove", "device=vm9", user=NOBODY).ok)

    def test_what_a_rule_may_want_of_every_device(self: Any) -> None:
        for key, (without, options) in WANTED.items():
            with self.subTest(key):
                self.rule(**{key: True})
                refused = self.open(*without)
                self.assertEqual((refused.json.get("code"), refused.fds), ("denied", []), refused)
                granted = self.open(*options)
                self.assertTrue(granted.ok, granted)
                granted.close()

    def test_a_persistent_device_is_its_makers_to_attach_to_and_to_remove(self: Any) -> None:
        self.rule(persistent=True)
        self.open("device=vm9", "persist").close()
        for user, ok in ((SOMEBODY, False), (NOBODY, True)):
            done = subprocess.run([PYTHON, "-c", ATTACH, "vm9"], user=user, capture_output=True, text=True) \
                if self.how == "filecap" else None
            if done is not None:
                self.assertEqual(done.returncode == 0, ok, done)
        other = native.call(self.helper, "remove", "device=vm9", user=SOMEBODY)
        self.assertEqual((other.json["code"], other.exit), ("no_such_device", 66))
        self.assertIn("vm9", world.links())
        self.assertTrue(native.call(self.helper, "remove", "device=vm9", user=NOBODY).ok)
        self.assertNotIn("vm9", world.links())

    def namespace(self: Any, user: int) -> int:
        own = native.OwnNamespace(user)
        self.addCleanup(own.close)
        self.inside = own.inside
        return own.fd

    def test_a_network_namespace_of_ones_own(self: Any) -> None:
        before = world.snapshot()
        fd = self.namespace(NOBODY)
        self.assertIn("namespaces", self.open(f"netns={fd}", pass_fds=[fd]).json["error"])
        self.rule(namespaces=True, max_queues=4)
        answer = self.open(f"netns={fd}", "device=vm1", "queues=2", "address=10.99.0.254/24", "address=fd00:99::1/64", pass_fds=[fd])
        self.assertTrue(answer.ok, answer)
        self.assertTrue(answer.json["netns"])
        self.assertEqual(world.snapshot(), before)
        (device,) = json.loads(self.inside("ip", "-j", "addr", "show", "vm1"))
        self.assertIn("UP", device["flags"])
        self.assertEqual({info["local"] for info in device["addr_info"] if info["scope"] == "global"}, {"10.99.0.254", "fd00:99::1"})
        self.assertTrue(self.open(f"netns={fd}", pass_fds=[fd]).ok)
        self.assertEqual(self.open(f"netns={fd}", "device=vm1", pass_fds=[fd]).json["code"], "conflict")

    def test_a_network_namespace_of_another_users_is_refused(self: Any) -> None:
        self.rule(namespaces=True)
        before = world.snapshot()
        theirs = self.namespace(SOMEBODY)
        with open("/proc/self/ns/net") as hosts, open("/proc/self/ns/user") as no_network:
            for fd, code in ((theirs, "denied"), (hosts.fileno(), "denied"), (no_network.fileno(), "bad_channel")):
                answer = self.open(f"netns={fd}", pass_fds=[fd])
                self.assertEqual((answer.json["code"], answer.fds), (code, []), answer)
        self.assertEqual(self.open("netns=99").json["code"], "bad_channel")
        self.assertEqual(world.snapshot(), before)

    def test_a_session_of_anothers(self: Any) -> None:
        self.rule(namespaces=True, max_queues=4)
        with native.Session(self.helper, user=SOMEBODY) as refused:
            self.assertEqual(refused.begun.json["code"], "denied")
        fd = self.namespace(NOBODY)
        before = world.snapshot()
        with native.Session(self.helper, user=NOBODY) as session:
            self.assertTrue(session.begun.ok, session.begun)
            answers = [session.ask("open", "device=vm1", "queues=2"), session.ask("open", "sealed"),
                       session.ask("open", "netns=0", "device=vm2", fds=[fd]), session.ask("open")]
            for answer in answers:
                self.addCleanup(answer.close)
                self.assertTrue(answer.ok, answer)
            over = session.ask("open")
            self.assertIn("max_devices 3", over.json["error"])
            self.assertIn("vm2", self.inside("ip", "link"))
            status = status_of(session.process.pid)
            self.assertEqual(capabilities(status), {"CapInh": 0, "CapPrm": 1 << 12, "CapEff": 0,
                                                    "CapBnd": capabilities(status)["CapBnd"], "CapAmb": 0})
            self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
            self.assertEqual(session.close(), 0)
            self.assertNotIn("vm2", self.inside("ip", "link"))
            self.assertEqual(world.snapshot(), before)

    def test_a_session_goes_on_in_a_new_log(self: Any) -> None:
        """Also where its caller may not look for itself whether there is one, and where nobody may watch for one."""
        directory = world.LOG.parent
        self.addCleanup(directory.chmod, directory.stat().st_mode & 0o7777)
        for mode in (0o755, 0o750, 0o710):
            directory.chmod(mode)
            with self.subTest(mode=oct(mode)), native.Session(self.helper, user=NOBODY) as session:
                for number in range(3):
                    world.LOG.rename(world.LOG.with_suffix(f".jsonl.{number}"))
                    world.touch_log(world.LOG, **self.log)
                    with session.ask("open") as answer:
                        self.assertTrue(answer.ok, answer)
                    intent = world.audit_lines()[0]
                    self.assertEqual((intent["stage"], intent["request"]["operation"]), ("intent", "open"))
                self.assertEqual(session.close(), 0)
            world.reset_log(**self.log)


ATTACH = """
import fcntl, os, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
"""


class SetUserId(Callers, SetUserIdCase):
    pass


class FileCapability(Callers, FileCapabilityCase):
    pass


if __name__ == "__main__":
    unittest.main()
