"""Runs the suites and counts: unit is a doctest program, the others are Python's unittest. The last line is
"N passed, N failed". Each file is a process of its own, because a test enters namespaces for good."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support import place

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("UMLNET_BUILD", "build-tests")
# In an order in which the files that take long begin early.
SUITES = ("unit", "lint", "rooms", "hostile", "users", "netns", "captures", "abi", "guests")
# Seconds for one file of tests, which takes some ten by day.
LONGEST = 4 * 3600 if os.environ.get("UMLNET_NIGHTLY") == "1" else 600
AT_A_TIME = 3
IN_CI = os.environ.get("UMLNET_CI") == "1"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Count") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def run_unit() -> Count:
    done = subprocess.run([BUILD / "tests" / "unit" / "unit"], capture_output=True, text=True, cwd=ROOT)
    match = re.search(r"test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed", done.stdout)
    if not match or done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n")
    if not match:
        return Count(failed=1)
    count = Count(int(match[1]), int(match[2]))
    if done.returncode != 0 and count.failed == 0:
        count.failed = 1
    return count


def run_to_its_end(argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Into files, not pipes, which whatever a test left running would hold open."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(argv, stdout=out, stderr=err, cwd=ROOT, env=environment, start_new_session=True)
        try:
            process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            err.write(f"\nnot done after {LONGEST} s, and killed\n")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
        return subprocess.CompletedProcess(argv, process.returncode, *texts)


def heed_signals_again() -> None:
    """Whoever started this may have had some ignored (nohup, a job in the background), and what tests start would inherit
    that: tests of signals would wait for ever."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def run_file(module: str) -> Count:
    environment = {**os.environ, "UMLNET_HELPER": str(BUILD / "uml_net" / "uml_net"),
                   "UMLNET_GUEST_KERNEL": str(BUILD / "guest-kernel")}
    done = run_to_its_end([sys.executable, "-m", "unittest", "-v", module], environment)
    ran = re.search(r"^Ran (\d+) tests? in", done.stderr, re.MULTILINE)
    total = int(ran[1]) if ran else 0
    detail = {key: int(value) for key, value in re.findall(r"(failures|errors|skipped)=(\d+)", done.stderr)}
    # The first line of a test's description is on a line of its own.
    skips = re.findall(r"^ *(test_\w+) \([^()\n]*\)(?:\n(?!test_).*?| .*?)? \.\.\. skipped (.+)$", done.stderr, re.MULTILINE)
    for name, why in skips:
        print(f"  skipped: {name}: {why}")
    count = Count(failed=detail.get("failures", 0) + detail.get("errors", 0), skipped=detail.get("skipped", 0))
    # A test with several failing subtests counts as one more failed test than there are tests.
    count.passed = max(total - count.failed - count.skipped, 0)
    if done.returncode != 0:
        count.failed = max(count.failed, 1)
        print(done.stdout, done.stderr, sep="\n")
    elif total == 0:
        print(f"  {module} holds no test")
        count.failed = 1
    return count


def run_and_tell(module: str) -> Count:
    started = time.monotonic()
    count = run_unit() if module == "unit" else run_file(module)
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{module.removeprefix('tests.')}: {count.passed} passed, {count.failed} failed{skipped}"
          f" ({time.monotonic() - started:.1f} s)", flush=True)
    return count


def modules_of(wanted: str) -> list[str]:
    suite, _, file = wanted.partition(".")
    if suite not in SUITES or (file and not (ROOT / "tests" / suite / f"{file}.py").is_file()):
        sys.exit(f"tests/run: there is no {wanted!r}; the suites are {', '.join(SUITES)}, and a file of one is suite.file")
    if suite == "unit":
        return ["unit"]
    return [f"tests.{suite}.{file or path.stem}" for path in sorted((ROOT / "tests" / suite).glob("test_*.py"))
            if not file or path.stem == file]


def main() -> int:
    place.move_to("tests.support.run_suites", sys.argv[1:])
    heed_signals_again()
    modules = [module for wanted in (sys.argv[1:] or SUITES) for module in modules_of(wanted)]
    total = Count()
    # Most of what they do is wait. Guests want the processors for themselves.
    with ThreadPoolExecutor(AT_A_TIME) as executor:
        together = [module for module in modules if not module.startswith("tests.guests.")]
        for count in executor.map(run_and_tell, together):
            total.add(count)
    for module in modules:
        if module not in together:
            total.add(run_and_tell(module))
    if total.skipped and IN_CI:
        print(f"{total.skipped} skipped: in CI nothing may be, so they count as failed")
        total.failed += total.skipped
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
