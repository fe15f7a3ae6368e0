# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""security_groups: groups, and each of their rules as a resource of its own."""
from __future__ import annotations

import difflib
import ipaddress
import re

from ..types.ec2 import PrefixList, SecurityGroup, SecurityGroupRule, Vpc
from .permissions import cluster_name

SOURCES = ("cidr_ipv4", "cidr_ipv6", "prefix_list", "source_group")
RULE = dict(
    direction=dict(type="str", default="ingress", choices=["ingress", "egress"]),
    ip_protocol=dict(type="str", default="tcp"),
    from_port=dict(type="int"),
    to_port=dict(type="int"),
    ports=dict(type="list", elements="str", default=[]),
    cidr_ipv4=dict(type="str"),
    cidr_ipv6=dict(type="str"),
    prefix_list=dict(type="str"),
    source_group=dict(type="str"),
    description=dict(type="str"),
)
GROUP = dict(
    group_name=dict(type="str"),
    description=dict(type="str"),
    rules=dict(type="dict", default={}),
    cluster_tag=dict(type="bool", default=False),
    karpenter_discovery=dict(type="str"),
    tags=dict(type="dict", default={}),
)
SPEC = dict(
    vpc_id=dict(type="str"),
    cluster_name=dict(type="str"),
    groups=dict(type="dict", default={}),
)
NAMED = {"groups": (GROUP, {"rules": RULE})}
# AWS answers with names for these numbers:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def build(options: dict, stack) -> list:
    """The groups, then their rules."""
    problems, names = [], list(options["groups"])
    cluster = cluster_name(options["cluster_name"], stack)
    vpc = options["vpc_id"] or stack.use(Vpc, "network/vpc/main")
    tagged = [n for n in names if options["groups"][n]["cluster_tag"]]
    if len(tagged) > 1:
        problems.append(f"groups: {', '.join(tagged)} have cluster_tag; leave it on one, else the "
                        "AWS Load Balancer Controller cannot tell which one is the nodes'")
    groups = {name: _group(name, given, stack, vpc, problems)
              for name, given in options["groups"].items()}
    for name, group in groups.items():  # None: a group that no longer has it loses it
        group.tags.setdefault(f"kubernetes.io/cluster/{cluster}",
                              "owned" if name in tagged else None)
    rules = [rule for name, given in options["groups"].items()
             for key, wanted in given["rules"].items()
             for rule in _rules((name, key), wanted, groups, problems)]
    if problems:
        raise ValueError("\n".join(problems))
    lists = {r.prefix_list.key: r.prefix_list for r in rules
             if isinstance(r.prefix_list, PrefixList)}
    return [*groups.values(), *lists.values(), *rules]


def _group(name: str, given: dict, stack, vpc, problems: list) -> SecurityGroup:
    tags = {"karpenter.sh/discovery": given["karpenter_discovery"], **given["tags"]}
    group = SecurityGroup(key=f"security_groups/security_group/{name}", vpc=vpc, tags=tags,
                          group_name=given["group_name"] or stack.name("sg", name),
                          description=given["description"] or f"{name} of {stack.id}")
    for option in ("group_name", "description"):
        if not TEXT.fullmatch(getattr(group, option)):
            problems.append(f"groups.{name}.{option}: up to 255 letters, digits, spaces and "
                            "._-:/()#,@[]+=&;{}!$* are allowed")
    if group.group_name.startswith("sg-"):
        problems.append(f"groups.{name}.group_name: a name cannot begin with sg-")
    return group


def _rules(names: tuple, given: dict, groups: dict, problems: list) -> list:
    """One rule for each port or range of ports."""
    group, rule = names
    path = f"groups.{group}.rules.{rule}"
    protocol = PROTOCOLS.get(given["ip_protocol"], given["ip_protocol"])
    if not re.fullmatch(r"tcp|udp|icmp|icmpv6|-1|\d{1,3}", protocol):
        problems.append(f"{path}.ip_protocol: {protocol} is not tcp, udp, icmp, icmpv6, -1 (all) "
                        "or the number of a protocol")
    source = _source(path, given, groups, problems)
    found = []
    for suffix, low, high in _ranges(path, given, protocol, problems):
        found.append(SecurityGroupRule(
            key=f"security_groups/security_group_rule/{group}-{rule}{suffix}",
            group=groups[group], direction=given["direction"], ip_protocol=protocol,
            from_port=low, to_port=high, description=given["description"],
            **{k: groups[group] if v == "self" else v for k, v in source.items()}))
    return found


def _source(path: str, given: dict, groups: dict, problems: list) -> dict:
    """The one field that says where the traffic comes from or goes to."""
    named = [s for s in SOURCES if given[s]]
    if len(named) != 1:
        problems.append(f"{path}: give exactly one of {', '.join(SOURCES)}"
                        + (f", not {' and '.join(named)}" if named else ""))
        return {}
    field = named[0]
    value = given[field]
    if field.startswith("cidr"):
        _check_cidr(f"{path}.{field}", value, 4 if field == "cidr_ipv4" else 6, problems)
    elif field == "prefix_list" and not value.startswith("pl-"):
        value = PrefixList(key=f"security_groups/prefix_list/{value}", name=value)
    elif field == "source_group" and value in groups:
        value = groups[value]
    elif field == "source_group" and value != "self" and not value.startswith("sg-"):
        close = difflib.get_close_matches(value, groups, 1, 0.6)
        problems.append(f"{path}.source_group: there is no group {value}; "
                        + (f"did you mean {close[0]}?" if close else
                           f"known are {', '.join(groups)}, self and ids (sg-...)"))
    return {field: value}


def _check_cidr(path: str, value: str, version: int, problems: list) -> None:
    """AWS would cut off host bits, and every later plan would find a difference."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != version:
        problems.append(f"{path}: {value} is not an IPv{version} range, such as "
                        f"{'10.0.0.0/16' if version == 4 else '2001:db8::/32'}")
    elif str(network) != value:
        problems.append(f"{path}: write {network}, not {value}")


def _ranges(path: str, given: dict, protocol: str, problems: list) -> list[tuple]:
    """(suffix of the key, first port, last port) of each rule."""
    low, code = given["from_port"], given["to_port"]
    high = low if code is None else code
    if protocol not in ("tcp", "udp"):
        if given["ports"] or (low is not None and not protocol.startswith("icmp")):
            problems.append(f"{path}: protocol {protocol} has no ports; leave them out")
        # An ICMP type and code; -1 is all of them, and what AWS answers where there is neither.
        return [("", -1 if low is None else low, -1 if code is None else code)]
    if (low is not None) == bool(given["ports"]) or (low is None and high is not None):
        problems.append(f"{path}: give either from_port (with to_port) or ports; all ports are "
                        "from_port 0, to_port 65535")
        return []
    found = [("", low, high)] if not given["ports"] else []
    for text in given["ports"]:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
        if not match:
            problems.append(f"{path}.ports: {text} is neither a port nor a range such as 8001-8005")
            continue
        found.append((f"-{text.strip()}", int(match[1]), int(match[2] or match[1])))
    problems += [f"{path}: {a}-{b} is not a range of ports within 0-65535"
                 for _suffix, a, b in found if not 0 <= a <= b <= 65535]
    return found
