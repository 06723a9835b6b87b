"""Argument lists that no manager would send."""

import ctypes
import itertools
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Iterator, Sequence

from tests.support import caller, world
from tests.support.hostile import LIBC, NOBODY, OPERATIONS, HostileCase, call

# As the caller, with the privilege that the program's file gives: strace itself is root's.
STRACE = ("/usr/bin/strace", "-f", "-u", "nobody", "-e", "trace=%file")

LONGEST_WORD = 32 * 4096 - 1  # bytes, for the kernel; the NUL is one more
FORGED = '"}\n{"event":"accept","id":"forged"}'
VERSIONS = ("4294967300", "-1", "4abc", " 4", "4 ", "+4", "04", "4\n", "0x4", "4.0", "\u0664", "0", "1", "2", "3", "5000",
            "18446744073709551620", "", "4\t")
RUBBISH: dict[str, Any] = {
    "empty": "", "a space": " ", "a newline": "\n", "0xff": b"\xff", "not UTF-8": b"\xc3\x28", "a format": "%s%n%s%n",
    "an escape": "\x1b[2J\x1b]0;title\x07", "a line of the log": FORGED, "a path": "../../etc/passwd", "an option": "--help",
    "a backslash at its end": "x\\", "as long as can be": "x" * LONGEST_WORD,
}


def each_word_a_path(words: Sequence[str]) -> Iterator[list[str]]:
    """{path} in the place of each word in turn, and of what follows its `=`."""
    for at, word in enumerate(words):
        for form in sorted({"{path}", word[:word.find("=") + 1] + "{path}"}):
            yield [*words[:at], form, *words[at + 1:]]


class Arguments(HostileCase):
    def assert_written_down_safely(self) -> None:
        """Every word is in the log escaped and cut, and none of them made a line of its own."""
        for line in world.audit_lines():
            self.assertNotEqual(line.get("id"), "forged")
            for word in line.get("untrusted", []):
                self.assertTrue(word.isascii() and word.isprintable() and len(word) < 1000, word)

    def test_none_at_all(self) -> None:
        """Not even a name of the program: the kernel then makes up an empty one."""
        for how, helper in self.helpers.items():
            nothing = (ctypes.c_char_p * 1)(None)
            path = str(helper).encode()
            for argv in (nothing, (ctypes.c_char_p * 2)(b"", None)):
                with self.subTest(how):
                    done = caller.run("/bin/true", user=NOBODY, preexec_fn=lambda: LIBC.execve(path, argv, nothing))
                    self.assert_refused_whole(caller.Reply(done.returncode, stderr=done.stderr.decode()),
                                              "without arguments", exit_status=64)

    def test_versions(self) -> None:
        for how, helper in self.helpers.items():
            for version in VERSIONS:
                with self.subTest(how, version=version):
                    self.assert_refused_whole(call(helper, "pipe", [version, *OPERATIONS["add"].words[1:]]), "4",
                                              exit_status=64)

    def test_every_word_of_every_request_replaced_missing_and_more_of_them(self) -> None:
        for how, helper in self.helpers.items():
            for name, operation in OPERATIONS.items():
                whole = list(operation.words)
                lists: dict[str, list[Any]] = {}
                for at in range(len(whole)):
                    for kind, word in RUBBISH.items():
                        lists[f"word {at} is {kind}"] = [*whole[:at], word, *whole[at + 1:]]
                    if at < len(whole) - operation.optional:
                        lists[f"word {at} missing"] = whole[:at] + whole[at + 1:]
                for kind, word in RUBBISH.items():
                    lists[f"one more, {kind}"] = [*whole, word]
                lists["10,000 more"] = [*whole, *["x"] * 10_000]
                lists["1 MiB of them"] = [*whole, *["x" * LONGEST_WORD] * 8]
                for what, words in lists.items():
                    with self.subTest(how, operation=name, what=what):
                        self.assert_refused_whole(call(helper, operation.channel, words))
                self.assert_written_down_safely()
                self.empty_log()

    def test_what_the_helper_of_2007_did_for_other_transports(self) -> None:
        """Its `slip down` disabled any interface of the host's."""
        for how, helper in self.helpers.items():
            for version in ([], *([number] for number in "01234")):
                for words in (["slip", "down", "eth0"], ["slip", "up", "10.50.0.1"], ["tuntap", "down", "eth0"],
                              ["slip", "up", "10.50.0.1", "10.50.0.2"], ["ethertap", "eth0", "0"], ["down", "eth0"],
                              ["del", "eth0", "10.50.0.1", "255.255.255.0"]):
                    with self.subTest(how, words=[*version, *words]):
                        self.assert_refused_whole(call(helper, "pipe", [*version, *words]))

    def test_a_path_in_any_word_is_never_looked_at(self) -> None:
        """The answer is the same whether there is such a file or not, in a directory that only root can look into."""
        with tempfile.TemporaryDirectory(dir="/run") as directory:
            present, missing = (Path(directory, "closed", name) for name in ("present", "missing"))
            present.parent.mkdir(mode=0o700)
            present.write_text("secret")
            for (how, helper), (name, what) in itertools.product(self.helpers.items(), OPERATIONS.items()):
                for words in each_word_a_path(what.words):
                    with self.subTest(how, operation=name, words=words):
                        answers = set()
                        for path in (present, missing):
                            reply = call(helper, what.channel, [word.replace("{path}", str(path)) for word in words])
                            self.assert_refused_whole(reply)
                            said = reply.text if reply.data else reply.stderr
                            answers.add((reply.exit, said.replace(path.name, "NAME")))
                        self.assertEqual(len(answers), 1, answers)

    def test_no_system_call_names_a_path_of_the_callers(self) -> None:
        """Set-user-ID root, where a file would be looked for with root's access."""
        for name, what in OPERATIONS.items():
            for words in each_word_a_path(what.words):
                with self.subTest(operation=name, words=words), tempfile.NamedTemporaryFile(mode="r") as trace:
                    words = [word.replace("{path}", "/etc/shadow") for word in words]
                    reply = call(self.helper, what.channel, words, user=None, prefix=[*STRACE, "-o", trace.name])
                    self.assert_refused_whole(reply)
                    calls = [line for line in trace if "execve(" not in line]
                    self.assertEqual([line for line in calls if "shadow" in line], [])
                    self.assertTrue(any("policy.json" in line for line in calls), calls)

    def test_what_is_longest_is_cut_in_the_log(self) -> None:
        for how, helper in self.helpers.items():
            with self.subTest(how):
                self.assert_refused_whole(call(helper, "pipe", [*OPERATIONS["add"].words, *[b"\xff\"\\" * 40_000] * 8]),
                                          exit_status=64)
                line = world.LOG.read_bytes().splitlines()[-1]
                self.assertLessEqual(len(line), 4095)
                self.assertEqual(json.loads(line)["event"], "reject")


if __name__ == "__main__":
    unittest.main()
