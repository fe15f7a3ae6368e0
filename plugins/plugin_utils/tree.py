# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans and progress as text for people."""
from __future__ import annotations

from ansible.utils.color import stringc

LOOKS = {  # action -> (sign, colour)
    "create": ("+", "green"), "update": ("~", "yellow"), "replace": ("±", "purple"),
    "delete": ("-", "red"), "keep": ("=", "dark gray"),
}
GRAVE = ("downtime", "data loss")
WIDTH = 72  # of a value
MOST = 3  # steps that one line names


def duration(seconds: float) -> str:
    """About how long, the way people say it."""
    if seconds < 90:
        return f"~{max(round(seconds), 1)} s"
    return f"~{round(seconds / 60)} min"


def short(value) -> str:
    """A value on one line."""
    text = str(value) if not isinstance(value, str) else value
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def fields(change: dict) -> list[str]:
    """What differs, a line each: `max_size 2 -> 4`."""
    before, after, owners = change["before"], change["after"], change.get("owners") or {}
    lines = []
    for name in after if change["action"] in ("update", "replace") else ():
        old, new = before.get(name), after[name]
        if isinstance(old, dict) and isinstance(new, dict):
            lines += [f"{name}.{key} {short(old.get(key))} -> {short(new[key])}"
                      for key in new if old.get(key) != new[key]]
        else:
            owner = f" (belongs to {owners[name]})" if name in owners else ""
            lines.append(f"{name} {short(old)} -> {short(new)}{owner}")
    return lines + [f"{path} belongs to {owner}" for path, owner in owners.items()
                    if path not in after]


def glance(change: dict) -> list[str]:
    """The first plain values of an object to be made, so that its line says what it is."""
    values = [short(v) for v in change["after"].values()
              if isinstance(v, (str, int)) and not isinstance(v, bool)
              and not str(v).startswith("(after apply") and str(v)]
    return [", ".join(values[:3])] if values else []


def line(change: dict) -> str:
    """`~ eks/nodegroup/gpu  update  rolling ~5 min  max_size 2 -> 4`."""
    sign, colour = LOOKS[change["action"]]
    impact = "" if change["impact"] == "none" else f"  {change['impact']}"
    details = fields(change) or (glance(change) if change["action"] == "create" else [])
    if change["reason"]:
        details.insert(0, change["reason"])
    head = f"{change['key']:<52}  {change['action']}{impact} {duration(change['expected_seconds'])}"
    colour = "bright red" if change["impact"] in GRAVE else colour
    rest = f"  {details[0]}" if len(details) == 1 else "".join(f"\n        {d}" for d in details)
    return stringc(f"    {sign} {head}", colour) + rest


LEFT = ("What is left over goes with (stack_)prune: true, and what holds data only with its key in "
        "(stack_)allow_data_loss.")


def place(result: dict) -> str:
    """What the result is about: a stack, or a cluster with a set in it."""
    return result["stack"] if "applyset" in result else f"stack {result['stack']}"


def tree(result: dict) -> str:
    """The plan of a result: components, their changes, left-overs and counts."""
    lines, component = [stringc(place(result), "bright blue")], None
    for change in (c for c in result["plan"] if c["action"] != "keep"):
        if change["key"].split("/")[0] != component:
            component = change["key"].split("/")[0]
            lines.append(stringc(f"  {component}", "bright blue"))
        lines.append(line(change))
    lines += [stringc(f"    ? {key}  left over", "cyan") for key in result["left_over"]]
    lines += [f"  {LEFT}"] if result["left_over"] else []
    return "\n".join([*lines, f"  {counts(result)}"])


def counts(result: dict) -> str:
    """The last line: how many of each action, how long, how many calls."""
    summary, calls = result["summary"], result["calls"]
    word = "to {}" if result.get("ahead", True) else "{}d"
    parts = [stringc(f"{n} {word.format(action)}", LOOKS[action][1])
             for action, n in summary.items() if n and action != "keep"]
    parts = parts or [stringc("nothing to do", "green")]
    ahead = result.get("ahead", True) and result["expected_seconds"]
    takes = f", usually {duration(result['expected_seconds'])}" if ahead else ""
    return (f"{', '.join(parts)}, {summary['keep']} as wanted{takes} "
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
