"""Random stacks of toys, random worlds they meet, and what must be true at the end."""
from __future__ import annotations

import copy
from dataclasses import dataclass, field

from hypothesis import strategies as st

from ansible_collections.groundwork.aws.plugins.module_utils.engine.apply import Run
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Failure, Refused
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import (
    Policy, destroy, plan,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import (
    Computed, Resource, needs,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.scan import Scan
from tests.unit.engine import toys
from tests.unit.engine.toys import KEY, OWNER, REPLACED, STACK, World, VirtualClock

ANYTHING = Policy(allow_replace=("*",), prune=True)

# type -> (field -> type it refers to (a list: several; "?": may be left out), field -> values)
SHAPES = {
    toys.Net: ({}, {"cidr": (1, 2), "dns": (None, True, False)}),
    toys.Disk: ({}, {"size": (1, 2, 3), "format": (1, 2)}),
    toys.Role: ({"issuer": "?Cluster"}, {"path": (1, 2)}),
    toys.Rule: ({"net": "Net"}, {"note": (None, 1, 2)}),
    toys.Host: ({"net": "Net", "disks": ["Disk"]},
                {"size": (1, 2), "alarm": (None, 1, 2), "image": (None, "a", "b")}),
    toys.Route: ({"net": "Net", "target": "?Host"}, {}),
    toys.Cluster: ({"role": "Role", "nets": ["Net"]},
                   {"version": (3, 4, 5), "logs": (None, ["a"], ["b", "a"]), "desired": (1, 2)}),
    toys.Node: ({"cluster": "Cluster", "net": "Net", "gate": "?Rule"},
                {"labels": (None, {"a": 1}, {"b": 2})}),
}
BY_NAME = {cls.__name__: cls for cls in SHAPES}


@dataclass
class Item:
    """One resource of a stack, as data; `refs`: field -> number(s) of other items."""

    cls: type
    number: int
    values: dict
    refs: dict = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"toy/{self.cls.__name__.lower()}/{self.number}"


def build(items: list[Item]) -> list[Resource]:
    """The resources of a stack."""
    made = {}
    for item in items:
        values = dict(item.values)
        for name, ref in item.refs.items():
            values[name] = [made[n] for n in ref] if isinstance(ref, list) else made[ref]
        issuer = values.pop("issuer", None)
        if issuer:
            values["trust"] = {"issuer": issuer.get("Endpoint")}
        if item.cls is toys.Rule:
            values["port"] = item.number
        if item.cls is toys.Route:
            values["dest"] = item.number
        if item.cls in (toys.Role, toys.Cluster):
            values["name"] = f"name-{item.number}"
        made[item.number] = toys.made(item.cls, item.key, **values)
    return list(made.values())


@st.composite
def stacks(draw, most: int = 8) -> list[Item]:
    """Items, each after those it refers to."""
    items = []

    def add(cls) -> int:
        refs = {}
        for name, target in SHAPES[cls][0].items():
            if isinstance(target, list):
                refs[name] = [pick(BY_NAME[target[0]]) for _turn in range(draw(st.integers(0, 2)))]
                refs[name] = sorted(set(refs[name]))
            elif not target.startswith("?"):
                refs[name] = pick(BY_NAME[target])
            elif there := [i.number for i in items if i.cls is BY_NAME[target[1:]]]:
                found = draw(st.sampled_from([None, *there]))
                refs.update({} if found is None else {name: found})
        values = {n: draw(st.sampled_from(v)) for n, v in SHAPES[cls][1].items()}
        items.append(Item(cls, len(items), values, refs))
        return items[-1].number

    def pick(cls) -> int:
        there = [i.number for i in items if i.cls is cls]
        if there and (len(there) > 1 or draw(st.booleans())):
            return draw(st.sampled_from(there))
        return add(cls)

    for _turn in range(draw(st.integers(1, most))):
        if len(items) < most:
            add(draw(st.sampled_from(list(SHAPES))))
    return items


STATES = ("same", "same", "same", "absent", "changed", "changed", "failed", "building", "marked",
          "heir")


@st.composite
def pasts(draw, items: list[Item]) -> dict:
    """What an earlier life left of the items: number -> (state, other values)."""
    found = {}
    for item in items:
        state = draw(st.sampled_from(STATES))
        other = {n: draw(st.sampled_from(v)) for n, v in SHAPES[item.cls][1].items()} \
            if state in ("changed", "heir") else {}
        if "version" in other:
            other["version"] = min(other["version"], item.values["version"])
        found[item.number] = (state, other)
    extras = draw(st.lists(st.sampled_from(
        ("rule", "route", "auto rule", "net", "disk", "role", "foreign net", "foreign role")),
        max_size=3))
    return {"items": found, "extras": extras}


def install(world: World, items: list[Item], past: dict) -> None:
    """Puts into the world what the past left."""
    ids = {}
    for item, resource in zip(items, build(items)):
        state, other = past["items"][item.number]
        refs = [r for r in needs(resource) if "issuer" not in item.refs
                or r.key != items[item.refs["issuer"]].key]
        if state == "absent" or any(r.key not in ids for r in refs):
            continue
        values = _values(resource, other, ids)
        mark = {REPLACED: "true"} if state == "marked" and item.cls.tags_path else {}
        slow = "create" in toys.SCHEMA[item.cls.kind]
        if state == "heir" and item.cls.tags_path and not item.cls.delete_first:
            old = {**values, **{resource.attrs[n].path: v for n, v in other.items() if v}}
            world.put(item.cls.kind, {**resource.tags, REPLACED: "true"}, **old)
        name = world.put(item.cls.kind, {**resource.tags, **mark}, **values)
        ids[resource.key] = name
        if slow and state == "failed":
            world.objects[name].update(State="failed", Why="no capacity")
        elif slow and state == "building":
            world.objects[name].update(State="creating", _until=50.0, _next="active")
        if item.cls is toys.Cluster and world.objects[name]["State"] == "active":
            world.objects[name]["Endpoint"] = f"https://{name}"
    _extras(world, past["extras"])


def _values(resource: Resource, other: dict, ids: dict) -> dict:
    found = {}
    for name, meta in resource.attrs.items():
        value = other.get(name, getattr(resource, name))
        if isinstance(value, dict) and any(isinstance(v, Computed) for v in value.values()):
            value = {"issuer": "https://old"}
        if isinstance(value, Resource):
            value = ids[value.key]
        elif isinstance(value, list):
            value = [ids[v.key] if isinstance(v, Resource) else v for v in value]
        if meta.path and value is not None:
            found[meta.path] = value
    return copy.deepcopy(found)


def _extras(world: World, extras: list[str]) -> None:
    nets = [o["Id"] for o in world.ours("net")]
    for number, what in enumerate(extras, 100):
        kind = what.split()[-1]
        key = f"toy/{kind}/{number}"
        if kind in ("rule", "route"):
            place = {"Port": number} if kind == "rule" else {"Dest": number}
            auto = {"Auto": True} if what.startswith("auto") else {}
            if nets:
                world.put(kind, Net=nets[-1], **place, **auto)
        elif what.startswith("foreign"):
            theirs = {OWNER: "other-dev", KEY: "toy/net/0"} if number % 2 else {}
            world.put(kind, theirs, Name=f"foreign-{number}")
        else:
            world.put(kind, toys.tags(key), Name=f"left-{number}")


def foreign(world: World) -> list[dict]:
    """What belongs to somebody else, as it is."""
    nets = {o["Id"] for o in world.all("net") if o["Tags"].get(OWNER) == STACK}
    theirs = [o for o in world.all() if o["Tags"].get(OWNER) != STACK and o["Kind"] not in
              ("rule", "route")]
    return copy.deepcopy(theirs + [o for o in world.all("rule")
                                   if o.get("Auto") or o["Net"] not in nets])


def expect_foreign(world: World, theirs: list[dict]) -> None:
    """What belongs to somebody else is as it was; but for what went with its parent."""
    left = {o["Id"] for o in world.all()}
    assert foreign(world) == [o for o in theirs if o.get("Net", "") in {"", *left}]


class Attempt:
    """One process: plans, applies, and notes what happened in which order."""

    def __init__(self, world: World, items, policy: Policy = ANYTHING, build_=build):
        self.world, self.policy = world, policy
        self.wanted = build_(items)
        self.events, self.outcomes, self.plan = [], None, None

    def read(self, removal: bool = False):
        """The plan."""
        scan = Scan(self.world, STACK, self.wanted)
        make = destroy if removal else plan
        self.plan = make(self.wanted, scan, toys.TYPES, self.policy)
        return self.plan

    def apply(self):
        """The run; a run that is killed has no outcomes."""
        run = Run(self.plan, Scan(self.world, STACK, self.wanted), self.world.clock)
        self.world.on_stop = run.stop.set
        run.told = lambda step, outcome: self.events.append((step, outcome))
        try:
            self.outcomes = run.go()
        except toys.Killed:
            self.outcomes = None
        return self

    def go(self, removal: bool = False):
        """Both."""
        self.read(removal)
        return self.apply()

    @property
    def done(self) -> bool:
        return self.outcomes is not None and all(
            o.state == "done" for o in self.outcomes.values())

    @property
    def problems(self) -> str:
        """For messages of failing tests."""
        return str({s: (o.state, o.why) for s, o in (self.outcomes or {}).items()
                    if o.state != "done"})


def data_loss(world: World, items: list[Item]) -> Policy:
    """Everything is allowed, data named one by one."""
    keys = {o["Tags"].get(KEY) for o in world.all("disk")} | {i.key for i in items}
    return Policy(allow_replace=("*",), allow_data_loss=tuple(k for k in keys if k), prune=True)


def expect_wanted(world: World, items: list[Item]) -> None:
    """Every item has exactly one object, as wanted; nothing else is ours."""
    ids, seen, wanted = {}, set(), build(items)
    for item, resource in zip(items, wanted):
        found = _objects(world, resource, ids)
        assert len(found) == 1, f"{item.key}: {len(found)} objects"
        ids[item.key] = found[0]["Id"]
        seen.add(found[0]["Id"])
    lives = {key: world.objects[name] for key, name in ids.items()}
    for resource in wanted:
        _expect_fields(resource, lives)
    rest = [o["Id"] for o in world.ours() if o["Id"] not in seen]
    assert not rest, f"left behind: {rest}"
    members = [o["Id"] for kind in ("rule", "route") for o in world.all(kind)
               if o["Id"] not in seen and o["Net"] in seen and not o.get("Auto")]
    assert not members, f"members nobody wants: {members}"


def _objects(world: World, resource: Resource, ids: dict) -> list[dict]:
    if resource.member_of:
        mark = "Port" if isinstance(resource, toys.Rule) else "Dest"
        place = getattr(resource, mark.lower())
        return [o for o in world.all(resource.kind)
                if o["Net"] == ids[resource.net.key] and o[mark] == place]
    return [o for o in world.ours(resource.kind) if o["Tags"].get(KEY) == resource.key]


def _expect_fields(resource: Resource, lives: dict) -> None:
    live = lives[resource.key]
    assert live["State"] == "active", f"{resource.key} is {live['State']}"
    assert live["Tags"].get(REPLACED) != "true", f"{resource.key} is marked as replaced"
    for name, meta in resource.attrs.items():
        value = getattr(resource, name)
        if value is None or not meta.path:
            continue
        if isinstance(value, dict) and "issuer" in value:
            value = {"issuer": lives[value["issuer"].needs[0].key]["Endpoint"]}
        if isinstance(value, list):
            value = sorted(lives[v.key]["Id"] if isinstance(v, Resource) else v for v in value)
            live = {**live, meta.path: sorted(live.get(meta.path) or [])}
        if isinstance(value, Resource):
            value = lives[value.key]["Id"]
        assert (live.get(meta.path) or None) == (value or None), \
            f"{resource.key} {name}: {live.get(meta.path)} is not {value}"


def expect_order(attempt: Attempt) -> None:
    """Nothing starts twice, or before what it needs is done; every key has its outcome."""
    plan_, ended, started = attempt.plan, {}, []
    by_key = {c.key: c for c in plan_.steps if c.action != "delete"}
    makes = [c.key for c in plan_.changes if c.action != "delete"]
    assert len(makes) == len(set(makes)), "a key is planned twice"
    names = [c.step for c in plan_.steps]
    assert len(names) == len(set(names)), "a step is planned twice"
    for step, outcome in attempt.events:
        if outcome is not None:
            assert step not in ended, f"{step} ended twice"
            ended[step] = outcome.state
            continue
        assert step not in started, f"{step} started twice"
        started.append(step)
        resource = plan_.wanted.get(step)
        for need in needs(resource) if step in by_key and resource else ():
            assert need.key not in by_key or ended.get(need.key) == "done", \
                f"{step} started before {need.key} was done"
    if attempt.outcomes is not None:
        assert set(attempt.outcomes) == set(names), "a key has no outcome"
        for step, outcome in attempt.outcomes.items():
            assert outcome.state == "done" or outcome.why, f"{step}: no reason"


def expect_calm(world: World, items: list[Item], policy: Policy) -> None:
    """Another run has nothing to do and writes nothing."""
    world.calm()
    again = Attempt(world, items, policy).go()
    assert not again.plan.steps, [(c.step, c.action, c.changed) for c in again.plan.steps]
    assert world.writes == 0


__all__ = ["Failure", "Refused", "VirtualClock"]
