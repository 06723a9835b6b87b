"""The audit log as a file among others: floods of refusals, disks without room, links in its place, and journald."""

import json
import os
import socket
import subprocess
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support import caller, native, world
from tests.support.process import workers_of
from tests.support.case import HELPER, HostCase
from tests.support.crowd import Crowd
from tests.support.ethertap import ADD, DELETE, Session

NOBODY, SOMEBODY = 65534, 65533
MASK = "255.255.255.0"
SYS_POLL, SYS_CLONE = 7, 56  # x86_64
CLONE_PARENT = 0x8000
LINES = 20  # of one uid in one window of time
WINDOW = 10  # seconds
CHANGES, CHANGES_PER_SECOND = 1000, 20
JOURNAL = Path("/run/systemd/journal/socket")
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"], "devices": ["tap*"]}]}


def most_lines_since(began: float) -> int:
    """A window that had begun before, one that goes on, and those in between."""
    return (int((time.monotonic() - began) // WINDOW) + 2) * LINES


def let_time_pass(windows: int = 1) -> None:
    """The counters look as they will when that many windows are over: their byte 3 is the number of the window."""
    words = bytearray(world.REFUSALS.read_bytes())
    for at in range(0, len(words) // 2, 8):
        if words[at:at + 8] != bytes(8):
            words[at + 3] = (words[at + 3] - windows) % 256
    with world.REFUSALS.open("r+b") as file:
        file.write(words)


def stop_time() -> None:
    """The counters look as in the window after this one, which the helper takes for the current one: the clock does not end
    it for ten seconds."""
    words = bytearray(world.REFUSALS.read_bytes())
    for at in range(0, len(words) // 2, 8):
        if words[at:at + 8] != bytes(8):
            words[at + 3] = (int(time.time() // WINDOW) + 1) % 256
    with world.REFUSALS.open("r+b") as file:
        file.write(words)


class AuditCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(POLICY)

    def ask_in_vain(self, user: int = SOMEBODY, **more: Any) -> caller.Reply:
        return caller.framed(self.helper, "4", "add", "tap0", "10.99.0.1", MASK, user=user, **more)

    def lines_of(self, user: int) -> list[dict[str, Any]]:
        return [line for line in world.audit_lines() if line["caller"]["uid"] == user]


class Floods(AuditCase):
    def flood(self, calls: int) -> None:
        """Ten at a time: of more, one could wait for the others until it is told that its user is busy."""
        for _ in range(calls // 10):
            crowd = Crowd(self.helper)
            for _ in range(10):
                crowd.add("4", "add", "tap0", "10.99.0.1", MASK, user=SOMEBODY)
            self.assertEqual(Counter(reply.exit for reply in crowd.go()), {77: 10})

    def count(self, user: int = SOMEBODY) -> tuple[int, int]:
        """Lines of single refusals, and how many others are counted in summaries."""
        lines = self.lines_of(user)
        return sum("suppressed" not in line for line in lines), sum(line.get("suppressed", 0) for line in lines)

    def test_a_flood_of_refusals_ends_in_one_line_that_counts_the_rest(self) -> None:
        began = time.monotonic()
        self.flood(100)
        single, summed = self.count()
        self.assertTrue(LINES <= single <= most_lines_since(began), single)
        # Nobody else's lines are hidden, and no grant's.
        self.ask_in_vain(NOBODY)
        with caller.tuntap_up(self.helper, user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0)
        self.assertEqual([line["event"] for line in self.lines_of(NOBODY)], ["reject", "accept", "accept"])
        let_time_pass()
        self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
        single, summed = self.count()
        self.assertEqual(single + summed, 100)
        (summary,) = [line for line in self.lines_of(SOMEBODY) if "suppressed" in line][-1:]
        self.assertEqual((summary["event"], summary["caller"]), ("reject", {"uid": SOMEBODY}))
        self.assertIn("more requests of uid 65533 changed nothing", summary["decision"]["reason"])
        # And begins anew.
        self.ask_in_vain()
        self.assertEqual(self.count(), (single + 1, summed))

    def test_a_summary_that_the_log_does_not_take_is_not_lost(self) -> None:
        self.flood(50)
        single, _ = self.count()
        let_time_pass()
        world.sh("mount", "-o", "bind", str(world.LOG.parent), str(world.LOG.parent))
        try:
            world.sh("mount", "-o", "remount,bind,ro", str(world.LOG.parent))
            self.assertEqual(self.ask_in_vain().exit, 78)
        finally:
            world.sh("umount", str(world.LOG.parent))
        self.ask_in_vain()
        _, summed = self.count()
        self.assertEqual(single + summed, 50)

    def test_a_guest_in_a_session_is_counted_like_everybody(self) -> None:
        began = time.monotonic()
        with Session(self.helper, "tap7", user=NOBODY) as session:
            for _ in range(250):
                self.assertIn("operation 7 is not known", session.ask(7, "10.99.0.1"))
            session.close()
        lines = self.lines_of(NOBODY)
        self.assertEqual(lines[-1]["event"], "exit")
        single = sum(line["event"] == "reject" and "suppressed" not in line for line in lines)
        self.assertTrue(LINES <= single <= most_lines_since(began), single)
        self.assertEqual(single + sum(line.get("suppressed", 0) for line in lines), 250)

    def test_what_changes_nothing_leaves_one_line_and_is_counted_too(self) -> None:
        with caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY) as tap:
            for _ in range(2):
                added = caller.framed(self.helper, "4", "add", tap.name, "10.99.0.1", MASK, user=NOBODY)
                self.assertEqual(added.exit, 0)
            self.assertEqual(self.events(), [("accept", "intent"), ("accept", "result")] * 2 + [("accept", "result")])
            self.assertNotIn("changes", self.last_line()["result"])
            gone = caller.framed(self.helper, "4", "del", tap.name, "10.99.0.2", MASK, user=NOBODY)
            self.assert_refused(gone, 69, "nothing to take back")
            self.assertEqual(self.events()[-1], ("reject", "result"))
            before, began = len(world.audit_lines()), time.monotonic()
            for _ in range(3 * LINES):
                again = caller.framed(self.helper, "4", "add", tap.name, "10.99.0.1", MASK, user=NOBODY)
                self.assertEqual((again.exit, again.text), (0, "10.99.0.1 routed to tap0 already\n"))
            single = sum("suppressed" not in line for line in world.audit_lines()[before:])
            self.assertLessEqual(single, most_lines_since(began))
            before = len(world.audit_lines())
            changed = caller.framed(self.helper, "4", "del", tap.name, "10.99.0.1", MASK, user=NOBODY)
            self.assertEqual((changed.exit, len(world.audit_lines())), (0, before + 2))

    def test_without_a_fit_file_to_count_in_every_refusal_has_its_line(self) -> None:
        victim = Path("/var/log/victim")
        victim.write_text("hers")

        def missing() -> None:
            world.REFUSALS.unlink()

        def symlink() -> None:
            world.REFUSALS.unlink()
            world.REFUSALS.symlink_to(victim)

        def hard_link() -> None:
            world.REFUSALS.unlink()
            os.link(victim, world.REFUSALS)

        def fifo() -> None:
            world.REFUSALS.unlink()
            os.mkfifo(world.REFUSALS)

        def not_roots() -> None:
            os.chown(world.REFUSALS, SOMEBODY, 0)

        for spoil in (missing, symlink, hard_link, fifo, not_roots):
            with self.subTest(spoil.__name__):
                world.reset_log()
                spoil()
                for _ in range(LINES + 2):
                    self.assertEqual(self.ask_in_vain().exit, 77)
                self.assertEqual(self.count(), (LINES + 2, 0))
                with caller.tuntap_up(self.helper, user=NOBODY) as reply:
                    self.assertEqual(reply.exit, 0)
        self.assertEqual(victim.read_text(), "hers")

    def test_rubbish_to_count_in_grants_and_refuses_nothing(self) -> None:
        world.REFUSALS.write_bytes(os.urandom(8192))
        with caller.tuntap_up(self.helper, user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0)
        self.assertEqual(self.ask_in_vain().exit, 77)

    def test_limits_of_the_callers_own_do_not_get_it_out_of_being_counted(self) -> None:
        # On a slow machine a window may end within the flood, or within the calls below.
        self.flood(2 * LINES)
        for _ in range(2 * LINES):
            before = world.LOG.read_bytes()
            stop_time()
            self.ask_in_vain()
            if world.LOG.read_bytes() == before:
                break
        limits = [f"--nofile={number}" for number in range(3, 10)]
        limits += [f"--as={size}" for size in range(4_000_000, 8_000_000, 100_000)]
        for limit in limits:
            stop_time()
            done = caller.run("/usr/bin/prlimit", limit, str(self.helper), "4", "add", "tap0", "10.99.0.1", MASK,
                              user=SOMEBODY)
            self.assertNotEqual(done.returncode, 0)
        self.assertEqual(world.LOG.read_bytes(), before)


class Changes(AuditCase):
    """Those that are granted have a rate, too, because each leaves two lines."""

    def flood(self, session: Session, most: int) -> tuple[int, str]:
        """Adds and deletes an address again and again. How many were granted, and what the first refusal says."""
        for number in range(most):
            said = session.ask(DELETE if number % 2 else ADD, "10.99.0.1")
            if said.startswith("uml_net: "):
                return number, said
        return most, ""

    def test_a_flood_of_granted_changes_is_refused_for_a_while(self) -> None:
        world.write_policy({"version": 1, "rules": [{**POLICY["rules"][0], "users": [NOBODY, SOMEBODY]}]})
        began = time.time()
        with Session(self.helper, "tap7", user=NOBODY) as session:
            granted, said = self.flood(session, 10 * CHANGES)
            most = CHANGES + CHANGES_PER_SECOND * (time.time() - began + 1)
            self.assertTrue(CHANGES - 1 <= granted <= most, granted)
            next_change = DELETE if granted % 2 else ADD
            self.assertIn("uid 65534 makes too many changes", said)
            self.assertIn("Try again in a second", said)
            with caller.tuntap_up(self.helper, user=SOMEBODY) as reply:
                self.assertEqual(reply.exit, 0, reply)
            refused = caller.tuntap_up(self.helper, user=NOBODY)
            self.addCleanup(refused.close)
            if refused.exit:  # a while has passed
                self.assert_refused(refused, 75, "too many changes", "Try again in a second")
                granted -= 1
            time.sleep(1)
            self.assertNotIn("uml_net: ", session.ask(next_change, "10.99.0.1"))
            session.close()
        lines = self.lines_of(NOBODY)
        done = [line for line in lines if line["event"] == "accept" and line["stage"] == "result"]
        self.assertGreaterEqual(len(done), granted)
        self.assertEqual(sum(line["stage"] == "intent" for line in lines), len(done))
        self.assertIn("too many changes", [line for line in lines if line["event"] == "reject"][0]["decision"]["reason"])

    def test_root_has_no_rate(self) -> None:
        with Session(self.helper, "tap7") as session:
            self.assertEqual(self.flood(session, CHANGES + 200), (CHANGES + 200, ""))
            session.close()

    def test_sessions_that_change_nothing_are_counted(self) -> None:
        world.write_policy({"version": 1, "rules": [{"name": "s", "users": [NOBODY], "operations": ["open"]}]})
        began = time.monotonic()
        for _ in range(2 * LINES):
            with native.Session(self.helper, user=NOBODY) as session:
                self.assertTrue(session.begun.ok)
        lines = self.lines_of(NOBODY)
        self.assertLessEqual(sum(line["event"] != "reject" for line in lines), most_lines_since(began))
        let_time_pass()
        self.ask_in_vain()
        lines = self.lines_of(NOBODY)
        single = sum(line["event"] != "reject" for line in lines)
        self.assertEqual(single + sum(line.get("suppressed", 0) for line in lines), 4 * LINES)


class Disks(AuditCase):
    def test_no_room_for_a_whole_line(self) -> None:
        """A real small disk. What of a line got onto it is all that is lost."""
        world.sh("mount", "-t", "tmpfs", "-o", "size=8k,mode=0755", "tmpfs", str(world.LOG.parent))
        self.addCleanup(world.sh, "umount", str(world.LOG.parent))
        before = world.snapshot()
        for room in (0, 1, 2, 3, 100, 200):
            with self.subTest(room=room):
                world.reset_log()
                world.REFUSALS.unlink()
                filler = '{"filler":true}\n' * ((8192 - room) // 16 - 1)
                filler += '{"filler":true}'.ljust(8192 - room - len(filler) - 1) + "\n"
                world.LOG.write_text(filler)
                self.assert_refused(caller.tuntap_up(self.helper, user=NOBODY), 78, "audit log", "Is the disk full?")
                cut = world.LOG.read_text().removeprefix(filler)
                self.assertEqual(len(cut), room)
                self.assertTrue(cut.startswith('{"time":"'[:room]), cut)
                # With room again, the next line stands whole in a line of its own.
                world.sh("mount", "-o", "remount,size=64k", str(world.LOG.parent))
                with caller.tuntap_up(self.helper, user=NOBODY) as reply:
                    self.assertEqual(reply.exit, 0, reply)
                after = world.LOG.read_text().removeprefix(filler + cut + ("\n" if cut else "")).splitlines()
                self.assertEqual([json.loads(line)["stage"] for line in after], ["intent", "result"])
                world.LOG.write_text("")
                world.sh("mount", "-o", "remount,size=8k", str(world.LOG.parent))
        world.LOG.write_text("")
        self.assertEqual(world.snapshot(), before)

    def test_a_read_only_file_system(self) -> None:
        world.sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(world.LOG.parent))
        self.addCleanup(world.sh, "umount", str(world.LOG.parent))
        world.reset_log()
        world.sh("mount", "-o", "remount,ro", str(world.LOG.parent))
        before = world.snapshot()
        self.assert_refused(caller.tuntap_up(self.helper, user=NOBODY), 78, "cannot open the audit log", "EROFS",
                            "Nothing is granted without a record")
        self.assertEqual(world.snapshot(), before)

    def test_a_log_that_was_just_renamed_is_waited_for(self) -> None:
        world.LOG.rename(f"{world.LOG}.1")
        helper = subprocess.Popen([self.helper, "gc"], stdout=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
        with helper:
            sleeping = f"{SYS_POLL} 0x0 0x0 "  # poll() on nothing
            while not any(Path(f"/proc/{pid}/syscall").read_text().startswith(sleeping) for pid in workers_of(helper.pid)):
                self.assertIsNone(helper.poll())
            world.touch_log(world.LOG)
            self.assertEqual(helper.wait(timeout=caller.TIMEOUT), 0)
        self.assertEqual(self.events(), [("accept", "result")])

    def test_a_caller_cannot_cut_lines_by_a_limit_on_file_sizes(self) -> None:
        self.ask_in_vain()
        before = world.LOG.read_bytes()
        for limit in (0, len(before) + 100, 1 << 30):
            done = caller.run("/usr/bin/prlimit", f"--fsize={limit}", str(self.helper), "gc", user=NOBODY)
            self.assertEqual(done.returncode, 78, done)
            self.assertIn(b"ulimit -f", done.stderr)
        self.assertEqual(world.LOG.read_bytes(), before)
        # They are counted all the same, and so are refusals.
        for _ in range(LINES + 2):
            done = caller.run("/usr/bin/prlimit", "--fsize=100", str(self.helper), "4", "add", "tap0", "10.99.0.1", MASK,
                              user=NOBODY)
            self.assertEqual(done.returncode, 66, done)
        self.assertEqual(world.LOG.read_bytes(), before)
        let_time_pass()
        self.ask_in_vain()
        self.assertEqual(sum(line.get("suppressed", 0) for line in self.lines_of(NOBODY)), 3 + LINES + 2)
        # A soft limit alone is no matter.
        self.assertEqual(caller.run("/usr/bin/prlimit", "--fsize=0:", str(self.helper), "gc", user=NOBODY).returncode, 0)


class Callers(AuditCase):
    def test_who_logged_in_stays_on_record_whoever_he_is_now(self) -> None:
        script = f"echo 1234 >/proc/self/loginuid; exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {self.helper} gc"
        self.assertEqual(caller.run("/bin/sh", "-c", script).returncode, 0)
        who = self.last_line()["caller"]
        self.assertEqual((who["uid"], who["loginuid"]), (NOBODY, 1234))
        # Each login is a session of its own, and this process is of none that began now.
        self.assertNotEqual(str(who["sessionid"]), Path("/proc/self/sessionid").read_text())

    def test_a_caller_can_choose_the_parent_of_the_helper_and_not_the_helper(self) -> None:
        """A child of this process makes the helper the child of this one."""
        script = ("import ctypes, os, signal, sys; clone = ctypes.CDLL(None).syscall\n"
                  f"if clone({SYS_CLONE}, {CLONE_PARENT} | signal.SIGCHLD, 0, 0, 0, 0) == 0: os.execv(sys.argv[1], sys.argv[1:])\n")
        forger = subprocess.Popen(["/usr/bin/python3", "-c", script, str(self.helper), "gc"], user=NOBODY, group=NOBODY,
                                  extra_groups=[], stdout=subprocess.DEVNULL)
        ended = {os.waitpid(-1, 0)[0] for _ in range(2)}
        forger.returncode = 0  # it is waited for
        who = self.last_line()["caller"]
        self.assertEqual(who["pid"], os.getpid())
        self.assertEqual(ended, {forger.pid, who["helper_pid"]})


class Journald(AuditCase):
    def setUp(self) -> None:
        super().setUp()
        world.write_policy({**POLICY, "audit": {"journald": True}})
        world.mount_tmpfs(Path("/run/systemd"))
        self.addCleanup(world.sh, "umount", "/run/systemd")
        JOURNAL.parent.mkdir()

    def stand_in(self) -> socket.socket:
        """A datagram socket in journald's place."""
        sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sink.close)
        sink.bind(str(JOURNAL))
        JOURNAL.chmod(0o666)
        sink.settimeout(5)
        return sink

    def use(self) -> None:
        with caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0, reply)
            added = caller.framed(self.helper, "4", "add", reply.name, "10.99.0.1", MASK, user=NOBODY)
            self.assertEqual(added.exit, 0)
        self.assertEqual(self.ask_in_vain().exit, 77)

    def test_each_line_goes_to_a_socket_in_journalds_place(self) -> None:
        sink = self.stand_in()
        self.use()
        with Session(self.helper, "tap7", user=NOBODY) as session:
            session.ask(ADD, "10.99.0.2")
            session.close()
        lines = world.LOG.read_text().splitlines()
        entries = [dict(field.split("=", 1) for field in sink.recv(65536).decode("ascii").splitlines()) for _ in lines]
        self.assertEqual([entry["UMLNET_JSON"] for entry in entries], lines)
        for entry, line in zip(entries, map(json.loads, lines)):
            self.assertEqual((entry["UMLNET_ID"], entry["UMLNET_EVENT"], entry["UMLNET_STAGE"]),
                             (line["id"], line["event"], line["stage"]))
            self.assertEqual(entry["UMLNET_UID"], str(line["caller"]["uid"]))
            self.assertEqual(entry["UMLNET_OPERATION"], line["request"]["operation"])
            self.assertEqual(entry["SYSLOG_IDENTIFIER"], "uml_net")
            self.assertEqual(entry["PRIORITY"], {"accept": "6", "exit": "6", "reject": "5", "alert": "1"}[line["event"]])
        added = entries[3]
        self.assertEqual((added["UMLNET_DEVICE"], added["UMLNET_ADDRESS"], added["UMLNET_RULE"]),
                         ("tap0", "10.99.0.1", "guests"))
        self.assertEqual(added["MESSAGE"],
                         "accept: uid 65534 (nobody) add: 10.99.0.1 routed to tap0, proxy ARP on for tap0")

    def test_a_real_journald_has_what_the_log_has(self) -> None:
        world.mount_tmpfs(Path("/run/log"))
        self.addCleanup(world.sh, "umount", "/run/log")
        if not Path("/sys/fs/cgroup/cgroup.controllers").exists() and not Path("/sys/fs/cgroup/systemd").exists():
            # Newer ones do not start without control groups, which a container may not have.
            world.sh("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
            self.addCleanup(world.sh, "umount", "/sys/fs/cgroup")
        said = self.enterContext(tempfile.TemporaryFile("w+"))
        journald = subprocess.Popen(["/lib/systemd/systemd-journald"], stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 30
            while not JOURNAL.exists():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            self.use()
            lines = world.LOG.read_text().splitlines()
            while len(entries := self.entries()) < len(lines):
                if journald.poll() is not None:
                    said.seek(0)
                    self.fail(f"systemd-journald ended with status {journald.returncode}: {said.read()}")
                self.assertLess(time.monotonic(), deadline, entries)
                time.sleep(0.05)
        finally:
            journald.terminate()
            journald.wait()
        self.assertEqual([entry["UMLNET_JSON"] for entry in entries], lines)
        # From the kernel, and not from the sender: a caller's own entries do not have it.
        self.assertEqual({int(entry["_UID"]) for entry in entries}, {0})
        self.assertEqual([int(entry["UMLNET_UID"]) for entry in entries], [json.loads(line)["caller"]["uid"] for line in lines])

    @staticmethod
    def entries() -> list[dict[str, Any]]:
        out = world.sh("journalctl", "-D", "/run/log/journal", "-o", "json", "--no-pager", "SYSLOG_IDENTIFIER=uml_net",
                       check=False)
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def test_a_journal_that_is_not_there_or_does_not_read_refuses_nothing_and_is_noted(self) -> None:
        def full() -> None:
            sink = self.stand_in()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
                filler.setblocking(False)
                filler.connect(str(JOURNAL))
                try:
                    while True:
                        filler.send(b"x")
                except BlockingIOError:
                    pass
            self.addCleanup(sink.close)

        def not_roots() -> None:
            self.stand_in()
            os.chown(JOURNAL, SOMEBODY, 0)

        def for_everybody() -> None:
            self.stand_in()
            JOURNAL.parent.chmod(0o777)

        for spoil, words in ((lambda: None, "there is no /run/systemd/journal/socket"), (full, "EAGAIN"),
                             (not_roots, "belongs to uid 65533"), (for_everybody, "/run/systemd/journal is writable")):
            with self.subTest(words):
                JOURNAL.unlink(missing_ok=True)
                JOURNAL.parent.chmod(0o755)
                world.reset_log()
                spoil()
                with caller.tuntap_up(self.helper, user=NOBODY) as reply:
                    self.assertEqual(reply.exit, 0, reply)
                lines = world.audit_lines()
                self.assertEqual(Counter(line["event"] for line in lines), {"accept": 2, "alert": 1})
                (alert,) = [line for line in lines if line["event"] == "alert"]
                self.assertIn("systemd-journald does not take the lines", alert["decision"]["reason"])
                self.assertIn(words, alert["decision"]["reason"])

    def test_the_notes_about_a_journal_that_is_not_there_have_a_rate(self) -> None:
        began = time.monotonic()
        for _ in range(3 * LINES):
            self.ask_in_vain()
        with caller.tuntap_up(self.helper, user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0)
        lines = self.lines_of(SOMEBODY)
        self.assertLessEqual(sum("suppressed" not in line for line in lines), most_lines_since(began))
        let_time_pass()
        self.ask_in_vain(NOBODY)
        lines = self.lines_of(SOMEBODY)
        refused = sum(line["event"] == "reject" and "suppressed" not in line for line in lines)
        self.assertEqual(refused + sum(line.get("suppressed", 0) for line in lines), 3 * LINES)

    def test_nothing_goes_there_unless_policy_asks_for_it(self) -> None:
        sink = self.stand_in()
        world.write_policy(POLICY)
        self.use()
        sink.setblocking(False)
        with self.assertRaises(BlockingIOError):
            sink.recv(65536)


if __name__ == "__main__":
    unittest.main()
