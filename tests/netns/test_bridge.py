"""QEMU's bridge-helper protocol, `uml_net [--use-vnet] --fd=N --br=BRIDGE`, against a real kernel."""

import os
import resource
import socket
import struct
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable

from tests.support import bridge, caller, world
from tests.support.case import HELPER, HostCase

QEMU_HELPER = Path("/usr/lib/qemu/qemu-bridge-helper")


class BridgeCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        bridge.add_bridge()
        self.before = self.state()

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return world.snapshot(), bridge.ports()

    def ask(self, *words: str, **more: Any) -> caller.Reply:
        reply = bridge.ask(HELPER, *words, **more)
        self.addCleanup(reply.close)
        return reply

    def assert_one_line(self, reply: caller.Reply, *words: str) -> None:
        """As libvirt shows it: what, why not and what to do, and nothing on the socket."""
        self.assert_refused(reply, 1, *words)
        self.assertEqual((reply.data, reply.stderr.count("\n")), (b"", 1), reply)
        self.assertEqual(self.state(), self.before)


class Granted(BridgeCase):
    def test_reply_device_and_bridge(self) -> None:
        reply = self.ask()
        self.assertEqual((reply.exit, reply.data, len(reply.fds), reply.stderr), (0, b"\0", 1, ""), reply)
        name, flags = bridge.flags_of(reply.fds[0])
        self.assertEqual(name, "tap0")
        self.assertEqual(flags & ~0x0001, bridge.IFF_TAP | bridge.IFF_NO_PI)
        link = world.links()["tap0"]
        info = link["linkinfo"]["info_data"]
        self.assertEqual((info["type"], info["persist"], info["user"], info["vnet_hdr"]), ("tap", False, "root", False))
        self.assertRegex(link["ifalias"], r"^uml_net uid=0 id=[0-9a-f-]{36} since=[0-9-]+T[0-9:]+Z bridge bridge=br0$")
        after, ports = self.state()
        self.assertEqual(ports.pop("tap0"), {"kind": "tun", "master": "br0", "mtu": 1500, "up": True,
                                             "mac": link["address"]})
        self.assertTrue(link["address"].startswith("fe:"), link["address"])
        self.assertEqual(ports, self.before[1])  # the bridge kept its MAC address and its MTU
        self.assertEqual(after["addresses"].get("tap0", []), [])
        self.assertEqual((after["routes"], after["proxy"]), (self.before[0]["routes"], self.before[0]["proxy"]))
        reply.close()
        self.assertEqual(self.state(), self.before)

    def test_with_virtio_net_headers(self) -> None:
        reply = self.ask("br0", "--use-vnet")
        self.assertEqual((reply.exit, reply.data), (0, b"\0"), reply)
        _, flags = bridge.flags_of(reply.fds[0])
        self.assertEqual(flags & ~0x0001, bridge.IFF_TAP | bridge.IFF_NO_PI | bridge.IFF_VNET_HDR)
        self.assertTrue(world.links()["tap0"]["linkinfo"]["info_data"]["vnet_hdr"])
        self.assertEqual(self.last_line()["result"]["changes"][0], "tap0 made for uid 0, with virtio-net headers")

    def test_the_mtu_is_the_bridges(self) -> None:
        for mtu in (1280, 9000):
            bridge.add_bridge("br1", None, mtu)
            self.assertEqual(bridge.ports()["br1"]["mtu"], mtu)
            reply = self.ask("br1")
            self.assertEqual(bridge.ports()["tap0"]["mtu"], mtu, reply)
            self.assertEqual(bridge.ports()["br1"]["mtu"], mtu)
            reply.close()
            world.sh("ip", "link", "delete", "br1p")
            world.sh("ip", "link", "delete", "br1")

    def test_a_bridge_keeps_its_mac_address_under_many_ports(self) -> None:
        """The kernel draws a TAP's address at random: one of sixteen would be lower than 52:... but for its first byte."""
        replies = [self.ask() for _ in range(16)]
        self.assertEqual({reply.exit for reply in replies}, {0})
        ports = bridge.ports()
        self.assertEqual(ports["br0"], self.before[1]["br0"])
        self.assertEqual(len({ports[f"tap{number}"]["mac"] for number in range(16)}), 16)
        for reply in replies:
            reply.close()
        self.assertEqual(self.state(), self.before)

    def test_options_in_any_order_and_the_last_of_a_kind_counts(self) -> None:
        bridge.add_bridge("br1", None)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        fd = theirs.fileno()
        with ours, theirs:
            for words in ((f"--br=br1", f"--fd={fd}"), ("--use-vnet", "--br=br1", f"--fd={fd}"),
                          ("--fd=1", "--br=none", f"--fd={fd}", "--br=br1", "--use-vnet", "--use-vnet")):
                with self.subTest(words):
                    done = caller.run(HELPER, *words, pass_fds=[fd])
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), done)
                    data, fds, _, _ = socket.recv_fds(ours, 16, 4)
                    self.assertEqual((data, len(fds)), (b"\0", 1))
                    self.assertEqual(bridge.ports()["tap0"]["master"], "br1")
                    self.assertEqual(bool(bridge.flags_of(fds[0])[1] & bridge.IFF_VNET_HDR), "--use-vnet" in words)
                    os.close(fds[0])

    def test_frames_go_both_ways(self) -> None:
        """An ARP request for the bridge's own address is answered, behind a virtio-net header where there is one."""
        for options, header in (((), b""), (("--use-vnet",), bytes(10))):
            with self.subTest(options), self.ask("br0", *options) as reply:
                tap = reply.fds[0]
                mac = b"\x52\x54\x00\x12\x34\x56"
                request = (header + b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac
                           + socket.inet_aton("10.60.0.9") + bytes(6) + socket.inet_aton("10.60.0.1")).ljust(60, b"\0")
                os.set_blocking(tap, False)
                deadline = time.monotonic() + world.PATIENCE
                answered = b""
                while not answered:
                    self.assertLess(time.monotonic(), deadline, "no answer")
                    os.write(tap, request)
                    time.sleep(0.05)
                    try:
                        while not answered:
                            frame = os.read(tap, 4096)[len(header):]
                            if frame[:6] == mac and frame[12:14] == b"\x08\x06":
                                answered = frame
                    except BlockingIOError:
                        pass
                self.assertEqual(answered[28:32], socket.inet_aton("10.60.0.1"))
                self.assertEqual(answered[6:12].hex(":"), bridge.ports()["br0"]["mac"])

    def test_audit_lines(self) -> None:
        self.ask()
        alias = world.links()["tap0"]["ifalias"]
        intent, result = world.audit_lines()
        self.assertEqual(self.events(), [("accept", "intent"), ("accept", "result")])
        self.assertEqual(intent["request"], {"protocol": "qemu-bridge", "operation": "bridge", "bridge": "br0"})
        self.assertEqual(intent["id"], result["id"])
        self.assertIn(f"id={result['id']} ", alias)
        self.assert_called_by(result, {"uid": 0, "gid": 0, "pid": os.getpid(), "user": "root"})
        self.assertEqual(result["decision"], {"reason": "real uid 0 needs no rule"})
        self.assertEqual(result["result"]["device"], "tap0")
        self.assertEqual(result["result"]["changes"],
                         ["tap0 made for uid 0", "MTU 1500 on tap0", "MAC address of tap0 begins with fe",
                          "tap0 on bridge br0", "tap0 up"])


class Refused(BridgeCase):
    def test_no_such_bridge_and_no_bridge(self) -> None:
        world.sh("ip", "tuntap", "add", "tap9", "mode", "tap")
        self.before = self.state()
        for name, words in (("br9", "there is no bridge br9 on this host"), ("br0p", "the device br0p is not a bridge"),
                            ("lo", "the device lo is not a bridge"), ("tap9", "the device tap9 is not a bridge")):
            with self.subTest(name):
                self.assert_one_line(self.ask(name), words, "ip link show type bridge")
        self.assertEqual(set(self.events()), {("reject", "result")})
        self.assertEqual(world.audit_lines()[0]["request"],
                         {"protocol": "qemu-bridge", "operation": "bridge", "bridge": "br9"})

    def test_wrong_words(self) -> None:
        for words, said in (((), "--br=BRIDGE is missing"), (("--br=",), '"" is not the name of a bridge'),
                            (("--br=br0", "--mtu=9000"), '"--mtu=9000" is no option'),
                            (("--br=br%d",), '"br%d" is not the name'), (("--br=br0", "--fd=2"), "--fd=2 is not the number"),
                            (("--br=" + "x" * 100000,), "...")):
            with self.subTest(said):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                with ours:
                    with theirs:
                        done = caller.run(HELPER, f"--fd={theirs.fileno()}", *words, pass_fds=[theirs.fileno()])
                    self.assertEqual(ours.recv(16), b"")
                self.assertEqual(done.stdout, b"")
                self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()), said)
        line = world.audit_lines()[2]
        self.assertEqual(line["request"], {"protocol": "qemu-bridge", "operation": "bridge"})
        self.assertEqual(line["untrusted"][1:], ["--br=br0", "--mtu=9000"])
        done = caller.run(HELPER, "--br=br0", "--use-vnet")
        self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()), "--fd=N is missing")

    def test_a_socket_of_the_wrong_kind(self) -> None:
        tcp, unconnected, listening = socket.socket(), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        listening.bind("\0umlnet-test-bridge")
        listening.listen()
        dgram, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        packets, another = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, writing = os.pipe()
        with (tcp, unconnected, listening, dgram, other, packets, another, os.fdopen(reading), os.fdopen(writing, "wb"),
              tempfile.TemporaryFile() as file, open("/dev/net/tun", "r+b", buffering=0) as tun,
              open(world.LOG, "ab") as log):
            for what in (tcp, unconnected, listening, dgram, packets, writing, file, tun, log):
                fd = what if isinstance(what, int) else what.fileno()
                with self.subTest(what=what):
                    done = caller.run(HELPER, f"--fd={fd}", "--br=br0", pass_fds=[fd])
                    self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()),
                                         "is not an open, connected AF_UNIX stream socket")
            self.assertEqual(file.tell(), 0)
        # Not open, whatever the helper itself has opened under that number by then.
        for fd in (*range(3, 12), 1000000):
            with self.subTest(fd=fd):
                done = caller.run(HELPER, f"--fd={fd}", "--br=br0")
                self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()), "is not an open")
        self.assertEqual(set(self.events()), {("reject", "result")})

    def test_a_caller_that_is_gone_leaves_nothing(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.close()
        with theirs:
            done = caller.run(HELPER, f"--fd={theirs.fileno()}", "--br=br0", pass_fds=[theirs.fileno()])
        self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()), "cannot send the reply")
        self.assertEqual(self.events(), [("accept", "intent"), ("exit", "result")])
        self.assertEqual(self.last_line()["result"]["changes"], ["tap0 gone"])

    def test_a_caller_that_does_not_read_is_given_up(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            theirs.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    theirs.send(bytes(4096))
            done = caller.run(HELPER, f"--fd={theirs.fileno()}", "--br=br0", pass_fds=[theirs.fileno()])
        self.assert_one_line(caller.Reply(done.returncode, stderr=done.stderr.decode()), "did not take the reply")
        self.assertEqual(self.events(), [("accept", "intent"), ("exit", "result")])

    def test_what_the_kernel_refuses_half_way_is_undone(self) -> None:
        """A bridge may have an MTU that no TAP device can have."""
        world.sh("ip", "link", "add", "br1", "type", "bridge")
        world.sh("ip", "link", "set", "br1", "mtu", "65535", "up")
        self.before = self.state()
        self.assert_one_line(self.ask("br1"), "cannot set the MTU of the new TAP device to 65535", "lowers the MTU")
        self.assertEqual(self.events(), [("accept", "intent"), ("reject", "result")])
        self.assertEqual(self.last_line()["result"]["errno"], "EINVAL")

    def test_a_bad_policy_and_a_bad_log_are_one_line_too(self) -> None:
        world.write_policy("{")
        self.assert_one_line(self.ask(), "/etc/umlnet/policy.json:1: not JSON")
        world.remove_policy()

        def missing() -> None:
            world.LOG.unlink()

        def writable() -> None:
            world.LOG.chmod(0o666)

        for spoil, words in ((missing, "is not there"), (writable, "writable by everybody")):
            with self.subTest(spoil.__name__):
                world.reset_log()
                spoil()
                self.assert_one_line(self.ask(), "audit log", words)

    def test_a_refusal_that_cannot_be_recorded_is_one_line_too(self) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        self.assert_one_line(self.ask("br9", preexec_fn=limit), "there is no bridge br9 on this host", "(And: ", "ulimit -f")
        self.assert_one_line(self.ask(preexec_fn=limit), "ulimit -f")
        self.assertEqual(self.events(), [])

    def test_without_a_stderr_it_fails_all_the_same(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            done = caller.run("/bin/sh", "-c", 'exec "$@" 2>&-', "sh", HELPER, f"--fd={theirs.fileno()}", "--br=br9",
                              pass_fds=[theirs.fileno()])
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertEqual(self.state(), self.before)


@unittest.skipUnless(QEMU_HELPER.exists(), "no qemu-bridge-helper here (package qemu-system-common)")
class SideBySide(HostCase):
    """QEMU's own helper and ours leave the same links. What differs on purpose: the alias, and the owner of the TAP."""

    def setUp(self) -> None:
        super().setUp()
        Path("/etc/qemu").mkdir(exist_ok=True)
        Path("/etc/qemu/bridge.conf").write_text("allow br0\n")

    def after(self, helper: Path, *options: str, add: Callable[[], None]) -> list[Any]:
        world.fresh_network()
        add()
        states: list[Any] = [self.comparable()]
        with bridge.ask(helper, "br0", *options) as reply:
            self.assertEqual((reply.exit, reply.data, len(reply.fds), reply.stderr), (0, b"\0", 1, ""), reply)
            states.append((bridge.flags_of(reply.fds[0]), self.comparable()))
        states.append(self.comparable())
        return states

    def comparable(self) -> tuple[Any, Any]:
        state = world.snapshot()
        ports = bridge.ports()
        for name, port in ports.items():
            if name.startswith("tap"):
                port["mac"] = port["mac"][:2]
        state["links"] = {name: (up, mtu, kind) for name, (up, mtu, _, kind) in state["links"].items()}
        return state, ports

    def compare(self, *options: str, add: Callable[[], None] = bridge.add_bridge) -> None:
        theirs, ours = (self.after(helper, *options, add=add) for helper in (QEMU_HELPER, HELPER))
        self.assertEqual(theirs[1][1][1]["tap0"]["master"], "br0", "nothing was done, so this compares nothing")
        self.assertEqual(ours, theirs)

    def test_as_qemu_calls_it(self) -> None:
        self.compare("--use-vnet")

    def test_without_virtio_net_headers(self) -> None:
        self.compare()

    def test_another_mtu(self) -> None:
        self.compare("--use-vnet", add=lambda: bridge.add_bridge(mtu=9000))

    def test_a_bridge_that_is_down(self) -> None:
        self.compare(add=lambda: [bridge.add_bridge(), world.sh("ip", "link", "set", "br0", "down")])  # type: ignore[arg-type,return-value]

    def test_what_both_refuse(self) -> None:
        for name in ("br9", "lo"):
            world.fresh_network()
            bridge.add_bridge()
            Path("/etc/qemu/bridge.conf").write_text("allow all\n")
            before = world.snapshot(), bridge.ports()
            for helper in (QEMU_HELPER, HELPER):
                with self.subTest(name=name, helper=helper), bridge.ask(helper, name) as reply:
                    self.assertEqual((reply.exit, reply.data, reply.fds), (1, b"", []))
                    self.assertEqual(reply.stderr.count("\n"), 1)
                    self.assertEqual((world.snapshot(), bridge.ports()), before)


if __name__ == "__main__":
    unittest.main()
