"""STS: the caller is who the access key was given to; roles are assumed by whom they trust."""

from lab import kit
from lab.errors import Refusal
from lab.registry import guard, handler


@handler("sts", "GetCallerIdentity")
def get_caller_identity(call):
    """API_GetCallerIdentity"""
    return {"Account": call.account, "Arn": call.caller.arn, "UserId": call.caller.user_id}


@guard("sts", "AssumeRole")
def check_trust(call):
    """API_AssumeRole: the trust policy must name the caller or his account."""
    arn = call.params["RoleArn"]
    role, me = kit.role_of(call, arn), call.caller
    trusted = {me.arn, me.principal, call.account, f"arn:aws:iam::{call.account}:root", "*"}
    if role is None or not trusted & kit.trusted(role, "AWS"):
        raise Refusal("AccessDenied", f"User: {me.arn} is not authorized to perform: "
                      f"sts:AssumeRole on resource: {arn}", 403)
