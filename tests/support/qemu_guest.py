"""A real QEMU guest with Debian's cloud kernel, emulated: it needs no /dev/kvm."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Sequence

from tests.support import guest_modules, initrd
from tests.support.console import ConsoleGuest

QEMU = "/usr/bin/qemu-system-x86_64"
ROOT = Path(__file__).resolve().parents[2]
KERNEL = Path(os.environ.get("UMLNET_GUEST_KERNEL", ROOT / "build-tests" / "guest-kernel"))


class QemuGuest(ConsoleGuest):
    """`words` are QEMU's own ("-netdev", "tap,id=n0,fd=7", "-device", "virtio-net-pci,netdev=n0"); it has no network
    interface but these. In the guest they are eth0, eth1..."""

    halt_command = "poweroff -f"

    def __init__(self, *words: str, helper: Path | None = None, user: int | None = None, groups: Sequence[int] = (),
                 on_output: Any = None, pass_fds: Sequence[int] = (), prefix: Sequence[str] = ()) -> None:
        super().__init__(helper, user=user, groups=groups, on_output=on_output, pass_fds=pass_fds, prefix=prefix)
        self.words = words

    @property
    def own_command(self) -> list[str]:
        return [QEMU, "-accel", "tcg", "-cpu", "max", "-m", "128", "-nodefaults", "-nographic", "-no-reboot",
                "-serial", "stdio", "-kernel", str(self.directory / "vmlinuz"), "-initrd",
                str(self.directory / "initrd"), "-append", "console=ttyS0 quiet panic=-1",
                "-global", "virtio-net-pci.romfile=", *self.words]

    def prepare(self) -> dict[str, str]:
        try:
            guest_modules.check(KERNEL)
        except guest_modules.Unusable as error:
            raise FileNotFoundError(f"{error}; tests/support/guest-kernel {KERNEL} fetches a kernel") from None
        # A copy, because the guest's user need not be able to enter the project's directory.
        shutil.copyfile(KERNEL / "vmlinuz", self.directory / "vmlinuz")
        initrd.build(self.directory / "initrd", guest_modules.modules_in(KERNEL))
        return {}
