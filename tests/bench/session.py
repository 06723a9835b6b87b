"""What a device costs in a session of the native protocol, beside a call of the helper for each and the floor program, and
what it costs to end many at once.

    python3 -m tests.bench.session [--json FILE] [--quick]"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.helper import GATE, Bench
from tests.bench.stopwatch import NOBODY, Contender, time_them
from tests.support import native, world

POLICY = {"version": 1, "rules": [{"name": "bench", "users": [NOBODY], "operations": ["open", "tuntap"], "gateways": ["10.99.0.0/16"],
                                   "max_devices": 4000}]}


# At a time: closing one makes the kernel wait for some milliseconds, and whatever comes then waits with it. So devices
# are timed while all of their batch are open, and closed together.
BATCH = 20


def quiet_again() -> None:
    deadline = time.monotonic() + 30
    while any(name.startswith("tap") for name in world.links()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)


def microseconds(ask: Any, rounds: int) -> list[float]:
    """Of each `ask()`."""
    found: list[float] = []
    while len(found) < rounds:
        held = []
        for _ in range(BATCH):
            started = time.perf_counter()
            answer = ask()
            found.append(1e6 * (time.perf_counter() - started))
            assert answer.ok, answer
            held.append(answer)
        for answer in held:
            answer.close()
        quiet_again()
    return found


def kernels_part(floor: Path, rounds: int) -> list[float]:
    """The same system calls, and no others, in one process that goes on."""
    found: list[float] = []
    while len(found) < rounds:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            drain = threading.Thread(target=lambda: [ours.recv(64) for _ in range(BATCH)])
            drain.start()
            done = subprocess.run([str(floor), GATE, str(BATCH)], stdout=theirs, stderr=subprocess.PIPE, text=True, check=True)
            drain.join()
        found += [int(line) / 1000 for line in done.stderr.split()]
        quiet_again()
    return found


def measure(rounds: int, many: int) -> dict[str, Any]:
    bench = Bench()
    world.remove_policy()
    world.write_policy(POLICY)
    helper = bench.helpers["setuid"]
    call = Contender("call", "datagram", [helper, "5", "open", f"address={GATE}"])
    paired = time_them(bench.stopwatch, rounds, [*bench.contenders("floor"), call])
    floor = paired["floor"]["p50_us"]
    results: dict[str, Any] = {"floor program, us": floor, "a call for each device, us": paired["call"]["p50_us"]}
    with native.Session(helper, user=NOBODY) as session:
        each = microseconds(lambda: session.ask("open", f"address={GATE}"), rounds)
        results["a device in a session, us"] = statistics.median(each)
        results["a device in a session, us, p99"] = sorted(each)[min(len(each) - 1, int(len(each) * 0.99))]
        results["a device in a session, to the floor"] = statistics.median(each) / floor
        kernel = statistics.median(kernels_part(bench.floor, rounds))
        results["of that the kernel's own part, us"] = kernel
        results["a device in a session, to the kernel's own part"] = statistics.median(each) / kernel
        held = []
        started = time.perf_counter()
        for _ in range(many):
            answer = session.ask("open")
            assert answer.ok, answer
            held.append(answer)
        results[f"opening {many} in a session, s"] = time.perf_counter() - started
        started = time.perf_counter()
        assert session.close() == 0
        together = time.perf_counter() - started
        results[f"ending a session with {many}, s"] = together
        for answer in held:
            answer.close()
    few = max(many // 20, 5)
    fds = [native.call(helper, "open", user=NOBODY) for _ in range(few)]
    started = time.perf_counter()
    for answer in fds:
        answer.close()
    alone = (time.perf_counter() - started) / few * many
    results[f"closing {many} one by one, s (from {few})"] = alone
    results["one by one, to ending the session"] = alone / together
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    found = measure(20 if asked.quick else 200, 100 if asked.quick else 1000)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
