"""Pumps of libumlnet.so.1 by its C ABI, and what to put at their ends."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Iterator

from tests.support.case import HELPER
from tests.support.libumlnet import LIBRARY, Error, Failed, OK

TAP, ETHERTAP, STREAM, DGRAM, CALLBACK = range(1, 6)
CSUM, TSO4, TSO6, ECN, USO, ALL = 1, 2, 4, 8, 16, 31
STOPPED, A_GONE, B_GONE = range(3)
PROGRAM = HELPER.parents[1] / "libumlnet" / "client" / "umlnet-pump"


class End(Structure):
    _fields_ = [("size", c_size_t), ("framing", c_int), ("fd", c_int), ("vnet_hdr", c_uint), ("offloads", c_uint),
                ("name", c_char_p), ("read", c_void_p), ("write", c_void_p), ("user", c_void_p)]


class PumpOptions(Structure):
    _fields_ = [("size", c_size_t), ("capture_fd", c_int), ("capture_snaplen", c_uint32), ("program", c_char_p)]


class Direction(Structure):
    _fields_ = [(name, c_uint64) for name in ("frames", "bytes", "too_short", "too_long", "malformed", "refused",
                                              "segmented", "checksums", "waits")]


class Counters(Structure):
    _fields_ = [("a_to_b", Direction), ("b_to_a", Direction), ("captured", c_uint64), ("not_captured", c_uint64)]


LIBRARY.umlnet_pump_new.argtypes = [POINTER(End), POINTER(End), POINTER(PumpOptions), POINTER(c_void_p), POINTER(Error)]
LIBRARY.umlnet_pump_run.argtypes = [c_void_p, POINTER(c_int), POINTER(Error)]
LIBRARY.umlnet_pump_start.argtypes = [c_void_p, POINTER(Error)]
LIBRARY.umlnet_pump_wait.argtypes = [c_void_p, c_int, POINTER(c_int), POINTER(Error)]
LIBRARY.umlnet_pump_counters.argtypes = [c_void_p, POINTER(Counters), c_size_t]
LIBRARY.umlnet_pump_counters.restype = None
for function in (LIBRARY.umlnet_pump_stop, LIBRARY.umlnet_pump_free):
    function.argtypes, function.restype = [c_void_p], None
LIBRARY.umlnet_pump_fd.argtypes = [c_void_p]


def end(framing: int, fd: int, vnet_hdr: int = 0, offloads: int = 0, name: str | None = None) -> End:
    return End(ctypes.sizeof(End), framing, fd, vnet_hdr, offloads, name.encode() if name else None)


class Pump:
    """Its end, in a `with`, ends its process or thread."""

    def __init__(self, a: End, b: End, capture_fd: int = -1, program: Path = PROGRAM) -> None:
        self.handle, self._thread = c_void_p(), None
        options = PumpOptions(ctypes.sizeof(PumpOptions), capture_fd, 0, os.fsencode(program))
        self._call(LIBRARY.umlnet_pump_new, byref(a), byref(b), byref(options), byref(self.handle))

    @staticmethod
    def _call(function: Any, *args: Any) -> None:
        error = Error()
        code = function(*args, byref(error))
        assert code == error.code, f"returned {code}, and the error says {error.code}"
        if code != OK:
            raise Failed(error)

    def start(self) -> "Pump":
        """In a process of its own."""
        self._call(LIBRARY.umlnet_pump_start, self.handle)
        return self

    def run_in_thread(self) -> "Pump":
        self._thread = threading.Thread(target=lambda: self._call(LIBRARY.umlnet_pump_run, self.handle, byref(c_int())))
        self._thread.start()
        return self

    def wait(self, milliseconds: int = 10_000) -> int:
        """STOPPED, A_GONE or B_GONE."""
        how = c_int(-1)
        self._call(LIBRARY.umlnet_pump_wait, self.handle, milliseconds, byref(how))
        return how.value

    def stop(self) -> None:
        LIBRARY.umlnet_pump_stop(self.handle)

    @property
    def fd(self) -> int:
        return int(LIBRARY.umlnet_pump_fd(self.handle))

    @property
    def counters(self) -> Counters:
        counters = Counters()
        LIBRARY.umlnet_pump_counters(self.handle, byref(counters), ctypes.sizeof(counters))
        return counters

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._thread is not None:
            self.stop()
            self._thread.join()
            self._thread = None
        LIBRARY.umlnet_pump_free(self.handle)
        self.handle = c_void_p()


TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6 = 1, 2, 4, 8, 32, 64


class Tap:
    """A TAP device of this process. What the kernel leaves unfinished in its frames is `offloads`, TUN_F_*."""

    def __init__(self, name: str, vnet_hdr: int = 0, offloads: int = 0) -> None:
        self.name, self.vnet_hdr = name, vnet_hdr
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet_hdr else 0)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        if vnet_hdr:
            fcntl.ioctl(self.fd, TUNSETVNETHDRSZ, struct.pack("i", vnet_hdr))
            fcntl.ioctl(self.fd, TUNSETOFFLOAD, offloads)

    def end(self, offloads: int | None = None) -> End:
        if offloads is None:
            offloads = ALL & ~USO if self.vnet_hdr else 0
        return end(TAP, self.fd, self.vnet_hdr, offloads, self.name)

    def close(self) -> None:
        os.close(self.fd)


CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in another network namespace. Sockets made there stay there."""
    with open("/proc/thread-self/ns/net") as back, open(f"/run/netns/{namespace}") as there:
        assert _libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert _libc.setns(back.fileno(), CLONE_NEWNET) == 0


def pair(kind: int) -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, kind)
