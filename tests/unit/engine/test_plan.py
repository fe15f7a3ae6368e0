"""What plans say, one rule at a time."""
from __future__ import annotations

import pytest

from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Ambiguous, Refused
from ansible_collections.groundwork.aws.plugins.module_utils.engine.graph import remaining
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import (
    Policy, destroy, plan,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import (
    Impact, Lookup, attr, diff,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.scan import Scan
from tests.unit.engine import toys
from tests.unit.engine.toys import KEY, OWNER, REPLACED, STACK, World, VirtualClock, made, tags

NET, HOST, DISK, ROLE = "toy/net/a", "toy/host/a", "toy/disk/a", "toy/role/a"


@pytest.fixture(name="world")
def _world():
    return World(VirtualClock())


def planned(world, *wanted, **policy):
    return plan(wanted, Scan(world, STACK, wanted), toys.TYPES, Policy(**policy))


def one(world, *wanted, **policy):
    """The only change that is not a keep."""
    (change,) = planned(world, *wanted, **policy).steps
    return change


def refusal(world, *wanted, **policy) -> str:
    with pytest.raises(Refused) as refused:
        planned(world, *wanted, **policy)
    assert world.writes == 0
    return str(refused.value)


def host_of(world, **live):
    """A live host on a live net, and the net wanted."""
    net = world.put("net", tags(NET), Cidr=1)
    world.put("host", tags(HOST), Net=net, Size=1, Image="a", **live)
    return made(toys.Net, NET, cidr=1)


@pytest.mark.parametrize(("fields", "impact", "seconds"), [
    ({"size": 2}, Impact.DOWNTIME, 120),
    ({"image": "b"}, Impact.ROLLING, 60),
    ({"image": "b", "size": 2}, Impact.DOWNTIME, 180),
    ({"alarm": 3}, Impact.IN_PLACE, 1),
])
def test_an_update_has_the_worst_impact_of_its_fields(world, fields, impact, seconds):
    net = host_of(world)
    change = one(world, net, made(toys.Host, HOST, net=net, **fields))
    assert (change.action, change.impact, change.seconds) == ("update", impact, seconds)
    assert {name: new for name, (_old, new) in change.changed.items()} == fields


def test_tags_alone_have_no_impact(world):
    world.put("net", {**tags(NET), "Name": "old", "Team": "theirs"}, Cidr=1)
    change = one(world, made(toys.Net, NET, cidr=1))
    assert (change.action, change.impact) == ("update", Impact.NONE)
    assert list(change.changed) == ["tags"]


def test_creation_replacement_and_removal_have_their_impact_and_seconds(world):
    net = host_of(world)
    other = made(toys.Net, "toy/net/b", cidr=1)
    new = planned(world, other, made(toys.Host, "toy/host/b", net=other)).changes[1]
    assert (new.action, new.impact, new.seconds) == ("create", Impact.NONE, 20)
    assert str(new.resource.net) == "(after apply: toy/net/b)"
    found = planned(world, net, other, made(toys.Host, HOST, net=other), allow_replace=(HOST,))
    replaced = next(c for c in found.changes if c.key == HOST)
    assert (replaced.action, replaced.impact) == ("replace", Impact.REPLACE)
    gone = planned(world, net, prune=True).steps[0]
    assert (gone.action, gone.impact, gone.seconds) == ("delete", Impact.DOWNTIME, 10)


def test_a_replaced_disk_is_a_loss_of_data(world):
    world.put("disk", tags(DISK), Format=1)
    wanted = made(toys.Disk, DISK, format=2)
    text = refusal(world, wanted)
    assert "format 1 -> 2 cannot be changed in place" in text and "holds data" in text
    assert "holds data" in refusal(world, wanted, allow_replace=("*",))
    found = planned(world, wanted, allow_replace=("toy/disk/*",), allow_data_loss=(DISK,))
    assert found.changes[0].impact == Impact.DATA_LOSS
    assert "holds data" in refusal(world, wanted, allow_replace=("*",), allow_data_loss=("toy/*",))


def test_two_objects_with_one_key_are_an_error_that_names_both(world):
    ids = [world.put("net", tags(NET), Cidr=1) for _turn in range(2)]
    assert f"plan {NET}: {ids[0]} and {ids[1]} both carry this key" in refusal(
        world, made(toys.Net, NET, cidr=1))


def test_another_owner_s_tags_are_nobody_of_ours(world):
    world.put("net", {OWNER: "other-dev", KEY: NET}, Cidr=2)
    assert one(world, made(toys.Net, NET, cidr=1)).action == "create"


@pytest.mark.parametrize(("theirs", "words"), [
    ({}, "nobody known here"), ({OWNER: "other-dev"}, "stack other-dev")])
def test_a_foreign_name_is_refused_or_adopted(world, theirs, words):
    name = world.put("role", theirs, Name="r", Path=1)
    wanted = made(toys.Role, ROLE, name="r", path=1)
    assert f"plan {ROLE}: {name} exists and belongs to {words}" in refusal(world, wanted)
    change = one(world, wanted, adopt=(ROLE,))
    assert (change.action, list(change.changed)) == ("update", ["tags"])


def test_a_foreign_name_keeps_no_removal_back(world):
    world.put("role", {}, Name="r")
    ours = world.put("net", tags(NET))
    wanted = [made(toys.Role, ROLE, name="r"), made(toys.Net, NET, cidr=1)]
    found = destroy(wanted, Scan(world, STACK, wanted), toys.TYPES)
    assert [c.live["Id"] for c in found.steps] == [ours]


def test_a_circle_is_named():
    one_, two = made(toys.Role, "a/role/1"), made(toys.Role, "a/role/2")
    one_.trust, two.trust = {"other": two}, {"other": one_}
    with pytest.raises(Refused, match="need each other: a/role/. -> a/role/. -> a/role/"):
        planned(None, one_, two)


def test_a_key_that_is_used_twice_is_named():
    with pytest.raises(Refused, match="plan toy/net/a: two resources have this key"):
        planned(None, made(toys.Net, NET), made(toys.Net, NET))


def test_two_keys_for_one_object_are_an_error(world):
    world.put("role", tags(ROLE), Name="r", Path=1)
    text = refusal(world, made(toys.Role, ROLE, name="r"), made(toys.Role, "toy/role/b", name="r"))
    assert f"plan toy/role/b: it is the same object as {ROLE}" in text


def test_all_problems_come_at_once(world):
    world.put("net", tags(NET), Cidr=1)
    world.put("disk", tags(DISK), Format=1)
    text = refusal(world, made(toys.Net, NET, cidr=2), made(toys.Disk, DISK, format=2))
    assert f"replace {NET}" in text and f"replace {DISK}" in text and f"delete {DISK}" in text


def test_what_the_user_does_not_care_about_is_left_alone(world):
    net = host_of(world, Alarm=7)
    assert not planned(world, net, made(toys.Host, HOST, net=net)).steps


def test_what_matters_at_creation_only_is_not_compared(world):
    role = world.put("role", tags(ROLE), Name="r")
    world.put("cluster", tags("toy/cluster/a"), Name="c", Role=role, Desired=5, Version=3)
    wanted = made(toys.Role, ROLE, name="r")
    assert not planned(world, wanted, made(toys.Cluster, "toy/cluster/a", name="c", role=wanted,
                                           desired=1)).steps


def test_members_nobody_wants_are_drift_but_for_those_of_others(world):
    net = world.put("net", tags(NET), Cidr=1)
    extra = world.put("rule", Net=net, Port=1)
    world.put("rule", Net=net, Port=2, Auto=True)
    world.put("rule", Net=world.put("net", {}), Port=3)
    change = one(world, made(toys.Net, NET, cidr=1))
    assert (change.action, change.live["Id"], change.reason) == ("delete", extra, "not wanted")
    assert change.key == "toy/rule/a:1"


def test_members_of_what_is_left_over_stay_with_it(world):
    net = world.put("net", tags(NET), Cidr=1)
    world.put("rule", Net=net, Port=1)
    found = planned(world)
    assert not found.steps and {c.key for c in found.left_over} == {NET, "toy/rule/a:1"}
    assert len(planned(world, prune=True).steps) == 2


def test_left_overs_go_before_what_they_use(world):
    parent = world.put("net", tags(NET))
    host = world.put("host", tags(HOST), Net=parent)
    found = planned(world, prune=True)
    assert found.after == {f"{NET} (delete {parent})": {f"{HOST} (delete {host})"},
                           f"{HOST} (delete {host})": set()}


def test_left_over_data_goes_only_by_its_name(world):
    world.put("disk", tags(DISK))
    assert not planned(world, prune=True).steps
    assert one(world, prune=True, allow_data_loss=(DISK,)).action == "delete"
    assert not planned(world, allow_data_loss=(DISK,)).steps


def test_left_overs_of_other_components_are_none_of_mine(world):
    world.put("net", tags("other/net/a"))
    world.put("net", tags(NET))
    assert [c.key for c in planned(world, components=("toy",)).left_over] == [NET]


def test_create_first_moves_what_depends_and_then_deletes(world):
    world.put("disk", tags(DISK), Format=1)
    net = host_of(world, Disks=["disk-1"])
    disk = made(toys.Disk, DISK, format=2)
    found = planned(world, net, disk, made(toys.Host, HOST, net=net, disks=[disk]),
                    allow_replace=("*",), allow_data_loss=(DISK,))
    gone = f"{DISK} (delete disk-1)"
    assert (found.after[DISK], found.after[HOST]) == (set(), {DISK})
    assert {DISK, HOST} <= found.after[gone]


def test_delete_first_takes_its_users_along(world):
    role = world.put("role", tags(ROLE), Name="r", Path=1)
    cluster = world.put("cluster", tags("toy/cluster/a"), Name="c", Role=role)
    wanted = made(toys.Role, ROLE, name="r", path=2)
    user = made(toys.Cluster, "toy/cluster/a", name="c", role=wanted)
    found = planned(world, wanted, user, allow_replace=("*",))
    old_role, old_cluster = f"{ROLE} (delete {role})", f"{user.key} (delete {cluster})"
    assert found.after[old_role] == {old_cluster} and found.after[old_cluster] == set()
    assert found.after[ROLE] == {old_role} and found.after[user.key] == {ROLE, old_cluster}


def test_delete_first_of_one_does_not_hurry_the_users_of_another(world):
    """Two clusters, each with a node; one cluster and the other's node are replaced."""
    wanted, nodes = [], []
    for name in "ab":
        role = world.put("role", tags(f"toy/role/{name}"), Name=name)
        cluster = world.put("cluster", tags(f"toy/cluster/{name}"), Name=name, Role=role, Nets=[])
        net = world.put("net", tags(f"toy/net/{name}"), Cidr=1)
        nodes.append(world.put("node", tags(f"toy/node/{name}"), Cluster=cluster, Net=net))
        role_ = made(toys.Role, f"toy/role/{name}", name=name)
        net_ = made(toys.Net, f"toy/net/{name}", cidr=1 if name == "a" else 2)
        cluster_ = made(toys.Cluster, f"toy/cluster/{name}", name=name, role=role_,
                        nets=[net_] if name == "a" else [])
        wanted += [role_, net_, cluster_,
                   made(toys.Node, f"toy/node/{name}", cluster=cluster_, net=net_)]
    found = planned(world, *wanted, allow_replace=("*",))
    assert found.after[f"toy/node/a (delete {nodes[0]})"] == set()
    assert "toy/node/b" in found.after[f"toy/node/b (delete {nodes[1]})"]


def test_what_was_replaced_before_goes_after_the_users_have_moved(world):
    old = world.put("disk", {**tags(DISK), REPLACED: "true"}, Format=1)
    world.put("disk", tags(DISK), Format=2)
    net = host_of(world, Disks=[old])
    disk = made(toys.Disk, DISK, format=2)
    wanted = [net, disk, made(toys.Host, HOST, net=net, disks=[disk])]
    assert [c.key for c in planned(world, *wanted).left_over] == [DISK]
    found = planned(world, *wanted, allow_data_loss=(DISK,))
    gone = found.changes[-1]
    assert (gone.reason, gone.live["Id"]) == ("replaced earlier", old)
    assert HOST in found.after[gone.step]


def test_a_renamed_heir_is_told_from_what_it_replaces(world):
    """The name is the identity, and changes; the killed run had made the new one."""
    old = world.put("role", {**tags(ROLE), REPLACED: "true"}, Name="old", Path=1)
    world.put("role", tags(ROLE), Name="new", Path=1)
    change = one(world, made(toys.Role, ROLE, name="new", path=1))
    assert (change.reason, change.live["Id"]) == ("replaced earlier", old)


def test_a_failed_object_is_replaced_without_asking(world):
    role = world.put("role", tags(ROLE), Name="r")
    world.put("cluster", tags("toy/cluster/a"), Name="c", Role=role, State="failed")
    wanted = made(toys.Role, ROLE, name="r")
    found = planned(world, wanted, made(toys.Cluster, "toy/cluster/a", name="c", role=wanted))
    assert [(c.action, c.reason) for c in found.changes[1:]] == [("replace", "failed")]


def test_lookups_find_what_the_stack_has(world):
    net = world.put("net", tags(NET), Cidr=1)
    lookup = Lookup(key=NET, kind=toys.Net)
    assert planned(world, made(toys.Host, HOST, net=lookup)).changes[0].resource.net == net
    several = Lookup(key="toy/net/*", kind=toys.Net)
    cluster = planned(world, made(toys.Cluster, "toy/cluster/a", name="c", nets=several)).changes[0]
    assert cluster.resource.nets == [net]


def test_lookups_that_find_nothing_are_refused_together(world):
    world.put("net", tags(NET), Cidr=1)
    nets = [Lookup(key=key, kind=toys.Net) for key in ("toy/net/aa", "other/net/b")]
    cluster = made(toys.Cluster, "toy/cluster/a", name="c", nets=nets)
    image = made(toys.Host, HOST, net=nets[0], image=toys.Image(key="fact/image/x", name="x"))
    assert refusal(world, cluster, image).splitlines() == [
        f"plan toy/cluster/a: toy/net/aa is needed and not there; did you mean {NET}?",
        "plan toy/cluster/a: other/net/b is needed and not there; converge its component first",
        f"plan {HOST}: fact/image/x is needed and not there"]


def test_a_lookup_of_what_this_graph_makes_is_the_resource_itself(world):
    host = made(toys.Host, HOST, net=Lookup(key=NET, kind=toys.Net))
    found = planned(world, host, made(toys.Net, NET, cidr=1))
    assert [c.key for c in found.changes] == [NET, HOST] and found.after[HOST] == {NET}


def test_facts_are_found_by_their_identity(world):
    image = world.put("image", Name="debian")
    net = host_of(world)
    debian = toys.Image(key="fact/image/debian", name="debian")
    wanted = made(toys.Host, HOST, net=net, image=debian)
    assert one(world, net, wanted).changed == {"image": ("a", image)}


def test_a_failed_listing_is_never_taken_for_absence(world):
    world.put("net", tags(NET), Cidr=1)
    world.read_faults = {n: "lost_before" for n in range(9)}
    assert "read Net: NoAnswer" in refusal(world, made(toys.Net, NET, cidr=1))


def test_one_listing_per_type_however_many_resources(world):
    nets = [made(toys.Net, f"toy/net/{n}", cidr=1) for n in range(200)]
    planned(world, *nets)
    assert sorted(world.log) == sorted(("list", cls.kind) for cls in toys.TYPES)


def test_protected_data_keeps_destroy_back(world):
    world.put("disk", tags(DISK))
    for keep, names, goes in ((None, (), False), (False, (), True), (None, (DISK,), True)):
        wanted = [made(toys.Disk, DISK, keep=keep)]
        scan, policy = Scan(world, STACK, wanted), Policy(allow_data_loss=names)
        if goes:
            assert destroy(wanted, scan, toys.TYPES, policy).steps[0].impact == Impact.DATA_LOSS
        else:
            with pytest.raises(Refused, match="is protected"):
                destroy(wanted, scan, toys.TYPES, policy)


class Vault(toys.Cluster):
    """Slow to go, and holds data unless it is said that it may go."""

    keep: bool = attr("Keep")

    stateful = True

    @property
    def protected(self):
        return self.keep is not False


def test_what_is_leaving_already_needs_no_leave(world):
    role = world.put("role", tags(ROLE), Name="r")
    world.put("cluster", tags("toy/vault/a"), Name="v", Role=role, State="deleting")
    wanted = [made(Vault, "toy/vault/a", name="v", keep=False)]
    found = destroy(wanted, Scan(world, STACK, wanted))
    assert [(c.key, c.reason) for c in found.steps] == [("toy/vault/a", "leaving")]


def test_destroy_finds_what_nobody_wants_any_more_users_first(world):
    net = world.put("net", tags(NET))
    host = world.put("host", tags(HOST), Net=net)
    rule = world.put("rule", Net=net, Port=1)
    found = destroy([], Scan(world, STACK), toys.TYPES)
    steps = {c.live["Id"]: c.step for c in found.steps}
    assert set(steps) == {net, host, rule}
    assert found.after[steps[net]] == {steps[host], steps[rule]}


@pytest.mark.parametrize(("wanted", "live", "differs"), [
    ({"labels": {"a": 1, "b": None}}, {"Labels": {"a": 1}}, False),
    ({"labels": {}}, {}, False),
    ({"labels": {}}, {"Labels": {"a": 1}}, True),
    ({"labels": {"a": [2, 1]}}, {"Labels": {"a": [1, 2]}}, False),
    ({"labels": {"a": "1"}}, {"Labels": {"a": 1}}, True),
    ({"labels": {"a": False}}, {"Labels": {}}, False),
    ({"labels": None}, {"Labels": {"a": 1}}, False),
])
def test_the_one_diff(wanted, live, differs):
    assert bool(diff(toys.Node(key="k", **wanted), live)) is differs


def test_the_way_behind_each_step():
    after = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "e": set()}
    seconds = {"a": 1, "b": 10, "c": 2, "d": 5, "e": 3}
    assert remaining(after, seconds) == {"a": 16, "b": 15, "c": 7, "d": 5, "e": 3}


def test_ambiguous_is_not_absence():
    assert str(Ambiguous("NoAnswer", "broken", "toy:Make")) == "NoAnswer broken (toy:Make)"
