"""What the kernel says of a process, in /proc/PID/status."""

from __future__ import annotations

from pathlib import Path


def capabilities(status: dict[str, str]) -> dict[str, int]:
    return {key: int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
