# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The validator: every rule over the options of a stack, before anything is read from AWS."""
from __future__ import annotations

import dataclasses
import datetime

from . import rules_data, rules_eks, rules_network, rules_nodes, rules_online, rules_references
from .findings import ERROR, Finding, View, nearest

RULES = [*rules_network.RULES, *rules_references.RULES, *rules_eks.RULES, *rules_nodes.RULES,
         *rules_data.RULES]
ONLINE = rules_online.RULES  # need the plan, and what AWS says
# Ids of findings that nothing waives: about waivers, and what a component says of its options.
WAIVER, OPTIONS = "waiver", "options"


def findings(stack, options: dict, waivers: dict, today: datetime.date) -> list[Finding]:
    """What is wrong with the options of a stack's components; pure, errors first.

    `options`: component -> its checked options. `waivers`: id -> {reason, until}.
    """
    see = View(stack=stack, options=options, today=today)
    found = [f for rule in RULES for f in rule.findings(see)]
    return [*_bad_waivers(waivers, today), *waived(found, waivers, today)]


def online(see: View, facts, waivers: dict) -> list[Finding]:
    """What is wrong with the changes of a plan (`see.creates`, `see.updates`), by AWS's facts."""
    found = [f for rule in ONLINE for f in rule.findings(see, facts)]
    return waived(found, waivers, see.today)


def waived(found: list[Finding], waivers: dict, today: datetime.date) -> list[Finding]:
    """The findings without repetitions, errors first, those with a good waiver marked."""
    good = {name for name, given in waivers.items() if not _problem(name, given, today)}
    marked = [dataclasses.replace(f, waived=f.id in good) for f in dict.fromkeys(found)]
    return sorted(marked, key=lambda f: f.severity != ERROR)


def errors(found: list[Finding]) -> list[Finding]:
    """Those that stop a run."""
    return [f for f in found if f.severity == ERROR and not f.waived]


def unbuilt(component: str, text: str) -> list[Finding]:
    """What a component refuses to build, a line `option: what; what instead` each."""
    found = []
    for line in text.splitlines():
        path, colon, what = line.partition(": ")
        path, what = (f"{component}.{path}", what) if colon and " " not in path else \
            (component, line)
        message, _semicolon, instead = what.partition("; ")
        found.append(Finding(id=OPTIONS, severity=ERROR, path=path, message=message,
                             replacement=instead))
    return found


def _bad_waivers(waivers: dict, today: datetime.date) -> list[Finding]:
    """A waiver that nobody can rely on is itself an error."""
    return [Finding(id=WAIVER, severity=ERROR, path=f"waivers.{name}", message=problem[0],
                    replacement=problem[1])
            for name, given in waivers.items() if (problem := _problem(name, given, today))]


def _problem(name: str, given, today: datetime.date) -> tuple[str, str] | None:
    """What is wrong with a waiver, and what to write instead."""
    known = [rule.id for rule in (*RULES, *ONLINE)]
    form = f"write {name}: {{reason: why, until: YYYY-MM-DD}}"
    if name not in known:
        return f"there is no finding {name}", nearest(name, known, "see docs/findings.md")
    if not isinstance(given, dict) or not str(given.get("reason") or "").strip():
        return "it has no reason", form
    if unknown := set(given) - {"reason", "until"}:
        return f"unknown option {sorted(unknown)[0]}", form
    try:
        until = datetime.date.fromisoformat(str(given.get("until")))
    except ValueError:
        return f"until is {given.get('until') or 'not given'}, not a date", form
    if until < today:
        return f"it expired on {until}", "do what the finding says, or set a later date"
    return None
