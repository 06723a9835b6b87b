"""`umlnet log`: the audit log that uml_net wrote, for people and programs."""

import json
import os
import pty
import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import NOBODY, Running, installed
from tests.support.ethertap import Session
from tests.support.guest import soon

SOMEBODY = 65533
MASK = "255.255.255.0"
POLICY = {"version": 1, "rules": [{"name": "nobodys-guests", "users": [NOBODY], "operations": ["tuntap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"]}]}


def line(number: int, compact: bool = False, **more: Any) -> str:
    """A made-up line; the helper's own are used wherever one of them will do, and have no spaces."""
    return json.dumps({"time": f"2026-11-24T04:45:{number % 60:02}.000000Z", "event": "reject", "stage": "result",
                       "id": f"{number:08x}-0000-4000-8000-000000000000", "caller": {"uid": 1000, "gid": 1, "pid": 1},
                       "request": {"protocol": "uml/4", "operation": "tuntap"}, "decision": {"reason": f"because {number}"},
                       **more}, separators=(",", ":") if compact else None)


class LogCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.umlnet = str(installed()[0])
        self.environment = {**os.environ, "TZ": "UTC0"}

    def log(self, *words: str, status: int = 0, **more: Any) -> str:
        done = subprocess.run([self.umlnet, "log", *words], capture_output=True, text=True, timeout=30,
                              **{"env": self.environment, "stdin": subprocess.DEVNULL, **more})
        self.assertEqual(done.returncode, status, done)
        self.said = done.stderr
        return done.stdout

    def rows(self, *words: str, **more: Any) -> list[list[str]]:
        """Without heading: time, id, user, outcome, what."""
        lines = [each for each in self.log(*words, **more).splitlines() if re.match(r"\d\d:\d\d:\d\d  ", each)]
        return [re.split(r"  +", each, maxsplit=4) for each in lines]


class OfTheHelper(LogCase):
    """What users and root asked for, one after the other."""

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)
        helper = world.helper_copy(HELPER, "setuid")
        tap = caller.tuntap_up(helper, "10.99.0.254", user=NOBODY)
        self.addCleanup(tap.close)
        self.assertEqual(caller.framed(helper, "4", "add", "tap0", "10.99.0.1", MASK, user=NOBODY).exit, 0)
        self.assertEqual(caller.tuntap_up(helper, "192.168.1.1", user=NOBODY).exit, 77)
        self.assertEqual(caller.framed(helper, "4", "add", "tap0", "10.99.0.7\x1b[31m", MASK, user=SOMEBODY).exit, 65)
        with caller.tuntap_up(helper, "10.98.0.254") as roots:
            self.assertEqual(roots.exit, 0)

    def test_a_table_for_people(self) -> None:
        shown = self.log()
        self.assertRegex(shown.splitlines()[0], r"^\d{4}-\d\d-\d\d, local time \(UTC\)$")
        self.assertRegex(shown.splitlines()[1], r"^TIME +ID +USER +OUTCOME +WHAT$")
        self.assertEqual([row[2:] for row in self.rows()], [
            ["nobody", "accepted", "tuntap tap0, gateway 10.99.0.254 (rule nobodys-guests)"],
            ["nobody", "accepted", "add 10.99.0.1/24 to tap0 (rule nobodys-guests)"],
            ["nobody", "refused", "tuntap, gateway 192.168.1.1: rule nobodys-guests allows this but for gateway "
                                  "192.168.1.1: not in 10.99.0.0/16"],
            ["65533", "refused", 'add: the guest\'s address "10.99.0.7\\x1b[31m" is not an IPv4 address'],
            ["root", "accepted", "tuntap tap1, gateway 10.98.0.254"],
        ])
        self.assertEqual(self.said, "")
        self.assertEqual([row[1] for row in self.rows()],
                         [each["id"][:8] for each in world.audit_lines() if each["stage"] == "result"])

    def test_which_lines(self) -> None:
        for words, count in ((("--user", "nobody"), 3), (("--user", str(NOBODY)), 3), (("-u", "65533", "-u", "root"), 2),
                             (("--user", "alice"), 0), (("--device", "tap0"), 2), (("-d", "tap0", "-d", "tap1"), 3),
                             (("--denied",), 2), (("--denied", "--user", "nobody"), 1), (("--since", "10m"), 5),
                             (("--since", "today"), 5), (("--since", "2026-01-01"), 5), (("--since", "0s"), 0)):
            with self.subTest(words):
                self.assertEqual(len(self.rows(*words)), count)
                self.assertEqual(self.said, "" if count else "umlnet log: no line of the log fits\n")

    def test_json_is_the_log_itself(self) -> None:
        self.assertEqual(self.log("--json"), world.LOG.read_text())
        denied = self.log("--json", "--denied").splitlines()
        self.assertEqual(denied, [each for each in world.LOG.read_text().splitlines() if '"reject"' in each])

    def test_the_story_of_an_id(self) -> None:
        whole = world.audit_lines()[0]["id"]
        told = self.log("--id", whole)
        self.assertEqual(told, self.log("--id", whole[:8].upper()))
        who = world.audit_lines()[0]["caller"]
        session = f"login session {who['sessionid']}, " if "sessionid" in who else ""
        for words in (f"{whole}\nby nobody, uid {NOBODY}, gid {NOBODY}, {session}helper {who['helper_pid']}, "
                      f"its parent {os.getpid()}, protocol uml/4\n",
                      "tuntap, gateway 10.99.0.254: granted\n", "rule nobodys-guests allows tuntap\n",
                      "tuntap tap0, gateway 10.99.0.254: done after", " tap0 made for uid 65534\n",
                      " 10.99.0.254/32 on tap0\n", " tap0 up\n"):
            self.assertIn(words, told)
        told = self.log("--id", world.audit_lines()[-3]["id"])
        self.assertIn('the caller\'s words: "4" "add" "tap0" "10.99.0.7\\x1b[31m" "255.255.255.0"\n', told)
        self.log("--id", "0123456789abcdef", status=66)
        self.assertIn("no line of id 0123456789abcdef", self.said)

    def test_statistics(self) -> None:
        rows = [re.split(r"  +", row) for row in self.log("--stats").splitlines()]
        self.assertEqual(rows[0], ["USER", "REQUEST", "COUNT", "OK", "REFUSED", "FAILED", "ALERT", "SUPPR", "P50", "P95", "MAX"])
        self.assertEqual([row[:5] for row in rows[1:]], [
            ["root", "tuntap", "1", "1", "0"], ["65533", "add", "1", "0", "1"], ["nobody", "add", "1", "1", "0"],
            ["nobody", "tuntap", "2", "1", "1"], ["(all)", "5", "3", "2", "0"]])
        summed = json.loads(self.log("--stats", "--json"))
        durations = sorted(each["result"]["duration_us"] for each in world.audit_lines() if each["stage"] == "result")
        self.assertEqual({key: summed["all"][key] for key in ("requests", "accepted", "refused", "failed", "suppressed")},
                         {"requests": 5, "accepted": 3, "refused": 2, "failed": 0, "suppressed": 0})
        self.assertAlmostEqual(summed["all"]["latency_us"]["p50"], durations[2], delta=durations[2] * 0.02)
        self.assertEqual(summed["all"]["latency_us"]["max"], durations[-1])
        self.assertEqual(summed["rows"][2]["user"], "nobody")
        self.assertEqual(summed["first"], world.audit_lines()[0]["time"])

    def test_who_may_not_read_it_is_told_what_to_do(self) -> None:
        directory = world.LOG.parent
        self.addCleanup(directory.chmod, directory.stat().st_mode & 0o7777)
        for mode, whose in ((0o755, "It belongs to user root and group root, with mode 0600."),
                            (0o750, "Its directory belongs to user root and group root, with mode 0750.")):
            directory.chmod(mode)
            self.log(status=77, user=NOBODY, group=NOBODY, extra_groups=[])
            for words in (str(world.LOG), "Permission denied", whose, "sudo umlnet log"):
                self.assertIn(words, self.said)
        with world.LOG.open() as readable:
            self.assertEqual(len(self.rows("--file", "-", user=NOBODY, group=NOBODY, extra_groups=[], stdin=readable)), 5)

    def test_a_terminal_is_as_wide_as_it_is(self) -> None:
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as screen:
            os.set_inheritable(theirs, True)
            subprocess.run(["stty", "-F", os.ttyname(theirs), "cols", "72"], check=True)
            subprocess.run([self.umlnet, "log"], stdout=theirs, env=self.environment, check=True)
            os.close(theirs)
            shown = b""
            try:
                while more := screen.read(4096):
                    shown += more
            except OSError:  # EIO: the last program has left
                pass
        lines = shown.decode().splitlines()
        self.assertLessEqual(max(len(each) for each in lines), 72)
        self.assertEqual(re.sub(r"\s+", " ", " ".join(lines)).strip(), re.sub(r"\s+", " ", self.log()).strip())
        self.assertNotIn(b"\x1b", shown)


class OfASession(LogCase):
    def test_the_story_of_an_ethertap_session(self) -> None:
        with Session(HELPER, "tap7", "10.99.0.254") as session:
            self.assertEqual(session.status, b"\1")
            self.assertIn("routed", session.ask(0, "10.99.0.1"))
        soon(lambda: world.audit_lines()[-1]["event"] == "exit")
        told = self.log("--id", world.audit_lines()[0]["id"])
        steps = ["ethertap tap7, gateway 10.99.0.254: granted", "ethertap tap7, gateway 10.99.0.254: done",
                 "add 10.99.0.1/24 to tap7: granted", "add 10.99.0.1/24 to tap7: done", "session ended after",
                 "to the guest: ", "to the host: ", "1 addresses added, 0 removed", "tap7 gone"]
        places = [told.find(step) for step in steps]
        self.assertEqual(places, sorted(places), told)
        self.assertNotIn(-1, places, told)
        self.assertEqual([row[3] for row in self.rows()], ["accepted", "accepted", "ended"])


class MadeUp(LogCase):
    """Lines that no helper here writes on demand, and what is no line at all."""

    def test_broken_and_foreign_lines_are_counted_and_passed_over(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "log"
            path.write_bytes((line(1) + "\nhello \x1b[31m\n\n" + line(2)[:50] + "\n{}\n" + line(3) + "\n").encode() + b"\xff\xfe\n"
                             + b"x" * 200_000 + b"\n" + line(4).encode() + b"\n" + line(5)[:-1].encode())
            self.assertEqual([row[4] for row in self.rows("--file", str(path))],
                             [f"tuntap: because {number}" for number in (1, 3, 4)])
            self.assertIn(f"7 lines are no whole lines of an audit log, and were passed over. The first is {path}:2: "
                          "hello \\x1b[31m\n", self.said)

    def test_a_record_that_was_cut_hides_neither_of_its_neighbours(self) -> None:
        one, cut, two, three = (line(number, compact=True) for number in range(4))
        log = f"{one}\n{cut[:50]}{two}\n{cut[:70]}\n{three}\n{cut[:30]}"
        fed = {"stdin": None, "input": log}
        said = ("3 lines were cut, because uml_net could not write all of them, and were passed over. The first is stdin:2: "
                + cut[:50] + "\n")
        self.assertEqual([row[4] for row in self.rows("--file", "-", **fed)], [f"tuntap: because {number}" for number in (0, 2, 3)])
        self.assertIn(said, self.said)
        self.assertEqual(self.log("--file", "-", "--json", **fed), f"{one}\n{two}\n{three}\n")
        self.assertIn(said, self.said)
        self.assertEqual(json.loads(self.log("--file", "-", "--stats", "--json", **fed))["all"]["refused"], 3)
        self.assertIn(said, self.said)
        self.assertIn("because 2", self.log("--file", "-", "--id", "00000002", **fed))
        self.assertIn(said, self.said)

    def test_nothing_of_a_log_reaches_the_terminal_as_it_is(self) -> None:
        evil = "\x1b]0;title\x07\x9b31m\r\n\x7f"
        text = line(1, caller={"uid": 1, "user": evil}, id=evil, decision={"reason": evil, "rule": evil}, untrusted=[evil],
                    request={"operation": evil, "protocol": evil, "device": evil, "gateway": evil},
                    result={"error": evil, "errno": evil, "changes": [evil], "device": evil})
        for words in ((), ("--stats",)):
            self.assertRegex(self.log("--file", "-", *words, stdin=None, input=text + "\n"), r"\A[ -~\n]*\Z")
        told = self.log("--file", "-", "--id", "12ab", stdin=None,
                        input=text.replace(json.dumps(evil), '"12ab"', 1).replace('"id": ' + json.dumps(evil), '"id": "12ab"') + "\n")
        self.assertRegex(told, r"\A[ -~\n]+\Z")

    def test_a_flood_an_alert_and_what_was_not_finished(self) -> None:
        lines = [line(0, caller={"uid": 1002, "user": "bob"}, suppressed=480, decision={"reason": "480 more changed nothing"}),
                 line(1, event="alert", decision={"reason": "the policy is no good"}),
                 line(2, event="accept", stage="intent", decision={"reason": "rule x allows tuntap"}), line(3)]
        text = "\n".join(lines).replace('"request": {"protocol": "uml/4", "operation": "tuntap"}, ', "", 1) + "\n"
        self.assertEqual([row[2:] for row in self.rows("--file", "-", stdin=None, input=text)], [
            ["bob", "suppressed", "480 more changed nothing"], ["1000", "alert", "tuntap: the policy is no good"],
            ["1000", "refused", "tuntap: because 3"], ["1000", "unfinished", "tuntap"]])
        self.assertIn("no result is on record", self.log("--file", "-", "--id", "00000002", stdin=None, input=text))
        counts = json.loads(self.log("--file", "-", "--stats", "--json", stdin=None, input=text))["all"]
        self.assertEqual((counts["requests"], counts["alerts"], counts["suppressed"]), (1, 1, 480))
        self.assertEqual(len(self.rows("--file", "-", "--user", "bob", stdin=None, input=text)), 1)

    def test_since_reaches_into_rotated_files_and_names_compressed_ones(self) -> None:
        for name, number in (("audit.jsonl.2", 1), ("audit.jsonl.1", 2), ("audit.jsonl", 3)):
            path = world.LOG.with_name(name)
            path.write_text(line(number) + "\n")
            self.addCleanup(path.unlink, missing_ok=True)
            os.utime(path, (1795495557 + number, 1795495557 + number))  # 2026-11-24 04:45:57 and later
        packed = world.LOG.with_name("audit.jsonl.3.gz")
        packed.touch()
        self.addCleanup(packed.unlink)
        self.assertEqual([row[4] for row in self.rows()], ["tuntap: because 3"])
        self.assertEqual([row[4] for row in self.rows("--since", "2026-11-24")], [f"tuntap: because {n}" for n in (1, 2, 3)])
        self.assertIn(f"zcat {packed} | umlnet log --file -", self.said)
        self.assertEqual(len(self.rows("--since", "2026-11-24T04:45:02Z")), 2)
        self.assertEqual(len(self.rows("--id", "00000001")), 0)  # a story is no table
        self.assertIn("because 1", self.log("--id", "00000001"))
        world.LOG.unlink()
        self.log(status=66)
        self.assertIn("uml_net writes its log there once it is installed", self.said)

    def test_a_command_line_that_is_wrong(self) -> None:
        for words in (("--since", "soon"), ("--id", "abc"), ("--id", "tap0-"), ("--follow", "--stats"), ("--follow", "--file", "-"),
                      ("--nonsense",), ("--user",), ("tap0",), ("-f", "-F", "a", "-F", "b")):
            with self.subTest(words):
                self.log(*words, status=64)
                self.assertRegex(self.said, r"^umlnet log: .*\n")


class Following(LogCase):
    def follow(self, *words: str) -> Running:
        return Running([self.umlnet, "log", "--follow", *words], text=True, start_new_session=True, env=self.environment,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def append(self, *numbers: int, path: Path = world.LOG) -> None:
        with path.open("a") as log:
            for number in numbers:
                log.write(line(number) + "\n")

    def read(self, following: Running, *numbers: int) -> None:
        for number in numbers:
            self.assertEqual(json.loads(following.line())["decision"]["reason"], f"because {number}")

    def test_nothing_is_lost_or_doubled_across_rotations(self) -> None:
        rotated = world.LOG.with_name("audit.jsonl.1")
        self.addCleanup(rotated.unlink, missing_ok=True)
        self.append(*range(20))
        with self.follow("--json") as following:
            self.read(following, *range(10, 20))
            self.append(20, 21)
            self.read(following, 20, 21)
            session = world.LOG.open("a")
            with session:
                world.LOG.rename(rotated)
                world.LOG.touch(0o600)
                session.write(line(22) + "\n")
                session.flush()
                self.append(23)
                self.assertEqual({json.loads(following.line())["decision"]["reason"] for _ in range(2)},
                                 {"because 22", "because 23"})
                session.write(line(24) + "\n")
                session.flush()
                self.read(following, 24)
            os.truncate(world.LOG, 0)  # copytruncate
            self.append(25, 26)
            self.read(following, 25, 26)
            with world.LOG.open("a") as log:
                log.write(line(27)[:40])
                log.flush()
                time.sleep(0.4)
                log.write(line(27)[40:] + "\n")
            self.read(following, 27)
            with world.LOG.open("a") as log:
                log.write(line(28, compact=True)[:40] + line(29, compact=True) + "\n" + line(30, compact=True)[:40] + "\n")
            self.append(31)
            self.read(following, 29, 31)
            assert following.stderr
            self.assertRegex(following.stderr.readline(), "2 lines were cut|1 line was cut")
        world.LOG.write_text("")

    def test_the_table_as_it_grows(self) -> None:
        helper = world.helper_copy(HELPER, "setuid")
        with self.follow("--denied", "--since", "1h") as following:
            for _ in range(2):
                self.assertEqual(caller.tuntap_up(helper, "10.99.0.254", user=NOBODY).exit, 77)
            for pattern in (r"local time", r"^TIME", "nobody +refused +tuntap.*there is no policy", "nobody +refused"):
                self.assertRegex(following.line(), pattern)


if __name__ == "__main__":
    unittest.main()
