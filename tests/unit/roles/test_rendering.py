# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles' templates make of their variables: tests/roles/*.yml, a file for each role."""
from __future__ import annotations

import re

import jmespath
import pytest
from ansible.errors import AnsibleError
from tests.rendering import cases, options, rendered, set_name

ROLES = sorted({role for role, _name, _case in cases()})
MADE = [pytest.param(role, case, id=f"{role}: {name}") for role, name, case in cases()
        if "objects" in case]
REFUSED = [pytest.param(role, case, id=f"{role}: {name}") for role, name, case in cases()
           if "refused" in case]


@pytest.mark.parametrize(("role", "case"), MADE)
def test_objects(role, case):
    manifests = rendered(role, case["variables"])
    found = {named(manifest): manifest for manifest in manifests}
    assert len(found) == len(manifests)
    assert sorted(found) == sorted(case["objects"])
    told = {name: {path: jmespath.search(path, found[name]) for path in paths}
            for name, paths in case["objects"].items()}
    assert told == case["objects"]
    assert set_name(role, case["variables"]) == case.get("set", role.replace("_", "-"))


def named(manifest: dict) -> str:
    """Deployment/shop/web, Namespace/shop."""
    meta = manifest["metadata"]
    return "/".join(filter(None, (manifest["kind"], meta.get("namespace"), meta["name"])))


@pytest.mark.parametrize(("role", "case"), REFUSED)
def test_refused(role, case):
    with pytest.raises(AnsibleError, match=re.escape(case["refused"])):
        rendered(role, case["variables"])


def ways(specs: dict, before: tuple = ()) -> set:
    """The options of a role and of all that lie in them, as paths."""
    found = set()
    for name, spec in specs.items():
        found |= {(*before, name)} | ways(spec.get("options") or {}, (*before, name))
    return found


def used(value, before: tuple = ()) -> set:
    """The paths of all that is said in a structure."""
    if isinstance(value, list):
        return {way for item in value for way in used(item, before)}
    if isinstance(value, dict):
        return {way for name, item in value.items()
                for way in {(*before, name), *used(item, (*before, name))}}
    return set()


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_case(role):
    said = {way for owner, _name, case in cases() if owner == role
            for way in used(case["variables"])}
    # What may be said of a namespace or of a service is tried with one of them.
    tails = {way[1:] for way in said}
    assert not {way for way in ways(options(role)) if way not in said
                and (len(way) < 2 or way[1:] not in tails)}
