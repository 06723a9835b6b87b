"""The native protocol's caller as an enemy: argument lists, channels, and all that can be sent to a session."""

import contextlib
import errno
import json
import os
import resource
import socket
import struct
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any, Iterator

from tests.hostile.test_descriptors import all_kinds
from tests.support import caller, fuse, native, world
from tests.support.guest import soon
from tests.support.hostile import (FREE, GATE, HOST, INSTALLATIONS, MINE, NO_TAP, NOBODY, NOT_OURS, POLICY, ROUTER, SOMEBODY,
                                   THEIR_GUEST, THEIRS, HostileCase, as_user)

SCM_MAX_FD = 253
LONGEST = 8192  # bytes of a record
FIRST_FOREIGN = 256  # the numbers of descriptors that come with a record
SO_PASSPIDFD = 76
CLONE_NEWNET = 0x40000000
FLOOD = 2000  # records
NLMSG_ERROR, FORGED = 2, 150  # answers, to more requests than an `open` makes
OPEN = ["open", "device=uml1", f"address={GATE}"]
REFUSED = [
    ["open", "device"], ["open", "=uml1"], ["open", "device="], ["open", "device=uml1", "device=uml2"], ["open", "Device=uml1"],
    ["open", "device =uml1"], ["open", "device=../x"], ["open", "device=" + "x" * 16], ["open", b"device=uml\xff"],
    ["open", "device=uml%d"], ["open", "device=uml$(id)"], ["open", "device=uml;x"], ["open", "device=uml*"], ["open", "device=lo"],
    ["open", f"device={MINE}"], ["open", f"device={THEIRS}"],
    ["open", "address=0.0.0.0/0"], ["open", "address=10.0.0.1/33"], ["open", "address=10.0.0.1/-1"], ["open", "address=127.0.0.1"],
    ["open", "address=224.0.0.1"], ["open", "address=::"], ["open", "address=ff02::1"], ["open", f"address={ROUTER}"],
    ["open", f"address={THEIR_GUEST}"], ["open", "address=10.50.0.77/24"], ["open", *[f"address=10.9.{n}.1" for n in range(17)]],
    ["open", f"guest={HOST}"], ["open", f"guest={ROUTER}"], ["open", f"guest={THEIR_GUEST}"], ["open", "guest=127.0.0.1"],
    ["open", "guest=0.0.0.0"], ["open", "guest=::1"], ["open", "guest=fe80::1"], ["open", *[f"guest=10.9.{n}.1" for n in range(17)]],
    ["open", "bridge=lo"], ["open", "bridge=br99"], ["open", "bridge="], ["open", "isolated"], ["open", "isolated=yes"],
    ["open", "mtu=0"], ["open", "mtu=67"], ["open", "mtu=65536"], ["open", "mtu=-1"], ["open", "mtu=4294967364"], ["open", "mtu=1e3"],
    ["open", "mac=00:00:00:00:00:00"], ["open", "mac=ff:ff:ff:ff:ff:ff"], ["open", "mac=01:00:5e:00:00:01"], ["open", "mac=x"],
    ["open", "queues=0"], ["open", "queues=65"], ["open", "queues=-1"], ["open", "queues=18446744073709551617"],
    ["open", "netns=0"], ["open", "netns=-1"], ["open", "netns=999"], ["open", "netns=4294967300"], ["open", "netns=/proc/1/ns/net"],
    ["open", "persist"], ["open", "sealed", "vnet-hdr"], ["open", "anti-spoof"], ["open", "vnet-hdr=1"], ["open", "--help"],
    ["open", "open"], ["open", ""], ["open", "\n"], ["open", "%n"], ["open", *["x=y"] * 2000], ["remove"], ["remove", "device="],
    ["remove", "device=lo"], ["remove", "device=eth0"], ["remove", f"device={THEIRS}"], ["remove", f"device={NOT_OURS}"],
    ["remove", f"device={NO_TAP}"], ["remove", "device=br0"], ["remove", f"device={MINE}", "device=x"], ["remove", MINE],
    ["close"], ["Open"], [" open"], [""], ["4", "tuntap", "up"], ["5", "open"], ["gc"],
]


def open_files(pid: int) -> dict[str, str]:
    """What each descriptor of the process is open on, by its number, but for those that it keeps for devices to come."""
    files = {}
    for number in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return {number: file for number, file in files.items() if file != "/dev/net/tun"}


class NativeCase(HostileCase):
    def assert_error(self, message: bytes, fds: list[int]) -> dict[str, Any]:
        self.assertEqual(fds, [])
        self.assertTrue(message.isascii() and message.endswith(b"}\n") and message.count(b"\n") == 1, message)
        answer = json.loads(message)
        self.assertEqual(answer["status"], "error", answer)
        for key in ("code", "error"):
            self.assertTrue(answer[key].isprintable() and answer[key], answer)
        return dict(answer)

    def assert_no_change(self) -> None:
        self.assertFalse(self.happenings.any())


def once(helper: Path, words: list[Any], kind: int = socket.SOCK_SEQPACKET, **more: Any) -> tuple[int, bytes, list[int], str]:
    """Exit status, message, descriptors, and what stood on stderr."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours:
        with theirs:
            done = subprocess.run([helper, "5", *words], stdin=subprocess.DEVNULL, timeout=caller.TIMEOUT,
                                  **{"stdout": theirs, "stderr": subprocess.PIPE, **as_user(NOBODY), **more})
        ours.setblocking(False)
        try:
            message, fds, _, _ = socket.recv_fds(ours, 65536, 64)
        except (BlockingIOError, ConnectionError):
            message, fds = b"", []
    return done.returncode, message, fds, done.stderr.decode() if done.stderr else ""


class Calls(NativeCase):
    def test_what_is_refused(self) -> None:
        for how, helper in self.helpers.items():
            for words in REFUSED:
                with self.subTest(how, words=words[:3]):
                    status, message, fds, said = once(helper, words)
                    self.assertGreater(status, 0)
                    self.assertEqual(fds, [])
                    if message:
                        self.assert_error(message, fds)
                    else:
                        self.assertTrue(said.startswith("uml_net: "), said)
                    self.assert_no_change()

    def test_channels_of_the_wrong_kind(self) -> None:
        with all_kinds() as kinds:
            self.baseline = self.settled()
            for how, helper in self.helpers.items():
                for verb, fitting in (("open", {"a stream pair", "a datagram pair", "a pair of sequenced packets"}),
                                      ("session", {"a pair of sequenced packets"})):
                    for kind, fd in kinds.items():
                        if kind in fitting:
                            continue
                        with self.subTest(how, verb=verb, kind=kind):
                            status, message, fds, said = once(helper, [verb], stdout=fd)
                            self.assertEqual((status, message, fds), (64, b"", []), said)
                            # A connected Unix socket of another kind can take the answer all the same.
                            self.assertTrue(said.startswith("uml_net: ") or "pair" in kind, said)
                            self.assert_no_change()
        self.baseline = self.settled()

    def test_namespaces_that_are_none_or_not_the_callers(self) -> None:
        rules = [{**rule, "operations": ["open"], "namespaces": True} for rule in POLICY["rules"]]  # type: ignore[attr-defined]
        world.write_policy({**POLICY, "rules": rules})
        host = os.open("/proc/self/ns/net", os.O_RDONLY)
        mount = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        self.addCleanup(os.close, host)
        self.addCleanup(os.close, mount)
        with all_kinds() as kinds:
            self.happenings.any()
            for how, helper in self.helpers.items():
                for kind, fd in {**kinds, "the host's own": host, "one of mounts": mount}.items():
                    with self.subTest(how, kind=kind):
                        status, message, fds, said = once(helper, ["open", f"netns={fd}"], pass_fds=[fd])
                        self.assertGreater(status, 0)
                        self.assert_error(message, fds)
                        self.assert_no_change()
        self.baseline = self.settled()

    def test_a_caller_that_is_gone(self) -> None:
        for how, helper in self.helpers.items():
            for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
                with self.subTest(how, kind=kind):
                    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
                    ours.close()
                    with theirs:
                        status, _, _, _ = once(helper, OPEN, stdout=theirs)
                    self.assertEqual(status, 74)
                    self.assert_host_unchanged()


class Sessions(NativeCase):
    @contextlib.contextmanager
    def session(self, how: str, ends: tuple[int, ...] = (0,)) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(caller.TIMEOUT)
        with theirs:
            process = subprocess.Popen([self.helpers[how], "5", "session"], stdin=subprocess.DEVNULL, stdout=theirs,
                                       stderr=subprocess.DEVNULL, **as_user(NOBODY))
        with process, ours:
            try:
                self.assertEqual(json.loads(ours.recv(65536))["status"], "ok")
                yield ours, process
                ours.close()
                self.assertIn(process.wait(caller.TIMEOUT), ends)
            finally:
                process.kill()
        self.assert_host_unchanged()

    @staticmethod
    def record(words: list[Any]) -> bytes:
        return b"".join((word if isinstance(word, bytes) else word.encode()) + b"\0" for word in words)

    def ask(self, control: socket.socket, record: bytes, attached: list[int] | None = None) -> tuple[bytes, list[int]]:
        socket.send_fds(control, [record], attached or [])
        message, fds, _, _ = socket.recv_fds(control, 65536, 64)
        return message, fds

    def assert_still_serves(self, control: socket.socket) -> None:
        message, fds = self.ask(control, self.record(OPEN))
        self.assertEqual((json.loads(message)["status"], len(fds)), ("ok", 1), message)
        os.close(fds[0])
        message, _ = self.ask(control, self.record(["remove", "device=uml1"]))

    def test_records_that_are_refused(self) -> None:
        """Each is answered, and the session goes on."""
        for how in INSTALLATIONS:
            with self.session(how) as (control, _):
                for words in [*REFUSED, ["session"]]:
                    if len(record := self.record(words)) > LONGEST:
                        continue
                    with self.subTest(how, words=words[:3]):
                        self.assert_error(*self.ask(control, record))
                        self.assert_no_change()
                for raw in (b"\0", b"open", b"open\0device=uml1", b"\0open\0", b"open\0\0", b"\0" * LONGEST, b"x" * LONGEST,
                            b"open\0" + b"\xff" * 100 + b"\0", os.urandom(500)):
                    with self.subTest(how, raw=raw[:20]):
                        self.assert_error(*self.ask(control, raw))
                        self.assert_no_change()
                self.assert_still_serves(control)

    def test_a_record_longer_than_any(self) -> None:
        for how in INSTALLATIONS:
            for size in (LONGEST + 1, 60_000):
                with self.subTest(how, size=size), self.session(how) as (control, _):
                    control.send(b"open\0" + b"x" * (size - 6) + b"\0")
                    if message := control.recv(65536):  # or the session is over
                        self.assert_error(message, [])
                    self.assert_no_change()

    def test_descriptors_attached_that_nobody_asked_for(self) -> None:
        bag = [os.open("/dev/null", os.O_RDONLY)] * SCM_MAX_FD
        self.addCleanup(os.close, bag[0])
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how) as (control, process):
                self.assert_still_serves(control)
                open_after = []
                for _ in range(3):
                    for number in (1, 2, SCM_MAX_FD):
                        self.assert_error(*self.ask(control, self.record(["open", "device=lo"]), bag[:number]))
                    for number in (0, 1, 252, 253, 1 << 31, -1):
                        self.assert_error(*self.ask(control, self.record(["open", f"netns={number}"]), bag))
                    open_after.append(len(os.listdir(f"/proc/{process.pid}/fd")))
                self.assertEqual(open_after, open_after[:1] * 3)
                self.assert_still_serves(control)

    def test_a_flood_of_rubbish(self) -> None:
        for how in INSTALLATIONS:
            self.empty_log()
            with self.subTest(how), self.session(how) as (control, _):
                def send() -> None:
                    for _ in range(FLOOD):
                        control.send(b"nonsense\0")

                sending = threading.Thread(target=send)
                sending.start()
                for _ in range(FLOOD):
                    self.assert_error(control.recv(65536), [])
                sending.join()
            self.assertLess(len(world.audit_lines()), FLOOD // 10)

    def test_a_peer_that_never_reads(self) -> None:
        for how in INSTALLATIONS:
            with self.subTest(how), self.session(how, (0, 74)) as (control, _):  # or it was given up before
                control.setblocking(False)
                try:
                    while True:
                        control.send(self.record(OPEN))
                        control.send(self.record(["remove", "device=uml1"]))
                except BlockingIOError:
                    pass
                with caller.tuntap_up(self.helper, GATE, user=SOMEBODY) as reply:
                    self.assertEqual(reply.exit, 0, reply)

    def test_a_file_that_claims_to_be_a_namespace(self) -> None:
        """It names a descriptor of the session's own, or one of a user namespace that came with the same record. The session
        asks such a file nothing, closes nothing of its own, and takes nothing of the caller's in its place."""
        rules = [{**rule, "operations": ["open"], "namespaces": True} for rule in POLICY["rules"]]  # type: ignore[attr-defined]
        world.write_policy({**POLICY, "rules": rules})
        self.baseline = self.settled()
        owned = native.OwnNamespace(NOBODY)
        self.addCleanup(owned.close)
        users = os.open(f"/proc/{owned.process.pid}/ns/user", os.O_RDONLY)
        self.addCleanup(os.close, users)
        with tempfile.TemporaryDirectory() as place, fuse.mounted(Path(place)) as files:
            for how in INSTALLATIONS:
                with self.subTest(how), native.Session(self.helpers[how], user=NOBODY) as session:
                    session.ask("open").close()
                    before = open_files(session.process.pid)
                    for number in (*range(0, 24), *range(FIRST_FOREIGN, FIRST_FOREIGN + 6), CLONE_NEWNET):
                        claims = os.open(files / str(number), os.O_RDWR)
                        answer = session.ask("open", "netns=0", fds=[claims, users, users])
                        os.close(claims)
                        self.assertEqual(answer.json.get("code"), "bad_channel", answer)
                        # The answer comes before the descriptors are closed.
                        self.assertTrue(soon(lambda: open_files(session.process.pid) == before), number)
                    with session.ask("open", "netns=0", fds=[owned.fd]) as answer:
                        self.assertTrue(answer.ok, answer)
                    self.assertEqual(session.close(), 0)
                self.assert_host_unchanged()

    def test_descriptors_that_the_kernel_adds_on_a_callers_wish(self) -> None:
        """SO_PASSPIDFD, set on a duplicate of the session's end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setsockopt(socket.SOL_SOCKET, SO_PASSPIDFD, 1)
        with ours:
            with theirs:
                session = subprocess.Popen([self.helper, "5", "session"], stdin=subprocess.DEVNULL, stdout=theirs, **as_user(NOBODY))
            ours.settimeout(caller.TIMEOUT)
            ours.recv(LONGEST)
            numbers = []
            for _ in range(20):
                ours.send(self.record(["remove", "device=none"]))
                ours.recv(LONGEST)
                numbers.append(len(open_files(session.pid)))
            self.assertEqual(numbers[1:], numbers[:-1])
        self.assertEqual(session.wait(caller.TIMEOUT), 0)

    def test_one_namespace_after_the_other(self) -> None:
        """A session keeps none in which it has nothing, and lives with the descriptors that its caller lets it have."""
        rules = [{**rule, "namespaces": True} for rule in POLICY["rules"]]  # type: ignore[attr-defined]
        world.write_policy({**POLICY, "rules": rules})
        self.baseline = self.settled()
        namespaces = [native.OwnNamespace(NOBODY) for _ in range(8)]
        for namespace in namespaces:
            self.addCleanup(namespace.close)

        def lowered() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (FIRST_FOREIGN + 3,) * 2)

        for how in INSTALLATIONS:
            with self.subTest(how), native.Session(self.helpers[how], user=NOBODY, preexec_fn=lowered) as session:
                for namespace in namespaces:
                    with session.ask("open", "netns=0", fds=[namespace.fd]) as answer:
                        self.assertTrue(answer.ok, answer)
                held = []
                for namespace in namespaces:
                    held.append(session.ask("open", "netns=0", fds=[namespace.fd]))
                    if not held[-1].ok:
                        break
                self.assertIn("EMFILE", held[-1].json["error"] + held[-1].json.get("errno", ""))
                for answer in held:
                    answer.close()
                # What they were in is let go of, at the latest when there is no room for the descriptor that comes with a record.
                session.ask("open", "netns=0", fds=[namespaces[-1].fd]).close()
                with session.ask("open", "netns=0", fds=[namespaces[-1].fd]) as answer:
                    self.assertTrue(answer.ok, answer)
                self.assertEqual(session.close(), 0)
            self.assert_host_unchanged()

    def test_answers_of_another_process_in_place_of_the_kernels(self) -> None:
        """With CAP_NET_ADMIN in a network namespace a process can send to the helper's rtnetlink socket there: the caller
        can, in a namespace of its own. Here root answers each request to come: it was refused."""
        for how in INSTALLATIONS:
            with self.subTest(how), native.Session(self.helpers[how], user=NOBODY) as session:
                inodes = {fd.stat().st_ino for fd in Path(f"/proc/{session.process.pid}/fd").iterdir()}
                sockets = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()[1:]]
                # Of its two, the one that takes answers; the other one is in groups of notices.
                (port,) = [int(fields[2]) for fields in sockets if int(fields[9]) in inodes and int(fields[3], 16) == 0]
                with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as forger:
                    forger.bind((0, 0))
                    for sequence in range(1, FORGED + 1):
                        answer = struct.pack("=IHHIIi16x", 36, NLMSG_ERROR, 0, sequence, port, -errno.EPERM)
                        forger.sendto(answer, (port, 0))
                with session.ask(*OPEN, f"guest={FREE}") as granted:
                    self.assertTrue(granted.ok, granted)
                self.assertEqual(session.close(), 0)
            self.assert_host_unchanged()

    def test_what_was_made_goes_with_the_session(self) -> None:
        """Whoever still holds its descriptors, and however it ends."""
        for how in INSTALLATIONS:
            for end in ("close", "SIGTERM"):
                held: list[int] = []
                with self.subTest(how, end=end), self.session(how) as (control, process):
                    message, held = self.ask(control, self.record([*OPEN, f"guest={FREE}"]))
                    self.assertEqual(json.loads(message)["status"], "ok", message)
                    if end == "SIGTERM":
                        process.terminate()
                        process.wait(caller.TIMEOUT)
                for fd in held:
                    os.close(fd)


if __name__ == "__main__":
    unittest.main()
