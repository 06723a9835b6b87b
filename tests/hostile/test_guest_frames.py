"""A guest as an enemy: frames by which a router would configure the host, sent into each kind of device, by another uid."""

import fcntl
import json
import os
import select
import socket
import struct
import time
import unittest
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from tests.support import bridge, caller, ethertap, guest_frames, native, world
from tests.support.case import HELPER, HostCase
from tests.support.guest import soon
from tests.support.guest_frames import BROADCAST, LINK_LOCAL, MAC, Guest
from tests.support.hostile import NOBODY

GATE, GUEST, OTHER = "10.99.0.254", "10.99.0.1", "10.99.0.2"
GATE6, GUEST6 = "fd00:99::1", "fd00:99::7"
PATIENCE = 10  # seconds
TUNSETIFF = 0x400454CA
ADVERTISED, REMOTE, REMOTE6 = "2001:db8:bad::", "198.51.100.7", "2001:db8:5::7"
SETTLED = 0.1  # seconds, in which the kernel has done what it does with a frame later

# README's, for a user who needs no group.
README = {"name": "uml-guests", "users": [NOBODY], "operations": ["tuntap", "address"], "gateways": ["10.99.0.0/16"],
          "guests": ["10.99.0.0/16"]}
# The same with all other kinds of devices. Nothing in it speaks of IPv6.
IPV4_ONLY = {**README, "operations": ["tuntap", "address", "ethertap", "open"], "devices": ["tap*", "uml*"], "max_queues": 2,
             "persistent": True, "vnet_hdr": True, "namespaces": True}
BOTH = {**IPV4_ONLY, "gateways": ["10.99.0.0/16", "fd00:99::/64"], "guests": ["10.99.0.0/16", "fd00:99::/64"]}


@dataclass
class Wire:
    """The guest's end of a device. Each of `sends` takes a frame: one for each queue."""

    device: str
    sends: list[Callable[[bytes], Any]]
    fd: int
    head: int = 0  # bytes before each frame that is read
    inside: Callable[..., str] = world.sh  # runs a command where the device is
    queues: tuple[int, ...] = ()  # to read from, where there are several: the kernel chooses one for each frame

    def link(self) -> dict[str, Any]:
        (found,) = json.loads(self.inside("ip", "-j", "link", "show", "dev", self.device))
        return dict(found)

    def mac(self) -> bytes:
        return bytes.fromhex(self.link()["address"].replace(":", ""))

    def sync(self) -> None:
        """Returns when the host has seen all that was sent: it answers ARP for its gateway address."""
        for send in self.sends:
            send(guest_frames.arp(1, GUEST, GATE))
        deadline = time.monotonic() + PATIENCE
        answers = 0
        while answers < len(self.sends):
            assert time.monotonic() < deadline, "the host does not answer ARP"
            frame = self.read()
            answers += frame[12:14] == guest_frames.ARP and frame[20:22] == b"\0\2"
        time.sleep(SETTLED)

    def read(self, patience: float = 1) -> bytes:
        ready = select.select(self.queues or [self.fd], [], [], patience)[0]
        return os.read(ready[0], 65536)[self.head:] if ready else b""


def tap_wire(name: str, fds: list[int], head: int = 0, **more: Any) -> Wire:
    sends = [lambda frame, fd=fd: os.write(fd, bytes(head) + frame) for fd in fds]  # type: ignore[misc]
    return Wire(name, sends, fds[0], head, queues=tuple(fds), **more)


class GuestFrames(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy({"version": 1, "rules": [IPV4_ONLY]})
        lan = world.lan()
        self.addCleanup(lan.close)
        world.ip_batch("addr add fd00:50::1/64 dev eth0 nodad", "route add default via fd00:50::2 dev eth0",
                       "route add default via 10.50.0.2 dev eth0")
        self.eager(world.sh)

    @staticmethod
    def eager(inside: Callable[..., str]) -> None:
        """A host that heeds neighbour discovery in fragments: the filter is to drop it, not the kernel's default."""
        inside("sysctl", "-qw", "net.ipv6.conf.default.suppress_frag_ndisc=0", "net.ipv6.conf.all.suppress_frag_ndisc=0")

    # Devices, each as its holder has it.

    @contextmanager
    def tuntap(self) -> Iterator[Wire]:
        with caller.tuntap_up(self.helper, GATE, user=NOBODY) as reply:
            self.assertEqual(reply.exit, 0, reply)
            yield tap_wire(reply.name, reply.fds)

    @contextmanager
    def ethertap(self) -> Iterator[Wire]:
        with ethertap.Session(self.helper, "uml1", GATE, user=NOBODY) as session:
            self.assertEqual(session.text, f"uml1 up with {GATE}/32\n")
            yield Wire("uml1", [lambda frame: session.data.send(b"\0\0" + frame)], session.data.fileno(), 2)

    @contextmanager
    def open(self, *options: str, head: int = 0, addresses: tuple[str, ...] = (f"address={GATE}",)) -> Iterator[Wire]:
        with native.opened(self.helper, *addresses, *options, user=NOBODY) as answer:
            yield tap_wire(answer.name, answer.fds, head)

    @contextmanager
    def sealed(self, *options: str) -> Iterator[Wire]:
        with native.opened(self.helper, f"address={GATE}", "sealed", *options, user=NOBODY) as answer:
            (fd,) = answer.fds
            with socket.socket(fileno=os.dup(fd)) as wire:
                yield Wire(answer.name, [wire.send], fd)
        self.assertTrue(soon(lambda: answer.name not in world.links()), "its relay has ended")

    @contextmanager
    def persistent(self) -> Iterator[Wire]:
        """Attached to again, by its name, as a fixed-name guest does: its maker is gone."""
        with native.opened(self.helper, f"address={GATE}", "persist", "device=uml7", user=NOBODY):
            pass
        with open("/dev/net/tun", "r+b", buffering=0) as tun:
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"uml7", bridge.IFF_TAP | bridge.IFF_NO_PI))
            yield tap_wire("uml7", [tun.fileno()])

    @contextmanager
    def session(self) -> Iterator[Wire]:
        with native.Session(self.helper, user=NOBODY) as session, session.ask("open", f"address={GATE}") as answer:
            self.assertTrue(answer.ok, answer)
            yield tap_wire(answer.name, answer.fds)

    @contextmanager
    def elsewhere(self) -> Iterator[Wire]:
        """In a network namespace of its holder's."""
        own = native.OwnNamespace(NOBODY)
        try:
            self.eager(own.inside)
            with native.opened(self.helper, f"address={GATE}", f"netns={own.fd}", user=NOBODY, pass_fds=[own.fd]) as answer:
                yield tap_wire(answer.name, answer.fds, inside=own.inside)
        finally:
            own.close()

    @contextmanager
    def elsewhere_in_a_session(self) -> Iterator[Wire]:
        own = native.OwnNamespace(NOBODY)
        try:
            self.eager(own.inside)
            with native.Session(self.helper, user=NOBODY) as session, \
                    session.ask("open", f"address={GATE}", "netns=0", fds=[own.fd]) as answer:
                self.assertTrue(answer.ok, answer)
                yield tap_wire(answer.name, answer.fds, inside=own.inside)
        finally:
            own.close()

    def every_device(self) -> dict[str, Callable[[], Any]]:
        return {
            "4 tuntap": self.tuntap, "4 ethertap": self.ethertap, "5 open": self.open, "persistent": self.persistent,
            "several queues": lambda: self.open("queues=2"), "virtio-net headers": lambda: self.open("vnet-hdr", head=10),
            "sealed": self.sealed, "in a session": self.session, "in another namespace": self.elsewhere,
            "in another namespace, in a session": self.elsewhere_in_a_session,
            "anti-spoof": lambda: self.open("anti-spoof", "guest-mac=" + MAC.hex(":"), f"guest={GUEST}"),
        }

    # What the host knows.

    def ipv6_of(self, wire: Wire) -> dict[str, Any]:
        """Without what comes and goes by itself: other devices' neighbours, their link-local addresses, which become valid a
        while after them, and notices of a missing carrier."""
        addresses = json.loads(wire.inside("ip", "-6", "-j", "addr"))
        routes = wire.inside("ip", "-6", "route", "show", "table", "all")
        return {
            "addresses": sorted((link["ifname"], info["local"], info["prefixlen"]) for link in addresses for info in link["addr_info"]),
            "routes": sorted(" ".join(route.split(" expires ")[0].replace(" linkdown", "").split()) for route in
                             routes.splitlines() if not route.startswith(("local fe80:", "anycast fe80:"))),
            "neighbours": wire.inside("ip", "-6", "neigh", "show", "dev", wire.device),
            "mtu": wire.inside("cat", f"/proc/sys/net/ipv6/conf/{wire.device}/mtu"),
        }

    def assert_untouched(self, wire: Wire, before: dict[str, Any]) -> None:
        wire.sync()
        self.assertEqual(self.ipv6_of(wire), before)

    # IPv6 where none was granted.

    def test_readmes_policy_and_one_router_advertisement(self) -> None:
        world.write_policy({"version": 1, "rules": [README]})
        with self.tuntap() as wire:
            for frame in guest_frames.advertised_in_every_disguise(ADVERTISED)["plain"]:
                wire.sends[0](frame)
            wire.sync()
            self.assertIn("via fd00:50::2 dev eth0", world.sh("ip", "-6", "route", "get", "2001:db8:1::1"))
            self.assertNotIn("2001:db8:bad", world.sh("ip", "-6", "addr") + world.sh("ip", "-6", "route", "show", "table", "all"))

    def test_no_device_takes_ipv6_that_was_not_granted(self) -> None:
        for kind, make in self.every_device().items():
            with self.subTest(kind), make() as wire:
                # No address of the host's is there for it, and so it asks for no router either.
                self.assertEqual(json.loads(wire.inside("ip", "-6", "-j", "addr", "show", "dev", wire.device)), [])
                before = self.ipv6_of(wire)
                self.assertEqual(before["neighbours"], "")
                host = wire.mac()
                frames = [frame for disguise in guest_frames.advertised_in_every_disguise(ADVERTISED).values() for frame in disguise]
                frames += [guest_frames.solicitation(LINK_LOCAL, LINK_LOCAL, to) for to in (host, guest_frames.ALL_NODES)]
                frames += [guest_frames.solicitation(LINK_LOCAL, "fd00:50::1", guest_frames.ALL_NODES),
                           guest_frames.advertisement(LINK_LOCAL, "ff02::1", LINK_LOCAL, guest_frames.ALL_NODES),
                           guest_frames.redirect6(LINK_LOCAL, "fd00:50::1", REMOTE6, LINK_LOCAL, host)]
                for send in wire.sends:
                    for frame in frames:
                        send(frame)
                self.assert_untouched(wire, before)

    def test_no_frame_with_llc_and_snap_passes(self) -> None:
        """The host itself takes no IPv6 out of one, but what it forwards frames to may."""
        disguises = guest_frames.advertised_in_every_disguise(ADVERTISED)
        frames = [frame for disguise in disguises if "SNAP" in disguise for frame in disguises[disguise]]
        for kind, make in self.every_device().items():
            with self.subTest(kind), make() as wire:
                def dropped() -> int:
                    shown = wire.inside("tc", "-j", "-s", "qdisc", "show", "dev", wire.device, "clsact")
                    return int(json.loads(shown)[0]["drops"])

                wire.sync()
                before = dropped()
                for send in wire.sends:
                    for frame in frames:
                        send(frame)
                wire.sync()
                self.assertEqual(dropped() - before, len(frames) * len(wire.sends))

    def test_the_host_hears_no_ipv6_that_was_not_granted(self) -> None:
        """Its own address on another device is not reached either."""
        with self.tuntap() as wire, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as heard:
            heard.bind(("::", 5353))
            heard.settimeout(SETTLED)
            datagram = struct.pack("!HHHH", 5353, 5353, 8, 0)
            datagram = datagram[:6] + struct.pack("!H", guest_frames.upper_checksum("fd00:50::9", "fd00:50::1", 17, datagram))
            wire.sends[0](guest_frames.ipv6("fd00:50::9", "fd00:50::1", guest_frames.UDP, datagram, wire.mac()))
            with self.assertRaises(TimeoutError):
                heard.recv(100)

    # IPv4.

    def redirects(self, host: bytes) -> dict[str, list[bytes]]:
        message = guest_frames.redirect4(GUEST, GATE, REMOTE, OTHER)

        def packet(payload: bytes, **more: Any) -> bytes:
            return guest_frames.ipv4(GUEST, GATE, 1, payload, host, **more)

        return {
            "plain": [packet(message)],
            "options": [packet(message, options=b"\x01" * 4)],
            "as many options as there can be": [packet(message, options=b"\x01" * 40)],
            "fragments": [packet(message[:8], fragment=0x2000, identification=2), packet(message[8:], fragment=1, identification=2)],
            "fragments, the last one first": [packet(message[8:], fragment=1, identification=3),
                                              packet(message[:8], fragment=0x2000, identification=3)],
            "fragments with options": [packet(message[:8], fragment=0x2000, identification=4, options=b"\x01" * 8),
                                       packet(message[8:], fragment=1, identification=4)],
            "priority tag": [guest_frames.tagged(packet(message), guest_frames.VLAN + bytes(2))],
        }

    def routed_by_the_guest(self, wire: Wire) -> None:
        """As an administrator may have it: a redirect is for those who use its sender as their router."""
        wire.inside("ip", "neigh", "replace", GUEST, "lladdr", MAC.hex(":"), "dev", wire.device)
        wire.inside("ip", "neigh", "replace", OTHER, "lladdr", MAC.hex(":"), "dev", wire.device)
        for address in (GUEST, OTHER):
            wire.inside("ip", "route", "replace", address, "dev", wire.device)
        wire.inside("ip", "route", "replace", "198.51.100.0/24", "via", GUEST, "dev", wire.device)

    def test_no_device_takes_an_icmp_redirect(self) -> None:
        for kind, make in self.every_device().items():
            with self.subTest(kind), make() as wire:
                self.routed_by_the_guest(wire)
                self.assertIn(f"via {GUEST} ", wire.inside("ip", "route", "get", REMOTE))
                for frame in [frame for frames in self.redirects(wire.mac()).values() for frame in frames]:
                    wire.sends[-1](frame)
                wire.sync()
                got = wire.inside("ip", "route", "get", REMOTE)
                self.assertIn(f"via {GUEST} ", got)
                self.assertNotIn("redirected", got)
                self.assertNotIn(f"via {OTHER} ", got)

    # The frames are what they claim to be: without the filter each of them works.

    @contextmanager
    def unguarded(self) -> Iterator[Wire]:
        with self.tuntap() as wire:
            world.sh("tc", "qdisc", "del", "dev", wire.device, "clsact", check=False)
            world.sh("ip", "link", "set", "dev", wire.device, "addrgenmode", "eui64")
            yield wire

    def test_without_the_filter_an_advertisement_in_most_disguises_works(self) -> None:
        # There is no VLAN device, and Linux takes no IPv6 out of SNAP, no routing header to a group, and no fragments whose
        # first one does not say what the packet is (RFC 8200, 4.5).
        harmless = {"VLAN tag", "a routing header", "options in fragments, the message not in the first"}
        for disguise, frames in guest_frames.advertised_in_every_disguise(ADVERTISED).items():
            if disguise in harmless or "SNAP" in disguise:
                continue
            with self.subTest(disguise), self.unguarded() as wire:
                for frame in frames:
                    wire.sends[0](frame)
                wire.sync()
                self.assertIn(f"via {LINK_LOCAL} dev {wire.device}", world.sh("ip", "-6", "route", "get", "2001:db8:1::1"))
                self.assertIn("2001:db8:bad:", world.sh("ip", "-6", "addr", "show", "dev", wire.device))

    def test_without_the_filter_a_redirect_works(self) -> None:
        for disguise, frames in self.redirects(bytes(6)).items():
            with self.subTest(disguise), self.unguarded() as wire:
                self.routed_by_the_guest(wire)
                for frame in frames:
                    wire.sends[0](wire.mac() + frame[6:])
                wire.sync()
                self.assertIn(f"via {OTHER} ", world.sh("ip", "route", "get", REMOTE))

    # IPv6 where it was granted.

    def both_families(self) -> dict[str, Callable[[], Any]]:
        world.write_policy({"version": 1, "rules": [BOTH]})
        addresses = (f"address={GATE}", f"address={GATE6}/64")
        return {
            "5 open": lambda: self.open(addresses=addresses),
            "virtio-net headers": lambda: self.open("vnet-hdr", addresses=addresses, head=10),
            "several queues": lambda: self.open("queues=2", addresses=addresses),
            "sealed": lambda: self.sealed(addresses[1]),
            "anti-spoof": lambda: self.open("anti-spoof", "guest-mac=" + MAC.hex(":"), f"guest={GUEST}", f"guest={GUEST6}",
                                            addresses=addresses),
            "anti-spoof, no guest of IPv6": lambda: self.open("anti-spoof", "guest-mac=" + MAC.hex(":"), f"guest={GUEST}",
                                                              addresses=addresses),
        }

    def known_of(self, wire: Wire) -> dict[str, Any]:
        """But for the neighbours: there the guest may be."""
        return {**self.ipv6_of(wire), "neighbours": None}

    def test_granted_ipv6_works_and_an_advertisement_does_nothing(self) -> None:
        for kind, make in self.both_families().items():
            with self.subTest(kind), make() as wire:
                # The kernel makes the address's own route a moment later.
                self.assertTrue(soon(lambda: f"local {GATE6} dev {wire.device}" in str(self.known_of(wire))))
                before = self.known_of(wire)
                self.assertIn((wire.device, GATE6, 64), before["addresses"])
                for send in wire.sends:
                    for frames in guest_frames.advertised_in_every_disguise(ADVERTISED).values():
                        for frame in frames:
                            send(frame)
                wire.sync()
                self.assertEqual(self.known_of(wire), before)
                self.assertIn("via fd00:50::2 dev eth0", world.sh("ip", "-6", "route", "get", "2001:db8:1::1"))
                if kind != "several queues" and "no guest" not in kind:
                    with Guest(wire.fd, wire.sends[0], GUEST, GUEST6, wire.head):
                        self.assertTrue(world.ping(GUEST6))
                        self.assertTrue(world.ping(GUEST6, size=1400))

    def test_a_redirect_of_ipv6_does_nothing(self) -> None:
        for kind, make in self.both_families().items():
            for filtered in (False, True) if kind == "5 open" else (True,):
                with self.subTest(kind, filtered=filtered), make() as wire:
                    if not filtered:
                        world.sh("tc", "qdisc", "del", "dev", wire.device, "clsact", check=False)
                    ours = self.link_local(wire)
                    world.ip_batch(f"neigh replace {LINK_LOCAL} lladdr {MAC.hex(':')} dev {wire.device}",
                                   f"route replace 2001:db8:5::/64 via {LINK_LOCAL} dev {wire.device}")
                    self.assertIn(f"via {LINK_LOCAL} ", world.sh("ip", "-6", "route", "get", REMOTE6))
                    wire.sends[0](guest_frames.redirect6(LINK_LOCAL, ours, REMOTE6, "fe80::2", wire.mac()))
                    wire.sync()
                    (self.assertIn if filtered else self.assertNotIn)(f"via {LINK_LOCAL} ", world.sh("ip", "-6", "route", "get", REMOTE6))

    @staticmethod
    def link_local(wire: Wire) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for link in json.loads(world.sh("ip", "-6", "-j", "addr", "show", "dev", wire.device)):
                for info in link["addr_info"]:
                    if info["scope"] == "link" and not info.get("tentative"):
                        return str(info["local"])
            time.sleep(0.05)
        raise AssertionError("the host has no link-local address")

    def test_a_checksum_that_the_kernel_would_write_over_the_type_makes_no_advertisement(self) -> None:
        world.write_policy({"version": 1, "rules": [BOTH]})
        with self.open("vnet-hdr", addresses=(f"address={GATE}", f"address={GATE6}/64"), head=10) as wire:
            before = self.known_of(wire)
            (frame,) = guest_frames.advertised_in_every_disguise(ADVERTISED)["plain"]
            frame = frame[:54] + b"\x80" + frame[55:]
            # Flags: the checksum is needed, from byte 20 or 54 on, and goes to byte 54.
            for start in (20, 54):
                os.write(wire.fd, struct.pack("<BBHHHH", 1, 0, 0, 0, start, 54 - start) + frame)
            wire.sync()
            self.assertEqual(self.known_of(wire), before)

    # What passes.

    def test_ordinary_ipv4_passes(self) -> None:
        for kind, make in self.every_device().items():
            if kind == "several queues":
                continue  # the answer comes out of another queue
            with self.subTest(kind), make() as wire:
                wire.inside("ip", "route", "replace", GUEST, "dev", wire.device)
                with Guest(wire.fd, wire.sends[0], GUEST, head=wire.head):
                    for size in (56, 1400):
                        wire.inside("ping", "-c", "1", "-W", str(PATIENCE), "-s", str(size), GUEST)

    def test_fragments_and_options_of_an_echo_pass(self) -> None:
        with self.tuntap() as wire:
            world.sh("ip", "route", "replace", GUEST, "dev", wire.device)
            world.sh("ip", "neigh", "replace", GUEST, "lladdr", MAC.hex(":"), "dev", wire.device)
            echo, host = guest_frames.icmp(8, 0, b"\0\1\0\1" + bytes(40)), wire.mac()
            for frames in ([guest_frames.ipv4(GUEST, GATE, 1, echo, host, options=b"\x01" * 4)],
                           [guest_frames.ipv4(GUEST, GATE, 1, echo[:24], host, fragment=0x2000),
                            guest_frames.ipv4(GUEST, GATE, 1, echo[24:], host, fragment=3)]):
                for frame in frames:
                    wire.sends[0](frame)
                deadline = time.monotonic() + PATIENCE
                while not ((got := wire.read())[12:14] == guest_frames.IPV4 and got[23] == 1):
                    self.assertLess(time.monotonic(), deadline, "no answer")

    def test_a_dhcp_client_is_heard(self) -> None:
        with self.tuntap() as wire, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            server.bind(("", 67))
            server.settimeout(PATIENCE)
            datagram = struct.pack("!HHHH", 68, 67, 8 + 240, 0) + bytes(240)
            wire.sends[0](guest_frames.ipv4("0.0.0.0", "255.255.255.255", 17, datagram, BROADCAST))
            self.assertEqual(server.recv(1000), bytes(240))

    def test_large_frames_and_super_frames_pass(self) -> None:
        world.write_policy({"version": 1, "rules": [{**IPV4_ONLY, "max_mtu": 9000}]})
        with self.open("mtu=9000") as wire, Guest(wire.fd, wire.sends[0], GUEST):
            world.sh("ip", "route", "replace", GUEST, "dev", wire.device)
            self.assertTrue(world.ping(GUEST, size=8900))
        with self.open("vnet-hdr", head=10) as wire:
            world.sh("ip", "route", "replace", GUEST, "dev", wire.device)
            world.sh("ip", "neigh", "replace", GUEST, "lladdr", MAC.hex(":"), "dev", wire.device)
            # 40 segments of TCP to a port where nobody listens.
            segment = struct.pack("!HHIIBBHHH", 1000, 9, 1, 1, 0x50, 0x10, 1000, 0, 0) + bytes(40 * 1000)
            frame = guest_frames.ipv4(GUEST, GATE, 6, segment, wire.mac())
            os.write(wire.fd, struct.pack("<BBHHHH", 1, 1, 54, 1000, 34, 16) + frame)
            deadline = time.monotonic() + PATIENCE
            while not ((got := wire.read())[12:14] == guest_frames.IPV4 and got[23] == 6 and got[47] & 4):
                self.assertLess(time.monotonic(), deadline, "no reset")

    # And that it stays so.

    def test_a_device_is_never_up_without_the_filter(self) -> None:
        """A persistent device has it when nobody holds it, and one on a bridge never has it."""
        with native.opened(self.helper, f"address={GATE}", "persist", "device=uml7", user=NOBODY):
            pass
        self.assertIn("bpf", world.sh("tc", "filter", "show", "dev", "uml7", "ingress"))
        world.sh("ip", "link", "set", "dev", "uml7", "down")
        world.sh("ip", "link", "set", "dev", "uml7", "up")
        self.assertEqual(json.loads(world.sh("ip", "-6", "-j", "addr", "show", "dev", "uml7")), [])
        self.assertIn("bpf", world.sh("tc", "filter", "show", "dev", "uml7", "ingress"))
        bridge.add_bridge()
        world.write_policy({"version": 1, "rules": [{**IPV4_ONLY, "bridges": ["br0"]}]})
        with native.opened(self.helper, "bridge=br0", user=NOBODY) as answer:
            self.assertEqual(world.sh("tc", "filter", "show", "dev", answer.name, "ingress"), "")
            # What root does to a device afterwards puts no filter on, and takes none off.
            world.sh("ip", "link", "set", "dev", answer.name, "nomaster")
            self.assertEqual(world.sh("tc", "filter", "show", "dev", answer.name, "ingress"), "")
        world.sh("ip", "link", "set", "dev", "uml7", "master", "br0")
        self.assertIn("bpf", world.sh("tc", "filter", "show", "dev", "uml7", "ingress"))


if __name__ == "__main__":
    unittest.main()
