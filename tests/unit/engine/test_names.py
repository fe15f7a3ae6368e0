"""Names: taken, leaving, lost and found, and given again."""
from __future__ import annotations

import pytest

from ansible_collections.groundwork.aws.plugins.module_utils.engine import errors
from ansible_collections.groundwork.aws.plugins.module_utils.engine.apply import Run
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import Policy, plan
from ansible_collections.groundwork.aws.plugins.module_utils.engine.scan import Scan
from tests.unit.engine import toys
from tests.unit.engine.test_apply import CLUSTER, ROLE, applied, clusters
from tests.unit.engine.toys import STACK, VirtualClock, World, made, tags


@pytest.fixture(name="world")
def _world():
    return World(VirtualClock())


class Named(toys.Cluster):
    """Others refer to it by its name."""

    ref = "Name"


def test_the_heir_of_a_name_is_found_after_a_lost_answer(world):
    """The old one of that name is gone by then."""
    roles = [made(toys.Role, f"toy/role/{name}", name=name) for name in "ab"]
    for role in roles:
        world.put("role", tags(role.key), Name=role.name)
    world.put("cluster", tags(CLUSTER), Name="c", Role="role-1")
    world.faults = {1: "lost_after"}
    wanted = [*roles, made(Named, CLUSTER, name="c", role=roles[1])]
    found = plan(wanted, Scan(world, STACK, wanted), (), Policy(allow_replace=("*",)))
    outcomes = Run(found, Scan(world, STACK, wanted), world.clock).go()
    assert {o.state for o in outcomes.values()} == {"done"}
    assert [o["Role"] for o in world.ours("cluster")] == ["role-2"]


def test_a_name_that_is_leaving_is_waited_for(world):
    role, (cluster,) = clusters(1)
    applied(world, role, cluster)
    world.delete(world.ours("cluster")[0]["Id"])
    outcomes, _events = applied(world, role, cluster)
    assert outcomes[cluster.key].state == "done" and outcomes[cluster.key].seconds > 700
    assert len(world.ours("cluster")) == 1


def test_a_name_that_is_leaving_is_not_taken_for_a_lost_answer(world):
    role, (cluster,) = clusters(1)
    applied(world, role, cluster)
    world.delete(world.ours("cluster")[0]["Id"])
    world.clock.sleep(199)
    outcomes, _events = applied(world, role, cluster)
    assert 600 < outcomes[cluster.key].seconds < 625  # it takes 600, and the old one has a second


@pytest.mark.parametrize(("name", "again"), [("r", False), ("1", True)])
def test_what_refers_to_something_made_again_is_replaced_unless_its_name_is_the_reference(
        world, name, again):
    """A role is known by its name or, like a net, by a number of the service, which is another."""
    role = made(toys.Role, ROLE, name=name)
    user = made(toys.Cluster, CLUSTER, name="c", role=role)
    applied(world, role, user)
    world.objects.pop("role-1")
    if again:  # the number ends like the name: only the run can tell
        outcomes, _events = applied(world, role, user)
        assert outcomes[ROLE].state == "done"
        assert "the next plan replaces it" in outcomes[CLUSTER].why
    with pytest.raises(errors.Refused, match=f"replace {CLUSTER}: role .* allow it with"):
        applied(world, role, user)
    outcomes, _events = applied(world, role, user, allow_replace=(CLUSTER,))
    assert {o.state for o in outcomes.values()} == {"done"}
    assert applied(world, role, user)[0] == {}


def test_what_refers_by_name_to_something_made_again_stays(world):
    cluster = made(Named, CLUSTER, name="c")
    node = made(toys.Node, "toy/node/a", cluster=cluster)
    world.put("node", tags(node.key), Cluster="c")
    outcomes, _events = applied(world, cluster, node)
    assert {o.state for o in outcomes.values()} == {"done"}
    assert [o["Cluster"] for o in world.ours("node")] == ["c"]
