# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user reads while a module works."""
from __future__ import annotations

import json
import re
import time
import types

import pytest
from ansible_collections.groundwork.aws.plugins.plugin_utils import action


@pytest.fixture(name="told")
def lines(monkeypatch):
    """All that is said; a word comes after a tenth of a second of silence."""
    found = []
    monkeypatch.setattr(action.display, "display", found.append)
    monkeypatch.setattr(action, "BEAT", 0.1)
    return found


def event(key: str, state: str, usual: float) -> str:
    return json.dumps(dict(key=key, action="create", state=state, expected_seconds=usual, left=0,
                           waits="", seconds=1, steps=2, done=0)) + "\n"


def test_a_long_wait_says_what_for(told, tmp_path):
    path = tmp_path / "progress"
    follower = action.Follower(str(path), types.SimpleNamespace(number=0), "acme-dev")
    path.write_text(event("network/vpc/main", "started", 2)
                    + event("eks/cluster/main", "started", 600))
    both = (r"acme-dev: still waiting for network/vpc/main \(\d+ s, usually ~2 s\), "
            r"eks/cluster/main \(\d+ s, usually ~10 min\)")
    with follower:
        assert soon(told, both)
        with path.open("a") as file:
            file.write(event("eks/cluster/main", "done", 600))
        assert soon(told, r"acme-dev: still waiting for network/vpc/main \(\d+ s, usually ~2 s\)")


def soon(told: list, pattern: str) -> bool:
    """Whether a line says just this within half a minute."""
    end = time.monotonic() + 30
    while not any(re.fullmatch(pattern, line) for line in told) and time.monotonic() < end:
        time.sleep(0.05)
    return time.monotonic() < end


def test_nobody_is_told_of_nothing(told, tmp_path):
    follower = action.Follower(str(tmp_path / "none"), types.SimpleNamespace(number=0), "acme-dev")
    with follower:
        follower.join(0.5)
    assert told == []
