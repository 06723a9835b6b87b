"""Where tests run: the project at a path that everybody can enter, in an environment that is the same on every machine.

A checkout may be below a directory that only root can enter (/root), and root's environment may name such a directory
(TMPDIR), another language, or no directory of root's programs. Tests have ordinary users, who must be able to enter."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Sequence

from tests.support import world

ROOT = Path(__file__).resolve().parents[2]
MOUNT = Path("/mnt")  # exists on every system
PLACE = MOUNT / "umlnet"
MOVED = "UMLNET_MOVED"  # set in the environment of a process that runs there already
PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def everybody_can_write_in(directory: Path) -> bool:
    try:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.parents)]
    except OSError:
        return False
    return all(mode & 0o001 for mode in modes) and bool(modes[0] & 0o002)


def set_environment() -> None:
    os.umask(0o022)
    path = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join(filter(None, [*path, *(name for name in PROGRAMS if name not in path)]))
    for name in [name for name in os.environ if name == "LANGUAGE" or name.startswith("LC_")]:
        del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
    for name in ("TMPDIR", "TEMP", "TMP"):
        if name in os.environ and not everybody_can_write_in(Path(os.environ[name]).resolve()):
            del os.environ[name]


def move_to(module: str, words: Sequence[str] = ()) -> None:
    """Runs the module with the words in place of this process: in its own mount namespace, where the project is mounted
    at PLACE. Returns if that was done before. The host's mounts do not change."""
    set_environment()
    if os.environ.pop(MOVED, None):
        return
    build = ROOT / os.environ.get("UMLNET_BUILD", "build-tests")
    binds = {PLACE: ROOT}
    if build.resolve().is_relative_to(ROOT):
        os.environ["UMLNET_BUILD"] = str(build.resolve().relative_to(ROOT))
    else:
        binds[PLACE.with_name("build")] = build
        os.environ["UMLNET_BUILD"] = str(PLACE.with_name("build"))
    world.own_mounts()
    # Opened now, because MOUNT may be above them.
    sources = {target: os.open(source, os.O_PATH) for target, source in binds.items()}
    world.mount_tmpfs(MOUNT)
    for target, source in sources.items():
        target.mkdir()
        world.mount(f"/proc/self/fd/{source}", target, world.MS_BIND | world.MS_REC)
        os.close(source)
    os.chdir(PLACE)
    os.environ[MOVED] = "1"
    os.execv(sys.executable, [sys.executable, "-m", module, *words])
