"""CloudWatch Logs: retention, encryption, tags. Source: the CloudWatch Logs API reference."""

from lab import kit
from lab.errors import Refusal
from lab.registry import after, amend, guard, handler

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


@amend("logs", "DescribeLogGroups")
def show_class(call, result):
    """API_LogGroup, logGroupClass"""
    groups = call.backend("logs").groups
    for row in result.get("logGroups") or []:
        row["logGroupClass"] = getattr(groups[row["logGroupName"]], "log_group_class", "STANDARD")


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
