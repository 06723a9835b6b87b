"""`umlnet policy`: what it says of a policy is what the helper makes of it."""

import json
import os
import subprocess
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import bridge, caller, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import installed

NOBODY = 65534
DROP_INS = world.POLICY.parent / "policy.d"
DRAFTS = Path("/run/umlnet-drafts")


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "users": [NOBODY], "operations": ["tuntap", "address"], "gateways": ["10.99.0.0/16"],
            "guests": ["10.99.0.0/16"], **more}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "rules": list(rules)}


class PolicyCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.umlnet, _ = installed()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(policy(rule("guests")))

    def umlnet_policy(self, *words: str, user: int | None = None, **more: Any) -> tuple[int, str, str]:
        done = caller.run(self.umlnet, "policy", *words, user=user, **more)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *words: str, status: int = 0, user: int | None = None) -> dict[str, Any]:
        found, out, err = self.umlnet_policy(*words, "--json", user=user)
        self.assertEqual((found, err), (status, ""), out)
        self.assertEqual(out.count("\n"), 1)
        return json.loads(out)

    def drop_in(self, name: str, content: Any) -> Path:
        DROP_INS.mkdir(mode=0o755, exist_ok=True)
        return world.write_policy(content, DROP_INS / name)

    def draft(self, content: Any, name: str = "draft.json") -> str:
        DRAFTS.mkdir(exist_ok=True)
        path = world.write_policy(content, DRAFTS / name)
        os.chown(path, NOBODY, NOBODY)
        return str(path)


class Check(PolicyCase):
    def test_a_policy_that_is_right(self) -> None:
        self.drop_in("10-more.json", policy(rule("more", users=[7])))
        for user in (None, NOBODY):
            status, out, err = self.umlnet_policy("check", user=user)
            self.assertEqual((status, out, err), (0, "2 files, 2 rules: right\n", ""))

    def test_what_is_wrong_is_said_in_the_words_of_the_helper(self) -> None:
        def symlink() -> None:
            world.POLICY.rename("/etc/umlnet/elsewhere")
            world.POLICY.symlink_to("/etc/umlnet/elsewhere")

        cases: dict[str, Callable[[], Any]] = {
            "a symbolic link": symlink,
            "belongs to uid 65534": lambda: os.chown(world.POLICY, NOBODY, 0),
            "writable by group": lambda: world.POLICY.chmod(0o664),
            "/etc/umlnet is writable": lambda: world.POLICY.parent.chmod(0o777),
            "longer than 65536": lambda: world.write_policy(" " * 65537),
            "policy.json:18: not JSON": lambda: world.write_policy(world.POLICY.read_text()[:-12]),
            "there is no such key": lambda: world.write_policy(policy(rule("guests", gatways=[]))),
            "50-more.json:1: not JSON": lambda: self.drop_in("50-more.json", '{"version": 1, "rules": [}'),
            "the name is taken by the rule at /etc/umlnet/policy.json:": lambda: self.drop_in(
                "50-more.json", policy(rule("guests"))),
            "would miss whom it means": lambda: world.write_policy(
                policy({"name": "d", "effect": "deny", "users": ["ghost"]})),
        }
        for words, spoil in cases.items():
            with self.subTest(words):
                world.remove_policy()
                world.write_policy(policy(rule("guests")))
                spoil()
                said = caller.tuntap_up(self.helper, user=NOBODY)
                self.assertEqual(said.exit, 78)
                line = said.text.splitlines()[0].removeprefix("uml_net: ")
                for user in (None, NOBODY):
                    status, out, _ = self.umlnet_policy("check", user=user)
                    self.assertEqual((status, out.splitlines()[0]), (78, f"error: {line}"))
                    self.assertIn(words, line)
                found = self.json("check", status=78)
                self.assertFalse(found["ok"])
                self.assertEqual([problem["message"] for problem in found["problems"]], [line])
        self.assertEqual(found["problems"][0]["file"], str(world.POLICY))
        self.assertEqual(found["problems"][0]["line"], 8)

    def test_who_may_not_read_the_policy_is_told_so_and_not_that_it_is_wrong(self) -> None:
        world.POLICY.chmod(0o600)
        status, out, err = self.umlnet_policy("check", user=NOBODY)
        self.assertEqual((status, out), (66, ""))
        self.assertIn("cannot open /etc/umlnet/policy.json: Permission denied (EACCES)\nOnly root", err)
        self.assertEqual(self.umlnet_policy("explain", "tuntap", user=NOBODY)[0], 66)
        self.assertEqual(self.umlnet_policy("check")[0], 0)

    def test_no_policy_is_right_and_said(self) -> None:
        world.remove_policy()
        status, out, _ = self.umlnet_policy("check", user=NOBODY)
        self.assertEqual(status, 0)
        self.assertIn("note: there is no policy, so only root is served; it belongs in /etc/umlnet/policy.json\n", out)

    def test_drafts_may_be_anybodys_and_are_one_policy(self) -> None:
        first, second = self.draft(policy(rule("a"))), self.draft(policy(rule("b", users=[7])), "second.json")
        status, out, _ = self.umlnet_policy("check", first, second, user=NOBODY)
        self.assertEqual(status, 0)
        self.assertEqual(out.splitlines()[-1], "2 files, 2 rules: right")
        self.assertIn(f"note: uml_net would not take it from there: {first} belongs to uid 65534 and not to root", out)

        self.draft(policy(rule("a")), "second.json")
        status, out, _ = self.umlnet_policy("check", first, second, user=NOBODY)
        self.assertEqual(status, 65)
        self.assertIn(f'error: {second}:5: rule "a": key "name": the name is taken by the rule at {first}:', out)

        # Of each file the first fault.
        self.draft("{", "draft.json"), self.draft("[]", "second.json")
        found = self.json("check", first, second, status=65)
        self.assertEqual([(one["file"], one["line"]) for one in found["problems"]], [(first, 1), (second, 1)])
        self.assertEqual(self.umlnet_policy("check", "/nowhere.json")[0], 66)

    def test_warnings_say_where_and_are_errors_where_strict(self) -> None:
        world.write_policy(policy(rule("all", users=["*"]), rule("none", users=["ghost", "nobody"],
                                                                 devices=["tap*", "."])))
        found = self.json("check")
        self.assertTrue(found["ok"])
        lines = world.POLICY.read_text().splitlines()
        told = [(one["kind"], one["rule"], one.get("key"), one.get("item"), lines[one["line"] - 1].strip(' ",'))
                for one in found["warnings"]]
        self.assertEqual(told, [("nobody", "none", "users", "ghost", "ghost"), ("no-such-name", "none", "devices", ".", "."),
                                ("never-decides", "none", None, None, "{")])
        status, out, _ = self.umlnet_policy("check")
        self.assertEqual(status, 0)
        self.assertRegex(out, r'warning: /etc/umlnet/policy.json:\d+: rule "none": it can never decide: the rule "all"')
        self.assertEqual(self.umlnet_policy("check", "--strict")[0], 1)

    def test_ranges_are_compared_with_the_hosts_own_addresses(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        world.write_policy(policy(rule("guests", guests=["10.50.0.0/24"], lan=["eth0", "wan9"])))
        for user in (None, NOBODY):
            told = [(one["kind"], one["message"]) for one in self.json("check", user=user)["warnings"]]
            self.assertEqual(told, [
                ("host-address", "10.50.0.0/24 holds 10.50.0.1, the host's own address on eth0, which no guest can have"),
                ("no-such-device", "there is no device wan9 on this host now"),
            ])
        self.assertEqual(self.json("check", "--host-state", "none")["warnings"], [])

    def test_the_examples_are_right(self) -> None:
        for example in sorted((Path(__file__).parents[2] / "policy" / "examples").glob("*.json")):
            with self.subTest(example.name):
                self.assertEqual(self.umlnet_policy("check", str(example))[0], 0)


class Explain(PolicyCase):
    def explained(self, *words: str, allowed: bool, user: int | None = None) -> dict[str, Any]:
        found = self.json("explain", *words, status=0 if allowed else 77, user=user)
        self.assertEqual(found["allowed"], allowed)
        return found

    def test_it_says_what_the_helper_does(self) -> None:
        world.write_policy(policy(
            {"name": "no-98", "effect": "deny", "users": ["*"], "gateways": ["10.98.0.0/16"]},
            rule("guests", gateways=["10.0.0.0/8"]),
            rule("one", users=[1234], max_devices=0),
            rule("more", users=["*"], operations=["address"]),
        ))
        for user in (NOBODY, 1234, 4711, None):
            for gateway in ("10.99.0.254", "10.98.0.254", "192.168.7.1", "127.0.0.1", None):
                with self.subTest(user=user, gateway=gateway):
                    words = ["tuntap"] + (["--gateway", gateway] if gateway else [])
                    reply = caller.tuntap_up(self.helper, gateway, user=user)
                    reply.close()
                    # Named, or as the one who asks.
                    found = self.explained("--user", str(user or 0), *words, allowed=reply.exit == 0)
                    own = self.explained(*words, allowed=reply.exit == 0, user=user)
                    line = world.audit_lines()[-1]
                    self.assertEqual(found["reason"], line["decision"]["reason"])
                    self.assertEqual(found["rule"], line["decision"].get("rule") or None)
                    self.assertEqual(found["helper_exit_status"], reply.exit)
                    self.assertEqual({**own, "caller": None}, {**found, "caller": None})

    def test_every_rule_says_why_not(self) -> None:
        world.write_policy(policy(
            {"name": "no-98", "effect": "deny", "users": ["*"], "gateways": ["10.98.0.0/16"]},
            rule("other", users=["root"]), rule("addresses", operations=["address"]),
            rule("elsewhere", gateways=["10.1.0.0/16"]), rule("full", max_devices=0), rule("guests"), rule("later"),
        ))
        found = self.explained("--user", "nobody", "tuntap", "--gateway", "10.99.0.1", allowed=True)
        self.assertEqual([(one["rule"], one["says"], one["why"]) for one in found["rules"]], [
            ("no-98", "does-not-match", "lets it pass: gateway 10.99.0.1 is not in 10.98.0.0/16"),
            ("other", "other-callers", "speaks of other callers: users root"),
            ("addresses", "lacks-operation", "does not allow this operation: it lists address"),
            ("elsewhere", "lacks-value", "allows it but for gateway 10.99.0.1: not in 10.1.0.0/16"),
            ("full", "lacks-room", "allows it but for max_devices 0: 0 in use"),
            ("guests", "grants", "allows it, and decides"),
            ("later", "grants", "allows it, too, but rule guests comes first"),
        ])
        found = self.explained("--user", "nobody", "tuntap", "--gateway", "10.98.0.1", allowed=False)
        self.assertEqual([one["says"] for one in found["rules"]],
                         ["denies", "other-callers", "lacks-operation", "lacks-value", "lacks-value", "lacks-value",
                          "lacks-value"])
        status, out, _ = self.umlnet_policy("explain", "--user", "nobody", "tuntap", "--gateway", "10.99.0.1")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("allowed: rule guests allows tuntap\n  caller   uid 65534 (nobody), groups 65534"))
        self.assertRegex(out, r"(?m)^/etc/umlnet/policy.json:\d+: allow rule guests allows it, and decides$")

    def test_limits_addresses_and_devices_as_they_are(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        world.write_policy(policy(rule("guests", max_devices=1, guests=["10.50.0.0/24"], lan=["eth0"])))
        tap = caller.tuntap_up(self.helper, user=NOBODY)
        self.addCleanup(tap.close)
        found = self.explained("tuntap", allowed=False, user=NOBODY)
        self.assertEqual(found["reason"], "rule guests allows this but for max_devices 1: 1 in use")
        self.assertEqual(found["devices_held"], 1)
        self.explained("tuntap", "--host-state", "none", allowed=True, user=NOBODY)

        add = ("address", "--device", tap.name, "--address")
        found = self.explained(*add, "10.50.0.7", "--netmask", "255.255.255.0", allowed=True, user=NOBODY)
        self.assertEqual(found["seen_in_lan_of"], ["eth0"])
        self.assertEqual(self.explained(*add, "10.50.0.7/32", allowed=True, user=NOBODY)["seen_in_lan_of"], [])
        found = self.explained(*add, "10.50.0.1/24", allowed=False, user=NOBODY)
        self.assertEqual(found["reason"], "10.50.0.1 is the host's own address on eth0")
        self.assertEqual(found["helper_exit_status"], 69)
        self.assertEqual(found["rules"][0]["why"], "allows it, but no rule can grant this")
        # Somebody else's device, and none.
        for words in ((*add, "10.50.0.7", "--user", "7"), ("address", "--device", "tap9", "--address", "10.50.0.7")):
            found = self.explained(*words, allowed=False)
            self.assertIn(found["helper_exit_status"], (66, 77))
        self.explained("address", "--device", "tap9", "--address", "10.50.0.7", "--host-state", "none", allowed=True,
                       user=NOBODY)
        self.explained(*add, "10.50.0.7", "--del", allowed=True, user=NOBODY)

    def test_ethertap_names_its_device(self) -> None:
        world.write_policy(policy(rule("guests", operations=["ethertap"], devices=["uml*"])))
        self.explained("ethertap", "--device", "uml0", "--gateway", "10.99.0.1", allowed=True, user=NOBODY)
        self.explained("ethertap", "--device", "tap0", allowed=False, user=NOBODY)

    def test_groups_are_those_of_the_files_or_the_ones_named(self) -> None:
        with open("/etc/passwd", "a") as passwd, open("/etc/group", "a") as group:
            passwd.write("alice:x:4001:4001::/:/bin/sh\n")
            group.write("alice:x:4001:\nguests:x:4002:alice\n")
        world.write_policy(policy({**rule("guests"), "users": [], "groups": ["guests"]}))
        self.assertEqual(self.umlnet_policy("check", "--strict")[1], "1 file, 1 rule: right\n")
        found = self.explained("--user", "alice", "tuntap", allowed=True)
        self.assertEqual(found["caller"], {"uid": 4001, "groups": [4002], "gid": 4001, "user": "alice"})
        self.explained("--user", "alice", "--group", "daemon", "tuntap", allowed=False)
        self.explained("--user", "4711", "--group", "guests", "tuntap", allowed=True)
        self.explained("--user", "4711", "--group", "4002", "tuntap", allowed=True)
        self.explained("--user", "4711", "tuntap", allowed=False)
        # Whom no file knows is in no group, and not in root's.
        world.write_policy(policy({**rule("guests"), "users": [], "groups": [0]}))
        self.explained("--user", "4711", "tuntap", allowed=False)

    def test_a_draft_in_place_of_the_policy(self) -> None:
        draft = self.draft(policy(rule("new", gateways=["10.1.0.0/16"])))
        found = self.explained("--policy", draft, "tuntap", "--gateway", "10.1.0.1", allowed=True, user=NOBODY)
        self.assertEqual((found["rules"][0]["file"], found["rules"][0]["line"]), (draft, 4))
        self.draft("{")
        self.assertEqual(self.umlnet_policy("explain", "--policy", draft, "tuntap")[0], 65)

    def test_a_bridge(self) -> None:
        world.write_policy(policy(rule("guests"), rule("machines", operations=["bridge"], bridges=["br0", "lo"])))
        asked = ("bridge", "--bridge")
        granted = self.explained(*asked, "br0", "--host-state", "none", allowed=True, user=NOBODY)
        self.assertEqual((granted["rule"], granted["operation"], granted["request"], granted["helper_exit_status"]),
                         ("machines", "bridge", "bridge, bridge br0", 0))
        self.assertEqual([line["says"] for line in granted["rules"]], ["lacks-operation", "grants"])
        for name, words in (("br0", "there is no bridge br0 on this host"), ("lo", "the device lo is not a bridge"),
                            ("br1", "rule machines allows this but for bridge br1: not in br0, lo")):
            found = self.explained(*asked, name, allowed=False, user=NOBODY)
            self.assertEqual((found["reason"], found["helper_exit_status"]), (words, 1))
            self.assertIn(words, bridge.ask(self.helper, name, user=NOBODY).stderr)
        self.assertIn("there is no bridge br0", self.umlnet_policy("check")[1])
        bridge.add_bridge()
        self.explained(*asked, "br0", allowed=True, user=NOBODY)
        with bridge.ask(self.helper, user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0)
            self.assertEqual(self.explained(*asked, "br0", allowed=True, user=NOBODY)["devices_held"], 1)

    def test_the_native_protocol_in_its_own_words(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        world.write_policy(policy(
            rule("guests"),
            rule("machines", operations=["open"], devices=["vm*"], guests=["10.50.0.0/24", "fd00:99::/64"],
                 bridges=["br0"], lan=["eth0"], max_queues=2, vnet_hdr=True)))
        asked = ("open", "device=vm7", "queues=2", "vnet-hdr", "guest=10.50.0.7", "guest=fd00:99::7")
        granted = self.explained(*asked, allowed=True, user=NOBODY)
        self.assertEqual((granted["rule"], granted["operation"], granted["seen_in_lan_of"]),
                         ("machines", "open", ["eth0"]))
        self.assertEqual(granted["request"], "open device=vm7 guest=10.50.0.7 guest=fd00:99::7 queues=2 vnet-hdr")
        self.assertEqual([line["says"] for line in granted["rules"]], ["lacks-operation", "grants"])
        for words, reason in (
            (("open", "queues=4"), "rule machines allows this but for queues 4: the rule's max_queues is 2"),
            (("open", "sealed", "mac=52:54:0:0:0:1"),
             "rule machines allows this but for mac 52:54:00:00:00:01: the rule does not set host_mac"),
            (("open", "guest=10.50.0.1"), "10.50.0.1 is the host's own address on eth0"),
            (("open", "bridge=br0"), "there is no bridge br0 on this host"),
            (("remove", "device=eth0"), "there is no device eth0 that uml_net made for you"),
        ):
            self.assertEqual(self.explained(*words, allowed=False, user=NOBODY)["reason"], reason)
        self.explained("open", "bridge=br0", "isolated", "--host-state", "none", allowed=True, user=NOBODY)
        self.explained("session", allowed=True, user=NOBODY)
        tap = caller.tuntap_up(self.helper, user=NOBODY)
        self.addCleanup(tap.close)
        removed = self.explained("remove", f"device={tap.name}", allowed=True, user=NOBODY)
        self.assertEqual([line["says"] for line in removed["rules"]], ["not-asked", "not-asked"])

    def test_wrong_words_and_a_wrong_policy(self) -> None:
        for words, status in (
            ((), 64), (("explain",), 64), (("explain", "fly"), 64), (("explain", "bridge"), 64),
            (("explain", "open", "fly"), 64), (("explain", "open", "--device", "vm7"), 64),
            (("explain", "open", "isolated"), 64), (("explain", "remove"), 64), (("explain", "session", "now"), 64),
            (("explain", "bridge", "--bridge", "br/0"), 64),
            (("explain", "bridge", "--bridge", "br0", "--gateway", "10.0.0.1"), 64),
            (("explain", "tuntap", "--bridge", "br0"), 64),
            (("explain", "tuntap", "--device", "tap0"), 64), (("explain", "tuntap", "--gateway", "x"), 64),
            (("explain", "ethertap"), 64), (("explain", "address", "--device", "tap0"), 64),
            (("explain", "address", "--device", "tap0", "--address", "10.0.0.1/33"), 64),
            (("explain", "tuntap", "tuntap"), 64), (("explain", "--fly", "tuntap"), 64),
            (("explain", "--user", "ghost", "tuntap"), 67), (("explain", "--group", "ghosts", "tuntap"), 67),
            (("check", "--host-state", "dead"), 64), (("check", "--nothing"), 64),
        ):
            with self.subTest(words):
                found, out, err = self.umlnet_policy(*words)
                self.assertEqual((found, out), (status, ""))
                self.assertNotEqual(err, "")
        world.write_policy("{")
        status, out, err = self.umlnet_policy("explain", "tuntap")
        self.assertEqual((status, out), (78, ""))
        self.assertIn("umlnet policy explain: /etc/umlnet/policy.json:1: not JSON", err)

    def test_the_help_is_there(self) -> None:
        for words in (("--help",), ("check", "--help"), ("explain", "--help")):
            status, out, _ = self.umlnet_policy(*words)
            self.assertEqual(status, 0)
            self.assertTrue(out.startswith("Usage: umlnet policy"))
        self.assertEqual(subprocess.run([self.umlnet, "help", "policy"], capture_output=True, text=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
