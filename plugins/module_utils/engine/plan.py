# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: what would make live equal wanted, as a value."""
from __future__ import annotations

import collections
import fnmatch
import re
from dataclasses import dataclass, field

from .errors import Failure, Refused
from .graph import closed, expected
from .resource import (
    KEY, OWNER, Impact, Lookup, Resource, canonical, diff, field_types, needs,
    refers_to, resolved, search,
)
from .scan import Scan, closure

ACTIONS = ("create", "update", "replace", "delete", "keep")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the user allows beyond creating and changing in place."""

    allow_replace: tuple = ()  # key patterns
    allow_data_loss: tuple = ()  # keys, spelled out
    adopt: tuple = ()  # keys of same-named objects to take over
    prune: bool = False  # remove what is left over
    components: tuple = ()  # left-overs of these components only; empty: all


@dataclass(kw_only=True)
class Change:
    """One line of the plan."""

    resource: Resource
    action: str
    live: dict | None = None
    changed: dict = field(default_factory=dict)  # field -> (live, wanted)
    reason: str = ""

    @property
    def key(self) -> str:
        return self.resource.key

    @property
    def step(self) -> str:
        """The name of its step in the run; a removal may stand beside the making of its heir."""
        cls = type(self.resource)
        if self.action != "delete":
            return self.key
        which = search(cls.ref, self.live) if cls.ref else \
            f"from {cls.read(cls.member_of, self.live)}" if cls.member_of else "it"
        return f"{self.key} (delete {which})"

    @property
    def impact(self) -> Impact:
        cls = type(self.resource)
        if self.action in ("delete", "replace") and cls.stateful:
            return Impact.DATA_LOSS
        if self.action == "replace":
            return Impact.REPLACE
        if self.action == "delete":
            return Impact.IN_PLACE if cls.member_of else Impact.DOWNTIME
        if self.action == "update":
            return max(cls.attrs[n].impact if n in cls.attrs else Impact.NONE
                       for n in self.changed)
        return Impact.NONE

    @property
    def seconds(self) -> float:
        """How long it usually takes."""
        cls = type(self.resource)
        if self.action == "update":
            return sum(cls.attrs[n].seconds if n in cls.attrs else 0 for n in self.changed) or 1
        make, remove = cls.seconds.get("create", 1), cls.seconds.get("delete", 1)
        return {"create": make, "delete": remove, "replace": make, "keep": 0}[self.action]


@dataclass(kw_only=True)
class Plan:
    """All changes, those that do nothing included, in the order of the graph."""

    changes: list[Change]
    wanted: dict[str, Resource]
    lives: dict[str, dict]
    after: dict[str, set]  # step -> steps that come before it
    cleanups: list[Change] = field(default_factory=list)  # the second half of replacements
    left_over: list[Change] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # looked up, not there

    @property
    def steps(self) -> list[Change]:
        """What there is to do."""
        return [c for c in self.changes if c.action != "keep"] + self.cleanups

    @property
    def summary(self) -> dict:
        counts = collections.Counter(c.action for c in self.changes)
        return {action: counts[action] for action in ACTIONS}

    @property
    def seconds(self) -> float:
        """Usual duration of the whole run."""
        return expected(self.after, {c.step: c.seconds for c in self.steps})


def kind_of(cls) -> str:
    """The type's part of a key, from its class name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


class Survey:
    """What is there of what is wanted, what is there besides, and what is wrong with it."""

    def __init__(self, resources, scan: Scan, types=(), policy: Policy = Policy()):
        self.scan, self.policy = scan, policy
        self.wanted = closed(resources)
        kinds = [r.kind if isinstance(r, Lookup) else type(r) for r in self.wanted.values()]
        self.types = [c for c in closure([*types, *kinds]) if c in types or c in kinds]
        self.lives, self.problems, self.absent = {}, [], []
        self.claimed = {}  # id(live) -> key
        scan.read(self.types)

    def locate(self, resource: Resource, lives: dict) -> tuple[Resource, dict | None]:
        """A resolved copy of a wanted resource, and its live object."""
        wanted = resolved(resource, lives)
        found = self.scan.of(type(wanted)).find(wanted)
        found = [f for f in found if not wanted.marked(f)] or found[:1]
        if len(found) > 1:
            ids = " and ".join(str(search(wanted.ref, f)) for f in found)
            self.problems.append(f"plan {wanted.key}: {ids} both carry this key; "
                                 "delete one of them or take its groundwork:key tag away")
        if not found or not self._ours(wanted, found[0]):
            return wanted, None
        other = self.claimed.setdefault(id(found[0]), wanted.key)
        if other != wanted.key:
            self.problems.append(f"plan {wanted.key}: it is the same object as {other}")
        return wanted, found[0]

    def _ours(self, wanted: Resource, live: dict) -> bool:
        cls = type(wanted)
        tags = cls.tags_of(live)
        foreign = cls.tags_path and wanted.tags and tags.get(OWNER) != self.scan.owner
        if foreign and wanted.key not in self.policy.adopt:
            owner = f"stack {tags[OWNER]}" if OWNER in tags else "nobody known here"
            self.problems.append(
                f"plan {wanted.key}: {search(cls.ref, live)} exists and belongs to {owner}; "
                f"choose another name or adopt it (adopt: [{wanted.key}])")
            return False
        return True

    def unclaimed(self) -> list[tuple]:
        """(type, key, live, parent) of every object of the stack that is not a wanted one."""
        found, owned = [], collections.defaultdict(list)  # type -> (key, live)
        for cls in (c for c in self.types if not c.external):
            for live in self.scan.of(cls).items:
                key, parent, tags = self.claimed.get(id(live)), None, cls.tags_of(live)
                if key is not None:
                    owned[cls].append((key, live))
                    continue
                if cls.member_of:
                    key, parent = self._member_key(cls, live, owned)
                elif tags.get(OWNER) == self.scan.owner:
                    key = tags.get(KEY)
                if key:
                    owned[cls].append((key, live))
                    found.append((cls, key, live, parent))
        return [f for f in found if self._in_scope(f[1])]

    def _in_scope(self, key: str) -> bool:
        components = self.policy.components
        return not components or key.split("/", maxsplit=1)[0] in components

    def _member_key(self, cls, live: dict, owned: dict) -> tuple:
        """The key and the parent of a member nobody wants; nothing when its parent is not ours."""
        if cls.ignore and search(cls.ignore, live):
            return None, None
        parent_id = canonical(cls.read(cls.member_of, live))
        of = cls.attrs[cls.member_of].of
        for parent in field_types(cls)[cls.member_of] & set(owned):
            for key, parent_live in owned[parent]:
                if canonical(search(of or parent.ref, parent_live)) == parent_id:
                    names = [cls.read(n, live) for n in cls.identity if n != cls.member_of]
                    names = [str(n) for n in names if n is not None]
                    own = "/".join(names or [str(search(cls.ref, live))])
                    key = f"{key.split('/')[0]}/{kind_of(cls)}/{key.split('/')[-1]}:{own}"
                    return key, parent_live
        return None, None


def plan(resources, scan: Scan, types=(), policy: Policy = Policy()) -> Plan:
    """What it takes to make live equal to `resources`.

    `types` are looked through for left-overs besides the types of the resources. Raises
    `Refused` with every problem at once.
    """
    survey = Survey(resources, scan, types, policy)
    changes, replaced = [], []
    for resource in survey.wanted.values():
        if resource.external:
            survey.lives[resource.key] = resource.find(scan)
            if survey.lives[resource.key] is None:
                survey.absent.append(resource.key)
            continue
        change = _decide(resource, survey)
        changes.append(change)
        if change.action == "replace":
            replaced.append(change)
    removals, left_over = _removals(survey, replaced)
    _check(survey, replaced, removals)
    if survey.problems:
        raise Refused(survey.problems)
    return Plan(changes=changes + [c for c in removals if c.reason != "replaced"],
                cleanups=[c for c in removals if c.reason == "replaced"],
                after=_order(survey.wanted, changes, removals), wanted=survey.wanted,
                lives=survey.lives, left_over=left_over, absent=survey.absent)


def _decide(resource: Resource, survey: Survey) -> Change:
    """The change of one wanted resource; remembers its live object for those that need it."""
    wanted, live = survey.locate(resource, survey.lives)
    if live is None:
        return Change(resource=wanted, action="create")
    try:
        changed = diff(wanted, live)
    except Failure as failure:  # what is wanted cannot be reached from here
        survey.problems.append(f"plan {wanted.key}: {failure}")
        return Change(resource=wanted, action="keep", live=live)
    fixed = [n for n in changed if n in wanted.attrs and wanted.attrs[n].create_only]
    broken = wanted.failed and search(wanted.failed, live)
    if fixed or broken:
        return Change(resource=wanted, action="replace", live=live, changed=changed,
                      reason="failed" if broken else "")
    if wanted.ready and not search(wanted.ready, live):
        changed["ready"] = (False, True)  # begun by a run that did not see its end
    survey.lives[wanted.key] = live
    return Change(resource=wanted, action="update" if changed else "keep", live=live,
                  changed=changed)


def _removals(survey: Survey, replaced: list[Change]) -> tuple[list[Change], list[Change]]:
    """What goes (the replaced, unwanted members, pruned left-overs), and what is left over."""
    going = [Change(resource=c.resource, action="delete", live=c.live, reason="replaced")
             for c in replaced]
    gone, left_over = {id(c.live) for c in going}, []
    for cls, key, live, parent in survey.unclaimed():
        dying = id(parent) in gone
        if dying and cls.dies_with_parent:
            continue
        free = key in survey.policy.allow_data_loss or not cls.stateful
        if cls.member_of:
            reason, goes = "not wanted", dying or id(parent) in survey.claimed
        elif key in survey.wanted and cls.marked(live):
            reason, goes = "replaced earlier", free
        else:
            reason, goes = "left over", free and survey.policy.prune
        change = Change(resource=cls(key=key), action="delete", live=live, reason=reason)
        (going if goes else left_over).append(change)
        gone |= {id(live)} if goes else set()
    return going, left_over


def _check(survey: Survey, replaced: list[Change], removals: list[Change]) -> None:
    """Notes replacements and losses of data that nobody allowed."""
    policy = survey.policy
    for change in replaced:
        fields = ", ".join(f"{n} {old!r} -> {new!r}"
                           for n, (old, new) in change.changed.items()
                           if n in change.resource.attrs and change.resource.attrs[n].create_only)
        allowed = change.reason == "failed" and not type(change.resource).stateful
        if not allowed and not any(fnmatch.fnmatchcase(change.key, p)
                                   for p in policy.allow_replace):
            survey.problems.append(f"replace {change.key}: {fields} cannot be changed in place; "
                                   f"allow it with allow_replace: [{change.key}]")
    for change in removals:
        if type(change.resource).stateful and change.key not in policy.allow_data_loss:
            survey.problems.append(f"delete {change.key}: it holds data; name it in "
                                   f"allow_data_loss: [{change.key}]")


def _order(wanted: dict, changes: list[Change], removals: list[Change]) -> dict[str, set]:
    """Step -> the steps before it."""
    makes = {c.key: c for c in changes if c.action != "keep"}
    near = _nearest(wanted, makes)
    after = {key: set(near[key]) for key in makes}
    users = _nearest(wanted, {c.key for c in removals if c.key in wanted})
    for change in removals:
        after[change.step] = {other.step for other in removals if _before(other, change, users)}
    first = {c.step for c in removals if c.reason == "replaced" and c.resource.delete_first}
    urgent, todo = set(), list(first)
    while todo:
        step = todo.pop()
        urgent.add(step)
        todo += after[step] - urgent
    for change in removals:
        if change.step in first:
            after[change.key].add(change.step)
        elif change.step not in urgent:
            cls = type(change.resource)
            for key, make in makes.items():
                if change.key in (key, *users[key]) or cls in refers_to(type(make.resource)):
                    _add(after, change.step, key)
    return after


def _before(one: Change, other: Change, users: dict) -> bool:
    """Whether one removal must come before the other: it uses it, or its type may."""
    if one.reason == other.reason == "replaced":
        return other.key in users[one.key]
    return type(other.resource) in refers_to(type(one.resource))


def _nearest(wanted: dict, present) -> dict[str, set]:
    """Key -> those of the `present` keys that it needs, directly or through absent ones."""
    near = {}
    for key, resource in wanted.items():
        near[key] = set()
        for need in needs(resource):
            near[key] |= {need.key} if need.key in present else near[need.key]
    return near


def destroy(resources, scan: Scan, types=(), policy: Policy = Policy()) -> Plan:
    """What it takes to remove all that is found of the stack, wanted or not."""
    survey = Survey(resources, scan, types, policy)
    going = _found(survey)
    for change in going:
        wanted = change.key in survey.wanted
        guarded = change.resource.protected if wanted else change.resource.stateful
        if guarded and change.key not in policy.allow_data_loss:
            survey.problems.append(
                f"delete {change.key}: it holds data and is protected; switch its protection off "
                f"in the stack, or name it in allow_data_loss: [{change.key}]")
    if survey.problems:
        raise Refused(survey.problems)
    after = _reversed_order(survey.wanted, going)
    return Plan(changes=going[::-1], wanted={}, lives=survey.lives, after=after)


def _found(survey: Survey) -> list[Change]:
    """A removal for everything of the stack, in the order of its making."""
    going = []
    for resource in survey.wanted.values():
        if resource.external:
            survey.lives[resource.key] = resource.find(survey.scan)
            continue
        wanted, live = survey.locate(resource, survey.lives)
        if live is not None:
            survey.lives[wanted.key] = live
            going.append(Change(resource=wanted, action="delete", live=live))
    survey.problems.clear()  # neither a foreign name nor two of a key keep a removal back
    going += [Change(resource=cls(key=key), action="delete", live=live, reason="left over")
              for cls, key, live, _parent in survey.unclaimed()]
    for cls in survey.types:
        owned = ((cls.tags_of(live), live) for live in survey.scan.of(cls).leaving.items)
        going += [Change(resource=cls(key=tags[KEY]), action="delete", live=live, reason="leaving")
                  for tags, live in owned if tags.get(OWNER) == survey.scan.owner and KEY in tags]
    return [c for c in going if not c.resource.dies_with_parent]


def _reversed_order(wanted: dict, going: list[Change]) -> dict[str, set]:
    """Users before what they use: by the wanted graph, else by what their types refer to."""
    steps = collections.defaultdict(set)
    for change in going:
        steps[change.key].add(change.step)
    after = {c.step: set() for c in going}
    for key, near in _nearest(wanted, steps).items():
        for need in near:
            for step in steps[need]:
                after[step] |= steps.get(key, set())
    for change in [c for c in going if c.key not in wanted]:
        for other in going:
            if type(other.resource) in refers_to(type(change.resource)):
                _add(after, other.step, change.step)
            elif type(change.resource) in refers_to(type(other.resource)):
                _add(after, change.step, other.step)
    return after


def _add(after: dict[str, set], step: str, before: str) -> None:
    """One more edge, unless it would close a circle."""
    seen, todo = set(), [before]
    while todo:
        name = todo.pop()
        if name == step:
            return
        if name not in seen:
            seen.add(name)
            todo += after[name]
    after[step].add(before)
