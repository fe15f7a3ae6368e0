"""Who is calling: the access key LAB0<account> names the account, IAM and STS give others;
everybody else is refused."""

import fnmatch
import re

from lab import callers
from lab.errors import Refusal

KEY = re.compile(r"LAB0(\d{12})$")
EXPIRED = "LABEXPIRED"
ACTION_PREFIX = {
    "efs": "elasticfilesystem", "resourcegroupstaggingapi": "tag", "elbv2": "elasticloadbalancing",
    "service-quotas": "servicequotas", "opensearch": "es",
}
# Codes by kind of protocol; source: the Common Error Types page of each API reference.
INVALID_KEY = {
    "ec2": ("AuthFailure", 401,
            "AWS was not able to validate the provided access credentials"),
    "query": ("InvalidClientTokenId", 403,
              "The security token included in the request is invalid."),
    "s3": ("InvalidAccessKeyId", 403,
           "The AWS Access Key Id you provided does not exist in our records."),
    "json": ("UnrecognizedClientException", 400,
             "The security token included in the request is invalid."),
    "rest-json": ("UnrecognizedClientException", 403,
                  "The security token included in the request is invalid."),
}
EXPIRED_KEY = {
    "ec2": ("RequestExpired", 400, "Request has expired."),
    "query": ("ExpiredToken", 403, "The security token included in the request is expired"),
    "s3": ("ExpiredToken", 400, "The provided token has expired."),
    "json": ("ExpiredTokenException", 400,
             "The security token included in the request is expired"),
    "rest-json": ("ExpiredTokenException", 403,
                  "The security token included in the request is expired"),
}
DENIED = {
    "ec2": ("UnauthorizedOperation", 403), "query": ("AccessDenied", 403),
    "s3": ("AccessDenied", 403), "json": ("AccessDeniedException", 400),
    "rest-json": ("AccessDeniedException", 403),
}


def form(call, table):
    if call.service == "s3":
        return table["s3"]
    protocol = call.model.service_model.protocol
    return table.get(protocol) or table["json"]


def caller_of(access_key):
    """The Caller with this access key, or None."""
    match = KEY.match(access_key)
    if match:
        account, arn = match[1], caller_arn(match[1])
        return callers.Caller(account, arn, f"AIDALAB0{account}", arn)
    return callers.find(access_key)


def identify(call):
    """Set call.caller and call.account, or refuse."""
    call.caller = caller_of(call.access_key)
    if call.caller:
        call.account = call.caller.account
        return
    expired = call.access_key.startswith(EXPIRED)
    code, status, text = form(call, EXPIRED_KEY if expired else INVALID_KEY)
    raise Refusal(code, text, status)


def actions(call):
    """The IAM names of a call. S3's own names differ from its operations now and then."""
    prefix = ACTION_PREFIX.get(call.service, call.service)
    return {f"{prefix}:{call.operation}", f"{call.service}:{call.operation}", call.name}


def check_denied(call):
    deny = call.lab.settings.deny
    patterns = [*deny.get("*", []), *deny.get(call.access_key, []), *deny.get(call.account, [])]
    for pattern in patterns:
        if any(fnmatch.fnmatchcase(action, pattern) for action in actions(call)):
            raise denied(call)


def denied(call):
    prefix = ACTION_PREFIX.get(call.service, call.service)
    code, status = form(call, DENIED)
    text = f"User: {call.caller.arn} is not authorized to perform: {prefix}:{call.operation} " \
           "because no identity-based policy allows the action"
    if code == "UnauthorizedOperation":
        text = f"You are not authorized to perform this operation. {text}"
    return Refusal(code, text, status)


def caller_arn(account):
    return f"arn:aws:iam::{account}:user/lab"
