# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roles with charts, tests/charts/*.yml: what their options do, and what of it the charts know."""
from __future__ import annotations

import copy
import functools
import json
import runpy
from pathlib import Path

import jmespath
import jsonschema
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from tests.rendering import options
from tests.role_tasks import ROOT, handed_over

CHARTS = ROOT / "lab" / "charts"
CASES = {path.stem: yaml.safe_load(path.read_text())
         for path in sorted((ROOT / "tests" / "charts").glob("*.yml"))}
# Options that say whether a task runs at all, and where that is looked at.
SWITCHES = {"gpu_smoke_test": "molecule/gpu/verify.yml"}


def each() -> list:
    return [pytest.param(role, case, id=f"{role}: {case['name']}")
            for role, cases in CASES.items() for case in cases]


def ways(value, way: tuple = ()):
    """The way to each variable that is given, those in lists of dictionaries too."""
    for name, inner in value.items():
        yield (*way, name)
        if isinstance(inner, list):
            for number, item in enumerate(inner):
                if isinstance(item, dict):
                    yield from ways(item, (*way, name, number))


def without(given: dict, way: tuple) -> dict:
    """The same options without the one that is named; without a name, all of them."""
    given = copy.deepcopy(given)
    for name in way[-1:]:
        del functools.reduce(lambda found, part: found[part], way[:-1], given)[name]
    return given


def documented(specs: dict, way: tuple = ()) -> set:
    """The names on the way to each documented option."""
    return {found for name, spec in specs.items() for found in {
        (*way, name), *documented(spec.get("options") or {}, (*way, name))}}


@functools.lru_cache(maxsize=None)
def rendered() -> dict:
    """(role, case, way that is left out or none) -> what the role hands over."""
    asked = {(role, case["name"], way): [role, case.get("tasks", "main"),
                                         without(case["variables"], way)]
             for role, cases in CASES.items() for case in cases
             for way in ((), *ways(case["variables"]))}
    return dict(zip(asked, handed_over(list(asked.values()))))


@pytest.mark.parametrize(("role", "case"), each())
def test_what_is_handed_over(role, case):
    valid = ArgumentSpecValidator(options(role)).validate(
        {name: value for name, value in case["variables"].items() if name.startswith(role)})
    assert not valid.error_messages
    found = rendered()[role, case["name"], ()]
    assert isinstance(found, dict), found
    for path, value in case["expect"].items():
        assert jmespath.search(path, found) == value, path


@pytest.mark.parametrize(("role", "case"), each())
def test_every_option_has_an_effect(role, case):
    found = rendered()
    idle = [way for way in ways(case["variables"])
            if found[role, case["name"], way] == found[role, case["name"], ()]]
    assert not idle


@pytest.mark.parametrize("role", CASES)
def test_every_option_has_a_case(role):
    seen = {tuple(part for part in way if isinstance(part, str))
            for case in CASES[role] for way in ways(case["variables"])}
    seen |= {(name,) for name, place in SWITCHES.items() if name in (ROOT / place).read_text()}
    assert not documented(options(role)) - seen


@pytest.mark.parametrize(("role", "case"), each())
def test_charts_know_the_values(role, case):
    """Names and types are those of the vendor's values.yaml of exactly this version."""
    for release in rendered()[role, case["name"], ()].get("releases", ()):
        folder = CHARTS / release["name"]
        schema = json.loads((folder / "values.schema.json").read_text())
        jsonschema.validate(release["values"], schema)


def test_stand_ins_are_of_the_pinned_versions():
    """Each chart of a role has its stand-in, which says so; the overlay points at it."""
    overlay = runpy.run_path(str(ROOT / "inventories" / "lab" / "lab.py"))
    given, pins = overlay["variables"]("http://localhost"), {}
    for path in (ROOT / "roles").glob("*/defaults/main.yml"):
        defaults = yaml.safe_load(path.read_text())
        pins |= {name: (defaults[name].rsplit("/")[-1], defaults[f"{name}_version"])
                 for name in defaults if name.endswith("_chart")}
    assert pins
    for name, (chart, version) in pins.items():
        folder = Path(given[name])
        about = yaml.safe_load((folder / "Chart.yaml").read_text())
        assert (given[f"{name}_repo"], folder) == ("", CHARTS / chart)
        assert (about["name"], about["version"]) == (chart, str(version))
        assert about["description"].startswith("Stand-in of the lab")
        assert "stand-in" in (folder / "templates" / "NOTES.txt").read_text()
        assert json.loads((folder / "values.schema.json").read_text())["additionalProperties"] \
            is False
