# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about names of other components' objects."""
from __future__ import annotations

import re

from .findings import ERROR, View, nearest, rule

RULES: list = []
# Option, at any depth of any component -> the component and its dictionary that holds the names.
REFERENCES = {
    **dict.fromkeys(("kms_key", "volume_kms_key", "encryption_key",
                     "master_user_secret_kms_key"),
                    ("kms_keys", "keys")),
    **dict.fromkeys(("security_groups", "source_security_groups", "source_group"),
                    ("security_groups", "groups")),
    **dict.fromkeys(("role", "node_role", "principal", "service_account_role"),
                    ("iam_roles", "roles")),
    "auth_token_secret": ("secrets", "secrets"),
}
ROLES_BY_ACCOUNT = "pod_identity"  # a dictionary of service account to role
# What is no name of ours: ARNs, ids, aliases of AWS's own keys, templates, and a group itself.
FOREIGN = re.compile(r"arn:|(sg|subnet|vpc|pl|key|mrk)-|alias/|\{|self$|[0-9a-f]{8}-")


def walk(path: str, value):
    """(path, name of the option, text) of every text in options, at any depth."""
    pairs = value.items() if isinstance(value, dict) else ()
    for name, inner in pairs:
        here = f"{path}.{name}"
        if isinstance(inner, str):
            yield here, "role" if path.endswith(f".{ROLES_BY_ACCOUNT}") else name, inner
        elif isinstance(inner, list):
            yield from ((f"{here}[{i}]", name, t) for i, t in enumerate(inner)
                        if isinstance(t, str))
            for i, item in enumerate(inner):
                yield from walk(f"{here}[{i}]", item)
        else:
            yield from walk(here, inner)


@rule(RULES, "unknown-reference", ERROR, "name an object of the other component, or an ARN or id")
def unknown_reference(see: View):
    """A name of a security group, role, key or secret that the stack does not have"""
    for component, options in see.options.items():
        for path, option, text in walk(component, options):
            other, holder = REFERENCES.get(option, ("", ""))
            known = see.part(other, holder)
            if other in see and text and not FOREIGN.match(text) and text not in known:
                yield path, f"{other} has no {text}", nearest(text, known)


@rule(RULES, "unknown-subnets", ERROR, "name a tier, or tier and zone letter such as private-a")
def unknown_subnets(see: View):
    """A name of a subnet or tier that the network does not have"""
    names = {f"{tier}-{zone[-1:]}" for tier in see.tiers for zone in see.zones}
    for component, options in see.options.items():
        for path, option, text in walk(component, options) if component != "network" else ():
            known = see.tiers if option in ("subnet_tier", "tier") else \
                names | {*see.tiers} if option == "subnets" else ()
            if see.zones and known and not FOREIGN.match(text) and text not in known:
                yield path, f"the network has no subnets {text}", nearest(text, known)


@rule(RULES, "unknown-zone", ERROR, "name one of the network's availability_zones")
def unknown_zone(see: View):
    """A zone of a component that the network does not have"""
    options = ("availability_zone", "availability_zones", "zones", "zone")
    for component, given in see.options.items():
        for path, option, text in walk(component, given) if component != "network" else ():
            known = {*see.zones} if len(text) > 1 else {z[-1:] for z in see.zones}
            if see.zones and option in options and text and text not in known:
                yield path, f"the network has no subnets in {text}", nearest(text, known)
