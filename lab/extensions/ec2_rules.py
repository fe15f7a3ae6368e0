"""Descriptions of security group rules: moto keeps those of CIDR sources only.

Source: API_SecurityGroupRule, API_UpdateSecurityGroupRuleDescriptionsIngress.
"""

from moto.ec2.models.security_groups import SecurityGroupRule

from lab.errors import Refusal
from lab.registry import after, handler


def description(rule):
    own = getattr(rule, "own_description", None)
    return own or rule.ip_range.get("Description") or rule.source_group.get("Description")


SecurityGroupRule.description = property(description)


@after("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def keep_prefix_list_descriptions(call):
    texts = {row.get("PrefixListId"): row.get("Description")
             for rule in call.params.get("IpPermissions") or []
             for row in rule.get("PrefixListIds") or []}
    for rule in rules(call):
        if texts.get(rule.prefix_list_id):
            rule.own_description = texts[rule.prefix_list_id]


def rules(call):
    group = call.backend("ec2").get_security_group_from_id(call.params.get("GroupId") or "")
    return [*group.ingress_rules, *group.egress_rules] if group else []


@handler("ec2", "UpdateSecurityGroupRuleDescriptionsIngress",
         "UpdateSecurityGroupRuleDescriptionsEgress")
def update_descriptions(call):
    known = {rule.id: rule for rule in rules(call)}
    for row in call.params.get("SecurityGroupRuleDescriptions") or []:
        rule = known.get(row.get("SecurityGroupRuleId"))
        if rule is None:
            raise Refusal("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID "
                          f"'{row.get('SecurityGroupRuleId')}' does not exist")
        rule.own_description = row.get("Description") or ""
    return {"Return": True}
