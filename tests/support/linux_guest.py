"""A guest that is Linux: a network namespace at the other end of a TAP."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import threading
import time
from contextlib import AbstractContextManager

from tests.support import bridge, world
from tests.support.pump import inside

MAC = "52:54:00:66:66:66"
TUNSETIFF = 0x400454CA


class LinuxGuest:
    """A network namespace whose device `guest0` has the frames of `fd`, each after `head`, with a stable link-local address
    (RFC 7217)."""

    def __init__(self, fd: int, head: bytes = b"") -> None:
        self.namespace = f"umlnet-{os.getpid()}-guest"
        world.sh("ip", "netns", "add", self.namespace)
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"guest0", bridge.IFF_TAP | bridge.IFF_NO_PI))
        world.sh("ip", "link", "set", "guest0", "address", MAC, "netns", self.namespace)
        self.run("sysctl", "-qw", "net.ipv6.conf.guest0.stable_secret=2001:db8::60")
        for device in ("lo", "guest0"):
            self.run("ip", "link", "set", device, "up")
        self.stopped, self.stop = os.pipe()
        self.thread = threading.Thread(target=self._carry, args=(fd, head))
        self.thread.start()

    def run(self, *argv: str) -> str:
        return world.sh("ip", "netns", "exec", self.namespace, *argv)

    def inside(self) -> AbstractContextManager[None]:
        """This thread is in the namespace for as long as a `with` lasts."""
        return inside(self.namespace)

    def _carry(self, fd: int, head: bytes) -> None:
        while True:
            for ready in select.select([fd, self.tun, self.stopped], [], [])[0]:
                if ready == self.stopped:
                    return
                try:
                    if ready == fd:
                        os.write(self.tun, os.read(fd, 65540)[len(head):])
                    else:
                        os.write(fd, head + os.read(self.tun, 65536))
                except OSError:  # the guest's device is still down
                    continue

    def link_local(self) -> str:
        deadline = time.monotonic() + world.PATIENCE
        while time.monotonic() < deadline:
            (link,) = json.loads(self.run("ip", "-6", "-j", "addr", "show", "dev", "guest0", "scope", "link"))
            for info in link.get("addr_info", []):
                if not info.get("tentative") and not info.get("dadfailed"):
                    return str(info["local"])
            time.sleep(0.05)
        raise AssertionError("the guest has no link-local address")

    def close(self) -> None:
        os.write(self.stop, b"x")
        self.thread.join()
        for fd in (self.stop, self.stopped, self.tun):
            os.close(fd)
        world.sh("ip", "netns", "delete", self.namespace)
