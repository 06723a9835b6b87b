"""`umlnet doctor`: it finds what the helper fails on, and what it says mends it."""

import json
import os
import shutil
import stat
import subprocess
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, userns, world
from tests.support.case import FILLER, HELPER, HostCase
from tests.support.cli import installed

NOBODY = 65534
GROUP = 65534  # of the helper; /etc/group calls it nogroup
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY], "operations": ["tuntap", "address"],
                                   "guests": ["10.50.0.32/27"], "lan": ["eth0"]}]}
NM = Path("/etc/NetworkManager")


class DoctorCase(HostCase):
    tun_mode = 0o666
    how = "setuid"

    def setUp(self) -> None:
        super().setUp()
        self.umlnet, _ = installed()
        self.lan = world.lan()
        self.addCleanup(self.lan.close)
        world.LOG.parent.chmod(0o755)  # what was mended before may be stricter
        # A new network has what the first one has.
        for name in ("ip_forward", "conf/all/rp_filter", "conf/eth0/rp_filter"):
            Path("/proc/sys/net/ipv4", name).write_text("0")
        self.install("setuid")
        world.write_policy(POLICY)

    def install(self, how: str) -> None:
        self.helper = world.helper_copy(HELPER, how, group=GROUP)
        world.reset_log(mode=0o660 if how == "filecap" else 0o640, group=GROUP if how == "filecap" else 0)

    def doctor(self, *words: str, user: int | None = NOBODY, prefix: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
        """The exit status, and the findings by check."""
        argv = [*prefix, str(self.umlnet), "doctor", "--json", "--helper", str(self.helper), *words]
        done = caller.run(argv[0], *argv[1:], user=user, groups=[],
                          env={"PATH": f"{self.helper.parent}:/usr/sbin:/usr/bin:/sbin:/bin"})
        self.assertEqual(done.stderr, b"")
        found = json.loads(done.stdout)
        findings = {one["check"]: one for one in found["checks"]}
        problems = [one for one in findings.values() if one["state"] == "problem"]
        self.assertEqual((done.returncode, found["ok"]), (1, False) if problems else (0, True), found)
        return done.returncode, findings

    def assert_finds(self, check: str, state: str, words: str, *arguments: str, user: int | None = None,
                     prefix: tuple[str, ...] = ()) -> str:
        """The command that mends it."""
        found = self.doctor(*arguments, user=user, prefix=prefix)[1][check]
        self.assertEqual(found["state"], state, found)
        self.assertIn(words, found["found"])
        if state != "ok":
            self.assertNotEqual(found["mend"], "")
        return found["mend"]

    def ask(self) -> int:
        """The exit status of the helper."""
        with caller.tuntap_up(self.helper, user=NOBODY, groups=[]) as reply:
            return reply.exit

    def mend(self, check: str, words: str, *arguments: str, state: str = "problem") -> None:
        """Found, mended with the very command, and found no more."""
        command = self.assert_finds(check, state, words, *arguments)
        world.sh("sh", "-c", command)
        self.assertEqual(self.doctor(*arguments, user=None)[1][check]["state"], "ok", command)


class Healthy(DoctorCase):
    def test_nothing_is_wrong_where_the_helper_serves(self) -> None:
        for how in ("setuid", "filecap"):
            self.install(how)
            self.assertEqual(self.ask(), 0)
            for user in (NOBODY, None):
                status, findings = self.doctor("--lan", "eth0", user=user)
                self.assertEqual(status, 0, findings)
                for check in ("helper", "mount", "access", "version", "path", "confinement", "tun", "policy", "rules", "audit-log",
                              "refusals", "journal", "lan", "forwarding", "bridge-ra", "rp-filter", "NetworkManager", "networkd", "leftovers"):
                    with self.subTest(check, how=how, user=user):
                        self.assertEqual((findings[check]["state"], findings[check]["mend"]), ("ok", ""))
                self.assertEqual(findings["firewall"]["state"], "ok" if user is None else "cannot-tell")

    def test_nothing_is_changed_by_looking(self) -> None:
        before = world.snapshot()
        self.doctor("--lan", "eth0", user=None)
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(world.LOG.read_text(), "")

    def test_lines_for_people(self) -> None:
        self.helper.chmod(0o755)
        done = caller.run(self.umlnet, "doctor", "--quiet", "--helper", str(self.helper), user=None)
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0], f"problem      helper          {self.helper} has no privilege (mode 0755, no capability): only "
                                   "root gets anything of it")
        self.assertEqual(lines[1].split(), ["to", "mend", "it:", "chown", "root:nogroup", str(self.helper), "&&", "chmod", "4754",
                                            str(self.helper)])
        self.assertRegex(lines[-1], r"^22 checks, 1 problem")

    def test_wrong_words(self) -> None:
        for words in (("--fly",), ("--lan", "a/b"), ("--helper", "uml_net"), ("now",)):
            self.assertEqual(caller.run(self.umlnet, "doctor", *words).returncode, 64)
        self.assertTrue(caller.run(self.umlnet, "doctor", "--help").stdout.startswith(b"Usage: umlnet doctor"))


class TheHelper(DoctorCase):
    def test_without_privilege(self) -> None:
        for mode, words in ((0o755, "no privilege"), (0o4775, "others than root can replace")):
            self.helper.chmod(mode)
            self.mend("helper", words) if mode == 0o755 else self.assert_finds("helper", "problem", words)
        os.chown(self.helper, NOBODY, GROUP)
        self.helper.chmod(0o4755)
        self.mend("helper", "belongs to uid 65534")
        self.assertEqual(stat.S_IMODE(self.helper.stat().st_mode), 0o4754)
        self.assertEqual(self.ask(), 0)

    def test_missing(self) -> None:
        self.helper = self.helper.with_name("nothing")
        self.assert_finds("helper", "problem", "ENOENT")

    def test_on_a_file_system_without_privilege(self) -> None:
        place = Path("/run/umlnet-test-nosuid")
        place.mkdir(exist_ok=True)
        world.sh("mount", "-t", "tmpfs", "-o", "nosuid,mode=0755", "tmpfs", str(place))
        self.addCleanup(world.sh, "umount", str(place))
        shutil.copy(self.helper, place / "uml_net")
        os.chown(place / "uml_net", 0, GROUP)
        (place / "uml_net").chmod(0o4750)
        self.helper = place / "uml_net"
        self.assertNotEqual(self.ask(), 0)
        command = self.assert_finds("mount", "problem", "mounted nosuid")
        world.sh("sh", "-c", command.partition(", and")[0])
        self.assert_finds("mount", "ok", "")
        self.assertEqual(self.ask(), 0)

    def test_for_members_of_a_group_only(self) -> None:
        os.chown(self.helper, 0, 4999)
        self.helper.chmod(0o4750)
        self.assertIn("usermod -aG 4999 nobody", self.assert_finds("access", "problem", "only members of the group 4999", user=NOBODY))
        self.assert_finds("version", "cannot-tell", "may not start", user=NOBODY)
        with open("/etc/group", "a") as group:
            group.write("umlguests:x:4999:nobody\n")
        command = self.assert_finds("access", "problem", "has joined the group umlguests since this session began", user=NOBODY)
        self.assertEqual(command, "log in again, or newgrp umlguests")

    def test_another_program_of_the_name(self) -> None:
        self.assert_finds("version", "ok", "speaks protocol version 4")
        self.helper = Path("/usr/bin/uml_net")  # of 2007
        self.assert_finds("version", "problem", "no uml_net of this toolkit")

    def test_the_one_that_guests_find(self) -> None:
        prefix = ("env", "PATH=/usr/bin:/bin")
        self.assert_finds("path", "warning", "finds another one first in PATH: /usr/bin/uml_net", prefix=prefix)

    def test_sessions_that_gain_no_privilege(self) -> None:
        for argv, state, words in ((("setpriv", "--no-new-privs"), "problem", "no_new_privs"),
                                   (("setpriv", "--bounding-set=-net_admin"), "problem", "CAP_NET_ADMIN is out of reach")):
            self.assert_finds("confinement", state, words, prefix=argv)

    def test_a_session_in_a_user_namespace(self) -> None:
        userns.require(os.getuid())
        self.assert_finds("confinement", "warning", "user namespace", prefix=("unshare", "-Ur"))


class WhatTheHelperOpens(DoctorCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.restore_tun)

    def restore_tun(self) -> None:
        world.TUN.unlink(missing_ok=True)
        os.mknod(world.TUN, stat.S_IFCHR | self.tun_mode, os.makedev(10, 200))
        world.TUN.chmod(self.tun_mode)

    def test_tun_closed_to_users(self) -> None:
        world.TUN.chmod(0o600)
        self.assert_finds("tun", "ok", "a set-user-ID uml_net does not mind", user=NOBODY)
        self.assertEqual(self.ask(), 0)
        self.install("filecap")
        self.assertNotEqual(self.ask(), 0)
        command = self.assert_finds("tun", "problem", "opens it as its caller", user=NOBODY)
        world.sh("sh", "-c", command.partition(";")[0])
        self.assert_finds("tun", "ok", "either installation works", user=NOBODY)
        self.assertEqual(self.ask(), 0)

    def test_tun_missing_and_something_else(self) -> None:
        world.TUN.unlink()
        self.assertNotEqual(self.ask(), 0)
        command = self.assert_finds("tun", "problem", "is not there", user=NOBODY)
        world.sh("sh", "-c", command.partition(": ")[2])
        self.assertEqual(self.ask(), 0)
        world.TUN.unlink()
        world.TUN.write_text("")
        self.mend("tun", "is not the tun driver's device")
        self.assertEqual(self.ask(), 0)

    def test_the_policy(self) -> None:
        world.POLICY.chmod(0o664)
        self.assertEqual(self.ask(), 78)
        self.mend("policy", "/etc/umlnet/policy.json is writable by group or others")
        self.assertEqual(self.ask(), 0)
        world.write_policy({**POLICY, "rulez": []})
        self.assert_finds("policy", "problem", "/etc/umlnet/policy.json:21: key \"rulez\"", user=NOBODY)
        self.assert_finds("rules", "cannot-tell", "wrong", user=NOBODY)
        world.write_policy({"version": 1, "rules": [{"name": "r", "users": [7, "ghost"], "operations": ["tuntap"]}]})
        self.assert_finds("policy", "warning", "1 rule, right, with 1 warning", user=NOBODY)
        self.assert_finds("rules", "warning", "nobody gets no device: no rule of the policy speaks of uid 65534", user=NOBODY)
        world.POLICY.chmod(0o600)
        self.assert_finds("policy", "cannot-tell", "EACCES", user=NOBODY)
        world.remove_policy()
        self.assert_finds("policy", "warning", "only root is served")

    def test_the_audit_log(self) -> None:
        def with_link() -> None:
            other = world.LOG.with_name("other")
            other.unlink(missing_ok=True)
            os.link(world.LOG, other)

        def behind_link() -> None:
            world.LOG.rename("/var/log/elsewhere")
            world.LOG.symlink_to("/var/log/elsewhere")

        def without_directory() -> None:
            shutil.rmtree(world.LOG.parent)

        cases = (
            (world.LOG.unlink, "is not there"),
            (without_directory, "the directory /var/log/umlnet of the audit log is not there"),
            (lambda: os.chown(world.LOG, NOBODY, 0), "belongs to uid 65534"),
            (lambda: world.LOG.chmod(0o666), "writable by everybody"),
            (lambda: world.LOG.chmod(0o440), "not writable by its owner"),
            (behind_link, "is a symbolic link"),
            (with_link, "has 2 names"),
        )
        # What the helper makes of each is another test's; it waits a while for a log that may be about to be rotated.
        for spoil, words in cases:
            with self.subTest(words):
                world.LOG.parent.mkdir(mode=0o755, exist_ok=True)
                world.reset_log()
                spoil()
                if words == "has 2 names":
                    self.assert_finds("audit-log", "problem", words)
                    world.LOG.with_name("other").unlink()
                else:
                    self.mend("audit-log", words)
                self.assertEqual(self.ask(), 0)

    def test_the_audit_log_of_a_helper_with_a_file_capability(self) -> None:
        self.install("filecap")
        self.assertEqual(self.ask(), 0)
        world.LOG.chmod(0o640)
        self.assertEqual(self.ask(), 78)
        self.mend("audit-log", "not writable by the group of uml_net")
        world.LOG.parent.chmod(0o700)
        self.addCleanup(world.LOG.parent.chmod, 0o755)
        self.mend("audit-log", "may not pass through /var/log/umlnet")
        self.assertEqual(self.ask(), 0)

    def test_the_count_of_refusals(self) -> None:
        world.REFUSALS.unlink()
        self.mend("refusals", "is not there: a flood of refused requests", state="warning")

    def test_a_full_and_a_read_only_file_system_under_the_audit_log(self) -> None:
        world.sh("mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(world.LOG.parent))
        self.addCleanup(world.sh, "umount", str(world.LOG.parent))
        world.reset_log()
        self.assertEqual(self.ask(), 0)
        world.sh("mount", "-o", "remount,ro", str(world.LOG.parent))
        self.assertEqual(self.ask(), 78)
        self.mend("audit-log", "is read-only")
        world.LOG.write_bytes(FILLER * (4096 // len(FILLER)))  # a whole block: what comes behind needs another
        filler = world.LOG.with_name("filler")
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True)
        self.assertEqual(self.ask(), 78)
        self.assert_finds("audit-log", "problem", "is full", user=NOBODY)
        filler.unlink()
        self.assert_finds("audit-log", "ok", "", user=NOBODY)

    def test_what_a_user_may_not_see_is_not_called_wrong(self) -> None:
        world.LOG.parent.chmod(0o700)
        self.addCleanup(world.LOG.parent.chmod, 0o755)
        self.assertEqual(self.assert_finds("audit-log", "cannot-tell", "may not look", user=NOBODY),
                         "ask as root: sudo umlnet doctor")
        self.assert_finds("audit-log", "ok", "")


class Packets(DoctorCase):
    def publish(self) -> None:
        tap = caller.tuntap_up(self.helper, user=NOBODY)
        self.addCleanup(tap.close)
        self.assertEqual(caller.framed(self.helper, "4", "add", tap.name, "10.50.0.40", "255.255.255.0", user=NOBODY).exit, 0)

    def test_forwarding_that_was_turned_off(self) -> None:
        self.assert_finds("forwarding", "ok", "uml_net turns it on for eth0", "--lan", "eth0", user=NOBODY)
        self.publish()
        self.assert_finds("forwarding", "ok", "", user=NOBODY)
        for device in ("eth0", "tap0"):
            setting = Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding")
            setting.write_text("0")
            command = self.assert_finds("forwarding", "problem", device, user=NOBODY)
            self.assertEqual(command, f"sysctl -w net.ipv4.conf.{device}.forwarding=1")
            setting.write_text("1")

    def test_forwarding_that_nobody_will_turn_on(self) -> None:
        world.write_policy({"version": 1, "rules": [{**POLICY["rules"][0], "lan": []}]})
        self.assert_finds("forwarding", "warning", "guests reach this host and nothing behind it")
        self.assert_finds("forwarding", "warning", "no rule lists eth0", "--lan", "eth0")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.assert_finds("forwarding", "ok", "forwarding is on")

    def test_a_firewall_that_drops_what_it_forwards(self) -> None:
        world.sh("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
        self.assertEqual(self.assert_finds("firewall", "cannot-tell", "only root may list", user=NOBODY),
                         "ask as root: sudo umlnet doctor")
        self.mend("firewall", "drops forwarded packets that no rule accepts")
        # As Docker has it, whose chain for the administrator comes first.
        world.sh("nft", "flush ruleset; add table ip filter; add chain ip filter DOCKER-USER; add chain ip filter FORWARD "
                 "{ type filter hook forward priority 0; policy drop; }")
        self.assertEqual(self.assert_finds("firewall", "problem", "(ip filter FORWARD)"),
                         "iptables -I DOCKER-USER -i tap+ -j ACCEPT && iptables -I DOCKER-USER -o tap+ -j ACCEPT")

    def test_a_strict_reverse_path(self) -> None:
        Path("/proc/sys/net/ipv4/conf/eth0/rp_filter").write_text("1")
        self.assertEqual(self.assert_finds("rp-filter", "warning", "strict on eth0", user=NOBODY).partition(": ")[2],
                         "sysctl -w net.ipv4.conf.eth0.rp_filter=2")
        Path("/proc/sys/net/ipv4/conf/eth0/rp_filter").write_text("2")
        self.assert_finds("rp-filter", "ok", "", user=NOBODY)

    def test_a_bridge_whose_guests_can_configure_the_host(self) -> None:
        world.write_policy({"version": 1, "rules": [{"name": "b", "users": [NOBODY], "operations": ["bridge"],
                                                     "bridges": ["br0", "br0.5"]}]})
        self.assert_finds("bridge-ra", "ok", "", user=NOBODY)
        for bridge in ("br0", "br0.5"):
            world.sh("ip", "link", "add", bridge, "type", "bridge")
            Path(f"/proc/sys/net/ipv6/conf/{bridge}/accept_ra").write_text("1")
            Path(f"/proc/sys/net/ipv6/conf/{bridge}/forwarding").write_text("0")
        self.assert_finds("bridge-ra", "warning", "from the bridge br0, br0.5", user=NOBODY)
        self.mend("bridge-ra", "router advertisements", state="warning")
        self.assertEqual(Path("/proc/sys/net/ipv6/conf/br0/accept_ra").read_text(), "0\n")

    def test_a_lan_that_is_down_or_not_there(self) -> None:
        self.assert_finds("lan", "problem", "no device wan7", "--lan", "wan7")
        world.sh("ip", "link", "set", "eth0", "down")
        self.mend("lan", "eth0 is down")
        world.sh("ip", "link", "delete", "eth0")
        self.assert_finds("lan", "warning", "lists the LAN device eth0")

    def test_leftovers(self) -> None:
        world.sh("ip", "neigh", "add", "proxy", "10.50.0.50", "dev", "eth0", "protocol", "117")
        self.mend("leftovers", "proxy entry 10.50.0.50 on eth0", state="warning")
        self.assertEqual(world.proxy_entries(), {})


class Managers(DoctorCase):
    def start(self, name: str) -> None:
        """A process of that name, which is all that the doctor goes by."""
        program = Path("/run/umlnet-test-bin") / name
        if not program.exists():
            shutil.copyfile("/bin/sleep", program)
            program.chmod(0o755)
        process = subprocess.Popen([program, "60"])
        self.addCleanup(lambda: (process.kill(), process.wait()))

    def test_network_manager(self) -> None:
        self.assert_finds("NetworkManager", "ok", "does not run")
        self.start("NetworkManager")
        shutil.rmtree(NM, ignore_errors=True)
        (NM / "conf.d").mkdir(parents=True)
        (NM / "NetworkManager.conf").write_text("[main]\nplugins=keyfile\n")
        command = self.assert_finds("NetworkManager", "warning", "nothing tells it", user=NOBODY)
        world.sh("sh", "-c", command.partition(" && ")[0])
        self.assert_finds("NetworkManager", "ok", "told to leave tap devices alone", user=NOBODY)

    def test_networkd(self) -> None:
        directory = Path("/etc/systemd/network")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.start("systemd-networkd")
        self.assert_finds("networkd", "ok", "no file of its speaks of tap devices")
        (directory / "50-all.network").write_text("[Match]\nName=*\n\n[Network]\nDHCP=yes\n")
        command = self.assert_finds("networkd", "warning", "takes over tap devices by /etc/systemd/network/50-all.network")
        world.sh("sh", "-c", command.partition(" && ")[0])
        self.assert_finds("networkd", "ok", "00-umlnet.network has it leave tap devices alone", user=NOBODY)


if __name__ == "__main__":
    unittest.main()
