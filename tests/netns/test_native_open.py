"""`uml_net 5 open` and `remove` against a real kernel, an option at a time."""

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import time
import unittest
from pathlib import Path
from typing import Any

from tests.support import bridge, native, world
from tests.support.case import HELPER, HostCase
from tests.support.linux_guest import LinuxGuest
from tests.support.responder import Responder
from tests.support.tcp import transfer

GUEST_MAC = "52:54:00:aa:bb:cc"
PATIENCE = 10  # seconds


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ipv4_frame(source: str, destination: str, source_mac: str, destination_mac: str) -> bytes:
    """An echo request."""
    echo = struct.pack("!BBHHH", 8, 0, 0xF7FD, 1, 1)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:]
    return mac(destination_mac) + mac(source_mac) + b"\x08\x00" + header + echo


def next_frame(fd: int, wanted: Any) -> bytes | None:
    """The next frame that is wanted, within a moment."""
    deadline = time.monotonic() + 2
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            return None
        frame = os.read(fd, 65536)
        if wanted(frame):
            return frame
    return None


def relays_in(netns: str) -> list[Path]:
    """The processes of uml_net in that network namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text() == "uml_net\n" and os.readlink(process / "ns" / "net") == netns:
                found.append(process)
        except OSError:
            pass  # gone in the meantime
    return found


def wait_until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Open(HostCase):
    def open(self, *options: str, **more: Any) -> native.Answer:
        answer = native.opened(HELPER, *options, **more)
        self.addCleanup(answer.close)
        return answer

    def refused(self, code: str, exit_status: int, says: str, *options: str) -> native.Answer:
        before = world.snapshot()
        answer = native.call(HELPER, "open", *options)
        self.assertEqual((answer.json.get("status"), answer.json.get("code"), answer.exit), ("error", code, exit_status), answer)
        self.assertIn(says, answer.json["error"])
        self.assertEqual(answer.fds, [])
        self.assertEqual(world.snapshot(), before)
        return answer

    def test_answer_and_device(self) -> None:
        before = world.snapshot()
        answer = self.open()
        link = world.links()["tap0"]
        self.assertEqual(answer.json, {
            "status": "ok", "id": world.audit_lines()[-1]["id"], "device": "tap0", "ifindex": link["ifindex"],
            "mac": link["address"], "mtu": 1500, "addresses": [], "guests": [], "queues": 1, "vnet_hdr": False,
            "persistent": False, "sealed": False, "anti_spoof": False, "fds": 1, "notes": []})
        self.assertEqual(answer.stderr, "")
        self.assertIn("UP", link["flags"])
        self.assertEqual(bridge.flags_of(answer.fds[0])[1] & (bridge.IFF_TAP | bridge.IFF_NO_PI | bridge.IFF_VNET_HDR |
                                                              bridge.IFF_MULTI_QUEUE), bridge.IFF_TAP | bridge.IFF_NO_PI)
        line = self.last_line()
        self.assertEqual(line["request"], {"protocol": "native/5", "operation": "open"})
        answer.close()
        self.assertEqual(world.snapshot(), before)

    def test_every_kind_of_connected_unix_socket_will_do(self) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            self.assertEqual(self.open(kind=kind).json["fds"], 1)
        for stdout in (subprocess.PIPE, subprocess.DEVNULL):
            done = subprocess.run([HELPER, "5", "open"], stdout=stdout, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 64)
            self.assertIn("not a connected AF_UNIX socket", done.stderr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inet:
            done = subprocess.run([HELPER, "5", "open"], stdout=inet, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 64)

    def test_device_name(self) -> None:
        self.assertEqual(self.open("device=vm0").name, "vm0")
        self.refused("conflict", 69, "vm0 is in use", "device=vm0")
        self.refused("conflict", 69, "lo is in use", "device=lo")

    def test_addresses_of_both_families(self) -> None:
        answer = self.open("address=10.99.0.254/24", "address=10.98.0.254", "address=fd00:99::1/64")
        self.assertEqual(answer.json["addresses"], ["10.99.0.254/24", "10.98.0.254/32", "fd00:99::1/64"])
        (device,) = json.loads(world.sh("ip", "-j", "addr", "show", answer.name))
        self.assertEqual({f"{info['local']}/{info['prefixlen']}" for info in device["addr_info"] if info["scope"] == "global"},
                         {"10.99.0.254/24", "10.98.0.254/32", "fd00:99::1/64"})

    def test_guests_are_reached_from_the_lan(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        answer = self.open("guest=10.50.0.7", "address=10.99.0.254", "sealed")
        self.assertEqual(answer.json["guests"], [{"address": "10.50.0.7", "published": ["eth0"]}])
        self.assertIn("10.50.0.7 dev tap0 proto 117 scope link", world.routes())
        with socket.socket(fileno=os.dup(answer.fds[0])) as wire, Responder(wire, "10.50.0.7"):
            self.assertTrue(lan.ping("10.50.0.7"))
            self.assertTrue(world.ping("10.50.0.7"))
        answer.close()
        wait_until(lambda: "tap0" not in world.links(), "the relay holds the device")
        world.sh(str(HELPER), "gc")
        self.assertEqual(world.snapshot(), before)

    def test_an_ipv6_guest_is_found_from_the_lan_by_ndp_proxy(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        world.sh("ip", "addr", "add", "fd00:50::1/64", "dev", "eth0", "nodad")
        lan.run("ip", "addr", "add", "fd00:50::2/64", "dev", "eth0", "nodad")
        told = self.open("guest=fd00:50::7").json
        self.assertEqual(told["guests"], [{"address": "fd00:50::7", "published": ["eth0"]}])
        self.assertEqual(told["notes"], ["fd00:50::7 is not reached from eth0 until the administrator turns that on: sysctl -w "
                                         "net.ipv6.conf.eth0.proxy_ndp=1 net.ipv6.conf.all.forwarding=1"])
        Path("/proc/sys/net/ipv6/conf/eth0/proxy_ndp").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        self.assertEqual(self.open("guest=fd00:50::8").json["notes"], [])
        ours = world.links()["eth0"]["address"]

        def neighbour(address: str) -> str:
            lan.run("ping", "-6", "-c", "1", "-W", "1", address, check=False)
            return next((entry.get("lladdr", "") for entry in json.loads(lan.run("ip", "-6", "-j", "neigh"))
                         if entry["dst"] == address), "")
        wait_until(lambda: neighbour("fd00:50::8") == ours, "no neighbour was found")
        self.assertEqual(neighbour("fd00:50::9"), "")

    def test_isolated_ports_of_a_bridge_see_the_uplink_and_not_each_other(self) -> None:
        bridge.add_bridge(mtu=1400)
        one, two = self.open("bridge=br0", "isolated"), self.open("bridge=br0", "isolated")
        other = self.open("bridge=br0")
        for answer in (one, two, other):
            link = world.links()[answer.name]
            self.assertEqual((link["master"], link["mtu"], link["address"][:2]), ("br0", 1400, "fe"))
            self.assertEqual(link["linkinfo"]["info_slave_data"]["isolated"], answer is not other)
        self.assertEqual((one.json["bridge"], one.json["isolated"], one.json["mtu"]), ("br0", True, 1400))
        frame = b"\xff" * 6 + mac(GUEST_MAC) + b"\x88\xb5" + bytes(46)
        is_it = lambda got: got == frame
        wait_until(lambda: os.write(one.fds[0], frame) and next_frame(other.fds[0], is_it), "the bridge does not forward")
        while select.select([two.fds[0]], [], [], 0)[0]:
            self.assertNotEqual(os.read(two.fds[0], 2048), frame)
        self.refused("no_such_device", 66, "no bridge br9", "bridge=br9")

    def test_mtu_and_mac_of_the_host_side(self) -> None:
        answer = self.open("mtu=9000", "mac=52:54:00:11:22:33")
        link = world.links()["tap0"]
        self.assertEqual((link["mtu"], link["address"]), (9000, "52:54:00:11:22:33"))
        self.assertEqual((answer.json["mtu"], answer.json["mac"]), (9000, "52:54:00:11:22:33"))

    def test_every_queue_carries_frames(self) -> None:
        answer = self.open("queues=4", "address=10.99.0.254/24")
        self.assertEqual((answer.json["queues"], len(answer.fds)), (4, 4))
        host = world.links()["tap0"]["address"]
        for fd in answer.fds:
            name, flags = bridge.flags_of(fd)
            self.assertEqual((name, flags & bridge.IFF_MULTI_QUEUE), ("tap0", bridge.IFF_MULTI_QUEUE))
        # Each queue takes a guest's packet in; the answer comes out of one of them.
        arp = (b"\xff" * 6 + mac(GUEST_MAC) + b"\x08\x06" + bytes.fromhex("0001080006040001") + mac(GUEST_MAC) +
               socket.inet_aton("10.99.0.1") + bytes(6) + socket.inet_aton("10.99.0.254"))
        for fd in answer.fds:
            os.write(fd, arp)
        answers = 0
        deadline = time.monotonic() + PATIENCE
        while answers < len(answer.fds) and time.monotonic() < deadline:
            for ready in select.select(answer.fds, [], [], 1)[0]:
                frame = os.read(ready, 2048)
                answers += frame[12:14] == b"\x08\x06" and frame[6:12] == mac(host)
        self.assertEqual(answers, len(answer.fds))

    def test_vnet_hdr(self) -> None:
        answer = self.open("vnet-hdr", "address=10.99.0.254/24")
        self.assertTrue(answer.json["vnet_hdr"])
        self.assertTrue(bridge.flags_of(answer.fds[0])[1] & bridge.IFF_VNET_HDR)
        subprocess.run(["ping", "-c", "1", "-W", "1", "10.99.0.1"], stdout=subprocess.DEVNULL)
        self.assertIsNotNone(next_frame(answer.fds[0], lambda frame: frame[10:16] == b"\xff" * 6 and frame[22:24] == b"\x08\x06"))

    def test_persistent_devices_and_their_removal(self) -> None:
        before = world.snapshot()
        answer = self.open("device=keep0", "persist", "address=10.99.0.254", "guest=10.99.0.1")
        answer.close()
        world.sh(str(HELPER), "gc")
        with self.open("device=other"):
            self.assertIn("keep0", world.links())
        self.assertRegex(world.links()["keep0"]["ifalias"], r" persistent open persist device=keep0 .*guest=10\.99\.0\.1$")
        self.assertTrue(any(route.startswith("10.99.0.1 dev keep0 proto 117") for route in world.routes()))
        removed = native.call(HELPER, "remove", "device=keep0")
        self.assertEqual(removed.json, {"status": "ok", "id": self.last_line()["id"], "device": "keep0", "removed": True,
                                        "fds": 0, "notes": []})
        self.assertEqual(world.snapshot(), before)
        again = native.call(HELPER, "remove", "device=keep0")
        self.assertEqual((again.json["code"], again.exit), ("no_such_device", 66))
        world.sh("ip", "tuntap", "add", "mine", "mode", "tap")
        other = native.call(HELPER, "remove", "device=mine")
        self.assertEqual(other.json["error"].replace("mine", "keep0"), again.json["error"])
        self.assertIn("mine", world.links())

    def test_sealed_gives_a_socket_and_never_the_device(self) -> None:
        before = world.snapshot()
        answer = self.open("sealed", "address=10.99.0.254/24", "mtu=4000")
        (fd,) = answer.fds
        self.assertTrue(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"))
        with socket.socket(fileno=os.dup(fd)) as wire:
            self.assertEqual((wire.family, wire.type), (socket.AF_UNIX, socket.SOCK_SEQPACKET))
            with Responder(wire, "10.99.0.1"):
                self.assertTrue(world.ping("10.99.0.1"))
                self.assertTrue(world.ping("10.99.0.1", size=3900))
        answer.close()
        wait_until(lambda: "tap0" not in world.links(), "the relay holds the device")
        self.assertEqual(world.snapshot(), before)

    def test_a_sealed_interface_carries_frames_of_every_size(self) -> None:
        answer = self.open("sealed", "mtu=65521")
        kind, host = b"\x88\xb5", mac(world.links()["tap0"]["address"])
        with socket.socket(fileno=os.dup(answer.fds[0])) as ours, world.listener("tap0") as wire:
            for size in (14, 15, 60, 1514, 1515, 9014, 65534, 65535):
                frame = b"\xff" * 6 + mac(GUEST_MAC) + kind + os.urandom(size - 14)
                for unfit in (b"", bytes(13), bytes(65536)):
                    ours.send(unfit)
                ours.send(frame)
                self.assertEqual(world.heard(wire, kind), frame)
                frame = mac(GUEST_MAC) + host + kind + frame[14:]
                wire.send(frame)
                self.assertEqual(next_frame(ours.fileno(), lambda got: got[12:14] == kind), frame)

    def test_tcp_through_a_sealed_interface(self) -> None:
        answer = self.open("sealed", "address=10.99.0.254/24")
        guest = LinuxGuest(answer.fds[0])
        self.addCleanup(guest.close)
        guest.run("ip", "address", "add", "10.99.0.1/24", "dev", "guest0")
        transfer("10.99.0.1", 8, guest.inside(), contextlib.nullcontext())
        transfer("10.99.0.254", 8, contextlib.nullcontext(), guest.inside())

    def test_the_relay_of_a_sealed_interface_can_do_nothing_else(self) -> None:
        answer = self.open("sealed")
        here = os.readlink("/proc/self/ns/net")
        wait_until(lambda: len(relays_in(here)) == 1, "there is more than the relay, or not even that")
        (relay,) = relays_in(here)
        wait_until(lambda: len(os.listdir(relay / "fd")) == 2, "it has more than a device and a socket")
        text = (relay / "status").read_text()
        for line in ("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "Seccomp:\t2", "NoNewPrivs:\t1"):
            self.assertIn(line, text)
        answer.close()
        wait_until(lambda: not relays_in(here), "the relay outlives its interface")

    def test_spoofed_frames_are_dropped_and_counted(self) -> None:
        answer = self.open("anti-spoof", f"guest-mac={GUEST_MAC}", "guest=10.99.0.1", "guest=fd00:99::7",
                           "address=10.99.0.254/24", "address=fd00:99::1/64")
        (fd,) = answer.fds
        host = world.links()["tap0"]["address"]
        world.sh("ip", "neigh", "add", "10.99.0.1", "lladdr", GUEST_MAC, "dev", "tap0")
        world.sh("ip", "neigh", "add", "10.99.0.9", "lladdr", GUEST_MAC, "dev", "tap0")

        def dropped() -> int:
            return int(json.loads(world.sh("tc", "-j", "-s", "qdisc", "show", "dev", "tap0", "clsact"))[0]["drops"])

        is_echo = lambda frame: frame[12:14] == b"\x08\x00" and frame[34] == 0
        own = ipv4_frame("10.99.0.1", "10.99.0.254", GUEST_MAC, host)
        os.write(fd, own)
        self.assertIsNotNone(next_frame(fd, is_echo), "the guest's own frames do not pass")
        self.assertEqual(dropped(), 0)

        arp = bytes.fromhex("0001080006040002")
        ipv6 = lambda source, rest, protocol=59: (struct.pack("!IHBB", 0x60000000, len(rest), protocol, 255) +
                                                  socket.inet_pton(socket.AF_INET6, source) +
                                                  socket.inet_pton(socket.AF_INET6, "fd00:99::1") + rest)
        to_host = mac(host) + mac(GUEST_MAC)
        spoofed = {
            "another MAC": ipv4_frame("10.99.0.1", "10.99.0.254", "52:54:00:aa:bb:cd", host),
            "another IPv4 address": ipv4_frame("10.99.0.9", "10.99.0.254", GUEST_MAC, host),
            "ARP for another address": to_host + b"\x08\x06" + arp + mac(GUEST_MAC) + socket.inet_aton("10.99.0.9") +
                                       mac(host) + socket.inet_aton("10.99.0.254"),
            "ARP with another MAC": to_host + b"\x08\x06" + arp + mac("52:54:00:aa:bb:cd") + socket.inet_aton("10.99.0.1") +
                                    mac(host) + socket.inet_aton("10.99.0.254"),
            "another IPv6 address": to_host + b"\x86\xdd" + ipv6("fd00:99::9", bytes(8)),
            "a neighbour advertised that it is not": to_host + b"\x86\xdd" + ipv6(
                "fd00:99::7", b"\x88\0\0\0\x60\0\0\0" + socket.inet_pton(socket.AF_INET6, "fd00:99::9"), 58),
            "a neighbour advertised from the guest's link-local address": to_host + b"\x86\xdd" + ipv6(
                "fe80::5054:ff:feaa:bbcc", b"\x88\0\0\0\x60\0\0\0" + socket.inet_pton(socket.AF_INET6, "fd00:99::9"),
                58),
            "another link-local address": to_host + b"\x86\xdd" + ipv6(
                "fe80::9", b"\x88\0\0\0\x60\0\0\0" + socket.inet_pton(socket.AF_INET6, "fd00:99::7"), 58),
            "a router": to_host + b"\x86\xdd" + ipv6("fd00:99::7", b"\x86\0\0\0" + bytes(12), 58),
            "a VLAN": to_host + b"\x81\x00\x00\x05" + own[12:],
            "another protocol": to_host + b"\x88\xcc" + bytes(46),
            "a runt of IPv4": to_host + b"\x08\x00" + b"\x45",
        }
        for number, (kind, frame) in enumerate(spoofed.items(), 1):
            with self.subTest(kind):
                os.write(fd, frame)
                wait_until(lambda: dropped() == number, f"{dropped()} dropped")
        os.write(fd, own)
        self.assertIsNotNone(next_frame(fd, is_echo))
        self.assertEqual(dropped(), len(spoofed))

    def test_a_namespace_of_the_hosts_own_is_no_namespace_of_roots(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        with open(f"/run/netns/{lan.namespace}") as theirs:
            answer = native.call(HELPER, "open", f"netns={theirs.fileno()}", pass_fds=[theirs.fileno()])
        self.assertEqual((answer.json["code"], answer.exit), ("denied", 77))
        self.assertIn("ip netns exec", answer.json["advice"])

    def test_all_of_it_in_one(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        answer = self.open("device=vm0", "queues=2", "address=10.99.0.254/24", "address=fd00:99::1/64",
                           "guest=10.50.0.7", "guest=fd00:99::7", f"guest-mac={GUEST_MAC}", "anti-spoof", "mtu=1400",
                           "mac=52:54:00:11:22:33")
        self.assertEqual(len(answer.fds), 2)
        request = self.last_line()["request"]
        self.assertEqual((request["queues"], request["anti_spoof"], request["guests"]), (2, True, ["10.50.0.7", "fd00:99::7"]))
        answer.close()
        world.sh(str(HELPER), "gc")
        self.assertEqual(world.snapshot(), before)

    def test_what_fails_half_way_leaves_nothing(self) -> None:
        world.sh("ip", "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1")
        world.sh("ip", "link", "set", "dummy0", "up")
        world.sh("ip", "route", "add", "10.77.0.2/32", "dev", "dummy0")
        failed = self.refused("conflict", 69, "route 10.77.0.2", "device=vm0", "queues=2", "address=10.99.0.254/24",
                              "guest=10.77.0.1", "guest=10.77.0.2", f"guest-mac={GUEST_MAC}", "anti-spoof")
        self.assertIn("choose another", failed.json["advice"])
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        failed = self.refused("kernel", 71, "fd00:99::1/64", "device=vm0", "address=10.99.0.254", "address=fd00:99::1/64")
        self.assertEqual(failed.json["errno"], "EACCES")
        self.assertIn("disable_ipv6", failed.json["advice"])
        self.assertEqual(self.events()[-2:], [("accept", "intent"), ("reject", "result")])

    def test_a_caller_that_does_not_take_the_answer_gets_nothing(self) -> None:
        before = world.snapshot()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.close()
        with theirs:
            done = subprocess.run([HELPER, "5", "open", "device=keep0", "persist"], stdout=theirs, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 74)
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(self.last_line()["event"], "exit")

    def test_bad_options_are_refused_as_json_and_change_nothing(self) -> None:
        for options, says in {("bogus",): "no option", ("queues=65",): "1 to 64", ("persist",): "device=",
                              ("sealed", "queues=2"): "sealed",
                              ("anti-spoof", f"guest-mac={GUEST_MAC}", "guest=10.9.0.1", "vnet-hdr"): "checksum", ("anti-spoof",): "guest-mac",
                              ("address=10.0.0.256",): "not an IP address", ("device=a/b",): "not the name"}.items():
            with self.subTest(options):
                before = world.snapshot()
                answer = native.call(HELPER, "open", *options)
                self.assertEqual(answer.json["status"], "error")
                self.assertNotEqual(answer.exit, 0)
                self.assertIn(says, answer.json["error"])
                self.assertEqual(world.snapshot(), before)
                self.assertEqual(self.last_line()["untrusted"], ["5", "open", *options])


if __name__ == "__main__":
    unittest.main()
