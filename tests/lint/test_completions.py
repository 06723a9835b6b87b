"""What shells complete is what umlnet has, and so is what its manual explains."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.support.case import HELPER, ROOT

UMLNET = HELPER.parents[1] / "libumlnet/cli/umlnet"
COMPLETIONS = ROOT / "libumlnet/cli/completions"
SUBCOMMANDS = ("run", "pump", "remove", "ls", "log", "policy", "doctor")
# `policy` has no options of its own, its subcommands have.
WITH_OPTIONS = ("run", "pump", "remove", "ls", "log", "policy check", "policy explain", "doctor")


def output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=COMPLETIONS, timeout=30)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def options(subcommand: str) -> set[str]:
    """As its help lists them."""
    found = set(re.findall(r"^ {2,6}(?:-\w, )?(--[a-z0-9-]+)", output(str(UMLNET), *subcommand.split(), "--help"), re.MULTILINE))
    assert len(found) > 3, found
    return found


def completed_by_bash(*words: str) -> list[str]:
    script = ('source umlnet.bash; complete -p umlnet >/dev/null; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _umlnet; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return output("bash", "--norc", "-c", script, "bash", "umlnet", *words).split()


class Completions(unittest.TestCase):
    def test_every_option_is_in_every_completion_and_in_the_manual(self) -> None:
        manual = (ROOT / "man/umlnet.1").read_text()
        for subcommand in WITH_OPTIONS:
            for option in options(subcommand):
                self.assertIn(f"{option}", (COMPLETIONS / "umlnet.bash").read_text())
                self.assertRegex((COMPLETIONS / "_umlnet").read_text(), rf"{option}\b")
                self.assertRegex((COMPLETIONS / "umlnet.fish").read_text(), rf"-l {option[2:]}\b")
                self.assertRegex(manual, rf"Fl {option[1:]}\b")

    def test_every_subcommand_is_known(self) -> None:
        listed = re.findall(r"^  (\w+)  +\w", output(str(UMLNET), "--help").partition("\n\n")[2].partition("\n\n")[0], re.MULTILINE)
        self.assertEqual(tuple(listed), SUBCOMMANDS)
        for subcommand in SUBCOMMANDS:
            self.assertEqual(output(str(UMLNET), "help", subcommand), output(str(UMLNET), subcommand, "--help"))
            self.assertIn(f"umlnet {subcommand}", (ROOT / "man/umlnet.1").read_text())

    def test_bash(self) -> None:
        for words, expected in (
            (("",), [*SUBCOMMANDS, "help", "--help", "--version"]),
            (("p",), ["pump", "policy"]),
            (("help", ""), [*SUBCOMMANDS]),
            (("run", "--as", ""), ["tap", "stream", "dgram"]),
            (("run", "--as", "=", "s"), ["stream"]),
            (("run", "--as", "="), ["tap", "stream", "dgram"]),
            (("run", "--ga"), ["--gateway"]),
            (("run", "-n", "t"), ["tuntap,,,", "tap", "tap:"]),
            (("run", "--bridge", "l"), ["lo"]),
            (("run", "--queues", "2", "--vne"), ["--vnet-hdr"]),
            (("remove", "l"), ["lo"]),
            (("run", "--gateway", ""), []),
            # Behind words that readline takes apart, and behind the command's own.
            (("run", "--net", "tap", ":", "tap0,vnet", "=", "12", "--add"), ["--address"]),
            (("run", "--", "cat", "--as"), []),
            (("run", "-g", "10.0.0.1", "--", "cat", "umlnet.b"), ["umlnet.bash"]),
            (("pump", "stream"), ["stream:", "stream-listen:"]),
            (("pump", "stream", ":", "umlnet.f"), ["umlnet.fish"]),
            (("pump", "--pcap", "_um"), ["_umlnet"]),
            (("log", "--file", "umlnet.f"), ["umlnet.fish"]),
            (("log", "--since", "to"), ["today"]),
            (("ls", "--d"), ["--dot"]),
            (("policy", ""), ["check", "explain", "--help"]),
            (("policy", "check", "umlnet.f"), ["umlnet.fish"]),
            (("policy", "explain", "--host-state", ""), ["live", "none"]),
            (("policy", "explain", "--user", "nobod"), ["nobody"]),
            (("policy", "explain", "t"), ["tuntap"]),
            (("policy", "explain", "b"), ["bridge"]),
            (("policy", "explain", "bridge", "--bridge", "l"), ["lo"]),
            (("policy", "fly", "-"), []),
            (("doctor", "--la"), ["--lan"]),
            (("doctor", "--lan", "l"), ["lo"]),
            (("doctor", ""), []),
        ):
            with self.subTest(words):
                self.assertEqual(completed_by_bash(*words), expected)
        for command in (("run", "--", "bas"), ("run", "-g", "10.0.0.1", "bas")):
            self.assertIn("bash", completed_by_bash(*command))
        for subcommand in WITH_OPTIONS:
            self.assertEqual(set(completed_by_bash(*subcommand.split(), "--")), options(subcommand))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed (tests/support/install-packages test)")
    def test_fish(self) -> None:
        output("fish", "--no-config", "--no-execute", "umlnet.fish")

        def completed(line: str) -> set[str]:
            with tempfile.TemporaryDirectory() as home:
                done = output("env", f"HOME={home}", f"XDG_RUNTIME_DIR={home}", "fish", "--no-config", "-c",
                              f"source umlnet.fish; complete -C '{line}'")
            return {each.partition("\t")[0] for each in done.splitlines()}

        self.assertEqual(completed("umlnet "), {*SUBCOMMANDS, "help"})
        self.assertEqual(completed("umlnet run --as "), {"tap", "stream", "dgram"})
        self.assertEqual(completed("umlnet pump stream"), {"stream:", "stream-listen:"})
        self.assertEqual(completed("umlnet policy "), {"check", "explain"})
        self.assertEqual(completed("umlnet policy explain --host-state "), {"live", "none"})
        self.assertEqual(completed("umlnet policy explain t"), {"tuntap"})
        for subcommand in WITH_OPTIONS:
            self.assertEqual(completed(f"umlnet {subcommand} --"), options(subcommand))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed (tests/support/install-packages test)")
    def test_zsh(self) -> None:
        output("zsh", "--no-rcs", "--no-exec", "_umlnet")
        self.assertTrue((COMPLETIONS / "_umlnet").read_text().startswith("#compdef umlnet\n"))


if __name__ == "__main__":
    unittest.main()
