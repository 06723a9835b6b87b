"""The kernel for guests of QEMU, as tests/support/guest-kernel keeps it in a directory: vmlinuz, modules/ with the modules
that a guest loads, in the order of their names, and kernel.json.

  /usr/bin/python3 -m tests.support.guest_modules take UNPACKED DIRECTORY   from unpacked kernel packages
  /usr/bin/python3 -m tests.support.guest_modules check DIRECTORY           exit status 1, and a reason, if it cannot be used
"""

from __future__ import annotations

import gzip
import json
import lzma
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

WANTED = ("virtio_pci", "virtio_net")
RECORD = "kernel.json"
SUFFIXES = ("", ".xz", ".zst", ".gz")


class Unusable(Exception):
    """What is wrong with a kernel."""


def distribution() -> str:
    system = platform.freedesktop_os_release()
    return f"{system['ID']} {system.get('VERSION_CODENAME', '')}".strip()


def release_of(vmlinuz: Path) -> str:
    """The release in the header of an x86 kernel (Documentation/arch/x86/boot.rst: header, kernel_version)."""
    with vmlinuz.open("rb") as file:
        start = file.read(0x10000)
    if start[0x202:0x206] != b"HdrS":
        raise Unusable(f"{vmlinuz} is not an x86 kernel")
    offset = int.from_bytes(start[0x20E:0x210], "little") + 0x200
    return start[offset:].split(b"\0")[0].split()[0].decode()


def modinfo(module: bytes, key: str) -> str:
    """A field of the .modinfo section: strings of the form key=value, each of which ends with a zero byte."""
    match = re.search(rb"(?:^|\0)" + key.encode() + rb"=([^\0]*)\0", module)
    return match[1].decode() if match else ""


def decompressed(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        if not shutil.which("zstd"):
            raise Unusable(f"{path.name} needs zstd: apt-get install zstd")
        return subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


@dataclass
class ModuleTree:
    """lib/modules/RELEASE. The packages have no modules.dep, which depmod makes: each module names what it needs."""

    directory: Path
    files: dict[str, Path] = field(default_factory=dict)
    builtin: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in self.directory.rglob("*.ko*"):
            name, _, suffix = path.name.partition(".ko")
            if suffix in SUFFIXES:
                self.files[name.replace("-", "_")] = path
        if (record := self.directory / "modules.builtin").is_file():
            self.builtin = {Path(line).name.removesuffix(".ko").replace("-", "_") for line in record.read_text().split()}

    def load_order(self, wanted: tuple[str, ...]) -> dict[str, bytes]:
        """The modules to load for those wanted, each after the modules that it depends on."""
        order: dict[str, bytes] = {}

        def add(name: str) -> None:
            if name in order or name in self.builtin:
                return
            if name not in self.files:
                raise Unusable(f"the kernel {self.directory.name} has no module {name}, and it is not built in")
            module = decompressed(self.files[name])
            for needed in filter(None, modinfo(module, "depends").split(",")):
                add(needed.replace("-", "_"))
            order[name] = module

        for name in wanted:
            add(name)
        return order


def only(what: str, paths: list[Path]) -> Path:
    if len(paths) != 1:
        raise Unusable(f"expected one of {what} in the kernel packages, found {len(paths)}: {', '.join(map(str, paths))}")
    return paths[0]


def take(unpacked: Path, directory: Path) -> None:
    # Debian 14 has the kernel beside its modules.
    vmlinuz = only("kernels", [*unpacked.glob("boot/vmlinuz-*"), *unpacked.glob("usr/lib/modules/*/vmlinuz")])
    release = release_of(vmlinuz)
    trees = [path for path in (unpacked / "lib/modules" / release, unpacked / "usr/lib/modules" / release) if path.is_dir()]
    tree = ModuleTree(only(f"directories of modules for {release}", trees))
    modules = tree.load_order(WANTED)
    (directory / "modules").mkdir(parents=True)
    directory.chmod(0o755)
    shutil.copyfile(vmlinuz, directory / "vmlinuz")
    for number, (name, content) in enumerate(modules.items()):
        (directory / "modules" / f"{number:02}-{name}.ko").write_bytes(content)
    record = {"distribution": distribution(), "release": release, "modules": list(modules)}
    (directory / RECORD).write_text(json.dumps(record) + "\n")


def modules_in(directory: Path) -> list[Path]:
    """In the order in which they are loaded."""
    return sorted((directory / "modules").glob("*.ko"))


def check(directory: Path) -> None:
    """Raises Unusable unless the directory has a whole kernel of this system's release."""
    try:
        record = json.loads((directory / RECORD).read_text())
        release = release_of(directory / "vmlinuz")
    except (OSError, ValueError) as error:
        raise Unusable(f"{directory} has no whole kernel: {error}") from None
    if record.get("distribution") != distribution():
        raise Unusable(f"the kernel in {directory} is of {record.get('distribution')}, and this is {distribution()}")
    modules = modules_in(directory)
    if record.get("release") != release or record.get("modules") != [path.stem.partition("-")[2] for path in modules]:
        raise Unusable(f"{directory} has files of another kernel than {RECORD} says")
    for path in modules:
        if modinfo(path.read_bytes(), "vermagic").split()[:1] != [release]:
            raise Unusable(f"{path} is not a module of {release}")


def main() -> int:
    match sys.argv[1:]:
        case ["take", unpacked, directory]:
            try:
                take(Path(unpacked), Path(directory))
            except Unusable as error:
                print(f"guest-kernel: {error}", file=sys.stderr)
                return 1
        case ["check", directory]:
            try:
                check(Path(directory))
            except Unusable as error:
                print(error)
                return 1
        case _:
            print(__doc__, file=sys.stderr)
            return 64
    return 0


if __name__ == "__main__":
    sys.exit(main())
