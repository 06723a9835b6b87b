"""A session while the administrator changes the policy: what only looks like a change changes nothing; a change has a code
of its own, an event, and a way on that leaves the devices."""

import os
import shutil
import time
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import fuse, native, world
from tests.support.case import FileCapabilityCase, SetUserIdCase

NOBODY = 65534
ROOT, DROP_INS, ASIDE = world.POLICY.parent, world.POLICY.parent / "policy.d", Path("/etc/aside")
RULE = {"name": "vms", "users": [NOBODY], "operations": ["open"], "devices": ["vm*"]}
SOON = 10  # seconds


def policy(**keys: Any) -> dict[str, Any]:
    return {"version": 1, "rules": [{**RULE, **keys}]}


WIDER = policy(devices=["vm*", "more*"])
MORE = {"version": 1, "rules": [{**RULE, "name": "more", "devices": ["more*"]}]}


class Sessions:
    """What must hold for both ways of installing the helper."""

    how: str
    log: dict[str, int]

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        shutil.rmtree(ASIDE, ignore_errors=True)
        ASIDE.mkdir()
        self.original()

    def original(self) -> None:
        shutil.rmtree(DROP_INS, ignore_errors=True)
        DROP_INS.mkdir()
        world.write_policy({"version": 1, "rules": []}, DROP_INS / "50-none.json")
        world.write_policy(policy())

    def session(self: Any, *options: str) -> native.Session:
        session = native.Session(self.helper, user=NOBODY, options=options)
        self.addCleanup(session.__exit__)
        self.assertTrue(session.begun.ok, session.begun)
        return session

    def mounted(self: Any, *arguments: str) -> None:
        world.sh("mount", *arguments)
        self.addCleanup(world.sh, "umount", "-l", arguments[-1])

    def opens(self: Any, session: native.Session, device: str) -> None:
        answer = session.ask("open", f"device={device}")
        self.addCleanup(answer.close)
        self.assertTrue(answer.ok, answer)

    def refused(self: Any, session: native.Session, code: str, *words: str, ask: tuple[str, ...] = ("open", "device=vm9")) -> None:
        answer = session.ask(*ask)
        self.assertEqual((answer.json["status"], answer.json.get("code")), ("error", code), answer)
        for word in words:
            self.assertIn(word, answer.json["error"] + answer.json["advice"])
        self.assertNotIn("vm9", world.links())

    def refused_with_event(self: Any, session: native.Session) -> None:
        """An event may come before the answer."""
        both = [session.ask("open", "device=vm9").json, session.receive().json]
        self.assertEqual([message["code"] for message in both if "status" in message], ["policy_changed"])
        self.assertIn({"event": "policy_changed"}, both)

    def reloads(self: Any, session: native.Session) -> None:
        answer = session.ask("reload")
        self.assertEqual(answer.json, {"status": "ok", "id": session.begun.json["id"], "reloaded": True, "fds": 0, "notes": []})

    def test_what_only_looks_like_a_change_changes_nothing(self: Any) -> None:
        session = self.session()

        def copied_over() -> None:
            (ASIDE / "copy").write_bytes(world.POLICY.read_bytes())
            shutil.copyfile(ASIDE / "copy", world.POLICY)

        def renamed_over() -> None:
            shutil.copy(world.POLICY, ROOT / "policy.json.new")
            (ROOT / "policy.json.new").rename(world.POLICY)

        def new_directory() -> None:
            shutil.copytree(ROOT, "/etc/another")
            ROOT.rename("/etc/former")
            Path("/etc/another").rename(ROOT)
            shutil.rmtree("/etc/former")

        def there_and_back() -> None:
            world.write_policy(WIDER)
            world.write_policy(policy())

        looks: dict[str, Callable[[], Any]] = {
            "touched": world.POLICY.touch, "a drop-in touched": (DROP_INS / "50-none.json").touch, "copied over": copied_over,
            "renamed over": renamed_over, "a mode as fit": lambda: world.POLICY.chmod(0o444), "another directory": new_directory,
            "changed and changed back": there_and_back, "a note": (ROOT / "notes.json").touch,
            "an editor's file": (DROP_INS / ".50-none.json.swp").touch,
            "a bind mount of the same": lambda: self.mounted("--bind", str(world.POLICY), str(world.POLICY))}
        for number, (what, act) in enumerate(looks.items()):
            with self.subTest(what):
                act()
                self.opens(session, f"vm{number}")
        self.assertEqual(session.close(), 0)

    def changes(self: Any) -> dict[str, Callable[[], Any]]:
        """Each leaves a policy that grants vm*, and more* besides."""
        def other(place: Path) -> Path:
            place.mkdir(exist_ok=True)
            return world.write_policy(WIDER, place / "policy.json")

        def covered() -> None:
            self.mounted("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(ROOT))
            world.write_policy(WIDER)

        return {"edited in place": lambda: world.POLICY.write_text(world.POLICY.read_text().replace('"vm*"', '"vm*", "more*"')),
                "replaced": lambda: other(ASIDE).rename(world.POLICY),
                "one more drop-in": lambda: world.write_policy(MORE, DROP_INS / "60-more.json"),
                "one less, and another": lambda: (DROP_INS / "50-none.json").unlink() or world.write_policy(WIDER),
                "one with another name": lambda: (world.write_policy(MORE, DROP_INS / "50-none.json"),
                                                  (DROP_INS / "50-none.json").rename(DROP_INS / "51-more.json")),
                "no drop-ins": lambda: shutil.rmtree(DROP_INS) or world.write_policy(WIDER),
                "a mount over the file": lambda: self.mounted("--bind", str(other(ASIDE)), str(world.POLICY)),
                "a mount over the directory": covered}

    def test_a_change_is_seen_at_once_and_reload_goes_on_with_the_devices(self: Any) -> None:
        for what, act in self.changes().items():
            with self.subTest(what):
                self.original()
                session = self.session()
                self.opens(session, "vm0")
                act()
                self.refused(session, "policy_changed", "the policy changed", "reload")
                self.refused(session, "policy_changed", ask=("remove", "device=vm0"))
                self.reloads(session)
                self.opens(session, "more0")
                self.assertLessEqual({"vm0", "more0"}, set(world.links()))
                self.assertTrue(session.ask("remove", "device=vm0").ok)
                self.assertEqual(session.close(), 0)
                self.assertNotIn("more0", world.links())
                self.doCleanups()
                self.setUp()

    def test_what_the_new_policy_revokes_is_refused_after_the_reload(self: Any) -> None:
        session = self.session()
        self.opens(session, "vm0")
        for revoked, says in ((policy(devices=["other*"]), "other*"), ({"version": 1, "rules": []}, "no rule"), (None, "no policy")):
            world.write_policy(revoked) if revoked else (shutil.rmtree(DROP_INS), world.POLICY.unlink())
            self.refused(session, "policy_changed")
            self.reloads(session)
            self.refused(session, "denied", says)
            self.assertIn("vm0", world.links())
        self.assertTrue(session.ask("remove", "device=vm0").ok)
        self.original()
        self.refused(session, "policy_changed")
        self.reloads(session)
        self.opens(session, "vm1")

    def test_a_policy_that_is_wrong_is_not_taken(self: Any) -> None:
        spoiled: dict[str, Callable[[], Any]] = {
            "is writable by group": lambda: world.POLICY.chmod(0o664),
            "belongs to uid": lambda: os.chown(world.POLICY, NOBODY, 0),
            "cannot open": lambda: (world.POLICY.rename(ASIDE / "policy.json"), world.POLICY.symlink_to(ASIDE / "policy.json")),
            "is not a regular file": lambda: (world.POLICY.unlink(), os.mkfifo(world.POLICY)),
            "longer than": lambda: world.write_policy(policy(comment="x" * 65536)),
            "policy.json:": lambda: world.write_policy("{"),
            "cannot read the policy": lambda: ROOT.chmod(0o775)}
        for says, spoil in spoiled.items():
            with self.subTest(says):
                world.reset_log(**self.log)  # refusals of one user get few lines
                session = self.session()
                self.opens(session, "vm0")
                spoil()
                try:
                    self.refused(session, "policy_changed")
                    self.refused(session, "bad_policy", says, ask=("reload",))
                    self.assertEqual((self.last_line()["event"], self.last_line()["request"]["operation"]), ("alert", "reload"))
                    self.refused(session, "policy_changed")
                finally:
                    ROOT.chmod(0o755)
                    world.POLICY.unlink()
                    self.original()
                self.opens(session, "vm1")  # by the policy that the session has
                self.assertEqual(session.close(), 0)

    def test_a_reload_is_on_record(self: Any) -> None:
        session = self.session()
        world.write_policy(WIDER)
        self.reloads(session)
        line = self.last_line()
        self.assertEqual((line["event"], line["stage"], line["id"]), ("accept", "result", session.begun.json["id"]))
        self.assertEqual(line["request"], {"protocol": "native/5", "operation": "reload"})
        self.reloads(session)  # nothing new
        self.assertEqual(session.close(), 0)

    def test_what_is_asked_for_in_other_words(self: Any) -> None:
        session = self.session()
        self.refused(session, "usage", "takes no options", ask=("reload", "now"))
        self.refused(session, "usage", "first", ask=("session", "events"))
        self.assertEqual(native.call(self.helper, "reload", user=NOBODY).json["code"], "usage")
        answer = native.call(self.helper, "session", "bogus", user=NOBODY)
        self.assertIn("events", answer.json["error"] + answer.json["advice"])

    def test_an_event_comes_while_the_session_is_idle(self: Any) -> None:
        session, quiet = self.session("events"), self.session()
        self.opens(session, "vm0")
        self.assertTrue(session.is_silent_for(2.5))
        for version in (WIDER, policy()):
            world.write_policy(version)
            began = time.monotonic()
            self.assertEqual(session.receive().json, {"event": "policy_changed"})
            self.assertLess(time.monotonic() - began, SOON)
            self.assertTrue(session.is_silent_for(2.5), "one event for one change")
            self.reloads(session)
        self.assertTrue(quiet.is_silent_for(0))
        world.write_policy(WIDER)
        self.refused_with_event(session)
        self.assertTrue(quiet.is_silent_for(2.5))
        self.assertEqual((session.close(), quiet.close()), (0, 0))

    def test_where_the_kernel_says_nothing_of_a_change(self: Any) -> None:
        """No inotify event comes from what changes on the server of a file system, or in the lower layer of an overlay."""
        lower, lowest = ASIDE / "lower", ASIDE / "lowest"
        source = world.write_policy(policy(), ASIDE / "policy.json")
        with self.subTest("FUSE"), fuse.mounted_copy(ROOT, source):
            self.follows(source)
        for directory in (lower, lowest):
            directory.mkdir()
        source = world.write_policy(policy(), lower / "policy.json")
        with self.subTest("overlay"):
            self.mounted("-t", "overlay", "-o", f"lowerdir={lower}:{lowest}", "overlay", str(ROOT))
            self.follows(source)

    def follows(self: Any, source: Path) -> None:
        session = self.session("events")
        self.opens(session, "vm0")
        same_length = source.read_text().replace("vm*", "xy*")
        source.write_text(same_length)
        self.refused_with_event(session)
        self.reloads(session)
        self.opens(session, "xy0")
        source.write_text(source.read_text().replace("xy*", "vm*"))
        self.assertEqual(session.receive().json, {"event": "policy_changed"})
        self.reloads(session)
        self.opens(session, "vm1")
        self.assertEqual(session.close(), 0)

    def test_many_files(self: Any) -> None:
        for number in range(300):
            world.write_policy({"version": 1, "rules": [{**RULE, "name": f"r{number}", "devices": [f"r{number}x*"]}]},
                               DROP_INS / f"{number:03}.json")
        session = self.session()
        self.opens(session, "r299x0")
        world.write_policy(MORE, DROP_INS / "900.json")
        self.refused(session, "policy_changed")
        self.reloads(session)
        self.opens(session, "more0")
        self.assertEqual(session.close(), 0)


class SetUserId(Sessions, SetUserIdCase):
    pass


class FileCapability(Sessions, FileCapabilityCase):
    pass


if __name__ == "__main__":
    unittest.main()
