# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How helm is ended when it does not end."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import helm
from ansible_collections.groundwork.aws.plugins.module_utils.engine.apply import HEALS


@pytest.fixture(name="run")
def runs(tmp_path, monkeypatch):
    """What a call of a program gives, and what it has written down."""
    monkeypatch.setattr(helm, "SPARE", 0.5)
    api = SimpleNamespace(read_only=False, count=lambda _reads: None, connection=SimpleNamespace(
        kubeconfig=lambda _folder: ("config", "")))

    def call(script: str):
        program, said = tmp_path / "helm", tmp_path / "said"
        program.write_text(f"#!/bin/sh\nexec 2>{said}\n{script}\n")
        program.chmod(0o700)
        with pytest.raises(helm.HelmFailed) as failed:
            helm.Helm(api, str(program)).call(["upgrade"], 0.5)
        return failed.value, said.read_text()

    return call


@pytest.mark.parametrize("script", [
    "trap 'echo back >&2; exit 1' TERM; while :; do sleep 0.1; done",
    "trap 'echo back >&2' TERM; while :; do sleep 0.1; done"])
def test_it_may_tidy_up(run, script):
    """It is told to end before it is killed; nobody starts it again."""
    failure, said = run(script)
    assert "no end after 1 s, and was ended; see what it has left with helm history" in str(failure)
    assert said.startswith("back")
    assert not isinstance(failure, HEALS)
