"""The AppArmor profile and the example of a service: their own programs find nothing wrong with them, and they leave uml_net
what it needs."""

import fnmatch
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.support import world
from tests.support.case import HELPER, HostCase

PROFILE, SERVICE = HELPER.parent / "apparmor", HELPER.parent / "guest@.service"
# Each of them sets no_new_privs for a service with User= (systemd.exec(5), NoNewPrivileges=).
TAKE_THE_PRIVILEGE = ("NoNewPrivileges", "SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies", "RestrictNamespaces",
                      "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock",
                      "ProtectHostname", "MemoryDenyWriteExecute", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
                      "DynamicUser")


class Profile(HostCase):
    def test_it_is_one(self) -> None:
        done = subprocess.run(["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--skip-read-cache", PROFILE],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertNotIn("error", done.stderr.lower())

    def rules(self) -> list[tuple[str, str]]:
        text = PROFILE.read_text().replace("@{PROC}", "/proc").replace("@{pid}", "*")
        return re.findall(r"^  (/\S+) (\w+),$", text, re.MULTILINE)

    def test_it_lets_the_helper_open_what_it_opens(self) -> None:
        rules = self.rules()
        (world.POLICY.parent / "policy.d").mkdir()
        world.write_policy({"version": 1, "rules": []}, world.POLICY.parent / "policy.d" / "10-one.json")
        world.write_policy({"version": 1, "audit": {"journald": True}, "rules": []})
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "strace"
            ours = subprocess.run(["strace", "-f", "-y", "-e", "trace=openat,openat2,connect", "-o", log, HELPER, "gc"], capture_output=True)
            self.assertEqual(ours.returncode, 0, ours)
            opened = [line for line in log.read_text().splitlines() if re.search(r"= \d+<", line) and "O_PATH" not in line]
        self.assertGreater(len(opened), 5)
        for line in opened:
            found = re.search(r"= \d+<([^>]+)>", line)
            assert found
            place = found[1] + ("/" if Path(found[1]).is_dir() else "")
            wanted = set("rw" if "O_RDWR" in line else "w" if "O_WRONLY" in line else "r")
            if place.startswith("/proc/") and place.split("/")[2].isdigit():
                place = "/proc/1/" + place.split("/", 3)[3]
            self.assertTrue(any(fnmatch.fnmatchcase(place, rule) and wanted <= set(mode) for rule, mode in rules), line)

    def test_it_lets_the_helper_lock_what_it_locks(self) -> None:
        helper = world.helper_copy(HELPER, "setuid")
        for has_counters in (True, False):
            if not has_counters:
                world.REFUSALS.unlink()
            with tempfile.TemporaryDirectory() as directory:
                log = Path(directory) / "strace"
                subprocess.run(["strace", "-f", "-u", "nobody", "-y", "-e", "trace=fcntl", "-o", log, helper, "4", "add", "tap7", "10.50.0.7", "255.255.255.0"],
                               capture_output=True)
                locked = set(re.findall(r"fcntl\(\d+<([^>]+)>, F_OFD_SETLK", log.read_text()))
            self.assertEqual(locked, {str(world.REFUSALS if has_counters else world.LOG)})
            for place in locked:
                self.assertTrue(any(rule == place and "k" in mode for rule, mode in self.rules()), place)


class Service(unittest.TestCase):
    def test_it_is_one(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            unit = Path(directory) / "guest@one.service"
            # Its user and program are not here.
            unit.write_text(re.sub(r"(?m)^User=.*$", "User=daemon", SERVICE.read_text().replace(
                re.search(r"ExecStart=(\S+)", SERVICE.read_text())[1], "/bin/true")))  # type: ignore[index]
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
            self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "guest@" in line]), (0, []), done)
            done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=75", unit], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_nothing_in_it_takes_the_helpers_privilege(self) -> None:
        keys = re.findall(r"(?m)^(\w+)=", SERVICE.read_text())
        self.assertIn("CapabilityBoundingSet", keys)
        self.assertEqual(set(keys) & set(TAKE_THE_PRIVILEGE), set())


if __name__ == "__main__":
    unittest.main()
