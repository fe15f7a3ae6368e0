# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The validator: cases are data in tests/plans/rules.yml, and every rule has one that finds it."""
from __future__ import annotations

import copy
import datetime
import re

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.clients.shapes import Violation
from ansible_collections.groundwork.aws.plugins.module_utils.components import rules
from ansible_collections.groundwork.aws.plugins.module_utils.components.context import Stack
from ansible_collections.groundwork.aws.plugins.module_utils.components.findings import View
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.options import checked
from tests.world import ACCOUNT, PLANS, World, stack
from tools.findings import ROOT, page

FILE = yaml.safe_load((PLANS / "rules.yml").read_text())
CASES = [pytest.param(case, id=case["name"]) for case in FILE["cases"]]
ONLINE = [pytest.param(case, id=case["name"]) for case in FILE["online"]]
TODAY = datetime.date(2026, 11, 21)


def merged(low, high):
    """Values of `high` over those of `low`, at every depth; null takes an option away."""
    if not (isinstance(low, dict) and isinstance(high, dict)):
        return high
    both = {k: merged(low.get(k), v) for k, v in high.items() if v is not None}
    return {**{k: v for k, v in low.items() if k not in high}, **both}


def stack_of(case: dict) -> Stack:
    made = Stack("acme", "test", case.get("region", "us-east-1"), ACCOUNT)
    made.production = case.get("production", False)
    return made


def options_of(case: dict) -> dict:
    """The options of a case, over the base it names, checked as in a run."""
    given = merged(copy.deepcopy(FILE["bases"][case.get("base", "none")]), case.get("given", {}))
    options = {}
    for name, values in given.items():
        if name not in COMPONENTS:
            options[name] = values
            continue
        part = COMPONENTS[name]  # what is none, such as capacity, is taken as it stands
        options[name], problems = checked(name, values, part.SPEC, getattr(part, "NAMED", None))
        assert not problems
    return options


def found_in(case: dict) -> list:
    waivers = case.get("waivers", {})
    today = case.get("today", TODAY)
    if "creates" in case or "updates" in case:
        see = View(stack=stack_of(case), options=options_of(case), today=today,
                   lives=case.get("lives", {}), creates=frozenset(case.get("creates", ())),
                   violations=tuple((key, Violation("", *rest)) for key, *rest in
                                    case.get("violations", ())),
                   updates={
                       key: {field: tuple(pair) for field, pair in fields.items()}
                       for key, fields in case.get("updates", {}).items()})
        return rules.online(see, Facts(case.get("facts", {})), waivers)
    return rules.findings(stack_of(case), options_of(case), waivers, today)


class Facts:
    """What AWS says, as data; everything else it does not say."""

    def __init__(self, known: dict):
        self.known, self.asked = known, []

    def __getattr__(self, name: str):
        def answer(*given):
            self.asked.append(name)
            known = self.known.get(name)
            if name == "offered_zones" and known is not None:
                return {kind: set(known.get(kind, ())) for kind in given[0]}
            return known.get(given[-1]) if isinstance(known, dict) else known

        return answer


@pytest.mark.parametrize("case", CASES + ONLINE)
def test_case(case):
    """The findings of a case are exactly those that it names."""
    found = found_in(case)
    assert sorted({f.id for f in found}) == sorted(case["finds"]), [f.line("x") for f in found]
    text = "\n".join(f.line("acme-test") for f in found)
    for part in case.get("says", ()):
        assert part in text, text
    assert {f.id for f in found if f.waived} == set(case.get("waived", ()))


def given_to(name: str) -> dict:
    """The options of a shipped stack, as the rules see them."""
    given = stack(name)
    return {**options_of({"given": given["components"]}), "capacity": given["capacity"]}


@pytest.mark.parametrize("name", ["sentineltranslate-dev", "sentineltranslate-staging",
                                  "sentineltranslate-prod", "pingvas-shared"])
def test_our_stacks_have_no_errors(name):
    found = rules.findings(stack_of({"production": "dev" not in name}),
                           given_to(name), {}, TODAY)
    assert not rules.errors(found), [f.line(name) for f in rules.errors(found)]


def test_the_documents_system_nodes_do_not_hold_what_runs_there():
    """Decision 16: two t3.medium for ArgoCD, Prometheus and Karpenter."""
    options = given_to("pingvas-shared")
    assert options["capacity"]["pods"]
    options["eks_nodegroups"]["nodegroups"]["system"].update(
        instance_types=["t3.medium"], max_size=2)
    found = rules.findings(stack_of({}), options, {}, TODAY)
    assert [f.line("x") for f in found if f.id == "node-capacity"] == [
        "x: eks_nodegroups.nodegroups.system: up to 2 x t3.medium: 5.2 vCPU wanted, 3.5 vCPU "
        "there; 10.9 GiB wanted, 6.1 GiB there; 45 pods wanted, 26 pods there; use larger or more "
        "nodes [node-capacity]"]


def test_every_rule_has_a_case():
    named = {name for case in FILE["cases"] + FILE["online"] for name in case["finds"]}
    assert {rule.id for rule in (*rules.RULES, *rules.ONLINE)} | {rules.WAIVER} == named


def test_ids_are_unique_and_everything_is_said():
    table = [*rules.RULES, *rules.ONLINE]
    assert len({rule.id for rule in table}) == len(table)
    for rule in table:
        assert rule.what and rule.instead and rule.severity in ("error", "warning"), rule.id


def test_page_is_current():
    assert (ROOT / "docs" / "findings.md").read_text().endswith(page()), "run make docs"


# ---- in a run ----------------------------------------------------------------------------------

NETWORK = {"network": {"cidr_block": "10.0.0.0/16",
                       "availability_zones": ["us-east-1a", "us-east-1b"]}}


def test_errors_stop_before_anything_is_read():
    world = World()
    bad = {"network": {**NETWORK["network"], "availability_zones": ["us-east-1a", "us-west-2b"],
                       "gateway_endpoints": ["ecr.api"]}}
    result = world.run(bad)
    assert result["failed"] and len(result["problems"]) == 2
    assert result["problems"][0].startswith("acme-test: network.")
    assert result["problems"][0].endswith("[zone-region]")
    assert not world.lab.calls.names


def test_each_thing_is_said_once_with_its_id():
    """Rules first; what a component cannot build is told where no rule refuses its options."""
    bad = {**NETWORK, "eks_cluster": {"version": "latest", "addons": {}},
           "eks_nodegroups": {"nodegroups": {"gpu": {
               "instance_types": ["t3.medium"], "min_size": 3, "max_size": 1}}},
           "elasticache": {"caches": {"prod": {
               "topology": "sentinel", "engine_version": "7.1", "cache_node_type": "x"}}},
           "secrets": {"secrets": {"a": {"name": "what?"}}}}
    result = World().run(bad, check=True)
    assert sorted(re.findall(r"\[([\w-]+)\]$", result["msg"], re.M)) == [
        "eks-version-unknown", "gpu-type", "nodegroup-size", "options", "redis-sentinel"]
    assert "acme-test: secrets.secrets.a.name: what? has other characters" in result["msg"]


def test_warnings_are_shown_and_returned_and_waived():
    world, costly = World(), {"network": {
        **NETWORK["network"], "nat_gateways": "none",
        "interface_endpoints": ["ec2", "ecr.api", "ecr.dkr", "sts", "logs"]}}
    result = world.run(costly, check=True)
    assert [f["id"] for f in result["findings"]] == ["endpoints-cost"]
    assert "[endpoints-cost]" in result["warnings"][0]
    later = str(datetime.date.today() + datetime.timedelta(days=30))
    result = world.run(costly, check=True, waivers={
        "endpoints-cost": {"reason": "isolation", "until": later}})
    assert result["findings"][0]["waived"] and not result["warnings"]


def test_a_removal_needs_no_good_options():
    world = World()
    assert not world.run(NETWORK)["failed"]
    bad = {"network": {**NETWORK["network"], "gateway_endpoints": ["s3", "ecr.api"]}}
    assert world.run(bad)["failed"]
    gone = world.run(bad, state="absent", confirm_destroy="acme-test")
    assert not gone["failed"] and world.left() == set()


def test_quotas_are_asked_when_something_is_made_and_not_again():
    world = World(quotas={"elastic_ips": 0})
    result = world.run(NETWORK)
    assert result["failed"] and "[quota]" in result["msg"] and not world.writes()
    world.lab.set(quotas={})
    assert not world.run(NETWORK)["failed"]
    assert not world.run(NETWORK)["changed"]
    assert not [name for name in world.lab.calls.names if name.startswith("service-quotas")]


def test_without_the_permission_to_read_quotas_the_run_goes_on():
    world = World(deny={"*": ["servicequotas:GetServiceQuota"]})
    assert not world.run(NETWORK)["failed"]
