"""What README tells people to type, and what it says of the installation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """From a heading to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ \S|\Z)", re.sub(r"(?ms)^```.*?^```", lambda block: block[0].replace("\n#", "\n\0"), TEXT),
                      re.MULTILINE | re.DOTALL)
    assert match, f"README has no section {heading!r}"
    return match[1].replace("\0", "#")


def blocks(heading: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL)


def commands(heading: str) -> str:
    """The first block of a section."""
    return blocks(heading)[0]


def block_with(heading: str, words: str) -> str:
    (block,) = (block for block in blocks(heading) if words in block)
    return block


def code_with(words: str) -> str:
    """The one piece of code in running text that contains the words."""
    (code,) = (code for code in re.findall(r"`([^`\n]+)`", TEXT) if words in code)
    return code


def split_packages(script: str) -> tuple[str, str]:
    """The lines that install packages, and the others."""
    lines = script.splitlines()
    return tuple("\n".join(line for line in lines if line.startswith("apt-get ") == wanted) for wanted in (True, False))  # type: ignore[return-value]


def packages() -> list[str]:
    """Those that "Install it" names."""
    (line,) = (line for line in commands("Install it").splitlines() if line.startswith("apt-get install "))
    return line.partition("#")[0].split()[2:]


def listed_packages() -> list[str]:
    """Those that install-packages installs for a build."""
    return subprocess.run([ROOT / "tests/support/install-packages", "--list", "build"], capture_output=True, text=True,
                          check=True).stdout.split()


def installed_places() -> list[str]:
    """Files and directories, by the table of "Install it"."""
    return re.findall(r"^\| `(/[^`]+)` \|", section("Install it"), re.MULTILINE)


def installed_megabytes() -> float:
    return float(re.search(r"(\d+) MB", section("Install it"))[1])  # type: ignore[index]
