"""The C ABI of libumlnet, compared with the one that was promised: libumlnet/abi/libumlnet.so.1.abi.

    /usr/bin/python3 -m tests.support.abi            compares the header and the map, and says what differs
    /usr/bin/python3 -m tests.support.abi update     writes the promise anew where functions were added in a new version
                                                     node of libumlnet.map, and nothing else has changed
    ... update --incompatible                        whatever has changed. Right before the first release of an ABI, for
                                                     members added behind in a structure that has `size`, and for a new
                                                     soname (rename the file); at no other time

What is compared is a library of empty functions, made of umlnet.h and libumlnet.map alone: its description is small, is
the same whatever compiles the library, and has nothing of its inside. That the library is what its header says, the
compiler sees to, and tests/abi compares them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "libumlnet" / "include"
MAP = ROOT / "libumlnet" / "libumlnet.map"
(BASELINE,) = (ROOT / "libumlnet" / "abi").glob("libumlnet.so.*.abi")
SONAME = BASELINE.stem


def _run(*argv: str | Path, allowed: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if done.returncode not in allowed:
        raise RuntimeError(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def empty_functions(header: str) -> str:
    """Each function that the header declares, as C that defines it."""
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    declarations = re.findall(r"^((?:const )?\w+[ *]+umlnet_\w+\([^;{]*\));", code, re.MULTILINE)
    bodies = [f"{text} {{{'' if text.startswith('void ') else ' return 0; '}}}\n" for text in declarations]
    return "#include <umlnet/umlnet.h>\n" + "".join(bodies)


def _abidw(target: Path, library: Path, include: Path, *more: str) -> None:
    _run("abidw", "--headers-dir", include, "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed",
         "--type-id-style", "hash", *more, "--out-file", target, library)


def describe(target: Path, include: Path = INCLUDE, version_map: Path = MAP) -> Path:
    """Writes the description of the ABI that header and map have."""
    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "abi.c", Path(scratch) / "abi.so"
        source.write_text(empty_functions((include / "umlnet" / "umlnet.h").read_text()))
        # Types that no function has among its arguments are described too: the constants of the offloads.
        _run("gcc", "-std=c11", "-w", "-g", "-fno-eliminate-unused-debug-types", "-shared", "-fPIC", f"-I{include}",
             f"-Wl,--version-script={version_map}", f"-Wl,-soname,{SONAME}", source, "-o", library)
        _abidw(target, library, include, "--load-all-types")
    # The one name of a file that is left is that of a temporary one.
    target.write_text(re.sub(r" path='[^']*/abi\.c'", "", target.read_text()))
    return target


def describe_library(target: Path, library: Path) -> Path:
    """The same of a real library, which has debug information; without those types that no function leads to."""
    _abidw(target, library, INCLUDE, "--exported-interfaces-only", "--drop-private-types")
    return target


def symbols(description: Path) -> dict[str, str]:
    """The exported functions, and the version node of each."""
    root = xml.etree.ElementTree.parse(description).getroot()
    return {symbol.attrib["name"]: symbol.attrib.get("version", "") for symbol in root.iter("elf-symbol")}


def library_symbols(library: Path) -> dict[str, str]:
    """The same of a library."""
    lines = _run("nm", "-D", "--defined-only", "--format=posix", library).stdout.splitlines()
    names = [line.split()[0].partition("@@") for line in lines if line.split()[1] == "T"]
    return {name: version for name, _, version in names}


class OtherFormat(Exception):
    """Of a description by another version of libabigail, which the installed abidiff cannot compare with its own."""


@dataclass
class Comparison:
    report: str  # "" where the two are the same
    breaks: bool = False  # more than functions added, and types that go with them

    @property
    def same(self) -> bool:
        return not self.report


def compare(old: Path, new: Path, *more: str) -> Comparison:
    """Two descriptions. `more` are options of abidiff."""
    # "Harmless" is what it calls a `const` that came or went.
    done = _run("abidiff", "--harmless", *more, old, new, allowed=(0, 1, 4, 8, 12))
    if "incompatible format version" in done.stdout + done.stderr:
        version = _run("abidiff", "--version").stdout.strip()
        raise OtherFormat(f"{version} does not read the format of {old.name}, which an older libabigail wrote")
    if done.returncode == 1:
        raise RuntimeError(f"abidiff {old} {new}: exit 1\n{done.stdout}{done.stderr}")
    if done.returncode == 0:
        return Comparison("")
    counts = re.findall(r"(\d+) (?:removed|changed)\b", done.stdout, re.IGNORECASE)
    breaks = any(int(count) for count in counts) or "SONAME" in done.stdout
    return Comparison(done.stdout, breaks)


def check(new: Path, old: Path = BASELINE) -> Comparison:
    return compare(old, new, "--non-reachable-types")


def why_not(new: Path, old: Path = BASELINE) -> str:
    """Why the promise may not simply be written anew; "" where it may."""
    if check(new, old).breaks:
        return "this changes what programs have been promised"
    before = symbols(old)
    released = set(before.values())
    late = sorted(name for name, node in symbols(new).items() if name not in before and node in released)
    if late:
        return f"{', '.join(late)}: new, and in a version node that is out already; give it one of its own"
    return ""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["update"], ["update", "--incompatible"]):
        print(__doc__, file=sys.stderr)
        return 64
    with tempfile.TemporaryDirectory() as scratch:
        new = describe(Path(scratch) / "new.abi")
        comparison = check(new)
        if comparison.same:
            print(f"as promised: {BASELINE.relative_to(ROOT)}")
            return 0
        print(comparison.report)
        reason = why_not(new)
        if not arguments or (reason and arguments != ["update", "--incompatible"]):
            print(reason or "only additions: tests.support.abi update", file=sys.stderr)
            return 1
        BASELINE.write_text(new.read_text())
        print(f"written: {BASELINE.relative_to(ROOT)}")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
