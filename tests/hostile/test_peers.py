"""What the caller can do at its end of the reply's channel, and with a duplicate of the helper's end."""

import fcntl
import os
import socket
import struct
import subprocess
import threading
import time
import unittest
from typing import Any, Callable

from tests.support import caller
from tests.support.hostile import GATE, INSTALLATIONS, NOBODY, OPERATIONS, SOMEBODY, HostileCase, as_user, call
from tests.support.process import status_of

SCM_MAX_FD = 253
GIVEN_UP = "did not take the reply within 5 seconds"
SO_PEEK_OFF = 42
CHANNELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "up": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "add": lambda: pipe(), "del": lambda: pipe(),
    "ethertap": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
    "bridge": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
    "open": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET),
    "open, on a stream": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
    "add, on a socket": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
}


def pipe() -> tuple[Any, Any]:
    """With little room, so that it is soon full."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


def fill(end: Any) -> None:
    os.set_blocking(end.fileno(), False)
    for size in (4096, 1):
        try:
            while os.write(end.fileno(), bytes(size)) == size:
                pass
        except BlockingIOError:
            pass
    os.set_blocking(end.fileno(), True)


class Peer:
    """One request, and both ends of its channel in the hands of the caller."""

    def __init__(self, case: HostileCase, how: str, operation: str, before: Callable[["Peer"], None] = lambda peer: None) -> None:
        self.case, self.how, self.operation = case, how, operation
        self.ours, self.theirs = CHANNELS[operation]()
        self.data, their_data = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        before(self)
        named = self.theirs if operation == "bridge" else their_data
        name = f"uml{INSTALLATIONS.index(how)}"
        words = [word.replace("{socket}", str(named.fileno())).replace("uml1", name) for word in OPERATIONS[operation.split(",")[0]].words
                 if not word.startswith(("guest=", "device="))]  # of which two at once could have but one
        with their_data:
            self.process = subprocess.Popen([case.helpers[how], *words], stdin=subprocess.DEVNULL, pass_fds=[named.fileno()],
                                            stdout=subprocess.DEVNULL if operation == "bridge" else self.theirs,
                                            stderr=subprocess.PIPE, **as_user(NOBODY))

    def end(self) -> tuple[int, str]:
        """The exit status, and what stood on stderr."""
        with self.process:
            try:
                _, said = self.process.communicate(timeout=caller.TIMEOUT)
            finally:
                self.process.kill()
                for end in (self.ours, self.theirs, self.data):
                    end.close()
        return self.process.returncode, said.decode()


class Peers(HostileCase):
    def all_at_once(self, before: Callable[[Peer], None], *operations: str) -> list[Peer]:
        """Every operation by both helpers, beside each other: the waits of five seconds then are one."""
        return [Peer(self, how, operation, before) for how in INSTALLATIONS for operation in operations or CHANNELS]

    def assert_given_up(self, peers: list[Peer], *words: str) -> None:
        for peer in peers:
            with self.subTest(peer.how, operation=peer.operation):
                status, said = peer.end()
                self.assertIn(status, (1, 74, 75), said)  # 75: another request of the caller's was under way for too long
                if status != 75:
                    self.assertTrue(any(word in said for word in words), said)
        # What was granted and not heard of is taken back; only what was taken back at a caller's wish stays so.
        if not any(peer.operation == "del" for peer in peers):
            self.assert_host_unchanged()

    def test_gone_before_the_reply(self) -> None:
        def close(peer: Peer) -> None:
            peer.ours.close()

        for operation in CHANNELS:
            if operation == "del":
                continue
            for how in INSTALLATIONS:
                self.assert_given_up([Peer(self, how, operation, close)], "closed its end", "EPIPE", "ECONNREFUSED", "ECONNRESET")

    def test_shut_down_on_a_duplicate(self) -> None:
        def shut(peer: Peer) -> None:
            peer.theirs.shutdown(socket.SHUT_RDWR)

        for operation in ("up", "ethertap", "bridge", "add, on a socket", "open", "open, on a stream"):
            for how in INSTALLATIONS:
                self.assert_given_up([Peer(self, how, operation, shut)], "closed its end", "EPIPE", "ENOTCONN", "cannot send")

    def test_never_reads_or_a_byte_a_second(self) -> None:
        """Whatever the descriptor's flags say, which belong to the caller's duplicate as much as to the helper's. All at
        once: each takes as long as the helper's patience lasts."""
        def slowly(peer: Peer) -> None:
            fill(peer.theirs)
            end = peer.ours.fileno()

            def read() -> None:
                for _ in range(4):
                    time.sleep(1)
                    try:
                        os.read(end, 1)
                    except OSError:
                        return
            threading.Thread(target=read, daemon=True).start()

        talking = []
        for helper in self.helpers.values():
            reading, writing = pipe()
            self.addCleanup(reading.close)
            with writing:
                fill(writing)
                talking.append(subprocess.Popen([helper, "nonsense"], stdin=subprocess.DEVNULL, stderr=writing,
                                                stdout=subprocess.DEVNULL, **as_user(NOBODY)))
        operations = [operation for operation in CHANNELS if operation != "del"]
        peers = self.all_at_once(lambda peer: fill(peer.theirs), *operations) + self.all_at_once(slowly, "add", "bridge")
        self.assert_given_up(peers, GIVEN_UP)
        for process in talking:  # to a stderr that nobody reads
            with process:
                try:
                    self.assertEqual(process.wait(caller.TIMEOUT), 64)
                finally:
                    process.kill()
        self.assert_host_unchanged()

    def test_flips_every_flag_while_the_helper_waits(self) -> None:
        """O_NONBLOCK, timeouts, the size of buffers: the helper asks for none of them, and is served by none."""
        over = threading.Event()

        def flip(peer: Peer) -> None:
            fill(peer.theirs)
            end = os.dup(peer.theirs.fileno())
            is_socket = isinstance(peer.theirs, socket.socket)
            duplicate = socket.socket(fileno=end) if is_socket else None

            def act() -> None:
                blocking = False
                while not over.is_set():
                    os.set_blocking(end, blocking)
                    if duplicate:
                        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                            duplicate.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, 1000 if blocking else 0))
                        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << (12 if blocking else 13))
                        duplicate.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, int(blocking))
                        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, int(blocking))
                    blocking = not blocking
                    time.sleep(0.001)
                duplicate.close() if duplicate else os.close(end)

            thread = threading.Thread(target=act)
            thread.start()
            self.addCleanup(thread.join)

        self.addCleanup(over.set)
        self.assert_given_up(self.all_at_once(flip, "up", "add", "bridge", "add, on a socket", "open"), GIVEN_UP)
        over.set()

    def test_a_duplicate_that_competes_for_the_room(self) -> None:
        """A pipe that polls as writable is full again when the helper writes. It must not wait in the write."""
        over = threading.Event()
        self.addCleanup(over.set)
        peers = []

        def compete(peer: Peer) -> None:
            fill(peer.theirs)
            reading, writing = os.dup(peer.ours.fileno()), os.dup(peer.theirs.fileno())

            def act() -> None:
                room = bytearray(4096)
                while not over.is_set():
                    for move in (os.preadv, os.pwritev):
                        try:
                            move(reading if move is os.preadv else writing, [room], -1, os.RWF_NOWAIT)
                        except BlockingIOError:
                            pass
                os.close(reading)
                os.close(writing)

            thread = threading.Thread(target=act)
            thread.start()
            self.addCleanup(thread.join)

        for how in INSTALLATIONS:
            peers.append(Peer(self, how, "add", compete))
        for peer in peers:
            with self.subTest(peer.how):
                status, said = peer.end()  # in time, whoever of the two got the room
                self.assertIn(status, (0, 74, 75), said)
        over.set()
        call(self.helper, "pipe", OPERATIONS["add"].undo)
        self.assert_host_unchanged()

    def test_descriptors_sent_to_the_helper(self) -> None:
        """As many as one message can hold, again and again: it takes none."""
        bag = [os.open("/dev/null", os.O_RDONLY)] * SCM_MAX_FD
        self.addCleanup(os.close, bag[0])

        def send(peer: Peer) -> None:
            for _ in range(5):
                try:
                    socket.send_fds(peer.ours, [b"x"], bag)
                except BlockingIOError:
                    return

        for how in INSTALLATIONS:
            for operation in ("up", "bridge", "add, on a socket", "open", "open, on a stream"):
                with self.subTest(how, operation=operation):
                    status, said = Peer(self, how, operation, send).end()
                    self.assertEqual((status, said), (0, ""))
                    call(self.helper, "pipe", OPERATIONS["add"].undo)
                    self.assert_host_unchanged()

    def test_a_reply_on_its_way_belongs_to_nobody_yet(self) -> None:
        """The device is in a message that is never read, and goes with the socket."""
        for how in INSTALLATIONS:
            for operation in ("up", "bridge", "open", "open, on a stream"):
                with self.subTest(how, operation=operation):
                    self.assertEqual(Peer(self, how, operation).end(), (0, ""))
                    self.assert_host_unchanged()

    def test_a_caller_that_waits_for_its_own_helper_holds_up_nobody_else(self) -> None:
        peers = self.all_at_once(lambda peer: fill(peer.theirs), "up", "add, on a socket", "open")
        for peer in peers:
            while status_of(peer.process.pid)["State"][0] != "S" and peer.process.poll() is None:
                time.sleep(0.001)
        for _ in range(3):
            with caller.tuntap_up(self.helper, GATE, user=SOMEBODY) as reply:
                self.assertEqual(reply.exit, 0, reply)
        self.assertIn(None, [peer.process.poll() for peer in peers])
        for peer in peers:
            peer.process.kill()
            peer.end()
        call(self.helper, "pipe", OPERATIONS["add"].undo)  # what a killed helper could not take back, its caller can
        self.assert_served("up", self.helper)


if __name__ == "__main__":
    unittest.main()
