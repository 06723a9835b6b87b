"""A host made of a socket: it answers a guest's ARP and pings for one address, and is nothing else on that network."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MAC = bytes.fromhex("02504e000001")
BROADCAST = b"\xff" * 6
ETHERNET, ARP_TYPE, IPV4_TYPE = 14, b"\x08\x06", b"\x08\x00"
ARP_ASK, ARP_ANSWER = bytes.fromhex("0001080006040001"), bytes.fromhex("0001080006040002")
ICMP, ECHO = 1, 8
FRAME_MAX = 65536


def internet_checksum(data: bytes) -> int:
    """RFC 1071. Of data that holds its right checksum, it is 0."""
    total = sum(word for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def answer(frame: bytes, address: bytes, mac: bytes = MAC) -> bytes | None:
    """What a host with this address sends back, where the frame asks it for its MAC or pings it."""
    if frame[:6] not in (mac, BROADCAST):
        return None
    body = frame[ETHERNET:]
    head = frame[6:12] + mac + frame[12:ETHERNET]
    if frame[12:ETHERNET] == ARP_TYPE and body[:8] == ARP_ASK and body[24:28] == address:
        return head + ARP_ANSWER + mac + address + body[8:18]
    if frame[12:ETHERNET] == IPV4_TYPE and body[9] == ICMP and body[16:20] == address:
        start, end = (body[0] & 0xF) * 4, int.from_bytes(body[2:4], "big")
        echo = body[start:end]
        if internet_checksum(body[:start]) == 0 and internet_checksum(echo) == 0 and echo[0] == ECHO:
            reply = b"\0\0\0\0" + echo[4:]
            reply = b"\0\0" + struct.pack("!H", internet_checksum(reply)) + reply[4:]
            # Source and destination change places, which leaves the header's checksum as it is.
            return head + body[:12] + body[16:20] + body[12:16] + body[20:start] + reply
    return None


class Responder:
    """Answers from a thread of its own, for as long as a `with` lasts. On a stream socket each frame goes behind its
    length, as QEMU has it; on any other a message is a frame. The socket stays the test's to close."""

    def __init__(self, wire: socket.socket, address: str, mac: bytes = MAC) -> None:
        self.wire = wire
        self.address = socket.inet_aton(address)
        self.mac = mac
        self.stream = wire.type == socket.SOCK_STREAM
        self.executor = ThreadPoolExecutor(1)

    def __enter__(self) -> "Responder":
        self.work = self.executor.submit(self._answer_all)
        return self

    def __exit__(self, *_: Any) -> None:
        """Raises what went wrong in the thread."""
        try:
            self.wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the guest has gone
        self.executor.shutdown()
        self.work.result()

    def _take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size and (more := self.wire.recv(size - len(taken))):
            taken += more
        return taken

    def _next(self) -> bytes:
        """A frame; none at the end."""
        if not self.stream:
            return self.wire.recv(FRAME_MAX)
        return self._take(int.from_bytes(self._take(4), "big"))

    def _answer_all(self) -> None:
        try:
            while frame := self._next():
                if reply := answer(frame, self.address, self.mac):
                    self.wire.sendall((len(reply).to_bytes(4, "big") if self.stream else b"") + reply)
        except ConnectionError:
            pass  # the guest has gone
