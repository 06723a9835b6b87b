"""tests/bench/run says what this does."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import helper, report

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PARTS = ("helper", "session", "pump")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    models = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {"processors": os.cpu_count(), "model": models[0] if models else platform.machine(),
            "kernel": platform.release(), "date": datetime.date.today().isoformat()}


def module(name: str, *arguments: str) -> Any:
    """A part that is a program of its own, since each enters namespaces for good; None where there is none."""
    if importlib.util.find_spec(f"tests.bench.{name}") is None:
        return None
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        argv = [sys.executable, "-m", f"tests.bench.{name}", "--json", file.name, *arguments]
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            say(f"tests/bench/run: {name} failed with {done.returncode}, and is left out")
            return None
        return json.loads(Path(file.name).read_text())


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--rounds", type=int, help="of the helper's part (default: 200, quick: 15) and the pump's (5, 1)")
    parser.add_argument("--update", action="store_true", help="write tests/bench/RESULTS.md and its plots")
    parser.add_argument("--json", type=Path, help="where the numbers go (default: bench/results.json in the build directory)")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    for part in parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; the parts are {', '.join(PARTS)}")
    rounds = arguments.rounds or (15 if arguments.quick else 200)
    directory = ROOT / os.environ.get("UMLNET_BUILD", "build") / "bench"
    directory.mkdir(parents=True, exist_ok=True)

    output = arguments.json or directory / "results.json"
    results: dict[str, Any] = {"machine": machine()}
    if arguments.parts and output.exists():  # the other parts stay as they were measured, if that was here and today
        before = json.loads(output.read_text())
        results = before if before["machine"] == results["machine"] else results
    for name in ("session", "pump"):  # before this process enters namespaces for good
        if name in parts:
            say(f"== {name}")
            results[name] = module(name, *(["--quick"] if name == "session" and arguments.quick else []),
                                   *(["--rounds", "1", "--seconds", "0.3"] if name == "pump" and arguments.quick else []),
                                   *(["--rounds", str(arguments.rounds)] if name == "pump" and arguments.rounds else []))
    if "helper" in parts:
        say("== helper")
        bench = helper.Bench()
        results["helper"] = helper.requests(bench, rounds, say)
        devices = (0, 100) if arguments.quick else (0, 100, 1000, 4000)
        results["growth"] = helper.growth(bench, max(rounds // 5, 3), devices, say)
        results["size"] = helper.sizes(results["helper"]["alone"])

    output.write_text(json.dumps(results, indent=1) + "\n")
    place = HERE if arguments.update else directory
    text = report.written(results, place)
    (place / "RESULTS.md").write_text(text)
    print(text)
    say(f"numbers: {output}; report and plots: {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
