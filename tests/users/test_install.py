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
        self.assertEqual((mode(helper), helper.stat().st_uid), (0o4750, 0))
        self.assertIn("umlnet:x:", Path("/etc/group").read_text())
        self.assertNotEqual(group, 0)
        self.assertEqual((mode(world.LOG), mode(world.REFUSALS)), (0o640, 0o640))
        # What rotates the log makes it anew as it was.
        rotation = Path("/etc/logrotate.d/umlnet").read_text()
        self.assertIn(f"\n{world.LOG} {{", rotation)
        self.assertIn("\n    create 0640 root root\n", rotation)
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

    def test_into_place_with_a_file_capability(self) -> None:
        self.install()
        helper = PREFIX / "bin" / "uml_net"
        world.LOG.unlink()
        world.REFUSALS.unlink()
        script = ROOT / "uml_net" / "install-privilege.sh"
        environment = {**os.environ, "MESON_INSTALL_DESTDIR_PREFIX": str(PREFIX)}
        environment.pop("DESTDIR", None)
        subprocess.run(["sh", script, "bin/uml_net", "filecap", "umlnet", world.POLICY.parent, world.LOG,
                        world.REFUSALS], check=True,
                       capture_output=True, env=environment)
        self.assertEqual(mode(helper), 0o2755)
        self.assertIn("cap_net_admin=p", world.sh("/usr/sbin/getcap", str(helper)))
        for path in (world.LOG, world.REFUSALS):
            self.assertEqual((mode(path), path.stat().st_gid), (0o660, helper.stat().st_gid))
        self.use(helper, [])

    def test_staged_for_a_package_touches_nothing_outside(self) -> None:
        stage = PREFIX / "stage"
        groups = Path("/etc/group").read_text()
        self.install(DESTDIR=str(stage))
        self.assertEqual(mode(stage / "usr/local/bin/uml_net"), 0o4750)
        self.assertEqual(Path("/etc/group").read_text(), groups)
        self.assertTrue((stage / "etc/logrotate.d/umlnet").is_file())
        self.assertFalse(Path("/etc/logrotate.d/umlnet").exists())
        self.assertFalse(world.LOG.parent.exists())
        self.assertFalse(world.POLICY.parent.exists())


if __name__ == "__main__":
    unittest.main()
