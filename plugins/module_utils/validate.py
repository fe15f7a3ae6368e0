# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The validator in a run: errors refuse it, warnings are shown and returned."""
from __future__ import annotations

import datetime

from .clients.facts import Facts
from .clients.rehearsal import violations
from .components import rules
from .components.findings import Finding, View
from .engine.errors import Refused
from .engine.plan import Plan
from .options import checked

CAPACITY = dict(
    pods=dict(type="dict", default={}),
    gpu_limit=dict(type="int"),
    gpu_quotas=dict(type="dict", default={}),
)
POD = dict(
    nodegroup=dict(type="str", required=True),
    replicas=dict(type="int", default=1),
    cpu=dict(type="str"),
    memory=dict(type="str"),
)
OPTIONS = dict(
    production=dict(type="bool", default=False),
    capacity=dict(type="dict", options=CAPACITY),
    waivers=dict(type="dict", default={}),
)


def today() -> datetime.date:
    """The day, in UTC: AWS's own dates begin there."""
    return datetime.datetime.now(datetime.timezone.utc).date()


class Validator:
    """Collects what the rules find in one run of a module."""

    def __init__(self, module, stack):
        self.module, self.stack, self.params = module, stack, module.params
        self.found: list[Finding] = []
        self.wanted = self.params["state"] == "present"  # a removal needs no good options

    def options(self, options: dict) -> list[str]:
        """Lines of errors in the checked options of components, before AWS is asked anything."""
        if not self.wanted:
            return []
        self.stack.production = self.params["production"]
        capacity, problems = self._capacity()
        if problems:
            return problems
        self.known = {**options, **({"capacity": capacity} if capacity else {})}
        return self._told(rules.findings(self.stack, self.known, self.params["waivers"], today()))

    def _capacity(self) -> tuple[dict, list[str]]:
        given = {k: v for k, v in (self.params["capacity"] or {}).items() if v is not None}
        found, problems = checked("capacity", given, CAPACITY, {"pods": POD}) if given else ({}, [])
        quotas = found.get("gpu_quotas") or {}
        for name, count in quotas.items():
            if str(count).isascii() and str(count).isdigit():
                quotas[name] = int(count)
            else:
                problems.append(f"capacity.gpu_quotas.{name}: {count} is not a number of GPUs; "
                                "write one, such as 3")
        return found, problems

    def plan(self, current: Plan, api) -> None:
        """Refuses a plan whose changes AWS's own facts speak against."""
        if not self.wanted or not current.steps:
            return
        see = View(
            stack=self.stack, options=self.known, today=today(), lives=current.lives,
            creates=frozenset(c.key for c in current.changes if c.action == "create"),
            updates={c.key: c.changed for c in current.changes
                     if c.action in ("update", "replace")},
            violations=tuple(violations(api, current)))
        found = self._told(rules.online(see, Facts(api), self.params["waivers"]))
        if found:
            raise Refused(found)

    def unbuilt(self, component: str, error: Exception) -> list[str]:
        """Lines of what a component refuses to build.

        Nothing where a rule refuses its options: that is then what it has stumbled over.
        """
        if any(f.path.split(".")[0] == component for f in rules.errors(self.found)
               if f.id != rules.OPTIONS):
            return []
        if not isinstance(error, ValueError):
            raise error
        return self._told(rules.unbuilt(component, str(error)))

    def _told(self, found: list[Finding]) -> list[str]:
        """Shows warnings, once, and keeps all; the lines of those that stop the run."""
        fresh = [f for f in found if f not in self.found]
        self.found += fresh
        stops = rules.errors(found)
        for finding in fresh:
            if finding not in stops and not finding.waived:
                self.module.warn(finding.line(self.stack.id))
        return [finding.line(self.stack.id) for finding in stops]
