"""Programs that were linked with libumlnet.so.1 go on working: nothing that it exports changes without a new version."""

import platform
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Callable

from tests.support import abi
from tests.support.run_suites import BUILD

LIBRARY = BUILD / "libumlnet" / f"{abi.SONAME}"
HEADER = Path("umlnet") / "umlnet.h"

# What somebody might do to the header or to the map (old text, new text), and words of the report.
BREAKS = {
    "a function removed": ("map", "    umlnet_version;\n", "", "umlnet_version"),
    "a function renamed": ("both", "umlnet_nic_fd", "umlnet_nic_descriptor", "umlnet_nic_fd"),
    "the node of released functions renamed": ("map", "UMLNET_1.0", "UMLNET_0.9", "umlnet_version@@UMLNET_1.0"),
    "one more parameter": ("header", "umlnet_nic_open(umlnet_nic* nic, ", "umlnet_nic_open(umlnet_nic* nic, int how, ",
                           "umlnet_nic_open"),
    "a parameter of another type": ("header", "void* frame, size_t room, size_t* size);",
                                    "void* frame, uint32_t room, size_t* size);", "umlnet_nic_read"),
    "another return type": ("header", "int umlnet_nic_fd(", "long umlnet_nic_fd(", "umlnet_nic_fd"),
    "a shorter array": ("header", "char message[1024]", "char message[512]", "umlnet_error"),
    "a member of another name": ("header", "int exit_status;", "int status;", "exit_status"),
    "a member of another type and the same size": ("header", "uint8_t has_mac;", "int8_t has_mac;", "has_mac"),
    "a member added in the middle": ("header", "  int needs_device;", "  int more;\n  int needs_device;", "umlnet_transport"),
    "a member added behind": ("header", "uint64_t not_captured;", "uint64_t not_captured, more;", "umlnet_counters"),
    "a callback with another parameter": ("header", "(*note)(void* user, const char* text)",
                                          "(*note)(void* user, char* text)", "note"),
    "another value of an enumeration": ("header", "UMLNET_CLOSED = 7", "UMLNET_CLOSED = 17", "UMLNET_CLOSED"),
    "another value of a constant": ("header", "UMLNET_OFFLOAD_TSO6 = 4", "UMLNET_OFFLOAD_TSO6 = 64", "UMLNET_OFFLOAD_TSO6"),
    "a constant gone": ("header", "  UMLNET_OFFLOAD_USO = 16, ", "  ", "UMLNET_OFFLOAD_USO"),
}
NEW_FUNCTION = ("umlnet_code umlnet_nic_mtu(umlnet_nic* nic, int* bytes);\n\n"
                "/* What the setup string said. */\n")


class Abi(unittest.TestCase):
    def setUp(self) -> None:
        if shutil.which("abidiff") is None:
            self.skipTest("abidiff is not installed (tests/support/install-packages test)")
        if platform.machine() != "x86_64":
            self.skipTest("the promise is written for x86_64")
        sections = subprocess.run(["readelf", "-SW", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertIn(".debug_info", sections, f"without it {LIBRARY.name} says nothing of types: meson configure "
                                               f"{BUILD.name} -Ddebug=true")
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.include = self.scratch / "include"
        shutil.copytree(abi.INCLUDE, self.include)
        self.header, self.map = self.include / HEADER, self.scratch / "libumlnet.map"
        shutil.copy(abi.MAP, self.map)
        self.promised = self.scratch / "promised.abi"  # as if it had been recorded just now

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        self.assertIn(old, text, "this test's text is no longer in the file: bring it up to date")
        path.write_text(text.replace(old, new))

    def describe(self) -> Path:
        if not self.promised.exists():
            abi.describe(self.promised)
        return abi.describe(self.scratch / "new.abi", self.include, self.map)

    def with_the_promise(self, compare: Callable[[], abi.Comparison]) -> abi.Comparison:
        """Skips the test where this system's abidiff cannot read the recorded ABI."""
        try:
            return compare()
        except abi.OtherFormat as reason:
            self.skipTest(str(reason))

    def test_header_and_map_are_what_was_promised(self) -> None:
        comparison = self.with_the_promise(lambda: abi.check(self.describe()))
        self.assertTrue(comparison.same, comparison.report + "\nIf this is meant, tests/support/abi.py says what to do.")

    def test_the_library_is_what_was_promised(self) -> None:
        promised = abi.symbols(abi.BASELINE)
        self.assertGreater(len(promised), 20)
        self.assertEqual(abi.library_symbols(LIBRARY), promised)
        needed = subprocess.run(["readelf", "-d", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertIn(f"Library soname: [{abi.SONAME}]", needed)
        described = abi.describe_library(self.scratch / "library.abi", LIBRARY)
        comparison = self.with_the_promise(lambda: abi.compare(abi.BASELINE, described))
        self.assertTrue(comparison.same, comparison.report)

    def test_each_kind_of_change_is_noticed(self) -> None:
        originals = self.header.read_text(), self.map.read_text()
        for what, (where, old, new, words) in BREAKS.items():
            with self.subTest(what):
                if where in ("header", "both"):
                    self.change(self.header, old, new)
                if where in ("map", "both"):
                    self.change(self.map, old, new)
                description = self.describe()
                comparison = abi.check(description, self.promised)
                self.assertTrue(comparison.breaks, comparison.report)
                self.assertIn(words, comparison.report)
                self.assertNotEqual(abi.why_not(description, self.promised), "")
            self.header.write_text(originals[0]), self.map.write_text(originals[1])

    def test_two_members_that_changed_places_are_noticed(self) -> None:
        for old, new in (("int errnum;", "int between;"), ("int exit_status;", "int errnum;"),
                         ("int between;", "int exit_status;")):
            self.change(self.header, old, new)
        self.assertIn("umlnet_error", abi.check(self.describe(), self.promised).report)

    def test_a_library_that_does_not_keep_the_promise_is_noticed(self) -> None:
        self.change(self.header, "char message[1024]", "char message[512]")
        library = abi.describe_library(self.scratch / "library.abi", LIBRARY)
        self.assertIn("umlnet_error", abi.compare(self.describe(), library).report)

    def test_a_function_added_in_a_node_of_its_own_is_a_promise_more(self) -> None:
        self.change(self.header, "/* What the setup string said. */\n", NEW_FUNCTION)
        self.change(self.map, "    umlnet_nic_new;\n", "    umlnet_nic_mtu;\n    umlnet_nic_new;\n")
        description = self.describe()
        self.assertFalse(abi.check(description, self.promised).same)
        self.assertIn("umlnet_nic_mtu: new, and in a version node that is out already", abi.why_not(description, self.promised))

        self.map.write_text(abi.MAP.read_text() + "UMLNET_1.2 {\n  global:\n    umlnet_nic_mtu;\n} UMLNET_1.1;\n")
        description = self.describe()
        self.assertFalse(abi.check(description, self.promised).same)
        self.assertEqual(abi.why_not(description, self.promised), "")
        written = shutil.copy(description, self.scratch / "written.abi")
        self.assertTrue(abi.check(self.describe(), Path(written)).same)
        self.assertEqual(abi.symbols(Path(written))["umlnet_nic_mtu"], "UMLNET_1.2")


if __name__ == "__main__":
    unittest.main()
