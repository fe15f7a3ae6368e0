# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""python -m tests.bench [work ...]: the collection side by side with the tools that are there."""
from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import table
from .clusters import releases_noop, sets_many, sets_noop
from .engine import sizes
from .makespan import makespan
from .many import many_networks
from .measure import Failed, Missing
from .stage import Stage
from .works import network_create, network_noop, pingvas_latency, pingvas_noop


def engine(stage: Stage):
    """The engine alone, with toy resources."""
    found = sizes(min(stage.runs, 3))
    large, counts = found[-1], ", ".join(str(row["resources"]) for row in found)
    title = f"engine alone, {large['resources']} toy resources planned"
    slowest = max(large["empty_s"], large["nothing_to_do_s"])
    yield table.at_most(title, slowest, 5, "s", sizes=found)
    yield table.at_most(f"{title}: memory", large["memory_mb"], 300, "MB", sizes=found)
    each = [1e6 * row["nothing_to_do_s"] / row["resources"] for row in found]
    yield table.Row(f"engine alone, time a resource with {counts}",
                    ", ".join(f"{e:.0f} us" for e in each), "", f"{each[-1] / each[0]:.2f}x",
                    "linear", each[-1] <= 1.3 * each[0], {"sizes": found})


WORKS = {
    "network-noop": network_noop,
    "network-create": network_create,
    "pingvas-noop": pingvas_noop,
    "pingvas-latency": pingvas_latency,
    "many-networks": many_networks,
    "sets-noop": sets_noop,
    "sets-many": sets_many,
    "releases-noop": releases_noop,
    "engine": engine,
    "makespan": makespan,
}


def arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="work", choices=[[], *WORKS],
                        help=f"of {', '.join(WORKS)}; default: all")
    parser.add_argument("--runs", type=int, default=5, help="of each command; default 5")
    parser.add_argument("--write", action="store_true",
                        help="write docs/benchmarks.md too, with what .results/bench.json has "
                             "of the works that are not measured now")
    return parser.parse_args()


def measured(stage: Stage, name: str) -> list[table.Row]:
    """The rows of one work; one that cannot be measured is a row that is not met."""
    begun = time.monotonic()
    print(f"\n== {name}: {WORKS[name].__doc__}", flush=True)
    rows = []
    try:
        for row in WORKS[name](stage):
            rows.append(row)
            print("  " + " | ".join(c for c in row.cells() if c), flush=True)
    except Missing as missing:
        stage.note(str(missing))
    except Failed as failed:
        print(f"  {failed}", flush=True)
        rows.append(table.Row(name, "not measured: a command failed", met=False,
                              details={"failure": str(failed)}))
    print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    return rows


def main() -> int:
    options, about, rows = arguments(), table.machine(), {}
    kept, told = table.kept()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lab goes with us
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        stage = Stage(Path(folder), options.runs, lambda text: print(text, flush=True))
        try:
            for name in options.works or WORKS:
                rows[name] = measured(stage, name)
                table.keep({**kept, **rows}, about, [*told, *stage.notes])
        finally:
            stage.close()
    now = [row for name in rows for row in rows[name]]
    print(f"\n{about['cores']} cores ({about['processor']}), Python {about['python']}, "
          f"load {about['load']} at the start\n\n{table.text(now)}")
    for note in stage.notes:
        print(note)
    if options.write:
        whole, told = table.kept()
        table.write([row for name in WORKS for row in whole.get(name, ())], about, told)
    met = sum(row.met is not False for row in now)
    print(f"\n{met} of {len(now)} as wanted; all numbers are in .results/bench.json")
    return 1 if any("failure" in row.details for row in now) else 0


if __name__ == "__main__":
    sys.exit(main())
