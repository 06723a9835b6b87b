"""A private little host for tests: its own network, /etc, /var/log and /dev/net, all of which go with the process."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

POLICY = Path("/etc/umlnet/policy.json")
LOG = Path("/var/log/umlnet/audit.jsonl")
REFUSALS = LOG.with_suffix(".refusals")
COUNTERS = 8192  # bytes of it: half of refusals, half of changes
TUN = Path("/dev/net/tun")
PATIENCE = 10  # seconds
NOBODY = 65534
ETH_P_ALL, PACKET_OUTGOING = 3, 4

_libc = ctypes.CDLL(None, use_errno=True)


def sh(*argv: str, check: bool = True) -> str:
    """Runs a command and returns its output; says what it said where it fails."""
    done = subprocess.run(argv, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ip_batch(*commands: str, options: Sequence[str] = ()) -> str:
    """Several commands of ip(8) in one process, which a machine starts sooner than several. Returns their output."""
    done = subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(commands), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(options)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare({flags:#x}): {os.strerror(number)} (the tests need root)")


def mount(source: str | None, target: Path | str, flags: int) -> None:
    if _libc.mount(source.encode() if source else None, os.fsencode(target), None, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount {source or 'with other flags'}: {os.strerror(number)}", str(target))


def own_mounts() -> None:
    """Moves this process into a mount namespace of its own. What it mounts there, the host does not see."""
    _unshare(CLONE_NEWNS)
    mount(None, "/", MS_REC | MS_PRIVATE)


def mount_tmpfs(path: Path, mode: str = "0755") -> None:
    path.mkdir(parents=True, exist_ok=True)
    sh("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", str(path))


def is_system_account(number: str) -> bool:
    """By user or group id: below 1000, or nobody and nogroup."""
    return number.isdigit() and (int(number) < 1000 or int(number) == NOBODY)


def remove_ordinary_accounts(etc: Path) -> None:
    """Leaves the system's users and groups in these account files, and nothing outside the files to look accounts up in."""
    def rewrite(name: str, keep: Callable[[list[str]], list[str] | None]) -> None:
        path = etc / name
        if path.is_file():
            lines = [keep(line.split(":")) for line in path.read_text(errors="surrogateescape").splitlines()]
            # In place, for owner and mode stay.
            path.write_text("".join(":".join(fields) + "\n" for fields in lines if fields is not None), errors="surrogateescape")

    users: set[str] = set()
    groups: set[str] = set()

    def keep_numbered(names: set[str]) -> Callable[[list[str]], list[str] | None]:
        def keep(fields: list[str]) -> list[str] | None:
            if len(fields) < 3 or not is_system_account(fields[2]):
                return None
            names.add(fields[0])
            return fields
        return keep

    rewrite("passwd", keep_numbered(users))
    rewrite("group", keep_numbered(groups))
    rewrite("shadow", lambda fields: fields if fields[0] in users else None)
    for name in ("subuid", "subgid"):
        rewrite(name, lambda fields: fields if fields[0] in users else None)
    # Each of these ends in a list of members.
    rewrite("group", lambda fields: [*fields[:3], ",".join(name for name in fields[-1].split(",") if name in users)])
    rewrite("gshadow", lambda fields: [*fields[:3], ",".join(name for name in fields[-1].split(",") if name in users)]
            if fields[0] in groups else None)
    databases = ("passwd", "group", "shadow", "gshadow", "initgroups", "subid")
    switch = etc / "nsswitch.conf"
    others = switch.read_text().splitlines() if switch.is_file() else []
    kept = [line for line in others if line.partition(":")[0].strip() not in databases]
    switch.write_text("\n".join([*kept, *(f"{name}: files" for name in ("passwd", "group", "shadow", "gshadow"))]) + "\n")
    switch.chmod(0o644)
    if Path("/run/nscd").is_dir():  # with the socket of a daemon that would answer from the host's files
        mount_tmpfs(Path("/run/nscd"))


def enter(tun_mode: int = 0o600) -> None:
    """Moves this process, for good, into a mount namespace in which tests can write what they like.

    /etc is a copy, so that the helper finds a chain of root's directories above its policy, whatever the machine has
    installed there. It has no ordinary users or groups, so that tests can add theirs. /dev/net/tun is a device node with the
    wanted mode: machines differ in it, tests must not.
    """
    if not TUN.exists():
        raise RuntimeError("no /dev/net/tun here: load the tun module")
    own_mounts()
    with tempfile.TemporaryDirectory() as staging:
        mount_tmpfs(Path(staging))
        sh("cp", "-a", "/etc/.", staging)
        sh("mount", "--move", staging, "/etc")
    remove_ordinary_accounts(Path("/etc"))
    shutil.rmtree("/etc/umlnet", ignore_errors=True)
    POLICY.parent.mkdir(mode=0o755)
    mount_tmpfs(Path("/var/log"))
    LOG.parent.mkdir(mode=0o750)
    mount_tmpfs(Path("/run/netns"))
    mount_tmpfs(TUN.parent)
    os.mknod(TUN, stat.S_IFCHR | tun_mode, os.makedev(10, 200))
    os.chmod(TUN, tun_mode)
    reset_log()


def fresh_network() -> None:
    """An empty network for this process, with the loopback up. The one before goes with its last user."""
    _unshare(CLONE_NEWNET)
    sh("ip", "link", "set", "lo", "up")


def write_policy(policy: Any, path: Path = POLICY) -> Path:
    """A dict is written as JSON; a string as it is."""
    path.write_text(policy if isinstance(policy, str) else json.dumps(policy, indent=2) + "\n")
    path.chmod(0o644)
    return path


def remove_policy() -> None:
    """Leaves an empty directory of root's, whatever a test made of it."""
    shutil.rmtree(POLICY.parent)
    POLICY.parent.mkdir(mode=0o755)


def touch_log(path: Path, mode: int = 0o600, group: int = 0) -> None:
    path.touch()
    os.chown(path, 0, group)
    path.chmod(mode)


def reset_log(mode: int = 0o600, group: int = 0) -> None:
    """The log and the count of refusals, empty, in a directory for them and their group, as an installation makes them."""
    os.chown(LOG.parent, 0, group)
    for path in (LOG, REFUSALS):
        path.unlink(missing_ok=True)
        touch_log(path, mode, group)
    for old in LOG.parent.glob(LOG.name + ".*"):
        old.unlink()


def keep_rates_fresh() -> None:
    """For measurements: from here on, what users have used up of their rate of changes is forgotten all the time."""
    def forget() -> None:
        while True:
            time.sleep(0.1)
            if REFUSALS.exists() and REFUSALS.stat().st_size == COUNTERS:
                with REFUSALS.open("r+b", buffering=0) as file:
                    file.seek(COUNTERS // 2)
                    file.write(bytes(COUNTERS // 2))

    threading.Thread(target=forget, daemon=True).start()


def audit_lines() -> list[dict[str, Any]]:
    """The log, line by line; a line that is no JSON object fails the test that asks."""
    text = LOG.read_text()
    assert text == "" or text.endswith("\n"), "the audit log ends in the middle of a line"
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def links() -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in json.loads(sh("ip", "-j", "-d", "link"))}


def setting(device: str, name: str) -> int:
    return int(Path(f"/proc/sys/net/ipv4/conf/{device}/{name}").read_text())


def published(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Neighbours, as ip(8) tells of them, as {"10.50.0.7 eth0": protocol}."""
    return {f"{entry['dst']} {entry['dev']}": str(entry.get("protocol", "")) for entry in entries}


def proxy_entries() -> dict[str, str]:
    return published(json.loads(sh("ip", "-j", "neigh", "show", "proxy") or "[]"))


def routes(table: str = "main") -> list[str]:
    return sorted(line.strip() for line in sh("ip", "-4", "route", "show", "table", table).splitlines())


def snapshot() -> dict[str, Any]:
    """All that the helper could change, for comparing before with after. What the kernel makes up (MAC addresses,
    indexes, IPv6 link-local addresses) is left out."""
    # In one process, for tests look very often.
    shown = ip_batch("link show", "addr show", "neigh show proxy", options=("-j", "-d"))
    found_links, addresses, proxies = map(json.loads, shown.splitlines())
    state: dict[str, Any] = {"links": {}, "addresses": {}, "settings": {}}
    for link in found_links:
        name = link["ifname"]
        state["links"][name] = (
            "UP" in link["flags"],
            link["mtu"],
            link.get("ifalias", ""),
            link.get("linkinfo", {}).get("info_kind", ""),
        )
        try:
            state["settings"][name] = (setting(name, "forwarding"), setting(name, "proxy_arp"))
        except FileNotFoundError:
            if name in links():
                raise
            return snapshot()  # the device went meanwhile
    for device in addresses:
        if of_ipv4 := [info for info in device["addr_info"] if info["family"] == "inet"]:
            state["addresses"][device["ifname"]] = sorted(f"{info['local']}/{info['prefixlen']}" for info in of_ipv4)
    state["settings"]["all"] = (setting("all", "forwarding"), setting("all", "proxy_arp"))
    state["routes"] = routes("all")
    state["proxy"] = published(proxies)
    return state


def wait_for_carrier(device: str) -> None:
    """For the kernel takes notice of one a moment later, and says so in routes: a test that compares before with after
    would take that for the helper's doing."""
    deadline = time.monotonic() + PATIENCE
    while "NO-CARRIER" in sh("ip", "link", "show", device) or "linkdown" in sh("ip", "route", "show", "table", "all", "dev", device):
        assert time.monotonic() < deadline, f"{device} has no carrier"
        time.sleep(0.01)


class Lan:
    """A wire from here to a second host, which has a network of its own."""

    def __init__(self, name: str, address: str, peer_address: str) -> None:
        self.namespace = f"umlnet-{os.getpid()}-{name}"
        sh("ip", "netns", "add", self.namespace)
        ip_batch(f"link add {name} type veth peer name eth0 netns {self.namespace}", f"addr add {address} dev {name}",
                 f"link set {name} up")
        ip_batch(f"addr add {peer_address} dev eth0", "link set eth0 up", "link set lo up", options=("-n", self.namespace))
        wait_for_carrier(name)

    def run(self, *argv: str, check: bool = True) -> str:
        return sh("ip", "netns", "exec", self.namespace, *argv, check=check)

    def ping(self, address: str, size: int = 56) -> bool:
        return ping(address, size, prefix=("ip", "netns", "exec", self.namespace))

    def close(self) -> None:
        sh("ip", "netns", "delete", self.namespace, check=False)


def lan(name: str = "eth0", address: str = "10.50.0.1/24", peer_address: str = "10.50.0.2/24") -> Lan:
    return Lan(name, address, peer_address)


def ping(address: str, size: int = 56, prefix: tuple[str, ...] = ()) -> bool:
    """True where an answer comes within a few tries."""
    argv = [*prefix, "ping", "-c", "1", "-W", "2", "-s", str(size), address]
    return any(subprocess.run(argv, capture_output=True).returncode == 0 for _ in range(3))


def listener(device: str) -> socket.socket:
    """Takes every frame of the device. One of a single EtherType would come behind the filter of guests' frames, which
    drops test frames."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, ETH_P_ALL))
    wire.settimeout(PATIENCE)
    return wire


def heard(wire: socket.socket, kind: bytes) -> bytes:
    """The next frame of that EtherType from the other end."""
    while True:
        frame, sender = wire.recvfrom(65536)
        if frame[12:14] == kind and sender[2] != PACKET_OUTGOING:
            return frame


def test_bin() -> Path:
    """A directory that everybody may enter, for programs as an administrator installs them."""
    directory = Path("/run/umlnet-test-bin")
    if not os.path.ismount(directory):
        mount_tmpfs(directory)
    return directory


def copy_program(source: Path, target: Path) -> Path:
    """So that everybody can run it, whatever root's umask was when it was built."""
    target.unlink(missing_ok=True)  # a process of the one before may still be ending
    shutil.copyfile(source, target)
    target.chmod(0o755)
    return target


def helper_copy(binary: Path, how: str, group: int = 0) -> Path:
    """The helper as an administrator installs it: `setuid` (4755 root) or `filecap` (2755 and cap_net_admin=p)."""
    copy = test_bin() / how / "uml_net"
    copy.parent.mkdir(exist_ok=True)
    copy.parent.chmod(0o755)
    copy.unlink(missing_ok=True)  # a process of the one before may still be ending
    shutil.copyfile(binary, copy)
    os.chown(copy, 0, group)
    if how == "setuid":
        copy.chmod(0o4755)
    elif how == "filecap":
        copy.chmod(0o2755)
        sh("setcap", "cap_net_admin=p", str(copy))
    else:
        copy.chmod(0o755)
    return copy
