"""Long and much, and then whether anything is left: devices, descriptors, memory, neighbour entries, routes.

  /usr/bin/python3 -m tests.bench.soak                the whole: some ten minutes on two processors
  /usr/bin/python3 -m tests.bench.soak --part 0.1     a tenth of each number

Needs root and a helper in build-tests/ (or UMLNET_HELPER), and works in namespaces of its own. Prints one JSON object; times are
for reading and decide nothing. Ends with 1 where something was left, or was not as asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support import caller, ethertap, world
from tests.support.case import HELPER
from tests.support.process import status_of

NOBODY = 65534
GATE, MASK = "10.99.0.254", "255.255.0.0"
LIVE_DEVICES, CYCLES, CALLERS, SESSIONS = 1_000, 20_000, 8, 200
# An hour of a guest that moves 50 Mbit/s.
TRAFFIC = 22_500_000_000  # bytes
FRAME = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + bytes(1500)
POLICY = {
    "version": 1,
    "rules": [{"name": "soak", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address"], "devices": ["soak*"],
               "gateways": ["10.99.0.0/16"], "guests": ["10.50.0.0/16"], "lan": ["eth0"], "max_devices": 4000,
               "max_addresses": 4000}],
}
SETTLED = 30  # seconds, for the kernel to be done with what was closed


def kernel_memory() -> int:
    """Bytes that the kernel holds for its own objects and cannot give back."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["SUnreclaim"].split()[0]) * 1024


def holdings() -> dict[str, Any]:
    """What could be left."""
    neighbours = json.loads(world.sh("ip", "-j", "neigh", "show") or "[]")
    return {
        "devices": len(world.links()),
        "proxy_entries": len(world.proxy_entries()),
        "neighbours": len(neighbours),
        "routes": sum(len(world.routes(table)) for table in ("main", "local")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "processes": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
    }


def percentile(times: list[float], part: float) -> float:
    ordered = sorted(times)
    return round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)


def in_milliseconds(times: list[float]) -> dict[str, float]:
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99), "most": percentile(times, 1)}

FIGURES = Path(__file__).parent / "soak.json"


class Soak:
    def __init__(self, part: float) -> None:
        self.part = part
        world.enter(0o666)
        world.fresh_network()
        world.write_policy(POLICY)
        self.lan = world.lan(address="10.50.0.1/16", peer_address="10.50.0.2/16")
        world.keep_rates_fresh()
        self.helper = world.helper_copy(HELPER, "setuid")
        self.failures: list[str] = []

    def count(self, whole: int) -> int:
        return max(1, int(whole * self.part))

    def expect(self, condition: bool, what: str) -> None:
        if not condition:
            self.failures.append(what)
            print(f"soak: {what}", file=sys.stderr)

    def open_tap(self) -> tuple[caller.Reply, float]:
        started = time.monotonic()
        reply = caller.tuntap_up(self.helper, GATE, user=NOBODY)
        self.expect(reply.exit == 0 and len(reply.fds) == 1, f"a request was refused: {reply}")
        return reply, time.monotonic() - started

    def live(self) -> dict[str, Any]:
        count = self.count(LIVE_DEVICES)
        replies, times = [], []
        for _ in range(count):
            reply, took = self.open_tap()
            replies.append(reply)
            times.append(took)
        self.expect(len([name for name in world.links() if name.startswith("tap")]) == count, "not all devices are there at once")
        started = time.monotonic()
        for reply in replies:
            reply.close()
        return {"devices": count, "opened_ms": in_milliseconds(times), "first_ms": round(1000 * times[0], 2),
                "last_ms": round(1000 * times[-1], 2), "closed_s": round(time.monotonic() - started, 1)}

    def one_cycle(self, number: int) -> float:
        """A device, for every second one also a guest address that the LAN sees, and all of it gone again."""
        started = time.monotonic()
        reply, _ = self.open_tap()
        if reply.exit == 0 and number % 2:
            guest = (reply.name, f"10.50.{1 + number % 250}.{1 + number // 250 % 250}", MASK)
            for word in ("add", "del"):
                done = caller.framed(self.helper, "4", word, *guest, user=NOBODY)
                # 75: another request of the same user did not end; with 8 at a time it must.
                self.expect(done.exit == 0, f"{word} of {guest} was refused: {done}")
        reply.close()
        return time.monotonic() - started

    def cycles(self) -> dict[str, Any]:
        count = self.count(CYCLES)
        started = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as pool:
            times = list(pool.map(self.one_cycle, range(count)))
        took = time.monotonic() - started
        return {"cycles": count, "callers": CALLERS, "seconds": round(took, 1), "per_second": round(count / took, 1),
                "cycle_ms": in_milliseconds(times)}

    def sessions(self) -> dict[str, Any]:
        count = self.count(SESSIONS)
        started = time.monotonic()
        sessions = [ethertap.Session(self.helper, f"soak{i}", GATE, user=NOBODY) for i in range(count)]
        opened = time.monotonic() - started
        for i, session in enumerate(sessions):
            self.expect(session.status == b"\1", f"a session was refused: {session.text}")
            self.expect("routed" in session.ask(ethertap.ADD, f"10.50.{1 + i // 250}.{1 + i % 250}", MASK), "an address was refused")
            session.data.send(b"\0\0" + FRAME)
        memory = [sum(int(status_of(pid)["VmRSS"].split()[0]) for pid in (session.process.pid, *session.children()))
                  for session in sessions]
        started = time.monotonic()
        for session in sessions:
            self.expect(session.close() == 0, "a session did not end in order")
            assert session.process.stderr
            session.process.stderr.close()
        return {"sessions": count, "opened_s": round(opened, 1), "closed_s": round(time.monotonic() - started, 1),
                "resident_kib_of_its_processes": max(memory)}

    def traffic(self) -> dict[str, Any]:
        """Through one ethertap session, from the guest to the host; what its processes hold must not grow."""
        wanted = self.count(TRAFFIC)
        with ethertap.Session(self.helper, "soak0", GATE, user=NOBODY) as session:
            pids = (session.process.pid, *session.children())

            def resident() -> int:
                return sum(int(status_of(pid)["VmRSS"].split()[0]) for pid in pids)

            def descriptors() -> int:
                return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)

            session.data.settimeout(SETTLED)
            datagram = b"\0\0" + FRAME
            for _ in range(1000):
                session.data.send(datagram)
            memory, files = resident(), descriptors()
            started, sent, send = time.monotonic(), 0, session.data.send
            while sent < wanted:
                for _ in range(1000):
                    send(datagram)
                sent += 1000 * len(FRAME)
            took = time.monotonic() - started
            grown = resident() - memory
            self.expect(grown < 512, f"a session grew by {grown} KiB")
            self.expect(descriptors() == files, "a session has more descriptors than before")
            return {"bytes": sent, "seconds": round(took, 1), "gbit_per_s": round(8e-9 * sent / took, 2), "grown_kib": grown}

    def nothing_left(self, before: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + SETTLED
        while (left := holdings()) != before and time.monotonic() < deadline:
            time.sleep(0.2)
        more = {key: left[key] - before[key] for key in left if left[key] != before[key]}
        self.expect(not more, f"left behind: {more}")
        return more

    def run(self) -> dict[str, Any]:
        parts: list[tuple[str, Callable[[], dict[str, Any]]]] = [
            ("devices_at_once", self.live), ("create_and_destroy", self.cycles), ("ethertap_sessions", self.sessions),
            ("traffic", self.traffic)]
        self.one_cycle(1)  # what is made once and stays, of whatever
        report: dict[str, Any] = {}
        for name, part in parts:
            print(f"soak: {name}", file=sys.stderr)
            before, kernel = holdings(), kernel_memory()
            report[name] = part()
            report[name]["left_behind"] = self.nothing_left(before)
            report[name]["kernel_memory_grown_kib"] = (kernel_memory() - kernel) // 1024
        lines = world.audit_lines()
        self.expect(all(line["event"] in ("accept", "exit") for line in lines), "something else than grants is in the log")
        report["audit_lines"] = len(lines)
        report["failures"] = self.failures
        self.lan.close()
        return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=float, default=1.0, help="of each number, for a shorter one (default: 1)")
    parser.add_argument("--update", action="store_true", help="keep the figures for tests/bench/RESULTS.md (soak.json)")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    socket.setdefaulttimeout(None)
    report = Soak(asked.part).run()
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if asked.update:
        FIGURES.write_text(text)
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
