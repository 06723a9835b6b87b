"""SECURITY.md against the tests that it names."""

import ast
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADING = "## Vulnerabilities of similar programs"
NAMED = re.compile(r"`(\w+\.test_\w+)` `(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of each row of the table."""
    section = (ROOT / "SECURITY.md").read_text().split(f"\n{HEADING}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def tests_of(path: Path) -> set[str]:
    """The names of the tests that unittest finds there, without the built programs that some of them load. The tests of a class
    without a base are those of the classes that inherit it."""
    classes = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}
    found: set[str] = set()

    def add(name: str) -> None:
        found.update(node.name for node in classes[name].body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))
        for base in classes[name].bases:
            if ast.unparse(base) in classes:
                add(ast.unparse(base))

    for name, node in classes.items():
        if node.bases:
            add(name)
    return found


class Vulnerabilities(unittest.TestCase):
    def test_every_row_has_a_number_a_program_a_fault_a_reason_and_tests(self) -> None:
        self.assertGreaterEqual(len(rows()), 25)
        for row in rows():
            with self.subTest(row=row[0]):
                self.assertEqual(len(row), 5)
                number, program, fault, reason, tests = row
                self.assertRegex(number, r"^CVE-\d{4}-\d{4,}$")
                self.assertTrue(program)
                for sentence in (fault, reason):
                    self.assertRegex(sentence, r"^[A-Z`].{20,}\.$")
                self.assertRegex(tests, rf"^{NAMED.pattern}(, {NAMED.pattern})*$")

    def test_no_number_is_there_twice_and_they_are_in_order(self) -> None:
        numbers = [row[0] for row in rows()]
        self.assertEqual(numbers, sorted(set(numbers), key=lambda number: [int(part) for part in number.split("-")[1:]]))

    def test_every_test_that_is_named_exists(self) -> None:
        for row in rows():
            for module, name in NAMED.findall(row[4]):
                with self.subTest(row=row[0], module=module):
                    path = ROOT / "tests" / Path(*module.split(".")).with_suffix(".py")
                    self.assertTrue(path.is_file(), path)
                    self.assertIn(name, tests_of(path))


if __name__ == "__main__":
    unittest.main()
