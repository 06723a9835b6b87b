"""A real QEMU guest with Debian's cloud kernel, emulated: it needs no /dev/kvm."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Sequence

from tests.support import initrd
from tests.support.console import ConsoleGuest

QEMU = "/usr/bin/qemu-system-x86_64"
ROOT = Path(__file__).resolve().parents[2]
KERNEL = Path(os.environ.get("UMLNET_GUEST_KERNEL", ROOT / "build-tests" / "guest-kernel"))
# Each after those that it depends on.
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net")


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
        if not (KERNEL / "vmlinuz").is_file():
            raise FileNotFoundError(f"no kernel for the guest: tests/support/guest-kernel {KERNEL} fetches one")
        # A copy, because the guest's user need not be able to enter the project's directory.
        shutil.copyfile(KERNEL / "vmlinuz", self.directory / "vmlinuz")
        initrd.build(self.directory / "initrd", [KERNEL / "modules" / f"{module}.ko" for module in MODULES])
        return {}
