"""Many requests of real users in the same instant: limits, addresses that two want, and the audit log under them."""

import fcntl
import glob
import gzip
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
from collections import Counter
from pathlib import Path
from typing import Any, Callable

from tests.support import caller, world
from tests.support.case import AUDIT_LINE, HELPER, LOG_GROUP, HostCase
from tests.support.crowd import Crowd, close_all

NOBODY, SOMEBODY = 65534, 65533
MASK = "255.255.255.0"
TUNSETOWNER = 0x400454CC
BUSY, DENIED, CONFLICT = 75, 77, 69
LIMIT, MANY = 8, 50
LOGROTATE = HELPER.parent / "logrotate"  # as it is installed


def policy(**limits: int) -> dict[str, Any]:
    return {"version": 1, "rules": [{"name": "guests", "users": ["*"], "operations": ["tuntap", "address"],
                                     "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"], **limits}]}


def taps() -> int:
    return sum(line.lstrip().startswith("tap") for line in Path("/proc/self/net/dev").read_text().splitlines())


class Beside:
    """Does something again and again in a thread, until the block ends."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.over.is_set():
            self.act()

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        self.thread.join()


class ConcurrentCase(HostCase):
    tun_mode = 0o600

    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")

    def up(self, user: int = NOBODY) -> caller.Reply:
        reply = caller.tuntap_up(self.helper, "10.99.0.254", user=user)
        self.assertEqual(reply.exit, 0, reply)
        self.addCleanup(reply.close)
        return reply

    def many_devices(self) -> list[caller.Reply]:
        crowd = Crowd(self.helper)
        for _ in range(MANY):
            crowd.add("4", "tuntap", "up", "10.99.0.254", user=NOBODY, datagram=True)
        replies = crowd.go()
        self.addCleanup(close_all, replies)
        return replies

    def many_addresses(self, device: str) -> list[caller.Reply]:
        crowd = Crowd(self.helper)
        for number in range(1, MANY + 1):
            crowd.add("4", "add", device, f"10.99.0.{number}", MASK, user=NOBODY)
        return crowd.go()

    def all_lines(self, full_disk: bool = False) -> list[dict[str, Any]]:
        """Of the log and of all that it was rotated to, compressed or not; each keeps to the schema. On a full disk, some were
        cut."""
        lines = []
        for name in glob.glob(f"{world.LOG}*"):
            data = Path(name).read_bytes()
            text = gzip.decompress(data) if name.endswith(".gz") else data
            for raw in text.splitlines(keepends=True):
                if full_disk and not raw.endswith(b"}\n"):
                    self.assertTrue(raw.startswith(b'{"time":"'[:len(raw.rstrip())]), raw)
                    continue
                self.assertTrue(raw.endswith(b"\n") and raw.isascii() and len(raw) <= 4096, raw)
                lines.append(json.loads(raw))
                self.assertEqual([fault.message for fault in AUDIT_LINE.iter_errors(lines[-1])], [], lines[-1])
        return lines


class Limits(ConcurrentCase):
    def test_devices_exactly_as_many_as_allowed_and_never_more(self) -> None:
        world.write_policy(policy(max_devices=LIMIT))
        most = [0]

        def look() -> None:
            most[0] = max(most[0], taps())

        with Beside(look):
            replies = self.many_devices()
        granted = [reply for reply in replies if reply.exit == 0]
        self.assertEqual(len(granted), LIMIT, Counter(reply.exit for reply in replies))
        self.assertTrue(all(len(reply.fds) == 1 for reply in granted))
        self.assertEqual((most[0], taps()), (LIMIT, LIMIT))
        for reply in replies:
            if reply not in granted:
                self.assert_refused(reply, DENIED, f"max_devices {LIMIT}: {LIMIT} in use")
        self.assertEqual(self.events().count(("accept", "result")), LIMIT)

    def test_addresses_exactly_as_many_as_allowed(self) -> None:
        world.write_policy(policy(max_addresses=LIMIT))
        replies = self.many_addresses(self.up().name)
        self.assertEqual(Counter(reply.exit for reply in replies), {0: LIMIT, DENIED: MANY - LIMIT})
        self.assertEqual(len([route for route in world.routes() if "proto 117" in route]), LIMIT)

    def test_never_over_while_the_log_is_renamed_under_the_callers(self) -> None:
        """The lock that keeps two requests of a user apart stands in the log: here often in two different ones."""
        world.write_policy(policy(max_devices=LIMIT, max_addresses=LIMIT))
        rotated = [0]

        def rotate() -> None:
            rotated[0] += 1
            world.LOG.rename(f"{world.LOG}.{rotated[0]}")
            world.touch_log(world.LOG)
            time.sleep(0.001)

        with Beside(rotate):
            devices = self.many_devices()
            granted = [reply for reply in devices if reply.exit == 0]
            self.assertLessEqual(len(granted), LIMIT)
            self.assertGreater(len(granted), 0)
            self.assertEqual(taps(), len(granted))
            addresses = self.many_addresses(granted[0].name)
        self.assertLessEqual(sum(reply.exit == 0 for reply in addresses), LIMIT)
        self.assertEqual(len([route for route in world.routes() if "proto 117" in route]),
                         sum(reply.exit == 0 for reply in addresses))
        self.assertEqual({reply.exit for reply in devices + addresses} - {0, DENIED}, set())
        self.assertGreater(rotated[0], 5)
        done = Counter((line["event"], line["stage"]) for line in self.all_lines() if "suppressed" not in line)
        self.assertEqual(done["accept", "result"], len(granted) + sum(reply.exit == 0 for reply in addresses))

    def test_giving_a_device_to_another_uid_makes_no_room(self) -> None:
        world.write_policy(policy(max_devices=2, max_addresses=1))
        first, second = self.up(), self.up()
        self.assertEqual(caller.framed(self.helper, "4", "add", first.name, "10.99.0.1", MASK, user=NOBODY).exit, 0)
        fcntl.ioctl(first.fds[0], TUNSETOWNER, SOMEBODY)  # any holder of the fd may
        refused = caller.tuntap_up(self.helper, user=NOBODY)
        self.addCleanup(refused.close)
        self.assert_refused(refused, DENIED, "max_devices 2: 2 in use")
        self.assert_refused(caller.framed(self.helper, "4", "add", second.name, "10.99.0.2", MASK, user=NOBODY), DENIED,
                            "max_addresses 1: 1 in use")
        self.up(SOMEBODY)  # and takes none from whom it was given to

    def test_a_stopped_helper_holds_up_its_own_user_and_nobody_else(self) -> None:
        world.write_policy(policy())
        before = world.snapshot()
        with StoppedRequest(self) as stopped:
            refused = caller.tuntap_up(self.helper, user=NOBODY)
            self.assert_refused(refused, BUSY, "another request of uid 65534 is still under way", "Try again")
            with caller.tuntap_up(self.helper, user=SOMEBODY) as other, caller.tuntap_up(self.helper) as roots:
                self.assertEqual((other.exit, roots.exit), (0, 0))
            # What is no matter of limits is not held up.
            self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
            # Its decision is too old by now, or it is made again in time: a device, or nothing.
            with stopped.go_on() as reply:
                self.assertIn((reply.exit, len(reply.fds)), ((0, 1), (BUSY, 0)))
        with caller.tuntap_up(self.helper, user=NOBODY) as again:
            self.assertEqual(again.exit, 0)
        self.assertEqual(world.snapshot(), before)

    def test_a_request_overtaken_by_another_is_over_the_limit_and_taken_back(self) -> None:
        """Without the file that counts refusals the lock stands in the log, which is rotated between counting and
        changing: it keeps nobody apart."""
        world.write_policy(policy(max_devices=1))
        world.REFUSALS.unlink()
        with StoppedRequest(self) as stopped:
            world.LOG.rename(f"{world.LOG}.1")
            world.touch_log(world.LOG)
            quicker = self.up()
            before = world.snapshot()
            reply = stopped.go_on()
            self.assert_refused(reply, DENIED, "max_devices 1", "Another request was quicker, and what was done is taken back.")
        del before["links"]["tap0"], before["settings"]["tap0"]  # half made when the snapshot was taken
        self.assertEqual(world.snapshot(), before)
        self.assertEqual((quicker.name, taps()), ("tap1", 1))
        overtaken = [line for line in self.all_lines() if "result" in line and "error" in line["result"]]
        self.assertEqual([(line["event"], line["decision"]["rule"]) for line in overtaken], [("reject", "guests")])

    def test_a_rotation_of_the_log_lets_nobody_overtake(self) -> None:
        world.write_policy(policy(max_devices=1))
        with StoppedRequest(self) as stopped:
            world.LOG.rename(f"{world.LOG}.1")
            world.touch_log(world.LOG)
            with caller.tuntap_up(self.helper, user=NOBODY) as quicker:
                self.assert_refused(quicker, BUSY, "another request of uid 65534 is still under way")
            with stopped.go_on() as reply:
                self.assertIn((reply.exit, len(reply.fds)), ((0, 1), (BUSY, 0)))
                self.assertEqual(taps(), len(reply.fds))


class StoppedRequest:
    """`tuntap up` of NOBODY, stopped between counting and changing: at its first ioctl, which is done by then."""

    def __init__(self, case: ConcurrentCase) -> None:
        self.trace = Path("/run/umlnet-test-bin/trace")
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with theirs:
            self.tracer = subprocess.Popen(["strace", "-qq", "-o", self.trace, "-u", "nobody", "-e", "trace=ioctl", "-e",
                                            "inject=ioctl:signal=SIGSTOP:when=1", case.helper, "4", "tuntap", "up"],
                                           stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while "--- stopped by SIGSTOP" not in (self.trace.read_text() if self.trace.exists() else ""):
            case.assertIsNone(self.tracer.poll())
            case.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        (pid,) = Path(f"/proc/{self.tracer.pid}/task/{self.tracer.pid}/children").read_text().split()
        self.pid = int(pid)

    def go_on(self) -> caller.Reply:
        os.kill(self.pid, signal.SIGCONT)
        reply = caller.Reply(self.tracer.wait(timeout=30))
        reply.data, reply.fds, _, _ = socket.recv_fds(self.ours, 8192, 1)
        return reply

    def __enter__(self) -> "StoppedRequest":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.tracer.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.tracer.wait()
        self.ours.close()
        self.trace.unlink()


class Conflicts(ConcurrentCase):
    def test_an_address_that_fifty_devices_of_two_users_want_is_one_devices(self) -> None:
        world.write_policy(policy(max_devices=MANY))
        devices = [(self.up(user).name, user) for user in (NOBODY, SOMEBODY) for _ in range(MANY // 2)]
        crowd = Crowd(self.helper)
        for device, user in devices:
            crowd.add("4", "add", device, "10.99.0.1", MASK, user=user)
        replies = crowd.go()
        self.assertEqual(Counter(reply.exit for reply in replies), {0: 1, CONFLICT: MANY - 1})
        winner = next(device for (device, _), reply in zip(devices, replies) if reply.exit == 0)
        self.assertEqual([route for route in world.routes() if "10.99.0.1 " in route],
                         [f"10.99.0.1 dev {winner} proto 117 scope link"])
        # Nothing of a loser's attempt stays.
        self.assertEqual({device for device, _ in devices if world.setting(device, "proxy_arp")}, {winner})


class Log(ConcurrentCase):

    def test_logrotate_under_load_loses_nothing(self) -> None:
        """The real logrotate, with the file that is installed, while six users add and remove addresses."""
        world.write_policy(policy())
        users, rotations = range(20000, 20006), 6
        over = threading.Event()
        served = Counter[int]()
        refused: list[caller.Reply] = []

        def work(user: int) -> None:
            with caller.tuntap_up(self.helper, "10.99.0.254", user=user) as tap:
                served[user] += 1
                while not over.is_set():
                    for verb in ("add", "del"):
                        reply = caller.framed(self.helper, "4", verb, tap.name, f"10.99.1.{user % 100}", MASK, user=user)
                        if reply.exit == 0:
                            served[user] += 1
                        else:
                            refused.append(reply)

        workers = [threading.Thread(target=work, args=[user]) for user in users]
        for worker in workers:
            worker.start()
        config = Path("/etc/logrotate-umlnet")
        config.write_text(LOGROTATE.read_text())
        with open("/etc/group", "a") as group:
            group.write(f"umlnet-log:x:{LOG_GROUP}:\n")
        try:
            for _ in range(rotations):
                # A file is compressed at the next rotation but one; nobody who has it open is so slow.
                before = served.copy()
                deadline = time.monotonic() + 60
                while any(served[user] < before[user] + 3 for user in users):
                    self.assertLess(time.monotonic(), deadline)
                    self.assertEqual(refused, [])
                    time.sleep(0.01)
                done = subprocess.run(["/usr/sbin/logrotate", "-f", "-s", "/run/umlnet-logrotate", config],
                                      capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
        finally:
            over.set()
            for worker in workers:
                worker.join()
            Path("/run/umlnet-logrotate").unlink(missing_ok=True)
        self.assertEqual(refused, [])
        lines = self.all_lines()
        files = sorted(Path(name).suffix for name in glob.glob(f"{world.LOG}*"))
        self.assertEqual(files, [".1"] + [".gz"] * (rotations - 1) + [".jsonl"])
        for stage in ("intent", "result"):
            self.assertEqual(Counter(line["caller"]["uid"] for line in lines
                                     if (line["event"], line["stage"]) == ("accept", stage)
                                     and line["request"]["operation"] != "gc"), served)  # where two met
        status = world.LOG.stat()
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o777), (0, LOG_GROUP, 0o640))

    def test_a_disk_that_fills_up_under_many_callers(self) -> None:
        world.write_policy(policy(max_devices=MANY))
        world.sh("mount", "-t", "tmpfs", "-o", "size=20k,mode=0755", "tmpfs", str(world.LOG.parent))
        self.addCleanup(world.sh, "umount", str(world.LOG.parent))
        world.reset_log()
        replies = self.many_devices()
        granted = [reply for reply in replies if reply.fds]
        lines = self.all_lines(full_disk=True)
        self.assertEqual(taps(), len(granted))
        self.assertTrue(0 < len(granted) < MANY, len(granted))
        for reply in replies:
            if not reply.fds:
                self.assert_refused(reply, 78, "audit log")
        aliases = [link["ifalias"] for name, link in world.links().items() if name.startswith("tap")]
        intents = {line["id"] for line in lines if line.get("stage") == "intent"}
        for alias in aliases:
            self.assertIn(alias.split(" id=")[1].split()[0], intents)
        close_all(replies)


if __name__ == "__main__":
    unittest.main()
