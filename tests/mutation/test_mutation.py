"""Breaks rules of the engine and of the clients one by one; their tests must notice each."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((Path(__file__).parent / "rules.yml").read_text())
UTILS = "plugins/module_utils"


def copied(folder: Path, room: str) -> Path:
    """A room, what it imports and its tests, apart from the checkout; returns the room."""
    house = folder / "ansible_collections/groundwork/aws" / UTILS
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in sorted({"engine", room}):
        shutil.copytree(ROOT / UTILS / name, house / name, ignore=unwanted)
    (house / "__init__.py").touch()  # or Python prefers the checkout's
    shutil.copytree(ROOT / "tests/unit" / room, folder / "tests/unit" / room, ignore=unwanted)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return house / room


def passes(folder: Path, room: str, *tests: str, seconds: float = 60) -> bool:
    """Whether tests of a room pass on the copy; a hang of so many seconds is no pass."""
    paths = [f"tests/unit/{room}/{name}" for name in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths]
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith(("PYTEST", "PYTHONPATH"))}
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                              timeout=seconds, env={**environment, "ENGINE_PROFILE": "mutation"})
    except subprocess.TimeoutExpired:
        return False
    assert done.returncode in (0, 1), done.stdout + done.stderr  # not: no tests, or no import
    return done.returncode == 0


@pytest.mark.parametrize("room", ["engine", "clients"])
def test_unbroken_it_passes(tmp_path, room):
    copied(tmp_path, room)
    tests = {rule["noticed_by"] for rule in RULES if rule.get("room", "engine") == room}
    assert passes(tmp_path, room, *tests, seconds=300)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_a_broken_rule_is_noticed(tmp_path, rule):
    room = rule.get("room", "engine")
    path = copied(tmp_path, room) / rule["file"]
    source = path.read_text()
    assert source.count(rule["old"]) == 1, f"the rule is not in {room} as rules.yml tells it"
    path.write_text(source.replace(rule["old"], rule["new"]))
    assert not passes(tmp_path, room, rule["noticed_by"])
