"""A real other user puts devices on bridges, as QEMU and libvirt do it for ordinary users: set-user-ID root, and with a
file capability."""

import os
import socket
import subprocess
import time
import unittest
from pathlib import Path
from typing import Any

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, FileCapabilityCase, HostCase, SetUserIdCase
from tests.support.process import capabilities, front_of, status_of

NOBODY, SOMEBODY = 65534, 65533
CAP_NET_ADMIN = 1 << 12
MACHINES = {"name": "machines", "users": [NOBODY], "groups": [4242], "operations": ["bridge"], "bridges": ["br0", "gone"],
            "max_devices": 2}
LOW_MAC = "02:00:00:00:00:01"
SET_MAC = """
import fcntl, struct, sys
fd, name, mac = int(sys.argv[1]), sys.argv[2].encode(), bytes.fromhex(sys.argv[3].replace(":", ""))
fcntl.ioctl(fd, 0x8924, struct.pack("16sH6s16x", name, 1, mac))  # SIOCSIFHWADDR, Ethernet
"""
TAPS = {"name": "taps", "users": [SOMEBODY], "operations": ["tuntap"], "bridges": ["br0"]}


class Callers:
    """What must hold for both ways of installing the helper."""

    how: str
    log: dict[str, int]

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        world.write_policy({"version": 1, "rules": [MACHINES, TAPS]})
        bridge.add_bridge()
        bridge.add_bridge("br1", "10.61.0.1/24")
        self.before = self.state()

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return world.snapshot(), bridge.ports()

    def ask(self: Any, name: str = "br0", *options: str, user: int | None = NOBODY, **more: Any) -> caller.Reply:
        reply = bridge.ask(self.helper, name, *options, user=user, **more)
        self.addCleanup(reply.close)
        return reply

    def assert_one_line(self: Any, reply: caller.Reply, *words: str) -> str:
        self.assert_refused(reply, 1, *words)
        self.assertEqual((reply.data, reply.stderr.count("\n")), (b"", 1), reply)
        return reply.stderr

    def test_granted(self: Any) -> None:
        reply = self.ask("br0", "--use-vnet")
        self.assertEqual((reply.exit, reply.data, len(reply.fds), reply.stderr), (0, b"\0", 1, ""), reply)
        link = world.links()["tap0"]
        self.assertEqual(link["linkinfo"]["info_data"]["user"], "nobody")
        self.assertRegex(link["ifalias"], rf"^uml_net uid={NOBODY} id=[0-9a-f-]+ since=[^ ]+ bridge bridge=br0$")
        ports = bridge.ports()
        self.assertEqual(ports.pop("tap0"), {"kind": "tun", "master": "br0", "mtu": 1500, "up": True,
                                             "mac": link["address"]})
        self.assertEqual(ports, self.before[1])
        intent, result = world.audit_lines()
        for line in (intent, result):
            self.assertEqual((line["event"], line["decision"]), ("accept", {"rule": "machines",
                                                                            "reason": "rule machines allows bridge"}))
            self.assert_called_by(line, {"uid": NOBODY, "gid": NOBODY, "pid": os.getpid(), "user": "nobody"})
        reply.close()
        self.assertEqual(self.state(), self.before)

    def test_a_bridge_that_is_not_granted_is_answered_like_none(self: Any) -> None:
        answers = set()
        for name in ("br1", "br9", "br0p", "lo"):
            said = self.assert_one_line(self.ask(name), f"rule machines allows this but for bridge {name}: not in br0, gone",
                                        "Ask the administrator of this host for a rule in /etc/umlnet/policy.json")
            answers.add(said.replace(f"bridge {name}:", "bridge BR:"))
        self.assertEqual(len(answers), 1, answers)
        self.assert_one_line(self.ask("gone"), "there is no bridge gone on this host")
        self.assert_one_line(self.ask(user=1), "no rule of the policy speaks of uid 1")
        self.assert_one_line(self.ask(user=SOMEBODY), "rule taps does not allow the operation bridge")
        self.assertEqual(self.state(), self.before)
        self.assertEqual({(line["event"], line["stage"]) for line in world.audit_lines()}, {("reject", "result")})

    def test_a_group_of_the_callers_is_known_from_the_kernel(self: Any) -> None:
        self.assertEqual(self.ask(user=SOMEBODY, groups=[4242]).exit, 0)

    def test_a_deny_rule_wins_over_root_too(self: Any) -> None:
        world.write_policy({"version": 1, "rules": [MACHINES, {"name": "not-br0", "effect": "deny", "users": ["*"],
                                                               "bridges": ["br0"]}]})
        for user in (NOBODY, None):
            self.assert_one_line(self.ask(user=user), "rule not-br0 denies this")
        self.assertEqual(self.ask("br1", user=None).exit, 0)

    def test_without_a_policy_only_root(self: Any) -> None:
        world.remove_policy()
        self.assert_one_line(self.ask(), "there is no policy on this host, so only root may use uml_net",
                             "The administrator can write one: /etc/umlnet/policy.json")
        self.assertEqual(self.ask(user=None).exit, 0)

    def test_a_name_that_is_too_long_is_not_cut(self: Any) -> None:
        """Cut to 15 bytes, the name would be that of a bridge which another rule denies."""
        denied = "br-of-the-lan-0"
        world.sh("ip", "link", "add", denied, "type", "bridge")
        self.before = self.state()
        rules = [{**MACHINES, "bridges": ["br0", denied]},
                 {"name": "not-the-lan", "effect": "deny", "users": ["*"], "bridges": [denied]}]
        world.write_policy({"version": 1, "rules": rules})
        self.assert_one_line(self.ask(denied), "rule not-the-lan denies this")
        # Up to 127 bytes may be an alternative name.
        for name in (denied + "1", denied + "x" * 112):
            self.assert_one_line(self.ask(name), f"bridge {name}: not in br0, {denied}")
        for name in (denied + "x" * 113, denied + "x" * 4000, denied + "/", denied + " "):
            self.assert_one_line(self.ask(name), "15 printable characters")
        granted = self.ask("br0")
        self.assertEqual(granted.exit, 0, granted)
        granted.close()
        rules[1]["bridges"] = [denied + "1"]
        world.write_policy({"version": 1, "rules": rules})
        world.sh("ip", "link", "property", "add", "dev", denied, "altname", denied + "1")
        for name in (denied, denied + "1"):
            self.assert_one_line(self.ask(name), "rule not-the-lan denies this")
        self.assertEqual(self.state(), self.before)

    def set_mac(self: Any, fd: int, device: str) -> bool:
        done = subprocess.run(["/usr/bin/python3", "-c", SET_MAC, str(fd), device, LOW_MAC], pass_fds=[fd], user=NOBODY,
                              group=NOBODY, extra_groups=[], capture_output=True)
        return done.returncode == 0

    def test_a_holder_changes_the_mac_address_and_a_bridge_keeps_one_that_was_set(self: Any) -> None:
        """The kernel asks the holder of a TAP for no capability. A sealed device has no such holder."""
        taken = world.links()["br0"]["address"]
        with self.ask() as granted:
            self.assertTrue(self.set_mac(granted.fds[0], "tap0"))
            self.assertEqual([world.links()[name]["address"] for name in ("tap0", "br0")], [LOW_MAC, LOW_MAC])
            # What is sent to that address on the bridge goes to the host.
            self.assertIn(f"{LOW_MAC} master br0 permanent", world.sh("bridge", "fdb", "show", "dev", "tap0"))
        self.assertEqual(world.links()["br0"]["address"], taken)
        world.sh("ip", "link", "set", "dev", "br0", "address", "52:54:00:12:34:56")
        with self.ask() as granted:
            self.assertTrue(self.set_mac(granted.fds[0], "tap0"))
            self.assertEqual([world.links()[name]["address"] for name in ("tap0", "br0")], [LOW_MAC, "52:54:00:12:34:56"])
        world.write_policy({"version": 1, "rules": [{**MACHINES, "operations": ["open"], "sealed": True}]})
        with native.call(self.helper, "open", "bridge=br0", "sealed", user=NOBODY) as answer:
            self.assertTrue(answer.ok, answer)
            self.assertFalse(self.set_mac(answer.fds[0], answer.name))
            self.assertNotEqual(world.links()[answer.name]["address"], LOW_MAC)

    def test_devices_on_bridges_count(self: Any) -> None:
        first, second = self.ask(), self.ask()
        self.assertEqual((first.exit, second.exit), (0, 0))
        self.assert_one_line(self.ask(), "max_devices 2: 2 in use")
        first.close()
        self.assertEqual(self.ask().exit, 0)

    def test_a_flood_at_once_stays_within_the_limit(self: Any) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(8)]
        running = [subprocess.Popen([self.helper, f"--fd={theirs.fileno()}", "--br=br0"], stdin=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, pass_fds=[theirs.fileno()], user=NOBODY, group=NOBODY,
                                    extra_groups=[]) for _, theirs in pairs]
        statuses = []
        for (ours, theirs), process in zip(pairs, running, strict=True):
            with ours, theirs, process:
                said = process.communicate(timeout=30)[1].decode()
                statuses.append(process.returncode)
                theirs.close()
                data, fds, _, _ = socket.recv_fds(ours, 16, 4)
                self.assertEqual((len(data), len(fds), said.count("\n")), (1, 1, 0) if process.returncode == 0 else (0, 0, 1))
                for fd in fds:
                    self.addCleanup(os.close, fd)
        self.assertEqual(sorted(statuses), [0] * 2 + [1] * 6)
        self.assertEqual(sum(name.startswith("tap") for name in bridge.ports()), 2)

    def test_privilege_is_down_while_the_reply_is_under_way(self: Any) -> None:
        """The caller's socket is full, so the helper waits: with the socket and nothing else of its caller's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        theirs.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                theirs.send(bytes(4096))
        with ours, theirs, open("/dev/zero", "rb") as stray:
            helper = subprocess.Popen([self.helper, f"--fd={theirs.fileno()}", "--br=br0"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      pass_fds=[theirs.fileno(), stray.fileno()], user=NOBODY, group=NOBODY, extra_groups=[])
            with helper:
                deadline = time.monotonic() + 4
                while (status := status_of(helper.pid))["Seccomp"] != "2" or "tap0" not in bridge.ports():
                    self.assertLess(time.monotonic(), deadline, status)
                    self.assertIsNone(helper.poll())
                while (status := status_of(helper.pid))["State"][0] != "S":
                    self.assertLess(time.monotonic(), deadline, status)
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
                sets = capabilities(status)
                self.assertEqual((sets["CapPrm"], sets["CapEff"], sets["CapInh"], sets["CapAmb"]), (CAP_NET_ADMIN, 0, 0, 0))
                front, socket_of_caller = front_of(helper.pid), os.readlink(f"/proc/self/fd/{theirs.fileno()}")
                held = {pid: [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()] for pid in (helper.pid, front)}
                self.assertNotIn("/dev/zero", held[helper.pid] + held[front])
                self.assertNotIn(socket_of_caller, held[helper.pid])
                self.assertEqual(os.readlink(f"/proc/{front}/fd/3"), socket_of_caller)  # whatever number it had
                ours.setblocking(False)
                while helper.poll() is None and time.monotonic() < deadline:
                    try:
                        ours.recv(65536)
                    except BlockingIOError:
                        time.sleep(0.01)
                self.assertEqual(helper.wait(timeout=10), 0)


class Setuid(Callers, SetUserIdCase):
    pass


class FileCapability(Callers, FileCapabilityCase):
    pass


class NoPrivilege(HostCase):
    def test_a_plain_copy_says_in_one_line_what_the_administrator_should_do(self) -> None:
        bridge.add_bridge()
        reply = bridge.ask(world.helper_copy(HELPER, "plain"), user=NOBODY)
        self.assert_refused(reply, 1, "CAP_NET_ADMIN", "chmod 4754", "setcap cap_net_admin=p")
        self.assertEqual(reply.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
