"""Argument lists that no manager would send."""

import ctypes
import json
import unittest
from typing import Any

from tests.support import caller, world
from tests.support.hostile import LIBC, NOBODY, OPERATIONS, HostileCase, call

LONGEST_WORD = 32 * 4096 - 1  # bytes, for the kernel; the NUL is one more
FORGED = '"}\n{"event":"accept","id":"forged"}'
VERSIONS = ("4294967300", "-1", "4abc", " 4", "4 ", "+4", "04", "4\n", "0x4", "4.0", "\u0664", "0", "1", "2", "3", "5000",
            "18446744073709551620", "", "4\t")
RUBBISH: dict[str, Any] = {
    "empty": "", "a space": " ", "a newline": "\n", "0xff": b"\xff", "not UTF-8": b"\xc3\x28", "a format": "%s%n%s%n",
    "an escape": "\x1b[2J\x1b]0;title\x07", "a line of the log": FORGED, "a path": "../../etc/passwd", "an option": "--help",
    "as long as can be": "x" * LONGEST_WORD,
}


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
