"""What the fuzzer begins with: inputs that reach far, by target, and words that it should know. As values and not as
files, so that they can be read; tests/fuzz/run writes them out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def words(line: str) -> bytes:
    """A command line as execve() has it: a NUL between words."""
    return line.replace(" ", "\0").encode()


ARGUMENTS = [words(line) for line in (
    "4 tuntap up", "4 tuntap up 10.99.0.254", "4 tuntap up 10.99.0.1", "4 tuntap up 300.1.2.3",
    "4 add tap0 10.50.0.7 255.255.255.0", "4 del tap0 10.50.0.7 255.255.255.0", "4 add tap1 10.50.0.7 255.255.255.0",
    "4 tuntap add tap0 10.50.0.7 255.255.255.0", "4 tuntap del tap0 10.50.0.7 255.0.255.0",
    "4 ethertap tap7 3 10.99.0.254", "4 ethertap uml7 17", "4 ethertap tap%d 3", "4 slip up x",
    "5 session", "5 remove device=tap0", "5 remove device=tap1",
    "5 open device=tap7 address=10.99.0.20/32 guest=10.50.0.7 guest-mac=52:54:00:12:34:56 anti-spoof queues=2 mtu=9000",
    "5 open bridge=br0 isolated guest=10.50.0.7 guest-mac=52:54:00:12:34:56 anti-spoof sealed", "5 open bridge=br1 vnet-hdr",
    "5 open address=fd00:99::1/64 guest=fd00:99::7 mac=52:54:00:12:34:57 netns=5", "5 open device=tap7 persist",
    "5 open device=tap7 persist owner=:100 guest=10.50.0.7 guest=10.50.0.64/29 guest=fd00:51::/48",
    "--use-vnet --fd=5 --br=br0", "--br=br1 --fd=2", "--fd=7 --fd=8 --br=br0 --br=br1", "--help", "gc", "gc now", "3 tuntap up",
    "4294967300 tuntap up", "-1", "4abc", "")]


def record(what: int, address: str, netmask: str) -> bytes:
    return struct.pack("=i", what) + bytes(map(int, address.split("."))) + bytes(map(int, netmask.split(".")))


CONTROL = [
    bytes([11]) + record(0, "10.50.0.7", "255.255.255.0"),
    bytes([4]) + record(0, "10.50.0.7", "255.255.255.0") + record(1, "10.50.0.7", "255.255.255.0"),
    bytes([0]) + record(2, "10.50.0.7", "255.255.255.0"),
    bytes([30]) + record(-1, "0.0.0.0", "255.0.255.0") + record(1, "1.2.3.4", "0.0.0.0")[:7],
]


def frames(split: int, room: int, *sizes: int, claim: int | None = None) -> bytes:
    stream = b"".join(struct.pack("!I", size) + bytes(i % 256 for i in range(size)) for size in sizes)
    return bytes([split, room]) + stream + (struct.pack("!I", claim) if claim is not None else b"")


QEMU_STREAM = [
    frames(0, 64, 14, 60), frames(255, 255, 14, 60, 100, 1), frames(6, 200, 60, 60, 60, 14), frames(3, 64, 14, claim=0),
    frames(3, 64, 14, claim=0xffffffff), frames(3, 64, 61), frames(3, 4, 1), b"\1\1" + b"\0\0" + bytes(60),
]

ETHERNET = bytes.fromhex("fefd00000001 020000000001".replace(" ", ""))


def ip4(protocol: int, payload: bytes, options: bytes = b"") -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 1, 0, 64, protocol,
                         0, bytes([10, 50, 0, 7]), bytes([10, 50, 0, 1]))
    return ETHERNET + b"\x08\0" + header + options + payload


def ip6(following: int, payload: bytes) -> bytes:
    header = struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + bytes(15) + b"\1" + bytes(15) + b"\2"
    return ETHERNET + b"\x86\xdd" + header + payload


def tcp(payload: int) -> bytes:
    return struct.pack("!HHIIBBHHH", 1000, 80, 2**32 - 20, 0, 0x50, 0x99, 100, 0, 0) + bytes(i % 251 for i in range(payload))


def udp(payload: int) -> bytes:
    return struct.pack("!HHHH", 1000, 53, 8 + payload, 0) + bytes(i % 251 for i in range(payload))


def offload(frame: bytes, flags: int = 0x81, kind: int = 0, size: int = 0, start: int = 34, offset: int = 16) -> bytes:
    return struct.pack("=BBHHHH", flags, kind, start, size, start, offset) + frame


OFFLOADS = [
    offload(ip4(6, tcp(100)), kind=1, size=30), offload(ip4(6, tcp(100)), kind=0x81, size=1), offload(ip4(6, tcp(0)), kind=1, size=9),
    offload(ip4(6, tcp(100), bytes([7, 4, 4, 0])), kind=1, size=48, start=38),
    offload(ip6(6, tcp(100)), kind=4, size=40, start=54), offload(ip4(17, udp(100)), kind=5, size=30, offset=6),
    offload(ip6(17, udp(100)), kind=5, size=30, start=54, offset=6), offload(ip4(17, udp(100)), kind=3, size=24, offset=6),
    offload(ip4(17, udp(100), bytes([0x44, 4, 5, 0, 0x94, 4, 0, 0])), kind=3, size=16, start=42, offset=6),
    offload(ip6(60, bytes([6, 0, 1, 4, 0, 0, 0, 0]) + tcp(60)), kind=4, size=20, start=62),
    offload(ip6(43, bytes([6, 2, 0, 1, 0, 0, 0, 0]) + bytes(16) + tcp(60)), kind=4, size=20, start=78),
    offload(ip4(17, udp(50)), offset=6), offload(ip4(6, tcp(50))), offload(ip4(6, tcp(50)), flags=0),
    offload(ETHERNET + b"\x81\0\0\x05" + ip4(6, tcp(100))[12:], kind=1, size=20, start=38),
]

def joinable(frame: bytes, size: int, segment: int = 0, at: int = 0, changed: int = 0, parted: int = 0) -> bytes:
    return struct.pack("!BHBHB", parted, size, segment, at, changed) + frame


COALESCING = [
    joinable(ip4(6, tcp(100)), 30), joinable(ip4(6, tcp(90)), 30), joinable(ip4(6, tcp(100)), 1),
    joinable(ip4(6, tcp(100), bytes([7, 4, 4, 0])), 48), joinable(ip6(6, tcp(100)), 40),
    joinable(ETHERNET + b"\x81\0\0\x05" + ip4(6, tcp(100))[12:], 20),
    joinable(ip4(6, tcp(100)), 30, 1, 60, 1), joinable(ip4(6, tcp(100)), 30, 2, 24, 0x80), joinable(ip4(17, udp(100)), 30),
    joinable(2 * ip4(6, tcp(30)), len(ip4(6, tcp(30))), parted=1),
]

POLICY_LINES = [
    '{"version": 1, "rules": []}',
    '{"version": 1, "rules": [{"name": "a", "users": ["*"], "operations": ["tuntap"]}]}',
    '{"version": 1, "rules": [{"name": "a", "effect": "deny", "users": ["alice", 4711], "gateways": ["10.99.0.254"]}]}',
    '{"version": 1, "audit": {"journald": true}, "rules": [{"name": "a", "groups": ["umlnet", 50], "devices": ["tap[0-9]*", "uml?"],'
    ' "guests": ["fd00::/8", "10.50.0.0/24"], "lan": ["eth0"], "max_devices": 1, "max_addresses": 0}]}',
    '{"version": 1, "version": 2, "rules": [[[[[]]]]]}',
    '{"version": 1, "rules": [{"name": "\\u0000\\ud800", "users": [-1, 4294967296, 1e3, true]}]}',
    '{"version": 1, "rules": [{"name": "a", "users": ["bob"]}]}\n#passwd\nbob:x:1002:1::/:\nbob:x:9:\n:::\nx:x:99999999999:\n',
]

SETUPS = ["tuntap", "tuntap,,,10.0.0.254", "tuntap,tap0,fe:fd:0:0:0:1", "ethertap,tap7,,10.0.0.254", "ethertap", "tuntap,,,,",
          "tuntap,tap%d", "tuntap,tap0,01:0:0:0:0:1", "slirp", "tuntap,,,1.2.3"]


def answer(call: int, status: int, fds: int, *steps: bytes, complains: bool = False) -> bytes:
    return bytes([call, status, fds, complains]) + b"".join(bytes([len(step)]) + step for step in steps)


def framed(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("=i", len(text) if length is None else length) + text


REPLIES = [
    answer(0, 0, 1, b"tap0".ljust(16, b"\0") + b"tap0 up\n\0"), answer(0, 77, 0, b"uml_net: denied\n\0"), answer(0, 0, 2, b"tap0".ljust(16, b"\0")),
    answer(0, 0, 1, b"short"), answer(0, 255, 0, b""), answer(0, 71, 0, complains=True),
    answer(1, 0, 0, framed(b"10.50.0.7 routed to tap7\n\0")), answer(1, 77, 0, framed(b"uml_net: no\n\0")), answer(1, 0, 0, framed(b"", 4096)),
    answer(1, 0, 0, framed(b"", -1)), answer(1, 0, 0, framed(b"", 4097)), answer(1, 0, 0, b"\1\0"),
    answer(2, 0, 0, b"\1" + framed(b"tap7 up\n\0"), framed(b"routed\n\0"), framed(b"taken back\n\0")),
    answer(2, 0, 0, b"\1" + framed(b"tap7 up\n\0"), framed(b"uml_net: denied\n\0"), framed(b"\x1b[2J\n\0")),
    answer(2, 77, 0, b"\0" + framed(b"uml_net: denied\n\0")), answer(2, 0, 0, b"\1" + framed(b"x", 2)), answer(2, 0, 0, b"\2" + framed(b"")),
    answer(2, 0, 3, b"\1" + framed(b"tap7 up\n\0")), answer(2, 255, 0, b"\1" + framed(b"tap7 up\n\0"), b"\1"),
]

AUDIT = [
    '{"time":"2026-02-03T04:05:06.000007Z","event":"accept","stage":"result","id":"00000000-0000-4000-8000-000000000000",'
    '"caller":{"uid":1001,"gid":1001,"pid":1,"user":"alice","loginuid":5},"request":{"protocol":"uml/4","operation":"add",'
    '"device":"tap0","address":"10.50.0.7","netmask":"255.255.255.0","gateway":"10.0.0.1","bridge":"br0"},"untrusted":["4","a\\\\x00"],'
    '"decision":{"rule":"alice","reason":"rule alice allows address"},"result":{"device":"tap0","ifindex":3,"changes":'
    '["10.50.0.7 routed to tap0"],"error":"e","errno":"EPERM","duration_us":1234,"session":{"ended":"by itself","to_guest":{"frames":1,'
    '"bytes":2,"too_long":3,"too_short":4,"dropped":5},"to_host":{},"addresses_added":1,"addresses_removed":2}},"suppressed":7}',
    '{"time":"2026-02-30T04:05:06Z","event":"exit","stage":"intent","id":"\\u001b[31m","caller":{"uid":-1}}',
    '{"time":"2026-02-03T04:05:06+01:00","event":"reject","stage":"result","id":"\\ud83d\\ude00","caller":{"uid":1e3,"uid":1},"suppressed":2}',
    "{}", '{"filler":true}', "[[[[[[",
]

REPLY_DEVICE = ('{"status":"ok","id":"00000000-0000-4000-8000-000000000000","device":"tap7","ifindex":7,"mac":"52:54:00:12:34:57",'
                '"mtu":1500,"addresses":["10.99.0.1/24"],"guests":[{"address":"10.50.0.7","published":["eth0"]}],"bridge":"br0",'
                '"isolated":true,"queues":2,"vnet_hdr":true,"netns":true,"persistent":true,"sealed":true,"anti_spoof":true,"fds":2,'
                '"notes":["a"]}')
NATIVE = [line.removeprefix("5 ").replace(" ", "\0").encode() + b"\0" for line in (
    "open", "remove device=tap0", "session", "reload", "open device=tap7 address=10.99.0.1/24 guest=10.50.0.7 netns=0",
    "open bridge=br0 isolated guest=fd00::7 guest-mac=52:54:00:12:34:56 anti-spoof sealed queues=1 mtu=1280 vnet-hdr")] + [
    text.encode() for text in (
        REPLY_DEVICE, REPLY_DEVICE.replace('"sealed":true,', "").replace('"bridge":"br0","isolated":true,', ""),
        '{"status":"ok","id":"00000000-0000-4000-8000-000000000000","device":"tap7","removed":true,"fds":0,"notes":[]}',
        '{"status":"ok","id":"00000000-0000-4000-8000-000000000000","session":true,"fds":0,"notes":["b"]}',
        '{"status":"ok","id":"00000000-0000-4000-8000-000000000000","reloaded":true,"fds":0,"notes":[]}',
        '{"status":"error","code":"denied","errno":"EPERM","error":"no","advice":"ask"}',
        '{"status":"error","id":"x","code":"no_answer","error":"\\u001b[31m"}')]



def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body


# Of rtnetlink: a link set up and one moved, an address, a route, a proxy entry, forwarding, a mark, a deletion.
MESSAGES = [
    message(19, struct.pack("=BxHiII", 0, 0, 5, 1, 1)), message(19, struct.pack("=BxHiII", 0, 0, 6, 0, 0) + attribute(28, b"\4\0\0\0")),
    message(20, bytes([2, 24, 0, 0, 5, 0, 0, 0]) + attribute(2, bytes([10, 0, 0, 1]))),
    message(24, bytes([2, 32, 0, 0, 254, 117, 253, 1, 0, 0, 0, 0]) + attribute(1, bytes([10, 0, 0, 1])) + attribute(4, b"\5\0\0\0")),
    message(28, bytes([2, 0, 0, 0, 2, 0, 0, 0, 128, 0, 8, 0]) + attribute(1, bytes([10, 0, 0, 1])) + attribute(12, b"\x75")),
    message(19, struct.pack("=BxHiII", 0, 0, 2, 0, 0) + attribute(26, attribute(2, attribute(1, attribute(1, b"\1\0\0\0"))))),
    message(108, struct.pack("=BxHiII", 0, 0, 2, 0, 0) + attribute(52, attribute(53, b"umlnet:forwarding:2\0"))),
    message(17, struct.pack("=BxHiII", 0, 0, 5, 0, 0)),
]
# What the front says: nothing of it, and an open with a device's name.
SAID = [bytes(3000), bytes([0, 2, 6]) + bytes(9) + bytes([5]) + b"tap7" + bytes(2500)]

SEEDS: dict[str, list[bytes]] = {
    "arguments": ARGUMENTS,
    "audit": [line.encode() for line in AUDIT],
    "coalescing": COALESCING,
    "control": CONTROL,
    "offloads": OFFLOADS,
    "message_grammar": MESSAGES,
    "native": NATIVE,
    "pcapng": [b"umlnet 0.1.0\\\0tap0\\\0the guest\\\0" + bytes(range(80)), b"\\\0\\\0\\\0" + b"frame\\\0" * 20],
    "policy": [line.encode() for line in POLICY_LINES] + [path.read_bytes() for path in sorted((ROOT / "policy/examples").glob("*.json"))],
    "qemu_stream": QEMU_STREAM,
    "replies": REPLIES,
    "setup_strings": [line.encode() for line in SETUPS],
    "wire_request": SAID,
}

WORDS: dict[str, list[str]] = {
    "arguments": ["4", "tuntap", "up", "add", "del", "ethertap", "gc", "--fd=", "--br=", "--use-vnet", "--help", "tap0", "br0",
                  "5", "open", "remove", "session", "events", "reload", "device=", "address=", "guest=", "guest-mac=", "bridge=", "isolated", "mtu=",
                  "mac=", "queues=", "vnet-hdr", "netns=", "persist", "owner=", "sealed", "anti-spoof", "fd00:99::7", "52:54:00:12:34:56",
                  "10.99.0.254", "10.50.0.7", "255.255.255.0", "\0"],
    "audit": ["time", "event", "stage", "result", "intent", "caller", "request", "untrusted", "decision", "session", "suppressed",
              "accept", "reject", "exit", "alert", "duration_us", "\\u001b", "\\\\x00"],
    "native": ["open", "remove", "session", "reload", "device=", "address=", "guest=", "\0", "status", "ok", "error", "id", "ifindex", "mac", "mtu",
               "addresses", "guests", "published", "queues", "vnet_hdr", "netns", "persistent", "sealed", "anti_spoof", "fds", "notes",
               "removed", "session", "reloaded", "code", "errno", "advice", "true"],
    "policy": ["version", "rules", "name", "effect", "allow", "deny", "users", "groups", "operations", "devices", "gateways", "guests",
               "bridges", "lan", "max_mtu", "max_queues", "host_mac", "vnet_hdr", "namespaces", "persistent", "isolated", "sealed",
               "anti_spoof", "infrastructure", "dhcp-server", "owners", "owner_groups", "max_devices_per_bridge", "max_devices",
               "max_addresses", "audit", "journald", "comment", "$schema", "tuntap", "ethertap",
               "address", "bridge", "open", "fd00::/8", "10.99.0.0/16", "\\u0000", "#passwd\n"],
    "setup_strings": ["tuntap", "ethertap", ",", "tap0", "fe:fd:0:0:0:1", "10.0.0.254"],
}


def dictionary(target: str) -> Iterator[str]:
    """In libFuzzer's own form."""
    for word in WORDS.get(target, []):
        yield '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in word) + '"\n'
