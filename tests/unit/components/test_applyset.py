# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of Kubernetes objects without a cluster: what comes before what, and what may be seen."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.clients.kubernetes import (
    Nowhere, Rejected, failure,
)
from ansible_collections.groundwork.aws.plugins.module_utils.components.applyset import (
    build, secrets_elsewhere,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine import errors
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import search
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock
from ansible_collections.groundwork.aws.plugins.module_utils.types import compare
from ansible_collections.groundwork.aws.plugins.module_utils.types.applyset import Parent
from ansible_collections.groundwork.aws.plugins.module_utils.types.kinds import TABLE, facts
from ansible_collections.groundwork.aws.plugins.module_utils.types.kubernetes import Kinds

SETS = Path(__file__).parents[2] / "sets"
EDGES = yaml.safe_load((SETS / "edges.yml").read_text())["cases"]
SECRETS = yaml.safe_load((SETS / "secrets.yml").read_text())["cases"]
QUANTITIES = yaml.safe_load((SETS / "quantities.yml").read_text())["cases"]
STATES = yaml.safe_load((SETS / "states.yml").read_text())["cases"]


def members(objects: list, releases=()) -> list:
    """The resources of a set, but for its parent."""
    parent = Parent(key="set/parent/set", name="set", namespace="default")
    kinds = Kinds(Nowhere("cluster", Clock()), parent)
    return build(objects, parent, kinds, releases)[1:]


def built(objects: list) -> dict:
    """kind/name -> resource of a set, of those that are not in dev."""
    return {f"{r.kind}/{r.manifest['metadata']['name']}": r for r in members(objects)
            if r.manifest["metadata"].get("namespace") != "dev"}


@pytest.mark.parametrize("case", EDGES, ids=[c["name"] for c in EDGES])
def test_what_comes_before_what(case):
    found = built(case["objects"])
    for name, after in case["after"].items():
        needs = [f"{r.kind}/{r.manifest['metadata']['name']}" for r in found[name].needs
                 if not isinstance(r, Parent)]
        assert sorted(needs) == sorted(after), name
        assert not [r for r in found[name].needs if getattr(r, "namespace", "") == "dev"]


@pytest.mark.parametrize("case", QUANTITIES, ids=[c["name"] for c in QUANTITIES])
def test_quantities(case):
    told = []
    try:
        built(case["objects"])
    except ValueError as error:
        told = str(error).splitlines()
    rest = " is no quantity; write a number and its unit, such as 500m, 1.5 or 2Gi"
    assert sorted(told) == sorted(line + rest for line in case["refused"])


@pytest.mark.parametrize("case", SECRETS, ids=[c["name"] for c in SECRETS])
def test_secrets_elsewhere(case):
    releases = [{"chart": "web", "repo": None, "version": "1.0.0", "values": {}, "needs": [],
                 "secret_values": {}, "timeout": None, "own_version": None, **release}
                for release in case.get("releases", ())]
    assert secrets_elsewhere(members(case["objects"], releases)) == case["wanted"]


@pytest.mark.parametrize("case", STATES, ids=[f"{c['kind']}: {c['name']}" for c in STATES])
def test_readiness(case):
    row, live = facts(case["kind"]), case["live"]
    ready = not row.ready or bool(search(row.ready, live))
    failed = bool(search(row.failed, live)) if row.failed else False
    assert (ready, failed) == (case["ready"], case.get("failed", False))


def test_every_row_of_the_table_is_tried_both_ways():
    tried = {kind: {c["ready"] for c in STATES if c["kind"] == kind} for kind in TABLE}
    assert {k: v for k, v in tried.items() if v != {True, False} and TABLE[k].ready} == {}


@pytest.mark.parametrize(("status", "answer", "kind"), [
    (403, {"reason": "Forbidden", "message": "exceeded quota: small"}, errors.Quota),
    (403, {"reason": "Forbidden", "message": "no"}, errors.Denied),
    (404, {"reason": "NotFound"}, errors.NotFound),
    (409, {"reason": "AlreadyExists"}, errors.Exists),
    (409, {"reason": "Conflict", "message": "the object has been modified"}, errors.Busy),
    (409, {"reason": "Conflict", "details": {"causes": [{"reason": "FieldManagerConflict"}]}},
     Rejected),
    (422, {"reason": "Invalid"}, Rejected),
    (429, {"reason": "TooManyRequests"}, errors.Throttled),
    (429, {"details": {"causes": [{"reason": "DisruptionBudget"}]}}, errors.Busy),
    (500, {"reason": "InternalError", "message": "etcdserver: leader changed"}, errors.Ambiguous),
    (500, {"reason": "InternalError", "message": "failed calling webhook"}, Rejected),
    (500, {"reason": "InternalError", "message": "etcdserver: request is too large"}, Rejected),
    (503, {"reason": "ServiceUnavailable"}, errors.Ambiguous),
])
def test_failures(status, answer, kind):
    assert failure(status, answer, "patch").__class__ is kind


def test_messages_leave_out_the_dumps_of_objects():
    dump = 'Invalid value: {"matchLabels":{"app":"x"}}: field is immutable'
    said = failure(422, {"reason": "Invalid", "details": {"causes": [
        {"field": "spec.selector", "message": dump}]}}, "patch")
    assert said.text == "spec.selector: Invalid value: (…): field is immutable"


def test_lists_are_told_by_name():
    flat = compare.flat({"spec": {"containers": [{"name": "a", "image": "x"}], "args": [1, 2]}})
    assert flat == {"spec.containers[a].name": "a", "spec.containers[a].image": "x",
                    "spec.args[0]": 1, "spec.args[1]": 2}


def test_absence_and_emptiness_differ():
    """The engine takes nothing, empty and false for the same; the server does not."""
    found = compare.changes({"metadata": {}, "spec": {}},
                            {"metadata": {}, "spec": {"automount": False, "selector": {}}})
    assert found["manifest"]["live"] == {"spec.automount": "(none)", "spec.selector": "(none)",
                                         "spec": {}}


@pytest.mark.parametrize(("owners", "sent"), [
    (("groundwork/Apply",), {"replicas": 5, "paused": False}),
    (("kube-controller-manager/Update",), {"paused": False}),
    (("groundwork/Apply", "kim/Apply"), {"replicas": 5, "paused": False}),
    (("groundwork/Update",), {"paused": False}),
    ((), {"paused": False}),
])
def test_what_counts_at_creation_only(owners, sent):
    """While it is still ours leaving it out would take it away; what is another's is left alone."""
    notes = {compare.ONCE: "spec.replicas, spec.absent"}
    manifest = {"metadata": {"annotations": notes}, "spec": {"replicas": 2, "paused": False}}
    managed = [{"manager": m, "operation": o, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
               for m, o in (owner.split("/") for owner in owners)]
    live = {"metadata": {"managedFields": managed}, "spec": {"replicas": 5}}
    assert compare.settled(manifest, live)["spec"] == sent
    assert compare.settled(manifest, None)["spec"] == {"replicas": 2, "paused": False}
    plain = {**manifest, "metadata": {}}
    assert compare.settled(plain, live) is plain
