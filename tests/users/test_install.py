"""`meson install`, as an administrator runs it: into place, and staged for a package."""

import os
import stat
import subprocess
import unittest
from pathlib import Path

from tests.support import caller, world
from tests.support.case import ROOT
from tests.support.install import PREFIX, InstallCase

NOBODY = 65534
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY], "operations": ["tuntap"], "gateways": ["10.0.0.0/8"]}]}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Install(InstallCase):
    tun_mode = 0o666

    def use(self, helper: Path, groups: list[int]) -> None:
        before = world.snapshot()
        self.assert_refused(caller.tuntap_up(helper, "10.99.0.254", user=NOBODY, groups=groups), 77, "there is no policy")
        world.write_policy(POLICY)
        with caller.tuntap_up(helper, "10.99.0.254", user=NOBODY, groups=groups) as reply:
            self.assertEqual(reply.exit, 0, reply)
        self.assertEqual(world.snapshot(), before)

    def test_into_place_set_user_id(self) -> None:
        self.install()
        helper = PREFIX / "bin" / "uml_net"
        group = helper.stat().st_gid
        self.assertEqual((mode(helper), helper.stat().st_uid), (0o4754, 0))
        self.assertIn("umlnet:x:", Path("/etc/group").read_text())
        self.assertNotEqual(group, 0)
        self.assert_log_is_nobodys(0o640)
        # What rotates the log makes it anew as it was.
        rotation = Path("/etc/logrotate.d/umlnet").read_text()
        self.assertIn(f"\n{world.LOG} {{", rotation)
        self.assertIn("\n    create 0640 root umlnet-log\n", rotation)
        self.use(helper, [group])
        with self.assertRaises(PermissionError):
            caller.tuntap_up(helper, user=NOBODY)  # not a member of the group
        for name in ("man/man8/uml_net.8", "man/man5/umlnet-policy.5", "man/man5/umlnet-audit.5",
                     "man/man3/libumlnet.3", "umlnet/policy.schema.json", "umlnet/audit.schema.json", "doc/umlnet/examples/policy.json",
                     "doc/umlnet/examples/answer.c", "doc/umlnet/examples/answer.cc", "doc/umlnet/examples/two_guests.c",
                     "doc/umlnet/examples/guest.h", "man/man1/umlnet.1", "bash-completion/completions/umlnet",
                     "zsh/site-functions/_umlnet", "fish/vendor_completions.d/umlnet.fish"):
            self.assertTrue((PREFIX / "share" / name).is_file(), name)

    def test_the_command_finds_library_helper_and_pump_where_they_were_installed(self) -> None:
        self.install()
        world.write_policy(POLICY)
        group = (PREFIX / "bin" / "uml_net").stat().st_gid
        for kind in ("tap", "stream"):
            done = subprocess.run([PREFIX / "bin" / "umlnet", "run", "-g", "10.99.0.254", "--as", kind, "echo", "{dev}"],
                                  capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[group], env={})
            self.assertEqual((done.returncode, done.stdout), (0, "tap0\n"), done)

    def test_again_leaves_policy_and_log_alone(self) -> None:
        self.install()
        world.write_policy(POLICY)
        world.LOG.write_text('{"filler":true}\n')
        self.install()
        self.assertEqual(world.LOG.read_text(), '{"filler":true}\n')
        self.assertIn("guests", world.POLICY.read_text())

    def assert_log_is_nobodys(self, log_mode: int) -> None:
        """Its group is one without members, and a user who may run the helper cannot open it."""
        (group,) = [line.split(":") for line in Path("/etc/group").read_text().splitlines() if line.startswith("umlnet-log:")]
        self.assertEqual(group[3], "")
        members = next(int(line.split(":")[2]) for line in Path("/etc/group").read_text().splitlines() if line.startswith("umlnet:"))
        self.assertEqual((mode(world.LOG.parent), world.LOG.parent.stat().st_gid), (0o750, int(group[2])))
        for path in (world.LOG, world.REFUSALS):
            status = path.stat()
            self.assertEqual((mode(path), status.st_uid, status.st_gid), (log_mode, 0, int(group[2])))
            for how in (">>", ">"):
                done = subprocess.run(["/bin/sh", "-c", f"echo '{{}}' {how}{path}"], user=NOBODY, group=NOBODY, extra_groups=[members],
                                      capture_output=True, text=True)
                self.assertIn("Permission denied", done.stderr)

    def test_again_takes_an_earlier_log_away_from_a_group_with_members(self) -> None:
        self.install()
        members = (PREFIX / "bin" / "uml_net").stat().st_gid
        rotated = Path(f"{world.LOG}.1")
        self.addCleanup(rotated.unlink)
        rotated.write_text("")
        os.chown(world.LOG.parent, 0, members)
        for path in (world.LOG, world.REFUSALS, rotated):
            os.chown(path, 0, members)
            path.chmod(0o660)
        world.LOG.write_text('{"filler":true}\n')
        self.install()
        self.assert_log_is_nobodys(0o640)
        self.assertEqual((mode(rotated), rotated.stat().st_gid), (0o640, world.LOG.stat().st_gid))
        self.assertEqual(world.LOG.read_text(), '{"filler":true}\n')

    def test_into_place_with_a_file_capability(self) -> None:
        self.install()
        helper = PREFIX / "bin" / "uml_net"
        group = helper.stat().st_gid
        world.LOG.unlink()
        world.REFUSALS.unlink()
        script = ROOT / "uml_net" / "install-privilege.sh"
        environment = {**os.environ, "MESON_INSTALL_DESTDIR_PREFIX": str(PREFIX)}
        environment.pop("DESTDIR", None)
        subprocess.run(["sh", script, "bin/uml_net", "filecap", "umlnet", world.POLICY.parent, world.LOG,
                        world.REFUSALS], check=True,
                       capture_output=True, env=environment)
        self.assertEqual(mode(helper), 0o2754)
        self.assertIn("cap_net_admin=p", world.sh("/usr/sbin/getcap", str(helper)))
        self.assert_log_is_nobodys(0o660)
        self.assertEqual(helper.stat().st_gid, world.LOG.stat().st_gid)
        self.use(helper, [group])
        # Others may read it and not run it.
        with self.assertRaises(PermissionError):
            caller.tuntap_up(helper, user=NOBODY)
        read = subprocess.run(["head", "-c4", helper], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
        self.assertEqual(read.stdout, b"\x7fELF")

    def test_a_directory_that_others_use_keeps_its_mode(self) -> None:
        self.install()
        shared = world.LOG.parent / "shared"
        self.addCleanup(world.sh, "rm", "-r", str(shared))
        shared.mkdir(mode=0o755)
        (shared / "others").touch()
        subprocess.run(["sh", ROOT / "uml_net" / "install-privilege.sh", "bin/uml_net", "setuid", "umlnet", world.POLICY.parent,
                        shared / "audit.jsonl", shared / "audit.refusals"], check=True, capture_output=True,
                       env={**os.environ, "MESON_INSTALL_DESTDIR_PREFIX": str(PREFIX)})
        self.assertEqual((mode(shared), shared.stat().st_gid, mode(shared / "audit.jsonl")), (0o755, 0, 0o640))

    def test_staged_for_a_package_touches_nothing_outside(self) -> None:
        stage = PREFIX / "stage"
        groups = Path("/etc/group").read_text()
        self.install(DESTDIR=str(stage))
        self.assertEqual(mode(stage / "usr/local/bin/uml_net"), 0o4754)
        self.assertEqual(Path("/etc/group").read_text(), groups)
        self.assertTrue((stage / "etc/logrotate.d/umlnet").is_file())
        self.assertFalse(Path("/etc/logrotate.d/umlnet").exists())
        self.assertFalse(world.LOG.parent.exists())
        self.assertFalse(world.POLICY.parent.exists())


if __name__ == "__main__":
    unittest.main()
