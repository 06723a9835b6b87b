"""Descriptors of every wrong kind in the places where the helper looks for one, and none at all."""

import contextlib
import ctypes
import os
import socket
import tempfile
import unittest
from typing import Any, Iterator

from pathlib import Path

from tests.support import caller, fuse, world
from tests.support.hostile import LIBC, NOBODY, OPERATIONS, HostileCase, call

PAIRS = {"a datagram pair", "a stream pair", "a pair of sequenced packets"}
FITTING = {"up": {"a datagram pair"}, "add": {"a pipe", "a stream pair"}, "del": {"a pipe", "a stream pair"},
           "ethertap": {"a stream pair"}, "bridge": {"a stream pair"},
           # The wrong one of these takes the refusal (tests.hostile.test_native).
           "open": PAIRS, "session": PAIRS}


@contextlib.contextmanager
def all_kinds() -> Iterator[dict[str, int]]:
    """Opened by root, and for writing where that can be: the caller of a set-user-ID program may be handed anything."""
    with contextlib.ExitStack() as stack:
        kinds: dict[str, int] = {}

        def keep(name: str, thing: Any) -> Any:
            if isinstance(thing, int):
                stack.callback(os.close, thing)
                kinds[name] = thing
            else:
                kinds[name] = stack.enter_context(thing).fileno()
            return thing

        def pair(name: str, kind: int) -> None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            stack.enter_context(ours)
            keep(name, theirs)

        for name, kind in (("a datagram pair", socket.SOCK_DGRAM), ("a stream pair", socket.SOCK_STREAM),
                           ("a pair of sequenced packets", socket.SOCK_SEQPACKET)):
            pair(name, kind)
        keep("a Unix datagram socket without a peer", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        keep("a Unix stream socket without a peer", socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listening = keep("a listening Unix socket", socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listening.bind(b"\0umlnet-hostile")
        listening.listen()
        server = keep("a listening TCP socket", socket.create_server(("127.0.0.1", 0)))
        client = keep("a TCP socket", socket.create_connection(server.getsockname()))
        stack.enter_context(server.accept()[0])
        keep("a UDP socket", socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).connect(client.getsockname())
        keep("a netlink socket", socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)).bind((0, 0))
        keep("a packet socket", socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        keep("a file", tempfile.TemporaryFile())
        for name, path, flags in (
                ("the audit log", world.LOG, os.O_RDWR | os.O_APPEND), ("the audit log, not to append", world.LOG, os.O_RDWR),
                ("the count of refusals", world.REFUSALS, os.O_RDWR), ("the policy", world.POLICY, os.O_RDONLY),
                ("a directory", "/etc/umlnet", os.O_RDONLY), ("a mere place", world.LOG, os.O_PATH),
                ("/dev/null", "/dev/null", os.O_RDWR), ("/dev/full", "/dev/full", os.O_RDWR),
                ("/dev/zero", "/dev/zero", os.O_RDWR), ("the TUN device", world.TUN, os.O_RDWR),
                ("memory of a process", "/proc/self/mem", os.O_RDWR), ("a sysctl", "/proc/sys/net/ipv4/ip_forward", os.O_RDWR)):
            keep(name, os.open(path, flags))
        own_files = stack.enter_context(fuse.mounted(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        keep("a file of a FUSE file system", os.open(own_files / "7", os.O_RDWR))
        keep("another character device", os.open("/dev/fuse", os.O_RDWR))
        keep("a user namespace", os.open("/proc/self/ns/user", os.O_RDONLY))
        reading, writing = os.pipe()
        keep("the end of a pipe to read from", reading)
        keep("a pipe", writing)
        controller, terminal = os.openpty()
        keep("the controller of a terminal", controller)
        keep("a terminal", terminal)
        keep("an eventfd", os.eventfd(0))
        keep("a memfd", os.memfd_create("x"))
        keep("a pidfd", os.pidfd_open(os.getpid()))
        keep("an epoll", os.open("/proc/self/fd", os.O_RDONLY) if not hasattr(LIBC, "epoll_create1") else LIBC.epoll_create1(0))
        keep("a timerfd", LIBC.timerfd_create(1, 0))
        keep("a signalfd", LIBC.signalfd(-1, (ctypes.c_char * 128)(), 0))
        keep("an inotify", LIBC.inotify_init())
        yield kinds


class Descriptors(HostileCase):
    def setUp(self) -> None:
        super().setUp()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.kinds = stack.enter_context(all_kinds())
        self.baseline = self.settled()  # with the sockets

    def request(self, helper: Any, operation: str, fd: int | None, **more: Any) -> caller.Reply:
        """With `fd` in the place of the reply; without any where it is None."""
        what = OPERATIONS[operation]
        if operation == "bridge":
            words = [word.replace("{socket}", str(999 if fd is None else fd)) for word in what.words]
            return call(helper, what.channel, words, pass_fds=[] if fd is None else [fd], **more)
        return call(helper, what.channel, what.words, **(closing(1, **more) if fd is None else {**more, "stdout": fd}))

    def test_in_the_place_of_the_reply(self) -> None:
        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                for kind, fd in {**self.kinds, "none": None}.items():
                    if kind in FITTING[operation]:
                        continue
                    with self.subTest(how, operation=operation, reply=kind):
                        reply = self.request(helper, operation, fd)
                        self.assert_refused_whole(reply, exit_status=1 if operation == "bridge" else 64)
                        self.assertEqual(self.last_line()["event"], "reject")
            self.empty_log()
        for kind in ("a file", "a memfd"):
            self.assertEqual(os.fstat(self.kinds[kind]).st_size, 0)

    def test_in_the_place_of_stderr_where_it_must_be_used(self) -> None:
        """Nothing but the log's own lines stand in the log, and nothing at all in what is read by the next helper."""
        for how, helper in self.helpers.items():
            for kind, fd in {**self.kinds, "none": None}.items():
                for operation in ("up", "bridge"):
                    with self.subTest(how, operation=operation, stderr=kind):
                        stderr = closing(2) if fd is None else {"stderr": fd}
                        reply = self.request(helper, operation, None, **stderr)
                        self.assertEqual(reply.exit, 1 if operation == "bridge" else 64)
                        self.assert_host_unchanged()
                        world.audit_lines()

    def test_in_the_place_of_stderr_where_it_is_not_needed(self) -> None:
        for how, helper in self.helpers.items():
            for kind, fd in self.kinds.items():
                with self.subTest(how, stderr=kind):
                    self.assert_served("up", helper, stderr=fd)

    def test_in_the_place_of_what_a_person_reads(self) -> None:
        """gc and what is not understood write to stdout and stderr, be they what they are."""
        for how, helper in self.helpers.items():
            for kind, fd in self.kinds.items():
                for words in (["gc"], ["nonsense"]):
                    with self.subTest(how, words=words, stdout_and_stderr=kind):
                        done = caller.run(helper, *words, user=NOBODY, stdout=fd, stderr=fd)
                        self.assertEqual(done.returncode == 64, words == ["nonsense"])
                        self.assert_host_unchanged()
                        world.audit_lines()

    def test_in_the_place_of_the_data_socket(self) -> None:
        for how, helper in self.helpers.items():
            for kind, fd in {**self.kinds, "none": 999}.items():
                if kind == "a datagram pair":
                    continue
                with self.subTest(how, data=kind):
                    reply = call(helper, "control", ["4", "ethertap", "uml1", str(fd)], pass_fds=[] if fd == 999 else [fd])
                    self.assert_refused_whole(reply, f"fd {fd}", exit_status=64)
            for number in ("0", "1", "2", "-1", "+5", "05", " 5", "5 ", "0x5", "5.0", "4294967301", "18446744073709551621", ""):
                with self.subTest(how, data=number):
                    reply = call(helper, "control", ["4", "ethertap", "uml1", number])
                    self.assert_refused_whole(reply, "is not the number of an inherited descriptor", exit_status=65)

    def test_stdin_stdout_and_stderr_closed_in_all_ways(self) -> None:
        for how, helper in self.helpers.items():
            for operation, what in OPERATIONS.items():
                for closed in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2], []):
                    with self.subTest(how, operation=operation, closed=closed):
                        if 1 in closed and operation != "bridge":
                            reply = call(helper, what.channel, what.words, **closing(*closed))
                            self.assertEqual((reply.exit, reply.data, reply.fds), (64, b"", []), reply)
                            self.assertEqual("fd 1 is not" in reply.stderr, 2 not in closed)
                            self.assert_host_unchanged()
                        else:
                            self.assert_served(operation, helper, **closing(*closed))

    def test_a_thousand_of_them(self) -> None:
        fds = [os.dup(self.kinds["a datagram pair"]) for _ in range(500)]
        try:
            for how, helper in self.helpers.items():
                with self.subTest(how):
                    self.assert_served("up", helper, pass_fds=fds)
        finally:
            for fd in fds:
                os.close(fd)


def closing(*fds: int, **more: Any) -> dict[str, Any]:
    """For Popen: the program starts without these."""
    before = more.pop("preexec_fn", None)

    def close() -> None:
        if before:
            before()
        for fd in fds:
            os.close(fd)

    return {**more, "preexec_fn": close}


if __name__ == "__main__":
    unittest.main()
