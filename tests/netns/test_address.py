"""`uml_net 4 add|del DEV ADDR NETMASK` and `uml_net gc` against a real kernel."""

import fcntl
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.support import caller, world
from tests.support.case import HELPER, HostCase

TUNSETPERSIST = 0x400454CB
MASK = "255.255.255.0"


class Address(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.lan = world.lan()
        self.addCleanup(self.lan.close)
        self.tap = caller.tuntap_up(HELPER, "10.99.0.254")
        self.addCleanup(self.tap.close)
        self.assertEqual(self.tap.name, "tap0")
        self.before = world.snapshot()

    def call(self, *args: str) -> caller.Reply:
        return caller.framed(HELPER, "4", *args)

    def test_add_and_exactly_that_taken_back(self) -> None:
        for spelling in ((), ("tuntap",)):
            with self.subTest(spelling):
                added = self.call(*spelling, "add", "tap0", "10.50.0.7", MASK)
                text = b"10.50.0.7 routed to tap0, published on eth0\n\0"
                self.assertEqual((added.exit, added.data), (0, struct.pack("=i", len(text)) + text))
                self.assertIn("10.50.0.7 dev tap0 proto 117 scope link", world.routes())
                self.assertEqual(world.proxy_entries(), {"10.50.0.7 eth0": "118"})
                self.assertEqual(world.setting("tap0", "proxy_arp"), 1)
                self.assertEqual((world.setting("tap0", "forwarding"), world.setting("eth0", "forwarding")), (1, 1))
                self.assertEqual((world.setting("all", "forwarding"), world.setting("eth0", "proxy_arp")), (0, 0))
                deleted = self.call(*spelling, "del", "tap0", "10.50.0.7", MASK)
                self.assertEqual((deleted.exit, deleted.text),
                                 (0, "10.50.0.7 no longer routed to tap0, no longer published on eth0\n"))
                self.assertEqual(world.snapshot(), self.before)

    def test_the_audit_log_names_the_device_that_was_changed(self) -> None:
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).exit, 0)
        result = self.last_line()["result"]
        self.assertEqual((result["device"], result["ifindex"]), ("tap0", world.links()["tap0"]["ifindex"]))
        self.assertEqual(result["changes"][0], "10.50.0.7 routed to tap0")

    def test_one_of_two_addresses_leaves_the_other_alone(self) -> None:
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).exit, 0)
        with_one = world.snapshot()
        self.assertEqual(self.call("add", "tap0", "10.50.0.8", MASK).exit, 0)
        self.assertEqual(self.call("del", "tap0", "10.50.0.8", MASK).exit, 0)
        self.assertEqual(world.snapshot(), with_one)
        self.assertEqual(self.call("add", "tap0", "10.50.0.8", MASK).exit, 0)
        self.assertEqual(self.call("del", "tap0", "10.50.0.7", MASK).exit, 0)
        self.assertEqual(world.proxy_entries(), {"10.50.0.8 eth0": "118"})
        self.assertEqual(world.setting("tap0", "proxy_arp"), 1)
        self.assertEqual(self.call("del", "tap0", "10.50.0.8", MASK).exit, 0)
        self.assertEqual(world.snapshot(), self.before)

    def test_two_devices_share_a_lan(self) -> None:
        with caller.tuntap_up(HELPER, "10.99.0.254") as second:
            before = world.snapshot()
            self.assertEqual(self.call("add", "tap0", "10.50.0.7", "255.255.255.255").exit, 0)
            self.assertEqual(self.call("add", second.name, "10.50.0.8", MASK).exit, 0)
            self.assertEqual(world.proxy_entries(), {"10.50.0.8 eth0": "118"})  # tap0 is a guest's, and no LAN
            self.assertEqual(self.call("del", second.name, "10.50.0.8", MASK).exit, 0)
            self.assertEqual(self.call("del", "tap0", "10.50.0.7", "255.255.255.255").exit, 0)
            self.assertEqual(world.snapshot(), before)

    def test_an_address_outside_every_lan_is_only_routed(self) -> None:
        self.assertEqual(self.call("add", "tap0", "10.99.0.1", MASK).text, "10.99.0.1 routed to tap0\n")
        self.assertEqual(world.proxy_entries(), {})
        self.assertEqual(world.setting("tap0", "forwarding"), 0)
        self.assertEqual(self.call("del", "tap0", "10.99.0.1", MASK).exit, 0)
        self.assertEqual(world.snapshot(), self.before)

    def test_adding_again_is_no_error_and_mends_what_is_missing(self) -> None:
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).exit, 0)
        whole = world.snapshot()
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).text, "10.50.0.7 routed to tap0 already\n")
        world.sh("ip", "neigh", "del", "proxy", "10.50.0.7", "dev", "eth0")
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).exit, 0)
        self.assertEqual(world.proxy_entries().keys(), {"10.50.0.7 eth0"})
        # The entry that remembered whose the forwarding is went at the administrator's hand: now it is theirs.
        self.assertEqual({**world.snapshot(), "proxy": {}}, {**whole, "proxy": {}})

    def test_forwarding_and_proxy_entries_of_the_administrators_stay(self) -> None:
        Path("/proc/sys/net/ipv4/conf/eth0/forwarding").write_text("1")
        world.sh("ip", "neigh", "add", "proxy", "10.50.0.8", "dev", "eth0")
        before = world.snapshot()
        for address in ("10.50.0.7", "10.50.0.8"):
            self.assertEqual(self.call("add", "tap0", address, MASK).exit, 0)
        for address in ("10.50.0.7", "10.50.0.8"):
            self.assertEqual(self.call("del", "tap0", address, MASK).exit, 0)
        self.assertEqual(world.snapshot(), before)

    def test_forwarding_turned_on_for_the_whole_host_meanwhile_stays_on(self) -> None:
        self.assertEqual(self.call("add", "tap0", "10.50.0.7", MASK).exit, 0)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.assertEqual(self.call("del", "tap0", "10.50.0.7", MASK).exit, 0)
        self.assertEqual((world.setting("eth0", "forwarding"), world.setting("tap0", "forwarding")), (1, 1))

    def test_devices_that_are_not_the_callers_are_answered_like_none(self) -> None:
        world.sh("ip", "tuntap", "add", "tap7", "mode", "tap")
        world.sh("ip", "tuntap", "add", "tun7", "mode", "tun")
        before = world.snapshot()
        for verb in ("add", "del"):
            for device in ("tap7", "tun7", "eth0", "lo", "tap9"):
                with self.subTest(verb=verb, device=device):
                    reply = self.call(verb, device, "10.99.0.1", MASK)
                    self.assert_refused(reply, 66, f"there is no device {device} that uml_net made for you")
        self.assertEqual(world.snapshot(), before)

    def test_an_address_that_is_routed_elsewhere_is_a_conflict_for_root_too(self) -> None:
        world.sh("ip", "route", "add", "10.50.0.7/32", "dev", "eth0")
        before = world.snapshot()
        self.assert_refused(self.call("add", "tap0", "10.50.0.7", MASK), 69, "cannot route 10.50.0.7 to tap0", "EEXIST")
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(self.events()[-2:], [("accept", "intent"), ("reject", "result")])
        result = self.last_line()["result"]
        self.assertEqual((result["error"], result["errno"]), ("cannot route 10.50.0.7 to tap0", "EEXIST"))

    def test_nothing_to_take_back(self) -> None:
        self.assert_refused(self.call("del", "tap0", "10.50.0.7", MASK), 69, "not routed to tap0", "nothing to take back")
        self.assertEqual(world.snapshot(), self.before)

    def test_words_that_are_none(self) -> None:
        for args in (("add", "tap0", "10.50.0", MASK), ("add", "tap0", "10.50.0.7", "255.0.255.0"),
                     ("add", "tap%d", "10.50.0.7", MASK), ("add", "tap0", "10.50.0.7"), ("del",),
                     ("add", "x" * 128, "10.50.0.7", MASK), ("add", "", "10.50.0.7", MASK)):
            with self.subTest(args):
                reply = self.call(*args)
                self.assertIn(reply.exit, (64, 65))
                self.assert_refused(reply, reply.exit)
        self.assertEqual(world.snapshot(), self.before)

    def test_a_reply_that_nobody_takes_undoes_the_add(self) -> None:
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = caller.run(HELPER, "4", "add", "tap0", "10.50.0.7", MASK, stdout=write_end)
        os.close(write_end)
        self.assertEqual(done.returncode, 74, done)
        self.assertEqual(world.snapshot(), self.before)
        self.assertEqual(self.events()[-2:], [("accept", "intent"), ("exit", "result")])

    def test_fds_of_the_wrong_kind(self) -> None:
        controller, terminal = os.openpty()
        with tempfile.TemporaryFile() as file, open("/dev/null", "wb") as null, open(os.dup(terminal), "wb") as tty:
            for fd in (file, null, tty):
                with self.subTest(fd):
                    done = caller.run(HELPER, "4", "add", "tap0", "10.50.0.7", MASK, stdout=fd)
                    self.assertEqual(done.returncode, 64)
                    self.assertIn(b"fd 1 is not a pipe", done.stderr)
        os.close(controller)
        os.close(terminal)
        self.assertEqual(world.snapshot(), self.before)

    def test_closed_fds(self) -> None:
        for closed in range(8):
            with self.subTest(f"{closed:03b}"):
                shut = " ".join(f"{fd}>&-" for fd in range(3) if closed & 1 << fd)
                script = f'exec "$0" 4 add tap0 10.50.0.7 {MASK} {shut}'
                done = caller.run("/bin/sh", "-c", script, str(HELPER))
                if closed & 2:
                    self.assertEqual(done.returncode, 64)
                    self.assertEqual(world.snapshot(), self.before)
                else:
                    self.assertEqual(done.returncode, 0)
                    self.assertEqual(self.call("del", "tap0", "10.50.0.7", MASK).exit, 0)


class Garbage(HostCase):
    def test_what_a_killed_guest_left_on_the_lan_goes_with_gc(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        tap = caller.tuntap_up(HELPER, "10.99.0.254")
        self.assertEqual(caller.framed(HELPER, "4", "add", "tap0", "10.50.0.7", MASK).exit, 0)
        tap.close()
        self.assertEqual(world.proxy_entries(), {"10.50.0.7 eth0": "118"})
        self.assertEqual(world.setting("eth0", "forwarding"), 1)
        done = caller.run(HELPER, "gc")
        self.assertEqual((done.returncode, done.stdout),
                         (0, b"forwarding off for eth0\n10.50.0.7 no longer published on eth0\n"))
        self.assertEqual(world.snapshot(), before)
        again = caller.run(HELPER, "gc")
        self.assertEqual((again.returncode, again.stdout), (0, b"nothing was left behind\n"))

    def test_and_with_the_next_request_of_anybody_even_a_refused_one(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        tap = caller.tuntap_up(HELPER, "10.99.0.254")
        self.assertEqual(caller.framed(HELPER, "4", "add", "tap0", "10.50.0.7", MASK).exit, 0)
        tap.close()
        self.assertNotEqual(caller.framed(HELPER, "4", "del", "tap0", "10.50.0.7", MASK).exit, 0)
        self.assertEqual(world.snapshot(), before)
        operations = [line["request"]["operation"] for line in world.audit_lines()]
        self.assertEqual(operations[-3:], ["gc", "gc", "del"])
        self.assertEqual(len({line["id"] for line in world.audit_lines()[-3:]}), 1)

    def test_a_device_made_persistent_behind_our_back_is_removed_once_nobody_holds_it(self) -> None:
        before = world.snapshot()
        with caller.tuntap_up(HELPER, "10.99.0.254") as tap:
            fcntl.ioctl(tap.fds[0], TUNSETPERSIST, 1)
            self.assertEqual(caller.run(HELPER, "gc").stdout, b"nothing was left behind\n")
        self.assertIn("tap0", world.links())
        self.assertEqual(caller.run(HELPER, "gc").returncode, 0)
        self.assertEqual(world.snapshot(), before)

    def test_what_is_not_ours_stays(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        world.sh("ip", "neigh", "add", "proxy", "10.50.0.9", "dev", "eth0")
        world.sh("ip", "neigh", "add", "proxy", "10.50.0.10", "dev", "eth0", "protocol", "50")
        world.sh("ip", "tuntap", "add", "tap7", "mode", "tap")
        before = world.snapshot()
        self.assertEqual(caller.run(HELPER, "gc").stdout, b"nothing was left behind\n")
        self.assertEqual(world.snapshot(), before)


class SystemCalls(HostCase):
    def test_no_program_is_started_and_nothing_is_written_below_proc(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        with caller.tuntap_up(HELPER, "10.99.0.254"), tempfile.TemporaryDirectory() as directory:
            done = caller.run("strace", "-ff", "-o", f"{directory}/trace", str(HELPER), "4", "add", "tap0", "10.50.0.7", MASK)
            self.assertEqual(done.returncode, 0, done)
            traces = [path.read_text().splitlines() for path in Path(directory).iterdir()]
        # Three processes are made, and no other program: the front, the recorder, and the one that announces the address.
        self.assertEqual(len(traces), 4)
        self.assertEqual(sum(line.startswith("execve") for trace in traces for line in trace), 1)
        executor = next(trace for trace in traces if trace[0].startswith("execve"))
        front = next(trace for trace in traces if any(line.startswith(("write(1,", "pwritev2(1,")) for line in trace))
        recorder = next(trace for trace in traces if any("audit.jsonl" in line and line.startswith("open") for line in trace))
        for line in executor + front + recorder:
            if line.startswith("open") and ("O_WRONLY" in line or "O_RDWR" in line):
                self.assertRegex(line, r'"/(dev/null|dev/net/tun|var/log/umlnet/audit\.(jsonl|refusals))"')
            self.assertNotIn("nsswitch", line)
        # Each line of the log is one write of its own, to a file open for appending.
        log = next(line for line in recorder if "audit.jsonl" in line and line.startswith("open"))
        self.assertIn("O_APPEND", log)
        sizes = [int(line.rsplit("= ", 1)[1]) for line in recorder if line.startswith("write(")]
        self.assertEqual(sizes, [len(line) for line in world.LOG.read_bytes().splitlines(keepends=True)[-2:]])

        def first(trace: list[str], *names: str) -> int:
            return next(number for number, line in enumerate(trace) if line.startswith(names))

        self.assertLess(first(front, "seccomp(SECCOMP_SET_MODE_FILTER"), first(front, "write(1,", "pwritev2(1,"))
        self.assertFalse([line for line in executor if line.startswith("open") and "audit" in line])
        granted = max(number for number, line in enumerate(executor[:-1]) if line.startswith("sendmsg") and executor[number + 1].startswith("recvmsg"))
        self.assertLess(first(executor, "seccomp(SECCOMP_SET_MODE_FILTER"), granted)
        # The last capset before that leaves nothing in effect.
        capsets = [line for line in executor[:granted] if line.startswith("capset")]
        self.assertIn("effective=0", capsets[-1])
        self.assertTrue([line for line in capsets if "1<<CAP_NET_ADMIN" in line])


if __name__ == "__main__":
    unittest.main()
