# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo, as `make demo` starts it."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_story_ends_with_its_table(tmp_path):
    done = subprocess.run([sys.executable, "tools/demo.py", "--state", str(tmp_path / "lab")],
                          cwd=ROOT, check=False, text=True, capture_output=True, timeout=600,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    story, table = done.stdout.split("Nothing of sentineltranslate-dev exists any more")
    assert "drift" in story
    rows = re.findall(r"^(\S.*?) +([\d.]+) +(\d+) +(\d+)$", table, re.M)
    writes = {step: int(count) for step, _seconds, _reads, count in rows}
    silent = {"plan on an empty account", "second run", "one changed option, as a plan",
              "drift found"}
    assert {step for step, count in writes.items() if not count} == silent
    assert {"build", "the same, applied", "drift repaired", "removal"} == set(writes) - silent
    assert not list((tmp_path / "lab").glob("state.json")), "the lab still runs"
