"""What was measured, as tables for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench import plots

OURS = "uml_net, setuid"


def _number(value: Any, places: int = 0) -> str:
    return "" if value is None else f"{value:,.{places}f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _requests(found: dict[str, Any], directory: Path) -> str:
    text = "Microseconds from the start of the program to the open device. The ratio is the median of that to the floor's in the\n"
    text += "same round. The floor is a bare static C program: TUNSETIFF, two rtnetlink requests, `sendmsg`.\n\n"
    for name, series in found.items():
        if name == "ratios":
            continue
        samples = max(one["samples"] for one in series.values())
        text += f"### {name[0].upper()}{name[1:]} ({samples} requests each)\n\n"
        text += _table(["", "p50 us", "p99 us", "to the floor"],
                       [[who, _number(one["p50_us"]), _number(one["p99_us"]), _number(one["ratio_to_floor"], 2)]
                        for who, one in series.items()]) + "\n"
    text += _table(["paired", "times"], [[name, _number(value, 2)] for name, value in found["ratios"].items() if value])
    plots.bars(directory / "requests.svg", "request to open device, median", "microseconds",
               {who: one["p50_us"] for who, one in found["alone"].items()})
    return text + "\n![request to open device](requests.svg)\n"


def _growth(found: dict[str, Any], directory: Path) -> str:
    devices = found["devices"]
    names = list(dict.fromkeys(who for series in devices.values() for who in series))
    text = "Median microseconds of one request, with so many devices of other users present. The floor grows, too: the kernel\n"
    text += "looks through the names for a free one. The time of `umlnet ls` is that to its end.\n\n"
    text += _table(["", *(f"{int(number):,} devices" for number in devices)],
                   [[who, *(_number(series[who]["p50_us"]) if who in series else "" for series in devices.values())]
                    for who in names]) + "\n"
    for what, unit in (("audit log", "audit log of"), ("rules", "rules in the policy:")):
        text += _table([unit, *(f"{number}" for number in found[what])],
                       [[who, *(_number(series[who]["p50_us"]) for series in found[what].values())]
                        for who in ("floor", OURS)]) + "\n"
    plots.lines(directory / "growth.svg", "one request, by the number of devices present", "devices (the first is 0)",
                "microseconds", {who: {float(number): series[who]["p50_us"] for number, series in devices.items()
                                       if who in series} for who in names})
    return text + "![growth](growth.svg)\n"


def _sizes(found: dict[str, dict[str, int]], _: Path) -> str:
    text = "Machine code and read-only data of the program itself, and the most memory that it had resident, with the shared\n"
    text += "libraries that it loads.\n\n"
    return text + _table(["", "text KiB", "peak KiB", "page faults"],
                         [[who, _number(one["text_bytes"] / 1024), _number(one["peak_kib"]), _number(one["page_faults"])]
                          for who, one in found.items()])


def _session(found: dict[str, Any], _: Path) -> str:
    text = "One caller that keeps the helper (`uml_net 5 session`).\n\n"
    return text + _table(["", ""], [[name, _number(value, 3) if isinstance(value, float) else _number(value)]
                                    for name, value in found.items()])


def _pump(found: list[dict[str, Any]], directory: Path) -> str:
    from tests.bench import pump  # by another hand, with a table of its own

    values = {one["joint"]: one["medians"]["tcp_gbit_s"] for one in found if "tcp_gbit_s" in one.get("medians", {})}
    if values:
        plots.bars(directory / "pump.svg", "TCP between two network namespaces, median", "Gbit/s", values)
    return pump.table(found) + ("\n\n![TCP](pump.svg)\n" if values else "\n")


def _soak() -> str:
    """Of the last `python3 -m tests.bench.soak --update`, which takes some ten minutes and is no part of the others."""
    found = json.loads((Path(__file__).parent / "soak.json").read_text())
    many, cycles, sessions, traffic = (found[key] for key in ("devices_at_once", "create_and_destroy", "ethertap_sessions", "traffic"))
    rows = [
        [f"{many['devices']:,} devices at once", f"each opened in {many['opened_ms']['p50']:.0f} ms (p99 {many['opened_ms']['p99']:.0f}), "
                                                 f"all closed in {many['closed_s']:.0f} s"],
        [f"{cycles['cycles']:,} devices made and closed by {cycles['callers']} callers",
         f"{cycles['seconds']:.0f} s; a cycle takes {cycles['cycle_ms']['p50']:.0f} ms (p99 {cycles['cycle_ms']['p99']:.0f})"],
        [f"{sessions['sessions']} ethertap sessions", f"opened in {sessions['opened_s']} s, closed in {sessions['closed_s']} s; "
                                                      f"{sessions['resident_kib_of_its_processes']:,} KiB each"],
        [f"{traffic['bytes'] / 1e9:.1f} GB through one session", f"{traffic['seconds']:.0f} s, {traffic['gbit_per_s']} Gbit/s; memory grown "
                                                                 f"by {traffic['grown_kib']} KiB"],
    ]
    left = [part for part in (many, cycles, sessions, traffic) if part["left_behind"]]
    text = "`python3 -m tests.bench.soak --update`: what is left behind in descriptors, devices, addresses and neighbours is counted.\n\n"
    return text + _table(["", ""], rows) + f"\nLeft behind: {left or 'nothing'}. Failed: {found['failures'] or 'nothing'}.\n"


SECTIONS = {"helper": ("The helper: request to open device", _requests), "growth": ("Growth", _growth),
            "size": ("Size", _sizes), "session": ("A session", _session), "pump": ("The pump", _pump)}


def _sections(report: Path) -> dict[str, str]:
    """Of a report that was written before: the text under each title."""
    if not report.exists():
        return {}
    return {title: text for title, _, text in (part.partition("\n") for part in report.read_text().split("\n## ")[1:])}


def written(results: dict[str, Any], directory: Path) -> str:
    """The whole report; its plots go into `directory`. What was not measured stays as the report there has it."""
    before = _sections(directory / "RESULTS.md")
    machine = results["machine"]
    text = "# What it costs\n\nWritten by `tests/bench/run --update`. Times are those of one machine on one day, and ratios are what counts:\n"
    text += f"{machine['processors']} processors ({machine['model']}), Linux {machine['kernel']}, {machine['date']}.\n"
    for key, (title, section) in SECTIONS.items():
        if results.get(key):
            text += f"\n## {title}\n\n{section(results[key], directory)}"
        elif title in before:
            text += f"\n## {title}\n{before[title].rstrip()}\n"
    return text + f"\n## Soak\n\n{_soak()}"
