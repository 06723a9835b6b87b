"""A host with something to lose, an enemy as the helper's caller, and what must be as it was when he is done."""

from __future__ import annotations

import ctypes
import json
import os
import re
import socket
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from tests.support import caller, world
from tests.support.caller import TIMEOUT, Reply
from tests.support.case import HELPER, LOG_GROUP, HostCase

NOBODY, SOMEBODY = 65534, 65533
INSTALLATIONS = ("setuid", "filecap")
MASK = "255.255.255.0"
GATE = "10.99.0.254"
MINE, THEIRS, NOT_OURS, NO_TAP = "tap0", "tap1", "tap7", "tun7"
MY_GUEST, THEIR_GUEST, FREE = "10.50.0.7", "10.50.0.9", "10.50.0.8"
HOST, ROUTER = "10.50.0.1", "10.50.0.2"

_ALL = {"operations": ["tuntap", "ethertap", "address", "bridge", "open"], "devices": ["tap*", "uml*"],
        "guests": ["0.0.0.0/0"], "gateways": ["0.0.0.0/0"], "lan": ["eth0"], "bridges": ["br0"], "max_queues": 2,
        "persistent": True}
POLICY = {"version": 1, "rules": [{"name": "nobodys", "users": [NOBODY], **_ALL},
                                  {"name": "somebodys", "users": [SOMEBODY], **_ALL}]}

# Without IPv6 and the bridge's forward delay, so that the kernel does and says nothing of its own in the middle of a test:
# it speaks of a port when that delay is over, whatever the port did meanwhile.
HOSTS_NETWORK = f"""
link add eth0 type veth peer name wire
addr add {HOST}/24 dev eth0
link set eth0 up
link set wire up
route add default via {ROUTER}
link add br0 type bridge forward_delay 0
link add br0p address 52:54:00:aa:bb:01 type veth peer name br0q address 52:54:00:aa:bb:02
link set br0p master br0
link set br0 up
link set br0p up
link set br0q up
tuntap add {NOT_OURS} mode tap user {NOBODY}
tuntap add {NO_TAP} mode tun user {NOBODY}
"""


@dataclass(frozen=True)
class Operation:
    """A request that is granted. {socket} stands for the number of an inherited socket: QEMU's, or the data socket."""

    words: tuple[str, ...]
    channel: str  # what fd 1 is, or the inherited socket
    undo: tuple[str, ...] = ()  # takes back what is left when the descriptors are closed; its answer goes to a pipe
    fds: int = 0  # that come with the grant
    optional: int = 0  # of the words, at the end, each of which may be left out


OPERATIONS = {
    "up": Operation(("4", "tuntap", "up", GATE), "datagram", fds=1, optional=1),
    "add": Operation(("4", "add", MINE, FREE, MASK), "pipe", ("4", "del", MINE, FREE, MASK)),
    "del": Operation(("4", "del", MINE, MY_GUEST, MASK), "pipe", ("4", "add", MINE, MY_GUEST, MASK)),
    "ethertap": Operation(("4", "ethertap", "uml1", "{socket}", GATE), "control", optional=1),
    "bridge": Operation(("--fd={socket}", "--br=br0"), "qemu", fds=1),
    "open": Operation(("5", "open", "device=uml1", f"address={GATE}", f"guest={FREE}", "queues=2"), "packet", ("gc",), fds=2,
                      optional=4),
    "session": Operation(("5", "session"), "session"),
}
# What is asked for in a session: a device with all that goes with one, its end, and one behind a relay.
SESSION = tuple(b"".join(word.encode() + b"\0" for word in words) for words in (
    ("open", "device=uml1", f"address={GATE}", f"guest={FREE}", "queues=2"), ("remove", "device=uml1"),
    ("open", "sealed", "device=uml1")))


def _sysctls() -> Iterator[str]:
    """By the system calls alone: there are some thousand five hundred, and tests look at all of them very often."""
    for folder, _, names in os.walk("/proc/sys/net"):
        for name in names:
            path = f"{folder}/{name}"
            try:
                fd = os.open(path, os.O_RDONLY)
            except OSError:
                continue  # written to only
            try:
                yield f"{path} = {os.read(fd, 4096)!r}"
            except OSError:
                continue
            finally:
                os.close(fd)


def _files() -> Iterator[str]:
    """The policy with what it says, the log without: it may grow."""
    for folder in (world.POLICY.parent, world.LOG.parent):
        for path in sorted([folder, *folder.rglob("*")]):
            status = path.lstat()
            said = path.read_bytes() if stat.S_ISREG(status.st_mode) and folder == world.POLICY.parent else ""
            yield f"{path} {status.st_ino} {status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_nlink} {said!r}"


def whole_host() -> list[str]:
    """Links, addresses, routes, rules, neighbours, sysctls, policy and the places of the log, a line each."""
    shown = subprocess.run(["ip", "-d", "-batch", "-"], capture_output=True, text=True, check=True,
                           input="link show\naddr show\nroute show table all\nrule show\nneigh show proxy\n"
                                 "neigh show nud permanent\n").stdout
    shown = re.sub(r"\w+_timer +[0-9.]+ ", "", shown)  # those of a bridge run
    return [line.rstrip() for line in shown.splitlines()] + sorted(_sysctls()) + list(_files())


class Happenings:
    """What the kernel says of links, addresses, routes, neighbours and the settings of devices as they change, be it for a
    moment only. Much quicker than to look at all of them."""

    SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
    GROUPS = (1, 3, 5, 7, 8, 9, 11, 24, 25)  # RTNLGRP_LINK, _NEIGH, IPv4 and IPv6 _IFADDR, _ROUTE, _NETCONF; _IPV4_RULE

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))  # one without a number of its own is passed over
        for group in self.GROUPS:
            self.socket.setsockopt(self.SOL_NETLINK, self.ADD_MEMBERSHIP, group)

    def any(self) -> bool:
        """Since the last time that this was asked."""
        found = False
        while True:
            try:
                self.socket.recv(65536)
            except BlockingIOError:
                return found
            except OSError:
                pass  # too many
            found = True


def as_user(user: int | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _receive(ours: socket.socket) -> tuple[bytes, list[int]]:
    ours.setblocking(False)
    try:
        data, fds, _, _ = socket.recv_fds(ours, 65536, 8)
    except (BlockingIOError, ConnectionError):
        return b"", []
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, fds


def _status_and_text(control: socket.socket) -> bytes:
    """What opens an ethertap session: a byte, and a text behind its length; or as much of it as comes."""
    taken, wanted = b"", 5
    while len(taken) < wanted and (more := control.recv(wanted - len(taken))):
        taken += more
        if len(taken) == 5 == wanted:
            wanted += int.from_bytes(taken[1:], "little")
    return taken


def _in_words(message: bytes) -> str:
    """A refusal in the native protocol, as the other protocols say it; nothing where it is none."""
    answer = json.loads(message) if message else {}
    return f"uml_net: {answer['error']}\n{answer['advice']}\n" if answer.get("status") == "error" else ""


def _hold_session(ours: socket.socket) -> str:
    """From its beginning to its end. Returns what was refused."""
    ours.settimeout(TIMEOUT)
    held = []
    try:
        refused = _in_words(ours.recv(65536))
        for record in () if refused else SESSION:
            ours.send(record)
            message, fds, _, _ = socket.recv_fds(ours, 65536, 8)
            held += fds
            refused += _in_words(message)
        return refused
    except (BrokenPipeError, ConnectionResetError):
        return ""  # the helper is gone
    finally:
        for fd in held:
            os.close(fd)


def call(helper: Path | str, channel: str, words: Sequence[str | bytes], user: int | None = NOBODY,
         prefix: Sequence[str | Path] = (), **more: Any) -> Reply:
    """The helper with the channel that its operation wants. An ethertap session is ended as soon as it has begun; in one of
    the native protocol SESSION is asked for, and where something of it is refused, the exit status is 1. `prefix` is a command that starts the helper, as setpriv(1); `more` is for subprocess.Popen."""
    kind = {"datagram": socket.SOCK_DGRAM, "control": socket.SOCK_STREAM, "packet": socket.SOCK_SEQPACKET,
            "session": socket.SOCK_SEQPACKET}.get(channel)
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind or socket.SOCK_STREAM)
    data, their_data = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    named = their_data if channel == "control" else theirs
    argv: list[Any] = [*prefix, str(helper)]
    for word in words:
        argv.append(word.replace("{socket}", str(named.fileno())) if isinstance(word, str) else word)
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": theirs if kind else subprocess.PIPE,
                               "stderr": subprocess.PIPE, "pass_fds": [named.fileno()], **as_user(user), **more}
    with ours, data:
        with theirs, their_data:
            process = subprocess.Popen(argv, **options)
        with process:
            try:
                opening, refused = b"", ""
                if channel == "session":
                    refused = _hold_session(ours)
                    ours.close()
                if channel == "control":
                    ours.settimeout(TIMEOUT)
                    opening = _status_and_text(ours)
                    for end in (data, ours):
                        end.close()
                out, err = process.communicate(timeout=TIMEOUT)
            except BaseException:
                process.kill()
                raise
        reply = Reply(process.returncode, data=out or b"", stderr=(err or b"").decode(errors="replace"),
                      framed=channel == "pipe" and bool(out))
        if channel == "control":
            reply.data, reply.framed = opening[1:], len(opening) > 1
        elif channel in ("datagram", "qemu"):
            reply.data, reply.fds = _receive(ours)
        elif channel == "packet":
            message, reply.fds = _receive(ours)
            reply.stderr = _in_words(message) + reply.stderr
        elif channel == "session":
            reply.exit, reply.stderr = reply.exit or int(refused != ""), refused + reply.stderr
        return reply


def full_datagram_pair() -> tuple[socket.socket, socket.socket]:
    """The second end has no room for one more byte."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(b"x")
    except BlockingIOError:
        theirs.setblocking(True)
    return ours, theirs


class HostileCase(HostCase):
    """NOBODY is the enemy. He has a device and an address, SOMEBODY has, the administrator has; all of it must stay, and
    every line of the log must be whole, whatever he does."""

    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        world.reset_log(0o660, LOG_GROUP)
        self.helpers = {how: world.helper_copy(HELPER, how, LOG_GROUP) for how in INSTALLATIONS}
        self.helper = self.helpers["setuid"]
        world.write_policy(POLICY)
        for which in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
        subprocess.run(["ip", "-batch", "-"], input=HOSTS_NETWORK, text=True, check=True, capture_output=True)
        self.mine = self.make_device(NOBODY, MINE, MY_GUEST)
        self.theirs = self.make_device(SOMEBODY, THEIRS, THEIR_GUEST)
        self.happenings = Happenings()
        self.addCleanup(self.happenings.socket.close)
        self.baseline = self.settled()
        self.addCleanup(self.assert_host_unchanged, thoroughly=True)

    def make_device(self, user: int, name: str, guest: str) -> Reply:
        reply = caller.tuntap_up(self.helper, GATE, user=user)
        self.addCleanup(reply.close)
        self.assertEqual((reply.exit, reply.name), (0, name), reply)
        added = caller.framed(self.helper, "4", "add", name, guest, MASK, user=user)
        self.assertEqual(added.exit, 0, added)
        self.assertTrue(added.text.startswith(f"{guest} routed to {name}, published on eth0\n"), added.text)
        return reply

    def empty_log(self) -> None:
        """And the count of refusals; both stay the files that they are."""
        for path in (world.LOG, world.REFUSALS):
            os.truncate(path, 0)

    def settled(self) -> list[str]:
        """The host as it is once the kernel has noticed all carriers."""
        deadline = time.monotonic() + TIMEOUT
        state = whole_host()
        while any(" linkdown" in line or "NO-CARRIER" in line for line in state) or whole_host() != state:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
            state = whole_host()
        # Asked for a single device, the kernel tells first what it would have told of its carrier up to a second later.
        world.ip_batch(*(f"link show dev {name}" for name in world.links()))
        self.happenings.any()
        self.files = list(_files())
        return state

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.002)

    def assert_host_unchanged(self, thoroughly: bool = False) -> None:
        """At the end of each test thoroughly; before that, what the kernel says that nothing happened to is not compared."""
        self.assertTrue(world.LOG.stat().st_size == 0 or world.LOG.read_bytes()[-1:] == b"\n")
        if not self.happenings.any() and not thoroughly:
            self.assertEqual(list(_files()), self.files)
            return
        deadline = time.monotonic() + 5
        while (now := whole_host()) != self.baseline and time.monotonic() < deadline:
            # A device goes a moment after the last of its descriptors, and a carrier is noticed a moment later.
            time.sleep(0.01)
        if now != self.baseline:
            gone = [line for line in self.baseline if line not in now]
            come = [line for line in now if line not in self.baseline]
            self.fail("\n- ".join(["not as it was:", *gone]) + "\n+ ".join(["", *come]))
        self.happenings.any()

    def assert_refused_whole(self, reply: Reply, *words: str, exit_status: int | None = None) -> None:
        """A clear line that a person can read, an exit status that is not 0, no descriptor, and nothing changed."""
        self.addCleanup(reply.close)
        self.assert_refused(reply, exit_status if exit_status is not None else reply.exit, *words)
        self.assertGreater(reply.exit, 0, reply)
        said = reply.text if reply.data else reply.stderr
        self.assertTrue(all(" " <= letter <= "~" or letter == "\n" for letter in said), said)
        self.assertLess(len(said), 2000)
        self.assert_host_unchanged()

    def assert_served(self, operation: str, helper: Path | str, **more: Any) -> None:
        """Granted as to anybody else, and taken back as anybody would."""
        what = OPERATIONS[operation]
        with call(helper, what.channel, what.words, **more) as reply:
            self.assertEqual((reply.exit, reply.stderr), (0, ""), reply)
            self.assertEqual(len(reply.fds), what.fds, reply)
        if what.undo:
            undone = call(self.helper, "pipe", what.undo)
            self.assertEqual(undone.exit, 0, undone)
        self.assert_host_unchanged()


LIBC = ctypes.CDLL(None, use_errno=True)
