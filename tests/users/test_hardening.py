"""How the privileged program and the pump's were compiled and linked, as their files say it."""

import re
import subprocess
import unittest
from pathlib import Path

from tests.support.case import HELPER

PUMP = HELPER.parents[1] / "libumlnet" / "client" / "umlnet-pump"


def readelf(program: Path, *options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, program], capture_output=True, text=True, check=True).stdout


class Hardening(unittest.TestCase):
    def each(self) -> list[Path]:
        for program in (HELPER, PUMP):
            self.assertTrue(program.is_file(), program)
        return [HELPER, PUMP]

    def test_its_addresses_are_random(self) -> None:
        for program in self.each():
            self.assertRegex(readelf(program, "-h"), r"Type:\s+DYN", program)
            self.assertRegex(readelf(program, "-d"), r"FLAGS_1.*\bPIE\b", program)

    def test_what_was_relocated_is_read_only_before_main(self) -> None:
        for program in self.each():
            self.assertIn("GNU_RELRO", readelf(program, "-l"), program)
            self.assertRegex(readelf(program, "-d"), r"\bNOW\b", program)

    def test_nothing_is_writable_and_executable(self) -> None:
        for program in self.each():
            segments = re.findall(r"^\s+(LOAD|GNU_STACK)\s+(?:0x\w+\s+){5}(.{3})", readelf(program, "-l"), re.MULTILINE)
            self.assertIn("GNU_STACK", [kind for kind, _ in segments])
            for kind, flags in segments:
                self.assertFalse("W" in flags and "E" in flags, (program, kind, flags))

    def test_stacks_are_guarded(self) -> None:
        """In the project's own code: a C library in the file has guards of its own."""
        for program in self.each():
            code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True).stdout
            ours = [body for name, body in re.findall(r"^[0-9a-f]+ <(\w+)[^>]*>:\n((?:.+\n)*)", code, re.MULTILINE)
                    if name.startswith("_ZN6umlnet")]
            guarded = [body for body in ours if "<__stack_chk_fail" in body]
            # Those that have nothing on the stack which could be written over need none.
            self.assertGreater(len(guarded), len(ours) // 4, program)

    def test_indirect_jumps_and_returns_are_guarded_where_the_processor_can(self) -> None:
        """Of the project's own code; the file as a whole says so only where all libraries in it were compiled like that."""
        for program in self.each():
            main = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=main", program],
                                  capture_output=True, text=True, check=True).stdout
            first = re.search(r"<main>:\n.*?\t(\w+)", main)
            self.assertEqual(first and first[1], "endbr64", program)

    def test_no_directory_is_searched_for_libraries(self) -> None:
        for program in self.each():
            self.assertNotRegex(readelf(program, "-d"), r"R(UN)?PATH|TEXTREL", program)


if __name__ == "__main__":
    unittest.main()
