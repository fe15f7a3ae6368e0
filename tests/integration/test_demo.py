# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo, as `make demo` starts it."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_story_ends_with_its_table():
    done = subprocess.run([sys.executable, "tools/demo.py"], cwd=ROOT, check=False, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    table = done.stdout[-2000:]
    assert "reads" in table and "writes" in table
