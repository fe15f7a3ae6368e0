# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans and outcomes as plain data for people, JSON and other roles."""
from __future__ import annotations

import collections
import typing

from .engine.plan import Change, Plan, Survey
from .engine.resource import KEY, field_types, leaves, search, unknown_keys

FEW = 3  # fields that tell what an object is
ACTIONS = ("create", "update", "replace", "delete", "keep")


def plain(value):
    """Data without objects; a value that only an apply can tell becomes text."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def told(change: Change) -> dict:
    """Field, or part of it where it is taken apart -> (live, wanted), of what changes."""
    found = {}
    for name, (old, new) in change.changed.items():
        if name in _apart(change):
            found |= {p: (old[p], new[p]) for p in new}
            continue
        if name in change.touched and change.touched[name].same and \
                isinstance(old, dict) and isinstance(new, dict):  # it may have others besides
            old = {k: v for k, v in old.items() if k in new}
        found[name] = (old, _taken(change, name, new))
    return found


def _taken(change: Change, name: str, value):
    """What the service takes for a value, where a field beside it tells."""
    found = getattr(change.resource, f"{name}_on_offer", None)
    return found if found and not unknown_keys(found) else value


def about(change: Change) -> str:
    """In a few words what is to be made, or the name of what is to go."""
    resource, tells = change.resource, getattr(change.resource, "tells", None)
    if change.action == "delete" and tells != () and not resource.member_of:
        name = str(search(resource.ref, change.live) or "")
        return resource.tags_of(change.live).get("Name", "") if name.startswith("arn:") else name
    if change.action != "create":
        return ""
    if hasattr(resource, "in_words"):
        return resource.in_words()
    own, found = change.key.split("/", maxsplit=2)[-1], []
    for name in _first(resource) if tells is None else tells:
        value = _taken(change, name, getattr(resource, name))
        if value and value != own and not unknown_keys(value) and not isinstance(value, bool):
            found += [f"{name} {value}"] if isinstance(value, int) else leaves(value)
    return ", ".join(found)


def _first(resource) -> list[str]:
    """Fields that are texts and numbers, and no other objects."""
    kinds = field_types(type(resource))
    return [n for n in resource.attrs
            if isinstance(getattr(resource, n), (str, int)) and not kinds[n]][:FEW]


def _apart(change: Change) -> tuple:
    """Fields of a type whose parts differ, and are shown, each for itself."""
    return getattr(change.resource, "apart", ())


def before(change: Change) -> dict:
    """Live values of what changes."""
    cls = type(change.resource)
    if change.action == "delete":
        read = {n: cls.read(n, change.live) for n, meta in cls.attrs.items() if meta.path}
        return plain({n: v for n, v in read.items() if v not in (None, [], {})})
    return plain({name: old for name, (old, new) in told(change).items()})


def _wanted(change: Change) -> dict:
    if change.action == "create":
        apart = _apart(change)
        values = {n: _taken(change, n, getattr(change.resource, n))
                  for n in change.resource.attrs}
        found = {n: v for n, v in values.items() if v is not None and n not in apart}
        return found | {k: v for n in apart for k, v in dict(values[n] or {}).items()}
    return {name: new for name, (old, new) in told(change).items()}


def changes(current: Plan) -> list[dict]:
    """Every change of a plan, as the modules return it."""
    return [dict(key=c.key, type=type(c.resource).__name__, action=c.action, impact=str(c.impact),
                 expected_seconds=round(c.seconds), before=before(c), after=plain(_wanted(c)),
                 unknown=[n for n, v in _wanted(c).items() if unknown_keys(v)], reason=c.reason,
                 about=about(c))
            for c in current.changes]


def summary(current: Plan) -> dict:
    """How many changes of each kind."""
    counts = collections.Counter(c.action for c in current.changes)
    return {action: counts[action] for action in ACTIONS}


def difference(change: Change) -> dict:
    """One change in the form that --diff shows."""
    impact = f", {change.impact}" if change.impact else ""
    header = f"{change.key} ({change.action}{impact})"
    return dict(before_header=header, after_header=header, before=before(change) or "",
                after=plain(_wanted(change)) or "")


def failures(current: Plan, failed: dict) -> list[str]:
    """What went wrong, a line each: failures first, then what was skipped because of them."""
    verbs = {c.step: c.action for c in current.steps}
    lines = [f"{verbs[s]} {s.split(' (')[0]}: {o.why}" for s, o in failed.items()
             if o.state == "failed"]
    skipped = [s.split(" (")[0] for s, o in failed.items() if o.state == "skipped"]
    if skipped:
        lines.append(f"not done because of that ({len(skipped)}): {', '.join(sorted(skipped))}")
    return lines


def outputs(current: Plan) -> dict:
    """key -> what others want to know of the object; text where it is still to come."""
    found, planned = {}, {c.key: c for c in current.changes if c.action in ("update", "replace")}
    for key, resource in current.wanted.items():
        live = current.lives.get(key)
        if not resource.external and resource.outputs:
            due = _due(planned.get(key), live)
            found[key] = {name: f"(after apply: {key})" if not live or due(path)
                          else search(path, live) for name, path in resource.outputs.items()}
    return found


def _due(change: Change | None, live: dict | None) -> typing.Callable:
    """Whether what is at a path is still to be changed."""
    if not change or change.live is not live:
        return lambda path: False
    paths = {meta.path for meta in change.touched.values()}
    return lambda path: change.action == "replace" or path in paths


def inventory(survey: Survey) -> dict:
    """All that a removal would find of a stack, by key, and the keys of what is not ready."""
    found = [(type(change.resource), change.key, change.live)
             for change, _parent in survey.unclaimed()]
    found += [(cls, key, live) for cls in survey.types
              for key, lives in survey.scan.of(cls).leaving.owned.items() for live in lives]
    objects = {}
    for cls, key, live in found:
        key = cls.tags_of(live).get(KEY, key)
        objects[key] = dict(
            type=cls.__name__, state=cls.state_of(live),
            id=str(search(cls.ref, live)) if cls.ref else key.partition(":")[2],
            **{name: search(path, live) for name, path in cls.outputs.items() if name != "id"})
    unready = sorted(key for key, told in objects.items() if told["state"] != "ready")
    return dict(objects=dict(sorted(objects.items())), not_ready=unready)
