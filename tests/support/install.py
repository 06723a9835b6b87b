"""What every test of `meson install` starts from: an empty /usr/local, and no policy or audit log directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support import world
from tests.support.case import HELPER, HostCase

BUILD = HELPER.parents[1]
PREFIX = Path("/usr/local")


class InstallCase(HostCase):
    def setUp(self) -> None:
        super().setUp()
        world.LOG.unlink()
        world.REFUSALS.unlink()
        world.LOG.parent.rmdir()
        world.POLICY.parent.rmdir()
        Path("/etc/logrotate.d/umlnet").unlink(missing_ok=True)
        world.sh("mount", "-t", "tmpfs", "tmpfs", str(PREFIX))
        self.addCleanup(self.restore)

    def restore(self) -> None:
        world.sh("umount", str(PREFIX))
        for path in (world.LOG.parent, world.POLICY.parent):
            path.mkdir(mode=0o755, exist_ok=True)

    def install(self, **environment: str) -> None:
        done = subprocess.run(["/usr/bin/meson", "install", "-C", str(BUILD), "--no-rebuild"],
                              capture_output=True, text=True, env={**os.environ, **environment})
        self.assertEqual(done.returncode, 0, done)
