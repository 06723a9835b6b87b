"""Frames that a guest sends, whole and with right checksums, and a guest that answers for its addresses."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from typing import Any, Callable

from tests.support.responder import answer as answer_ipv4
from tests.support.responder import internet_checksum

MAC = bytes.fromhex("525400666666")
LINK_LOCAL = "fe80::5054:ff:fe66:6666"
BROADCAST, ALL_NODES = b"\xff" * 6, bytes.fromhex("333300000001")
IPV4, ARP, IPV6, VLAN, SERVICE_VLAN = (bytes.fromhex(t) for t in ("0800", "0806", "86dd", "8100", "88a8"))
LLC_AND_SNAP = bytes.fromhex("aaaa03000000")  # after a length and before an EtherType
HOP_BY_HOP, TCP, UDP, ROUTING, FRAGMENT, ICMPV6, DESTINATION = 0, 6, 17, 43, 44, 58, 60
SOLICITATION, ADVERTISEMENT, ROUTER_ADVERTISEMENT, REDIRECT, ECHO_REQUEST, ECHO_REPLY = 135, 136, 134, 137, 128, 129


def of4(address: str) -> bytes:
    return socket.inet_aton(address)


def of6(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)


def ethernet(kind: bytes, payload: bytes, destination: bytes, source: bytes = MAC) -> bytes:
    return destination + source + kind + payload


def tagged(frame: bytes, *tags: bytes) -> bytes:
    """With VLAN tags (EtherType and tag, 4 bytes each), the outer one first."""
    return frame[:12] + b"".join(tags) + frame[12:]


def arp(operation: int, sender: str, target: str, destination: bytes = BROADCAST, target_mac: bytes = bytes(6)) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + MAC + of4(sender) + target_mac + of4(target)
    return ethernet(ARP, body, destination)


def ipv4(source: str, destination: str, protocol: int, payload: bytes, mac: bytes, options: bytes = b"",
         fragment: int = 0, identification: int = 1) -> bytes:
    """`fragment`: the flags and the offset, as in the header."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), identification, fragment,
                       64, protocol, 0, of4(source), of4(destination)) + options
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    return ethernet(IPV4, head + payload, mac)


def icmp(kind: int, code: int, rest: bytes) -> bytes:
    message = bytes([kind, code, 0, 0]) + rest
    return message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]


def upper_checksum(source: str, destination: str, protocol: int, message: bytes) -> int:
    return internet_checksum(of6(source) + of6(destination) + struct.pack("!II", len(message), protocol) + message)


def icmpv6(kind: int, rest: bytes, source: str, destination: str) -> bytes:
    message = bytes([kind, 0, 0, 0]) + rest
    return message[:2] + struct.pack("!H", upper_checksum(source, destination, ICMPV6, message)) + message[4:]


def ipv6(source: str, destination: str, next_header: int, payload: bytes, mac: bytes) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(payload), next_header, 255) + of6(source) + of6(destination)
    return ethernet(IPV6, head + payload, mac)


def options_header(next_header: int, eights: int = 0) -> bytes:
    """Hop-by-hop or destination options, of 8 bytes and `eights` times as much: one that receivers skip."""
    return bytes([next_header, eights, 0x1E, 4 + 8 * eights]) + bytes(4 + 8 * eights)


def routing_header(next_header: int) -> bytes:
    """One that was used up: no segments left."""
    return bytes([next_header, 0, 0, 0]) + bytes(4)


def fragment_header(next_header: int, offset: int, more: bool, identification: int = 7) -> bytes:
    return struct.pack("!BBHI", next_header, 0, offset | more, identification)


def fragments(next_header: int, message: bytes, size: int, identification: int = 7) -> list[bytes]:
    """Of an IPv6 payload, each with its fragment header. `size` is a multiple of 8."""
    return [fragment_header(next_header, at, at + size < len(message), identification) + message[at:at + size]
            for at in range(0, len(message), size)]


def router_advertisement(prefix: str) -> bytes:
    """Of preference high, with a default route, a /64 on-link and for addresses, an MTU and a DNS server."""
    body = bytes([64, 0x08]) + struct.pack("!HII", 1800, 0, 0)
    body += bytes([3, 4, 64, 0xC0]) + struct.pack("!III", 86400, 14400, 0) + of6(prefix)
    body += bytes([1, 1]) + MAC
    body += bytes([5, 1, 0, 0]) + struct.pack("!I", 1300)
    body += bytes([25, 3, 0, 0]) + struct.pack("!I", 1800) + of6(prefix + "53")
    return icmpv6(ROUTER_ADVERTISEMENT, body, LINK_LOCAL, "ff02::1")


def advertised_in_every_disguise(prefix: str) -> dict[str, list[bytes]]:
    """One router advertisement, as frames that a receiver who follows the standards takes for one."""
    message = router_advertisement(prefix)

    def packet(next_header: int, payload: bytes) -> bytes:
        return ipv6(LINK_LOCAL, "ff02::1", next_header, payload, ALL_NODES)

    def in_fragments(next_header: int, whole: bytes, size: int, identification: int) -> list[bytes]:
        return [packet(FRAGMENT, part) for part in fragments(next_header, whole, size, identification)]

    plain = packet(ICMPV6, message)
    in_snap = LLC_AND_SNAP + plain[12:]  # the EtherType is the last field of SNAP
    addresses = plain[:12]
    return {
        "plain": [plain],
        "LLC and SNAP": [addresses + struct.pack("!H", len(in_snap)) + in_snap],
        "LLC and SNAP with a wrong length": [addresses + struct.pack("!H", 8) + in_snap],
        "LLC and SNAP in a priority tag": [addresses + VLAN + bytes(2) + struct.pack("!H", len(in_snap)) + in_snap],
        "to the host alone": [BROADCAST + plain[6:]],
        "VLAN tag": [tagged(plain, VLAN + b"\x00\x05")],
        "priority tag": [tagged(plain, VLAN + b"\xe0\x00")],
        "service priority tag": [tagged(plain, SERVICE_VLAN + b"\x00\x00")],
        "two priority tags": [tagged(plain, VLAN + b"\x00\x00", VLAN + b"\x00\x00")],
        "three priority tags": [tagged(plain, SERVICE_VLAN + b"\x00\x00", VLAN + b"\x00\x00", VLAN + b"\x00\x00")],
        "hop-by-hop options": [packet(HOP_BY_HOP, options_header(ICMPV6) + message)],
        "long hop-by-hop options": [packet(HOP_BY_HOP, options_header(ICMPV6, 1) + message)],
        "destination options": [packet(DESTINATION, options_header(ICMPV6) + message)],
        "both kinds of options": [packet(HOP_BY_HOP, options_header(DESTINATION) + options_header(ICMPV6) + message)],
        "a routing header": [packet(ROUTING, routing_header(ICMPV6) + message)],
        "the only fragment": [packet(FRAGMENT, fragment_header(ICMPV6, 0, False) + message)],
        "fragments": in_fragments(ICMPV6, message, 64, 11),
        "tiny fragments": in_fragments(ICMPV6, message, 8, 12),
        "fragments, the last one first": in_fragments(ICMPV6, message, 64, 13)[::-1],
        "options in fragments": in_fragments(DESTINATION, options_header(ICMPV6, 1) + message, 24, 14),
        "options in fragments, the message not in the first": in_fragments(DESTINATION, options_header(ICMPV6, 1) + message, 16, 16),
        "fragments behind options": [packet(HOP_BY_HOP, options_header(FRAGMENT) + part) for part in
                                     fragments(ICMPV6, message, 64, 15)],
    }


def redirect6(source: str, destination: str, about: str, better: str, mac: bytes) -> bytes:
    """"For `about`, use `better`", from the router `source`."""
    rest = bytes(4) + of6(better) + of6(about) + bytes([2, 1]) + MAC
    return ipv6(source, destination, ICMPV6, icmpv6(REDIRECT, rest, source, destination), mac)


def redirect4(router: str, host: str, about: str, better: str) -> bytes:
    """The ICMP message: "for `about`, use `better`". What it quotes is an echo reply of the host's."""
    quoted = ipv4(host, about, 1, icmp(0, 0, bytes(4)), BROADCAST)[14:]
    return icmp(5, 1, of4(better) + quoted)


def solicitation(source: str, target: str, mac: bytes) -> bytes:
    group = "ff02::1:ff" + of6(target)[-3:].hex()[:2] + ":" + of6(target)[-2:].hex()
    rest = bytes(4) + of6(target) + bytes([1, 1]) + MAC
    return ipv6(source, group, ICMPV6, icmpv6(SOLICITATION, rest, source, group), mac)


def advertisement(source: str, destination: str, target: str, mac: bytes) -> bytes:
    rest = b"\x60\0\0\0" + of6(target) + bytes([2, 1]) + MAC
    return ipv6(source, destination, ICMPV6, icmpv6(ADVERTISEMENT, rest, source, destination), mac)


def answer_ipv6(frame: bytes, address: str) -> bytes | None:
    """What a guest with this address sends back, where the frame asks for its MAC address or pings it."""
    if frame[12:14] != IPV6 or len(frame) < 62 or frame[20] != ICMPV6:
        return None
    asker, message = socket.inet_ntop(socket.AF_INET6, frame[22:38]), frame[54:]
    if message[0] == SOLICITATION and message[8:24] == of6(address) and asker != "::":
        return advertisement(address, asker, address, frame[6:12])
    if message[0] == ECHO_REQUEST and frame[38:54] == of6(address):
        return ipv6(address, asker, ICMPV6, icmpv6(ECHO_REPLY, message[4:], address, asker), frame[6:12])
    return None


class Guest:
    """Answers from a thread of its own, by `send`, what comes in at `fd`, for as long as a `with` lasts. `head` bytes stand
    before each frame that is read."""

    def __init__(self, fd: int, send: Callable[[bytes], Any], address: str = "", address6: str = "", head: int = 0) -> None:
        self.fd, self.send, self.address, self.address6, self.head = fd, send, address, address6, head
        self.stopped, self.stop = os.pipe()

    def __enter__(self) -> "Guest":
        self.thread = threading.Thread(target=self._answer_all)
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        os.close(self.stop)
        self.thread.join()
        os.close(self.stopped)

    def _answer_all(self) -> None:
        while True:
            ready = select.select([self.fd, self.stopped], [], [])[0]
            if self.stopped in ready:
                return
            frame = os.read(self.fd, 65536)[self.head:]
            if not frame:
                return
            reply = answer_ipv4(frame, of4(self.address), MAC) if self.address else None
            if reply is None and self.address6:
                reply = answer_ipv6(frame, self.address6)
            if reply is not None:
                self.send(reply)
