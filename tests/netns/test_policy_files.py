"""The policy and account files as they lie on the disk, and what they say together. tests/hostile has them under attack."""

import shutil
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, world
from tests.support.case import HELPER, ROOT, HostCase

NOBODY, SOMEBODY = 65534, 65533
DROP_INS = world.POLICY.parent / "policy.d"


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "users": [NOBODY], "operations": ["tuntap", "address"], **more}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "rules": list(rules)}


class PolicyFiles(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(policy(rule("guests", gateways=["10.99.0.0/16"])))

    def ask(self, gate: str = "10.99.0.254", user: int | None = NOBODY) -> caller.Reply:
        reply = caller.tuntap_up(self.helper, gate, user=user)
        self.addCleanup(reply.close)
        return reply

    def drop_in(self, name: str, content: dict[str, Any] | str) -> Path:
        DROP_INS.mkdir(mode=0o755, exist_ok=True)
        return world.write_policy(content, DROP_INS / name)

    def test_a_file_of_64_kib_is_not_too_long(self) -> None:
        text = world.POLICY.read_text()
        world.write_policy(text + " " * (64 * 1024 - len(text)))
        self.assertEqual(self.ask().exit, 0)

    def test_drop_ins_are_read_in_the_order_of_their_names_behind_the_main_file(self) -> None:
        world.write_policy(policy(rule("main", gateways=["10.1.0.0/16"])))
        self.drop_in("20-second.json", policy(rule("second", gateways=["10.2.0.0/16", "10.3.0.0/16"])))
        self.drop_in("10-first.json", policy(rule("first", gateways=["10.1.0.0/16", "10.2.0.0/16"])))
        self.drop_in("README", "not read")
        self.drop_in(".hidden.json", "not read")
        for gate, name in (("10.1.0.1", "main"), ("10.2.0.1", "first"), ("10.3.0.1", "second")):
            with self.subTest(gate):
                self.assertEqual(self.ask(gate).exit, 0)
                self.assertEqual(self.last_line()["decision"]["rule"], name)

    def test_a_deny_rule_in_a_drop_in_wins_and_binds_root(self) -> None:
        self.drop_in("99-stop.json", policy({"name": "stop", "effect": "deny", "users": ["*"]}))
        for user in (NOBODY, None):
            self.assert_refused(self.ask(user=user), 77, "rule stop denies this")

    def test_the_servers_of_the_example_are_nobodys_gateways_either(self) -> None:
        world.write_policy((ROOT / "policy" / "examples" / "deny-all-but.json").read_text())
        self.assert_refused(self.ask("10.99.0.5", user=SOMEBODY), 77, "rule servers-as-gateways denies this")
        self.assertEqual(self.ask("10.99.1.5", user=SOMEBODY).exit, 0)

    def test_a_rule_that_names_a_user_by_name(self) -> None:
        world.write_policy(policy({**rule("guests", gateways=["10.99.0.0/16"]), "users": ["nobody"]}))
        self.assertEqual(self.ask().exit, 0)
        self.assertEqual(self.last_line()["caller"]["user"], "nobody")

    def test_no_policy_at_all_leaves_root_only(self) -> None:
        world.remove_policy()
        self.assert_refused(self.ask(), 77, "there is no policy on this host", "/etc/umlnet/policy.json")
        self.assertEqual(self.ask(user=None).exit, 0)

    def test_addresses_that_no_rule_can_grant_and_root_may_have(self) -> None:
        self.addCleanup(world.lan().close)
        world.sh("ip", "route", "add", "default", "via", "10.50.0.2")
        world.write_policy(policy(rule("all", gateways=["0.0.0.0/0"], guests=["0.0.0.0/0"])))
        theirs, roots = self.ask(), self.ask(user=None)
        self.assertEqual((theirs.name, roots.name), ("tap0", "tap1"))
        self.assertEqual(caller.framed(self.helper, "4", "add", "tap1", "10.99.0.7", "255.255.255.255").exit, 0)
        before = world.snapshot()
        for address, words in (("10.50.0.1", "the host's own address on eth0"), ("10.99.0.254", "the host's own address"),
                               ("10.50.0.2", "the host's gateway on eth0"), ("10.50.0.255", "the broadcast address of eth0"),
                               ("10.50.0.0", "the network address of eth0"), ("0.0.0.1", "this network"),
                               ("127.0.0.1", "loopback"), ("224.0.0.1", "multicast"), ("240.0.0.1", "reserved"),
                               ("255.255.255.255", "reserved"), ("169.254.0.1", "link-local"),
                               ("10.99.0.7", "already routed to another device")):
            with self.subTest(address):
                reply = caller.framed(self.helper, "4", "add", "tap0", address, "255.255.255.255", user=NOBODY)
                self.assert_refused(reply, reply.exit, address, words)
                self.assertIn(reply.exit, (69, 77))
                self.assertIn(words, self.last_line()["decision"]["reason"])
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(caller.framed(self.helper, "4", "add", "tap0", "10.50.0.2", "255.255.255.255").exit, 0)

    def test_without_lan_only_the_host_itself_reaches_the_guest(self) -> None:
        self.addCleanup(world.lan().close)
        world.write_policy(policy(rule("guests", gateways=["10.99.0.254"], guests=["10.50.0.7"])))
        self.ask()
        added = caller.framed(self.helper, "4", "add", "tap0", "10.50.0.7", "255.255.255.0", user=NOBODY)
        self.assertEqual((added.exit, added.text), (0, "10.50.0.7 routed to tap0\n10.50.0.7 not published on eth0: rule guests "
                                                       "does not list it under \"lan\"\n"))
        self.assertEqual((world.proxy_entries(), world.setting("eth0", "forwarding")), ({}, 0))

    def test_the_example_policies_load(self) -> None:
        for example in sorted((Path(__file__).parents[2] / "policy" / "examples").iterdir()):
            with self.subTest(example.name):
                shutil.copyfile(example, world.POLICY)
                self.assertEqual(self.ask("10.99.1.254", user=None).exit, 0)
                self.assert_refused(self.ask("192.168.77.1"), 77)

    def test_a_drop_in_replaced_while_it_is_listed_and_read_is_never_missed(self) -> None:
        deny = policy({"name": "stop", "effect": "deny", "users": [NOBODY]})
        self.drop_in("99-stop.json", deny)
        over = threading.Event()

        def replace() -> None:
            while not over.is_set():
                self.drop_in("99-stop.new", deny).rename(DROP_INS / "99-stop.json")

        replacing = threading.Thread(target=replace)
        replacing.start()
        try:
            for _ in range(60):
                self.assertIn(self.ask().exit, (75, 77, 78))  # or changed without a pause, or while the request was held up
        finally:
            over.set()
            replacing.join()
        self.assertNotIn("accept", {line["event"] for line in world.audit_lines()})

    def test_membership_in_a_group_is_the_processs_own(self) -> None:
        with open("/etc/group", "a") as file:
            file.write("lab:x:4242:nobody\n")  # a list that the kernel did not hear of
        world.write_policy(policy({**rule("lab", gateways=["10.99.0.0/16"]), "users": [], "groups": ["lab"]}))
        self.assert_refused(self.ask(), 77, "no rule of the policy speaks of uid 65534")
        reply = caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY, groups=[4242])
        self.addCleanup(reply.close)
        self.assertEqual(reply.exit, 0, reply)


if __name__ == "__main__":
    unittest.main()
