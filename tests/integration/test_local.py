# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module returns the same right out of the checkout and out of Ansible's archive."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.groundwork.aws.plugins.plugin_utils import local
from tests.world import ACCOUNT, REGION

from lab.launcher import Launcher

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NETWORK = {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  environment: {GROUNDWORK_TEST: "1"}
  module_defaults:
    group/groundwork.aws.all: "{{ connection }}"
  tasks:
    - groundwork.aws.network: "{{ options }}"
      register: result
      check_mode: true
      diff: true
      ignore_errors: true
    - ansible.builtin.copy: {content: "{{ result | to_json }}", dest: "{{ file }}"}
      check_mode: false
"""


@pytest.fixture(name="endpoint", scope="module")
def started(tmp_path_factory):
    launcher = Launcher(tmp_path_factory.mktemp("lab"))
    yield launcher.start()["endpoint"]
    launcher.stop()


def played(folder: Path, endpoint: str, options: dict, archive: bool,
           play: str = PLAY) -> tuple[dict, str]:
    """What a task returns, and what Ansible says of how it ran."""
    # A Python by another path is not the controller's own: then Ansible sends an archive to it.
    python = next(p for p in sorted(BIN.glob("python*")) if str(p) != sys.executable)
    (folder / "play.yml").write_text(play)
    variables = {
        "options": options, "file": str(folder / "result.json"),
        "ansible_python_interpreter": str(python) if archive else "{{ ansible_playbook_python }}",
        "connection": {"product": "acme", "environment": "test", "region": REGION,
                       "endpoint_url": endpoint, "access_key": f"LAB0{ACCOUNT}",
                       "secret_key": "emulated-secret-key"}}
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", "stack,", "-vvv", "-e", json.dumps(variables),
         folder / "play.yml"], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads((folder / "result.json").read_text()), done.stdout


def test_no_log_is_kept(tmp_path, endpoint):
    """Not the plan, not a step, not a count."""
    silent = PLAY.replace("register:", "no_log: true\n      register:")
    _result, says = played(tmp_path, endpoint, NETWORK, archive=False, play=silent)
    assert "censored" in says and "network/" not in says and "to create" not in says


def test_only_a_module_that_runs_here_is_told_where_to_write():
    def task(transport="local", become=None, seconds=0):
        return SimpleNamespace(_task=SimpleNamespace(async_val=seconds),
                               _connection=SimpleNamespace(transport=transport, become=become))

    assert local.here(task())
    assert not any(map(local.here, (task("ssh"), task(become=object()), task(seconds=60))))


@pytest.mark.parametrize("options", [NETWORK, {**NETWORK, "cidr_block": "10.0.0.0/33"},
                                     {**NETWORK, "cidr_blok": "10.0.0.0/16"}])
def test_the_same_as_from_an_archive(tmp_path, endpoint, options):
    direct, says = played(tmp_path, endpoint, options, archive=False)
    assert "AnsiballZ_network" not in says
    archive, says = played(tmp_path, endpoint, options, archive=True)
    assert "AnsiballZ_network" in says
    assert direct == archive
    assert "emulated-secret-key" not in json.dumps(direct)
