"""QEMU's bridge-helper protocol as QEMU speaks it, and a bridge to speak it about."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import Any, Sequence

from tests.support import caller, world

TUNGETIFF = 0x800454D2
IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR, IFF_PERSIST = 0x0002, 0x0100, 0x1000, 0x4000, 0x0800


def ask(helper: Path | str, bridge: str = "br0", *options: str, user: int | None = None,
        groups: Sequence[int] | None = None, **more: Any) -> caller.Reply:
    """`options`, the socket and the bridge, in QEMU's order."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours:
        with theirs:
            done = caller.run(helper, *options, f"--fd={theirs.fileno()}", f"--br={bridge}", user=user, groups=groups,
                              pass_fds=[theirs.fileno()], **more)
        ours.settimeout(world.PATIENCE)
        reply = caller.Reply(done.returncode, stderr=done.stderr.decode())
        assert done.stdout == b"", done
        reply.data, reply.fds, _, _ = socket.recv_fds(ours, 4096, 8)
        for fd in reply.fds:
            os.set_inheritable(fd, False)
        if reply.data:
            assert ours.recv(1) == b"", "more than one message"
        return reply


def flags_of(tap: int) -> tuple[str, int]:
    """The name of the device behind the fd, and its IFF_* flags."""
    request = fcntl.ioctl(tap, TUNGETIFF, bytes(40))
    return request[:16].rstrip(b"\0").decode(), struct.unpack_from("H", request, 16)[0]


def add_bridge(name: str = "br0", address: str | None = "10.60.0.1/24", mtu: int = 1500) -> None:
    """A bridge with one port, whose MAC address it takes, as one has that an administrator puts a network card on."""
    world.sh("ip", "link", "add", name, "type", "bridge")
    world.sh("ip", "link", "add", f"{name}p", "mtu", str(mtu), "type", "veth", "peer", "name", f"{name}q")
    world.sh("ip", "link", "set", f"{name}p", "address", f"52:54:00:aa:bb:{len(world.links()):02x}", "master", name)
    for device in (name, f"{name}p", f"{name}q"):
        world.sh("ip", "link", "set", device, "up")
    if address is not None:
        world.sh("ip", "addr", "add", address, "dev", name)
    world.wait_for_carrier(name)


def ports() -> dict[str, dict[str, Any]]:
    """What a port of a bridge has, by its name, and the bridges with what ports could change of them."""
    state: dict[str, dict[str, Any]] = {}
    for name, link in world.links().items():
        kind = link.get("linkinfo", {}).get("info_kind", "")
        if kind != "bridge" and "master" not in link:
            continue
        state[name] = {"kind": kind, "master": link.get("master"), "mtu": link["mtu"], "up": "UP" in link["flags"],
                       "mac": link["address"]}
    return state
