"""A real User-Mode Linux guest."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable, Sequence

from tests.support import initrd
from tests.support.console import ConsoleGuest

LINUX = "/usr/bin/linux.uml"
PATIENCE = 15  # seconds, for what follows the guest's doing
_shim: Path | None = None


@functools.cache
def version() -> str:
    return subprocess.run([LINUX, "--version"], capture_output=True, text=True, check=True).stdout.strip()


@functools.cache
def _configuration() -> list[str]:
    """The lines of the .config that linux.uml was built from."""
    return subprocess.run([LINUX, "--showconfig"], capture_output=True, text=True, check=True).stdout.splitlines()


def has_transport(name: str) -> bool:
    """Newer kernels have lost the old transports (tuntap, ethertap) and have only vector."""
    return f"CONFIG_UML_NET_{name.upper()}=y" in _configuration()


def require_transport(name: str) -> None:
    """Skips the test that calls this where linux.uml does not have the transport."""
    if not has_transport(name):
        raise unittest.SkipTest(f"linux.uml {version()} has no {name} transport")


def soon(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _wide_xsave() -> Path | None:
    """The library that lets UML 6.1 run on this processor, where it has AMX; UMLNET_WIDE_XSAVE=1 forces it."""
    global _shim
    if "amx_tile" not in Path("/proc/cpuinfo").read_text() and os.environ.get("UMLNET_WIDE_XSAVE") != "1":
        return None
    if _shim is None:
        directory = Path(tempfile.mkdtemp(prefix="umlnet-shim-"))
        directory.chmod(0o755)
        source = Path(__file__).with_name("wide_xsave.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", directory / "wide_xsave.so", source], check=True)
        _shim = directory / "wide_xsave.so"
    return _shim


class UmlGuest(ConsoleGuest):
    """`nics` are the words of the kernel's command line (eth0=tuntap,,,10.99.0.254; vec0:transport=fd,fd=7,vec=0)."""

    def __init__(self, helper: Path | None, *nics: str, user: int | None = None, groups: Sequence[int] = (),
                 on_output: Any = None, pass_fds: Sequence[int] = (), prefix: Sequence[str] = ()) -> None:
        super().__init__(helper, user=user, groups=groups, on_output=on_output, pass_fds=pass_fds, prefix=prefix)
        self.nics = nics

    @property
    def own_command(self) -> list[str]:
        return [LINUX, "mem=64M", f"initrd={self.directory / 'initrd'}", f"uml_dir={self.directory}/", "umid=guest",
                "con=null", "con0=fd:0,fd:1", "quiet", *self.nics]

    def prepare(self) -> dict[str, str]:
        initrd.build(self.directory / "initrd")
        shim = _wide_xsave()
        return {"LD_PRELOAD": str(shim)} if shim else {}
