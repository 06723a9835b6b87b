"""A real other user calls the helper, as an administrator installs it: set-user-ID root, and with a file capability."""

import os
import socket
import subprocess
import time
import unittest
from typing import Any

from tests.support import caller, userns, world
from tests.support.case import HELPER, LOG_GROUP, FileCapabilityCase, HostCase, SetUserIdCase
from tests.support.process import capabilities, status_of

NOBODY, SOMEBODY = 65534, 65533
CAP_NET_ADMIN = 1 << 12
MASK = "255.255.255.0"
POLICY = {
    "version": 1,
    "rules": [
        {"name": "nobodys-guests", "users": [NOBODY], "operations": ["tuntap", "address"], "gateways": ["10.99.0.0/16"],
         "guests": ["10.99.0.0/16", "10.50.0.0/27"], "lan": ["eth0"], "max_devices": 2, "max_addresses": 3},
        {"name": "lab", "groups": [4242], "operations": ["tuntap", "address"], "gateways": ["10.98.0.0/16"],
         "guests": ["10.98.0.0/16"]},
    ],
}


class Callers:
    """What must hold for both ways of installing the helper."""

    how: str
    empties_bounding_set = True
    note = ""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        world.write_policy(POLICY)

    def up(self: Any, gate: str | None = "10.99.0.254", user: int | None = NOBODY, **more: Any) -> caller.Reply:
        reply = caller.tuntap_up(self.helper, gate, user=user, **more)
        self.addCleanup(reply.close)
        return reply

    def call(self: Any, *args: str, user: int | None = NOBODY, **more: Any) -> caller.Reply:
        return caller.framed(self.helper, "4", *args, user=user, **more)

    def test_granted(self: Any) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        reply = self.up()
        self.assertEqual((reply.exit, reply.text), (0, "tap0 up with 10.99.0.254/32\n"), reply)
        self.assertEqual(world.links()["tap0"]["linkinfo"]["info_data"]["user"], "nobody")
        self.assertIn(f"uml_net uid={NOBODY} ", world.links()["tap0"]["ifalias"])
        added = self.call("add", "tap0", "10.50.0.7", MASK)
        self.assertEqual((added.exit, added.text), (0, "10.50.0.7 routed to tap0, published on eth0\n" + self.note))
        lines = world.audit_lines()
        self.assertEqual([(line["event"], line["stage"]) for line in lines], [("accept", "intent"), ("accept", "result")] * 2)
        for line in lines:
            self.assert_called_by(line, {"uid": NOBODY, "gid": NOBODY, "pid": os.getpid(), "user": "nobody"})
            self.assertEqual(line["decision"]["rule"], "nobodys-guests")
        self.assertEqual(self.call("del", "tap0", "10.50.0.7", MASK).exit, 0)
        reply.close()
        self.assertEqual(world.snapshot(), before)

    def test_denied_with_the_reason_that_came_nearest(self: Any) -> None:
        before = world.snapshot()
        self.assert_refused(self.up("192.168.1.1"), 77,
                            "rule nobodys-guests allows this but for gateway 192.168.1.1: not in 10.99.0.0/16")
        self.assert_refused(self.up(user=SOMEBODY), 77, "no rule of the policy speaks of uid 65533")
        self.assertEqual(world.snapshot(), before)
        lines = world.audit_lines()
        self.assertEqual([(line["event"], line["caller"]["uid"]) for line in lines],
                         [("reject", NOBODY), ("reject", SOMEBODY)])
        self.assertEqual(lines[0]["decision"]["rule"], "nobodys-guests")
        self.assertNotIn("rule", lines[1]["decision"])

    def test_limits_count_what_the_kernel_has(self: Any) -> None:
        first, second = self.up(), self.up()
        self.assert_refused(self.up(), 77, "max_devices 2: 2 in use")
        first.close()
        third = self.up()
        self.assertEqual(third.exit, 0, third)
        for number, device in enumerate((second.name, third.name, second.name)):
            self.assertEqual(self.call("add", device, f"10.99.0.{number + 1}", MASK).exit, 0)
        self.assert_refused(self.call("add", second.name, "10.99.0.9", MASK), 77, "max_addresses 3: 3 in use")
        self.assertEqual(self.call("add", second.name, "10.99.0.1", MASK).exit, 0)  # is not a new one

    def test_a_rule_for_a_group_knows_the_callers_groups_from_the_kernel(self: Any) -> None:
        self.assert_refused(self.up("10.98.0.254", user=SOMEBODY), 77)
        reply = self.up("10.98.0.254", user=SOMEBODY, groups=[4242])
        self.assertEqual(reply.exit, 0, reply)
        self.assertEqual(world.audit_lines()[-1]["decision"]["rule"], "lab")

    def test_privilege_is_down_while_the_reply_is_under_way(self: Any) -> None:
        """The caller's socket is full, so the helper waits: no capability is in effect, and the caller cannot reach in."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                theirs.send(b"x")
        with ours:
            with theirs:
                helper = subprocess.Popen([self.helper, "4", "tuntap", "up", "10.99.0.254"], stdin=subprocess.DEVNULL,
                                          stdout=theirs, stderr=subprocess.PIPE, user=NOBODY, group=NOBODY, extra_groups=[])
            with helper:
                deadline = time.monotonic() + 4
                while (status := status_of(helper.pid))["Seccomp"] != "2" or "tap0" not in world.links():
                    self.assertLess(time.monotonic(), deadline, status)
                    self.assertIsNone(helper.poll())
                while world.audit_lines() == [] or (status := status_of(helper.pid))["State"][0] != "S":
                    self.assertLess(time.monotonic(), deadline, status)
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
                self.assertEqual(status["Gid"].split(), [str(NOBODY)] * 4)
                sets = capabilities(status)
                if not self.empties_bounding_set:
                    del sets["CapBnd"]
                self.assertEqual(sets.pop("CapPrm"), CAP_NET_ADMIN)
                self.assertEqual(set(sets.values()), {0}, sets)
                for file in ("mem", "fd", "environ"):
                    peek = subprocess.run(["head", "-c1", f"/proc/{helper.pid}/{file}"], user=NOBODY, group=NOBODY,
                                          extra_groups=[], capture_output=True)
                    self.assertIn(b"Permission denied", peek.stderr)
                while ours.recv(1, socket.MSG_PEEK) == b"x":
                    ours.recv(1)
                data, fds, _, _ = socket.recv_fds(ours, 4096, 1)
                self.assertEqual((helper.wait(timeout=10), data[:5], len(fds)), (0, b"tap0\0", 1))
                os.close(fds[0])


class Setuid(Callers, SetUserIdCase):
    pass


class FileCapability(Callers, FileCapabilityCase):
    note = "a machine on the LAN may need a minute to find a guest that moved: uml_net has no CAP_NET_RAW to announce it\n"
    empties_bounding_set = False  # takes CAP_SETPCAP, which this installation does not give

    def test_a_closed_tun_device_is_explained(self) -> None:
        world.TUN.chmod(0o600)
        self.addCleanup(world.TUN.chmod, 0o666)
        self.assert_refused(self.up(), 71, "/dev/net/tun", "chmod 0666 /dev/net/tun")


class NoPrivilege(HostCase):
    def test_a_plain_copy_says_what_the_administrator_should_do(self) -> None:
        helper = world.helper_copy(HELPER, "plain")
        before = world.snapshot()
        for reply in (caller.tuntap_up(helper, "10.99.0.254", user=NOBODY),
                      caller.framed(helper, "4", "add", "tap0", "10.99.0.1", MASK, user=NOBODY)):
            self.assert_refused(reply, 77, "CAP_NET_ADMIN", "chmod 4754", "setcap cap_net_admin=p", "nosuid")
        self.assertEqual(world.snapshot(), before)

    def test_where_no_program_gets_privilege_that_is_all_it_says(self) -> None:
        worlds = {"no_new_privs": ["/usr/bin/setpriv", "--no-new-privs"]}
        if userns.can_be_made_by(NOBODY):
            worlds["a user namespace"] = ["/usr/bin/unshare", "--user", "--map-root-user"]
        for how in ("setuid", "filecap"):
            helper = world.helper_copy(HELPER, how, LOG_GROUP)
            world.reset_log(mode=0o660, group=LOG_GROUP)
            for words, prefix in worlds.items():
                with self.subTest(how, words=words):
                    done = subprocess.run([*prefix, helper, "4", "add", "tap0", "10.99.0.1", MASK], user=NOBODY, group=NOBODY,
                                          extra_groups=[], capture_output=True)
                    reply = caller.Reply(done.returncode, data=done.stdout, stderr=done.stderr.decode(), framed=True)
                    self.assert_refused(reply, 77 if done.returncode == 77 else 78, words)
                    said = reply.text if reply.data else reply.stderr
                    self.assertEqual(said.count("\n"), 2, said)
                    for wrong in ("chown", "chgrp", "chmod", "setcap", "/var/log", "/etc"):
                        self.assertNotIn(wrong, said)

    def test_help_and_version_need_neither_privilege_nor_a_file(self) -> None:
        for how in ("plain", "setuid", "filecap"):
            helper = world.helper_copy(HELPER, how, LOG_GROUP)
            for word, says in (("--version", b"speaks UML protocol version 4"), ("--help", b"uml_net 4 tuntap up")):
                with self.subTest(how, word=word):
                    done = caller.run("/usr/bin/strace", "-f", "-e", "trace=openat,openat2,open,execve", str(helper), word, user=NOBODY)
                    self.assertEqual(done.returncode, 0, done)
                    self.assertIn(says, done.stdout)
                    for place in (world.POLICY.parent, world.LOG.parent, "/etc/passwd", "/etc/group", "/dev/net/tun"):
                        self.assertNotIn(str(place), done.stderr.decode())
                    done = caller.run(helper, word, user=NOBODY)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_file_system_without_setuid(self) -> None:
        world.helper_copy(HELPER, "setuid")
        helper = world.helper_copy(HELPER, "setuid")
        world.sh("mount", "-o", "remount,nosuid", "/run/umlnet-test-bin")
        self.addCleanup(world.sh, "mount", "-o", "remount,suid", "/run/umlnet-test-bin")
        self.assert_refused(caller.tuntap_up(helper, "10.99.0.254", user=NOBODY), 77, "nosuid")


if __name__ == "__main__":
    unittest.main()
