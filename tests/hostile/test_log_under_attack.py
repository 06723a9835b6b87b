"""The audit log as somebody put it who should not, and callers who want to fill it, split its lines, or hide in it."""

import json
import os
import stat
import subprocess
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from tests.support import caller, world
from tests.support.cli import installed
from tests.support.crowd import Crowd, close_all
from tests.support.ethertap import ADD, Session, record
from tests.support.hostile import (FREE, GATE, INSTALLATIONS, LOG_GROUP, MASK, MINE, NOBODY, NOT_OURS, OPERATIONS, SOMEBODY,
                                   HostileCase, as_user, call)

REFUSALS = 100_000
SESSIONS = 4
BATCH = 250  # records at once, which the sockets hold with their answers
FORGERIES = ('"}\n{"time":"1970-01-01T00:00:00.000000Z","event":"accept"}', "\\", '"', "\n", "\r\n", "\x1b[2K",
             "\u2028", b"\xc0\x80", b"\xff\xfe", "\\u0022", "</script>", "${jndi:ldap://x}", "%n%n%s", "\x7f", "a" * 5000)


class Place(HostileCase):
    def setUp(self) -> None:
        super().setUp()
        self.victim = Path("/var/log/victim")
        self.victim.write_text("hers")
        self.addCleanup(self.victim.unlink)

    def as_it_was(self) -> None:
        """A new log; its place is what these tests change, all else must stay."""
        world.sh("rm", "-rf", "/var/log/elsewhere", "/var/log/second-name")
        if world.LOG.parent.is_symlink():
            world.LOG.parent.unlink()
        world.LOG.parent.mkdir(exist_ok=True)
        for directory in (world.LOG.parent, world.LOG.parent.parent):
            directory.chmod(0o755)
            os.chown(directory, 0, 0)
        if world.LOG.is_dir():
            world.LOG.rmdir()
        world.reset_log(0o660, LOG_GROUP)

    def again(self) -> None:
        self.as_it_was()
        others = [line for line in self.baseline if not line.startswith("/var/log/umlnet")]
        self.baseline = [*others, *(line for line in self.settled() if line.startswith("/var/log/umlnet"))]

    def everybody_refused(self, words: str) -> None:
        for how, helper in self.helpers.items():
            for operation, what in OPERATIONS.items():
                for user in (NOBODY, None):
                    with self.subTest(how, operation=operation, user=user):
                        reply = call(helper, what.channel, what.words, user=user)
                        self.addCleanup(reply.close)
                        self.assert_refused(reply, 1 if operation == "bridge" else 78, "audit log", words)
                        self.assertFalse(self.happenings.any())
        self.assertEqual(self.victim.read_text(), "hers")

    def test_what_it_must_not_be(self) -> None:
        def replace(make: Callable[[], Any]) -> Callable[[], Any]:
            def act() -> None:
                world.LOG.unlink()
                make()
            return act

        def move_away() -> None:
            world.LOG.parent.rename("/var/log/elsewhere")
            world.LOG.parent.symlink_to("/var/log/elsewhere")

        node = {kind: replace(lambda kind=kind, number=number: os.mknod(world.LOG, 0o600 | kind, number))
                for kind, number in ((stat.S_IFCHR, os.makedev(1, 3)), (stat.S_IFBLK, os.makedev(7, 200)))}
        cases: dict[str, tuple[Callable[[], Any], str]] = {
            "a symlink": (replace(lambda: world.LOG.symlink_to(self.victim)), "is a symbolic link"),
            "a symlink to nowhere": (replace(lambda: world.LOG.symlink_to("/var/log/nowhere")), "is a symbolic link"),
            "behind a symlink": (move_away, "lies behind a symbolic link"),
            "a FIFO": (replace(lambda: os.mkfifo(world.LOG)), "is not a regular file"),
            "a directory": (replace(world.LOG.mkdir), "is not a regular file"),
            "/dev/null": (node[stat.S_IFCHR], "is not a regular file"), "a disk": (node[stat.S_IFBLK], "is not a regular file"),
            "a socket": (replace(lambda: os.mknod(world.LOG, 0o600 | stat.S_IFSOCK)), "is not a regular file"),
            "a hard link to another's file": (replace(lambda: os.link(self.victim, world.LOG)), "has 2 links"),
            "a file with another name": (lambda: os.link(world.LOG, "/var/log/second-name"), "has 2 links"),
            "somebody's": (lambda: os.chown(world.LOG, NOBODY, 0), "belongs to uid 65534"),
            "open to everybody": (lambda: world.LOG.chmod(0o666), "is writable by everybody"),
            "in somebody's directory": (lambda: os.chown(world.LOG.parent, NOBODY, 0), "belongs to uid 65534"),
            "below somebody's directory": (lambda: os.chown(world.LOG.parent.parent, NOBODY, 0), "belongs to uid 65534"),
            "in a directory of a group": (lambda: world.LOG.parent.chmod(0o775), "is writable by group or others"),
            "in a directory of everybody": (lambda: world.LOG.parent.chmod(0o1777), "is writable by group or others"),
            "below a directory of everybody": (lambda: world.LOG.parent.parent.chmod(0o1777), "is writable by group or others"),
            "below a directory of a user's group": (
                lambda: (os.chown(world.LOG.parent.parent, 0, NOBODY), world.LOG.parent.parent.chmod(0o775)),
                "is writable by group or others"),
        }
        for what, (spoil, words) in cases.items():
            with self.subTest(what):
                self.as_it_was()
                spoil()
                self.everybody_refused(words)
        self.again()
        self.assertFalse(Path("/var/log/nowhere").exists())

    def test_below_a_directory_of_the_system_logger(self) -> None:
        """Some distributions let the group of syslog write to /var/log."""
        os.chown(world.LOG.parent.parent, 0, 104)
        world.LOG.parent.parent.chmod(0o775)
        self.baseline = self.settled()
        for helper in self.helpers.values():
            self.assert_served("up", helper)
        self.again()

    def test_not_there(self) -> None:
        """It is waited for as long as a rotation takes, and never made anew: whoever took it away could do so again."""
        world.LOG.unlink()
        waiting = []
        for helper in self.helpers.values():
            waiting.append(subprocess.Popen([helper, "4", "add", MINE, FREE, MASK], stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, user=NOBODY, group=NOBODY, extra_groups=[]))
        for process in waiting:
            said, _ = process.communicate(timeout=caller.TIMEOUT)
            self.assertEqual((process.returncode, b"is not there" in said), (78, True), said)
        self.assertFalse(world.LOG.exists())
        self.again()

    def test_read_only_and_full_disks(self) -> None:
        def fill() -> None:
            with open(f"{world.LOG.parent}/filler", "wb", buffering=0) as filler:
                try:
                    while filler.write(bytes(4096)):
                        pass
                except OSError:
                    pass  # there is no more room

        def forbid() -> None:
            world.sh("mount", "-o", "remount,ro", str(world.LOG.parent))

        for spoil, words in ((forbid, "EROFS"), (fill, "Is the disk full?")):
            world.sh("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(world.LOG.parent))
            try:
                self.as_it_was()
                world.REFUSALS.write_bytes(bytes(4096))
                spoil()
                with self.subTest(spoil.__name__):
                    self.everybody_refused(words)
            finally:
                world.sh("umount", str(world.LOG.parent))


class CutLines(HostileCase):
    def test_a_caller_cannot_have_a_line_cut(self) -> None:
        """By a limit that it sets while its helper runs: the process that writes is not the caller's to limit."""
        for how, helper in self.helpers.items():
            with self.subTest(how), Session(helper, "uml1", GATE, user=NOBODY) as session:
                limited = subprocess.run(["/usr/bin/prlimit", f"--pid={session.recorder()}", f"--fsize={world.LOG.stat().st_size + 1}"],
                                         capture_output=True, **as_user(NOBODY))
                self.assertNotEqual(limited.returncode, 0)
                self.assertIn("routed to uml1", session.ask(ADD, FREE))
                for line in world.LOG.read_bytes().splitlines(keepends=True):
                    self.assertTrue(line.endswith(b"}\n"), line)

    def test_half_a_line_hides_no_other(self) -> None:
        """As a full disk leaves it, or a host that lost its power."""
        umlnet = str(installed()[0])
        for how, helper in self.helpers.items():
            for most in (1, 40, 300):
                with self.subTest(how, most=most):
                    self.empty_log()
                    call(helper, "pipe", ["4", "del", MINE, FREE, MASK])
                    whole = world.LOG.read_bytes().splitlines()[-1]
                    self.empty_log()
                    for device in (MINE, NOT_OURS):
                        with open(world.LOG, "ab") as log:
                            log.write(whole[:most])
                        os.truncate(world.REFUSALS, 0)  # or a line could come first that sums up the seconds before
                        call(helper, "pipe", ["4", "del", device, FREE, MASK])
                    lines = world.LOG.read_bytes().splitlines()
                    self.assertEqual([len(lines[0]), len(lines[2])], [most, most])
                    self.assertEqual([json.loads(line)["request"]["device"] for line in lines[1::2]], [MINE, NOT_OURS])
                    shown = subprocess.run([umlnet, "log", "--json"], capture_output=True, check=True)
                    self.assertEqual(shown.stdout, lines[1] + b"\n" + lines[3] + b"\n")
                    self.assertIn(b"2 lines were cut", shown.stderr)
        self.empty_log()


class Lines(HostileCase):
    def test_words_that_would_like_to_be_lines(self) -> None:
        for how, helper in self.helpers.items():
            for word in FORGERIES:
                for words in (["4", "add", word, word, word], [word], ["4", "tuntap", "up", word], [f"--br={word!r}", word]):
                    with self.subTest(how, word=word[:20]):
                        self.assert_refused_whole(call(helper, "pipe", words))
            for raw in world.LOG.read_bytes().splitlines(keepends=True):
                self.assertTrue(raw.endswith(b"}\n") and len(raw) <= 4096 and raw[:-1].isascii(), raw)
                self.assertTrue(raw[:-1].decode().isprintable(), raw)
                line = json.loads(raw)
                self.assertNotEqual(line["time"][:4], "1970")
            self.empty_log()

    def test_two_hundred_callers_at_once(self) -> None:
        """Half of them with lines as long as can be."""
        self.empty_log()
        for how, helper in self.helpers.items():
            crowd = Crowd(helper)
            users = range(20000, 20100)
            rubbish = ["{\"" + "x" * 96 + "\"}"] * 32
            for user in users:
                if user % 2:
                    crowd.add("4", "add", *rubbish, user=user)
                else:
                    crowd.add("4", "tuntap", "up", GATE, user=user, datagram=True)
            replies = crowd.go()
            self.addCleanup(close_all, replies)
            self.assertEqual(Counter(reply.exit for reply in replies), {64: 50, 77: 50})
        lines = world.audit_lines()
        self.assertEqual(Counter(line["caller"]["uid"] for line in lines), {user: 2 for user in users})
        self.assertEqual(len({line["id"] for line in lines}), 200)
        self.assertGreater(max(len(raw) for raw in world.LOG.read_bytes().splitlines()), 3000)
        self.assert_host_unchanged()

    def test_a_hundred_thousand_refusals(self) -> None:
        """They cost a line for each of the first in a while, and one that counts. Nobody else's line is missing."""
        self.empty_log()

        def flood(how: str, number: int) -> None:
            with Session(self.helpers[how], f"uml{number}", user=NOBODY) as session:
                for _ in range(REFUSALS // SESSIONS // BATCH):
                    session.control.sendall(record(7, FREE) * BATCH)
                    for _ in range(BATCH):
                        session.take_text()
                session.close()

        with ThreadPoolExecutor(SESSIONS) as pool:
            floods = [pool.submit(flood, INSTALLATIONS[number % 2], number) for number in range(SESSIONS)]
            grants = 0
            while not all(one.done() for one in floods):
                with caller.tuntap_up(self.helper, GATE, user=SOMEBODY) as reply:
                    self.assertEqual(reply.exit, 0, reply)
                grants += 1
            for one in floods:
                one.result()
        lines = world.audit_lines()
        mine = [line for line in lines if line["caller"]["uid"] == NOBODY and line["event"] in ("reject", "exit")]
        single = sum(line["event"] == "reject" and "suppressed" not in line for line in mine)
        self.assertEqual(single + sum(line.get("suppressed", 0) for line in mine), REFUSALS)
        self.assertLess(len(mine), REFUSALS // 100)
        others = Counter(line["stage"] for line in lines if line["caller"]["uid"] == SOMEBODY and line["event"] == "accept")
        self.assertEqual(others, {"intent": grants, "result": grants})
        self.assert_host_unchanged()


if __name__ == "__main__":
    unittest.main()
