"""Breaks rules of the engine and of the clients one by one; their tests must notice each."""
from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest
import yaml
from tests.mutation import apart

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((Path(__file__).parent / "rules.yml").read_text())
UTILS = "plugins/module_utils"
HOUSE = f"ansible_collections/groundwork/aws/{UTILS}"


@pytest.fixture(scope="session", name="house")
def _house(tmp_path_factory):
    """Room -> a folder with it, what it imports and its tests, apart from the checkout."""
    return functools.lru_cache(lambda room: copied(tmp_path_factory.mktemp(room), room))


def copied(folder: Path, room: str) -> Path:
    house, unwanted = folder / HOUSE, shutil.ignore_patterns("__pycache__")
    for name in sorted({"engine", room}):
        shutil.copytree(ROOT / UTILS / name, house / name, ignore=unwanted)
    (house / "__init__.py").touch()  # or Python prefers the checkout's
    shutil.copytree(ROOT / "tests/unit" / room, folder / "tests/unit" / room, ignore=unwanted)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return folder


def passes(folder: Path, room: str, *tests: str, seconds: float = 60) -> bool:
    """Whether tests of a room pass on the copy; a hang of so many seconds is no pass."""
    # What is compiled is not told from a change of the same second and size.
    shutil.rmtree(folder / HOUSE / room / "__pycache__", ignore_errors=True)
    paths = [f"tests/unit/{room}/{name}" for name in tests]
    status = apart.status(folder, paths, seconds, ENGINE_PROFILE="mutation")
    if status is None:
        return False
    assert status in (0, 1), (folder / "output").read_text()  # not: no tests, or no import
    return status == 0


@pytest.mark.parametrize("room", ["engine", "clients"])
def test_unbroken_it_passes(house, room):
    tests = {rule["noticed_by"] for rule in RULES if rule.get("room", "engine") == room}
    assert passes(house(room), room, *tests, seconds=300)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_a_broken_rule_is_noticed(house, rule):
    room = rule.get("room", "engine")
    path = house(room) / HOUSE / room / rule["file"]
    source = path.read_text()
    assert source.count(rule["old"]) == 1, f"the rule is not in {room} as rules.yml tells it"
    path.write_text(source.replace(rule["old"], rule["new"]))
    try:
        assert not passes(house(room), room, rule["noticed_by"])
    finally:
        path.write_text(source)
