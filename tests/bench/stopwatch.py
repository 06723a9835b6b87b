"""stopwatch.c from Python: which programs take turns, and what their times come to."""

from __future__ import annotations

import json
import math
import shutil
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOBODY = 65534


@dataclass
class Contender:
    name: str
    way: str  # datagram, stream, exit: see stopwatch.c
    argv: list[str]
    after: list[str] = field(default_factory=list)
    uid: int = NOBODY


def compiled(name: str, directory: Path) -> Path:
    """A C program beside this file, static and optimized, as setuid root as the helpers are."""
    program = directory / name
    subprocess.run(["cc", "-O2", "-static", "-o", str(program), str(HERE / f"{name}.c")], check=True)
    program.chmod(0o4755)
    return program


def installed(program: str | Path, directory: Path, name: str) -> str | None:
    """A copy of a peer, set-user-ID root; None where this machine does not have it."""
    if not Path(program).is_file():
        return None
    copy = directory / name
    shutil.copyfile(program, copy)
    copy.chmod(0o4755)
    return str(copy)


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def time_them(stopwatch: Path, rounds: int, contenders: list[Contender], callers: int = 1,
              floor: str = "floor") -> dict[str, dict[str, Any]]:
    """By name: p50 and p99 in microseconds, and the median over the rounds of the ratio to the floor of the same round.
    With several callers at a time, a round counts with its mean."""
    argv = [str(stopwatch), str(rounds), str(callers)]
    for one in contenders:
        argv += ["--", one.name, str(one.uid), one.way, *one.argv]
        argv += ["--after", *one.after] if one.after else []
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    runs: dict[str, dict[int, list[list[int]]]] = {}
    for line in done.stdout.splitlines():
        name, number, *values = json.loads(line)
        runs.setdefault(name, {}).setdefault(number, []).append(values)
    found: dict[str, dict[str, Any]] = {}
    for name in (one.name for one in contenders):
        by_round = runs[name]
        every = [values for many in by_round.values() for values in many]
        times = [values[0] / 1000 for values in every]
        found[name] = {"p50_us": round(statistics.median(times), 1), "p99_us": round(percentile(times, 99), 1),
                       "samples": len(times), "peak_kib": max(values[1] for values in every),
                       "page_faults": statistics.median(values[2] for values in every)}
        for other in (floor,) if floor in runs else ():
            ratios = [statistics.mean(v[0] for v in many) / statistics.mean(v[0] for v in runs[other][number])
                      for number, many in by_round.items()]
            found[name]["ratio_to_floor"] = round(statistics.median(ratios), 3)
    return found


def paired(found: dict[str, dict[str, Any]], peer: str, ours: str) -> float | None:
    """How many times as long the peer takes."""
    if peer not in found or ours not in found:
        return None
    return round(found[peer]["ratio_to_floor"] / found[ours]["ratio_to_floor"], 2)
