"""The guest's whole system: busybox and an init that turns the console into a command line for the test."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Sequence

BUSYBOX = Path("/bin/busybox")

# The markers are put together at run time, so that the console's echo of a command never looks like its end.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in /modules/*; do
  [ ! -e "$module" ] || insmod "$module"
done
ip link set lo up
stty -echo
mark='=='
echo "${mark}ready${mark}"
while IFS= read -r line; do
  eval "$line" 2>&1
  echo "${mark}done:$?${mark}"
done
halt -f
"""


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One file of a newc cpio archive (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst)."""
    path = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    head = header + path
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def build(target: Path, modules: Sequence[Path] = ()) -> Path:
    """The kernel modules are loaded in the order given."""
    directories = [_entry(name, 0o040755) for name in ("bin", "dev", "modules", "proc", "sys", "tmp")]
    files = [
        _entry("dev/console", 0o020600, device=(5, 1)),
        _entry("bin/busybox", 0o100755, BUSYBOX.read_bytes()),
        _entry("init", 0o100755, INIT.encode()),
        *(_entry(f"modules/{number:02}-{module.name}", 0o100644, module.read_bytes())
          for number, module in enumerate(modules)),
    ]
    archive = b"".join(directories + files) + _entry("TRAILER!!!", 0)
    target.write_bytes(gzip.compress(archive, compresslevel=1))
    return target
