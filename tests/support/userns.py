"""User namespaces, which not every machine lets users make."""

from __future__ import annotations

import functools
import subprocess
import unittest

from tests.support.world import NOBODY

# A mount shows that the capabilities in the new namespace are real: AppArmor may take them away.
TRIAL = ("/usr/bin/unshare", "--user", "--map-root-user", "--mount", "--net", "/usr/bin/mount", "-t", "tmpfs", "none", "/mnt")


@functools.cache
def can_be_made_by(user: int) -> bool:
    return subprocess.run(TRIAL, user=user, group=user, extra_groups=[], cwd="/", capture_output=True).returncode == 0


def require(user: int = NOBODY) -> None:
    """Skips the test that calls this where the user cannot make a user namespace."""
    if not can_be_made_by(user):
        raise unittest.SkipTest(f"this machine does not let uid {user} make a user namespace: it is a chroot, or "
                                "user.max_user_namespaces, kernel.unprivileged_userns_clone or AppArmor forbids it")
