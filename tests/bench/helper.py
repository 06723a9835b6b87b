"""From the request to the open device, by uml_net and by others: alone, with several callers at a time, on hosts with many
devices, with a long audit log and a long policy. Everything that guards a request is on: policy, filters, audit log."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import subprocess
from pathlib import Path
from typing import Any, Callable

from tests.bench.stopwatch import NOBODY, Contender, compiled, installed, paired, time_them
from tests.support import cli, world
from tests.support.case import HELPER

TUNSETIFF, TUNSETOWNER = 0x400454CA, 0x400454CC
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
GATE = "10.99.0.254"
CROWD = "117"  # the link group of the devices that are there already
MOST_DEVICES = 64

RULE = {"name": "bench", "users": [NOBODY], "operations": ["tuntap", "address", "bridge"],
        "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"], "bridges": ["br0"], "max_devices": MOST_DEVICES}


class Bench:
    """A host in namespaces of its own with the helper, the floor and the peers installed as an administrator does it."""

    def __init__(self) -> None:
        # QEMU's helper opens it as its caller.
        world.enter(0o666)
        Path("/etc/qemu").mkdir(exist_ok=True)
        Path("/etc/qemu/bridge.conf").write_text("allow br0\n")
        self.directory = world.test_bin()
        self.stopwatch, self.floor = (compiled(name, self.directory) for name in ("stopwatch", "floor"))
        self.qemu = installed("/usr/lib/qemu/qemu-bridge-helper", self.directory, "qemu-bridge-helper")
        self.old = installed("/usr/bin/uml_net", self.directory, "uml_net-2007")
        world.keep_rates_fresh()
        self.helpers = {how: str(world.helper_copy(HELPER, how)) for how in ("setuid", "filecap")}
        self.fresh()

    def fresh(self, rules: int = 1, log_size: int = 0) -> None:
        """A network with a bridge, a policy in which the last of `rules` is the one that grants, a log of that size."""
        world.fresh_network()
        world.sh("ip", "link", "add", "br0", "type", "bridge")
        world.sh("ip", "link", "set", "br0", "up")
        world.reset_log(0o660)
        os.truncate(world.LOG, log_size)
        world.remove_policy()
        everyone = [{**RULE, "name": f"rule-{i}", "users": [100000 + i]} for i in range(rules - 1)] + [RULE]
        drop_ins = world.POLICY.parent / "policy.d"
        drop_ins.mkdir(mode=0o755)
        for start in range(0, len(everyone), 100):
            path = drop_ins / f"{start:04}.json"
            world.write_policy({"version": 1, "rules": everyone[start:start + 100]}, path)

    def contenders(self, *names: str) -> list[Contender]:
        every = [Contender("floor", "datagram", [str(self.floor), GATE])]
        for how, helper in self.helpers.items():
            every.append(Contender(f"uml_net, {how}", "datagram", [helper, "4", "tuntap", "up", GATE]))
            every.append(Contender(f"uml_net as bridge helper, {how}", "stream",
                                   [helper, "--use-vnet", "--fd={fd}", "--br=br0"]))
        if self.old:
            every.append(Contender("uml_net of 2007", "datagram", [self.old, "4", "tuntap", "up", GATE]))
        if self.qemu:
            every.append(Contender("qemu-bridge-helper", "stream", [self.qemu, "--use-vnet", "--fd={fd}", "--br=br0"]))
        script = f"ip tuntap add dev b{{n}} mode tap && ip addr add {GATE}/32 dev b{{n}} && ip link set b{{n}} up"
        every.append(Contender("ip, from sh", "exit", ["/bin/sh", "-c", script.replace("{n}", "0")],
                               ["/sbin/ip", "link", "delete", "b0"], uid=0))
        every.append(Contender("umlnet ls", "exit", [str(cli.installed()[0]), "ls"]))
        return [one for one in every if one.name in names or (not names and one.name != "umlnet ls")]


class Crowd:
    """Devices of other users that are there already, as uml_net marks its own."""

    def __init__(self, number: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 100), max(hard, number + 100)))
        self.fds, lines = [], []
        for i in range(number):
            tun = os.open(world.TUN, os.O_RDWR)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", f"crowd{i}".encode(), IFF_TAP | IFF_NO_PI))
            fcntl.ioctl(tun, TUNSETOWNER, 200000 + i % 100)
            self.fds.append(tun)
            alias = f"uml_net uid={200000 + i % 100} id=00000000-0000-4000-8000-{i:012} since=2026-01-01T00:00:00Z tuntap"
            lines += [f"link set dev crowd{i} alias \"{alias}\"", f"link set dev crowd{i} up group {CROWD}",
                      f"addr add 10.98.{i // 250}.{i % 250 + 1}/32 dev crowd{i}"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: Any) -> None:
        # One wait of the kernel's for all of them; closing their descriptors would be one each.
        if self.fds:
            world.sh("ip", "link", "delete", "group", CROWD)
        for tun in self.fds:
            os.close(tun)


def requests(bench: Bench, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"the helper, alone: {rounds} rounds")
    bench.fresh()
    alone = time_them(bench.stopwatch, rounds, bench.contenders())
    found: dict[str, Any] = {"alone": alone, "ratios": {
        "uml_net of 2007 / uml_net, setuid": paired(alone, "uml_net of 2007", "uml_net, setuid"),
        "uml_net of 2007 / uml_net, filecap": paired(alone, "uml_net of 2007", "uml_net, filecap"),
        "qemu-bridge-helper / uml_net as bridge helper, setuid":
            paired(alone, "qemu-bridge-helper", "uml_net as bridge helper, setuid"),
        "qemu-bridge-helper / uml_net as bridge helper, filecap":
            paired(alone, "qemu-bridge-helper", "uml_net as bridge helper, filecap")}}
    some = bench.contenders("floor", "uml_net, setuid", "uml_net as bridge helper, setuid", "qemu-bridge-helper")
    for callers in (2, 4, 8):
        say(f"the helper, {callers} callers of one uid at a time: {max(rounds // 4, 5)} rounds")
        found[f"{callers} callers"] = time_them(bench.stopwatch, max(rounds // 4, 5), some, callers)
    return found


def growth(bench: Bench, rounds: int, sizes: tuple[int, ...], say: Callable[[str], None]) -> dict[str, Any]:
    some = bench.contenders("floor", "uml_net, setuid", "uml_net as bridge helper, setuid", "uml_net of 2007",
                            "qemu-bridge-helper", "umlnet ls")
    found: dict[str, Any] = {"devices": {}, "audit log": {}, "rules": {}}
    for number in sizes:
        say(f"growth: {number} devices, {rounds} rounds")
        bench.fresh()
        with Crowd(number):
            found["devices"][str(number)] = time_them(bench.stopwatch, rounds, some)
    ours = bench.contenders("floor", "uml_net, setuid")
    for name, size in (("0", 0), ("1 GiB", 1 << 30)):
        say(f"growth: audit log of {name}, {rounds} rounds")
        bench.fresh(log_size=size)
        found["audit log"][name] = time_them(bench.stopwatch, rounds, ours)
    for rules in (1, 1000):
        say(f"growth: policy of {rules} rules, {rounds} rounds")
        bench.fresh(rules=rules)
        found["rules"][str(rules)] = time_them(bench.stopwatch, rounds, ours)
    bench.fresh()
    return found


def sizes(alone: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """In bytes of machine code and read-only data, without shared libraries; and memory at its peak, with them."""
    programs = {"uml_net, setuid": HELPER, "qemu-bridge-helper": Path("/usr/lib/qemu/qemu-bridge-helper"),
                "uml_net of 2007": Path("/usr/bin/uml_net")}
    found = {}
    for name, path in programs.items():
        if not path.is_file() or name not in alone:
            continue
        text = int(world.sh("size", str(path)).splitlines()[1].split()[0])
        found[name] = {"text_bytes": text, "peak_kib": alone[name]["peak_kib"],
                       "page_faults": int(alone[name]["page_faults"])}
    return found
