"""The policy's files as somebody put them who should not, or half of them: nobody is granted anything, and told why."""

import json
import os
import stat
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import native, world
from tests.support.hostile import FREE, INSTALLATIONS, MASK, MINE, NOBODY, OPERATIONS, HostileCase, call, whole_host

DROP_INS = world.POLICY.parent / "policy.d"
RULE = {"name": "guests", "users": [NOBODY], "operations": ["tuntap"], "gateways": ["10.99.0.0/16"]}
SMALL = {"version": 1, "rules": [RULE]}
KEEP = object()


def with_rule(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "rules": [{**RULE, **changes}]}


def spoil(path: Path, how: str) -> None:
    """One file of the policy, in the ways that need no look into it."""
    whole = path.read_text()
    elsewhere = path.with_name("elsewhere")
    if how == "a symlink":
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    elif how == "a symlink to nowhere":
        path.unlink()
        path.symlink_to("/etc/umlnet/nowhere")
    elif how == "a symlink to itself":
        path.unlink()
        path.symlink_to(path)
    elif how in ("a FIFO", "a socket", "a character device", "a block device", "the device of zeros"):
        path.unlink()
        kind = {"a FIFO": stat.S_IFIFO, "a socket": stat.S_IFSOCK, "a block device": stat.S_IFBLK}.get(how, stat.S_IFCHR)
        os.mknod(path, 0o644 | kind, os.makedev(1, 5) if how == "the device of zeros" else os.makedev(1, 3))
    elif how == "a directory":
        path.unlink()
        path.mkdir()
    elif how == "somebody's":
        os.chown(path, NOBODY, 0)
    elif how == "writable by its group":
        path.chmod(0o664)
    elif how == "writable by everybody":
        path.chmod(0o646)
    elif how == "in a directory of somebody's":
        os.chown(path.parent, NOBODY, 0)
    elif how == "in a directory writable by its group":
        path.parent.chmod(0o775)
    elif how == "in a directory writable by everybody":
        path.parent.chmod(0o1777)
    elif how == "in a directory that is a symlink":
        path.parent.rename("/etc/elsewhere")
        path.parent.symlink_to("/etc/elsewhere")
    elif how == "another file of root's":
        path.unlink()
        os.link("/etc/passwd", path)
    elif how == "one byte too long":
        world.write_policy(whole + " " * (64 * 1024 + 1 - len(whole)), path)
    elif how == "endless":
        path.write_text(whole)
        os.truncate(path, 1 << 40)
    elif how == "empty":
        world.write_policy("", path)
    else:
        raise ValueError(how)


# And what the answer says of it.
WAYS = {
    "a symlink": "is a symbolic link", "a symlink to nowhere": "is a symbolic link", "a symlink to itself": "is a symbolic link",
    "a FIFO": "is not a regular file", "a socket": "is not a regular file", "a character device": "is not a regular file",
    "a block device": "is not a regular file", "the device of zeros": "is not a regular file", "a directory": "is not a regular file",
    "somebody's": "belongs to uid 65534 and not to root", "writable by its group": "is writable by group or others",
    "writable by everybody": "chmod go-w", "in a directory of somebody's": "belongs to uid 65534 and not to root",
    "in a directory writable by its group": "is writable by group or others",
    "in a directory writable by everybody": "is writable by group or others", "in a directory that is a symlink": "is a symbolic link",
    "another file of root's": ":1: not JSON", "one byte too long": "is longer than 65536 bytes",
    "endless": "is longer than 65536 bytes", "empty": "",
}

# Documents that are no policy, and the words in the answer.
INVALID: dict[str, tuple[Any, str]] = {
    "no JSON": ("guests: all", ""), "a list": ([SMALL], ""), "a string": ('"allow"', ""), "null": ("null", ""), "NUL": ("\0", ""),
    "two documents": (json.dumps(SMALL) * 2, ""), "a comment": (json.dumps(SMALL) + "// all", ""),
    "a comma too many": ('{"version": 1, "rules": [],}', ""), "NaN": ('{"version": NaN, "rules": []}', ""),
    "a byte-order mark": ("\ufeff" + json.dumps(SMALL), ""), "very deep": ("[" * 30_000, ""),
    "a key twice": ('{"version": 1, "version": 1, "rules": []}', "version"),
    "a rule's key twice": ('{"version": 1, "rules": [{"name": "a", "name": "b", "users": ["*"]}]}', "name"),
    "no version": ({"rules": [RULE]}, "version"), "version 0": ({**SMALL, "version": 0}, "version"),
    "version 2": ({**SMALL, "version": 2}, "version"), "version 2^32+1": ({**SMALL, "version": (1 << 32) + 1}, "version"),
    "version 1.0": ({**SMALL, "version": 1.0}, "version"), "version true": ({**SMALL, "version": True}, "version"),
    "version in words": ({**SMALL, "version": "1"}, "version"), "no rules": ({"version": 1}, "rules"),
    "rules that are none": ({"version": 1, "rules": {}}, "rules"), "a rule that is none": ({"version": 1, "rules": ["all"]}, "is not a rule"),
    "an unknown key": ({**SMALL, "rule": []}, "rule"), "a rule's unknown key": (with_rule(gatways=[]), "gatways"),
    "no name": (with_rule(name=KEEP), "name"), "an empty name": (with_rule(name=""), "name"),
    "a long name": (with_rule(name="x" * 65), "name"), "a name with a newline": (with_rule(name="a\nb"), "name"),
    "a name twice": ({"version": 1, "rules": [RULE, RULE]}, "guests"),
    "nobody meant": (with_rule(users=KEEP), "users"), "users that are no list": (with_rule(users=NOBODY), "users"),
    "a uid of -1": (with_rule(users=[-1]), "users"), "a uid of 2^32": (with_rule(users=[1 << 32]), "users"),
    "the uid that is none": (with_rule(users=[(1 << 32) - 1]), "users"), "a uid of 1.5": (with_rule(users=[1.5]), "users"),
    "a uid of true": (with_rule(users=[True]), "users"), "a uid of null": (with_rule(users=[None]), "users"),
    "an empty user": (with_rule(users=[""]), "users"),
    "a gid of -1": (with_rule(groups=[-1]), "groups"),
    "an unknown effect": (with_rule(effect="permit"), "effect"), "no effect": (with_rule(effect=None), "effect"),
    "an unknown operation": (with_rule(operations=["tuntap", "all"]), "operations"),
    "operations that are no list": (with_rule(operations="tuntap"), "operations"),
    "a gateway range with bits set": (with_rule(gateways=["10.99.0.1/16"]), "gateways"),
    "a prefix of 33": (with_rule(gateways=["10.99.0.0/33"]), "gateways"), "a prefix of -1": (with_rule(gateways=["0.0.0.0/-1"]), "gateways"),
    "a prefix of 08": (with_rule(gateways=["10.0.0.0/08"]), "gateways"), "no address": (with_rule(gateways=["all"]), "gateways"),
    "a number for an address": (with_rule(gateways=[0]), "gateways"), "a guest that is none": (with_rule(guests=["10.0.0.0/8 "]), "guests"),
    "a device pattern of 16 bytes": (with_rule(devices=["a" * 16]), "devices"), "a device pattern with /": (with_rule(devices=["../*"]), "devices"),
    "a device pattern that is not closed": (with_rule(devices=["tap[0-9"]), "devices"), "an empty device pattern": (with_rule(devices=[""]), "devices"),
    "a LAN that is none": (with_rule(lan=["eth0/1"]), "lan"), "a bridge that is none": (with_rule(bridges=["br 0"]), "bridges"),
    "a limit of -1": (with_rule(max_devices=-1), "max_devices"), "a limit of 1e9": (with_rule(max_devices=1e9), "max_devices"),
    "a limit of 2^64": (with_rule(max_addresses=1 << 64), "max_addresses"), "a limit in words": (with_rule(max_addresses="8"), "max_addresses"),
    "an unknown sink": ({**SMALL, "audit": {"syslog": True}}, "syslog"), "a sink that is maybe": ({**SMALL, "audit": {"journald": 1}}, "journald"),
}


def without_kept(document: Any) -> Any:
    if isinstance(document, dict) and "rules" in document and isinstance(document["rules"], list):
        rules = [{key: value for key, value in rule.items() if value is not KEEP} if isinstance(rule, dict) else rule
                 for rule in document["rules"]]
        return {**document, "rules": rules}
    return document


class Files(HostileCase):
    def replaced(self, act: Callable[[], None]) -> None:
        """A new policy in place, then spoilt; and that is what must not change."""
        world.POLICY.parent.is_symlink() and world.POLICY.parent.unlink()
        world.sh("rm", "-rf", "/etc/elsewhere", str(world.POLICY.parent))
        world.POLICY.parent.mkdir(mode=0o755)
        world.write_policy(SMALL)
        act()
        self.empty_log()
        self.files = []

    def setUp(self) -> None:
        super().setUp()
        # The policy is what these tests change; all else must stay.
        self.addCleanup(self.forget_policy)

    def forget_policy(self) -> None:
        self.replaced(lambda: None)
        at = next(at for at, line in enumerate(self.baseline) if line.startswith("/etc/umlnet"))
        others = [line for line in self.baseline if not line.startswith("/etc/umlnet")]
        policy = [line for line in whole_host() if line.startswith("/etc/umlnet")]
        self.baseline = [*others[:at], *policy, *others[at:]]

    def assert_all_refused(self, *words: str) -> None:
        for how, helper in self.helpers.items():
            for user in (NOBODY, None):
                with self.subTest(how, user=user):
                    reply = call(helper, "datagram", OPERATIONS["up"].words, user=user)
                    self.addCleanup(reply.close)
                    self.assert_refused(reply, 78, "/etc/", *words)
                    self.assertFalse(self.happenings.any())
        self.assertEqual({line["event"] for line in world.audit_lines()}, {"alert"})

    def test_the_main_file(self) -> None:
        for how, words in WAYS.items():
            with self.subTest(how):
                self.replaced(lambda: spoil(world.POLICY, how))
                self.assert_all_refused(words)

    def test_a_drop_in(self) -> None:
        for how, words in WAYS.items():
            def act() -> None:
                DROP_INS.mkdir(mode=0o755)
                spoil(world.write_policy({"version": 1, "rules": []}, DROP_INS / "50-more.json"), how)

            with self.subTest(how):
                self.replaced(act)
                self.assert_all_refused(words)

    def test_a_name_that_two_files_give(self) -> None:
        def act() -> None:
            DROP_INS.mkdir(mode=0o755)
            world.write_policy(SMALL, DROP_INS / "50-more.json")

        self.replaced(act)
        self.assert_all_refused("50-more.json", "guests")

    def test_the_users_and_groups_of_the_system(self) -> None:
        """Names in a policy mean what these files say."""
        for path in (Path("/etc/passwd"), Path("/etc/group")):
            whole = path.read_bytes()
            for how in ("somebody's", "writable by its group", "a symlink", "a FIFO"):
                with self.subTest(path.name, how=how):
                    self.replaced(lambda: spoil(path, how))
                    try:
                        self.assert_all_refused(path.name)
                    finally:
                        path.unlink()
                        path.write_bytes(whole)
                        path.chmod(0o644)

    def test_another_name_of_the_file_elsewhere_is_no_matter(self) -> None:
        """Whoever could make one, to have everybody refused, would be the attacker."""
        self.replaced(lambda: os.link(world.POLICY, "/etc/another-name"))
        self.addCleanup(os.unlink, "/etc/another-name")
        for how, helper in self.helpers.items():
            with call(helper, "datagram", OPERATIONS["up"].words) as reply:
                self.assertEqual(reply.exit, 0, how)

    def test_cut_off_after_every_byte(self) -> None:
        text = json.dumps(SMALL)
        self.replaced(lambda: None)
        for length in range(len(text)):
            world.write_policy(text[:length])
            helper = self.helpers[INSTALLATIONS[length % 2]]
            with self.subTest(length=length):
                self.assert_refused(call(helper, "pipe", ["4", "add", MINE, FREE, MASK]), 78, "/etc/umlnet/policy.json")
        self.assertFalse(self.happenings.any())

    def test_every_kind_of_invalid_value(self) -> None:
        self.replaced(lambda: None)
        for number, (what, (document, word)) in enumerate(INVALID.items()):
            world.write_policy(without_kept(document))
            helper = self.helpers[INSTALLATIONS[number % 2]]
            with self.subTest(what):
                self.assert_refused(call(helper, "pipe", ["4", "add", MINE, FREE, MASK]), 78, "/etc/umlnet/policy.json", word)
        self.assertFalse(self.happenings.any())

    def test_bytes_that_are_no_text(self) -> None:
        self.replaced(lambda: None)
        for data in (b"\xff\xfe", b'{"version": 1, "rules": [], "\xc3\x28": 1}', json.dumps(SMALL).encode("utf-16"), os.urandom(5000)):
            world.POLICY.write_bytes(data)
            reply = call(self.helper, "pipe", ["4", "add", MINE, FREE, MASK])
            self.assert_refused(reply, 78, "/etc/umlnet/policy.json")
            self.assertTrue(reply.text.isascii() and "\x1b" not in reply.text)

    def test_replaced_without_a_pause_it_is_the_old_or_the_new_one(self) -> None:
        """Of two long policies that differ in every rule: never a part of each, and never one that grants more than both."""
        versions = [{"version": 1, "rules": [{**RULE, "name": f"v{version}-{number}", "gateways": [f"10.{version}.0.0/16"]}
                                             for number in range(300)]} for version in (1, 2)]
        new = world.POLICY.with_suffix(".new")
        over = threading.Event()

        def replace() -> None:
            while not over.is_set():
                for version in versions:
                    world.write_policy(version, new)
                    new.rename(world.POLICY)

        self.replaced(lambda: world.write_policy(versions[0]))
        thread = threading.Thread(target=replace)
        thread.start()
        try:
            for number in range(60):
                reply = call(self.helpers[INSTALLATIONS[number % 2]], "datagram", ["4", "tuntap", "up", "10.3.0.1"])
                if reply.exit == 75:  # it changed once more while the request was held up, on a busy machine
                    self.assert_refused(reply, 75, "the policy changed")
                    continue
                self.assert_refused(reply, 77, "gateway 10.3.0.1: not in 10.")
        finally:
            over.set()
            thread.join()
        self.assertEqual({line["event"] for line in world.audit_lines()}, {"reject"})

    def test_written_to_without_a_rename_it_is_whole_or_refused(self) -> None:
        """As an editor does it that writes in place: half of the file is no policy, and grants nothing."""
        stop = {"version": 1, "rules": [{"name": "stop", "effect": "deny", "users": ["*"]},
                                        *({**RULE, "name": f"g{number}"} for number in range(300))]}
        text = json.dumps(stop)
        over = threading.Event()

        def rewrite() -> None:
            while not over.is_set():
                with open(world.POLICY, "r+") as file:
                    file.truncate()
                    for at in range(0, len(text), 5000):
                        file.write(text[at:at + 5000])
                        file.flush()

        self.replaced(lambda: world.write_policy(stop))
        thread = threading.Thread(target=rewrite)
        thread.start()
        try:
            for number in range(40):
                reply = call(self.helpers[INSTALLATIONS[number % 2]], "datagram", OPERATIONS["up"].words)
                self.assertIn(reply.exit, (75, 77, 78), reply)
                self.assertEqual(reply.fds, [])
        finally:
            over.set()
            thread.join()

    def test_a_session_that_reloads_meanwhile_never_has_a_part_of_each(self) -> None:
        """A rule that grants is there only while another file denies. A session that reads one of them before a change and
        the other after it would grant."""
        grants = {"version": 1, "rules": [{"name": "vms", "users": [NOBODY], "operations": ["open"], "devices": ["vm*"]}]}
        denies = {"version": 1, "rules": [{"name": "stop", "effect": "deny", "users": [NOBODY], "devices": ["vm*"]}]}
        begins = {"version": 1, "rules": [{"name": "none", "users": [NOBODY], "operations": ["open"], "devices": ["xy*"]}]}
        new, over = world.POLICY.with_suffix(".new"), threading.Event()

        def replace() -> None:
            while not over.is_set():
                world.write_policy(denies, DROP_INS / ".new")
                (DROP_INS / ".new").rename(DROP_INS / "50-stop.json")
                for policy in (grants, begins):
                    world.write_policy(policy, new)
                    new.rename(world.POLICY)
                    time.sleep(0.002)
                (DROP_INS / "50-stop.json").unlink()
                time.sleep(0.002)

        self.replaced(lambda: (DROP_INS.mkdir(mode=0o755), world.write_policy(begins)))
        for how in INSTALLATIONS:
            with native.Session(self.helpers[how], user=NOBODY) as session:
                self.assertTrue(session.begun.ok, session.begun)
                over.clear()
                thread = threading.Thread(target=replace)
                thread.start()
                said: dict[str, int] = {}
                try:
                    for _ in range(100):
                        session.ask("reload")
                        answer = session.ask("open", "device=vm0")
                        self.assertFalse(answer.ok, answer)
                        said[answer.json["code"]] = said.get(answer.json["code"], 0) + 1
                finally:
                    over.set()
                    thread.join()
                self.assertLessEqual(set(said), {"denied", "policy_changed"})
                self.assertEqual(session.close(), 0)


if __name__ == "__main__":
    unittest.main()
