# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of the result, as text, Markdown and JSON."""
from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".results" / "bench.json"
COLUMNS = ("work", "ours", "peer", "ratio", "target", "met")


@dataclass
class Row:
    """One line: what was measured, and whether it is as fast as it should be."""

    work: str
    ours: str
    peer: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None
    details: dict = field(default_factory=dict)

    def cells(self) -> tuple:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return self.work, self.ours, self.peer, self.ratio, self.target, met


def timed(measured, what: str = "seconds", unit: str = "s") -> str:
    """Median, and the range of all runs."""
    low, high = measured.spread(what)
    return f"{measured.median(what):.2f} {unit} ({low:.2f}-{high:.2f})"


def faster(work: str, ours, peer, times: float) -> Row:
    """Ours against a peer, of which ours must be so many times faster."""
    ratio = peer.median() / ours.median()
    cpu = peer.median("cpu") / ours.median("cpu")
    return Row(work, timed(ours), f"{peer.name} {timed(peer)}", f"{ratio:.1f}x (cpu {cpu:.1f}x)",
               f"at least {times:g}x faster", ratio >= times,
               {"ours": ours.as_dict(), "peer": peer.as_dict(), "ratio": ratio, "cpu_ratio": cpu})


def above(work: str, ours, empty, seconds: float) -> Row:
    """Ours against an empty play, above which it may take so many seconds."""
    more = ours.median() - empty.median()
    cpu = ours.median("cpu") - empty.median("cpu")
    return Row(work, timed(ours), f"{empty.name} {timed(empty)}",
               f"+{more:.2f} s (cpu +{cpu:.2f} s)", f"at most {seconds:g} s above an empty play",
               more <= seconds, {"ours": ours.as_dict(), "peer": empty.as_dict(), "above": more,
                                 "cpu_above": cpu})


def at_most(work: str, value: float, limit: float, unit: str, **details) -> Row:
    """A number with an upper limit."""
    return Row(work, f"{value:.3g} {unit}", "", "", f"at most {limit:g} {unit}", value <= limit,
               {"value": value, **details})


def machine() -> dict:
    """What the numbers were measured on."""
    try:
        model = next(line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").open()
                     if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    return {"cores": os.cpu_count(), "processor": model, "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1)}


def text(rows: list[Row]) -> str:
    """A table for a terminal."""
    cells = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(c[i]) for c in cells) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip()
                     for line in cells)


def markdown(rows: list[Row], about: dict, notes: list[str]) -> str:
    """The page docs/benchmarks.md."""
    lines = ["# Benchmarks", "", "Written by `make bench` (`python -m tests.bench --write`).", "",
             f"{about['cores']} cores ({about['processor']}), Python {about['python']}, "
             f"load {about['load']} when it began. "
             "Median of several runs (lowest-highest), alternating. Everything talks to the lab.",
             "", f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join([*lines, *(["", *(f"* {n}" for n in notes)] if notes else []), ""])


def kept() -> tuple[dict[str, list[Row]], list[str]]:
    """What .results/bench.json has of each work, and its notes."""
    if not KEPT.exists():
        return {}, []
    found = json.loads(KEPT.read_text())
    return {name: [Row(**row) for row in rows] for name, rows in found["works"].items()}, \
        found["notes"]


def keep(works: dict[str, list[Row]], about: dict, notes: list[str]) -> None:
    """Writes .results/bench.json."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps({"machine": about, "notes": [*dict.fromkeys(notes)], "works": {
        name: [asdict(row) for row in rows] for name, rows in works.items()}}, indent=1) + "\n")


def write(rows: list[Row], about: dict, notes: list[str]) -> None:
    """Writes the page in docs."""
    (ROOT / "docs" / "benchmarks.md").write_text(markdown(rows, about, notes))
