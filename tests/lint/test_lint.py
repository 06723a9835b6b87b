"""What the machine can say about the text of the project: formatting, manual pages, schemas, dangling names."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]


def project_files() -> list[str]:
    """What git tracks. Without git or a repository: all files but those in build directories and hidden ones."""
    try:
        # The checkout may belong to another user, which git refuses otherwise.
        done = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0 and done.stdout:
            return done.stdout.rstrip("\0").split("\0")
    except FileNotFoundError:
        pass
    found = []
    for directory, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith((".", "build"))]
        found += [str(Path(directory, name).relative_to(ROOT)) for name in files if not name.startswith(".")]
    return sorted(found)


def tracked(*patterns: str) -> list[str]:
    """The files that match one of the patterns, whose * also stands for slashes."""
    found = [name for name in project_files() if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return [name for name in found if (ROOT / name).is_file()]


class Lint(unittest.TestCase):
    def says_nothing(self, *argv: str) -> None:
        if shutil.which(argv[0]) is None:
            self.skipTest(f"{argv[0]} is not installed (tests/support/install-packages lint)")
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_formatting(self) -> None:
        self.says_nothing("clang-format-19", "--dry-run", "-Werror", *tracked("*.cc", "*.c", "*.h", "*.hpp"))

    def test_manual_pages(self) -> None:
        pages = tracked("man/*.[0-9]")
        self.assertGreaterEqual(len(pages), 3)
        self.says_nothing("mandoc", "-T", "lint", "-W", "warning", *pages)

    def test_shell_scripts_parse(self) -> None:
        for script in tracked("*.sh", "tests/run", "tests/demo", "tests/bench/run", ".ci/run", "tests/support/build",
                              "tests/support/guest-kernel", "tests/support/install-packages", "tests/support/meson-suite", "tests/support/as-root",
                              "tests/fresh/machine"):
            self.says_nothing("bash", "-n", script)

    def test_example_policies_keep_to_the_schema(self) -> None:
        schema = json.loads((ROOT / "policy/policy.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        examples = sorted((ROOT / "policy/examples").glob("*.json"))
        self.assertGreaterEqual(len(examples), 5)
        for example in examples:
            jsonschema.Draft202012Validator(schema).validate(json.loads(example.read_text()))

    def test_the_manual_shows_the_example_policies_as_they_are(self) -> None:
        page = (ROOT / "man/umlnet-policy.5").read_text()
        for inner, outer in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\e", "\\")):
            page = page.replace(inner, outer)
        for example in sorted((ROOT / "policy/examples").glob("*.json")):
            self.assertIn(f".Ss {example.name}\n", page)
            self.assertIn(example.read_text(), page, example.name)

    def test_every_key_of_an_audit_line_has_its_names_in_ecs_and_ocsf(self) -> None:
        schema = json.loads((ROOT / "policy/audit.schema.json").read_text())
        keys = []
        for key, value in schema["properties"].items():
            keys += [f"{key}.{inner}" for inner in value["properties"]] if "properties" in value else [key]
        page = (ROOT / "man/umlnet-audit.5").read_text()
        ecs, ocsf = page.split(".Ss Elastic Common Schema (ECS)")[1].split(".Ss Open Cybersecurity Schema Framework")
        for key in keys:
            for table in (ecs, ocsf.split(".Sh ")[0]):
                self.assertIn(f"\n.It {key} Ta ", table)

    def test_every_key_of_a_sessions_last_line_is_in_its_manual(self) -> None:
        schema = json.loads((ROOT / "policy/audit.schema.json").read_text())
        section = (ROOT / "man/umlnet-audit.5").read_text().split("\n.Sh SESSIONS\n")[1].split("\n.Sh ")[0]
        named = set(" ".join(re.findall(r"(?m)^\.Ic (.*)$", section)).replace(",", " ").split())
        for kind in schema["properties"]["result"]["properties"]["session"]["oneOf"]:
            self.assertEqual(set(kind["properties"]) - named, set())

    def test_every_key_of_a_policy_is_in_its_manual(self) -> None:
        schema = json.loads((ROOT / "policy/policy.schema.json").read_text())
        page = (ROOT / "man/umlnet-policy.5").read_text()
        for keys in (schema["properties"], schema["properties"]["audit"]["properties"],
                     schema["$defs"]["rule"]["properties"]):
            for key in keys:
                self.assertIn(f"\n.It Ic {key}", page)

    def test_files_that_the_documents_name_exist(self) -> None:
        for document in tracked("*.md"):
            text = (ROOT / document).read_text()
            for path in re.findall(r"`((?:uml_net|libumlnet|policy|tests|man)/[\w./-]+)`", text):
                self.assertTrue((ROOT / path).exists(), f"{document} names {path}")

    def test_every_operation_and_exit_status_is_in_the_manual(self) -> None:
        page = (ROOT / "man/uml_net.8").read_text()
        for status in set(re.findall(r"\bEX_[A-Z]+\b", (ROOT / "libumlnet/core/error.cc").read_text())):
            self.assertIn(status, page)
        for word in re.findall(r'^    \{"(\w+)", \w', (ROOT / "libumlnet/core/call.cc").read_text(), re.MULTILINE):
            self.assertRegex(page, rf"(?m)^\.(Nm|It|Ic|Cm).*\b{word}\b")

    def test_every_code_of_a_refusal_is_in_the_manual(self) -> None:
        codes = re.findall(r'\{Code::\w+, "(\w+)"', (ROOT / "libumlnet/core/error.cc").read_text())
        listed = re.findall(r"(?m)^\.It Ic (\w+)$", (ROOT / "man/uml_net.8").read_text())
        self.assertGreater(len(codes), 10)
        self.assertEqual(sorted(set(codes) - set(listed)), [])

    def test_every_function_and_error_of_the_library_is_in_its_manual(self) -> None:
        page = (ROOT / "man/libumlnet.3").read_text()
        functions = re.findall(r"^    (umlnet_\w+);", (ROOT / "libumlnet/libumlnet.map").read_text(), re.MULTILINE)
        self.assertGreater(len(functions), 20)
        for function in functions:
            self.assertRegex(page, rf"(?m)^\.(Fn|Fo) {function}\b", "the synopsis has no such function")
        header = (ROOT / "libumlnet/include/umlnet/umlnet.h").read_text()
        for code in re.findall(r"^  (UMLNET_\w+) = \d+", header[:header.index("umlnet_error;")], re.MULTILINE):
            if code != "UMLNET_OK":
                self.assertIn(f".It Dv {code}\n", page)


if __name__ == "__main__":
    unittest.main()
