"""Steps a program from one system call to the next, by ptrace(2), as root: whatever privilege the program gets by being
started it then still gets."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import Any, Iterator, Sequence

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long

_TRACEME, _CONT, _DETACH, _SYSCALL = 0, 7, 17, 24
_SETOPTIONS, _GETEVENTMSG, _GET_SYSCALL_INFO = 0x4200, 0x4201, 0x420E
_SYSGOOD, _TRACEFORK, _EXITKILL = 0x1, 0x2 | 0x4 | 0x8, 0x100000
_WALL = 0x40000000
_ENTRY = 1
# Of x86-64; what these do depends on more than their number.
_WRITE, _IOCTL, _SENDTO, _SENDMSG, _FCNTL, _PRCTL, _CAPSET, _OPENAT, _OPENAT2 = 1, 16, 44, 46, 72, 157, 126, 257, 437


def _ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> int:
    result = _LIBC.ptrace(request, pid, address, data)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}, {pid}): {os.strerror(number)}")
    return int(result)


class Stepper:
    """A program as `user`, with `fds` as its descriptors by number. With `child` it is a process that the program forks which
    is stepped, and all others run freely: (2,) is the program's second, (2, 1) the first of that one. The end of a `with`
    kills what is stepped."""

    def __init__(self, argv: Sequence[str], user: int, fds: dict[int, int], child: Sequence[int] = ()) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            self._become(argv, user, fds)
        self.status: int | None = None
        self.program: int | None = None
        self._wait()
        _ptrace(_SETOPTIONS, self.pid, 0, _SYSGOOD | _EXITKILL | (_TRACEFORK if child else 0))
        for place, number in enumerate(child):
            self._follow(number, _SYSGOOD | _EXITKILL | (_TRACEFORK if place + 1 < len(child) else 0))

    @staticmethod
    def _become(argv: Sequence[str], user: int, fds: dict[int, int]) -> None:
        try:
            high = {number: os.dup2(fd, 200 + number) for number, fd in fds.items()}
            for number, fd in high.items():
                os.dup2(fd, number)
                os.close(fd)
            _ptrace(_TRACEME, 0)  # as root: by whom it was asked for decides over the program's privilege
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            os.execve(argv[0], list(argv), {})
        finally:
            os._exit(127)

    def _wait(self) -> int:
        _, status = os.waitpid(self.pid, _WALL)
        if not os.WIFSTOPPED(status):
            self.status = status
        return status

    def _follow(self, number: int, options: int) -> None:
        """From here on what is stepped is the process that the one before forks as that number."""
        child = ctypes.c_ulong()
        for left in reversed(range(number)):
            _ptrace(_CONT, self.pid)
            while (self._wait() >> 16) == 0:
                if self.status is not None:
                    raise RuntimeError("the program ended, and had not forked as often")
                _ptrace(_CONT, self.pid)
            _ptrace(_GETEVENTMSG, self.pid, 0, ctypes.addressof(child))
            os.waitpid(child.value, _WALL)
            if left:
                _ptrace(_DETACH, child.value)
        # While the one before is stopped: it may end the other as soon as it runs.
        _ptrace(_SETOPTIONS, child.value, 0, options)
        before, self.pid = self.pid, child.value
        if self.program is None:
            self.program = before  # the only one that is a child of this process
        _ptrace(_DETACH, before)

    def next_call(self) -> tuple[Any, ...] | None:
        """Stopped at the entry of a system call: which, and as much of what it does as tells it from others. None where
        the process has ended instead."""
        deliver = 0
        while self.status is None:
            try:
                _ptrace(_SYSCALL, self.pid, 0, deliver)
            except ProcessLookupError:
                pass  # somebody killed it while it was stopped, and its end is what waits
            status = self._wait()
            if self.status is not None:
                return None
            number = os.WSTOPSIG(status)
            deliver = 0
            if number != signal.SIGTRAP | 0x80:
                deliver = number if number != signal.SIGTRAP and number != signal.SIGSTOP else 0
                continue
            info = ctypes.create_string_buffer(88)
            try:
                _ptrace(_GET_SYSCALL_INFO, self.pid, len(info), ctypes.addressof(info))
            except ProcessLookupError:
                continue
            if info.raw[0] == _ENTRY:
                return self._kind(*struct.unpack_from("=7Q", info.raw, 24))
        return None

    def _peek(self, address: int, size: int) -> bytes:
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(size)

    def _kind(self, number: int, *arguments: int) -> tuple[Any, ...]:
        if number in (_IOCTL, _FCNTL):
            return number, arguments[1]
        if number in (_PRCTL, _WRITE, _SENDMSG):
            return number, arguments[0]
        if number == _SENDTO:
            # To the kernel's network configuration: the type of the message is its 5th and 6th byte.
            return number, arguments[0], struct.unpack("=H", self._peek(arguments[1], 6)[4:])[0] if arguments[2] >= 16 else 0
        if number == _CAPSET:
            return number, self._peek(arguments[1], 4)
        if number in (_OPENAT, _OPENAT2):
            return number, self._peek(arguments[1], 16)
        return (number,)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (call := self.next_call()) is not None:
            yield call

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            while self.status is None:
                self._wait()
        if self.program is not None:
            os.waitpid(self.program, 0)
            self.program = None

    def let_go(self) -> int:
        """Unstepped from here on, and nothing is waited for. Returns its process id."""
        _ptrace(_DETACH, self.pid)
        self.status = 0
        return self.pid

    def go_on(self) -> int:
        """To its end, unstepped. Returns the exit status."""
        if self.status is None:
            _ptrace(_DETACH, self.pid)
        while self.status is None:
            self._wait()
        if self.program is not None:
            os.waitpid(self.program, 0)
            self.program = None
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def __enter__(self) -> "Stepper":
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()
