"""Plots as SVG, by gnuplot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SETTINGS = """set terminal svg size 800,{height} dynamic font "sans-serif,13" background rgb "white"
set output "{output}"
set title "{title}"
set grid
"""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _draw(path: Path, title: str, height: int, commands: str) -> None:
    if shutil.which("gnuplot") is None:
        return
    script = SETTINGS.format(height=height, output=_quoted(str(path)), title=_quoted(title)) + commands
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def bars(path: Path, title: str, unit: str, values: dict[str, float]) -> None:
    """One bar a name, from left to right, with the value at its end."""
    rows = "\n".join(f'{i} {value} "{_quoted(name)}" "{value:,.4g}"' for i, (name, value) in enumerate(values.items()))
    _draw(path, title, 90 + 34 * len(values), f"""$data << END
{rows}
END
set xlabel "{_quoted(unit)}"
set xrange [0:{max(values.values()) * 1.15}]
set yrange [{len(values) - 0.5}:-0.5]
unset key
set style fill solid 0.8
plot $data using ($2/2):1:($2/2):(0.35):ytic(3) with boxxyerror linecolor rgb "#4477aa", \\
     $data using 2:1:4 with labels offset 1,0 left notitle
""")


def lines(path: Path, title: str, x: str, y: str, series: dict[str, dict[float, float]]) -> None:
    """One line a name, both axes by logarithm; what stands at 0 is drawn at 1."""
    blocks, parts = [], []
    for number, (name, points) in enumerate(series.items()):
        rows = "\n".join(f"{max(at, 1)} {value}" for at, value in sorted(points.items()))
        blocks.append(f"$line{number} << END\n{rows}\nEND")
        parts.append(f'$line{number} using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.6 title "{_quoted(name)}"')
    _draw(path, title, 420, "\n".join(blocks) + f"""
set logscale xy
set xlabel "{_quoted(x)}"
set ylabel "{_quoted(y)}"
set key outside right
plot {", ".join(parts)}
""")
