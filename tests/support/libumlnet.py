"""libumlnet.so.1 by its C ABI, as a host program in another language has it (ctypes)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from ctypes import (POINTER, Structure, byref, c_char, c_char_p, c_int, c_size_t, c_uint, c_uint8, c_uint32,
                    c_void_p)
from pathlib import Path
from typing import Any, Sequence

from tests.support.case import HELPER

# A library under address sanitizer wants its run-time first in the process. What this process starts does not.
RUNTIME = os.environ.get("UMLNET_SANITIZER_RUNTIME")
if RUNTIME and os.environ.pop("LD_PRELOAD", None) != RUNTIME:
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "LD_PRELOAD": RUNTIME})

LIBRARY = ctypes.CDLL(str(HELPER.parents[1] / "libumlnet" / "libumlnet.so.1"))
NOTE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
(OK, INVALID, NO_HELPER, REFUSED, TIMEOUT, PROTOCOL, SYSTEM, CLOSED, AGAIN, UNSUPPORTED, STATE, SANDBOX,
 MEMORY) = range(13)


class Error(Structure):
    _fields_ = [("code", c_int), ("errnum", c_int), ("exit_status", c_int), ("message", c_char * 1024),
                ("helper", c_char * 4096)]


class Setup(Structure):
    _fields_ = [("transport", c_char * 32), ("device", c_char * 16), ("gateway", c_char * 16), ("mac", c_uint8 * 6),
                ("has_mac", c_uint8)]


class Options(Structure):
    _fields_ = [("size", c_size_t), ("helper", c_char_p), ("timeout_ms", c_int), ("note", NOTE), ("user", c_void_p)]


class Request(Structure):
    _fields_ = [("size", c_size_t), ("device", c_char_p), ("addresses", POINTER(c_char_p)),
                ("guests", POINTER(c_char_p)), ("guest_mac", c_char_p), ("bridge", c_char_p), ("isolated", c_int),
                ("mtu", c_uint32), ("mac", c_char_p), ("queues", c_uint32), ("vnet_hdr", c_int), ("netns", c_int),
                ("persistent", c_int), ("sealed", c_int), ("anti_spoof", c_int), ("guest_macs", POINTER(c_char_p)),
                ("owner", c_char_p)]


class Guest(Structure):
    _fields_ = [("address", c_char_p), ("published", POINTER(c_char_p))]


class DeviceInfo(Structure):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("ifindex", c_uint32), ("mac", c_uint8 * 6), ("mtu", c_uint32),
                ("id", c_char_p), ("addresses", POINTER(c_char_p)), ("guests", POINTER(Guest)),
                ("guest_count", c_size_t), ("bridge", c_char_p), ("queues", c_uint32), ("fd_count", c_size_t),
                ("isolated", c_int), ("vnet_hdr", c_int), ("persistent", c_int), ("sealed", c_int),
                ("anti_spoof", c_int), ("in_netns", c_int), ("notes", POINTER(c_char_p))]


class End(Structure):
    _fields_ = [("size", c_size_t), ("framing", c_int), ("fd", c_int), ("vnet_hdr", c_uint), ("offloads", c_uint),
                ("name", c_char_p), ("read", c_void_p), ("write", c_void_p), ("user", c_void_p)]


LIBRARY.umlnet_device_describe.restype = POINTER(DeviceInfo)
LIBRARY.umlnet_device_describe.argtypes = LIBRARY.umlnet_device_free.argtypes = [c_void_p]
LIBRARY.umlnet_device_free.restype = LIBRARY.umlnet_session_free.restype = None
LIBRARY.umlnet_device_fd.argtypes = LIBRARY.umlnet_device_take_fd.argtypes = [c_void_p, c_size_t]
LIBRARY.umlnet_end_of_device.argtypes = [c_void_p, POINTER(End), POINTER(Error)]
LIBRARY.umlnet_session_free.argtypes = LIBRARY.umlnet_session_fd.argtypes = [c_void_p]
LIBRARY.umlnet_session_close.argtypes = LIBRARY.umlnet_session_reload.argtypes = [c_void_p, POINTER(Error)]
LIBRARY.umlnet_session_open_device.argtypes = [c_void_p, POINTER(Request), POINTER(c_void_p), POINTER(Error)]
LIBRARY.umlnet_session_remove_device.argtypes = [c_void_p, c_char_p, POINTER(Error)]
LIBRARY.umlnet_nic_device.restype = c_char_p
LIBRARY.umlnet_nic_device.argtypes = LIBRARY.umlnet_nic_fd.argtypes = [c_void_p]
LIBRARY.umlnet_nic_free.argtypes = [c_void_p]
LIBRARY.umlnet_nic_free.restype = None
LIBRARY.umlnet_nic_open.argtypes = LIBRARY.umlnet_nic_close.argtypes = [c_void_p, POINTER(Error)]
for change in (LIBRARY.umlnet_nic_add_address, LIBRARY.umlnet_nic_delete_address):
    change.argtypes = [c_void_p, c_char_p, c_char_p, POINTER(Error)]
LIBRARY.umlnet_nic_read.argtypes = [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)]
LIBRARY.umlnet_nic_write.argtypes = [c_void_p, c_char_p, c_size_t]


def forbid_system_call(number: int) -> None:
    """From here on it fails with EPERM, in this process and what it starts: as under a container's filter."""
    # linux/filter.h: load the number; if it is that one, fail, else let through.
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((38, 1, 0, 0, 0), (22, 2, ctypes.addressof(program), 0, 0)):  # NO_NEW_PRIVS, SECCOMP
        if libc.prctl(*map(ctypes.c_ulong, words)) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class Failed(Exception):
    def __init__(self, error: Error) -> None:
        self.code, self.errnum, self.exit_status = error.code, error.errnum, error.exit_status
        self.message, self.helper = error.message.decode(), error.helper.decode()
        super().__init__(f"code {self.code}: {self.message} | {self.helper}")


def _check(code: int, error: Error) -> None:
    if code != error.code:
        raise AssertionError(f"returned {code}, and the error says {error.code}")
    if code != OK:
        raise Failed(error)


def parse_setup(text: str) -> Setup:
    setup, error = Setup(), Error()
    _check(LIBRARY.umlnet_setup_parse(text.encode(), byref(setup), byref(error)), error)
    return setup


class Nic:
    """`notes` is what the library told its host program."""

    def __init__(self, setup: str, helper: Path | str = HELPER, timeout_ms: int = 0) -> None:
        self.notes: list[str] = []
        self._note = NOTE(lambda _, text: self.notes.append(text.decode()))
        self._options = Options(ctypes.sizeof(Options), os.fsencode(helper), timeout_ms, self._note, None)
        self.handle = c_void_p()
        error = Error()
        _check(LIBRARY.umlnet_nic_new(setup.encode(), byref(self._options), byref(self.handle), byref(error)), error)

    def _call(self, function: Any, *args: Any) -> None:
        error = Error()
        _check(function(self.handle, *args, byref(error)), error)

    def open(self) -> None:
        self._call(LIBRARY.umlnet_nic_open)

    def close(self) -> None:
        self._call(LIBRARY.umlnet_nic_close)

    def add(self, address: str, netmask: str = "24") -> None:
        self._call(LIBRARY.umlnet_nic_add_address, address.encode(), netmask.encode())

    def delete(self, address: str, netmask: str = "24") -> None:
        self._call(LIBRARY.umlnet_nic_delete_address, address.encode(), netmask.encode())

    @property
    def fd(self) -> int:
        return int(LIBRARY.umlnet_nic_fd(self.handle))

    @property
    def device(self) -> str:
        return LIBRARY.umlnet_nic_device(self.handle).decode()

    def read(self, room: int = 2048) -> tuple[int, bytes]:
        buffer, size = ctypes.create_string_buffer(room), c_size_t()
        code = LIBRARY.umlnet_nic_read(self.handle, buffer, room, byref(size))
        return code, buffer.raw[:size.value] if code == OK else b""

    def write(self, frame: bytes) -> int:
        return int(LIBRARY.umlnet_nic_write(self.handle, frame, len(frame)))

    def __enter__(self) -> "Nic":
        return self

    def __exit__(self, *_: Any) -> None:
        LIBRARY.umlnet_nic_free(self.handle)
        self.handle = c_void_p()


def _options(notes: list[str], helper: Path | str, timeout_ms: int) -> Options:
    return Options(ctypes.sizeof(Options), os.fsencode(helper), timeout_ms,
                   NOTE(lambda _, text: notes.append(text.decode())), None)


def _texts(texts: Sequence[str]) -> Any:
    return (c_char_p * (len(texts) + 1))(*[text.encode() for text in texts], None)


def _listed(pointers: Any) -> list[str]:
    texts = []
    while pointers[len(texts)] is not None:
        texts.append(pointers[len(texts)].decode())
    return texts


def request(**wanted: Any) -> Request:
    """UMLNET_DEVICE_REQUEST_INIT, and what is wanted besides: `addresses` and `guests` are lists."""
    made = Request(size=ctypes.sizeof(Request), netns=-1)
    for name, value in wanted.items():
        if isinstance(value, list):
            value = ctypes.cast(_texts(value), POINTER(c_char_p))
        setattr(made, name, value.encode() if isinstance(value, str) else value)
    return made


class Device:
    """A device of the native protocol, in a call of its own or within a session. `info` is what was made; the fds stay
    the library's until they are taken."""

    def __init__(self, session: "Session | None" = None, helper: Path | str = HELPER, timeout_ms: int = 0,
                 **wanted: Any) -> None:
        self.notes: list[str] = session.notes if session else []
        self.handle = c_void_p()
        error = Error()
        asked = request(**wanted)
        if session:
            code = LIBRARY.umlnet_session_open_device(session.handle, byref(asked), byref(self.handle), byref(error))
        else:
            options = _options(self.notes, helper, timeout_ms)
            code = LIBRARY.umlnet_device_open(byref(asked), byref(options), byref(self.handle), byref(error))
        _check(code, error)
        self.info = LIBRARY.umlnet_device_describe(self.handle).contents
        self.name = self.info.name.decode()

    @property
    def fds(self) -> list[int]:
        return [LIBRARY.umlnet_device_fd(self.handle, index) for index in range(self.info.fd_count)]

    def take(self, index: int) -> int:
        return int(LIBRARY.umlnet_device_take_fd(self.handle, index))

    @property
    def addresses(self) -> list[str]:
        return _listed(self.info.addresses)

    @property
    def guests(self) -> dict[str, list[str]]:
        """On which devices of the host each is published."""
        guests = self.info.guests[:self.info.guest_count]
        return {guest.address.decode(): _listed(guest.published) for guest in guests}

    def end(self) -> End:
        end, error = End(), Error()
        _check(LIBRARY.umlnet_end_of_device(self.handle, byref(end), byref(error)), error)
        return end

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: Any) -> None:
        LIBRARY.umlnet_device_free(self.handle)
        self.handle = c_void_p()


def remove(device: str, helper: Path | str = HELPER, timeout_ms: int = 0) -> list[str]:
    """What the host program is told."""
    notes: list[str] = []
    error, options = Error(), _options(notes, helper, timeout_ms)
    _check(LIBRARY.umlnet_device_remove(device.encode(), byref(options), byref(error)), error)
    return notes


class Session:
    def __init__(self, helper: Path | str = HELPER, timeout_ms: int = 0) -> None:
        self.notes: list[str] = []
        self._options = _options(self.notes, helper, timeout_ms)
        self.handle = c_void_p()
        error = Error()
        _check(LIBRARY.umlnet_session_open(byref(self._options), byref(self.handle), byref(error)), error)

    def open(self, **wanted: Any) -> Device:
        return Device(self, **wanted)

    def remove(self, device: str) -> None:
        error = Error()
        _check(LIBRARY.umlnet_session_remove_device(self.handle, device.encode(), byref(error)), error)

    def reload(self) -> None:
        error = Error()
        _check(LIBRARY.umlnet_session_reload(self.handle, byref(error)), error)

    @property
    def fd(self) -> int:
        return int(LIBRARY.umlnet_session_fd(self.handle))

    def close(self) -> None:
        error = Error()
        _check(LIBRARY.umlnet_session_close(self.handle, byref(error)), error)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        LIBRARY.umlnet_session_free(self.handle)
        self.handle = c_void_p()
