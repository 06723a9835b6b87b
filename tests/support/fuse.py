"""File systems that the test serves (FUSE, linux/fuse.h): one whose files answer every ioctl(2) with the number in their
name, and one with a file whose content changes without a notice to the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import multiprocessing
import os
import struct
from pathlib import Path
from typing import Callable, Iterator

_LIBC = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2
LOOKUP, FORGET, GETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FLUSH, INIT, INTERRUPT, IOCTL, BATCH_FORGET, LSEEK = (
    1, 2, 3, 14, 15, 16, 17, 18, 25, 26, 36, 39, 42, 46)
_IN_HEADER = struct.Struct("<IIQQIIII")
_OUT_HEADER = struct.Struct("<IiQ")
_DIRECTORY, _FILE, _ROOT = 0o40755, 0o100666, 1
_FOR_EVER = 1 << 20  # seconds that the kernel may remember an answer: it then asks for little but ioctls


_DIRECT_IO = 1  # FOPEN_DIRECT_IO: each read(2) asks the server
_Answer = Callable[[int, int, bytes], "bytes | int"]


def _attributes(node: int, mode: int, size: int = 0) -> bytes:
    return struct.pack("<6Q3I7I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _answer(opcode: int, node: int, body: bytes) -> bytes | int:
    """The body of the answer, or an error number. A file's node number is 2 more than the number in its name."""
    if opcode == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8)
    if opcode == LOOKUP:
        name = body.rstrip(b"\0")
        if not name.isdigit():
            return errno.ENOENT
        file = int(name) + 2
        return struct.pack("<4Q2I", file, 0, _FOR_EVER, _FOR_EVER, 0, 0) + _attributes(file, _FILE)
    if opcode == GETATTR:
        return struct.pack("<Q2I", _FOR_EVER, 0, 0) + _attributes(node, _DIRECTORY if node == _ROOT else _FILE)
    if opcode == OPEN:
        return struct.pack("<Q2I", 0, 0, 0)
    if opcode == WRITE:
        return struct.pack("<2I", struct.unpack_from("<QQI", body)[2], 0)
    if opcode == STATFS:
        return bytes(80)
    if opcode == IOCTL:
        _, _, _, _, _, out_size = struct.unpack_from("<QIIQII", body)
        return struct.pack("<i3I", node - 2, 0, 0, 0) + bytes(out_size)
    return b"" if opcode in (RELEASE, FLUSH) else errno.ENOSYS


def _answer_with_copy(source: Path) -> _Answer:
    """Of a file system with one file, which root owns. It is what `source` is at each read, of the same times and number."""
    def answer(opcode: int, node: int, body: bytes) -> bytes | int:
        mode, size = (_DIRECTORY, 0) if node == _ROOT else (0o100644, source.stat().st_size)
        if opcode == LOOKUP:
            if body.rstrip(b"\0") != os.fsencode(source.name):
                return errno.ENOENT
            return struct.pack("<4Q2I", 2, 0, 0, 0, 0, 0) + _attributes(2, 0o100644, source.stat().st_size)
        if opcode == GETATTR:
            return struct.pack("<Q2I", 0, 0, 0) + _attributes(node, mode, size)
        if opcode == OPEN:
            return struct.pack("<Q2I", 0, _DIRECT_IO, 0)
        if opcode == READ:
            _, offset, length = struct.unpack_from("<QQI", body)
            return source.read_bytes()[offset:offset + length]
        return _answer(opcode, node, body)
    return answer


def _serve(device: int, answer_of: _Answer) -> None:
    while True:
        try:
            message = os.read(device, 1 << 17)
        except OSError:
            return  # it was unmounted
        _, opcode, unique, node, *_ = _IN_HEADER.unpack_from(message)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        answer = answer_of(opcode, node, message[_IN_HEADER.size:])
        code, body = (-answer, b"") if isinstance(answer, int) else (0, answer)
        with contextlib.suppress(FileNotFoundError):  # the caller is gone
            os.write(device, _OUT_HEADER.pack(_OUT_HEADER.size + len(body), code, unique) + body)


@contextlib.contextmanager
def _mounted(place: Path, answer_of: _Answer) -> Iterator[Path]:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if _LIBC.mount(b"fuse", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "cannot mount a FUSE file system", str(place))
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(device, answer_of), daemon=True)
    server.start()
    try:
        yield place
    finally:
        _LIBC.umount2(os.fsencode(place), _MNT_DETACH)
        server.terminate()
        server.join()
        os.close(device)


def mounted(place: Path) -> contextlib.AbstractContextManager[Path]:
    """Mounted at `place`, a directory in a mount namespace of the test's own. The file "N" in it answers with N."""
    return _mounted(place, _answer)


def mounted_copy(place: Path, source: Path) -> contextlib.AbstractContextManager[Path]:
    """The same with one file in it, which root owns and which has the name and always the content of `source`."""
    return _mounted(place, _answer_with_copy(source))
