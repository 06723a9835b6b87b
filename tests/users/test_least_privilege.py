"""The tables of SECURITY.md, held to the kernel's own word: what each stage of a request and each process has, and which
system calls its filters let through."""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support import caller, ethertap, seccomp, world
from tests.support.case import HELPER, LOG_GROUP, ROOT, HostCase
from tests.support.process import announcers_of, capabilities, children_of, front_of, status_of, workers_of
from tests.support.pump import DGRAM, Pump, end

FAILING_CALL = HELPER.parents[1] / "tests" / "netns" / "failing-call"
NOBODY = 65534
CAPABILITIES = {"none": 0, "`cap_net_admin`": 1 << 12, "`cap_setpcap`": 1 << 8, "`cap_net_admin` `cap_setpcap`": 1 << 12 | 1 << 8}
POLICY = {"version": 1, "rules": [{"name": "g", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.50.0.0/24"], "devices": ["tap7"]}]}
GATE = "10.99.0.254"
PATIENCE = 10  # seconds


def table(first: str) -> list[dict[str, str]]:
    """The rows of the table of SECURITY.md whose first heading is that."""
    lines = (ROOT / "SECURITY.md").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    heads = [head.strip() for head in lines[at].strip("|").split("|")]
    rows = []
    for line in lines[at + 2:]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(heads, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return rows


def calls_in(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


@dataclass(frozen=True)
class Step:
    """What a process had when it made a system call."""

    uid: str
    permitted: str
    effective: str
    no_new_privs: str
    filter: str


def name_of(capabilities: int) -> str:
    known = {value: name for name, value in CAPABILITIES.items()}
    return known.get(capabilities, "all" if capabilities.bit_count() > 30 else hex(capabilities))


class LeastPrivilege(HostCase):
    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)

    def trace(self, helper: Path, of_front: bool = False) -> Iterator[tuple[str, Step]]:
        """Each system call of a `tuntap up` that is granted, and what the process had: the executor, or the front."""
        with tempfile.TemporaryDirectory() as directory:
            report, traced = Path(directory) / "report", Path(directory) / "uml_net"
            traced.write_text(f'#!/bin/sh\nexec {FAILING_CALL} trace 0 0 {NOBODY} {report} {helper} "$@"\n')
            traced.chmod(0o755)
            with caller.tuntap_up(traced, GATE) as reply:
                self.assertEqual((reply.exit, len(reply.fds)), (0, 1), reply)
            named = seccomp.names()
            lines = report.read_text().splitlines()
            executor = lines[0].split()[-1]
            # The first that it makes, though another one may come to its first call before.
            front = min({line.split()[-1] for line in lines} - {executor}, key=int)
            for line in lines:
                number, _, real, effective, saved, permitted, in_effect, no_new_privs, filters, _, pid = line.split()
                if pid != (front if of_front else executor):
                    continue
                self.assertEqual(real, str(NOBODY))
                self.assertIn(saved, (effective, "0"))
                yield named[int(number)], Step({"0": "root", real: "caller"}[effective], name_of(int(permitted, 16)),
                                               name_of(int(in_effect, 16)), {"0": "no", "1": "yes"}[no_new_privs],
                                               {"1": "no", "2": "yes"}[filters])  # the first is the watcher's own

    def test_each_stage_of_a_request(self) -> None:
        rows = table("stage")
        steps = [(step, {call for call, _ in calls}) for step, calls in
                 groupby(self.trace(world.helper_copy(HELPER, "setuid")), key=lambda item: item[1])]
        promised = [Step(row["effective uid"], row["permitted"], row["in effect"], row["no_new_privs"], row["filter"])
                    for row in rows]
        self.assertEqual([step for step, _ in steps], promised)
        of_the_filter = calls_in(table("process")[0]["system calls"])
        for row, (_, calls) in zip(rows, steps, strict=True):
            if row["system calls"] != "any":
                allowed = of_the_filter if row["system calls"] == "of the filter" else calls_in(row["system calls"])
                self.assertLessEqual(calls, allowed, row["stage"])

    def test_the_front_has_nothing_when_it_reads(self) -> None:
        """From before its first look at what the caller wrote it has no capability, the caller's identity, and its filter."""
        steps = list(self.trace(world.helper_copy(HELPER, "setuid"), of_front=True))
        before = [(call, step) for call, step in steps if step.filter == "no"]
        after = steps[len(before):]
        self.assertLessEqual({call for call, _ in before}, {"set_robust_list", "getpid", "gettid", "capget", "capset", "prctl",
                                                            "getuid", "getgid", "setresgid", "setresuid", "getresuid", "getresgid",
                                                            "setsid", "rt_sigprocmask", "prlimit64", "close_range", "close",
                                                            "brk", "mmap", "seccomp"})
        self.assertLessEqual({call for call, _ in after}, calls_in({row["process"]: row for row in table("process")}
                                                                   ["`uml_net`, front"]["system calls"]))
        self.assertIn("sendmsg", {call for call, _ in after})
        self.assertEqual({(step.uid, step.permitted, step.effective, step.no_new_privs) for _, step in after},
                         {("caller", "none", "none", "yes")})

    def test_with_a_file_capability_nothing_else_is_ever_there(self) -> None:
        helper = world.helper_copy(HELPER, "filecap", LOG_GROUP)
        world.reset_log(mode=0o660, group=LOG_GROUP)
        steps = {step for _, step in self.trace(helper)}
        self.assertEqual({step.uid for step in steps}, {"caller"})
        self.assertEqual({step.permitted for step in steps}, {"`cap_net_admin`", "none"})
        self.assertLessEqual({step.effective for step in steps}, {"`cap_net_admin`", "none"})

    def holds(self, process: str, pid: int, more: int = 0) -> None:
        """The row of the table is true of the live process, which has so many descriptors `more` for now."""
        rows = {row["process"]: row for row in table("process")}
        row = rows[process]
        calls = calls_in(row["system calls"])
        if row["system calls"].startswith("the same"):
            calls |= calls_in(rows["`uml_net`"]["system calls"])
        deadline = time.monotonic() + PATIENCE
        while status_of(pid)["Seccomp"] != "2":  # a new process comes to it by and by
            self.assertLess(time.monotonic(), deadline, process)
        self.assertEqual(sorted(seccomp.reachable(pid)), sorted(calls), process)
        status = status_of(pid)
        held = capabilities(status)
        self.assertEqual((held["CapPrm"], held["CapEff"], held["CapInh"], held["CapAmb"]),
                         (CAPABILITIES[row["permitted"]], 0, 0, 0), process)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(len(os.listdir(f"/proc/{pid}/fd")), int(row["descriptors"]) + more, process)

    def test_the_helper_while_its_reply_waits(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                theirs.send(b"x")
        helper = world.helper_copy(HELPER, "setuid")
        with ours, theirs:
            process = subprocess.Popen([helper, "4", "tuntap", "up", GATE], stdin=subprocess.DEVNULL, stdout=theirs,
                                       stderr=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
            with process:
                deadline = time.monotonic() + PATIENCE
                while "tap0" not in world.links() or "UP" not in world.links()["tap0"]["flags"]:
                    self.assertLess(time.monotonic(), deadline)
                while status_of(process.pid)["State"][0] != "S":
                    self.assertLess(time.monotonic(), deadline)
                self.holds("`uml_net`", process.pid)
                self.holds("`uml_net`, front", front_of(process.pid), more=1)  # the device, for its caller
                self.holds("`uml_net`, recorder", workers_of(process.pid)[0])
                process.kill()

    def test_the_processes_of_an_ethertap_session(self) -> None:
        with ethertap.Session(world.helper_copy(HELPER, "setuid"), "tap7", GATE, user=NOBODY) as session:
            session.ask(ethertap.ADD, "10.50.0.7")
            self.holds("`uml_net`, controller of a session", session.process.pid)
            self.holds("`uml_net`, front", front_of(session.process.pid))
            self.holds("`uml_net`, recorder", session.recorder())
            self.holds("`uml_net`, relay of a session", session.relay())
            (announcer,) = announcers_of(session.process.pid)
            self.holds("`uml_net`, announcer", announcer)

    def test_the_processes_of_a_native_session(self) -> None:
        """The recorder has root's file access for the trusted files, and nothing else; the caller's worker is the caller."""
        world.write_policy({"version": 1, "rules": [{"name": "g", "users": [NOBODY], "operations": ["open"], "devices": ["tap*"]}]})
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        helper = world.helper_copy(HELPER, "setuid")
        with ours:
            ours.settimeout(PATIENCE)
            process = subprocess.Popen([helper, "5", "session"], stdin=subprocess.DEVNULL, stdout=theirs, user=NOBODY,
                                       group=NOBODY, extra_groups=[])
            theirs.close()
            self.assertIn(b'"session":true', ours.recv(65536))
            recorder, caller_worker = workers_of(process.pid)
            self.assertEqual([set(status_of(pid)["Uid"].split()) for pid in (recorder, caller_worker)], [{"0"}, {str(NOBODY)}])
            self.holds("`uml_net`, native session", process.pid)
            self.holds("`uml_net`, front", front_of(process.pid))
            self.holds("`uml_net`, recorder", recorder)
            (announcer,) = announcers_of(process.pid)
            self.assertEqual(set(status_of(announcer)["Uid"].split()), {str(NOBODY)})
            self.holds("`uml_net`, announcer", announcer)
            self.holds("`uml_net`, caller's worker of a session", caller_worker)
            ours.send(b"open\0device=tap7\0sealed\0")
            data, fds, _, _ = socket.recv_fds(ours, 65536, 8)
            self.assertEqual(len(fds), 1, data)
            (relay,) = children_of(caller_worker)
            deadline = time.monotonic() + PATIENCE
            while status_of(relay)["Seccomp_filters"] != "2":  # it may not have had its turn yet
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.holds("`uml_net`, relay of a sealed device", relay)
            os.close(fds[0])
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_the_pump_and_its_watcher(self) -> None:
        reply = caller.tuntap_up(HELPER)
        self.addCleanup(reply.close)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs, Pump(end(1, reply.fds[0]), end(DGRAM, theirs.fileno())) as pump:
            pump.start()
            (watcher,) = [pid for pid in children_of(os.getpid())
                          if Path(f"/proc/{pid}/exe").resolve() == Path("/proc/self/exe").resolve()]
            (process,) = children_of(watcher)
            self.holds("`umlnet-pump`", process)
            self.holds("watcher of libumlnet", watcher)


if __name__ == "__main__":
    unittest.main()
