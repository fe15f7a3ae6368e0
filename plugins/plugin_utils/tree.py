# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans and progress as text for people."""
from __future__ import annotations

import os
from itertools import zip_longest

from ansible.utils.color import stringc

LOOKS = {  # action -> (sign, colour)
    "create": ("+", "green"), "update": ("~", "yellow"), "replace": ("±", "purple"),
    "delete": ("-", "red"), "keep": ("=", "dark gray"),
}
GRAVE = ("downtime", "data loss")
KEY, WIDTH = 56, 72  # of the column of keys, of a value
LINE = 120  # of a change; more details than fit have lines of their own
QUICK = 5  # seconds; what takes less is not worth a word
MOST = 3  # steps that one line names


def duration(seconds: float) -> str:
    """About how long, the way people say it."""
    if seconds < 90:
        return f"~{max(round(seconds), 1)} s"
    return f"~{round(seconds / 60)} min"


def text(value, inner: bool = False) -> str:
    """A value as people write it, whole."""
    if value is None or value in ("", [], {}):
        return {"[]": "[]", "{}": "{}"}.get(str(value), '""') if inner else "(none)"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {text(v, True)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{listed}]" if (listed := ", ".join(text(v, True) for v in value)) and inner \
            else listed
    return str(value).lower() if isinstance(value, bool) else str(value)


def both(old, new) -> str:
    """Two values on one line, cut to where they differ."""
    old, new = text(old), text(new)
    same = len(os.path.commonprefix([old, new]))
    start = max(0, same - WIDTH // 3) if max(len(old), len(new)) > WIDTH else 0
    return " -> ".join(
        v if v.startswith("(after apply") else ("…" if start else "") + v[start:start + WIDTH]
        + ("…" if len(v) > start + WIDTH else "") for v in (old, new))


def parts(name: str, old, new) -> list[tuple]:
    """(path, old, new) of all that differs, as deep as it can be told apart."""
    if isinstance(old, dict) and isinstance(new, dict):
        inner = [(f"{name}.{k}", old.get(k), new.get(k)) for k in {**new, **old}]
    elif isinstance(old, list) and isinstance(new, list) \
            and any(isinstance(v, dict) for v in [*old, *new]):
        inner = [(f"{name}[{n}]", *pair) for n, pair in enumerate(zip_longest(old, new))]
    else:
        return [(name, old, new)]
    return [row for path, *pair in inner if pair[0] != pair[1] for row in parts(path, *pair)]


def fields(change: dict) -> list[str]:
    """What differs, a line each: `max_size 2 -> 4`."""
    before, after, owners = change["before"], change["after"], change.get("owners") or {}
    lines = []
    for name in after if change["action"] in ("update", "replace") else ():
        owner = f" (belongs to {owners[name]})" if name in owners else ""
        lines += [f"{path} {both(old, new)}{owner}"
                  for path, old, new in parts(name, before.get(name), after[name])]
    return lines + [f"{path} belongs to {owner}" for path, owner in owners.items()
                    if path not in after]


def what(change: dict) -> str:
    """`update, rolling`: what is done, and what that means for those who use it."""
    action, impact = change["action"], change["impact"]
    harmless = impact == "none" or (action, impact) == ("delete", "in place")
    return action if harmless else f"{action}, {impact}"


def details(change: dict) -> list[str]:
    """What it is, why it goes, and what differs."""
    return [d for d in (change["about"], change["reason"], *fields(change)) if d]


def line(change: dict, widths: tuple, before: dict | None = None) -> str:
    """`~ eks/nodegroup/gpu  update, rolling  ~5 min  max_size 2 -> 4`; `before`: what is above."""
    sign, colour = LOOKS[change["action"]]
    colour = "bright red" if change["impact"] in GRAVE else colour
    takes = duration(change["expected_seconds"]) if change["expected_seconds"] >= QUICK else ""
    cells = [f"{cell:<{width}}" for cell, width in
             zip((change["key"], what(change), takes), widths)]
    head = "    " + "  ".join([f"{sign} {cells[0]}", *cells[1:]])
    told = details(change)
    beside = ", ".join(told)
    if len(told) > 1 and len(head) + len(beside) > LINE:
        if not before or details(before) != told:
            return stringc(head.rstrip(), colour) + "".join(f"\n        {d}" for d in told)
        beside = "as above"
    return stringc(head if beside else head.rstrip(), colour) + (beside and f"  {beside}")


LEFT = ("What is left over goes with (stack_)prune: true, and what holds data only with its key in "
        "(stack_)allow_data_loss.")


def place(result: dict) -> str:
    """What the result is about: a stack, or a cluster with a set in it."""
    return result["stack"] if "applyset" in result else f"stack {result['stack']}"


def tree(result: dict) -> str:
    """The plan of a result: components, their changes, left-overs and counts."""
    changes = [c for c in result["plan"] if c["action"] != "keep"]
    columns = ([*(c["key"] for c in changes), *result["left_over"]], [what(c) for c in changes])
    widths = (*(min(max(map(len, column), default=0), KEY) for column in columns), 7)
    found = {}  # component -> changes and keys of left-overs, in the order of the graph
    for row in (*changes, *({"key": key} for key in result["left_over"])):
        found.setdefault(row["key"].split("/")[0], []).append(row)
    lines = [stringc(place(result), "bright blue")]
    for component, rows in found.items():
        lines.append(stringc(f"  {component}", "bright blue"))
        lines += [line(row, widths, before) if "action" in row else
                  stringc(f"    ? {row['key']:<{widths[0]}}  left over", "cyan")
                  for before, row in zip([None, *rows], rows)]
    lines += [f"  {LEFT}"] if result["left_over"] else []
    return "\n".join([*lines, f"  {counts(result)}"])


def counts(result: dict) -> str:
    """The last line: how many of each action, how long, how many calls."""
    summary, calls = result["summary"], result["calls"]
    word = "to {}" if result.get("ahead", True) else "{}d"
    parts = [stringc(f"{n} {word.format(action)}", LOOKS[action][1])
             for action, n in summary.items() if n and action != "keep"]
    parts = parts or [stringc("nothing to do", "green")]
    left = len(result.get("left_over") or ())
    over = stringc(f", {left} left over", "cyan") if left else ""
    ahead = result.get("ahead", True) and result["expected_seconds"]
    takes = f", usually {duration(result['expected_seconds'])}" if ahead else ""
    return (f"{', '.join(parts)}, {summary['keep']} as wanted{over}{takes} "
            f"({calls['reads']} reads, {calls['writes']} writes)")


def rest(stopped: dict) -> list[str]:
    """What became of the steps of a run that was stopped, a line for each kind."""
    words = {"done": "done", "failed": "failed", "begun": "in flight, the next run finds them",
             "open": "not begun"}
    return [f"stopped: {word} ({len(stopped[name])}): {', '.join(stopped[name])}"
            for name, word in words.items() if stopped[name]]


def waiting(steps: dict) -> str:
    """What has been going on for the longest: key -> (seconds, usual seconds)."""
    rows = sorted(steps.items(), key=lambda row: -row[1][0])
    told = [f"{key} ({duration(since)[1:]}, usually {duration(usual)})"
            for key, (since, usual) in rows[:MOST]]
    more = f" and {len(rows) - MOST} more" if len(rows) > MOST else ""
    return f"still waiting for {', '.join(told)}{more}"


def progress(event: dict) -> str:
    """One line when a step starts or ends, with the time that is left by AWS's usual durations."""
    sign, colour = LOOKS[event["action"]]
    share = f"{event['done']:>4}/{event['steps']}"
    if event["state"] == "started":
        return ", ".join(filter(None, [f"{share} {sign} {event['key']}: usually "
                                       f"{duration(event['expected_seconds'])}", event["waits"]]))
    left = event["left"]
    text = f"{share} {sign} {event['key']}: {event['state']} after {event['seconds']:.1f} s"
    more = f", about {duration(left)[1:]} to go" if left > 5 else ""
    return stringc(text, colour if event["state"] == "done" else "bright red") + more
