"""CloudWatch Logs: retention, encryption, tags. Source: the CloudWatch Logs API reference."""

from lab import kit
from lab.errors import Refusal
from lab.registry import after, guard, handler

# Source: API_PutRetentionPolicy, retentionInDays
DAYS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
        2922, 3288, 3653}


@guard("logs", "PutRetentionPolicy")
def retention(call):
    if call.params["retentionInDays"] not in DAYS:
        raise Refusal("InvalidParameterException", "1 validation error detected: Value "
                      f"'{call.params['retentionInDays']}' at 'retentionInDays' failed to satisfy "
                      f"constraint: Member must satisfy enum value set: {sorted(DAYS)}")


@guard("logs", "CreateLogGroup")
def new_group(call):
    if call.params["logGroupName"].startswith("aws/"):
        raise Refusal("InvalidParameterException", "Log groups starting with AWS/ are reserved for "
                      "AWS.")
    if call.params.get("kmsKeyId"):
        need_key(call)
    check_tags(call)


@after("logs", "CreateLogGroup")
def note_class(call):
    group(call).log_group_class = call.params.get("logGroupClass") or "STANDARD"


@guard("logs", "DescribeLogGroups")
def one_filter(call):
    """API_DescribeLogGroups, logGroupIdentifiers"""
    others = ("logGroupNamePrefix", "logGroupNamePattern", "logGroupClass", "limit")
    if call.params.get("logGroupIdentifiers") and any(call.params.get(name) for name in others):
        raise Refusal("InvalidParameterException", "logGroupIdentifiers cannot be combined with "
                      "other filters.")


@handler("logs", "DescribeLogGroups")
def describe_groups(call):
    """moto knows no logGroupIdentifiers."""
    asked, groups = call.params, call.backend("logs").groups
    names, prefix = asked.get("logGroupIdentifiers"), asked.get("logGroupNamePrefix") or ""
    rows = [{**item.to_describe_dict(), "logGroupClass": getattr(
        item, "log_group_class", "STANDARD")} for name, item in sorted(groups.items())
        if name.startswith(prefix) and (not names or {name, item.arn} & {*names})]
    rows, token = kit.page(call, rows, ("limit", 50))
    return {"logGroups": rows, "nextToken": token}


@guard("logs", "TagResource")
def check_tags(call):
    if any(key.lower().startswith("aws:") for key in call.params.get("tags") or {}):
        raise Refusal("InvalidParameterException", "aws: is reserved in tag keys")


def need_key(call):
    arn = call.params["kmsKeyId"]
    if not arn.startswith("arn:"):
        raise Refusal("InvalidParameterException", "The key must be given by its ARN")
    kit.need_key(call, arn, Refusal("InvalidParameterException",
                                    f"The specified KMS key does not exist: {arn}"))


def group(call):
    found = call.backend("logs").groups.get(call.params.get("logGroupName"))
    if found is None:
        raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")
    return found


@handler("logs", "AssociateKmsKey")
def associate(call):
    need_key(call)
    group(call).kms_key_id = call.params["kmsKeyId"]
    return {}


@handler("logs", "DisassociateKmsKey")
def disassociate(call):
    group(call).kms_key_id = None
    return {}
