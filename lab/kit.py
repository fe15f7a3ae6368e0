"""Small parts that several extensions share."""

import base64
import copy
import json
import random
import string
import urllib.parse

from lab.errors import Refusal
from lab.timing import iso

HEX = "0123456789abcdef"


def hex_id(length=17):
    return "".join(random.choices(HEX, k=length))


def digits(length=10):
    return "".join(random.choices(string.digits, k=length))


def now(call):
    return iso(call.now)


def page(call, items, size=("maxResults", 100), token="nextToken"):
    """One page of a list and the token of the next; AWS's tokens are opaque, so are these."""
    name, default = size
    count = int(call.params.get(name) or default)
    start = int(base64.b64decode(call.params[token])) if call.params.get(token) else 0
    more = start + count < len(items)
    following = base64.b64encode(str(start + count).encode()).decode() if more else None
    return items[start:start + count], following


def same_request(call, token_name, mismatch):
    """The first answer to a client token, or None; with other parameters it is refused."""
    token = call.params.get(token_name)
    if not token:
        return None
    seen = call.store.table("client tokens").get((call.name, token))
    if seen is None:
        return None
    wanted, answer = seen
    if wanted != call.params:
        raise mismatch
    return answer()


def remember_request(call, token_name, answer):
    """Answer the same token with answer() from now on."""
    token = call.params.get(token_name)
    if token:
        table = call.store.table("client tokens")
        table[call.name, token] = (copy.deepcopy(call.params), answer)


def role_of(call, arn):
    """The IAM role of the caller's account with this ARN, or None."""
    for role in call.backend("iam").roles.values():
        if role.arn == arn:
            return role
    return None


def role_usable(call, arn):
    """A role is known to other services only a while after its creation (role_delay_ms)."""
    role = role_of(call, arn)
    if role is None:
        return None
    born = call.lab.marks.get(("role", arn), 0)
    return role if call.now - born >= call.lab.settings.role_delay_ms / 1000 else None


def trusts(role, service):
    """Does the trust policy let this service assume the role?"""
    return service in trusted(role, "Service")


def trusted(role, kind):
    """The principals of one kind (Service, AWS) that the role's trust policy allows."""
    text = role.assume_role_policy_document
    text = urllib.parse.unquote(text) if text.lstrip().startswith("%") else text
    statements, found = json.loads(text).get("Statement", []), set()
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        names = principal.get(kind, []) if isinstance(principal, dict) else [principal]
        if statement.get("Effect") == "Allow":
            found.update(names if isinstance(names, list) else [names])
    return found


def attached(role):
    return {policy.arn for policy in role.managed_policies.values()}


def subnets(call, ids, missing):
    """moto's subnets; missing(id) makes the refusal."""
    backend = call.backend("ec2")
    known = {key: subnet for zone in backend.subnets.values() for key, subnet in zone.items()}
    for key in ids:
        if key not in known:
            raise missing(key)
    return [known[key] for key in ids]


def security_group(call, group_id):
    return call.backend("ec2").get_security_group_from_id(group_id)


def check_groups(call, ids, missing):
    for group_id in ids:
        if security_group(call, group_id) is None:
            raise missing(group_id)


def network_interface(call, subnet, groups, description):
    """A requester-managed interface: it holds its subnet and its groups until it is dropped."""
    if subnet.available_ip_address_count < 1:
        raise Refusal("InsufficientFreeAddressesInSubnet",
                      f"The subnet {subnet.id} has no free addresses")
    interface = call.backend("ec2").create_network_interface(
        subnet, None, group_ids=list(groups), description=description)
    interface.managed, interface.status = True, "in-use"
    return interface.id


def drop_interfaces(call, ids):
    interfaces = call.backend("ec2").enis
    for key in ids:
        interface = interfaces.pop(key, None)
        if interface is not None:
            interface.subnet.del_subnet_ip(interface.private_ip_address)


def need_key(call, arn, refusal):
    """The KMS key that an ARN, id or alias names must exist."""
    keys = call.backend("kms").keys
    name = arn.split(":key/")[-1].split(":")[-1]
    if name.startswith("alias/aws/") or name.endswith("-aws-rds"):
        return
    aliases = {alias for key in keys.values() for alias in key.aliases}
    key = keys.get(name)
    if name not in aliases and (key is None or key.key_state == "PendingDeletion"):
        raise refusal
