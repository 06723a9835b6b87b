"""How much code can run while CAP_NET_ADMIN is in effect: the sources of uml_net/priv, and what of the project they call,
found by the symbols that their object files want of each other. How much before the program has become its caller. And how
much in the executor's process at all, with what it runs without a capability in effect: that may only become less.

  /usr/bin/python3 -m tests.support.privileged_code [BUILD]
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {f"uml_net/{room}": f"uml_net_{room}" for room in ("priv", "sys", "filters", "channel", "executor", "recorder", "worker", "startup", "front")}
ROOMS |= {"policy": "umlnet_policy", "policy/loader": "umlnet_policy_loader", "policy/files": "umlnet_policy_files", "libumlnet/core": "umlnet_core"}
MADE_OF = {"meson-generated_.._generated_filters.cc.o": "tables.cc"}  # what a person reads instead


def objects(build: Path, room: str, library: str) -> dict[Path, Path]:
    """Object files by their source."""
    directory = build / room / f"lib{library}.a.p"
    return {ROOT / room / MADE_OF.get(path.name, path.name.removesuffix(".o")): path for path in directory.glob("*.cc.o")}


def symbols(path: Path) -> tuple[set[str], set[str]]:
    """What an object file defines (strongly), and what it wants. Not by nm, which looks at what is there for the linker
    to optimize, where that is there, too."""
    defined, wanted = set(), set()
    for line in subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True).stdout.splitlines():
        columns = line.split()
        if len(columns) != 8 or columns[4] not in ("GLOBAL", "WEAK"):
            continue
        if columns[6] == "UND":
            wanted.add(columns[7])
        elif columns[4] == "GLOBAL":
            defined.add(columns[7])
    return defined, wanted


def text_bytes(path: Path) -> int:
    sections = subprocess.run(["size", "-A", path], capture_output=True, text=True, check=True).stdout
    return sum(int(size) for size in re.findall(r"^\.text\S*\s+(\d+)", sections, re.MULTILINE))


# What opens, looks at or reads before the program has become its caller; main() itself is counted apart.
BEFORE_THE_DROP = tuple(f"uml_net/{name}.cc" for name in ("worker/announcer", "startup/identity", "startup/peek",
                                                           "recorder/recorder", "startup/startup", "startup/trusted_inputs"))


EXECUTOR = "uml_net/executor/executor.cc"
# Lines in the executor's process, which may only become fewer: who makes them fewer writes the new number here.
MOST_LINES = 9677
# What reads the caller's words, and is the front's alone.
PARSERS = tuple(f"libumlnet/core/{name}.cc" for name in ("call", "native5_arguments", "qemu_bridge_arguments", "uml4_arguments", "uml4_control"))


def reached_from(start: set[Path], known: dict[Path, tuple[set[str], set[str]]]) -> set[Path]:
    where = {name: source for source, (defined, _) in known.items() for name in defined}
    reached, todo = set(start), list(start)
    while todo:
        for name in known[todo.pop()][1]:
            source = where.get(name)
            if source is not None and source not in reached:
                reached.add(source)
                todo.append(source)
    return reached


def lines_of_serve() -> int:
    """Of main(), and the front up to its change of identity."""
    return sum(len((ROOT / name).read_text().splitlines()) for name in ("uml_net/main.cc", "uml_net/front/front.cc"))


def report(title: str, reached: set[Path], files: dict[Path, Path], listed: str, more: int = 0) -> int:
    total = [more, 0]
    for room in ROOMS:
        sources = sorted(source for source in reached if source.parent == ROOT / room)
        lines = sum(len(source.read_text().splitlines()) for source in sources)
        size = sum(text_bytes(files[source]) for source in sources)
        total[0] += lines
        total[1] += size
        if sources:
            print(f"{room}: {len(sources)} files, {lines} lines, {size} bytes of machine code")
        if sources and room != listed:
            print("  " + " ".join(source.name for source in sources))
    print(f"{title} at most: {total[0]} lines, {total[1]} bytes of machine code")
    return total[0]


def main() -> None:
    build = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build-tests")
    files = {source: path for room, library in ROOMS.items() for source, path in objects(build, room, library).items()}
    known = {source: symbols(path) for source, path in files.items()}
    privileged = {source for source in files if source.is_relative_to(ROOT / "uml_net/priv")}
    report("with a capability in effect", reached_from(privileged, known), files, "uml_net/priv")
    print()
    early = {ROOT / name for name in BEFORE_THE_DROP}
    assert early <= set(files), early - set(files)
    report("with the identity of the installation (effective uid 0)", reached_from(early, known), files, "", lines_of_serve())
    print()
    executor = reached_from({ROOT / EXECUTOR, *privileged}, known)
    lines = report("in the executor's process", executor, files, "")
    assert not executor & {ROOT / name for name in PARSERS}, "the executor reaches a parser of the caller's words"
    if lines > MOST_LINES:
        sys.exit(f"in the executor's process are {lines - MOST_LINES} lines more than tests/support/privileged_code.py allows")
    if lines < MOST_LINES:
        print(f"MOST_LINES in tests/support/privileged_code.py can be {lines} from now on")


if __name__ == "__main__":
    main()
