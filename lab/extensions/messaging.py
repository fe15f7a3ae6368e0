"""SQS, EventBridge, Secrets Manager and ECR: what they refuse and moto lets pass.
Sources: API_CreateQueue, API_SetQueueAttributes, API_PutTargets, API_CreateSecret,
API_PutLifecyclePolicy."""

import json
import re

from lab.errors import Refusal
from lab.registry import guard

RANGES = {"DelaySeconds": (0, 900), "MaximumMessageSize": (1024, 1048576),
          "MessageRetentionPeriod": (60, 1209600), "ReceiveMessageWaitTimeSeconds": (0, 20),
          "VisibilityTimeout": (0, 43200), "KmsDataKeyReusePeriodSeconds": (60, 86400)}
OTHERS = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "KmsMasterKeyId",
          "SqsManagedSseEnabled", "ContentBasedDeduplication", "DeduplicationScope",
          "FifoThroughputLimit"}


@guard("sqs", "CreateQueue", "SetQueueAttributes")
def queue_attributes(call):
    for name, value in (call.params.get("Attributes") or {}).items():
        if name not in OTHERS and name not in RANGES:
            raise Refusal("InvalidAttributeName", f"Unknown Attribute {name}.")
        low, high = RANGES.get(name, (None, None))
        if low is not None and not (value.isdigit() and low <= int(value) <= high):
            raise Refusal("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        if name in ("Policy", "RedrivePolicy") and value:
            queue_policy(name, value)


def queue_policy(name, value):
    try:
        document = json.loads(value)
    except ValueError as error:
        raise Refusal("InvalidAttributeValue",
                      f"Invalid value for the parameter {name}.") from error
    if name == "Policy" and not document.get("Statement"):
        raise Refusal("InvalidAttributeValue", "Invalid value for the parameter Policy.")


@guard("events", "PutTargets")
def targets(call):
    rows = call.params["Targets"]
    if len({row["Id"] for row in rows}) != len(rows):
        raise Refusal("ValidationException", "Target ids must be unique")
    if len(rows) > 5:
        raise Refusal("LimitExceededException", "A rule has at most 5 targets")


@guard("events", "PutRule")
def rule_trigger(call):
    if not call.params.get("EventPattern") and not call.params.get("ScheduleExpression"):
        raise Refusal("ValidationException",
                      "Parameter(s) EventPattern or ScheduleExpression must be specified.")


@guard("secretsmanager", "CreateSecret")
def new_secret(call):
    name = call.params["Name"]
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@!-]{1,512}", name):
        raise Refusal("ValidationException", "Invalid name. Must be a valid name containing "
                      "alphanumeric characters, or any of the following: -/_+=.@!")
    for secret in call.backend("secretsmanager").secrets.values():
        if secret.name == name and secret.is_deleted():
            raise Refusal("InvalidRequestException", "You can't create this secret because a "
                          "secret with this name is already scheduled for deletion.")
    secret_tags(call)


@guard("secretsmanager", "TagResource")
def secret_tags(call):
    if any(tag["Key"].lower().startswith("aws:") for tag in call.params.get("Tags") or []):
        raise Refusal("InvalidRequestException", "Tag keys starting with aws: are reserved")


@guard("ecr", "PutLifecyclePolicy")
def lifecycle(call):
    try:
        rules = json.loads(call.params["lifecyclePolicyText"])["rules"]
        priorities = [rule["rulePriority"] for rule in rules]
        complete = all(rule["selection"]["countType"] and rule["action"]["type"] for rule in rules)
    except (ValueError, KeyError, TypeError) as error:
        raise bad_lifecycle("the policy is not complete") from error
    if len(set(priorities)) != len(priorities) or not complete:
        raise bad_lifecycle("rule priorities must be unique")


def bad_lifecycle(text):
    return Refusal("InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed "
                   f"to satisfy constraint: 'Lifecycle policy validation failure: {text}'")


@guard("ecr", "CreateRepository", "TagResource")
def repository_tags(call):
    if any(tag["Key"].lower().startswith("aws:") for tag in call.params.get("tags") or []):
        raise Refusal("InvalidTagParameterException", "Tag keys starting with aws: are reserved")
