# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the validator's rules are made of: findings, rules, and what a rule sees of a stack."""
from __future__ import annotations

import dataclasses
import datetime
import difflib
import ipaddress
from dataclasses import dataclass, field

from .network import TIERS, subnet_cidr

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, where it is, and what to write instead."""

    id: str
    severity: str
    path: str
    message: str
    replacement: str
    waived: bool = False

    def line(self, stack: str) -> str:
        """The finding as people read it."""
        what = "; ".join(filter(None, (self.message, self.replacement)))
        return f"{stack}: {self.path}: {what} [{self.id}]"

    def as_dict(self) -> dict:
        """The finding as modules return it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of a table of rules; `check(see)` yields (path, message[, what to write instead])."""

    id: str
    severity: str
    check: object
    what: str
    instead: str
    decision: int = 0  # of the product requirements; 0: none of them

    def findings(self, *known) -> list[Finding]:
        """What the rule finds; `known` is the stack and, for rules that ask AWS, the facts."""
        return [Finding(id=self.id, severity=self.severity, path=path, message=message,
                        replacement=(instead or [self.instead])[0])
                for path, message, *instead in self.check(*known)]


def rule(table: list, name: str, severity: str, instead: str, decision: int = 0):
    """Puts the decorated check into a table; the first line of its docstring says what it finds."""
    def register(check):
        what = check.__doc__.splitlines()[0].rstrip(".")
        table.append(Rule(id=name, severity=severity, check=check, what=what, instead=instead,
                          decision=decision))
        return check
    return register


def nearest(name, known, otherwise: str = "") -> str:
    """`did you mean x?`, else the names that are known."""
    known = sorted(str(k) for k in known)
    close = difflib.get_close_matches(str(name), known, 1, 0.6)
    return f"did you mean {close[0]}?" if close else otherwise or \
        f"known are {', '.join(known) or 'none'}"


def cidr(text):
    """A CIDR block that may have host bits set, or None."""
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class View:
    """What a rule sees: the stack, the checked options of its components, and the day."""

    stack: object
    options: dict
    today: datetime.date
    creates: frozenset = field(default_factory=frozenset)  # keys that the plan creates
    updates: dict = field(default_factory=dict)  # key -> {field: (live, wanted)}
    lives: dict = field(default_factory=dict)  # key -> live object, of what the plan has read
    violations: tuple = ()  # (key, value that an API does not take)

    def __contains__(self, component: str) -> bool:
        return component in self.options

    def part(self, component: str, *way) -> dict:
        """The options of a component, or of a place in them; nothing where there are none."""
        value = self.options.get(component) or {}
        for name in way:
            value = (value.get(name) if isinstance(value, dict) else None) or {}
        return value

    def each(self, component: str, option: str) -> list[tuple[str, str, dict]]:
        """(path, name, values) of a dictionary keyed by names of the user's choice."""
        values = self.part(component, option)
        return [(f"{component}.{option}.{name}", name, value or {})
                for name, value in (values.items() if isinstance(values, dict) else ())]

    @property
    def zones(self) -> list[str]:
        """The zones of the network of this stack; none when it has no network of its own here."""
        return list(self.part("network").get("availability_zones") or [])

    @property
    def tiers(self) -> list[str]:
        """The tiers that have subnets."""
        return [t for t in TIERS if self.part("network", "subnets").get(t) is not None] \
            if isinstance(self.part("network", "subnets"), dict) else []

    @property
    def subnets(self) -> list[tuple[str, str, str]]:
        """(tier, zone, CIDR block) of all subnets that a block can be told of."""
        options, found = self.part("network"), []
        for tier in self.tiers:
            for zone in dict.fromkeys(self.zones):
                try:
                    found.append((tier, zone, subnet_cidr(options, tier, zone)))
                except (ValueError, IndexError):
                    continue  # the component itself tells what is wrong
        return found
