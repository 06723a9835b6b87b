"""Makes system calls in another process, as code would that has taken it over: under that process's own filter, with its
own descriptors and capabilities. As root, by ptrace(2), on x86-64."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import Any

from tests.support.process import status_of
from tests.support.tracer import _ptrace

_CONT, _GETREGS, _SETREGS, _SYSCALL, _DETACH, _SEIZE, _INTERRUPT = 7, 12, 13, 24, 17, 0x4206, 0x4207
_SENDMSG = 46
_WALL = 0x40000000
_FIELDS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs "
           "gs").split()
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_ROOM = 64 << 10  # bytes below the stack pointer


class Killed(Exception):
    """By the kernel, for the call: by that signal."""


class Injector:
    """A process that waits in a system call, stopped for as long as a `with` lasts, and then let go on waiting."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        _ptrace(_SEIZE, pid)
        _ptrace(_INTERRUPT, pid)
        self._stopped()
        self.saved = self._registers()
        self.is_dead = False

    def _stopped(self) -> None:
        _, status = os.waitpid(self.pid, _WALL)
        if not os.WIFSTOPPED(status):
            self.is_dead = True
            raise Killed(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

    def _registers(self) -> dict[str, int]:
        room = ctypes.create_string_buffer(8 * len(_FIELDS))
        _ptrace(_GETREGS, self.pid, 0, ctypes.addressof(room))
        return dict(zip(_FIELDS, struct.unpack(f"={len(_FIELDS)}Q", room.raw)))

    def _set(self, registers: dict[str, int]) -> None:
        room = ctypes.create_string_buffer(struct.pack(f"={len(_FIELDS)}Q", *(registers[name] for name in _FIELDS)))
        _ptrace(_SETREGS, self.pid, 0, ctypes.addressof(room))

    def call(self, number: int, *arguments: int | bytes) -> int:
        """What the kernel returns: an error as a negative number. Bytes are put into the process's memory, and their
        address is the argument; `read` has them as they are after the call. Killed where the kernel does that."""
        place = self.saved["rsp"] - _ROOM
        self.places: list[tuple[int, int]] = []
        values = []
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            for argument in arguments:
                if isinstance(argument, bytes):
                    memory.seek(place)
                    memory.write(argument)
                    self.places.append((place, len(argument)))
                    values.append(place)
                    place += (len(argument) + 63) // 64 * 64
                else:
                    values.append(argument & 0xFFFFFFFFFFFFFFFF)
        registers = {**self.saved, "rip": self.saved["rip"] - 2, "rax": number, "orig_rax": 0xFFFFFFFFFFFFFFFF,
                     **dict(zip(_ARGUMENTS, values))}
        self._set(registers)
        for _ in range(2):  # its entry, and its end
            _ptrace(_SYSCALL, self.pid)
            self._stopped()
        if int(status_of(self.pid)["SigPnd"], 16) & 1 << signal.SIGSYS - 1:  # of its filter: it dies as soon as it goes on
            _ptrace(_CONT, self.pid)
            self._stopped()
        result = self._registers()["rax"]
        return result - (1 << 64) if result >= 1 << 63 else result

    def address(self, data: bytes, offset: int = 0) -> int:
        """Puts bytes where no call's own go, and says where."""
        place = self.saved["rsp"] - 2 * _ROOM + offset
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(place)
            memory.write(data)
        return int(place)

    def next_message(self, fd: int, then: str = "go on") -> bytes:
        """Lets the process go on to its next sendmsg(2) on that descriptor, and returns what it is about to send. Then it goes on,
        or stays, or is killed before it sends that."""
        while True:
            _ptrace(_SYSCALL, self.pid)
            self._stopped()
            registers = self._registers()
            if registers["orig_rax"] == _SENDMSG and registers["rdi"] == fd:
                break
        self.is_dead = True  # there is nothing to put back
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(registers["rsi"] + 16)
            (vector,) = struct.unpack("=Q", memory.read(8))
            memory.seek(vector)
            base, size = struct.unpack("=QQ", memory.read(16))
            memory.seek(base)
            data = memory.read(size)
        if then == "stay":
            _ptrace(_SYSCALL, self.pid)
            self._stopped()  # at the end of that call
        elif then == "kill":
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, _WALL)
        else:
            _ptrace(_DETACH, self.pid)
        return data

    def __enter__(self) -> "Injector":
        return self

    def __exit__(self, *_: Any) -> None:
        if not self.is_dead:
            self._set(self.saved)
            _ptrace(_DETACH, self.pid)
