# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: what would make live equal wanted, as a value."""
from __future__ import annotations

import collections
import difflib
import fnmatch
import re
from dataclasses import dataclass, field

from .errors import Failure, Refused
from .graph import closed, reached, remaining
from .resource import (KEY, OWNER, Impact, Lookup, Resource, canonical, diff, field_types, leaves,
                       needs, refers_to, resolved, said, search, unknown_keys)
from .scan import Scan

GUARDS = {  # property of a resource that keeps it from being removed -> what the user reads
    "stateful": "it holds data; name it in",
    "protected": "it holds data and is protected; switch that off in the stack, or name it in",
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the user allows beyond creating and changing in place."""

    allow_replace: tuple = ()  # key patterns
    allow_data_loss: tuple = ()  # keys, said out
    adopt: tuple = ()  # keys of same-named objects to take over
    prune: bool = False  # remove what is left over
    components: tuple = ()  # left-overs of these components only; empty: all
    later: bool = False  # what is looked up may come later


@dataclass
class Change:
    """One line of the plan."""

    resource: Resource
    action: str
    live: dict | None
    reason: str = ""
    changed: dict = field(default_factory=dict)  # field -> (live, wanted)

    @property
    def key(self) -> str:
        return self.resource.key

    @property
    def step(self) -> str:
        """The name of its step in the run; a removal may stand beside the making of its heir."""
        if self.action != "delete":
            return self.key
        cls = type(self.resource)
        which = search(cls.ref, self.live) or f"from {cls.read(cls.member_of, self.live)}"
        return f"{self.key} (delete {which})"

    @property
    def touched(self) -> dict:
        """Field -> what is declared of it, of the fields that change."""
        return {n: a for n, a in self.resource.attrs.items() if n in self.changed}

    @property
    def impact(self) -> Impact:
        if self.action in ("delete", "replace") and self.resource.stateful:
            return Impact.DATA_LOSS
        return {"update": max((a.impact for a in self.touched.values()), default=Impact.NONE),
                "delete": Impact.IN_PLACE if self.resource.member_of else Impact.DOWNTIME,
                "replace": max([Impact.REPLACE, *(a.impact for a in self.touched.values())]),
                }.get(self.action, Impact.NONE)

    @property
    def seconds(self) -> float:
        """How long it usually takes."""
        update = sum(a.seconds for a in self.touched.values()) or 1
        usual = {"create": 1, "delete": 1, **self.resource.seconds, "update": update, "keep": 0}
        return usual["create" if self.action == "replace" else self.action]


@dataclass(kw_only=True)
class Plan:
    """All changes, those that do nothing included, in the order of the graph."""

    changes: list[Change]
    wanted: dict[str, Resource]
    lives: dict[str, dict]
    after: dict[str, set]  # step -> steps that come before it
    cleanups: list[Change] = field(default_factory=list)  # the second half of replacements
    left_over: list[Change] = field(default_factory=list)

    @property
    def steps(self) -> list[Change]:
        """What there is to do."""
        return [c for c in self.changes if c.action != "keep"] + self.cleanups

    @property
    def ways(self) -> dict[str, float]:
        """Step -> usual seconds of the longest way that starts with it."""
        return remaining(self.after, {c.step: c.seconds for c in self.steps})


def kind_of(cls) -> str:
    """The type's part of a key, from its class name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


class Survey:
    """What is there of what is wanted, what is there besides, and what is wrong with it."""

    def __init__(self, resources, scan: Scan, types=(), policy: Policy = Policy()):
        self.scan, self.policy = scan, policy
        self.wanted = closed(resources)
        kinds = (r.kind if isinstance(r, Lookup) else type(r) for r in self.wanted.values())
        self.types = sorted({*types, *kinds}, key=lambda cls: (
            len(reached([cls], refers_to)), cls.__name__))  # those referred to first
        self.lives, self.problems, self.claimed = {}, [], {}  # claimed: id(live) -> key
        scan.read(self.types)

    def located(self):
        """A resolved copy of each wanted resource, and its live object, which `lives` gets, too."""
        for key, resource in self.wanted.items():
            wanted = resolved(resource, self.lives)
            self.lives[key] = wanted.find(self.scan) if wanted.external else self._locate(wanted)
            if not wanted.external:
                yield wanted, self.lives[key]

    def _locate(self, wanted: Resource) -> dict | None:
        found = self.scan.of(type(wanted)).find(wanted)
        found = [f for f in found if not wanted.marked(f)] or found[:1]
        if len(found) > 1:
            ids = " and ".join(str(search(wanted.ref, f)) for f in found)
            self.problems.append(f"plan {wanted.key}: {ids} both carry this key; "
                                 "delete one of them or take its groundwork:key tag away")
        if not found:
            return None
        live, owner = found[0], wanted.tags_of(found[0]).get(OWNER)
        if wanted.tags and owner != self.scan.owner and wanted.key not in self.policy.adopt:
            self.problems.append(
                f"plan {wanted.key}: {search(wanted.ref, live)} exists and belongs to "
                f"{f'stack {owner}' if owner else 'nobody known here'}; "
                f"choose another name or adopt it ((stack_)adopt: [{wanted.key}])")
            return None
        other = self.claimed.setdefault(id(live), wanted.key)
        if other != wanted.key:
            self.problems.append(f"plan {wanted.key}: it is the same object as {other}")
        return live

    def differs(self, have, wanted) -> bool:
        """Whether a value is certainly another one, though it may come from what is still to make.

        What is made in place of something is another one. So is what is made again, unless the
        live value ends in its name: then others may know it as before.
        """
        return not (keys := unknown_keys(wanted)) or any(
            self.lives[k] is None and not self._again(k, have) for k in keys)

    def _again(self, key: str, have) -> bool:
        """Whether a live value may mean what is made, where it was not there."""
        ends = tuple(str(getattr(self.wanted[key], name)) for name in self.wanted[key].identity)
        return key not in self.claimed.values() and any(str(h).endswith(ends) for h in leaves(have))

    def absent(self) -> list[str]:
        """A problem for each object that is looked up and not there."""
        users = {n.key: key for key, r in reversed(self.wanted.items()) for n in needs(r)}
        return [f"plan {users[key]}: {key} is needed and not there{self._hint(resource)}"
                for key, resource in self.wanted.items()
                if resource.external and self.lives[key] is None
                and not (self.policy.later and isinstance(resource, Lookup))]

    def _hint(self, wanted: Resource) -> str:
        if not isinstance(wanted, Lookup):
            return ""
        close = difflib.get_close_matches(wanted.key, self.scan.of(wanted.kind).owned, 1, 0.8)
        return f"; did you mean {close[0]}?" if close else "; converge its component first"

    def unclaimed(self):
        """(removal, parent) of every object of the stack that is not a wanted one."""
        owned, scope = [], self.policy.components  # (type, key, live) of all objects of the stack
        for cls in (c for c in self.types if not c.external):
            for live in self.scan.of(cls).items:
                claimed, parent, tags = self.claimed.get(id(live)), None, cls.tags_of(live)
                key = claimed or (tags.get(OWNER) == self.scan.owner and tags.get(KEY))
                if cls.member_of and not claimed:
                    key, parent = self._member_key(cls, live, owned)
                owned += [(cls, key, live)] if key else []
                if key and not claimed and (not scope or key.split("/")[0] in scope):
                    yield Change(cls(key=key), "delete", live, "left over"), parent

    def _member_key(self, cls, live: dict, owned: list) -> tuple:
        """The key and the parent of a member nobody wants; nothing when its parent is not ours."""
        if search(cls.ignore, live):
            return None, None
        parent_id, of = canonical(cls.read(cls.member_of, live)), cls.attrs[cls.member_of].of
        for kind, key, parent in owned:
            if kind in field_types(cls)[cls.member_of] \
                    and canonical(search(of or kind.ref, parent)) == parent_id:
                names = [value for n in cls.identity if n != cls.member_of
                         and (value := cls.read(n, live)) is not None] \
                    or [search(cls.ref, live) or parent_id]
                component, *_type, name = key.split("/")
                name += ":" + "/".join(map(cls.spelled, names))
                return f"{component}/{kind_of(cls)}/{name}", parent
        return None, None

    def plan(self, changes: list[Change], guard: str, **more) -> Plan:
        """The plan of these changes, or `Refused` with every problem at once.

        `guard`: the property of resources that keeps them from being removed.
        """
        going = [c for c in changes if c.action == "delete" and c.reason != "leaving"]
        self.problems += [f"delete {c.key}: {GUARDS[guard]} (stack_)allow_data_loss: [{c.key}]"
                          for c in going if getattr(c.resource, guard)
                          and c.key not in self.policy.allow_data_loss]
        if self.problems:
            raise Refused(self.problems)
        cleanups = [c for c in changes if c.reason == "replaced"]
        return Plan(changes=[c for c in changes if c.reason != "replaced"], cleanups=cleanups,
                    after=_order(self.wanted, changes), lives=self.lives, **more)


def plan(resources, scan: Scan, types=(), policy: Policy = Policy()) -> Plan:
    """What it takes to make live equal to `resources`.

    `types` are looked through for left-overs besides the types of the resources. Raises
    `Refused` with every problem at once.
    """
    survey = Survey(resources, scan, types, policy)
    changes = [_decide(wanted, live, survey) for wanted, live in survey.located()]
    removals, left_over = _removals(survey, [c for c in changes if c.action == "replace"])
    changes += removals
    if any(c.action != "keep" for c in changes):
        survey.problems += survey.absent()
    return survey.plan(changes, "stateful", wanted=survey.wanted, left_over=left_over)


def _decide(wanted: Resource, live: dict | None, survey: Survey) -> Change:
    """The change of one wanted resource; what is replaced is nothing that others can refer to."""
    change = Change(wanted, "create", live)
    if live is None:
        return change
    try:
        change.changed = diff(wanted, live)
    except Failure as failure:  # what is wanted cannot be reached from here
        survey.problems.append(f"plan {wanted.key}: {failure}")
    state, fixed = wanted.state_of(live), [n for n, a in change.touched.items() if a.create_only]
    if state == "pending":
        change.changed["ready"] = (False, True)  # begun by a run that did not see its end
    change.action = "update" if change.changed else "keep"
    allowed = any(fnmatch.fnmatchcase(change.key, p) for p in survey.policy.allow_replace)
    sure = allowed or any(survey.differs(*change.changed[n]) for n in fixed)
    if (fixed and sure) or state == "failed":
        change.action, change.reason = "replace", "failed" if state == "failed" else ""
        survey.lives[wanted.key] = None
        if not allowed and not (change.reason and not wanted.stateful):
            names = ", ".join("{} {} -> {}".format(n, *map(said, change.changed[n])) for n in fixed)
            survey.problems.append(f"replace {change.key}: {names} cannot be changed in place; "
                                   f"allow it with (stack_)allow_replace: [{change.key}]")
    return change


def _removals(survey: Survey, replaced: list[Change]) -> tuple[list[Change], list[Change]]:
    """What goes (the replaced, unwanted members, pruned left-overs), and what is left over."""
    going, left_over = [Change(c.resource, "delete", c.live, "replaced") for c in replaced], []
    gone = {id(c.live) for c in going}
    for change, parent in survey.unclaimed():
        cls, key, dying = type(change.resource), change.key, id(parent) in gone
        if dying and cls.dies_with_parent:
            continue
        goes = free = key in survey.policy.allow_data_loss or not cls.stateful
        if cls.member_of:
            change.reason, goes = "not wanted", dying or id(parent) in survey.claimed
        elif key in survey.wanted and cls.marked(change.live):
            change.reason = "replaced earlier"
        else:
            goes = free and survey.policy.prune
        (going if goes else left_over).append(change)
        gone |= {id(change.live)} if goes else set()
    return going, left_over


def destroy(resources, scan: Scan, types=(), policy: Policy = Policy()) -> Plan:
    """What it takes to remove all that is found of the stack, wanted or not."""
    survey = Survey(resources, scan, types, policy)
    going = [Change(wanted, "delete", live) for wanted, live in survey.located() if live]
    survey.problems.clear()  # neither a foreign name nor two of a key keep a removal back
    going += [change for change, _parent in survey.unclaimed()]
    going += [Change(cls(key=key), "delete", live, "leaving") for cls in survey.types
              for key, lives in scan.of(cls).leaving.owned.items() for live in lives]
    going = [c for c in going[::-1] if not c.resource.dies_with_parent]
    return survey.plan(going, "protected", wanted={})


def _order(wanted: dict, changes: list[Change]) -> dict[str, set]:
    """Step -> the steps before it: by the wanted graph, else by what the types refer to."""
    makes = {c.key: {c.step} for c in changes if c.action not in ("keep", "delete")}
    going, steps = [c for c in changes if c.action == "delete"], collections.defaultdict(set)
    for change in going:
        steps[change.key].add(change.step)
    after, uses = {c.step: set() for c in going}, _nearest(wanted, steps)
    for key, used in uses.items():
        for step in used:
            after[step] |= steps.get(key, set())
    for stray in (c for c in going if c.key not in wanted or c.reason == "replaced earlier"):
        for other in going:
            for user, used in ((stray, other), (other, stray)):
                if type(used.resource) in refers_to(type(user.resource)):
                    _add(after, used.step, user.step)
    first = {c.step: c.key for c in going if c.reason == "replaced" and c.resource.delete_first}
    near = _nearest(wanted, makes)
    after.update({key: near[key] for key in makes})
    for step, key in first.items():
        after[key].add(step)
    for change in going:
        for key in makes:
            if change.key == key or change.step in uses[key] \
                    or type(change.resource) in refers_to(type(wanted[key])):
                _add(after, change.step, key)
    return after


def _nearest(wanted: dict, steps: dict) -> dict[str, set]:
    """Key -> the steps of what it needs, directly or through what has no steps."""
    near = {}
    for key, resource in wanted.items():
        near[key] = set().union(*(steps.get(n.key) or near[n.key] for n in needs(resource)))
    return near


def _add(after: dict[str, set], step: str, before: str) -> None:
    """One more edge, unless it would close a circle."""
    if step not in reached([before], after.__getitem__):
        after[step].add(before)
