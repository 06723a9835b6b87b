"""The process that talks to the caller, taken over. Whatever it calls, the host and the log stay as they are, and what it
asks of the executor is worth what the policy grants its caller."""

import contextlib
import errno
import json
import os
import random
import signal
import struct
import unittest
from typing import Iterator

from tests.hostile.test_native import NativeCase
from tests.support import native, world
from tests.support.hostile import GATE, INSTALLATIONS, NOBODY
from tests.support.inject import Injector, Killed
from tests.support.process import front_of, status_of

# Of x86-64.
SYS = {"open": 2, "ioctl": 16, "pwrite64": 18, "socket": 41, "clone": 56, "fork": 57, "execve": 59, "kill": 62, "fcntl": 72,
       "ftruncate": 77, "setuid": 105, "setresuid": 117, "capset": 126, "ptrace": 101, "prctl": 157, "mount": 165, "openat": 257,
       "unshare": 272, "setns": 308, "process_vm_readv": 310, "bpf": 321, "openat2": 437, "pidfd_getfd": 438, "sendmsg": 46,
       "sendto": 44, "write": 1, "mmap": 9, "io_uring_setup": 425, "dup2": 33, "execveat": 322, "memfd_create": 319}
AF_NETLINK, AF_PACKET, SOCK_RAW = 16, 17, 3
PROT_EXEC_AND_WRITE = 7
CAP_NET_ADMIN = 1 << 12
FORBIDDEN = {
    "raise a capability": ("capset", struct.pack("=II", 0x20080522, 0), struct.pack("=6I", CAP_NET_ADMIN, CAP_NET_ADMIN, 0, 0, 0, 0)),
    "an rtnetlink socket": ("socket", AF_NETLINK, SOCK_RAW, 0),
    "a packet socket": ("socket", AF_PACKET, SOCK_RAW, 0),
    "the log": ("openat", -100, b"/var/log/umlnet/audit.jsonl\0", os.O_WRONLY, 0),
    "the tun device": ("openat", -100, b"/dev/net/tun\0", os.O_RDWR, 0),
    "any file": ("open", b"/etc/shadow\0", os.O_RDONLY, 0),
    "a file by openat2": ("openat2", -100, b"/etc/shadow\0", bytes(24), 24),
    "make a device of the tun driver": ("ioctl", 0, 0x400454CA, bytes(40)),
    "another's network namespace": ("setns", 0, 0x40000000),
    "a namespace of its own": ("unshare", 0x10000000),
    "become root": ("setresuid", 0, 0, 0),
    "another process": ("clone", 17, 0, 0, 0, 0),
    "fork": ("fork",),
    "another program": ("execve", b"/bin/sh\0", 0, 0),
    "kill the executor": ("kill", "executor", signal.SIGKILL),
    "trace the executor": ("ptrace", 16, "executor", 0, 0),
    "take a descriptor of the executor's": ("pidfd_getfd", 0, 3, 0),
    "read the executor's memory": ("process_vm_readv", "executor", bytes(16), 1, bytes(16), 1, 0),
    "memory to run": ("mmap", 0, 4096, PROT_EXEC_AND_WRITE, 0x22, -1, 0),
    "io_uring": ("io_uring_setup", 1, bytes(120)),
    "bpf": ("bpf", 0, bytes(48), 48),
    "a file in memory": ("memfd_create", b"x\0", 0),
}
OPEN = ("open", "device=uml1", f"address={GATE}")
# Of struct Said, uml_net/channel/message.h. What is said comes first, then one byte each: protocol, operation, whether there is an
# error, the status; then the descriptor.
REQUEST, STATUS = 0, 7


class Front(NativeCase):
    @contextlib.contextmanager
    def session(self, how: str = "setuid") -> Iterator[native.Session]:
        with native.Session(self.helpers[how], user=NOBODY) as session:
            self.assertTrue(session.begun.ok, session.begun)
            yield session
        self.assert_host_unchanged()

    def waiting(self, session: native.Session) -> int:
        """Its front, which waits for the next record."""
        front = front_of(session.process.pid)
        self.wait_until(lambda: status_of(front)["Seccomp"] == "2" and status_of(front)["State"][0] == "S")
        return front

    def test_what_it_could_call(self) -> None:
        """One call each: the kernel kills it, the session ends, and everybody else is served."""
        for how in INSTALLATIONS:
            for what, (name, *arguments) in FORBIDDEN.items():
                self.empty_log()  # and the count of what changes nothing
                with self.subTest(how, what=what), self.session(how) as session:
                    size = world.LOG.stat().st_size
                    values = [session.process.pid if argument == "executor" else argument for argument in arguments]
                    with Injector(self.waiting(session)) as injector, self.assertRaises(Killed) as killed:
                        injector.call(SYS[name], *values)  # type: ignore[arg-type]
                    self.assertEqual(killed.exception.args, (signal.SIGSYS,))
                    self.assertEqual(session.wait(), 70)
                    line = json.loads(world.LOG.read_bytes()[size:].splitlines()[-1])
                    self.assertEqual((line["event"], line["result"]["session"]["ended"]),
                                     ("exit", "the process that talks to the caller ended"))

    def test_what_it_has(self) -> None:
        """Every descriptor is the caller's own, or the channel to the executor."""
        with self.session() as session:
            front = self.waiting(session)
            held = {int(fd): os.readlink(f"/proc/{front}/fd/{fd}") for fd in os.listdir(f"/proc/{front}/fd")}
            self.assertEqual(sorted(held)[:3], [0, 1, 2])
            self.assertEqual([name.split("[")[0] for fd, name in held.items() if fd > 2], ["socket:"])

    def channel_of(self, front: int) -> int:
        return max(int(fd) for fd in os.listdir(f"/proc/{front}/fd"))

    def say(self, injector: Injector, channel: int, data: bytes) -> int:
        """One message to the executor."""
        vector = struct.pack("=QQ", injector.address(data), len(data))
        header = struct.pack("=QIxxxxQQQQI4x", 0, 0, injector.address(vector, 32 << 10), 1, 0, 0, 0)
        return injector.call(SYS["sendmsg"], channel, header, 0x4040)  # MSG_DONTWAIT, MSG_NOSIGNAL

    def said(self, session: native.Session) -> bytes:
        """The message by which the front asks for what the caller asks for."""
        front = self.waiting(session)
        with Injector(front) as injector:
            session.send(b"".join(word.encode() + b"\0" for word in OPEN))
            return injector.next_message(self.channel_of(front))

    def test_what_it_could_say(self) -> None:
        """What it asks for as the caller would is granted; a byte of that or many of them changed are refused, or mean another
        request that the policy grants; rubbish is refused; and each line of the log is whole."""
        with self.session() as session:
            real = self.said(session)
            with session.receive() as answer:
                self.assertTrue(answer.ok, answer)
        self.assertEqual(real[0], REQUEST)
        chance = random.Random(18)
        messages = [b"", b"x", bytes(len(real)), b"\xff" * len(real), real[:-1], real + bytes(9000), real * 2]
        for _ in range(60):
            changed = bytearray(real)
            for _ in range(chance.choice((1, 1, 1, 8, 200))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            changed[0] = chance.choice((REQUEST, changed[0]))
            messages.append(bytes(changed))
        self.empty_log()
        for number, message in enumerate(messages):
            with self.subTest(message=number), native.Session(self.helper, user=NOBODY) as session:
                front = self.waiting(session)
                with Injector(front) as injector:
                    sent = self.say(injector, self.channel_of(front), message)
                    self.assertIn(sent, (len(message), -errno.EAGAIN))
                session.socket.close()
                session.wait()
            for line in world.audit_lines():
                self.assertEqual(line["caller"]["uid"], NOBODY)
            self.wait_until(lambda: not any(name.startswith("uml") for name in world.links()))
        self.assert_host_unchanged()

    def test_killed_after_the_caller_has_the_device(self) -> None:
        """What the record says is gone is gone, whoever holds its descriptor."""
        for how in INSTALLATIONS:
            self.empty_log()
            with self.subTest(how), self.session(how) as session:
                front = self.waiting(session)
                channel = self.channel_of(front)
                with Injector(front) as injector:
                    session.send(b"".join(word.encode() + b"\0" for word in OPEN))
                    injector.next_message(channel, then="stay")  # what is asked for
                    injector.next_message(channel, then="kill")  # that the caller has the answer
                with session.receive() as answer:
                    self.assertEqual((answer.ok, len(answer.fds)), (True, 1), answer)
                    session.wait()
                    self.assertNotIn("uml1", world.links())
                    exits = [line for line in world.audit_lines() if line["event"] == "exit"]
                    self.assertIn("uml1 gone", exits[0]["result"]["changes"])

    def test_the_exit_status_is_all_that_it_makes_up(self) -> None:
        with self.session() as session:
            front = self.waiting(session)
            with Injector(front) as injector:
                said = bytearray(4096)
                said[0], said[4] = STATUS, 42
                self.say(injector, self.channel_of(front), bytes(said))
            session.socket.close()
            session.wait()


if __name__ == "__main__":
    unittest.main()
