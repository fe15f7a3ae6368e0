# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where databases and caches stand, who reaches them, and checks that both components share."""
from __future__ import annotations

import re

from ..engine.resource import Lookup
from ..types.ec2 import SecurityGroup, SecurityGroupRule, Subnet, Vpc
from .network import zone_letter

SUBNETS = "network/subnet/"
ACCESS = dict(
    security_groups=dict(type="list", elements="str"),
    source_security_groups=dict(type="list", elements="str", default=[]),
    source_cidr_blocks=dict(type="list", elements="str", default=[]),
    vpc_id=dict(type="str"),
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TIME = r"([01]\d|2[0-3]):[0-5]\d"
WEEK = 7 * 24 * 60  # minutes


def placed(names: list | None, stack):
    """The subnets: those named (by the network's names, or ids), else all private ones."""
    if names is not None:
        return [n if n.startswith("subnet-") else stack.use(Subnet, SUBNETS + n) for n in names]
    found = stack.use_all(Subnet, f"{SUBNETS}private-")
    return found[0] if isinstance(found[0], Lookup) else found


def letters(subnets) -> list[str] | None:
    """The letters of the subnets' zones; None where only AWS can tell them."""
    keys = [getattr(s, "key", "") for s in subnets] if isinstance(subnets, list) else [""]
    return sorted({zone_letter(k) for k in keys}) if all(keys) else None


def group(stack, given: str):
    """A security group of the component security_groups by its name, or any by its id."""
    return given if given.startswith("sg-") else \
        stack.use(SecurityGroup, f"security_groups/security_group/{given}")


def guarded(key: str, port: int, given: dict, stack) -> tuple[list, list]:
    """The security groups of one object, and what is made for that.

    `key`: component and name, such as elasticache/dev. The own group lets nothing out: what is
    in it never calls anybody.
    """
    component, name = key.split("/")
    if given["security_groups"]:
        return [group(stack, g) for g in given["security_groups"]], []
    own = SecurityGroup(
        key=f"{component}/security_group/{name}",
        vpc=given.get("vpc_id") or stack.use(Vpc, "network/vpc/main"),
        group_name=stack.name("sg", f"{component.split('_')[0]}-{name}"),
        description=f"{component} {name}, for those who use it")
    sources = {g: {"source_group": group(stack, g)} for g in given["source_security_groups"]}
    sources.update((c, {"cidr_ipv4": c}) for c in given["source_cidr_blocks"])
    rules = [SecurityGroupRule(
        key=f"{component}/security_group_rule/{name}-{source.replace('/', '-')}", group=own,
        direction="ingress", ip_protocol="tcp", from_port=port, to_port=port,
        description=f"Port {port} from {source}", **where) for source, where in sources.items()]
    return [own], [own, *rules]


def text_values(parameters: dict) -> dict:
    """Parameters as AWS keeps them: text, with 1 and 0 for yes and no."""
    return {name: str(int(v)) if isinstance(v, bool) else str(v)
            for name, v in parameters.items()}


def access_problems(path: str, given: dict) -> list[str]:
    """Two ways to say who gets in."""
    sources = given["source_security_groups"] or given["source_cidr_blocks"]
    return [f"{path}security_groups: give security_groups, or source_security_groups and "
            "source_cidr_blocks for a group of its own, not both"] \
        if given["security_groups"] and sources else []


def window_problems(path: str, daily: tuple, weekly: tuple) -> list[str]:
    """Each window is a pair of its option's name and its value (None: AWS chooses)."""
    found, spans = [], []
    if daily[1] and not re.fullmatch(f"{TIME}-{TIME}", daily[1]):
        found.append(f"{path}{daily[0]}: {daily[1]} is not a time of day in UTC such as "
                     "03:00-04:00")
    day = f"({'|'.join(DAYS)}):{TIME}"
    if weekly[1] and not re.fullmatch(f"{day}-{day}", weekly[1].lower()):
        found.append(f"{path}{weekly[0]}: {weekly[1]} is not a time of the week in UTC such as "
                     "sun:05:00-sun:06:00")
    if found or not daily[1] or not weekly[1]:
        return found
    start, end = (_minutes(text) for text in weekly[1].lower().split("-"))
    spans = [_minutes(f"{d}:{text}") for d in DAYS for text in daily[1].split("-")]
    if any(_overlap((low, high), (start, end)) for low, high in zip(spans[::2], spans[1::2])):
        found.append(f"{path}{weekly[0]}: {weekly[1]} overlaps {daily[0]} {daily[1]}; choose "
                     "another hour")
    return found


def _minutes(text: str) -> int:
    day, hours, minutes = text.split(":")
    return DAYS.index(day) * 1440 + int(hours) * 60 + int(minutes)


def _overlap(one: tuple, other: tuple) -> bool:
    """Whether two spans of minutes of the week meet; an end before its start is past midnight."""
    def whole(span, turn):
        return span[0], span[1] + (turn if span[1] < span[0] else 0)

    (a, b), (c, d) = whole(one, 1440), whole(other, WEEK)
    return any(a < d + shift and c + shift < b for shift in (-WEEK, 0, WEEK))
