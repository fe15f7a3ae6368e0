# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Odd values for every option of every component: a line that says what to do, or a stack."""
from __future__ import annotations

import copy
import types

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.aws.plugins.module_utils import run
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import ACCOUNT, REGION, Module, World, cases

TEXT = ["", " ", "-", "a b", "None", "é", "x" * 300, "0", "arn:", "sg-", "{account_id}",
        "1.2.3.4/5", "10.0.0.0/33", None]
ODD = {
    "str": TEXT, "int": [0, -1, 10 ** 9, None], "float": [0, -1, 0.3, 1e9, None],
    "bool": [None, True, False],
    "list": [[], [None], [""], ["a b"], [{}], ["-"], [[]], ["x", "x"], [0],
             [{"Effect": "Allow"}], [{"Action": None}]],
    "dict": [{}, {"": {}}, {None: {}}, {1: {}}, {"a b": {}}, {"a/b": {}}, {"x": None}, {"x": ""},
             {"x": []}, {"x": {}}, {"x": "y"}, {"x": 0}],
}
PARAMS = ArgumentSpecValidator({**run.aws_argument_spec(), **run.COMMON}).validate(dict(
    product="acme", environment="test", region=REGION, aws_account_id=ACCOUNT)).validated_parameters
NETWORK = {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}
LATER = {"reason": "test", "until": "2999-01-01"}


def places(spec: dict, named: dict | None, values, way=()) -> list:
    """(way, type) of every option, within what a case gives and one level of what it does not."""
    found = []
    for name, option in spec.items():
        value = values.get(name) if isinstance(values, dict) else None
        kind, inner = option.get("type", "str"), option.get("options")
        found.append(((*way, name), kind))
        if name in (named or {}):
            pair = named[name]
            below, deeper = pair if isinstance(pair, tuple) else (pair, None)
            for key, its in (value or {"x": {}}).items():
                found += places(below, deeper, its or {}, (*way, name, key))
        elif inner and kind == "dict":
            found += places(inner, None, value or {}, (*way, name))
        elif inner:
            found += places(inner, None, (value or [{}])[0], (*way, name, 0))
    return found


def put(options: dict, way: tuple, odd) -> None:
    """Sets a value, making what is on the way to it; a way that another change cut is left."""
    place = options
    for name, following in zip(way, way[1:]):
        empty = [] if isinstance(following, int) else {}
        if isinstance(place, list):
            place[:] = place or [{}]
        elif isinstance(place, dict) and place.get(name) is None:
            place[name] = empty
        try:
            place = place[name]
        except (LookupError, TypeError):
            return
    if isinstance(place, dict):
        place[way[-1]] = odd


def built(options: dict, **params):
    """A session without AWS: all that happens before the first read."""
    known = types.SimpleNamespace(region=REGION, account_id=ACCOUNT, partition="aws")
    module = Module({**PARAMS, **params}, True, False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "connect", lambda *_given: known)
        return run.StackSession(module, COMPONENTS, copy.deepcopy(options))


@st.composite
def oddities(draw):
    """The options of a case with one or two odd values."""
    component = draw(st.sampled_from(list(COMPONENTS)))
    case = draw(st.sampled_from([c for _n, c in cases(component) if "options" in c]))
    part, options = COMPONENTS[component], copy.deepcopy(case["options"])
    known = places(part.SPEC, getattr(part, "NAMED", None), options.get(component) or {})
    for _turn in range(draw(st.integers(1, 2))):
        way, kind = draw(st.sampled_from(known))
        put(options.setdefault(component, {}), way, copy.deepcopy(draw(st.sampled_from(ODD[kind]))))
    return options


@settings(max_examples=400, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
@given(oddities())
def test_no_traceback(options):
    try:
        built(options)
    except Refused as refused:
        assert all(": " in problem for problem in refused.problems), refused.problems
    built(options, state="absent")  # a removal goes by what is found


@pytest.mark.parametrize(("options", "params", "says"), [
    ({"network": {**NETWORK, "availability_zones": []}}, {},
     "network.availability_zones: none is named; name at least one"),
    ({"network": {**NETWORK, "availability_zones": ["us-east-1a", None]}}, {},
     "network.availability_zones[1]: is empty; write a value, or leave it out"),
    ({"network": {**NETWORK, "nat_gateway_zone": "us-east-1f"}},
     {"waivers": {"zone-unknown": LATER}},
     "network.nat_gateway_zone: us-east-1f is not among availability_zones; name one of these"),
    ({"network": {**NETWORK, "subnets": {"private": {}}, "internet_gateway": True}},
     {"waivers": {"nat-without-public": LATER}}, "network.nat_gateways: "),
    ({"security_groups": {"groups": {None: {}}}}, {},
     "security_groups.groups: a name is empty; give it one"),
    ({"s3_buckets": {"buckets": {"documents": False}}}, {},
     "s3_buckets.buckets.documents: must be a dictionary"),
    ({"eks_cluster": {"addons": {
        "eks-pod-identity-agent": {}, "vpc-cni": {"pod_identity": {"aws-node": {}}}}}}, {},
     "eks_cluster.addons.vpc-cni.pod_identity.aws-node: {} is not a role; write a name"),
    ({"network": NETWORK}, {"product": "acme corp"}, "product: 'acme corp' is a part of names"),
    ({"network": NETWORK}, {"environment": "dev/1"}, "environment: 'dev/1' is a part of names"),
    ({"network": NETWORK}, {"product": ""}, "product: '' is a part of names in AWS; use letters"),
    ({"network": NETWORK}, {"capacity": {"gpu_quotas": {"dev": "three"}}},
     "capacity.gpu_quotas.dev: three is not a number of GPUs; write one, such as 3"),
])
def test_what_to_do(options, params, says):
    with pytest.raises(Refused) as refused:
        built(options, **params)
    assert says in str(refused.value)


def test_a_removal_without_good_options_goes_by_what_is_found():
    world = World()
    assert not world.run({"network": NETWORK})["failed"]
    for bad in ({"availability_zones": []}, {"nat_gateway_zone": "us-east-1f"}, {"unknown": 1}):
        gone = world.run({"network": {**NETWORK, **bad}}, state="absent", check=True)
        assert not gone["failed"] and gone["summary"]["delete"] > 5
    gone = world.run({"network": {}}, state="absent", confirm_destroy="acme-test")
    assert not gone["failed"] and world.left() == set()
    assert "missing required arguments" in gone["warnings"][0]
