"""Breaks the engine's rules one by one; the engine's tests must notice each."""
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
ENGINE = "plugins/module_utils/engine"
FAST = ("test_plan.py", "test_apply.py")  # they notice most; the laws are asked when they do not


def copied(folder: Path) -> Path:
    """The engine and its tests, apart from the checkout; returns the engine's folder."""
    house = folder / "ansible_collections/groundwork/aws"
    shutil.copytree(ROOT / ENGINE, house / ENGINE, ignore=shutil.ignore_patterns("__pycache__"))
    (house / ENGINE).parent.joinpath("__init__.py").touch()  # or Python prefers the checkout's
    shutil.copytree(ROOT / "tests/unit/engine", folder / "tests/unit/engine",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return house / ENGINE


def passes(folder: Path, *files: str) -> bool:
    """Whether the engine's tests pass on the copy; a hang is no pass."""
    paths = [f"tests/unit/engine/{name}" for name in files]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths]
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith(("PYTEST", "PYTHONPATH"))}
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                              timeout=60, env={**environment, "ENGINE_PROFILE": "mutation"})
    except subprocess.TimeoutExpired:
        return False
    assert done.returncode in (0, 1), done.stdout + done.stderr  # not: no tests, or no import
    return done.returncode == 0


def test_unbroken_it_passes(tmp_path):
    copied(tmp_path)
    assert passes(tmp_path, *FAST, "test_laws.py")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_a_broken_rule_is_noticed(tmp_path, rule):
    path = copied(tmp_path) / rule["file"]
    source = path.read_text()
    assert source.count(rule["old"]) == 1, "the rule is not in the engine as rules.yml tells it"
    path.write_text(source.replace(rule["old"], rule["new"]))
    assert not passes(tmp_path, *FAST) or not passes(tmp_path, "test_laws.py")
