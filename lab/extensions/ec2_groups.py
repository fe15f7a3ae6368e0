"""Security groups, tags, launch templates and flow logs: what EC2 refuses and moto lets pass."""

import json
from pathlib import Path

from lab import quotas
from lab.ec2_kit import dependency
from lab.errors import Refusal
from lab.registry import amend, guard

TAGGED = json.loads((Path(__file__).parent.parent / "data" / "ec2_tagged.json").read_text())
TAGGED.pop("_comment")


@guard("ec2", *TAGGED)
def check_specification(call):
    """Source: using-tags.html, TagSpecifications."""
    for row in call.params.get("TagSpecifications") or []:
        kind = row.get("ResourceType")
        if kind not in TAGGED[call.operation]:
            raise Refusal("InvalidParameterValue", f"'{kind}' is not a valid taggable resource "
                          "type for this operation.")
        check_tags(row.get("Tags") or [])


@guard("ec2", "CreateTags")
def check_create_tags(call):
    check_tags(call.params["Tags"])
    for key in call.params["Resources"]:
        if not exists(call.backend("ec2"), key):
            kind = {"vpc": "InvalidVpcID", "subnet": "InvalidSubnetID", "sg": "InvalidGroup",
                    "rtb": "InvalidRouteTableID", "igw": "InvalidInternetGatewayID",
                    "nat": "NatGatewayNotFound"}.get(key.split("-")[0], "InvalidID")
            code = kind if kind == "NatGatewayNotFound" else f"{kind}.NotFound"
            raise Refusal(code, f"The ID '{key}' does not exist")


def exists(backend, key):
    prefix = key.rsplit("-", 1)[0]
    tables = {
        "vpc": lambda: backend.vpcs, "igw": lambda: backend.internet_gateways,
        "rtb": lambda: backend.route_tables, "nat": lambda: backend.nat_gateways,
        "vpce": lambda: backend.vpc_end_points, "lt": lambda: backend.launch_templates,
        "eni": lambda: backend.enis, "fl": lambda: backend.flow_logs,
        "subnet": lambda: {name for zone in backend.subnets.values() for name in zone},
        "sg": lambda: {name for vpc in backend.groups.values() for name in vpc},
        "eipalloc": lambda: {address.allocation_id for address in backend.addresses},
    }
    return prefix not in tables or key in tables[prefix]()


def check_tags(tags):
    keys = [tag.get("Key") for tag in tags]
    for key in keys:
        if key.lower().startswith("aws:"):
            raise Refusal("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved "
                          "for internal use")
        if len(key) > 127:
            raise Refusal("InvalidParameterValue", "Tag key exceeds the maximum length of 127 "
                          "characters")
        if keys.count(key) > 1:
            raise Refusal("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
    for tag in tags:
        if len(tag.get("Value") or "") > 255:
            raise Refusal("InvalidParameterValue", "Tag value exceeds the maximum length of 255 "
                          "characters")
    if len(tags) > 50:
        raise Refusal("TagLimitExceeded", "More than 50 tags specified")


# ---- security groups --------------------------------------------------------------------------

@guard("ec2", "DeleteSecurityGroup")
def group_in_use(call):
    backend, key = call.backend("ec2"), call.params.get("GroupId")
    group = backend.get_security_group_from_id(key) if key else None
    if group is None:
        return
    if group.name == "default":
        raise Refusal("CannotDelete", f'the specified group: "{key}" name: "default" cannot be '
                      "deleted by a user")
    if any(key in {row.id for row in eni.group_set} for eni in backend.enis.values()):
        raise dependency(f"resource {key} has a dependent object")
    for other in backend.groups.get(group.vpc_id, {}).values():
        if other.id != key and refers(other, key):
            raise dependency(f"resource {key} has a dependent object")


def refers(group, key):
    return any(rule.source_group.get("GroupId") == key
               for rule in (*group.ingress_rules, *group.egress_rules))


@guard("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def check_rules(call):
    backend, asked = call.backend("ec2"), call.params
    group = backend.get_security_group_from_id(asked.get("GroupId") or "")
    if group is None and asked.get("GroupId"):
        raise Refusal("InvalidGroup.NotFound",
                      f"The security group '{asked['GroupId']}' does not exist")
    added = 0
    for rule in asked.get("IpPermissions") or []:
        check_rule(backend, rule)
        added += sum(len(rule.get(key) or []) for key in (
            "IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"))
    if group is not None:
        side = group.ingress_rules if call.operation.endswith("Ingress") else group.egress_rules
        quotas.check(call, "rules", len(side) + added - 1)


def check_rule(backend, rule):
    protocol, low, high = rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort")
    if protocol is None:
        raise Refusal("MissingParameter", "The request must contain the parameter IpProtocol")
    if protocol in ("tcp", "udp", "6", "17"):
        if low is None or high is None:
            raise Refusal("InvalidParameterValue", "Invalid value 'Must specify both from and to "
                          "ports with TCP/UDP.' for portRange.")
        if not 0 <= low <= high <= 65535:
            raise Refusal("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")
    for row in rule.get("PrefixListIds") or []:
        if row.get("PrefixListId") not in backend.managed_prefix_lists:
            raise Refusal("InvalidPrefixListID.NotFound", f"The prefix list ID "
                          f"'{row.get('PrefixListId')}' does not exist")
    for row in rule.get("UserIdGroupPairs") or []:
        if row.get("GroupId") and backend.get_security_group_from_id(row["GroupId"]) is None:
            raise Refusal("InvalidGroup.NotFound",
                          f"The security group '{row['GroupId']}' does not exist")


@guard("ec2", "CreateSecurityGroup")
def check_group_name(call):
    name, text = call.params["GroupName"], call.params["Description"]
    if name.startswith("sg-"):
        raise Refusal("InvalidParameterValue", f"Invalid security group name: {name}; it cannot "
                      "begin with sg-")
    if len(name) > 255 or len(text) > 255:
        raise Refusal("InvalidParameterValue", "Group name and description have at most 255 "
                      "characters")


# ---- flow logs --------------------------------------------------------------------------------

@guard("ec2", "CreateFlowLogs")
def check_flow_logs(call):
    """API_CreateFlowLogs; a second log to the same destination is refused."""
    backend, asked = call.backend("ec2"), call.params
    if asked.get("MaxAggregationInterval") not in (None, 60, 600):
        raise Refusal("InvalidParameterValue", "The maximum aggregation interval is 60 or 600")
    for key in asked["ResourceIds"]:
        if not exists(backend, key):
            raise Refusal("InvalidVpcId.NotFound", f"The vpc ID '{key}' does not exist")
        for log in backend.flow_logs.values():
            if log.resource_id == key and asked.get("LogGroupName") and (
                    log.log_group_name == asked["LogGroupName"]):
                raise Refusal("FlowLogAlreadyExists", "There is an existing Flow Log with the same "
                              "configuration and log destination.")


@amend("ec2", "DescribeLaunchTemplates")
def show_tags(call, result):
    """moto shows the tags that a template was created with, whatever CreateTags did since."""
    templates = call.backend("ec2").launch_templates
    for row in result.get("LaunchTemplates") or []:
        row["Tags"] = [{"Key": tag["key"], "Value": tag["value"]}
                       for tag in templates[row["LaunchTemplateId"]].get_tags()]
