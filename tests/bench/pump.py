"""What a way between two network namespaces carries: TCP, 64-byte frames, ping-pong, and what it costs in CPU time.

Beside libumlnet's pump and uml_net's ethertap relay stand the kernel's own bridge, other programs, and the loop that
one writes first (naive_relay.c). They take turns in one run: the machine's moods then meet all of them, and what counts
is the ratio of two in the same turn. Everything happens in network namespaces of its own.

    python3 -m tests.bench.pump [--rounds N] [--seconds S] [--json FILE] [WORD...]

As root, of a tree that was built (tests/support/build build). WORDs choose the joints whose names hold one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator

from tests.support import pump as umlnet
from tests.support import world
from tests.support.case import HELPER
from tests.support.ethertap import ADD, Session
from tests.support.guest import UmlGuest, has_transport, version

HERE = Path(__file__).parent
LEFT, RIGHT = "10.88.0.1", "10.88.0.2"
PORT = 5001
SMALLEST = 18  # bytes of UDP payload in a frame of 64 bytes, of which its check sequence is 4
PINGS = 4000
OFFLOADS = (umlnet.TUN_F_CSUM | umlnet.TUN_F_TSO4 | umlnet.TUN_F_TSO6 | umlnet.TUN_F_TSO_ECN | umlnet.TUN_F_USO4
            | umlnet.TUN_F_USO6)


@dataclass
class Joint:
    """Two sides, `left` and `right`: words before a command that has it run there. Traffic goes to `address`."""

    left: list[str]
    right: list[str]
    address: str = RIGHT


@dataclass
class Programs:
    """Built by the benchmark itself, as they are measured: with optimization."""

    directory: Path
    traffic: Path = field(init=False)
    naive: Path = field(init=False)

    def __post_init__(self) -> None:
        self.traffic, self.naive = self.directory / "traffic", self.directory / "naive_relay"
        for program in (self.traffic, self.naive):
            subprocess.run(["cc", "-std=gnu11", "-O2", "-o", program, HERE / f"{program.name}.c"], check=True)


def _in(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace]


@contextlib.contextmanager
def _namespaces() -> Iterator[tuple[str, str]]:
    world.fresh_network()
    names = [f"umlnet-bench-{side}" for side in ("left", "right")]
    try:
        for name in names:
            world.sh("ip", "netns", "add", name)
            world.sh(*_in(name), "ip", "link", "set", "lo", "up")
        yield names[0], names[1]
    finally:
        for name in names:
            world.sh("ip", "netns", "delete", name, check=False)


def _settle(namespace: str, device: str, address: str) -> None:
    """The device goes into the namespace, and comes up there. IPv6 would talk of its own accord."""
    world.sh("ip", "link", "set", device, "netns", namespace)
    world.sh(*_in(namespace), "sysctl", "-q", "-w", f"net.ipv6.conf.{device}.disable_ipv6=1")
    world.sh(*_in(namespace), "ip", "addr", "add", f"{address}/24", "dev", device)
    world.sh(*_in(namespace), "ip", "link", "set", device, "up")


@contextlib.contextmanager
def _taps(vnet_hdr: int) -> Iterator[tuple[Joint, umlnet.Tap, umlnet.Tap]]:
    with _namespaces() as (left, right):
        taps = [umlnet.Tap(name, vnet_hdr, OFFLOADS if vnet_hdr else 0) for name in ("tapl", "tapr")]
        try:
            _settle(left, "tapl", LEFT)
            _settle(right, "tapr", RIGHT)
            yield Joint(_in(left), _in(right)), taps[0], taps[1]
        finally:
            for tap in taps:
                tap.close()


def _ended(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    process.wait()


@contextlib.contextmanager
def kernel_bridge(_: Programs, offloads: bool = True) -> Iterator[Joint]:
    with _namespaces() as (left, right):
        world.sh("ip", "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        world.sh("ip", "link", "set", "bridge", "up")
        for name, namespace, address in (("left", left, LEFT), ("right", right, RIGHT)):
            world.sh("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0")
            _settle(namespace, "eth0", address)
            world.sh("ip", "link", "set", name, "master", "bridge", "up")
            if not offloads:
                for prefix, device in (([], name), (_in(namespace), "eth0")):
                    world.sh(*prefix, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx", "off")
        yield Joint(_in(left), _in(right))


@contextlib.contextmanager
def naive_taps(programs: Programs) -> Iterator[Joint]:
    with _taps(0) as (joint, left, right):
        with _naive(programs, ("tap", left.fd), ("tap", right.fd)):
            yield joint


@contextlib.contextmanager
def _naive(programs: Programs, *ends: tuple[str, int]) -> Iterator[None]:
    words = [str(word) for end in ends for word in end]
    for _, fd in ends:
        os.set_blocking(fd, True)
    process = subprocess.Popen([programs.naive, *words], pass_fds=[fd for _, fd in ends])
    try:
        yield
    finally:
        _ended(process)


@contextlib.contextmanager
def _pump(a: umlnet.End, b: umlnet.End) -> Iterator[umlnet.Pump]:
    with umlnet.Pump(a, b).start() as pump:
        yield pump


@contextlib.contextmanager
def pump_taps(_: Programs, vnet_hdr: int = 0) -> Iterator[Joint]:
    with _taps(vnet_hdr) as (joint, left, right):
        everything = umlnet.ALL if vnet_hdr else 0
        with _pump(left.end(everything), right.end(everything)):
            yield joint


@contextlib.contextmanager
def naive_sockets(programs: Programs, framing: str) -> Iterator[Joint]:
    pair = umlnet.pair(socket.SOCK_STREAM if framing == "stream" else socket.SOCK_DGRAM)
    with _taps(0) as (joint, left, right), pair[0], pair[1]:
        with _naive(programs, ("tap", left.fd), (framing, pair[0].fileno())):
            with _naive(programs, (framing, pair[1].fileno()), ("tap", right.fd)):
                yield joint


@contextlib.contextmanager
def pump_sockets(_: Programs, framing: int, vnet_hdr: int, on_the_wire: int = 0) -> Iterator[Joint]:
    """`vnet_hdr` of the TAPs; `on_the_wire` that of the socket."""
    pair = umlnet.pair(socket.SOCK_STREAM if framing == umlnet.STREAM else socket.SOCK_DGRAM)
    everything, between = (umlnet.ALL if header else 0 for header in (vnet_hdr, on_the_wire))
    with _taps(vnet_hdr) as (joint, left, right), pair[0], pair[1]:
        wires = [umlnet.end(framing, one.fileno(), on_the_wire, between) for one in pair]
        with _pump(left.end(everything), wires[0]), _pump(wires[1], right.end(everything)):
            yield joint


@contextlib.contextmanager
def ethertap_session(_: Programs) -> Iterator[Joint]:
    """uml_net's session on the left, whose relay is measured, and a pump in the guest's place."""
    with _namespaces() as (left, right), umlnet.inside(left):
        with Session(HELPER, "tapl", LEFT) as session:
            if session.status != b"\1":
                raise RuntimeError(f"uml_net: {session.text}")
            said = session.ask(ADD, RIGHT, "255.255.255.255")
            if "error" in said.lower():
                raise RuntimeError(f"uml_net: {said}")
            tap = umlnet.Tap("tapr", 12, OFFLOADS)
            try:
                world.sh("ip", "link", "set", "tapr", "netns", right)
                world.sh(*_in(right), "ip", "addr", "add", f"{RIGHT}/24", "dev", "tapr")
                world.sh(*_in(right), "ip", "link", "set", "tapr", "up")
                with _pump(umlnet.end(umlnet.ETHERTAP, session.data.fileno()), tap.end(umlnet.ALL)):
                    yield Joint(_in(left), _in(right))
            finally:
                tap.close()


@contextlib.contextmanager
def pasta(_: Programs) -> Iterator[Joint]:
    """From a namespace of pasta's to a server on the host, here a namespace as well."""
    with _namespaces() as (left, right):
        world.sh(*_in(right), "ip", "link", "add", "uplink", "type", "veth", "peer", "name", "nowhere")
        world.sh(*_in(right), "ip", "link", "set", "nowhere", "up")
        world.sh(*_in(right), "ip", "addr", "add", f"{RIGHT}/24", "dev", "uplink")
        world.sh(*_in(right), "ip", "link", "set", "uplink", "up")
        world.sh(*_in(right), "ip", "route", "add", "default", "via", LEFT, "dev", "uplink")
        process = subprocess.Popen(
            [*_in(right), "pasta", "-f", "-q", "-4", "--runas", "0", "--config-net", "-t", "none", "-u", "none", "-T",
             "none", "-U", "none", "--netns-only", "--netns", f"/run/netns/{left}"], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while "default" not in world.sh(*_in(left), "ip", "route"):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError("pasta does not begin")
                time.sleep(0.05)
            # pasta takes the gateway's address for the host's own.
            yield Joint(_in(left), _in(right), LEFT)
        finally:
            _ended(process)


JOINTS: dict[str, Callable[[Programs], contextlib.AbstractContextManager[Joint]]] = {
    "kernel bridge": kernel_bridge,
    "pasta": pasta,
    "naive TAP": naive_taps,
    "pump TAP": pump_taps,
    "pump TAP vnet": lambda programs: pump_taps(programs, 12),
    "naive stream": lambda programs: naive_sockets(programs, "stream"),
    "pump stream": lambda programs: pump_sockets(programs, umlnet.STREAM, 0),
    "pump stream, TAP vnet": lambda programs: pump_sockets(programs, umlnet.STREAM, 12),
    "pump stream vnet, TAP vnet": lambda programs: pump_sockets(programs, umlnet.STREAM, 12, 12),
    "naive ethertap": lambda programs: naive_sockets(programs, "ethertap"),
    "pump ethertap, TAP vnet": lambda programs: pump_sockets(programs, umlnet.ETHERTAP, 12),
    "uml_net ethertap": ethertap_session,
}


def _busy_seconds() -> float:
    """Of all processors, since the machine's start: everything but idling, waiting, and what other machines took."""
    user, nice, system, _, _, irq, softirq = (int(word) for word in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _pump_seconds() -> float | None:
    """Processor time of the pumps that run in this network namespace; None where there are none."""
    used = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if ((process / "cmdline").read_bytes() == b"umlnet-pump\0"
                    and os.readlink(process / "ns/net") == os.readlink("/proc/self/ns/net")):
                used += [int(thread.read_text().split()[0]) / 1e9 for thread in process.glob("task/*/schedstat")]
    return sum(used) if used else None


class Sink:
    def __init__(self, prefix: list[str], *words: object) -> None:
        self.process = subprocess.Popen([*prefix, *map(str, words)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"

    def numbers(self) -> list[float]:
        try:
            said, _ = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            _ended(self.process)
            raise
        return [float(word) for word in said.split()]


def _run(prefix: list[str], *words: object) -> str:
    return world.sh(*prefix, *map(str, words))


def measure(joint: Joint, programs: Programs, seconds: float) -> dict[str, float]:
    traffic = programs.traffic
    # The first frames find neighbours, and fill what has to be filled once.
    sink = Sink(joint.right, traffic, "tcp-sink", PORT)
    _run(joint.left, traffic, "tcp-source", joint.address, PORT, 0.2)
    sink.numbers()

    sink = Sink(joint.right, traffic, "tcp-sink", PORT)
    busy = _busy_seconds()
    _run(joint.left, traffic, "tcp-source", joint.address, PORT, seconds)
    size, took = sink.numbers()
    busy = _busy_seconds() - busy
    result = {"tcp_gbit_s": size * 8 / took / 1e9, "cpu_s_per_gib": busy / (size / (1 << 30))}

    sink = Sink(joint.right, traffic, "udp-sink", PORT, seconds)
    _run(joint.left, traffic, "udp-source", joint.address, PORT, SMALLEST, seconds + 0.2)
    count, took = sink.numbers()
    result["small_frames_s"] = count / took if took else 0.0

    echo = Sink(joint.right, traffic, "udp-echo", PORT)
    try:
        result["ping_us"], result["ping_p99_us"] = map(
            float, _run(joint.left, traffic, "udp-ping", joint.address, PORT, PINGS).split())
    finally:
        _ended(echo.process)
        assert echo.process.stdout
        echo.process.stdout.close()

    before, began = _pump_seconds(), time.monotonic()
    if before is not None:
        time.sleep(2 * seconds)
        result["idle_cpu_percent"] = 100 * ((_pump_seconds() or before) - before) / (time.monotonic() - began)
    return result


GUESTS = {"UML guest, tuntap": "eth0=tuntap,,,10.99.0.254", "UML guest, ethertap": "eth0=ethertap,tap7,,10.99.0.254"}


def measure_guest(nic: str, programs: Programs, seconds: float) -> dict[str, float]:
    """A User-Mode Linux guest with uml_net's help, and this host. What limits it is the guest, most of the time."""
    world.fresh_network()
    result: dict[str, float] = {}
    with UmlGuest(HELPER, nic) as guest:
        guest.check("mknod /dev/zero c 1 5 && mknod /dev/null c 1 3")
        guest.check("ip link set eth0 up && ip addr add 10.99.0.1/24 dev eth0")
        sink = Sink([], programs.traffic, "tcp-sink", PORT)
        guest.check(f"timeout {round(2 * seconds) or 1} nc 10.99.0.254 {PORT} < /dev/zero; true")
        size, took = sink.numbers()
        result["guest_to_host_gbit_s"] = size * 8 / took / 1e9
        guest.check(f"nc -l -p {PORT} > /dev/null &")
        time.sleep(0.5)  # until it listens, of which nothing tells
        size, took = map(float, _run([], programs.traffic, "tcp-source", "10.99.0.1", PORT, 2 * seconds).split())
        result["host_to_guest_gbit_s"] = size * 8 / took / 1e9
        guest.halt()
    return result


def run(rounds: int = 5, seconds: float = 1.0, words: list[str] | None = None,
        say: Callable[[str], None] = lambda text: None) -> list[dict[str, Any]]:
    """[{"joint": name, "rounds": [{metric: value}]}]; of each metric's values `medians`."""
    world.enter()
    ways: dict[str, Callable[[Programs], dict[str, float]]] = {}
    for name, make in JOINTS.items():
        ways[name] = lambda programs, make=make: _joined(make, programs, seconds)  # type: ignore[misc]
    for name, nic in GUESTS.items():
        transport = nic.partition("=")[2].partition(",")[0]
        if not has_transport(transport):
            say(f"{name}: not measured, because linux.uml {version()} has no {transport} transport")
            continue
        ways[name] = lambda programs, nic=nic: measure_guest(nic, programs, seconds)  # type: ignore[misc]
    chosen = {name: way for name, way in ways.items() if not words or any(word in name for word in words)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as directory:
        programs = Programs(Path(directory))
        for number in range(rounds):
            for name, way in chosen.items():
                result = way(programs)
                found[name].append(result)
                say(f"{number + 1}/{rounds} {name:28}" + "".join(f" {key} {value:.4g}" for key, value in result.items()))
    return [{"joint": name, "rounds": results,
             "medians": {key: statistics.median(result[key] for result in results) for key in results[0]}}
            for name, results in found.items()]


def _joined(make: Callable[[Programs], contextlib.AbstractContextManager[Joint]], programs: Programs,
            seconds: float) -> dict[str, float]:
    with make(programs) as joint:
        return measure(joint, programs, seconds)


# What is compared with what, in the same round, and what we want of it: at least so much, or at most.
WANTED = (
    ("pump TAP vnet", "kernel bridge", "tcp_gbit_s", "at least 0.75"),
    ("pump TAP vnet", "pasta", "tcp_gbit_s", "at least 2"),
    ("pump TAP", "naive TAP", "tcp_gbit_s", "at least 1.8"),
    ("pump stream, TAP vnet", "naive stream", "tcp_gbit_s", "at least 2.5"),
    ("uml_net ethertap", "naive ethertap", "tcp_gbit_s", "at least 1.6"),
    ("UML guest, ethertap", "UML guest, tuntap", "guest_to_host_gbit_s", "at least 0.8"),
    ("UML guest, ethertap", "UML guest, tuntap", "host_to_guest_gbit_s", "at least 0.8"),
    ("pump TAP", "kernel bridge", "small_frames_s", "at least 1"),
    ("pump TAP vnet", "kernel bridge", "small_frames_s", "at least 1"),
    ("pump TAP", "naive TAP", "ping_us", "at most 1"),
    ("pump stream, TAP vnet", "naive stream", "ping_us", "at most 1"),
    ("uml_net ethertap", "naive ethertap", "ping_us", "at most 1"),
)
METRICS = {"tcp_gbit_s": "TCP", "small_frames_s": "64-byte frames", "ping_us": "ping-pong time",
           "guest_to_host_gbit_s": "TCP to the host", "host_to_guest_gbit_s": "TCP to the guest"}


def table(results: list[dict[str, Any]]) -> str:
    rounds = {result["joint"]: result["rounds"] for result in results}
    text = ("TCP, frames of 64 bytes and ping-pong go from one network namespace to another; CPU time is that of the whole\n"
            "machine while TCP went. Naive is the loop that one writes first: it waits, moves one frame, and waits again.\n\n")
    lines = ["| joint | TCP Gbit/s | CPU s per GiB | 64-byte frames/s | ping-pong us (median, p99) | pump's CPU when idle |",
             "|---|---|---|---|---|---|"]
    for result in results:
        medians = result["medians"]
        if "tcp_gbit_s" in medians:
            idle = f"{medians['idle_cpu_percent']:.2f} %" if "idle_cpu_percent" in medians else ""
            lines.append(f"| {result['joint']} | {medians['tcp_gbit_s']:.2f} | {medians['cpu_s_per_gib']:.2f} "
                         f"| {medians['small_frames_s']:,.0f} | {medians['ping_us']:.0f}, {medians['ping_p99_us']:.0f} "
                         f"| {idle} |")
    text += "\n".join(lines) + "\n\n"
    guests = [result for result in results if "guest_to_host_gbit_s" in result["medians"]]
    if guests:
        text += "| guest | TCP to the host, Gbit/s | TCP to the guest, Gbit/s |\n|---|---|---|\n"
        for result in guests:
            medians = result["medians"]
            text += (f"| {result['joint']} | {medians['guest_to_host_gbit_s']:.3f} "
                     f"| {medians['host_to_guest_gbit_s']:.3f} |\n")
        text += "\n"
    text += "| | of what | to | times, median of rounds | wanted |\n|---|---|---|---|---|\n"
    for ours, other, metric, wanted in WANTED:
        if ours in rounds and other in rounds:
            ratios = [mine[metric] / theirs[metric] for mine, theirs in zip(rounds[ours], rounds[other])]
            text += f"| {ours} | {METRICS[metric]} | {other} | {statistics.median(ratios):.2f} | {wanted} |\n"
    return text.rstrip("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the pump beside its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--json", type=Path)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    results = run(arguments.rounds, arguments.seconds, arguments.words, lambda text: print(text, file=sys.stderr, flush=True))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
